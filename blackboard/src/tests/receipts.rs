//! Receipts with their proof, at once or later.

use rusqlite::Connection as Database;
use scb_protocol::receipt::{LogProof, VerifiedReceipt};
use scb_protocol::statement::SubmissionId;
use scb_protocol::{Code, Refusal};

use super::campus::Campus;
use super::group::{Group, reply};

/// What the group is told of a submission's proof.
async fn ask(group: &mut Group<'_>, submission: SubmissionId) -> Result<Option<LogProof>, Refusal> {
    let (mut connection, session) = group.open_session().await?;
    let (expect, request) = session.ask_proof(submission);
    connection.send(&request).await?;
    let (_, proof) = expect.handle(reply(&mut connection).await?)?;
    connection.close().await;
    Ok(proof)
}

/// As [`ask`], until there is one.
async fn ask_until(group: &mut Group<'_>, submission: SubmissionId) -> LogProof {
    for _ in 0..1000 {
        if let Some(proof) = ask(group, submission).await.unwrap() {
            return proof;
        }
    }
    panic!("never proved");
}

#[tokio::test]
async fn a_receipt_goes_out_with_its_proof() {
    let campus = Campus::open().await;
    let mut group = campus.three();
    let zip = group.hand_in().await.unwrap();
    let receipt = group.verify(&zip);
    let witnessed = receipt.witnessed().unwrap();
    assert_eq!(witnessed.by[0].0.as_str(), "campus.test/witness/cuhk");
    assert!(witnessed.size > receipt.entry().1);
    // The log goes on; the receipt of what was proved once stays the same.
    campus.group(&["1155000004"]).hand_in().await.unwrap();
    let mut again = campus.three();
    again.submission = group.submission;
    again.members.clone_from(&group.members);
    again.report.clone_from(&group.report);
    assert!(again.hand_in().await.unwrap() == zip, "another receipt");
}

#[tokio::test]
async fn a_pending_receipt_is_completed_once_cuhk_has_seen_the_entry() {
    let mut campus = Campus::open().await;
    campus.cuhk.set(|state| state.witness.lose_answers = true);
    let mut group = campus.three();
    let zip = group.hand_in().await.unwrap();
    assert_eq!(group.verify(&zip).witnessed(), None);
    let (submission, members) = (group.submission, group.members.clone());
    let report = group.report.clone();
    drop(group);
    campus.cuhk.set(|state| state.witness.lose_answers = false);
    campus.stop().await;
    campus.start().await.unwrap();
    let mut one = campus.group(&["1155000002"]);
    let proof = ask_until(&mut one, submission).await;
    let root = campus.certs.root_fingerprint();
    let (complete, receipt) = VerifiedReceipt::complete(&zip, &proof, &[root]).unwrap();
    assert!(receipt.witnessed().is_some());
    // Whoever hands in the same again gets that very receipt.
    let mut again = campus.three();
    (again.submission, again.members, again.report) = (submission, members, report);
    assert!(
        again.hand_in().await.unwrap() == complete,
        "another receipt"
    );
}

#[tokio::test]
async fn others_get_the_answer_that_nobody_gets() {
    let campus = Campus::open().await;
    let mut group = campus.three();
    group.hand_in().await.unwrap();
    let (submission, unknown) = (group.submission, SubmissionId::random().unwrap());
    assert!(ask(&mut group, submission).await.unwrap().is_some());
    for (what, sids) in [
        ("a stranger", &["1155000009"][..]),
        ("a member and a stranger", &["1155000001", "1155000009"][..]),
    ] {
        let told = ask(&mut campus.group(sids), submission).await.unwrap();
        assert_eq!(told, None, "{what}");
    }
    assert_eq!(ask(&mut group, unknown).await.unwrap(), None);
}

#[tokio::test]
async fn a_proof_that_was_altered_on_disk_is_not_given_out() {
    for change in [
        "proof = replace(proof, 'index ', 'index 1')",
        "log_key = witness_key",
        "keys = signature",
    ] {
        let mut campus = Campus::open().await;
        let mut group = campus.three();
        group.hand_in().await.unwrap();
        let (submission, members) = (group.submission, group.members.clone());
        let report = group.report.clone();
        drop(group);
        campus.stop().await;
        let database = Database::open(campus.home.path("blackboard.db")).unwrap();
        let changed = database.execute(&format!("UPDATE proofs SET {change}"), []);
        assert_eq!(changed.unwrap(), 1);
        drop(database);
        campus.start().await.unwrap();
        let mut again = campus.three();
        (again.submission, again.members, again.report) = (submission, members, report);
        let refused = again.hand_in().await.unwrap_err();
        assert_eq!(refused.code, Code::Internal, "{change}");
    }
}
