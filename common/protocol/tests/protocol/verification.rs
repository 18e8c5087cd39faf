//! CUHK's answers: Blackboard believes the one to its own question, and nothing else.

use scb_certs::{Chain, Fingerprint, SigningKey, TrustStore};
use scb_protocol::message::blackboard::Reply;
use scb_protocol::message::cuhk::MemberQuestion;
use scb_protocol::values::Nonce;
use scb_protocol::{
    CLOCK_SKEW, Code, InactiveReason, MemberAnswer, Question, Refusal, Step, VERIFICATION_LIFETIME,
    Verification, clock_ahead_in, from_seconds,
};
use scb_testkit::{Forge, TestCampus};
use serde_json::{Value, json};

use crate::support::{
    Group, Jws, Side, THREE, forgery, name, other_fingerprint, refused, refused_in,
};

/// Blackboard's question about a group, and CUHK's answer.
struct Asked<'a> {
    group: &'a Group<'a>,
    question: Question,
    answer: String,
}

impl<'a> Asked<'a> {
    fn about(group: &'a Group<'a>) -> Self {
        let question = Question {
            nonce: Nonce::from_bytes([1; 16]),
            members: group.named(),
            statement_sha256: None,
        };
        Self {
            group,
            answer: group.answer(&question),
            question,
        }
    }

    fn jws(&self) -> Jws {
        Jws::read(&self.answer)
    }

    fn verify(&self, answer: &str) -> Result<Verification, Refusal> {
        let Group { campus, policy, .. } = self.group;
        let trust = campus.trust();
        Verification::verify(
            answer,
            &trust,
            &policy.service,
            &self.question,
            campus.now(),
        )
    }

    /// As a member or an auditor verifies it, who did not ask.
    fn overhear(&self, answer: &str, members: &[MemberQuestion]) -> Result<Verification, Refusal> {
        let Group { campus, policy, .. } = self.group;
        let trust = campus.trust();
        Verification::verify_for(answer, &trust, &policy.service, members, campus.now())
    }

    /// Refused by the asker and by whoever overhears.
    #[track_caller]
    fn refuses(&self, what: &str, answer: &str) {
        let code = Code::VerificationInvalid;
        refused_in(Step::Three, what, self.verify(answer), code);
        refused(what, self.overhear(answer, &self.question.members), code);
    }

    fn altered(&self, alter: impl FnOnce(&mut Vec<MemberAnswer>)) -> String {
        let mut answers: Vec<_> = self.question.members.iter().map(active).collect();
        alter(&mut answers);
        let Group { cuhk, .. } = self.group;
        self.group.sign_answers(&self.question, &answers, cuhk)
    }

    fn signed_by(&self, chain: &Chain, key: &SigningKey) -> String {
        self.jws().with_chain(chain).sign(key)
    }
}

fn active(member: &MemberQuestion) -> MemberAnswer {
    MemberAnswer {
        sid: member.sid.clone(),
        cert_sha256: member.cert_sha256,
        inactive: None,
        checked_at: from_seconds(1_772_424_000),
    }
}

#[test]
fn accepts_the_answer_to_its_question() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let asked = Asked::about(&group);
    for answer in [&asked.answer, &asked.jws().sign(&group.cuhk.key)] {
        for verified in [
            asked.verify(answer).unwrap(),
            asked.overhear(answer, &asked.question.members).unwrap(),
        ] {
            assert_eq!(verified.members(), asked.question.members);
            assert_eq!(verified.nonce(), asked.question.nonce);
            assert_eq!(verified.issued_at(), campus.now());
            assert_eq!(verified.token(), answer);
        }
    }
}

#[test]
fn refuses_every_other_form_header_algorithm_and_signature() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..1]);
    let asked = Asked::about(&group);
    for (what, answer) in forgery::of_form_and_header(&asked.jws(), &group.cuhk.key) {
        asked.refuses(&what, &answer);
    }
}

