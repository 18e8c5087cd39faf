//! What goes wrong in this crate, each with its cause kept; whom not to trust is told in `certificate_error`.

use std::io;
use std::path::PathBuf;

/// What goes wrong with names, keys, certificates, revocation lists and signatures.
///
/// Whether a certificate is *trusted* is another question: see [`crate::CertificateError`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name does not have the form of its kind. The text itself is not repeated here.
    #[error("not a valid {kind}: expected {expected}")]
    NameInvalid {
        /// What the name should have been, such as `student ID`.
        kind: &'static str,
        /// The form that was expected.
        expected: &'static str,
    },
    /// Text that should be a SHA-256 fingerprint is not one.
    #[error("not a SHA-256 fingerprint: expected 64 hexadecimal digits")]
    FingerprintInvalid,
    /// Text or bytes that should be a certificate serial number are not one.
    #[error("not a serial number: expected 1 to 20 bytes, not zero")]
    SerialInvalid,
    /// A URL for revocation lists or for the issuer's certificate is not plain HTTP(S) in ASCII.
    #[error("not an http or https address in ASCII")]
    UrlInvalid,
    /// A host name for a service certificate is not a DNS name.
    #[error("not a DNS name: {0:?}")]
    DnsNameInvalid(String),
    /// A time lies outside the years that a certificate can express.
    #[error("time cannot be expressed in a certificate")]
    TimeOutOfRange,
    /// Text that should be a revocation reason is not one.
    #[error("not a revocation reason")]
    ReasonInvalid,

    /// The operating system gave no random bytes.
    #[error("no random bytes from the operating system")]
    Random,
    /// A private or public key cannot be decoded.
    #[error("key cannot be decoded")]
    KeyMalformed,
    /// A key is not P-256 as an uncompressed point on the named curve.
    #[error("key is not P-256 with a named curve")]
    KeyUnsupported,
    /// The private key is encrypted and no passphrase was given.
    #[error("the private key is encrypted: a passphrase is needed")]
    PassphraseNeeded,
    /// The passphrase does not decrypt the private key.
    #[error("wrong passphrase for the private key")]
    WrongPassphrase,
    /// The private key could not be encrypted.
    #[error("the private key could not be encrypted")]
    KeyEncryption,
    /// Signing failed.
    #[error("signing failed")]
    Signing,
    /// A signature does not match.
    #[error("signature does not match")]
    BadSignature,
    /// The private key is not the one whose public key is in the certificate.
    #[error("the private key does not belong to the certificate")]
    KeyMismatch,

    /// There is a file already where a private key should go; it was left as it is.
    #[error("{} exists already: a private key is never overwritten", path.display())]
    KeyFileExists {
        /// The file.
        path: PathBuf,
    },
    /// A private key file that other users can read.
    #[error("{} can be read by other users (mode {mode:04o}): run chmod 600 {}", path.display(), path.display())]
    KeyFileReadable {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A private key file is far larger than any key.
    #[error("{} is too large for a private key", path.display())]
    KeyFileTooLarge {
        /// The file.
        path: PathBuf,
    },
    /// A private key file could not be read or written.
    #[error("cannot {action} {}", path.display())]
    KeyFile {
        /// What was attempted, such as `read`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },

    /// A certificate cannot be decoded; says which part.
    #[error("certificate cannot be decoded: {0}")]
    CertificateMalformed(&'static str),
    /// A certificate chain is empty or longer than four.
    #[error("a certificate chain has one to four certificates, not {0}")]
    ChainLength(usize),
    /// A certificate request cannot be decoded; says which part.
    #[error("certificate request cannot be decoded: {0}")]
    RequestMalformed(&'static str),
    /// The self-signature of a certificate request does not match its key.
    #[error("the certificate request is not signed by its own key")]
    RequestSignature,
    /// A certificate request is signed with another algorithm.
    #[error("the certificate request is not signed with ECDSA and SHA-256")]
    RequestAlgorithm,

    /// A certificate cannot be the root: says why.
    #[error("not a root certificate: {0}")]
    RootInvalid(&'static str),
    /// A certificate cannot be that of the issuing authority: says why.
    #[error("not the issuing authority's certificate: {0}")]
    IssuerInvalid(&'static str),
    /// The issuer does not issue this kind of certificate.
    #[error("this issuer does not issue such certificates")]
    WrongIssuer,
    /// A certificate's validity is empty or outlives its issuer.
    #[error("validity is empty or longer than the issuer's")]
    ValidityInvalid,
    /// The certificate, or list, would not be of its profile: it was not signed.
    #[error("what breaks its profile was not signed: {0}")]
    ProfileBroken(crate::Defect),
    /// The key to be certified belongs to a certificate authority.
    #[error("the key of a certificate authority is never certified again")]
    KeyOfAuthority,
    /// A certificate, request or revocation list could not be made.
    #[error("certificate could not be made")]
    Issuing(#[source] rcgen::Error),
    /// A revocation list cannot be decoded; says which part.
    #[error("revocation list cannot be decoded: {0}")]
    CrlMalformed(&'static str),

    /// A CMS signature is not of the one form that is accepted; says what is wrong.
    #[error("CMS signature is not acceptable: {0}")]
    CmsMalformed(&'static str),
    /// The content is not what a signer signed.
    #[error("the content is not what was signed")]
    CmsContent,
    /// A signer's signature does not match the signed attributes.
    #[error("a signature in the CMS does not match its certificate")]
    CmsSignature,
    /// The signed attributes name another certificate than the one that signs.
    #[error("the signed attributes name another certificate")]
    CmsCertificate,
    /// The same certificate signed twice.
    #[error("the same certificate signed twice")]
    CmsDuplicate,
}

impl Error {
    /// Whether what a file of one's own holds is to blame: it is not what was written there.
    pub fn is_of_contents(&self) -> bool {
        match self {
            Self::KeyMalformed
            | Self::KeyUnsupported
            | Self::KeyMismatch
            | Self::KeyFileTooLarge { .. }
            | Self::CertificateMalformed(_)
            | Self::ChainLength(_)
            | Self::RootInvalid(_)
            | Self::IssuerInvalid(_) => true,
            // What the system says of bytes that are no text.
            Self::KeyFile { source, .. } => source.kind() == io::ErrorKind::InvalidData,
            _ => false,
        }
    }
}
