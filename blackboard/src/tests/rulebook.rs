//! Rules do not work backwards: what was handed in is judged by those of then, or better ones.

use std::time::Duration;

use rusqlite::Connection;
use scb_protocol::from_seconds;
use scb_protocol::message::blackboard::OwnStanding;
use scb_protocol::receipt::{Found, VerifiedReceipt};
use scb_protocol::rules::{AmendError, Change, Counts, Extension, LateRule, Standing, Terms};

use super::campus::Campus;
use super::group::Group;
use super::overview::{desk, lines, which};
use super::reading::history;
use super::receipts::ask_until;
use super::uploads::again;
use crate::store::{Error, NotListed, Place, Store};
use crate::submissions::overview::Line;

const ALONE: &str = "1155000001";
const LATE: u64 = 60;

fn place(campus: &Campus) -> Place {
    desk(campus, 0).place(&which())
}

/// Work is due a minute before the campus' clock, and lateness costs 10 % a day.
fn due_a_minute_ago(campus: &Campus) {
    due_with_grace(campus, 0);
}

/// The same, and for so many seconds after the due time nothing is late.
fn due_with_grace(campus: &Campus, grace: u64) {
    let due = from_seconds(campus.certs.now().as_secs() - LATE);
    let change = move |mut terms: Terms| {
        (terms.due, terms.grace) = (Some(due), grace);
        terms.late = "10%/day".parse().unwrap();
        terms.check()
    };
    let store = Store::open(&campus.home).unwrap();
    crate::store::Register::vouch_for_clock(&store).unwrap();
    store.change_assignment(place(campus), change, due).unwrap();
}

/// One student has a little more time, from now on.
fn more_time(campus: &Campus) -> Extension {
    let now = campus.certs.now();
    let more = Extension {
        sid: ALONE.parse().unwrap(),
        due: from_seconds(now.as_secs() + 100),
        cutoff: None,
    };
    let store = Store::open(&campus.home).unwrap();
    store
        .extend(place(campus), vec![more.clone()], NotListed::Refused, now)
        .unwrap();
    more
}

/// What differs when the rules are changed now.
fn change<F>(campus: &Campus, change: F) -> Result<Vec<Change>, Error>
where
    F: FnOnce(&mut Terms) + Send + 'static,
{
    let store = Store::open(&campus.home).unwrap();
    let change = move |mut terms: Terms| {
        change(&mut terms);
        terms.check()
    };
    let amended = store.change_assignment(place(campus), change, campus.certs.now());
    amended.map(|amended| amended.changes)
}

/// What each version costs, as the student is told.
async fn told(campus: &Campus) -> Vec<(u64, u8)> {
    let versions = history(&mut campus.group(&[ALONE])).await;
    let own = |one: &OwnStanding| (one.late, one.costs);
    versions.iter().map(|one| own(&one.standings[0])).collect()
}

/// What the version that counts costs, as the teacher sees it.
fn seen(campus: &Campus) -> (u64, u8) {
    let lines = lines(&desk(campus, 0));
    let came = lines[0].came.as_ref().unwrap();
    (came.late_seconds, came.costs_percent)
}

#[tokio::test]
async fn a_dearer_rule_counts_for_what_comes_after_it_only() {
    let campus = Campus::open().await;
    due_a_minute_ago(&campus);
    campus.group(&[ALONE]).hand_in().await.unwrap();
    let dearer: LateRule = "50%/day".parse().unwrap();
    change(&campus, move |terms| terms.late = dearer).unwrap();
    assert_eq!(
        (told(&campus).await, seen(&campus)),
        (vec![(LATE, 10)], (LATE, 10))
    );
    let mut again = campus.group(&[ALONE]);
    again.report = b"another version".to_vec();
    again.hand_in().await.unwrap();
    assert_eq!(told(&campus).await, [(LATE, 10), (LATE, 50)]);
    assert_eq!(seen(&campus), (LATE, 50), "the latest counts");
    change(&campus, |terms| terms.late = LateRule::Mark).unwrap();
    assert_eq!(told(&campus).await, [(LATE, 0), (LATE, 0)], "milder helps");
}

#[tokio::test]
async fn a_student_is_told_that_what_came_within_the_grace_did() {
    let campus = Campus::open().await;
    due_with_grace(&campus, LATE);
    campus.group(&[ALONE]).hand_in().await.unwrap();
    campus.certs.clock().advance(Duration::from_secs(1));
    let mut again = campus.group(&[ALONE]);
    again.report = b"another version".to_vec();
    again.hand_in().await.unwrap();
    let versions = history(&mut campus.group(&[ALONE])).await;
    let state = |one: &OwnStanding| one.standing().as_str();
    let states = versions.iter().map(|one| state(&one.standings[0]));
    assert_eq!(states.collect::<Vec<_>>(), ["within_grace", "late"]);
    assert_eq!(told(&campus).await, [(0, 0), (LATE + 1, 10)]);
}

