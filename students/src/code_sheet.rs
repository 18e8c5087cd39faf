//! The code sheet: the CSV file by which enrolment codes reach students.

use std::collections::BTreeMap;
use std::path::Path;

use csv::StringRecord;
use scb_certs::{Fingerprint, StudentId};
use scb_cli::{line_of, read_limited};
use scb_protocol::EnrolmentCode;
use zeroize::Zeroizing;

use crate::Error;

/// Largest code sheet, in bytes: a whole university fits.
const LIMIT: u64 = 32 * 1024 * 1024;

/// Codes by student, and the root fingerprint that the sheet vouches for. Columns are found
/// by their header: `sid` and `code` are required, `ca_sha256` is used, others are not read.
/// When a code ends is CUHK's to say, by its own clock: `code_expired`.
#[derive(Debug)]
pub struct CodeSheet {
    codes: BTreeMap<StudentId, EnrolmentCode>,
    root: Option<Fingerprint>,
}

struct Columns {
    sid: usize,
    code: usize,
    root: Option<usize>,
}

impl CodeSheet {
    /// Reads a sheet. A student's later row counts, as new codes are added at the end.
    ///
    /// # Errors
    ///
    /// [`Error::CodeSheet`] with the line, never its content; [`Error::Cli`] if the file
    /// cannot be read or is over 32 MiB.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let bytes = Zeroizing::new(read_limited(path, LIMIT)?);
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        let mut rows = csv::ReaderBuilder::new()
            .has_headers(true)
            .trim(csv::Trim::All)
            .from_reader(text);
        let header = rows
            .headers()
            .map_err(|error| unreadable(path, text, &error))?;
        let columns = Columns::find(header).map_err(|reason| fault(path, Some(1), reason))?;
        let mut sheet = Self {
            codes: BTreeMap::new(),
            root: None,
        };
        for row in rows.records() {
            let row = row.map_err(|error| unreadable(path, text, &error))?;
            sheet
                .add(&row, &columns)
                .map_err(|reason| fault(path, line(text, row.position()), reason))?;
        }
        Ok(sheet)
    }

    /// The code of a student.
    pub fn code(&self, sid: &StudentId) -> Option<&EnrolmentCode> {
        self.codes.get(sid)
    }

    /// The fingerprint of CUHK's root certificate, if the sheet names it.
    pub fn root(&self) -> Option<Fingerprint> {
        self.root
    }

    fn add(&mut self, row: &StringRecord, columns: &Columns) -> Result<(), &'static str> {
        let field = |column: usize| row.get(column).unwrap_or_default();
        let sid = field(columns.sid).parse().map_err(|_| "not a student ID")?;
        if let Some(text) = columns.root.map(field).filter(|text| !text.is_empty()) {
            let root = text
                .parse()
                .map_err(|_| "ca_sha256 is no SHA-256 fingerprint")?;
            if *self.root.get_or_insert(root) != root {
                return Err("another ca_sha256 than in the rows before");
            }
        }
        if !field(columns.code).is_empty() {
            let code = field(columns.code)
                .parse()
                .map_err(|_| "not an enrolment code")?;
            self.codes.insert(sid, code);
        }
        Ok(())
    }
}

impl Columns {
    fn find(header: &StringRecord) -> Result<Self, &'static str> {
        let find = |name: &str| {
            header
                .iter()
                .position(|title| title.eq_ignore_ascii_case(name))
        };
        Ok(Self {
            sid: find("sid").ok_or("no column sid")?,
            code: find("code").ok_or("no column code")?,
            root: find("ca_sha256"),
        })
    }
}

/// The first IDs of a file with a column `sid`, such as a sandbox's roster.
///
/// # Errors
///
/// As [`CodeSheet::read`].
pub(crate) fn first_ids(path: &Path, count: usize) -> Result<Vec<StudentId>, Error> {
    let bytes = read_limited(path, LIMIT)?;
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let mut rows = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(text);
    let header = rows
        .headers()
        .map_err(|error| unreadable(path, text, &error))?;
    let column = header
        .iter()
        .position(|title| title.eq_ignore_ascii_case("sid"))
        .ok_or_else(|| fault(path, Some(1), "no column sid"))?;
    let id = |row: Result<StringRecord, csv::Error>| {
        let row = row.map_err(|error| unreadable(path, text, &error))?;
        let id = row.get(column).unwrap_or_default().parse();
        id.map_err(|_| fault(path, line(text, row.position()), "not a student ID"))
    };
    rows.records().take(count).map(id).collect()
}

