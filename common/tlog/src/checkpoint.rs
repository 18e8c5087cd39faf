//! Checkpoints (C2SP tlog-checkpoint): what a log commits itself to, and only believed once its key signed it.

use std::fmt;
use std::str::FromStr;

use crate::note::SignatureLine;
use crate::{Error, KeyName, MAX_SIZE, NoteKey, SignedNote, TreeHead, VerifierKey};

/// What a log says about itself: its name, its size and its root (C2SP tlog-checkpoint).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name.
    pub origin: KeyName,
    /// Its tree.
    pub head: TreeHead,
}

impl Checkpoint {
    /// The text that is signed: three lines.
    pub fn text(&self) -> String {
        let TreeHead { size, root } = self.head;
        format!("{}\n{size}\n{root}\n", self.origin)
    }

    /// Signs it with the log's key.
    ///
    /// # Errors
    ///
    /// [`Error::OtherOrigin`] if the key has another name than the log.
    pub fn sign(self, key: &NoteKey) -> Result<VerifiedCheckpoint, Error> {
        let name = key.verifier().name();
        if *name != self.origin {
            return Err(other_origin(name, &self.origin));
        }
        let mut note = SignedNote::new(self.text())?;
        note.sign(key);
        let checkpoint = self;
        Ok(VerifiedCheckpoint { checkpoint, note })
    }

    /// Extension lines are refused: no log of ours writes any, and nobody could audit them.
    fn from_text(text: &str) -> Result<Self, Error> {
        let malformed = |reason| Error::malformed("checkpoint", reason);
        let lines: Vec<&str> = text.lines().collect();
        let [origin, size, root] = lines[..] else {
            return Err(malformed("not origin, size and root"));
        };
        let number: u64 = size.parse().map_err(|_| malformed("size not a number"))?;
        if number.to_string() != size || number > MAX_SIZE {
            return Err(malformed("size not a number that a log can have"));
        }
        let (size, root) = (number, root.parse()?);
        Ok(Self {
            origin: origin.parse()?,
            head: TreeHead { size, root },
        })
    }
}

/// A checkpoint that somebody sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnverifiedCheckpoint {
    checkpoint: Checkpoint,
    note: SignedNote,
}

impl UnverifiedCheckpoint {
    /// The log that it claims to be of.
    pub fn origin(&self) -> &KeyName {
        &self.checkpoint.origin
    }

    /// The tree that it claims.
    pub fn head(&self) -> TreeHead {
        self.checkpoint.head
    }

    /// Verifies the signature of the log that is meant.
    ///
    /// # Errors
    ///
    /// [`Error::OtherOrigin`], [`Error::SignatureMissing`], [`Error::SignatureInvalid`].
    pub fn verify(self, key: &VerifierKey) -> Result<VerifiedCheckpoint, Error> {
        let Self { checkpoint, note } = self;
        if checkpoint.origin != *key.name() {
            return Err(other_origin(key.name(), &checkpoint.origin));
        }
        note.verify(key)?;
        Ok(VerifiedCheckpoint { checkpoint, note })
    }
}

impl FromStr for UnverifiedCheckpoint {
    type Err = Error;

    fn from_str(note: &str) -> Result<Self, Error> {
        let note: SignedNote = note.parse()?;
        let checkpoint = Checkpoint::from_text(note.text())?;
        Ok(Self { checkpoint, note })
    }
}

impl fmt::Display for UnverifiedCheckpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.note.fmt(formatter)
    }
}

/// A checkpoint that the log signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedCheckpoint {
    checkpoint: Checkpoint,
    note: SignedNote,
}

impl VerifiedCheckpoint {
    /// The log's name.
    pub fn origin(&self) -> &KeyName {
        &self.checkpoint.origin
    }

    /// The tree that it is about.
    pub fn head(&self) -> TreeHead {
        self.checkpoint.head
    }

    /// The note with all its signatures; only the log's own is verified.
    pub fn note(&self) -> &SignedNote {
        &self.note
    }

    /// The same with another signature line under it, a witness's.
    #[must_use]
    pub fn with(mut self, line: SignatureLine) -> Self {
        self.note.add(line);
        self
    }
}

/// The signed note, as it is sent and stored.
impl fmt::Display for VerifiedCheckpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.note.fmt(formatter)
    }
}

fn other_origin(expected: &KeyName, got: &KeyName) -> Error {
    Error::OtherOrigin {
        expected: expected.clone(),
        got: got.to_string(),
    }
}
