//! Old questions leave the database. Their commitments stay in the tiles: nothing goes that is not
//! in them, under a published checkpoint that, if there is a witness, one has cosigned.

use std::path::{Path, PathBuf};

use rustls_pki_types::UnixTime;
use scb_protocol::COMMITMENT_SIZE;
use scb_tlog::Tiles;

use super::{require_agreement, with_mending};
use crate::Error;
use crate::store::{Removed, Store};

/// Entries that go in one transaction: a server that writes waits some tenths of a second for it.
const STEP: usize = 10_000;
/// Entries in a bundle (C2SP tlog-tiles).
const BUNDLE: u64 = 256;

/// Questions that are old enough to go.
#[derive(Debug)]
pub(crate) struct OldQuestions {
    store: Store,
    directory: PathBuf,
    tiles: Tiles,
    removed: Removed,
    /// How many they are.
    pub(crate) count: u64,
    /// How many questions stay.
    pub(crate) kept: u64,
    /// How many are old enough, and stay until a witness has cosigned them.
    pub(crate) waiting: u64,
}

impl OldQuestions {
    /// Looks `now` for questions that were answered before `moment`, in the log whose tiles are in
    /// `directory`. Reads the whole log: some seconds
    /// for a million entries.
    ///
    /// # Errors
    ///
    /// [`Error::LogDamaged`]; [`Error::LogContradicted`] and
    /// [`Error::LogFilesBehind`] if it is another one than the database's.
    pub(crate) fn find(
        directory: &Path,
        store: &Store,
        moment: UnixTime,
        now: UnixTime,
    ) -> Result<Self, Error> {
        let published = published(directory, store)?;
        let tiles = Tiles::new(directory, published);
        let found = Self {
            store: store.clone(),
            directory: directory.to_owned(),
            tiles,
            removed: Removed {
                below: 0,
                before: moment,
            },
            count: 0,
            kept: 0,
            waiting: 0,
        };
        store.read_blocking(move |records| {
            let log = records.log();
            require_agreement(&log, &found.tiles, &found.directory)?;
            let witnessed = log.witnessed()?.unwrap_or(published).min(published);
            let removed = log.removal(moment, now, witnessed)?;
            let count = log.count_old(removed)?;
            let old = log.count_old(log.removal(moment, now, published)?)?;
            Ok(Self {
                removed,
                count,
                kept: log.count_questions()?.saturating_sub(count),
                waiting: old.saturating_sub(count),
                ..found
            })
        })
    }

    /// Removes them, the oldest first. Who is interrupted goes on the next time. Also where nothing is left to go
    /// it is noted how far all is old by now: what earlier builds passed over is, some day.
    ///
    /// # Errors
    ///
    /// [`Error::LogContradicted`] if the tiles have something else in the place of one;
    /// [`Error::Storage`].
    pub(crate) fn remove(&self) -> Result<(), Error> {
        let removed = self.removed;
        let nothing = self.store.read_blocking(move |records| {
            let log = records.log();
            let first = log.old(removed, 0, 1)?;
            Ok::<_, Error>(first.is_empty() && log.removed()?.is_none_or(|noted| noted == removed))
        })?;
        if nothing {
            return Ok(());
        }
        let note = move |records: &crate::store::Records<'_>| records.log().note_removed(removed);
        self.store.write_blocking(note)?;
        let mut from = Some(0);
        while let Some(next) = from {
            from = self.remove_step(next)?;
        }
        Ok(())
    }

    /// Removes some of those from number `from` on; where to go on, until nothing is left.
    fn remove_step(&self, from: u64) -> Result<Option<u64>, Error> {
        let removed = self.removed;
        let old = self
            .store
            .read_blocking(move |records| records.log().old(removed, from, STEP))?;
        self.require_published(&old)?;
        let next = old.last().map(|(last, _)| last + 1);
        self.store.write_blocking(move |records| {
            let log = records.log();
            old.iter().try_for_each(|(number, _)| log.remove(*number))
        })?;
        Ok(next)
    }

