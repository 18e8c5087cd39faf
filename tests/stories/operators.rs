//! Which operator did what, and when: for whoever audits CUHK.

use serde_json::Value;

use crate::campus::{ByHand, Campus, Ran, program};
use crate::years::finding;

const SID: &str = "1155000003";

fn operations(campus: &Campus, more: &[&str]) -> Vec<Value> {
    let arguments = [&["operations", "list", "--json"], more].concat();
    let listed = campus.administer_cuhk(&arguments).succeeded().json();
    listed.as_array().unwrap().clone()
}

/// What was done, and to whom.
fn done(operations: &[Value]) -> Vec<(&str, &str, &str)> {
    let columns = operations
        .iter()
        .map(|row| ["operation", "subject", "result"].map(|column| row[column].as_str().unwrap()));
    columns
        .map(|[operation, subject, result]| (operation, subject, result))
        .collect()
}

#[test]
fn who_suspended_restored_and_revoked_a_student_and_when() {
    let campus = Campus::sandbox();
    campus.student(&["enrol", "--ids", SID]).succeeded();
    assert_eq!(
        done(&operations(&campus, &[])),
        [],
        "a server is no operator"
    );
    for line in [
        &["roster", "suspend", SID, "1155000004"][..],
        &["roster", "suspend", SID],
        &["roster", "restore", SID],
        &["code", "issue", SID],
        &["code", "withdraw", SID],
        &["term", "set", "T1", "--ends", "2099-12-31"],
    ] {
        campus.administer_cuhk(line).succeeded();
    }
    let listed = campus.administer_cuhk(&["certs", "list", SID, "--json"]);
    let listed = listed.succeeded().json();
    let serial = listed[0]["serial"].as_str().unwrap().to_owned();
    campus.administer_cuhk(&["revoke", &serial]).succeeded();
    campus
        .administer_cuhk(&["revoke", &serial, "--json"])
        .refused(3, "nothing_to_revoke");

    let of_student = operations(&campus, &["--student", SID]);
    assert_eq!(
        done(&of_student),
        [
            ("roster suspend", SID, "suspended, 1 certificate"),
            ("roster restore", SID, "restored, 1 certificate"),
            ("code issue", SID, "a code"),
            ("code withdraw", SID, "1 code withdrawn"),
            (
                "revoke",
                SID,
                &format!(
                    "1 certificate revoked, 0 unused codes withdrawn (unspecified): certificate {serial}"
                )
            ),
        ],
        "each once, whatever changed nothing not at all"
    );
    let all = operations(&campus, &[]);
    assert_eq!(all.len(), 7, "{all:#?}");
    for (index, row) in all.iter().enumerate() {
        assert_eq!(row["number"], index as u64 + 1);
        assert_eq!(row["uid"], all[0]["uid"]);
        assert!(row["at"].as_str().unwrap().ends_with('Z'), "{row:#}");
        assert_eq!(row["chain"].as_str().unwrap().len(), 64, "{row:#}");
    }
    assert_eq!(operations(&campus, &["--since", "2020-01-01"]), all);
    // No code is in any of it.
    let lines = campus.administer_cuhk(&["operations", "list"]).succeeded();
    assert!(lines.stdout.contains("roster suspend"), "{}", lines.stdout);
    let csv = campus.administer_cuhk(&["operations", "list", "--csv"]);
    assert!(csv.succeeded().stdout.starts_with("number,at,operation,"));
}

#[test]
fn who_called_sudo_is_noted_and_steers_no_terminal() {
    let campus = Campus::sandbox();
    for (name, noted) in [("alice", Value::from("alice")), ("\u{1b}[2J", Value::Null)] {
        let mut suspend = program("cuhk");
        suspend
            .args(["--home"])
            .arg(campus.path().join("cuhk"))
            .args(["roster", "suspend", SID])
            .env("SUDO_USER", name);
        assert!(suspend.status().unwrap().success());
        campus
            .administer_cuhk(&["roster", "restore", SID])
            .succeeded();
        let all = operations(&campus, &["--student", SID]);
        let suspended = &all[all.len() - 2];
        assert_eq!(suspended["operation"], "roster suspend");
        assert_eq!(suspended["sudo_user"], noted);
    }
}

