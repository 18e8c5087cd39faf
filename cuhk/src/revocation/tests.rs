//! The contract of revocation and suspension.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use scb_certs::{Fingerprint, IssuerKind, Validity};

use super::*;
use crate::publication::RevokedCertificates;
use crate::store::{Intent, Profile, Student, issuer, temporary};

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(1_772_424_000 + seconds))
}

fn sid() -> StudentId {
    "1155000001".parse().unwrap()
}

fn subject() -> Subject {
    Subject::Student(sid())
}

fn enlist(records: &Records<'_>, sid: &str) {
    let student = Student {
        sid: sid.parse().unwrap(),
        name: "王小明".into(),
        email: String::new(),
        programme: String::new(),
        active: true,
    };
    records.roster().import(&student, at(0)).unwrap();
}

fn certify(records: &Records<'_>, subject: Subject, ends: u64) -> Serial {
    let serial = Serial::random().unwrap();
    let profile = match subject {
        Subject::Student(_) => Profile::Student,
        Subject::Service(_) => Profile::Service,
    };
    let intent = Intent {
        serial,
        subject,
        profile,
        public_key: Fingerprint::of(serial.as_bytes()),
        validity: Validity {
            not_before: at(0),
            not_after: at(ends),
        },
    };
    records.certificates().intend(&intent, at(0)).unwrap();
    serial
}

fn reason(records: &Records<'_>, serial: &Serial) -> Option<RevocationReason> {
    let found = records.certificates().find(serial).unwrap().unwrap();
    found.revocation.map(|revocation| revocation.reason)
}

/// How many certificates a list of students would name.
fn listed(records: &Records<'_>) -> usize {
    let revoked = RevokedCertificates::default().updated(records, at(0));
    let issuer = issuer(IssuerKind::Students);
    revoked.unwrap().listed_by(&issuer, at(0)).len()
}

