//! Who is listed, and what is changed by name: services, codes and students, as campus IT sees them.

use std::fs;

use expectrl::session::Session;
use expectrl::{Eof, Expect};
use serde_json::Value;

use crate::campus::{ByHand, LONG, Ran};

const ROSTER: &str = "sid,name,email,programme\n\
    1155000001,陳大文,chan@link.example,CSCI\n\
    1155000002,\"=1+1, Siu Ming\",lee@link.example,CSCI\n\
    1155000003,黃小明,wong@link.example,IERG\n";

const ADD: [&str; 5] = ["service", "add", "library", "--dns", "library.example"];

fn campus() -> ByHand {
    let campus = ByHand::new();
    campus.init().succeeded();
    campus.roster(ROSTER).succeeded();
    campus
}

fn enrol(campus: &ByHand, address: &str, sid: &str) {
    let common = ["--cuhk", address, "--ca", "cuhk.home/ca.pem"];
    let enrol = ["enrol", "--ids", sid, "--codes", "codes.csv"];
    campus.student(&[&common[..], &enrol].concat()).succeeded();
}

fn line_about<'a>(ran: &'a Ran, name: &str) -> &'a str {
    let line = ran.stdout.lines().find(|line| line.starts_with(name));
    line.unwrap_or_else(|| panic!("no {name}: {ran:#?}"))
}

fn sids(rows: &Value) -> Vec<&str> {
    let rows = rows.as_array().unwrap().iter();
    rows.map(|row| row["sid"].as_str().unwrap()).collect()
}

#[test]
fn a_service_is_listed_gets_other_names_and_is_removed() {
    let campus = campus();
    let none = campus.cuhk(&["service", "list"]).succeeded();
    assert_eq!(none.stdout, "");
    assert!(none.stderr.contains("cuhk service add"), "{none:#?}");

    let cuhk = campus.serve_cuhk();
    let blackboard = campus.serve_blackboard(&cuhk);
    let added = campus.cuhk(&[&ADD[..], &["--code-out", "library.code"]].concat());
    let root = fs::read_to_string(campus.path("cuhk.home/ca.pem")).unwrap();
    let root = scb_certs::Certificate::from_pem(&root).unwrap();
    let root = root.fingerprint().to_string();
    assert!(added.succeeded().stdout.contains(&root), "{root}");

    let listed = campus.cuhk(&["service", "list"]).succeeded();
    assert!(line_about(&listed, "NAME").contains("SPIFFE ID"));
    let name = "spiffe://cuhk.example/service/blackboard";
    let line = line_about(&listed, "blackboard");
    assert!(line.contains("yes") && line.contains(name), "{line}");
    assert!(line.ends_with("localhost, 127.0.0.1"), "{line}");
    assert!(
        line_about(&listed, "library").contains("no "),
        "{listed:#?}"
    );
    let rows = campus.cuhk(&["service", "list", "--json"]).succeeded();
    let rows = rows.json();
    assert_eq!(rows[0]["dns_names"][0], "localhost");
    assert!(rows[0]["not_after"].as_str().unwrap().ends_with('Z'));
    assert_eq!(
        (&rows[1]["enrolled"], &rows[1]["serial"]),
        (&false.into(), &Value::Null)
    );

    // The certificate that is there stays, and that is said.
    let set = [
        "service",
        "set",
        "blackboard",
        "--dns",
        "localhost,bb.example",
    ];
    let changed = campus.cuhk(&[&set[..], &["--ip", "127.0.0.1"]].concat());
    let serial = rows[0]["serial"].as_str().unwrap();
    for text in ["before: localhost, 127.0.0.1", serial, "next renewal"] {
        assert!(changed.stdout.contains(text), "{text}: {changed:#?}");
    }
    let set = [
        "service",
        "set",
        "library",
        "--dns",
        "lib.example",
        "--json",
    ];
    let answer = campus.cuhk(&set).succeeded().json();
    assert_eq!(answer["before"]["dns_names"][0], "library.example");
    assert_eq!(
        answer["certificates_with_other_names"],
        serde_json::json!([])
    );
    let unknown = ["service", "set", "wiki", "--dns", "w.example", "--json"];
    campus.cuhk(&unknown).refused(3, "service_unknown");
    let own = ["service", "set", "cuhk", "--dns", "ca.example", "--json"];
    campus.cuhk(&own).refused(3, "service_reserved");

    let removed = ["service", "remove", "blackboard", "--yes", "--json"];
    let removed = campus.cuhk(&removed).succeeded().json();
    assert_eq!(removed["certificates"], 1, "{removed}");
    let of = ["certs", "list", "service/blackboard", "--json"];
    let of = campus.cuhk(&of).succeeded().json();
    assert_eq!(
        (&of[0]["state"], &of[0]["reason"]),
        (&"revoked".into(), &"cessation_of_operation".into())
    );
    let again = ["service", "remove", "blackboard", "--yes", "--json"];
    campus.cuhk(&again).refused(3, "service_unknown");
    drop(blackboard);
}

