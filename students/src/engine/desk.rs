//! Questions to Blackboard, which answers them about the members who asked.

use std::sync::Arc;

use rustls_pki_types::UnixTime;
use scb_cli::local_moments;
use scb_protocol::client::{Member, Session};
use scb_protocol::grade::VerifiedGrade;
use scb_protocol::message::blackboard::{AlteredAssignment, ListedAssignment};
use scb_protocol::rules::within;
use scb_protocol::server::MAX_QUESTIONS;
use scb_protocol::statement::Label;
use scb_protocol::{Code, Fact, Refusal, Step};
use scb_transport::Clock;

use super::announced::KeptAnnouncement;
use super::hand_in::{HandIn, Talk};
use super::lateness::ToldRules;
use super::links::REPLY;
use super::{Engine, tokens};
use crate::pending;
use crate::{Error, Event, Group, Observer, Selection, Setup};

/// What these members can hand in, as Blackboard told it.
#[derive(Debug, Clone)]
pub struct ToldAssignments {
    /// The time by Blackboard's clock, which is the one that counts.
    pub time: UnixTime,
    /// By course and name.
    pub listed: Vec<ListedAssignment>,
    /// What Blackboard has signed of that.
    pub announced: Vec<KeptAnnouncement>,
    /// Of which Blackboard tells nothing, as what it has stored of them is not what its log says.
    pub altered: Vec<AlteredAssignment>,
    /// Why others are not told: the rules that Blackboard tells are not those that it has signed.
    pub unsigned: Vec<Refusal>,
}

/// One of several that are open.
#[derive(Debug, Clone)]
pub struct OpenAssignment {
    /// As Blackboard told it.
    pub listed: ListedAssignment,
    /// The time then by Blackboard's clock.
    pub time: UnixTime,
}

impl OpenAssignment {
    /// Course and assignment.
    pub(crate) fn place(&self) -> (Label, Label) {
        place(&self.listed)
    }
}

impl ToldAssignments {
    /// What is open to the members, of this course and of this name if they are given.
    fn open(&self, course: Option<&Label>, assignment: Option<&Label>) -> Vec<&ListedAssignment> {
        let wanted = |wanted: Option<&Label>, name: &Label| wanted.is_none_or(|it| it == name);
        let listed = self.listed.iter();
        listed
            .filter(|one| wanted(course, &one.course) && wanted(assignment, &one.assignment))
            .filter(|one| one.rules.judge_group(self.time, &one.extensions).is_open())
            .collect()
    }

    /// Why others of this course and of this name are not told: each may be open, and the one that is meant.
    fn held_back(&self, course: Option<&Label>, assignment: Option<&Label>) -> Vec<Refusal> {
        let altered = self.altered.iter().map(|one| {
            let place = format!("{}/{}", one.course, one.assignment);
            Refusal::new(Code::RulesAltered, Step::Six).with("assignment", place)
        });
        let wanted =
            |wanted: Option<&Label>, name: &str| wanted.is_none_or(|it| it.as_ref() == name);
        let is_wanted = |why: &Refusal| {
            let place = why
                .params
                .get("assignment")
                .and_then(|it| it.split_once('/'));
            place.is_none_or(|(in_course, name)| {
                wanted(course, in_course) && wanted(assignment, name)
            })
        };
        let all = self.unsigned.iter().cloned().chain(altered);
        all.filter(is_wanted).collect()
    }

    /// The only one that is open, if it is the only one that may be.
    fn only_open(
        &self,
        course: Option<&Label>,
        assignment: Option<&Label>,
    ) -> Result<&ListedAssignment, Error> {
        let open = self.open(course, assignment);
        let held_back = self.held_back(course, assignment);
        match (&open[..], held_back.first()) {
            ([one], None) => Ok(one),
            ([], Some(why)) => Err(why.clone().into()),
            ([], None) => Err(Error::NothingOpen {
                course: course.cloned(),
            }),
            (several, _) => Err(Error::SeveralOpen {
                open: several
                    .iter()
                    .map(|one| OpenAssignment {
                        listed: (*one).clone(),
                        time: self.time,
                    })
                    .collect(),
                held_back,
            }),
        }
    }

    /// By rules that were not signed, or that Blackboard does not tell, nothing is signed.
    fn check_told(&self, (course, assignment): &(Label, Label)) -> Result<(), Refusal> {
        let held_back = self.held_back(Some(course), Some(assignment));
        held_back.into_iter().next().map_or(Ok(()), Err)
    }

    /// The one that is named, open or not, or the only one that is open; none where what is named is
    /// not told.
    fn meant(
        &self,
        course: Option<&Label>,
        assignment: Option<&Label>,
    ) -> Result<Option<&ListedAssignment>, Error> {
        let (Some(course), Some(assignment)) = (course, assignment) else {
            return self.only_open(course, assignment).map(Some);
        };
        let named =
            |one: &&ListedAssignment| (&one.course, &one.assignment) == (course, assignment);
        Ok(self.listed.iter().find(named))
    }
}

