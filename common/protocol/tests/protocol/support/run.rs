//! One connection from greeting to receipt, in memory, every message through its frame.

use std::fmt::Debug;
use std::sync::Arc;

use bytes::BytesMut;
use scb_certs::{Fingerprint, TrustStore};
use scb_protocol::client::{
    Answer, Committed, ExpectCommitted, ExpectGreeting, ExpectReceipt, ReceivingReceipt, Session,
};
use scb_protocol::commitment::VerifiedCommitment;
use scb_protocol::log_leaf::{self, Entry, Leaf, LogName};
use scb_protocol::message::blackboard::{Received, Reply, Request};
use scb_protocol::receipt::{
    CommittedAt, Evidence, SignedEntry, SignedLeaf, VerifiedReceipt, accepted_entry, build,
};
use scb_protocol::server::{
    AcceptedStatement, Commitment, ExpectPresentation, ExpectRequest, ExpectUpload,
    VerifiedSubmission, Wanted,
};
use scb_protocol::statement::{Statement, SubmissionNumber};
use scb_protocol::{
    Channel, Code, Frame, Message, Question, Refusal, Step, decode, encode, from_seconds,
};
use scb_testkit::TestIdentity;

use super::Group;
use super::group::REPORT;

/// What the TLS exporter gives on both sides.
pub(crate) const EXPORTER: [u8; 32] = [7; 32];

/// Who refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

/// How a run ended early.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) by: Side,
    pub(crate) refusal: Refusal,
}

/// What is there when a run has come to its end.
pub(crate) struct Stored {
    pub(crate) submission: VerifiedSubmission,
    pub(crate) zip: Vec<u8>,
    pub(crate) receipt: VerifiedReceipt,
}

type Hook<'a, T> = Box<dyn FnMut(&mut T) + 'a>;

/// A connection, with hooks that alter what passes.
pub(crate) struct Run<'a> {
    group: &'a Group<'a>,
    /// What the client takes for the TLS exporter.
    pub(crate) exporter: [u8; 32],
    /// The TLS client certificate as the server saw it.
    pub(crate) client_certificate: Fingerprint,
    /// What the client trusts.
    pub(crate) trust: Arc<TrustStore>,
    /// What the client sends as content.
    pub(crate) content: Vec<u8>,
    /// In which steps CUHK cannot be reached.
    pub(crate) away: Vec<Step>,
    /// The signatures instead of those of all members.
    pub(crate) signatures: Option<Vec<u8>>,
    requests: Hook<'a, Request>,
    replies: Hook<'a, Reply>,
    receipts: Hook<'a, Vec<u8>>,
    cuhk: Box<dyn FnMut(&Question) -> String + 'a>,
    watch: Box<dyn FnMut(&dyn Debug) + 'a>,
}

impl<'a> Run<'a> {
    pub(crate) fn of(group: &'a Group<'a>) -> Self {
        let first = group.members.first();
        Self {
            group,
            exporter: EXPORTER,
            client_certificate: first.map_or(Fingerprint::of(b""), |first| {
                first.chain.leaf().fingerprint()
            }),
            trust: group.campus.trust_without_crls(),
            content: REPORT.to_vec(),
            away: Vec::new(),
            signatures: None,
            requests: Box::new(|_| {}),
            replies: Box::new(|_| {}),
            receipts: Box::new(|_| {}),
            cuhk: Box::new(|question| group.answer(question)),
            watch: Box::new(|_| {}),
        }
    }

    /// Alters what the client sends.
    pub(crate) fn requests(mut self, alter: impl FnMut(&mut Request) + 'a) -> Self {
        self.requests = Box::new(alter);
        self
    }

    /// Alters what the server answers.
    pub(crate) fn replies(mut self, alter: impl FnMut(&mut Reply) + 'a) -> Self {
        self.replies = Box::new(alter);
        self
    }