#[test]
fn a_service_is_removed_only_if_somebody_agrees() {
    let campus = campus();
    campus.cuhk(&ADD).succeeded();
    let nobody = campus.cuhk(&["service", "remove", "library", "--json"]);
    let refusal = nobody.refused(2, "not_confirmed");
    assert!(refusal["remedy"].as_str().unwrap().contains("--yes"));
    for (answer, left) in [("yes", 1), ("library", 0)] {
        let remove = campus.command("cuhk", &["service", "remove", "library"]);
        let mut terminal = Session::spawn(remove).unwrap();
        terminal.set_expect_timeout(Some(LONG));
        terminal.expect("Type its name").unwrap();
        terminal.send_line(answer).unwrap();
        terminal.expect(Eof).unwrap();
        let rows = campus.cuhk(&["service", "list", "--json"]).succeeded();
        assert_eq!(rows.json().as_array().unwrap().len(), left, "{answer}");
    }
}

#[test]
fn unused_codes_are_listed_and_withdrawn_and_certificates_stay() {
    let campus = campus();
    let cuhk = campus.serve_cuhk();
    enrol(&campus, &cuhk.address(), "1155000001");
    campus.cuhk(&ADD).succeeded();
    campus.cuhk(&["code", "issue", "1155000001"]).succeeded();

    let listed = campus.cuhk(&["code", "list"]).succeeded();
    assert!(line_about(&listed, "FOR").contains("GOOD UNTIL"));
    assert!(line_about(&listed, "1155000003").contains("黃小明"));
    assert!(line_about(&listed, "service/library").contains(':'));
    assert_eq!(listed.stdout.lines().count(), 5, "{listed:#?}");
    let sheet = fs::read_to_string(campus.path("codes.csv")).unwrap();
    for code in sheet
        .lines()
        .skip(1)
        .map(|line| line.rsplit(',').nth(2).unwrap())
    {
        assert!(code.len() == 29 && !listed.stdout.contains(code), "{code}");
    }
    let csv = campus.cuhk(&["code", "list", "1155000002", "--csv"]);
    let csv = csv.succeeded().stdout;
    assert!(
        csv.starts_with("subject,issued_at,expires_at,name\n"),
        "{csv}"
    );
    assert!(csv.contains("\"'=1+1, Siu Ming\""), "{csv}");

    // One that is unknown keeps all from it.
    let some = ["code", "withdraw", "1155000001", "1155009999", "--json"];
    campus.cuhk(&some).refused(3, "student_unknown");
    let both = ["code", "withdraw", "1155000001", "service/library"];
    let withdrawn = campus.cuhk(&both).succeeded();
    assert!(
        withdrawn
            .stdout
            .contains("1 unused code withdrawn; certificates stay")
    );
    let again = ["code", "withdraw", "1155000001", "--json"];
    assert_eq!(campus.cuhk(&again).succeeded().json()[0]["codes"], 0);
    let left = campus.cuhk(&["code", "list", "--json"]).succeeded().json();
    let left: Vec<_> = left
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["subject"])
        .collect();
    assert_eq!(left, ["1155000002", "1155000003"]);
    let live = ["certs", "list", "1155000001", "--status", "live", "--json"];
    let live = campus.cuhk(&live).succeeded().json();
    assert_eq!(live.as_array().unwrap().len(), 1);

    // A code that was withdrawn is none.
    campus.cuhk(&["code", "withdraw", "1155000002"]).succeeded();
    let address = cuhk.address();
    let refused = campus.student(&[
        "--cuhk",
        &address,
        "--ca",
        "cuhk.home/ca.pem",
        "enrol",
        "--ids",
        "1155000002",
        "--codes",
        "codes.csv",
        "--json",
    ]);
    refused.refused(3, "code_withdrawn");
}

