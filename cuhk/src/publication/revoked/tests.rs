//! What a list is made of, and what is noticed before it is.
#![allow(clippy::unwrap_used)]

use scb_certs::{IssuerKind, RevocationReason, Validity};

use super::*;
use crate::store::fixtures::{at, intent, issuer, key, sign, temporary};
use crate::store::{Intent, Profile, Revocation};

fn revoke(records: &Records<'_>, serial: &Serial, reason: RevocationReason) {
    let revocation = Revocation {
        at: at(5),
        reason,
        invalid_since: None,
    };
    let changed = records.certificates().revoke(serial, &revocation);
    assert!(changed.unwrap());
}

/// One that is about to be signed, and is revoked.
fn revoked(records: &Records<'_>, intent: &Intent) -> Serial {
    records.certificates().intend(intent, at(0)).unwrap();
    revoke(records, &intent.serial, RevocationReason::Superseded);
    intent.serial
}

fn fresh(records: &Records<'_>) -> Serial {
    revoked(records, &intent("1155000001", &key()))
}

fn serials(revoked: &RevokedCertificates, issuer: &Issuer, since: UnixTime) -> Vec<Serial> {
    let entries = revoked.listed_by(issuer, since);
    entries.into_iter().map(|entry| entry.serial).collect()
}

fn sorted<const N: usize>(mut serials: [Serial; N]) -> [Serial; N] {
    serials.sort();
    serials
}

fn with_records(job: impl FnOnce(&Records<'_>) + Send + 'static) {
    let (_dir, store) = temporary();
    let done = store.write_blocking(|records| {
        job(records);
        Ok(())
    });
    done.unwrap();
}

fn empty() -> RevokedCertificates {
    RevokedCertificates::default()
}

#[test]
fn a_list_names_what_its_own_issuer_issued_and_what_was_only_intended() {
    with_records(|records| {
        let (first, second) = (issuer(IssuerKind::Students), issuer(IssuerKind::Students));
        let services = issuer(IssuerKind::Services);
        let by = |issuer: &Issuer| {
            let key = key();
            let intent = intent("1155000001", &key);
            let serial = revoked(records, &intent);
            let certificate = sign(issuer, &intent, &key);
            records.certificates().record(&certificate).unwrap();
            serial
        };
        let (one, two) = (by(&first), by(&second));
        let intended = fresh(records);
        let service = Intent {
            subject: "service/blackboard".parse().unwrap(),
            profile: Profile::Service,
            ..intent("1155000001", &key())
        };
        let service = revoked(records, &service);
        let live = intent("1155000004", &key());
        records.certificates().intend(&live, at(0)).unwrap();

        let all = empty().updated(records, at(10)).unwrap();
        assert_eq!(serials(&all, &first, at(0)), sorted([one, intended]));
        assert_eq!(serials(&all, &second, at(1000)), sorted([two, intended]));
        assert!(serials(&all, &second, at(1001)).is_empty());
        assert_eq!(serials(&all, &services, at(0)), [service]);
    });
}

/// What is read with changes is what a look at everything finds.
#[test]
fn what_changed_is_all_that_is_read() {
    with_records(|records| {
        let issuer = issuer(IssuerKind::Students);
        let (one, two) = (fresh(records), fresh(records));
        let before = empty().updated(records, at(10)).unwrap();

        // Nobody has looked for a change of this row: it is not read again.
        let connection = records.connection();
        let lost = "UPDATE certificate SET not_after = not_after - 1 WHERE serial = ?1";
        connection.execute(lost, [two.as_bytes()]).unwrap();
        let three = fresh(records);
        let held = intent("1155000002", &key());
        records.certificates().intend(&held, at(0)).unwrap();
        revoke(records, &held.serial, RevocationReason::CertificateHold);
        let after = before.updated(records, at(11)).unwrap();
        let all = sorted([one, two, three, held.serial]);
        assert_eq!(serials(&after, &issuer, at(0)), all);

        records.certificates().release(&held.subject).unwrap();
        revoke(records, &one, RevocationReason::KeyCompromise);
        let after = after.updated(records, at(12)).unwrap();
        assert_eq!(serials(&after, &issuer, at(0)), sorted([one, two, three]));
        let reasons = after.listed_by(&issuer, at(0)).into_iter();
        let of_one = reasons.filter(|entry| entry.serial == one);
        let of_one: Vec<_> = of_one.map(|entry| entry.reason).collect();
        assert_eq!(of_one, [RevocationReason::KeyCompromise]);

        // Half a day later all are.
        let noticed = after.updated(records, later(at(10), READ_AGAIN));
        assert!(matches!(noticed, Err(Error::RecordInvalid { .. })));
    });
}

#[test]
fn a_revocation_that_was_lost_is_noticed() {
    for change in [
        "UPDATE certificate SET revoked_at = NULL, reason = NULL WHERE revoked_at IS NOT NULL",
        // Also by somebody who seals the row again, or takes it away.
        "UPDATE certificate SET revoked_at = NULL, reason = NULL, checksum = (
             SELECT checksum FROM certificate WHERE subject = '1155000009')
         WHERE revoked_at IS NOT NULL",
        "DELETE FROM certificate WHERE revoked_at IS NOT NULL",
        "DELETE FROM revocation_change",
        "UPDATE revocation_change SET sum = zeroblob(32)",
        "UPDATE revocation_change SET count = count + 1",
    ] {
        with_records(move |records| {
            let bystander = intent("1155000009", &key());
            records.certificates().intend(&bystander, at(0)).unwrap();
            fresh(records);
            records.certificates().check().unwrap();
            let before = empty().updated(records, at(10)).unwrap();
            records.connection().execute(change, []).unwrap();
            assert!(records.certificates().check().is_err(), "{change}");
            assert!(empty().updated(records, at(10)).is_err(), "{change}");
            // What is in memory does not forget it.
            if let Ok(after) = before.updated(records, at(10)) {
                assert_eq!(after.rows.len(), 1, "{change}");
            }
        });
    }
}

#[test]
fn pruning_has_everything_read_again_and_the_changes_forgotten() {
    with_records(|records| {
        let issuer = issuer(IssuerKind::Students);
        let ended = Intent {
            validity: Validity {
                not_before: at(0),
                not_after: at(20),
            },
            ..intent("1155000001", &key())
        };
        revoked(records, &ended);
        let stays = fresh(records);
        let before = empty().updated(records, at(10)).unwrap();
        assert_eq!(before.rows.len(), 2);
        let (number, _) = records.revocations().last().unwrap();

        assert_eq!(
            records
                .pruning()
                .remove_ended(at(500))
                .unwrap()
                .certificates,
            1
        );
        assert_eq!(records.revocations().changed_after(number).unwrap(), None);
        let after = before.updated(records, at(600)).unwrap();
        assert_eq!(serials(&after, &issuer, at(0)), [stays]);
        records.certificates().check().unwrap();
        let changes = "SELECT count(*) FROM revocation_change";
        let count = records
            .connection()
            .query_one(changes, [], |row| row.get::<_, i64>(0));
        assert_eq!(count.unwrap(), 1);

        let later = fresh(records);
        let after = after.updated(records, at(601)).unwrap();
        assert_eq!(serials(&after, &issuer, at(0)), sorted([stays, later]));
    });
}

#[test]
fn pruning_does_not_cover_up_a_revocation_that_was_lost() {
    with_records(|records| {
        fresh(records);
        let lost = "UPDATE certificate SET revoked_at = NULL, reason = NULL";
        records.connection().execute(lost, []).unwrap();
        assert!(records.pruning().remove_ended(at(5000)).is_err());
    });
}
