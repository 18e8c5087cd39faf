//! A machine whose clock is not CUHK's.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::campus::{Campus, Ran, Server, get, monitor, program, serve_at, wait_for, write_secret};
use crate::disk::submit_with;
use crate::fsync::shim;
use crate::ledger::Ledger;

/// Whoever asks for the time is told one that is as many seconds later as the file `CLOCK_AHEAD` says.
pub(crate) const AHEAD: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
static long ahead(void) {
    long seconds = 0;
    FILE *file = fopen(getenv("CLOCK_AHEAD"), "r");
    if (!file) return 0;
    if (fscanf(file, "%ld", &seconds) != 1) seconds = 0;
    fclose(file);
    return seconds;
}
int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, now);
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) now->tv_sec += ahead();
    return result;
}
"#;

#[test]
fn under_a_clock_that_is_not_cuhks_nothing_is_taken_and_everybody_is_told_why() {
    let dir = tempfile::tempdir().unwrap();
    let Some(shim) = shim(dir.path(), AHEAD) else {
        return;
    };
    let clock = dir.path().join("ahead");
    let is_ahead = |seconds: &str| {
        let new = dir.path().join("new");
        fs::write(&new, seconds).unwrap();
        fs::rename(&new, &clock).unwrap();
    };
    is_ahead("0");
    let mut campus = Campus::sandbox();
    campus.student(&["enrol"]).succeeded();
    campus.blackboard.stop();
    let mut wrong = program("blackboard");
    wrong.args(serve_at(&campus.path(), &campus.blackboard.address()));
    wrong.args(["--metrics", "127.0.0.1:0"]);
    wrong.env("LD_PRELOAD", &shim).env("CLOCK_AHEAD", &clock);
    campus.blackboard = Server::start_command(&mut wrong);
    let monitor = monitor(campus.blackboard.said()).unwrap();
    let mut ledger = Ledger::default();
    ledger.note(&submit_with(&campus, "before", &[]).succeeded());

    for (seconds, told) in [("100", "clock is 10"), ("200", "clock is 3 min")] {
        is_ahead(seconds);
        submit_with(&campus, "amid", &[]).refused(4, "platform_clock");
        let told_here = wait_for(&monitor, "/readyz", 503);
        assert!(told_here.contains(told), "{told_here}");
        assert!(told_here.contains("ahead of CUHK's"), "{told_here}");
        let (_, numbers) = get(&monitor, "/metrics");
        let ahead = numbers
            .lines()
            .find_map(|line| line.strip_prefix("blackboard_clock_ahead_seconds "));
        let ahead: i64 = ahead.unwrap().parse().unwrap();
        assert!(ahead.abs_diff(seconds.parse().unwrap()) <= 3, "{ahead}");
        let log = campus.blackboard.log();
        let warned = |line: &&str| line.contains(" warn ") && line.contains(told);
        assert_eq!(log.lines().filter(warned).count(), 1, "{log}");
        // Nothing is signed with this time, so that nothing is late by it, or waits for its files.
        ledger.is_all_of(&campus);
    }

    // It is seen without anybody's asking that the clock was set.
    is_ahead("0");
    wait_for(&monitor, "/readyz", 200);
    ledger.note(&submit_with(&campus, "after", &[]).succeeded());
    ledger.is_all_of(&campus);
}

/// A CUHK on a machine whose clock can be set.
struct Office {
    dir: TempDir,
    shim: PathBuf,
}

impl Office {
    fn new() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let shim = shim(dir.path(), AHEAD)?;
        let office = Self { dir, shim };
        office.is_ahead(0);
        for file in ["issuers.pass", "root.pass"] {
            write_secret(&office.path(file), &format!("a passphrase for {file}\n"));
        }
        let roster = "sid,name\n1155000001,A\n1155000002,B\n";
        fs::write(office.path("roster.csv"), roster).unwrap();
        let files = "--passphrase-file issuers.pass --root-passphrase-file root.pass";
        office.types(&format!("init {files}")).succeeded();
        let import = "roster import roster.csv --codes-out codes.csv";
        office.types(import).succeeded();
        Some(office)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn is_ahead(&self, days: u32) {
        let seconds = u64::from(days) * 24 * 60 * 60;
        fs::write(self.path("ahead"), seconds.to_string()).unwrap();
    }

