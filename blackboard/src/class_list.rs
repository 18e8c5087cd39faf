//! Class lists: CSV files in which one column has the student IDs.

use std::collections::HashMap;

use csv::{ReaderBuilder, StringRecord};
use scb_certs::StudentId;
use scb_cli::{Failure, Input, line_of, printable, read_text};

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

/// How many wrong or repeated lines are named.
const NAMED: usize = 5;

/// The students of a class list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClassList {
    /// Each once, in order.
    pub(crate) students: Vec<StudentId>,
    /// What stands there more than once, with both lines: `1155000001 (lines 2 and 5)`.
    pub(crate) repeated: Vec<String>,
    /// How many IDs stood there as numbers of a spreadsheet, `1155000001.0`: taken without the end.
    pub(crate) as_numbers: u64,
}

/// Whether IDs are taken that look unlike the others in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unlike {
    /// They are taken for mistakes.
    Refused,
    /// The teacher says that they are right.
    Taken,
}

/// Why a file is no class list.
#[derive(Debug)]
enum Wrong {
    /// It cannot be read, or what stands in the column cannot be a student ID.
    File(String),
    /// These look like no ID beside the others.
    Unlike(String),
}

/// The students of a class list.
///
/// # Errors
///
/// Cannot be read, has no column of IDs, or rows with something else in it: with their lines.
pub(crate) fn read(file: &Input, unlike: Unlike) -> anyhow::Result<ClassList> {
    let bytes = file.read_limited(MAX_BYTES)?;
    let failure = |reason| Failure::usage(format!("{}: {reason}", file.name().display()));
    Ok(parse(&bytes, unlike).map_err(|wrong| match wrong {
        Wrong::File(reason) => failure(reason)
            .with_remedy(
                "a class list is a CSV file, in UTF-8 or in UTF-16 with a byte order mark, with a header and a column `sid` or `Student \
                 ID`; exports of Canvas, Moodle and Blackboard Learn are read as they are",
            )
            .with_code("class_list"),
        Wrong::Unlike(reason) => failure(reason)
            .with_remedy(
                "nothing was changed; correct these lines, or, if they are right, give \
                 --mixed-ids as well",
            )
            .with_code("class_list"),
    })?)
}

/// An ID, and at which byte its record begins.
type Row = (StudentId, u64);

fn parse(bytes: &[u8], unlike: Unlike) -> Result<ClassList, Wrong> {
    let (text, form) = read_text(bytes).map_err(|fault| Wrong::File(fault.to_string()))?;
    let bytes = text.as_bytes();
    let (rows, as_numbers) = rows(bytes, form.delimiter).map_err(Wrong::File)?;
    let odd = odd_ones(&rows);
    if unlike == Unlike::Refused && !odd.is_empty() {
        let odd = odd.iter().map(|(sid, at)| (sid.as_str(), *at)).collect();
        let named = named(bytes, odd);
        return Err(Wrong::Unlike(format!(
            "{named}: not like the other student IDs"
        )));
    }
    let repeated = repeated(bytes, &rows);
    let mut students: Vec<_> = rows.into_iter().map(|(sid, _)| sid).collect();
    students.sort();
    students.dedup();
    Ok(ClassList {
        students,
        repeated,
        as_numbers,
    })
}

/// The rows, and how many of them have a spreadsheet's number in the place of the ID.
fn rows(bytes: &[u8], delimiter: u8) -> Result<(Vec<Row>, u64), String> {
    let mut reader = ReaderBuilder::new()
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(bytes);
    let header = reader.headers().map_err(|error| error.to_string())?;
    let column = column(header).ok_or("no column has the student IDs")?;
    let (mut rows, mut wrong, mut as_numbers) = (Vec::new(), Vec::new(), 0);
    for row in reader.records() {
        let row = row.map_err(|error| error.to_string())?;
        let text = row.get(column).unwrap_or_default().trim();
        let at = row.position().map_or(0, csv::Position::byte);
        let id = without_fraction(text);
        as_numbers += u64::from(id != text);
        match id.parse() {
            _ if text.is_empty() => {}
            Ok(sid) => rows.push((sid, at)),
            Err(_) => wrong.push((text.to_owned(), at)),
        }
    }
    let wrong: Vec<_> = wrong
        .iter()
        .map(|(text, at)| (text.as_str(), *at))
        .collect();
    match (wrong.is_empty(), rows.is_empty()) {
        (false, _) => Err(format!("{}: no student ID", named(bytes, wrong))),
        (true, true) => Err("it has no student".to_owned()),
        (true, false) => Ok((rows, as_numbers)),
    }
}

