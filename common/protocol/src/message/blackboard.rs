//! Messages between a student's program and Blackboard.

use std::fmt;

use scb_certs::{Chain, Fingerprint, SpiffeId, StudentId};
use serde::{Deserialize, Serialize};

pub use super::carried::{CarriedGrade, CarriedRelease};
pub use super::fit::{Room, that_fit};
pub use super::history::{
    ListedDetached, ListedFile, ListedUnfinished, ListedVersion, OwnStanding,
};
pub use super::proof::CarriedProof;
use super::proposal::{ListedProposal, ProposalStanding, Reason, UnjudgedProposal};
use super::{messages, replies};
use crate::assurance::Mode;
use crate::log_leaf::LogName;
use crate::object::objects;
use crate::receipt::SignedEntry;
use crate::rules::{Change, Extension, ExtensionChange, Rules, Title};
use crate::statement::{Label, SubmissionId, SubmissionNumber};
use crate::values::{Challenge, Ciphertext, Der, Encapsulation, Mac, SessionPublicKey};

/// What one member shows in step 3. `Debug` prints neither token nor proof.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct Presented {
    /// The student ID.
    pub sid: StudentId,
    /// Leaf and issuer, no more: what is wrong with others is said when they are judged.
    pub chain: Chain,
    /// The identity token (JWT).
    pub token: String,
    /// X25519 public key for this connection only, to which the share is sealed.
    pub session_key: SessionPublicKey,
    /// Proof of possession: a JWS over T1 by the certified key.
    pub proof: String,
}

impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presented")
            .field("sid", &self.sid)
            .field("chain", &self.chain)
            .field("session_key", &self.session_key)
            .finish_non_exhaustive()
    }
}

/// One member's share of the session key, sealed with HPKE (RFC 9180, base mode).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct SealedShare {
    /// The encapsulated key (`enc`).
    pub encapsulation: Encapsulation,
    /// The sealed share: 32 bytes and the AEAD tag.
    pub ciphertext: Ciphertext,
}

/// One assignment, as the members who ask are told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct ListedAssignment {
    /// The course.
    pub course: Label,
    /// What the course is called.
    pub course_title: Title,
    /// The assignment.
    pub assignment: Label,
    /// Its rules of this moment.
    pub rules: Rules,
    /// The entry of the log that says so, signed.
    pub entry: SignedEntry,
    /// More time that members who ask have been given.
    pub extensions: Vec<Extension>,
    /// The entries that say so, signed; without those that name others as well.
    pub extended: Vec<SignedEntry>,
    /// What was changed of the rules since they were first told, the latest first; no more than
    /// 10 changes.
    pub changes: Vec<Change>,
    /// What was changed of extensions of members who ask, the latest first; no more than 10 changes. Servers of
    /// before send none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extension_changes: Vec<ExtensionChange>,
}

/// An assignment of which nothing is told: what Blackboard has stored of it is not what its log says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct AlteredAssignment {
    /// The course.
    pub course: Label,
    /// The assignment.
    pub assignment: Label,
}

/// Most of them that are named.
pub const MAX_ALTERED: usize = 16;
/// Most changes that are told of one assignment.
pub const MAX_CHANGES: usize = 10;

/// How much of a file is on the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct Received {
    /// Its first so many bytes.
    pub received: u64,
    /// SHA-256 of them.
    pub sha256: Fingerprint,
}

impl Received {
    /// Nothing yet.
    pub fn nothing() -> Self {
        Self {
            received: 0,
            sha256: Fingerprint::of(b""),
        }
    }
}

objects!(
    Presented,
    Received,
    SealedShare,
    ListedAssignment,
    AlteredAssignment
);

fn is_zero(number: &u32) -> bool {
    *number == 0
}

