//! What was signed of an assignment and has not come to its end: by the entries of its log, whatever the rows say of it.
//! Nothing of it is left out, or given up, for rows that somebody altered or removed.

use std::collections::{BTreeMap, HashSet};

use rusqlite::{Connection, OptionalExtension, Row, params};
use rustls_pki_types::UnixTime;
use scb_certs::StudentId;
use scb_protocol::from_seconds;
use scb_protocol::log_leaf::{Entry, Leaf, LogName, leaf_commitment};
use scb_protocol::message::proposal::ProposalState;
use scb_protocol::statement::{Statement, SubmissionId};

use super::parts::key;
use super::proposals::UNANSWERED;
use super::{Error, Place, Store, commitment, log, proposals};
use crate::config::LONGEST_WINDOW;

/// What was signed, and has not all come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Upload {
    /// When it was recorded: what counts for lateness.
    pub(crate) committed_at: UnixTime,
    /// Until when the files may come; `None` if they are here, and only CUHK is waited for.
    pub(crate) until: Option<UnixTime>,
}

impl Upload {
    /// Whether it may still become a submission.
    pub(crate) fn is_coming(&self, now: UnixTime) -> bool {
        self.until.is_none_or(|until| until >= now)
    }
}

impl Store {
    /// The last upload of each student that has not come to its end.
    ///
    /// # Errors
    ///
    /// [`Error::Leaf`], [`Error::Storage`].
    pub(crate) fn uploads(&self, place: &Place) -> Result<BTreeMap<StudentId, Upload>, Error> {
        let place = place.clone();
        self.database.read_blocking(move |connection| {
            let all = of(connection, &place)?.into_iter();
            let of_each = |(upload, sids): (Upload, Vec<StudentId>)| {
                sids.into_iter().map(move |sid| (sid, upload))
            };
            Ok(all.flat_map(of_each).collect())
        })
    }

    /// Of what was signed and has not come to its end, that of which the tables do not say what the log says: it keeps
    /// the assignment open for as long as its files can have come.
    ///
    /// # Errors
    ///
    /// [`Error::Leaf`], [`Error::Storage`].
    pub(crate) fn damaged_uploads(&self, place: &Place) -> Result<Vec<SubmissionId>, Error> {
        let place = place.clone();
        self.database.read_blocking(move |connection| {
            let name = place.log()?;
            let mut damaged = Vec::new();
            for one in entered(connection, &name)?.1 {
                let is_open = !has_ended(connection, &name, one.submission)?;
                if is_open && one.is_damaged(connection)? {
                    damaged.push(one.submission);
                }
            }
            Ok(damaged)
        })
    }
}

/// Everything that was signed and has not come to its end, in order, and whose it is, as far as that can be read.
pub(super) fn of(
    connection: &Connection,
    place: &Place,
) -> Result<Vec<(Upload, Vec<StudentId>)>, Error> {
    let name = place.log()?;
    let (begun, signed) = entered(connection, &name)?;
    let mut all = in_rows(connection, place, &begun)?;
    for one in signed {
        if !has_ended(connection, &name, one.submission)? {
            let until = one.until(connection)?;
            let upload = Upload {
                committed_at: one.at,
                until,
            };
            all.push((one.index, upload, one.members));
        }
    }
    all.sort_by_key(|(index, upload, _)| (upload.committed_at, *index));
    let without_index = |(_, upload, members)| (upload, members);
    Ok(all.into_iter().map(without_index).collect())
}

/// What all of its members have signed, by the log.
struct Signed {
    submission: SubmissionId,
    members: Vec<StudentId>,
    at: UnixTime,
    index: u64,
    /// Until when it waited for signatures, if it was proposed.
    proposed: Option<UnixTime>,
}

