//! What an entry of an assignment's log says, kind by kind.

use std::collections::BTreeMap;

use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, StudentId};
use serde::{Deserialize, Serialize};

use super::restored::Restored;
use crate::assurance::Mode;
use crate::code::Code;
use crate::message::proposal::Reason;
use crate::object::objects;
use crate::statement::{Statement, SubmissionId, SubmissionNumber};
use crate::time::as_rfc3339;

/// A JSON object that is told elsewhere.
pub type Contents = serde_json::Map<String, serde_json::Value>;

/// What happened in an assignment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// The assignment's rules from now on, whole.
    Rules(Contents),
    /// Another deadline for some.
    Extension(Contents),
    /// A signed statement came; the files may follow. What counts for lateness is the leaf's time.
    Committed(Committed),
    /// The files are there and were verified.
    Accepted(Accepted),
    /// A statement came that others are to sign as well.
    Proposed(Proposed),
    /// Members signed it. With the last of them it is complete: what counts for lateness is that
    /// leaf's time.
    Signed(Signed),
    /// Members who were to sign it said no.
    Declined(Ended),
    /// Members who had signed it took it back.
    Withdrawn(Ended),
    /// It waited long enough.
    Lapsed(Lapsed),
    /// Verified members were refused.
    Refused(Refused),
    /// A student was graded, or graded anew.
    Grades(Grades),
    /// Students may see grades from now on.
    Released(Released),
    /// It was added by mistake, and nobody had handed in: students see it no longer.
    Removed(Removed),
    /// For some of those who handed it in together a version does not count any more.
    Detached(Detached),
    /// For some of those it counts again.
    Attached(Detached),
    /// Nothing more is taken: what is here is all.
    Closed(Closed),
    /// What came before this is lost in part: the log went on after what its witness had seen.
    Recovered(Recovered),
    /// What a lost entry said is known again: somebody had a receipt of it.
    Restored(Restored),
}

impl Entry {
    /// The names of those that [reopen](Self::reopens) an assignment.
    pub const REOPENING: [&str; 6] = [
        "rules",
        "extension",
        "committed",
        "accepted",
        "recovered",
        "restored",
    ];
    /// The names of those that [end](Self::ends) a hand-in.
    pub const ENDING: [&str; 5] = ["accepted", "declined", "lapsed", "restored", "withdrawn"];

    /// Its name, as it stands in the leaf.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Rules(_) => "rules",
            Self::Extension(_) => "extension",
            Self::Committed(_) => "committed",
            Self::Accepted(_) => "accepted",
            Self::Proposed(_) => "proposed",
            Self::Signed(_) => "signed",
            Self::Declined(_) => "declined",
            Self::Withdrawn(_) => "withdrawn",
            Self::Lapsed(_) => "lapsed",
            Self::Refused(_) => "refused",
            Self::Grades(_) => "grades",
            Self::Released(_) => "released",
            Self::Removed(_) => "removed",
            Self::Detached(_) => "detached",
            Self::Attached(_) => "attached",
            Self::Closed(_) => "closed",
            Self::Recovered(_) => "recovered",
            Self::Restored(_) => "restored",
        }
    }

    /// Whether more may have come than what was all when the assignment was closed.
    pub(crate) fn reopens(&self) -> bool {
        Self::REOPENING.contains(&self.name())
    }

    /// Whether no entry after it can be about the same hand-in.
    pub fn ends(&self) -> bool {
        Self::ENDING.contains(&self.name())
    }

    /// The hand-in that it is about; none of what is about the assignment, a grade or a refusal.
    pub fn submission(&self) -> Option<SubmissionId> {
        match self {
            Self::Committed(committed) => Some(committed.submission),
            Self::Proposed(proposed) => Some(proposed.submission),
            Self::Signed(signed) => Some(signed.submission),
            Self::Declined(ended) | Self::Withdrawn(ended) => Some(ended.submission),
            Self::Lapsed(lapsed) => Some(lapsed.submission),
            Self::Accepted(accepted) => Some(accepted.submission),
            Self::Restored(restored) => Some(restored.submission),
            _ => None,
        }
    }
}

/// A signed statement that came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct Committed {
    /// The submission.
    pub submission: SubmissionId,
    /// SHA-256 of the statement's exact bytes.
    pub statement_sha256: Fingerprint,
    /// SHA-256 of the members' signatures (CMS, DER).
    pub p7s_sha256: Fingerprint,
    /// What stood behind the members.
    pub mode: Mode,
    /// SHA-256 of CUHK's answer about them, or of their tokens, as kept for the receipt.
    pub verification_sha256: Fingerprint,
    /// The members, in order.
    pub members: Vec<StudentId>,
}

