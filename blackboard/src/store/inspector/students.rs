//! What students have signed, and how it ended, as `fsck` looks at it.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, Row, params};
use scb_certs::Fingerprint;
use scb_protocol::log_leaf::{Entry, Leaf};
use scb_protocol::statement::{Label, SubmissionId};

use super::{Inspector, hashed, unsigned};
use crate::store::{Error, as_integer};

/// SHA-256 of what is stored of a commitment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CommittedRow {
    /// Of the statement.
    pub(crate) statement: Fingerprint,
    /// Of the members' signatures.
    pub(crate) signatures: Fingerprint,
    /// What stood behind the members.
    pub(crate) mode: String,
    /// Of what that said.
    pub(crate) assurance: Fingerprint,
    /// The number of its entry.
    pub(crate) index: u64,
    /// When it was committed, in seconds since 1970.
    pub(crate) at: u64,
}

/// What is kept beside an entry of a moment that counts.
#[derive(Debug, Default)]
pub(crate) struct KeptOfMoment {
    /// What CUHK had said by then.
    pub(crate) said: Option<String>,
    /// Blackboard's signature of the entry, as its members were given it.
    pub(crate) signature: Option<Vec<u8>>,
}

/// Until when the files of a commitment may come, by each table that says so; in seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UploadWindow {
    /// By the commitment.
    pub(crate) until: u64,
    /// Whether nobody waits for them any more.
    pub(crate) is_settled: bool,
    /// By what is kept for each of its members.
    pub(crate) of_members: BTreeMap<String, u64>,
}

/// What came of a proposal over one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeliveryRow {
    /// When, in seconds since 1970.
    pub(crate) at: u64,
    /// Which connection it was.
    pub(crate) connection: Vec<u8>,
    /// Who was verified on it, separated by commas.
    pub(crate) members: String,
    /// What they said why.
    pub(crate) reason: Option<String>,
    /// If it was signatures.
    pub(crate) signed: Option<SignedRow>,
}

/// Signatures that came: SHA-256 of what is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SignedRow {
    /// Of the signatures.
    pub(crate) signatures: Fingerprint,
    /// What stood behind the members.
    pub(crate) mode: Option<String>,
    /// Of what that said.
    pub(crate) assurance: Option<Fingerprint>,
}

/// How a proposal stands. Times are in seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProposedRow {
    /// When it was proposed.
    pub(crate) proposed_at: u64,
    /// Until when something may come.
    pub(crate) waits_until: u64,
    /// When everybody had signed, and the number of that entry.
    pub(crate) signed: Option<(u64, u64)>,
    /// Until when its files might come from then on, as it is kept with that signature.
    pub(crate) upload_until: Option<u64>,
    /// The same, as it is kept once more.
    pub(crate) kept_until: Option<u64>,
    /// Whether that its files have come is kept twice, and alike.
    pub(crate) files_agree: bool,
    /// How and when it ended.
    pub(crate) ended: Option<(String, u64)>,
    /// Each member in order, what he said, and by which entry.
    pub(crate) cosigners: Vec<(String, String, Option<u64>)>,
}

/// Everything of an assignment that changes with what its students say, as of one moment.
#[derive(Debug)]
pub(crate) struct Standing {
    /// Its proposals.
    pub(crate) proposals: BTreeMap<SubmissionId, ProposedRow>,
    /// The entries by which something came of them over a connection.
    pub(crate) delivered: BTreeSet<u64>,
    /// What was given up, in any assignment.
    pub(crate) withdrawn: BTreeSet<SubmissionId>,
}

impl Inspector {
    /// What is stored of a commitment, if there is one.
    pub(crate) fn committed(&self, id: SubmissionId) -> Result<Option<CommittedRow>, Error> {
        self.0.read(|connection| {
            let sql = "SELECT statement, signatures, mode, assurance, log_index, committed_at \
                       FROM commitments WHERE submission = ?";
            let mut query = connection.prepare_cached(sql)?;
            let found = query.query_row([id.as_bytes()], |row| {
                Ok(CommittedRow {
                    statement: hashed(row, 0)?,
                    signatures: hashed(row, 1)?,
                    mode: row.get(2)?,
                    assurance: hashed(row, 3)?,
                    index: unsigned(row.get(4)?),
                    at: unsigned(row.get(5)?),
                })
            });
            Ok(found.optional()?)
        })
    }

