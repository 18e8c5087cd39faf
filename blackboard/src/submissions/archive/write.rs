//! The ZIP file of an archive, written as it is read: in memory are one receipt, a piece of a file, what the entries
//! say, `submissions.csv` and the names of what is in it.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::path::Path;

use anyhow::Context;
use scb_certs::{Certificate, Crl, Fingerprint};
use scb_protocol::export::{
    Head, INSTRUCTIONS, LogLine, Reading, SignedHead, Submission, Table, file, safe_paths,
};
use scb_protocol::log_leaf::leaf_commitment;
use scb_protocol::statement::{FileEntry, SubmissionNumber};
use scb_storage::ContentStore;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::proof::Proof;
use crate::identity::Identity;
use crate::store::{Error, Record, Store};

/// How many entries are read at a time.
const PAGE: u64 = 1000;
/// From this size on a file has sizes of 64 bits in the archive, with room for the archive's own.
const LARGE: u64 = 0xffff_0000;

/// What is packed, and from where.
pub(super) struct Packing<'a> {
    pub(super) store: &'a Store,
    pub(super) content: ContentStore,
    /// SHA-256 of the roots by which receipts are judged.
    pub(super) roots: Vec<Fingerprint>,
    pub(super) identity: Identity,
    pub(super) proof: Proof,
}

/// What came of it.
pub(super) struct Written {
    pub(super) head: Head,
    /// How many files were handed in.
    pub(super) files: u64,
    /// Of how many of its entries nobody knows what they said.
    pub(super) unknown: u64,
}

impl Packing<'_> {
    /// Writes all of it to what will be `target`.
    pub(super) fn write(&self, out: impl Write + Seek, target: &Path) -> anyhow::Result<Written> {
        let mut zip = Zip {
            writer: ZipWriter::new(UntilFailed::new(out)),
            target,
            bound: BTreeMap::new(),
        };
        let reading = self.entries(&mut zip)?;
        let files = self.submissions(&mut zip, &reading)?;
        self.evidence(&mut zip)?;
        let head = self.head(&mut zip, &reading)?;
        let out = zip.writer.finish().context("cannot finish the archive")?;
        let mut out = out.inner;
        out.flush()?;
        let unknown = reading.unknown_entries();
        Ok(Written {
            head,
            files,
            unknown,
        })
    }

    /// The entries, as many as the checkpoint covers; they must be its tree.
    fn entries<W: Write + Seek>(&self, zip: &mut Zip<'_, W>) -> anyhow::Result<Reading> {
        let (name, tree) = (&self.proof.name, self.proof.checkpoint.checkpoint().head());
        let mut reading = Reading::of(name.clone());
        zip.begin(file::LEAVES, 0)?;
        while reading.head().size < tree.size {
            let from = reading.head().size;
            let page = self.store.entries(name, from, PAGE.min(tree.size - from))?;
            if page.is_empty() {
                break;
            }
            for (commitment, leaf) in page {
                let line = LogLine::new(&commitment, leaf);
                reading
                    .line(&line)
                    .map_err(|error| contradicted(name, &error))?;
                zip.writer.write_all(&line.0)?;
                zip.writer.write_all(b"\n")?;
            }
        }
        match reading.head() == tree {
            true => Ok(reading),
            false => Err(contradicted(name, "they are not those of the checkpoint")),
        }
    }

    /// Receipt and files of each, and a table of them; how many files there are.
    fn submissions<W: Write + Seek>(
        &self,
        zip: &mut Zip<'_, W>,
        reading: &Reading,
    ) -> anyhow::Result<u64> {
        let mut table = Table::new(Vec::new())?;
        let mut files = 0;
        for (number, _, commitment) in reading.submissions() {
            let record = self
                .store
                .record(number)?
                .ok_or(Error::RecordMissing { number })?;
            let receipt = record.receipt(&self.roots)?;
            if leaf_commitment(record.leaf()) != *commitment {
                return Err(Error::Altered { number }.into());
            }
            files += self.submission(zip, &record, &receipt, &mut table)?;
        }
        zip.bound(file::TABLE, &table.finish()?)?;
        Ok(files)
    }

    /// Every file is hashed while it is packed.
    fn submission<W: Write + Seek>(
        &self,
        zip: &mut Zip<'_, W>,
        record: &Record,
        receipt: &[u8],
        table: &mut Table<Vec<u8>>,
    ) -> anyhow::Result<u64> {
        let (number, statement) = (record.number(), record.statement());
        let submission = Submission {
            number,
            committed_at: record.committed_at().ok_or(Error::Altered { number })?,
            accepted_at: record.accepted_at(),
            statement,
        };
        let within = |path: &str| format!("{}{number}/{path}", file::SUBMISSIONS);
        let path = within(file::RECEIPT);
        zip.whole(&path, receipt)?;
        let size = receipt.len() as u64;
        table.file(&submission, &path, (size, Fingerprint::of(receipt)))?;
        let paths = safe_paths(&statement.files);
        for (entry, path) in statement.files.iter().zip(&paths) {
            let path = within(path);
            zip.begin(&path, entry.size)?;
            let (hash, sink) = (entry.sha256.as_bytes(), &mut zip.writer);
            let copied = self.content.write_to_blocking(hash, sink, zip.target);
            copied.with_context(|| in_submission(number, entry))?;
            table.file(&submission, &path, (entry.size, entry.sha256))?;
        }
        Ok(paths.len() as u64)
    }

    fn evidence<W: Write + Seek>(&self, zip: &mut Zip<'_, W>) -> anyhow::Result<()> {
        let Proof {
            keys,
            checkpoint,
            roots,
            crls,
            ..
        } = &self.proof;
        let roots: String = roots.iter().map(Certificate::to_pem).collect();
        let crls: String = crls.iter().map(Crl::to_pem).collect();
        let checkpoint = checkpoint.note().to_string();
        for (name, bytes) in [
            (file::CHECKPOINT, checkpoint.as_bytes()),
            (file::KEYS, keys.keys.as_bytes()),
            (file::KEYS_SIGNATURE, &keys.signature),
            (file::ROOT, roots.as_bytes()),
            (file::CRLS, crls.as_bytes()),
            (file::INSTRUCTIONS, INSTRUCTIONS.as_bytes()),
        ] {
            zip.bound(name, bytes)?;
        }
        Ok(())
    }

    /// Comes last: it has the hashes of the files before it.
    fn head<W: Write + Seek>(
        &self,
        zip: &mut Zip<'_, W>,
        reading: &Reading,
    ) -> anyhow::Result<Head> {
        let (service, name) = (self.proof.service.clone(), self.proof.name.clone());
        let bound = std::mem::take(&mut zip.bound);
        let head = Head::new(service, name, self.proof.at).over(reading, bound);
        let Identity { key, chain } = &self.identity;
        let signed = SignedHead::sign(&head, (key, chain))?;
        zip.whole(file::HEAD, &signed.head)?;
        zip.whole(file::HEAD_SIGNATURE, &signed.signature)?;
        Ok(head)
    }
}

