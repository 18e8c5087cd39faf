//! A class that wants to see: explanations, traces, two languages.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::campus::{Campus, Ran, SAMPLE, Server, program, python, serve};
use crate::secrets::secrets;

/// Both servers explain themselves, Blackboard in Chinese.
fn classroom() -> (TempDir, Campus) {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = dir.path().join("sandbox");
    let with = |more: &[&str]| {
        let more = more.iter().map(OsString::from);
        serve(&sandbox).into_iter().chain(more).collect::<Vec<_>>()
    };
    let cuhk = Server::start("cuhk", &with(&["--explain", "--lang", "en"]));
    let blackboard = Server::start("blackboard", &with(&["--explain", "--lang", "zh-Hant"]));
    (dir, Campus::of(sandbox, cuhk, blackboard))
}

/// The value after `name` on a line of its own.
fn value(text: &str, name: &str) -> String {
    let label = format!("{name}  ");
    let line = text
        .lines()
        .find_map(|line| line.trim().strip_prefix(&label));
    line.unwrap_or_else(|| panic!("no {name} in\n{text}"))
        .trim()
        .to_owned()
}

fn trace(campus: &Campus, more: &[&str]) -> (Ran, String) {
    let page = campus.outside().join("run.html");
    let mut arguments = vec!["submit", "--trace", page.to_str().unwrap()];
    arguments.extend(more);
    let ran = campus.student(&arguments);
    (ran, fs::read_to_string(page).unwrap())
}

/// The messages on a page, and whether the student's program saw them.
fn messages(page: &str) -> Vec<(&str, bool)> {
    let rows = page.split("<details class=\"row ").skip(1);
    rows.map(|row| {
        let (_, name) = row.split_once("data-message=\"").unwrap();
        let (name, _) = name.split_once('"').unwrap();
        (name, !row.starts_with("inferred"))
    })
    .collect()
}

const HAND_IN: [(&str, bool); 18] = [
    ("handshake", true),
    ("greeting", true),
    ("present", true),
    ("verify", false),
    ("verification", false),
    ("shares", true),
    ("confirm", true),
    ("confirmed", true),
    ("assignments", true),
    ("assignments", true),
    ("submit", true),
    ("committed", true),
    ("upload", true),
    ("chunks", true),
    ("end", true),
    ("verify", false),
    ("verification", false),
    ("receipt", true),
];

#[test]
fn all_three_programs_explain_one_run_with_the_same_values() {
    let (_dir, campus) = classroom();
    let told = campus.student(&["submit", "--ids", SAMPLE, "--explain", "--lang", "en"]);
    let told = told.succeeded().stdout;
    assert!(told.contains("step 3  presented 3\n        3 members presented certificate"));
    let (cuhk, blackboard) = (campus.cuhk.log(), campus.blackboard.log());
    let (t1, t2) = (value(&told, "T1"), value(&told, "T2"));
    assert_eq!(
        (value(&blackboard, "T1"), value(&blackboard, "T2")),
        (t1, t2)
    );
    let nonce = value(&told, "nonce");
    assert_eq!(value(&cuhk, "nonce"), nonce);
    assert_eq!(value(&blackboard, "隨機數 (nonce)"), nonce);
    let status = campus.student(&["status", "--json"]).succeeded().json();
    assert_eq!(value(&told, "root SHA-256"), status["root_sha256"]);
    assert_eq!(
        value(&told, "token until"),
        status["students"][0]["token_expires"]
    );
    assert!(cuhk.contains(&value(&told, "certificate SHA-256")));
    assert!(value(&told, "receipt SHA-256") == value(&blackboard, "收據 SHA-256"));
    assert!(blackboard.contains("組員的證書、權杖及證明均無誤"));
    for line in blackboard.lines().chain(cuhk.lines()) {
        let is_event = line.as_bytes().get(2) == Some(&b':');
        assert!(is_event || line.starts_with("             "), "{line:?}");
    }
}

#[test]
fn a_trace_shows_each_message_once() {
    let campus = Campus::sandbox();
    let (ran, page) = trace(&campus, &["--ids", SAMPLE]);
    assert!(ran.succeeded().stdout.contains("trace in "));
    let enrolment = [
        "greeting", "enrol", "enrol", "enrol", "enrolled", "enrolled", "enrolled",
    ];
    let mut expected = vec![("handshake", true)];
    expected.extend(enrolment.map(|name| (name, true)));
    expected.extend(HAND_IN);
    expected.push(("chunks", true));
    assert_eq!(messages(&page), expected);
    let report = campus.outside().join("report.txt");
    fs::write(&report, "another version").unwrap();
    let report = report.to_str().unwrap();
    let (_, again) = trace(&campus, &["--ids", SAMPLE, "--lang", "zh-Hant", report]);
    assert_eq!(messages(&again)[..18], HAND_IN);
    assert!(again.contains("<html lang=\"zh-Hant\">") && again.contains("逐個訊息看"));
}

