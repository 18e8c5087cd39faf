//! After an old backup: what was acknowledged comes back by its receipt, with its number and its time.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use scb_cli::Failure;
use scb_protocol::log_leaf::{Entry, Leaf};
use scb_protocol::receipt::{ReceiptParts, build};
use scb_protocol::server::Outage;
use scb_protocol::statement::SubmissionNumber;

use super::super::campus::Campus;
use super::super::detached::{counting, detach};
use super::super::uploads::anew;
use super::{back_up, log_name, recovered, restore, seen, witnessed};
use crate::arguments::Recover;
use crate::failure::failure;
use crate::fsck::found;
use crate::recover::recover;
use crate::store::{Place, Store};

/// What a group has at home: its receipt, and the file that it handed in.
struct Kept {
    receipt: PathBuf,
    file: PathBuf,
    bytes: Vec<u8>,
}

/// A campus that went on after an old backup; one that lost the second of two hand-ins, of which the group
/// has kept this.
async fn gone_on() -> (Campus, Kept) {
    let (campus, kept, _) = gone_on_since(None).await;
    (campus, kept)
}

/// As where the numbers of what was lost went on after this one; and the highest that was given.
async fn gone_on_since(ahead: Option<u64>) -> (Campus, Kept, SubmissionNumber) {
    let mut campus = Campus::with(|config| config.outage = Outage::Refuse).await;
    campus.three().hand_in().await.unwrap();
    let kept = witnessed(&campus).await;
    campus.stop().await;
    back_up(&campus).await;
    if let Some(ahead) = ahead {
        note_number(&campus, ahead);
    }
    campus.start().await.unwrap();
    let mut group = campus.three();
    group.hand_in().await.unwrap();
    witnessed(&campus).await;
    // The same again gets the receipt of that version, which is complete by now.
    let bytes = anew(&group).hand_in().await.unwrap();
    let kept_at_home = Kept {
        receipt: campus.dir.path().join("S-000002.zip"),
        file: campus.dir.path().join("report.txt"),
        bytes,
    };
    fs::write(&kept_at_home.receipt, &kept_at_home.bytes).unwrap();
    fs::write(&kept_at_home.file, &group.report).unwrap();
    drop(group);
    if ahead.is_some() {
        campus.three().hand_in().await.unwrap();
    }
    let had = witnessed(&campus).await;
    let given = Store::open(&campus.home).unwrap().numbers().unwrap();
    campus.stop().await;
    restore(&mut campus);
    let early = by_receipt(&campus, &kept_at_home.receipt, &[]).await;
    assert_eq!(early.unwrap_err().code, Some("log_behind"));
    recovered(&campus, Some(had - kept)).await.unwrap();
    (campus, kept_at_home, *given.last().unwrap())
}

/// The highest number is noted, just now.
fn note_number(campus: &Campus, number: u64) {
    let now = std::time::SystemTime::now();
    let now = now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let line = format!("v1 {number:020} {now:020} {:8}\n", "");
    fs::write(campus.home.path("numbers"), line).unwrap();
}

async fn by_receipt(campus: &Campus, receipt: &Path, files: &[&Path]) -> Result<(), Failure> {
    let command = Recover {
        lose: None,
        receipt: Some(receipt.to_owned()),
        files: files.iter().map(|file| (*file).to_owned()).collect(),
    };
    let done = recover(campus.home.dir(), &command, campus.clock()).await;
    done.map_err(failure)
}

fn number(number: u64) -> SubmissionNumber {
    SubmissionNumber::new(number).unwrap()
}

fn entries(campus: &Campus) -> Vec<Option<Entry>> {
    let store = Store::open(&campus.home).unwrap();
    let entries = store.entries(&log_name(), 0, 1000).unwrap().into_iter();
    let entry = |leaf: Vec<u8>| Leaf::parse(&leaf).unwrap().entry;
    entries.map(|(_, leaf)| leaf.map(entry)).collect()
}

fn damage(campus: &Campus) -> Vec<(&'static str, String)> {
    let mut found = found(&campus.home, None, campus.certs.now()).unwrap();
    // Of a server that does not run.
    found.retain(|(code, _)| *code != "log_unpublished");
    found
}

