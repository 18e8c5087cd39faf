//! Assignments: their rules, and all that these ever were.
//!
//! What is changed here is an entry of the assignment's log, in the same transaction.

use rusqlite::{Connection, Row, Transaction, params};
use rustls_pki_types::UnixTime;
use scb_certs::{StudentId, TrustDomain};
use scb_protocol::from_seconds;
use scb_protocol::log_leaf::{Contents, Entry, LogName};
use scb_protocol::rules::{
    Assigned, Change, Found, Groups, Rules, RulesError, Terms, Title, changes,
};
use scb_protocol::statement::{Label, Statement};
use serde::Serialize;

use super::entered::{self, EnteredRules};
use super::{Error, Given, Store, as_integer, courses, extensions, groups, log, rulebook};

/// An assignment and the history of its rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Assignment {
    /// The course.
    pub(crate) course: Label,
    /// Its short name in the course.
    pub(crate) assignment: Label,
    /// The rules that count, and those before them; from when on each counted. Never empty.
    history: Vec<(UnixTime, Rules)>,
}

impl Assignment {
    /// The rules that count.
    pub(crate) fn rules(&self) -> &Rules {
        &self.history[0].1
    }

    /// Since when there is the assignment.
    pub(crate) fn added_at(&self) -> UnixTime {
        self.history[self.history.len() - 1].0
    }

    /// What was changed, the latest first.
    pub(crate) fn changes(&self) -> Vec<Change> {
        let steps = self.history.windows(2);
        let change = |pair: &[(UnixTime, Rules)]| changes(&pair[1].1, &pair[0].1, pair[0].0);
        steps.flat_map(change).collect()
    }

    /// Whether these rules, and those before them, are what the log says, and nothing else.
    fn is_entered(&self, entered: &[EnteredRules]) -> bool {
        let entered = entered.iter().rev().map(|one| (one.at, &one.rules));
        entered.eq(self.history.iter().map(|(at, rules)| (*at, rules)))
    }
}

/// What came of other rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Amended {
    /// What differs from those before.
    pub(crate) changes: Vec<Change>,
    /// How many students had handed in before.
    pub(crate) students: u64,
    /// Whose extensions give no time any more: the common deadline was moved beyond them.
    pub(crate) idle: Vec<StudentId>,
    /// Whose extensions give time again.
    pub(crate) again: Vec<StudentId>,
}

impl Amended {
    fn new(changes: Vec<Change>, students: u64, given: &[Given], rules: [&Rules; 2]) -> Self {
        let of = |wanted: [bool; 2]| {
            let differs = |one: &&Given| rules.map(|it| it.gives_time(&one.extension)) == wanted;
            let sid = |one: &Given| one.extension.sid.clone();
            given.iter().filter(differs).map(sid).collect()
        };
        Self {
            changes,
            students,
            idle: of([true, false]),
            again: of([false, true]),
        }
    }
}

/// An assignment, by its course and its name there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The trust domain, part of the log's name.
    pub(crate) domain: TrustDomain,
    /// The course.
    pub(crate) course: Label,
    /// The assignment.
    pub(crate) assignment: Label,
}

impl Place {
    /// The assignment's log.
    pub(crate) fn log(&self) -> Result<LogName, Error> {
        LogName::new(&self.domain, &self.course, &self.assignment).map_err(Error::Leaf)
    }
}

impl Store {
    /// Adds an assignment to a course.
    ///
    /// # Errors
    ///
    /// [`Error::NoCourse`], [`Error::AssignmentExists`]; [`Error::Storage`].
    pub(crate) fn add_assignment(
        &self,
        place: Place,
        rules: Rules,
        now: UnixTime,
    ) -> Result<(), Error> {
        self.enter_blocking(move |transaction| {
            courses::require(transaction, &place.course)?;
            if find(transaction, &place.log()?)?.is_some() {
                return Err(Error::AssignmentExists {
                    course: place.course,
                    assignment: place.assignment,
                });
            }
            put(transaction, &place, &rules, now)
        })
    }

    /// Puts other rules in the place of those that count; answers what differs. Rules that are the
    /// same are not entered again.
    ///
    /// # Errors
    ///
    /// [`Error::NoAssignment`], [`Error::Rules`] and what else `change` refuses; [`Error::Amend`]
    /// for what would take back what was promised; [`Error::Storage`].
    pub(crate) fn change_assignment<F>(
        &self,
        place: Place,
        change: F,
        now: UnixTime,
    ) -> Result<Amended, Error>
    where
        F: FnOnce(Terms) -> Result<Rules, RulesError> + Send + 'static,
    {
        self.enter_blocking(move |transaction| {
            let before = require(transaction, &place)?;
            let rules = change(before.rules().clone().into()).map_err(Error::Rules)?;
            let changes = changes(before.rules(), &rules, now);
            let (students, handed_in) = rulebook::handed_in(transaction, &place, now)?;
            if !changes.is_empty() {
                let amended = before.rules().check_amended(&rules, handed_in, now);
                amended.map_err(Error::Amend)?;
                put(transaction, &place, &rules, now)?;
            }
            let given = extensions::all(transaction, &place.log()?)?;
            let rules = [before.rules(), &rules];
            Ok(Amended::new(changes, students, &given, rules))
        })
    }

