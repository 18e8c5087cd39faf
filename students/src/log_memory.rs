//! What this home remembers of CUHK's issuance log: `HOME/log.json`. A log that rewrites its
//! history is noticed only by whoever remembers what it was.

use std::collections::BTreeMap;

use scb_certs::{ServiceName, StudentId};
use scb_cli::{read_limited, write_atomic};
use scb_protocol::audit::{Audited, GrownLog, KnownLog, SeenEntries};
use serde::{Deserialize, Serialize};

use crate::{Error, StudentHome};

/// Largest file that is read, in bytes.
const LIMIT: u64 = 1 << 20;

/// What was verified at the last look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogMemory {
    v: u8,
    /// The log's key.
    verifier_key: String,
    /// The last checkpoint, signed by it.
    checkpoint: String,
    /// The witnesses' keys as they were seen first.
    witnesses: BTreeMap<ServiceName, String>,
    /// What was shown of each student.
    seen: BTreeMap<StudentId, SeenEntries>,
}

/// Whether a witness has the key that it had at the first look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WitnessKey {
    /// Nothing was remembered of it before.
    New,
    /// It is the one that was seen before.
    Known,
    /// It is another one.
    Other,
}

impl LogMemory {
    /// What this home remembers; nothing before the first look.
    pub(crate) fn read(home: &StudentHome) -> Result<Option<Self>, Error> {
        let path = home.log_file();
        if !path.exists() {
            return Ok(None);
        }
        let bytes = read_limited(&path, LIMIT)?;
        let memory: Option<Self> = serde_json::from_slice(&bytes).ok();
        let sound = memory.filter(|memory| memory.v == 1 && memory.known().is_ok());
        sound.map(Some).ok_or(Error::LogMemoryDamaged { path })
    }

    /// The log as it was seen last.
    pub(crate) fn known(&self) -> Result<KnownLog, scb_tlog::Error> {
        KnownLog::read(&self.verifier_key, &self.checkpoint)
    }

    /// What was shown of a student.
    pub(crate) fn seen(&self, sid: &StudentId) -> Option<SeenEntries> {
        self.seen.get(sid).copied()
    }

    /// What is remembered of a witness's key.
    pub(crate) fn witness(memory: Option<&Self>, service: &ServiceName, key: &str) -> WitnessKey {
        match memory.and_then(|memory| memory.witnesses.get(service)) {
            None => WitnessKey::New,
            Some(known) if known == key => WitnessKey::Known,
            Some(_) => WitnessKey::Other,
        }
    }

    /// The same after a look at the log that grew out of what was remembered.
    pub(crate) fn after(memory: Option<Self>, log: &GrownLog) -> Self {
        let (mut witnesses, seen) =
            memory.map_or_else(Default::default, |memory| (memory.witnesses, memory.seen));
        for witness in log.witnesses() {
            let (service, key) = (witness.service().clone(), witness.key().to_string());
            witnesses.entry(service).or_insert(key);
        }
        Self {
            v: 1,
            verifier_key: log.known().key.to_string(),
            checkpoint: log.checkpoint().to_string(),
            witnesses,
            seen,
        }
    }

    /// Notes what was shown of a student.
    pub(crate) fn note(&mut self, sid: &StudentId, audited: &Audited) {
        self.seen.insert(sid.clone(), audited.seen());
    }

    /// Keeps it, durably.
    pub(crate) fn save(&self, home: &StudentHome) -> Result<(), Error> {
        if home.looks_only() {
            return Ok(());
        }
        let json = serde_json::to_vec_pretty(self).map_err(|error| Error::System {
            action: "write down what was seen of the log",
            source: error.into(),
        })?;
        Ok(write_atomic(&home.log_file(), &json, 0o600)?)
    }
}

/// Keeps a checkpoint that contradicts what is remembered: together they prove that CUHK signed
/// two histories.
pub(crate) fn keep_evidence(home: &StudentHome, checkpoint: &str) -> Result<(), Error> {
    if home.looks_only() {
        return Ok(());
    }
    Ok(write_atomic(
        &home.log_evidence_file(),
        checkpoint.as_bytes(),
        0o600,
    )?)
}
