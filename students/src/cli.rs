//! The command line: what can be typed, and what `--help` says about it.

use std::path::PathBuf;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use scb_certs::{Fingerprint, StudentId};
use scb_cli::{Generate, HomeArgs, generate_examples};
use scb_explain::ExplainArgs;
use scb_protocol::statement::Label;
use scb_tlog::VerifierKey;

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
    /// Use the sandbox that `cuhk serve --sandbox DIR` made: nothing else is needed
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
    /// SHA-256 of CUHK's root certificate, 64 hexadecimal digits, instead of --ca
    #[arg(long, value_name = "HEX", global = true, conflicts_with = "ca")]
    pub ca_fingerprint: Option<Fingerprint>,
    /// Code sheet (CSV) with the enrolment codes, instead of the hidden prompt; keep it to
    /// yourself (chmod 600)
    #[arg(long, value_name = "FILE", global = true)]
    pub codes: Option<PathBuf>,
    /// File whose first line is the passphrase of the keys, or of one ID's key; repeatable
    #[arg(long, value_name = "[SID=]FILE", global = true)]
    pub passphrase_file: Vec<PassphraseFile>,
    /// Wait up to SECONDS in all for a server that is busy or away; without it, two minutes for
    /// one that is busy
    #[arg(long, value_name = "SECONDS", global = true)]
    pub wait: Option<u64>,
    /// In a sandbox: do this wrong, and show what refuses it; `help` lists the faults
    #[arg(long, value_name = "NAME", global = true)]
    pub fault: Option<FaultChoice>,
    /// What is handed in, a file or a folder; without it, submission.txt made from the IDs
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
    /// List what can be handed in, the rules, and how long is left by Blackboard's clock
    Assignments(Assignments),
    /// Check a receipt, and that FILE (or a folder) is what was handed in; needs no server
    Verify(Verify),
    /// List every certificate ever issued in one's name and every service that asked, from
    /// CUHK's public log; every line is proved and checked here
    Audit(Audit),
    /// List the receipts that are kept here
    #[command(after_help = RECEIPTS_EXAMPLES)]
    Receipts,
    /// Show certificates, tokens, servers and the root fingerprint
    #[command(after_help = STATUS_EXAMPLES)]
    Status,
    /// Give keys that are here another passphrase, or their first; needs no server and no code
    Passphrase(Passphrase),
    /// Shell completions and man pages, for packagers
    #[command(subcommand, hide = true, after_help = generate_examples("student"))]
    Generate(Generate),
}

const RECEIPTS_EXAMPLES: &str = "\
Examples:
  student receipts
  student receipts --json
  student --sandbox /tmp/scb receipts

Every receipt is verified again; one that does not verify is listed as such, and the exit code
is then 3.";

const STATUS_EXAMPLES: &str = "\
Examples:
  student status
  student status --json
  student --sandbox /tmp/scb status

It asks no server: whether a certificate was revoked is not known here.";

/// The options of [`Common`] that do something in a command; the others are not in its help.
/// They are understood all the same, so that a script may give one list to every command.
fn applicable(command: &str) -> Option<&'static [&'static str]> {
    const OFFLINE: &[&str] = &["home", "sandbox", "lang", "json"];
    const RECEIPTS: &[&str] = &["home", "sandbox", "ca", "ca_fingerprint", "lang", "json"];
    const PASSPHRASE: &[&str] = &["home", "sandbox", "passphrase_file", "lang", "json"];
    const ASSIGNMENTS: &[&str] = &[
        "home",
        "sandbox",
        "cuhk",
        "blackboard",
        "ca",
        "ca_fingerprint",
        "passphrase_file",
        "course",
        "assignment",
        "explain",
        "lang",
        "json",
    ];
    const AUDIT: &[&str] = &[
        "home",
        "sandbox",
        "cuhk",
        "ca",
        "ca_fingerprint",
        "passphrase_file",
        "lang",
        "json",
    ];
    const ENROL: &[&str] = &[
        "home",
        "sandbox",
        "cuhk",
        "ca",
        "ca_fingerprint",
        "codes",
        "passphrase_file",
        "wait",
        "explain",
        "lang",
        "json",
    ];
    const RENEW: &[&str] = &[
        "home",
        "sandbox",
        "cuhk",
        "ca",
        "ca_fingerprint",
        "passphrase_file",
        "wait",
        "explain",
        "lang",
        "json",
    ];
    match command {
        "verify" | "receipts" => Some(RECEIPTS),
        "status" => Some(OFFLINE),
        "passphrase" => Some(PASSPHRASE),
        "assignments" => Some(ASSIGNMENTS),
        "audit" => Some(AUDIT),
        "enrol" => Some(ENROL),
        "renew" => Some(RENEW),
        "generate" => Some(&[]),
        _ => None,
    }
}

