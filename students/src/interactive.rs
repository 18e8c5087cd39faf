//! The dialogue on a terminal: servers once, then the IDs, then the menu.
//!
//! Everything but enrolment codes and passphrases is read as plain lines.

mod prompt;

use std::collections::BTreeSet;
use std::path::Path;

use scb_certs::StudentId;
use scb_cli::{Failure, Term, printable, say};
use scb_protocol::Code;

use crate::cli::{Common, address};
use crate::commands::{Prepared, already_certified, say_failure};
use crate::engine::{EnrolOptions, HandIn};
use crate::error::is_certificate_dead;
use crate::group::ASKED_MEMBERS;
use crate::show::Show;
use crate::{Error, Group, Report};

use prompt::{ask, ask_until};

const MENU: &str = "1 CUHK: get certificates  2 Blackboard: hand in  Q quit";
const CUHK_DEFAULT: &str = "127.0.0.1:8011";
const BLACKBOARD_DEFAULT: &str = "127.0.0.1:8002";

/// Asks for what is not known, then shows the menu until somebody quits or input ends.
pub(crate) fn run(common: &Common, term: Term) -> Result<(), Error> {
    let mut prepared = Prepared::new(common, term)?;
    if !ask_servers(&mut prepared)? {
        return Ok(());
    }
    let Some(group) = ask_group(&[])? else {
        return Ok(());
    };
    let session = Session {
        common,
        prepared,
        group,
        replace: BTreeSet::new(),
    };
    session.menu()
}

/// Where CUHK is and how it is recognised; false if input ended.
fn ask_servers(prepared: &mut Prepared) -> Result<bool, Error> {
    let setup = &mut prepared.engine.setup;
    if setup.cuhk().is_err() {
        let Some(cuhk) = ask_address("CUHK's address", CUHK_DEFAULT)? else {
            return Ok(false);
        };
        setup.give_cuhk(cuhk);
    }
    if setup.fingerprint().is_none() {
        let question = "SHA-256 of CUHK's root, from your code sheet (64 digits): ";
        let fingerprint = ask_until(question, |typed| {
            typed
                .parse()
                .map_err(|error: scb_certs::Error| error.to_string())
        })?;
        let Some(fingerprint) = fingerprint else {
            return Ok(false);
        };
        setup.give_fingerprint(fingerprint)?;
    }
    Ok(true)
}

fn ask_address(what: &str, default: &str) -> Result<Option<String>, Error> {
    ask_until(&format!("{what} [{default}]: "), |typed| {
        address(if typed.is_empty() { default } else { typed })
    })
}

/// The IDs, one by one; the samples are what Enter stands for, and without a sample Enter ends
/// the list. None if input ended before the first.
pub(crate) fn ask_group(samples: &[StudentId]) -> Result<Option<Group>, Error> {
    let mut ids: Vec<StudentId> = Vec::new();
    while ids.len() < ASKED_MEMBERS {
        let sample = samples
            .get(ids.len())
            .filter(|sample| !ids.contains(sample));
        let question = question(ids.len() + 1, sample);
        let answer = ask_until(&question, |typed| read_id(typed, sample, &ids))?;
        match answer {
            Some(Answer::Id(sid)) => ids.push(sid),
            Some(Answer::Done) => break,
            None if ids.is_empty() => return Ok(None),
            None => break,
        }
    }
    Group::new(ids).map(Some)
}

enum Answer {
    Id(StudentId),
    Done,
}

fn question(number: usize, sample: Option<&StudentId>) -> String {
    match (sample, number) {
        (Some(sample), _) => format!("Student ID {number} [{sample}]: "),
        (None, 1) => "Student ID 1: ".to_owned(),
        (None, _) => format!("Student ID {number} (Enter when done): "),
    }
}

/// `-` ends the list where Enter stands for a sample.
fn read_id(typed: &str, sample: Option<&StudentId>, ids: &[StudentId]) -> Result<Answer, String> {
    match (typed, sample) {
        ("", Some(sample)) => return Ok(Answer::Id(sample.clone())),
        ("" | "-", _) if !ids.is_empty() => return Ok(Answer::Done),
        ("", None) => return Err("Type at least one student ID.".to_owned()),
        _ => {}
    }
    let expected = "1 to 32 letters, digits, '.', '_' or '-', starting with a letter or digit";
    let sid: StudentId = typed
        .parse()
        .map_err(|_| format!("{} is not a student ID: {expected}.", printable(typed)))?;
    if ids.contains(&sid) {
        return Err(format!("{sid} is in the group already."));
    }
    Ok(Answer::Id(sid))
}

struct Session<'a> {
    common: &'a Common,
    prepared: Prepared,
    group: Group,
    /// Whose certificate a server refused: a new one is needed.
    replace: BTreeSet<StudentId>,
}

