//! Lists: with a header for people, as CSV, as JSON; row by row, as they are read.

use std::fmt;
use std::io::{self, BufWriter, ErrorKind, Write};

use rustls_pki_types::UnixTime;
use scb_cli::{Failure, local_time, note, rfc3339, say};
use serde::Serialize;
use serde::ser::{SerializeSeq, Serializer};

use crate::Error;
use crate::store::{Records, Store};

/// Takes the next row.
pub(super) type Next<'a, R> = &'a mut dyn FnMut(R) -> Result<(), Error>;

/// How a list is written; for people unless told otherwise.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(super) struct Form {
    /// As CSV with a header
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// As a JSON array
    #[arg(long)]
    pub(super) json: bool,
}

/// One row. As data its times are in UTC, for people they are local.
pub(super) trait Row: Serialize {
    /// The names of the fields, in their order.
    const COLUMNS: &'static [&'static str];
    /// What stands over the lines.
    fn header() -> String;
    /// For people.
    fn line(&self) -> String;

    /// As a spreadsheet may have it: with nothing in it that would be computed.
    #[must_use]
    fn inert(self) -> Self
    where
        Self: Sized,
    {
        self
    }
}

/// Prints one object, for scripts.
pub(super) fn say_json(value: &serde_json::Value) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value);
    Ok(say(
        &text.map_err(|error| Failure::fault(error.to_string()))?
    )?)
}

/// A time: in UTC as data (RFC 3339), in the zone of this machine for people.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment(pub(super) UnixTime);

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&rfc3339(self.0))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&local_time(self.0))
    }
}

/// As many characters as a [`Moment`] has.
pub(super) const MOMENT: usize = 26;

impl Form {
    /// Where there is no CSV.
    pub(super) fn json_or_lines(json: bool) -> Self {
        Self { csv: false, json }
    }

    /// Lists the rows of one snapshot on standard output: as much memory for a million as for ten.
    /// Of a list that is empty it is said so, on standard error.
    ///
    /// # Errors
    ///
    /// What `rows` returns; [`scb_cli::Error::Output`].
    pub(super) fn print<R: Row>(
        self,
        store: &Store,
        empty: &str,
        rows: impl FnOnce(&Records<'_>, Next<'_, R>) -> Result<(), Error> + Send + 'static,
    ) -> Result<(), Failure> {
        let written = store.read_blocking(move |records| {
            let mut out = BufWriter::new(io::stdout());
            let count = self.write(&mut out, |next| rows(records, next))?;
            out.flush().map_err(scb_cli::Error::Output)?;
            Ok(count)
        });
        match written {
            // JSON says it itself.
            Ok(0) if !self.json => Ok(note(empty)?),
            // `head` has seen enough.
            Err(Error::Local(scb_cli::Error::Output(error)))
                if error.kind() == ErrorKind::BrokenPipe =>
            {
                Ok(())
            }
            written => Ok(written.map(drop)?),
        }
    }