messages! {
    /// What a student's program sends.
    Request {
        /// Step 3: all members present themselves, in order; the first is the TLS client.
        "present" Present {
            /// 1 to `max_members`, each student once.
            members: Vec<Presented>,
        }
        /// Step 5: the client derived the session key.
        "confirm" Confirm {
            /// HMAC-SHA-256 under the client's confirmation key.
            mac: Mac,
        }
        /// Step 6: what can be handed in, by these members.
        "assignments" Assignments {
            /// In this course only.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            course: Option<Label>,
            /// From the how-manyth on, counted from 0.
            from: u32,
        }
        /// Step 6: the grades of these members.
        "grades" Grades {
            /// In this course only.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            course: Option<Label>,
            /// From the how-manyth on, counted from 0.
            from: u32,
        }
        /// Step 6: the proof that belongs into the receipt of a submission of these members.
        "proof" Proof {
            /// The submission.
            submission: SubmissionId,
        }
        /// Step 6: the proof of the entry that says that these members were refused.
        "refusal_proof" RefusalProof {
            /// The log.
            log: LogName,
            /// The number of the entry in it.
            entry: u64,
        }
        /// Step 6: the proposals that name these members: those that wait, and what became of
        /// others in the last 30 days.
        "proposals" Proposals {
            /// From the how-manyth on, counted from 0.
            from: u32,
        }
        /// Step 6: the receipt of a submission of these members.
        "fetch" Fetch {
            /// The submission.
            submission: SubmissionId,
        }
        /// Step 6: a statement that names others besides those of this connection, who are to sign
        /// it elsewhere; then `upload`.
        "propose" Propose {
            /// The statement's exact bytes (JSON, UTF-8).
            statement: String,
            /// HMAC-SHA-256 under the session's MAC key.
            mac: Mac,
            /// Detached CMS SignedData (RFC 5652), DER, one SignerInfo per member of this
            /// connection.
            signatures: Der,
        }
        /// Step 6: the signatures of the members of this connection, of a statement that was
        /// proposed.
        "sign" Sign {
            /// The statement's exact bytes (JSON, UTF-8).
            statement: String,
            /// HMAC-SHA-256 under the session's MAC key.
            mac: Mac,
            /// Detached CMS SignedData (RFC 5652), DER, one SignerInfo per member of this
            /// connection.
            signatures: Der,
        }
        /// Step 6: puts an end to a proposal: who has not signed it declines, who has takes it
        /// back.
        "end_proposal" EndProposal {
            /// The submission.
            submission: SubmissionId,
            /// What the others are told why.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            reason: Option<Reason>,
        }
        /// Step 6: the statement, its MAC and the members' signatures.
        "submit" Submit {
            /// The statement's exact bytes (JSON, UTF-8).
            statement: String,
            /// HMAC-SHA-256 under the session's MAC key.
            mac: Mac,
            /// Detached CMS SignedData (RFC 5652), DER, one SignerInfo per member.
            signatures: Der,
        }
        /// Step 6: the content follows in chunk frames, file after file, then `end`.
        "upload" Upload {
            /// From where each file is sent, in the order of the statement: 0, or the end of
            /// what the server has of it.
            from: Vec<u64>,
        }
        /// Step 6: all content has been sent.
        "end" End {}
        /// Step 6: the versions in which all these members have a part.
        "history" History {
            /// Of this course only.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            course: Option<Label>,
            /// Of this assignment only.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            assignment: Option<Label>,
            /// Those after this one only.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            after: Option<SubmissionNumber>,
        }
        /// Step 6: the receipt of a submission of these members, or one of its files.
        "download" Download {
            /// The submission's number.
            number: SubmissionNumber,
            /// Which file of its statement, from 0; absent: the receipt.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            file: Option<u32>,
            /// How many of its first bytes are not to be sent.
            from: u64,
        }
    }
}

