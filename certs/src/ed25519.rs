//! The keys of logs, apart from those of certificates: a signature of the one kind never counts as the other.

use std::fmt;
use std::sync::Arc;

use pkcs8::der::asn1::OctetStringRef;
use pkcs8::der::{Decode, Encode};
use pkcs8::{AlgorithmIdentifierRef, ObjectIdentifier, PrivateKeyInfoRef};
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::key::{read_pkcs8, secret_of, write_pkcs8};
use crate::{Error, Passphrase};

const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// The secret of an Ed25519 key (RFC 8032), which signs checkpoints of logs and nothing else.
/// Cheap to clone; wiped from memory with the last clone; never printed.
#[derive(Clone)]
pub struct Ed25519Seed(Arc<Zeroizing<[u8; 32]>>);

impl Ed25519Seed {
    /// A new random secret.
    ///
    /// # Errors
    /// [`Error::Random`] if the operating system has no random bytes.
    pub fn generate() -> Result<Self, Error> {
        let mut seed = Zeroizing::new([0; 32]);
        SystemRandom::new()
            .fill(seed.as_mut())
            .map_err(|_| Error::Random)?;
        Ok(Self(Arc::new(seed)))
    }

    /// Reads PKCS#8 (RFC 8410), encrypted or not, in PEM. A passphrase that is not needed is
    /// ignored.
    ///
    /// # Errors
    /// [`Error::PassphraseNeeded`], [`Error::WrongPassphrase`], [`Error::KeyUnsupported`] for
    /// anything but Ed25519, [`Error::KeyMalformed`].
    pub fn from_pem(pem: &str, passphrase: Option<&Passphrase>) -> Result<Self, Error> {
        let document = read_pkcs8(pem, passphrase)?;
        let info = PrivateKeyInfoRef::try_from(document.as_bytes());
        let info = info.map_err(|_| Error::KeyMalformed)?;
        if info.algorithm.oid != ED25519 {
            return Err(Error::KeyUnsupported);
        }
        let seed = <&OctetStringRef>::from_der(info.private_key.as_bytes())
            .ok()
            .and_then(|seed| seed.as_bytes().try_into().ok())
            .ok_or(Error::KeyMalformed)?;
        Ok(Self(Arc::new(Zeroizing::new(seed))))
    }

    /// Writes PKCS#8 in PEM, version 1, which `openssl pkey` reads; with a passphrase encrypted
    /// as [`crate::SigningKey::to_pem`] does it.
    ///
    /// # Errors
    /// [`Error::Random`], [`Error::KeyEncryption`].
    pub fn to_pem(&self, passphrase: Option<&Passphrase>) -> Result<Zeroizing<String>, Error> {
        let failed = |_| Error::KeyEncryption;
        let seed = OctetStringRef::new(self.0.as_slice()).map_err(failed)?;
        let inner = Zeroizing::new(seed.to_der().map_err(failed)?);
        let algorithm = AlgorithmIdentifierRef {
            oid: ED25519,
            parameters: None,
        };
        let key = OctetStringRef::new(&inner).map_err(failed)?;
        let pkcs8 = PrivateKeyInfoRef::new(algorithm, key).to_der();
        write_pkcs8(&Zeroizing::new(pkcs8.map_err(failed)?), passphrase)
    }

    /// A secret that only who has this key can compute, another one for each label: 256 bits by
    /// HKDF-SHA256 (RFC 5869).
    ///
    /// # Errors
    /// [`Error::KeyEncryption`].
    pub fn secret(&self, label: &str) -> Result<Passphrase, Error> {
        secret_of(self.0.as_slice(), label)
    }

    /// The 32 bytes. Keep them out of everything that is stored or logged.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Ed25519Seed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Ed25519Seed(..)")
    }
}
