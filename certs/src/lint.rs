//! A look at a certificate, or a revocation list, in the moment before it is signed.
//!
//! The bytes that are about to be signed are decoded with another library than the one that
//! wrote them, and compared with what their kind may contain. What fails is never signed: the
//! look is a part of the key that is lent out for signing.

mod list;

use std::sync::OnceLock;
use std::time::Duration;

use der::asn1::Ia5String;
use der::oid::AssociatedOid;
use der::oid::db::rfc4519::{COMMON_NAME, ORGANIZATION_NAME};
use der::{Decode, Encode};
use rustls_pki_types::DnsName;
use x509_cert::ext::pkix::crl::dp::DistributionPoint;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};
use x509_cert::ext::pkix::{
    AccessDescription, AuthorityInfoAccessSyntax, AuthorityKeyIdentifier, BasicConstraints,
    CrlDistributionPoints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectAltName,
    SubjectKeyIdentifier,
};
use x509_cert::spki::AlgorithmIdentifierOwned;
use x509_cert::{TbsCertificate, Version};

use crate::key_usage::{KeyPurpose, same_purposes};
use crate::parse::unix_time;
use crate::profile::{CA_ISSUERS, NAME_LENGTH};
use crate::public_key::ECDSA_WITH_SHA256;
use crate::{Certificate, DistributionUrls, Error, PublicKey, SigningKey, Validities};

pub(crate) use list::{Listed, check_list};

/// Bytes of a serial number that could not be guessed: more than 64 bits.
const SERIAL_LENGTH: std::ops::RangeInclusive<usize> = 9..=20;
/// Bytes of a key identifier (RFC 5280, section 4.2.1.2; RFC 7093).
const KEY_ID_LENGTH: usize = 20;

/// What is wrong with a certificate, or a revocation list, that was about to be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Defect {
    /// It cannot be decoded, or encoding it again gives other bytes.
    #[error("it is not well-formed")]
    Encoding,
    /// It is not of version 3, or has unique identifiers.
    #[error("it is not of version 3")]
    Version,
    /// The serial number is not positive, too short to be random, or too long.
    #[error("the serial number is not positive with 65 to 159 bits")]
    Serial,
    /// The algorithm is not ECDSA with SHA-256.
    #[error("the signature algorithm is not ECDSA with SHA-256")]
    Algorithm,
    /// The issuer's name is not that of the authority that signs.
    #[error("the issuer's name is not that of the authority")]
    Issuer,
    /// The validity is empty, longer than its kind may have, or ends after its issuer's.
    #[error("the validity is empty, too long or ends after the issuer's")]
    Validity,
    /// The subject is not one organization and one common name of 1 to 64 characters.
    #[error("the subject is not an organization and a common name of 1 to 64 characters")]
    Subject,
    /// The key is not P-256, or an authority's own.
    #[error("the key is not P-256, or the authority's own")]
    Key,
    /// The basic constraints are not those of its kind, or not critical.
    #[error("the basic constraints are not those of its kind")]
    BasicConstraints,
    /// The key usages are not those of its kind, or not critical.
    #[error("the key usages are not those of its kind")]
    KeyUsage,
    /// The extended key usages are not those of its kind.
    #[error("the extended key usages are not those of its kind")]
    ExtendedKeyUsage,
    /// There is not exactly the one URI, or there are host names where none belong.
    #[error("the alternative names are not one URI of its kind")]
    Name,
    /// There is no subject key identifier of 20 bytes.
    #[error("the subject key identifier is missing or malformed")]
    SubjectKeyId,
    /// The authority key identifier is not that of the authority.
    #[error("the authority key identifier is not that of the authority")]
    AuthorityKeyId,
    /// The addresses of list and issuer are not those configured.
    #[error("the addresses of revocation list and issuer are not those configured")]
    Distribution,
    /// An extension is repeated, or of no use in its kind.
    #[error("an extension is repeated or does not belong there")]
    Extension,
    /// The number of a revocation list is missing, critical or not the one that is its turn.
    #[error("the number of the revocation list is not the one that is its turn")]
    ListNumber,
    /// A revocation list begins or ends at another time than it should, or ends before it begins.
    #[error("the revocation list does not begin and end when it should")]
    ListTimes,
    /// A revocation list does not name exactly what is revoked, since when and why.
    #[error("the revocation list does not name exactly what is revoked")]
    ListEntries,
}

