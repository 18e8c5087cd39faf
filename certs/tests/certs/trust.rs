//! Which chains are accepted, and which are refused for where they come from or for their time.

use der::Decode;
use rcgen::DistinguishedName;
use scb_certs::CertificateError as Refused;
use scb_certs::{
    Certificate, Chain, Error, IssuerKind, Root, ServiceName, ServiceUsage, TrustStore,
    VerifiedPeer,
};

use crate::campus::{
    Campus, DAY, Holder, date, days_ago, forge_with, in_days, new_key, now, seconds,
};
use crate::refusal::{authority_parameters, student_refusal};

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

/// Issuer and leaf are valid for long, so that only the root's own time can be the reason.
#[test]
fn refuses_everything_outside_the_root_certificate_s_time() {
    let campus = Campus::new();
    let live_long = |parameters: &mut rcgen::CertificateParams| {
        parameters.not_before = date(days_ago(100).as_secs());
        parameters.not_after = date(in_days(5000).as_secs());
    };
    let mut parameters = authority_parameters(&campus, 0);
    parameters
        .distinguished_name
        .push(rcgen::DnType::CommonName, "students");
    parameters.extended_key_usages = campus.student_parameters().extended_key_usages;
    live_long(&mut parameters);
    let root = &campus.root;
    let issuer = forge_with(root.certificate(), root.key(), &parameters);
    let mut parameters = campus.student_parameters();
    live_long(&mut parameters);
    let holder = forge_with(issuer.leaf(), &issuer.key, &parameters);

    let verify = |time| campus.trust().verify_student(&holder.chain, time);
    let (begin, end) = (
        root.certificate().not_before(),
        root.certificate().not_after(),
    );
    assert!(verify(begin).is_ok() && verify(end).is_ok());
    let (before, after) = (seconds(begin.as_secs() - 1), seconds(end.as_secs() + 1));
    assert_eq!(verify(after).unwrap_err(), Refused::Expired);
    assert_eq!(verify(before).unwrap_err(), Refused::NotYetValid);
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
    assert_eq!(student_refusal(&campus, &holder), Refused::IssuerNamesake);
}

/// Its key identifiers are those of the genuine ones as well: only the signature differs.
#[test]
fn refuses_another_root_of_the_same_name_and_key_identifier() {
    let campus = Campus::new();
    let genuine = campus.root.certificate();
    let mut parameters = authority_parameters(&campus, 0);
    parameters.distinguished_name = same_name(campus.students.certificate());
    parameters.extended_key_usages = campus.student_parameters().extended_key_usages;
    let issuer = forge_with(genuine, &new_key(), &parameters);
    let holder = forge_with(issuer.leaf(), &issuer.key, &campus.student_parameters());
    assert_eq!(student_refusal(&campus, &holder), Refused::IssuerNamesake);
}

#[test]
fn refuses_another_key_behind_the_authority_s_certificate() {
    let campus = Campus::new();
    let genuine = campus.students.certificate();
    let holder = forge_with(genuine, &new_key(), &campus.student_parameters());
    assert_eq!(student_refusal(&campus, &holder), Refused::BadSignature);
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
    assert_eq!(student_refusal(&campus, &alone), Refused::SelfSigned);
    let issuer = campus.students.certificate().clone();
    let with_issuer = Holder {
        key,
        chain: Chain::new(vec![leaf, issuer]).unwrap(),
    };
    assert_eq!(student_refusal(&campus, &with_issuer), Refused::SelfSigned);
}

#[test]
fn refuses_a_certificate_issued_by_a_student() {
    let campus = Campus::new();
    let student = campus.student("1155000001");
    let forged = forge_with(student.leaf(), &student.key, &campus.student_parameters());
    assert_eq!(
        student_refusal(&campus, &forged),
        Refused::IssuerNotAuthority
    );
    let longer = Holder {
        chain: with_more(&forged, campus.students.certificate()),
        ..forged
    };
    assert_eq!(
        student_refusal(&campus, &longer),
        Refused::IssuerNotAuthority
    );
    let chain = with_more(&longer, campus.root.certificate());
    let longest = Holder { chain, ..longer };
    assert_eq!(
        student_refusal(&campus, &longest),
        Refused::IssuerNotAuthority
    );
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
