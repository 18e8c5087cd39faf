//! Steps 3 to 6.

use std::time::Duration;

use scb_protocol::Fact;
use scb_protocol::message::blackboard::AlteredAssignment;
use scb_protocol::rules::Terms;
use scb_student::{Engine, Error, Event, identity, pending, receipts};
use scb_testkit::FixedClock;

use crate::campus::{
    Campus, THREE, code, group, hand_in, hand_in_for, hand_in_what_is_open, sid, told,
};
use crate::servers::{Fault, listed};

impl Campus {
    fn pending(&self) -> usize {
        pending::list(&self.home()).unwrap().len()
    }

    fn receipts(&self) -> usize {
        receipts::list(&self.home().receipts_dir()).unwrap().len()
    }
}

#[test]
fn the_whole_job() {
    let campus = Campus::new();
    let (result, events) = hand_in(&mut campus.enrolled(&THREE), &THREE, None);
    let kept = result.unwrap();
    assert_eq!(kept.path, campus.home().receipts_dir().join("S-000001.zip"));
    assert_eq!(std::fs::read(&kept.path).unwrap(), kept.bytes);
    let members: Vec<_> = kept
        .receipt
        .members()
        .iter()
        .map(|m| m.sid.clone())
        .collect();
    assert_eq!(members, THREE.map(sid));
    let told = told(&events);
    let submission = kept.receipt.statement().submission;
    assert_eq!(
        told,
        [
            "step 3 presented 3".to_owned(),
            "step 3 members verified 3".to_owned(),
            "step 4 shares opened 3".to_owned(),
            "step 5 session key confirmed".to_owned(),
            format!("step 6 statement sent {submission}"),
            format!("step 6 committed {submission}, has 0 of 1050 bytes"),
            "sending 1050 of 1050".to_owned(),
            "step 6 receipt kept S-000001".to_owned(),
        ]
    );
    assert_eq!((campus.pending(), campus.desk.stored_count()), (0, 1));
}

#[test]
fn a_lost_receipt_comes_back_and_nothing_is_stored_twice() {
    let campus = Campus::new();
    let mut engine = campus.impatient(&THREE);
    campus.fail_once(Fault::LoseReceipt);
    let (result, _) = hand_in(&mut engine, &THREE, None);
    assert_eq!(code(result), "connection_lost");
    assert_eq!((campus.pending(), campus.receipts()), (1, 0));
    let (result, events) = hand_in(&mut engine, &THREE, None);
    assert_eq!(result.unwrap().receipt.number().get(), 1);
    let last = events.last().and_then(Event::step_event).unwrap();
    assert!(matches!(last.fact, Fact::ReceiptKept { before: true, .. }));
    assert_eq!((campus.pending(), campus.desk.stored_count()), (0, 1));
}

#[test]
fn a_connection_that_breaks_before_the_receipt_is_followed_by_another_at_once() {
    let campus = Campus::new();
    let mut engine = campus.enrolled(&THREE);
    campus.fail_once(Fault::LoseReceipt);
    let (result, events) = hand_in(&mut engine, &THREE, None);
    assert_eq!(result.unwrap().receipt.number().get(), 1);
    let told = told(&events);
    let about = |start: &str| told.iter().filter(|line| line.starts_with(start)).count();
    assert_eq!(about("interrupted connection_lost"), 1, "{told:?}");
    assert_eq!(about("step 3 presented"), 2);
    assert_eq!((campus.pending(), campus.desk.stored_count()), (0, 1));
}

#[test]
fn another_report_or_other_members_are_a_new_submission() {
    let campus = Campus::new();
    let mut engine = campus.impatient(&THREE);
    campus.fail_once(Fault::LoseReceipt);
    assert!(hand_in(&mut engine, &THREE, None).0.is_err());
    let report = campus.path("report.txt");
    std::fs::write(&report, "another report").unwrap();
    let kept = hand_in(&mut engine, &THREE, Some(&report)).0.unwrap();
    assert_eq!(kept.receipt.number().get(), 2);
    let reversed = [THREE[1], THREE[0], THREE[2]];
    let kept = hand_in(&mut engine, &reversed, Some(&report)).0.unwrap();
    assert_eq!(kept.receipt.number().get(), 3);
    assert_eq!(campus.pending(), 1);
    let kept = hand_in(&mut engine, &THREE, None).0.unwrap();
    assert_eq!(kept.receipt.number().get(), 1);
}

