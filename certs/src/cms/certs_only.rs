//! Certificates in the container in which EST hands them out (RFC 7030, section 4.1.3).

use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::EncapsulatedContentInfo;
use der::asn1::SetOfVec;
use der::{Any, Decode, Encode};

use super::{DATA, SIGNED_DATA, SignedData};
use crate::{Certificate, Error};

/// Certificates as a certs-only message (RFC 5272, section 4.1): `SignedData` in DER that nobody
/// signed. Their order is that of DER, not the one given.
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
    let signed_data = SignedData {
        version: CmsVersion::V1,
        digest_algorithms: SetOfVec::new(),
        encap_content_info: EncapsulatedContentInfo {
            econtent_type: DATA,
            econtent: None,
        },
        certificates: Some(certificates.collect::<der::Result<Vec<_>>>()?.try_into()?),
        crls: None,
        signer_infos: SetOfVec::new(),
    };
    ContentInfo {
        content_type: SIGNED_DATA,
        content: Any::encode_from(&signed_data)?,
    }
    .to_der()
}
