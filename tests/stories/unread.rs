//! What is too large, of another kind or not open is refused before it is read; and by nobody but Blackboard as it is
//! now.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;

use crate::audit::until;
use crate::campus::{Ran, program};
use crate::several_files::{ID, Scene};

impl Scene {
    /// A file of so many bytes that takes no room.
    fn sparse(&self, name: &str, bytes: u64) -> PathBuf {
        let path = self.work.join(name);
        File::create(&path).unwrap().set_len(bytes).unwrap();
        path
    }

    /// As [`Scene::refused`], and next to nothing of the files was read.
    #[track_caller]
    fn refused_unread(&self, paths: &[&Path], assignment: &str, code: &str) -> String {
        let (ran, read) = self.tried(paths, assignment);
        let error = ran.refused(3, code);
        assert!(read < 8 << 20, "{read} bytes were read");
        assert!(error["remedy"].is_string(), "{error:#}");
        error["message"].as_str().unwrap().to_owned()
    }

    /// What has come of it, and how many bytes were read.
    fn tried(&self, paths: &[&Path], assignment: &str) -> (Ran, u64) {
        let mut command = program("student");
        command.arg("--sandbox").arg(self.campus.path());
        command.args(["submit", "--ids", ID, "--json", "--course", "SANDBOX"]);
        command.args(["--assignment", assignment]).args(paths);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        let read = bytes_read_by(child.id());
        (Ran::from(child.wait_with_output().unwrap()), read)
    }
}

/// Bytes that a process has read by the time it ends. It is still to be waited for.
fn bytes_read_by(process: u32) -> u64 {
    let about = |what: &str| fs::read_to_string(format!("/proc/{process}/{what}")).unwrap();
    let ended = || about("stat").rsplit_once(')').unwrap().1.starts_with(" Z");
    until(ended, "it ends");
    let io = about("io");
    let read = io.lines().find_map(|line| line.strip_prefix("rchar: "));
    read.unwrap().parse().unwrap()
}

#[test]
fn twenty_gibibytes_are_refused_unread_at_the_first_contact() {
    let mut scene = Scene::new();
    let huge = scene.sparse("huge.bin", 20 << 30);
    let told = scene.refused_unread(&[&huge], "lab", "content_too_large");
    for said in ["file: huge.bin", "bytes: 21474836480", "limit: 536870912"] {
        assert!(told.contains(said), "{told}");
    }
    // By now the limit is known, and Blackboard is asked all the same.
    scene.refused_unread(&[&huge], "lab", "content_too_large");
    assert_eq!(scene.campus.submissions(), Vec::<Value>::new());
    scene.campus.blackboard.kill();
    let (error, read) = scene.tried(&[&huge], "lab");
    error.refused(4, "connection_failed");
    assert!(read < 8 << 20, "{read} bytes were read");
}

#[test]
fn what_blackboard_took_when_it_was_last_asked_is_not_believed_for_ever() {
    let mut scene = Scene::new();
    let config = scene.campus.path().join("blackboard/config.toml");
    let usual = fs::read_to_string(&config).unwrap();
    let mistaken = usual.replace("max_bytes = 536870912", "max_bytes = 5");
    assert_ne!(mistaken, usual);
    let report = scene.write("report.pdf", "the report");
    for (text, says) in [
        (&mistaken, "limit: 5"),
        (&mistaken, "limit: 5"),
        (&usual, ""),
    ] {
        fs::write(&config, text).unwrap();
        scene.campus.restart_blackboard();
        let told = scene.submit(&[&report]);
        match says {
            "" => drop(told.succeeded()),
            says => {
                let error = told.refused(3, "content_too_large");
                assert!(error["message"].as_str().unwrap().contains(says), "{error}");
            }
        }
    }
    assert_eq!(scene.campus.submissions().len(), 1);
}

#[test]
fn what_is_not_open_is_refused_unread() {
    let scene = Scene::new();
    for (name, opens, due, code) in [
        (
            "later",
            "2099-01-01T00:00:00Z",
            "2099-12-31T23:59:59Z",
            "assignment_not_open",
        ),
        (
            "over",
            "2020-01-01T00:00:00Z",
            "2020-12-31T23:59:59Z",
            "assignment_closed",
        ),
    ] {
        let add = ["assignment", "add", "--course", "SANDBOX", "--title", name];
        let rules = ["--opens", opens, "--due", due];
        let add = scene
            .campus
            .administer_blackboard(&[&add[..], &rules].concat());
        add.succeeded();
        let report = scene.sparse("report.pdf", 200_000_000);
        let told = scene.refused_unread(&[&report], name, code);
        assert!(told.contains(&format!("assignment: {name}")), "{told}");
    }
    assert_eq!(scene.campus.submissions(), Vec::<Value>::new());
}

#[test]
fn what_the_assignment_does_not_take_is_refused_unread() {
    let scene = Scene::new();
    let add = [
        "assignment",
        "add",
        "--course",
        "SANDBOX",
        "--title",
        "essay",
        "--due",
        "2099-12-31T23:59:59Z",
    ];
    let limits = [
        "--group-size",
        "1",
        "--max-bytes",
        "100000000",
        "--accept",
        "pdf,zip",
    ];
    let add = scene
        .campus
        .administer_blackboard(&[&add[..], &limits].concat());
    add.succeeded();

    let video = scene.sparse("video.mp4", 50_000_000);
    let told = scene.refused_unread(&[&video], "essay", "file_type");
    assert!(told.contains("file: video.mp4"), "{told}");
    assert!(told.contains("expected: pdf, zip"), "{told}");
    fs::remove_file(video).unwrap();

    let (one, two) = (
        scene.sparse("src/one.zip", 60_000_000),
        scene.sparse("two.pdf", 60_000_001),
    );
    let told = scene.refused_unread(&[&one, &two], "essay", "content_too_large");
    let folder = scene.refused_unread(&[&scene.work], "essay", "content_too_large");
    for told in [told, folder] {
        for said in [
            "bytes: 120000001",
            "limit: 100000000",
            "file: two.pdf",
            "files: 2",
        ] {
            assert!(told.contains(said), "{told}");
        }
    }
    assert_eq!(scene.campus.submissions(), Vec::<Value>::new());

    let essay = [
        "submit",
        "--ids",
        ID,
        "--course",
        "SANDBOX",
        "--assignment",
        "essay",
    ];
    let taken = scene
        .campus
        .student(&[&essay[..], &[one.to_str().unwrap()]].concat());
    let told = taken.succeeded().stdout;
    assert_eq!(told.matches("session key confirmed").count(), 1, "{told}");
}
