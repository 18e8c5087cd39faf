//! What the log says of a proposal, whatever the tables say: nobody is shown, signs or is blamed for
//! another statement than the one that was proposed, nor for what others have not said, or said.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, params};
use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, StudentId};
use scb_protocol::log_leaf::{Entry, Leaf, LogName, Proposed, Signed, leaf_commitment};
use scb_protocol::message::proposal::{ProposalState, Said};
use scb_protocol::statement::SubmissionId;
use scb_protocol::{COMMITMENT_SIZE, from_seconds};

use super::rows::{Kept, Stored};
use crate::config::LONGEST_WINDOW;
use crate::store::{Error, as_committed, as_integer, log};

/// What somebody has said by the tables, and by which entry.
#[derive(Debug)]
pub(super) struct SaidBy<'a> {
    pub(super) sid: &'a StudentId,
    pub(super) said: Said,
    pub(super) at: Option<UnixTime>,
    pub(super) index: Option<u64>,
    /// The members of that connection.
    pub(super) with: &'a [StudentId],
    /// What he signed with, if the certificate is known.
    pub(super) signatures: Option<&'a [u8]>,
}

/// What is kept of a proposal, as the log says it: since when and until when it waits, since when everybody has signed
/// it, and how it ended, whatever the row says. Nothing where the tables say something else of what only they have:
/// this very statement, and who has signed it, or not.
pub(super) fn as_logged(connection: &Connection, stored: &Stored) -> Result<Option<Kept>, Error> {
    let (submission, kept) = (stored.submission(), stored.kept);
    let name = LogName::of(&stored.statement).map_err(Error::Leaf)?;
    let Some((proposed_at, proposed)) = as_proposed(connection, &name, stored)? else {
        return Ok(None);
    };
    let entries = Entries::of(connection, &name, submission)?;
    if !entries.are_all(&stored.said().collect::<Vec<_>>()) {
        return Ok(None);
    }
    let signed = entries.complete(stored.sids());
    let mut window = Window {
        proposed: proposed.waits_until.as_secs(),
        signed: signed.map(|(at, _)| at.as_secs()),
        with_signatures: None,
        again: kept.upload_until.map(|until| until.as_secs()),
    };
    if let Some((_, index)) = signed {
        window.with_signatures = window_of(connection, submission, index)?;
    }
    let Some(until) = window.until(kept.waits_until.as_secs(), kept.files_at.is_some()) else {
        return Ok(None);
    };
    let ended = log::ended(connection, &name, submission)?;
    Ok(Some(Kept {
        proposed_at,
        waits_until: from_seconds(until.waits),
        upload_until: until.upload.map(from_seconds),
        files_at: kept.files_at,
        signed,
        ended: ended.filter(|(state, _)| *state != ProposalState::Accepted),
    }))
}

/// Until when a proposal waits, as it is known besides its row. Times are in seconds since 1970.
pub(crate) struct Window {
    /// For signatures, as it was entered.
    pub(crate) proposed: u64,
    /// When the last one came.
    pub(crate) signed: Option<u64>,
    /// Until when the files might come from then on, as it is kept with that signature. That is not entered; three
    /// tables have it, but for what was signed before they did.
    pub(crate) with_signatures: Option<u64>,
    /// The same, as it is kept once more.
    pub(crate) again: Option<u64>,
}

/// Until when a proposal waits, in seconds since 1970.
struct Until {
    waits: u64,
    /// Until when its files might come after the last signature, if any table says that beside its row.
    upload: Option<u64>,
}

impl Window {
    /// Whether a row that says so does not contradict it.
    pub(crate) fn is(&self, waits_until: u64) -> bool {
        match (self.signed, self.with_signatures) {
            (None, _) => waits_until == self.proposed,
            (_, until) if until != self.again => false,
            (_, Some(until)) => self.stands_for(until, waits_until),
            (Some(at), None) => waits_until >= at,
        }
    }

