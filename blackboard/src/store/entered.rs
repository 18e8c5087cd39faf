//! The rules and extensions of an assignment as its log holds them, which is what everything is judged by.
//!
//! The tables beside the log have to say the same. If they do not, somebody has altered one of the two, and
//! nothing is judged at all.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use rustls_pki_types::UnixTime;
use scb_certs::{StudentId, TrustDomain};
use scb_protocol::log_leaf::{Contents, Entry, Leaf, LogName, leaf_commitment};
use scb_protocol::rules::{Change, Extended, Extension, ExtensionChange, Rules, changes};
use serde::de::DeserializeOwned;

use super::{Error, Store, assignments, extensions, log};

/// The rules of an assignment since it was added last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EnteredRules {
    /// The number of the entry.
    pub(super) index: u64,
    /// Its time.
    pub(super) at: UnixTime,
    /// What it says.
    pub(super) rules: Rules,
    /// The leaf's exact bytes.
    pub(super) bytes: Vec<u8>,
}

/// An extension in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EnteredExtension {
    /// The number of the entry that gave it.
    pub(super) index: u64,
    /// What it says of the student.
    pub(super) extension: Extension,
    /// Whom it says something of.
    names: Vec<StudentId>,
    /// The leaf's exact bytes.
    pub(super) bytes: Vec<u8>,
}

impl EnteredExtension {
    /// Whether it names none but these: nobody learns from it what others were given.
    pub(super) fn is_only_of(&self, sids: &[StudentId]) -> bool {
        self.names.iter().all(|sid| sids.contains(sid))
    }
}

impl Store {
    /// The logs of the assignments whose rules or extensions here are not what they say.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) async fn altered_rules(&self, domain: TrustDomain) -> Result<Vec<LogName>, Error> {
        let look = move |connection: &Connection| altered_here(connection, &domain);
        self.database.read(look).await
    }

    /// As [`Store::altered_rules`].
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn altered_rules_blocking(
        &self,
        domain: &TrustDomain,
    ) -> Result<Vec<LogName>, Error> {
        let domain = domain.clone();
        self.database
            .read_blocking(move |connection| altered_here(connection, &domain))
    }
}

fn altered_here(connection: &Connection, domain: &TrustDomain) -> Result<Vec<LogName>, Error> {
    let mut altered = Vec::new();
    for log in logs(connection, domain)? {
        let rules = assignments::find(connection, &log).map(drop);
        match rules.and_then(|()| extensions::all(connection, &log).map(drop)) {
            Ok(()) => {}
            Err(Error::RulesAltered { .. }) => altered.push(log),
            Err(error) => return Err(error),
        }
    }
    Ok(altered)
}

/// The logs of all assignments that there are or were, by course and name: those that there are rules of
/// here, and those that have a log.
pub(super) fn logs(
    connection: &Connection,
    domain: &TrustDomain,
) -> Result<BTreeSet<LogName>, Error> {
    let mut logs: BTreeSet<_> = log::names(connection)?.into_iter().collect();
    for (course, assignment) in assignments::named(connection)? {
        // What has no name of a log has none of an assignment.
        logs.extend(LogName::new(domain, &course, &assignment).ok());
    }
    Ok(logs)
}

/// The rules of now and those before them, in order; none where there is no assignment.
pub(super) fn rules(connection: &Connection, log: &LogName) -> Result<Vec<EnteredRules>, Error> {
    let mut found = Vec::new();
    for (leaf, bytes) in leaves(connection, log, &["rules", "removed"], None)? {
        match leaf.entry {
            Entry::Rules(rules) => found.push(EnteredRules {
                index: leaf.index,
                at: leaf.at,
                rules: read(rules).ok_or_else(|| altered(log))?,
                bytes,
            }),
            _ => found.clear(),
        }
    }
    Ok(found)
}

/// What these rules changed of those before them, each with its entry, the latest first.
pub(super) fn announced(entered: &[EnteredRules]) -> Vec<Change> {
    let changed = |pair: &[EnteredRules]| {
        let (before, now) = (&pair[0], &pair[1]);
        let entry = Some(now.index);
        let changes = changes(&before.rules, &now.rules, now.at).into_iter();
        changes.map(move |change| Change { entry, ..change })
    };
    entered.windows(2).rev().flat_map(changed).collect()
}