    fn command(&self, home: &Path, line: &str) -> Command {
        let mut command = program("cuhk");
        command.current_dir(self.dir.path());
        command.env("LD_PRELOAD", &self.shim);
        command.env("CLOCK_AHEAD", self.path("ahead"));
        command.arg("--home").arg(home).args(line.split(' '));
        command
    }

    fn types(&self, line: &str) -> Ran {
        Ran::of(&mut self.command(Path::new("home"), line))
    }

    /// Whether a server warns of the clock when it starts.
    fn warns(&self, flag: &str) -> bool {
        let line = format!("{flag}serve --listen 127.0.0.1:0 --passphrase-file issuers.pass");
        let server = Server::start_command(&mut self.command(Path::new("home"), &line));
        server.log().contains("nothing was removed")
    }

    #[track_caller]
    fn refuses(&self, line: &str, code: &str) {
        let ran = self.types(line);
        assert_eq!(ran.exit, Some(5), "{line}: {ran:#?}");
        let code = format!("error[{code}]");
        assert!(ran.stderr.contains(&code), "{line}: {ran:#?}");
    }

    /// Nothing is removed, and everybody is told.
    #[track_caller]
    fn is_doubted(&self) {
        let before = self.codes();
        self.refuses("prune", "clock_ahead");
        self.refuses("code issue 1155000002 --replace", "clock_ahead");
        assert_eq!(self.codes(), before);
    }

    /// All that have been recorded.
    fn codes(&self) -> u32 {
        let database = rusqlite::Connection::open(self.path("home/cuhk.db")).unwrap();
        let sql = "SELECT count(*) FROM enrolment_code";
        database.query_one(sql, [], |row| row.get(0)).unwrap()
    }

    fn doctor_says(&self, outcome: &str, told: &str) {
        let all = self.types("doctor --json").json();
        let mut findings = all.as_array().unwrap().iter();
        let clock = findings.find(|one| one["check"] == "clock").unwrap();
        assert_eq!(clock["outcome"], outcome, "{clock}");
        assert!(clock["seen"].as_str().unwrap().contains(told), "{clock}");
    }
}

/// The battery is empty, so that each start is years ahead until the time was fetched.
#[test]
fn a_clock_that_is_ahead_at_each_start_is_doubted_each_time_and_one_word_is_enough() {
    let Some(office) = Office::new() else { return };
    office.is_ahead(800);
    assert!(office.warns(""));
    office.is_doubted();
    office.is_ahead(0);
    office.refuses("prune", "clock_set_back");
    assert!(!office.warns("--clock-is-right "), "somebody vouches");
    office.doctor_says("ok", "later records are of a clock that was ahead");

    for days in [800, 810, 1000] {
        office.is_ahead(days);
        office.doctor_says("fail", "far ahead again");
        assert!(office.warns(""), "{days}");
        office.is_doubted();
        // In an emergency that is told, and proves nothing.
        office.types("roster suspend 1155000001").succeeded();
        office.is_doubted();

        office.is_ahead(0);
        assert!(!office.warns(""), "{days}");
        for line in [
            "prune",
            "roster restore 1155000001",
            "code issue 1155000001 --replace",
            "keys rotate tokens",
        ] {
            office.types(line).succeeded();
        }
        office.doctor_says("ok", "later records are of a clock that was ahead");
    }

    // Whoever puts back a backup knows it as well.
    office.types("backup night.zip").succeeded();
    let restored = |line: &str| Ran::of(&mut office.command(Path::new("restored"), line));
    restored("restore night.zip").succeeded();
    restored("prune").succeeded();
    office.is_ahead(800);
    let refused = restored("prune");
    assert!(
        refused.stderr.contains("error[clock_ahead]"),
        "{refused:#?}"
    );
}

impl Office {
    /// A student's certificate, from the code on the sheet.
    fn enrol(&self, server: &Server, sid: &str) {
        let mut student = program("student");
        student.current_dir(self.dir.path());
        let line = format!(
            "--home student --cuhk {} --ca home/ca.pem enrol --ids {sid} --codes codes.csv",
            server.address()
        );
        Ran::of(student.args(line.split(' '))).succeeded();
    }

    /// Whose certificates are still known, as what.
    fn certified(&self) -> Vec<String> {
        let listed = self.types("certs list --json").succeeded().json();
        let rows = listed.as_array().unwrap().iter();
        let mut all: Vec<_> = rows
            .map(|row| format!("{} {}", row["subject"], row["profile"]).replace('"', ""))
            .collect();
        all.sort();
        all
    }

