//! An import takes effect as a whole, and keeps nobody else from writing.

use std::cell::RefCell;
use std::io::{Cursor, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};

use scb_certs::{RevocationReason, StudentId};
use scb_cuhk::{
    Earlier, Error, Import, ImportOptions, Missing, RosterReader, Store, Subject, Target,
    import_roster, import_roster_watched, issue_code, rehearse_import, revoke, suspend,
};

use crate::administration::Office;

/// More rows than are compared or changed at once, several times over.
const ROWS: usize = 3500;
/// Most changes in one transaction.
const AT_ONCE: u64 = 1000;

fn sid(number: usize) -> StudentId {
    (1_155_000_000 + number).to_string().parse().unwrap()
}

fn file(rows: std::ops::Range<usize>) -> String {
    let rows = rows.map(|number| format!("{},Student {number}\n", sid(number)));
    "sid,name\n".to_owned() + &rows.collect::<String>()
}

/// A file at half of which something happens.
struct Halfway<F> {
    first: Cursor<Vec<u8>>,
    then: Option<F>,
    second: Cursor<Vec<u8>>,
}

impl<F: FnOnce()> Halfway<F> {
    fn of(text: &str, then: F) -> Self {
        let (first, second) = text.as_bytes().split_at(text.len() / 2);
        Self {
            first: Cursor::new(first.to_vec()),
            then: Some(then),
            second: Cursor::new(second.to_vec()),
        }
    }
}

impl<F: FnOnce()> Read for Halfway<F> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self.first.read(buffer)? {
            0 => {
                if let Some(then) = self.then.take() {
                    then();
                }
                self.second.read(buffer)
            }
            count => Ok(count),
        }
    }
}

impl Office {
    /// What another process has open.
    fn elsewhere(&self) -> Store {
        Store::open(&self.path("cuhk.db")).unwrap()
    }

    fn read_with(
        &self,
        text: &str,
        halfway: impl FnOnce() + Send + 'static,
        options: ImportOptions,
    ) -> Result<Import, Error> {
        let reader = RosterReader::new(
            Halfway::of(text, halfway),
            scb_cuhk::NamedColumns::default(),
        )
        .unwrap();
        import_roster(&self.store, self.path("roster.csv"), reader, options)
    }

    fn watched(
        &self,
        text: &str,
        options: ImportOptions,
        told: &mut dyn FnMut(u64, u64),
    ) -> Result<Import, Error> {
        let (path, reader) = self.roster(text).unwrap();
        import_roster_watched(&self.store, path, reader, options, told)
    }

    fn count(&self) -> u64 {
        let count = self
            .store
            .read_blocking(|records| records.roster().count_active());
        count.unwrap()
    }
}

/// A student with a code loses a laptop.
fn lose_laptop(store: &Store, now: rustls_pki_types::UnixTime) {
    let subject = Subject::Student(sid(1));
    let revoked = store.write_blocking(move |records| {
        issue_code(records, &subject, false, now)?;
        let reason = RevocationReason::KeyCompromise;
        revoke(records, &Target::Subject(subject), reason, now)
    });
    assert_eq!(revoked.unwrap().codes, 1);
}

#[test]
fn others_write_while_a_roster_is_read() {
    let office = Office::open();
    office.import(&file(1..2), None).unwrap();
    let (elsewhere, now) = (office.elsewhere(), office.now);
    let lose = move || lose_laptop(&elsewhere, now);
    let import = office.read_with(&file(1..ROWS), lose, office.options(None));
    assert_eq!(import.unwrap().counts.added, ROWS - 2);
}

#[test]
fn others_write_while_its_changes_are_made_some_at_a_time() {
    let office = Office::open();
    office.import(&file(1..2), None).unwrap();
    let elsewhere = office.elsewhere();
    let mut steps = Vec::new();
    let import = office.watched(&file(1..ROWS), office.options(None), &mut |done, all| {
        lose_laptop(&elsewhere, office.now);
        steps.push((done, all));
    });
    assert_eq!(import.unwrap().counts.added, ROWS - 2);
    let mut before = 0;
    for (done, all) in &steps {
        assert!(done - before <= AT_ONCE, "{steps:?}");
        assert_eq!(*all, ROWS as u64 - 2);
        before = *done;
    }
    assert_eq!(before, ROWS as u64 - 2, "{steps:?}");
}

