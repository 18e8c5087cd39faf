//! Both servers, small: the protocol's own states, no store, and faults on demand.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use rustls_pki_types::UnixTime;
use scb_certs::{
    Certificate, Chain, DistributionUrls, Fingerprint, Issuer, IssuerKind, PublicKey, Serial,
    ServiceName, SigningKey, SpiffeId, StudentId, TrustStore,
};
use scb_protocol::authority::{Admitted, Caller, ExpectRequest};
use scb_protocol::log_leaf::{Leaf, LogName};
use scb_protocol::message::blackboard::{self, ListedAssignment};
use scb_protocol::message::cuhk::{Reply, Request};
use scb_protocol::receipt::{CommittedAt, Evidence, SignedLeaf, accepted_entry, build};
use scb_protocol::rules::Terms;
use scb_protocol::server::{
    AcceptedStatement, Commitment, ExpectPresentation, ExpectRequest as ExpectDesk, Inquiry,
    Outage, Policy, VerifiedSubmission, Wanted,
};
use scb_protocol::statement::{SubmissionId, SubmissionNumber};
use scb_protocol::values::Der;
use scb_protocol::{
    AuthorityChannel, Channel, Code, EnrolmentCode, Frame, MemberAnswer, Question, Refusal,
    Reply as _, SignedBundle, Step, TokenRequest, decode, from_seconds, issue_token,
    issue_verification,
};
use scb_testkit::{TestCampus, TestIdentity};
use scb_transport::{ClientAuth, ClockFn, Connection, Limits, Listener, ServerTls, Shutdown};
use tokio::sync::watch;

const PATIENCE: Duration = Duration::from_secs(20);

/// What a server does wrong, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// CUHK certifies and closes without saying so.
    LoseEnrolled,
    /// CUHK certifies another key.
    OtherKey,
    /// CUHK certifies another student.
    OtherStudent,
    /// CUHK's token is for another certificate.
    OtherToken,
    /// CUHK renews and closes without saying so.
    LoseRenewed,
    /// CUHK renews nothing, and says this.
    RefuseRenewal(Code),
    /// Blackboard stores and closes without saying so.
    LoseReceipt,
    /// Blackboard's receipt has one wrong byte, and it says so as if nothing were wrong.
    AlteredReceipt,
    /// Blackboard gives the receipt of another submission.
    OtherReceipt,
    /// Blackboard sends one byte more of the receipt than it announced.
    LongReceipt,
    /// CUHK has no time for a second.
    CuhkBusy,
    /// Blackboard has no time for a second.
    BlackboardBusy,
    /// Blackboard cannot ask CUHK.
    CuhkUnavailable,
    /// CUHK has withdrawn the key that signed the first member's token.
    SignerWithdrawn,
    /// The same, for good.
    AllSignersWithdrawn,
}

/// What both servers know.
pub(crate) struct Desk {
    pub(crate) campus: TestCampus,
    pub(crate) fault: Mutex<Option<Fault>>,
    /// Requests that reached CUHK.
    pub(crate) requests: AtomicUsize,
    /// Connections to CUHK whose handshake was done.
    pub(crate) connections: AtomicUsize,
    pub(crate) stored: Mutex<BTreeMap<SubmissionId, Stored>>,
    /// How long certificates are good.
    pub(crate) lifetime: Mutex<Duration>,
    codes: Mutex<BTreeMap<StudentId, EnrolmentCode>>,
    issued: Mutex<BTreeMap<[u8; 32], (Fingerprint, Chain)>>,
    /// What took the place of each certificate, and how it was asked for.
    pub(crate) renewed: Mutex<BTreeMap<Fingerprint, (Chain, &'static str)>>,
    signer: TestIdentity,
    blackboard: TestIdentity,
    trust: Arc<TrustStore>,
    /// The trust bundle that is handed out.
    pub(crate) bundle: Mutex<SignedBundle>,
    /// Those before it, by their numbers.
    pub(crate) earlier: Mutex<BTreeMap<u64, SignedBundle>>,
    /// What can be handed in.
    pub(crate) listed: Mutex<Vec<ListedAssignment>>,
    /// Certifies students in the place of the campus' own authority.
    pub(crate) issuer: Mutex<Option<Issuer>>,
}

#[derive(Clone)]
pub(crate) struct Stored {
    statement: Vec<u8>,
    number: SubmissionNumber,
    receipt: Vec<u8>,
}

/// A trust bundle that the campus' root has signed.
pub(crate) fn bundle(campus: &TestCampus, roots: &[Certificate], sequence: u64) -> SignedBundle {
    let validity = campus.validity(Duration::from_secs(24 * 3600));
    let times = (validity.not_before, validity.not_after);
    SignedBundle::sign(&[campus.root()], roots, sequence, times).unwrap()
}

impl Desk {
    pub(crate) fn new(campus: TestCampus) -> Self {
        Self {
            fault: Mutex::default(),
            requests: AtomicUsize::default(),
            connections: AtomicUsize::default(),
            stored: Mutex::default(),
            lifetime: Mutex::new(Duration::from_secs(30 * 24 * 3600)),
            codes: Mutex::default(),
            issued: Mutex::default(),
            renewed: Mutex::default(),
            signer: campus.token_signer(),
            blackboard: campus.service("blackboard"),
            trust: campus.trust(),
            bundle: Mutex::new(bundle(&campus, &[campus.root().certificate().clone()], 1)),
            earlier: Mutex::default(),
            listed: Mutex::new(vec![listed("lab")]),
            issuer: Mutex::default(),
            campus,
        }
    }

