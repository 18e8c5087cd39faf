//! Grades: from the teacher's gradebook to the student, and back into the gradebook.

mod members;
mod platforms;

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::campus::{Campus, Ran, SAMPLE, version};

const OF: [&str; 4] = ["--course", "CSCI3150", "--assignment", "lab-1"];

/// What Canvas exports of a class of five: with a byte order mark, a formula, a row that is no
/// student's, and line ends of its own.
const CANVAS: &str = "\u{feff}Student,ID,SIS User ID,SIS Login ID,Section,Lab 1 (4711),Lab 2 (4712)\r\n\
    \x20   Points Possible,,,,,10.00,20.00\r\n\
    \"Chan, Tai Man\",1,1155000001,ctm,\"CSCI3150-A\",8.50,\r\n\
    \"=HYPERLINK(\"\"http://x\"\")\",2,1155000002,lsm,\"CSCI3150-A\",,7\r\n\
    \"Wong, 小明\",3,1155000003,wsm,CSCI3150-B,9,\r\n\
    \"Ho, D\",4,1155000004,hd,CSCI3150-B,,\r\n\
    \"Student, Test\",5,,x,CSCI3150-B,,\r\n";

struct Teacher {
    campus: Campus,
}

impl Teacher {
    /// A course of five in which the first three have handed in together.
    fn new() -> Self {
        Self::with(&["--due", "2099-12-01T00:00:00Z"])
    }

    /// The same, for an assignment with these rules.
    fn with(rules: &[&str]) -> Self {
        let teacher = Self::of_five(rules);
        teacher.hand_in(SAMPLE);
        teacher
    }

    /// The same, in which nobody has handed in.
    fn of_five(rules: &[&str]) -> Self {
        let teacher = Self {
            campus: Campus::sandbox(),
        };
        let sids: Vec<_> = (1..=5).map(|n| format!("115500000{n}\n")).collect();
        let list = teacher.file("class.csv", &format!("sid\n{}", sids.concat()));
        let list = list.to_str().unwrap();
        teacher
            .run(&["course", "add", "CSCI3150", "--title", "OS", "--list", list])
            .succeeded();
        let add = ["assignment", "add", "--course", "CSCI3150"];
        let title = ["--title", "Lab 1"];
        teacher.run(&[&add[..], &title, rules].concat()).succeeded();
        teacher
    }

    fn hand_in(&self, sids: &str) {
        let report = version(self.campus.outside());
        let submit = ["submit", "--ids", sids, "--course", "CSCI3150", &report];
        self.campus.student(&submit).succeeded();
    }

