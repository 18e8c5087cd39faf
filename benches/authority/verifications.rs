//! Blackboard asks about three members, again and again, on the one connection that it keeps.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use scb_certs::{Chain, ServiceName, SigningKey, SpiffeId, TrustStore, create_request};
use scb_protocol::message::cuhk::{MemberQuestion, Reply, Request};
use scb_protocol::values::{Der, Nonce};
use scb_protocol::{Code, Question, Step, Verification};
use scb_transport::{ClientTls, Clock, Connection, ServerTrust, SystemClock, connect};

use crate::archive::Archive;
use crate::disk::sync_floor;
use crate::enrolments::trust;
use crate::measure::micros;
use crate::servers::{PATIENCE, Server};

/// Blackboard's end of the connection.
pub struct Asker {
    connection: Connection,
    tls: ClientTls,
    trust: Arc<TrustStore>,
    address: String,
    /// Where the server keeps its records, on the disk that is measured.
    sandbox: PathBuf,
    /// Where the pseudo-random choice of members stands.
    state: u64,
}

impl Asker {
    /// Enrols as Blackboard, with the sandbox's code, and connects.
    pub async fn enrol(cuhk: &Server, sandbox: &Path) -> Self {
        let code = std::fs::read_to_string(sandbox.join("blackboard.code")).unwrap();
        let key = SigningKey::generate().unwrap();
        let mut anonymous = dial(&cuhk.address, &tls(sandbox, None)).await;
        let request = Request::EnrolService {
            name: ServiceName::blackboard(),
            code: code.trim().parse().unwrap(),
            request: Der::new(create_request(&key).unwrap()),
        };
        anonymous.send(&request).await.unwrap();
        let reply = anonymous.receive_reply(Step::Two, PATIENCE).await.unwrap();
        let Reply::ServiceEnrolled { chain } = reply else {
            panic!("{reply:?}");
        };
        anonymous.close().await;
        let tls = tls(sandbox, Some((chain, key)));
        Self {
            connection: dial(&cuhk.address, &tls).await,
            tls,
            trust: trust(sandbox),
            address: cuhk.address.clone(),
            sandbox: sandbox.to_owned(),
            state: 1,
        }
    }

    /// Connects anew, as the server has closed a connection on which nothing was asked for long.
    pub async fn reconnect(&mut self) {
        self.connection = dial(&self.address, &self.tls).await;
    }

    /// Asks so often about three members, and prints how long that took, beside what the disk
    /// takes for one write of 4 KiB at that time. What was written before is on the disk by then,
    /// and the first questions are not counted.
    pub async fn measure(&mut self, archive: &Archive, count: usize) {
        settle();
        let floor = sync_floor(&self.sandbox, count);
        self.reconnect().await;
        for _ in 0..count / 10 {
            self.verify(archive).await;
        }
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            times.push(self.verify(archive).await);
        }
        times.sort_by(f64::total_cmp);
        let at = |part: f64| times[((count - 1) as f64 * part).round() as usize];
        let certificates = archive.certificates.len();
        println!(
            "  {certificates:>9}    {:>7.0}    {:>7.0}    {:>7.0}    {:>7.0}",
            at(0.5),
            at(0.99),
            floor.median,
            floor.p99
        );
    }

    /// Microseconds of one question about three members.
    async fn verify(&mut self, archive: &Archive) -> f64 {
        let members = self.group(archive);
        let nonce = Nonce::random().unwrap();
        let request = Request::Verify {
            nonce,
            members,
            statement_sha256: None,
        };
        let started = Instant::now();
        let reply = self.ask(&request).await;
        let took = micros(started.elapsed());
        assert!(matches!(reply, Reply::Verification { .. }), "{reply:?}");
        took
    }

    pub async fn ask(&mut self, request: &Request) -> Reply {
        self.connection.send(request).await.unwrap();
        let reply = self.connection.receive_reply(Step::Three, PATIENCE).await;
        reply.unwrap()
    }

    /// Fetches the revocation lists; returns their sizes in bytes.
    pub async fn lists(&mut self) -> Vec<u64> {
        let Reply::Crls { sizes, .. } = self.ask(&Request::Crls {}).await else {
            panic!("no lists");
        };
        let mut left: u64 = sizes.iter().sum();
        while left > 0 {
            let frame = self.connection.receive_frame(Step::Zero, PATIENCE).await;
            match frame.unwrap() {
                scb_protocol::Frame::Chunk(chunk) => left -= chunk.len() as u64,
                scb_protocol::Frame::Message(message) => panic!("{message:?}"),
            }
        }
        sizes
    }

    /// Whether CUHK says that this member is active.
    pub async fn is_active(&mut self, member: MemberQuestion) -> bool {
        let (nonce, members) = (Nonce::random().unwrap(), vec![member]);
        let request = Request::Verify {
            nonce,
            members: members.clone(),
            statement_sha256: None,
        };
        let Reply::Verification { verification } = self.ask(&request).await else {
            panic!("no verification");
        };
        let domain = self.trust.trust_domain();
        let asker = SpiffeId::new_service(domain, &ServiceName::blackboard());
        let question = Question {
            nonce,
            members,
            statement_sha256: None,
        };
        let now = SystemClock.now();
        match Verification::verify(&verification, &self.trust, &asker, &question, now) {
            Ok(_) => true,
            Err(refusal) if refusal.code == Code::StudentInactive => false,
            Err(refusal) => panic!("{refusal:?}"),
        }
    }

    /// Three different students.
    fn group(&mut self, archive: &Archive) -> Vec<MemberQuestion> {
        let mut group: Vec<MemberQuestion> = Vec::with_capacity(3);
        while group.len() < 3 {
            let member = self.member(archive);
            if group.iter().all(|other| other.sid != member.sid) {
                group.push(member);
            }
        }
        group
    }

    /// Anybody, wherever their rows lie (a linear congruential generator, Knuth's MMIX).
    fn member(&mut self, archive: &Archive) -> MemberQuestion {
        self.state = self
            .state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let all = &archive.certificates;
        let (sid, _, sha256) = &all[(self.state >> 33) as usize % all.len()];
        MemberQuestion {
            sid: sid.clone(),
            cert_sha256: *sha256,
        }
    }
}

/// What stands above the lines of [`Asker::measure`].
pub fn header(count: usize) {
    println!(
        "\nverification of three members, {count} times over loopback, one after another, \
         microseconds; the same of 4 KiB\nwritten and fdatasync, just before\n  \
         certificates    median       99 %     median       99 %"
    );
}

/// Waits until the disk has what was written.
fn settle() {
    assert!(Command::new("sync").status().unwrap().success());
}

fn tls(sandbox: &Path, identity: Option<(Chain, SigningKey)>) -> ClientTls {
    let trust = ServerTrust::Pinned(trust(sandbox));
    ClientTls::new(trust, ServiceName::cuhk(), identity).unwrap()
}

async fn dial(address: &str, tls: &ClientTls) -> Connection {
    let mut connection = connect(address, tls, Step::One, PATIENCE).await.unwrap();
    let _greeting: Reply = connection.receive(Step::One, PATIENCE).await.unwrap();
    connection
}
