//! What packagers install: units, completions, man pages; and what a service manager is told.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::campus::{Ran, Server, judge, program, serve};

const PROGRAMS: [&str; 3] = ["student", "cuhk", "blackboard"];

#[test]
fn completions_are_scripts_that_the_shells_can_read() {
    let dir = tempfile::tempdir().unwrap();
    for name in PROGRAMS {
        for shell in ["bash", "zsh", "fish"] {
            let made = Ran::of(program(name).args(["generate", "completions", shell]));
            let script = made.succeeded().stdout;
            assert!(
                script.contains(name) && script.contains("home"),
                "{name} {shell}"
            );
            if judge(shell).is_some() {
                let file = dir.path().join(format!("{name}.{shell}"));
                fs::write(&file, &script).unwrap();
                Ran::of(Command::new(shell).arg("-n").arg(&file)).succeeded();
            }
        }
        let refused = Ran::of(program(name).args(["generate", "completions", "cmd"]));
        assert_eq!(refused.exit, Some(2), "{refused:#?}");
    }
}

/// As `| head` does, which has seen enough.
#[test]
fn whoever_stops_reading_a_script_is_told_of_no_fault() {
    for name in PROGRAMS {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let mut command = program(name);
        command.args(["generate", "completions", "fish"]);
        let ran = command.stdout(writer).stderr(Stdio::piped());
        let ended = ran.spawn().unwrap().wait_with_output().unwrap();
        assert!(ended.status.success(), "{name}: {ended:?}");
        assert_eq!(ended.stderr, b"", "{name}");
    }
}

/// What bash offers after these words of a command line.
fn offered(name: &str, words: &[&str]) -> String {
    let made = Ran::of(program(name).args(["generate", "completions", "bash"]));
    let script = made.succeeded().stdout;
    let typed = [&[name], words].concat();
    let [.., before, last] = typed[..] else {
        panic!("{typed:?}");
    };
    let script = format!(
        "{script}\nCOMP_WORDS=({}); COMP_CWORD={}; _{name} {name} '{last}' '{before}'; \
         echo \"${{COMPREPLY[*]}}\"",
        typed.join(" "),
        words.len()
    );
    let completed = Ran::of(Command::new("bash").args(["-c", &script])).succeeded();
    completed.stdout.trim().to_owned()
}

#[test]
fn bash_completes_commands_options_and_values_of_each_program() {
    for (name, words, completed) in [
        ("cuhk", &["doc"][..], "doctor"),
        ("cuhk", &["revoke", "--reason", "key"], "key_compromise"),
        ("student", &["sub"], "submit"),
        ("student", &["receipts", "--fe"], "--fetch"),
        ("student", &["history", "--lang", "zh"], "zh-Hant"),
        ("blackboard", &["fs"], "fsck"),
        ("blackboard", &["submissions", "ex"], "export"),
        (
            "blackboard",
            &["assignment", "add", "--group-s"],
            "--group-size",
        ),
    ] {
        assert_eq!(offered(name, words), completed, "{name} {words:?}");
    }
}

#[test]
fn every_command_has_a_man_page_that_reads_well() {
    for (name, commands) in [
        ("student", &["submit", "verify", "generate"][..]),
        (
            "cuhk",
            &["serve", "doctor", "backup", "certs-list", "generate"],
        ),
        ("blackboard", &["init", "serve", "generate"]),
    ] {
        let dir = tempfile::tempdir().unwrap();
        Ran::of(program(name).args(["generate", "man"]).arg(dir.path())).succeeded();
        let pages: Vec<PathBuf> = fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        for command in commands {
            let page = dir.path().join(format!("{name}-{command}.1"));
            assert!(pages.contains(&page), "{page:?}");
        }
        for page in &pages {
            reads_well(page);
            if judge("groff").is_some() {
                lint(page);
            }
        }
    }
}

