//! Who holds what, and who may do what: Blackboard has none of CUHK's keys, and a student's
//! certificate does nothing that is a service's.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use scb_certs::{Certificate, Chain, Fingerprint, ServiceName, SigningKey, TrustStore};
use scb_protocol::message::cuhk::{MemberQuestion, Reply, Request};
use scb_protocol::values::Nonce;
use scb_protocol::{Code, Step};
use scb_transport::{ClientTls, ServerTrust, connect};

use crate::campus::{Campus, LONG, Ran, SAMPLE, Server, program, serve};

#[test]
fn blackboard_works_where_no_key_of_cuhk_can_be_read() {
    let mut campus = Campus::sandbox();
    let cuhk = campus.path().join("cuhk");
    let keys = private_keys(&cuhk);
    assert_eq!(
        keys.len(),
        7,
        "root, two issuers, log, witness, TLS, tokens: {keys:?}"
    );
    let of_cuhk: Vec<_> = keys.iter().map(|key| fs::read(key).unwrap()).collect();
    let of_blackboard = private_keys(&campus.path().join("blackboard"));
    assert_eq!(
        of_blackboard.len(),
        3,
        "TLS, logs, witness: {of_blackboard:?}"
    );
    for own in &of_blackboard {
        assert!(!of_cuhk.contains(&fs::read(own).unwrap()));
    }

    // CUHK has unlocked them and goes on; nobody else ever finds them again.
    keys.iter().for_each(|key| fs::remove_file(key).unwrap());
    campus.blackboard.stop();
    campus.blackboard = Server::start("blackboard", &serve(&campus.path()));
    campus.student(&["submit", "--ids", SAMPLE]).succeeded();
    assert_eq!(campus.submissions().len(), 1);

    campus.cuhk.stop();
    let again = Ran::of(program("cuhk").args(serve(&campus.path())));
    assert_ne!(again.exit, Some(0), "CUHK itself cannot do without them");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_student_asking_what_a_service_may_ask_is_refused_and_recorded() {
    let campus = Campus::sandbox();
    campus.student(&["enrol", "--ids", SAMPLE]).succeeded();
    let sid = "1155000001";
    let own = campus.path().join("student/students").join(sid);
    let read = |path: PathBuf| fs::read_to_string(path).unwrap();
    let chain = Chain::from_pem(&read(own.join("chain.pem"))).unwrap();
    let key = SigningKey::from_pem(&read(own.join("key.pem")), None).unwrap();
    let root = Certificate::from_pem(&read(campus.path().join("ca.pem"))).unwrap();
    let trust = ServerTrust::Pinned(Arc::new(TrustStore::new(root).unwrap()));
    let tls = ClientTls::new(trust, ServiceName::cuhk(), Some((chain, key))).unwrap();
    let verify = Request::Verify {
        nonce: Nonce::random().unwrap(),
        members: vec![MemberQuestion {
            sid: sid.parse().unwrap(),
            cert_sha256: Fingerprint::of(b""),
        }],
        statement_sha256: None,
    };
    for request in [Request::Status {}, verify] {
        let mut connection = connect(&campus.cuhk.address(), &tls, Step::One, LONG)
            .await
            .unwrap();
        let greeting: Reply = connection.receive(Step::One, LONG).await.unwrap();
        assert!(matches!(greeting, Reply::Greeting { .. }));
        connection.send(&request).await.unwrap();
        let reply = connection.receive_reply::<Reply>(Step::One, LONG).await;
        assert_eq!(reply.unwrap_err().code, Code::NotPermitted);
    }
    // It is logged after it was told.
    let recorded = || {
        let log = campus.cuhk.log();
        let lines = log.lines().filter(|line| line.contains("not_permitted"));
        lines.count()
    };
    let begun = Instant::now();
    while recorded() < 2 {
        assert!(begun.elapsed() < LONG, "{}", campus.cuhk.log());
        std::thread::yield_now();
    }
    assert_eq!(recorded(), 2, "{}", campus.cuhk.log());
}

/// Every file below a directory with a private key in it.
fn private_keys(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let found = entries.flat_map(|path| match path.is_dir() {
        true => private_keys(&path),
        false if holds_private_key(&path) => vec![path],
        false => Vec::new(),
    });
    found.collect()
}

fn holds_private_key(path: &Path) -> bool {
    let content = fs::read(path).unwrap();
    let label = b"PRIVATE KEY-----";
    content.windows(label.len()).any(|window| window == label)
}