/// What was changed of extensions that were given: of those of these students, or of all; each with its entry, the
/// latest first.
pub(super) fn extension_changes(
    connection: &Connection,
    log: &LogName,
    sids: Option<&[StudentId]>,
) -> Result<Vec<ExtensionChange>, Error> {
    let (mut found, mut had) = (Vec::new(), BTreeMap::new());
    for (leaf, _) in leaves(connection, log, &["extension", "removed"], sids)? {
        let Entry::Extension(extended) = leaf.entry else {
            found.clear();
            had.clear();
            continue;
        };
        let extended: Extended = read(extended).ok_or_else(|| altered(log))?;
        let given = extended.given.into_iter();
        let given = given.map(|one| (one.sid.clone(), Some(one)));
        let taken_back = extended.taken_back.into_iter().map(|sid| (sid, None));
        for (sid, is) in given.chain(taken_back) {
            let before: Option<Option<Extension>> = had.insert(sid.clone(), is.clone());
            // What he was given first is no change.
            let was = before.filter(|was| *was != is);
            let is_asked = sids.is_none_or(|sids| sids.contains(&sid));
            if let Some(was) = was.filter(|_| is_asked) {
                found.push(ExtensionChange {
                    at: leaf.at.as_secs(),
                    sid,
                    was,
                    is,
                    entry: leaf.index,
                });
            }
        }
    }
    found.reverse();
    Ok(found)
}

/// The extensions in force: of one student, or of all.
pub(super) fn extensions(
    connection: &Connection,
    log: &LogName,
    sid: Option<&StudentId>,
) -> Result<BTreeMap<StudentId, EnteredExtension>, Error> {
    extensions_before(connection, log, sid, u64::MAX)
}

/// Those that were in force before this entry.
pub(super) fn extensions_before(
    connection: &Connection,
    log: &LogName,
    sid: Option<&StudentId>,
    before: u64,
) -> Result<BTreeMap<StudentId, EnteredExtension>, Error> {
    let mut found = BTreeMap::new();
    let (kinds, sids) = (["extension", "removed"], sid.map(std::slice::from_ref));
    let leaves = leaves(connection, log, &kinds, sids)?.into_iter();
    for (leaf, bytes) in leaves.filter(|(leaf, _)| leaf.index < before) {
        let index = leaf.index;
        let Entry::Extension(extended) = leaf.entry else {
            found.clear();
            continue;
        };
        let extended: Extended = read(extended).ok_or_else(|| altered(log))?;
        let given = extended.given.iter().map(|given| given.sid.clone());
        let names: Vec<_> = given.chain(extended.taken_back.iter().cloned()).collect();
        for extension in extended.given {
            let one = EnteredExtension {
                index,
                extension,
                names: names.clone(),
                bytes: bytes.clone(),
            };
            found.insert(one.extension.sid.clone(), one);
        }
        extended.taken_back.iter().for_each(|sid| {
            found.remove(sid);
        });
    }
    found.retain(|of, _| sid.is_none_or(|sid| sid == of));
    Ok(found)
}

/// The entries of these kinds, in order, with their exact bytes; of those that name students only those that name one of these.
/// Each is what the log holds at its place.
///
/// # Errors
///
/// [`Error::RulesAltered`]; [`Error::Storage`].
pub(super) fn leaves(
    connection: &Connection,
    log: &LogName,
    kinds: &[&str],
    sids: Option<&[StudentId]>,
) -> Result<Vec<(Leaf, Vec<u8>)>, Error> {
    let places = vec!["?"; kinds.len()].join(", ");
    let about = sids.map_or(String::new(), |sids| {
        let any = " OR instr(leaf, ?) > 0".repeat(sids.len());
        format!(" AND (kind <> 'extension'{any})")
    });
    let sql = format!(
        "SELECT number, kind, commitment, leaf FROM log_entries \
         WHERE log = (SELECT id FROM logs WHERE origin = ?) AND kind IN ({places}){about} \
         ORDER BY number"
    );
    let text = |text: &str| Value::Text(text.to_owned());
    let mut given = vec![text(&log.to_string())];
    given.extend(kinds.iter().map(|kind| text(kind)));
    let sids = sids.into_iter().flatten();
    given.extend(sids.map(|sid| Value::Blob(sid.as_str().as_bytes().to_vec())));
    let mut query = connection.prepare_cached(&sql)?;
    let mut rows = query.query(params_from_iter(given))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (number, kind): (i64, String) = (row.get(0)?, row.get(1)?);
        let (commitment, bytes): (Vec<u8>, Option<Vec<u8>>) = (row.get(2)?, row.get(3)?);
        let bytes = bytes.filter(|bytes| leaf_commitment(bytes).as_slice() == commitment);
        let bytes = bytes.ok_or_else(|| altered(log))?;
        let is_here = |leaf: &Leaf| {
            leaf.log == *log && leaf.index == number.unsigned_abs() && leaf.entry.name() == kind
        };
        let leaf = Leaf::parse(&bytes).ok().filter(is_here);
        found.push((leaf.ok_or_else(|| altered(log))?, bytes));
    }
    Ok(found)
}

/// What an entry says; nothing of what cannot be read.
pub(super) fn read<T: DeserializeOwned>(contents: Contents) -> Option<T> {
    serde_json::from_value(contents.into()).ok()
}

/// Tables and log do not say the same.
pub(super) fn altered(log: &LogName) -> Error {
    Error::RulesAltered {
        course: log.course().clone(),
        assignment: log.assignment().clone(),
    }
}
