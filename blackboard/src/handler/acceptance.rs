//! From the last question to CUHK to the record: over a connection, and for what is completed
//! without one.

use std::sync::Arc;

use scb_certs::TrustStore;
use scb_protocol::receipt::{CommittedAt, Evidence, SignedLeaf};
use scb_protocol::server::{AwaitReverification, Policy, Standing, VerifiedSubmission};
use scb_protocol::statement::Statement;
use scb_protocol::{Code, Fact, Refusal, Step};
use scb_storage::{Error as StorageError, Upload};

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
        let stored = upload.store(contents).await;
        stored.map_err(|error| not_stored(error, submission.statement()))?;
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
        stored.map_err(|error| not_stored(error, statement))?;
        discard(upload).await;
        Ok(())
    }
}

fn contents(statement: &Statement) -> Vec<[u8; 32]> {
    let files = statement.files.iter();
    files.map(|file| *file.sha256.as_bytes()).collect()
}

/// A disk that gives back other bytes is told to who sent them, with the file, and to the operator.
fn not_stored(error: StorageError, statement: &Statement) -> Refusal {
    let StorageError::HashMismatch { expected, found } = &error else {
        return content::refusal(error);
    };
    let mut files = statement.files.iter();
    let file = files.find(|file| file.sha256.to_string() == *expected);
    let refusal = Refusal::new(Code::StorageFaulty, Step::Six);
    let refusal = refusal.with("submission", statement.submission);
    let refusal = match file {
        Some(file) => refusal.with("file", &file.name),
        None => refusal,
    };
    tracing::error!(
        "{refusal}: SHA-256 {found} instead of {expected}; no receipt was given: see whether the disk fails \
         (`dmesg`), and `blackboard fsck`"
    );
    refusal
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_certs::{Fingerprint, SpiffeId};
    use scb_protocol::statement::{FileEntry, Files, StatedMember, SubmissionId};

    use super::*;

    fn statement() -> Statement {
        let service: SpiffeId = "spiffe://campus.test/service/blackboard".parse().unwrap();
        let place = ("SANDBOX".parse().unwrap(), "lab".parse().unwrap());
        let file = |name: &str| FileEntry {
            name: name.parse().unwrap(),
            size: name.len() as u64,
            sha256: Fingerprint::of(name.as_bytes()),
        };
        let files = Files::new(["main.c", "notes.txt"].map(file).to_vec()).unwrap();
        let nobody: [StatedMember; 0] = [];
        Statement::new(
            service,
            place,
            nobody,
            files,
            SubmissionId::random().unwrap(),
        )
    }

    #[test]
    fn other_bytes_than_came_are_told_with_submission_and_file() {
        let statement = statement();
        let error = StorageError::HashMismatch {
            expected: Fingerprint::of(b"notes.txt").to_string(),
            found: Fingerprint::of(b"other bytes").to_string(),
        };
        let refusal = not_stored(error, &statement);
        assert_eq!(
            (refusal.code, refusal.step),
            (Code::StorageFaulty, Step::Six)
        );
        assert_eq!(refusal.params["file"], "notes.txt");
        assert_eq!(
            refusal.params["submission"],
            statement.submission.to_string()
        );
        assert_eq!(refusal.params.len(), 2, "{refusal:?}");
    }

    #[test]
    fn what_else_is_wrong_is_told_as_before() {
        for (error, code) in [
            (StorageError::Busy, Code::Busy),
            (StorageError::Closed, Code::Internal),
        ] {
            assert_eq!(not_stored(error, &statement()).code, code);
        }
    }
}
