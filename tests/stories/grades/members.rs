//! What a group's grade is worth to whom: each member is graded for the version that counts for him.

use serde_json::{Value, json};

use super::{OF, Teacher};
use crate::campus::SAMPLE;

const DUE: &str = "2099-12-01T00:00:00Z";
const MAXIMUM: [&str; 2] = ["--maximum", "10"];

impl Teacher {
    fn import_for_groups(&self, text: &str, more: &[&str]) -> Value {
        let options = [&MAXIMUM[..], &["--groups"], more].concat();
        self.import(text, &options).succeeded().json()
    }

    fn overview(&self, form: &str) -> String {
        let words = ["submissions", "overview", form];
        let words: Vec<_> = words.into_iter().filter(|word| !word.is_empty()).collect();
        self.run(&[&words[..], &OF].concat()).succeeded().stdout
    }
}

/// Who is changed, and to what.
fn changed(told: &Value) -> Vec<(String, String)> {
    let changed = told["changed"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    changed
        .map(|one| (text(&one["sid"]), text(&one["points"])))
        .collect()
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let pairs = pairs.iter();
    pairs
        .map(|(sid, points)| ((*sid).to_owned(), (*points).to_owned()))
        .collect()
}

#[test]
fn who_is_graded_for_another_version_gets_nothing_from_the_group_s_grade() {
    let teacher = Teacher::with(&["--due", DUE, "--groups", "free"]);
    teacher.hand_in("1155000003");
    let book = "sid,grade\n1155000001,9\n";
    let told = teacher.import_for_groups(book, &["--dry-run"]);
    let of_version = [("1155000001", "9"), ("1155000002", "9")];
    assert_eq!(changed(&told), owned(&of_version));
    let left_out = json!([
        {"sid": "1155000003", "group_of": "S-000001", "counts": "S-000002"}
    ]);
    assert_eq!(told["left_out"], left_out);
    let path = teacher.file("gradebook.csv", book);
    let path = path.to_str().unwrap();
    let import = [&[path, "--grader", "Lee", "--groups"][..], &MAXIMUM].concat();
    let said = teacher.grades("import", &import).succeeded().stdout;
    let line = "1155000003  gets nothing from the group's grade for S-000001: S-000002 counts";
    assert!(said.contains(line), "{said}");
    assert_eq!(teacher.listed().len(), 2);
}

#[test]
fn where_the_first_version_counts_a_later_group_s_grade_is_not_the_first_one_s() {
    let rules = ["--due", DUE, "--groups", "free", "--counts", "first"];
    let teacher = Teacher::with(&[&rules[..], &["--group-size", "1..4"]].concat());
    teacher.hand_in(&format!("{SAMPLE},1155000004"));
    let told = teacher.import_for_groups("sid,grade\n1155000001,9\n1155000004,5\n", &[]);
    let each = [
        ("1155000001", "9"),
        ("1155000002", "9"),
        ("1155000003", "9"),
        ("1155000004", "5"),
    ];
    assert_eq!(changed(&told), owned(&each));
    let groups: Vec<_> = teacher
        .listed()
        .into_iter()
        .map(|[.., group]| group)
        .collect();
    assert_eq!(groups, ["9", "9", "9", "5"]);
}

/// It was closed for all but one, who handed in with two others.
fn closed_for_two() -> Teacher {
    let teacher = Teacher::of_five(&["--due", "2020-01-02T00:00:00Z"]);
    let more = ["extension", "add", "lab-1", "--course", "CSCI3150"];
    let for_one = ["--student", "1155000002", "--due", DUE];
    teacher.run(&[&more[..], &for_one].concat()).succeeded();
    teacher.hand_in(SAMPLE);
    teacher
}

#[test]
fn for_whom_it_was_closed_has_handed_in_nothing_wherever_it_is_told() {
    let teacher = closed_for_two();
    let told: Value = serde_json::from_str(&teacher.overview("--json")).unwrap();
    let students = told["students"].as_array().unwrap();
    let states: Vec<_> = students.iter().map(|one| one["state"].clone()).collect();
    let (missing, came) = ("missing", "handed_in");
    assert_eq!(states, [missing, came, missing, missing, missing]);
    assert_eq!(students[0]["number"], Value::Null);
    assert_eq!(students[0]["after_close"]["number"], "S-000001");
    assert_eq!(students[1]["after_close"], Value::Null);
    let totals = ["handed_in", "late", "missing"].map(|name| told["totals"][name].clone());
    assert_eq!(totals, [1, 0, 4]);
    let rows = teacher.overview("--csv");
    let row: Vec<_> = rows.lines().nth(1).unwrap().split(',').collect();
    assert_eq!((row[1], row[2], row[17]), (missing, "", "S-000001"));
    let shown = teacher.overview("");
    let line = shown.lines().find(|line| line.starts_with("1155000001"));
    let line = line.unwrap();
    assert!(line.contains("MISSING"), "{line}");
    assert!(line.contains("S-000001 came when it was CLOSED for this student"));
    assert!(shown.contains("1 of 5 handed in, 4 missing"), "{shown}");

    let history = |ids: &str, more: &[&str]| {
        let arguments = [&["history", "--ids", ids][..], more].concat();
        teacher.campus.student(&arguments).succeeded()
    };
    let told = history("1155000001", &["--json"]).json();
    let own = &told["versions"][0]["standings"][0];
    assert_eq!(own["counts"], false);
    assert!(own["closed_since"].is_string(), "{own}");
    let shown = history("1155000001", &[]).stdout;
    assert!(
        shown.contains("1155000001 closed since 2020-01-02"),
        "{shown}"
    );
    assert!(
        shown.contains(": does not count for this student"),
        "{shown}"
    );
    assert!(!shown.contains("costs"), "{shown}");
    assert!(!shown.contains("another version"), "{shown}");
    let other = history("1155000002", &["--json"]).json();
    let own = &other["versions"][0]["standings"][0];
    assert_eq!(
        (&own["counts"], &own["closed_since"]),
        (&true.into(), &Value::Null)
    );
}

#[test]
fn for_whom_it_was_closed_gets_no_group_s_grade_and_of_his_own_nothing_is_left() {
    let teacher = closed_for_two();
    let told = teacher.import_for_groups("sid,grade\n1155000002,9\n", &["--apply-lateness"]);
    assert_eq!(changed(&told), owned(&[("1155000002", "9")]));
    let left_out = ["1155000001", "1155000003"]
        .map(|sid| json!({"sid": sid, "group_of": "S-000001", "counts": null}));
    assert_eq!(told["left_out"], json!(left_out));

    let own = "sid,grade\n1155000001,8\n1155000004,3\n";
    let path = teacher.file("gradebook.csv", own);
    let path = path.to_str().unwrap();
    let import = [&[path, "--grader", "Lee", "--dry-run"][..], &MAXIMUM].concat();
    let said = teacher.grades("import", &import).succeeded().stdout;
    let line = "is 8 of 10  (CLOSED for this student when S-000001 came: nothing would be left";
    assert!(said.contains(line), "{said}");
    let apply = [&MAXIMUM[..], &["--apply-lateness"]].concat();
    let told = teacher.import(own, &apply).succeeded().json();
    let left = owned(&[("1155000001", "0"), ("1155000004", "3")]);
    assert_eq!(changed(&told), left);
    assert_eq!(told["changed"][0]["after_close"], "S-000001");
    assert_eq!(told["changed"][0]["submission"], Value::Null);
    let again = teacher.import(own, &apply).succeeded().json();
    assert_eq!(again["changed"], json!([]), "it is taken off once");

    teacher.grades("release", &[]).succeeded();
    let shown = teacher.campus.student(&["grades", "--ids", "1155000001"]);
    let shown = shown.succeeded().stdout;
    for part in [
        "0 of 10",
        "worth 8; nothing is left, as it was closed for you",
    ] {
        assert!(shown.contains(part), "{part} is missing:\n{shown}");
    }
}

#[test]
fn a_grade_names_its_version_and_everybody_who_looks_is_told_that_another_one_counts() {
    let teacher = Teacher::new();
    let book = "sid,grade\n1155000001,7\n1155000002,7\n";
    let import = || teacher.import(book, &MAXIMUM).succeeded().json();
    import();
    let versions = |told: &Value, name: &str| -> Vec<Value> {
        let changed = told["changed"].as_array().unwrap().iter();
        changed.map(|one| one[name].clone()).collect()
    };
    assert_eq!(import()["same"], 2, "the same version");
    let quiet = teacher.grades("list", &[]).succeeded();
    assert!(quiet.stdout.contains("S-000001"), "{quiet:#?}");
    assert_eq!(quiet.stderr, "");

    teacher.hand_in(SAMPLE);
    let remark = "1155000001 is graded for S-000001, but S-000002 counts";
    for ran in [
        teacher.grades("list", &[]),
        teacher.grades("export", &["--for", "canvas"]),
        teacher.grades("release", &[]),
    ] {
        let ran = ran.succeeded();
        assert!(ran.stderr.contains(remark), "{ran:#?}");
        assert_eq!(ran.stderr.matches("CHECK THE GRADE").count(), 2);
    }
    // The student as well, in both languages.
    let seen = |words: &str| {
        let all = format!("grades --ids 1155000001 {words}");
        let all: Vec<_> = all.split_whitespace().collect();
        teacher.campus.student(&all).succeeded().stdout
    };
    assert!(
        seen("").contains("CHECK: S-000002 counts now"),
        "{}",
        seen("")
    );
    assert!(seen("--lang zh-Hant").contains("現以 S-000002 為準"));
    let told: Value = serde_json::from_str(&seen("--json")).unwrap();
    assert_eq!(told["grades"][0]["counts_now"], "S-000002", "{told}");
    // By rules that were altered nothing is judged, and nothing is said of it.
    let database = teacher.campus.path().join("blackboard/blackboard.db");
    let database = rusqlite::Connection::open(database).unwrap();
    let alter = "CREATE TEMP TABLE kept AS SELECT * FROM main.rules; \
                 UPDATE main.rules SET rules = json_set(rules, '$.max_bytes', 7)";
    database.execute_batch(alter).unwrap();
    let told: Value = serde_json::from_str(&seen("--json")).unwrap();
    assert_eq!(told["grades"][0]["submission"], "S-000001", "{told}");
    assert_eq!(told["grades"][0].get("counts_now"), None, "{told}");
    let back = "DELETE FROM main.rules; INSERT INTO main.rules SELECT * FROM kept";
    database.execute_batch(back).unwrap();
    let counts = json!({"graded": "S-000001", "counts": "S-000002"});
    let listed = teacher.grades("list", &["--json"]).succeeded().json();
    assert_eq!(listed[0]["outdated"], counts);
    let told: Value = serde_json::from_str(&teacher.overview("--json")).unwrap();
    assert_eq!(told["students"][1]["outdated"], counts);
    assert_eq!(told["students"][2]["outdated"], Value::Null, "not graded");
    let shown = "graded for S-000001, but S-000002 counts";
    assert_eq!(teacher.overview("").matches(shown).count(), 2);
    let rows = teacher.overview("--csv");
    assert!(
        rows.lines().nth(1).unwrap().contains(",\"graded for"),
        "{rows}"
    );

    // The very same points for what counts now are another grade.
    let told = import();
    let [new, old] = ["submission", "was_submission"].map(|name| versions(&told, name));
    assert_eq!(new, ["S-000002", "S-000002"]);
    assert_eq!(old, ["S-000001", "S-000001"]);
    assert_eq!(import()["same"], 2);
    let released = teacher.grades("release", &["--json"]).succeeded().json();
    assert_eq!(
        (&released["released"], &released["outdated"]),
        (&json!(2), &json!([]))
    );
    let shown = teacher.campus.student(&["grades", "--ids", "1155000001"]);
    let shown = shown.succeeded().stdout;
    assert!(shown.contains("for S-000002"), "{shown}");
    assert!(!shown.contains("counts now"), "{shown}");
    let told: Value = serde_json::from_str(&seen("--json")).unwrap();
    assert_eq!(told["grades"][0]["counts_now"], Value::Null, "{told}");
}

#[test]
fn what_the_lateness_of_one_version_cost_is_not_said_of_the_next() {
    let (due, rule) = ("2020-01-02T00:00:00Z", "10%/day to 50%");
    let teacher = Teacher::with(&["--due", due, "--late-rule", rule]);
    let apply = [&MAXIMUM[..], &["--apply-lateness"]].concat();
    teacher
        .import("sid,grade\n1155000001,8\n", &apply)
        .succeeded();
    teacher.hand_in(SAMPLE);
    // What was exported comes back: the points stay, and nothing is taken off again.
    let told = teacher.import("sid,grade\n1155000001,3\n", &apply);
    let told = told.succeeded().json();
    assert_eq!(changed(&told), owned(&[("1155000001", "3")]));
    assert_eq!(told["changed"][0]["submission"], "S-000002");
    assert_eq!(told["changed"][0]["lateness_applied"], false);
    let listed = teacher.grades("list", &["--json"]).succeeded().json();
    assert_eq!(listed[0]["lateness"], Value::Null);
}

#[test]
fn where_members_of_a_group_differ_nobody_is_left_without_a_grade_unnamed_and_none_is_dropped() {
    let teacher = Teacher::with(&["--due", DUE]);
    let differ = "sid,grade\n1155000001,5\n1155000002,6\n";
    let options = [&MAXIMUM[..], &["--groups"]].concat();
    let refused = teacher.import(differ, &options);
    assert_eq!(refused.exit, Some(2), "{refused:#?}");
    let reason = "the members of S-000001 have different grades (5 in line 2, 6 in line 3), so that none is the \
                  group's, and 1155000003 would get none";
    for line in ["line 2", "line 3"] {
        let told = format!("{line}: {reason}");
        assert!(refused.stderr.contains(&told), "{told}: {refused:#?}");
    }
    assert_eq!(teacher.listed().len(), 0, "nothing was taken");

    // Each has a row: that is said of each, and the group's stays what it was.
    teacher.import_for_groups("sid,grade\n1155000001,8\n", &[]);
    let each = "sid,grade\n1155000001,8\n1155000002,9\n1155000003,7\n";
    let told = teacher.import_for_groups(each, &[]);
    let now = [("1155000002", "9"), ("1155000003", "7")];
    assert_eq!(changed(&told), owned(&now));
    let groups = teacher.listed().into_iter().map(|[.., group]| group);
    let groups: Vec<_> = groups.collect();
    assert_eq!(groups, ["8", "8", "8"]);
    // Who has a grade already keeps it.
    let told = teacher.import_for_groups("sid,grade\n1155000001,7\n1155000002,9\n", &[]);
    assert_eq!(changed(&told), owned(&[("1155000001", "7")]));
}
