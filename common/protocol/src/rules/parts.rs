//! The parts of rules that are parsed once.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

use crate::error::Error;
use crate::object::ObjectOnly;

/// Most members of a group.
pub const MAX_GROUP: u8 = 8;

/// Serde of a value by its text.
macro_rules! as_text {
    ($($name:ident),*) => {$(
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
    )*};
}
pub(super) use as_text;

/// The title of a course or an assignment: 1 to 200 bytes of UTF-8 on one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Title(String);

impl FromStr for Title {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let plain = !text.is_empty() && text.len() <= 200 && !text.chars().any(char::is_control);
        plain.then(|| Self(text.to_owned())).ok_or(Error::Form {
            what: "the title",
            reason: "1 to 200 bytes on one line, without tabs",
        })
    }
}

impl fmt::Display for Title {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How many members hand in together, both ends included; within 1 to 8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct GroupSize {
    /// Fewest.
    least: u8,
    /// Most.
    most: u8,
}

/// As [`GroupSize`] is read, before it is checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a JSON object")]
struct UncheckedSize {
    least: u8,
    most: u8,
}

impl GroupSize {
    /// From `least` to `most` members.
    ///
    /// # Errors
    ///
    /// [`Error::Form`].
    pub fn new(least: u8, most: u8) -> Result<Self, Error> {
        match least >= 1 && least <= most && most <= MAX_GROUP {
            true => Ok(Self { least, most }),
            false => Err(Error::Form {
                what: "the size of a group",
                reason: "a number such as 3, or a range such as 1..3, within 1 to 8",
            }),
        }
    }

    /// Fewest members.
    pub fn least(self) -> u8 {
        self.least
    }

    /// Most members.
    pub fn most(self) -> u8 {
        self.most
    }

    /// Whether a group of so many members is one.
    pub fn allows(self, members: usize) -> bool {
        (usize::from(self.least)..=usize::from(self.most)).contains(&members)
    }
}

/// `3`, or `1..3`.
impl FromStr for GroupSize {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let number = |text: &str| text.parse().unwrap_or(0);
        match text.split_once("..") {
            Some((least, most)) => Self::new(number(least), number(most)),
            None => Self::new(number(text), number(text)),
        }
    }
}

impl fmt::Display for GroupSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.least == self.most {
            true => write!(f, "{}", self.most),
            false => write!(f, "{}..{}", self.least, self.most),
        }
    }
}

/// Which version counts, of several that a student has a part in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counts {
    /// The one that was committed last.
    #[default]
    Latest,
    /// The one that was committed first.
    First,
}

impl FromStr for Counts {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "latest" => Ok(Self::Latest),
            "first" => Ok(Self::First),
            _ => Err(Error::Form {
                what: "which version counts",
                reason: "`latest` or `first`",
            }),
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Latest => "latest",
            Self::First => "first",
        })
    }
}

/// Whether a student may hand in with others than before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Groups {
    /// With anybody, each time.
    #[default]
    Free,
    /// With those of his last version, and perhaps more: nobody is left behind.
    Kept,
}

impl FromStr for Groups {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "free" => Ok(Self::Free),
            "kept" => Ok(Self::Kept),
            _ => Err(Error::Form {
                what: "whether groups are kept",
                reason: "`kept` or `free`",
            }),
        }
    }
}

impl fmt::Display for Groups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Free => "free",
            Self::Kept => "kept",
        })
    }
}

/// A kind of file, told by the end of its name alone, such as `pdf` or `tar.gz`: 1 to 16 of
/// `a-z 0-9 .`. What is in the file is not looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FileKind(String);

impl FileKind {
    /// Whether a file of this name is of this kind. Capitals do not matter.
    pub fn is_of(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        let stem = name.strip_suffix(&self.0);
        stem.is_some_and(|stem| stem.len() > 1 && stem.ends_with('.'))
    }
}

impl FromStr for FileKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let kind = text.trim().trim_start_matches('.').to_ascii_lowercase();
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.';
        let plain = (1..=16).contains(&kind.len()) && kind.chars().all(allowed);
        plain.then_some(Self(kind)).ok_or(Error::Form {
            what: "the kind of file",
            reason: "the end of a name, such as pdf or tar.gz",
        })
    }
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

as_text!(Title, FileKind);

impl<'de> Deserialize<'de> for GroupSize {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let size = UncheckedSize::deserialize(ObjectOnly(from))?;
        Self::new(size.least, size.most).map_err(serde::de::Error::custom)
    }
}
