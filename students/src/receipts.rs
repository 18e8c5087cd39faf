//! The receipts that are kept here, and beside them what Blackboard signed when it refused, when it
//! had recorded what was signed, or when it told the rules.

use std::path::{Path, PathBuf};

use scb_certs::Fingerprint;
use scb_cli::{read_limited, write_atomic};
use scb_protocol::announcement::VerifiedAnnouncement;
use scb_protocol::commitment::VerifiedCommitment;
use scb_protocol::log_leaf::LogName;
use scb_protocol::receipt::MAX_RECEIPT;
use scb_protocol::rejection::VerifiedRejection;
use scb_protocol::statement::SubmissionNumber;

use crate::Error;
use crate::home::{ensure_dir, entries, sync_dir};

/// Where rejections are, within the directory of receipts.
const REFUSED: &str = "refused";
/// Where commitments are, within the directory of receipts.
const COMMITTED: &str = "committed";
/// Where announcements are, within the directory of receipts.
const RULES: &str = "rules";

/// Keeps a verified receipt as `S-000001.zip`. Evidence is never overwritten: if another
/// receipt of that number is there, such as another Blackboard's, a part of the hash is added
/// to the name.
///
/// # Errors
///
/// [`Error::Cli`].
pub(crate) fn save(dir: &Path, number: SubmissionNumber, zip: &[u8]) -> Result<PathBuf, Error> {
    let second = format!("{number}-{}.zip", part_of_hash(zip));
    Ok(save_as(dir, &[format!("{number}.zip"), second], zip)?.0)
}

/// Keeps a verified receipt beside the one of that number which has something that it lacks, under a name that
/// says so: `S-000001-with-less-5f2b6c0e….zip`. Answers whether it is new.
///
/// # Errors
///
/// [`Error::Cli`].
pub(crate) fn save_beside(
    dir: &Path,
    number: SubmissionNumber,
    zip: &[u8],
) -> Result<(PathBuf, bool), Error> {
    let name = format!("{number}-with-less-{}.zip", part_of_hash(zip));
    save_as(dir, &[name], zip)
}

fn part_of_hash(zip: &[u8]) -> String {
    Fingerprint::of(zip).to_string()[..16].to_owned()
}

/// Under the first of these names that nothing else has, and whether it is new.
fn save_as(dir: &Path, names: &[String], zip: &[u8]) -> Result<(PathBuf, bool), Error> {
    ensure_dir(dir)?;
    for name in names {
        let path = dir.join(name);
        if !path.exists() {
            write_atomic(&path, zip, 0o644)?;
            return Ok((path, true));
        }
        if read(&path)? == zip {
            return Ok((path, false));
        }
    }
    // Two receipts that share number and 64 bits of SHA-256 are the same or made to collide.
    Err(Error::file("keep a second receipt in", dir)(
        std::io::ErrorKind::AlreadyExists.into(),
    ))
}

/// Puts a receipt that is complete in the place of the same one whose proof was still to come.
///
/// # Errors
///
/// [`Error::Cli`].
pub fn complete(path: &Path, zip: &[u8]) -> Result<(), Error> {
    Ok(write_atomic(path, zip, 0o644)?)
}

/// Reads a receipt of at most the protocol's size.
///
/// # Errors
///
/// [`Error::Cli`].
pub fn read(path: &Path) -> Result<Vec<u8>, Error> {
    Ok(read_limited(path, MAX_RECEIPT as u64)?)
}

/// Keeps a verified rejection in `refused/`, under the place of its entry. The same entry is kept
/// once.
///
/// # Errors
///
/// [`Error::Cli`].
pub(crate) fn save_rejection(
    dir: &Path,
    rejection: &VerifiedRejection,
    zip: &[u8],
) -> Result<PathBuf, Error> {
    let name = entry_name(rejection.entry(), rejection.commitment());
    let path = in_dir(dir, REFUSED, &name)?;
    if !path.exists() {
        write_atomic(&path, zip, 0o644)?;
    }
    Ok(path)
}

/// Keeps a verified commitment in `committed/`, under the place of its entry: another entry has
/// another name, and takes the place of none.
///
/// # Errors
///
/// [`Error::Cli`].
pub(crate) fn save_commitment(
    dir: &Path,
    commitment: &VerifiedCommitment,
    zip: &[u8],
) -> Result<PathBuf, Error> {
    let name = entry_name(commitment.entry(), commitment.leaf_sha256());
    let path = in_dir(dir, COMMITTED, &name)?;
    if read(&path).ok().as_deref() != Some(zip) {
        write_atomic(&path, zip, 0o644)?;
    }
    Ok(path)
}

