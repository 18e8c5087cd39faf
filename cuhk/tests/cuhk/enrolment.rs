//! Steps 1 and 2: codes, certificates and tokens.

use std::time::Duration;

use scb_certs::{RevocationReason, Serial, SigningKey};
use scb_cuhk::{CODE_LIFETIME, Intent, Profile, Subject};
use scb_protocol::message::cuhk::{Reply, Request};
use scb_protocol::{Code, EnrolmentCode, Refusal, UnverifiedToken};
use tokio::task::JoinSet;

use crate::university::{Credentials, University, ask, enrol, enrolled, refused};

#[tokio::test]
async fn a_code_leads_to_a_certificate_and_a_token() {
    let university = University::open().await;
    let code = university.code("1155000001").await;
    let key = SigningKey::generate().unwrap();
    let reply = university
        .ask(None, &enrol("1155000001", &code, &key))
        .await;
    let (chain, token) = enrolled(reply);

    let (trust, now) = (university.trust(), university.clock.now());
    let student = trust.verify_student(&chain, now).unwrap();
    assert_eq!(student.sid().as_str(), "1155000001");
    assert_eq!(chain.leaf().public_key().unwrap(), *key.public_key());
    let blackboard = "spiffe://cuhk.example/service/blackboard".parse().unwrap();
    UnverifiedToken(&token)
        .verify(&trust, &blackboard, &student, now)
        .unwrap();
    let other = "spiffe://cuhk.example/service/library".parse().unwrap();
    let refusal = UnverifiedToken(&token)
        .verify(&trust, &other, &student, now)
        .unwrap_err();
    assert_eq!(refusal.code, Code::TokenAudience);
}

#[tokio::test]
async fn unknown_id_wrong_code_and_anothers_code_get_the_same_reply() {
    let university = University::open().await;
    let anothers = university.code("1155000002").await;
    university.code("1155000001").await;
    let key = SigningKey::generate().unwrap();
    let wrong = EnrolmentCode::generate().unwrap();
    let mut replies = Vec::new();
    for (sid, code) in [
        ("1155000001", &wrong),
        ("1155009999", &wrong),
        ("1155000001", &anothers),
    ] {
        let refusal = university
            .ask(None, &enrol(sid, code, &key))
            .await
            .unwrap_err();
        assert_eq!(refusal.code, Code::EnrolmentRefused);
        assert_eq!(refusal.sid.as_ref().unwrap().as_str(), sid);
        replies.push(Refusal {
            sid: None,
            ..refusal
        });
    }
    assert!(replies.iter().all(|reply| *reply == replies[0]));
    assert_eq!(university.count_certificates("1155000001").await, 0);
}

#[tokio::test]
async fn an_expired_code_is_refused_and_only_its_owner_is_told() {
    let university = University::open().await;
    let code = university.code("1155000001").await;
    let key = SigningKey::generate().unwrap();
    university
        .clock
        .advance(CODE_LIFETIME - Duration::from_secs(1));
    let reply = university
        .ask(None, &enrol("1155000001", &code, &key))
        .await;
    let (last_second, _) = enrolled(reply);

    let code = university.code("1155000002").await;
    university.clock.advance(CODE_LIFETIME);
    let key = SigningKey::generate().unwrap();
    let reply = university
        .ask(None, &enrol("1155000002", &code, &key))
        .await;
    assert_eq!(refused(reply), Code::CodeExpired);
    let reply = university
        .ask(None, &enrol("1155000003", &code, &key))
        .await;
    assert_eq!(refused(reply), Code::EnrolmentRefused);
    assert_eq!(university.count_certificates("1155000002").await, 0);
    assert_eq!(last_second.certificates().len(), 2);
}

