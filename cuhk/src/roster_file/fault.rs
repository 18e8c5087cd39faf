//! What makes a file no roster.

use std::io;

use scb_cli::TextFault;

use super::MAX_ROWS;
use super::window::{MAX_ROW, MAX_SIZE};

const MIB: u64 = 1024 * 1024;

/// Why a file as a whole cannot be understood.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RosterFault {
    /// It cannot be read to its end.
    #[error("it cannot be read")]
    Unreadable(#[source] io::Error),
    /// A text in another encoding.
    #[error(
        "line {line}, column {column}: the text is not UTF-8 but another encoding, such as Big5 \
         or Latin-1"
    )]
    Encoding {
        /// Line, counted from 1.
        line: u64,
        /// The column, by its header.
        column: String,
    },
    /// No text that can be understood.
    #[error(transparent)]
    Text(TextFault),
    /// Nothing in it.
    #[error("it is empty")]
    Empty,
    /// No layout that is known.
    #[error(
        "it has no column sid, nor the columns of a Canvas, Moodle or Blackboard export; it has: \
         {found}"
    )]
    Unrecognised {
        /// The header as it is.
        found: String,
    },
    /// A column that must be there.
    #[error("it has no column {0}")]
    NoColumn(String),
    /// No column that has the students' names.
    #[error("it has no column {missing} for the students' names; it has: {found}")]
    NoName {
        /// The columns that it might be.
        missing: String,
        /// The header as it is.
        found: String,
    },
    /// A column that is there twice.
    #[error("it has two columns {0}")]
    TwoColumns(String),
    /// A header that fits several layouts.
    #[error("its header can be read in two ways: {first}, or {second}")]
    Ambiguous {
        /// One of them, with the columns that speak for it.
        first: String,
        /// The other.
        second: String,
    },
    /// A quotation mark that takes in all that follows.
    #[error("line {line}: a quotation mark is opened and never closed")]
    OpenQuote {
        /// The line on which it opens.
        line: u64,
    },
    /// A quotation mark of which it is not known whether it is ever closed: not before the row is too long.
    #[error(
        "line {line}: a quotation mark is opened and not closed within {} KiB, the longest row that is read",
        MAX_ROW / 1024
    )]
    LongQuote {
        /// The line on which it opens.
        line: u64,
    },
    /// A feed that is cut off, or that nobody can know to be whole.
    #[error(
        "it has no last line ***FileFooter, with which such a feed ends: it may be cut off after row {rows}"
    )]
    NoFooter {
        /// How many rows there are.
        rows: usize,
    },
    /// A feed of which rows are missing, or that has too many.
    #[error("line {line}: its ***FileFooter says {told}, and it has {rows} rows before that")]
    OtherFooter {
        /// The line of the footer.
        line: u64,
        /// What that says, in words.
        told: String,
        /// How many rows there are before it.
        rows: usize,
    },
    /// A row that does not end.
    #[error("the row after line {line} does not end within {} KiB", MAX_ROW / 1024)]
    Endless {
        /// Where the row before it begins.
        line: u64,
    },
    /// Too many rows or bytes.
    #[error("it has more than {MAX_ROWS} rows or {} MiB", MAX_SIZE / MIB)]
    TooLong,
}

impl RosterFault {
    pub(super) fn encoding(line: u64, column: impl Into<String>) -> Self {
        Self::Encoding {
            line,
            column: column.into(),
        }
    }

    /// What to do about it.
    pub(crate) fn remedy(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "look whether the file is whole",
            // What is in another encoding is saved anew as that which is unmarked.
            Self::Encoding { .. } => TextFault::Unmarked.remedy(),
            Self::Text(fault) => fault.remedy(),
            Self::Unrecognised { .. } | Self::NoColumn(_) => {
                "save it as CSV in UTF-8 with the columns sid,name,email,programme, or name the \
                 column of the student ID with --sid-column"
            }
            Self::NoName { .. } => {
                "name the column of the students' names with --name-column, or call it `name`"
            }
            Self::TwoColumns(_) => "remove one of the two or give it another name",
            Self::Ambiguous { .. } => {
                "remove the columns that do not count, or name the column of the student ID with \
                 --sid-column"
            }
            Self::NoFooter { .. } | Self::OtherFooter { .. } => {
                "have it written, and transferred, once more; if it is whole all the same: --any-footer"
            }
            Self::LongQuote { .. } => {
                "close the quotation mark on that line, or remove it; if it is closed much later, make that \
                 text shorter or leave its column out"
            }
            Self::OpenQuote { .. } => {
                "close the quotation mark on that line or remove it; one that belongs to a text is \
                 written twice, and the text in quotation marks"
            }
            Self::Endless { .. } | Self::Empty | Self::TooLong => {
                "look whether it is the right file"
            }
        }
    }
}

/// What our own reader said, or the one beneath it.
impl From<io::Error> for RosterFault {
    fn from(error: io::Error) -> Self {
        error.downcast::<Self>().unwrap_or_else(Self::Unreadable)
    }
}

impl From<TextFault> for RosterFault {
    fn from(fault: TextFault) -> Self {
        match fault {
            TextFault::Unreadable(source) => source.into(),
            fault => Self::Text(fault),
        }
    }
}

impl From<csv::Error> for RosterFault {
    fn from(error: csv::Error) -> Self {
        match error.into_kind() {
            csv::ErrorKind::Io(error) => error.into(),
            other => Self::Unreadable(io::Error::other(format!("{other:?}"))),
        }
    }
}
