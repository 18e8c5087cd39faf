//! The scripted commands, one file each.

mod assignments;
mod audit;
mod cosign;
mod download;
mod enrol;
mod fault;
mod grades;
mod history;
mod loss;
mod passphrase;
mod private_keys;
mod receipts;
mod renew;
mod rules;
mod sandbox;
mod status;
mod submit;
mod verify;

use std::time::Duration;

use scb_certs::StudentId;
use scb_cli::{Term, printable, say};
use scb_explain::{Language, what_to_do};
use scb_protocol::Code;

use crate::cli::{Cli, Command, Common, Ids, definition};
use crate::show::Show;
use crate::speech::failure;
use crate::words::Words;
use crate::{
    Codes, Engine, Error, Event, FaultChoice, Group, Observer, Passphrases, Setup, StudentHome,
    interactive,
};

pub(crate) use assignments::in_short;
pub(crate) use cosign::ask_about_all;
pub(crate) use loss::IfDearer;
pub(crate) use private_keys::IfPrivateKeys;
pub(crate) use submit::say_kept;

/// Runs what the command line says.
///
/// # Errors
///
/// Whatever the command ends with.
pub fn execute(cli: &Cli, term: Term) -> Result<(), Error> {
    match cli.common.fault {
        None => run(cli, term),
        Some(FaultChoice::List) => fault::list(cli.common.explain.language.language()),
        Some(FaultChoice::One(fault)) => fault::show(cli, fault),
    }
}

fn run(cli: &Cli, term: Term) -> Result<(), Error> {
    let common = &cli.common;
    match &cli.command {
        Some(Command::Enrol(arguments)) => enrol::run(common, arguments, term),
        Some(Command::Renew(arguments)) => renew::run(common, arguments, term),
        Some(Command::Submit(arguments)) => submit::run(common, arguments, term),
        Some(Command::Cosign(arguments)) => cosign::cosign(common, arguments, term),
        Some(Command::Withdraw(arguments)) => cosign::withdraw(common, arguments, term),
        Some(Command::Assignments(arguments)) => assignments::run(common, arguments, term),
        Some(Command::Grades(arguments)) => grades::run(common, arguments, term),
        Some(Command::Verify(arguments)) => verify::run(common, arguments),
        Some(Command::Audit(arguments)) => audit::run(common, arguments, term),
        Some(Command::Receipts(arguments)) => receipts::run(common, arguments, term),
        Some(Command::History(arguments)) => history::run(common, arguments, term),
        Some(Command::Download(arguments)) => download::run(common, arguments, term),
        Some(Command::Status) => status::run(common),
        Some(Command::Passphrase(arguments)) => passphrase::run(common, arguments),
        Some(Command::Generate(what)) => Ok(what.run(definition())?),
        None if common.sandbox.is_some() => sandbox::run(common, term),
        None if term.interactive => interactive::run(common, term),
        None => Err(Error::NoCommand),
    }
}

/// What every command that talks to a server needs.
pub(crate) struct Prepared {
    pub(crate) codes: Codes,
    pub(crate) engine: Engine,
}

impl Prepared {
    pub(crate) fn new(common: &Common, term: Term) -> Result<Self, Error> {
        let codes = Codes::new(common, term)?;
        let mut setup = Setup::new(common, codes.sheet())?;
        if !common.json {
            setup.warn_of_clock(Words::of(common.explain.language.language()));
        }
        let passphrases = passphrases(common);
        let engine = Engine::new(setup, passphrases)?;
        let engine = engine.with_patience(common.wait.map(Duration::from_secs));
        Ok(Self { codes, engine })
    }

    /// For a command that changes nothing here: where nothing can be written it goes on.
    fn to_look(common: &Common, term: Term) -> Result<Self, Error> {
        let mut prepared = Self::new(common, term)?;
        prepared.engine.setup.home.look();
        Ok(prepared)
    }

    /// The group of `--ids`; in a sandbox the sample IDs if none were given.
    fn group(&self, ids: &Ids) -> Result<Group, Error> {
        if let (true, Some(sandbox)) = (ids.ids.is_empty(), &self.engine.setup.sandbox) {
            return sandbox::sample_group(sandbox);
        }
        Group::new(ids.ids.clone())
    }