    /// All assignments, of one course or of all, by course and name, as they are here: nothing is judged
    /// by them.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::CoursesAltered`].
    pub(crate) fn assignments(&self, course: Option<&Label>) -> Result<Vec<Assignment>, Error> {
        let course = course.cloned();
        self.database
            .read_blocking(move |connection| all(connection, course.as_ref()))
    }

    /// One assignment.
    ///
    /// # Errors
    ///
    /// [`Error::NoCourse`], [`Error::NoAssignment`]; [`Error::Storage`],
    /// [`Error::CoursesAltered`].
    pub(crate) fn assignment(&self, place: &Place) -> Result<Assignment, Error> {
        let place = place.clone();
        self.database
            .read_blocking(move |connection| require(connection, &place))
    }

    /// Most members that any assignment is for; 0 if there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) async fn largest_group(&self) -> Result<u8, Error> {
        // As the logs have it.
        let sql = "SELECT coalesce(max(json_extract(CAST(leaf AS TEXT), \
                   '$.entry.rules.group.most')), 0) FROM log_entries \
                   WHERE log IN (SELECT id FROM logs) AND kind = 'rules'";
        let largest = |connection: &Connection| {
            let mut query = connection.prepare_cached(sql)?;
            Ok::<i64, Error>(query.query_one([], |row| row.get(0))?)
        };
        let most = self.database.read(largest).await?;
        Ok(u8::try_from(most).unwrap_or(0))
    }

    /// Where there is no course at all: this course for everybody, with an assignment under these
    /// rules. Answers whether they were made.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn begin_with(
        &self,
        place: Place,
        rules: Rules,
        now: UnixTime,
    ) -> Result<bool, Error> {
        self.enter_blocking(move |transaction| {
            if courses::were_any(transaction)? {
                return Ok(false);
            }
            let altered = |_| Error::CoursesAltered {
                name: place.course.to_string(),
            };
            let title = place.course.to_string().parse().map_err(altered)?;
            courses::insert(transaction, &place.course, &title, now)?;
            put(transaction, &place, &rules, now)?;
            Ok(true)
        })
    }
}

/// What a statement names, as it stands for its members at this moment.
///
/// # Errors
///
/// [`Error::RulesAltered`] where rules or extensions are not what the log says; [`Error::Storage`].
pub(crate) fn look_up(
    connection: &Connection,
    statement: &Statement,
    now: UnixTime,
) -> Result<Found, Error> {
    let log = LogName::of(statement).map_err(Error::Leaf)?;
    let Some(found) = courses::find(connection, log.course())? else {
        return Ok(Found::NoCourse);
    };
    let Some(assigned) = find(connection, &log)? else {
        return Ok(Found::NoAssignment);
    };
    let members = statement.members.iter().map(|member| member.sid.clone());
    let members: Vec<_> = members.collect();
    let is_small = members.len() < usize::from(assigned.rules().group.least());
    Ok(Found::Assigned(Box::new(Assigned {
        rules: assigned.rules().clone(),
        outsiders: courses::outsiders(connection, &found, &members)?,
        extensions: extensions::own(connection, &log, &members)?,
        parts: match assigned.rules().groups {
            Groups::Free => Vec::new(),
            Groups::Kept => groups::parts(connection, statement, now)?,
        },
        gone: match is_small {
            true => groups::gone(connection, statement, now)?,
            false => Vec::new(),
        },
    })))
}

/// What a course is called.
pub(super) fn course_title(connection: &Connection, course: &Label) -> Result<Title, Error> {
    Ok(courses::require(connection, course)?.title)
}

pub(super) fn require(connection: &Connection, place: &Place) -> Result<Assignment, Error> {
    courses::require(connection, &place.course)?;
    let found = find(connection, &place.log()?)?;
    found.ok_or_else(|| Error::NoAssignment {
        course: place.course.clone(),
        assignment: place.assignment.clone(),
    })
}

/// The rules of what was not taken back, and of what was added anew since.
const SELECT: &str = "SELECT course, assignment, at, rules FROM rules WHERE nth > \
    (SELECT coalesce(max(nth), 0) FROM removals WHERE removals.course = rules.course \
    AND removals.assignment = rules.assignment)";

/// The assignment of this log, by the rules that its entries say.
///
/// # Errors
///
/// [`Error::RulesAltered`] where they are others here; [`Error::Storage`].
pub(super) fn find(connection: &Connection, log: &LogName) -> Result<Option<Assignment>, Error> {
    Ok(find_entered(connection, log)?.map(|(found, _)| found))
}

