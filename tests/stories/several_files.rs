//! Several files or a folder in one hand-in, and what cannot be handed in.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::campus::{ByHand, Campus, Ran, python};

pub(crate) const ID: &str = "1155000001";

/// A campus and a folder beside it.
pub(crate) struct Scene {
    pub(crate) campus: Campus,
    pub(crate) work: PathBuf,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let campus = Campus::sandbox();
        let work = campus.outside().join("work");
        fs::create_dir_all(work.join("src/報告")).unwrap();
        Self { campus, work }
    }

    pub(crate) fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.work.join(name);
        fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn submit(&self, paths: &[&Path]) -> Ran {
        let mut arguments = vec!["submit".into(), "--ids".into(), ID.into(), "--json".into()];
        arguments.extend(paths.iter().map(|path| path.as_os_str().to_owned()));
        self.campus.student(&arguments)
    }

    /// Refused here, with words about what to do; nothing has reached Blackboard.
    #[track_caller]
    fn refused(&self, paths: &[&Path], exit: i32, code: &str) -> Value {
        let error = self.submit(paths).refused(exit, code);
        assert!(error["remedy"].is_string(), "{error:#}");
        error
    }
}

fn names(told: &Value) -> Vec<&str> {
    let files = told["files"].as_array().unwrap().iter();
    files.map(|file| file["name"].as_str().unwrap()).collect()
}

#[test]
fn a_folder_is_handed_in_listed_exported_and_verified() {
    let scene = Scene::new();
    let report = scene.write("report.pdf", "the report");
    scene.write("src/main.c", "int main(void) { return 0; }\n");
    scene.write("src/empty.h", "");
    scene.write("src/報告/最終.txt", "完");
    let told = scene.submit(&[&scene.work]).succeeded().json();
    let expected = [
        "report.pdf",
        "src/empty.h",
        "src/main.c",
        "src/報告/最終.txt",
    ];
    assert_eq!(names(&told), expected);

    let listed = scene.campus.administer_blackboard(&["submissions", "list"]);
    let listed = listed.succeeded().stdout;
    assert!(listed.contains("report.pdf and 3 more"), "{listed}");
    let out = scene.campus.outside().join("out");
    let export = ["submissions", "export", out.to_str().unwrap(), "--json"];
    let exported = scene
        .campus
        .administer_blackboard(&export)
        .succeeded()
        .json();
    assert_eq!(names(&exported[0]), expected);
    for name in expected {
        let (from, to) = (scene.work.join(name), out.join("S-000001").join(name));
        assert_eq!(fs::read(from).unwrap(), fs::read(to).unwrap(), "{name}");
    }

    let receipt = told["receipt"].as_str().unwrap();
    let verify = |file: &Path| {
        let file = file.to_str().unwrap();
        scene.campus.student(&["verify", receipt, file])
    };
    let verified = verify(&report).succeeded().stdout;
    assert!(verified.contains("this file, one of 4,"), "{verified}");
    let folder = verify(&scene.work).succeeded().stdout;
    assert!(folder.contains("handed in this folder"), "{folder}");
    fs::write(&report, "another report").unwrap();
    assert_eq!(verify(&report).exit, Some(3));
    fs::rename(scene.work.join("src/main.c"), scene.work.join("src/mine.c")).unwrap();
    let folder = verify(&scene.work);
    assert_eq!(folder.exit, Some(3), "{folder:#?}");
    let differences = "report.pdf is another, src/main.c is missing, src/mine.c was not handed in";
    assert!(folder.stderr.contains(differences), "{folder:#?}");
    assert!(
        folder.stdout.contains("but NOT for this folder"),
        "{folder:#?}"
    );
}

#[test]
fn files_and_folders_side_by_side_keep_the_folders_names() {
    let scene = Scene::new();
    let report = scene.write("report.pdf", "the report");
    scene.write("src/main.c", "int main(void) { return 0; }\n");
    let paths = [report.as_path(), &scene.work.join("src")];
    let told = scene.submit(&paths).succeeded().json();
    assert_eq!(names(&told), ["report.pdf", "src/main.c"]);
    // What is named on the command line is handed in, and --report says the same again.
    let both = ["submit", "--report", "x", "y"];
    assert_eq!(scene.campus.student(&both).exit, Some(2));
}

