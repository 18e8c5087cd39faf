//! The roster through the years: compared before it is imported, exported by other systems, and
//! sometimes not what it should be.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use expectrl::session::Session;
use expectrl::{Eof, Expect};

use crate::campus::{ByHand, LONG, Ran, program, shell};

const FIRST: &str = "sid,name,email,programme\n\
    1155000001,陳大文,chan@link.example,CSCI\n\
    1155000002,\"Lee, Siu Ming\",lee@link.example,CSCI\n\
    1155000003,黃小明,wong@link.example,IERG\n\
    1155000004,Ada,ada@link.example,IERG\n";
/// A year later: 1155000004 has left, 1155000002 has another address, 1155000005 is new.
const SECOND: &str = "sid,name,email,programme\n\
    1155000001,陳大文,chan@link.example,CSCI\n\
    1155000002,\"Lee, Siu Ming\",siuming@link.example,CSCI\n\
    1155000003,黃小明,wong@link.example,IERG\n\
    1155000005,Grace,grace@link.example,CSCI\n";

impl ByHand {
    /// `cuhk roster import` of such a file.
    fn import(&self, text: impl AsRef<[u8]>, more: &[&str]) -> Ran {
        fs::write(self.path("roster.csv"), text).unwrap();
        self.cuhk(&[&["roster", "import", "roster.csv"], more].concat())
    }

    fn listed(&self) -> String {
        self.cuhk(&["roster", "list"]).succeeded().stdout
    }
}

fn told(ran: &Ran, all: &[&str]) {
    for text in all {
        assert!(ran.stdout.contains(text), "{text}: {ran:#?}");
    }
}

#[test]
fn a_roster_is_compared_first_and_who_is_gone_is_suspended_at_once() {
    let campus = ByHand::new();
    campus.init().succeeded();
    campus.roster(FIRST).succeeded();
    let cuhk = campus.serve_cuhk();
    let address = cuhk.address();
    let enrol = |home: &str| {
        let mut command = program("student");
        command.current_dir(campus.path("."));
        command.args(["--home", home, "--cuhk", &address]);
        command.args(["--ca", "cuhk.home/ca.pem", "--json"]);
        command.args(["enrol", "--ids", "1155000004", "--codes", "codes.csv"]);
        Ran::of(&mut command)
    };
    enrol("laptop").succeeded();

    let before = campus.listed();
    let compared = campus.import(
        SECOND,
        &[
            "--dry-run",
            "--missing",
            "suspend",
            "--codes-out",
            "new.csv",
        ],
    );
    told(
        &compared.succeeded(),
        &[
            "line 3     1155000002   changed: email \"lee@link.example\" → \"siuming@link.example\"",
            "1155000004   missing, would be suspended",
            "line 5     1155000005   added",
            "1 added, 1 changed, 2 unchanged, 0 refused, 1 missing, 1 to suspend",
            "1 code would be written to new.csv",
            "nothing was changed",
        ],
    );
    assert_eq!(campus.listed(), before);
    assert!(!campus.path("new.csv").exists());

    // Nobody is suspended who was not asked for.
    let kept = campus.import(SECOND, &[]).succeeded();
    told(
        &kept,
        &["1 added, 1 changed, 2 unchanged, 0 refused, 1 missing"],
    );
    let done = campus.import(SECOND, &["--missing", "suspend", "--json"]);
    let done = done.succeeded().json();
    assert_eq!(done["counts"]["suspended"], 1);
    assert_eq!(done["differences"][0]["sid"], "1155000004");
    let held = campus.cuhk(&["certs", "list", "1155000004"]).succeeded();
    told(&held, &["suspended"]);
    enrol("elsewhere").refused(3, "student_inactive");

    told(
        &campus.import(FIRST, &[]).succeeded(),
        &["1155000004   restored", "1 restored"],
    );
    let live = campus.cuhk(&["certs", "list", "1155000004"]).succeeded();
    told(&live, &["live"]);
    enrol("elsewhere").refused(3, "code_used");
}

