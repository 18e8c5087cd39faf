//! A CUHK in memory: a root, both issuers, their CRLs, and whoever they certify.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_certs::{
    Certificate, Chain, Crl, DistributionUrls, Fingerprint, Issuer, IssuerKind, RevocationReason,
    RevokedEntry, Root, Serial, ServiceName, SigningKey, StudentId, TrustDomain, TrustStore,
    Validity,
};

use crate::{FixedClock, Forge};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Somebody with a key and a chain for it (or, in wrong ones, for another).
#[derive(Debug, Clone)]
pub struct TestIdentity {
    /// Leaf and issuer.
    pub chain: Chain,
    /// The private key.
    pub key: SigningKey,
}

impl TestIdentity {
    /// Both, as TLS configurations take them.
    pub fn pair(&self) -> (Chain, SigningKey) {
        (self.chain.clone(), self.key.clone())
    }

    /// The leaf.
    pub fn leaf(&self) -> &Certificate {
        self.chain.leaf()
    }

    /// The same chain with the last byte of the leaf, which is in its signature, changed.
    #[must_use]
    pub fn with_bad_signature(&self) -> Self {
        let mut der = self.leaf().der().to_vec();
        *der.last_mut().expect("a certificate is not empty") ^= 1;
        let mut certificates = self.chain.certificates().to_vec();
        certificates[0] = Certificate::from_der(&der).expect("only the signature has changed");
        Self {
            chain: Chain::new(certificates).expect("as long as before"),
            key: self.key.clone(),
        }
    }

    /// The same chain with somebody else's key.
    #[must_use]
    pub fn with_key_of(&self, other: &Self) -> Self {
        Self {
            chain: self.chain.clone(),
            key: other.key.clone(),
        }
    }
}

/// A CUHK in memory. Every [`TestCampus`] has keys of its own; the names are always the same,
/// so that a second one is the impostor of the first.
#[derive(Debug)]
pub struct TestCampus {
    clock: FixedClock,
    root: Root,
    students: Issuer,
    services: Issuer,
}

impl Default for TestCampus {
    fn default() -> Self {
        Self::new()
    }
}

impl TestCampus {
    /// With a [`FixedClock::default`] of its own.
    pub fn new() -> Self {
        Self::with_clock(FixedClock::default())
    }

    /// Founded two months before the time that `clock` shows; the clock is shared.
    pub fn with_clock(clock: FixedClock) -> Self {
        Self::named("campus.test", clock)
    }

    /// The same of another trust domain, in whose name it then speaks.
    pub fn named(domain: &str, clock: FixedClock) -> Self {
        let now = before(clock.now(), 60 * DAY);
        let domain: TrustDomain = domain.parse().expect("a valid name");
        let root = Root::create(&domain, new_key(), now).expect("a root");
        let issuer = |kind| {
            let urls = DistributionUrls::default();
            root.issue_issuer(kind, new_key(), now, &urls)
                .expect("an issuer")
        };
        Self {
            students: issuer(IssuerKind::Students),
            services: issuer(IssuerKind::Services),
            root,
            clock,
        }
    }

    /// A campus that exists already: its root and both issuers, with their keys.
    pub fn of(clock: FixedClock, root: Root, students: Issuer, services: Issuer) -> Self {
        Self {
            clock,
            root,
            students,
            services,
        }
    }

    /// The clock, shared.
    pub fn clock(&self) -> &FixedClock {
        &self.clock
    }

    /// The time that the clock shows.
    pub fn now(&self) -> UnixTime {
        self.clock.now()
    }

    /// The root with its key.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// What clients that know only the fingerprint are given.
    pub fn root_fingerprint(&self) -> Fingerprint {
        self.root.certificate().fingerprint()
    }

    /// The issuer of this kind.
    pub fn issuer(&self, kind: IssuerKind) -> &Issuer {
        match kind {
            IssuerKind::Students => &self.students,
            IssuerKind::Services => &self.services,
        }
    }

    /// The root with fresh CRLs in which nothing is revoked.
    pub fn trust(&self) -> Arc<TrustStore> {
        self.trust_revoking(&[])
    }

    /// The root with fresh CRLs in which these certificates are revoked.
    pub fn trust_revoking(&self, revoked: &[&Certificate]) -> Arc<TrustStore> {
        let store = self.bare_trust().with_crls(self.crls(1, revoked));
        Arc::new(store.expect("CRLs of our own issuers"))
    }

    /// The root without CRLs: revocation is not checked.
    pub fn trust_without_crls(&self) -> Arc<TrustStore> {
        Arc::new(self.bare_trust())
    }