/// A column of whole numbers with a gap in it is written with `.0` by pandas and some spreadsheets.
fn without_fraction(text: &str) -> &str {
    let is_whole = |digits: &&str| digits.len() > 1 && digits.bytes().all(|b| b.is_ascii_digit());
    text.strip_suffix(".0").filter(is_whole).unwrap_or(text)
}

/// `line 3: `abc`, line 7: `x`, and 2 more`.
fn named(bytes: &[u8], wrong: Vec<(&str, u64)>) -> String {
    let name = |(text, at): &(&str, u64)| {
        let line = line_of(bytes, *at);
        format!("line {line}: `{}`", printable(text))
    };
    let mut named: Vec<_> = wrong.iter().take(NAMED).map(name).collect();
    if let Some(more @ 1..) = wrong.len().checked_sub(NAMED) {
        named.push(format!("and {more} more"));
    }
    named.join(", ")
}

/// What an ID looks like: all digits, and how many; or letters and digits; or no digit at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Shape {
    Digits(usize),
    Mixed,
    NoDigit,
}

fn shape(sid: &StudentId) -> Shape {
    let is_digit = |c: char| c.is_ascii_digit();
    match sid.as_str() {
        text if text.chars().all(is_digit) => Shape::Digits(text.len()),
        text if text.chars().any(is_digit) => Shape::Mixed,
        _ => Shape::NoDigit,
    }
}

/// The IDs that look unlike most: a header that was taken for a row, a name, a digit too few.
fn odd_ones(rows: &[Row]) -> Vec<&Row> {
    let mut counts: HashMap<Shape, usize> = HashMap::new();
    for (sid, _) in rows {
        *counts.entry(shape(sid)).or_default() += 1;
    }
    let most = counts.iter().find(|(_, count)| **count * 2 > rows.len());
    let usual = most.map(|(shape, _)| *shape);
    let is_odd = |(sid, _): &&Row| match (usual, shape(sid)) {
        (Some(usual), shape) => shape != usual,
        (None, shape) => shape == Shape::NoDigit,
    };
    rows.iter().filter(is_odd).collect()
}

