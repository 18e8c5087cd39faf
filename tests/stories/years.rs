//! What goes wrong only after years, or with a clock that believes it is years later.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::Duration;

use scb_cuhk::{Config, NewAuthority, RootRequest, init, open_root, sign_root};
use scb_testkit::FixedClock;
use scb_transport::{Clock, SystemClock};
use serde_json::Value;
use tempfile::TempDir;

use crate::campus::{Campus, Ran, Server, copy, program, write_secret};

const FORTY_DAYS: Duration = Duration::from_secs(40 * 24 * 60 * 60);

/// A CUHK that was set up forty days ago and has done nothing since; or one whose machine's clock is
/// forty days ahead. Nobody can tell.
pub(crate) struct Office {
    dir: TempDir,
}

impl Office {
    fn new() -> Self {
        Self::of(FORTY_DAYS)
    }

    /// One that was set up so long ago.
    pub(crate) fn of(age: Duration) -> Self {
        let clock = FixedClock::new(SystemClock.now());
        clock.rewind(age);
        Self::at(&clock)
    }

    /// One whose machine's clock is so far behind.
    fn to_come(later: Duration) -> Self {
        let clock = FixedClock::new(SystemClock.now());
        clock.advance(later);
        Self::at(&clock)
    }

    fn at(clock: &FixedClock) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let passphrase = |name: &str| format!("a passphrase for {name}");
        let new = NewAuthority {
            trust_domain: "cuhk.example".parse().unwrap(),
            config: Config::default(),
            passphrase: passphrase("the issuers").into(),
            root_passphrase: passphrase("the root").into(),
        };
        init(&dir.path().join("home"), &new, clock.now()).unwrap();
        let issuers = dir.path().join("issuers.pass");
        write_secret(&issuers, &format!("{}\n", passphrase("the issuers")));
        let root = dir.path().join("root.pass");
        write_secret(&root, &format!("{}\n", passphrase("the root")));
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, line: &str) -> std::process::Command {
        let mut command = program("cuhk");
        command.current_dir(self.dir.path());
        command.args(["--home", "home"]).args(line.split(' '));
        command
    }

    pub(crate) fn types(&self, line: &str) -> Ran {
        Ran::of(&mut self.command(line))
    }

    #[track_caller]
    fn refuses(&self, line: &str, exit: i32, code: &str) -> Ran {
        let ran = self.types(line);
        assert_eq!(ran.exit, Some(exit), "{line}: {ran:#?}");
        assert!(
            ran.stderr.contains(&format!("[{code}]")),
            "{line}: {ran:#?}"
        );
        assert!(ran.stderr.contains("what to do: "), "{line}: {ran:#?}");
        ran
    }

    fn backups(&self) -> usize {
        fs::read_dir(self.path("backups")).unwrap().count()
    }
}

/// Whatever an operator types first: a record by that clock would be believed by the next prune.
#[test]
fn nothing_is_recorded_by_a_clock_far_ahead_until_somebody_vouches_for_it() {
    let office = Office::new();
    fs::write(office.path("roster.csv"), "sid,name\n1155000001,A\n").unwrap();
    let import = "roster import roster.csv --codes-out codes.csv";
    let files = "--passphrase-file issuers.pass --root-passphrase-file root.pass";
    let changes = [
        "root sign-crl --root-passphrase-file root.pass",
        import,
        "code issue service/blackboard",
        "service add blackboard --dns lms.example.edu",
        "term set 2026-27-T1 --ends 2099-12-31",
        "keys rotate tokens",
        "keys request lists --out request.json",
        &format!("keys rotate students {files}"),
    ];
    for line in changes {
        let said = office.refuses(line, 5, "clock_ahead");
        for told in ["this machine's clock says", "add --clock-is-right"] {
            assert!(said.stderr.contains(told), "{line}: {said:#?}");
        }
        office.refuses("prune", 5, "clock_ahead");
    }
    assert!(!office.path("codes.csv").exists());
    // Trust can be taken away at any time; that proves nothing about the clock.
    for line in ["revoke service/cuhk --yes", "roster suspend 1155000001"] {
        let said = office.types(line);
        assert!(
            said.stderr.contains("warning: this machine's clock"),
            "{line}: {said:#?}"
        );
        assert!(!said.stderr.contains("clock_ahead"), "{line}: {said:#?}");
    }
    office.refuses("prune", 5, "clock_ahead");

    // It was idle for so long: said once, with what is to be done anyway.
    office
        .types(&format!("--clock-is-right {import}"))
        .succeeded();
    office.types("code issue 1155000001 --replace").succeeded();
    office.types("prune").succeeded();
}

