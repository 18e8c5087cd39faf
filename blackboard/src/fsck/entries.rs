//! The entries of one log, each against what it records.

use std::collections::{BTreeMap, BTreeSet};

use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, TrustStore};
use scb_protocol::grade::SignedGrade;
use scb_protocol::log_leaf::{
    Accepted, Closing, Contents, Detached, Entry, Grades, Leaf, LogName, Restored, RulesEntry,
    is_set_back, leaf_commitment,
};
use scb_protocol::statement::{SubmissionId, SubmissionNumber};
use scb_protocol::{from_seconds, rfc3339, signing_blackboard};

use super::logs::entry_of;
use super::report::Report;
use super::signing::{Difference, Signing};
use crate::store::{AddedRow, EntryRow, FormerGrade, Inspector, Release};

/// Entries read at a time.
pub(super) const PAGE: usize = 256;

/// Goes through a log from its beginning. It keeps the extensions and grades that are in force, and
/// no more.
pub(super) struct Entries<'a> {
    database: &'a Inspector,
    log: &'a LogName,
    trust: &'a [TrustStore],
    next: u64,
    rules: u64,
    /// The entries of rules, and what the log holds of each.
    pins: Vec<RulesEntry>,
    /// The same of extensions.
    extended: Vec<RulesEntry>,
    extensions: BTreeMap<String, Option<Contents>>,
    grades: BTreeMap<String, (u64, UnixTime, Fingerprint)>,
    /// Grades that could be seen, and in the place of which others came, by their entries.
    former: BTreeMap<u64, (String, UnixTime, Fingerprint)>,
    /// Which entry let which grade be seen, and when.
    releases: BTreeMap<u64, Release>,
    /// Up to which rules it was taken back, and when.
    removals: Vec<(u64, u64)>,
    signing: Signing<'a>,
    /// Whether an entry is missing, or is not what was entered.
    unread: bool,
    /// The latest time so far; none once one went back, which is told once.
    latest: Option<UnixTime>,
    closing: Closing,
}

