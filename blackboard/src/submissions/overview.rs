//! `blackboard submissions overview`: who has handed in for an assignment, who is missing, and who
//! is late by how much.

mod csv;
mod json;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use rustls_pki_types::UnixTime;
use scb_certs::StudentId;
use scb_cli::{Failure, rfc3339};
use scb_protocol::counted;
use scb_protocol::message::proposal::Reason;
use scb_protocol::rules::{Detachment, Rulebook, Rules, Standing};
use scb_protocol::statement::SubmissionNumber;
use serde::Serialize;

#[cfg(test)]
pub(crate) use self::text::remarked;
use super::{LeftOut, sids};
use crate::arguments::courses::Which;
use crate::courses::Desk;
use crate::failure::failure;
use crate::gradebook::Outdated;
use crate::store::parts::{Part, Proposed, Version};
use crate::store::setbacks::Setback;
use crate::store::uploading::Upload;
use crate::store::{Error, Place, Store, Tried};

/// Of how many students is read at a time: of them statements are held, of all others the IDs.
const PAGE: usize = 500;

/// How the overview looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A table for people.
    Text,
    /// For spreadsheets.
    Csv,
    /// For programs.
    Json,
}

impl Form {
    /// As it is asked for; never both.
    pub(super) fn of(csv: bool, json: bool) -> Self {
        match (csv, json) {
            (true, _) => Self::Csv,
            (_, true) => Self::Json,
            _ => Self::Text,
        }
    }
}

/// Shows it. Versions that are not what was stored, or are gone, do not count, and are named at the end.
pub(super) fn run(desk: &Desk, which: &Which, form: Form) -> anyhow::Result<()> {
    let mut overview = Overview::open(desk, which)?;
    match form {
        Form::Text => text::print(&mut overview)?,
        Form::Csv => csv::print(&mut overview)?,
        Form::Json => json::print(&mut overview)?,
    }
    overview.into_result()
}

/// Of whom nobody can say who he is nothing is shown: there is somebody.
pub(crate) fn unreadable(ids: u64) -> Option<Failure> {
    let told = format!(
        "not counted: what was handed in or signed by whoever has {} that cannot be read: what is stored was ALTERED",
        counted(ids, "ID")
    );
    let remedy = "`blackboard fsck` names what was altered; a backup of blackboard.db in which it is whole brings it back";
    let failure = Failure::fault(told)
        .with_remedy(remedy)
        .with_code("altered");
    (ids > 0).then_some(failure)
}

/// An assignment, whose students are read page by page.
pub(crate) struct Overview<'a> {
    desk: &'a Desk,
    which: &'a Which,
    place: Place,
    book: Rulebook,
    uploads: BTreeMap<StudentId, Upload>,
    proposed: BTreeMap<StudentId, Proposed>,
    setbacks: BTreeMap<StudentId, Setback>,
    /// For which version who is graded.
    graded: BTreeMap<StudentId, Option<SubmissionNumber>>,
    /// Whether the course has a class list: without one, whoever has tried nothing is not known here.
    has_list: bool,
    /// Who is still to be shown, the last one first, and whether he is on the class list, if there
    /// is one.
    left: Vec<(StudentId, Option<bool>)>,
    totals: Totals,
    pub(crate) altered: Vec<SubmissionNumber>,
    /// What the log has accepted and of which there is no record.
    missing: BTreeSet<SubmissionNumber>,
    /// How many students' IDs cannot be read.
    pub(crate) unreadable: u64,
}

