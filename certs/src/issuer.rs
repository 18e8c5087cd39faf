//! The hierarchy: a root that certifies two issuing authorities, and what each of these two may issue.

use std::net::IpAddr;

use rustls_pki_types::UnixTime;

use crate::authority::{Authority, check_authority};
use crate::key_usage::{KeyPurpose, same_purposes};
use crate::lint::{Profile, Signer, check, checked};
use crate::profile;
use crate::spiffe::authority_uri;
use crate::validity::issued_now;
use crate::{
    Certificate, Chain, Crl, DistributionUrls, Error, Passphrase, PublicKey, RevokedEntry, Serial,
    ServiceName, SigningKey, SpiffeId, StudentId, TrustDomain, Validities, Validity,
};

/// Which of the two issuing authorities. Names of the one kind never count from the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IssuerKind {
    /// Issues `/student/…`: TLS clients that sign documents.
    Students,
    /// Issues `/service/…`: TLS servers and clients, and the key that signs tokens.
    Services,
}

impl IssuerKind {
    /// `students` or `services`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Students => "students",
            Self::Services => "services",
        }
    }
}

/// The root authority: certifies the two issuing authorities, and nobody else.
#[derive(Clone, Debug)]
pub struct Root(Authority);

impl Root {
    /// Makes a self-signed root certificate for ten years.
    ///
    /// # Errors
    /// [`Error::Random`], [`Error::TimeOutOfRange`], [`Error::Issuing`], [`Error::ProfileBroken`].
    pub fn create(
        trust_domain: &TrustDomain,
        key: SigningKey,
        now: UnixTime,
    ) -> Result<Self, Error> {
        let validity = issued_now(now, Validities::ROOT);
        let serial = Serial::random()?;
        let parameters = profile::root(trust_domain, key.public_key(), &serial, &validity)?;
        Self::self_signed(&parameters, trust_domain, key)
    }

    /// Signs a root certificate if it is of its profile.
    pub(crate) fn self_signed(
        parameters: &rcgen::CertificateParams,
        trust_domain: &TrustDomain,
        key: SigningKey,
    ) -> Result<Self, Error> {
        let profile = Profile {
            uri: authority_uri(trust_domain),
            authority: Some(profile::ROOT_PATH),
            purposes: &[],
            longest: Validities::ROOT,
            hosts: false,
            urls: &DistributionUrls::default(),
        };
        let look = |tbs: &[u8]| check(tbs, &profile, Signer::Itself(key.public_key()));
        let signed = checked(&key, &look, |own| {
            parameters.self_signed(&own).map_err(Error::Issuing)
        })?;
        Self::from_parts(Certificate::from_der(signed.der())?, key)
    }

    /// Puts a stored certificate and its key together.
    ///
    /// # Errors
    /// [`Error::KeyMismatch`], [`Error::RootInvalid`], [`Error::IssuerInvalid`].
    pub fn from_parts(certificate: Certificate, key: SigningKey) -> Result<Self, Error> {
        let authority = Authority::new(certificate, key)?;
        check_self_signed(authority.certificate())?;
        Ok(Self(authority))
    }

    pub(crate) fn authority(&self) -> &Authority {
        &self.0
    }

    /// The root certificate.
    pub fn certificate(&self) -> &Certificate {
        self.0.certificate()
    }

    /// The root key.
    pub fn key(&self) -> &SigningKey {
        self.0.key()
    }

    /// Certifies `key` as an issuing authority for five years, at most until the root ends.
    ///
    /// # Errors
    /// [`Error::KeyOfAuthority`], [`Error::UrlInvalid`], [`Error::Random`], [`Error::Issuing`].
    pub fn issue_issuer(
        &self,
        kind: IssuerKind,
        key: SigningKey,
        now: UnixTime,
        urls: &DistributionUrls,
    ) -> Result<Issuer, Error> {
        let certificate = self.certify_issuer(kind, key.public_key(), now, urls)?;
        Issuer::from_parts(kind, certificate, key, self.certificate().clone())
    }

