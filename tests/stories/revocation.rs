//! Whoever is revoked or suspended is thrown off connections that are open already.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use scb_certs::{Certificate, Chain, ServiceName, SigningKey, SpiffeId, StudentId, TrustStore};
use scb_protocol::client::{ExpectGreeting, Member};
use scb_protocol::message::blackboard::Reply;
use scb_protocol::{Code, Refusal, Step, install_crypto};
use scb_transport::{ClientTls, Clock, Connection, ServerTrust, SystemClock, connect};
use tokio::time::timeout;

use crate::campus::{Campus, LONG, SAMPLE};

/// What is promised.
const AT_ONCE: Duration = Duration::from_secs(5);

/// The files of a sandbox, as the student's program reads them.
struct Files {
    sandbox: PathBuf,
}

impl Files {
    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.sandbox.join(path)).unwrap()
    }

    fn member(&self, sid: &str) -> Member {
        let own = |name: &str| self.read(&format!("student/students/{sid}/{name}"));
        Member {
            sid: sid.parse().unwrap(),
            chain: Chain::from_pem(&own("chain.pem")).unwrap(),
            key: SigningKey::from_pem(&own("key.pem"), None).unwrap(),
            token: own("token.jwt").trim().to_owned(),
        }
    }

    fn trust(&self) -> Arc<TrustStore> {
        let root = Certificate::from_pem(&self.read("ca.pem")).unwrap();
        Arc::new(TrustStore::new(root).unwrap())
    }
}

/// A connection on which nothing has been said by the client.
async fn greeted(campus: &Campus, first: &Member) -> (Connection, Reply) {
    let files = Files {
        sandbox: campus.path(),
    };
    let identity = Some((first.chain.clone(), first.key.clone()));
    let trust = ServerTrust::Pinned(files.trust());
    let tls = ClientTls::new(trust, ServiceName::blackboard(), identity).unwrap();
    let address = campus.blackboard.address();
    let connecting = connect(&address, &tls, Step::Three, LONG).await;
    let mut connection = connecting.unwrap();
    let greeting = connection.receive_reply(Step::Three, LONG).await;
    (connection, greeting.unwrap())
}

/// A connection after step 5, which waits for the statement.
async fn session(campus: &Campus, sids: &[&str]) -> Connection {
    let files = Files {
        sandbox: campus.path(),
    };
    let members: Vec<_> = sids.iter().map(|sid| files.member(sid)).collect();
    let (mut connection, greeting) = greeted(campus, &members[0]).await;
    let trust = files.trust();
    let service = SpiffeId::new_service(trust.trust_domain(), &ServiceName::blackboard());
    let expect = ExpectGreeting::new(trust, service, connection.exporter(), members);
    let (expect, present) = expect.handle(greeting).unwrap();
    connection.send(&present).await.unwrap();
    let shares = connection.receive_reply(Step::Three, LONG).await;
    let (expect, confirm) = expect.handle(shares.unwrap(), SystemClock.now()).unwrap();
    connection.send(&confirm).await.unwrap();
    let confirmed = connection.receive_reply(Step::Five, LONG).await;
    expect.handle(confirmed.unwrap()).unwrap();
    connection
}

/// Why the connection ended, of itself and in time.
async fn thrown_off(connection: &mut Connection) -> Refusal {
    let told = connection.receive_reply::<Reply>(Step::Six, LONG);
    let told = timeout(AT_ONCE, told).await;
    told.expect("within five seconds").unwrap_err()
}

/// Whether the connection is still good: the server waits for us, and says nothing.
async fn is_open(connection: &mut Connection) -> bool {
    let told = connection.receive_reply::<Reply>(Step::Six, LONG);
    timeout(Duration::from_millis(1500), told).await.is_err()
}

fn about(refusal: &Refusal) -> &str {
    refusal.sid.as_ref().map_or("", StudentId::as_str)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_revoked_member_is_thrown_off_while_nobody_says_a_word() {
    install_crypto();
    let campus = Campus::sandbox();
    campus.student(&["enrol", "--ids", SAMPLE]).succeeded();
    let mut three = session(&campus, &["1155000001", "1155000002", "1155000003"]).await;
    let mut two = session(&campus, &["1155000001", "1155000003"]).await;
    let second = Files {
        sandbox: campus.path(),
    }
    .member("1155000002");
    let (mut silent, _) = greeted(&campus, &second).await;

    let revoked = campus.administer_cuhk(&["revoke", "1155000002"]);
    revoked.succeeded();
    let (group, alone) = tokio::join!(thrown_off(&mut three), thrown_off(&mut silent));
    for refusal in [group, alone] {
        let codes = [Code::CertificateRevoked, Code::StudentInactive];
        assert!(codes.contains(&refusal.code), "{refusal}");
        assert_eq!(about(&refusal), "1155000002");
    }
    assert!(is_open(&mut two).await, "the others are not concerned");
    let log = campus.blackboard.log();
    assert!(log.contains("sid=1155000002 refused"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_suspended_member_is_thrown_off_while_nobody_says_a_word() {
    install_crypto();
    let campus = Campus::sandbox();
    campus.student(&["enrol", "--ids", SAMPLE]).succeeded();
    let mut three = session(&campus, &["1155000001", "1155000002", "1155000003"]).await;
    let mut one = session(&campus, &["1155000002"]).await;

    let suspended = campus.administer_cuhk(&["roster", "suspend", "1155000003"]);
    suspended.succeeded();
    let refusal = thrown_off(&mut three).await;
    let codes = [Code::CertificateOnHold, Code::StudentInactive];
    assert!(codes.contains(&refusal.code), "{refusal}");
    assert_eq!(about(&refusal), "1155000003");
    assert!(is_open(&mut one).await, "the others are not concerned");
}
