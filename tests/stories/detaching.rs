//! A student is taken out of what a group has handed in, and everybody sees it.

use serde_json::{Value, json};

use crate::archive::{archive, by_python, verify};
use crate::assignments::{asked, student, teacher};
use crate::campus::{Campus, Ran, SAMPLE, copy, version};
use crate::witness::{home, put_back, until_seen};

const ONE: &str = "1155000001";
const DETACH: [&str; 7] = [
    "submissions",
    "detach",
    "S-000001",
    "--student",
    ONE,
    "--reason",
    "named by mistake",
];

fn detach(campus: &Campus, more: &[&str]) -> Ran {
    campus.administer_blackboard(&[&DETACH[..], more].concat())
}

fn counts(campus: &Campus, sid: &str) -> Vec<Value> {
    let told = student(campus, &format!("history --ids {sid} --json"));
    let told = told.succeeded().json();
    let versions = told["versions"].as_array().unwrap().iter();
    versions
        .map(|one| one["standings"][0]["counts"].clone())
        .collect()
}

fn state(campus: &Campus, sid: &str) -> Value {
    let words = "submissions overview --course SANDBOX --assignment lab --json";
    let told = teacher(campus, words).succeeded().json();
    let mut students = told["students"].as_array().unwrap().iter();
    students.find(|one| one["sid"] == sid).unwrap().clone()
}

#[test]
fn a_student_is_taken_out_of_a_group_only_if_that_is_said_and_all_of_them_see_it() {
    let campus = Campus::sandbox();
    let report = campus.report();
    campus
        .student(&["submit", "--ids", SAMPLE, &report])
        .succeeded();

    // Only looked at, and not agreed to.
    let told = detach(&campus, &["--dry-run", "--json"]).succeeded().json();
    assert_eq!(
        (&told["changed"], &told["dry_run"]),
        (&json!([ONE]), &true.into())
    );
    assert_eq!(told["left"], json!(["1155000002", "1155000003"]));
    assert_eq!(told["counting"], json!([{"sid": ONE, "number": null}]));
    detach(&campus, &["--json"]).refused(2, "not_confirmed");
    let told = detach(&campus, &["--dry-run"]).succeeded().stdout;
    assert!(
        told.contains("would count for 1155000001 no more; it would"),
        "{told}"
    );
    assert!(!told.contains(" counts"), "{told}");
    let all = format!("submissions detach S-000001 --student {SAMPLE} --reason all --yes --json");
    teacher(&campus, &all).refused(3, "nobody_left");
    let stranger = "submissions detach 1 --student 1155000009 --reason who --yes --json";
    teacher(&campus, stranger).refused(3, "no_part");
    let none = "submissions detach S-000009 --student 1155000001 --reason who --yes --json";
    teacher(&campus, none).refused(3, "no_submission");
    assert_eq!(counts(&campus, ONE), [true]);

    // Somebody at a terminal is asked.
    for (answer, counted) in [("no", true), ("yes", false)] {
        let would = "would count for 1155000001 no more";
        asked(&campus, &DETACH, would, answer);
        assert_eq!(counts(&campus, ONE), [counted], "{answer}");
    }
    let again = detach(&campus, &["--yes"]).succeeded().stdout;
    assert!(
        again.contains("was so already; nothing was changed"),
        "{again}"
    );

    // All of its members are told, and the teacher.
    assert_eq!(counts(&campus, "1155000002"), [true]);
    for sid in SAMPLE.split(',') {
        let told = student(&campus, &format!("history --ids {sid}"))
            .succeeded()
            .stdout;
        let line = format!("  {ONE} does not count since ");
        assert!(told.contains(&line), "{told}");
        assert!(
            told.contains("by the teacher's word: named by mistake"),
            "{told}"
        );
        let told = student(&campus, &format!("history --ids {sid} --lang zh-Hant"));
        let told = told.succeeded().stdout;
        assert!(
            told.contains("由教師定為不計算：named by mistake"),
            "{told}"
        );
    }
    let line = state(&campus, ONE);
    assert_eq!(
        (&line["state"], &line["number"]),
        (&"nothing_yet".into(), &Value::Null)
    );
    assert_eq!(line["detached"][0]["number"], "S-000001");
    assert_eq!(line["detached"][0]["reason"], "named by mistake");
    assert_eq!(state(&campus, "1155000002")["not_for"], json!([ONE]));
    let words = "submissions overview --course SANDBOX --assignment lab";
    let table = teacher(&campus, words).succeeded().stdout;
    assert!(table.contains("TAKEN OUT of S-000001 on "), "{table}");
    let shown = teacher(&campus, "submissions show 1").succeeded().stdout;
    assert!(
        shown.contains("  NOT FOR     1155000001, who was taken out of it on "),
        "{shown}"
    );

    // The receipt stays true, and he hands in again by himself.
    let receipt = campus.path().join("receipts/S-000001.zip");
    verify(&campus, &receipt).succeeded();
    let alone = version(campus.outside());
    campus
        .student(&["submit", "--ids", ONE, &alone])
        .succeeded();
    assert_eq!(counts(&campus, ONE), [false, true]);
    assert_eq!(state(&campus, ONE)["number"], "S-000002");
    teacher(&campus, "fsck").succeeded();
}

