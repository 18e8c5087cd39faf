//! What everybody has signed becomes a submission: at once, or, if CUHK is away or the disk is full,
//! later and without anybody asking, also after a restart. The last signature is what counts.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use scb_certs::{Fingerprint, StudentId};
use scb_cli::exit;
use scb_protocol::server::GatheredSignatures;
use scb_protocol::statement::{Statement, SubmissionId};
use scb_protocol::{Code, Fact, Refusal, Step, StepEvent};
use scb_storage::Upload;
use scb_transport::telemetry;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::proposal::check_open;
use super::{Outcome, Shared};
use crate::store::Proposal;

/// Between two attempts while CUHK is away.
const PERIOD: Duration = Duration::from_secs(1);
/// For how long a proposal is left alone about which something else was wrong.
const PAUSE: Duration = Duration::from_secs(30);

/// Tells when something that everybody has signed may be left over.
#[derive(Debug, Default)]
pub(crate) struct Unfinished(Notify);

impl Unfinished {
    /// For whoever is about to complete something: however that ends, it is looked at afterwards.
    pub(crate) fn left_over(self: &Arc<Self>) -> LeftOver {
        LeftOver(Arc::clone(self))
    }
}

/// Tells when it is dropped.
pub(crate) struct LeftOver(Arc<Unfinished>);

impl Drop for LeftOver {
    fn drop(&mut self) {
        self.0.0.notify_one();
    }
}

/// What has come of completing a proposal.
pub(super) struct Completed {
    pub(super) outcome: Outcome,
    /// What CUHK said, if it was asked.
    pub(super) verified: Option<Fact>,
}

impl From<Outcome> for Completed {
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            verified: None,
        }
    }
}

impl Shared {
    /// The proposal, if it names all of these; what is others' is not told from what is not there.
    pub(super) async fn proposed(
        &self,
        submission: SubmissionId,
        sids: &[StudentId],
    ) -> Result<Proposal, Refusal> {
        let (store, now) = (self.register.store(), self.clock.now());
        let found = store.proposal(submission, sids.to_vec(), now).await?;
        let names = |proposal: &Proposal| {
            let is_named = |sid| proposal.standing.said_by(sid).is_some();
            sids.iter().all(is_named)
        };
        found
            .filter(names)
            .ok_or_else(|| Refusal::new(Code::SubmissionUnknown, Step::Six))
    }

    /// As [`Shared::complete`], after whoever is bringing the files or completing it already.
    pub(super) async fn claim_and_complete(
        &self,
        submission: SubmissionId,
        sids: Vec<StudentId>,
    ) -> Result<Completed, Refusal> {
        let _lease = self.uploads.claim(submission).await?;
        if let Some(record) = self.register.store().answer(submission).await? {
            return Ok(Outcome::Stored(Box::new(record)).into());
        }
        let found = self.proposed(submission, &sids).await?;
        let upload = self.upload_of(&found.statement).await?;
        self.complete(submission, sids, upload).await
    }

    /// Everybody has signed and the files are here: CUHK is asked about all members at once, and it
    /// is stored like any other submission.
    pub(super) async fn complete(
        &self,
        submission: SubmissionId,
        sids: Vec<StudentId>,
        upload: Upload,
    ) -> Result<Completed, Refusal> {
        let found = self.proposed(submission, &sids).await?;
        check_open(&found.standing)?;
        let Some(commitment) = found.commitment else {
            return Ok(Outcome::Waits(Box::new(found.standing)).into());
        };
        if !is_whole(&upload, &found.statement) {
            tracing::error!("files of the proposal {submission} have changed on the disk");
            let asking = (sids, self.clock.now());
            let gone = self.register.proposal_files(submission, None, asking);
            return Ok(Outcome::Waits(Box::new(gone.await?)).into());
        }
        let (policy, trust) = (self.policy().await, self.trust());
        let gathered = GatheredSignatures::of_stored(policy, found.bytes, &found.delivered)?;
        let state = gathered.complete(commitment, &trust, self.clock.now())?;
        let (verified, fact) = self.verify_again(state).await?;
        let record = self.store(verified, upload).await?;
        Ok(Completed {
            outcome: Outcome::Stored(Box::new(record)),
            verified: Some(fact),
        })
    }
}

