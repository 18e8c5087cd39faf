//! Who has handed in, and which version counts.

use bytes::Bytes;
use rusqlite::Connection;
use scb_protocol::from_seconds;
use scb_protocol::rules::Counts;

use super::campus::Campus;
use super::group::Group;
use crate::arguments::courses::Which;
use crate::courses::Desk;
use crate::store::Store;
use crate::submissions::overview::{Line, Overview, State};

fn which() -> Which {
    Which {
        course: "SANDBOX".parse().unwrap(),
        assignment: "lab".parse().unwrap(),
    }
}

/// A teacher at the server's home, so many seconds after the clock of the campus.
fn desk(campus: &Campus, later: u64) -> Desk {
    Desk {
        store: Store::open(&campus.home).unwrap(),
        config: campus.config.clone(),
        domain: campus.service.trust_domain().clone(),
        now: from_seconds(campus.certs.now().as_secs() + later),
    }
}

fn list(desk: &Desk, sids: &[&str]) {
    let sids = sids.iter().map(|sid| sid.parse().unwrap()).collect();
    desk.store.set_members(&which().course, Some(sids)).unwrap();
}

fn lines(desk: &Desk) -> Vec<Line> {
    let which = which();
    Overview::open(desk, &which).unwrap().page().unwrap()
}

/// The numbers that count, in the order of the students.
fn numbers(lines: &[Line]) -> Vec<u64> {
    let number = |line: &Line| line.came.as_ref().map_or(0, |came| came.number.get());
    lines.iter().map(number).collect()
}

async fn three_and_then_the_first_alone(campus: &Campus) {
    campus.three().hand_in().await.unwrap();
    campus.group(&["1155000001"]).hand_in().await.unwrap();
}

#[tokio::test]
async fn the_version_that_counts_is_the_latest_or_the_first_as_the_rules_say() {
    let campus = Campus::open().await;
    three_and_then_the_first_alone(&campus).await;
    let desk = desk(&campus, 0);
    assert_eq!(numbers(&lines(&desk)), [2, 1, 1]);
    let versions: Vec<_> = lines(&desk).iter().map(|line| line.versions).collect();
    assert_eq!(versions, [2, 1, 1]);
    let first = |mut terms: scb_protocol::rules::Terms| {
        terms.counts = Counts::First;
        terms.check()
    };
    let place = desk.place(&which());
    desk.store
        .change_assignment(place, first, desk.now)
        .unwrap();
    assert_eq!(numbers(&lines(&desk)), [1, 1, 1]);
}

/// A member of the class list whose files have come in part.
async fn begin_upload(mut group: Group<'_>) {
    let (mut connection, committed) = group.commit().await.unwrap();
    let (_, upload) = committed.upload(&[]);
    connection.send(&upload).await.unwrap();
    let part = Bytes::copy_from_slice(&group.report[..100]);
    connection.send_chunk(part).await.unwrap();
}

#[tokio::test]
async fn what_was_signed_and_is_not_here_is_told_from_nothing_at_all() {
    let campus = Campus::open().await;
    begin_upload(campus.group(&["1155000001"])).await;
    let desk_now = desk(&campus, 0);
    list(&desk_now, &["1155000001", "1155000009"]);
    let states = |desk: &Desk| -> Vec<State> {
        let lines = lines(desk);
        lines.iter().map(|line| line.state).collect()
    };
    assert_eq!(states(&desk_now), [State::Uploading, State::NothingYet]);
    let window = desk(&campus, 10 * 24 * 3600);
    assert_eq!(states(&window), [State::NeverCame, State::NothingYet]);
}

#[tokio::test]
async fn a_version_that_was_altered_does_not_count_and_is_named() {
    let campus = Campus::open().await;
    three_and_then_the_first_alone(&campus).await;
    let connection = Connection::open(campus.home.path("blackboard.db")).unwrap();
    let alter = "UPDATE submissions SET accepted_at = accepted_at - 60 WHERE number = 2";
    connection.execute(alter, []).unwrap();
    let (desk, which) = (desk(&campus, 0), which());
    let mut overview = Overview::open(&desk, &which).unwrap();
    assert_eq!(numbers(&overview.page().unwrap()), [1, 1, 1]);
    let altered: Vec<_> = overview.altered.iter().map(|number| number.get()).collect();
    assert_eq!(altered, [2]);
}

#[tokio::test]
async fn a_class_larger_than_a_page_is_shown_whole() {
    let campus = Campus::open().await;
    campus.three().hand_in().await.unwrap();
    let desk = desk(&campus, 0);
    let sids: Vec<String> = (1..=1203)
        .map(|n| format!("{}", 1_155_000_000 + n))
        .collect();
    list(&desk, &sids.iter().map(String::as_str).collect::<Vec<_>>());
    let which = which();
    let mut overview = Overview::open(&desk, &which).unwrap();
    let mut shown = Vec::new();
    loop {
        let page = overview.page().unwrap();
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 500);
        shown.extend(page.into_iter().map(|line| line.sid.to_string()));
    }
    assert_eq!(shown, sids);
}
