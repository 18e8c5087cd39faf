//! What each student has handed in for an assignment: who has a part in which versions, which of
//! these counts, and what was proposed.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, params};
use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, StudentId};
use scb_protocol::from_seconds;
use scb_protocol::rules::{Counts, Detachment, Rulebook};
use scb_protocol::statement::{Label, SubmissionNumber};

use super::proposals::{UNANSWERED, signable_until};
use super::refused::{self, Tried};
use super::{
    Error, Place, Store, Summary, as_integer, assignments, courses, extensions, proposals, rows,
};

/// One student's part in an assignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// The student.
    pub(crate) sid: StudentId,
    /// How many versions he has a part in.
    pub(crate) versions: u64,
    /// The one of them that counts.
    pub(crate) counting: Option<Version>,
    /// The last one that came when the assignment was closed for him: it counts for others only, who
    /// had more time.
    pub(crate) after_close: Option<Version>,
    /// Those out of which the teacher took him, and since when.
    pub(crate) detached: Vec<(SubmissionNumber, Detachment)>,
    /// Versions that are not what was stored.
    pub(crate) altered: Vec<SubmissionNumber>,
}

impl Part {
    fn add(&mut self, version: Version, book: &Rulebook) {
        let (at, index) = (version.committed_at, version.committed_index);
        if let Some(detached) = book.detached(version.summary.number, &self.sid) {
            self.detached
                .push((version.summary.number, detached.clone()));
            return;
        }
        let (place, counts) = match book.closed_since(at, index, &self.sid) {
            Some(_) => (&mut self.after_close, Counts::Latest),
            None => (&mut self.counting, book.rules().counts),
        };
        *place = Some(match place.take() {
            None => version,
            Some(other) => version.or(other, counts),
        });
    }
}

/// A version that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Version {
    /// What a list shows of it.
    pub(crate) summary: Summary,
    /// When the signed statement came: what counts for lateness.
    pub(crate) committed_at: UnixTime,
    /// Where that was entered in the log; nothing for what was accepted at once.
    pub(crate) committed_index: Option<u64>,
}

impl Version {
    pub(super) fn new(summary: Summary, committed_at: UnixTime, index: Option<u64>) -> Self {
        Self {
            summary,
            committed_at,
            committed_index: index,
        }
    }

    /// Versions come in this order.
    fn order(&self) -> (u64, Option<u64>, SubmissionNumber) {
        let at = self.committed_at.as_secs();
        (at, self.committed_index, self.summary.number)
    }

    /// Of two versions the one that counts.
    fn or(self, other: Self, counts: Counts) -> Self {
        let is_later = other.order() > self.order();
        match is_later == (counts == Counts::Latest) {
            true => other,
            false => self,
        }
    }
}

/// What was proposed, and not everybody has signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Proposed {
    /// Whose signatures are missing.
    pub(crate) waiting_for: Vec<StudentId>,
    /// Until when they may come.
    pub(crate) until: UnixTime,
    /// What is stored of it is not what the log says: whoever has not signed it cannot.
    pub(crate) altered: bool,
    /// Whose came, and were refused.
    pub(crate) tried: Vec<Tried>,
}

impl Proposed {
    /// Whether this member has signed it; otherwise others have named him, whatever he thinks of it.
    pub(crate) fn is_signed_by(&self, sid: &StudentId) -> bool {
        !self.waiting_for.contains(sid)
    }
}

/// What was proposed and has not ended, by student.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct AllProposed {
    /// What waits for signatures.
    pub(crate) waits: BTreeMap<StudentId, Proposed>,
    /// What nobody can sign any more.
    pub(crate) over: BTreeMap<StudentId, Proposed>,
    /// What stands for students' IDs and is none.
    pub(crate) unreadable: BTreeSet<String>,
}

/// Everybody of whom something can be said, and whether each is on the class list; nothing where
/// there is none.
#[derive(Debug)]
pub(crate) struct Participants {
    pub(crate) found: BTreeMap<StudentId, Option<bool>>,
    pub(crate) has_list: bool,
    /// What stands for students' IDs and is none.
    pub(crate) unreadable: BTreeSet<String>,
}

