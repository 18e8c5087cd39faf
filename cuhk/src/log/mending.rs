//! Damaged files of the log, and the smallest step by which it becomes whole again. The database has
//! every entry, unless old questions were removed from it: then it makes the very same tree anew.

use std::path::Path;

use scb_storage::BATCH;
use scb_tlog::{StreamedTree, TreeHead, claimed};

use crate::Error;
use crate::store::Log;

/// How the log becomes whole again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mending {
    /// The database leads to the tree that the files claim: it makes them anew.
    FromDatabase,
    /// Old questions were removed from the database: the log's files have to come from a copy.
    FromCopy,
    /// The database is older than the log, or another one: neither has all entries.
    Restore,
}

impl Mending {
    /// What is needed for the log in `directory`. Reads the commitments of all entries.
    fn of(log: &Log<'_>, directory: &Path) -> Result<Self, Error> {
        if log.removed()?.is_some() {
            return Ok(Self::FromCopy);
        }
        let claims = claimed(directory);
        // Of two files one may be the damaged one.
        for claim in &claims {
            if leads_to(log, claim)? {
                return Ok(Self::FromDatabase);
            }
        }
        Ok(match claims.is_empty() {
            true => Self::FromDatabase,
            false => Self::Restore,
        })
    }

    /// What to do, for the person at the keyboard.
    pub(crate) fn remedy(self, directory: &Path) -> String {
        let directory = directory.display();
        let aside =
            format!("stop the server, move the log aside: mv {directory} {directory}.damaged");
        match self {
            Self::FromDatabase => format!(
                "{aside}; then start `cuhk serve`: the database has every entry and makes the same \
                 log anew. No backup is needed, and nothing is lost"
            ),
            Self::FromCopy => format!(
                "{aside}; put the directory `log` of the newest backup in its place (cuhk restore \
                 FILE --home NEW, and copy it from there) and start `cuhk serve`, which goes on after \
                 it. Leave the database as it is"
            ),
            Self::Restore => "the database lacks entries of this log, or is another one: stop the \
                              server and restore the newest backup to a new home: cuhk restore FILE \
                              --home NEW"
                .to_owned(),
        }
    }
}

/// An error of the log's files, with what to do about it; any other as it is.
pub(crate) fn with_mending(error: Error, log: &Log<'_>, directory: &Path) -> Error {
    let source = match error {
        Error::Log(source) if is_of_contents(&source) => source,
        other => return other,
    };
    match Mending::of(log, directory) {
        Ok(mending) => Error::LogDamaged {
            path: directory.to_owned(),
            mending,
            source,
        },
        Err(error) => error,
    }
}

/// Whether the files hold something else than was written. A checkpoint that another key has signed
/// may be right, and the key wrong.
fn is_of_contents(error: &scb_tlog::Error) -> bool {
    use scb_tlog::Error::{Damaged, GrowthUnproved, Malformed, OutOfRange, SignatureInvalid};
    matches!(
        error,
        Damaged { .. }
            | GrowthUnproved { .. }
            | Malformed { .. }
            | OutOfRange { .. }
            | SignatureInvalid { .. }
    )
}

/// Whether the database's first entries make this tree.
fn leads_to(log: &Log<'_>, claim: &TreeHead) -> Result<bool, Error> {
    let (mut tree, mut size) = (StreamedTree::default(), 0);
    while size < claim.size {
        let most = claim.size.saturating_sub(size).min(BATCH as u64);
        let some = log.commitments(size, most as usize)?;
        if some.is_empty() {
            return Ok(false);
        }
        some.iter().for_each(|commitment| tree.push(commitment));
        size += some.len() as u64;
    }
    Ok(tree.head() == *claim)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use scb_protocol::from_seconds;
    use scb_tlog::{Algorithm, NoteKey, TileLog, inspect};
    use tempfile::TempDir;

    use super::*;
    use crate::store::{Removed, Store, temporary};

    /// A log of three entries, which the database has as well.
    fn published() -> (TempDir, Store, PathBuf) {
        let (dir, store) = temporary();
        let directory = dir.path().join("log");
        let entries = [[1; 32], [2; 32], [3; 32]];
        let adopt = move |log: &Log<'_>| entries.iter().try_for_each(|entry| log.adopt(entry));
        store
            .write_blocking(move |records| adopt(&records.log()))
            .unwrap();
        let mut log = TileLog::open(&directory).unwrap();
        log.append(&entries).unwrap();
        let name = "cuhk.example/issuance".parse().unwrap();
        let key = NoteKey::generate(name, Algorithm::Ed25519).unwrap();
        let checkpoint = log.sign(&key).unwrap();
        log.publish(&checkpoint).unwrap();
        (dir, store, directory)
    }

    /// What is found in the log, and what mends it.
    fn found(store: &Store, directory: &Path) -> (String, Mending) {
        let (error, directory) = (inspect(directory).unwrap_err(), directory.to_owned());
        let told = store.read_blocking(move |records| {
            Err::<(), _>(with_mending(error.into(), &records.log(), &directory))
        });
        match told.unwrap_err() {
            Error::LogDamaged {
                mending, source, ..
            } => (source.to_string(), mending),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_database_that_leads_to_the_tree_mends_whatever_is_damaged_and_the_file_is_named() {
        for (name, contents) in [
            ("checkpoint", Some(&b""[..])),
            ("checkpoint", Some(b"\xff")),
            ("head", Some(b"")),
            ("head", None),
            ("tile/0/000.p/3", Some(b"torn")),
            ("tile/entries/000.p/3", None),
        ] {
            let (_dir, store, directory) = published();
            let file = directory.join(name);
            match contents {
                Some(contents) => fs::write(&file, contents).unwrap(),
                None => fs::remove_file(&file).unwrap(),
            }
            let (seen, mending) = found(&store, &directory);
            assert!(seen.starts_with(&file.display().to_string()), "{seen}");
            assert_eq!(mending, Mending::FromDatabase, "{name}");
            let told = mending.remedy(&directory);
            assert!(
                told.contains(&format!("mv {}", directory.display())),
                "{told}"
            );
        }
    }

    #[test]
    fn a_database_that_is_older_or_another_one_mends_nothing() {
        for change in [
            "DELETE FROM log_entry WHERE number = 2",
            "UPDATE log_entry SET commitment = zeroblob(32) WHERE number = 0",
        ] {
            let (_dir, store, directory) = published();
            let changed = store.write_blocking(move |records| {
                records.connection().execute(change, [])?;
                Ok::<_, Error>(())
            });
            changed.unwrap();
            fs::remove_file(directory.join("head")).unwrap();
            let (_, mending) = found(&store, &directory);
            assert_eq!(mending, Mending::Restore, "{change}");
        }
    }

    #[test]
    fn without_old_questions_in_the_database_a_copy_of_the_log_is_needed() {
        let (_dir, store, directory) = published();
        let removed = Removed {
            below: 1,
            before: from_seconds(1),
        };
        store
            .write_blocking(move |records| records.log().note_removed(removed))
            .unwrap();
        fs::remove_file(directory.join("head")).unwrap();
        let (_, mending) = found(&store, &directory);
        assert_eq!(mending, Mending::FromCopy);
        assert!(mending.remedy(&directory).contains("newest backup"));
    }

    #[test]
    fn what_the_system_refuses_is_no_damage() {
        let (_dir, store, directory) = published();
        let error = scb_tlog::Error::Random;
        let told = store.read_blocking(move |records| {
            Err::<(), _>(with_mending(error.into(), &records.log(), &directory))
        });
        assert!(matches!(told, Err(Error::Log(_))), "{told:?}");
    }
}