    /// Alters the receipt after it was announced.
    pub(crate) fn receipts(mut self, alter: impl FnMut(&mut Vec<u8>) + 'a) -> Self {
        self.receipts = Box::new(alter);
        self
    }

    /// Answers Blackboard's questions in CUHK's place.
    pub(crate) fn cuhk(mut self, answer: impl FnMut(&Question) -> String + 'a) -> Self {
        self.cuhk = Box::new(answer);
        self
    }

    /// Sees every state, on both sides, and every message.
    pub(crate) fn watch(mut self, watch: impl FnMut(&dyn Debug) + 'a) -> Self {
        self.watch = Box::new(watch);
        self
    }

    /// Steps 3 to 6, as the two programs go through them.
    pub(crate) fn go(mut self) -> Result<Stored, Refused> {
        let (server, client) = self.open()?;
        let (server, client) = self.state(server, client)?;
        let (submission, client) = self.send(server, client)?;
        let zip = receipt(self.group, &submission);
        let reply = self.reply(announce(&zip));
        let client = client.handle(reply).by_client()?;
        let (zip, receipt) = self.deliver(zip, client)?;
        Ok(Stored {
            submission,
            zip,
            receipt,
        })
    }

    /// As [`Run::go`], but the server answers the statement with this receipt at once.
    pub(crate) fn again(mut self, zip: &[u8]) -> Result<VerifiedReceipt, Refused> {
        let (server, client) = self.open()?;
        let (_, client) = self.state(server, client)?;
        let reply = self.reply(announce(zip));
        let now = self.group.campus.now();
        let answer = client.handle(reply, now).by_client()?;
        let Answer::AlreadyStored(client) = answer else {
            panic!("not stored already")
        };
        Ok(self.deliver(zip.to_vec(), client)?.1)
    }

    /// The client's end after steps 3 to 5.
    pub(crate) fn session(&mut self) -> Session {
        self.open().unwrap().1
    }

    /// Steps 3 to 5.
    pub(crate) fn open(&mut self) -> Result<(ExpectRequest, Session), Refused> {
        let (group, now) = (self.group, self.group.campus.now());
        let server = ExpectPresentation::new(group.policy.clone(), self.channel()).by_server()?;
        let client = self.client();
        let greeting = self.reply(server.greeting(now));
        self.saw(&[&server, &client]);
        let (client, request) = client.handle(greeting).by_client()?;
        let request = self.request(request);
        let server = server.handle(request, &group.trust, now).by_server()?;
        self.saw(&[&server, &client]);
        let (server, reply) = match self.away.contains(&Step::Three) {
            true => server.without_cuhk(away(Step::Three), &group.trust, now),
            false => {
                let answer = (self.cuhk)(server.question());
                server.handle(&answer, &group.trust, now)
            }
        }
        .by_server()?;
        let reply = self.reply(reply);
        let (client, request) = client.handle(reply, now).by_client()?;
        self.saw(&[&server, &client]);
        let (server, reply) = server.handle(self.request(request)).by_server()?;
        let client = client.handle(self.reply(reply)).by_client()?;
        self.saw(&[&server, &client]);
        Ok((server, client))
    }

    /// Step 6 up to the accepted statement.
    fn state(
        &mut self,
        server: ExpectRequest,
        client: Session,
    ) -> Result<(AcceptedStatement, ExpectCommitted), Refused> {
        let statement = self.group.statement().to_bytes().unwrap();
        let signatures = self.signatures.take();
        let signatures = signatures.unwrap_or_else(|| self.group.sign(&statement));
        let (client, request) = client.submit(&statement, signatures).by_client()?;
        let wanted = server.handle(self.request(request)).by_server()?;
        let server = handed_in(wanted);
        self.saw(&[&server, &client]);
        Ok((server, client))
    }

    /// What the server signs before the files come, with the file that the client keeps.
    pub(crate) fn recorded(mut self) -> Result<(Vec<u8>, VerifiedCommitment), Refused> {
        let (server, client) = self.open()?;
        let (server, client) = self.state(server, client)?;
        let (_, client) = self.commit(server, client)?;
        let signed = client.signed().unwrap();
        Ok((signed.zip.clone(), signed.commitment.clone()))
    }

