//! The registry's roster as a CSV file.

use std::collections::HashMap;
use std::path::Path;

use csv::{ReaderBuilder, StringRecord, Trim};
use scb_certs::StudentId;
use scb_cli::{counted, read_limited, steers};

use crate::Error;
use crate::store::Student;

/// Largest file in bytes.
const MAX_SIZE: u64 = 16 * 1024 * 1024;
/// Most rows.
const MAX_ROWS: usize = 100_000;
/// Longest text of a column, in characters.
const MAX_TEXT: usize = 200;

/// One row: a student, or why it is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RosterRow {
    /// Line in the file, counted from 1.
    pub line: u64,
    /// What stands in the column `sid`, as it is.
    pub sid: String,
    /// The student, active, or the reason why the row is refused.
    pub student: Result<Student, String>,
}

/// Reads a roster: CSV in UTF-8 (a byte order mark is fine) with a header that names the
/// columns `sid`, `name`, `email` and `programme` in any order and any case. Other columns
/// are ignored; `email` and `programme` may be missing.
///
/// # Errors
///
/// [`Error::RosterInvalid`] if the file as a whole cannot be understood: not UTF-8, no such
/// header, over 100,000 rows or 16 MiB; [`Error::Local`] if it cannot be read. A bad row is no
/// error: its result says so.
pub fn read_roster(path: &Path) -> Result<Vec<RosterRow>, Error> {
    let invalid = |reason| Error::RosterInvalid {
        path: path.to_owned(),
        reason,
    };
    match read_limited(path, MAX_SIZE) {
        Err(scb_cli::Error::FileTooLarge { .. }) => Err(invalid(too_long())),
        read => parse_roster(&read?).map_err(invalid),
    }
}

/// [`read_roster`] of bytes; an error is what is wrong with the file as a whole.
pub(crate) fn parse_roster(bytes: &[u8]) -> Result<Vec<RosterRow>, String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    check_encoding(bytes)?;
    let mut reader = ReaderBuilder::new()
        .flexible(true)
        .trim(Trim::All)
        .from_reader(bytes);
    let columns = Columns::find(reader.headers().map_err(|error| error.to_string())?)?;
    let mut lines = Lines {
        bytes,
        at: 0,
        line: 1,
    };
    let mut first_lines = HashMap::new();
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| error.to_string())?;
        let mut row = columns.read(&record, lines.of(&record));
        refuse_repeated(&mut row, &mut first_lines);
        rows.push(row);
        if rows.len() > MAX_ROWS {
            return Err(too_long());
        }
    }
    Ok(rows)
}

/// Which column is which.
struct Columns {
    count: usize,
    sid: usize,
    name: usize,
    email: Option<usize>,
    programme: Option<usize>,
}

impl Columns {
    fn find(header: &StringRecord) -> Result<Self, String> {
        let column = |wanted: &str| {
            let mut found = (0..header.len()).filter(|at| header[*at].eq_ignore_ascii_case(wanted));
            match (found.next(), found.next()) {
                (_, Some(_)) => Err(format!("it has two columns {wanted}")),
                (column, None) => Ok(column),
            }
        };
        let required =
            |wanted: &str| column(wanted)?.ok_or_else(|| format!("it has no column {wanted}"));
        Ok(Self {
            count: header.len(),
            sid: required("sid")?,
            name: required("name")?,
            email: column("email")?,
            programme: column("programme")?,
        })
    }

    fn read(&self, record: &StringRecord, line: u64) -> RosterRow {
        let field = |at: Option<usize>| at.and_then(|at| record.get(at)).unwrap_or_default();
        let sid = field(Some(self.sid));
        RosterRow {
            line,
            sid: sid.to_owned(),
            student: self.check_count(record).and_then(|()| {
                student(
                    sid,
                    field(Some(self.name)),
                    field(self.email),
                    field(self.programme),
                )
            }),
        }
    }

