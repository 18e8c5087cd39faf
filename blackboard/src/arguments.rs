//! The command line.

pub(crate) mod courses;
pub(crate) mod grades;
mod submissions;
mod witness;
mod writing;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use scb_certs::Fingerprint;
use scb_cli::fault::FaultTable as _;
use scb_cli::{Generate, HomeArgs, generate_examples, with_generate_examples};
use scb_explain::ExplainArgs;
use scb_transport::Limits;

use self::courses::{AssignmentCommand, CourseCommand, ExtensionCommand};
use self::grades::GradesCommand;
pub(crate) use self::submissions::{Archive, Detach, OfAny, Submissions};
#[cfg(test)]
pub(crate) use self::witness::AcceptLog;
pub(crate) use self::witness::WitnessCommand;
pub(crate) use self::writing::Use;
use crate::fault::{Fault, FaultChoice};
use crate::fsck::OneAssignment;

/// The learning platform: verifies students through CUHK and takes in their work.
#[derive(Debug, Parser)]
#[command(name = "blackboard", version, after_help = EXAMPLES, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) home: HomeArgs,
    #[command(flatten)]
    pub(crate) logging: Logging,
    /// Print the configuration in force, each option explained, and end
    #[arg(long)]
    pub(crate) print_config: bool,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

const EXAMPLES: &str = "\
Examples:
  Try it, after `cuhk serve --sandbox /tmp/scb` in another terminal:
    blackboard serve --sandbox /tmp/scb

  For real, after `cuhk service add blackboard --dns blackboard.example --code-out code`:
    blackboard init --cuhk cuhk.example:8011 --ca ca.pem --code-file code \\
                    --dns blackboard.example
    blackboard course add CSCI3150 --title 'Operating Systems'
    blackboard assignment add --course CSCI3150 --title 'Lab 1' --due '2026-12-01 23:59'
    blackboard serve --listen 0.0.0.0:8002
    blackboard submissions list
    blackboard --print-config        every option of HOME/config.toml, explained

Exit codes: 0 done, 2 usage, 3 refused, 4 try again later, 5 local fault.
Configuration: HOME/config.toml; a flag comes before an environment variable, this before the
file.";

/// How the log looks. It goes to standard error; results go to standard output.
#[derive(Debug, Clone, Args)]
pub(crate) struct Logging {
    /// Form of the log lines on standard error
    #[arg(long, value_enum, default_value_t = LogForm::Text, global = true, display_order = 901)]
    pub(crate) log: LogForm,
    /// What is logged: error, warn, info, debug or trace [default: info]
    #[arg(
        long,
        value_name = "LEVEL",
        env = "SCB_LOG",
        global = true,
        display_order = 902
    )]
    pub(crate) log_level: Option<String>,
    #[command(flatten)]
    pub(crate) explain: ExplainArgs,
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogForm {
    /// One readable line per event.
    Text,
    /// One JSON object per line.
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Get this platform's service certificate from CUHK (once)
    #[command(after_help = INIT_EXAMPLES)]
    Init(Init),
    /// Take in submissions until stopped (Ctrl-C)
    #[command(after_help = format!("{SERVE_EXAMPLES}\n\n{}", Fault::NAMES))]
    Serve(Serve),
    /// Courses and who is in them; works while the server runs
    #[command(subcommand, after_help = courses::COURSE_EXAMPLES)]
    Course(CourseCommand),
    /// Assignments and their rules; works while the server runs
    #[command(subcommand, after_help = courses::ASSIGNMENT_EXAMPLES)]
    Assignment(AssignmentCommand),
    /// More time for single students; works while the server runs
    #[command(subcommand, after_help = courses::EXTENSION_EXAMPLES)]
    Extension(ExtensionCommand),
    /// Go on after an old backup was put back: says what is lost, and waits for your word
    #[command(after_help = RECOVER_EXAMPLES)]
    Recover(Recover),
    /// Look at what was handed in; works while the server runs
    #[command(subcommand, after_help = submissions::SUBMISSIONS_EXAMPLES)]
    Submissions(Submissions),
    /// Compare everything that is stored with what was signed and hashed; works while the server runs
    #[command(after_help = FSCK_EXAMPLES)]
    Fsck(Fsck),
    /// The assignments' logs and their keys, as their witnesses need them; works while the server runs
    #[command(after_help = LOGS_EXAMPLES)]
    Logs(Logs),
    /// CUHK's issuance log as this server, its witness, has seen it; works while the server runs
    #[command(subcommand, after_help = witness::WITNESS_EXAMPLES)]
    Witness(WitnessCommand),
    /// Gradebooks, and what students are shown of them; works while the server runs
    #[command(subcommand, after_help = grades::GRADES_EXAMPLES)]
    Grades(GradesCommand),
    /// Shell completions and man pages, for packagers
    #[command(
        subcommand,
        after_help = generate_examples("blackboard"),
        mut_subcommands = with_generate_examples("blackboard")
    )]
    Generate(Generate),
}