/// What the members can hand in: in one course, or in all.
pub(super) async fn assignments(
    setup: &mut Setup,
    clock: &Arc<dyn Clock>,
    members: &mut [Member],
    course: Option<Label>,
    observer: &mut Observer<'_>,
) -> Result<ToldAssignments, Error> {
    tokens::refresh(setup, clock, members, observer).await?;
    let (mut talk, session) = Talk::open(setup, clock, members, observer).await?;
    let (_, told) = talk.ask_assignments(session, course).await?;
    talk.close().await;
    Ok(told)
}

/// The members' grades: in one course, or in all.
pub(super) async fn grades(
    setup: &mut Setup,
    clock: &Arc<dyn Clock>,
    members: &mut [Member],
    course: Option<Label>,
    observer: &mut Observer<'_>,
) -> Result<Vec<VerifiedGrade>, Error> {
    tokens::refresh(setup, clock, members, observer).await?;
    let (mut talk, session) = Talk::open(setup, clock, members, observer).await?;
    let grades = talk.ask_grades(session, course).await?;
    talk.close().await;
    Ok(grades)
}

impl Talk<'_, '_> {
    /// Asks until every grade was told.
    async fn ask_grades(
        &mut self,
        mut session: Session,
        course: Option<Label>,
    ) -> Result<Vec<VerifiedGrade>, Error> {
        let sids: Vec<_> = self
            .members
            .iter()
            .map(|member| member.sid.clone())
            .collect();
        let (mut grades, mut from) = (Vec::new(), Some(0));
        for _ in 0..MAX_QUESTIONS {
            let Some(next) = from else { break };
            let (expect, request) = session.ask_grades(course.clone(), next);
            self.connection.at_step(Step::Six);
            self.connection.send(&request).await?;
            let reply = self.connection.receive(Step::Six, REPLY).await?;
            let (open, told) = expect.handle(reply, &sids)?;
            (session, from) = (open, told.next);
            grades.extend(told.grades);
        }
        Ok(grades)
    }

    /// Asks until everything was told.
    async fn ask_assignments(
        &mut self,
        mut session: Session,
        course: Option<Label>,
    ) -> Result<(Session, ToldAssignments), Error> {
        let (mut listed, mut altered, mut from) = (Vec::new(), Vec::new(), Some(0));
        let (mut announced, mut unsigned) = (Vec::new(), Vec::new());
        let mut time = self.clock.now();
        for _ in 0..MAX_QUESTIONS {
            let Some(next) = from else { break };
            let (expect, request) = session.ask_assignments(course.clone(), next);
            self.connection.at_step(Step::Six);
            self.connection.send(&request).await?;
            let reply = self.connection.receive(Step::Six, REPLY).await?;
            let (open, answer) = expect.handle(reply, self.clock.now())?;
            (session, time, from) = (open, answer.time, answer.next);
            listed.extend(answer.listed);
            altered.extend(answer.altered);
            unsigned.extend(answer.unsigned);
            announced.extend(answer.announced);
        }
        let told = ToldAssignments {
            time,
            listed,
            announced: self.keep_announced(announced)?,
            altered,
            unsigned,
        };
        Ok((session, told))
    }

    /// Course and assignment of the hand-in: as they were given; else those of the same hand-in
    /// when it was interrupted; else, asked of Blackboard, the only ones that are open. The rules
    /// are asked for in any case, once.
    pub(super) async fn choose(
        &mut self,
        session: Session,
        hand_in: &mut HandIn<'_>,
    ) -> Result<(Session, (Label, Label)), Error> {
        let (course, assignment) = (hand_in.course.clone(), hand_in.assignment.clone());
        let interrupted = self.interrupted(hand_in)?;
        let is_signed = interrupted.is_some();
        let known = interrupted.or_else(|| course.clone().zip(assignment.clone()));
        let known = match (known, &hand_in.rules) {
            (Some(place), Some(_)) => return Ok((session, place)),
            (known, _) => known,
        };
        let within = known
            .as_ref()
            .map(|(course, _)| course.clone())
            .or(course.clone());
        let (session, told) = self.ask_assignments(session, within).await?;
        let place = match known {
            Some(place) => place,
            None => {
                let one = told.only_open(course.as_ref(), assignment.as_ref())?;
                self.tell(Step::Six, Some(chosen(one, told.time)));
                place(one)
            }
        };
        match told.check_told(&place) {
            // What is signed already goes on, by what the log says: nothing is signed anew.
            Err(why) if is_signed && why.code == Code::RulesAltered => {}
            checked => checked?,
        }
        hand_in.rules = ToldRules::of(&told, &place);
        if hand_in.rules.is_none() && !is_signed {
            let (course, assignment) = place.clone();
            self.observe(&Event::NotListed { course, assignment });
        }
        Ok((session, place))
    }

