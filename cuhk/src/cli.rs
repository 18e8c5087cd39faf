//! The command line of `cuhk`: what each command takes and prints.

mod backup;
mod certs;
mod certs_filter;
mod certs_list;
mod code;
mod config;
mod consent;
mod doctor;
mod init;
mod keys;
mod listing;
mod operations;
mod passphrases;
mod progress;
mod prune;
mod revoke;
mod root;
mod roster;
mod serve;
mod service;
mod term;
mod witness;

use std::path::Path;
use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use rustls_pki_types::UnixTime;
use scb_cli::{
    Failure, Generate, Home, HomeArgs, Operator, Role, finish, finish_json, generate_examples,
    note, with_generate_examples,
};
use scb_storage::HomeLock;
use scb_transport::{Clock, SystemClock};

use crate::clock::{self, ClockCheck, Judged};
use crate::config::path;
use crate::store::{Act, Store};
use crate::warnings::CLOCK_AHEAD;
use crate::{Error, open_home};

const EXAMPLES: &str = "\
Examples:
  cuhk serve --sandbox /tmp/scb           try everything out, nothing else to set up
  cuhk init --trust-domain cuhk.edu.hk    make the certification authority, once
  cuhk roster import roster.csv --codes-out codes.csv
  cuhk service add blackboard --dns bb.cuhk.edu.hk --code-out blackboard.code
  cuhk serve --listen 0.0.0.0:8011
  cuhk revoke 1155000001 --reason key_compromise
  cuhk roster suspend 1155000001          until: cuhk roster restore 1155000001
  cuhk term set 2026-27-T1 --ends 2026-12-31
  cuhk keys rotate tokens                 a new key for tokens, beside a running server
  cuhk root sign-crl                      once a year: the root's own revocation list
  cuhk doctor                             is everything as it should be?
  cuhk backup cuhk-2026-11-21.zip         every night; the server may run
  cuhk --print-config                     every option of HOME/config.toml, explained

Exit codes: 0 done, 2 usage, 3 refused, 4 try again later, 5 a fault on this machine.";

/// The university's authority: certificates, enrolment codes, tokens and verification
#[derive(Debug, Parser)]
#[command(name = "cuhk", version, after_help = EXAMPLES, arg_required_else_help = true)]
struct Arguments {
    #[command(flatten)]
    home: HomeArgs,
    /// Go on although the records were written at a later time than it is now by this machine's
    /// clock, or more than 31 days before; once is enough, as it is remembered
    #[arg(long, global = true, display_order = 901)]
    clock_is_right: bool,
    /// Print the configuration in force, each option explained, and end
    #[arg(long)]
    print_config: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make the root, the two issuing authorities and the database, once
    Init(init::Arguments),
    /// Say who is a student
    #[command(subcommand, after_help = roster::EXAMPLES)]
    Roster(roster::Command),
    /// Issue enrolment codes, list and withdraw unused ones
    #[command(subcommand, after_help = code::EXAMPLES)]
    Code(code::Command),
    /// Say which services there are
    #[command(subcommand, after_help = service::EXAMPLES)]
    Service(service::Command),
    /// Run the server
    Serve(serve::Arguments),
    /// Revoke certificates at once and withdraw unused codes
    Revoke(revoke::Arguments),
    /// Say when terms end, and with them students' certificates
    #[command(subcommand, after_help = term::EXAMPLES)]
    Term(term::Command),
    /// Look after the logs of services that CUHK witnesses
    #[command(subcommand, after_help = witness::EXAMPLES)]
    Witness(witness::Command),
    /// Look at certificates
    #[command(subcommand, after_help = certs::EXAMPLES)]
    Certs(certs::Command),
    /// See what operators did by these commands, who and when
    #[command(subcommand, after_help = operations::EXAMPLES)]
    Operations(operations::Command),
    /// Look whether everything is as it should be, and say how to mend what is not
    Doctor(doctor::Arguments),
    /// See which keys CUHK signs with, and put new ones in their place
    #[command(subcommand, after_help = keys::EXAMPLES)]
    Keys(keys::Command),
    /// Write everything that cannot be made again into one file, while the server may run
    Backup(backup::Backup),
    /// Make a new home from a backup
    Restore(backup::Restore),
    /// Remove codes and certificates that ended long ago, and the names of those who left then
    Prune(prune::Arguments),
    /// Shell completions and man pages, for packagers
    #[command(
        subcommand,
        after_help = generate_examples("cuhk"),
        mut_subcommands = with_generate_examples("cuhk")
    )]
    Generate(Generate),
    /// Use the root's key, which `serve` never loads
    #[command(subcommand, after_help = root::EXAMPLES)]
    Root(root::Command),
}

