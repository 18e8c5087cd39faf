//! The command line: what can be typed, and what `--help` says about it.

mod arguments;
mod help;
mod values;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

use std::path::PathBuf;

use clap::{Args, FromArgMatches, Parser, Subcommand};
use scb_certs::Fingerprint;
use scb_cli::{Generate, HomeArgs, generate_examples, with_generate_examples};
use scb_explain::ExplainArgs;
use scb_protocol::statement::Label;

pub(crate) use arguments::{
    Assignments, Audit, Cosign, Download, Enrol, Grades, Ids, Own, Passphrase, Receipts, Renew,
    Submit, Verify, Withdraw,
};
pub(crate) use help::definition;
pub(crate) use values::{Named, address};

use crate::fault::FaultChoice;
use crate::passphrases::PassphraseFile;

const EXAMPLES: &str = "\
Examples:
  student
      On a terminal: asks for everything it needs, then shows a menu.
  student --cuhk cuhk.example.edu:8011 --ca ca.pem enrol --ids 1155000001 --codes codes.csv
      Makes a key here and gets it certified. Addresses and root are remembered.
  student submit --ids 1155000001,1155000002,1155000003 report.pdf
      Hands in for the three; leaves the receipt in the home's receipts directory.
  student assignments
      Shows what can be handed in, until when, and what lateness would cost.
  student verify S-000001.zip report.pdf
      Checks a receipt; needs no server.
  student audit
      Shows every certificate in one's name and every service that asked about one.
  student --sandbox /tmp/scb
      The whole job against `cuhk serve --sandbox` and `blackboard serve --sandbox`.

Exit codes: 0 done, 2 usage, 3 refused, 4 retry later, 5 local fault.";

/// The student's program: keys that stay on this machine, hand-ins that can be proved.
#[derive(Debug, Parser)]
#[command(name = "student", version, after_help = EXAMPLES)]
pub struct Cli {
    /// What holds for every command.
    #[command(flatten)]
    pub common: Common,
    /// What to do; without it, on a terminal, a menu.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Options that every command understands.
#[derive(Debug, Args)]
pub struct Common {
    /// Where keys, certificates and receipts are.
    #[command(flatten)]
    pub home: HomeArgs,
    /// Use the sandbox that `cuhk serve --sandbox DIR` made: nothing else is needed, and no --home
    #[arg(long, value_name = "DIR", global = true)]
    pub sandbox: Option<PathBuf>,
    /// Where CUHK listens, such as cuhk.example.edu:8011; remembered [or: SCB_STUDENT_CUHK]
    #[arg(long, value_name = "ADDR", global = true, value_parser = address)]
    pub cuhk: Option<String>,
    /// Where Blackboard listens, such as blackboard.example.edu:8002; remembered [or:
    /// SCB_STUDENT_BLACKBOARD]
    #[arg(long, value_name = "ADDR", global = true, value_parser = address)]
    pub blackboard: Option<String>,
    /// CUHK's root certificate (PEM); remembered
    #[arg(long, value_name = "FILE", global = true)]
    pub ca: Option<PathBuf>,
    /// SHA-256 of CUHK's root certificate, 64 hexadecimal digits, instead of --ca; or of one of
    /// several in that file; `verify` takes several, A,B, of the time when CUHK changed its root
    #[arg(long, value_name = "HEX", global = true, value_delimiter = ',')]
    pub ca_fingerprint: Vec<Fingerprint>,
    /// Code sheet (CSV) with the enrolment codes, instead of the hidden prompt; keep it to
    /// yourself (chmod 600)
    #[arg(long, value_name = "FILE", global = true)]
    pub codes: Option<PathBuf>,
    /// File whose first line is the passphrase of the keys, or of one ID's key; `-` for the next line
    /// of standard input; repeatable
    #[arg(long, value_name = "[SID=]FILE", global = true)]
    pub passphrase_file: Vec<PassphraseFile>,
    /// Wait up to SECONDS in all for a server that is busy or away; without it, two minutes for
    /// one that is busy. With 0, an upload that is interrupted does not go on by itself
    #[arg(long, value_name = "SECONDS", global = true)]
    pub wait: Option<u64>,
    /// In a sandbox: do this wrong, and show what refuses it; `help` lists the faults
    #[arg(long, value_name = "NAME", global = true)]
    pub fault: Option<FaultChoice>,
    /// What is handed in, a file or a folder; in a sandbox, without it, submission.txt made from the
    /// IDs
    #[arg(long, value_name = "PATH", global = true)]
    pub report: Option<PathBuf>,
    /// The course [default: that of the one assignment that is open]
    #[arg(long, value_name = "NAME", global = true)]
    pub course: Option<Label>,
    /// The assignment [default: the one that is open]
    #[arg(long, value_name = "NAME", global = true)]
    pub assignment: Option<Label>,
    /// Explanations, and their language.
    #[command(flatten)]
    pub explain: ExplainArgs,
    /// Print one JSON object; errors are JSON on standard error
    #[arg(long, global = true)]
    pub json: bool,
}

/// The scripted commands. None of them asks anything without a terminal.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a key for each ID and have CUHK certify it (steps 1 and 2)
    Enrol(Enrol),
    /// Get the next certificate for who has one here, with a new key; takes no code
    Renew(Renew),
    /// Hand in for a group; enrols who still needs it (steps 1 to 6)
    Submit(Submit),
    /// Show what waits for the signature of students whose keys are here, and sign it or refuse
    Cosign(Cosign),
    /// Take back a signature while others have still to sign, or give up what was signed and has
    /// not all come
    Withdraw(Withdraw),
    /// List what can be handed in, the rules, and how long is left by Blackboard's clock
    Assignments(Assignments),
    /// Show one's own grades, each with Blackboard's signature and the log's proof checked
    Grades(Grades),
    /// Check a receipt, and that FILE (or a folder) is what was handed in; needs no server
    Verify(Verify),
    /// List every certificate ever issued in one's name and every service that asked, from
    /// CUHK's public log; every line is proved and checked here
    Audit(Audit),
    /// List the receipts that are kept here
    #[command(after_help = RECEIPTS_EXAMPLES)]
    Receipts(Receipts),
    /// Show certificates, tokens, servers and the root fingerprint
    #[command(after_help = STATUS_EXAMPLES)]
    Status,
    /// Give keys that are here another passphrase, or their first; needs no server and no code
    Passphrase(Passphrase),
    /// List every version that was handed in, which one counts, and what lateness costs
    History(Own),
    /// Get back the files and the receipt of a submission of one's own
    Download(Download),
    /// Shell completions and man pages, for packagers
    #[command(
        subcommand,
        after_help = generate_examples("student"),
        mut_subcommands = with_generate_examples("student")
    )]
    Generate(Generate),
}

const RECEIPTS_EXAMPLES: &str = "\
Examples:
  student receipts
  student receipts --json
  student receipts --fetch         (asks Blackboard for those that are not here)
  student --sandbox /tmp/scb receipts

Every receipt is verified again; one that does not verify is listed as such, and the exit code
is then 3.";

const STATUS_EXAMPLES: &str = "\
Examples:
  student status
  student status --json
  student --sandbox /tmp/scb status

It asks no server: whether a certificate was revoked is not known here.";

impl Cli {
    /// This process's command line; ends the process for `--help`, `--version` and mistakes.
    pub(crate) fn of_process() -> Self {
        let matches = definition().get_matches();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }
}
