//! Quotation marks that do not close, or close amid a field. The CSV reader forgives both, and takes
//! the rows in between for one text.

/// What is wrong with the quotation marks of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quotes {
    /// Nothing.
    Fine,
    /// One that opens on this line, counted from where the row begins, is not closed.
    Open(u64),
    /// One that opens on this line is closed and text follows: one of the two is wrong.
    Stray(u64),
}

/// Where in a field a byte stands.
#[derive(Clone, Copy)]
enum Place {
    Start,
    Plain,
    Quoted,
    /// After a quotation mark in a quoted field: its end, or one half of a doubled one.
    Closing,
}

/// Looks at a row as it is in the file, with its fields separated by `delimiter`.
pub fn judge_quotes(row: impl Iterator<Item = u8>, delimiter: u8) -> Quotes {
    let (mut place, mut line, mut opened, mut stray) = (Place::Start, 0, 0, None);
    let mut before = 0;
    for byte in row {
        let ends_field = byte == delimiter || matches!(byte, b'\r' | b'\n');
        place = match place {
            Place::Start if byte == b'"' => {
                opened = line;
                Place::Quoted
            }
            Place::Quoted if byte == b'"' => Place::Closing,
            Place::Quoted => Place::Quoted,
            Place::Closing if byte == b'"' => Place::Quoted,
            _ if ends_field => Place::Start,
            Place::Closing => {
                stray = stray.or(Some(opened));
                Place::Plain
            }
            Place::Start | Place::Plain => Place::Plain,
        };
        line += u64::from(ends_line(before, byte));
        before = byte;
    }
    match (place, stray) {
        (Place::Quoted, _) => Quotes::Open(opened),
        (_, Some(line)) => Quotes::Stray(line),
        (_, None) => Quotes::Fine,
    }
}

/// Whether a line ends at this byte, after the one `before`: at LF, at CR LF once, and at CR alone, as old
/// spreadsheets of a Macintosh write.
pub fn ends_line(before: u8, byte: u8) -> bool {
    byte == b'\r' || byte == b'\n' && before != b'\r'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_that_close_at_the_end_of_their_field_are_fine() {
        for row in [
            "1,A\r\n",
            "1,\"A\"",
            "1,\"A, B\"\n",
            "\"1\",\"the \"\"A\"\"\"\r\n",
            "1,\"two\nlines\",x\n",
            "1,\"\",\n",
            "1,5\" wide,x\n",
        ] {
            assert_eq!(judge_quotes(row.bytes(), b','), Quotes::Fine, "{row}");
        }
    }

    #[test]
    fn a_mark_left_open_is_found_where_it_opens() {
        for (row, line) in [
            ("1,\"A", 0),
            ("1,\"A\n2,B\n", 0),
            ("1,\"A\"\n2,\"B\n", 1),
            ("1,\"A\"\r2,\"B\r", 1),
            ("1,\"A\"\r\n2,\"B\r\n", 1),
            ("1,\"the \"\"A\"\"", 0),
        ] {
            assert_eq!(judge_quotes(row.bytes(), b','), Quotes::Open(line), "{row}");
        }
    }

    #[test]
    fn a_mark_with_text_after_it_is_found() {
        for (row, line) in [("1,\"A\n2,\"B\"\n", 0), ("1,x,\"A\" B\n", 0)] {
            assert_eq!(
                judge_quotes(row.bytes(), b','),
                Quotes::Stray(line),
                "{row}"
            );
        }
        assert_eq!(judge_quotes("1\t\"A\",\n".bytes(), b'\t'), Quotes::Stray(0));
    }
}
