//! Step 6 of a group whose members are not on one machine: proposing, signing, saying no.

use std::sync::Arc;

use rustls_pki_types::UnixTime;
use scb_certs::{DetachedSignature, Fingerprint, StudentId, TrustStore};

use super::receipt::{ReceivingReceipt, Sent, misbehaved};
use super::upload::{SendingContent, check};
use super::{ExpectReceipt, Session, SignedCommitment};
use crate::announcement::{SignedAnnouncement, check_proposed};
use crate::commitment::{Stated, VerifiedCommitment};
use crate::message::blackboard::{Received, Reply, Request};
use crate::message::proposal::{
    CosignerStanding, ListedProposal, ProposalStanding, Reason, Said, UnjudgedProposal,
};
use crate::message::{Reply as _, unexpected};
use crate::statement::{Statement, SubmissionId};
use crate::time::from_seconds;
use crate::values::Der;
use crate::{Code, Refusal, Step};

impl Session {
    /// Asks for the proposals that name these members, from the how-manyth on.
    pub fn ask_proposals(self, from: u32) -> (ExpectProposals, Request) {
        let next = ExpectProposals {
            session: self,
            from,
        };
        (next, Request::Proposals { from })
    }

    /// Proposes a statement that the members here have signed and others are to sign.
    ///
    /// # Errors
    ///
    /// `statement_invalid` if it is not one or not UTF-8.
    pub fn propose(
        self,
        statement: &[u8],
        signatures: Vec<u8>,
    ) -> Result<(ExpectProposed, Request), Refusal> {
        let mac = self.key.statement_mac(statement);
        let (sent, text) = sent(self.trust, statement)?;
        let request = Request::Propose {
            mac,
            statement: text,
            signatures: Der::new(signatures),
        };
        Ok((ExpectProposed { sent }, request))
    }

    /// Signs what others have proposed.
    ///
    /// # Errors
    ///
    /// As [`Session::propose`].
    pub fn sign_proposal(
        self,
        statement: &[u8],
        signatures: Vec<u8>,
    ) -> Result<(ExpectSigned, Request), Refusal> {
        let mac = self.key.statement_mac(statement);
        let (sent, text) = sent(self.trust, statement)?;
        let request = Request::Sign {
            mac,
            statement: text,
            signatures: Der::new(signatures.clone()),
        };
        let next = ExpectSigned {
            sent,
            statement: statement.to_vec(),
            signatures,
        };
        Ok((next, request))
    }

    /// Puts an end to a proposal: declines it, or takes back what was signed.
    pub fn end_proposal(
        self,
        submission: SubmissionId,
        reason: Option<Reason>,
    ) -> (ExpectEnded, Request) {
        let next = ExpectEnded { submission };
        (next, Request::EndProposal { submission, reason })
    }

    /// Asks for the receipt of a submission of these members with this statement.
    ///
    /// # Errors
    ///
    /// As [`Session::propose`].
    pub fn ask_receipt(self, statement: &[u8]) -> Result<(ExpectReceipt, Request), Refusal> {
        let (sent, _) = sent(self.trust, statement)?;
        let submission = sent.statement.submission;
        Ok((ExpectReceipt::new(sent), Request::Fetch { submission }))
    }
}

fn sent(trust: Arc<TrustStore>, statement: &[u8]) -> Result<(Sent, String), Refusal> {
    let text = String::from_utf8(statement.to_vec())
        .map_err(|_| Refusal::new(Code::StatementInvalid, Step::Six))?;
    let sent = Sent {
        trust,
        statement: Statement::parse(statement)?,
        committed_at: None,
    };
    Ok((sent, text))
}

/// Waits for `proposals`.
#[derive(Debug)]
pub struct ExpectProposals {
    session: Session,
    from: u32,
}

/// A proposal whose statement could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldProposal {
    /// What is to be signed.
    pub statement: Statement,
    /// As Blackboard told it, with the statement's exact bytes.
    pub listed: ListedProposal,
    /// Whose signature of this very statement was shown and verifies, in the order of the statement: of
    /// the others who have signed there is only Blackboard's word.
    pub proved: Vec<StudentId>,
    /// The entries of the log that say by which rules it will be judged, the rules first, then the extensions that
    /// came with an entry: verified, to be kept. None where Blackboard's word is all there is.
    pub announced: Vec<SignedAnnouncement>,
}

/// A proposal that is not shown, which keeps nobody from the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The submission ID that its statement has.
    pub submission: SubmissionId,
    /// `stored_damaged`: what Blackboard has stored of it was altered, or a signature that it shows is not one of the
    /// proposal; `rules_altered`, `rules_unsigned`: so it is with the rules of its assignment.
    pub why: Refusal,
    /// How it stands, where only rules are wrong: whoever ends it needs none.
    pub standing: Option<ProposalStanding>,
}

impl LeftOut {
    fn damaged(submission: SubmissionId) -> Self {
        Self {
            submission,
            why: Refusal::new(Code::StoredDamaged, Step::Six).with("submission", submission),
            standing: None,
        }
    }
}