fn with_records(job: impl FnOnce(&Records<'_>) + Send + 'static) {
    let (_dir, store) = temporary();
    store
        .write_blocking(|records| {
            enlist(records, sid().as_str());
            job(records);
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_suspension_holds_live_certificates_and_its_end_releases_them() {
    with_records(|records| {
        let live = certify(records, subject(), 1000);
        let ended = certify(records, subject(), 10);
        let other = certify(records, "1155000002".parse().unwrap(), 1000);
        let before = records.status().epoch().unwrap();
        let suspended = suspend(records, &sid(), at(20)).unwrap();
        assert_eq!((suspended.changed, suspended.certificates), (true, 1));
        assert!(records.status().epoch().unwrap() > before);
        assert!(!records.roster().find(&sid()).unwrap().unwrap().active);
        assert_eq!(
            reason(records, &live),
            Some(RevocationReason::CertificateHold)
        );
        assert_eq!(reason(records, &ended), None);
        assert_eq!(reason(records, &other), None);
        assert_eq!(listed(records), 1);

        let restored = restore(records, &sid(), at(30)).unwrap();
        assert_eq!((restored.changed, restored.certificates), (true, 1));
        assert!(records.roster().find(&sid()).unwrap().unwrap().active);
        assert_eq!(reason(records, &live), None);
        assert_eq!(listed(records), 0);
    });
}

#[test]
fn the_second_time_nothing_changes() {
    with_records(|records| {
        certify(records, subject(), 1000);
        for change in [suspend, restore] {
            let first = change(records, &sid(), at(20)).unwrap();
            let epoch = records.status().epoch().unwrap();
            let second = change(records, &sid(), at(30)).unwrap();
            assert!(first.changed);
            assert_eq!((second.changed, second.certificates), (false, 0));
            assert_eq!(records.status().epoch().unwrap(), epoch);
        }
    });
}

#[test]
fn refuses_to_suspend_or_restore_whom_the_roster_does_not_list() {
    with_records(|records| {
        let stranger = "1155000009".parse().unwrap();
        for change in [suspend, restore] {
            let refused = change(records, &stranger, at(20));
            assert!(matches!(refused, Err(Error::StudentUnknown(_))));
        }
    });
}

#[test]
fn a_restored_student_does_not_get_back_what_was_revoked() {
    with_records(|records| {
        let superseded = certify(records, subject(), 1000);
        let (superseded_target, later) = (Target::Certificate(superseded), at(5));
        revoke(
            records,
            &superseded_target,
            RevocationReason::Superseded,
            later,
        )
        .unwrap();
        let stolen = certify(records, subject(), 1000);
        let kept = certify(records, subject(), 1000);
        suspend(records, &sid(), at(20)).unwrap();
        let stolen_target = Target::Certificate(stolen);
        revoke(
            records,
            &stolen_target,
            RevocationReason::KeyCompromise,
            at(25),
        )
        .unwrap();
        let restored = restore(records, &sid(), at(30)).unwrap();
        assert_eq!(restored.certificates, 1);
        assert_eq!(
            reason(records, &superseded),
            Some(RevocationReason::Superseded)
        );
        assert_eq!(
            reason(records, &stolen),
            Some(RevocationReason::KeyCompromise)
        );
        assert_eq!(reason(records, &kept), None);
    });
}

#[test]
fn revoking_a_suspended_student_is_for_good_and_suspending_a_revoked_one_changes_no_reason() {
    with_records(|records| {
        let serial = certify(records, subject(), 1000);
        suspend(records, &sid(), at(20)).unwrap();
        let target = Target::Subject(subject());
        let revoked = revoke(
            records,
            &target,
            RevocationReason::PrivilegeWithdrawn,
            at(25),
        )
        .unwrap();
        assert_eq!(revoked.certificates, 1);
        assert_eq!(restore(records, &sid(), at(30)).unwrap().certificates, 0);
        assert_eq!(suspend(records, &sid(), at(35)).unwrap().certificates, 0);
        assert_eq!(
            reason(records, &serial),
            Some(RevocationReason::PrivilegeWithdrawn)
        );
    });
}

#[test]
fn a_name_means_a_student_or_a_certificate() {
    with_records(|records| {
        let serial = certify(records, subject(), 1000);
        let resolve = |text: &str| text.parse::<NamedTarget>().unwrap().resolve(records);
        assert_eq!(
            resolve("1155000001").unwrap(),
            Target::Subject(subject()),
            "though it is hexadecimal"
        );
        assert_eq!(
            resolve("service/blackboard").unwrap().to_string(),
            "service/blackboard"
        );
        let text = serial.to_string();
        let pairs: Vec<_> = text.as_bytes().chunks(2).collect();
        let by_openssl = String::from_utf8(pairs.join(&b':')).unwrap();
        let of_openssl = format!("serial/{by_openssl}");
        for name in [
            text.clone(),
            text.to_lowercase(),
            format!("serial/{text}"),
            by_openssl,
            of_openssl,
            format!("0x{text}"),
        ] {
            assert_eq!(resolve(&name).unwrap(), Target::Certificate(serial));
        }
    });
}

#[test]
fn refuses_a_name_that_means_two_things() {
    with_records(|records| {
        let serial = certify(records, subject(), 1000);
        let text = serial.to_string();
        enlist(records, &text);
        let resolve = |text: &str| text.parse::<NamedTarget>().unwrap().resolve(records);
        assert!(matches!(resolve(&text), Err(Error::TargetAmbiguous(_))));
        let student = resolve(&format!("student/{text}")).unwrap();
        assert_eq!(student, Target::Subject(text.parse().unwrap()));
        let certificate = resolve(&format!("serial/{text}")).unwrap();
        assert_eq!(certificate, Target::Certificate(serial));
    });
}

#[test]
fn refuses_to_revoke_a_certificate_that_was_never_issued() {
    with_records(|records| {
        let stray = Target::Certificate(Serial::random().unwrap());
        let refused = revoke(records, &stray, RevocationReason::Unspecified, at(1));
        assert_eq!(why(refused), NothingLeft::Unknown);
    });
}

fn why(refused: Result<Revoked, Error>) -> NothingLeft {
    match refused {
        Err(Error::NothingToRevoke { why, .. }) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_has_ended_of_a_student_is_revoked_for_every_reason() {
    for given in [
        RevocationReason::Unspecified,
        RevocationReason::AffiliationChanged,
        RevocationReason::Superseded,
        RevocationReason::CessationOfOperation,
        RevocationReason::PrivilegeWithdrawn,
        RevocationReason::KeyCompromise,
    ] {
        with_records(move |records| {
            let ended = certify(records, subject(), 10);
            let live = certify(records, subject(), 1000);
            let other = certify(records, "1155000002".parse().unwrap(), 10);
            let revoked = revoke(records, &Target::Subject(subject()), given, at(20)).unwrap();
            assert_eq!(revoked.certificates, 2);
            for serial in [&ended, &live] {
                assert_eq!(reason(records, serial), Some(given));
            }
            assert_eq!(reason(records, &other), None);
            let lists = RevokedCertificates::default().updated(records, at(20));
            let listed = lists
                .unwrap()
                .listed_by(&issuer(IssuerKind::Students), at(20));
            let listed: Vec<_> = listed.iter().map(|entry| entry.serial).collect();
            assert_eq!(listed, [live], "what has ended needs no list");
        });
    }
}

#[test]
fn a_device_is_revoked_with_all_that_came_before() {
    with_records(|records| {
        let (first, second) = (
            certify(records, subject(), 10),
            certify(records, subject(), 15),
        );
        let (last, other) = (
            certify(records, subject(), 1000),
            certify(records, subject(), 10),
        );
        records.renewals().succeed(&first, &second).unwrap();
        records.renewals().succeed(&second, &last).unwrap();
        let why = RevocationReason::Superseded;
        let revoked = revoke(records, &Target::Certificate(last), why, at(20)).unwrap();
        assert_eq!(revoked.certificates, 3);
        assert_eq!(reason(records, &other), None, "another device");
    });
}

#[test]
fn what_cannot_be_revoked_is_told_apart() {
    with_records(|records| {
        let reason = RevocationReason::Superseded;
        let all = Target::Subject(subject());
        let try_again = |now| why(revoke(records, &all, reason, at(now)));
        let stranger = Target::Subject("1155000009".parse().unwrap());
        let unknown = why(revoke(records, &stranger, reason, at(1)));
        assert_eq!(unknown, NothingLeft::Unknown, "not on the roster");
        assert_eq!(try_again(1), NothingLeft::Never);
        let service: Subject = "service/blackboard".parse().unwrap();
        certify(records, service.clone(), 10);
        let ended = why(revoke(records, &Target::Subject(service), reason, at(11)));
        assert_eq!(ended, NothingLeft::Ended(at(10)), "nothing renews it");
        let serial = certify(records, subject(), 1000);
        revoke(records, &all, reason, at(5)).unwrap();
        for target in [&all, &Target::Certificate(serial)] {
            let NothingLeft::Revoked(before) = why(revoke(records, target, reason, at(6))) else {
                panic!("it was revoked");
            };
            assert_eq!((before.at, before.reason), (at(5), reason));
        }
    });
}