    /// How many codes and certificates are said to go, by a rehearsal and by the deed alike.
    fn prunes(&self, codes: u32, certificates: usize) {
        let known = (self.codes(), self.certified().len());
        for (line, left) in [
            ("--clock-is-right prune --dry-run --json", known),
            (
                "--clock-is-right prune --json",
                (known.0 - codes, known.1 - certificates),
            ),
        ] {
            let told = self.types(line).succeeded().json();
            assert_eq!(told["codes"], codes, "{line}: {told:#}");
            assert_eq!(told["certificates"], certificates, "{line}: {told:#}");
            assert_eq!((self.codes(), self.certified().len()), left, "{line}");
        }
        let again = self.types("prune").succeeded().stdout;
        let nothing = "removed 0 codes and 0 certificates that ended before";
        assert!(again.contains(nothing), "{again}");
    }
}

/// What is kept for 400 days after its end; and, for ever, that a key was compromised and with which keys
/// tokens were signed.
#[test]
fn codes_and_certificates_go_that_ended_long_ago_and_are_counted() {
    let Some(office) = Office::new() else { return };
    let serve = "serve --listen 127.0.0.1:0 --passphrase-file issuers.pass";
    let server = Server::start_command(&mut office.command(Path::new("home"), serve));
    for sid in ["1155000001", "1155000002"] {
        office.enrol(&server, sid);
    }
    let lost = "revoke 1155000002 --reason key_compromise --yes";
    office.types(lost).succeeded();
    office.types("code issue 1155000001 --replace").succeeded();
    drop(server);
    let signer = "service/cuhk token_signer";
    let own = "service/cuhk service";
    let all = ["1155000001 student", "1155000002 student", own, signer];
    assert_eq!(office.certified(), all);
    assert_eq!(office.codes(), 3);

    // Codes end after 14 days, students' certificates after 30, services' after 90.
    office.is_ahead(410);
    office.prunes(0, 0);
    office.is_ahead(420);
    office.prunes(3, 0);
    office.is_ahead(435);
    office.prunes(0, 1);
    assert_eq!(office.certified(), all[1..]);
    office.is_ahead(495);
    office.prunes(0, 1);
    assert_eq!(office.certified(), ["1155000002 student", signer]);
    office.is_ahead(3000);
    office.prunes(0, 0);
}

/// In seconds.
const DAY: i64 = 24 * 60 * 60;

#[test]
fn a_student_whose_clock_is_off_by_a_day_is_told_so_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let Some(shim) = shim(dir.path(), AHEAD) else {
        return;
    };
    let clock = dir.path().join("ahead");
    let campus = Campus::sandbox();
    let mut ledger = Ledger::default();
    ledger.note(&submit_with(&campus, "before", &[]).succeeded());
    let report = campus.outside().join("report.txt");
    fs::write(&report, "amid").unwrap();
    let home = campus.path().join("student");
    let pending = || fs::read_dir(home.join("pending")).map_or(0, Iterator::count);
    let by = |seconds: i64, words: &[&str]| {
        fs::write(&clock, seconds.to_string()).unwrap();
        let mut command = program("student");
        command.arg("--sandbox").arg(campus.path()).args(words);
        Ran::of(command.env("LD_PRELOAD", &shim).env("CLOCK_AHEAD", &clock))
    };
    let submit = ["submit", "--json", report.to_str().unwrap()];
    for (seconds, told) in [
        (DAY, "ahead of the server's"),
        (-DAY, "behind the server's"),
    ] {
        let error = by(seconds, &submit).refused(5, "clock_off");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("this machine's clock is "), "{message}");
        assert!(message.contains(told), "{message}");
        let remedy = error["remedy"].as_str().unwrap();
        assert!(remedy.contains("time zone"), "{remedy}");
        let chinese = by(seconds, &[&submit[..], &["--lang", "zh-Hant"]].concat());
        chinese.refused(5, "clock_off");
        // Nothing was signed with such a time, and nothing that was kept has gone.
        assert_eq!(pending(), 0, "{seconds}");
        ledger.is_all_of(&campus);
        let kept = by(seconds, &["receipts", "--json"]).succeeded().json();
        assert_eq!(kept["receipts"][0]["verified"], true, "{kept:#}");
    }
    ledger.note(&by(0, &submit).succeeded());
    ledger.is_all_of(&campus);
}
