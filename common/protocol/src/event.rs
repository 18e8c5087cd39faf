//! Step events: what happened in which step, once, from which logs, explanations and metrics
//! are rendered.

mod fact;
mod line;

use std::fmt;
use std::time::Duration;

use scb_certs::StudentId;

pub use fact::{
    CertificateRequest, CertificateSummary, Fact, PresentedMember, Proved, SignedStatement,
};

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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_certs::{Fingerprint, Serial};

    use super::*;
    use crate::message::cuhk::MemberQuestion;
    use crate::values::{Challenge, Nonce};
    use crate::{Channel, Code, InactiveReason, MemberAnswer, Transcript1, from_seconds};

    fn member(sid: &str) -> MemberQuestion {
        MemberQuestion {
            sid: sid.parse().unwrap(),
            cert_sha256: Fingerprint::of(sid.as_bytes()),
        }
    }

    fn verified(sids: &[&str]) -> String {
        let channel = Channel {
            exporter: [0; 32],
            service: "spiffe://example.edu/service/blackboard".parse().unwrap(),
            client_certificate: Fingerprint::of(b""),
        };
        let fact = Fact::GroupVerified {
            t1: Transcript1::new(&channel, &Challenge::from_bytes([0; 32]), &[]),
            nonce: Nonce::from_bytes([0; 16]),
            members: sids.iter().map(|sid| member(sid)).collect(),
        };
        let first = sids[0].parse().unwrap();
        let event = StepEvent::new(Step::Three, fact).on(7).about(&first);
        event.took(Duration::from_micros(1900)).to_string()
    }

    #[test]
    fn a_line_reads_as_designed_and_names_the_others() {
        assert_eq!(
            verified(&["1155000001"]),
            "step 3 conn=7 sid=1155000001 verified 1.9ms"
        );
        assert_eq!(
            verified(&["A", "B", "C"]),
            "step 3 conn=7 sid=A verified with B C 1.9ms"
        );
    }

    #[test]
    fn a_line_counts_whom_cuhk_did_not_confirm() {
        let answer = |sid, inactive| MemberAnswer {
            sid: member(sid).sid,
            cert_sha256: member(sid).cert_sha256,
            inactive,
            checked_at: from_seconds(0),
        };
        let fact = Fact::MembersAnswered {
            asker: "blackboard".parse().unwrap(),
            nonce: Nonce::from_bytes([0; 16]),
            answers: vec![
                answer("A", None),
                answer("B", Some(InactiveReason::Revoked)),
            ],
        };
        let line = StepEvent::new(Step::Three, fact).to_string();
        assert_eq!(line, "step 3 confirmed 1 of 2 to blackboard: A B (revoked)");
    }

    #[test]
    fn a_line_names_ten_members_at_most() {
        let answer = |number: usize| MemberAnswer {
            sid: member(&format!("S{number}")).sid,
            cert_sha256: Fingerprint::of(b""),
            inactive: None,
            checked_at: from_seconds(0),
        };
        let line = |members| {
            let fact = Fact::MembersAnswered {
                asker: "blackboard".parse().unwrap(),
                nonce: Nonce::from_bytes([0; 16]),
                answers: (0..members).map(answer).collect(),
            };
            StepEvent::new(Step::Three, fact).to_string()
        };
        assert!(line(10).ends_with(": S0 S1 S2 S3 S4 S5 S6 S7 S8 S9"));
        assert!(line(12).ends_with(" S8 S9 and 2 more"), "{}", line(12));
    }

    #[test]
    fn a_line_tells_a_certificate_given_again_from_a_new_one() {
        let certified = |before| Fact::ServiceCertified {
            name: "blackboard".parse().unwrap(),
            certificate: certificate(),
            before,
        };
        let line = |fact| StepEvent::new(Step::Two, fact).to_string();
        assert_eq!(
            line(certified(false)),
            "step 2 service certificate issued blackboard"
        );
        assert_eq!(
            line(certified(true)),
            "step 2 service certificate given again blackboard"
        );
        let certified = |before| Fact::StudentCertified {
            certificate: certificate(),
            token_expires: from_seconds(0),
            before,
        };
        assert!(line(certified(false)).starts_with("step 2 certificate and token issued "));
        assert!(line(certified(true)).starts_with("step 2 certificate given again, token issued "));
    }

    fn certificate() -> CertificateSummary {
        CertificateSummary {
            serial: Serial::random().unwrap(),
            sha256: Fingerprint::of(b""),
            not_after: from_seconds(0),
        }
    }

    #[test]
    fn a_refusal_names_its_code_and_its_student() {
        let refusal = Refusal::new(Code::CodeUsed, Step::Two).about(&member("A").sid);
        let line = StepEvent::refused(&refusal).to_string();
        assert!(
            line.starts_with("step 2 sid=A refused code_used: "),
            "{line}"
        );
    }
}
