//! Grades: those that count, and those that students could see before, each with its entry in the
//! assignment's log.

mod compared;

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, Row, Transaction, params};
use rustls_pki_types::UnixTime;
use scb_certs::StudentId;
use scb_protocol::from_seconds;
use scb_protocol::grade::{Grade, SignedGrade};
use scb_protocol::log_leaf::LogName;
use scb_protocol::receipt::SignedLeaf;
use scb_protocol::statement::Label;

use super::{Error, Place, Store, as_integer, assignments, courses, log};

/// A grade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Graded {
    /// The grade.
    pub(crate) grade: Grade,
    /// Its exact bytes and Blackboard's signature.
    pub(crate) signed: SignedGrade,
    /// The log in which it is entered, and its number there.
    pub(crate) entry: (LogName, u64),
    /// The entry's exact bytes.
    pub(crate) leaf: Vec<u8>,
    /// Since when the student may see it, if that is so.
    pub(crate) released: Option<Released>,
}

/// That a student may see a grade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Released {
    /// Since when.
    pub(crate) at: UnixTime,
    /// The number of the entry in the log of the grade.
    pub(crate) index: u64,
    /// The entry and Blackboard's signature of it.
    pub(crate) leaf: SignedLeaf,
}

impl Store {
    /// Puts these grades in the place of those that these students had, all of them or none, each
    /// with an entry in the log. They are not released; what students can see, they see until the
    /// next release. Of those that are known to be altered nothing stays.
    ///
    /// # Errors
    ///
    /// [`Error::NoAssignment`], [`Error::Leaf`]; [`Error::Storage`].
    pub(crate) fn put_grades(
        &self,
        place: &Place,
        grades: Vec<(Grade, SignedGrade)>,
        altered: BTreeSet<StudentId>,
    ) -> Result<(), Error> {
        let place = place.clone();
        self.enter_blocking(move |transaction| {
            assignments::require(transaction, &place)?;
            let name = LogName::new(&place.domain, &place.course, &place.assignment);
            let name = name.map_err(Error::Leaf)?;
            for (grade, signed) in &grades {
                if altered.contains(&grade.sid) {
                    remove(transaction, grade)?;
                }
                put(transaction, &name, grade, signed)?;
            }
            Ok(())
        })
    }

    /// Those of these students who are not in the course, or, where everybody is in it, whom this
    /// server has never met; each with what is so. Nobody who is graded already.
    ///
    /// # Errors
    ///
    /// [`Error::NoCourse`]; [`Error::CoursesAltered`], [`Error::Storage`].
    pub(crate) fn unmet(
        &self,
        place: &Place,
        sids: Vec<StudentId>,
    ) -> Result<Vec<(StudentId, String)>, Error> {
        let place = place.clone();
        self.database.read_blocking(move |connection| {
            let course = courses::require(connection, &place.course)?;
            let outsiders = courses::outsiders(connection, &course, &sids)?;
            let mut unmet = Vec::new();
            for sid in sids {
                let why = if outsiders.contains(&sid) {
                    format!("is not in the course {}", place.course)
                } else if !courses::is_known(connection, &sid)? {
                    "is on no class list here and has never handed in anything".to_owned()
                } else {
                    continue;
                };
                if !is_graded(connection, &place, &sid)? {
                    unmet.push((sid, why));
                }
            }
            Ok(unmet)
        })
    }

    /// The grades of an assignment, by student.
    ///
    /// # Errors
    ///
    /// [`Error::GradeAltered`]; [`Error::Storage`].
    pub(crate) fn grades(&self, place: &Place) -> Result<BTreeMap<StudentId, Graded>, Error> {
        let place = place.clone();
        self.database.read_blocking(move |connection| {
            assignments::require(connection, &place)?;
            let all = of(connection, COUNTING, &place)?.into_iter();
            Ok(all.map(|one| (one.grade.sid.clone(), one)).collect())
        })
    }

