//! The files of a hand-in: what a statement may name, and what it may not.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use scb_certs::Fingerprint;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;

use super::FileName;
use super::names::parsed_text;
use crate::error::Error;
use crate::object::objects;

/// Most files of a hand-in.
pub const MAX_FILES: usize = 100;
/// Longest path of a file, in bytes.
const MAX_PATH: usize = 512;
/// Most parts of a path.
const MAX_DEPTH: usize = 16;

/// Where a file is in what is handed in: 1 to 16 names joined by `/`, at most 512 bytes.
/// It is a label; nobody opens a file by it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FilePath(String);

impl FilePath {
    /// The names that it consists of, the file's own last.
    pub fn parts(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }

    /// The file's own name.
    pub fn name(&self) -> &str {
        self.parts().next_back().unwrap_or(&self.0)
    }

    /// Two paths with the same key cannot lie side by side everywhere: Unicode composed or not,
    /// upper or lower case.
    fn key(&self) -> String {
        let folded = |c: char| c.to_uppercase().flat_map(char::to_lowercase);
        self.0.nfc().flat_map(folded).nfc().collect()
    }
}

impl FromStr for FilePath {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refuse = |reason| Error::Form {
            what: "the file name",
            reason,
        };
        if text.len() > MAX_PATH {
            return Err(refuse("its path is longer than 512 bytes"));
        }
        if text.split('/').count() > MAX_DEPTH {
            return Err(refuse("it is more than 16 folders deep"));
        }
        text.split('/').try_for_each(|part| {
            let name: Result<FileName, Error> = part.parse();
            name.map(drop)
        })?;
        Ok(Self(text.to_owned()))
    }
}

impl From<FileName> for FilePath {
    fn from(name: FileName) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for FilePath {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

parsed_text!(FilePath);

/// One file that is handed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct FileEntry {
    /// Its name, with the folders in which it is.
    pub name: FilePath,
    /// Its size in bytes.
    pub size: u64,
    /// SHA-256 of its content.
    pub sha256: Fingerprint,
}

objects!(FileEntry);

/// The files of one hand-in, in the order in which they are sent: 1 to 100, no two of which
/// would be the same file anywhere, and none of which is a folder of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<FileEntry>", into = "Vec<FileEntry>")]
pub struct Files(Vec<FileEntry>);

impl Files {
    /// # Errors
    ///
    /// [`FilesError`].
    pub fn new(files: Vec<FileEntry>) -> Result<Self, FilesError> {
        if files.is_empty() || files.len() > MAX_FILES {
            return Err(FilesError::Count { count: files.len() });
        }
        check_names(&files)?;
        let mut sizes = files.iter().map(|file| file.size);
        let total = sizes.try_fold(0, u64::checked_add);
        total.ok_or(FilesError::Size)?;
        Ok(Self(files))
    }

    /// The bytes of all files together.
    pub fn size(&self) -> u64 {
        // It was added up when they were taken in.
        self.0.iter().map(|file| file.size).sum()
    }

    /// The one file, if there are not several.
    pub fn single(&self) -> Option<&FileEntry> {
        match self.0.as_slice() {
            [file] => Some(file),
            _ => None,
        }
    }
}

/// One file by itself.
impl From<FileEntry> for Files {
    fn from(file: FileEntry) -> Self {
        Self(vec![file])
    }
}

impl std::ops::Deref for Files {
    type Target = [FileEntry];

    fn deref(&self) -> &[FileEntry] {
        &self.0
    }
}

impl<'a> IntoIterator for &'a Files {
    type Item = &'a FileEntry;
    type IntoIter = std::slice::Iter<'a, FileEntry>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

/// `report.pdf`, or `report.pdf and 2 more`.
impl fmt::Display for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.0.first().map_or("", |file| file.name.as_ref());
        match self.0.len() {
            0 | 1 => f.write_str(first),
            count => write!(f, "{first} and {} more", count - 1),
        }
    }
}

impl TryFrom<Vec<FileEntry>> for Files {
    type Error = FilesError;

    fn try_from(files: Vec<FileEntry>) -> Result<Self, FilesError> {
        Self::new(files)
    }
}

impl From<Files> for Vec<FileEntry> {
    fn from(files: Files) -> Self {
        files.0
    }
}

