//! How soon CUHK is asked again that does not let this server in, or is not recognised, and how often
//! that is told.
//!
//! A certificate that was revoked stays so until somebody acts: a refusal a second, in the logs of both,
//! would help nobody.

use std::time::Duration;

use scb_protocol::{Code, Refusal};
use tokio::time::Instant;

use super::super::worker::own_fault;
use super::{PAUSE, PERIOD};

/// Attempts that failed for the same reason, one soon after another.
#[derive(Debug, Default)]
pub(super) struct Setbacks {
    /// Why the last one failed, when, and how long the pause was after it.
    last: Option<(Code, Instant, Duration)>,
}

impl Setbacks {
    /// How long the pause is after this one, and whether it is to be told: the first, and then as often
    /// as of a log about which something is wrong.
    pub(super) fn after(&mut self, refusal: &Refusal, now: Instant) -> (Duration, bool) {
        if !is_about_the_way(refusal.code) {
            // The log has a pause of its own, and the others wait for nothing.
            self.last = None;
            return (PERIOD, true);
        }
        let before = self.last.filter(|(code, at, _)| {
            *code == refusal.code && now.saturating_duration_since(*at) < PAUSE * 3
        });
        let pause = before.map_or(PERIOD, |(.., pause)| (pause * 2).min(PAUSE));
        self.last = Some((refusal.code, now, pause));
        (pause, before.is_none() || pause == PAUSE)
    }
}

/// Whether no log is to blame, but a certificate, or lists without which none can be judged.
fn is_about_the_way(code: Code) -> bool {
    code.is_about_certificate() || matches!(code, Code::ServerIdentity | Code::StatusUnavailable)
}

/// What helps, for whoever looks after this server: the remedies of codes are for students.
pub(super) fn remedy(refusal: &Refusal) -> &'static str {
    match own_fault(refusal) {
        "" if refusal.code.is_about_certificate() => {
            "it is this server's own certificate: see /readyz, and ask CUHK's operator (cuhk doctor)"
        }
        "" if refusal.code == Code::ServerIdentity => {
            "see /readyz, and ask CUHK's operator (cuhk doctor)"
        }
        "" => refusal.remedy(),
        own => own.trim_start_matches("; "),
    }
}

#[cfg(test)]
mod tests {
    use scb_protocol::Step;

    use super::*;

    fn refusal(code: Code) -> Refusal {
        Refusal::new(code, Step::Three)
    }

    #[test]
    fn a_refused_certificate_is_told_once_and_then_seldom() {
        let (mut setbacks, mut told, begun) = (Setbacks::default(), Vec::new(), Instant::now());
        let revoked = refusal(Code::CertificateRevoked);
        let mut passed = Duration::ZERO;
        for _ in 0..8 {
            let (pause, is_told) = setbacks.after(&revoked, begun + passed);
            if is_told {
                told.push(passed.as_secs());
            }
            passed += pause;
        }
        assert_eq!(told, [0, 31, 61, 91]);
        // Something else is news, and so is the same a good while later.
        let now = begun + passed;
        let ended = refusal(Code::ServerIdentity);
        assert_eq!(setbacks.after(&ended, now), (PERIOD, true));
        let (again, later) = (now + PERIOD, now + PERIOD + PAUSE * 3);
        assert_eq!(setbacks.after(&ended, again), (PERIOD * 2, false));
        assert_eq!(setbacks.after(&ended, later), (PERIOD, true));
    }

    #[test]
    fn what_is_wrong_with_one_log_keeps_none_of_the_others_waiting() {
        let (mut setbacks, now) = (Setbacks::default(), Instant::now());
        for code in [Code::LogKeyChanged, Code::TooManyLogs, Code::TooManyLogs] {
            assert_eq!(setbacks.after(&refusal(code), now), (PERIOD, true));
        }
    }

    #[test]
    fn a_servers_operator_is_told_no_students_remedy() {
        for code in [
            Code::CertificateRevoked,
            Code::CertificateExpired,
            Code::CertificateUnknownIssuer,
        ] {
            let told = remedy(&refusal(code));
            assert!(told.starts_with("it is this server's own"), "{told}");
            assert!(told.contains("blackboard init --replace --code-file FILE"));
        }
        let told = [Code::CertificateOnHold, Code::ServerIdentity].map(|code| {
            let told = remedy(&refusal(code));
            assert!(told.contains("cuhk doctor"), "{told}");
            told
        });
        for student in ["your department", "never continue on a guess"] {
            assert!(told.iter().all(|told| !told.contains(student)), "{told:?}");
        }
        let known = refusal(Code::LogKeyChanged);
        assert_eq!(remedy(&known), known.remedy());
    }
}
