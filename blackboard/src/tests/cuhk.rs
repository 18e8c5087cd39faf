//! CUHK's end of the socket: it signs real answers, and can be told to misbehave.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use scb_certs::{Chain, Crl, DistributionUrls, Fingerprint, Serial, ServiceName, VerifiedRequest};
use scb_protocol::message::cuhk::{MemberQuestion, Reply, Request};
use scb_protocol::values::{Der, Nonce};
use scb_protocol::{
    Code, EnrolmentCode, InactiveReason, MemberAnswer, Message as _, Refusal, Reply as _,
    SignedBundle, Step, issue_verification,
};
use scb_testkit::{TestCampus, TestIdentity};
use scb_transport::{ClientAuth, ClockFn, Connection, Limits, Listener, ServerTls, Shutdown};
use tokio::net::TcpSocket;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::fake_witness::FakeWitness;
use super::log::FakeLog;

/// How questions about members are answered.
#[derive(Debug, Clone, Default)]
pub(super) enum Answer {
    #[default]
    Honest,
    Silent,
    AnotherNonce,
    OtherMembers,
    AnotherCertificate,
    FewerMembers,
    AnotherAsker,
    SignedByTheServiceKey,
    /// By a clock that is so many seconds ahead of this server's.
    Ahead(i64),
    Garbage,
    Inactive(String, InactiveReason),
}

/// What a test sets, and what it can look at.
pub(super) struct State {
    pub(super) answer: Answer,
    /// Instead of that, after so many questions.
    pub(super) later_answer: Option<Answer>,
    /// After how many: one, as a group is asked about twice.
    pub(super) later_from: usize,
    /// Does not know the certificate of whoever asks as a service.
    pub(super) knows_no_service: bool,
    /// How long each question about members takes.
    pub(super) pace: std::time::Duration,
    /// How long each question about a statement takes, by the clock of the campus.
    pub(super) thinks: std::time::Duration,
    /// Each other question about members as well.
    pub(super) thinks_of_all: bool,
    /// What somebody else does meanwhile.
    pub(super) meanwhile: Option<Box<dyn Fn() + Send>>,
    pub(super) epoch: u64,
    pub(super) crls: Vec<Crl>,
    /// The trust bundle that is handed out, if one is.
    pub(super) bundle: Option<SignedBundle>,
    /// Those before it, by their numbers.
    pub(super) earlier: BTreeMap<u64, SignedBundle>,
    /// What came first over each connection.
    pub(super) asked_first: Vec<&'static str>,
    /// Members of each question so far.
    pub(super) questions: Vec<usize>,
    /// Which statement each question named.
    pub(super) named: Vec<Option<Fingerprint>>,
    /// Codes seen, which must never reach the wrong server.
    pub(super) codes: Vec<Fingerprint>,
    /// Issues, but the answer is lost on the way.
    pub(super) lose_answers: bool,
    /// Certificates issued to services, by key.
    pub(super) issued: Vec<(Vec<u8>, Chain)>,
    /// Signs for this key instead of the one asked for.
    pub(super) wrong_key: Option<TestIdentity>,
    /// The code that is accepted.
    pub(super) code: Option<EnrolmentCode>,
    /// The issuance log.
    pub(super) log: FakeLog,
    /// Of this service's logs.
    pub(super) witness: FakeWitness,
}

impl State {
    /// The trust bundle of this number, or the next one; with 0 the latest.
    fn bundle_from(&self, sequence: u64) -> Option<&SignedBundle> {
        let mut earlier = self.earlier.range(sequence..).filter(|_| sequence > 0);
        let earlier = earlier.next().map(|(_, bundle)| bundle);
        earlier.or(self.bundle.as_ref())
    }
}