#[test]
fn refuses_claims_missing_repeated_unknown_or_of_another_type() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..2]);
    let asked = Asked::about(&group);
    let key = &group.cuhk.key;
    for (what, answer) in forgery::of_claims(&asked.jws(), key) {
        asked.refuses(&what, &answer);
    }
    let member = |alter: &dyn Fn(&mut Value)| {
        let mut jws = asked.jws();
        alter(&mut jws.claims["members"][1]);
        jws.sign(key)
    };
    for field in ["sub", "active", "x5t#S256", "checked_at"] {
        let without = member(&|member| drop(member.as_object_mut().unwrap().remove(field)));
        asked.refuses(field, &without);
        asked.refuses(field, &member(&|member| member[field] = json!([])));
    }
    for (field, value) in [
        ("active", json!("true")),
        ("active", json!(1)),
        ("reason", json!("revoked")),
        ("reason", json!("bored")),
        ("checked_at", json!("1772424000")),
        ("admin", json!(true)),
        ("sub", json!(name("service/blackboard"))),
        ("sub", json!("spiffe://other.test/student/1155000002")),
    ] {
        let what = format!("{field} {value}");
        asked.refuses(&what, &member(&|member| member[field] = value.clone()));
    }
}

#[test]
fn refuses_the_answer_to_another_question() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let asked = Asked::about(&group);
    let later = Question {
        nonce: Nonce::from_bytes([2; 16]),
        ..asked.question.clone()
    };
    let verdict = asked.verify(&group.answer(&later));
    refused("another nonce", verdict, Code::VerificationInvalid);
    let of_a_statement = Question {
        statement_sha256: Some(Fingerprint::of(b"statement")),
        ..asked.question.clone()
    };
    let verdict = asked.verify(&group.answer(&of_a_statement));
    refused("a statement", verdict, Code::VerificationInvalid);
    asked.verify(&asked.answer).unwrap();
    let answer = group.answer(&later);
    asked.overhear(&answer, &later.members).unwrap();
}

#[test]
fn refuses_the_answer_to_another_asker() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let asked = Asked::about(&group);
    for other in ["service/grader", "service/cuhk", "student/1155000001"] {
        let answer = asked.jws().claim("aud", json!(name(other)));
        asked.refuses(other, &answer.sign(&group.cuhk.key));
    }
}

#[test]
fn refuses_an_answer_about_other_members_or_certificates() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let asked = Asked::about(&group);
    let outsider = active(&MemberQuestion {
        sid: "1155000099".parse().unwrap(),
        cert_sha256: other_fingerprint(),
    });
    type Alter<'a> = &'a dyn Fn(&mut Vec<MemberAnswer>);
    let cases: [(&str, Alter<'_>); 9] = [
        ("nobody", &Vec::clear),
        ("one fewer", &|members| members.truncate(2)),
        ("first missing", &|members| drop(members.remove(0))),
        ("one more", &|members| members.push(outsider.clone())),
        ("one twice", &|members| members.push(members[2].clone())),
        ("another", &|members| members[1] = outsider.clone()),
        ("other order", &|members| members.swap(1, 2)),
        ("other certificate", &|members| {
            members[1].cert_sha256 = other_fingerprint();
        }),
        ("certificates swapped", &|members| {
            let first = members[0].cert_sha256;
            members[0].cert_sha256 = std::mem::replace(&mut members[1].cert_sha256, first);
        }),
    ];
    for (what, alter) in cases {
        asked.refuses(what, &asked.altered(alter));
    }
    asked.verify(&asked.altered(|_| {})).unwrap();
}

#[test]
fn is_good_for_a_minute_and_allows_a_minute_of_clock_skew() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..1]);
    let asked = Asked::about(&group);
    let issue = campus.now().as_secs();
    let end = issue + VERIFICATION_LIFETIME;
    let overhear = || asked.overhear(&asked.answer, &asked.question.members);
    for moment in [issue - CLOCK_SKEW, issue, end, end + CLOCK_SKEW] {
        campus.clock().set(from_seconds(moment));
        overhear().unwrap();
    }
    for moment in [issue - 61, issue - 120, end + 61, end + 120] {
        campus.clock().set(from_seconds(moment));
        let what = format!("at {moment} from {issue}");
        refused(&what, overhear(), Code::VerificationInvalid);
    }
}

