//! Extensions: more time for single students. What is given or taken back is an entry of the
//! assignment's log, in the same transaction.

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use rustls_pki_types::UnixTime;
use scb_certs::StudentId;
use scb_protocol::from_seconds;
use scb_protocol::log_leaf::{Entry, LogName};
use scb_protocol::rules::{Extended, Extension, ExtensionChange, Rules};

use super::assignments::{Place, enter, moment, object, require, text};
use super::entered::{self, EnteredExtension};
use super::{Error, Store, as_integer, courses};

/// An extension, and when it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Given {
    /// The extension.
    pub(crate) extension: Extension,
    /// When it was given.
    pub(crate) at: UnixTime,
}

/// Whether somebody who is not on the class list gets an extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotListed {
    /// Not: it is taken for a mistake.
    Refused,
    /// The class list comes later.
    Taken,
}

/// What is to be told of extensions that were changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Changed {
    /// Who has one, or has none any more.
    pub(crate) students: Vec<StudentId>,
    /// Of these, who is on no class list here and has never handed in anything.
    pub(crate) unknown: Vec<StudentId>,
    /// Of these, who has handed in before and has less time now.
    pub(crate) handed_in: Vec<StudentId>,
}

impl Store {
    /// Gives these students more time, in the place of what they had.
    ///
    /// # Errors
    ///
    /// [`Error::NoAssignment`], [`Error::Rules`]; [`Error::NotInCourse`] for a student who is not
    /// in the course, unless that is taken; [`Error::Backdated`]; [`Error::Storage`].
    pub(crate) fn extend(
        &self,
        place: Place,
        extensions: Vec<Extension>,
        not_listed: NotListed,
        now: UnixTime,
    ) -> Result<Changed, Error> {
        self.enter_blocking(move |transaction| {
            let rules = require(transaction, &place)?.rules().clone();
            let course = courses::require(transaction, &place.course)?;
            let sids: Vec<_> = extensions.iter().map(|one| one.sid.clone()).collect();
            let outsiders = courses::outsiders(transaction, &course, &sids)?;
            if let (NotListed::Refused, Some(sid)) = (not_listed, outsiders.last()) {
                let (course, sid) = (place.course, sid.clone());
                return Err(Error::NotInCourse { course, sid });
            }
            let now = moment(transaction, &place, now)?;
            let mut changed = Changed::default();
            for extension in &extensions {
                rules.check_extension(extension).map_err(Error::Rules)?;
                let change = (&extension.sid, Some(extension));
                amend(transaction, (&place, &rules), change, now)?.note(&mut changed);
                put_extension(transaction, &place, extension, now)?;
                // Each is an entry of its own, which the student is shown: it names nobody else.
                let entry = Extended {
                    given: vec![extension.clone()],
                    taken_back: Vec::new(),
                };
                enter(transaction, &place, now, Entry::Extension(object(&entry)?))?;
            }
            Ok(changed)
        })
    }

    /// Takes back the extensions of these students; answers of whom there was one.
    ///
    /// # Errors
    ///
    /// [`Error::NoAssignment`]; [`Error::Backdated`]; [`Error::Storage`].
    pub(crate) fn take_back(
        &self,
        place: Place,
        sids: Vec<StudentId>,
        now: UnixTime,
    ) -> Result<Changed, Error> {
        self.enter_blocking(move |transaction| {
            let rules = require(transaction, &place)?.rules().clone();
            let mut changed = Changed::default();
            for sid in sids {
                let step = amend(transaction, (&place, &rules), (&sid, None), now)?;
                if remove_extension(transaction, &place, &sid)? {
                    step.note(&mut changed);
                }
            }
            if !changed.students.is_empty() {
                let entry = Extended {
                    given: Vec::new(),
                    taken_back: changed.students.clone(),
                };
                enter(transaction, &place, now, Entry::Extension(object(&entry)?))?;
            }
            Ok(changed)
        })
    }

    /// The extensions of an assignment, by student.
    ///
    /// # Errors
    ///
    /// [`Error::NoAssignment`]; [`Error::Storage`], [`Error::RulesAltered`].
    pub(crate) fn extensions(&self, place: Place) -> Result<Vec<Given>, Error> {
        self.database.read_blocking(move |connection| {
            require(connection, &place)?;
            all(connection, &place.log()?)
        })
    }

    /// What was changed of them, and taken back, each with its entry, the latest first.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::RulesAltered`].
    pub(crate) fn extension_changes(&self, place: Place) -> Result<Vec<ExtensionChange>, Error> {
        self.database.read_blocking(move |connection| {
            entered::extension_changes(connection, &place.log()?, None)
        })
    }
}

