//! Every way in which a profile may be broken by mistake is refused before the key signs it.

#![allow(clippy::unwrap_used)]

mod kinds;

use der::Tag;
use der::asn1::{Any, BitString, ObjectIdentifier, OctetString};
use rustls_pki_types::UnixTime;
use x509_cert::ext::Extension;
use x509_cert::time::Time;

use super::*;
use crate::authority::Authority;
use crate::profile::{SERVICE_PURPOSES, STUDENT_PURPOSES};
use crate::{Error, Issuer, IssuerKind, Root, Serial, ServiceName, leaf_validity};

const URI: &str = "spiffe://cuhk.example/student/1155000001";

fn now() -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000))
}

fn urls() -> DistributionUrls {
    DistributionUrls {
        crl: Some("http://cuhk.example/crl/students.crl".into()),
        ca: Some("http://cuhk.example/ca/students.cer".into()),
    }
}

fn issuer(kind: IssuerKind) -> Issuer {
    let domain = "cuhk.example".parse().unwrap();
    let root = Root::create(&domain, SigningKey::generate().unwrap(), now()).unwrap();
    let key = SigningKey::generate().unwrap();
    root.issue_issuer(kind, key, now(), &urls()).unwrap()
}

/// What a student's certificate contains.
fn profile(urls: &DistributionUrls) -> Profile<'_> {
    Profile {
        uri: URI.into(),
        authority: None,
        purposes: STUDENT_PURPOSES,
        longest: Validities::STUDENT_LIFETIME,
        hosts: false,
        urls,
    }
}

/// An honest student's certificate, and who issued it.
fn honest() -> (TbsCertificate, Issuer) {
    let issuer = issuer(IssuerKind::Students);
    let (key, serial) = (SigningKey::generate().unwrap(), Serial::random().unwrap());
    let validity = leaf_validity(now(), Validities::STUDENT_LIFETIME, issuer.certificate());
    let sid = "1155000001".parse().unwrap();
    let chain = issuer.issue_student(&sid, key.public_key(), &serial, &validity, &urls());
    let decoded = crate::parse::decode(chain.unwrap().leaf().der()).unwrap();
    (decoded.tbs_certificate, issuer)
}

/// What is found wrong with it after a change.
fn found(alter: impl FnOnce(&mut TbsCertificate)) -> Option<Defect> {
    let (mut tbs, issuer) = honest();
    alter(&mut tbs);
    let bytes = tbs.to_der().unwrap();
    check(
        &bytes,
        &profile(&urls()),
        Signer::Authority(issuer.certificate()),
    )
    .err()
}

/// Puts an extension in the place of the one of its kind.
fn put<T: Encode + AssociatedOid>(tbs: &mut TbsCertificate, critical: bool, value: &T) {
    remove(tbs, T::OID);
    tbs.extensions.as_mut().unwrap().push(Extension {
        extn_id: T::OID,
        critical,
        extn_value: OctetString::new(value.to_der().unwrap()).unwrap(),
    });
}

fn remove(tbs: &mut TbsCertificate, oid: ObjectIdentifier) {
    let extensions = tbs.extensions.as_mut().unwrap();
    extensions.retain(|one| one.extn_id != oid);
}

fn uri(text: &str) -> GeneralName {
    GeneralName::UniformResourceIdentifier(Ia5String::new(text).unwrap())
}

fn time(seconds: u64) -> Time {
    let date = der::DateTime::from_unix_duration(Duration::from_secs(seconds)).unwrap();
    Time::UtcTime(der::asn1::UtcTime::from_date_time(date).unwrap())
}

#[test]
fn an_honest_certificate_has_no_defect() {
    assert_eq!(found(|_| ()), None);
}

#[test]
fn what_is_not_well_formed_or_of_another_version_is_found() {
    let (tbs, issuer) = honest();
    let mut longer = tbs.to_der().unwrap();
    longer.push(0);
    let urls = urls();
    for bytes in [&longer[..], &longer[..20], b""] {
        let looked = check(
            bytes,
            &profile(&urls),
            Signer::Authority(issuer.certificate()),
        );
        assert_eq!(looked, Err(Defect::Encoding));
    }
    assert_eq!(
        found(|tbs| tbs.version = Version::V2),
        Some(Defect::Version)
    );
    let unique = BitString::from_bytes(&[1]).unwrap();
    let unique = found(|tbs| tbs.subject_unique_id = Some(unique));
    assert_eq!(unique, Some(Defect::Version));
}

