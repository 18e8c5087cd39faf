//! `--fault NAME`: something is done wrong, and what refuses it is shown.

use scb_cli::fault::FaultTable as _;
use scb_cli::{Term, printable, say};

use crate::cli::{Cli, Command};
use crate::{Error, Fault};

/// Hands in with this fault. Nobody is asked anything: the sample students, or `--ids`.
pub(super) fn show(cli: &Cli, fault: Fault) -> Result<(), Error> {
    if !matches!(cli.command, None | Some(Command::Submit(_))) {
        return Err(Error::FaultElsewhere);
    }
    if cli.common.sandbox.is_none() {
        return Err(Error::FaultOutsideSandbox);
    }
    let quiet = cli.common.json;
    if !quiet {
        say(&format!("FAULT {fault}: {}", fault.done()))?;
    }
    let Err(error) = super::run(cli, Term::plain()) else {
        return Err(Error::FaultUnnoticed(fault));
    };
    if !quiet {
        say_outcome(fault, &error)?;
    }
    Err(error)
}

fn say_outcome(fault: Fault, error: &Error) -> Result<(), Error> {
    let refusal = error.refusals().first();
    say("")?;
    match refusal {
        Some(refusal) if refusal.code == fault.code() => {
            let sentence = printable(&refusal.to_string());
            say(&format!("Refused [{}]: {sentence}", refusal.code))?;
            say("This is what should happen. What stopped it:")?;
            say(&format!("  {}", fault.stops()))?;
        }
        _ => say(&format!(
            "This is not the refusal that shows the fault ({}).",
            fault.code()
        ))?,
    }
    Ok(())
}
