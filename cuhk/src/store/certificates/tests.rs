//! The contract of the certificates' store.
#![allow(clippy::unwrap_used)]

use scb_certs::{Issuer, IssuerKind};

use super::*;
use crate::store::fixtures::{at, intent, issuer, key, sign, temporary};

fn students() -> Issuer {
    issuer(IssuerKind::Students)
}

fn revocation(reason: RevocationReason) -> Revocation {
    Revocation {
        at: at(5),
        reason,
        invalid_since: None,
    }
}

#[test]
fn an_intent_becomes_a_certificate_once() {
    let (_dir, store) = temporary();
    store
        .write_blocking(|records| {
            let certificates = records.certificates();
            let (issuer, key) = (students(), key());
            let intent = intent("1155000001", &key);
            certificates.intend(&intent, at(0))?;
            let found = certificates.find(&intent.serial)?.unwrap();
            assert_eq!(
                (found.intent.clone(), found.certificate),
                (intent.clone(), None)
            );

            let (first, second) = (sign(&issuer, &intent, &key), sign(&issuer, &intent, &key));
            assert_ne!(first, second, "signatures are random");
            certificates.record(&first)?;
            let kept = certificates.record(&second)?;
            assert_eq!(kept.certificate.as_ref(), Some(&first));
            let by_hash = certificates.find_by_sha256(&first.fingerprint())?;
            assert_eq!(by_hash.as_ref(), Some(&kept));
            assert_eq!(certificates.find_by_sha256(&second.fingerprint())?, None);
            Ok(())
        })
        .unwrap();
}

#[test]
fn refuses_a_serial_twice_and_a_certificate_that_was_not_intended() {
    let (_dir, store) = temporary();
    store
        .write_blocking(|records| {
            let certificates = records.certificates();
            let key = key();
            let intent = intent("1155000001", &key);
            certificates.intend(&intent, at(0))?;
            let other = Intent {
                subject: "1155000002".parse().unwrap(),
                ..intent.clone()
            };
            assert!(certificates.intend(&other, at(0)).is_err());
            let stray = super::tests::intent("1155000001", &key);
            let refused = certificates.record(&sign(&students(), &stray, &key));
            assert!(matches!(refused, Err(Error::RecordInvalid { .. })));
            Ok(())
        })
        .unwrap();
}

#[test]
fn live_means_neither_revoked_nor_ended() {
    let (_dir, store) = temporary();
    store
        .write_blocking(|records| {
            let certificates = records.certificates();
            let (first, second) = (intent("1155000001", &key()), intent("1155000001", &key()));
            certificates.intend(&first, at(0))?;
            certificates.intend(&second, at(0))?;
            certificates.intend(&intent("1155000002", &key()), at(0))?;
            let subject = first.subject.clone();
            let live = |now| {
                let live = records.certificates().live(&subject, now).unwrap();
                live.into_iter()
                    .map(|record| record.intent.serial)
                    .collect::<Vec<_>>()
            };
            assert_eq!(live(at(1000)), [first.serial, second.serial]);
            assert!(live(at(1001)).is_empty());
            certificates.revoke(&first.serial, &revocation(RevocationReason::Unspecified))?;
            assert_eq!(live(at(10)), [second.serial]);
            assert_eq!(certificates.of(&subject)?.len(), 2);
            for (of, serials) in [(Some(&subject), 2), (None, 3)] {
                let mut visited = Vec::new();
                certificates.each(of, |record| {
                    visited.push(record.intent.serial);
                    Ok(())
                })?;
                assert_eq!(visited.len(), serials);
                assert_eq!(visited[..2], [first.serial, second.serial]);
            }
            let stopped =
                certificates.each(None, |_| Err(Error::LogStopped(scb_storage::LogStopped)));
            assert!(matches!(stopped, Err(Error::LogStopped(_))));
            Ok(())
        })
        .unwrap();
}

#[test]
fn the_first_revocation_stands_unless_the_key_is_compromised() {
    let (_dir, store) = temporary();
    store
        .write_blocking(|records| {
            let certificates = records.certificates();
            let intent = intent("1155000001", &key());
            certificates.intend(&intent, at(0))?;
            let revoke = |reason, at| {
                records
                    .certificates()
                    .revoke(
                        &intent.serial,
                        &Revocation {
                            at,
                            reason,
                            invalid_since: None,
                        },
                    )
                    .unwrap()
            };
            assert!(revoke(RevocationReason::Superseded, at(5)));
            assert!(!revoke(RevocationReason::Unspecified, at(6)));
            assert!(revoke(RevocationReason::KeyCompromise, at(7)));
            assert!(!revoke(RevocationReason::KeyCompromise, at(8)));
            let revocation = certificates
                .find(&intent.serial)?
                .unwrap()
                .revocation
                .unwrap();
            assert_eq!(revocation.at, at(5));
            assert_eq!(revocation.reason, RevocationReason::KeyCompromise);
            Ok(())
        })
        .unwrap();
}

#[test]
fn keys_are_found_and_authorities_keys_reserved() {
    let (_dir, store) = temporary();
    store
        .write_blocking(|records| {
            let certificates = records.certificates();
            let (used, unused) = (key(), key());
            certificates.intend(&intent("1155000001", &used), at(0))?;
            assert_eq!(certificates.with_key(&used.fingerprint())?.len(), 1);
            assert!(certificates.with_key(&unused.fingerprint())?.is_empty());
            certificates.reserve_key(&unused.fingerprint(), "root")?;
            assert!(certificates.is_reserved_key(&unused.fingerprint())?);
            assert!(!certificates.is_reserved_key(&used.fingerprint())?);
            Ok(())
        })
        .unwrap();
}

#[test]
fn an_altered_certificate_or_record_is_detected() {
    let (_dir, store) = temporary();
    store
        .write_blocking(|records| {
            let certificates = records.certificates();
            let (issuer, key) = (students(), key());
            let intent = intent("1155000001", &key);
            certificates.intend(&intent, at(0))?;
            certificates.record(&sign(&issuer, &intent, &key))?;
            for change in [
                "SET der = substr(der, 1, length(der) - 1)",
                "SET der = x'3000'",
                "SET subject = '1155000002'",
                "SET public_key = randomblob(32)",
                "SET sha256 = randomblob(32)",
            ] {
                let connection = certificates.connection;
                connection
                    .execute_batch(&format!("SAVEPOINT altered; UPDATE certificate {change}"))?;
                let found = certificates.find(&intent.serial);
                assert!(
                    matches!(found, Err(Error::RecordInvalid { .. })),
                    "{change}"
                );
                connection.execute_batch("ROLLBACK TO altered; RELEASE altered")?;
            }
            assert!(certificates.find(&intent.serial)?.is_some());
            Ok(())
        })
        .unwrap();
}
