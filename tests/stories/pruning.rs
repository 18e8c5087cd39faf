//! `cuhk prune` and the issuance log: who asked long ago is forgotten, what is proved stays proved.

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use scb_protocol::values::{Nonce, Salt};
use scb_protocol::{LogEntry, commitment};
use serde_json::Value;

use crate::audit::{alter, audit, judged, list, until};
use crate::campus::{Campus, Ran, copy, program, serve_at, version};

const SID: &str = "1155000001";
const DAY: u64 = 24 * 60 * 60;
/// Questions about the student, two years ago.
const OLD: u64 = 600;

fn days_ago(days: u64) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    (now - Duration::from_secs(days * DAY)).as_secs()
}

/// Question `nth` about the student, as CUHK would have entered it then.
fn asked(nth: u64) -> String {
    let entry = LogEntry::Verification {
        v: 1,
        subject: SID.to_owned(),
        nth,
        certificates: 0,
        asker: scb_certs::ServiceName::blackboard(),
        nonce: Nonce::from_bytes([nth as u8; 16]),
        cert_sha256: scb_certs::Fingerprint::from_bytes([2; 32]),
        inactive: None,
        at: days_ago(730) + nth,
    };
    entry.to_content().unwrap()
}

/// A CUHK that has been asked about the student years ago, when somebody else's machine certified
/// her; here she has a certificate since today. Blackboard has cosigned all of it.
fn old_campus() -> Campus {
    let mut campus = Campus::sandbox();
    campus.cuhk.stop();
    let file = campus.path().join("cuhk/cuhk.db");
    let mut database = rusqlite::Connection::open(file).unwrap();
    let all = database.transaction().unwrap();
    for nth in 1..=OLD {
        let (salt, content) = (Salt::from_bytes([nth as u8; 32]), asked(nth));
        let insert = "INSERT INTO log_entry (number, commitment, subject, nth, salt, content)
                      SELECT max(number) + 1, ?1, ?2, ?3, ?4, ?5 FROM log_entry";
        let committed = commitment(&salt, &content);
        let values = rusqlite::params![committed, SID, nth as i64, salt.as_bytes(), content];
        assert_eq!(all.execute(insert, values).unwrap(), 1);
    }
    all.commit().unwrap();
    drop(database);
    campus.start_cuhk_again();
    campus.student(&["enrol", "--ids", SID]).succeeded();
    witnessed(&campus);
    campus
}

/// Looks until Blackboard has cosigned the whole log.
fn witnessed(campus: &Campus) -> Value {
    let mut looked = Value::Null;
    until(
        || {
            looked = audit(campus, &[]).succeeded().json();
            looked["log"]["witnesses"][0]["size"] == looked["log"]["size"]
        },
        "the witness sees the whole log",
    );
    looked
}

fn prune(campus: &Campus, more: &[&str]) -> String {
    let ran = campus.administer_cuhk(&[&["prune"], more].concat());
    ran.succeeded().stdout
}

fn hand_in(campus: &Campus) {
    let report = version(campus.outside());
    let submit = ["submit", "--ids", SID, &report];
    // Where CUHK was started again Blackboard finds it in a moment.
    until(
        || match campus.student(&submit) {
            away if away.stderr.contains("cuhk_unavailable") => false,
            ran => ran.succeeded().exit == Some(0),
        },
        "Blackboard is in touch with CUHK",
    );
}

