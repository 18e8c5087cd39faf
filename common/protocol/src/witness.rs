//! CUHK as witness of the logs that services keep (C2SP tlog-cosignature): what a service asks,
//! by what CUHK judges it, and what the service believes of the answers.
//!
//! The name of a log says whose it is: `<trust domain>/<service>/…`. CUHK cosigns only what
//! provably extends what it has seen of that log before, under the one key that it knows.

mod ask;
mod judge;

pub use ask::{
    CosignedCheckpoint, ExpectCosignature, ExpectEndorsement, ExpectEntries, ExpectLogs,
    ExpectSeen, Offer, SeenByWitness, Standing, WitnessAnswer,
};
pub use judge::{GrownServiceLog, Judgement, OfferedCheckpoint, ServiceLog};

use scb_certs::{ServiceName, SpiffeId, TrustDomain};

use crate::Step;

/// All of this is about what becomes of a submission.
pub const STEP: Step = Step::Six;
/// Most entries in one message, either way: with everything else they fit a frame.
pub const MAX_ENTRIES: usize = 512;
/// Most names of logs in one message.
pub const MAX_NAMES: usize = 128;

/// The name of CUHK's key for cosignatures: `<trust domain>/witness/cuhk`.
pub fn witness_name(trust_domain: &TrustDomain) -> String {
    format!("{trust_domain}/witness/{}", ServiceName::cuhk())
}

/// Whether this is the name of a log that the service may have: `<trust domain>/<service>/…`.
/// Names of witnesses' keys are nobody's log.
pub(crate) fn is_log_of(name: &str, service: &SpiffeId) -> bool {
    let (domain, Some(service)) = (service.trust_domain(), service.service()) else {
        return false;
    };
    let rest = name.strip_prefix(&format!("{domain}/{service}/"));
    service.to_string() != "witness" && rest.is_some_and(|rest| !rest.is_empty())
}

/// Whether this is the name of CUHK's key for cosignatures, in the service's trust domain.
pub(crate) fn is_witness_of(name: &str, service: &SpiffeId) -> bool {
    name == witness_name(service.trust_domain())
}