#[test]
fn what_was_handed_in_is_named_and_so_is_what_a_folder_hides() {
    let scene = Scene::new();
    let report = scene.write("report.pdf", "the report");
    fs::create_dir(scene.work.join(".git")).unwrap();
    for hidden in [".env", ".git/HEAD", ".git/config"] {
        scene.write(hidden, hidden);
    }
    scene.write("src/main.c", "int main(void) { return 0; }\n");
    scene.write("src/main.h", "");
    let submit = |path: &Path| {
        let path = path.to_str().unwrap();
        let told = scene.campus.student(&["submit", "--ids", ID, path]);
        told.succeeded().stdout
    };
    let told = submit(&report);
    assert!(told.ends_with("files    report.pdf\n"), "{told}");
    let told = submit(&scene.work);
    let named = ".env, .git/HEAD, .git/config, report.pdf, src/main.c and 1 more";
    let line = format!("files    {named} (3 hidden, with a dot in front)\n");
    assert!(told.ends_with(&line), "{told}");
}

/// Somebody would be graded for a text that stands in for a report in class.
#[test]
fn a_forgotten_file_is_asked_for_outside_a_sandbox() {
    let by_hand = ByHand::new();
    let nobody = ["--cuhk", "127.0.0.1:1", "--blackboard", "127.0.0.1:1"];
    for (with, exit, code) in [(&[][..], 2, "report_missing"), (&["x.pdf"], 5, "report")] {
        let submit = [&nobody, &["submit", "--ids", ID, "--json"][..], with].concat();
        by_hand.student(&submit).refused(exit, code);
    }
    let asked = [&nobody, &["submit", "--ids", ID][..]].concat();
    let asked = by_hand.student(&asked);
    assert_eq!(asked.exit, Some(2), "{asked:#?}");
    assert!(
        asked.stderr.contains("name what is handed in"),
        "{asked:#?}"
    );
}

#[test]
fn what_cannot_be_handed_in_is_told_before_anything_is_sent() {
    let scene = Scene::new();
    let folder = scene.work.as_path();
    scene.refused(&[folder], 2, "report_empty");
    scene.refused(&[&folder.join("missing")], 5, "report");
    let empty = scene.write("empty.pdf", "");
    scene.refused(&[&empty], 2, "report_empty");
    fs::remove_file(&empty).unwrap();

    scene.write("a.txt", "a");
    std::os::unix::fs::symlink("/etc/passwd", folder.join("src/link")).unwrap();
    scene.refused(&[folder], 2, "report_link");
    fs::remove_file(folder.join("src/link")).unwrap();

    let pipe = folder.join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    scene.refused(&[&pipe], 5, "report");
    scene.refused(&[folder], 5, "report");
    fs::remove_file(&pipe).unwrap();

    let newline = scene.write("two\nlines", "x");
    let error = scene.refused(&[folder], 2, "report");
    assert!(
        !error["message"].as_str().unwrap().contains('\n'),
        "{error}"
    );
    fs::remove_file(newline).unwrap();

    let reordered = scene.write("report\u{202e}fdp.exe", "x");
    let error = scene.refused(&[&reordered], 2, "report").to_string();
    assert!(error.contains("reorders or hides text"), "{error}");
    assert!(!error.contains('\u{202e}'), "{error}");
    fs::remove_file(reordered).unwrap();

    let capital = scene.write("A.TXT", "A");
    scene.refused(&[folder], 2, "report_names");
    let twice = scene.refused(&[&capital, folder, &capital], 2, "report_names");
    assert!(
        twice["message"]
            .as_str()
            .unwrap()
            .ends_with("A.TXT is named twice"),
        "{twice}"
    );
    fs::remove_file(capital).unwrap();

    for n in 0..100 {
        scene.write(&format!("n{n}"), "x");
    }
    let error = scene.refused(&[folder], 2, "report_too_many");
    assert!(error["remedy"].as_str().unwrap().contains("ZIP"), "{error}");
    assert_eq!(scene.campus.submissions(), Vec::<Value>::new());
    let uploads = ["submissions", "uploads", "--json"];
    let uploads = scene.campus.administer_blackboard(&uploads).succeeded();
    assert_eq!(uploads.json(), json!([]));
}

/// Packs a file as `lab/key.pem` behind a large one.
const PACK: &str = r#"
import sys, zipfile
how = zipfile.ZIP_DEFLATED if sys.argv[3:] else zipfile.ZIP_STORED
with zipfile.ZipFile(sys.argv[1], "w", how) as packed:
    packed.writestr("large.bin", bytes(range(256)) * 1000)
    packed.write(sys.argv[2], "lab/key.pem")
