//! What members handed in before: told and given back to themselves, and to nobody else.

use std::fs;

use rusqlite::Connection as Database;
use scb_certs::Fingerprint;
use scb_protocol::client::Session;
use scb_protocol::message::blackboard::{ListedVersion, Request};
use scb_protocol::rules::{Extension, LateRule, Terms};
use scb_protocol::statement::{FileEntry, SubmissionNumber};
use scb_protocol::{Code, Frame, Refusal, Step, from_seconds};
use scb_transport::Connection;

use super::campus::Campus;
use super::group::{Group, WAIT, reply};
use crate::store::{NotListed, Place, Store};

/// What the group is told of its versions.
pub(super) async fn history(group: &mut Group<'_>) -> Vec<ListedVersion> {
    let mut pages = pages(group).await;
    assert_eq!(pages.len(), 1);
    pages.remove(0)
}

/// The same, message by message.
async fn pages(group: &mut Group<'_>) -> Vec<Vec<ListedVersion>> {
    let (mut connection, mut session) = group.open_session().await.unwrap();
    let (mut pages, mut after) = (Vec::new(), None);
    loop {
        let (expect, request) = session.ask_history((None, None), after);
        connection.send(&request).await.unwrap();
        let answer = reply(&mut connection).await.unwrap();
        let (open, told) = expect.handle(answer).unwrap();
        pages.push(told.versions);
        (session, after) = (open, told.next);
        if after.is_none() {
            connection.close().await;
            return pages;
        }
    }
}

fn number(number: u64) -> SubmissionNumber {
    SubmissionNumber::new(number).unwrap()
}

/// The receipt of a submission, and the open connection.
async fn receipt(
    group: &mut Group<'_>,
    wanted: u64,
) -> Result<(Vec<u8>, Connection, Session), Refusal> {
    let (mut connection, session) = group.open_session().await?;
    let (expect, request) = session.ask_receipt_of(number(wanted));
    connection.send(&request).await?;
    let downloading = expect.handle(reply(&mut connection).await?)?;
    let (bytes, session) = take(&mut connection, downloading).await?;
    Ok((bytes, connection, session))
}

async fn take(
    connection: &mut Connection,
    mut downloading: scb_protocol::client::Downloading,
) -> Result<(Vec<u8>, Session), Refusal> {
    let mut bytes = Vec::new();
    while downloading.left() > 0 {
        let Frame::Chunk(chunk) = connection.receive_frame(Step::Six, WAIT).await? else {
            panic!("a message amid the content");
        };
        downloading.chunk(&chunk)?;
        bytes.extend_from_slice(&chunk);
    }
    Ok((bytes, downloading.end()?))
}

/// A file of a submission from somewhere on.
async fn file(
    group: &mut Group<'_>,
    wanted: u64,
    (index, entry): (u32, &FileEntry),
    from: u64,
) -> Result<Vec<u8>, Refusal> {
    let (mut connection, session) = group.open_session().await?;
    let (expect, request) = session.ask_file(number(wanted), (index, entry), from);
    connection.send(&request).await?;
    let downloading = expect.handle(reply(&mut connection).await?)?;
    let (bytes, _) = take(&mut connection, downloading).await?;
    connection.close().await;
    Ok(bytes)
}

