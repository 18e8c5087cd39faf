//! The next certificate: because somebody asks, or by itself.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use scb_certs::{Chain, is_encrypted, read_private};
use scb_protocol::Code;
use scb_student::{Engine, EnrolOptions, Error, identity};

use crate::campus::{Campus, THREE, code, enrol, group, hand_in, sid, told};
use crate::servers::Fault;

/// A thirtieth of a certificate's life here, so short that the servers' revocation lists last.
const DAY: Duration = Duration::from_secs(6 * 60);
const ONE: &str = THREE[0];

fn renew(engine: &mut Engine, ids: &[&str], same_key: bool) -> (Result<(), Error>, Vec<String>) {
    let students: Vec<_> = ids.iter().map(|id| sid(id)).collect();
    let mut events = Vec::new();
    let result = engine.renew(&students, same_key, &mut |event| events.push(event.clone()));
    (result, told(&events))
}

/// What a command does before it hands in.
fn renew_due(engine: &mut Engine) -> (Result<(), Error>, Vec<String>) {
    let mut events = Vec::new();
    let result = engine.renew_due(&group(&[ONE]), &mut |event| events.push(event.clone()));
    (result, told(&events))
}

impl Campus {
    fn with_short_lives() -> Self {
        let campus = Self::new();
        *campus.desk.lifetime.lock().unwrap() = 30 * DAY;
        campus
    }

    fn pass(&self, days: u32) {
        self.desk.campus.clock().advance(days * DAY);
    }

    fn kept(&self) -> Chain {
        identity::chain(&self.home(), &sid(ONE)).unwrap().unwrap()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.home().student_dir(&sid(ONE)).join(name)
    }

    /// How each certificate was renewed, of those that were.
    fn renewals(&self) -> Vec<&'static str> {
        let renewed = self.desk.renewed.lock().unwrap();
        renewed.values().map(|(_, how)| *how).collect()
    }

    /// Whether whoever is here needs a code.
    fn needs_code(&self) -> bool {
        let missing = self
            .engine()
            .without_certificate(&group(&[ONE]), &EnrolOptions::default());
        !missing.unwrap().is_empty()
    }

    fn left_over(&self) -> Vec<String> {
        let students = self.home().student_dir(&sid(ONE));
        let names = fs::read_dir(students.parent().unwrap()).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name != ONE).collect()
    }
}

#[test]
fn a_renewal_brings_a_new_key_and_removes_the_old_one() {
    let campus = Campus::with_short_lives();
    let mut engine = campus.enrolled(&[ONE]);
    let (before, key) = (campus.kept(), fs::read(campus.file("key.pem")).unwrap());
    let (result, events) = renew(&mut engine, &[ONE], false);
    result.unwrap();
    let after = campus.kept();
    assert_eq!(events.len(), 1, "{events:?}");
    assert!(events[0].contains("certificate renewed"), "{events:?}");
    assert_ne!(after, before);
    assert_ne!(
        after.leaf().public_key().unwrap(),
        before.leaf().public_key().unwrap()
    );
    assert_ne!(fs::read(campus.file("key.pem")).unwrap(), key);
    assert!(campus.left_over().is_empty(), "{:?}", campus.left_over());
    assert_eq!(campus.renewals(), ["certificate"]);
    hand_in(&mut campus.engine(), &[ONE], None).0.unwrap();
}

#[test]
fn the_same_key_can_be_certified_again() {
    let campus = Campus::with_short_lives();
    let mut engine = campus.enrolled(&[ONE]);
    let (before, key) = (campus.kept(), fs::read(campus.file("key.pem")).unwrap());
    renew(&mut engine, &[ONE], true).0.unwrap();
    assert_eq!(fs::read(campus.file("key.pem")).unwrap(), key);
    assert_ne!(campus.kept(), before);
    hand_in(&mut campus.engine(), &[ONE], None).0.unwrap();
}