"#;

#[test]
fn nobody_hands_in_what_lies_in_a_home_or_a_private_key_that_is_not_meant() {
    let scene = Scene::new();
    let report = scene.write("report.pdf", "the report");
    scene.submit(&[&report]).succeeded();
    let home = scene.campus.path().join("student");
    let key = home.join("students").join(ID).join("key.pem");
    let linked = scene.work.join("linked");
    std::os::unix::fs::symlink(&key, &linked).unwrap();
    let flag = Path::new("--with-private-keys");
    for named in [
        home.as_path(),
        &key,
        &linked,
        &home.join("students"),
        scene.campus.path().as_ref(),
    ] {
        for flags in [&[][..], &[flag]] {
            let paths = [&[named], flags].concat();
            let error = scene.refused(&paths, 2, "report_home");
            let message = error["message"].as_str().unwrap();
            assert!(message.contains("nothing was sent"), "{message}");
        }
    }
    fs::remove_file(&linked).unwrap();

    // A copy of one's own is handed in by no flag, however its lines end.
    let own = fs::read_to_string(&key).unwrap();
    let copy = scene.write("src/copy.txt", &own.replace('\n', "\r\n"));
    for flags in [&[][..], &[flag]] {
        let paths = [&[scene.work.as_path()], flags].concat();
        let error = scene.refused(&paths, 3, "own_private_key");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("src/copy.txt"), "{message}");
    }
    // Nor as openssl writes it, in PEM or DER, nor packed with other things.
    let written = |how: &[&str], form: &str| {
        let mut openssl = Command::new("openssl");
        openssl
            .args(how)
            .arg("-in")
            .arg(&key)
            .args(["-outform", form, "-out"]);
        assert!(openssl.arg(&copy).status().unwrap().success());
        let error = scene.refused(&[&scene.work, flag], 3, "own_private_key");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("src/copy.txt holds"), "{message}");
    };
    for form in ["PEM", "DER"] {
        written(&["pkey"], form);
        written(&["ec"], form);
    }
    if let Some(mut python) = python() {
        let packed = scene.work.join("src/packed.zip");
        python.arg("-c").arg(PACK).args([&packed, &copy]);
        assert!(python.status().unwrap().success());
        fs::write(&copy, "nothing").unwrap();
        let error = scene.refused(&[&scene.work, flag], 3, "own_private_key");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("src/packed.zip holds"), "{message}");
        // What is compressed is asked about by its name.
        let mut python = crate::campus::python().unwrap();
        python
            .arg("-c")
            .arg(PACK)
            .args([&packed, &copy])
            .arg("compressed");
        assert!(python.status().unwrap().success());
        scene.refused(&[&scene.work], 3, "private_keys");
        fs::remove_file(&packed).unwrap();
    }
    // One that is made for the exercise is asked about; the words about one are not.
    let line = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg";
    let made = format!("-----BEGIN PRIVATE KEY-----\n{line}\n-----END PRIVATE KEY-----\n");
    fs::write(&copy, made).unwrap();
    scene.write(
        "src/notes.md",
        "It begins with -----BEGIN PRIVATE KEY-----.\n",
    );
    let error = scene.refused(&[&scene.work], 3, "private_keys");
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains("src/copy.txt holds a private key"),
        "{message}"
    );
    assert!(!message.contains("notes.md"), "{message}");
    let arguments = [
        "submit",
        "--ids",
        ID,
        "--lang",
        "zh-Hant",
        scene.work.to_str().unwrap(),
    ];
    let chinese = scene.campus.student(&arguments).stderr;
    assert!(chinese.contains("src/copy.txt 載有私人金鑰"), "{chinese}");
    assert_eq!(scene.campus.submissions().len(), 1);
    let told = scene.submit(&[&scene.work, flag]).succeeded().json();
    assert_eq!(names(&told), ["report.pdf", "src/copy.txt", "src/notes.md"]);
}

#[test]
fn a_hundred_thousand_files_in_one_folder_are_refused_with_what_to_do() {
    let scene = Scene::new();
    for n in 0..100_000 {
        File::create(scene.work.join(n.to_string())).unwrap();
    }
    let began = Instant::now();
    let error = scene.refused(&[&scene.work], 2, "report_too_many");
    // Nobody waits until all of them are sorted.
    assert!(began.elapsed() < Duration::from_secs(10));
    assert!(error["remedy"].as_str().unwrap().contains("ZIP"), "{error}");
}
