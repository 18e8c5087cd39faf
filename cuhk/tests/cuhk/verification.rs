//! Step 3: what a service is told about members.

use std::time::Duration;

use scb_certs::{Fingerprint, RevocationReason, SpiffeId};
use scb_protocol::message::cuhk::{MemberQuestion, Reply, Request};
use scb_protocol::{Code, Question, Refusal, Step, Verification};

use crate::university::{Credentials, University, refused, verify};

/// Asks, and checks the answer the way Blackboard does.
async fn confirm(
    university: &University,
    asker: &Credentials,
    request: &Request,
) -> Result<Verification, Refusal> {
    let Reply::Verification { verification } = university.ask(Some(asker), request).await? else {
        panic!("expected `verification`");
    };
    let Request::Verify {
        nonce,
        members,
        statement_sha256,
    } = request
    else {
        panic!("not a question");
    };
    let question = Question {
        nonce: *nonce,
        members: members.clone(),
        statement_sha256: *statement_sha256,
    };
    let asker: SpiffeId = asker.chain.leaf().spiffe_id().unwrap();
    let (trust, now) = (university.trust(), university.clock.now());
    Verification::verify(&verification, &trust, &asker, &question, now)
}

fn sha256(of: &Credentials) -> Fingerprint {
    of.chain.leaf().fingerprint()
}

fn reason(refusal: &Refusal) -> &str {
    assert_eq!(refusal.code, Code::StudentInactive);
    &refusal.params["reason"]
}

#[tokio::test]
async fn a_service_learns_that_all_members_are_active() {
    let university = University::open().await;
    let blackboard = university.blackboard().await;
    let first = university.student("1155000001").await;
    let second = university.student("1155000002").await;
    let request = verify(&[
        ("1155000001", sha256(&first)),
        ("1155000002", sha256(&second)),
    ]);
    let verification = confirm(&university, &blackboard, &request).await.unwrap();
    let sids: Vec<_> = verification
        .members()
        .iter()
        .map(|member| member.sid.as_str())
        .collect();
    assert_eq!(sids, ["1155000001", "1155000002"]);
}

#[tokio::test]
async fn a_certificate_of_another_or_of_nobody_is_unknown() {
    let university = University::open().await;
    let blackboard = university.blackboard().await;
    let first = university.student("1155000001").await;
    for (sid, certificate) in [
        ("1155000002", sha256(&first)),
        ("1155000001", Fingerprint::of(b"nothing")),
        ("1155009999", sha256(&first)),
        ("1155000001", sha256(&blackboard)),
    ] {
        let refusal = confirm(&university, &blackboard, &verify(&[(sid, certificate)])).await;
        assert_eq!(reason(&refusal.unwrap_err()), "unknown");
    }
}

#[tokio::test]
async fn a_revoked_suspended_or_expired_student_is_inactive() {
    let university = University::open().await;
    let blackboard = university.blackboard().await;
    let [revoked, suspended, expired] = [
        university.student("1155000001").await,
        university.student("1155000002").await,
        university.student("1155000003").await,
    ];
    university
        .revoke("1155000001", RevocationReason::Unspecified)
        .await;
    let (sid, now) = ("1155000002".parse().unwrap(), university.clock.now());
    university
        .change(move |records| scb_cuhk::suspend(records, &sid, now))
        .await;

    let question = verify(&[("1155000001", sha256(&revoked))]);
    let refusal = confirm(&university, &blackboard, &question)
        .await
        .unwrap_err();
    assert_eq!(reason(&refusal), "revoked");
    let question = verify(&[("1155000002", sha256(&suspended))]);
    let refusal = confirm(&university, &blackboard, &question)
        .await
        .unwrap_err();
    assert_eq!(reason(&refusal), "suspended");

    university
        .clock
        .advance(Duration::from_secs(31 * 24 * 60 * 60));
    university.refresher.refresh().await.unwrap();
    let question = verify(&[("1155000003", sha256(&expired))]);
    let refusal = confirm(&university, &blackboard, &question)
        .await
        .unwrap_err();
    assert_eq!(reason(&refusal), "expired");

    // Whoever is suspended is that, whatever became of his certificate: somebody may wait for him.
    for (sid, certificate) in [("1155000003", &expired), ("1155000001", &revoked)] {
        let (suspended, now) = (sid.parse().unwrap(), university.clock.now());
        university
            .change(move |records| scb_cuhk::suspend(records, &suspended, now))
            .await;
        let question = verify(&[(sid, sha256(certificate))]);
        let refusal = confirm(&university, &blackboard, &question).await;
        assert_eq!(reason(&refusal.unwrap_err()), "suspended", "{sid}");
    }
}