    fn run(&self, words: &[&str]) -> Ran {
        self.campus.administer_blackboard(words)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.campus.outside().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn grades(&self, what: &str, more: &[&str]) -> Ran {
        self.run(&[&["grades", what][..], more, &OF[..]].concat())
    }

    fn import(&self, text: &str, more: &[&str]) -> Ran {
        let path = self.file("gradebook.csv", text);
        let path = [path.to_str().unwrap(), "--grader", "Dr Chan", "--json"];
        self.grades("import", &[&path[..], more].concat())
    }

    /// Student, points, group's points.
    fn listed(&self) -> Vec<[String; 3]> {
        let listed = self.grades("list", &["--json"]).succeeded().json();
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let listed = listed.as_array().unwrap().iter();
        listed
            .map(|one| [&one["sid"], &one["points"], &one["group"]].map(text))
            .collect()
    }
}

#[test]
fn a_canvas_gradebook_comes_back_with_the_grades_and_nothing_else_changed() {
    let teacher = Teacher::new();
    let dry = teacher.import(CANVAS, &["--dry-run"]).succeeded().json();
    assert_eq!(dry["changed"].as_array().unwrap().len(), 2);
    assert_eq!(teacher.listed().len(), 0, "a dry run changes nothing");
    let told = teacher.import(CANVAS, &[]).succeeded().json();
    assert_eq!(told["changed"][0]["points"], "8.5");
    assert_eq!(told["changed"][0]["maximum"], "10");
    assert_eq!(told["changed"][0]["submission"], "S-000001");
    let again = teacher.import(CANVAS, &[]).succeeded().json();
    assert_eq!(
        (&again["changed"], &again["same"]),
        (&Value::Array(vec![]), &2.into())
    );

    let template = teacher.file("template.csv", CANVAS);
    let out = teacher.campus.outside().join("out.csv");
    let export = |text: &str| {
        fs::write(&template, text).unwrap();
        let (template, out) = (template.to_str().unwrap(), out.to_str().unwrap());
        let arguments = ["--for", "canvas", "--template", template, "--out", out];
        teacher.grades("export", &arguments).succeeded();
        fs::read_to_string(out).unwrap()
    };
    assert_eq!(export(CANVAS), CANVAS, "8.50 says what 8.5 says");
    let empty = CANVAS
        .replace("8.50", "")
        .replace("CSCI3150-B,9,", "CSCI3150-B,,");
    let filled = CANVAS.replace(",8.50", ",8.5");
    assert_eq!(export(&empty), filled);
    let twenty = CANVAS.replace("10.00", "20.00");
    fs::write(&template, twenty).unwrap();
    let path = template.to_str().unwrap();
    let refused = teacher.grades("export", &["--for", "canvas", "--template", path]);
    assert_eq!(
        refused.exit,
        Some(2),
        "eight of ten are not eight of twenty: {refused:#?}"
    );
    let fresh = teacher
        .grades("export", &["--for", "canvas"])
        .succeeded()
        .stdout;
    assert!(fresh.contains("\r\n,,1155000001,,,8.5\r\n"), "{fresh}");
}

#[test]
fn a_moodle_worksheet_comes_back_with_comments_that_no_spreadsheet_computes() {
    let teacher = Teacher::new();
    let sheet = "Identifier,Full name,ID number,Email address,Status,Grade,Maximum Grade,\
        Grade can be changed,Last modified (submission),Last modified (grade),Feedback comments\n\
        Participant 1,Chan,1155000001,c@x,Submitted,8.00,10.00,Yes,-,\"Monday, 5 October\",'=good\n\
        Participant 2,Lee,1155000002,l@x,Submitted,,10.00,Yes,-,-,\n";
    teacher.import(sheet, &[]).succeeded();
    let listed = teacher.grades("list", &["--json"]).succeeded().json();
    assert_eq!(listed[0]["comment"], "=good");
    let template = teacher.file(
        "moodle.csv",
        &sheet.replace("8.00", "").replace("'=good", ""),
    );
    let arguments = ["--for", "moodle", "--template", template.to_str().unwrap()];
    let back = teacher.grades("export", &arguments).succeeded().stdout;
    assert_eq!(back, sheet.replace("8.00", "8"));
}

#[test]
fn a_gradebook_of_another_country_comes_back_in_its_own_form() {
    let teacher = Teacher::new();
    let book = "\u{feff}Identifier;Full name;ID number;Grade;Maximum Grade;Feedback comments\r\n\
        P1;\"Chan; T\";1155000001;8,50;10,00;good, on the whole\r\nP2;陳;1155000002;;10,00;\r\n";
    let wide = |text: &str| -> Vec<u8> {
        let units = text.encode_utf16();
        units.flat_map(u16::to_le_bytes).collect()
    };
    let path = teacher.file("moodle.csv", "");
    fs::write(&path, wide(book)).unwrap();
    let of = [path.to_str().unwrap(), "--grader", "Lee"];
    let told = teacher.grades("import", &of).succeeded().stdout;
    assert!(
        told.contains("1155000001  was none, is 8.5 of 10"),
        "{told}"
    );

    fs::write(&path, wide(&book.replace("8,50", ""))).unwrap();
    let out = teacher.campus.outside().join("out.csv");
    let (template, to) = (path.to_str().unwrap(), out.to_str().unwrap());
    let arguments = ["--for", "moodle", "--template", template, "--out", to];
    teacher.grades("export", &arguments).succeeded();
    let back = fs::read(&out).unwrap();
    assert_eq!(back, wide(&book.replace("8,50", "8,5")), "and nothing else");

    // A comma that separates cells is no decimal's.
    let error = teacher.import("sid,grade,maximum\n1155000001,\"8,5\",10\n", &[]);
    let error = error.refused(2, "gradebook");
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains("`8,5` is no number of points"),
        "{message}"
    );
}

