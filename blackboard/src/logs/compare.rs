//! Whether the database and the tiles hold the same logs: what was signed once must still be so.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use scb_protocol::log_leaf::LogName;
use scb_tlog::{HashReader as _, TileLog, Tiles};

use crate::store::{Error, Store};

/// Entries in one bundle of the tiles.
const BUNDLE: usize = 256;

/// What a database may lack that was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lacking {
    /// Nothing: it is an old one otherwise.
    Nothing,
    /// The newest entries, by its operator's word.
    Newest,
}

/// No directory of a log is there of which the database knows nothing.
pub(super) fn check_directories(directory: &Path, names: &[LogName]) -> Result<(), Error> {
    match unknown(directory, names)?.into_iter().next() {
        None => Ok(()),
        Some(path) => Err(Error::LogUnknown { path }),
    }
}

/// The logs of which the database knows nothing, by their directories.
pub(super) fn unknown_logs(directory: &Path, names: &[LogName]) -> Result<Vec<LogName>, Error> {
    let named = |path: PathBuf| {
        let checkpoint = TileLog::open(&path)?.published()?;
        let name = checkpoint.and_then(|checkpoint| checkpoint.origin().as_str().parse().ok());
        let is_its = |name: &LogName| path.ends_with(super::directory(name));
        name.filter(is_its).ok_or(Error::LogUnknown { path })
    };
    unknown(directory, names)?.into_iter().map(named).collect()
}

fn unknown(directory: &Path, names: &[LogName]) -> Result<Vec<PathBuf>, Error> {
    let known: BTreeSet<String> = names.iter().map(super::directory).collect();
    let unreadable = |source| Error::LogDirectory {
        path: directory.to_owned(),
        source,
    };
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        read => read.map_err(unreadable)?,
    };
    let mut unknown = Vec::new();
    for entry in entries {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_log = entry.path().join("checkpoint").exists();
        if is_log && !known.contains(&name) {
            unknown.push(entry.path());
        }
    }
    Ok(unknown)
}

/// Every entry in the tiles is the database's, as far as that may not lack them.
pub(super) fn check_entries(
    store: &Store,
    log: &LogName,
    (tiles, lacking): (&Tiles, Lacking),
) -> Result<(), Error> {
    let database = store.log_size_blocking(log)?;
    if database < tiles.size() && lacking == Lacking::Nothing {
        return Err(Error::LogBehind {
            log: log.clone(),
            database,
            tiles: tiles.size(),
        });
    }
    for first in (0..tiles.size()).step_by(BUNDLE) {
        let here = store.commitments_blocking(log, first, BUNDLE)?;
        let there = tiles.bundle(first)?;
        let differs = |(here, there): (&[u8; 32], &Vec<u8>)| here.as_slice() != there.as_slice();
        let place = here.iter().zip(&there).position(differs);
        if let Some(place) = place {
            return Err(Error::LogContradicted {
                log: log.clone(),
                index: first + place as u64,
            });
        }
    }
    Ok(())
}
