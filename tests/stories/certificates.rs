//! Certificates that each of the real servers must refuse: the client arrives at the very code
//! that the server logs, in one line, and nothing changes.

use std::fs;
use std::future::ready;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use scb_certs::{
    Certificate, Chain, Issuer, IssuerKind, Passphrase, Root, ServiceName, SigningKey, TrustStore,
};
use scb_protocol::message::blackboard::{self, Presented};
use scb_protocol::message::cuhk;
use scb_protocol::values::SessionPublicKey;
use scb_protocol::{Code, Refusal, Step};
use scb_testkit::{FixedClock, Forge, Purpose, TestCampus, TestIdentity};
use scb_transport::{
    ClientAuth, ClientTls, Clock, Connection, Limits, Listener, ServerTls, ServerTrust, Shutdown,
    SystemClock, connect,
};
use tokio::sync::watch;
use tokio::task::block_in_place;
use tokio::time::{interval, timeout};

use crate::campus::{Campus, LONG, SAMPLE, Server};

const STUDENT: &str = "spiffe://sandbox.example/student/1155000001";
const SERVICE: &str = "spiffe://sandbox.example/service/library";

/// One of the two servers, as a client means it.
struct Target<'a> {
    server: &'a Server,
    name: ServiceName,
    trust: Arc<TrustStore>,
}

impl<'a> Target<'a> {
    fn both(campus: &'a Campus, keys: &TestCampus) -> [Self; 2] {
        let target = |server, name| Self {
            server,
            name,
            trust: keys.trust_without_crls(),
        };
        [
            target(&campus.cuhk, ServiceName::cuhk()),
            target(&campus.blackboard, ServiceName::blackboard()),
        ]
    }

    async fn connect(&self, identity: Option<&TestIdentity>) -> Connection {
        let trust = ServerTrust::Pinned(Arc::clone(&self.trust));
        let identity = identity.map(TestIdentity::pair);
        let tls = ClientTls::new(trust, self.name.clone(), identity).unwrap();
        let address = self.server.address();
        connect(&address, &tls, Step::Three, LONG).await.unwrap()
    }

    /// What a client is told at its first read.
    async fn told(&self, identity: Option<&TestIdentity>) -> Option<Refusal> {
        let mut connection = self.connect(identity).await;
        if self.name == ServiceName::cuhk() {
            let greeting = connection.receive_reply::<cuhk::Reply>(Step::One, LONG);
            return greeting.await.err();
        }
        let greeting = connection.receive_reply::<blackboard::Reply>(Step::Three, LONG);
        greeting.await.err()
    }

    fn logged(&self, code: Code) -> usize {
        let log = self.server.log();
        let lines = log.lines().filter(|line| names(line, code));
        lines.count()
    }

    /// Waits until the server has logged this code so often, and no more.
    async fn has_logged(&self, code: Code, times: usize, what: &str) {
        let enough = async {
            let mut beat = interval(Duration::from_millis(5));
            while self.logged(code) < times {
                beat.tick().await;
            }
        };
        let logged = timeout(LONG, enough).await;
        let log = self.server.log();
        assert!(logged.is_ok(), "{what}: no {code} in {log}");
        assert_eq!(self.logged(code), times, "{what}: {log}");
    }
}

/// Whether a line names this code, and not one that only begins so.
fn names(line: &str, code: Code) -> bool {
    line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .any(|word| word == code.as_str())
}

/// The sandbox's own authorities, for signing what they never would.
fn stolen_keys(sandbox: &Path) -> TestCampus {
    let read = |path: &str| fs::read_to_string(sandbox.join(path)).unwrap();
    let passphrase = Passphrase::from(read("cuhk.passphrase").trim().to_owned());
    let certificate = |path: &str| Certificate::from_pem(&read(path)).unwrap();
    let key = |path: &str| SigningKey::from_pem(&read(path), Some(&passphrase)).unwrap();
    let root = certificate("ca.pem");
    let issuer = |kind: IssuerKind| {
        let file = |name: &str| format!("cuhk/issuers/{}/{name}", kind.as_str());
        let (own, key) = (certificate(&file("cert.pem")), key(&file("key.pem")));
        Issuer::from_parts(kind, own, key, root.clone()).unwrap()
    };
    TestCampus::of(
        FixedClock::new(SystemClock.now()),
        Root::from_parts(root.clone(), key("cuhk/root/key.pem")).unwrap(),
        issuer(IssuerKind::Students),
        issuer(IssuerKind::Services),
    )
}

