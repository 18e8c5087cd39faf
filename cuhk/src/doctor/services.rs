//! Whether every service has a certificate that counts, and renews it in time.

use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_certs::{RevocationReason, ServiceName, Validity};
use scb_cli::{counted, local_time};

use super::{Finding, Outcome};
use crate::standing::Standing;
use crate::store::Records;
use crate::time::later;
use crate::{Error, Subject};

const CHECK: &str = "service-certificate";
/// The part of a certificate's life in which it should long have been renewed: the last sixth. A service
/// begins with its last third.
const LATE: u64 = 6;

/// So long after a start every service has looked in that can: Blackboard looks every two seconds, and half
/// a minute after something was wrong.
const ALL_SEEN: Duration = Duration::from_secs(2 * 60);

/// `serving` is since when `cuhk serve` runs, if it does.
pub(super) fn check(
    records: &Records<'_>,
    now: UnixTime,
    serving: Option<UnixTime>,
) -> Result<Vec<Finding>, Error> {
    let may_come = serving.is_some_and(|since| now < later(since, ALL_SEEN));
    let mut findings = Vec::new();
    for service in records.services().all()? {
        let name = service.name;
        if name == ServiceName::cuhk() {
            continue;
        }
        let has_code = records
            .codes()
            .has_open(&Subject::Service(name.clone()), now)?;
        let standing = Standing::of(records, &name, now)?;
        let lost = records.log().lost_since_seen(&name)?;
        let found = judge(&name, &standing, has_code, now);
        findings.push(match found.outcome {
            Outcome::Ok if lost > 0 && !may_come => in_doubt(&name, found, lost),
            _ => found,
        });
    }
    Ok(findings)
}

/// The database was put back from a backup, and the log went on meanwhile. What it lost may have been
/// another certificate of this service, which then shows that one and is believed by nobody here.
fn in_doubt(name: &ServiceName, found: Finding, lost: u64) -> Finding {
    let entries = counted(lost, "entry");
    Finding::warn(
        CHECK,
        format!(
            "{}; the log has {entries} of which the restored backup knew nothing, and nothing came from it since: if \
             it was certified anew among those, CUHK takes nothing from it",
            found.seen
        ),
        format!(
            "see there whether it is ready (`blackboard` says so in its log and at /readyz); if CUHK does not \
             take its certificate, {}. When it has asked or cosigned anything, this warning ends",
            anew(name)
        ),
    )
}

fn anew(name: &ServiceName) -> String {
    format!("cuhk code issue service/{name} --replace, and enrol it again with that code")
}

fn judge(name: &ServiceName, standing: &Standing, has_code: bool, now: UnixTime) -> Finding {
    match standing {
        Standing::Certified(intent) => {
            let end = intent.validity.not_after;
            let left = end.as_secs().saturating_sub(now.as_secs());
            let seen = format!(
                "`{name}` has one until {}, for another {}",
                local_time(end),
                counted(left / (24 * 60 * 60), "day")
            );
            match left < lifetime(&intent.validity) / LATE {
                true => Finding::warn(
                    CHECK,
                    format!("{seen}, and has not renewed it"),
                    "start that service, which renews it; if it runs, see its log",
                ),
                false => Finding::ok(CHECK, seen),
            }
        }
        Standing::Ended {
            reason: Some(RevocationReason::CessationOfOperation),
            at,
        } => Finding::ok(
            CHECK,
            format!("`{name}` is closed since {}", local_time(*at)),
        ),
        Standing::Ended { at, .. } => Finding::warn(
            CHECK,
            format!(
                "`{name}` has none that counts since {}: nobody believes it",
                local_time(*at)
            ),
            anew(name),
        ),
        Standing::Never if has_code => {
            Finding::ok(CHECK, format!("`{name}` has none yet, and a code for one"))
        }
        Standing::Never => Finding::warn(
            CHECK,
            format!("`{name}` has none on record, and no code for one"),
            anew(name),
        ),
    }
}

