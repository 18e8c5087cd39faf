//! Certificates in the container in which EST hands them out (RFC 7030, section 4.1.3).

use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::EncapsulatedContentInfo;
use der::asn1::SetOfVec;
use der::{Any, Decode, Encode, Sequence};
use x509_cert::spki::AlgorithmIdentifierOwned;

use super::{DATA, SIGNED_DATA};
use crate::{Certificate, Error};

/// `SignedData` that nobody signed. Its certificates stay in their order: CMS is BER, where a set has any.
#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
struct CertsOnly {
    version: CmsVersion,
    digest_algorithms: SetOfVec<AlgorithmIdentifierOwned>,
    encap_content_info: EncapsulatedContentInfo,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    certificates: Option<Vec<Any>>,
    signer_infos: SetOfVec<Any>,
}

/// Certificates as a certs-only message (RFC 5272, section 4.1): `SignedData` that nobody signed. They are in the
/// order in which they are given: of two for the same name and key `openssl` goes by the first.
///
/// # Errors
/// [`Error::CmsDuplicate`] if a certificate is given twice; [`Error::CmsMalformed`].
pub fn certs_only(certificates: &[&Certificate]) -> Result<Vec<u8>, Error> {
    for (index, certificate) in certificates.iter().enumerate() {
        if certificates[..index].contains(certificate) {
            return Err(Error::CmsDuplicate);
        }
    }
    encode(certificates).map_err(|_| Error::CmsMalformed("cannot be encoded"))
}

fn encode(certificates: &[&Certificate]) -> der::Result<Vec<u8>> {
    let certificates = certificates.iter().map(|one| Any::from_der(one.der()));
    let signed_data = CertsOnly {
        version: CmsVersion::V1,
        digest_algorithms: SetOfVec::new(),
        encap_content_info: EncapsulatedContentInfo {
            econtent_type: DATA,
            econtent: None,
        },
        certificates: Some(certificates.collect::<der::Result<Vec<_>>>()?),
        signer_infos: SetOfVec::new(),
    };
    ContentInfo {
        content_type: SIGNED_DATA,
        content: Any::encode_from(&signed_data)?,
    }
    .to_der()
}
