//! The dialogue on a terminal: servers once, then the IDs, then the menu.
//!
//! Everything but enrolment codes and passphrases is read as plain lines.

mod members;
mod prompt;
mod servers;

use std::collections::BTreeSet;
use std::path::PathBuf;

use scb_certs::StudentId;
use scb_cli::{Term, printable, say};
use scb_protocol::statement::Label;
use scb_protocol::{Code, Refusal};

use crate::cli::Common;
use crate::commands::{
    IfDearer, IfPrivateKeys, Prepared, ask_about_all, enrolled_here, in_short, say_failure,
    say_kept,
};
use crate::engine::{EnrolOptions, HandIn, KeptReceipt, OpenAssignment, already_certified};
use crate::error::is_certificate_dead;
use crate::show::Show;
use crate::speech::failure;
use crate::words::Words;
use crate::{Error, Group, Protection, Report, Selection};

pub(crate) use members::ask_group;
pub(crate) use prompt::ask;
use prompt::ask_until;

/// Course and assignment, as far as they are named.
pub(crate) type Place = (Option<Label>, Option<Label>);

/// Asks for what is not known, then shows the menu until somebody quits or input ends.
pub(crate) fn run(common: &Common, term: Term) -> Result<(), Error> {
    let words = Words::of(common.explain.language.language());
    let mut prepared = Prepared::new(common, term)?;
    if !servers::ask_cuhk(&mut prepared.engine, words)? {
        return Ok(());
    }
    let most = prepared.engine.setup.max_members();
    let here = enrolled_here(&prepared.engine.setup.home)?;
    if !here.is_empty() {
        say(&words.enrolled_here(&here))?;
    }
    let sample = here.first().map(std::slice::from_ref).unwrap_or_default();
    let Some(group) = ask_group(sample, most, words)? else {
        return Ok(());
    };
    let session = Session {
        common,
        prepared,
        group,
        replace: BTreeSet::new(),
        words,
    };
    session.menu()
}

/// Which of those that are open; none if input ended.
pub(crate) fn ask_assignment(
    (open, held_back): (&[OpenAssignment], &[Refusal]),
    words: Words,
) -> Result<Option<(Label, Label)>, Error> {
    for (number, one) in (1..).zip(open) {
        say(&format!("  {number}  {}", in_short(one, words.language())))?;
    }
    for why in held_back {
        say(&format!("  -  {}", words.held_back(why)))?;
    }
    ask_until(words.which_assignment(open.len()), |typed| {
        let number = typed.parse::<usize>().ok();
        let chosen = number.and_then(|number| open.get(number.checked_sub(1)?));
        chosen
            .map(OpenAssignment::place)
            .ok_or_else(|| words.no_such_number(open.len()))
    })
}

struct Session<'a> {
    common: &'a Common,
    prepared: Prepared,
    group: Group,
    /// Whose certificate a server refused: a new one is needed.
    replace: BTreeSet<StudentId>,
    words: Words,
}