#[test]
fn an_import_is_noted_with_its_numbers_and_whom_it_suspended() {
    let campus = ByHand::new();
    campus.init().succeeded();
    let rows = |rows: &str| format!("sid,name,email,programme\n{rows}");
    let file = campus.path("r.csv");
    let file = file.to_str().unwrap();
    let import = |text: String| {
        std::fs::write(file, text).unwrap();
        let import = [
            "roster",
            "import",
            file,
            "--missing",
            "suspend",
            "--suspend-many",
            "1",
        ];
        campus.cuhk(&import).succeeded();
    };
    import(rows("1155000001,A,,\n1155000002,B,,\n"));
    import(rows("1155000001,A,,\n1155000002,B,,\n"));
    import(rows("1155000001,C,,\n"));
    let listed = campus.cuhk(&["operations", "list", "--json"]).succeeded();
    let listed = listed.json();
    let listed = listed.as_array().unwrap();
    assert_eq!(listed[0]["operation"], "init");
    assert_eq!(
        done(&listed[1..]),
        [
            (
                "roster import",
                "roster",
                "2 added, 0 changed, 0 restored, 0 suspended, 0 codes"
            ),
            (
                "roster import",
                "roster",
                "0 added, 1 changed, 0 restored, 1 suspended, 0 codes"
            ),
            ("roster import", "1155000002", "suspended, 0 certificates"),
        ]
    );
}

#[test]
fn a_backup_has_them_and_whoever_restores_it_is_noted_and_an_altered_one_is_found() {
    let mut campus = Campus::sandbox();
    campus
        .administer_cuhk(&["roster", "suspend", SID])
        .succeeded();
    let backup = campus.outside().join("night.zip");
    campus
        .administer_cuhk(&["backup", backup.to_str().unwrap()])
        .succeeded();
    campus.cuhk.stop();
    let home = campus.outside().join("restored");
    let cuhk = |arguments: &[&str]| {
        let mut command = program("cuhk");
        command.arg("--home").arg(&home).args(arguments);
        Ran::of(&mut command)
    };
    cuhk(&["restore", backup.to_str().unwrap()]).succeeded();
    let listed = cuhk(&["operations", "list", "--json"]).succeeded().json();
    let listed = listed.as_array().unwrap();
    let done = done(listed);
    assert_eq!(
        done[0],
        ("roster suspend", SID, "suspended, 0 certificates")
    );
    assert_eq!((done[1].0, done[1].1), ("restore", "home"));
    assert!(done[1].2.starts_with("from a backup of 20"), "{done:?}");
    assert_eq!(done.len(), 2);

    let database = rusqlite::Connection::open(home.join("cuhk.db")).unwrap();
    let alter = "UPDATE operation SET user = 'nobody' WHERE number = 1";
    database.execute(alter, []).unwrap_err();
    database
        .execute("DROP TRIGGER operation_stays", [])
        .unwrap();
    database.execute(alter, []).unwrap();
    drop(database);
    cuhk(&["operations", "list", "--json"]).refused(5, "damaged");
    let doctor = cuhk(&["doctor", "--json"]);
    assert!(doctor.stdout.contains("operation"), "{doctor:#?}");
}

/// What `cuhk doctor` finds of this check.
fn found(campus: &ByHand, check: &str) -> (String, String) {
    finding(&campus.cuhk(&["doctor", "--json"]), check)
}