#[test]
fn a_trace_is_what_an_outside_reader_can_read() {
    let Some(mut python) = python() else { return };
    let campus = Campus::sandbox();
    let report = hostile_report(campus.outside());
    let (ran, page) = trace(
        &campus,
        &["--ids", SAMPLE, "--report", report.to_str().unwrap()],
    );
    ran.succeeded();
    assert!(page.contains("&lt;script&gt;alert(1)"));
    let judge = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stories/judge_page.py");
    let file = campus.outside().join("run.html");
    let read = Ran::of(python.arg(judge).arg(file)).succeeded().stdout;
    let names: Vec<_> = messages(&page).iter().map(|(name, _)| *name).collect();
    assert_eq!(read.trim(), names.join(" "));
}

fn hostile_report(dir: &Path) -> PathBuf {
    let path = dir.join("<script>alert(1)<b \"onclick=x>.txt");
    fs::write(&path, "a report").unwrap();
    path
}

#[test]
fn a_refused_run_leaves_a_trace_that_says_so() {
    let campus = Campus::sandbox();
    let (ran, page) = trace(
        &campus,
        &[
            "--ids",
            "1155000004",
            "--course",
            "OTHER",
            "--assignment",
            "lab",
            "--json",
        ],
    );
    ran.refused(3, "course_unknown");
    assert_eq!(messages(&page).last(), Some(&("refusal", true)));
    assert!(page.contains("<dd>course_unknown</dd>"));
    assert!(!page.contains("<dd>S-0"));
}

#[test]
fn no_secret_is_explained_or_traced() {
    let (_dir, campus) = classroom();
    let codes = fs::read_to_string(campus.path().join("codes.csv")).unwrap();
    let (ran, page) = trace(&campus, &["--ids", SAMPLE, "--explain"]);
    let ran = ran.succeeded();
    let shown = [
        page,
        ran.stdout,
        ran.stderr,
        campus.cuhk.log(),
        campus.blackboard.log(),
    ]
    .concat();
    for secret in secrets(&campus, &codes) {
        let length = secret.len();
        assert!(!shown.contains(&secret), "a secret of {length} characters");
    }
}

#[test]
fn refusals_are_told_in_the_language_of_the_environment_or_of_the_flag() {
    let campus = Campus::sandbox();
    let refused = |environment: &[(&str, &str)], flags: &[&str]| {
        let mut command = program("student");
        command.arg("--sandbox").arg(campus.path());
        command.args(["submit", "--ids", SAMPLE, "--course", "OTHER"]);
        command.args(["--assignment", "lab"]);
        Ran::of(command.args(flags).envs(environment.iter().copied()))
    };
    let hong_kong = [("LANG", "zh_HK.UTF-8")];
    for (environment, flags, chinese) in [
        (&[][..], &[][..], false),
        (&hong_kong[..], &[][..], true),
        (&hong_kong[..], &["--lang", "en"][..], false),
        (&[][..], &["--lang", "zh-Hant"][..], true),
        (
            &[("LANG", "zh_HK.UTF-8"), ("LC_ALL", "C")][..],
            &[][..],
            false,
        ),
    ] {
        let ran = refused(environment, flags);
        assert_eq!(ran.exit, Some(3), "{ran:?}");
        assert!(ran.stderr.starts_with("error[course_unknown]: "));
        let told = match chinese {
            true => ["步驟 6：這裡沒有此課程", "處理方法: "],
            false => ["step 6: ", "what to do: "],
        };
        assert!(told.iter().all(|part| ran.stderr.contains(part)), "{ran:?}");
        assert_eq!(ran.stderr.is_ascii(), !chinese, "{ran:?}");
    }
    let json = refused(&hong_kong, &["--json"]).refused(3, "course_unknown");
    assert!(json["message"].as_str().unwrap().starts_with("步驟 6"));
    let unknown = refused(&[], &["--lang", "tlh"]);
    assert_eq!(unknown.exit, Some(2), "{unknown:?}");
}