/// What doctor says of this: how it went, and what was seen.
pub fn finding(doctor: &Ran, check: &str) -> (String, String) {
    let all = doctor.json();
    let mut findings = all.as_array().unwrap().iter();
    let found = findings.find(|one| one["check"] == check).unwrap();
    let text = |name: &str| found[name].as_str().unwrap_or_default().to_owned();
    (text("outcome"), text("seen"))
}

#[test]
fn a_clock_far_ahead_removes_nothing_until_somebody_vouches_for_it() {
    let office = Office::new();
    for line in ["prune", "prune --dry-run"] {
        let said = office.refuses(line, 5, "clock_ahead");
        assert!(said.stderr.contains("--clock-is-right"), "{said:#?}");
        assert_eq!(said.stdout, "", "{line}");
    }
    fs::create_dir(office.path("backups")).unwrap();
    office.types("backup backups").succeeded();
    let first = fs::read_dir(office.path("backups")).unwrap().next();
    let first = first.unwrap().unwrap().path();
    // From another time than the next one.
    let older = office.path("backups/cuhk-2026-01-09T031500Z.zip");
    fs::rename(first, &older).unwrap();
    office.refuses("backup backups --keep 1", 5, "clock_ahead");
    assert_eq!(office.backups(), 2, "a new one, and the old one stays");

    // A server says so, and what it records by that clock proves nothing.
    let serve = "serve --listen 127.0.0.1:0 --passphrase-file issuers.pass";
    let server = Server::start_command(&mut office.command(serve));
    assert!(
        server.log().contains("nothing was removed"),
        "{}",
        server.log()
    );
    office.refuses("prune", 5, "clock_ahead");
    let (outcome, seen) = finding(&office.types("doctor --json"), "clock");
    assert_eq!(outcome, "warn", "{seen}");
    assert!(seen.contains("far ahead"), "{seen}");

    office.types("--clock-is-right prune").succeeded();
    office.types("prune").succeeded();
    drop(server);
    let server = Server::start_command(&mut office.command(serve));
    assert!(
        !server.log().contains("nothing was removed"),
        "{}",
        server.log()
    );
    let (outcome, seen) = finding(&office.types("doctor --json"), "clock");
    assert_eq!(outcome, "ok", "{seen}");

    // One that a wrong clock has named would outlive all others.
    let to_come = office.path("backups/cuhk-2126-01-09T031500Z.zip");
    fs::rename(&older, &to_come).unwrap();
    office.types("backup backups --keep 1").succeeded();
    assert!(to_come.exists(), "it is neither removed");
    assert_eq!(office.backups(), 2, "nor in the place of a new one");
}