#[test]
fn the_roster_of_one_course_does_not_suspend_the_university() {
    let campus = ByHand::new();
    campus.init().succeeded();
    campus.import(FIRST, &[]).succeeded();
    let course = "sid,name\n1155000001,陳大文\n";
    let refused = campus.import(course, &["--missing", "suspend"]);
    assert_eq!(refused.exit, Some(3), "{refused:#?}");
    assert!(
        refused.stderr.contains("many_missing") && refused.stderr.contains("--suspend-many"),
        "{refused:#?}"
    );
    let rehearsed = campus.import(course, &["--missing", "suspend", "--dry-run"]);
    told(&rehearsed.succeeded(), &["--suspend-many 3"]);
    assert!(!campus.listed().contains("suspended"));

    // Somebody at a terminal is asked, and has to type the number.
    let arguments = ["roster", "import", "roster.csv", "--missing", "suspend"];
    for (answer, suspended) in [("y", 0), ("3", 3)] {
        let mut terminal = Session::spawn(campus.command("cuhk", &arguments)).unwrap();
        terminal.set_expect_timeout(Some(LONG));
        terminal.expect("3 of 4 active students").unwrap();
        terminal.send_line(answer).unwrap();
        terminal.expect(Eof).unwrap();
        let listed = campus.listed();
        assert_eq!(listed.matches("suspended").count(), suspended, "{answer}");
    }
    let restored = campus.import(FIRST, &[]).succeeded();
    told(&restored, &["3 restored"]);
}

/// Whether somebody is listed twice or another row has a wrong ID, nobody can tell: the first row counts, and
/// nobody is suspended by such a file.
#[test]
fn a_doubled_id_is_told_with_both_lines_and_nobody_is_suspended_by_that_file() {
    let campus = ByHand::new();
    campus.init().succeeded();
    campus.import(FIRST, &[]).succeeded();
    let before = campus.listed();
    // 1155000003 is missing: 1155000001 stands in his place, with a space that nobody sees.
    let doubled = "sid,name,email,programme\n\
                   1155000001,陳大文,chan@link.example,CSCI\n\
                   1155000002,\"Lee, Siu Ming\",lee@link.example,CSCI\n\
                   1155000001 ,黃小明,wong@link.example,IERG\n\
                   1155000004,Ada,ada@link.example,IERG\n";
    let options = ["--missing", "suspend", "--codes-out", "new.csv"];
    let both =
        "line 4     1155000001   refused: listed on line 2 and again on line 4: line 2 counts";
    let rehearsed = campus.import(doubled, &[&options[..], &["--dry-run"]].concat());
    assert_eq!(rehearsed.exit, Some(3), "{rehearsed:#?}");
    told(
        &rehearsed,
        &[both, "1 refused, 1 missing", "nothing was changed"],
    );
    let why = "the others would be imported, and nobody suspended";
    assert!(rehearsed.stderr.contains(why), "{rehearsed:#?}");
    assert_eq!(campus.listed(), before);
    assert!(!campus.path("new.csv").exists());

    let imported = campus.import(doubled, &options);
    assert_eq!(imported.exit, Some(3), "{imported:#?}");
    told(
        &imported,
        &[both, "0 added, 0 changed, 3 unchanged, 1 refused"],
    );
    for part in [
        "error[rows_refused]",
        "the others are imported, and nobody was suspended",
        "correct those rows and import the file again",
    ] {
        assert!(imported.stderr.contains(part), "{part}: {imported:#?}");
    }
    assert_eq!(
        campus.listed(),
        before,
        "names as they were, and all active"
    );
    let codes = fs::read_to_string(campus.path("new.csv")).unwrap();
    let of = |sid: &str| codes.lines().filter(|line| line.starts_with(sid)).count();
    assert_eq!(
        ["1155000001", "1155000002", "1155000003", "1155000004"].map(of),
        [1, 1, 0, 1],
        "{codes}"
    );
    let again = campus.import(doubled, &["--missing", "suspend", "--json"]);
    let refused = &again.json()["differences"][0];
    assert_eq!(
        (&refused["line"], &refused["sid"]),
        (&4.into(), &"1155000001".into())
    );
}

/// The first rows of a large roster, of which each has its number as name.
fn many(rows: std::ops::Range<u32>) -> String {
    let rows = rows.map(|n| format!("{},Student {n},{n}@link.example,BSc\n", 2_055_000_000 + n));
    format!("sid,name,email,programme\n{}", rows.collect::<String>())
}

