//! The main job: three students, verified through CUHK, hand in a report.

use std::fs;
use std::process::Stdio;

use crate::campus::{Campus, Ran, SAMPLE, program};

#[test]
fn three_students_hand_in_and_keep_a_receipt() {
    let campus = Campus::sandbox();
    let told = campus
        .student(&["submit", "--ids", SAMPLE])
        .succeeded()
        .stdout;
    let expected = [
        "step 1  3 keys made here, 3 requests sent",
        "step 2  1155000001 sign finished",
        "        1155000002 sign finished",
        "        1155000003 sign finished",
        "step 3  CUHK confirms all 3 (signed, verified)",
        "step 4  3 shares received, one per member",
        "step 5  session key confirmed",
        "step 6  signed for SANDBOX / lab",
        "        1,050 bytes, MAC, 3 signatures: stored",
        "Receipt  S-000001.zip",
    ];
    let mut lines = told.lines();
    for line in expected {
        assert!(
            lines.any(|told| told == line),
            "{line:?} is missing or out of order:\n{told}"
        );
    }
    let stored = campus.submissions();
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0]["number"], "S-000001");
    assert_eq!(stored[0]["files"][0]["size"], 1050);
}

#[test]
fn the_default_report_names_each_member_ten_times() {
    let campus = Campus::sandbox();
    campus.student(&["submit", "--ids", SAMPLE]).succeeded();
    let out = campus.outside().join("export");
    let out_text = out.to_str().unwrap();
    campus
        .administer_blackboard(&["submissions", "export", out_text])
        .succeeded();
    let report = fs::read_to_string(out.join("S-000001/submission.txt")).unwrap();
    let expected: String = SAMPLE
        .split(',')
        .flat_map(|sid| (0..10).map(move |_| format!("This is submission from {sid}\n")))
        .collect();
    assert_eq!(report, expected);
    assert!(out.join("S-000001/receipt.zip").is_file());
}

#[test]
fn scripts_get_json_with_what_they_need() {
    let campus = Campus::sandbox();
    let report = campus.outside().join("報告 final.pdf");
    fs::write(&report, vec![7; 300_000]).unwrap();
    let ran = campus.student(&[
        "submit",
        "--ids",
        SAMPLE,
        "--json",
        "--report",
        report.to_str().unwrap(),
    ]);
    let told = ran.succeeded().json();
    assert_eq!(told["submission"], "S-000001");
    assert_eq!(
        told["members"],
        serde_json::json!(SAMPLE.split(',').collect::<Vec<_>>())
    );
    assert_eq!(told["files"][0]["size"], 300_000);
    assert_eq!(told["files"][0]["sha256"].as_str().unwrap().len(), 64);
    let receipt = told["receipt"].as_str().unwrap();

    let right = ["verify", receipt, report.to_str().unwrap()];
    campus.student(&right).succeeded();
    fs::write(&report, vec![8; 300_000]).unwrap();
    let altered = ["verify", receipt, report.to_str().unwrap(), "--json"];
    campus.student(&altered).refused(3, "content_altered");
}

#[test]
fn what_this_machine_cannot_do_says_nothing_against_a_receipt() {
    let campus = Campus::sandbox();
    let told = campus
        .student(&["submit", "--ids", SAMPLE, "--json"])
        .succeeded();
    let receipt = told.json()["receipt"].as_str().unwrap().to_owned();
    let outside = campus.outside().to_str().unwrap();
    let ran = campus.student(&["verify", &receipt, "no-such-file"]);
    assert_eq!(ran.exit, Some(5), "{ran:#?}");
    assert!(
        ran.stdout.contains("verdict    the receipt verifies; "),
        "{ran:#?}"
    );
    let mut command = program("student");
    command
        .env("PATH", outside)
        .arg("--sandbox")
        .arg(campus.path());
    let ran = Ran::of(command.args(["verify", &receipt, "--openssl"]));
    assert_eq!(ran.exit, Some(5), "{ran:#?}");
    assert!(ran.stderr.contains("error[no_openssl]"), "{ran:#?}");
    assert!(
        ran.stdout
            .contains("verdict    the receipt verifies; openssl"),
        "{ran:#?}"
    );
}

#[test]
fn programs_in_one_home_take_turns() {
    let campus = Campus::sandbox();
    let start = |n: usize| {
        let report = campus.outside().join(format!("report-{n}.txt"));
        fs::write(&report, "a report").unwrap();
        let mut command = program("student");
        command.arg("--sandbox").arg(campus.path());
        command.args(["submit", "--ids", SAMPLE, "--json"]);
        command.arg(report);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command.stderr(Stdio::piped()).spawn().unwrap()
    };
    let started: Vec<_> = (0..8).map(start).collect();
    for one in started {
        Ran::from(one.wait_with_output().unwrap()).succeeded();
    }
    assert_eq!(campus.submissions().len(), 8);
    let students = campus.path().join("student/students");
    assert_eq!(fs::read_dir(students).unwrap().count(), 3);
}

#[test]
fn the_same_again_is_the_same_receipt() {
    let campus = Campus::sandbox();
    let submit = || {
        campus
            .student(&["submit", "--ids", SAMPLE])
            .succeeded()
            .stdout
    };
    assert!(!submit().contains("stored before"));
    let again = submit();
    assert!(again.contains("stored before, the same receipt"), "{again}");
    assert_eq!(campus.submissions().len(), 1);
}

#[test]
fn one_or_two_members_are_a_group_as_well() {
    let campus = Campus::sandbox();
    for (ids, number, size) in [
        ("1155000004", "S-000001", 350),
        ("1155000005,1155000004", "S-000002", 700),
    ] {
        let told = campus
            .student(&["submit", "--ids", ids, "--json"])
            .succeeded()
            .json();
        assert_eq!(told["submission"], number);
        assert_eq!(told["files"][0]["size"], size);
    }
}

#[test]
fn receipts_and_status_say_what_is_kept() {
    let campus = Campus::sandbox();
    campus.student(&["submit", "--ids", SAMPLE]).succeeded();
    let receipts = campus.student(&["receipts"]).succeeded().stdout;
    assert!(receipts.contains("S-000001"), "{receipts}");
    let status = campus.student(&["status"]).succeeded().stdout;
    for sid in SAMPLE.split(',') {
        assert!(status.contains(sid), "{status}");
    }
}

#[test]
fn the_three_commands_say_who_they_are() {
    for name in ["student", "cuhk", "blackboard"] {
        let version = crate::campus::Ran::of(crate::campus::program(name).arg("--version"));
        assert!(version.succeeded().stdout.starts_with(name));
        let help = crate::campus::Ran::of(crate::campus::program(name).arg("--help"));
        let help = help.succeeded().stdout;
        assert!(
            help.contains("Examples:") && help.contains("--home"),
            "{help}"
        );
    }
}
