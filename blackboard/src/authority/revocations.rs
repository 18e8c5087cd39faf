//! Which revocation lists are accepted: of every issuer one, in force, never an older one.
//!
//! That each is signed by its issuer, and that none is missing, shows when a chain is judged
//! by them: a certificate whose status no list tells is refused.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_certs::{Certificate, Chain, Crl, ServiceName, ServiceUsage, TrustStore};

/// Why revocation lists were not accepted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unacceptable {
    /// One that was seen before has a higher number.
    #[error(
        "a revocation list went back from number {known} to {found}; after a restoration of CUHK its root has \
         to sign: cuhk root sign-crl --beyond {highest}"
    )]
    WentBack {
        /// The highest number seen.
        known: u64,
        /// The number offered.
        found: u64,
        /// The highest that was seen of any issuer.
        highest: u64,
    },
    /// Two are of the same issuer.
    #[error("there are two revocation lists of one issuer")]
    Ambiguous,
    /// One is not in force.
    #[error("a revocation list has expired or is not in force yet")]
    NotInForce,
    /// One does not belong under the root.
    #[error("the revocation lists cannot be used: {0}")]
    Unusable(#[from] scb_certs::Error),
    /// By them this service's own certificate does not hold.
    #[error("the revocation lists do not bear out this server's certificate: {0}")]
    OwnCertificate(scb_certs::CertificateError),
}

/// The highest number seen of each issuer's list, by the issuer's key identifier.
pub(crate) type Numbers = BTreeMap<Vec<u8>, u64>;

/// The lists in force and the highest numbers ever seen.
#[derive(Debug)]
pub(crate) struct Revocations {
    roots: Vec<Certificate>,
    numbers: Numbers,
}

impl Revocations {
    /// Starts with the numbers that an earlier run has seen.
    pub(crate) fn new(roots: Vec<Certificate>, numbers: Numbers) -> Self {
        Self { roots, numbers }
    }

    /// Judges by these roots from now on.
    pub(crate) fn trust(&mut self, roots: &[Certificate]) {
        self.roots = roots.to_vec();
    }

    /// The highest numbers seen.
    pub(crate) fn numbers(&self) -> &Numbers {
        &self.numbers
    }

    /// The highest of them, of whichever issuer.
    pub(crate) fn highest(&self) -> u64 {
        self.numbers.values().copied().max().unwrap_or(0)
    }

    /// Judges lists that CUHK sent; accepted, they become the trust store.
    pub(crate) fn accept(
        &mut self,
        lists: Vec<Crl>,
        now: UnixTime,
    ) -> Result<Arc<TrustStore>, Unacceptable> {
        let numbers: Numbers = lists
            .iter()
            .map(|list| (list.issuer_key_id().to_vec(), list.number()))
            .collect();
        if numbers.len() != lists.len() {
            return Err(Unacceptable::Ambiguous);
        }
        for (issuer, found) in &numbers {
            match self.numbers.get(issuer) {
                Some(known) if found < known => {
                    return Err(Unacceptable::WentBack {
                        known: *known,
                        found: *found,
                        highest: self.highest(),
                    });
                }
                _ => {}
            }
        }
        if !lists.iter().all(|list| in_force(list, now)) {
            return Err(Unacceptable::NotInForce);
        }
        let trust = TrustStore::of_roots(self.roots.clone())?.with_crls(lists)?;
        self.numbers.extend(numbers);
        Ok(Arc::new(trust))
    }
}

/// Judges lists that were on disk since an earlier run: as if they had come just now, and
/// besides by the service's own certificate, whose chain shows whether root and services issuer
/// signed theirs. The students' list is judged with every student's chain.
pub(crate) fn recall(
    revocations: &mut Revocations,
    stored: &[Vec<u8>],
    own: &Chain,
    now: UnixTime,
) -> Result<Arc<TrustStore>, Unacceptable> {
    let lists = stored.iter().map(|der| Crl::from_der(der));
    let trust = revocations.accept(lists.collect::<Result<_, _>>()?, now)?;
    let (name, usage) = (ServiceName::blackboard(), ServiceUsage::Server);
    match trust.verify_service(own, &name, usage, now) {
        Ok(_) => Ok(trust),
        Err(error) => Err(Unacceptable::OwnCertificate(error)),
    }
}

/// Whether every list of the store is in force.
pub(crate) fn all_in_force(trust: &TrustStore, now: UnixTime) -> bool {
    !trust.crls().is_empty() && trust.crls().iter().all(|list| in_force(list, now))
}

/// Whether newer lists should be fetched, so long after the last were: half the life of one is over. At once if
/// one has ended, as nobody is let in by it: this machine's clock has leapt.
pub(crate) fn are_due(trust: &TrustStore, now: UnixTime, since: Duration) -> bool {
    since > REFRESH && half_over(trust, now) || !all_in_force(trust, now)
}

fn half_over(trust: &TrustStore, now: UnixTime) -> bool {
    trust.crls().iter().any(|list| {
        let (from, to) = (list.this_update().as_secs(), list.next_update().as_secs());
        now.as_secs() > from + to.saturating_sub(from) / 2
    })
}

fn in_force(list: &Crl, now: UnixTime) -> bool {
    let (from, to) = (list.this_update().as_secs(), list.next_update().as_secs());
    // Two clocks may differ; the verifiers decide on the second.
    from <= now.as_secs().saturating_add(SKEW) && now.as_secs() < to
}

/// Allowed difference between CUHK's clock and ours, in seconds.
const SKEW: u64 = scb_protocol::CLOCK_SKEW;

/// Shortest time between two fetches of lists that are getting old.
const REFRESH: Duration = Duration::from_secs(60);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_testkit::TestCampus;

    use super::*;

    /// No more is told than fits into a refusal.
    #[test]
    fn what_helps_against_numbers_that_went_back_is_told_whole() {
        let highest = u64::MAX;
        let went_back = Unacceptable::WentBack {
            known: highest,
            found: highest,
            highest,
        };
        let told = super::super::worker::unusable(&went_back).params["reason"].clone();
        let command = format!("cuhk root sign-crl --beyond {highest}");
        assert!(told.ends_with(&command), "{told}");
    }

    #[test]
    fn lists_that_have_ended_are_fetched_anew_at_once_and_old_ones_after_a_minute() {
        let campus = TestCampus::new();
        let (trust, now) = (campus.trust(), campus.now());
        let ends = trust.crls().iter().map(Crl::next_update).min().unwrap();
        let (soon, later) = (Duration::from_secs(1), REFRESH + Duration::from_secs(1));
        assert!(!are_due(&trust, now, later));
        let before = UnixTime::since_unix_epoch(Duration::from_secs(ends.as_secs() - 1));
        assert!(!are_due(&trust, before, soon));
        assert!(are_due(&trust, before, later));
        assert!(are_due(&trust, ends, soon));
    }
}