    /// The group in a sandbox, where a text made from its IDs can be handed in.
    pub(crate) fn sandboxed<'a>(&self, group: &'a Group) -> Option<&'a Group> {
        self.engine.setup.sandbox.is_some().then_some(group)
    }

    /// Asks for those who are named, or for everybody who has a certificate here. Of the latter, who is
    /// let in no longer does not silence the others: he is left out. Answers who was asked for.
    fn ask<T>(
        &mut self,
        ids: &[StudentId],
        observer: &mut Observer<'_>,
        mut ask: impl FnMut(&mut Engine, &Group, &mut Observer<'_>) -> Result<T, Error>,
    ) -> Result<(Group, T), Error> {
        let mut group = group_or_everybody(self, ids)?;
        loop {
            let renewed = self.engine.renew_due(&group, observer);
            let error = match renewed.and_then(|()| ask(&mut self.engine, &group, observer)) {
                Ok(told) => return Ok((group, told)),
                Err(error) => error,
            };
            let Some((rest, left_out)) = without(&group, &error).filter(|_| ids.is_empty()) else {
                return Err(error);
            };
            observer(&left_out);
            group = rest;
        }
    }
}

/// The others, if one of them is let in no longer.
fn without(group: &Group, error: &Error) -> Option<(Group, Event)> {
    let Error::Refused(refusal) = error else {
        return None;
    };
    let (code, sid) = (refusal.code, refusal.sid.clone()?);
    let is_out = code == Code::StudentInactive || code.is_about_certificate();
    let rest = group.ids().iter().filter(|other| **other != sid);
    let rest: Vec<_> = rest.cloned().collect();
    let is_one_of_them = is_out && rest.len() < group.ids().len();
    let rest = Group::new(rest).ok().filter(|_| is_one_of_them)?;
    Some((rest, Event::LeftOut { sid, code }))
}

/// Those who are named, or everybody who has a certificate here.
fn group_or_everybody(prepared: &Prepared, ids: &[StudentId]) -> Result<Group, Error> {
    match ids {
        [] => everybody_here(prepared),
        ids => Group::new(ids.to_vec()),
    }
}

/// The steps themselves are only of interest to whoever wants them explained.
fn quiet<'a>(common: &Common, show: &'a mut Show) -> impl FnMut(&Event) + 'a {
    quiet_unless(common.explain.wanted().is_some(), show)
}

/// As [`quiet`], where it is known whether they are explained.
fn quiet_unless(explained: bool, show: &mut Show) -> impl FnMut(&Event) + '_ {
    move |event| {
        if explained || event.step_event().is_none() {
            show.event(event);
        }
    }
}

/// Whoever has a certificate in this home.
fn everybody_here(prepared: &Prepared) -> Result<Group, Error> {
    Group::new(enrolled_here(&prepared.engine.setup.home)?)
}

/// As [`everybody_here`], where there may be nobody.
pub(crate) fn enrolled_here(home: &StudentHome) -> Result<Vec<StudentId>, Error> {
    crate::identity::settle_all(home)?;
    let mut here = Vec::new();
    for sid in home.students()? {
        if crate::identity::chain(home, &sid)?.is_some() {
            here.push(sid);
        }
    }
    Ok(here)
}

fn passphrases(common: &Common) -> Passphrases {
    let passphrases = Passphrases::new(common.passphrase_file.clone());
    passphrases.in_language(common.explain.language.language())
}

/// One JSON object on one line.
fn say_json(value: &serde_json::Value) -> Result<(), Error> {
    Ok(say(&value.to_string())?)
}

/// A failure as it is shown where the program goes on.
pub(crate) fn say_failure(error: Error, language: Language) -> Result<(), Error> {
    let words = Words::of(language);
    let what = match error.refusals() {
        [] => words.not_done(),
        _ => words.refused(),
    };
    let failure = failure(error, language);
    for failure in std::iter::once(&failure).chain(&failure.others) {
        let code = failure.code.map(|code| format!(" [{code}]"));
        let (code, message) = (code.unwrap_or_default(), printable(&failure.message));
        say(&format!("{what}{code}: {message}"))?;
        if let Some(remedy) = &failure.remedy {
            let label = what_to_do(language);
            say(&format!("  {label}: {}", printable(remedy)))?;
        }
    }
    Ok(())
}
