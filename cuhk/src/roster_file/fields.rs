//! What a text on a roster may be.

use scb_certs::StudentId;
use scb_cli::{is_formula, steers};

/// Longest text of a column, in characters.
const MAX_TEXT: usize = 200;

/// The student ID in a cell.
pub(super) fn student_id(text: &str) -> Result<StudentId, String> {
    if has_fraction(text) {
        return Err(
            "a spreadsheet has made a number of the student ID, with a fraction such as \".0\" at its \
             end: save the column as text"
                .to_owned(),
        );
    }
    text.parse().map_err(|error: scb_certs::Error| match () {
        () if is_formula(text) => {
            "the student ID is a spreadsheet's formula: save the column as text".to_owned()
        }
        () if is_rounded(text) => {
            "a spreadsheet has made a number of the student ID and rounded it: save the column as \
             text"
                .to_owned()
        }
        () => error.to_string(),
    })
}

/// `1.155E+09`: what a spreadsheet makes of a long number.
fn is_rounded(text: &str) -> bool {
    let parts = text.to_ascii_uppercase();
    parts.split_once("E+").is_some_and(|(number, exponent)| {
        number.parse::<f64>().is_ok() && exponent.parse::<u8>().is_ok()
    })
}

/// `1155000001.0` and `.00`: what pandas and spreadsheets make of a column of numbers.
fn has_fraction(text: &str) -> bool {
    let is_number = |digits: &str| digits.bytes().all(|b| b.is_ascii_digit());
    let parts = text.split_once('.');
    parts.is_some_and(|(whole, rest)| !whole.is_empty() && is_number(whole) && is_number(rest))
}

/// Looks at a text that goes into code sheets and onto screens.
pub(super) fn check(what: &str, text: &str) -> Result<(), String> {
    if text.chars().count() > MAX_TEXT {
        return Err(format!("the {what} has more than {MAX_TEXT} characters"));
    }
    if text.contains(['\n', '\r']) {
        return Err(format!(
            "the {what} goes on over several lines: a quotation mark on this line is left open, or \
             one too many"
        ));
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
    Ok(())
}

/// Looks at an e-mail address; none is fine.
pub(super) fn check_email(text: &str) -> Result<(), String> {
    let parts = text.rsplit_once('@');
    let is_email = parts.is_some_and(|(user, host)| !user.is_empty() && !host.is_empty())
        && !text.contains(char::is_whitespace);
    match text.is_empty() || is_email {
        true => Ok(()),
        false => Err("the email address is not one".to_owned()),
    }
}

/// A name from its two parts: `Siu Ming Lee`, `陳大文`.
pub(super) fn full_name(given: &str, family: &str) -> String {
    let is_han = |c: char| matches!(c, '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}');
    match (given, family) {
        ("", only) | (only, "") => only.to_owned(),
        _ if given.chars().chain(family.chars()).all(is_han) => format!("{family}{given}"),
        _ => format!("{given} {family}"),
    }
}

/// Control characters, line separators and marks that reorder text. The joiners U+200C and
/// U+200D belong to names in Persian and in Indian scripts.
fn is_unseen(c: char) -> bool {
    steers(c) && !matches!(c, '\u{200c}' | '\u{200d}')
}
