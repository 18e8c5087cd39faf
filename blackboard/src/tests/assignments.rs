//! Assignments: what the store holds of them, and what the server makes of it.

mod extensions;

use std::time::Instant;

use rusqlite::Connection;
use rustls_pki_types::UnixTime;
use scb_certs::StudentId;
use scb_cli::{Home, Role};
use scb_protocol::log_leaf::{Entry, Leaf};
use scb_protocol::rules::{Extension, GroupSize, Groups, Rules, RulesError, Terms};
use scb_protocol::{Code, Refusal, from_seconds};

use super::LONG;
use super::campus::Campus;
use super::group::Group;
use crate::store::{Error, Membership, Place, Store};

const THREE: [&str; 3] = ["1155000001", "1155000002", "1155000003"];
const HOUR: u64 = 3600;

fn sid(text: &str) -> StudentId {
    text.parse().unwrap()
}

fn place(assignment: &str) -> Place {
    Place {
        domain: "campus.test".parse().unwrap(),
        course: "CSCI3150".parse().unwrap(),
        assignment: assignment.parse().unwrap(),
    }
}

/// Open for an hour, due an hour later, closed an hour after that.
fn terms(now: UnixTime) -> Terms {
    let at = |hours: u64| Some(from_seconds(now.as_secs() + hours * HOUR));
    Terms {
        opens: at(1),
        due: at(2),
        grace: 60,
        cutoff: at(3),
        late: "mark".parse().unwrap(),
        groups: Groups::Free,
        accept: vec!["txt".parse().unwrap()],
        ..Terms::always_open(
            "Lab 1".parse().unwrap(),
            GroupSize::new(1, 3).unwrap(),
            1 << 20,
        )
    }
}

fn rules(now: UnixTime) -> Rules {
    terms(now).check().unwrap()
}

fn extension(sid: &str, due: u64) -> Extension {
    Extension {
        sid: sid.parse().unwrap(),
        due: from_seconds(due),
        cutoff: None,
    }
}

struct Desk {
    store: Store,
    home: Home,
    _dir: tempfile::TempDir,
}

const NOW: u64 = 1_772_424_000;

impl Desk {
    /// With the course and nothing in it.
    fn new(list: Option<&[&str]>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::create(&dir.path().join("home"), Role::Blackboard).unwrap();
        let store = Store::open(&home).unwrap();
        let list = list.map(|list| list.iter().map(|one| sid(one)).collect());
        let title = "Operating Systems".parse().unwrap();
        let course = place("lab-1").course;
        store.add_course(&course, &title, list, now()).unwrap();
        Self {
            store,
            home,
            _dir: dir,
        }
    }

    /// Every entry of the assignment's log, in order.
    fn log(&self, assignment: &str) -> Vec<Entry> {
        let connection = Connection::open(self.home.path("blackboard.db")).unwrap();
        let sql = "SELECT leaf FROM log_entries JOIN logs ON log = id WHERE origin = ? \
                   ORDER BY number";
        let mut query = connection.prepare(sql).unwrap();
        let origin = format!("campus.test/blackboard/CSCI3150/{assignment}");
        let leaves = query.query_map([origin], |row| row.get::<_, Vec<u8>>(0));
        let leaves = leaves.unwrap().map(|leaf| Leaf::parse(&leaf.unwrap()));
        leaves.map(|leaf| leaf.unwrap().entry).collect()
    }
}

fn now() -> UnixTime {
    from_seconds(NOW)
}

#[test]
fn a_course_is_for_everybody_or_for_those_who_are_listed() {
    let desk = Desk::new(None);
    let course = place("lab-1").course;
    assert_eq!(
        desk.store.courses().unwrap()[0].members,
        Membership::Anybody
    );
    assert_eq!(desk.store.class_list(&course).unwrap(), None);
    let list = vec![sid(THREE[1]), sid(THREE[0]), sid(THREE[1])];
    desk.store.set_members(&course, Some(list)).unwrap();
    assert_eq!(
        desk.store.courses().unwrap()[0].members,
        Membership::Listed(2)
    );
    let listed = desk.store.class_list(&course).unwrap().unwrap();
    assert_eq!(listed, [sid(THREE[0]), sid(THREE[1])]);
    desk.store.set_members(&course, None).unwrap();
    assert_eq!(desk.store.class_list(&course).unwrap(), None);
}

