//! A receipt as somebody has it who looks into it without us, and what the programs say there.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use scb_certs::Fingerprint;
use scb_protocol::Step;
use scb_protocol::receipt::file;
use scb_protocol::server::{Outage, Policy};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Given, Group, REPORT, Run, Witnessing, unpack};

/// Where the first member's identity token lies, for Python; no part of a receipt.
pub(super) const TOKEN: &str = "token.txt";

/// A receipt unpacked into a folder, with the report beside it.
pub(crate) struct Unpacked {
    pub(super) folder: TempDir,
    pub(super) root: Fingerprint,
}

impl Unpacked {
    pub(super) fn of(group: &Group<'_>) -> Self {
        Self::after(group.run(), group)
    }

    /// The receipt of a group whose members' tokens counted, as CUHK was away.
    pub(super) fn without_cuhk(group: &mut Group<'_>) -> Self {
        group.policy = Arc::new(Policy {
            outage: Outage::Tokens,
            ..Policy::clone(&group.policy)
        });
        let mut run = group.run();
        run.away = vec![Step::Three, Step::Six];
        Self::after(run, group)
    }

    /// A complete one: the entry was witnessed.
    pub(super) fn after(run: Run<'_>, group: &Group<'_>) -> Self {
        let given = Given::after(run, group);
        Self::from(&Witnessing::of(&given).zip(), group)
    }

    pub(crate) fn from(zip: &[u8], group: &Group<'_>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in unpack(zip) {
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        std::fs::write(folder.path().join("report.txt"), REPORT).unwrap();
        std::fs::write(folder.path().join(TOKEN), &group.members[0].token).unwrap();
        Self {
            folder,
            root: group.campus.root_fingerprint(),
        }
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.folder.path().join(name)).unwrap()
    }

    pub(super) fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&self.read(name)).unwrap()
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.folder.path().join(name), bytes).unwrap();
    }

    pub(super) fn flip(&self, name: &str, index: usize) {
        let mut bytes = self.read(name);
        bytes[index] ^= 1;
        self.write(name, &bytes);
    }

    /// The commands of one step of `VERIFY.md`, run as they stand there.
    pub(crate) fn step(&self, number: usize) -> Verdict {
        let accepted_at = self.json(file::LEAF)["at"].clone();
        self.step_at(number, accepted_at.as_str().unwrap())
    }

    pub(super) fn commands_of(&self, step: usize) -> String {
        let instructions = String::from_utf8(self.read(file::INSTRUCTIONS)).unwrap();
        commands(&instructions, step)
    }

    /// What `VERIFY.md` has one type to count the seconds to this time.
    fn counting(&self, time: &str) -> String {
        let instructions = String::from_utf8(self.read(file::INSTRUCTIONS)).unwrap();
        let (_, from) = instructions.split_once("since 1970 (`").unwrap();
        let (count, _) = from.split_once('`').unwrap();
        let counting = count.replace("2026-11-21T12:00:01Z", time);
        assert_ne!(counting, count);
        counting
    }

    pub(super) fn step_at(&self, number: usize, time: &str) -> Verdict {
        let commands = self.commands_of(number);
        let seconds = shell(self.folder.path(), &self.counting(time));
        let commands = commands
            .replace("SECONDS", seconds.output.trim())
            .replace("YOUR-REPORT", "report.txt");
        shell(self.folder.path(), &commands)
    }
}

/// What a command said on both channels, and whether it succeeded.
pub(crate) struct Verdict {
    pub(super) succeeded: bool,
    pub(crate) output: String,
}

impl Verdict {
    #[track_caller]
    pub(crate) fn says(&self, text: &str) {
        assert!(self.succeeded, "{}", self.output);
        assert!(self.output.contains(text), "no {text:?} in {}", self.output);
    }

    #[track_caller]
    pub(crate) fn fails(&self, what: &str) {
        let verified = self.output.contains("CMS Verification successful");
        assert!(!self.succeeded && !verified, "{what}: {}", self.output);
    }
}

impl Verdict {
    /// It said so, whatever came afterwards.
    #[track_caller]
    pub(crate) fn has_said(&self, text: &str) {
        assert!(self.output.contains(text), "no {text:?} in {}", self.output);
    }

    /// It does not say so, or the command failed.
    #[track_caller]
    pub(crate) fn lacks(&self, text: &str, what: &str) {
        let says = self.succeeded && self.output.contains(text);
        assert!(!says, "{what}: {}", self.output);
    }

    /// Step 8 fails, or says that the log does not hold the entry.
    #[track_caller]
    pub(super) fn refuses_log(&self, what: &str) {
        self.lacks("the log holds the entry: True", what);
    }
}

impl From<Output> for Verdict {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            succeeded: output.status.success(),
            output: text(&output.stdout) + &text(&output.stderr),
        }
    }
}

pub(super) fn shell(folder: &Path, commands: &str) -> Verdict {
    let mut shell = Command::new("sh");
    shell.args(["-e", "-c", commands]).current_dir(folder);
    shell.env("TZ", "UTC").output().unwrap().into()
}

/// The lines between fences of the step with this number, as somebody would copy them.
pub(super) fn commands(instructions: &str, number: usize) -> String {
    let begins = |line: &str, number: usize| line.starts_with(&format!("{number}. "));
    let lines: Vec<&str> = instructions
        .lines()
        .skip_while(|line| !begins(line, number))
        .take_while(|line| !begins(line, number + 1))
        .collect();
    let step = lines.join("\n");
    let fenced: Vec<&str> = step.split("```").skip(1).step_by(2).collect();
    assert!(!fenced.is_empty(), "no commands in step {number}");
    let commands = fenced
        .iter()
        .map(|block| block.strip_prefix("sh\n").unwrap());
    commands.collect()
}
