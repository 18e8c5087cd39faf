//! The names and numbers in a statement, each parsed once.

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::values::random;

macro_rules! parsed_text {
    ($name:ident) => {
        impl TryFrom<String> for $name {
            type Error = Error;

            fn try_from(text: String) -> Result<Self, Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.to_string()
            }
        }
    };
}

/// The name of a file: 1 to 255 bytes of UTF-8, no path, no character that nobody sees and that
/// controls what is seen.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FileName(String);

impl FromStr for FileName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refuse = |reason| {
            Err(Error::Form {
                what: "the file name",
                reason,
            })
        };
        match text {
            "" => refuse("it is empty"),
            "." | ".." => refuse("it is a directory"),
            _ if text.len() > 255 => refuse("it is longer than 255 bytes"),
            _ if text.contains(['/', '\\']) => refuse("it contains a path separator"),
            _ if text.chars().any(char::is_control) => refuse("it contains a control character"),
            _ if text.chars().any(deceives) => {
                refuse("it contains an invisible character that reorders or hides text")
            }
            _ => Ok(Self(text.to_owned())),
        }
    }
}

/// Whether a character reorders the text around it, separates lines, or cannot be seen at all. Those
/// with which some scripts and emoji join letters (U+200C, U+200D), and variants of Chinese characters,
/// do not.
fn deceives(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{feff}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}')
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for FileName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

parsed_text!(FileName);

/// The name of a course or an assignment: 1 to 64 of `A-Z a-z 0-9 . _ -`, starting with a
/// letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Label(String);

impl FromStr for Label {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let starts_well = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        if !starts_well || text.len() > 64 || !text.chars().all(allowed) {
            return Err(Error::Form {
                what: "the course or assignment",
                reason: "1 to 64 letters, digits, '.', '_' or '-', starting with a letter or digit",
            });
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for Label {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

parsed_text!(Label);

/// A submission's ID: 128 random bits that the client chooses; 32 lower-case hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SubmissionId([u8; 16]);

impl SubmissionId {
    /// Wraps the bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// A fresh ID.
    ///
    /// # Errors
    ///
    /// [`Error::Random`].
    pub fn random() -> Result<Self, Error> {
        random().map(Self)
    }

    /// The 16 bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl FromStr for SubmissionId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| Error::Hex)?;
        let bytes = bytes
            .try_into()
            .map_err(|_| Error::Length { expected: 16 })?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for SubmissionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

parsed_text!(SubmissionId);

/// A submission's number at Blackboard, `S-000001` and up; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SubmissionNumber(u64);

impl SubmissionNumber {
    /// The number; `None` for 0, which is never given.
    pub fn new(number: u64) -> Option<Self> {
        (number > 0).then_some(Self(number))
    }

    /// The number.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl FromStr for SubmissionNumber {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let digits = text.strip_prefix("S-").unwrap_or_default();
        let number = digits.parse().ok().and_then(Self::new);
        number
            .filter(|number| number.to_string() == text)
            .ok_or(Error::Form {
                what: "the submission number",
                reason: "it looks like S-000001",
            })
    }
}

impl fmt::Display for SubmissionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S-{:06}", self.0)
    }
}

parsed_text!(SubmissionNumber);

pub(super) use parsed_text;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_is_never_a_path() {
        assert!("報告 final.pdf".parse::<FileName>().is_ok());
        let long = "x".repeat(256);
        for bad in ["", ".", "..", "../x", "/abs", "a\\b", "a\0b", "a\nb", &long] {
            assert!(bad.parse::<FileName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_file_name_is_what_is_seen() {
        for good in [
            "葛\u{e0100}城.pdf",
            "👩\u{200d}💻.md",
            "می\u{200c}خواهم.txt",
            "תרגיל.pdf",
        ] {
            assert!(good.parse::<FileName>().is_ok(), "{good:?}");
        }
        for hidden in [
            "\u{202e}",
            "\u{2066}",
            "\u{200b}",
            "\u{2028}",
            "\u{feff}",
            "\u{e0041}",
        ] {
            let name = format!("report{hidden}fdp.exe");
            let refused = name.parse::<FileName>().unwrap_err().to_string();
            assert!(refused.contains("reorders or hides text"), "{refused}");
        }
    }

    #[test]
    fn a_label_is_plain() {
        assert!("CSCI-3150".parse::<Label>().is_ok());
        for bad in ["", "-x", "a b", "a/b", "實驗"] {
            assert!(bad.parse::<Label>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_number_has_one_spelling() {
        assert_eq!("S-000012".parse(), Ok(SubmissionNumber(12)));
        assert_eq!("S-1234567".parse(), Ok(SubmissionNumber(1_234_567)));
        for bad in ["S-0", "S-000000", "S-12", "S-0001234567", "12", "S-+00001"] {
            assert!(bad.parse::<SubmissionNumber>().is_err(), "{bad}");
        }
    }
}