#[tokio::test]
async fn no_members_too_many_or_the_same_twice_are_refused() {
    let university = University::open().await;
    let blackboard = university.blackboard().await;
    let nothing = Fingerprint::of(b"");
    let sids: Vec<String> = (0..9).map(|number| format!("115500010{number}")).collect();
    let nine: Vec<(&str, Fingerprint)> = sids.iter().map(|sid| (sid.as_str(), nothing)).collect();
    for (members, code) in [
        (&[][..], Code::MemberCount),
        (&nine[..], Code::MemberCount),
        (&[nine[0], nine[0]][..], Code::DuplicateMember),
    ] {
        let reply = university.ask(Some(&blackboard), &verify(members)).await;
        assert_eq!(refused(reply), code);
    }
}

#[tokio::test]
async fn an_answer_is_for_its_own_nonce_members_and_asker() {
    let university = University::open().await;
    let blackboard = university.blackboard().await;
    let first = university.student("1155000001").await;
    let request = verify(&[("1155000001", sha256(&first))]);
    let reply = university.ask(Some(&blackboard), &request).await.unwrap();
    let Reply::Verification { verification } = reply else {
        panic!("expected `verification`, got {reply:?}");
    };
    let Request::Verify { nonce, members, .. } = request else {
        panic!("not a question");
    };
    let (trust, now) = (university.trust(), university.clock.now());
    let asker: SpiffeId = "spiffe://cuhk.example/service/blackboard".parse().unwrap();
    let other: SpiffeId = "spiffe://cuhk.example/service/library".parse().unwrap();
    let stranger = MemberQuestion {
        sid: "1155000002".parse().unwrap(),
        ..members[0].clone()
    };
    let right = Question {
        nonce,
        members,
        statement_sha256: None,
    };
    Verification::verify(&verification, &trust, &asker, &right, now).unwrap();
    let wrong_nonce = Question {
        nonce: scb_protocol::values::Nonce::random().unwrap(),
        ..right.clone()
    };
    let wrong_members = Question {
        members: vec![stranger],
        ..right.clone()
    };
    for (asker, question) in [
        (&other, &right),
        (&asker, &wrong_nonce),
        (&asker, &wrong_members),
    ] {
        let refusal = Verification::verify(&verification, &trust, asker, question, now);
        assert_eq!(refusal.unwrap_err().code, Code::VerificationInvalid);
    }
}

#[tokio::test]
async fn cuhk_repeats_which_statement_a_question_is_about() {
    let university = University::open().await;
    let blackboard = university.blackboard().await;
    let first = university.student("1155000001").await;
    for named in [None, Some(Fingerprint::of(b"statement"))] {
        let mut request = verify(&[("1155000001", sha256(&first))]);
        let Request::Verify {
            statement_sha256, ..
        } = &mut request
        else {
            panic!("not a question");
        };
        *statement_sha256 = named;
        let answer = confirm(&university, &blackboard, &request).await.unwrap();
        assert_eq!(answer.statement_sha256(), named);
    }
}

#[tokio::test]
async fn what_is_asked_at_once_is_answered_in_its_order() {
    let university = University::open().await;
    let blackboard = university.blackboard().await;
    let first = university.student("1155000001").await;
    let mut connection = university.connect_as(&blackboard).await;
    let question = || verify(&[("1155000001", sha256(&first))]);
    let refused = verify(&[
        ("1155000001", sha256(&first)),
        ("1155000001", sha256(&first)),
    ]);
    let asked = [
        question(),
        question(),
        Request::Status {},
        question(),
        refused,
    ];
    for request in &asked {
        connection.send(request).await.unwrap();
    }
    for request in &asked[..4] {
        let wait = Duration::from_secs(10);
        let reply = connection.receive_reply(Step::Three, wait).await.unwrap();
        match (request, reply) {
            (Request::Verify { nonce, members, .. }, Reply::Verification { verification }) => {
                let question = Question {
                    nonce: *nonce,
                    members: members.clone(),
                    statement_sha256: None,
                };
                let asker = blackboard.chain.leaf().spiffe_id().unwrap();
                let (trust, now) = (university.trust(), university.clock.now());
                Verification::verify(&verification, &trust, &asker, &question, now).unwrap();
            }
            (Request::Status {}, Reply::Status { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
    let last: Result<Reply, _> = connection
        .receive_reply(Step::Three, Duration::from_secs(10))
        .await;
    assert_eq!(last.unwrap_err().code, Code::DuplicateMember);
}