const INIT_EXAMPLES: &str = "\
Examples:
  blackboard init --cuhk 127.0.0.1:8011 --ca ca.pem --code-file blackboard.code
  blackboard init --cuhk cuhk.example:8011 --ca-fingerprint 3f9c…e1 --dns blackboard.example
  blackboard init --replace --code-file again.code

CUHK is known by its root: its file ca.pem, or the SHA-256 fingerprint that `cuhk init` and `cuhk
service add` print. The code comes from `cuhk service add blackboard`; without --code-file it is
asked for. If the answer is lost on the way, run the same command again: the same code and key
give the same certificate. Once there is a certificate in force, running it again changes nothing;
it renews itself. With --replace and a new code it is replaced; where CUHK is and which root it has
the home knows then, unless you say otherwise.";

/// `blackboard init`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Init {
    /// Where CUHK listens [default with --replace: as this home knows]
    #[arg(long, value_name = "HOST:PORT", required_unless_present = "replace")]
    pub(crate) cuhk: Option<String>,
    /// CUHK's root certificate, PEM; this or --ca-fingerprint is needed [default with --replace: the
    /// root of this home]
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// SHA-256 fingerprint of CUHK's root certificate (64 hexadecimal digits)
    #[arg(long, value_name = "HEX", conflicts_with = "ca")]
    pub(crate) ca_fingerprint: Option<Fingerprint>,
    /// File whose first line is the service's one-time enrolment code; nobody else may read it
    #[arg(long, value_name = "FILE")]
    pub(crate) code_file: Option<PathBuf>,
    /// DNS name that the certificate must have, as given to `cuhk service add` (repeatable)
    #[arg(long, value_name = "NAME")]
    pub(crate) dns: Vec<String>,
    /// IP address that the certificate must have, as given to `cuhk service add` (repeatable)
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) ip: Vec<IpAddr>,
    /// Get a new certificate although there is one, for instance because that was revoked
    #[arg(long)]
    pub(crate) replace: bool,
}

const SERVE_EXAMPLES: &str = "\
Examples:
  blackboard serve
  blackboard serve --listen 0.0.0.0:8002
  blackboard serve --listen 127.0.0.1:0 --ready-file /run/blackboard.addr
  blackboard serve --metrics 127.0.0.1:8014         (health and numbers, for Prometheus)
  blackboard serve --sandbox /tmp/scb
  blackboard serve --sandbox /tmp/scb --explain     (each step in plain words)";

/// `blackboard serve`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Serve {
    /// Where to listen; port 0 takes a free one [default: config.toml, else 127.0.0.1:8002]
    #[arg(long, value_name = "ADDRESS", env = "SCB_BLACKBOARD_LISTEN")]
    pub(crate) listen: Option<SocketAddr>,
    /// Answer /healthz, /readyz and /metrics at this address, HTTP without TLS, for your
    /// monitoring; port 0 takes a free one [default: config.toml, else nowhere]
    #[arg(long, value_name = "ADDRESS", env = "SCB_BLACKBOARD_METRICS")]
    pub(crate) metrics: Option<SocketAddr>,
    /// Work in the sandbox that `cuhk serve --sandbox DIR` made: loopback only, no set-up
    #[arg(long, value_name = "DIR")]
    pub(crate) sandbox: Option<PathBuf>,
    /// File to which the bound address is written once the server accepts connections
    #[arg(long, value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,
    /// Most connections at once; one more is told to come back later [default: config.toml,
    /// else 4096]
    #[arg(long, value_name = "N", value_parser = Limits::parse_max_connections)]
    pub(crate) max_connections: Option<usize>,
    /// Start though the last number was given at a later time than it is now, and believe the clock
    /// though it was given long ago
    #[arg(long)]
    pub(crate) clock_is_right: bool,
    /// Print the configuration in force with these arguments, each option explained, and end
    #[arg(long, conflicts_with = "sandbox")]
    pub(crate) print_config: bool,
    /// In a sandbox: do this wrong, to show what refuses it; `help` lists the faults
    #[arg(long, value_name = "NAME")]
    pub(crate) fault: Option<FaultChoice>,
}