#[test]
fn a_serial_number_that_could_be_guessed_or_is_too_long_is_found() {
    use x509_cert::serial_number::SerialNumber;
    let with = |bytes: &[u8]| {
        let serial = SerialNumber::new(bytes).unwrap();
        found(|tbs| tbs.serial_number = serial)
    };
    for bad in [&[0][..], &[1], &[0xff; 8], &[0, 0x7f, 1, 2, 3, 4, 5, 6, 7]] {
        assert_eq!(with(bad), Some(Defect::Serial), "{bad:?}");
    }
    for good in [&[1; 9][..], &[0xff; 16], &[0x7f; 20]] {
        assert_eq!(with(good), None, "{good:?}");
    }
    // The library writes no negative number: the sign bit is set by hand.
    let (mut tbs, issuer) = honest();
    tbs.serial_number = SerialNumber::new(&[0x55; 16]).unwrap();
    let mut bytes = tbs.to_der().unwrap();
    let place = bytes.windows(16).position(|seen| seen == [0x55; 16]);
    bytes[place.unwrap()] = 0xd5;
    let negative = check(
        &bytes,
        &profile(&urls()),
        Signer::Authority(issuer.certificate()),
    );
    assert!(matches!(negative, Err(Defect::Serial | Defect::Encoding)));
}

#[test]
fn another_algorithm_or_issuer_is_found() {
    let sha384 = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
    assert_eq!(
        found(|tbs| tbs.signature.oid = sha384),
        Some(Defect::Algorithm)
    );
    let null = Any::new(Tag::Null, []).unwrap();
    assert_eq!(
        found(|tbs| tbs.signature.parameters = Some(null)),
        Some(Defect::Algorithm)
    );
    assert_eq!(
        found(|tbs| tbs.issuer = tbs.subject.clone()),
        Some(Defect::Issuer)
    );
}

#[test]
fn a_validity_that_is_empty_too_long_or_beyond_the_issuer_s_is_found() {
    let (start, length) = (now().as_secs() - 600, 30 * 86_400 + 600);
    let lasting = |start: u64, end: u64| {
        found(|tbs| {
            tbs.validity.not_before = time(start);
            tbs.validity.not_after = time(end);
        })
    };
    assert_eq!(lasting(start, start + length), None);
    for (start, end) in [
        (start, start + length + 1),
        (start, start),
        (start, start - 1),
        (start + 1826 * 86_400, start + 1827 * 86_400),
    ] {
        assert_eq!(lasting(start, end), Some(Defect::Validity), "{start} {end}");
    }
}

#[test]
fn a_subject_of_another_form_is_found() {
    let long = format!("O=cuhk.example,CN={}", "x".repeat(65));
    for name in [
        "CN=1155000001",
        "O=cuhk.example",
        "CN=1155000001,O=cuhk.example,CN=1155000002",
        "O=cuhk.example,CN=",
        &long,
    ] {
        // RFC 4514 writes the last part first.
        let subject: x509_cert::name::Name = name.parse().unwrap();
        let defect = found(|tbs| tbs.subject = subject);
        assert_eq!(defect, Some(Defect::Subject), "{name}");
    }
}

#[test]
fn a_key_that_is_not_p256_or_is_the_authority_s_is_found() {
    let p384 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let p384 = rcgen::PublicKeyData::subject_public_key_info(&p384);
    let p384 = x509_cert::spki::SubjectPublicKeyInfoOwned::from_der(&p384).unwrap();
    assert_eq!(
        found(|tbs| tbs.subject_public_key_info = p384),
        Some(Defect::Key)
    );
    let (mut tbs, issuer) = honest();
    let own = crate::parse::decode(issuer.certificate().der()).unwrap();
    tbs.subject_public_key_info = own.tbs_certificate.subject_public_key_info;
    let bytes = tbs.to_der().unwrap();
    let looked = check(
        &bytes,
        &profile(&urls()),
        Signer::Authority(issuer.certificate()),
    );
    assert_eq!(looked, Err(Defect::Key));
}