#[tokio::test]
async fn an_extension_that_is_cut_short_still_counts_for_what_was_handed_in_under_it() {
    let campus = Campus::open().await;
    due_a_minute_ago(&campus);
    let more = more_time(&campus);
    let (store, now) = (Store::open(&campus.home).unwrap(), campus.certs.now());
    campus.group(&[ALONE]).hand_in().await.unwrap();
    // Back to a minute ago is not to be; it may end now.
    let sids = vec![ALONE.parse().unwrap()];
    let refused = store.take_back(place(&campus), sids, now).unwrap_err();
    assert_eq!(refused.code(), "rules_backdated");
    assert!(refused.remedy().unwrap().contains("extension add"));
    let until_now = Extension { due: now, ..more };
    let changed = store.extend(place(&campus), vec![until_now], NotListed::Refused, now);
    assert_eq!(changed.unwrap().handed_in, [ALONE.parse().unwrap()]);
    campus.certs.clock().advance(Duration::from_secs(LATE));
    assert_eq!((told(&campus).await, seen(&campus)), (vec![(0, 0)], (0, 0)));
    let mut again = campus.group(&[ALONE]);
    again.report = b"another version".to_vec();
    again.hand_in().await.unwrap();
    assert_eq!(told(&campus).await, [(0, 0), (LATE, 10)]);
}

#[tokio::test]
async fn what_came_when_it_was_closed_for_a_member_leaves_him_what_he_had() {
    let campus = Campus::open().await;
    let now = campus.certs.now();
    change(&campus, move |terms| terms.due = Some(now)).unwrap();
    campus.group(&[ALONE]).hand_in().await.unwrap();
    let more = Extension {
        sid: "1155000002".parse().unwrap(),
        due: from_seconds(now.as_secs() + 3600),
        cutoff: None,
    };
    let store = Store::open(&campus.home).unwrap();
    store
        .extend(place(&campus), vec![more], NotListed::Refused, now)
        .unwrap();
    campus.certs.clock().advance(Duration::from_secs(LATE));
    let mut both = campus.group(&[ALONE, "1155000002"]);
    both.report = b"with one who has more time".to_vec();
    both.hand_in().await.unwrap();
    let versions = history(&mut campus.group(&[ALONE])).await;
    let own = |index: usize| &versions[index].standings[0];
    assert_eq!((own(0).counts, own(0).closed_since), (true, None));
    let since = Some(now.as_secs());
    assert_eq!((own(1).counts, own(1).closed_since), (false, since));
    let lines = lines(&desk(&campus, LATE));
    let numbers = |index: usize| {
        let line: &Line = &lines[index];
        let after = line.after_close.as_ref();
        let came = line.came.as_ref().unwrap();
        (came.number.get(), after.map(|after| after.number.get()))
    };
    assert_eq!((numbers(0), numbers(1)), ((1, Some(2)), (2, None)));
}

#[tokio::test]
async fn a_deadline_in_the_past_is_refused_and_nothing_is_changed() {
    let campus = Campus::open().await;
    campus.group(&[ALONE]).hand_in().await.unwrap();
    let before = campus.certs.now().as_secs() - 3600;
    let refused = change(&campus, move |terms| terms.due = Some(from_seconds(before)));
    let refused = refused.unwrap_err();
    assert!(matches!(
        refused,
        Error::Amend(AmendError::Backdated { .. })
    ));
    assert_eq!(refused.code(), "rules_backdated");
    assert!(refused.remedy().unwrap().contains("assignment close"));
    assert_eq!(told(&campus).await, [(0, 0)]);
    let later = before + 7200;
    change(&campus, move |terms| terms.due = Some(from_seconds(later))).unwrap();
}

#[tokio::test]
async fn which_version_counts_is_settled_by_the_first_that_is_handed_in() {
    let campus = Campus::open().await;
    let first = |terms: &mut Terms| terms.counts = Counts::First;
    let latest = |terms: &mut Terms| terms.counts = Counts::Latest;
    change(&campus, first).unwrap();
    change(&campus, latest).unwrap();
    campus.group(&[ALONE]).hand_in().await.unwrap();
    let refused = change(&campus, first).unwrap_err();
    assert_eq!(refused.code(), "counts_settled");
    assert!(refused.remedy().unwrap().contains("assignment add"));
}

#[tokio::test]
async fn a_receipt_pins_the_rules_in_force_when_it_was_committed() {
    let campus = Campus::open().await;
    let mut one = campus.group(&[ALONE]);
    let (connection, _) = one.commit().await.unwrap();
    drop(connection);
    change(&campus, |terms| terms.max_bytes += 1).unwrap();
    let receipt = one.hand_in().await.unwrap();
    let pinned = one.verify(&receipt).rules().unwrap();
    assert_eq!(pinned.index, 0, "those of before the change");
    let mut other = campus.group(&["1155000002"]);
    let receipt = other.hand_in().await.unwrap();
    let since = other.verify(&receipt).rules().unwrap();
    assert_eq!(since.index, 2, "after rules and commitment");
    assert_ne!(since.leaf_sha256, pinned.leaf_sha256);
    let database = rusqlite::Connection::open(campus.home.path("blackboard.db")).unwrap();
    let sql = "SELECT commitment FROM log_entries WHERE kind = 'rules' AND number = 2";
    let entered: Vec<u8> = database.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(since.leaf_sha256.as_bytes().as_slice(), entered);
}

