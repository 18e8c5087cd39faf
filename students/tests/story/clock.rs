//! A clock that is off: the student is told by how much.

use std::time::Duration;

use scb_cli::Failure;
use scb_student::Error;
use scb_testkit::FixedClock;

use crate::campus::{Campus, THREE, code, enrol, hand_in};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

fn sentence(error: Error) -> Failure {
    Failure::from(error)
}

/// A clock that is right at first.
fn clock(campus: &Campus) -> FixedClock {
    FixedClock::new(campus.desk.campus.now())
}

#[test]
fn a_clock_a_day_ahead_is_named_before_a_code_is_sent() {
    let campus = Campus::new();
    let ahead = clock(&campus);
    ahead.advance(DAY - Duration::from_secs(30));
    let codes = campus.codes(&THREE);
    let error = enrol(&mut campus.engine_at(&ahead), codes).0.unwrap_err();
    let failure = sentence(error);
    assert_eq!((failure.exit, failure.code), (5, Some("clock_off")));
    assert!(
        failure
            .message
            .contains("clock is 23 h 59 min ahead of the server's"),
        "{failure}"
    );
    assert!(failure.remedy.unwrap().contains("time zone"));
    assert_eq!(
        campus
            .desk
            .requests
            .load(std::sync::atomic::Ordering::SeqCst),
        0
    );
}

#[test]
fn a_clock_an_hour_ahead_is_named_before_anything_is_handed_in() {
    let campus = Campus::new();
    drop(campus.enrolled(&THREE));
    let ahead = clock(&campus);
    ahead.advance(HOUR);
    let error = hand_in(&mut campus.engine_at(&ahead), &THREE, None)
        .0
        .unwrap_err();
    let failure = sentence(error);
    assert!(failure.message.contains("1 h 0 min ahead"), "{failure}");
    assert_eq!(campus.desk.stored_count(), 0);
}

#[test]
fn a_clock_a_day_behind_is_named_when_no_server_can_prove_itself() {
    let campus = Campus::new();
    let behind = clock(&campus);
    behind.rewind(DAY);
    let codes = campus.codes(&THREE);
    let error = enrol(&mut campus.engine_at(&behind), codes).0.unwrap_err();
    let failure = sentence(error);
    assert_eq!(failure.code, Some("server_identity"));
    assert!(failure.message.contains("23 h 50 min behind"), "{failure}");
    assert!(failure.remedy.unwrap().contains("time zone"));
}

#[test]
fn a_certificate_refused_for_its_dates_is_explained_by_the_clock() {
    let campus = Campus::new();
    drop(campus.enrolled(&THREE));
    let here = clock(&campus);
    // The certificate has expired by the server's clock, and not by the one here.
    campus.desk.campus.clock().advance(31 * DAY);
    let error = hand_in(&mut campus.engine_at(&here), &THREE, None)
        .0
        .unwrap_err();
    assert_eq!(error.refusals()[0].code.as_str(), "certificate_expired");
    let failure = sentence(error);
    assert!(failure.message.contains("31 d 0 h behind"), "{failure}");
    assert!(failure.remedy.unwrap().contains("time zone"));
}

#[test]
fn an_expired_certificate_is_not_blamed_on_a_clock_that_is_right() {
    let campus = Campus::new();
    let mut engine = campus.enrolled(&THREE);
    campus.desk.campus.clock().advance(31 * DAY);
    let (result, _) = hand_in(&mut engine, &THREE, None);
    let error = result.unwrap_err();
    assert!(!error.refusals()[0].params.contains_key("clock"));
    assert_eq!(code(Err::<(), _>(error)), "certificate_expired");
}

#[test]
fn a_minute_is_borne() {
    let campus = Campus::new();
    let behind = clock(&campus);
    behind.rewind(Duration::from_secs(50));
    let mut engine = campus.engine_at(&behind);
    enrol(&mut engine, campus.codes(&THREE)).0.unwrap();
    hand_in(&mut engine, &THREE, None).0.unwrap();
}
