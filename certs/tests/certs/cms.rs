//! Detached signatures: one of three members, and everything that may be done to it on the way.

use cms::cert::{CertificateChoices, IssuerAndSerialNumber};
use cms::content_info::{CmsVersion, ContentInfo};
use cms::revocation::RevocationInfoChoices;
use cms::signed_data::{
    CertificateSet, EncapsulatedContentInfo, SignedData, SignerIdentifier, SignerInfo, SignerInfos,
};
use der::asn1::{ObjectIdentifier, OctetString, SetOfVec};
use der::{Any, Decode, Encode, Sequence};
use rustls_pki_types::UnixTime;
use scb_certs::{
    Chain, DetachedSignature, Error, Fingerprint, Serial, Signer, SigningKey, sign_detached,
};
use x509_cert::attr::{Attribute, Attributes};

use crate::campus::{Campus, Holder, in_days, no_urls, now, seconds, sid};

const CONTENT: &[u8] = b"{\"type\":\"statement\"}";
const SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const SIGNING_CERTIFICATE: &str = "1.2.840.113549.1.9.16.2.47";
const SIGNING_TIME: &str = "1.2.840.113549.1.9.5";

struct Group {
    campus: Campus,
    members: Vec<Holder>,
}

impl Group {
    fn new() -> Self {
        let campus = Campus::new();
        let ids = ["1155000001", "1155000002", "1155000003"];
        let members = ids.iter().map(|id| campus.student(id)).collect();
        Self { campus, members }
    }

    fn sign(&self) -> Vec<u8> {
        self.sign_at(now())
    }

    fn sign_at(&self, time: UnixTime) -> Vec<u8> {
        let signers: Vec<_> = self.members.iter().map(|m| (&m.key, &m.chain)).collect();
        sign_detached(CONTENT, &signers, time).unwrap()
    }

    fn sign_alone(&self) -> Vec<u8> {
        sign(&self.members[0].key, &self.members[0].chain)
    }
}

fn sign(key: &SigningKey, chain: &Chain) -> Vec<u8> {
    sign_detached(CONTENT, &[(key, chain)], now()).unwrap()
}

fn verify(der: &[u8]) -> Result<Vec<Signer>, Error> {
    DetachedSignature::parse(der)?.verify(CONTENT)
}

fn decoded(der: &[u8]) -> SignedData {
    ContentInfo::from_der(der)
        .unwrap()
        .content
        .decode_as()
        .unwrap()
}

fn altered(der: &[u8], alter: impl FnOnce(&mut SignedData)) -> Vec<u8> {
    let mut content_info = ContentInfo::from_der(der).unwrap();
    let mut signed_data = decoded(der);
    alter(&mut signed_data);
    let encoded = Any::encode_from(&signed_data).unwrap();
    let sorted: Sorted = encoded.decode_as().unwrap();
    content_info.content = Any::encode_from(&sorted).unwrap();
    content_info.to_der().unwrap()
}

/// `SignedData` whose sets are sorted as DER wants it, unlike those of the library.
#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
struct Sorted {
    version: CmsVersion,
    digest_algorithms: SetOfVec<Any>,
    encap_content_info: EncapsulatedContentInfo,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    certificates: Option<SetOfVec<Any>>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    crls: Option<SetOfVec<Any>>,
    signer_infos: SetOfVec<Any>,
}

fn altered_infos(der: &[u8], alter: impl FnOnce(&mut Vec<SignerInfo>)) -> Vec<u8> {
    altered(der, |signed_data| {
        let mut infos = signed_data.signer_infos.0.as_slice().to_vec();
        alter(&mut infos);
        signed_data.signer_infos = SignerInfos::try_from(infos).unwrap();
    })
}

/// Replaces the only signer's attributes and signs them anew with `key`.
fn resigned(der: &[u8], key: &SigningKey, alter: impl FnOnce(&mut Vec<Attribute>)) -> Vec<u8> {
    altered_infos(der, |infos| {
        let mut attributes = infos[0].signed_attrs.as_ref().unwrap().as_slice().to_vec();
        alter(&mut attributes);
        let attributes = Attributes::try_from(attributes).unwrap();
        let signature = key.sign_der(&attributes.to_der().unwrap()).unwrap();
        infos[0].signature = OctetString::new(signature).unwrap();
        infos[0].signed_attrs = Some(attributes);
    })
}

fn is(attribute: &Attribute, oid: &str) -> bool {
    attribute.oid.to_string() == oid
}

#[test]
fn every_member_is_a_signer() {
    let group = Group::new();
    let signers = verify(&group.sign()).unwrap();
    assert_eq!(signers.len(), 3);
    for member in &group.members {
        let signer = signers
            .iter()
            .find(|s| s.certificate == *member.leaf())
            .unwrap();
        assert_eq!(signer.chain, member.chain);
        assert_eq!(signer.claimed_time, now());
        let student = group
            .campus
            .strict_trust()
            .verify_student(&signer.chain, now())
            .unwrap();
        assert_eq!(student.certificate(), member.leaf());
    }
}

#[test]
fn carries_each_certificate_once() {
    let certificates = decoded(&Group::new().sign()).certificates.unwrap();
    assert_eq!(certificates.0.len(), 4);
}

