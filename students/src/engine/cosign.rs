//! Groups whose keys are on several machines: proposing, looking at what waits, signing it or not.

use std::sync::Arc;

use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, StudentId};
use scb_protocol::client::{
    ExpectOutcome, ExpectSigned, LeftOut, Member, Outcome, Proposed, ProposedAnswer, Session,
    SignedAnswer, ToldProposal, sign,
};
use scb_protocol::message::proposal::{ProposalStanding, ProposalState, Reason};
use scb_protocol::receipt::VerifiedReceipt;
use scb_protocol::server::MAX_QUESTIONS;
use scb_protocol::statement::{Statement, SubmissionId};
use scb_protocol::{Code, Fact, Refusal, Step};
use scb_transport::Clock;

use super::completion::good_receipts;
use super::facts;
use super::hand_in::{HandIn, KeptReceipt, Recorded, Talk, prefixes};
use super::links::{RECEIPT, REPLY};
use super::{Engine, keeping, tokens};
use super::{anew, commitment};
use crate::pending::{self, Pending};
use crate::{Error, Observer, Report, Setup};

/// What has come of something that several have to sign.
#[derive(Debug)]
pub enum HandedIn {
    /// It is handed in.
    Kept(Box<KeptReceipt>),
    /// It waits for others, and so stands.
    Waits(Box<ProposalStanding>),
}

impl HandedIn {
    /// The receipt, where nobody else had to sign.
    ///
    /// # Errors
    ///
    /// `server_misbehaved` if it waits all the same.
    pub fn kept(self) -> Result<KeptReceipt, Error> {
        match self {
            Self::Kept(kept) => Ok(*kept),
            Self::Waits(_) => {
                let refusal = Refusal::new(Code::ServerMisbehaved, Step::Six);
                Err(refusal.with("reason", "it waits for nobody").into())
            }
        }
    }
}

/// The proposals that name a student, as Blackboard told them.
#[derive(Debug, Clone)]
pub struct ToldProposals {
    /// The time by Blackboard's clock, which is the one that counts.
    pub time: UnixTime,
    /// The latest first.
    pub told: Vec<ToldProposal>,
    /// Those that are not shown, and why.
    pub left_out: Vec<LeftOut>,
}

/// Proposes what others are to sign as well. Until it is handed in, the same again goes on with it; what
/// Blackboard has damaged is proposed anew, where that costs nothing or somebody has agreed to it.
pub(super) async fn propose(
    setup: &mut Setup,
    clock: &Arc<dyn Clock>,
    members: &[Member],
    hand_in: &mut HandIn<'_>,
    observer: &mut Observer<'_>,
) -> Result<HandedIn, Error> {
    let proposed = propose_once(setup, clock, members, hand_in, observer).await;
    match proposed {
        Err(Error::Refused(refusal)) if anew::is_damaged(&refusal) => {
            anew::make_way(setup, (members, hand_in), refusal, observer)?;
            propose_once(setup, clock, members, hand_in, observer).await
        }
        proposed => proposed,
    }
}

async fn propose_once(
    setup: &mut Setup,
    clock: &Arc<dyn Clock>,
    members: &[Member],
    hand_in: &mut HandIn<'_>,
    observer: &mut Observer<'_>,
) -> Result<HandedIn, Error> {
    let (talk, session, place) =
        Talk::about_hand_in(setup, clock, members, hand_in, observer).await?;
    let draft = hand_in.draft(session.service(), place, members);
    let recorded = hand_in.recorded_as();
    let pending = Pending::prepare(&talk.setup.home, &draft, recorded, clock.now())?;
    talk.propose(session, pending, hand_in).await
}

/// What names this member.
pub(super) async fn proposals(
    setup: &mut Setup,
    clock: &Arc<dyn Clock>,
    members: &mut [Member],
    observer: &mut Observer<'_>,
) -> Result<ToldProposals, Error> {
    tokens::refresh(setup, clock, members, observer).await?;
    let (mut talk, session) = Talk::open(setup, clock, members, observer).await?;
    let session = talk.complete_receipts(session).await?;
    let told = talk.ask_proposals(session).await?;
    talk.close().await;
    Ok(told)
}

