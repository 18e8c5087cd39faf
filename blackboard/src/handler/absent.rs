//! Whoever is refused for somebody's sake who is not here: CUHK is asked about that one first, as its lists
//! name nobody whose certificate has ended.

use std::sync::Arc;

use scb_protocol::message::proposal::ListedProposal;
use scb_protocol::server::AwaitAbsent;
use scb_protocol::statement::Statement;
use scb_protocol::{Code, Refusal};

use super::Shared;
use crate::store::Error;

impl Shared {
    /// What comes of an attempt; of another one where the first was refused for the sake of somebody whom
    /// CUHK calls suspended.
    pub(super) async fn with_absent<T, F>(
        &self,
        statement: &Statement,
        attempt: impl Fn() -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        match attempt().await {
            Err(Error::NotAdmitted(refusal)) if is_for_others(&refusal) => {
                match self.finds_suspended(vec![statement.clone()]).await? {
                    true => attempt().await,
                    false => Err(Error::NotAdmitted(refusal)),
                }
            }
            outcome => outcome,
        }
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

/// Whether somebody who is not here is why this is refused.
fn is_for_others(refusal: &Refusal) -> bool {
    matches!(refusal.code, Code::OtherGroup | Code::GroupSize)
}
