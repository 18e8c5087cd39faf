//! Statements: what the members of a group sign about the work they hand in.
//!
//! A statement is JSON whose exact bytes are signed, stored and verified; nobody
//! re-serialises it.

mod blank;
mod files;
mod member;
mod names;

use std::collections::BTreeSet;

use scb_certs::{Fingerprint, SpiffeId, StudentId};
use serde::{Deserialize, Serialize};

pub use files::{FileEntry, FilePath, Files, FilesError, MAX_FILES};
pub use member::StatedMember;
pub use names::{FileName, Label, SubmissionId, SubmissionNumber};

use crate::error::Error;
use crate::object::objects;
use crate::{Code, Refusal, Step};

/// The statement's `type`.
const TYPE: &str = "scb-statement";
/// Largest statement in bytes.
pub const MAX_STATEMENT: usize = 32 * 1024;

/// What the members sign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct Statement {
    #[serde(rename = "type")]
    kind: String,
    v: u8,
    /// The service to which it is handed in.
    pub service: SpiffeId,
    /// The course.
    pub course: Label,
    /// The assignment.
    pub assignment: Label,
    /// The members, in order, each once.
    pub members: Vec<StatedMember>,
    /// The files, in the order in which they are sent.
    pub files: Files,
    /// Chosen by the client before it sends anything.
    pub submission: SubmissionId,
}

objects!(Statement);

impl Statement {
    /// A statement about these files.
    pub fn new(
        service: SpiffeId,
        (course, assignment): (Label, Label),
        members: impl IntoIterator<Item: Into<StatedMember>>,
        files: impl Into<Files>,
        submission: SubmissionId,
    ) -> Self {
        Self {
            kind: TYPE.to_owned(),
            v: 1,
            service,
            course,
            assignment,
            members: members.into_iter().map(Into::into).collect(),
            files: files.into(),
            submission,
        }
    }

    /// The bytes to sign, send and keep.
    ///
    /// # Errors
    ///
    /// [`Error::Encode`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        serde_json::to_vec(self).map_err(|error| Error::Encode(error.to_string()))
    }

    /// Reads a statement.
    ///
    /// # Errors
    ///
    /// `statement_invalid`: over 32 KiB, not JSON, a field missing, unknown, repeated or of
    /// the wrong form, another type or version, a member twice, files that cannot be handed in
    /// together.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let refuse =
            |reason: &str| Refusal::new(Code::StatementInvalid, Step::Six).with("reason", reason);
        if bytes.len() > MAX_STATEMENT {
            return Err(refuse("over 32 KiB"));
        }
        let statement: Self =
            serde_json::from_slice(bytes).map_err(|error| refuse(&error.to_string()))?;
        if statement.kind != TYPE || statement.v != 1 {
            return Err(refuse("another type or version"));
        }
        let sids: BTreeSet<_> = statement.members.iter().map(|one| &one.sid).collect();
        match sids.len() == statement.members.len() {
            true => Ok(statement),
            false => Err(refuse("a member twice")),
        }
    }

    /// Looks whether this may be handed in now. What was handed in before is not asked.
    ///
    /// # Errors
    ///
    /// `report_empty` if no file has a byte; `statement_invalid` for a name that shows nothing, and for
    /// a file without bytes whose hash is not that of nothing.
    pub fn check_new(&self) -> Result<(), Refusal> {
        if self.files.size() == 0 {
            return Err(Refusal::new(Code::ReportEmpty, Step::Six));
        }
        let nothing = Fingerprint::of(b"");
        let reason = self.files.iter().find_map(|file| match file {
            file if file.name.is_blank() => Some("a file name that shows nothing"),
            file if file.size == 0 && file.sha256 != nothing => {
                Some("the hash of a file without bytes is not that of nothing")
            }
            _ => None,
        });
        reason.map_or(Ok(()), |reason| {
            Err(Refusal::new(Code::StatementInvalid, Step::Six).with("reason", reason))
        })
    }

    /// Whether both hand in the same files under the same names, for the same assignment, by the
    /// same students, whatever their certificates and in whatever order.
    pub fn is_same_version(&self, other: &Self) -> bool {
        let files = |of: &Self| -> BTreeSet<_> {
            let files = of.files.iter();
            let key = |file: &FileEntry| (file.name.clone(), file.size, file.sha256.to_string());
            files.map(key).collect()
        };
        self.is_of_same_group(other) && files(self) == files(other)
    }

    /// Whether both are for the same assignment, by the very same students in whatever order.
    pub fn is_of_same_group(&self, other: &Self) -> bool {
        self.is_by_all_of(other) && other.is_by_all_of(self)
    }

    /// Whether both are for the same assignment, and all students of the other one are in this one, too.
    pub fn is_by_all_of(&self, other: &Self) -> bool {
        let place = |of: &Self| (of.service.clone(), of.course.clone(), of.assignment.clone());
        let here = |sid: &StudentId| self.members.iter().any(|member| member.sid == *sid);
        place(self) == place(other) && other.members.iter().all(|member| here(&member.sid))
    }
}
