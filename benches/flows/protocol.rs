//! Steps 3 to 6 for three members without a socket, a file or a database: the states of both
//! sides, every message encoded and decoded, the receipt built and verified.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use scb_certs::{Fingerprint, ServiceName, ServiceUsage, SpiffeId, TrustStore};
use scb_protocol::client::{Answer, ExpectGreeting, Member, named, sign, state};
use scb_protocol::log_leaf::{Committed, Entry, Leaf, LogName};
use scb_protocol::message::blackboard::{Received, Reply};
use scb_protocol::receipt::{
    CommittedAt, Evidence, SignedEntry, SignedLeaf, VerifiedReceipt, accepted_entry, build,
};
use scb_protocol::server::{
    AcceptedStatement, Commitment, ExpectPresentation, Outage, Policy, VerifiedSubmission, Wanted,
};
use scb_protocol::statement::{FileEntry, SubmissionId, SubmissionNumber};
use scb_protocol::values::Nonce;
use scb_protocol::{
    Channel, Frame, MAX_PAYLOAD, MemberAnswer, Message, Question, Step, TokenRequest, decode,
    encode, issue_token, issue_verification,
};
use scb_testkit::{TestCampus, TestIdentity};

use crate::measure::{Effort, Spread, micros};
use crate::operations::Sum;

pub const THREE: [&str; 3] = ["1155000001", "1155000002", "1155000003"];

pub fn name(path: &str) -> SpiffeId {
    format!("spiffe://campus.test/{path}").parse().unwrap()
}

/// Students with tokens, CUHK's token signer and Blackboard.
pub struct Group<'a> {
    campus: &'a TestCampus,
    pub members: Vec<Member>,
    cuhk: TestIdentity,
    blackboard: TestIdentity,
    policy: Arc<Policy>,
}

impl<'a> Group<'a> {
    pub fn of(campus: &'a TestCampus, sids: &[&str]) -> Self {
        let cuhk = campus.token_signer();
        Self {
            members: sids.iter().map(|sid| member(campus, &cuhk, sid)).collect(),
            cuhk,
            blackboard: campus.service("blackboard"),
            policy: Arc::new(Policy {
                service: name("service/blackboard"),
                max_members: 3,
                max_bytes: 1 << 20,
                outage: Outage::Refuse,
            }),
            campus,
        }
    }

    /// A question about all members.
    pub fn question(&self) -> Question {
        Question {
            nonce: Nonce::random().unwrap(),
            members: named(&self.members),
            statement_sha256: None,
        }
    }

    /// CUHK's signed answer: all are active.
    pub fn answer(&self, question: &Question) -> String {
        let answer = |member: &scb_protocol::message::cuhk::MemberQuestion| MemberAnswer {
            sid: member.sid.clone(),
            cert_sha256: member.cert_sha256,
            inactive: None,
            checked_at: self.campus.now(),
        };
        issue_verification(
            &name("service/cuhk"),
            &self.policy.service,
            question.repeated(),
            &question.members.iter().map(answer).collect::<Vec<_>>(),
            self.campus.now(),
            &self.cuhk.key,
            &self.cuhk.chain,
        )
        .unwrap()
    }

    /// A trust store as a running Blackboard has it after the handshake: it knows CUHK's token
    /// signer, Blackboard itself and the first member, and nobody else of the group.
    fn trust(&self) -> Arc<TrustStore> {
        let (trust, now) = (self.campus.trust(), self.campus.now());
        for (chain, service, usage) in [
            (&self.cuhk.chain, ServiceName::cuhk(), ServiceUsage::Token),
            (
                &self.blackboard.chain,
                ServiceName::blackboard(),
                ServiceUsage::Signature,
            ),
        ] {
            trust.verify_service(chain, &service, usage, now).unwrap();
        }
        trust.verify_student(&self.members[0].chain, now).unwrap();
        trust
    }

    /// The log entry that a running Blackboard signs before the files come.
    fn committed(&self, accepted: &AcceptedStatement, commitment: Commitment) -> SignedEntry {
        let (mode, assurance) = accepted.assurance();
        let (statement, at) = (accepted.statement(), commitment.at);
        let signed = (accepted.bytes(), accepted.signatures());
        let entry = Entry::Committed(Committed::of(statement, signed, (mode, &assurance)));
        let log = LogName::of(statement).unwrap();
        let leaf = Leaf::new(log, commitment.index, at, entry).unwrap();
        let signer = (&self.blackboard.key, &self.blackboard.chain);
        SignedEntry::sign(leaf.to_bytes().unwrap(), signer, at).unwrap()
    }

