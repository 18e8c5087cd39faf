//! Courses and assignments: what a teacher sets up, and what students see and may hand in.

use std::fs;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use expectrl::session::Session;
use expectrl::{Eof, Expect};
use scb_protocol::{from_seconds, rfc3339};
use serde_json::{Value, json};

use crate::campus::{Campus, LONG, Ran, SAMPLE, program};

pub(crate) const HOUR: i64 = 3600;
pub(crate) const DAY: i64 = 24 * HOUR;

/// The time so many seconds from now, as it is typed.
pub(crate) fn at(seconds: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    rfc3339(from_seconds(
        now.as_secs().checked_add_signed(seconds).unwrap(),
    ))
}

/// A campus whose only course is CSCI3150: what was there to begin with is closed.
pub(crate) fn campus() -> Campus {
    let campus = Campus::sandbox();
    for words in [
        "assignment close lab --course SANDBOX --yes",
        "course add CSCI3150 --title OS",
    ] {
        teacher(&campus, words).succeeded();
    }
    campus
}

pub(crate) fn teacher(campus: &Campus, words: &str) -> Ran {
    campus.administer_blackboard(&words.split(' ').collect::<Vec<_>>())
}

/// A teacher at a terminal, who is asked this and answers that; what he was told then.
pub(crate) fn asked(campus: &Campus, words: &[&str], question: &str, answer: &str) -> String {
    let mut terminal = Session::spawn(campus.administering_blackboard(words)).unwrap();
    terminal.set_expect_timeout(Some(LONG));
    terminal.expect(question).unwrap();
    terminal.expect("Type `yes` to do it").unwrap();
    terminal.send_line(answer).unwrap();
    let rest = terminal.expect(Eof).unwrap();
    String::from_utf8_lossy(rest.as_bytes()).into_owned()
}

/// Adds an assignment of this name, due so many seconds from now.
pub(crate) fn add(campus: &Campus, name: &str, due: i64, options: &str) {
    let words = format!(
        "assignment add --course CSCI3150 --title {name} --due {} {options}",
        at(due)
    );
    teacher(campus, words.trim_end()).succeeded();
}

pub(crate) fn student(campus: &Campus, words: &str) -> Ran {
    campus.student(&words.split(' ').collect::<Vec<_>>())
}

fn report(campus: &Campus, name: &str) -> PathBuf {
    let path = campus.outside().join(name);
    fs::write(&path, "a report").unwrap();
    path
}

/// The most bytes of a hand-in, as this server's configuration says.
fn takes(campus: &mut Campus, bytes: u64) {
    campus.blackboard.stop();
    let file = campus.path().join("blackboard/config.toml");
    let config = fs::read_to_string(&file).unwrap();
    let line = config.lines().find(|line| line.starts_with("max_bytes = "));
    let line = line.unwrap().to_owned();
    fs::write(
        &file,
        config.replace(&line, &format!("max_bytes = {bytes}")),
    )
    .unwrap();
    campus.start_blackboard_again();
}

#[test]
fn a_server_that_takes_less_than_the_rules_allow_says_so_before_anybody_hands_in() {
    let mut campus = campus();
    add(&campus, "Lab-1", 3 * DAY, "--max-bytes 30000");
    add(&campus, "Lab-2", 3 * DAY, "--max-bytes 900");
    student(&campus, "enrol --ids 1155000001").succeeded();
    let told = |campus: &Campus| {
        let listed = student(campus, "assignments --ids 1155000001 --json");
        let listed = listed.succeeded().json()["assignments"].clone();
        let mut listed = listed.as_array().unwrap().iter();
        let one = listed.find(|one| one["assignment"] == "lab-1").unwrap();
        (
            one["rules"]["max_bytes"].clone(),
            one["takes_bytes"].clone(),
        )
    };
    assert_eq!(told(&campus), (json!(30_000), json!(30_000)));
    assert!(!campus.blackboard.log().contains("max_bytes"));
    takes(&mut campus, 1000);
    let log = campus.blackboard.log();
    let warned = "max_bytes in config.toml is 1000, less than the signed rules allow of CSCI3150/lab-1 (30,000 bytes): ";
    assert!(log.contains(warned), "{log}");
    assert_eq!(told(&campus), (json!(30_000), json!(1000)));
    let but = "BUT this Blackboard takes 1,000 bytes at most now";
    let shown = student(&campus, "assignments --ids 1155000001")
        .succeeded()
        .stdout;
    assert_eq!(shown.matches(but).count(), 1, "{shown}");
    let chinese = student(&campus, "assignments --ids 1155000001 --lang zh-Hant");
    let chinese = chinese.succeeded().stdout;
    assert!(
        chinese.contains("但此 Blackboard 目前最多只接受 1,000 位元組"),
        "{chinese}"
    );
    for (name, times) in [("lab-1", 1), ("lab-2", 0)] {
        let shown = teacher(
            &campus,
            &format!("assignment show {name} --course CSCI3150"),
        );
        let shown = shown.succeeded().stdout;
        let told = shown
            .matches("this server takes 1,000 bytes at most")
            .count();
        assert_eq!(told, times, "{shown}");
    }
    takes(&mut campus, 40_000);
    assert!(!campus.blackboard.log().contains("max_bytes"));
    assert_eq!(told(&campus), (json!(30_000), json!(30_000)));
}