#[test]
fn students_are_listed_by_status_programme_and_enrolment() {
    let campus = campus();
    let cuhk = campus.serve_cuhk();
    enrol(&campus, &cuhk.address(), "1155000001");
    campus
        .cuhk(&["roster", "suspend", "1155000003"])
        .succeeded();

    let listed = campus.cuhk(&["roster", "list"]).succeeded();
    assert!(line_about(&listed, "SID").contains("EMAIL"));
    let line = line_about(&listed, "1155000001");
    assert!(
        line.contains("yes (1)") && line.contains("chan@link.example"),
        "{line}"
    );
    assert!(line_about(&listed, "1155000003").contains("suspended"));
    let of = |filter: &[&str]| {
        let list = [&["roster", "list", "--json"], filter].concat();
        let rows = campus.cuhk(&list).succeeded().json();
        sids(&rows).join(" ")
    };
    assert_eq!(of(&["--status", "suspended"]), "1155000003");
    assert_eq!(of(&["--programme", "CSCI"]), "1155000001 1155000002");
    assert_eq!(of(&["--enrolled", "yes"]), "1155000001");
    assert_eq!(
        of(&["--enrolled", "no", "--status", "active"]),
        "1155000002"
    );
    assert_eq!(of(&["1155000003", "1155000001"]), "1155000003 1155000001");
    let csv = campus
        .cuhk(&["roster", "list", "1155000002", "--csv"])
        .succeeded();
    let expected = "sid,name,email,programme,status,enrolled,live_devices\n\
        1155000002,\"'=1+1, Siu Ming\",lee@link.example,CSCI,active,false,0\n";
    assert_eq!(csv.stdout, expected);
}

#[test]
fn who_is_unknown_and_what_is_empty_is_said() {
    let campus = campus();
    for list in ["roster", "certs", "code"] {
        let unknown = campus.cuhk(&[list, "list", "1155009999", "--json"]);
        unknown.refused(3, "student_unknown");
    }
    for list in ["certs", "code"] {
        let unknown = campus.cuhk(&[list, "list", "service/wiki", "--json"]);
        unknown.refused(3, "service_unknown");
    }
    // Those that are there are listed all the same.
    let some = ["roster", "list", "1155000001", "1155009998", "1155009999"];
    let some = campus.cuhk(&some);
    assert_eq!(some.exit, Some(3), "{some:#?}");
    line_about(&some, "1155000001");
    for sid in ["1155009998", "1155009999"] {
        assert!(some.stderr.contains(sid), "{some:#?}");
    }
    for (list, said) in [
        (
            &["certs", "list", "1155000001"][..],
            "1155000001 has no certificate",
        ),
        (
            &["certs", "list", "--status", "expired"],
            "no certificate is like that",
        ),
        (
            &["code", "list", "service/wiki"],
            "there is no service wiki",
        ),
        (
            &["roster", "list", "--status", "suspended"],
            "no student on the roster",
        ),
    ] {
        let empty = campus.cuhk(list);
        assert_eq!(empty.stdout, "", "{empty:#?}");
        assert!(empty.stderr.contains(said), "{said}: {empty:#?}");
    }
    let json = ["roster", "list", "--status", "suspended", "--json"];
    let json = campus.cuhk(&json).succeeded();
    assert_eq!((json.stdout.trim(), json.stderr.as_str()), ("[]", ""));
}

#[test]
fn what_was_done_is_told_to_scripts_as_one_object() {
    let campus = ByHand::new();
    campus.init().succeeded();
    campus.roster(ROSTER).succeeded();
    let done = |arguments: &[&str]| {
        let ran = campus.cuhk(&[arguments, &["--json"]].concat()).succeeded();
        ran.json()
    };
    let issued = done(&["code", "issue", "1155000001"]);
    assert_eq!(issued["subject"], "1155000001");
    assert!(
        issued["code"].is_string() && issued["file"].is_null(),
        "{issued}"
    );
    let written = done(&[
        "code",
        "issue",
        "1155000001",
        "--replace",
        "--out",
        "one.csv",
    ]);
    assert!(written["code"].is_null(), "{written}");
    assert_eq!(
        (&written["file"], &written["replaced"]),
        (&"one.csv".into(), &true.into())
    );
    let made = done(&["backup", "cuhk.zip"]);
    assert_eq!(
        (&made["file"], &made["left_out"]),
        (&"cuhk.zip".into(), &serde_json::json!([]))
    );
    assert!(
        made["files"].as_u64() > Some(5) && made["bytes"].is_u64(),
        "{made}"
    );
    assert_eq!(made["removed"], serde_json::json!([]));
    let would = done(&["prune", "--dry-run"]);
    assert_eq!(
        (&would["dry_run"], &would["codes"]),
        (&true.into(), &0.into())
    );
    assert!(would["database_kib"].is_null(), "{would}");
    assert!(done(&["prune"])["database_kib"].is_u64());
    let rotated = done(&["keys", "rotate", "tokens"]);
    assert_eq!(rotated["key"], "tokens");
    assert!(
        rotated["active"].is_null(),
        "no server is running: {rotated}"
    );
    // And what was not done, in the same form.
    let refused = |arguments: &[&str], exit: i32, code: &str| {
        let ran = campus.cuhk(&[arguments, &["--json"]].concat());
        assert_eq!(ran.stdout, "", "{ran:#?}");
        ran.refused(exit, code);
    };
    refused(&["code", "issue", "1155009999"], 3, "student_unknown");
    refused(&["backup", "cuhk.zip"], 2, "file_exists");
    refused(&["keys", "withdraw", "students-9"], 3, "key_unknown");
}