/// The definition, with each command's help showing what applies to it.
pub(crate) fn definition() -> clap::Command {
    let definition = Cli::command();
    let global: Vec<_> = definition
        .get_arguments()
        .filter(|argument| argument.is_global_set())
        .cloned()
        .collect();
    definition.mut_subcommands(|command| {
        let Some(applicable) = applicable(command.get_name()) else {
            return command;
        };
        let idle = |argument: &&clap::Arg| !applicable.contains(&argument.get_id().as_str());
        let hidden = global.iter().filter(idle).cloned();
        command.args(hidden.map(|argument| argument.hide(true)))
    })
}

impl Cli {
    /// This process's command line; ends the process for `--help`, `--version` and mistakes.
    pub(crate) fn of_process() -> Self {
        let matches = definition().get_matches();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }
}

/// Arguments of `student enrol`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  student enrol --ids 1155000001 --codes codes.csv
  student enrol --ids 1155000001 --new-device   (with a code of its own: a further machine)
  student enrol --ids 1155000001 --replace      (with a new code: lost or revoked key)
  student enrol --ids 1155000001 --protect      (asks for a passphrase for the new key)")]
pub struct Enrol {
    /// Who: student IDs, separated by commas
    #[command(flatten)]
    pub ids: Ids,
    /// Make a new key although there is a certificate, for instance a revoked one
    #[arg(long)]
    pub replace: bool,
    /// For a student who has a certificate on another machine, which stays good: takes a code
    /// of its own
    #[arg(long, conflicts_with = "replace")]
    pub new_device: bool,
    /// Encrypt new keys: asks for a passphrase, unless --passphrase-file gives it
    #[arg(long)]
    pub protect: bool,
}

/// Arguments of `student renew`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  student renew                                   (everybody whose key is here)
  student renew --ids 1155000001 --json
  student renew --ids 1155000001 --same-key       (the same key for another 30 days)

Every command that talks to CUHK does this by itself when two thirds of a certificate's life are
over, so that it is seldom needed. A certificate that has ended can be renewed by its key for some
time (30 days, unless CUHK says otherwise); later it takes a code: student enrol. The passphrase
of a key stays. The old key is removed when the new certificate is stored; the same command after
an interruption goes on where it was.")]
pub struct Renew {
    /// Who: student IDs, separated by commas; without it, everybody who has a certificate here
    #[arg(long, value_name = "A,B,C", value_delimiter = ',', value_parser = student_id)]
    pub ids: Vec<StudentId>,
    /// Have the present key certified again instead of a new one
    #[arg(long)]
    pub same_key: bool,
}

/// Arguments of `student submit`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  student submit --ids 1155000001,1155000002,1155000003 report.pdf
  student submit --ids 1155000001 report.pdf src           (files and folders, up to 100 files)
  student submit --ids 1155000001 --course CSCI3310 --assignment lab --json
  student --sandbox /tmp/scb submit --explain --trace run.html      (for a class)

The same command after an interruption goes on where it stopped: what is there already is compared
and not sent again, and nothing is stored twice. What counts for the deadline is when the signed
statement was recorded, not when the last byte came.")]
pub struct Submit {
    /// What is handed in: files, or a folder of files; without any, submission.txt made from the
    /// IDs
    #[arg(value_name = "FILE|FOLDER", conflicts_with = "report")]
    pub files: Vec<PathBuf>,
    /// Who, in the order of the group: student IDs, separated by commas
    #[command(flatten)]
    pub ids: Ids,
    /// Write a page (HTML) that shows every message of this run; without secrets
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
}

/// `--ids A,B,C`.
#[derive(Debug, Args)]
pub struct Ids {
    /// Student IDs, separated by commas; in a sandbox the sample IDs when left out
    #[arg(long, value_name = "A,B,C", value_delimiter = ',', value_parser = student_id)]
    pub ids: Vec<StudentId>,
}

