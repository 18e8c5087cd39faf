//! The store's contract.

use std::fs;
use std::time::Duration;

use rusqlite::Connection;
use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, SpiffeId};
use scb_cli::{Home, Role};
use scb_protocol::from_seconds;
use scb_protocol::receipt::CommittedAt;
use scb_protocol::statement::{FileEntry, StatedMember, Statement, SubmissionId};
use scb_storage::ContentStore;
use scb_testkit::TestCampus;
use scb_transport::{Clock, SystemClock};

use super::campus::Campus;
use super::form::{evidence, sign};
use crate::authority::Numbers;
use crate::enrol::receipt_roots;
use crate::store::{Draft, Error, Record, Register, Store};

struct Desk {
    home: Home,
    _dir: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::create(&dir.path().join("home"), Role::Blackboard).unwrap();
        Self { home, _dir: dir }
    }

    fn register(&self) -> Register {
        Register::open(&self.home, Store::open(&self.home).unwrap()).unwrap()
    }

    fn sql(&self, statement: &str) {
        let connection = Connection::open(self.home.path("blackboard.db")).unwrap();
        connection.execute_batch(statement).unwrap();
    }
}

fn draft(submission: SubmissionId, content: &[u8]) -> Draft {
    let service: SpiffeId = "spiffe://campus.test/service/blackboard".parse().unwrap();
    let file = FileEntry {
        name: "report.pdf".parse().unwrap(),
        size: content.len() as u64,
        sha256: Fingerprint::of(content),
    };
    let assignment = ("SANDBOX".parse().unwrap(), "lab".parse().unwrap());
    let no_members: [StatedMember; 0] = [];
    let statement = Statement::new(service, assignment, no_members, file, submission);
    let evidence = evidence(&statement);
    Draft {
        statement,
        evidence,
        committed: CommittedAt {
            index: None,
            at: from_seconds(1_795_262_401),
        },
        accepted_at: from_seconds(1_795_262_401),
    }
}

/// Every receipt counts.
fn counts(_: &Record) -> bool {
    true
}

async fn accept(register: &Register, content: &[u8]) -> Record {
    let id = SubmissionId::random().unwrap();
    register
        .accept(draft(id, content), counts, sign)
        .await
        .unwrap()
}

#[tokio::test]
async fn reads_back_what_it_accepted() {
    let desk = Desk::new();
    let register = desk.register();
    let record = accept(&register, b"a").await;
    let found = register
        .store()
        .find(record.statement().submission)
        .await
        .unwrap();
    assert_eq!(found.as_ref(), Some(&record));
    let store = Store::open(&desk.home).unwrap();
    assert_eq!(
        tokio::task::spawn_blocking(move || store.numbers())
            .await
            .unwrap()
            .unwrap(),
        [record.number()]
    );
}

#[tokio::test]
async fn the_same_submission_gives_the_same_record() {
    let desk = Desk::new();
    let register = desk.register();
    let id = SubmissionId::random().unwrap();
    let first = register
        .accept(draft(id, b"a"), counts, sign)
        .await
        .unwrap();
    let mut later = draft(id, b"a");
    later.accepted_at = from_seconds(1_895_262_401);
    later.evidence.signatures = b"signed again".to_vec();
    assert_eq!(register.accept(later, counts, sign).await.unwrap(), first);
}

#[tokio::test]
async fn refuses_the_same_submission_with_another_statement() {
    let desk = Desk::new();
    let register = desk.register();
    let id = SubmissionId::random().unwrap();
    let first = register
        .accept(draft(id, b"a"), counts, sign)
        .await
        .unwrap();
    let error = register
        .accept(draft(id, b"b"), counts, sign)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Conflict { submission } if submission == id));
    assert_eq!(register.store().find(id).await.unwrap(), Some(first));
}

#[tokio::test]
async fn fifty_at_once_make_one_record() {
    let desk = Desk::new();
    let register = desk.register();
    let id = SubmissionId::random().unwrap();
    let all = (0..50).map(|_| register.accept(draft(id, b"a"), counts, sign));
    let records = futures_util::future::join_all(all).await;
    let numbers: Vec<_> = records
        .into_iter()
        .map(|record| record.unwrap().number().get())
        .collect();
    assert_eq!(numbers, [1; 50]);
}