#[test]
fn whoever_asked_just_now_learns_how_far_the_clocks_are_apart() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..1]);
    let asked = Asked::about(&group);
    let issue = campus.now().as_secs();
    let at = |moment| {
        campus.clock().set(from_seconds(moment));
        asked.verify(&asked.answer)
    };
    for moment in [issue - CLOCK_SKEW, issue, issue + CLOCK_SKEW] {
        at(moment).unwrap();
    }
    for (moment, ahead) in [
        (issue - 61, -61),
        (issue - 62, -62),
        (issue + 61, 61),
        // What an answer that was overheard then may still be.
        (issue + VERIFICATION_LIFETIME + CLOCK_SKEW, 120),
    ] {
        let refusal = at(moment).unwrap_err();
        assert_eq!(clock_ahead_in(&refusal), Some(ahead), "{refusal:?}");
        refused("another clock", Err::<(), _>(refusal), Code::PlatformClock);
    }
    // Another question's answer is that, whatever it says of the time.
    campus.clock().set(from_seconds(issue + 61));
    let other = asked.jws().claim("nonce", json!("00".repeat(16)));
    let verdict = asked.verify(&other.sign(&group.cuhk.key));
    refused("another nonce", verdict, Code::VerificationInvalid);
}

#[test]
fn refuses_another_lifetime() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..1]);
    let asked = Asked::about(&group);
    let issue = asked.jws().number("iat");
    for end in [issue - 1, issue, issue + 59, issue + 61, u64::MAX] {
        let answer = asked.jws().claim("exp", json!(end));
        asked.refuses(&format!("until {end}"), &answer.sign(&group.cuhk.key));
    }
}

#[test]
fn refuses_an_answer_that_cuhks_token_key_did_not_sign() {
    let campus = TestCampus::new();
    let impostor = TestCampus::new().token_signer();
    let group = Group::of(&campus, &THREE[..1]);
    let asked = Asked::about(&group);
    let document = [Forge::document_signing()];
    let of_students = campus.forge().uris(&["spiffe://campus.test/service/cuhk"]);
    let signers = [
        ("CUHK's TLS key", campus.service("cuhk")),
        ("the asker", group.blackboard.clone()),
        ("the student", campus.student(THREE[0])),
        ("another campus of the same name", impostor),
        (
            "the students' issuer",
            of_students.purposes(&document).build(),
        ),
    ];
    for (what, signer) in &signers {
        asked.refuses(what, &asked.signed_by(&signer.chain, &signer.key));
        asked.refuses(what, &asked.signed_by(&group.cuhk.chain, &signer.key));
    }
    let token = Jws::read(&group.members[0].token).sign(&group.cuhk.key);
    asked.refuses("an identity token", &token);
    let other = asked.jws().claim("iss", json!(name("service/blackboard")));
    asked.refuses("another issuer", &other.sign(&group.cuhk.key));
    asked.verify(&asked.answer).unwrap();
}

#[test]
fn refuses_an_inactive_member_with_each_reason() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let asked = Asked::about(&group);
    for (reason, told) in [
        (InactiveReason::Unknown, "unknown"),
        (InactiveReason::Revoked, "revoked"),
        (InactiveReason::Expired, "expired"),
        (InactiveReason::Suspended, "suspended"),
    ] {
        let answer = asked.altered(|members| members[1].inactive = Some(reason));
        let refusal = refused(told, asked.verify(&answer), Code::StudentInactive);
        assert_eq!(refusal.sid, Some(THREE[1].parse().unwrap()));
        assert_eq!(refusal.params["reason"], told);
        assert_eq!(reason.to_string(), told);
    }
    let mut silent = asked.jws();
    silent.claims["members"][2]["active"] = json!(false);
    let silent = silent.sign(&group.cuhk.key);
    let refusal = refused("no reason", asked.verify(&silent), Code::StudentInactive);
    assert_eq!(refusal.sid, Some(THREE[2].parse().unwrap()));
}

