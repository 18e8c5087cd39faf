//! Stored files that no record names, and what uploads left.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls_pki_types::UnixTime;
use scb_storage::{Error as StorageError, StoredContents};

use super::records::Records;
use super::report::Report;
use crate::store::Inspector;

/// A file that was written less long ago may be on its way to its record.
const SETTLED: Duration = Duration::from_secs(10 * 60);
/// The server clears away what uploads left once an hour.
const SWEPT: Duration = Duration::from_secs(2 * 60 * 60);

/// Whatever lies among the contents and is named by no record. Where some records cannot be read it
/// may be theirs: then it is compared with its own name.
pub(super) fn extra(
    content: &StoredContents,
    records: &Records<'_>,
    now: UnixTime,
    report: &mut Report,
) -> anyhow::Result<()> {
    for first in 0..=u8::MAX {
        for stored in content.list(first)? {
            let path = stored.path.display();
            match stored.sha256 {
                None => report.damage("content_foreign", path, "is not a stored file")?,
                Some(sha256) if records.names(&sha256) => {}
                Some(_) if is_younger(stored.written, SETTLED, now) => {}
                Some(sha256) if records.some_are_unread() => one(content, sha256, report)?,
                Some(_) => report.damage("content_extra", path, "no record names it")?,
            }
        }
    }
    Ok(())
}

/// What uploads and interrupted processes left.
pub(super) fn leftovers(
    content: &StoredContents,
    database: &Inspector,
    now: UnixTime,
    report: &mut Report,
) -> anyhow::Result<()> {
    let uploads = content.uploads()?;
    let open = database.open_uploads(uploads.iter().map(|(id, _)| *id), now)?;
    for (id, upload) in uploads {
        if !open.contains(&id) && !is_younger(upload.written, SWEPT, now) {
            let found = "of an upload that nobody can go on with";
            report.leftover("upload_leftover", upload.path.display(), found)?;
        }
    }
    for stored in content.temporary()? {
        if !is_younger(stored.written, SWEPT, now) {
            let found = "of a process that was interrupted";
            report.leftover("temporary_leftover", stored.path.display(), found)?;
        }
    }
    Ok(())
}

/// Compares every stored file with its name, where no database says which there should be.
pub(super) fn by_name(content: &StoredContents, report: &mut Report) -> anyhow::Result<()> {
    report.begin("files", 256);
    for first in 0..=u8::MAX {
        for sha256 in content
            .list(first)?
            .into_iter()
            .filter_map(|one| one.sha256)
        {
            one(content, sha256, report)?;
        }
        report.step(1);
    }
    Ok(())
}

fn one(content: &StoredContents, sha256: [u8; 32], report: &mut Report) -> anyhow::Result<()> {
    report.counts.files += 1;
    match content.check(&sha256, |bytes| report.read(bytes)) {
        Ok(_) | Err(StorageError::Missing { .. }) => Ok(()),
        Err(error) => {
            let path = content.path_of(&sha256);
            report.damage("content_altered", path.display(), error)
        }
    }
}

/// Also if it was written a little later than now: clocks are read one after the other.
fn is_younger(written: SystemTime, than: Duration, now: UnixTime) -> bool {
    let now = UNIX_EPOCH + Duration::from_secs(now.as_secs());
    let age = now.duration_since(written);
    age.unwrap_or_else(|later| later.duration()) < than
}