    /// Whether a row says so where files may come until then: those that were here before wait no shorter than
    /// signatures might.
    fn stands_for(&self, until: u64, waits_until: u64) -> bool {
        waits_until == until || waits_until == until.max(self.proposed)
    }

    /// Until when it waits, whatever its row says, which is one of those who are asked. Of what the tables say of the
    /// last signatures that counts which most of them say, and of as many the later: nobody's files are refused for
    /// one row. Nothing if none of them can be.
    fn until(&self, in_row: u64, has_files: bool) -> Option<Until> {
        let Some(at) = self.signed else {
            return Some(Until {
                waits: self.proposed,
                upload: None,
            });
        };
        if self.is(in_row) {
            return Some(Until {
                waits: in_row,
                upload: self.with_signatures,
            });
        }
        let said = [self.with_signatures, self.again, Some(in_row)];
        let upload = most_said(said, (at, self.proposed), |until, said| {
            self.stands_for(until, said)
        })?;
        let waits = match has_files {
            true => upload.max(self.proposed),
            false => upload,
        };
        Some(Until {
            waits,
            upload: Some(upload),
        })
    }
}

/// What most of them say, of as many the latest; of those that can be after signatures of that moment.
fn most_said(
    said: [Option<u64>; 3],
    (at, proposed): (u64, u64),
    agrees: impl Fn(u64, u64) -> bool,
) -> Option<u64> {
    let most = at.saturating_add(LONGEST_WINDOW).max(proposed);
    let said = said.into_iter().flatten();
    let said: Vec<_> = said.filter(|until| (at..=most).contains(until)).collect();
    let agree = |until: u64| said.iter().filter(|other| agrees(until, **other)).count();
    said.iter()
        .copied()
        .max_by_key(|until| (agree(*until), *until))
}

/// Until when the files might come after the signatures of this entry.
fn window_of(
    connection: &Connection,
    submission: SubmissionId,
    index: u64,
) -> Result<Option<u64>, Error> {
    let sql = "SELECT max(upload_until) FROM deliveries WHERE submission = ? AND log_index = ?";
    let key = params![submission.as_bytes(), as_integer(index)];
    let mut query = connection.prepare_cached(sql)?;
    let until: Option<i64> = query.query_one(key, |row| row.get(0))?;
    Ok(until.map(i64::unsigned_abs))
}

/// The entry by which this very statement was proposed, and when.
fn as_proposed(
    connection: &Connection,
    name: &LogName,
    stored: &Stored,
) -> Result<Option<(UnixTime, Proposed)>, Error> {
    let sha256 = Fingerprint::of(&stored.bytes);
    let begun = as_committed::begun(connection, name, stored.submission())?;
    Ok(begun.into_iter().find_map(|leaf| match leaf.entry {
        Entry::Proposed(proposed) if proposed.statement_sha256 == sha256 => {
            Some((leaf.at, proposed))
        }
        _ => None,
    }))
}

/// As the index has it: where and how are to be written as there.
const SAID: &str = "SELECT number, commitment, leaf FROM log_entries INDEXED BY log_entries_said \
    WHERE log = (SELECT id FROM logs WHERE origin = ?1) \
    AND kind IN ('declined', 'signed', 'withdrawn') \
    AND CASE WHEN json_valid(CAST(leaf AS TEXT)) \
    THEN json_extract(CAST(leaf AS TEXT), '$.entry.' || kind || '.submission') END = ?2";

/// What was said of one proposal, by their numbers; those that are what the log commits to.
pub(super) struct Entries(BTreeMap<u64, Leaf>);

impl Entries {
    pub(super) fn of(
        connection: &Connection,
        name: &LogName,
        submission: SubmissionId,
    ) -> Result<Self, Error> {
        let mut query = connection.prepare_cached(SAID)?;
        let rows = query.query_map([name.to_string(), submission.to_string()], |row| {
            let index: i64 = row.get(0)?;
            let held: [u8; COMMITMENT_SIZE] = row.get(1)?;
            let leaf: Vec<u8> = row.get(2)?;
            Ok((index.unsigned_abs(), held, leaf))
        })?;
        let mut entries = BTreeMap::new();
        for row in rows {
            let (index, held, leaf) = row?;
            if let (true, Ok(leaf)) = (leaf_commitment(&leaf) == held, Leaf::parse(&leaf)) {
                entries.insert(index, leaf);
            }
        }
        Ok(Self(entries))
    }