/// Removes a commitment that has done its work.
///
/// # Errors
///
/// [`Error::Cli`].
pub(crate) fn remove_commitment(path: &Path) -> Result<(), Error> {
    std::fs::remove_file(path).map_err(Error::file("remove", path))?;
    sync_dir(path.parent().unwrap_or(path))
}

/// Keeps a verified announcement in `rules/`, under the place of its entry. The same entry is kept once,
/// whenever it was signed.
///
/// # Errors
///
/// [`Error::Cli`].
pub(crate) fn save_announcement(
    dir: &Path,
    announcement: &VerifiedAnnouncement,
    zip: &[u8],
) -> Result<PathBuf, Error> {
    let name = entry_name(announcement.entry(), announcement.leaf_sha256());
    let path = in_dir(dir, RULES, &name)?;
    if !path.exists() {
        write_atomic(&path, zip, 0o644)?;
    }
    Ok(path)
}

/// Every announcement file, in the order of its name.
///
/// # Errors
///
/// [`Error::Cli`].
pub(crate) fn list_announcements(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    list(&dir.join(RULES))
}

/// `CSCI3150-lab-1-8-5f2b6c0e.zip`: the log's place, the number of the entry and a part of its hash.
fn entry_name((log, index): (&LogName, u64), leaf_sha256: Fingerprint) -> String {
    let (course, assignment) = (log.course(), log.assignment());
    let hash = leaf_sha256.to_string();
    format!("{course}-{assignment}-{index}-{}.zip", &hash[..8])
}

fn in_dir(dir: &Path, within: &str, name: &str) -> Result<PathBuf, Error> {
    let dir = dir.join(within);
    ensure_dir(&dir)?;
    Ok(dir.join(name))
}

/// Every commitment file, in the order of its name.
///
/// # Errors
///
/// [`Error::Cli`].
pub fn list_commitments(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    list(&dir.join(COMMITTED))
}

/// Every rejection file, in the order of its name.
///
/// # Errors
///
/// [`Error::Cli`].
pub(crate) fn list_rejections(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    list(&dir.join(REFUSED))
}

/// Every receipt file, in the order of its name.
///
/// # Errors
///
/// [`Error::Cli`].
pub fn list(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let names = entries(dir)?;
    let paths = names.iter().map(|name| dir.join(name));
    let is_receipt = |path: &PathBuf| path.extension() == Some("zip".as_ref());
    let mut paths: Vec<_> = paths.filter(is_receipt).collect();
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn number(n: u64) -> SubmissionNumber {
        SubmissionNumber::new(n).unwrap()
    }

    #[test]
    fn the_same_receipt_is_kept_once() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("receipts");
        let first = save(&dir, number(1), b"one").unwrap();
        assert_eq!(first, dir.join("S-000001.zip"));
        assert_eq!(save(&dir, number(1), b"one").unwrap(), first);
        assert_eq!(list(&dir).unwrap(), [first]);
    }

    #[test]
    fn another_receipt_of_that_number_overwrites_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let first = save(dir.path(), number(1), b"one").unwrap();
        let other = save(dir.path(), number(1), b"two").unwrap();
        assert_ne!(first, other);
        assert_eq!(
            (read(&first).unwrap(), read(&other).unwrap()),
            (b"one".into(), b"two".into())
        );
        assert_eq!(list(dir.path()).unwrap().len(), 2);
    }

    #[test]
    fn one_with_less_is_kept_beside_it_once() {
        let dir = tempfile::tempdir().unwrap();
        let first = save(dir.path(), number(1), b"all of it").unwrap();
        let (beside, is_new) = save_beside(dir.path(), number(1), b"less").unwrap();
        assert!(is_new);
        let name = beside.file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with("S-000001-with-less-"), "{name}");
        let again = save_beside(dir.path(), number(1), b"less").unwrap();
        assert_eq!(again, (beside.clone(), false));
        assert_eq!(read(&first).unwrap(), b"all of it");
        assert_eq!(list(dir.path()).unwrap(), [beside, first]);
    }

    #[test]
    fn lists_receipts_only() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("notes.txt"), "x").unwrap();
        assert!(list(dir.path()).unwrap().is_empty());
        assert!(list(&dir.path().join("none")).unwrap().is_empty());
    }
}
