//! Names and keys of those who sign notes: logs and their witnesses (C2SP signed-note).

use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE64, HEXLOWER};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use sha2::{Digest, Sha256};

use crate::Error;

/// Longest name of a key, in bytes.
const MAX_NAME: usize = 256;

/// The name of a key in a signed note: not empty, without spaces, control characters and `+`.
/// A log's key has the name of the log, its origin.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, std::hash::Hash)]
pub struct KeyName(String);

impl KeyName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyName {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let bad = |c: char| c.is_whitespace() || c.is_control() || c == '+';
        if name.is_empty() || name.len() > MAX_NAME || name.contains(bad) {
            let reason = "empty, too long, or with a space or plus sign";
            return Err(Error::malformed("key name", reason));
        }
        Ok(Self(name.to_owned()))
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for KeyName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.0)
    }
}

/// What a key signs (C2SP signed-note, signature types).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// Ed25519 over the note's text: a log's own signature.
    Ed25519,
    /// A witness's Ed25519 over the text and a time (C2SP tlog-cosignature, version 1).
    CosignatureV1,
}

impl Algorithm {
    fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 0x01,
            Self::CosignatureV1 => 0x04,
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Ed25519, Self::CosignatureV1]
            .into_iter()
            .find(|algorithm| algorithm.byte() == byte)
    }
}

/// A public key with its name and purpose. Written as C2SP's verifier key:
/// `<name>+<key ID in hex>+<base64 of type and key>`.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: KeyName,
    algorithm: Algorithm,
    public: [u8; 32],
}

impl VerifierKey {
    /// A public key under a name.
    pub fn new(name: KeyName, algorithm: Algorithm, public: [u8; 32]) -> Self {
        Self {
            name,
            algorithm,
            public,
        }
    }

    /// Its name.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// What it signs.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key, 32 bytes as in RFC 8032.
    pub fn public_key(&self) -> &[u8; 32] {
        &self.public
    }

    /// SHA-256(name ‖ newline ‖ type ‖ key), the first four bytes. It finds a key and proves
    /// nothing.
    pub fn id(&self) -> [u8; 4] {
        let mut hasher = Sha256::new();
        hasher.update(self.name.as_str());
        hasher.update([b'\n', self.algorithm.byte()]);
        hasher.update(self.public);
        let [a, b, c, d, ..] = <[u8; 32]>::from(hasher.finalize());
        [a, b, c, d]
    }

    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        UnparsedPublicKey::new(&ED25519, self.public)
            .verify(message, signature)
            .map_err(|_| Error::SignatureInvalid {
                name: self.name.clone(),
            })
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = vec![self.algorithm.byte()];
        key.extend_from_slice(&self.public);
        let (id, key) = (HEXLOWER.encode(&self.id()), BASE64.encode(&key));
        write!(formatter, "{}+{id}+{key}", self.name)
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "VerifierKey({self})")
    }
}

impl FromStr for VerifierKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let malformed = |reason| Error::malformed("verifier key", reason);
        let parts: Vec<&str> = text.splitn(3, '+').collect();
        let [name, _, key] = parts[..] else {
            return Err(malformed("not <name>+<key ID>+<key>"));
        };
        let key = BASE64.decode(key.as_bytes());
        let key = key.map_err(|_| malformed("the key is not base64"))?;
        let (algorithm, public) = key
            .split_first()
            .and_then(|(byte, key)| Some((Algorithm::from_byte(*byte)?, key.try_into().ok()?)))
            .ok_or_else(|| malformed("not an Ed25519 key for notes or cosignatures"))?;
        let key = Self::new(name.parse()?, algorithm, public);
        if key.to_string() != text {
            return Err(malformed("the key ID is of another key"));
        }
        Ok(key)
    }
}

/// A private key that signs notes or cosignatures, with its name. Never printed.
pub struct NoteKey {
    pair: Ed25519KeyPair,
    public: VerifierKey,
}

impl NoteKey {
    /// Bytes in the secret from which a key is made (RFC 8032, section 5.1.5).
    pub(crate) const SEED_SIZE: usize = 32;

    /// The key that comes of a secret of 32 random bytes.
    ///
    /// # Errors
    ///
    /// [`Error::KeyMalformed`] if it has another length.
    pub fn from_seed(name: KeyName, algorithm: Algorithm, seed: &[u8]) -> Result<Self, Error> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| Error::KeyMalformed)?;
        let public = pair.public_key().as_ref().try_into();
        let public = public.map_err(|_| Error::KeyMalformed)?;
        let public = VerifierKey::new(name, algorithm, public);
        Ok(Self { pair, public })
    }

    /// A new random key, for as long as the process lives.
    ///
    /// # Errors
    ///
    /// [`Error::Random`].
    pub fn generate(name: KeyName, algorithm: Algorithm) -> Result<Self, Error> {
        let mut seed = [0; Self::SEED_SIZE];
        SystemRandom::new()
            .fill(&mut seed)
            .map_err(|_| Error::Random)?;
        Self::from_seed(name, algorithm, &seed)
    }

    /// The public half.
    pub fn verifier(&self) -> &VerifierKey {
        &self.public
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }
}

impl fmt::Debug for NoteKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "NoteKey(public {})", self.public)
    }
}
