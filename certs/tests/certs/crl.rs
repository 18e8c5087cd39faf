//! Revocation lists: what they say, and that nothing is accepted without a valid one.

use der::{Decode, Encode};
use scb_certs::CertificateError as Refused;
use scb_certs::{Crl, Error, RevocationReason, RevokedEntry, Root, Serial};
use x509_cert::crl::CertificateList;

use crate::campus::{
    Campus, days_ago, in_days, new_key, now, seconds, swap_neighbours, two_part_name,
};

#[test]
fn a_list_says_what_it_was_made_of() {
    let campus = Campus::new();
    let (revoked, other) = (campus.student("1155000001"), campus.student("1155000002"));
    let entry = RevokedEntry {
        serial: revoked.leaf().serial(),
        revoked_at: now(),
        reason: RevocationReason::Unspecified,
        invalid_since: None,
    };
    let crl = campus
        .students
        .sign_crl(u64::MAX, now(), in_days(1), &[entry])
        .unwrap();
    assert_eq!(crl.number(), u64::MAX);
    assert_eq!((crl.this_update(), crl.next_update()), (now(), in_days(1)));
    assert!(crl.contains(&revoked.leaf().serial()));
    assert!(!crl.contains(&other.leaf().serial()));
    let again = Crl::from_pem(&crl.to_pem()).unwrap();
    assert_eq!(again.der(), crl.der());
    assert!(again.contains(&revoked.leaf().serial()));
    assert!(!format!("{crl:?}").contains(&revoked.leaf().serial().to_string()));
}

#[test]
fn a_list_says_when_and_why_of_what_it_lists_and_of_nothing_else() {
    let campus = Campus::new();
    let other = campus.student("1155000002").leaf().serial();
    for reason in [
        RevocationReason::Unspecified,
        RevocationReason::KeyCompromise,
        RevocationReason::AffiliationChanged,
        RevocationReason::Superseded,
        RevocationReason::CessationOfOperation,
        RevocationReason::CertificateHold,
        RevocationReason::PrivilegeWithdrawn,
    ] {
        let serial = campus.student("1155000001").leaf().serial();
        let entry = RevokedEntry {
            serial,
            revoked_at: days_ago(3),
            reason,
            invalid_since: None,
        };
        let sign = campus.students.sign_crl(1, now(), in_days(1), &[entry]);
        let crl = sign.unwrap();
        assert_eq!(crl.revocation(&serial), Some((days_ago(3), reason)));
        assert_eq!(crl.revocation(&other), None);
    }
}

#[test]
fn refuses_a_list_that_ends_before_it_begins() {
    let campus = Campus::new();
    assert!(matches!(
        campus.students.sign_crl(1, now(), now(), &[]),
        Err(Error::Issuing(_))
    ));
}

#[test]
fn only_its_issuer_verifies_a_list() {
    let campus = Campus::new();
    let crl = campus.students_crl(&[]);
    assert!(crl.verify(campus.students.certificate()).is_ok());
    for other in [campus.root.certificate(), campus.services.certificate()] {
        assert!(matches!(crl.verify(other), Err(Error::BadSignature)));
    }
    let mut altered = crl.der().to_vec();
    *altered.last_mut().unwrap() ^= 1;
    let altered = Crl::from_der(&altered).unwrap();
    assert!(matches!(
        altered.verify(campus.students.certificate()),
        Err(Error::BadSignature)
    ));
}

/// The same key under another name: the signature matches, but the list is not that one's.
#[test]
fn another_name_with_the_same_key_is_not_its_issuer() {
    let campus = Campus::new();
    let domain = "other.example".parse().unwrap();
    let renamed = Root::create(&domain, campus.root.key().clone(), now()).unwrap();
    let crl = campus.root_crl(&[]);
    assert!(crl.verify(campus.root.certificate()).is_ok());
    assert!(matches!(
        crl.verify(renamed.certificate()),
        Err(Error::BadSignature)
    ));
}

#[test]
fn refuses_a_list_that_is_not_in_der() {
    let (name, [first, second]) = two_part_name();
    let mut list = CertificateList::from_der(Campus::new().root_crl(&[]).der()).unwrap();
    list.tbs_cert_list.issuer = name;
    let mut der = list.to_der().unwrap();
    assert!(Crl::from_der(&der).is_ok());
    swap_neighbours(&mut der, &first, &second);
    assert!(CertificateList::from_der(&der).is_ok());
    assert!(matches!(
        Crl::from_der(&der),
        Err(Error::CrlMalformed("not in DER"))
    ));
}

