//! Which chains are accepted, and for each reason not to accept one, one that is refused for it.

use der::Decode;
use rcgen::{
    BasicConstraints, CustomExtension, DistinguishedName, ExtendedKeyUsagePurpose, IsCa,
    KeyUsagePurpose,
};
use scb_certs::CertificateError as Refused;
use scb_certs::{
    Certificate, Chain, Error, IssuerKind, Root, ServiceName, ServiceUsage, TrustStore,
    VerifiedPeer,
};

use crate::campus::{
    Campus, DAY, Holder, date, days_ago, forge_with, in_days, new_key, now, purpose, seconds, uri,
};

const SERVER_AUTH: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 3, 1];
const CODE_SIGNING: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 3, 3];

fn student_refusal(campus: &Campus, holder: &Holder) -> Refused {
    let as_student = campus
        .strict_trust()
        .verify_student(&holder.chain, now())
        .unwrap_err();
    let as_client = campus
        .strict_trust()
        .verify_any_client(&holder.chain, now())
        .unwrap_err();
    assert_eq!(as_student, as_client);
    as_student
}

fn blackboard_refusal(campus: &Campus, holder: &Holder, usage: ServiceUsage) -> Refused {
    campus
        .strict_trust()
        .verify_service(&holder.chain, &ServiceName::blackboard(), usage, now())
        .unwrap_err()
}

#[test]
fn accepts_a_student() {
    let campus = Campus::new();
    let holder = campus.student("1155000001");
    for trust in [campus.trust(), campus.strict_trust()] {
        let student = trust.verify_student(&holder.chain, now()).unwrap();
        assert_eq!(student.sid().as_str(), "1155000001");
        assert_eq!(
            student.spiffe_id().to_string(),
            "spiffe://cuhk.example/student/1155000001"
        );
        assert_eq!(student.certificate(), holder.leaf());
        assert_eq!(student.chain(), &holder.chain);
        assert!(matches!(
            trust.verify_any_client(&holder.chain, now()),
            Ok(VerifiedPeer::Student(_))
        ));
    }
}

#[test]
fn accepts_a_service_for_each_of_its_usages() {
    let campus = Campus::new();
    let holder = campus.service(&ServiceName::blackboard());
    let trust = campus.strict_trust();
    for usage in [
        ServiceUsage::Server,
        ServiceUsage::Client,
        ServiceUsage::Signature,
    ] {
        let service = trust
            .verify_service(&holder.chain, &ServiceName::blackboard(), usage, now())
            .unwrap();
        assert_eq!(service.name(), &ServiceName::blackboard());
        assert_eq!(service.certificate(), holder.leaf());
    }
    assert!(matches!(
        trust.verify_any_client(&holder.chain, now()),
        Ok(VerifiedPeer::Service(_))
    ));
}

#[test]
fn accepts_the_token_signer_for_tokens() {
    let campus = Campus::new();
    let holder = campus.token_signer();
    let service = campus
        .strict_trust()
        .verify_service(
            &holder.chain,
            &ServiceName::cuhk(),
            ServiceUsage::Token,
            now(),
        )
        .unwrap();
    assert_eq!(
        service.spiffe_id().to_string(),
        "spiffe://cuhk.example/service/cuhk"
    );
}

#[test]
fn accepts_a_chain_with_the_root_at_its_end() {
    let campus = Campus::new();
    let holder = campus.student("1155000001");
    let chain = with_more(&holder, campus.root.certificate());
    assert!(campus.strict_trust().verify_student(&chain, now()).is_ok());
}

#[test]
fn the_forger_can_make_an_acceptable_certificate() {
    let campus = Campus::new();
    let student = campus.forge(IssuerKind::Students, &campus.student_parameters());
    assert!(
        campus
            .strict_trust()
            .verify_student(&student.chain, now())
            .is_ok()
    );
    let service = campus.forge(IssuerKind::Services, &campus.service_parameters());
    let blackboard = ServiceName::blackboard();
    let usage = ServiceUsage::Server;
    assert!(
        campus
            .strict_trust()
            .verify_service(&service.chain, &blackboard, usage, now())
            .is_ok()
    );
}