    fn require_published(&self, old: &[(u64, [u8; COMMITMENT_SIZE])]) -> Result<(), Error> {
        let mut bundle = (0, Vec::new());
        for (number, commitment) in old {
            let (first, place) = (number / BUNDLE, (number % BUNDLE) as usize);
            if bundle.1.is_empty() || bundle.0 != first {
                bundle = (first, self.tiles.bundle(*number)?);
            }
            if bundle.1.get(place).map(Vec::as_slice) != Some(commitment) {
                return Err(Error::LogContradicted {
                    path: self.directory.clone(),
                });
            }
        }
        Ok(())
    }
}

/// How many entries the checkpoint covers; every one of them was read.
fn published(directory: &Path, store: &Store) -> Result<u64, Error> {
    match scb_tlog::inspect(directory) {
        Ok(checkpoint) => Ok(checkpoint.map_or(0, |checkpoint| checkpoint.head().size)),
        Err(error) => {
            let directory = directory.to_owned();
            store.read_blocking(move |records| {
                Err(with_mending(error.into(), &records.log(), &directory))
            })
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_protocol::values::Nonce;
    use scb_protocol::{LogEntry, from_seconds};
    use scb_tlog::{Algorithm, NoteKey, TileLog};
    use tempfile::TempDir;

    use super::*;
    use crate::Subject;
    use crate::store::{Place, Witness, temporary};

    const DAY: u64 = 24 * 60 * 60;
    /// Students whom somebody asks about.
    const STUDENTS: u64 = 50;

    /// A store, and the tiles of its log.
    struct Authority {
        dir: TempDir,
        store: Store,
        key: NoteKey,
    }

    impl Authority {
        fn new() -> Self {
            let (dir, store) = temporary();
            let name = "cuhk.example/issuance".parse().unwrap();
            let key = NoteKey::generate(name, Algorithm::Ed25519).unwrap();
            Self { dir, store, key }
        }

        fn directory(&self) -> PathBuf {
            self.dir.path().join("log")
        }

        /// So many questions on a day.
        fn ask(&self, day: u64, questions: u64) {
            self.store
                .write_blocking(move |records| {
                    (0..questions).try_for_each(|number| {
                        let sid = format!("115500{:04}", number % STUDENTS);
                        let subject: Subject = sid.parse()?;
                        let entry = |place| asked(sid, place, day * DAY + number);
                        records.log().append(&subject, entry).map(drop)
                    })
                })
                .unwrap();
        }

        fn publish(&self) -> u64 {
            let mut log = TileLog::open(&self.directory()).unwrap();
            let from = log.head().size;
            let new = self
                .store
                .read_blocking(move |records| records.log().commitments(from, usize::MAX >> 1));
            log.append(&new.unwrap()).unwrap();
            let checkpoint = log.sign(&self.key).unwrap();
            log.publish(&checkpoint).unwrap();
            log.head().size
        }

        fn witnessed(&self, size: u64) {
            let witness = Witness {
                service: scb_certs::ServiceName::blackboard(),
                verifier_key: "key".to_owned(),
                size,
                checkpoint: "checkpoint".to_owned(),
            };
            let set = self
                .store
                .write_blocking(move |records| records.log().set_witness(&witness));
            set.unwrap();
        }

        fn find(&self, day: u64) -> Result<OldQuestions, Error> {
            let (moment, now) = (from_seconds(day * DAY), from_seconds(u64::from(u32::MAX)));
            OldQuestions::find(&self.directory(), &self.store, moment, now)
        }

        /// Bytes of the database, once its room is given back.
        fn size(&self) -> u64 {
            scb_storage::compact(self.store.path()).unwrap();
            std::fs::metadata(self.store.path()).unwrap().len()
        }
    }

    fn asked(subject: String, place: Place, at: u64) -> LogEntry {
        LogEntry::Verification {
            v: 1,
            subject,
            nth: place.nth,
            certificates: place.certificates,
            asker: scb_certs::ServiceName::blackboard(),
            nonce: Nonce::from_bytes([1; 16]),
            cert_sha256: scb_certs::Fingerprint::from_bytes([2; 32]),
            inactive: None,
            at,
        }
    }

    #[test]
    fn the_database_holds_a_year_of_questions_and_not_all_years() {
        let authority = Authority::new();
        let mut first = 0;
        for year in 0..4 {
            authority.ask(year * 400, 5000);
            authority.publish();
            let old = authority.find(year * 400).unwrap();
            old.remove().unwrap();
            assert_eq!(old.kept, 5000, "year {year}");
            first = if year == 0 { authority.size() } else { first };
            assert!(authority.size() <= first + first / 10, "year {year}");
        }
        let last = authority.find(2000).unwrap();
        last.remove().unwrap();
        assert_eq!((last.count, last.kept), (5000 - STUDENTS, STUDENTS));
        assert!(authority.size() < first / 4);
        authority.ask(2001, 1);
        assert_eq!(authority.publish(), 20_001, "the log itself is whole");
        assert_eq!(authority.find(2000).unwrap().count, 1);
    }

    #[test]
    fn how_far_all_is_old_is_noted_also_where_nothing_is_left_to_go() {
        let authority = Authority::new();
        authority.ask(1, 100);
        authority.publish();
        let before = |day| {
            authority.find(day).unwrap().remove().unwrap();
            let removed = authority
                .store
                .read_blocking(|records| records.log().removed());
            removed.unwrap().map(|removed| removed.before)
        };
        assert_eq!(before(1), None, "nothing was ever removed");
        assert_eq!(before(400), Some(from_seconds(400 * DAY)));
        assert_eq!(before(500), Some(from_seconds(500 * DAY)));
        assert_eq!(before(450), Some(from_seconds(500 * DAY)));
    }

    #[test]
    fn what_no_witness_has_cosigned_stays() {
        let authority = Authority::new();
        authority.ask(1, 1000);
        assert_eq!(
            authority.find(400).unwrap().count,
            0,
            "nothing is published"
        );
        authority.publish();
        assert_eq!(authority.find(400).unwrap().count, 1000 - STUDENTS);
        authority.witnessed(300);
        let old = authority.find(400).unwrap();
        assert_eq!((old.count, old.waiting), (299, 1000 - STUDENTS - 299));
        old.remove().unwrap();
        assert_eq!(authority.find(400).unwrap().count, 0);
        authority.witnessed(1000);
        let rest = authority.find(400).unwrap();
        assert_eq!((rest.count, rest.waiting), (1000 - STUDENTS - 299, 0));
    }

    #[test]
    fn nothing_goes_that_the_tiles_do_not_have() {
        let authority = Authority::new();
        authority.ask(1, 400);
        authority.publish();
        let old = authority.find(400).unwrap();
        let alter = "UPDATE log_entry SET commitment = zeroblob(32) WHERE number = 7";
        let altered = authority.store.write_blocking(move |records| {
            records.connection().execute(alter, [])?;
            Ok::<_, Error>(())
        });
        altered.unwrap();
        let refused = old.remove().unwrap_err();
        assert!(
            matches!(refused, Error::LogContradicted { .. }),
            "{refused}"
        );
        let kept = authority
            .store
            .read_blocking(|records| records.log().count_questions());
        assert_eq!(kept.unwrap(), 400);
    }

    #[test]
    fn tiles_that_lack_what_was_removed_are_told() {
        let authority = Authority::new();
        authority.ask(1, 400);
        authority.publish();
        let whole = authority.find(400).unwrap();
        whole.remove().unwrap();
        std::fs::remove_dir_all(authority.directory()).unwrap();
        let refused = authority.find(400).unwrap_err();
        let Error::LogFilesBehind { held, removed, .. } = refused else {
            panic!("{refused}");
        };
        assert_eq!((held, removed), (0, 399));
    }
}