#[test]
fn refuses_trailing_bytes_and_what_is_no_list() {
    let campus = Campus::new();
    let mut der = campus.students_crl(&[]).der().to_vec();
    der.push(0);
    assert!(matches!(Crl::from_der(&der), Err(Error::CrlMalformed(_))));
    let certificate = campus.root.certificate();
    assert!(matches!(
        Crl::from_der(certificate.der()),
        Err(Error::CrlMalformed(_))
    ));
    assert!(matches!(
        Crl::from_pem(&certificate.to_pem()),
        Err(Error::CrlMalformed(_))
    ));
}

#[test]
fn refuses_when_a_list_is_missing() {
    let campus = Campus::new();
    let holder = campus.student("1155000001");
    for crls in [
        vec![],
        vec![campus.root_crl(&[])],
        vec![campus.students_crl(&[])],
        vec![campus.root_crl(&[]), campus.services_crl(&[])],
    ] {
        let trust = campus.trust().with_crls(crls).unwrap();
        let refusal = trust.verify_student(&holder.chain, now()).unwrap_err();
        assert_eq!(refusal, Refused::CrlUnavailable);
    }
}

/// As where it was put back from a backup of before it made that authority.
#[test]
fn whoever_knows_every_authority_misses_no_list_of_another() {
    let campus = Campus::new();
    let holder = campus.student("1155000001");
    let services = campus.services.certificate().clone();
    let students = campus.students.certificate().clone();
    let lists = vec![campus.root_crl(&[]), campus.services_crl(&[])];
    let trust = campus.trust().with_crls(lists).unwrap();
    let knowing = |known: Vec<_>| trust.clone().with_issuers(known);
    for (trust, expected) in [
        (knowing(vec![services.clone()]), Refused::CrlUnavailable),
        (
            knowing(vec![services.clone()]).knowing_every_issuer(),
            Refused::UnknownIssuer,
        ),
        (
            knowing(vec![services, students]).knowing_every_issuer(),
            Refused::CrlUnavailable,
        ),
    ] {
        let refusal = trust.verify_student(&holder.chain, now()).unwrap_err();
        assert_eq!(refusal, expected);
    }
}

#[test]
fn refuses_when_a_list_has_expired() {
    let campus = Campus::new();
    let holder = campus.student("1155000001");
    let trust = campus.strict_trust();
    let last_second = seconds(in_days(1).as_secs() - 1);
    assert!(trust.verify_student(&holder.chain, last_second).is_ok());
    let refusal = trust.verify_student(&holder.chain, in_days(1)).unwrap_err();
    assert_eq!(refusal, Refused::CrlExpired);
}

#[test]
fn refuses_when_the_root_s_list_has_expired() {
    let campus = Campus::new();
    let holder = campus.student("1155000001");
    let old = campus
        .root
        .sign_crl(1, days_ago(2), days_ago(1), &[])
        .unwrap();
    let trust = campus
        .trust()
        .with_crls(vec![old, campus.students_crl(&[])])
        .unwrap();
    let refusal = trust.verify_student(&holder.chain, now()).unwrap_err();
    assert_eq!(refusal, Refused::CrlExpired);
}

#[test]
fn refuses_a_forged_list() {
    let campus = Campus::new();
    let holder = campus.student("1155000001");
    let forged = forged_crl(&campus);
    assert!(forged.verify(campus.students.certificate()).is_err());
    let trust = campus
        .trust()
        .with_crls(vec![campus.root_crl(&[]), forged])
        .unwrap();
    let refusal = trust.verify_student(&holder.chain, now()).unwrap_err();
    assert_eq!(refusal, Refused::CrlUnavailable);
}

#[test]
fn refuses_a_list_that_is_not_the_root_s_though_it_says_so() {
    let campus = Campus::new();
    let mut altered = campus.root_crl(&[]).der().to_vec();
    *altered.last_mut().unwrap() ^= 1;
    let altered = Crl::from_der(&altered).unwrap();
    let refusal = campus.trust().with_crls(vec![altered]).unwrap_err();
    assert!(matches!(refusal, Error::BadSignature));
}

#[test]
fn the_newest_list_of_an_issuer_counts() {
    let campus = Campus::new();
    let holder = campus.student("1155000001");
    let entry = RevokedEntry {
        serial: holder.leaf().serial(),
        revoked_at: now(),
        reason: RevocationReason::CessationOfOperation,
        invalid_since: None,
    };
    let newer = campus
        .students
        .sign_crl(2, now(), in_days(1), &[entry])
        .unwrap();
    let crls = vec![campus.root_crl(&[]), campus.students_crl(&[]), newer];
    let trust = campus.trust().with_crls(crls).unwrap();
    let refusal = trust.verify_student(&holder.chain, now()).unwrap_err();
    assert_eq!(refusal, Refused::Revoked);
}