impl<'a> Overview<'a> {
    pub(crate) fn open(desk: &'a Desk, which: &'a Which) -> anyhow::Result<Self> {
        let (store, place) = (&desk.store, desk.place(which));
        let uploads = store.uploads(&place)?;
        let proposed = store.proposed(&place, desk.now)?;
        let mut everybody = store.participants(&place)?;
        let mut setbacks = store.setbacks(&place)?;
        for (sid, over) in &proposed.over {
            Setback::over(over).become_last(&mut setbacks, sid.clone());
        }
        everybody.unreadable.extend(proposed.unreadable);
        let proposed = proposed.waits;
        let others = uploads.keys().chain(proposed.keys()).chain(setbacks.keys());
        others.for_each(|sid| everybody.add(sid.clone()));
        Ok(Self {
            book: store.rulebook(&place)?,
            missing: store.missing_records(&place.log()?)?,
            uploads,
            proposed,
            setbacks,
            graded: graded(store, &place)?,
            has_list: everybody.has_list,
            left: everybody.found.into_iter().rev().collect(),
            desk,
            which,
            place,
            totals: Totals::default(),
            altered: Vec::new(),
            unreadable: everybody.unreadable.len() as u64,
        })
    }

    /// Fails, once all was shown, if there is anything that was not counted.
    pub(crate) fn into_result(self) -> anyhow::Result<()> {
        let mut left_out = LeftOut::default();
        for number in self.altered {
            left_out.add(number, failure(Error::Altered { number }.into()));
        }
        for number in self.missing {
            left_out.add(number, failure(Error::RecordMissing { number }.into()));
        }
        let left_out = left_out.into_result("counted");
        match unreadable(self.unreadable) {
            Some(unreadable) => Err(Failure {
                others: left_out.err().map(failure).into_iter().collect(),
                ..unreadable
            }
            .into()),
            None => left_out,
        }
    }

    /// The next students; none at the end.
    pub(crate) fn page(&mut self) -> Result<Vec<Line>, Error> {
        let rest = self.left.len().saturating_sub(PAGE);
        let mut page = self.left.split_off(rest);
        page.reverse();
        let sids = page.iter().map(|(sid, _)| sid.clone()).collect();
        let store = &self.desk.store;
        let parts = store.parts(&self.place, sids, &self.book)?;
        let parts = parts.into_iter().zip(page);
        Ok(parts
            .map(|(part, (_, listed))| self.line(part, listed))
            .collect())
    }

    fn line(&mut self, part: Part, listed: Option<bool>) -> Line {
        self.note_altered(&part.altered);
        let upload = self.uploads.get(&part.sid).copied();
        let now = self.desk.now;
        let named = self.proposed.get(&part.sid);
        let proposed = named.filter(|one| one.is_signed_by(&part.sid));
        let came = part.counting.map(|version| {
            let (at, index) = (version.committed_at, version.committed_index);
            let standing = self.book.judge(at, index, &part.sid);
            let out = self.book.detachments().of_version(version.summary.number);
            let out = out.map(|(sid, _)| sid.clone()).collect();
            Came::new(version, standing, (out, self.book.rules()))
        });
        let state = match (&came, upload) {
            (Some(_), _) => State::HandedIn,
            (None, Some(upload)) if upload.is_coming(now) => State::Uploading,
            (None, _) if proposed.is_some() => State::Waiting,
            (None, Some(_)) => State::NeverCame,
            (None, None) => match self.book.judge_now(now, &part.sid) {
                Standing::Late { .. } | Standing::Closed { .. } => State::Missing,
                _ => State::NothingYet,
            },
        };
        let setback = self.setbacks.get(&part.sid);
        let setback = setback.filter(|one| came.as_ref().is_none_or(|came| came.is_before(one)));
        // Whose files never came is told until he has handed in something newer.
        let is_told = |one: &Upload| {
            let is_newer = |came: &Came| came.at > one.committed_at;
            one.is_coming(now) || !came.as_ref().is_some_and(is_newer)
        };
        let upload = upload.filter(is_told);
        let extended_to = self.book.extended_to(&part.sid);
        let counts = came.as_ref().map(|came| came.number);
        let graded = self.graded.get(&part.sid);
        let outdated = graded.and_then(|graded| Outdated::of(*graded, counts));
        let line = Line {
            state,
            setback: setback.map(Failed::new),
            versions: part.versions,
            came,
            detached: part.detached.iter().map(Detached::new).collect(),
            after_close: part.after_close.map(|version| AfterClose {
                number: version.summary.number,
                committed_at: rfc3339(version.committed_at),
            }),
            waiting_for: proposed.map_or_else(Vec::new, |one| one.waiting_for.clone()),
            waits_until: proposed.map(|one| rfc3339(one.until)),
            tried: proposed.map_or_else(Vec::new, |one| one.tried.clone()),
            is_named: named.is_some() && proposed.is_none(),
            is_altered: proposed.is_some_and(|one| one.altered),
            upload_until: upload.and_then(|upload| upload.until).map(rfc3339),
            upload_is_over: upload.is_some_and(|upload| !upload.is_coming(now)),
            extended_to: extended_to.map(rfc3339),
            on_class_list: listed,
            outdated,
            sid: part.sid,
        };
        self.totals.add(&line);
        line
    }

