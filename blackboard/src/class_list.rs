//! Class lists: CSV files in which one column has the student IDs.

use std::path::Path;

use csv::{ReaderBuilder, StringRecord};
use scb_certs::StudentId;
use scb_cli::{Failure, line_of, printable, read_limited};

/// Largest file in bytes.
const MAX_BYTES: u64 = 16 * 1024 * 1024;
/// What the column of the student IDs may be called, in the order of preference; capitals and what
/// stands around them do not matter.
const COLUMNS: [&str; 8] = [
    "sid",
    "student id",
    "sis user id",
    "id number",
    "sis login id",
    "username",
    "user name",
    "login",
];

/// The students of a class list, each once, in the order of the file.
///
/// # Errors
///
/// Cannot be read, has no column of IDs, or a row with something else in it: with its line.
pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<StudentId>> {
    let bytes = read_limited(path, MAX_BYTES)?;
    Ok(parse(&bytes).map_err(|reason| {
        Failure::usage(format!("{}: {reason}", path.display()))
            .with_remedy(
                "a class list is a CSV file in UTF-8 with a header and a column `sid` or `Student \
                 ID`; exports of Canvas, Moodle and Blackboard Learn are read as they are",
            )
            .with_code("class_list")
    })?)
}

fn parse(bytes: &[u8]) -> Result<Vec<StudentId>, String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = ReaderBuilder::new().flexible(true).from_reader(bytes);
    let header = reader.headers().map_err(|error| error.to_string())?;
    let column = column(header).ok_or("no column has the student IDs")?;
    let mut students: Vec<StudentId> = Vec::new();
    for row in reader.records() {
        let row = row.map_err(|error| error.to_string())?;
        let text = row.get(column).unwrap_or_default().trim();
        if text.is_empty() {
            continue;
        }
        let sid = text.parse();
        let sid = sid.map_err(|_| {
            let line = line_of(bytes, row.position().map_or(0, csv::Position::byte));
            format!("line {line}: `{}` is no student ID", printable(text))
        })?;
        students.push(sid);
    }
    students.sort();
    students.dedup();
    match students.is_empty() {
        true => Err("it has no student".to_owned()),
        false => Ok(students),
    }
}

fn column(header: &StringRecord) -> Option<usize> {
    let tidy = |name: &str| name.trim().to_lowercase().replace('_', " ");
    let names: Vec<_> = header.iter().map(tidy).collect();
    COLUMNS
        .iter()
        .find_map(|wanted| names.iter().position(|name| name == wanted))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn sids(text: &str) -> Result<Vec<String>, String> {
        let students = parse(text.as_bytes())?;
        Ok(students.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn reads_what_platforms_export() {
        for text in [
            "sid,name\n1155000002,陳\n1155000001,Chan\n",
            "\u{feff}Student,ID,SIS User ID,SIS Login ID,Section\n\
             \"Chan, Tai Man\",1,1155000001,ctm,A\n\
             Lee,2,1155000002,l,A\n    Points Possible,,,,\n",
            "First name,ID number,Email address\nA,1155000001,a@x\nB,1155000002,b@x\n",
            "Last Name,Username\r\nA,1155000001\r\nB, 1155000002 \r\nB,1155000002\r\n",
        ] {
            assert_eq!(sids(text).unwrap(), ["1155000001", "1155000002"], "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_class_list_and_says_where() {
        for (text, reason) in [
            ("", "no column"),
            ("name\nChan\n", "no column"),
            ("sid\n\n", "no student"),
            ("sid\n1155000001\n../etc\n", "line 3: `../etc`"),
            ("sid\n=1+1\n", "line 2"),
            ("sid\r\n1155000001\r\n\r\n=1+1\r\n", "line 4"),
        ] {
            let error = sids(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
        assert!(parse(b"sid\n\xff\xfe\n").is_err());
    }
}
