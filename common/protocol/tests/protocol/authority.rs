//! CUHK's side: who may ask what, and with which requests for certificates.

use std::sync::LazyLock;

use rustls_pki_types::CertificateSigningRequestDer;
use rustls_pki_types::pem::PemObject;
use scb_certs::{Fingerprint, SigningKey, VerifiedRequest, create_request};
use scb_protocol::authority::{Admitted, Caller, ExpectRequest, MAX_WRONG_CODES};
use scb_protocol::message::Message;
use scb_protocol::message::cuhk::{MemberQuestion, Reply, Request};
use scb_protocol::values::{Der, Nonce};
use scb_protocol::{
    AuthorityChannel, Code, EnrolmentCode, MAX_QUESTION, Refusal, Step, prove_renewal,
};
use scb_testkit::{Purpose, TestCampus, TestLog};

use crate::support::{THREE, name, other_fingerprint, refused};

/// A log that `blackboard` may have.
const LOG: &str = "campus.test/blackboard/CSCI-3150/asg1";
/// Its key and its first checkpoint.
static LOG_WORDS: LazyLock<(String, String)> = LazyLock::new(|| {
    let log = TestLog::of(LOG, 1);
    (log.key().to_string(), log.checkpoint(1).to_string())
});
/// A key of the name under which `blackboard` cosigns.
static WITNESS_KEY: LazyLock<String> = LazyLock::new(|| {
    let named = TestLog::of("campus.test/witness/blackboard", 0);
    named.key().to_string()
});
const CODE: &str = "01234-56789-ABCDE-FGHJK-MNPQR";

/// Requests made with `openssl req`.
mod request {
    pub(super) const GREEDY: &str = include_str!("requests/greedy.pem");
    pub(super) const UNSUPPORTED: [(&str, &str); 6] = [
        ("RSA", include_str!("requests/rsa_2048.pem")),
        ("P-192", include_str!("requests/p192.pem")),
        ("P-384", include_str!("requests/p384.pem")),
        ("secp256k1", include_str!("requests/secp256k1.pem")),
        (
            "P-256, explicit",
            include_str!("requests/p256_explicit.pem"),
        ),
        ("Ed25519", include_str!("requests/ed25519.pem")),
    ];
}

fn from_pem(pem: &str) -> Vec<u8> {
    let der = CertificateSigningRequestDer::from_pem_slice(pem.as_bytes());
    der.unwrap().as_ref().to_vec()
}

fn fresh() -> Vec<u8> {
    create_request(&SigningKey::generate().unwrap()).unwrap()
}

/// The one connection of these stories.
fn channel() -> AuthorityChannel {
    AuthorityChannel {
        exporter: [7; 32],
        service: name("service/cuhk"),
    }
}

fn members(count: usize) -> Vec<MemberQuestion> {
    let member = |index| MemberQuestion {
        sid: format!("{}", 1_155_000_001 + index).parse().unwrap(),
        cert_sha256: other_fingerprint(),
    };
    (0..count).map(member).collect()
}

/// Every request that there is, in a form that is right in itself.
fn requests(request: &[u8]) -> [Request; 18] {
    let code: EnrolmentCode = CODE.parse().unwrap();
    let request = Der::new(request.to_vec());
    let (log_key, checkpoint) = LOG_WORDS.clone();
    [
        Request::Enrol {
            sid: THREE[0].parse().unwrap(),
            code: code.clone(),
            request: request.clone(),
        },
        Request::RefreshToken {},
        Request::Renew {
            request: request.clone(),
        },
        renew_expired(&request),
        Request::EnrolService {
            name: "blackboard".parse().unwrap(),
            code,
            request: request.clone(),
        },
        Request::RenewService { request },
        Request::Verify {
            nonce: Nonce::from_bytes([1; 16]),
            members: members(3),
            statement_sha256: Some(Fingerprint::of(b"statement")),
        },
        Request::Status {},
        Request::Crls {},
        Request::Checkpoint { old: 0 },
        Request::Audit { size: 1, from: 1 },
        Request::Cosign {
            verifier_key: WITNESS_KEY.clone(),
            checkpoint: "checkpoint".to_owned(),
        },
        Request::TrustBundle { sequence: 0 },
        Request::Endorse { log: log_key },
        Request::Witness {
            checkpoint,
            old: 0,
            growth: Vec::new(),
            entries: vec![other_fingerprint()],
        },
        Request::Witnessed {
            log: LOG.to_owned(),
        },
        Request::WitnessedEntries {
            log: LOG.to_owned(),
            from: 0,
            end: 1,
        },
        Request::WitnessedLogs {
            after: String::new(),
        },
    ]
}