    /// A group's version is each member's: it is named once.
    fn note_altered(&mut self, altered: &[SubmissionNumber]) {
        for number in altered {
            if !self.altered.contains(number) {
                self.altered.push(*number);
            }
        }
    }
}

/// Who is missing is told also where a grade was altered, which `grades list` says.
fn graded(
    store: &Store,
    place: &Place,
) -> Result<BTreeMap<StudentId, Option<SubmissionNumber>>, Error> {
    let grades = match store.grades(place) {
        Err(Error::CoursesAltered { .. } | Error::GradeAltered { .. }) => BTreeMap::new(),
        grades => grades?,
    };
    let graded = grades.into_iter();
    Ok(graded
        .map(|(sid, one)| (sid, one.grade.submission))
        .collect())
}

/// How far a student is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// There is a version that counts.
    HandedIn,
    /// Signed and recorded; the files may still come.
    Uploading,
    /// He has signed what is proposed, and not everybody has.
    Waiting,
    /// Signed and recorded; the files never came, and no longer can.
    NeverCame,
    /// Nothing is there, and what comes now is late or refused.
    Missing,
    /// Nothing is there, and there is time.
    NothingYet,
}

impl State {
    /// A stable word for it.
    fn as_str(self) -> &'static str {
        match self {
            Self::HandedIn => "handed_in",
            Self::Uploading => "uploading",
            Self::Waiting => "waiting",
            Self::NeverCame => "never_came",
            Self::Missing => "missing",
            Self::NothingYet => "nothing_yet",
        }
    }
}

/// What is shown of one student. Times are RFC 3339 in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Line {
    pub(crate) sid: StudentId,
    pub(crate) state: State,
    pub(crate) versions: u64,
    #[serde(flatten)]
    pub(crate) came: Option<Came>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) after_close: Option<AfterClose>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) detached: Vec<Detached>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) waiting_for: Vec<StudentId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waits_until: Option<String>,
    /// Who of those that are waited for wanted to sign, and was refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tried: Vec<Tried>,
    /// Others have named him in what waits for signatures, and he has not signed it.
    #[serde(rename = "named_by_others", skip_serializing_if = "is_false")]
    pub(crate) is_named: bool,
    /// What waits for signatures cannot be signed, as what is stored of it was altered.
    #[serde(rename = "proposal_altered", skip_serializing_if = "is_false")]
    is_altered: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    upload_until: Option<String>,
    /// The files of what he signed never came, and had to by then.
    #[serde(rename = "upload_never_came", skip_serializing_if = "is_false")]
    upload_is_over: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    extended_to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) setback: Option<Failed>,
    /// Nothing where there is no class list.
    on_class_list: Option<bool>,
    /// He is graded, and not for the version that counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) outdated: Option<Outdated>,
}

/// A version that came, with others who had more time, when it was closed for this student: it does
/// not count for him.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct AfterClose {
    pub(crate) number: SubmissionNumber,
    committed_at: String,
}

/// A version out of which the teacher took this student.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Detached {
    pub(crate) number: SubmissionNumber,
    at: String,
    reason: Reason,
}

