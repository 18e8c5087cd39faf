//! Tables as text, as spreadsheets and platforms write them: from the bytes of a file to UTF-8, what
//! separates their cells, and back into the form that the file had.

mod quotes;

use std::io::{self, Cursor, Read};

pub use quotes::{Quotes, ends_line, judge_quotes};

/// UTF-8, it is hoped: each row is checked.
pub type Text = Box<dyn Read + Send>;

/// How much is looked at to find out what a file is.
const START: u64 = 8 * 1024;
/// Most bytes of UTF-16, which is converted in memory: such files are of one course.
const MAX_UTF16: u64 = 64 * 1024 * 1024;
const MIB: u64 = 1024 * 1024;

/// What separates fields, in the order in which it is believed.
const DELIMITERS: [u8; 4] = *b",\t;|";

/// How a line begins by which Excel is told what separates fields.
const SEPARATOR: &[u8] = b"sep=";

/// How UTF-8 begins that says so.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// What files begin with that spreadsheets write, or that only have a spreadsheet's name.
const NO_TEXT: [(&[u8], &str); 5] = [
    (b"\xd0\xcf\x11\xe0", "an Excel workbook"),
    (b"PK\x03\x04", "an Excel workbook or another archive"),
    (b"<html", "a web page"),
    (b"<!doctype", "a web page"),
    (b"<?xml", "an XML document"),
];

/// Why a file is no text that can be understood.
#[derive(Debug, thiserror::Error)]
pub enum TextFault {
    /// It cannot be read to its end.
    #[error("it cannot be read")]
    Unreadable(#[from] io::Error),
    /// A text in another encoding.
    #[error("line {line}: the text is not UTF-8 but another encoding, such as Big5 or Latin-1")]
    Encoding {
        /// Line, counted from 1.
        line: u64,
    },
    /// UTF-16 that does not say so.
    #[error("line 1 is not UTF-8 but, it seems, UTF-16 without a byte order mark")]
    Unmarked,
    /// UTF-16 with half a character.
    #[error("it is UTF-16, and a character of it is cut in half")]
    Halved,
    /// UTF-16 that is too much to convert.
    #[error("it is UTF-16 and has more than {} MiB", limit / MIB)]
    LongUtf16 {
        /// The limit in bytes.
        limit: u64,
    },
    /// Something that is no text at all.
    #[error("it is {0}, not a text file")]
    NoText(&'static str),
}

impl TextFault {
    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Unreadable(_) | Self::Halved => "look whether the file is whole",
            _ => {
                "save it as CSV in UTF-8; Excel: \"CSV UTF-8 (Comma delimited)\", LibreOffice: \
                 character set \"Unicode (UTF-8)\""
            }
        }
    }
}

/// The encoding of a file, and whether it begins with a byte order mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8.
    Utf8,
    /// UTF-8 with a byte order mark.
    MarkedUtf8,
    /// UTF-16, the lower byte first, with a byte order mark.
    Utf16Le,
    /// UTF-16, the higher byte first, with a byte order mark.
    Utf16Be,
}

/// The form that a text had in its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextForm {
    /// The encoding.
    pub encoding: Encoding,
    /// What separates the cells of a row.
    pub delimiter: u8,
    /// What stood before the text to name that: `sep=;`.
    declared: String,
}

impl Default for TextForm {
    /// UTF-8 with commas.
    fn default() -> Self {
        Self {
            encoding: Encoding::Utf8,
            delimiter: b',',
            declared: String::new(),
        }
    }
}

impl TextForm {
    /// The bytes of a file with this text in it.
    pub fn encode(&self, text: &str) -> Vec<u8> {
        let whole = [&self.declared, text].concat();
        let units = || "\u{feff}".encode_utf16().chain(whole.encode_utf16());
        match self.encoding {
            Encoding::Utf8 => whole.into_bytes(),
            Encoding::MarkedUtf8 => [MARK, whole.as_bytes()].concat(),
            Encoding::Utf16Le => units().flat_map(u16::to_le_bytes).collect(),
            Encoding::Utf16Be => units().flat_map(u16::to_be_bytes).collect(),
        }
    }
}

/// The whole text of a file, and its form.
///
/// # Errors
///
/// What makes it none.
pub fn read_text(bytes: &[u8]) -> Result<(String, TextForm), TextFault> {
    let (mut text, form) = open_text(Cursor::new(bytes.to_vec()))?;
    let mut read = Vec::new();
    text.read_to_end(&mut read)?;
    let text = String::from_utf8(read).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let ends = before.iter().filter(|byte| **byte == b'\n').count();
        TextFault::Encoding {
            line: 1 + ends as u64,
        }
    })?;
    match form.encode(&text) == bytes {
        true => Ok((text, form)),
        false => Err(TextFault::Halved),
    }
}

