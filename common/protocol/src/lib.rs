//! The protocol `scb/1`: messages, frames, refusals, tokens, the session key, receipts and
//! the steps of the main job as states.
//!
//! It takes bytes and the time, and gives bytes, states and evidence. It never opens a
//! socket, reads a clock, touches a file or asks a database.

pub mod announcement;
mod assurance;
pub mod audit;
pub mod authority;
mod certificate;
pub mod client;
mod code;
pub mod commitment;
mod cuhk_signed;
mod enrolment_code;
mod error;
mod event;
pub mod export;
mod frame;
pub mod grade;
mod identity_token;
mod introspection;
mod jose;
mod log_entry;
mod log_keys;
pub mod log_leaf;
pub mod message;
mod number;
mod object;
mod proof;
pub mod receipt;
mod refusal;
pub mod rejection;
mod renewal;
mod revocation_lists;
pub mod rules;
pub mod server;
pub mod session;
mod sole_signer;
pub mod statement;
mod time;
mod transcript;
mod trust_bundle;
pub mod values;
mod verification;
pub mod witness;

pub use assurance::{Assurance, Mode, VerifiedTokens};
pub use certificate::{certificate_code, certificate_refusal};
pub use code::{Code, EXIT_DONE, EXIT_FAULT, EXIT_REFUSED, EXIT_RETRY, EXIT_USAGE, Teller};
pub use enrolment_code::EnrolmentCode;
pub use error::Error;
pub use event::{
    CertificateRequest, CertificateSummary, Fact, PresentedMember, Proved, SignedStatement,
    StepEvent,
};
pub use frame::{Frame, MAX_PAYLOAD};
pub use identity_token::{
    TOKEN_LIFETIME, TOKEN_TYPE, TokenRequest, UnverifiedToken, VerifiedToken, issue_token,
    own_token_expiry,
};
pub use introspection::{AskedToken, INTROSPECTION_TYPE, Introspection};
pub use jose::{JwkSet, SpiffeBundle, install_crypto, key_id};
pub use log_entry::{COMMITMENT_SIZE, LogEntry, commitment};
pub use log_keys::{LogKeysError, SignedLogKeys, VerifiedLogKeys};
pub use message::{Message, Reply, decode, encode};
pub use number::{counted, grouped};
pub use refusal::{Refusal, Step, WRONG_CODES_PER_MINUTE};
pub use renewal::{AuthorityChannel, CertificateHolder, RENEWAL_TYPE, prove_renewal};
pub use revocation_lists::{ExpectLists, MOST_LISTS, MOST_LISTS_TAKEN};
pub use sole_signer::signing_blackboard;
pub use time::{CLOCK_SKEW, from_seconds, in_words, rfc3339};
pub use transcript::{Channel, PROTOCOL, Transcript1, Transcript2, TranscriptMember};
pub use trust_bundle::{BundleError, MissedBundles, SignedBundle, VerifiedBundle};
pub use verification::{
    InactiveReason, MAX_QUESTION, MemberAnswer, Question, VERIFICATION_LIFETIME, Verification,
    clock_ahead, clock_ahead_in, issue_verification,
};