/// Arguments of `student verify`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  student verify receipts/S-000001.zip
  student verify S-000001.zip my-project/
  student verify S-000001.zip report.pdf --ca-fingerprint 3f…

Exit code 0 when everything verifies, 3 when it does not.")]
pub struct Verify {
    /// The receipt, a ZIP file
    #[arg(value_name = "RECEIPT")]
    pub receipt: PathBuf,
    /// The file that was handed in, or one of them, or the folder
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Have `openssl` check the signatures too, and check that an altered copy is refused
    #[arg(long)]
    pub openssl: bool,
    /// A witness besides CUHK (C2SP verifier key) whose cosignature counts; repeat it for more
    #[arg(long, value_name = "KEY")]
    pub witness: Vec<VerifierKey>,
    /// How many witnesses must have cosigned, CUHK among them
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub quorum: usize,
}

/// Arguments of `student assignments`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  student assignments
  student assignments --course CSCI3310 --all
  student assignments --ids 1155000001,1155000002 --json
  student --sandbox /tmp/scb assignments

Shown is what all of these students can hand in together, by Blackboard's clock, and what lateness
would cost each. Times are those of this machine's zone, with its offset from UTC.")]
pub struct Assignments {
    /// Who: student IDs, separated by commas; everybody with a certificate here when left out
    #[arg(long, value_name = "A,B,C", value_delimiter = ',', value_parser = student_id)]
    pub ids: Vec<StudentId>,
    /// Show what has closed as well
    #[arg(long)]
    pub all: bool,
}

/// Arguments of `student audit`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  student audit
  student audit --ids 1155000001 --json
  student --sandbox /tmp/scb audit

`here` is the certificate of this home, `not here` one of another machine or an earlier one. What
was seen of the log is remembered; a log that contradicts it later is refused (log_forked), one
whose proofs are wrong too (log_invalid), and one that lacks a certificate (log_incomplete).")]
pub struct Audit {
    /// Who: student IDs, separated by commas; everybody with a certificate here when left out
    #[arg(long, value_name = "A,B,C", value_delimiter = ',', value_parser = student_id)]
    pub ids: Vec<StudentId>,
}

/// Arguments of `student passphrase`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  student passphrase --ids 1155000001             (asks for the old one, if any, and the new one)
  student passphrase --ids 1155000001 --remove
  student passphrase --ids A,B --passphrase-file A=a.old --passphrase-file B=b.old \\
      --new-passphrase-file A=a.new --new-passphrase-file B=b.new

The keys themselves stay, and so do their certificates. No key file is changed unless every
passphrase is right. An earlier copy of a key file, as in a backup, keeps its earlier passphrase.")]
pub struct Passphrase {
    /// Whose keys: student IDs, separated by commas
    #[command(flatten)]
    pub ids: Ids,
    /// File whose first line is the new passphrase of the keys, or of one ID's key; repeatable
    #[arg(long, value_name = "[SID=]FILE", conflicts_with = "remove")]
    pub new_passphrase_file: Vec<PassphraseFile>,
    /// Store the keys without a passphrase: whoever gets at a key file can sign in that name
    #[arg(long)]
    pub remove: bool,
}

/// A student ID of a list, with the blanks that people type after commas.
fn student_id(text: &str) -> Result<StudentId, String> {
    let sid = text.trim().parse();
    sid.map_err(|error: scb_certs::Error| error.to_string())
}

