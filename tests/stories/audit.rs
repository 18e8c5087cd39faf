//! `student audit`: what CUHK's log says about oneself, and what happens when it lies.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::campus::{Campus, Ran, SAMPLE, Server, program, python, serve_at, version};

const SID: &str = "1155000001";
/// By then the witness has come back, also after it has seen something wrong.
const PATIENCE: Duration = Duration::from_secs(90);
const JUDGE: &str = concat!(
    include_str!("../campus/tiles.py"),
    include_str!("audit_judge.py")
);

pub(crate) fn audit(campus: &Campus, more: &[&str]) -> Ran {
    campus.student(&[&["audit", "--ids", SID, "--json"], more].concat())
}

pub(crate) fn list<'a>(looked: &'a Value, what: &str) -> &'a Vec<Value> {
    looked["students"][0][what].as_array().unwrap()
}

/// Looks until it is as it should be.
pub(crate) fn until(mut holds: impl FnMut() -> bool, what: &str) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "{what}");
    }
}

/// Stops CUHK, alters its database and whatever else, and starts it again.
pub(crate) fn alter(campus: &mut Campus, sql: &str, more: impl FnOnce(&Path)) {
    campus.cuhk.stop();
    let home = campus.path().join("cuhk");
    let database = rusqlite::Connection::open(home.join("cuhk.db")).unwrap();
    database.execute_batch(sql).unwrap();
    drop(database);
    more(&home);
    campus.start_cuhk_again();
}

#[test]
fn every_certificate_and_every_service_that_asked_is_shown_and_proved() {
    let campus = Campus::sandbox();
    campus.student(&["submit", "--ids", SAMPLE]).succeeded();
    let first = audit(&campus, &[]).succeeded().json();
    let [certificate] = list(&first, "certificates").as_slice() else {
        panic!("{first:#}");
    };
    assert_eq!(certificate["status"], "active");
    assert_eq!(certificate["here"], true);
    let asked = list(&first, "asked");
    assert!(asked.len() >= 2, "before and at the commit: {first:#}");
    for one in asked {
        assert_eq!(one["service"], "blackboard");
        assert_eq!(one["told"], "active");
    }
    assert!(first["log"]["size_before"].is_null());

    // A second machine, and the first one's key is lost.
    let codes = campus.outside().join("codes.csv");
    let out = codes.to_str().unwrap();
    let issue = ["code", "issue", SID, "--out", out];
    campus.administer_cuhk(&issue).succeeded();
    let second = campus.outside().join("second");
    let enrol = ["enrol", "--ids", SID, "--new-device", "--codes", out];
    campus.student_elsewhere(&second, &enrol).succeeded();
    let lost = certificate["serial"].as_str().unwrap();
    campus.administer_cuhk(&["revoke", lost]).succeeded();
    let elsewhere = campus.student_elsewhere(&second, &["audit", "--json"]);
    let elsewhere = elsewhere.succeeded().json();
    let shown: Vec<_> = list(&elsewhere, "certificates")
        .iter()
        .map(|one| (one["status"].clone(), one["here"].clone()))
        .collect();
    let expected = [("revoked", false), ("active", true)];
    assert_eq!(
        shown,
        expected.map(|(status, here)| (status.into(), here.into()))
    );

    let again = campus.student_elsewhere(&second, &["audit"]).succeeded();
    let (stdout, size) = (&again.stdout, &elsewhere["log"]["size"]);
    for told in [
        "1155000001  2 certificates, asked about",
        "revoked, not here",
        "active, here",
        "asked by blackboard",
        "told: active",
        "every line above proved to be in it",
        "Not yours? Tell your department",
        &format!("grew out of the {size} seen before"),
    ] {
        assert!(stdout.contains(told), "{told}: {stdout}");
    }
}

