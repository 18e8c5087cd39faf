//! The exact reason why a chain is refused. Verification stops at the first thing that is wrong;
//! a look at the certificates tells which of several mistakes that comes from.

use rustls_pki_types::UnixTime;

use crate::key_usage::KeyPurpose;
use crate::{Certificate, CertificateError, Chain, PublicKey, TrustStore};

/// What a server would find wrong with a TLS client, as its holder can find out alone: first of
/// the chain, then of the key. Revocation lists count only as far as `trust` has them.
pub fn examine_client(
    trust: &TrustStore,
    chain: &Chain,
    key: &PublicKey,
    now: UnixTime,
) -> Vec<CertificateError> {
    let chain_error = trust.verify_any_client(chain, now).err();
    let is_holders = chain.leaf().public_key().is_ok_and(|own| own == *key);
    let key_error = (!is_holders).then_some(CertificateError::KeyMismatch);
    chain_error.into_iter().chain(key_error).collect()
}

/// Tells apart what verification takes for the same.
pub(crate) fn exact_reason(
    found: CertificateError,
    chain: &Chain,
    root: &Certificate,
) -> CertificateError {
    match found {
        CertificateError::UnknownIssuer => origin(chain, root),
        CertificateError::BadSignature if is_of_another_root(chain, root) => stranger(chain, root),
        CertificateError::WrongUsage => wrong_usage(chain.leaf()),
        CertificateError::NameInvalid if chain.leaf().uris().len() > 1 => {
            CertificateError::NameAmbiguous
        }
        other => other,
    }
}

/// Why a key may not be used: nothing said, everything said, or something else.
pub(crate) fn wrong_usage(leaf: &Certificate) -> CertificateError {
    let purposes = leaf.extended_key_usages();
    if purposes.is_empty() {
        CertificateError::NoUsage
    } else if purposes.contains(&KeyPurpose::Any) {
        CertificateError::AnyUsage
    } else {
        CertificateError::WrongUsage
    }
}

/// Who did sign a leaf that no issuing authority of the root signed.
fn origin(chain: &Chain, root: &Certificate) -> CertificateError {
    let (leaf, others) = (chain.leaf(), &chain.certificates()[1..]);
    let signed_by =
        |issuer: &Certificate| leaf.names_issuer(issuer) && leaf.verify_signed_by(issuer).is_ok();
    if signed_by(leaf) {
        CertificateError::SelfSigned
    } else if others
        .iter()
        .any(|other| signed_by(other) && !other.is_ca())
    {
        CertificateError::IssuerNotAuthority
    } else {
        stranger(chain, root)
    }
}

/// What to call another authority: one with our own's name is easily taken for it.
fn stranger(chain: &Chain, root: &Certificate) -> CertificateError {
    let has_name = |issuer: &Certificate| {
        let (theirs, ours) = (
            issuer.authority_trust_domain().ok(),
            root.authority_trust_domain().ok(),
        );
        issuer.issuer() == root.subject() || theirs.is_some() && theirs == ours
    };
    let issuer = chain.certificates().get(1);
    match issuer.is_some_and(has_name) && is_of_another_root(chain, root) {
        true => CertificateError::IssuerNamesake,
        false => CertificateError::UnknownIssuer,
    }
}

/// Whether the issuing authority has another root's signature.
fn is_of_another_root(chain: &Chain, root: &Certificate) -> bool {
    let issuer = chain.certificates().get(1);
    issuer.is_some_and(|issuer| issuer.verify_signed_by(root).is_err())
}