    /// Whether these have said this, each by the entry that is named, and nothing else that counts.
    fn are_all(&self, all: &[SaidBy<'_>]) -> bool {
        let words = self.words();
        all.iter().all(|one| {
            let word = one.index.map(|index| (one.said, index));
            words.get(one.sid).copied() == word && self.say(one)
        })
    }

    /// What counts of each, and by which entry: who has signed keeps that signature, unless he takes it back.
    fn words(&self) -> BTreeMap<&StudentId, (Said, u64)> {
        let mut words = BTreeMap::new();
        for (index, leaf) in &self.0 {
            let (said, members) = match &leaf.entry {
                Entry::Signed(signed) => (Said::Signed, &signed.members),
                Entry::Declined(ended) => (Said::Declined, &ended.members),
                Entry::Withdrawn(ended) => (Said::Withdrawn, &ended.members),
                _ => continue,
            };
            for sid in members {
                match said {
                    Said::Signed => {
                        words.entry(sid).or_insert((said, *index));
                    }
                    _ => {
                        words.insert(sid, (said, *index));
                    }
                }
            }
        }
        words
    }

    /// Whether the entry that is named says this of him. Who has said nothing has none.
    fn say(&self, one: &SaidBy<'_>) -> bool {
        let (Some(at), Some(index)) = (one.at, one.index) else {
            return one.said == Said::Nothing;
        };
        match one.said {
            Said::Nothing => false,
            Said::Signed => self.signed(index, at).is_some_and(|signed| {
                let p7s = one.signatures.map(Fingerprint::of);
                let with = one.with.contains(one.sid) && one.with == signed.members;
                with && p7s == Some(signed.p7s_sha256)
            }),
            Said::Declined | Said::Withdrawn => self.at(index, at).is_some(),
        }
    }

    /// When this member has signed, and who was verified on that connection.
    pub(super) fn signed_by(&self, sid: &StudentId) -> Option<(UnixTime, &[StudentId])> {
        let mut leaves = self.0.values();
        leaves.find_map(|leaf| match &leaf.entry {
            Entry::Signed(signed) if signed.members.contains(sid) => {
                Some((leaf.at, signed.members.as_slice()))
            }
            _ => None,
        })
    }

    /// When the last of these has signed, and by which entry; also of what was taken back since.
    fn complete<'a>(
        &self,
        members: impl Iterator<Item = &'a StudentId>,
    ) -> Option<(UnixTime, u64)> {
        let mut missing: BTreeSet<_> = members.collect();
        self.0.iter().find_map(|(index, leaf)| {
            let Entry::Signed(signed) = &leaf.entry else {
                return None;
            };
            missing.retain(|sid| !signed.members.contains(sid));
            missing.is_empty().then_some((leaf.at, *index))
        })
    }

    fn signed(&self, index: u64, at: UnixTime) -> Option<&Signed> {
        match self.at(index, at)? {
            Entry::Signed(signed) => Some(signed),
            _ => None,
        }
    }

    fn at(&self, index: u64, at: UnixTime) -> Option<&Entry> {
        let leaf = self.0.get(&index).filter(|leaf| leaf.at == at);
        leaf.map(|leaf| &leaf.entry)
    }
}

#[cfg(test)]
mod tests {
    use super::SAID;
    use crate::store::log::tests::plan_of;

    #[test]
    fn what_was_said_is_found_without_reading_the_log() {
        let plan = plan_of(SAID);
        let index = "log_entries_said (log=? AND <expr>=?)";
        assert!(plan.ends_with(index), "{plan}");
    }
}
