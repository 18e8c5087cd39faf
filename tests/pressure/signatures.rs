//! A cosigner's signature is recorded, and Blackboard is killed before he has its answer.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tokio::task::block_in_place;

use crate::campus::{Campus, LONG, Ran, program};
use crate::process::until;
use crate::proxy::{Fault, Proxy, Way};

const SIDS: [&str; 3] = ["1155000001", "1155000002", "1155000003"];
/// Fewer bytes than the answer to a signature has, by more than what signatures differ in length.
const ANSWER: usize = 60;

/// A campus, and three students with a machine each.
struct Scene {
    campus: Campus,
}

impl Scene {
    fn new() -> Self {
        let scene = Self {
            campus: Campus::sandbox(),
        };
        let codes = scene.campus.path().join("codes.csv");
        let codes = codes.to_str().unwrap();
        for sid in SIDS {
            scene
                .on(sid, &["enrol", "--ids", sid, "--codes", codes])
                .succeeded();
        }
        scene
    }

    fn home(&self, sid: &str) -> PathBuf {
        self.campus.outside().join(sid)
    }

    fn on(&self, sid: &str, arguments: &[&str]) -> Ran {
        let run = || self.campus.student_elsewhere(&self.home(sid), arguments);
        block_in_place(run)
    }

    /// The first one proposes for all; the submission ID.
    fn propose(&self, text: &str) -> String {
        let report = self.campus.outside().join("report.pdf");
        std::fs::write(&report, text).unwrap();
        let (with, report) = (SIDS[1..].join(","), report.to_str().unwrap());
        let submit = [
            "submit", "--ids", SIDS[0], "--with", &with, report, "--json",
        ];
        let told = self.on(SIDS[0], &submit).succeeded().json();
        told["submission_id"].as_str().unwrap().to_owned()
    }

    /// The second one's command, through a proxy.
    fn through(&self, proxy: &Proxy, arguments: &[&str]) -> Command {
        let arguments = [arguments, &["--blackboard", &proxy.address]].concat();
        let home = self.home(SIDS[1]);
        let mut command = program("student");
        command.arg("--home").arg(home).args(arguments);
        command
    }

    /// Bytes that come down over the last connection of the second one's signing, undisturbed.
    async fn down(&self, submission: &str) -> usize {
        let proxy = Proxy::before(&self.campus.blackboard.address(), Fault::None).await;
        let mut signing = self.through(&proxy, &["cosign", "--yes", submission]);
        block_in_place(|| Ran::of(&mut signing).succeeded());
        proxy.passed_last(Way::Down)
    }

    /// Signatures that are recorded of a proposal.
    fn recorded(&self, submission: &str) -> i64 {
        let database = self.campus.path().join("blackboard/blackboard.db");
        let database = rusqlite::Connection::open(database).unwrap();
        let sql =
            "SELECT count(*) FROM cosigners WHERE said = 'signed' AND lower(hex(submission)) = ?";
        let mut query = database.prepare(sql).unwrap();
        query.query_one([submission], |row| row.get(0)).unwrap()
    }

    fn said(&self, submission: &str) -> Vec<Value> {
        let listed = self.on(SIDS[2], &["cosign", "--json"]).succeeded().json();
        let proposals = listed["proposals"].as_array().unwrap();
        let one = proposals
            .iter()
            .find(|one| one["submission_id"] == submission);
        let members = one.unwrap()["members"].as_array().unwrap();
        members.iter().map(|one| one["said"].clone()).collect()
    }
}

fn started(mut command: Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command.stderr(Stdio::piped()).spawn().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signature_whose_answer_a_kill_swallowed_is_there_after_the_restart() {
    let mut scene = Scene::new();
    // The list comes over the first connection, the answer to the signature ends the last.
    let mut least = usize::MAX;
    for text in ["one report", "two reports"] {
        let first = scene.propose(text);
        least = least.min(scene.down(&first).await);
    }

    let id = scene.propose("another report");
    let server = scene.campus.blackboard.address();
    let stall = Fault::Stall(Way::Down, least - ANSWER);
    let proxy = Proxy::before_some(&server, stall, 1..usize::MAX).await;
    let mut signing = started(scene.through(&proxy, &["cosign", "--yes", &id, "--json"]));
    block_in_place(|| until("it is recorded", LONG, || scene.recorded(&id) == 2));
    let ended = signing.try_wait().unwrap();
    assert_eq!(ended, None, "nobody has told him ({least} bytes)");
    scene.campus.blackboard.kill();
    drop(proxy);
    let lost = block_in_place(|| signing.wait_with_output().unwrap());
    Ran::from(lost).refused(4, "connection_lost");
    block_in_place(|| scene.campus.start_blackboard_again());

    assert_eq!(scene.said(&id), ["signed", "signed", "nothing"]);
    let again = scene.on(SIDS[1], &["cosign", "--yes", &id]).succeeded();
    assert!(again.stdout.contains("waits for 1155000003"), "{again:#?}");
    assert_eq!(scene.recorded(&id), 2, "and nothing is recorded twice");
    let last = scene.on(SIDS[2], &["cosign", "--yes", &id]).succeeded();
    assert!(last.stdout.contains("S-000001.zip"), "{last:#?}");
    let fsck = || scene.campus.administer_blackboard(&["fsck"]).succeeded();
    block_in_place(fsck);
}