#[test]
fn two_ceremonies_at_once_are_one_after_the_other() {
    let office = Office::new();
    office.types("--clock-is-right prune").succeeded();
    let files = "--passphrase-file issuers.pass --root-passphrase-file root.pass";
    let lines = [
        format!("keys rotate students {files}"),
        "keys rotate root --root-passphrase-file root.pass".to_owned(),
        "keys request lists --out request.json".to_owned(),
        "root sign-crl --root-passphrase-file root.pass".to_owned(),
    ];
    let keys = || office.types("keys list --json").succeeded().stdout;
    let before = keys();
    let lock = office.path("home/ceremony.lock");
    fs::write(&lock, "4711\n").unwrap();
    let lock = File::open(lock).unwrap();
    lock.lock().unwrap();
    for line in &lines {
        let said = office.refuses(line, 4, "ceremony_running");
        assert!(
            said.stderr.contains("in the process 4711"),
            "{line}: {said:#?}"
        );
    }
    assert_eq!(keys(), before);
    drop(lock);
    office.types(&lines[0]).succeeded();
    assert_ne!(keys(), before);
}

#[test]
fn a_service_without_a_certificate_that_counts_is_missed() {
    let campus = Campus::sandbox();
    let listed = || {
        let ran = campus.administer_cuhk(&["service", "list", "--json"]);
        let all = ran.succeeded().json();
        let mut all = all.as_array().unwrap().clone().into_iter();
        all.find(|one| one["name"] == "blackboard").unwrap()
    };
    let doctor = || campus.administer_cuhk(&["doctor", "--json"]);
    let (outcome, seen) = finding(&doctor(), "service-certificate");
    assert_eq!(outcome, "ok", "{seen}");
    assert_eq!(listed()["ended_at"], Value::Null);

    let revoke = [
        "revoke",
        "service/blackboard",
        "--reason",
        "key_compromise",
        "--yes",
    ];
    campus.administer_cuhk(&revoke).succeeded();
    let (outcome, seen) = finding(&doctor(), "service-certificate");
    assert_eq!(outcome, "warn", "{seen}");
    assert!(
        seen.contains("`blackboard` has none that counts since"),
        "{seen}"
    );
    let service = listed();
    assert_eq!(service["enrolled"], false);
    assert!(service["ended_at"].is_string(), "{service}");
    let shown = campus.administer_cuhk(&["service", "list"]).succeeded();
    let line = shown
        .stdout
        .lines()
        .find(|line| line.starts_with("blackboard"));
    assert!(line.unwrap().contains("  ended  "), "{shown:#?}");
}

/// As if a script had rotated students' authority so often, so long ago.
fn rotated(office: &Office, times: u64, ago: Duration) {
    let issuers = office.path("home/issuers");
    let database = rusqlite::Connection::open(office.path("home/cuhk.db")).unwrap();
    let then = (SystemClock.now().as_secs() - ago.as_secs()).cast_signed();
    database
        .execute("DELETE FROM authority WHERE name LIKE 'students-%'", [])
        .unwrap();
    for number in 2..2 + times {
        let name = format!("students-{number}");
        copy(&issuers.join("students"), &issuers.join(&name));
        let sql = "INSERT INTO authority (name, active_from) VALUES (?1, ?2)";
        database.execute(sql, (&name, then)).unwrap();
    }
}