    /// A new code for this student; the one before no longer counts.
    pub(crate) fn code(&self, id: &str) -> EnrolmentCode {
        let code = EnrolmentCode::generate().unwrap();
        let mut codes = self.codes.lock().unwrap();
        codes.insert(id.parse().unwrap(), code.clone());
        code
    }

    pub(crate) fn stored_count(&self) -> usize {
        self.stored.lock().unwrap().len()
    }

    fn now(&self) -> UnixTime {
        self.campus.now()
    }

    fn take(&self, fault: Fault) -> bool {
        self.fault
            .lock()
            .unwrap()
            .take_if(|next| *next == fault)
            .is_some()
    }

    fn service(&self, name: &str) -> SpiffeId {
        let name: ServiceName = name.parse().unwrap();
        SpiffeId::new_service(self.trust.trust_domain(), &name)
    }

    fn chain(&self, sid: &StudentId, key: &PublicKey) -> Chain {
        let validity = self.campus.validity(*self.lifetime.lock().unwrap());
        let other = self.issuer.lock().unwrap();
        let issuer = other
            .as_ref()
            .unwrap_or_else(|| self.campus.issuer(IssuerKind::Students));
        let serial = Serial::random().unwrap();
        let urls = DistributionUrls::default();
        issuer
            .issue_student(sid, key, &serial, &validity, &urls)
            .unwrap()
    }

    fn token(&self, sid: &StudentId, chain: &Chain) -> String {
        let request = TokenRequest {
            issuer: &self.service("cuhk"),
            audience: &self.service("blackboard"),
            subject: &SpiffeId::new_student(self.trust.trust_domain(), sid),
            certificate: chain.leaf(),
            now: self.now(),
        };
        issue_token(&request, &self.signer.key, &self.signer.chain).unwrap()
    }

    fn verification(&self, question: &Question) -> String {
        let answers: Vec<_> = question
            .members
            .iter()
            .map(|member| MemberAnswer {
                sid: member.sid.clone(),
                cert_sha256: member.cert_sha256,
                inactive: None,
                checked_at: self.now(),
            })
            .collect();
        issue_verification(
            &self.service("cuhk"),
            &self.service("blackboard"),
            question.nonce,
            &answers,
            self.now(),
            &self.signer.key,
            &self.signer.chain,
        )
        .unwrap()
    }

    /// Single use, except that the same code with the same key gives the same certificate.
    fn certify(
        &self,
        sid: &StudentId,
        code: &EnrolmentCode,
        key: &PublicKey,
    ) -> Result<Chain, Refusal> {
        let refuse = |code| Refusal::new(code, Step::Two).about(sid);
        if self.codes.lock().unwrap().get(sid) != Some(code) {
            return Err(refuse(Code::EnrolmentRefused));
        }
        let mut issued = self.issued.lock().unwrap();
        let used = issued.get(&code.digest(sid.as_ref())).cloned();
        match used {
            Some((owner, chain)) if owner == key.fingerprint() => Ok(chain),
            Some(_) => Err(refuse(Code::CodeUsed)),
            None => {
                let chain = self.chain(sid, key);
                let entry = (key.fingerprint(), chain.clone());
                issued.insert(code.digest(sid.as_ref()), entry);
                Ok(chain)
            }
        }
    }

