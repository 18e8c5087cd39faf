//! Steps 1 and 2.

use std::path::Path;
use std::sync::atomic::Ordering;

use scb_protocol::Fact;
use scb_student::{Engine, EnrolOptions, Error, identity};

use crate::campus::{Campus, THREE, code, enrol, group, replace, sid, told};
use crate::servers::Fault;

fn without(engine: &Engine, ids: &[&str]) -> Vec<String> {
    let missing = engine.without_certificate(&group(ids), &EnrolOptions::default());
    missing.unwrap().iter().map(ToString::to_string).collect()
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn three_are_certified_over_one_connection() {
    let campus = Campus::new();
    let (result, events) = campus.enrol(&THREE);
    result.unwrap();
    let mut expected = vec!["step 1 requests sent 3".to_owned()];
    expected.extend(THREE.map(|id| format!("step 2 sid={id} certified")));
    assert_eq!(told(&events), expected);
    assert_eq!(campus.desk.connections.load(Ordering::SeqCst), 1);
    let home = campus.home();
    assert_eq!(home.students().unwrap(), THREE.map(sid));
    for id in THREE {
        let dir = home.student_dir(&sid(id));
        assert_eq!(mode(&dir.join("key.pem")), 0o600);
        assert_eq!(mode(&dir.join("token.jwt")), 0o600);
        assert!(dir.join("chain.pem").exists());
        assert!(!home.next_dir(&sid(id)).exists());
    }
    assert!(without(&campus.engine(), &THREE).is_empty());
}

#[test]
fn refuses_one_wrong_code_and_certifies_the_others() {
    let campus = Campus::new();
    let mut students = campus.codes(&THREE);
    students[1].1 = students[0].1.clone();
    let (result, events) = enrol(&mut campus.engine(), students);
    let error = result.unwrap_err();
    assert_eq!(error.refusals().len(), 1);
    assert_eq!(error.refusals()[0].sid, Some(sid(THREE[1])));
    assert_eq!(error.refusals()[0].code.as_str(), "enrolment_refused");
    assert_eq!(events.len(), 3);
    assert_eq!(without(&campus.engine(), &THREE), [THREE[1]]);
    assert!(!campus.home().student_dir(&sid(THREE[1])).exists());
}

#[test]
fn names_everybody_who_was_refused() {
    let campus = Campus::new();
    let mut students = campus.codes(&THREE);
    campus.codes(&THREE[..2]);
    students.rotate_left(1);
    let (result, _) = enrol(&mut campus.engine(), students);
    let refused: Vec<_> = result
        .unwrap_err()
        .refusals()
        .iter()
        .filter_map(|refusal| refusal.sid.clone())
        .collect();
    assert_eq!(refused, [sid(THREE[1]), sid(THREE[0])]);
}

#[test]
fn a_lost_answer_is_made_up_for_by_the_same_request() {
    let campus = Campus::new();
    let students = campus.codes(&THREE[..1]);
    campus.fail_once(Fault::LoseEnrolled);
    let (result, _) = enrol(&mut campus.engine(), students.clone());
    assert_eq!(code(result), "connection_lost");
    let home = campus.home();
    let key = home.next_dir(&sid(THREE[0])).join("key.pem");
    let saved = std::fs::read(&key).unwrap();
    let (result, events) = enrol(&mut campus.engine(), students);
    result.unwrap();
    let Some(Fact::RequestsSent {
        fresh: 0, requests, ..
    }) = events[0].step_event().map(|event| &event.fact)
    else {
        panic!("{:?}", events[0]);
    };
    assert_eq!(requests.len(), 1);
    let installed = std::fs::read(home.student_dir(&sid(THREE[0])).join("key.pem")).unwrap();
    assert_eq!(saved, installed);
}

#[test]
fn a_code_used_elsewhere_does_not_keep_the_others_from_theirs() {
    let campus = Campus::new();
    let students = campus.codes(&THREE);
    let elsewhere = campus.path("elsewhere").display().to_string();
    let flags = format!("--ca CA --home {elsewhere}");
    let mut other = campus.try_engine(&flags).unwrap();
    enrol(&mut other, students[..1].to_vec()).0.unwrap();
    let (result, _) = enrol(&mut campus.engine(), students);
    assert_eq!(code(result), "code_used");
    assert_eq!(without(&campus.engine(), &THREE), [THREE[0]]);
}

#[test]
fn refuses_a_certificate_that_is_not_the_one_asked_for() {
    let campus = Campus::new();
    for fault in [Fault::OtherKey, Fault::OtherStudent, Fault::OtherToken] {
        campus.fail_once(fault);
        let (result, events) = campus.enrol(&THREE[..1]);
        assert_eq!(code(result), "server_misbehaved", "{fault:?}");
        assert_eq!(events.len(), 1);
        assert_eq!(without(&campus.engine(), &THREE[..1]), [THREE[0]]);
    }
}

#[test]
fn the_key_is_safe_before_anything_is_sent() {
    let campus = Campus::new();
    let students = campus.codes(&THREE[..1]);
    // Nobody listens on the discard port of a loopback address that nothing is bound to.
    let mut engine = campus
        .try_engine("--ca CA --cuhk 127.255.255.254:9")
        .unwrap();
    let (result, events) = enrol(&mut engine, students);
    assert_eq!(code(result), "connection_failed");
    assert!(events.is_empty());
    let key = campus.home().next_dir(&sid(THREE[0])).join("key.pem");
    assert_eq!(mode(&key), 0o600);
    assert_eq!(campus.home().config().unwrap().cuhk, None);
}

#[test]
fn who_was_certified_by_another_program_meanwhile_keeps_the_code() {
    let campus = Campus::new();
    let students = campus.codes(&THREE);
    // Knows the root by its fingerprint alone, and judged who needs a certificate before the other
    // program was done.
    let root = campus.desk.campus.root_fingerprint();
    let mut late = campus
        .try_engine(&format!("--ca-fingerprint {root}"))
        .unwrap();
    enrol(&mut campus.engine(), students[..2].to_vec())
        .0
        .unwrap();
    let (result, events) = enrol(&mut late, students.clone());
    result.unwrap();
    assert_eq!(told(&events)[0], "step 1 requests sent 1");
    let (result, events) = enrol(&mut late, students);
    result.unwrap();
    assert!(matches!(
        events[0].step_event().unwrap().fact,
        Fact::AlreadyCertified { certificates: 3 }
    ));
    for id in THREE {
        assert!(!campus.home().next_dir(&sid(id)).exists());
    }
}

#[test]
fn what_another_program_learned_meanwhile_is_known_and_kept() {
    let campus = Campus::new();
    let root = campus.desk.campus.root_fingerprint();
    let flags = format!("--ca-fingerprint {root} --cuhk 127.255.255.254:9");
    let mut late = campus.try_engine(&flags).unwrap();
    let students = campus.codes(&THREE[..1]);
    enrol(&mut campus.engine(), students.clone()).0.unwrap();
    enrol(&mut late, students).0.unwrap();
    crate::campus::hand_in(&mut late, &THREE[..1], None)
        .0
        .unwrap();
    let config = campus.home().config().unwrap();
    assert_eq!(config.cuhk, Some(campus.cuhk.clone()));
    assert_eq!(config.blackboard, Some(campus.blackboard.clone()));
}

#[test]
fn a_new_key_takes_the_place_of_the_old_one_only_when_it_is_certified() {
    let campus = Campus::new();
    campus.enrolled(&THREE[..1]);
    let home = campus.home();
    let read = || std::fs::read(home.student_dir(&sid(THREE[0])).join("key.pem")).unwrap();
    let old = read();
    let mut students = campus.codes(&THREE[..1]);
    let right = std::mem::replace(&mut students[0].1, campus.desk.code("other"));
    assert_eq!(
        code(replace(&mut campus.engine(), students.clone()).0),
        "enrolment_refused"
    );
    assert_eq!(read(), old);
    students[0].1 = right;
    replace(&mut campus.engine(), students).0.unwrap();
    assert_ne!(read(), old);
    let names = std::fs::read_dir(home.student_dir(&sid(THREE[0])).parent().unwrap());
    assert_eq!(names.unwrap().count(), 1);
}

#[test]
fn an_installation_that_was_interrupted_is_finished() {
    let campus = Campus::new();
    campus.enrolled(&THREE[..1]);
    let (home, sid) = (campus.home(), sid(THREE[0]));
    std::fs::rename(home.student_dir(&sid), home.next_dir(&sid)).unwrap();
    assert!(without(&campus.engine(), &THREE[..1]).is_empty());
    assert!(home.student_dir(&sid).join("key.pem").exists());
}

#[test]
fn an_expired_certificate_needs_a_new_one() {
    let campus = Campus::new();
    campus.enrolled(&THREE[..1]);
    let month = std::time::Duration::from_secs(31 * 24 * 3600);
    campus.desk.campus.clock().advance(month);
    assert_eq!(without(&campus.engine(), &THREE[..1]), [THREE[0]]);
}

#[test]
fn a_passphrase_encrypts_the_key_and_is_needed_again() {
    let campus = Campus::new();
    let (right, wrong) = (campus.path("right"), campus.path("wrong"));
    scb_cli::write_atomic(&right, b"open sesame\n", 0o600).unwrap();
    scb_cli::write_atomic(&wrong, b"open barley\n", 0o600).unwrap();
    let with = |path: &Path| {
        let flag = format!("--ca CA --passphrase-file {}", path.display());
        campus.try_engine(&flag).unwrap()
    };
    enrol(&mut with(&right), campus.codes(&THREE[..1]))
        .0
        .unwrap();
    assert_eq!(
        identity::has_passphrase(&campus.home(), &sid(THREE[0])).unwrap(),
        Some(true)
    );
    let hand_in = |engine: &mut Engine| crate::campus::hand_in(engine, &THREE[..1], None).0;
    let refused = hand_in(&mut with(&wrong)).unwrap_err();
    assert!(matches!(refused, Error::WrongPassphrase { .. }));
    hand_in(&mut with(&right)).unwrap();
}
