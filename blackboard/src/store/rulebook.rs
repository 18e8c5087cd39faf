//! What was in force when, read from the assignment's log; and what binds the rules of now.

use rusqlite::{Connection, OptionalExtension, params};
use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, StudentId};
use scb_protocol::log_leaf::{Accepted, Entry, Leaf, LogName, RulesEntry};
use scb_protocol::rules::{Extension, HandedIn, Rulebook, Rules};
use scb_protocol::statement::Statement;

use super::entered::{self, read};
use super::{Error, Place, Store, as_integer, assignments, extensions, uploading};

/// The entries of which a [`Rulebook`] is made.
const KINDS: [&str; 4] = ["rules", "extension", "detached", "attached"];

impl Store {
    /// The rules of an assignment, all extensions, and those of every moment before.
    ///
    /// # Errors
    ///
    /// [`Error::NoCourse`], [`Error::NoAssignment`], [`Error::RulesAltered`]; [`Error::Storage`].
    pub(crate) fn rulebook(&self, place: &Place) -> Result<Rulebook, Error> {
        let place = place.clone();
        self.database.read_blocking(move |connection| {
            let rules = assignments::require(connection, &place)?.rules().clone();
            let given = extensions::all(connection, &place.log()?)?.into_iter();
            let given = given.map(|given| given.extension).collect();
            load(connection, &place.log()?, (rules, given), None)
        })
    }

    /// Whether an acceptance names every extension that these members had when it was committed; no if the log
    /// cannot tell.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) async fn names_extensions(
        &self,
        log: &LogName,
        accepted: &Accepted,
        statement: Statement,
    ) -> Result<bool, Error> {
        let (log, named) = (log.clone(), accepted.extensions.clone());
        let Some(before) = accepted.committed_index else {
            return Ok(false);
        };
        let look =
            move |connection: &Connection| match extended(connection, &log, before, &statement) {
                Ok(had) => Ok(had.iter().all(|entry| named.contains(entry))),
                Err(Error::RulesAltered { .. }) => Ok(false),
                Err(error) => Err(error),
            };
        self.database.read(look).await
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

/// That of the assignment of this log, with these rules and extensions of now; before it, of all students or
/// of these.
fn load(
    connection: &Connection,
    log: &LogName,
    (rules, given): (Rules, Vec<Extension>),
    only: Option<&[StudentId]>,
) -> Result<Rulebook, Error> {
    let mut book = Rulebook::new(rules, given);
    for (leaf, _) in entered::leaves(connection, log, &KINDS, only)? {
        enter(&mut book, leaf).ok_or_else(|| entered::altered(log))?;
    }
    Ok(book)
}

/// That of the assignment which a statement names, if there is one, for its members.
pub(super) fn of_statement(
    connection: &Connection,
    statement: &Statement,
) -> Result<Option<Rulebook>, Error> {
    let log = LogName::of(statement).map_err(Error::Leaf)?;
    let found = assignments::find(connection, &log)?;
    let Some(found) = found else {
        return Ok(None);
    };
    let members = statement.members.iter().map(|member| member.sid.clone());
    let members: Vec<_> = members.collect();
    let given = extensions::own(connection, &log, &members)?;
    let of_now = (found.rules().clone(), given);
    load(connection, &log, of_now, Some(&members)).map(Some)
}

/// Nothing for what cannot be read.
fn enter(book: &mut Rulebook, leaf: Leaf) -> Option<()> {
    match leaf.entry {
        Entry::Rules(rules) => book.enter_rules(leaf.index, read(rules)?),
        Entry::Extension(extended) => book.enter_extended(leaf.index, read(extended)?),
        Entry::Detached(_) | Entry::Attached(_) => book.enter_detachment(leaf.at, &leaf.entry),
        _ => return None,
    }
    Some(())
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

/// The entries that gave these students the extensions that they had before this one, in their order; each
/// once.
pub(super) fn extended(
    connection: &Connection,
    log: &LogName,
    before: u64,
    statement: &Statement,
) -> Result<Vec<RulesEntry>, Error> {
    let mut found = Vec::new();
    for member in &statement.members {
        let sid = Some(&member.sid);
        let own = entered::extensions_before(connection, log, sid, before)?.remove(&member.sid);
        let entry = own.map(|own| RulesEntry {
            index: own.index,
            leaf_sha256: Fingerprint::of(&own.bytes),
        });
        found.extend(entry.filter(|entry| !found.contains(entry)));
    }
    Ok(found)
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
    let uploads = uploading::of(connection, place)?;
    let coming = uploads.iter().any(|(upload, _)| upload.is_coming(now));
    let handed_in = match (coming, most) {
        (false, 0) => HandedIn::Nothing,
        (false, 1) => HandedIn::Once,
        _ => HandedIn::Repeatedly,
    };
    Ok((students.unsigned_abs(), handed_in))
}
