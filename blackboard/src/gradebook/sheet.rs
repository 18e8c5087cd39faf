//! A CSV file that goes back to where it came from: rows in which nothing is changed keep their
//! bytes, and the whole its encoding, its byte order mark, its separator and the ends of its lines.

use std::collections::BTreeSet;
use std::ops::Range;

use csv::{ReaderBuilder, StringRecord, WriterBuilder};
use scb_cli::{Failure, Input, Quotes, TextForm, judge_quotes, read_text};
use scb_protocol::grade::Points;

use super::refused;

/// Largest file in bytes.
pub(super) const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// The file, row by row; the first row is the header.
#[derive(Debug, Clone)]
pub(super) struct Sheet {
    form: TextForm,
    pub(super) header: Vec<String>,
    pub(super) rows: Vec<Row>,
    /// The header's bytes.
    head: Vec<u8>,
}

/// A row after the header.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// Its line in the file, from 1.
    pub(super) line: u64,
    pub(super) cells: Vec<String>,
    bytes: Vec<u8>,
    /// Which cells are not what they were.
    changed: BTreeSet<usize>,
}

impl Row {
    /// The cell without blanks around it; empty if there is none.
    pub(super) fn cell(&self, column: Option<usize>) -> &str {
        let cell = column.and_then(|column| self.cells.get(column));
        cell.map_or("", |cell| cell.trim())
    }

    /// Puts another value in a cell.
    pub(super) fn set(&mut self, column: usize, value: &str) {
        if self.cells[column] != value {
            value.clone_into(&mut self.cells[column]);
            self.changed.insert(column);
        }
    }
}

impl Sheet {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// No text, no header, or a row with more or fewer cells than the header has.
    pub(super) fn read(file: &Input) -> anyhow::Result<Self> {
        let bytes = file.read_limited(MAX_BYTES)?;
        let in_file = |failure: Failure| Failure {
            message: format!("{}: {}", file.name().display(), failure.message),
            ..failure
        };
        Ok(Self::parse(&bytes).map_err(in_file)?)
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Failure> {
        let (text, form) = read_text(bytes).map_err(|fault| {
            let remedy = format!("nothing was changed; {}", fault.remedy());
            refused(&fault.to_string()).with_remedy(remedy)
        })?;
        Self::of(&text, form).map_err(|reason| refused(&reason))
    }

    fn of(text: &str, form: TextForm) -> Result<Self, String> {
        let mut rows = records(text.as_bytes(), form.delimiter)?.into_iter();
        let head = rows.next().ok_or("it is empty")?;
        let rows: Vec<Row> = rows.collect();
        let wide = head.cells.len();
        if let Some(row) = rows.iter().find(|row| row.cells.len() != wide) {
            let (line, cells) = (row.line, row.cells.len());
            return Err(format!(
                "line {line} has {cells} cells, the header has {wide}"
            ));
        }
        Ok(Self {
            form,
            header: head.cells,
            head: head.bytes,
            rows,
        })
    }

    /// A sheet that is written anew.
    pub(super) fn new(header: &[&str], rows: Vec<Vec<String>>) -> Self {
        let form = TextForm::default();
        let header: Vec<String> = header.iter().map(|&cell| cell.to_owned()).collect();
        let row = |cells: Vec<String>| Row {
            line: 0,
            bytes: written(&cells, form.delimiter, b"\r\n"),
            cells,
            changed: BTreeSet::new(),
        };
        Self {
            head: written(&header, form.delimiter, b"\r\n"),
            header,
            rows: rows.into_iter().map(row).collect(),
            form,
        }
    }

    /// The columns of this name, blanks around it and capitals aside.
    pub(super) fn columns(&self, name: &str) -> Vec<usize> {
        let name = tidy(name);
        let all = self.header.iter().enumerate();
        let found = all.filter(|(_, cell)| tidy(cell) == name);
        found.map(|(column, _)| column).collect()
    }

    /// The number in a cell. Where semicolons separate cells, a comma may stand before decimals.
    pub(super) fn points(&self, cell: &str) -> Option<Points> {
        match self.form.delimiter {
            b';' if !cell.contains('.') => cell.replace(',', ".").parse().ok(),
            _ => cell.parse().ok(),
        }
    }

    /// How numbers are written in these columns.
    pub(super) fn decimals(&self, columns: &[Option<usize>]) -> Decimals {
        let cells = |row: &Row| -> Vec<String> {
            let cells = columns.iter().map(|column| row.cell(*column).to_owned());
            cells.collect()
        };
        let is_point = |cell: &String| cell.contains('.') && self.points(cell).is_some();
        let has_point = self.rows.iter().any(|row| cells(row).iter().any(is_point));
        match self.form.delimiter == b';' && !has_point {
            true => Decimals::Comma,
            false => Decimals::Point,
        }
    }

    /// The bytes of the file.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.head.clone();
        for row in &self.rows {
            match row.changed.is_empty() {
                true => bytes.extend_from_slice(&row.bytes),
                false => bytes.extend(row.rewritten(self.form.delimiter)),
            }
        }
        // It was text, and of text only whole lines and cells were changed.
        self.form.encode(&String::from_utf8_lossy(&bytes))
    }
}

