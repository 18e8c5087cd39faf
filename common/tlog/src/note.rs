//! Signed notes (C2SP signed-note): a text with signatures, taken apart but not yet believed.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64;

use crate::{Algorithm, Error, KeyName, NoteKey, VerifierKey};

/// Longest note, in bytes.
const MAX_NOTE: usize = 32 * 1024;
/// Most signatures of one note.
const MAX_SIGNATURES: usize = 64;

/// A text and the signatures under it (C2SP signed-note); nothing is verified yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedNote {
    text: String,
    signatures: Vec<SignatureLine>,
}

/// One line `— <name> <base64 of key ID and signature>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureLine {
    name: KeyName,
    key_id: [u8; 4],
    signature: Vec<u8>,
}

impl SignedNote {
    /// A text, each line with its newline, without signatures.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if it does not end with a newline or has a control character.
    pub fn new(text: String) -> Result<Self, Error> {
        let control = |c: char| c < ' ' && c != '\n';
        if !text.ends_with('\n') || text.contains(control) {
            return Err(malformed("no newline at the end, or a control character"));
        }
        let signatures = Vec::new();
        Ok(Self { text, signatures })
    }

    /// What is signed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signatures, as they stand there.
    pub fn signatures(&self) -> &[SignatureLine] {
        &self.signatures
    }

    /// Signs the text with a log's own key.
    pub fn sign(&mut self, key: &NoteKey) {
        let signature = key.sign(self.text.as_bytes());
        self.add(SignatureLine::new(key.verifier(), signature));
    }

    /// Adds a signature, in place of one by the same key.
    pub fn add(&mut self, line: SignatureLine) {
        let same = |known: &SignatureLine| known.name == line.name && known.key_id == line.key_id;
        self.signatures.retain(|known| !same(known));
        self.signatures.push(line);
    }

    /// Verifies the signature of a log's own key over the text.
    ///
    /// # Errors
    ///
    /// [`Error::SignatureMissing`], [`Error::SignatureInvalid`].
    pub fn verify(&self, key: &VerifierKey) -> Result<(), Error> {
        let line = self.line(key).ok_or_else(|| missing(key))?;
        match key.algorithm() {
            Algorithm::Ed25519 => key.verify(self.text.as_bytes(), &line.signature),
            Algorithm::CosignatureV1 => Err(missing(key)),
        }
    }

    /// The line of a key, if there is one.
    pub(crate) fn line(&self, key: &VerifierKey) -> Option<&SignatureLine> {
        self.signatures.iter().find(|line| line.is_by(key))
    }
}

impl SignatureLine {
    pub(crate) fn new(key: &VerifierKey, signature: Vec<u8>) -> Self {
        Self {
            name: key.name().clone(),
            key_id: key.id(),
            signature,
        }
    }

    /// Whether it claims to be by this key.
    pub fn is_by(&self, key: &VerifierKey) -> bool {
        self.name == *key.name() && self.key_id == key.id()
    }

    /// What comes after the key ID.
    pub(crate) fn signature(&self) -> &[u8] {
        &self.signature
    }
}

impl fmt::Display for SignatureLine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = [self.key_id.as_slice(), &self.signature].concat();
        write!(formatter, "— {} {}", self.name, BASE64.encode(&value))
    }
}

impl FromStr for SignatureLine {
    type Err = Error;

    /// Reads one line without its newline.
    fn from_str(line: &str) -> Result<Self, Error> {
        let malformed = || malformed("a signature line is not — <name> <base64>");
        let rest = line.strip_prefix("— ").ok_or_else(malformed)?;
        let (name, value) = rest.split_once(' ').ok_or_else(malformed)?;
        let value = BASE64.decode(value.as_bytes()).map_err(|_| malformed())?;
        let (key_id, signature) = value.split_first_chunk().ok_or_else(malformed)?;
        if signature.is_empty() {
            return Err(malformed());
        }
        Ok(Self {
            name: name.parse()?,
            key_id: *key_id,
            signature: signature.to_vec(),
        })
    }
}

impl fmt::Display for SignedNote {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}", self.text)?;
        let mut lines = self.signatures.iter();
        lines.try_for_each(|line| writeln!(formatter, "{line}"))
    }
}

impl FromStr for SignedNote {
    type Err = Error;

    fn from_str(note: &str) -> Result<Self, Error> {
        if note.len() > MAX_NOTE {
            return Err(malformed("too long"));
        }
        let (text, lines) = note
            .rsplit_once("\n\n")
            .ok_or_else(|| malformed("no empty line before the signatures"))?;
        let lines = lines
            .strip_suffix('\n')
            .ok_or_else(|| malformed("no newline at the end"))?;
        let signatures: Vec<SignatureLine> = lines
            .split('\n')
            .map(SignatureLine::from_str)
            .collect::<Result<_, _>>()?;
        if signatures.len() > MAX_SIGNATURES {
            return Err(malformed("too many signatures"));
        }
        let unsigned = Self::new(format!("{text}\n"))?;
        Ok(Self {
            signatures,
            ..unsigned
        })
    }
}

fn malformed(reason: &'static str) -> Error {
    Error::malformed("signed note", reason)
}

pub(crate) fn missing(key: &VerifierKey) -> Error {
    let name = key.name().clone();
    Error::SignatureMissing { name }
}
