//! What each kind of certificate contains. Nothing of it comes from a certificate request.

use std::net::IpAddr;

use der::Encode;
use der::asn1::{Ia5String, ObjectIdentifier};
use rcgen::{
    BasicConstraints, CertificateParams, CrlDistributionPoint, CustomExtension, DistinguishedName,
    DnType, IsCa, KeyUsagePurpose, SanType, SerialNumber,
};
use rustls_pki_types::DnsName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{AccessDescription, AuthorityInfoAccessSyntax};

use crate::key_usage::KeyPurpose;
use crate::spiffe::authority_uri;
use crate::validity::date_time;
use crate::{Error, IssuerKind, PublicKey, Serial, SpiffeId, TrustDomain, Validity};

/// Students sign in as TLS clients and sign what they hand in.
pub(crate) const STUDENT_PURPOSES: &[KeyPurpose] =
    &[KeyPurpose::ClientAuth, KeyPurpose::DocumentSigning];
/// Services are TLS servers and TLS clients.
pub(crate) const SERVICE_PURPOSES: &[KeyPurpose] =
    &[KeyPurpose::ServerAuth, KeyPurpose::ClientAuth];
/// The key that signs tokens does nothing else.
pub(crate) const TOKEN_PURPOSES: &[KeyPurpose] = &[KeyPurpose::DocumentSigning];

const AUTHORITY_INFO_ACCESS: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 1, 1];
pub(crate) const CA_ISSUERS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.2");

/// How many authorities may follow a root: another root that it certified, and one that issues.
pub(crate) const ROOT_PATH: u8 = 2;
/// How many may follow a root that another one certified.
pub(crate) const CROSS_PATH: u8 = 1;

/// Characters of an organization or a common name (RFC 5280, appendix A.1).
pub(crate) const NAME_LENGTH: usize = 64;

/// Where others find the issuer's revocation list and certificate. Neither is written by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DistributionUrls {
    /// The revocation list: CRL distribution point (RFC 5280, section 4.2.1.13).
    pub crl: Option<String>,
    /// The issuer's certificate: authority information access (RFC 5280, section 4.2.2.1).
    pub ca: Option<String>,
}

pub(crate) fn issuer_purposes(kind: IssuerKind) -> &'static [KeyPurpose] {
    match kind {
        IssuerKind::Students => STUDENT_PURPOSES,
        IssuerKind::Services => &[
            KeyPurpose::ServerAuth,
            KeyPurpose::ClientAuth,
            KeyPurpose::DocumentSigning,
        ],
    }
}

pub(crate) fn root(
    trust_domain: &TrustDomain,
    key: &PublicKey,
    serial: &Serial,
    validity: &Validity,
) -> Result<CertificateParams, Error> {
    root_followed_by(ROOT_PATH, trust_domain, key, serial, validity)
}

/// A root's key, certified by another root: under the name that it has in its own certificate.
pub(crate) fn cross(
    trust_domain: &TrustDomain,
    key: &PublicKey,
    serial: &Serial,
    validity: &Validity,
) -> Result<CertificateParams, Error> {
    root_followed_by(CROSS_PATH, trust_domain, key, serial, validity)
}

fn root_followed_by(
    path_length: u8,
    trust_domain: &TrustDomain,
    key: &PublicKey,
    serial: &Serial,
    validity: &Validity,
) -> Result<CertificateParams, Error> {
    let uri = authority_uri(trust_domain);
    let subject = authority_name(trust_domain, "root", key);
    let mut parameters = base(subject, &uri, serial, validity)?;
    make_authority(&mut parameters, path_length);
    Ok(parameters)
}

pub(crate) fn issuer(
    kind: IssuerKind,
    trust_domain: &TrustDomain,
    key: &PublicKey,
    serial: &Serial,
    validity: &Validity,
) -> Result<CertificateParams, Error> {
    let uri = authority_uri(trust_domain);
    let subject = authority_name(trust_domain, kind.as_str(), key);
    let mut parameters = base(subject, &uri, serial, validity)?;
    make_authority(&mut parameters, 0);
    set_purposes(&mut parameters, issuer_purposes(kind));
    Ok(parameters)
}