#[test]
fn a_grade_is_the_group_s_and_a_member_s_own_comes_before_it() {
    let teacher = Teacher::new();
    let text = "sid,grade,group_grade,comment\n\
        1155000002,9.5,8,\"alone better, =1\"\n\
        1155000004,3,,\n";
    teacher.import(text, &["--maximum", "10"]).succeeded();
    let listed = teacher.listed();
    let expected = [
        ["1155000001", "8", "8"],
        ["1155000002", "9.5", "8"],
        ["1155000003", "8", "8"],
        ["1155000004", "3", "-"],
    ];
    assert_eq!(listed, expected.map(|row| row.map(str::to_owned)));
    // A gradebook that knows no groups and no comments leaves them as they are.
    let template = CANVAS
        .replace("8.50", "")
        .replace("CSCI3150-B,9,", "CSCI3150-B,,");
    let template = teacher.file("template.csv", &template);
    let arguments = ["--for", "canvas", "--template", template.to_str().unwrap()];
    let canvas = teacher.grades("export", &arguments).succeeded().stdout;
    let back = teacher.import(&canvas, &[]).succeeded().json();
    let nothing = (&Value::Array(vec![]), &4.into());
    assert_eq!((&back["changed"], &back["same"]), nothing);
    let told = teacher
        .import(
            "sid,grade\n1155000003,7\n",
            &["--maximum", "10", "--groups"],
        )
        .succeeded()
        .json();
    assert_eq!(told["changed"].as_array().unwrap().len(), 3, "{told:#}");
}

#[test]
fn one_bad_row_and_nothing_is_imported() {
    let teacher = Teacher::new();
    let good = "sid,grade,maximum\n1155000001,8,10\n";
    for (row, reason) in [
        (
            "1155000002,eight,10",
            "line 3: `eight` is no number of points",
        ),
        (
            "1155000002,11,10",
            "line 3: 11 points are more than the 10 that are possible",
        ),
        ("1155000002,8,", "line 3: how many points are possible"),
        ("1155009999,8,10", "line 3: 1155009999 is not in the course"),
        ("1155000001,9,10", "line 3: 1155000001 was in line 2 before"),
        ("=1+1,9,10", "line 3: `=1+1` is no student ID"),
        ("1155000002,8", "line 3 has 2 cells"),
    ] {
        let error = teacher.import(&format!("{good}{row}\n"), &[]);
        let error = error.refused(2, "gradebook");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(reason), "{row}: {message}");
        assert_eq!(teacher.listed().len(), 0, "{row}");
    }
    let without = teacher.import("Student,SIS User ID,Lab 9\nA,1155000001,1\n", &[]);
    without.refused(2, "gradebook");
    teacher.import(good, &[]).succeeded();
}