    /// What is kept beside this entry `committed` or `signed` of a submission.
    pub(crate) fn moment(&self, id: SubmissionId, leaf: &Leaf) -> Result<KeptOfMoment, Error> {
        let sql = match leaf.entry {
            Entry::Committed(_) => {
                "SELECT assurance, leaf_signature FROM commitments \
                 WHERE submission = ? AND log_index = ?"
            }
            _ => {
                "SELECT assurance, leaf_signature FROM deliveries \
                 WHERE submission = ? AND log_index = ?"
            }
        };
        self.0.read(|connection| {
            let mut query = connection.prepare_cached(sql)?;
            let key = params![id.as_bytes(), as_integer(leaf.index)];
            let found = query.query_row(key, |row| {
                let said: Option<Vec<u8>> = row.get(0)?;
                Ok(KeptOfMoment {
                    said: said.map(|said| String::from_utf8_lossy(&said).into_owned()),
                    signature: row.get(1)?,
                })
            });
            Ok(found.optional()?.unwrap_or_default())
        })
    }

    /// Until when the files of a commitment may come, if there is one.
    pub(crate) fn upload_window(&self, id: SubmissionId) -> Result<Option<UploadWindow>, Error> {
        self.0.read(|connection| {
            let sql = "SELECT upload_until, submission IN (SELECT submission FROM settled) \
                       FROM commitments WHERE submission = ?";
            let mut query = connection.prepare_cached(sql)?;
            let found = query.query_row([id.as_bytes()], |row| {
                Ok((unsigned(row.get(0)?), row.get(1)?))
            });
            let Some((until, is_settled)) = found.optional()? else {
                return Ok(None);
            };
            let sql = "SELECT sid, upload_until FROM backlog WHERE submission = ?";
            let mut query = connection.prepare_cached(sql)?;
            let rows = query.query_map([id.as_bytes()], |row| {
                Ok((row.get(0)?, unsigned(row.get(1)?)))
            })?;
            Ok(Some(UploadWindow {
                until,
                is_settled,
                of_members: rows.collect::<Result<_, _>>()?,
            }))
        })
    }

    /// When a commitment was given up, and by which entry, if it was.
    pub(crate) fn withdrawn(&self, id: SubmissionId) -> Result<Option<(u64, u64)>, Error> {
        self.0.read(|connection| {
            let sql = "SELECT at, log_index FROM withdrawals WHERE submission = ?";
            let mut query = connection.prepare_cached(sql)?;
            let found = query.query_row([id.as_bytes()], |row| {
                Ok((unsigned(row.get(0)?), unsigned(row.get(1)?)))
            });
            Ok(found.optional()?)
        })
    }

    /// SHA-256 of the statement of a proposal, if there is one.
    pub(crate) fn proposed(&self, id: SubmissionId) -> Result<Option<Fingerprint>, Error> {
        self.0.read(|connection| {
            let sql = "SELECT statement FROM proposals WHERE submission = ?";
            let mut query = connection.prepare_cached(sql)?;
            let found = query.query_row([id.as_bytes()], |row| hashed(row, 0));
            Ok(found.optional()?)
        })
    }

    /// What is stored of what this entry says came of a proposal over a connection.
    pub(crate) fn delivered(
        &self,
        id: SubmissionId,
        index: u64,
    ) -> Result<Option<DeliveryRow>, Error> {
        self.0.read(|connection| {
            let sql = "SELECT at, connection, members, reason, signatures, mode, assurance \
                       FROM deliveries WHERE submission = ? AND log_index = ?";
            let mut query = connection.prepare_cached(sql)?;
            let key = params![id.as_bytes(), as_integer(index)];
            Ok(query.query_row(key, delivery).optional()?)
        })
    }

    /// How everything of an assignment stands that students have proposed or given up.
    pub(crate) fn standing(&self, place: (&Label, &Label)) -> Result<Standing, Error> {
        self.0.read(|connection| {
            Ok(Standing {
                proposals: proposals(connection, place)?,
                delivered: deliveries(connection, place)?,
                withdrawn: ids(connection, "SELECT submission FROM withdrawals")?,
            })
        })
    }

