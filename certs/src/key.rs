//! Private keys in memory and at rest (PKCS#8, encrypted with scrypt), such that `openssl pkey` opens them.

use std::fmt;
use std::sync::Arc;

use data_encoding::HEXLOWER;
use der::asn1::AnyRef;
use der::{Decode as _, Tag, Tagged as _};
use pkcs8::pkcs5::{pbes2, scrypt};
use pkcs8::{
    EncryptedPrivateKeyInfoRef, LineEnding, ObjectIdentifier, PrivateKeyInfoRef, SecretDocument,
};
use ring::hkdf;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

use crate::{Error, Passphrase, PublicKey};

const PLAIN_LABEL: &str = "PRIVATE KEY";
const ENCRYPTED_LABEL: &str = "ENCRYPTED PRIVATE KEY";

/// scrypt cost: 2^14 blocks of 8 × 128 bytes are 16 MiB (OpenSSL refuses more than 32), five times.
const SCRYPT_LOG_N: u8 = 14;
const SCRYPT_R: u32 = 8;
const SCRYPT_P: u32 = 5;
/// The same for a passphrase that is random: the least that is still scrypt.
const SCRYPT_RANDOM: (u8, u32) = (1, 1);

/// A P-256 private key. Cheap to clone; wiped from memory with the last clone; never printed.
#[derive(Clone)]
pub struct SigningKey(Arc<Secret>);

struct Secret {
    pkcs8: Zeroizing<Vec<u8>>,
    for_der: EcdsaKeyPair,
    for_raw: EcdsaKeyPair,
    public_key: PublicKey,
}

impl SigningKey {
    /// A new random key.
    ///
    /// # Errors
    /// [`Error::Random`] if the operating system has no random bytes.
    pub fn generate() -> Result<Self, Error> {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random)
            .map_err(|_| Error::Random)?;
        Self::from_pkcs8(Zeroizing::new(document.as_ref().to_vec()))
    }

    /// Reads PKCS#8 (RFC 5958), encrypted or not, in PEM. A passphrase that is not needed is
    /// ignored.
    ///
    /// # Errors
    /// [`Error::PassphraseNeeded`], [`Error::WrongPassphrase`], [`Error::KeyUnsupported`] for
    /// anything but P-256, [`Error::KeyMalformed`].
    pub fn from_pem(pem: &str, passphrase: Option<&Passphrase>) -> Result<Self, Error> {
        Self::from_document(&read_pkcs8(pem, passphrase)?)
    }

    /// Writes PKCS#8 in PEM; with a passphrase encrypted by PBES2, scrypt and AES-256-CBC
    /// (RFC 8018, RFC 7914), which `openssl pkey` reads. That takes some tenths of a second, on
    /// purpose, unless the passphrase is known to be random.
    ///
    /// # Errors
    /// [`Error::Random`], [`Error::KeyEncryption`].
    pub fn to_pem(&self, passphrase: Option<&Passphrase>) -> Result<Zeroizing<String>, Error> {
        write_pkcs8(&self.0.pkcs8, passphrase)
    }

    /// The public half.
    pub fn public_key(&self) -> &PublicKey {
        &self.0.public_key
    }

    /// Signs SHA-256 of `message`; the signature is an `ECDSA-Sig-Value` in DER, as X.509 and CMS
    /// want it.
    ///
    /// # Errors
    /// [`Error::Signing`].
    pub fn sign_der(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        sign(&self.0.for_der, message)
    }

    /// Signs SHA-256 of `message`; the signature is 64 bytes `r‖s`, as JWS wants it (RFC 7518,
    /// section 3.4).
    ///
    /// # Errors
    /// [`Error::Signing`].
    pub fn sign_raw(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        sign(&self.0.for_raw, message)
    }

    /// Whether the secret number of this key stands in these bytes, as it does in each of its encodings in DER.
    pub fn is_in(&self, bytes: &[u8]) -> bool {
        let secret = secret_number(&self.0.pkcs8);
        secret.is_some_and(|secret| bytes.windows(secret.len()).any(|at| at == secret))
    }

    /// The key in PKCS#8, unencrypted, for the TLS library.
    pub fn to_pkcs8_der(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.0.pkcs8.to_vec()))
    }

    /// A secret that only who has this key can compute, another one for each label: 256 bits by
    /// HKDF-SHA256 (RFC 5869) of the key as it is encoded.
    ///
    /// # Errors
    /// [`Error::KeyEncryption`].
    pub(crate) fn secret(&self, label: &str) -> Result<Passphrase, Error> {
        secret_of(&self.0.pkcs8, label)
    }

    fn from_document(document: &SecretDocument) -> Result<Self, Error> {
        check_algorithm(document.as_bytes())?;
        Self::from_pkcs8(Zeroizing::new(document.as_bytes().to_vec()))
    }

    fn from_pkcs8(pkcs8: Zeroizing<Vec<u8>>) -> Result<Self, Error> {
        let random = SystemRandom::new();
        let read = |algorithm| {
            EcdsaKeyPair::from_pkcs8(algorithm, &pkcs8, &random).map_err(|_| Error::KeyMalformed)
        };
        let for_der = read(&ECDSA_P256_SHA256_ASN1_SIGNING)?;
        let for_raw = read(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
        let public_key = PublicKey::from_point(for_der.public_key().as_ref())?;
        Ok(Self(Arc::new(Secret {
            pkcs8,
            for_der,
            for_raw,
            public_key,
        })))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "SigningKey(public {})",
            self.public_key().fingerprint()
        )
    }
}