impl From<UnjudgedProposal> for LeftOut {
    fn from(one: UnjudgedProposal) -> Self {
        let place = format!("{}/{}", one.course, one.assignment);
        Self {
            submission: one.standing.submission,
            why: Refusal::new(Code::RulesAltered, Step::Six).with("assignment", place),
            standing: Some(one.standing),
        }
    }
}

/// Some of the proposals, as Blackboard tells of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposals {
    /// The time by Blackboard's clock.
    pub time: UnixTime,
    /// From the one that was asked for on.
    pub told: Vec<ToldProposal>,
    /// Those that are not shown.
    pub left_out: Vec<LeftOut>,
    /// From which one to ask on, counted from 0; `None` if these were the last.
    pub next: Option<u32>,
}

impl ExpectProposals {
    /// The session goes on.
    ///
    /// # Errors
    ///
    /// The server's refusal, `unexpected_message`, or `server_misbehaved`: what it tells of a
    /// proposal is not about its statement, or there are more and none was told. One that cannot be shown, as by
    /// rules that were not signed, keeps nobody from the others.
    pub fn handle(self, reply: Reply, now: UnixTime) -> Result<(Session, Proposals), Refusal> {
        let reply = reply.accepted()?;
        let Reply::Proposals {
            time,
            count,
            proposals,
            left_out,
            unjudged,
        } = reply
        else {
            return Err(unexpected("proposals", &reply, Step::Six));
        };
        let listed = proposals.len() + left_out.len() + unjudged.len();
        let listed = u32::try_from(listed).unwrap_or(u32::MAX);
        let reached = self.from.saturating_add(listed);
        if listed == 0 && reached < count {
            return Err(misbehaved("there are more proposals, but none was told"));
        }
        let mut told = Vec::new();
        let damaged = left_out.into_iter().map(LeftOut::damaged);
        let mut left_out: Vec<_> = damaged.collect();
        left_out.extend(unjudged.into_iter().map(LeftOut::from));
        for one in proposals {
            told.extend(self.read(one, now, &mut left_out)?);
        }
        let answer = Proposals {
            time: from_seconds(time),
            told,
            left_out,
            next: (reached < count).then_some(reached),
        };
        Ok((self.session, answer))
    }

    /// Nobody is shown, or signs, what is meant for another service; nor what is shown with a signature of
    /// something else, or by other rules than were signed.
    fn read(
        &self,
        listed: ListedProposal,
        now: UnixTime,
        left_out: &mut Vec<LeftOut>,
    ) -> Result<Option<ToldProposal>, Refusal> {
        let statement = Statement::parse(listed.statement.as_bytes())?;
        about(&listed.standing, &statement)?;
        if statement.service != *self.session.service() {
            return Err(misbehaved("a proposal is for another service"));
        }
        let announced = match check_proposed(&listed, &statement, self.session.trust(), now) {
            Ok(announced) => announced,
            Err(why) => {
                left_out.push(LeftOut {
                    submission: statement.submission,
                    why,
                    standing: Some(listed.standing),
                });
                return Ok(None);
            }
        };
        let Some(proved) = proved(&listed, &self.session.trust) else {
            left_out.push(LeftOut::damaged(statement.submission));
            return Ok(None);
        };
        Ok(Some(ToldProposal {
            statement,
            listed,
            proved,
            announced,
        }))
    }
}

/// Who has signed the statement by the signatures that were shown with it. A certificate is judged as
/// of the moment when its signature came; one that does not hold proves nothing. `None` if a signature is
/// not one of this statement.
fn proved(listed: &ListedProposal, trust: &TrustStore) -> Option<Vec<StudentId>> {
    let Some(signatures) = &listed.signatures else {
        return Some(Vec::new());
    };
    let shown = DetachedSignature::parse(signatures.as_bytes());
    let shown = shown.and_then(|shown| shown.verify(listed.statement.as_bytes()));
    let signers = shown.ok()?;
    let has_signed = |member: &&CosignerStanding| {
        let Some(at) = member.at.filter(|_| member.said == Said::Signed) else {
            return false;
        };
        let mut students = signers
            .iter()
            .filter_map(|signer| trust.verify_student(&signer.chain, at).ok());
        students.any(|student| *student.sid() == member.sid)
    };
    let signed = listed.standing.members.iter().filter(has_signed);
    Some(signed.map(|member| member.sid.clone()).collect())
}

/// What is told of a proposal is about this statement.
fn about(standing: &ProposalStanding, statement: &Statement) -> Result<(), Refusal> {
    let told = standing.members.iter().map(|member| &member.sid);
    let stated = statement.members.iter().map(|member| &member.sid);
    match standing.submission == statement.submission && told.eq(stated) {
        true => Ok(()),
        false => Err(misbehaved("what it tells is about another proposal")),
    }
}

/// Waits for `proposed`, or for the receipt of what is a submission already.
#[derive(Debug)]
pub struct ExpectProposed {
    sent: Sent,
}

/// What the server says to a proposal.
#[derive(Debug)]
pub enum ProposedAnswer {
    /// It is recorded; the content may come.
    Proposed(Proposed),
    /// It is stored already; the receipt follows.
    AlreadyStored(ReceivingReceipt),
}