    /// Writes all of it; answers how many rows there are.
    fn write<R: Row>(
        self,
        out: &mut impl Write,
        rows: impl FnOnce(Next<'_, R>) -> Result<(), Error>,
    ) -> Result<u64, Error> {
        match (self.json, self.csv) {
            (true, _) => as_json(out, rows),
            (false, true) => as_csv(out, rows),
            (false, false) => as_lines(out, rows),
        }
    }
}

fn as_lines<R: Row>(
    out: &mut impl Write,
    rows: impl FnOnce(Next<'_, R>) -> Result<(), Error>,
) -> Result<u64, Error> {
    let mut count = 0;
    rows(&mut |row| {
        if count == 0 {
            writeln!(out, "{}", R::header().trim_end()).map_err(unwritten)?;
        }
        count += 1;
        writeln!(out, "{}", row.line().trim_end()).map_err(unwritten)
    })?;
    Ok(count)
}

fn as_csv<R: Row>(
    out: &mut impl Write,
    rows: impl FnOnce(Next<'_, R>) -> Result<(), Error>,
) -> Result<u64, Error> {
    let mut count = 0;
    let mut writer = csv::WriterBuilder::new()
        .has_headers(false)
        .from_writer(out);
    writer.write_record(R::COLUMNS).map_err(csv_unwritten)?;
    rows(&mut |row| {
        count += 1;
        writer.serialize(row.inert()).map_err(csv_unwritten)
    })?;
    writer.flush().map_err(unwritten)?;
    Ok(count)
}

fn as_json<R: Row>(
    out: &mut impl Write,
    rows: impl FnOnce(Next<'_, R>) -> Result<(), Error>,
) -> Result<u64, Error> {
    let mut count = 0;
    let mut serializer = serde_json::Serializer::pretty(&mut *out);
    let mut array = serializer.serialize_seq(None).map_err(unwritten)?;
    rows(&mut |row| {
        count += 1;
        array.serialize_element(&row).map_err(unwritten)
    })?;
    array.end().map_err(unwritten)?;
    writeln!(out).map_err(unwritten)?;
    Ok(count)
}

fn unwritten(error: impl Into<io::Error>) -> Error {
    scb_cli::Error::Output(error.into()).into()
}

/// The library wraps what writing said into an error of another kind.
fn csv_unwritten(error: csv::Error) -> Error {
    unwritten(match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Pair {
        name: &'static str,
        end: Option<u8>,
    }

    impl Row for Pair {
        const COLUMNS: &'static [&'static str] = &["name", "end"];

        fn header() -> String {
            format!("{:<6}{}", "NAME", "END")
        }

        fn line(&self) -> String {
            let end = self.end.map_or_else(String::new, |end| end.to_string());
            format!("{:<6}{end}", self.name)
        }
    }

    fn written(csv: bool, json: bool, pairs: &[(&'static str, Option<u8>)]) -> (u64, String) {
        let mut out = Vec::new();
        let count = Form { csv, json }.write(&mut out, |next: Next<'_, Pair>| {
            let mut pairs = pairs.iter();
            pairs.try_for_each(|&(name, end)| next(Pair { name, end }))
        });
        (count.unwrap(), String::from_utf8(out).unwrap())
    }

    #[test]
    fn the_same_rows_in_three_forms() {
        let pairs = [("a", Some(1)), ("b", None)];
        let lines = "NAME  END\na     1\nb\n".to_owned();
        assert_eq!(written(false, false, &pairs), (2, lines));
        let csv = "name,end\na,1\nb,\n".to_owned();
        assert_eq!(written(true, false, &pairs), (2, csv));
        let (count, json) = written(false, true, &pairs);
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        let expected = serde_json::json!([{"name": "a", "end": 1}, {"name": "b", "end": null}]);
        assert_eq!((count, json), (2, expected));
    }

    #[test]
    fn without_a_row_there_is_no_header_over_nothing() {
        assert_eq!(written(false, false, &[]), (0, String::new()));
        assert_eq!(written(true, false, &[]), (0, "name,end\n".to_owned()));
        assert_eq!(written(false, true, &[]), (0, "[]\n".to_owned()));
    }

    /// As a pipe whose reader has seen enough.
    struct Gone;

    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(ErrorKind::BrokenPipe.into())
        }
    }

    #[test]
    fn a_reader_that_has_seen_enough_is_told_in_every_form() {
        for (csv, json) in [(false, false), (true, false), (false, true)] {
            let written = Form { csv, json }.write(&mut Gone, |next: Next<'_, Pair>| {
                (0..10_000).try_for_each(|_| {
                    next(Pair {
                        name: "a",
                        end: None,
                    })
                })
            });
            let Err(Error::Local(scb_cli::Error::Output(error))) = written else {
                panic!("{written:?}");
            };
            assert_eq!(error.kind(), ErrorKind::BrokenPipe, "{csv} {json}");
        }
    }
}