/// `host:port`; the host may be a name, an IPv4 address or an IPv6 address in brackets.
pub(crate) fn address(text: &str) -> Result<String, String> {
    const EXPECTED: &str = "expected HOST:PORT, such as 127.0.0.1:8011";
    let (host, port) = text.rsplit_once(':').ok_or(EXPECTED)?;
    let bracketed = host.starts_with('[') && host.ends_with(']');
    let acceptable = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let named = !host.is_empty() && host.chars().all(acceptable);
    let literal = bracketed && text.parse::<std::net::SocketAddr>().is_ok();
    match port.parse::<u16>() {
        Ok(1..) if named || literal => Ok(text.to_owned()),
        _ => Err(EXPECTED.to_owned()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_definition_is_consistent() {
        definition().debug_assert();
    }

    fn help_of(name: &str) -> String {
        let mut definition = definition();
        definition.build();
        let command = definition.find_subcommand_mut(name).unwrap();
        command.render_help().to_string()
    }

    #[test]
    fn help_shows_what_applies_and_nothing_else() {
        for name in ["verify", "receipts", "status", "passphrase"] {
            let help = help_of(name);
            for idle in ["--cuhk", "--blackboard", "--codes", "--fault", "--report"] {
                assert!(!help.contains(idle), "{name}: {idle}");
            }
            assert!(help.contains("--home") && help.contains("--json"), "{name}");
        }
        assert!(help_of("verify").contains("--ca-fingerprint"));
        for name in ["enrol", "renew"] {
            let help = help_of(name);
            assert!(
                !help.contains("--fault") && help.contains("--cuhk"),
                "{name}"
            );
        }
        assert!(help_of("submit").contains("--fault"));
    }

    #[test]
    fn an_option_that_does_nothing_is_understood_all_the_same() {
        let line = "student verify S.zip --cuhk localhost:8011 --codes c.csv";
        let matches = definition().try_get_matches_from(line.split(' ')).unwrap();
        let cli = Cli::from_arg_matches(&matches).unwrap();
        assert_eq!(cli.common.cuhk.as_deref(), Some("localhost:8011"));
        assert_eq!(cli.common.course, None);
    }

    #[test]
    fn the_version_is_the_programs() {
        let asked = |line: &str| definition().try_get_matches_from(line.split(' '));
        let version = asked("student --version").unwrap_err().kind();
        assert_eq!(version, clap::error::ErrorKind::DisplayVersion);
        let unknown = asked("student status --version").unwrap_err().kind();
        assert_eq!(unknown, clap::error::ErrorKind::UnknownArgument);
    }

    #[test]
    fn blanks_around_commas_are_no_mistake() {
        let line = ["student", "enrol", "--ids", " A, B ,C"];
        let Some(Command::Enrol(enrol)) = Cli::try_parse_from(line).unwrap().command else {
            panic!("not enrol");
        };
        let ids: Vec<_> = enrol.ids.ids.iter().map(StudentId::as_str).collect();
        assert_eq!(ids, ["A", "B", "C"]);
    }

    #[test]
    fn help_shows_examples() {
        let definition = Cli::command();
        for command in definition.get_subcommands() {
            let name = command.get_name();
            assert!(help_of(name).contains("Examples:"), "{name}");
        }
        assert!(
            Cli::command()
                .render_help()
                .to_string()
                .contains("Exit codes:")
        );
    }

    #[test]
    fn options_stand_before_or_after_the_command() {
        for line in [
            "student --cuhk localhost:8011 --json submit --ids A,B,C",
            "student submit --ids A,B,C --json --cuhk localhost:8011",
        ] {
            let cli = parse(line).unwrap();
            assert_eq!(cli.common.cuhk.as_deref(), Some("localhost:8011"));
            assert!(cli.common.json);
            let Some(Command::Submit(submit)) = cli.command else {
                panic!("not submit");
            };
            let ids: Vec<_> = submit.ids.ids.iter().map(ToString::to_string).collect();
            assert_eq!(ids, ["A", "B", "C"]);
        }
    }

    #[test]
    fn without_a_command_nothing_is_chosen() {
        let cli = parse("student").unwrap();
        assert_eq!((cli.common.course, cli.common.assignment), (None, None));
        assert!(cli.command.is_none());
    }

    #[test]
    fn refuses_what_is_no_student_id() {
        for ids in ["../x", "A,,B", "-", "a/b", ".hidden"] {
            assert!(
                parse(&format!("student submit --ids {ids}")).is_err(),
                "{ids}"
            );
        }
    }

    #[test]
    fn refuses_a_short_fingerprint_and_two_roots() {
        let hex = "ab".repeat(32);
        assert!(parse(&format!("student status --ca-fingerprint {hex}")).is_ok());
        assert!(parse(&format!("student status --ca-fingerprint {}", &hex[2..])).is_err());
        assert!(parse(&format!("student status --ca c.pem --ca-fingerprint {hex}")).is_err());
    }

    #[test]
    fn addresses_need_a_host_and_a_port() {
        for good in [
            "127.0.0.1:8011",
            "localhost:1",
            "[::1]:8011",
            "a-b.example.edu:65535",
        ] {
            assert_eq!(address(good).unwrap(), good);
        }
        for bad in [
            "",
            "localhost",
            ":8011",
            "localhost:0",
            "localhost:x",
            "::1:80",
            "a b:1",
            "[x]:1",
            "h:99999",
        ] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }
}
