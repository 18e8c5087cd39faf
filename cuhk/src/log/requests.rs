//! What students and witnesses ask of the log.

use rustls_pki_types::UnixTime;
use scb_certs::{ServiceName, StudentId};
use scb_protocol::message::cuhk::{AuditedEntry, MemberQuestion, Reply, Witnessed};
use scb_protocol::{Code, InactiveReason, LogEntry, Refusal, Step};
use scb_storage::LogStopped;
use scb_tlog::{
    Error as LogError, Hash, HashReader, Tiles, UnverifiedCheckpoint, VerifiedCheckpoint,
    VerifierKey, consistency_proof, inclusion_proof, root,
};
use tokio::task::spawn_blocking;

use super::IssuanceLog;
use crate::store::{LoggedEntry, Records, Witness};
use crate::{Error, Subject, answers};

/// Entries in one reply: with their proofs they fit a frame.
const PAGE: usize = 16;
const STEP: Step = Step::Two;

impl IssuanceLog {
    /// The checkpoint now, how it grew out of the first `old` entries, and who has seen it.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] if the log never had so many entries.
    pub(crate) async fn checkpoint(&self, old: u64) -> Result<Reply, Error> {
        let published = self.publish().await?;
        let witnesses = self.store.read(|records| records.log().witnesses()).await?;
        let verifier_key = self.log.key().to_string();
        let key = self.log.key().clone();
        let answer = move || {
            let tiles = &published.tiles;
            let witnessed = witnesses
                .into_iter()
                .map(|witness| witnessed(witness, &key, tiles));
            Ok(Reply::Checkpoint {
                verifier_key,
                checkpoint: published.checkpoint.to_string(),
                growth: growth(tiles, old)?,
                witnessed: witnessed.collect::<Result<_, _>>()?,
            })
        };
        off_the_runtime(answer).await
    }

    /// A page of entries about a student, proved against the tree of `size` entries.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] if the log has no such size.
    pub(crate) async fn entries(
        &self,
        sid: &StudentId,
        (size, from): (u64, u64),
        now: UnixTime,
    ) -> Result<Reply, Error> {
        let tiles = self.log.published().tiles.clone();
        if size > tiles.size() {
            return Err(beyond(size, tiles.size()));
        }
        let subject = Subject::Student(sid.clone());
        let (count, removed, entries) = self
            .store
            .read(move |records| {
                let log = records.log();
                let entries = log.of(&subject, from, size, PAGE)?;
                let with_status = |entry: LoggedEntry| {
                    let inactive = inactive(records, &entry, now)?;
                    Ok((entry, inactive))
                };
                let entries = entries.into_iter().map(with_status);
                let entries: Vec<_> = entries.collect::<Result<_, Error>>()?;
                Ok((log.count(&subject, size)?, log.removed()?, entries))
            })
            .await?;
        if removed.is_some_and(|removed| size <= removed.below) {
            return Err(invalid(&"a tree of which entries are no longer kept"));
        }
        off_the_runtime(move || {
            let entries = entries
                .into_iter()
                .map(|(entry, inactive)| proved(entry, inactive, size, &tiles));
            let entries = entries.collect::<Result<_, _>>()?;
            Ok(Reply::Audit {
                count,
                removed_before: removed.map(|removed| removed.before.as_secs()),
                entries,
            })
        })
        .await
    }

    /// Keeps a checkpoint that a witness cosigned, if it is one of this log. One that the log's key has
    /// signed and that is not of this log is recorded as what the witness holds against it.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] with `log_invalid`; with `log_forked` if the log's key has signed it.
    pub(crate) async fn cosign(
        &self,
        service: &ServiceName,
        verifier_key: String,
        checkpoint: &str,
        now: UnixTime,
    ) -> Result<(), Error> {
        let verified = cosigned(checkpoint, self.log.key(), &verifier_key);
        let head = verified.map_err(|error| invalid(&error))?.head();
        let published = self.publish().await?;
        let (tiles, size) = (published.tiles.clone(), published.tiles.size());
        let is_ours = move || Ok(head.size <= size && root(&tiles, head.size)? == head.root);
        let is_ours = off_the_runtime(is_ours).await?;
        let witness = Witness {
            service: service.clone(),
            verifier_key,
            size: head.size,
            checkpoint: checkpoint.to_owned(),
        };
        let keep = move |records: &Records<'_>| {
            let log = records.log();
            match is_ours {
                true => log
                    .set_witness(&witness)
                    .and_then(|()| log.settle(&witness.service, now)),
                false => log.contradicted(&witness, now),
            }
        };
        self.store.write(keep).await?;
        match is_ours {
            true => Ok(()),
            false => Err(another(head.size)),
        }
    }
}

fn cosigned(
    checkpoint: &str,
    log: &VerifierKey,
    witness: &str,
) -> Result<VerifiedCheckpoint, LogError> {
    let checkpoint: UnverifiedCheckpoint = checkpoint.parse()?;
    let checkpoint = checkpoint.verify(log)?;
    checkpoint.cosignature(&witness.parse()?)?;
    Ok(checkpoint)
}

fn witnessed(witness: Witness, log: &VerifierKey, tiles: &Tiles) -> Result<Witnessed, Error> {
    let seen = cosigned(&witness.checkpoint, log, &witness.verifier_key)?;
    Ok(Witnessed {
        service: witness.service,
        verifier_key: witness.verifier_key,
        checkpoint: witness.checkpoint,
        growth: growth(tiles, seen.head().size)?,
    })
}

fn growth(tiles: &Tiles, old: u64) -> Result<Vec<String>, Error> {
    if old > tiles.size() {
        return Err(beyond(old, tiles.size()));
    }
    let proof = consistency_proof(tiles, old, tiles.size())?;
    Ok(texts(proof.hashes()))
}

/// What has become of the certificate that an entry is about.
fn inactive(
    records: &Records<'_>,
    entry: &LoggedEntry,
    now: UnixTime,
) -> Result<Option<InactiveReason>, Error> {
    let about = LogEntry::from_content(&entry.content)?;
    let LogEntry::Certificate {
        subject,
        cert_sha256,
        ..
    } = about
    else {
        return Ok(None);
    };
    let member = MemberQuestion {
        sid: subject.parse()?,
        cert_sha256,
    };
    answers::inactive(records, &member, now)
}

fn proved(
    entry: LoggedEntry,
    inactive: Option<InactiveReason>,
    size: u64,
    tiles: &Tiles,
) -> Result<AuditedEntry, Error> {
    let proof = inclusion_proof(tiles, entry.number, size)?;
    Ok(AuditedEntry {
        index: entry.number,
        salt: entry.salt,
        content: entry.content,
        path: texts(proof.hashes()),
        inactive,
    })
}

fn texts(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(Hash::to_string).collect()
}

/// Whoever knows of more entries than there are was shown another history.
fn beyond(asked: u64, size: u64) -> Error {
    Refusal::new(Code::LogForked, STEP)
        .with("expected", asked)
        .with("got", size)
        .into()
}

/// The log's key has signed a tree of so many entries with which this log does not begin.
fn another(size: u64) -> Error {
    Refusal::new(Code::LogForked, STEP)
        .with("seen", size)
        .into()
}

fn invalid(reason: &dyn std::fmt::Display) -> Error {
    Refusal::new(Code::LogInvalid, STEP)
        .with("reason", reason)
        .into()
}

/// Reads tiles where no connection waits for it.
async fn off_the_runtime<T: Send + 'static>(
    job: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    spawn_blocking(job).await.map_err(|_| LogStopped)?
}