#[test]
fn a_passphrase_stays_and_a_key_without_one_gets_none() {
    let campus = Campus::with_short_lives();
    let file = campus.path("passphrase");
    fs::write(&file, "correct horse\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let flags = format!("--ca CA --passphrase-file {ONE}={}", file.display());
    let mut engine = campus.try_engine(&flags).unwrap();
    enrol(&mut engine, campus.codes(&THREE[..2])).0.unwrap();
    for same_key in [false, true] {
        let mut engine = campus.try_engine(&flags).unwrap();
        renew(&mut engine, &THREE[..2], same_key).0.unwrap();
        let key = |id: &str| campus.home().student_dir(&sid(id)).join("key.pem");
        assert!(is_encrypted(&read_private(&key(ONE)).unwrap()));
        assert!(!is_encrypted(&read_private(&key(THREE[1])).unwrap()));
    }
    let mut engine = campus.try_engine(&flags).unwrap();
    hand_in(&mut engine, &THREE[..2], None).0.unwrap();
    fs::write(&file, "wrong\n").unwrap();
    let mut engine = campus.try_engine(&flags).unwrap();
    let refused = renew(&mut engine, &[ONE], false).0;
    assert!(matches!(refused, Err(Error::WrongPassphrase { .. })));
}

#[test]
fn a_lost_answer_is_asked_for_again_with_the_same_key() {
    let campus = Campus::with_short_lives();
    let mut engine = campus.enrolled(&[ONE]);
    let before = campus.kept();
    campus.fail_once(Fault::LoseRenewed);
    assert_eq!(code(renew(&mut engine, &[ONE], false).0), "connection_lost");
    assert_eq!(campus.kept(), before, "the old one is in place");
    hand_in(&mut campus.engine(), &[ONE], None).0.unwrap();
    let waits = campus.home().renewal_dir(&sid(ONE)).join("key.pem");
    let waiting = fs::read(&waits).unwrap();
    // Whatever is asked now, what was begun is finished.
    renew(&mut campus.engine(), &[ONE], true).0.unwrap();
    assert_eq!(fs::read(campus.file("key.pem")).unwrap(), waiting);
    assert_eq!(campus.renewals().len(), 1);
}

#[test]
fn a_crash_at_any_moment_leaves_a_key_that_works() {
    let campus = Campus::with_short_lives();
    let mut engine = campus.enrolled(&[ONE]);
    let home = campus.home();
    let (place, next) = (home.student_dir(&sid(ONE)), home.renewal_dir(&sid(ONE)));
    let old = place.with_file_name(format!(".old-{ONE}"));
    let keep = campus.path("keep");
    copy(&place, &keep);
    renew(&mut engine, &[ONE], false).0.unwrap();
    let renewed = campus.path("renewed");
    copy(&place, &renewed);
    let read = |name: &str| fs::read(place.join(name)).unwrap();
    // What is on disk when it happens: the place, the next key's directory, the old one's.
    let moments: [(&str, Option<&PathBuf>, &[&str], bool); 5] = [
        ("key made", Some(&keep), &["key.pem"], false),
        ("token saved", Some(&keep), &["key.pem", "token.jwt"], false),
        (
            "certificate saved",
            Some(&keep),
            &["key.pem", "token.jwt", "chain.pem"],
            false,
        ),
        (
            "old one moved away",
            None,
            &["key.pem", "token.jwt", "chain.pem"],
            true,
        ),
        ("next one moved in", Some(&renewed), &[], true),
    ];
    for (moment, at_place, files, old_there) in moments {
        for dir in [&place, &next, &old] {
            let _ = fs::remove_dir_all(dir);
        }
        if let Some(source) = at_place {
            copy(source, &place);
        }
        if !files.is_empty() {
            fs::create_dir(&next).unwrap();
        }
        for name in files {
            copy_file(&renewed.join(name), &next.join(name));
        }
        if old_there {
            copy(&keep, &old);
        }
        // The next command of any kind, then the renewal again.
        assert!(!campus.needs_code(), "{moment}");
        hand_in(&mut campus.engine(), &[ONE], None).0.unwrap();
        if read("key.pem") != fs::read(renewed.join("key.pem")).unwrap() {
            renew(&mut campus.engine(), &[ONE], false).0.unwrap();
        }
        assert_eq!(
            read("key.pem"),
            fs::read(renewed.join("key.pem")).unwrap(),
            "{moment}"
        );
        assert_eq!(campus.renewals().len(), 1, "{moment}");
        assert!(campus.left_over().is_empty(), "{moment}");
    }
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        copy_file(&entry.path(), &to.join(entry.file_name()));
    }
}

