//! Detached signatures: one of three members, and everything that may be done to it on the way.

mod attributes;
mod forms;
mod joining;
mod signing;

use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::{EncapsulatedContentInfo, SignedData, SignerInfo, SignerInfos};
use der::asn1::{OctetString, SetOfVec};
use der::{Any, Decode, Encode, Sequence};
use rustls_pki_types::UnixTime;
use scb_certs::{Chain, DetachedSignature, Error, Signer, SigningKey, sign_detached};
use x509_cert::attr::{Attribute, Attributes};

use crate::campus::{Campus, Holder, now};

pub(super) const CONTENT: &[u8] = b"{\"type\":\"statement\"}";

pub(super) struct Group {
    pub(super) campus: Campus,
    pub(super) members: Vec<Holder>,
}

impl Group {
    pub(super) fn new() -> Self {
        let campus = Campus::new();
        let ids = ["1155000001", "1155000002", "1155000003"];
        let members = ids.iter().map(|id| campus.student(id)).collect();
        Self { campus, members }
    }

    pub(super) fn sign(&self) -> Vec<u8> {
        self.sign_at(now())
    }

    pub(super) fn sign_at(&self, time: UnixTime) -> Vec<u8> {
        let signers: Vec<_> = self.members.iter().map(|m| (&m.key, &m.chain)).collect();
        sign_detached(CONTENT, &signers, time).unwrap()
    }

    pub(super) fn sign_alone(&self) -> Vec<u8> {
        sign(&self.members[0].key, &self.members[0].chain)
    }
}

pub(super) fn sign(key: &SigningKey, chain: &Chain) -> Vec<u8> {
    sign_detached(CONTENT, &[(key, chain)], now()).unwrap()
}

pub(super) fn verify(der: &[u8]) -> Result<Vec<Signer>, Error> {
    DetachedSignature::parse(der)?.verify(CONTENT)
}

pub(super) fn decoded(der: &[u8]) -> SignedData {
    ContentInfo::from_der(der)
        .unwrap()
        .content
        .decode_as()
        .unwrap()
}

pub(super) fn altered(der: &[u8], alter: impl FnOnce(&mut SignedData)) -> Vec<u8> {
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
pub(super) struct Sorted {
    version: CmsVersion,
    digest_algorithms: SetOfVec<Any>,
    encap_content_info: EncapsulatedContentInfo,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    certificates: Option<SetOfVec<Any>>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    crls: Option<SetOfVec<Any>>,
    signer_infos: SetOfVec<Any>,
}

pub(super) fn altered_infos(der: &[u8], alter: impl FnOnce(&mut Vec<SignerInfo>)) -> Vec<u8> {
    altered(der, |signed_data| {
        let mut infos = signed_data.signer_infos.0.as_slice().to_vec();
        alter(&mut infos);
        signed_data.signer_infos = SignerInfos::try_from(infos).unwrap();
    })
}

/// Replaces the only signer's attributes and signs them anew with `key`.
pub(super) fn resigned(
    der: &[u8],
    key: &SigningKey,
    alter: impl FnOnce(&mut Vec<Attribute>),
) -> Vec<u8> {
    altered_infos(der, |infos| {
        let mut attributes = infos[0].signed_attrs.as_ref().unwrap().as_slice().to_vec();
        alter(&mut attributes);
        let attributes = Attributes::try_from(attributes).unwrap();
        let signature = key.sign_der(&attributes.to_der().unwrap()).unwrap();
        infos[0].signature = OctetString::new(signature).unwrap();
        infos[0].signed_attrs = Some(attributes);
    })
}