#[tokio::test]
async fn lateness_follows_from_the_receipt_for_each_member_by_his_own_extension() {
    let campus = Campus::open().await;
    due_a_minute_ago(&campus);
    let more = Extension {
        sid: ALONE.parse().unwrap(),
        due: from_seconds(campus.certs.now().as_secs() + 100),
        cutoff: None,
    };
    let store = Store::open(&campus.home).unwrap();
    let now = campus.certs.now();
    let given = store.extend(place(&campus), vec![more], NotListed::Refused, now);
    given.unwrap();
    let mut two = campus.group(&[ALONE, "1155000002"]);
    let zip = two.hand_in().await.unwrap();
    let stands = |zip: &[u8]| -> Vec<_> {
        let receipt = campus.group(&[ALONE]).verify(zip);
        let each = receipt.standings();
        each.map(|one| (one.sid.to_string(), one.standing))
            .collect()
    };
    let late = Standing::Late {
        by: LATE,
        costs: 10,
    };
    let expected = [
        (ALONE.to_owned(), Standing::OnTime),
        ("1155000002".to_owned(), late),
    ];
    assert_eq!(stands(&zip), expected);
    // What is changed later changes no receipt.
    change(&campus, |terms| terms.late = LateRule::Mark).unwrap();
    assert!(again(&two).hand_in().await.unwrap() == zip);
}

#[tokio::test]
async fn rules_of_before_that_were_altered_are_not_believed() {
    let campus = Campus::open().await;
    campus.group(&[ALONE]).hand_in().await.unwrap();
    let database = rusqlite::Connection::open(campus.home.path("blackboard.db")).unwrap();
    let alter = "UPDATE log_entries SET leaf = CAST(replace(leaf, 'latest', 'first') AS BLOB) \
                 WHERE kind = 'rules'";
    assert_eq!(database.execute(alter, []).unwrap(), 1);
    let refused = Store::open(&campus.home).unwrap().rulebook(&place(&campus));
    assert!(matches!(refused, Err(Error::RulesAltered { .. })));
}

/// Whether a receipt says how late somebody was, and by what rules.
fn shown(receipt: &VerifiedReceipt) -> (usize, bool) {
    let mut checks = receipt.checks().iter();
    let has_rules = checks.any(|check| matches!(check.found, Found::Judged { .. }));
    (receipt.standings().count(), has_rules)
}

/// An acceptance from before extensions were named: as if the log had none while it is entered.
async fn accepted_without_naming_his_extension(campus: &Campus, group: &mut Group<'_>) -> Vec<u8> {
    let hide = "UPDATE log_entries SET kind = 'x-extension' WHERE kind = 'extension'; \
                CREATE TABLE hidden AS SELECT * FROM extensions; DELETE FROM extensions";
    let show = "UPDATE log_entries SET kind = 'extension' WHERE kind = 'x-extension'; \
                INSERT INTO extensions SELECT * FROM hidden; DROP TABLE hidden";
    let database = Connection::open(campus.home.path("blackboard.db")).unwrap();
    database.execute_batch(hide).unwrap();
    let pending = group.hand_in().await.unwrap();
    database.execute_batch(show).unwrap();
    pending
}

#[tokio::test]
async fn who_had_an_extension_that_an_old_acceptance_does_not_name_is_shown_late_by_no_receipt() {
    for is_named in [true, false] {
        let mut campus = Campus::open().await;
        due_a_minute_ago(&campus);
        more_time(&campus);
        campus.cuhk.set(|state| state.witness.lose_answers = true);
        let mut group = campus.group(&[ALONE]);
        let pending = match is_named {
            true => group.hand_in().await.unwrap(),
            false => accepted_without_naming_his_extension(&campus, &mut group).await,
        };
        assert_eq!(group.verify(&pending).witnessed(), None);
        let submission = group.submission;
        drop(group);
        campus.cuhk.set(|state| state.witness.lose_answers = false);
        campus.stop().await;
        campus.start().await.unwrap();
        let proof = ask_until(&mut campus.group(&[ALONE]), submission).await;
        let root = campus.certs.root_fingerprint();
        let (_, receipt) = VerifiedReceipt::complete(&pending, &proof, &[root]).unwrap();
        assert_eq!(shown(&receipt), (usize::from(is_named), is_named));
        let mut standings = receipt.standings();
        assert!(standings.all(|one| one.standing == Standing::OnTime));
    }
}