const RECOVER_EXAMPLES: &str = "\
Examples:
  blackboard recover                (changes nothing: says what is lost)
  blackboard recover --lose 12      (goes on without those twelve entries)
  blackboard recover --receipt S-000123.zip report.pdf

`serve` refuses to run on a home whose logs are behind what CUHK, their witness, has seen of them:
it is an old backup. CUHK must be running, this server not. The numbers that were given stay taken.

Afterwards, and while the server runs, --receipt enters again what a group's receipt proves, with
the files that they handed in: with its number and its time, so that nobody is late who was not. The
log must hold the very entry of which the receipt is; a new entry says from which receipt it came.";

/// `blackboard recover`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Recover {
    /// How many entries are lost in all, as `blackboard recover` says: your word that no newer
    /// backup exists
    #[arg(long, value_name = "NUMBER")]
    pub(crate) lose: Option<u64>,
    /// A receipt of what was lost: it counts again from the time in it
    #[arg(long, value_name = "ZIP", conflicts_with = "lose")]
    pub(crate) receipt: Option<PathBuf>,
    /// The files that were handed in, or folders with them; by their content, whatever they are called
    #[arg(value_name = "FILE", requires = "receipt")]
    pub(crate) files: Vec<PathBuf>,
}

const FSCK_EXAMPLES: &str = "\
Examples:
  blackboard fsck
  blackboard fsck --assignment CSCI3150/lab-1
  blackboard fsck --json

Reads every stored file and compares it with its hash; verifies every receipt; compares records with
the assignments' logs: what was committed, proposed, signed, declined, given up, accepted, graded
and released, rules, extensions and what was taken back; the logs with their tiles and checkpoints,
and these with what CUHK cosigned last. It changes nothing and says for each finding what to do.
With --assignment, files and commitments that nothing names are not looked for.

No entry of a log holds these, so nobody can tell whether they were changed: titles of courses,
class lists, and until when files may come after the last signature.

Exit codes: 0 nothing is damaged (what is only left over is listed), 5 something is not as it was
stored, 4 nothing is, but this home was put back and nobody knows yet whether it is the newest
backup, 3 there is no such assignment.";

/// `blackboard fsck`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Fsck {
    /// Look at one assignment only
    #[arg(long, value_name = "COURSE/ASSIGNMENT")]
    pub(crate) assignment: Option<OneAssignment>,
    #[command(flatten)]
    pub(crate) output: Output,
}

const LOGS_EXAMPLES: &str = "\
Examples:
  blackboard logs
  blackboard logs --json
  blackboard logs | cut -d ' ' -f 1     (the keys alone, for a witness's operator)

Each line begins with the log's verifier key (C2SP signed-note), whose name is the log's, and
says how many of its entries each witness has cosigned. What to do about one that does not is
said on standard error, and which logs CUHK may not know again after it was put back from a backup
(`unseen_since` in JSON). All logs of this server have one key under many names. Witnesses
besides CUHK are named in config.toml: `witnesses` and `quorum`.";

/// `blackboard logs`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Logs {
    #[command(flatten)]
    pub(crate) output: Output,
}

