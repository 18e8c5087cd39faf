//! A clock that is off: the student is told by how much. Up to an hour the servers' time is taken.

use std::time::Duration;

use scb_cli::Failure;
use scb_student::{EnrolOptions, Error};
use scb_testkit::FixedClock;

use crate::campus::{Campus, THREE, code, enrol, group, hand_in};
use crate::servers::Fault;

const SECOND: Duration = Duration::from_secs(1);
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
fn a_clock_more_than_an_hour_ahead_is_named_before_anything_is_handed_in() {
    let campus = Campus::new();
    drop(campus.enrolled(&THREE));
    let ahead = clock(&campus);
    ahead.advance(HOUR + SECOND);
    let error = hand_in(&mut campus.engine_at(&ahead), &THREE, None)
        .0
        .unwrap_err();
    let failure = sentence(error);
    assert_eq!((failure.exit, failure.code), (5, Some("clock_off")));
    assert!(failure.message.contains("1 h 0 min ahead"), "{failure}");
    assert_eq!(campus.desk.stored_count(), 0);
}

#[test]
fn a_clock_more_than_an_hour_behind_is_named_as_well() {
    let campus = Campus::new();
    drop(campus.enrolled(&THREE));
    // Old enough that the certificates are in force by this clock.
    campus.desk.campus.clock().advance(HOUR);
    let behind = clock(&campus);
    behind.rewind(HOUR + SECOND);
    let error = hand_in(&mut campus.engine_at(&behind), &THREE, None)
        .0
        .unwrap_err();
    let failure = sentence(error);
    assert_eq!((failure.exit, failure.code), (5, Some("clock_off")));
    assert!(failure.message.contains("1 h 0 min behind"), "{failure}");
    assert_eq!(campus.desk.stored_count(), 0);
}

#[test]
fn a_clock_that_is_off_by_up_to_an_hour_stops_nobody() {
    for (behind, ahead) in [(70, 0), (240, 0), (3600, 0), (0, 240), (0, 3600)] {
        let campus = Campus::new();
        let here = clock(&campus);
        here.advance(Duration::from_secs(ahead));
        here.rewind(Duration::from_secs(behind));
        let mut engine = campus.engine_at(&here);
        enrol(&mut engine, campus.codes(&THREE)).0.unwrap();
        // Another run knows nothing yet of the servers' time.
        let mut engine = campus.engine_at(&here);
        let missing = engine.without_certificate(&group(&THREE), &EnrolOptions::default());
        assert_eq!(missing.unwrap(), [], "{behind} {ahead}");
        let kept = hand_in(&mut engine, &THREE, None).0.unwrap();
        assert_eq!(kept.receipt.committed_at(), campus.desk.campus.now());
        let offset = engine.setup.clock_offset().unwrap().behind();
        assert_eq!(
            offset,
            i64::try_from(behind).unwrap() - i64::try_from(ahead).unwrap()
        );
    }
}

#[test]
fn a_token_that_has_ended_while_the_clock_was_behind_is_refreshed() {
    let campus = Campus::new();
    drop(campus.enrolled(&THREE));
    campus.desk.campus.clock().advance(12 * HOUR + HOUR / 2);
    let behind = clock(&campus);
    behind.rewind(HOUR);
    hand_in(&mut campus.engine_at(&behind), &THREE, None)
        .0
        .unwrap();
}

#[test]
fn an_answer_of_before_is_refused_whatever_the_clock_here_says() {
    for behind in [Duration::ZERO, HOUR / 6] {
        let campus = Campus::new();
        drop(campus.enrolled(&THREE));
        campus.fail_once(Fault::StaleVerification);
        let here = clock(&campus);
        here.rewind(behind);
        let refused = hand_in(&mut campus.engine_at(&here), &THREE, None).0;
        assert_eq!(code(refused), "verification_invalid");
        assert_eq!(campus.desk.stored_count(), 0);
    }
}

#[test]
fn a_blackboard_whose_time_is_not_cuhks_is_not_believed() {
    let campus = Campus::new();
    drop(campus.enrolled(&THREE));
    // CUHK's time is heard first, as the tokens have ended.
    campus.desk.campus.clock().advance(13 * HOUR);
    campus.fail_once(Fault::OtherTime);
    let here = clock(&campus);
    let refused = hand_in(&mut campus.engine_at(&here), &THREE, None).0;
    let error = refused.unwrap_err();
    let reason = &error.refusals()[0].params["reason"];
    assert!(reason.contains("not that of the other server"), "{reason}");
    assert_eq!(code(Err::<(), _>(error)), "server_misbehaved");
}

#[test]
fn a_server_whose_certificate_has_ended_is_refused_by_its_own_time() {
    let campus = Campus::new();
    drop(campus.enrolled(&THREE));
    // Ended for half an hour, by both clocks: looked at once more, and judged by what it tells.
    let ends = campus.desk.blackboard_ends();
    campus.desk.campus.clock().set(ends);
    campus.desk.campus.clock().advance(HOUR / 2);
    let here = clock(&campus);
    let mut engine = campus.engine_at(&here);
    let failure = sentence(engine.meet_cuhk(None, None).unwrap_err());
    assert_eq!(failure.code, Some("server_identity"));
    assert!(failure.message.contains("by its own time"), "{failure}");
}

#[test]
fn a_clock_a_day_behind_is_named_when_no_server_can_prove_itself() {
    let campus = Campus::new();
    let behind = clock(&campus);
    behind.rewind(DAY);
    let codes = campus.codes(&THREE);
    let error = enrol(&mut campus.engine_at(&behind), codes).0.unwrap_err();
    let failure = sentence(error);
    assert_eq!((failure.exit, failure.code), (5, Some("clock_off")));
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
