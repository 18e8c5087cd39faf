//! The time in which files may follow, and the time in which members sign, end: each is told so, and what to do.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use tokio::task::block_in_place;

use crate::campus::{Campus, LONG, Ran, Server, program, serve_at};
use crate::clock::AHEAD;
use crate::fsync::shim;
use crate::limits::set_limits;
use crate::process::until;
use crate::proxy::{Fault, Proxy, Way};

const SIDS: [&str; 3] = ["1155000001", "1155000002", "1155000003"];
/// The shortest that Blackboard takes for both, in seconds.
const WINDOW: f64 = 60.0;
const SIZE: usize = 4 << 20;

/// A campus on which all clocks are one, which can be moved.
struct Scene {
    campus: Campus,
    dir: TempDir,
    shim: PathBuf,
}

impl Scene {
    fn new() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let shim = shim(dir.path(), AHEAD)?;
        let mut campus = Campus::sandbox();
        let windows = [("upload_window", WINDOW), ("cosign_window", WINDOW)];
        set_limits(&campus.path().join("blackboard"), &windows);
        campus.blackboard.stop();
        campus.cuhk.stop();
        let start = |name, server: &Server| {
            let mut command = program(name);
            command.args(serve_at(&campus.path(), &server.address()));
            Server::start_command(clocked(&mut command, &shim, dir.path()))
        };
        let cuhk = start("cuhk", &campus.cuhk);
        let blackboard = start("blackboard", &campus.blackboard);
        (campus.cuhk, campus.blackboard) = (cuhk, blackboard);
        let scene = Self { campus, dir, shim };
        let codes = scene.campus.path().join("codes.csv");
        for sid in SIDS {
            let enrol = ["enrol", "--ids", sid, "--codes", codes.to_str().unwrap()];
            scene.on(sid, &enrol).succeeded();
        }
        Some(scene)
    }

    /// All clocks at once.
    fn move_by(&self, seconds: u32) {
        let new = self.dir.path().join("new");
        fs::write(&new, seconds.to_string()).unwrap();
        fs::rename(&new, self.dir.path().join("ahead")).unwrap();
    }

    /// The program on this student's machine.
    fn command(&self, sid: &str, words: &[&str]) -> Command {
        let home = self.campus.outside().join(sid);
        let mut command = self.campus.command_elsewhere(&home, words);
        clocked(&mut command, &self.shim, self.dir.path());
        command
    }

    fn on(&self, sid: &str, words: &[&str]) -> Ran {
        block_in_place(|| Ran::of(&mut self.command(sid, words)))
    }

    /// What the teacher sees.
    fn overview(&self, form: &[&str]) -> Ran {
        let of = ["--course", "SANDBOX", "--assignment", "lab"];
        let words = [&["submissions", "overview"][..], &of, form].concat();
        let mut command = self.campus.administering_blackboard(&words);
        let command = clocked(&mut command, &self.shim, self.dir.path());
        block_in_place(|| Ran::of(command)).succeeded()
    }

    /// `fsck` finds nothing but that times of files are not those of this clock.
    fn is_sound(&self) {
        let mut command = self.campus.administering_blackboard(&["fsck", "--json"]);
        let command = clocked(&mut command, &self.shim, self.dir.path());
        let found = block_in_place(|| Ran::of(command)).json();
        let findings = found["findings"].as_array().unwrap().iter();
        let codes: Vec<_> = findings.map(|one| one["code"].clone()).collect();
        assert!(codes.iter().all(|code| code == "put_back"), "{found:#}");
    }

    fn report(&self, name: &str, size: usize) -> String {
        let report = self.campus.outside().join(name);
        File::create(&report).unwrap().set_len(size as u64).unwrap();
        report.to_str().unwrap().to_owned()
    }
}

