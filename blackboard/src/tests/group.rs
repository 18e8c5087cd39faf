//! A group that hands in, honestly or not.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use scb_certs::{Chain, Fingerprint, ServiceName, SigningKey, SpiffeId};
use scb_protocol::client::{
    Answer, Committed, ExpectGreeting, Member, ReceivingReceipt, SendingContent, Session, sign,
    state,
};
use scb_protocol::message::blackboard::{Reply, Request};
use scb_protocol::receipt::VerifiedReceipt;
use scb_protocol::statement::{FileEntry, Files, Label, SubmissionId};
use scb_protocol::{Frame, Refusal, Step, TokenRequest, issue_token};
use scb_transport::{ClientTls, Connection, ServerTrust, connect};

use super::campus::Campus;

/// Longer than anything takes here.
pub(super) const WAIT: Duration = Duration::from_secs(20);

type Tamper<'a> = Box<dyn FnMut(&mut Request) + Send + 'a>;

/// Members, their report, and what is wrong with how they hand it in.
pub(super) struct Group<'a> {
    pub(super) campus: &'a Campus,
    pub(super) members: Vec<Member>,
    pub(super) submission: SubmissionId,
    pub(super) name: &'a str,
    pub(super) assignment: (&'a str, &'a str),
    pub(super) report: Vec<u8>,
    /// Further files, which nobody sends by [`Group::hand_in`].
    pub(super) more: Vec<(&'a str, Vec<u8>)>,
    /// Sent instead of the report.
    pub(super) sent: Option<Vec<u8>>,
    /// Who signs, if not exactly the members.
    pub(super) signers: Option<Vec<Member>>,
    /// Who opens the connection, if not the first member.
    pub(super) client: Option<(Chain, SigningKey)>,
    tamper: Tamper<'a>,
}

impl<'a> Group<'a> {
    pub(super) fn new(campus: &'a Campus, sids: &[&str]) -> Self {
        let submission = SubmissionId::random().unwrap();
        Self {
            campus,
            members: sids.iter().map(|sid| member(campus, sid)).collect(),
            submission,
            name: "submission.txt",
            assignment: ("SANDBOX", "lab"),
            // Of each group another one: the same again would change nothing.
            report: format!("This is submission {submission} from all of us\n")
                .repeat(2000)
                .into_bytes(),
            more: Vec::new(),
            sent: None,
            signers: None,
            client: None,
            tamper: Box::new(|_| {}),
        }
    }

    /// Changes messages on their way out.
    pub(super) fn tampering(mut self, tamper: impl FnMut(&mut Request) + Send + 'a) -> Self {
        self.tamper = Box::new(tamper);
        self
    }

    /// Hands in and returns the receipt, which proves exactly this.
    pub(super) async fn hand_in(&mut self) -> Result<Vec<u8>, Refusal> {
        let (connection, session) = self.open_session().await?;
        self.submit(connection, session).await
    }

    pub(super) async fn connect(&self) -> Result<Connection, Refusal> {
        let first = &self.members[0];
        let identity = self
            .client
            .clone()
            .unwrap_or((first.chain.clone(), first.key.clone()));
        let tls = ClientTls::with_clock(
            ServerTrust::Pinned(self.campus.certs.trust()),
            ServiceName::blackboard(),
            Some(identity),
            self.campus.clock(),
        );
        connect(
            &self.campus.address.to_string(),
            &tls.unwrap(),
            Step::Three,
            WAIT,
        )
        .await
    }

    /// Steps 3 to 5.
    pub(super) async fn open_session(&mut self) -> Result<(Connection, Session), Refusal> {
        let mut connection = self.connect().await?;
        let greeting = reply(&mut connection).await?;
        let state = ExpectGreeting::new(
            self.campus.certs.trust(),
            self.campus.service.clone(),
            connection.exporter(),
            self.members.clone(),
        );
        let (state, request) = state.handle(greeting)?;
        self.send(&mut connection, request).await?;
        let shares = reply(&mut connection).await?;
        let (state, request) = state.handle(shares, self.campus.certs.now())?;
        self.send(&mut connection, request).await?;
        let session = state.handle(reply(&mut connection).await?)?;
        Ok((connection, session))
    }

    /// Step 6.
    pub(super) async fn submit(
        &mut self,
        mut connection: Connection,
        session: Session,
    ) -> Result<Vec<u8>, Refusal> {
        let statement = self.statement();
        let signers = self.signers.as_ref().unwrap_or(&self.members);
        let signatures = signed(&statement, signers, self.campus);
        let (state, request) = session.submit(&statement, signatures)?;
        self.send(&mut connection, request).await?;
        let receiving =
            match state.handle(reply(&mut connection).await?, self.campus.certs.now())? {
                Answer::AlreadyStored(receiving) => receiving,
                Answer::Committed(state) => {
                    let (state, upload) = state.upload(&[]);
                    self.send(&mut connection, upload).await?;
                    let content = self.sent.as_ref().unwrap_or(&self.report);
                    connection
                        .send_chunk(Bytes::copy_from_slice(content))
                        .await?;
                    let (state, end) = state.end();
                    self.send(&mut connection, end).await?;
                    state.handle(reply(&mut connection).await?)?
                }
            };
        let receipt = receive(&mut connection, receiving).await?;
        connection.close().await;
        Ok(receipt)
    }

