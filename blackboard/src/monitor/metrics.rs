//! Blackboard's numbers. Labels are words of ours, so that there are never more than a few.

use std::sync::atomic::Ordering;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use rustls_pki_types::UnixTime;
use scb_certs::TrustStore;
use scb_protocol::{Fact, StepEvent, Teller, from_seconds};
use scb_transport::{Counters, Measured, seconds_between};

use crate::witnessed::tally::Counts;

const DAY: f64 = 24.0 * 60.0 * 60.0;

/// Clones share the numbers.
#[derive(Debug, Clone)]
pub(super) struct Metrics {
    common: Counters,
    submissions: Counter,
    received: Counter,
    list_age: Measured,
    list_remaining: Measured,
    cuhk_in_touch: Gauge,
    clock_ahead: Gauge,
    cuhk_log_contradicted: Gauge,
    certificate_expiry: Measured,
    unfinished: Gauge,
    witness_requests: Family<Asked, Counter>,
    cosignature_age: Family<Witness, Measured>,
    pending: Gauge,
    unseen_logs: Gauge,
    altered: Gauge,
}

/// Whom it was asked of, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    witness: String,
    end: &'static str,
}

/// `cuhk`, or the name in the key of another witness that `config.toml` names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Witness {
    witness: String,
}

impl Metrics {
    /// All at nothing, and who shows them.
    pub(super) fn new() -> (Self, Registry) {
        let mut registry = Registry::with_prefix("blackboard");
        let metrics = Self {
            common: Counters::register(&mut registry, Teller::Blackboard),
            submissions: Counter::default(),
            received: Counter::default(),
            list_age: Gauge::default(),
            list_remaining: Gauge::default(),
            cuhk_in_touch: Gauge::default(),
            clock_ahead: Gauge::default(),
            cuhk_log_contradicted: Gauge::default(),
            certificate_expiry: Gauge::default(),
            unfinished: Gauge::default(),
            witness_requests: Family::default(),
            cosignature_age: Family::default(),
            pending: Gauge::default(),
            unseen_logs: Gauge::default(),
            altered: Gauge::default(),
        };
        metrics.register(&mut registry);
        (metrics, registry)
    }

    fn register(&self, registry: &mut Registry) {
        registry.register(
            "submissions",
            "Receipts given since the start, those given again included",
            self.submissions.clone(),
        );
        registry.register_with_unit(
            "reports",
            "Size of the reports for which these receipts were given",
            Unit::Bytes,
            self.received.clone(),
        );
        registry.register_with_unit(
            "crl_age",
            "How long the oldest of CUHK's revocation lists in use has counted",
            Unit::Seconds,
            self.list_age.clone(),
        );
        registry.register_with_unit(
            "crl_remaining",
            "How long all of CUHK's revocation lists in use still count",
            Unit::Seconds,
            self.list_remaining.clone(),
        );
        registry.register(
            "cuhk_in_touch",
            "1 if CUHK has answered in the last seconds, else 0",
            self.cuhk_in_touch.clone(),
        );
        registry.register_with_unit(
            "clock_ahead",
            "By how much this machine's clock is ahead of CUHK's, as CUHK's last answer told; below 0 it is behind",
            Unit::Seconds,
            self.clock_ahead.clone(),
        );
        registry.register(
            "cuhk_log_contradicted",
            "1 while this server does not cosign CUHK's issuance log, as it contradicts what was seen, else 0",
            self.cuhk_log_contradicted.clone(),
        );
        registry.register_with_unit(
            "certificate_expiry",
            "How long this server's own certificate still counts",
            Unit::Other("days".to_owned()),
            self.certificate_expiry.clone(),
        );
        registry.register_with_unit(
            "unfinished_size",
            "Bytes on the disk of hand-ins that have not come whole",
            Unit::Bytes,
            self.unfinished.clone(),
        );
        registry.register(
            "altered_assignments",
            "Assignments by whose rules nothing is judged, as they are not those of the log",
            self.altered.clone(),
        );
        self.register_witnesses(registry);
    }

    fn register_witnesses(&self, registry: &mut Registry) {
        registry.register(
            "witness_requests",
            "Checkpoints offered to a witness since the start, by what came of it",
            self.witness_requests.clone(),
        );
        registry.register_with_unit(
            "cosignature_age",
            "How long ago a witness cosigned last, by its own clock",
            Unit::Seconds,
            self.cosignature_age.clone(),
        );
        registry.register(
            "pending_receipts",
            "Submissions whose entry has not been cosigned by as many witnesses as are wanted",
            self.pending.clone(),
        );
        registry.register(
            "logs_unseen_by_cuhk",
            "Logs of which CUHK has not said since it was last connected that it has seen all",
            self.unseen_logs.clone(),
        );
    }

    pub(super) fn witnesses(&self, counts: &Counts, now: UnixTime) {
        for ((witness, end), count) in &counts.requests {
            let witness = witness.clone();
            let asked = Asked { witness, end };
            let counter = self.witness_requests.get_or_create(&asked);
            counter.inner().store(*count, Ordering::Relaxed);
        }
        for (witness, last) in &counts.last {
            let witness = witness.clone();
            let age = self.cosignature_age.get_or_create(&Witness { witness });
            age.set(seconds_between(from_seconds(*last), now));
        }
        self.unseen_logs
            .set(i64::try_from(counts.left).unwrap_or(i64::MAX));
    }

    pub(super) fn pending(&self, receipts: u64) {
        self.pending
            .set(i64::try_from(receipts).unwrap_or(i64::MAX));
    }

    pub(super) fn altered(&self, assignments: usize) {
        self.altered
            .set(i64::try_from(assignments).unwrap_or(i64::MAX));
    }

    /// Counts one event.
    pub(super) fn count(&self, event: &StepEvent) {
        self.common.count(event);
        if let Fact::Stored { size, .. } = &event.fact {
            self.submissions.inc();
            self.received.inc_by(*size);
        }
    }

    pub(super) fn lists(&self, trust: &TrustStore, now: UnixTime) {
        let times = |list: &scb_certs::Crl| (list.this_update(), list.next_update());
        let (begun, ends): (Vec<_>, Vec<_>) = trust.crls().iter().map(times).unzip();
        if let (Some(begun), Some(ends)) = (begun.into_iter().min(), ends.into_iter().min()) {
            self.list_age.set(seconds_between(begun, now));
            self.list_remaining.set(seconds_between(now, ends));
        }
    }

    pub(super) fn cuhk_in_touch(&self, in_touch: bool) {
        self.cuhk_in_touch.set(in_touch.into());
    }

    pub(super) fn clock(&self, ahead: i64) {
        self.clock_ahead.set(ahead);
    }

    pub(super) fn cuhk_log(&self, contradicted: bool) {
        self.cuhk_log_contradicted.set(contradicted.into());
    }

    pub(super) fn own_certificate(&self, ends: UnixTime, now: UnixTime) {
        self.certificate_expiry
            .set(seconds_between(now, ends) / DAY);
    }

    pub(super) fn unfinished(&self, bytes: u64) {
        self.unfinished
            .set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    pub(super) fn database(&self, bytes: u64) {
        self.common.database(bytes);
    }
}
