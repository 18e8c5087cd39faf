//! Every operation by every role, and messages that nobody may send.

use std::time::Duration;

use bytes::Bytes;
use scb_certs::{Fingerprint, SigningKey};
use scb_cuhk::Config;
use scb_protocol::message::cuhk::Request;
use scb_protocol::{Code, EnrolmentCode, Message};
use scb_transport::Limits;
use serde::{Deserialize, Serialize};

use crate::university::{
    University, ask, enrol, enrol_service, refused, renew, renew_service, verify,
};

/// Without a proof that could be one.
fn renew_expired(key: &SigningKey) -> Request {
    let Request::Renew { request } = renew(key) else {
        panic!("another request");
    };
    Request::RenewExpired {
        sid: "1155000001".parse().unwrap(),
        request,
        proof: "a.b.c".to_owned(),
    }
}

#[tokio::test]
async fn what_is_not_listed_for_a_role_is_refused() {
    let university = University::open().await;
    let student = university.student("1155000001").await;
    let service = university.blackboard().await;
    let key = SigningKey::generate().unwrap();
    let code = EnrolmentCode::generate().unwrap();
    let operations = [
        enrol("1155000001", &code, &key),
        Request::RefreshToken {},
        renew(&SigningKey::generate().unwrap()),
        renew_expired(&key),
        enrol_service("blackboard", &code, &key),
        renew_service(&key),
        verify(&[("1155000001", Fingerprint::of(b""))]),
        Request::Status {},
        Request::Crls {},
        Request::Checkpoint { old: 0 },
        Request::Audit { size: 0, from: 1 },
        Request::Cosign {
            verifier_key: String::new(),
            checkpoint: String::new(),
        },
        Request::Endorse { log: String::new() },
        Request::Witness {
            checkpoint: String::new(),
            old: 0,
            growth: Vec::new(),
            entries: Vec::new(),
        },
        Request::Witnessed { log: String::new() },
        Request::WitnessedEntries {
            log: String::new(),
            from: 0,
            end: 0,
        },
    ];
    // In the same order; `None` is allowed, though code and proof are wrong.
    let missing = Some(Code::CertificateMissing);
    let denied = Some(Code::NotPermitted);
    let wrong = Some(Code::EnrolmentRefused);
    let unproved = Some(Code::ProofInvalid);
    let invalid = Some(Code::LogInvalid);
    let no_log = Some(Code::CheckpointInvalid);
    let anonymous = [
        wrong, missing, missing, unproved, wrong, missing, missing, missing, None, missing,
        missing, missing, missing, missing, missing, missing,
    ];
    let as_student = [
        denied, None, None, denied, denied, denied, denied, denied, None, None, None, denied,
        denied, denied, denied, denied,
    ];
    let as_service = [
        denied, denied, denied, denied, denied, None, None, None, None, None, denied, invalid,
        no_log, no_log, no_log, no_log,
    ];
    let roles = [
        (None, anonymous),
        (Some(&student), as_student),
        (Some(&service), as_service),
    ];
    for (who, expected) in roles {
        for (operation, expected) in operations.iter().zip(expected) {
            let reply = university.ask(who, operation).await;
            let code = reply.err().map(|refusal| refusal.code);
            assert_eq!(code, expected, "{}", operation.name());
        }
    }
}

#[tokio::test]
async fn an_unknown_message_is_refused() {
    #[derive(Debug, Serialize, Deserialize)]
    #[serde(tag = "type", rename_all = "snake_case")]
    enum Strange {
        MakeMeRoot {},
        Status { epoch: u64 },
    }
    impl Message for Strange {
        const NAMES: &'static [&'static str] = &["make_me_root", "status"];
        fn name(&self) -> &'static str {
            "strange"
        }
    }
    let university = University::open().await;
    for (message, code) in [
        (Strange::MakeMeRoot {}, Code::UnknownMessage),
        (Strange::Status { epoch: 1 }, Code::MalformedMessage),
    ] {
        let mut connection = university.connect().await;
        connection.send(&message).await.unwrap();
        assert_eq!(refused(answer(&mut connection).await), code);
    }
}

#[tokio::test]
async fn content_where_a_message_is_expected_is_refused() {
    let university = University::open().await;
    let mut connection = university.connect().await;
    connection
        .send_chunk(Bytes::from_static(b"report"))
        .await
        .unwrap();
    assert_eq!(
        refused(answer(&mut connection).await),
        Code::UnexpectedMessage
    );
}

#[tokio::test]
async fn a_silent_client_is_told_so_and_nobody_else_waits() {
    let limits = Limits {
        // In which whoever does say something says it on a busy machine, too.
        message: Duration::from_secs(3),
        ..Limits::default()
    };
    let university = University::open_with(Config {
        limits,
        ..Config::default()
    })
    .await;
    let mut silent = university.connect().await;
    let mut busy = university.connect().await;
    ask(&mut busy, &Request::Crls {}).await.unwrap();
    assert_eq!(refused(answer(&mut silent).await), Code::Timeout);
}

#[tokio::test]
async fn a_waiting_client_is_told_that_the_server_stops() {
    let university = University::open().await;
    let mut waiting = university.connect().await;
    let (stopped, reply) = tokio::join!(university.stop(), answer(&mut waiting));
    assert_eq!(stopped, ());
    assert_eq!(refused(reply), Code::ShuttingDown);
}

async fn answer(
    connection: &mut scb_transport::Connection,
) -> Result<scb_protocol::message::cuhk::Reply, scb_protocol::Refusal> {
    let patience = Duration::from_secs(60);
    connection
        .receive_reply(scb_protocol::Step::One, patience)
        .await
}