impl Session<'_> {
    fn menu(mut self) -> Result<(), Error> {
        loop {
            say("")?;
            say(MENU)?;
            let Some(choice) = ask("> ")? else {
                return Ok(());
            };
            let done = match choice.to_ascii_lowercase().as_str() {
                "1" => self.enrol(),
                "2" => self.hand_in(),
                "q" => return Ok(()),
                _ => {
                    say("Type 1, 2 or Q.")?;
                    continue;
                }
            };
            if let Err(error) = done {
                self.remember_refused(&error);
                self.forget_wrong_server(&error);
                say_failure(error, self.common.explain.language.language())?;
            }
        }
    }

    fn enrol(&mut self) -> Result<(), Error> {
        if !ask_servers(&mut self.prepared)? {
            return Ok(());
        }
        let missing = self.missing()?;
        let mut show = Show::new(self.common);
        if missing.is_empty() {
            show.event(&already_certified(&self.group));
            return Ok(());
        }
        let mut students = Vec::new();
        for sid in missing {
            let code = self.prepared.codes.code(&sid)?;
            students.push((sid, code));
        }
        let replaced: Vec<_> = students.iter().map(|(sid, _)| sid.clone()).collect();
        let engine = &mut self.prepared.engine;
        engine.enrol(students, EnrolOptions::default(), &mut |event| {
            show.event(event)
        })?;
        self.replace.retain(|sid| !replaced.contains(sid));
        Ok(())
    }

    fn hand_in(&mut self) -> Result<(), Error> {
        let setup = &mut self.prepared.engine.setup;
        if setup.blackboard().is_err() {
            let Some(typed) = ask_address("Blackboard's address", BLACKBOARD_DEFAULT)? else {
                return Ok(());
            };
            setup.give_blackboard(typed);
        }
        let Some(mut report) = self.ask_report()? else {
            return Ok(());
        };
        let missing = self.missing()?;
        for sid in &missing {
            say(&format!("{sid} needs a certificate first."))?;
        }
        self.enrol()?;
        let hand_in = HandIn {
            report: &mut report,
            course: self.common.course.clone(),
            assignment: self.common.assignment.clone(),
        };
        let mut show = Show::new(self.common);
        let engine = &mut self.prepared.engine;
        let kept = engine.hand_in(&self.group, hand_in, &mut |event| show.event(event))?;
        say("")?;
        crate::commands::say_receipt(&kept)?;
        Ok(say(&format!(
            "kept in  {}",
            printable(&kept.path.to_string_lossy())
        ))?)
    }

    fn missing(&self) -> Result<Vec<StudentId>, Error> {
        let engine = &self.prepared.engine;
        let missing = engine.without_certificate(&self.group, EnrolOptions::default())?;
        let ids = self.group.ids().iter();
        let needed = |sid: &&StudentId| missing.contains(sid) || self.replace.contains(*sid);
        Ok(ids.filter(needed).cloned().collect())
    }

    /// `--report`, else what is typed, until it can be read; none if input ended.
    fn ask_report(&self) -> Result<Option<Report>, Error> {
        if self.common.report.is_some() {
            return Report::choose(self.common.report.as_deref(), &self.group).map(Some);
        }
        let question = "Report file (Enter: submission.txt, made from the IDs): ";
        ask_until(question, |typed| {
            let path = (!typed.is_empty()).then(|| Path::new(typed));
            Report::choose(path, &self.group).map_err(|error| Failure::from(error).message)
        })
    }

    /// Who mistyped an address or the fingerprint is asked again.
    fn forget_wrong_server(&mut self, error: &Error) {
        let wrong = |code| matches!(code, Code::ConnectionFailed | Code::ServerIdentity);
        if error.refusals().iter().any(|refusal| wrong(refusal.code)) {
            self.prepared.engine.setup.forget_unproved();
        }
    }

    /// Whose certificate no longer works needs a new one, although it is there.
    fn remember_refused(&mut self, error: &Error) {
        let refusals = error.refusals().iter();
        let dead = refusals.filter(|refusal| is_certificate_dead(refusal));
        let students = dead.filter_map(|refusal| refusal.sid.clone());
        self.replace.extend(students);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn sid(text: &str) -> StudentId {
        text.parse().unwrap()
    }

    fn id(answer: Result<Answer, String>) -> String {
        match answer {
            Ok(Answer::Id(sid)) => sid.to_string(),
            Ok(Answer::Done) => "done".to_owned(),
            Err(reason) => reason,
        }
    }

    #[test]
    fn enter_takes_the_sample_or_ends_the_list() {
        let (a, b) = (sid("A"), sid("B"));
        assert_eq!(id(read_id("", Some(&a), &[])), "A");
        assert_eq!(id(read_id("B", Some(&a), &[])), "B");
        assert_eq!(id(read_id("", None, std::slice::from_ref(&a))), "done");
        assert_eq!(id(read_id("-", Some(&b), &[a])), "done");
        assert!(id(read_id("", None, &[])).starts_with("Type at least one"));
    }

    #[test]
    fn refuses_a_duplicate_and_what_is_no_id() {
        let a = sid("A");
        assert!(id(read_id("A", None, &[a])).contains("already"));
        let said = id(read_id("\u{1b}[2J", None, &[]));
        assert!(
            said.contains("not a student ID") && !said.contains('\u{1b}'),
            "{said}"
        );
        assert!(id(read_id("-", None, &[])).contains("not a student ID"));
    }

    #[test]
    fn questions_name_number_and_sample() {
        assert_eq!(
            question(1, Some(&sid("1155000001"))),
            "Student ID 1 [1155000001]: "
        );
        assert_eq!(question(1, None), "Student ID 1: ");
        assert_eq!(question(3, None), "Student ID 3 (Enter when done): ");
    }
}
