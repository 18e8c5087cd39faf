//! The issuance log: nothing is given out that is not in it.

mod cosigned;

use std::fs;
use std::path::{Path, PathBuf};

use rustls_pki_types::UnixTime;
use scb_certs::ServiceName;
use scb_cuhk::{Error, Unlocked, open_home};
use scb_protocol::audit::{Audit, Audited, ExpectCheckpoint, ExpectEntries, GrownLog, KnownLog};
use scb_protocol::message::cuhk::{Reply, Request};
use scb_protocol::{Code, LogEntry, Refusal};
use scb_transport::Connection;

use crate::university::{Credentials, PASSPHRASE, University, ask, refused, verify};

const SID: &str = "1155000001";

async fn look(connection: &mut Connection, known: Option<KnownLog>) -> Result<GrownLog, Refusal> {
    let (expect, request) = ExpectCheckpoint::new(known);
    expect.handle(ask(connection, &request).await?)
}

/// What `student audit` does.
async fn audit(connection: &mut Connection, sid: &str, now: UnixTime) -> Result<Audited, Refusal> {
    let log = look(connection, None).await?;
    let (mut expect, mut request) = ExpectEntries::new(log, sid.parse().unwrap(), now);
    loop {
        match expect.handle(ask(connection, &request).await?)? {
            Audit::Done(audited) => return Ok(audited),
            Audit::More(next, again) => (expect, request) = (next, again),
        }
    }
}

async fn audit_as(university: &University, who: &Credentials, sid: &str) -> Audited {
    let mut connection = university.connect_as(who).await;
    audit(&mut connection, sid, university.clock.now())
        .await
        .unwrap()
}

fn directory(university: &University) -> PathBuf {
    university.dir.path().join("cuhk/log")
}

#[tokio::test]
async fn a_certificate_is_in_the_log_when_it_is_given_out() {
    let university = University::open().await;
    let student = university.student(SID).await;
    let certificate = student.chain.leaf();
    let serial = certificate.serial();
    let number = university
        .store
        .read(move |records| records.log().number_of(&serial))
        .await
        .unwrap();
    assert!(number.is_some(), "in the database as soon as it is out");
    let audited = audit_as(&university, &student, SID).await;
    let [entry] = audited.entries() else {
        panic!("{:?}", audited.entries());
    };
    assert_eq!(Some(entry.index()), number);
    let LogEntry::Certificate { cert_sha256, .. } = entry.entry() else {
        panic!("{entry:?}");
    };
    assert_eq!(*cert_sha256, certificate.fingerprint());
    let sid = SID.parse().unwrap();
    audited.require(&sid, &certificate.fingerprint()).unwrap();
    let other = university.root.fingerprint();
    let missing = audited.require(&sid, &other).unwrap_err();
    assert_eq!(missing.code, Code::LogIncomplete);
    university.stop().await;
}

#[tokio::test]
async fn everybody_who_asked_is_in_the_log() {
    let university = University::open().await;
    let student = university.student(SID).await;
    let blackboard = university.blackboard().await;
    let question = verify(&[
        (SID, student.chain.leaf().fingerprint()),
        ("1155000002", student.chain.leaf().fingerprint()),
    ]);
    let mut connection = university.connect_as(&blackboard).await;
    // More than one page.
    for _ in 0..20 {
        ask(&mut connection, &question).await.unwrap();
    }
    let audited = audit_as(&university, &student, SID).await;
    assert_eq!(audited.entries().len(), 21);
    let asked: Vec<_> = audited
        .entries()
        .iter()
        .filter_map(|entry| match entry.entry() {
            LogEntry::Verification {
                asker, inactive, ..
            } => Some((asker.clone(), *inactive)),
            LogEntry::Certificate { .. } => None,
        })
        .collect();
    assert_eq!(asked, vec![(ServiceName::blackboard(), None); 20]);
    university.stop().await;
}