    /// Every submission that was committed, or given up.
    pub(crate) fn commitments(&self) -> Result<BTreeSet<SubmissionId>, Error> {
        let sql = "SELECT submission FROM commitments UNION SELECT submission FROM withdrawals";
        self.0.read(|connection| ids(connection, sql))
    }
}

fn delivery(row: &Row<'_>) -> rusqlite::Result<DeliveryRow> {
    let is_signed = row.get_ref(4)?.as_blob_or_null()?.is_some();
    let assurance = row.get_ref(6)?.as_blob_or_null()?.map(Fingerprint::of);
    let signed = match is_signed {
        true => Some(SignedRow {
            signatures: hashed(row, 4)?,
            mode: row.get(5)?,
            assurance,
        }),
        false => None,
    };
    Ok(DeliveryRow {
        at: unsigned(row.get(0)?),
        connection: row.get(1)?,
        members: row.get(2)?,
        reason: row.get(3)?,
        signed,
    })
}

fn proposals(
    connection: &Connection,
    (course, assignment): (&Label, &Label),
) -> Result<BTreeMap<SubmissionId, ProposedRow>, Error> {
    let sql = "SELECT submission, proposed_at, waits_until, signed_at, signed_index, ended, ended_at, \
               (SELECT max(upload_until) FROM deliveries \
               WHERE deliveries.submission = proposals.submission AND log_index = signed_index), \
               kept.upload_until, kept.submission IS NOT NULL AND kept.files_at IS proposals.files_at \
               FROM proposals LEFT JOIN kept_windows AS kept USING (submission) WHERE course = ? AND assignment = ?";
    let mut query = connection.prepare_cached(sql)?;
    let key = [course.to_string(), assignment.to_string()];
    let rows = query.query_map(key, |row| {
        let time = |column| row.get::<_, Option<i64>>(column);
        let or_none = |stored: Option<i64>| stored.map_or(u64::MAX, unsigned);
        let signed = (time(3)?, time(4)?);
        let ended: (Option<String>, _) = (row.get(5)?, time(6)?);
        Ok((
            SubmissionId::from_bytes(row.get(0)?),
            ProposedRow {
                proposed_at: unsigned(row.get(1)?),
                waits_until: unsigned(row.get(2)?),
                signed: match signed {
                    (None, None) => None,
                    (at, index) => Some((or_none(at), or_none(index))),
                },
                upload_until: time(7)?.map(unsigned),
                kept_until: time(8)?.map(unsigned),
                files_agree: row.get(9)?,
                ended: match ended {
                    (None, None) => None,
                    (how, at) => Some((how.unwrap_or_default(), or_none(at))),
                },
                cosigners: Vec::new(),
            },
        ))
    })?;
    let mut found: BTreeMap<_, _> = rows.collect::<Result<_, _>>()?;
    for (id, row) in &mut found {
        row.cosigners = cosigners(connection, *id)?;
    }
    Ok(found)
}

fn cosigners(
    connection: &Connection,
    id: SubmissionId,
) -> Result<Vec<(String, String, Option<u64>)>, Error> {
    let sql = "SELECT sid, said, log_index FROM cosigners \
               LEFT JOIN deliveries ON deliveries.id = cosigners.delivery \
               AND deliveries.submission = cosigners.submission \
               WHERE cosigners.submission = ? ORDER BY nth";
    let mut query = connection.prepare_cached(sql)?;
    let rows = query.query_map([id.as_bytes()], |row| {
        let index = row.get::<_, Option<i64>>(2)?;
        Ok((row.get(0)?, row.get(1)?, index.map(unsigned)))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn deliveries(
    connection: &Connection,
    (course, assignment): (&Label, &Label),
) -> Result<BTreeSet<u64>, Error> {
    let sql = "SELECT log_index FROM deliveries JOIN proposals USING (submission) \
               WHERE course = ? AND assignment = ?";
    let mut query = connection.prepare_cached(sql)?;
    let key = [course.to_string(), assignment.to_string()];
    let rows = query.query_map(key, |row| Ok(unsigned(row.get(0)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn ids(connection: &Connection, sql: &str) -> Result<BTreeSet<SubmissionId>, Error> {
    let mut query = connection.prepare_cached(sql)?;
    let rows = query.query_map([], |row| Ok(SubmissionId::from_bytes(row.get(0)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