    /// With a field more or less, nobody knows which text belongs to which column.
    fn check_count(&self, record: &StringRecord) -> Result<(), String> {
        if record.len() == self.count {
            return Ok(());
        }
        let fields = counted(record.len(), "field");
        let count = self.count;
        Err(format!(
            "{fields}, but the header has {count}: a text with a comma belongs in double quotes"
        ))
    }
}

/// Counts lines as editors do. (The reader's own count is one behind after CR LF.)
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line on which a record begins; records come in order.
    fn of(&mut self, record: &StringRecord) -> u64 {
        let start = record.position().map_or(0, csv::Position::byte);
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        while let Some(byte) = self.bytes.get(self.at) {
            if self.at >= start && !matches!(byte, b'\r' | b'\n') {
                break;
            }
            self.line += u64::from(*byte == b'\n');
            self.at += 1;
        }
        self.line
    }
}

fn student(sid: &str, name: &str, email: &str, programme: &str) -> Result<Student, String> {
    let sid: StudentId = sid
        .parse()
        .map_err(|error: scb_certs::Error| error.to_string())?;
    if name.is_empty() {
        return Err("the name is missing".to_owned());
    }
    for (what, text) in [("name", name), ("email", email), ("programme", programme)] {
        if text.chars().count() > MAX_TEXT {
            return Err(format!("the {what} has more than {MAX_TEXT} characters"));
        }
        if let Some(bad) = text.chars().find(|c| is_unseen(*c)) {
            let number = u32::from(bad);
            return Err(format!(
                "the {what} has a character that is not seen but changes what is: U+{number:04X}"
            ));
        }
        if text.contains(char::REPLACEMENT_CHARACTER) {
            return Err(format!(
                "the {what} has the sign for a lost character: U+FFFD"
            ));
        }
    }
    if !email.is_empty() && !is_email(email) {
        return Err("the email address is not one".to_owned());
    }
    Ok(Student {
        sid,
        name: name.to_owned(),
        email: email.to_owned(),
        programme: programme.to_owned(),
        active: true,
    })
}

fn is_email(text: &str) -> bool {
    let parts = text.rsplit_once('@');
    parts.is_some_and(|(user, host)| !user.is_empty() && !host.is_empty())
        && !text.contains(char::is_whitespace)
}

fn refuse_repeated(row: &mut RosterRow, first_lines: &mut HashMap<StudentId, u64>) {
    let Ok(student) = &row.student else {
        return;
    };
    let first = *first_lines.entry(student.sid.clone()).or_insert(row.line);
    let line = row.line;
    if first != line {
        row.student = Err(format!(
            "listed on line {first} and again on line {line}: line {first} counts"
        ));
    }
}

/// Control characters, line separators and marks that reorder text: they would go into code
/// sheets and onto screens. The joiners U+200C and U+200D belong to names in Persian and in
/// Indian scripts.
fn is_unseen(c: char) -> bool {
    steers(c) && !matches!(c, '\u{200c}' | '\u{200d}')
}

fn too_long() -> String {
    format!(
        "it has more than {MAX_ROWS} rows or {} MiB; import it in parts",
        MAX_SIZE / 1024 / 1024
    )
}