    /// As [`Self::issue_issuer`], for a key that is somewhere else. The name in the certificate is
    /// made of the kind and the key, so that one key has the same name under every root.
    ///
    /// # Errors
    /// As [`Self::issue_issuer`].
    pub fn certify_issuer(
        &self,
        kind: IssuerKind,
        key: &PublicKey,
        now: UnixTime,
        urls: &DistributionUrls,
    ) -> Result<Certificate, Error> {
        let wanted = issued_now(now, Validities::ISSUER);
        let not_after = wanted.not_after.min(self.certificate().not_after());
        let validity = Validity {
            not_after,
            ..wanted
        };
        let serial = Serial::random()?;
        let domain = self.0.trust_domain();
        let mut parameters = profile::issuer(kind, domain, key, &serial, &validity)?;
        profile::add_urls(&mut parameters, urls)?;
        let profile = Profile {
            uri: authority_uri(domain),
            authority: Some(0),
            purposes: profile::issuer_purposes(kind),
            longest: Validities::ISSUER,
            hosts: false,
            urls,
        };
        self.0.certify(&parameters, key, &profile)
    }

    /// Signs the root's revocation list, which is about the issuing authorities.
    ///
    /// # Errors
    /// [`Error::TimeOutOfRange`], [`Error::Issuing`] if `next_update` is not after `this_update`.
    pub fn sign_crl(
        &self,
        number: u64,
        this_update: UnixTime,
        next_update: UnixTime,
        revoked: &[RevokedEntry],
    ) -> Result<Crl, Error> {
        self.0.sign_crl(number, this_update, next_update, revoked)
    }
}

/// An issuing authority, `students` or `services`: its certificate, its key and the root's
/// certificate.
///
/// It writes nothing down: recording the serial number before calling is the caller's duty.
#[derive(Clone, Debug)]
pub struct Issuer {
    kind: IssuerKind,
    authority: Authority,
    root: Certificate,
}

impl Issuer {
    /// Puts a stored certificate and its key together, and checks that it is of this kind and
    /// from this root.
    ///
    /// # Errors
    /// [`Error::KeyMismatch`], [`Error::IssuerInvalid`].
    pub fn from_parts(
        kind: IssuerKind,
        certificate: Certificate,
        key: SigningKey,
        root: Certificate,
    ) -> Result<Self, Error> {
        let authority = Authority::new(certificate, key)?;
        Self::check(kind, authority.certificate(), &root)?;
        Ok(Self {
            kind,
            authority,
            root,
        })
    }

    /// Checks that a certificate is an issuing authority's of this kind and from this root.
    ///
    /// # Errors
    /// [`Error::IssuerInvalid`].
    pub fn check(
        kind: IssuerKind,
        certificate: &Certificate,
        root: &Certificate,
    ) -> Result<(), Error> {
        check_authority(certificate).map_err(Error::IssuerInvalid)?;
        if !same_purposes(
            certificate.extended_key_usages(),
            profile::issuer_purposes(kind),
        ) {
            return Err(Error::IssuerInvalid("extended key usage of another kind"));
        }
        if !certificate.names_issuer(root) || certificate.verify_signed_by(root).is_err() {
            return Err(Error::IssuerInvalid("not issued by the root"));
        }
        Ok(())
    }

    /// Which of the two it is.
    pub fn kind(&self) -> IssuerKind {
        self.kind
    }

    /// Its own certificate.
    pub fn certificate(&self) -> &Certificate {
        self.authority.certificate()
    }

    /// The root's certificate.
    pub fn root(&self) -> &Certificate {
        &self.root
    }

    /// Its key.
    pub fn key(&self) -> &SigningKey {
        self.authority.key()
    }

    /// A secret that only who has this authority's key can compute, another one for each label. It
    /// has 256 random bits: what it encrypts need not be made slow to try.
    ///
    /// # Errors
    /// [`Error::KeyEncryption`].
    pub fn secret(&self, label: &str) -> Result<Passphrase, Error> {
        self.authority.key().secret(label)
    }

    /// The trust domain, read from its own certificate.
    pub fn trust_domain(&self) -> &TrustDomain {
        self.authority.trust_domain()
    }

    /// Certifies a student's key. The chain is leaf and issuer, without the root.
    ///
    /// # Errors
    /// [`Error::WrongIssuer`] unless this is `students`; [`Error::ValidityInvalid`],
    /// [`Error::KeyOfAuthority`], [`Error::UrlInvalid`], [`Error::ProfileBroken`],
    /// [`Error::Issuing`].
    pub fn issue_student(
        &self,
        sid: &StudentId,
        key: &PublicKey,
        serial: &Serial,
        validity: &Validity,
        urls: &DistributionUrls,
    ) -> Result<Chain, Error> {
        self.require(IssuerKind::Students)?;
        let id = SpiffeId::new_student(self.trust_domain(), sid);
        let profile = Profile {
            uri: id.to_string(),
            authority: None,
            purposes: profile::STUDENT_PURPOSES,
            longest: Validities::STUDENT_LIFETIME,
            hosts: false,
            urls,
        };
        let parameters = profile::leaf(&id, profile.purposes, serial, validity)?;
        self.issue(parameters, key, &profile)
    }