#[test]
fn where_pages_and_completions_go_is_made_if_it_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let new = |name: &str| dir.path().join("share").join(name);
    for name in ["student", "cuhk", "blackboard"] {
        let man = new("man/man1");
        Ran::of(program(name).args(["generate", "man"]).arg(&man)).succeeded();
        assert!(man.join(format!("{name}.1")).is_file());
        for (shell, file) in [
            ("bash", format!("{name}.bash")),
            ("zsh", format!("_{name}")),
            ("fish", format!("{name}.fish")),
        ] {
            let completions = ["generate", "completions", shell];
            let printed = Ran::of(program(name).args(completions)).succeeded().stdout;
            let made = Ran::of(program(name).args(completions).arg(new(shell))).succeeded();
            assert_eq!(made.stdout, "");
            let written = fs::read_to_string(new(shell).join(file)).unwrap();
            assert_eq!(written, printed);
        }
    }
    // A file is in the way, of root as well.
    let blocked = new("man/man1/cuhk.1/below");
    for what in [&["man"][..], &["completions", "bash"]] {
        let refused = Ran::of(program("cuhk").arg("generate").args(what).arg(&blocked));
        assert_eq!(refused.exit, Some(5), "{refused:#?}");
        let told = format!("cannot create {}", blocked.display());
        assert!(refused.stderr.contains(&told), "{refused:#?}");
        let why = "a part of the path is a file";
        assert!(refused.stderr.contains(why), "{refused:#?}");
    }
}

/// Examples are lines that can be copied, and none is so wide that `--help` breaks it.
fn reads_well(page: &Path) {
    let text = fs::read_to_string(page).unwrap();
    assert!(!text.contains(".SH EXTRA"), "{page:?}");
    let title = text.lines().find(|line| line.starts_with(".TH ")).unwrap();
    assert!(title.contains(env!("CARGO_PKG_VERSION")), "{title}");
    let Some((_, examples)) = text.split_once(".SH EXAMPLES\n.nf\n") else {
        return;
    };
    let (examples, _) = examples.split_once(".fi\n").unwrap();
    for line in examples.lines() {
        let line = line.replace("\\-", "-").replace("\\*(Aq", "'");
        assert!(line.chars().count() <= 100, "{page:?}: {line}");
    }
}

fn lint(page: &Path) {
    let mut groff = Command::new("groff");
    let read = Ran::of(groff.args(["-k", "-man", "-ww", "-z"]).arg(page)).succeeded();
    assert_eq!(read.stderr, "", "{page:?}");
}

/// The next thing that the service manager is told.
fn told(manager: &UnixDatagram) -> String {
    let mut buffer = [0; 256];
    let count = manager.recv(&mut buffer).unwrap();
    String::from_utf8_lossy(&buffer[..count]).into_owned()
}

#[test]
fn what_is_generated_is_shown_by_examples_for_each_program() {
    for name in ["student", "cuhk", "blackboard"] {
        for what in ["completions", "man"] {
            let help = Ran::of(program(name).args(["generate", what, "--help"]));
            let help = help.succeeded().stdout;
            let (_, examples) = help.split_once("Examples:\n").expect(&help);
            let first = format!("  {name} generate {what} ");
            assert!(examples.starts_with(&first), "{help}");
        }
    }
}

#[test]
fn a_service_manager_is_told_when_a_server_is_ready_and_when_it_stops() {
    let dir = tempfile::tempdir().unwrap();
    let (sandbox, socket) = (dir.path().join("sandbox"), dir.path().join("notify"));
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    for name in ["cuhk", "blackboard"] {
        // Blackboard needs a CUHK that serves.
        let _cuhk = (name == "blackboard").then(|| Server::start("cuhk", &serve(&sandbox)));
        let mut command = program(name);
        command.env("NOTIFY_SOCKET", &socket).args(serve(&sandbox));
        let mut server = Server::start_command(&mut command);
        let ready = told(&manager);
        assert!(ready.starts_with("READY=1\n"), "{ready}");
        assert!(ready.contains(&server.address()), "{ready}");
        assert!(server.stop().success());
        assert!(told(&manager).starts_with("STOPPING=1\n"));
    }
}

#[test]
fn a_service_manager_that_watches_gets_signs_of_life() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let mut command = program("cuhk");
    command.args(serve(&dir.path().join("sandbox")));
    command.env("NOTIFY_SOCKET", &socket);
    command.env("WATCHDOG_USEC", "20000");
    let mut server = Server::start_command(&mut command);
    assert!(told(&manager).starts_with("READY=1\n"));
    for _ in 0..3 {
        assert_eq!(told(&manager), "WATCHDOG=1\n");
    }
    assert!(server.stop().success());

    // Meant for another process.
    let mut command = program("cuhk");
    command.args(serve(&dir.path().join("sandbox")));
    command.env("NOTIFY_SOCKET", dir.path().join("other"));
    let other = UnixDatagram::bind(dir.path().join("other")).unwrap();
    command
        .env("WATCHDOG_USEC", "20000")
        .env("WATCHDOG_PID", "1");
    let mut server = Server::start_command(&mut command);
    assert!(told(&other).starts_with("READY=1\n"));
    assert!(server.stop().success());
    assert!(told(&other).starts_with("STOPPING=1\n"));
}

