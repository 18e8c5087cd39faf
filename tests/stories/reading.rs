//! What was handed in is listed for its members and comes back to them, and to nobody else.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::campus::{Campus, Ran};

const ALONE: &str = "1155000001";
const OTHER: &str = "1155000003";

/// A campus on which one student has handed in a folder.
struct Scene {
    campus: Campus,
    work: PathBuf,
    receipt: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let campus = Campus::sandbox();
        let work = campus.outside().join("work");
        fs::create_dir_all(work.join("src/報告")).unwrap();
        fs::write(work.join("report.pdf"), "the report".repeat(100_000)).unwrap();
        fs::write(work.join("src/empty.h"), "").unwrap();
        fs::write(work.join("src/報告/最終.txt"), "完").unwrap();
        let submit = ["submit", "--ids", ALONE, "--json", work.to_str().unwrap()];
        let told = campus.student(&submit).succeeded().json();
        let receipt = told["receipt"].as_str().unwrap().into();
        Self {
            campus,
            work,
            receipt,
        }
    }

    fn student(&self, arguments: &[&str]) -> Ran {
        self.campus.student(arguments)
    }

    fn download(&self, number: &str, to: &Path, ids: &str) -> Ran {
        let to = to.to_str().unwrap();
        self.student(&["download", number, "--to", to, "--ids", ids, "--json"])
    }

    fn to(&self, name: &str) -> PathBuf {
        self.campus.outside().join(name)
    }

    fn history(&self, ids: &str) -> Vec<Value> {
        let told = self.student(&["history", "--ids", ids, "--json"]);
        told.succeeded().json()["versions"]
            .as_array()
            .unwrap()
            .clone()
    }
}

#[test]
fn every_version_is_listed_with_which_one_counts() {
    let scene = Scene::new();
    let report = scene.work.join("report.pdf");
    let both = format!("{ALONE},1155000002");
    let submit = ["submit", "--ids", &both, report.to_str().unwrap()];
    scene.student(&submit).succeeded();
    let versions = scene.history(ALONE);
    let numbers: Vec<_> = versions.iter().map(|one| &one["submission"]).collect();
    assert_eq!(numbers, ["S-000001", "S-000002"]);
    let counts: Vec<_> = versions
        .iter()
        .map(|one| &one["standings"][0]["counts"])
        .collect();
    assert_eq!(counts, [false, true]);
    assert_eq!(versions[0]["files"][2]["name"], "src/報告/最終.txt");
    assert_eq!(versions[0]["receipt_pending"], false);
    assert_eq!(scene.history("1155000002").len(), 1);
    let told = scene
        .student(&["history", "--ids", ALONE])
        .succeeded()
        .stdout;
    assert!(told.contains("report.pdf, 1,000,000 bytes"), "{told}");
    assert!(told.contains("counts; on time"), "{told}");
    assert!(told.contains("receipt   complete"), "{told}");
    let chinese = scene.student(&["history", "--ids", ALONE, "--lang", "zh-Hant"]);
    let chinese = chinese.succeeded().stdout;
    for told in [
        "檔案      report.pdf, 1,000,000 位元組",
        "計算在內；準時",
        "收據      完整",
    ] {
        assert!(chinese.contains(told), "{told}: {chinese}");
    }
}

#[test]
fn what_was_handed_in_comes_back_with_its_folders() {
    let scene = Scene::new();
    let to = scene.to("back");
    for _ in 0..2 {
        let told = scene.download("S-000001", &to, ALONE).succeeded().json();
        assert_eq!(told["files"].as_array().unwrap().len(), 3);
    }
    for name in ["report.pdf", "src/empty.h", "src/報告/最終.txt"] {
        let (from, back) = (scene.work.join(name), to.join(name));
        assert_eq!(fs::read(from).unwrap(), fs::read(back).unwrap(), "{name}");
    }
    let report = to.join("report.pdf");
    fs::write(&report, "mine").unwrap();
    scene.download("1", &to, ALONE).refused(2, "target_taken");
    assert_eq!(fs::read(&report).unwrap(), b"mine");
}

#[test]
fn an_older_version_comes_back_as_it_was_after_newer_ones() {
    let scene = Scene::new();
    let report = scene.work.join("report.pdf");
    let submit = [
        "submit",
        "--ids",
        ALONE,
        "--json",
        scene.work.to_str().unwrap(),
    ];
    for (number, content) in [("S-000002", "the second"), ("S-000003", "the third")] {
        fs::write(&report, content).unwrap();
        let told = scene.student(&submit).succeeded().json();
        assert_eq!(told["submission"], number);
    }
    fs::remove_file(&report).unwrap();
    let first = "the report".repeat(100_000);
    for (number, content) in [
        ("S-000001", first.as_str()),
        ("S-000003", "the third"),
        ("S-000002", "the second"),
    ] {
        let to = scene.to(number);
        let told = scene.download(number, &to, ALONE).succeeded().json();
        assert_eq!(told["submission"], number, "{told:#}");
        assert!(fs::read_to_string(to.join("report.pdf")).unwrap() == content);
        let small = fs::read_to_string(to.join("src/報告/最終.txt"));
        assert_eq!(small.unwrap(), "完");
    }
}

#[test]
fn receipts_that_are_not_here_are_fetched() {
    let scene = Scene::new();
    let kept = fs::read(&scene.receipt).unwrap();
    fs::remove_file(&scene.receipt).unwrap();
    let none = scene.student(&["receipts", "--json"]).succeeded().json();
    assert_eq!(none["receipts"].as_array().unwrap().len(), 0);
    let told = scene.student(&["receipts", "--fetch", "--json"]);
    let told = told.succeeded().json();
    assert_eq!(told["receipts"][0]["submission"], "S-000001");
    assert_eq!(told["receipts"][0]["verified"], true);
    let fetched = fs::read(&scene.receipt).unwrap();
    assert!(fetched == kept, "another receipt");
}

#[test]
fn what_others_handed_in_is_answered_as_what_is_not_there() {
    let scene = Scene::new();
    // Enrols the other one.
    let report = scene.work.join("report.pdf");
    let submit = ["submit", "--ids", OTHER, report.to_str().unwrap()];
    scene.student(&submit).succeeded();
    let to = scene.to("none");
    let told = |number: &str| {
        let ran = scene.download(number, &to, OTHER);
        let error = ran.refused(3, "submission_unknown").to_string();
        error.replace(number, "NUMBER")
    };
    assert_eq!(told("S-000001"), told("S-000099"));
    assert!(!to.exists());
}

/// The stored files of a campus.
fn stored(campus: &Campus) -> Vec<PathBuf> {
    let below = |path: PathBuf| {
        fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().path())
    };
    let folders = below(campus.path().join("blackboard/content"));
    let folders = folders.filter(|path| path.is_dir() && path.file_name().unwrap().len() == 2);
    folders.flat_map(below).collect()
}

#[test]
fn a_file_that_was_altered_is_not_given_back() {
    let scene = Scene::new();
    let is_report = |path: &&PathBuf| fs::metadata(path).unwrap().len() == 1_000_000;
    let stored = stored(&scene.campus);
    let report = stored.iter().find(is_report).unwrap();
    let mut bytes = fs::read(report).unwrap();
    bytes[999_999] ^= 1;
    fs::write(report, bytes).unwrap();
    let to = scene.to("back");
    scene
        .download("S-000001", &to, ALONE)
        .refused(5, "stored_damaged");
    assert!(!to.join("report.pdf").exists());
    let found = scene.campus.administer_blackboard(&["fsck", "--json"]);
    assert_eq!(found.json()["findings"][0]["code"], "content_altered");
}
