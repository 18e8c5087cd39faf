//! Over which connection each signature of a submission came: as it is recorded, and as the log says.

use rusqlite::{Connection, params};
use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, StudentId};
use scb_protocol::from_seconds;
use scb_protocol::log_leaf::{Accepted, Entry, Leaf, LogName, leaf_commitment};
use scb_protocol::receipt::LogProof;
use scb_protocol::statement::SubmissionId;

use super::{Error, Record, Store, closing};

/// How one member's signature came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delivered {
    /// Whose it is.
    pub(crate) sid: StudentId,
    /// When it was recorded.
    pub(crate) at: UnixTime,
    /// The number of the entry that says so; nothing if there is none, or it is lost.
    pub(crate) entry: Option<u64>,
    /// Which connection it was: its T2. Nothing of what all have signed on one machine: then all came at
    /// once, over one that is not named.
    pub(crate) connection: Option<Fingerprint>,
    /// Who was verified on it. The first one opened it, with his certificate in TLS.
    pub(crate) with: Vec<StudentId>,
}

impl Store {
    /// How the signature of each member came, in the order of the statement. Of what came back by its receipt as
    /// far as that tells.
    ///
    /// # Errors
    ///
    /// [`Error::Altered`], [`Error::ProposalAltered`] for what the log says otherwise; [`Error::Storage`].
    pub(crate) fn delivered(&self, record: &Record) -> Result<Vec<Delivered>, Error> {
        let altered = || Error::Altered {
            number: record.number(),
        };
        let accepted = record.accepted().ok_or_else(altered)?;
        let statement = record.statement().clone();
        let log = LogName::of(&statement).map_err(Error::Leaf)?;
        let sha256 = Fingerprint::of(record.statement_bytes());
        let proof = record.proof.clone();
        self.database.read_blocking(move |connection| {
            let (leaf, id) = (
                committing(connection, &log, &accepted)?,
                statement.submission,
            );
            let members = statement.members.iter();
            let sids: Vec<_> = members.map(|one| one.sid.clone()).collect();
            match leaf.map(|leaf| (leaf.at, leaf.entry)) {
                Some((_, Entry::Signed(signed))) if signed.submission == id => {
                    over_several(connection, &log, id)
                }
                Some((at, Entry::Committed(committed))) => {
                    let is_it = committed.statement_sha256 == sha256
                        && (committed.submission, &committed.members) == (id, &sids);
                    match is_it && at == accepted.committed_at {
                        true => Ok(over_one(&accepted, accepted.committed_index, sids)),
                        false => Err(Error::ProposalAltered { submission: id }),
                    }
                }
                Some(_) => Err(Error::ProposalAltered { submission: id }),
                None => match over_several(connection, &log, id)? {
                    none if none.is_empty() => Ok(as_proved(&accepted, proof.as_ref(), sids)),
                    several => Ok(several),
                },
            }
        })
    }
}

/// The entry by which it was complete, if it is not lost.
fn committing(
    connection: &Connection,
    log: &LogName,
    accepted: &Accepted,
) -> Result<Option<Leaf>, Error> {
    match accepted.committed_index {
        Some(index) => leaf(connection, (log, index), accepted.submission),
        None => Ok(None),
    }
}

/// One entry, as the log commits to it.
fn leaf(
    connection: &Connection,
    (log, index): (&LogName, u64),
    submission: SubmissionId,
) -> Result<Option<Leaf>, Error> {
    let altered = || Error::ProposalAltered { submission };
    match closing::entries(connection, log, index, 1)?
        .into_iter()
        .next()
    {
        None => Err(altered()),
        Some((_, None)) => Ok(None),
        Some((commitment, Some(leaf))) => match leaf_commitment(&leaf) == commitment {
            true => Leaf::parse(&leaf).map(Some).map_err(|_| altered()),
            false => Err(altered()),
        },
    }
}

/// Where the entry by which it was complete is lost: what is in the receipt from which it came back; nothing of what
/// that does not tell.
fn as_proved(
    accepted: &Accepted,
    proof: Option<&LogProof>,
    sids: Vec<StudentId>,
) -> Vec<Delivered> {
    // Of a time before there was such an entry: all have signed on one machine.
    if accepted.committed_index.is_none() {
        return over_one(accepted, None, sids);
    }
    let committed = proof.and_then(|proof| proof.committed.as_ref());
    let leaf = committed.and_then(|entry| Leaf::parse(entry.leaf.as_bytes()).ok());
    match leaf.map(|leaf| leaf.entry) {
        Some(Entry::Committed(committed)) if committed.members == sids => {
            over_one(accepted, None, sids)
        }
        Some(Entry::Signed(signed)) => {
            let one = |sid: &StudentId| Delivered {
                sid: sid.clone(),
                at: accepted.committed_at,
                entry: None,
                connection: Some(signed.connection),
                with: signed.members.clone(),
            };
            signed.members.iter().map(one).collect()
        }
        _ => Vec::new(),
    }
}

/// All at once.
fn over_one(accepted: &Accepted, entry: Option<u64>, sids: Vec<StudentId>) -> Vec<Delivered> {
    let one = |sid: &StudentId| Delivered {
        sid: sid.clone(),
        at: accepted.committed_at,
        entry,
        connection: None,
        with: sids.clone(),
    };
    sids.iter().map(one).collect()
}

/// Each over a connection that the log names.
fn over_several(
    connection: &Connection,
    log: &LogName,
    submission: SubmissionId,
) -> Result<Vec<Delivered>, Error> {
    let altered = || Error::ProposalAltered { submission };
    let sql = "SELECT cosigners.sid, at, connection, members, log_index FROM cosigners \
               JOIN deliveries ON deliveries.id = cosigners.delivery \
               WHERE cosigners.submission = ? ORDER BY nth";
    let mut query = connection.prepare_cached(sql)?;
    let rows = query.query_map(params![submission.as_bytes()], |row| {
        let (sid, members): (String, String) = (row.get(0)?, row.get(3)?);
        let (at, index): (i64, i64) = (row.get(1)?, row.get(4)?);
        Ok((
            sid,
            at.unsigned_abs(),
            row.get(2)?,
            members,
            index.unsigned_abs(),
        ))
    })?;
    let mut found = Vec::new();
    for row in rows {
        let (sid, at, t2, members, index) = row?;
        let with: Result<Vec<StudentId>, _> = members.split(',').map(str::parse).collect();
        let mut one = Delivered {
            sid: sid.parse().map_err(|_| altered())?,
            at: from_seconds(at),
            entry: Some(index),
            connection: Some(Fingerprint::from_bytes(t2)),
            with: with.map_err(|_| altered())?,
        };
        match leaf(connection, (log, index), submission)? {
            None => one.entry = None,
            Some(leaf) if says(&leaf, submission, &one) => {}
            Some(_) => return Err(altered()),
        }
        found.push(one);
    }
    Ok(found)
}

/// Whether this entry says the very same.
fn says(leaf: &Leaf, submission: SubmissionId, one: &Delivered) -> bool {
    match &leaf.entry {
        Entry::Signed(signed) => {
            signed.submission == submission
                && Some(signed.connection) == one.connection
                && signed.members == one.with
                && signed.members.contains(&one.sid)
                && leaf.at == one.at
        }
        _ => false,
    }
}
