//! Careless hands at CUHK: each message says what is wrong and how to mend it, and nothing is
//! changed.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use scb_cuhk::{Store, issue_code};
use scb_testkit::FixedClock;
use scb_transport::{Clock, SystemClock};
use tempfile::TempDir;

use crate::campus::{Campus, Ran, SAMPLE, Server, program, write_secret};

/// A CUHK that was set up by hand and is not running.
struct Office {
    dir: TempDir,
}

impl Office {
    fn new() -> Self {
        let office = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        for file in ["issuers.pass", "root.pass"] {
            write_secret(&office.path(file), &format!("a passphrase for {file}\n"));
        }
        let passphrases = [
            "init",
            "--passphrase-file",
            "issuers.pass",
            "--root-passphrase-file",
            "root.pass",
        ];
        Ran::of(&mut office.command(&passphrases)).succeeded();
        let roster = "sid,name,email,programme\n1155000001,陳大文,,\n";
        fs::write(office.path("roster.csv"), roster).unwrap();
        let import = ["roster", "import", "roster.csv", "--codes-out", "codes.csv"];
        Ran::of(&mut office.command(&import)).succeeded();
        // All of it is in the one file: what a test writes there is not hidden by a log.
        office.store().close_blocking();
        office
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn store(&self) -> Store {
        Store::open(&self.path("home/cuhk.db")).unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program("cuhk");
        command.current_dir(self.dir.path());
        command.args(["--home", "home"]).args(arguments);
        command
    }

    fn serve(&self, more: &[&str]) -> Command {
        let arguments = ["serve", "--passphrase-file", "issuers.pass"];
        self.command(&[&arguments[..], more].concat())
    }

    /// What a start says that must fail.
    #[track_caller]
    fn refuses_to_serve(&self, exit: i32, code: &str) -> String {
        // Should it get that far, the port is taken.
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let ran = Ran::of(&mut self.serve(&["--listen", &address]));
        assert_eq!(ran.exit, Some(exit), "{ran:#?}");
        assert!(ran.stderr.contains(&format!("[{code}]")), "{ran:#?}");
        assert!(ran.stderr.contains("what to do: "), "{ran:#?}");
        ran.stderr
    }
}

#[test]
fn a_wrong_passphrase_is_told_from_a_key_that_is_open_to_others() {
    let office = Office::new();
    fs::write(office.path("issuers.pass"), "a wrong one\n").unwrap();
    let said = office.refuses_to_serve(2, "wrong_passphrase");
    assert!(said.contains("cuhk init"), "{said}");
    assert!(said.contains("issuers/students/key.pem"), "{said}");
    let rotate = "keys rotate root --root-passphrase-file issuers.pass";
    let arguments: Vec<&str> = rotate.split(' ').collect();
    let ran = Ran::of(&mut office.command(&arguments));
    assert!(ran.stderr.contains("root/key.pem"), "{ran:#?}");
    assert!(ran.stderr.contains("--root-passphrase-file"), "{ran:#?}");
    let key = office.path("home/issuers/students/key.pem");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    let said = office.refuses_to_serve(5, "key_file_readable");
    assert!(said.contains("chmod 600"), "{said}");
}

#[test]
fn a_home_of_another_role_is_named() {
    let office = Office::new();
    let mut student = program("student");
    student.current_dir(office.dir.path());
    let ran = Ran::of(student.args(["--home", "home", "status"]));
    assert_ne!(ran.exit, Some(0), "{ran:#?}");
    let other = office.path("student");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("role"), "student\n").unwrap();
    let mut command = program("cuhk");
    let ran = Ran::of(command.arg("--home").arg(&other).args(["roster", "list"]));
    assert_eq!(ran.exit, Some(2), "{ran:#?}");
    assert!(ran.stderr.contains("`student`"), "{ran:#?}");
    assert!(ran.stderr.contains("--home"), "{ran:#?}");
    assert!(!other.join("cuhk.db").exists());
}

#[test]
fn a_home_in_use_is_a_fault_of_this_machine_at_both_servers() {
    let campus = Campus::sandbox();
    for name in ["cuhk", "blackboard"] {
        let mut second = program(name);
        second.args(["serve", "--listen", "127.0.0.1:0", "--sandbox"]);
        let ran = Ran::of(second.arg(campus.path()));
        assert_eq!(ran.exit, Some(5), "{name}: {ran:#?}");
        assert!(ran.stderr.contains("[home_in_use]"), "{name}: {ran:#?}");
        assert!(ran.stderr.contains("--home"), "{name}: {ran:#?}");
    }
    campus.student(&["submit", "--ids", SAMPLE]).succeeded();
}

