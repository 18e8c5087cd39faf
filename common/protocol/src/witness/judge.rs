//! CUHK's side: whose log it is, and whether it grew out of what was seen of it.

use scb_certs::{Fingerprint, ServiceName, VerifiedService};
use scb_tlog::{
    Algorithm, ConsistencyProof, Error as LogError, Growth, Hash, KeyName, UnverifiedCheckpoint,
    VerifierKey, verify_growth,
};

use super::{STEP, is_log_of};
use crate::audit::KnownLog;
use crate::{Code, Refusal};

/// Evidence: a log of the service that asks, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceLog {
    service: ServiceName,
    name: KeyName,
}

impl ServiceLog {
    /// The log `name`, if it is one that `asker` may have.
    ///
    /// # Errors
    ///
    /// `checkpoint_invalid` if no log can have that name; `not_permitted`.
    pub fn of(asker: &VerifiedService, name: &str) -> Result<Self, Refusal> {
        let parsed: KeyName = name.parse().map_err(|error| invalid(&error))?;
        match is_log_of(name, asker.spiffe_id()) {
            true => Ok(Self {
                service: asker.name().clone(),
                name: parsed,
            }),
            false => Err(Refusal::new(Code::NotPermitted, STEP)
                .with("log", name)
                .with("service", asker.name())),
        }
    }

    /// As [`ServiceLog::of`], by the log's key, which has the log's name.
    ///
    /// # Errors
    ///
    /// As for [`ServiceLog::of`]; `checkpoint_invalid` if it is no key for checkpoints.
    pub(crate) fn of_key(
        asker: &VerifiedService,
        key: &str,
    ) -> Result<(Self, VerifierKey), Refusal> {
        let key: VerifierKey = key.parse().map_err(|error| invalid(&error))?;
        let log = Self::of(asker, key.name().as_str())?;
        match key.algorithm() {
            Algorithm::Ed25519 => Ok((log, key)),
            Algorithm::CosignatureV1 => Err(invalid(&"the key is for cosignatures")),
        }
    }

    /// Whose it is.
    pub fn service(&self) -> &ServiceName {
        &self.service
    }

    /// Its name, the origin of its checkpoints.
    pub fn name(&self) -> &KeyName {
        &self.name
    }
}

/// A checkpoint that a service wants cosigned; nothing of it is believed yet but whose it is.
#[derive(Debug, Clone)]
pub struct OfferedCheckpoint {
    log: ServiceLog,
    checkpoint: UnverifiedCheckpoint,
    old: u64,
    proof: ConsistencyProof,
    entries: Vec<Fingerprint>,
}

/// What CUHK finds.
#[derive(Debug)]
pub enum Judgement {
    /// It grew: remember it durably, then cosign it.
    Grown(GrownServiceLog),
    /// It says from where it grew, and that is not what was seen last: the service is to be told.
    Stale,
}

/// Evidence: a service's log that provably extends what was seen of it before.
#[derive(Debug, Clone)]
pub struct GrownServiceLog {
    growth: Growth,
    old: u64,
    entries: Vec<Fingerprint>,
}

impl OfferedCheckpoint {
    /// Reads what `asker` sent.
    ///
    /// # Errors
    ///
    /// `checkpoint_invalid`, `not_permitted`.
    pub(crate) fn read(
        asker: &VerifiedService,
        checkpoint: &str,
        (old, growth): (u64, &[String]),
        entries: Vec<Fingerprint>,
    ) -> Result<Self, Refusal> {
        let checkpoint: UnverifiedCheckpoint =
            checkpoint.parse().map_err(|error| invalid(&error))?;
        let hashes: Result<Vec<Hash>, LogError> = growth.iter().map(|hash| hash.parse()).collect();
        Ok(Self {
            log: ServiceLog::of(asker, checkpoint.origin().as_str())?,
            proof: ConsistencyProof::new(hashes.map_err(|error| invalid(&error))?),
            checkpoint,
            old,
            entries,
        })
    }

    /// The log.
    pub fn log(&self) -> &ServiceLog {
        &self.log
    }

    /// Judges it by what was `seen` of the log before.
    ///
    /// # Errors
    ///
    /// `checkpoint_invalid` if the key that is known did not sign it, or not exactly the entries
    /// between came along; `log_inconsistent` if it does not extend what was seen.
    pub fn judge(self, seen: &KnownLog) -> Result<Judgement, Refusal> {
        let checkpoint = self.checkpoint.verify(&seen.key);
        let checkpoint = checkpoint.map_err(|error| invalid(&error))?;
        if self.old != seen.head.size {
            return Ok(Judgement::Stale);
        }
        let new = checkpoint.head().size;
        let inconsistent = |error: LogError| {
            Refusal::new(Code::LogInconsistent, STEP)
                .with("log", self.log.name())
                .with("seen", seen.head.size)
                .with("got", new)
                .with("reason", error)
        };
        let growth = verify_growth(&seen.head, checkpoint, &self.proof).map_err(inconsistent)?;
        if self.entries.len() as u64 != new - self.old {
            return Err(invalid(&"not exactly the entries in between"));
        }
        Ok(Judgement::Grown(GrownServiceLog {
            growth,
            old: self.old,
            entries: self.entries,
        }))
    }
}

impl GrownServiceLog {
    /// What may be cosigned.
    pub fn growth(&self) -> &Growth {
        &self.growth
    }

    /// How many entries were seen before; [`GrownServiceLog::entries`] begin with this number.
    pub fn old(&self) -> u64 {
        self.old
    }

    /// The new entries as the service says. Nothing proves here that they are the tree's.
    pub fn entries(&self) -> &[Fingerprint] {
        &self.entries
    }
}

fn invalid(reason: &dyn std::fmt::Display) -> Refusal {
    Refusal::new(Code::CheckpointInvalid, STEP).with("reason", reason)
}