    fn receipt(&self, submission: &VerifiedSubmission, trust: &TrustStore) -> Vec<u8> {
        let Self { blackboard, .. } = self;
        let evidence = Evidence::collect(submission, &blackboard.chain, trust);
        let (statement, at) = (submission.statement(), self.campus.now());
        let number = SubmissionNumber::new(1).unwrap();
        let committed = CommittedAt { index: None, at };
        let entry = accepted_entry(&evidence, statement, number, committed, None);
        let leaf = Leaf::new(LogName::of(statement).unwrap(), 0, at, entry).unwrap();
        let signer = (&blackboard.key, &blackboard.chain);
        let leaf = SignedLeaf::sign(leaf.to_bytes().unwrap(), signer, at).unwrap();
        build(&evidence, &leaf, None).unwrap()
    }
}

fn member(campus: &TestCampus, cuhk: &TestIdentity, sid: &str) -> Member {
    let student = campus.student(sid);
    let request = TokenRequest {
        issuer: &name("service/cuhk"),
        audience: &name("service/blackboard"),
        subject: &name(&format!("student/{sid}")),
        certificate: student.leaf(),
        now: campus.now(),
    };
    Member {
        sid: sid.parse().unwrap(),
        token: issue_token(&request, &cuhk.key, &cuhk.chain).unwrap(),
        chain: student.chain,
        key: student.key,
    }
}

/// The file that is handed in when no report is given.
pub fn submission_txt(sids: &[impl AsRef<str>]) -> Vec<u8> {
    let lines = |sid: &str| format!("This is submission from {sid}\n").repeat(10);
    let text: String = sids.iter().map(|sid| lines(sid.as_ref())).collect();
    text.into_bytes()
}

/// Microseconds of one hand-in on each side.
pub struct Alone {
    blackboard: Spread,
    cuhk: Spread,
    student: Spread,
    receipt: usize,
}

/// Who works at the moment.
#[derive(Default)]
struct Stopwatch {
    blackboard: Duration,
    cuhk: Duration,
    student: Duration,
}

fn timed<T>(spent: &mut Duration, work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let result = work();
    *spent += started.elapsed();
    result
}

/// Measures whole hand-ins of one group, each by a trust store that has not seen it.
pub fn measure(effort: &Effort) -> Alone {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let (mut receipt, _) = hand_in(&group);
    let mut sides = [const { Vec::new() }; 3];
    for _ in 0..effort.rounds {
        let (mut spent, mut calls) = ([Duration::ZERO; 3], 0u32);
        while spent.iter().sum::<Duration>() < effort.round {
            let (size, watch) = hand_in(&group);
            receipt = size;
            for (spent, more) in spent
                .iter_mut()
                .zip([watch.blackboard, watch.cuhk, watch.student])
            {
                *spent += more;
            }
            calls += 1;
        }
        for (side, spent) in sides.iter_mut().zip(spent) {
            side.push(micros(spent) / f64::from(calls));
        }
    }
    let [blackboard, cuhk, student] = sides.map(Spread::of);
    Alone {
        blackboard,
        cuhk,
        student,
        receipt,
    }
}

