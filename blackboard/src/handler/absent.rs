//! Whoever is refused for somebody's sake who is not here: CUHK is asked about that one first, as its lists
//! name nobody whose certificate has ended.

use std::sync::Arc;

use rustls_pki_types::UnixTime;
use scb_certs::StudentId;
use scb_protocol::server::AwaitAbsent;
use scb_protocol::statement::Statement;
use scb_protocol::{Code, Refusal};

use super::Shared;
use crate::store::{Arrival, Error, Told};

/// So many times CUHK is asked for one attempt or list, about a few each time: each question is an entry of its log.
const MOST_ROUNDS: usize = 8;

/// After so many seconds it is asked no more: whoever waits for the reply is told what is known by then, and about
/// whom it was not asked is waited for.
const PATIENCE: u64 = 5;

/// About whom CUHK was asked, and until when it is.
struct Asking {
    asked: Vec<StudentId>,
    rounds: usize,
    until: u64,
}

impl Asking {
    fn begun(now: UnixTime) -> Self {
        Self {
            asked: Vec::new(),
            rounds: 0,
            until: now.as_secs().saturating_add(PATIENCE),
        }
    }

    /// Whether it is asked once more at this moment.
    fn goes_on(&mut self, now: UnixTime) -> bool {
        self.rounds += 1;
        self.rounds <= MOST_ROUNDS && now.as_secs() <= self.until
    }
}

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
        let mut asked = Asking::begun(self.clock.now());
        while is_refused(&outcome, is_for_others) && asked.goes_on(self.clock.now()) {
            match self.ask(vec![statement.clone()], &mut asked).await? {
                Absent::Nobody => break,
                Absent::Active => {}
                Absent::Suspended => outcome = attempt(arrival.clone()).await,
            }
        }
        outcome
    }

    /// A list of proposals in which nobody is refused for the sake of somebody whom CUHK calls suspended.
    pub(super) async fn without_suspended<F>(&self, list: impl Fn() -> F) -> Result<Told, Error>
    where
        F: Future<Output = Result<Told, Error>>,
    {
        let mut asked = Asking::begun(self.clock.now());
        let mut told = list().await?;
        while asked.goes_on(self.clock.now()) {
            match self.ask(refused_for_others(&told), &mut asked).await? {
                Absent::Nobody => break,
                Absent::Active => {}
                Absent::Suspended => told = list().await?,
            }
        }
        Ok(told)
    }

    /// Asks CUHK about some of those for whom these statements' members would have to wait, beside those about whom it
    /// was asked, about each once. Where it cannot be asked, they are waited for.
    async fn ask(
        &self,
        statements: Vec<Statement>,
        Asking { asked, .. }: &mut Asking,
    ) -> Result<Absent, Error> {
        if statements.is_empty() {
            return Ok(Absent::Nobody);
        }
        let (store, now) = (self.register.store(), self.clock.now());
        let absent = store.waited_for(statements, asked.clone(), now).await?;
        if absent.is_empty() {
            return Ok(Absent::Nobody);
        }
        asked.extend(absent.iter().map(|one| one.sid.clone()));
        let Ok(look) = AwaitAbsent::new(&self.policy.service, absent) else {
            return Ok(Absent::Nobody);
        };
        let Ok(answers) = self.authority.look(look.questions()).await else {
            return Ok(Absent::Nobody);
        };
        let answers = answers.iter().map(Arc::as_ref);
        let suspended = look.suspended(answers, &self.authority.lists(), self.clock.now());
        if suspended.is_empty() {
            return Ok(Absent::Active);
        }
        store.called_suspended(suspended, self.clock.now()).await?;
        Ok(Absent::Suspended)
    }
}

/// What CUHK says of those who are waited for.
enum Absent {
    /// There is nobody left to ask about, or it does not answer.
    Nobody,
    /// They are all active.
    Active,
    /// One of them is suspended.
    Suspended,
}

/// What would be refused for the sake of somebody who is not here.
fn refused_for_others(told: &Told) -> Vec<Statement> {
    let refused = told
        .listed
        .iter()
        .filter(|one| one.refused.as_deref().is_some_and(is_for_others));
    let statements = refused.filter_map(|one| Statement::parse(one.statement.as_bytes()).ok());
    statements.collect()
}

/// Whether the rules refuse it so.
fn is_refused<T>(outcome: &Result<T, Error>, so: impl Fn(&Refusal) -> bool) -> bool {
    matches!(outcome, Err(Error::NotAdmitted(refusal)) if so(refusal))
}

/// Whether somebody who is not here is why this is refused.
fn is_for_others(refusal: &Refusal) -> bool {
    matches!(refusal.code, Code::OtherGroup | Code::GroupSize)
}