#[test]
fn a_grade_for_an_id_that_nobody_has_met_is_refused_unless_it_is_said_to_be_right() {
    let teacher = Teacher::new();
    let typo = "sid,grade,maximum\n1155000001,8,10\n1155000077,3,10\n";
    let error = teacher.import(typo, &[]).refused(2, "gradebook");
    let remedy = error["remedy"].as_str().unwrap();
    assert!(remedy.contains("--not-listed-yet"), "{remedy}");

    let open = ["course", "members", "CSCI3150", "--anybody"];
    teacher.run(&open).succeeded();
    let error = teacher.import(typo, &[]).refused(2, "gradebook");
    let message = error["message"].as_str().unwrap();
    let reason = "line 3: 1155000077 is on no class list here and has never handed in anything";
    assert!(message.contains(reason), "{message}");
    assert_eq!(teacher.listed().len(), 0);

    let right = teacher.import(typo, &["--not-listed-yet"]);
    assert_eq!(right.succeeded().json()["unknown"][0], "1155000077");
    // Who is graded here is known from then on.
    teacher.import(typo, &[]).succeeded();
}

#[test]
fn a_grade_of_one_who_has_handed_in_nothing_is_remarked() {
    let teacher = Teacher::new();
    let book = "sid,grade,maximum\n1155000001,8,10\n1155000004,3,10\n";
    let path = teacher.file("gradebook.csv", book);
    let told = teacher.grades("import", &[path.to_str().unwrap(), "--grader", "Lee"]);
    let told = told.succeeded().stdout;
    let line = |sid: &str| told.lines().find(|line| line.starts_with(sid)).unwrap();
    assert!(line("1155000004").ends_with("(has handed in nothing)"));
    assert!(line("1155000001").ends_with("is 8 of 10"), "{told}");
}

#[test]
fn students_are_shown_their_own_grades_once_these_are_released_and_nobody_else_s() {
    let teacher = Teacher::new();
    let text = "sid,grade,group_grade,comment\n1155000002,9.5,8,\"well\nargued\"\n";
    teacher.import(text, &["--maximum", "10"]).succeeded();
    let ask = |ids: &str, more: &[&str]| {
        let arguments = [&["grades", "--ids", ids][..], more].concat();
        teacher.campus.student(&arguments).succeeded()
    };
    let told = |ids: &str| ask(ids, &["--json"]).json()["grades"].clone();
    assert_eq!(told(SAMPLE), Value::Array(vec![]), "nothing is released");
    let unknown = ["--course", "CSCI9999", "--json"];
    assert_eq!(ask(SAMPLE, &unknown).json()["grades"], Value::Array(vec![]));

    teacher.grades("release", &[]).succeeded();
    // CUHK sees the entries within seconds; until then they are proved by the signature alone.
    let archive = teacher.campus.outside().join("lab.zip");
    let archive = ["submissions", "archive", archive.to_str().unwrap()];
    teacher.run(&[&archive[..], &OF[..]].concat()).succeeded();
    let own = told("1155000001");
    assert_eq!(own.as_array().unwrap().len(), 1, "{own:#}");
    assert_eq!(
        (&own[0]["sid"], &own[0]["points"]),
        (&"1155000001".into(), &"8".into())
    );
    assert_eq!(own[0]["grader"], "Dr Chan");
    for seen in ["witnessed_at", "released_at", "release_witnessed_at"] {
        assert!(own[0][seen].is_string(), "{seen}: {own:#}");
    }
    assert!(own[0]["release_index"].as_u64() > own[0]["index"].as_u64());
    assert_eq!(told(SAMPLE).as_array().unwrap().len(), 3);
    let shown = ask("1155000002", &[]).stdout;
    for part in [
        "CSCI3150 / lab-1  1155000002  9.5 of 10",
        "the group as a whole has 8",
        "  well\n  argued\n",
        "for S-000001, which counted then",
        "graded by Dr Chan at ",
        "verified: signed by Blackboard, entry ",
        ", which CUHK has seen at ",
        "could be seen since ",
        ", signed and witnessed",
    ] {
        assert!(shown.contains(part), "{part} is missing:\n{shown}");
    }
    let chinese = ask("1155000001", &["--lang", "zh-Hant"]).stdout;
    assert!(chinese.contains("8 分，滿分 10 分"), "{chinese}");
}

