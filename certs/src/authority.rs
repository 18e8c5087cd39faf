//! What the root and the issuing authorities have in common, so that their certificates are made and checked
//! in one place.

use rcgen::{
    CertificateParams, CertificateRevocationListParams, KeyIdMethod, RevokedCertParams,
    SerialNumber,
};
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_cert::ext::pkix::KeyUsages;

use crate::lint::{Listed, Profile, Signer, check, check_list, checked};
use crate::validity::date_time;
use crate::{Certificate, Crl, Error, PublicKey, RevokedEntry, SigningKey, TrustDomain};

/// A certificate authority's certificate together with its key: what root and issuers share.
#[derive(Clone, Debug)]
pub(crate) struct Authority {
    certificate: Certificate,
    key: SigningKey,
    trust_domain: TrustDomain,
}

impl Authority {
    /// Checks that the key belongs to the certificate and that this is an authority's.
    pub(crate) fn new(certificate: Certificate, key: SigningKey) -> Result<Self, Error> {
        if certificate.public_key()? != *key.public_key() {
            return Err(Error::KeyMismatch);
        }
        let trust_domain = check_authority(&certificate).map_err(Error::IssuerInvalid)?;
        Ok(Self {
            certificate,
            key,
            trust_domain,
        })
    }

    pub(crate) fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    pub(crate) fn key(&self) -> &SigningKey {
        &self.key
    }

    pub(crate) fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }

    /// Signs a certificate if it is of its profile. It must not outlive this authority's own.
    pub(crate) fn certify(
        &self,
        parameters: &CertificateParams,
        key: &PublicKey,
        profile: &Profile<'_>,
    ) -> Result<Certificate, Error> {
        self.check_validity(parameters)?;
        if key == self.key.public_key() {
            return Err(Error::KeyOfAuthority);
        }
        let look = |tbs: &[u8]| check(tbs, profile, Signer::Authority(&self.certificate));
        let signed = checked(&self.key, &look, |own| {
            let signed = parameters.signed_by(key, &self.rcgen_issuer(own)?);
            signed.map_err(Error::Issuing)
        })?;
        Certificate::from_der(signed.der())
    }

    /// Signs a revocation list if it says exactly this.
    pub(crate) fn sign_crl(
        &self,
        number: u64,
        this_update: UnixTime,
        next_update: UnixTime,
        revoked: &[RevokedEntry],
    ) -> Result<Crl, Error> {
        let listed = Listed {
            number,
            this_update,
            next_update,
            revoked,
        };
        self.sign_list(&self.list(&listed)?, &listed)
    }

    /// What is signed of a list.
    pub(crate) fn list(
        &self,
        listed: &Listed<'_>,
    ) -> Result<CertificateRevocationListParams, Error> {
        let revoked = listed.revoked.iter().map(revoked_certificate);
        Ok(CertificateRevocationListParams {
            this_update: date_time(listed.this_update)?,
            next_update: date_time(listed.next_update)?,
            crl_number: SerialNumber::from(listed.number),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect::<Result<_, _>>()?,
            key_identifier_method: self.key_identifier()?,
        })
    }

    /// Signs a list if it says exactly what it should.
    pub(crate) fn sign_list(
        &self,
        parameters: &CertificateRevocationListParams,
        listed: &Listed<'_>,
    ) -> Result<Crl, Error> {
        let look = |tbs: &[u8]| check_list(tbs, listed, &self.certificate);
        let signed = checked(&self.key, &look, |own| {
            let signed = parameters.signed_by(&self.rcgen_issuer(own)?);
            signed.map_err(Error::Issuing)
        })?;
        Crl::just_signed(signed.der().to_vec(), listed, &self.certificate)
    }

    fn check_validity(&self, parameters: &CertificateParams) -> Result<(), Error> {
        let end = date_time(self.certificate.not_after())?;
        if parameters.not_before < parameters.not_after && parameters.not_after <= end {
            Ok(())
        } else {
            Err(Error::ValidityInvalid)
        }
    }

    fn key_identifier(&self) -> Result<KeyIdMethod, Error> {
        self.certificate
            .subject_key_id()
            .map(|id| KeyIdMethod::PreSpecified(id.to_vec()))
            .ok_or(Error::IssuerInvalid("no subject key identifier"))
    }

    fn rcgen_issuer<K: rcgen::SigningKey>(
        &self,
        key: K,
    ) -> Result<rcgen::Issuer<'static, K>, Error> {
        let der = CertificateDer::from(self.certificate.der());
        rcgen::Issuer::from_ca_cert_der(&der, key).map_err(Error::Issuing)
    }
}

/// Checks what every authority's certificate has in common; returns its trust domain.
pub(crate) fn check_authority(certificate: &Certificate) -> Result<TrustDomain, &'static str> {
    if !certificate.is_ca() {
        return Err("not a certificate authority");
    }
    if !certificate.has_key_usages(&[KeyUsages::KeyCertSign, KeyUsages::CRLSign]) {
        return Err("key usage is not exactly keyCertSign and cRLSign");
    }
    certificate
        .authority_trust_domain()
        .map_err(|_| "no trust domain as its one URI")
}

fn revoked_certificate(entry: &RevokedEntry) -> Result<RevokedCertParams, Error> {
    Ok(RevokedCertParams {
        serial_number: SerialNumber::from_slice(entry.serial.as_bytes()),
        revocation_time: date_time(entry.revoked_at)?,
        reason_code: Some(entry.reason.for_rcgen()),
        invalidity_date: entry.invalid_since.map(date_time).transpose()?,
    })
}
