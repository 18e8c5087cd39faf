//! Which version each student is graded for: his own counts, whoever else's it is.

use std::collections::{BTreeMap, BTreeSet};

use rustls_pki_types::UnixTime;
use scb_certs::StudentId;
use scb_protocol::rules::Rulebook;
use scb_protocol::statement::SubmissionNumber;

use crate::courses::Desk;
use crate::store::parts::Version;
use crate::store::{Error, Place};

/// How many students are looked up at a time.
const PAGE: usize = 500;

/// A version with a student's part in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub(super) number: SubmissionNumber,
    /// When it came, and with which entry of the log.
    pub(super) came: (UnixTime, Option<u64>),
}

impl Part {
    fn of(version: &Version) -> Self {
        Self {
            number: version.summary.number,
            came: (version.committed_at, version.committed_index),
        }
    }
}

/// A member of a group with a grade, who gets nothing from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LeftOut {
    pub(super) sid: StudentId,
    /// The version that was graded.
    pub(super) group: SubmissionNumber,
    pub(super) why: Why,
}

/// Why a version is not the one that a member is graded for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// Another one counts for him.
    Counts(SubmissionNumber),
    /// It was closed for him when it came, and nothing else counts.
    Closed,
    /// The teacher took him out of it, and nothing else counts.
    Detached,
    /// He is not in the course any more, or not here at all.
    Left,
}

/// The versions of those who have a row, and of all who handed in with them.
#[derive(Debug, Default)]
pub(super) struct Parts {
    counting: BTreeMap<StudentId, Part>,
    closed: BTreeMap<StudentId, Part>,
    detached: BTreeSet<(SubmissionNumber, StudentId)>,
    members: BTreeMap<SubmissionNumber, Vec<StudentId>>,
}

impl Parts {
    pub(super) fn of<'a>(
        desk: &Desk,
        place: &Place,
        sids: impl Iterator<Item = &'a StudentId>,
        book: &Rulebook,
    ) -> Result<Self, Error> {
        let sids: Vec<StudentId> = sids.cloned().collect();
        let mut parts = Self::default();
        parts.look_up((desk, place), &sids, book)?;
        let all = parts.members.values().flatten();
        let others = all.filter(|sid| sids.binary_search(sid).is_err());
        let mut others: Vec<StudentId> = others.cloned().collect();
        others.sort();
        others.dedup();
        parts.look_up((desk, place), &others, book)?;
        Ok(parts)
    }

    fn look_up(
        &mut self,
        (desk, place): (&Desk, &Place),
        sids: &[StudentId],
        book: &Rulebook,
    ) -> Result<(), Error> {
        for page in sids.chunks(PAGE) {
            for part in desk.store.parts(place, page.to_vec(), book)? {
                for (number, _) in &part.detached {
                    self.detached.insert((*number, part.sid.clone()));
                }
                if let Some(version) = part.counting {
                    let members = version.summary.statement.members.iter();
                    let members = members.map(|member| member.sid.clone()).collect();
                    let counts = Part::of(&version);
                    self.members.insert(counts.number, members);
                    self.counting.insert(part.sid, counts);
                } else if let Some(version) = part.after_close {
                    self.closed.insert(part.sid, Part::of(&version));
                }
            }
        }
        Ok(())
    }

    /// The version that counts for a student.
    pub(super) fn counting(&self, sid: &StudentId) -> Option<&Part> {
        self.counting.get(sid)
    }

    /// The last version of a student for whom none counts: it was closed for him when it came.
    pub(super) fn closed(&self, sid: &StudentId) -> Option<&Part> {
        self.closed.get(sid)
    }

    /// The members of a version that counts for one of those who have a row.
    pub(super) fn members(&self, number: SubmissionNumber) -> &[StudentId] {
        self.members.get(&number).map_or(&[], Vec::as_slice)
    }

    /// Why a version is not the one that this member of it is graded for; nothing if it is.
    pub(super) fn why_not(&self, number: SubmissionNumber, sid: &StudentId) -> Option<Why> {
        match self.counting(sid) {
            Some(part) if part.number == number => None,
            Some(part) => Some(Why::Counts(part.number)),
            None if self.detached.contains(&(number, sid.clone())) => Some(Why::Detached),
            None => Some(Why::Closed),
        }
    }
}
