//! What the log says of a proposal, whatever the tables say: nobody is shown, signs or is blamed for
//! another statement than the one that was proposed, nor for what others have not said, or said.

use rusqlite::{Connection, params};
use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, StudentId};
use scb_protocol::log_leaf::{Ended, Entry, Leaf, LogName, Proposed, Signed};
use scb_protocol::message::proposal::{ProposalState, Said};
use scb_protocol::statement::{Statement, SubmissionId};

use super::rows::Stored;
use crate::store::{Error, as_integer, log};

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

/// Whether the log says the same: that this very statement was proposed then, and until when it waits; who
/// has signed, or not; since when it is complete; and how it ended.
pub(super) fn agrees(connection: &Connection, stored: &Stored) -> Result<bool, Error> {
    let (submission, kept) = (stored.submission(), stored.kept);
    let name = LogName::of(&stored.statement).map_err(Error::Leaf)?;
    let proposed = (&stored.statement, stored.bytes.as_slice(), kept.proposed_at);
    let Some(proposed) = as_proposed(connection, &name, proposed)? else {
        return Ok(false);
    };
    let window = Window {
        proposed: proposed.waits_until.as_secs(),
        signed: match kept.signed {
            Some((at, index)) => Some((at.as_secs(), window_of(connection, submission, index)?)),
            None => None,
        },
    };
    if !window.is(kept.waits_until.as_secs()) {
        return Ok(false);
    }
    let entries = Entries {
        connection,
        name: &name,
        submission,
    };
    for one in stored.said() {
        if !entries.say(&one)? {
            return Ok(false);
        }
    }
    let all_signed = stored.said().all(|one| one.said == Said::Signed);
    let as_signed = match (kept.signed, kept.ended) {
        (None, _) => !all_signed,
        // Whoever had its files has taken it back.
        (Some((at, index)), ended) => {
            let has_ended = ended.is_some_and(|state| state != ProposalState::Lapsed);
            (all_signed || has_ended) && entries.signed(index, at)?.is_some()
        }
    };
    // What has ended by the log alone is told so wherever anything is entered about it.
    let as_ended = match kept.ended {
        Some(state) => log::ending(connection, &name, submission)? == Some(state),
        None => true,
    };
    Ok(as_signed && as_ended)
}

/// Until when a proposal waits, as it is known besides its row. Times are in seconds since 1970.
pub(crate) struct Window {
    /// For signatures, as it was entered.
    pub(crate) proposed: u64,
    /// When the last one came, and until when the files might come from then on. That is not entered;
    /// two tables have it, but for what was signed before they did.
    pub(crate) signed: Option<(u64, Option<u64>)>,
}

impl Window {
    /// Whether a row that says so does not contradict it.
    pub(crate) fn is(&self, waits_until: u64) -> bool {
        match self.signed {
            None => waits_until == self.proposed,
            // Files that were here before wait no shorter than signatures might.
            Some((_, Some(until))) => {
                waits_until == until || waits_until == until.max(self.proposed)
            }
            Some((at, None)) => waits_until >= at,
        }
    }
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

/// The entry by which this very statement was proposed at that time.
fn as_proposed(
    connection: &Connection,
    name: &LogName,
    (statement, bytes, at): (&Statement, &[u8], UnixTime),
) -> Result<Option<Proposed>, Error> {
    let entered = log::leaves_of(connection, name, ("proposed", at))?;
    let sha256 = Fingerprint::of(bytes);
    let is_it = |proposed: &Proposed| {
        proposed.submission == statement.submission && proposed.statement_sha256 == sha256
    };
    let mut leaves = entered.iter().filter_map(|leaf| Leaf::parse(leaf).ok());
    Ok(leaves.find_map(|leaf| match leaf.entry {
        Entry::Proposed(proposed) if is_it(&proposed) => Some(proposed),
        _ => None,
    }))
}

/// The entries about one proposal.
struct Entries<'a> {
    connection: &'a Connection,
    name: &'a LogName,
    submission: SubmissionId,
}

impl Entries<'_> {
    /// Whether the entry that is named says this of him. Who has said nothing has none.
    fn say(&self, one: &SaidBy<'_>) -> Result<bool, Error> {
        let (Some(at), Some(index)) = (one.at, one.index) else {
            return Ok(one.said == Said::Nothing);
        };
        Ok(match one.said {
            Said::Nothing => false,
            Said::Signed => self.signed(index, at)?.is_some_and(|signed| {
                let p7s = one.signatures.map(Fingerprint::of);
                let with = one.with.contains(one.sid) && one.with == signed.members;
                with && p7s == Some(signed.p7s_sha256)
            }),
            Said::Declined | Said::Withdrawn => self
                .ended(index, (at, one.said))?
                .is_some_and(|ended| ended.members.contains(one.sid)),
        })
    }

    fn signed(&self, index: u64, at: UnixTime) -> Result<Option<Signed>, Error> {
        Ok(match self.at(index, at)? {
            Some(Entry::Signed(signed)) if signed.submission == self.submission => Some(signed),
            _ => None,
        })
    }

    fn ended(&self, index: u64, (at, said): (UnixTime, Said)) -> Result<Option<Ended>, Error> {
        let ended = match (self.at(index, at)?, said) {
            (Some(Entry::Declined(ended)), Said::Declined) => ended,
            (Some(Entry::Withdrawn(ended)), Said::Withdrawn) => ended,
            _ => return Ok(None),
        };
        Ok(Some(ended).filter(|ended| ended.submission == self.submission))
    }

    fn at(&self, index: u64, at: UnixTime) -> Result<Option<Entry>, Error> {
        let leaf = log::sound_leaf(self.connection, self.name, index)?;
        let leaf = leaf.and_then(|leaf| Leaf::parse(&leaf).ok());
        Ok(leaf.filter(|leaf| leaf.at == at).map(|leaf| leaf.entry))
    }
}
