//! What the members here have signed is committed, its files come, and it is stored.

use std::ops::ControlFlow;
use std::sync::Arc;

use rustls_pki_types::UnixTime;
use scb_protocol::message::blackboard::{Received, Reply};
use scb_protocol::receipt::SignedLeaf;
use scb_protocol::server::{
    AcceptedStatement, AwaitReverification, ExpectUpload, VerifiedSubmission, WithFiles,
};
use scb_protocol::statement::Statement;
use scb_protocol::{Code, Fact, Refusal, Step, from_seconds, rfc3339};
use scb_storage::Upload;

use super::acceptance::counts_under;
use super::content::{self, Receiver};
use super::{Handler, Shared};
use crate::store::{CommitOutcome, Committal, Record};
use crate::uploads::Lease;

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
            if self.shared.has_contents_of(&record).await? {
                return Ok(record);
            }
            let commitment = record.commitment(self.upload_until())?;
            let (statement, entry) = (accepted.statement().clone(), record.signed_entry()?);
            let come = |have| accepted.committed(commitment, entry, have);
            return self.step_6_restore((statement, record), &lease, come).await;
        }
        let (state, upload, until) = match self.step_6_commit(accepted, &lease).await? {
            ControlFlow::Continue(next) => next,
            ControlFlow::Break(record) => return Ok(record),
        };
        let receiver = Receiver {
            connection: &mut self.connection,
            vigil: &mut self.vigil,
            lease: &lease,
            shared: &self.shared,
            until: Some(until),
            is_bounded: true,
        };
        let (received, upload, _) = receiver.receive(state, upload).await?;
        let verified = self.step_6_verify_again(received).await?;
        self.shared.store(verified, upload).await
    }

    /// What was stored of this very work is damaged: its files come once more and take their place.
    /// Record, log and receipt stay what they are.
    pub(super) async fn step_6_restore<S: WithFiles>(
        &mut self,
        (statement, record): (Statement, Record),
        lease: &Lease,
        come: impl FnOnce(Vec<Received>) -> (ExpectUpload<S>, Reply),
    ) -> Result<Record, Refusal> {
        self.make_room(lease, &statement).await?;
        let upload = self.shared.upload_of(&statement).await?;
        let (state, reply) = come(content::received(&upload));
        self.send(reply).await?;
        let receiver = Receiver {
            connection: &mut self.connection,
            vigil: &mut self.vigil,
            lease,
            shared: &self.shared,
            until: None,
            is_bounded: false,
        };
        let (_, upload, _) = receiver.receive(state, upload).await?;
        self.vigil.insist(Step::Six).await?;
        self.shared.keep_contents(&statement, upload).await?;
        let number = record.number();
        tracing::info!("{number}: its files came once more and are whole again");
        Ok(record)
    }

    /// Until when the files may come of what is answered now.
    pub(super) fn upload_until(&self) -> UnixTime {
        let now = self.shared.clock.now().as_secs();
        from_seconds(now.saturating_add(self.shared.upload_window.as_secs()))
    }

    /// The signed statement is recorded: whatever its files take, it was handed in when it had come. The
    /// second time it keeps the time of the first. Another connection may have brought the very same
    /// meanwhile: then that is the answer.
    async fn step_6_commit(
        &mut self,
        mut accepted: AcceptedStatement,
        lease: &Lease,
    ) -> Result<ControlFlow<Record, (ExpectUpload, Upload, UnixTime)>, Refusal> {
        self.vigil.insist(Step::Six).await?;
        self.shared.stands_now(&mut accepted).await?;
        let (id, came) = (accepted.statement().submission, self.came);
        let quota = self.shared.uploads.quota();
        let (shared, trust) = (Arc::clone(&self.shared), self.trust());
        let committing = self
            .shared
            .with_absent((accepted.statement(), came), |arrival| {
                let (clock, identity) = (
                    Arc::clone(&shared.clock),
                    Arc::clone(&shared.identity.borrow()),
                );
                let committal = shared.committal(&accepted);
                let sign = move |leaf| {
                    SignedLeaf::sign(leaf, (&identity.key, &identity.chain), clock.now())
                };
                let counts = counts_under(Arc::clone(&trust));
                let register = shared.register.clone();
                async move {
                    let dated = (committal, arrival);
                    register.commit(dated, quota, counts, sign).await
                }
            });
        let (commitment, entry) = match committing.await? {
            CommitOutcome::Committed(commitment, entry) => (commitment, entry),
            CommitOutcome::SameVersion(record) => return Ok(ControlFlow::Break(*record)),
        };
        let size = accepted.statement().files.size();
        // Only now: whoever finds no room was in time all the same.
        self.make_room(lease, accepted.statement())
            .await
            .map_err(|refusal| refusal.with("recorded", rfc3339(commitment.at)))?;
        let upload = self.shared.upload_of(accepted.statement()).await?;
        let have = content::received(&upload);
        let committed = Fact::Committed {
            submission: id,
            at: commitment.at,
            until: commitment.upload_until,
            have: have.iter().map(|file| file.received).sum(),
            size,
        };
        self.done(Step::Six, committed);
        let (state, reply) = accepted.committed(commitment, entry, have);
        self.send(reply).await?;
        Ok(ControlFlow::Continue((
            state,
            upload,
            commitment.upload_until,
        )))
    }

    /// Finds room on the disk for the files of a statement that is recorded.
    pub(super) async fn make_room(
        &mut self,
        lease: &Lease,
        statement: &Statement,
    ) -> Result<(), Refusal> {
        let (bytes, store) = (statement.files.size(), self.shared.register.store());
        if lease.always_fits(bytes) {
            return Ok(());
        }
        let sids = statement
            .members
            .iter()
            .map(|one| one.sid.clone())
            .collect();
        let now = self.shared.clock.now();
        let is_only_one = store.is_only_one(sids, statement.submission, now).await?;
        let kept = self.shared.content.upload_sizes().await;
        let kept = kept.map_err(content::refusal)?;
        lease.promise(bytes, &kept, is_only_one)
    }

    /// CUHK is asked again, and what it said is logged with this connection.
    async fn step_6_verify_again(
        &mut self,
        state: AwaitReverification,
    ) -> Result<VerifiedSubmission, Refusal> {
        let (verified, fact) = self.shared.verify_again(state).await?;
        self.done(Step::Six, fact);
        Ok(verified)
    }
}

impl Shared {
    /// What is recorded of a statement.
    fn committal(&self, accepted: &AcceptedStatement) -> Committal {
        Committal {
            statement: accepted.statement().clone(),
            bytes: accepted.bytes().to_vec(),
            signatures: accepted.signatures().to_vec(),
            assurance: accepted.assurance(),
            upload_window: self.upload_window,
        }
    }
}
