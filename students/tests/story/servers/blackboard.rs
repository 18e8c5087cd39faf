//! Blackboard: takes in a group and what it hands in.

use std::sync::Arc;

use bytes::Bytes;
use scb_certs::{Fingerprint, StudentId};
use scb_protocol::message::blackboard;
use scb_protocol::server::{
    AcceptedStatement, ExpectPresentation, ExpectRequest, Inquiry, Outage, Policy,
    VerifiedSubmission, Wanted,
};
use scb_protocol::{Channel, Code, Frame, Question, Refusal, Step, decode, from_seconds};
use scb_transport::Connection;

use super::desk::Stored;
use super::{Desk, Fault, PATIENCE};

pub(super) async fn serve(mut connection: Connection, desk: Arc<Desk>) {
    match take_in(&mut connection, &desk).await {
        Err(refusal) if refusal.code != Code::ConnectionLost => connection.refuse(&refusal).await,
        _ => connection.close().await,
    }
}

async fn take_in(connection: &mut Connection, desk: &Desk) -> Result<(), Refusal> {
    let state = ExpectPresentation::new(policy(desk), channel(connection, desk))?;
    let time = match desk.take(Fault::OtherTime) {
        true => from_seconds(desk.now().as_secs() - 1800),
        false => desk.now(),
    };
    connection.send(&state.greeting(time)).await?;
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
    first_on_hold(desk, state.question())?;
    let then = match desk.is_stale() {
        true => from_seconds(desk.now().as_secs() - 600),
        false => desk.now(),
    };
    let answer = desk.verification(state.question());
    let (state, reply) = state.handle(&answer, &desk.trust, then)?;
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

fn first_on_hold(desk: &Desk, question: &Question) -> Result<(), Refusal> {
    let first: StudentId = "1155000001".parse().unwrap();
    let is_on_hold = *desk.fault.lock().unwrap() == Some(Fault::FirstOnHold);
    match is_on_hold && question.members.iter().any(|one| one.sid == first) {
        true => Err(Refusal::new(Code::CertificateOnHold, Step::Three).about(&first)),
        false => Ok(()),
    }
}

/// Answers what can be handed in until a statement comes.
async fn statement(
    connection: &mut Connection,
    desk: &Desk,
    mut state: ExpectRequest,
) -> Result<AcceptedStatement, Refusal> {
    desk.asked.lock().unwrap().push(Vec::new());
    loop {
        match state.handle(connection.receive(Step::Six, PATIENCE).await?)? {
            Wanted::HandIn(accepted) => return Ok(*accepted),
            Wanted::Know(Inquiry::Proposals { .. }, next) => {
                let reply = blackboard::Reply::Proposals {
                    time: desk.now().as_secs(),
                    count: 0,
                    proposals: Vec::new(),
                    left_out: Vec::new(),
                    unjudged: Vec::new(),
                };
                connection.send(&reply).await?;
                state = *next;
            }
            other
            @ (Wanted::Propose(_) | Wanted::Sign(_) | Wanted::Fetch(..) | Wanted::End(..)) => {
                panic!("not expected here: {other:?}")
            }
            Wanted::Know(
                Inquiry::History { .. } | Inquiry::Download { .. } | Inquiry::RefusalProof { .. },
                _,
            ) => {
                return Err(Refusal::new(Code::SubmissionUnknown, Step::Six));
            }
            Wanted::Know(Inquiry::Proof { submission }, next) => {
                let proof = desk.told_proof(submission);
                let reply = blackboard::Reply::Proof { proof, lists: 0 };
                connection.send(&reply).await?;
                state = *next;
            }
            Wanted::Know(Inquiry::Grades { .. }, next) => {
                let grades = Vec::new();
                let reply = blackboard::Reply::Grades { count: 0, grades };
                connection.send(&reply).await?;
                state = *next;
            }
            Wanted::Know(Inquiry::Assignments { .. }, next) => {
                let listed = desk.announced();
                let reply = blackboard::Reply::Assignments {
                    time: desk.now().as_secs(),
                    count: u32::try_from(listed.len()).unwrap(),
                    assignments: listed,
                    altered: desk.altered.lock().unwrap().clone(),
                };
                connection.send(&reply).await?;
                state = *next;
            }
        }
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
    let (commitment, entry) = desk.commit(&accepted);
    let have = vec![blackboard::Received::nothing()];
    let (state, reply) = accepted.committed(commitment, entry, have);
    connection.send(&reply).await?;
    if desk.take(Fault::LoseFiles) {
        return Err(Refusal::new(Code::ConnectionLost, Step::Six));
    }
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
        let middle = stored.receipt.len() / 4;
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
