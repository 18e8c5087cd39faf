//! The highest number ever given, in a file beside the database.
//!
//! A backup of the database put back knows less than was given out since. This file still
//! knows; and if it was put back too, the time at which the file system last touched it
//! gives that away. Then numbering goes on far beyond whatever may have been given, and the file
//! says that the home was put back until its logs are known to be no older than the witness's. Where
//! the logs have lost entries, numbering goes on there as well, whatever the file system says.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use scb_cli::{Home, sync_dir};

use super::{Error, Inspector, NUMBERS, Store};
use crate::platform::{changed_at, open_private};

/// Numbers for each millisecond since 1970: after a backup was put back, numbering goes on at the
/// one that the moment has. Nobody takes in so much, so that the next time the same backup is put
/// back is beyond all that was given since this time.
const PER_MILLISECOND: u64 = 10;
/// Numbers for each entry that is lost, and as many beyond: what failed after its number was noted has no
/// entry, and the clock by which numbering went on before may have been ahead.
const APART: u64 = 10_000;
/// What the file says of a home that was put back and not compared with its witness since; of any
/// other nothing.
const PUT_BACK: &str = "put-back";
/// How far the file system's time of a write may be from the time noted in it.
const SLACK: Duration = Duration::from_secs(2);

/// How far this machine's clock may be behind the file: 5 min.
const TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// The time at which the last number was noted in the file, if the clock says less by more than
/// five minutes: since 1970.
pub(crate) fn behind(path: &Path, now: Duration) -> Option<Duration> {
    // What else is wrong with it is told when it is used.
    noted_at(path).filter(|written| *written > now + TOLERANCE)
}

/// The time at which the last number was noted in the file, if it can be told: since 1970.
pub(crate) fn noted_at(path: &Path) -> Option<Duration> {
    match read(&mut File::open(path).ok()?) {
        Ok(Noted::At(line)) => Some(line.written),
        _ => None,
    }
}

/// Whether the home was put back from a backup, as far as the file can tell, and has not been
/// compared with its witness since. Nothing is changed.
///
/// # Errors
///
/// The file cannot be read.
pub(crate) fn is_put_back(path: &Path) -> io::Result<bool> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        file => file?,
    };
    let noted = read(&mut file)?;
    let touched = changed_at(&file)?;
    Ok(match noted {
        Noted::At(line) => line.is_put_back || !is_untouched(line.written, touched),
        Noted::Garbage => true,
        // Whoever opens it says what follows.
        Noted::Nothing => false,
    })
}

impl Store {
    /// Whether its home was put back from a backup and not compared with its witness since, as far as that can be told.
    ///
    /// # Errors
    ///
    /// [`Error::Mark`].
    pub(crate) fn is_put_back(&self) -> Result<bool, Error> {
        let path = self.database.path().with_file_name(NUMBERS);
        is_put_back(&path).map_err(|source| Error::Mark { path, source })
    }
}

impl Inspector {
    /// The same of a home.
    ///
    /// # Errors
    ///
    /// [`Error::Mark`].
    pub(crate) fn is_put_back(home: &Home) -> Result<bool, Error> {
        let path = home.path(NUMBERS);
        is_put_back(&path).map_err(|source| Error::Mark { path, source })
    }
}

/// The open file and what it says.
///
/// Opening changes no file that is there: of a home that was put back something is noted only with the
/// next number, or once its logs were compared, as whoever refuses an old home leaves it as it is. Until
/// then the file's time tells the next one, too.
#[derive(Debug)]
pub(crate) struct Mark {
    file: File,
    highest: u64,
    is_put_back: bool,
}

impl Mark {
    /// Opens the file, given the highest number in the database, and how many entries of its logs are
    /// lost.
    pub(crate) fn open(path: &Path, in_database: (u64, u64)) -> io::Result<Self> {
        Self::open_at(path, in_database, since_1970())
    }

    fn open_at(path: &Path, (in_database, lost): (u64, u64), now: Duration) -> io::Result<Self> {
        let mut file = open_private(path)?;
        let noted = read(&mut file)?;
        let touched = changed_at(&file)?;
        let mut mark = Self {
            file,
            highest: in_database,
            is_put_back: false,
        };
        match noted {
            Noted::Nothing if in_database == 0 => {
                mark.raise(0)?;
                sync_dir(path.parent().unwrap_or(Path::new(".")))?;
            }
            Noted::At(line) if is_untouched(line.written, touched) => {
                (mark.highest, mark.is_put_back) = (line.number, line.is_put_back);
                if let Some(next) = overtaken(line.number, (in_database, lost), now) {
                    mark.highest = next;
                }
            }
            Noted::At(line) => mark.leap(line.number.max(in_database), now),
            Noted::Nothing | Noted::Garbage => mark.leap(in_database, now),
        }
        Ok(mark)
    }

