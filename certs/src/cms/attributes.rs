//! The signed attributes: what CMS signs instead of the content itself, and what binds a signature to its
//! signer's certificate.

use cms::cert::IssuerAndSerialNumber;
use cms::signed_data::SignedAttributes;
use der::asn1::{GeneralizedTime, ObjectIdentifier, OctetString, SetOfVec, UtcTime};
use der::{Any, DateTime, Decode, Encode, Sequence};
use ring::digest;
use rustls_pki_types::UnixTime;
use x509_cert::attr::Attribute;
use x509_cert::ext::pkix::name::{GeneralName, GeneralNames};
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::AlgorithmIdentifierOwned;
use x509_cert::time::Time;

use super::{DATA, encoding};
use crate::parse::unix_time;
use crate::{Certificate, Error};

const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
const SIGNING_TIME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.5");
const SIGNING_CERTIFICATE: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.47");

/// `SigningCertificateV2` (RFC 5035, section 3).
#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
struct SigningCertificate {
    certificates: Vec<CertificateId>,
    policies: Option<Any>,
}

/// `ESSCertIDv2` (RFC 5035, section 4).
#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
struct CertificateId {
    /// Absent means SHA-256.
    hash_algorithm: Option<AlgorithmIdentifierOwned>,
    hash: OctetString,
    issuer_serial: Option<IssuerSerial>,
}

/// `IssuerSerial` (RFC 5035, section 4).
#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
struct IssuerSerial {
    issuer: GeneralNames,
    serial_number: SerialNumber,
}

/// The signed attributes over `content` by the holder of `certificate`.
pub(super) fn create(
    content: &[u8],
    certificate: &Certificate,
    signing_time: UnixTime,
) -> Result<SignedAttributes, Error> {
    let signing_certificate = SigningCertificate {
        certificates: vec![CertificateId {
            hash_algorithm: None,
            hash: octets(certificate.fingerprint().as_bytes())?,
            issuer_serial: None,
        }],
        policies: None,
    };
    let attributes = [
        attribute(CONTENT_TYPE, &DATA)?,
        attribute(MESSAGE_DIGEST, &octets(digest(content).as_ref())?)?,
        attribute(SIGNING_TIME, &time(signing_time)?)?,
        attribute(SIGNING_CERTIFICATE, &signing_certificate)?,
    ];
    SignedAttributes::try_from(attributes.to_vec()).map_err(encoding)
}

/// Checks that these are exactly our attributes, over `content` by the holder of `certificate`;
/// returns the claimed signing time.
pub(super) fn check(
    attributes: &SignedAttributes,
    content: &[u8],
    certificate: &Certificate,
    signer: &IssuerAndSerialNumber,
) -> Result<UnixTime, Error> {
    let known = [
        CONTENT_TYPE,
        MESSAGE_DIGEST,
        SIGNING_TIME,
        SIGNING_CERTIFICATE,
    ];
    if attributes.len() != known.len() {
        return Err(Error::CmsMalformed(
            "signed attributes are not the expected ones",
        ));
    }
    if only_value::<ObjectIdentifier>(attributes, CONTENT_TYPE)? != DATA {
        return Err(Error::CmsMalformed("content type is not data"));
    }
    if only_value::<OctetString>(attributes, MESSAGE_DIGEST)?.as_bytes() != digest(content).as_ref()
    {
        return Err(Error::CmsContent);
    }
    check_certificate(
        &only_value(attributes, SIGNING_CERTIFICATE)?,
        certificate,
        signer,
    )?;
    Ok(unix_time(&only_value::<Time>(attributes, SIGNING_TIME)?))
}

fn check_certificate(
    attribute: &SigningCertificate,
    certificate: &Certificate,
    signer: &IssuerAndSerialNumber,
) -> Result<(), Error> {
    let [id] = attribute.certificates.as_slice() else {
        return Err(Error::CmsMalformed("not exactly one signing certificate"));
    };
    let is_sha256 = id.hash_algorithm.as_ref().is_none_or(super::is_sha256);
    if !is_sha256 || attribute.policies.is_some() {
        return Err(Error::CmsMalformed("signing certificate attribute"));
    }
    let same_hash = id.hash.as_bytes() == certificate.fingerprint().as_bytes();
    let same_issuer = id
        .issuer_serial
        .as_ref()
        .is_none_or(|named| named.is(signer));
    if same_hash && same_issuer {
        Ok(())
    } else {
        Err(Error::CmsCertificate)
    }
}

impl IssuerSerial {
    fn is(&self, signer: &IssuerAndSerialNumber) -> bool {
        let same_name = match self.issuer.as_slice() {
            [GeneralName::DirectoryName(name)] => *name == signer.issuer,
            _ => false,
        };
        same_name && self.serial_number == signer.serial_number
    }
}

fn attribute(oid: ObjectIdentifier, value: &impl Encode) -> Result<Attribute, Error> {
    let value = value
        .to_der()
        .and_then(|der| Any::from_der(&der))
        .map_err(encoding)?;
    let values = SetOfVec::try_from(vec![value]).map_err(encoding)?;
    Ok(Attribute { oid, values })
}

fn only_value<T: for<'a> Decode<'a>>(
    attributes: &SignedAttributes,
    oid: ObjectIdentifier,
) -> Result<T, Error> {
    let found: Vec<_> = attributes
        .iter()
        .filter(|attribute| attribute.oid == oid)
        .collect();
    let values = match found.as_slice() {
        [attribute] => attribute.values.as_slice(),
        _ => {
            return Err(Error::CmsMalformed(
                "a signed attribute is missing or repeated",
            ));
        }
    };
    let [value] = values else {
        return Err(Error::CmsMalformed(
            "a signed attribute has not exactly one value",
        ));
    };
    let malformed = |_| Error::CmsMalformed("value of a signed attribute");
    T::from_der(&value.to_der().map_err(malformed)?).map_err(malformed)
}

/// UTCTime until 2049, GeneralizedTime from then on (RFC 5652, section 11.3).
fn time(time: UnixTime) -> Result<Time, Error> {
    let duration = std::time::Duration::from_secs(time.as_secs());
    let date_time = DateTime::from_unix_duration(duration).map_err(|_| Error::TimeOutOfRange)?;
    match UtcTime::from_date_time(date_time) {
        Ok(time) => Ok(Time::UtcTime(time)),
        Err(_) => Ok(Time::GeneralTime(GeneralizedTime::from_date_time(
            date_time,
        ))),
    }
}

fn digest(content: &[u8]) -> digest::Digest {
    digest::digest(&digest::SHA256, content)
}

fn octets(bytes: &[u8]) -> Result<OctetString, Error> {
    OctetString::new(bytes).map_err(encoding)
}
