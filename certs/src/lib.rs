//! Names, keys, certificates, revocation lists and CMS signatures, and their verification.
//!
//! Everything about X.509 that the roles share: SPIFFE names, P-256 keys and their files, the
//! certificate profiles, the issuing authorities, revocation lists, the trust store and detached
//! CMS signatures.
//!
//! What it never does: open a socket, open a database, read the clock (time is an argument), take
//! a name from a common name or from a certificate request, or accept an algorithm other than
//! ECDSA on P-256 with SHA-256. ASN.1 goes through libraries; no byte of it is written by hand.

mod authority;
mod certificate;
mod certificate_error;
mod chain;
mod cms;
mod crl;
mod cross;
mod ed25519;
mod error;
mod examination;
mod fingerprint;
mod issuer;
mod key;
mod key_usage;
mod keyfile;
mod known;
mod lint;
mod name;
mod parse;
mod passphrase;
mod profile;
mod public_key;
mod request;
mod serial;
mod spiffe;
mod trust;
mod validity;
mod verified;

pub use certificate::{Certificate, all_from_pem};
pub use certificate_error::CertificateError;
pub use chain::{Chain, root_in_chain};
pub use cms::{DetachedSignature, Signer, certs_only, join_detached, sign_detached};
pub use crl::{Crl, MAX_CRL_SIZE, RevocationReason, RevokedEntry};
pub use cross::{check_cross, may_certify_root};
pub use ed25519::Ed25519Seed;
pub use error::Error;
pub use examination::examine_client;
pub use fingerprint::Fingerprint;
pub use issuer::{Issuer, IssuerKind, Root};
pub use key::{SigningKey, is_private_key};
pub use key_usage::KeyPurpose;
pub use keyfile::{is_encrypted, read_private, write_private};
pub use lint::Defect;
pub use name::{ServiceName, StudentId, TrustDomain};
pub use passphrase::Passphrase;
pub use profile::DistributionUrls;
pub use public_key::PublicKey;
pub use request::{VerifiedRequest, create_request};
pub use serial::Serial;
pub use spiffe::{Identity, SpiffeId};
pub use trust::{MAX_ROOTS, ServiceUsage, TrustStore};
pub use validity::{Validities, Validity, leaf_validity};
pub use verified::{VerifiedPeer, VerifiedService, VerifiedStudent};
