//! What can be typed, and what `--help` says.

use clap::{CommandFactory as _, Parser as _};
use scb_certs::StudentId;

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
    for name in ["verify", "status", "passphrase"] {
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
fn blanks_in_the_place_of_commas_are_explained() {
    let line = ["student", "submit", "--ids", "A B"];
    let told = Cli::try_parse_from(line).unwrap_err().to_string();
    assert!(told.contains("separated by commas"), "{told}");
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
fn refuses_a_short_fingerprint() {
    let hex = "ab".repeat(32);
    assert!(parse(&format!("student status --ca-fingerprint {hex}")).is_ok());
    assert!(parse(&format!("student status --ca-fingerprint {}", &hex[2..])).is_err());
    assert!(parse(&format!("student status --ca c.pem --ca-fingerprint {hex}")).is_ok());
}