/// What stands before decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decimals {
    Point,
    Comma,
}

impl Decimals {
    pub(super) fn write(self, points: Points) -> String {
        match self {
            Self::Point => points.to_string(),
            Self::Comma => points.to_string().replace('.', ","),
        }
    }
}

impl Row {
    /// Between the ends of lines that it had.
    fn rewritten(&self, delimiter: u8) -> Vec<u8> {
        let before = self.bytes.iter().take_while(|byte| is_end(byte)).count();
        let after = self
            .bytes
            .iter()
            .rev()
            .take_while(|byte| is_end(byte))
            .count();
        let (start, end) = (before, self.bytes.len() - after);
        let mut bytes = self.bytes[..start].to_vec();
        let spans = spans(&self.bytes[start..end], delimiter);
        if spans.len() == self.cells.len() {
            bytes.extend(self.with_spans(&self.bytes[start..end], &spans, delimiter));
        } else {
            bytes.extend(written(&self.cells, delimiter, b""));
        }
        bytes.extend_from_slice(&self.bytes[end..]);
        bytes
    }

    /// A cell that is not changed as it stands there, with its quotes.
    fn with_spans(&self, line: &[u8], spans: &[Range<usize>], delimiter: u8) -> Vec<u8> {
        let cells = spans.iter().enumerate().map(|(column, span)| {
            match (self.changed.contains(&column), self.cells[column].as_str()) {
                (false, _) => line[span.clone()].to_vec(),
                (true, "") => Vec::new(),
                (true, cell) => written(&[cell.to_owned()], delimiter, b""),
            }
        });
        cells.collect::<Vec<_>>().join(&delimiter)
    }
}

/// `Points Possible` and `points_possible` are the same.
pub(super) fn tidy(name: &str) -> String {
    name.trim().to_lowercase().replace('_', " ")
}

/// Every record with the bytes from the end of the one before it to its own.
fn records(bytes: &[u8], delimiter: u8) -> Result<Vec<Row>, String> {
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .delimiter(delimiter)
        .flexible(true)
        .from_reader(bytes);
    let (mut rows, mut record) = (Vec::new(), StringRecord::new());
    let (mut start, mut line) = (0, 1);
    while reader
        .read_record(&mut record)
        .map_err(|error| error.to_string())?
    {
        let end = usize::try_from(reader.position().byte()).unwrap_or(bytes.len());
        // The reader leaves half of `\r\n`, and empty lines, to the next record.
        let own = &bytes[start..end];
        let before = own.iter().take_while(|byte| is_end(byte)).count();
        if let Quotes::Open(opens) = judge_quotes(own.iter().copied(), delimiter) {
            let line = line + opens;
            return Err(format!(
                "line {line}: a quotation mark is opened and never closed"
            ));
        }
        rows.push(Row {
            line: line + line_ends(&own[..before]),
            cells: record.iter().map(str::to_owned).collect(),
            bytes: own.to_vec(),
            changed: BTreeSet::new(),
        });
        (start, line) = (end, line + line_ends(own));
    }
    if let Some(last) = rows.last_mut() {
        last.bytes.extend_from_slice(&bytes[start..]);
    }
    Ok(rows)
}