fn check_encoding(bytes: &[u8]) -> Result<(), String> {
    let utf_16 = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
    if utf_16 || bytes.iter().take(MAX_TEXT).any(|byte| *byte == 0) {
        return Err("line 1 is not UTF-8 but, it seems, UTF-16 (\"Unicode text\")".to_owned());
    }
    let Err(error) = std::str::from_utf8(bytes) else {
        return Ok(());
    };
    let before = &bytes[..error.valid_up_to()];
    let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
    Err(format!(
        "line {line} is not UTF-8 but another encoding, such as Big5 or Latin-1"
    ))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<RosterRow> {
        parse_roster(text.as_bytes()).unwrap()
    }

    fn refusal(row: &RosterRow) -> &str {
        row.student.as_ref().unwrap_err()
    }

    #[test]
    fn finds_columns_by_their_header() {
        let text = "\u{feff}Name , PROGRAMME,remark,SID,eMail\r\n\
                    陳大文,BSc, x ,1155000001,a@b.example\r\n\r\n,,,,\r\n";
        let [row, blank] = rows(text).try_into().unwrap();
        assert_eq!(blank.line, 4);
        let student = row.student.unwrap();
        assert_eq!(student.sid.as_str(), "1155000001");
        assert_eq!(student.name, "陳大文");
        assert_eq!(student.email, "a@b.example");
        assert_eq!(student.programme, "BSc");
        assert!(student.active);
        assert_eq!(row.line, 2);
    }

    #[test]
    fn email_and_programme_may_be_missing() {
        let rows = rows("sid,name\n1155000001,A\n\"1155000002\",\"B, \"\"C\"\"\"\n");
        assert_eq!(rows[0].student.as_ref().unwrap().email, "");
        assert_eq!(rows[1].student.as_ref().unwrap().name, "B, \"C\"");
    }

    #[test]
    fn refuses_files_that_are_no_roster() {
        for (bytes, why) in [
            (&b""[..], "no column sid"),
            (b"sid;name\n1;A\n", "no column sid"),
            (b"sid,email\n", "no column name"),
            (b"sid,name,SID\n", "two columns sid"),
            (b"sid,name\n1,A\n2,\xa4\xa4\n", "line 3 is not UTF-8"),
            (b"sid,name\r\n1,Jos\xe9\r\n", "line 2 is not UTF-8"),
            (b"\xff\xfes\0i\0d\0,\0", "UTF-16"),
            (b"\xfe\xff\0s\0i\0d\0,", "UTF-16"),
            (b"s\0i\0d\0,\0n\0a\0m\0e\0", "UTF-16"),
        ] {
            let error = parse_roster(bytes).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
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
             1155000015,\u{fffd}\u{fffd},,\n",
            "x".repeat(MAX_TEXT + 1)
        );
        let rows = rows(&text);
        assert!(rows[0].student.is_ok());
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
        ];
        assert!(rows[8].student.is_ok());
        for (row, why) in rows[1..]
            .iter()
            .zip(wrong)
            .filter(|(_, why)| !why.is_empty())
        {
            assert!(
                refusal(row).contains(why),
                "line {}: {}",
                row.line,
                refusal(row)
            );
        }
    }

    #[test]
    fn keeps_the_joiners_that_scripts_need() {
        let rows = rows("sid,name\n1155000001,علی\u{200c}رضا\n1155000002,ക്\u{200d}\n");
        assert!(rows.iter().all(|row| row.student.is_ok()), "{rows:?}");
    }

    #[test]
    fn a_quotation_mark_left_open_takes_no_row_in_unseen() {
        let rows = rows("sid,name\n1155000001,\"A\n1155000002,B\n");
        assert_eq!(rows.len(), 1);
        assert!(refusal(&rows[0]).contains("U+000A"), "{rows:?}");
    }

    #[test]
    fn refuses_too_many_rows() {
        let mut text = "sid,name\n".to_owned();
        for number in 0..=MAX_ROWS {
            text += &format!("{number},A\n");
        }
        assert!(
            parse_roster(text.as_bytes())
                .unwrap_err()
                .contains("100000 rows")
        );
    }

    #[test]
    fn refuses_a_file_that_is_too_large_before_it_is_parsed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("roster.csv");
        let file = std::fs::File::create(&path).unwrap();
        file.set_len(MAX_SIZE + 1).unwrap();
        let refused = read_roster(&path).unwrap_err();
        assert!(
            matches!(&refused, Error::RosterInvalid { reason, .. } if reason.contains("in parts")),
            "{refused}"
        );
    }

    #[test]
    fn the_sample_roster_is_one() {
        let rows = parse_roster(include_bytes!("../assets/roster.csv")).unwrap();
        assert_eq!(rows.len(), 12);
        assert!(rows.iter().all(|row| row.student.is_ok()));
    }
}