#[test]
fn what_a_home_has_replaced_is_its_own_and_no_alarm() {
    let campus = Campus::sandbox();
    campus.student(&["enrol", "--ids", SID]).succeeded();
    for _ in 0..2 {
        campus.student(&["renew", "--ids", SID]).succeeded();
    }
    let told = audit(&campus, &[]).succeeded().json();
    let whose = list(&told, "certificates").iter();
    let whose: Vec<_> = whose
        .map(|one| (one["here"].clone(), one["earlier"].clone()))
        .collect();
    let expected = [(false, true), (false, true), (true, false)];
    let expected = expected.map(|(here, earlier)| (here.into(), earlier.into()));
    assert_eq!(whose, expected);
    let told = campus.student(&["audit"]).succeeded().stdout;
    assert!(
        told.contains("active; an earlier one of this home, since replaced"),
        "{told}"
    );
    assert!(!told.contains("Not yours?"), "{told}");
    let chinese = campus.student(&["audit", "--lang", "zh-Hant"]);
    let chinese = chinese.succeeded().stdout;
    for part in [
        "有效；本機先前的證書，其後已由本機更換",
        "有效，在本機",
        "以上各行均證明在其中",
    ] {
        assert!(chinese.contains(part), "{part} is missing:\n{chinese}");
    }
    for english in ["certificate", "asked", "told", "entries", "cosigned"] {
        assert!(!chinese.contains(english), "{english}:\n{chinese}");
    }
}

/// Whoever has the key of a revoked certificate may be a thief: it shows nothing. With a new one the
/// student sees all.
#[test]
fn who_is_revoked_is_told_since_when_and_sees_everything_with_a_new_certificate() {
    let campus = Campus::sandbox();
    let both = ["enrol", "--ids", "1155000001,1155000002"];
    campus.student(&both).succeeded();
    let first = audit(&campus, &[]).succeeded().json();
    let lost = list(&first, "certificates")[0]["serial"].as_str().unwrap();
    let revoke = ["revoke", SID, "--reason", "key_compromise"];
    campus.administer_cuhk(&revoke).succeeded();
    let refused = refused_once_listed(&campus, "since: 20");
    assert_eq!(refused["code"], "certificate_revoked");
    assert_eq!(refused["sid"], SID);
    let message = refused["message"].as_str().unwrap();
    for told in [lost, "reason: key_compromise"] {
        assert!(message.contains(told), "{told}: {message}");
    }
    let remedy = refused["remedy"].as_str().unwrap();
    assert!(
        remedy.contains("student enrol --ids 1155000001 --codes"),
        "{remedy}"
    );
    // Others are shown theirs all the same.
    let group = campus.student(&["audit"]);
    assert_eq!(group.exit, Some(3), "{group:#?}");
    assert!(
        group.stdout.contains("1155000002  1 certificate"),
        "{group:#?}"
    );
    assert!(!group.stdout.contains("1155000001"), "{group:#?}");

    // What the remedy says.
    let key = campus
        .path()
        .join("student/students")
        .join(SID)
        .join("key.pem");
    let before = fs::read(&key).unwrap();
    let codes = campus.outside().join("new.csv");
    let out = codes.to_str().unwrap();
    let issue = ["code", "issue", SID, "--out", out];
    campus.administer_cuhk(&issue).succeeded();
    let enrolled = campus.student(&["enrol", "--ids", SID, "--codes", out]);
    let told = enrolled.succeeded().stdout;
    assert!(
        told.contains("was revoked at") && told.contains("a new key"),
        "{told}"
    );
    assert_ne!(fs::read(&key).unwrap(), before);
    let all = audit(&campus, &[]).succeeded().json();
    let statuses: Vec<_> = list(&all, "certificates")
        .iter()
        .map(|one| one["status"].as_str().unwrap())
        .collect();
    assert_eq!(statuses, ["revoked", "active"]);
}

/// Why a look is refused, once CUHK has listed the certificate.
fn refused_once_listed(campus: &Campus, told: &str) -> Value {
    let mut stderr = String::new();
    until(
        || {
            stderr = audit(campus, &[]).stderr;
            stderr.contains(told)
        },
        told,
    );
    let refused: Value = serde_json::from_str(&stderr).unwrap();
    refused["error"].clone()
}

/// A suspension is lifted: no code is spent on it.
#[test]
fn a_certificate_on_hold_is_told_as_such_and_takes_no_code() {
    let campus = Campus::sandbox();
    campus.student(&["enrol", "--ids", SID]).succeeded();
    let codes = campus.outside().join("new.csv");
    let out = codes.to_str().unwrap();
    let issue = ["code", "issue", SID, "--out", out];
    campus.administer_cuhk(&issue).succeeded();
    campus
        .administer_cuhk(&["roster", "suspend", SID])
        .succeeded();
    refused_once_listed(&campus, "certificate_on_hold");
    let enrolled = campus.student(&["enrol", "--ids", SID, "--codes", out]);
    assert!(enrolled.succeeded().stdout.contains("here already"));
    let open = campus.administer_cuhk(&["code", "list", SID, "--json"]);
    assert_eq!(open.succeeded().json().as_array().unwrap().len(), 1);
}

