//! The registry's roster as a CSV file: one of its own, or an export of Canvas, Moodle or
//! Blackboard, recognised by the header.
//!
//! Rows are read one after another; of a row that was read only its student ID is kept, so that
//! a second one is noticed.

mod fault;
mod fields;
mod header;
mod layouts;
mod window;

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Read;
use std::path::Path;

use csv::{ByteRecord, ReaderBuilder, StringRecord};
use scb_certs::StudentId;
use scb_cli::{Quotes, Text, counted, open_text};

use crate::Error;
use crate::store::Student;

pub use fault::RosterFault;
use header::Columns;
use window::Window;

/// Most rows.
const MAX_ROWS: usize = 1_000_000;

/// A student as a file lists them. What the file has no column for is not said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The student ID.
    pub sid: StudentId,
    /// The name.
    pub name: String,
    /// The e-mail address; may be empty.
    pub email: Option<String>,
    /// The programme of study; may be empty.
    pub programme: Option<String>,
}

impl Listed {
    /// The student as the records will have them: what the file does not say stays as it was.
    pub fn over(&self, known: Option<&Student>) -> Student {
        let or_known = |said: &Option<String>, known: Option<&String>| {
            said.clone().or(known.cloned()).unwrap_or_default()
        };
        Student {
            sid: self.sid.clone(),
            name: self.name.clone(),
            email: or_known(&self.email, known.map(|known| &known.email)),
            programme: or_known(&self.programme, known.map(|known| &known.programme)),
            active: known.is_none_or(|known| known.active),
        }
    }
}

/// What a row says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// This is a student.
    Listed(Listed),
    /// This is no longer one; with the column and its value, such as `status: deleted`.
    Gone(StudentId, String),
    /// This is about no student: exports list teachers, and end with a line about themselves.
    Nobody(Nobody),
    /// Nothing that can be used; with the reason.
    Refused(String),
}

/// A row without a student ID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nobody {
    /// How that is known.
    pub reason: String,
    /// What else in it a student could be known by, in lower case: the name, addresses, other IDs.
    pub known_by: Vec<String>,
}

/// One row of a roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RosterRow {
    /// Line in the file, counted from 1.
    pub line: u64,
    /// What stands in the column of the student ID, as it is.
    pub sid: String,
    /// What the row says.
    pub entry: Entry,
}

/// Reads a roster row by row: CSV with a header, its fields separated by commas, tabs,
/// semicolons or vertical bars; UTF-8, or UTF-16 with a byte order mark.
pub struct RosterReader {
    reader: csv::Reader<Window<Text>>,
    columns: Columns,
    record: ByteRecord,
    rows: usize,
    /// The lines of the rows that count.
    lines: HashMap<StudentId, u64>,
    /// Of IDs with letters: how each was written first, by its lower case.
    spelt: HashMap<String, StudentId>,
    /// Students in rows that do not.
    refused: HashSet<StudentId>,
    /// Whether a feed may end without the line about itself, or with one about other rows.
    any_footer: bool,
    /// Whether the last row was that line.
    at_footer: bool,
}

/// Columns that somebody has named, by their headers.
#[derive(Debug, Clone, Copy, Default)]
pub struct NamedColumns<'a> {
    /// That of the student ID.
    pub sid: Option<&'a str>,
    /// That of the student's name, or those of given and family name, in whichever order if one is called so.
    pub name: &'a [&'a str],
}

impl RosterReader {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    ///
    /// [`Error::RosterInvalid`] if this is no roster; [`Error::Local`] if it cannot be read.
    pub fn open(path: &Path, named: NamedColumns<'_>) -> Result<Self, Error> {
        let file = File::open(path).map_err(|source| scb_cli::Error::File {
            action: "read",
            path: path.to_owned(),
            source,
        })?;
        Self::new(file, named).map_err(|reason| Error::roster(path, reason))
    }

    /// Reads the header of a roster from anywhere.
    ///
    /// # Errors
    ///
    /// What makes it none.
    pub fn new(
        source: impl Read + Send + 'static,
        named: NamedColumns<'_>,
    ) -> Result<Self, RosterFault> {
        let (text, form) = open_text(source)?;
        let delimiter = form.delimiter;
        let mut reader = ReaderBuilder::new()
            .flexible(true)
            .delimiter(delimiter)
            .from_reader(Window::new(text, delimiter));
        let header = reader.byte_headers()?.clone();
        if header.iter().all(<[u8]>::is_empty) {
            return Err(RosterFault::Empty);
        }
        refuse_open_quote(&mut reader)?;
        let header = StringRecord::from_byte_record(header).map_err(|error| {
            let column = error.utf8_error().field() + 1;
            RosterFault::encoding(1, format!("number {column}"))
        })?;
        Ok(Self {
            columns: Columns::find(&header, named)?,
            reader,
            record: ByteRecord::new(),
            rows: 0,
            lines: HashMap::new(),
            spelt: HashMap::new(),
            refused: HashSet::new(),
            any_footer: false,
            at_footer: false,
        })
    }

    /// Takes a feed of Blackboard Learn also if its last line is missing, or counts other rows.
    #[must_use]
    pub fn with_any_footer(self, any_footer: bool) -> Self {
        Self { any_footer, ..self }
    }

