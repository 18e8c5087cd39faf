//! What CUHK's log says about one student: every entry proved, in line, and none withheld.

use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, StudentId};
use scb_tlog::InclusionProof;
use serde::{Deserialize, Serialize};

use super::{GrownLog, STEP, hashes, invalid};
use crate::message::cuhk::{AuditedEntry, Reply, Request};
use crate::message::{Reply as _, unexpected};
use crate::time::from_seconds;
use crate::{Code, InactiveReason, LogEntry, Refusal, commitment};

/// How long CUHK keeps every question at least, whatever it is configured to. Nobody who looks more
/// often misses one.
pub const QUESTIONS_KEPT: Duration = Duration::from_secs(90 * 24 * 60 * 60);

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
    now: UnixTime,
    removed_before: Option<u64>,
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
    /// When the last one was made, by CUHK's clock, in seconds since 1970-01-01 UTC; 0 if there
    /// was none.
    pub last_at: u64,
    /// When that look was, by the clock here, in seconds of Unix time.
    pub looked_at: u64,
}

/// Questions that CUHK no longer keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemovedQuestions {
    /// How many.
    pub count: u64,
    /// Before when all of them were asked.
    pub before: UnixTime,
}

/// Every entry about one student that is kept, each proved to be in the log.
#[derive(Debug, Clone)]
pub struct Audited {
    log: GrownLog,
    now: UnixTime,
    removed_before: Option<u64>,
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

    /// What is no longer among them.
    pub fn removed(&self) -> Option<RemovedQuestions> {
        let before = from_seconds(self.removed_before?);
        let count = self.count() - self.entries.len() as u64;
        (count > 0).then_some(RemovedQuestions { count, before })
    }

    /// What to remember of them.
    pub fn seen(&self) -> SeenEntries {
        let last = self.entries.last();
        SeenEntries {
            count: self.count(),
            last: last.map_or(0, VerifiedEntry::index),
            last_at: last.map_or(0, |last| last.entry.at()),
            looked_at: self.now.as_secs(),
        }
    }

    /// How many there were ever: the last one is kept, whatever its age.
    fn count(&self) -> u64 {
        self.entries.last().map_or(0, |last| last.entry.nth())
    }

    /// Checks that what was shown at an earlier look is shown again, or was old enough to go, and
    /// that nothing that came later is gone. That it is in the log still is proved by the log's
    /// growth.
    ///
    /// # Errors
    ///
    /// `log_incomplete`.
    pub fn require_seen(&self, sid: &StudentId, seen: SeenEntries) -> Result<(), Refusal> {
        let withheld = |reason| incomplete(sid, reason).with("entry", seen.last);
        if !self.has_seen(seen) {
            return Err(withheld("it was shown before and is withheld now"));
        }
        let later = |entry: &&VerifiedEntry| entry.entry.nth() > seen.count;
        let later = self.entries.iter().filter(later).count() as u64;
        if seen.count + later < self.count() && !self.removes(seen.looked_at) {
            return Err(withheld(
                "what came after it is said to be removed, though it is younger than what is",
            ));
        }
        Ok(())
    }

    /// Whether the last entry that was seen is in its place, or may be gone.
    fn has_seen(&self, seen: SeenEntries) -> bool {
        let is_it = |entry: &&VerifiedEntry| entry.entry.nth() == seen.count;
        match self.entries.iter().find(is_it) {
            Some(entry) => entry.index == seen.last,
            None if seen.count == 0 => true,
            None => seen.count < self.count() && self.removes(seen.last_at),
        }
    }