fn copy_file(from: &std::path::Path, to: &std::path::Path) {
    fs::copy(from, to).unwrap();
}

#[test]
fn after_its_end_the_old_key_signs_the_request() {
    let campus = Campus::with_short_lives();
    let mut engine = campus.enrolled(&[ONE]);
    campus.pass(31);
    renew(&mut engine, &[ONE], false).0.unwrap();
    assert_eq!(campus.renewals(), ["key"]);
    hand_in(&mut campus.engine(), &[ONE], None).0.unwrap();
}

#[test]
fn a_command_renews_by_itself_when_two_thirds_are_over_and_not_before() {
    let campus = Campus::with_short_lives();
    let mut engine = campus.enrolled(&[ONE]);
    let before = campus.kept();
    campus.pass(19);
    let (result, events) = renew_due(&mut engine);
    result.unwrap();
    assert!(events.is_empty(), "{events:?}");
    assert_eq!(campus.kept(), before);
    campus.pass(2);
    let (result, events) = renew_due(&mut campus.engine());
    result.unwrap();
    assert_eq!(events.len(), 1, "{events:?}");
    assert!(events[0].contains("certificate renewed"), "{events:?}");
    assert_ne!(campus.kept(), before);
    hand_in(&mut campus.engine(), &[ONE], None).0.unwrap();
}

#[test]
fn a_command_renews_by_itself_what_has_ended_and_takes_no_code() {
    let campus = Campus::with_short_lives();
    drop(campus.enrolled(&[ONE]));
    campus.pass(40);
    assert!(campus.needs_code());
    renew_due(&mut campus.engine()).0.unwrap();
    assert!(!campus.needs_code());
    assert_eq!(campus.renewals(), ["key"]);
}

#[test]
fn a_failed_renewal_is_told_and_does_not_stop_a_hand_in() {
    let campus = Campus::with_short_lives();
    drop(campus.enrolled(&[ONE]));
    let before = campus.kept();
    campus.pass(21);
    for fault in [
        Fault::LoseRenewed,
        Fault::CuhkBusy,
        Fault::RefuseRenewal(Code::TermOver),
    ] {
        campus.fail_once(fault);
        let mut engine = campus.engine();
        let (result, events) = renew_due(&mut engine);
        result.unwrap();
        assert_eq!(events.len(), 1, "{fault:?}");
        assert!(events[0].ends_with(" good"), "{events:?}");
        // Once in a run is enough.
        assert!(renew_due(&mut engine).1.is_empty(), "{fault:?}");
        assert_eq!(campus.kept(), before);
        campus.desk.fault.lock().unwrap().take();
    }
    hand_in(&mut campus.engine(), &[ONE], None).0.unwrap();
}

#[test]
fn that_nothing_longer_is_to_be_had_is_not_worth_a_line() {
    let campus = Campus::with_short_lives();
    drop(campus.enrolled(&[ONE]));
    campus.pass(21);
    campus.fail_once(Fault::RefuseRenewal(Code::RenewalNotLonger));
    let (result, events) = renew_due(&mut campus.engine());
    result.unwrap();
    assert!(events.is_empty(), "{events:?}");
    // Whoever asks is told.
    let asked = renew(&mut campus.engine(), &[ONE], false).0;
    assert_eq!(code(asked), "renewal_not_longer");
}

