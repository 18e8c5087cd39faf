//! Servers that are busy or away for a while.

use std::time::Duration;

use scb_student::Event;

use crate::campus::{Campus, THREE, code, enrol, hand_in};
use crate::servers::Fault;

fn waits(events: &[Event]) -> usize {
    let waiting = |event: &&Event| matches!(event, Event::Waiting { .. });
    events.iter().filter(waiting).count()
}

#[test]
fn a_busy_cuhk_is_asked_again_with_the_same_keys() {
    let campus = Campus::new();
    campus.fail_once(Fault::CuhkBusy);
    let (result, events) = campus.enrol(&THREE);
    result.unwrap();
    assert_eq!(waits(&events), 1);
}

#[test]
fn a_busy_blackboard_is_asked_again_and_stores_once() {
    let campus = Campus::new();
    let mut engine = campus.enrolled(&THREE);
    campus.fail_once(Fault::BlackboardBusy);
    let (result, events) = hand_in(&mut engine, &THREE, None);
    result.unwrap();
    assert_eq!((waits(&events), campus.desk.stored_count()), (1, 1));
}

#[test]
fn without_patience_a_busy_server_is_retry_later() {
    let campus = Campus::new();
    let engine = campus.enrolled(&THREE);
    let mut engine = engine.with_patience(Some(Duration::ZERO));
    campus.fail_once(Fault::BlackboardBusy);
    let (result, events) = hand_in(&mut engine, &THREE, None);
    assert_eq!(code(result), "busy");
    assert_eq!((waits(&events), campus.desk.stored_count()), (0, 0));

    campus.fail_once(Fault::CuhkBusy);
    let engine = campus.engine();
    let mut engine = engine.with_patience(Some(Duration::ZERO));
    let (result, _) = enrol(&mut engine, campus.codes(&["1155000004"]));
    assert_eq!(code(result), "busy");
}

#[test]
fn who_is_away_is_waited_for_only_if_told_to() {
    let campus = Campus::new();
    let mut engine = campus.enrolled(&THREE);
    campus.fail_once(Fault::CuhkUnavailable);
    let (result, events) = hand_in(&mut engine, &THREE, None);
    assert_eq!(code(result), "cuhk_unavailable");
    assert_eq!(waits(&events), 0);
    let mut engine = engine.with_patience(Some(Duration::from_secs(10)));
    campus.fail_once(Fault::CuhkUnavailable);
    let (result, events) = hand_in(&mut engine, &THREE, None);
    result.unwrap();
    assert!(waits(&events) > 0);
    assert_eq!(campus.desk.stored_count(), 1);
}
