//! Who has handed in, and which version counts.

use bytes::Bytes;
use rusqlite::Connection;
use scb_protocol::from_seconds;
use scb_protocol::rules::Counts;
use serde_json::json;

use super::campus::Campus;
use super::group::Group;
use super::proposals::{A, B, C, Machine};
use super::uploads::{again, interrupted};
use super::withdrawals::give_up;
use crate::arguments::courses::Which;
use crate::courses::Desk;
use crate::store::{Register, Store};
use crate::submissions::overview::{Line, Overview, State, remarked};
use crate::submissions::uploads;

pub(super) fn which() -> Which {
    Which {
        course: "SANDBOX".parse().unwrap(),
        assignment: "lab".parse().unwrap(),
    }
}

/// A teacher at the server's home, so many seconds after the clock of the campus.
pub(super) fn desk(campus: &Campus, later: u64) -> Desk {
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

pub(super) fn lines(desk: &Desk) -> Vec<Line> {
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
    for (counts, expected) in [(Counts::Latest, [2, 1, 1]), (Counts::First, [1, 1, 1])] {
        let campus = Campus::open().await;
        let desk = desk(&campus, 0);
        let change = move |mut terms: scb_protocol::rules::Terms| {
            terms.counts = counts;
            terms.check()
        };
        let place = desk.place(&which());
        desk.store
            .change_assignment(place, change, desk.now)
            .unwrap();
        three_and_then_the_first_alone(&campus).await;
        assert_eq!(numbers(&lines(&desk)), expected);
        let versions: Vec<_> = lines(&desk).iter().map(|line| line.versions).collect();
        assert_eq!(versions, [2, 1, 1]);
    }
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
async fn what_was_given_up_for_the_version_that_counts_is_not_told_beside_it() {
    let campus = Campus::open().await;
    let setbacks = || -> Vec<_> {
        let lines = lines(&desk(&campus, 0));
        let kind = |line: &Line| line.setback.as_ref().map(|failed| failed.kind);
        lines.iter().map(kind).collect()
    };
    // A file of it has changed: the next version is handed in, and then this one is given up.
    let old = interrupted(&campus).await;
    let mut new = campus.three();
    new.report.push(b'!');
    new.hand_in().await.unwrap();
    give_up(&mut again(&old), old.submission).await.unwrap();
    assert_eq!(setbacks(), [None; 3]);
    assert_eq!(numbers(&lines(&desk(&campus, 0))), [1; 3]);
    // What was signed after it, and given up, is told.
    let mut newer = campus.three();
    newer.report.extend(b"!!");
    drop(newer.commit().await.unwrap());
    let id = newer.submission;
    give_up(&mut again(&newer), id).await.unwrap();
    assert_eq!(setbacks(), [Some("withdrawn"); 3]);
}

#[tokio::test]
async fn that_files_never_came_is_told_in_the_past_once_their_time_is_over() {
    let campus = Campus::open().await;
    campus.group(&[A]).hand_in().await.unwrap();
    campus
        .certs
        .clock()
        .advance(std::time::Duration::from_secs(10));
    let mut another = campus.group(&[A]);
    another.report.push(b'!');
    begin_upload(another).await;
    begin_upload(campus.group(&[B])).await;
    let until = campus.certs.now().as_secs() + 24 * 3600;
    let told = |later: u64| {
        let lines = lines(&desk(&campus, later));
        let shown: Vec<_> = lines.iter().map(remarked).collect();
        (shown, serde_json::to_value(&lines).unwrap())
    };
    let at = scb_cli::local_time(from_seconds(until));
    let (shown, lines) = told(24 * 3600);
    let another = "another version was signed; its files";
    assert_eq!(
        shown,
        [
            format!("{another} may come until {at}"),
            format!("files may come until {at}")
        ]
    );
    assert_eq!(lines[0]["upload_never_came"], json!(null));
    let (shown, lines) = told(24 * 3600 + 1);
    assert_eq!(
        shown,
        [
            format!("{another} never came, and had to by {at}"),
            format!("they had to come by {at}")
        ]
    );
    assert_eq!(lines[0]["state"], "handed_in");
    assert_eq!(lines[1]["state"], "never_came");
    for line in lines.as_array().unwrap() {
        assert_eq!(line["upload_never_came"], true, "{line}");
    }

    let here = desk(&campus, 24 * 3600 + 1);
    let unfinished = here.store.unfinished().unwrap();
    let before = uploads::lines(&unfinished, from_seconds(until));
    assert_eq!(before.len(), 3, "{before:?}");
    assert!(before[0].contains("  UNTIL  "), "{before:?}");
    let after = uploads::lines(&unfinished, here.now);
    assert_eq!(after[0], "no files are still to come");
    assert_eq!(after[2], "signed, and the files never came in time:");
    assert!(after[3].contains("  HAD TO COME BY  "), "{after:?}");
    assert_eq!(after.len(), 6, "{after:?}");
    let state = |now| uploads::as_json(&unfinished[0], now)["state"].clone();
    assert_eq!(state(from_seconds(until)), "uploading");
    assert_eq!(state(here.now), "never_came");
}

#[tokio::test]
async fn what_waits_for_signatures_waits_no_longer_than_the_assignment_is_open() {
    let campus = Campus::open().await;
    let due = campus.certs.now().as_secs() + 3600;
    let change = move |mut terms: scb_protocol::rules::Terms| {
        terms.due = Some(from_seconds(due));
        terms.check()
    };
    let here = desk(&campus, 0);
    let place = here.place(&which());
    here.store
        .change_assignment(place.clone(), change, here.now)
        .unwrap();
    let mut a = Machine::of(&campus, &[A]);
    let work = a.work(&[A, B], b"our report");
    let standing = a.propose(&work).await.unwrap().waits();
    let told = here.store.proposed(&place, here.now).unwrap().waits;
    let waiting = &told[&A.parse().unwrap()];
    assert_eq!(waiting.until, standing.until, "as the members are told");
    assert_eq!(waiting.until.as_secs(), due);
    let after = from_seconds(due + 1);
    let told = here.store.proposed(&place, after).unwrap();
    assert!(told.waits.is_empty() && told.over.len() == 2, "{told:?}");
}

/// What the overview says of who has come to nothing: the state, the kind, when, and who was missing.
fn failed(desk: &Desk) -> Vec<serde_json::Value> {
    let told = |line: &Line| {
        let line = serde_json::to_value(line).unwrap();
        let setback = &line["setback"];
        json!([
            line["state"],
            setback["kind"],
            setback["at"],
            setback["missing"]
        ])
    };
    lines(desk).iter().map(told).collect()
}

#[tokio::test]
async fn for_whose_signature_somebody_waited_is_told_after_the_close_before_and_after_it_is_entered()
 {
    let campus = Campus::open().await;
    let now = campus.certs.now().as_secs();
    let [due, closed] = [now + 60, now + 120].map(from_seconds);
    let change = move |mut terms: scb_protocol::rules::Terms| {
        terms.due = Some(due);
        terms.late = "mark".parse().unwrap();
        terms.cutoff = Some(closed);
        terms.check()
    };
    let here = desk(&campus, 0);
    let place = here.place(&which());
    here.store
        .change_assignment(place, change, here.now)
        .unwrap();
    let stranger = "1155000009";
    let [mut a, mut b, mut other] = [A, B, stranger].map(|sid| Machine::of(&campus, &[sid]));
    let work = a.work(&[A, B, C], b"our report");
    a.propose(&work).await.unwrap().waits();
    b.sign(&work).await.unwrap().waits();
    campus
        .certs
        .clock()
        .advance(std::time::Duration::from_secs(10));
    let named = other.work(&[stranger, A], b"what nobody has asked for");
    other.propose(&named).await.unwrap().waits();

    let after = desk(&campus, 200);
    let at = scb_cli::rfc3339(closed);
    let expected = json!([
        ["missing", "lapsed", at, [C]],
        ["missing", "lapsed", at, [C]],
        ["missing", "lapsed", at, [C]],
        ["missing", "lapsed", at, [A]],
    ]);
    assert_eq!(json!(failed(&after)), expected);
    let register = Register::open(&campus.home, after.store.clone()).unwrap();
    assert_eq!(register.lapse_proposals(after.now).unwrap(), 2);
    assert_eq!(json!(failed(&after)), expected);
    let remarks: Vec<_> = lines(&after).iter().map(remarked).collect();
    let told = |sid: &str, at: &str| {
        format!("waited until {at} for the signature of {sid}: NOT SIGNED in time")
    };
    let at = scb_cli::local_time(closed);
    let not_signed = format!("had not signed what others proposed when its time was over, on {at}");
    assert_eq!(
        remarks,
        [told(C, &at), told(C, &at), not_signed, told(A, &at)]
    );
}

#[tokio::test]
async fn nobody_is_said_not_to_have_signed_what_was_altered() {
    let campus = Campus::open().await;
    let closed = from_seconds(campus.certs.now().as_secs() + 100);
    let change = move |mut terms: scb_protocol::rules::Terms| {
        terms.due = Some(closed);
        terms.check()
    };
    let here = desk(&campus, 0);
    here.store
        .change_assignment(here.place(&which()), change, here.now)
        .unwrap();
    let [mut a, mut b] = [A, B].map(|sid| Machine::of(&campus, &[sid]));
    let work = a.work(&[A, B], b"our report");
    a.propose(&work).await.unwrap().waits();
    let connection = Connection::open(campus.home.path("blackboard.db")).unwrap();
    connection
        .execute_batch("UPDATE proposals SET statement = x'00'")
        .unwrap();
    let refused = b.sign(&work).await.unwrap_err();
    assert_eq!(refused.code, scb_protocol::Code::StoredDamaged);
    let remarks = |later| -> Vec<_> { lines(&desk(&campus, later)).iter().map(remarked).collect() };
    let waits = remarks(0);
    assert!(waits[0].contains("waiting for the signature of 1155000002"));
    assert!(
        waits[0].contains("ALTERED (`blackboard fsck`)"),
        "{waits:?}"
    );
    let at = scb_cli::local_time(closed);
    let told = format!(
        "waited until {at} for signatures that nobody could make: what is stored of it was ALTERED (`blackboard fsck`)"
    );
    assert_eq!(remarks(200), [told.clone(), told]);
    assert_eq!(failed(&desk(&campus, 200))[1][3], json!(null));
}

#[tokio::test]
async fn whose_last_signature_was_refused_is_told_while_others_wait_for_it_and_after_the_close() {
    let campus = Campus::open().await;
    let here = desk(&campus, 0);
    let due = from_seconds(here.now.as_secs() + 60);
    let change = |most: u8| {
        let change = move |mut terms: scb_protocol::rules::Terms| {
            terms.due = Some(due);
            terms.group = scb_protocol::rules::GroupSize::new(1, most).unwrap();
            terms.check()
        };
        let changed = here
            .store
            .change_assignment(here.place(&which()), change, here.now);
        changed.unwrap();
    };
    change(3);
    let [mut a, mut b] = [A, B].map(|sid| Machine::of(&campus, &[sid]));
    let work = a.work(&[A, B, C], b"our report");
    a.propose(&work).await.unwrap().waits();
    change(1);
    let refusal = b.sign(&work).await.unwrap_err();
    assert_eq!(refusal.code, scb_protocol::Code::GroupSize);

    let at = campus.certs.now();
    let expected = json!([{"sid": B, "at": scb_cli::rfc3339(at), "code": "group_size"}]);
    let told = serde_json::to_value(&lines(&here)[0]).unwrap();
    assert_eq!(told["waiting_for"], json!([B, C]));
    assert_eq!(told["tried"], expected);
    let tried = format!(
        "{B} tried to sign on {}: REFUSED (group_size)",
        scb_cli::local_time(at)
    );
    let remarks = remarked(&lines(&here)[0]);
    assert!(remarks.ends_with(&format!("; {tried}")), "{remarks}");

    let after = desk(&campus, 200);
    let is_told = || {
        for line in lines(&after) {
            let told = serde_json::to_value(&line).unwrap();
            assert_eq!(told["setback"]["missing"], json!([B, C]));
            assert_eq!(told["setback"]["tried"], expected);
            let remarks = remarked(&line);
            assert!(remarks.ends_with(&tried), "{remarks}");
        }
    };
    is_told();
    let register = Register::open(&campus.home, after.store.clone()).unwrap();
    assert_eq!(register.lapse_proposals(after.now).unwrap(), 1);
    is_told();
}

#[tokio::test]
async fn who_is_merely_named_by_others_is_missing_and_that_hides_nothing_of_his_own() {
    let campus = Campus::open().await;
    let due = campus.certs.now().as_secs() + 60;
    let change = move |mut terms: scb_protocol::rules::Terms| {
        terms.due = Some(from_seconds(due));
        terms.late = "mark".parse().unwrap();
        terms.cutoff = Some(from_seconds(due + 3600));
        terms.check()
    };
    let here = desk(&campus, 0);
    here.store
        .change_assignment(here.place(&which()), change, here.now)
        .unwrap();
    let mut b = Machine::of(&campus, &[B]);
    let own = b.work(&[B, A], b"what B asks A for");
    b.propose(&own).await.unwrap().waits();
    let stranger = "1155000009";
    let mut other = Machine::of(&campus, &[stranger]);
    let work = other.work(&[stranger, A, B], b"a stranger's");
    campus
        .certs
        .clock()
        .advance(std::time::Duration::from_secs(10));
    other.propose(&work).await.unwrap().waits();

    let told = lines(&desk(&campus, 120));
    let states: Vec<_> = told
        .iter()
        .map(|line| (line.state, line.is_named))
        .collect();
    let (missing, waiting) = ((State::Missing, true), (State::Waiting, false));
    assert_eq!(states, [missing, waiting, waiting]);
    assert_eq!(told[0].waiting_for, []);
    let for_a: Vec<scb_certs::StudentId> = vec![A.parse().unwrap()];
    assert_eq!(told[1].waiting_for, for_a, "his own is not hidden");
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
async fn a_version_that_was_deleted_is_named_though_the_one_before_it_counts() {
    let campus = Campus::open().await;
    three_and_then_the_first_alone(&campus).await;
    let ending = || {
        let (desk, which) = (desk(&campus, 0), which());
        let mut overview = Overview::open(&desk, &which).unwrap();
        overview.page().unwrap();
        overview.into_result()
    };
    ending().unwrap();
    let connection = Connection::open(campus.home.path("blackboard.db")).unwrap();
    connection
        .pragma_update(None, "foreign_keys", false)
        .unwrap();
    let delete = "DELETE FROM submissions WHERE number = 2";
    assert_eq!(connection.execute(delete, []).unwrap(), 1);
    let failure = crate::failure::failure(ending().unwrap_err());
    assert_eq!(failure.code, Some("record_missing"));
    assert_eq!(failure.exit, scb_cli::exit::FAULT);
    assert!(
        failure.message.starts_with("not counted: S-000002: "),
        "{failure:?}"
    );
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