#[test]
fn refuses_an_expired_certificate() {
    let campus = Campus::new();
    let holder = campus.student("1155000001");
    let end = holder.leaf().not_after();
    assert!(campus.trust().verify_student(&holder.chain, end).is_ok());
    let after = seconds(end.as_secs() + 1);
    assert_eq!(
        campus
            .trust()
            .verify_student(&holder.chain, after)
            .unwrap_err(),
        Refused::Expired
    );
}

#[test]
fn refuses_a_certificate_that_is_not_valid_yet() {
    let campus = Campus::new();
    let mut parameters = campus.student_parameters();
    parameters.not_before = date(now().as_secs() + 1);
    let holder = campus.forge(IssuerKind::Students, &parameters);
    assert_eq!(student_refusal(&campus, &holder), Refused::NotYetValid);
}

#[test]
fn refuses_everything_outside_the_root_certificate_s_time() {
    let campus = Campus::new();
    let holder = campus.student("1155000001");
    let refusal = |time| {
        campus
            .trust()
            .verify_student(&holder.chain, time)
            .unwrap_err()
    };
    assert_eq!(refusal(in_days(4000)), Refused::Expired);
    assert_eq!(refusal(days_ago(1)), Refused::NotYetValid);
}

#[test]
fn refuses_a_revoked_certificate_only() {
    let campus = Campus::new();
    let (revoked, other) = (campus.student("1155000001"), campus.student("1155000002"));
    let crls = vec![campus.root_crl(&[]), campus.students_crl(&[revoked.leaf()])];
    let trust = campus.trust().with_crls(crls).unwrap();
    assert_eq!(
        trust.verify_student(&revoked.chain, now()).unwrap_err(),
        Refused::Revoked
    );
    assert!(trust.verify_student(&other.chain, now()).is_ok());
}

#[test]
fn refuses_everything_from_a_revoked_issuer() {
    let campus = Campus::new();
    let holder = campus.student("1155000001");
    let crls = vec![
        campus.root_crl(&[campus.students.certificate()]),
        campus.students_crl(&[]),
    ];
    let trust = campus.trust().with_crls(crls).unwrap();
    assert_eq!(
        trust.verify_student(&holder.chain, now()).unwrap_err(),
        Refused::Revoked
    );
}

#[test]
fn refuses_another_university() {
    let (campus, other) = (Campus::new(), Campus::of("other.example"));
    assert_eq!(
        student_refusal(&campus, &other.student("1155000001")),
        Refused::UnknownIssuer
    );
}

#[test]
fn refuses_another_authority_of_the_same_name() {
    let campus = Campus::new();
    let (own_root, own_key) = (new_key(), new_key());
    let mut parameters = authority_parameters(&campus, 1);
    parameters.distinguished_name = same_name(campus.root.certificate());
    let root = parameters.self_signed(&own_root).unwrap();
    let root_issuer = rcgen::Issuer::from_ca_cert_der(root.der(), &own_root).unwrap();
    let mut parameters = authority_parameters(&campus, 0);
    parameters.distinguished_name = same_name(campus.students.certificate());
    parameters.extended_key_usages = campus.student_parameters().extended_key_usages;
    let issuer = parameters.signed_by(&own_key, &root_issuer).unwrap();
    let issuer = Certificate::from_der(issuer.der()).unwrap();
    let holder = forge_with(&issuer, &own_key, &campus.student_parameters());
    assert_eq!(student_refusal(&campus, &holder), Refused::UnknownIssuer);
}

#[test]
fn refuses_another_key_behind_the_authority_s_certificate() {
    let campus = Campus::new();
    let genuine = campus.students.certificate();
    let holder = forge_with(genuine, &new_key(), &campus.student_parameters());
    assert_eq!(student_refusal(&campus, &holder), Refused::BadSignature);
}

fn authority_parameters(campus: &Campus, path_length: u8) -> rcgen::CertificateParams {
    let mut parameters = campus.student_parameters();
    parameters.subject_alt_names = vec![uri("spiffe://cuhk.example")];
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(path_length));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    parameters.extended_key_usages.clear();
    parameters
}

