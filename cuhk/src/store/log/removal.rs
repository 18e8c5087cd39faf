//! Old questions go, so that the database is bounded. Entries about certificates stay, those about what
//! operators did as long as the operations, and the newest entry about everybody, by which the next one
//! is numbered.

use rusqlite::{OptionalExtension, params};
use rustls_pki_types::UnixTime;
use scb_protocol::COMMITMENT_SIZE;

use super::Log;
use crate::Error;
use crate::store::convert;

/// What may go of the first `?1` entries: questions and entries whose content is lost, unless they
/// are the newest about their subject; and what holds operations that are gone, with others after them.
const OLD: &str = "FROM log_entry AS entry WHERE number < ?1 AND serial IS NULL
    AND (subject IS NULL OR EXISTS (SELECT 1 FROM log_entry AS later
         WHERE later.subject = entry.subject AND later.nth > entry.nth))
    AND (subject IS NOT 'cuhk/operations' OR json_extract(content, '$.operations')
         < (SELECT number FROM operation_removed))";

/// Each entry whose content is here, and when it was made: of what operators did, when that was.
const DATED: &str =
    "SELECT number, serial IS NOT NULL AS is_certificate, subject = 'cuhk/operations' AS is_pin,
    coalesce(json_extract(content, '$.at'), json_extract(content, '$.not_before')) AS at
    FROM log_entry WHERE content IS NOT NULL";

/// The first entry that is not older than `?1`. What a clock that was ahead has dated beyond `?2`, which is
/// now, is as old as the questions after it say: older, if one of them is. So is a certificate, if one that
/// was made after it is dated more than an hour (`?3`) before it: who looks later sees by nothing else that
/// the clock was ahead.
const FIRST_YOUNG: &str = "SELECT number FROM dated
    WHERE at >= ?1 AND (at <= ?2 AND NOT is_certificate OR number > (
        SELECT coalesce(max(number), -1) FROM dated
        WHERE at < ?1 AND NOT is_certificate AND NOT is_pin)
    OR is_certificate AND NOT EXISTS (
        SELECT 1 FROM dated AS next
        WHERE next.number > dated.number AND NOT next.is_pin AND next.at < dated.at - ?3))
    ORDER BY number LIMIT 1";

/// The first of the entries below `?1` that is from between `?2` and `?3`, unless the clock was ahead when
/// it was made: then one that was made after it is dated more than an hour (`?4`) before it.
const PASSED_OVER: &str = "SELECT number, at FROM dated
    WHERE number < ?1 AND at BETWEEN ?2 AND ?3 AND NOT EXISTS (
        SELECT 1 FROM dated AS next
        WHERE next.number > dated.number AND NOT next.is_pin AND next.at < dated.at - ?4)
    ORDER BY number LIMIT 1";

/// An hour, in seconds. A certificate begins ten minutes before it is entered.
const OUT_OF_ORDER: i64 = 60 * 60;

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

    /// All that an earlier build has removed has a smaller number in the log: entries about what operators did
    /// as well, and beyond young entries that are no questions. 0 if none has.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::RecordInvalid`].
    pub(crate) fn removed_by_questions(&self) -> Result<u64, Error> {
        let below: Option<i64> = self
            .connection
            .prepare_cached("SELECT by_questions_below FROM removed_questions")?
            .query_row([], |row| row.get(0))
            .optional()?;
        below.map_or(Ok(0), convert::number)
    }

    /// What would be removed `now` if every question from before `moment` went that is among the
    /// first `public` entries. The last of these stays, so that there is one to compare with the
    /// tiles; and so does everything from the first younger entry on, whatever it is about, also if the
    /// clock was set back later.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::RecordInvalid`].
    pub(crate) fn removal(
        &self,
        moment: UnixTime,
        now: UnixTime,
        public: u64,
    ) -> Result<Removed, Error> {
        let young: Option<i64> = self
            .connection
            .prepare_cached(&format!(
                "WITH dated AS NOT MATERIALIZED ({DATED}) {FIRST_YOUNG}"
            ))?
            .query_row(
                [
                    convert::seconds(moment),
                    convert::seconds(now),
                    OUT_OF_ORDER,
                ],
                |row| row.get(0),
            )
            .optional()?;
        let young = young.map_or(Ok(u64::MAX), convert::number)?;
        let below = young.min(public.saturating_sub(1));
        let so_far = self.removed()?;
        Ok(Removed {
            below: so_far.map_or(below, |so_far| so_far.below.max(below)),
            before: so_far.map_or(moment, |so_far| so_far.before.max(moment)),
        })
    }

    /// An entry of which such a removal says that it is older than it is, and when it was made: somebody
    /// else than [`Log::note_removed`] has written it down.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::RecordInvalid`].
    pub(crate) fn passed_over(
        &self,
        removed: Removed,
        now: UnixTime,
    ) -> Result<Option<(u64, UnixTime)>, Error> {
        let found: Option<(i64, i64)> = self
            .connection
            .prepare_cached(&format!(
                "WITH dated AS NOT MATERIALIZED ({DATED}) {PASSED_OVER}"
            ))?
            .query_row(
                params![
                    convert::integer(removed.below),
                    convert::seconds(removed.before),
                    convert::seconds(now),
                    OUT_OF_ORDER
                ],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()?;
        found
            .map(|(number, at)| Ok((convert::number(number)?, convert::time(at)?)))
            .transpose()
    }

    /// How many questions would go.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn count_old(&self, removed: Removed) -> Result<u64, Error> {
        let count = self
            .connection
            .prepare_cached(&format!(
                "SELECT count(*) {OLD} AND subject IS NOT 'cuhk/operations'"
            ))?
            .query_row([convert::integer(removed.below)], |row| row.get(0))?;
        convert::number(count)
    }

    /// How many questions there are.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn count_questions(&self) -> Result<u64, Error> {
        let count = self
            .connection
            .prepare_cached(
                "SELECT count(*) FROM log_entry
                 WHERE serial IS NULL AND subject IS NOT 'cuhk/operations'",
            )?
            .query_row([], |row| row.get(0))?;
        convert::number(count)
    }

    /// Writes down what is about to be removed: before the first of it goes.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn note_removed(&self, removed: Removed) -> Result<(), Error> {
        self.connection
            .prepare_cached(
                "INSERT INTO removed_questions (id, below, before) VALUES (1, ?1, ?2)
                 ON CONFLICT (id) DO UPDATE SET below = excluded.below, before = excluded.before",
            )?
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
