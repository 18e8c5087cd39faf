//! Looking at CUHK's issuance log: from the student's side, and from a witness's.
//!
//! What is remembered from the last look is compared with what is shown now, so that a log that
//! rewrites its history is noticed. Nothing is believed that is not proved here.

mod entries;

use scb_certs::ServiceName;
use scb_tlog::{
    ConsistencyProof, Error as LogError, Growth, Hash, TreeHead, UnverifiedCheckpoint,
    VerifiedCheckpoint, VerifierKey, verify_growth,
};

use crate::message::cuhk::{Reply, Request, Witnessed};
use crate::message::{Reply as _, unexpected};
use crate::{Code, Refusal, Step};

pub use entries::{
    Audit, Audited, ExpectEntries, QUESTIONS_KEPT, RemovedQuestions, SeenEntries, VerifiedEntry,
};

/// All of this belongs to the step in which certificates are issued.
const STEP: Step = Step::Two;

/// The log as somebody saw it last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownLog {
    /// The key that signed its checkpoint.
    pub key: VerifierKey,
    /// Its tree.
    pub head: TreeHead,
}

impl KnownLog {
    /// Reads what was kept of it: its key, and the checkpoint that this key signed.
    ///
    /// # Errors
    ///
    /// [`LogError`] if either is not what it was.
    pub fn read(verifier_key: &str, checkpoint: &str) -> Result<Self, LogError> {
        let key: VerifierKey = verifier_key.parse()?;
        let checkpoint: UnverifiedCheckpoint = checkpoint.parse()?;
        let head = checkpoint.verify(&key)?.head();
        Ok(Self { key, head })
    }
}

/// Waits for `checkpoint`.
#[derive(Debug)]
pub struct ExpectCheckpoint {
    known: Option<KnownLog>,
}

/// The log now, which provably begins with what was known of it.
#[derive(Debug, Clone)]
pub struct GrownLog {
    key: VerifierKey,
    growth: Growth,
    witnesses: Vec<VerifiedWitness>,
}

/// That a witness has seen the log up to some size, without a fork.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedWitness {
    service: ServiceName,
    key: VerifierKey,
    size: u64,
    time: u64,
}

impl VerifiedWitness {
    /// Which service it is.
    pub fn service(&self) -> &ServiceName {
        &self.service
    }

    /// Its key.
    pub fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// How many entries it has seen.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// When, seconds since 1970-01-01 UTC.
    pub fn time(&self) -> u64 {
        self.time
    }
}

impl ExpectCheckpoint {
    /// Whoever remembers nothing believes the first key that CUHK shows over TLS.
    pub fn new(known: Option<KnownLog>) -> (Self, Request) {
        let old = known.as_ref().map_or(0, |known| known.head.size);
        (Self { known }, Request::Checkpoint { old })
    }

    /// Verifies the checkpoint, that it extends what is known, and each witness's word.
    ///
    /// # Errors
    ///
    /// CUHK's refusal; `log_forked` if the log does not begin with what is known of it;
    /// `log_invalid` if something else does not verify; `unexpected_message`.
    pub fn handle(self, reply: Reply) -> Result<GrownLog, Refusal> {
        let reply = reply.accepted()?;
        let Reply::Checkpoint {
            verifier_key,
            checkpoint,
            growth,
            witnessed,
        } = reply
        else {
            return Err(unexpected("checkpoint", &reply, STEP));
        };
        let key: VerifierKey = verifier_key.parse().map_err(|error| invalid(&error))?;
        if self.known.as_ref().is_some_and(|known| known.key != key) {
            return Err(Refusal::new(Code::LogForked, STEP).with("reason", "another key"));
        }
        let head = self.known.map_or(TreeHead::empty(), |known| known.head);
        let checkpoint = verified(&checkpoint, &key)?;
        let growth = verify_growth(&head, checkpoint, &proof(&growth)?).map_err(|e| forked(&e))?;
        let now = growth.checkpoint().head();
        let witnesses = witnessed
            .into_iter()
            .map(|witnessed| witness(witnessed, &key, &now))
            .collect::<Result<_, _>>()?;
        Ok(GrownLog {
            key,
            growth,
            witnesses,
        })
    }
}

impl GrownLog {
    /// What to remember of it.
    pub fn known(&self) -> KnownLog {
        KnownLog {
            key: self.key.clone(),
            head: self.checkpoint().head(),
        }
    }

    /// Its checkpoint.
    pub fn checkpoint(&self) -> &VerifiedCheckpoint {
        self.growth.checkpoint()
    }

    /// What a witness may cosign.
    pub fn growth(&self) -> &Growth {
        &self.growth
    }

    /// Who has seen it.
    pub fn witnesses(&self) -> &[VerifiedWitness] {
        &self.witnesses
    }
}

/// A witness's word counts for the log as it is now only if the log grew out of what it saw.
fn witness(
    witnessed: Witnessed,
    log: &VerifierKey,
    now: &TreeHead,
) -> Result<VerifiedWitness, Refusal> {
    let key: VerifierKey = witnessed
        .verifier_key
        .parse()
        .map_err(|error| invalid(&error))?;
    let checkpoint = verified(&witnessed.checkpoint, log)?;
    let cosignature = checkpoint.cosignature(&key);
    let cosignature = cosignature.map_err(|error| invalid(&error))?;
    let seen = checkpoint.head();
    seen.check_growth(now, &proof(&witnessed.growth)?)
        .map_err(|error| forked(&error))?;
    Ok(VerifiedWitness {
        service: witnessed.service,
        key,
        size: seen.size,
        time: cosignature.time(),
    })
}

fn verified(note: &str, key: &VerifierKey) -> Result<VerifiedCheckpoint, Refusal> {
    let checkpoint: Result<UnverifiedCheckpoint, LogError> = note.parse();
    checkpoint
        .and_then(|checkpoint| checkpoint.verify(key))
        .map_err(|error| invalid(&error))
}

fn proof(growth: &[String]) -> Result<ConsistencyProof, Refusal> {
    hashes(growth).map(ConsistencyProof::new)
}

fn hashes(texts: &[String]) -> Result<Vec<Hash>, Refusal> {
    let hashes: Result<_, LogError> = texts.iter().map(|text| text.parse()).collect();
    hashes.map_err(|error| invalid(&error))
}

fn invalid(error: &dyn std::error::Error) -> Refusal {
    Refusal::new(Code::LogInvalid, STEP).with("reason", error)
}

fn forked(error: &LogError) -> Refusal {
    Refusal::new(Code::LogForked, STEP).with("reason", error)
}
