//! Taking single students out of what a group has handed in, where that went wrong. Nothing is removed:
//! the log says for whom a version does not count, and every rule of counting asks it.

use rusqlite::{Connection, Transaction};
use rustls_pki_types::UnixTime;
use scb_certs::StudentId;
use scb_protocol::log_leaf::{Detached, Entry, Leaf, LogName, leaf_commitment};
use scb_protocol::rules::Detachments;
use scb_protocol::statement::{Statement, SubmissionNumber};

use super::{Error, Store, by_number, log};

/// What the teacher wants.
#[derive(Debug, Clone)]
pub(crate) struct Detaching {
    /// Of which version, who, and why.
    pub(crate) what: Detached,
    /// Whether it is to count for them again.
    pub(crate) undo: bool,
}

impl Detaching {
    /// What is entered of it, about these members.
    pub(crate) fn entry(&self, members: Vec<StudentId>) -> Entry {
        let what = Detached {
            members,
            ..self.what.clone()
        };
        match self.undo {
            true => Entry::Attached(what),
            false => Entry::Detached(what),
        }
    }
}

/// What comes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// For whom something is changed; of the others it was so already.
    pub(crate) changed: Vec<StudentId>,
    /// Whose the version is then: nothing is entered where that is nobody.
    pub(crate) left: Vec<StudentId>,
}

impl Store {
    /// For whom which versions of a version's assignment do not count.
    ///
    /// # Errors
    ///
    /// [`Error::CoursesAltered`], [`Error::Storage`].
    pub(crate) fn detachments(&self, statement: &Statement) -> Result<Detachments, Error> {
        let log = LogName::of(statement).map_err(Error::Leaf)?;
        self.database
            .read_blocking(move |connection| of(connection, &log))
    }

    /// What would come of it. Nothing is changed.
    ///
    /// # Errors
    ///
    /// [`Error::Altered`], [`Error::CoursesAltered`], [`Error::Storage`].
    pub(crate) fn would_detach(&self, wanted: &Detaching) -> Result<Outcome, Error> {
        let wanted = wanted.clone();
        let look = move |connection: &Connection| Ok(look(connection, &wanted)?.1);
        self.database.read_blocking(look)
    }

    /// Enters it, if it changes something and leaves the version to somebody.
    ///
    /// # Errors
    ///
    /// As for [`Store::would_detach`]; [`Error::ClockSetBack`], [`Error::PutBack`].
    pub(crate) fn detach(&self, wanted: Detaching, now: UnixTime) -> Result<Outcome, Error> {
        self.enter_blocking(move |transaction: &Transaction<'_>| {
            let (log, outcome) = look(transaction, &wanted)?;
            if !outcome.changed.is_empty() && !outcome.left.is_empty() {
                let entry = wanted.entry(outcome.changed.clone());
                log::append(transaction, &log, now, entry)?;
            }
            Ok(outcome)
        })
    }
}

fn look(connection: &Connection, wanted: &Detaching) -> Result<(LogName, Outcome), Error> {
    let number: SubmissionNumber = wanted.what.number;
    let record = by_number(connection, number)?.ok_or(Error::Altered { number })?;
    let statement = record.statement();
    let log = LogName::of(statement).map_err(Error::Leaf)?;
    let before = of(connection, &log)?;
    let members = statement.members.iter().map(|member| &member.sid);
    let (named, others): (Vec<_>, Vec<_>) =
        members.partition(|sid| wanted.what.members.contains(sid));
    let is_in = |sid: &&&StudentId| before.of(number, sid).is_none();
    let changes = |sid: &&&StudentId| is_in(sid) != wanted.undo;
    let changed: Vec<StudentId> = named.iter().filter(changes).copied().cloned().collect();
    let others = others.iter().filter(is_in).copied().cloned();
    let named = named.into_iter().cloned();
    let left = others.chain(named.filter(|_| wanted.undo)).collect();
    Ok((log, Outcome { changed, left }))
}

/// For whom which versions of the assignment of this log do not count.
///
/// # Errors
///
/// [`Error::CoursesAltered`] if an entry is not what was entered; [`Error::Storage`].
pub(super) fn of(connection: &Connection, log: &LogName) -> Result<Detachments, Error> {
    let sql = "SELECT commitment, leaf FROM log_entries JOIN logs ON log = id \
               WHERE origin = ? AND kind IN ('detached', 'attached') ORDER BY number";
    let mut query = connection.prepare_cached(sql)?;
    let mut rows = query.query([log.to_string()])?;
    let mut found = Detachments::default();
    while let Some(row) = rows.next()? {
        let (commitment, leaf): (Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?);
        let leaf = Some(leaf).filter(|leaf| leaf_commitment(leaf).as_slice() == commitment);
        let leaf = leaf.and_then(|leaf| Leaf::parse(&leaf).ok());
        let leaf = leaf.ok_or_else(|| Error::CoursesAltered {
            name: format!("{}/{}", log.course(), log.assignment()),
        })?;
        found.read(leaf.at, &leaf.entry);
    }
    Ok(found)
}
