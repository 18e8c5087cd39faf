//! Everything of an assignment in one file, and the proof that nothing was left out.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::campus::{Campus, Ran, SAMPLE, copy, judge, program, python, version};
use crate::witness::{home, put_back, until_seen};

const OF: [&str; 4] = ["--course", "SANDBOX", "--assignment", "lab"];

/// A campus to which a group and one of its members alone have handed in.
fn campus() -> Campus {
    let campus = Campus::sandbox();
    let folder = campus.outside().join("work");
    fs::create_dir_all(folder.join("src")).unwrap();
    fs::write(folder.join("report.pdf"), "the report").unwrap();
    fs::write(folder.join("src/=cmd.c"), "int main;").unwrap();
    fs::write(folder.join("src/.clang-format"), "Language: Cpp").unwrap();
    let folder = folder.to_str().unwrap();
    campus
        .student(&["submit", "--ids", SAMPLE, folder])
        .succeeded();
    let alone = version(campus.outside());
    campus
        .student(&["submit", "--ids", "1155000001", &alone])
        .succeeded();
    campus
}

pub(crate) fn archive(campus: &Campus, path: &Path) -> Ran {
    let mut arguments = vec!["submissions", "archive", path.to_str().unwrap(), "--json"];
    arguments.extend(OF);
    arguments.push("--replace");
    campus.administer_blackboard(&arguments)
}

fn close(campus: &Campus) {
    let arguments = ["assignment", "close", "lab", "--course", "SANDBOX", "--yes"];
    campus.administer_blackboard(&arguments).succeeded();
}

pub(crate) fn verify(campus: &Campus, path: &Path) -> Ran {
    campus.student(&["verify", path.to_str().unwrap()])
}

/// What the script in `docs/` says of it; nothing where it cannot run.
pub(crate) fn by_python(campus: &Campus, path: &Path) -> Option<Ran> {
    let mut python = python()?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/verify_export.py");
    let receipt = campus.path().join("receipts/S-000001.zip");
    let ours = verify(campus, &receipt).succeeded().stdout;
    let root = ours
        .lines()
        .find_map(|line| line.strip_prefix("root       SHA-256 "));
    python.env("PYTHONDONTWRITEBYTECODE", "1");
    Some(Ran::of(python.arg(script).arg(path).arg(root.unwrap())))
}

#[test]
fn an_archive_holds_everything_and_says_whether_more_may_come() {
    let campus = campus();
    let path = campus.outside().join("lab.zip");
    let told = archive(&campus, &path).succeeded().json();
    let numbers = |told: &Value| {
        let number = |field: &str| told[field].as_u64().unwrap();
        ["submissions", "files", "entries"].map(number)
    };
    assert_eq!(told["final"], false);
    assert_eq!(
        numbers(&told),
        [2, 4, 5],
        "rules, two committed, two accepted"
    );
    let said = verify(&campus, &path).succeeded().stdout;
    assert!(
        said.contains("it verifies, and is NOT final: 2 submissions"),
        "{said}"
    );

    let closes = Instant::now();
    close(&campus);
    // What came in the last second may be on its way: it waits for that, once.
    for first in [true, false] {
        let arguments = [
            "submissions",
            "archive",
            path.to_str().unwrap(),
            "--replace",
        ];
        let told = campus.administer_blackboard(&[&arguments[..], &OF].concat());
        let told = told.succeeded();
        let waits = told.stderr.contains(" more\n");
        // On a slow machine it may come when there is nothing to wait for any more.
        let is_late = closes.elapsed() >= Duration::from_secs(4);
        assert!(waits == first || first && is_late, "{told:?}");
        let told = archive(&campus, &path).succeeded().json();
        assert_eq!(told["final"], true);
        assert_eq!(
            told["closed"], 6,
            "after the changed rules, and entered once"
        );
    }
    let said = verify(&campus, &path).succeeded().stdout;
    for part in [
        "past the time of CUHK's cosignature",
        "committed  what counts for lateness is the time of each one's own entry",
        "complete   2 submissions with files and receipt, none left out",
        "it verifies, and is FINAL: 2 submissions, and nothing came after entry 6",
    ] {
        assert!(said.contains(part), "{part} is missing:\n{said}");
    }
    if let Some(ran) = by_python(&campus, &path) {
        let said = ran.succeeded().stdout;
        assert!(
            said.contains("\nverdict    it verifies, and is FINAL"),
            "{said}"
        );
        assert!(said.contains("\nlists      in force until "), "{said}");
    }
}

