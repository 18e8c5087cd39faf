//! The highest number ever given, in a file beside the database.
//!
//! A backup of the database put back knows less than was given out since. This file still
//! knows; and if it was put back too, the time at which the file system last touched it
//! gives that away, and numbering goes on far beyond whatever may have been given.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::platform::{changed_at, open_private, sync_dir};

/// Numbering goes on at a multiple of this after a backup was put back.
const LEAP: u64 = 1_000_000;
/// How far the file system's time of a write may be from the time noted in it.
const SLACK: Duration = Duration::from_secs(2);

/// How far this machine's clock may be behind the file: 5 min.
const TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// The time at which the last number was noted in the file, if the clock says less by more than
/// five minutes: since 1970.
pub(crate) fn behind(path: &Path, now: Duration) -> Option<Duration> {
    let mut file = File::open(path).ok()?;
    match read(&mut file) {
        Ok(Noted::At { written, .. }) if written > now + TOLERANCE => Some(written),
        // What else is wrong with it is told when it is used.
        _ => None,
    }
}

/// The open file and what it says.
#[derive(Debug)]
pub(crate) struct Mark {
    file: File,
    highest: u64,
}

impl Mark {
    /// Opens the file, given the highest number in the database.
    pub(crate) fn open(path: &Path, in_database: u64) -> io::Result<Self> {
        let mut file = open_private(path)?;
        let noted = read(&mut file)?;
        let touched = changed_at(&file)?;
        let mut mark = Self {
            file,
            highest: in_database,
        };
        match noted {
            Noted::Nothing if in_database == 0 => {
                mark.raise(0)?;
                sync_dir(path.parent().unwrap_or(Path::new(".")))?;
            }
            Noted::At { number, written } if untouched(written, touched) => {
                mark.highest = number.max(in_database);
            }
            Noted::At { number, .. } => mark.leap(number.max(in_database))?,
            Noted::Nothing | Noted::Garbage => mark.leap(in_database)?,
        }
        Ok(mark)
    }

    /// The highest number ever given.
    pub(crate) fn highest(&self) -> u64 {
        self.highest
    }

    /// Notes a higher number, durably.
    pub(crate) fn raise(&mut self, number: u64) -> io::Result<()> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let line = format!("v1 {number:020} {:020}\n", now.as_secs());
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(line.as_bytes())?;
        match self.file.sync_data() {
            Err(error) if error.kind() != io::ErrorKind::StorageFull => die(&error),
            synced => synced?,
        }
        self.highest = number;
        Ok(())
    }

    fn leap(&mut self, from: u64) -> io::Result<()> {
        let next = (from / LEAP + 1) * LEAP;
        tracing::warn!(
            "this home was put back from a backup or its files were touched: to use no number \
             twice, numbering goes on after S-{next:06}"
        );
        self.raise(next)
    }
}

/// A failed fsync must not be tried again: the next one would report success for bytes that
/// are gone.
fn die(error: &io::Error) -> ! {
    let line = format!("fatal: fsync of the highest number failed: {error}\n");
    let _ = io::stderr().write_all(line.as_bytes());
    std::process::abort()
}

enum Noted {
    Nothing,
    Garbage,
    At { number: u64, written: Duration },
}

fn read(file: &mut File) -> io::Result<Noted> {
    let mut text = String::new();
    if file.take(64).read_to_string(&mut text).is_err() {
        return Ok(Noted::Garbage);
    }
    if text.is_empty() {
        return Ok(Noted::Nothing);
    }
    let mut parts = text.split_whitespace();
    let mut number = || parts.next()?.parse().ok();
    let noted = match (text.starts_with("v1 "), number(), number(), number()) {
        (true, None, Some(number), Some(seconds)) => Noted::At {
            number,
            written: Duration::from_secs(seconds),
        },
        _ => Noted::Garbage,
    };
    Ok(noted)
}

fn untouched(written: Duration, touched: Option<Duration>) -> bool {
    touched.is_none_or(|touched| touched.abs_diff(written) <= SLACK)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use super::*;

    fn path() -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("numbers");
        (dir, path)
    }

    #[test]
    fn remembers_the_highest_number() {
        let (_dir, path) = path();
        let mut mark = Mark::open(&path, 0).unwrap();
        assert_eq!(mark.highest(), 0);
        mark.raise(7).unwrap();
        assert_eq!(Mark::open(&path, 7).unwrap().highest(), 7);
    }

    #[test]
    fn says_when_the_clock_is_behind_it_by_more_than_five_minutes() {
        let (_dir, path) = path();
        let now = Duration::from_secs(1_795_262_400);
        assert_eq!(behind(&path, now), None, "there is no file");
        let last = now + TOLERANCE;
        fs::write(&path, format!("v1 {:020} {:020}\n", 7, last.as_secs())).unwrap();
        assert_eq!(behind(&path, now), None);
        assert_eq!(behind(&path, now - Duration::from_secs(1)), Some(last));
    }

    #[test]
    fn knows_better_than_an_old_database() {
        let (_dir, path) = path();
        Mark::open(&path, 0).unwrap().raise(7).unwrap();
        assert_eq!(Mark::open(&path, 3).unwrap().highest(), 7);
    }

    #[test]
    fn leaps_when_it_is_missing_or_unreadable_beside_a_database_in_use() {
        for content in ["", "v1 x y\n", "v2 1 1\n", "\u{fffd}"] {
            let (_dir, path) = path();
            fs::write(&path, content).unwrap();
            assert_eq!(Mark::open(&path, 3).unwrap().highest(), LEAP, "{content:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn leaps_when_it_was_put_back_later_than_it_was_written() {
        let (_dir, path) = path();
        let an_hour_ago = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs()
            - 3600;
        fs::write(&path, format!("v1 {:020} {an_hour_ago:020}\n", LEAP + 5)).unwrap();
        assert_eq!(Mark::open(&path, 3).unwrap().highest(), 2 * LEAP);
        assert_eq!(Mark::open(&path, 3).unwrap().highest(), 2 * LEAP);
    }
}
