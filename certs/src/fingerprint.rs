//! Public things are named by their SHA-256 hash, which is printed, read and compared in one form.

use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::Error;

/// A SHA-256 hash of something public: a certificate, a public key, a file.
///
/// Comparing secrets is not its job: equality takes no constant time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The SHA-256 hash of `data`.
    pub fn of(data: &[u8]) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, data).as_ref());
        Self(bytes)
    }

    /// A hash computed elsewhere.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// base64url without padding, as JWT claims carry it (RFC 7515, section 2).
    pub fn to_base64url(&self) -> String {
        BASE64URL_NOPAD.encode(&self.0)
    }

    /// Reads [`Self::to_base64url`].
    ///
    /// # Errors
    /// [`Error::FingerprintInvalid`] for anything but its exact form: 43 characters without padding.
    pub fn from_base64url(text: &str) -> Result<Self, Error> {
        let bytes = BASE64URL_NOPAD
            .decode(text.as_bytes())
            .map_err(|_| Error::FingerprintInvalid)?;
        bytes
            .try_into()
            .map(Self)
            .map_err(|_| Error::FingerprintInvalid)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Fingerprint({self})")
    }
}

/// Reads hexadecimal of either case, with or without colons between the bytes, as people copy it
/// from `openssl x509 -fingerprint`.
impl FromStr for Fingerprint {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let digits = if text.contains(':') {
            without_colons(text)?
        } else {
            text.to_owned()
        };
        let bytes = HEXLOWER
            .decode(digits.to_ascii_lowercase().as_bytes())
            .map_err(|_| Error::FingerprintInvalid)?;
        bytes
            .try_into()
            .map(Self)
            .map_err(|_| Error::FingerprintInvalid)
    }
}

fn without_colons(text: &str) -> Result<String, Error> {
    if text.split(':').all(|byte| byte.len() == 2) {
        Ok(text.replace(':', ""))
    } else {
        Err(Error::FingerprintInvalid)
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        fingerprint.to_string()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn hashes_with_sha256() {
        assert_eq!(Fingerprint::of(b"").to_string(), EMPTY);
    }

    #[test]
    fn reads_what_openssl_prints() {
        let pairs: Vec<_> = EMPTY
            .as_bytes()
            .chunks(2)
            .map(|p| str::from_utf8(p).unwrap())
            .collect();
        let printed = pairs.join(":").to_uppercase();
        assert_eq!(
            printed.parse::<Fingerprint>().unwrap(),
            Fingerprint::of(b"")
        );
    }

    #[test]
    fn refuses_other_text() {
        for text in [
            "",
            "e3",
            &EMPTY[1..],
            &format!("{EMPTY}00"),
            &EMPTY.replace('e', "g"),
        ] {
            assert!(text.parse::<Fingerprint>().is_err(), "{text}");
        }
        let stray = format!("{}:{}", &EMPTY[..1], &EMPTY[1..]);
        assert!(stray.parse::<Fingerprint>().is_err());
    }

    #[test]
    fn base64url_has_one_form() {
        let text = Fingerprint::of(b"").to_base64url();
        assert_eq!(
            Fingerprint::from_base64url(&text).unwrap(),
            Fingerprint::of(b"")
        );
        assert!(Fingerprint::from_base64url(&format!("{text}=")).is_err());
        assert!(Fingerprint::from_base64url(&text[1..]).is_err());
    }

    proptest! {
        #[test]
        fn text_round_trip(bytes in any::<[u8; 32]>()) {
            let fingerprint = Fingerprint::from_bytes(bytes);
            prop_assert_eq!(fingerprint.to_string().parse::<Fingerprint>().unwrap(), fingerprint);
            let text = fingerprint.to_base64url();
            prop_assert_eq!(Fingerprint::from_base64url(&text).unwrap(), fingerprint);
        }

        #[test]
        fn never_panics(text in any::<String>()) {
            let _ = text.parse::<Fingerprint>();
            let _ = Fingerprint::from_base64url(&text);
        }
    }
}
