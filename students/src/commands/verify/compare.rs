//! What is here is compared with what a receipt names: files by their hashes, folders by the names in
//! them as well.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use scb_certs::Fingerprint;
use scb_protocol::receipt::VerifiedReceipt;
use scb_protocol::statement::{FileEntry, Files};

use super::{line, words_of};
use crate::Error;
use crate::cli::Common;
use crate::report::{Report, measure};

/// What was compared with the receipt, and is what was handed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compared {
    Nothing,
    /// One file, which may be one of several.
    File,
    /// A folder with every file that was handed in, and no other.
    Folder,
    /// Files and folders, which together are all that was handed in or a part of it.
    Several {
        /// How many of those that were handed in.
        files: usize,
    },
}

/// Each of these is what was handed in, or a part of it.
///
/// # Errors
///
/// [`Error::OtherFile`] or [`Error::OtherFolder`] about the first that is not; whatever keeps one from
/// being read.
pub(super) fn compare(
    receipt: &VerifiedReceipt,
    paths: &[PathBuf],
    common: &Common,
) -> Result<Compared, Error> {
    let handed_in = &receipt.statement().files;
    let mut found = BTreeSet::new();
    for path in paths {
        let names = match path.is_dir() {
            true => folder(handed_in, path, common)?,
            false => file(receipt, path, common)?,
        };
        found.extend(names);
    }
    Ok(match paths {
        [] => Compared::Nothing,
        [path] if !path.is_dir() => Compared::File,
        [_] if found.len() == handed_in.len() => Compared::Folder,
        _ => Compared::Several { files: found.len() },
    })
}

/// The names of the files that are this one.
fn file(receipt: &VerifiedReceipt, path: &Path, common: &Common) -> Result<Vec<String>, Error> {
    let mut file = File::open(path).map_err(Error::file("read", path))?;
    let (size, sha256) = measure(&mut file).map_err(Error::file("read", path))?;
    let files = &receipt.statement().files;
    let Ok(file) = receipt.verify_file(size, sha256) else {
        return Err(Error::OtherFile {
            path: path.to_owned(),
            expected: files.iter().map(|file| file.sha256).collect(),
            named: named_so(files, path),
            found: sha256,
        });
    };
    if !common.json {
        let (words, path) = (words_of(common), path.to_string_lossy());
        let name = files.single().is_none().then_some(file.name.as_ref());
        line(words.compared(), &words.file_is_it(&path, name))?;
    }
    let same = files.iter().filter(|one| one.sha256 == sha256);
    Ok(same.map(|one| one.name.to_string()).collect())
}

/// Those with the name of this one: with as much of its path as they have, or else with its last part.
fn named_so(files: &Files, path: &Path) -> Vec<Fingerprint> {
    let whole = |file: &&FileEntry| path.ends_with(file.name.as_ref());
    let last = |file: &&FileEntry| Path::new(file.name.as_ref()).file_name() == path.file_name();
    let hashes = |named: Vec<&FileEntry>| named.into_iter().map(|file| file.sha256).collect();
    let whole: Vec<_> = hashes(files.iter().filter(whole).collect());
    match whole.is_empty() {
        true => hashes(files.iter().filter(last).collect()),
        false => whole,
    }
}

/// Every file by its name within the folder, as it was handed in: the folder alone, or beside others,
/// where its own name was a part of theirs.
fn folder(handed_in: &Files, path: &Path, common: &Common) -> Result<Vec<String>, Error> {
    let here = Report::open(&[path.to_owned()])?;
    let all: Vec<_> = handed_in.iter().map(|file| Named::of(file, "")).collect();
    let own = own_name(path);
    let beside: Vec<_> = handed_in
        .iter()
        .filter(|file| file.name.as_ref().starts_with(&own))
        .map(|file| Named::of(file, &own))
        .collect();
    let whole = differences(&all, here.files());
    let part = differences(&beside, here.files());
    let (names, differences) = match beside.is_empty() || whole.len() <= part.len() {
        true => (all, whole),
        false => (beside, part),
    };
    if !differences.is_empty() {
        let differences = match renamed(handed_in, here.files()) {
            Some(name) => vec![format!(
                "only its own name differs, these very files were handed in as the folder {name}"
            )],
            None => differences,
        };
        let path = path.to_owned();
        return Err(Error::OtherFolder { path, differences });
    }
    if !common.json {
        let (words, path) = (words_of(common), path.to_string_lossy());
        let told = match names.len() == handed_in.len() {
            true => words.folder_is_it(&path, names.len()),
            false => words.folder_is_part(&path, names.len()),
        };
        line(words.compared(), &told)?;
    }
    Ok(names.into_iter().map(|named| named.full).collect())
}

/// The folder beside others that these files were handed in as, whatever their folder is called here.
fn renamed(handed_in: &Files, here: &Files) -> Option<String> {
    let folders = handed_in.iter().filter_map(|file| {
        let (folder, _) = file.name.as_ref().split_once('/')?;
        Some(format!("{folder}/"))
    });
    let folders: BTreeSet<String> = folders.collect();
    let mut folders = folders.into_iter();
    let found = folders.find(|folder| {
        let within = handed_in
            .iter()
            .filter(|file| file.name.as_ref().starts_with(folder.as_str()));
        let named: Vec<_> = within.map(|file| Named::of(file, folder)).collect();
        differences(&named, here).is_empty()
    });
    found.map(|folder| folder.trim_end_matches('/').to_owned())
}

/// `src/`: what its files are called before their names where it was named beside others.
fn own_name(path: &Path) -> String {
    let resolved = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let name = resolved.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned() + "/"
}

/// A file that was handed in, by its name within a folder.
struct Named {
    name: String,
    full: String,
    sha256: Fingerprint,
}

impl Named {
    fn of(file: &FileEntry, folder: &str) -> Self {
        let full = file.name.to_string();
        Self {
            name: full.strip_prefix(folder).unwrap_or(&full).to_owned(),
            sha256: file.sha256,
            full,
        }
    }
}

fn differences(handed_in: &[Named], here: &Files) -> Vec<String> {
    let found = |named: &Named| {
        let mut here = here.iter();
        let file = here.find(|file| file.name.as_ref() == named.name);
        file.map(|file| file.sha256)
    };
    let absent = handed_in.iter().filter_map(|named| match found(named) {
        None => Some(format!("{} is missing", named.name)),
        Some(sha256) if sha256 != named.sha256 => Some(format!("{} is another", named.name)),
        Some(_) => None,
    });
    let is_extra = |file: &&FileEntry| {
        handed_in
            .iter()
            .all(|named| named.name != file.name.as_ref())
    };
    let extra = here.iter().filter(is_extra);
    let extra = extra.map(|file| format!("{} was not handed in", file.name));
    absent.chain(extra).collect()
}
