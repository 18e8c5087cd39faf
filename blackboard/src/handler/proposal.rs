//! Step 6 of a group whose members are not on one machine: what each of them says is recorded
//! with the connection over which it came; with the last signature it is a submission.

use std::sync::Arc;

use scb_certs::StudentId;
use scb_cli::exit;
use scb_protocol::message::blackboard::Reply;
use scb_protocol::message::proposal::{CosignerStanding, ProposalStanding, ProposalState, Said};
use scb_protocol::receipt::SignedLeaf;
use scb_protocol::server::{
    Commitment, ConfirmedSigners, Ending, ExpectRequest, GatheredSignatures, PartlySigned,
};
use scb_protocol::statement::{Statement, SubmissionId, SubmissionNumber};
use scb_protocol::{Code, Fact, Refusal, Step, from_seconds};

use super::acceptance::at_six;
use super::completion::Completed;
use super::content::{self, Receiver};
use super::history::sids;
use super::{Handler, Outcome};
use crate::authority::Unanswered;
use crate::store::{End, Record, Signing};
use crate::uploads::Lease;

impl Handler {
    /// The statement is recorded with the signatures of those who are here, and its files come. It
    /// waits for the others, unless they have signed meanwhile.
    pub(super) async fn step_6_propose(
        &mut self,
        mut part: PartlySigned,
    ) -> Result<Outcome, Refusal> {
        let submission = part.statement().submission;
        let lease = self.shared.uploads.claim(submission).await?;
        // What of its files is here by now has come by now.
        let claimed = self.shared.clock.now();
        if let Some(record) = self.stored_before(part.statement(), part.bytes()).await? {
            let record = match self.shared.has_contents_of(&record).await? {
                true => record,
                false => self.step_6_restore_proposed(part, &lease, record).await?,
            };
            return Ok(Outcome::Stored(Box::new(record)));
        }
        self.vigil.insist(Step::Six).await?;
        self.shared.stands_now(&mut part).await?;
        let (now, sids) = (self.shared.clock.now(), part.sids());
        let until = now
            .as_secs()
            .saturating_add(self.shared.cosign_window.as_secs());
        let window = self.shared.upload_window;
        let signing = Signing::new(&part, part.assurance(), window);
        let register = self.shared.register.clone();
        let bounds = (from_seconds(until), self.shared.uploads.quota());
        let proposing = |arrival| register.propose(signing.clone(), arrival, bounds);
        let signed = (part.statement(), self.came);
        let standing = self.shared.with_absent(signed, proposing);
        let standing = standing.await?;
        self.done(Step::Six, Fact::from(&standing));
        self.make_room(&lease, part.statement()).await?;
        let upload = self.shared.upload_of(part.statement()).await?;
        // Signatures are waited for; after the last one files are, for their time.
        let waits_for_files =
            standing.state == ProposalState::Signed && standing.files_at.is_none();
        let until = waits_for_files.then_some(standing.until);
        let (state, reply) = part.proposed(standing, content::received(&upload));
        self.send(reply).await?;
        let receiver = Receiver {
            connection: &mut self.connection,
            vigil: &mut self.vigil,
            lease: &lease,
            shared: &self.shared,
            until,
            is_bounded: true,
        };
        let (_, mut upload, last) = receiver.receive(state, upload).await?;
        let (whole_at, now) = (last.unwrap_or(claimed), self.shared.clock.now());
        // It may be days until it is stored.
        upload.settle().await.map_err(content::refusal)?;
        let came = register.proposal_files(submission, Some(whole_at), (sids.clone(), now));
        let standing = came.await?;
        if standing.state != ProposalState::Signed {
            return Ok(Outcome::Waits(Box::new(standing)));
        }
        let _left = self.shared.unfinished.left_over();
        let completed = self.shared.complete(submission, sids, upload).await;
        self.completed(completed, standing)
    }