#[tokio::test]
async fn numbers_count_up_also_after_a_restart() {
    let desk = Desk::new();
    let register = desk.register();
    for expected in 1..=3 {
        assert_eq!(accept(&register, b"a").await.number().get(), expected);
    }
    register.store().close().await;
    drop(register);
    assert_eq!(accept(&desk.register(), b"a").await.number().get(), 4);
}

#[tokio::test]
async fn a_number_is_not_given_again_after_a_rollback() {
    let desk = Desk::new();
    let register = desk.register();
    let refuse = |_| Err(scb_protocol::Error::Sign);
    let failed = draft(SubmissionId::random().unwrap(), b"a");
    let id = failed.statement.submission;
    assert!(matches!(
        register.accept(failed, counts, refuse).await,
        Err(Error::Receipt(_))
    ));
    assert_eq!(register.store().find(id).await.unwrap(), None);
    let signed_then_lost = |leaf| {
        sign(leaf).map(|_| ())?;
        panic!("the job dies after signing");
    };
    let failed = draft(SubmissionId::random().unwrap(), b"a");
    register
        .accept(failed, counts, signed_then_lost)
        .await
        .unwrap_err();
    // A number counts as given as soon as something may have been signed under it.
    let next = accept(&register, b"a").await.number().get();
    assert!(next >= 1);
    let id = SubmissionId::random().unwrap();
    let again = register
        .accept(draft(id, b"x"), counts, sign)
        .await
        .unwrap();
    assert_eq!(again.number().get(), next + 1);
}

#[tokio::test]
async fn a_number_is_not_given_again_after_a_delete() {
    let desk = Desk::new();
    let register = desk.register();
    accept(&register, b"a").await;
    accept(&register, b"b").await;
    desk.sql("DELETE FROM submissions");
    assert_eq!(accept(&register, b"c").await.number().get(), 3);
}

#[tokio::test]
async fn a_number_is_not_given_again_after_an_old_database_was_put_back() {
    let desk = Desk::new();
    let register = desk.register();
    accept(&register, b"a").await;
    register.store().close().await;
    drop(register);
    let database = desk.home.path("blackboard.db");
    let backup = fs::read(&database).unwrap();
    let register = desk.register();
    accept(&register, b"b").await;
    accept(&register, b"c").await;
    register.store().close().await;
    drop(register);
    fs::write(&database, backup).unwrap();
    assert_eq!(accept(&desk.register(), b"d").await.number().get(), 4);
}

#[tokio::test]
async fn an_altered_blob_is_never_given_out() {
    let desk = Desk::new();
    let register = desk.register();
    let record = accept(&register, b"a").await;
    desk.sql(
        "UPDATE blobs SET bytes = CAST('Chains' AS BLOB) WHERE bytes = CAST('chains' AS BLOB)",
    );
    let error = register
        .store()
        .find(record.statement().submission)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Altered { number } if number == record.number()));
}

#[tokio::test]
async fn an_altered_record_gives_no_receipt() {
    for change in [
        "assurance = CAST(replace(CAST(assurance AS TEXT), '.', 'x') AS BLOB)",
        "mode = 'tokens'",
        "signatures = zeroblob(length(signatures))",
        "accepted_at = accepted_at + 1",
        "number = 7",
        "leaf = CAST(replace(CAST(leaf AS TEXT), 'S-000001', 'S-000002') AS BLOB)",
        "statement = CAST(replace(CAST(statement AS TEXT), 'lab', 'exam') AS BLOB)",
    ] {
        let mut campus = Campus::open().await;
        let mut group = campus.three();
        group.hand_in().await.unwrap();
        let submission = group.submission;
        drop(group);
        campus.stop().await;
        let connection = Connection::open(campus.home.path("blackboard.db")).unwrap();
        let changed = connection.execute(&format!("UPDATE submissions SET {change}"), []);
        assert_eq!(changed.unwrap(), 1);
        let store = Store::open(&campus.home).unwrap();
        let record = store.find(submission).await.unwrap().unwrap();
        let roots = receipt_roots(&campus.home).unwrap();
        assert!(
            matches!(record.receipt(&roots), Err(Error::Altered { .. })),
            "{change}"
        );
    }
}