    /// Whether what was asked at some time may be gone.
    fn removes(&self, at: u64) -> bool {
        self.removed_before.is_some_and(|before| at < before)
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
    pub fn new(log: GrownLog, sid: StudentId, now: UnixTime) -> (Self, Request) {
        let expect = Self {
            log,
            sid,
            now,
            removed_before: None,
            entries: Vec::new(),
        };
        let request = expect.request();
        (expect, request)
    }

    /// Verifies a page: every entry is in the log, about this student, and the next in line, but
    /// for old questions that were removed.
    ///
    /// # Errors
    ///
    /// CUHK's refusal; `log_invalid`; `log_incomplete` if there are fewer than announced, or
    /// something is missing that cannot have been removed; `unexpected_message`.
    pub fn handle(mut self, reply: Reply) -> Result<Audit, Refusal> {
        let reply = reply.accepted()?;
        let Reply::Audit {
            count,
            removed_before,
            entries,
        } = reply
        else {
            return Err(unexpected("audit", &reply, STEP));
        };
        if removed_before > self.removed_before && !self.entries.is_empty() {
            // More was removed between two pages: what is left is asked for again.
            let (again, request) = Self::new(self.log, self.sid, self.now);
            return Ok(Audit::More(again, request));
        }
        self.check_removal(removed_before)?;
        self.removed_before = removed_before;
        let nothing_new = entries.is_empty();
        for entry in entries {
            let verified = self.verify(&entry)?;
            self.entries.push(verified);
        }
        let have = self.next() - 1;
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
        Ok(Audit::Done(Audited {
            log: self.log,
            now: self.now,
            removed_before: self.removed_before,
            entries: self.entries,
        }))
    }

    fn request(&self) -> Request {
        Request::Audit {
            size: self.log.checkpoint().head().size,
            from: self.next(),
        }
    }

    /// Which entry about the student comes next, from 1.
    fn next(&self) -> u64 {
        self.entries.last().map_or(1, |last| last.entry.nth() + 1)
    }

    /// Nothing young is removed, and what was removed does not come back between two pages.
    fn check_removal(&self, removed_before: Option<u64>) -> Result<(), Refusal> {
        let latest = self.now.as_secs().saturating_sub(QUESTIONS_KEPT.as_secs());
        if removed_before.is_some_and(|before| before > latest) {
            let reason = "questions of the last 90 days are said to be removed";
            return Err(incomplete(&self.sid, reason));
        }
        if removed_before < self.removed_before {
            let reason = "what is said to be removed is not the same on each page";
            return Err(incomplete(&self.sid, reason));
        }
        Ok(())
    }

    fn verify(&self, shown: &AuditedEntry) -> Result<VerifiedEntry, Refusal> {
        let committed = commitment(&shown.salt, &shown.content);
        let proof = InclusionProof::new(hashes(&shown.path)?);
        let head = self.log.checkpoint().head();
        head.check_inclusion(&committed, shown.index, &proof)
            .map_err(|error| invalid(&error))?;
        let entry = LogEntry::from_content(&shown.content).map_err(|error| invalid(&error))?;
        let last = self.entries.last().map(VerifiedEntry::index);
        let in_line = entry.nth() >= self.next() && last.is_none_or(|last| last < shown.index);
        if entry.subject() != self.sid.as_ref() || !in_line {
            let reason = "an entry about somebody else, or out of line";
            return Err(Refusal::new(Code::LogInvalid, STEP)
                .about(&self.sid)
                .with("reason", reason));
        }
        if entry.nth() > self.next() {
            self.check_gap()?;
        }
        self.check_certificates(&entry)?;
        Ok(VerifiedEntry {
            index: shown.index,
            entry,
            inactive: shown.inactive,
        })
    }

    /// What is missing here may have been removed: old questions go in their order, and before
    /// them stand only certificates, which are as old.
    fn check_gap(&self) -> Result<(), Refusal> {
        let Some(before) = self.removed_before else {
            let reason = "an entry is missing, and none is said to be removed";
            return Err(incomplete(&self.sid, reason));
        };
        let goes_first = |entry: &VerifiedEntry| {
            matches!(entry.entry, LogEntry::Verification { .. }) || entry.entry.at() >= before
        };
        match self.entries.iter().any(goes_first) {
            true => Err(incomplete(
                &self.sid,
                "an entry is missing after one that would have been removed before it",
            )),
            false => Ok(()),
        }
    }

    /// A certificate is never removed.
    fn check_certificates(&self, entry: &LogEntry) -> Result<(), Refusal> {
        let before = self
            .entries
            .last()
            .map_or(0, |last| last.entry.certificates());
        let shown = before + u64::from(matches!(entry, LogEntry::Certificate { .. }));
        match shown == entry.certificates() {
            true => Ok(()),
            false => Err(incomplete(&self.sid, "not every certificate is shown")
                .with("expected", entry.certificates())
                .with("got", shown)),
        }
    }
}

fn incomplete(sid: &StudentId, reason: &str) -> Refusal {
    Refusal::new(Code::LogIncomplete, STEP)
        .about(sid)
        .with("reason", reason)
}