    /// Step 6, the commitment.
    fn commit(
        &mut self,
        server: AcceptedStatement,
        client: ExpectCommitted,
    ) -> Result<(ExpectUpload, Committed), Refused> {
        let now = self.group.campus.now();
        let (commitment, entry) = committed(&server, self.group);
        let (server, reply) = server.committed(commitment, entry, vec![Received::nothing()]);
        let answer = client.handle(self.reply(reply), now).by_client()?;
        let Answer::Committed(client) = answer else {
            panic!("stored already")
        };
        self.saw(&[&server, &client]);
        Ok((server, client))
    }

    /// Step 6 from the content to what is stored.
    fn send(
        &mut self,
        server: AcceptedStatement,
        client: ExpectCommitted,
    ) -> Result<(VerifiedSubmission, ExpectReceipt), Refused> {
        let (server, client) = self.commit(server, client)?;
        let (client, request) = client.upload(&[]);
        let mut server = server.handle(self.request(request)).by_server()?;
        self.saw(&[&server, &client]);
        let (client, request) = client.end();
        for chunk in self.content.chunks(10) {
            server.chunk(chunk.len()).by_server()?;
        }
        let content = [Fingerprint::of(&self.content)];
        let server = server.handle(self.request(request), &content).by_server()?;
        self.saw(&[&server, &client]);
        let (trust, now) = (&self.group.trust, self.group.campus.now());
        let submission = match self.away.contains(&Step::Six) {
            true => server.without_cuhk(away(Step::Six), trust, now),
            false => {
                let answer = (self.cuhk)(server.question());
                server.handle(&answer, trust, now)
            }
        }
        .by_server()?;
        self.saw(&[&submission]);
        Ok((submission, client))
    }

    /// The receipt's chunks.
    fn deliver(
        &mut self,
        mut zip: Vec<u8>,
        mut client: ReceivingReceipt,
    ) -> Result<(Vec<u8>, VerifiedReceipt), Refused> {
        (self.receipts)(&mut zip);
        for chunk in zip.chunks(1000) {
            client.chunk(chunk).by_client()?;
        }
        self.saw(&[&client]);
        let (zip, receipt) = client.finish().by_client()?;
        self.saw(&[&receipt]);
        Ok((zip, receipt))
    }

    /// The refusal with which the run must end.
    #[track_caller]
    pub(crate) fn refused(self, what: &str) -> Refused {
        match self.go() {
            Ok(_) => panic!("accepted: {what}"),
            Err(refused) => refused,
        }
    }

    fn channel(&self) -> Channel {
        Channel {
            exporter: EXPORTER,
            service: self.group.policy.service.clone(),
            client_certificate: self.client_certificate,
        }
    }

    fn client(&self) -> ExpectGreeting {
        ExpectGreeting::new(
            self.trust.clone(),
            self.group.policy.service.clone(),
            self.exporter,
            self.group.members.clone(),
        )
    }

    pub(crate) fn request(&mut self, mut request: Request) -> Request {
        (self.requests)(&mut request);
        self.saw(&[&request]);
        over_the_wire(&request)
    }

    pub(crate) fn reply(&mut self, mut reply: Reply) -> Reply {
        (self.replies)(&mut reply);
        self.saw(&[&reply]);
        over_the_wire(&reply)
    }

    fn saw(&mut self, states: &[&dyn Debug]) {
        states.iter().for_each(|state| (self.watch)(*state));
    }
}

impl Refused {
    /// Checks who refused, where and for what reason.
    #[track_caller]
    pub(crate) fn is(&self, what: &str, by: Side, step: Step, code: Code) -> &Refusal {
        let found = (self.by, self.refusal.step, self.refusal.code);
        assert_eq!(found, (by, step, code), "{what}: {}", self.refusal);
        &self.refusal
    }
}