#[test]
fn the_server_refuses_the_first_answer_again_before_it_stores() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let mut first = None;
    let run = group.run().cuhk(|question| {
        let answer = || group.answer(question);
        first.get_or_insert_with(answer).clone()
    });
    let refused = run.refused("replayed");
    refused.is(
        "replayed",
        Side::Server,
        Step::Six,
        Code::VerificationInvalid,
    );
}

#[test]
fn the_server_refuses_who_is_revoked_before_or_during_the_session() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    for (revoked_at, step) in [(1, Step::Three), (2, Step::Six)] {
        let mut asked = 0;
        let run = group.run().cuhk(|question| {
            asked += 1;
            let third = |sid: &scb_certs::StudentId| sid.as_str() == THREE[2];
            group.answer_with(question, |sid| {
                (asked == revoked_at && third(sid)).then_some(InactiveReason::Revoked)
            })
        });
        let refused = run.refused("revoked");
        let refusal = refused.is("revoked", Side::Server, step, Code::StudentInactive);
        assert_eq!(refusal.sid, Some(THREE[2].parse().unwrap()));
    }
}

#[test]
fn the_client_checks_cuhks_answer_itself() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let about = |members: &[MemberQuestion], inactive| {
        let question = Question {
            nonce: Nonce::from_bytes([3; 16]),
            members: members.to_vec(),
            statement_sha256: None,
        };
        group.answer_with(&question, |_| inactive)
    };
    let mut others = group.named();
    others[2].cert_sha256 = Fingerprint::of(b"another");
    let impostor = TestCampus::new();
    let impostor = Group::of(&impostor, &THREE);
    let cases = [
        ("none", String::new(), Code::VerificationInvalid),
        (
            "about fewer",
            about(&group.named()[..2], None),
            Code::VerificationInvalid,
        ),
        (
            "about others",
            about(&others, None),
            Code::VerificationInvalid,
        ),
        (
            "inactive",
            about(&group.named(), Some(InactiveReason::Suspended)),
            Code::StudentInactive,
        ),
        (
            "by an impostor",
            Asked::about(&impostor).answer,
            Code::VerificationInvalid,
        ),
        // Right in itself, but not the one that is in T2: the shares do not open.
        (
            "another right one",
            about(&group.named(), None),
            Code::ShareInvalid,
        ),
    ];
    for (what, answer, code) in cases {
        let run = group.run().replies(|reply| {
            if let Reply::Shares { verification, .. } = reply {
                *verification = Some(answer.clone());
            }
        });
        let step = match code {
            Code::ShareInvalid => Step::Four,
            _ => Step::Three,
        };
        run.refused(what).is(what, Side::Client, step, code);
    }
}

#[test]
fn an_answer_dies_with_its_signers_certificate() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let asked = Asked::about(&group);
    let verify = |trust: &TrustStore| {
        let service = &group.policy.service;
        Verification::verify(&asked.answer, trust, service, &asked.question, campus.now())
    };
    let withdrawn = campus.trust_revoking(&[group.cuhk.leaf()]);
    refused("withdrawn", verify(&withdrawn), Code::SignerWithdrawn);
    let another = campus.trust_revoking(&[campus.token_signer().leaf()]);
    verify(&another).unwrap();
}

#[test]
fn what_is_about_to_be_stored_is_looked_at_by_the_lists_of_the_receipt() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let submission = group.run().go().unwrap().submission;
    let check = |trust: &TrustStore| submission.check_again(trust, campus.now());
    check(&campus.trust()).unwrap();
    let revoking = |certificate| campus.trust_revoking(&[certificate]);
    for (what, trust, code) in [
        (
            "the signer",
            revoking(group.cuhk.leaf()),
            Code::SignerWithdrawn,
        ),
        (
            "a member",
            revoking(group.members[2].chain.leaf()),
            Code::CertificateRevoked,
        ),
    ] {
        refused_in(Step::Six, what, check(&trust), code);
    }
    let later = from_seconds(campus.now().as_secs() + VERIFICATION_LIFETIME + 1);
    let late = submission.check_again(&campus.trust(), later);
    refused_in(Step::Six, "a minute later", late, Code::Timeout);
}
