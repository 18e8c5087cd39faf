//! What came to nothing, by student, as the log of the assignment tells it: hand-ins that were
//! refused, what was given up before its files had come, and proposals that somebody ended or not everybody
//! signed in time.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, params};
use rustls_pki_types::UnixTime;
use scb_certs::StudentId;
use scb_protocol::log_leaf::{Entry, Leaf, LogName};
use scb_protocol::statement::SubmissionId;

use super::{Error, Place, Store};

/// The last thing that came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setback {
    /// When.
    pub(crate) at: UnixTime,
    /// The name of the entry: `refused`, `declined`, `withdrawn` or `lapsed`.
    pub(crate) kind: &'static str,
    /// The code of a refusal.
    pub(crate) code: Option<String>,
    /// Who ended a proposal.
    pub(crate) by: Vec<StudentId>,
}

impl Store {
    /// The last setback of each student.
    ///
    /// # Errors
    ///
    /// [`Error::Leaf`], [`Error::Storage`].
    pub(crate) fn setbacks(&self, place: &Place) -> Result<BTreeMap<StudentId, Setback>, Error> {
        let log = LogName::new(&place.domain, &place.course, &place.assignment);
        let log = log.map_err(Error::Leaf)?;
        self.database
            .read_blocking(move |connection| setbacks(connection, &log))
    }
}

fn setbacks(connection: &Connection, log: &LogName) -> Result<BTreeMap<StudentId, Setback>, Error> {
    let sql = "SELECT leaf FROM log_entries \
               WHERE log = (SELECT id FROM logs WHERE origin = ?) \
               AND kind IN ('refused', 'proposed', 'declined', 'withdrawn', 'lapsed') \
               AND leaf IS NOT NULL ORDER BY number";
    let mut query = connection.prepare_cached(sql)?;
    let rows = query.query_map(params![log.to_string()], |row| row.get::<_, Vec<u8>>(0))?;
    let mut found = BTreeMap::new();
    let mut proposed: HashMap<SubmissionId, Vec<StudentId>> = HashMap::new();
    for leaf in rows {
        // What was altered is told by `blackboard fsck`.
        let Ok(leaf) = Leaf::parse(&leaf?) else {
            continue;
        };
        let (members, code, by) = match &leaf.entry {
            Entry::Refused(refused) => {
                let code = refused.code.to_string();
                (refused.members.clone(), Some(code), Vec::new())
            }
            Entry::Declined(ended) | Entry::Withdrawn(ended) => {
                // What was committed is given up by all its members.
                let members = proposed.get(&ended.submission).unwrap_or(&ended.members);
                (members.clone(), None, ended.members.clone())
            }
            Entry::Lapsed(lapsed) => {
                let members = proposed.get(&lapsed.submission).cloned();
                (members.unwrap_or_default(), None, Vec::new())
            }
            Entry::Proposed(one) => {
                proposed.insert(one.submission, one.members.clone());
                continue;
            }
            _ => continue,
        };
        let setback = Setback {
            at: leaf.at,
            kind: leaf.entry.name(),
            code,
            by,
        };
        found.extend(members.into_iter().map(|sid| (sid, setback.clone())));
    }
    Ok(found)
}