/// The statement, where one must have come.
pub(crate) fn handed_in(wanted: Wanted) -> AcceptedStatement {
    match wanted {
        Wanted::HandIn(accepted) => *accepted,
        other => panic!("not a statement: {other:?}"),
    }
}

/// A statement that is committed now, number 6 of its log, with a day for its files.
pub(crate) fn committed(
    accepted: &AcceptedStatement,
    group: &Group<'_>,
) -> (Commitment, SignedEntry) {
    let (now, statement) = (group.campus.now(), accepted.statement());
    let (mode, assurance) = accepted.assurance();
    let signed = (accepted.bytes(), accepted.signatures());
    let entry = Entry::Committed(log_leaf::Committed::of(
        statement,
        signed,
        (mode, &assurance),
    ));
    let commitment = Commitment {
        index: 6,
        at: now,
        upload_until: from_seconds(now.as_secs() + 24 * 60 * 60),
    };
    let leaf = Leaf::new(
        LogName::of(statement).unwrap(),
        commitment.index,
        now,
        entry,
    );
    let TestIdentity { key, chain } = &group.blackboard;
    let leaf = leaf.unwrap().to_bytes().unwrap();
    (
        commitment,
        SignedEntry::sign(leaf, (key, chain), now).unwrap(),
    )
}

/// What members are told when CUHK is away.
fn away(step: Step) -> Refusal {
    Refusal::new(Code::CuhkUnavailable, step).retry_after(3)
}

/// The receipt that Blackboard gives, and nothing else, for a verified submission.
pub(crate) fn receipt(group: &Group<'_>, submission: &VerifiedSubmission) -> Vec<u8> {
    let Group { blackboard, .. } = group;
    let evidence = Evidence::collect(submission, &blackboard.chain, &group.trust);
    let leaf = accepted_by(&evidence, submission.statement(), blackboard, group);
    build(&evidence, &leaf, None).unwrap()
}

/// The log entry that accepts this, number 7 of its log, signed by `service`.
pub(crate) fn accepted_by(
    evidence: &Evidence,
    statement: &Statement,
    service: &TestIdentity,
    group: &Group<'_>,
) -> SignedLeaf {
    let (number, now) = (SubmissionNumber::new(1).unwrap(), group.campus.now());
    let committed = CommittedAt {
        index: Some(6),
        at: now,
    };
    let entry = accepted_entry(evidence, statement, number, committed, None);
    let leaf = Leaf::new(LogName::of(statement).unwrap(), 7, now, entry).unwrap();
    let leaf = leaf.to_bytes().unwrap();
    SignedLeaf::sign(leaf, (&service.key, &service.chain), now).unwrap()
}

/// What precedes a receipt.
pub(crate) fn announce(zip: &[u8]) -> Reply {
    Reply::Receipt {
        number: SubmissionNumber::new(1).unwrap(),
        size: zip.len() as u64,
        sha256: Fingerprint::of(zip),
    }
}

/// The message as it arrives.
pub(crate) fn over_the_wire<M: Message>(message: &M) -> M {
    let mut buffer = BytesMut::new();
    let frame = encode(message, Step::Three).unwrap();
    frame.encode(&mut buffer, Step::Three).unwrap();
    let Some(Frame::Message(payload)) = Frame::decode(&mut buffer, Step::Three).unwrap() else {
        panic!("not one message");
    };
    decode(&payload, Step::Three).unwrap()
}

trait By<T> {
    fn by_client(self) -> Result<T, Refused>;
    fn by_server(self) -> Result<T, Refused>;
}

impl<T> By<T> for Result<T, Refusal> {
    fn by_client(self) -> Result<T, Refused> {
        self.map_err(|refusal| Refused {
            by: Side::Client,
            refusal,
        })
    }

    fn by_server(self) -> Result<T, Refused> {
        self.map_err(|refusal| Refused {
            by: Side::Server,
            refusal,
        })
    }
}
