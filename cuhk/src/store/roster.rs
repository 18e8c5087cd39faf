//! Students.

use rusqlite::{Connection, OptionalExtension, Row, params};
use rustls_pki_types::UnixTime;
use scb_certs::StudentId;

use super::{convert, seal};
use crate::Error;

/// A student as the registry lists them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Student {
    /// The student ID.
    pub sid: StudentId,
    /// The name, in any script.
    pub name: String,
    /// The e-mail address; may be empty.
    pub email: String,
    /// The programme of study; may be empty.
    pub programme: String,
    /// Whether certificates may be issued to and used by this student.
    pub active: bool,
}

/// What importing a row changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The student is new.
    Added,
    /// Name, e-mail address or programme changed.
    Updated,
    /// All as it was.
    Unchanged,
}

/// The roster: who is a student.
#[derive(Debug)]
pub struct Roster<'a> {
    connection: &'a Connection,
}

impl<'a> Roster<'a> {
    pub(super) fn on(connection: &'a Connection) -> Self {
        Self { connection }
    }

    /// One student.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn find(&self, sid: &StudentId) -> Result<Option<Student>, Error> {
        let raw = self
            .connection
            .prepare_cached(
                "SELECT sid, name, email, programme, active FROM student WHERE sid = ?1",
            )?
            .query_row([sid.as_str()], raw)
            .optional()?;
        raw.map(|raw| self.student(raw)).transpose()
    }

    /// An active student whose ID differs from this one in upper and lower case only.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::RecordInvalid`].
    pub(crate) fn otherwise_spelt(&self, sid: &StudentId) -> Result<Option<StudentId>, Error> {
        let other: Option<String> = self
            .connection
            .prepare_cached(
                "SELECT sid FROM student
                 WHERE sid = ?1 COLLATE NOCASE AND sid <> ?1 AND active = 1 LIMIT 1",
            )?
            .query_row([sid.as_str()], |row| row.get(0))
            .optional()?;
        let read = |other: String| {
            other
                .parse()
                .map_err(|_| Error::RecordInvalid { what: "student ID" })
        };
        other.map(read).transpose()
    }

    /// All students, by ID.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn all(&self) -> Result<Vec<Student>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT sid, name, email, programme, active FROM student ORDER BY sid",
        )?;
        let rows = statement.query_map([], raw)?;
        rows.map(|row| self.student(row?)).collect()
    }

    /// Each student, by ID, one after another as they are read.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], and what `visit` returns.
    pub fn each(&self, mut visit: impl FnMut(Student) -> Result<(), Error>) -> Result<(), Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT sid, name, email, programme, active FROM student ORDER BY sid",
        )?;
        let mut rows = statement.query_map([], raw)?;
        rows.try_for_each(|row| visit(self.student(row?)?))
    }

    /// Looks whether every student's row is what was stored.
    ///
    /// # Errors
    ///
    /// [`Error::RecordInvalid`], [`Error::Storage`].
    pub fn check(&self) -> Result<(), Error> {
        seal::STUDENT.check_all(self.connection)
    }

    /// How many students are active.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn count_active(&self) -> Result<u64, Error> {
        let count = self
            .connection
            .prepare_cached("SELECT count(*) FROM student WHERE active")?
            .query_one([], |row| row.get(0))?;
        convert::number(count)
    }

    /// The active students whom `listed` does not know, by ID.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn active_except(
        &self,
        listed: impl Fn(&StudentId) -> bool,
    ) -> Result<Vec<StudentId>, Error> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT sid FROM student WHERE active ORDER BY sid")?;
        let mut rows = statement.query([])?;
        let mut others = Vec::new();
        while let Some(row) = rows.next()? {
            let sid = student_id(row.get_ref(0)?.as_str().unwrap_or_default())?;
            if !listed(&sid) {
                others.push(sid);
            }
        }
        Ok(others)
    }

    /// Notes that a suspended student was missing from the roster that was imported: who is
    /// listed again is restored. Suspending or restoring the student forgets it.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], also for an unknown student.
    pub(crate) fn note_missing(&self, sid: &StudentId, now: UnixTime) -> Result<(), Error> {
        self.connection
            .prepare_cached("INSERT INTO missing_student (sid, noted_at) VALUES (?1, ?2)")?
            .execute(params![sid.as_str(), convert::seconds(now)])?;
        Ok(())
    }

    /// Whether a student is suspended only because a roster did not list them.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn is_noted_missing(&self, sid: &StudentId) -> Result<bool, Error> {
        let noted = self
            .connection
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM missing_student WHERE sid = ?1)")?
            .query_one([sid.as_str()], |row| row.get(0))?;
        Ok(noted)
    }

    /// Notes since when a student is suspended: restoring the student forgets it.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], also for an unknown student.
    pub(crate) fn note_left(&self, sid: &StudentId, now: UnixTime) -> Result<(), Error> {
        self.connection
            .prepare_cached("INSERT OR IGNORE INTO left_student (sid, since) VALUES (?1, ?2)")?
            .execute(params![sid.as_str(), convert::seconds(now)])?;
        Ok(())
    }

    /// Adds a student, or corrects name, e-mail address and programme. Whether a student who
    /// is listed already is active stays as it is.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn import(&self, student: &Student, now: UnixTime) -> Result<Change, Error> {
        let change = match self.find(&student.sid)? {
            None => Change::Added,
            Some(known)
                if Student {
                    active: student.active,
                    ..known.clone()
                } == *student =>
            {
                return Ok(Change::Unchanged);
            }
            Some(_) => Change::Updated,
        };
        self.connection
            .prepare_cached(
                "INSERT INTO student (sid, name, email, programme, active, added_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (sid) DO UPDATE SET
                     name = excluded.name, email = excluded.email, programme = excluded.programme",
            )?
            .execute(params![
                student.sid.as_str(),
                student.name,
                student.email,
                student.programme,
                student.active,
                convert::seconds(now),
            ])?;
        seal::STUDENT.seal(self.connection, &student.sid.as_str())?;
        // Whoever is new, or is given another name or address, has not left yet.
        self.connection
            .prepare_cached("UPDATE left_student SET since = max(since, ?2) WHERE sid = ?1")?
            .execute(params![student.sid.as_str(), convert::seconds(now)])?;
        Ok(change)
    }

    /// Marks a student as no longer active; answers whether that is a change.
    ///
    /// # Errors
    ///
    /// [`Error::StudentUnknown`].
    pub fn suspend(&self, sid: &StudentId) -> Result<bool, Error> {
        self.mark(sid, false)
    }

    /// Marks a student as active again; answers whether that is a change.
    ///
    /// # Errors
    ///
    /// [`Error::StudentUnknown`].
    pub fn restore(&self, sid: &StudentId) -> Result<bool, Error> {
        self.mark(sid, true)
    }

    fn mark(&self, sid: &StudentId, active: bool) -> Result<bool, Error> {
        self.connection
            .prepare_cached("DELETE FROM missing_student WHERE sid = ?1")?
            .execute([sid.as_str()])?;
        match self.find(sid)? {
            None => Err(Error::StudentUnknown(sid.clone())),
            Some(student) if student.active == active => Ok(false),
            Some(_) => {
                self.connection
                    .prepare_cached("DELETE FROM left_student WHERE sid = ?1")?
                    .execute([sid.as_str()])?;
                self.connection
                    .prepare_cached("UPDATE student SET active = ?2 WHERE sid = ?1")?
                    .execute(params![sid.as_str(), active])?;
                seal::STUDENT.seal(self.connection, &sid.as_str())?;
                Ok(true)
            }
        }
    }

    fn student(&self, (sid, name, email, programme, active): Raw) -> Result<Student, Error> {
        seal::STUDENT.check(self.connection, &sid)?;
        Ok(Student {
            sid: student_id(&sid)?,
            name,
            email,
            programme,
            active,
        })
    }
}

