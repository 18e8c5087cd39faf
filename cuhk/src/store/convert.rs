//! Between SQLite's values and ours.

use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, Serial};

use crate::{Error, Subject};

/// Seconds since 1970-01-01 UTC, as SQLite's 64-bit integers hold them.
pub(super) fn seconds(time: UnixTime) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

pub(super) fn time(seconds: i64) -> Result<UnixTime, Error> {
    let seconds = u64::try_from(seconds).map_err(|_| Error::RecordInvalid { what: "time" })?;
    Ok(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
}

pub(super) fn number(value: i64) -> Result<u64, Error> {
    u64::try_from(value).map_err(|_| Error::RecordInvalid { what: "number" })
}

pub(super) fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn fingerprint(bytes: &[u8]) -> Result<Fingerprint, Error> {
    let bytes = bytes.try_into().map_err(|_| Error::RecordInvalid {
        what: "fingerprint",
    })?;
    Ok(Fingerprint::from_bytes(bytes))
}

pub(super) fn serial(bytes: &[u8]) -> Result<Serial, Error> {
    Serial::from_bytes(bytes).map_err(|_| Error::RecordInvalid {
        what: "serial number",
    })
}

pub(super) fn subject(text: &str) -> Result<Subject, Error> {
    text.parse()
        .map_err(|_| Error::RecordInvalid { what: "subject" })
}

/// Errors of SQLite go through `scb_storage`, which knows a full disk from a busy file.
impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Storage(error.into())
    }
}
