//! Whether this machine's clock is behind what the records have seen, or far ahead of it.

use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_certs::Certificate;
use scb_cli::Home;

use crate::Error;
use crate::config::path;
use crate::issuers::read_certificate;
use crate::store::{CrlSigner, Records, Store, Trust};
use crate::time::later;

/// So far the clock may be behind the records: two machines' clocks, a little apart.
const TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// So far the clock may be ahead of the records and still be believed: a CUHK that serves signs lists
/// every day. 31 days.
const LULL: Duration = Duration::from_secs(31 * 24 * 60 * 60);

/// Whether somebody has vouched for this machine's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClockCheck {
    /// It must not be behind the records.
    AgainstRecords,
    /// It is right, and was ahead when they were written. That is remembered.
    Waived,
}

impl ClockCheck {
    /// Refuses a clock that is behind the latest time known by more than five minutes, unless
    /// somebody has vouched for it.
    ///
    /// # Errors
    ///
    /// [`Error::ClockSetBack`].
    pub(crate) fn check(self, last: Option<UnixTime>, now: UnixTime) -> Result<(), Error> {
        match (self, last) {
            (Self::AgainstRecords, Some(last)) if last > later(now, TOLERANCE) => {
                Err(Error::ClockSetBack { last, now })
            }
            _ => Ok(()),
        }
    }

    /// Refuses to remove anything by a clock that is far ahead of the records, or was found so and
    /// since then nobody has vouched for it. Who vouches does so until the clock is far ahead again.
    ///
    /// # Errors
    ///
    /// [`Error::ClockAhead`], [`Error::Storage`], [`Error::RecordInvalid`].
    pub(crate) fn check_ahead(self, records: &Records<'_>, now: UnixTime) -> Result<(), Error> {
        match self {
            Self::Waived => Ok(()),
            Self::AgainstRecords => check_ahead(records, now),
        }
    }

    /// [`Self::check_ahead`], which writes down what came of it: a doubt stays, whatever is recorded by
    /// that clock, until somebody vouches for it or it is seen to be right again; and a clock that was
    /// believed is believed for another 31 days, so that whoever prunes every week needs nothing else.
    ///
    /// Who vouches for a clock that is behind the records says that these are wrong. Until they are
    /// overtaken nothing counts but when the clock was last believed.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::RecordInvalid`].
    pub(crate) fn judge(self, records: &Records<'_>, now: UnixTime) -> Result<Judged, Error> {
        let trust = records.clock_trust();
        match self.check_ahead(records, now) {
            Err(ahead @ Error::ClockAhead { last, .. }) => {
                trust.doubt(last, now)?;
                return Ok(Err(ahead));
            }
            checked => checked?,
        }
        let (known, last) = (trust.find()?, last_alive(records)?);
        let is_overtaken = last.is_none_or(|last| last <= later(now, TOLERANCE));
        let corrected_at = match (self, known) {
            _ if is_overtaken => None,
            (Self::Waived, _) => Some(now),
            (Self::AgainstRecords, known) => known.and_then(|known| known.corrected_at),
        };
        // A few minutes back are no other time, however often.
        let trusted = match (self, known) {
            (Self::AgainstRecords, Some(known)) if corrected_at.is_some() => known.trusted.max(now),
            _ => now,
        };
        if self == Self::Waived || known.is_some() || last.is_some() {
            trust.vouch(trusted, corrected_at)?;
        }
        Ok(Ok(()))
    }
}

/// Whether the clock is believed, or [`Error::ClockAhead`].
pub(crate) type Judged = Result<(), Error>;

/// The latest time at which anything was recorded or the root has signed a list, by whatever clock.
///
/// # Errors
///
/// [`Error::Storage`], [`Error::RecordInvalid`].
pub(crate) fn last_seen(records: &Records<'_>) -> Result<Option<UnixTime>, Error> {
    let recorded = records.status().last_recorded()?;
    Ok(recorded.max(records.lists().signed_at(CrlSigner::ROOT)?))
}

/// What the clock must not be behind: [`last_seen`], or, where somebody has said that this is of a clock
/// that was ahead, the last time at which the clock was believed.
///
/// # Errors
///
/// [`Error::Storage`], [`Error::RecordInvalid`].
pub(crate) fn last_believed(records: &Records<'_>) -> Result<Option<UnixTime>, Error> {
    match records.clock_trust().find()? {
        Some(trust) if trust.corrected_at.is_some() => Ok(Some(trust.trusted)),
        _ => last_seen(records),
    }
}

