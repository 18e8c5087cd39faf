//! Step events: what happened in which step, once, from which logs, explanations and metrics
//! are rendered.

mod fact;

use std::fmt;
use std::time::Duration;

use scb_certs::StudentId;

pub use fact::{CertificateRequest, CertificateSummary, Fact, PresentedMember, SignedStatement};

use crate::{Refusal, Step};

/// One event of one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepEvent {
    /// The step.
    pub step: Step,
    /// The connection's number in this process.
    pub connection: Option<u64>,
    /// The student whom it concerns.
    pub sid: Option<StudentId>,
    /// What happened.
    pub fact: Fact,
    /// How long it took.
    pub elapsed: Option<Duration>,
}

impl StepEvent {
    /// A fact of a step.
    pub fn new(step: Step, fact: Fact) -> Self {
        Self {
            step,
            connection: None,
            sid: None,
            fact,
            elapsed: None,
        }
    }

    /// Something was refused.
    pub fn refused(refusal: &Refusal) -> Self {
        let event = Self::new(refusal.step, Fact::Refused(refusal.clone()));
        Self {
            sid: refusal.sid.clone(),
            ..event
        }
    }

    /// On this connection.
    #[must_use]
    pub fn on(mut self, connection: u64) -> Self {
        self.connection = Some(connection);
        self
    }

    /// About this student.
    #[must_use]
    pub fn about(mut self, sid: &StudentId) -> Self {
        self.sid = Some(sid.clone());
        self
    }

    /// After this long.
    #[must_use]
    pub fn took(mut self, elapsed: Duration) -> Self {
        self.elapsed = Some(elapsed);
        self
    }
}

impl fmt::Display for StepEvent {
    /// `step 3 conn=7 sid=1155000001 verified 1.9ms`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step {}", self.step)?;
        if let Some(connection) = self.connection {
            write!(f, " conn={connection}")?;
        }
        if let Some(sid) = &self.sid {
            write!(f, " sid={sid}")?;
        }
        write!(f, " {}", self.fact)?;
        match self.elapsed {
            Some(elapsed) => write!(f, " {:.1}ms", elapsed.as_secs_f64() * 1000.0),
            None => Ok(()),
        }
    }
}