/// How many lines end in these bytes.
fn line_ends(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

fn is_end(byte: &u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

/// Where the cells of a record stand, with their quotes.
fn spans(line: &[u8], delimiter: u8) -> Vec<Range<usize>> {
    let (mut spans, mut start, mut quoted) = (Vec::new(), 0, false);
    let mut bytes = line.iter().enumerate().peekable();
    while let Some((place, byte)) = bytes.next() {
        match byte {
            b'"' if quoted && bytes.next_if(|(_, next)| **next == b'"').is_some() => {}
            b'"' if quoted => quoted = false,
            b'"' if place == start => quoted = true,
            byte if *byte == delimiter && !quoted => {
                spans.push(start..place);
                start = place + 1;
            }
            _ => {}
        }
    }
    spans.push(start..line.len());
    spans
}

fn written(cells: &[String], delimiter: u8, end: &[u8]) -> Vec<u8> {
    let mut writer = WriterBuilder::new()
        .delimiter(delimiter)
        .from_writer(Vec::new());
    // Writing to memory does not fail.
    let _ = writer.write_record(cells);
    let mut bytes = writer.into_inner().unwrap_or_default();
    bytes.truncate(bytes.len().saturating_sub(1));
    bytes.extend_from_slice(end);
    bytes
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const SHEETS: [&str; 7] = [
        "\u{feff}Student,ID,SIS User ID\r\n\"Chan, Tai Man\",1,1155000001\r\n\"Lee\",2,=1+1\r\n",
        "a,b\n1,2\n\n3,4\n",
        "a,b\r\n\"x\r\ny\",\"2\"\r\n3,4",
        "a;b,\"c\"\n\"\"\"q\"\"\",z\n",
        "\u{feff}sid;grade\r\n\"1\";8,5\r\n",
        "sep=;\r\nsid;grade\r\n1;8,5\r\n",
        "sid\tgrade\n1\t\"8\"\n",
    ];

    fn utf16(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn what_is_not_changed_keeps_its_bytes() {
        for text in SHEETS {
            let sheet = Sheet::parse(text.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(sheet.to_bytes()).unwrap(), text);
        }
        let wide = utf16(SHEETS[4]);
        assert_eq!(Sheet::parse(&wide).unwrap().to_bytes(), wide);
    }

    #[test]
    fn a_changed_cell_changes_its_row_and_no_other_cell() {
        let mut sheet = Sheet::parse(SHEETS[0].as_bytes()).unwrap();
        sheet.rows[0].set(1, "9");
        let text = String::from_utf8(sheet.to_bytes()).unwrap();
        assert_eq!(text, SHEETS[0].replace(",1,", ",9,"));
        let mut sheet = Sheet::parse(SHEETS[2].as_bytes()).unwrap();
        sheet.rows[0].set(1, "9");
        sheet.rows[1].set(0, "=3");
        let text = String::from_utf8(sheet.to_bytes()).unwrap();
        assert_eq!(text, "a,b\r\n\"x\r\ny\",9\r\n=3,4");
        let unmarked = Sheet::parse(&utf16(SHEETS[5])).unwrap_err().message;
        assert!(unmarked.contains("byte order mark"), "{unmarked}");
        let marked = format!("\u{feff}{}", SHEETS[5]);
        let mut sheet = Sheet::parse(&utf16(&marked)).unwrap();
        sheet.rows[0].set(1, "9,25");
        let changed = SHEETS[5].replace("8,5", "9,25");
        assert_eq!(sheet.to_bytes(), utf16(&format!("\u{feff}{changed}")));
    }

    #[test]
    fn a_cell_beside_a_changed_one_keeps_its_quotes() {
        let text =
            "a,b,c,d\r\n\"=1+1\",\"say \"\"hi\"\", twice\",8,x\"y\"\r\n\"\",,\"\",\"l\nm\"\r\n";
        let mut sheet = Sheet::parse(text.as_bytes()).unwrap();
        sheet.rows[0].set(2, "9");
        sheet.rows[1].set(1, "a,b");
        sheet.rows[1].set(2, "9");
        let changed = text.replace(",8,", ",9,");
        let changed = changed.replace("\"\",,\"\",", "\"\",\"a,b\",9,");
        assert_eq!(String::from_utf8(sheet.to_bytes()).unwrap(), changed);
        let mut emptied = Sheet::parse(b"a;b\n\"1\";2\n").unwrap();
        emptied.rows[0].set(1, "");
        assert_eq!(emptied.to_bytes(), b"a;b\n\"1\";\n");
    }

    #[test]
    fn a_comma_before_decimals_is_read_and_written_where_semicolons_separate() {
        let decimals = |text: &str| {
            let sheet = Sheet::parse(text.as_bytes()).unwrap();
            (sheet.points("8,5").is_some(), sheet.decimals(&[Some(1)]))
        };
        assert_eq!(decimals("sid;grade\n1;\n"), (true, Decimals::Comma));
        assert_eq!(decimals("sid;grade\n1;8.5\n"), (true, Decimals::Point));
        assert_eq!(decimals("sid,grade\n1,\"8,5\"\n"), (false, Decimals::Point));
        assert_eq!(decimals("sid\tgrade\n1\t8\n"), (false, Decimals::Point));
        let sheet = Sheet::parse(b"sid;grade\n").unwrap();
        for wrong in ["1.000,5", "1,000,5", ",5", "8,"] {
            assert_eq!(sheet.points(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_no_table_is_refused_with_its_line() {
        for (text, reason) in [
            ("", "empty"),
            ("a,b\n1,2\n3\n", "line 3 has 1 cells"),
            ("a,b\r\n1,2\r\n\r\n3\r\n", "line 4 has 1 cells"),
            ("a,b\n1,2\n\"3,4\n5,6\n", "line 3: a quotation mark"),
            ("sep=;\na;b\n1;2\n3\n", "line 4 has 1 cells"),
        ] {
            let error = Sheet::parse(text.as_bytes()).unwrap_err().message;
            assert!(error.contains(reason), "{text}: {error}");
        }
        let big5 = Sheet::parse(b"a,b\n\xb3\xaf,1\n").unwrap_err().message;
        assert!(big5.starts_with("line 2: the text is not UTF-8"), "{big5}");
    }
}