/// A running one; stops when dropped.
pub(super) struct FakeCuhk {
    pub(super) address: SocketAddr,
    pub(super) state: Arc<Mutex<State>>,
    campus: Arc<TestCampus>,
    signer: TestIdentity,
    service: TestIdentity,
    running: Mutex<Option<(Shutdown, JoinHandle<()>)>>,
    /// Its port while it is away, which nobody else on this machine is given meanwhile.
    held: Mutex<Option<TcpSocket>>,
}

impl FakeCuhk {
    pub(super) async fn start(campus: &Arc<TestCampus>) -> Self {
        Self::at(campus, SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    pub(super) async fn at(campus: &Arc<TestCampus>, address: SocketAddr) -> Self {
        let state = State {
            answer: Answer::Honest,
            later_answer: None,
            later_from: 1,
            knows_no_service: false,
            pace: std::time::Duration::ZERO,
            thinks: std::time::Duration::ZERO,
            thinks_of_all: false,
            meanwhile: None,
            epoch: 1,
            crls: campus.crls(10, &[]),
            bundle: None,
            earlier: BTreeMap::new(),
            asked_first: Vec::new(),
            questions: Vec::new(),
            named: Vec::new(),
            codes: Vec::new(),
            lose_answers: false,
            issued: Vec::new(),
            wrong_key: None,
            code: None,
            log: FakeLog::of(&["first"]),
            witness: FakeWitness::of(campus),
        };
        let listener = Listener::bind(address).await.unwrap();
        let cuhk = Self {
            address: listener.local_addr(),
            state: Arc::new(Mutex::new(state)),
            campus: Arc::clone(campus),
            signer: campus.token_signer(),
            service: campus.service("cuhk"),
            running: Mutex::new(None),
            held: Mutex::new(None),
        };
        cuhk.listen(listener);
        cuhk
    }

    /// Listens, at the same address as before.
    pub(super) async fn resume(&self) {
        self.listen(Listener::bind(self.address).await.unwrap());
        *self.held.lock().unwrap() = None;
    }

    /// Bound, and nobody listens: on Linux that leaves room for whoever names this port.
    fn hold(&self) {
        if !cfg!(target_os = "linux") {
            return;
        }
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        // Whoever was quicker has it.
        let bound = socket.bind(self.address).is_ok();
        *self.held.lock().unwrap() = bound.then_some(socket);
    }

    fn listen(&self, listener: Listener) {
        let shutdown = Shutdown::new();
        let tls = ServerTls::new(
            self.service.pair(),
            self.campus.root().certificate(),
            self.campus.trust(),
            ClientAuth::Optional,
            Arc::new(ClockFn(self.campus.clock().reader())),
        );
        let (_, tls) = watch::channel(Arc::new(tls.unwrap()));
        let desk = Arc::new(Desk {
            campus: Arc::clone(&self.campus),
            state: Arc::clone(&self.state),
            signer: self.signer.clone(),
            service: self.service.clone(),
        });
        let handler = move |connection| Arc::clone(&desk).serve(connection);
        let limits = Limits {
            drain: std::time::Duration::from_millis(1),
            ..Limits::default()
        };
        let serving = listener.serve(tls, limits, shutdown.clone(), handler);
        *self.running.lock().unwrap() = Some((shutdown, tokio::spawn(serving)));
    }

    /// Goes away: every connection ends, and no new one is possible.
    pub(super) async fn stop(&self) {
        let running = self.running.lock().unwrap().take();
        if let Some((shutdown, task)) = running {
            shutdown.trigger();
            task.await.unwrap();
            self.hold();
        }
    }

    pub(super) fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }

    pub(super) fn answer(&self, answer: Answer) {
        self.set(|state| state.answer = answer);
    }

    /// Which statements it was asked about.
    pub(super) fn named(&self) -> Vec<Option<Fingerprint>> {
        self.state.lock().unwrap().named.clone()
    }

    pub(super) fn questions(&self) -> Vec<usize> {
        self.state.lock().unwrap().questions.clone()
    }

    pub(super) fn token_signer(&self) -> &TestIdentity {
        &self.signer
    }
}

struct Desk {
    campus: Arc<TestCampus>,
    state: Arc<Mutex<State>>,
    signer: TestIdentity,
    service: TestIdentity,
}

impl Desk {
    async fn serve(self: Arc<Self>, mut connection: Connection) {
        if let Err(refusal) = self.talk(&mut connection).await {
            connection.refuse(&refusal).await;
        }
    }