#[tokio::test]
async fn what_was_acknowledged_comes_back_with_its_number_its_time_and_its_files() {
    let (mut campus, kept) = gone_on().await;
    campus.start().await.unwrap();
    campus.certs.clock().advance(Duration::from_secs(3600));
    // Nothing is entered without the files.
    let before = entries(&campus);
    let empty = campus.dir.path().join("folder");
    fs::create_dir(&empty).unwrap();
    fs::write(
        empty.join("other"),
        vec![b'x'; fs::metadata(&kept.file).unwrap().len() as usize],
    )
    .unwrap();
    let not_it: [&[&Path]; 2] = [&[], &[&empty]];
    for files in not_it {
        let refused = by_receipt(&campus, &kept.receipt, files).await.unwrap_err();
        assert_eq!(refused.code, Some("files_missing"), "{refused:?}");
    }
    assert_eq!(entries(&campus), before);
    // Beside the server that runs; by its content, whatever the file is called and wherever it lies.
    fs::copy(&kept.file, empty.join("draft (2).txt")).unwrap();
    by_receipt(&campus, &kept.receipt, &[&empty]).await.unwrap();
    let store = Store::open(&campus.home).unwrap();
    let record = store.record(number(2)).unwrap().unwrap();
    let roots = [campus.certs.root().certificate().fingerprint()];
    assert_eq!(
        record.receipt(&roots).unwrap(),
        kept.bytes,
        "the very receipt"
    );
    let hour_ago = campus.certs.now().as_secs() - 3600;
    assert!(record.committed_at().unwrap().as_secs() <= hour_ago);
    // The receipt has the entry which says that all had signed on one machine.
    let told = store.delivered(&record).unwrap();
    let members = told[0].with.clone();
    assert_eq!((told.len(), members.len()), (3, 3));
    for one in &told {
        assert_eq!(
            (one.entry, one.connection, &one.with),
            (None, None, &members)
        );
        assert_eq!(one.at, record.committed_at().unwrap());
    }
    let after = entries(&campus);
    assert_eq!(after[..before.len()], before, "what was lost stays lost");
    let Some(Entry::Restored(restored)) = after.last().unwrap() else {
        panic!("{after:?}");
    };
    assert_eq!(restored.number, number(2));
    let lost = after[usize::try_from(restored.index).unwrap()].as_ref();
    assert_eq!(lost, None);
    assert!(restored.committed.is_some());
    assert_eq!(damage(&campus), []);

    // Once is enough; and its files come back by the same command if they are gone.
    by_receipt(&campus, &kept.receipt, &[]).await.unwrap();
    assert_eq!(entries(&campus).len(), after.len());
    let file = &record.statement().files.iter().next().unwrap().sha256;
    let name = file.to_string();
    fs::remove_file(campus.home.path("content").join(&name[..2]).join(&name)).unwrap();
    assert_eq!(damage(&campus)[0].0, "content_missing");
    by_receipt(&campus, &kept.receipt, &[&kept.file])
        .await
        .unwrap();
    assert_eq!(damage(&campus), []);
    // The teacher takes somebody out of what came back, and all who look agree.
    let members = record.statement().members.iter();
    let sids: Vec<_> = members.map(|one| one.sid.as_str()).collect();
    let outcome = detach(&campus, "S-000002", &sids[..1], false);
    assert_eq!(outcome.left.len(), 2);
    assert_eq!(counting(&campus, sids[0]).await, Some(1));
    assert_eq!(counting(&campus, sids[1]).await, Some(2));
    assert_eq!(damage(&campus), []);

    // The log goes on, is witnessed, and numbers go on after those that were lost.
    campus.three().hand_in().await.unwrap();
    let all = witnessed(&campus).await;
    assert_eq!(seen(&campus), all);
    let numbers = store.numbers().unwrap();
    assert_eq!(numbers[..2], [number(1), number(2)]);
    assert!(numbers[2] > number(1000), "{numbers:?}");
    campus.stop().await;
    campus.start().await.unwrap();
    campus.stop().await;
}

/// A receipt of which the proof was still to come has no entry that says who signed over which connection.
#[tokio::test]
async fn over_which_connection_a_signature_came_is_not_made_up() {
    let (mut campus, kept) = gone_on().await;
    campus.start().await.unwrap();
    let roots = [campus.certs.root().certificate().fingerprint()];
    let (_, parts) = ReceiptParts::verified(&kept.bytes, &roots).unwrap();
    let pending = build(&parts.evidence, &parts.leaf, None).unwrap();
    fs::write(&kept.receipt, pending).unwrap();
    by_receipt(&campus, &kept.receipt, &[&kept.file])
        .await
        .unwrap();
    let store = Store::open(&campus.home).unwrap();
    let record = store.record(number(2)).unwrap().unwrap();
    assert!(store.delivered(&record).unwrap().is_empty());
    campus.stop().await;
}

#[tokio::test]
async fn a_receipt_that_the_log_does_not_hold_brings_nothing_back() {
    let (campus, kept) = gone_on().await;
    let before = entries(&campus);
    let altered = campus.dir.path().join("altered.zip");
    let mut bytes = kept.bytes.clone();
    let place = bytes
        .windows(8)
        .position(|part| part == b"S-000002")
        .unwrap();
    bytes[place + 7] = b'1';
    fs::write(&altered, bytes).unwrap();
    let refused = by_receipt(&campus, &altered, &[&kept.file]).await;
    assert_eq!(refused.unwrap_err().code, Some("receipt_invalid"));
    // Another log of the same name: CUHK saw other entries of this one.
    let database = rusqlite::Connection::open(campus.home.path("blackboard.db")).unwrap();
    let other = "UPDATE log_entries SET commitment = randomblob(32) WHERE leaf IS NULL";
    database.execute(other, []).unwrap();
    let refused = by_receipt(&campus, &kept.receipt, &[&kept.file]).await;
    assert_eq!(refused.unwrap_err().code, Some("another_entry"));
    assert_eq!(entries(&campus), before);
    assert_eq!(campus.submissions().len(), 1);
}

