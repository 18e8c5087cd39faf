//! The end of an assignment, as an entry of its log; and the entries themselves, for an archive.

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use rustls_pki_types::UnixTime;
use scb_certs::Crl;
use scb_protocol::log_leaf::{Closed, Entry, LogName};
use scb_protocol::statement::Statement;
use scb_protocol::{COMMITMENT_SIZE, SignedLogKeys, from_seconds};

use super::{
    Error, Place, Store, arrival, as_integer, assignments, extensions, log, proposals, revocation,
    uploading, witnessed,
};

/// Whether more may come for an assignment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closing {
    /// Nothing can: this entry of the log says so.
    Closed(u64),
    /// Work is taken until this moment, by the rules and the extensions; `None`: always.
    TakenUntil(Option<UnixTime>),
    /// Work was signed in time, and its files may come until this moment.
    UploadUntil(UnixTime),
    /// Something that everybody has signed and that is here waits for CUHK, or for room.
    Completing,
    /// Nothing more is taken, but what came in time may still be entered until this moment.
    Settling(UnixTime),
    /// No files may come any more; those that came in time may still be read back and stored until this moment.
    Storing(UnixTime),
}

/// For so many seconds files that all came in time are given to be read back, asked about and stored: at 40 MB/s
/// enough for 20 GiB.
const STORES: u64 = 600;

/// The last moment of which all files that came by then are stored by now.
pub(super) fn stored(now: UnixTime) -> UnixTime {
    from_seconds(now.as_secs().saturating_sub(STORES))
}

/// An entry as it is stored.
pub(crate) type StoredEntry = ([u8; COMMITMENT_SIZE], Option<Vec<u8>>);

/// What CUHK said of a log, as it is stored: its endorsement of the keys, and the newest
/// checkpoint that it cosigned.
pub(crate) type SaidByCuhk = (Option<SignedLogKeys>, Option<String>);

impl Store {
    /// Enters that nothing more is taken, if that is so and is not entered yet.
    ///
    /// # Errors
    ///
    /// [`Error::NoAssignment`], [`Error::Leaf`]; [`Error::Storage`].
    pub(crate) fn close_assignment(&self, place: &Place, now: UnixTime) -> Result<Closing, Error> {
        let place = place.clone();
        self.enter_blocking(move |transaction| close(transaction, &place, now))
    }

    /// The entry that closed the assignment, if nothing after it opened it again.
    ///
    /// # Errors
    ///
    /// [`Error::Leaf`]; [`Error::Storage`].
    pub(crate) fn closed_by(&self, place: &Place) -> Result<Option<u64>, Error> {
        let name = place.log()?;
        self.database
            .read_blocking(move |connection| entered(connection, &name))
    }

    /// Entries of a log from number `from` on, at most `most`.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn entries(
        &self,
        name: &LogName,
        from: u64,
        most: u64,
    ) -> Result<Vec<StoredEntry>, Error> {
        let name = name.clone();
        self.database
            .read_blocking(move |connection| entries(connection, &name, from, most))
    }

    /// The leaf of one entry; nothing if it is lost, or there is no such entry.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) async fn leaf_of(
        &self,
        name: &LogName,
        index: u64,
    ) -> Result<Option<Vec<u8>>, Error> {
        let name = name.clone();
        let read = move |connection: &Connection| entries(connection, &name, index, 1);
        let found = self.database.read(read).await?.into_iter().next();
        Ok(found.and_then(|(_, leaf)| leaf))
    }

    /// What CUHK said of a log. Nothing of it is verified here.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn said_by_cuhk(&self, name: &LogName) -> Result<SaidByCuhk, Error> {
        let name = name.clone();
        self.database.read_blocking(move |connection| {
            let endorsement = witnessed::endorsement(connection, &name)?;
            Ok((endorsement, witnessed::cosigned(connection, &name)?))
        })
    }

    /// The last revocation lists that were remembered.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn remembered_crls(&self) -> Result<Vec<Crl>, Error> {
        let lists = self.database.read_blocking(revocation::lists)?.into_iter();
        let parsed = lists.map(|der| Crl::from_der(&der));
        // One that cannot be read is as good as none: what needs it is refused for it.
        Ok(parsed.filter_map(Result::ok).collect())
    }
}

