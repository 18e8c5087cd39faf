//! What CUHK's log says about one student: every entry proved, in line, and none withheld.

use scb_certs::{Fingerprint, StudentId};
use scb_tlog::InclusionProof;
use serde::{Deserialize, Serialize};

use super::{GrownLog, STEP, hashes, invalid};
use crate::message::cuhk::{AuditedEntry, Reply, Request};
use crate::message::{Reply as _, unexpected};
use crate::{Code, InactiveReason, LogEntry, Refusal, commitment};

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
