//! What an import would change: each student's grade, his own before that of his group.

use std::collections::BTreeMap;

use rustls_pki_types::UnixTime;
use scb_certs::StudentId;
use scb_protocol::grade::{Given, Grade, Lateness, Points};
use scb_protocol::rules::{Counts, Title};
use scb_protocol::statement::SubmissionNumber;

use super::import::Marked;
use super::late::Late;
use crate::arguments::grades::Import;
use crate::courses::Desk;
use crate::store::{Error, Place};

/// How many students are looked up at a time.
const PAGE: usize = 500;

/// A grade that is not what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) given: Given,
    /// The points before.
    pub(super) was: Option<Points>,
    /// What lateness costs, or would cost if it were applied.
    pub(super) lateness: Option<Lateness>,
}

/// What a gradebook says besides its rows. Of what it does not speak nothing is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Says {
    /// The points of a work without fault, where a row has none.
    pub(super) maximum: Option<Points>,
    /// Whether it speaks of groups.
    pub(super) groups: bool,
    /// Whether it has comments.
    pub(super) comments: bool,
}

/// All that an import would change, or why it is refused.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) changes: Vec<Change>,
    /// How many grades are there already.
    pub(super) same: u64,
    /// Those of them whose points are what lateness had left before: it is not taken off again.
    pub(super) applied_before: Vec<StudentId>,
    /// Who is not in the course, or is on no class list here and has never handed in anything.
    pub(super) unmet: Vec<StudentId>,
    /// Lines that cannot be taken, and why.
    pub(super) wrong: Vec<(u64, String)>,
}

/// The submission that counts for a student, its members, and when it came, with which entry of
/// the log.
type Part = (SubmissionNumber, Vec<StudentId>, (UnixTime, Option<u64>));

/// A grade on its way to a student.
#[derive(Debug, Clone)]
struct Due {
    line: u64,
    own: Option<Points>,
    group: Option<Points>,
    maximum: Option<Points>,
    comment: Option<String>,
}

impl Plan {
    /// Of these rows.
    pub(super) fn make(
        desk: &Desk,
        place: &Place,
        command: &Import,
        (rows, says): (Vec<Marked>, Says),
        wrong: Vec<(u64, String)>,
    ) -> Result<Self, Error> {
        let mut plan = Self {
            wrong,
            ..Self::default()
        };
        let counts = desk.store.assignment(place)?.rules().counts;
        let rows = plan.students(rows);
        plan.meet((desk, place), &rows, command.not_listed_yet)?;
        let parts = parts(desk, place, rows.keys().cloned().collect(), counts)?;
        let due = plan.with_groups(rows, &parts, command.groups);
        let before = desk.store.grades(place)?;
        let submissions = parts_of(&due, parts, desk, place, counts)?;
        let late = Late::of(desk, place, command.apply_lateness)?;
        for (sid, due) in due {
            let there = before.get(&sid).map(|graded| &graded.grade);
            let grader = command.grader.clone();
            if let Some(mut given) = plan.given((sid, due), there, says, grader) {
                let submission = submissions.get(&given.sid);
                given.submission = submission.map(|(number, ..)| *number);
                let lateness = submission.and_then(|(.., at)| late.lateness(&given, *at));
                if late.apply(&mut given, lateness, there) {
                    plan.applied_before.push(given.sid.clone());
                }
                plan.add(given, lateness, there);
            }
        }
        plan.wrong.sort();
        Ok(plan)
    }

    /// What a student is to have; what the gradebook does not speak of is as it is.
    fn given(
        &mut self,
        (sid, due): (StudentId, Due),
        there: Option<&Grade>,
        says: Says,
        grader: Title,
    ) -> Option<Given> {
        let points = due.own.or(due.group)?;
        let maximum = self.maximum(&due, points, says.maximum)?;
        Some(Given {
            sid,
            points,
            maximum,
            group: match says.groups {
                true => due.group,
                false => there.and_then(|there| there.group),
            },
            lateness: None,
            submission: None,
            comment: match says.comments {
                true => due.comment,
                false => there.and_then(|there| there.comment.clone()),
            },
            grader,
        })
    }

    fn add(&mut self, given: Given, lateness: Option<Lateness>, there: Option<&Grade>) {
        match there {
            Some(there) if there.is_same_as(&given) => self.same += 1,
            there => self.changes.push(Change {
                was: there.map(|there| there.points),
                lateness,
                given,
            }),
        }
    }

    /// Each student once.
    fn students(&mut self, rows: Vec<Marked>) -> BTreeMap<StudentId, Marked> {
        let mut students = BTreeMap::new();
        for row in rows {
            let (line, sid) = (row.line, row.sid.clone());
            if let Some(other) = students.insert(sid.clone(), row) {
                self.wrong
                    .push((line, format!("{sid} was in line {} before", other.line)));
            }
        }
        students
    }