impl Detached {
    fn new((number, why): &(SubmissionNumber, Detachment)) -> Self {
        Self {
            number: *number,
            at: rfc3339(why.at),
            reason: why.reason.clone(),
        }
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

/// What came to nothing since the version that counts: the last such thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Failed {
    /// `refused`, `declined`, `withdrawn` or `lapsed`.
    pub(crate) kind: &'static str,
    at: String,
    /// The code of a refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<String>,
    /// Who ended a proposal.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    by: Vec<StudentId>,
    /// Who had not signed one when its time was over.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing: Vec<StudentId>,
    /// Nobody could sign it any more, as what is stored of it was altered.
    #[serde(skip_serializing_if = "is_false")]
    altered: bool,
    /// Who of them wanted to, and was refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tried: Vec<Tried>,
}

impl Failed {
    fn new(setback: &Setback) -> Self {
        Self {
            kind: setback.kind,
            at: rfc3339(setback.at),
            code: setback.code.clone(),
            by: setback.by.clone(),
            missing: setback.missing.clone(),
            altered: setback.altered,
            tried: setback.tried.clone(),
        }
    }
}

/// The version that counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Came {
    pub(crate) number: SubmissionNumber,
    /// All who signed it.
    members: Vec<StudentId>,
    /// Those of them for whom it does not count.
    #[serde(rename = "not_for", skip_serializing_if = "Vec::is_empty")]
    out: Vec<StudentId>,
    /// How many a group has at least, where it counts for fewer.
    #[serde(skip_serializing_if = "Option::is_none")]
    fewer_than: Option<u8>,
    committed_at: String,
    accepted_at: String,
    standing: &'static str,
    pub(crate) late_seconds: u64,
    pub(crate) costs_percent: u8,
    #[serde(skip)]
    at: UnixTime,
    /// Where that was entered in the log.
    #[serde(skip)]
    index: Option<u64>,
}

impl Came {
    fn new(version: Version, standing: Standing, (out, rules): (Vec<StudentId>, &Rules)) -> Self {
        let (least, members) = (rules.group.least(), version.summary.statement.members.len());
        let is_small = members.saturating_sub(out.len()) < usize::from(least);
        let (late_seconds, costs_percent) = match standing {
            Standing::Late { by, costs } => (by, costs),
            _ => (0, 0),
        };
        Self {
            number: version.summary.number,
            members: sids(&version.summary.statement).cloned().collect(),
            out,
            fewer_than: is_small.then_some(least),
            committed_at: rfc3339(version.committed_at),
            accepted_at: rfc3339(version.summary.accepted_at),
            standing: standing.as_str(),
            late_seconds,
            costs_percent,
            at: version.committed_at,
            index: version.committed_index,
        }
    }

    /// Whether this came to nothing afterwards, and is not what had been signed before this version and was given
    /// up for it.
    fn is_before(&self, setback: &Setback) -> bool {
        let is_older = |signed: u64| self.index.is_some_and(|own| signed < own);
        self.at <= setback.at && !setback.signed.is_some_and(is_older)
    }

    fn is_late(&self) -> bool {
        self.late_seconds > 0
    }
}

/// How many students there are of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Totals {
    students: u64,
    handed_in: u64,
    late: u64,
    uploading: u64,
    waiting: u64,
    never_came: u64,
    missing: u64,
    nothing_yet: u64,
    /// Who is not on the class list, if there is one, and is in none of the numbers above.
    not_listed: u64,
}

impl Totals {
    fn add(&mut self, line: &Line) {
        if line.on_class_list == Some(false) {
            self.not_listed += 1;
            return;
        }
        self.students += 1;
        self.late += u64::from(line.came.as_ref().is_some_and(Came::is_late));
        *match line.state {
            State::HandedIn => &mut self.handed_in,
            State::Uploading => &mut self.uploading,
            State::Waiting => &mut self.waiting,
            State::NeverCame => &mut self.never_came,
            State::Missing => &mut self.missing,
            State::NothingYet => &mut self.nothing_yet,
        } += 1;
    }
}
