//! What students have handed in, for themselves. Whether something is theirs is decided by a key of
//! the table `parts`, before anything of it is read: what is others' and what is not there take the
//! same way.

use std::collections::{HashMap, hash_map};

use rusqlite::{Connection, OptionalExtension, params};
use scb_certs::StudentId;
use scb_cli::parse_moment;
use scb_protocol::log_leaf::{Accepted, Entry, Leaf};
use scb_protocol::message::blackboard::{
    ListedDetached, ListedFile, ListedUnfinished, ListedVersion, OwnStanding, Room,
};
use scb_protocol::rules::{Counts, Detachments, Rulebook, Standing};
use scb_protocol::statement::{Label, Statement, SubmissionNumber};

use super::rows::summary;
use super::{
    Error, Record, Store, Summary, as_integer, by_number, groups, number, proposals, rulebook,
    unfinished,
};

/// How many versions are looked up at a time.
const FEW: u32 = 32;

/// Which versions are wanted: of whom, of which course and assignment.
#[derive(Debug, Clone)]
pub(crate) struct Own {
    /// All of them must have a part in it.
    pub(crate) sids: Vec<StudentId>,
    pub(crate) course: Option<Label>,
    pub(crate) assignment: Option<Label>,
}

/// What is told of what was handed in.
#[derive(Debug)]
pub(crate) struct History {
    /// Whether there are more.
    pub(crate) more: bool,
    /// As many as fit.
    pub(crate) listed: Vec<ListedVersion>,
    /// What has not all come.
    pub(crate) unfinished: Vec<ListedUnfinished>,
    /// How many more of that there are.
    pub(crate) more_unfinished: u32,
}

impl Store {
    /// The versions in which all of these students have a part, by number: as many as fit into a
    /// message, of those after one; and, with the first of them, what they have signed and has not
    /// all come. What was altered is left out.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::CoursesAltered`].
    pub(crate) async fn history(
        &self,
        own: Own,
        after: Option<SubmissionNumber>,
    ) -> Result<History, Error> {
        self.database
            .read(move |connection| page(connection, &own, after))
            .await
    }

    /// The record of this number if all of these students have a part in it. If not, nothing is
    /// read but that.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::Altered`].
    pub(crate) async fn own_record(
        &self,
        number: SubmissionNumber,
        sids: Vec<StudentId>,
    ) -> Result<Option<Record>, Error> {
        self.database
            .read(move |connection| match is_own(connection, number, &sids)? {
                true => Ok(by_number(connection, number)?.filter(|record| names(record, &sids))),
                false => Ok(None),
            })
            .await
    }
}

/// Reads as much as it tells, and one version more.
fn page(
    connection: &Connection,
    own: &Own,
    mut after: Option<SubmissionNumber>,
) -> Result<History, Error> {
    let (unfinished, more_unfinished) = match after {
        None => unfinished::of(connection, own)?,
        Some(_) => (Vec::new(), 0),
    };
    let (mut listed, mut known) = (Vec::new(), Known::default());
    let mut room = Room::beside(&unfinished);
    loop {
        let numbers = next_of_first(connection, own, after)?;
        if numbers.is_empty() {
            break;
        }
        after = numbers.last().copied();
        for number in numbers {
            let version = match is_own(connection, number, &own.sids)? {
                true => version(connection, number, &own.sids, &mut known)?,
                false => None,
            };
            let Some(version) = version else { continue };
            if !room.takes(&version) {
                let more = true;
                return Ok(History {
                    more,
                    listed,
                    unfinished,
                    more_unfinished,
                });
            }
            listed.push(version);
        }
    }
    Ok(History {
        more: false,
        listed,
        unfinished,
        more_unfinished,
    })
}

fn names(record: &Record, sids: &[StudentId]) -> bool {
    let members = &record.statement().members;
    sids.iter()
        .all(|sid| members.iter().any(|member| member.sid == *sid))
}