#[tokio::test]
async fn members_are_told_their_own_versions_and_which_one_counts() {
    let campus = Campus::open().await;
    let mut three = campus.three();
    three.hand_in().await.unwrap();
    let mut alone = campus.group(&["1155000001"]);
    alone.hand_in().await.unwrap();
    campus.group(&["1155000009"]).hand_in().await.unwrap();

    let told = history(&mut campus.group(&["1155000001"])).await;
    let numbers: Vec<_> = told.iter().map(|one| one.number.get()).collect();
    assert_eq!(numbers, [1, 2]);
    let counts: Vec<_> = told.iter().map(|one| one.standings[0].counts).collect();
    assert_eq!(counts, [false, true], "the latest");
    let first = &told[0];
    assert_eq!(first.members.len(), 3);
    assert_eq!(first.files[0].name.as_ref(), "submission.txt");
    assert_eq!(
        (first.file_count, first.size),
        (1, three.report.len() as u64)
    );
    assert_eq!(first.committed_at, campus.certs.now().as_secs());
    assert!(first.proved);
    let sids: Vec<_> = first.standings.iter().map(|one| one.sid.as_str()).collect();
    assert_eq!(sids, ["1155000001"], "how others stand is theirs to know");

    let told = history(&mut campus.group(&["1155000002"])).await;
    assert_eq!(told.len(), 1);
    assert!(told[0].standings[0].counts, "for her it is the latest");
    let told = history(&mut campus.three()).await;
    assert_eq!(told.len(), 1, "what all who ask handed in");
    assert_eq!(history(&mut campus.group(&["1155000005"])).await, []);
}

#[tokio::test]
async fn a_history_comes_message_by_message_each_version_once_and_none_that_was_altered() {
    let campus = Campus::open().await;
    let names: Vec<_> = (0..70).map(|n| format!("{n:0>200}")).collect();
    for version in 0..8_u8 {
        let mut group = campus.group(&["1155000001"]);
        group.report = vec![version];
        group.more = names.iter().map(|name| (name.as_str(), vec![])).collect();
        group.hand_in().await.unwrap();
    }
    let numbers = async || -> Vec<Vec<u64>> {
        let told = pages(&mut campus.group(&["1155000001"])).await;
        let number = |page: &Vec<ListedVersion>| page.iter().map(|one| one.number.get()).collect();
        told.iter().map(number).collect()
    };
    let told = numbers().await;
    assert!(
        told.len() > 1 && told.iter().all(|page| !page.is_empty()),
        "{told:?}"
    );
    assert_eq!(told.concat(), (1..=8).collect::<Vec<_>>());
    let last = told[0][told[0].len() - 1];
    let database = Database::open(campus.home.path("blackboard.db")).unwrap();
    let sql = "UPDATE submissions SET statement = x'00' WHERE number IN (?1, ?1 + 1)";
    database
        .execute(sql, [i64::try_from(last).unwrap()])
        .unwrap();
    let kept = (1..=8).filter(|number| ![last, last + 1].contains(number));
    assert_eq!(numbers().await.concat(), kept.collect::<Vec<_>>());
}

#[tokio::test]
async fn lateness_is_told_by_the_rules_and_the_own_extension() {
    let campus = Campus::open().await;
    let store = Store::open(&campus.home).unwrap();
    let now = campus.certs.now();
    let place = Place {
        domain: campus.service.trust_domain().clone(),
        course: "SANDBOX".parse().unwrap(),
        assignment: "lab".parse().unwrap(),
    };
    let due = from_seconds(now.as_secs() - 100);
    let late: LateRule = "10%/day to 50%".parse().unwrap();
    let change = move |mut terms: Terms| {
        (terms.due, terms.late) = (Some(due), late);
        terms.check()
    };
    let extension = Extension {
        sid: "1155000002".parse().unwrap(),
        due: from_seconds(now.as_secs() + 100),
        cutoff: None,
    };
    let changed = tokio::task::spawn_blocking(move || {
        crate::store::Register::vouch_for_clock(&store).unwrap();
        store.change_assignment(place.clone(), change, due).unwrap();
        store
            .extend(place, vec![extension], NotListed::Refused, now)
            .unwrap();
    });
    changed.await.unwrap();
    campus.three().hand_in().await.unwrap();
    for (sid, expected) in [("1155000001", (100, 10)), ("1155000002", (0, 0))] {
        let told = history(&mut campus.group(&[sid])).await;
        let own = &told[0].standings[0];
        assert_eq!((own.late, own.costs), expected, "{sid}");
    }
}

