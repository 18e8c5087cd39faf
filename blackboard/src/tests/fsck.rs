//! `blackboard fsck`: what was altered is found, each by its word, and nothing is changed.

mod grades;
mod standing;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rusqlite::Connection;
use rustls_pki_types::UnixTime;
use scb_certs::Fingerprint;
use scb_cli::{Home, Role};
use scb_protocol::log_leaf::{Accepted, Closed, Entry, Leaf};
use scb_protocol::statement::SubmissionId;
use scb_tlog::{Checkpoint, Hash, TreeHead};

use super::campus::{Campus, copy};
use super::uploads::anew;
use crate::fsck::found;
use crate::note_keys::LogKey;
use crate::store::log;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// The time by the file system, which dates the files here.
fn now() -> UnixTime {
    UnixTime::now()
}

/// A home in which two submissions were handed in, and whose server has stopped.
async fn stopped() -> Campus {
    let mut campus = Campus::open().await;
    for (sid, report) in [("1155000001", "first"), ("1155000009", "second")] {
        let mut group = campus.group(&[sid]);
        group.report = report.into();
        group.hand_in().await.unwrap();
    }
    campus.stop().await;
    campus
}

/// A copy of a home, to do harm to.
struct Copy {
    _dir: tempfile::TempDir,
    home: Home,
}

impl Copy {
    fn of(campus: &Campus) -> Self {
        let dir = tempfile::tempdir().unwrap();
        copy(campus.home.dir(), &dir.path().join("home"));
        let home = Home::open(&dir.path().join("home"), Role::Blackboard).unwrap();
        Self { _dir: dir, home }
    }

    /// Enters these, made of what the first acceptance says, as one of another submission.
    fn append(&self, entries: impl FnOnce(Accepted) -> Vec<Entry>) {
        let mut connection = Connection::open(self.home.path("blackboard.db")).unwrap();
        let sql = "SELECT leaf FROM log_entries WHERE kind = 'accepted' LIMIT 1";
        let leaf: Vec<u8> = connection.query_row(sql, [], |row| row.get(0)).unwrap();
        let leaf = Leaf::parse(&leaf).unwrap();
        let Entry::Accepted(mut accepted) = leaf.entry else {
            panic!("{leaf:?}");
        };
        accepted.submission = SubmissionId::from_bytes([9; 16]);
        let transaction = connection.transaction().unwrap();
        for entry in entries(accepted) {
            log::append(&transaction, &leaf.log, leaf.at, entry).unwrap();
        }
        transaction.commit().unwrap();
    }

    fn sql(&self, statement: &str) {
        let connection = Connection::open(self.home.path("blackboard.db")).unwrap();
        connection
            .pragma_update(None, "foreign_keys", false)
            .unwrap();
        connection.execute_batch(statement).unwrap();
    }

    /// The words of what is found.
    fn codes(&self) -> Vec<&'static str> {
        let found = found(&self.home, None, now()).unwrap().into_iter();
        // Every copy of a home is one that may have been put back.
        let of_rows = found
            .map(|(code, _)| code)
            .filter(|code| *code != "put_back");
        of_rows.collect()
    }

    fn content(&self, content: &[u8]) -> PathBuf {
        let name = Fingerprint::of(content).to_string();
        self.home.path("content").join(&name[..2]).join(name)
    }

    fn log(&self) -> PathBuf {
        let name = Fingerprint::of(LOG.as_bytes()).to_string();
        self.home.path("logs").join(name)
    }
}

const LOG: &str = "campus.test/blackboard/SANDBOX/lab";

/// Every file with its hash, but those that SQLite has beside an open database.
pub(super) fn state(dir: &Path) -> Vec<(PathBuf, Fingerprint)> {
    let mut state = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.to_string_lossy().into_owned();
        if path.is_dir() {
            state.extend(self::state(&path));
        } else if !name.ends_with("-shm") && !name.ends_with("-wal") {
            let hash = Fingerprint::of(&fs::read(&path).unwrap());
            state.push((path, hash));
        }
    }
    state.sort_by(|(one, _), (other, _)| one.cmp(other));
    state
}

#[tokio::test]
async fn a_home_as_it_was_stored_has_no_finding_also_while_the_server_runs() {
    let campus = Campus::open().await;
    campus.three().hand_in().await.unwrap();
    let beside = |home: Home| move || found(&home, None, now()).unwrap();
    let seen = tokio::task::spawn_blocking(beside(campus.home.clone())).await;
    assert_eq!(seen.unwrap(), []);
    campus.three().hand_in().await.unwrap();
}