#[test]
fn the_same_again_after_its_receipt_is_a_new_submission() {
    let campus = Campus::new();
    let mut engine = campus.enrolled(&THREE);
    for number in 1..=2 {
        let kept = hand_in(&mut engine, &THREE, None).0.unwrap();
        assert_eq!(kept.receipt.number().get(), number);
    }
}

#[test]
fn a_receipt_that_does_not_verify_is_not_kept() {
    let campus = Campus::new();
    let mut engine = campus.enrolled(&THREE);
    hand_in(&mut engine, &THREE, None).0.unwrap();
    let report = campus.path("report.txt");
    std::fs::write(&report, "a report").unwrap();
    for (fault, expected) in [
        (Fault::AlteredReceipt, "receipt_invalid"),
        (Fault::OtherReceipt, "server_misbehaved"),
        (Fault::LongReceipt, "server_misbehaved"),
    ] {
        campus.fail_once(fault);
        let (result, events) = hand_in(&mut engine, &THREE, Some(&report));
        assert_eq!(code(result), expected, "{fault:?}");
        let kept = |line: &String| line.contains("receipt kept");
        assert!(!told(&events).iter().any(kept));
        assert_eq!((campus.receipts(), campus.pending()), (1, 1), "{fault:?}");
    }
    let kept = hand_in(&mut engine, &THREE, Some(&report)).0.unwrap();
    assert_eq!(kept.receipt.number().get(), 2);
    assert_eq!(campus.desk.stored_count(), 2);
}

#[test]
fn a_large_report_goes_in_pieces() {
    let campus = Campus::new();
    let report = campus.path("large.bin");
    std::fs::write(&report, vec![7; 300_000]).unwrap();
    let (result, events) = hand_in(&mut campus.enrolled(&THREE), &THREE, Some(&report));
    assert_eq!(result.unwrap().receipt.statement().files.size(), 300_000);
    let pieces = events
        .iter()
        .filter(|event| matches!(event, Event::Sending { .. }));
    assert_eq!(pieces.count(), 300_000_usize.div_ceil(64 * 1024));
}

#[test]
fn refuses_a_report_that_is_changed_meanwhile() {
    let campus = Campus::new();
    let report = campus.path("report.txt");
    std::fs::write(&report, "as it was signed").unwrap();
    let mut engine = campus.enrolled(&THREE);
    let (result, _) = hand_in_for(
        &mut engine,
        &THREE,
        Some(&report),
        "SANDBOX",
        &mut |event| {
            let fact = event.step_event().map(|event| &event.fact);
            if matches!(fact, Some(Fact::KeyConfirmed { .. })) {
                std::fs::write(&report, "as it was chang'd").unwrap();
            }
        },
    );
    let Err(Error::Unfinished { cause, .. }) = result else {
        panic!("what was signed is recorded: {result:?}");
    };
    assert!(matches!(*cause, Error::ReportChanged { file } if file == "report.txt"));
    // It is known here until it is given up, or comes after all.
    assert_eq!((campus.desk.stored_count(), campus.pending()), (0, 1));
}

#[test]
fn refuses_too_large_a_report_and_forgets_it() {
    let campus = Campus::new();
    let report = campus.path("huge.bin");
    std::fs::write(&report, vec![7; 5 * 1024 * 1024]).unwrap();
    let (result, _) = hand_in(&mut campus.enrolled(&THREE), &THREE, Some(&report));
    assert_eq!(code(result), "content_too_large");
    assert_eq!((campus.desk.stored_count(), campus.pending()), (0, 0));
}

