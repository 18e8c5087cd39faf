//! Introspection: the service that a token was issued for learns what it says, nobody else does.

use scb_certs::VerifiedService;
use scb_protocol::{
    AskedToken, Code, INTROSPECTION_TYPE, InactiveReason, Introspection, MemberAnswer, Refusal,
    TOKEN_LIFETIME, UnverifiedToken, from_seconds,
};
use scb_testkit::TestCampus;
use serde_json::{Value, json};

use crate::support::{Issued, Jws, forgery, name, refused};

/// Services ask about it.
impl Issued<'_> {
    fn service(&self, name: &str) -> VerifiedService {
        let identity = self.campus.service(name);
        let trust = self.campus.trust();
        let verified = trust.verify_any_client(&identity.chain, self.campus.now());
        match verified.unwrap() {
            scb_certs::VerifiedPeer::Service(service) => service,
            other => panic!("{other:?}"),
        }
    }

    fn asks(&self, who: &str, token: &str) -> Result<AskedToken, Refusal> {
        let (trust, now) = (self.campus.trust(), self.campus.now());
        UnverifiedToken(token).asked_about(&trust, &self.service(who), now)
    }

    /// What the records say of the student when all is well.
    fn active(&self) -> MemberAnswer {
        MemberAnswer {
            sid: "1155000001".parse().unwrap(),
            cert_sha256: self.student.leaf().fingerprint(),
            inactive: None,
            checked_at: self.campus.now(),
        }
    }

    fn told(&self, answer: &MemberAnswer) -> Introspection {
        let asked = self.asks("blackboard", &self.token).unwrap();
        asked.answered(answer)
    }
}

fn json_of(answer: &Introspection) -> Value {
    serde_json::to_value(answer).unwrap()
}

#[test]
fn the_service_that_a_token_was_issued_for_learns_what_it_says() {
    let campus = TestCampus::new();
    let asked = Issued::on(&campus);
    let answer = asked.told(&asked.active());
    assert_eq!(answer.student().unwrap().as_str(), "1155000001");
    let mut expected = Value::Object(Jws::read(&asked.token).claims);
    expected["active"] = json!(true);
    assert_eq!(json_of(&answer), expected);
}

#[test]
fn another_service_learns_nothing() {
    let campus = TestCampus::new();
    let asked = Issued::on(&campus);
    for other in ["library", "cuhk"] {
        let verdict = asked.asks(other, &asked.token);
        refused(other, verdict.map(drop), Code::TokenAudience);
    }
    assert_eq!(
        json_of(&Introspection::inactive()),
        json!({"active": false})
    );
}

#[test]
fn nothing_but_a_token_in_force_counts() {
    let campus = TestCampus::new();
    let asked = Issued::on(&campus);
    let jws = Jws::read(&asked.token);
    let key = &asked.cuhk.key;
    let mut forgeries = forgery::of_form_and_header(&jws, key);
    forgeries.extend(forgery::of_claims(&jws, key));
    for subject in ["service/blackboard", "service/cuhk"] {
        let forged = jws.clone().claim("sub", json!(name(subject)));
        forgeries.push((subject.to_owned(), forged.sign(key)));
    }
    let stranger = jws
        .clone()
        .claim("sub", json!("spiffe://other.test/student/1155000001"));
    forgeries.push(("another campus".to_owned(), stranger.sign(key)));
    for (what, token) in forgeries {
        let verdict = asked.asks("blackboard", &token).map(drop);
        refused(&what, verdict, Code::TokenInvalid);
    }
}

#[test]
fn its_end_is_its_end_by_the_clock_of_whoever_issued_it() {
    let campus = TestCampus::new();
    let asked = Issued::on(&campus);
    let issue = campus.now().as_secs();
    let end = issue + TOKEN_LIFETIME.as_secs();
    campus.clock().set(from_seconds(end - 1));
    asked.asks("blackboard", &asked.token).unwrap();
    for moment in [issue - 1, end] {
        campus.clock().set(from_seconds(moment));
        let verdict = asked.asks("blackboard", &asked.token).map(drop);
        refused("out of force", verdict, Code::TokenExpired);
    }
}

#[test]
fn a_withdrawn_key_takes_its_tokens_along() {
    let campus = TestCampus::new();
    let asked = Issued::on(&campus);
    let trust = campus.trust_revoking(&[asked.cuhk.leaf()]);
    let asker = asked.service("blackboard");
    let verdict = UnverifiedToken(&asked.token).asked_about(&trust, &asker, campus.now());
    refused("withdrawn", verdict.map(drop), Code::SignerWithdrawn);
}

#[test]
fn an_inactive_student_or_an_answer_about_another_makes_it_inactive() {
    let campus = TestCampus::new();
    let asked = Issued::on(&campus);
    let altered = |alter: fn(&mut MemberAnswer)| {
        let mut answer = asked.active();
        alter(&mut answer);
        asked.told(&answer)
    };
    for answer in [
        altered(|answer| answer.inactive = Some(InactiveReason::Revoked)),
        altered(|answer| answer.sid = "1155000002".parse().unwrap()),
        altered(|answer| answer.cert_sha256 = scb_certs::Fingerprint::of(b"another")),
    ] {
        assert_eq!(json_of(&answer), json!({"active": false}));
    }
}

#[test]
fn a_signed_answer_names_its_asker_and_is_no_token() {
    let campus = TestCampus::new();
    let asked = Issued::on(&campus);
    let answer = asked.told(&asked.active());
    let (issuer, asker) = (name("service/cuhk"), name("service/blackboard"));
    let (key, chain) = (&asked.cuhk.key, &asked.cuhk.chain);
    let signed = answer.sign(&issuer, &asker, campus.now(), key, chain);
    let signed = signed.unwrap();
    let Jws { header, claims } = Jws::read(&signed);
    assert_eq!(header["typ"], INTROSPECTION_TYPE);
    let expected = json!({
        "v": 1,
        "iss": issuer,
        "aud": asker,
        "iat": campus.now().as_secs(),
        "token_introspection": json_of(&answer),
    });
    assert_eq!(Value::Object(claims), expected);

    let verdict = asked.asks("blackboard", &signed).map(drop);
    refused("an answer as token", verdict, Code::TokenInvalid);
}