#[test]
fn other_constraints_and_usages_are_found() {
    let constraints = |critical, ca, path_len_constraint| {
        let value = BasicConstraints {
            ca,
            path_len_constraint,
        };
        found(|tbs| put(tbs, critical, &value))
    };
    assert_eq!(constraints(true, false, None), None);
    for (critical, ca, length) in [
        (false, false, None),
        (true, true, None),
        (true, true, Some(0)),
    ] {
        let defect = constraints(critical, ca, length);
        assert_eq!(defect, Some(Defect::BasicConstraints));
    }
    let usage = |critical, usages| found(|tbs| put(tbs, critical, &KeyUsage(usages)));
    assert_eq!(usage(true, KeyUsages::DigitalSignature.into()), None);
    for (critical, usages) in [
        (false, KeyUsages::DigitalSignature.into()),
        (true, KeyUsages::DigitalSignature | KeyUsages::KeyCertSign),
        (true, KeyUsages::KeyAgreement.into()),
    ] {
        assert_eq!(usage(critical, usages), Some(Defect::KeyUsage));
    }
    let oids = |purposes: &[KeyPurpose]| {
        let oids = purposes.iter().map(|purpose| *purpose.oid().unwrap());
        let value = ExtendedKeyUsage(oids.collect());
        found(|tbs| put(tbs, false, &value))
    };
    assert_eq!(oids(STUDENT_PURPOSES), None);
    for purposes in [
        SERVICE_PURPOSES,
        &[KeyPurpose::ClientAuth],
        &[KeyPurpose::Any],
        &[
            KeyPurpose::ClientAuth,
            KeyPurpose::DocumentSigning,
            KeyPurpose::ServerAuth,
        ],
    ] {
        let defect = oids(purposes);
        assert_eq!(defect, Some(Defect::ExtendedKeyUsage), "{purposes:?}");
    }
}

#[test]
fn names_that_are_not_the_one_uri_are_found() {
    let host = || GeneralName::DnsName(Ia5String::new("cuhk.example").unwrap());
    for names in [
        vec![uri("spiffe://cuhk.example/student/1155000002")],
        vec![uri("spiffe://cuhk.example/service/cuhk")],
        vec![uri(URI), uri(URI)],
        vec![uri(URI), host()],
        vec![host()],
        vec![
            uri(URI),
            GeneralName::Rfc822Name(Ia5String::new("a@b").unwrap()),
        ],
    ] {
        let shown = format!("{names:?}");
        let defect = found(|tbs| put(tbs, false, &SubjectAltName(names)));
        assert_eq!(defect, Some(Defect::Name), "{shown}");
    }
}

#[test]
fn key_identifiers_that_lead_elsewhere_are_found() {
    let id = |bytes: &[u8]| OctetString::new(bytes).unwrap();
    for bytes in [&[1; 19][..], &[1; 21], b""] {
        let value = SubjectKeyIdentifier(id(bytes));
        let defect = found(|tbs| put(tbs, false, &value));
        assert_eq!(defect, Some(Defect::SubjectKeyId));
    }
    for key_identifier in [None, Some(id(&[1; 20]))] {
        let value = AuthorityKeyIdentifier {
            key_identifier,
            ..Default::default()
        };
        let defect = found(|tbs| put(tbs, false, &value));
        assert_eq!(defect, Some(Defect::AuthorityKeyId));
    }
}

#[test]
fn addresses_that_are_not_configured_are_found() {
    let other = distribution_point("http://elsewhere.example/students.crl").unwrap();
    assert_eq!(
        found(|tbs| put(tbs, false, &other)),
        Some(Defect::Distribution)
    );
    let other = issuer_access("http://elsewhere.example/students.cer").unwrap();
    assert_eq!(
        found(|tbs| put(tbs, false, &other)),
        Some(Defect::Distribution)
    );
    let without = found(|tbs| remove(tbs, CrlDistributionPoints::OID));
    assert_eq!(without, Some(Defect::Distribution));
}