    /// What was stored of this very work is damaged: whoever proposes it again brings its files, and
    /// nobody has to sign anew.
    async fn step_6_restore_proposed(
        &mut self,
        part: PartlySigned,
        lease: &Lease,
        record: Record,
    ) -> Result<Record, Refusal> {
        let statement = part.statement().clone();
        let commitment = record.commitment(self.upload_until())?;
        let standing = accepted(&statement, record.number(), commitment);
        let come = |have| part.proposed(standing, have);
        self.step_6_restore((statement, record), lease, come).await
    }

    /// The signatures of those who are here are recorded, once CUHK has confirmed everybody who has
    /// signed. The last one makes it a submission.
    pub(super) async fn step_6_sign(&mut self, part: PartlySigned) -> Result<Outcome, Refusal> {
        let (submission, sids) = (part.statement().submission, part.sids());
        let found = self.shared.proposed(submission, &sids).await?;
        if found.bytes != part.bytes() {
            return Err(Refusal::new(Code::SubmissionUnknown, Step::Six));
        }
        self.vigil.insist(Step::Six).await?;
        if let Some(record) = self.shared.register.store().answer(submission).await? {
            return Ok(Outcome::Stored(Box::new(record)));
        }
        check_open(&found.standing)?;
        let gathered = part.gather(&found.delivered)?;
        let confirmed = self.confirm_signers(&gathered).await?;
        let (came, shared) = (self.came, &self.shared);
        let signed = |arrival| {
            let signing = Signing::new(&part, confirmed.assurance(), shared.upload_window);
            shared.register.sign(signing, arrival)
        };
        let standing = shared.with_absent((part.statement(), came), signed);
        let standing = standing.await?;
        self.done(Step::Six, Fact::from(&standing));
        if standing.state == ProposalState::Signed && standing.files_at.is_none() {
            self.shared.uploads.bound(submission, standing.until);
        }
        self.send_last(&part, &standing).await?;
        let is_waited_for = match standing.state {
            ProposalState::Accepted => false,
            ProposalState::Signed => standing.files_at.is_none(),
            _ => true,
        };
        if is_waited_for {
            return Ok(Outcome::Waits(Box::new(standing)));
        }
        let _left = self.shared.unfinished.left_over();
        let completed = self.shared.claim_and_complete(submission, sids).await;
        self.completed(completed, standing)
    }

    /// Whoever brought the last signature has Blackboard's signed word for it before anything else.
    async fn send_last(
        &mut self,
        part: &PartlySigned,
        standing: &ProposalStanding,
    ) -> Result<(), Refusal> {
        if standing.signed_at().is_none() {
            return Ok(());
        }
        let (identity, now) = (
            Arc::clone(&self.shared.identity.borrow()),
            self.shared.clock.now(),
        );
        let sign = move |leaf| SignedLeaf::sign(leaf, (&identity.key, &identity.chain), now);
        let signatures = part.signatures().to_vec();
        let register = &self.shared.register;
        match register
            .last_signed(standing.submission, signatures, sign)
            .await?
        {
            Some(entry) => self.send(Reply::Signed { entry }).await,
            None => Ok(()),
        }
    }

    /// What has come of completing it. What was signed is recorded: if nothing is wrong with it, and
    /// it only cannot be completed at once, that is told, and it is completed without anybody asking.
    fn completed(
        &mut self,
        completed: Result<Completed, Refusal>,
        standing: ProposalStanding,
    ) -> Result<Outcome, Refusal> {
        match completed {
            Ok(completed) => {
                if let Some(fact) = completed.verified {
                    self.done(Step::Six, fact);
                }
                Ok(completed.outcome)
            }
            Err(refusal) if refusal.exit_code() == exit::RETRY => {
                let submission = standing.submission;
                tracing::warn!("proposal {submission} is completed later: {refusal}");
                Ok(Outcome::Waits(Box::new(standing)))
            }
            Err(refusal) => Err(refusal),
        }
    }

