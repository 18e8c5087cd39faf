//! The writing half of CMS: what the members sign with a statement, readable with `openssl cms`.

use cms::cert::IssuerAndSerialNumber;
use cms::content_info::CmsVersion;
use cms::signed_data::{SignerIdentifier, SignerInfo};
use der::asn1::OctetString;
use der::{Any, Encode};
use rustls_pki_types::UnixTime;
use x509_cert::spki::AlgorithmIdentifierOwned;

use super::{MAX_SIGNERS, attributes, encoding};
use crate::public_key::ECDSA_WITH_SHA256;
use crate::{Certificate, Chain, Error, SigningKey, parse};

/// Signs `content` as detached CMS `SignedData` (RFC 5652) in DER: one `SignerInfo` for each of
/// the signers, all their chains included. `signing_time` is a claim, never evidence.
///
/// # Errors
/// [`Error::KeyMismatch`] if a key is not that of its chain's leaf, [`Error::CmsDuplicate`] if a
/// certificate signs twice, [`Error::CmsMalformed`] for no signer or more than 16.
pub fn sign_detached(
    content: &[u8],
    signers: &[(&SigningKey, &Chain)],
    signing_time: UnixTime,
) -> Result<Vec<u8>, Error> {
    check_signers(signers)?;
    let infos = signers
        .iter()
        .map(|(key, chain)| signer_info(content, key, chain.leaf(), signing_time))
        .collect::<Result<Vec<_>, _>>()?;
    let infos = infos.iter().map(Any::encode_from);
    let infos = infos.collect::<der::Result<_>>().map_err(encoding)?;
    super::encode(infos, &certificates(signers)).map_err(encoding)
}

fn check_signers(signers: &[(&SigningKey, &Chain)]) -> Result<(), Error> {
    if !(1..=MAX_SIGNERS).contains(&signers.len()) {
        return Err(Error::CmsMalformed("not one to sixteen signers"));
    }
    for (index, (key, chain)) in signers.iter().enumerate() {
        if chain.leaf().public_key()? != *key.public_key() {
            return Err(Error::KeyMismatch);
        }
        if signers[..index]
            .iter()
            .any(|(_, earlier)| earlier.leaf() == chain.leaf())
        {
            return Err(Error::CmsDuplicate);
        }
    }
    Ok(())
}

fn signer_info(
    content: &[u8],
    key: &SigningKey,
    certificate: &Certificate,
    signing_time: UnixTime,
) -> Result<SignerInfo, Error> {
    let signed_attrs = attributes::create(content, certificate, signing_time)?;
    // What is signed is their encoding as a SET, not as [0] (RFC 5652, section 5.4).
    let signature = key.sign_der(&signed_attrs.to_der().map_err(encoding)?)?;
    let tbs = parse::decode(certificate.der())?.tbs_certificate;
    Ok(SignerInfo {
        version: CmsVersion::V1,
        sid: SignerIdentifier::IssuerAndSerialNumber(IssuerAndSerialNumber {
            issuer: tbs.issuer,
            serial_number: tbs.serial_number,
        }),
        digest_alg: super::sha256(),
        signed_attrs: Some(signed_attrs),
        signature_algorithm: AlgorithmIdentifierOwned {
            oid: ECDSA_WITH_SHA256,
            parameters: None,
        },
        signature: OctetString::new(signature).map_err(encoding)?,
        unsigned_attrs: None,
    })
}

/// Every certificate of every chain, each once.
fn certificates<'a>(signers: &[(&SigningKey, &'a Chain)]) -> Vec<&'a Certificate> {
    let mut all: Vec<&Certificate> = Vec::new();
    for certificate in signers.iter().flat_map(|(_, chain)| chain.certificates()) {
        if !all.contains(&certificate) {
            all.push(certificate);
        }
    }
    all
}
