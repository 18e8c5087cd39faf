//! Cross certificates: one root certifies another's key, while one takes the place of the other (RFC 4210,
//! section 4.4). Whoever knows the one alone, and no trust bundle, goes on to what is under the other.

use rustls_pki_types::UnixTime;

use crate::authority::check_authority;
use crate::issuer::check_self_signed;
use crate::lint::Profile;
use crate::profile;
use crate::spiffe::authority_uri;
use crate::validity::issued_now;
use crate::{Certificate, DistributionUrls, Error, PublicKey, Root, Serial, Validities, Validity};

impl Root {
    /// Certifies the key of another root of this trust domain, under its name, for 13 months, at most until one of
    /// the two ends.
    ///
    /// # Errors
    /// [`Error::RootInvalid`] if the other is no root, [`Error::IssuerInvalid`] if it is of another trust domain or
    /// under this root no other one may be: see [`may_certify_root`]. [`Error::KeyOfAuthority`] for its own key;
    /// [`Error::UrlInvalid`], [`Error::Random`], [`Error::Issuing`], [`Error::ProfileBroken`].
    pub fn cross_certify(
        &self,
        other: &Certificate,
        now: UnixTime,
        urls: &DistributionUrls,
    ) -> Result<Certificate, Error> {
        check_self_signed(other)?;
        let (own, domain) = (self.certificate(), self.authority().trust_domain());
        if check_authority(other).map_err(Error::RootInvalid)? != *domain {
            return Err(Error::IssuerInvalid("a root of another trust domain"));
        }
        if !may_certify_root(own) {
            return Err(Error::IssuerInvalid("no root may be under this one"));
        }
        let wanted = issued_now(now, Validities::CROSS);
        let validity = Validity {
            not_before: wanted.not_before.max(own.not_before()),
            not_after: wanted.not_after.min(own.not_after()).min(other.not_after()),
        };
        let (key, serial) = (other.public_key()?, Serial::random()?);
        let mut parameters = profile::cross(domain, &key, &serial, &validity)?;
        profile::add_urls(&mut parameters, urls)?;
        let certificate = self.certify_cross(&parameters, &key, urls)?;
        check_cross(&certificate, other, own)?;
        Ok(certificate)
    }

    /// Signs a cross certificate if it is of its profile.
    pub(crate) fn certify_cross(
        &self,
        parameters: &rcgen::CertificateParams,
        key: &PublicKey,
        urls: &DistributionUrls,
    ) -> Result<Certificate, Error> {
        let profile = Profile {
            uri: authority_uri(self.authority().trust_domain()),
            authority: Some(profile::CROSS_PATH),
            purposes: &[],
            longest: Validities::CROSS,
            hosts: false,
            urls,
        };
        self.authority().certify(parameters, key, &profile)
    }
}

/// Whether another root may be under this one, and an issuing authority under that: a root from before cross
/// certificates says that a single authority may follow it, and `openssl` holds it to that.
pub fn may_certify_root(root: &Certificate) -> bool {
    root.path_length()
        .is_none_or(|length| length > profile::CROSS_PATH)
}

/// Checks that a certificate is the one root's key and name, certified by the other.
///
/// # Errors
/// [`Error::IssuerInvalid`].
pub fn check_cross(
    certificate: &Certificate,
    subject: &Certificate,
    issuer: &Certificate,
) -> Result<(), Error> {
    let domain = check_authority(certificate).map_err(Error::IssuerInvalid)?;
    let is_of_both = [subject, issuer]
        .iter()
        .all(|root| root.authority_trust_domain().is_ok_and(|own| own == domain));
    if !is_of_both {
        return Err(Error::IssuerInvalid("of another trust domain"));
    }
    let is_named = certificate.subject() == subject.subject()
        && certificate.subject_key_id() == subject.subject_key_id();
    if !is_named || certificate.public_key()? != subject.public_key()? {
        return Err(Error::IssuerInvalid("not for the root's key and name"));
    }
    if certificate.path_length() != Some(profile::CROSS_PATH) {
        return Err(Error::IssuerInvalid("of another path length"));
    }
    if !certificate.extended_key_usages().is_empty() {
        return Err(Error::IssuerInvalid("extended key usage of another kind"));
    }
    if subject == issuer
        || !certificate.names_issuer(issuer)
        || certificate.verify_signed_by(issuer).is_err()
    {
        return Err(Error::IssuerInvalid("not issued by the other root"));
    }
    Ok(())
}
