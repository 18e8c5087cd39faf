//! The epoch: one number that grows with every change of anybody's status.

use std::time::Duration;

use rusqlite::Connection;
use rustls_pki_types::UnixTime;

use super::{Operations, convert};
use crate::Error;

/// Epochs for each second since 1970: they go on at the one that the moment has, from the first day on.
/// Nobody changes so much, so that what is put back, a backup or a snapshot of the machine, goes on beyond
/// all that was used since it was made. Below 2^53, which JSON carries, until 2141.
const PER_SECOND: u64 = 1_000_000;

/// The status epoch.
#[derive(Debug)]
pub struct Status<'a> {
    connection: &'a Connection,
}

impl<'a> Status<'a> {
    pub(super) fn on(connection: &'a Connection) -> Self {
        Self { connection }
    }

    /// The epoch of the last change.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn epoch(&self) -> Result<u64, Error> {
        let epoch = self
            .connection
            .prepare_cached("SELECT epoch FROM status WHERE id = 1")?
            .query_one([], |row| row.get(0))?;
        convert::number(epoch)
    }

    /// The latest time at which anything was recorded: a student, a code, a certificate, a revocation or
    /// what an operator did. Of operations it is the newest that counts, not the one with the latest time:
    /// none is noted by a clock behind it, unless somebody has vouched for that clock.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn last_recorded(&self) -> Result<Option<UnixTime>, Error> {
        let last: Option<i64> = self
            .connection
            .prepare_cached(
                // Each by an index; the greatest of several values is null if one of them is.
                "SELECT nullif(max(
                     coalesce((SELECT max(added_at) FROM student), -1),
                     coalesce((SELECT max(issued_at) FROM enrolment_code), -1),
                     coalesce((SELECT max(recorded_at) FROM certificate), -1),
                     coalesce((SELECT max(revoked_at) FROM certificate
                               WHERE revoked_at IS NOT NULL), -1)), -1)",
            )?
            .query_one([], |row| row.get(0))?;
        let done = Operations::on(self.connection).head()?;
        let done = done.map(|(_, _, at)| at);
        Ok(last.map(convert::time).transpose()?.max(done))
    }

    /// Goes on to the epoch of this moment, counted since 1970: beyond all that may have been used
    /// since an old backup was made, also after it was restored before.
    ///
    /// The epoch and `seen`, the latest time in the records, are later than that if a clock was ahead when
    /// they were written. So it goes beyond the later of both times by as much as has passed since [`FIRST_DAY`],
    /// and beyond the epoch by what has `passed` since the backup was made: the next restoration is beyond this one,
    /// whichever backup it is of, also when the time has overtaken those records.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn jump(
        &self,
        moment: Duration,
        seen: Option<UnixTime>,
        passed: Duration,
    ) -> Result<u64, Error> {
        let seen = seen.map_or(0, |seen| seen.as_secs().saturating_mul(PER_SECOND));
        let by_time = seen.max(epochs(moment)).saturating_add(epochs(age(moment)));
        let by_epoch = self.epoch()?.saturating_add(epochs(passed));
        self.reach(by_time.max(by_epoch))
    }

    /// Goes beyond a number of which somebody knows that it was given: an epoch, or the number of a list or
    /// of a trust bundle. As after [`Status::jump`], by as much as has passed since [`FIRST_DAY`]: a home that
    /// is put back again and told of the same number goes beyond what was given since the first time.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn go_beyond(&self, number: u64, moment: Duration) -> Result<u64, Error> {
        let next = number.saturating_add(1);
        self.reach(next.saturating_add(epochs(age(moment))))
    }

    /// Goes on to the next epoch: one more, or what the time has in microseconds if that is later, as
    /// [`Status::jump`] counts it. So a copy of the home that is put back without `cuhk restore`, as with a
    /// snapshot of the machine, uses no epoch again, however many changes one import has made meanwhile.
    /// Homes of builds that counted seconds go on here once.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn advance(&self, now: UnixTime) -> Result<u64, Error> {
        self.reach(Self::by_time(now))
    }

    /// The least number at this time, of an epoch or of a list.
    pub(crate) fn by_time(now: UnixTime) -> u64 {
        let now = Duration::from_secs(now.as_secs());
        epochs(now).saturating_add(epochs(age(now)))
    }

    fn reach(&self, least: u64) -> Result<u64, Error> {
        let next = self.epoch()?.saturating_add(1).max(least);
        self.connection
            .prepare_cached("UPDATE status SET epoch = ?1 WHERE id = 1")?
            .execute([convert::integer(next)])?;
        Ok(next)
    }
}