#[test]
fn a_root_in_the_chain_stays_there() {
    let group = Group::new();
    let member = &group.members[0];
    let certificates = [
        member.chain.certificates(),
        &[group.campus.root.certificate().clone()],
    ]
    .concat();
    let chain = Chain::new(certificates).unwrap();
    let signers = verify(&sign(&member.key, &chain)).unwrap();
    assert_eq!(signers[0].chain, chain);
    assert!(
        group
            .campus
            .strict_trust()
            .verify_student(&signers[0].chain, now())
            .is_ok()
    );
}

#[test]
fn a_signature_after_2049_has_its_time() {
    let group = Group::new();
    let time = seconds(2_600_000_000);
    assert_eq!(verify(&group.sign_at(time)).unwrap()[0].claimed_time, time);
}

#[test]
fn an_empty_content_can_be_signed() {
    let group = Group::new();
    let member = &group.members[0];
    let der = sign_detached(b"", &[(&member.key, &member.chain)], now()).unwrap();
    let signature = DetachedSignature::parse(&der).unwrap();
    assert!(signature.verify(b"").is_ok());
    assert!(matches!(signature.verify(b"\0"), Err(Error::CmsContent)));
}

#[test]
fn refuses_altered_content() {
    let signature = DetachedSignature::parse(&Group::new().sign()).unwrap();
    assert!(signature.verify(CONTENT).is_ok());
    for content in [&CONTENT[1..], b"", b"{\"type\":\"statemenu\"}"] {
        assert!(matches!(signature.verify(content), Err(Error::CmsContent)));
    }
}

#[test]
fn a_removed_signer_is_missing_from_the_list() {
    let group = Group::new();
    let der = altered_infos(&group.sign(), |infos| {
        infos.pop();
    });
    assert_eq!(verify(&der).unwrap().len(), 2);
    let none = altered_infos(&group.sign(), Vec::clear);
    assert!(matches!(verify(&none), Err(Error::CmsMalformed(_))));
}

#[test]
fn refuses_the_same_signer_twice() {
    let group = Group::new();
    let later = decoded(&group.sign_at(in_days(1))).signer_infos.0;
    for info in later.as_slice() {
        let der = altered_infos(&group.sign(), |infos| infos.push(info.clone()));
        assert!(matches!(verify(&der), Err(Error::CmsDuplicate)));
    }
}

#[test]
fn refuses_swapped_signatures_and_swapped_signers() {
    let group = Group::new();
    let signatures = altered_infos(&group.sign(), |infos| {
        let first = infos[0].signature.clone();
        infos[0].signature = infos[1].signature.clone();
        infos[1].signature = first;
    });
    assert!(matches!(verify(&signatures), Err(Error::CmsSignature)));
    let signers = altered_infos(&group.sign(), |infos| {
        let first = infos[0].sid.clone();
        infos[0].sid = infos[1].sid.clone();
        infos[1].sid = first;
    });
    assert!(matches!(verify(&signers), Err(Error::CmsSignature)));
}

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
fn a_chain_may_lack_its_issuer_and_is_not_trusted_then() {
    let group = Group::new();
    let leaf = group.members[0].leaf().clone();
    let der = altered(&group.sign_alone(), |signed_data| {
        let own = x509_cert::Certificate::from_der(leaf.der()).unwrap();
        let only = vec![CertificateChoices::Certificate(own)];
        signed_data.certificates = Some(CertificateSet::try_from(only).unwrap());
    });
    let signers = verify(&der).unwrap();
    assert_eq!(signers[0].chain.certificates(), [leaf]);
    assert!(
        group
            .campus
            .trust()
            .verify_student(&signers[0].chain, now())
            .is_err()
    );
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
    for bad in [
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
    let sorted = [&infos[0][..], &infos[1]].concat();
    let swapped = [&infos[1][..], &infos[0]].concat();
    let start = der
        .windows(sorted.len())
        .position(|window| window == sorted)
        .unwrap();
    der[start..start + sorted.len()].copy_from_slice(&swapped);
    assert!(matches!(
        verify(&der),
        Err(Error::CmsMalformed("not in DER"))
    ));
}

#[test]
fn refuses_to_sign_what_nobody_would_accept() {
    let group = Group::new();
    let [first, second, _] = group.members.as_slice() else {
        unreachable!()
    };
    let sign = |signers: &[(&SigningKey, &Chain)]| sign_detached(CONTENT, signers, now());
    assert!(matches!(sign(&[]), Err(Error::CmsMalformed(_))));
    assert!(matches!(
        sign(&[(&first.key, &second.chain)]),
        Err(Error::KeyMismatch)
    ));
    let own = (&first.key, &first.chain);
    assert!(matches!(sign(&[own, own]), Err(Error::CmsDuplicate)));
    assert!(matches!(sign(&[own; 17]), Err(Error::CmsMalformed(_))));
}

#[test]
fn the_digest_is_that_of_the_content() {
    let der = Group::new().sign_alone();
    let digest = Fingerprint::of(CONTENT);
    assert!(der.windows(32).any(|window| window == digest.as_bytes()));
}