#[tokio::test]
async fn the_files_of_what_is_lost_stay_until_it_is_entered_again() {
    let (mut campus, kept) = gone_on().await;
    campus.start().await.unwrap();
    campus.three().hand_in().await.unwrap();
    witnessed(&campus).await;
    campus.stop().await;
    // The disk of the files was not lost: only the database was.
    let report = fs::read(&kept.file).unwrap();
    let name = scb_certs::Fingerprint::of(&report).to_string();
    let path = campus.home.path("content").join(&name[..2]).join(&name);
    fs::write(&path, &report).unwrap();
    let sweep = || {
        let store = Store::open(&campus.home).unwrap();
        let register = crate::store::Register::open(&campus.home, store).unwrap();
        let content = scb_storage::ContentStore::open(&campus.home.path("content")).unwrap();
        let later = std::time::SystemTime::now() + Duration::from_secs(400 * 86_400);
        register.sweep(&content, later).unwrap()
    };
    assert_eq!(sweep(), 0);
    assert!(path.exists());
    by_receipt(&campus, &kept.receipt, &[]).await.unwrap();
    assert_eq!(sweep(), 0);
    assert!(path.exists());
}

#[tokio::test]
async fn a_number_that_was_given_again_is_not_taken_for_what_is_lost() {
    let (mut campus, kept) = gone_on().await;
    campus.start().await.unwrap();
    campus.stop().await;
    // As where numbers went on too low.
    note_number(&campus, 1);
    campus.start().await.unwrap();
    campus.three().hand_in().await.unwrap();
    let store = Store::open(&campus.home).unwrap();
    let other = store.record(number(2)).unwrap().unwrap();
    let before = entries(&campus);
    let refused = by_receipt(&campus, &kept.receipt, &[&kept.file]).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.code, Some("number_taken"), "{refused:?}");
    let named = other.statement().submission.to_string();
    assert!(refused.to_string().contains(&named), "{refused}");
    assert_eq!(entries(&campus), before);
    assert_eq!(store.record(number(2)).unwrap().unwrap(), other);
    campus.stop().await;
}

/// Numbers that were given by a clock ahead are above those with which it goes on.
#[tokio::test]
async fn after_what_comes_back_no_number_is_given_that_a_lost_one_had() {
    for restarts in [false, true] {
        let ahead = 20_000_000_000_000;
        let (mut campus, kept, highest) = gone_on_since(Some(ahead)).await;
        assert!(highest.get() > ahead + 1, "{highest}");
        campus.start().await.unwrap();
        by_receipt(&campus, &kept.receipt, &[&kept.file])
            .await
            .unwrap();
        if restarts {
            campus.stop().await;
            campus.start().await.unwrap();
        }
        campus.three().hand_in().await.unwrap();
        let store = Store::open(&campus.home).unwrap();
        let numbers = store.numbers().unwrap();
        assert_eq!(numbers[1], number(ahead + 1), "the one that came back");
        assert!(numbers[2] > highest, "{numbers:?}");
        assert_eq!(damage(&campus), []);
        campus.stop().await;
    }
}

#[tokio::test]
async fn of_several_at_once_one_enters_it_and_the_others_say_that_it_is_here() {
    let (mut campus, kept) = gone_on().await;
    campus.start().await.unwrap();
    let before = entries(&campus).len();
    let files = [kept.file.as_path()];
    let once = || by_receipt(&campus, &kept.receipt, &files);
    let (one, other, third) = tokio::join!(once(), once(), once());
    for came in [one, other, third] {
        came.unwrap();
    }
    assert_eq!(entries(&campus).len(), before + 1);
    campus.stop().await;
}

#[tokio::test]
async fn after_the_end_it_is_entered_and_the_end_is_another() {
    let (mut campus, kept) = gone_on().await;
    // Nothing is entered before its logs were compared.
    let early = by_receipt(&campus, &kept.receipt, &[&kept.file]).await;
    assert_eq!(early.unwrap_err().code, Some("put_back"));
    campus.start().await.unwrap();
    campus.stop().await;
    let store = Store::open(&campus.home).unwrap();
    let place = Place {
        domain: campus.service.trust_domain().clone(),
        course: "SANDBOX".parse().unwrap(),
        assignment: "lab".parse().unwrap(),
    };
    let over = scb_protocol::from_seconds(campus.certs.now().as_secs() + 60);
    let change = move |mut terms: scb_protocol::rules::Terms| {
        terms.due = Some(over);
        terms.check()
    };
    let now = campus.certs.now();
    store.change_assignment(place.clone(), change, now).unwrap();
    campus.certs.clock().advance(Duration::from_secs(3600));
    let close = || store.close_assignment(&place, campus.certs.now()).unwrap();
    let first = close();
    by_receipt(&campus, &kept.receipt, &[&kept.file])
        .await
        .unwrap();
    assert_ne!(close(), first);
    let closed = entries(&campus)
        .into_iter()
        .rev()
        .find_map(|entry| match entry {
            Some(Entry::Closed(closed)) => Some(closed.accepted),
            _ => None,
        });
    assert_eq!(closed, Some(2));
    assert_eq!(damage(&campus), []);
}
