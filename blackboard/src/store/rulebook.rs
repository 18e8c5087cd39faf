//! What was in force when, read from the assignment's log; and what binds the rules of now.

use rusqlite::{Connection, OptionalExtension, params};
use rustls_pki_types::UnixTime;
use scb_certs::Fingerprint;
use scb_protocol::from_seconds;
use scb_protocol::log_leaf::{Contents, Entry, Leaf, LogName, RulesEntry, leaf_commitment};
use scb_protocol::rules::{HandedIn, Rulebook, Rules};
use scb_protocol::statement::Statement;
use serde::de::DeserializeOwned;

use super::{Assignment, Error, Place, Store, as_integer, assignments, extensions, parts};

impl Store {
    /// The rules of an assignment, all extensions, and those of every moment before.
    ///
    /// # Errors
    ///
    /// [`Error::NoCourse`], [`Error::NoAssignment`], [`Error::CoursesAltered`]; [`Error::Storage`].
    pub(crate) fn rulebook(&self, place: &Place) -> Result<Rulebook, Error> {
        let place = place.clone();
        self.database.read_blocking(move |connection| {
            let rules = assignments::require(connection, &place)?.rules().clone();
            let log = LogName::new(&place.domain, &place.course, &place.assignment);
            load(connection, &log.map_err(Error::Leaf)?, rules)
        })
    }

    /// How many students have handed something in.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn handed_in(&self, place: &Place, now: UnixTime) -> Result<u64, Error> {
        let place = place.clone();
        self.database
            .read_blocking(move |connection| Ok(handed_in(connection, &place, now)?.0))
    }
}

/// That of the assignment of this log, with these rules of now.
pub(super) fn load(
    connection: &Connection,
    log: &LogName,
    rules: Rules,
) -> Result<Rulebook, Error> {
    let given = extensions::all(connection, log.course(), log.assignment())?;
    let mut book = Rulebook::new(rules, given.into_iter().map(|given| given.extension));
    let sql = "SELECT number, commitment, leaf FROM log_entries JOIN logs ON log = id \
               WHERE origin = ? AND kind IN ('rules', 'extension') ORDER BY number";
    let mut query = connection.prepare_cached(sql)?;
    let mut rows = query.query([log.to_string()])?;
    let altered = || Error::CoursesAltered {
        name: format!("{}/{}", log.course(), log.assignment()),
    };
    while let Some(row) = rows.next()? {
        let (commitment, leaf): (Vec<u8>, Vec<u8>) = (row.get(1)?, row.get(2)?);
        if leaf_commitment(&leaf).as_slice() != commitment {
            return Err(altered());
        }
        let leaf = Leaf::parse(&leaf).map_err(|_| altered())?;
        enter(&mut book, leaf).ok_or_else(altered)?;
    }
    Ok(book)
}

/// The entries of a log that say which rules hold from then on, the latest first, with their times.
pub(super) fn announced(
    connection: &Connection,
    log: &LogName,
) -> Result<Vec<(u64, UnixTime)>, Error> {
    let sql = "SELECT number, at FROM log_entries JOIN logs ON log = id \
               WHERE origin = ? AND kind = 'rules' AND at IS NOT NULL ORDER BY number DESC";
    let mut query = connection.prepare_cached(sql)?;
    let rows = query.query_map([log.to_string()], |row| {
        let (number, at): (i64, i64) = (row.get(0)?, row.get(1)?);
        Ok((number.unsigned_abs(), from_seconds(at.unsigned_abs())))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// That of the assignment which a statement names, if there is one.
pub(super) fn of_statement(
    connection: &Connection,
    statement: &Statement,
) -> Result<Option<Rulebook>, Error> {
    let found = assignments::find(connection, &statement.course, &statement.assignment)?;
    let log = LogName::of(statement).map_err(Error::Leaf)?;
    let load = |found: Assignment| load(connection, &log, found.rules().clone());
    found.map(load).transpose()
}

/// Nothing for what cannot be read.
fn enter(book: &mut Rulebook, leaf: Leaf) -> Option<()> {
    match leaf.entry {
        Entry::Rules(rules) => book.enter_rules(leaf.index, read(rules)?),
        Entry::Extension(extended) => book.enter_extended(leaf.index, read(extended)?),
        _ => return None,
    }
    Some(())
}

fn read<T: DeserializeOwned>(contents: Contents) -> Option<T> {
    serde_json::from_value(contents.into()).ok()
}

/// The last entry of rules before this one, if it is not lost.
pub(super) fn in_force(
    connection: &Connection,
    log: &LogName,
    before: u64,
) -> Result<Option<RulesEntry>, Error> {
    let sql = "SELECT number, commitment FROM log_entries JOIN logs ON log = id \
               WHERE origin = ? AND kind = 'rules' AND number < ? ORDER BY number DESC LIMIT 1";
    let mut query = connection.prepare_cached(sql)?;
    let key = params![log.to_string(), as_integer(before)];
    let entry = query.query_row(key, |row| {
        let index: i64 = row.get(0)?;
        Ok(RulesEntry {
            index: index.unsigned_abs(),
            leaf_sha256: Fingerprint::from_bytes(row.get(1)?),
        })
    });
    Ok(entry.optional()?)
}

/// How many students have handed something in, and how far that binds the rules. What was signed
/// and may still come is one more version.
pub(super) fn handed_in(
    connection: &Connection,
    place: &Place,
    now: UnixTime,
) -> Result<(u64, HandedIn), Error> {
    let sql = "SELECT count(*), coalesce(max(versions), 0) FROM (SELECT count(*) AS versions \
               FROM parts WHERE course = ? AND assignment = ? GROUP BY sid)";
    let mut query = connection.prepare_cached(sql)?;
    let key = [place.course.to_string(), place.assignment.to_string()];
    let (students, most): (i64, i64) =
        query.query_one(key, |row| Ok((row.get(0)?, row.get(1)?)))?;
    let uploads = parts::uploads(connection, place)?;
    let coming = uploads.values().any(|upload| upload.is_coming(now));
    let handed_in = match (coming, most) {
        (false, 0) => HandedIn::Nothing,
        (false, 1) => HandedIn::Once,
        _ => HandedIn::Repeatedly,
    };
    Ok((students.unsigned_abs(), handed_in))
}
