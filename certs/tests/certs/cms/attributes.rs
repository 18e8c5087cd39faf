//! The signed attributes: exactly ours, and about the certificate that signs.

use cms::cert::IssuerAndSerialNumber;
use cms::signed_data::{SignerIdentifier, SignerInfos};
use der::asn1::{ObjectIdentifier, OctetString, SetOfVec};
use der::{Any, Sequence};
use scb_certs::{Error, Fingerprint, Serial, sign_detached};
use x509_cert::attr::Attribute;
use x509_cert::ext::pkix::name::{GeneralName, GeneralNames};
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::AlgorithmIdentifierOwned;

use super::{CONTENT, Group, altered, altered_infos, decoded, resigned, sign, verify};
use crate::campus::{in_days, no_urls, sid};

const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");
const SIGNING_CERTIFICATE: &str = "1.2.840.113549.1.9.16.2.47";
const SIGNING_TIME: &str = "1.2.840.113549.1.9.5";

#[test]
fn refuses_a_signature_without_signed_attributes() {
    let group = Group::new();
    let signature = group.members[0].key.sign_der(CONTENT).unwrap();
    let der = altered_infos(&group.sign_alone(), |infos| {
        infos[0].signed_attrs = None;
        infos[0].signature = OctetString::new(signature).unwrap();
    });
    assert!(matches!(
        verify(&der),
        Err(Error::CmsMalformed("no signed attributes"))
    ));
}

#[test]
fn refuses_altered_attributes() {
    let group = Group::new();
    let later = decoded(&sign_later(&group)).signer_infos.0.as_slice()[0].clone();
    let der = altered_infos(&group.sign_alone(), |infos| {
        infos[0].signed_attrs = later.signed_attrs
    });
    assert!(matches!(verify(&der), Err(Error::CmsSignature)));
}

fn sign_later(group: &Group) -> Vec<u8> {
    let member = &group.members[0];
    sign_detached(CONTENT, &[(&member.key, &member.chain)], in_days(1)).unwrap()
}

#[test]
fn refuses_attributes_that_are_not_exactly_ours() {
    let group = Group::new();
    let key = &group.members[0].key;
    let der = group.sign_alone();
    assert!(verify(&resigned(&der, key, |_| {})).is_ok());
    for index in 0..4 {
        let missing = resigned(&der, key, |attributes| {
            attributes.remove(index);
        });
        assert!(matches!(verify(&missing), Err(Error::CmsMalformed(_))));
    }
    let unknown = resigned(&der, key, |attributes| {
        let oid = ObjectIdentifier::new_unwrap("1.2.3.4");
        attributes.push(Attribute {
            oid,
            values: attributes[0].values.clone(),
        });
    });
    assert!(matches!(verify(&unknown), Err(Error::CmsMalformed(_))));
    let in_place_of_another = resigned(&der, key, |attributes| {
        attributes[0].oid = ObjectIdentifier::new_unwrap("1.2.3.4");
    });
    assert!(matches!(
        verify(&in_place_of_another),
        Err(Error::CmsMalformed(_))
    ));
    let no_value = resigned(&der, key, |attributes| {
        attributes[0].values = SetOfVec::new()
    });
    assert!(matches!(verify(&no_value), Err(Error::CmsMalformed(_))));
    let wrong_value = resigned(&der, key, |attributes| {
        let values = attributes
            .iter()
            .find(|a| is(a, SIGNING_CERTIFICATE))
            .unwrap();
        let values = values.values.clone();
        attributes
            .iter_mut()
            .find(|a| is(a, SIGNING_TIME))
            .unwrap()
            .values = values;
    });
    assert!(matches!(verify(&wrong_value), Err(Error::CmsMalformed(_))));
}

#[test]
fn refuses_attributes_that_name_another_certificate() {
    let group = Group::new();
    let other = sign(&group.members[1].key, &group.members[1].chain);
    let other = decoded(&other).signer_infos.0.as_slice()[0].clone();
    let der = resigned(&group.sign_alone(), &group.members[0].key, |attributes| {
        *attributes = other.signed_attrs.unwrap().into_vec();
    });
    assert!(matches!(verify(&der), Err(Error::CmsCertificate)));
}

/// Two certificates of one key: the signature fits both, the signing certificate only one.
#[test]
fn refuses_another_certificate_of_the_same_key() {
    let group = Group::new();
    let (campus, member) = (&group.campus, &group.members[0]);
    let other = campus.students.issue_student(
        &sid("1155000009"),
        member.key.public_key(),
        &Serial::random().unwrap(),
        &campus.student_validity(),
        &no_urls(),
    );
    let other = decoded(&sign(&member.key, &other.unwrap()));
    let der = altered(&group.sign_alone(), |signed_data| {
        signed_data.certificates = other.certificates.clone();
        let mut infos = signed_data.signer_infos.0.as_slice().to_vec();
        infos[0].sid = other.signer_infos.0.as_slice()[0].sid.clone();
        signed_data.signer_infos = SignerInfos::try_from(infos).unwrap();
    });
    assert!(matches!(verify(&der), Err(Error::CmsCertificate)));
}

