//! `cuhk doctor`

use std::path::Path;

use scb_cli::{Failure, Term, counted, printable, say};

use super::now;
use super::passphrases::Passphrases as Given;
use crate::doctor::{Finding, Outcome, Passphrases, examine};
use crate::open_home;

const EXAMPLES: &str = "\
Examples:
  cuhk doctor
  cuhk doctor --passphrase-file /run/credentials/cuhk
  cuhk doctor --json | jq '.[] | select(.outcome != \"ok\")'

Looks and changes nothing; `cuhk serve` may run meanwhile. A passphrase that is given is tried,
and nobody is asked for one. Exit codes: 0 everything is as it
should be, 4 something will need attention, 5 something does not work or is not safe.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    passphrases: Given,
    /// As a JSON array
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn run(dir: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let home = open_home(dir)?;
    let passphrases = Passphrases {
        issuers: arguments.passphrases.issuers.read_if_given()?,
        root: arguments.passphrases.root.read_if_given()?,
    };
    let findings = examine(&home, &passphrases, now());
    match arguments.json {
        true => {
            let text = serde_json::to_string_pretty(&findings);
            say(&text.map_err(|error| Failure::fault(error.to_string()))?)?;
        }
        false => show(&findings)?,
    }
    verdict(&findings)
}

fn show(findings: &[Finding]) -> Result<(), Failure> {
    let term = Term::detect();
    for finding in findings {
        let word = format!("{:<4}", finding.outcome);
        let word = match finding.outcome {
            Outcome::Ok => term.ok(&word),
            Outcome::Warn => term.bold(&word),
            Outcome::Fail => term.bad(&word),
        };
        say(&format!(
            "{word}  {:<17} {}",
            finding.check,
            printable(&finding.seen)
        ))?;
        if let Some(mend) = &finding.mend {
            say(&format!("      {:<17} what to do: {}", "", printable(mend)))?;
        }
    }
    Ok(())
}

/// The exit code is that of the worst finding.
fn verdict(findings: &[Finding]) -> Result<(), Failure> {
    let count = |outcome| {
        let such = findings.iter().filter(|finding| finding.outcome == outcome);
        such.count()
    };
    let (failed, warned, all) = (count(Outcome::Fail), count(Outcome::Warn), findings.len());
    let all = counted(all, "check");
    let told = "do as is said beside each of them, then run `cuhk doctor` again";
    match (failed, warned) {
        (0, 0) => Ok(()),
        (0, _) => Err(Failure::retry(format!("need attention: {warned} of {all}"))
            .with_remedy(told)
            .with_code("needs_attention")),
        _ => Err(Failure::fault(format!("failed: {failed} of {all}"))
            .with_remedy(told)
            .with_code("checks_failed")),
    }
}