    /// The highest number ever given.
    pub(crate) fn highest(&self) -> u64 {
        self.highest
    }

    /// Whether the home was put back from a backup and not compared with its witness since.
    pub(crate) fn is_put_back(&self) -> bool {
        self.is_put_back
    }

    /// Notes a higher number, durably.
    pub(crate) fn raise(&mut self, number: u64) -> io::Result<()> {
        self.write(number, self.is_put_back)
    }

    /// Notes, durably, that the logs were compared with what the witness has seen of them.
    pub(crate) fn compared(&mut self) -> io::Result<()> {
        self.write(self.highest, false)
    }

    /// Goes on beyond every number that may have been given out meanwhile, where so many entries are
    /// known to be lost.
    pub(crate) fn skip(&mut self, lost: u64) -> io::Result<()> {
        let next = beyond((self.highest, lost), since_1970());
        self.write(next, self.is_put_back)
    }

    /// Goes on beyond a number in the database that was never noted here: it came back from a receipt, and
    /// those that were given after it may be lost.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub(crate) fn overtake(&mut self, (in_database, lost): (u64, u64)) -> io::Result<()> {
        match overtaken(self.highest, (in_database, lost), since_1970()) {
            Some(next) => self.write(next, self.is_put_back),
            None => Ok(()),
        }
    }

    fn leap(&mut self, from: u64, now: Duration) {
        let next = beyond((from, 0), now);
        tracing::warn!(
            "this home was put back from a backup or its files were touched: to use no number \
             twice, numbering goes on after S-{next:06}"
        );
        (self.highest, self.is_put_back) = (next, true);
    }

    /// One short line in place of the one before, so that the number is never without the word.
    fn write(&mut self, number: u64, is_put_back: bool) -> io::Result<()> {
        let (at, word) = (
            since_1970().as_secs(),
            if is_put_back { PUT_BACK } else { "" },
        );
        let line = format!("v1 {number:020} {at:020} {word:8}\n");
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(line.as_bytes())?;
        match self.file.sync_data() {
            Err(error) if error.kind() != io::ErrorKind::StorageFull => die(&error),
            synced => synced?,
        }
        (self.highest, self.is_put_back) = (number, is_put_back);
        Ok(())
    }
}

/// After which number to go on where the database has one beyond the highest that was noted.
fn overtaken(noted: u64, (in_database, lost): (u64, u64), now: Duration) -> Option<u64> {
    let next = (in_database > noted).then(|| beyond((in_database, lost), now))?;
    tracing::warn!(
        "S-{in_database:06} came back from a time when numbers were higher: to use no number twice, \
         numbering goes on after S-{next:06}"
    );
    Some(next)
}

/// A number beyond all that can have been given until now: by the clock, and by what is known here and
/// how many entries are lost, as the clock was ahead when numbering went on by it before.
fn beyond((from, lost): (u64, u64), now: Duration) -> u64 {
    let milliseconds = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    let next = milliseconds.saturating_mul(PER_MILLISECOND);
    let apart = lost.saturating_add(1).saturating_mul(APART);
    next.max(from.saturating_add(apart))
}

fn since_1970() -> Duration {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default()
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
    At(Line),
}

struct Line {
    number: u64,
    written: Duration,
    is_put_back: bool,
}

fn read(file: &mut File) -> io::Result<Noted> {
    let mut text = String::new();
    if file.take(64).read_to_string(&mut text).is_err() {
        return Ok(Noted::Garbage);
    }
    if text.is_empty() {
        return Ok(Noted::Nothing);
    }
    Ok(parse(&text).map_or(Noted::Garbage, Noted::At))
}

fn parse(text: &str) -> Option<Line> {
    let mut parts = text.strip_prefix("v1 ")?.split_whitespace();
    let number = parts.next()?.parse().ok()?;
    let written = Duration::from_secs(parts.next()?.parse().ok()?);
    let is_put_back = match (parts.next(), parts.next()) {
        (None, None) => false,
        (Some(PUT_BACK), None) => true,
        _ => return None,
    };
    Some(Line {
        number,
        written,
        is_put_back,
    })
}

