//! `submissions.csv`: every file of every submission, for people and spreadsheets. Whoever judges
//! an archive writes it anew from what is proved, and it must be the same in every byte.

use std::io::Write;

use rustls_pki_types::UnixTime;
use scb_certs::Fingerprint;

use crate::rfc3339;
use crate::statement::{Statement, SubmissionNumber};

/// What is the same in all lines of a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission<'a> {
    /// Its number.
    pub number: SubmissionNumber,
    /// When the signed statement had come: what counts for lateness.
    pub committed_at: UnixTime,
    /// When its files were there.
    pub accepted_at: UnixTime,
    /// What the members signed.
    pub statement: &'a Statement,
}

/// The table, line by line. Nothing in it can begin a formula: student IDs begin with a letter or
/// digit, and paths with the name of a folder.
pub struct Table<W: Write>(csv::Writer<W>);

impl<W: Write> Table<W> {
    /// With its title.
    ///
    /// # Errors
    ///
    /// The writer's.
    pub fn new(to: W) -> Result<Self, csv::Error> {
        let mut table = csv::Writer::from_writer(to);
        table.write_record([
            "number",
            "committed_at",
            "accepted_at",
            "members",
            "file",
            "size",
            "sha256",
        ])?;
        Ok(Self(table))
    }

    /// A file of a submission, or its receipt, by its path in the archive.
    ///
    /// # Errors
    ///
    /// The writer's.
    pub fn file(
        &mut self,
        submission: &Submission<'_>,
        path: &str,
        (size, sha256): (u64, Fingerprint),
    ) -> Result<(), csv::Error> {
        let members = submission.statement.members.iter();
        let members: Vec<_> = members.map(|member| member.sid.as_str()).collect();
        self.0.write_record([
            &submission.number.to_string(),
            &rfc3339(submission.committed_at),
            &rfc3339(submission.accepted_at),
            &members.join(" "),
            path,
            &size.to_string(),
            &sha256.to_string(),
        ])
    }

    /// What it was written to.
    ///
    /// # Errors
    ///
    /// The writer's.
    pub fn finish(self) -> std::io::Result<W> {
        self.0.into_inner().map_err(csv::IntoInnerError::into_error)
    }
}