    async fn talk(&self, connection: &mut Connection) -> Result<(), Refusal> {
        let service = self.service.leaf().spiffe_id().unwrap();
        let time = self.campus.now().as_secs();
        connection
            .send(&Reply::Greeting {
                v: 1,
                service,
                time,
            })
            .await?;
        let mut is_first = true;
        loop {
            let wait = std::time::Duration::from_secs(60);
            let request: Request = connection.receive(Step::Three, wait).await?;
            if std::mem::take(&mut is_first) {
                self.state.lock().unwrap().asked_first.push(request.name());
            }
            let lists = match &request {
                Request::Crls {} => self.state.lock().unwrap().crls.clone(),
                _ => Vec::new(),
            };
            if let Request::Verify { .. } = &request {
                let pace = self.state.lock().unwrap().pace;
                tokio::time::sleep(pace).await;
            }
            match self.reply(connection, request)? {
                Some(reply) => connection.send(&reply).await?,
                None => std::future::pending().await,
            }
            for list in lists {
                connection
                    .send_chunk(Bytes::copy_from_slice(list.der()))
                    .await?;
            }
        }
    }

    fn reply(&self, connection: &Connection, request: Request) -> Result<Option<Reply>, Refusal> {
        let state = &mut *self.state.lock().unwrap();
        match request {
            Request::Status {} | Request::Verify { .. } if state.knows_no_service => {
                let refusal = Refusal::new(Code::CertificateUnknownIssuer, Step::Three);
                Err(refusal.with("service", "blackboard"))
            }
            Request::Status {} => Ok(Some(Reply::Status { epoch: state.epoch })),
            Request::TrustBundle { sequence } => Ok(Some(match state.bundle_from(sequence) {
                Some(signed) => Reply::TrustBundle {
                    bundle: signed.bundle.clone(),
                    signatures: signed.signatures.iter().cloned().map(Der::new).collect(),
                },
                None => Reply::refusal(Refusal::new(Code::NotFound, Step::Zero)),
            })),
            Request::Crls {} => Ok(Some(Reply::Crls {
                epoch: state.epoch,
                sizes: state
                    .crls
                    .iter()
                    .map(|list| list.der().len() as u64)
                    .collect(),
            })),
            Request::Verify {
                nonce,
                members,
                statement_sha256,
            } => {
                let repeated = (nonce, statement_sha256);
                state.named.push(statement_sha256);
                if statement_sha256.is_some() || state.thinks_of_all {
                    self.campus.clock().advance(state.thinks);
                    if let Some(meanwhile) = &state.meanwhile {
                        meanwhile();
                    }
                }
                let answered = state.questions.len();
                state.questions.push(members.len());
                let is_later = answered >= state.later_from;
                let later = state.later_answer.clone().filter(|_| is_later);
                let answer = later.unwrap_or_else(|| state.answer.clone());
                Ok(self.verification(&answer, repeated, members, connection))
            }
            Request::EnrolService { code, request, .. } => {
                state.codes.push(Fingerprint::of(code.reveal().as_bytes()));
                if state
                    .code
                    .as_ref()
                    .is_some_and(|expected| *expected != code)
                {
                    return Err(Refusal::new(Code::EnrolmentRefused, Step::Zero));
                }
                self.issue(state, request.as_bytes())
            }
            Request::RenewService { request } => {
                assert!(connection.peer_chain().is_some());
                self.issue(state, request.as_bytes())
            }
            Request::Checkpoint { old } => state.log.checkpoint(old).map(Some),
            Request::Cosign {
                verifier_key,
                checkpoint,
            } => Ok(Some(state.log.cosign(&verifier_key, &checkpoint))),
            asked @ (Request::Endorse { .. }
            | Request::Witness { .. }
            | Request::Witnessed { .. }
            | Request::WitnessedEntries { .. }
            | Request::WitnessedLogs { .. }) => {
                let asker = connection.peer_chain().unwrap();
                let answer = state
                    .witness
                    .answer(asked, asker, &self.campus, &self.signer);
                answer.map(Some)
            }
            other => panic!("a service never sends {}", other.name()),
        }
    }

