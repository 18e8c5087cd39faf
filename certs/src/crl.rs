//! Revocation lists (RFC 5280, section 5), made and read: how a certificate ends before its time.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

use data_encoding::HEXLOWER;
use der::asn1::{AnyRef, BitStringRef, ObjectIdentifier};
use der::pem::{LineEnding, encode_string};
use der::{Decode, Encode, Header, Reader, SliceReader, Tag};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateRevocationListDer, UnixTime};
use serde::{Deserialize, Serialize};
use webpki::{BorrowedRevokedCert, CertRevocationList, OwnedCertRevocationList};
use x509_cert::crl::{CertificateList, RevokedCert};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, CrlNumber};

use crate::lint::Listed;
use crate::parse::unix_time;
use crate::{Certificate, Error, Serial};

/// Bytes that a revocation list may have at most; an entry takes about 50.
pub const MAX_CRL_SIZE: usize = 16 * 1024 * 1024;

pub(crate) const CRL_NUMBER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.20");
pub(crate) const AUTHORITY_KEY_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.35");

/// A certificate to be listed as revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevokedEntry {
    /// Its serial number.
    pub serial: Serial,
    /// Since when.
    pub revoked_at: UnixTime,
    /// Why.
    pub reason: RevocationReason,
    /// Since when its key is not to be believed, where that is known (RFC 5280, section 5.3.2).
    pub invalid_since: Option<UnixTime>,
}

/// Why a certificate was revoked (RFC 5280, section 5.3.1). In JSON in snake case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevocationReason {
    /// No reason given.
    Unspecified,
    /// Somebody else has, or may have, the private key.
    KeyCompromise,
    /// Somebody else has, or may have, the private key of the authority that it is of, or that
    /// issued it.
    CaCompromise,
    /// The holder's name or role has changed.
    AffiliationChanged,
    /// Another certificate has taken its place.
    Superseded,
    /// The certificate is needed no more.
    CessationOfOperation,
    /// On hold for the time being.
    CertificateHold,
    /// The right to the certificate was withdrawn.
    PrivilegeWithdrawn,
}

impl RevocationReason {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Unspecified,
        Self::KeyCompromise,
        Self::CaCompromise,
        Self::AffiliationChanged,
        Self::Superseded,
        Self::CessationOfOperation,
        Self::CertificateHold,
        Self::PrivilegeWithdrawn,
    ];

    /// Its name in snake case, such as `key_compromise`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::KeyCompromise => "key_compromise",
            Self::CaCompromise => "ca_compromise",
            Self::AffiliationChanged => "affiliation_changed",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "cessation_of_operation",
            Self::CertificateHold => "certificate_hold",
            Self::PrivilegeWithdrawn => "privilege_withdrawn",
        }
    }

    pub(crate) fn for_rcgen(self) -> rcgen::RevocationReason {
        use rcgen::RevocationReason as Reason;
        match self {
            Self::Unspecified => Reason::Unspecified,
            Self::KeyCompromise => Reason::KeyCompromise,
            Self::CaCompromise => Reason::CaCompromise,
            Self::AffiliationChanged => Reason::AffiliationChanged,
            Self::Superseded => Reason::Superseded,
            Self::CessationOfOperation => Reason::CessationOfOperation,
            Self::CertificateHold => Reason::CertificateHold,
            Self::PrivilegeWithdrawn => Reason::PrivilegeWithdrawn,
        }
    }
}

impl fmt::Display for RevocationReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl FromStr for RevocationReason {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|reason| reason.as_str() == text)
            .ok_or(Error::ReasonInvalid)
    }
}

/// A certificate revocation list (RFC 5280, section 5) that could be decoded. Cheap to clone.
///
/// Whether it is authentic shows when [`Self::verify`] or [`crate::TrustStore`] checks it.
#[derive(Clone)]
pub struct Crl(Arc<Inner>);

struct Inner {
    der: Vec<u8>,
    /// Where in these bytes the part that is signed (TBSCertList) is.
    signed: Range<usize>,
    signature: Vec<u8>,
    number: u64,
    this_update: UnixTime,
    next_update: UnixTime,
    issuer: Vec<u8>,
    issuer_key_id: Vec<u8>,
    /// How many certificates it names.
    length: usize,
    for_webpki: CertRevocationList<'static>,
}

