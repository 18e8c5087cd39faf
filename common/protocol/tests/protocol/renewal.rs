//! Renewal after expiry: what the old key must have signed.

use scb_certs::{SigningKey, create_request};
use scb_protocol::authority::{Admitted, Caller, ExpectRequest};
use scb_protocol::message::cuhk::Request;
use scb_protocol::values::Der;
use scb_protocol::{AuthorityChannel, Code, RENEWAL_TYPE, Refusal, prove_renewal};
use scb_testkit::{TestCampus, TestIdentity};
use serde_json::{Value, json};

use crate::support::{Jws, THREE, name, refused};

fn channel() -> AuthorityChannel {
    AuthorityChannel {
        exporter: [7; 32],
        service: name("service/cuhk"),
    }
}

fn request() -> Der {
    Der::new(create_request(&SigningKey::generate().unwrap()).unwrap())
}

fn expired(campus: &TestCampus) -> TestIdentity {
    campus.student_valid(THREE[0], &campus.expired())
}

fn prove(channel: &AuthorityChannel, request: &Der, old: &TestIdentity) -> String {
    prove_renewal(channel, request, &old.key, &old.chain).unwrap()
}

fn handle(sid: &str, request: &Der, proof: String) -> Result<Admitted, Refusal> {
    let request = Request::RenewExpired {
        sid: sid.parse().unwrap(),
        request: request.clone(),
        proof,
    };
    ExpectRequest::new()
        .on(channel())
        .handle(request, &Caller::Anonymous)
}

#[test]
fn the_old_key_vouches_for_the_new_one() {
    let campus = TestCampus::new();
    let (old, request) = (expired(&campus), request());
    let proof = prove(&channel(), &request, &old);
    match handle(THREE[0], &request, proof).unwrap() {
        Admitted::RenewExpired { holder, .. } => {
            assert_eq!(holder.sid().as_str(), THREE[0]);
            assert_eq!(*holder.certificate(), old.leaf().fingerprint());
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn refuses_a_proof_for_another_connection_server_request_or_student() {
    let campus = TestCampus::new();
    let (old, right) = (expired(&campus), request());
    let elsewhere = AuthorityChannel {
        exporter: [8; 32],
        ..channel()
    };
    let other_server = AuthorityChannel {
        service: name("service/blackboard"),
        ..channel()
    };
    let other_student = campus.student_valid(THREE[1], &campus.expired());
    for (what, sid, proof) in [
        ("replayed", THREE[0], prove(&elsewhere, &right, &old)),
        (
            "another server",
            THREE[0],
            prove(&other_server, &right, &old),
        ),
        (
            "another request",
            THREE[0],
            prove(&channel(), &request(), &old),
        ),
        ("another ID", THREE[1], prove(&channel(), &right, &old)),
        (
            "another student",
            THREE[0],
            prove(&channel(), &right, &other_student),
        ),
        (
            "a service",
            THREE[0],
            prove(&channel(), &right, &campus.service("blackboard")),
        ),
    ] {
        let refusal = refused(what, handle(sid, &right, proof), Code::ProofInvalid);
        assert_eq!(refusal.sid.unwrap().as_str(), sid);
    }
}

#[test]
fn refuses_a_proof_that_the_old_key_did_not_sign_in_the_one_form() {
    let campus = TestCampus::new();
    let (old, right) = (expired(&campus), request());
    let proof = prove(&channel(), &right, &old);
    let jws = || Jws::read(&proof);
    let other = SigningKey::generate().unwrap();
    let claims = Value::Object(jws().claims);
    let whole_chain = Jws::new(RENEWAL_TYPE, &old.chain, claims);
    let mut cases = vec![
        ("another key", jws().sign(&other)),
        (
            "another type",
            jws().header("typ", json!("scb-proof+jwt")).sign(&old.key),
        ),
        (
            "no algorithm",
            jws().header("alg", json!("none")).sign(&old.key),
        ),
        (
            "a key of its own",
            jws().header("jwk", json!({})).sign(&old.key),
        ),
        ("two certificates", whole_chain.sign(&old.key)),
        (
            "no hash",
            jws().claim("renewal", Value::Null).sign(&old.key),
        ),
        ("another version", jws().claim("v", json!(2)).sign(&old.key)),
        (
            "one claim more",
            jws().claim("aud", json!("x")).sign(&old.key),
        ),
        ("nothing", String::new()),
        ("large", "x".repeat(40_000)),
    ];
    let other_name = json!("spiffe://campus.test/student/1155000002");
    cases.push((
        "another subject",
        jws().claim("sub", other_name).sign(&old.key),
    ));
    for (what, proof) in cases {
        refused(what, handle(THREE[0], &right, proof), Code::ProofInvalid);
    }
    handle(THREE[0], &right, proof).unwrap();
}
