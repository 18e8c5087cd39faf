//! The service's side: what it asks CUHK about its own logs, and what it believes.

use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, SpiffeId, TrustStore};
use scb_tlog::{
    ConsistencyProof, Error as LogError, Hash, SignatureLine, SignedNote, TreeHead,
    UnverifiedCheckpoint, VerifiedCheckpoint, VerifierKey,
};

use super::{MAX_ENTRIES, MAX_NAMES, STEP, is_log_of};
use crate::log_keys::{SignedLogKeys, VerifiedLogKeys};
use crate::message::cuhk::{Reply, Request};
use crate::message::{Reply as _, unexpected};
use crate::time::from_seconds;
use crate::{Code, Refusal};

/// Waits for `endorsed`.
#[derive(Debug)]
pub struct ExpectEndorsement {
    service: SpiffeId,
    log: VerifierKey,
}

impl ExpectEndorsement {
    /// Asks CUHK to endorse the key of a log of `service`.
    pub fn new(service: SpiffeId, log: VerifierKey) -> (Self, Request) {
        let request = Request::Endorse {
            log: log.to_string(),
        };
        (Self { service, log }, request)
    }

    /// Verifies that CUHK endorsed this very key.
    ///
    /// # Errors
    ///
    /// CUHK's refusal; `server_misbehaved`; `unexpected_message`.
    pub fn handle(
        self,
        reply: Reply,
        trust: &TrustStore,
        now: UnixTime,
    ) -> Result<(SignedLogKeys, VerifiedLogKeys), Refusal> {
        let reply = reply.accepted()?;
        let Reply::Endorsed { keys, signature } = reply else {
            return Err(unexpected("endorsed", &reply, STEP));
        };
        let signature = signature.as_bytes();
        let verified =
            VerifiedLogKeys::verify(keys.as_bytes(), signature, trust, &self.service, now)
                .map_err(|error| misbehaved(&error))?;
        if *verified.log() != self.log {
            return Err(misbehaved(&"it endorsed another key"));
        }
        let signature = signature.to_vec();
        Ok((SignedLogKeys { keys, signature }, verified))
    }
}

/// What the witness says to have seen of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenByWitness {
    head: TreeHead,
    checkpoint: Option<VerifiedCheckpoint>,
}

/// How a log stands to what its witness has seen of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It begins with all of it.
    Extends,
    /// It has fewer entries than that: it is an old copy of itself.
    Behind {
        /// Entries that it has.
        has: u64,
        /// Entries that the witness has seen.
        seen: u64,
    },
    /// It has other entries.
    Forked {
        /// Entries that it has.
        has: u64,
        /// Entries that the witness has seen.
        seen: u64,
    },
}

impl SeenByWitness {
    /// The tree that was seen; the empty one if none was.
    pub fn head(&self) -> TreeHead {
        self.head
    }

    /// The log's own signature of that, by the key that it has now: what the witness says without
    /// it is only the witness's word.
    pub fn checkpoint(&self) -> Option<&VerifiedCheckpoint> {
        self.checkpoint.as_ref()
    }

    /// Compares a log of `has` entries. `root_then` is the root of its first entries, as many as
    /// were seen; none if it does not have that many.
    pub fn compare(&self, has: u64, root_then: Option<Hash>) -> Standing {
        let TreeHead { size: seen, root } = self.head;
        match root_then {
            _ if has < seen => Standing::Behind { has, seen },
            Some(then) if then == root => Standing::Extends,
            _ => Standing::Forked { has, seen },
        }
    }

    fn read(
        (size, root): (u64, &str),
        checkpoint: Option<String>,
        log: &VerifierKey,
    ) -> Result<Self, Refusal> {
        let root = root.parse().map_err(|error: LogError| misbehaved(&error))?;
        let head = TreeHead { size, root };
        let verify = |text: String| {
            verified(&text, log).map_err(|error| match error {
                // It is the log's own, by another key: that of a home that is lost.
                LogError::SignatureMissing { .. } => Refusal::new(Code::LogKeyChanged, STEP)
                    .with("log", log.name())
                    .with("got", log),
                error => misbehaved(&error),
            })
        };
        let checkpoint = checkpoint.map(verify).transpose()?;
        let is_other = |checkpoint: &VerifiedCheckpoint| checkpoint.head() != head;
        match checkpoint.as_ref().is_some_and(is_other) {
            true => Err(misbehaved(&"a checkpoint of another tree")),
            false => Ok(Self { head, checkpoint }),
        }
    }
}