#[test]
fn a_truncated_damaged_or_newer_database_is_told_and_left_alone() {
    let office = Office::new();
    let database = office.path("home/cuhk.db");
    let good = fs::read(&database).unwrap();
    let mut damaged = good.clone();
    for byte in &mut damaged[4096..8192] {
        *byte = 0xa5;
    }
    let mut newer = good.clone();
    // The schema's version is the `user_version` of the file's header, at byte 60.
    newer[60..64].copy_from_slice(&1000_u32.to_be_bytes());
    let truncated = good[..good.len() / 2].to_vec();
    for (bytes, code, mend) in [
        (truncated, "damaged", "backup"),
        (damaged, "damaged", "backup"),
        (newer, "newer_database", "newer version"),
    ] {
        fs::write(&database, &bytes).unwrap();
        let said = office.refuses_to_serve(5, code);
        assert!(said.contains(mend), "{said}");
        assert!(said.contains("cuhk.db"), "{said}");
        assert_eq!(fs::read(&database).unwrap(), bytes, "{code}");
    }
    fs::write(&database, &good).unwrap();
    Server::start_command(&mut office.serve(&["--listen", "127.0.0.1:0"]));
}

#[test]
fn a_database_that_is_gone_is_told_by_every_command_and_never_made_anew() {
    let office = Office::new();
    let database = office.path("home/cuhk.db");
    let kept = office.path("kept.db");
    fs::rename(&database, &kept).unwrap();
    let said = office.refuses_to_serve(5, "database_gone");
    assert!(said.contains("cuhk restore"), "{said}");
    for line in [
        "roster list",
        "revoke 1155000001",
        "code issue 1155000001",
        "certs list",
        "keys list",
        "root sign-crl --root-passphrase-file root.pass",
        "backup backup.zip",
    ] {
        let arguments: Vec<&str> = line.split(' ').collect();
        let ran = Ran::of(&mut office.command(&arguments));
        assert_eq!(ran.exit, Some(5), "{line}: {ran:#?}");
        assert!(ran.stderr.contains("[database_gone]"), "{line}: {ran:#?}");
    }
    let doctor = Ran::of(&mut office.command(&["doctor"]));
    assert_eq!(doctor.exit, Some(5), "{doctor:#?}");
    assert!(doctor.stdout.contains("FAIL  database "), "{doctor:#?}");
    assert!(doctor.stdout.contains("cuhk restore"), "{doctor:#?}");
    assert!(!doctor.stdout.contains("sign-crl"), "{doctor:#?}");
    assert!(!database.exists(), "nothing was made in its place");

    // An empty one that somebody else has made hides nothing either.
    Store::create(&database).unwrap().close_blocking();
    let doctor = Ran::of(&mut office.command(&["doctor"]));
    assert_eq!(doctor.exit, Some(5), "{doctor:#?}");
    assert!(!doctor.stdout.contains("sign-crl"), "{doctor:#?}");
    let sign = ["root", "sign-crl", "--root-passphrase-file", "root.pass"];
    let ran = Ran::of(&mut office.command(&sign));
    assert!(ran.stderr.contains("[damaged]"), "{ran:#?}");
    let served = Ran::of(&mut office.serve(&["--listen", "127.0.0.1:0"]));
    assert!(served.stderr.contains("[damaged]"), "{served:#?}");

    fs::rename(&kept, &database).unwrap();
    Ran::of(&mut office.command(&["doctor"])).succeeded();
    Server::start_command(&mut office.serve(&["--listen", "127.0.0.1:0"]));
}

#[test]
fn a_flipped_byte_in_a_students_row_is_told_before_anybody_is_served() {
    let office = Office::new();
    let database = office.path("home/cuhk.db");
    let good = fs::read(&database).unwrap();
    let name = "陳大文".as_bytes();
    let mut windows = good.windows(name.len());
    let place = windows.position(|bytes| bytes == name).unwrap();
    let mut altered = good.clone();
    altered[place + 2] ^= 1;
    fs::write(&database, &altered).unwrap();
    let said = office.refuses_to_serve(5, "damaged");
    assert!(said.contains("invalid student"), "{said}");
    assert!(said.contains("backup"), "{said}");
    let listed = Ran::of(&mut office.command(&["roster", "list"]));
    assert_eq!(listed.exit, Some(5), "{listed:#?}");
    assert_eq!(listed.stdout, "");
    fs::write(&database, &good).unwrap();
    Server::start_command(&mut office.serve(&["--listen", "127.0.0.1:0"]));
}

