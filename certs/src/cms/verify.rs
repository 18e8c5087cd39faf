//! The reading half of CMS: strict about what a signature may contain, silent about whom to trust.

use std::fmt;

use cms::cert::IssuerAndSerialNumber;
use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::{SignerIdentifier, SignerInfo};
use der::{Any, Decode, Encode};
use rustls_pki_types::UnixTime;

use super::{DATA, MAX_SIGNERS, SIGNED_DATA, SignedData, attributes, is_sha256};
use crate::chain::MAX_CHAIN_LENGTH;
use crate::public_key::ECDSA_WITH_SHA256;
use crate::{Certificate, Chain, Error, Fingerprint, Serial};

/// Bytes that a signature may have at most.
const MAX_SIGNATURE_SIZE: usize = 64 * 1024;

/// Certificates that a signature may carry at most.
const MAX_CERTIFICATES: usize = 64;

/// A detached CMS signature that could be decoded.
pub struct DetachedSignature {
    infos: Vec<SignerInfo>,
    certificates: Vec<Certificate>,
}

/// Who signed, as far as the signature itself shows. Whether to trust the chain is for
/// [`crate::TrustStore`] to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// The certificate whose key made the signature.
    pub certificate: Certificate,
    /// That certificate and those of its issuers that the signature carries.
    pub chain: Chain,
    /// When the signer claims to have signed. Not evidence.
    pub claimed_time: UnixTime,
}

impl DetachedSignature {
    /// Reads DER, at most [`MAX_SIGNATURE_SIZE`], nothing after it, one encoding only.
    ///
    /// # Errors
    /// [`Error::CmsMalformed`], [`Error::CertificateMalformed`].
    pub fn parse(der: &[u8]) -> Result<Self, Error> {
        let signed_data = decode(der)?;
        check_form(&signed_data)?;
        Ok(Self {
            infos: signer_infos(&signed_data)?,
            certificates: certificates(&signed_data)?,
        })
    }

    /// Verifies every signature over `content`; the signers come in the order of the CMS, which is
    /// not that of signing.
    ///
    /// # Errors
    /// [`Error::CmsContent`] if the content is another, [`Error::CmsSignature`],
    /// [`Error::CmsCertificate`], [`Error::CmsDuplicate`], [`Error::CmsMalformed`].
    pub fn verify(&self, content: &[u8]) -> Result<Vec<Signer>, Error> {
        let mut signers: Vec<Signer> = Vec::new();
        for info in &self.infos {
            let signer = self.verify_signer(info, content)?;
            if signers
                .iter()
                .any(|earlier| earlier.certificate == signer.certificate)
            {
                return Err(Error::CmsDuplicate);
            }
            signers.push(signer);
        }
        Ok(signers)
    }

    /// Whose signatures [`DetachedSignature::verify`] refuses, as far as they are named by a
    /// certificate that is here: those who have to sign again.
    pub fn refused_signers(&self, content: &[u8]) -> Vec<&Certificate> {
        let refused = |info: &&SignerInfo| self.verify_signer(info, content).is_err();
        let named = |info: &SignerInfo| match &info.sid {
            SignerIdentifier::IssuerAndSerialNumber(id) => self.certificate_of(id).ok(),
            SignerIdentifier::SubjectKeyIdentifier(_) => None,
        };
        self.infos
            .iter()
            .filter(refused)
            .filter_map(named)
            .collect()
    }

    /// What the holder of this certificate signed, and the chain that is here.
    pub(super) fn part_of(
        &self,
        signer: &Fingerprint,
    ) -> Result<(&SignerInfo, Vec<&Certificate>), Error> {
        for info in &self.infos {
            let SignerIdentifier::IssuerAndSerialNumber(id) = &info.sid else {
                continue;
            };
            let certificate = self.certificate_of(id)?;
            if certificate.fingerprint() == *signer {
                return Ok((info, self.issuers_of(certificate)));
            }
        }
        Err(Error::CmsMalformed("no signature under this certificate"))
    }

    fn verify_signer(&self, info: &SignerInfo, content: &[u8]) -> Result<Signer, Error> {
        check_algorithms(info)?;
        let SignerIdentifier::IssuerAndSerialNumber(id) = &info.sid else {
            return Err(Error::CmsMalformed(
                "signer is not named by issuer and serial number",
            ));
        };
        let certificate = self.certificate_of(id)?;
        let signed_attrs = info
            .signed_attrs
            .as_ref()
            .ok_or(Error::CmsMalformed("no signed attributes"))?;
        let signed = signed_attrs
            .to_der()
            .map_err(|_| Error::CmsMalformed("signed attributes"))?;
        certificate
            .public_key()?
            .verify_der(&signed, info.signature.as_bytes())
            .map_err(|_| Error::CmsSignature)?;
        let claimed_time = attributes::check(signed_attrs, content, certificate, id)?;
        Ok(Signer {
            certificate: certificate.clone(),
            chain: self.chain_of(certificate)?,
            claimed_time,
        })
    }

