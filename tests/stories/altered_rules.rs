//! Somebody writes other rules into Blackboard's tables while it runs. What students are told of rules is
//! what it has signed, and they keep that.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::acknowledged::{is_signed, unpacked};
use crate::assignments::{DAY, HOUR, add, at, student, teacher};
use crate::campus::{Campus, SAMPLE, get, python, script, until_complete, wait_for};
use crate::monitoring::{samples, watched};

const GIVEN: &str = "1155000001";

/// Writes into the database of the server that runs.
fn write(campus: &Campus, sql: &str) {
    let database = campus.path().join("blackboard/blackboard.db");
    let database = rusqlite::Connection::open(database).unwrap();
    assert!(database.execute(sql, []).unwrap() > 0, "{sql}");
}

/// What SQL makes of one value.
fn read(campus: &Campus, sql: &str) -> String {
    let database = campus.path().join("blackboard/blackboard.db");
    let database = rusqlite::Connection::open(database).unwrap();
    database.query_row(sql, [], |row| row.get(0)).unwrap()
}

fn told(campus: &Campus, words: &str) -> Value {
    let all = format!("assignments --ids {GIVEN} --json {words}");
    student(campus, all.trim_end()).succeeded().json()
}

#[test]
fn altered_rules_count_for_nobody_and_the_operator_is_told() {
    let watched = watched();
    let campus = &watched.campus;
    let due = at(DAY);
    for words in [
        "assignment close lab --course SANDBOX --yes",
        "course add CSCI3150 --title OS",
    ] {
        teacher(campus, words).succeeded();
    }
    add(campus, "Lab-1", DAY, "");
    add(campus, "Lab-2", 2 * DAY, "");
    student(campus, &format!("enrol --ids {SAMPLE}")).succeeded();
    let before = told(campus, "--assignment lab-1");
    assert_eq!(before["altered"], Value::Array(Vec::new()));
    let rules = read(campus, "SELECT rules FROM rules WHERE assignment = 'lab-1'");

    write(
        campus,
        "UPDATE rules SET rules = json_set(rules, '$.due', '2026-01-01T00:00:00Z') \
         WHERE assignment = 'lab-1'",
    );
    let submit = format!("submit --ids {GIVEN} --course CSCI3150 --assignment lab-1");
    let refused = student(campus, &submit);
    assert!(refused.stderr.contains("[rules_altered]"), "{refused:#?}");
    assert_eq!(refused.exit, Some(4), "{refused:#?}");
    let shown = student(campus, &format!("assignments --ids {GIVEN}"));
    let shown = shown.succeeded().stdout;
    assert!(
        shown.contains("CSCI3150/lab-1 is not shown: what Blackboard has stored"),
        "{shown}"
    );
    assert!(shown.contains("CSCI3150 / lab-2"), "{shown}");
    let chinese = student(campus, &format!("assignments --ids {GIVEN} --lang zh-Hant"));
    let chinese = chinese.succeeded().stdout;
    assert!(chinese.contains("CSCI3150/lab-1 未有列出"), "{chinese}");
    assert_eq!(told(campus, "")["altered"][0]["assignment"], "lab-1");
    let other = format!("submit --ids {GIVEN} --course CSCI3150 --assignment lab-2");
    student(campus, &other).succeeded();

    // Whoever looks after it is told, and what to do; nobody enters the altered rules anew.
    let unready = wait_for(&watched.blackboard, "/readyz", 503);
    assert!(
        unready.contains("extensions of CSCI3150/lab-1 here are not"),
        "{unready}"
    );
    assert!(unready.contains("`blackboard fsck`"), "{unready}");
    let (_, text) = get(&watched.blackboard, "/metrics");
    assert_eq!(samples(&text)["blackboard_altered_assignments"], 1.0);
    let change = format!(
        "assignment change lab-1 --course CSCI3150 --due {} --json",
        at(3 * DAY)
    );
    let changed = teacher(campus, &change);
    let said = format!("{}{}", changed.stdout, changed.stderr);
    assert!(said.contains("blackboard fsck"), "{changed:#?}");
    changed.refused(5, "rules_altered");
    let found = teacher(campus, "fsck");
    assert!(found.stdout.contains("rules_altered  "), "{found:#?}");

    let back = format!("UPDATE rules SET rules = '{rules}' WHERE assignment = 'lab-1'");
    write(campus, &back);
    wait_for(&watched.blackboard, "/readyz", 200);
    student(campus, &submit).succeeded();
    let after = told(campus, "--assignment lab-1");
    let signed = |told: &Value| told["assignments"][0]["signed"][0]["leaf_sha256"].clone();
    assert_eq!(signed(&after), signed(&before));
    let told_due = &after["assignments"][0]["rules"]["due"];
    assert!(told_due.as_str().unwrap() >= due.as_str(), "{told_due}");
}

