//! The entries of a log, read line by line: which tree they are, what they accept, and whether the
//! assignment is closed after them.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::HEXLOWER;
use rustls_pki_types::UnixTime;
use scb_certs::Fingerprint;
use scb_tlog::{StreamedTree, TreeHead};
use serde::{Deserialize, Serialize};

use super::moments::Moments;
use crate::COMMITMENT_SIZE;
use crate::log_leaf::{
    Accepted, Closing, Detached, Endings, Entry, Leaf, LogName, Released, Restored, RulesEntry,
    is_set_back, leaf_commitment,
};
use crate::object::objects;
use crate::rules::Detachments;
use crate::statement::SubmissionNumber;

/// The `type` of an entry of which only the commitment is left.
const LOST: &str = "scb-lost-entry";

/// An entry whose leaf is lost: the log went on after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
struct Lost {
    #[serde(rename = "type")]
    kind: String,
    commitment: String,
}

objects!(Lost);

/// A line of `leaves.jsonl`, without its line feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine(pub Vec<u8>);

impl LogLine {
    /// The line of an entry: its leaf, or, if that is lost, what is committed to.
    pub fn new(commitment: &[u8; COMMITMENT_SIZE], leaf: Option<Vec<u8>>) -> Self {
        Self(leaf.unwrap_or_else(|| {
            let commitment = HEXLOWER.encode(commitment);
            format!(r#"{{"type":"{LOST}","commitment":"{commitment}"}}"#).into_bytes()
        }))
    }
}

/// What was read of a log so far.
#[derive(Debug, Clone)]
pub struct Reading {
    log: LogName,
    tree: StreamedTree,
    accepted: BTreeMap<SubmissionNumber, (u64, [u8; COMMITMENT_SIZE])>,
    moments: Moments,
    endings: Endings,
    rules: Vec<RulesEntry>,
    extensions: Vec<RulesEntry>,
    closing: Closing,
    /// The entries `grades`.
    graded: BTreeSet<u64>,
    detachments: Detachments,
    /// What is committed to where the leaf is lost.
    lost: BTreeMap<u64, [u8; COMMITMENT_SIZE]>,
    /// What stands in for some of these.
    stand_ins: Vec<StandIn>,
    latest: Option<UnixTime>,
    back: Option<WentBack>,
    after: Option<AcceptedAfter>,
}

/// A submission that was accepted after the log was closed, though nothing had opened it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AcceptedAfter {
    /// The number of the entry, from 0.
    pub index: u64,
    /// What it accepted.
    pub number: SubmissionNumber,
    /// The number, from 0, of the entry by which nothing could come any more.
    pub closed: u64,
}

/// An entry that is before an earlier one by more than clocks are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WentBack {
    /// Its number.
    pub index: u64,
    /// Its time.
    pub at: UnixTime,
    /// The latest one before it.
    pub before: UnixTime,
}

/// An entry that says what lost ones said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StandIn {
    /// Its number.
    pub(crate) index: u64,
    /// The submission that they were about.
    pub(crate) number: SubmissionNumber,
    /// Their numbers.
    pub(crate) lost: Vec<u64>,
}

impl Reading {
    /// Of a log, from its first entry on.
    pub fn of(log: LogName) -> Self {
        Self {
            log,
            tree: StreamedTree::default(),
            accepted: BTreeMap::new(),
            moments: Moments::default(),
            endings: Endings::default(),
            rules: Vec::new(),
            extensions: Vec::new(),
            closing: Closing::default(),
            graded: BTreeSet::new(),
            detachments: Detachments::default(),
            lost: BTreeMap::new(),
            stand_ins: Vec::new(),
            latest: None,
            back: None,
            after: None,
        }
    }

    /// Reads the next line.
    ///
    /// # Errors
    ///
    /// It is no leaf, is one of another log or place, is about a hand-in that has ended, accepts what
    /// was accepted before, or says otherwise of the moment that counts than the entry it names.
    pub fn line(&mut self, line: &LogLine) -> Result<(), String> {
        let index = self.tree.head().size;
        if let Ok(lost) = serde_json::from_slice::<Lost>(&line.0) {
            return self.lost(&lost);
        }
        let leaf = Leaf::parse(&line.0).map_err(|error| format!("entry {index}: {error}"))?;
        if leaf.log != self.log || leaf.index != index {
            return Err(format!("entry {index} is one of another place"));
        }
        let commitment = leaf_commitment(&line.0);
        let here = |error| format!("entry {index}: {error}");
        self.moments.read(&leaf).map_err(here)?;
        self.endings.read(index, &leaf.entry).map_err(here)?;
        self.entry(&leaf.entry, (index, commitment))?;
        self.detachments.read(leaf.at, &leaf.entry);
        self.time(index, leaf.at);
        self.tree.push(&commitment);
        Ok(())
    }

