//! Somebody who types the commands of a page, each once, on a machine of his own.

use std::fs;

use super::machine::Machine;

/// Whom a machine obeys, and what of the page nobody has typed yet.
pub(crate) struct Typist {
    pub(crate) machine: Machine,
    pub(crate) left: Vec<String>,
}

impl Typist {
    /// At a machine without anything, with these commands before him.
    pub(crate) fn of(left: Vec<String>) -> Self {
        let machine = Machine::new();
        Self { machine, left }
    }

    /// The next command of the page that has this in it, with what the day has for what is only named there.
    pub(crate) fn next(&mut self, part: &str, of_the_day: &[(&str, &str)]) -> String {
        let found = self.left.iter().position(|command| command.contains(part));
        let found = found.unwrap_or_else(|| panic!("not on the page: {part}"));
        let command = self.left.remove(found);
        of_the_day.iter().fold(command, |command, (named, is)| {
            assert!(command.contains(named), "no {named}: {command}");
            command.replace(named, is)
        })
    }

    /// Types it; what was shown.
    #[track_caller]
    pub(crate) fn types(&mut self, part: &str, of_the_day: &[(&str, &str)]) -> String {
        let command = self.next(part, of_the_day);
        let (shown, ended) = self.machine.types(&command);
        assert_eq!(ended, Some(0), "{command}\n{shown}");
        shown
    }

    /// The programs are found from now on.
    pub(crate) fn installs(&self) {
        self.does("ln -s $PWD/target/release/* /usr/bin/");
    }

    /// What the day is made of.
    #[track_caller]
    pub(crate) fn does(&self, text: &str) -> String {
        self.machine.runs(text).succeeded().stdout
    }

    /// It is refused, and says so in these words.
    #[track_caller]
    pub(crate) fn is_refused(&self, text: &str, told: &str) -> String {
        let ran = self.machine.runs(text);
        assert_ne!(ran.exit, Some(0), "{ran:#?}");
        assert!(ran.stderr.contains(told), "{told}: {ran:#?}");
        ran.stderr
    }

    pub(crate) fn reads(&self, path: &str) -> String {
        fs::read_to_string(self.machine.path(path)).unwrap()
    }

    /// How many submissions there are.
    pub(crate) fn submissions(&self, blackboard: &str) -> usize {
        let list = format!("{blackboard} submissions list --json");
        let listed = self.machine.runs(&list).succeeded().json();
        listed.as_array().unwrap().len()
    }
}