    fn certificate_of(&self, id: &IssuerAndSerialNumber) -> Result<&Certificate, Error> {
        let malformed = |_| Error::CmsMalformed("signer identifier");
        let issuer = id.issuer.to_der().map_err(malformed)?;
        let serial = Serial::from_bytes(id.serial_number.as_bytes())
            .map_err(|_| Error::CmsMalformed("signer identifier"))?;
        let mut found = self
            .certificates
            .iter()
            .filter(|candidate| candidate.issuer() == issuer && candidate.serial() == serial);
        match (found.next(), found.next()) {
            (Some(certificate), None) => Ok(certificate),
            _ => Err(Error::CmsMalformed(
                "not exactly one certificate of a signer",
            )),
        }
    }

    /// The certificate and its issuers, as far as they are here.
    fn chain_of(&self, leaf: &Certificate) -> Result<Chain, Error> {
        Chain::new(self.issuers_of(leaf).into_iter().cloned().collect())
    }

    fn issuers_of<'a>(&'a self, leaf: &'a Certificate) -> Vec<&'a Certificate> {
        let mut chain = vec![leaf];
        let mut last = leaf;
        while chain.len() < MAX_CHAIN_LENGTH && !last.is_self_issued() {
            let Some(issuer) = self
                .certificates
                .iter()
                .find(|other| other.is_ca() && last.names_issuer(other))
                .filter(|issuer| last.verify_signed_by(issuer).is_ok())
            else {
                break;
            };
            chain.push(issuer);
            last = issuer;
        }
        chain
    }
}

impl fmt::Debug for DetachedSignature {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("DetachedSignature")
            .field("signers", &self.infos.len())
            .field("certificates", &self.certificates)
            .finish()
    }
}

fn decode(der: &[u8]) -> Result<SignedData, Error> {
    if der.len() > MAX_SIGNATURE_SIZE {
        return Err(Error::CmsMalformed("too large"));
    }
    let malformed = |_| Error::CmsMalformed("not CMS SignedData");
    let content_info = ContentInfo::from_der(der).map_err(malformed)?;
    if content_info.content_type != SIGNED_DATA {
        return Err(Error::CmsMalformed("not CMS SignedData"));
    }
    let content = &content_info.content;
    let signed_data: SignedData = content.decode_as().map_err(malformed)?;
    // Sets that are not sorted are decoded all the same.
    let is_canonical = Any::encode_from(&signed_data).is_ok_and(|encoded| encoded == *content);
    if is_canonical {
        Ok(signed_data)
    } else {
        Err(Error::CmsMalformed("not in DER"))
    }
}

fn check_form(signed_data: &SignedData) -> Result<(), Error> {
    let content = &signed_data.encap_content_info;
    if content.econtent_type != DATA || content.econtent.is_some() {
        return Err(Error::CmsMalformed("not detached from plain data"));
    }
    if signed_data.version != CmsVersion::V1 || signed_data.crls.is_some() {
        return Err(Error::CmsMalformed("version or revocation lists"));
    }
    if !signed_data.digest_algorithms.iter().all(is_sha256) {
        return Err(Error::CmsMalformed("digest is not SHA-256"));
    }
    if !(1..=MAX_SIGNERS).contains(&signed_data.signer_infos.len()) {
        return Err(Error::CmsMalformed("not one to sixteen signers"));
    }
    Ok(())
}

fn check_algorithms(info: &SignerInfo) -> Result<(), Error> {
    let is_ecdsa = info.signature_algorithm.oid == ECDSA_WITH_SHA256
        && info.signature_algorithm.parameters.is_none();
    if info.version != CmsVersion::V1 || !is_sha256(&info.digest_alg) || !is_ecdsa {
        return Err(Error::CmsMalformed("not ECDSA with SHA-256"));
    }
    if info.unsigned_attrs.is_some() {
        return Err(Error::CmsMalformed("unsigned attributes"));
    }
    Ok(())
}

fn signer_infos(signed_data: &SignedData) -> Result<Vec<SignerInfo>, Error> {
    let decode = |info: &Any| {
        let decoded: SignerInfo = info
            .decode_as()
            .map_err(|_| Error::CmsMalformed("signer"))?;
        if Any::encode_from(&decoded).is_ok_and(|encoded| encoded == *info) {
            Ok(decoded)
        } else {
            Err(Error::CmsMalformed("not in DER"))
        }
    };
    signed_data.signer_infos.iter().map(decode).collect()
}

/// An authority's name is unique to its key. Of several each would have to be tried for each signer.
fn has_authorities_of_one_name(all: &[Certificate]) -> bool {
    let authorities: Vec<_> = all.iter().filter(|one| one.is_ca()).collect();
    let has_twin = |one: &&Certificate| {
        let mut others = authorities.iter();
        others.any(|other| other.subject() == one.subject() && other != one)
    };
    authorities.iter().any(has_twin)
}

fn certificates(signed_data: &SignedData) -> Result<Vec<Certificate>, Error> {
    let set = signed_data
        .certificates
        .as_ref()
        .ok_or(Error::CmsMalformed("no certificates"))?;
    if set.len() > MAX_CERTIFICATES {
        return Err(Error::CmsMalformed("too many certificates"));
    }
    let decode = |certificate: &Any| {
        certificate
            .to_der()
            .map_err(|_| Error::CmsMalformed("certificate"))
            .and_then(|der| Certificate::from_der(&der))
    };
    let all: Vec<_> = set.iter().map(decode).collect::<Result<_, _>>()?;
    match has_authorities_of_one_name(&all) {
        false => Ok(all),
        true => Err(Error::CmsMalformed("two authorities of one name")),
    }
}