#[tokio::test]
async fn nobody_reads_about_others() {
    let university = University::open().await;
    let (one, other) = (
        university.student(SID).await,
        university.student("1155000002").await,
    );
    let blackboard = university.blackboard().await;
    let mut connection = university.connect_as(&other).await;
    let shown = audit(&mut connection, SID, university.clock.now())
        .await
        .unwrap_err();
    assert_eq!(shown.code, Code::LogInvalid, "it is about the caller only");
    let request = Request::Audit { size: 1, from: 1 };
    let as_service = university.ask(Some(&blackboard), &request).await;
    assert_eq!(refused(as_service), Code::NotPermitted);
    let anonymous = university.ask(None, &request).await;
    assert_eq!(refused(anonymous), Code::CertificateMissing);
    // Nor does the public log show a name.
    let size = audit_as(&university, &one, SID)
        .await
        .log()
        .checkpoint()
        .head()
        .size;
    let tiles = scb_tlog::Tiles::new(&directory(&university), size);
    for index in 0..size {
        assert_eq!(tiles.entry(index).unwrap().len(), 32, "a commitment");
    }
    university.stop().await;
}

#[tokio::test]
async fn the_log_goes_on_after_a_restart() {
    let university = University::open().await;
    let student = university.student(SID).await;
    let mut connection = university.connect_as(&student).await;
    let before = look(&mut connection, None).await.unwrap();
    let university = university.restart().await;
    university.student("1155000002").await;
    let mut connection = university.connect_as(&student).await;
    let after = look(&mut connection, Some(before.known())).await.unwrap();
    assert!(after.known().head.size > before.known().head.size);
    assert_eq!(
        audit_as(&university, &student, SID).await.entries().len(),
        1
    );
    university.stop().await;
}

/// What a crash leaves between the database and the tiles, at worst all of it.
#[tokio::test]
async fn tiles_that_are_behind_the_database_catch_up() {
    let university = University::open().await;
    let student = university.student(SID).await;
    let university = university.stopped().await;
    let (log, aside) = (
        university.home().join("log"),
        university.home().join("aside"),
    );
    copy(&log, &aside);
    let university = university.start().await;
    university.student("1155000002").await;
    let mut connection = university.connect_as(&student).await;
    let before = look(&mut connection, None).await.unwrap().known();
    let university = university.stopped().await;
    fs::remove_dir_all(&log).unwrap();
    fs::rename(&aside, &log).unwrap();
    let university = university.start().await;
    let mut connection = university.connect_as(&student).await;
    let after = look(&mut connection, Some(before.clone())).await.unwrap();
    assert!(after.known().head.size >= before.head.size);
    let university = university.stopped().await;
    fs::remove_dir_all(&log).unwrap();
    let university = university.start().await;
    let mut connection = university.connect_as(&student).await;
    look(&mut connection, Some(after.known())).await.unwrap();
    university.stop().await;
}

#[tokio::test]
async fn what_cannot_be_published_is_refused_and_not_lost() {
    let university = University::open().await;
    let student = university.student(SID).await;
    let mut connection = university.connect_as(&student).await;
    let before = look(&mut connection, None).await.unwrap().known();
    let (tiles, aside) = (
        directory(&university).join("tile"),
        directory(&university).join("aside"),
    );
    fs::rename(&tiles, &aside).unwrap();
    fs::write(&tiles, "in the way").unwrap();
    let other = university.student("1155000002").await;
    let refused = look(&mut connection, None).await.unwrap_err();
    assert_eq!(refused.code, Code::Internal);
    fs::remove_file(&tiles).unwrap();
    fs::rename(&aside, &tiles).unwrap();
    let mut connection = university.connect_as(&student).await;
    look(&mut connection, Some(before)).await.unwrap();
    let audited = audit_as(&university, &other, "1155000002").await;
    let certificate = other.chain.leaf().fingerprint();
    let sid = "1155000002".parse().unwrap();
    audited.require(&sid, &certificate).unwrap();
    university.stop().await;
}

/// How many entries the database has.
async fn recorded(university: &University) -> u64 {
    let size = university.store.read(|records| records.log().size());
    size.await.unwrap()
}

