//! Old questions go, so that the database is bounded. Entries about certificates stay, and the newest
//! entry about everybody, by which the next one is numbered.

use rusqlite::{OptionalExtension, params};
use rustls_pki_types::UnixTime;
use scb_protocol::COMMITMENT_SIZE;

use super::Log;
use crate::Error;
use crate::store::convert;

/// What may go of the first `?1` entries: questions and entries whose content is lost, unless they
/// are the newest about their subject.
const OLD: &str = "FROM log_entry AS entry WHERE number < ?1 AND serial IS NULL
    AND (subject IS NULL OR EXISTS (SELECT 1 FROM log_entry AS later
         WHERE later.subject = entry.subject AND later.nth > entry.nth))";

/// The first question that is not older than `?1`. One that a clock which was ahead has dated beyond
/// `?2`, which is now, is as old as the questions after it say: older, if one of them is.
const FIRST_YOUNG: &str = "SELECT number FROM log_entry
    WHERE serial IS NULL AND subject <> 'cuhk/operations' AND json_extract(content, '$.at') >= ?1
    AND (json_extract(content, '$.at') <= ?2 OR number > (
        SELECT coalesce(max(number), -1) FROM log_entry
        WHERE serial IS NULL AND subject <> 'cuhk/operations' AND json_extract(content, '$.at') < ?1))
    ORDER BY number LIMIT 1";

/// Which questions are no longer kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Removed {
    /// All of them have a smaller number in the log.
    pub below: u64,
    /// All of them were answered before this.
    pub before: UnixTime,
}

/// An entry of the log as the tiles have it: its number and its commitment.
pub(crate) type Numbered = (u64, [u8; COMMITMENT_SIZE]);

impl Log<'_> {
    /// What was removed so far, if anything was.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::RecordInvalid`].
    pub fn removed(&self) -> Result<Option<Removed>, Error> {
        let row = self
            .connection
            .prepare_cached("SELECT below, before FROM removed_questions")?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        row.map(|(below, before)| {
            Ok(Removed {
                below: convert::number(below)?,
                before: convert::time(before)?,
            })
        })
        .transpose()
    }

    /// What would be removed `now` if every question from before `moment` went that is among the
    /// first `public` entries. The last of these stays, so that there is one to compare with the
    /// tiles; and so does everything from the first younger question on, also if the clock was set
    /// back later.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::RecordInvalid`].
    pub fn removal(&self, moment: UnixTime, now: UnixTime, public: u64) -> Result<Removed, Error> {
        let young: Option<i64> = self
            .connection
            .prepare_cached(FIRST_YOUNG)?
            .query_row([convert::seconds(moment), convert::seconds(now)], |row| {
                row.get(0)
            })
            .optional()?;
        let young = young.map_or(Ok(u64::MAX), convert::number)?;
        let below = young.min(public.saturating_sub(1));
        let so_far = self.removed()?;
        Ok(Removed {
            below: so_far.map_or(below, |so_far| so_far.below.max(below)),
            before: so_far.map_or(moment, |so_far| so_far.before.max(moment)),
        })
    }

    /// How many entries would go.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn count_old(&self, removed: Removed) -> Result<u64, Error> {
        let count = self
            .connection
            .prepare_cached(&format!("SELECT count(*) {OLD}"))?
            .query_row([convert::integer(removed.below)], |row| row.get(0))?;
        convert::number(count)
    }

    /// How many questions there are.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn count_questions(&self) -> Result<u64, Error> {
        let count = self
            .connection
            .prepare_cached("SELECT count(*) FROM log_entry WHERE serial IS NULL")?
            .query_row([], |row| row.get(0))?;
        convert::number(count)
    }

    /// Writes down what is about to be removed: before the first of it goes.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn note_removed(&self, removed: Removed) -> Result<(), Error> {
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO removed_questions VALUES (1, ?1, ?2)")?
            .execute(params![
                convert::integer(removed.below),
                convert::seconds(removed.before)
            ])?;
        Ok(())
    }

    /// What is to go, from number `from` on, the oldest first, at most `most`.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn old(
        &self,
        removed: Removed,
        from: u64,
        most: usize,
    ) -> Result<Vec<Numbered>, Error> {
        let sql =
            format!("SELECT number, commitment {OLD} AND number >= ?2 ORDER BY number LIMIT ?3");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let (below, from) = (convert::integer(removed.below), convert::integer(from));
        let rows = statement.query_map(params![below, from, most as i64], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
        rows.map(|row| {
            let (number, commitment) = row?;
            Ok((convert::number(number)?, commitment))
        })
        .collect()
    }

    /// Removes an entry. The tiles must have it.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn remove(&self, number: u64) -> Result<(), Error> {
        self.connection
            .prepare_cached("DELETE FROM log_entry WHERE number = ?1")?
            .execute([convert::integer(number)])?;
        Ok(())
    }

    /// The largest checkpoint that a witness has cosigned; none without a witness.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::RecordInvalid`].
    pub fn witnessed(&self) -> Result<Option<u64>, Error> {
        let size: Option<i64> = self
            .connection
            .prepare_cached("SELECT max(size) FROM witness")?
            .query_row([], |row| row.get(0))?;
        size.map(convert::number).transpose()
    }
}
