//! What the contract suites of the store begin with.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_certs::{
    Certificate, DistributionUrls, Issuer, IssuerKind, PublicKey, Root, Serial, SigningKey,
    Validity,
};

use super::{Intent, Profile, Store};

/// When they begin, in Unix time.
const BEGIN: u64 = 1_772_424_000;

/// A new database in a temporary directory.
pub(crate) fn temporary() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::create(&dir.path().join("cuhk.db")).unwrap();
    (dir, store)
}

/// So many seconds after the beginning.
pub(crate) fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(BEGIN + seconds))
}

/// An issuing authority under a root of its own.
pub(crate) fn issuer(kind: IssuerKind) -> Issuer {
    let key = || SigningKey::generate().unwrap();
    let root = Root::create(&"cuhk.example".parse().unwrap(), key(), at(0)).unwrap();
    let urls = DistributionUrls::default();
    root.issue_issuer(kind, key(), at(0), &urls).unwrap()
}

/// A student's key.
pub(crate) fn key() -> PublicKey {
    SigningKey::generate().unwrap().public_key().clone()
}

/// A certificate to be signed for this student and this key.
pub(crate) fn intent(sid: &str, key: &PublicKey) -> Intent {
    Intent {
        serial: Serial::random().unwrap(),
        subject: sid.parse().unwrap(),
        profile: Profile::Student,
        public_key: key.fingerprint(),
        validity: Validity {
            not_before: at(0),
            not_after: at(1000),
        },
    }
}

/// Signs it.
pub(crate) fn sign(issuer: &Issuer, intent: &Intent, key: &PublicKey) -> Certificate {
    let sid = intent.subject.to_string().parse().unwrap();
    let urls = DistributionUrls::default();
    let chain = issuer.issue_student(&sid, key, &intent.serial, &intent.validity, &urls);
    chain.unwrap().leaf().clone()
}