    /// How the header was understood, in words.
    pub fn layout(&self) -> String {
        self.columns.to_string()
    }

    /// How many rows were read.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Whether any row so far was about this student, be it one that was refused.
    pub(crate) fn mentions(&self, sid: &StudentId) -> bool {
        self.lines.contains_key(sid) || self.refused.contains(sid)
    }

    /// Whether any row so far was about a student.
    pub(crate) fn lists_anybody(&self) -> bool {
        !self.lines.is_empty()
    }

    /// The next row in which there is anything.
    ///
    /// # Errors
    ///
    /// What makes the file as a whole useless: another encoding, a quotation mark that is never
    /// closed, over a million rows or 256 MiB. A bad row is no error: its entry says so.
    pub(crate) fn next_row(&mut self) -> Result<Option<RosterRow>, RosterFault> {
        let stray = loop {
            if !self.reader.read_byte_record(&mut self.record)? {
                return self.require_footer().map(|()| None);
            }
            let stray = refuse_open_quote(&mut self.reader)?;
            // Spreadsheets write rows of which only the separators are left.
            let is_blank = self
                .record
                .iter()
                .all(|field| field.trim_ascii().is_empty());
            if !is_blank || stray.is_some() {
                break stray;
            }
        };
        let start = self.record.position().map_or(0, csv::Position::byte);
        let line = self.reader.get_mut().line_of(start);
        self.rows += 1;
        if self.rows > MAX_ROWS {
            return Err(RosterFault::TooLong);
        }
        let record = self.decode(line)?;
        self.check_footer(line, &record)?;
        let row = RosterRow {
            line,
            sid: self.columns.sid(&record).to_owned(),
            entry: match stray {
                None => self.columns.read(&record),
                Some(line) => Entry::Refused(format!(
                    "a quotation mark on line {line} is left open, or there is one too many"
                )),
            },
        };
        Ok(Some(self.refuse_repeated(row)))
    }

    /// At its end: a feed that was cut off has no line about itself.
    fn require_footer(&self) -> Result<(), RosterFault> {
        let must = self.columns.has_footer() && !self.any_footer;
        match must && !self.at_footer {
            true => Err(RosterFault::NoFooter { rows: self.rows }),
            false => Ok(()),
        }
    }

    fn check_footer(&mut self, line: u64, record: &StringRecord) -> Result<(), RosterFault> {
        self.at_footer = self.columns.is_footer(record);
        let rows = self.rows - 1;
        match Columns::footer_count(record) {
            _ if !self.at_footer || self.any_footer => Ok(()),
            Some(told) if told == rows => Ok(()),
            told => Err(RosterFault::OtherFooter {
                line,
                told: told.map_or_else(|| "no number".to_owned(), |told| format!("{told} rows")),
                rows,
            }),
        }
    }

    fn decode(&self, line: u64) -> Result<StringRecord, RosterFault> {
        let decoded = StringRecord::from_byte_record(self.record.clone());
        let mut record = decoded.map_err(|error| {
            let column = self.columns.name_of(error.utf8_error().field());
            RosterFault::encoding(line, column)
        })?;
        record.trim();
        Ok(record)
    }

    fn refuse_repeated(&mut self, mut row: RosterRow) -> RosterRow {
        let sid = match &row.entry {
            Entry::Listed(listed) => listed.sid.clone(),
            Entry::Gone(sid, _) => sid.clone(),
            Entry::Nobody(_) => return row,
            Entry::Refused(_) => {
                self.refused.extend(row.sid.parse().ok());
                return row;
            }
        };
        let line = row.line;
        if let Some(other) = self.otherwise_spelt(&sid) {
            row.entry = Entry::Refused(format!(
                "{other} is listed, too, which differs in upper and lower case only: correct the one \
                 that is wrong"
            ));
            self.refused.insert(sid);
            return row;
        }
        let first = *self.lines.entry(sid).or_insert(line);
        if first != line {
            row.entry = Entry::Refused(format!(
                "listed on line {first} and again on line {line}: line {first} counts"
            ));
        }
        row
    }

    /// How an earlier row has this ID, if that differs in upper and lower case. To CUHK these are two
    /// students, and nobody means that.
    fn otherwise_spelt(&mut self, sid: &StudentId) -> Option<&StudentId> {
        let text = sid.as_str();
        if !text.bytes().any(|byte| byte.is_ascii_alphabetic()) {
            return None;
        }
        let first = self.spelt.entry(text.to_ascii_lowercase());
        let first = &*first.or_insert_with(|| sid.clone());
        (first != sid).then_some(first)
    }
}

/// Refuses a record, the one that was read last, whose quotation mark is never closed: it took in all
/// the rows after it. Answers the line of one that closes amid a field.
fn refuse_open_quote(reader: &mut csv::Reader<Window<Text>>) -> Result<Option<u64>, RosterFault> {
    let end = reader.position().byte();
    match reader.get_ref().quotes(end) {
        Quotes::Fine => Ok(None),
        Quotes::Stray(line) => Ok(Some(line)),
        Quotes::Open(line) => Err(RosterFault::OpenQuote { line }),
    }
}

impl std::fmt::Debug for RosterReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "RosterReader({}, {})",
            self.columns,
            counted(self.rows, "row")
        )
    }
}

#[cfg(test)]
mod tests;