    /// The grades of an assignment that students could see, and in the place of which others came,
    /// by student, the latest first.
    ///
    /// # Errors
    ///
    /// [`Error::GradeAltered`]; [`Error::Storage`].
    pub(crate) fn former_grades(
        &self,
        place: &Place,
    ) -> Result<BTreeMap<StudentId, Vec<Graded>>, Error> {
        let place = place.clone();
        self.database.read_blocking(move |connection| {
            let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
            for one in of(connection, FORMER, &place)? {
                found.entry(one.grade.sid.clone()).or_default().push(one);
            }
            Ok(found)
        })
    }

    /// What these students may see: their own grades that are released, of all courses or one; of
    /// each assignment the last that was released, and after it those that they could see before.
    ///
    /// # Errors
    ///
    /// [`Error::GradeAltered`]; [`Error::Storage`].
    pub(crate) async fn released_grades(
        &self,
        sids: Vec<StudentId>,
        course: Option<Label>,
    ) -> Result<Vec<Graded>, Error> {
        self.database
            .read(move |connection| released(connection, &sids, course.as_ref()))
            .await
    }
}

fn is_graded(connection: &Connection, place: &Place, sid: &StudentId) -> Result<bool, Error> {
    let sql = "SELECT 1 FROM grades WHERE course = ? AND assignment = ? AND sid = ?";
    let key = [
        place.course.to_string(),
        place.assignment.to_string(),
        sid.to_string(),
    ];
    Ok(connection.prepare_cached(sql)?.exists(key)?)
}

fn put(
    transaction: &Transaction<'_>,
    name: &LogName,
    grade: &Grade,
    signed: &SignedGrade,
) -> Result<(), Error> {
    keep_shown(transaction, grade)?;
    let entry = signed.entry(grade.sid.clone());
    let entered = log::append_as_of(transaction, name, grade.at, entry)?;
    let sql = "INSERT INTO grades (course, assignment, sid, grade, signature, log, log_index) \
               VALUES (?, ?, ?, ?, ?, (SELECT id FROM logs WHERE origin = ?), ?) \
               ON CONFLICT DO UPDATE SET grade = excluded.grade, signature = excluded.signature, \
               log = excluded.log, log_index = excluded.log_index, released_at = NULL, \
               release_index = NULL";
    transaction.prepare_cached(sql)?.execute(params![
        grade.course.to_string(),
        grade.assignment.to_string(),
        grade.sid.as_str(),
        signed.grade,
        signed.signature,
        name.to_string(),
        as_integer(entered.index),
    ])?;
    Ok(())
}

/// What is there of a student's is not what was entered: it is told to nobody.
fn remove(transaction: &Transaction<'_>, grade: &Grade) -> Result<(), Error> {
    let sql = "DELETE FROM grades WHERE course = ? AND assignment = ? AND sid = ?";
    transaction.prepare_cached(sql)?.execute(key(grade))?;
    Ok(())
}

/// What the student can see stays, when another grade takes its place.
fn keep_shown(transaction: &Transaction<'_>, grade: &Grade) -> Result<(), Error> {
    let sql = "INSERT INTO former_grades SELECT course, assignment, sid, grade, signature, log, \
               log_index, released_at, release_index FROM grades \
               WHERE course = ? AND assignment = ? AND sid = ? AND released_at IS NOT NULL";
    transaction.prepare_cached(sql)?.execute(key(grade))?;
    Ok(())
}

/// Course, assignment and student.
fn key(grade: &Grade) -> [String; 3] {
    [
        grade.course.to_string(),
        grade.assignment.to_string(),
        grade.sid.to_string(),
    ]
}

/// The table of the grades that count.
const COUNTING: &str = "grades";

/// That of those that students could see before.
const FORMER: &str = "former_grades";

/// All columns of one of these tables, with the entries of their logs.
fn select(table: &str) -> String {
    format!(
        "SELECT course, assignment, sid, grade, grades.signature, log_index, released_at, origin, \
         own.leaf, release_index, shown.leaf, releases.signature \
         FROM {table} AS grades JOIN logs ON grades.log = logs.id \
         LEFT JOIN log_entries AS own ON own.log = grades.log AND own.number = log_index \
         LEFT JOIN log_entries AS shown ON shown.log = grades.log AND shown.number = release_index \
         LEFT JOIN releases ON releases.log = grades.log AND releases.number = release_index"
    )
}