#[cfg(test)]
impl Store {
    /// Gives several students more time by one entry, as it was done once.
    pub(crate) fn extend_together(
        &self,
        place: &Place,
        given: &[Extension],
        now: UnixTime,
    ) -> Result<(), Error> {
        let (place, given) = (place.clone(), given.to_vec());
        self.enter_blocking(move |transaction| {
            for extension in &given {
                put_extension(transaction, &place, extension, now)?;
            }
            let taken_back = Vec::new();
            let entry = object(&Extended { given, taken_back })?;
            enter(transaction, &place, now, Entry::Extension(entry))
        })
    }
}

/// One student's extension that takes the place of another, or of none.
struct Amended {
    sid: StudentId,
    is_unknown: bool,
    loses: bool,
}

impl Amended {
    fn note(self, changed: &mut Changed) {
        if self.is_unknown {
            changed.unknown.push(self.sid.clone());
        }
        if self.loses {
            changed.handed_in.push(self.sid.clone());
        }
        changed.students.push(self.sid);
    }
}

/// Checks what a student gets in the place of what he has: nothing that works backwards.
fn amend(
    transaction: &Transaction<'_>,
    (place, rules): (&Place, &Rules),
    (sid, other): (&StudentId, Option<&Extension>),
    now: UnixTime,
) -> Result<Amended, Error> {
    let own = own(transaction, &place.log()?, std::slice::from_ref(sid))?.pop();
    let checked = rules.check_extended(own.as_ref(), other, now);
    checked.map_err(|why| Error::Backdated {
        sid: sid.clone(),
        why,
    })?;
    let ends = |one: Option<&Extension>| (rules.due_for(one), rules.closes_for(one));
    let (was, is) = (ends(own.as_ref()), ends(other));
    Ok(Amended {
        is_unknown: !courses::is_known(transaction, sid)?,
        loses: (is.0 < was.0 || is.1 < was.1) && has_part(transaction, place, sid)?,
        sid: sid.clone(),
    })
}

fn has_part(connection: &Connection, place: &Place, sid: &StudentId) -> Result<bool, Error> {
    let sql = "SELECT 1 FROM parts WHERE course = ? AND assignment = ? AND sid = ?";
    let key = [
        place.course.to_string(),
        place.assignment.to_string(),
        sid.to_string(),
    ];
    Ok(connection.prepare_cached(sql)?.exists(key)?)
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

/// The extensions of an assignment, by student, as its log has them.
///
/// # Errors
///
/// [`Error::RulesAltered`] where they are others here; [`Error::Storage`].
pub(super) fn all(connection: &Connection, log: &LogName) -> Result<Vec<Given>, Error> {
    let sql = "SELECT sid, given_at, extension FROM extensions \
               WHERE course = ? AND assignment = ? ORDER BY sid";
    let mut query = connection.prepare_cached(sql)?;
    let rows = query.query_map(key(log), |row| {
        let (sid, at): (String, i64) = (row.get(0)?, row.get(1)?);
        Ok((sid, at, row.get::<_, String>(2)?))
    })?;
    let mut entered = entered::extensions(connection, log, None)?;
    let mut all = Vec::new();
    for row in rows {
        let (sid, at, stored) = row?;
        let sid: Result<StudentId, _> = sid.parse();
        let one = sid.ok().and_then(|sid| entered.remove(&sid));
        let one = one
            .map(|one| one.extension)
            .filter(|one| is_it(one, &stored));
        all.push(Given {
            extension: one.ok_or_else(|| entered::altered(log))?,
            at: from_seconds(at.unsigned_abs()),
        });
    }
    match entered.is_empty() {
        true => Ok(all),
        false => Err(entered::altered(log)),
    }
}

/// Those of these students, in their order.
///
/// # Errors
///
/// As [`all`].
pub(super) fn own(
    connection: &Connection,
    log: &LogName,
    sids: &[StudentId],
) -> Result<Vec<Extension>, Error> {
    let own = entries(connection, log, sids)?.into_iter();
    Ok(own.map(|one| one.extension).collect())
}

/// The same, with the entries that gave them.
pub(super) fn entries(
    connection: &Connection,
    log: &LogName,
    sids: &[StudentId],
) -> Result<Vec<EnteredExtension>, Error> {
    let sql = "SELECT extension FROM extensions \
               WHERE course = ? AND assignment = ? AND sid = ?";
    let mut query = connection.prepare_cached(sql)?;
    let mut found = Vec::new();
    for sid in sids {
        let [course, assignment] = key(log);
        let row = [course, assignment, sid.to_string()];
        let stored: Option<String> = query.query_row(row, |row| row.get(0)).optional()?;
        let entered = entered::extensions(connection, log, Some(sid))?.remove(sid);
        match (stored, entered) {
            (None, None) => {}
            (Some(stored), Some(one)) if is_it(&one.extension, &stored) => found.push(one),
            _ => return Err(entered::altered(log)),
        }
    }
    Ok(found)
}

fn is_it(entered: &Extension, stored: &str) -> bool {
    serde_json::from_str(stored).is_ok_and(|stored: Extension| stored == *entered)
}

fn key(log: &LogName) -> [String; 2] {
    [log.course().to_string(), log.assignment().to_string()]
}
