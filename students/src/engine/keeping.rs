//! A receipt that comes takes the place of the same one whose proof was still to come, if it has all that this one
//! has. What an old backup took from Blackboard it lacks: then it is kept beside that.

use std::path::{Path, PathBuf};

use scb_protocol::receipt::VerifiedReceipt;

use super::completion::{good_receipts, roots};
use crate::{Error, Event, Observer, Setup, receipts};

/// Keeps a receipt that was verified; where, or where one is that supersedes it.
///
/// # Errors
///
/// [`Error::Cli`].
pub(super) fn keep(
    setup: &Setup,
    (zip, receipt): (&[u8], &VerifiedReceipt),
    observer: &mut Observer<'_>,
) -> Result<PathBuf, Error> {
    let before = of_its_entry(setup, receipt)?;
    let is_replaced = |(_, old): &&(PathBuf, VerifiedReceipt)| {
        old.witnessed().is_none() && receipt.proves_all_of(old)
    };
    if let Some((path, _)) = before.iter().find(is_replaced) {
        receipts::complete(path, zip)?;
        return Ok(path.clone());
    }
    // That one is complete and has all of this one: nothing more is known by keeping both.
    if let Some((path, _)) = before.iter().find(|(_, old)| old.supersedes(receipt)) {
        return Ok(path.clone());
    }
    match before.iter().find(|(_, old)| !receipt.shows_all_of(old)) {
        Some((richer, _)) => beside(setup, richer, (zip, receipt), observer),
        None => receipts::save(&setup.receipts, receipt.number(), zip),
    }
}

/// Keeps it beside one of the same entry that has something which it lacks; where. The observer is told, if it was
/// not there already.
///
/// # Errors
///
/// [`Error::Cli`].
pub(super) fn beside(
    setup: &Setup,
    richer: &Path,
    (zip, receipt): (&[u8], &VerifiedReceipt),
    observer: &mut Observer<'_>,
) -> Result<PathBuf, Error> {
    let (path, is_new) = receipts::save_beside(&setup.receipts, receipt.number(), zip)?;
    if is_new {
        observer(&Event::KeptBeside {
            before: richer.to_owned(),
            now: path.clone(),
        });
    }
    Ok(path)
}

/// Whether one that is kept here proves all that this one does.
///
/// # Errors
///
/// [`Error::Cli`].
pub(super) fn is_kept(setup: &Setup, receipt: &VerifiedReceipt) -> Result<bool, Error> {
    Ok(good_receipts(setup)?.any(|(_, _, old)| old.proves_all_of(receipt)))
}

/// The receipts of the same entry that are kept here under a name with its number.
fn of_its_entry(
    setup: &Setup,
    receipt: &VerifiedReceipt,
) -> Result<Vec<(PathBuf, VerifiedReceipt)>, Error> {
    let (roots, number) = (roots(setup), receipt.number().to_string());
    let mut found = Vec::new();
    for path in receipts::list(&setup.receipts)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if !name.starts_with(&number) {
            continue;
        }
        let old = VerifiedReceipt::verify_under(&receipts::read(&path)?, &roots);
        if let Ok(old) = old
            && old.is_of_the_entry_of(receipt)
        {
            found.push((path, old));
        }
    }
    Ok(found)
}