/// The subject's name of this certificate, as rcgen wants it.
fn same_name(certificate: &Certificate) -> DistinguishedName {
    let parsed = x509_cert::Certificate::from_der(certificate.der()).unwrap();
    let mut name = DistinguishedName::new();
    for entry in parsed
        .tbs_certificate
        .subject
        .0
        .iter()
        .flat_map(|part| part.0.iter())
    {
        let kind: Vec<u64> = entry.oid.arcs().map(u64::from).collect();
        name.push(
            rcgen::DnType::from_oid(&kind),
            str::from_utf8(entry.value.value()).unwrap(),
        );
    }
    name
}

#[test]
fn refuses_a_self_signed_certificate() {
    let campus = Campus::new();
    let key = new_key();
    let certificate = campus.student_parameters().self_signed(&key).unwrap();
    let leaf = Certificate::from_der(certificate.der()).unwrap();
    let alone = Holder {
        key: key.clone(),
        chain: Chain::new(vec![leaf.clone()]).unwrap(),
    };
    assert_eq!(student_refusal(&campus, &alone), Refused::UnknownIssuer);
    let issuer = campus.students.certificate().clone();
    let with_issuer = Holder {
        key,
        chain: Chain::new(vec![leaf, issuer]).unwrap(),
    };
    assert_eq!(
        student_refusal(&campus, &with_issuer),
        Refused::UnknownIssuer
    );
}

#[test]
fn refuses_a_certificate_issued_by_a_student() {
    let campus = Campus::new();
    let student = campus.student("1155000001");
    let forged = forge_with(student.leaf(), &student.key, &campus.student_parameters());
    assert_eq!(student_refusal(&campus, &forged), Refused::UnknownIssuer);
    let longer = Holder {
        chain: with_more(&forged, campus.students.certificate()),
        ..forged
    };
    assert_eq!(student_refusal(&campus, &longer), Refused::UnknownIssuer);
    let chain = with_more(&longer, campus.root.certificate());
    let longest = Holder { chain, ..longer };
    assert_eq!(student_refusal(&campus, &longest), Refused::UnknownIssuer);
}

#[test]
fn refuses_a_certificate_straight_from_the_root() {
    let campus = Campus::new();
    let root = &campus.root;
    let holder = forge_with(root.certificate(), root.key(), &campus.student_parameters());
    assert_eq!(student_refusal(&campus, &holder), Refused::UnknownIssuer);
    let chain = Chain::new(vec![
        holder.leaf().clone(),
        campus.students.certificate().clone(),
        root.certificate().clone(),
    ]);
    let padded = Holder {
        chain: chain.unwrap(),
        ..holder
    };
    assert_eq!(student_refusal(&campus, &padded), Refused::UnknownIssuer);
}

#[test]
fn refuses_an_authority_that_presents_itself() {
    let campus = Campus::new();
    let certificate = campus.students.certificate().clone();
    let chain = Chain::new(vec![certificate, campus.root.certificate().clone()]).unwrap();
    let holder = Holder {
        key: campus.students.key().clone(),
        chain,
    };
    assert_eq!(student_refusal(&campus, &holder), Refused::WrongUsage);
}

#[test]
fn refuses_chains_of_another_shape() {
    let campus = Campus::new();
    let holder = campus.student("1155000001");
    let leaf = holder.leaf().clone();
    let issuer = campus.students.certificate().clone();
    let foreign = Campus::new().root.certificate().clone();
    for certificates in [
        vec![leaf.clone()],
        vec![leaf.clone(), issuer.clone(), foreign],
        vec![leaf.clone(), issuer.clone(), issuer.clone()],
        vec![leaf.clone(), campus.root.certificate().clone()],
        vec![leaf.clone(), campus.services.certificate().clone()],
        vec![
            leaf.clone(),
            issuer.clone(),
            campus.root.certificate().clone(),
            leaf,
        ],
    ] {
        let holder = Holder {
            key: holder.key.clone(),
            chain: Chain::new(certificates).unwrap(),
        };
        assert_eq!(student_refusal(&campus, &holder), Refused::UnknownIssuer);
    }
}

#[test]
fn refuses_a_bad_signature() {
    let campus = Campus::new();
    let holder = campus.student("1155000001");
    let mut der = holder.leaf().der().to_vec();
    *der.last_mut().unwrap() ^= 1;
    let altered = Certificate::from_der(&der).unwrap();
    let chain = Chain::new(vec![altered, campus.students.certificate().clone()]).unwrap();
    assert_eq!(
        student_refusal(&campus, &Holder { chain, ..holder }),
        Refused::BadSignature
    );
}