/// One of each kind that is refused in the handshake.
fn wrong(keys: &TestCampus) -> Vec<(&'static str, Code, TestIdentity)> {
    let right = keys.student("1155000001");
    let elsewhere = |domain| TestCampus::named(domain, keys.clock().clone()).student("1155000001");
    let usable_for = |purposes: &[Purpose]| keys.forge().purposes(purposes).build();
    let of_services = keys.forge().issued_by(IssuerKind::Services);
    let both = [Purpose::ServerAuth, Purpose::ClientAuth];
    let of_students = keys.forge().uris(&[SERVICE]).purposes(&both);
    vec![
        (
            "expired",
            Code::CertificateExpired,
            keys.student_valid("1155000001", &keys.expired()),
        ),
        (
            "not yet valid",
            Code::CertificateNotYetValid,
            keys.student_valid("1155000001", &keys.future()),
        ),
        (
            "another CA",
            Code::CertificateUnknownIssuer,
            elsewhere("other.example"),
        ),
        (
            "another CA of the same name",
            Code::CertificateIssuerNamesake,
            elsewhere("sandbox.example"),
        ),
        (
            "self-signed",
            Code::CertificateSelfSigned,
            keys.forge().self_signed().build(),
        ),
        (
            "issued by a student",
            Code::CertificateIssuerNotCa,
            keys.forge().signed_by(&right).build(),
        ),
        (
            "bad signature",
            Code::CertificateBadSignature,
            right.with_bad_signature(),
        ),
        (
            "wrong key",
            Code::CertificateKeyMismatch,
            right.with_key_of(&keys.student("1155000002")),
        ),
        ("no EKU", Code::CertificateNoUsage, usable_for(&[])),
        (
            "serverAuth only",
            Code::CertificateWrongUsage,
            usable_for(&[Purpose::ServerAuth]),
        ),
        (
            "anyEKU",
            Code::CertificateAnyUsage,
            usable_for(&[Purpose::Any]),
        ),
        (
            "two URIs",
            Code::CertificateNameAmbiguous,
            keys.forge().uris(&[STUDENT, SERVICE]).build(),
        ),
        (
            "a student's name from the services issuer",
            Code::CertificateWrongIssuer,
            of_services.build(),
        ),
        (
            "a service's name from the students issuer",
            Code::CertificateWrongIssuer,
            of_students.build(),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn each_wrong_certificate_has_its_code_at_the_client_and_in_one_log_line() {
    let campus = Campus::sandbox();
    let keys = stolen_keys(&campus.path());
    let before = certificates(&campus);
    for target in Target::both(&campus, &keys) {
        let right = keys
            .forge()
            .purposes(&[Purpose::ClientAuth, Forge::document_signing()]);
        assert_eq!(
            target.told(Some(&right.build())).await,
            None,
            "the forger can"
        );
        for (what, code, identity) in wrong(&keys) {
            let logged = target.logged(code);
            let refusal = target.told(Some(&identity)).await.expect(what);
            assert_eq!(refusal.code, code, "{what}: {refusal}");
            target.has_logged(code, logged + 1, what).await;
        }
    }
    assert_eq!(certificates(&campus), before);
    assert!(campus.submissions().is_empty());
    campus.student(&["submit", "--ids", SAMPLE]).succeeded();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn without_a_certificate_nothing_is_answered_that_takes_one() {
    let campus = Campus::sandbox();
    let keys = stolen_keys(&campus.path());
    let [cuhk, blackboard] = Target::both(&campus, &keys);
    let code = Code::CertificateMissing;
    assert_eq!(blackboard.told(None).await.unwrap().code, code);
    blackboard.has_logged(code, 1, "none").await;

    let mut connection = cuhk.connect(None).await;
    let refusal = asked_for_a_token(&mut connection).await;
    assert_eq!(refusal.code, code);
    cuhk.has_logged(code, 1, "none").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_revoked_certificate_is_refused_by_both() {
    refused_by_both(&["revoke", "1155000001"], Code::CertificateRevoked).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_suspended_student_is_told_by_both_that_the_certificate_is_on_hold() {
    let suspend = ["roster", "suspend", "1155000001"];
    refused_by_both(&suspend, Code::CertificateOnHold).await;
}

/// A student's certificate after CUHK was told this about it.
async fn refused_by_both(command: &[&str], code: Code) {
    let mut campus = Campus::sandbox();
    campus.student(&["enrol", "--ids", SAMPLE]).succeeded();
    let keys = stolen_keys(&campus.path());
    let own = campus.path().join("student/students/1155000001");
    let read = |name: &str| fs::read_to_string(own.join(name)).unwrap();
    let identity = TestIdentity {
        chain: Chain::from_pem(&read("chain.pem")).unwrap(),
        key: SigningKey::from_pem(&read("key.pem"), None).unwrap(),
    };
    campus.administer_cuhk(command).succeeded();
    // From their first moment on they have the new lists. How fast these come to servers that
    // run is another story.
    campus.restart_cuhk();
    campus.restart_blackboard();
    for target in Target::both(&campus, &keys) {
        let refusal = target.told(Some(&identity)).await.unwrap();
        assert_eq!(refusal.code, code);
        target.has_logged(code, 1, code.as_str()).await;
    }
    assert!(campus.submissions().is_empty());
}

/// A server under the right root and at the address of its certificate, which is for another
/// purpose; it counts those who talk to it.
async fn impostor(keys: &TestCampus, identity: &TestIdentity) -> (String, Arc<AtomicUsize>) {
    let root = keys.root().certificate();
    let trust = keys.trust_without_crls();
    let clock = Arc::new(SystemClock);
    let tls = ServerTls::new(identity.pair(), root, trust, ClientAuth::Optional, clock);
    let (keep, tls) = watch::channel(Arc::new(tls.unwrap()));
    let address = (Ipv4Addr::LOCALHOST, 0).into();
    let listener = Listener::bind(address).await.unwrap();
    let address = listener.local_addr().to_string();
    let talked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&talked);
    let handler = move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        ready(())
    };
    let limits = Limits::default();
    tokio::spawn(async move {
        listener.serve(tls, limits, Shutdown::new(), handler).await;
        drop(keep);
    });
    (address, talked)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_tells_nothing_to_another_service_or_to_a_student_in_a_servers_place() {
    let campus = Campus::sandbox();
    let keys = stolen_keys(&campus.path());
    campus.student(&["enrol", "--ids", SAMPLE]).succeeded();
    let services = ["library", "cuhk", "blackboard"].map(|name| keys.service(name));
    let [library, cuhk, blackboard] = &services;
    let student = keys.student("1155000009");
    let submit = ["submit", "--ids", SAMPLE];
    let enrol = ["enrol", "--ids", "1155000010"];
    for (what, identity, command, place) in [
        ("library", library, &submit, "--blackboard"),
        ("cuhk", cuhk, &submit, "--blackboard"),
        ("a student", &student, &submit, "--blackboard"),
        ("library", library, &enrol, "--cuhk"),
        ("blackboard", blackboard, &enrol, "--cuhk"),
        ("a student", &student, &enrol, "--cuhk"),
    ] {
        let (address, talked) = impostor(&keys, identity).await;
        let arguments = [&command[..], &[place, &address, "--json"]].concat();
        let ran = block_in_place(|| campus.student(&arguments));
        let error = ran.refused(3, "server_identity");
        assert_eq!(talked.load(Ordering::SeqCst), 0, "{what}: {error}");
    }
    assert!(campus.submissions().is_empty());
    // In its own place the same certificate is good: the student talks to it.
    let (address, talked) = impostor(&keys, blackboard).await;
    let arguments = [&submit[..], &["--blackboard", &address]].concat();
    block_in_place(|| campus.student(&arguments));
    assert_ne!(talked.load(Ordering::SeqCst), 0, "the impostor can");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_service_is_no_student() {
    let campus = Campus::sandbox();
    let keys = stolen_keys(&campus.path());
    let service = keys.service("library");
    let [cuhk, blackboard] = Target::both(&campus, &keys);
    let mut connection = cuhk.connect(Some(&service)).await;
    let refusal = asked_for_a_token(&mut connection).await;
    assert_eq!(refusal.code, Code::NotPermitted);
    cuhk.has_logged(Code::NotPermitted, 1, "a service").await;

    let mut connection = blackboard.connect(Some(&service)).await;
    connection
        .receive_reply::<blackboard::Reply>(Step::Three, LONG)
        .await
        .unwrap();
    let presented = Presented {
        sid: "1155000001".parse().unwrap(),
        chain: service.chain,
        token: String::new(),
        session_key: SessionPublicKey::from_bytes([9; 32]),
        proof: String::new(),
    };
    let members = vec![presented];
    let present = blackboard::Request::Present { members };
    connection.send(&present).await.unwrap();
    let refusal = connection
        .receive_reply::<blackboard::Reply>(Step::Three, LONG)
        .await
        .unwrap_err();
    let code = Code::CertificateWrongRole;
    assert_eq!(refusal.code, code);
    blackboard.has_logged(code, 1, "a service").await;
}

#[test]
fn a_student_with_another_key_is_told_before_anybody_is_asked() {
    let campus = Campus::sandbox();
    campus.student(&["enrol", "--ids", SAMPLE]).succeeded();
    let key = |sid: &str| {
        let students = campus.path().join("student/students");
        students.join(sid).join("key.pem")
    };
    fs::copy(key("1155000002"), key("1155000001")).unwrap();
    let ran = campus.student(&["submit", "--ids", SAMPLE, "--json"]);
    let error = ran.refused(3, "certificate_key_mismatch");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("1155000001"), "{message}");
    assert!(campus.submissions().is_empty());
}

async fn asked_for_a_token(connection: &mut Connection) -> Refusal {
    let greeting = connection.receive_reply::<cuhk::Reply>(Step::One, LONG);
    greeting.await.unwrap();
    let request = cuhk::Request::RefreshToken {};
    connection.send(&request).await.unwrap();
    let reply = connection.receive_reply::<cuhk::Reply>(Step::Two, LONG);
    reply.await.unwrap_err()
}

/// What CUHK has certified so far.
fn certificates(campus: &Campus) -> String {
    let listed = campus.administer_cuhk(&["certs", "list", "--json"]);
    listed.succeeded().stdout
}