fn repeated(bytes: &[u8], rows: &[Row]) -> Vec<String> {
    let mut first: HashMap<&StudentId, u64> = HashMap::new();
    let mut repeated = Vec::new();
    for (sid, at) in rows {
        if let Some(before) = first.insert(sid, *at) {
            repeated.push((sid, before, *at));
        }
    }
    let name = |(sid, before, at): &(&StudentId, u64, u64)| {
        let lines = (line_of(bytes, *before), line_of(bytes, *at));
        format!("{sid} (lines {} and {})", lines.0, lines.1)
    };
    let mut named: Vec<_> = repeated.iter().take(NAMED).map(name).collect();
    if let Some(more @ 1..) = repeated.len().checked_sub(NAMED) {
        named.push(format!("and {more} more"));
    }
    named
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

    fn list(text: &str) -> Result<ClassList, String> {
        parse(text.as_bytes(), Unlike::Refused).map_err(|wrong| match wrong {
            Wrong::File(reason) | Wrong::Unlike(reason) => reason,
        })
    }

    fn sids(list: &ClassList) -> Vec<&str> {
        list.students.iter().map(StudentId::as_str).collect()
    }

    #[test]
    fn reads_what_platforms_export() {
        for text in [
            "sid,name\n1155000002,陳\n1155000001,Chan\n",
            "\u{feff}Student,ID,SIS User ID,SIS Login ID,Section\n\
             \"Chan, Tai Man\",1,1155000001,ctm,A\n\
             Lee,2,1155000002,l,A\n    Points Possible,,,,\n",
            "First name,ID number,Email address\nA,1155000001,a@x\nB,1155000002,b@x\n",
            "Last Name,Username\r\nA,1155000001\r\nB, 1155000002 \r\n",
            "sid;name\n1155000002;陳\n1155000001;Chan, T\n",
            "Username\tName\n1155000001\tA\n1155000002\tB\n",
        ] {
            let list = list(text).unwrap();
            assert_eq!(sids(&list), ["1155000001", "1155000002"], "{text}");
            assert_eq!(list.repeated, Vec::<String>::new());
        }
    }

    #[test]
    fn an_id_that_became_a_number_is_taken_without_its_fraction_and_that_is_said() {
        let list = list("sid\n1155000001.0\n1155000002\n\n1155000001\n").unwrap();
        assert_eq!(sids(&list), ["1155000001", "1155000002"]);
        assert_eq!(list.as_numbers, 1);
        assert_eq!(list.repeated, ["1155000001 (lines 2 and 5)"]);
        for other in [
            "sid\n1155000001.5\n1155000002\n",
            "sid\nx.0\n12\n13\n",
            "sid\n.0\n12\n13\n",
        ] {
            let found = parse(other.as_bytes(), Unlike::Taken);
            assert!(found.is_err() || found.unwrap().as_numbers == 0, "{other}");
        }
    }

    #[test]
    fn says_who_stands_there_twice_and_takes_him_once() {
        let list = list("sid\n1155000001\n1155000002\n\n1155000001\n").unwrap();
        assert_eq!(sids(&list), ["1155000001", "1155000002"]);
        assert_eq!(list.repeated, ["1155000001 (lines 2 and 5)"]);
        let many: String = (0..20).map(|n| format!("115500000{}\n", n % 10)).collect();
        let list = self::list(&format!("sid\n{many}")).unwrap();
        assert_eq!((list.students.len(), list.repeated.len()), (10, NAMED + 1));
        assert_eq!(list.repeated[NAMED], "and 5 more");
    }

    #[test]
    fn an_id_unlike_the_others_is_refused_with_its_line_unless_it_is_right() {
        for (text, told) in [
            ("sid\n1155000001\n1155000002\nabc\n", "line 4: `abc`"),
            ("sid\n1155000001\nabc\n", "line 3: `abc`"),
            (
                "sid\n1155000001\n1155000002\n115500003\n",
                "line 4: `115500003`",
            ),
            ("sid\nx1\ny22\n12\nz\nz333\n", "line 4: `12`, line 5: `z`"),
        ] {
            let refused = list(text).unwrap_err();
            assert!(refused.starts_with(told), "{text}: {refused}");
            let taken = parse(text.as_bytes(), Unlike::Taken).unwrap();
            assert!(taken.students.len() > 1);
        }
        for right in ["sid\nabc\nchan\n", "sid\n12\n123\n", "sid\n1\nx2\n"] {
            list(right).unwrap();
        }
    }

    #[test]
    fn refuses_what_is_no_class_list_and_says_where() {
        for (text, reason) in [
            ("", "no column"),
            ("name\nChan\n", "no column"),
            ("sid\n\n", "no student"),
            ("sid\n1155000001\n../etc\n", "line 3: `../etc`"),
            (
                "sid\n=1+1\n1155000001\n../etc\n",
                "line 2: `=1+1`, line 4: `../etc`",
            ),
            ("sid\r\n1155000001\r\n\r\n=1+1\r\n", "line 4"),
        ] {
            let error = list(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
        assert!(parse(b"sid\n\xff\xfe\n", Unlike::Refused).is_err());
    }
}
