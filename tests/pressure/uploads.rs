//! Hand-ins that are interrupted anywhere: the same command goes on where they stopped.

use std::fs;
use std::io::{Seek, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use scb_certs::Fingerprint;
use scb_protocol::{from_seconds, rfc3339};
use serde_json::Value;
use tokio::task::block_in_place;

use crate::campus::{Campus, LONG, Ran, program};
use crate::limits::set_limits;
use crate::process::until;
use crate::proxy::{Fault, Proxy, Way};

/// Size of what is handed in, in bytes.
const SIZE: usize = 8 << 20;
/// More bytes than go up beside the content: handshake, presentation, statement, frames.
const BESIDE: usize = 64 << 10;

/// A campus whose first student hands in a large report, through a proxy or not.
struct Scene {
    campus: Campus,
    report: PathBuf,
    /// Who hands in.
    ids: String,
}

impl Scene {
    fn new() -> Self {
        let campus = Campus::sandbox();
        let report = campus.outside().join("report.bin");
        let content: Vec<u8> = (0..SIZE).map(|n| (n / 251 + n % 241) as u8).collect();
        fs::write(&report, content).unwrap();
        let ids = "1155000001".to_owned();
        block_in_place(|| campus.student(&["enrol", "--ids", &ids])).succeeded();
        Self {
            campus,
            report,
            ids,
        }
    }

    /// Blackboard waits for a message no longer than this; an honest one comes in time on a busy machine, too.
    fn with_short_deadlines() -> Self {
        let mut scene = Self::new();
        set_limits(&scene.campus.path().join("blackboard"), &[("message", 5.0)]);
        block_in_place(|| scene.campus.restart_blackboard());
        scene
    }

    fn command(&self, blackboard: &str) -> Command {
        let mut command = program("student");
        command.arg("--sandbox").arg(self.campus.path());
        command.args(["--blackboard", blackboard]);
        command.args(["submit", "--ids", &self.ids]);
        command.arg(&self.report);
        command
    }

    /// The command of somebody who waits for nothing, through a proxy with this fault; how it
    /// ended, and how many bytes went up.
    async fn through(&self, fault: Fault) -> (Ran, usize) {
        let proxy = Proxy::before(&self.campus.blackboard.address(), fault).await;
        let mut command = self.command(&proxy.address);
        let ran = block_in_place(|| Ran::of(command.args(["--wait", "0"])));
        (ran, proxy.passed(Way::Up))
    }

    /// The command, whose first so many connections are cut off after so many bytes up.
    async fn cut(&self, at: usize, connections: usize) -> (Ran, usize) {
        let (server, fault) = (self.campus.blackboard.address(), Fault::Cut(Way::Up, at));
        let proxy = Proxy::before_some(&server, fault, 0..connections).await;
        let ran = block_in_place(|| Ran::of(&mut self.command(&proxy.address)));
        (ran, proxy.passed(Way::Up))
    }

    /// The command, running behind a proxy that lets no more than so many bytes of the first
    /// connection up, once all of them have come.
    async fn stalled(&self, at: usize) -> (Child, Proxy) {
        let (server, fault) = (self.campus.blackboard.address(), Fault::Stall(Way::Up, at));
        let proxy = Proxy::before_some(&server, fault, 0..1).await;
        let mut command = self.command(&proxy.address);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let child = command.stderr(Stdio::piped()).spawn().unwrap();
        block_in_place(|| until("it stalls", LONG, || proxy.passed(Way::Up) >= at));
        (child, proxy)
    }

    /// The same command, directly: it goes on, and sends no more than what is missing.
    async fn goes_on(&self, at_least: usize) {
        let (ran, up) = self.through(Fault::None).await;
        let ran = ran.succeeded();
        assert!(ran.stdout.contains("going on from there"), "{ran:#?}");
        let most = SIZE - at_least + BESIDE;
        assert!(up < most, "{up} bytes went up, {most} would do");
        self.is_stored_once();
    }

    fn is_stored_once(&self) {
        let stored = self.campus.submissions();
        assert_eq!(stored.len(), 1);
        assert_eq!(stored[0]["files"][0]["size"], SIZE);
        assert_eq!(self.unfinished(), Vec::<Value>::new());
        let uploads = self.uploads();
        assert_eq!(fs::read_dir(uploads).unwrap().count(), 0, "nothing is left");
    }

    fn unfinished(&self) -> Vec<Value> {
        let command = ["submissions", "uploads", "--json"];
        let listed = self.campus.administer_blackboard(&command).succeeded();
        listed.json().as_array().unwrap().clone()
    }

    fn uploads(&self) -> PathBuf {
        self.campus.path().join("blackboard/content/uploads")
    }

    /// What came of the report so far; none before anything has.
    fn part(&self) -> Option<PathBuf> {
        let upload = fs::read_dir(self.uploads()).ok()?.next()?;
        Some(upload.unwrap().path().join("0"))
    }

    fn has(&self, at_least: usize) {
        let size = |path: &Path| fs::metadata(path).map_or(0, |file| file.len());
        let come = || {
            self.part()
                .is_some_and(|part| size(&part) >= at_least as u64)
        };
        block_in_place(|| until("what came is kept", LONG, come));
    }
}

fn killed(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_hand_in_goes_on_where_it_stopped() {
    let scene = Scene::new();
    let mut before = 0;
    for cut in [SIZE / 4, SIZE / 4, SIZE / 8] {
        let (ran, up) = scene.through(Fault::Cut(Way::Up, cut)).await;
        assert_eq!(ran.exit, Some(4), "{ran:#?}");
        assert_eq!(ran.stdout.contains("going on from there"), before > 0);
        assert!(up <= cut);
        before += cut - BESIDE;
        scene.has(before);
        let unfinished = scene.unfinished();
        assert_eq!(unfinished.len(), 1);
        assert_eq!(unfinished[0]["members"][0], "1155000001");
    }
    scene.goes_on(before).await;
}

/// How often the one line about an interruption stands there.
fn interruptions(ran: &Ran) -> usize {
    ran.stdout.matches("connecting again").count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hand_in_that_is_cut_goes_on_by_itself_with_one_line() {
    for cuts in [1, 3] {
        let scene = Scene::new();
        let (ran, up) = scene.cut(SIZE / 4, cuts).await;
        let ran = ran.succeeded();
        assert_eq!(interruptions(&ran), cuts, "{ran:#?}");
        assert_eq!(ran.stdout.matches("session key confirmed").count(), 1);
        let most = SIZE + (cuts + 1) * 2 * BESIDE;
        assert!(up < most, "{up} bytes went up, {most} would do");
        scene.is_stored_once();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hand_in_that_is_always_cut_goes_on_as_long_as_something_comes() {
    let scene = Scene::new();
    let (ran, _) = scene.cut(SIZE / 4, usize::MAX).await;
    let ran = ran.succeeded();
    assert!(interruptions(&ran) >= 4, "{ran:#?}");
    scene.is_stored_once();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nothing_comes_it_gives_up_and_the_same_command_goes_on() {
    let scene = Scene::new();
    scene.through(Fault::Cut(Way::Up, SIZE / 4)).await;
    let before = SIZE / 4 - BESIDE;
    scene.has(before);
    // Enough for the statement, and for no chunk.
    let (ran, _) = scene.cut(BESIDE / 2, usize::MAX).await;
    assert_eq!((ran.exit, interruptions(&ran)), (Some(4), 1), "{ran:#?}");
    assert!(ran.stderr.contains("[connection_lost]"), "{ran:#?}");
    assert!(ran.stderr.contains("attempts"), "{ran:#?}");
    assert!(
        ran.stderr.contains("run the same command again"),
        "{ran:#?}"
    );
    assert_eq!(
        scene.unfinished().len(),
        1,
        "it was signed and recorded once"
    );
    scene.goes_on(before).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hand_in_goes_on_by_itself_once_blackboard_is_back() {
    let mut scene = Scene::new();
    let (child, _proxy) = scene.stalled(SIZE / 2).await;
    scene.has(SIZE / 2 - BESIDE - (256 << 10));
    scene.campus.blackboard.kill();
    block_in_place(|| scene.campus.start_blackboard_again());
    let ran = block_in_place(|| Ran::from(child.wait_with_output().unwrap())).succeeded();
    assert_eq!(interruptions(&ran), 1, "{ran:#?}");
    scene.is_stored_once();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hand_in_whose_time_on_a_connection_is_over_goes_on_by_itself() {
    let scene = Scene::with_short_deadlines();
    let (child, _proxy) = scene.stalled(SIZE / 2).await;
    let ran = block_in_place(|| Ran::from(child.wait_with_output().unwrap())).succeeded();
    assert_eq!(interruptions(&ran), 1, "{ran:#?}");
    assert!(ran.stdout.contains("[timeout]"), "{ran:#?}");
    scene.is_stored_once();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_changes_while_it_is_sent_is_named_and_the_next_run_hands_it_in() {
    let scene = Scene::with_short_deadlines();
    let (child, _proxy) = scene.stalled(SIZE / 2).await;
    let mut report = fs::OpenOptions::new()
        .write(true)
        .open(&scene.report)
        .unwrap();
    report.seek(SeekFrom::Start(SIZE as u64 - 100)).unwrap();
    report.write_all(b"another end").unwrap();
    let ran = block_in_place(|| Ran::from(child.wait_with_output().unwrap()));
    assert_eq!(ran.exit, Some(3), "{ran:#?}");
    let told = "[content_altered]: report.bin was changed while it was being handed in";
    assert!(ran.stderr.contains(told), "{ran:#?}");
    assert!(
        ran.stderr.contains("do not change the file meanwhile"),
        "{ran:#?}"
    );
    assert!(!ran.stderr.contains("nothing was changed"), "{ran:#?}");
    for told in [
        "what was signed is recorded at 2",
        "what was signed before is given up with it, unless the new version is late",
    ] {
        assert!(ran.stderr.contains(told), "{told}: {ran:#?}");
    }
    assert_eq!(scene.campus.submissions(), Vec::<Value>::new());
    assert_eq!(scene.unfinished().len(), 1, "what was signed is on record");

    let (ran, _) = scene.through(Fault::None).await;
    let ran = ran.succeeded();
    assert!(
        ran.stdout
            .contains("is given up: this version takes its place"),
        "{ran:#?}"
    );
    // It takes connections of its own, whose steps are not told again.
    let sessions = ran.stdout.matches("session key confirmed").count();
    assert_eq!(sessions, 1, "{ran:#?}");
    assert_eq!(
        scene.unfinished(),
        Vec::<Value>::new(),
        "nobody waits for it"
    );
    let stored = scene.campus.submissions();
    let sha256 = Fingerprint::of(&fs::read(&scene.report).unwrap());
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0]["files"][0]["sha256"], sha256.to_string());
    scene.campus.administer_blackboard(&["fsck"]).succeeded();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_begun_and_never_came_is_shown_and_given_up() {
    let mut scene = Scene::new();
    scene.ids = "1155000001,1155000002".to_owned();
    let (child, proxy) = scene.stalled(SIZE / 2).await;
    killed(child);
    drop(proxy);
    let student = |arguments: &[&str]| block_in_place(|| scene.campus.student(arguments));
    let shown = student(&["history"]).succeeded().stdout;
    let told = student(&["history", "--json"]).succeeded().json();
    let one = &told["unfinished"][0];
    assert_eq!(one["state"], "files_missing", "{told}");
    let id = one["submission_id"].as_str().unwrap();
    for part in [
        "NOT handed in  2",
        "report.bin, 8,388,608 bytes",
        "signed and recorded, which counts if its files come until 2",
        &format!("student withdraw {id}"),
    ] {
        assert!(shown.contains(part), "{part} is missing:\n{shown}");
    }
    let chinese = student(&["history", "--lang", "zh-Hant"])
        .succeeded()
        .stdout;
    assert!(chinese.contains("尚未提交  2"), "{chinese}");

    let alone = ["withdraw", id, "--ids", "1155000001", "--json"];
    let refused = student(&alone).refused(3, "not_all_members");
    assert_eq!(refused["sid"], "1155000002", "{refused}");
    let ended = student(&["withdraw", id]).succeeded().stdout;
    assert!(ended.contains("taken back: not handed in"), "{ended}");
    assert_eq!(scene.unfinished(), Vec::<Value>::new());
    let told = student(&["history", "--json"]).succeeded().json();
    assert_eq!(told["unfinished"], Value::Array(Vec::new()));
    let again = student(&["withdraw", id, "--ids", "1155000002"]).succeeded();
    assert!(again.stdout.starts_with("Nothing to do: "), "{again:#?}");
    // The same command is a new submission.
    let (ran, _) = scene.through(Fault::None).await;
    ran.succeeded();
    assert_eq!(scene.campus.submissions().len(), 1);
    let told = student(&["history", "--json"]).succeeded().json();
    assert_eq!(told["unfinished"], Value::Array(Vec::new()));
    scene.campus.administer_blackboard(&["fsck"]).succeeded();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_client_goes_on_where_it_stopped() {
    let scene = Scene::new();
    let mut before = 0;
    for at in [SIZE / 4, SIZE / 2] {
        let (child, proxy) = scene.stalled(at).await;
        killed(child);
        // The connection behind the proxy is open still: the server has not noticed.
        before = at.max(before) - BESIDE;
        drop(proxy);
    }
    scene.goes_on(before).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_altered_on_the_disk_is_noticed_and_sent_again() {
    let scene = Scene::new();
    let (ran, _) = scene.through(Fault::Cut(Way::Up, SIZE / 2)).await;
    assert_eq!(ran.exit, Some(4), "{ran:#?}");
    scene.has(SIZE / 2 - BESIDE);
    let mut part = fs::read(scene.part().unwrap()).unwrap();
    part[SIZE / 4] ^= 1;
    fs::write(scene.part().unwrap(), part).unwrap();
    let (ran, up) = scene.through(Fault::None).await;
    let ran = ran.succeeded();
    assert!(ran.stdout.contains("sent from its beginning"), "{ran:#?}");
    assert!(up > SIZE);
    scene.is_stored_once();
}

/// A moment so many seconds from now, as it is typed.
fn in_seconds(seconds: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    rfc3339(from_seconds(now.as_secs() + seconds))
}

impl Scene {
    /// The sandbox's assignment is due in so many seconds; later it costs half.
    fn due_in(&self, seconds: u64) {
        let due = in_seconds(seconds);
        let change = ["assignment", "change", "lab", "--course", "SANDBOX"];
        let rules = ["--due", &due, "--late-rule", "50%/hour", "--yes"];
        let change = [&change[..], &rules].concat();
        block_in_place(|| self.campus.administer_blackboard(&change)).succeeded();
    }

    /// Signed and recorded, and killed before its files have come; its submission ID.
    async fn begun_and_killed(&self) -> String {
        let (child, proxy) = self.stalled(SIZE / 2).await;
        killed(child);
        drop(proxy);
        let told = self.history();
        let id = told["unfinished"][0]["submission_id"].as_str();
        id.unwrap().to_owned()
    }

    fn history(&self) -> Value {
        let told = block_in_place(|| self.campus.student(&["history", "--json"]));
        told.succeeded().json()
    }

    fn is_late(&self) -> bool {
        let of = ["assignments", "--ids", &self.ids, "--json"];
        let told = block_in_place(|| self.campus.student(&of))
            .succeeded()
            .json();
        told["assignments"][0]["members"][0]["state"] == "late"
    }

    /// How the first student stands with this version.
    fn standing(&self, number: &str) -> Value {
        let told = self.history();
        let mut versions = told["versions"].as_array().unwrap().iter();
        let version = versions.find(|one| one["submission"] == number);
        version.unwrap()["standings"][0].clone()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_signed_in_time_is_not_given_up_for_a_version_that_is_late() {
    let scene = Scene::new();
    scene.due_in(30);
    let id = scene.begun_and_killed().await;
    let signed = fs::read(&scene.report).unwrap();
    assert!(!scene.is_late(), "the machine is too slow for this story");
    until("it is late", 2 * LONG, || scene.is_late());

    fs::write(&scene.report, "another report").unwrap();
    let late = scene.through(Fault::None).await.0.succeeded().stdout;
    for part in [
        "this is LATE by Blackboard's clock: late by ",
        "which costs 50 %",
        "lateness late by ",
        &format!("({id}), recorded 2"),
        "the latest version counts, which is this one",
        &format!("give it up: student withdraw {id}"),
    ] {
        assert!(late.contains(part), "{part} is missing:\n{late}");
    }
    assert!(!late.contains("is given up"), "{late}");
    assert_eq!(scene.unfinished().len(), 1, "its files may still come");
    assert_eq!(scene.standing("S-000001")["costs_percent"], 50);

    fs::write(&scene.report, signed).unwrap();
    let in_time = scene.through(Fault::None).await.0.succeeded().stdout;
    assert!(in_time.contains("going on from there"), "{in_time}");
    assert!(
        in_time.contains("lateness on time; what counts is 2"),
        "{in_time}"
    );
    assert!(!in_time.contains("LATE"), "{in_time}");
    let in_time = scene.standing("S-000002");
    assert_eq!(
        (&in_time["late_seconds"], &in_time["counts"]),
        (&0.into(), &false.into())
    );
    assert_eq!(scene.unfinished(), Vec::<Value>::new());

    // It does not count: the same command again makes a version of it that does, and again says the same.
    for _ in 0..2 {
        let mut again = scene.command(&scene.campus.blackboard.address());
        let again = block_in_place(|| Ran::of(again.arg("--json")))
            .succeeded()
            .json();
        assert_eq!(again["submission"], "S-000003");
        assert!(again["standings"][0]["late_seconds"].is_u64(), "{again}");
    }
    assert_eq!(scene.standing("S-000003")["counts"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_signed_is_given_up_for_a_version_that_is_in_time() {
    let scene = Scene::new();
    scene.due_in(24 * 3600);
    let id = scene.begun_and_killed().await;
    fs::write(&scene.report, "another report").unwrap();
    let told = scene.through(Fault::None).await.0.succeeded().stdout;
    let given_up = format!("({id}) is given up: this version takes its place");
    assert!(told.contains(&given_up), "{told}");
    assert!(told.contains("lateness on time"), "{told}");
    assert!(!told.contains("LATE"), "{told}");
    assert_eq!(scene.unfinished(), Vec::<Value>::new());
}