impl Participants {
    /// One more, who is on no list if not known already.
    pub(crate) fn add(&mut self, sid: StudentId) {
        let listed = self.has_list.then_some(false);
        self.found.entry(sid).or_insert(listed);
    }
}

impl Store {
    /// Everybody of whom something can be said in an assignment, in order: who is on the class
    /// list, and who has handed in; and whether each is on it, if there is one.
    ///
    /// # Errors
    ///
    /// [`Error::NoCourse`]; [`Error::Storage`].
    pub(crate) fn participants(&self, place: &Place) -> Result<Participants, Error> {
        let place = place.clone();
        self.database.read_blocking(move |connection| {
            let listed = courses::listed(connection, &place.course)?;
            let has_list = listed.is_some();
            let mut all = Participants {
                found: BTreeMap::new(),
                has_list,
                unreadable: BTreeSet::new(),
            };
            handed_in(connection, &place, &mut all.unreadable)?
                .into_iter()
                .for_each(|sid| all.add(sid));
            let listed = listed.into_iter().flatten();
            all.found.extend(listed.map(|sid| (sid, Some(true))));
            Ok(all)
        })
    }

    /// The parts of these students, in their order, by these rules. Statements are held one at a
    /// time besides those that are told.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn parts(
        &self,
        place: &Place,
        sids: Vec<StudentId>,
        book: &Rulebook,
    ) -> Result<Vec<Part>, Error> {
        let (place, book) = (place.clone(), book.clone());
        self.database.read_blocking(move |connection| {
            let part = |sid| part(connection, &place, sid, &book);
            sids.into_iter().map(part).collect()
        })
    }

    /// The last proposal of each student that waits for signatures at this moment, or that nobody can sign any more,
    /// which is not entered yet: of those that he has signed, if there are any. Others may name him in more.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::CoursesAltered`].
    pub(crate) fn proposed(&self, place: &Place, now: UnixTime) -> Result<AllProposed, Error> {
        let place = place.clone();
        self.database
            .read_blocking(move |connection| proposed(connection, &place, now))
    }

    /// Refuses a course that there is not, or an assignment that it never had.
    ///
    /// # Errors
    ///
    /// [`Error::NoCourse`], [`Error::NoAssignment`]; [`Error::Storage`].
    pub(crate) fn require(&self, course: &Label, assignment: Option<&Label>) -> Result<(), Error> {
        let (course, assignment) = (course.clone(), assignment.cloned());
        self.database.read_blocking(move |connection| {
            courses::require(connection, &course)?;
            let Some(assignment) = assignment else {
                return Ok(());
            };
            let sql = "SELECT EXISTS (SELECT 1 FROM rules WHERE course = ? AND assignment = ?)";
            let key = [course.to_string(), assignment.to_string()];
            match connection.query_one(sql, key, |row| row.get(0))? {
                true => Ok(()),
                false => Err(Error::NoAssignment { course, assignment }),
            }
        })
    }

    /// Whether a submission whose record was altered may be of this course, or of this assignment of it: its parts say
    /// so, or there are none.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn may_be_of(
        &self,
        number: SubmissionNumber,
        (course, assignment): (&Label, Option<&Label>),
    ) -> Result<bool, Error> {
        let sql = "SELECT count(*) = 0 OR coalesce(max(course = ?2 AND assignment = coalesce(?3, assignment)), 0) \
                   FROM parts WHERE number = ?1";
        let (course, assignment) = (course.to_string(), assignment.map(ToString::to_string));
        self.database.read_blocking(move |connection| {
            let key = params![as_integer(number.get()), course, assignment];
            let mut query = connection.prepare_cached(sql)?;
            Ok(query.query_one(key, |row| row.get(0))?)
        })
    }
}

fn handed_in(
    connection: &Connection,
    place: &Place,
    unreadable: &mut BTreeSet<String>,
) -> Result<BTreeSet<StudentId>, Error> {
    let sql = "SELECT DISTINCT sid FROM parts WHERE course = ? AND assignment = ?";
    let mut query = connection.prepare_cached(sql)?;
    let rows = query.query_map(key(place), |row| row.get::<_, String>(0))?;
    let sids = rows.collect::<Result<Vec<_>, _>>()?;
    let sids = sids.iter().map(String::as_str);
    Ok(readable(sids, place, unreadable).collect())
}

