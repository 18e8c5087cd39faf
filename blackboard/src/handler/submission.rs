//! What the members here have signed is committed, its files come, and it is stored.

use std::ops::ControlFlow;
use std::sync::Arc;

use rustls_pki_types::UnixTime;
use scb_certs::TrustStore;
use scb_protocol::receipt::{CommittedAt, Evidence, SignedLeaf};
use scb_protocol::server::{
    AcceptedStatement, AwaitReverification, ExpectUpload, VerifiedSubmission,
};
use scb_protocol::statement::Statement;
use scb_protocol::{Code, Fact, Refusal, Step, from_seconds};
use scb_storage::Upload;

use super::content::{self, Receiver};
use super::{Handler, tokens_count};
use crate::authority::Unanswered;
use crate::store::{CommitOutcome, Committal, Draft, Record};

impl Handler {
    /// The record, if this very statement was stored before; refused if another was stored
    /// under its submission ID.
    pub(super) async fn stored_before(
        &mut self,
        statement: &Statement,
        bytes: &[u8],
    ) -> Result<Option<Record>, Refusal> {
        let found = self.shared.register.store().find(statement.submission);
        match found.await? {
            Some(record) if record.statement_bytes() != bytes => {
                Err(Refusal::new(Code::SubmissionConflict, Step::Six))
            }
            Some(record) => {
                self.vigil.insist(Step::Six).await?;
                Ok(Some(record))
            }
            None => self.same_version(statement, bytes).await,
        }
    }

    /// The record of the members' last version, if this is the same again: it changes nothing.
    async fn same_version(
        &mut self,
        statement: &Statement,
        bytes: &[u8],
    ) -> Result<Option<Record>, Refusal> {
        let (counts, signed) = (
            counts_under(self.trust()),
            (statement.clone(), bytes.to_vec()),
        );
        let same = self.shared.register.same_version(signed, counts).await?;
        if same.is_some() {
            self.vigil.insist(Step::Six).await?;
        }
        Ok(same)
    }

    /// What was stored before is the answer; otherwise the statement is committed, and its files
    /// come and are stored.
    pub(super) async fn step_6_content(
        &mut self,
        accepted: AcceptedStatement,
    ) -> Result<Record, Refusal> {
        let submission = accepted.statement().submission;
        let lease = self.shared.uploads.claim(submission).await?;
        let (statement, bytes) = (accepted.statement(), accepted.bytes());
        if let Some(record) = self.stored_before(statement, bytes).await? {
            return Ok(record);
        }
        let (state, upload) = match self.step_6_commit(accepted).await? {
            ControlFlow::Continue(next) => next,
            ControlFlow::Break(record) => return Ok(record),
        };
        let receiver = Receiver {
            connection: &mut self.connection,
            vigil: &mut self.vigil,
            lease: &lease,
            shared: &self.shared,
        };
        let (received, upload) = receiver.receive(state, upload).await?;
        let verified = self.step_6_verify_again(received).await?;
        self.step_6_store(verified, upload).await
    }

    /// The signed statement is recorded: whatever its files take, it was handed in now. The
    /// second time it keeps the time of the first. Another connection may have brought the very same
    /// meanwhile: then that is the answer.
    async fn step_6_commit(
        &mut self,
        accepted: AcceptedStatement,
    ) -> Result<ControlFlow<Record, (ExpectUpload, Upload)>, Refusal> {
        self.vigil.insist(Step::Six).await?;
        let (id, at) = (accepted.statement().submission, self.shared.clock.now());
        let committal = self.committal(&accepted, at);
        let counts = counts_under(self.trust());
        let commitment = match self.shared.register.commit(committal, counts).await? {
            CommitOutcome::Committed(commitment) => commitment,
            CommitOutcome::SameVersion(record) => return Ok(ControlFlow::Break(*record)),
        };
        let size = accepted.statement().files.size();
        let upload = self.upload_of(accepted.statement()).await?;
        let have = content::received(&upload);
        let committed = Fact::Committed {
            submission: id,
            at: commitment.at,
            until: commitment.upload_until,
            have: have.iter().map(|file| file.received).sum(),
            size,
        };
        self.done(Step::Six, committed);
        let (state, reply) = accepted.committed(commitment, have);
        self.send(reply).await?;
        Ok(ControlFlow::Continue((state, upload)))
    }

    /// What is here of the files of a statement.
    pub(super) async fn upload_of(&mut self, statement: &Statement) -> Result<Upload, Refusal> {
        let sizes = statement.files.iter().map(|file| file.size).collect();
        let upload = self
            .shared
            .content
            .upload(statement.submission.as_bytes(), sizes);
        upload.await.map_err(content::refusal)
    }

    fn committal(&self, accepted: &AcceptedStatement, at: UnixTime) -> Committal {
        let window = self.shared.upload_window.as_secs();
        Committal {
            statement: accepted.statement().clone(),
            bytes: accepted.bytes().to_vec(),
            signatures: accepted.signatures().to_vec(),
            assurance: accepted.assurance(),
            at,
            upload_until: from_seconds(at.as_secs().saturating_add(window)),
        }
    }

    /// CUHK is asked again: a revocation counts up to the last moment.
    pub(super) async fn step_6_verify_again(
        &mut self,
        state: AwaitReverification,
    ) -> Result<VerifiedSubmission, Refusal> {
        let answer = self.shared.authority.verify(state.question()).await;
        let nonce = state.question().nonce;
        let (trust, now) = (self.trust(), self.shared.clock.now());
        let at_six = |refusal| Refusal {
            step: Step::Six,
            ..refusal
        };
        let verified = match answer {
            Ok(answer) => state.handle(&answer, &trust, now)?,
            Err(Unanswered::Away(away)) => state.without_cuhk(at_six(away), &trust, now)?,
            Err(Unanswered::Unusable(refusal)) => return Err(at_six(refusal)),
        };
        let files = verified.statement().files.clone();
        let again = Fact::VerifiedAgain { nonce, files };
        let fact = tokens_count(verified.assurance()).unwrap_or(again);
        self.done(Step::Six, fact);
        Ok(verified)
    }

    /// First the files are durable and were read back, then one transaction makes number, log
    /// entry and record.
    pub(super) async fn step_6_store(
        &mut self,
        submission: VerifiedSubmission,
        upload: Upload,
    ) -> Result<Record, Refusal> {
        let files = submission.statement().files.iter();
        let contents = files.map(|file| *file.sha256.as_bytes()).collect();
        upload.store(contents).await.map_err(content::refusal)?;
        let (trust, now) = (self.trust(), self.shared.clock.now());
        submission.check_again(&trust, now)?;
        let identity = Arc::clone(&self.shared.identity.borrow());
        let draft = Draft {
            statement: submission.statement().clone(),
            evidence: Evidence::collect(&submission, &identity.chain, &trust),
            committed: CommittedAt {
                index: Some(submission.commitment().index),
                at: submission.commitment().at,
            },
            accepted_at: now,
        };
        let sign = move |leaf| SignedLeaf::sign(leaf, (&identity.key, &identity.chain), now);
        let counts = counts_under(trust);
        let record = self.shared.register.accept(draft, counts, sign).await?;
        if let Err(error) = upload.discard().await {
            tracing::warn!("an upload that is stored was not removed: {error}");
        }
        Ok(record)
    }
}

/// A receipt that counts no longer, as under a root of the past, is no answer.
fn counts_under(trust: Arc<TrustStore>) -> impl Fn(&Record) -> bool + Send + 'static {
    move |record| record.receipt_by(&trust).is_ok()
}
