//! A roster's import on its way into the records: the steps that are left of it.

use rusqlite::{Connection, OptionalExtension, Row, params};
use rustls_pki_types::UnixTime;
use scb_certs::StudentId;

use super::convert;
use crate::Error;

/// One thing that an import does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// A student is added, or gets another name, address or programme.
    Correct {
        /// The student ID.
        sid: StudentId,
        /// The name.
        name: String,
        /// The e-mail address; may be empty.
        email: String,
        /// The programme of study; may be empty.
        programme: String,
    },
    /// A student is back whom an earlier import suspended.
    Restore(StudentId),
    /// A student is missing and is suspended.
    Suspend(StudentId),
    /// A student gets a code.
    Code {
        /// The student ID.
        sid: StudentId,
        /// What is stored of the code.
        digest: [u8; 32],
        /// When it was made.
        issued_at: UnixTime,
        /// When it ends.
        expires_at: UnixTime,
    },
}

/// An import that was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Begun {
    /// Whether all its steps are there, and it counts.
    pub(crate) decided: bool,
    /// How many steps are left.
    pub(crate) left: u64,
}

/// The one import that may be under way.
#[derive(Debug)]
pub(crate) struct Imports<'a> {
    connection: &'a Connection,
}

impl<'a> Imports<'a> {
    pub(super) fn on(connection: &'a Connection) -> Self {
        Self { connection }
    }

    /// Adds steps after those that are there. Nothing is done yet.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn stage(&self, steps: &[Step]) -> Result<(), Error> {
        self.connection
            .prepare_cached("INSERT OR IGNORE INTO roster_import (id, decided) VALUES (1, 0)")?
            .execute([])?;
        steps.iter().try_for_each(|step| self.add(step))
    }

    fn add(&self, step: &Step) -> Result<(), Error> {
        let mut row = Raw::of(step.deed(), step.sid());
        match step {
            Step::Restore(_) | Step::Suspend(_) => {}
            Step::Correct {
                name,
                email,
                programme,
                ..
            } => row.texts = Some((name.clone(), email.clone(), programme.clone())),
            Step::Code {
                digest,
                issued_at,
                expires_at,
                ..
            } => {
                let (issued_at, expires_at) =
                    (convert::seconds(*issued_at), convert::seconds(*expires_at));
                row.code = Some((*digest, issued_at, expires_at));
            }
        }
        row.insert(self.connection)
    }

    /// From here on the import counts: whoever finds steps finishes them.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn decide(&self) -> Result<(), Error> {
        self.connection
            .prepare_cached("UPDATE roster_import SET decided = 1")?
            .execute([])?;
        Ok(())
    }

    /// The import that is under way, or was interrupted.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn begun(&self) -> Result<Option<Begun>, Error> {
        let row: Option<(bool, i64)> = self
            .connection
            .prepare_cached(
                // The steps have consecutive numbers and go from the front.
                "SELECT decided,
                     coalesce((SELECT max(number) FROM roster_import_step)
                         - (SELECT min(number) FROM roster_import_step) + 1, 0)
                 FROM roster_import",
            )?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        row.map(|(decided, left)| {
            let left = convert::number(left)?;
            Ok(Begun { decided, left })
        })
        .transpose()
    }

    /// Takes the next steps from the front.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::RecordInvalid`].
    pub(crate) fn take(&self, most: usize) -> Result<Vec<Step>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT number, deed, sid, name, email, programme, digest, issued_at, expires_at
             FROM roster_import_step ORDER BY number LIMIT ?1",
        )?;
        let rows = statement.query_map([convert::integer(most as u64)], |row| {
            Ok((row.get::<_, i64>(0)?, Raw::read(row)?))
        })?;
        let mut last = None;
        let mut steps = Vec::new();
        for row in rows {
            let (number, raw) = row?;
            last = Some(number);
            steps.push(raw.step()?);
        }
        self.connection
            .prepare_cached("DELETE FROM roster_import_step WHERE number <= ?1")?
            .execute([last])?;
        Ok(steps)
    }

    /// Forgets the import and what is left of it.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn clear(&self) -> Result<(), Error> {
        for statement in [
            "DELETE FROM roster_import_step",
            "DELETE FROM roster_import",
        ] {
            self.connection.prepare_cached(statement)?.execute([])?;
        }
        Ok(())
    }
}

impl Step {
    fn deed(&self) -> &'static str {
        match self {
            Self::Correct { .. } => "correct",
            Self::Restore(_) => "restore",
            Self::Suspend(_) => "suspend",
            Self::Code { .. } => "code",
        }
    }

    fn sid(&self) -> &StudentId {
        match self {
            Self::Restore(sid) | Self::Suspend(sid) => sid,
            Self::Correct { sid, .. } | Self::Code { sid, .. } => sid,
        }
    }
}