/// By a student whose certificate has expired, with a proof that is right.
fn renew_expired(request: &Der) -> Request {
    let campus = TestCampus::new();
    let old = campus.student_valid(THREE[0], &campus.expired());
    Request::RenewExpired {
        sid: THREE[0].parse().unwrap(),
        request: request.clone(),
        proof: prove_renewal(&channel(), request, &old.key, &old.chain).unwrap(),
    }
}

/// Nobody, a student and a service, as their certificates say.
fn callers(campus: &TestCampus) -> [(&'static str, Caller); 3] {
    let from = |chain| Caller::from_chain(chain, &campus.trust(), campus.now()).unwrap();
    [
        ("anonymous", from(None)),
        ("student", from(Some(&campus.student(THREE[0]).chain))),
        ("service", from(Some(&campus.service("blackboard").chain))),
    ]
}

/// What may be done, by whom. Everything else is denied.
const PERMITTED: [(&str, &[&str]); 18] = [
    ("enrol", &["anonymous"]),
    ("refresh_token", &["student"]),
    ("renew", &["student"]),
    ("renew_expired", &["anonymous"]),
    ("enrol_service", &["anonymous"]),
    ("renew_service", &["service"]),
    ("verify", &["service"]),
    ("status", &["service"]),
    ("crls", &["anonymous", "student", "service"]),
    ("checkpoint", &["student", "service"]),
    ("audit", &["student"]),
    ("cosign", &["service"]),
    ("trust_bundle", &["anonymous", "student", "service"]),
    ("endorse", &["service"]),
    ("witness", &["service"]),
    ("witnessed", &["service"]),
    ("witnessed_entries", &["service"]),
    ("witnessed_logs", &["service"]),
];

fn handle(request: Request, caller: &Caller) -> Result<Admitted, Refusal> {
    ExpectRequest::new().on(channel()).handle(request, caller)
}

#[test]
fn every_operation_is_denied_to_every_role_unless_it_is_listed() {
    let campus = TestCampus::new();
    assert_eq!(PERMITTED.map(|(name, _)| name), Request::NAMES);
    for (role, caller) in callers(&campus) {
        for request in requests(&fresh()) {
            let operation = request.name();
            let what = format!("{operation} by {role}");
            let verdict = handle(request, &caller);
            let (_, roles) = PERMITTED
                .iter()
                .find(|(name, _)| *name == operation)
                .unwrap();
            if roles.contains(&role) {
                assert!(verdict.is_ok(), "{what}: {verdict:?}");
                continue;
            }
            let code = match role {
                "anonymous" => Code::CertificateMissing,
                _ => Code::NotPermitted,
            };
            let refusal = refused(&what, verdict, code);
            assert_eq!(refusal.params["role"], role);
            assert_eq!(refusal.params["message"], operation);
        }
    }
}

#[test]
fn an_admitted_request_says_who_asks_for_what() {
    let campus = TestCampus::new();
    let [(_, nobody), (_, student), (_, service)] = callers(&campus);
    let key = SigningKey::generate().unwrap();
    let [
        enrol,
        refresh,
        renew,
        renew_expired,
        enrol_service,
        renew_service,
        verify,
        status,
        ..,
    ] = requests(&create_request(&key).unwrap());
    let same = |request: &VerifiedRequest| assert_eq!(request.public_key(), key.public_key());

    match handle(enrol, &nobody).unwrap() {
        Admitted::Enrol { sid, code, request } => {
            assert_eq!((sid.as_str(), code.reveal().as_str()), (THREE[0], CODE));
            same(&request);
        }
        other => panic!("{other:?}"),
    }
    match handle(enrol_service, &nobody).unwrap() {
        Admitted::EnrolService {
            name,
            code,
            request,
        } => {
            assert_eq!(
                (name.as_str(), code.reveal().as_str()),
                ("blackboard", CODE)
            );
            same(&request);
        }
        other => panic!("{other:?}"),
    }
    match handle(refresh, &student).unwrap() {
        Admitted::RefreshToken { student } => assert_eq!(student.sid().as_str(), THREE[0]),
        other => panic!("{other:?}"),
    }
    match handle(renew, &student).unwrap() {
        Admitted::Renew { student, request } => {
            assert_eq!(student.sid().as_str(), THREE[0]);
            same(&request);
        }
        other => panic!("{other:?}"),
    }
    match handle(renew_expired, &nobody).unwrap() {
        Admitted::RenewExpired { holder, request } => {
            assert_eq!(holder.sid().as_str(), THREE[0]);
            same(&request);
        }
        other => panic!("{other:?}"),
    }
    match handle(renew_service, &service).unwrap() {
        Admitted::RenewService { service, request } => {
            assert_eq!(service.name().as_str(), "blackboard");
            same(&request);
        }
        other => panic!("{other:?}"),
    }
    match handle(verify, &service).unwrap() {
        Admitted::Verify { asker, question } => {
            assert_eq!(*asker.spiffe_id(), name("service/blackboard"));
            assert_eq!(question.members, members(3));
            assert_eq!(question.nonce, Nonce::from_bytes([1; 16]));
            let named = Some(Fingerprint::of(b"statement"));
            assert_eq!(question.statement_sha256, named);
        }
        other => panic!("{other:?}"),
    }
    match handle(status, &service).unwrap() {
        Admitted::Status { asker } => assert_eq!(asker.name().as_str(), "blackboard"),
        other => panic!("{other:?}"),
    }
}

/// The callers of a campus, with the five ways in which a request for a certificate comes.
struct Callers([(&'static str, Caller); 3]);

impl Callers {
    fn certify(&self, request: &[u8]) -> [Result<Admitted, Refusal>; 5] {
        let [(_, nobody), (_, student), (_, service)] = &self.0;
        let [enrol, _, renew, expired, enrol_service, renew_service, ..] = requests(request);
        [
            handle(enrol, nobody),
            handle(renew, student),
            handle(expired, nobody),
            handle(enrol_service, nobody),
            handle(renew_service, service),
        ]
    }
}

#[test]
fn refuses_requests_that_are_malformed_or_not_signed_by_their_key() {
    let campus = TestCampus::new();
    let callers = Callers(callers(&campus));
    let right = fresh();
    let mut cases = vec![
        ("nothing".to_owned(), vec![]),
        ("no request".to_owned(), b"request".to_vec()),
        ("a byte more".to_owned(), [&right[..], &[0]].concat()),
        ("cut".to_owned(), right[..right.len() - 1].to_vec()),
        (
            "a certificate".to_owned(),
            campus.student(THREE[0]).leaf().der().to_vec(),
        ),
        ("large".to_owned(), vec![0x30; Der::LIMIT]),
    ];
    for index in 0..right.len() {
        let mut altered = right.clone();
        altered[index] ^= 1;
        cases.push((format!("byte {index} altered"), altered));
    }
    for (what, request) in cases {
        for verdict in callers.certify(&request) {
            let refusal = verdict.map(|_| panic!("accepted: {what}")).unwrap_err();
            let codes = [Code::RequestInvalid, Code::KeyUnsupported];
            assert!(codes.contains(&refusal.code), "{what}: {refusal}");
            assert_eq!(refusal.step, Step::One);
        }
    }
    let [enrol, ..] = callers.certify(b"");
    assert_eq!(enrol.unwrap_err().sid, Some(THREE[0].parse().unwrap()));
}

#[test]
fn refuses_the_self_signature_of_another_key() {
    let campus = TestCampus::new();
    let callers = Callers(callers(&campus));
    let (one, other) = (fresh(), fresh());
    // The signature is the last thing in a request; both are of one form.
    let signature = |request: &[u8]| {
        let start = request
            .windows(2)
            .rposition(|window| window == [0x03, 0x48]);
        start.map(|start| request[start..].to_vec())
    };
    let mut pair = (one, other);
    while signature(&pair.0).is_none() || signature(&pair.1).is_none() {
        pair = (fresh(), fresh());
    }
    let start = pair.0.len() - signature(&pair.0).unwrap().len();
    let swapped = [&pair.0[..start], &signature(&pair.1).unwrap()].concat();
    for verdict in callers.certify(&swapped) {
        refused("another key's", verdict, Code::RequestInvalid);
    }
}

#[test]
fn refuses_every_key_but_p256_on_the_named_curve() {
    let campus = TestCampus::new();
    let callers = Callers(callers(&campus));
    for (what, pem) in request::UNSUPPORTED {
        for verdict in callers.certify(&from_pem(pem)) {
            refused(what, verdict, Code::KeyUnsupported);
        }
    }
}

#[test]
fn takes_nothing_but_the_key_from_a_request_that_asks_for_more() {
    let campus = TestCampus::new();
    let callers = Callers(callers(&campus));
    let greedy = from_pem(request::GREEDY);
    let key = VerifiedRequest::verify(&greedy).unwrap();
    let [enrol, ..] = callers.certify(&greedy);
    let Admitted::Enrol { sid, request, .. } = enrol.unwrap() else {
        panic!("not admitted")
    };
    assert_eq!(sid.as_str(), THREE[0], "not the name in the request");
    assert_eq!(request.public_key(), key.public_key());
}

#[test]
fn asks_about_one_to_eight_members_each_once() {
    let campus = TestCampus::new();
    let [_, _, (_, service)] = callers(&campus);
    let verify = |members| {
        let nonce = Nonce::from_bytes([1; 16]);
        let statement_sha256 = None;
        let verify = Request::Verify {
            nonce,
            members,
            statement_sha256,
        };
        handle(verify, &service)
    };
    for count in [1, MAX_QUESTION] {
        verify(members(count)).unwrap();
    }
    for count in [0, MAX_QUESTION + 1, 200] {
        refused("count", verify(members(count)), Code::MemberCount);
    }
    let mut twice = members(3);
    twice[2].sid = twice[0].sid.clone();
    let refusal = refused("twice", verify(twice), Code::DuplicateMember);
    assert_eq!(refusal.sid, Some(THREE[0].parse().unwrap()));
}

#[test]
fn the_fifth_wrong_code_ends_the_connection() {
    let mut connection = ExpectRequest::new().on(channel());
    let wrong = || Refusal::new(Code::EnrolmentRefused, Step::One);
    for _ in 1..MAX_WRONG_CODES {
        assert_eq!(connection.wrong_code(wrong()), Ok(wrong()));
    }
    for _ in 0..300 {
        let last = connection.wrong_code(wrong()).unwrap_err();
        assert_eq!(last.code, Code::TooManyCodes);
    }
    assert_eq!(
        ExpectRequest::new().on(channel()).wrong_code(wrong()),
        Ok(wrong())
    );
}

#[test]
fn no_caller_comes_from_a_wrong_certificate() {
    let campus = TestCampus::new();
    let student = campus.student(THREE[0]);
    let wrong = [
        (
            "expired",
            Code::CertificateExpired,
            campus.student_valid(THREE[0], &campus.expired()),
        ),
        (
            "future",
            Code::CertificateNotYetValid,
            campus.service_valid("blackboard", &campus.future()),
        ),
        (
            "a CA of the same name",
            Code::CertificateIssuerNamesake,
            TestCampus::new().service("blackboard"),
        ),
        (
            "bad signature",
            Code::CertificateBadSignature,
            student.with_bad_signature(),
        ),
        (
            "server only",
            Code::CertificateWrongUsage,
            campus.forge().purposes(&[Purpose::ServerAuth]).build(),
        ),
        (
            "a token signer",
            Code::CertificateWrongUsage,
            campus.token_signer(),
        ),
    ];
    let judge = |chain| Caller::from_chain(Some(chain), &campus.trust(), campus.now());
    for (what, code, identity) in &wrong {
        refused(what, judge(&identity.chain), *code);
    }
    let trust = campus.trust_revoking(&[student.leaf()]);
    let verdict = Caller::from_chain(Some(&student.chain), &trust, campus.now());
    refused("revoked", verdict, Code::CertificateRevoked);
    judge(&student.chain).unwrap();
}

#[test]
fn greets_with_name_version_and_time() {
    let campus = TestCampus::new();
    let greeting = ExpectRequest::greeting(name("service/cuhk"), campus.now());
    let expected = Reply::Greeting {
        v: 1,
        service: name("service/cuhk"),
        time: campus.now().as_secs(),
    };
    assert_eq!(greeting, expected);
}