/// Why files cannot be handed in together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilesError {
    /// None, or too many.
    #[error("a statement names 1 to {MAX_FILES} files, this one {count}")]
    Count {
        /// How many there are.
        count: usize,
    },
    /// Two names that are one somewhere, or a file that is a folder of another.
    #[error("{}", clashing(one, other))]
    Clash {
        /// The first.
        one: FilePath,
        /// The second.
        other: FilePath,
    },
    /// More bytes than can be counted.
    #[error("the sizes add up to more than can be counted")]
    Size,
}

fn clashing(one: &FilePath, other: &FilePath) -> String {
    match one == other {
        true => format!("two files are named `{one}`"),
        false => format!("`{one}` and `{other}` cannot lie side by side everywhere"),
    }
}

/// No two files have the same key, and no file's key is that of a folder of another.
fn check_names(files: &[FileEntry]) -> Result<(), FilesError> {
    let mut taken: HashMap<String, &FilePath> = HashMap::new();
    let clash = |one: &FilePath, other: &FilePath| FilesError::Clash {
        one: one.clone(),
        other: other.clone(),
    };
    for file in files {
        if let Some(before) = taken.insert(file.name.key(), &file.name) {
            return Err(clash(before, &file.name));
        }
    }
    for file in files {
        let key = file.name.key();
        let folders = key.match_indices('/').map(|(at, _)| &key[..at]);
        for folder in folders {
            if let Some(before) = taken.get(folder) {
                return Err(clash(before, &file.name));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn file(name: &str) -> FileEntry {
        FileEntry {
            name: name.parse().unwrap(),
            size: 1,
            sha256: Fingerprint::of(name.as_bytes()),
        }
    }

    fn files(names: &[&str]) -> Result<Files, FilesError> {
        Files::new(names.iter().map(|name| file(name)).collect())
    }

    #[test]
    fn a_path_is_made_of_names() {
        for good in ["a", "src/main.rs", "報告/最終版.pdf", "a b/.hidden", "-rf"] {
            assert_eq!(good.parse::<FilePath>().unwrap().to_string(), good);
        }
        let (deep, long) = ("a/".repeat(16) + "a", "x/".repeat(3) + &"y".repeat(510));
        for bad in [
            "", "/", "a/", "/a", "a//b", "./a", "a/..", "../a", "a/./b", "a\\b", "a/b\nc", &deep,
            &long,
        ] {
            assert!(bad.parse::<FilePath>().is_err(), "{bad:?}");
        }
        assert!(("a/".repeat(15) + "a").parse::<FilePath>().is_ok());
    }

    #[test]
    fn takes_one_to_a_hundred_files() {
        let names: Vec<String> = (0..101).map(|n| format!("f{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert!(files(&names[..1]).is_ok() && files(&names[..100]).is_ok());
        for bad in [&names[..0], &names[..]] {
            let count = bad.len();
            assert_eq!(files(bad), Err(FilesError::Count { count }));
        }
    }

    #[test]
    fn refuses_names_that_are_one_somewhere() {
        for (one, other) in [
            ("a", "a"),
            ("Report.pdf", "report.PDF"),
            ("caf\u{e9}", "cafe\u{301}"),
            ("STRASSE", "stra\u{df}e"),
            ("a", "a/b"),
            ("A/b", "a"),
            ("src/x", "SRC/X"),
        ] {
            assert!(
                matches!(files(&[one, other]), Err(FilesError::Clash { .. })),
                "{one} {other}"
            );
        }
        assert!(files(&["a", "ab", "b/a", "b/ab", "c/b/a"]).is_ok());
        let told = |names: &[&str]| files(names).unwrap_err().to_string();
        assert_eq!(told(&["a", "a"]), "two files are named `a`");
        assert!(told(&["a", "A"]).contains("`a` and `A` cannot lie side by side"));
    }

    #[test]
    fn refuses_sizes_beyond_counting() {
        let huge = |name| FileEntry {
            size: u64::MAX,
            ..file(name)
        };
        assert!(Files::new(vec![huge("a")]).is_ok());
        assert_eq!(
            Files::new(vec![huge("a"), huge("b")]),
            Err(FilesError::Size)
        );
    }
}
