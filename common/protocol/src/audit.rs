//! Looking at CUHK's issuance log: from the student's side, and from a witness's.
//!
//! What is remembered from the last look is compared with what is shown now, so that a log that
//! rewrites its history is noticed. Nothing is believed that is not proved here.

use scb_certs::{Fingerprint, ServiceName, StudentId};
use scb_tlog::{
    ConsistencyProof, Error as LogError, Growth, Hash, InclusionProof, TreeHead,
    UnverifiedCheckpoint, VerifiedCheckpoint, VerifierKey, verify_growth,
};

use serde::{Deserialize, Serialize};

use crate::message::cuhk::{AuditedEntry, Reply, Request, Witnessed};
use crate::message::{Reply as _, unexpected};
use crate::{Code, InactiveReason, LogEntry, Refusal, Step, commitment};

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

/// An entry that is in the log, about the student who asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedEntry {
    index: u64,
    entry: LogEntry,
    inactive: Option<InactiveReason>,
}

impl VerifiedEntry {
    /// Its number in the log, from 0.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// What it says.
    pub fn entry(&self) -> &LogEntry {
        &self.entry
    }

    /// Of a certificate: why it is not active now, in CUHK's word. Nothing proves it.
    pub fn inactive(&self) -> Option<InactiveReason> {
        self.inactive
    }
}

/// Waits for `audit`, page after page.
#[derive(Debug)]
pub struct ExpectEntries {
    log: GrownLog,
    sid: StudentId,
    entries: Vec<VerifiedEntry>,
}

/// The state after a page.
#[derive(Debug)]
pub enum Audit {
    /// There is more: ask for it.
    More(ExpectEntries, Request),
    /// These are all.
    Done(Audited),
}

/// What was seen of the entries about one student at the last look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenEntries {
    /// How many there were.
    pub count: u64,
    /// The number in the log of the last one, from 0; 0 if there was none.
    pub last: u64,
}

/// Every entry about one student, each proved to be in the log.
#[derive(Debug, Clone)]
pub struct Audited {
    log: GrownLog,
    entries: Vec<VerifiedEntry>,
}

impl Audited {
    /// The log.
    pub fn log(&self) -> &GrownLog {
        &self.log
    }

    /// The entries, oldest first.
    pub fn entries(&self) -> &[VerifiedEntry] {
        &self.entries
    }

    /// What to remember of them.
    pub fn seen(&self) -> SeenEntries {
        SeenEntries {
            count: self.entries.len() as u64,
            last: self.entries.last().map_or(0, VerifiedEntry::index),
        }
    }

    /// Checks that what was shown at an earlier look is shown again. That it is in the log still
    /// is proved by the log's growth.
    ///
    /// # Errors
    ///
    /// `log_incomplete`.
    pub fn require_seen(&self, sid: &StudentId, seen: SeenEntries) -> Result<(), Refusal> {
        let Some(before) = seen.count.checked_sub(1) else {
            return Ok(());
        };
        let at = usize::try_from(before).unwrap_or(usize::MAX);
        match self.entries.get(at).map(VerifiedEntry::index) {
            Some(index) if index == seen.last => Ok(()),
            _ => Err(Refusal::new(Code::LogIncomplete, STEP)
                .about(sid)
                .with("entry", seen.last)
                .with("reason", "it was shown before and is withheld now")),
        }
    }

    /// Checks that a certificate that the student holds is among them.
    ///
    /// # Errors
    ///
    /// `log_incomplete`.
    pub fn require(&self, sid: &StudentId, certificate: &Fingerprint) -> Result<(), Refusal> {
        let is_it = |entry: &VerifiedEntry| {
            matches!(entry.entry(), LogEntry::Certificate { cert_sha256, .. }
                     if cert_sha256 == certificate)
        };
        if self.entries.iter().any(is_it) {
            return Ok(());
        }
        Err(Refusal::new(Code::LogIncomplete, STEP)
            .about(sid)
            .with("certificate", certificate))
    }
}

impl ExpectEntries {
    /// Asks for everything about a student.
    pub fn new(log: GrownLog, sid: StudentId) -> (Self, Request) {
        let entries = Vec::new();
        let expect = Self { log, sid, entries };
        let request = expect.request();
        (expect, request)
    }

    /// Verifies a page: every entry is in the log, about this student, and the next in line.
    ///
    /// # Errors
    ///
    /// CUHK's refusal; `log_invalid`; `log_incomplete` if there are fewer than announced;
    /// `unexpected_message`.
    pub fn handle(mut self, reply: Reply) -> Result<Audit, Refusal> {
        let reply = reply.accepted()?;
        let Reply::Audit { count, entries } = reply else {
            return Err(unexpected("audit", &reply, STEP));
        };
        let nothing_new = entries.is_empty();
        for entry in entries {
            let verified = self.verify(&entry)?;
            self.entries.push(verified);
        }
        let have = self.entries.len() as u64;
        if have < count && nothing_new {
            return Err(Refusal::new(Code::LogIncomplete, STEP)
                .about(&self.sid)
                .with("expected", count)
                .with("got", have));
        }
        if have < count {
            let request = self.request();
            return Ok(Audit::More(self, request));
        }
        let Self { log, entries, .. } = self;
        Ok(Audit::Done(Audited { log, entries }))
    }

    fn request(&self) -> Request {
        Request::Audit {
            size: self.log.checkpoint().head().size,
            from: self.next(),
        }
    }

    /// Which entry about the student comes next, from 1.
    fn next(&self) -> u64 {
        self.entries.len() as u64 + 1
    }

    fn verify(&self, shown: &AuditedEntry) -> Result<VerifiedEntry, Refusal> {
        let committed = commitment(&shown.salt, &shown.content);
        let proof = InclusionProof::new(hashes(&shown.path)?);
        let head = self.log.checkpoint().head();
        head.check_inclusion(&committed, shown.index, &proof)
            .map_err(|error| invalid(&error))?;
        let entry = LogEntry::from_content(&shown.content).map_err(|error| invalid(&error))?;
        let last = self.entries.last().map(VerifiedEntry::index);
        let in_line = entry.nth() == self.next() && last.is_none_or(|last| last < shown.index);
        if entry.subject() != self.sid.as_ref() || !in_line {
            let reason = "an entry about somebody else, or out of line";
            return Err(Refusal::new(Code::LogInvalid, STEP)
                .about(&self.sid)
                .with("reason", reason));
        }
        Ok(VerifiedEntry {
            index: shown.index,
            entry,
            inactive: shown.inactive,
        })
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