/// One hand-in; returns the receipt's size and who took how long.
fn hand_in(group: &Group<'_>) -> (usize, Stopwatch) {
    let mut watch = Stopwatch::default();
    let (now, trust) = (group.campus.now(), group.trust());
    let service = group.policy.service.clone();
    let channel = Channel {
        exporter: [1; 32],
        service: service.clone(),
        client_certificate: group.members[0].chain.leaf().fingerprint(),
    };
    let content = submission_txt(&THREE);
    let w = &mut watch;

    // Steps 3 and 4.
    let (server, greeting) = timed(&mut w.blackboard, || {
        let server = ExpectPresentation::new(group.policy.clone(), channel).unwrap();
        let greeting = to_wire(&server.greeting(now));
        (server, greeting)
    });
    let (client, present) = timed(&mut w.student, || {
        let known = group.campus.trust_without_crls();
        let client = ExpectGreeting::new(known, service.clone(), [1; 32], group.members.clone());
        let (client, request) = client.handle(from_wire(greeting)).unwrap();
        (client, to_wire(&request))
    });
    let server = timed(&mut w.blackboard, || {
        server.handle(from_wire(present), &trust, now).unwrap()
    });
    let answer = timed(&mut w.cuhk, || group.answer(server.question()));
    let (server, shares) = timed(&mut w.blackboard, || {
        let (server, reply) = server.handle(&answer, &trust, now).unwrap();
        (server, to_wire(&reply))
    });

    // Step 5.
    let (client, confirm) = timed(&mut w.student, || {
        let (client, request) = client.handle(from_wire(shares), now).unwrap();
        (client, to_wire(&request))
    });
    let (server, confirmed) = timed(&mut w.blackboard, || {
        let (server, reply) = server.handle(from_wire(confirm)).unwrap();
        (server, to_wire(&reply))
    });

    // Step 6.
    let (client, submit) = timed(&mut w.student, || {
        let session = client.handle(from_wire(confirmed)).unwrap();
        let file = FileEntry {
            name: "submission.txt".parse().unwrap(),
            size: content.len() as u64,
            sha256: Fingerprint::of(&content),
        };
        let assignment = ("SANDBOX".parse().unwrap(), "lab".parse().unwrap());
        let id = SubmissionId::random().unwrap();
        let statement = state(&group.members, &service, assignment, file, id).unwrap();
        let signatures = sign(&statement, &group.members, now).unwrap();
        let (client, request) = session.submit(&statement, signatures).unwrap();
        (client, to_wire(&request))
    });
    let (server, committed) = timed(&mut w.blackboard, || {
        let Wanted::HandIn(accepted) = server.handle(from_wire(submit)).unwrap() else {
            panic!("a statement was sent");
        };
        let commitment = Commitment {
            index: 0,
            at: now,
            upload_until: now,
        };
        let entry = group.committed(&accepted, commitment);
        let (server, reply) = accepted.committed(commitment, entry, vec![Received::nothing()]);
        (server, to_wire(&reply))
    });
    let (client, upload, end) = timed(&mut w.student, || {
        let Answer::Committed(client) = client.handle(from_wire(committed), now).unwrap() else {
            panic!("stored already");
        };
        let (client, upload) = client.upload(&[]);
        let (client, end) = client.end();
        (client, to_wire(&upload), to_wire(&end))
    });
    let server = timed(&mut w.blackboard, || {
        let mut server = server.handle(from_wire(upload)).unwrap();
        server.chunk(content.len()).unwrap();
        let sha256 = [Fingerprint::of(&content)];
        server.handle(from_wire(end), &sha256).unwrap()
    });
    let answer = timed(&mut w.cuhk, || group.answer(server.question()));
    let (zip, receipt) = timed(&mut w.blackboard, || {
        let submission = server.handle(&answer, &trust, now).unwrap();
        // What the handler does before it stores.
        for chain in submission.chains() {
            trust.verify_student(chain, now).unwrap();
        }
        let zip = group.receipt(&submission, &trust);
        // And before it gives the receipt out.
        VerifiedReceipt::verify_by(&zip, &trust).unwrap();
        let receipt = to_wire(&Reply::Receipt {
            number: SubmissionNumber::new(1).unwrap(),
            size: zip.len() as u64,
            sha256: Fingerprint::of(&zip),
        });
        (zip, receipt)
    });
    timed(&mut w.student, || {
        let mut receiving = client.handle(from_wire(receipt)).unwrap();
        for chunk in zip.chunks(MAX_PAYLOAD) {
            receiving.chunk(chunk).unwrap();
        }
        receiving.finish().unwrap()
    });
    (zip.len(), watch)
}

fn to_wire(message: &impl Message) -> BytesMut {
    let mut wire = BytesMut::new();
    let frame = encode(message, Step::Three).unwrap();
    frame.encode(&mut wire, Step::Three).unwrap();
    wire
}

fn from_wire<M: Message>(mut wire: BytesMut) -> M {
    match Frame::decode(&mut wire, Step::Three).unwrap() {
        Some(Frame::Message(payload)) => decode(&payload, Step::Three).unwrap(),
        _ => panic!("not one message"),
    }
}

/// Prints what a hand-in costs without sockets.
pub fn print(alone: &Alone, sum: &Sum) {
    println!(
        "\nthe protocol alone, one hand-in of three members ({} bytes of receipt), no handshake\n",
        alone.receipt
    );
    for (who, time) in [
        ("Blackboard", alone.blackboard),
        ("CUHK", alone.cuhk),
        ("students' program", alone.student),
    ] {
        let (low, high) = time.quartiles;
        println!("{who:20} {:8.0} µs  ({low:.0} – {high:.0})", time.median);
    }
    let servers = alone.blackboard.median + alone.cuhk.median;
    let all = servers + alone.student.median;
    println!(
        "servers {servers:.0} µs, all {all:.0} µs: {:.2} times the sum of the operations",
        all / sum.all()
    );
}
