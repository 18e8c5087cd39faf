//! What Blackboard says of the issuance log as its witness: handed on, if it is its own word of this log.

use std::fs;

use scb_certs::ServiceName;
use scb_protocol::Code;
use scb_protocol::audit::GrownLog;
use scb_protocol::message::cuhk::{Reply, Request};
use scb_tlog::{Algorithm, Cosigner, NoteKey};

use super::{SID, audit_as, look};
use crate::monitor::sample;
use crate::university::{University, ask, refused};

#[tokio::test]
async fn a_witness_s_word_is_handed_on() {
    let university = University::open().await;
    let student = university.student(SID).await;
    let blackboard = university.blackboard().await;
    let mut witness = university.connect_as(&blackboard).await;
    let seen = look(&mut witness, None).await.unwrap();
    let cosigner = cosigner();
    let request = cosign(&cosigner, &seen);
    let kept = ask(&mut witness, &request).await.unwrap();
    assert_eq!(kept, Reply::Cosigned {});
    university.student("1155000002").await;
    let audited = audit_as(&university, &student, SID).await;
    let [word] = audited.log().witnesses() else {
        panic!("{audited:?}");
    };
    assert_eq!(word.key(), cosigner.verifier());
    assert_eq!((word.size(), word.time()), (seen.known().head.size, 1000));
    assert!(
        word.size() < audited.log().known().head.size,
        "not of what came after"
    );
    university.stop().await;
}

#[tokio::test]
async fn a_service_cosigns_under_its_own_name_only() {
    let university = University::open().await;
    let blackboard = university.blackboard().await;
    let mut connection = university.connect_as(&blackboard).await;
    let seen = look(&mut connection, None).await.unwrap();
    for name in [
        "cuhk.example/witness/library",
        "cuhk.example/witness/cuhk",
        "library.example/witness/blackboard",
        "cuhk.example/blackboard",
    ] {
        let request = cosign(&named_cosigner(name), &seen);
        let told = university.ask(Some(&blackboard), &request).await;
        assert_eq!(refused(told), Code::NotPermitted, "{name}");
    }
    university.stop().await;
}

#[tokio::test]
async fn a_false_cosignature_is_refused() {
    let university = University::open().await;
    let student = university.student(SID).await;
    let blackboard = university.blackboard().await;
    let mut connection = university.connect_as(&blackboard).await;
    let seen = look(&mut connection, None).await.unwrap();
    let cosigner = cosigner();
    let key = cosigner.verifier().to_string();
    let good = cosigned(&cosigner, &seen);
    let unsigned = seen.checkpoint().to_string();
    for (verifier_key, checkpoint) in [
        (key.clone(), unsigned),
        (key.clone(), good.replace("cuhk.example", "cuhk.examples")),
        (key.replace('+', " "), good.clone()),
        (key.clone(), "not a checkpoint".to_owned()),
    ] {
        let request = Request::Cosign {
            verifier_key,
            checkpoint,
        };
        let reply = university.ask(Some(&blackboard), &request).await;
        assert_eq!(refused(reply), Code::LogInvalid);
    }
    let request = Request::Cosign {
        verifier_key: key,
        checkpoint: good,
    };
    let as_student = university.ask(Some(&student), &request).await;
    assert_eq!(refused(as_student), Code::NotPermitted);
    university.stop().await;
}

fn cosigner() -> Cosigner {
    named_cosigner("cuhk.example/witness/blackboard")
}

fn named_cosigner(name: &str) -> Cosigner {
    let name = name.parse().unwrap();
    Cosigner::new(NoteKey::generate(name, Algorithm::CosignatureV1).unwrap()).unwrap()
}

/// The checkpoint with a cosignature of second 1000.
fn cosigned(cosigner: &Cosigner, log: &GrownLog) -> String {
    let line = cosigner.cosign(log.growth(), 1000);
    log.checkpoint().clone().with(line).to_string()
}

fn cosign(cosigner: &Cosigner, log: &GrownLog) -> Request {
    Request::Cosign {
        verifier_key: cosigner.verifier().to_string(),
        checkpoint: cosigned(cosigner, log),
    }
}

/// What is held against the log and not settled.
async fn held(university: &University) -> Vec<(ServiceName, u64)> {
    let held = university
        .store
        .read(|records| records.log().contradictions());
    let held = held.await.unwrap().into_iter();
    held.map(|held| (held.service, held.size)).collect()
}

#[tokio::test]
async fn what_a_witness_holds_against_the_log_is_recorded_until_it_cosigns_the_log_again() {
    let university = University::open().await;
    let blackboard = university.blackboard().await;
    let mut witness = university.connect_as(&blackboard).await;
    let seen = look(&mut witness, None).await.unwrap();
    let size = seen.known().head.size;
    let university = university.stopped().await;
    let database = university.open_database();
    database.execute("DELETE FROM log_entry", []).unwrap();
    drop(database);
    fs::remove_dir_all(university.home().join("log")).unwrap();
    let university = university.start().await;
    university.student("1155000002").await;
    assert_eq!(held(&university).await, []);

    let cosigner = cosigner();
    for _ in 0..2 {
        let request = cosign(&cosigner, &seen);
        let told = university.ask(Some(&blackboard), &request).await;
        assert_eq!(refused(told), Code::LogForked);
        let expected = [(ServiceName::blackboard(), size)];
        assert_eq!(held(&university).await, expected);
    }
    let contradicted = "cuhk_log_contradicted{witness=\"blackboard\"}";
    assert!(sample(&university, contradicted).await > 0.5);
    let mut witness = university.connect_as(&blackboard).await;
    let now = look(&mut witness, None).await.unwrap();
    let request = cosign(&cosigner, &now);
    let kept = ask(&mut witness, &request).await.unwrap();
    assert_eq!(kept, Reply::Cosigned {});
    assert_eq!(held(&university).await, []);
    assert!(sample(&university, contradicted).await < 0.5);
    let behind = "cuhk_log_uncosigned_entries{witness=\"blackboard\"}";
    assert!(sample(&university, behind).await < 0.5);
    university.student(SID).await;
    assert!(sample(&university, behind).await > 0.5);
    university.stop().await;
}

#[tokio::test]
async fn what_the_log_s_key_has_not_signed_is_held_against_it_by_nobody() {
    let university = University::open().await;
    let blackboard = university.blackboard().await;
    let mut witness = university.connect_as(&blackboard).await;
    let seen = look(&mut witness, None).await.unwrap();
    let cosigner = cosigner();
    let genuine = cosigned(&cosigner, &seen);
    let forged = genuine.replacen(&format!("\n{}\n", seen.known().head.size), "\n9\n", 1);
    assert_ne!(forged, genuine);
    let request = Request::Cosign {
        verifier_key: cosigner.verifier().to_string(),
        checkpoint: forged,
    };
    let told = university.ask(Some(&blackboard), &request).await;
    assert_eq!(refused(told), Code::LogInvalid);
    assert_eq!(held(&university).await, []);
    university.stop().await;
}