/// The same, with these entries.
pub(super) fn find_entered(
    connection: &Connection,
    log: &LogName,
) -> Result<Option<(Assignment, Vec<EnteredRules>)>, Error> {
    let sql = format!("{SELECT} AND course = ? AND assignment = ? ORDER BY nth DESC");
    let mut query = connection.prepare_cached(&sql)?;
    let key = [log.course().to_string(), log.assignment().to_string()];
    let found = match collect(query.query_map(key, raw)?) {
        Err(Error::CoursesAltered { .. }) => return Err(entered::altered(log)),
        found => found?.pop(),
    };
    let entered = entered::rules(connection, log)?;
    match found {
        None if entered.is_empty() => Ok(None),
        Some(found) if found.is_entered(&entered) => Ok(Some((found, entered))),
        _ => Err(entered::altered(log)),
    }
}

pub(super) fn all(
    connection: &Connection,
    course: Option<&Label>,
) -> Result<Vec<Assignment>, Error> {
    let sql =
        format!("{SELECT} AND (?1 IS NULL OR course = ?1) ORDER BY course, assignment, nth DESC");
    let mut query = connection.prepare_cached(&sql)?;
    collect(query.query_map([course.map(ToString::to_string)], raw)?)
}

/// What there are rules of here, whatever they say; nothing of what has no name of an assignment.
pub(super) fn named(connection: &Connection) -> Result<Vec<(Label, Label)>, Error> {
    let mut query = connection.prepare_cached("SELECT DISTINCT course, assignment FROM rules")?;
    let rows = query.query_map([], |row| {
        let (course, assignment): (String, String) = (row.get(0)?, row.get(1)?);
        Ok((course.parse().ok()).zip(assignment.parse().ok()))
    })?;
    let named: Vec<_> = rows.collect::<Result<_, _>>()?;
    Ok(named.into_iter().flatten().collect())
}

type RawRules = (String, String, i64, String);

fn raw(row: &Row<'_>) -> rusqlite::Result<RawRules> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
}

/// Rows that belong together, in the order in which they come.
fn collect(
    rows: impl Iterator<Item = rusqlite::Result<RawRules>>,
) -> Result<Vec<Assignment>, Error> {
    let mut found: Vec<Assignment> = Vec::new();
    for row in rows {
        let (course, assignment, at, rules) = row?;
        let altered = || Error::CoursesAltered {
            name: format!("{course}/{assignment}"),
        };
        let rules = serde_json::from_str(&rules).map_err(|_| altered())?;
        let version = (from_seconds(at.unsigned_abs()), rules);
        let course: Label = course.parse().map_err(|_| altered())?;
        let assignment: Label = assignment.parse().map_err(|_| altered())?;
        match found.last_mut() {
            Some(last) if last.course == course && last.assignment == assignment => {
                last.history.push(version);
            }
            _ => found.push(Assignment {
                course,
                assignment,
                history: vec![version],
            }),
        }
    }
    Ok(found)
}

fn put(
    transaction: &Transaction<'_>,
    place: &Place,
    rules: &Rules,
    now: UnixTime,
) -> Result<(), Error> {
    let sql = "INSERT INTO rules (course, assignment, nth, at, rules) VALUES (?1, ?2, \
               (SELECT coalesce(max(nth), 0) + 1 FROM rules WHERE course = ?1 AND assignment = ?2), \
               ?3, ?4)";
    let contents = object(rules)?;
    let now = moment(transaction, place, now)?;
    transaction.prepare_cached(sql)?.execute(params![
        place.course.to_string(),
        place.assignment.to_string(),
        as_integer(now.as_secs()),
        text(rules)?,
    ])?;
    enter(transaction, place, now, Entry::Rules(contents))
}

/// When an entry of the assignment's log would be made now.
pub(super) fn moment(
    connection: &Connection,
    place: &Place,
    now: UnixTime,
) -> Result<UnixTime, Error> {
    log::moment(connection, &place.log()?, now)
}

/// Enters it in the assignment's log, in the same transaction.
pub(super) fn enter(
    transaction: &Transaction<'_>,
    place: &Place,
    now: UnixTime,
    entry: Entry,
) -> Result<(), Error> {
    log::append(transaction, &place.log()?, now, entry)?;
    Ok(())
}

pub(super) fn text(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(not_written)
}

pub(super) fn object(value: &impl Serialize) -> Result<Contents, Error> {
    match serde_json::to_value(value).map_err(not_written)? {
        serde_json::Value::Object(object) => Ok(object),
        _ => Err(Error::Receipt(scb_protocol::Error::Encode(
            "not an object".to_owned(),
        ))),
    }
}

fn not_written(error: serde_json::Error) -> Error {
    Error::Receipt(scb_protocol::Error::Encode(error.to_string()))
}
