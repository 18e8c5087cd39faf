#![allow(clippy::unwrap_used)]

use std::io::Cursor;

use super::window::MAX_ROW;
use super::*;

mod exports;

fn reader(bytes: impl Into<Vec<u8>>) -> Result<RosterReader, RosterFault> {
    RosterReader::new(Cursor::new(bytes.into()), NamedColumns::default())
}

fn named(sid: Option<&str>) -> NamedColumns<'_> {
    NamedColumns { sid, name: &[] }
}

fn read(
    bytes: impl Into<Vec<u8>>,
    sid_column: Option<&str>,
) -> Result<Vec<RosterRow>, RosterFault> {
    let mut reader = RosterReader::new(Cursor::new(bytes.into()), named(sid_column))?;
    std::iter::from_fn(|| reader.next_row().transpose()).collect()
}

fn rows(text: &str) -> Vec<RosterRow> {
    read(text, None).unwrap()
}

fn listed(row: &RosterRow) -> &Listed {
    match &row.entry {
        Entry::Listed(listed) => listed,
        other => panic!("{other:?}"),
    }
}

fn refusal(row: &RosterRow) -> &str {
    match &row.entry {
        Entry::Refused(reason) => reason,
        other => panic!("{other:?}"),
    }
}

/// Student ID, name and address of each row.
fn told(text: &str) -> Vec<[String; 3]> {
    let told = |row: &RosterRow| {
        let listed = listed(row);
        let email = listed.email.clone().unwrap_or_default();
        [listed.sid.to_string(), listed.name.clone(), email]
    };
    rows(text).iter().map(told).collect()
}

