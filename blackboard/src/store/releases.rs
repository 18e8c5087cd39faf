//! The release of grades: since when students may see them is an entry of the log, which is signed.

use rusqlite::{Transaction, params};
use rustls_pki_types::UnixTime;
use scb_protocol::log_leaf::{Entry, LogName, Released};
use scb_protocol::receipt::SignedLeaf;

use super::{Error, Place, Store, as_integer, assignments, log};

impl Store {
    /// Lets students see the grades that are there now; answers how many are new to them. For those
    /// there is an entry in the log, signed with `sign`; for a large class several.
    ///
    /// # Errors
    ///
    /// [`Error::NoAssignment`]; [`Error::Receipt`] if it cannot be signed; [`Error::Storage`].
    pub(crate) fn release_grades<F>(
        &self,
        place: &Place,
        now: UnixTime,
        sign: F,
    ) -> Result<u64, Error>
    where
        F: Fn(Vec<u8>) -> Result<SignedLeaf, scb_protocol::Error> + Send + 'static,
    {
        let place = place.clone();
        self.enter_blocking(move |transaction| {
            assignments::require(transaction, &place)?;
            let name = LogName::new(&place.domain, &place.course, &place.assignment);
            let name = name.map_err(Error::Leaf)?;
            let hidden = hidden(transaction, &place)?;
            for entries in hidden.chunks(Released::MOST) {
                release(transaction, (&place, &name), entries, now, &sign)?;
            }
            Ok(hidden.len() as u64)
        })
    }
}

/// The entries of the grades that nobody may see yet.
fn hidden(transaction: &Transaction<'_>, place: &Place) -> Result<Vec<u64>, Error> {
    let sql = "SELECT log_index FROM grades \
               WHERE course = ? AND assignment = ? AND released_at IS NULL ORDER BY log_index";
    let mut query = transaction.prepare_cached(sql)?;
    let key = [place.course.to_string(), place.assignment.to_string()];
    let rows = query.query_map(key, |row| row.get::<_, i64>(0))?;
    Ok(rows
        .map(|row| row.map(i64::unsigned_abs))
        .collect::<Result<_, _>>()?)
}

fn release(
    transaction: &Transaction<'_>,
    (place, name): (&Place, &LogName),
    entries: &[u64],
    now: UnixTime,
    sign: &impl Fn(Vec<u8>) -> Result<SignedLeaf, scb_protocol::Error>,
) -> Result<(), Error> {
    let entry = Entry::Released(Released {
        entries: entries.to_vec(),
    });
    let entered = log::append(transaction, name, now, entry)?;
    let now = entered.at;
    let signed = sign(entered.leaf).map_err(Error::Receipt)?;
    let number = as_integer(entered.index);
    let sql = "INSERT INTO releases (log, number, signature) \
               VALUES ((SELECT id FROM logs WHERE origin = ?), ?, ?)";
    let row = params![name.to_string(), number, signed.signature];
    transaction.prepare_cached(sql)?.execute(row)?;
    let sql = "UPDATE grades SET released_at = ?, release_index = ? \
               WHERE course = ? AND assignment = ? AND log_index = ?";
    let mut update = transaction.prepare_cached(sql)?;
    for graded in entries {
        update.execute(params![
            as_integer(now.as_secs()),
            number,
            place.course.to_string(),
            place.assignment.to_string(),
            as_integer(*graded),
        ])?;
    }
    Ok(())
}