/// Only who is on hold now is told so: not whoever was, and not whoever's issuer is revoked.
#[test]
fn a_hold_is_told_from_a_revocation_by_the_newest_list() {
    let campus = Campus::new();
    let holder = campus.student("1155000001");
    let list = |number, reason| {
        let serial = holder.leaf().serial();
        let entry = RevokedEntry {
            serial,
            revoked_at: now(),
            reason,
            invalid_since: None,
        };
        let students = &campus.students;
        students.sign_crl(number, now(), in_days(1), &[entry])
    };
    let refusal = |list: Crl| {
        let lists = vec![
            campus.root_crl(&[]),
            list,
            campus.students_crl(&[holder.leaf()]),
        ];
        let trust = campus.trust().with_crls(lists).unwrap();
        trust.verify_student(&holder.chain, now()).unwrap_err()
    };
    let held = list(2, RevocationReason::CertificateHold).unwrap();
    assert!(held.contains(&holder.leaf().serial()) && held.holds(&holder.leaf().serial()));
    assert_eq!(refusal(held.clone()), Refused::OnHold);
    let revoked = list(2, RevocationReason::KeyCompromise).unwrap();
    assert!(!revoked.holds(&holder.leaf().serial()));
    assert_eq!(refusal(revoked), Refused::Revoked);

    let root = campus.root_crl(&[campus.students.certificate()]);
    let other = campus.student("1155000002");
    let trust = campus.trust().with_crls(vec![root, held]).unwrap();
    let refusal = trust.verify_student(&other.chain, now()).unwrap_err();
    assert_eq!(refusal, Refused::Revoked);
}

/// Also serial numbers of others, whose encoding needs a zero in front. Whoever signs a list keeps it without
/// decoding it: it says the same to whoever gets it.
#[test]
fn lists_many_serial_numbers() {
    let campus = Campus::new();
    let foreign = [&[0x80][..], &[0xff; 19], &[0x7f; 20], &[1], &[1, 0]];
    let foreign = foreign.map(|bytes| Serial::from_bytes(bytes).unwrap());
    let own = (0..5000).map(|_| Serial::random().unwrap());
    let reasons = RevocationReason::ALL.into_iter().cycle();
    let entries: Vec<_> = own
        .chain(foreign)
        .zip(reasons)
        .map(|(serial, reason)| RevokedEntry {
            serial,
            revoked_at: days_ago(u64::from(serial.as_bytes()[1])),
            reason,
            invalid_since: None,
        })
        .collect();
    let students = &campus.students;
    let crl = students.sign_crl(7, now(), in_days(1), &entries).unwrap();
    let received = Crl::from_der(crl.der()).unwrap();
    for crl in [&crl, &received] {
        for RevokedEntry {
            serial,
            revoked_at,
            reason,
            ..
        } in &entries
        {
            assert!(crl.contains(serial));
            assert_eq!(crl.revocation(serial), Some((*revoked_at, *reason)));
            let is_held = *reason == RevocationReason::CertificateHold;
            assert_eq!(crl.holds(serial), is_held);
        }
        assert!(!crl.contains(&Serial::random().unwrap()));
        assert_eq!(
            (crl.number(), crl.this_update(), crl.next_update()),
            (7, now(), in_days(1))
        );
        assert_eq!(
            Some(crl.issuer_key_id()),
            students.certificate().subject_key_id()
        );
        assert!(crl.verify(students.certificate()).is_ok());
    }
    assert_eq!(format!("{crl:?}"), format!("{received:?}"));
}

#[test]
fn reasons_have_names() {
    let reason: RevocationReason = "key_compromise".parse().unwrap();
    assert_eq!(reason, RevocationReason::KeyCompromise);
    assert_eq!(
        serde_json::to_string(&reason).unwrap(),
        "\"key_compromise\""
    );
    assert!("keyCompromise".parse::<RevocationReason>().is_err());
}

/// A list in the name of `students`, with its key identifier, signed by another key.
fn forged_crl(campus: &Campus) -> Crl {
    let der = campus.students.certificate().to_rustls();
    let key = new_key();
    let issuer = rcgen::Issuer::from_ca_cert_der(&der, &key).unwrap();
    let forged = rcgen::CertificateRevocationListParams {
        this_update: crate::campus::date(now().as_secs()),
        next_update: crate::campus::date(in_days(1).as_secs()),
        crl_number: rcgen::SerialNumber::from(9_u64),
        issuing_distribution_point: None,
        revoked_certs: Vec::new(),
        key_identifier_method: rcgen::KeyIdMethod::PreSpecified(
            campus.students_crl(&[]).issuer_key_id().to_vec(),
        ),
    };
    Crl::from_der(forged.signed_by(&issuer).unwrap().der()).unwrap()
}
