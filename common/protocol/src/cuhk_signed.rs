//! What CUHK signs: its token signer is verified first, then the claims are read.

use rustls_pki_types::UnixTime;
use scb_certs::{
    CertificateError, Chain, ServiceName, ServiceUsage, SpiffeId, TrustStore, VerifiedService,
};
use serde::de::DeserializeOwned;

use crate::jose::{JwsError, UnverifiedJws};
use crate::{Code, Refusal, Step};

/// Why something does not count as CUHK's word.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotCuhks {
    /// It was, until the certificate of the key that signed it was revoked.
    #[error("the key that signed it was withdrawn")]
    SignerWithdrawn,
    /// Its form, its signer's certificate, its signature or its claims.
    #[error("{0}")]
    Invalid(String),
}

impl NotCuhks {
    /// The refusal: `signer_withdrawn`, or `invalid` with the reason.
    pub(crate) fn refusal(&self, invalid: Code, step: Step) -> Refusal {
        match self {
            Self::SignerWithdrawn => Refusal::new(Code::SignerWithdrawn, step),
            Self::Invalid(reason) => Refusal::new(invalid, step).with("reason", reason),
        }
    }
}

impl From<JwsError> for NotCuhks {
    fn from(error: JwsError) -> Self {
        Self::Invalid(error.to_string())
    }
}

/// What CUHK said, and with which certificate it signed.
pub(crate) struct Signed<T> {
    pub(crate) signer: CuhkSigner,
    pub(crate) name: SpiffeId,
    pub(crate) claims: T,
}

/// The claims of a token of this `typ` that CUHK signed, refused as `invalid` where it is judged again.
///
/// # Errors
///
/// What is wrong with the form, the signer's certificate, the signature or the claims.
pub(crate) fn read<T: DeserializeOwned>(
    token: &str,
    (typ, invalid): (&str, Code),
    trust: &TrustStore,
    at: UnixTime,
) -> Result<Signed<T>, NotCuhks> {
    let jws = UnverifiedJws::parse(token, typ)?;
    let chain = jws.chain().clone();
    let signer = CuhkSigner { chain, invalid };
    let verified = signer.verify(trust, at)?;
    let key = verified
        .certificate()
        .public_key()
        .map_err(|error| NotCuhks::Invalid(error.to_string()))?;
    Ok(Signed {
        name: verified.spiffe_id().clone(),
        claims: jws.verify(&key)?,
        signer,
    })
}

/// Evidence: CUHK signed with the key of this chain's leaf, in force when it was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CuhkSigner {
    chain: Chain,
    /// With what its word is refused when the certificate does not count any more.
    invalid: Code,
}

impl CuhkSigner {
    /// The signer's certificate and its issuer's.
    pub(crate) fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Judges the signer's certificate again, as revocation lists change. Refusals name `step`.
    ///
    /// # Errors
    ///
    /// `signer_withdrawn`, else what is refused with such a token: `token_invalid` or `verification_invalid`.
    pub(crate) fn check(
        &self,
        trust: &TrustStore,
        now: UnixTime,
        step: Step,
    ) -> Result<(), Refusal> {
        let verified = self.verify(trust, now).map(drop);
        verified.map_err(|error| error.refusal(self.invalid, step))
    }

    fn verify(&self, trust: &TrustStore, at: UnixTime) -> Result<VerifiedService, NotCuhks> {
        trust
            .verify_service(&self.chain, &ServiceName::cuhk(), ServiceUsage::Token, at)
            .map_err(|error| match error {
                CertificateError::Revoked => NotCuhks::SignerWithdrawn,
                error => NotCuhks::Invalid(format!("its signer's certificate: {error}")),
            })
    }
}