#[test]
fn students_see_what_is_open_until_when_and_with_which_offset() {
    let campus = campus();
    let options = "--grace 10min --late-rule 10%/day --group-size 1..3 --accept txt,pdf";
    add(&campus, "Lab-1", 3 * DAY + HOUR + HOUR / 2, options);
    student(&campus, &format!("enrol --ids {SAMPLE}")).succeeded();
    let mut command = program("student");
    command
        .arg("--sandbox")
        .arg(campus.path())
        .env("TZ", "HKT-8");
    let told = Ran::of(command.arg("assignments")).succeeded().stdout;
    for part in [
        "by Blackboard's clock, which counts",
        "CSCI3150 / lab-1  Lab-1  (OS)",
        "open, 3 d 1 h left",
        "+08:00, then 10 min of grace",
        "costs 10% of the full mark for each day begun",
        "1 to 3 members, groups stay together, the latest version counts",
        "txt, pdf; at most 536,870,912 bytes",
    ] {
        assert!(told.contains(part), "{part} is missing:\n{told}");
    }
    assert!(!told.contains("SANDBOX"), "{told}");
    let all = student(&campus, "assignments --all --json")
        .succeeded()
        .json();
    let listed = all["assignments"].as_array().unwrap();
    let states: Vec<_> = listed.iter().map(|one| &one["state"]).collect();
    assert_eq!(states, ["on_time", "closed"]);
    assert_eq!(all["members"].as_array().unwrap().len(), 3);
    let left = listed[0]["members"][0]["seconds_left"].as_i64().unwrap();
    assert!((3 * DAY..4 * DAY).contains(&left), "{left}");
    let chinese = student(&campus, "assignments --lang zh-Hant")
        .succeeded()
        .stdout;
    assert!(chinese.contains("接受提交，尚餘 3 日"), "{chinese}");
}

#[test]
fn the_one_assignment_that_is_open_is_meant_and_of_several_one_must_be_named() {
    let campus = campus();
    add(&campus, "Lab-1", DAY + HOUR, "");
    let told = student(&campus, &format!("submit --ids {SAMPLE}")).succeeded();
    let chosen = "step 6  for CSCI3150 / lab-1, the one that is open: due ";
    assert!(told.stdout.contains(chosen), "{told:#?}");
    add(&campus, "Lab-2", DAY, "");
    let refused = student(&campus, &format!("submit --ids {SAMPLE} --json"));
    let refused = refused.refused(2, "several_open");
    let message = refused["message"].as_str().unwrap();
    assert!(
        message.contains("CSCI3150/lab-1, CSCI3150/lab-2"),
        "{message}"
    );
    let named = format!("submit --ids {SAMPLE} --assignment lab-2 --json");
    let told = student(&campus, &named).succeeded().json();
    assert_eq!(
        (&told["course"], &told["assignment"]),
        (&"CSCI3150".into(), &"lab-2".into())
    );
    assert_eq!(campus.submissions().len(), 2);
    let elsewhere = format!("submit --ids {SAMPLE} --course SANDBOX --json");
    student(&campus, &elsewhere).refused(3, "nothing_open");
}