fn is_untouched(written: Duration, touched: Option<Duration>) -> bool {
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
        let mut mark = Mark::open(&path, (0, 0)).unwrap();
        assert_eq!(mark.highest(), 0);
        mark.raise(7).unwrap();
        assert_eq!(Mark::open(&path, (7, 0)).unwrap().highest(), 7);
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
        Mark::open(&path, (0, 0)).unwrap().raise(7).unwrap();
        assert_eq!(Mark::open(&path, (3, 0)).unwrap().highest(), 7);
    }

    #[test]
    fn goes_on_beyond_what_came_back_with_a_number_that_is_higher_and_what_was_lost_after_it() {
        let (_dir, path) = path();
        let ahead = LEAP + 2 * 3_600_000 * PER_MILLISECOND;
        let after = ahead + (3 + 1) * APART;
        Mark::open(&path, (0, 0)).unwrap().raise(7).unwrap();
        let of = |in_database| Mark::open_at(&path, (in_database, 3), NOW).unwrap();
        assert_eq!(of(ahead).highest(), after);
        assert!(!of(ahead).is_put_back(), "its logs were compared");
        // As well by a server that ran meanwhile.
        let mut mark = of(7);
        mark.overtake((7, 3)).unwrap();
        assert_eq!(mark.highest(), 7);
        mark.overtake((u64::MAX / 2, 3)).unwrap();
        assert!(mark.highest() >= u64::MAX / 2 + (3 + 1) * APART);
        assert_eq!(of(ahead).highest(), mark.highest());
    }

    const NOW: Duration = Duration::from_millis(1_795_262_400_123);
    const LEAP: u64 = 17_952_624_001_230;

    #[test]
    fn leaps_when_it_is_missing_or_unreadable_beside_a_database_in_use() {
        for content in ["", "v1 x y\n", "v2 1 1\n", "v1 1 1 put-forth\n", "\u{fffd}"] {
            let (_dir, path) = path();
            fs::write(&path, content).unwrap();
            let mark = Mark::open_at(&path, (3, 0), NOW).unwrap();
            assert_eq!(mark.highest(), LEAP, "{content:?}");
            assert!(mark.is_put_back());
        }
    }

    /// As a backup of an hour ago that was put back just now.
    #[cfg(unix)]
    fn put_back(path: &Path, number: u64) {
        let an_hour_ago = since_1970().as_secs() - 3600;
        fs::write(
            path,
            format!("v1 {number:020} {an_hour_ago:020} {:8}\n", ""),
        )
        .unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn leaps_when_it_was_put_back_later_than_it_was_written() {
        let (_dir, path) = path();
        for (number, next) in [(5, LEAP), (LEAP, LEAP + APART)] {
            put_back(&path, number);
            assert_eq!(Mark::open_at(&path, (3, 0), NOW).unwrap().highest(), next);
            assert_eq!(Mark::open_at(&path, (3, 0), NOW).unwrap().highest(), next);
        }
    }

    #[cfg(unix)]
    #[test]
    fn leaps_beyond_what_it_gave_after_the_same_backup_was_put_back_before() {
        let (_dir, path) = path();
        put_back(&path, 5);
        let mut first = Mark::open_at(&path, (5, 0), NOW).unwrap();
        let given = first.highest() + 9_999;
        first.raise(given).unwrap();
        put_back(&path, 5);
        let second = Mark::open_at(&path, (5, 0), NOW + Duration::from_secs(1)).unwrap();
        assert!(second.highest() > given);
    }

    #[test]
    fn skips_what_was_lost_also_where_the_clock_was_ahead_once() {
        let (_dir, path) = path();
        let mut mark = Mark::open(&path, (0, 0)).unwrap();
        mark.skip(3).unwrap();
        let by_clock = mark.highest();
        assert!(by_clock > 10_000_000_000_000, "{by_clock}");
        // By a clock that was two days ahead.
        let ahead = by_clock + 2 * 86_400_000 * PER_MILLISECOND;
        mark.raise(ahead).unwrap();
        mark.skip(3).unwrap();
        assert!(mark.highest() > ahead + 3 * 1000, "{}", mark.highest());
        assert_eq!(Mark::open(&path, (0, 0)).unwrap().highest(), mark.highest());
        let before = mark.highest();
        mark.skip(0).unwrap();
        assert!(mark.highest() > before);
    }

    #[cfg(unix)]
    #[test]
    fn says_that_it_was_put_back_until_the_logs_were_compared() {
        let (_dir, path) = path();
        assert!(!is_put_back(&path).unwrap(), "there is no file");
        Mark::open(&path, (0, 0)).unwrap().raise(3).unwrap();
        assert!(!is_put_back(&path).unwrap());
        put_back(&path, 3);
        assert!(is_put_back(&path).unwrap(), "before anybody opened it");
        let mut mark = Mark::open(&path, (3, 0)).unwrap();
        mark.raise(mark.highest() + 1).unwrap();
        assert!(Mark::open(&path, (3, 0)).unwrap().is_put_back());
        assert!(is_put_back(&path).unwrap());
        mark.compared().unwrap();
        assert!(!is_put_back(&path).unwrap());
        let again = Mark::open(&path, (3, 0)).unwrap();
        assert!(!again.is_put_back());
        assert_eq!(again.highest(), mark.highest());
    }
}