#[test]
fn an_extension_that_is_missing_repeated_or_unknown_is_found() {
    for (oid, expected) in [
        (BasicConstraints::OID, Defect::BasicConstraints),
        (KeyUsage::OID, Defect::KeyUsage),
        (ExtendedKeyUsage::OID, Defect::ExtendedKeyUsage),
        (SubjectAltName::OID, Defect::Name),
        (SubjectKeyIdentifier::OID, Defect::SubjectKeyId),
        (AuthorityKeyIdentifier::OID, Defect::AuthorityKeyId),
    ] {
        assert_eq!(found(|tbs| remove(tbs, oid)), Some(expected));
    }
    let twice = found(|tbs| {
        let extensions = tbs.extensions.as_mut().unwrap();
        extensions.push(extensions[0].clone());
    });
    assert_eq!(twice, Some(Defect::Extension));
    let unknown = found(|tbs| {
        let extensions = tbs.extensions.as_mut().unwrap();
        let mut more = extensions[0].clone();
        more.extn_id = ObjectIdentifier::new_unwrap("2.5.29.36");
        extensions.push(more);
    });
    assert_eq!(unknown, Some(Defect::Extension));
}

#[test]
fn what_has_a_defect_is_never_signed() {
    let issuer = issuer(IssuerKind::Students);
    let authority = Authority::new(issuer.certificate().clone(), issuer.key().clone()).unwrap();
    let urls = urls();
    let wanted = profile(&urls);
    let id = URI.parse().unwrap();
    let serial = Serial::random().unwrap();
    let validity = leaf_validity(now(), Validities::STUDENT_LIFETIME, issuer.certificate());
    let certify = |alter: fn(&mut rcgen::CertificateParams)| {
        let made = crate::profile::leaf(&id, STUDENT_PURPOSES, &serial, &validity);
        let mut parameters = made.unwrap();
        crate::profile::add_urls(&mut parameters, &urls).unwrap();
        alter(&mut parameters);
        let key = SigningKey::generate().unwrap();
        authority.certify(&parameters, key.public_key(), &wanted)
    };
    certify(|_| ()).unwrap();
    for (alter, expected) in [
        (
            (|parameters| parameters.extended_key_usages.clear())
                as fn(&mut rcgen::CertificateParams),
            Defect::ExtendedKeyUsage,
        ),
        (
            |parameters| {
                parameters
                    .key_usages
                    .push(rcgen::KeyUsagePurpose::KeyCertSign)
            },
            Defect::KeyUsage,
        ),
        (
            |parameters| parameters.serial_number = Some(7.into()),
            Defect::Serial,
        ),
        (
            |parameters| parameters.not_after += Duration::from_secs(1),
            Defect::Validity,
        ),
        (
            |parameters| parameters.use_authority_key_identifier_extension = false,
            Defect::AuthorityKeyId,
        ),
        (
            |parameters| parameters.crl_distribution_points.clear(),
            Defect::Distribution,
        ),
    ] {
        match certify(alter) {
            Err(Error::ProfileBroken(defect)) => assert_eq!(defect, expected),
            other => panic!("{expected:?}: {other:?}"),
        }
    }
}

#[test]
fn a_service_that_lasts_too_long_is_refused_and_a_token_signer_has_no_host() {
    let issuer = issuer(IssuerKind::Services);
    let (key, serial) = (SigningKey::generate().unwrap(), Serial::random().unwrap());
    let validity = |days: u64| {
        let lifetime = Duration::from_secs(days * 86_400);
        leaf_validity(now(), lifetime, issuer.certificate())
    };
    let issue = |days| {
        let (name, dns) = (ServiceName::blackboard(), ["blackboard.example".to_owned()]);
        let validity = validity(days);
        let key = key.public_key();
        issuer.issue_service(&name, key, &serial, &validity, &dns, &[], &urls())
    };
    issue(90).unwrap();
    assert!(matches!(
        issue(91),
        Err(Error::ProfileBroken(Defect::Validity))
    ));
    let signer = issuer.issue_token_signer(key.public_key(), &serial, &validity(90), &urls());
    signer.unwrap();
}

#[test]
fn an_authority_says_where_its_roots_list_and_certificate_are() {
    let authority = issuer(IssuerKind::Students);
    let certificate = authority.certificate();
    assert_eq!(
        certificate.revocation_list_urls(),
        ["http://cuhk.example/crl/students.crl"]
    );
    assert_eq!(
        certificate.issuer_urls(),
        ["http://cuhk.example/ca/students.cer"]
    );
    assert!(authority.root().issuer_urls().is_empty());
}