/// csv's own messages may repeat the row, and with it a code: only the place is told.
fn unreadable(path: &Path, text: &[u8], error: &csv::Error) -> Error {
    let line = line(text, error.position());
    fault(
        path,
        line,
        "not a row of a CSV file in UTF-8 with as many fields as the header",
    )
}

fn line(text: &[u8], start: Option<&csv::Position>) -> Option<u64> {
    start.map(|start| line_of(text, start.byte()))
}

fn fault(path: &Path, line: Option<u64>, reason: &str) -> Error {
    Error::CodeSheet {
        path: path.to_owned(),
        line,
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const CODE: &str = "01234-56789-ABCDE-FGHJK-MNPQR";
    const OTHER: &str = "11234-56789-ABCDE-FGHJK-MNPQR";

    fn read(content: &str) -> Result<CodeSheet, Error> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("codes.csv");
        std::fs::write(&path, content).unwrap();
        CodeSheet::read(&path)
    }

    fn refusal(content: &str) -> String {
        let error = read(content).unwrap_err().to_string();
        error.rsplit("codes.csv").next().unwrap().to_owned()
    }

    fn sid(text: &str) -> StudentId {
        text.parse().unwrap()
    }

    #[test]
    fn finds_columns_by_header_behind_a_bom() {
        let root = "ab".repeat(32);
        let sheet = read(&format!(
            "\u{feff}sid,name,email,code,ca_sha256,expires\r\n\
             1155000001,\"陳, 大文\",a@b,{CODE},{root},2026-01-01\r\n\
             1155000002,Zoë,,,{root},\r\n"
        ))
        .unwrap();
        let code: EnrolmentCode = CODE.parse().unwrap();
        assert_eq!(sheet.code(&sid("1155000001")), Some(&code));
        assert_eq!(sheet.code(&sid("1155000002")), None);
        assert_eq!(sheet.root().unwrap().to_string(), root);
    }

    #[test]
    fn a_later_code_counts() {
        let sheet = read(&format!("code,sid\n{CODE},A\n{OTHER},A\n")).unwrap();
        assert_eq!(sheet.code(&sid("A")), Some(&OTHER.parse().unwrap()));
        assert_eq!(sheet.root(), None);
    }

    #[test]
    fn names_the_line_and_never_the_content() {
        let canary = "CANARY-SECRET";
        let said = refusal(&format!("sid,code\nA,{CODE}\nB,{canary}\n"));
        assert_eq!(said, ", line 3: not an enrolment code");
        let said = refusal(&format!("sid,code\nA,{CODE},{canary}\n"));
        assert!(
            said.starts_with(", line 2: ") && !said.contains(canary),
            "{said}"
        );
        let said = refusal(&format!("sid,code\n../{canary},{CODE}\n"));
        assert_eq!(said, ", line 2: not a student ID");
        let said = refusal(&format!("sid,code\r\n\r\nA,{CODE}\r\nB,{canary}\r\n"));
        assert_eq!(said, ", line 4: not an enrolment code");
    }

    #[test]
    fn refuses_other_files() {
        assert_eq!(refusal("name,email\n"), ", line 1: no column sid");
        assert_eq!(refusal("sid,email\n"), ", line 1: no column code");
        assert_eq!(refusal(""), ", line 1: no column sid");
    }

    #[test]
    fn refuses_two_roots() {
        let (one, two) = ("ab".repeat(32), "cd".repeat(32));
        let said = refusal(&format!(
            "sid,code,ca_sha256\nA,{CODE},{one}\nB,{CODE},{two}\n"
        ));
        assert!(said.contains("line 3: another ca_sha256"), "{said}");
        let said = refusal(&format!("sid,code,ca_sha256\nA,{CODE},{}\n", &one[2..]));
        assert!(said.contains("no SHA-256 fingerprint"), "{said}");
    }

    #[test]
    fn debug_shows_no_code() {
        let sheet = read(&format!("sid,code\nA,{CODE}\n")).unwrap();
        assert!(!format!("{sheet:?}").contains("56789"));
    }

    #[test]
    fn takes_the_first_ids_of_a_roster() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("roster.csv");
        std::fs::write(&path, "name,sid\nx,A\ny,B\nz,C\n").unwrap();
        let ids = first_ids(&path, 2).unwrap();
        assert_eq!(ids, [sid("A"), sid("B")]);
        std::fs::write(&path, "name,sid\nx,../A\n").unwrap();
        assert!(first_ids(&path, 2).is_err());
    }
}
