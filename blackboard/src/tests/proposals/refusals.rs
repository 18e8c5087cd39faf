//! What is refused: who may not sign, what is not what was proposed, and who was revoked meanwhile.

use scb_certs::{IssuerKind, RevocationReason, RevokedEntry};
use scb_protocol::client::sign;
use scb_protocol::message::blackboard::Request;
use scb_protocol::message::proposal::RefusedSignature;
use scb_protocol::{Code, InactiveReason, Step};

use super::{A, B, C, Campus, Machine, Work, happened};
use crate::store::{MAX_WAITING, MOST_IN_A_DAY};
use crate::tests::LONG;
use crate::tests::cuhk::Answer;
use crate::tests::group::reply;

fn revoke(campus: &Campus, sid: &str) {
    let answer = Answer::Inactive(sid.to_owned(), InactiveReason::Revoked);
    campus.cuhk.answer(answer);
}

#[tokio::test]
async fn with_a_proposer_who_was_revoked_nobody_signs() {
    let campus = Campus::open().await;
    let [mut a, mut b] = [A, B].map(|sid| Machine::of(&campus, &[sid]));
    let work = a.work(&[A, B], b"our report");
    a.propose(&work).await.unwrap().waits();
    revoke(&campus, A);
    let refusal = b.sign(&work).await.unwrap_err();
    assert_eq!(
        (refusal.code, refusal.step),
        (Code::StudentInactive, Step::Six)
    );
    assert_eq!(refusal.sid.unwrap().as_str(), A);
    assert_eq!(happened(&campus), ["proposed", "signed", "refused"]);
    campus.cuhk.answer(Answer::Honest);
    b.sign(&work).await.unwrap().receipt();
}

/// As what a member's signature was refused, as another one is told.
async fn refused_to(told: &mut Machine<'_>, sid: &str) -> Option<RefusedSignature> {
    let standing = told.told().await.remove(0).listed.standing;
    let mut members = standing.members.into_iter();
    members.find(|one| one.sid.as_str() == sid).unwrap().refused
}

#[tokio::test]
async fn whose_signature_was_refused_is_told_to_the_other_members_by_its_code_alone() {
    let campus = Campus::open().await;
    let [mut a, mut b, mut c] = [A, B, C].map(|sid| Machine::of(&campus, &[sid]));
    let work = a.work(&[A, B], b"our report");
    a.propose(&work).await.unwrap().waits();
    assert_eq!(refused_to(&mut a, B).await, None);
    // Whoever is no member and tries is told of to nobody.
    c.sign(&work).await.unwrap_err();
    revoke(&campus, A);
    b.sign(&work).await.unwrap_err();
    campus.cuhk.answer(Answer::Honest);
    let expected = RefusedSignature {
        at: campus.certs.now(),
        code: Code::StudentInactive,
    };
    for machine in [&mut a, &mut b] {
        assert_eq!(refused_to(machine, B).await.as_ref(), Some(&expected));
        assert_eq!(refused_to(machine, A).await, None, "he has signed");
    }
    assert!(c.told().await.is_empty());
    // Another statement of the same members is another one.
    let other = b.work(&[A, B], b"another report");
    b.propose(&other).await.unwrap().waits();
    let listed = a.told().await.into_iter().map(|one| one.listed.standing);
    let refused = listed
        .flat_map(|one| one.members)
        .filter_map(|one| one.refused);
    assert_eq!(refused.count(), 1);
    b.sign(&work).await.unwrap().receipt();
    let mut listed = a.told().await.into_iter().map(|one| one.listed.standing);
    assert!(listed.all(|one| one.members.iter().all(|one| one.refused.is_none())));
}

#[tokio::test]
async fn what_is_refused_for_a_certificate_on_hold_is_entered_and_signed() {
    let campus = Campus::open().await;
    let [mut a, mut b] = [A, B].map(|sid| Machine::of(&campus, &[sid]));
    let work = a.work(&[A, B], b"our report");
    a.propose(&work).await.unwrap().waits();
    let now = campus.certs.now();
    let held = RevokedEntry {
        serial: a.0.members[0].chain.leaf().serial(),
        revoked_at: now,
        reason: RevocationReason::CertificateHold,
        invalid_since: None,
    };
    let mut lists = campus.certs.crls(11, &[]);
    let (end, students) = (
        lists[1].next_update(),
        campus.certs.issuer(IssuerKind::Students),
    );
    lists[1] = students.sign_crl(11, now, end, &[held]).unwrap();
    campus.cuhk.set(|state| {
        state.crls = lists;
        state.epoch += 1;
    });
    let has_the_list = async { while a.0.open_session().await.is_ok() {} };
    tokio::time::timeout(LONG, has_the_list).await.unwrap();
    let refusal = b.sign(&work).await.unwrap_err();
    assert_eq!(refusal.code, Code::CertificateOnHold);
    assert_eq!(refusal.sid.as_ref().unwrap().as_str(), A);
    assert!(refusal.rejection.is_some(), "signed");
    assert_eq!(happened(&campus), ["proposed", "signed", "refused"]);
    let told = refused_to(&mut b, B).await.unwrap();
    assert_eq!(told.code, Code::CertificateOnHold);
}

