//! While files are on their way, which may take hours, their student can do everything else from the same home.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::task::block_in_place;

use crate::campus::{Campus, LONG, Ran, program};
use crate::process::until;
use crate::proxy::{Fault, Proxy, Way};

const SIZE: usize = 8 << 20;
const ID: &str = "1155000001";
/// Nobody waits for the home so long.
const AT_ONCE: Duration = Duration::from_secs(25);

struct Scene {
    campus: Campus,
    report: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let campus = Campus::sandbox();
        let report = campus.outside().join("report.bin");
        fs::write(&report, vec![7; SIZE]).unwrap();
        campus.student(&["enrol", "--ids", ID]).succeeded();
        let add = ["assignment", "add", "--course", "SANDBOX", "--title"];
        let due = ["essay", "--due", "2099-12-31T23:59:59Z"];
        campus
            .administer_blackboard(&[&add[..], &due].concat())
            .succeeded();
        Self { campus, report }
    }

    fn submit(&self, file: &Path, assignment: &str) -> Command {
        let mut command = program("student");
        command.arg("--sandbox").arg(self.campus.path());
        command.args(["submit", "--ids", ID, "--json", "--course", "SANDBOX"]);
        command.args(["--assignment", assignment]).arg(file);
        command
    }

    /// The report, half of which has gone up, and no more does.
    async fn on_its_way(&self) -> (Child, Proxy) {
        let (server, fault) = (
            self.campus.blackboard.address(),
            Fault::Stall(Way::Up, SIZE / 2),
        );
        let proxy = Proxy::before(&server, fault).await;
        let mut command = self.submit(&self.report, "lab");
        command.args(["--blackboard", &proxy.address]);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.stderr(Stdio::piped()).spawn().unwrap();
        let half = || proxy.passed(Way::Up) >= SIZE / 2;
        block_in_place(|| until("it stalls", LONG, half));
        (child, proxy)
    }

    fn pending(&self) -> usize {
        let pending = self.campus.path().join("student/pending");
        fs::read_dir(pending).unwrap().count()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_else_goes_on_and_nothing_is_lost() {
    let scene = block_in_place(Scene::new);
    let (mut sending, proxy) = scene.on_its_way().await;
    block_in_place(|| {
        let began = Instant::now();
        for looks in [
            &["assignments", "--ids", ID][..],
            &["history", "--ids", ID],
            &["cosign", "--ids", ID],
            &["receipts"],
        ] {
            scene.campus.student(looks).succeeded();
        }
        // Something else, and the next version of what is being sent, under the same name.
        let other = scene.campus.outside().join("essay.txt");
        fs::write(&other, "an essay").unwrap();
        Ran::of(&mut scene.submit(&other, "essay")).succeeded();
        let next = scene.campus.outside().join("next/report.bin");
        fs::create_dir(next.parent().unwrap()).unwrap();
        fs::write(&next, "the next version").unwrap();
        Ran::of(&mut scene.submit(&next, "lab")).succeeded();
        assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
        assert_eq!(scene.pending(), 1, "what is being sent is not given up");

        // The very same is not sent twice.
        let same = Ran::of(&mut scene.submit(&scene.report, "lab"));
        let error = same.refused(4, "on_its_way");
        let remedy = error["remedy"].as_str().unwrap();
        assert!(remedy.contains("goes on where it stopped"), "{remedy}");
        assert_eq!(scene.campus.submissions().len(), 2);
        assert_eq!(sending.try_wait().unwrap(), None, "it was not disturbed");

        // It ends as in a power cut; the same command goes on.
        sending.kill().unwrap();
        sending.wait().unwrap();
        drop(proxy);
        let told = Ran::of(&mut scene.submit(&scene.report, "lab")).succeeded();
        assert_eq!(told.json()["files"][0]["size"], SIZE);
        assert_eq!(scene.pending(), 0);
        assert_eq!(scene.campus.submissions().len(), 3);
        let uploads = ["submissions", "uploads", "--json"];
        let uploads = scene.campus.administer_blackboard(&uploads).succeeded();
        assert_eq!(uploads.json(), serde_json::json!([]));
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_cut_off_meanwhile_is_said_and_goes_on() {
    let scene = block_in_place(Scene::new);
    let (mut sending, proxy) = scene.on_its_way().await;
    block_in_place(|| {
        let history = scene.campus.student(&["history", "--ids", ID, "--json"]);
        let history = history.succeeded().json();
        let text = history.to_string();
        assert!(text.contains("report.bin"), "{text}");
        // Its connection ends and nobody listens any more: what was signed stays, and is said to.
        drop(proxy);
        let ended = || sending.try_wait().unwrap().is_some();
        until("it gives up", Duration::from_secs(120), ended);
    });
    assert_eq!(sending.wait().unwrap().code(), Some(4));
    assert_eq!(scene.pending(), 1);
    let told = block_in_place(|| Ran::of(&mut scene.submit(&scene.report, "lab"))).succeeded();
    assert_eq!(told.json()["files"][0]["size"], SIZE);
    assert_eq!(scene.pending(), 0);
}

/// Takes back what is on its way, from the same home.
fn withdraw(scene: &Scene) {
    let history = scene.campus.student(&["history", "--ids", ID, "--json"]);
    let told = history.succeeded().json();
    let id = told["unfinished"][0]["submission_id"].as_str().unwrap();
    let withdraw = ["withdraw", id, "--ids", ID];
    scene.campus.student(&withdraw).succeeded();
    assert_eq!(scene.pending(), 0);
}

/// The upload is told that nothing more of it is sent, whatever is in its place by now.
async fn learns_that_it_was_given_up(scene: &Scene, (sending, proxy): (Child, Proxy)) {
    proxy.sever();
    let ended = block_in_place(|| sending.wait_with_output().unwrap());
    let ran = Ran::from(ended);
    ran.refused(3, "given_up");
    let database = scene.campus.path().join("blackboard/blackboard.db");
    let database = rusqlite::Connection::open(database).unwrap();
    let sql = "SELECT count(*) FROM log_entries WHERE kind = 'committed'";
    let committed: i64 = database.query_one(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(committed, 1, "it is not signed anew");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_withdrawn_is_not_handed_in_by_the_upload_that_still_runs() {
    let scene = block_in_place(Scene::new);
    let upload = scene.on_its_way().await;
    block_in_place(|| withdraw(&scene));
    learns_that_it_was_given_up(&scene, upload).await;
    assert_eq!(scene.pending(), 0);
    assert_eq!(block_in_place(|| scene.campus.submissions()).len(), 0);
    // Whoever wants it after all hands it in anew.
    block_in_place(|| Ran::of(&mut scene.submit(&scene.report, "lab"))).succeeded();
    assert_eq!(block_in_place(|| scene.campus.submissions()).len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_signed_anew_meanwhile_stays_when_the_upload_that_was_withdrawn_ends() {
    let scene = block_in_place(Scene::new);
    let upload = scene.on_its_way().await;
    block_in_place(|| withdraw(&scene));
    let pending = scene.campus.path().join("student/pending");
    let is_there = || fs::read_dir(&pending).unwrap().next().is_some();
    let server = scene.campus.blackboard.address();
    let stall = Fault::Stall(Way::Up, SIZE / 2);
    let second = Proxy::before(&server, stall).await;
    let mut command = scene.submit(&scene.report, "lab");
    command.args(["--blackboard", &second.address]);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let mut again = command.stderr(Stdio::null()).spawn().unwrap();
    block_in_place(|| until("it stalls", LONG, || second.passed(Way::Up) >= SIZE / 2));
    assert!(is_there());

    let (first, proxy) = upload;
    proxy.sever();
    let ended = block_in_place(|| first.wait_with_output().unwrap());
    Ran::from(ended).refused(3, "given_up");
    assert!(is_there(), "it is somebody else's");
    again.kill().unwrap();
    again.wait().unwrap();
    let told = block_in_place(|| Ran::of(&mut scene.submit(&scene.report, "lab"))).succeeded();
    assert_eq!(told.json()["files"][0]["size"], SIZE);
    assert_eq!(scene.pending(), 0);
    assert_eq!(block_in_place(|| scene.campus.submissions()).len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_twice_at_once_gives_one_receipt() {
    let scene = block_in_place(Scene::new);
    let told = block_in_place(|| {
        let start = || {
            let mut command = scene.submit(&scene.report, "lab");
            command.stdin(Stdio::null()).stdout(Stdio::piped());
            command.stderr(Stdio::piped()).spawn().unwrap()
        };
        [start(), start()].map(|child| {
            let ran = Ran::from(child.wait_with_output().unwrap());
            ran.succeeded().json()["submission"].clone()
        })
    });
    assert_eq!(told, ["S-000001", "S-000001"]);
    assert_eq!(scene.campus.submissions().len(), 1);
    assert_eq!(scene.pending(), 0);
}