#[test]
fn what_the_rules_do_not_allow_is_refused_with_what_to_do_in_both_languages() {
    let campus = campus();
    add(&campus, "Early", 2 * DAY, &format!("--opens {}", at(DAY)));
    add(&campus, "Closed", -DAY, "");
    add(&campus, "Pair", DAY, "--group-size 2");
    add(&campus, "Pdf", DAY, "--accept pdf");
    add(&campus, "Small", DAY, "--max-bytes 7");
    add(&campus, "Listed", DAY, "");
    let list = campus.outside().join("class.csv");
    let report = report(&campus, "report.txt");
    let submit = |assignment: &str, ids: &str, lang: &str| {
        let report = report.to_str().unwrap();
        student(
            &campus,
            &format!(
                "submit --ids {ids} --course CSCI3150 --assignment {assignment} --report {report} \
                 --json --lang {lang}"
            ),
        )
    };
    for (assignment, code, english, chinese) in [
        ("early", "assignment_not_open", "yet", "尚未開始"),
        ("closed", "assignment_closed", "any more", "已不再接受"),
        ("pair", "group_size", "another size", "人數"),
        ("pdf", "file_type", "end so", "檔名結尾"),
        ("small", "content_too_large", "larger than", "大小"),
        (
            "none",
            "assignment_unknown",
            "no such assignment",
            "沒有這份作業",
        ),
    ] {
        for (lang, part) in [("en", english), ("zh-Hant", chinese)] {
            let error = submit(assignment, SAMPLE, lang).refused(3, code);
            let message = error["message"].as_str().unwrap();
            assert!(message.contains(part), "{message}");
            assert!(!error["remedy"].as_str().unwrap().is_empty());
            assert_eq!(error["step"], 6);
        }
    }
    fs::write(&list, "Student ID,Name\n1155000001,陳\n1155000002,李\n").unwrap();
    let words = format!("course members CSCI3150 --list {}", list.display());
    teacher(&campus, &words).succeeded();
    let error = submit("listed", SAMPLE, "en").refused(3, "not_course_member");
    assert_eq!(error["sid"], "1155000003");
    assert_eq!(campus.submissions(), Vec::<Value>::new());
    submit("listed", "1155000002,1155000001", "en").succeeded();
    assert_eq!(campus.submissions().len(), 1);
}

#[test]
fn an_extension_is_one_members_and_lets_his_group_in() {
    let campus = campus();
    add(&campus, "Lab-1", -DAY - HOUR, "");
    let submit = |ids: &str| {
        student(
            &campus,
            &format!("submit --ids {ids} --json --assignment lab-1 --course CSCI3150"),
        )
    };
    submit(SAMPLE).refused(3, "assignment_closed");
    let words = format!(
        "extension add lab-1 --course CSCI3150 --student 1155000003 --due {}",
        at(HOUR)
    );
    teacher(&campus, &words).succeeded();
    submit("1155000001,1155000002").refused(3, "assignment_closed");
    let told = student(&campus, &format!("assignments --ids {SAMPLE} --json"));
    let told = told.succeeded().json();
    let one = &told["assignments"][0];
    let members = one["members"].as_array().unwrap();
    let states: Vec<_> = members.iter().map(|member| &member["state"]).collect();
    assert_eq!(states, ["closed", "closed", "on_time"]);
    assert_eq!(one["state"], "on_time");
    assert_eq!(one["extensions"].as_array().unwrap().len(), 1);
    submit(SAMPLE).succeeded();
    // He has been told until when: that is not taken away for what is over.
    let words = "extension remove lab-1 --course CSCI3150 --student 1155000003 --json";
    let error = teacher(&campus, words).refused(3, "rules_backdated");
    let remedy = error["remedy"].as_str().unwrap();
    assert!(remedy.contains("extension add"), "{remedy}");
    let message = error["message"].as_str().unwrap();
    assert_eq!(message.matches("which is over").count(), 1, "{message}");
    let words = format!(
        "extension add lab-1 --course CSCI3150 --student 1155000003 --due {} --yes",
        at(HOUR / 2)
    );
    let told = teacher(&campus, &words).succeeded().stdout;
    assert!(told.contains("1155000003 handed in before"), "{told}");
    add(&campus, "Lab-2", DAY, "");
    let words = format!(
        "extension add lab-2 --course CSCI3150 --student 1155000003 --due {}",
        at(2 * DAY)
    );
    teacher(&campus, &words).succeeded();
    let words = "extension remove lab-2 --course CSCI3150 --student 1155000003 --yes";
    let told = teacher(&campus, words).succeeded().stdout;
    assert_eq!(told.trim(), "nobody has an extension");
}