/// Waits for `witnessed`.
#[derive(Debug)]
pub struct ExpectSeen(VerifierKey);

impl ExpectSeen {
    /// Asks what CUHK has seen of a log.
    pub fn new(log: VerifierKey) -> (Self, Request) {
        let request = Request::Witnessed {
            log: log.name().to_string(),
        };
        (Self(log), request)
    }

    /// Verifies that it is a checkpoint that the log signed.
    ///
    /// # Errors
    ///
    /// CUHK's refusal; `log_key_changed` if what CUHK has seen is not signed by this key;
    /// `server_misbehaved`; `unexpected_message`.
    pub fn handle(self, reply: Reply) -> Result<SeenByWitness, Refusal> {
        match reply.accepted()? {
            Reply::Witnessed { size, root, signed } => {
                SeenByWitness::read((size, &root), signed, &self.0)
            }
            other => Err(unexpected("witnessed", &other, STEP)),
        }
    }
}

/// What is handed to the witness.
#[derive(Debug, Clone)]
pub struct Offer {
    /// The checkpoint.
    pub checkpoint: VerifiedCheckpoint,
    /// How many entries the witness has seen.
    pub old: u64,
    /// The proof that the checkpoint's tree begins with those.
    pub growth: ConsistencyProof,
    /// The entries in between, at most [`MAX_ENTRIES`].
    pub entries: Vec<Fingerprint>,
}

/// Waits for `cosignature`.
#[derive(Debug)]
pub struct ExpectCosignature {
    checkpoint: VerifiedCheckpoint,
    log: VerifierKey,
    witness: VerifierKey,
}

/// What the witness answers.
#[derive(Debug)]
pub enum WitnessAnswer {
    /// It cosigned.
    Cosigned(CosignedCheckpoint),
    /// It has seen another part of the log than was thought: offer again what comes after that.
    Seen(SeenByWitness),
}

impl ExpectCosignature {
    /// Offers a checkpoint of a log whose keys CUHK endorsed.
    pub fn new(keys: &VerifiedLogKeys, offer: Offer) -> (Self, Request) {
        let hashes = offer.growth.hashes().iter();
        let request = Request::Witness {
            checkpoint: offer.checkpoint.to_string(),
            old: offer.old,
            growth: hashes.map(Hash::to_string).collect(),
            entries: offer.entries,
        };
        let expect = Self {
            checkpoint: offer.checkpoint,
            log: keys.log().clone(),
            witness: keys.witness().clone(),
        };
        (expect, request)
    }

    /// Verifies the cosignature, or what CUHK has seen.
    ///
    /// # Errors
    ///
    /// CUHK's refusal; `server_misbehaved`; `unexpected_message`.
    pub fn handle(self, reply: Reply) -> Result<WitnessAnswer, Refusal> {
        match reply.accepted()? {
            Reply::Cosignature { cosignature } => {
                let line: SignatureLine =
                    cosignature.parse().map_err(|error| misbehaved(&error))?;
                CosignedCheckpoint::of(self.checkpoint.with(line), &self.witness)
                    .map(WitnessAnswer::Cosigned)
                    .map_err(|error| misbehaved(&error))
            }
            Reply::Witnessed { size, root, signed } => {
                SeenByWitness::read((size, &root), signed, &self.log).map(WitnessAnswer::Seen)
            }
            other => Err(unexpected("cosignature", &other, STEP)),
        }
    }
}

/// Evidence: a log signed this checkpoint, and a witness cosigned it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CosignedCheckpoint {
    checkpoint: VerifiedCheckpoint,
    time: UnixTime,
}

impl CosignedCheckpoint {
    /// Verifies a checkpoint as it was stored, with both signatures.
    ///
    /// # Errors
    ///
    /// [`LogError`].
    pub fn read(note: &str, log: &VerifierKey, witness: &VerifierKey) -> Result<Self, LogError> {
        Self::of(verified(note, log)?, witness)
    }

    /// Anything else under the note, nobody asked for.
    fn of(checkpoint: VerifiedCheckpoint, witness: &VerifierKey) -> Result<Self, LogError> {
        let time = from_seconds(checkpoint.cosignature(witness)?.time());
        Ok(Self { checkpoint, time })
    }

    /// The same with the cosignature of another witness besides, which is verified.
    ///
    /// # Errors
    ///
    /// [`LogError::SignatureMissing`] if it is by another key, [`LogError::SignatureInvalid`].
    pub fn with_outside(
        &self,
        line: SignatureLine,
        witness: &VerifierKey,
    ) -> Result<Self, LogError> {
        let checkpoint = self.checkpoint.clone().with(line);
        checkpoint.cosignature(witness)?;
        let time = self.time;
        Ok(Self { checkpoint, time })
    }

