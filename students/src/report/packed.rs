//! What lies in a ZIP file, as far as a look for private keys goes: names, and the first bytes of what is small
//! and not compressed. Nothing is unpacked, and no archive in it is looked into.

use std::io::{self, Error, Read, Seek, SeekFrom};

use zip::{CompressionMethod, ZipArchive};

/// How a ZIP file begins.
const MAGIC: &[u8] = b"PK\x03\x04";
/// The record at its end (APPNOTE.TXT, 4.3.16), and its bytes without the comment.
const END: (&[u8], usize) = (b"PK\x05\x06", 22);
/// So far from its end that record begins.
const TAIL: u64 = 22 + u16::MAX as u64;
/// Most entries of what is looked into, and most bytes of the directory of them.
const MOST: (u16, u32) = (4096, 1 << 20);
/// A key has no more bytes.
const SMALL: u64 = 8 * 1024;
/// So much of a file is read for all of it: a directory, and a few bytes before each entry.
const BUDGET: u64 = 64 << 20;

/// A small file in it.
pub(super) struct Packed {
    /// As it is called there.
    pub(super) name: String,
    /// All of its bytes; none of what is compressed.
    pub(super) bytes: Option<Vec<u8>>,
}

/// Whether something small in it is what is looked for; of what is no ZIP file that can be looked into, nothing is.
///
/// # Errors
///
/// It cannot be read.
pub(super) fn any<R: Read + Seek>(
    file: &mut R,
    (first, size): (&[u8], u64),
    is: impl Fn(&Packed) -> bool,
) -> io::Result<bool> {
    if !first.starts_with(MAGIC) {
        return Ok(false);
    }
    let from = size.saturating_sub(TAIL);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.take(TAIL).read_to_end(&mut tail)?;
    if !is_plain(&tail, from) {
        return Ok(false);
    }
    let bounded = Bounded { file, left: BUDGET };
    // What cannot be read as one holds nothing that anybody could take out.
    let Ok(mut archive) = ZipArchive::new(bounded) else {
        return Ok(false);
    };
    let mut places = 0..archive.len();
    Ok(places.any(|place| small(&mut archive, place).is_some_and(|packed| is(&packed))))
}

fn small<R: Read + Seek>(archive: &mut ZipArchive<R>, place: usize) -> Option<Packed> {
    let entry = archive.by_index_raw(place).ok()?;
    if entry.size() == 0 || entry.size() > SMALL {
        return None;
    }
    let name = entry.name().ok()?.into_owned();
    let is_open = entry.compression() == CompressionMethod::Stored && !entry.encrypted();
    let mut bytes = Vec::new();
    let read = is_open && entry.take(SMALL).read_to_end(&mut bytes).is_ok();
    Some(Packed {
        name,
        bytes: read.then_some(bytes),
    })
}

/// Whether it ends as a ZIP file of ordinary size does, directory and record side by side: how many entries the
/// library will find is known before it looks.
fn is_plain(tail: &[u8], from: u64) -> bool {
    let (magic, length) = END;
    let Some(at) = tail.windows(magic.len()).rposition(|at| at == magic) else {
        return false;
    };
    let end = &tail[at..];
    let two = |at: usize| Some(u16::from_le_bytes(*end.get(at..)?.first_chunk()?));
    let four = |at: usize| Some(u32::from_le_bytes(*end.get(at..)?.first_chunk()?));
    let (Some(entries), Some(bytes), Some(offset), Some(comment)) =
        (two(10), four(12), four(16), two(20))
    else {
        return false;
    };
    let is_here = u64::from(offset) + u64::from(bytes) == from + at as u64;
    let is_last = end.len() == length + usize::from(comment);
    is_here && is_last && entries <= MOST.0 && bytes <= MOST.1
}

/// A file of which no more than so much is read.
struct Bounded<'a, R> {
    file: &'a mut R,
    left: u64,
}

impl<R: Read> Read for Bounded<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(into)?;
        self.left = self
            .left
            .checked_sub(read as u64)
            .ok_or_else(|| Error::other("too much of it"))?;
        Ok(read)
    }
}

impl<R: Seek> Seek for Bounded<'_, R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::cell::Cell;
    use std::io::{Cursor, Write as _};

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn packed(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        for (name, bytes) in files {
            zip.start_file(*name, stored).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    /// What is found in it.
    fn found(zip: &[u8]) -> Vec<(String, usize)> {
        let found = Cell::new(Vec::new());
        let look = |one: &Packed| {
            let mut all = found.take();
            all.push((one.name.clone(), one.bytes.as_ref().map_or(0, Vec::len)));
            found.set(all);
            false
        };
        let size = zip.len() as u64;
        assert!(!any(&mut Cursor::new(zip), (zip, size), look).unwrap());
        found.into_inner()
    }

    #[test]
    fn what_is_small_is_looked_at_wherever_it_lies() {
        let large = vec![b'x'; 300 * 1024];
        let zip = packed(&[("report.pdf", &large), ("src/a", b"one"), ("empty", b"")]);
        assert_eq!(found(&zip), [("src/a".to_owned(), 3)]);
    }

    #[test]
    fn what_is_no_plain_archive_is_left_alone() {
        let zip = packed(&[("a", b"one")]);
        let cut = &zip[..zip.len() - 1];
        let more = [&zip[..], b"more"].concat();
        let mut many = zip.clone();
        let end = many.len() - END.1;
        many[end + 10..end + 12].copy_from_slice(&u16::MAX.to_le_bytes());
        let mut elsewhere = zip.clone();
        elsewhere[end + 16] ^= 1;
        for other in [cut, &more, &many, &elsewhere, b"PK\x03\x04", b"a text"] {
            assert_eq!(found(other), []);
        }
        let names: Vec<_> = (0..5000).map(|name| name.to_string()).collect();
        let files: Vec<_> = names
            .iter()
            .map(|name| (name.as_str(), &b"x"[..]))
            .collect();
        assert_eq!(found(&packed(&files)), []);
        assert_eq!(found(&packed(&files[..4096])).len(), 4096);
    }

    #[test]
    fn no_more_of_a_file_is_read_than_is_allowed() {
        let mut file = Cursor::new(vec![0; 100]);
        let mut bounded = Bounded {
            file: &mut file,
            left: 60,
        };
        let mut half = [0; 50];
        bounded.read_exact(&mut half).unwrap();
        assert!(bounded.read_exact(&mut half).is_err());
    }
}
