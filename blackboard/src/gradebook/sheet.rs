//! A CSV file that goes back to where it came from: rows in which nothing is changed keep their
//! bytes, and so do the byte order mark and the ends of lines.

use std::path::Path;

use csv::{ReaderBuilder, StringRecord, WriterBuilder};
use scb_cli::read_limited;

use super::refused;

/// Largest file in bytes.
const MAX_BYTES: u64 = 16 * 1024 * 1024;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The file, row by row; the first row is the header.
#[derive(Debug, Clone)]
pub(super) struct Sheet {
    mark: bool,
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
    changed: bool,
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
            self.changed = true;
        }
    }
}

impl Sheet {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// Not UTF-8, no header, or a row with more or fewer cells than the header has.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let bytes = read_limited(path, MAX_BYTES)?;
        let told = |reason: String| refused(&format!("{}: {reason}", path.display()));
        Ok(Self::parse(&bytes).map_err(told)?)
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = bytes.strip_prefix(BYTE_ORDER_MARK);
        let (mark, bytes) = (text.is_some(), text.unwrap_or(bytes));
        let mut rows = records(bytes)?.into_iter();
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
            mark,
            header: head.cells,
            head: head.bytes,
            rows,
        })
    }

    /// A sheet that is written anew.
    pub(super) fn new(header: &[&str], rows: Vec<Vec<String>>) -> Self {
        let header: Vec<String> = header.iter().map(|&cell| cell.to_owned()).collect();
        let row = |cells: Vec<String>| Row {
            line: 0,
            bytes: written(&cells, b"\r\n"),
            cells,
            changed: false,
        };
        Self {
            mark: false,
            head: written(&header, b"\r\n"),
            header,
            rows: rows.into_iter().map(row).collect(),
        }
    }

    /// The columns of this name, blanks around it and capitals aside.
    pub(super) fn columns(&self, name: &str) -> Vec<usize> {
        let name = tidy(name);
        let all = self.header.iter().enumerate();
        let found = all.filter(|(_, cell)| tidy(cell) == name);
        found.map(|(column, _)| column).collect()
    }

    /// The bytes of the file.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if self.mark {
            bytes.extend_from_slice(BYTE_ORDER_MARK);
        }
        bytes.extend_from_slice(&self.head);
        for row in &self.rows {
            match row.changed {
                false => bytes.extend_from_slice(&row.bytes),
                true => bytes.extend(row.rewritten()),
            }
        }
        bytes
    }
}

impl Row {
    /// Between the ends of lines that it had.
    fn rewritten(&self) -> Vec<u8> {
        let before = self.bytes.iter().take_while(|byte| is_end(byte)).count();
        let after = self
            .bytes
            .iter()
            .rev()
            .take_while(|byte| is_end(byte))
            .count();
        let mut bytes = self.bytes[..before].to_vec();
        bytes.extend(written(&self.cells, b""));
        bytes.extend_from_slice(&self.bytes[self.bytes.len() - after..]);
        bytes
    }
}

/// `Points Possible` and `points_possible` are the same.
pub(super) fn tidy(name: &str) -> String {
    name.trim().to_lowercase().replace('_', " ")
}

/// Every record with the bytes from the end of the one before it to its own.
fn records(bytes: &[u8]) -> Result<Vec<Row>, String> {
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
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
        rows.push(Row {
            line: line + line_ends(&own[..before]),
            cells: record.iter().map(str::to_owned).collect(),
            bytes: own.to_vec(),
            changed: false,
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

fn written(cells: &[String], end: &[u8]) -> Vec<u8> {
    let mut writer = WriterBuilder::new().from_writer(Vec::new());
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

    const SHEETS: [&str; 4] = [
        "\u{feff}Student,ID,SIS User ID\r\n\"Chan, Tai Man\",1,1155000001\r\n\"Lee\",2,=1+1\r\n",
        "a,b\n1,2\n\n3,4\n",
        "a,b\r\n\"x\r\ny\",\"2\"\r\n3,4",
        "a;b,\"c\"\n\"\"\"q\"\"\",z\n",
    ];

    #[test]
    fn what_is_not_changed_keeps_its_bytes() {
        for text in SHEETS {
            let sheet = Sheet::parse(text.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(sheet.to_bytes()).unwrap(), text);
        }
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
    }

    #[test]
    fn what_is_no_table_is_refused_with_its_line() {
        for (text, reason) in [
            ("", "empty"),
            ("a,b\n1,2\n3\n", "line 3 has 1 cells"),
            ("a,b\r\n1,2\r\n\r\n3\r\n", "line 4 has 1 cells"),
            ("a,b\n1,2\n\"3,4\n5,6\n", "line 3 has 1 cells"),
        ] {
            let error = Sheet::parse(text.as_bytes()).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
        assert!(Sheet::parse(b"a,b\n\xff\xfe,1\n").is_err());
    }
}