#[test]
fn a_date_that_is_over_is_remarked_and_taken() {
    let campus = campus();
    let add = |name: &str, due: i64, more: &str| {
        let due = at(due);
        let words = format!("assignment add --course CSCI3150 --title {name} --due {due}{more}");
        teacher(&campus, &words).succeeded().stderr
    };
    let told = add("Lab-1", -DAY, " --json");
    let remark = "CHECK THE DATE: --due ";
    assert!(told.starts_with(remark), "{told}");
    assert_eq!(add("Lab-2", DAY, ""), "");
    let change = |what: &str, when: i64| {
        let when = at(when);
        let words = format!("assignment change lab-2 --course CSCI3150 {what} {when}");
        teacher(&campus, &words).succeeded().stderr
    };
    assert!(change("--opens", -DAY).contains("--opens "));
    assert_eq!(
        change("--due", 2 * DAY),
        "",
        "of what is not given nothing is said"
    );
    let extend = |due: i64| {
        let due = at(due);
        let words = "extension add lab-1 --course CSCI3150 --student 1155000001 --json --due";
        teacher(&campus, &format!("{words} {due}"))
            .succeeded()
            .stderr
    };
    let told = extend(-HOUR);
    assert!(
        told.starts_with(remark) && told.contains("later than that"),
        "{told}"
    );
    assert_eq!(extend(HOUR), "");
}

#[test]
fn ids_that_are_mistyped_do_not_pass_in_silence() {
    let campus = campus();
    add(&campus, "Lab-1", DAY, "");
    let extend = |sid: &str, more: &str| {
        let due = at(2 * DAY);
        let words = "extension add lab-1 --course CSCI3150 --student";
        let words = format!("{words} {sid} --due {due} {more}");
        teacher(&campus, words.trim_end())
    };
    let told = extend("115500003", "").succeeded().stdout;
    assert!(told.contains("CHECK THE ID: 115500003 is on no"), "{told}");
    let list = campus.outside().join("class.csv");
    let set = |rows: &str, more: &str| {
        fs::write(&list, format!("Student ID,Name\n{rows}")).unwrap();
        let words = format!("course members CSCI3150 --list {} {more}", list.display());
        teacher(&campus, words.trim_end())
    };
    let wrong = set("1155000001,陳\nabc,李\n1155000002,黃\n", "");
    assert_eq!(wrong.exit, Some(2), "{wrong:#?}");
    for told in ["line 3: `abc`", "--mixed-ids"] {
        assert!(wrong.stderr.contains(told), "{wrong:#?}");
    }
    set("1155000001,陳\nabc,李\n", "--mixed-ids").succeeded();
    let twice = set("1155000001,陳\n1155000002,李\n1155000001,陳\n", "");
    let told = twice.succeeded().stdout;
    assert!(told.contains("changed CSCI3150: 2 students"), "{told}");
    assert!(told.contains("1155000001 (lines 2 and 4)"), "{told}");
    let outside = extend("1155000003", "--json").refused(3, "not_course_member");
    let remedy = outside["remedy"].as_str().unwrap();
    assert!(remedy.contains("--not-listed-yet"), "{remedy}");
    let told = extend("1155000003", "--not-listed-yet --json").succeeded();
    assert_eq!(told.json()["unknown"], Value::from(vec!["1155000003"]));
}

#[test]
fn students_see_what_lateness_would_cost_each() {
    let campus = campus();
    add(&campus, "Lab-1", -DAY - HOUR, "--late-rule 10%/day");
    let words = format!(
        "extension add lab-1 --course CSCI3150 --student 1155000002 --due {}",
        at(-HOUR)
    );
    teacher(&campus, &words).succeeded();
    student(&campus, &format!("enrol --ids {SAMPLE}")).succeeded();
    let told = student(&campus, "assignments").succeeded().stdout;
    for part in [
        "1155000001  late by 25 h 0 min, which costs 20 %",
        "1155000002  late by 1 h 0 min, which costs 10 %",
        "1155000003  late by 25 h 0 min, which costs 20 %",
    ] {
        assert!(told.contains(part), "{part} is missing:\n{told}");
    }
}