/// What a certificate of a kind contains.
#[derive(Debug)]
pub(crate) struct Profile<'a> {
    /// The one URI.
    pub(crate) uri: String,
    /// How many authorities may follow; none for a leaf.
    pub(crate) authority: Option<u8>,
    /// None for a root, which is for everything.
    pub(crate) purposes: &'a [KeyPurpose],
    /// From the moment of issuance.
    pub(crate) longest: Duration,
    /// Whether it has host names and addresses besides.
    pub(crate) hosts: bool,
    pub(crate) urls: &'a DistributionUrls,
}

/// Who signs a certificate.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Signer<'a> {
    /// Another authority, with this certificate.
    Authority(&'a Certificate),
    /// Its own key: a root.
    Itself(&'a PublicKey),
}

/// An authority's key that signs what passes one look, and nothing else.
pub(crate) struct Checked<'a> {
    key: &'a SigningKey,
    look: &'a dyn Fn(&[u8]) -> Result<(), Defect>,
    /// Why it did not sign.
    defect: &'a OnceLock<Defect>,
}

/// Lends `key` to `sign`, for what passes `look`.
pub(crate) fn checked<T>(
    key: &SigningKey,
    look: &dyn Fn(&[u8]) -> Result<(), Defect>,
    sign: impl FnOnce(Checked<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let defect = OnceLock::new();
    let signed = sign(Checked {
        key,
        look,
        defect: &defect,
    });
    match defect.get() {
        Some(defect) => Err(Error::ProfileBroken(*defect)),
        None => signed,
    }
}

impl rcgen::SigningKey for Checked<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        match (self.look)(message) {
            Ok(()) => rcgen::SigningKey::sign(self.key, message),
            Err(defect) => {
                self.defect.get_or_init(|| defect);
                Err(rcgen::Error::RemoteKeyError)
            }
        }
    }
}

impl rcgen::PublicKeyData for Checked<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.key.der_bytes()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        self.key.algorithm()
    }
}

/// Looks at the part of a certificate that is signed (TBSCertificate, DER).
pub(crate) fn check(tbs: &[u8], profile: &Profile<'_>, signer: Signer<'_>) -> Result<(), Defect> {
    let decoded = TbsCertificate::from_der(tbs).map_err(|_| Defect::Encoding)?;
    if decoded.to_der().ok().as_deref() != Some(tbs) {
        return Err(Defect::Encoding);
    }
    let look = Look {
        tbs: decoded,
        profile,
        signer,
    };
    // `None` is where the thing in question is not there.
    let checks = [
        (Defect::Version, look.version()),
        (Defect::Serial, look.serial()),
        (Defect::Algorithm, look.algorithm()),
        (Defect::Issuer, look.issuer_name()),
        (Defect::Validity, look.validity()),
        (Defect::Subject, look.subject()),
        (Defect::Key, look.key()),
        (Defect::Extension, look.extensions()),
        (Defect::BasicConstraints, look.basic_constraints()),
        (Defect::KeyUsage, look.key_usage()),
        (Defect::ExtendedKeyUsage, look.extended_key_usage()),
        (Defect::Name, look.names()),
        (Defect::SubjectKeyId, look.subject_key_id()),
        (Defect::AuthorityKeyId, look.authority_key_id()),
        (Defect::Distribution, look.distribution()),
    ];
    let failed = checks.iter().find(|(_, holds)| *holds != Some(true));
    failed.map_or(Ok(()), |(defect, _)| Err(*defect))
}