impl Crl {
    /// Reads DER, at most [`MAX_CRL_SIZE`], nothing after it. A list without number, next update
    /// or key identifier is refused, and so are delta, indirect and partitioned lists.
    ///
    /// # Errors
    /// [`Error::CrlMalformed`].
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        let list = decode(der)?;
        let for_webpki = for_webpki(der)?;
        let tbs = &list.tbs_cert_list;
        let extensions = tbs.crl_extensions.as_deref().unwrap_or_default();
        let revoked = tbs.revoked_certificates.as_deref().unwrap_or_default();
        let next_update = tbs
            .next_update
            .as_ref()
            .ok_or(Error::CrlMalformed("no next update"))?;
        let serial = |entry: &RevokedCert| Serial::from_bytes(entry.serial_number.as_bytes());
        if revoked.iter().any(|entry| serial(entry).is_err()) {
            return Err(Error::CrlMalformed("serial number"));
        }
        let (signed, signature) = parts(der).map_err(|_| Error::CrlMalformed("not in DER"))?;
        Ok(Self(Arc::new(Inner {
            der: der.to_vec(),
            signed,
            signature,
            number: number(extensions)?,
            this_update: unix_time(&tbs.this_update),
            next_update: unix_time(next_update),
            issuer: tbs
                .issuer
                .to_der()
                .map_err(|_| Error::CrlMalformed("issuer"))?,
            issuer_key_id: issuer_key_id(extensions)?,
            length: revoked.len(),
            for_webpki,
        })))
    }

    /// The list that `issuer` has just signed, [looked at](crate::lint::check_list) in that moment: it says what
    /// was asked for, and is not decoded once more.
    pub(crate) fn just_signed(
        der: Vec<u8>,
        listed: &Listed<'_>,
        issuer: &Certificate,
    ) -> Result<Self, Error> {
        let issuer_key_id = issuer.subject_key_id().map(<[u8]>::to_vec);
        let (signed, signature) = parts(&der).map_err(|_| Error::CrlMalformed("not in DER"))?;
        Ok(Self(Arc::new(Inner {
            for_webpki: for_webpki(&der)?,
            der,
            signed,
            signature,
            number: listed.number,
            this_update: listed.this_update,
            next_update: listed.next_update,
            issuer: issuer.subject().to_vec(),
            issuer_key_id: issuer_key_id.ok_or(Error::CrlMalformed("authority key identifier"))?,
            length: listed.revoked.len(),
        })))
    }

    /// Reads the one list in this PEM.
    ///
    /// # Errors
    /// [`Error::CrlMalformed`].
    pub fn from_pem(pem: &str) -> Result<Self, Error> {
        let der = CertificateRevocationListDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| Error::CrlMalformed("not in PEM"))?;
        Self::from_der(&der)
    }

    /// Reads every list in this PEM, in order.
    ///
    /// # Errors
    /// [`Error::CrlMalformed`].
    pub fn all_from_pem(pem: &str) -> Result<Vec<Self>, Error> {
        CertificateRevocationListDer::pem_slice_iter(pem.as_bytes())
            .map(|der| match der {
                Ok(der) => Self::from_der(&der),
                Err(_) => Err(Error::CrlMalformed("not in PEM")),
            })
            .collect()
    }

    /// The list in DER.
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// The list in PEM, with a final line feed.
    pub fn to_pem(&self) -> String {
        // It fails only for a bad label or for input near the largest `usize`; ours is 16 MiB.
        encode_string("X509 CRL", LineEnding::LF, self.der()).expect("short input, good label")
    }

    /// Its number; each later list of the same issuer has a higher one.
    pub fn number(&self) -> u64 {
        self.0.number
    }

    /// From when on it counts. Lists of `cuhk` begin [`Validities::BACKDATE`](crate::Validities::BACKDATE) before they
    /// are signed.
    pub fn this_update(&self) -> UnixTime {
        self.0.this_update
    }

    /// From when on it counts no more.
    pub fn next_update(&self) -> UnixTime {
        self.0.next_update
    }

    /// The identifier of the issuer's key.
    pub fn issuer_key_id(&self) -> &[u8] {
        &self.0.issuer_key_id
    }

    /// Whether it lists this serial number of its issuer.
    pub fn contains(&self, serial: &Serial) -> bool {
        self.find(serial).is_some()
    }

    /// Whether it lists this serial number as on hold: revoked for the time being.
    pub fn holds(&self, serial: &Serial) -> bool {
        self.revocation(serial)
            .is_some_and(|(_, reason)| reason == RevocationReason::CertificateHold)
    }

    /// When and why this serial number was revoked, if it is listed.
    pub fn revocation(&self, serial: &Serial) -> Option<(UnixTime, RevocationReason)> {
        let entry = self.find(serial)?;
        Some((entry.revocation_date, reason(&entry)))
    }

    fn find(&self, serial: &Serial) -> Option<BorrowedRevokedCert<'_>> {
        // It fails only for a list whose entries have not been read yet.
        self.0.for_webpki.find_serial(&serial.to_integer()).ok()?
    }

    /// Verifies that `issuer` signed this list. Its time is another matter.
    ///
    /// # Errors
    /// [`Error::BadSignature`], also if it names another issuer; [`Error::KeyUnsupported`].
    pub fn verify(&self, issuer: &Certificate) -> Result<(), Error> {
        let is_issuer = self.0.issuer == issuer.subject()
            && issuer.subject_key_id() == Some(self.issuer_key_id());
        if !is_issuer {
            return Err(Error::BadSignature);
        }
        let signed = &self.der()[self.0.signed.clone()];
        issuer.public_key()?.verify_der(signed, &self.0.signature)
    }

    pub(crate) fn for_webpki(&self) -> &CertRevocationList<'static> {
        &self.0.for_webpki
    }
}