#[tokio::test]
async fn what_could_not_be_published_is_in_the_log_once() {
    let university = University::open().await;
    let student = university.student(SID).await;
    let checkpoint = directory(&university).join("checkpoint");
    let aside = directory(&university).join("aside");
    fs::rename(&checkpoint, &aside).unwrap();
    fs::create_dir(&checkpoint).unwrap();
    university.student("1155000002").await;
    for _ in 0..3 {
        let mut connection = university.connect_as(&student).await;
        let failed = look(&mut connection, None).await.unwrap_err();
        assert_eq!(failed.code, Code::Internal);
    }
    fs::remove_dir(&checkpoint).unwrap();
    fs::rename(&aside, &checkpoint).unwrap();

    let third = university.student("1155000003").await;
    let audited = audit_as(&university, &third, "1155000003").await;
    let sid = "1155000003".parse().unwrap();
    let certificate = third.chain.leaf().fingerprint();
    audited.require(&sid, &certificate).unwrap();
    let size = audited.log().known().head.size;
    assert_eq!(size, recorded(&university).await);
    let university = university.restart().await;
    assert_eq!(size, recorded(&university).await);
    university.stop().await;
}

#[tokio::test]
async fn an_old_backup_does_not_fork_the_log() {
    let university = University::open().await;
    let student = university.student(SID).await;
    let backup = university.back_up();
    university.student("1155000002").await;
    let mut connection = university.connect_as(&student).await;
    let before = look(&mut connection, None).await.unwrap();
    let university = university.restore(&backup).await;
    university.student("1155000003").await;
    let mut connection = university.connect_as(&student).await;
    let after = look(&mut connection, Some(before.known())).await.unwrap();
    assert!(after.known().head.size > before.known().head.size);
    university.stop().await;
}

#[tokio::test]
async fn a_log_that_was_begun_anew_is_refused() {
    let university = University::open().await;
    let student = university.student(SID).await;
    let mut connection = university.connect_as(&student).await;
    let known = look(&mut connection, None).await.unwrap().known();
    let university = university.stopped().await;
    let database = university.open_database();
    database.execute("DELETE FROM log_entry", []).unwrap();
    drop(database);
    fs::remove_dir_all(university.home().join("log")).unwrap();
    let university = university.start().await;
    for sid in ["1155000002", "1155000003", "1155000004"] {
        university.student(sid).await;
    }
    let mut connection = university.connect_as(&student).await;
    let forked = look(&mut connection, Some(known)).await.unwrap_err();
    assert_eq!(forked.code, Code::LogForked);
    university.stop().await;
}

#[tokio::test]
async fn a_database_of_another_log_is_not_served() {
    let university = University::open().await;
    university.student(SID).await;
    let university = university.stopped().await;
    let database = university.open_database();
    let altered = "UPDATE log_entry SET commitment = randomblob(32)";
    assert!(database.execute(altered, []).unwrap() > 0);
    drop(database);
    let home = open_home(&university.home()).unwrap();
    let opened = Unlocked::open(home, &PASSPHRASE.to_owned().into());
    assert!(matches!(opened, Err(Error::LogContradicted { .. })));
}

#[tokio::test]
async fn a_log_never_gets_a_second_key() {
    let university = University::open().await;
    let university = university.stopped().await;
    fs::remove_file(university.home().join("keys/log.pem")).unwrap();
    let home = open_home(&university.home()).unwrap();
    let opened = Unlocked::open(home, &PASSPHRASE.to_owned().into());
    assert!(opened.is_err(), "no new key for a log that has one");
}

#[tokio::test]
async fn more_than_there_is_cannot_be_asked_for() {
    let university = University::open().await;
    let student = university.student(SID).await;
    let old = u64::MAX;
    let ahead = university
        .ask(Some(&student), &Request::Checkpoint { old })
        .await;
    assert_eq!(refused(ahead), Code::LogForked);
    let (size, from) = (1 << 40, 1);
    let beyond = university
        .ask(Some(&student), &Request::Audit { size, from })
        .await;
    assert_eq!(refused(beyond), Code::LogForked);
    for (size, from) in [(0, 1), (1, u64::MAX)] {
        let nothing = university
            .ask(Some(&student), &Request::Audit { size, from })
            .await;
        let Ok(Reply::Audit { entries, .. }) = nothing else {
            panic!("{size} {from}");
        };
        assert!(entries.is_empty(), "{size} {from}");
    }
    university.stop().await;
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        match path.is_dir() {
            true => copy(&path, &target),
            false => drop(fs::copy(&path, &target).unwrap()),
        }
    }
}