impl Signed {
    /// Until when its files may come by what the tables say; `None` if they say that these are here. Where they say
    /// nothing that can be, as long as it can be.
    fn until(&self, connection: &Connection) -> Result<Option<UnixTime>, Error> {
        let (said, has_files) = match self.proposed {
            Some(_) => match proposals::window(connection, self.submission)? {
                Some(until) => return Ok(until),
                None => self.in_rows_of_proposal(connection)?,
            },
            None => (self.in_rows_of_commitment(connection)?, false),
        };
        let longest = self.at.as_secs().saturating_add(LONGEST_WINDOW);
        let most = self
            .proposed
            .map_or(longest, |until| longest.max(until.as_secs()));
        let said = said.into_iter().map(i64::unsigned_abs);
        let said = said.filter(|until| (self.at.as_secs()..=most).contains(until));
        let until = from_seconds(said.max().unwrap_or(longest));
        Ok((!has_files).then_some(until))
    }

    fn is_damaged(&self, connection: &Connection) -> Result<bool, Error> {
        Ok(match self.proposed {
            Some(_) => proposals::window(connection, self.submission)?.is_none(),
            None => self.in_rows_of_commitment(connection)?.is_empty(),
        })
    }

    fn in_rows_of_commitment(&self, connection: &Connection) -> Result<Vec<i64>, Error> {
        let sql = "SELECT upload_until FROM commitments WHERE submission = ?1 \
                   UNION SELECT upload_until FROM backlog WHERE submission = ?1";
        let mut query = connection.prepare_cached(sql)?;
        let rows = query.query_map([self.submission.as_bytes()], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Of one whose rows are not what the log says of it.
    fn in_rows_of_proposal(&self, connection: &Connection) -> Result<(Vec<i64>, bool), Error> {
        let sql = "SELECT waits_until, files_at FROM proposals WHERE submission = ?1 \
                   UNION ALL SELECT upload_until, files_at FROM kept_windows WHERE submission = ?1 \
                   UNION ALL SELECT upload_until, NULL FROM deliveries WHERE submission = ?1";
        let mut query = connection.prepare_cached(sql)?;
        let rows = query.query_map([self.submission.as_bytes()], |row| {
            Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, Option<i64>>(1)?))
        })?;
        let rows: Vec<_> = rows.collect::<Result<_, _>>()?;
        let has_files = rows.iter().any(|(_, files_at)| files_at.is_some());
        Ok((
            rows.into_iter().filter_map(|(until, _)| until).collect(),
            has_files,
        ))
    }
}

/// Which submissions the log knows, and what of them was signed by all; those entries that are what the log commits
/// to.
fn entered(
    connection: &Connection,
    name: &LogName,
) -> Result<(HashSet<SubmissionId>, Vec<Signed>), Error> {
    let sql = "SELECT commitment, leaf FROM log_entries \
               WHERE log = (SELECT id FROM logs WHERE origin = ?) \
               AND kind IN ('committed', 'proposed', 'signed') AND leaf IS NOT NULL ORDER BY number";
    let mut query = connection.prepare_cached(sql)?;
    let mut rows = query.query([name.to_string()])?;
    let (mut begun, mut signed) = (HashSet::new(), Vec::new());
    let mut waiting = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let (held, leaf): (Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?);
        let Some(leaf) = Leaf::parse(&leaf)
            .ok()
            .filter(|_| leaf_commitment(&leaf).as_slice() == held)
        else {
            continue;
        };
        match leaf.entry {
            Entry::Committed(one) => {
                begun.insert(one.submission);
                signed.push(Signed {
                    submission: one.submission,
                    members: one.members,
                    at: leaf.at,
                    index: leaf.index,
                    proposed: None,
                });
            }
            Entry::Proposed(one) => {
                begun.insert(one.submission);
                waiting.insert(one.submission, (one.members.clone(), one));
            }
            Entry::Signed(one) => {
                let Some((missing, proposed)) = waiting.get_mut(&one.submission) else {
                    continue;
                };
                missing.retain(|sid| !one.members.contains(sid));
                if missing.is_empty() {
                    signed.push(Signed {
                        submission: one.submission,
                        members: proposed.members.clone(),
                        at: leaf.at,
                        index: leaf.index,
                        proposed: Some(proposed.waits_until),
                    });
                    waiting.remove(&one.submission);
                }
            }
            _ => {}
        }
    }
    Ok((begun, signed))
}

