//! Step 3: the members' certificates, each wrong in one thing.

use scb_certs::IssuerKind;
use scb_protocol::{Code, Step};
use scb_testkit::{Forge, Purpose, TestCampus, TestIdentity};

use crate::support::{Group, Side, THREE, name, token};

/// A certificate of the second member that must be refused, with the code.
fn wrong_certificates(campus: &TestCampus) -> Vec<(&'static str, Code, TestIdentity)> {
    let right = campus.student(THREE[1]);
    let uri = name("student/1155000002").to_string();
    let service = name("service/blackboard").to_string();
    let [client, document] = [Purpose::ClientAuth, Forge::document_signing()];
    let forge = || campus.forge().uris(&[&uri]);
    vec![
        (
            "expired",
            Code::CertificateExpired,
            campus.student_valid(THREE[1], &campus.expired()),
        ),
        (
            "future",
            Code::CertificateNotYetValid,
            campus.student_valid(THREE[1], &campus.future()),
        ),
        (
            "bad signature",
            Code::CertificateBadSignature,
            right.with_bad_signature(),
        ),
        (
            "another CA",
            Code::CertificateUnknownIssuer,
            TestCampus::named("other.test", campus.clock().clone()).student(THREE[1]),
        ),
        (
            "a CA of the same name",
            Code::CertificateIssuerNamesake,
            TestCampus::new().student(THREE[1]),
        ),
        (
            "self-signed",
            Code::CertificateSelfSigned,
            forge().self_signed().build(),
        ),
        (
            "signed by a student",
            Code::CertificateIssuerNotCa,
            forge().signed_by(&right).build(),
        ),
        (
            "no usage",
            Code::CertificateNoUsage,
            forge().purposes(&[]).build(),
        ),
        (
            "any usage",
            Code::CertificateAnyUsage,
            forge().purposes(&[Purpose::Any]).build(),
        ),
        (
            "server only",
            Code::CertificateWrongUsage,
            forge().purposes(&[Purpose::ServerAuth]).build(),
        ),
        (
            "one usage fewer",
            Code::CertificateWrongUsage,
            forge().purposes(&[client]).build(),
        ),
        ("a CA", Code::CertificateWrongUsage, forge().ca().build()),
        (
            "a service",
            Code::CertificateWrongRole,
            campus.service("blackboard"),
        ),
        (
            "the services' issuer",
            Code::CertificateWrongIssuer,
            forge()
                .purposes(&[Purpose::ClientAuth, document])
                .issued_by(IssuerKind::Services)
                .build(),
        ),
        (
            "a service by the students' issuer",
            Code::CertificateWrongIssuer,
            forge().uris(&[&service]).build(),
        ),
        (
            "another student",
            Code::CertificateWrongRole,
            campus.student("1155000099"),
        ),
        (
            "two names",
            Code::CertificateNameAmbiguous,
            forge().uris(&[&uri, &service]).build(),
        ),
        (
            "no name",
            Code::CertificateInvalid,
            forge().uris(&[]).build(),
        ),
        (
            "another domain",
            Code::CertificateInvalid,
            forge()
                .uris(&["spiffe://other.test/student/1155000002"])
                .build(),
        ),
    ]
}

/// The group of two whose second member has this certificate and everything else in order.
fn with_second<'a>(campus: &'a TestCampus, second: &TestIdentity) -> Group<'a> {
    let mut group = Group::of(campus, &THREE[..2]);
    group.members[1].chain = second.chain.clone();
    group.members[1].key = second.key.clone();
    if second.leaf().spiffe_id().is_ok() {
        group.members[1].token = token(campus, &group.cuhk, second);
    }
    group
}

#[test]
fn refuses_every_wrong_certificate() {
    let campus = TestCampus::new();
    for (what, code, wrong) in wrong_certificates(&campus) {
        let refused = with_second(&campus, &wrong).run().refused(what);
        let refusal = refused.is(what, Side::Server, Step::Three, code);
        assert_eq!(refusal.sid, Some(THREE[1].parse().unwrap()), "{what}");
    }
    let right = campus.student(THREE[1]);
    with_second(&campus, &right).run().go().unwrap();
    let forged_right = campus
        .forge()
        .uris(&["spiffe://campus.test/student/1155000002"]);
    let group = with_second(&campus, &forged_right.build());
    group.run().go().unwrap();
}

#[test]
fn refuses_a_revoked_member_and_a_stale_revocation_list() {
    let campus = TestCampus::new();
    let mut group = Group::of(&campus, &THREE);
    group.trust = campus.trust_revoking(&[group.members[2].chain.leaf()]);
    let refused = group.run().refused("revoked");
    let code = Code::CertificateRevoked;
    refused.is("revoked", Side::Server, Step::Three, code);

    group.trust = campus.trust();
    campus
        .clock()
        .advance(std::time::Duration::from_secs(25 * 3600));
    let refused = group.run().refused("stale");
    let code = Code::StatusUnavailable;
    let refusal = refused.is("stale", Side::Server, Step::Three, code);
    assert!(!code.is_about_certificate(), "{refusal}");
    assert_eq!(refusal.retry_after, Some(60));
}

#[test]
fn refuses_a_whole_group_from_a_ca_of_the_same_name() {
    let (campus, impostor) = (TestCampus::new(), TestCampus::new());
    let mut group = Group::of(&impostor, &THREE);
    group.trust = campus.trust();
    let refused = group.run().refused("impostors");
    let code = Code::CertificateIssuerNamesake;
    refused.is("impostors", Side::Server, Step::Three, code);
}