#[test]
fn an_archive_under_another_root_is_not_called_worthless() {
    let campus = campus();
    let path = campus.outside().join("lab.zip");
    archive(&campus, &path).succeeded();
    let by_root = |root: &str| {
        let mut student = program("student");
        student.arg("--home").arg(campus.outside().join("nowhere"));
        Ran::of(
            student
                .arg("verify")
                .arg(&path)
                .args(["--ca-fingerprint", root]),
        )
    };
    let other = "ab".repeat(32);
    let told = by_root(&other);
    assert_eq!(told.exit, Some(3), "{told:#?}");
    let said = format!("under another root: expected {other}; by another root than its own it");
    assert!(told.stderr.contains(&said), "{told:#?}");
    assert!(!told.stderr.contains("proves nothing"), "{told:#?}");
    // What to type if it was CUHK's is said, and by that it verifies.
    let (_, typed) = told.stderr.split_once("--ca-fingerprint ").unwrap();
    let own = typed.split(';').next().unwrap();
    by_root(own).succeeded();
    let mut altered = fs::read(&path).unwrap();
    let middle = altered.len() / 2;
    altered[middle] ^= 1;
    fs::write(&path, altered).unwrap();
    let told = by_root(own);
    assert!(
        told.stderr.contains("the archive proves nothing"),
        "{told:#?}"
    );
}

/// The same archive after a Python program has had its way with the files in it.
fn rewritten(path: &Path, name: &str, program: &str) -> Option<PathBuf> {
    let mut python = judge("python3")?;
    let other = path.with_file_name(name);
    let script = format!(
        "import io, sys, zipfile\n\
         a = zipfile.ZipFile(sys.argv[1])\n\
         files = {{name: a.read(name) for name in a.namelist()}}\n\
         one, two = 'submissions/S-000001/', 'submissions/S-000002/'\n\
         lines = files['leaves.jsonl'].splitlines(keepends=True)\n\
         {program}\n\
         b = zipfile.ZipFile(sys.argv[2], 'w')\n\
         [b.writestr(name, data) for name, data in files.items()]\n\
         b.close()\n"
    );
    let mut command: &mut Command = &mut python;
    command = command.arg("-c").arg(script).arg(path).arg(&other);
    Ran::of(command).succeeded();
    Some(other)
}

#[test]
fn what_was_left_out_changed_or_added_is_found_by_both_judges() {
    let campus = campus();
    close(&campus);
    let path = campus.outside().join("lab.zip");
    archive(&campus, &path).succeeded();
    for (name, program, reason) in [
        ("same.zip", "pass", ""),
        (
            "left-out.zip",
            "files = {n: d for n, d in files.items() if not n.startswith(two)}",
            "S-000002",
        ),
        (
            "without-trace.zip",
            "files = {n: d for n, d in files.items() if not n.startswith(two)}; \
             files['leaves.jsonl'] = b''.join(lines[:3] + lines[5:])",
            "entry 3",
        ),
        (
            "changed-entry.zip",
            "files['leaves.jsonl'] = files['leaves.jsonl'].replace(b'\"closed\"', b'\"closed\" ', 1)",
            "entries",
        ),
        (
            "changed-rules.zip",
            "files['leaves.jsonl'] = files['leaves.jsonl'].replace(b'\"rules\"', b'\"rules\" ', 1)",
            "rules that were not in force",
        ),
        (
            "cut-off.zip",
            "files['leaves.jsonl'] = b''.join(lines[:-1])",
            "entries",
        ),
        (
            "changed-file.zip",
            "files[one + 'report.pdf'] = b'another report'",
            "signed",
        ),
        (
            "added-file.zip",
            "files[one + 'more.pdf'] = b'more'",
            "signed",
        ),
        (
            "swapped-files.zip",
            "a, b = one + 'report.pdf', one + 'src/report-=cmd.c'; \
             files[a], files[b] = files[b], files[a]",
            "report.pdf is not what was signed",
        ),
        (
            "renamed-file.zip",
            "files[one + 'other.pdf'] = files.pop(one + 'report.pdf')",
            "report.pdf is missing",
        ),
        (
            "changed-table.zip",
            "files['submissions.csv'] = files['submissions.csv'].replace(b'1155000001', b'1155000009', 1)",
            "submissions.csv",
        ),
        (
            "changed-instructions.zip",
            "files['VERIFY.md'] += b'Trust whoever shows it.'",
            "VERIFY.md",
        ),
        ("changed-lists.zip", "files['crl.pem'] += b'\\n'", "crl.pem"),
        (
            "line-after-a-key.zip",
            "r = zipfile.ZipFile(io.BytesIO(files[one + 'receipt.zip'])); \
             parts = {n: r.read(n) for n in r.namelist()}; parts['log.vkey'] += b'\\n'; \
             new = io.BytesIO(); z = zipfile.ZipFile(new, 'w'); \
             [z.writestr(n, d) for n, d in parts.items()]; z.close(); \
             files[one + 'receipt.zip'] = new.getvalue()",
            "log.vkey",
        ),
        (
            "recompressed.zip",
            "stored = zipfile.ZipFile; \
             zipfile.ZipFile = lambda *a: stored(*a, compression=zipfile.ZIP_DEFLATED)",
            "was packed anew, and the original is stored uncompressed",
        ),
        (
            "changed-page-of-a-receipt.zip",
            "r = zipfile.ZipFile(io.BytesIO(files[one + 'receipt.zip'])); \
             parts = {n: r.read(n) for n in r.namelist()}; parts['VERIFY.md'] += b' '; \
             new = io.BytesIO(); z = zipfile.ZipFile(new, 'w'); \
             [z.writestr(n, d) for n, d in parts.items()]; z.close(); \
             files[one + 'receipt.zip'] = new.getvalue()",
            "submissions.csv",
        ),
        (
            "other-receipt.zip",
            "files[one + 'receipt.zip'] = files[two + 'receipt.zip']",
            "entry",
        ),
        (
            "added-folder.zip",
            "files['submissions/S-000009/receipt.zip'] = files[two + 'receipt.zip']",
            "S-000009",
        ),
        (
            "said-to-be-open.zip",
            "files['export.json'] = files['export.json'].replace(b',\"closed\":6', b'')",
            "",
        ),
    ] {
        let Some(other) = rewritten(&path, name, program) else {
            return;
        };
        let ours = verify(&campus, &other);
        let theirs = by_python(&campus, &other);
        if name == "same.zip" {
            ours.succeeded();
            let _ = theirs.map(Ran::succeeded);
            continue;
        }
        assert_eq!(ours.exit, Some(3), "{name}: {ours:#?}");
        assert!(
            ours.stdout.contains("it does NOT verify"),
            "{name}: {ours:#?}"
        );
        assert!(ours.stderr.contains(reason), "{name}: {ours:#?}");
        let exit = theirs.map(|theirs| theirs.exit);
        assert!(matches!(exit, None | Some(Some(1))), "{name}: {exit:?}");
    }
}

