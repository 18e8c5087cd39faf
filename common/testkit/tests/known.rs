//! What a trust store has verified once it need not verify again, and yet nothing that has ended,
//! was revoked or is something else gets through on the strength of that.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use scb_certs::{CertificateError, Chain, IssuerKind, ServiceName, ServiceUsage, TrustStore};
use scb_testkit::{TestCampus, TestIdentity};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A campus, a student, and a trust store that has just accepted the student.
struct Known {
    campus: TestCampus,
    student: TestIdentity,
    trust: TrustStore,
}

impl Known {
    fn with(crls: bool) -> Self {
        let campus = TestCampus::new();
        let student = campus.student("1155000001");
        let trust = match crls {
            true => campus.trust(),
            false => campus.trust_without_crls(),
        };
        let trust = TrustStore::clone(&trust);
        let known = Self {
            campus,
            student,
            trust,
        };
        known.verify().unwrap();
        known
    }

    fn verify(&self) -> Result<(), CertificateError> {
        self.judge(&self.student.chain)
    }

    fn judge(&self, chain: &Chain) -> Result<(), CertificateError> {
        self.trust
            .verify_student(chain, self.campus.now())
            .map(drop)
    }
}

#[test]
fn a_known_certificate_verifies_until_it_ends_and_no_longer() {
    let known = Known::with(false);
    let (clock, end) = (known.campus.clock(), known.student.leaf().not_after());
    clock.set(end);
    assert_eq!(known.verify(), Ok(()));
    clock.advance(Duration::from_secs(1));
    assert_eq!(known.verify(), Err(CertificateError::Expired));
    clock.rewind(60 * DAY);
    assert_eq!(known.verify(), Err(CertificateError::NotYetValid));
    clock.set(known.student.leaf().not_before());
    assert_eq!(known.verify(), Ok(()));
}

#[test]
fn a_known_certificate_is_refused_once_a_list_has_ended() {
    let known = Known::with(true);
    known.campus.clock().advance(DAY - Duration::from_secs(1));
    assert_eq!(known.verify(), Ok(()));
    known.campus.clock().advance(Duration::from_secs(1));
    assert_eq!(known.verify(), Err(CertificateError::CrlExpired));
}

#[test]
fn a_known_certificate_is_refused_by_the_next_lists() {
    let mut known = Known::with(true);
    let lists = known.campus.crls(2, &[known.student.leaf()]);
    known.trust = known.trust.with_crls(lists).unwrap();
    assert_eq!(known.verify(), Err(CertificateError::Revoked));
}

#[test]
fn knowing_one_certificate_helps_no_other() {
    let known = Known::with(true);
    let campus = &known.campus;
    let other = campus.student("1155000002");
    let altered = known.student.with_bad_signature();
    assert_eq!(
        known.judge(&altered.chain),
        Err(CertificateError::BadSignature)
    );
    let services = campus.issuer(IssuerKind::Services).certificate().clone();
    let under_services = Chain::new(vec![known.student.leaf().clone(), services]).unwrap();
    assert!(known.judge(&under_services).is_err());
    let impostor = TestCampus::new();
    let foreign = impostor.student("1155000001");
    assert!(known.judge(&foreign.chain).is_err());
    assert_eq!(known.judge(&other.chain), Ok(()));
}

#[test]
fn knowing_a_certificate_for_one_usage_helps_no_other() {
    let known = Known::with(true);
    let (service, now) = (known.campus.service("blackboard"), known.campus.now());
    let judge = |usage| {
        known
            .trust
            .verify_service(&service.chain, &ServiceName::blackboard(), usage, now)
            .map(drop)
    };
    assert_eq!(judge(ServiceUsage::Client), Ok(()));
    assert_eq!(
        judge(ServiceUsage::Token),
        Err(CertificateError::WrongUsage)
    );
    assert_eq!(judge(ServiceUsage::Server), Ok(()));
    let as_cuhk = known.trust.verify_service(
        &service.chain,
        &ServiceName::cuhk(),
        ServiceUsage::Server,
        now,
    );
    assert!(matches!(as_cuhk, Err(CertificateError::WrongName { .. })));
    let as_student = known.trust.verify_student(&service.chain, now).map(drop);
    assert!(matches!(
        as_student,
        Err(CertificateError::WrongRole { .. })
    ));
}

#[test]
fn refusals_are_not_remembered() {
    let known = Known::with(true);
    let foreign = TestCampus::new().student("1155000001");
    for _ in 0..3 {
        assert!(known.judge(&foreign.chain).is_err());
        assert_eq!(known.verify(), Ok(()));
    }
    assert!(format!("{:?}", known.trust).contains("KnownPaths(1)"));
}
