//! `cuhk backup` and `cuhk restore`: everything that cannot be made again, in one file.
//!
//! The file is a ZIP archive, uncompressed, with a manifest. It holds the database, the
//! encrypted keys and certificates of the authorities, the configuration and the issuance log
//! with its key. It never holds a key that is not encrypted: the server's own keys are made anew
//! by `serve`.

mod archive;
mod manifest;
mod restore;
mod retention;
mod source;
mod workshop;

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use rustls_pki_types::UnixTime;
use scb_cli::{Home, rfc3339};
use scb_storage::snapshot;

use crate::Error;
use crate::config::path;
use crate::draft;
use crate::issuers::read_certificate;
use crate::passphrase_change::{fingerprints, finish_begun, require_unchanged};
use crate::store::Store;

use archive::{Verified, Writing};
use manifest::Manifest;
use workshop::Workshop;

pub(crate) use manifest::MAX_FILES;
pub(crate) use restore::{Moment, Restored, Stage, restore};

/// A backup that was written and read back.
#[derive(Debug)]
pub(crate) struct Backup {
    /// Where it is.
    pub(crate) file: PathBuf,
    /// How many files are in it.
    pub(crate) files: usize,
    /// How many bytes they have together.
    pub(crate) bytes: u64,
    /// Files of the home that were left out because they hold a key in the clear.
    pub(crate) left_out: Vec<String>,
}

/// Writes a backup of `home` into a directory, named by its time.
///
/// # Errors
///
/// As for [`back_up`].
pub(crate) fn back_up_into(home: &Home, dir: &Path, now: UnixTime) -> Result<Backup, Error> {
    back_up(home, &dir.join(retention::name(now)), now)
}

/// Refuses a directory that is not there: where a disk should be mounted, one that is made would take the
/// backup to the wrong disk.
///
/// # Errors
///
/// [`Error::NoDirectory`].
pub(crate) fn require_directory(dir: &Path) -> Result<(), Error> {
    match dir.as_os_str().is_empty() || dir.is_dir() {
        true => Ok(()),
        false => Err(Error::NoDirectory {
            path: dir.to_owned(),
        }),
    }
}

/// Removes all but the newest backups of this home that [`back_up_into`] has made in a directory until
/// now; answers which.
///
/// # Errors
///
/// [`Error::Local`].
pub(crate) fn thin(
    home: &Home,
    dir: &Path,
    keep: NonZeroUsize,
    now: UnixTime,
) -> Result<Vec<PathBuf>, Error> {
    let root = read_certificate(home, path::ROOT)?.fingerprint();
    retention::thin(dir, keep, &root, now)
}

/// Writes a backup of `home` to `file`, which must not exist. A server may run meanwhile: the
/// database is copied as it is at one moment. What was written is read back before it gets its
/// name.
///
/// # Errors
///
/// [`Error::BackupExists`]; [`Error::NoDirectory`], as a disk may be missing there;
/// [`Error::KeyInTheClear`] if an authority's key is not encrypted; [`Error::BackupTooLarge`];
/// [`Error::KeysChanged`] if they got another passphrase meanwhile; [`Error::Storage`] if the database is
/// damaged; [`Error::Local`]. Then there is no file.
pub(crate) fn back_up(home: &Home, file: &Path, now: UnixTime) -> Result<Backup, Error> {
    if fs::symlink_metadata(file).is_ok() {
        return Err(Error::BackupExists {
            path: file.to_owned(),
        });
    }
    require_directory(file.parent().unwrap_or(file))?;
    finish_begun(home.dir())?;
    let keys = fingerprints(home)?;
    let workshop = Workshop::beside(file)?;
    let database = workshop.dir().join(path::DATABASE);
    // The log first: every entry in it was in the database before, and what waits there for the log is entered by
    // the next server. The other way round the contents of the newest entries would be lost.
    let log = source::log_of_one_moment(home, workshop.dir())?;
    snapshot(&home.path(path::DATABASE), &database)?;
    let (sources, left_out) = source::collect(home, database.clone(), log)?;
    manifest::require_room(sources.len())?;

    let draft = workshop.dir().join("archive");
    let mut writing = Writing::create(&draft)?;
    for source in &sources {
        writing.add(source)?;
    }
    let files = writing.finish(|files| {
        Ok(Manifest::new(
            files,
            Store::inspect(&database)?.schema,
            rfc3339(now),
            read_certificate(home, path::ROOT)?.fingerprint(),
        ))
    })?;
    Verified::open(&draft, &mut |_, _| {})?;
    require_unchanged(home, &keys)?;
    fs::rename(&draft, file).map_err(draft::file("write", file))?;
    draft::sync_parent(file)?;
    Ok(Backup {
        file: file.to_owned(),
        files: files.len(),
        bytes: files.iter().map(|file| file.size).sum(),
        left_out,
    })
}
