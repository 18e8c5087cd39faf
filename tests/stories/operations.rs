//! `docs/OPERATIONS.md`, typed as it stands there, from the first command to the last: with the
//! real programs, in a directory that is thrown away, without a service manager.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::campus::{Ran, judge, program};

const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");

/// One box of commands, and under which heading it stands.
pub(crate) struct Commands {
    heading: String,
    pub(crate) text: String,
}

/// The boxes marked `sh`, in order.
pub(crate) fn boxes() -> Vec<Commands> {
    let path = Path::new(REPOSITORY).join("docs/OPERATIONS.md");
    let page = fs::read_to_string(path).unwrap();
    let (mut boxes, mut heading, mut open) = (Vec::new(), String::new(), None);
    for line in page.lines() {
        match (&mut open, line) {
            (None, "```sh") => open = Some(String::new()),
            (Some(_), "```") => boxes.push(Commands {
                heading: heading.clone(),
                text: open.take().unwrap(),
            }),
            (Some(text), line) => *text += &format!("{line}\n"),
            (None, line) => {
                if let Some(title) = line.strip_prefix("## ") {
                    title.clone_into(&mut heading);
                }
            }
        }
    }
    boxes
}

/// A machine of directories, with programs that do as the system's would.
struct Machine {
    root: TempDir,
    /// What is written in the page, and what it is here.
    here: Vec<(String, String)>,
}

impl Machine {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let machine = Self {
            here: replacements(root.path()),
            root,
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
        machine.installs("systemctl", include_str!("operations/systemctl"));
        machine.installs("systemd-sysusers", "#!/bin/sh\n");
        // There is one user here.
        machine.installs("runuser", "#!/bin/sh\nshift 3\nexec \"$@\"\n");
        machine.installs("install", include_str!("operations/install"));
        machine
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    fn installs(&self, name: &str, script: &str) {
        let file = self.path("bin").join(name);
        fs::write(&file, script).unwrap();
        fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Runs one box in a shell that stops at the first command that fails. Functions that an
    /// earlier box has defined are still there.
    fn runs(&self, text: &str) -> Ran {
        self.runs_under("set -euo pipefail", text)
    }

    fn runs_under(&self, settings: &str, text: &str) -> Ran {
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
        let root = self.root.path().display();
        let path = format!(
            "{root}/bin:{root}/usr/bin:{}",
            std::env::var("PATH").unwrap()
        );
        let mut shell = Command::new("bash");
        shell.args(["-c", &script]).current_dir(self.path("work"));
        for variable in ["XDG_DATA_HOME", "LC_ALL", "LC_MESSAGES", "LANG"] {
            shell.env_remove(variable);
        }
        shell.env("PATH", path).env("HOME", self.path("laptop"));
        Ran::of(shell.env("SCB_TEST_ROOT", self.root.path()))
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

/// Directories below `root`, ports that are free, names that there are.
fn replacements(root: &Path) -> Vec<(String, String)> {
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
    // All are held until each has got its own.
    let listeners: Vec<_> = ["8011", "8012", "8013", "8002", "8014"]
        .map(|port| (port, TcpListener::bind("127.0.0.1:0").unwrap()))
        .into();
    for (port, listener) in &listeners {
        let free = listener.local_addr().unwrap().port();
        here.push((format!(":{port}"), format!(":{free}")));
    }
    for (there, name) in [
        ("0.0.0.0", "127.0.0.1"),
        ("ca.example.edu", "localhost"),
        ("lms.example.edu", "localhost"),
    ] {
        here.push((there.to_owned(), name.to_owned()));
    }
    here
}

/// Which file a box puts another passphrase into.
fn passphrase_of(text: &str) -> Option<&'static str> {
    match text {
        _ if text.contains("cuhk keys passphrase") => Some("etc/scb/cuhk.passphrase"),
        _ if text.contains("cuhk root passphrase") => Some("etc/scb/root.passphrase"),
        _ => None,
    }
}

/// Somebody else is at the keys at this moment, and the shell goes on after the refusal: with the same
/// passphrases as before.
fn is_refused_and_loses_nothing(machine: &Machine, text: &str, file: &str) {
    let before = fs::read(machine.path(file)).unwrap();
    let turn = fs::File::open(machine.path("var/lib/cuhk/home/ceremony.lock")).unwrap();
    turn.lock().unwrap();
    let ran = machine.runs_under("", text);
    assert!(ran.stderr.contains("[ceremony_running]"), "{ran:#?}");
    assert_ne!(ran.exit, Some(0), "a script must see it: {ran:#?}");
    drop(turn);
    assert_eq!(fs::read(machine.path(file)).unwrap(), before);
    machine.runs("systemctl restart cuhk.service").succeeded();
}

#[test]
fn the_commands_of_the_page_do_what_it_says() {
    if judge("curl").is_none() {
        return;
    }
    let machine = Machine::new();
    let mut headings = Vec::new();
    for Commands { heading, text } in boxes() {
        let passphrase = passphrase_of(&text);
        if let Some(file) = passphrase {
            is_refused_and_loses_nothing(&machine, &text, file);
        }
        let before = passphrase.map(|file| fs::read(machine.path(file)).unwrap());
        let ran = machine.runs(&text);
        assert_eq!(ran.exit, Some(0), "{heading}:\n{text}\n{ran:#?}");
        let after = passphrase.map(|file| fs::read(machine.path(file)).unwrap());
        assert!(passphrase.is_none() || before != after, "{ran:#?}");
        headings.push(heading);
    }
    let mut left = fs::read_dir(machine.path("etc/scb")).unwrap();
    let is_passphrase = |name: &str| !name.contains("new") && !name.contains("before");
    assert!(left.all(|entry| is_passphrase(&entry.unwrap().file_name().to_string_lossy())));
    for heading in [
        "Install",
        "First day of term",
        "Lost laptop",
        "Key rollover",
        "Somebody leaves",
        "An issuing authority's key was stolen",
        "Backup and restore",
        "Upgrade",
        "Disaster",
        "An outside witness joins",
    ] {
        assert!(headings.iter().any(|found| found == heading), "{heading}");
    }
    // Through all of this one hand-in was kept; one certificate was revoked with the lost laptop, and its
    // successor with the authority.
    let listed = machine.runs(
        "runuser -u blackboard -- blackboard --home /var/lib/blackboard/home submissions list --json",
    );
    assert_eq!(listed.succeeded().json().as_array().unwrap().len(), 1);
    let revoked = machine.runs("cuhk certs list 1155000001 --status revoked --json");
    assert_eq!(revoked.succeeded().json().as_array().unwrap().len(), 2);
}
