//! Giving out a content: checked whole before its first byte goes out.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::PathBuf,
};

use crate::{ContentStore, Error, incoming::in_background};

/// A content from somewhere on, in pieces. Holds one piece at a time.
#[derive(Debug)]
pub struct ContentReader {
    file: Option<File>,
    path: PathBuf,
    left: u64,
}

impl ContentStore {
    /// A content without its first `from` bytes, after all of it was compared with its hash.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`], [`Error::Altered`], [`Error::Io`].
    pub async fn reader(&self, sha256: &[u8; 32], from: u64) -> Result<ContentReader, Error> {
        let (path, file) = (self.path_of(sha256), self.open_verified(sha256).await?);
        in_background(move || {
            let mut file = file;
            let size = file.seek(SeekFrom::End(0));
            let size = size.map_err(Error::io("read", &path))?;
            let from = from.min(size);
            file.seek(SeekFrom::Start(from))
                .map_err(Error::io("read", &path))?;
            Ok(ContentReader {
                file: Some(file),
                path,
                left: size - from,
            })
        })
        .await
    }
}

impl ContentReader {
    /// How many bytes are still to come.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// The next bytes, at most `most`; `None` after the last.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], also if the file has become shorter; [`Error::Closed`] after an earlier error.
    pub async fn next_piece(&mut self, most: usize) -> Result<Option<Vec<u8>>, Error> {
        let wanted = usize::try_from(self.left).map_or(most, |left| left.min(most));
        if wanted == 0 {
            return Ok(None);
        }
        let Some(mut file) = self.file.take() else {
            return Err(Error::Closed);
        };
        let path = self.path.clone();
        let read = move || -> io::Result<(File, Vec<u8>)> {
            let mut piece = vec![0; wanted];
            file.read_exact(&mut piece)?;
            Ok((file, piece))
        };
        let read = in_background(move || read().map_err(Error::io("read", &path)));
        let (file, piece) = read.await?;
        self.file = Some(file);
        self.left -= piece.len() as u64;
        Ok(Some(piece))
    }
}
