//! Decoding certificates into the few things that the rest asks for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use der::asn1::OctetString;
use der::oid::AssociatedOid;
use der::{Decode, Encode};
use rustls_pki_types::UnixTime;
use x509_cert::Certificate as X509;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};
use x509_cert::ext::pkix::{
    AuthorityInfoAccessSyntax, AuthorityKeyIdentifier, BasicConstraints, CrlDistributionPoints,
    ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectAltName, SubjectKeyIdentifier,
};
use x509_cert::time::Time;

use crate::key_usage::KeyPurpose;
use crate::profile::CA_ISSUERS;
use crate::{Error, PublicKey, Serial};

/// What a certificate says, decoded once.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) serial: Serial,
    pub(crate) issuer: Vec<u8>,
    pub(crate) subject: Vec<u8>,
    pub(crate) not_before: UnixTime,
    pub(crate) not_after: UnixTime,
    pub(crate) public_key: Option<PublicKey>,
    pub(crate) uris: Vec<String>,
    pub(crate) dns_names: Vec<String>,
    pub(crate) ip_addresses: Vec<IpAddr>,
    pub(crate) is_ca: bool,
    pub(crate) path_length: Option<u8>,
    pub(crate) key_usages: Vec<KeyUsages>,
    pub(crate) purposes: Vec<KeyPurpose>,
    pub(crate) subject_key_id: Option<Vec<u8>>,
    pub(crate) authority_key_id: Option<Vec<u8>>,
}

/// Decodes DER. Bytes that are not what an encoder would write are refused, so that a certificate
/// has one encoding and one fingerprint.
pub(crate) fn decode(der: &[u8]) -> Result<X509, Error> {
    let certificate =
        X509::from_der(der).map_err(|_| Error::CertificateMalformed("not an X.509 certificate"))?;
    match certificate.to_der() {
        Ok(encoded) if encoded == der => Ok(certificate),
        _ => Err(Error::CertificateMalformed("not in DER")),
    }
}

pub(crate) fn parse(der: &[u8]) -> Result<Parsed, Error> {
    let certificate = decode(der)?;
    refuse_repeated_extensions(&certificate)?;
    let names = Names::of(&certificate)?;
    let tbs = &certificate.tbs_certificate;
    let basic = extension::<BasicConstraints>(&certificate)?;
    Ok(Parsed {
        serial: Serial::from_bytes(tbs.serial_number.as_bytes())
            .map_err(|_| Error::CertificateMalformed("serial number"))?,
        issuer: encoded(&tbs.issuer)?,
        subject: encoded(&tbs.subject)?,
        not_before: unix_time(&tbs.validity.not_before),
        not_after: unix_time(&tbs.validity.not_after),
        public_key: PublicKey::from_spki(&tbs.subject_public_key_info).ok(),
        uris: names.uris,
        dns_names: names.dns_names,
        ip_addresses: names.ip_addresses,
        is_ca: basic.as_ref().is_some_and(|basic| basic.ca),
        path_length: basic.and_then(|basic| basic.path_len_constraint),
        key_usages: extension::<KeyUsage>(&certificate)?
            .map(|usage| usage.0.into_iter().collect())
            .unwrap_or_default(),
        purposes: extension::<ExtendedKeyUsage>(&certificate)?
            .map(|usage| usage.0.iter().map(KeyPurpose::from_oid).collect())
            .unwrap_or_default(),
        subject_key_id: extension::<SubjectKeyIdentifier>(&certificate)?.map(|id| bytes(&id.0)),
        authority_key_id: extension::<AuthorityKeyIdentifier>(&certificate)?
            .and_then(|id| id.key_identifier)
            .map(|id| bytes(&id)),
    })
}

/// Where a certificate says that its issuer's revocation list is; nowhere if it cannot be read.
pub(crate) fn list_urls(der: &[u8]) -> Vec<String> {
    let points = decode(der).and_then(|found| extension::<CrlDistributionPoints>(&found));
    let points = points.ok().flatten().map(|points| points.0);
    let names = points
        .into_iter()
        .flatten()
        .filter_map(|point| match point.distribution_point {
            Some(DistributionPointName::FullName(names)) => Some(names),
            _ => None,
        });
    names.flatten().filter_map(url).collect()
}

/// Where a certificate says that its issuer's certificate is; nowhere if it cannot be read.
pub(crate) fn issuer_urls(der: &[u8]) -> Vec<String> {
    let access = decode(der).and_then(|found| extension::<AuthorityInfoAccessSyntax>(&found));
    let access = access.ok().flatten().map(|access| access.0);
    let of_issuer = access.into_iter().flatten();
    let of_issuer = of_issuer.filter(|one| one.access_method == CA_ISSUERS);
    of_issuer
        .filter_map(|one| url(one.access_location))
        .collect()
}

fn url(name: GeneralName) -> Option<String> {
    match name {
        GeneralName::UniformResourceIdentifier(uri) => Some(uri.to_string()),
        _ => None,
    }
}

pub(crate) fn unix_time(time: &Time) -> UnixTime {
    UnixTime::since_unix_epoch(time.to_unix_duration())
}

#[derive(Default)]
struct Names {
    uris: Vec<String>,
    dns_names: Vec<String>,
    ip_addresses: Vec<IpAddr>,
}

impl Names {
    fn of(certificate: &X509) -> Result<Self, Error> {
        let mut names = Self::default();
        if let Some(SubjectAltName(list)) = extension::<SubjectAltName>(certificate)? {
            for name in &list {
                names.add(name)?;
            }
        }
        Ok(names)
    }

    fn add(&mut self, name: &GeneralName) -> Result<(), Error> {
        match name {
            GeneralName::UniformResourceIdentifier(uri) => self.uris.push(uri.to_string()),
            GeneralName::DnsName(name) => self.dns_names.push(name.to_string()),
            GeneralName::IpAddress(address) => self.ip_addresses.push(ip_address(address)?),
            _ => {}
        }
        Ok(())
    }
}

fn ip_address(address: &OctetString) -> Result<IpAddr, Error> {
    let bytes = address.as_bytes();
    if let Ok(octets) = <[u8; 4]>::try_from(bytes) {
        Ok(Ipv4Addr::from(octets).into())
    } else if let Ok(octets) = <[u8; 16]>::try_from(bytes) {
        Ok(Ipv6Addr::from(octets).into())
    } else {
        Err(Error::CertificateMalformed("IP address"))
    }
}

fn extension<'a, T: Decode<'a> + AssociatedOid>(certificate: &'a X509) -> Result<Option<T>, Error> {
    let found = certificate
        .tbs_certificate
        .get::<T>()
        .map_err(|_| Error::CertificateMalformed("extension"))?;
    Ok(found.map(|(_critical, value)| value))
}

/// RFC 5280, section 4.2: no extension twice.
fn refuse_repeated_extensions(certificate: &X509) -> Result<(), Error> {
    let extensions = certificate
        .tbs_certificate
        .extensions
        .as_deref()
        .unwrap_or_default();
    for (index, extension) in extensions.iter().enumerate() {
        if extensions[..index]
            .iter()
            .any(|earlier| earlier.extn_id == extension.extn_id)
        {
            return Err(Error::CertificateMalformed("extension repeated"));
        }
    }
    Ok(())
}

fn encoded(value: &impl Encode) -> Result<Vec<u8>, Error> {
    value
        .to_der()
        .map_err(|_| Error::CertificateMalformed("name"))
}

fn bytes(octets: &OctetString) -> Vec<u8> {
    octets.as_bytes().to_vec()
}
