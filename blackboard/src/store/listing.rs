//! What students are told of the assignments that they can hand in.

use rusqlite::Connection;
use scb_certs::{StudentId, TrustDomain};
use scb_protocol::log_leaf::LogName;
use scb_protocol::message::blackboard::{AlteredAssignment, ListedAssignment, MAX_CHANGES};
use scb_protocol::receipt::SignedEntry;
use scb_protocol::rules::{Change, Extension, ExtensionChange, Rules, Title};
use scb_protocol::statement::Label;

use super::assignments::{Assignment, find_entered};
use super::{Error, Store, courses, entered, extensions};

/// What these members can hand in together, and of which assignments that is not told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ListedFor {
    /// By course and name.
    pub(crate) listed: Vec<ListedAssignment>,
    /// Those whose rules or extensions here are not what their logs say.
    pub(crate) altered: Vec<AlteredAssignment>,
}

impl Store {
    /// What these students can hand in together: the assignments of all courses in which all of
    /// them are, or of one of these courses; with the entries of their logs that say so, which `sign` signs.
    ///
    /// # Errors
    ///
    /// [`Error::Receipt`] if `sign` fails; [`Error::Storage`], [`Error::CoursesAltered`].
    pub(crate) async fn listed_for<F>(
        &self,
        domain: TrustDomain,
        sids: Vec<StudentId>,
        course: Option<Label>,
        sign: F,
    ) -> Result<ListedFor, Error>
    where
        F: Fn(Vec<u8>) -> Result<SignedEntry, scb_protocol::Error> + Send + 'static,
    {
        let asking = move |connection: &Connection| {
            let asking = Asking {
                sids: &sids,
                sign: &sign,
            };
            listed_for(connection, &domain, &asking, course.as_ref())
        };
        self.database.read(asking).await
    }
}

/// Signs an entry of a log, to be shown.
pub(super) type Sign = dyn Fn(Vec<u8>) -> Result<SignedEntry, scb_protocol::Error>;

/// Who asks, and with what what they are told is signed.
struct Asking<'a> {
    sids: &'a [StudentId],
    sign: &'a Sign,
}

fn listed_for(
    connection: &Connection,
    domain: &TrustDomain,
    asking: &Asking<'_>,
    only: Option<&Label>,
) -> Result<ListedFor, Error> {
    let mut told = ListedFor::default();
    let logs = entered::logs(connection, domain)?;
    for course in courses::all(connection)? {
        let is_asked = only.is_none_or(|only| *only == course.course);
        if !is_asked || !courses::outsiders(connection, &course, asking.sids)?.is_empty() {
            continue;
        }
        for log in logs.iter().filter(|log| *log.course() == course.course) {
            match listed(connection, log, &course.title, asking) {
                Ok(one) => told.listed.extend(one),
                Err(Error::RulesAltered { course, assignment }) => {
                    let altered = AlteredAssignment { course, assignment };
                    told.altered.push(altered);
                }
                Err(error) => return Err(error),
            }
        }
    }
    Ok(told)
}

fn listed(
    connection: &Connection,
    log: &LogName,
    course_title: &Title,
    Asking { sids, sign }: &Asking<'_>,
) -> Result<Option<ListedAssignment>, Error> {
    let Some((one, announced)) = announced(connection, log, sids, *sign)? else {
        return Ok(None);
    };
    Ok(Some(ListedAssignment {
        entry: announced.entry,
        extended: announced.extended,
        extensions: announced.extensions,
        rules: announced.rules,
        changes: announced.changes,
        extension_changes: announced.extension_changes,
        course: one.course,
        course_title: course_title.clone(),
        assignment: one.assignment,
    }))
}

/// Rules and extensions, with the entries that say so, signed.
pub(super) struct AnnouncedRules {
    /// Those in force.
    pub(super) rules: Rules,
    /// Their entry.
    pub(super) entry: SignedEntry,
    /// What was changed of them lately, the latest first.
    changes: Vec<Change>,
    /// The same of the students' extensions.
    extension_changes: Vec<ExtensionChange>,
    /// The students' own.
    pub(super) extensions: Vec<Extension>,
    /// Their entries, without those that name others as well.
    pub(super) extended: Vec<SignedEntry>,
}

/// The assignment of this log as these students are told of it.
pub(super) fn announced(
    connection: &Connection,
    log: &LogName,
    sids: &[StudentId],
    sign: &Sign,
) -> Result<Option<(Assignment, AnnouncedRules)>, Error> {
    let Some((one, mut entered)) = find_entered(connection, log)? else {
        return Ok(None);
    };
    let mut changes = entered::announced(&entered);
    changes.truncate(MAX_CHANGES);
    let in_force = entered.pop().ok_or_else(|| entered::altered(log))?;
    let own = extensions::entries(connection, log, sids)?;
    let mut extension_changes = entered::extension_changes(connection, log, Some(sids))?;
    extension_changes.truncate(MAX_CHANGES);
    let mut shown: Vec<_> = own.iter().filter(|one| one.is_only_of(sids)).collect();
    shown.dedup_by_key(|one| one.index);
    let extended = shown.into_iter().map(|one| sign(one.bytes.clone()));
    let extended: Result<_, _> = extended.collect();
    let announced = AnnouncedRules {
        entry: sign(in_force.bytes).map_err(Error::Receipt)?,
        extended: extended.map_err(Error::Receipt)?,
        extensions: own.into_iter().map(|one| one.extension).collect(),
        rules: in_force.rules,
        changes,
        extension_changes,
    };
    Ok(Some((one, announced)))
}
