//! What teachers have set up and entered, as `fsck` looks at it.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, params};
use scb_protocol::grade::SignedGrade;
use scb_protocol::log_leaf::{Contents, LogName};
use scb_protocol::statement::Label;

use super::{Inspector, unsigned};
use crate::store::{Error, as_integer};

/// The entry that let a grade be seen, and when, in seconds since 1970.
pub(crate) type Release = (u64, u64);

/// A grade that a student could see, and in the place of which another came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FormerGrade {
    pub(crate) sid: String,
    /// The number of its entry.
    pub(crate) index: u64,
    pub(crate) signed: SignedGrade,
    pub(crate) release: Release,
}

/// Whether students are shown an assignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AddedRow {
    /// Up to which rules it was taken back, and when; each time.
    pub(crate) removals: Vec<(u64, u64)>,
    /// Whether its course is there, and was not taken back.
    pub(crate) has_course: bool,
}

impl Inspector {
    /// What hides an assignment.
    pub(crate) fn added(&self, (course, assignment): (&Label, &Label)) -> Result<AddedRow, Error> {
        self.0.read(|connection| {
            let sql = "SELECT nth, at FROM removals WHERE course = ? AND assignment = ? \
                       ORDER BY nth";
            let mut query = connection.prepare_cached(sql)?;
            let rows = query.query_map([course.to_string(), assignment.to_string()], |row| {
                Ok((unsigned(row.get(0)?), unsigned(row.get(1)?)))
            })?;
            let removals = rows.collect::<Result<_, _>>()?;
            let sql = "SELECT 1 FROM courses WHERE course = ? AND removed_at IS NULL";
            let mut query = connection.prepare_cached(sql)?;
            let has_course = query.exists([course.to_string()])?;
            Ok(AddedRow {
                removals,
                has_course,
            })
        })
    }

    /// The `nth` rules of an assignment, from 1, and since when they count.
    pub(crate) fn rules(
        &self,
        (course, assignment): (&Label, &Label),
        nth: u64,
    ) -> Result<Option<(u64, Option<Contents>)>, Error> {
        self.0.read(|connection| {
            let sql = "SELECT at, rules FROM rules \
                       WHERE course = ? AND assignment = ? AND nth = ?";
            let mut query = connection.prepare_cached(sql)?;
            let key = params![course.to_string(), assignment.to_string(), as_integer(nth)];
            let found = query.query_row(key, |row| {
                let text: String = row.get(1)?;
                Ok((unsigned(row.get(0)?), serde_json::from_str(&text).ok()))
            });
            Ok(found.optional()?)
        })
    }

    /// The extensions of an assignment, by student; none of one that cannot be read.
    pub(crate) fn extensions(
        &self,
        (course, assignment): (&Label, &Label),
    ) -> Result<BTreeMap<String, Option<Contents>>, Error> {
        self.0.read(|connection| {
            let sql = "SELECT sid, extension FROM extensions WHERE course = ? AND assignment = ?";
            let mut query = connection.prepare_cached(sql)?;
            let rows = query.query_map([course.to_string(), assignment.to_string()], |row| {
                let text: String = row.get(1)?;
                Ok((row.get(0)?, serde_json::from_str(&text).ok()))
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// The grades of an assignment with their signatures, by student.
    pub(crate) fn grades(
        &self,
        (course, assignment): (&Label, &Label),
    ) -> Result<BTreeMap<String, SignedGrade>, Error> {
        self.0.read(|connection| {
            let sql =
                "SELECT sid, grade, signature FROM grades WHERE course = ? AND assignment = ?";
            let mut query = connection.prepare_cached(sql)?;
            let rows = query.query_map([course.to_string(), assignment.to_string()], |row| {
                let (grade, signature) = (row.get(1)?, row.get(2)?);
                Ok((row.get(0)?, SignedGrade { grade, signature }))
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// The grades of an assignment that students could see, and in the place of which others came.
    pub(crate) fn former(
        &self,
        (course, assignment): (&Label, &Label),
    ) -> Result<Vec<FormerGrade>, Error> {
        self.0.read(|connection| {
            let sql = "SELECT sid, log_index, grade, signature, release_index, released_at \
                       FROM former_grades WHERE course = ? AND assignment = ?";
            let mut query = connection.prepare_cached(sql)?;
            let rows = query.query_map([course.to_string(), assignment.to_string()], |row| {
                let (grade, signature) = (row.get(2)?, row.get(3)?);
                Ok(FormerGrade {
                    sid: row.get(0)?,
                    index: unsigned(row.get(1)?),
                    signed: SignedGrade { grade, signature },
                    release: (unsigned(row.get(4)?), unsigned(row.get(5)?)),
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Of each student whose grade is shown, which entry let it be seen, and when.
    pub(crate) fn releases(
        &self,
        (course, assignment): (&Label, &Label),
    ) -> Result<BTreeMap<String, Release>, Error> {
        self.0.read(|connection| {
            let sql = "SELECT sid, coalesce(release_index, -1), coalesce(released_at, -1) \
                       FROM grades WHERE course = ? AND assignment = ? \
                       AND (release_index IS NOT NULL OR released_at IS NOT NULL)";
            let mut query = connection.prepare_cached(sql)?;
            let rows = query.query_map([course.to_string(), assignment.to_string()], |row| {
                Ok((row.get(0)?, (unsigned(row.get(1)?), unsigned(row.get(2)?))))
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// What is there as Blackboard's signature of this release.
    pub(crate) fn release(&self, log: &LogName, index: u64) -> Result<Option<Vec<u8>>, Error> {
        self.0.read(|connection| {
            let sql = "SELECT signature FROM releases \
                       WHERE log = (SELECT id FROM logs WHERE origin = ?) AND number = ?";
            let key = params![log.to_string(), as_integer(index)];
            let mut query = connection.prepare_cached(sql)?;
            Ok(query.query_row(key, |row| row.get(0)).optional()?)
        })
    }
}