/// Looks at the clock before anything is recorded by it: what is recorded would be believed later. Written
/// down is only what changes what is believed, so that this needs no room on a full disk.
///
/// # Errors
///
/// [`Error::ClockSetBack`], [`Error::Storage`], [`Error::RecordInvalid`].
pub(crate) fn before_recording(
    store: &Store,
    clock: ClockCheck,
    now: UnixTime,
) -> Result<Judged, Error> {
    let (is_changed, is_behind) = store.read_blocking(move |records| {
        clock.check(last_believed(records)?, now)?;
        let trust = records.clock_trust().find()?;
        let is_doubted = trust.is_some_and(|trust| trust.is_doubted);
        let is_changed = clock == ClockCheck::Waived || is_doubted || is_far_ahead(records, now)?;
        Ok((is_changed, is_to_be_noted(records, now)?))
    })?;
    if !is_changed && !is_behind {
        return Ok(Ok(()));
    }
    match store.write_blocking(move |records| clock.judge(records, now)) {
        // It would only have gone on: prune makes room, and notes it then.
        Err(Error::Storage(error)) if !is_changed && error.is_full() => Ok(Ok(())),
        judged => judged,
    }
}

/// Whether it is to be written down that the clock is believed: nothing that is recorded says so, as the
/// records are of a clock that was ahead.
///
/// # Errors
///
/// [`Error::Storage`], [`Error::RecordInvalid`].
pub(crate) fn is_to_be_noted(records: &Records<'_>, now: UnixTime) -> Result<bool, Error> {
    let trust = records.clock_trust().find()?;
    let is_behind =
        |trust: Trust| trust.corrected_at.is_some() && now > later(trust.trusted, TOLERANCE);
    Ok(trust.is_some_and(is_behind))
}

/// Refuses a clock that was set back by more than five minutes: what has ended would count again,
/// and what is written down or signed now would be over before it began.
///
/// # Errors
///
/// [`Error::ClockSetBack`], [`Error::Storage`], [`Error::RecordInvalid`].
pub(crate) fn check(records: &Records<'_>, now: UnixTime) -> Result<(), Error> {
    ClockCheck::AgainstRecords.check(last_believed(records)?, now)
}

/// Refuses a clock from before the root of this home began: nobody can vouch for that. Answers the root's
/// certificate.
///
/// # Errors
///
/// [`Error::ClockBeforeRoot`]; [`Error::Certificates`] and [`Error::Local`] if the root cannot be read.
pub(crate) fn check_begun(home: &Home, now: UnixTime) -> Result<Certificate, Error> {
    let root = read_certificate(home, path::ROOT)?;
    let begins = root.not_before();
    match now < begins {
        true => Err(Error::ClockBeforeRoot { begins, now }),
        false => Ok(root),
    }
}

/// Whether the clock is so far ahead that nothing is removed by it.
///
/// # Errors
///
/// [`Error::Storage`], [`Error::RecordInvalid`].
pub(crate) fn is_far_ahead(records: &Records<'_>, now: UnixTime) -> Result<bool, Error> {
    match check_ahead(records, now) {
        Err(Error::ClockAhead { .. }) => Ok(true),
        checked => checked.map(|()| false),
    }
}

fn check_ahead(records: &Records<'_>, now: UnixTime) -> Result<(), Error> {
    let trust = records.clock_trust().find()?;
    let last = match trust {
        Some(trust) if trust.is_all() => Some(trust.trusted),
        _ => trust.map(|trust| trust.trusted).max(last_alive(records)?),
    };
    match last {
        Some(last) if now > later(last, LULL) => Err(Error::ClockAhead { last, now }),
        _ => Ok(()),
    }
}

/// Whether a clock that said `before` a moment ago has leapt ahead so far that nothing is removed by it.
pub(crate) fn has_leapt(before: UnixTime, now: UnixTime) -> bool {
    now > later(before, LULL)
}