#[tokio::test]
async fn a_withdrawn_code_is_told_as_withdrawn_and_only_to_its_owner() {
    let university = University::open().await;
    let replaced = university.code("1155000001").await;
    let newer = university.code_replacing("1155000001", true).await;
    let revoked = university.code("1155000002").await;
    university
        .revoke("1155000002", RevocationReason::Unspecified)
        .await;
    let key = SigningKey::generate().unwrap();
    let ask = |sid, code| {
        let (university, request) = (&university, enrol(sid, code, &key));
        async move { university.ask(None, &request).await }
    };
    for (sid, code) in [("1155000001", &replaced), ("1155000002", &revoked)] {
        assert_eq!(refused(ask(sid, code).await), Code::CodeWithdrawn, "{sid}");
    }
    let anothers = refused(ask("1155000003", &replaced).await);
    assert_eq!(anothers, Code::EnrolmentRefused);
    university.clock.advance(CODE_LIFETIME);
    let long_after = refused(ask("1155000001", &replaced).await);
    assert_eq!(long_after, Code::CodeWithdrawn);

    let in_time = university.code_replacing("1155000001", true).await;
    assert_eq!(
        refused(ask("1155000001", &newer).await),
        Code::CodeWithdrawn
    );
    enrolled(ask("1155000001", &in_time).await);
}

#[tokio::test]
async fn a_repeated_request_gets_the_same_certificate_and_another_key_nothing() {
    let university = University::open().await;
    let code = university.code("1155000001").await;
    let key = SigningKey::generate().unwrap();
    let request = enrol("1155000001", &code, &key);
    let (first, _) = enrolled(university.ask(None, &request).await);

    let university = university.restart().await;
    university
        .clock
        .advance(CODE_LIFETIME + Duration::from_secs(1));
    let (again, _) = enrolled(university.ask(None, &request).await);
    assert_eq!(first, again);
    let other = SigningKey::generate().unwrap();
    let reply = university
        .ask(None, &enrol("1155000001", &code, &other))
        .await;
    assert_eq!(refused(reply), Code::CodeUsed);
    let reply = university
        .ask(None, &enrol("1155000002", &code, &other))
        .await;
    assert_eq!(refused(reply), Code::EnrolmentRefused, "told to its owner");
    assert_eq!(university.count_certificates("1155000001").await, 1);
}

#[tokio::test]
async fn what_was_only_intended_is_signed_as_it_was_intended() {
    let university = University::open().await;
    let code = university.code("1155000001").await;
    let key = SigningKey::generate().unwrap();
    let now = university.clock.now();
    let intent = Intent {
        serial: Serial::random().unwrap(),
        subject: "1155000001".parse().unwrap(),
        profile: Profile::Student,
        public_key: key.public_key().fingerprint(),
        validity: scb_certs::Validity {
            not_before: now,
            not_after: later(now, Duration::from_secs(3600)),
        },
    };
    crash_before_signing(&university, &code, &intent).await;
    let (chain, _) = enrolled(
        university
            .ask(None, &enrol("1155000001", &code, &key))
            .await,
    );
    assert_eq!(chain.leaf().serial(), intent.serial);
    assert_eq!(chain.leaf().not_after(), intent.validity.not_after);
    assert_eq!(university.count_certificates("1155000001").await, 1);
}

/// Leaves a code as a crash between the record of the intent and the signature leaves it.
async fn crash_before_signing(university: &University, code: &EnrolmentCode, intent: &Intent) {
    let digest = code.digest(&intent.subject.to_string());
    let (intent, now) = (intent.clone(), university.clock.now());
    university
        .change(move |records| {
            records.certificates().intend(&intent, now)?;
            records.codes().spend(&digest, &intent.serial)
        })
        .await;
}

#[tokio::test]
async fn what_would_break_the_profile_is_never_issued() {
    let university = University::open().await;
    let now = university.clock.now();
    let day = Duration::from_secs(24 * 60 * 60);
    let random = || Serial::random().unwrap();
    for (number, serial, not_before, not_after) in [
        (1, Serial::from_bytes(&[7]).unwrap(), now, later(now, day)),
        (2, random(), now, later(now, 31 * day)),
    ] {
        let sid = format!("115500000{number}");
        let (code, key) = (university.code(&sid).await, SigningKey::generate().unwrap());
        let intent = Intent {
            serial,
            subject: sid.parse().unwrap(),
            profile: Profile::Student,
            public_key: key.public_key().fingerprint(),
            validity: scb_certs::Validity {
                not_before,
                not_after,
            },
        };
        crash_before_signing(&university, &code, &intent).await;
        let reply = university.ask(None, &enrol(&sid, &code, &key)).await;
        assert_eq!(refused(reply), Code::ProfileBroken, "{number}");
        let looked = university.store.read(move |records| {
            let record = records.certificates().find(&serial)?.unwrap();
            Ok((record.certificate, records.log().number_of(&serial)?))
        });
        assert_eq!(looked.await.unwrap(), (None, None), "{number}");
    }
    university.stop().await;
}