impl Committed {
    /// What is entered of a statement with these exact bytes and signatures (CMS, DER), behind whose
    /// members this stood.
    pub fn of(
        statement: &Statement,
        (bytes, signatures): (&[u8], &[u8]),
        (mode, assurance): (Mode, &str),
    ) -> Self {
        let members = statement.members.iter();
        Self {
            submission: statement.submission,
            statement_sha256: Fingerprint::of(bytes),
            p7s_sha256: Fingerprint::of(signatures),
            mode,
            verification_sha256: Fingerprint::of(assurance.as_bytes()),
            members: members.map(|member| member.sid.clone()).collect(),
        }
    }
}

/// The rules that were in force: the last of their entries before something was committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct RulesEntry {
    /// Its number in the same log.
    pub index: u64,
    /// SHA-256 of its leaf: what the log holds of it.
    pub leaf_sha256: Fingerprint,
}

/// A submission that was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct Accepted {
    /// Its number at Blackboard.
    pub number: SubmissionNumber,
    /// The submission.
    pub submission: SubmissionId,
    /// The number of its `committed` in the same log, or of the `signed` with which it was
    /// complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committed_index: Option<u64>,
    /// When the signed statement came: what counts for lateness.
    #[serde(with = "as_rfc3339")]
    pub committed_at: UnixTime,
    /// The rules in force when it was committed; absent if that entry is lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<RulesEntry>,
    /// The entries that gave members the extensions that they had then, in the order of the members.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extensions: Vec<RulesEntry>,
    /// What stood behind the members.
    pub mode: Mode,
    /// SHA-256 of each file of the receipt that is evidence, by name.
    pub files: BTreeMap<String, Fingerprint>,
}

/// A statement that others are to sign as well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct Proposed {
    /// The submission.
    pub submission: SubmissionId,
    /// SHA-256 of the statement's exact bytes.
    pub statement_sha256: Fingerprint,
    /// Who is to sign, in the order of the statement.
    pub members: Vec<StudentId>,
    /// Until when the signatures may come, if the rules do not end it before.
    #[serde(with = "as_rfc3339")]
    pub waits_until: UnixTime,
}

/// Signatures of a proposal, as they came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct Signed {
    /// The submission.
    pub submission: SubmissionId,
    /// Who signed; they were verified on this connection, which the first of them opened.
    pub members: Vec<StudentId>,
    /// Which connection it was: its T2.
    pub connection: Fingerprint,
    /// SHA-256 of their signatures (CMS, DER), as they came.
    pub p7s_sha256: Fingerprint,
    /// What stood behind them, and all who had signed before.
    pub mode: Mode,
    /// SHA-256 of CUHK's answer about them, or of their tokens.
    pub verification_sha256: Fingerprint,
}

/// A proposal to which members put an end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct Ended {
    /// The submission.
    pub submission: SubmissionId,
    /// Who did; they were verified on this connection, which the first of them opened.
    pub members: Vec<StudentId>,
    /// Which connection it was: its T2.
    pub connection: Fingerprint,
    /// What they said why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
}

/// A proposal that not everybody signed in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct Lapsed {
    /// The submission.
    pub submission: SubmissionId,
}

/// Verified members who were refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct Refused {
    /// Why.
    pub code: Code,
    /// The members, in order.
    pub members: Vec<StudentId>,
    /// SHA-256 of the statement's exact bytes, if one had come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement_sha256: Option<Fingerprint>,
}

/// A student's grade. What it is, the student is told and nobody else learns from the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct Grades {
    /// The student.
    pub sid: StudentId,
    /// SHA-256 of the grade's exact bytes, which have a salt of their own.
    pub grade_sha256: Fingerprint,
}

/// Grades that those who have them may see from now on. Others learn nothing of them from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct Released {
    /// The numbers of their entries `grades` in the same log, which come before it. At most
    /// [`Released::MOST`].
    pub entries: Vec<u64>,
}

impl Released {
    /// Most grades that one entry releases; for more there are several entries.
    pub const MOST: usize = 256;
}

/// An assignment that was added by mistake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct Removed {}

/// Whom the teacher took out of what a group had handed in, or let have it again. The version stays, and
/// its receipt; for everybody else who signed it nothing is changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct Detached {
    /// The version's number.
    pub number: SubmissionNumber,
    /// Those of its members whom it is about.
    pub members: Vec<StudentId>,
    /// Why, in the teacher's words.
    pub reason: Reason,
}

/// The end of an assignment: after the last cut-off, and when no upload could come any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct Closed {
    /// How many submissions were accepted before it.
    pub accepted: u64,
}

/// A log that went on after its newest entries were lost, as its operator wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct Recovered {
    /// How many entries the service still had, whole. Of those after them up to this one it has
    /// only the commitments, as its witness had kept them.
    pub kept: u64,
    /// How many entries the witness had seen.
    pub seen: u64,
}

objects!(
    Committed, RulesEntry, Accepted, Proposed, Signed, Ended, Lapsed, Refused, Grades, Released,
    Removed, Detached, Closed, Recovered
);
