//! Grades for another version than the one that counts now: something came after the teacher had looked.

use std::collections::BTreeMap;
use std::fmt;

use scb_certs::StudentId;
use scb_cli::note;
use scb_protocol::statement::SubmissionNumber;
use serde::Serialize;
use serde_json::{Value, json};

use super::members::Parts;
use crate::courses::Desk;
use crate::store::grades::Graded;
use crate::store::{Error, Place};

/// How many are named.
const NAMED: usize = 20;

/// What a student is graded for, and what counts for him now: never the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Outdated {
    graded: Option<SubmissionNumber>,
    counts: Option<SubmissionNumber>,
}

impl Outdated {
    /// Nothing where the version that counts is the one that is graded.
    pub(crate) fn of(
        graded: Option<SubmissionNumber>,
        counts: Option<SubmissionNumber>,
    ) -> Option<Self> {
        (graded != counts).then_some(Self { graded, counts })
    }

    /// Of all these grades of an assignment.
    pub(super) fn all(
        desk: &Desk,
        place: &Place,
        grades: &BTreeMap<StudentId, Graded>,
    ) -> Result<BTreeMap<StudentId, Self>, Error> {
        let book = desk.store.rulebook(place)?;
        let parts = Parts::of(desk, place, grades.keys(), &book)?;
        let outdated = grades.iter().filter_map(|(sid, graded)| {
            let counts = parts.counting(sid).map(|part| part.number);
            Some((sid.clone(), Self::of(graded.grade.submission, counts)?))
        });
        Ok(outdated.collect())
    }
}

impl fmt::Display for Outdated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.graded, self.counts) {
            (Some(graded), Some(counts)) => write!(f, "graded for {graded}, but {counts} counts"),
            (None, Some(counts)) => {
                write!(f, "graded when nothing had come, but {counts} counts")
            }
            (Some(graded), None) => write!(f, "graded for {graded}, which does not count"),
            (None, None) => f.write_str("graded, and nothing has come"),
        }
    }
}

/// Tells the teacher, and what to do.
pub(super) fn remark(outdated: &BTreeMap<StudentId, Outdated>) -> anyhow::Result<()> {
    for (sid, one) in outdated.iter().take(NAMED) {
        note(&format!("CHECK THE GRADE: {sid} is {one}"))?;
    }
    let more = outdated.len().saturating_sub(NAMED);
    if more > 0 {
        note(&format!(
            "CHECK THE GRADE: so it is with {more} more (`blackboard submissions overview`)"
        ))?;
    }
    if !outdated.is_empty() {
        note(
            "look at what counts now, and import the grades again, also those that stay the same: a \
             grade says which version it is for",
        )?;
    }
    Ok(())
}

/// The same for programs.
pub(super) fn as_json(outdated: &BTreeMap<StudentId, Outdated>) -> Value {
    let all = outdated.iter();
    all.map(|(sid, one)| json!({"sid": sid, "graded": one.graded, "counts": one.counts}))
        .collect()
}
