//! Certificates that a genuine issuer signed though they are not of its profile.

use rcgen::{BasicConstraints, CustomExtension, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose};
use scb_certs::CertificateError as Refused;
use scb_certs::{IssuerKind, ServiceName, ServiceUsage, SigningKey, examine_client};

use crate::campus::{Campus, Holder, forge_with, now, purpose, uri};
use crate::refusal::{authority_parameters, blackboard_refusal, student_refusal};

const SERVER_AUTH: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 3, 1];
const CODE_SIGNING: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 3, 3];

#[test]
fn refuses_key_usages_that_are_not_exactly_the_profile_s() {
    let campus = Campus::new();
    let own = campus.student_parameters().extended_key_usages;
    let with = |more: ExtendedKeyUsagePurpose| [own.clone(), vec![more]].concat();
    for (purposes, expected) in [
        (vec![], Refused::NoUsage),
        (vec![purpose(SERVER_AUTH)], Refused::WrongUsage),
        (vec![ExtendedKeyUsagePurpose::Any], Refused::AnyUsage),
        (vec![own[0].clone()], Refused::WrongUsage),
        (vec![own[1].clone()], Refused::WrongUsage),
        (with(purpose(SERVER_AUTH)), Refused::WrongUsage),
        (with(purpose(CODE_SIGNING)), Refused::WrongUsage),
        (with(ExtendedKeyUsagePurpose::Any), Refused::AnyUsage),
        (with(own[0].clone()), Refused::WrongUsage),
    ] {
        let mut parameters = campus.student_parameters();
        parameters.extended_key_usages = purposes.clone();
        let holder = campus.forge(IssuerKind::Students, &parameters);
        assert_eq!(student_refusal(&campus, &holder), expected, "{purposes:?}");
    }
    for usages in [
        vec![],
        vec![KeyUsagePurpose::KeyAgreement],
        vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::KeyCertSign,
        ],
        vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::ContentCommitment,
        ],
    ] {
        let mut parameters = campus.student_parameters();
        parameters.key_usages = usages.clone();
        let holder = campus.forge(IssuerKind::Students, &parameters);
        assert_eq!(
            student_refusal(&campus, &holder),
            Refused::WrongUsage,
            "{usages:?}"
        );
    }
}

#[test]
fn refuses_a_leaf_that_is_an_authority() {
    let campus = Campus::new();
    let mut parameters = campus.student_parameters();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let holder = campus.forge(IssuerKind::Students, &parameters);
    assert_eq!(student_refusal(&campus, &holder), Refused::WrongUsage);
}

#[test]
fn refuses_an_issuer_of_no_known_kind() {
    let campus = Campus::new();
    for purposes in [
        vec![],
        campus.service_parameters().extended_key_usages,
        [
            campus.student_parameters().extended_key_usages,
            vec![purpose(CODE_SIGNING)],
        ]
        .concat(),
    ] {
        let mut parameters = authority_parameters(&campus, 0);
        parameters
            .distinguished_name
            .push(rcgen::DnType::CommonName, "third kind");
        parameters.extended_key_usages = purposes;
        let root = &campus.root;
        let issuer = forge_with(root.certificate(), root.key(), &parameters);
        let holder = forge_with(issuer.leaf(), &issuer.key, &campus.student_parameters());
        let refusal = campus
            .trust()
            .verify_student(&holder.chain, now())
            .unwrap_err();
        assert_eq!(refusal, Refused::WrongUsage);
    }
}

#[test]
fn refuses_an_issuer_with_other_key_usages_or_of_another_trust_domain() {
    let campus = Campus::new();
    let mut genuine = authority_parameters(&campus, 0);
    genuine
        .distinguished_name
        .push(rcgen::DnType::CommonName, "students");
    genuine.extended_key_usages = campus.student_parameters().extended_key_usages;
    let mut no_crl_sign = genuine.clone();
    no_crl_sign.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let mut more_usages = genuine.clone();
    more_usages
        .key_usages
        .push(KeyUsagePurpose::DigitalSignature);
    let mut foreign = genuine.clone();
    foreign.subject_alt_names = vec![uri("spiffe://other.example")];
    let mut a_service = genuine.clone();
    a_service.subject_alt_names = vec![uri("spiffe://cuhk.example/service/cuhk")];
    for (parameters, expected) in [
        (genuine, None),
        (no_crl_sign, Some(Refused::WrongUsage)),
        (more_usages, Some(Refused::WrongUsage)),
        (foreign, Some(Refused::NameInvalid)),
        (a_service, Some(Refused::NameInvalid)),
    ] {
        let root = &campus.root;
        let issuer = forge_with(root.certificate(), root.key(), &parameters);
        let holder = forge_with(issuer.leaf(), &issuer.key, &campus.student_parameters());
        let refusal = campus.trust().verify_student(&holder.chain, now()).err();
        assert_eq!(refusal, expected);
    }
}

#[test]
fn refuses_two_names_no_name_and_names_of_another_form() {
    let campus = Campus::new();
    let own = uri("spiffe://cuhk.example/student/1155000001");
    for two in [
        vec![own.clone(), uri("spiffe://cuhk.example/student/1155000002")],
        vec![own.clone(), own],
    ] {
        let mut parameters = campus.student_parameters();
        parameters.subject_alt_names = two.clone();
        let holder = campus.forge(IssuerKind::Students, &parameters);
        let refusal = student_refusal(&campus, &holder);
        assert_eq!(refusal, Refused::NameAmbiguous, "{two:?}");
    }
    for names in [
        vec![],
        vec![uri("spiffe://cuhk.example/teacher/1")],
        vec![uri("spiffe://cuhk.example")],
        vec![uri("https://cuhk.example/student/1155000001")],
        vec![uri("spiffe://cuhk.example/student/1155000001/")],
        vec![uri("spiffe://cuhk.example/student/115500\0")],
    ] {
        let mut parameters = campus.student_parameters();
        parameters
            .distinguished_name
            .push(rcgen::DnType::CommonName, "1155000001");
        parameters.subject_alt_names = names.clone();
        let holder = campus.forge(IssuerKind::Students, &parameters);
        assert_eq!(
            student_refusal(&campus, &holder),
            Refused::NameInvalid,
            "{names:?}"
        );
    }
}