    fn issue(&self, state: &mut State, request: &[u8]) -> Result<Option<Reply>, Refusal> {
        let request = VerifiedRequest::verify(request).unwrap();
        let point = request.public_key().point().to_vec();
        let known = state.issued.iter().find(|(key, _)| *key == point);
        let chain = match (known, &state.wrong_key) {
            (Some((_, chain)), _) => chain.clone(),
            (None, Some(other)) => other.chain.clone(),
            (None, None) => self
                .campus
                .issuer(scb_certs::IssuerKind::Services)
                .issue_service(
                    &ServiceName::blackboard(),
                    request.public_key(),
                    &Serial::random().unwrap(),
                    &self
                        .campus
                        .validity(std::time::Duration::from_secs(90 * 24 * 3600)),
                    &["localhost".to_owned()],
                    &["127.0.0.1".parse().unwrap()],
                    &DistributionUrls::default(),
                )
                .unwrap(),
        };
        state.issued.push((point, chain.clone()));
        match state.lose_answers {
            true => Err(Refusal::new(Code::Internal, Step::Zero)),
            false => Ok(Some(Reply::ServiceEnrolled { chain })),
        }
    }

    fn verification(
        &self,
        answer: &Answer,
        (mut nonce, statement): (Nonce, Option<Fingerprint>),
        members: Vec<MemberQuestion>,
        connection: &Connection,
    ) -> Option<Reply> {
        let mut now = self.campus.now();
        let mut signer = self.signer.clone();
        let mut asker = connection.peer_chain().unwrap().leaf().spiffe_id().unwrap();
        let mut answers: Vec<_> = members
            .into_iter()
            .map(|member| about(member, now))
            .collect();
        match answer {
            Answer::Honest => {}
            Answer::Silent => return None,
            Answer::Garbage => {
                return Some(Reply::Verification {
                    verification: "a.b.c".to_owned(),
                });
            }
            Answer::AnotherNonce => nonce = Nonce::random().unwrap(),
            Answer::OtherMembers => answers[0].sid = "1155009999".parse().unwrap(),
            Answer::AnotherCertificate => answers[0].cert_sha256 = Fingerprint::of(b"other"),
            Answer::FewerMembers => drop(answers.pop()),
            Answer::AnotherAsker => {
                asker = scb_certs::SpiffeId::new_service(
                    asker.trust_domain(),
                    &"library".parse().unwrap(),
                );
            }
            Answer::SignedByTheServiceKey => signer = self.service.clone(),
            Answer::Ahead(by) => {
                now = scb_protocol::from_seconds(now.as_secs().saturating_add_signed(*by));
            }
            Answer::Inactive(sid, reason) => {
                let found = answers.iter_mut().find(|answer| answer.sid.as_str() == sid);
                if let Some(answer) = found {
                    answer.inactive = Some(*reason);
                }
            }
        }
        let issuer = self.service.leaf().spiffe_id().unwrap();
        let verification = issue_verification(
            &issuer,
            &asker,
            (nonce, statement),
            &answers,
            now,
            &signer.key,
            &signer.chain,
        );
        Some(Reply::Verification {
            verification: verification.unwrap(),
        })
    }
}

fn about(member: MemberQuestion, now: rustls_pki_types::UnixTime) -> MemberAnswer {
    MemberAnswer {
        sid: member.sid,
        cert_sha256: member.cert_sha256,
        inactive: None,
        checked_at: now,
    }
}
