//! What the messages of steps 3 to 6 say, as facts for whoever watches.

use scb_protocol::client::Committed;
use scb_protocol::message::blackboard::{Presented, Reply, Request};
use scb_protocol::statement::{Files, Statement};
use scb_protocol::values::Challenge;
use scb_protocol::{Assurance, Fact, PresentedMember, SignedStatement, Transcript1};

/// The challenge in Blackboard's greeting.
pub(super) fn challenge(greeting: &Reply) -> Option<Challenge> {
    match greeting {
        Reply::Greeting { challenge, .. } => Some(*challenge),
        _ => None,
    }
}

/// Step 3: the members present themselves.
pub(super) fn presented(
    challenge: Option<Challenge>,
    t1: Transcript1,
    request: &Request,
) -> Option<Fact> {
    let (Some(challenge), Request::Present { members }) = (challenge, request) else {
        return None;
    };
    let member = |member: &Presented| PresentedMember {
        sid: member.sid.clone(),
        certificate: member.chain.leaf().fingerprint(),
        session_key: member.session_key,
    };
    Some(Fact::Presented {
        challenge,
        t1,
        members: members.iter().map(member).collect(),
    })
}

/// Step 3: what stands behind the members was verified.
pub(super) fn assured(assurance: &Assurance) -> Option<Fact> {
    Some(match assurance {
        Assurance::Verified(verification) => Fact::AnswerVerified {
            nonce: verification.nonce(),
            issued_at: verification.issued_at(),
            members: verification.members().to_vec(),
        },
        Assurance::Tokens(tokens) => Fact::TokensCount {
            members: tokens.members(),
            until: tokens.until(),
        },
    })
}

/// Step 6: the statement has left, signed by so many.
pub(super) fn statement_sent(request: &Request, signatures: usize) -> Option<Fact> {
    let (Request::Submit { statement, mac, .. } | Request::Propose { statement, mac, .. }) =
        request
    else {
        return None;
    };
    let parsed = Statement::parse(statement.as_bytes()).ok()?;
    Some(Fact::StatementSent(SignedStatement {
        submission: parsed.submission,
        course: parsed.course,
        assignment: parsed.assignment,
        files: parsed.files,
        signatures,
        mac: *mac,
    }))
}

/// Step 6: the statement is recorded at Blackboard.
pub(super) fn committed(committed: &Committed, files: &Files) -> Fact {
    Fact::Committed {
        submission: committed.statement().submission,
        at: committed.at(),
        until: committed.upload_until(),
        have: committed.have().iter().map(|file| file.received).sum(),
        size: files.size(),
    }
}
