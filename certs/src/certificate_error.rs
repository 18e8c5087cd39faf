//! Why a chain is refused, one variant a reason, so that the words for each can say what to do about it.

/// Why a certificate chain is not accepted. Each reason is its own variant, so that whoever is
/// refused can be told what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// A certificate of the chain has expired.
    #[error("certificate has expired")]
    Expired,
    /// A certificate of the chain is not valid yet.
    #[error("certificate is not valid yet")]
    NotYetValid,
    /// A certificate of the chain has been revoked.
    #[error("certificate has been revoked")]
    Revoked,
    /// It is revoked for the time being only (`certificateHold`): its holder is suspended.
    #[error("certificate is on hold")]
    OnHold,
    /// The chain does not lead to the trusted root through exactly one issuing authority: it is
    /// another authority's.
    #[error("certificate is not from the trusted authority")]
    UnknownIssuer,
    /// The same, but the other authority has the name of the trusted one (its trust domain, or its
    /// root's name): an impostor, or an authority that was set up anew.
    #[error("certificate is from another authority of the same name")]
    IssuerNamesake,
    /// Nobody but its own key signed it.
    #[error("certificate is signed by its own key")]
    SelfSigned,
    /// Whoever signed it is no certificate authority, but a student, say.
    #[error("certificate is signed by somebody who is no certificate authority")]
    IssuerNotAuthority,
    /// A signature in the chain does not match, or a signature or a key is of another algorithm
    /// than ECDSA on P-256.
    #[error("certificate has a bad signature")]
    BadSignature,
    /// Whoever presents it does not have its private key.
    #[error("the private key is not that of the certificate")]
    KeyMismatch,
    /// It does not say what its key may be used for.
    #[error("certificate names no use (extended key usage)")]
    NoUsage,
    /// Its key may be used for anything (anyExtendedKeyUsage).
    #[error("certificate is for any use")]
    AnyUsage,
    /// The key may not be used for this, or for more than its profile says.
    #[error("certificate is not for this use")]
    WrongUsage,
    /// It is of another role than the one that was meant.
    #[error("certificate is of another role: {found}")]
    WrongRole {
        /// The name that it has.
        found: String,
    },
    /// It names a student and is from the issuer of services, or the other way round.
    #[error("certificate is from the issuer of another role: {found}")]
    WrongIssuer {
        /// The name that it has.
        found: String,
    },
    /// It belongs to another service than the one that was meant.
    #[error("certificate belongs to {found}, not to {expected}")]
    WrongName {
        /// The name that was meant.
        expected: String,
        /// The name that it has.
        found: String,
    },
    /// It has no name of this trust domain.
    #[error("certificate has no valid name")]
    NameInvalid,
    /// It has more than one name (URI).
    #[error("certificate has more than one name")]
    NameAmbiguous,
    /// No authentic revocation list covers a certificate of the chain.
    #[error("no valid revocation list covers the certificate")]
    CrlUnavailable,
    /// The revocation list for a certificate of the chain has expired.
    #[error("the revocation list has expired")]
    CrlExpired,
    /// A certificate of the chain is not well-formed.
    #[error("certificate is malformed")]
    Malformed,
}

impl From<webpki::Error> for CertificateError {
    fn from(error: webpki::Error) -> Self {
        use webpki::Error as E;
        match error {
            E::CertExpired { .. } => Self::Expired,
            E::CertNotValidYet { .. } => Self::NotYetValid,
            E::CertRevoked => Self::Revoked,
            E::UnknownIssuer
            | E::EndEntityUsedAsCa
            | E::PathLenConstraintViolated
            | E::MaximumPathDepthExceeded => Self::UnknownIssuer,
            E::InvalidSignatureForPublicKey
            | E::SignatureAlgorithmMismatch
            | E::UnsupportedSignatureAlgorithmContext(_)
            | E::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => Self::BadSignature,
            E::RequiredEkuNotFoundContext(_) | E::EmptyEkuExtension | E::CaUsedAsEndEntity => {
                Self::WrongUsage
            }
            E::UnknownRevocationStatus
            | E::InvalidCrlSignatureForPublicKey
            | E::IssuerNotCrlSigner
            | E::UnsupportedCrlSignatureAlgorithmContext(_)
            | E::UnsupportedCrlSignatureAlgorithmForPublicKeyContext(_) => Self::CrlUnavailable,
            E::CrlExpired { .. } => Self::CrlExpired,
            _ => Self::Malformed,
        }
    }
}