#[test]
fn a_grade_that_was_released_stays_until_the_next_is_and_is_told_from_then_on() {
    let teacher = Teacher::new();
    let give = |points: &str| {
        let text = format!("sid,grade\n1155000001,{points}\n");
        teacher.import(&text, &["--maximum", "10"]).succeeded();
    };
    let release = || teacher.grades("release", &[]).succeeded();
    let ask = |more: &[&str]| {
        let arguments = [&["grades", "--ids", "1155000001"][..], more].concat();
        teacher.campus.student(&arguments).succeeded()
    };
    let seen = || ask(&["--json"]).json()["grades"].clone();
    give("5");
    give("9");
    assert_eq!(seen(), Value::Array(vec![]), "nothing is released");
    release();
    give("3");
    give("2");
    let told = seen();
    assert_eq!(told.as_array().unwrap().len(), 1, "{told:#}");
    assert_eq!(
        (&told[0]["points"], &told[0]["former"]),
        (&"9".into(), &Value::Array(vec![]))
    );
    let shown = ask(&[]).stdout;
    assert!(shown.contains("9 of 10"), "{shown}");
    assert!(!shown.contains("No grade"), "{shown}");
    let listed = teacher.grades("list", &[]).succeeded().stdout;
    assert!(listed.contains("no, still 9 of 10"), "{listed}");

    release();
    give("4");
    release();
    let told = seen();
    let former = |index: usize, name: &str| told[0]["former"][index][name].clone();
    assert_eq!(told[0]["points"], "4");
    assert_eq!([former(0, "points"), former(1, "points")], ["2", "9"]);
    assert_eq!(
        former(2, "points"),
        Value::Null,
        "5 and 3 were never to be seen"
    );
    assert_eq!(former(0, "until"), told[0]["released_at"]);
    assert_eq!(former(1, "until"), former(0, "released_at"));
    let shown = ask(&[]).stdout;
    assert_eq!(shown.matches("CSCI3150 / lab-1").count(), 1, "{shown}");
    for part in ["4 of 10", "was 2 of 10 until ", "was 9 of 10 until "] {
        assert!(shown.contains(part), "{part} is missing:\n{shown}");
    }
    let chinese = ask(&["--lang", "zh-Hant"]).stdout;
    assert!(chinese.contains("之前為 9 分，滿分 10 分"), "{chinese}");

    let listed = teacher.grades("list", &["--history", "--json"]);
    let listed = listed.succeeded().json();
    assert_eq!(listed[0]["former"][1]["until"], former(1, "until"));
    let listed = teacher.grades("list", &["--history"]).succeeded().stdout;
    assert_eq!(listed.matches(" until ").count(), 2, "{listed}");
    assert_eq!(listed.matches("1155000001").count(), 3, "{listed}");
}

#[test]
fn a_grade_altered_on_the_disk_is_not_believed() {
    let teacher = Teacher::new();
    let text = "sid,grade\n1155000001,4\n";
    teacher.import(text, &["--maximum", "10"]).succeeded();
    teacher.grades("release", &[]).succeeded();
    let database = teacher.campus.path().join("blackboard/blackboard.db");
    let database = rusqlite::Connection::open(database).unwrap();
    let alter = "UPDATE grades SET grade = CAST(replace(CAST(grade AS TEXT), \
                 '\"points\":\"4\"', '\"points\":\"9\"') AS BLOB)";
    assert_eq!(database.execute(alter, []).unwrap(), 1);
    let refused = teacher
        .campus
        .student(&["grades", "--ids", "1155000001", "--json"]);
    refused.refused(3, "server_misbehaved");
    // Of what cannot be read the server says that it is damaged.
    let alter = "UPDATE grades SET grade = x'00'";
    assert_eq!(database.execute(alter, []).unwrap(), 1);
    let ask = ["grades", "--ids", "1155000001", "--json"];
    teacher.campus.student(&ask).refused(5, "stored_damaged");
    teacher.grades("list", &["--json"]).refused(5, "altered");

    // The gradebook enters it anew, also where it says the same as before.
    let told = teacher.import(text, &["--maximum", "10"]).succeeded();
    let told = told.json();
    assert_eq!(told["changed"][0]["was_altered"], true, "{told:#}");
    assert_eq!(told["still_altered"], Value::Array(vec![]), "{told:#}");
    teacher.grades("release", &[]).succeeded();
    let told = teacher.campus.student(&ask).succeeded().json();
    assert_eq!(told["grades"][0]["points"], "4", "{told:#}");
}