/// A row: what belongs to one kind of step only is absent from the others.
struct Raw {
    deed: String,
    sid: String,
    texts: Option<(String, String, String)>,
    code: Option<([u8; 32], i64, i64)>,
}

impl Raw {
    fn of(deed: &str, sid: &StudentId) -> Self {
        Self {
            deed: deed.to_owned(),
            sid: sid.to_string(),
            texts: None,
            code: None,
        }
    }

    fn insert(self, connection: &Connection) -> Result<(), Error> {
        let (name, email, programme) = unzip(self.texts);
        let (digest, issued_at, expires_at) = unzip(self.code);
        connection
            .prepare_cached(
                "INSERT INTO roster_import_step
                     (deed, sid, name, email, programme, digest, issued_at, expires_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                self.deed, self.sid, name, email, programme, digest, issued_at, expires_at
            ])?;
        Ok(())
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let name: Option<String> = row.get(3)?;
        let digest: Option<[u8; 32]> = row.get(6)?;
        Ok(Self {
            deed: row.get(1)?,
            sid: row.get(2)?,
            texts: match name {
                Some(name) => Some((name, row.get(4)?, row.get(5)?)),
                None => None,
            },
            code: match digest {
                Some(digest) => Some((digest, row.get(7)?, row.get(8)?)),
                None => None,
            },
        })
    }

    fn step(self) -> Result<Step, Error> {
        let altered = || Error::RecordInvalid {
            what: "step of an import",
        };
        let sid: StudentId = self.sid.parse().map_err(|_| altered())?;
        match (self.deed.as_str(), self.texts, self.code) {
            ("restore", None, None) => Ok(Step::Restore(sid)),
            ("suspend", None, None) => Ok(Step::Suspend(sid)),
            ("correct", Some((name, email, programme)), None) => Ok(Step::Correct {
                sid,
                name,
                email,
                programme,
            }),
            ("code", None, Some((digest, issued_at, expires_at))) => Ok(Step::Code {
                sid,
                digest,
                issued_at: convert::time(issued_at)?,
                expires_at: convert::time(expires_at)?,
            }),
            _ => Err(altered()),
        }
    }
}

fn unzip<A, B, C>(all: Option<(A, B, C)>) -> (Option<A>, Option<B>, Option<C>) {
    match all {
        Some((first, second, third)) => (Some(first), Some(second), Some(third)),
        None => (None, None, None),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::store::temporary;

    fn steps() -> Vec<Step> {
        let sid: StudentId = "1155000001".parse().unwrap();
        let text = |text: &str| text.to_owned();
        vec![
            Step::Correct {
                sid: sid.clone(),
                name: text("王小明"),
                email: text(""),
                programme: text("CSCI"),
            },
            Step::Restore(sid.clone()),
            Step::Suspend(sid.clone()),
            Step::Code {
                sid,
                digest: [7; 32],
                issued_at: convert::time(1000).unwrap(),
                expires_at: convert::time(2000).unwrap(),
            },
        ]
    }

    #[test]
    fn steps_come_back_as_they_were_and_in_order() {
        let (_dir, store) = temporary();
        store
            .write_blocking(|records| {
                let imports = records.imports();
                assert_eq!(imports.begun()?, None);
                imports.stage(&steps()[..3])?;
                imports.stage(&steps()[3..])?;
                let begun = |decided, left| Some(Begun { decided, left });
                assert_eq!(imports.begun()?, begun(false, 4));
                imports.decide()?;
                assert_eq!(imports.take(3)?, steps()[..3]);
                assert_eq!(imports.begun()?, begun(true, 1));
                assert_eq!(imports.take(3)?, steps()[3..]);
                assert_eq!(imports.take(3)?, []);
                assert_eq!(imports.begun()?, begun(true, 0));
                imports.clear()?;
                assert_eq!(imports.begun()?, None);
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn what_is_forgotten_is_not_done() {
        let (_dir, store) = temporary();
        store
            .write_blocking(|records| {
                let imports = records.imports();
                imports.stage(&steps())?;
                imports.clear()?;
                assert_eq!((imports.begun()?, imports.take(9)?), (None, vec![]));
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn a_step_that_nobody_wrote_like_this_is_noticed() {
        let (_dir, store) = temporary();
        let taken = store.write_blocking(|records| {
            records.imports().stage(&steps()[1..2])?;
            let change = "UPDATE roster_import_step SET sid = '../x'";
            records.connection.execute(change, [])?;
            records.imports().take(1)
        });
        assert!(matches!(taken, Err(Error::RecordInvalid { .. })));
    }
}