#[test]
fn old_questions_go_and_the_log_is_proved_as_before() {
    let mut campus = old_campus();
    hand_in(&campus);
    let before = witnessed(&campus);
    let asked = list(&before, "asked").len() as u64;
    assert!(asked > OLD, "{asked}");
    assert!(before["students"][0]["removed"].is_null());

    let told = prune(&campus, &["--dry-run"]);
    assert!(
        told.contains(&format!("would remove {OLD} questions")),
        "{told}"
    );
    assert_eq!(
        audit(&campus, &[]).succeeded().json()["students"],
        before["students"]
    );
    let told = prune(&campus, &["--keep-questions-days", "800"]);
    assert!(told.contains("removed 0 questions"), "{told}");
    let told = prune(&campus, &[]);
    let expected = format!("removed {OLD} questions about students");
    assert!(told.contains(&expected), "{told}");
    let kept = format!("; {} stay", asked - OLD);
    assert!(told.contains(&kept), "{told}");
    assert!(prune(&campus, &[]).contains("removed 0 questions"));

    let after = audit(&campus, &[]).succeeded().json();
    assert_eq!(after["students"][0]["removed"]["count"], OLD);
    assert_eq!(list(&after, "asked").len() as u64, asked - OLD);
    assert_eq!(list(&after, "certificates"), list(&before, "certificates"));
    assert_eq!(after["log"]["size_before"], before["log"]["size"]);
    let told = audit_in_words(&campus, "en");
    assert!(told.contains("600 older questions, from before "), "{told}");
    let told = audit_in_words(&campus, "zh-Hant");
    assert!(told.contains("600 次查詢記錄已不再保存"), "{told}");

    // It goes on: hand-ins, a restart, the witness, and the files are what they were.
    campus.restart_cuhk();
    hand_in(&campus);
    let later = witnessed(&campus);
    assert!(later["log"]["size"].as_u64() > before["log"]["size"].as_u64());
    assert_eq!(
        later["students"][0]["removed"],
        after["students"][0]["removed"]
    );
    judged(&campus.path().join("cuhk/log"), &later["log"]);
    assert_eq!(doctor_of_the_log(&campus), "ok");
}

fn audit_in_words(campus: &Campus, language: &str) -> String {
    let audit = ["audit", "--ids", SID, "--lang", language];
    campus.student(&audit).succeeded().stdout
}

fn doctor_of_the_log(campus: &Campus) -> String {
    let findings = campus.administer_cuhk(&["doctor", "--json"]).json();
    let findings = findings.as_array().unwrap();
    let log = findings.iter().find(|finding| finding["check"] == "log");
    log.unwrap()["outcome"].as_str().unwrap().to_owned()
}

#[test]
fn what_is_hidden_as_if_it_were_old_is_missed() {
    let mut campus = old_campus();
    prune(&campus, &[]);
    hand_in(&campus);
    hand_in(&campus);
    witnessed(&campus);
    // A younger question, after a certificate that is as young.
    let young = format!(
        "CREATE TABLE aside AS SELECT * FROM log_entry WHERE subject = '{SID}' AND nth = {};
         DELETE FROM log_entry WHERE number = (SELECT number FROM aside);",
        OLD + 2
    );
    alter(&mut campus, &young, |_| ());
    let error = audit(&campus, &[]).refused(3, "log_incomplete");
    assert!(
        error.to_string().contains("an entry is missing after"),
        "{error:#}"
    );
    // As if the university forgot what is younger than anybody may forget.
    let forget = format!("UPDATE removed_questions SET before = {};", days_ago(80));
    let put_back = "INSERT INTO log_entry SELECT * FROM aside;";
    alter(&mut campus, &format!("{forget}{put_back}"), |_| ());
    let error = audit(&campus, &[]).refused(3, "log_incomplete");
    assert!(
        error.to_string().contains("of the last 90 days"),
        "{error:#}"
    );
    // As if nothing had ever been removed.
    alter(&mut campus, "DELETE FROM removed_questions;", |_| ());
    let error = audit(&campus, &[]).refused(3, "log_incomplete");
    assert!(
        error.to_string().contains("none is said to be removed"),
        "{error:#}"
    );
}

#[test]
fn a_log_whose_files_were_lost_after_pruning_comes_back_from_a_backup() {
    let mut campus = old_campus();
    let file = campus.outside().join("backup.zip");
    let back_up = ["backup", file.to_str().unwrap()];
    campus.administer_cuhk(&back_up).succeeded();
    prune(&campus, &[]);
    hand_in(&campus);
    let before = witnessed(&campus);
    campus.cuhk.stop();
    let log = campus.path().join("cuhk/log");
    fs::remove_dir_all(&log).unwrap();

    assert_eq!(doctor_of_the_log(&campus), "fail");
    let at = serve_at(&campus.path(), &campus.cuhk.address());
    let served = Ran::of(program("cuhk").args(&at));
    assert_eq!(served.exit, Some(5), "{served:#?}");
    for told in ["nowhere else", "cuhk restore FILE --home NEW"] {
        assert!(served.stderr.contains(told), "{served:#?}");
    }

    let restored = campus.outside().join("restored");
    let mut restore = program("cuhk");
    restore
        .arg("restore")
        .arg(&file)
        .arg("--home")
        .arg(&restored);
    Ran::of(&mut restore).succeeded();
    copy(&restored.join("log"), &log);
    campus.start_cuhk_again();
    hand_in(&campus);
    let after = witnessed(&campus);
    assert!(after["log"]["size"].as_u64() > before["log"]["size"].as_u64());
    judged(&log, &after["log"]);
}