#[test]
fn blackboard_s_cosignature_is_checked_and_shown() {
    let mut campus = Campus::sandbox();
    campus.student(&["enrol", "--ids", SID]).succeeded();
    let mut looked = Value::Null;
    until(
        || {
            looked = audit(&campus, &[]).succeeded().json();
            looked["log"]["witnesses"][0]["size"] == looked["log"]["size"]
        },
        "the witness sees the whole log",
    );
    let witness = &looked["log"]["witnesses"][0];
    assert_eq!(witness["service"], "blackboard");
    assert_eq!(witness["key_changed"], false);
    let shown = campus.student(&["audit"]).succeeded().stdout;
    assert!(
        shown.contains("cosigned by blackboard: all of it"),
        "{shown}"
    );

    judged(&campus.path().join("cuhk/log"), &looked["log"]);

    // Blackboard loses its key: somebody should notice.
    campus.blackboard.stop();
    fs::remove_dir_all(campus.path().join("blackboard/witness")).unwrap();
    let again = serve_at(&campus.path(), &campus.blackboard.address());
    campus.blackboard = Server::start("blackboard", &again);
    until(
        || {
            let looked = audit(&campus, &[]).succeeded().json();
            looked["log"]["witnesses"][0]["key_changed"] == true
        },
        "another key is told",
    );
    let shown = campus.student(&["audit"]).succeeded().stdout;
    assert!(shown.contains("ANOTHER KEY"), "{shown}");
}

/// Python reads the tiles, the checkpoint and, where a witness was shown, its cosignature by their
/// specifications.
pub(crate) fn judged(log: &Path, shown: &Value) {
    let Some(accepted) = outside(log, shown, "") else {
        return;
    };
    assert_eq!(accepted.succeeded().stdout, "agreed\n");
    if shown["witnesses"][0].is_null() {
        return;
    }
    for (altered, part) in [
        ("time", "InvalidSignature"),
        ("signature", "InvalidSignature"),
        ("tree", "InvalidSignature"),
        ("key", "not by this key"),
    ] {
        let refused = outside(log, shown, altered).unwrap();
        assert_eq!(refused.exit, Some(1), "{altered}: {refused:#?}");
        assert!(refused.stderr.contains(part), "{altered}: {refused:#?}");
    }
}

/// What the script says, of the cosignature with this altered.
fn outside(log: &Path, shown: &Value, altered: &str) -> Option<Ran> {
    let mut python = python()?;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let judge = python.args(["-c", JUDGE]).arg(log);
    judge.args([text(&shown["checkpoint"]), text(&shown["key"])]);
    if let Some(witness) = shown["witnesses"].get(0) {
        // What CUHK hands out of it, as it has recorded that.
        let database = rusqlite::Connection::open(log.with_file_name("cuhk.db")).unwrap();
        let latest = "SELECT checkpoint FROM witness WHERE service = 'blackboard'";
        let cosigned = database.query_row(latest, [], |row| row.get(0));
        let cosigned: String = cosigned.unwrap();
        judge.args([text(&witness["key"]), cosigned, altered.to_owned()]);
    }
    Some(Ran::of(judge))
}

