//! Rejections of verified members are entered in the log of the assignment, so that nobody can say
//! later that they were not, or that there were others. How many are entered is bounded: nobody fills
//! a log with them.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, StudentId};
use scb_protocol::log_leaf::{Entry, Leaf, LogName, Refused, leaf_commitment};
use scb_protocol::message::proposal::RefusedSignature;
use scb_protocol::rejection::ENTERED_ONCE;
use scb_protocol::{COMMITMENT_SIZE, Code};
use serde::Serialize;

use super::{Error, Store, as_integer, log};

/// So many of each student are entered in an assignment's log within an hour.
pub(crate) const MOST_OF_ONE: usize = 10;
/// So many of all students are entered in an assignment's log within an hour.
pub(crate) const MOST_OF_ALL: usize = 1000;

/// Members who were verified, and whose statement was refused.
#[derive(Debug, Clone)]
pub(crate) struct Rejection {
    /// The log of the assignment that they named.
    pub(crate) log: LogName,
    /// Who they are, in order.
    pub(crate) members: Vec<StudentId>,
    /// SHA-256 of the statement's exact bytes.
    pub(crate) statement: Fingerprint,
}

/// A rejection that is in the log.
#[derive(Debug, Clone)]
pub(crate) struct Entered {
    /// The number of the entry.
    pub(crate) index: u64,
    /// When it was entered.
    pub(crate) at: UnixTime,
    /// The leaf's exact bytes.
    pub(crate) leaf: Vec<u8>,
}

/// What became of a rejection.
#[derive(Debug, Clone)]
pub(crate) enum Record {
    /// It is in the log.
    Entered(Entered),
    /// There is no such assignment: it is refused without an entry.
    NoLog,
    /// So is it where too many were entered of late.
    Full,
}

/// Whoever has not signed a proposal, and wanted to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Tried {
    pub(crate) sid: StudentId,
    #[serde(flatten)]
    pub(crate) refused: RefusedSignature,
}

impl Store {
    /// Enters a rejection; the same within an hour is entered once.
    ///
    /// # Errors
    ///
    /// [`Error::Leaf`], [`Error::Storage`].
    pub(crate) async fn enter_rejection(
        &self,
        rejection: Rejection,
        code: Code,
        at: UnixTime,
    ) -> Result<Record, Error> {
        self.database
            .write(move |transaction| {
                let Rejection { log, .. } = &rejection;
                if log::size(transaction, log)? == 0 {
                    return Ok(Record::NoLog);
                }
                match admitted(of_late(transaction, log, at)?, &rejection, code) {
                    Room::Entered(entered) => Ok(Record::Entered(entered)),
                    Room::Full => Ok(Record::Full),
                    Room::ForThis => enter(transaction, rejection, code, at).map(Record::Entered),
                }
            })
            .await
    }

    /// What this entry of a log says of a refusal, if it says that.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) async fn refused_in(
        &self,
        log: LogName,
        index: u64,
    ) -> Result<Option<Refused>, Error> {
        self.database
            .read(move |connection| {
                let sql = "SELECT leaf FROM log_entries WHERE kind = 'refused' AND number = ? \
                           AND log = (SELECT id FROM logs WHERE origin = ?)";
                let mut query = connection.prepare_cached(sql)?;
                let leaf = query.query_row(params![as_integer(index), log.to_string()], |row| {
                    row.get::<_, Vec<u8>>(0)
                });
                Ok(leaf
                    .optional()?
                    .and_then(|leaf| read(&leaf))
                    .map(|(_, refused)| refused))
            })
            .await
    }
}

/// As the index has it: where is to be written as there.
const OF_STATEMENT: &str = "SELECT commitment, leaf FROM log_entries INDEXED BY log_entries_refused \
    WHERE log = (SELECT id FROM logs WHERE origin = ?1) AND kind = 'refused' \
    AND CASE WHEN json_valid(CAST(leaf AS TEXT)) \
    THEN json_extract(CAST(leaf AS TEXT), '$.entry.refused.statement_sha256') END = ?2 ORDER BY number";