#[tokio::test]
async fn who_was_revoked_before_the_files_came_is_refused_then() {
    let campus = Campus::open().await;
    let [mut a, mut b] = [A, B].map(|sid| Machine::of(&campus, &[sid]));
    let work = a.work(&[A, B], b"our report");
    a.begin(&work).await.unwrap();
    b.sign(&work).await.unwrap().waits();
    revoke(&campus, B);
    let refusal = a.propose(&work).await.unwrap_err();
    assert_eq!(refusal.code, Code::StudentInactive);
    assert_eq!(refusal.sid.unwrap().as_str(), B);
    campus.assert_nothing_stored().await;
    // It waits for CUHK's word, and is completed without signing anew, whoever asks in that moment.
    campus.cuhk.answer(Answer::Honest);
    b.sign(&work).await.unwrap().receipt();
    assert_eq!(
        happened(&campus),
        ["proposed", "signed", "signed", "refused", "accepted"]
    );
}

#[tokio::test]
async fn while_cuhk_is_away_nobody_cosigns() {
    let campus = Campus::with(|config| config.outage = scb_protocol::server::Outage::Tokens).await;
    let [mut a, mut b] = [A, B].map(|sid| Machine::of(&campus, &[sid]));
    let work = a.work(&[A, B], b"our report");
    a.propose(&work).await.unwrap().waits();
    campus.cuhk.stop().await;
    let refusal = b.sign(&work).await.unwrap_err();
    assert_eq!(refusal.code, Code::CuhkUnavailable);
    assert_eq!(happened(&campus), ["proposed", "signed"]);
}

#[tokio::test]
async fn only_the_very_statement_that_was_proposed_is_signed() {
    let campus = Campus::open().await;
    let [mut a, mut b] = [A, B].map(|sid| Machine::of(&campus, &[sid]));
    let work = a.work(&[A, B], b"our report");
    a.propose(&work).await.unwrap().waits();
    let never = a.work(&[A, B], b"another report");
    assert_eq!(
        b.sign(&never).await.unwrap_err().code,
        Code::SubmissionUnknown
    );
    let id = work.submission().to_string();
    let text = String::from_utf8(never.statement.clone()).unwrap();
    let altered = Work {
        statement: text
            .replace(&never.submission().to_string(), &id)
            .into_bytes(),
        report: never.report,
    };
    assert_eq!(
        b.sign(&altered).await.unwrap_err().code,
        Code::SubmissionUnknown
    );
    let refusal = a.begin(&altered).await.unwrap_err();
    assert_eq!(refusal.code, Code::SubmissionConflict);
    assert_eq!(happened(&campus), ["proposed", "signed", "refused"]);
}

#[tokio::test]
async fn a_signature_counts_over_the_signers_own_connection_only() {
    let campus = Campus::open().await;
    let [mut a, mut b] = [A, B].map(|sid| Machine::of(&campus, &[sid]));
    let work = a.work(&[A, B], b"our report");
    a.propose(&work).await.unwrap().waits();
    let now = campus.certs.now();
    let of_both: Vec<_> = [a.0.members.clone(), b.0.members.clone()].concat();
    for (signers, code) in [
        (a.0.members.clone(), Code::SignatureMissing),
        (of_both, Code::SignatureInvalid),
    ] {
        let signatures = sign(&work.statement, &signers, now).unwrap();
        let (mut connection, session) = b.0.open_session().await.unwrap();
        let (_, request) = session.sign_proposal(&work.statement, signatures).unwrap();
        connection.send(&request).await.unwrap();
        assert_eq!(reply(&mut connection).await.unwrap_err().code, code);
    }
    assert_eq!(
        happened(&campus),
        ["proposed", "signed", "refused", "refused"]
    );
}

