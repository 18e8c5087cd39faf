//! How many backups stay in a directory: the newest ones of this CUHK. What this program has not
//! made, it does not touch.

use std::fs::{self, DirEntry};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_certs::Fingerprint;
use scb_cli::rfc3339;

use super::archive::manifest_of;
use crate::Error;
use crate::draft;
use crate::time::later;

/// So far a clock may have been ahead of this one when it named a backup: 5 min.
const SLACK: Duration = Duration::from_secs(5 * 60);

/// The name of a backup in a directory, by its time in UTC: in the order of the names is in the order
/// of time.
pub(super) fn name(now: UnixTime) -> String {
    format!("cuhk-{}.zip", rfc3339(now).replace(':', ""))
}

/// As [`name`] makes them: `cuhk-2026-11-21T031500Z.zip`.
fn is_name(name: &str) -> bool {
    const SHAPE: &[u8] = b"cuhk-0000-00-00T000000Z.zip";
    let fits = |(byte, shape): (u8, &u8)| match shape {
        b'0' => byte.is_ascii_digit(),
        _ => byte == *shape,
    };
    name.len() == SHAPE.len() && name.bytes().zip(SHAPE).all(fits)
}

/// Removes all but the newest backups of the CUHK with this first root; answers which. A file with
/// such a name that is no backup, or another CUHK's, neither goes nor counts; nor does one of a time
/// that is still to come: a clock that was ahead has named it, and it would outlive all others.
///
/// # Errors
///
/// [`Error::Local`].
pub(super) fn thin(
    dir: &Path,
    keep: NonZeroUsize,
    root: &Fingerprint,
    now: UnixTime,
) -> Result<Vec<PathBuf>, Error> {
    let latest = name(later(now, SLACK));
    let mut own = Vec::new();
    for entry in fs::read_dir(dir).map_err(draft::file("read", dir))? {
        let entry = entry.map_err(draft::file("read", dir))?;
        if is_own(&entry, root) && entry.file_name().to_str() <= Some(latest.as_str()) {
            own.push(entry.path());
        }
    }
    own.sort();
    own.truncate(own.len().saturating_sub(keep.get()));
    for old in &own {
        fs::remove_file(old).map_err(draft::file("remove", old))?;
    }
    Ok(own)
}

fn is_own(entry: &DirEntry, root: &Fingerprint) -> bool {
    let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
    is_file
        && entry.file_name().to_str().is_some_and(is_name)
        && manifest_of(&entry.path()).is_ok_and(|manifest| manifest.root_sha256 == *root)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_known_again_and_another_is_not() {
        let now = UnixTime::since_unix_epoch(Duration::from_secs(1_795_230_900));
        assert_eq!(name(now), "cuhk-2026-11-21T031500Z.zip");
        assert!(is_name(&name(now)));
        for other in [
            "",
            "cuhk-2026-11-21T031500.zip",
            "cuhk-2026-11-21T031500Z.zip.gpg",
            "cuhk-before-upgrade.zip",
            "cuhk-2026-11-21T0315xxZ.zip",
            "CUHK-2026-11-21T031500Z.zip",
        ] {
            assert!(!is_name(other), "{other}");
        }
    }
}