pub(crate) fn leaf(
    id: &SpiffeId,
    purposes: &[KeyPurpose],
    serial: &Serial,
    validity: &Validity,
) -> Result<CertificateParams, Error> {
    let common_name = match id.identity() {
        crate::Identity::Student(sid) => sid.as_str(),
        crate::Identity::Service(name) => name.as_str(),
    };
    let subject = name(id.trust_domain(), common_name);
    let mut parameters = base(subject, &id.to_string(), serial, validity)?;
    parameters.is_ca = IsCa::ExplicitNoCa;
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    set_purposes(&mut parameters, purposes);
    Ok(parameters)
}

pub(crate) fn add_hosts(
    parameters: &mut CertificateParams,
    dns: &[String],
    ips: &[IpAddr],
) -> Result<(), Error> {
    for name in dns {
        let invalid = || Error::DnsNameInvalid(name.clone());
        DnsName::try_from(name.as_str()).map_err(|_| invalid())?;
        let text = name.as_str().try_into().map_err(|_| invalid())?;
        parameters.subject_alt_names.push(SanType::DnsName(text));
    }
    parameters
        .subject_alt_names
        .extend(ips.iter().copied().map(SanType::IpAddress));
    Ok(())
}

pub(crate) fn add_urls(
    parameters: &mut CertificateParams,
    urls: &DistributionUrls,
) -> Result<(), Error> {
    if let Some(url) = &urls.crl {
        check_url(url)?;
        parameters.crl_distribution_points = vec![CrlDistributionPoint {
            uris: vec![url.clone()],
        }];
    }
    if let Some(url) = &urls.ca {
        check_url(url)?;
        parameters
            .custom_extensions
            .push(authority_info_access(url)?);
    }
    Ok(())
}

fn base(
    subject: DistinguishedName,
    uri: &str,
    serial: &Serial,
    validity: &Validity,
) -> Result<CertificateParams, Error> {
    let mut parameters = CertificateParams::default();
    parameters.not_before = date_time(validity.not_before)?;
    parameters.not_after = date_time(validity.not_after)?;
    parameters.serial_number = Some(SerialNumber::from_slice(serial.as_bytes()));
    parameters.distinguished_name = subject;
    parameters.subject_alt_names = vec![SanType::URI(uri.try_into().map_err(Error::Issuing)?)];
    parameters.use_authority_key_identifier_extension = true;
    Ok(parameters)
}

fn make_authority(parameters: &mut CertificateParams, path_length: u8) {
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(path_length));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
}

fn set_purposes(parameters: &mut CertificateParams, purposes: &[KeyPurpose]) {
    parameters.extended_key_usages = purposes.iter().map(|purpose| purpose.for_rcgen()).collect();
}

/// An authority's name is unique to its key: revocation lists are found by name.
fn authority_name(trust_domain: &TrustDomain, role: &str, key: &PublicKey) -> DistinguishedName {
    let fingerprint = key.fingerprint().to_string();
    name(trust_domain, &format!("{role} {}", &fingerprint[..8]))
}

fn name(trust_domain: &TrustDomain, common_name: &str) -> DistinguishedName {
    let organization: String = trust_domain.as_str().chars().take(NAME_LENGTH).collect();
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, organization);
    name.push(DnType::CommonName, common_name);
    name
}

fn authority_info_access(url: &str) -> Result<CustomExtension, Error> {
    let location = Ia5String::new(url).map_err(|_| Error::UrlInvalid)?;
    let content = AuthorityInfoAccessSyntax(vec![AccessDescription {
        access_method: CA_ISSUERS,
        access_location: GeneralName::UniformResourceIdentifier(location),
    }])
    .to_der()
    .map_err(|_| Error::UrlInvalid)?;
    Ok(CustomExtension::from_oid_content(
        AUTHORITY_INFO_ACCESS,
        content,
    ))
}

fn check_url(url: &str) -> Result<(), Error> {
    let is_http = url.starts_with("http://") || url.starts_with("https://");
    if is_http && url.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(())
    } else {
        Err(Error::UrlInvalid)
    }
}