#[test]
fn an_archive_says_for_whom_a_version_does_not_count_and_both_judges_read_it() {
    let campus = Campus::sandbox();
    let report = campus.report();
    campus
        .student(&["submit", "--ids", SAMPLE, &report])
        .succeeded();
    detach(&campus, &["--yes"]).succeeded();
    let other = "submissions detach 1 --student 1155000002 --reason slip --yes";
    teacher(&campus, other).succeeded();
    let undo = "submissions detach 1 --student 1155000002 --reason slip --undo --yes";
    let undone = teacher(&campus, undo).succeeded().stdout;
    assert!(undone.contains("counts for 1155000002 again"), "{undone}");
    let path = campus.outside().join("lab.zip");
    archive(&campus, &path).succeeded();
    let told = |said: &str| {
        let lines = said.lines().filter(|line| line.starts_with("detached"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let ours = verify(&campus, &path).succeeded().stdout;
    let [line] = &told(&ours)[..] else {
        panic!("{ours}");
    };
    assert!(
        line.contains("S-000001 does NOT count for 1155000001, since "),
        "{line}"
    );
    assert!(line.ends_with(": named by mistake"), "{line}");
    if let Some(ran) = by_python(&campus, &path) {
        let theirs = ran.succeeded().stdout;
        let [line] = &told(&theirs)[..] else {
            panic!("{theirs}");
        };
        assert!(
            line.contains("S-000001 does NOT count for 1155000001, since "),
            "{line}"
        );
    }
}

const BOB: &str = "1155000002";

/// For whom S-000001 does not count, as everybody tells it who is asked: the overview, the student, the archive
/// and both judges of it; and of how many entries nobody knows what they said. Nothing is damaged.
fn agreed(campus: &Campus) -> (bool, u64) {
    let line = state(campus, BOB);
    let is_out = line["state"] == "nothing_yet";
    assert_eq!(is_out, line["number"].is_null(), "{line}");
    assert_eq!(counts(campus, BOB), [!is_out]);
    let path = campus.outside().join("lab.zip");
    let told = archive(campus, &path).succeeded().json();
    let unknown = told["unknown"].as_u64().unwrap();
    let ours = verify(campus, &path).succeeded().stdout;
    let theirs = by_python(campus, &path).map(|ran| ran.succeeded().stdout);
    for said in std::iter::once(ours).chain(theirs) {
        let out = said.lines().filter(|line| line.starts_with("detached"));
        let out: Vec<_> = out.collect();
        assert_eq!(out.len(), usize::from(is_out), "{said}");
        let line = format!("S-000001 does NOT count for {BOB}, since ");
        assert!(out.iter().all(|out| out.contains(&line)), "{said}");
        let lost = format!("of {unknown} of them nothing is left");
        assert_eq!(said.contains(&lost), unknown > 0, "{said}");
        assert_eq!(said.contains("never can be"), unknown > 0, "{said}");
    }
    teacher(campus, "fsck").succeeded();
    (is_out, unknown)
}

#[test]
fn whoever_is_asked_says_the_same_of_who_was_taken_out_also_after_an_old_backup() {
    let mut campus = Campus::sandbox();
    let report = campus.report();
    campus
        .student(&["submit", "--ids", SAMPLE, &report])
        .succeeded();
    let kept = until_seen(&campus);
    campus.blackboard.stop();
    let backup = campus.outside().join("backup");
    copy(&home(&campus), &backup);
    campus.start_blackboard_again();

    let alone = version(campus.outside());
    campus
        .student(&["submit", "--ids", ONE, &alone])
        .succeeded();
    let out = format!("submissions detach 1 --student {BOB} --reason mistaken --yes");
    teacher(&campus, &out).succeeded();
    assert_eq!(agreed(&campus), (true, 0));

    // All of that is lost: he counts again until the teacher says it again.
    let lost = (until_seen(&campus) - kept).to_string();
    assert_eq!(lost, "3", "committed, accepted, detached");
    campus.blackboard.stop();
    put_back(&campus, &backup);
    let told = teacher(&campus, &format!("recover --lose {lost}")).succeeded();
    assert!(told.stdout.contains("students taken out"), "{told:?}");
    campus.start_blackboard_again();
    assert_eq!(agreed(&campus), (false, 3));
    let receipt = campus.path().join("receipts/S-000002.zip");
    let receipt = receipt.to_str().unwrap();
    teacher(&campus, &format!("recover --receipt {receipt} {alone}")).succeeded();
    assert_eq!(state(&campus, ONE)["number"], "S-000002");
    assert_eq!(agreed(&campus), (false, 1));
    teacher(&campus, &out).succeeded();
    assert_eq!(agreed(&campus), (true, 1));
    let undo = out.replace("--yes", "--undo --yes");
    teacher(&campus, &undo).succeeded();
    assert_eq!(agreed(&campus), (false, 1));
}