#[test]
fn no_more_authorities_are_put_to_use_than_anybody_takes_lists_of() {
    let office = Office::of(Duration::from_secs(60 * 60));
    let files = "--passphrase-file issuers.pass --root-passphrase-file root.pass";
    let lines = [
        format!("keys rotate students {files}"),
        "keys rotate root --root-passphrase-file root.pass".to_owned(),
        "keys request root --out request.json".to_owned(),
    ];
    let doctor = || finding(&office.types("doctor --json"), "authorities");
    let keys = || office.types("keys list --json").succeeded().stdout;
    assert_eq!(doctor().0, "ok");
    rotated(&office, 13, Duration::ZERO);
    let (outcome, seen) = doctor();
    assert_eq!(outcome, "warn", "{seen}");
    assert!(
        seen.contains("16 revocation lists handed out, of 24"),
        "{seen}"
    );

    rotated(&office, 21, Duration::ZERO);
    let before = keys();
    for line in &lines {
        let said = office.refuses(line, 3, "too_many_authorities");
        assert!(
            said.stderr.contains("there is room from 2"),
            "{line}: {said:#?}"
        );
    }
    assert_eq!(keys(), before);
    assert!(!office.path("request.json").exists());
    // The root's own list is signed all the same, and an emergency has room, wherever the root is.
    office
        .types("root sign-crl --root-passphrase-file root.pass")
        .succeeded();
    office
        .types("keys request services --out request.json --passphrase-file issuers.pass")
        .succeeded();
    let withdraw = |name: &str| format!("keys withdraw {name} --replace {files}");
    let handed_out = |count: usize| {
        let (outcome, seen) = doctor();
        assert_eq!(outcome, "fail", "{seen}");
        assert!(
            seen.contains(&format!("{count} revocation lists")),
            "{seen}"
        );
    };
    // What is asked for of a root elsewhere leaves room to an emergency.
    rotated(&office, 45, Duration::ZERO);
    handed_out(48);
    let ask = "keys request services --out again.json --passphrase-file issuers.pass";
    let said = office.refuses(ask, 3, "too_many_authorities");
    assert!(said.stderr.contains("--replace"), "{said:#?}");
    assert!(!office.path("again.json").exists());
    // Each that is stolen leaves the last place to the next one.
    rotated(&office, 60, Duration::ZERO);
    for (name, next) in [("services", "services-2"), ("services-2", "services-3")] {
        handed_out(63);
        let said = office.types(&withdraw(name)).succeeded().stdout;
        assert!(said.contains(next), "{said}");
    }
    handed_out(63);
    rotated(&office, 61, Duration::ZERO);
    let said = office.refuses(&withdraw("services-3"), 3, "too_many_authorities");
    assert!(said.stderr.contains("cuhk root sign-crl"), "{said:#?}");

    // What they issued has ended since: all but the last have retired.
    rotated(&office, 61, FORTY_DAYS);
    assert_eq!(doctor().0, "ok");
    office.types(&lines[0]).succeeded();
}

/// The numbers of the lists would go by it, and Blackboard would take no lower ones afterwards.
#[test]
fn nothing_is_restored_by_a_clock_far_ahead_until_somebody_vouches_for_it() {
    let office = Office::new();
    office.types("backup old.zip").succeeded();
    let restore = |flags: &str| {
        let mut command = program("cuhk");
        command.current_dir(office.dir.path());
        let line = format!("restore old.zip --home again{flags}");
        Ran::of(command.args(line.split(' ')))
    };
    let said = restore("");
    assert_eq!(said.exit, Some(5), "{said:#?}");
    assert!(said.stderr.contains("error[clock_ahead]"), "{said:#?}");
    assert!(said.stderr.contains("--clock-is-right"), "{said:#?}");
    assert!(!office.path("again").exists(), "half a home");
    restore(" --clock-is-right").succeeded();
    let mut prune = program("cuhk");
    prune.arg("--home").arg(office.path("again")).arg("prune");
    Ran::of(&mut prune).succeeded();
}

/// All that was signed begins only later: whoever vouches is wrong.
#[test]
fn nobody_vouches_for_a_clock_from_before_the_root() {
    let office = Office::to_come(FORTY_DAYS);
    let serve = "serve --listen 127.0.0.1:0 --passphrase-file issuers.pass";
    let sign = "root sign-crl --root-passphrase-file root.pass";
    let before = fs::read(office.path("home/cuhk.db")).unwrap();
    for line in ["prune", serve, sign] {
        for flag in ["", "--clock-is-right "] {
            let said = office.refuses(&format!("{flag}{line}"), 5, "clock_set_back");
            assert!(said.stderr.contains("root begins at"), "{line}: {said:#?}");
        }
    }
    assert_eq!(fs::read(office.path("home/cuhk.db")).unwrap(), before);
}

