//! What both servers count of the events of their steps.

use std::ops::Deref;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use rustls_pki_types::UnixTime;
use scb_protocol::{Code, Fact, StepEvent, Teller};

/// Upper bounds of the histogram, in seconds: from a warm cache to the client's patience.
const BOUNDS: [f64; 12] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
];

/// A number that goes up and down, such as an age in seconds.
pub type Measured = Gauge<f64, AtomicU64>;

/// Seconds from one time to another, less than nothing if the second comes first.
// Exact for all times that a calendar has.
#[allow(clippy::cast_precision_loss)]
pub fn seconds_between(earlier: UnixTime, later: UnixTime) -> f64 {
    later.as_secs() as f64 - earlier.as_secs() as f64
}

/// Refusals by code, how long verifications take, and the size of the database. Clones share the
/// numbers.
#[derive(Debug, Clone)]
pub struct Counters {
    refusals: Family<Refused, Counter>,
    verifications: Histogram,
    database: Gauge,
}

/// One of the registry's codes: nothing that a peer can choose.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refused {
    code: &'static str,
}

impl Counters {
    /// Has them shown by `registry`, as those of this server.
    pub fn register(registry: &mut Registry, teller: Teller) -> Self {
        let counters = Self {
            refusals: Family::default(),
            verifications: Histogram::new(BOUNDS),
            database: Gauge::default(),
        };
        // A rate needs the number from before the first one. Of others that come all the same the
        // first is counted as well.
        for code in Code::ALL.iter().filter(|code| code.is_told_by(teller)) {
            drop(counters.refused(code.as_str()));
        }
        registry.register(
            "refusals",
            "Refusals, by the code that the client is told",
            counters.refusals.clone(),
        );
        registry.register_with_unit(
            "verification_duration",
            "How long the verification of the members of one group took",
            Unit::Seconds,
            counters.verifications.clone(),
        );
        registry.register_with_unit(
            "database_size",
            "What the database and its log take on the disk",
            Unit::Bytes,
            counters.database.clone(),
        );
        counters
    }

    fn refused(&self, code: &'static str) -> impl Deref<Target = Counter> {
        self.refusals.get_or_create(&Refused { code })
    }

    /// Sets the size of the database.
    pub fn database(&self, bytes: u64) {
        self.database.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// Counts one event.
    pub fn count(&self, event: &StepEvent) {
        match (&event.fact, event.elapsed) {
            (Fact::Refused(refusal), _) => {
                self.refused(refusal.code.as_str()).inc();
            }
            (Fact::GroupVerified { .. } | Fact::MembersAnswered { .. }, Some(elapsed)) => {
                self.verifications.observe(elapsed.as_secs_f64());
            }
            _ => {}
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use prometheus_client::encoding::text::encode;
    use scb_protocol::{Refusal, Step};

    use super::*;

    #[test]
    fn a_refusal_is_counted_by_its_code_and_shows_nobody() {
        let mut registry = Registry::with_prefix("cuhk");
        let counters = Counters::register(&mut registry, Teller::Cuhk);
        let sid = "1155000001".parse().unwrap();
        for _ in 0..2 {
            let refusal = Refusal::new(Code::CodeUsed, Step::Two).about(&sid);
            counters.count(&StepEvent::refused(&refusal));
        }
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        assert!(text.contains("cuhk_refusals_total{code=\"code_used\"} 2\n"));
        assert!(!text.contains("1155000001"), "{text}");
        // What has not happened yet is a nought, not an absence; what cannot happen is absent.
        for code in Code::ALL {
            let line = format!("cuhk_refusals_total{{code=\"{code}\"}} ");
            let expected = code.is_told_by(Teller::Cuhk);
            assert_eq!(text.contains(&line), expected, "{line}: {text}");
        }
    }

    #[test]
    fn a_refusal_that_nobody_expects_of_this_server_is_counted_all_the_same() {
        let mut registry = Registry::with_prefix("cuhk");
        let counters = Counters::register(&mut registry, Teller::Cuhk);
        let refusal = Refusal::new(Code::MacInvalid, Step::Six);
        counters.count(&StepEvent::refused(&refusal));
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        assert!(text.contains("cuhk_refusals_total{code=\"mac_invalid\"} 1\n"));
    }
}