/// How results look.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Output {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Arguments, clap::error::ErrorKind> {
        Arguments::try_parse_from(line.split(' ')).map_err(|error| error.kind())
    }

    #[test]
    fn a_change_names_no_default_for_what_stays_as_it_is() {
        let commands = Arguments::command();
        let helps = |name: &str| -> Vec<String> {
            let assignment = commands.find_subcommand("assignment").unwrap();
            let command = assignment.find_subcommand(name).unwrap();
            let helps = command.get_arguments().filter_map(clap::Arg::get_help);
            let helps = helps.map(ToString::to_string);
            helps.filter(|help| help.contains("[default: ")).collect()
        };
        let (add, change) = (helps("add"), helps("change"));
        assert!(add.iter().any(|help| help.ends_with("[default: none]")));
        let unchanged = |help: &String| help.ends_with(" [default: unchanged]");
        assert!(!add.iter().any(unchanged), "{add:?}");
        assert!(
            change.len() == 9 && change.iter().all(unchanged),
            "{change:?}"
        );
    }

    #[test]
    fn is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn reads_what_the_examples_show() {
        for line in [
            "blackboard init --cuhk 127.0.0.1:8011 --ca ca.pem --code-file blackboard.code",
            "blackboard init --cuhk c:1 --ca ca.pem --dns a --dns b --ip ::1 --ip 127.0.0.1",
            "blackboard serve --listen 127.0.0.1:0 --ready-file /run/blackboard.addr",
            "blackboard serve --sandbox /tmp/scb --max-connections 100",
            "blackboard serve --sandbox /tmp/scb --fault silent",
            "blackboard --home /h --log json submissions show S-000001 --json",
            "blackboard submissions export ./lab --json --home /h",
            "blackboard submissions list --verify",
            "blackboard submissions archive lab-1.zip --course C --assignment lab-1 --wait 2min",
            "blackboard submissions overview --course C --assignment lab-1 --csv",
            "blackboard init --cuhk c:1",
            "blackboard init --replace --code-file again.code",
            "blackboard course members CSCI3150 --list class.csv",
            "blackboard assignment add --course C --title T --due 2026-12-01T23:59:00+08:00 --group-size 1..3 --accept pdf,zip",
            "blackboard assignment withdraw lab-1 --course C --json",
            "blackboard course withdraw CSCI3150",
            "blackboard extension add lab-1 --course C --student a,b --due 2026-12-01T23:59:00Z",
            "blackboard recover --lose 12",
            "blackboard recover --receipt S-000123.zip report.pdf src",
            "blackboard witness show --json",
            "blackboard witness accept-log --instead-of 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
            "blackboard fsck --assignment CSCI3150/lab-1 --json",
            "blackboard grades import c.csv --course C --assignment lab-1 --grader T --groups --dry-run",
            "blackboard grades export --course C --assignment lab-1 --for canvas --template c.csv",
            "blackboard grades release --course C --assignment lab-1",
        ] {
            parse(line).unwrap();
        }
    }

    #[test]
    fn every_command_shows_examples_and_its_own_options_before_those_of_all() {
        let mut program = Arguments::command();
        program.build();
        let groups = [
            "submissions",
            "course",
            "assignment",
            "extension",
            "grades",
            "witness",
        ];
        let groups = groups.map(|name| program.find_subcommand(name).unwrap().clone());
        let below = groups.iter().flat_map(clap::Command::get_subcommands);
        for command in program.get_subcommands().chain(below) {
            if command.get_name() == "help" {
                continue;
            }
            let help = command.clone().render_long_help().to_string();
            assert!(help.contains("\nExamples:\n  blackboard "), "{help}");
            let (listed, _) = help.split_once("\nExamples:").unwrap();
            let options = listed
                .lines()
                .map(str::trim)
                .filter(|line| line.starts_with("--"));
            let names: Vec<_> = options.filter_map(|line| line.split(' ').next()).collect();
            let common = ["--home", "--log", "--log-level", "--explain", "--lang"];
            assert!(names.ends_with(&common), "{names:?}");
        }
    }

    #[test]
    fn who_graded_is_refused_as_that_and_not_as_a_title() {
        let import = "blackboard grades import c.csv --course C --assignment lab-1 --grader";
        for name in ["a\tb", "a\nb", ""] {
            let words = import.split(' ').chain([name]);
            let refused = Arguments::try_parse_from(words).unwrap_err().to_string();
            assert!(
                refused.contains("who graded is 1 to 200 bytes"),
                "{refused}"
            );
            assert!(!refused.contains("title"), "{refused}");
        }
    }

    #[test]
    fn refuses_room_for_nobody() {
        for most in ["0", "1000001", "-1", "many"] {
            let line = format!("blackboard serve --max-connections={most}");
            let refused = parse(&line).unwrap_err();
            assert_eq!(refused, clap::error::ErrorKind::ValueValidation, "{most}");
        }
    }

    #[test]
    fn refuses_init_without_an_address_or_with_two_roots() {
        use clap::error::ErrorKind::{ArgumentConflict, MissingRequiredArgument, ValueValidation};
        let of = |line: &str| parse(line).unwrap_err();
        assert_eq!(of("blackboard init --ca ca.pem"), MissingRequiredArgument);
        assert_eq!(
            of("blackboard init --cuhk c:1 --ca-fingerprint 00"),
            ValueValidation
        );
        let both = format!(
            "blackboard init --cuhk c:1 --ca f --ca-fingerprint {}",
            "0".repeat(64)
        );
        assert_eq!(of(&both), ArgumentConflict);
    }
}