/// Signs what was shown.
pub(super) async fn cosign(
    setup: &mut Setup,
    clock: &Arc<dyn Clock>,
    members: &mut [Member],
    statement: &[u8],
    observer: &mut Observer<'_>,
) -> Result<HandedIn, Error> {
    tokens::refresh(setup, clock, members, observer).await?;
    let signatures = sign(statement, members, clock.now())?;
    let (mut talk, session) = Talk::open(setup, clock, members, observer).await?;
    let (expect, request) = session.sign_proposal(statement, signatures)?;
    talk.connection.at_step(Step::Six);
    talk.connection.send(&request).await?;
    let outcome = talk.signed(expect, statement).await;
    let handed_in = outcome.map_err(|error| talk.refused(error, statement))?;
    talk.close().await;
    Ok(handed_in)
}

/// Declines, or takes back what was signed.
pub(super) async fn end(
    setup: &mut Setup,
    clock: &Arc<dyn Clock>,
    members: &mut [Member],
    (submission, reason): (SubmissionId, Option<Reason>),
    observer: &mut Observer<'_>,
) -> Result<ProposalStanding, Error> {
    tokens::refresh(setup, clock, members, observer).await?;
    let (mut talk, session) = Talk::open(setup, clock, members, observer).await?;
    let (expect, request) = session.end_proposal(submission, reason);
    talk.connection.at_step(Step::Six);
    talk.connection.send(&request).await?;
    let reply = talk.connection.receive(Step::Six, REPLY).await?;
    let standing = expect.handle(reply)?;
    talk.tell(Step::Six, Some(Fact::from(&standing)));
    talk.close().await;
    Ok(standing)
}

/// Gets the receipt of a submission of this member and keeps it.
pub(super) async fn fetch(
    setup: &mut Setup,
    clock: &Arc<dyn Clock>,
    members: &[Member],
    statement: &[u8],
    observer: &mut Observer<'_>,
) -> Result<KeptReceipt, Error> {
    let (mut talk, session) = Talk::open(setup, clock, members, observer).await?;
    let (expect, request) = session.ask_receipt(statement)?;
    talk.connection.at_step(Step::Six);
    talk.connection.send(&request).await?;
    let reply = talk.connection.receive(Step::Six, RECEIPT).await?;
    let received = talk.receive_receipt(expect.handle(reply)?).await?;
    let kept = talk.keep(received, true)?;
    talk.close().await;
    Ok(kept)
}

/// What was accepted of these and whose receipt is not kept here: neither its own, nor that of the same version.
fn without_receipt<'a>(
    setup: &Setup,
    told: &'a [ToldProposal],
) -> Result<Vec<&'a ToldProposal>, Error> {
    let is_accepted = |one: &&ToldProposal| one.listed.standing.state == ProposalState::Accepted;
    let mut accepted: Vec<_> = told.iter().filter(is_accepted).collect();
    if accepted.is_empty() {
        return Ok(accepted);
    }
    for (_, _, receipt) in good_receipts(setup)? {
        accepted.retain(|one| {
            Some(receipt.number()) != one.listed.standing.number
                || !receipt.statement().is_same_version(&one.statement)
        });
    }
    Ok(accepted)
}

impl Talk<'_, '_> {
    async fn ask_proposals(&mut self, mut session: Session) -> Result<ToldProposals, Error> {
        let (mut told, mut left_out, mut from) = (Vec::<ToldProposal>::new(), Vec::new(), Some(0));
        let mut time = self.clock.now();
        for _ in 0..MAX_QUESTIONS {
            let Some(next) = from else { break };
            let (expect, request) = session.ask_proposals(next);
            self.connection.at_step(Step::Six);
            self.connection.send(&request).await?;
            let reply = self.connection.receive(Step::Six, REPLY).await?;
            let (open, answer) = expect.handle(reply, self.clock.now())?;
            (session, time, from) = (open, answer.time, answer.next);
            told.extend(answer.told);
            left_out.extend(answer.left_out);
        }
        if !self.setup.home.looks_only() {
            let signed = told.iter().flat_map(|one| one.announced.iter().cloned());
            self.keep_announced(signed.collect())?;
        }
        Ok(ToldProposals {
            time,
            told,
            left_out,
        })
    }