fn lifetime(validity: &Validity) -> u64 {
    let (from, to) = (validity.not_before.as_secs(), validity.not_after.as_secs());
    to.saturating_sub(from)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_certs::{Serial, SigningKey};

    use super::*;
    use crate::store::{Intent, Profile, Revocation, Service, Store, temporary};

    const DAY: u64 = 24 * 60 * 60;

    fn at(day: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(day * DAY))
    }

    /// Blackboard, with a certificate for ninety days from this day on.
    fn certified(store: &Store, day: u64) -> Serial {
        let serial = Serial::random().unwrap();
        let intent = Intent {
            serial,
            subject: Subject::Service(ServiceName::blackboard()),
            profile: Profile::Service,
            public_key: SigningKey::generate().unwrap().public_key().fingerprint(),
            validity: Validity {
                not_before: at(day),
                not_after: at(day + 90),
            },
        };
        let job = move |records: &Records<'_>| records.certificates().intend(&intent, at(day));
        store.write_blocking(job).unwrap();
        serial
    }

    fn campus() -> (tempfile::TempDir, Store) {
        let (dir, store) = temporary();
        let service = Service {
            name: ServiceName::blackboard(),
            dns_names: Vec::new(),
            ip_addresses: Vec::new(),
        };
        store
            .write_blocking(move |records| records.services().add(&service, at(0)))
            .unwrap();
        (dir, store)
    }

    fn found(store: &Store, day: u64) -> Finding {
        found_beside(store, day, None)
    }

    /// While a server runs since then.
    fn found_beside(store: &Store, day: u64, serving: Option<UnixTime>) -> Finding {
        let all = store.read_blocking(move |records| check(records, at(day), serving));
        all.unwrap().pop().unwrap()
    }

    #[test]
    fn a_service_that_has_not_renewed_is_told_and_so_is_one_that_came_too_late() {
        let (_dir, store) = campus();
        certified(&store, 100);
        assert_eq!(found(&store, 160).outcome, Outcome::Ok);
        let late = found(&store, 176);
        assert_eq!(late.outcome, Outcome::Warn, "{late:?}");
        assert!(late.seen.contains("for another 14 days"), "{late:?}");
        let over = found(&store, 200);
        assert_eq!(over.outcome, Outcome::Warn, "{over:?}");
        assert!(over.seen.contains(&local_time(at(190))), "{over:?}");
        certified(&store, 200);
        assert_eq!(found(&store, 201).outcome, Outcome::Ok);
    }

    #[test]
    fn what_a_restored_backup_does_not_know_may_be_another_certificate() {
        let (_dir, store) = campus();
        certified(&store, 100);
        let entered = |number: u8| {
            let sql = format!(
                "INSERT INTO log_entry VALUES ({number}, zeroblob(32), 'service/blackboard', {number} + 1,
                 zeroblob(32), '{{}}', x'0{number}')"
            );
            store
                .write_blocking(move |records| Ok(records.connection().execute(&sql, [])?))
                .unwrap();
        };
        entered(0);
        assert_eq!(found(&store, 101).outcome, Outcome::Ok);
        store
            .write_blocking(|records| records.log().adopt(&[7; 32]))
            .unwrap();
        let doubted = found(&store, 101);
        assert_eq!(doubted.outcome, Outcome::Warn, "{doubted:?}");
        assert!(doubted.seen.contains("the log has 1 entry"), "{doubted:?}");
        let since = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(101 * DAY - seconds));
        let just_begun = found_beside(&store, 101, Some(since(119)));
        assert_eq!(just_begun.outcome, Outcome::Ok, "it may come yet");
        let long = found_beside(&store, 101, Some(since(120)));
        assert_eq!(long.outcome, Outcome::Warn);
        let mend = doubted.mend.unwrap();
        assert!(mend.contains("cuhk code issue service/blackboard --replace"));
        for seen_since in [
            "INSERT INTO witness VALUES ('blackboard', 'key', 2, 'checkpoint')",
            r#"DELETE FROM witness;
               INSERT INTO log_entry VALUES (2, zeroblob(32), '1155000001', 1, zeroblob(32),
                                             '{"asker":"blackboard"}', NULL)"#,
        ] {
            store
                .write_blocking(move |records| {
                    Ok(records.connection().execute_batch(seen_since)?)
                })
                .unwrap();
            assert_eq!(found(&store, 101).outcome, Outcome::Ok);
        }
        store
            .write_blocking(|records| records.log().adopt(&[7; 32]))
            .unwrap();
        assert_eq!(found(&store, 101).outcome, Outcome::Warn);
        entered(4);
        assert_eq!(found(&store, 101).outcome, Outcome::Ok);
    }

    #[test]
    fn a_service_is_missed_unless_it_was_closed_or_is_still_to_come() {
        let (_dir, store) = campus();
        assert_eq!(found(&store, 100).outcome, Outcome::Warn, "no code");
        let subject = Subject::Service(ServiceName::blackboard());
        store
            .write_blocking(move |records| {
                records.codes().add(&[1; 32], &subject, at(100), at(114))
            })
            .unwrap();
        assert_eq!(found(&store, 100).outcome, Outcome::Ok);
        assert_eq!(found(&store, 115).outcome, Outcome::Warn);

        for (reason, outcome) in [
            (RevocationReason::KeyCompromise, Outcome::Warn),
            (RevocationReason::CessationOfOperation, Outcome::Ok),
        ] {
            let (_dir, store) = campus();
            let serial = certified(&store, 120);
            let revocation = Revocation {
                at: at(130),
                reason,
                invalid_since: None,
            };
            store
                .write_blocking(move |records| records.certificates().revoke(&serial, &revocation))
                .unwrap();
            let seen = found(&store, 140);
            assert_eq!(seen.outcome, outcome, "{seen:?}");
            assert!(seen.seen.contains(&local_time(at(130))), "{seen:?}");
        }
    }
}
