//! A university with its three authorities, and the means to forge certificates.

use std::time::Duration;

use der::Encode;
use rcgen::{CertificateParams, DistinguishedName, ExtendedKeyUsagePurpose, IsCa, SanType};
use rustls_pki_types::UnixTime;
use scb_certs::{
    Certificate, Chain, Crl, DistributionUrls, Issuer, IssuerKind, RevocationReason, RevokedEntry,
    Root, Serial, ServiceName, SigningKey, StudentId, TrustDomain, TrustStore, Validities,
    Validity, leaf_validity,
};

pub(crate) const DAY: u64 = 24 * 60 * 60;
/// 15 January 2027, 08:00 UTC.
const NOW: u64 = 1_800_000_000;

pub(crate) fn now() -> UnixTime {
    seconds(NOW)
}

/// `days` after now.
pub(crate) fn in_days(days: u64) -> UnixTime {
    seconds(NOW + days * DAY)
}

/// `days` before now.
pub(crate) fn days_ago(days: u64) -> UnixTime {
    seconds(NOW - days * DAY)
}

pub(crate) fn seconds(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

pub(crate) fn new_key() -> SigningKey {
    SigningKey::generate().unwrap()
}

pub(crate) fn sid(text: &str) -> StudentId {
    text.parse().unwrap()
}

pub(crate) fn no_urls() -> DistributionUrls {
    DistributionUrls::default()
}

pub(crate) struct Campus {
    pub(crate) root: Root,
    pub(crate) students: Issuer,
    pub(crate) services: Issuer,
}

/// Somebody with a key and a certificate.
pub(crate) struct Holder {
    pub(crate) key: SigningKey,
    pub(crate) chain: Chain,
}

impl Holder {
    pub(crate) fn leaf(&self) -> &Certificate {
        self.chain.leaf()
    }
}

impl Campus {
    pub(crate) fn new() -> Self {
        Self::of("cuhk.example")
    }

    pub(crate) fn of(trust_domain: &str) -> Self {
        let domain: TrustDomain = trust_domain.parse().unwrap();
        let root = Root::create(&domain, new_key(), now()).unwrap();
        let issuer = |kind| {
            root.issue_issuer(kind, new_key(), now(), &no_urls())
                .unwrap()
        };
        let students = issuer(IssuerKind::Students);
        let services = issuer(IssuerKind::Services);
        Self {
            root,
            students,
            services,
        }
    }

    pub(crate) fn issuer(&self, kind: IssuerKind) -> &Issuer {
        match kind {
            IssuerKind::Students => &self.students,
            IssuerKind::Services => &self.services,
        }
    }

    pub(crate) fn student(&self, id: &str) -> Holder {
        let key = new_key();
        let chain = self
            .students
            .issue_student(
                &sid(id),
                key.public_key(),
                &Serial::random().unwrap(),
                &self.student_validity(),
                &no_urls(),
            )
            .unwrap();
        Holder { key, chain }
    }

    pub(crate) fn student_validity(&self) -> Validity {
        leaf_validity(
            now(),
            Validities::STUDENT_LIFETIME,
            self.students.certificate(),
        )
    }

    pub(crate) fn service(&self, name: &ServiceName) -> Holder {
        let key = new_key();
        let chain = self
            .services
            .issue_service(
                name,
                key.public_key(),
                &Serial::random().unwrap(),
                &self.service_validity(),
                &["localhost".to_owned()],
                &["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()],
                &no_urls(),
            )
            .unwrap();
        Holder { key, chain }
    }

    pub(crate) fn token_signer(&self) -> Holder {
        let key = new_key();
        let serial = Serial::random().unwrap();
        let chain = self
            .services
            .issue_token_signer(
                key.public_key(),
                &serial,
                &self.service_validity(),
                &no_urls(),
            )
            .unwrap();
        Holder { key, chain }
    }

    pub(crate) fn service_validity(&self) -> Validity {
        leaf_validity(
            now(),
            Validities::SERVICE_LIFETIME,
            self.services.certificate(),
        )
    }

    /// Trusts the root and knows of no revocation lists.
    pub(crate) fn trust(&self) -> TrustStore {
        TrustStore::new(self.root.certificate().clone()).unwrap()
    }

    /// Trusts the root; the lists of all three authorities say that nothing is revoked.
    pub(crate) fn strict_trust(&self) -> TrustStore {
        self.trust().with_crls(self.crls()).unwrap()
    }

    pub(crate) fn crls(&self) -> Vec<Crl> {
        vec![
            self.root_crl(&[]),
            self.students_crl(&[]),
            self.services_crl(&[]),
        ]
    }

    pub(crate) fn root_crl(&self, revoked: &[&Certificate]) -> Crl {
        self.root
            .sign_crl(1, now(), in_days(400), &entries(revoked))
            .unwrap()
    }

    pub(crate) fn students_crl(&self, revoked: &[&Certificate]) -> Crl {
        self.students
            .sign_crl(1, now(), in_days(1), &entries(revoked))
            .unwrap()
    }

    pub(crate) fn services_crl(&self, revoked: &[&Certificate]) -> Crl {
        self.services
            .sign_crl(1, now(), in_days(1), &entries(revoked))
            .unwrap()
    }

    /// What a student's certificate contains, for making one that differs in one thing.
    pub(crate) fn student_parameters(&self) -> CertificateParams {
        parameters(
            "spiffe://cuhk.example/student/1155000001",
            &[&[1, 3, 6, 1, 5, 5, 7, 3, 2], &[1, 3, 6, 1, 5, 5, 7, 3, 36]],
        )
    }

    /// What a service's certificate contains, for making one that differs in one thing.
    pub(crate) fn service_parameters(&self) -> CertificateParams {
        parameters(
            "spiffe://cuhk.example/service/blackboard",
            &[&[1, 3, 6, 1, 5, 5, 7, 3, 1], &[1, 3, 6, 1, 5, 5, 7, 3, 2]],
        )
    }

    /// Signs whatever it is told to, as an issuer with a stolen key would.
    pub(crate) fn forge(&self, kind: IssuerKind, parameters: &CertificateParams) -> Holder {
        let issuer = self.issuer(kind);
        forge_with(issuer.certificate(), issuer.key(), parameters)
    }
}

/// A certificate under `issuer`, whatever that is, and the chain of the two.
pub(crate) fn forge_with(
    issuer: &Certificate,
    issuer_key: &SigningKey,
    parameters: &CertificateParams,
) -> Holder {
    let key = new_key();
    let der = issuer.to_rustls();
    let authority = rcgen::Issuer::from_ca_cert_der(&der, issuer_key).unwrap();
    let signed = parameters.signed_by(&key, &authority).unwrap();
    let leaf = Certificate::from_der(signed.der()).unwrap();
    Holder {
        key,
        chain: Chain::new(vec![leaf, issuer.clone()]).unwrap(),
    }
}

pub(crate) fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

pub(crate) fn purpose(oid: &[u64]) -> ExtendedKeyUsagePurpose {
    ExtendedKeyUsagePurpose::Other(oid.to_vec())
}

fn parameters(name: &str, purposes: &[&[u64]]) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.not_before = date(NOW - 600);
    parameters.not_after = date(NOW + 30 * DAY);
    parameters.serial_number = Some(rcgen::SerialNumber::from_slice(
        Serial::random().unwrap().as_bytes(),
    ));
    parameters.distinguished_name = DistinguishedName::new();
    parameters.subject_alt_names = vec![uri(name)];
    parameters.is_ca = IsCa::ExplicitNoCa;
    parameters.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = purposes.iter().map(|oid| purpose(oid)).collect();
    parameters.use_authority_key_identifier_extension = true;
    parameters
}

pub(crate) fn date(seconds: u64) -> time::OffsetDateTime {
    time::OffsetDateTime::from_unix_timestamp(seconds.try_into().unwrap()).unwrap()
}

fn entries(revoked: &[&Certificate]) -> Vec<RevokedEntry> {
    revoked
        .iter()
        .map(|certificate| RevokedEntry {
            serial: certificate.serial(),
            revoked_at: now(),
            reason: RevocationReason::KeyCompromise,
            invalid_since: None,
        })
        .collect()
}

/// Turns `…first second…` into `…second first…`.
pub(crate) fn swap_neighbours(bytes: &mut [u8], first: &[u8], second: &[u8]) {
    let sorted = [first, second].concat();
    let start = bytes
        .windows(sorted.len())
        .position(|window| window == sorted)
        .unwrap();
    bytes[start..start + sorted.len()].copy_from_slice(&[second, first].concat());
}

/// A name of two parts of equal rank, which DER sorts.
pub(crate) fn two_part_name() -> (x509_cert::name::Name, [Vec<u8>; 2]) {
    let mut name: x509_cert::name::Name = "CN=a+O=b".parse().unwrap();
    let parts = name.0.remove(0).0;
    let encoded = [0, 1].map(|index| parts.get(index).unwrap().to_der().unwrap());
    name.0
        .push(x509_cert::name::RelativeDistinguishedName(parts));
    (name, encoded)
}
