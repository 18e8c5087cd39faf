//! `--fault NAME`: something is done wrong, and what refuses it is shown.

use scb_cli::fault::FaultTable as _;
use scb_cli::{Term, printable, say};
use scb_explain::Language;

use crate::cli::{Cli, Command};
use crate::words::Words;
use crate::{Error, Fault};

/// `--fault help`.
pub(super) fn list(language: Language) -> Result<(), Error> {
    if language == Language::English {
        return Ok(scb_cli::fault::list::<Fault>("student")?);
    }
    for fault in Fault::ALL {
        let (code, done) = (fault.code(), fault.done_in(language));
        let (who, stops) = (fault.refused_by(), fault.stops_in(language));
        say(&format!(
            "{fault} [{code}]\n  student：{done}\n  {who} 拒絕：{stops}"
        ))?;
    }
    Ok(())
}

/// Hands in with this fault. Nobody is asked anything: the sample students, or `--ids`.
pub(super) fn show(cli: &Cli, fault: Fault) -> Result<(), Error> {
    if !matches!(cli.command, None | Some(Command::Submit(_))) {
        return Err(Error::FaultElsewhere);
    }
    if cli.common.sandbox.is_none() {
        return Err(Error::FaultOutsideSandbox);
    }
    let quiet = cli.common.json;
    let language = cli.common.explain.language.language();
    if !quiet {
        say(&format!("FAULT {fault}: {}", fault.done_in(language)))?;
    }
    let Err(error) = super::run(cli, Term::plain()) else {
        return Err(Error::FaultUnnoticed(fault));
    };
    if !quiet {
        say_outcome(fault, &error, language)?;
    }
    Err(error)
}

fn say_outcome(fault: Fault, error: &Error, language: Language) -> Result<(), Error> {
    let words = Words::of(language);
    let refusal = error.refusals().first();
    say("")?;
    match refusal {
        Some(refusal) if refusal.code == fault.code() => {
            let sentence = printable(&scb_explain::refusal(refusal, language));
            say(&format!(
                "{} [{}]: {sentence}",
                words.refused(),
                refusal.code
            ))?;
            say(words.fault_outcome())?;
            say(&format!("  {}", fault.stops_in(language)))?;
        }
        _ => say(&words.other_refusal(fault.code().as_str()))?,
    }
    Ok(())
}
