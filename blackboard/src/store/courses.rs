//! Courses and who is in them.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use rustls_pki_types::UnixTime;
use scb_certs::StudentId;
use scb_protocol::from_seconds;
use scb_protocol::rules::Title;
use scb_protocol::statement::Label;

use super::{Error, Store, as_integer};

/// Who is in a course.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Membership {
    /// Every student whom CUHK stands by.
    Anybody,
    /// Those who are listed; how many they are.
    Listed(u64),
}

/// A course.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Course {
    /// Its short name.
    pub(crate) course: Label,
    /// What it is called.
    pub(crate) title: Title,
    /// Who is in it.
    pub(crate) members: Membership,
    /// When it was added.
    pub(crate) added_at: UnixTime,
}

impl Store {
    /// Adds a course, for everybody or for those in the list.
    ///
    /// # Errors
    ///
    /// [`Error::CourseExists`]; [`Error::Storage`].
    pub(crate) fn add_course(
        &self,
        course: &Label,
        title: &Title,
        list: Option<Vec<StudentId>>,
        now: UnixTime,
    ) -> Result<(), Error> {
        let (course, title) = (course.clone(), title.clone());
        self.enter_blocking(move |transaction| {
            insert(transaction, &course, &title, now)?;
            replace_members(transaction, &course, list.as_deref())
        })
    }

    /// Lets everybody into the course, or those in the list and nobody else.
    ///
    /// # Errors
    ///
    /// [`Error::NoCourse`]; [`Error::Storage`].
    pub(crate) fn set_members(
        &self,
        course: &Label,
        list: Option<Vec<StudentId>>,
    ) -> Result<(), Error> {
        let course = course.clone();
        self.enter_blocking(move |transaction| {
            require(transaction, &course)?;
            replace_members(transaction, &course, list.as_deref())
        })
    }

    /// All courses, by name.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::CoursesAltered`].
    pub(crate) fn courses(&self) -> Result<Vec<Course>, Error> {
        self.database.read_blocking(all)
    }

    /// The course, and its class list in order; `None` if everybody is in it.
    ///
    /// # Errors
    ///
    /// [`Error::NoCourse`]; [`Error::Storage`], [`Error::CoursesAltered`].
    pub(crate) fn class_list(&self, course: &Label) -> Result<Option<Vec<StudentId>>, Error> {
        let course = course.clone();
        self.database
            .read_blocking(move |connection| listed(connection, &course))
    }
}

/// The course, if there is one.
pub(super) fn find(connection: &Connection, course: &Label) -> Result<Option<Course>, Error> {
    let sql = format!("{SELECT} WHERE course = ? AND removed_at IS NULL");
    let mut query = connection.prepare_cached(&sql)?;
    let found = query.query_row([course.to_string()], raw).optional()?;
    found.map(complete).transpose()
}

pub(super) fn require(connection: &Connection, course: &Label) -> Result<Course, Error> {
    find(connection, course)?.ok_or_else(|| Error::NoCourse {
        course: course.clone(),
    })
}

pub(super) fn insert(
    transaction: &Transaction<'_>,
    course: &Label,
    title: &Title,
    now: UnixTime,
) -> Result<(), Error> {
    if find(transaction, course)?.is_some() {
        let course = course.clone();
        return Err(Error::CourseExists { course });
    }
    let sql = "INSERT INTO courses (course, title, listed, added_at) VALUES (?, ?, 0, ?) \
               ON CONFLICT DO UPDATE SET title = excluded.title, listed = 0, \
               added_at = excluded.added_at, removed_at = NULL";
    let at = as_integer(now.as_secs());
    transaction
        .prepare_cached(sql)?
        .execute(params![course.to_string(), title.to_string(), at])?;
    Ok(())
}

/// Takes it back, and its class list. It may be added again.
pub(super) fn remove(
    transaction: &Transaction<'_>,
    course: &Label,
    now: UnixTime,
) -> Result<(), Error> {
    replace_members(transaction, course, None)?;
    let sql = "UPDATE courses SET removed_at = ? WHERE course = ?";
    let row = params![as_integer(now.as_secs()), course.to_string()];
    transaction.prepare_cached(sql)?.execute(row)?;
    Ok(())
}

/// Whether there ever was one, also one that was taken back.
pub(super) fn were_any(connection: &Connection) -> Result<bool, Error> {
    let mut query = connection.prepare_cached("SELECT 1 FROM courses LIMIT 1")?;
    Ok(query.exists([])?)
}

