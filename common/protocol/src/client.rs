//! The student's side of steps 3 to 6: one struct per expected message.
//!
//! Each `handle` consumes the state and returns the next one with what to send. The client
//! believes no more than the server does: it verifies CUHK's answer and the receipt itself.

mod confirmation;
mod grades;
mod greeting;
mod proof;
mod proposal;
mod reading;
mod receipt;
mod shares;
mod upload;

use std::fmt;

use scb_certs::{Chain, SigningKey, StudentId};

pub use confirmation::{
    Assignments, ExpectAssignments, ExpectConfirmed, ExpectProof, Session, sign, state,
};
pub use grades::{ExpectGrades, Told};
pub use greeting::ExpectGreeting;
pub use proof::ReceivingProof;
pub use proposal::{
    ExpectEnded, ExpectOutcome, ExpectProposals, ExpectProposed, ExpectSigned, LeftOut, Outcome,
    Proposals, Proposed, ProposedAnswer, SignedAnswer, ToldProposal,
};
pub use reading::{Downloading, ExpectDownload, ExpectHistory, History};
pub use receipt::{ExpectReceipt, ReceivingReceipt, Sent};
pub use shares::ExpectShares;
pub use upload::{Answer, Committed, ExpectCommitted, SendingContent, SignedCommitment};

use crate::message::cuhk::MemberQuestion;
use crate::statement::StatedMember;

/// A member whose key is on this machine. `Debug` prints neither key nor token.
#[derive(Clone)]
pub struct Member {
    /// The student ID.
    pub sid: StudentId,
    /// Leaf and issuer.
    pub chain: Chain,
    /// The certified key.
    pub key: SigningKey,
    /// The identity token (JWT).
    pub token: String,
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member")
            .field("sid", &self.sid)
            .field("chain", &self.chain)
            .finish_non_exhaustive()
    }
}

/// A group as a statement names it of which only some are here: with the certificates of those.
pub fn stated<'a>(
    group: impl IntoIterator<Item = &'a StudentId>,
    here: &[Member],
) -> Vec<StatedMember> {
    let stated = |sid: &StudentId| match here.iter().find(|member| member.sid == *sid) {
        Some(member) => named(std::slice::from_ref(member)).remove(0).into(),
        None => StatedMember::elsewhere(sid.clone()),
    };
    group.into_iter().map(stated).collect()
}

/// The members as statements and questions name them.
pub fn named(members: &[Member]) -> Vec<MemberQuestion> {
    let name = |member: &Member| MemberQuestion {
        sid: member.sid.clone(),
        cert_sha256: member.chain.leaf().fingerprint(),
    };
    members.iter().map(name).collect()
}
