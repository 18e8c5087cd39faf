//! What issued certificates contain, and what the authorities refuse to issue.

use std::collections::HashSet;
use std::net::IpAddr;

use der::Decode;
use scb_certs::{
    Certificate, DistributionUrls, Error, Issuer, IssuerKind, KeyPurpose, Root, Serial,
    ServiceName, Validities, Validity, leaf_validity,
};
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, KeyUsages};

use crate::campus::{Campus, days_ago, forge_with, in_days, new_key, no_urls, now, seconds, sid};
use crate::refusal::authority_parameters;

const SUBJECT_KEY_ID: &str = "2.5.29.14";
const KEY_USAGE: &str = "2.5.29.15";
const ALT_NAME: &str = "2.5.29.17";
const BASIC_CONSTRAINTS: &str = "2.5.29.19";
const DISTRIBUTION_POINTS: &str = "2.5.29.31";
const AUTHORITY_KEY_ID: &str = "2.5.29.35";
const EXTENDED_KEY_USAGE: &str = "2.5.29.37";
const AUTHORITY_INFO: &str = "1.3.6.1.5.5.7.1.1";

pub(crate) fn parsed(certificate: &Certificate) -> x509_cert::Certificate {
    x509_cert::Certificate::from_der(certificate.der()).unwrap()
}

/// The extensions and whether each is critical, sorted.
pub(crate) fn extensions(certificate: &Certificate) -> Vec<(String, bool)> {
    let parsed = parsed(certificate);
    let extensions = parsed.tbs_certificate.extensions.unwrap();
    let mut found: Vec<_> = extensions
        .iter()
        .map(|e| (e.extn_id.to_string(), e.critical))
        .collect();
    found.sort();
    found
}

pub(crate) fn leaf_extensions() -> Vec<(String, bool)> {
    let mut expected = vec![
        (SUBJECT_KEY_ID.to_owned(), false),
        (KEY_USAGE.to_owned(), true),
        (ALT_NAME.to_owned(), false),
        (BASIC_CONSTRAINTS.to_owned(), true),
        (AUTHORITY_KEY_ID.to_owned(), false),
        (EXTENDED_KEY_USAGE.to_owned(), false),
    ];
    expected.sort();
    expected
}

fn key_usages(certificate: &Certificate) -> Vec<KeyUsages> {
    let parsed = parsed(certificate);
    let (critical, usage) = parsed.tbs_certificate.get::<KeyUsage>().unwrap().unwrap();
    assert!(critical);
    usage.0.into_iter().collect()
}

fn basic_constraints(certificate: &Certificate) -> (bool, Option<u8>) {
    let parsed = parsed(certificate);
    let (critical, basic) = parsed
        .tbs_certificate
        .get::<BasicConstraints>()
        .unwrap()
        .unwrap();
    assert!(critical);
    (basic.ca, basic.path_len_constraint)
}

#[test]
fn a_student_s_certificate_has_exactly_the_profile() {
    let campus = Campus::new();
    let holder = campus.student("1155000001");
    let leaf = holder.leaf();
    assert_eq!(
        leaf.spiffe_id().unwrap().to_string(),
        "spiffe://cuhk.example/student/1155000001"
    );
    assert_eq!(extensions(leaf), leaf_extensions());
    assert_eq!(key_usages(leaf), [KeyUsages::DigitalSignature]);
    assert_eq!(basic_constraints(leaf), (false, None));
    let purposes = [KeyPurpose::ClientAuth, KeyPurpose::DocumentSigning];
    assert_eq!(leaf.extended_key_usages(), purposes);
    assert_eq!(leaf.not_before(), seconds(now().as_secs() - 600));
    assert_eq!(leaf.not_after(), in_days(30));
    assert_eq!(leaf.public_key().unwrap(), *holder.key.public_key());
    assert!(leaf.dns_names().is_empty() && leaf.ip_addresses().is_empty() && !leaf.is_ca());
    assert_eq!(holder.chain.certificates().len(), 2);
    assert_eq!(
        holder.chain.certificates()[1],
        *campus.students.certificate()
    );
}