#[tokio::test]
async fn fifty_parallel_uses_of_a_code_make_one_certificate() {
    let university = University::open().await;
    let code = university.code("1155000001").await;
    let mut requests = JoinSet::new();
    for _ in 0..50 {
        let mut connection = university.connect().await;
        let request = enrol("1155000001", &code, &SigningKey::generate().unwrap());
        requests.spawn(async move { ask(&mut connection, &request).await });
    }
    let replies = requests.join_all().await;
    let used = |reply: &&Result<Reply, Refusal>| {
        reply
            .as_ref()
            .is_err_and(|refusal| refusal.code == Code::CodeUsed)
    };
    assert_eq!(replies.iter().filter(used).count(), 49);
    assert_eq!(replies.iter().filter(|reply| reply.is_ok()).count(), 1);
    assert_eq!(university.count_certificates("1155000001").await, 1);
}

#[tokio::test]
async fn fifty_parallel_repetitions_get_the_same_certificate() {
    let university = University::open().await;
    let code = university.code("1155000001").await;
    let request = enrol("1155000001", &code, &SigningKey::generate().unwrap());
    let mut requests = JoinSet::new();
    for _ in 0..50 {
        let mut connection = university.connect().await;
        let request = request.clone();
        requests.spawn(async move { ask(&mut connection, &request).await });
    }
    let mut chains = requests
        .join_all()
        .await
        .into_iter()
        .map(|reply| enrolled(reply).0);
    let first = chains.next().unwrap();
    assert!(chains.all(|chain| chain == first));
    assert_eq!(university.count_certificates("1155000001").await, 1);
}

#[tokio::test]
async fn five_wrong_codes_close_the_connection_and_lock_nobody_out() {
    let university = University::open().await;
    let code = university.code("1155000001").await;
    let key = SigningKey::generate().unwrap();
    let guess = || enrol("1155000001", &EnrolmentCode::generate().unwrap(), &key);
    let mut connection = university.connect().await;
    for _ in 0..4 {
        assert_eq!(
            refused(ask(&mut connection, &guess()).await),
            Code::EnrolmentRefused
        );
    }
    assert_eq!(
        refused(ask(&mut connection, &guess()).await),
        Code::TooManyCodes
    );
    let right = enrol("1155000001", &code, &key);
    assert_eq!(
        refused(ask(&mut connection, &right).await),
        Code::ConnectionLost
    );
    enrolled(university.ask(None, &right).await);
}

#[tokio::test]
async fn four_wrong_codes_and_then_the_right_one() {
    let university = University::open().await;
    let code = university.code("1155000001").await;
    let key = SigningKey::generate().unwrap();
    let mut connection = university.connect().await;
    for _ in 0..4 {
        let guess = enrol("1155000001", &EnrolmentCode::generate().unwrap(), &key);
        assert_eq!(
            refused(ask(&mut connection, &guess).await),
            Code::EnrolmentRefused
        );
    }
    enrolled(ask(&mut connection, &enrol("1155000001", &code, &key)).await);
}

#[tokio::test]
async fn three_devices_and_no_more_until_they_are_replaced() {
    let university = University::open().await;
    for _ in 0..3 {
        university.student("1155000001").await;
    }
    let code = university.code("1155000001").await;
    let key = SigningKey::generate().unwrap();
    let fourth = enrol("1155000001", &code, &key);
    assert_eq!(
        refused(university.ask(None, &fourth).await),
        Code::TooManyDevices
    );

    let replacing = university.code_replacing("1155000001", true).await;
    assert_eq!(
        refused(university.ask(None, &fourth).await),
        Code::CodeWithdrawn
    );
    enrolled(
        university
            .ask(None, &enrol("1155000001", &replacing, &key))
            .await,
    );
    let subject: Subject = "1155000001".parse().unwrap();
    let now = university.clock.now();
    let live = university
        .change(move |records| records.certificates().live(&subject, now))
        .await;
    assert_eq!(live.len(), 1);
}