    /// Who is not in the class, or whom nobody here has met, is taken for a mistyped ID, unless the
    /// teacher says that all are right.
    fn meet(
        &mut self,
        (desk, place): (&Desk, &Place),
        rows: &BTreeMap<StudentId, Marked>,
        all_are_right: bool,
    ) -> Result<(), Error> {
        let unmet = desk.store.unmet(place, rows.keys().cloned().collect())?;
        for (sid, why) in unmet {
            if let (false, Some(row)) = (all_are_right, rows.get(&sid)) {
                self.wrong.push((row.line, format!("{sid} {why}")));
            }
            self.unmet.push(sid);
        }
        Ok(())
    }

    /// Every member of a group that was given a grade, with it.
    fn with_groups(
        &mut self,
        rows: BTreeMap<StudentId, Marked>,
        parts: &BTreeMap<StudentId, Part>,
        for_groups: bool,
    ) -> BTreeMap<StudentId, Due> {
        let mut groups: BTreeMap<SubmissionNumber, BTreeMap<Points, &Marked>> = BTreeMap::new();
        for (sid, row) in &rows {
            let given = row.group.or(row.own.filter(|_| for_groups));
            match (given, parts.get(sid)) {
                (Some(points), Some((number, ..))) => {
                    groups.entry(*number).or_default().insert(points, row);
                }
                (Some(_), None) if row.group.is_some() => {
                    let reason = format!("{sid} has handed in nothing: there is no group");
                    self.wrong.push((row.line, reason));
                }
                _ => {}
            }
        }
        let mut due: BTreeMap<_, _> = rows
            .iter()
            .map(|(sid, row)| (sid.clone(), due(row)))
            .collect();
        for (number, grades) in &groups {
            let mut several = grades.iter();
            let (Some((points, row)), None) = (several.next(), several.next()) else {
                self.several(*number, grades, for_groups);
                continue;
            };
            let members = parts
                .get(&row.sid)
                .map_or(&[][..], |(_, members, _)| members);
            for sid in members {
                let entry = due.entry(sid.clone()).or_insert_with(|| Due {
                    own: None,
                    comment: None,
                    ..self::due(row)
                });
                entry.group = Some(*points);
            }
        }
        due
    }

    /// With `--groups` members may each have their own; `group_grade` is one for all.
    fn several(
        &mut self,
        number: SubmissionNumber,
        grades: &BTreeMap<Points, &Marked>,
        for_groups: bool,
    ) {
        let told = grades
            .values()
            .filter(|row| !for_groups || row.group.is_some());
        for row in told {
            let reason = format!("the group of {number} has several grades as a group");
            self.wrong.push((row.line, reason));
        }
    }

    /// What is to be reached, if that is said and not exceeded.
    fn maximum(&mut self, due: &Due, points: Points, common: Option<Points>) -> Option<Points> {
        let highest = points.max(due.group.unwrap_or(points));
        let reason = match due.maximum.or(common) {
            Some(maximum) if highest <= maximum => return Some(maximum),
            Some(maximum) => {
                format!("{highest} points are more than the {maximum} that are possible")
            }
            None => "how many points are possible is not said: give --maximum".to_owned(),
        };
        self.wrong.push((due.line, reason));
        None
    }
}

fn due(row: &Marked) -> Due {
    Due {
        line: row.line,
        own: row.own,
        group: row.group,
        maximum: row.maximum,
        comment: row.comment.clone(),
    }
}

/// What counts for each of these students, who has handed in.
fn parts(
    desk: &Desk,
    place: &Place,
    sids: Vec<StudentId>,
    counts: Counts,
) -> Result<BTreeMap<StudentId, Part>, Error> {
    let mut found = BTreeMap::new();
    for page in sids.chunks(PAGE) {
        for part in desk.store.parts(place, page.to_vec(), counts)? {
            if let Some(version) = part.counting {
                let members = version.summary.statement.members.into_iter();
                let members = members.map(|member| member.sid).collect();
                let came = (version.committed_at, version.committed_index);
                let part_of = (version.summary.number, members, came);
                found.insert(part.sid, part_of);
            }
        }
    }
    Ok(found)
}

/// The same, with those who came in with their group.
fn parts_of(
    due: &BTreeMap<StudentId, Due>,
    mut known: BTreeMap<StudentId, Part>,
    desk: &Desk,
    place: &Place,
    counts: Counts,
) -> Result<BTreeMap<StudentId, Part>, Error> {
    let others = due.keys().filter(|sid| !known.contains_key(*sid));
    let others = others.cloned().collect();
    known.extend(parts(desk, place, others, counts)?);
    Ok(known)
}