/// Those of the students who are not in the course.
pub(super) fn outsiders(
    connection: &Connection,
    course: &Course,
    sids: &[StudentId],
) -> Result<Vec<StudentId>, Error> {
    if course.members == Membership::Anybody {
        return Ok(Vec::new());
    }
    let sql = "SELECT 1 FROM course_members WHERE course = ? AND sid = ?";
    let mut query = connection.prepare_cached(sql)?;
    let mut outsiders = Vec::new();
    for sid in sids {
        if !query.exists([course.course.to_string(), sid.to_string()])? {
            outsiders.push(sid.clone());
        }
    }
    Ok(outsiders)
}

/// Whether this server has met the ID: on any class list, or of whoever has handed in.
pub(super) fn is_known(connection: &Connection, sid: &StudentId) -> Result<bool, Error> {
    let sql = "SELECT 1 FROM course_members WHERE sid = ?1 \
               UNION ALL SELECT 1 FROM parts WHERE sid = ?1 \
               UNION ALL SELECT 1 FROM backlog WHERE sid = ?1 \
               UNION ALL SELECT 1 FROM cosigners WHERE sid = ?1 LIMIT 1";
    Ok(connection.prepare_cached(sql)?.exists([sid.as_str()])?)
}

const SELECT: &str = "SELECT course, title, listed, added_at, \
    (SELECT count(*) FROM course_members WHERE course_members.course = courses.course) AS members \
    FROM courses";

pub(super) fn all(connection: &Connection) -> Result<Vec<Course>, Error> {
    let sql = format!("{SELECT} WHERE removed_at IS NULL ORDER BY course");
    let mut query = connection.prepare_cached(&sql)?;
    let rows = query.query_map([], raw)?;
    rows.map(|row| complete(row?)).collect()
}

struct RawCourse {
    course: String,
    title: String,
    listed: bool,
    members: i64,
    added_at: i64,
}

fn raw(row: &Row<'_>) -> rusqlite::Result<RawCourse> {
    Ok(RawCourse {
        course: row.get("course")?,
        title: row.get("title")?,
        listed: row.get("listed")?,
        members: row.get("members")?,
        added_at: row.get("added_at")?,
    })
}

fn complete(raw: RawCourse) -> Result<Course, Error> {
    let altered = |_| Error::CoursesAltered {
        name: raw.course.clone(),
    };
    Ok(Course {
        course: raw.course.parse().map_err(altered)?,
        title: raw.title.parse().map_err(altered)?,
        members: match raw.listed {
            false => Membership::Anybody,
            true => Membership::Listed(raw.members.unsigned_abs()),
        },
        added_at: from_seconds(raw.added_at.unsigned_abs()),
    })
}

/// The class list of a course in order; none where everybody is in it.
pub(super) fn listed(
    connection: &Connection,
    course: &Label,
) -> Result<Option<Vec<StudentId>>, Error> {
    match require(connection, course)?.members {
        Membership::Anybody => Ok(None),
        Membership::Listed(_) => members(connection, course).map(Some),
    }
}

fn members(connection: &Connection, course: &Label) -> Result<Vec<StudentId>, Error> {
    let sql = "SELECT sid FROM course_members WHERE course = ? ORDER BY sid";
    let mut query = connection.prepare_cached(sql)?;
    let rows = query.query_map([course.to_string()], |row| row.get::<_, String>(0))?;
    let altered = || Error::CoursesAltered {
        name: course.to_string(),
    };
    rows.map(|row| row?.parse().map_err(|_| altered()))
        .collect()
}

fn replace_members(
    transaction: &Transaction<'_>,
    course: &Label,
    list: Option<&[StudentId]>,
) -> Result<(), Error> {
    let name = course.to_string();
    transaction
        .prepare_cached("DELETE FROM course_members WHERE course = ?")?
        .execute([&name])?;
    transaction
        .prepare_cached("UPDATE courses SET listed = ? WHERE course = ?")?
        .execute(params![list.is_some(), name])?;
    let sql = "INSERT INTO course_members (course, sid) VALUES (?, ?) ON CONFLICT DO NOTHING";
    let mut statement = transaction.prepare_cached(sql)?;
    for sid in list.unwrap_or_default() {
        statement.execute([&name, sid.as_str()])?;
    }
    Ok(())
}
