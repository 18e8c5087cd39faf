//! Identity tokens: what CUHK issues is accepted from its owner, and nothing else.

use std::time::Duration;

use scb_certs::{Chain, IssuerKind, SigningKey, TrustStore, VerifiedStudent};
use scb_protocol::{
    CLOCK_SKEW, Code, Refusal, TOKEN_LIFETIME, UnverifiedToken, VerifiedToken, from_seconds,
    own_token_expiry,
};
use scb_testkit::{Forge, TestCampus, TestIdentity};
use serde_json::{Value, json};

use crate::support::{Issued, Jws, forgery, name, refused, token};

impl Issued<'_> {
    fn jws(&self) -> Jws {
        Jws::read(&self.token)
    }

    /// As Blackboard verifies it, when the student shows it now.
    fn verify(&self, token: &str) -> Result<VerifiedToken, Refusal> {
        self.verify_as(token, &self.student)
    }

    fn verify_as(&self, token: &str, student: &TestIdentity) -> Result<VerifiedToken, Refusal> {
        self.verify_with(&self.campus.trust(), token, student)
    }

    fn verify_with(
        &self,
        trust: &TrustStore,
        token: &str,
        student: &TestIdentity,
    ) -> Result<VerifiedToken, Refusal> {
        let now = self.campus.now();
        let student: VerifiedStudent = trust.verify_student(&student.chain, now).unwrap();
        UnverifiedToken(token).verify(trust, &name("service/blackboard"), &student, now)
    }

    /// The same claims, signed by somebody else, with their chain.
    fn signed_by(&self, chain: &Chain, key: &SigningKey) -> String {
        self.jws().with_chain(chain).sign(key)
    }
}

#[test]
fn accepts_what_cuhk_issued_from_its_owner() {
    let campus = TestCampus::new();
    let issued = Issued::on(&campus);
    let verified = issued.verify(&issued.token).unwrap();
    assert_eq!(*verified.subject(), name("student/1155000001"));
    assert_eq!(verified.thumbprint(), issued.student.leaf().fingerprint());
    let expires = from_seconds(campus.now().as_secs() + TOKEN_LIFETIME.as_secs());
    assert_eq!(verified.expires(), expires);
    assert_eq!(own_token_expiry(&issued.token), Some(expires));
    // What the forgeries below start from is itself accepted.
    issued.verify(&issued.jws().sign(&issued.cuhk.key)).unwrap();
}

#[test]
fn no_two_tokens_are_the_same() {
    let campus = TestCampus::new();
    let issued = Issued::on(&campus);
    let another = token(&campus, &issued.cuhk, &issued.student);
    assert_ne!(
        issued.jws().claims["jti"],
        Jws::read(&another).claims["jti"]
    );
}

#[test]
fn never_outlives_the_certificate() {
    let campus = TestCampus::new();
    let cuhk = campus.token_signer();
    let hour = campus.validity(Duration::from_secs(3600));
    let student = campus.student_valid("1155000001", &hour);
    let expires = own_token_expiry(&token(&campus, &cuhk, &student));
    assert_eq!(expires, Some(hour.not_after));
    assert_eq!(own_token_expiry("not.a.token"), None);
}

#[test]
fn allows_a_minute_of_clock_skew_and_no_more() {
    let campus = TestCampus::new();
    let issued = Issued::on(&campus);
    let issue = campus.now().as_secs();
    let end = issue + TOKEN_LIFETIME.as_secs();
    for moment in [issue - CLOCK_SKEW, issue, end, end + CLOCK_SKEW] {
        campus.clock().set(from_seconds(moment));
        issued.verify(&issued.token).unwrap();
    }
    for moment in [issue - 61, issue - 120, end + 61, end + 120] {
        campus.clock().set(from_seconds(moment));
        let what = format!("{moment} for {issue} to {end}");
        refused(&what, issued.verify(&issued.token), Code::TokenExpired);
    }
}

#[test]
fn refuses_a_token_that_ends_before_it_begins() {
    let campus = TestCampus::new();
    let issued = Issued::on(&campus);
    let backwards = issued.jws().number("iat");
    let backwards = issued.jws().claim("exp", json!(backwards));
    let token = backwards.sign(&issued.cuhk.key);
    refused("no lifetime", issued.verify(&token), Code::TokenExpired);
}

#[test]
fn refuses_every_other_form_header_algorithm_and_signature() {
    let campus = TestCampus::new();
    let issued = Issued::on(&campus);
    for (what, token) in forgery::of_form_and_header(&issued.jws(), &issued.cuhk.key) {
        refused(&what, issued.verify(&token), Code::TokenInvalid);
    }
}