    /// CUHK is asked about all who have signed so far: with one who is no longer active it never
    /// becomes a submission, and nobody else's signature is taken for it.
    async fn confirm_signers(
        &mut self,
        gathered: &GatheredSignatures,
    ) -> Result<ConfirmedSigners, Refusal> {
        let state = gathered.ask(&self.trust(), self.shared.clock.now())?;
        let answer = self.shared.authority.verify(state.question()).await;
        match answer {
            Ok(answer) => state.handle(&answer, &self.trust(), self.shared.clock.now()),
            Err(Unanswered::Away(refusal) | Unanswered::Unusable(refusal)) => Err(at_six(refusal)),
        }
    }

    /// Members say no, or take back what they signed. Nobody brings its files meanwhile.
    pub(super) async fn end_proposal(
        &mut self,
        ending: Ending,
        state: &ExpectRequest,
    ) -> Result<(Reply, Fact), Refusal> {
        let _lease = self.shared.uploads.claim(ending.submission).await?;
        let end = End {
            submission: ending.submission,
            members: sids(state),
            connection: state.connection(),
            reason: ending.reason,
            at: self.shared.clock.now(),
        };
        let proposal = self.shared.register.end_proposal(end).await?;
        let fact = Fact::from(&proposal);
        Ok((Reply::Proposal { proposal }, fact))
    }

    /// The proposals that name these members.
    pub(super) async fn proposals(
        &mut self,
        from: u32,
        state: &ExpectRequest,
    ) -> Result<(Reply, Fact), Refusal> {
        let (store, now) = (self.shared.register.store(), self.shared.clock.now());
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        let sign = self.shared.announces();
        let list = || store.proposals_for(sids(state), from, (now, sign.clone()));
        let told = self.shared.without_suspended(list).await?;
        let fact = Fact::ProposalsTold {
            proposals: told.listed.len(),
        };
        let reply = Reply::Proposals {
            time: now.as_secs(),
            count: u32::try_from(told.count).unwrap_or(u32::MAX),
            proposals: told.listed,
            left_out: told.left_out,
            unjudged: told.unjudged,
        };
        Ok((reply, fact))
    }

    /// The receipt of a submission of these members. The refusal is the same whether there is no
    /// such submission or it is others'.
    pub(super) async fn fetch(
        &mut self,
        submission: SubmissionId,
        state: &ExpectRequest,
    ) -> Result<(), Refusal> {
        let found = self.shared.register.store().answer(submission).await?;
        let asking = sids(state);
        let names = |record: &Record| asking.iter().all(|sid| record.names(sid));
        let Some(record) = found.filter(names) else {
            return Err(Refusal::new(Code::SubmissionUnknown, Step::Six));
        };
        let number = record.number();
        let (announcement, receipt) = self.receipt_of(record).await?;
        self.send_receipt(announcement, receipt).await?;
        self.done(Step::Six, Fact::ReceiptTold { number });
        Ok(())
    }
}

/// All have signed this very work before, under this statement or another one, and it is handed in.
fn accepted(
    statement: &Statement,
    number: SubmissionNumber,
    commitment: Commitment,
) -> ProposalStanding {
    let all: Vec<_> = statement
        .members
        .iter()
        .map(|one| one.sid.clone())
        .collect();
    let member = |sid: &StudentId| CosignerStanding {
        sid: sid.clone(),
        said: Said::Signed,
        at: Some(commitment.at),
        with: all.clone(),
        reason: None,
        refused: None,
    };
    ProposalStanding {
        submission: statement.submission,
        state: ProposalState::Accepted,
        proposed_at: commitment.at,
        until: commitment.upload_until,
        files_at: None,
        number: Some(number),
        members: all.iter().map(member).collect(),
    }
}

pub(super) fn check_open(standing: &ProposalStanding) -> Result<(), Refusal> {
    match standing.state {
        ProposalState::Waiting | ProposalState::Signed | ProposalState::Accepted => Ok(()),
        // Whether it has closed meanwhile is said by the rules, when the signature is recorded.
        ProposalState::Lapsed => Ok(()),
        state => Err(Refusal::new(Code::ProposalEnded, Step::Six).with("state", state)),
    }
}
