//! Certificates and chains as bytes and text: one encoding, and nothing around it.

use der::asn1::{ObjectIdentifier, OctetString};
use der::{Decode, Encode};
use scb_certs::{Certificate, Chain, Error, ServiceName, root_in_chain};
use x509_cert::ext::Extension;

use crate::campus::{Campus, swap_neighbours, two_part_name};
use crate::issuing::parsed;

#[test]
fn chains_survive_each_of_their_forms() {
    let campus = Campus::new();
    let chain = campus.student("1155000001").chain;
    assert_eq!(Chain::from_pem(&chain.to_pem()).unwrap(), chain);
    assert_eq!(Chain::from_base64(&chain.to_base64()).unwrap(), chain);
    assert_eq!(Chain::from_ders(chain.to_rustls()).unwrap(), chain);
    let json = serde_json::to_string(&chain).unwrap();
    assert_eq!(serde_json::from_str::<Chain>(&json).unwrap(), chain);
    assert_eq!(
        Certificate::from_pem(&chain.leaf().to_pem()).unwrap(),
        *chain.leaf()
    );
}

#[test]
fn refuses_chains_that_are_empty_or_too_long() {
    let campus = Campus::new();
    let leaf = campus.student("1155000001").leaf().clone();
    assert!(matches!(Chain::new(vec![]), Err(Error::ChainLength(0))));
    assert!(Chain::new(vec![leaf.clone(); 4]).is_ok());
    assert!(matches!(
        Chain::new(vec![leaf.clone(); 5]),
        Err(Error::ChainLength(5))
    ));
    assert!(Chain::from_pem("").is_err());
    assert!(Chain::from_pem(&leaf.to_pem().repeat(5)).is_err());
    assert!(Chain::from_ders(vec![leaf.der(); 5]).is_err());
    assert!(serde_json::from_str::<Chain>("[]").is_err());
    assert!(serde_json::from_str::<Chain>("[\"AAAA\"]").is_err());
    assert!(Certificate::from_pem(&leaf.to_pem().repeat(2)).is_err());
}

#[test]
fn refuses_certificates_with_other_bytes_around_them() {
    let der = Campus::new().student("1155000001").leaf().der().to_vec();
    assert!(Certificate::from_der(&der).is_ok());
    for bad in [
        [&der[..], &[0]].concat(),
        der[..der.len() - 1].to_vec(),
        vec![],
        vec![0; 20_000],
    ] {
        assert!(matches!(
            Certificate::from_der(&bad),
            Err(Error::CertificateMalformed(_))
        ));
    }
}

#[test]
fn refuses_a_certificate_that_is_not_in_der() {
    let (name, [first, second]) = two_part_name();
    let mut certificate = parsed(Campus::new().student("1155000001").leaf());
    certificate.tbs_certificate.subject = name;
    let mut der = certificate.to_der().unwrap();
    assert!(Certificate::from_der(&der).is_ok());
    swap_neighbours(&mut der, &first, &second);
    assert!(x509_cert::Certificate::from_der(&der).is_ok());
    assert!(matches!(
        Certificate::from_der(&der),
        Err(Error::CertificateMalformed("not in DER"))
    ));
}

#[test]
fn refuses_a_large_certificate_that_is_well_formed() {
    let campus = Campus::new();
    let with = |length: usize| {
        let mut certificate = parsed(campus.student("1155000001").leaf());
        let filler = OctetString::new(vec![0; length]).unwrap();
        let extensions = certificate.tbs_certificate.extensions.as_mut().unwrap();
        extensions.push(Extension {
            extn_id: ObjectIdentifier::new_unwrap("1.2.3.4"),
            critical: false,
            extn_value: filler,
        });
        Certificate::from_der(&certificate.to_der().unwrap())
    };
    assert!(with(15_000).is_ok());
    assert!(matches!(
        with(17_000),
        Err(Error::CertificateMalformed("too large"))
    ));
}

#[test]
fn refuses_an_unknown_extension_twice() {
    let campus = Campus::new();
    let with = |oids: &[&str]| {
        let mut certificate = parsed(campus.student("1155000001").leaf());
        let extensions = certificate.tbs_certificate.extensions.as_mut().unwrap();
        extensions.extend(oids.iter().map(|oid| Extension {
            extn_id: oid.parse().unwrap(),
            critical: false,
            extn_value: OctetString::new(vec![5, 0]).unwrap(),
        }));
        Certificate::from_der(&certificate.to_der().unwrap())
    };
    assert!(with(&["1.2.3.4", "1.2.3.5"]).is_ok());
    assert!(matches!(
        with(&["1.2.3.4", "1.2.3.5", "1.2.3.4"]),
        Err(Error::CertificateMalformed("extension repeated"))
    ));
}

#[test]
fn refuses_an_extension_twice() {
    let campus = Campus::new();
    let mut certificate = parsed(campus.student("1155000001").leaf());
    let extensions = certificate.tbs_certificate.extensions.as_mut().unwrap();
    extensions.push(extensions[0].clone());
    let der = certificate.to_der().unwrap();
    assert!(matches!(
        Certificate::from_der(&der),
        Err(Error::CertificateMalformed(_))
    ));
}

#[test]
fn finds_the_root_by_its_fingerprint() {
    let campus = Campus::new();
    let holder = campus.service(&ServiceName::cuhk());
    let root = campus.root.certificate();
    let chain = [holder.chain.certificates(), std::slice::from_ref(root)].concat();
    assert_eq!(root_in_chain(&chain, &root.fingerprint()), Some(root));
    let other = Campus::new().root.certificate().fingerprint();
    assert_eq!(root_in_chain(&chain, &other), None);
    assert_eq!(root_in_chain(&chain[..2], &root.fingerprint()), None);
}