    fn entry(
        &mut self,
        entry: &Entry,
        (index, commitment): (u64, [u8; COMMITMENT_SIZE]),
    ) -> Result<(), String> {
        if let (Entry::Accepted(accepted), Some(closed)) = (entry, self.closing.read(index, entry))
        {
            let number = accepted.number;
            self.after.get_or_insert(AcceptedAfter {
                index,
                number,
                closed,
            });
        }
        match entry {
            Entry::Rules(_) => {
                let leaf_sha256 = Fingerprint::from_bytes(commitment);
                self.rules.push(RulesEntry { index, leaf_sha256 });
                Ok(())
            }
            Entry::Extension(_) => {
                let leaf_sha256 = Fingerprint::from_bytes(commitment);
                self.extensions.push(RulesEntry { index, leaf_sha256 });
                Ok(())
            }
            Entry::Accepted(accepted) => {
                self.check_rules(accepted)?;
                self.accept(accepted.number, (index, commitment))
            }
            Entry::Restored(restored) => {
                let restored = self.restore(index, restored);
                restored.map_err(|error| format!("entry {index}: {error}"))
            }
            Entry::Closed(closed) if closed.accepted != self.accepted() => Err(format!(
                "entry {index} closes after {} submissions, not {}",
                closed.accepted,
                self.accepted()
            )),
            Entry::Closed(_) => Ok(()),
            Entry::Grades(_) => {
                self.graded.insert(index);
                Ok(())
            }
            Entry::Detached(one) | Entry::Attached(one) if !self.has_accepted(one) => Err(format!(
                "entry {index} takes students out of {}, which was never accepted",
                one.number
            )),
            // What it released may be among what was lost.
            Entry::Released(released) if self.lost_entries() == 0 && !self.has_graded(released) => {
                Err(format!(
                    "entry {index} releases a grade that was never entered"
                ))
            }
            _ => Ok(()),
        }
    }

    fn accept(
        &mut self,
        number: SubmissionNumber,
        entry: (u64, [u8; COMMITMENT_SIZE]),
    ) -> Result<(), String> {
        let before = self.accepted.insert(number, entry);
        before.map_or(Ok(()), |_| Err(format!("{number} is accepted twice")))
    }

    /// What it brings back is the very entry that is lost in that place; it accepts as if it were there.
    fn restore(&mut self, index: u64, restored: &Restored) -> Result<(), String> {
        let again = restored.again(&self.log)?;
        let is_lost = |index, commitment| self.lost.get(&index) == Some(commitment);
        if !is_lost(restored.index, &again.commitment) {
            return Err(format!(
                "it restores entry {}, which is not that or not lost",
                restored.index
            ));
        }
        if let Some((leaf, commitment)) = &again.committed {
            if !is_lost(leaf.index, commitment) {
                return Err(format!(
                    "it restores entry {}, which is not that or not lost",
                    leaf.index
                ));
            }
            self.moments.restored(leaf);
        }
        self.check_restored_rules(&again.accepted)?;
        self.moments.compare(&again.leaf, &again.accepted)?;
        let committed = again.committed.as_ref().map(|(leaf, _)| leaf.index);
        self.stand_ins.push(StandIn {
            index,
            number: restored.number,
            lost: committed.into_iter().chain([restored.index]).collect(),
        });
        self.accept(restored.number, (restored.index, again.commitment))
    }

    /// The rules and extensions that it names are there, or lost, before it was committed.
    fn check_restored_rules(&self, accepted: &Accepted) -> Result<(), String> {
        let committed = accepted.committed_index.unwrap_or(u64::MAX);
        let is_there = |named: &RulesEntry, known: &[RulesEntry]| match self.lost.get(&named.index)
        {
            _ if named.index >= committed => false,
            Some(commitment) => named.leaf_sha256 == Fingerprint::from_bytes(*commitment),
            None => known.contains(named),
        };
        let mut rules = accepted.rules.iter();
        let mut extensions = accepted.extensions.iter();
        let is_there = rules.all(|named| is_there(named, &self.rules))
            && extensions.all(|named| is_there(named, &self.extensions));
        match is_there {
            true => Ok(()),
            false => Err(format!(
                "{} names rules that were not in force",
                accepted.number
            )),
        }
    }