#[test]
fn a_changed_deadline_is_seen_with_when_and_what_it_was() {
    let campus = campus();
    let earliest = at(DAY);
    add(&campus, "Lab-1", DAY, "");
    let (latest, after) = (at(DAY), at(2 * DAY));
    let words = format!("assignment change lab-1 --course CSCI3150 --due {after} --json");
    let told = teacher(&campus, &words).succeeded().json();
    assert_eq!(told["changes"][0]["is"], after.as_str());
    student(&campus, "enrol --ids 1155000001").succeeded();
    let listed = student(&campus, "assignments --json").succeeded().json();
    let change = &listed["assignments"][0]["changes"][0];
    assert_eq!(
        (&change["field"], &change["is"]),
        (&"due".into(), &after.as_str().into())
    );
    let was = change["was"].as_str().unwrap();
    assert!((&*earliest..=&*latest).contains(&was), "{change}");
    assert_eq!(
        change["entry"], 1,
        "after the rules with which it was added"
    );
    let words = "assignment change lab-1 --course CSCI3150 --grace 10min";
    teacher(&campus, words).succeeded();
    let text = student(&campus, "assignments").succeeded().stdout;
    for part in [
        ": due was 2",
        " (entry 1 of the log)",
        ": grace was none, is 10 min (entry 2 of the log)",
    ] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
}

#[test]
fn a_deadline_that_is_over_is_refused_in_the_time_of_the_machine() {
    let campus = campus();
    add(&campus, "Lab-1", DAY, "");
    let mut command = campus.blackboard.beside("blackboard");
    command.arg("--home").arg(campus.path().join("blackboard"));
    let change = "assignment change lab-1 --course CSCI3150 --due";
    command.args(change.split(' ')).arg("2026-01-01 12:00");
    let refused = Ran::of(command.env("TZ", "HKT-8"));
    let told = "the due time would be 2026-01-01 12:00:00 +08:00, which is over; so far it is 2";
    assert!(refused.stderr.contains(told), "{refused:#?}");
    assert_eq!(refused.exit, Some(3));
}

#[test]
fn how_long_grace_lasts_and_late_work_is_taken_is_told() {
    let campus = campus();
    // A minute of room for a slow machine.
    let room = 59;
    add(&campus, "Lab-1", 49 * 60 + room - HOUR, "--grace 1h");
    let cutoff = at(40 * HOUR + room);
    let options = format!("--late-rule 10%/day --cutoff {cutoff}");
    add(&campus, "Lab-2", room - 33 * HOUR, &options);
    add(&campus, "Lab-3", -60, "--late-rule mark");
    student(&campus, "enrol --ids 1155000001").succeeded();
    let told = student(&campus, "assignments --ids 1155000001");
    let told = told.succeeded().stdout;
    for part in [
        "within the grace: not late; 49 min of it left",
        "which costs 20 %; in 15 h 0 min it costs 30 %; taken for another 40 h 0 min",
        "; there is no cut-off",
    ] {
        assert!(told.contains(part), "{part} is missing:\n{told}");
    }
    let told = student(&campus, "assignments --ids 1155000001 --json");
    let told = told.succeeded().json();
    let member = |name: &str| {
        let listed = told["assignments"].as_array().unwrap();
        let found = listed.iter().find(|one| one["assignment"] == name);
        found.unwrap()["members"][0].clone()
    };
    let (grace, late, marked) = (member("lab-1"), member("lab-2"), member("lab-3"));
    assert_eq!(grace["seconds_left"], 0);
    let left = grace["grace_seconds_left"].as_i64().unwrap();
    assert!((49 * 60..=49 * 60 + room).contains(&left), "{grace}");
    assert_eq!(grace["closes"], grace["grace_ends"]);
    assert_eq!(late["closes"], cutoff.as_str());
    let left = late["closes_seconds_left"].as_i64().unwrap();
    assert!((40 * HOUR..=40 * HOUR + room).contains(&left), "{late}");
    assert_eq!(late["costs_then_percent"], 30);
    assert!(late["costs_more_after"].is_string(), "{late}");
    assert_eq!(
        (&marked["closes"], &marked["costs_then_percent"]),
        (&Value::Null, &Value::Null)
    );
}