/// Lets rcgen sign without a second copy of the key.
impl rcgen::SigningKey for SigningKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.sign_der(message)
            .map_err(|_| rcgen::Error::RemoteKeyError)
    }
}

impl rcgen::PublicKeyData for SigningKey {
    fn der_bytes(&self) -> &[u8] {
        self.public_key().point()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

fn sign(key: &EcdsaKeyPair, message: &[u8]) -> Result<Vec<u8>, Error> {
    let signature = key
        .sign(&SystemRandom::new(), message)
        .map_err(|_| Error::Signing)?;
    Ok(signature.as_ref().to_vec())
}

/// Of an `ECPrivateKey` (RFC 5915): version 1, then the number.
fn secret_number(pkcs8: &[u8]) -> Option<&[u8]> {
    const VERSION: &[u8] = &[2, 1, 1, 4, 32];
    let info = PrivateKeyInfoRef::try_from(pkcs8).ok()?;
    let key = info.private_key.as_bytes();
    let at = key.windows(VERSION.len()).position(|at| at == VERSION)?;
    key.get(at + VERSION.len()..)?.get(..32)
}

/// Whether these bytes are a private key in DER, and nothing besides: PKCS#8, encrypted or not (RFC 5958), PKCS#1
/// (RFC 8017) or `ECPrivateKey` (RFC 5915).
pub fn is_private_key(der: &[u8]) -> bool {
    let is_whole = AnyRef::from_der(der).is_ok_and(|whole| whole.tag() == Tag::Sequence);
    let is_key = || match PrivateKeyDer::try_from(der) {
        Ok(PrivateKeyDer::Pkcs8(_)) => PrivateKeyInfoRef::try_from(der).is_ok(),
        Ok(_) => true,
        Err(_) => EncryptedPrivateKeyInfoRef::try_from(der).is_ok(),
    };
    is_whole && is_key()
}

fn check_algorithm(pkcs8: &[u8]) -> Result<(), Error> {
    const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
    const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
    let info = PrivateKeyInfoRef::try_from(pkcs8).map_err(|_| Error::KeyMalformed)?;
    info.algorithm
        .assert_oids(EC_PUBLIC_KEY, P256)
        .map_err(|_| Error::KeyUnsupported)
}

/// 256 bits that follow from a private key and a label, by HKDF-SHA256 (RFC 5869).
pub(crate) fn secret_of(key: &[u8], label: &str) -> Result<Passphrase, Error> {
    let mut bytes = Zeroizing::new([0; 32]);
    let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"scb/1 secret of a key");
    salt.extract(key)
        .expand(&[label.as_bytes()], hkdf::HKDF_SHA256)
        .and_then(|secret| secret.fill(&mut bytes[..]))
        .map_err(|_| Error::KeyEncryption)?;
    Ok(Passphrase::from(HEXLOWER.encode(&bytes[..])).known_random())
}

/// The private key in PEM, decrypted if need be.
pub(crate) fn read_pkcs8(
    pem: &str,
    passphrase: Option<&Passphrase>,
) -> Result<SecretDocument, Error> {
    let (label, document) = SecretDocument::from_pem(pem).map_err(|_| Error::KeyMalformed)?;
    match label {
        PLAIN_LABEL => Ok(document),
        ENCRYPTED_LABEL => decrypt(&document, passphrase.ok_or(Error::PassphraseNeeded)?),
        _ => Err(Error::KeyMalformed),
    }
}

/// The private key in PEM, encrypted if there is a passphrase.
pub(crate) fn write_pkcs8(
    pkcs8: &[u8],
    passphrase: Option<&Passphrase>,
) -> Result<Zeroizing<String>, Error> {
    let (label, document) = match passphrase {
        None => (PLAIN_LABEL, SecretDocument::try_from(pkcs8)),
        Some(passphrase) => (ENCRYPTED_LABEL, Ok(encrypt(pkcs8, passphrase)?)),
    };
    document
        .and_then(|document| document.to_pem(label, LineEnding::LF))
        .map_err(|_| Error::KeyEncryption)
}

fn decrypt(document: &SecretDocument, passphrase: &Passphrase) -> Result<SecretDocument, Error> {
    EncryptedPrivateKeyInfoRef::try_from(document.as_bytes())
        .map_err(|_| Error::KeyMalformed)?
        .decrypt(passphrase.expose())
        .map_err(|_| Error::WrongPassphrase)
}

fn encrypt(pkcs8: &[u8], passphrase: &Passphrase) -> Result<SecretDocument, Error> {
    let random = SystemRandom::new();
    let (mut salt, mut iv) = ([0; 16], [0; 16]);
    random.fill(&mut salt).map_err(|_| Error::Random)?;
    random.fill(&mut iv).map_err(|_| Error::Random)?;
    let (log_n, p) = match passphrase.needs_stretching() {
        true => (SCRYPT_LOG_N, SCRYPT_P),
        false => SCRYPT_RANDOM,
    };
    let cost = scrypt::Params::new(log_n, SCRYPT_R, p).map_err(|_| Error::KeyEncryption)?;
    let parameters = pbes2::Parameters::generate_scrypt_aes256cbc(cost, &salt, iv)
        .map_err(|_| Error::KeyEncryption)?;
    PrivateKeyInfoRef::try_from(pkcs8)
        .and_then(|info| info.encrypt_with_params(parameters, passphrase.expose()))
        .map_err(|_| Error::KeyEncryption)
}
