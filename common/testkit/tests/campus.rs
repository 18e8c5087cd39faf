//! What the campus certifies is accepted, and what it forges is refused for its one fault.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use scb_certs::{CertificateError, Chain, IssuerKind, ServiceName, ServiceUsage};
use scb_testkit::{Forge, Purpose, TestCampus};

const STUDENT: &str = "spiffe://campus.test/student/1155000001";
const SERVICE: &str = "spiffe://campus.test/service/blackboard";

fn verdict(campus: &TestCampus, chain: &Chain) -> Result<(), CertificateError> {
    campus
        .trust()
        .verify_any_client(chain, campus.now())
        .map(drop)
}

#[test]
fn students_services_and_token_signers_verify() {
    let campus = TestCampus::new();
    let trust = campus.trust();
    let student = trust.verify_student(&campus.student("1155000001").chain, campus.now());
    assert_eq!(student.unwrap().sid().to_string(), "1155000001");
    let service = campus.service("blackboard");
    for usage in [ServiceUsage::Server, ServiceUsage::Client] {
        let name = ServiceName::blackboard();
        trust
            .verify_service(&service.chain, &name, usage, campus.now())
            .unwrap();
    }
    let signer = campus.token_signer();
    let name = ServiceName::cuhk();
    trust
        .verify_service(&signer.chain, &name, ServiceUsage::Token, campus.now())
        .unwrap();
}

#[test]
fn an_unchanged_forgery_verifies_so_that_each_fault_is_the_only_one() {
    let campus = TestCampus::new();
    assert_eq!(verdict(&campus, &campus.forge().build().chain), Ok(()));
    let service = campus
        .forge()
        .uris(&[SERVICE])
        .issued_by(IssuerKind::Services);
    let service = service
        .purposes(&[Purpose::ServerAuth, Purpose::ClientAuth])
        .build();
    assert_eq!(verdict(&campus, &service.chain), Ok(()));
}

#[test]
fn expired_future_and_revoked_certificates_are_refused() {
    let campus = TestCampus::new();
    let expired = campus.student_valid("1155000001", &campus.expired());
    assert_eq!(
        verdict(&campus, &expired.chain),
        Err(CertificateError::Expired)
    );
    let future = campus.student_valid("1155000001", &campus.future());
    assert_eq!(
        verdict(&campus, &future.chain),
        Err(CertificateError::NotYetValid)
    );
    let revoked = campus.student("1155000001");
    let trust = campus.trust_revoking(&[revoked.leaf()]);
    let verdict = trust.verify_student(&revoked.chain, campus.now()).map(drop);
    assert_eq!(verdict, Err(CertificateError::Revoked));
}

#[test]
fn every_forgery_is_refused() {
    let campus = TestCampus::new();
    let somebody = campus.student("1155000002");
    let client = Purpose::ClientAuth;
    let document = Forge::document_signing();
    let forgeries = [
        ("self-signed", campus.forge().self_signed()),
        ("signed by a student", campus.forge().signed_by(&somebody)),
        ("no usage", campus.forge().purposes(&[])),
        ("any usage", campus.forge().purposes(&[Purpose::Any])),
        (
            "server only",
            campus.forge().purposes(&[Purpose::ServerAuth]),
        ),
        (
            "one usage more",
            campus
                .forge()
                .purposes(&[client, document, Purpose::EmailProtection]),
        ),
        ("a CA", campus.forge().ca()),
        (
            "other key",
            campus
                .forge()
                .signed_in_the_name_of(IssuerKind::Students, &somebody.key),
        ),
        ("two names", campus.forge().uris(&[STUDENT, SERVICE])),
        ("no name", campus.forge().uris(&[])),
        (
            "other issuer",
            campus.forge().issued_by(IssuerKind::Services),
        ),
        (
            "other domain",
            campus
                .forge()
                .uris(&["spiffe://other.test/student/1155000001"]),
        ),
    ];
    for (fault, forgery) in forgeries {
        assert!(verdict(&campus, &forgery.build().chain).is_err(), "{fault}");
    }
    let altered = somebody.with_bad_signature();
    assert_eq!(
        verdict(&campus, &altered.chain),
        Err(CertificateError::BadSignature)
    );
}

#[test]
fn a_second_campus_is_an_impostor_of_the_first() {
    let (campus, impostor) = (TestCampus::new(), TestCampus::new());
    assert_ne!(campus.root_fingerprint(), impostor.root_fingerprint());
    assert!(verdict(&campus, &impostor.student("1155000001").chain).is_err());
}

#[test]
fn crls_expire_with_the_clock() {
    let campus = TestCampus::new();
    let student = campus.student("1155000001");
    let trust = campus.trust();
    campus.clock().advance(Duration::from_secs(25 * 3600));
    let verdict = trust.verify_student(&student.chain, campus.now()).map(drop);
    assert_eq!(verdict, Err(CertificateError::CrlExpired));
}

#[test]
fn a_leaf_alone_is_completed_by_an_authority_that_is_known_and_by_no_other() {
    let campus = TestCampus::new();
    let (students, services) = (IssuerKind::Students, IssuerKind::Services);
    let known = [students, services].map(|kind| campus.issuer(kind).certificate().clone());
    let knowing = campus.trust().as_ref().clone().with_issuers(known.to_vec());
    let leaf = campus.student("1155000001").chain.leaf().clone();
    let verdict = |presented: Vec<_>| {
        let chain = knowing.chain_of(presented).unwrap();
        knowing.verify_any_client(&chain, campus.now()).map(drop)
    };
    let [own, other] = known.clone();
    for presented in [
        vec![leaf.clone()],
        vec![leaf.clone(), own.clone()],
        vec![leaf.clone(), other.clone(), own.clone()],
        vec![
            leaf.clone(),
            own,
            other,
            campus.root().certificate().clone(),
        ],
    ] {
        assert_eq!(verdict(presented), Ok(()));
    }
    // Whoever knows no authorities takes only what is shown; a stranger's leaf stays a stranger's,
    // and so does one that names ours and is signed by another.
    let alone = campus.trust().chain_of(vec![leaf]).unwrap();
    let refused = campus.trust().verify_any_client(&alone, campus.now());
    assert_eq!(refused.map(drop), Err(CertificateError::UnknownIssuer));
    let stranger = TestCampus::new().student("1155000001").chain;
    assert!(verdict(stranger.certificates().to_vec()).is_err());
    assert!(verdict(vec![stranger.leaf().clone()]).is_err());
    assert_eq!(
        knowing.chain_of(Vec::new()).unwrap_err().to_string(),
        Chain::new(Vec::new()).unwrap_err().to_string()
    );
}