fn until(campus: &ByHand, check: &str, words: &str) {
    let begun = std::time::Instant::now();
    loop {
        let (_, seen) = found(campus, check);
        if seen.contains(words) {
            return;
        }
        assert!(begun.elapsed().as_secs() < 60, "{check}: {seen}");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
}

#[test]
fn what_operators_did_is_in_the_log_that_blackboard_cosigns() {
    let campus = ByHand::new();
    campus.init().succeeded();
    campus
        .roster("sid,name,email,programme\n1155000003,One,,CSCI\n1155000004,Two,,CSCI\n")
        .succeeded();
    let cuhk = campus.serve_cuhk();
    let _blackboard = campus.serve_blackboard(&cuhk);
    campus
        .cuhk(&["roster", "suspend", "1155000004"])
        .succeeded();
    let listed = campus
        .cuhk(&["operations", "list", "--json"])
        .succeeded()
        .json();
    let count = listed.as_array().unwrap().len();
    until(&campus, "operations", &format!("to the first {count}"));
    // What students see of the log is what concerns them.
    let to = ["--cuhk", &cuhk.address(), "--ca", "cuhk.home/ca.pem"];
    let enrol = ["enrol", "--ids", SID, "--codes", "codes.csv"];
    campus.student(&[&enrol[..], &to].concat()).succeeded();
    campus.student(&["audit", "--ids", SID]).succeeded();
    let size = |seen: &str| {
        let of = seen
            .split("cosigned ")
            .nth(1)
            .unwrap()
            .split(" entries")
            .next()
            .unwrap();
        let (cosigned, all) = of.split_once(" of ").unwrap();
        cosigned == all
    };
    until(&campus, "log-witness", "cosigned");
    let begun = std::time::Instant::now();
    while !size(&found(&campus, "log-witness").1) {
        assert!(begun.elapsed().as_secs() < 60);
    }
    drop(cuhk);

    // The suspension was never, says whoever can write here: with its own hashes.
    let database = rusqlite::Connection::open(campus.path("cuhk.home/cuhk.db")).unwrap();
    let last =
        format!("DROP TRIGGER operation_is_kept; DELETE FROM operation WHERE number = {count}");
    database.execute_batch(&last).unwrap();
    campus.cuhk(&["roster", "suspend", SID]).succeeded();
    let (outcome, seen) = found(&campus, "operations");
    assert_eq!(outcome, "fail", "{seen}");
    assert!(seen.contains(&format!("not the first {count}")), "{seen}");
    // A server enters nothing of it, and says so once.
    let cuhk = campus.serve_cuhk();
    let begun = std::time::Instant::now();
    let told = || cuhk.log().matches("cannot enter the operations").count();
    while told() == 0 || begun.elapsed().as_secs() < 3 {
        assert!(begun.elapsed().as_secs() < 60, "{}", cuhk.log());
        assert_eq!(
            found(&campus, "operations"),
            ("fail".to_owned(), seen.clone())
        );
    }
    let told = told();
    assert_eq!(told, 1, "{}", cuhk.log());
    drop(cuhk);
    // Nor does it help to take that entry away, or to say that it was another.
    let other = "UPDATE log_entry SET content = '{}' WHERE subject = 'cuhk/operations'";
    database.execute(other, []).unwrap();
    assert_eq!(found(&campus, "operations").0, "fail");
    let none = "DELETE FROM log_entry WHERE subject = 'cuhk/operations'";
    database.execute(none, []).unwrap();
    let (outcome, seen) = found(&campus, "operations");
    assert_eq!(outcome, "warn", "{seen}");
    // Nor that all of it was pruned, as far as the log goes or up to its last entry.
    assert_eq!(found(&campus, "log-pruned").0, "ok");
    for last in ["max(number)", "max(number) + 1"] {
        let pruned = format!(
            "INSERT OR REPLACE INTO removed_questions (id, below, before)
             SELECT 1, {last}, unixepoch() - 200 * 86400 FROM log_entry"
        );
        database.execute(&pruned, []).unwrap();
        let (outcome, seen) = found(&campus, "log-pruned");
        assert_eq!(outcome, "fail", "{seen}");
    }
}
