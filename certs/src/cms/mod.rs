//! Detached CMS signatures (RFC 5652) in the one form that is written and accepted here.
//!
//! `SignedData` over `id-data` without content; one `SignerInfo` per signer, named by issuer and
//! serial number; SHA-256 and ECDSA; exactly the signed attributes content type, message digest,
//! signing time and signing certificate (RFC 5035); no unsigned attributes.

mod attributes;
mod sign;
mod verify;

use cms::signed_data::SignerInfo;
use der::asn1::ObjectIdentifier;
use x509_cert::spki::AlgorithmIdentifierOwned;

pub use sign::sign_detached;
pub use verify::{DetachedSignature, MAX_SIGNATURE_SIZE, Signer};

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");

/// Signers that a signature may have at most.
const MAX_SIGNERS: usize = 16;

type Infos = der::asn1::SetOfVec<SignerInfo>;

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