impl Command {
    fn is_json(&self) -> bool {
        match self {
            Self::Certs(command) => command.is_json(),
            Self::Operations(command) => command.is_json(),
            Self::Code(command) => command.is_json(),
            Self::Service(command) => command.is_json(),
            Self::Keys(command) => command.is_json(),
            Self::Roster(command) => command.is_json(),
            Self::Term(command) => command.is_json(),
            Self::Witness(command) => command.is_json(),
            Self::Revoke(arguments) => arguments.json,
            Self::Doctor(arguments) => arguments.json,
            Self::Prune(arguments) => arguments.json,
            Self::Backup(arguments) => arguments.json,
            _ => false,
        }
    }
}

/// The whole program: reads the arguments, does as asked, prints a failure once.
pub fn main() -> ExitCode {
    scb_protocol::install_crypto();
    let mut matches = Arguments::command().get_matches();
    let operation = operation(&matches);
    let arguments = Arguments::from_arg_matches_mut(&mut matches)
        .unwrap_or_else(|error| error.format(&mut Arguments::command()).exit());
    let Arguments {
        home,
        clock_is_right,
        print_config,
        command,
    } = arguments;
    let clock = match clock_is_right {
        true => ClockCheck::Waived,
        false => ClockCheck::AgainstRecords,
    };
    let json = command.as_ref().is_some_and(Command::is_json);
    let result = match command {
        _ if print_config => {
            let environment = serve::Arguments::of_environment();
            config::print(&home.resolve(Role::Cuhk), |config| {
                environment.overrule(config)
            })
        }
        Some(command) => run(&home, (clock, operation), command),
        None => Err(Failure::usage("no command is given").with_remedy("see `cuhk --help`")),
    };
    match json {
        true => finish_json(result),
        false => finish(result),
    }
}

/// The command as it is called, without its arguments: `roster suspend`.
fn operation(matches: &ArgMatches) -> String {
    let mut names = Vec::new();
    let mut below = matches.subcommand();
    while let Some((name, matches)) = below {
        names.push(name);
        below = matches.subcommand();
    }
    names.join(" ")
}

fn run(
    home: &HomeArgs,
    (clock, operation): (ClockCheck, String),
    command: Command,
) -> Result<(), Failure> {
    let dir = home.resolve(Role::Cuhk);
    let desk = Desk {
        dir: &dir,
        clock,
        operation,
    };
    match command {
        Command::Init(arguments) => init::run(&desk, arguments),
        Command::Roster(command) => roster::run(&desk, command),
        Command::Code(command) => code::run(&desk, command),
        Command::Service(command) => service::run(&desk, command),
        Command::Serve(arguments) => serve::run(home, clock, arguments),
        Command::Revoke(arguments) => revoke::run(&desk, &arguments),
        Command::Term(command) => term::run(&desk, command),
        Command::Witness(command) => witness::run(&desk, command),
        Command::Certs(command) => certs::run(&dir, command),
        Command::Operations(command) => operations::run(&dir, command),
        Command::Doctor(arguments) => doctor::run(&dir, &arguments),
        Command::Keys(command) => keys::run(&desk, command),
        Command::Backup(arguments) => backup::run_backup(&desk, &arguments),
        Command::Restore(arguments) => backup::run_restore(&desk, &arguments),
        Command::Prune(arguments) => prune::run(&desk, &arguments),
        Command::Generate(what) => Ok(what.run(Arguments::command())?),
        Command::Root(command) => root::run(&desk, &command),
    }
}