#[tokio::test]
async fn nothing_is_changed_whatever_is_found() {
    let campus = stopped().await;
    let home = Copy::of(&campus);
    fs::write(home.content(b"first"), b"another").unwrap();
    fs::write(home.home.path("content/tmp/left"), b"left").unwrap();
    home.sql("DELETE FROM parts");
    let before = state(home.home.dir());
    assert_eq!(
        home.codes(),
        ["part_missing", "content_altered", "part_missing"]
    );
    assert_eq!(state(home.home.dir()), before);
}

/// What is done to the database, and what is found then.
const ALTERATIONS: [(&str, &[&str]); 19] = [
    (
        "UPDATE submissions SET statement = zeroblob(10) WHERE number = 1",
        &["altered"],
    ),
    (
        "UPDATE submissions SET signatures = zeroblob(9) WHERE number = 1",
        &["altered"],
    ),
    (
        "UPDATE submissions SET leaf_signature = zeroblob(9) WHERE number = 1",
        &["altered"],
    ),
    (
        "UPDATE submissions SET accepted_at = accepted_at - 1 WHERE number = 1",
        &["altered"],
    ),
    (
        "UPDATE submissions SET mode = 'tokens' WHERE number = 1",
        &["altered"],
    ),
    (
        "UPDATE blobs SET bytes = zeroblob(9)",
        &["altered", "altered"],
    ),
    (
        "DELETE FROM submissions WHERE number = 1",
        &["record_missing", "content_extra"],
    ),
    ("DELETE FROM parts WHERE number = 2", &["part_missing"]),
    (
        "UPDATE log_entries SET leaf = zeroblob(9) WHERE number = 1",
        &["leaf_altered"],
    ),
    (
        "UPDATE log_entries SET at = at + 1 WHERE number = 1",
        &["leaf_altered"],
    ),
    (
        "UPDATE log_entries SET leaf = (SELECT leaf FROM log_entries WHERE number = 4) \
         WHERE number = 2",
        &["entry_missing", "leaf_altered"],
    ),
    (
        "UPDATE log_entries SET commitment = zeroblob(32) WHERE number = 1",
        &["log_contradicted", "leaf_altered"],
    ),
    ("DELETE FROM log_entries WHERE number = 1", &["log_gap"]),
    (
        "DELETE FROM log_entries WHERE number = 4",
        &["entry_missing", "log_behind"],
    ),
    (
        "DELETE FROM logs; DELETE FROM log_entries",
        &[
            "entry_missing",
            "entry_missing",
            "log_unknown",
            "not_entered",
            "not_entered",
        ],
    ),
    (
        "UPDATE commitments SET committed_at = committed_at - 60",
        &["commitment_altered", "commitment_altered"],
    ),
    (
        "DELETE FROM commitments",
        &["commitment_missing", "commitment_missing"],
    ),
    (
        "UPDATE rules SET rules = replace(rules, '\"most\":', '\"most\":1')",
        &["rules_altered"],
    ),
    (
        "INSERT INTO extensions VALUES ('SANDBOX', 'lab', '1155000009', 1, '{}')",
        &["extension_altered"],
    ),
];

#[tokio::test]
async fn every_alteration_of_the_database_is_found() {
    let campus = stopped().await;
    for (statement, expected) in ALTERATIONS {
        let home = Copy::of(&campus);
        home.sql(statement);
        for path in [home.content(b"first"), home.content(b"second")] {
            make_older(&path);
        }
        assert_eq!(home.codes(), expected, "{statement}");
    }
}

fn make_older(path: &Path) {
    let file = File::options().append(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - 3 * HOUR).unwrap();
}

#[tokio::test]
async fn every_alteration_of_the_stored_files_is_found() {
    let campus = stopped().await;
    let home = Copy::of(&campus);
    fs::write(home.content(b"first"), b"fIrst").unwrap();
    fs::remove_file(home.content(b"second")).unwrap();
    let extra = home.content(b"extra");
    fs::create_dir_all(extra.parent().unwrap()).unwrap();
    fs::write(&extra, b"extra").unwrap();
    fs::write(home.content(b"on its way"), b"on its way").unwrap();
    make_older(&extra);
    let foreign = home.home.path("content/00/notes.txt");
    fs::write(&foreign, b"notes").unwrap();
    let found = found(&home.home, None, now()).unwrap();
    let about = |code: &str, about: &str| found.iter().any(|one| one.0 == code && one.1 == about);
    assert!(
        about("content_altered", "S-000001 submission.txt"),
        "{found:?}"
    );
    assert!(
        about("content_missing", "S-000002 submission.txt"),
        "{found:?}"
    );
    assert!(
        about("content_extra", &extra.display().to_string()),
        "{found:?}"
    );
    assert!(
        about("content_foreign", &foreign.display().to_string()),
        "{found:?}"
    );
    assert_eq!(found.len(), 4, "what is on its way is none: {found:?}");
}

