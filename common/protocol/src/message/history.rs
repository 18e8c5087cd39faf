//! What members are told of their own submissions.

use scb_certs::StudentId;
use serde::{Deserialize, Serialize};

use super::blackboard::fit_into;
use crate::object::objects;
use crate::statement::{FilePath, Files, Label, SubmissionNumber};

/// So many bytes of one version may be its files.
const FILES: usize = 16 * 1024;

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
    /// Whether its receipt is complete.
    pub proved: bool,
}

objects!(ListedFile, OwnStanding, ListedVersion);

impl ListedFile {
    /// The first of these files, as many as there is room for in one version.
    pub fn first_of(files: &Files) -> Vec<Self> {
        let listed = |file: &crate::statement::FileEntry| Self {
            name: file.name.clone(),
            size: file.size,
        };
        fit_into(files.iter().map(listed), FILES)
    }
}
