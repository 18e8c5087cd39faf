//! Revocation by the command line while the server runs.

use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_certs::{
    CertificateError, Crl, Fingerprint, RevocationReason, Serial, TrustStore, Validity,
};
use scb_cuhk::{Error, Intent, Profile, Records, Revocation};
use scb_protocol::message::cuhk::{Reply, Request};
use scb_protocol::{Code, Frame, MAX_PAYLOAD, Question, Step, Verification};

use crate::university::{University, ask, refused, status, verify};

/// The lists that CUHK hands out, and the epoch they cover.
pub async fn lists(university: &University) -> (u64, Vec<Crl>) {
    let mut connection = university.connect().await;
    let Reply::Crls { epoch, sizes } = ask(&mut connection, &Request::Crls {}).await.unwrap()
    else {
        panic!("expected `crls`");
    };
    let total: u64 = sizes.iter().sum();
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < total {
        let frame = connection
            .receive_frame(Step::Zero, Duration::from_secs(10))
            .await
            .unwrap();
        let Frame::Chunk(chunk) = frame else {
            panic!("expected a chunk");
        };
        bytes.extend_from_slice(&chunk);
    }
    let mut lists = Vec::new();
    for size in sizes {
        let rest = bytes.split_off(usize::try_from(size).unwrap());
        lists.push(Crl::from_der(&bytes).unwrap());
        bytes = rest;
    }
    (epoch, lists)
}

#[tokio::test]
async fn revoked_is_refused_on_open_connections_and_in_tls() {
    let university = University::open().await;
    let student = university.student("1155000001").await;
    let bystander = university.student("1155000002").await;
    let mut open = university.connect_as(&student).await;
    ask(&mut open, &Request::RefreshToken {}).await.unwrap();
    university
        .revoke("1155000001", RevocationReason::Unspecified)
        .await;
    let reply = ask(&mut open, &Request::RefreshToken {}).await;
    assert_eq!(refused(reply), Code::CertificateRevoked);

    university.refresher.refresh().await.unwrap();
    let refusal = university.dial(Some(&student)).await.unwrap_err();
    assert_eq!(refusal.code, Code::CertificateRevoked);
    university.connect_as(&bystander).await;
}

#[tokio::test]
async fn an_expired_client_is_refused_in_tls() {
    let university = University::open().await;
    let student = university.student("1155000001").await;
    university
        .clock
        .advance(Duration::from_secs(31 * 24 * 60 * 60));
    university.refresher.refresh().await.unwrap();
    let refusal = university.dial(Some(&student)).await.unwrap_err();
    assert_eq!(refusal.code, Code::CertificateExpired);
}

#[tokio::test]
async fn the_epoch_grows_with_every_change_and_with_nothing_else() {
    let university = University::open().await;
    let blackboard = university.blackboard().await;
    let student = university.student("1155000001").await;
    let mut connection = university.connect_as(&blackboard).await;
    let before = status(ask(&mut connection, &Request::Status {}).await);
    university.student("1155000001").await;
    assert_eq!(
        status(ask(&mut connection, &Request::Status {}).await),
        before
    );
    university
        .revoke("1155000001", RevocationReason::Unspecified)
        .await;
    let after = status(ask(&mut connection, &Request::Status {}).await);
    assert!(after > before);

    let (epoch, lists) = lists(&university).await;
    assert_eq!(epoch, after);
    assert!(lists[1].contains(&student.chain.leaf().serial()));
    assert!(!lists[2].contains(&blackboard.chain.leaf().serial()));
}

#[tokio::test]
async fn list_numbers_only_grow_and_anybody_may_have_the_lists() {
    let university = University::open().await;
    let student = university.student("1155000001").await;
    let blackboard = university.blackboard().await;
    university.clock.advance(Duration::from_secs(2 * 3600));
    let (_, first) = lists(&university).await;
    let (_, same) = lists(&university).await;
    university
        .revoke("service/blackboard", RevocationReason::Superseded)
        .await;
    let (_, second) = lists(&university).await;
    let university = university.restart().await;
    university.clock.rewind(Duration::from_secs(3600));
    university.refresher.refresh().await.unwrap();
    let (_, third) = lists(&university).await;
    for list in 1..3 {
        assert_eq!(first[list].number(), same[list].number());
        assert!(second[list].number() > first[list].number());
        assert!(
            third[list].number() > second[list].number(),
            "after the clock was set back"
        );
    }

    let now = university.clock.now();
    let trust = TrustStore::new(university.root.clone())
        .unwrap()
        .with_crls(third)
        .unwrap();
    trust.verify_student(&student.chain, now).unwrap();
    assert!(trust.verify_any_client(&blackboard.chain, now).is_err());
}