/// Once something could not be written the archive is given up: what the library would still write when it
/// is dropped goes nowhere, and is complained of nowhere.
struct UntilFailed<W> {
    inner: W,
    has_failed: bool,
}

impl<W> UntilFailed<W> {
    fn new(inner: W) -> Self {
        let has_failed = false;
        Self { inner, has_failed }
    }

    fn unless_failed<T>(
        &mut self,
        instead: T,
        work: impl FnOnce(&mut W) -> io::Result<T>,
    ) -> io::Result<T> {
        if self.has_failed {
            return Ok(instead);
        }
        let done = work(&mut self.inner);
        let is_final = |error: &io::Error| error.kind() != ErrorKind::Interrupted;
        self.has_failed = done.as_ref().is_err_and(is_final);
        done
    }
}

impl<W: Write> Write for UntilFailed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.unless_failed(bytes.len(), |inner| inner.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.unless_failed((), Write::flush)
    }
}

impl<W: Seek> Seek for UntilFailed<W> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.unless_failed(0, |inner| inner.seek(to))
    }
}

/// The ZIP file, and what it will be called.
struct Zip<'a, W: Write + Seek> {
    writer: ZipWriter<UntilFailed<W>>,
    target: &'a Path,
    /// SHA-256 of what the head names.
    bound: BTreeMap<String, Fingerprint>,
}

impl<W: Write + Seek> Zip<'_, W> {
    /// Begins a file of this size. Files are stored as they are: reports are compressed already.
    fn begin(&mut self, name: &str, size: u64) -> anyhow::Result<()> {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .large_file(size >= LARGE || name == file::LEAVES)
            .unix_permissions(0o644);
        let begun = self.writer.start_file(name, options);
        begun.with_context(|| format!("cannot write {}", self.target.display()))
    }

    /// Writes a file that the head names.
    fn bound(&mut self, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        self.bound.insert(name.to_owned(), Fingerprint::of(bytes));
        self.whole(name, bytes)
    }

    fn whole(&mut self, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        self.begin(name, bytes.len() as u64)?;
        let written = self.writer.write_all(bytes);
        written.with_context(|| format!("cannot write {}", self.target.display()))
    }
}

fn in_submission(number: SubmissionNumber, entry: &FileEntry) -> String {
    let name = scb_cli::printable(entry.name.as_ref());
    format!("{name} of {number} cannot be packed, and no archive was written")
}

/// What is stored of the log is not what was signed.
fn contradicted(name: &scb_protocol::log_leaf::LogName, why: &str) -> anyhow::Error {
    scb_cli::Failure::fault(format!("the entries of {name} were altered: {why}"))
        .with_remedy("put the database back from a backup; `blackboard serve` says more")
        .with_code("log_contradicted")
        .into()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A disk with room for so many bytes, which counts what it is asked to write after it was full.
    struct Disk {
        room: usize,
        after: usize,
    }

    impl Write for &mut Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.room == 0 {
                self.after += 1;
                return Err(ErrorKind::StorageFull.into());
            }
            let written = bytes.len().min(self.room);
            self.room -= written;
            Ok(written)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Seek for &mut Disk {
        fn seek(&mut self, _: SeekFrom) -> io::Result<u64> {
            Ok(0)
        }
    }

    #[test]
    fn a_full_disk_is_told_once_and_nothing_is_written_to_it_after_that() {
        let mut disk = Disk {
            room: 100,
            after: 0,
        };
        let mut zip = ZipWriter::new(UntilFailed::new(&mut disk));
        let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        zip.start_file("a", stored).unwrap();
        let full = zip.write_all(&[7; 1000]).unwrap_err();
        assert_eq!(full.kind(), ErrorKind::StorageFull);
        drop(zip);
        assert_eq!(disk.after, 1);
    }
}
