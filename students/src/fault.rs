//! Faults on purpose: what somebody dishonest would do, shown in a sandbox.
//!
//! An honest run passes everything unaltered; a fault alters one message between the
//! protocol's states and the wire, or shows what is forged. Never outside a sandbox.

mod alter;
mod chinese;
mod forge;

use scb_cli::faults;

pub(crate) use alter::{Alteration, Earlier, Outgoing};
pub(crate) use forge::{expired_certificate, expired_token};

faults! {
    /// Something that must be refused.
    pub enum Fault;
    ExpiredCertificate = "expired-certificate", "blackboard", CertificateExpired,
        "connects with a certificate for the right key that ended an hour ago (the sandbox's CA key lies open, so that it could be made)",
        "the TLS handshake: the whole chain is judged by the server's clock";
    ExpiredToken = "expired-token", "blackboard", TokenExpired,
        "presents an identity token that CUHK might have signed 13 hours ago",
        "a token lives for 12 hours, and its end is signed with it";
    ReplayedProof = "replayed-proof", "blackboard", ProofInvalid,
        "presents the proofs of possession that were made for an earlier connection",
        "a proof is over T1, which holds this connection's channel binding and challenge";
    StaleChallenge = "stale-challenge", "blackboard", ProofInvalid,
        "proves possession over the challenge of an earlier connection",
        "the server made a fresh challenge for this connection, and T1 holds it";
    ProofOfAnotherMember = "proof-of-another-member", "blackboard", ProofInvalid,
        "presents the first member's proof as the second's, and the other way round",
        "each proof is signed with the key in that very member's certificate, and names its student";
    DuplicateMember = "duplicate-member", "blackboard", DuplicateMember,
        "presents the first member twice",
        "every student counts once in a group";
    OutOfOrder = "out-of-order", "blackboard", UnexpectedMessage,
        "sends `end` where `present` is expected",
        "each state of the protocol knows one message, and nothing else moves it";
    UnknownField = "unknown-field", "blackboard", MalformedMessage,
        "adds the field `admin` to the message `present`",
        "unknown fields are refused: what is not understood is never passed over";
    HugeFrame = "huge-frame", "blackboard", FrameTooLarge,
        "announces a frame of 2 GiB",
        "a length is judged before memory is reserved for it";
    DeepJson = "deep-json", "blackboard", MalformedMessage,
        "sends JSON with 30,000 lists in one another",
        "the depth of a message is limited, and its types are fixed";
    SwappedShares = "swapped-shares", "student", ShareInvalid,
        "exchanges the first two members' sealed shares on their way (the student's program refuses)",
        "each share is sealed to one member's key, name and place: nobody else opens it";
    Silent = "silent", "blackboard", Timeout,
        "says nothing where `confirm` is expected, and waits",
        "every read has a total deadline (10 seconds here)";
    AlteredConfirmation = "altered-confirmation", "blackboard", ConfirmationFailed,
        "alters one bit of the confirmation",
        "only who opened every share can compute it";
    AlteredMac = "altered-mac", "blackboard", MacInvalid,
        "alters one bit of the statement's MAC",
        "the MAC is computed anew under the session key and compared";
    AlteredStatement = "altered-statement", "blackboard", MacInvalid,
        "alters the size in the statement after it was authenticated",
        "the MAC covers every byte of the statement";
    AlteredSignature = "altered-signature", "blackboard", SignatureInvalid,
        "alters one bit of one member's signature",
        "every signature is verified with its certificate before anything is stored";
    TwoSignatures = "two-signatures", "blackboard", SignatureMissing,
        "hands in without the last member's signature",
        "a group has handed in only when every member has signed";
    AlteredContent = "altered-content", "blackboard", ContentAltered,
        "alters one bit of the report on its way",
        "the members signed the report's SHA-256, which is computed while it streams in";
    ShortContent = "short-content", "blackboard", ContentShort,
        "leaves out one byte of the report",
        "the members signed the report's size";
    LongContent = "long-content", "blackboard", ContentLong,
        "adds one byte to the report",
        "the members signed the report's size: the first byte too many is refused";
}

impl Fault {
    /// Whether it takes two members.
    pub(crate) fn takes_two(self) -> bool {
        matches!(
            self,
            Self::ProofOfAnotherMember | Self::SwappedShares | Self::TwoSignatures
        )
    }

    /// Whether something of an earlier connection is used.
    pub(crate) fn uses_earlier(self) -> bool {
        matches!(self, Self::ReplayedProof | Self::StaleChallenge)
    }
}

/// The argument of `--fault`.
pub(crate) type FaultChoice = scb_cli::fault::FaultChoice<Fault>;