#[test]
fn a_file_altered_on_the_disk_is_named_and_no_archive_is_written() {
    let campus = campus();
    let content = campus.path().join("blackboard/content");
    let report = files(&content)
        .into_iter()
        .find(|path| fs::read(path).unwrap() == b"the report")
        .unwrap();
    fs::write(&report, "The report").unwrap();
    let path = campus.outside().join("lab.zip");
    fs::write(&path, "what was there before").unwrap();
    let error = archive(&campus, &path).refused(5, "damaged");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("report.pdf of S-000001"), "{message}");
    assert_eq!(fs::read(&path).unwrap(), b"what was there before");
    let left = fs::read_dir(campus.outside()).unwrap();
    let names = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let hidden: Vec<_> = names.filter(|name| name.starts_with('.')).collect();
    assert!(hidden.is_empty(), "{hidden:?}");
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => files(&path),
            false => vec![path],
        })
        .collect()
}

#[test]
fn without_cuhk_s_word_there_is_no_archive_and_it_is_worth_another_try() {
    let mut campus = campus();
    campus.blackboard.stop();
    close(&campus);
    let path = campus.outside().join("lab.zip");
    let mut arguments = vec!["submissions", "archive", path.to_str().unwrap(), "--json"];
    arguments.extend(OF);
    arguments.extend(["--wait", "0"]);
    campus
        .administer_blackboard(&arguments)
        .refused(4, "not_witnessed");
    assert!(!path.exists());
    campus.start_blackboard_again();
    archive(&campus, &path).succeeded();
}