    /// Certifies a service's key as TLS server and client, for these host names and addresses.
    ///
    /// # Errors
    /// As [`Self::issue_student`], unless this is `services`; [`Error::DnsNameInvalid`].
    #[allow(clippy::too_many_arguments)] // Each is a distinct type; a struct would only rename them.
    pub fn issue_service(
        &self,
        name: &ServiceName,
        key: &PublicKey,
        serial: &Serial,
        validity: &Validity,
        dns: &[String],
        ips: &[IpAddr],
        urls: &DistributionUrls,
    ) -> Result<Chain, Error> {
        let profile = self.service_profile(name, profile::SERVICE_PURPOSES, urls);
        let mut parameters = self.service_parameters(name, &profile, serial, validity)?;
        profile::add_hosts(&mut parameters, dns, ips)?;
        self.issue(parameters, key, &profile)
    }

    /// Certifies the key that signs tokens as `/service/cuhk`, for signing documents only: no key
    /// of a TLS connection ever signs a token, and the other way round.
    ///
    /// # Errors
    /// As [`Self::issue_service`].
    pub fn issue_token_signer(
        &self,
        key: &PublicKey,
        serial: &Serial,
        validity: &Validity,
        urls: &DistributionUrls,
    ) -> Result<Chain, Error> {
        let name = ServiceName::cuhk();
        let profile = self.service_profile(&name, profile::TOKEN_PURPOSES, urls);
        let parameters = self.service_parameters(&name, &profile, serial, validity)?;
        self.issue(parameters, key, &profile)
    }

    /// Signs this issuer's revocation list.
    ///
    /// # Errors
    /// [`Error::TimeOutOfRange`], [`Error::Issuing`] if `next_update` is not after `this_update`.
    pub fn sign_crl(
        &self,
        number: u64,
        this_update: UnixTime,
        next_update: UnixTime,
        revoked: &[RevokedEntry],
    ) -> Result<Crl, Error> {
        self.authority
            .sign_crl(number, this_update, next_update, revoked)
    }

    fn require(&self, kind: IssuerKind) -> Result<(), Error> {
        if self.kind == kind {
            Ok(())
        } else {
            Err(Error::WrongIssuer)
        }
    }

    fn service_profile<'a>(
        &self,
        name: &ServiceName,
        purposes: &'a [KeyPurpose],
        urls: &'a DistributionUrls,
    ) -> Profile<'a> {
        Profile {
            uri: SpiffeId::new_service(self.trust_domain(), name).to_string(),
            authority: None,
            purposes,
            longest: Validities::SERVICE_LIFETIME,
            // A key that signs tokens serves no host.
            hosts: purposes == profile::SERVICE_PURPOSES,
            urls,
        }
    }

    fn service_parameters(
        &self,
        name: &ServiceName,
        profile: &Profile<'_>,
        serial: &Serial,
        validity: &Validity,
    ) -> Result<rcgen::CertificateParams, Error> {
        self.require(IssuerKind::Services)?;
        let id = SpiffeId::new_service(self.trust_domain(), name);
        profile::leaf(&id, profile.purposes, serial, validity)
    }

    fn issue(
        &self,
        mut parameters: rcgen::CertificateParams,
        key: &PublicKey,
        profile: &Profile<'_>,
    ) -> Result<Chain, Error> {
        if *key == self.root.public_key()? {
            return Err(Error::KeyOfAuthority);
        }
        profile::add_urls(&mut parameters, profile.urls)?;
        let leaf = self.authority.certify(&parameters, key, profile)?;
        Chain::new(vec![leaf, self.certificate().clone()])
    }
}

/// Checks that a root certificate signed itself.
pub(crate) fn check_self_signed(certificate: &Certificate) -> Result<(), Error> {
    if !certificate.is_self_issued() || certificate.verify_signed_by(certificate).is_err() {
        return Err(Error::RootInvalid("not signed by itself"));
    }
    Ok(())
}