#[test]
fn refuses_more_members_than_blackboard_takes() {
    let campus = Campus::new();
    let four = [THREE[0], THREE[1], THREE[2], "1155000004"];
    let (result, _) = hand_in(&mut campus.enrolled(&four), &four, None);
    assert_eq!(code(result), "member_count");
    assert_eq!(campus.pending(), 0);
}

#[test]
fn an_expired_token_is_refreshed_before() {
    let campus = Campus::new();
    let mut engine = campus.enrolled(&THREE);
    campus
        .desk
        .campus
        .clock()
        .advance(Duration::from_secs(13 * 3600));
    let (result, events) = hand_in(&mut engine, &THREE, None);
    result.unwrap();
    let refreshed = THREE.map(|id| format!("step 2 sid={id} token refreshed"));
    assert_eq!(told(&events)[..3], refreshed);
    let (result, events) = hand_in(&mut engine, &THREE, None);
    result.unwrap();
    assert_eq!(told(&events)[0], "step 3 presented 3");
}

#[test]
fn without_cuhk_an_expired_token_stays_and_nothing_is_sent() {
    let campus = Campus::new();
    campus.enrolled(&THREE);
    campus
        .desk
        .campus
        .clock()
        .advance(Duration::from_secs(13 * 3600));
    let mut engine = campus.try_engine("--cuhk 127.255.255.254:9").unwrap();
    let (result, events) = hand_in(&mut engine, &THREE, None);
    assert_eq!(code(result), "connection_failed");
    assert!(events.is_empty());
    assert_eq!(campus.pending(), 0);
}

#[test]
fn refuses_somebody_without_a_certificate() {
    let campus = Campus::new();
    let mut engine = campus.enrolled(&THREE[..2]);
    let (result, _) = hand_in(&mut engine, &THREE, None);
    assert!(matches!(result, Err(Error::NotEnrolled { sid }) if sid.as_ref() == THREE[2]));
}

#[cfg(unix)]
#[test]
fn refuses_a_key_that_others_can_read() {
    use std::os::unix::fs::PermissionsExt;
    let campus = Campus::new();
    let mut engine = campus.enrolled(&THREE);
    let key = campus.home().student_dir(&sid(THREE[1])).join("key.pem");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).unwrap();
    let error = hand_in(&mut engine, &THREE, None).0.unwrap_err();
    assert!(error.to_string().contains("chmod 600"), "{error}");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    hand_in(&mut engine, &THREE, None).0.unwrap();
}

#[test]
fn refuses_a_damaged_pending_hand_in() {
    let campus = Campus::new();
    let mut engine = campus.impatient(&THREE);
    campus.fail_once(Fault::LoseReceipt);
    assert!(hand_in(&mut engine, &THREE, None).0.is_err());
    let entry = std::fs::read_dir(campus.home().pending_dir())
        .unwrap()
        .next();
    let path = entry.unwrap().unwrap().path();
    let good = std::fs::read(&path).unwrap();
    let mut bad = good.clone();
    bad[good.len() / 2] ^= 1;
    std::fs::write(&path, bad).unwrap();
    let (result, _) = hand_in(&mut engine, &THREE, None);
    assert!(matches!(result, Err(Error::PendingDamaged { .. })));
    std::fs::write(&path, good).unwrap();
    hand_in(&mut engine, &THREE, None).0.unwrap();
}

#[test]
fn a_withdrawn_signer_costs_a_fresh_token_and_nothing_else() {
    let campus = Campus::new();
    let mut engine = campus.enrolled(&THREE);
    let before = identity::token(&campus.home(), &sid(THREE[2])).unwrap();
    campus.fail_once(Fault::SignerWithdrawn);
    let (result, events) = hand_in(&mut engine, &THREE, None);
    assert_eq!(result.unwrap().receipt.number().get(), 1);
    let refreshed = |line: &&String| line.contains("token refreshed");
    assert_eq!(told(&events).iter().filter(refreshed).count(), 3);
    let after = identity::token(&campus.home(), &sid(THREE[2])).unwrap();
    assert_ne!(before, after);
    assert_eq!((campus.pending(), campus.desk.stored_count()), (0, 1));
}

