//! Detached CMS signatures (RFC 5652) in the one form that is written and accepted here.
//!
//! `SignedData` over `id-data` without content; one `SignerInfo` per signer, named by issuer and
//! serial number; SHA-256 and ECDSA; exactly the signed attributes content type, message digest,
//! signing time and signing certificate (RFC 5035); no unsigned attributes.

mod attributes;
mod certs_only;
mod join;
mod sign;
mod verify;

use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::EncapsulatedContentInfo;
use der::asn1::{ObjectIdentifier, SetOfVec};
use der::{Any, Decode, Encode, Sequence};
use x509_cert::spki::AlgorithmIdentifierOwned;

use crate::{Certificate, Error};

pub use certs_only::certs_only;
pub use join::join_detached;
pub use sign::sign_detached;
pub use verify::{DetachedSignature, Signer};

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");

/// Signers that a signature may have at most.
const MAX_SIGNERS: usize = 16;

/// `SignedData` (RFC 5652, section 5.1), the elements of its sets still encoded.
///
/// The type of the same name in the library sorts certificates and signers otherwise than DER
/// does (X.690, section 11.6): it compares the bytes of their encodings as if each were a number.
#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
struct SignedData {
    version: CmsVersion,
    digest_algorithms: SetOfVec<AlgorithmIdentifierOwned>,
    encap_content_info: EncapsulatedContentInfo,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    certificates: Option<SetOfVec<Any>>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    crls: Option<SetOfVec<Any>>,
    signer_infos: SetOfVec<Any>,
}

fn encoding(_: der::Error) -> Error {
    Error::CmsMalformed("cannot be encoded")
}

/// Detached `SignedData` in DER: the elements of its sets in the order of DER.
fn encode(infos: Vec<Any>, certificates: &[&Certificate]) -> der::Result<Vec<u8>> {
    let certificates = certificates.iter().map(|one| Any::from_der(one.der()));
    let signed_data = SignedData {
        version: CmsVersion::V1,
        digest_algorithms: SetOfVec::try_from(vec![sha256()])?,
        encap_content_info: EncapsulatedContentInfo {
            econtent_type: DATA,
            econtent: None,
        },
        certificates: Some(certificates.collect::<der::Result<Vec<_>>>()?.try_into()?),
        crls: None,
        signer_infos: infos.try_into()?,
    };
    ContentInfo {
        content_type: SIGNED_DATA,
        content: Any::encode_from(&signed_data)?,
    }
    .to_der()
}

/// SHA-256 without parameters (RFC 5754, section 2).
fn sha256() -> AlgorithmIdentifierOwned {
    AlgorithmIdentifierOwned {
        oid: SHA256,
        parameters: None,
    }
}

/// SHA-256; its parameters may be absent or NULL (RFC 5754, section 2).
fn is_sha256(algorithm: &AlgorithmIdentifierOwned) -> bool {
    algorithm.oid == SHA256
        && algorithm
            .parameters
            .as_ref()
            .is_none_or(|value| value.is_null())
}
