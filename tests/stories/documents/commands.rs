//! Commands that documents have people type: each exists, with every flag that is named.

use std::collections::BTreeMap;

use super::{DOCUMENTS, read};
use crate::campus::{Ran, program};

/// What a document has people type: indented lines, continued ones joined, and code spans.
fn typed(document: &str) -> Vec<String> {
    let document = document.replace("\\\n", " ");
    let parts = document.split("```");
    let outside = parts.step_by(2).flat_map(|text| {
        let lines = text.lines().filter(|line| line.starts_with("    "));
        lines.chain(text.split('`').skip(1).step_by(2))
    });
    let line = |part: &str| part.split_whitespace().collect::<Vec<_>>().join(" ");
    outside.map(line).collect()
}

/// The help of each command, asked for once.
#[derive(Default)]
struct Helps(BTreeMap<String, String>);

impl Helps {
    fn of(&mut self, command: &str) -> &str {
        let ask = || {
            let mut words = command.split(' ');
            let mut asked = program(words.next().unwrap());
            Ran::of(asked.args(words).arg("--help")).succeeded().stdout
        };
        self.0.entry(command.to_owned()).or_insert_with(ask)
    }

    /// The commands below this one.
    fn commands(&mut self, command: &str) -> Vec<&str> {
        let help = self.of(command).split_once("\nCommands:\n");
        let listed = help.map_or("", |(_, below)| below);
        let listed = listed.lines().take_while(|line| !line.is_empty());
        let named = listed.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
        named.filter(|name| !name.is_empty()).collect()
    }

    /// What of a typed line there is not: a command, or a flag of it.
    fn missing(&mut self, line: &str) -> Option<String> {
        let line = line.split(" #").next().unwrap();
        let mut words = line.split(' ').peekable();
        let mut command = words.next()?.to_owned();
        if !["cuhk", "blackboard", "student"].contains(&command.as_str()) {
            return None;
        }
        while let Some(word) = words.peek() {
            if ["--home", "--sandbox"].contains(word) {
                words.nth(1);
            } else if self.commands(&command).contains(word) {
                command = format!("{command} {word}");
                words.next();
            } else {
                break;
            }
        }
        let next = words.peek().copied().unwrap_or("-");
        if !next.starts_with('-') && !self.commands(&command).is_empty() {
            return Some(format!("no command {next} of {command}: {line}"));
        }
        let help = self.of(&command);
        let mut flags = words.map(flag).filter(|flag| flag.len() > 2);
        let unknown = flags.find(|flag| !help.split(|sign| !of_flag(sign)).any(|it| it == *flag));
        unknown.map(|flag| format!("no {flag} of {command}: {line}"))
    }
}

fn of_flag(sign: char) -> bool {
    sign.is_ascii_lowercase() || sign == '-'
}

/// The flag in a word such as `[--replace]`; nothing in any other.
fn flag(word: &str) -> &str {
    let begins = word.strip_prefix('[').unwrap_or(word);
    let ends = begins.find(|sign| !of_flag(sign)).unwrap_or(begins.len());
    match begins.starts_with("--") {
        true => &begins[..ends],
        false => "",
    }
}

#[test]
fn documents_have_nobody_type_what_there_is_not() {
    let mut helps = Helps::default();
    // The drawings of the protocol begin with the names of the programs.
    for document in DOCUMENTS.iter().filter(|name| **name != "docs/PROTOCOL.md") {
        for line in typed(&read(document)) {
            let missing = helps.missing(&line);
            assert_eq!(missing, None, "{document}");
        }
    }
    assert!(
        helps.0.len() > 40,
        "only these were found: {:?}",
        helps.0.keys()
    );
}

#[test]
fn a_command_and_a_flag_that_there_are_not_are_noticed() {
    let mut helps = Helps::default();
    let lines = typed(
        "Type `cuhk roster\nimprot x` or\n\n    student submit \\\n    --id 1155000001  # so\n",
    );
    let found: Vec<_> = lines
        .iter()
        .filter_map(|line| helps.missing(line))
        .collect();
    assert_eq!(
        found,
        [
            "no --id of student submit: student submit --id 1155000001",
            "no command improt of cuhk roster: cuhk roster improt x",
        ]
    );
    assert_eq!(
        helps.missing("cuhk keys withdraw students|services|… [--replace]"),
        None
    );
}