    async fn propose(
        mut self,
        session: Session,
        pending: Pending,
        hand_in: &mut HandIn<'_>,
    ) -> Result<HandedIn, Error> {
        self.say_if_late(&pending, hand_in);
        let mut certain = !pending.resumed;
        let exchanged = self.exchange_proposal(session, &pending, hand_in, &mut certain);
        match exchanged.await {
            Ok(handed_in) => {
                // What waits is not forgotten: the same command asks for its receipt later.
                if let HandedIn::Kept(_) = &handed_in {
                    pending.remove()?;
                }
                self.connection.close().await;
                Ok(handed_in)
            }
            Err(error) => Err(self.failed(error, pending, certain)),
        }
    }

    async fn exchange_proposal(
        &mut self,
        session: Session,
        pending: &Pending,
        hand_in: &mut HandIn<'_>,
        certain: &mut bool,
    ) -> Result<HandedIn, Error> {
        let signatures = pending.signatures.clone();
        let (expect, propose) = session.propose(&pending.statement, signatures)?;
        self.connection.at_step(Step::Six);
        self.connection.send(&propose).await?;
        let sent = facts::statement_sent(&propose, self.members.len());
        self.tell(Step::Six, sent);
        let reply = self.connection.receive(Step::Six, REPLY).await?;
        match expect.handle(reply)? {
            ProposedAnswer::AlreadyStored(receiving) => {
                let received = self.receive_receipt(receiving).await?;
                Ok(HandedIn::Kept(Box::new(self.keep(received, true)?)))
            }
            ProposedAnswer::Proposed(proposed) => {
                *certain = false;
                let standing = proposed.standing();
                let recorded = Recorded {
                    submission: standing.submission,
                    at: standing.signed_at(),
                    until: standing.until,
                    signed: None,
                };
                hand_in.is_recorded(recorded, proposed.have());
                let kept_out = self.setup.home.let_in();
                let sent = self.send_proposed(proposed, hand_in.report).await;
                let outcome = self.home_again(kept_out, sent).await?;
                self.came(outcome, &pending.statement).await
            }
        }
    }

    /// Sends what Blackboard does not have yet; what has come of it then.
    async fn send_proposed(
        &mut self,
        proposed: Proposed,
        report: &mut Report,
    ) -> Result<Outcome, Error> {
        let (own, anew) = prefixes(proposed.have(), report)?;
        let upload = proposed.upload(&own);
        let (expect, reply) = self.send_rest(upload, anew, report).await?;
        Ok(expect.handle(reply)?)
    }

    /// Keeps Blackboard's word that these signatures were the last, if they were; then as
    /// [`Talk::outcome`].
    async fn signed(&mut self, expect: ExpectSigned, statement: &[u8]) -> Result<HandedIn, Error> {
        let reply = self.connection.receive(Step::Six, RECEIPT).await?;
        match expect.handle(reply, self.clock.now())? {
            SignedAnswer::Recorded(word, expect) => {
                self.keep_commitment(&word)?;
                self.outcome(expect, statement).await
            }
            SignedAnswer::Outcome(outcome) => self.came(outcome, statement).await,
        }
    }

    /// How it stands, or the receipt.
    async fn outcome(
        &mut self,
        expect: ExpectOutcome,
        statement: &[u8],
    ) -> Result<HandedIn, Error> {
        let reply = self.connection.receive(Step::Six, RECEIPT).await?;
        self.came(expect.handle(reply)?, statement).await
    }

