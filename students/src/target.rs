//! Where files that come back are put: each appears whole, under its name, with the hash that was
//! signed, or not at all. Nothing that is there is ever overwritten.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use ring::digest::{Context, SHA256};
use scb_certs::Fingerprint;
use scb_protocol::statement::FileEntry;

use crate::Error;

/// Bytes read at a time.
const PIECE: usize = 64 * 1024;

/// The folder for the files of one submission.
#[derive(Debug, Clone)]
pub(crate) struct Place(PathBuf);

impl Place {
    /// This folder; it is made when the first file comes.
    pub(crate) fn new(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    /// Where a file of the submission goes: below the folder, in the folders in which it was. A
    /// statement's names are parts of a path, never a way out of it.
    pub(crate) fn of(&self, file: &FileEntry) -> Target {
        Target {
            folder: self.0.clone(),
            path: file
                .name
                .parts()
                .fold(self.0.clone(), |path, part| path.join(part)),
            file: file.clone(),
        }
    }
}

/// One file that is to come.
#[derive(Debug)]
pub(crate) struct Target {
    folder: PathBuf,
    path: PathBuf,
    file: FileEntry,
}

impl Target {
    /// Where it goes.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What it must be.
    pub(crate) fn file(&self) -> &FileEntry {
        &self.file
    }

    /// Nothing else is in its place, and no link leads elsewhere.
    pub(crate) fn check(&self) -> Result<(), Error> {
        for folder in self.folders() {
            match fs::symlink_metadata(&folder) {
                Ok(found) if found.is_dir() => {}
                Ok(_) => return Err(Error::TargetTaken { path: folder }),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(Error::file("look at", &folder)(error)),
            }
        }
        self.is_there().map(drop)
    }

    /// Whether this very file is there already.
    fn is_there(&self) -> Result<bool, Error> {
        let taken = || Error::TargetTaken {
            path: self.path.clone(),
        };
        match fs::symlink_metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Error::file("look at", &self.path)(error)),
            Ok(found) if !found.is_file() || found.len() != self.file.size => Err(taken()),
            Ok(_) => match hashed(&self.path)?.1 == self.file.sha256 {
                true => Ok(true),
                false => Err(taken()),
            },
        }
    }

    /// Goes on where it broke off before; nothing if it is there already.
    pub(crate) fn begin(&self) -> Result<Option<Part>, Error> {
        self.check()?;
        if self.path.exists() {
            return Ok(None);
        }
        let mut traces = Traces::of(self.part());
        for folder in self.folders() {
            match fs::create_dir(&folder) {
                Ok(()) => traces.made.push(folder),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::file("make", &folder)(error)),
            }
        }
        Part::open(traces, self.file.size).map(Some)
    }

    /// The folder of the submission and those below it, down to the file's own.
    fn folders(&self) -> Vec<PathBuf> {
        let mut folders: Vec<PathBuf> = self.path.ancestors().skip(1).map(Path::to_owned).collect();
        folders.retain(|folder| folder.starts_with(&self.folder));
        folders.reverse();
        folders
    }

    /// By its hash, so that what is there of it is of the same content.
    fn part(&self) -> PathBuf {
        let hash = self.file.sha256.to_string();
        self.path.with_file_name(format!(".{}.part", &hash[..32]))
    }
}

/// What was made for a file before anything came of it. Dropped, it goes again, as far as nothing
/// is in it.
struct Traces {
    part: PathBuf,
    /// The folders that were not there, the outermost first.
    made: Vec<PathBuf>,
}

impl Traces {
    fn of(part: PathBuf) -> Self {
        let made = Vec::new();
        Self { part, made }
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.part).is_ok_and(|part| part.len() == 0) {
            let _ = fs::remove_file(&self.part);
        }
        // Only what is empty can be removed like this.
        for folder in self.made.iter().rev() {
            let _ = fs::remove_dir(folder);
        }
    }
}

/// What has come of a file. Dropped, it stays for the next time.
pub(crate) struct Part {
    path: PathBuf,
    _traces: Traces,
    file: File,
    size: u64,
    hash: Context,
}

impl Part {
    fn open(traces: Traces, most: u64) -> Result<Self, Error> {
        let path = traces.part.clone();
        let (size, hash) = match fs::symlink_metadata(&path) {
            Ok(found) if found.is_file() && found.len() <= most => read(&path)?,
            Ok(_) => {
                fs::remove_file(&path).map_err(Error::file("remove", &path))?;
                (0, Context::new(&SHA256))
            }
            Err(_) => (0, Context::new(&SHA256)),
        };
        let mut options = OpenOptions::new();
        let file = options.append(true).create(true).open(&path);
        Ok(Self {
            file: file.map_err(Error::file("write", &path))?,
            path,
            size,
            hash,
            _traces: traces,
        })
    }

