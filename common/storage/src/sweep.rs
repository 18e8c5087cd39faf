//! Content that nothing names: what a process left that died between storing and recording.

use std::{
    collections::HashSet,
    fs::{self, DirEntry},
    path::Path,
    time::SystemTime,
};

use data_encoding::HEXLOWER;

use crate::Error;

/// Removes files of content below `dir` that are older than `before` and not in `named`;
/// whatever does not look like content stays. Returns how many were removed.
pub(crate) fn sweep(
    dir: &Path,
    before: SystemTime,
    named: &HashSet<[u8; 32]>,
) -> Result<usize, Error> {
    let mut removed = 0;
    for prefix in 0..=u8::MAX {
        let dir = dir.join(HEXLOWER.encode(&[prefix]));
        for entry in fs::read_dir(&dir).map_err(Error::io("list", &dir))? {
            let entry = entry.map_err(Error::io("list", &dir))?;
            let Some(sha256) = content_of(&entry, prefix) else {
                continue;
            };
            if named.contains(&sha256) || !is_older(&entry, before)? {
                continue;
            }
            let path = entry.path();
            fs::remove_file(&path).map_err(Error::io("remove", &path))?;
            tracing::info!(path = %path.display(), "removed content that nothing names");
            removed += 1;
        }
    }
    Ok(removed)
}

/// The hash that the file's name says, if it is one that belongs here.
pub(crate) fn content_of(entry: &DirEntry, prefix: u8) -> Option<[u8; 32]> {
    let name = entry.file_name();
    let sha256: [u8; 32] = HEXLOWER
        .decode(name.as_encoded_bytes())
        .ok()?
        .try_into()
        .ok()?;
    (sha256[0] == prefix).then_some(sha256)
}

fn is_older(entry: &DirEntry, before: SystemTime) -> Result<bool, Error> {
    let path = entry.path();
    let metadata = entry.metadata().map_err(Error::io("look at", &path))?;
    let written = metadata.modified().map_err(Error::io("look at", &path))?;
    Ok(metadata.is_file() && written < before)
}