fn part(
    connection: &Connection,
    place: &Place,
    sid: StudentId,
    book: &Rulebook,
) -> Result<Part, Error> {
    let sql = "SELECT submissions.number, accepted_at, statement, mode, leaf, leaf_signature \
               FROM parts JOIN submissions USING (number) \
               WHERE course = ? AND assignment = ? AND sid = ? ORDER BY number";
    let mut query = connection.prepare_cached(sql)?;
    let [course, assignment] = key(place);
    let mut found = query.query(params![course, assignment, sid.as_str()])?;
    let mut part = Part {
        sid,
        versions: 0,
        counting: None,
        after_close: None,
        detached: Vec::new(),
        altered: Vec::new(),
    };
    while let Some(row) = found.next()? {
        part.versions += 1;
        match rows::version(row)? {
            Ok(version) => part.add(version, book),
            Err(number) => part.altered.push(number),
        }
    }
    Ok(part)
}

fn proposed(connection: &Connection, place: &Place, now: UnixTime) -> Result<AllProposed, Error> {
    let sql = format!(
        "SELECT waits_until, group_concat(sid, char(10)), \
         coalesce(group_concat(CASE said WHEN 'nothing' THEN sid END, char(10)), ''), submission, statement \
         FROM proposals JOIN cosigners USING (submission) \
         WHERE course = ? AND assignment = ? AND ended IS NULL AND signed_at IS NULL AND {UNANSWERED} \
         GROUP BY submission ORDER BY proposed_at"
    );
    let mut query = connection.prepare_cached(&sql)?;
    let rows = query.query_map(key(place), |row| {
        Ok((
            row.get::<_, i64>(0)?,
            row.get::<_, String>(1)?,
            row.get::<_, String>(2)?,
            (row.get::<_, [u8; 16]>(3)?, row.get::<_, Vec<u8>>(4)?),
        ))
    })?;
    let assignment = assignments::require(connection, place)?;
    let mut found = AllProposed::default();
    for row in rows {
        let (until, members, missing, (submission, statement)) = row?;
        let mut sids = |text: &str| -> Vec<StudentId> {
            readable(text.split('\n'), place, &mut found.unreadable).collect()
        };
        let mut waiting_for = sids(&missing);
        waiting_for.sort();
        let members = sids(&members);
        let log = place.log()?;
        let own = extensions::own(connection, &log, &members)?;
        let until = from_seconds(until.unsigned_abs());
        let until = signable_until(assignment.rules(), &own, until);
        let theirs = match until < now {
            true => &mut found.over,
            false => &mut found.waits,
        };
        let tried = (&Fingerprint::of(&statement), &waiting_for[..]);
        let proposed = Proposed {
            tried: refused::tried(connection, &log, tried)?,
            waiting_for,
            until,
            altered: proposals::is_damaged(connection, submission)?,
        };
        for sid in members {
            let own: Option<&Proposed> = theirs.get(&sid);
            if proposed.is_signed_by(&sid) || own.is_none_or(|own| !own.is_signed_by(&sid)) {
                theirs.insert(sid, proposed.clone());
            }
        }
    }
    Ok(found)
}

/// Those that can be read: of whom that cannot be it is said that they are missing, and others do not wait for that.
fn readable<'a>(
    sids: impl Iterator<Item = &'a str>,
    place: &Place,
    unreadable: &mut BTreeSet<String>,
) -> impl Iterator<Item = StudentId> {
    sids.filter(|sid| !sid.is_empty()).filter_map(|sid| {
        let read = sid.parse().ok();
        if read.is_none() {
            unreadable.insert(sid.to_owned());
            let (course, assignment) = (&place.course, &place.assignment);
            tracing::error!("a student's ID in the tables of {course}/{assignment} cannot be read: it was altered");
        }
        read
    })
}

pub(super) fn key(place: &Place) -> [String; 2] {
    let name = |label: &Label| label.to_string();
    [name(&place.course), name(&place.assignment)]
}