fn close(transaction: &Transaction<'_>, place: &Place, now: UnixTime) -> Result<Closing, Error> {
    let rules = assignments::require(transaction, place)?.rules().clone();
    let extensions = extensions::all(transaction, &place.log()?)?;
    let last = rules.closes_for_all(extensions.iter().map(|given| &given.extension));
    if last.is_none_or(|last| now <= last) {
        return Ok(Closing::TakenUntil(last));
    }
    // Nothing is closed by the word of one row.
    proposals::put_right(transaction)?;
    // Each counts, also where its members have signed something else since.
    let uploads = uploading::of(transaction, place)?;
    let untils: Option<Vec<_>> = uploads.iter().map(|(upload, _)| upload.until).collect();
    let Some(untils) = untils else {
        return Ok(Closing::Completing);
    };
    let until = untils.into_iter().max();
    if let Some(until) = until.filter(|until| *until >= stored(now)) {
        return Ok(match until >= now {
            true => Closing::UploadUntil(until),
            false => Closing::Storing(from_seconds(until.as_secs().saturating_add(STORES))),
        });
    }
    if let Some(last) = last.filter(|last| arrival::settled(now) <= *last) {
        return Ok(Closing::Settling(arrival::settles_at(last)));
    }
    enter(transaction, place, now).map(Closing::Closed)
}

/// Looks whether anything may be accepted: by the log's own word nothing is after it was closed, unless it was
/// opened again.
///
/// # Errors
///
/// [`Error::LogClosed`]; [`Error::Storage`].
pub(super) fn check_open(connection: &Connection, statement: &Statement) -> Result<(), Error> {
    let name = LogName::of(statement).map_err(Error::Leaf)?;
    match entered(connection, &name)? {
        None => Ok(()),
        Some(index) => Err(Error::LogClosed {
            submission: statement.submission,
            log: name,
            index,
        }),
    }
}

/// The entry that is there, or a new one.
fn enter(transaction: &Transaction<'_>, place: &Place, now: UnixTime) -> Result<u64, Error> {
    let name = LogName::new(&place.domain, &place.course, &place.assignment);
    let name = name.map_err(Error::Leaf)?;
    if let Some(index) = entered(transaction, &name)? {
        return Ok(index);
    }
    let accepted = accepted(transaction, &name)?;
    let entry = Entry::Closed(Closed { accepted });
    Ok(log::append(transaction, &name, now, entry)?.index)
}

/// The entry that closed the assignment, if nothing after it opened it again.
fn entered(connection: &Connection, name: &LogName) -> Result<Option<u64>, Error> {
    let sql = format!(
        "SELECT number, kind FROM log_entries JOIN logs ON log = id \
         WHERE origin = ? AND (kind IS NULL OR kind IN ('closed', '{}')) \
         ORDER BY number DESC LIMIT 1",
        Entry::REOPENING.join("', '")
    );
    let mut query = connection.prepare_cached(&sql)?;
    let last: Option<(i64, Option<String>)> = query
        .query_row([name.to_string()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let closed = last.filter(|(_, kind)| kind.as_deref() == Some("closed"));
    Ok(closed.map(|(number, _)| number.unsigned_abs()))
}

fn accepted(connection: &Connection, name: &LogName) -> Result<u64, Error> {
    let sql = "SELECT count(*) FROM log_entries JOIN logs ON log = id \
               WHERE origin = ? AND kind IN ('accepted', 'restored')";
    let mut query = connection.prepare_cached(sql)?;
    let count: i64 = query.query_one([name.to_string()], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

pub(super) fn entries(
    connection: &Connection,
    name: &LogName,
    from: u64,
    most: u64,
) -> Result<Vec<StoredEntry>, Error> {
    let sql = "SELECT commitment, leaf FROM log_entries JOIN logs ON log = id \
               WHERE origin = ? AND number >= ? ORDER BY number LIMIT ?";
    let mut query = connection.prepare_cached(sql)?;
    let key = params![name.to_string(), as_integer(from), as_integer(most)];
    let rows = query.query_map(key, |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