#[test]
fn a_signer_that_is_always_withdrawn_is_told_in_the_end() {
    let campus = Campus::new();
    let mut engine = campus.enrolled(&THREE);
    campus.fail_once(Fault::AllSignersWithdrawn);
    let (result, events) = hand_in(&mut engine, &THREE, None);
    assert_eq!(code(result), "signer_withdrawn");
    let refreshed = |line: &&String| line.contains("token refreshed");
    assert_eq!(told(&events).iter().filter(refreshed).count(), 9);
    assert_eq!(campus.desk.stored_count(), 0);
}

#[test]
fn the_only_assignment_that_is_open_is_chosen() {
    let campus = Campus::new();
    let (result, events) = hand_in_what_is_open(&mut campus.enrolled(&THREE), &THREE);
    let kept = result.unwrap();
    let statement = kept.receipt.statement();
    let place = format!("{}/{}", statement.course, statement.assignment);
    assert_eq!(place, "SANDBOX/lab");
    let chosen = "step 6 assignment chosen SANDBOX/lab".to_owned();
    assert!(told(&events).contains(&chosen), "{:?}", told(&events));
}

#[test]
fn by_rules_that_blackboard_has_not_signed_nothing_is_handed_in() {
    let campus = Campus::new();
    let mut engine = campus.enrolled(&THREE);
    campus.fail_once(Fault::OtherRules);
    let (result, _) = hand_in_what_is_open(&mut engine, &THREE);
    assert_eq!(code(result), "rules_unsigned");
    assert_eq!((campus.desk.stored_count(), campus.pending()), (0, 0));
    hand_in_what_is_open(&mut engine, &THREE).0.unwrap();
}

#[test]
fn what_blackboard_signs_of_the_rules_is_kept_and_held_against_what_it_signed_before() {
    let campus = Campus::new();
    let mut engine = campus.enrolled(&THREE);
    let told = |engine: &mut Engine| {
        let mut events = Vec::new();
        let mut observe = |event: &Event| events.push(event.clone());
        let told = engine.assignments(&group(&THREE), None, &mut observe);
        (told.unwrap().announced, told_of_rules(&events))
    };
    let (first, contradicted) = told(&mut engine);
    let [kept] = &first[..] else {
        panic!("{first:?}");
    };
    assert!(kept.path.exists() && !contradicted);
    assert!(kept.path.parent().unwrap().ends_with("receipts/rules"));
    let (same, contradicted) = told(&mut engine);
    assert!(same[0].path == kept.path && !contradicted);
    // Another entry in the very same place of the log.
    let mut terms = Terms::from(listed("lab").rules);
    terms.max_bytes += 1;
    campus.desk.listed.lock().unwrap()[0].rules = terms.check().unwrap();
    let (other, contradicted) = told(&mut engine);
    assert!(contradicted && other[0].path != kept.path);
    assert!(
        kept.path.exists() && other[0].path.exists(),
        "both are kept"
    );
}

fn told_of_rules(events: &[Event]) -> bool {
    let is_it = |event: &Event| matches!(event, Event::RulesContradicted { .. });
    events.iter().any(is_it)
}

#[test]
fn refuses_to_choose_among_several_or_none() {
    let campus = Campus::new();
    let mut engine = campus.enrolled(&THREE);
    let offer = |names: &[&str]| {
        *campus.desk.listed.lock().unwrap() = names.iter().map(|name| listed(name)).collect();
    };
    offer(&["lab", "lab-2"]);
    let (result, _) = hand_in_what_is_open(&mut engine, &THREE);
    assert!(matches!(result, Err(Error::SeveralOpen { open, .. }) if open.len() == 2));
    offer(&[]);
    let (result, _) = hand_in_what_is_open(&mut engine, &THREE);
    assert!(matches!(result, Err(Error::NothingOpen { .. })));
    assert_eq!((campus.desk.stored_count(), campus.pending()), (0, 0));
}