fn is_own(
    connection: &Connection,
    number: SubmissionNumber,
    sids: &[StudentId],
) -> Result<bool, Error> {
    let sql = "SELECT 1 FROM parts WHERE sid = ? AND number = ?";
    let mut query = connection.prepare_cached(sql)?;
    for sid in sids {
        let key = params![sid.as_str(), as_integer(number.get())];
        if query.query_row(key, |_| Ok(())).optional()?.is_none() {
            return Ok(false);
        }
    }
    Ok(!sids.is_empty())
}

/// The next few versions of the first of these students, after one.
fn next_of_first(
    connection: &Connection,
    own: &Own,
    after: Option<SubmissionNumber>,
) -> Result<Vec<SubmissionNumber>, Error> {
    let Some(first) = own.sids.first() else {
        return Ok(Vec::new());
    };
    let sql = "SELECT number FROM parts WHERE sid = ?1 AND number > ?2 \
               AND (?3 IS NULL OR course = ?3) AND (?4 IS NULL OR assignment = ?4) \
               ORDER BY number LIMIT ?5";
    let mut query = connection.prepare_cached(sql)?;
    let label = |label: &Option<Label>| label.as_ref().map(ToString::to_string);
    let found = query.query_map(
        params![
            first.as_str(),
            as_integer(after.map_or(0, SubmissionNumber::get)),
            label(&own.course),
            label(&own.assignment),
            FEW,
        ],
        |row| row.get(0),
    )?;
    found.map(|stored| Ok(number(stored?))).collect()
}

