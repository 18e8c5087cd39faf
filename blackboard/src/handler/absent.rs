//! Whoever is refused for somebody's sake who is not here: CUHK is asked about that one first, as its lists
//! name nobody whose certificate has ended.

use std::sync::Arc;

use rustls_pki_types::UnixTime;
use scb_protocol::message::proposal::ListedProposal;
use scb_protocol::server::AwaitAbsent;
use scb_protocol::statement::Statement;
use scb_protocol::{Code, Refusal};

use super::Shared;
use crate::store::{Arrival, Error};

impl Shared {
    /// What comes of an attempt to record what came then; of another one where the first was refused for the
    /// sake of somebody whom CUHK calls suspended. What came before its assignment opened is judged once more
    /// by this moment: nobody is refused for it after that.
    pub(super) async fn with_absent<T, F>(
        &self,
        (statement, came): (&Statement, UnixTime),
        attempt: impl Fn(Arrival) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let mut arrival = Arrival::new(came, Arc::clone(&self.clock));
        let mut outcome = attempt(arrival.clone()).await;
        if is_refused(&outcome, |refusal| refusal.code == Code::AssignmentNotOpen) {
            arrival = arrival.just_now();
            outcome = attempt(arrival.clone()).await;
        }
        if is_refused(&outcome, is_for_others)
            && self.finds_suspended(vec![statement.clone()]).await?
        {
            outcome = attempt(arrival).await;
        }
        outcome
    }

    /// Asks CUHK about those for whom these statements' members would have to wait, all at once and about each
    /// once. Where it cannot be asked, they are waited for.
    async fn finds_suspended(&self, statements: Vec<Statement>) -> Result<bool, Error> {
        if statements.is_empty() {
            return Ok(false);
        }
        let (store, now) = (self.register.store(), self.clock.now());
        let absent = store.waited_for(statements, now).await?;
        if absent.is_empty() {
            return Ok(false);
        }
        let Ok(look) = AwaitAbsent::new(&self.policy.service, absent) else {
            return Ok(false);
        };
        let Ok(answers) = self.authority.look(look.questions()).await else {
            return Ok(false);
        };
        let answers = answers.iter().map(Arc::as_ref);
        let suspended = look.suspended(answers, &self.authority.lists(), self.clock.now());
        if suspended.is_empty() {
            return Ok(false);
        }
        store.called_suspended(suspended, self.clock.now()).await?;
        Ok(true)
    }

    /// Whether one of these would be refused for the sake of somebody whom CUHK calls suspended.
    pub(super) async fn refuses_for_suspended(
        &self,
        proposals: &[ListedProposal],
    ) -> Result<bool, Error> {
        let refused = proposals
            .iter()
            .filter(|one| one.refused.as_deref().is_some_and(is_for_others));
        let statements = refused.filter_map(|one| Statement::parse(one.statement.as_bytes()).ok());
        self.finds_suspended(statements.collect()).await
    }
}

/// Whether the rules refuse it so.
fn is_refused<T>(outcome: &Result<T, Error>, so: impl Fn(&Refusal) -> bool) -> bool {
    matches!(outcome, Err(Error::NotAdmitted(refusal)) if so(refusal))
}

/// Whether somebody who is not here is why this is refused.
fn is_for_others(refusal: &Refusal) -> bool {
    matches!(refusal.code, Code::OtherGroup | Code::GroupSize)
}