    /// CRLs of the root, `students` and `services` with this number, fresh from now on for
    /// 24 hours (the root's: 400 days). Every entry stands in all of them, since serials are
    /// unique.
    pub fn crls(&self, number: u64, revoked: &[&Certificate]) -> Vec<Crl> {
        let now = self.now();
        let entry = |certificate: &&Certificate| RevokedEntry {
            serial: certificate.serial(),
            revoked_at: now,
            reason: RevocationReason::KeyCompromise,
            invalid_since: None,
        };
        let entries: Vec<_> = revoked.iter().map(entry).collect();
        let day = after(now, DAY);
        let long = after(now, 400 * DAY);
        vec![
            self.root
                .sign_crl(number, now, long, &entries)
                .expect("a CRL"),
            self.students
                .sign_crl(number, now, day, &entries)
                .expect("a CRL"),
            self.services
                .sign_crl(number, now, day, &entries)
                .expect("a CRL"),
        ]
    }

    /// A student, certified for 30 days.
    pub fn student(&self, sid: &str) -> TestIdentity {
        self.student_valid(sid, &self.validity(30 * DAY))
    }

    /// A student, certified for this time.
    pub fn student_valid(&self, sid: &str, validity: &Validity) -> TestIdentity {
        let sid: StudentId = sid.parse().expect("a student ID");
        let urls = DistributionUrls::default();
        certify(|key, serial| {
            let key = key.public_key();
            self.students
                .issue_student(&sid, key, serial, validity, &urls)
        })
    }

    /// A service at localhost, 127.0.0.1 and ::1, certified for 90 days.
    pub fn service(&self, name: &str) -> TestIdentity {
        self.service_valid(name, &self.validity(90 * DAY))
    }

    /// A service at localhost, 127.0.0.1 and ::1, certified for this time.
    pub fn service_valid(&self, name: &str, validity: &Validity) -> TestIdentity {
        let ips = [
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(Ipv6Addr::LOCALHOST),
        ];
        self.service_at(name, &["localhost"], &ips, validity)
    }

    /// A service under these names and addresses, certified for this time.
    pub fn service_at(
        &self,
        name: &str,
        dns: &[&str],
        ips: &[IpAddr],
        validity: &Validity,
    ) -> TestIdentity {
        let name: ServiceName = name.parse().expect("a service name");
        let dns: Vec<String> = dns.iter().map(ToString::to_string).collect();
        let urls = DistributionUrls::default();
        certify(|key, serial| {
            let key = key.public_key();
            self.services
                .issue_service(&name, key, serial, validity, &dns, ips, &urls)
        })
    }

    /// CUHK's signer of tokens, certified for 90 days.
    pub fn token_signer(&self) -> TestIdentity {
        let validity = self.validity(90 * DAY);
        let urls = DistributionUrls::default();
        certify(|key, serial| {
            let key = key.public_key();
            self.services
                .issue_token_signer(key, serial, &validity, &urls)
        })
    }

    /// From ten minutes ago until `lifetime` from now.
    pub fn validity(&self, lifetime: Duration) -> Validity {
        Validity {
            not_before: before(self.now(), HOUR / 6),
            not_after: after(self.now(), lifetime),
        }
    }

    /// It ended an hour ago.
    pub fn expired(&self) -> Validity {
        Validity {
            not_before: before(self.now(), 30 * DAY),
            not_after: before(self.now(), HOUR),
        }
    }

    /// It begins in an hour.
    pub fn future(&self) -> Validity {
        Validity {
            not_before: after(self.now(), HOUR),
            not_after: after(self.now(), 30 * DAY),
        }
    }

    /// A certificate that no honest issuer would sign; begins as a right student's.
    pub fn forge(&self) -> Forge<'_> {
        Forge::new(self)
    }

    fn bare_trust(&self) -> TrustStore {
        TrustStore::new(self.root.certificate().clone()).expect("a root")
    }
}

fn certify<E: std::fmt::Debug>(
    issue: impl FnOnce(&SigningKey, &Serial) -> Result<Chain, E>,
) -> TestIdentity {
    let key = new_key();
    let serial = Serial::random().expect("randomness");
    let chain = issue(&key, &serial).expect("a certificate");
    TestIdentity { chain, key }
}

pub(crate) fn new_key() -> SigningKey {
    SigningKey::generate().expect("randomness")
}

fn after(time: UnixTime, by: Duration) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(time.as_secs()) + by)
}

fn before(time: UnixTime, by: Duration) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(time.as_secs()) - by)
}
