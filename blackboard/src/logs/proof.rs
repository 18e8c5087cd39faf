//! The proof of a submission's entry: a receipt goes out with it if enough witnesses have
//! seen the entry by then.

use std::sync::Arc;
use std::time::Duration;

use scb_certs::{Fingerprint, TrustStore};
use scb_protocol::log_leaf::{Accepted, LogName, RulesEntry};
use scb_protocol::receipt::{CommittedEntry, JudgedBy, LogProof, ProvedEntry};
use scb_storage::LogStopped;
use scb_tlog::{
    ConsistencyProof, Error as LogError, KeyName, SignatureLine, TlogProof, consistency_proof,
    inclusion_proof,
};
use tokio::task::spawn_blocking;

use super::Logs;
use crate::store::{Asked, Error, Record};
use crate::witnessed::{Cosigned, Witnessed};

impl Logs {
    /// The record with the proof that makes its receipt complete; as it is if too few
    /// witnesses have seen the entry after `patience`. What is stored is accepted, whatever becomes of the proof: it follows later.
    ///
    /// # Errors
    ///
    /// [`Error::Altered`].
    pub(crate) async fn proved(
        &self,
        record: Record,
        witnessed: &Witnessed,
        trust: &Arc<TrustStore>,
        patience: Duration,
    ) -> Result<Record, Error> {
        if record.proof().is_some() {
            return Ok(record);
        }
        self.follow(&record).await?;
        let (name, index) = record.entry()?;
        let Some(cosigned) = witnessed.seen_of(&name, index, patience).await else {
            let number = record.number();
            tracing::warn!("{number}: its receipt is pending, CUHK has not cosigned yet");
            return Ok(record);
        };
        // Others may have cosigned in between: what is complete is kept.
        let missing = witnessed.awaited_in(&cosigned);
        if !missing.is_empty() {
            let (partly, entry) = ((&*cosigned, missing), (&name, index));
            return Ok(self.partly_proved(record, entry, partly, trust).await);
        }
        match self
            .complete(&record, (&name, index), &cosigned, trust)
            .await
        {
            Ok(proved) => Ok(proved),
            Err(error) => {
                let (number, error) = (record.number(), anyhow::Error::new(error));
                tracing::error!("{number}: its receipt stays pending: {error:#}");
                Ok(record)
            }
        }
    }

    /// The record with the proof that CUHK has seen its entry, in which others are missing. It is kept
    /// nowhere.
    async fn partly_proved(
        &self,
        record: Record,
        entry: (&LogName, u64),
        (cosigned, missing): (&Cosigned, Vec<KeyName>),
        trust: &Arc<TrustStore>,
    ) -> Record {
        let number = record.number();
        let names: Vec<_> = missing.iter().map(ToString::to_string).collect();
        let names = names.join(", ");
        tracing::warn!("{number}: its receipt is pending, CUHK has cosigned, {names} not yet");
        match self.verified_proof(&record, entry, cosigned, trust).await {
            Ok(proof) => record.with(LogProof { missing, ..proof }),
            Err(error) => {
                let error = anyhow::Error::new(error);
                tracing::error!("{number}: CUHK's cosignature cannot be shown: {error:#}");
                record
            }
        }
    }

    /// The proof of any entry, if enough witnesses have seen it; an entry whose proof cannot be made
    /// is as good as one that they have not seen yet.
    pub(crate) async fn proof_of(
        &self,
        name: &LogName,
        index: u64,
        witnessed: &Witnessed,
    ) -> Option<LogProof> {
        let cosigned = witnessed
            .covering_within(name, index, Duration::ZERO)
            .await?;
        self.told(name, index, &cosigned).await
    }

    async fn told(&self, name: &LogName, index: u64, cosigned: &Cosigned) -> Option<LogProof> {
        match self.proof(name, index, cosigned).await {
            Ok(proof) => Some(proof),
            Err(error) => {
                let error = anyhow::Error::new(error);
                tracing::error!("entry {index} of {name} cannot be proved: {error:#}");
                None
            }
        }
    }

    /// The same of an entry that says that somebody was refused, with the revocation lists that belong
    /// to it. Where CUHK has seen it and others have not, it says who.
    pub(crate) async fn refusal_proof_of(
        &self,
        (name, index): (&LogName, u64),
        witnessed: &Witnessed,
        trust: &TrustStore,
    ) -> Option<LogProof> {
        let cosigned = witnessed.seen_of(name, index, Duration::ZERO).await?;
        let mut proof = self.told(name, index, &cosigned).await?;
        proof.missing = witnessed.awaited_in(&cosigned);
        let seen = cosigned.checkpoint.time();
        match proof.for_refusal(trust, (cosigned.lists.lists(), seen)) {
            Ok(proof) => Some(proof),
            Err(reason) => {
                tracing::error!("entry {index} of {name} cannot be proved: {reason}");
                None
            }
        }
    }

    /// Keeps what another witness said of a checkpoint: an archive is made by another process, and a
    /// start goes on with it.
    pub(crate) async fn keep_cosignature(
        &self,
        name: &LogName,
        offered: &Cosigned,
        line: SignatureLine,
    ) -> Result<(), Error> {
        let text = offered.checkpoint.note().text();
        self.0.store.add_cosignature(name, (text, line)).await
    }

    /// Keeps what came of asking another witness.
    pub(crate) async fn keep_asked(&self, name: &LogName, asked: Asked) -> Result<(), Error> {
        self.0.store.keep_asked(name, asked).await
    }

