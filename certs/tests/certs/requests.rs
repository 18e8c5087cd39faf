//! Certificate requests: only the key is taken from them.

use std::time::Instant;

use der::asn1::{BitString, SetOfVec};
use der::{Decode, Encode};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyUsagePurpose, SanType,
};
use scb_certs::{Error, KeyPurpose, Serial, SigningKey, VerifiedRequest, create_request};
use x509_cert::request::CertReq;

use crate::campus::{Campus, new_key, no_urls, sid, swap_neighbours, uri};
use crate::issuing::{extensions, leaf_extensions};

fn altered(der: &[u8], alter: impl FnOnce(&mut CertReq)) -> Vec<u8> {
    let mut request = CertReq::from_der(der).unwrap();
    alter(&mut request);
    request.to_der().unwrap()
}

fn request_of(key: &SigningKey, parameters: &CertificateParams) -> Vec<u8> {
    parameters.serialize_request(key).unwrap().der().to_vec()
}

#[test]
fn verifies_its_own_request() {
    let key = new_key();
    let der = create_request(&key).unwrap();
    assert_eq!(
        VerifiedRequest::verify(&der).unwrap().public_key(),
        key.public_key()
    );
    let request = CertReq::from_der(&der).unwrap();
    assert!(request.info.subject.is_empty());
    assert!(request.info.attributes.is_empty());
}

#[test]
fn refuses_a_bad_or_missing_self_signature() {
    let key = new_key();
    let der = create_request(&key).unwrap();
    let other = CertReq::from_der(&create_request(&new_key()).unwrap()).unwrap();
    let foreign = altered(&der, |request| request.signature = other.signature.clone());
    let missing = altered(&der, |request| {
        request.signature = BitString::from_bytes(&[]).unwrap()
    });
    let other_key = altered(&der, |request| {
        request.info.public_key = other.info.public_key
    });
    let with_null = altered(&der, |request| {
        request.algorithm.parameters = Some(der::Any::null())
    });
    for bad in [foreign, missing, other_key] {
        assert!(matches!(
            VerifiedRequest::verify(&bad),
            Err(Error::RequestSignature)
        ));
    }
    assert!(matches!(
        VerifiedRequest::verify(&with_null),
        Err(Error::RequestAlgorithm)
    ));
}

#[test]
fn refuses_other_keys() {
    for algorithm in [&rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ED25519] {
        let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
        let request = CertificateParams::default()
            .serialize_request(&key)
            .unwrap();
        let refusal = VerifiedRequest::verify(request.der()).unwrap_err();
        assert!(matches!(refusal, Error::KeyUnsupported));
    }
}

#[test]
fn refuses_trailing_bytes_and_large_requests_quickly() {
    let der = create_request(&new_key()).unwrap();
    let all = [
        [&der[..], &[0]].concat(),
        [&der[..], &vec![0; 1024 * 1024]].concat(),
        vec![0x30; 1024 * 1024],
        vec![],
        der[..der.len() - 1].to_vec(),
    ];
    // The quickest of some rounds: amid the others somebody else may have had the processor.
    let rounds = (0..10).map(|_| {
        let started = Instant::now();
        for bad in &all {
            let refusal = VerifiedRequest::verify(bad).unwrap_err();
            assert!(matches!(refusal, Error::RequestMalformed(_)));
        }
        started.elapsed()
    });
    assert!(rounds.min().unwrap().as_millis() < 100);
}

/// The same attributes in another order are decoded alike, but they are not DER.
#[test]
fn refuses_attributes_that_are_not_sorted() {
    let mut parameters = CertificateParams::default();
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let values = SetOfVec::try_from(vec![der::Any::null()]).unwrap();
    let attribute = rcgen::Attribute {
        oid: &[1, 2, 3, 4],
        values: values.to_der().unwrap(),
    };
    let request = parameters
        .serialize_request_with_attributes(&new_key(), vec![attribute])
        .unwrap();
    let mut der = request.der().to_vec();
    assert!(VerifiedRequest::verify(&der).is_ok());
    let sorted: Vec<_> = CertReq::from_der(&der)
        .unwrap()
        .info
        .attributes
        .iter()
        .map(|attribute| attribute.to_der().unwrap())
        .collect();
    swap_neighbours(&mut der, &sorted[0], &sorted[1]);
    assert!(CertReq::from_der(&der).is_ok());
    let refusal = VerifiedRequest::verify(&der).unwrap_err();
    assert!(matches!(refusal, Error::RequestMalformed("not in DER")));
}

#[test]
fn refuses_a_large_request_that_is_well_formed() {
    let mut parameters = CertificateParams::default();
    let name = "a".repeat(9000);
    parameters.distinguished_name.push(DnType::CommonName, name);
    let refusal = VerifiedRequest::verify(&request_of(&new_key(), &parameters)).unwrap_err();
    assert!(matches!(refusal, Error::RequestMalformed("too large")));
}

#[test]
fn refuses_nul_in_a_name() {
    let key = new_key();
    let mut subject = CertificateParams::default();
    subject
        .distinguished_name
        .push(DnType::CommonName, "1155000001\0evil");
    let mut dns = CertificateParams::default();
    dns.subject_alt_names = vec![SanType::DnsName("cuhk.example\0.evil".try_into().unwrap())];
    let mut id = CertificateParams::default();
    id.subject_alt_names = vec![uri("spiffe://cuhk.example/student/1\0")];
    for parameters in [subject, dns, id] {
        let refusal = VerifiedRequest::verify(&request_of(&key, &parameters)).unwrap_err();
        assert!(matches!(refusal, Error::RequestMalformed("NUL in a name")));
    }
}

#[test]
fn nothing_that_a_request_asks_for_appears() {
    let campus = Campus::new();
    let key = new_key();
    let mut greedy = CertificateParams::default();
    greedy.distinguished_name = DistinguishedName::new();
    greedy
        .distinguished_name
        .push(DnType::CommonName, "Vice-Chancellor");
    greedy.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    greedy.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    greedy.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::Any,
    ];
    greedy.subject_alt_names = vec![
        uri("spiffe://cuhk.example/service/cuhk"),
        SanType::DnsName("cuhk.example".try_into().unwrap()),
        SanType::IpAddress("10.0.0.1".parse().unwrap()),
    ];
    let verified = VerifiedRequest::verify(&request_of(&key, &greedy)).unwrap();

    let chain = campus.students.issue_student(
        &sid("1155000001"),
        verified.public_key(),
        &Serial::random().unwrap(),
        &campus.student_validity(),
        &no_urls(),
    );
    let chain = chain.unwrap();
    let leaf = chain.leaf();
    assert_eq!(leaf.public_key().unwrap(), *key.public_key());
    assert_eq!(extensions(leaf), leaf_extensions());
    assert!(!leaf.is_ca());
    let purposes = [KeyPurpose::ClientAuth, KeyPurpose::DocumentSigning];
    assert_eq!(leaf.extended_key_usages(), purposes);
    assert_eq!(
        leaf.spiffe_id().unwrap().to_string(),
        "spiffe://cuhk.example/student/1155000001"
    );
    assert!(leaf.dns_names().is_empty() && leaf.ip_addresses().is_empty());
    let subject = crate::issuing::parsed(leaf)
        .tbs_certificate
        .subject
        .to_string();
    assert!(!subject.contains("Chancellor"), "{subject}");
}
