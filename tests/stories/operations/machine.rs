//! A machine of directories, and whoever types on it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use expectrl::session::{OsSession, Session};
use expectrl::{Any, Eof, Expect};
use tempfile::TempDir;

use super::page::REPOSITORY;
use crate::campus::{LONG, Port, Ran, program};

/// Says how the command before it has ended.
pub(crate) const TELL: &str = "echo \"it ended with $?\"";
/// What a terminal is asked, and which file has the answer.
const ASKED: [(&str, &str); 2] = [
    ("Passphrase of the root:", "etc/scb/root.passphrase"),
    (
        "Passphrase of the issuing authorities:",
        "etc/scb/cuhk.passphrase",
    ),
];

/// A machine of directories, with programs that do as the system's would.
pub(crate) struct Machine {
    root: TempDir,
    /// What is written in the page, and what it is here.
    here: Vec<(String, String)>,
    /// Its servers' ports, which are theirs also while they are down.
    _ports: Vec<Port>,
}

impl Machine {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let (here, ports) = replacements(root.path());
        let machine = Self {
            root,
            here,
            _ports: ports,
        };
        for dir in [
            "bin",
            "usr/bin",
            "usr/share/man/man1",
            "usr/share/bash-completion/completions",
            "usr/lib/sysusers.d",
            "etc/systemd/system",
            "var/lib",
            "run",
            "work/target/release",
            "laptop",
        ] {
            fs::create_dir_all(machine.path(dir)).unwrap();
        }
        for name in ["cuhk", "blackboard", "student"] {
            let built = program(name).get_program().to_owned();
            symlink(built, machine.path("work/target/release").join(name)).unwrap();
        }
        let packaging = Path::new(REPOSITORY).join("packaging");
        symlink(packaging, machine.path("work/packaging")).unwrap();
        machine.installs("systemctl", include_str!("systemctl"));
        machine.installs("systemd-sysusers", "#!/bin/sh\n");
        // There is one user here.
        machine.installs("runuser", "#!/bin/sh\nshift 3\nexec \"$@\"\n");
        machine.installs("install", include_str!("install"));
        machine
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    pub(crate) fn installs(&self, name: &str, script: &str) {
        let file = self.path("bin").join(name);
        fs::write(&file, script).unwrap();
        fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Runs one box in a shell that stops at the first command that fails. Functions that an
    /// earlier box has defined are still there.
    pub(crate) fn runs(&self, text: &str) -> Ran {
        self.runs_under("set -euo pipefail", text)
    }

    pub(crate) fn runs_under(&self, settings: &str, text: &str) -> Ran {
        Ran::of(&mut self.shell(settings, text))
    }

    /// A shell that is going to run this.
    pub(crate) fn shell(&self, settings: &str, text: &str) -> Command {
        let text = self
            .here
            .iter()
            .fold(text.to_owned(), |text, (there, here)| {
                text.replace(there, here)
            });
        let functions = self.path("run/functions");
        let script = format!(
            "{settings}\n[ ! -e {0} ] || . {0}\n{text}\nended=$?\ndeclare -f > {0}\nexit $ended\n",
            functions.display()
        );
        let mut shell = Command::new("bash");
        shell.args(["-c", &script]);
        self.surrounds(&mut shell);
        shell
    }

    /// Where whoever types is, and what is found there.
    pub(crate) fn surrounds(&self, command: &mut Command) {
        let root = self.root.path().display();
        let path = format!(
            "{root}/bin:{root}/usr/bin:{}",
            std::env::var("PATH").unwrap()
        );
        for variable in ["XDG_DATA_HOME", "LC_ALL", "LC_MESSAGES", "LANG"] {
            command.env_remove(variable);
        }
        command.env("PATH", path).env("HOME", self.path("laptop"));
        command.env("SCB_TEST_ROOT", self.root.path());
        command.current_dir(self.path("work"));
    }

    /// Types this at a terminal, with the passphrases that are asked for. What was shown, and how it ended.
    pub(crate) fn types(&self, text: &str) -> (String, Option<i32>) {
        self.ends(self.opens(text))
    }

    /// A terminal at which this was typed.
    pub(crate) fn opens(&self, text: &str) -> OsSession {
        let text = format!("{text}\n{TELL}");
        terminal(self.shell("", &text))
    }

    /// What it shows until its end, and how that was.
    pub(crate) fn ends(&self, terminal: OsSession) -> (String, Option<i32>) {
        ends(terminal, |file| {
            fs::read_to_string(self.path(file)).unwrap()
        })
    }

    /// Runs it again and again until it succeeds; what it said then.
    #[track_caller]
    pub(crate) fn until(&self, text: &str) -> String {
        let begun = Instant::now();
        loop {
            let ran = self.runs(text);
            if ran.exit == Some(0) {
                return ran.stdout.trim().to_owned();
            }
            assert!(begun.elapsed() < LONG, "{text}\n{ran:#?}");
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        for name in ["cuhk", "blackboard"] {
            if let Ok(id) = fs::read_to_string(self.path(&format!("run/{name}.pid"))) {
                let _ = Command::new("kill").arg(id.trim()).status();
            }
        }
    }
}

/// A terminal at which this runs.
pub(crate) fn terminal(command: Command) -> OsSession {
    let mut terminal = Session::spawn(command).unwrap();
    terminal.set_expect_timeout(Some(LONG));
    terminal
}

/// What is shown at a terminal until its end, and how that was; with the passphrases that are asked for, each of
/// which is in a file.
pub(crate) fn ends(
    mut terminal: OsSession,
    read: impl Fn(&str) -> String,
) -> (String, Option<i32>) {
    let mut shown = String::new();
    loop {
        let asked = ASKED.map(|(question, _)| question);
        let met = terminal.expect(Any::boxed(vec![
            Box::new(asked[0]),
            Box::new(asked[1]),
            Box::new(Eof),
        ]));
        let met = met.unwrap_or_else(|error| panic!("{error}: {shown}"));
        shown += &String::from_utf8_lossy(met.as_bytes());
        let Some((_, file)) = ASKED.iter().find(|(asked, _)| shown.ends_with(asked)) else {
            break;
        };
        terminal.send_line(read(file).trim()).unwrap();
    }
    let ended = shown.rsplit_once("it ended with ");
    let ended = ended.and_then(|(_, number)| number.trim().parse().ok());
    (shown, ended)
}

/// Directories below `root`, ports that were free, names that there are; and these ports.
fn replacements(root: &Path) -> (Vec<(String, String)>, Vec<Port>) {
    let mut here: Vec<(String, String)> = Vec::new();
    for dir in [
        "/var/lib/",
        "/etc/scb",
        "/etc/systemd/",
        "/usr/bin/",
        "/usr/lib/",
        "/usr/share/",
    ] {
        here.push((dir.to_owned(), format!("{}{dir}", root.display())));
    }
    // Whatever the machine trusts: the authorities of one witness are enough.
    here.push((
        "/etc/ssl/certs/ca-certificates.crt".to_owned(),
        format!("{}/var/lib/cuhk/home/ca.pem", root.display()),
    ));
    let mut ports = Vec::new();
    for there in ["8011", "8012", "8013", "8002", "8014"] {
        let port = Port::free();
        here.push((format!(":{there}"), format!(":{}", port.number())));
        ports.push(port);
    }
    for (there, name) in [
        ("0.0.0.0", "127.0.0.1"),
        ("ca.example.edu", "localhost"),
        ("lms.example.edu", "localhost"),
        ("cuhk.example.edu", "localhost"),
        ("blackboard.example.edu", "localhost"),
    ] {
        here.push((there.to_owned(), name.to_owned()));
    }
    (here, ports)
}