/// Where a command does its work.
#[derive(Debug)]
struct Desk<'a> {
    dir: &'a Path,
    clock: ClockCheck,
    /// What is done, as [`operation`] says.
    operation: String,
}

impl Desk<'_> {
    /// [`open`], for a command that signs or writes down a time.
    ///
    /// # Errors
    ///
    /// [`Error::ClockSetBack`] and [`Error::ClockAhead`] besides.
    fn open_to_write(&self) -> Result<(Home, Store), Error> {
        let (home, store, believed) = self.judged()?;
        believed?;
        Ok((home, store))
    }

    /// [`Desk::open_to_write`], for a command that only takes trust away: in an emergency a clock that is
    /// far ahead keeps nobody from it. It is told, and what is recorded by it proves nothing.
    ///
    /// # Errors
    ///
    /// [`Error::ClockSetBack`] besides.
    fn open_to_revoke(&self) -> Result<Store, Failure> {
        let (_home, store, believed) = self.judged()?;
        if let Err(ahead) = believed {
            note(&format!(
                "warning: {ahead}. It is done all the same; {CLOCK_AHEAD}"
            ))?;
        }
        Ok(store)
    }

    fn judged(&self) -> Result<(Home, Store, Judged), Error> {
        require_own(self.dir)?;
        let (home, store) = open_by(self.dir, Store::open)?;
        clock::check_begun(&home, now())?;
        let believed = clock::before_recording(&store, self.clock, now())?;
        Ok((home, store.done_by(self.act()), believed))
    }

    /// What is noted of it.
    fn act(&self) -> Act {
        Act {
            operation: self.operation.clone(),
            by: Operator::of_process(),
        }
    }

    /// Refuses a clock by which nothing may be removed.
    ///
    /// # Errors
    ///
    /// [`Error::ClockAhead`]; what is said of a home that cannot be opened.
    fn believe_clock(&self) -> Result<(), Error> {
        let (_home, store) = open(self.dir)?;
        let clock = self.clock;
        store.read_blocking(move |records| clock.check_ahead(records, now()))
    }
}

/// Only root gets so far in somebody else's home, and leaves files there that its server cannot open.
fn require_own(dir: &Path) -> Result<(), Error> {
    Ok(scb_cli::require_own(dir, Role::Cuhk, path::DATABASE)?)
}

/// [`require_own`], where a home is to be made.
fn require_own_place(dir: &Path) -> Result<(), Error> {
    Ok(scb_cli::require_own_place(dir, Role::Cuhk, path::DATABASE)?)
}

/// The home and its records, to be read; `serve` may run meanwhile.
fn open(dir: &Path) -> Result<(Home, Store), Error> {
    match open_by(dir, Store::open_to_read) {
        // Held by a server for which it is no such place.
        Err(Error::Storage(error)) if error.is_read_only() => {
            let home = open_home(dir)?;
            let store = Store::open_to_read(&home.path(path::DATABASE))?;
            Ok((home, store))
        }
        opened => opened,
    }
}

/// Opens the records in this way, or beside the server that has them open.
fn open_by(
    dir: &Path,
    alone: impl FnOnce(&Path) -> Result<Store, Error>,
) -> Result<(Home, Store), Error> {
    let home = open_home(dir)?;
    let database = home.path(path::DATABASE);
    let store = match HomeLock::is_held(home.dir()) {
        true => Store::open_in_use(&database)?,
        false => alone(&database)?,
    };
    Ok((home, store))
}