impl ExpectProposed {
    /// # Errors
    ///
    /// The server's refusal, `unexpected_message`, or `server_misbehaved`.
    pub fn handle(self, reply: Reply) -> Result<ProposedAnswer, Refusal> {
        match reply.accepted()? {
            Reply::Proposed { proposal, have } => {
                about(&proposal, &self.sent.statement)?;
                check(&have, &self.sent.statement)?;
                let sent = self.sent;
                Ok(ProposedAnswer::Proposed(Proposed {
                    sent,
                    proposal,
                    have,
                }))
            }
            reply @ Reply::Receipt { .. } => {
                ReceivingReceipt::new(self.sent, reply).map(ProposedAnswer::AlreadyStored)
            }
            reply => Err(unexpected("proposed", &reply, Step::Six)),
        }
    }
}

/// The proposal is recorded. What the server has of the files is to be compared with them.
#[derive(Debug)]
pub struct Proposed {
    sent: Sent,
    proposal: ProposalStanding,
    have: Vec<Received>,
}

impl Proposed {
    /// The statement.
    pub fn statement(&self) -> &Statement {
        &self.sent.statement
    }

    /// How it stands.
    pub fn standing(&self) -> &ProposalStanding {
        &self.proposal
    }

    /// What the server has of each file.
    pub fn have(&self) -> &[Received] {
        &self.have
    }

    /// As [`super::Committed::upload`].
    pub fn upload(self, own: &[Fingerprint]) -> (SendingContent<ExpectOutcome>, Request) {
        SendingContent::begin(self.sent, &self.have, own)
    }
}

/// Waits for the server's signed word that the last signatures were these; else as [`ExpectOutcome`].
#[derive(Debug)]
pub struct ExpectSigned {
    sent: Sent,
    statement: Vec<u8>,
    signatures: Vec<u8>,
}

/// What the server says to signatures.
#[derive(Debug)]
pub enum SignedAnswer {
    /// They were the last: its signed word for that, to be kept; what came of it follows.
    Recorded(Box<SignedCommitment>, ExpectOutcome),
    /// What has come of it.
    Outcome(Outcome),
}

impl ExpectSigned {
    /// # Errors
    ///
    /// As [`ExpectOutcome::handle`]; `commitment_invalid`.
    pub fn handle(self, reply: Reply, now: UnixTime) -> Result<SignedAnswer, Refusal> {
        let outcome = ExpectOutcome { sent: self.sent };
        let Reply::Signed { entry } = reply else {
            return outcome.handle(reply).map(SignedAnswer::Outcome);
        };
        let sent = Stated {
            statement: &self.statement,
            signatures: &self.signatures,
        };
        let judge = (&*outcome.sent.trust, now);
        let (zip, commitment) = VerifiedCommitment::of_signatures(&entry, sent, judge)?;
        let word = SignedCommitment { zip, commitment };
        let sent = Sent {
            committed_at: Some(word.commitment.committed_at()),
            ..outcome.sent
        };
        Ok(SignedAnswer::Recorded(
            Box::new(word),
            ExpectOutcome { sent },
        ))
    }
}

/// Waits for how the proposal stands, or for the receipt if it is complete.
#[derive(Debug)]
pub struct ExpectOutcome {
    sent: Sent,
}

impl From<Sent> for ExpectOutcome {
    fn from(sent: Sent) -> Self {
        Self { sent }
    }
}

/// What has come of a proposal.
#[derive(Debug)]
pub enum Outcome {
    /// It waits, for signatures or files.
    Waits(ProposalStanding),
    /// It is a submission; the receipt follows.
    Complete(Box<ReceivingReceipt>),
}

impl ExpectOutcome {
    /// # Errors
    ///
    /// The server's refusal, `unexpected_message` or `server_misbehaved`.
    pub fn handle(self, reply: Reply) -> Result<Outcome, Refusal> {
        match reply.accepted()? {
            Reply::Proposal { proposal } => {
                about(&proposal, &self.sent.statement)?;
                Ok(Outcome::Waits(proposal))
            }
            reply @ Reply::Receipt { .. } => ReceivingReceipt::new(self.sent, reply)
                .map(|receipt| Outcome::Complete(Box::new(receipt))),
            reply => Err(unexpected("proposal", &reply, Step::Six)),
        }
    }
}

/// Waits for how the proposal stands that was ended.
#[derive(Debug)]
pub struct ExpectEnded {
    submission: SubmissionId,
}

impl ExpectEnded {
    /// # Errors
    ///
    /// The server's refusal, `unexpected_message` or `server_misbehaved`.
    pub fn handle(self, reply: Reply) -> Result<ProposalStanding, Refusal> {
        match reply.accepted()? {
            Reply::Proposal { proposal } if proposal.submission == self.submission => Ok(proposal),
            Reply::Proposal { .. } => Err(misbehaved("what it tells is about another proposal")),
            reply => Err(unexpected("proposal", &reply, Step::Six)),
        }
    }
}