/// 1 November 2026 (UTC), before which no home counted microseconds.
const FIRST_DAY: Duration = Duration::from_secs(1_793_491_200);

/// What has passed since [`FIRST_DAY`]: longer each time that something is put back.
fn age(moment: Duration) -> Duration {
    moment.saturating_sub(FIRST_DAY)
}

/// As many as this time has: one for each microsecond.
fn epochs(time: Duration) -> u64 {
    let seconds = time.as_secs().saturating_mul(PER_SECOND);
    seconds.saturating_add(time.subsec_micros().into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::store::{Act, temporary};

    #[test]
    fn knows_when_something_was_last_recorded() {
        let (_dir, store) = temporary();
        store
            .write_blocking(|records| {
                assert_eq!(records.status().last_recorded()?, None);
                let (first, second) = (convert::time(1000)?, convert::time(2000)?);
                let subject = "1155000001".parse().unwrap();
                records.codes().add(&[1; 32], &subject, second, second)?;
                records.codes().add(&[2; 32], &subject, first, second)?;
                assert_eq!(records.status().last_recorded()?, Some(second));
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn the_newest_operation_counts_as_recorded_as_long_as_it_is_kept() {
        let (_dir, store) = temporary();
        store
            .done_by(Act::of("term set"))
            .write_blocking(|records| {
                let last = || records.status().last_recorded();
                let done = |when| records.note(&"2026-27-T1", "removed", convert::time(when)?);
                done(2000)?;
                assert_eq!(last()?, Some(convert::time(2000)?));
                // By a clock that was ahead, and by one for which somebody has vouched since.
                done(9000)?;
                assert_eq!(last()?, Some(convert::time(9000)?));
                done(2500)?;
                assert_eq!(last()?, Some(convert::time(2500)?));
                records.pin_operations()?;
                assert_eq!(records.operations().remove_before(convert::time(9999)?)?, 3);
                assert_eq!(last()?, None);
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn grows_with_the_clock_and_without_it() {
        let (_dir, store) = temporary();
        let advance = |seconds| {
            let now = convert::time(seconds).unwrap();
            store
                .write_blocking(move |records| records.status().advance(now))
                .unwrap()
        };
        let second = 1_000_000;
        assert_eq!(advance(1000), 1000 * second);
        assert_eq!(advance(1000), 1000 * second + 1);
        assert_eq!(advance(500), 1000 * second + 2, "a clock set back");
        assert_eq!(advance(2000), 2000 * second);
        assert_eq!(
            store
                .read_blocking(|records| records.status().epoch())
                .unwrap(),
            2000 * second
        );
    }

    #[test]
    fn a_home_that_counted_seconds_goes_on_by_the_microsecond() {
        let (_dir, store) = temporary();
        let now = 1_795_000_000;
        store
            .write_blocking(move |records| {
                // Ahead of the clock, as one import of a thousand made it.
                let set = "UPDATE status SET epoch = ?1";
                let before = [convert::integer(1_795_001_000_u64)];
                records.connection.execute(set, before)?;
                let status = records.status();
                let next = status.advance(convert::time(now)?)?;
                assert!(next > epochs(Duration::from_secs(1_795_000_000)));
                assert_eq!(status.advance(convert::time(now)?)?, next + 1);
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn what_is_restored_twice_is_beyond_all_that_was_used_in_between() {
        let (_dir, store) = temporary();
        let moment = |millis: u64| Duration::from_millis(1_795_000_000_000 + millis);
        let now = convert::time(1_795_000_000).unwrap();
        store
            .write_blocking(move |records| {
                let status = records.status();
                let backup = status.advance(now)?;
                let mut last = status.jump(moment(0), None, Duration::ZERO)?;
                for _ in 0..500 {
                    last = status.advance(now)?;
                }
                let sql = "UPDATE status SET epoch = ?1";
                let again = [convert::integer(backup)];
                records.connection.execute(sql, again)?;
                assert!(status.jump(moment(1), None, Duration::ZERO)? > last);
                assert!(last < 1 << 53, "JSON carries no more");
                // A clock that went back brings nothing back.
                let before = status.epoch()?;
                let back = status.jump(Duration::from_secs(1), None, Duration::ZERO)?;
                assert_eq!(back, before + 1);
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn a_copy_of_a_home_that_is_put_back_uses_no_epoch_again_restored_or_not() {
        for was_restored in [false, true] {
            put_back_within_a_minute(was_restored);
        }
    }

    fn put_back_within_a_minute(was_restored: bool) {
        let (_dir, store) = temporary();
        let now = 1_795_000_000;
        store
            .write_blocking(move |records| {
                let status = records.status();
                status.advance(convert::time(now - 60)?)?;
                if was_restored {
                    let moment = Duration::from_millis(1_795_000_000_400);
                    status.jump(moment, None, Duration::ZERO)?;
                }
                let copy = status.advance(convert::time(now)?)?;
                let mut last = copy;
                for after in 1..60 {
                    for _ in 0..50 {
                        last = status.advance(convert::time(now + after)?)?;
                    }
                }
                // All of a faculty by one import.
                for _ in 0..3000 {
                    last = status.advance(convert::time(now + 59)?)?;
                }
                let back = [convert::integer(copy)];
                records
                    .connection
                    .execute("UPDATE status SET epoch = ?1", back)?;
                let next = status.advance(convert::time(now + 60)?)?;
                assert!(next > last, "{next} after {last}");
                assert!(next < 1 << 53, "JSON carries no more");
                Ok(())
            })
            .unwrap();
    }

    /// A backup has what a clock recorded that was years ahead.
    #[test]
    fn where_a_clock_was_ahead_each_restoration_is_beyond_the_one_before_it_whichever_backup_it_is_of()
     {
        let (_dir, store) = temporary();
        let at = |seconds| convert::time(seconds).unwrap();
        let (now, ahead) = (1_795_000_000, 1_864_000_000);
        // (made at, epoch in it), restored at: what it goes on with.
        let restored = |(made, epoch): (i64, u64), when: i64| {
            store
                .write_blocking(move |records| {
                    let sql = "UPDATE status SET epoch = ?1";
                    let back = [convert::integer(epoch)];
                    records.connection.execute(sql, back)?;
                    let of = |seconds: i64| Duration::from_secs(seconds.unsigned_abs());
                    let status = records.status();
                    status.jump(of(when), Some(at(ahead)), of(when - made))?;
                    for _ in 0..500 {
                        status.advance(at(when))?;
                    }
                    status.epoch()
                })
                .unwrap()
        };
        let first = (now, ahead.unsigned_abs());
        let mut last = 0;
        for when in [now + 8, now + 9, now + 16] {
            let next = restored(first, when);
            assert!(next > last + 500, "{next} after {last}");
            last = next;
        }
        // One of a home that was restored, and then the first again.
        let second = (now + 20, last);
        // One of later is restored sooner after one of before than it was made after it.
        let later = (now + 25, ahead.unsigned_abs() + 3);
        for (backup, when) in [
            (second, now + 30),
            (second, now + 31),
            (first, now + 32),
            (later, now + 40),
            (first, now + 41),
            // The time has overtaken what was recorded by the clock that was ahead.
            (later, ahead + 1),
            (first, ahead + 7200),
        ] {
            let next = restored(backup, when);
            assert!(next > last + 500, "{next} after {last}");
            last = next;
        }
        assert!(last < 1 << 53, "JSON carries no more");
    }

    #[test]
    fn a_number_that_is_named_twice_is_gone_beyond_twice() {
        let (_dir, store) = temporary();
        let day = Duration::from_secs(24 * 60 * 60);
        let (now, named) = (FIRST_DAY + 30 * day, 1_864_518_512_819_241);
        store
            .write_blocking(move |records| {
                let status = records.status();
                let backup = status.epoch()?;
                let mut last = named;
                for when in [now, now + Duration::from_millis(1), now + day] {
                    let back = [convert::integer(backup)];
                    let sql = "UPDATE status SET epoch = ?1";
                    records.connection.execute(sql, back)?;
                    status.jump(when, None, day)?;
                    let next = status.go_beyond(named, when)?;
                    assert!(next > last, "{next} after {last}");
                    last = next;
                    // As a busy term has, and the same once more in the same home.
                    for _ in 0..500 {
                        last = status.advance(convert::time(1_795_000_000)?)?;
                    }
                    let again = status.go_beyond(named, when)?;
                    assert!(again > last, "{again} after {last}");
                    last = again;
                }
                assert!(last < 1 << 53, "JSON carries no more");
                Ok(())
            })
            .unwrap();
    }
}
