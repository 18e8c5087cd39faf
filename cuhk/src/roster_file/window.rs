//! A reader that knows on which line a record begins, and how much there may be.

use std::collections::VecDeque;
use std::io::{self, Read};

use scb_cli::{Quotes, ends_line, judge_quotes};

use super::RosterFault;

/// Largest file in bytes, once it is UTF-8.
pub(super) const MAX_SIZE: u64 = 256 * 1024 * 1024;
/// Longest row in bytes.
pub(super) const MAX_ROW: usize = 64 * 1024;
/// What the CSV reader may have read ahead.
const AHEAD: usize = 64 * 1024;

/// Keeps what was read since the last record began, to count lines as editors do. (The CSV
/// reader's own count is one behind after CR LF.)
pub(super) struct Window<R> {
    inner: R,
    kept: VecDeque<u8>,
    /// Where what is kept begins.
    at: u64,
    line: u64,
    /// The byte before what is kept.
    before: u8,
    delimiter: u8,
}

impl<R> Window<R> {
    pub(super) fn new(inner: R, delimiter: u8) -> Self {
        Self {
            inner,
            delimiter,
            kept: VecDeque::new(),
            at: 0,
            line: 1,
            before: 0,
        }
    }

    /// The line on which the record begins that was found at this byte; records come in order.
    pub(super) fn line_of(&mut self, start: u64) -> u64 {
        while let Some(byte) = self.kept.front().copied() {
            if self.at >= start && !matches!(byte, b'\r' | b'\n') {
                break;
            }
            self.line += u64::from(ends_line(self.before, byte));
            self.before = byte;
            self.at += 1;
            self.kept.pop_front();
        }
        self.line
    }

    /// What the quotation marks of the record are worth that ends before this byte, the last one
    /// whose line was asked for; lines are those of the file.
    pub(super) fn quotes(&self, end: u64) -> Quotes {
        let length = usize::try_from(end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        match judge_quotes(self.kept.iter().copied().take(length), self.delimiter) {
            Quotes::Fine => Quotes::Fine,
            Quotes::Open(line) => Quotes::Open(self.line + line),
            Quotes::Stray(line) => Quotes::Stray(self.line + line),
        }
    }

    fn endless(&self) -> RosterFault {
        match self.quotes(u64::MAX) {
            Quotes::Open(line) => RosterFault::LongQuote { line },
            _ => RosterFault::Endless { line: self.line },
        }
    }
}

impl<R: Read> Read for Window<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.kept.extend(&buffer[..count]);
        if self.at + self.kept.len() as u64 > MAX_SIZE {
            return Err(io::Error::other(RosterFault::TooLong));
        }
        if self.kept.len() > MAX_ROW + AHEAD {
            return Err(io::Error::other(self.endless()));
        }
        Ok(count)
    }
}