/// Whether the files that are here are those of the statement.
pub(super) fn is_whole(upload: &Upload, statement: &Statement) -> bool {
    let here = upload.received();
    let here = here.map(|(size, sha256)| (size, Fingerprint::from_bytes(sha256)));
    here.eq(statement.files.iter().map(|file| (file.size, file.sha256)))
}

/// The task that completes what is left over.
pub(crate) struct Completer {
    shared: Arc<Shared>,
    /// Until when each is left alone.
    paused: HashMap<SubmissionId, Instant>,
}

impl Completer {
    /// For this server.
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            paused: HashMap::new(),
        }
    }

    /// Looks at the start, whenever something may be left over, and as long as something is.
    pub(crate) async fn run(mut self) {
        loop {
            let again = self.look().await;
            let told = self.shared.unfinished.0.notified();
            match again {
                Some(again) => tokio::select! {
                    () = told => {}
                    () = sleep_until(again) => {}
                },
                None => told.await,
            }
        }
    }

    /// Completes what can be; says when to look again, if anything is left.
    async fn look(&mut self) -> Option<Instant> {
        let store = self.shared.register.store();
        let signed = match store.signed_proposals().await {
            Ok(signed) => signed,
            Err(error) => {
                let error = anyhow::Error::new(error);
                tracing::error!("cannot look for what everybody has signed: {error:#}");
                return Some(Instant::now() + PAUSE);
            }
        };
        let is_there = |id: &SubmissionId| signed.iter().any(|(signed, _)| signed == id);
        self.paused.retain(|id, _| is_there(id));
        for (submission, sids) in signed {
            let paused = self.paused.get(&submission);
            if paused.is_some_and(|until| *until > Instant::now()) {
                continue;
            }
            if let Err(refusal) = self.try_one(submission, sids).await {
                let pause = match refusal.code {
                    code if code == Code::Busy || code.is_for_everybody() => PERIOD,
                    code => {
                        // Of the disk it was told already, with the hashes.
                        if code != Code::StorageFaulty {
                            tracing::error!(
                                "proposal {submission} is not complete [{code}]: {refusal}"
                            );
                        }
                        self.give_up(submission, &refusal).await;
                        PAUSE
                    }
                };
                self.paused.insert(submission, Instant::now() + pause);
                if refusal.code.is_for_everybody() {
                    return Some(Instant::now() + PERIOD);
                }
            }
        }
        self.paused.values().min().copied()
    }

    /// What waiting does not mend lapses when its time is over; for CUHK or for room it waits on, unless the log
    /// was closed.
    async fn give_up(&self, submission: SubmissionId, refusal: &Refusal) {
        let is_fault = [Code::Internal, Code::StorageFaulty].contains(&refusal.code);
        let may_pass = refusal.exit_code() == exit::RETRY || is_fault;
        let (register, now) = (&self.shared.register, self.shared.clock.now());
        match register.lapse_refused(submission, (may_pass, now)).await {
            Ok(true) => tracing::warn!("proposal {submission} has lapsed: {refusal}"),
            Ok(false) => {}
            Err(error) => {
                let error = anyhow::Error::new(error);
                tracing::error!("it was not entered that {submission} has lapsed: {error:#}");
            }
        }
    }

    async fn try_one(
        &mut self,
        submission: SubmissionId,
        sids: Vec<StudentId>,
    ) -> Result<(), Refusal> {
        let shared = &self.shared;
        let completed = shared.claim_and_complete(submission, sids.clone()).await?;
        self.paused.remove(&submission);
        let Some(verified) = completed.verified else {
            return Ok(());
        };
        telemetry::emit(&StepEvent::new(Step::Six, verified));
        let found = shared.proposed(submission, &sids).await?;
        let accepted = Fact::from(&found.standing);
        telemetry::emit(&StepEvent::new(Step::Six, accepted));
        Ok(())
    }
}
