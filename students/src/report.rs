//! What is handed in: files, a folder of files, or the text that is made from the IDs.

mod packed;
mod private_key;
mod selection;
mod walk;

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;

use ring::digest::{Context, SHA256};
use scb_certs::Fingerprint;
use scb_protocol::MAX_PAYLOAD;
use scb_protocol::statement::{FileEntry, FilePath, Files};

pub use self::selection::Selection;
use crate::Error;

/// Files whose sizes and hashes are known and whose content can be read again.
#[derive(Debug)]
pub struct Report {
    files: Files,
    contents: Vec<Content>,
}

/// One file.
struct Content {
    source: Source,
    /// The hash of its first so many bytes, as they were read last.
    prefix: (u64, Context),
}

#[derive(Debug)]
enum Source {
    Text(io::Cursor<Vec<u8>>),
    File { path: PathBuf, file: File },
}

impl Report {
    /// Finds and hashes files.
    ///
    /// # Errors
    ///
    /// [`Error::Report`] and the errors named after it.
    pub fn open(paths: &[PathBuf]) -> Result<Self, Error> {
        Selection::find(paths)?.hash()
    }

    /// Names, sizes and hashes, as they stand in the statement.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// SHA-256 of the first so many bytes of a file.
    ///
    /// # Errors
    ///
    /// [`Error::ReportChanged`] if there are fewer; [`Error::Report`].
    pub(crate) fn prefix(&mut self, index: usize, bytes: u64) -> Result<Fingerprint, Error> {
        let (entry, content) = self.file(index)?;
        content.hash_prefix(bytes, &entry.name)?;
        Ok(finish(content.prefix.1.clone()))
    }

    /// A file from there on, in pieces of at most 64 KiB.
    ///
    /// # Errors
    ///
    /// As [`Report::prefix`].
    pub fn pieces(&mut self, index: usize, from: u64) -> Result<Pieces<'_>, Error> {
        let (entry, content) = self.file(index)?;
        content.hash_prefix(from, &entry.name)?;
        content.source.seek(from)?;
        Ok(Pieces {
            entry,
            hash: content.prefix.1.clone(),
            source: &mut content.source,
            read: from,
        })
    }

    fn file(&mut self, index: usize) -> Result<(&FileEntry, &mut Content), Error> {
        let file = self.files.get(index).zip(self.contents.get_mut(index));
        file.ok_or_else(|| Error::ReportChanged {
            file: index.to_string(),
        })
    }
}

/// Reads a file once more while it is sent, and notices if it was changed meanwhile.
pub struct Pieces<'a> {
    entry: &'a FileEntry,
    source: &'a mut Source,
    hash: Context,
    read: u64,
}

impl fmt::Debug for Pieces<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pieces")
            .field("entry", &self.entry)
            .field("read", &self.read)
            .finish_non_exhaustive()
    }
}

impl Pieces<'_> {
    /// The next piece; none at the end.
    ///
    /// # Errors
    ///
    /// [`Error::ReportChanged`] if the content is longer, shorter or other than was hashed;
    /// [`Error::Report`].
    pub(crate) fn next_piece(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let piece = self.source.read_piece(MAX_PAYLOAD as u64)?;
        self.read += piece.len() as u64;
        if self.read > self.entry.size {
            return Err(changed(&self.entry.name));
        }
        if !piece.is_empty() {
            self.hash.update(&piece);
            return Ok(Some(piece));
        }
        let same = self.read == self.entry.size && finish(self.hash.clone()) == self.entry.sha256;
        if same {
            Ok(None)
        } else {
            Err(changed(&self.entry.name))
        }
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Content").field(&self.source).finish()
    }
}

impl Content {
    fn new(source: Source) -> Self {
        let prefix = (0, Context::new(&SHA256));
        Self { source, prefix }
    }

    fn hash_prefix(&mut self, bytes: u64, name: &FilePath) -> Result<(), Error> {
        if self.prefix.0 == bytes {
            return Ok(());
        }
        self.source.seek(0)?;
        let (mut left, mut hash) = (bytes, Context::new(&SHA256));
        while left > 0 {
            let piece = self.source.read_piece(left.min(MAX_PAYLOAD as u64))?;
            if piece.is_empty() {
                return Err(changed(name));
            }
            hash.update(&piece);
            left -= piece.len() as u64;
        }
        self.prefix = (bytes, hash);
        Ok(())
    }
}

