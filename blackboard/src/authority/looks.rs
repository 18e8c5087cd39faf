//! Asks CUHK once about a member, however many open connections that member has.
//!
//! After a change of any status every open connection looks at its members again, and each question is an
//! entry of CUHK's issuance log for ever. Without this, whoever keeps many connections open would multiply
//! the entries of every change.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use scb_certs::{Fingerprint, StudentId};
use scb_protocol::Question;
use scb_protocol::server::LookAnswer;
use tokio::time::Instant;

use super::Unanswered;
use super::subscription::TRUSTED;

/// What is asked, and later answered.
type Asked = BoxFuture<'static, Result<Arc<LookAnswer>, Unanswered>>;

/// The looks of the last moments.
#[derive(Default)]
pub(super) struct SharedLooks(Mutex<HashMap<Vec<(StudentId, Fingerprint)>, Look>>);

/// A look at members after some change.
struct Look {
    change: u64,
    begun: Instant,
    answer: Shared<Asked>,
}

impl Look {
    /// Whether it does for whoever looks after `change`. A question that failed is asked again.
    fn counts(&self, change: u64) -> bool {
        self.change == change
            && self.begun.elapsed() < TRUSTED
            && !matches!(self.answer.peek(), Some(Err(_)))
    }
}

impl fmt::Debug for SharedLooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedLooks").finish_non_exhaustive()
    }
}

impl SharedLooks {
    /// The look at these members after this change: what is asked already, or `ask`.
    pub(super) fn at(
        &self,
        question: &Question,
        change: u64,
        ask: impl FnOnce() -> Asked,
    ) -> Shared<Asked> {
        let members = question.members.iter();
        let members = members.map(|member| (member.sid.clone(), member.cert_sha256));
        let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        looks.retain(|_, look| look.counts(change));
        let look = looks.entry(members.collect()).or_insert_with(|| Look {
            change,
            begun: Instant::now(),
            answer: ask().shared(),
        });
        look.answer.clone()
    }
}