fn altered_one(name: &str) -> AlteredAssignment {
    AlteredAssignment {
        course: "SANDBOX".parse().unwrap(),
        assignment: name.parse().unwrap(),
    }
}

#[test]
fn nothing_is_signed_by_rules_that_are_not_told_and_no_other_assignment_is_taken_instead() {
    let campus = Campus::new();
    let mut engine = campus.impatient(&THREE);
    let altered = |names: &[&str]| {
        *campus.desk.altered.lock().unwrap() = names.iter().map(|name| altered_one(name)).collect();
    };
    altered(&["lab-2"]);
    let (result, _) = hand_in_what_is_open(&mut engine, &THREE);
    let Err(Error::SeveralOpen { open, held_back }) = result else {
        panic!("{result:?}");
    };
    assert_eq!((open.len(), held_back.len()), (1, 1));
    assert_eq!(held_back[0].params["assignment"], "SANDBOX/lab-2");
    // Where all are held back it is why; so it is for the one that is named.
    campus.desk.listed.lock().unwrap().clear();
    altered(&["lab"]);
    let (result, _) = hand_in_what_is_open(&mut engine, &THREE);
    assert_eq!(code(result), "rules_altered");
    let (result, _) = hand_in(&mut engine, &THREE, None);
    assert_eq!(code(result), "rules_altered");
    assert_eq!((campus.desk.stored_count(), campus.pending()), (0, 0));

    // What is not told of at all is sent, so that Blackboard says why it refuses; that is said before.
    altered(&[]);
    let (result, events) = hand_in(&mut engine, &THREE, None);
    assert!(
        told(&events).contains(&"not listed lab".to_owned()),
        "{result:?} {:?}",
        told(&events)
    );

    // What is signed goes on: nothing is signed anew.
    let campus = Campus::new();
    let mut engine = campus.impatient(&THREE);
    campus.fail_once(Fault::LoseReceipt);
    assert!(hand_in(&mut engine, &THREE, None).0.is_err());
    campus.desk.listed.lock().unwrap().clear();
    *campus.desk.altered.lock().unwrap() = vec![altered_one("lab")];
    let kept = hand_in(&mut engine, &THREE, None).0.unwrap();
    assert_eq!(kept.receipt.number().get(), 1);
    assert_eq!((campus.desk.stored_count(), campus.pending()), (1, 0));
}

#[test]
fn an_interrupted_hand_in_goes_on_where_it_was_whatever_is_open_now() {
    let campus = Campus::new();
    let mut engine = campus.impatient(&THREE);
    campus.fail_once(Fault::LoseReceipt);
    let (result, _) = hand_in_what_is_open(&mut engine, &THREE);
    assert_eq!(code(result), "connection_lost");
    *campus.desk.listed.lock().unwrap() = vec![listed("lab-2"), listed("lab-3")];
    let (result, _) = hand_in_what_is_open(&mut engine, &THREE);
    let kept = result.unwrap();
    assert_eq!(kept.receipt.statement().assignment.to_string(), "lab");
    assert_eq!((campus.desk.stored_count(), campus.pending()), (1, 0));
}

#[test]
fn assignments_are_told_by_blackboards_clock_and_not_by_the_one_here() {
    let campus = Campus::new();
    drop(campus.enrolled(&THREE));
    let behind = FixedClock::new(campus.desk.campus.now());
    behind.rewind(Duration::from_secs(50));
    let mut engine = campus.engine_at(&behind);
    let told = engine
        .assignments(&group(&THREE), None, &mut |_| {})
        .unwrap();
    assert_eq!(told.time, campus.desk.campus.now());
    assert_eq!(engine.setup.clock_offset().unwrap().behind(), 50);
    behind.rewind(Duration::from_secs(24 * 3600));
    let mut engine = campus.engine_at(&behind);
    let refused = engine.assignments(&group(&THREE), None, &mut |_| {});
    let failure = scb_cli::Failure::from(refused.unwrap_err());
    assert!(failure.message.contains("23 h 50 min behind"), "{failure}");
}