#[test]
fn suspending_many_keeps_nobody_from_writing_and_whom_somebody_suspends_meanwhile_stays_so() {
    let office = Office::open();
    office.import(&file(1..ROWS), None).unwrap();
    let (elsewhere, now) = (office.elsewhere(), office.now);
    let last = sid(ROWS - 1);
    let options = ImportOptions {
        missing: Missing::Suspend {
            expected: Some(ROWS - 2),
        },
        ..office.options(None)
    };
    let by_hand = RefCell::new(Some(last.clone()));
    let import = office.watched(&file(1..2), options, &mut |_, _| {
        if let Some(sid) = by_hand.take() {
            let suspended =
                elsewhere.write_blocking(move |records| suspend(records, &sid, now).map(drop));
            suspended.unwrap();
        }
    });
    assert_eq!(import.unwrap().counts.suspended, ROWS - 2);
    assert_eq!(office.count(), 1);
    let back = office.import(&file(1..ROWS), None).unwrap();
    assert_eq!(back.counts.restored, ROWS - 3);
    let found = office
        .store
        .read_blocking(move |records| records.roster().find(&last));
    assert!(!found.unwrap().unwrap().active);
}

#[test]
fn an_import_that_is_interrupted_while_it_reads_has_changed_nothing() {
    let office = Office::open();
    let options = office.options(Some("codes.csv"));
    let interrupted = catch_unwind(AssertUnwindSafe(|| {
        office.read_with(&file(1..ROWS), || panic!("killed"), options)
    }));
    assert!(interrupted.is_err());
    assert_eq!(office.count(), 0);
    assert!(!office.path("codes.csv").exists());
    let next = office.import(&file(1..3), None).unwrap();
    assert_eq!(next.earlier, Some(Earlier::Forgotten));
    assert_eq!(office.count(), 2);
    assert_eq!(office.import(&file(1..3), None).unwrap().earlier, None);
}

#[test]
fn an_import_that_is_interrupted_while_it_changes_is_finished_by_the_next() {
    let office = Office::open();
    let options = office.options(Some("codes.csv"));
    let interrupted = catch_unwind(AssertUnwindSafe(|| {
        office.watched(&file(1..ROWS), options, &mut |_, _| panic!("killed"))
    }));
    assert!(interrupted.is_err());
    assert!(office.count() < AT_ONCE, "{}", office.count());

    // For each student one change and one code.
    let left = 2 * (ROWS as u64 - 1) - AT_ONCE;
    let (path, reader) = office.roster(&file(1..3)).unwrap();
    let rehearsed = rehearse_import(&office.store, path, reader, office.options(None)).unwrap();
    assert_eq!(rehearsed.earlier, Some(Earlier::Unfinished(left)));
    let next = office.import(&file(1..3), None).unwrap();
    assert_eq!(next.earlier, Some(Earlier::Finished(left)));
    assert_eq!(next.counts.unchanged, 2);
    assert_eq!(office.count(), ROWS as u64 - 1);

    // The codes that were written before the interruption are good.
    let sheet = std::fs::read_to_string(office.path("codes.csv")).unwrap();
    assert_eq!(sheet.lines().count(), ROWS);
    let code = sheet.lines().last().unwrap().split(',').nth(3).unwrap();
    let code: scb_protocol::EnrolmentCode = code.parse().unwrap();
    let subject = Subject::Student(sid(ROWS - 1));
    let digest = code.digest(&subject.to_string());
    let found = office
        .store
        .read_blocking(move |records| records.codes().find(&digest, &subject));
    assert!(found.unwrap().is_some());
}

#[test]
fn one_import_at_a_time() {
    let office = Office::open();
    let elsewhere = office.elsewhere();
    let mut refused = None;
    let first = office.watched(&file(1..3), office.options(None), &mut |_, _| {
        let (path, reader) = office.roster(&file(1..9)).unwrap();
        refused = Some(import_roster(
            &elsewhere,
            path,
            reader,
            office.options(None),
        ));
    });
    assert_eq!(first.unwrap().counts.added, 2);
    assert!(matches!(refused, Some(Err(Error::ImportRunning))));
    assert_eq!(office.count(), 2);
}
