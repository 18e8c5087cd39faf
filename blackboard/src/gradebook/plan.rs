//! What an import would change: each student's grade, his own before that of his group.

use std::collections::{BTreeMap, BTreeSet};

use scb_certs::StudentId;
use scb_protocol::grade::{Given, Grade, Lateness, Points};
use scb_protocol::rules::Title;
use scb_protocol::statement::SubmissionNumber;

use super::import::Marked;
use super::late::Late;
use super::members::{LeftOut, Parts, Why};
use crate::arguments::grades::Import;
use crate::courses::Desk;
use crate::store::{Error, Place};

/// A grade that is not what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) given: Given,
    /// The points before.
    pub(super) was: Option<Points>,
    /// What is there is not what was entered, and counts as none.
    pub(super) was_altered: bool,
    /// What else is another one than before, besides points and version.
    pub(super) also: Vec<&'static str>,
    /// For which version these were, if that is another one.
    pub(super) was_for: Option<SubmissionNumber>,
    /// What lateness costs, or would cost if it were applied.
    pub(super) lateness: Option<Lateness>,
    /// What the student handed in when it was closed for him, with others who had more time, if that
    /// is all he has.
    pub(super) after_close: Option<SubmissionNumber>,
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
    /// Whose grade is not what was entered, with a row here or without.
    pub(super) altered: BTreeSet<StudentId>,
    /// Members of a group with a grade who get nothing from it.
    pub(super) left_out: Vec<LeftOut>,
    /// Lines that cannot be taken, and why.
    pub(super) wrong: Vec<(u64, String)>,
}

/// A grade on its way to a student.
#[derive(Debug, Clone)]
struct Due {
    line: u64,
    own: Option<Points>,
    group: Option<Points>,
    maximum: Option<Points>,
    comment: Option<String>,
    /// The members of his group have different ones: of a grade of all nothing is said.
    differs: bool,
}

/// The rows of members of one group whose own grades differ, and which is no grade of all.
struct Differing {
    number: SubmissionNumber,
    /// Each grade, and a line that has it.
    grades: Vec<(Points, u64)>,
    /// Members without a row.
    without: Vec<StudentId>,
}

