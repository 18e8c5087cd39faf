//! A proof in one file (C2SP tlog-proof), which somebody keeps and shows years later.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64;

use crate::{Error, InclusionProof, UnverifiedCheckpoint, VerifiedCheckpoint, VerifierKey};

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";
/// A path in a tree of 2^56 entries has no more hashes.
const MAX_HASHES: usize = 56;

/// That an entry is in a log, so that it can be checked without asking anybody (C2SP
/// tlog-proof); nothing is verified yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    /// The entry's number, from 0.
    pub index: u64,
    /// The path to the root.
    pub inclusion: InclusionProof,
    /// The log's word, perhaps with cosignatures.
    pub checkpoint: UnverifiedCheckpoint,
    /// Opaque; nobody vouches for it.
    pub extra: Option<Vec<u8>>,
}

/// An entry that is in a log.
#[derive(Clone, Debug)]
pub struct VerifiedInclusion {
    index: u64,
    checkpoint: VerifiedCheckpoint,
}

impl VerifiedInclusion {
    /// The entry's number, from 0.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The checkpoint that covers it.
    pub fn checkpoint(&self) -> &VerifiedCheckpoint {
        &self.checkpoint
    }
}

impl TlogProof {
    /// Verifies that the log with this key has the entry.
    ///
    /// # Errors
    ///
    /// As for [`UnverifiedCheckpoint::verify`]; [`Error::InclusionUnproved`].
    pub fn verify(self, entry: &[u8], log: &VerifierKey) -> Result<VerifiedInclusion, Error> {
        let (index, checkpoint) = (self.index, self.checkpoint.verify(log)?);
        let head = checkpoint.head();
        head.check_inclusion(entry, index, &self.inclusion)?;
        Ok(VerifiedInclusion { index, checkpoint })
    }
}

impl fmt::Display for TlogProof {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{FIRST_LINE}")?;
        if let Some(extra) = &self.extra {
            writeln!(formatter, "extra {}", BASE64.encode(extra))?;
        }
        writeln!(formatter, "index {}", self.index)?;
        for hash in self.inclusion.hashes() {
            writeln!(formatter, "{hash}")?;
        }
        write!(formatter, "\n{}", self.checkpoint)
    }
}

impl FromStr for TlogProof {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (head, checkpoint) = text
            .split_once("\n\n")
            .ok_or_else(|| malformed("no empty line before the checkpoint"))?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(FIRST_LINE) {
            return Err(malformed("another first line"));
        }
        let extra = lines.peek().and_then(|line| line.strip_prefix("extra "));
        let extra = extra.map(|extra| BASE64.decode(extra.as_bytes()));
        let extra = extra
            .transpose()
            .map_err(|_| malformed("the extra data is not base64"))?;
        let index = match &extra {
            Some(_) => lines.nth(1),
            None => lines.next(),
        };
        let index = read_index(index).ok_or_else(|| malformed("no index"))?;
        let hashes: Vec<_> = lines.map(str::parse).collect::<Result<_, _>>()?;
        if hashes.len() > MAX_HASHES {
            return Err(malformed("too many hashes"));
        }
        Ok(Self {
            index,
            inclusion: InclusionProof::new(hashes),
            checkpoint: checkpoint.parse()?,
            extra,
        })
    }
}

fn read_index(line: Option<&str>) -> Option<u64> {
    let digits = line?.strip_prefix("index ")?;
    let index: u64 = digits.parse().ok()?;
    (index.to_string() == digits).then_some(index)
}

fn malformed(reason: &'static str) -> Error {
    Error::malformed("tlog-proof", reason)
}
