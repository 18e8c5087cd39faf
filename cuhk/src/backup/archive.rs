//! The archive: written in one pass, and read only when every hash is right.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use ring::digest::{Context, SHA256};
use scb_certs::Fingerprint;
use scb_cli::create_private_file;
use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use super::manifest::{self, Entry, Manifest};
use super::source::Source;
use crate::Error;
use crate::draft;

/// Largest manifest, in bytes: about 200 for each file.
const MAX_MANIFEST: u64 = 512 << 20;

/// An archive that is being written.
pub(super) struct Writing {
    path: PathBuf,
    archive: ZipWriter<File>,
    files: Vec<Entry>,
}

impl Writing {
    /// Creates the archive (0600).
    pub(super) fn create(path: &Path) -> Result<Self, Error> {
        Ok(Self {
            path: path.to_owned(),
            archive: ZipWriter::new(create_private_file(path)?),
            files: Vec::new(),
        })
    }

    /// Adds a file and notes its hash.
    pub(super) fn add(&mut self, source: &Source) -> Result<(), Error> {
        let mut file = File::open(&source.path).map_err(draft::file("read", &source.path))?;
        let mut written = |archive: &mut ZipWriter<File>| {
            archive.start_file(&source.name, options())?;
            Ok::<_, ZipError>(hash_through(&mut file, archive).map_err(io::Error::from)?)
        };
        let (size, sha256) =
            written(&mut self.archive).map_err(|error| unwritten(&self.path, error))?;
        self.files.push(Entry {
            name: source.name.clone(),
            size,
            sha256,
        });
        Ok(())
    }

    /// Adds the manifest and makes the archive durable; answers what is in it.
    pub(super) fn finish(
        mut self,
        manifest: impl FnOnce(Vec<Entry>) -> Result<Manifest, Error>,
    ) -> Result<Vec<Entry>, Error> {
        let manifest = manifest(std::mem::take(&mut self.files))?;
        let path = self.path.clone();
        self.end(&manifest)
            .map_err(|error| unwritten(&path, error))?;
        Ok(manifest.files)
    }

    fn end(mut self, manifest: &Manifest) -> Result<(), ZipError> {
        let text = serde_json::to_vec_pretty(manifest).map_err(io::Error::other)?;
        self.archive.start_file(manifest::NAME, options())?;
        self.archive.write_all(&text)?;
        self.archive.finish()?.sync_all()?;
        Ok(())
    }
}

fn options() -> SimpleFileOptions {
    SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o600)
        .large_file(true)
}

fn unwritten(path: &Path, error: ZipError) -> Error {
    draft::file("write", path)(error.into())
}

/// Where copying ended.
enum Halted {
    Reading(io::Error),
    Writing(io::Error),
}

impl From<Halted> for io::Error {
    fn from(halted: Halted) -> Self {
        match halted {
            Halted::Reading(error) | Halted::Writing(error) => error,
        }
    }
}

/// Copies everything and answers how many bytes there were and their SHA-256.
fn hash_through(from: &mut impl Read, to: &mut impl Write) -> Result<(u64, Fingerprint), Halted> {
    let mut context = Context::new(&SHA256);
    let mut buffer = vec![0; 64 * 1024];
    let mut size = 0;
    loop {
        let count = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Halted::Reading(error)),
        };
        context.update(&buffer[..count]);
        to.write_all(&buffer[..count]).map_err(Halted::Writing)?;
        size += count as u64;
    }
    let digest = context.finish();
    let bytes = digest.as_ref().try_into().expect("SHA-256 has 32 bytes");
    Ok((size, Fingerprint::from_bytes(bytes)))
}

/// An archive whose every file has the size and the hash that its manifest says.
pub(super) struct Verified {
    path: PathBuf,
    archive: ZipArchive<File>,
    pub(super) manifest: Manifest,
}

impl Verified {
    /// Reads the whole archive once; `watch` is told how many of how many files were read.
    ///
    /// # Errors
    ///
    /// [`Error::BackupInvalid`], [`Error::Local`].
    pub(super) fn open(path: &Path, watch: &mut dyn FnMut(u64, u64)) -> Result<Self, Error> {
        let invalid = |reason| invalid(path, reason);
        let mut archive = open(path)?;
        let manifest = read_manifest(&mut archive).map_err(invalid)?;
        if archive.len() != manifest.files.len() + 1 {
            return Err(invalid(
                "it has files that its manifest does not name".to_owned(),
            ));
        }
        let mut verified = Self {
            path: path.to_owned(),
            archive,
            manifest,
        };
        let files = verified.manifest.files.clone();
        for (entry, read) in files.iter().zip(1..) {
            verified.copy(entry, (path, &mut io::sink()))?;
            watch(read, files.len() as u64);
        }
        Ok(verified)
    }

    /// Copies one of its files to `target`; what comes is hashed again on the way.
    ///
    /// # Errors
    ///
    /// [`Error::BackupInvalid`]; [`Error::Local`] if it cannot be written.
    pub(super) fn copy(
        &mut self,
        entry: &Entry,
        (target, to): (&Path, &mut impl Write),
    ) -> Result<(), Error> {
        let Self { path, archive, .. } = self;
        let invalid = |reason: String| Error::BackupInvalid {
            path: path.clone(),
            reason: format!("{}: {reason}", entry.name),
        };
        let file = archive
            .by_name(&entry.name)
            .map_err(|error| invalid(error.to_string()))?;
        if file.compression() != CompressionMethod::Stored {
            return Err(invalid("it is compressed".to_owned()));
        }
        let found =
            hash_through(&mut file.take(entry.size.saturating_add(1)), to).map_err(|halted| {
                match halted {
                    Halted::Reading(error) => invalid(error.to_string()),
                    Halted::Writing(error) => draft::file("write", target)(error),
                }
            })?;
        match found == (entry.size, entry.sha256) {
            true => Ok(()),
            false => Err(invalid("it is not what the manifest says".to_owned())),
        }
    }
}

fn open(path: &Path) -> Result<ZipArchive<File>, Error> {
    let file = File::open(path).map_err(draft::file("read", path))?;
    let mut archive =
        ZipArchive::new(file).map_err(|error| invalid(path, format!("not a ZIP file: {error}")))?;
    // Duplicates and headers that differ are read otherwise by other programs.
    archive
        .validate_header_consistency()
        .map_err(|error| invalid(path, format!("an ambiguous ZIP file: {error}")))?;
    Ok(archive)
}

fn invalid(path: &Path, reason: String) -> Error {
    Error::BackupInvalid {
        path: path.to_owned(),
        reason,
    }
}

/// What an archive says of itself; whether its files are what it says is not looked at.
///
/// # Errors
///
/// [`Error::BackupInvalid`], [`Error::Local`].
pub(super) fn manifest_of(path: &Path) -> Result<Manifest, Error> {
    read_manifest(&mut open(path)?).map_err(|reason| invalid(path, reason))
}

fn read_manifest(archive: &mut ZipArchive<File>) -> Result<Manifest, String> {
    let file = archive
        .by_name(manifest::NAME)
        .map_err(|error| format!("{}: {error}", manifest::NAME))?;
    if file.size() > MAX_MANIFEST {
        return Err(format!(
            "{}: larger than {} MiB",
            manifest::NAME,
            MAX_MANIFEST >> 20
        ));
    }
    let mut bytes = Vec::new();
    file.take(MAX_MANIFEST)
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    Manifest::parse(&bytes)
}