/// Under the clock that can be moved.
fn clocked<'a>(command: &'a mut Command, shim: &Path, dir: &Path) -> &'a mut Command {
    let ahead = dir.join("ahead");
    command.env("LD_PRELOAD", shim).env("CLOCK_AHEAD", ahead)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whose_files_do_not_come_in_time_is_told_so_and_the_same_command_is_a_new_submission() {
    let Some(scene) = block_in_place(Scene::new) else {
        return;
    };
    let [one, ..] = SIDS;
    let report = scene.report("report.bin", SIZE);
    let stall = Fault::Stall(Way::Up, SIZE / 2);
    let proxy = Proxy::before(&scene.campus.blackboard.address(), stall).await;
    let submit = ["submit", "--ids", one, &report, "--json"];
    let mut stalled = scene.command(
        one,
        &[&submit[..], &["--blackboard", &proxy.address]].concat(),
    );
    stalled.stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = stalled.stderr(Stdio::null()).spawn().unwrap();
    block_in_place(|| until("it stalls", LONG, || proxy.passed(Way::Up) >= SIZE / 2));
    child.kill().unwrap();
    child.wait().unwrap();
    drop(proxy);
    let unfinished = || {
        let told = scene.on(one, &["history", "--json"]).succeeded().json();
        told["unfinished"].as_array().unwrap().clone()
    };
    let begun = unfinished();
    assert_eq!(begun[0]["state"], "files_missing", "{begun:#?}");

    scene.move_by(61);
    let shown = scene.on(one, &["history"]).succeeded().stdout;
    for part in [
        "NOT handed in  2",
        "signed, but its files did not all come until 2",
        "it counts for nothing; hand in again",
    ] {
        assert!(shown.contains(part), "{part} is missing:\n{shown}");
    }
    assert_eq!(unfinished()[0]["state"], "expired");
    let seen = scene.overview(&["--json"]).json();
    assert_eq!(seen["students"][0]["state"], "never_came", "{seen:#}");
    let seen = scene.overview(&[]).stdout;
    assert!(seen.contains("files never came"), "{seen}");
    assert!(seen.contains("they had to come by 2"), "{seen}");
    let error = scene.on(one, &submit).refused(3, "upload_expired");
    let remedy = error["remedy"].as_str().unwrap();
    assert!(remedy.contains("hand in again"), "{remedy}");
    assert_eq!(scene.campus.submissions(), Vec::<Value>::new());

    let told = scene.on(one, &submit).succeeded().json();
    assert_eq!(told["submission"], "S-000001");
    assert_ne!(told["submission_id"], begun[0]["submission_id"]);
    assert_eq!(unfinished(), Vec::<Value>::new());
    scene.is_sound();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_member_has_not_signed_in_time_is_told_to_all_and_to_the_teacher() {
    let Some(scene) = block_in_place(Scene::new) else {
        return;
    };
    let [one, signed, late] = SIDS;
    let report = scene.report("report.bin", 1000);
    let with = format!("{signed},{late}");
    let submit = ["submit", "--ids", one, "--with", &with, &report, "--json"];
    let propose = || scene.on(one, &submit).succeeded().json();
    let id = propose()["submission_id"].as_str().unwrap().to_owned();
    scene.on(signed, &["cosign", "--yes", &id]).succeeded();

    scene.move_by(61);
    let in_vain = "not signed by everybody in time";
    for sid in [one, signed] {
        for command in ["cosign", "history"] {
            let told = scene.on(sid, &[command]).succeeded().stdout;
            assert!(told.contains(in_vain), "{sid}, {command}: {told}");
        }
    }
    let told = scene.on(late, &["cosign", "--all"]).succeeded().stdout;
    assert!(told.contains(in_vain), "{told}");
    assert!(told.contains(&format!("{late}  has not signed")), "{told}");
    let told = format!("for the signature of {late}: NOT SIGNED in time");
    let shown = scene.overview(&[]).stdout;
    assert_eq!(shown.matches(&told).count(), 2, "of both who had: {shown}");
    assert!(
        shown.contains("had not signed what others proposed"),
        "{shown}"
    );

    // Who comes too late is refused, and the teacher sees that he has tried.
    let error = scene.on(late, &["cosign", "--yes", &id, "--json"]);
    let error = error.refused(3, "proposal_ended");
    let remedy = error["remedy"].as_str().unwrap();
    assert!(remedy.contains("it is a new one"), "{remedy}");
    let shown = scene.overview(&[]).stdout;
    assert_eq!(shown.matches(&told).count(), 2, "{shown}");
    assert!(
        shown.contains(&format!("{late} tried to sign on 2")),
        "{shown}"
    );
    assert!(shown.contains("REFUSED (proposal_ended)"), "{shown}");
    assert_eq!(scene.campus.submissions(), Vec::<Value>::new());

    // Proposed anew, and signed by all, it is handed in.
    let again = propose()["submission_id"].as_str().unwrap().to_owned();
    assert_ne!(again, id);
    for sid in [signed, late] {
        scene.on(sid, &["cosign", "--yes", &again]).succeeded();
    }
    assert_eq!(scene.campus.submissions().len(), 1);
    scene.is_sound();
}