fn student_id(text: &str) -> Result<StudentId, Error> {
    text.parse()
        .map_err(|_| Error::RecordInvalid { what: "student ID" })
}

type Raw = (String, String, String, String, bool);

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok((
        row.get(0)?,
        row.get(1)?,
        row.get(2)?,
        row.get(3)?,
        row.get(4)?,
    ))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::store::temporary;

    fn wong() -> Student {
        Student {
            sid: "1155000001".parse().unwrap(),
            name: "王小明".into(),
            email: "wong@example.edu".into(),
            programme: "CSCI".into(),
            active: true,
        }
    }

    #[test]
    fn importing_twice_changes_once() {
        let (_dir, store) = temporary();
        let now = convert::time(1).unwrap();
        let import = |student: Student| {
            store
                .write_blocking(move |records| records.roster().import(&student, now))
                .unwrap()
        };
        assert_eq!(import(wong()), Change::Added);
        assert_eq!(import(wong()), Change::Unchanged);
        let renamed = Student {
            name: "王大明".into(),
            ..wong()
        };
        assert_eq!(import(renamed.clone()), Change::Updated);
        let all = store
            .read_blocking(|records| records.roster().all())
            .unwrap();
        assert_eq!(all, [renamed]);
    }

    #[test]
    fn importing_does_not_bring_back_whom_somebody_took_out() {
        let (_dir, store) = temporary();
        let now = convert::time(1).unwrap();
        store
            .write_blocking(move |records| {
                let roster = records.roster();
                roster.import(&wong(), now)?;
                assert!(roster.suspend(&wong().sid)?);
                assert!(!roster.suspend(&wong().sid)?);
                assert_eq!(roster.import(&wong(), now)?, Change::Unchanged);
                let renamed = Student {
                    name: "x".into(),
                    ..wong()
                };
                assert_eq!(roster.import(&renamed, now)?, Change::Updated);
                assert!(!roster.find(&wong().sid)?.unwrap().active);
                assert_eq!(roster.count_active()?, 0);
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn who_is_not_listed_is_found_among_the_active_ones() {
        let (_dir, store) = temporary();
        let now = convert::time(1).unwrap();
        store
            .write_blocking(move |records| {
                let roster = records.roster();
                for sid in ["1155000003", "1155000001", "1155000002", "1155000004"] {
                    let sid = sid.parse().unwrap();
                    roster.import(&Student { sid, ..wong() }, now)?;
                }
                roster.suspend(&"1155000004".parse().unwrap())?;
                let others = roster.active_except(|sid| sid.as_str() == "1155000002")?;
                let others: Vec<_> = others.iter().map(StudentId::as_str).collect();
                assert_eq!(others, ["1155000001", "1155000003"]);
                assert!(roster.active_except(|_| true)?.is_empty());
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn what_somebody_does_by_hand_replaces_the_note_of_an_import() {
        let (_dir, store) = temporary();
        let now = convert::time(1).unwrap();
        store
            .write_blocking(move |records| {
                let (roster, sid) = (records.roster(), wong().sid);
                roster.import(&wong(), now)?;
                for by_hand in [Roster::suspend, Roster::restore] {
                    roster.suspend(&sid)?;
                    assert!(!roster.is_noted_missing(&sid)?);
                    roster.note_missing(&sid, now)?;
                    assert!(roster.is_noted_missing(&sid)?);
                    by_hand(&roster, &sid)?;
                    assert!(!roster.is_noted_missing(&sid)?);
                }
                let unknown = "1155000009".parse().unwrap();
                assert!(roster.note_missing(&unknown, now).is_err());
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn an_unknown_student_stays_unknown() {
        let (_dir, store) = temporary();
        store
            .write_blocking(|records| {
                let sid = "1155000009".parse().unwrap();
                assert_eq!(records.roster().find(&sid)?, None);
                for refused in [
                    records.roster().restore(&sid),
                    records.roster().suspend(&sid),
                ] {
                    assert!(matches!(refused, Err(Error::StudentUnknown(_))));
                }
                assert_eq!(records.roster().find(&sid)?, None);
                Ok(())
            })
            .unwrap();
    }
}