#[test]
fn a_log_that_was_begun_anew_is_refused_by_students_and_by_the_witness() {
    let mut campus = Campus::sandbox();
    campus.student(&["submit", "--ids", SAMPLE]).succeeded();
    let mut looked = Value::Null;
    until(
        || {
            looked = audit(&campus, &[]).succeeded().json();
            !looked["log"]["witnesses"][0].is_null()
        },
        "the witness has seen the log",
    );
    // The certificates are entered anew, the questions are gone.
    let forget = "DELETE FROM witness; DELETE FROM log_entry;";
    alter(&mut campus, forget, |home| {
        fs::remove_dir_all(home.join("log")).unwrap();
    });
    let error = audit(&campus, &[]).refused(3, "log_forked");
    let remedy = error["remedy"].as_str().unwrap();
    assert!(remedy.contains("evidence"), "{remedy}");
    let chinese = audit(&campus, &["--lang", "zh-Hant"]);
    assert!(chinese.stderr.contains("日誌"), "{chinese:#?}");
    // Grown beyond what was seen, it is another one still; and the proof of that is kept.
    until(
        || {
            campus.student(&["submit", "--ids", SAMPLE, &version(campus.outside())]);
            campus.submissions().len() >= 4
        },
        "Blackboard is in touch with CUHK again, and takes in work",
    );
    audit(&campus, &[]).refused(3, "log_forked");
    let evidence = campus.path().join("student/log-contradicted.txt");
    let evidence = fs::read_to_string(evidence).unwrap();
    assert!(evidence.contains("/issuance\n"), "{evidence}");
    until(
        || {
            campus
                .blackboard
                .log()
                .contains("not cosigned [log_forked]")
        },
        "Blackboard refuses to cosign, and says so",
    );
    // It is the home that remembers: whoever else looks from here is told the same.
    let other = campus.student(&["audit", "--ids", "1155000002", "--json"]);
    other.refused(3, "log_forked");
    the_witness_goes_on_by_its_operators_word(&campus);
}

fn the_witness_goes_on_by_its_operators_word(campus: &Campus) {
    let doctor = || {
        let findings = campus.administer_cuhk(&["doctor", "--json"]).json();
        let mut findings = findings.as_array().unwrap().clone().into_iter();
        findings.find(|one| one["check"] == "log-witness").unwrap()
    };
    until(|| doctor()["outcome"] == "fail", "CUHK's operator is told");
    let mend = doctor()["mend"].as_str().unwrap().to_owned();
    assert!(mend.contains("blackboard witness accept-log"), "{mend}");
    let shown = campus.administer_blackboard(&["witness", "show", "--json"]);
    assert_eq!(shown.exit, Some(3), "{shown:#?}");
    let told = shown.json();
    let tree = |of: &str| told[of]["tree"].as_str().unwrap().to_owned();
    let typed = format!(
        "blackboard witness accept-log --instead-of {}",
        tree("seen")
    );
    assert!(mend.ends_with(&typed), "{mend}");
    let accept = ["witness", "accept-log", "--instead-of"];
    let wrong = campus.administer_blackboard(&[&accept[..], &[&tree("now")]].concat());
    assert_eq!(wrong.exit, Some(3), "{wrong:#?}");
    let named = format!("accept-log --instead-of {}", tree("seen"));
    assert!(wrong.stderr.contains(&named), "{wrong:#?}");
    let accepted = campus.administer_blackboard(&[&accept[..], &[&tree("seen")]].concat());
    let told = accepted.succeeded().stdout;
    for part in ["does NOT begin with", "kept as evidence"] {
        assert!(told.contains(part), "{told}");
    }
    // What is accepted is cosigned by the running server; what was seen stays shown.
    until(|| doctor()["outcome"] == "ok", "the witness cosigns again");
    let shown = campus.administer_blackboard(&["witness", "show", "--json"]);
    let kept = &shown.succeeded().json()["set_aside"][0];
    assert_eq!(kept["tree"], tree("seen"));
    assert_eq!(kept["reason"], "operator");
}

#[test]
fn a_log_that_lacks_a_certificate_or_an_entry_is_refused() {
    let mut campus = Campus::sandbox();
    campus.student(&["submit", "--ids", SAMPLE]).succeeded();
    audit(&campus, &[]).succeeded();
    // The last question about the student is withheld; the log itself is whole.
    let forget = |sid: &str, which: &str| {
        format!(
            "UPDATE log_entry SET subject = NULL, nth = NULL, salt = NULL, content = NULL, \
             serial = NULL WHERE subject = '{sid}' AND {which};"
        )
    };
    let last = format!("nth = (SELECT max(nth) FROM log_entry WHERE subject = '{SID}')");
    alter(&mut campus, &forget(SID, &last), |_| ());
    let error = audit(&campus, &[]).refused(3, "log_incomplete");
    assert!(error.to_string().contains("withheld"), "{error:#}");
    // Of somebody else an earlier one: what comes after it is out of line.
    alter(&mut campus, &forget("1155000002", "nth = 2"), |_| ());
    let other = campus.student(&["audit", "--ids", "1155000002", "--json"]);
    other.refused(3, "log_incomplete");
}

