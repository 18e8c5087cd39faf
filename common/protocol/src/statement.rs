//! Statements: what the members of a group sign about the work they hand in.
//!
//! A statement is JSON whose exact bytes are signed, stored and verified; nobody
//! re-serialises it.

mod names;

use scb_certs::{Fingerprint, SpiffeId};
use serde::{Deserialize, Serialize};

pub use names::{FileName, Label, SubmissionId, SubmissionNumber};

use crate::error::Error;
use crate::message::cuhk::MemberQuestion;
use crate::object::objects;
use crate::{Code, Refusal, Step};

/// The statement's `type`.
const TYPE: &str = "scb-statement";
/// Largest statement in bytes.
pub const MAX_STATEMENT: usize = 16 * 1024;

/// One file that is handed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct FileEntry {
    /// Its name; never a path.
    pub name: FileName,
    /// Its size in bytes.
    pub size: u64,
    /// SHA-256 of its content.
    pub sha256: Fingerprint,
}

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
    /// The members and their certificates, in order.
    pub members: Vec<MemberQuestion>,
    /// The files; exactly one in this version.
    pub files: [FileEntry; 1],
    /// Chosen by the client before it sends anything.
    pub submission: SubmissionId,
}

objects!(FileEntry, Statement);

impl Statement {
    /// A statement about one file.
    pub fn new(
        service: SpiffeId,
        (course, assignment): (Label, Label),
        members: Vec<MemberQuestion>,
        file: FileEntry,
        submission: SubmissionId,
    ) -> Self {
        Self {
            kind: TYPE.to_owned(),
            v: 1,
            service,
            course,
            assignment,
            members,
            files: [file],
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
    /// `statement_invalid`: over 16 KiB, not JSON, a field missing, unknown, repeated or of
    /// the wrong form, another type or version, not exactly one file.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let refuse =
            |reason: &str| Refusal::new(Code::StatementInvalid, Step::Six).with("reason", reason);
        if bytes.len() > MAX_STATEMENT {
            return Err(refuse("over 16 KiB"));
        }
        let statement: Self = serde_json::from_slice(bytes).map_err(|error| {
            refuse(&wrong_number_of_files(bytes).unwrap_or_else(|| error.to_string()))
        })?;
        if statement.kind != TYPE || statement.v != 1 {
            return Err(refuse("another type or version"));
        }
        Ok(statement)
    }

    /// The file that is handed in.
    pub fn file(&self) -> &FileEntry {
        let [file] = &self.files;
        file
    }
}

/// What is said of a statement about no file or several; nothing of one that is wrong
/// otherwise.
fn wrong_number_of_files(bytes: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Files {
        files: Vec<serde::de::IgnoredAny>,
    }
    let count = serde_json::from_slice::<Files>(bytes).ok()?.files.len();
    (count != 1).then(|| {
        format!(
            "a statement names exactly one file (several go into one archive), this one names \
             {count}"
        )
    })
}
