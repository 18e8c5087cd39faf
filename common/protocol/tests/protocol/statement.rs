//! Step 6: the statement.

use scb_certs::Fingerprint;
use scb_protocol::message::blackboard::Request;
use scb_protocol::statement::MAX_STATEMENT;
use scb_protocol::values::Der;
use scb_protocol::{Code, Step};
use scb_testkit::TestCampus;
use serde_json::{Value, json};

use crate::support::{Group, THREE, listed, other_fingerprint, refused_in, state, submit, text};

/// The group's statement after `alter` has been at its JSON.
fn altered(group: &Group<'_>, alter: impl FnOnce(&mut Value)) -> String {
    let mut statement = serde_json::to_value(group.statement()).unwrap();
    alter(&mut statement);
    statement.to_string()
}

#[test]
fn accepts_the_exact_bytes_however_they_are_spelled() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let sorted = altered(&group, |_| {});
    let spaced = format!(" {}\n", sorted.replace(',', ", "));
    for statement in [text(&group), sorted, spaced] {
        let accepted = state(&group, &statement).unwrap();
        assert_eq!(accepted.bytes(), statement.as_bytes());
        assert_eq!(*accepted.statement(), group.statement());
    }
}

#[test]
fn refuses_a_statement_that_says_something_else() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    type Alter<'a> = &'a dyn Fn(&mut Value);
    let form = Code::StatementInvalid;
    let (members, large) = (Code::MemberMismatch, Code::ContentTooLarge);
    let nothing = Fingerprint::of(b"");
    let cases: [(&str, Code, Alter<'_>); 31] = [
        ("another service", form, &|s| {
            s["service"] = json!("spiffe://campus.test/service/grader");
        }),
        ("another domain", form, &|s| {
            s["service"] = json!("spiffe://other.test/service/blackboard");
        }),
        ("too large", large, &|s| {
            s["files"][0]["size"] = json!((1 << 20) + 1);
        }),
        ("nothing", Code::ReportEmpty, &|s| {
            s["files"][0]["size"] = json!(0);
            s["files"][0]["sha256"] = json!(nothing);
        }),
        ("nothing with a hash", form, &|s| {
            let mut file = s["files"][0].clone();
            file["name"] = json!("empty.h");
            file["size"] = json!(0);
            list(s, "files").push(file);
        }),
        ("nobody", members, &|s| s["members"] = json!([])),
        ("one fewer", members, &|s| drop(list(s, "members").pop())),
        ("one more", members, &|s| {
            let outsider = json!({"sid": "1155000099", "cert_sha256": other_fingerprint()});
            list(s, "members").push(outsider);
        }),
        ("one twice", form, &|s| {
            let first = s["members"][0].clone();
            list(s, "members").push(first);
        }),
        ("another member", members, &|s| {
            s["members"][1]["sid"] = json!("1155000099");
        }),
        ("other order", members, &|s| list(s, "members").swap(0, 1)),
        ("another certificate", members, &|s| {
            s["members"][1]["cert_sha256"] = json!(other_fingerprint());
        }),
        ("a file twice", form, &|s| {
            let file = s["files"][0].clone();
            list(s, "files").push(file);
        }),
        ("no file", form, &|s| s["files"] = json!([])),
        ("another type", form, &|s| s["type"] = json!("scb-vote")),
        ("another version", form, &|s| s["v"] = json!(2)),
        ("version as text", form, &|s| s["v"] = json!("1")),
        ("unknown field", form, &|s| s["note"] = json!("")),
        ("unknown field of a member", form, &|s| {
            s["members"][0]["name"] = json!("");
        }),
        ("unknown field of a file", form, &|s| {
            s["files"][0]["path"] = json!("");
        }),
        ("negative size", form, &|s| {
            s["files"][0]["size"] = json!(-1);
        }),
        ("size as text", form, &|s| {
            s["files"][0]["size"] = json!("35");
        }),
        ("hash in upper case with colons", form, &|s| {
            s["files"][0]["sha256"] = json!("AA:BB");
        }),
        ("short submission ID", form, &|s| {
            s["submission"] = json!("00");
        }),
        ("submission ID in upper case", form, &|s| {
            s["submission"] = json!("000102030405060708090A0B0C0D0E0F");
        }),
        ("a course with a blank", form, &|s| {
            s["course"] = json!("A B")
        }),
        ("an assignment that is a path", form, &|s| {
            s["assignment"] = json!("../lab");
        }),
        ("an ID that is a path", form, &|s| {
            s["members"][0]["sid"] = json!("../1155000001");
        }),
        ("service not a name", form, &|s| {
            s["service"] = json!("blackboard");
        }),
        ("a student as service", form, &|s| {
            s["service"] = json!("spiffe://campus.test/student/blackboard");
        }),
        ("null", form, &|s| *s = Value::Null),
    ];
    for (what, code, alter) in cases {
        let verdict = state(&group, &altered(&group, alter));
        refused_in(Step::Six, what, verdict, code);
    }
}