#[test]
fn refuses_a_name_of_another_trust_domain() {
    let campus = Campus::new();
    let mut parameters = campus.student_parameters();
    parameters.subject_alt_names = vec![uri("spiffe://other.example/student/1155000001")];
    let holder = campus.forge(IssuerKind::Students, &parameters);
    assert_eq!(student_refusal(&campus, &holder), Refused::NameInvalid);
}

#[test]
fn refuses_a_student_from_the_services_issuer() {
    let campus = Campus::new();
    let holder = campus.forge(IssuerKind::Services, &campus.student_parameters());
    let found = "spiffe://cuhk.example/student/1155000001".to_owned();
    assert_eq!(
        student_refusal(&campus, &holder),
        Refused::WrongIssuer { found }
    );
}

#[test]
fn refuses_a_service_from_the_students_issuer() {
    let campus = Campus::new();
    let holder = campus.forge(IssuerKind::Students, &campus.service_parameters());
    let found = "spiffe://cuhk.example/service/blackboard".to_owned();
    let client = blackboard_refusal(&campus, &holder, ServiceUsage::Client);
    assert_eq!(client, Refused::WrongIssuer { found });
    let server = blackboard_refusal(&campus, &holder, ServiceUsage::Server);
    assert_eq!(server, Refused::WrongUsage);
    assert!(
        campus
            .strict_trust()
            .verify_any_client(&holder.chain, now())
            .is_err()
    );
}

#[test]
fn refuses_a_student_as_a_service_and_a_service_as_a_student() {
    let campus = Campus::new();
    let student = campus.student("1155000001");
    assert_eq!(
        blackboard_refusal(&campus, &student, ServiceUsage::Server),
        Refused::WrongUsage
    );
    assert!(matches!(
        blackboard_refusal(&campus, &student, ServiceUsage::Client),
        Refused::WrongRole { .. }
    ));
    assert!(matches!(
        blackboard_refusal(&campus, &student, ServiceUsage::Token),
        Refused::WrongRole { .. }
    ));
    let service = campus.service(&ServiceName::blackboard());
    let refusal = campus
        .strict_trust()
        .verify_student(&service.chain, now())
        .unwrap_err();
    assert!(matches!(refusal, Refused::WrongRole { .. }));
}

#[test]
fn refuses_another_service_than_the_one_meant() {
    let campus = Campus::new();
    let holder = campus.service(&ServiceName::cuhk());
    let refusal = blackboard_refusal(&campus, &holder, ServiceUsage::Server);
    let (expected, found) = ("blackboard".to_owned(), "cuhk".to_owned());
    assert_eq!(refusal, Refused::WrongName { expected, found });
}

#[test]
fn refuses_the_token_signer_in_tls_and_a_tls_key_for_tokens() {
    let campus = Campus::new();
    let (trust, cuhk) = (campus.strict_trust(), ServiceName::cuhk());
    let (signer, service) = (campus.token_signer(), campus.service(&cuhk));
    for usage in [
        ServiceUsage::Server,
        ServiceUsage::Client,
        ServiceUsage::Signature,
    ] {
        let refusal = trust
            .verify_service(&signer.chain, &cuhk, usage, now())
            .unwrap_err();
        assert_eq!(refusal, Refused::WrongUsage);
    }
    assert_eq!(
        trust.verify_any_client(&signer.chain, now()).unwrap_err(),
        Refused::WrongUsage
    );
    let refusal = trust
        .verify_service(&service.chain, &cuhk, ServiceUsage::Token, now())
        .unwrap_err();
    assert_eq!(refusal, Refused::WrongUsage);
}

#[test]
fn refuses_an_unknown_critical_extension() {
    let campus = Campus::new();
    let mut extension = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
    extension.set_criticality(true);
    let mut parameters = campus.student_parameters();
    parameters.custom_extensions = vec![extension];
    let holder = campus.forge(IssuerKind::Students, &parameters);
    assert_eq!(student_refusal(&campus, &holder), Refused::Malformed);
}

/// Whoever holds a certificate finds out alone what a server would find, lists aside.
#[test]
fn its_holder_can_examine_a_certificate_and_its_key() {
    let campus = Campus::new();
    let (right, other) = (campus.student("1155000001"), campus.student("1155000002"));
    let trust = campus.trust();
    let examine = |holder: &Holder, key: &SigningKey| {
        examine_client(&trust, &holder.chain, key.public_key(), now())
    };
    assert_eq!(examine(&right, &right.key), []);
    assert_eq!(examine(&right, &other.key), [Refused::KeyMismatch]);
    let mut parameters = campus.student_parameters();
    parameters.extended_key_usages.clear();
    let unusable = campus.forge(IssuerKind::Students, &parameters);
    assert_eq!(examine(&unusable, &unusable.key), [Refused::NoUsage]);
    let both = [Refused::NoUsage, Refused::KeyMismatch];
    assert_eq!(examine(&unusable, &other.key), both);
}