#[test]
fn refuses_what_is_there_already_and_what_is_not_there() {
    let desk = Desk::new(None);
    let course = place("lab-1").course;
    let title = "Again".parse().unwrap();
    let again = desk.store.add_course(&course, &title, None, now());
    assert!(matches!(again, Err(Error::CourseExists { .. })));
    let nowhere = Place {
        course: "CSCI9999".parse().unwrap(),
        ..place("lab-1")
    };
    let add = |place| desk.store.add_assignment(place, rules(now()), now());
    assert!(matches!(add(nowhere.clone()), Err(Error::NoCourse { .. })));
    let extend = |place| {
        desk.store
            .extend(place, vec![], crate::store::NotListed::Refused, now())
    };
    assert!(matches!(
        extend(place("lab-1")),
        Err(Error::NoAssignment { .. })
    ));
    add(place("lab-1")).unwrap();
    assert!(matches!(
        add(place("lab-1")),
        Err(Error::AssignmentExists { .. })
    ));
    let members = desk.store.set_members(&nowhere.course, None);
    assert!(matches!(members, Err(Error::NoCourse { .. })));
}

#[test]
fn every_change_of_rules_is_an_entry_of_the_log() {
    let desk = Desk::new(None);
    desk.store
        .add_assignment(place("lab-1"), rules(now()), now())
        .unwrap();
    let later = from_seconds(NOW + 10);
    let due = |hours: u64| {
        move |mut terms: Terms| {
            terms.due = Some(from_seconds(NOW + hours * HOUR));
            terms.cutoff = None;
            terms.check()
        }
    };
    let change = |hours| {
        desk.store
            .change_assignment(place("lab-1"), due(hours), later)
    };
    let told = change(5).unwrap().changes;
    let fields: Vec<_> = told.iter().map(|one| one.field.as_str()).collect();
    assert_eq!(fields, ["due", "cutoff"]);
    assert_eq!(
        change(5).unwrap().changes,
        [],
        "the same again changes nothing"
    );
    let refused = change(0).unwrap_err();
    assert!(matches!(refused, Error::Rules(RulesError::OpensTooLate)));

    let entries = desk.log("lab-1");
    let dues: Vec<_> = entries
        .iter()
        .map(|entry| match entry {
            Entry::Rules(rules) => rules["due"].as_str().unwrap().to_owned(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(dues, ["2026-03-02T06:00:00Z", "2026-03-02T09:00:00Z"]);
    let shown = desk.store.assignments(None).unwrap();
    assert_eq!((shown.len(), shown[0].changes().len()), (1, 2));
    assert_eq!(shown[0].changes()[0].at, NOW + 10);
    assert_eq!(shown[0].added_at(), now());
}

#[test]
fn a_course_to_begin_with_is_made_only_where_there_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::create(&dir.path().join("home"), Role::Blackboard).unwrap();
    let store = Store::open(&home).unwrap();
    let begin = |name| store.begin_with(place(name), rules(now()), now()).unwrap();
    assert!(begin("lab-1"));
    assert!(!begin("lab-1") && !begin("lab-2"));
    assert_eq!(store.assignments(None).unwrap().len(), 1);
}

#[test]
fn a_database_from_before_there_were_courses_gets_them() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::create(&dir.path().join("home"), Role::Blackboard).unwrap();
    let connection = Connection::open(home.path("blackboard.db")).unwrap();
    for step in [
        include_str!("../store/migration_1.sql"),
        include_str!("../store/migration_2.sql"),
        include_str!("../store/migration_3.sql"),
        include_str!("../store/migration_4.sql"),
        "PRAGMA user_version = 4",
    ] {
        connection.execute_batch(step).unwrap();
    }
    drop(connection);
    let store = Store::open(&home).unwrap();
    assert_eq!(store.courses().unwrap(), []);
    assert!(
        store
            .begin_with(place("lab-1"), rules(now()), now())
            .unwrap()
    );
}

#[test]
fn rules_that_were_altered_in_the_database_are_not_believed() {
    let desk = Desk::new(None);
    desk.store
        .add_assignment(place("lab-1"), rules(now()), now())
        .unwrap();
    let connection = Connection::open(desk.home.path("blackboard.db")).unwrap();
    for altered in [
        "{}",
        "",
        r#"replace(rules, '"grace":60', '"grace":99999999')"#,
    ] {
        let value = match altered.starts_with("replace") {
            true => altered.to_owned(),
            false => format!("'{altered}'"),
        };
        let sql = format!("UPDATE rules SET rules = {value}");
        connection.execute_batch(&sql).unwrap();
        let read = desk.store.assignments(None);
        assert!(
            matches!(read, Err(Error::CoursesAltered { .. })),
            "{altered}"
        );
    }
}

/// A campus with the assignment, which opens in an hour.
async fn campus() -> Campus {
    let campus = Campus::open().await;
    let store = Store::open(&campus.home).unwrap();
    let title = "Operating Systems".parse().unwrap();
    let now = campus.certs.now();
    let list = THREE.map(sid).to_vec();
    let course = place("lab-1").course;
    store.add_course(&course, &title, Some(list), now).unwrap();
    store
        .add_assignment(place("lab-1"), rules(now), now)
        .unwrap();
    campus
}

fn group<'a>(campus: &'a Campus, sids: &[&str]) -> Group<'a> {
    let mut group = campus.group(sids);
    group.assignment = ("CSCI3150", "lab-1");
    group
}