impl Session<'_> {
    fn menu(mut self) -> Result<(), Error> {
        loop {
            say("")?;
            for line in self.words.menu() {
                say(line)?;
            }
            let Some(choice) = ask("> ")? else {
                return Ok(());
            };
            let done = match choice.to_ascii_lowercase().as_str() {
                "1" => self.certificates(),
                "2" => self.hand_in(),
                "3" => self.change(),
                "4" => self.sign(),
                "q" => return Ok(()),
                _ => {
                    say(self.words.choose_one())?;
                    continue;
                }
            };
            if let Err(error) = done {
                let dead = self.remember_refused(&error);
                self.forget_wrong_server(&error);
                say_failure(error, self.words.language())?;
                for sid in dead {
                    say(&self.words.replaced_here(&sid))?;
                }
            }
        }
    }

    /// Whoever needs a certificate gets one. Where nobody does, anybody may have another one: that
    /// one was revoked, or a key lost, is not known on this machine.
    fn certificates(&mut self) -> Result<(), Error> {
        if !servers::ask_cuhk(&mut self.prepared.engine, self.words)? {
            return Ok(());
        }
        let mut options = self.options();
        if self.missing()?.is_empty() {
            self.say_certified();
            let Some(sid) = self.ask_replaced()? else {
                return Ok(());
            };
            options.replace.insert(sid);
        }
        self.enrol_with(&options)
    }

    /// Whoever needs a certificate gets one.
    fn enrol(&mut self) -> Result<(), Error> {
        if !servers::ask_cuhk(&mut self.prepared.engine, self.words)? {
            return Ok(());
        }
        self.enrol_with(&self.options())
    }

    fn enrol_with(&mut self, options: &EnrolOptions) -> Result<(), Error> {
        let missing = self.needing(options)?;
        if missing.is_empty() {
            self.say_certified();
            return Ok(());
        }
        let mut show = Show::new(self.common);
        let Prepared { codes, engine } = &mut self.prepared;
        let mut students = Vec::new();
        for sid in &missing {
            let code = codes.code(sid)?;
            engine.ask_passphrase(sid, options.protection)?;
            students.push((sid.clone(), code));
        }
        engine.enrol(students, options, &mut |event| show.event(event))?;
        self.replace.retain(|sid| !missing.contains(sid));
        Ok(())
    }

    fn say_certified(&self) {
        Show::new(self.common).event(&already_certified(self.group.ids().len()));
    }

    /// Whose certificate is to be replaced; none for nobody's.
    fn ask_replaced(&self) -> Result<Option<StudentId>, Error> {
        let asked = ask_until(self.words.replace_whose(), |typed| match typed {
            "" => Ok(None),
            typed => self.member(typed).map(Some),
        })?;
        Ok(asked.flatten())
    }

    fn member(&self, typed: &str) -> Result<StudentId, String> {
        let named = |sid: &&StudentId| sid.as_ref() == typed;
        let found = self.group.ids().iter().find(named).cloned();
        found.ok_or_else(|| self.words.not_in_the_group(&printable(typed)))
    }

    fn hand_in(&mut self) -> Result<(), Error> {
        let engine = &mut self.prepared.engine;
        if engine.setup.blackboard().is_err() && !servers::ask_blackboard(engine, self.words)? {
            return Ok(());
        }
        let Some(chosen) = self.ask_report()? else {
            return Ok(());
        };
        let chosen =
            IfPrivateKeys::Ask.check(chosen, (&self.prepared.engine.setup.home, self.words))?;
        let missing = self.missing()?;
        if !missing.is_empty() {
            self.prepared.engine.setup.check_size(&self.group)?;
        }
        for sid in &missing {
            say(&self.words.needs_certificate(sid))?;
        }
        self.enrol()?;
        let Some((course, assignment)) = self.ask_whether_taken(&chosen)? else {
            return Ok(());
        };
        let mut report = chosen.hash()?;
        let kept = match self.hand_in_for(&mut report, course, assignment) {
            Err(Error::SeveralOpen { open, held_back }) => {
                let among = (&open[..], &held_back[..]);
                let Some((course, assignment)) = ask_assignment(among, self.words)? else {
                    return Ok(());
                };
                self.hand_in_for(&mut report, Some(course), Some(assignment))?
            }
            handed_in => handed_in?,
        };
        say("")?;
        say_kept(&kept, self.words)
    }

    /// Before any of it is read: for which assignment it is, as far as that is known by then, and
    /// whether it is taken there. None if input ended.
    fn ask_whether_taken(&mut self, chosen: &Selection) -> Result<Option<Place>, Error> {
        let place = (self.common.course.clone(), self.common.assignment.clone());
        let (open, held_back) = match self.is_taken(chosen, &place) {
            Err(Error::SeveralOpen { open, held_back }) => (open, held_back),
            taken => return taken.map(|()| Some(place)),
        };
        let Some((course, assignment)) = ask_assignment((&open, &held_back), self.words)? else {
            return Ok(None);
        };
        let place = (Some(course), Some(assignment));
        self.is_taken(chosen, &place)?;
        Ok(Some(place))
    }

    fn is_taken(&mut self, chosen: &Selection, (course, assignment): &Place) -> Result<(), Error> {
        let place = (course.as_ref(), assignment.as_ref());
        let engine = &mut self.prepared.engine;
        engine.ask_whether_taken(&self.group, chosen, place)
    }

    fn hand_in_for(
        &mut self,
        report: &mut Report,
        course: Option<Label>,
        assignment: Option<Label>,
    ) -> Result<KeptReceipt, Error> {
        let mut show = Show::new(self.common);
        let engine = &mut self.prepared.engine;
        IfDearer::Ask.hand_in(self.words, |consent| {
            let hand_in = HandIn::new(report, course.clone(), assignment.clone()).by(consent);
            if IfDearer::Ask.was_asked(consent) {
                show.goes_again();
            }
            engine.hand_in(&self.group, hand_in, &mut |event| show.event(event))
        })
    }

    /// What other members have proposed is shown to those whose keys are here, and signed or not.
    fn sign(&mut self) -> Result<(), Error> {
        let engine = &mut self.prepared.engine;
        if engine.setup.blackboard().is_err() && !servers::ask_blackboard(engine, self.words)? {
            return Ok(());
        }
        let missing = self.missing()?;
        for sid in &missing {
            say(&self.words.needs_certificate(sid))?;
        }
        let mut here = self.group.ids().to_vec();
        here.retain(|sid| !missing.contains(sid));
        match here.is_empty() {
            true => Ok(()),
            false => ask_about_all(&mut self.prepared, self.common, Group::new(here)?),
        }
    }

    /// Who hands in and where the servers are. An address is changed only when the server has
    /// proved itself there.
    fn change(&mut self) -> Result<(), Error> {
        let engine = &mut self.prepared.engine;
        let (cuhk, blackboard) = (engine.setup.cuhk().ok(), engine.setup.blackboard().ok());
        for line in self.words.changes(&self.group, cuhk, blackboard) {
            say(&line)?;
        }
        match ask(self.words.change_which())?.as_deref() {
            Some("1") => {
                let most = engine.setup.max_members();
                if let Some(group) = ask_group(&[], most, self.words)? {
                    self.group = group;
                }
            }
            Some("2") if engine.setup.cuhk().is_ok() => {
                servers::change_cuhk(engine, self.words)?;
            }
            Some("2") => {
                servers::ask_cuhk(engine, self.words)?;
            }
            Some("3") => {
                servers::ask_blackboard(engine, self.words)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Who needs a code.
    fn missing(&mut self) -> Result<Vec<StudentId>, Error> {
        self.needing(&self.options())
    }

    /// Who needs a code, after what could be renewed was renewed.
    fn needing(&mut self, options: &EnrolOptions) -> Result<Vec<StudentId>, Error> {
        let mut show = Show::new(self.common);
        let engine = &mut self.prepared.engine;
        engine.renew_due(&self.group, &mut |event| show.event(event))?;
        engine.without_certificate(&self.group, options)
    }

    fn options(&self) -> EnrolOptions {
        EnrolOptions {
            replace: self.replace.clone(),
            protection: Protection::Offered,
        }
    }

    /// `--report`, else what is typed, until it can be read; none if input ended.
    fn ask_report(&self) -> Result<Option<Selection>, Error> {
        let sandboxed = self.prepared.sandboxed(&self.group);
        let select = |paths: &[PathBuf]| Selection::choose(paths, sandboxed);
        if self.common.report.is_some() {
            return select(self.common.report.as_slice()).map(Some);
        }
        ask_until(self.words.report_file(sandboxed.is_some()), |typed| {
            let path = (!typed.is_empty()).then(|| PathBuf::from(typed));
            select(path.as_slice()).map_err(|error| failure(error, self.words.language()).message)
        })
    }

    /// Who mistyped an option is asked; what a server has proved stays.
    fn forget_wrong_server(&mut self, error: &Error) {
        let wrong = |code| matches!(code, Code::ConnectionFailed | Code::ServerIdentity);
        if error.refusals().iter().any(|refusal| wrong(refusal.code)) {
            self.prepared.engine.setup.forget_unproved();
        }
    }

    /// Whose certificate no longer works needs a new one, although it is there.
    fn remember_refused(&mut self, error: &Error) -> Vec<StudentId> {
        let refusals = error.refusals().iter();
        let dead = refusals.filter(|refusal| is_certificate_dead(refusal));
        let students: Vec<_> = dead.filter_map(|refusal| refusal.sid.clone()).collect();
        self.replace.extend(students.iter().cloned());
        students
    }
}