impl fmt::Debug for Crl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Crl")
            .field("issuer_key_id", &HEXLOWER.encode(self.issuer_key_id()))
            .field("number", &self.number())
            .field("revoked", &self.0.length)
            .finish_non_exhaustive()
    }
}

/// Where in a list the first of its three parts is (RFC 5280, section 5.1), which is signed; and the last, the
/// signature.
fn parts(der: &[u8]) -> der::Result<(Range<usize>, Vec<u8>)> {
    let mut reader = SliceReader::new(der)?;
    Header::decode(&mut reader)?;
    let start = usize::try_from(reader.position())?;
    let end = start + reader.tlv_bytes()?.len();
    AnyRef::decode(&mut reader)?;
    let signature = BitStringRef::decode(&mut reader)?;
    let signature = signature.as_bytes();
    let signature = signature.ok_or_else(|| Tag::BitString.value_error())?;
    Ok((start..end, signature.to_vec()))
}

/// The list as [`webpki`] reads it, each of its entries found by its serial number.
fn for_webpki(der: &[u8]) -> Result<CertRevocationList<'static>, Error> {
    let list = OwnedCertRevocationList::from_der(der);
    let list = list.map_err(|_| Error::CrlMalformed("of a kind that is not used here"))?;
    Ok(list.into())
}

/// Decodes DER; what an encoder would have written differently is refused.
fn decode(der: &[u8]) -> Result<CertificateList, Error> {
    if der.len() > MAX_CRL_SIZE {
        return Err(Error::CrlMalformed("too large"));
    }
    let list =
        CertificateList::from_der(der).map_err(|_| Error::CrlMalformed("not a revocation list"))?;
    match list.to_der() {
        Ok(encoded) if encoded == der => Ok(list),
        _ => Err(Error::CrlMalformed("not in DER")),
    }
}

fn number(extensions: &[Extension]) -> Result<u64, Error> {
    let malformed = || Error::CrlMalformed("number");
    let extension = extensions
        .iter()
        .find(|found| found.extn_id == CRL_NUMBER)
        .ok_or_else(malformed)?;
    let CrlNumber(number) =
        CrlNumber::from_der(extension.extn_value.as_bytes()).map_err(|_| malformed())?;
    let bytes = number.as_bytes();
    let mut padded = [0; 8];
    let offset = padded
        .len()
        .checked_sub(bytes.len())
        .ok_or_else(malformed)?;
    padded[offset..].copy_from_slice(bytes);
    Ok(u64::from_be_bytes(padded))
}

fn issuer_key_id(extensions: &[Extension]) -> Result<Vec<u8>, Error> {
    let malformed = || Error::CrlMalformed("authority key identifier");
    let extension = extensions
        .iter()
        .find(|found| found.extn_id == AUTHORITY_KEY_ID)
        .ok_or_else(malformed)?;
    AuthorityKeyIdentifier::from_der(extension.extn_value.as_bytes())
        .ok()
        .and_then(|id| id.key_identifier)
        .map(|id| id.as_bytes().to_vec())
        .ok_or_else(malformed)
}

/// No reason is given for one that is not used here.
fn reason(entry: &BorrowedRevokedCert<'_>) -> RevocationReason {
    use webpki::RevocationReason as Listed;
    match entry.reason_code {
        Some(Listed::KeyCompromise) => RevocationReason::KeyCompromise,
        Some(Listed::CaCompromise) => RevocationReason::CaCompromise,
        Some(Listed::AffiliationChanged) => RevocationReason::AffiliationChanged,
        Some(Listed::Superseded) => RevocationReason::Superseded,
        Some(Listed::CessationOfOperation) => RevocationReason::CessationOfOperation,
        Some(Listed::CertificateHold) => RevocationReason::CertificateHold,
        Some(Listed::PrivilegeWithdrawn) => RevocationReason::PrivilegeWithdrawn,
        _ => RevocationReason::Unspecified,
    }
}