/// Of these, who wanted to sign the statement with this hash, and was refused: the last time of each. What is not what
/// the log commits to says nothing.
pub(super) fn tried(
    connection: &Connection,
    log: &LogName,
    (statement, sids): (&Fingerprint, &[StudentId]),
) -> Result<Vec<Tried>, Error> {
    let mut query = connection.prepare_cached(OF_STATEMENT)?;
    let rows = query.query_map([log.to_string(), statement.to_string()], committed)?;
    let mut last = BTreeMap::new();
    for row in rows {
        let Some((_, Leaf { at, .. }, Refused { code, members, .. })) = row? else {
            continue;
        };
        let theirs = members.into_iter().filter(|sid| sids.contains(sid));
        last.extend(theirs.map(|sid| (sid, RefusedSignature { at, code })));
    }
    let tried = last.into_iter();
    Ok(tried.map(|(sid, refused)| Tried { sid, refused }).collect())
}

fn enter(
    transaction: &Transaction<'_>,
    rejection: Rejection,
    code: Code,
    at: UnixTime,
) -> Result<Entered, Error> {
    let entry = Entry::Refused(Refused {
        code,
        members: rejection.members,
        statement_sha256: Some(rejection.statement),
    });
    let log::Appended { index, at, leaf } = log::append(transaction, &rejection.log, at, entry)?;
    Ok(Entered { index, at, leaf })
}

/// Whether there is room for another entry.
enum Room {
    /// This very one is there.
    Entered(Entered),
    Full,
    ForThis,
}

fn admitted(of_late: Vec<(Entered, Refused)>, rejection: &Rejection, code: Code) -> Room {
    let is_it = |one: &Refused| {
        one.code == code
            && one.statement_sha256 == Some(rejection.statement)
            && one.members == rejection.members
    };
    let has_enough = |sid: &StudentId| {
        let own = of_late.iter().filter(|(_, one)| one.members.contains(sid));
        own.count() >= MOST_OF_ONE
    };
    let is_full = of_late.len() >= MOST_OF_ALL || rejection.members.iter().any(has_enough);
    match of_late.into_iter().find(|(_, one)| is_it(one)) {
        Some((entered, _)) => Room::Entered(entered),
        None if is_full => Room::Full,
        None => Room::ForThis,
    }
}

/// What was entered in the last hour. What is not what the log commits to is not: Blackboard would sign it once more.
fn of_late(
    connection: &Connection,
    log: &LogName,
    now: UnixTime,
) -> Result<Vec<(Entered, Refused)>, Error> {
    let sql = "SELECT commitment, leaf FROM log_entries \
               WHERE log = (SELECT id FROM logs WHERE origin = ?) AND kind = 'refused' AND at > ?";
    let mut query = connection.prepare_cached(sql)?;
    let since = as_integer(now.as_secs().saturating_sub(ENTERED_ONCE.as_secs()));
    let rows = query.query_map(params![log.to_string(), since], committed)?;
    let mut found = Vec::new();
    for row in rows {
        if let Some((leaf, Leaf { index, at, .. }, refused)) = row? {
            found.push((Entered { index, at, leaf }, refused));
        }
    }
    Ok(found)
}

/// The leaf of a row, with what it says; none if it is not what the log commits to.
fn committed(row: &Row<'_>) -> rusqlite::Result<Option<(Vec<u8>, Leaf, Refused)>> {
    let held: [u8; COMMITMENT_SIZE] = row.get(0)?;
    let bytes: Vec<u8> = row.get(1)?;
    let found = read(&bytes).filter(|_| leaf_commitment(&bytes) == held);
    Ok(found.map(|(leaf, refused)| (bytes, leaf, refused)))
}

fn read(leaf: &[u8]) -> Option<(Leaf, Refused)> {
    let leaf = Leaf::parse(leaf).ok()?;
    match &leaf.entry {
        Entry::Refused(refused) => {
            let refused = refused.clone();
            Some((leaf, refused))
        }
        _ => None,
    }
}
