//! Extensions: more time for single students. What is given or taken back is an entry of the
//! assignment's log, in the same transaction.

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use rustls_pki_types::UnixTime;
use scb_certs::StudentId;
use scb_protocol::from_seconds;
use scb_protocol::log_leaf::Entry;
use scb_protocol::rules::{Extended, Extension};
use scb_protocol::statement::Label;

use super::assignments::{Place, enter, object, require, text};
use super::{Error, Store, as_integer, courses};

/// An extension, and when it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// The extension.
    pub extension: Extension,
    /// When it was given.
    pub at: UnixTime,
}

impl Store {
    /// Gives these students more time, in the place of what they had.
    ///
    /// # Errors
    ///
    /// [`Error::NoAssignment`], [`Error::Rules`]; [`Error::NotInCourse`] for a student who is not
    /// in the course; [`Error::Storage`].
    pub fn extend(
        &self,
        place: Place,
        extensions: Vec<Extension>,
        now: UnixTime,
    ) -> Result<(), Error> {
        self.enter_blocking(move |transaction| {
            let rules = require(transaction, &place)?.rules().clone();
            let course = courses::require(transaction, &place.course)?;
            let sids: Vec<_> = extensions.iter().map(|one| one.sid.clone()).collect();
            if let Some(sid) = courses::outsiders(transaction, &course, &sids)?.pop() {
                let course = place.course;
                return Err(Error::NotInCourse { course, sid });
            }
            for extension in &extensions {
                rules.check_extension(extension).map_err(Error::Rules)?;
                put_extension(transaction, &place, extension, now)?;
            }
            let entry = Extended {
                given: extensions,
                taken_back: Vec::new(),
            };
            enter(transaction, &place, now, Entry::Extension(object(&entry)?))
        })
    }

    /// Takes back the extensions of these students; answers of whom there was one.
    ///
    /// # Errors
    ///
    /// [`Error::NoAssignment`]; [`Error::Storage`].
    pub fn take_back(
        &self,
        place: Place,
        sids: Vec<StudentId>,
        now: UnixTime,
    ) -> Result<Vec<StudentId>, Error> {
        self.enter_blocking(move |transaction| {
            require(transaction, &place)?;
            let mut had = Vec::new();
            for sid in sids {
                if remove_extension(transaction, &place, &sid)? {
                    had.push(sid);
                }
            }
            if !had.is_empty() {
                let entry = Extended {
                    given: Vec::new(),
                    taken_back: had.clone(),
                };
                enter(transaction, &place, now, Entry::Extension(object(&entry)?))?;
            }
            Ok(had)
        })
    }

    /// The extensions of an assignment, by student.
    ///
    /// # Errors
    ///
    /// [`Error::NoAssignment`]; [`Error::Storage`], [`Error::CoursesAltered`].
    pub fn extensions(&self, place: Place) -> Result<Vec<Given>, Error> {
        self.database.read_blocking(move |connection| {
            require(connection, &place)?;
            all(connection, &place.course, &place.assignment)
        })
    }
}

fn put_extension(
    transaction: &Transaction<'_>,
    place: &Place,
    extension: &Extension,
    now: UnixTime,
) -> Result<(), Error> {
    let sql = "INSERT INTO extensions (course, assignment, sid, given_at, extension) \
               VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE \
               SET given_at = excluded.given_at, extension = excluded.extension";
    transaction.prepare_cached(sql)?.execute(params![
        place.course.to_string(),
        place.assignment.to_string(),
        extension.sid.as_str(),
        as_integer(now.as_secs()),
        text(extension)?,
    ])?;
    Ok(())
}

fn remove_extension(
    transaction: &Transaction<'_>,
    place: &Place,
    sid: &StudentId,
) -> Result<bool, Error> {
    let sql = "DELETE FROM extensions WHERE course = ? AND assignment = ? AND sid = ?";
    let removed = transaction.prepare_cached(sql)?.execute(params![
        place.course.to_string(),
        place.assignment.to_string(),
        sid.as_str(),
    ])?;
    Ok(removed > 0)
}

pub(super) fn all(
    connection: &Connection,
    course: &Label,
    assignment: &Label,
) -> Result<Vec<Given>, Error> {
    let sql = "SELECT given_at, extension FROM extensions \
               WHERE course = ? AND assignment = ? ORDER BY sid";
    let mut query = connection.prepare_cached(sql)?;
    let rows = query.query_map([course.to_string(), assignment.to_string()], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
    })?;
    let altered = || Error::CoursesAltered {
        name: format!("{course}/{assignment}"),
    };
    rows.map(|row| {
        let (at, extension) = row?;
        Ok(Given {
            extension: serde_json::from_str(&extension).map_err(|_| altered())?,
            at: from_seconds(at.unsigned_abs()),
        })
    })
    .collect()
}

pub(super) fn own(
    connection: &Connection,
    course: &Label,
    assignment: &Label,
    sids: &[StudentId],
) -> Result<Vec<Extension>, Error> {
    let sql = "SELECT extension FROM extensions \
               WHERE course = ? AND assignment = ? AND sid = ?";
    let mut query = connection.prepare_cached(sql)?;
    let mut found = Vec::new();
    for sid in sids {
        let key = [course.to_string(), assignment.to_string(), sid.to_string()];
        let stored: Option<String> = query.query_row(key, |row| row.get(0)).optional()?;
        if let Some(extension) = stored {
            let extension = serde_json::from_str(&extension);
            found.push(extension.map_err(|_| Error::CoursesAltered {
                name: format!("{course}/{assignment}"),
            })?);
        }
    }
    Ok(found)
}