    /// Once for each certificate; the same key gets the same again.
    fn renew(
        &self,
        sid: &StudentId,
        old: Fingerprint,
        key: &PublicKey,
        how: &'static str,
    ) -> Result<Reply, Refusal> {
        let refuse = |code| Refusal::new(code, Step::Two).about(sid);
        if let Some(Fault::RefuseRenewal(code)) = *self.fault.lock().unwrap() {
            return Err(refuse(code));
        }
        let mut renewed = self.renewed.lock().unwrap();
        let fresh = || (self.chain(sid, key), how);
        let (chain, _) = renewed.entry(old).or_insert_with(fresh).clone();
        if chain.leaf().public_key().unwrap() != *key {
            return Err(refuse(Code::CertificateSuperseded));
        }
        if self.take(Fault::LoseRenewed) {
            return Err(refuse(Code::ConnectionLost));
        }
        let token = self.token(sid, &chain);
        Ok(Reply::Enrolled { chain, token })
    }

    fn misbehave(&self, sid: &StudentId, key: &PublicKey, chain: Chain) -> (Chain, String) {
        let token = self.token(sid, &chain);
        let other_key = SigningKey::generate().unwrap();
        let other: StudentId = "1155000099".parse().unwrap();
        if self.take(Fault::OtherKey) {
            return (self.chain(sid, other_key.public_key()), token);
        }
        if self.take(Fault::OtherStudent) {
            return (self.chain(&other, key), token);
        }
        if self.take(Fault::OtherToken) {
            let token = self.token(sid, &self.chain(sid, key));
            return (chain, token);
        }
        (chain, token)
    }

    fn store(&self, submission: &VerifiedSubmission) -> Stored {
        let TestIdentity { chain, key } = &self.blackboard;
        let evidence = Evidence::collect(submission, chain, &self.trust);
        let mut stored = self.stored.lock().unwrap();
        let number = SubmissionNumber::new(stored.len() as u64 + 1).unwrap();
        let statement = submission.statement();
        let (index, at) = (stored.len() as u64, self.now());
        let committed = CommittedAt { index: None, at };
        let entry = accepted_entry(&evidence, statement, number, committed);
        let leaf = Leaf::new(LogName::of(statement).unwrap(), index, at, entry).unwrap();
        let leaf = SignedLeaf::sign(leaf.to_bytes().unwrap(), (key, chain), at).unwrap();
        let record = Stored {
            statement: submission.statement_bytes().to_vec(),
            number,
            receipt: build(&evidence, &leaf, None).unwrap(),
        };
        stored.insert(statement.submission, record.clone());
        record
    }
}

pub(crate) async fn serve_cuhk(desk: &Arc<Desk>, identity: &TestIdentity) -> SocketAddr {
    let tls = tls(desk, identity, ClientAuth::Optional);
    let desk = Arc::clone(desk);
    serve(tls, move |connection| cuhk(connection, Arc::clone(&desk))).await
}

pub(crate) async fn serve_blackboard(desk: &Arc<Desk>) -> SocketAddr {
    let tls = tls(desk, &desk.blackboard, ClientAuth::Required);
    let desk = Arc::clone(desk);
    serve(tls, move |connection| {
        blackboard(connection, Arc::clone(&desk))
    })
    .await
}

fn tls(desk: &Desk, identity: &TestIdentity, client_auth: ClientAuth) -> ServerTls {
    let clock = Arc::new(ClockFn(desk.campus.clock().reader()));
    let root = desk.campus.root().certificate();
    let trust = Arc::clone(&desk.trust);
    ServerTls::new(identity.pair(), root, trust, client_auth, clock).unwrap()
}

async fn serve<F>(
    tls: ServerTls,
    handler: impl Fn(Connection) -> F + Send + Sync + 'static,
) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap())
        .await
        .unwrap();
    let address = listener.local_addr();
    let (sender, receiver) = watch::channel(Arc::new(tls));
    tokio::spawn(async move {
        listener
            .serve(receiver, Limits::default(), Shutdown::new(), handler)
            .await;
        drop(sender);
    });
    address
}

async fn cuhk(mut connection: Connection, desk: Arc<Desk>) {
    desk.connections.fetch_add(1, Ordering::SeqCst);
    match answer(&mut connection, &desk).await {
        Err(refusal) if refusal.code != Code::ConnectionLost => connection.refuse(&refusal).await,
        _ => connection.close().await,
    }
}

