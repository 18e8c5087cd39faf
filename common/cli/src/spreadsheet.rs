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

#[cfg(test)]
mod tests {
    use super::*;

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