#[test]
fn the_passphrase_may_come_as_a_credential() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = dir.path().join("sandbox");
    Server::start("cuhk", &serve(&sandbox)).stop();
    let credentials = dir.path().join("credentials");
    fs::create_dir(&credentials).unwrap();
    let command = || {
        let mut command = program("cuhk");
        command.env("CREDENTIALS_DIRECTORY", &credentials);
        command.arg("--home").arg(sandbox.join("cuhk"));
        command.args(["serve", "--listen", "127.0.0.1:0"]);
        command
    };
    let without = Ran::of(&mut command());
    assert_eq!(without.exit, Some(2), "{without:#?}");
    assert!(without.stderr.contains("--passphrase-file"), "{without:#?}");
    let credential = credentials.join("cuhk.passphrase");
    fs::copy(sandbox.join("cuhk.passphrase"), &credential).unwrap();
    // As systemd shows a file that is root's with the service's user on its access control list.
    fs::set_permissions(&credential, Permissions::from_mode(0o440)).unwrap();
    assert!(Server::start_command(&mut command()).stop().success());
    fs::set_permissions(&credential, Permissions::from_mode(0o444)).unwrap();
    let open_to_all = Ran::of(&mut command());
    assert_eq!(open_to_all.exit, Some(5), "{open_to_all:#?}");
}

/// The units, with programs that exist here in the place of those that will be installed.
fn units(dir: &Path) -> Vec<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/systemd");
    let mut units = Vec::new();
    for entry in fs::read_dir(source).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let text = text
            .replace("/usr/bin/cuhk", "/bin/true")
            .replace("/usr/bin/blackboard", "/bin/true");
        let unit = dir.join(path.file_name().unwrap());
        fs::write(&unit, text).unwrap();
        units.push(unit);
    }
    units
}

#[test]
fn the_units_are_sound_and_leave_little_to_an_intruder() {
    let dir = tempfile::tempdir().unwrap();
    let units = units(dir.path());
    assert!(units.len() >= 4, "{units:?}");
    if judge("systemd-analyze").is_none() {
        return;
    }
    let verified = Ran::of(Command::new("systemd-analyze").arg("verify").args(&units));
    assert_eq!(verified.succeeded().stderr, "");
    for unit in units
        .iter()
        .filter(|unit| unit.ends_with("cuhk.service") || unit.ends_with("blackboard.service"))
    {
        // Of 100, in tenths: 20 is little exposure, a unit without hardening has 96.
        let mut judged = Command::new("systemd-analyze");
        judged.args(["security", "--offline=true", "--threshold=20"]);
        Ran::of(judged.arg(unit)).succeeded();
    }
}

#[test]
fn the_units_name_commands_and_variables_that_there_are() {
    let unit = |name: &str| {
        let path = format!("packaging/systemd/{name}.service");
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
    };
    let cuhk = unit("cuhk");
    for needed in [
        "Type=notify",
        "LoadCredential=cuhk.passphrase:",
        "SCB_CUHK_HOME=",
    ] {
        assert!(cuhk.contains(needed), "{needed}");
    }
    assert!(unit("blackboard").contains("SCB_BLACKBOARD_HOME="));
    // What is done by the clock waits for the right time.
    for name in ["cuhk", "blackboard", "cuhk-backup"] {
        let unit = unit(name);
        let mut order = unit.lines().filter(|line| line.starts_with("After="));
        assert!(
            order.any(|line| line.contains("time-sync.target")),
            "{name}"
        );
    }
    for (name, arguments) in [
        ("cuhk", "serve"),
        ("blackboard", "serve"),
        ("cuhk-backup", "backup"),
    ] {
        let program_name = name.split('-').next().unwrap();
        assert!(
            unit(name).contains(&format!("/usr/bin/{program_name} {arguments}")),
            "{name}"
        );
        let help = Ran::of(program(program_name).args([arguments, "--help"]));
        help.succeeded();
    }
}
