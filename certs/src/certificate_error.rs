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
    /// The chain does not lead to the trusted root through exactly one issuing authority.
    #[error("certificate is not from the trusted authority")]
    UnknownIssuer,
    /// A signature in the chain does not match, or a signature or a key is of another algorithm
    /// than ECDSA on P-256.
    #[error("certificate has a bad signature")]
    BadSignature,
    /// The key may not be used for this, or for more than its profile says.
    #[error("certificate is not for this use")]
    WrongUsage,
    /// It is of another role, or from the issuer of another role.
    #[error("certificate is of another role: {found}")]
    WrongRole {
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
    /// It has no name of this trust domain, or more than one.
    #[error("certificate has no valid name, or more than one")]
    NameInvalid,
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