impl<'a> Entries<'a> {
    pub(super) fn new(
        database: &'a Inspector,
        log: &'a LogName,
        (trust, now): (&'a [TrustStore], UnixTime),
    ) -> Self {
        Self {
            database,
            log,
            trust,
            next: 0,
            rules: 0,
            pins: Vec::new(),
            extended: Vec::new(),
            extensions: BTreeMap::new(),
            grades: BTreeMap::new(),
            former: BTreeMap::new(),
            releases: BTreeMap::new(),
            removals: Vec::new(),
            signing: Signing::new(database, log, (trust, now)),
            unread: false,
            latest: Some(from_seconds(0)),
            closing: Closing::default(),
        }
    }

    /// The submissions whose commitment was entered; nothing if some entries cannot be read, of which
    /// nobody can tell what they entered.
    pub(super) fn committed(&self) -> Option<&BTreeSet<SubmissionId>> {
        (!self.unread).then(|| self.signing.committed_ones())
    }

    /// The number after the last that was looked at.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Looks at the entry that comes next.
    pub(super) fn look(&mut self, row: &EntryRow, report: &mut Report) -> anyhow::Result<()> {
        let about = entry_of(self.log, row.number);
        if row.number != self.next {
            let found = format!("number {} is missing before it", self.next);
            self.unread = true;
            report.damage("log_gap", &about, found)?;
        }
        self.next = row.number.saturating_add(1);
        // Lost once, and only its commitment taken over from the witness.
        let Some(bytes) = &row.leaf else {
            self.closing.unread();
            return Ok(());
        };
        match self.leaf(row, bytes) {
            Ok(leaf) => {
                self.time(&about, leaf.at, report)?;
                self.closing(&about, &leaf, report)?;
                self.recorded(&about, (&leaf, bytes), report)?;
                self.pin(&leaf, bytes);
                Ok(())
            }
            Err(found) => {
                self.unread = true;
                self.closing.unread();
                report.damage("leaf_altered", &about, found)
            }
        }
    }

    /// Times never go back by more than clocks are set; the first that does is told.
    fn time(&mut self, about: &str, at: UnixTime, report: &mut Report) -> anyhow::Result<()> {
        let Some(latest) = self.latest else {
            return Ok(());
        };
        if !is_set_back(latest, at) {
            self.latest = Some(latest.max(at));
            return Ok(());
        }
        self.latest = None;
        let (at, latest) = (rfc3339(at), rfc3339(latest));
        let found = format!("it is of {at}, after one of {latest}");
        report.leftover("log_backwards", about, found)
    }

    /// Nothing is accepted after the log was closed, unless something has opened it again.
    fn closing(&mut self, about: &str, leaf: &Leaf, report: &mut Report) -> anyhow::Result<()> {
        match (&leaf.entry, self.closing.read(leaf.index, &leaf.entry)) {
            (Entry::Accepted(accepted), Some(closed)) => {
                let found = format!(
                    "it accepted {}, though entry {closed} had closed the log and nothing had opened it again",
                    accepted.number
                );
                report.damage("accepted_after_closing", about, found)
            }
            _ => Ok(()),
        }
    }

    /// The leaf, if it is what was committed to, and its row says the same.
    fn leaf(&self, row: &EntryRow, bytes: &[u8]) -> Result<Leaf, String> {
        if leaf_commitment(bytes).as_slice() != row.commitment {
            return Err("its leaf is not what the log commits to".to_owned());
        }
        let leaf = Leaf::parse(bytes).map_err(|error| error.to_string())?;
        let says = (&leaf.log, leaf.index, Some(leaf.at.as_secs()));
        let named = row.kind.as_deref() == Some(leaf.entry.name());
        match says == (self.log, row.number, row.at) && named {
            true => Ok(leaf),
            false => Err("its leaf speaks of another entry".to_owned()),
        }
    }

    /// Submissions that are committed after rules name them.
    fn pin(&mut self, leaf: &Leaf, bytes: &[u8]) {
        let entry = || RulesEntry {
            index: leaf.index,
            leaf_sha256: Fingerprint::from_bytes(leaf_commitment(bytes)),
        };
        match leaf.entry {
            Entry::Rules(_) => self.pins.push(entry()),
            Entry::Extension(_) => self.extended.push(entry()),
            _ => {}
        }
    }

    /// What the entry speaks of is there.
    fn recorded(
        &mut self,
        about: &str,
        (leaf, bytes): (&Leaf, &[u8]),
        report: &mut Report,
    ) -> anyhow::Result<()> {
        match &leaf.entry {
            Entry::Accepted(accepted) => {
                self.signing.look(about, (leaf, bytes), report)?;
                self.accepted(about, accepted, report)
            }
            Entry::Restored(restored) => {
                self.signing.look(about, (leaf, bytes), report)?;
                self.restored(about, restored, report)
            }
            Entry::Rules(rules) => self.rules(about, leaf, rules, report),
            Entry::Extension(changed) => {
                self.amended(changed);
                Ok(())
            }
            Entry::Grades(graded) => {
                self.graded(leaf, graded);
                Ok(())
            }
            Entry::Released(released) => {
                self.released(about, (leaf, bytes), &released.entries, report)
            }
            Entry::Removed(_) => {
                self.extensions.clear();
                self.removals.push((self.rules, leaf.at.as_secs()));
                Ok(())
            }
            Entry::Detached(one) | Entry::Attached(one) => {
                self.detached(about, (leaf.index, one), report)
            }
            _ => self.signing.look(about, (leaf, bytes), report),
        }
    }

    fn graded(&mut self, leaf: &Leaf, graded: &Grades) {
        let sid = graded.sid.to_string();
        let entered = (leaf.index, leaf.at, graded.grade_sha256);
        if let Some((index, at, sha256)) = self.grades.insert(sid.clone(), entered)
            && self.releases.contains_key(&index)
        {
            self.former.insert(index, (sid, at, sha256));
        }
    }

    fn accepted(
        &self,
        about: &str,
        accepted: &Accepted,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let in_force = |index| self.pins.iter().rfind(|pin| pin.index < index);
        let pinned = accepted.committed_index.and_then(in_force);
        if pinned != accepted.rules.as_ref() {
            let found = "it does not name the rules that were in force when it was committed";
            report.damage("rules_pin", about, found)?;
        }
        let is_there = |pin: &RulesEntry| {
            self.extended.contains(pin) && Some(pin.index) < accepted.committed_index
        };
        if !accepted.extensions.iter().all(is_there) {
            let found = "it names an extension that there was not when it was committed";
            report.damage("rules_pin", about, found)?;
        }
        self.has_record(about, accepted.number, report)
    }

    fn has_record(
        &self,
        about: &str,
        number: SubmissionNumber,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let before = number.get().saturating_sub(1);
        match self.database.after(before)? == Some(number) {
            true => Ok(()),
            false => {
                let found = format!("it accepted {number}, of which there is no record");
                report.damage("record_missing", about, found)
            }
        }
    }

    /// What it takes students out of was accepted before, in this log, and signed by them.
    fn detached(
        &self,
        about: &str,
        (index, one): (u64, &Detached),
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let number = one.number;
        let record = match self.database.record(number) {
            // It is named itself.
            Err(crate::store::Error::Altered { .. }) => return Ok(()),
            record => record?,
        };
        let Some(record) = record else {
            let found = format!("it takes students out of {number}, of which there is no record");
            return report.damage("detachment_unfounded", about, found);
        };
        let (log, accepted) = record.entry()?;
        if log != *self.log || accepted >= index {
            let found =
                format!("it takes students out of {number}, which was not accepted before it");
            return report.damage("detachment_unfounded", about, found);
        }
        match one.members.iter().find(|sid| !record.names(sid)) {
            None => Ok(()),
            Some(sid) => {
                let found = format!("it takes {sid} out of {number}, which he never signed");
                report.damage("detachment_unfounded", about, found)
            }
        }
    }

    /// What it brings back is what was lost in that place.
    fn restored(
        &self,
        about: &str,
        restored: &Restored,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let lost = self.database.entry(self.log, restored.index)?;
        let lost = lost.filter(|entry| entry.leaf.is_none());
        let is_it = lost.is_some_and(|entry| entry.holds(restored.leaf.as_bytes()));
        if !is_it || restored.again(self.log).is_err() {
            let found = "what it restores is not what was lost in that place";
            report.damage("leaf_altered", about, found)?;
        }
        self.has_record(about, restored.number, report)
    }

    /// Each entry of rules is a row, in the same order.
    fn rules(
        &mut self,
        about: &str,
        leaf: &Leaf,
        rules: &Contents,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        self.rules += 1;
        let place = (self.log.course(), self.log.assignment());
        let expected = (leaf.at.as_secs(), Some(rules.clone()));
        match self.database.rules(place, self.rules)? == Some(expected) {
            true => Ok(()),
            false => report.damage("rules_altered", about, "the rules here are others"),
        }
    }

    fn amended(&mut self, changed: &Contents) {
        let list = |name: &str| changed.get(name).and_then(|list| list.as_array());
        for given in list("given").into_iter().flatten() {
            let contents = given.as_object();
            let sid = contents.and_then(|given| given.get("sid")?.as_str());
            if let (Some(sid), Some(contents)) = (sid, contents) {
                self.extensions
                    .insert(sid.to_owned(), Some(contents.clone()));
            }
        }
        for sid in list("taken_back").into_iter().flatten() {
            self.extensions.remove(sid.as_str().unwrap_or_default());
        }
    }

    /// What Blackboard signed of a release is there, and from then on those grades are shown.
    fn released(
        &mut self,
        about: &str,
        (leaf, bytes): (&Leaf, &[u8]),
        entries: &[u64],
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let release = (leaf.index, leaf.at.as_secs());
        let shown = entries.iter().map(|entry| (*entry, release));
        self.releases.extend(shown);
        let signature = self.database.release(self.log, leaf.index)?;
        let found = match signature {
            Some(signature) if self.is_signed((bytes, &signature), leaf.at) => return Ok(()),
            Some(_) => "the signature of this release is not Blackboard's",
            None => "the signature of this release is not there",
        };
        report.damage("release_altered", about, found)
    }

    /// Whether the Blackboard of this log signed it, by a certificate of that time.
    fn is_signed(&self, (content, signature): (&[u8], &[u8]), at: UnixTime) -> bool {
        let by = |trust| signing_blackboard(content, signature, trust, at);
        let mut signers = self.trust.iter().filter_map(|trust| by(trust).ok());
        signers.any(|signer| self.log.is_of(&signer))
    }

    /// Whether these are the grades of the log, all of them.
    fn are_entered(&self, here: &BTreeMap<String, SignedGrade>) -> bool {
        let hash = |sid: &String| here.get(sid).map(|one| Fingerprint::of(&one.grade));
        let mut entered = self.grades.iter();
        let are_here = entered.all(|(sid, (.., entered))| hash(sid) == Some(*entered));
        are_here && here.len() == self.grades.len()
    }

    /// The first student whose grade Blackboard has not signed.
    fn unsigned<'b>(&self, here: &'b BTreeMap<String, SignedGrade>) -> Option<&'b String> {
        let is_signed = |sid: &String, signed: &SignedGrade| {
            let entered = self.grades.get(sid);
            let content = (signed.grade.as_slice(), signed.signature.as_slice());
            entered.is_some_and(|(_, at, _)| self.is_signed(content, *at))
        };
        let mut here = here.iter();
        let unsigned = here.find(|(sid, signed)| !is_signed(sid, signed));
        unsigned.map(|(sid, _)| sid)
    }

    /// Why what students could see before is not what the log says. Of grades before there was a
    /// table for them nothing is here.
    fn former_differs(&self, here: &[FormerGrade]) -> Option<(&'static str, String)> {
        let is_entered = |one: &FormerGrade| {
            let entered = self.former.get(&one.index);
            entered.is_some_and(|(sid, at, sha256)| {
                let content = (one.signed.grade.as_slice(), one.signed.signature.as_slice());
                let is_it = *sid == one.sid && *sha256 == Fingerprint::of(&one.signed.grade);
                is_it && self.is_signed(content, *at)
            })
        };
        if let Some(one) = here.iter().find(|one| !is_entered(one)) {
            let what = format!("a grade that {} could see is not what was entered", one.sid);
            return Some(("grade_altered", what));
        }
        let is_released = |one: &&FormerGrade| self.releases.get(&one.index) == Some(&one.release);
        let other = here.iter().find(|one| !is_released(one))?;
        let what = format!(
            "since when {} could see a grade is not what was entered",
            other.sid
        );
        Some(("release_altered", what))
    }

    /// Of each student whose grade is shown, by which entry and since when.
    fn shown(&self) -> BTreeMap<String, Release> {
        let grades = self.grades.iter();
        let shown = grades.filter_map(|(sid, (entry, ..))| {
            let release = self.releases.get(entry)?;
            Some((sid.clone(), *release))
        });
        shown.collect()
    }

    /// At the end of the log the tables say what it says, and no more.
    pub(super) fn end(&self, report: &mut Report) -> anyhow::Result<()> {
        let mut found = self.differences()?;
        if !self.unread {
            found.extend(self.signing.end()?);
        }
        // Entered meanwhile, while a server is at work: then it is not the end. What is entered is
        // there with its entry: without one, all of this was read as of the same.
        if !self.database.entries(self.log, self.next, 1)?.is_empty() {
            return Ok(());
        }
        for (code, about, what) in found {
            report.damage(code, about, what)?;
        }
        Ok(())
    }

    fn differences(&self) -> anyhow::Result<Vec<Difference>> {
        let place = (self.log.course(), self.log.assignment());
        let mut found = Vec::new();
        let mut differs =
            |code, what: &str| found.push((code, self.log.to_string(), what.to_owned()));
        if self.database.rules(place, self.rules + 1)?.is_some() {
            differs("rules_altered", "there are rules that were never entered");
        }
        if let Some(what) = self.hidden(&self.database.added(place)?) {
            differs("assignment_hidden", what);
        }
        if self.database.extensions(place)? != self.extensions {
            let what = "the extensions here are not those that were entered";
            differs("extension_altered", what);
        }
        let here = self.database.grades(place)?;
        if !self.are_entered(&here) {
            let what = "the grades here are not those that were entered";
            differs("grade_altered", what);
        } else if let Some(sid) = self.unsigned(&here) {
            let what = format!("the signature of the grade of {sid} is not Blackboard's");
            differs("grade_altered", &what);
        } else if self.database.releases(place)? != self.shown() {
            let what = "students see other grades than those whose release was entered";
            differs("release_altered", what);
        } else if let Some((code, what)) = self.former_differs(&self.database.former(place)?) {
            differs(code, &what);
        }
        Ok(found)
    }

    /// Why students are shown it, or not, otherwise than the log says.
    fn hidden(&self, here: &AddedRow) -> Option<&'static str> {
        let last = self.removals.last().map_or(0, |(rules, _)| *rules);
        match (here.removals == self.removals, last < self.rules) {
            (false, true) if here.removals.len() > self.removals.len() => {
                Some("it is taken back here, and not by the log: nobody is shown it")
            }
            (false, _) => Some("when it was taken back is not what was entered"),
            (true, true) if !here.has_course => {
                Some("its course is gone here, and the log goes on: nobody is shown it")
            }
            (true, _) => None,
        }
    }
}