    async fn came(&mut self, outcome: Outcome, statement: &[u8]) -> Result<HandedIn, Error> {
        match outcome {
            Outcome::Waits(standing) => {
                self.tell(Step::Six, Some(Fact::from(&standing)));
                Ok(HandedIn::Waits(Box::new(standing)))
            }
            Outcome::Complete(receiving) => {
                let received = self.receive_receipt(*receiving).await?;
                let before = received.1.statement_bytes() != statement;
                let kept = self.keep(received, before)?;
                Ok(HandedIn::Kept(Box::new(kept)))
            }
        }
    }

    /// Saves a receipt that was verified.
    pub(super) fn keep(
        &mut self,
        (bytes, receipt): (Vec<u8>, VerifiedReceipt),
        before: bool,
    ) -> Result<KeptReceipt, Error> {
        let path = keeping::keep(self.setup, (&bytes, &receipt), self.observer)?;
        let kept = Fact::ReceiptKept {
            number: receipt.number(),
            files: receipt.statement().files.clone(),
            receipt: Fingerprint::of(&bytes),
            signatures: receipt.members().len(),
            before,
        };
        self.tell(Step::Six, Some(kept));
        self.follow(&receipt, &path)?;
        Ok(KeptReceipt {
            path,
            bytes,
            receipt,
            before,
            standings: Vec::new(),
            uncounted: Vec::new(),
        })
    }
}

/// What was signed here and has come to an end is waited for no longer. What a member has ended is sent no more.
pub(super) fn forget_ended(setup: &Setup, told: &[ToldProposal]) -> Result<(), Error> {
    let those = |is_so: fn(ProposalState) -> bool| -> Vec<&Statement> {
        let so = told.iter().filter(|one| is_so(one.listed.standing.state));
        so.map(|one| &one.statement).collect()
    };
    let given_up =
        those(|state| matches!(state, ProposalState::Declined | ProposalState::Withdrawn));
    pending::give_up(&setup.home, |statement| given_up.contains(&statement))?;
    let over = those(|state| !state.is_open());
    pending::forget(&setup.home, |statement| over.contains(&statement))
}

impl Engine {
    /// What waits for this student's signature, and what became of it lately. Receipts of what was
    /// handed in meanwhile are fetched and kept.
    ///
    /// # Errors
    ///
    /// What was refused, or what failed here.
    pub fn proposals(
        &mut self,
        sid: &StudentId,
        observer: &mut Observer<'_>,
    ) -> Result<ToldProposals, Error> {
        let alone = std::slice::from_ref(sid);
        self.session(alone, observer, async |setup, clock, members, observer| {
            let told = proposals(setup, clock, members, observer).await?;
            if setup.home.looks_only() {
                return Ok(told);
            }
            for one in without_receipt(setup, &told.told)? {
                let statement = one.listed.statement.as_bytes();
                fetch(setup, clock, members, statement, observer).await?;
            }
            forget_ended(setup, &told.told)?;
            Ok(told)
        })
    }

    /// Signs a statement that was proposed, whose exact bytes these are, in this student's name.
    ///
    /// # Errors
    ///
    /// What was refused, or what failed here.
    pub fn cosign(
        &mut self,
        sid: &StudentId,
        statement: &[u8],
        observer: &mut Observer<'_>,
    ) -> Result<HandedIn, Error> {
        let alone = std::slice::from_ref(sid);
        self.session(alone, observer, async |setup, clock, members, observer| {
            cosign(setup, clock, members, statement, observer).await
        })
    }

    /// Declines a proposal in these students' names, takes back their signatures, or gives up what all
    /// of them have signed together and whose files have not come.
    ///
    /// # Errors
    ///
    /// What was refused, or what failed here.
    pub(crate) fn end_proposal(
        &mut self,
        sids: &[StudentId],
        ending: (SubmissionId, Option<Reason>),
        observer: &mut Observer<'_>,
    ) -> Result<ProposalStanding, Error> {
        self.session(sids, observer, async |setup, clock, members, observer| {
            let ended = end(setup, clock, members, ending.clone(), observer).await?;
            pending::give_up(&setup.home, |statement| statement.submission == ending.0)?;
            commitment::given_up(setup, ending.0)?;
            Ok(ended)
        })
    }
}
