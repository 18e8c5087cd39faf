//! What an import finds: the differences between a roster and the records, and their numbers.

use std::fmt;

use crate::store::Student;

/// Of how many active students one may be suspended without more ado: of each three.
const MANY: usize = 3;

/// What the roster says of one student, where that is not what the records say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Line in the file; none for those who are not listed.
    pub line: Option<u64>,
    /// The student ID, or what stands in its place.
    pub sid: String,
    /// What it is.
    pub difference: Difference,
}

/// A difference between a roster and the records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// The student is new.
    Added,
    /// Name, e-mail address or programme changed.
    Changed {
        /// As it was.
        before: Box<Student>,
        /// As it is now.
        after: Box<Student>,
    },
    /// The student was missing from an earlier roster, and is back.
    Restored,
    /// The student is listed, and stays suspended: somebody did that by hand.
    StaysSuspended,
    /// The student is listed, and left so long ago that the name was removed: whether this is the same person is for
    /// somebody to say.
    Forgotten,
    /// An active student is not listed, or listed as one who has left: in the words of the file.
    Missing {
        /// Such as `status: deleted`.
        says: Option<String>,
        /// What becomes of it.
        suspended: bool,
    },
    /// Somebody who has left and was not here.
    Left(String),
    /// The row is about no student, with how that is known.
    WithoutId(String),
    /// The row is refused.
    Refused(String),
    /// A spreadsheet would compute the name, the address or the programme; what is stored is the
    /// text as it is.
    Formula(&'static str),
}

/// What an import does, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Import {
    /// How the header was understood.
    pub layout: String,
    /// All differences, in the file's order, then who is missing.
    pub findings: Vec<Finding>,
    /// How many there are.
    pub counts: Counts,
    /// How many active students there were.
    pub active: usize,
    /// How many codes were written, or would be.
    pub codes: usize,
    /// How many have a code already that nobody has used, and no certificate; they keep it.
    pub open_codes: usize,
    /// How many such codes end, as others take their place.
    pub replaced: usize,
    /// How many have shown a certificate that is lost since a restoration, and get a code.
    pub lost: usize,
    /// How many have a certificate of before a restoration about which no service has asked since, and get
    /// no code.
    pub unseen: usize,
    /// An earlier import that was interrupted, if there was one.
    pub earlier: Option<Earlier>,
}

/// What became of an earlier import that was interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Earlier {
    /// It had not changed anything yet, and is forgotten.
    Forgotten,
    /// This many changes were left, and were made first.
    Finished(u64),
    /// This many changes are left: the next import that is no rehearsal makes them first.
    Unfinished(u64),
}

/// How many rows or students of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Counts {
    /// Rows in the file.
    pub rows: usize,
    /// New students.
    pub added: usize,
    /// Students with another name, e-mail address or programme.
    pub changed: usize,
    /// Students listed as they were.
    pub unchanged: usize,
    /// Students who are back.
    pub restored: usize,
    /// Active students who are not listed.
    pub missing: usize,
    /// Those of them who are suspended.
    pub suspended: usize,
    /// Rows about no student.
    pub without_id: usize,
    /// Rows refused.
    pub refused: usize,
}

/// What changed.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            added,
            changed,
            restored,
            suspended,
            ..
        } = self;
        write!(
            f,
            "{added} added, {changed} changed, {restored} restored, {suspended} suspended"
        )
    }
}

impl Import {
    /// Whether so many are missing that suspending them may be a mistake.
    pub fn many_missing(&self) -> bool {
        self.is_many(self.counts.missing)
    }

    pub(super) fn is_many(&self, missing: usize) -> bool {
        missing * MANY > self.active
    }

    /// Refuses those rows without a student ID of which `also` says why, by their line.
    pub(super) fn refuse_without_id(&mut self, also: impl Fn(Option<u64>) -> Option<String>) {
        for finding in &mut self.findings {
            let Difference::WithoutId(reason) = &finding.difference else {
                continue;
            };
            if let Some(also) = also(finding.line) {
                finding.difference = Difference::Refused(format!("{reason}{also}"));
                self.counts.without_id -= 1;
                self.counts.refused += 1;
            }
        }
    }

    pub(super) fn found(&mut self, line: Option<u64>, sid: impl ToString, difference: Difference) {
        let counter = match difference {
            Difference::Added => Some(&mut self.counts.added),
            Difference::Changed { .. } => Some(&mut self.counts.changed),
            Difference::Restored => Some(&mut self.counts.restored),
            Difference::Missing { .. } => Some(&mut self.counts.missing),
            Difference::WithoutId(_) => Some(&mut self.counts.without_id),
            Difference::Refused(_) => Some(&mut self.counts.refused),
            _ => None,
        };
        if let Some(counter) = counter {
            *counter += 1;
        }
        self.findings.push(Finding {
            line,
            sid: sid.to_string(),
            difference,
        });
    }
}