fn wong() -> [[String; 3]; 1] {
    [["1155000001", "Siu Ming Wong", "wong@example.edu"].map(str::to_owned)]
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

#[test]
fn finds_columns_by_their_header() {
    let text = "\u{feff}Name , PROGRAMME,remark,SID,eMail\r\n\
                陳大文,BSc, x ,1155000001,a@b.example\r\n\r\nA,,,,\r\n";
    let [row, without] = rows(text).try_into().unwrap();
    assert_eq!((row.line, without.line), (2, 4));
    let expected = Listed {
        sid: "1155000001".parse().unwrap(),
        name: "陳大文".into(),
        email: Some("a@b.example".into()),
        programme: Some("BSc".into()),
    };
    assert_eq!(*listed(&row), expected);
    assert!(matches!(without.entry, Entry::Nobody(_)), "{without:?}");
}

#[test]
fn rows_of_separators_alone_are_none() {
    let text = "sid,name\r\n,\r\n1155000001,A\r\n , \r\n\"\",\r\n1155000002,B\r\n,,,\r\n";
    let [one, two] = rows(text).try_into().unwrap();
    assert_eq!((one.line, two.line), (3, 6));
    assert_eq!(
        (one.sid.as_str(), two.sid.as_str()),
        ("1155000001", "1155000002")
    );
}

#[test]
fn a_file_may_say_itself_what_separates_its_fields() {
    for text in [
        "sep=;\r\nsid;name\r\n1155000001;Wong, Siu Ming\r\n",
        "\u{feff}SEP=;\nsid;name\n1155000001;Wong, Siu Ming\n",
    ] {
        let rows = read(text, None);
        let Ok(rows) = rows else {
            panic!("{text:?}: {rows:?}");
        };
        assert_eq!(rows[0].line, 3, "{text:?}");
        assert_eq!(listed(&rows[0]).name, "Wong, Siu Ming");
    }
    // Anything else there is a header, and none that is understood.
    assert!(read("sep=x\nsid;name\n1155000001;A\n", None).is_err());
}

#[test]
fn what_a_file_has_no_column_for_stays_as_it_was() {
    let rows = rows("sid,name\n1155000001,A\n\"1155000002\",\"B, \"\"C\"\"\"\n");
    assert_eq!(listed(&rows[1]).name, "B, \"C\"");
    let first = listed(&rows[0]);
    let added = first.over(None);
    assert_eq!((added.email.as_str(), added.active), ("", true));
    let known = Student {
        email: "a@b".into(),
        programme: "BSc".into(),
        active: false,
        ..added
    };
    let after = first.over(Some(&known));
    assert_eq!(after, known);
}

#[test]
fn reads_what_canvas_exports() {
    let header = "user_id,integration_id,login_id,first_name,last_name,full_name,sortable_name,\
                  short_name,email,status\n";
    let row = "1155000001,,wong1,Siu Ming,Wong,Siu Ming Wong,\"Wong, Siu Ming\",Ming,\
               wong@example.edu,active\n";
    assert_eq!(told(&format!("{header}{row}")), wong());
    let without_full_name = "login_id,user_id,first_name,last_name,email,status\n\
                             wong1,1155000001,Siu Ming,Wong,wong@example.edu,active\n";
    assert_eq!(told(without_full_name), wong());
    let layout = reader(header).unwrap().layout();
    assert_eq!(
        layout,
        "a Canvas SIS export: the student ID from user_id, the name from full_name, who has left \
         from status"
    );
}

#[test]
fn reads_what_moodle_exports() {
    for text in [
        "username,firstname,lastname,email,idnumber,suspended,course1\n\
         wong1,Siu Ming,Wong,wong@example.edu,1155000001,0,CSCI3100\n",
        "username,firstname,lastname,email\n1155000001,Siu Ming,Wong,wong@example.edu\n",
        "\"First name\",Surname,\"ID number\",\"Email address\",\"Course total\"\n\
         \"Siu Ming\",Wong,1155000001,wong@example.edu,93\n",
    ] {
        assert_eq!(told(text), wong(), "{text}");
    }
}

#[test]
fn an_ambiguous_header_is_refused_with_its_columns() {
    let text = "username,first name,last name,id number\nwong1,Siu Ming,Wong,1155000001\n";
    let refused = read(text, None).unwrap_err().to_string();
    for named in ["Moodle", "id number", "Blackboard", "username"] {
        assert!(refused.contains(named), "{refused}");
    }
    let rows = read(text, Some("ID Number")).unwrap();
    assert_eq!(listed(&rows[0]).sid.as_str(), "1155000001");
    let both = "sid,name,user_id,login_id\n1155000001,A,1155000002,a\n";
    assert!(matches!(
        read(both, None),
        Err(RosterFault::Ambiguous { .. })
    ));
}

#[test]
fn a_name_in_another_column_is_taken_from_there_and_asked_for() {
    let text = "Matrikelnummer,Nachname\n1155000001,Wong\n";
    let told = read(text, Some("Matrikelnummer")).unwrap_err();
    assert!(
        told.to_string()
            .ends_with("it has: Matrikelnummer, Nachname"),
        "{told}"
    );
    assert!(told.remedy().contains("--name-column"), "{}", told.remedy());
    let columns = |name| NamedColumns {
        sid: Some("matrikelnummer"),
        name,
    };
    let mut reader = RosterReader::new(Cursor::new(text), columns(&["nachname"])).unwrap();
    let row = reader.next_row().unwrap().unwrap();
    assert_eq!(listed(&row).name, "Wong");
    let missing = RosterReader::new(Cursor::new(text), columns(&["no such"]));
    assert!(matches!(missing, Err(RosterFault::NoColumn(_))));
}

#[test]
fn ids_that_differ_in_upper_and_lower_case_only_are_a_mistake() {
    let rows = rows("sid,name\na01,One\nA01,Other\na02,Two\na01,Again\n");
    assert_eq!(listed(&rows[0]).sid.as_str(), "a01");
    assert!(
        refusal(&rows[1]).starts_with("a01 is listed, too"),
        "{rows:?}"
    );
    assert_eq!(listed(&rows[2]).sid.as_str(), "a02");
    assert!(refusal(&rows[3]).contains("line 2 counts"), "{rows:?}");
}

#[test]
fn an_empty_column_of_ids_is_told_with_the_other_one() {
    let text = "Last Name,First Name,Username,Student ID\nWong,Siu Ming,1155000001,\n";
    assert!(matches!(
        &rows(text)[0].entry,
        Entry::Nobody(nobody) if nobody.reason.contains("--sid-column \"Username\"")
    ));
    let rows = read(text, Some("username")).unwrap();
    assert_eq!(listed(&rows[0]).sid.as_str(), "1155000001");
    assert!(matches!(
        read(text, Some("no such")),
        Err(RosterFault::NoColumn(_))
    ));
}

#[test]
fn names_are_joined_as_they_are_written() {
    let text = "username,firstname,lastname\n1155000001,大文,陳\n1155000002,Ada,Lovelace\n\
                1155000003,,Plato\n";
    let names: Vec<_> = told(text).into_iter().map(|[_, name, _]| name).collect();
    assert_eq!(names, ["陳大文", "Ada Lovelace", "Plato"]);
}

#[test]
fn refuses_files_that_are_no_roster() {
    for (bytes, why) in [
        (&b""[..], "it is empty"),
        (b"\n\n", "it is empty"),
        (b"\xef\xbb\xbf", "it is empty"),
        (b"sid,\"name\n1155000001,A\n", "line 1: a quotation mark"),
        (b"number,name\n1,A\n", "it has: number, name"),
        (b"sid,email\n", "no column name"),
        (b"sid,name,SID\n", "two columns sid"),
        (
            b"username,first name,last name\n\xb3\xaf,A,B\n",
            "column username",
        ),
        (b"sid,name\n1,A\n2,\xa4\xa4\n", "line 3, column name"),
        (b"SID,Name\r\n1,Jos\xe9\r\n", "line 2, column Name"),
        (b"\xa9m\xa6W,sid,name\n", "line 1, column number 1"),
        (b"s\0i\0d\0,\0n\0a\0m\0e\0", "UTF-16 without"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook"),
        (b"PK\x03\x04\x14\0\x06\0", "an Excel workbook"),
        (b"\n<HTML><table>", "a web page"),
    ] {
        let error = read(bytes, None).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
        assert!(!error.remedy().is_empty());
    }
}

#[test]
fn a_nul_byte_in_utf8_is_refused_with_its_row() {
    let text = b"sid,name,email,programme\n1155000001,W\0,,\n1155000002,B,,\n";
    let rows = read(text.to_vec(), None).unwrap();
    assert!(refusal(&rows[0]).contains("U+0000"), "{rows:?}");
    assert!(matches!(rows[1].entry, Entry::Listed(_)), "{rows:?}");
}

#[test]
fn half_a_character_of_utf16_is_refused_with_its_row() {
    let mut bytes = utf16("\u{feff}sid,name\n1155000001,A", u16::to_le_bytes);
    bytes.extend([0x00, 0xd8]);
    let rows = read(bytes.clone(), None).unwrap();
    assert!(refusal(&rows[0]).contains("U+FFFD"), "{rows:?}");
    bytes.extend([b'x']);
    assert!(refusal(&read(bytes, None).unwrap()[0]).contains("U+FFFD"));
}

#[test]
fn refuses_bad_rows_one_by_one() {
    let text = format!(
        "sid,name,email,programme\n\
         1155000001,A,,\n\
         ../x,B,,\n\
         1155000003,,,\n\
         1155000004,\"D\u{1b}[2J\",,\n\
         1155000005,E,not an address,\n\
         1155000006,{},,\n\
         1155000001,F,,\n\
         1155000008\n\
         1155000009,I,,\n\
         1155000010,Lee, Siu Ming,a@b.example,BSc\n\
         1155000011,K,a@b.example\n\
         1155000012,\u{202e}gnaW,,\n\
         1155000013,M,,\u{2066}BSc\n\
         1155000014,N\u{9b}31m,,\n\
         1155000015,\u{fffd}\u{fffd},,\n\
         =\"1155000016\",O,,\n\
         1.155E+09,P,,\n\
         1155000017.00,Q,,\n",
        "x".repeat(201)
    );
    let rows = rows(&text);
    assert!(matches!(rows[0].entry, Entry::Listed(_)));
    let wrong = [
        "student ID",
        "missing",
        "U+001B",
        "email",
        "more than",
        "listed on line 2 and again on line 8: line 2 counts",
        "1 field, but the header has 4",
        "",
        "5 fields, but the header has 4: a text with a comma belongs in double quotes",
        "3 fields, but the header has 4",
        "the name has a character that is not seen but changes what is: U+202E",
        "the programme has a character that is not seen but changes what is: U+2066",
        "U+009B",
        "U+FFFD",
        "a spreadsheet's formula",
        "rounded it",
        "such as \".0\" at its end",
    ];
    assert!(matches!(rows[8].entry, Entry::Listed(_)));
    assert_eq!(rows.len(), wrong.len() + 1);
    for (row, why) in rows[1..]
        .iter()
        .zip(wrong)
        .filter(|(_, why)| !why.is_empty())
    {
        let reason = refusal(row);
        assert!(reason.contains(why), "line {}: {reason}", row.line);
    }
}

#[test]
fn knows_whom_the_rows_are_about() {
    let mut reader = reader("sid,name\n1155000001,A\n1155000002,\n../x,B\n").unwrap();
    while reader.next_row().unwrap().is_some() {}
    let mentions = |sid: &str| reader.mentions(&sid.parse().unwrap());
    assert!(mentions("1155000001"));
    assert!(mentions("1155000002"), "in a row that is refused");
    assert!(!mentions("1155000003"));
    assert_eq!(reader.rows(), 3);
}

#[test]
fn keeps_the_joiners_that_scripts_need() {
    let rows = rows("sid,name\n1155000001,علی\u{200c}رضا\n1155000002,ക്\u{200d}\n");
    assert!(rows.iter().all(|row| matches!(row.entry, Entry::Listed(_))));
}

#[test]
fn a_quotation_mark_that_is_never_closed_makes_the_file_no_roster() {
    for (text, opens) in [
        ("sid,name\n1155000001,A\n1155000002,\"B\n", 3),
        ("sid,name\n1155000001,A\n1155000002,\"B", 3),
        ("sid,name\n1155000001,\"A\n1155000002,B\n", 2),
        // Also in a column that nobody reads, on the second line of its row.
        (
            "sid,name,a,b\r\n1155000001,A,\"x\r\ny\",\"z\r\n1155000002,B,,\r\n",
            3,
        ),
    ] {
        let error = read(text, None).unwrap_err();
        assert!(
            matches!(error, RosterFault::OpenQuote { line } if line == opens),
            "{text}: {error}"
        );
    }
}

#[test]
fn a_quotation_mark_left_open_takes_no_row_in_unseen() {
    for text in [
        "sid,name,note\n1155000001,\"A,\n1155000002,\"B\",\n1155000003,C,\n",
        "sid,name,note\n1155000001,A,\"x\n1155000002,B,\"y\"\n1155000003,C,\n",
    ] {
        let rows = rows(text);
        assert_eq!(rows.len(), 2, "{rows:?}");
        assert!(
            refusal(&rows[0]).contains("on line 2 is left open"),
            "{rows:?}"
        );
        assert_eq!(rows[1].line, 4);
    }
    let whole = rows("sid,name,note\n1155000001,A,\"two\nlines, \"\"so\"\"\"\n");
    assert!(matches!(whole[0].entry, Entry::Listed(_)), "{whole:?}");
}

#[test]
fn a_quotation_mark_left_open_in_a_long_file_is_found_where_it_is() {
    let mut text = "sid,name\n1155000001,A\n1155000002,\"B\n".to_owned();
    text += &"1155000003,C\n".repeat(MAX_ROW / 4);
    let error = read(text, None).unwrap_err();
    assert!(
        matches!(error, RosterFault::LongQuote { line: 3 }),
        "{error}"
    );
    let endless = "sid,name\n1155000001,".to_owned() + &"A".repeat(3 * MAX_ROW);
    let error = read(endless, None).unwrap_err();
    assert!(matches!(error, RosterFault::Endless { line: 1 }), "{error}");
}

/// Rows without end, made as they are read.
struct Endless {
    number: usize,
    line: Cursor<Vec<u8>>,
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self.line.read(buffer)? {
            0 => {
                self.number += 1;
                self.line = Cursor::new(format!("{},A\n", self.number).into_bytes());
                self.line.read(buffer)
            }
            count => Ok(count),
        }
    }
}

#[test]
fn a_million_rows_are_read_one_by_one_and_no_more() {
    let endless = Endless {
        number: 0,
        line: Cursor::new(b"sid,name\n".to_vec()),
    };
    let mut reader = RosterReader::new(endless, NamedColumns::default()).unwrap();
    let mut last = 0;
    let error = loop {
        match reader.next_row() {
            Ok(row) => last = row.unwrap().line,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, RosterFault::TooLong), "{error}");
    assert_eq!(last, MAX_ROWS as u64 + 1);
    assert!(error.to_string().contains("1000000 rows or 256 MiB"));
}

#[test]
fn the_sample_roster_is_one() {
    let rows = read(include_bytes!("../../assets/roster.csv"), None).unwrap();
    assert_eq!(rows.len(), 12);
    assert!(rows.iter().all(|row| matches!(row.entry, Entry::Listed(_))));
}
