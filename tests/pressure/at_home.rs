//! While files are on their way, which may take hours, their student can do everything else from the same home.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::task::block_in_place;

use crate::campus::{Campus, Ran, program};
use crate::process::until;
use crate::proxy::{Fault, Proxy, Way};

const SIZE: usize = 8 << 20;
const ID: &str = "1155000001";
/// How long a part may take to come.
const SOON: Duration = Duration::from_secs(60);
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
        let child = command.stderr(Stdio::null()).spawn().unwrap();
        let half = || proxy.passed(Way::Up) >= SIZE / 2;
        block_in_place(|| until("it stalls", SOON, half));
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
