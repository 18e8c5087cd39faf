//! What is handed in: a file, or the text that is made from the IDs.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use ring::digest::{Context, SHA256};
use scb_certs::{Fingerprint, StudentId};
use scb_protocol::MAX_PAYLOAD;
use scb_protocol::statement::{FileEntry, FileName};

use crate::{Error, Group};

/// How often each student's line stands in the text that is made.
const LINES: usize = 10;
/// The name of the text that is made.
const GENERATED: &str = "submission.txt";

/// A report whose size and hash are known and whose content can be read again.
#[derive(Debug)]
pub struct Report {
    entry: FileEntry,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Text(io::Cursor<Vec<u8>>),
    File { path: PathBuf, file: File },
}

impl Report {
    /// The report at `path`, or the text made from the IDs.
    ///
    /// # Errors
    ///
    /// As [`Report::open`].
    pub fn choose(path: Option<&Path>, group: &Group) -> Result<Self, Error> {
        match path {
            Some(path) => Self::open(path),
            None => Self::generated(group.ids()),
        }
    }

    /// Opens and hashes a file.
    ///
    /// # Errors
    ///
    /// [`Error::Report`], [`Error::ReportKind`], [`Error::ReportName`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        let fault = |source| Error::Report {
            path: path.to_owned(),
            source,
        };
        let name = file_name(path)?;
        if !std::fs::metadata(path).map_err(fault)?.is_file() {
            return Err(Error::ReportKind {
                path: path.to_owned(),
            });
        }
        let mut file = File::open(path).map_err(fault)?;
        let (size, sha256) = measure(&mut file).map_err(fault)?;
        let entry = FileEntry { name, size, sha256 };
        let path = path.to_owned();
        Ok(Self {
            entry,
            content: Content::File { path, file },
        })
    }

    /// For each student in order, ten times the line `This is submission from <ID>`.
    ///
    /// # Errors
    ///
    /// None in practice: the name is a fixed one.
    pub fn generated(ids: &[StudentId]) -> Result<Self, Error> {
        let text = generated_text(ids);
        let entry = FileEntry {
            name: GENERATED.parse()?,
            size: text.len() as u64,
            sha256: Fingerprint::of(text.as_bytes()),
        };
        Ok(Self {
            entry,
            content: Content::Text(io::Cursor::new(text.into_bytes())),
        })
    }

    /// Name, size and hash, as they stand in the statement.
    pub fn entry(&self) -> &FileEntry {
        &self.entry
    }

    /// The content from its beginning, in pieces of at most 64 KiB.
    ///
    /// # Errors
    ///
    /// [`Error::Report`].
    pub fn pieces(&mut self) -> Result<Pieces<'_>, Error> {
        self.content.rewind()?;
        Ok(Pieces {
            entry: &self.entry,
            content: &mut self.content,
            hash: Context::new(&SHA256),
            read: 0,
        })
    }
}

/// Reads a report once more while it is sent, and notices if it was changed meanwhile.
pub struct Pieces<'a> {
    entry: &'a FileEntry,
    content: &'a mut Content,
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
    pub fn next_piece(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let piece = self.content.read_piece()?;
        self.read += piece.len() as u64;
        if self.read > self.entry.size {
            return Err(Error::ReportChanged);
        }
        if !piece.is_empty() {
            self.hash.update(&piece);
            return Ok(Some(piece));
        }
        let same = self.read == self.entry.size && finish(self.hash.clone()) == self.entry.sha256;
        if same {
            Ok(None)
        } else {
            Err(Error::ReportChanged)
        }
    }
}

impl Content {
    fn rewind(&mut self) -> Result<(), Error> {
        match self {
            Self::Text(text) => text.set_position(0),
            Self::File { path, file } => file.rewind().map_err(|source| Error::Report {
                path: path.clone(),
                source,
            })?,
        }
        Ok(())
    }

    fn read_piece(&mut self) -> Result<Vec<u8>, Error> {
        let mut piece = Vec::with_capacity(MAX_PAYLOAD);
        let limit = MAX_PAYLOAD as u64;
        let read = match self {
            Self::Text(text) => text.take(limit).read_to_end(&mut piece),
            Self::File { file, .. } => file.take(limit).read_to_end(&mut piece),
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

fn generated_text(ids: &[StudentId]) -> String {
    let line = |sid: &StudentId| format!("This is submission from {sid}\n").repeat(LINES);
    ids.iter().map(line).collect()
}

fn file_name(path: &Path) -> Result<FileName, Error> {
    let fault = |reason: String| Error::ReportName {
        path: path.to_owned(),
        reason,
    };
    let name = path
        .file_name()
        .ok_or_else(|| fault("it names no file".into()))?;
    let name = name
        .to_str()
        .ok_or_else(|| fault("it is not UTF-8".into()))?;
    name.parse()
        .map_err(|error: scb_protocol::Error| fault(error.to_string()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;

    use super::*;

    fn ids() -> Vec<StudentId> {
        let texts = ["1155000001", "1155000002", "1155000003"];
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn read(report: &mut Report) -> Result<Vec<u8>, Error> {
        let mut pieces = report.pieces()?;
        let mut all = Vec::new();
        while let Some(piece) = pieces.next_piece()? {
            assert!(piece.len() <= MAX_PAYLOAD);
            all.extend(piece);
        }
        Ok(all)
    }

    #[test]
    fn the_text_for_three_ten_digit_ids_has_1050_bytes() {
        let mut report = Report::generated(&ids()).unwrap();
        let content = read(&mut report).unwrap();
        assert_eq!((content.len(), report.entry().size), (1050, 1050));
        let lines: Vec<_> = str::from_utf8(&content).unwrap().lines().collect();
        assert_eq!(lines.len(), 30);
        assert_eq!(lines[9], "This is submission from 1155000001");
        assert_eq!(lines[10], "This is submission from 1155000002");
        assert_eq!(report.entry().name.as_ref(), "submission.txt");
        assert_eq!(report.entry().sha256, Fingerprint::of(&content));
    }

    #[test]
    fn a_file_is_read_in_pieces_as_often_as_needed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("報告.pdf");
        let content: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
        std::fs::write(&path, &content).unwrap();
        let mut report = Report::open(&path).unwrap();
        assert_eq!(report.entry().sha256, Fingerprint::of(&content));
        for _ in 0..2 {
            assert_eq!(read(&mut report).unwrap(), content);
        }
    }

    #[test]
    fn notices_a_file_that_was_changed_meanwhile() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r");
        for change in ["longer than before", "shorte", "altered!!"] {
            std::fs::write(&path, "unchanged").unwrap();
            let mut report = Report::open(&path).unwrap();
            let mut file = File::options()
                .write(true)
                .truncate(true)
                .open(&path)
                .unwrap();
            file.write_all(change.as_bytes()).unwrap();
            assert!(
                matches!(read(&mut report), Err(Error::ReportChanged)),
                "{change}"
            );
        }
    }

    #[test]
    fn refuses_directories_missing_files_and_odd_names() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(
            Report::open(dir.path()),
            Err(Error::ReportKind { .. })
        ));
        let missing = dir.path().join("missing");
        assert!(matches!(Report::open(&missing), Err(Error::Report { .. })));
        assert!(matches!(
            Report::open(Path::new("..")),
            Err(Error::ReportName { .. })
        ));
        let escape = dir.path().join("a\u{1b}[2J");
        std::fs::write(&escape, "x").unwrap();
        let error = Report::open(&escape).unwrap_err();
        assert!(!error.to_string().contains('\u{1b}'), "{error}");
    }
}