/// Only root can leave something like that.
#[cfg(unix)]
#[test]
fn what_this_user_may_not_look_at_is_not_said_to_be_gone() {
    use std::os::unix::fs::chown;
    use std::os::unix::process::CommandExt;
    const NOBODY: u32 = 65534;
    let office = Office::of(Duration::from_secs(60 * 60));
    let files = "--passphrase-file issuers.pass --root-passphrase-file root.pass";
    office
        .types(&format!("keys rotate students {files}"))
        .succeeded();
    let give = |all: &std::path::Path| {
        let mut all = vec![all.to_owned()];
        while let Some(one) = all.pop() {
            if one.ends_with("issuers/students-2") {
                continue;
            }
            if chown(&one, Some(NOBODY), Some(NOBODY)).is_err() {
                return false;
            }
            let below = fs::read_dir(&one).into_iter().flatten();
            all.extend(below.map(|entry| entry.unwrap().path()));
        }
        true
    };
    if !give(&office.path(".")) {
        return;
    }
    let mut doctor = crate::campus::program("cuhk");
    doctor.arg("--home").arg(office.path("home"));
    doctor.args(["doctor", "--json"]).uid(NOBODY).gid(NOBODY);
    let Ok(said) = doctor.output() else {
        return;
    };
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.contains("this user may not look for"), "{said}");
    assert!(said.contains("runuser -u cuhk"), "{said}");
    assert!(!said.contains("is gone"), "{said}");
}

/// Only root can do so, and only root is refused.
#[cfg(unix)]
#[test]
fn root_leaves_nothing_in_somebody_elses_home() {
    use std::os::unix::fs::chown;
    let office = Office::of(Duration::from_secs(60 * 60));
    let database = office.path("home/cuhk.db");
    fs::write(office.path("roster.csv"), "sid,name\n1155000001,A\n").unwrap();
    if chown(&database, Some(65534), None).is_err() {
        return;
    }
    let files = "--passphrase-file issuers.pass --root-passphrase-file root.pass";
    for line in [
        &*format!("keys rotate students {files}"),
        "roster import roster.csv",
        "root sign-crl --root-passphrase-file root.pass",
        "revoke service/cuhk",
        "term remove T1",
        "witness new-key --passphrase-file issuers.pass",
    ] {
        let said = office.refuses(line, 5, "home_of_another");
        assert!(said.stderr.contains("runuser -u"), "{line}: {said:#?}");
    }
    for left in ["issuers/students-2", "ceremony.lock", "import.lock"] {
        assert!(!office.path("home").join(left).exists(), "{left}");
    }
    office.types("keys list").succeeded();
    chown(&database, Some(0), None).unwrap();
    office
        .types(&format!("keys rotate students {files}"))
        .succeeded();
}

/// The clock of the machine with the root's key is a year behind.
#[test]
fn lists_that_a_root_signed_by_a_clock_a_year_behind_are_told_with_their_end() {
    let office = Office::of(400 * (FORTY_DAYS / 40));
    let request = "--clock-is-right keys request lists --out request.json";
    let request = || {
        office.types(request).succeeded();
        RootRequest::from_json(&fs::read(office.path("request.json")).unwrap()).unwrap()
    };
    let root = office.path("home/root");
    let root = open_root(&root, &"a passphrase for the root".to_owned().into()).unwrap();
    let clock = FixedClock::new(SystemClock.now());
    let import = |asked: RootRequest, now| {
        let answer = sign_root(&asked, std::slice::from_ref(&root), None, now).unwrap();
        fs::write(office.path("answer.json"), answer.to_json()).unwrap();
        office.types("keys import answer.json").succeeded()
    };
    clock.rewind(380 * (FORTY_DAYS / 40));
    let told = import(request(), clock.now());
    assert!(told.stdout.contains("are good until 20"), "{told:#?}");
    assert!(
        told.stderr.contains("warning: that is less than"),
        "{told:#?}"
    );
    let told = import(request(), SystemClock.now());
    assert!(!told.stderr.contains("warning"), "{told:#?}");
}