#[tokio::test]
async fn every_alteration_of_a_log_is_found() {
    let campus = stopped().await;
    let cut = |home: &Copy| {
        let bundle = home.log().join("tile/entries/000.p/5");
        let bytes = fs::read(&bundle).unwrap();
        fs::write(&bundle, &bytes[..bytes.len() - 34]).unwrap();
    };
    let flip = |home: &Copy| {
        let tile = home.log().join("tile/0/000.p/5");
        let mut bytes = fs::read(&tile).unwrap();
        bytes[40] ^= 1;
        fs::write(&tile, bytes).unwrap();
    };
    let unsigned = |home: &Copy| {
        let path = home.log().join("checkpoint");
        let text = fs::read_to_string(&path).unwrap();
        let at = text.len() - 10;
        let other = if &text[at..=at] == "A" { "B" } else { "A" };
        fs::write(&path, format!("{}{other}{}", &text[..at], &text[at + 1..])).unwrap();
    };
    let other_key = |home: &Copy| fs::remove_file(home.home.path("logs/key.pem")).unwrap();
    let unpublished = |home: &Copy| fs::remove_dir_all(home.log()).unwrap();
    let no_checkpoint = |home: &Copy| fs::remove_file(home.log().join("checkpoint")).unwrap();
    type Harm<'a> = &'a dyn Fn(&Copy);
    let harms: [(Harm<'_>, &str); 6] = [
        (&cut, "damaged"),
        (&flip, "damaged"),
        (&unsigned, "log_key"),
        (&other_key, "log_key"),
        (&unpublished, "log_unpublished"),
        (&no_checkpoint, "log_unpublished"),
    ];
    for (harm, code) in harms {
        let home = Copy::of(&campus);
        assert_eq!(home.codes(), [""; 0]);
        harm(&home);
        let codes = home.codes();
        assert!(codes.contains(&code), "{code}: {codes:?}");
        assert!(
            !codes.contains(&"log_cut"),
            "the database has all of it: {codes:?}"
        );
    }
}

#[tokio::test]
async fn a_log_behind_or_beside_what_cuhk_has_cosigned_is_found() {
    let campus = stopped().await;
    for (size, code) in [(6, "log_cut"), (3, "log_forked")] {
        let home = Copy::of(&campus);
        let key = LogKey::existing(&home.home).unwrap().unwrap();
        let key = key.of(&LOG.parse().unwrap()).unwrap();
        let origin = LOG.parse().unwrap();
        let root = Hash::of_entry(b"another log");
        let head = TreeHead { size, root };
        let seen = Checkpoint { origin, head }.sign(&key).unwrap();
        home.sql(&format!(
            "INSERT OR REPLACE INTO cosigned_checkpoints (log, note) VALUES ('{LOG}', '{seen}')"
        ));
        assert_eq!(home.codes(), [code]);
    }
}

#[tokio::test]
async fn what_is_left_over_is_told_apart_from_damage() {
    let campus = stopped().await;
    let home = Copy::of(&campus);
    let upload = home.home.path("content/uploads").join("0b".repeat(16));
    fs::create_dir_all(&upload).unwrap();
    fs::write(upload.join("0"), b"part").unwrap();
    fs::write(home.home.path("content/tmp/left"), b"left").unwrap();
    assert_eq!(home.codes(), [""; 0], "it may still be in use");
    let later = now().as_secs() + 3 * HOUR.as_secs();
    let later = UnixTime::since_unix_epoch(Duration::from_secs(later));
    let found = found(&home.home, None, later).unwrap();
    let codes: Vec<_> = found.iter().map(|(code, _)| *code).collect();
    assert_eq!(codes, ["upload_leftover", "temporary_leftover"]);
}

#[tokio::test]
async fn one_assignment_is_looked_at_alone() {
    let campus = stopped().await;
    let home = Copy::of(&campus);
    fs::write(home.content(b"first"), b"fIrst").unwrap();
    fs::write(home.home.path("content/00/notes.txt"), b"notes").unwrap();
    let one = found(&home.home, Some("SANDBOX/lab"), now()).unwrap();
    assert_eq!(
        one,
        [("content_altered", "S-000001 submission.txt".to_owned())]
    );
    let other = found(&home.home, Some("SANDBOX/other"), now()).unwrap_err();
    let failure = crate::failure::failure(other);
    assert_eq!(failure.code, Some("assignment_unknown"));
    assert_eq!(failure.exit, scb_cli::exit::REFUSED);
}

#[tokio::test]
async fn without_a_database_files_are_compared_with_their_names() {
    let campus = stopped().await;
    let home = Copy::of(&campus);
    fs::write(home.content(b"first"), b"fIrst").unwrap();
    fs::write(home.home.path("blackboard.db"), b"no database at all").unwrap();
    let codes = home.codes();
    assert_eq!(codes[1..], ["content_altered"], "{codes:?}");
    fs::remove_file(home.home.path("blackboard.db")).unwrap();
    assert_eq!(home.codes(), ["database_gone", "content_altered"]);
}

#[tokio::test]
async fn a_submission_that_names_other_rules_than_those_in_force_is_found() {
    let campus = stopped().await;
    let home = Copy::of(&campus);
    home.append(|mut accepted| {
        accepted.rules.as_mut().unwrap().leaf_sha256 = Fingerprint::of(b"other rules");
        vec![Entry::Accepted(accepted)]
    });
    let codes = home.codes();
    assert_eq!(codes[0], "rules_pin", "{codes:?}");
}

#[tokio::test]
async fn what_was_accepted_after_the_log_was_closed_is_found() {
    let campus = stopped().await;
    let home = Copy::of(&campus);
    home.append(|accepted| {
        let closed = Entry::Closed(Closed { accepted: 2 });
        vec![closed, Entry::Accepted(accepted)]
    });
    let codes = home.codes();
    assert!(codes.contains(&"accepted_after_closing"), "{codes:?}");
}

#[tokio::test]
async fn an_entry_whose_time_goes_back_is_told_once_and_is_no_damage() {
    let campus = stopped().await;
    let home = Copy::of(&campus);
    let mut connection = Connection::open(home.home.path("blackboard.db")).unwrap();
    let transaction = connection.transaction().unwrap();
    let sql = "INSERT INTO clock_vouched SELECT log, max(number) + 1 FROM log_entries GROUP BY log";
    transaction.execute(sql, []).unwrap();
    let name = LOG.parse().unwrap();
    let sql = "SELECT max(at) FROM log_entries";
    let last: i64 = transaction.query_one(sql, [], |row| row.get(0)).unwrap();
    let before = scb_protocol::from_seconds(last.unsigned_abs() - 60);
    for _ in 0..2 {
        let entry = Entry::Lapsed(scb_protocol::log_leaf::Lapsed {
            submission: SubmissionId::random().unwrap(),
        });
        log::append(&transaction, &name, before, entry).unwrap();
    }
    transaction.commit().unwrap();
    let codes = home.codes();
    let backwards = codes.iter().filter(|code| **code == "log_backwards");
    assert_eq!(backwards.count(), 1, "{codes:?}");
}

#[tokio::test]
async fn what_answers_another_submission_than_the_same_work_is_found() {
    let mut campus = Campus::open().await;
    let mut first = campus.group(&["1155000001"]);
    first.report = b"first".to_vec();
    // Signed before the very same was there.
    let mut same = anew(&first);
    drop(same.commit().await.unwrap());
    first.hand_in().await.unwrap();
    same.hand_in().await.unwrap();
    let mut other = campus.group(&["1155000009"]);
    other.hand_in().await.unwrap();
    drop((first, same, other));
    campus.stop().await;
    let home = Copy::of(&campus);
    assert_eq!(home.codes(), [""; 0]);
    let rows = "SELECT count(*) FROM repeats";
    let connection = Connection::open(home.home.path("blackboard.db")).unwrap();
    let rows: i64 = connection.query_row(rows, [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 1);
    home.sql("UPDATE repeats SET number = 2");
    assert_eq!(home.codes(), ["repeat_altered"]);
    home.sql("UPDATE repeats SET number = 1, submission = randomblob(16)");
    assert_eq!(home.codes(), ["repeat_altered"]);
}
