//! CUHK's numbers. Labels are words of ours, so that there are never more than a few.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use rustls_pki_types::UnixTime;
use scb_certs::{Certificate, Crl, ServiceName};
use scb_protocol::{Fact, StepEvent, Teller};
use scb_transport::{Counters, Measured, seconds_between};

use crate::store::CrlSigner;

const STUDENT: &str = "student";
const SERVICE: &str = "service";
const DAY: f64 = 24.0 * 60.0 * 60.0;

/// Clones share the numbers.
#[derive(Debug, Clone)]
pub(super) struct Metrics {
    common: Counters,
    certificates: Family<Subject, Counter>,
    tokens: Counter,
    list_age: Family<Authority, Measured>,
    list_remaining: Family<Authority, Measured>,
    authority_expiry: Family<Authority, Measured>,
    uncosigned: Family<Witness, Gauge>,
    contradicted: Family<Witness, Gauge>,
}

/// A service that cosigns the issuance log.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Witness {
    witness: String,
}

/// `student` or `service`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Subject {
    subject: &'static str,
}

/// `root`, `students`, `services`, and after a rollover `students-2` and so on.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Authority {
    authority: String,
}

impl Metrics {
    /// All at nothing, and who shows them.
    pub(super) fn new() -> (Self, Registry) {
        let mut registry = Registry::with_prefix("cuhk");
        let metrics = Self {
            common: Counters::register(&mut registry, Teller::Cuhk),
            certificates: Family::default(),
            tokens: Counter::default(),
            list_age: Family::default(),
            list_remaining: Family::default(),
            authority_expiry: Family::default(),
            uncosigned: Family::default(),
            contradicted: Family::default(),
        };
        // A rate needs the number from before the first one.
        for subject in [STUDENT, SERVICE] {
            drop(metrics.certificates.get_or_create(&Subject { subject }));
        }
        metrics.register(&mut registry);
        (metrics, registry)
    }

    fn register(&self, registry: &mut Registry) {
        registry.register(
            "certificates_issued",
            "Certificates issued since the start; the same request again is not counted",
            self.certificates.clone(),
        );
        registry.register(
            "tokens_issued",
            "Identity tokens signed since the start",
            self.tokens.clone(),
        );
        registry.register_with_unit(
            "crl_age",
            "How long the revocation list in force has counted: since 10 minutes before it was signed",
            Unit::Seconds,
            self.list_age.clone(),
        );
        registry.register_with_unit(
            "crl_remaining",
            "How long the revocation list in force still counts",
            Unit::Seconds,
            self.list_remaining.clone(),
        );
        registry.register_with_unit(
            "authority_expiry",
            "How long the certificate of an authority's key still counts",
            Unit::Other("days".to_owned()),
            self.authority_expiry.clone(),
        );
        registry.register(
            "log_uncosigned_entries",
            "Entries of the issuance log that a witness has not cosigned",
            self.uncosigned.clone(),
        );
        registry.register(
            "log_contradicted",
            "1 while a witness holds a checkpoint of this log's key with which the log does not begin, else 0",
            self.contradicted.clone(),
        );
    }

    /// How far a witness has cosigned the issuance log, and whether it holds anything against it.
    pub(super) fn witness(&self, service: &ServiceName, (cosigned, size): (u64, u64), held: bool) {
        let label = Witness {
            witness: service.to_string(),
        };
        let behind = i64::try_from(size.saturating_sub(cosigned)).unwrap_or(i64::MAX);
        self.uncosigned.get_or_create(&label).set(behind);
        self.contradicted.get_or_create(&label).set(held.into());
    }

    /// Counts one event.
    pub(super) fn count(&self, event: &StepEvent) {
        self.common.count(event);
        match &event.fact {
            Fact::StudentCertified { before: false, .. }
            | Fact::StudentRenewed { before: false, .. } => {
                self.certified(STUDENT);
                self.tokens.inc();
            }
            // The same certificate again, with a token of its own.
            Fact::StudentCertified { .. }
            | Fact::StudentRenewed { .. }
            | Fact::TokenIssued { .. } => {
                self.tokens.inc();
            }
            Fact::ServiceCertified { before: false, .. } | Fact::ServiceRenewed { .. } => {
                self.certified(SERVICE);
            }
            _ => {}
        }
    }

    fn certified(&self, subject: &'static str) {
        self.certificates.get_or_create(&Subject { subject }).inc();
    }

    /// Those that have retired are shown no more.
    pub(super) fn forget_authorities(&self) {
        self.list_age.clear();
        self.list_remaining.clear();
        self.authority_expiry.clear();
    }

    pub(super) fn list(&self, signer: CrlSigner, list: &Crl, now: UnixTime) {
        let label = label(signer);
        let age = seconds_between(list.this_update(), now);
        self.list_age.get_or_create(&label).set(age);
        let remaining = seconds_between(now, list.next_update());
        self.list_remaining.get_or_create(&label).set(remaining);
    }

    pub(super) fn authority(&self, signer: CrlSigner, certificate: &Certificate, now: UnixTime) {
        let days = seconds_between(now, certificate.not_after()) / DAY;
        let expiry = self.authority_expiry.get_or_create(&label(signer));
        expiry.set(days);
    }

    pub(super) fn database(&self, bytes: u64) {
        self.common.database(bytes);
    }
}

fn label(signer: CrlSigner) -> Authority {
    Authority {
        authority: signer.to_string(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use prometheus_client::encoding::text::encode;
    use scb_protocol::Step;
    use scb_testkit::TestCampus;

    use super::*;

    #[test]
    fn a_renewal_is_an_issuance_and_its_repetition_is_a_token_only() {
        let (metrics, registry) = Metrics::new();
        let student = TestCampus::new().student("1155000001");
        let leaf = student.chain.leaf();
        for before in [false, true] {
            let fact = Fact::StudentRenewed {
                certificate: leaf.into(),
                token_expires: leaf.not_after(),
                before,
            };
            metrics.count(&StepEvent::new(Step::Two, fact));
        }
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for issued in [
            "cuhk_certificates_issued_total{subject=\"student\"} 1\n",
            "cuhk_certificates_issued_total{subject=\"service\"} 0\n",
        ] {
            assert!(text.contains(issued), "{issued}: {text}");
        }
        assert!(text.contains("cuhk_tokens_issued_total 2\n"), "{text}");
    }
}