#[tokio::test]
async fn what_was_handed_in_comes_back_from_wherever_it_is_wanted() {
    let campus = Campus::open().await;
    let mut group = campus.three();
    let kept = group.hand_in().await.unwrap();
    let mut one = campus.group(&["1155000002"]);
    let (zip, ..) = receipt(&mut one, 1).await.unwrap();
    assert!(zip == kept, "another receipt");
    let statement = group.verify(&zip).statement().clone();
    let entry = &statement.files[0];
    let size = entry.size;
    for from in [0, 1, 65_536, size - 1, size, size + 1] {
        let got = file(&mut one, 1, (0, entry), from).await.unwrap();
        let rest = usize::try_from(from.min(size)).unwrap();
        assert!(got == group.report[rest..], "from {from}");
    }
    let refused = file(&mut one, 1, (1, entry), 0).await.unwrap_err();
    assert_eq!(
        refused.code,
        Code::SubmissionUnknown,
        "there is no second file"
    );
}

/// The very bytes of the answer to this request.
async fn answer(campus: &Campus, sids: &[&str], request: &Request) -> Vec<u8> {
    let (mut connection, _) = campus.group(sids).open_session().await.unwrap();
    connection.send(request).await.unwrap();
    match connection.receive_frame(Step::Six, WAIT).await.unwrap() {
        Frame::Message(bytes) | Frame::Chunk(bytes) => bytes.to_vec(),
    }
}

#[tokio::test]
async fn what_is_others_is_answered_as_what_is_not_there_and_is_not_even_read() {
    let campus = Campus::open().await;
    let mut group = campus.three();
    group.hand_in().await.unwrap();
    // Reading it would be a fault, and told as one.
    fs::remove_file(stored(&campus, &group.report)).unwrap();
    let database = Database::open(campus.home.path("blackboard.db")).unwrap();
    database
        .execute("UPDATE submissions SET statement = zeroblob(9)", [])
        .unwrap();
    for file in [None, Some(0)] {
        let request = |wanted: u64| Request::Download {
            number: number(wanted),
            file,
            from: 0,
        };
        let nobodys = answer(&campus, &["1155000009"], &request(999)).await;
        let told = String::from_utf8(nobodys.clone()).unwrap();
        assert_eq!(
            told,
            r#"{"type":"refusal","code":"submission_unknown","step":6}"#
        );
        for sids in [
            &["1155000009"][..],
            &["1155000001", "1155000009"][..],
            &["1155000009", "1155000001"][..],
        ] {
            let others = answer(&campus, sids, &request(1)).await;
            assert!(others == nobodys, "{sids:?}");
        }
        let own = answer(&campus, &["1155000001"], &request(1)).await;
        assert!(own != nobodys, "it would have been noticed");
    }
}

fn stored(campus: &Campus, report: &[u8]) -> std::path::PathBuf {
    let sha256 = Fingerprint::of(report).to_string();
    campus.home.path("content").join(&sha256[..2]).join(sha256)
}

#[tokio::test]
async fn what_was_altered_on_the_disk_is_refused_before_its_first_byte() {
    let campus = Campus::open().await;
    let mut group = campus.three();
    let kept = group.hand_in().await.unwrap();
    let statement = group.verify(&kept).statement().clone();
    let path = stored(&campus, &group.report);
    let mut bytes = fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let mut one = campus.group(&["1155000001"]);
    for from in [0, 100] {
        let refused = file(&mut one, 1, (0, &statement.files[0]), from).await;
        assert_eq!(refused.unwrap_err().code, Code::StoredDamaged);
    }
    receipt(&mut one, 1).await.unwrap();
    let database = Database::open(campus.home.path("blackboard.db")).unwrap();
    let harm = "UPDATE submissions SET signatures = zeroblob(9)";
    database.execute(harm, []).unwrap();
    let refused = receipt(&mut one, 1).await.map(drop).unwrap_err();
    assert_eq!(refused.code, Code::StoredDamaged);
}
