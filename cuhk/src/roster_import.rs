//! The registry's roster into the records: what differs, and what is done about it.
//!
//! The file is compared some rows at a time, and what it takes is noted as steps. Once all of it is
//! known the import is decided upon; then the steps are done, some at a time. So a file that is
//! refused has changed nothing, whoever else writes waits half a second at most, and what an
//! interruption left the next import finishes, or forgets if nothing was decided yet.

mod comparison;
mod findings;
mod steps;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustls_pki_types::UnixTime;
use scb_certs::Fingerprint;

use crate::Error;
use crate::code_sheet::{SheetRow, with_codes_at, write_sheet};
use crate::roster_file::RosterReader;
use crate::store::{Begun, Records, Step, Store};
use crate::turn::{Turn, Work};

use comparison::{Comparison, Deed};
pub use findings::{Counts, Difference, Earlier, Finding, Import};
pub(crate) use steps::interrupted;
use steps::{AT_ONCE, Steps};

/// What becomes of active students whom the roster does not list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// Nothing.
    Keep,
    /// They are suspended, if all rows are good. If that is more than a third of the active
    /// students, somebody must have said how many it is.
    Suspend {
        /// The number that somebody said.
        expected: Option<usize>,
    },
}

/// How a roster is imported.
#[derive(Debug, Clone)]
pub struct ImportOptions {
    /// Where codes go for those who need one, and the root that the sheet names.
    pub sheet: Option<(PathBuf, Fingerprint)>,
    /// Whether who has an unused code and no certificate gets another, which ends that.
    pub replace_codes: bool,
    /// Whether who has a certificate of before a restoration, about which nobody has asked since, gets a code.
    pub also_certified: bool,
    /// How long the codes are good for.
    pub code_lifetime: Duration,
    /// What becomes of those who are not listed.
    pub missing: Missing,
    /// When it is.
    pub now: UnixTime,
}

/// Imports all good rows, with the codes and suspensions that belong to them. Students who were
/// suspended because an earlier roster did not list them are restored.
///
/// # Errors
///
/// [`Error::SheetExists`]; [`Error::ManyMissing`]; [`Error::ImportRunning`];
/// [`Error::RosterInvalid`], which may be found at the last row; [`Error::Storage`];
/// [`Error::Local`] if the sheet cannot be written. Nothing is imported then. Only with
/// [`Error::ImportUnfinished`] the import counts, and the next one does what is left of it.
pub fn import_roster(
    store: &Store,
    path: PathBuf,
    reader: RosterReader,
    options: ImportOptions,
) -> Result<Import, Error> {
    import_roster_watched(store, path, reader, options, &mut |_, _| {})
}

/// [`import_roster`], which tells how many of how many changes are made.
///
/// # Errors
///
/// As for [`import_roster`].
pub fn import_roster_watched(
    store: &Store,
    path: PathBuf,
    reader: RosterReader,
    options: ImportOptions,
    told: &mut dyn FnMut(u64, u64),
) -> Result<Import, Error> {
    let _turn = Turn::take(store, Work::Import)?;
    let mut steps = Steps::new(store);
    let now = options.now;
    let earlier = steps.settle(now)?;
    let mut import = decide(store, &mut steps, &path, reader, options)?;
    steps.complete(now, told)?;
    import.earlier = earlier;
    Ok(import)
}

/// Has nothing left of an import that was interrupted, as the next one would see to first.
///
/// # Errors
///
/// [`Error::ImportRunning`], [`Error::Storage`].
pub(crate) fn settle_import(store: &Store, now: UnixTime) -> Result<(), Error> {
    let _turn = Turn::take(store, Work::Import)?;
    Steps::new(store).settle(now).map(drop)
}

/// What [`import_roster`] would do. Nothing is changed and no code is made.
///
/// # Errors
///
/// [`Error::RosterInvalid`], [`Error::Storage`].
pub fn rehearse_import(
    store: &Store,
    path: PathBuf,
    reader: RosterReader,
    options: ImportOptions,
) -> Result<Import, Error> {
    let begun = interrupted(store)?;
    let comparison = Comparison::new(reader, options, Deed::Rehearse);
    let mut import = compare(store, &path, comparison, &mut |_| Ok(()))?.import;
    import.earlier = begun.and_then(|begun| match begun {
        Begun {
            decided: true,
            left,
        } => Some(Earlier::Unfinished(left)),
        Begun { decided: false, .. } => None,
    });
    Ok(import)
}

/// Compares all of the file, writes the codes and decides on the import; or forgets it.
fn decide(
    store: &Store,
    steps: &mut Steps<'_>,
    path: &Path,
    reader: RosterReader,
    options: ImportOptions,
) -> Result<Import, Error> {
    let (sheet, now) = (options.sheet.clone(), options.now);
    let comparison = Comparison::new(reader, options, Deed::Import);
    let to = sheet.as_ref().map(|(path, _)| path.as_path());
    let decided = with_codes_at(to, || {
        let compared = compare(store, path, comparison, &mut |some| steps.collect(some))?;
        write_codes(sheet.as_ref(), &compared.sheet)?;
        steps.decide(&compared.import, now)?;
        Ok(compared.import)
    });
    if decided.is_err() {
        // The error itself is what matters; what stays is forgotten by the next import.
        let _ = steps.forget();
    }
    decided
}

/// Goes through the file; `take` gets the steps, some at a time.
fn compare(
    store: &Store,
    path: &Path,
    comparison: Comparison,
    take: &mut dyn FnMut(Vec<Step>) -> Result<(), Error>,
) -> Result<Comparison, Error> {
    let (mut comparison, ()) = with(store, comparison, Comparison::count)?;
    loop {
        let rows = comparison.next_rows(AT_ONCE);
        let rows = rows.map_err(|reason| Error::roster(path, reason))?;
        if rows.is_empty() {
            break;
        }
        let steps;
        (comparison, steps) = with(store, comparison, move |it, records| {
            it.compare(records, rows)
        })?;
        take(steps)?;
    }
    let (comparison, steps) = with(store, comparison, Comparison::missing)?;
    take(steps)?;
    Ok(comparison)
}

/// Looks at the records.
fn with<T: Send + 'static>(
    store: &Store,
    mut comparison: Comparison,
    look: impl FnOnce(&mut Comparison, &Records<'_>) -> Result<T, Error> + Send + 'static,
) -> Result<(Comparison, T), Error> {
    store.read_blocking(move |records| {
        let seen = look(&mut comparison, records)?;
        Ok((comparison, seen))
    })
}

/// Before anything is decided: if the file cannot be written, no code counts.
fn write_codes(sheet: Option<&(PathBuf, Fingerprint)>, rows: &[SheetRow]) -> Result<(), Error> {
    match sheet {
        Some((path, root)) if !rows.is_empty() => write_sheet(path, rows, root),
        _ => Ok(()),
    }
}
