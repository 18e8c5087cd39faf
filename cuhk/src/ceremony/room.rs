//! How many authorities may count at once. Each has a revocation list that everybody fetches together
//! with the others, and nobody takes more lists than the protocol allows. One that was withdrawn leaves
//! its place as soon as the root's list names it.

use rustls_pki_types::UnixTime;
use scb_cli::Home;
use scb_protocol::{MOST_LISTS, MOST_LISTS_TAKEN};

use super::unlisted;
use crate::Error;
use crate::config::path;
use crate::issuers::{counting_roots, issuer_kind, read_certificate, stored_roots};
use crate::store::{AuthorityState, Store};

/// As many may be asked for of a root whose key is elsewhere: a script that does so all day leaves the rest
/// to `keys withdraw --replace`.
const MOST_LISTS_ASKED: usize = 48;

/// So many lists there may be when one more authority is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// Of those that are put to use in the course of things.
    Ordinary,
    /// Of those that are asked for where the root's key is elsewhere: nobody can tell here whether in the
    /// place of a stolen one.
    Asked,
    /// As many as are taken.
    Emergency,
}

impl Room {
    fn most(self) -> usize {
        match self {
            Self::Ordinary => MOST_LISTS,
            Self::Asked => MOST_LISTS_ASKED,
            Self::Emergency => MOST_LISTS_TAKEN,
        }
    }

    /// Refuses one more authority where there are as many as may be.
    ///
    /// # Errors
    ///
    /// [`Error::TooManyAuthorities`]; [`Error::Storage`], [`Error::Local`], [`Error::Certificates`].
    pub(crate) fn require(self, home: &Home, store: &Store, now: UnixTime) -> Result<(), Error> {
        self.check(lists(home, store, now)?)
    }

    fn check(self, lists: Vec<Ending>) -> Result<(), Error> {
        let (count, most) = (lists.len(), self.most());
        match count < most {
            true => Ok(()),
            false => Err(Error::TooManyAuthorities {
                count,
                most,
                room_at: room_at(lists, most),
            }),
        }
    }
}

/// When a list is handed out no more; none as long as nobody can tell.
pub(crate) type Ending = Option<UnixTime>;

/// When there will be fewer than `most` of these.
pub(crate) fn room_at(lists: Vec<Ending>, most: usize) -> Option<UnixTime> {
    let surplus = lists.len().checked_sub(most)?;
    let mut ends: Vec<_> = lists.into_iter().flatten().collect();
    ends.sort();
    ends.get(surplus).copied()
}

/// The lists that are handed out together now: of each authority that may have certificates in force.
///
/// # Errors
///
/// [`Error::Storage`], [`Error::RecordInvalid`], [`Error::Local`], [`Error::Certificates`].
pub(crate) fn lists(home: &Home, store: &Store, now: UnixTime) -> Result<Vec<Ending>, Error> {
    let all = &store.read_blocking(|records| records.authorities().all())?;
    let unlisted = unlisted(home, store)?;
    let in_use = all.iter().filter(|record| {
        issuer_kind(record.signer).is_some() && record.state(all, now) != AuthorityState::Retired
    });
    let (mut issuers, mut lists) = (Vec::new(), Vec::new());
    for record in in_use {
        let end = record.retires_at(all, now);
        let certificate = read_certificate(home, &path::authority(record.signer))?;
        issuers.push((certificate, end));
        if record.withdrawn.is_none() || unlisted.contains(&record.signer) {
            lists.push(end);
        }
    }
    let counting = counting_roots(home, all, now)?;
    for (signer, root) in stored_roots(home)? {
        if !counting.contains(&signer) {
            continue;
        }
        // It goes with the last one that it certified; the newest stays.
        let under = issuers.iter().filter(|(one, _)| one.names_issuer(&root));
        let ends: Option<Vec<_>> = under.map(|(_, end)| *end).collect();
        let last = ends.and_then(|ends| ends.into_iter().max());
        lists.push(last.filter(|_| counting.last() != Some(&signer)));
    }
    Ok(lists)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use scb_cli::Failure;

    use super::*;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    #[test]
    fn there_is_room_once_enough_have_ended() {
        let lists = vec![None, Some(at(300)), Some(at(100)), None, Some(at(200))];
        assert_eq!(room_at(lists.clone(), 6), None, "there is room");
        assert_eq!(room_at(lists.clone(), 5), Some(at(100)));
        assert_eq!(room_at(lists.clone(), 3), Some(at(300)));
        assert_eq!(room_at(lists, 2), None, "nobody can tell");
    }

    #[test]
    fn an_emergency_has_room_as_long_as_anybody_takes_one_list_more() {
        let refused = |room: Room, count: usize| {
            let error = room.check(vec![Some(at(100)); count]).err()?;
            let told = error.to_string();
            assert!(told.contains(": there is room from "), "{told}");
            let from = told.split_once("refused from ").unwrap().1;
            let from = from.split_once(" on").unwrap().0.to_owned();
            Some((from, Failure::from(error).remedy.unwrap()))
        };
        let (from, remedy) = refused(Room::Ordinary, 24).unwrap();
        assert_eq!(from, "24");
        assert!(remedy.contains("cuhk keys withdraw NAME --replace"));
        let (from, remedy) = refused(Room::Emergency, 64).unwrap();
        assert_eq!(from, "64");
        // Not what was just typed.
        assert!(!remedy.contains("--replace") && remedy.contains("cuhk root sign-crl"));
        let (from, remedy) = refused(Room::Asked, 48).unwrap();
        assert_eq!(from, "48");
        assert!(remedy.contains("cuhk keys withdraw NAME --replace"));
        assert!(remedy.contains("cuhk keys request lists"));
        for (room, count) in [
            (Room::Ordinary, 23),
            (Room::Asked, 24),
            (Room::Asked, 47),
            (Room::Emergency, 48),
            (Room::Emergency, 24),
            (Room::Emergency, 63),
        ] {
            assert_eq!(refused(room, count), None, "{room:?} {count}");
        }
    }
}