#[tokio::test]
async fn content_without_a_record_is_not_a_submission() {
    let desk = Desk::new();
    let content = ContentStore::open(&desk.home.path("content")).unwrap();
    let mut writer = content.begin(100).await.unwrap();
    writer.write(b"report").await.unwrap();
    writer
        .finish(*Fingerprint::of(b"report").as_bytes())
        .await
        .unwrap();
    // Here the process dies, before the transaction.
    let register = desk.register();
    let id = SubmissionId::random().unwrap();
    assert_eq!(register.store().find(id).await.unwrap(), None);
    assert_eq!(
        register
            .accept(draft(id, b"report"), counts, sign)
            .await
            .unwrap()
            .number()
            .get(),
        1
    );
}

#[tokio::test]
async fn the_last_revocation_lists_are_kept_and_no_others() {
    let desk = Desk::new();
    let certs = TestCampus::new();
    let store = Store::open(&desk.home).unwrap();
    assert!(store.crls().await.unwrap().is_empty());
    let former = TestCampus::new().crls(5, &[]);
    let last = certs.crls(6, &[]);
    for lists in [&former, &last] {
        store.remember_crls(Numbers::new(), lists).await.unwrap();
    }
    store.close().await;
    let mut kept = Store::open(&desk.home).unwrap().crls().await.unwrap();
    let mut last: Vec<_> = last.iter().map(|list| list.der().to_vec()).collect();
    kept.sort();
    last.sort();
    assert_eq!(kept, last);
}

#[tokio::test]
async fn numbers_of_revocation_lists_never_go_back() {
    let desk = Desk::new();
    let store = Store::open(&desk.home).unwrap();
    let numbers = |a, b| -> Numbers { [(vec![1], a), (vec![2], b)].into_iter().collect() };
    store.remember_crls(numbers(5, 6), &[]).await.unwrap();
    store.remember_crls(numbers(4, 7), &[]).await.unwrap();
    assert_eq!(store.crl_numbers().await.unwrap(), numbers(5, 7));
}

#[tokio::test]
async fn refuses_a_database_of_a_newer_program() {
    let desk = Desk::new();
    let register = desk.register();
    register.store().close().await;
    drop(register);
    desk.sql("PRAGMA user_version = 99");
    let error = Store::open(&desk.home).unwrap_err();
    assert_eq!(error.code(), "newer_database");
    assert!(error.remedy().unwrap().contains("newer"), "{error}");
}

#[tokio::test]
async fn a_database_that_is_gone_is_told_and_never_made_anew() {
    let desk = Desk::new();
    let register = desk.register();
    register.store().close().await;
    drop(register);
    let (database, kept) = (desk.home.path("blackboard.db"), desk.home.path("kept.db"));
    std::fs::rename(&database, &kept).unwrap();
    let error = Store::open(&desk.home).unwrap_err();
    assert_eq!(error.code(), "database_gone");
    assert!(error.remedy().unwrap().contains("backup"), "{error}");
    assert!(!database.exists());
    std::fs::rename(&kept, &database).unwrap();
    Store::open(&desk.home).unwrap();
}

#[tokio::test]
async fn a_clock_behind_the_last_number_is_told_as_such() {
    let desk = Desk::new();
    drop(desk.register());
    let now = SystemClock.now();
    Register::check_clock(&desk.home, now).unwrap();
    let an_hour_ago = Duration::from_secs(now.as_secs() - 3600);
    let behind = UnixTime::since_unix_epoch(an_hour_ago);
    let error = Register::check_clock(&desk.home, behind).unwrap_err();
    assert_eq!(error.code(), "clock_set_back");
    let told = error.to_string() + &error.remedy().unwrap();
    assert!(
        told.contains("clock") && told.contains("--clock-is-right"),
        "{told}"
    );
    assert!(!told.contains("backup"), "{told}");
}
