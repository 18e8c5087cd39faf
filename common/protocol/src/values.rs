//! The byte strings that messages carry, each its own type with its own length.

use data_encoding::{BASE64, HEXLOWER};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Fills `N` bytes from the system's random number generator.
///
/// # Errors
///
/// [`Error::Random`] if the system has none to give.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Error::Random)?;
    Ok(bytes)
}

macro_rules! fixed_hex {
    ($(#[$doc:meta])* $name:ident, $size:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name([u8; $size]);

        impl $name {
            /// Wraps the bytes.
            pub fn from_bytes(bytes: [u8; $size]) -> Self {
                Self(bytes)
            }

            /// The bytes.
            pub fn as_bytes(&self) -> &[u8; $size] {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;

            fn try_from(text: String) -> Result<Self, Error> {
                let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| Error::Hex)?;
                let bytes = bytes.try_into().map_err(|_| Error::Length { expected: $size })?;
                Ok(Self(bytes))
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                HEXLOWER.encode(&value.0)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&HEXLOWER.encode(&self.0))
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
    };
}

fixed_hex! {
    /// A verification's nonce: 128 random bits, lower-case hex on the wire.
    Nonce, 16
}
fixed_hex! {
    /// A connection's challenge: 256 random bits, lower-case hex on the wire.
    Challenge, 32
}
fixed_hex! {
    /// The salt of a log entry: 256 random bits, lower-case hex on the wire.
    Salt, 32
}
fixed_hex! {
    /// The salt in a leaf of Blackboard's logs: 128 random bits, lower-case hex.
    LeafSalt, 16
}
fixed_hex! {
    /// An HMAC-SHA-256 value: 32 bytes, lower-case hex on the wire. Compared in constant
    /// time by the session key, never by `==` on a decision.
    Mac, 32
}
fixed_hex! {
    /// An X25519 public key (RFC 7748): 32 bytes, lower-case hex on the wire.
    SessionPublicKey, 32
}
fixed_hex! {
    /// An HPKE encapsulated key (RFC 9180, `enc`): 32 bytes, lower-case hex on the wire.
    Encapsulation, 32
}
fixed_hex! {
    /// A sealed share: 32 bytes of share and 16 of AEAD tag, lower-case hex on the wire.
    Ciphertext, 48
}

impl Nonce {
    /// A fresh nonce.
    ///
    /// # Errors
    ///
    /// [`Error::Random`].
    pub fn random() -> Result<Self, Error> {
        random().map(Self)
    }
}

impl Salt {
    /// A fresh salt.
    ///
    /// # Errors
    ///
    /// [`Error::Random`].
    pub fn random() -> Result<Self, Error> {
        random().map(Self)
    }
}

impl LeafSalt {
    /// A fresh salt.
    ///
    /// # Errors
    ///
    /// [`Error::Random`].
    pub fn random() -> Result<Self, Error> {
        random().map(Self)
    }
}

impl Challenge {
    /// A fresh challenge.
    ///
    /// # Errors
    ///
    /// [`Error::Random`].
    pub fn random() -> Result<Self, Error> {
        random().map(Self)
    }
}

/// DER on the wire: standard base64, 32 KiB at most once decoded.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Der(Vec<u8>);

impl Der {
    /// Largest size in bytes.
    pub const LIMIT: usize = 32 * 1024;

    /// Wraps the bytes; their content is judged by whoever parses them.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl TryFrom<String> for Der {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        let bytes = BASE64.decode(text.as_bytes()).map_err(|_| Error::Base64)?;
        if bytes.len() > Self::LIMIT {
            return Err(Error::Length {
                expected: Self::LIMIT,
            });
        }
        Ok(Self(bytes))
    }
}

impl From<Der> for String {
    fn from(der: Der) -> String {
        BASE64.encode(&der.0)
    }
}

impl std::fmt::Debug for Der {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Der({} bytes)", self.0.len())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn refuses_other_lengths_and_other_alphabets() {
        let good = format!("\"{}\"", "0a".repeat(16));
        assert!(serde_json::from_str::<Nonce>(&good).is_ok());
        for bad in [
            "0a".repeat(15),
            "0a".repeat(17),
            "0A".repeat(16),
            "zz".repeat(16),
        ] {
            assert!(
                serde_json::from_str::<Nonce>(&format!("\"{bad}\"")).is_err(),
                "{bad}"
            );
        }
    }

    #[test]
    fn refuses_base64_that_is_not_canonical() {
        assert!(serde_json::from_str::<Der>("\"AAE=\"").is_ok());
        for bad in ["AAE", "AAF=", "AA E=", "AA-_"] {
            assert!(
                serde_json::from_str::<Der>(&format!("\"{bad}\"")).is_err(),
                "{bad}"
            );
        }
    }

    #[test]
    fn no_two_challenges_are_the_same() {
        assert_ne!(Challenge::random().unwrap(), Challenge::random().unwrap());
    }
}
