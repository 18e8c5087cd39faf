//! More time for single students.

use scb_certs::StudentId;
use scb_protocol::Code;
use scb_protocol::log_leaf::Entry;
use scb_protocol::rules::{Extension, RulesError};

use super::{
    Desk, HOUR, NOW, THREE, campus, extension, group, now, place, refused, rules, sid, to,
};
use crate::store::{Error, NotListed, Store};

#[test]
fn extensions_are_given_and_taken_back_and_both_are_entered() {
    let desk = Desk::new(Some(&THREE[..2]));
    desk.store
        .add_assignment(place("lab-1"), rules(now()), now())
        .unwrap();
    let due = NOW + 4 * HOUR;
    let both = vec![extension(THREE[0], due), extension(THREE[1], due)];
    desk.store
        .extend(place("lab-1"), both, NotListed::Refused, now())
        .unwrap();
    let again = vec![extension(THREE[0], due + 1)];
    desk.store
        .extend(place("lab-1"), again, NotListed::Refused, now())
        .unwrap();
    let given = desk.store.extensions(place("lab-1")).unwrap();
    let dues: Vec<_> = given
        .iter()
        .map(|one| one.extension.due.as_secs())
        .collect();
    assert_eq!(dues, [due + 1, due]);

    let take_back = |sids: &[&str]| {
        let sids = sids.iter().map(|one| sid(one)).collect();
        let changed = desk.store.take_back(place("lab-1"), sids, now());
        changed.unwrap().students
    };
    assert_eq!(take_back(&[THREE[1], THREE[2]]), [sid(THREE[1])]);
    assert_eq!(take_back(&[THREE[1]]), Vec::<StudentId>::new());
    let changes = desk.store.extension_changes(place("lab-1")).unwrap();
    let told: Vec<_> = changes
        .iter()
        .map(|one| {
            let due = |own: Option<&Extension>| own.map(|own| own.due.as_secs());
            (
                one.sid.as_str(),
                due(one.was.as_ref()),
                due(one.is.as_ref()),
                one.entry,
            )
        })
        .collect();
    let expected = [
        (THREE[1], Some(due), None, 4),
        (THREE[0], Some(due), Some(due + 1), 3),
    ];
    assert_eq!(told, expected, "the latest first");
    let kinds: Vec<_> = desk.log("lab-1").iter().map(Entry::name).collect();
    let extension = "extension";
    assert_eq!(kinds, ["rules", extension, extension, extension, extension]);
}

#[test]
fn an_extension_that_is_none_changes_nothing() {
    let desk = Desk::new(Some(&THREE[..2]));
    desk.store
        .add_assignment(place("lab-1"), rules(now()), now())
        .unwrap();
    let early = vec![
        extension(THREE[0], NOW + 4 * HOUR),
        extension(THREE[1], NOW + 2 * HOUR),
    ];
    let refused = desk
        .store
        .extend(place("lab-1"), early, NotListed::Refused, now());
    assert!(matches!(
        refused,
        Err(Error::Rules(RulesError::NoExtension))
    ));
    let outsider = vec![extension(THREE[2], NOW + 4 * HOUR)];
    let refused = desk
        .store
        .extend(place("lab-1"), outsider, NotListed::Refused, now());
    assert!(matches!(refused, Err(Error::NotInCourse { .. })));
    assert_eq!(desk.store.extensions(place("lab-1")).unwrap(), []);
    assert_eq!(desk.log("lab-1").len(), 1);
}

#[test]
fn who_is_not_on_the_class_list_yet_gets_one_where_the_teacher_says_so() {
    let desk = Desk::new(Some(&THREE[..2]));
    desk.store
        .add_assignment(place("lab-1"), rules(now()), now())
        .unwrap();
    let to_come = vec![extension(THREE[2], NOW + 4 * HOUR)];
    let place = || place("lab-1");
    let given = desk
        .store
        .extend(place(), to_come, NotListed::Taken, now())
        .unwrap();
    assert_eq!(given.unknown, [sid(THREE[2])]);
    let list = THREE.iter().map(|one| sid(one)).collect();
    desk.store.set_members(&place().course, Some(list)).unwrap();
    let listed = vec![extension(THREE[2], NOW + 5 * HOUR)];
    let given = desk
        .store
        .extend(place(), listed, NotListed::Refused, now());
    assert_eq!(given.unwrap().unknown, Vec::<StudentId>::new());
}

#[test]
fn an_id_that_nobody_has_met_is_told_where_a_course_is_for_everybody() {
    let desk = Desk::new(None);
    desk.store
        .add_assignment(place("lab-1"), rules(now()), now())
        .unwrap();
    let mistyped = vec![extension("115500001", NOW + 4 * HOUR)];
    let given = desk
        .store
        .extend(place("lab-1"), mistyped, NotListed::Refused, now());
    assert_eq!(given.unwrap().unknown, [sid("115500001")]);
}

#[tokio::test]
async fn an_extension_of_one_member_keeps_it_open_for_his_group() {
    let campus = campus().await;
    to(&campus, 4 * HOUR);
    let code = refused(group(&campus, &THREE)).await.code;
    assert_eq!(code, Code::AssignmentClosed);
    let store = Store::open(&campus.home).unwrap();
    let more = vec![extension(THREE[2], NOW + 5 * HOUR)];
    store
        .extend(place("lab-1"), more, NotListed::Refused, campus.certs.now())
        .unwrap();
    let others = refused(group(&campus, &THREE[..2])).await.code;
    assert_eq!(others, Code::AssignmentClosed);
    group(&campus, &THREE).hand_in().await.unwrap();
}