/// Whether the records have a name and an address for a student.
fn named(campus: &Campus, sid: &str) -> (bool, bool) {
    let listed = campus.administer_cuhk(&["roster", "list", "--json"]);
    let listed = listed.succeeded().json();
    let mut all = listed.as_array().unwrap().iter();
    let one = all.find(|one| one["sid"] == sid).unwrap();
    (one["name"] != "", one["email"] != "")
}

#[test]
fn of_who_left_years_ago_the_name_goes_and_the_id_stays_for_what_is_proved_by_it() {
    let mut campus = Campus::sandbox();
    let cuhk = |words: &str| campus.administer_cuhk(&words.split(' ').collect::<Vec<_>>());
    campus.student(&["enrol", "--ids", SID]).succeeded();
    let (gone, held) = ("1155000002", "1155000003");
    campus.student(&["enrol", "--ids", held]).succeeded();
    let listed = cuhk("roster list --csv").succeeded().stdout;
    let file = campus.outside().join("roster.csv");
    fs::write(&file, &listed).unwrap();
    for sid in [gone, held] {
        cuhk(&format!("roster suspend {sid}")).succeeded();
    }
    let text = "name, address and programme of 0 students";
    assert!(prune(&campus, &[]).contains(text));

    let database = campus.path().join("cuhk/cuhk.db");
    let then = days_ago(731).cast_signed();
    let database = rusqlite::Connection::open(database).unwrap();
    database.busy_timeout(Duration::from_secs(10)).unwrap();
    let left = "UPDATE left_student SET since = ?1";
    assert_eq!(database.execute(left, [then]).unwrap(), 2);
    drop(database);
    let told = prune(&campus, &["--dry-run"]);
    let one = "name, address and programme of 1 students who left before";
    assert!(told.contains(&format!("would remove {one}")), "{told}");
    assert!(named(&campus, gone).0);
    assert_eq!(
        serde_json::from_str::<Value>(&prune(&campus, &["--json"])).unwrap()["names"],
        1
    );
    assert_eq!(named(&campus, gone), (false, false));
    assert!(named(&campus, held).0, "a certificate has not ended");
    assert!(named(&campus, SID).0);
    let noted = cuhk("operations list").succeeded().stdout;
    assert!(noted.contains("1 names"), "{noted}");
    // The records are whole, for the one who serves and for the auditor.
    campus.cuhk.stop();
    campus.start_cuhk_again();
    let cuhk = |words: &str| campus.administer_cuhk(&words.split(' ').collect::<Vec<_>>());
    let listed = cuhk("certs list 1155000003 --json").succeeded().json();
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
    let refused = cuhk("code issue 1155000002");
    assert!(refused.stderr.contains("student_inactive"), "{refused:#?}");
    hand_in(&campus);
    // Whether who is listed again is the same person is for somebody to say; then there is a name again.
    let import = format!("roster import {}", file.display());
    let codes = campus.outside().join("codes.csv");
    let with_codes = format!("{import} --codes-out {}", codes.display());
    let told = cuhk(&with_codes).succeeded().stdout;
    let expected = "1155000002   left so long ago that the name was removed, and stays suspended";
    assert!(
        told.contains(expected) && told.contains("0 changed"),
        "{told}"
    );
    assert!(!codes.exists(), "{told}");
    assert_eq!(named(&campus, gone), (false, false));
    cuhk("roster restore 1155000002").succeeded();
    let told = cuhk(&import).succeeded().stdout;
    assert!(told.contains("1 changed"), "{told}");
    assert!(named(&campus, gone).0);
    campus.student(&["enrol", "--ids", gone]).succeeded();
}