    /// Whether there is a line by this witness.
    pub fn has_line_of(&self, witness: &VerifierKey) -> bool {
        let mut lines = self.note().signatures().iter();
        lines.any(|line| line.is_by(witness))
    }

    /// The checkpoint with all its signatures.
    pub fn checkpoint(&self) -> &VerifiedCheckpoint {
        &self.checkpoint
    }

    /// The signed note with all its signatures.
    pub fn note(&self) -> &SignedNote {
        self.checkpoint.note()
    }

    /// Entries that it covers.
    pub fn size(&self) -> u64 {
        self.checkpoint.head().size
    }

    /// When the witness cosigned, by its clock.
    pub fn time(&self) -> UnixTime {
        self.time
    }
}

/// Waits for `witnessed_entries`, page after page.
#[derive(Debug)]
pub struct ExpectEntries {
    log: String,
    next: u64,
    end: u64,
}

impl ExpectEntries {
    /// Asks for the entries `from..end` of a log that CUHK keeps.
    pub fn new(log: &VerifierKey, from: u64, end: u64) -> (Self, Request) {
        let expect = Self {
            log: log.name().to_string(),
            next: from,
            end,
        };
        let request = expect.request();
        (expect, request)
    }

    /// Takes a page; with it the next request, until there is nothing left to ask for. Whether
    /// they are the log's shows its root.
    ///
    /// # Errors
    ///
    /// CUHK's refusal; `server_misbehaved` if there are none or too many; `unexpected_message`.
    #[expect(clippy::type_complexity, reason = "a page, and how to go on")]
    pub fn handle(
        mut self,
        reply: Reply,
    ) -> Result<(Vec<Fingerprint>, Option<(Self, Request)>), Refusal> {
        let entries = match reply.accepted()? {
            Reply::WitnessedEntries { entries } => entries,
            other => return Err(unexpected("witnessed_entries", &other, STEP)),
        };
        let count = entries.len() as u64;
        if !(1..=MAX_ENTRIES.min((self.end - self.next) as usize)).contains(&entries.len()) {
            return Err(misbehaved(&"another number of entries than was asked for"));
        }
        self.next += count;
        let more = (self.next < self.end).then(|| {
            let request = self.request();
            (self, request)
        });
        Ok((entries, more))
    }

    fn request(&self) -> Request {
        Request::WitnessedEntries {
            log: self.log.clone(),
            from: self.next,
            end: self.end,
        }
    }
}

/// Waits for `witnessed_logs`, page after page.
#[derive(Debug)]
pub struct ExpectLogs {
    service: SpiffeId,
    last: String,
}

impl ExpectLogs {
    /// Asks which logs of `service` CUHK knows.
    pub fn new(service: SpiffeId) -> (Self, Request) {
        let last = String::new();
        let expect = Self { service, last };
        let request = expect.request();
        (expect, request)
    }

    /// Takes a page; with it the next request, until a page is empty.
    ///
    /// # Errors
    ///
    /// CUHK's refusal; `server_misbehaved` if a name is not one of the service's, or not after the
    /// one before; `unexpected_message`.
    #[expect(clippy::type_complexity, reason = "a page, and how to go on")]
    pub fn handle(
        mut self,
        reply: Reply,
    ) -> Result<(Vec<String>, Option<(Self, Request)>), Refusal> {
        let logs = match reply.accepted()? {
            Reply::WitnessedLogs { logs } => logs,
            other => return Err(unexpected("witnessed_logs", &other, STEP)),
        };
        for name in &logs {
            if *name <= self.last || !is_log_of(name, &self.service) || logs.len() > MAX_NAMES {
                return Err(misbehaved(
                    &"names that are not the next ones of this service",
                ));
            }
            self.last.clone_from(name);
        }
        let more = (!logs.is_empty()).then(|| {
            let request = self.request();
            (self, request)
        });
        Ok((logs, more))
    }

    fn request(&self) -> Request {
        Request::WitnessedLogs {
            after: self.last.clone(),
        }
    }
}

fn verified(note: &str, log: &VerifierKey) -> Result<VerifiedCheckpoint, LogError> {
    let checkpoint: UnverifiedCheckpoint = note.parse()?;
    checkpoint.verify(log)
}

fn misbehaved(reason: &dyn std::fmt::Display) -> Refusal {
    Refusal::new(Code::ServerMisbehaved, STEP).with("reason", reason)
}