/// The latest time at which CUHK has recorded or signed anything.
fn last_alive(records: &Records<'_>) -> Result<Option<UnixTime>, Error> {
    Ok(records
        .status()
        .last_recorded()?
        .max(records.lists().last_signed()?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::Store;
    use crate::store::{Act, StoredList, temporary};

    const DAY: u64 = 24 * 60 * 60;

    fn at(day: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(day * DAY))
    }

    /// Something is recorded on this day.
    fn recorded(store: &Store, day: u64) {
        let issue = move |records: &Records<'_>| {
            let subject = "1155000001".parse().unwrap();
            let hash = [day as u8; 32];
            records.codes().add(&hash, &subject, at(day), at(day + 14))
        };
        store.write_blocking(issue).unwrap();
    }

    /// Would be, without anything written down.
    fn would_be(store: &Store, day: u64) -> bool {
        let checked = store
            .read_blocking(move |records| ClockCheck::AgainstRecords.check_ahead(records, at(day)));
        checked.is_ok()
    }

    fn is_believed(store: &Store, clock: ClockCheck, day: u64) -> bool {
        let judged = store.write_blocking(move |records| clock.judge(records, at(day)));
        judged.unwrap().is_ok()
    }

    #[test]
    fn a_clock_is_believed_for_31_days_after_the_last_record() {
        use ClockCheck::AgainstRecords;
        let (_dir, store) = temporary();
        assert!(is_believed(&store, AgainstRecords, 9999), "no record yet");
        recorded(&store, 1000);
        assert!(would_be(&store, 1031));
        assert!(!would_be(&store, 1032));
        assert!(!is_believed(&store, AgainstRecords, 1032));
    }

    #[test]
    fn a_list_that_was_signed_counts_as_a_record_and_so_does_a_clock_that_was_believed() {
        use ClockCheck::AgainstRecords;
        let (_dir, store) = temporary();
        recorded(&store, 1000);
        // A CUHK that serves all summer, and nobody asks for anything.
        let issuer = crate::store::issuer(scb_certs::IssuerKind::Students);
        let crl = issuer.sign_crl(1, at(1060), at(1061), &[]).unwrap();
        let list = StoredList { crl, epoch: 1 };
        let sign = move |records: &Records<'_>| records.lists().replace(CrlSigner::STUDENTS, &list);
        store.write_blocking(sign).unwrap();
        assert!(would_be(&store, 1091));
        assert!(!would_be(&store, 1092));
        // One that does not serve, where something is removed from time to time.
        for day in [1090, 1120, 1151] {
            assert!(is_believed(&store, AgainstRecords, day), "{day}");
        }
        assert!(
            !is_believed(&store, AgainstRecords, 1183),
            "and then nothing"
        );
        assert!(!would_be(&store, 1184));
    }

    #[test]
    fn a_doubt_outlives_what_is_recorded_by_that_clock() {
        use ClockCheck::{AgainstRecords, Waived};
        let (_dir, store) = temporary();
        recorded(&store, 1000);
        assert!(!is_believed(&store, AgainstRecords, 1800));
        recorded(&store, 1800);
        assert!(!is_believed(&store, AgainstRecords, 1801));
        assert!(is_believed(&store, Waived, 1801), "somebody vouches");
        assert!(would_be(&store, 1832), "for 31 days");
        assert!(!is_believed(&store, AgainstRecords, 1833));
    }

    #[test]
    fn a_clock_is_doubted_before_the_first_record_by_it() {
        use ClockCheck::{AgainstRecords, Waived};
        let (_dir, store) = temporary();
        let looked = |clock, day| before_recording(&store, clock, at(day)).unwrap();
        looked(AgainstRecords, 999).unwrap();
        recorded(&store, 1000);
        let ahead = looked(AgainstRecords, 1800).unwrap_err();
        assert!(matches!(ahead, Error::ClockAhead { last, .. } if last == at(1000)));
        // Somebody goes on all the same.
        recorded(&store, 1800);
        assert!(!is_believed(&store, AgainstRecords, 1801));
        looked(AgainstRecords, 1801).unwrap_err();
        looked(Waived, 1801).unwrap();
        looked(AgainstRecords, 1802).unwrap();
        assert!(is_believed(&store, AgainstRecords, 1802));
        let back = before_recording(&store, AgainstRecords, at(1700));
        assert!(matches!(back, Err(Error::ClockSetBack { .. })));
    }

    #[test]
    fn a_clock_that_is_right_again_leaves_no_doubt() {
        use ClockCheck::AgainstRecords;
        let (_dir, store) = temporary();
        recorded(&store, 1000);
        assert!(!is_believed(&store, AgainstRecords, 1800));
        assert!(is_believed(&store, AgainstRecords, 1001), "set right");
        recorded(&store, 1030);
        assert!(is_believed(&store, AgainstRecords, 1060));
        assert!(!is_believed(&store, AgainstRecords, 1092));
    }

    /// Something was recorded on day 1800 by a clock that was ahead, and on day 1001 somebody says so.
    fn corrected() -> (tempfile::TempDir, Store) {
        let (dir, store) = temporary();
        recorded(&store, 1000);
        assert!(!is_believed(&store, ClockCheck::AgainstRecords, 1800));
        recorded(&store, 1800);
        let plain = before_recording(&store, ClockCheck::AgainstRecords, at(1001));
        assert!(matches!(plain, Err(Error::ClockSetBack { .. })));
        before_recording(&store, ClockCheck::Waived, at(1001))
            .unwrap()
            .unwrap();
        (dir, store)
    }

    #[test]
    fn who_vouches_for_a_clock_behind_the_records_says_that_these_are_wrong() {
        use ClockCheck::AgainstRecords;
        let (_dir, store) = corrected();
        let plain = |day| before_recording(&store, AgainstRecords, at(day));
        for leap in [1801, 1802, 2600] {
            // One word was enough.
            plain(1002).unwrap().unwrap();
            assert!(is_believed(&store, AgainstRecords, 1002));
            // The same clock is ahead once more, and somebody records by it all the same.
            assert!(!would_be(&store, leap), "{leap}");
            plain(leap).unwrap().unwrap_err();
            recorded(&store, leap);
            assert!(!is_believed(&store, AgainstRecords, leap), "{leap}");
        }
        plain(1003).unwrap().unwrap();
        let back = plain(1002);
        assert!(matches!(back, Err(Error::ClockSetBack { .. })), "{back:?}");
    }

    /// Of these nothing else is recorded, as of `term set`.
    #[test]
    fn what_operators_did_is_what_the_clock_is_held_against_like_any_record() {
        use ClockCheck::{AgainstRecords, Waived};
        let (_dir, store) = temporary();
        let store = store.done_by(Act::of("term set"));
        let done = |day| {
            let note = move |records: &Records<'_>| records.note(&"2026-27-T1", "removed", at(day));
            store.write_blocking(note).unwrap();
        };
        let looked = |clock, day| before_recording(&store, clock, at(day));
        let is_set_back = |day| {
            let looked = looked(AgainstRecords, day);
            matches!(looked, Err(Error::ClockSetBack { .. }))
        };
        done(1000);
        assert!(is_set_back(999));
        looked(AgainstRecords, 1031).unwrap().unwrap();
        looked(AgainstRecords, 1800).unwrap().unwrap_err();
        // In an emergency, which proves nothing.
        done(1800);
        assert!(!would_be(&store, 1801));
        assert!(is_set_back(1001));
        looked(Waived, 1001).unwrap().unwrap();
        done(1001);
        looked(AgainstRecords, 1002).unwrap().unwrap();
        assert!(is_set_back(1000), "held against what was done since");
        assert!(!would_be(&store, 1800), "far ahead like the first time");
    }

    #[test]
    fn records_that_are_overtaken_are_what_the_clock_is_held_against_again() {
        use ClockCheck::AgainstRecords;
        let (_dir, store) = corrected();
        let plain = |day| before_recording(&store, AgainstRecords, at(day));
        let is_corrected = || {
            let find = |records: &Records<'_>| records.clock_trust().find();
            store
                .read_blocking(find)
                .unwrap()
                .unwrap()
                .corrected_at
                .is_some()
        };
        for day in (1030..1800).step_by(30) {
            plain(day).unwrap().unwrap();
            assert!(is_corrected(), "{day}");
        }
        plain(1810).unwrap().unwrap();
        assert!(!is_corrected());
        recorded(&store, 1820);
        assert!(would_be(&store, 1851));
        assert!(plain(1815).is_err());
    }

    #[test]
    fn a_second_leap_of_a_doubted_clock_is_not_held_against_the_first() {
        let (_dir, store) = temporary();
        recorded(&store, 1000);
        let leap = |before, day| {
            let doubt =
                move |records: &Records<'_>| records.clock_trust().doubt(at(before), at(day));
            store.write_blocking(doubt).unwrap();
        };
        leap(1000, 1800);
        leap(1800, 2600);
        assert!(!would_be(&store, 1800));
    }

    #[test]
    fn no_list_is_decoded_to_look_at_the_clock() {
        use ClockCheck::{AgainstRecords, Waived};
        let (dir, store) = temporary();
        recorded(&store, 1000);
        let issuer = crate::store::issuer(scb_certs::IssuerKind::Students);
        let crl = issuer.sign_crl(1, at(1000), at(1001), &[]).unwrap();
        let list = StoredList { crl, epoch: 1 };
        let sign = move |records: &Records<'_>| {
            records.lists().replace(CrlSigner::ROOT, &list)?;
            records.lists().replace(CrlSigner::STUDENTS, &list)
        };
        store.write_blocking(sign).unwrap();
        // Whoever decoded one would be told that it is damaged.
        let other = rusqlite::Connection::open(dir.path().join("cuhk.db")).unwrap();
        let damaged = other.execute("UPDATE revocation_list SET der = x'30'", []);
        assert_eq!(damaged.unwrap(), 2);
        let looked = |clock, day| before_recording(&store, clock, at(day)).unwrap();
        looked(AgainstRecords, 1001).unwrap();
        looked(AgainstRecords, 1800).unwrap_err();
        looked(Waived, 1800).unwrap();
        assert!(is_believed(&store, AgainstRecords, 1801));
    }
}