    /// Only the first that goes back is told: what follows it may be of any time.
    fn time(&mut self, index: u64, at: UnixTime) {
        if let Some(before) = self.latest.filter(|latest| is_set_back(*latest, at)) {
            self.back.get_or_insert(WentBack { index, at, before });
        }
        self.latest = self.latest.max(Some(at));
    }

    /// The first entry that is before an earlier one.
    pub fn went_back(&self) -> Option<WentBack> {
        self.back
    }

    /// What it is about may be among what was lost.
    fn has_accepted(&self, one: &Detached) -> bool {
        self.accepted.contains_key(&one.number) || self.lost_entries() > 0
    }

    fn has_graded(&self, released: &Released) -> bool {
        let mut entries = released.entries.iter();
        entries.all(|entry| self.graded.contains(entry))
    }

    /// The rules that it says were in force are those of the last such entry before it was
    /// committed.
    fn check_rules(&self, accepted: &Accepted) -> Result<(), String> {
        let committed = accepted.committed_index.unwrap_or(self.tree.head().size);
        let mut rules = self.rules.iter().rev();
        let in_force = rules.find(|rules| rules.index < committed);
        let is_extension =
            |pin: &RulesEntry| pin.index < committed && self.extensions.contains(pin);
        if !accepted.extensions.iter().all(is_extension) {
            return Err(format!(
                "{} names extensions that there were not",
                accepted.number
            ));
        }
        match accepted.rules.is_none() || accepted.rules.as_ref() == in_force {
            true => Ok(()),
            false => Err(format!(
                "{} names rules that were not in force",
                accepted.number
            )),
        }
    }

    fn lost(&mut self, lost: &Lost) -> Result<(), String> {
        let bytes = HEXLOWER.decode(lost.commitment.as_bytes());
        let commitment: Option<[u8; COMMITMENT_SIZE]> =
            bytes.ok().and_then(|bytes| bytes.try_into().ok());
        let commitment = commitment.filter(|_| lost.kind == LOST);
        let index = self.tree.head().size;
        let commitment = commitment.ok_or_else(|| format!("entry {index} is not one"))?;
        self.tree.push(&commitment);
        self.lost.insert(index, commitment);
        self.moments.lost(index);
        self.closing.unread();
        Ok(())
    }

    /// The tree of all entries so far.
    pub fn head(&self) -> TreeHead {
        self.tree.head()
    }

    /// How many submissions were accepted.
    pub fn accepted(&self) -> u64 {
        self.accepted.len() as u64
    }

    /// What was accepted: number, entry and what is committed to in it.
    pub fn submissions(
        &self,
    ) -> impl Iterator<Item = (SubmissionNumber, u64, &[u8; COMMITMENT_SIZE])> {
        let all = self.accepted.iter();
        all.map(|(number, (index, commitment))| (*number, *index, commitment))
    }

    /// The entry after which nothing can come, if there is one. Where something came after such an entry none
    /// is believed.
    pub fn closed(&self) -> Option<u64> {
        self.closing.by().filter(|_| self.after.is_none())
    }

    /// Whether an archive may name this entry as that end. Builds of before 23 November 2026 took a submission that was
    /// accepted after an end for one that opens the log again, and named the next end: that is no forgery, but it
    /// is not believed.
    pub fn may_name_as_end(&self, named: Option<u64>) -> bool {
        named == self.closed() || self.after.is_some() && named == self.closing.by()
    }

    /// The first submission that was accepted after the log was closed, if nothing had opened it again.
    pub fn accepted_after(&self) -> Option<AcceptedAfter> {
        self.after
    }

    /// The moments that count, each compared with its own entry.
    pub(super) fn moments(&self) -> &Moments {
        &self.moments
    }

    /// For whom which versions do not count.
    pub fn detachments(&self) -> &Detachments {
        &self.detachments
    }

    /// Of how many entries only the commitment is left.
    pub fn lost_entries(&self) -> u64 {
        self.moments.lost_entries()
    }

    /// What stands in for lost entries, in order.
    pub(crate) fn stand_ins(&self) -> &[StandIn] {
        &self.stand_ins
    }

    /// How many lost entries nothing stands in for.
    pub fn unknown_entries(&self) -> u64 {
        let known = self.stand_ins.iter().flat_map(|one| &one.lost);
        let known: BTreeSet<_> = known.collect();
        self.lost_entries().saturating_sub(known.len() as u64)
    }
}
