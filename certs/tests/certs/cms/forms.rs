//! A signature has one form; every other one is refused.

use cms::cert::{CertificateChoices, IssuerAndSerialNumber};
use cms::content_info::{CmsVersion, ContentInfo};
use cms::revocation::RevocationInfoChoices;
use cms::signed_data::{CertificateSet, SignedData, SignerIdentifier};
use der::asn1::{ObjectIdentifier, OctetString, SetOfVec};
use der::{Any, Decode, Encode};
use rcgen::{CertificateParams, CustomExtension};
use scb_certs::{Certificate, Error, IssuerKind, Serial};

use super::{CONTENT, Group, Sorted, altered, altered_infos, decoded, sign, verify};
use crate::campus::{new_key, swap_neighbours};

const SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");

#[test]
fn refuses_a_signer_without_a_certificate() {
    let group = Group::new();
    let none = altered(&group.sign_alone(), |signed_data| {
        signed_data.certificates = None
    });
    assert!(matches!(verify(&none), Err(Error::CmsMalformed(_))));
    let serial = Serial::random().unwrap();
    let unknown = altered_infos(&group.sign_alone(), |infos| {
        if let SignerIdentifier::IssuerAndSerialNumber(IssuerAndSerialNumber {
            serial_number,
            ..
        }) = &mut infos[0].sid
        {
            *serial_number =
                x509_cert::serial_number::SerialNumber::new(serial.as_bytes()).unwrap();
        }
    });
    assert!(matches!(verify(&unknown), Err(Error::CmsMalformed(_))));
}

#[test]
fn refuses_every_other_form() {
    let group = Group::new();
    let der = group.sign_alone();
    let attached = altered(&der, |signed_data| {
        let content = OctetString::new(CONTENT).unwrap();
        signed_data.encap_content_info.econtent = Some(Any::encode_from(&content).unwrap());
    });
    let other_content = altered(&der, |signed_data| {
        signed_data.encap_content_info.econtent_type = SHA512;
    });
    let with_crls = altered(&der, |signed_data| {
        signed_data.crls = Some(RevocationInfoChoices(SetOfVec::new()));
    });
    let other_digest = altered_infos(&der, |infos| infos[0].digest_alg.oid = SHA512);
    let other_digests = altered(&der, |signed_data| {
        let mut digests = signed_data.digest_algorithms.as_slice().to_vec();
        digests[0].oid = SHA512;
        signed_data.digest_algorithms = SetOfVec::try_from(digests).unwrap();
    });
    let other_algorithm = altered_infos(&der, |infos| infos[0].signature_algorithm.oid = RSA);
    let unsigned = altered_infos(&der, |infos| {
        infos[0].unsigned_attrs = infos[0].signed_attrs.clone();
    });
    let by_key_id = altered_infos(&der, |infos| {
        let id = OctetString::new(vec![1; 20]).unwrap();
        infos[0].sid = SignerIdentifier::SubjectKeyIdentifier(id.into());
    });
    let other_version = altered(&der, |signed_data| signed_data.version = CmsVersion::V3);
    let other_signer_version = altered_infos(&der, |infos| infos[0].version = CmsVersion::V3);
    for bad in [
        other_version,
        other_signer_version,
        attached,
        other_content,
        with_crls,
        other_digest,
        other_digests,
        other_algorithm,
        unsigned,
        by_key_id,
    ] {
        assert!(matches!(verify(&bad), Err(Error::CmsMalformed(_))));
    }
}

#[test]
fn refuses_other_bytes_around_it_and_large_ones() {
    let der = Group::new().sign_alone();
    for bad in [
        [&der[..], &[0]].concat(),
        der[..der.len() - 1].to_vec(),
        vec![],
        vec![0x30; 1024 * 1024],
    ] {
        assert!(matches!(verify(&bad), Err(Error::CmsMalformed(_))));
    }
}

/// The same signers in another order are other bytes: a signature has one encoding only.
#[test]
fn refuses_signers_that_are_not_sorted() {
    let group = Group::new();
    let mut der = group.sign();
    let content: Sorted = ContentInfo::from_der(&der)
        .unwrap()
        .content
        .decode_as()
        .unwrap();
    let infos: Vec<_> = content
        .signer_infos
        .iter()
        .map(|info| info.to_der().unwrap())
        .collect();
    assert!(infos.is_sorted());
    swap_neighbours(&mut der, &infos[0], &infos[1]);
    assert!(matches!(
        verify(&der),
        Err(Error::CmsMalformed("not in DER"))
    ));
}