/// What is told of a version; nothing of one that was altered.
fn version(
    connection: &Connection,
    number: SubmissionNumber,
    asking: &[StudentId],
    known: &mut Known,
) -> Result<Option<ListedVersion>, Error> {
    let (summary, leaf) = match summary(connection, number) {
        Ok(Some(found)) => found,
        Ok(None) => return Ok(None),
        Err(error @ Error::Altered { .. }) => {
            tracing::error!("left out of a history: {error}");
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let Ok(Entry::Accepted(accepted)) = Leaf::parse(&leaf.leaf).map(|leaf| leaf.entry) else {
        return Ok(None);
    };
    let committed_at = accepted.committed_at;
    let statement = &summary.statement;
    let standings = standings(connection, &summary, &accepted, (asking, known))?;
    let book = known.books.get(&place(statement));
    let unjudged = matches!(book, Some(Book::Altered));
    Ok(Some(ListedVersion {
        number,
        course: statement.course.clone(),
        assignment: statement.assignment.clone(),
        committed_at: committed_at.as_secs(),
        accepted_at: summary.accepted_at.as_secs(),
        members: statement
            .members
            .iter()
            .map(|member| member.sid.clone())
            .collect(),
        file_count: u32::try_from(statement.files.len()).unwrap_or(u32::MAX),
        size: statement.files.size(),
        files: ListedFile::first_of(&statement.files),
        standings,
        unjudged,
        detached: match book {
            Some(Book::Here(book)) => detached(book.detachments(), number),
            _ => Vec::new(),
        },
        proved: is_proved(connection, number)?,
        signatures: proposals::said(connection, statement)?,
    }))
}

/// All who were taken out of a version: each of its members is told.
fn detached(detachments: &Detachments, number: SubmissionNumber) -> Vec<ListedDetached> {
    let all = detachments.of_version(number);
    let told = all.map(|(sid, why)| ListedDetached {
        sid: sid.clone(),
        at: why.at.as_secs(),
        reason: why.reason.clone(),
    });
    told.collect()
}

fn is_proved(connection: &Connection, number: SubmissionNumber) -> Result<bool, Error> {
    let mut query = connection.prepare_cached("SELECT 1 FROM proofs WHERE number = ?")?;
    let found = query.query_row([as_integer(number.get())], |_| Ok(()));
    Ok(found.optional()?.is_some())
}

/// A course and an assignment.
type Place = (String, String);

fn place(statement: &Statement) -> Place {
    (
        statement.course.to_string(),
        statement.assignment.to_string(),
    )
}

/// What is the same for several versions, each read once.
#[derive(Default)]
struct Known {
    /// The rulebooks of assignments.
    books: HashMap<Place, Book>,
    /// Which version of an assignment counts for a student.
    counting: HashMap<(Place, StudentId), Option<SubmissionNumber>>,
}

/// By what the versions of an assignment are judged.
enum Book {
    /// Its rules.
    Here(Box<Rulebook>),
    /// It is gone.
    Gone,
    /// Nothing is judged by what is stored of them.
    Altered,
}

impl Book {
    fn read(connection: &Connection, statement: &Statement) -> Result<Self, Error> {
        match rulebook::of_statement(connection, statement) {
            Ok(Some(book)) => Ok(Self::Here(Box::new(book))),
            Ok(None) => Ok(Self::Gone),
            Err(error @ Error::RulesAltered { .. }) => {
                tracing::error!("told without rules: {error}");
                Ok(Self::Altered)
            }
            Err(error) => Err(error),
        }
    }
}

/// By the rules that count for the version; of an assignment that is gone nothing is late, of one whose rules were
/// altered nothing is told.
fn standings(
    connection: &Connection,
    version: &Summary,
    accepted: &Accepted,
    (asking, known): (&[StudentId], &mut Known),
) -> Result<Vec<OwnStanding>, Error> {
    let place = place(&version.statement);
    let book = match known.books.entry(place.clone()) {
        hash_map::Entry::Occupied(read) => read.into_mut(),
        hash_map::Entry::Vacant(unread) => {
            unread.insert(Book::read(connection, &version.statement)?)
        }
    };
    let book = match book {
        Book::Here(book) => Some(&**book),
        Book::Gone => None,
        Book::Altered => return Ok(Vec::new()),
    };
    let mut standing = |sid: &StudentId| {
        let (at, index) = (accepted.committed_at, accepted.committed_index);
        let standing = book.map(|book| book.judge(at, index, sid));
        let (late, costs) = match standing {
            Some(Standing::Late { by, costs }) => (by, costs),
            // Handed in with one who had more time.
            Some(Standing::Closed { .. }) => (book.map_or(0, |book| book.after_due(at, sid)), 100),
            _ => (0, 0),
        };
        let closed_since = match standing {
            Some(Standing::Closed { since }) => Some(since.as_secs()),
            _ => None,
        };
        let counting = match known.counting.entry((place.clone(), sid.clone())) {
            hash_map::Entry::Occupied(read) => *read.get(),
            hash_map::Entry::Vacant(unread) => {
                let statement = &version.statement;
                *unread.insert(counting(connection, statement, sid, book)?)
            }
        };
        Ok(OwnStanding {
            sid: sid.clone(),
            counts: counting == Some(version.number),
            late,
            costs,
            within_grace: standing == Some(Standing::WithinGrace),
            closed_since,
        })
    };
    asking.iter().map(&mut standing).collect()
}

/// Of the versions in which a student has a part the one that counts: none of those that came when
/// it was closed for him, or out of which he was taken.
fn counting(
    connection: &Connection,
    statement: &Statement,
    sid: &StudentId,
    book: Option<&Rulebook>,
) -> Result<Option<SubmissionNumber>, Error> {
    let none = Detachments::default();
    let detachments = book.map_or(&none, Rulebook::detachments);
    let mut versions = groups::versions_of(connection, statement, (sid, detachments))?;
    if book.is_none_or(|book| book.rules().counts == Counts::Latest) {
        versions.reverse();
    }
    let is_open = |at: &str, index: Option<i64>| {
        let at = parse_moment(at).ok()?;
        let closed = book?.closed_since(at, index.map(i64::unsigned_abs), sid);
        Some(closed.is_none())
    };
    let mut versions = versions.into_iter();
    let found = versions.find(|((at, index), _)| is_open(at, *index).unwrap_or(true));
    Ok(found.map(|(_, number)| number))
}