/// Those of an assignment in one of these tables, the latest first.
fn of(connection: &Connection, table: &str, place: &Place) -> Result<Vec<Graded>, Error> {
    let rows = rows(connection, table, place)?.into_iter();
    rows.map(RawGrade::parse).collect()
}

fn rows(connection: &Connection, table: &str, place: &Place) -> Result<Vec<RawGrade>, Error> {
    let select = select(table);
    let sql = format!("{select} WHERE course = ? AND assignment = ? ORDER BY log_index DESC");
    let mut query = connection.prepare_cached(&sql)?;
    let key = [place.course.to_string(), place.assignment.to_string()];
    let rows = query.query_map(key, raw)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn released(
    connection: &Connection,
    sids: &[StudentId],
    course: Option<&Label>,
) -> Result<Vec<Graded>, Error> {
    let wanted = "WHERE sid = ?1 AND (?2 IS NULL OR course = ?2) AND released_at IS NOT NULL";
    let [counting, former] = [COUNTING, FORMER].map(select);
    // By course, assignment and, the latest first, the entry that released it.
    let sql =
        format!("{counting} {wanted} UNION ALL {former} {wanted} ORDER BY 1, 2, 10 DESC, 6 DESC");
    let mut query = connection.prepare_cached(&sql)?;
    let mut found = Vec::new();
    for sid in sids {
        let key = params![sid.as_str(), course.map(ToString::to_string)];
        for row in query.query_map(key, raw)? {
            found.push(row?.parse()?);
        }
    }
    Ok(found)
}

struct RawGrade {
    place: [String; 3],
    grade: Vec<u8>,
    signature: Vec<u8>,
    index: i64,
    released_at: Option<i64>,
    origin: String,
    leaf: Option<Vec<u8>>,
    /// Number, leaf and signature of the entry that released it.
    release: (Option<i64>, Option<Vec<u8>>, Option<Vec<u8>>),
}

fn raw(row: &Row<'_>) -> rusqlite::Result<RawGrade> {
    Ok(RawGrade {
        place: [row.get(0)?, row.get(1)?, row.get(2)?],
        grade: row.get(3)?,
        signature: row.get(4)?,
        index: row.get(5)?,
        released_at: row.get(6)?,
        origin: row.get(7)?,
        leaf: row.get(8)?,
        release: (row.get(9)?, row.get(10)?, row.get(11)?),
    })
}

impl RawGrade {
    /// The row must be about what is in it; whether that is what was signed, the student's program
    /// and every import check.
    fn parse(self) -> Result<Graded, Error> {
        let [course, assignment, sid] = &self.place;
        let altered = || Error::GradeAltered {
            sid: sid.clone(),
            place: format!("{course}/{assignment}"),
        };
        let grade = Grade::parse(&self.grade).map_err(|_| altered())?;
        let named = [
            grade.course.to_string(),
            grade.assignment.to_string(),
            grade.sid.to_string(),
        ];
        if named != self.place {
            return Err(altered());
        }
        Ok(Graded {
            entry: (
                self.origin.parse().map_err(|_| altered())?,
                self.index.unsigned_abs(),
            ),
            leaf: self.leaf.ok_or_else(altered)?,
            released: match (self.released_at, self.release) {
                (None, _) => None,
                (Some(at), (Some(index), Some(leaf), Some(signature))) => Some(Released {
                    at: from_seconds(at.unsigned_abs()),
                    index: index.unsigned_abs(),
                    leaf: SignedLeaf { leaf, signature },
                }),
                (Some(_), _) => return Err(altered()),
            },
            signed: SignedGrade {
                grade: self.grade,
                signature: self.signature,
            },
            grade,
        })
    }
}
