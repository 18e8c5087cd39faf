//! What came to nothing, by student, as the log of the assignment tells it: hand-ins that were
//! refused, what was given up before its files had come, and proposals that somebody ended or not everybody
//! signed in time.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, params};
use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, StudentId};
use scb_protocol::log_leaf::{Ended, Entry, Leaf, LogName};
use scb_protocol::statement::SubmissionId;

use super::parts::Proposed;
use super::proposals::signable_until;
use super::refused::{self, Tried};
use super::{Error, Place, Store, assignments, commitment, extensions};

/// The last thing that came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setback {
    /// When; of what not everybody has signed in time, until when they could.
    pub(crate) at: UnixTime,
    /// The name of the entry: `refused`, `declined`, `withdrawn` or `lapsed`.
    pub(crate) kind: &'static str,
    /// The code of a refusal.
    pub(crate) code: Option<String>,
    /// Who ended a proposal.
    pub(crate) by: Vec<StudentId>,
    /// The entry with which all had signed what was given up.
    pub(crate) signed: Option<u64>,
    /// Who had not signed a proposal when its time was over.
    pub(crate) missing: Vec<StudentId>,
    /// Nobody could sign it any more, as what is stored of it was altered.
    pub(crate) altered: bool,
    /// Who of them wanted to, and was refused.
    pub(crate) tried: Vec<Tried>,
}

impl Setback {
    /// As its entry alone says.
    fn of(leaf: &Leaf) -> Self {
        Self {
            at: leaf.at,
            kind: leaf.entry.name(),
            code: None,
            by: Vec::new(),
            signed: None,
            missing: Vec::new(),
            altered: false,
            tried: Vec::new(),
        }
    }

    /// What nobody can sign any more, before that is entered. Of what was altered nobody is told that he has not
    /// signed it: he was not let.
    pub(crate) fn over(proposed: &Proposed) -> Self {
        let missing = match proposed.altered {
            true => Vec::new(),
            false => proposed.waiting_for.clone(),
        };
        Self {
            at: proposed.until,
            kind: "lapsed",
            code: None,
            by: Vec::new(),
            signed: None,
            missing,
            altered: proposed.altered,
            tried: proposed.tried.clone(),
        }
    }

    /// Takes the place of what came to nothing for him before. What others had named him in hides nothing that he had
    /// signed.
    pub(crate) fn become_last(self, all: &mut BTreeMap<StudentId, Self>, sid: StudentId) {
        let is_last = all.get(&sid).is_none_or(|last| {
            let lapsed = [&self, last].map(|one| one.kind == "lapsed");
            let own = [&self, last].map(|one| !one.missing.contains(&sid));
            last.at <= self.at && (lapsed != [true; 2] || own != [false, true])
        });
        if is_last {
            all.insert(sid, self);
        }
    }
}

impl Store {
    /// The last setback of each student.
    ///
    /// # Errors
    ///
    /// [`Error::Leaf`], [`Error::Storage`], [`Error::CoursesAltered`].
    pub(crate) fn setbacks(&self, place: &Place) -> Result<BTreeMap<StudentId, Setback>, Error> {
        let log = LogName::new(&place.domain, &place.course, &place.assignment);
        let log = log.map_err(Error::Leaf)?;
        let place = place.clone();
        self.database.read_blocking(move |connection| {
            let assignment = assignments::require(connection, &place)?;
            let until = |one: &Proposal| {
                let own = extensions::own(connection, &log, &one.members)?;
                Ok(signable_until(assignment.rules(), &own, one.waits_until))
            };
            setbacks(connection, &log, until)
        })
    }
}

/// A proposal, as far as the log was read.
struct Proposal {
    /// SHA-256 of its statement.
    statement: Fingerprint,
    members: Vec<StudentId>,
    /// Those of them who have not signed it.
    missing: Vec<StudentId>,
    /// The entry of the last signature.
    signed: Option<u64>,
    waits_until: UnixTime,
}

impl Proposal {
    fn is_signed_by(&mut self, members: &[StudentId], entry: u64) {
        self.missing.retain(|sid| !members.contains(sid));
        if self.missing.is_empty() {
            self.signed = self.signed.or(Some(entry));
        }
    }
}

/// The entry with which all had signed what was ended, if they had: of what was no proposal, the one that
/// recorded it.
fn signed(
    connection: &Connection,
    ended: &Ended,
    proposal: Option<&Proposal>,
) -> Result<Option<u64>, Error> {
    match proposal {
        Some(proposal) => Ok(proposal.signed),
        None => {
            let found = commitment::find(connection, ended.submission)?;
            Ok(found.map(|(commitment, _)| commitment.index))
        }
    }
}

/// `until` says how long it could be signed.
fn setbacks(
    connection: &Connection,
    log: &LogName,
    until: impl Fn(&Proposal) -> Result<UnixTime, Error>,
) -> Result<BTreeMap<StudentId, Setback>, Error> {
    let sql = "SELECT number, leaf FROM log_entries \
               WHERE log = (SELECT id FROM logs WHERE origin = ?) \
               AND kind IN ('refused', 'proposed', 'signed', 'declined', 'withdrawn', 'lapsed') \
               AND leaf IS NOT NULL ORDER BY number";
    let mut query = connection.prepare_cached(sql)?;
    let rows = query.query_map(params![log.to_string()], |row| {
        let number: i64 = row.get("number")?;
        Ok((number.unsigned_abs(), row.get::<_, Vec<u8>>("leaf")?))
    })?;
    let mut found = BTreeMap::new();
    let mut proposed: HashMap<SubmissionId, Proposal> = HashMap::new();
    for row in rows {
        let (number, leaf) = row?;
        // What was altered is told by `blackboard fsck`.
        let Ok(leaf) = Leaf::parse(&leaf) else {
            continue;
        };
        let mut setback = Setback::of(&leaf);
        let members = match &leaf.entry {
            Entry::Refused(refused) => {
                setback.code = Some(refused.code.to_string());
                refused.members.clone()
            }
            Entry::Declined(ended) | Entry::Withdrawn(ended) => {
                // What was committed is given up by all its members.
                setback.by.clone_from(&ended.members);
                let proposal = proposed.get(&ended.submission);
                setback.signed = signed(connection, ended, proposal)?;
                proposal.map_or(&ended.members, |one| &one.members).clone()
            }
            Entry::Lapsed(lapsed) => match proposed.get(&lapsed.submission) {
                Some(proposal) => {
                    setback.missing.clone_from(&proposal.missing);
                    let tried = (&proposal.statement, &proposal.missing[..]);
                    setback.tried = refused::tried(connection, log, tried)?;
                    if !proposal.missing.is_empty() {
                        setback.at = leaf.at.min(until(proposal)?);
                    }
                    proposal.members.clone()
                }
                None => Vec::new(),
            },
            Entry::Signed(signed) => {
                if let Some(proposal) = proposed.get_mut(&signed.submission) {
                    proposal.is_signed_by(&signed.members, number);
                }
                continue;
            }
            Entry::Proposed(one) => {
                let mut missing = one.members.clone();
                missing.sort();
                let proposal = Proposal {
                    statement: one.statement_sha256,
                    members: one.members.clone(),
                    missing,
                    signed: None,
                    waits_until: one.waits_until,
                };
                proposed.insert(one.submission, proposal);
                continue;
            }
            _ => continue,
        };
        for sid in members {
            setback.clone().become_last(&mut found, sid);
        }
    }
    Ok(found)
}