replies! {
    /// What Blackboard answers.
    Reply {
        /// The first message on every connection.
        "greeting" Greeting {
            /// Version of what is signed and stored: 1.
            v: u8,
            /// The server's name.
            service: SpiffeId,
            /// The server's time, seconds since 1970-01-01 UTC.
            time: u64,
            /// Fresh for each connection; part of T1.
            challenge: Challenge,
            /// How many members a group may have.
            max_members: u8,
            /// Most bytes of all files of a hand-in together.
            max_bytes: u64,
        }
        /// Steps 3 and 4: the members are verified, here are their shares.
        "shares" Shares {
            /// Whether CUHK confirmed the members or, while it is away, their tokens count.
            mode: Mode,
            /// In mode `verified` CUHK's signed answer (JWT), for the members to check as
            /// well; in mode `tokens` empty on the wire.
            #[serde(with = "empty_if_none")]
            verification: Option<String>,
            /// One share per member, in member order.
            shares: Vec<SealedShare>,
        }
        /// Step 5: the server derived the same session key.
        "confirmed" Confirmed {
            /// HMAC-SHA-256 under the server's confirmation key.
            mac: Mac,
        }
        /// Step 6: what can be handed in; ask again from where it ends, if there are more.
        "assignments" Assignments {
            /// The time by Blackboard's clock, by which everything is judged: seconds since
            /// 1970-01-01 UTC.
            time: u64,
            /// How many there are in all.
            count: u32,
            /// As many as fit into a message, by course and name.
            assignments: Vec<ListedAssignment>,
            /// With the first of them: those of which nothing is told.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            altered: Vec<AlteredAssignment>,
        }
        /// Step 6: the members' grades that were released; ask again from where it ends, if there
        /// are more.
        "grades" Grades {
            /// How many there are in all.
            count: u32,
            /// As many as fit into a message, by member, course and assignment.
            grades: Vec<CarriedGrade>,
        }
        /// Step 6: the statement is accepted and recorded durably; its files may come.
        "committed" Committed {
            /// When it was recorded, seconds since 1970-01-01 UTC: what counts for the deadline.
            committed_at: u64,
            /// Until when the files may come, seconds since 1970-01-01 UTC.
            upload_until: u64,
            /// The entry of the log that says so, signed: `committed`; `accepted` if this very work is
            /// stored already, and its files are wanted once more.
            entry: SignedEntry,
            /// What is here already, one for each file, in the order of the statement.
            have: Vec<Received>,
        }
        /// Step 6: proposals, the latest first; ask again from where it ends, if there are more.
        "proposals" Proposals {
            /// The time by Blackboard's clock: seconds since 1970-01-01 UTC.
            time: u64,
            /// How many there are in all.
            count: u32,
            /// As many as fit into a message.
            proposals: Vec<ListedProposal>,
            /// Those among them of which nothing is told: what is stored of them was altered.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            left_out: Vec<SubmissionId>,
            /// Those among them that are told without rules, as what is stored of these was altered.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            unjudged: Vec<UnjudgedProposal>,
        }
        /// Step 6: the statement is recorded durably with the signatures that came; its files may
        /// come.
        "proposed" Proposed {
            /// How it stands.
            proposal: ProposalStanding,
            /// What is here already, one for each file, in the order of the statement.
            have: Vec<Received>,
        }
        /// Step 6: the last signature of a proposal is recorded durably, which came on this connection;
        /// then comes `proposal` or `receipt`.
        "signed" Signed {
            /// The entry `signed` of the log that says so, signed.
            entry: SignedEntry,
        }
        /// Step 6: what was said to the proposal is recorded durably; it is no submission yet, or
        /// never will be.
        "proposal" Proposal {
            /// How it stands.
            proposal: ProposalStanding,
        }
        /// Step 6: the proof, if it is there; the same answer if there is no such submission of
        /// these members.
        "proof" Proof {
            /// The proof.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            proof: Option<CarriedProof>,
            /// So many bytes of revocation lists (PEM) follow in chunk frames: those in force when
            /// CUHK cosigned, where they belong to it.
            lists: u64,
        }
        /// Step 6: stored; the receipt (a ZIP file) follows in chunk frames.
        "receipt" Receipt {
            /// The submission's number.
            number: SubmissionNumber,
            /// Size of the receipt in bytes.
            size: u64,
            /// SHA-256 of the receipt.
            sha256: Fingerprint,
        }
        /// Step 6: the members' own versions; ask again after the last one, if there are more.
        "history" History {
            /// The time by Blackboard's clock, seconds since 1970-01-01 UTC.
            time: u64,
            /// Whether there are more.
            more: bool,
            /// As many as fit into a message, in the order of their numbers.
            versions: Vec<ListedVersion>,
            /// With the first of them: what the members have signed and has not all come, the latest
            /// first.
            unfinished: Vec<ListedUnfinished>,
            /// How many more of that there are than are told.
            #[serde(default, skip_serializing_if = "is_zero")]
            more_unfinished: u32,
        }
        /// Step 6: what was asked for follows in chunk frames, from where it was asked for.
        "download" Download {
            /// Size of the whole in bytes.
            size: u64,
            /// SHA-256 of the whole.
            sha256: Fingerprint,
        }
    }
}

/// Serde for a text that is empty when there is none.
mod empty_if_none {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        text: &Option<String>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.serialize_str(text.as_deref().unwrap_or_default())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<String>, D::Error> {
        let text = String::deserialize(from)?;
        Ok(Some(text).filter(|text| !text.is_empty()))
    }
}