#[tokio::test]
async fn keys_of_others_and_compromised_keys_are_refused() {
    let university = University::open().await;
    let first = university.student("1155000001").await;
    let blackboard = university.blackboard().await;
    let code = university.code("1155000002").await;
    for key in [&first.key, &blackboard.key] {
        let reply = university.ask(None, &enrol("1155000002", &code, key)).await;
        assert_eq!(refused(reply), Code::KeyRefused);
    }
    university
        .revoke("1155000001", RevocationReason::KeyCompromise)
        .await;
    let code = university.code("1155000001").await;
    let reply = university
        .ask(None, &enrol("1155000001", &code, &first.key))
        .await;
    assert_eq!(refused(reply), Code::KeyRefused);
    assert_eq!(university.count_certificates("1155000002").await, 0);
}

#[tokio::test]
async fn the_keys_of_the_authorities_are_refused() {
    let university = University::open().await;
    let code = university.code("1155000001").await;
    let home = university.dir.path().join("cuhk");
    for (dir, passphrase) in [
        ("root", crate::university::ROOT_PASSPHRASE),
        ("issuers/students", crate::university::PASSPHRASE),
        ("issuers/services", crate::university::PASSPHRASE),
    ] {
        let pem = scb_certs::read_private(&home.join(dir).join("key.pem")).unwrap();
        let key = SigningKey::from_pem(&pem, Some(&passphrase.to_owned().into())).unwrap();
        let reply = university
            .ask(None, &enrol("1155000001", &code, &key))
            .await;
        assert_eq!(refused(reply), Code::KeyRefused, "{dir}");
    }
}

#[tokio::test]
async fn a_suspended_student_gets_nothing() {
    let university = University::open().await;
    let code = university.code("1155000001").await;
    let spent = university.code("1155000001").await;
    let key = SigningKey::generate().unwrap();
    let first = enrol("1155000001", &spent, &key);
    let (chain, _) = enrolled(university.ask(None, &first).await);
    let student = Credentials { key, chain };
    let (sid, now) = ("1155000001".parse().unwrap(), university.clock.now());
    university
        .change(move |records| scb_cuhk::suspend(records, &sid, now))
        .await;
    let key = SigningKey::generate().unwrap();
    let reply = university
        .ask(None, &enrol("1155000001", &code, &key))
        .await;
    assert_eq!(refused(reply), Code::StudentInactive);
    let reply = university.ask(None, &first).await;
    assert_eq!(refused(reply), Code::StudentInactive, "repeated");
    let reply = university
        .ask(Some(&student), &Request::RefreshToken {})
        .await;
    assert_eq!(refused(reply), Code::StudentInactive);
}

#[tokio::test]
async fn a_live_certificate_gets_fresh_tokens() {
    let university = University::open().await;
    let student = university.student("1155000001").await;
    university
        .clock
        .advance(Duration::from_secs(20 * 24 * 60 * 60));
    university.refresher.refresh().await.unwrap();
    let reply = university
        .ask(Some(&student), &Request::RefreshToken {})
        .await
        .unwrap();
    let Reply::Token { token } = reply else {
        panic!("expected `token`, got {reply:?}");
    };
    let (trust, now) = (university.trust(), university.clock.now());
    let verified = trust.verify_student(&student.chain, now).unwrap();
    let audience = "spiffe://cuhk.example/service/blackboard".parse().unwrap();
    UnverifiedToken(&token)
        .verify(&trust, &audience, &verified, now)
        .unwrap();
}

#[tokio::test]
async fn a_revoked_certificate_is_not_handed_out_again() {
    let university = University::open().await;
    let code = university.code("1155000001").await;
    let key = SigningKey::generate().unwrap();
    let request = enrol("1155000001", &code, &key);
    enrolled(university.ask(None, &request).await);
    university
        .revoke("1155000001", RevocationReason::Unspecified)
        .await;
    assert_eq!(
        refused(university.ask(None, &request).await),
        Code::CertificateRevoked
    );
}

fn later(time: rustls_pki_types::UnixTime, span: Duration) -> rustls_pki_types::UnixTime {
    rustls_pki_types::UnixTime::since_unix_epoch(Duration::from_secs(time.as_secs()) + span)
}