fn add_certificates(signed_data: &mut SignedData, more: &[Certificate]) {
    let mut certificates = signed_data.certificates.take().unwrap().0.into_vec();
    certificates.extend(more.iter().map(|certificate| {
        let decoded = x509_cert::Certificate::from_der(certificate.der()).unwrap();
        CertificateChoices::Certificate(decoded)
    }));
    signed_data.certificates = Some(CertificateSet::try_from(certificates).unwrap());
}

#[test]
fn refuses_attributes_that_are_not_sorted() {
    let mut der = Group::new().sign_alone();
    let attributes: Vec<_> = decoded(&der).signer_infos.0.as_slice()[0]
        .signed_attrs
        .iter()
        .flat_map(|attributes| attributes.iter())
        .map(|attribute| attribute.to_der().unwrap())
        .collect();
    assert_eq!(attributes.len(), 4);
    assert!(verify(&der).is_ok());
    swap_neighbours(&mut der, &attributes[0], &attributes[1]);
    assert!(matches!(
        verify(&der),
        Err(Error::CmsMalformed("not in DER"))
    ));
}

/// A signature that carries so many certificates that nobody asked for.
fn with_more(group: &Group, parameters: &CertificateParams, count: usize) -> Vec<u8> {
    let forge = |_| {
        let chain = group.campus.forge(IssuerKind::Students, parameters);
        chain.leaf().clone()
    };
    let more: Vec<_> = (0..count).map(forge).collect();
    altered(&group.sign_alone(), |signed_data| {
        add_certificates(signed_data, &more)
    })
}

#[test]
fn refuses_too_many_certificates() {
    let group = Group::new();
    let parameters = group.campus.student_parameters();
    let with = |count| with_more(&group, &parameters, count);
    assert!(verify(&with(62)).is_ok());
    assert!(matches!(
        verify(&with(63)),
        Err(Error::CmsMalformed("too many certificates"))
    ));
}

#[test]
fn refuses_a_large_signature_that_is_well_formed() {
    let group = Group::new();
    let mut parameters = group.campus.student_parameters();
    let filler = OctetString::new(vec![0; 15_000]).unwrap().to_der().unwrap();
    parameters.custom_extensions = vec![CustomExtension::from_oid_content(&[1, 2, 3, 4], filler)];
    let with = |count| with_more(&group, &parameters, count);
    assert!(verify(&with(4)).is_ok());
    assert!(matches!(
        verify(&with(5)),
        Err(Error::CmsMalformed("too large"))
    ));
}

#[test]
fn refuses_two_certificates_of_one_issuer_and_serial_number() {
    let group = Group::new();
    let parameters = group.campus.student_parameters();
    let [first, second] = [(); 2].map(|()| group.campus.forge(IssuerKind::Students, &parameters));
    let der = sign(&first.key, &first.chain);
    assert!(verify(&der).is_ok());
    let der = altered(&der, |signed_data| {
        add_certificates(signed_data, std::slice::from_ref(second.leaf()))
    });
    assert!(matches!(verify(&der), Err(Error::CmsMalformed(_))));
}

/// Somebody puts certificates of the issuer's name and key identifier beside the issuer's: each would have to be
/// tried, for each signer.
#[test]
fn refuses_a_false_issuer_beside_the_true_one() {
    let group = Group::new();
    let students = &group.campus.students;
    let point = students.key().public_key().point().to_vec();
    let mut der = students.certificate().der().to_vec();
    let start = der.windows(point.len());
    let start = start.take_while(|window| *window != point).count();
    der[start..start + point.len()].copy_from_slice(new_key().public_key().point());
    let other_key = Certificate::from_der(&der).unwrap();
    let with = |more: &Certificate| {
        let more = std::slice::from_ref(more);
        altered(&group.sign_alone(), |signed_data| {
            add_certificates(signed_data, more)
        })
    };
    assert!(matches!(
        verify(&with(&other_key)),
        Err(Error::CmsMalformed("two authorities of one name"))
    ));
    let other = group.campus.services.certificate();
    assert_eq!(
        verify(&with(other)).unwrap()[0].chain,
        group.members[0].chain
    );
}