#[test]
fn a_memory_that_was_altered_is_no_memory() {
    let campus = Campus::sandbox();
    campus.student(&["enrol", "--ids", SID]).succeeded();
    audit(&campus, &[]).succeeded();
    let file = campus.path().join("student/log.json");
    let good = fs::read_to_string(&file).unwrap();
    let key = "\"checkpoint\": \"";
    for bad in [
        String::new(),
        good.replace("\"v\": 1", "\"v\": 2"),
        good.replace(key, &format!("{key}x")),
    ] {
        assert_ne!(bad, good);
        fs::write(&file, bad).unwrap();
        audit(&campus, &[]).refused(5, "log_memory_damaged");
    }
    fs::write(&file, good).unwrap();
    audit(&campus, &[]).succeeded();
}

#[test]
fn a_restored_cuhk_goes_on_with_the_log_that_was_shown() {
    let mut campus = Campus::sandbox();
    campus.student(&["enrol", "--ids", SID]).succeeded();
    let file = campus.outside().join("backup.zip");
    let back_up = ["backup", file.to_str().unwrap()];
    let doctor = || campus.administer_cuhk(&["doctor"]).stdout;
    until(|| doctor().contains("has cosigned"), "the witness cosigns");
    campus.administer_cuhk(&back_up).succeeded();
    campus
        .student(&["enrol", "--ids", "1155000002"])
        .succeeded();
    let before = audit(&campus, &[]).succeeded().json();
    campus.cuhk.stop();

    let restore = |name: &str| {
        let home = campus.outside().join(name);
        let mut restore = program("cuhk");
        restore.arg("restore").arg(&file).arg("--home").arg(&home);
        let told = Ran::of(&mut restore).succeeded().stdout;
        assert!(told.contains("log_forked"), "{told}");
        for typed in [
            "blackboard witness show",
            "blackboard witness accept-log --instead-of TREE",
        ] {
            assert!(told.contains(typed), "{told}");
        }
        let seen = format!(
            "blackboard, which at the backup had seen {}",
            cosigned(&home)
        );
        assert!(told.contains(&seen), "{told}");
        home
    };
    let (careless, careful) = (restore("careless"), restore("careful"));
    serve_from(&mut campus, &careless);
    audit(&campus, &[]).refused(3, "log_forked");
    campus.cuhk.stop();

    // What the restore said: the log of the old home goes over the one here.
    let copied = std::process::Command::new("cp")
        .arg("-rT")
        .args([campus.path().join("cuhk/log"), careful.join("log")])
        .status();
    assert!(copied.unwrap().success());
    serve_from(&mut campus, &careful);
    assert!(campus.cuhk.log().contains("not in the database: "));
    let after = audit(&campus, &[]).succeeded().json();
    let size = |looked: &Value| looked["log"]["size"].as_u64().unwrap();
    assert!(size(&after) > size(&before));
    assert_eq!(after["log"]["size_before"], before["log"]["size"]);
}

/// What the witness has cosigned, by the records of a home that nobody serves.
fn cosigned(home: &Path) -> String {
    let database = rusqlite::Connection::open(home.join("cuhk.db")).unwrap();
    let checkpoint: String = database
        .query_row("SELECT checkpoint FROM witness", [], |row| row.get(0))
        .unwrap();
    // C2SP tlog-checkpoint: origin, size, root.
    let lines: Vec<_> = checkpoint.lines().collect();
    format!("{} entries, tree {}", lines[1], lines[2])
}

/// Serves another home at the address where everybody looks for CUHK.
fn serve_from(campus: &mut Campus, home: &Path) {
    let mut serve = program("cuhk");
    serve.arg("--home").arg(home).arg("serve");
    serve.args(["--listen", &campus.cuhk.address(), "--passphrase-file"]);
    serve.arg(campus.path().join("cuhk.passphrase"));
    let ready = campus.path().join("cuhk.addr");
    campus.cuhk = Server::start_command(serve.arg("--ready-file").arg(ready));
}