#[test]
fn refuses_lists_where_objects_belong() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let right = text(&group);
    for pointer in ["", "/members/0", "/members/2", "/files/0"] {
        let verdict = state(&group, &listed(pointer, &right));
        refused_in(Step::Six, pointer, verdict, Code::StatementInvalid);
    }
    state(&group, &right).unwrap();
}

#[test]
fn no_files_or_too_many_are_told_what_is_allowed() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let with = |count: usize| {
        let statement = altered(&group, |statement| {
            let file = |index| {
                let mut file = statement["files"][0].clone();
                file["name"] = json!(format!("{index}"));
                file
            };
            statement["files"] = (0..count).map(file).collect();
        });
        state(&group, &statement)
    };
    for count in [1, 2, 100] {
        assert_eq!(with(count).unwrap().statement().files.len(), count);
    }
    for count in [0, 101] {
        let refusal = with(count).unwrap_err();
        assert_eq!(refusal.code, Code::StatementInvalid);
        let sentence = refusal.sentence();
        assert!(sentence.contains("1 to 100 files"), "{sentence}");
        assert!(
            sentence.contains(&format!("this one {count}")),
            "{sentence}"
        );
    }
}

fn list<'a>(statement: &'a mut Value, field: &str) -> &'a mut Vec<Value> {
    statement[field].as_array_mut().unwrap()
}

#[test]
fn refuses_every_field_missing_or_repeated_and_everything_that_is_not_json() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..1]);
    let whole = text(&group);
    let value = serde_json::to_value(group.statement()).unwrap();
    let mut cases = vec![
        ("empty".to_owned(), String::new()),
        ("two".to_owned(), format!("{whole}{whole}")),
        ("cut".to_owned(), whole[..whole.len() - 1].to_owned()),
        ("NUL after".to_owned(), format!("{whole}\0")),
        ("byte order mark".to_owned(), format!("\u{feff}{whole}")),
        (
            "over 16 KiB".to_owned(),
            format!("{whole}{}", " ".repeat(MAX_STATEMENT)),
        ),
        ("deep".to_owned(), "[".repeat(1000)),
    ];
    for (field, value) in value.as_object().unwrap() {
        let without = altered(&group, |statement| {
            statement.as_object_mut().unwrap().remove(field);
        });
        cases.push((format!("no {field}"), without));
        let twice = whole.replacen('{', &format!("{{\"{field}\":{value},"), 1);
        cases.push((format!("{field} twice"), twice));
    }
    assert_eq!(cases.len(), 7 + 2 * 8, "every field of a statement");
    for (what, statement) in cases {
        let verdict = state(&group, &statement);
        refused_in(Step::Six, &what, verdict, Code::StatementInvalid);
    }
}

#[test]
fn refuses_names_that_could_be_paths() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE[..1]);
    let named = |name: &str| {
        let statement = altered(&group, |s| s["files"][0]["name"] = json!(name));
        state(&group, &statement)
    };
    let (longest, long) = ("x".repeat(255), "x".repeat(300));
    for name in ["報告.pdf", ".hidden", "-rf", "a b", "..x", "a/b", &longest] {
        named(name).unwrap();
    }
    for name in [
        "",
        ".",
        "..",
        "../x",
        "/abs",
        "a//b",
        "a/../b",
        "a\\b",
        "C:\\x",
        "a\0b",
        "a\nb",
        "\u{1b}[2J",
        "a\u{7f}",
        "a\u{85}",
        "\u{2800}",
        "\u{3164}/report.pdf",
        "src/\u{a0}\u{fe0f}",
        &long,
    ] {
        refused_in(Step::Six, name, named(name), Code::StatementInvalid);
    }
}

#[test]
fn refuses_members_of_another_connection() {
    let campus = TestCampus::new();
    let group = Group::of(&campus, &THREE);
    let others = Group::of(&campus, &["1155000011", "1155000012", "1155000013"]);
    let theirs = text(&others);
    let verdict = submit(&group, |_, key| Request::Submit {
        mac: key.statement_mac(theirs.as_bytes()),
        signatures: Der::new(others.sign(theirs.as_bytes())),
        statement: theirs.clone(),
    });
    refused_in(Step::Six, "theirs", verdict, Code::MemberMismatch);
}
