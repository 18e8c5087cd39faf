//! `docs/OPERATIONS.md`, typed without a word changed on a machine with a real systemd: its users,
//! its units with all of their hardening, its credentials, its watchdog. The machine is a set of
//! namespaces, and leaves nothing behind.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::campus::{Ran, program};
use crate::operations::machine::{TELL, ends, terminal};
use crate::operations::{boxes, indented};

const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");

/// Namespaces for everything but the users, who are the system's own.
const NAMESPACES: [&str; 9] = [
    "--mount",
    "--pid",
    "--fork",
    "--cgroup",
    "--net",
    "--ipc",
    "--uts",
    "--kill-child",
    "--",
];

/// A machine that runs while this is kept.
struct Machine {
    namespaces: Child,
    /// The process number of its systemd, seen from here.
    systemd: String,
}

impl Machine {
    /// Nothing where nobody may start one.
    fn boots() -> Option<Self> {
        let may = Command::new("unshare")
            .args(NAMESPACES)
            .args(["sh", "-c", "test $(id -u) = 0 && mount -t tmpfs tmpfs /mnt"])
            .output();
        if !may.is_ok_and(|output| output.status.success()) {
            println!("skipped: only root may start a systemd of its own");
            return None;
        }
        if !Path::new("/lib/systemd/systemd").exists() {
            assert_ne!(
                std::env::var("CI").as_deref(),
                Ok("true"),
                "no systemd, but CI=true"
            );
            println!("skipped: no systemd");
            return None;
        }
        let cuhk = program("cuhk").get_program().to_owned();
        let repository = Path::new(REPOSITORY);
        let namespaces = Command::new("unshare")
            .args(NAMESPACES)
            .arg("sh")
            .arg(repository.join("tests/stories/systemd/boot"))
            .arg(Path::new(&cuhk).parent().unwrap())
            .arg(repository.join("packaging"))
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let id = namespaces.id();
        let children = format!("/proc/{id}/task/{id}/children");
        let mut machine = Self {
            namespaces,
            systemd: String::new(),
        };
        machine.waits("systemd is running", |machine| {
            machine.systemd = fs::read_to_string(&children).unwrap().trim().to_owned();
            !machine.systemd.is_empty()
                && machine.tried("systemctl is-system-running").exit == Some(0)
        });
        Some(machine)
    }

    /// One box of commands in a shell of root's that stops at the first that fails. Functions that an
    /// earlier box has defined are still there.
    fn tried(&self, text: &str) -> Ran {
        Ran::of(&mut self.shell(text))
    }

    fn shell(&self, text: &str) -> Command {
        let script = format!(
            "set -euo pipefail\n[ ! -e /run/functions ] || . /run/functions\n{text}\n\
             declare -f > /run/functions\n"
        );
        let mut shell = Command::new("nsenter");
        shell.args(["--target", &self.systemd]);
        shell.args(["--mount", "--pid", "--cgroup", "--net", "--ipc", "--uts"]);
        // The directory is that of the machine's root, not of the same name here.
        shell.args(["--root", "--wd"]);
        shell.args(["env", "-i", "HOME=/root", "LC_ALL=C.UTF-8"]);
        shell.arg("PATH=/usr/sbin:/usr/bin:/sbin:/bin");
        shell.args(["bash", "-c", &format!("cd /opt/scb; {script}")]);
        shell
    }

    /// Types what the page has only indented, at a terminal of root's; passphrases are asked for by programs that run
    /// as another user.
    fn types(&self, part: &str, given: (&str, &str)) {
        let mut page = indented().into_iter();
        let command = page.find(|command| command.contains(part)).unwrap();
        let command = command.replace(given.0, given.1);
        let terminal = terminal(self.shell(&format!("{command}\n{TELL}")));
        let (shown, ended) = ends(terminal, |file| self.runs(&format!("cat /{file}")));
        assert_eq!(ended, Some(0), "{command}: {shown}");
    }

    /// What it says, without the end of the line.
    fn runs(&self, text: &str) -> String {
        let ran = self.tried(text);
        let journal = || self.tried("journalctl --no-pager --lines 60").stdout;
        assert_eq!(ran.exit, Some(0), "{text}\n{ran:#?}\n{}", journal());
        ran.stdout.trim_end().to_owned()
    }

    /// One property of a unit.
    fn shows(&self, unit: &str, property: &str) -> String {
        self.runs(&format!(
            "systemctl show --property {property} --value {unit}"
        ))
    }