    /// Where the same was to be handed in when it was interrupted.
    fn interrupted(&self, hand_in: &HandIn<'_>) -> Result<Option<(Label, Label)>, Error> {
        let given =
            |given: &Option<Label>, name: &Label| given.as_ref().is_none_or(|it| it == name);
        for statement in pending::list(&self.setup.home)? {
            let place = (statement.course.clone(), statement.assignment.clone());
            let draft = hand_in.draft(&statement.service, place.clone(), self.members);
            let is_wanted =
                given(&hand_in.course, &place.0) && given(&hand_in.assignment, &place.1);
            if is_wanted && draft.is_that_of(&statement) {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }
}

/// What a refusal says of times, as the clock here would show them.
pub(super) fn in_local_time(error: Error) -> Error {
    let Error::Refused(mut refusal) = error else {
        return error;
    };
    if matches!(
        refusal.code,
        Code::AssignmentNotOpen | Code::AssignmentClosed | Code::CommitmentBroken
    ) {
        for value in refusal.params.values_mut() {
            *value = local_moments(value);
        }
    }
    refusal.into()
}

fn place(one: &ListedAssignment) -> (Label, Label) {
    (one.course.clone(), one.assignment.clone())
}

fn chosen(one: &ListedAssignment, now: UnixTime) -> Fact {
    let due = one.rules.due;
    Fact::AssignmentChosen {
        course: one.course.clone(),
        assignment: one.assignment.clone(),
        due,
        left: due.map(|due| due.as_secs().saturating_sub(now.as_secs())),
    }
}

impl Engine {
    /// Asks Blackboard whether the assignment is open and takes files of these names and sizes, where
    /// reading them would take longer than asking. What was interrupted goes on whatever the rules are now.
    /// Whoever cannot be asked will say so when the files are handed in. What is more than it took when it
    /// was last asked is refused by nobody but itself, and not read before it was asked again.
    ///
    /// # Errors
    ///
    /// `assignment_not_open`, `assignment_closed`, `file_type`, `content_too_large`; [`Error::NothingOpen`], [`Error::SeveralOpen`] where no
    /// assignment is named; what failed here.
    pub(crate) fn ask_whether_taken(
        &mut self,
        group: &Group,
        chosen: &Selection,
        (course, assignment): (Option<&Label>, Option<&Label>),
    ) -> Result<(), Error> {
        let pending = pending::list(&self.setup.home)?;
        let is_too_large = chosen.check_size(self.setup.max_bytes()).is_err();
        let is_read_fast = !chosen.is_large() && !is_too_large;
        if is_read_fast || pending.iter().any(|one| chosen.may_be_that_of(one)) {
            return Ok(());
        }
        let told = match self.assignments(group, course.cloned(), &mut |_| {}) {
            Err(Error::Refused(_)) if !is_too_large => return Ok(()),
            told => told?,
        };
        chosen.check_size(self.setup.max_bytes())?;
        if let Some(place) = course.cloned().zip(assignment.cloned()) {
            told.check_told(&place)?;
        }
        let Some(one) = told.meant(course, assignment)? else {
            return Ok(());
        };
        let is_open = one.rules.check_open(told.time, &one.extensions);
        let taken = is_open.and_then(|()| one.rules.check_files(chosen.files()));
        Ok(taken.map_err(|refusal| within(refusal, &one.course, &one.assignment))?)
    }

    /// What these students can hand in together: in one course, or in all of theirs.
    ///
    /// # Errors
    ///
    /// What was refused, or what failed here.
    pub fn assignments(
        &mut self,
        group: &Group,
        course: Option<Label>,
        observer: &mut Observer<'_>,
    ) -> Result<ToldAssignments, Error> {
        self.session(
            group.ids(),
            observer,
            async |setup, clock, members, observer| {
                assignments(setup, clock, members, course.clone(), observer).await
            },
        )
    }

    /// The grades of these students that were released, of one course or of all. Each is verified:
    /// Blackboard's signature, and that the assignment's log holds it.
    ///
    /// # Errors
    ///
    /// What was refused, or what failed here.
    pub fn grades(
        &mut self,
        group: &Group,
        course: Option<Label>,
        observer: &mut Observer<'_>,
    ) -> Result<Vec<VerifiedGrade>, Error> {
        self.session(
            group.ids(),
            observer,
            async |setup, clock, members, observer| {
                grades(setup, clock, members, course.clone(), observer).await
            },
        )
    }
}