#[test]
fn refuses_a_key_that_is_not_p256() {
    let campus = Campus::new();
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let der = campus.students.certificate().to_rustls();
    let issuer = rcgen::Issuer::from_ca_cert_der(&der, campus.students.key()).unwrap();
    let signed = campus
        .student_parameters()
        .signed_by(&key, &issuer)
        .unwrap();
    let leaf = Certificate::from_der(signed.der()).unwrap();
    assert!(matches!(leaf.public_key(), Err(Error::KeyUnsupported)));
    let chain = Chain::new(vec![leaf, campus.students.certificate().clone()]).unwrap();
    let holder = Holder {
        key: new_key(),
        chain,
    };
    assert_eq!(student_refusal(&campus, &holder), Refused::BadSignature);
}

#[test]
fn refuses_key_usages_that_are_not_exactly_the_profile_s() {
    let campus = Campus::new();
    let own = campus.student_parameters().extended_key_usages;
    let with = |more: ExtendedKeyUsagePurpose| [own.clone(), vec![more]].concat();
    for purposes in [
        vec![],
        vec![purpose(SERVER_AUTH)],
        vec![ExtendedKeyUsagePurpose::Any],
        vec![own[0].clone()],
        vec![own[1].clone()],
        with(purpose(SERVER_AUTH)),
        with(purpose(CODE_SIGNING)),
        with(ExtendedKeyUsagePurpose::Any),
        with(own[0].clone()),
    ] {
        let mut parameters = campus.student_parameters();
        parameters.extended_key_usages = purposes.clone();
        let holder = campus.forge(IssuerKind::Students, &parameters);
        assert_eq!(
            student_refusal(&campus, &holder),
            Refused::WrongUsage,
            "{purposes:?}"
        );
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
fn refuses_two_names_no_name_and_names_of_another_form() {
    let campus = Campus::new();
    let own = uri("spiffe://cuhk.example/student/1155000001");
    for names in [
        vec![],
        vec![own.clone(), uri("spiffe://cuhk.example/student/1155000002")],
        vec![own.clone(), own],
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
        Refused::WrongRole { found }
    );
}

#[test]
fn refuses_a_service_from_the_students_issuer() {
    let campus = Campus::new();
    let holder = campus.forge(IssuerKind::Students, &campus.service_parameters());
    let found = "spiffe://cuhk.example/service/blackboard".to_owned();
    let client = blackboard_refusal(&campus, &holder, ServiceUsage::Client);
    assert_eq!(client, Refused::WrongRole { found });
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

#[test]
fn only_a_self_signed_authority_can_be_the_root() {
    let campus = Campus::new();
    assert!(TrustStore::new(campus.root.certificate().clone()).is_ok());
    let student = campus.student("1155000001");
    for other in [campus.students.certificate(), student.leaf()] {
        assert!(matches!(
            TrustStore::new(other.clone()),
            Err(Error::RootInvalid(_))
        ));
    }
    let mut altered = campus.root.certificate().der().to_vec();
    *altered.last_mut().unwrap() ^= 1;
    let altered = Certificate::from_der(&altered).unwrap();
    assert!(matches!(
        TrustStore::new(altered.clone()),
        Err(Error::RootInvalid(_))
    ));
    assert!(Root::from_parts(altered, campus.root.key().clone()).is_err());
}

#[test]
fn expiry_of_the_issuer_ends_its_certificates() {
    let campus = Campus::new();
    let mut parameters = campus.student_parameters();
    parameters.not_after = date(now().as_secs() + 3000 * DAY);
    let holder = campus.forge(IssuerKind::Students, &parameters);
    let refusal = campus
        .trust()
        .verify_student(&holder.chain, in_days(2000))
        .unwrap_err();
    assert_eq!(refusal, Refused::Expired);
}

fn with_more(holder: &Holder, certificate: &Certificate) -> Chain {
    let mut certificates = holder.chain.certificates().to_vec();
    certificates.push(certificate.clone());
    Chain::new(certificates).unwrap()
}