impl Source {
    fn seek(&mut self, to: u64) -> Result<(), Error> {
        match self {
            Self::Text(text) => text.set_position(to),
            Self::File { path, file } => {
                file.seek(SeekFrom::Start(to))
                    .map_err(|source| Error::Report {
                        path: path.clone(),
                        source,
                    })?;
            }
        }
        Ok(())
    }

    fn read_piece(&mut self, most: u64) -> Result<Vec<u8>, Error> {
        let mut piece = Vec::with_capacity(MAX_PAYLOAD);
        let read = match self {
            Self::Text(text) => text.take(most).read_to_end(&mut piece),
            Self::File { file, .. } => file.take(most).read_to_end(&mut piece),
        };
        match (read, self) {
            (Err(source), Self::File { path, .. }) => Err(Error::Report {
                path: path.clone(),
                source,
            }),
            _ => Ok(piece),
        }
    }
}

/// The size and SHA-256 of a file.
///
/// # Errors
///
/// What the system says.
pub(crate) fn measure(file: &mut impl Read) -> io::Result<(u64, Fingerprint)> {
    let mut hash = Context::new(&SHA256);
    let mut buffer = vec![0; MAX_PAYLOAD];
    let mut size = 0;
    loop {
        let read = match file.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        if read == 0 {
            return Ok((size, finish(hash)));
        }
        hash.update(&buffer[..read]);
        size += read as u64;
    }
}

fn finish(hash: Context) -> Fingerprint {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(hash.finish().as_ref());
    Fingerprint::from_bytes(bytes)
}

fn changed(name: &FilePath) -> Error {
    Error::ReportChanged {
        file: name.to_string(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;
    use std::path::Path;

    use super::*;

    fn read_from(report: &mut Report, from: u64) -> Result<Vec<u8>, Error> {
        let mut pieces = report.pieces(0, from)?;
        let mut all = Vec::new();
        while let Some(piece) = pieces.next_piece()? {
            assert!(piece.len() <= MAX_PAYLOAD);
            all.extend(piece);
        }
        Ok(all)
    }

    fn open(path: &Path) -> Result<Report, Error> {
        Report::open(&[path.to_owned()])
    }

    #[test]
    fn a_file_is_read_in_pieces_as_often_as_needed_and_from_anywhere() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("報告.pdf");
        let content: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
        std::fs::write(&path, &content).unwrap();
        let mut report = open(&path).unwrap();
        assert_eq!(report.files()[0].sha256, Fingerprint::of(&content));
        for from in [0, 1, 65_536, 199_999, 200_000, 0] {
            let start = usize::try_from(from).unwrap();
            let prefix = report.prefix(0, from).unwrap();
            assert_eq!(prefix, Fingerprint::of(&content[..start]));
            assert_eq!(read_from(&mut report, from).unwrap(), content[start..]);
        }
        let beyond = report.prefix(0, 200_001);
        assert!(matches!(beyond, Err(Error::ReportChanged { file }) if file == "報告.pdf"));
    }

    #[test]
    fn notices_a_file_that_was_changed_meanwhile() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r");
        for change in ["longer than before", "shorte", "altered!!"] {
            for from in [0, 3] {
                std::fs::write(&path, "unchanged").unwrap();
                let mut report = open(&path).unwrap();
                let mut file = File::options()
                    .write(true)
                    .truncate(true)
                    .open(&path)
                    .unwrap();
                file.write_all(change.as_bytes()).unwrap();
                assert!(
                    matches!(read_from(&mut report, from), Err(Error::ReportChanged { file }) if file == "r"),
                    "{change}"
                );
            }
        }
    }

    #[test]
    fn refuses_missing_files_and_odd_names() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("missing");
        assert!(matches!(open(&missing), Err(Error::Report { .. })));
        let escape = dir.path().join("a\u{1b}[2J");
        std::fs::write(&escape, "x").unwrap();
        let error = open(&escape).unwrap_err();
        assert!(!error.to_string().contains('\u{1b}'), "{error}");
    }
}