async fn answer(connection: &mut Connection, desk: &Desk) -> Result<(), Refusal> {
    let caller = Caller::from_chain(connection.peer_chain(), &desk.trust, desk.now())?;
    let greeting = ExpectRequest::greeting(desk.service("cuhk"), desk.now());
    connection.send(&greeting).await?;
    let mut expect = ExpectRequest::new().on(AuthorityChannel {
        exporter: connection.exporter(),
        service: desk.service("cuhk"),
    });
    if desk.take(Fault::CuhkBusy) {
        return Err(Refusal::new(Code::Busy, Step::One).retry_after(1));
    }
    loop {
        let request: Request = connection.receive(Step::One, PATIENCE).await?;
        if !matches!(request, Request::TrustBundle { .. }) {
            desk.requests.fetch_add(1, Ordering::SeqCst);
        }
        let reply = match expect.handle(request, &caller)? {
            Admitted::Enrol { sid, code, request } => {
                match desk.certify(&sid, &code, request.public_key()) {
                    Ok(_) if desk.take(Fault::LoseEnrolled) => return Ok(()),
                    Ok(chain) => {
                        let (chain, token) = desk.misbehave(&sid, request.public_key(), chain);
                        Reply::Enrolled { chain, token }
                    }
                    Err(refusal) if refusal.code == Code::EnrolmentRefused => {
                        Reply::refusal(expect.wrong_code(refusal)?)
                    }
                    Err(refusal) => return Err(refusal),
                }
            }
            Admitted::RefreshToken { student } => Reply::Token {
                token: desk.token(student.sid(), student.chain()),
            },
            Admitted::Renew { student, request } => {
                let old = student.certificate().fingerprint();
                desk.renew(student.sid(), old, request.public_key(), "certificate")?
            }
            Admitted::RenewExpired { holder, request } => {
                let key = request.public_key();
                desk.renew(holder.sid(), *holder.certificate(), key, "key")?
            }
            Admitted::TrustBundle { sequence } => {
                let earlier = desk.earlier.lock().unwrap().get(&sequence).cloned();
                let signed = earlier.unwrap_or_else(|| desk.bundle.lock().unwrap().clone());
                Reply::TrustBundle {
                    bundle: signed.bundle,
                    signatures: signed.signatures.into_iter().map(Der::new).collect(),
                }
            }
            other => panic!("a student never asks for {other:?}"),
        };
        connection.send(&reply).await?;
    }
}

async fn blackboard(mut connection: Connection, desk: Arc<Desk>) {
    match take_in(&mut connection, &desk).await {
        Err(refusal) if refusal.code != Code::ConnectionLost => connection.refuse(&refusal).await,
        _ => connection.close().await,
    }
}

async fn take_in(connection: &mut Connection, desk: &Desk) -> Result<(), Refusal> {
    let state = ExpectPresentation::new(policy(desk), channel(connection, desk))?;
    connection.send(&state.greeting(desk.now())).await?;
    if desk.take(Fault::BlackboardBusy) {
        return Err(Refusal::new(Code::Busy, Step::Three).retry_after(1));
    }
    let request = connection.receive(Step::Three, PATIENCE).await?;
    if desk.take(Fault::CuhkUnavailable) {
        return Err(Refusal::new(Code::CuhkUnavailable, Step::Three).retry_after(1));
    }
    let for_good = *desk.fault.lock().unwrap() == Some(Fault::AllSignersWithdrawn);
    if for_good || desk.take(Fault::SignerWithdrawn) {
        let refusal = Refusal::new(Code::SignerWithdrawn, Step::Three);
        return Err(refusal.about(&"1155000001".parse().unwrap()));
    }
    let state = state.handle(request, &desk.trust, desk.now())?;
    let answer = desk.verification(state.question());
    let (state, reply) = state.handle(&answer, &desk.trust, desk.now())?;
    connection.send(&reply).await?;
    let (state, reply) = state.handle(connection.receive(Step::Five, PATIENCE).await?)?;
    connection.send(&reply).await?;
    let accepted = statement(connection, desk, state).await?;
    let before = desk
        .stored
        .lock()
        .unwrap()
        .get(&accepted.statement().submission)
        .cloned();
    let stored = match before {
        Some(stored) if stored.statement == accepted.bytes() => stored,
        Some(_) => return Err(Refusal::new(Code::SubmissionConflict, Step::Six)),
        None => desk.store(&content(connection, desk, accepted).await?),
    };
    if desk.take(Fault::LoseReceipt) {
        return Ok(());
    }
    send_receipt(connection, desk, stored).await
}