#[tokio::test]
async fn a_mac_of_another_connection_is_refused() {
    let campus = Campus::open().await;
    let [mut a, mut b] = [A, B].map(|sid| Machine::of(&campus, &[sid]));
    let work = a.work(&[A, B], b"our report");
    a.propose(&work).await.unwrap().waits();
    let signatures = sign(&work.statement, &b.0.members, campus.certs.now()).unwrap();
    let (_, session) = b.0.open_session().await.unwrap();
    let (_, request) = session.sign_proposal(&work.statement, signatures).unwrap();
    let (mut connection, _) = b.0.open_session().await.unwrap();
    assert!(matches!(request, Request::Sign { .. }));
    connection.send(&request).await.unwrap();
    assert_eq!(
        reply(&mut connection).await.unwrap_err().code,
        Code::MacInvalid
    );
}

#[tokio::test]
async fn the_very_same_work_waits_once() {
    let campus = Campus::open().await;
    let [mut a, mut b] = [A, B].map(|sid| Machine::of(&campus, &[sid]));
    let first = a.work(&[A, B], b"our report");
    let second = b.work(&[B, A], b"our report");
    let (one, other) = tokio::join!(a.propose(&first), b.propose(&second));
    let (refusal, waits) = match (one, other) {
        (Ok(_), Err(refusal)) => (refusal, first.submission()),
        (Err(refusal), Ok(_)) => (refusal, second.submission()),
        other => panic!("one of them waits: {other:?}"),
    };
    assert_eq!(refusal.code, Code::ProposalExists);
    assert_eq!(refusal.params["submission"], waits.to_string());
}

#[tokio::test]
async fn a_member_of_two_proposals_signs_each_by_itself() {
    let campus = Campus::open().await;
    let [mut a, mut b, mut c] = [A, B, C].map(|sid| Machine::of(&campus, &[sid]));
    let (with_a, with_c) = (a.work(&[A, B], b"one"), c.work(&[C, B], b"other"));
    a.propose(&with_a).await.unwrap().waits();
    c.propose(&with_c).await.unwrap().waits();
    assert_eq!(b.told().await.len(), 2);
    let receipt = b.sign(&with_c).await.unwrap().receipt();
    assert_eq!(b.verify(&receipt).statement_bytes(), with_c.statement);
    let receipt = b.sign(&with_a).await.unwrap().receipt();
    assert_eq!(b.verify(&receipt).number().get(), 2);
}

#[tokio::test]
async fn nobody_has_more_waiting_than_may_be() {
    let campus = Campus::open().await;
    let mut a = Machine::of(&campus, &[A]);
    for nth in 0..MAX_WAITING {
        let work = a.work(&[A, B], format!("report {nth}").as_bytes());
        a.begin(&work).await.unwrap();
    }
    let more = a.work(&[A, B], b"one more");
    let refusal = a.begin(&more).await.unwrap_err();
    assert_eq!(refusal.code, Code::TooManyProposals);
    // Those in which others name a student do not count against him.
    let mut b = Machine::of(&campus, &[B]);
    let own = b.work(&[A, B], b"of b");
    b.begin(&own).await.unwrap();
}

#[tokio::test]
async fn nobody_proposes_without_end_whoever_ends_it() {
    let campus = Campus::open().await;
    let [mut a, mut b] = [A, B].map(|sid| Machine::of(&campus, &[sid]));
    for nth in 0..MOST_IN_A_DAY {
        let work = a.work(&[A, B], format!("report {nth}").as_bytes());
        a.begin(&work).await.unwrap();
        let ends = if nth % 2 == 0 { &mut a } else { &mut b };
        ends.end(work.submission(), None).await.unwrap();
    }
    let more = a.work(&[A, B], b"one more");
    let refusal = a.begin(&more).await.unwrap_err();
    assert_eq!(refusal.code, Code::TooManyProposals);
    assert_eq!(refusal.params["limit"], MOST_IN_A_DAY.to_string());
    let own = b.work(&[A, B], b"of b");
    b.begin(&own).await.unwrap();
}

#[tokio::test]
async fn a_submission_id_is_one_thing() {
    let campus = Campus::open().await;
    let mut a = Machine::of(&campus, &[A]);
    let work = a.work(&[A, B], b"our report");
    a.begin(&work).await.unwrap();
    let mut alone = campus.group(&[A]);
    alone.submission = work.submission();
    let refusal = alone.hand_in().await.unwrap_err();
    assert_eq!(refusal.code, Code::SubmissionConflict);
}