#[test]
fn the_rules_that_students_are_told_are_signed_and_kept() {
    let watched = watched();
    let campus = &watched.campus;
    teacher(campus, "course add CSCI3150 --title OS").succeeded();
    add(
        campus,
        "Lab-1",
        DAY,
        "--late-rule 10%/day --cutoff 2036-01-01T00:00:00Z",
    );
    student(campus, &format!("enrol --ids {SAMPLE}")).succeeded();
    let extend = |sids: &str| {
        let due = at(3 * DAY);
        let words = format!("extension add lab-1 --course CSCI3150 {sids} --due {due}");
        teacher(campus, &words).succeeded();
    };
    // Both at once: neither is shown what the other was given.
    extend(&format!("--student {GIVEN} --student 1155000002"));
    let first = told(campus, "--assignment lab-1");
    let signed = first["assignments"][0]["signed"]
        .as_array()
        .unwrap()
        .clone();
    assert_eq!(signed.len(), 2, "rules and own extension: {first:#}");
    let files: Vec<_> = signed
        .iter()
        .map(|one| one["file"].as_str().unwrap())
        .collect();
    for file in &files {
        assert!(file.contains("receipts/rules/CSCI3150-lab-1-"), "{file}");
        let bytes = fs::read(file).unwrap();
        let others = bytes.windows(10).any(|part| part == b"1155000002");
        assert!(!others, "{file} names another student");
    }
    let shown = student(campus, &format!("assignments --ids {GIVEN}"));
    let shown = shown.succeeded().stdout;
    assert!(
        shown.contains("  signed      entry 0 of the log, of "),
        "{shown}"
    );
    assert!(!shown.contains("NOT signed"), "{shown}");

    // The deadline is another one later: another entry, and the first is still there.
    let later = at(2 * DAY);
    let change = format!("assignment change lab-1 --course CSCI3150 --due {later}");
    teacher(campus, &change).succeeded();
    let second = told(campus, "--assignment lab-1");
    let entry = &second["assignments"][0]["signed"][0]["entry"];
    let change = &second["assignments"][0]["changes"][0];
    assert_eq!((&change["field"], &change["entry"]), (&"due".into(), entry));
    assert!(entry.as_u64() > signed[0]["entry"].as_u64(), "{second:#}");

    let verify =
        |file: &str, words: &str| student(campus, format!("verify {file} {words}").trim_end());
    let json = verify(files[0], "--json").succeeded().json();
    assert_eq!(json["rules"], first["assignments"][0]["rules"]);
    assert_eq!(json["index"], signed[0]["entry"]);
    let verdict = verify(files[0], "").succeeded().stdout;
    for part in [
        "announced  entry 0 of ",
        "\ndue        ",
        "\nlate       10%/day",
        "unproved   ",
    ] {
        assert!(verdict.contains(part), "{part}: {verdict}");
    }
    assert!(
        verdict.contains("verdict    it verifies: Blackboard signed that"),
        "{verdict}"
    );
    let own = verify(files[1], "").succeeded().stdout;
    assert!(
        own.contains(&format!("\nextension  {GIVEN} until ")),
        "{own}"
    );
    let chinese = verify(files[1], "--lang zh-Hant").succeeded().stdout;
    assert!(
        chinese.contains(&format!("延期       {GIVEN} 延至")),
        "{chinese}"
    );
    by_openssl(campus, Path::new(files[0]));
    by_script(campus, files[0], &verdict);
    by_script(campus, files[1], &own);

    let mut bytes = fs::read(files[0]).unwrap();
    let place = bytes.windows(5).position(|at| at == b"\"due\"");
    bytes[place.unwrap() + 8] ^= 1;
    let altered = campus.outside().join("altered.zip");
    fs::write(&altered, &bytes).unwrap();
    verify(altered.to_str().unwrap(), "--json").refused(3, "receipt_invalid");
    if let Some(ran) = script(campus, &altered) {
        assert_eq!(ran.exit, Some(1), "{}", ran.stdout);
    }
}

/// The script says the same line by line, but for the verdict.
fn by_script(campus: &Campus, file: &str, ours: &str) {
    let Some(theirs) = script(campus, Path::new(file)) else {
        return;
    };
    let theirs = theirs.succeeded().stdout;
    // Ours has times as they are here.
    let heads = |text: &str| -> Vec<String> {
        let heads = text.lines().filter_map(|line| line.split(' ').next());
        heads.map(str::to_owned).collect()
    };
    assert_eq!(heads(&theirs), heads(ours), "{theirs}");
    assert!(
        theirs.contains("\nlate       10%/day\n")
            || theirs.contains("\nextension  1155000001 until 20")
    );
    assert!(
        theirs.contains("verdict    it verifies: Blackboard signed that"),
        "{theirs}"
    );
}

/// `openssl` comes to the same verdict, and refuses rules that were altered.
fn by_openssl(campus: &Campus, file: &Path) {
    let Some(dir) = unpacked(campus, file) else {
        return;
    };
    assert!(is_signed(&dir, "leaf.p7s", "leaf.json"));
    let leaf = fs::read_to_string(dir.join("leaf.json")).unwrap();
    fs::write(dir.join("leaf.json"), leaf.replace("10%/day", "20%/day")).unwrap();
    assert!(!is_signed(&dir, "leaf.p7s", "leaf.json"));
}