async fn refused(mut group: Group<'_>) -> Refusal {
    group.hand_in().await.unwrap_err()
}

fn to(campus: &Campus, seconds: u64) {
    let clock = campus.certs.clock();
    clock.set(from_seconds(NOW + seconds));
}

#[tokio::test]
async fn what_comes_before_it_opens_is_refused_and_a_second_later_it_is_taken() {
    let campus = campus().await;
    to(&campus, HOUR - 1);
    let refusal = refused(group(&campus, &THREE)).await;
    assert_eq!(refusal.code, Code::AssignmentNotOpen);
    assert_eq!(refusal.params["opens"], "2026-03-02T05:00:00Z");
    campus.assert_nothing_stored().await;
    to(&campus, HOUR);
    group(&campus, &THREE).hand_in().await.unwrap();
}

#[tokio::test]
async fn what_comes_in_the_last_second_is_taken_and_a_second_later_it_is_refused() {
    let campus = campus().await;
    to(&campus, 3 * HOUR);
    group(&campus, &THREE).hand_in().await.unwrap();
    to(&campus, 3 * HOUR + 1);
    let refusal = refused(group(&campus, &THREE)).await;
    assert_eq!(refusal.code, Code::AssignmentClosed);
    assert_eq!(refusal.params["closed"], "2026-03-02T07:00:00Z");
    assert_eq!(campus.submissions().len(), 1);
}

#[tokio::test]
async fn what_is_stored_gives_its_receipt_again_after_it_has_closed() {
    let campus = campus().await;
    to(&campus, 2 * HOUR);
    let mut group = group(&campus, &THREE);
    let receipt = group.hand_in().await.unwrap();
    to(&campus, 4 * HOUR);
    assert_eq!(group.hand_in().await.unwrap(), receipt);
}

#[tokio::test]
async fn what_was_committed_in_time_is_in_time_whenever_its_files_come() {
    let campus = campus().await;
    to(&campus, 3 * HOUR);
    let mut group = group(&campus, &THREE);
    let (connection, committed) = group.commit().await.unwrap();
    assert_eq!(committed.at().as_secs(), NOW + 3 * HOUR);
    drop(connection);
    to(&campus, 5 * HOUR);
    let receipt = group.hand_in().await.unwrap();
    let receipt = group.verify(&receipt);
    assert_eq!(receipt.committed_at().as_secs(), NOW + 3 * HOUR);
    assert_eq!(receipt.accepted_at().as_secs(), NOW + 5 * HOUR);
}

#[tokio::test]
async fn a_changed_due_time_counts_at_once() {
    let campus = campus().await;
    to(&campus, 4 * HOUR);
    let code = refused(group(&campus, &THREE)).await.code;
    assert_eq!(code, Code::AssignmentClosed);
    let store = Store::open(&campus.home).unwrap();
    let later = |mut terms: Terms| {
        terms.cutoff = None;
        terms.check()
    };
    let now = campus.certs.now();
    store.change_assignment(place("lab-1"), later, now).unwrap();
    group(&campus, &THREE).hand_in().await.unwrap();
}