#[test]
fn a_service_s_certificate_has_exactly_the_profile() {
    let campus = Campus::new();
    let holder = campus.service(&ServiceName::blackboard());
    let leaf = holder.leaf();
    assert_eq!(
        leaf.spiffe_id().unwrap().to_string(),
        "spiffe://cuhk.example/service/blackboard"
    );
    assert_eq!(extensions(leaf), leaf_extensions());
    assert_eq!(key_usages(leaf), [KeyUsages::DigitalSignature]);
    assert_eq!(
        leaf.extended_key_usages(),
        [KeyPurpose::ServerAuth, KeyPurpose::ClientAuth]
    );
    assert_eq!(leaf.dns_names(), ["localhost"]);
    let addresses: [IpAddr; 2] = ["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()];
    assert_eq!(leaf.ip_addresses(), addresses);
    assert_eq!(leaf.not_after(), in_days(90));
}

#[test]
fn the_token_signer_signs_documents_only() {
    let campus = Campus::new();
    let holder = campus.token_signer();
    assert_eq!(
        holder.leaf().extended_key_usages(),
        [KeyPurpose::DocumentSigning]
    );
    assert_eq!(extensions(holder.leaf()), leaf_extensions());
}

#[test]
fn the_authorities_have_exactly_their_profiles() {
    let campus = Campus::new();
    let (client, server) = (KeyPurpose::ClientAuth, KeyPurpose::ServerAuth);
    let signing = KeyPurpose::DocumentSigning;
    for (certificate, path_length, purposes) in [
        (campus.root.certificate(), 2, vec![]),
        (campus.students.certificate(), 0, vec![client, signing]),
        (
            campus.services.certificate(),
            0,
            vec![server, client, signing],
        ),
    ] {
        assert_eq!(basic_constraints(certificate), (true, Some(path_length)));
        assert_eq!(
            key_usages(certificate),
            [KeyUsages::KeyCertSign, KeyUsages::CRLSign]
        );
        assert_eq!(certificate.extended_key_usages(), purposes);
        assert_eq!(
            certificate.authority_trust_domain().unwrap().as_str(),
            "cuhk.example"
        );
        assert!(certificate.spiffe_id().is_err());
    }
    assert_eq!(campus.root.certificate().not_after(), in_days(3653));
    assert_eq!(campus.students.certificate().not_after(), in_days(1826));
}

#[test]
fn urls_are_written_only_if_given() {
    let campus = Campus::new();
    let urls = DistributionUrls {
        crl: Some("http://ca.cuhk.example/students.crl".to_owned()),
        ca: Some("http://ca.cuhk.example/students.cer".to_owned()),
    };
    let (key, serial) = (new_key(), Serial::random().unwrap());
    let validity = campus.student_validity();
    let issue = |urls: &DistributionUrls| {
        campus
            .students
            .issue_student(&sid("1"), key.public_key(), &serial, &validity, urls)
    };
    let chain = issue(&urls).unwrap();
    let mut expected = leaf_extensions();
    expected.push((DISTRIBUTION_POINTS.to_owned(), false));
    expected.push((AUTHORITY_INFO.to_owned(), false));
    expected.sort();
    assert_eq!(extensions(chain.leaf()), expected);
    assert!(campus.strict_trust().verify_student(&chain, now()).is_ok());
    for bad in ["ldap://x", "", "http://a b", "http://学", "http://a\n"] {
        let urls = DistributionUrls {
            crl: Some(bad.to_owned()),
            ca: None,
        };
        assert!(matches!(issue(&urls), Err(Error::UrlInvalid)), "{bad:?}");
        let urls = DistributionUrls {
            crl: None,
            ca: Some(bad.to_owned()),
        };
        assert!(matches!(issue(&urls), Err(Error::UrlInvalid)), "{bad:?}");
    }
}

#[test]
fn the_serial_number_is_the_one_given() {
    let campus = Campus::new();
    let serial: Serial = "0A00000000000000000000000000FF".parse().unwrap();
    let chain = campus.students.issue_student(
        &sid("1"),
        new_key().public_key(),
        &serial,
        &campus.student_validity(),
        &no_urls(),
    );
    assert_eq!(chain.unwrap().leaf().serial(), serial);
}

#[test]
fn each_issuer_refuses_what_the_other_issues() {
    let campus = Campus::new();
    let (key, serial) = (new_key(), Serial::random().unwrap());
    let (key, validity) = (key.public_key(), campus.student_validity());
    let student = campus
        .services
        .issue_student(&sid("1"), key, &serial, &validity, &no_urls());
    assert!(matches!(student, Err(Error::WrongIssuer)));
    let cuhk = ServiceName::cuhk();
    let service =
        campus
            .students
            .issue_service(&cuhk, key, &serial, &validity, &[], &[], &no_urls());
    assert!(matches!(service, Err(Error::WrongIssuer)));
    let signer = campus
        .students
        .issue_token_signer(key, &serial, &validity, &no_urls());
    assert!(matches!(signer, Err(Error::WrongIssuer)));
}

#[test]
fn never_certifies_the_key_of_an_authority() {
    let campus = Campus::new();
    let serial = Serial::random().unwrap();
    for key in [campus.students.key(), campus.root.key()] {
        let chain = campus.students.issue_student(
            &sid("1"),
            key.public_key(),
            &serial,
            &campus.student_validity(),
            &no_urls(),
        );
        assert!(matches!(chain, Err(Error::KeyOfAuthority)));
    }
    let issuer = campus.root.issue_issuer(
        IssuerKind::Students,
        campus.root.key().clone(),
        now(),
        &no_urls(),
    );
    assert!(matches!(issuer, Err(Error::KeyOfAuthority)));
}

#[test]
fn a_leaf_never_outlives_its_issuer() {
    let campus = Campus::new();
    let issuer = campus.students.certificate();
    let late = in_days(1820);
    let validity = leaf_validity(late, Validities::STUDENT_LIFETIME, issuer);
    assert_eq!(validity.not_after, issuer.not_after());
    let beyond = Validity {
        not_after: in_days(1827),
        ..validity
    };
    let backwards = Validity {
        not_before: now(),
        not_after: days_ago(1),
    };
    for bad in [beyond, backwards] {
        let chain = campus.students.issue_student(
            &sid("1"),
            new_key().public_key(),
            &Serial::random().unwrap(),
            &bad,
            &no_urls(),
        );
        assert!(matches!(chain, Err(Error::ValidityInvalid)));
    }
}

#[test]
fn an_issuer_never_outlives_the_root() {
    let campus = Campus::new();
    let late = in_days(3000);
    let issuer = campus
        .root
        .issue_issuer(IssuerKind::Students, new_key(), late, &no_urls())
        .unwrap();
    assert_eq!(
        issuer.certificate().not_after(),
        campus.root.certificate().not_after()
    );
}

#[test]
fn refuses_host_names_that_are_none() {
    let campus = Campus::new();
    for bad in ["", "a b", "*.cuhk.example", "a\0b", "学", "-", "a..b"] {
        let chain = campus.services.issue_service(
            &ServiceName::blackboard(),
            new_key().public_key(),
            &Serial::random().unwrap(),
            &campus.service_validity(),
            &[bad.to_owned()],
            &[],
            &no_urls(),
        );
        assert!(matches!(chain, Err(Error::DnsNameInvalid(_))), "{bad:?}");
    }
}

#[test]
fn authorities_are_put_together_from_what_belongs_together() {
    let campus = Campus::new();
    let certificate = campus.students.certificate().clone();
    let key = campus.students.key().clone();
    let root = campus.root.certificate().clone();
    let kind = IssuerKind::Students;
    let put = |kind, key, root| Issuer::from_parts(kind, certificate.clone(), key, root);
    assert!(put(kind, key.clone(), root.clone()).is_ok());
    assert!(matches!(
        put(kind, new_key(), root.clone()),
        Err(Error::KeyMismatch)
    ));
    let other_kind = put(IssuerKind::Services, key.clone(), root);
    assert!(matches!(other_kind, Err(Error::IssuerInvalid(_))));
    let other_root = put(kind, key, Campus::new().root.certificate().clone());
    assert!(matches!(other_root, Err(Error::IssuerInvalid(_))));
}

/// The root signed these too, but they are not those of an issuing authority.
#[test]
fn only_an_authority_s_certificate_makes_an_issuer() {
    let campus = Campus::new();
    let mut genuine = authority_parameters(&campus, 0);
    genuine
        .distinguished_name
        .push(rcgen::DnType::CommonName, "students");
    genuine.extended_key_usages = campus.student_parameters().extended_key_usages;
    let mut no_authority = genuine.clone();
    no_authority.is_ca = rcgen::IsCa::ExplicitNoCa;
    let mut more_usages = genuine.clone();
    more_usages
        .key_usages
        .push(rcgen::KeyUsagePurpose::DigitalSignature);
    let mut named = genuine.clone();
    named.subject_alt_names = campus.student_parameters().subject_alt_names;
    for (parameters, acceptable) in [
        (genuine, true),
        (no_authority, false),
        (more_usages, false),
        (named, false),
    ] {
        let root = &campus.root;
        let made = forge_with(root.certificate(), root.key(), &parameters);
        let issuer = Issuer::from_parts(
            IssuerKind::Students,
            made.leaf().clone(),
            made.key.clone(),
            root.certificate().clone(),
        );
        assert_eq!(issuer.is_ok(), acceptable);
        assert!(acceptable || matches!(issuer, Err(Error::IssuerInvalid(_))));
    }
}

#[test]
fn a_root_is_put_together_from_what_belongs_together() {
    let campus = Campus::new();
    let root = campus.root.certificate().clone();
    assert!(Root::from_parts(root.clone(), campus.root.key().clone()).is_ok());
    assert!(matches!(
        Root::from_parts(root, new_key()),
        Err(Error::KeyMismatch)
    ));
    let issuer = campus.students.certificate().clone();
    let not_root = Root::from_parts(issuer, campus.students.key().clone());
    assert!(matches!(not_root, Err(Error::RootInvalid(_))));
    let student = campus.student("1");
    let not_authority = Root::from_parts(student.leaf().clone(), student.key.clone());
    assert!(matches!(not_authority, Err(Error::IssuerInvalid(_))));
}

#[test]
fn long_trust_domains_fit() {
    let campus = Campus::of(&"a".repeat(255));
    let holder = campus.student("1155000001");
    assert!(
        campus
            .strict_trust()
            .verify_student(&holder.chain, now())
            .is_ok()
    );
}

#[test]
fn no_authority_s_name_is_shared() {
    let names: HashSet<_> = [Campus::new(), Campus::new()]
        .iter()
        .flat_map(|c| {
            [
                &c.root.certificate(),
                &c.students.certificate(),
                &c.services.certificate(),
            ]
            .map(|certificate| parsed(certificate).tbs_certificate.subject.to_string())
        })
        .collect();
    assert_eq!(names.len(), 6);
}