#[test]
fn after_an_old_backup_no_archive_is_final() {
    let mut campus = campus();
    until_seen(&campus);
    campus.blackboard.stop();
    let backup = campus.outside().join("backup");
    copy(&home(&campus), &backup);
    campus.start_blackboard_again();
    let kept = until_seen(&campus);
    let report = version(campus.outside());
    campus
        .student(&["submit", "--ids", SAMPLE, &report])
        .succeeded();
    let lost = (until_seen(&campus) - kept).to_string();
    campus.blackboard.stop();
    put_back(&campus, &backup);
    campus
        .administer_blackboard(&["recover", "--lose", &lost])
        .succeeded();
    campus.start_blackboard_again();
    close(&campus);
    let path = campus.outside().join("lab.zip");
    let told = archive(&campus, &path).succeeded().json();
    assert_eq!(
        (&told["final"], told["lost"].to_string()),
        (&false.into(), lost)
    );
    let again = campus.outside().join("again.zip");
    let mut arguments = vec!["submissions", "archive", again.to_str().unwrap()];
    arguments.extend(OF);
    let said = campus.administer_blackboard(&arguments).succeeded().stdout;
    let never =
        "NOT final, and never can be unless receipts bring it back: 2 entries of the log lost";
    assert!(said.contains(never), "{said}");
    let ours = verify(&campus, &path).succeeded().stdout;
    let theirs = by_python(&campus, &path).map(|ran| ran.succeeded().stdout);
    for said in std::iter::once(ours).chain(theirs) {
        for part in [
            "none left out of what the entries still say; 2 entries ",
            "NOT final, and never can be unless receipts bring it back: ",
            "LOST",
        ] {
            assert!(said.contains(part), "{part} is missing:\n{said}");
        }
        assert!(!said.contains("is FINAL"), "{said}");
    }

    // What the group has kept of it: then nothing of students' is missing, though two entries are lost.
    let receipt = campus.path().join("receipts/S-000003.zip");
    let receipt = receipt.to_str().unwrap();
    campus
        .administer_blackboard(&["recover", "--receipt", receipt, &report])
        .succeeded();
    let told = archive(&campus, &path).succeeded().json();
    assert_eq!(
        (&told["submissions"], &told["lost"]),
        (&3.into(), &2.into()),
        "{told}"
    );
    let ours = verify(&campus, &path).succeeded().stdout;
    let theirs = by_python(&campus, &path).map(|ran| ran.succeeded().stdout);
    for said in std::iter::once(ours).chain(theirs) {
        assert!(
            said.contains("3 submissions with files and receipt"),
            "{said}"
        );
        let moments = "the time of each one's own entry\n";
        assert!(said.contains(moments), "{said}");
        // What it said is known: nothing is told as lost for ever, and what stands in for it is named.
        let stands_in = " stands in for entry ";
        let line = said.lines().find(|line| line.contains(stands_in));
        let line = line.unwrap_or_else(|| panic!("{said}"));
        assert!(line.starts_with("restored "), "{said}");
        assert!(line.ends_with(", by a receipt of S-000003"), "{said}");
        for never in ["nobody knows", "never can be", "entries still say", "LOST"] {
            assert!(!said.contains(never), "{never}:\n{said}");
        }
    }
    assert_eq!(told["unknown"], 0, "{told}");
    let json = campus.student(&["verify", path.to_str().unwrap(), "--json"]);
    let json = json.succeeded().json();
    let told = (&told["unknown"], &told["final"], &told["closed"]);
    assert_eq!((&json["unknown"], &json["final"], &json["closed"]), told);
    assert_eq!(told.1, &true, "what came is known, and nothing can come");
}

#[test]
fn what_is_there_is_not_written_over_and_no_planted_link_is_followed() {
    let campus = campus();
    let path = campus.outside().join("lab.zip");
    fs::write(&path, "another assignment's").unwrap();
    let without = |path: &Path| {
        let arguments = ["submissions", "archive", path.to_str().unwrap(), "--json"];
        campus.administer_blackboard(&[&arguments[..], &OF].concat())
    };
    without(&path).refused(3, "file_exists");
    assert_eq!(fs::read(&path).unwrap(), b"another assignment's");
    without(campus.outside()).refused(2, "target_directory");
    let socket = campus.outside().join("socket");
    let _listening = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let replace = [
        "submissions",
        "archive",
        socket.to_str().unwrap(),
        "--replace",
        "--json",
    ];
    let refused = campus.administer_blackboard(&[&replace[..], &OF].concat());
    refused.refused(2, "target_special");
    let kind = fs::symlink_metadata(&socket).unwrap().file_type();
    assert!(!kind.is_file(), "it is still what it was");
    archive(&campus, &path).succeeded();
    verify(&campus, &path).succeeded();

    let (out, elsewhere) = (campus.outside().join("out"), campus.outside().join("else"));
    let folder = out.join("S-000001");
    fs::create_dir(&elsewhere).unwrap();
    let export = || {
        let arguments = ["submissions", "export", out.to_str().unwrap(), "--json"];
        campus.administer_blackboard(&arguments)
    };
    // In the place of the folder, and of one in it.
    for link in [folder.clone(), folder.join("src")] {
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(&elsewhere, &link).unwrap();
        let refused = export();
        assert!(
            refused.stderr.contains("it is a link"),
            "{link:?}: {refused:#?}"
        );
        assert_eq!(refused.exit, Some(5), "{refused:#?}");
        assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
        // The others are exported all the same.
        assert!(out.join("S-000002/receipt.zip").exists());
        fs::remove_dir_all(out.join("S-000002")).unwrap();
        fs::remove_file(&link).unwrap();
    }
    export().succeeded();
    assert_eq!(fs::read(folder.join("report.pdf")).unwrap(), b"the report");
}
