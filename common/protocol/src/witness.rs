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

/// Names that no service has: those of other things in the trust domain would begin with them. Keys for
/// cosignatures are `<trust domain>/witness/…`, CUHK's own log is `<trust domain>/issuance`, and identities
/// and authorities are called by the others.
const RESERVED: [&str; 8] = [
    "cuhk", "issuance", "root", "service", "services", "student", "students", WITNESS,
];
const WITNESS: &str = "witness";

/// Whether no service may have this name.
pub fn is_reserved(service: &ServiceName) -> bool {
    RESERVED.contains(&service.as_str())
}

/// The name of CUHK's key for cosignatures: `<trust domain>/witness/cuhk`.
pub fn witness_name(trust_domain: &TrustDomain) -> String {
    name_of_witness(trust_domain, &ServiceName::cuhk())
}

/// The name of a service's key for cosignatures: `<trust domain>/witness/<service>`.
pub(crate) fn name_of_witness(trust_domain: &TrustDomain, service: &ServiceName) -> String {
    format!("{trust_domain}/{WITNESS}/{service}")
}

/// Whether this is the name of a log that the service may have: `<trust domain>/<service>/…`.
/// Names of witnesses' keys are nobody's log.
pub(crate) fn is_log_of(name: &str, service: &SpiffeId) -> bool {
    let (domain, Some(service)) = (service.trust_domain(), service.service()) else {
        return false;
    };
    let rest = name.strip_prefix(&format!("{domain}/{service}/"));
    service.as_str() != WITNESS && rest.is_some_and(|rest| rest.split('/').all(is_plain))
}

/// What may stand between slashes in the name of a log, so that nobody reads it as another one: the
/// unreserved characters of RFC 3986 (section 2.3), and more than dots.
fn is_plain(segment: &str) -> bool {
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    segment.bytes().all(is_unreserved) && segment.bytes().any(|byte| byte != b'.')
}

/// Whether this is the name of CUHK's key for cosignatures, in the service's trust domain.
pub(crate) fn is_witness_of(name: &str, service: &SpiffeId) -> bool {
    name == witness_name(service.trust_domain())
}
