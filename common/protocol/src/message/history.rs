//! What members are told of their own submissions.

use scb_certs::StudentId;
use serde::{Deserialize, Serialize};

use super::fit::fit_into;
use super::proposal::{CosignerStanding, Reason};
use crate::object::objects;
use crate::rules::Standing;
use crate::statement::{FileEntry, FilePath, Files, Label, SubmissionId, SubmissionNumber};
use crate::time::from_seconds;

/// So many bytes of one version may be its files.
const FILES: usize = 16 * 1024;

/// So many bytes of something unfinished may be its files.
const FEW: usize = 1024;

/// A file of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct ListedFile {
    /// Its name, with the folders in which it was.
    pub name: FilePath,
    /// Its size in bytes.
    pub size: u64,
}

/// How a version stands for one of the members who ask, by the rules of this moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct OwnStanding {
    /// The member.
    pub sid: StudentId,
    /// Whether it is the one that counts for him, of those in which he has a part.
    pub counts: bool,
    /// By how many seconds it was late.
    pub late: u64,
    /// What that costs, in percent of the full mark.
    pub costs: u8,
    /// Whether it came after the due time and is not late: within the time of grace.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub within_grace: bool,
    /// Since when it had been closed for him, in seconds since 1970-01-01 UTC, if it had: then it does
    /// not count for him, whoever handed in with him.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_since: Option<u64>,
}

/// One of those who handed in a version, for whom it does not count any more: the teacher took him out
/// of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct ListedDetached {
    /// The member.
    pub sid: StudentId,
    /// Since when, seconds since 1970-01-01 UTC.
    pub at: u64,
    /// Why, in the teacher's words.
    pub reason: Reason,
}

/// A version, as those who have a part in it are told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct ListedVersion {
    /// Its number.
    pub number: SubmissionNumber,
    /// The course.
    pub course: Label,
    /// The assignment.
    pub assignment: Label,
    /// When the signed statement had come, seconds since 1970-01-01 UTC: what counts for lateness.
    pub committed_at: u64,
    /// When all its files were stored, seconds since 1970-01-01 UTC.
    pub accepted_at: u64,
    /// All who handed it in, in order.
    pub members: Vec<StudentId>,
    /// How many files it has.
    pub file_count: u32,
    /// Bytes of all of them together.
    pub size: u64,
    /// Its first files, as many as there is room for.
    pub files: Vec<ListedFile>,
    /// How it stands for those who ask, and nobody else.
    pub standings: Vec<OwnStanding>,
    /// Whether that is told of nobody: what is stored of the rules of the assignment was altered.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unjudged: bool,
    /// For whom it does not count any more, whoever asks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub detached: Vec<ListedDetached>,
    /// Whether its receipt is complete.
    pub proved: bool,
    /// Of what was signed over several connections: when each member did, and who was verified on his.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signatures: Vec<CosignerStanding>,
}

/// What was signed and recorded, and whose files have not all come: nothing is handed in by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct ListedUnfinished {
    /// The submission ID that its statement has.
    pub submission: SubmissionId,
    /// The course.
    pub course: Label,
    /// The assignment.
    pub assignment: Label,
    /// When the signed statement had come, seconds since 1970-01-01 UTC: what counts for lateness, if
    /// the files come.
    pub committed_at: u64,
    /// Until when they may come, seconds since 1970-01-01 UTC.
    pub until: u64,
    /// Whether what is stored of it is not what the log has: it may be refused as `stored_damaged`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub damaged: bool,
    /// All who signed it, in order.
    pub members: Vec<StudentId>,
    /// How many files it has.
    pub file_count: u32,
    /// Bytes of all of them together.
    pub size: u64,
    /// Its first files.
    pub files: Vec<ListedFile>,
}

objects!(
    ListedFile,
    OwnStanding,
    ListedDetached,
    ListedVersion,
    ListedUnfinished
);

impl OwnStanding {
    /// How late it was, as rules put it.
    pub fn standing(&self) -> Standing {
        match (self.closed_since, self.late, self.costs) {
            (Some(since), ..) => Standing::Closed {
                since: from_seconds(since),
            },
            (None, 0, _) if self.within_grace => Standing::WithinGrace,
            (None, 0, _) => Standing::OnTime,
            (None, by, costs) => Standing::Late { by, costs },
        }
    }
}

impl ListedFile {
    /// The first of these files, as many as there is room for in one version.
    pub fn first_of(files: &Files) -> Vec<Self> {
        fit_into(files.iter().map(Self::of), FILES)
    }

    /// The first of these files, of something that is told beside versions.
    pub fn few_of(files: &Files) -> Vec<Self> {
        fit_into(files.iter().map(Self::of), FEW)
    }

    fn of(file: &FileEntry) -> Self {
        Self {
            name: file.name.clone(),
            size: file.size,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_came_within_the_grace_is_told_as_that_and_nothing_is_said_of_the_rest() {
        let on_time = r#"{"sid":"1155000001","counts":true,"late":0,"costs":0}"#;
        let within = on_time.replace('}', r#","within_grace":true}"#);
        let late = within.replace(r#""late":0"#, r#""late":60"#);
        let read = |text: &str| serde_json::from_str::<OwnStanding>(text).unwrap();
        let told = [on_time, &within, &late].map(|text| read(text).standing().as_str());
        assert_eq!(told, ["on_time", "within_grace", "late"]);
        for text in [on_time, &within] {
            assert_eq!(serde_json::to_string(&read(text)).unwrap(), text);
        }
    }
}
