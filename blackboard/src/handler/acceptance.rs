//! From the last question to CUHK to the record: over a connection, and for what is completed
//! without one.

use std::sync::Arc;

use scb_certs::TrustStore;
use scb_protocol::receipt::{CommittedAt, Evidence, SignedLeaf};
use scb_protocol::server::{AwaitReverification, Policy, Standing, VerifiedSubmission};
use scb_protocol::statement::Statement;
use scb_protocol::{Code, Fact, Refusal, Step};
use scb_storage::Upload;

use super::{Shared, content, tokens_count};
use crate::authority::Unanswered;
use crate::store::{Draft, Record};

impl Shared {
    /// The trust store of this moment.
    pub(super) fn trust(&self) -> Arc<TrustStore> {
        self.authority.lists()
    }

    /// What is accepted now: a group is as large as any assignment wants it.
    pub(super) async fn policy(&self) -> Arc<Policy> {
        let largest = self.largest_group.get(self.register.store()).await;
        match largest > self.policy.max_members {
            false => Arc::clone(&self.policy),
            true => Arc::new(Policy {
                max_members: largest,
                ..Policy::clone(&self.policy)
            }),
        }
    }

    /// What is here of the files of a statement.
    pub(super) async fn upload_of(&self, statement: &Statement) -> Result<Upload, Refusal> {
        let sizes = statement.files.iter().map(|file| file.size).collect();
        let upload = self.content.upload(statement.submission.as_bytes(), sizes);
        upload.await.map_err(content::refusal)
    }

    /// CUHK is asked again: a revocation counts up to the last moment. Answers what it said as well.
    pub(super) async fn verify_again(
        &self,
        state: AwaitReverification,
    ) -> Result<(VerifiedSubmission, Fact), Refusal> {
        let answer = self.authority.verify(state.question()).await;
        let nonce = state.question().nonce;
        let (trust, now) = (self.trust(), self.clock.now());
        let verified = match answer {
            Ok(answer) => {
                let judged = state.handle(&answer, &trust, now);
                let told = judged.as_ref().map(VerifiedSubmission::assurance);
                self.clocks.note(told, now);
                judged?
            }
            Err(Unanswered::Away(away)) => state.without_cuhk(at_six(away), &trust, now)?,
            Err(Unanswered::Unusable(refusal)) => return Err(at_six(refusal)),
        };
        let files = verified.statement().files.clone();
        let again = Fact::VerifiedAgain { nonce, files };
        let fact = tokens_count(verified.assurance()).unwrap_or(again);
        Ok((verified, fact))
    }

    /// Before what members have signed is recorded, CUHK is asked about them and what counts from then on: by
    /// what it says, its clock bounds when that was.
    pub(super) async fn stands_now(&self, signed: &mut impl Standing) -> Result<(), Refusal> {
        let Some(state) = signed.stale(self.clock.now())? else {
            return Ok(());
        };
        let answer = self.authority.verify(state.question()).await;
        let (trust, now) = (self.trust(), self.clock.now());
        let assurance = match answer {
            Ok(answer) => state.handle(&answer, &trust, now)?,
            Err(Unanswered::Away(away)) => state.without_cuhk(at_six(away), &trust, now)?,
            // It has said nothing of the members: it is only slow, or has too much to do.
            Err(Unanswered::Unusable(busy)) if busy.code == Code::Busy && state.is_recent() => {
                state.without_cuhk(at_six(busy), &trust, now)?
            }
            Err(Unanswered::Unusable(refusal)) => return Err(at_six(refusal)),
        };
        signed.stand(assurance);
        Ok(())
    }

    /// First the files are durable and were read back, then one transaction makes number, log
    /// entry and record.
    pub(super) async fn store(
        &self,
        submission: VerifiedSubmission,
        upload: Upload,
    ) -> Result<Record, Refusal> {
        let contents = contents(submission.statement());
        upload.store(contents).await.map_err(content::refusal)?;
        let (trust, now) = (self.trust(), self.clock.now());
        submission.check_again(&trust, now)?;
        let identity = Arc::clone(&self.identity.borrow());
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
        let record = self.register.accept(draft, counts, sign).await?;
        discard(upload).await;
        Ok(record)
    }

    /// Whether all files of a record are here as they were signed: each is read.
    ///
    /// # Errors
    ///
    /// `busy` while others' are read.
    pub(super) async fn has_contents_of(&self, record: &Record) -> Result<bool, Refusal> {
        let members = record.statement().members.iter();
        let sids: Vec<_> = members.map(|member| member.sid.clone()).collect();
        let _turn = self.turn(&sids).await?;
        for file in &record.statement().files {
            let found = self.content.open_verified(file.sha256.as_bytes()).await;
            if let Err(error) = found {
                tracing::error!("{} {}: {error}", record.number(), file.name);
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The files of a statement that is stored already take the place of what is here of them.
    pub(super) async fn keep_contents(
        &self,
        statement: &Statement,
        upload: Upload,
    ) -> Result<(), Refusal> {
        let stored = upload.store(contents(statement)).await;
        stored.map_err(content::refusal)?;
        discard(upload).await;
        Ok(())
    }
}

fn contents(statement: &Statement) -> Vec<[u8; 32]> {
    let files = statement.files.iter();
    files.map(|file| *file.sha256.as_bytes()).collect()
}

async fn discard(upload: Upload) {
    if let Err(error) = upload.discard().await {
        tracing::warn!("an upload that is stored was not removed: {error}");
    }
}

/// A receipt that counts no longer, as under a root of the past, is no answer.
pub(super) fn counts_under(trust: Arc<TrustStore>) -> impl Fn(&Record) -> bool + Send + 'static {
    move |record| record.receipt_by(&trust).is_ok()
}

/// What CUHK says, or does not, while what was signed is being recorded.
pub(super) fn at_six(refusal: Refusal) -> Refusal {
    Refusal {
        step: Step::Six,
        ..refusal
    }
}