#[test]
fn an_address_without_a_name_in_the_certificate_is_warned_of_and_mended() {
    let office = Office::new();
    let listen = ["--listen", "127.0.0.2:0", "--ready-file", "ready"];
    let start = || Server::start_command(&mut office.serve(&listen));
    let enrol = |server: &Server| {
        let mut command = program("student");
        command.current_dir(office.dir.path());
        command.args(["--home", "student", "--cuhk", &server.address()]);
        command.args(["--ca", "home/ca.pem", "enrol", "--ids", "1155000001"]);
        Ran::of(command.args(["--codes", "codes.csv", "--json"]))
    };
    let server = start();
    assert!(server.log().contains("127.0.0.2"), "{}", server.log());
    assert!(server.log().contains("config.toml"), "{}", server.log());
    enrol(&server).refused(3, "server_identity");
    drop(server);

    let config = office.path("home/config.toml");
    let text = fs::read_to_string(&config).unwrap();
    let mended = text.replace("\"127.0.0.1\"", "\"127.0.0.1\", \"127.0.0.2\"");
    assert_ne!(mended, text);
    fs::write(&config, mended).unwrap();
    let server = start();
    assert!(!server.log().contains("config.toml"), "{}", server.log());
    enrol(&server).succeeded();
}

#[test]
fn a_clock_that_was_set_back_is_told_and_can_be_overruled() {
    let office = Office::new();
    let store = office.store();
    let record = |ahead: Duration| {
        let clock = FixedClock::new(SystemClock.now());
        clock.advance(ahead);
        let then = clock.now();
        let subject = "1155000001".parse().unwrap();
        store
            .write_blocking(move |records| issue_code(records, &subject, false, then).map(drop))
            .unwrap();
    };
    let listen = ["--listen", "127.0.0.1:0"];
    // A few minutes are no clock set back.
    record(Duration::from_secs(120));
    drop(Server::start_command(&mut office.serve(&listen)));
    record(Duration::from_secs(3600));
    let said = office.refuses_to_serve(5, "clock_set_back");
    assert!(said.contains("--clock-is-right"), "{said}");

    // Whatever signs or writes down a time says so as well, and does nothing.
    let epoch = || store.read_blocking(|records| records.status().epoch());
    let before = epoch().unwrap();
    let roots = office.path("root.pass").display().to_string();
    let issuers = office.path("issuers.pass").display().to_string();
    let files = format!("--passphrase-file {issuers} --root-passphrase-file {roots}");
    for line in [
        "code issue 1155000001".to_owned(),
        "revoke 1155000001".to_owned(),
        "roster suspend 1155000001".to_owned(),
        "roster import roster.csv".to_owned(),
        "service add blackboard --dns lms.example.edu".to_owned(),
        "term set 2026-27-T1 --ends 2099-12-31".to_owned(),
        "keys rotate tokens".to_owned(),
        format!("keys rotate students {files}"),
        format!("keys rotate root --root-passphrase-file {roots}"),
        "keys request lists --out request.json".to_owned(),
        format!("root sign-crl --root-passphrase-file {roots}"),
        "prune".to_owned(),
    ] {
        let arguments: Vec<&str> = line.split(' ').collect();
        let ran = Ran::of(&mut office.command(&arguments));
        assert_eq!(ran.exit, Some(5), "{line}: {ran:#?}");
        assert!(ran.stderr.contains("[clock_set_back]"), "{line}: {ran:#?}");
        assert!(ran.stderr.contains("--clock-is-right"), "{line}: {ran:#?}");
    }
    assert_eq!(epoch().unwrap(), before);
    let (backup, restored) = (office.path("backup.zip"), office.path("restored"));
    Ran::of(&mut office.command(&["backup", backup.to_str().unwrap()])).succeeded();
    let restore = |flags: &[&str]| {
        let mut command = program("cuhk");
        command.arg("restore").arg(&backup).args(flags);
        Ran::of(command.arg("--home").arg(&restored))
    };
    let ran = restore(&[]);
    assert_eq!(ran.exit, Some(5), "{ran:#?}");
    assert!(ran.stderr.contains("[clock_set_back]"), "{ran:#?}");
    assert!(!restored.exists(), "half a home");
    restore(&["--clock-is-right"]).succeeded();
    let mut sign = program("cuhk");
    sign.arg("--home").arg(&restored).args(["root", "sign-crl"]);
    Ran::of(sign.args(["--root-passphrase-file", &roots])).succeeded();

    // Said once, that is enough.
    let overruled = [&listen[..], &["--clock-is-right"]].concat();
    drop(Server::start_command(&mut office.serve(&overruled)));
    drop(Server::start_command(&mut office.serve(&listen)));
    for line in [
        "roster list",
        "keys list",
        "code issue 1155000001 --replace",
        "prune",
    ] {
        let arguments: Vec<&str> = line.split(' ').collect();
        Ran::of(&mut office.command(&arguments)).succeeded();
    }
}