/// Answers what can be handed in until a statement comes.
async fn statement(
    connection: &mut Connection,
    desk: &Desk,
    mut state: ExpectDesk,
) -> Result<AcceptedStatement, Refusal> {
    loop {
        match state.handle(connection.receive(Step::Six, PATIENCE).await?)? {
            Wanted::HandIn(accepted) => return Ok(*accepted),
            Wanted::Know(Inquiry::Proof { .. }, next) => {
                let reply = blackboard::Reply::Proof { proof: None };
                connection.send(&reply).await?;
                state = *next;
            }
            Wanted::Know(Inquiry::Assignments { .. }, next) => {
                let listed = desk.listed.lock().unwrap().clone();
                let reply = blackboard::Reply::Assignments {
                    time: desk.now().as_secs(),
                    count: u32::try_from(listed.len()).unwrap(),
                    assignments: listed,
                };
                connection.send(&reply).await?;
                state = *next;
            }
        }
    }
}

/// An assignment that is always open.
pub(crate) fn listed(name: &str) -> ListedAssignment {
    let group = "1..3".parse().unwrap();
    let terms = Terms::always_open("Lab".parse().unwrap(), group, 4 * 1024 * 1024);
    ListedAssignment {
        course: "SANDBOX".parse().unwrap(),
        course_title: "Sandbox".parse().unwrap(),
        assignment: name.parse().unwrap(),
        rules: terms.check().unwrap(),
        extensions: Vec::new(),
        changes: Vec::new(),
    }
}

fn policy(desk: &Desk) -> Arc<Policy> {
    Arc::new(Policy {
        service: desk.service("blackboard"),
        max_members: 3,
        max_bytes: 4 * 1024 * 1024,
        outage: Outage::Refuse,
    })
}

fn channel(connection: &Connection, desk: &Desk) -> Channel {
    let chain = connection.peer_chain().expect("required in TLS");
    Channel {
        exporter: connection.exporter(),
        service: desk.service("blackboard"),
        client_certificate: chain.leaf().fingerprint(),
    }
}

async fn content(
    connection: &mut Connection,
    desk: &Desk,
    accepted: AcceptedStatement,
) -> Result<VerifiedSubmission, Refusal> {
    let day = 24 * 60 * 60;
    let commitment = Commitment {
        index: 0,
        at: desk.now(),
        upload_until: from_seconds(desk.now().as_secs() + day),
    };
    let (state, reply) = accepted.committed(commitment, vec![blackboard::Received::nothing()]);
    connection.send(&reply).await?;
    let mut state = state.handle(connection.receive(Step::Six, PATIENCE).await?)?;
    let mut received = Vec::new();
    let end = loop {
        match connection.receive_frame(Step::Six, PATIENCE).await? {
            Frame::Chunk(chunk) => {
                state.chunk(chunk.len())?;
                received.extend_from_slice(&chunk);
            }
            Frame::Message(payload) => break decode(&payload, Step::Six)?,
        }
    };
    let state = state.handle(end, &[Fingerprint::of(&received)])?;
    let answer = desk.verification(state.question());
    state.handle(&answer, &desk.trust, desk.now())
}

async fn send_receipt(
    connection: &mut Connection,
    desk: &Desk,
    stored: Stored,
) -> Result<(), Refusal> {
    let mut stored = stored;
    if desk.take(Fault::AlteredReceipt) {
        let middle = stored.receipt.len() / 2;
        stored.receipt[middle] ^= 1;
    }
    if desk.take(Fault::OtherReceipt) {
        let all = desk.stored.lock().unwrap();
        let other = all.values().find(|other| other.number != stored.number);
        stored = other.expect("another was stored before").clone();
    }
    let announced = blackboard::Reply::Receipt {
        number: stored.number,
        size: stored.receipt.len() as u64,
        sha256: Fingerprint::of(&stored.receipt),
    };
    connection.send(&announced).await?;
    if desk.take(Fault::LongReceipt) {
        stored.receipt.push(0);
    }
    connection.send_chunk(Bytes::from(stored.receipt)).await
}