    /// How much has come.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file
            .write_all(bytes)
            .map_err(Error::file("write", &self.path))?;
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
        Ok(())
    }

    /// Gives the file its name if it is what was signed. If not, it is removed.
    pub(crate) fn finish(self, target: &Target) -> Result<bool, Error> {
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(self.hash.finish().as_ref());
        let expected = (target.file.size, target.file.sha256);
        if (self.size, Fingerprint::from_bytes(sha256)) != expected {
            fs::remove_file(&self.path).map_err(Error::file("remove", &self.path))?;
            return Ok(false);
        }
        self.file
            .sync_all()
            .map_err(Error::file("write", &self.path))?;
        place(&self.path, &target.path)?;
        Ok(true)
    }
}

/// A second name first: that fails where something is, and overwrites nothing.
fn place(part: &Path, path: &Path) -> Result<(), Error> {
    match fs::hard_link(part, path) {
        Ok(()) => fs::remove_file(part).map_err(Error::file("remove", part)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(Error::TargetTaken {
            path: path.to_owned(),
        }),
        // No links there, as on many memory sticks.
        Err(_) if !path.exists() => fs::rename(part, path).map_err(Error::file("write", path)),
        Err(error) => Err(Error::file("write", path)(error)),
    }
}

fn hashed(path: &Path) -> Result<(u64, Fingerprint), Error> {
    let (size, hash) = read(path)?;
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(hash.finish().as_ref());
    Ok((size, Fingerprint::from_bytes(sha256)))
}

fn read(path: &Path) -> Result<(u64, Context), Error> {
    let mut file = File::open(path).map_err(Error::file("read", path))?;
    let (mut hash, mut size, mut piece) = (Context::new(&SHA256), 0, vec![0; PIECE]);
    loop {
        match file.read(&mut piece) {
            Ok(0) => return Ok((size, hash)),
            Ok(count) => {
                hash.update(&piece[..count]);
                size += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::file("read", path)(error)),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn entry(name: &str, content: &[u8]) -> FileEntry {
        FileEntry {
            name: name.parse().unwrap(),
            size: content.len() as u64,
            sha256: Fingerprint::of(content),
        }
    }

    fn scene(name: &str) -> (tempfile::TempDir, Target) {
        let dir = tempfile::tempdir().unwrap();
        let target = Place::new(&dir.path().join("S-000001")).of(&entry(name, b"the report"));
        (dir, target)
    }

    #[test]
    fn a_file_appears_whole_in_its_folders() {
        let (dir, target) = scene("src/報告/final.txt");
        target.check().unwrap();
        let mut part = target.begin().unwrap().unwrap();
        part.write(b"the ").unwrap();
        assert!(!target.path().exists());
        drop(part);
        let mut part = target.begin().unwrap().unwrap();
        assert_eq!(part.size(), 4, "it goes on where it broke off");
        part.write(b"report").unwrap();
        assert!(part.finish(&target).unwrap());
        let path = dir.path().join("S-000001/src/報告/final.txt");
        assert_eq!(fs::read(&path).unwrap(), b"the report");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        assert!(target.begin().unwrap().is_none(), "it is there already");
    }

    #[test]
    fn what_is_not_what_was_signed_gets_no_name_and_is_not_kept() {
        let (dir, target) = scene("final.txt");
        let mut part = target.begin().unwrap().unwrap();
        part.write(b"the rEport").unwrap();
        assert!(!part.finish(&target).unwrap());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn where_nothing_comes_nothing_is_left_but_what_was_there() {
        let (dir, target) = scene("src/final.txt");
        drop(target.begin().unwrap().unwrap());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        let folder = dir.path().join("S-000001");
        fs::create_dir(&folder).unwrap();
        drop(target.begin().unwrap().unwrap());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    }

    #[test]
    fn a_part_that_cannot_be_of_it_is_begun_anew() {
        let (_dir, target) = scene("final.txt");
        let mut part = target.begin().unwrap().unwrap();
        part.write(b"longer than the report is").unwrap();
        drop(part);
        assert_eq!(target.begin().unwrap().unwrap().size(), 0);
    }

    #[test]
    fn nothing_that_is_there_is_overwritten() {
        let (dir, target) = scene("src/final.txt");
        let taken = |target: &Target| {
            let refused = target.begin().err().unwrap();
            assert!(matches!(refused, Error::TargetTaken { .. }), "{refused}");
            assert!(target.check().is_err());
        };
        let folder = dir.path().join("S-000001");
        fs::write(&folder, b"mine").unwrap();
        taken(&target);
        fs::remove_file(&folder).unwrap();
        fs::create_dir_all(folder.join("src")).unwrap();
        fs::write(folder.join("src/final.txt"), b"mine too!!").unwrap();
        taken(&target);
        assert_eq!(fs::read(target.path()).unwrap(), b"mine too!!");
    }

    #[cfg(unix)]
    #[test]
    fn no_link_leads_out_of_the_folder() {
        let (dir, target) = scene("src/final.txt");
        let elsewhere = dir.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        fs::create_dir(dir.path().join("S-000001")).unwrap();
        std::os::unix::fs::symlink(&elsewhere, dir.path().join("S-000001/src")).unwrap();
        assert!(target.check().is_err() && target.begin().is_err());
        assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
    }
}