#[test]
fn a_laptop_is_revoked_during_an_import_that_is_then_killed() {
    let campus = ByHand::new();
    campus.init().succeeded();
    campus.roster(FIRST).succeeded();
    let cuhk = campus.serve_cuhk();
    let mut import = campus
        .command("cuhk", &["roster", "import", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    // Far more than a pipe holds: when this returns, some thousand rows were read.
    let rows = import.stdin.as_mut().unwrap();
    rows.write_all(many(0..10_000).as_bytes()).unwrap();

    let revoke = ["revoke", "1155000001", "--reason", "key_compromise"];
    told(&campus.cuhk(&revoke).succeeded(), &["1 unused code"]);
    let again = campus.import(FIRST, &["--json"]);
    again.refused(4, "import_running");
    import.kill().unwrap();
    import.wait().unwrap();
    assert!(!campus.listed().contains("Student 0"));

    let next = campus.import(many(0..10), &[]).succeeded();
    told(
        &next,
        &["an earlier import was interrupted before", "10 added"],
    );
    let next = campus.import(many(0..10), &[]).succeeded();
    assert!(!next.stdout.contains("interrupted"), "{next:#?}");
    drop(cuhk);
}

#[test]
fn a_roster_comes_on_standard_input_as_well() {
    let campus = ByHand::new();
    campus.init().succeeded();
    let piped = |text: &str, more: &[&str]| {
        let words = [&["roster", "import", "-"], more].concat();
        Ran::fed(&mut campus.command("cuhk", &words), text)
    };
    told(&piped(FIRST, &["--dry-run"]).succeeded(), &["4 added"]);
    told(&piped(FIRST, &[]).succeeded(), &["4 added"]);
    let only = FIRST.lines().take(2).collect::<Vec<_>>().join("\n");
    let missing = ["--missing", "suspend", "--json"];
    // Nobody can be asked where the roster comes from: the number must be said.
    piped(&only, &missing).refused(3, "many_missing");
    let many = [&missing[..], &["--suspend-many", "3"]].concat();
    piped(&only, &many).succeeded();
    assert_eq!(campus.listed().matches("suspended").count(), 3);

    let wrong = piped("PK\u{3}\u{4}", &[]);
    let why = "standard input is not a roster: it is an Excel workbook";
    assert!(wrong.stderr.contains(why), "{wrong:#?}");
    fs::write(campus.path("-"), SECOND).unwrap();
    let file = campus.cuhk(&["roster", "import", "./-", "--dry-run"]);
    told(&file.succeeded(), &["1155000005"]);
}

#[test]
fn exports_of_other_systems_are_recognised_by_their_header() {
    let campus = ByHand::new();
    campus.init().succeeded();
    let canvas = "user_id,login_id,full_name,email,status\n\
                  1155000001,a,陳大文,chan@link.example,active\n\
                  1155000009,b,Left,left@link.example,deleted\n";
    told(
        &campus.import(canvas, &[]).succeeded(),
        &[
            "read as a Canvas SIS export: the student ID from user_id",
            "1155000009   not imported (status: deleted)",
            "1 added, 0 changed, 0 unchanged, 0 refused",
        ],
    );
    let moodle = "username,firstname,lastname,email,idnumber\n\
                  chan,大文,陳,chan@link.example,1155000001\n\
                  lee,Siu Ming,Lee,lee@link.example,1155000002\n";
    told(
        &campus.import(moodle, &[]).succeeded(),
        &["a Moodle user list", "1 added, 0 changed, 1 unchanged"],
    );
    // As it is downloaded from a course: UTF-16 with tabs, whatever its name says.
    let course = "\u{feff}\"Last Name\"\t\"First Name\"\t\"Username\"\t\"Student ID\"\n\
                  \"Lee\"\t\"Siu Ming\"\t\"lee\"\t\"1155000002\"\n";
    let bytes: Vec<u8> = course.encode_utf16().flat_map(u16::to_le_bytes).collect();
    told(
        &campus.import(bytes, &[]).succeeded(),
        &["a Blackboard Learn course export", "1 unchanged"],
    );
    let listed = campus.listed();
    assert!(
        listed.contains("陳大文") && listed.contains("Siu Ming Lee"),
        "{listed}"
    );
}

#[test]
fn what_is_no_roster_is_refused_with_the_place_and_what_to_do() {
    let campus = ByHand::new();
    campus.init().succeeded();
    let ambiguous = b"sid,name,user_id,login_id\n1,A,2,a\n".as_slice();
    for (bytes, places) in [
        // "王小明" in Big5.
        (
            b"sid,name\n1155000001,A\n1155000002,\xa4\xfd\xa4p\xa9\xfa\n".as_slice(),
            ["line 3, column name", "CSV UTF-8"],
        ),
        (
            b"sid,name\r\n1155000001,Jos\xe9\r\n",
            ["line 2, column name", "CSV UTF-8"],
        ),
        (
            b"PK\x03\x04\x14\0\x06\0\x08\0",
            ["an Excel workbook", "CSV UTF-8"],
        ),
        (ambiguous, ["user_id, login_id", "--sid-column"]),
        (b"number,who\n1,A\n", ["number, who", "--sid-column"]),
    ] {
        let refused = campus.import(bytes, &[]);
        assert_eq!(refused.exit, Some(2), "{refused:#?}");
        for place in places
            .iter()
            .chain(&["roster_invalid", "nothing was imported"])
        {
            assert!(refused.stderr.contains(place), "{place}: {refused:#?}");
        }
    }
    assert_eq!(campus.listed(), "");
}

#[test]
fn a_formula_is_kept_and_no_spreadsheet_gets_to_compute_it() {
    let campus = ByHand::new();
    campus.init().succeeded();
    let text = "sid,name,email\n\
                1155000001,\"=HYPERLINK(\"\"http://evil.example\"\")\",a@link.example\n\
                =\"1155000002\",B,b@link.example\n\
                1155000003,C,\"@SUM(1+1)*cmd|' /C calc'!A0\"\n";
    let imported = campus.roster(text);
    assert_eq!(imported.exit, Some(3), "{imported:#?}");
    told(
        &imported,
        &[
            "1155000001   the name begins like a spreadsheet's formula",
            "line 3     =\"1155000002\" refused: the student ID is a spreadsheet's formula",
            "line 4     1155000003   refused: the email address is not one",
            "1 added, 0 changed, 0 unchanged, 2 refused",
        ],
    );
    assert!(campus.listed().contains("=HYPERLINK("));
    let codes = fs::read_to_string(campus.path("codes.csv")).unwrap();
    let formula = |cell: &str| {
        cell.trim_start_matches('"')
            .starts_with(['=', '+', '-', '@'])
    };
    let listed = campus.cuhk(&["certs", "list", "--csv"]).succeeded().stdout;
    for line in codes.lines().chain(listed.lines()) {
        assert!(!line.split(',').any(formula), "{line}");
    }
    assert!(codes.contains("\"'=HYPERLINK("), "{codes}");
}

#[test]
fn of_thousands_of_differences_twenty_of_each_kind_are_named_unless_all_are_wanted() {
    let campus = ByHand::new();
    campus.init().succeeded();
    let mut rows: String = (1..=1000)
        .map(|number| format!("11550{number:05},Student {number},,CSCI\n"))
        .collect();
    rows += "1155999999,\"left open,,CSCI\n1155999998,Next,,CSCI\n\",,\n\
             1155999997,\"left open,,CSCI\n1155999996,Next\",CSCI\n";
    let roster = format!("sid,name,email,programme\n{rows}");
    let few = campus.import(&roster, &["--dry-run"]);
    let added = |ran: &Ran| ran.stdout.matches("   added\n").count();
    assert_eq!((few.exit, added(&few)), (Some(3), 20), "{few:#?}");
    told(
        &few,
        &[
            "… and 980 more: added (--all names them)",
            "1155999999   refused: the name goes on over several lines: a quotation mark",
            "1155999997   refused: 3 fields, but the header has 4: a quotation mark is left open",
            "1000 added",
        ],
    );
    let all = campus.import(&roster, &["--dry-run", "--all"]);
    assert_eq!(added(&all), 1000, "{}", all.stderr);
    assert!(!all.stdout.contains("more:"), "{}", all.stderr);
}

/// Seconds of CPU time, in a build that is not optimised: what others do at the same time does not
/// count.
#[test]
fn ten_thousand_students_are_imported_within_two_seconds() {
    let campus = ByHand::new();
    campus.init().succeeded();
    fs::write(campus.path("students.csv"), many(0..10_000)).unwrap();
    let import = format!(
        "'{}' --home cuhk.home roster import students.csv --codes-out codes.csv; times",
        program("cuhk").get_program().display()
    );
    let ran = shell(&campus.path("."), &import).succeeded();
    let codes = fs::read_to_string(campus.path("codes.csv")).unwrap();
    assert_eq!(codes.lines().count(), 10_001);
    // The last line is about what the shell started: user and system, each as 0m0.123s.
    let spent = ran.stdout.lines().last().unwrap().split(' ');
    let spent: f64 = spent.map(seconds).sum();
    assert!(spent < 2.0, "{spent} seconds");
}

/// What `times` of a shell writes.
fn seconds(text: &str) -> f64 {
    let (minutes, seconds) = text.strip_suffix('s').unwrap().split_once('m').unwrap();
    minutes.parse::<f64>().unwrap() * 60.0 + seconds.parse::<f64>().unwrap()
}

/// As the systems that the university has write them every night, with nobody to mend them by hand.
#[test]
fn a_nightly_export_with_teachers_and_a_last_line_suspends_who_is_gone() {
    let campus = ByHand::new();
    campus.init().succeeded();
    campus.roster(FIRST).succeeded();
    let nightly = ["--missing", "suspend"];
    let header = "user_id,login_id,first_name,last_name,full_name,email,status\n";
    let students = "1155000001,c,大文,陳,陳大文,chan@link.example,active\n\
                    1155000002,l,Siu Ming,Lee,\"Lee, Siu Ming\",lee@link.example,active\n\
                    1155000003,w,小明,黃,黃小明,wong@link.example,active\n";
    let teacher = ",prof,Pro,F,Pro F,prof@link.example,active\n";
    let canvas = [header, students, teacher].concat();
    let rehearsed = campus.import(&canvas, &[&nightly[..], &["--dry-run"]].concat());
    let without = "line 5                  no student: the column user_id is empty";
    told(
        &rehearsed.succeeded(),
        &[without, "1 row without a student ID"],
    );
    let imported = campus.import(&canvas, &nightly).succeeded();
    told(
        &imported,
        &[
            "1155000004   missing, suspended",
            "1 row without a student ID",
        ],
    );
    let suspended = campus.cuhk(&["roster", "list", "--status", "suspended"]);
    told(&suspended.succeeded(), &["1155000004"]);

    let feed = "EXTERNAL_PERSON_KEY|FIRSTNAME|LASTNAME|STUDENT_ID|ROW_STATUS\n\
                1|大文|陳|1155000001|ENABLED\n2|Siu Ming|Lee|1155000002|ENABLED\n\
                9|Pro|F||ENABLED\n***FileFooter|3|2026-11-22***\n";
    let json = campus.import(feed, &[&nightly[..], &["--json"]].concat());
    let json = json.succeeded().json();
    assert_eq!(json["counts"]["without_id"], 2, "{json}");
    assert_eq!(json["counts"]["suspended"], 1, "{json}");
    // One that was cut off on its way suspends nobody, unless somebody knows better.
    let cut = &feed[..feed.find("***").unwrap()];
    let refused = campus.import(cut, &nightly);
    assert_eq!(refused.exit, Some(2), "{refused:#?}");
    for part in ["no last line ***FileFooter", "--any-footer"] {
        assert!(refused.stderr.contains(part), "{refused:#?}");
    }
    let whole = [&nightly[..], &["--any-footer", "--dry-run"]].concat();
    campus.import(cut, &whole).succeeded();
    // A teacher who may be the student that is missing: somebody has to look.
    let doubtful = [
        header,
        &students[..students.find("1155000003").unwrap()],
        ",w,小明,黃,黃小明,,active\n",
    ];
    campus.import(FIRST, &[]).succeeded();
    let refused = campus.import(doubtful.concat(), &nightly);
    assert_eq!(refused.exit, Some(3), "{refused:#?}");
    told(&refused, &["it may be 1155000003, who is on no other row"]);
    assert!(
        refused.stderr.contains("nobody was suspended"),
        "{refused:#?}"
    );
}