#[tokio::test]
async fn who_is_not_in_the_course_and_what_is_not_there_is_refused() {
    let campus = campus().await;
    to(&campus, 2 * HOUR);
    let refusal = refused(group(&campus, &[THREE[0], "1155000004"])).await;
    assert_eq!(refusal.code, Code::NotCourseMember);
    assert_eq!(refusal.sid.unwrap().as_str(), "1155000004");
    for (assignment, code) in [
        (("CSCI9999", "lab-1"), Code::CourseUnknown),
        (("CSCI3150", "lab-2"), Code::AssignmentUnknown),
    ] {
        let mut group = campus.three();
        group.assignment = assignment;
        assert_eq!(refused(group).await.code, code);
    }
    campus.assert_nothing_stored().await;
}

#[tokio::test]
async fn groups_of_another_size_are_refused_and_larger_ones_taken_where_it_wants_them() {
    let campus = campus().await;
    to(&campus, 2 * HOUR);
    let store = Store::open(&campus.home).unwrap();
    let (course, four) = (
        place("lab-1").course,
        [THREE[0], THREE[1], THREE[2], "1155000004"],
    );
    store.set_members(&course, None).unwrap();
    let code = refused(group(&campus, &four)).await.code;
    assert_eq!(code, Code::MemberCount, "nowhere are four allowed");
    let of_four = |mut terms: Terms| {
        terms.group = GroupSize::new(4, 4).unwrap();
        terms.check()
    };
    let now = campus.certs.now();
    store
        .change_assignment(place("lab-1"), of_four, now)
        .unwrap();
    let mut of_four = group(&campus, &four);
    // The greeting says it within a second or two.
    let deadline = Instant::now() + LONG;
    while let Err(refusal) = of_four.hand_in().await {
        assert_eq!(refusal.code, Code::MemberCount);
        assert!(Instant::now() < deadline, "never taken");
    }
    let refusal = refused(group(&campus, &THREE)).await;
    assert_eq!(refusal.code, Code::GroupSize);
    assert_eq!(
        (&*refusal.params["got"], &*refusal.params["expected"]),
        ("3", "4")
    );
}

#[tokio::test]
async fn who_has_handed_in_with_others_leaves_none_of_them_behind() {
    let campus = campus().await;
    let store = Store::open(&campus.home).unwrap();
    let kept = |mut terms: Terms| {
        terms.groups = Groups::Kept;
        terms.check()
    };
    let now = campus.certs.now();
    store.change_assignment(place("lab-1"), kept, now).unwrap();
    to(&campus, HOUR);
    group(&campus, &THREE[..1]).hand_in().await.unwrap();
    // Others may join whom he has handed in with so far, which is nobody.
    group(&campus, &THREE[..2]).hand_in().await.unwrap();
    let refusal = refused(group(&campus, &[THREE[0], THREE[2]])).await;
    assert_eq!(refusal.code, Code::OtherGroup);
    assert_eq!(refusal.sid.as_ref().unwrap().as_str(), THREE[0]);
    assert_eq!(refusal.params["submission"], "S-000002");
    assert_eq!(
        refused(group(&campus, &THREE[1..2])).await.code,
        Code::OtherGroup
    );
    group(&campus, &THREE).hand_in().await.unwrap();
    assert_eq!(campus.submissions().len(), 3);
}

#[tokio::test]
async fn other_kinds_of_files_and_larger_ones_are_refused() {
    let campus = campus().await;
    to(&campus, 2 * HOUR);
    let mut pdf = group(&campus, &THREE);
    pdf.name = "report.pdf";
    assert_eq!(refused(pdf).await.code, Code::FileType);
    let mut large = group(&campus, &THREE);
    large.report = vec![b'x'; (1 << 20) + 1];
    assert_eq!(refused(large).await.code, Code::ContentTooLarge);
    let mut fits = group(&campus, &THREE);
    fits.report = vec![b'x'; 1 << 20];
    fits.hand_in().await.unwrap();
}