/// Whether nothing comes of it any more, or something has: by the log, or as the same version was handed in.
fn has_ended(
    connection: &Connection,
    name: &LogName,
    submission: SubmissionId,
) -> Result<bool, Error> {
    let ended: Option<ProposalState> = log::ending(connection, name, submission)?;
    let sql = "SELECT 1 FROM answered WHERE submission = ?";
    let mut query = connection.prepare_cached(sql)?;
    let answered = query.query_row([submission.as_bytes()], |_| Ok(()));
    Ok(ended.is_some() || answered.optional()?.is_some())
}

/// What rows say of what the log does not know, with the number of the entry that they name: the entry may be damaged.
fn in_rows(
    connection: &Connection,
    place: &Place,
    begun: &HashSet<SubmissionId>,
) -> Result<Vec<(u64, Upload, Vec<StudentId>)>, Error> {
    let sql = format!(
        "SELECT committed_at, upload_until, statement, log_index, submission FROM ({}) \
         UNION ALL SELECT signed_at, CASE WHEN files_at IS NULL THEN waits_until END, \
         statement, coalesce(signed_index, 0), submission FROM proposals \
         WHERE signed_at IS NOT NULL AND ended IS NULL AND {UNANSWERED}",
        commitment::OPEN
    );
    let mut query = connection.prepare_cached(&sql)?;
    let mut rows = query.query([])?;
    let mut uploads = Vec::new();
    while let Some(row) = rows.next()? {
        let submission = SubmissionId::from_bytes(row.get(4)?);
        if begun.contains(&submission) {
            continue;
        }
        let sids = match Statement::parse(&row.get::<_, Vec<u8>>(2)?) {
            Ok(one) if one.course == place.course && one.assignment == place.assignment => {
                Some(one.members.into_iter().map(|one| one.sid).collect())
            }
            Ok(_) => None,
            // It was altered: other rows still say whose it is.
            Err(_) => in_other_rows(connection, submission, place)?,
        };
        let index: i64 = row.get(3)?;
        let upload = upload(row)?;
        uploads.extend(sids.map(|sids| (index.unsigned_abs(), upload, sids)));
    }
    Ok(uploads)
}

/// Whose a submission is, if rows besides its statement say that it is of this assignment. Of whom that cannot be
/// read nothing is said: others do not wait for that.
fn in_other_rows(
    connection: &Connection,
    submission: SubmissionId,
    place: &Place,
) -> Result<Option<Vec<StudentId>>, Error> {
    let sql = "SELECT sid FROM backlog WHERE submission = ?1 AND course = ?2 AND assignment = ?3 \
               UNION SELECT sid FROM cosigners JOIN proposals USING (submission) \
               WHERE submission = ?1 AND course = ?2 AND assignment = ?3";
    let mut query = connection.prepare_cached(sql)?;
    let [course, assignment] = key(place);
    let id = submission.as_bytes();
    let rows = query.query_map(params![id, course, assignment], |row| {
        let text = row.get_ref(0)?.as_str().ok();
        Ok(text.and_then(|text| text.parse().ok()))
    })?;
    let named: Vec<Option<StudentId>> = rows.collect::<Result<_, _>>()?;
    if named.contains(&None) {
        tracing::error!(
            "of {submission}, whose statement was altered, not every member can be read"
        );
    }
    Ok(Some(named)
        .filter(|named| !named.is_empty())
        .map(|named| named.into_iter().flatten().collect()))
}

fn upload(row: &Row<'_>) -> rusqlite::Result<Upload> {
    let time = |seconds: i64| from_seconds(seconds.unsigned_abs());
    Ok(Upload {
        committed_at: time(row.get(0)?),
        until: row.get::<_, Option<i64>>(1)?.map(time),
    })
}