    /// The proof that the first `size` entries of a log begin with its first `old` ones.
    pub(crate) async fn growth(
        &self,
        name: &LogName,
        old: u64,
        size: u64,
    ) -> Result<ConsistencyProof, Error> {
        let log = self.log(name).await?;
        let prove = move || consistency_proof(&log.published().tiles, old, size);
        let proved = spawn_blocking(prove).await.map_err(|_| LogStopped)?;
        proved.map_err(|error| Error::from(error).in_log(name))
    }

    /// Only a proof with which the receipt verifies is kept; one is kept for ever.
    async fn complete(
        &self,
        record: &Record,
        entry: (&LogName, u64),
        cosigned: &Cosigned,
        trust: &Arc<TrustStore>,
    ) -> Result<Record, Error> {
        let proof = self.verified_proof(record, entry, cosigned, trust).await?;
        let kept = self.0.store.keep_proof(record.number(), proof).await?;
        Ok(record.clone().with(kept))
    }

    /// A proof with which the receipt verifies.
    async fn verified_proof(
        &self,
        record: &Record,
        (name, index): (&LogName, u64),
        cosigned: &Cosigned,
        trust: &Arc<TrustStore>,
    ) -> Result<LogProof, Error> {
        let mut proof = self.proof(name, index, cosigned).await?;
        if let Some(committed) = record.committed_index() {
            proof.committed = self.committed(record, (name, committed), cosigned).await?;
        }
        if let Some(accepted) = record.accepted() {
            proof.judged = self.judged_by(record, (name, &accepted), cosigned).await?;
        }
        let proof = record.with_lists(proof, cosigned)?;
        record.clone().with(proof).sound_proof(trust)
    }

    /// The entry of the moment that counts, proved under the same checkpoint; nothing if it is lost.
    async fn committed(
        &self,
        record: &Record,
        (name, index): (&LogName, u64),
        cosigned: &Cosigned,
    ) -> Result<Option<CommittedEntry>, Error> {
        let leaf = self.0.store.leaf_of(name, index).await?;
        let Some(leaf) = leaf.and_then(|leaf| String::from_utf8(leaf).ok()) else {
            return Ok(None);
        };
        let proof = self.inclusion(name, index, cosigned).await?.to_string();
        Ok(Some(CommittedEntry {
            leaf,
            proof,
            assurance: self.0.store.said_then(record.number()).await?,
        }))
    }

    /// The rules that this acceptance names, and the extensions of one student each, proved under the same
    /// checkpoint; what is lost, or is not what it names any more, is left out. Rules without an extension that a
    /// member had would show him late who was not: of an acceptance that names none, as those did that were entered
    /// before extensions were named, and passes over one, nothing is shown.
    async fn judged_by(
        &self,
        record: &Record,
        (name, accepted): (&LogName, &Accepted),
        cosigned: &Cosigned,
    ) -> Result<JudgedBy, Error> {
        let mut judged = JudgedBy::default();
        let Some(rules) = &accepted.rules else {
            return Ok(judged);
        };
        let (store, statement) = (&self.0.store, record.statement().clone());
        if !store.names_extensions(name, accepted, statement).await? {
            return Ok(judged);
        }
        judged.rules = self.pinned(name, rules, cosigned).await?;
        if judged.rules.is_none() {
            return Ok(judged);
        }
        for pin in &accepted.extensions {
            let own = self.pinned(name, pin, cosigned).await?;
            let own = own.filter(|own| JudgedBy::shows(own.leaf.as_bytes()));
            judged.extensions.extend(own);
        }
        Ok(judged)
    }

    /// The entry, if it is here and is what is named.
    async fn pinned(
        &self,
        name: &LogName,
        pin: &RulesEntry,
        cosigned: &Cosigned,
    ) -> Result<Option<ProvedEntry>, Error> {
        let leaf = self.0.store.leaf_of(name, pin.index).await?;
        let leaf = leaf.filter(|leaf| Fingerprint::of(leaf) == pin.leaf_sha256);
        let Some(leaf) = leaf.and_then(|leaf| String::from_utf8(leaf).ok()) else {
            return Ok(None);
        };
        let proof = self.inclusion(name, pin.index, cosigned).await?.to_string();
        Ok(Some(ProvedEntry { leaf, proof }))
    }

    /// The proof under a checkpoint that covers the entry.
    async fn proof(
        &self,
        name: &LogName,
        index: u64,
        cosigned: &Cosigned,
    ) -> Result<LogProof, Error> {
        let proof = self.inclusion(name, index, cosigned).await?;
        let (endorsement, keys) = (cosigned.endorsement.clone(), &cosigned.keys);
        Ok(LogProof::new(&proof, endorsement, keys))
    }

    async fn inclusion(
        &self,
        name: &LogName,
        index: u64,
        cosigned: &Cosigned,
    ) -> Result<TlogProof, Error> {
        let (log, checkpoint) = (self.log(name).await?, cosigned.checkpoint.clone());
        let prove = move || {
            Ok::<_, LogError>(TlogProof {
                index,
                inclusion: inclusion_proof(&log.published().tiles, index, checkpoint.size())?,
                checkpoint: checkpoint.note().to_string().parse()?,
                extra: None,
            })
        };
        let proved = spawn_blocking(prove).await.map_err(|_| LogStopped)?;
        proved.map_err(|error| Error::from(error).in_log(name))
    }
}