/// The text of a file as it is read, and its form.
///
/// # Errors
///
/// What makes it none, as far as its beginning tells.
pub fn open_text(source: impl Read + Send + 'static) -> Result<(Text, TextForm), TextFault> {
    let (start, text) = peek(Box::new(source))?;
    let (utf8, encoding) = decode(&start, text)?;
    let (start, mut text) = peek(utf8)?;
    let mut form = TextForm {
        encoding,
        delimiter: delimiter(&start),
        declared: String::new(),
    };
    if let Some(delimiter) = named(&start) {
        // Of this line an empty one stays, so that lines are counted as they stand in the file.
        let mut line = [0; SEPARATOR.len() + 1];
        text.read_exact(&mut line)?;
        form.delimiter = delimiter;
        form.declared = String::from_utf8_lossy(&line).into_owned();
    }
    Ok((text, form))
}

/// What Excel's own first line says: `sep=;`.
fn named(start: &[u8]) -> Option<u8> {
    let (word, rest) = start.split_at_checked(SEPARATOR.len())?;
    let (delimiter, rest) = rest.split_first()?;
    let is_line = rest.starts_with(b"\r\n") || rest.starts_with(b"\n");
    let is_it = word.eq_ignore_ascii_case(SEPARATOR) && DELIMITERS.contains(delimiter) && is_line;
    is_it.then_some(*delimiter)
}

fn decode(start: &[u8], mut text: Text) -> Result<(Text, Encoding), TextFault> {
    let head = start.trim_ascii_start().to_ascii_lowercase();
    for (magic, what) in NO_TEXT {
        if head.starts_with(&magic.to_ascii_lowercase()) {
            return Err(TextFault::NoText(what));
        }
    }
    match start {
        [0xef, 0xbb, 0xbf, ..] => {
            text.read_exact(&mut [0; MARK.len()])?;
            Ok((text, Encoding::MarkedUtf8))
        }
        [0xff, 0xfe, ..] => Ok((from_utf16(text, u16::from_le_bytes)?, Encoding::Utf16Le)),
        [0xfe, 0xff, ..] => Ok((from_utf16(text, u16::from_be_bytes)?, Encoding::Utf16Be)),
        _ if is_utf16(start) => Err(TextFault::Unmarked),
        _ => Ok((text, Encoding::Utf8)),
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
fn from_utf16(text: Text, unit: fn([u8; 2]) -> u16) -> Result<Text, TextFault> {
    let mut bytes = Vec::new();
    text.take(MAX_UTF16 + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_UTF16 {
        return Err(TextFault::LongUtf16 { limit: MAX_UTF16 });
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
fn peek(mut text: Text) -> Result<(Vec<u8>, Text), TextFault> {
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn a_text_is_read_in_whatever_form_and_written_in_the_same() {
        let marked = "\u{feff}sid;名\r\n1;\u{1f600}\r\n";
        for (bytes, delimiter, encoding) in [
            (b"sid,name\n1,A\n".to_vec(), b',', Encoding::Utf8),
            (marked.as_bytes().to_vec(), b';', Encoding::MarkedUtf8),
            (utf16(marked, u16::to_le_bytes), b';', Encoding::Utf16Le),
            (utf16(marked, u16::to_be_bytes), b';', Encoding::Utf16Be),
            (b"Sep=|\r\na|b,c,d\r\n".to_vec(), b'|', Encoding::Utf8),
            (b"sid\tname\n".to_vec(), b'\t', Encoding::Utf8),
        ] {
            let (text, form) = read_text(&bytes).unwrap();
            assert_eq!((form.delimiter, form.encoding), (delimiter, encoding));
            assert!(!text.starts_with(['\u{feff}', 'S']), "{text}");
            assert_eq!(form.encode(&text), bytes, "{text}");
        }
    }

    #[test]
    fn what_is_no_text_of_these_forms_is_refused_with_its_line() {
        let unmarked = utf16("sid;name\r\n", u16::to_le_bytes);
        let halved = [utf16("\u{feff}sid,", u16::to_le_bytes), vec![0, 0xd8]].concat();
        for (bytes, reason) in [
            (
                &b"sid,name\n1,\xb3\xaf\n"[..],
                "line 2: the text is not UTF-8",
            ),
            (&unmarked, "UTF-16 without a byte order mark"),
            (&halved, "cut in half"),
            (&halved[..halved.len() - 1], "cut in half"),
            (b"PK\x03\x04", "an Excel workbook"),
        ] {
            let fault = read_text(bytes).unwrap_err();
            assert!(fault.to_string().contains(reason), "{reason}: {fault}");
        }
    }
}