#[test]
fn where_only_a_code_helps_it_is_asked_for_and_elsewhere_not() {
    let campus = Campus::with_short_lives();
    drop(campus.enrolled(&[ONE]));
    campus.pass(31);
    campus.fail_once(Fault::RefuseRenewal(Code::RenewalTooLate));
    let (result, events) = renew_due(&mut campus.engine());
    result.unwrap();
    let said = format!("step 2 sid={ONE} not renewed renewal_too_late ended");
    assert_eq!(events, [said]);
    assert!(campus.needs_code());
    for refused in [Code::TermOver, Code::StudentUnlisted, Code::StudentInactive] {
        campus.fail_once(Fault::RefuseRenewal(refused));
        let result = renew_due(&mut campus.engine()).0;
        assert_eq!(code(result), refused.as_str());
    }
}

#[test]
fn a_hand_in_that_waits_is_finished_with_the_certificate_that_signed_it() {
    let campus = Campus::with_short_lives();
    let mut engine = campus.impatient(&[ONE]);
    let before = campus.kept();
    campus.pass(21);
    campus.fail_once(Fault::LoseReceipt);
    hand_in(&mut engine, &[ONE], None).0.unwrap_err();
    let mut engine = campus.engine();
    renew_due(&mut engine).0.unwrap();
    let waits = renew(&mut engine, &[ONE], false).0.unwrap_err();
    assert!(matches!(waits, Error::HandInWaits(_)), "{waits:?}");
    assert_eq!(campus.kept(), before);
    hand_in(&mut engine, &[ONE], None).0.unwrap();
    assert_eq!(campus.desk.stored_count(), 1, "nothing is stored twice");
    renew_due(&mut campus.engine()).0.unwrap();
    assert_ne!(campus.kept(), before);
}

#[test]
fn a_key_that_was_refused_is_made_anew() {
    let campus = Campus::with_short_lives();
    let mut engine = campus.enrolled(&[ONE]);
    campus.fail_once(Fault::RefuseRenewal(Code::KeyRefused));
    let refused = renew(&mut engine, &[ONE], false).0;
    assert_eq!(code(refused), "key_refused");
    assert!(campus.left_over().is_empty());
    campus.desk.fault.lock().unwrap().take();
    renew(&mut campus.engine(), &[ONE], false).0.unwrap();
}

#[test]
fn who_is_refused_keeps_nobody_else_from_the_next_certificate() {
    let campus = Campus::with_short_lives();
    let mut engine = campus.enrolled(&THREE);
    let other = scb_student::StudentHome::create(&campus.path("copy")).unwrap();
    let there = other.student_dir(&sid(ONE));
    fs::create_dir_all(there.parent().unwrap()).unwrap();
    copy(&campus.home().student_dir(&sid(ONE)), &there);
    let flags = format!("--ca CA --home {}", campus.path("copy").display());
    let mut elsewhere = campus.try_engine(&flags).unwrap();
    renew(&mut elsewhere, &[ONE], false).0.unwrap();
    let (result, events) = renew(&mut engine, &THREE, false);
    let error = result.unwrap_err();
    assert_eq!(error.refusals()[0].sid, Some(sid(ONE)));
    assert_eq!(code(Err::<(), _>(error)), "certificate_superseded");
    assert_eq!(events.len(), 2, "{events:?}");
}

#[test]
fn without_a_certificate_there_is_nothing_to_renew() {
    let campus = Campus::with_short_lives();
    let result = renew(&mut campus.engine(), &[ONE], false).0;
    assert!(matches!(result, Err(Error::NotEnrolled { .. })));
    assert_eq!(renew_due(&mut campus.engine()).1, Vec::<String>::new());
}