/// `SigningCertificateV2` (RFC 5035, section 3).
#[derive(Clone, Sequence)]
struct SigningCertificate {
    certificates: Vec<CertificateId>,
    policies: Option<Any>,
}

/// `ESSCertIDv2` (RFC 5035, section 4).
#[derive(Clone, Sequence)]
struct CertificateId {
    hash_algorithm: Option<AlgorithmIdentifierOwned>,
    hash: OctetString,
    issuer_serial: Option<IssuerSerial>,
}

/// `IssuerSerial` (RFC 5035, section 4).
#[derive(Clone, Sequence)]
struct IssuerSerial {
    issuer: GeneralNames,
    serial_number: SerialNumber,
}

/// The first member's signature with another signing certificate attribute.
fn with_signing_certificate(group: &Group, attribute: &SigningCertificate) -> Vec<u8> {
    let value = Any::encode_from(attribute).unwrap();
    resigned(&group.sign_alone(), &group.members[0].key, |attributes| {
        let found = attributes.iter_mut().find(|a| is(a, SIGNING_CERTIFICATE));
        found.unwrap().values = SetOfVec::try_from(vec![value]).unwrap();
    })
}

fn signer_of(group: &Group) -> IssuerAndSerialNumber {
    let info = decoded(&group.sign_alone()).signer_infos.0.as_slice()[0].clone();
    match info.sid {
        SignerIdentifier::IssuerAndSerialNumber(id) => id,
        SignerIdentifier::SubjectKeyIdentifier(_) => unreachable!(),
    }
}

#[test]
fn the_signing_certificate_may_be_spelt_out_but_not_differ() {
    let group = Group::new();
    let signer = signer_of(&group);
    let fingerprint = group.members[0].leaf().fingerprint();
    let plain = CertificateId {
        hash_algorithm: None,
        hash: OctetString::new(*fingerprint.as_bytes()).unwrap(),
        issuer_serial: None,
    };
    let algorithm = |oid| {
        Some(AlgorithmIdentifierOwned {
            oid,
            parameters: None,
        })
    };
    let issuer_serial = |serial_number: &SerialNumber, name: GeneralName| {
        Some(IssuerSerial {
            issuer: vec![name],
            serial_number: serial_number.clone(),
        })
    };
    let issuer = GeneralName::DirectoryName(signer.issuer.clone());
    let dns = GeneralName::DnsName(der::asn1::Ia5String::new("cuhk.example").unwrap());
    let other = SerialNumber::new(Serial::random().unwrap().as_bytes()).unwrap();
    let attempt = |certificates: Vec<CertificateId>, policies: Option<Any>| {
        verify(&with_signing_certificate(
            &group,
            &SigningCertificate {
                certificates,
                policies,
            },
        ))
    };
    let with = |change: &dyn Fn(&mut CertificateId)| {
        let mut id = plain.clone();
        change(&mut id);
        attempt(vec![id], None)
    };

    assert!(with(&|_| {}).is_ok());
    assert!(with(&|id| id.hash_algorithm = algorithm(SHA256)).is_ok());
    assert!(
        with(&|id| id.issuer_serial = issuer_serial(&signer.serial_number, issuer.clone())).is_ok()
    );
    let refused = with(&|id| id.hash_algorithm = algorithm(SHA512));
    assert!(matches!(refused, Err(Error::CmsMalformed(_))));
    let other_hash = Fingerprint::of(b"another");
    let refused = with(&|id| id.hash = OctetString::new(*other_hash.as_bytes()).unwrap());
    assert!(matches!(refused, Err(Error::CmsCertificate)));
    let refused = with(&|id| id.issuer_serial = issuer_serial(&other, issuer.clone()));
    assert!(matches!(refused, Err(Error::CmsCertificate)));
    let refused = with(&|id| id.issuer_serial = issuer_serial(&signer.serial_number, dns.clone()));
    assert!(matches!(refused, Err(Error::CmsCertificate)));
    for (certificates, policies) in [
        (vec![], None),
        (vec![plain.clone(), plain.clone()], None),
        (
            vec![plain.clone()],
            Some(Any::encode_from(&Vec::<Any>::new()).unwrap()),
        ),
    ] {
        let refused = attempt(certificates, policies);
        assert!(matches!(refused, Err(Error::CmsMalformed(_))));
    }
}

fn is(attribute: &Attribute, oid: &str) -> bool {
    attribute.oid.to_string() == oid
}