impl Plan {
    /// Of these rows.
    pub(super) fn make(
        desk: &Desk,
        place: &Place,
        command: &Import,
        (rows, excused, says): (Vec<Marked>, &[StudentId], Says),
        wrong: Vec<(u64, String)>,
    ) -> Result<Self, Error> {
        let mut plan = Self {
            wrong,
            ..Self::default()
        };
        let rows = plan.students(rows);
        for sid in excused {
            if let Some(row) = rows.get(sid) {
                let reason = format!("{sid} is excused (`EX`) in another line");
                plan.wrong.push((row.line, reason));
            }
        }
        plan.meet((desk, place), &rows, command.not_listed_yet)?;
        let late = Late::of(desk, place, command.apply_lateness)?;
        let parts = Parts::of(desk, place, rows.keys(), late.book())?;
        let own: BTreeSet<StudentId> = rows.keys().cloned().collect();
        let (mut due, differing) = plan.with_groups(rows, &parts, command.groups);
        let here = desk.store.compared_grades(place)?;
        let before = here.entered;
        plan.altered = here.altered;
        let has_one = |sid: &StudentId| excused.contains(sid) || before.contains_key(sid);
        plan.refuse_differing((desk, place), (differing, has_one), command.not_listed_yet)?;
        if !command.not_listed_yet {
            plan.leave_out((desk, place), (&mut due, &own), &parts)?;
        }
        // Nor does anybody who is excused get what his group gets.
        due.retain(|sid, _| !excused.contains(sid));
        for (sid, due) in due {
            let there = before.get(&sid).map(|graded| &graded.grade);
            let grader = command.grader.clone();
            if let Some(mut given) = plan.given((sid, due), there, says, grader) {
                let (counting, closed) = (parts.counting(&given.sid), parts.closed(&given.sid));
                given.submission = counting.map(|part| part.number);
                let came = counting.or(closed).map(|part| part.came);
                let lateness = came.and_then(|came| late.lateness(&given, came));
                if late.apply(&mut given, lateness, there) {
                    plan.applied_before.push(given.sid.clone());
                }
                let after_close = closed.map(|part| part.number);
                plan.add((given, lateness, after_close), there);
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
            group: match says.groups && !due.differs {
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

    fn add(
        &mut self,
        (given, lateness, after_close): (Given, Option<Lateness>, Option<SubmissionNumber>),
        there: Option<&Grade>,
    ) {
        match there {
            Some(there) if there.is_same_as(&given) => self.same += 1,
            there => self.changes.push(Change {
                was: there.map(|there| there.points),
                was_altered: self.altered.contains(&given.sid),
                also: there.map_or_else(Vec::new, |there| others(there, &given)),
                was_for: there
                    .and_then(|there| there.submission)
                    .filter(|graded| Some(*graded) != given.submission),
                lateness,
                after_close,
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

    /// Every member for whom a version counts that was given a grade, with it.
    fn with_groups(
        &mut self,
        rows: BTreeMap<StudentId, Marked>,
        parts: &Parts,
        for_groups: bool,
    ) -> (BTreeMap<StudentId, Due>, Vec<Differing>) {
        let groups = self.grades_of_groups(&rows, parts, for_groups);
        let with_row = rows.iter().map(|(sid, row)| (sid.clone(), due(row)));
        let mut due: BTreeMap<_, _> = with_row.collect();
        let mut differing = Vec::new();
        for (number, grades) in &groups {
            let mut several = grades.iter();
            if let (Some((points, row)), None) = (several.next(), several.next()) {
                self.grade_members((*number, *points, row), &rows, &mut due, parts);
            } else if self.several(*number, grades, for_groups) {
                differing.push(differ((*number, grades), &rows, &mut due, parts));
            }
        }
        (due, differing)
    }

    /// The grades that the rows give each group, each with a row that does.
    fn grades_of_groups<'a>(
        &mut self,
        rows: &'a BTreeMap<StudentId, Marked>,
        parts: &Parts,
        for_groups: bool,
    ) -> BTreeMap<SubmissionNumber, BTreeMap<Points, &'a Marked>> {
        let mut groups: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        for (sid, row) in rows {
            let given = row.group.or(row.own.filter(|_| for_groups));
            match (given, parts.counting(sid)) {
                (Some(points), Some(part)) => {
                    groups.entry(part.number).or_default().insert(points, row);
                }
                (Some(_), None) if row.group.is_some() => {
                    let reason = match parts.closed(sid) {
                        None => "has handed in nothing".to_owned(),
                        Some(part) => format!("has {} only, when it was closed", part.number),
                    };
                    let reason = format!("{sid} {reason}: there is no group");
                    self.wrong.push((row.line, reason));
                }
                _ => {}
            }
        }
        groups
    }

    /// The one grade of a group is that of each member for whom the version counts.
    fn grade_members(
        &mut self,
        (number, points, row): (SubmissionNumber, Points, &Marked),
        rows: &BTreeMap<StudentId, Marked>,
        due: &mut BTreeMap<StudentId, Due>,
        parts: &Parts,
    ) {
        for sid in parts.members(number) {
            let why = parts.why_not(number, sid);
            if let (Some(why), false) = (why, rows.contains_key(sid)) {
                self.left_out.push(LeftOut {
                    sid: sid.clone(),
                    group: number,
                    why,
                });
            }
            if why.is_some() {
                continue;
            }
            let entry = due.entry(sid.clone()).or_insert_with(|| Due {
                own: None,
                comment: None,
                ..self::due(row)
            });
            entry.group = Some(points);
        }
    }

    /// Where members of a group have different grades and another one has no row, nobody can say what he is to get,
    /// unless he has a grade, which stays, or is to get none.
    fn refuse_differing(
        &mut self,
        (desk, place): (&Desk, &Place),
        (differing, has_one): (Vec<Differing>, impl Fn(&StudentId) -> bool),
        all_are_right: bool,
    ) -> Result<(), Error> {
        for Differing {
            number,
            grades,
            mut without,
        } in differing
        {
            without.retain(|sid| !has_one(sid));
            if !all_are_right {
                for (sid, _) in desk.store.unmet(place, without.clone())? {
                    without.retain(|one| *one != sid);
                    self.left_out.push(LeftOut {
                        group: number,
                        why: Why::Left,
                        sid,
                    });
                }
            }
            if without.is_empty() {
                continue;
            }
            let each: Vec<_> = grades
                .iter()
                .map(|(points, line)| format!("{points} in line {line}"))
                .collect();
            let names: Vec<_> = without.iter().map(ToString::to_string).collect();
            let reason = format!(
                "the members of {number} have different grades ({}), so that none is the group's, and {} would get \
                 none: give each member a row, or all the same grade",
                each.join(", "),
                names.join(", ")
            );
            let lines = grades.iter().map(|(_, line)| *line);
            self.wrong.extend(lines.map(|line| (line, reason.clone())));
        }
        Ok(())
    }

    /// Who has left the course gets nothing from what a group gets, as without a row of his own he would be
    /// graded by nobody's word.
    fn leave_out(
        &mut self,
        (desk, place): (&Desk, &Place),
        (due, own): (&mut BTreeMap<StudentId, Due>, &BTreeSet<StudentId>),
        parts: &Parts,
    ) -> Result<(), Error> {
        let others = due.keys().filter(|sid| !own.contains(sid)).cloned();
        for (sid, _) in desk.store.unmet(place, others.collect())? {
            due.remove(&sid);
            if let Some(part) = parts.counting(&sid) {
                self.left_out.push(LeftOut {
                    group: part.number,
                    why: Why::Left,
                    sid,
                });
            }
        }
        Ok(())
    }

    /// With `--groups` members may each have their own; `group_grade` is one for all. Answers whether that is all that
    /// these grades are.
    fn several(
        &mut self,
        number: SubmissionNumber,
        grades: &BTreeMap<Points, &Marked>,
        for_groups: bool,
    ) -> bool {
        let told = grades
            .values()
            .filter(|row| !for_groups || row.group.is_some());
        let told = told.map(|row| {
            let reason = format!("the group of {number} has several grades as a group");
            (row.line, reason)
        });
        let before = self.wrong.len();
        self.wrong.extend(told);
        self.wrong.len() == before
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

/// Of a group whose members have different grades: who has no row, and so none of them. Of a grade of all
/// nothing is said to the others.
fn differ(
    (number, grades): (SubmissionNumber, &BTreeMap<Points, &Marked>),
    rows: &BTreeMap<StudentId, Marked>,
    due: &mut BTreeMap<StudentId, Due>,
    parts: &Parts,
) -> Differing {
    let members = parts.members(number).iter();
    let members = members.filter(|sid| parts.why_not(number, sid).is_none());
    let (with, without): (Vec<_>, _) = members.cloned().partition(|sid| rows.contains_key(sid));
    for sid in with {
        due.entry(sid).and_modify(|due| due.differs = true);
    }
    Differing {
        number,
        grades: grades.iter().map(|(one, row)| (*one, row.line)).collect(),
        without,
    }
}

/// What differs besides points and version.
fn others(there: &Grade, given: &Given) -> Vec<&'static str> {
    let mut names = Vec::new();
    for (name, differs) in [
        ("the maximum", there.maximum != given.maximum),
        ("the group's grade", there.group != given.group),
        ("what lateness costs", there.lateness != given.lateness),
        ("the comment", there.comment != given.comment),
    ] {
        if differs {
            names.push(name);
        }
    }
    names
}

fn due(row: &Marked) -> Due {
    Due {
        line: row.line,
        own: row.own,
        group: row.group,
        maximum: row.maximum,
        comment: row.comment.clone(),
        differs: false,
    }
}
