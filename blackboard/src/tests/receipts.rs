//! Receipts with their proof, at once or later.

use std::time::Duration;

use rusqlite::Connection as Database;
use scb_certs::{Certificate, Crl};
use scb_protocol::receipt::{LogProof, VerifiedReceipt};
use scb_protocol::statement::SubmissionId;
use scb_protocol::{Code, Refusal};

use super::campus::Campus;
use super::group::{Group, chunk, reply};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// What the group is told of a submission's proof.
async fn ask(group: &mut Group<'_>, submission: SubmissionId) -> Result<Option<LogProof>, Refusal> {
    let (mut connection, session) = group.open_session().await?;
    let (expect, request) = session.ask_proof(submission);
    connection.send(&request).await?;
    let mut receiving = expect.handle(reply(&mut connection).await?)?;
    while !receiving.is_complete() {
        receiving.chunk(&chunk(&mut connection).await?)?;
    }
    let (_, proof) = receiving.finish()?;
    connection.close().await;
    Ok(proof)
}

/// As [`ask`], until there is one.
pub(super) async fn ask_until(group: &mut Group<'_>, submission: SubmissionId) -> LogProof {
    for _ in 0..1000 {
        if let Some(proof) = ask(group, submission).await.unwrap() {
            return proof;
        }
    }
    panic!("never proved");
}

/// What it shows of the moment that counts.
fn entered(receipt: &VerifiedReceipt) -> String {
    let mut checks = receipt.checks().iter();
    let entered = checks.find(|check| check.what == "entered");
    entered.unwrap().found.to_string()
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
    assert!(entered(&receipt).ends_with(", in the same tree"));
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

/// CUHK is back after two days with new lists, in which the second member has been revoked.
async fn two_days_later(campus: &mut Campus, revoked: &Certificate) {
    campus.stop().await;
    campus.cuhk.stop().await;
    campus.certs.clock().advance(2 * DAY);
    let lists = campus.certs.crls(20, &[revoked]);
    campus.cuhk.set(|state| {
        state.crls = lists;
        state.epoch += 1;
        state.witness.lose_answers = false;
    });
    campus.cuhk.resume().await;
    campus.start().await.unwrap();
}

#[tokio::test]
async fn a_receipt_that_is_completed_after_days_has_the_lists_of_that_time() {
    let mut campus = Campus::open().await;
    campus.cuhk.set(|state| state.witness.lose_answers = true);
    let mut group = campus.three();
    let zip = group.hand_in().await.unwrap();
    let (submission, revoked) = (group.submission, group.members[1].chain.leaf().clone());
    drop(group);
    two_days_later(&mut campus, &revoked).await;
    let mut one = campus.group(&["1155000001"]);
    let proof = ask_until(&mut one, submission).await;
    drop(one);
    let lists = Crl::all_from_pem(&proof.lists).unwrap();
    let numbers: Vec<_> = lists.iter().map(Crl::number).collect();
    assert_eq!(numbers, [20; 3], "those of the root and both issuers");
    let root = campus.certs.root_fingerprint();
    let (complete, receipt) = VerifiedReceipt::complete(&zip, &proof, &[root]).unwrap();
    assert!(!receipt.witnessed().unwrap().outlives_lists());
    // It stays that one, also when this server starts again and the lists have ended once more.
    let nobody = campus.certs.student("1155000009");
    two_days_later(&mut campus, nobody.chain.leaf()).await;
    let mut one = campus.group(&["1155000003"]);
    assert_eq!(ask_until(&mut one, submission).await, proof);
    drop(one);
    let (again, _) = VerifiedReceipt::complete(&zip, &proof, &[root]).unwrap();
    assert!(again == complete, "another receipt");
}

#[tokio::test]
async fn what_was_cosigned_before_a_restart_is_told_with_the_lists_of_that_time() {
    let mut campus = Campus::open().await;
    campus.cuhk.set(|state| state.witness.lose_answers = true);
    let mut group = campus.three();
    let zip = group.hand_in().await.unwrap();
    let submission = group.submission;
    drop(group);
    let nobody = campus.certs.student("1155000009");
    two_days_later(&mut campus, nobody.chain.leaf()).await;
    super::eventually("kept", || lists_kept(&campus) == 1).await;
    // Nobody has asked yet. Half a day later there are newer lists, which were not there then.
    campus.stop().await;
    campus.certs.clock().advance(DAY / 2);
    let lists = campus.certs.crls(30, &[]);
    campus.cuhk.set(|state| {
        state.crls = lists;
        state.epoch += 1;
    });
    campus.start().await.unwrap();
    let mut one = campus.group(&["1155000001"]);
    let proof = ask_until(&mut one, submission).await;
    let root = campus.certs.root_fingerprint();
    let (_, receipt) = VerifiedReceipt::complete(&zip, &proof, &[root]).unwrap();
    let witnessed = receipt.witnessed().unwrap();
    let lists = Crl::all_from_pem(&proof.lists).unwrap();
    assert!(lists.iter().all(|list| list.number() == 20), "{lists:?}");
    assert!(
        lists
            .iter()
            .all(|list| list.this_update() <= witnessed.seen)
    );
}

/// In how many logs the lists are kept that were in force when CUHK cosigned.
fn lists_kept(campus: &Campus) -> i64 {
    let database = Database::open(campus.home.path("blackboard.db")).unwrap();
    let sql = "SELECT count(*) FROM cosigned_checkpoints JOIN blobs ON lists = sha256";
    database.query_row(sql, [], |row| row.get(0)).unwrap()
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
        "lists = keys",
        "committed = replace(committed, '\"at\":\"2', '\"at\":\"1')",
        "committed_proof = proof",
        "committed_proof = NULL",
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
