//! Cells of tables that people open with a spreadsheet.

use std::borrow::Cow;

/// What spreadsheets compute when a cell begins with it. Some take the full-width signs of
/// Chinese and Japanese keyboards for the usual ones.
const FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// Whether a spreadsheet would compute this text instead of showing it.
pub fn is_formula(text: &str) -> bool {
    text.starts_with(FORMULA)
}

/// The text as a cell that no spreadsheet computes: a formula gets an apostrophe in front.
pub fn inert(text: &str) -> Cow<'_, str> {
    match is_formula(text) {
        true => Cow::Owned(format!("'{text}")),
        false => Cow::Borrowed(text),
    }
}

/// The line, from 1, of the record that a CSV reader began at this byte.
///
/// A reader leaves empty lines, and half of `\r\n`, to the record after them: its own number
/// of the line is then too low.
pub fn line_of(table: &[u8], start: u64) -> u64 {
    let start = usize::try_from(start).unwrap_or(table.len());
    let (before, record) = table.split_at(start.min(table.len()));
    let left = record.iter().take_while(|byte| is_line_end(byte));
    let ends = before.iter().chain(left).filter(|byte| **byte == b'\n');
    1 + ends.count() as u64
}

fn is_line_end(byte: &u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_the_line_that_an_editor_shows() {
        for (table, start, line) in [
            ("a\nb\n", 0, 1),
            ("a\nb\n", 2, 2),
            ("a\r\nb", 2, 2),
            ("a\r\n\r\n\r\nb", 2, 4),
            ("a\n\nb", 2, 3),
            ("a", 9, 1),
        ] {
            assert_eq!(
                line_of(table.as_bytes(), start),
                line,
                "{table:?} from {start}"
            );
        }
    }

    #[test]
    fn a_formula_is_shown_and_not_computed() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1", "＠a"] {
            assert_eq!(inert(formula), format!("'{formula}"));
        }
    }

    #[test]
    fn what_is_no_formula_stays_as_it_is() {
        for text in ["", "1155000001", "陳大文", "a=b", "1-2", " =1", "'=1"] {
            assert_eq!(inert(text), text);
        }
    }
}