/// Far more than one frame holds.
#[tokio::test]
async fn lists_of_ten_thousand_revoked_certificates_come_in_chunks() {
    let university = University::open().await;
    let (victim, bystander) = (
        university.student("1155000001").await,
        university.student("1155000002").await,
    );
    let now = university.clock.now();
    university
        .change(move |records| (0..10_000).try_for_each(|_| revoked_certificate(records, now)))
        .await;
    university
        .revoke("1155000001", RevocationReason::KeyCompromise)
        .await;
    let (_, lists) = lists(&university).await;
    assert!(lists[1].der().len() > 4 * MAX_PAYLOAD);
    assert!(lists[1].contains(&victim.chain.leaf().serial()));

    let trust = TrustStore::new(university.root.clone()).unwrap();
    let trust = trust.with_crls(lists).unwrap();
    let verdict = trust.verify_student(&victim.chain, now);
    assert_eq!(verdict.unwrap_err(), CertificateError::Revoked);
    trust.verify_student(&bystander.chain, now).unwrap();
    university.connect_as(&bystander).await;
}

fn revoked_certificate(records: &Records<'_>, now: UnixTime) -> Result<(), Error> {
    let serial = Serial::random()?;
    let later = UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs() + 86_400));
    let intent = Intent {
        serial,
        subject: "1155000003".parse()?,
        profile: Profile::Student,
        public_key: Fingerprint::of(serial.as_bytes()),
        validity: Validity {
            not_before: now,
            not_after: later,
        },
    };
    records.certificates().intend(&intent, now)?;
    let (at, reason) = (now, RevocationReason::Superseded);
    let revoked = records.certificates().revoke(
        &serial,
        &Revocation {
            at,
            reason,
            invalid_since: None,
        },
    )?;
    assert!(revoked);
    Ok(())
}

#[tokio::test]
async fn an_old_backup_uses_no_epoch_and_no_number_again() {
    let university = University::open().await;
    let backup = university.back_up();
    let student = university.student("1155000001").await;
    university
        .revoke("1155000001", RevocationReason::Unspecified)
        .await;
    let (epoch, seen) = lists(&university).await;
    university.clock.advance(Duration::from_secs(60));
    let university = university.restore(&backup).await;
    let (restored_epoch, restored) = lists(&university).await;
    assert!(restored_epoch > epoch);
    for list in 1..3 {
        assert!(restored[list].number() > seen[list].number());
    }
    let blackboard = university.blackboard().await;
    let question = verify(&[("1155000001", student.chain.leaf().fingerprint())]);
    let answer = university.ask(Some(&blackboard), &question).await.unwrap();
    let Reply::Verification { verification } = answer else {
        panic!("expected `verification`, got {answer:?}");
    };
    let asker = blackboard.chain.leaf().spiffe_id().unwrap();
    let Request::Verify { nonce, members, .. } = question else {
        panic!("not a question");
    };
    let question = Question {
        nonce,
        members,
        statement_sha256: None,
    };
    let (trust, now) = (university.trust(), university.clock.now());
    let refusal = Verification::verify(&verification, &trust, &asker, &question, now);
    assert_eq!(refusal.unwrap_err().params["reason"], "unknown");
}

#[tokio::test]
async fn lists_are_signed_again_before_they_run_out() {
    let university = University::open().await;
    let (_, first) = lists(&university).await;
    university.clock.advance(Duration::from_secs(13 * 60 * 60));
    let (_, second) = lists(&university).await;
    assert!(second[1].next_update() > first[1].next_update());
    assert_eq!(
        second[0].number(),
        first[0].number(),
        "the root's key is not here"
    );
}