    /// The journal knows how urgent each line of the servers is, and shows how it was told in none.
    fn tells_how_urgent(&mut self) {
        let command =
            "journalctl --sync; journalctl --no-pager --output json --unit cuhk --unit blackboard";
        let entries: Vec<Value> = self
            .runs(command)
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let of_servers = |entry: &&Value| {
            ["cuhk", "blackboard"].contains(&entry["SYSLOG_IDENTIFIER"].as_str().unwrap())
        };
        let mut levels = BTreeSet::new();
        for entry in entries.iter().filter(of_servers) {
            let message = entry["MESSAGE"].as_str().unwrap();
            assert!(!message.starts_with('<'), "{entry}");
            let expected = match message.split(' ').nth(1) {
                Some("error") => "3",
                Some("warn") => "4",
                Some("step") => "6",
                _ => continue,
            };
            assert_eq!(entry["PRIORITY"], expected, "{message}");
            levels.insert(expected);
        }
        // Blackboard warned whenever CUHK was away.
        assert!(levels.contains("4") && levels.contains("6"), "{levels:?}");
        // One that does not start.
        let serve = "/opt/scb/target/release/cuhk --home /nowhere serve";
        self.runs(&format!("systemd-run --quiet --unit nowhere {serve}"));
        self.waits("it is told as an error", |machine| {
            let found =
                "journalctl --sync; journalctl --no-pager --unit nowhere --priority err..err";
            machine.runs(found).contains("/nowhere")
        });
    }

    fn waits(&mut self, what: &str, mut holds: impl FnMut(&mut Self) -> bool) {
        let begun = Instant::now();
        while !holds(self) {
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "not within a minute: {what}"
            );
            sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Its systemd goes with it, and with that all that ran there.
        let _ = self.namespaces.kill();
        let _ = self.namespaces.wait();
    }
}

#[test]
fn the_page_is_typed_on_a_machine_with_systemd_which_brings_back_what_dies_or_hangs() {
    let Some(mut machine) = Machine::boots() else {
        return;
    };
    for commands in boxes() {
        machine.runs(&commands.text);
    }
    assert_eq!(machine.runs("systemctl --failed --plain --no-legend"), "");
    // Students, Blackboard and CUHK found one another under all of the units' hardening.
    let listed = machine.runs(
        "runuser -u blackboard -- blackboard --home /var/lib/blackboard/home submissions list --json",
    );
    assert_eq!(listed.matches("\"CSCI3100\"").count(), 1, "{listed}");

    // Of what is only for some days, that which needs none to be made.
    for part in [
        "fallocate ",
        "rm /var/lib/blackboard/reserve",
        "keys rotate root",
        "keys request lists",
        "keys sign-request",
        "keys import",
        "blackboard/home witness show",
        "root sign-crl --beyond",
        "--codes-out /var/lib/cuhk/again.csv",
        "--also-certified",
    ] {
        machine.types(part, ("DIR", "/var/lib/cuhk/home/root-2"));
    }

    machine.runs("systemctl start cuhk-backup.service");
    assert_eq!(machine.shows("cuhk-backup", "Result"), "success");
    machine.tells_how_urgent();

    for (unit, port) in [("cuhk", 8011), ("blackboard", 8002)] {
        let status = machine.shows(unit, "StatusText");
        assert_eq!(status, format!("listening on 0.0.0.0:{port}"));
        let owner = machine.runs(&format!(
            "stat --format %U /proc/$(systemctl show --property MainPID --value {unit})"
        ));
        assert_eq!(owner, unit);

        // A minute in the unit.
        machine.runs(&format!(
            "install -d /run/systemd/system/{unit}.service.d
             printf '[Service]\\nWatchdogSec=5\\n' > /run/systemd/system/{unit}.service.d/test.conf
             systemctl daemon-reload
             systemctl restart {unit}"
        ));
        // Longer than that: it gives signs of life.
        sleep(Duration::from_secs(7));
        assert_eq!(machine.shows(unit, "NRestarts"), "0");
        for (signal, times) in [("KILL", "1"), ("STOP", "2")] {
            machine.runs(&format!(
                "systemctl kill --kill-whom=main --signal={signal} {unit}"
            ));
            machine.waits("it is back", |machine| {
                machine.shows(unit, "NRestarts") == times
                    && machine.shows(unit, "ActiveState") == "active"
            });
        }
        machine.runs(&format!("systemctl stop {unit}"));
        assert_eq!(machine.shows(unit, "Result"), "success");
        machine.runs(&format!("systemctl start {unit}"));
    }
}