fn now() -> UnixTime {
    SystemClock.now()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use clap::error::ErrorKind;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        let mut command = Arguments::command();
        command.build();
        command.debug_assert();
    }

    #[test]
    fn every_command_shown_says_what_it_is_for_with_an_example_of_itself() {
        fn check(command: &mut clap::Command, called: &str) {
            let help = command.render_help().to_string();
            assert!(command.get_about().is_some(), "{called}");
            let (_, examples) = help.split_once("Example").expect(called);
            assert!(
                examples.contains(&format!("  {called}")),
                "{called}: {help}"
            );
            for command in command.get_subcommands_mut() {
                let called = format!("{called} {}", command.get_name());
                if command.get_name() != "help" {
                    check(command, &called);
                }
            }
        }
        let mut command = Arguments::command();
        command.build();
        check(&mut command, "cuhk");
    }

    #[test]
    fn reasons_are_offered_to_whoever_types_one() {
        let command = Arguments::command();
        let revoke = command.find_subcommand("revoke").unwrap();
        let mut arguments = revoke.get_arguments();
        let reason = arguments.find(|argument| argument.get_id() == "reason");
        let offered = reason.unwrap().get_possible_values();
        let offered: Vec<_> = offered.iter().map(|reason| reason.get_name()).collect();
        assert!(offered.contains(&"key_compromise"), "{offered:?}");
        assert!(!offered.contains(&"certificate_hold"), "{offered:?}");
    }

    #[test]
    fn only_the_program_itself_has_a_version() {
        let refused = |line: &str| {
            Arguments::try_parse_from(line.split(' '))
                .unwrap_err()
                .kind()
        };
        assert_eq!(refused("cuhk --version"), ErrorKind::DisplayVersion);
        for line in [
            "cuhk serve",
            "cuhk roster",
            "cuhk roster list",
            "cuhk doctor",
        ] {
            let kind = refused(&format!("{line} --version"));
            assert_eq!(kind, ErrorKind::UnknownArgument, "{line}");
        }
    }

    #[test]
    fn no_secret_is_taken_from_a_flag() {
        fn flags(command: &clap::Command, found: &mut Vec<String>) {
            found.extend(
                command
                    .get_arguments()
                    .map(|flag| flag.get_id().to_string()),
            );
            command
                .get_subcommands()
                .for_each(|command| flags(command, found));
        }
        let mut found = Vec::new();
        flags(&Arguments::command(), &mut found);
        let secret = |flag: &&String| {
            flag.contains("passphrase") && !flag.ends_with("_file") || flag.as_str() == "code"
        };
        assert_eq!(found.iter().find(secret), None);
        assert!(found.contains(&"passphrase_file".to_owned()));
    }

    #[test]
    fn refuses_what_is_no_subject_or_reason() {
        for line in [
            "cuhk revoke ../x",
            "cuhk revoke 1155000001 --reason certificate_hold",
            "cuhk revoke 1155000001 --reason remove_from_crl",
            "cuhk revoke serial/none",
            "cuhk revoke 1155000001 --compromised-since yesterday",
            "cuhk revoke 1155000001 --compromised-since 9999-01-01",
            "cuhk revoke student/service/blackboard",
            "cuhk roster suspend",
            "cuhk term set 2026-27-T1",
            "cuhk term set ../x --ends 2026-12-31",
            "cuhk roster restore ../x",
            "cuhk roster deactivate 1155000001",
            "cuhk revoke 1155000001 --reason whim",
            "cuhk service add Blackboard --dns x",
            "cuhk service add blackboard --dns ../x",
            "cuhk init --dns ../x",
            "cuhk init --trust-domain CUHK",
            "cuhk serve --sandbox x --passphrase-file y",
            "cuhk serve --listen localhost",
            "cuhk",
        ] {
            assert!(
                Arguments::try_parse_from(line.split(' ')).is_err(),
                "{line}"
            );
        }
        for line in [
            "cuhk revoke service/blackboard --reason key_compromise --home x",
            "cuhk revoke 1155000001 --compromised-since 2026-02-01",
            "cuhk revoke 1155000001 --compromised-since 2026-02-01T18:30:00+08:00",
        ] {
            Arguments::try_parse_from(line.split(' ')).unwrap();
        }
    }
}