struct Look<'a> {
    tbs: TbsCertificate,
    profile: &'a Profile<'a>,
    signer: Signer<'a>,
}

impl Look<'_> {
    fn version(&self) -> Option<bool> {
        let unique = self.tbs.issuer_unique_id.is_some() || self.tbs.subject_unique_id.is_some();
        Some(self.tbs.version == Version::V3 && !unique)
    }

    fn serial(&self) -> Option<bool> {
        let encoded = self.tbs.serial_number.to_der().ok()?;
        // Tag and length are one byte each: a longer number is refused.
        let content = encoded.get(2..)?;
        let start = content.iter().position(|byte| *byte != 0)?;
        let positive = content.first()? & 0x80 == 0;
        let fits = content.len() <= *SERIAL_LENGTH.end();
        Some(positive && fits && SERIAL_LENGTH.contains(&(content.len() - start)))
    }

    fn algorithm(&self) -> Option<bool> {
        Some(is_ecdsa(&self.tbs.signature))
    }

    fn issuer_name(&self) -> Option<bool> {
        match self.signer {
            Signer::Authority(issuer) => Some(self.tbs.issuer.to_der().ok()? == issuer.subject()),
            Signer::Itself(_) => Some(self.tbs.issuer == self.tbs.subject),
        }
    }

    fn validity(&self) -> Option<bool> {
        let (start, end) = (
            unix_time(&self.tbs.validity.not_before),
            unix_time(&self.tbs.validity.not_after),
        );
        let longest = (self.profile.longest + Validities::BACKDATE).as_secs();
        let length = end.as_secs().checked_sub(start.as_secs())?;
        let outlives = match self.signer {
            Signer::Authority(issuer) => end > issuer.not_after(),
            Signer::Itself(_) => false,
        };
        Some((1..=longest).contains(&length) && !outlives)
    }

    fn subject(&self) -> Option<bool> {
        let mut kinds = Vec::new();
        for part in &self.tbs.subject.0 {
            for attribute in part.0.iter() {
                let length = attribute.value.value().len();
                if !(1..=NAME_LENGTH).contains(&length) {
                    return Some(false);
                }
                kinds.push(attribute.oid);
            }
        }
        Some(kinds == [ORGANIZATION_NAME, COMMON_NAME])
    }

    fn key(&self) -> Option<bool> {
        let key = PublicKey::from_spki(&self.tbs.subject_public_key_info).ok()?;
        match self.signer {
            Signer::Authority(issuer) => Some(key != issuer.public_key().ok()?),
            Signer::Itself(own) => Some(key == *own),
        }
    }

    fn extensions(&self) -> Option<bool> {
        let mut expected = vec![
            BasicConstraints::OID,
            KeyUsage::OID,
            SubjectAltName::OID,
            SubjectKeyIdentifier::OID,
            AuthorityKeyIdentifier::OID,
        ];
        expected.extend(self.profile.purposes.first().map(|_| ExtendedKeyUsage::OID));
        let urls = self.profile.urls;
        expected.extend(urls.crl.as_ref().map(|_| CrlDistributionPoints::OID));
        expected.extend(urls.ca.as_ref().map(|_| AuthorityInfoAccessSyntax::OID));
        let extensions = self.tbs.extensions.as_deref()?;
        let found: Vec<_> = extensions.iter().map(|one| one.extn_id).collect();
        let once = |oid| found.iter().filter(|other| *other == oid).count() == 1;
        Some(found.iter().all(|oid| expected.contains(oid) && once(oid)))
    }

    fn basic_constraints(&self) -> Option<bool> {
        let (critical, found) = self.extension::<BasicConstraints>()?;
        let expected = BasicConstraints {
            ca: self.profile.authority.is_some(),
            path_len_constraint: self.profile.authority,
        };
        Some(critical && found == expected)
    }

    fn key_usage(&self) -> Option<bool> {
        let (critical, found) = self.extension::<KeyUsage>()?;
        let expected = match self.profile.authority {
            Some(_) => KeyUsages::KeyCertSign | KeyUsages::CRLSign,
            None => KeyUsages::DigitalSignature.into(),
        };
        Some(critical && found.0 == expected)
    }

    fn extended_key_usage(&self) -> Option<bool> {
        if self.profile.purposes.is_empty() {
            // `extensions` has seen to it that there are none.
            return Some(true);
        }
        let (_, found) = self.extension::<ExtendedKeyUsage>()?;
        let found: Vec<_> = found.0.iter().map(KeyPurpose::from_oid).collect();
        Some(same_purposes(&found, self.profile.purposes))
    }

    fn names(&self) -> Option<bool> {
        let (_, SubjectAltName(names)) = self.extension::<SubjectAltName>()?;
        let is_uri = |name: &&GeneralName| {
            matches!(name, GeneralName::UniformResourceIdentifier(uri)
                     if uri.as_str() == self.profile.uri)
        };
        let is_host = |name: &GeneralName| match name {
            GeneralName::DnsName(name) => DnsName::try_from(name.as_str()).is_ok(),
            GeneralName::IpAddress(address) => matches!(address.as_bytes().len(), 4 | 16),
            _ => false,
        };
        let (uris, others): (Vec<_>, Vec<_>) = names.iter().partition(is_uri);
        let hosts = others
            .iter()
            .all(|name| self.profile.hosts && is_host(name));
        Some(uris.len() == 1 && hosts)
    }

    fn subject_key_id(&self) -> Option<bool> {
        let (_, id) = self.extension::<SubjectKeyIdentifier>()?;
        Some(id.0.as_bytes().len() == KEY_ID_LENGTH)
    }

    fn authority_key_id(&self) -> Option<bool> {
        let (_, id) = self.extension::<AuthorityKeyIdentifier>()?;
        let id = id.key_identifier?;
        match self.signer {
            Signer::Authority(issuer) => Some(Some(id.as_bytes()) == issuer.subject_key_id()),
            Signer::Itself(_) => {
                let (_, own) = self.extension::<SubjectKeyIdentifier>()?;
                Some(id == own.0)
            }
        }
    }

    fn distribution(&self) -> Option<bool> {
        let urls = self.profile.urls;
        let lists = self.extension().map(|(_, lists)| lists);
        let wanted = urls.crl.as_deref().map(distribution_point).transpose();
        let access = self.extension().map(|(_, access)| access);
        let issuer = urls.ca.as_deref().map(issuer_access).transpose();
        Some(lists == wanted.ok()? && access == issuer.ok()?)
    }

    fn extension<'a, T: Decode<'a> + AssociatedOid>(&'a self) -> Option<(bool, T)> {
        self.tbs.get::<T>().ok().flatten()
    }
}

fn is_ecdsa(algorithm: &AlgorithmIdentifierOwned) -> bool {
    algorithm.oid == ECDSA_WITH_SHA256 && algorithm.parameters.is_none()
}

fn distribution_point(url: &str) -> Result<CrlDistributionPoints, der::Error> {
    let names = vec![GeneralName::UniformResourceIdentifier(Ia5String::new(url)?)];
    Ok(CrlDistributionPoints(vec![DistributionPoint {
        distribution_point: Some(DistributionPointName::FullName(names)),
        reasons: None,
        crl_issuer: None,
    }]))
}

fn issuer_access(url: &str) -> Result<AuthorityInfoAccessSyntax, der::Error> {
    Ok(AuthorityInfoAccessSyntax(vec![AccessDescription {
        access_method: CA_ISSUERS,
        access_location: GeneralName::UniformResourceIdentifier(Ia5String::new(url)?),
    }]))
}

#[cfg(test)]
mod tests;