    /// A connection of its own, up to the commitment.
    pub(super) async fn commit(&mut self) -> Result<(Connection, Committed), Refusal> {
        let (mut connection, session) = self.open_session().await?;
        let statement = self.statement();
        let signatures = signed(&statement, &self.members, self.campus);
        let (state, request) = session.submit(&statement, signatures)?;
        self.send(&mut connection, request).await?;
        match state.handle(reply(&mut connection).await?, self.campus.certs.now())? {
            Answer::Committed(committed) => Ok((connection, committed)),
            Answer::AlreadyStored(_) => panic!("stored before"),
        }
    }

    /// Ends the content, and takes the receipt.
    pub(super) async fn end(
        &mut self,
        mut connection: Connection,
        sending: SendingContent,
    ) -> Result<Vec<u8>, Refusal> {
        let (state, end) = sending.end();
        self.send(&mut connection, end).await?;
        let receiving = state.handle(reply(&mut connection).await?)?;
        receive(&mut connection, receiving).await
    }

    /// The whole report after what was begun, and takes the receipt.
    pub(super) async fn bring(
        &mut self,
        begun: (Connection, Committed),
    ) -> Result<Vec<u8>, Refusal> {
        let (mut connection, committed) = begun;
        let (sending, upload) = committed.upload(&[]);
        connection.send(&upload).await?;
        let report = Bytes::copy_from_slice(&self.report);
        connection.send_chunk(report).await?;
        self.end(connection, sending).await
    }

    /// Step 6 up to the first piece of content.
    pub(super) async fn begin_content(
        &mut self,
        mut connection: Connection,
        session: Session,
    ) -> Result<Connection, Refusal> {
        let statement = self.statement();
        let signatures = signed(&statement, &self.members, self.campus);
        let (state, request) = session.submit(&statement, signatures)?;
        self.send(&mut connection, request).await?;
        let answer = reply(&mut connection).await?;
        let Answer::Committed(state) = state.handle(answer, self.campus.certs.now())? else {
            panic!("stored before");
        };
        let (_, upload) = state.upload(&[]);
        self.send(&mut connection, upload).await?;
        let piece = Bytes::copy_from_slice(&self.report[..100]);
        connection.send_chunk(piece).await?;
        Ok(connection)
    }

    pub(super) fn statement(&self) -> Vec<u8> {
        let label = |text: &str| text.parse::<Label>().unwrap();
        let assignment = (label(self.assignment.0), label(self.assignment.1));
        let file = |(name, content): (&str, &[u8])| FileEntry {
            name: name.parse().unwrap(),
            size: content.len() as u64,
            sha256: Fingerprint::of(content),
        };
        let more = self
            .more
            .iter()
            .map(|(name, content)| (*name, &content[..]));
        let all = std::iter::once((self.name, &self.report[..])).chain(more);
        let files = Files::new(all.map(file).collect()).unwrap();
        state(
            &self.members,
            &self.campus.service,
            assignment,
            files,
            self.submission,
        )
        .unwrap()
    }

    async fn send(&mut self, connection: &mut Connection, request: Request) -> Result<(), Refusal> {
        let mut request = request;
        (self.tamper)(&mut request);
        connection.send(&request).await
    }

    /// Verifies a receipt as anybody can.
    pub(super) fn verify(&self, receipt: &[u8]) -> VerifiedReceipt {
        let root = self.campus.certs.root_fingerprint();
        VerifiedReceipt::verify(receipt, &root).unwrap()
    }
}

/// A statement is signed once, and sent again as it was, as the student's program does it.
pub(super) fn signed(statement: &[u8], signers: &[Member], campus: &Campus) -> Vec<u8> {
    static KEPT: Mutex<BTreeMap<Vec<u8>, Vec<u8>>> = Mutex::new(BTreeMap::new());
    let mut kept = KEPT.lock().unwrap();
    let certificates = signers.iter().map(|one| one.chain.leaf().fingerprint());
    let by: String = certificates.map(|one| one.to_string()).collect();
    let key = [statement, by.as_bytes()].concat();
    let sign = || sign(statement, signers, campus.certs.now()).unwrap();
    kept.entry(key).or_insert_with(sign).clone()
}

pub(super) async fn reply(connection: &mut Connection) -> Result<Reply, Refusal> {
    connection.receive_reply(Step::Three, WAIT).await
}

pub(super) async fn receive(
    connection: &mut Connection,
    mut state: ReceivingReceipt,
) -> Result<Vec<u8>, Refusal> {
    while !state.is_complete() {
        state.chunk(&chunk(connection).await?)?;
    }
    let (receipt, _) = state.finish()?;
    Ok(receipt)
}

pub(super) async fn chunk(connection: &mut Connection) -> Result<Bytes, Refusal> {
    match connection.receive_frame(Step::Six, WAIT).await? {
        Frame::Chunk(chunk) => Ok(chunk),
        Frame::Message(_) => panic!("a message amid what was announced"),
    }
}

/// A certified student with a fresh token for this server.
pub(super) fn member(campus: &Campus, sid: &str) -> Member {
    let identity = campus.certs.student(sid);
    let token = token(campus, identity.leaf(), &campus.service);
    Member {
        sid: sid.parse().unwrap(),
        chain: identity.chain,
        key: identity.key,
        token,
    }
}

/// A token for the student of this certificate, and for this audience.
pub(super) fn token(
    campus: &Campus,
    certificate: &scb_certs::Certificate,
    audience: &SpiffeId,
) -> String {
    let signer = campus.cuhk.token_signer();
    let request = TokenRequest {
        issuer: &signer.leaf().spiffe_id().unwrap(),
        audience,
        subject: &certificate.spiffe_id().unwrap(),
        certificate,
        now: campus.certs.now(),
    };
    issue_token(&request, &signer.key, &signer.chain).unwrap()
}