#[test]
fn refuses_claims_missing_repeated_unknown_or_of_another_type() {
    let campus = TestCampus::new();
    let issued = Issued::on(&campus);
    let key = &issued.cuhk.key;
    let mut forgeries = forgery::of_claims(&issued.jws(), key);
    let confirmations = [
        json!({"jkt": "AAAA"}),
        json!({"x5t#S256": "AAAA"}),
        json!({"x5t#S256": issued.student.leaf().fingerprint()}),
        json!({"x5t#S256": issued.jws().claims["cnf"]["x5t#S256"], "jwk": {}}),
    ];
    for cnf in confirmations {
        let token = issued.jws().claim("cnf", cnf.clone()).sign(key);
        forgeries.push((format!("cnf {cnf}"), token));
    }
    for (claim, value) in [
        ("v", json!(2)),
        ("iss", json!(name("service/blackboard"))),
        ("iss", json!("spiffe://other.test/service/cuhk")),
        ("aud", json!([name("service/blackboard")])),
        ("sub", json!("1155000001")),
    ] {
        let token = issued.jws().claim(claim, value.clone()).sign(key);
        forgeries.push((format!("{claim} {value}"), token));
    }
    for (what, token) in forgeries {
        refused(&what, issued.verify(&token), Code::TokenInvalid);
    }
}

#[test]
fn refuses_a_token_for_another_audience() {
    let campus = TestCampus::new();
    let issued = Issued::on(&campus);
    for audience in ["service/cuhk", "service/grader", "student/1155000001"] {
        let token = issued.jws().claim("aud", json!(name(audience)));
        let verdict = issued.verify(&token.sign(&issued.cuhk.key));
        refused(audience, verdict, Code::TokenAudience);
    }
}

#[test]
fn refuses_a_token_of_another_student_or_certificate() {
    let campus = TestCampus::new();
    let issued = Issued::on(&campus);
    let others = [campus.student("1155000002"), campus.student("1155000001")];
    for other in &others {
        let verdict = issued.verify_as(&issued.token, other);
        refused("presented by another", verdict, Code::TokenMismatch);
    }
    let thumbprint = json!({"x5t#S256": others[0].leaf().fingerprint().to_base64url()});
    for (claim, value) in [
        ("sub", json!(name("student/1155000002"))),
        ("sub", json!(name("service/cuhk"))),
        ("cnf", thumbprint),
    ] {
        let token = issued.jws().claim(claim, value);
        let verdict = issued.verify(&token.sign(&issued.cuhk.key));
        refused(claim, verdict, Code::TokenMismatch);
    }
}

#[test]
fn refuses_a_token_that_cuhks_token_key_did_not_sign() {
    let campus = TestCampus::new();
    let impostor = TestCampus::new().token_signer();
    let issued = Issued::on(&campus);
    let document = [Forge::document_signing()];
    let named = |path: &str, kind| {
        let uri = name(path).to_string();
        let forge = campus.forge().uris(&[&uri]).purposes(&document);
        forge.issued_by(kind).build()
    };
    let signers = [
        ("CUHK's TLS key", campus.service("cuhk")),
        ("Blackboard's TLS key", campus.service("blackboard")),
        ("the student", issued.student.clone()),
        ("another campus of the same name", impostor),
        (
            "a token key of Blackboard",
            named("service/blackboard", IssuerKind::Services),
        ),
        (
            "CUHK by the students' issuer",
            named("service/cuhk", IssuerKind::Students),
        ),
        (
            "a student by the services' issuer",
            named("student/1155000001", IssuerKind::Services),
        ),
        ("CUHK, self-signed", {
            let uri = name("service/cuhk").to_string();
            let forge = campus.forge().uris(&[&uri]).purposes(&document);
            forge.self_signed().build()
        }),
    ];
    for (what, signer) in &signers {
        let token = issued.signed_by(&signer.chain, &signer.key);
        refused(what, issued.verify(&token), Code::TokenInvalid);
        let token = issued.signed_by(&issued.cuhk.chain, &signer.key);
        refused(what, issued.verify(&token), Code::TokenInvalid);
    }
    let twin = named("service/cuhk", IssuerKind::Services);
    let token = issued.signed_by(&twin.chain, &twin.key);
    issued.verify(&token).unwrap();
}

#[test]
fn dies_with_its_signers_certificate() {
    let campus = TestCampus::new();
    let issued = Issued::on(&campus);
    let verify = |trust: &TrustStore| issued.verify_with(trust, &issued.token, &issued.student);
    let trust = campus.trust_revoking(&[issued.cuhk.leaf()]);
    refused("withdrawn key", verify(&trust), Code::SignerWithdrawn);
    // After rotation the old token lives on.
    campus.token_signer();
    verify(&campus.trust()).unwrap();
}

#[test]
fn a_refusal_names_the_student_and_repeats_no_part_of_the_token() {
    let campus = TestCampus::new();
    let issued = Issued::on(&campus);
    let forged = issued.jws().claim("v", json!(2)).sign(&issued.cuhk.key);
    let refusal = issued.verify(&forged).unwrap_err();
    assert_eq!(refusal.sid, Some("1155000001".parse().unwrap()));
    let told: Value = serde_json::to_value(&refusal).unwrap();
    for part in forged.split('.') {
        assert!(!told.to_string().contains(&part[..20]), "{told}");
    }
}