/// What a late rule costs is taken off once, whatever comes back from a gradebook.
#[test]
fn lateness_is_taken_off_by_the_rule_and_never_twice() {
    let (due, rule) = ("2020-01-02T00:00:00Z", "10%/day to 50%");
    let teacher = Teacher::with(&["--due", due, "--late-rule", rule]);
    // What is dearer since is not for what was handed in before.
    let change = ["assignment", "change", "lab-1", "--course", "CSCI3150"];
    let dearer = ["--late-rule", "90%/day"];
    let told = teacher.run(&[&change[..], &dearer].concat()).succeeded();
    let said = "3 students handed in before";
    assert!(told.stdout.contains(said), "{}", told.stdout);
    let more = ["extension", "add", "lab-1", "--course", "CSCI3150"];
    let for_one = ["--student", "1155000002", "--due", "2099-12-01T00:00:00Z"];
    teacher.run(&[&more[..], &for_one].concat()).succeeded();

    let raw = "sid,grade\n1155000001,8\n1155000002,8\n1155000003,2\n1155000004,3\n";
    let told = teacher.import(raw, &["--maximum", "10", "--dry-run"]);
    let told = told.succeeded().json();
    let row = |index: usize, name: &str| told["changed"][index][name].clone();
    assert_eq!(
        (row(0, "lateness_percent"), row(0, "left")),
        (50.into(), "3".into())
    );
    assert_eq!(
        (row(0, "points"), row(0, "lateness_applied")),
        ("8".into(), false.into())
    );
    assert_eq!(row(1, "lateness_percent"), Value::Null, "he had more time");

    let apply = ["--maximum", "10", "--apply-lateness"];
    teacher.import(raw, &apply).succeeded();
    let points = || teacher.listed().into_iter().map(|[_, points, _]| points);
    let left = ["3", "8", "0", "3"];
    assert!(points().eq(left), "{:?}", points().collect::<Vec<_>>());
    let listed = teacher.grades("list", &["--json"]).succeeded().json();
    let lateness = &listed[0]["lateness"];
    assert_eq!(
        (&lateness["raw"], &lateness["percent"]),
        (&"8".into(), &50.into())
    );
    assert_eq!(lateness["rule"], "10%/day to 50%");

    // The same once more, and what was exported, change nothing.
    let exported = "sid,grade\n1155000001,3\n1155000002,8\n1155000003,0\n1155000004,3\n";
    for (text, applied) in [(raw, 0), (exported, 2)] {
        for more in [&apply[..], &apply[..2]] {
            if (text, more.len()) == (raw, 2) {
                continue;
            }
            let told = teacher.import(text, more).succeeded().json();
            assert_eq!(told["changed"], Value::Array(vec![]), "{text} {more:?}");
            let before = told["lateness_applied_before"].as_array().unwrap();
            assert_eq!(before.len(), applied, "{text} {more:?}");
        }
    }
    teacher.grades("release", &[]).succeeded();
    let shown = teacher.campus.student(&["grades", "--ids", "1155000001"]);
    let shown = shown.succeeded().stdout;
    assert!(shown.contains("3 of 10"), "{shown}");
    assert!(
        shown.contains("worth 8, less 50 % because it was late by "),
        "{shown}"
    );
}