#[test]
fn a_receipt_shows_by_its_own_rules_who_was_late() {
    let watched = watched();
    let campus = &watched.campus;
    teacher(campus, "course add CSCI3150 --title OS").succeeded();
    let options = "--late-rule 10%/day --cutoff 2036-01-01T00:00:00Z --group-size 1..2";
    add(campus, "Lab-1", -HOUR, options);
    student(campus, &format!("enrol --ids {SAMPLE}")).succeeded();
    let due = at(3 * DAY);
    let words = format!("extension add lab-1 --course CSCI3150 --student {GIVEN} --due {due}");
    teacher(campus, &words).succeeded();
    let submit =
        format!("submit --ids {GIVEN},1155000002 --course CSCI3150 --assignment lab-1 --json");
    let told = student(campus, &submit).succeeded().json();
    let receipt = told["receipt"].as_str().unwrap().to_owned();
    until_complete(|words| campus.student(words), &receipt);

    let verify =
        |file: &str, words: &str| student(campus, format!("verify {file} {words}").trim_end());
    let json = verify(&receipt, "--json").succeeded().json();
    let stands = |place: usize| json["lateness"][place]["state"].clone();
    assert_eq!(
        (stands(0), stands(1)),
        ("on_time".into(), "late".into()),
        "{json:#}"
    );
    assert_eq!(json["lateness"][1]["costs_percent"], 10);
    assert_eq!(json["dated_statement"], true, "{json:#}");
    let verdict = verify(&receipt, "").succeeded().stdout;
    assert!(
        verdict.contains(" and this very statement, whose hash it has"),
        "{verdict}"
    );
    let line = |what: &str| verdict.lines().find(|line| line.starts_with(what)).unwrap();
    assert!(line("judged").contains("late rule 10%/day"), "{verdict}");
    let by_script = |file: &str| {
        let ran = script(campus, Path::new(file))?;
        Some((ran.exit == Some(0), ran.stdout))
    };
    if let Some((is_right, said)) = by_script(&receipt) {
        assert!(is_right, "{said}");
        assert!(
            said.contains("lateness   1155000002 was late by "),
            "{said}"
        );
        assert!(
            said.contains(&format!("lateness   {GIVEN} was on time, by these rules")),
            "{said}"
        );
    }

    let Some(mut python) = python() else { return };
    let mut rewritten = |name: &str, was: &str, now: &str| {
        let other = campus.outside().join("other.zip");
        let other = other.to_str().unwrap().to_owned();
        let rewrite = ["-c", REWRITE, &receipt, &other, name, was, now];
        assert!(
            python.args(rewrite).status().unwrap().success(),
            "{name} {was}"
        );
        python = crate::campus::python().unwrap();
        other
    };
    let same = rewritten("rules.json", "10%/day", "10%/day");
    verify(&same, "--json").succeeded();
    assert!(by_script(&same).unwrap().0);
    for (name, was, now) in [
        ("rules.json", "10%/day", "01%/day"),
        ("rules.json", "\"grace\":", "\"graces\":"),
        ("rules.tlog-proof", "\nindex 0\n", "\nindex 1\n"),
        ("rules.tlog-proof", "", "-"),
        (
            "extension-1.json",
            "\"sid\":\"1155000001\"",
            "\"sid\":\"1155000002\"",
        ),
        ("extension-1.json", &due, &at(4 * DAY)),
        ("committed.json", "\"at\":\"2", "\"at\":\"1"),
        ("leaf.json", "\"committed_at\":\"2", "\"committed_at\":\"1"),
        ("leaf.json", ",\"extensions\":[", ",\"extension\":["),
    ] {
        let altered = rewritten(name, was, now);
        verify(&altered, "--json").refused(3, "receipt_invalid");
        let (is_right, said) = by_script(&altered).unwrap();
        assert!(!is_right, "{name} {was}: {said}");
    }
    // Whoever leaves them out gets a receipt as there were before, which shows no lateness.
    let before = rewritten("rules. extension-", "", "-");
    let json = verify(&before, "--json").succeeded().json();
    assert_eq!(json["lateness"], serde_json::json!([]));
    let (is_right, said) = by_script(&before).unwrap();
    assert!(is_right && !said.contains("lateness "), "{said}");
    let by_hash = "judged     entry 0 is NOT in it, its hash alone is";
    assert!(said.contains(by_hash), "{said}");
    assert!(verify(&before, "").succeeded().stdout.contains(by_hash));
}

/// Packs a receipt anew: in one of its files a text is another, or files with such names are left out.
const REWRITE: &str = r#"
import sys, zipfile
receipt, other, name, was, now = sys.argv[1:]
with zipfile.ZipFile(receipt) as old, zipfile.ZipFile(other, "w") as new:
    for info in old.infolist():
        data = old.read(info)
        if now == "-" and info.filename.startswith(tuple(name.split())):
            continue
        if info.filename == name:
            assert data.count(was.encode()) == 1, data
            data = data.replace(was.encode(), now.encode())
        new.writestr(info.filename, data)
"#;
