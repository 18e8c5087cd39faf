//! What is here is compared with a receipt: by the student's program, and by the script in `docs/`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::campus::{Campus, Ran, python};

const ID: &str = "1155000001";

struct Scene {
    campus: Campus,
    work: PathBuf,
    receipt: String,
    root: String,
}

impl Scene {
    /// `main.c` and the folder `proj` were handed in side by side.
    fn new() -> Self {
        let campus = Campus::sandbox();
        let work = campus.outside().join("work");
        for (name, text) in [
            ("main.c", "int main(void) { return 0; }\n"),
            ("proj/a.txt", "a"),
            ("proj/deep/b.txt", "b"),
        ] {
            let path = work.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let (main, proj) = (work.join("main.c"), work.join("proj"));
        let submit = ["submit", "--ids", ID, "--json"].map(Path::new);
        let told = campus.student(&[&submit[..], &[&main, &proj]].concat());
        let told = told.succeeded().json();
        let receipt = told["receipt"].as_str().unwrap().to_owned();
        let shown = campus.student(&["verify", &receipt]).succeeded().stdout;
        let root = shown
            .lines()
            .find_map(|line| line.strip_prefix("root       SHA-256 "));
        Self {
            root: root.unwrap().to_owned(),
            work,
            receipt,
            campus,
        }
    }

    fn ours(&self, names: &[&str]) -> Ran {
        let paths = names.iter().map(|name| self.work.join(name));
        let paths: Vec<_> = paths
            .map(|path| path.to_str().unwrap().to_owned())
            .collect();
        let mut arguments = vec!["verify", &self.receipt];
        arguments.extend(paths.iter().map(String::as_str));
        self.campus.student(&arguments)
    }

    /// Its exit code and its last line; nothing without Python.
    fn theirs(&self, names: &[&str]) -> Option<(i32, String)> {
        let mut python = python()?;
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/verify_receipt.py");
        python.current_dir(&self.work);
        python.args([script, &self.receipt, &self.root]).args(names);
        let ran = Ran::of(&mut python);
        let last = ran.stdout.lines().last().unwrap_or_default().to_owned();
        Some((ran.exit.unwrap(), last))
    }
}

#[test]
fn several_files_and_folders_are_compared_at_once_by_both() {
    let scene = Scene::new();
    for (names, told) in [
        (&["main.c", "proj"][..], "these files, all 3,"),
        (&["main.c", "proj/a.txt"], "these files, 2 of 3,"),
        (&["proj"], "these files, 2 of 3,"),
        (&["."], "this folder"),
        (&["main.c"], "this file, one of 3,"),
    ] {
        let ours = scene.ours(names).succeeded().stdout;
        assert!(
            ours.contains(&format!("handed in {told}")),
            "{names:?}: {ours}"
        );
        if let Some((exit, verdict)) = scene.theirs(names) {
            assert_eq!(exit, 0, "{names:?}: {verdict}");
            assert!(verdict.starts_with("verdict    it verifies: "), "{verdict}");
        }
    }
}

#[test]
fn what_is_another_or_cannot_be_read_is_said_and_the_receipt_is_good_all_the_same() {
    let scene = Scene::new();
    fs::write(scene.work.join("proj/a.txt"), "another").unwrap();
    fs::rename(scene.work.join("proj/deep"), scene.work.join("proj/c")).unwrap();
    for (names, exit, theirs) in [
        (
            &["main.c", "proj"][..],
            3,
            "but NOT for proj: 'a.txt' is another, ",
        ),
        (
            &["proj/a.txt", "main.c"],
            3,
            "but NOT for proj/a.txt: it was not handed in",
        ),
        (&["main.c", "mian.c"], 5, "but mian.c could not be read: "),
    ] {
        let ours = scene.ours(names);
        assert_eq!(ours.exit, Some(exit), "{ours:#?}");
        let last = ours.stdout.lines().last().unwrap();
        assert!(
            last.starts_with("verdict    the receipt verifies"),
            "{last}"
        );
        if let Some((exit, verdict)) = scene.theirs(names) {
            assert_eq!(exit, 1, "{names:?}: {verdict}");
            let told = format!("verdict    the receipt verifies, {theirs}");
            assert!(verdict.starts_with(&told), "{names:?}: {verdict}");
        }
    }
}

#[test]
fn a_folder_that_has_another_name_by_now_is_told_as_such_by_both() {
    let scene = Scene::new();
    fs::rename(scene.work.join("proj"), scene.work.join("proj2")).unwrap();
    let only = "only its own name differs, these very files were handed in as the folder proj";
    let ours = scene.ours(&["proj2"]);
    assert_eq!(ours.exit, Some(3), "{ours:#?}");
    assert!(ours.stderr.contains(only), "{ours:#?}");
    assert!(!ours.stderr.contains("missing"), "{ours:#?}");
    let verdict = |told: &str| {
        scene
            .theirs(&["proj2"])
            .is_none_or(|(_, last)| last.contains(told))
    };
    assert!(verdict(only));
    // What differs in it is named as ever.
    fs::write(scene.work.join("proj2/a.txt"), "another").unwrap();
    let ours = scene.ours(&["proj2"]);
    assert!(!ours.stderr.contains(only), "{ours:#?}");
    assert!(
        verdict("but NOT for proj2: ")
            && scene
                .theirs(&["proj2"])
                .is_none_or(|(_, last)| !last.contains(only))
    );
}
