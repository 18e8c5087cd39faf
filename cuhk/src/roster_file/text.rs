//! From the bytes of a file to UTF-8, and what separates its fields.

use std::io::{Cursor, Read};

use super::RosterFault;

/// UTF-8, it is hoped: each row is checked.
pub(super) type Text = Box<dyn Read + Send>;

/// How much is looked at to find out what a file is.
const START: u64 = 8 * 1024;
/// Most bytes of UTF-16, which is converted in memory: such files are of one course.
const MAX_UTF16: u64 = 64 * 1024 * 1024;

/// What separates fields, in the order in which it is believed.
const DELIMITERS: [u8; 4] = *b",\t;|";

/// How a line begins by which Excel is told what separates fields.
const SEPARATOR: &[u8] = b"sep=";

/// What files begin with that spreadsheets write, or that only have a spreadsheet's name.
const NO_TEXT: [(&[u8], &str); 5] = [
    (b"\xd0\xcf\x11\xe0", "an Excel workbook"),
    (b"PK\x03\x04", "an Excel workbook or another archive"),
    (b"<html", "a web page"),
    (b"<!doctype", "a web page"),
    (b"<?xml", "an XML document"),
];

/// The text and its delimiter.
pub(super) fn open(source: impl Read + Send + 'static) -> Result<(Text, u8), RosterFault> {
    let (start, text) = peek(Box::new(source))?;
    let utf8 = decode(&start, text)?;
    let (start, mut text) = peek(utf8)?;
    let Some(delimiter) = named(&start) else {
        return Ok((text, delimiter(&start)));
    };
    // Of this line an empty one stays, so that lines are counted as they stand in the file.
    text.read_exact(&mut [0; SEPARATOR.len() + 1])?;
    Ok((text, delimiter))
}

/// What Excel's own first line says: `sep=;`.
fn named(start: &[u8]) -> Option<u8> {
    let (word, rest) = start.split_at_checked(SEPARATOR.len())?;
    let (delimiter, rest) = rest.split_first()?;
    let is_line = rest.starts_with(b"\r\n") || rest.starts_with(b"\n");
    let is_it = word.eq_ignore_ascii_case(SEPARATOR) && DELIMITERS.contains(delimiter) && is_line;
    is_it.then_some(*delimiter)
}

fn decode(start: &[u8], mut text: Text) -> Result<Text, RosterFault> {
    let head = start.trim_ascii_start().to_ascii_lowercase();
    for (magic, what) in NO_TEXT {
        if head.starts_with(&magic.to_ascii_lowercase()) {
            return Err(RosterFault::NoText(what));
        }
    }
    match start {
        [0xef, 0xbb, 0xbf, ..] => {
            let mut mark = [0; 3];
            text.read_exact(&mut mark)?;
            Ok(text)
        }
        [0xff, 0xfe, ..] => from_utf16(text, u16::from_le_bytes),
        [0xfe, 0xff, ..] => from_utf16(text, u16::from_be_bytes),
        _ if is_utf16(start) => Err(RosterFault::Unmarked),
        _ => Ok(text),
    }
}

/// Of a header in UTF-16 about every second byte is zero. One in a text that is UTF-8 is refused with
/// its row.
fn is_utf16(start: &[u8]) -> bool {
    let header = &start[..start.len().min(200)];
    let zeros = header.iter().filter(|byte| **byte == 0).count();
    zeros > header.len() / 8
}

/// What is half a character becomes U+FFFD, and is refused with its row.
fn from_utf16(text: Text, unit: fn([u8; 2]) -> u16) -> Result<Text, RosterFault> {
    let mut bytes = Vec::new();
    text.take(MAX_UTF16 + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_UTF16 {
        return Err(RosterFault::LongUtf16 { limit: MAX_UTF16 });
    }
    let units = bytes.chunks(2).map(|pair| match pair {
        [first, second] => unit([*first, *second]),
        _ => 0xfffd,
    });
    let decoded: String = char::decode_utf16(units.skip(1))
        .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect();
    Ok(Box::new(Cursor::new(decoded.into_bytes())))
}

/// The first bytes, and all of them again.
fn peek(mut text: Text) -> Result<(Vec<u8>, Text), RosterFault> {
    let mut start = Vec::new();
    text.by_ref().take(START).read_to_end(&mut start)?;
    let whole = Cursor::new(start.clone()).chain(text);
    Ok((start, Box::new(whole)))
}

/// What the header has most of, outside quotation marks.
fn delimiter(start: &[u8]) -> u8 {
    let mut counts = [0_usize; DELIMITERS.len()];
    let mut quoted = false;
    for byte in start {
        match byte {
            b'"' => quoted = !quoted,
            b'\r' | b'\n' if !quoted => break,
            byte if !quoted => {
                let found = DELIMITERS.iter().position(|delimiter| delimiter == byte);
                found.into_iter().for_each(|found| counts[found] += 1);
            }
            _ => {}
        }
    }
    let most = counts.iter().max().copied().unwrap_or_default();
    let first = counts.iter().position(|count| *count == most);
    DELIMITERS[first.unwrap_or_default()]
}
