//! Serial numbers, which tell whose certificate is revoked: random, positive, one form in text.

use std::fmt;
use std::str::FromStr;

use data_encoding::{HEXLOWER, HEXUPPER};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

use crate::Error;

/// Bytes that RFC 5280 (section 4.1.2.2) allows in a serial number.
const MAX_LENGTH: usize = 20;
/// Bytes in a serial number of ours.
const LENGTH: usize = 16;

/// A certificate's serial number, positive, at most 20 bytes.
///
/// Ours have 127 random bits; longer ones exist only in certificates made by others.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Serial([u8; MAX_LENGTH]);

impl Serial {
    /// A new random serial number of 127 bits.
    ///
    /// # Errors
    /// [`Error::Random`] if the operating system has no random bytes.
    pub fn random() -> Result<Self, Error> {
        let random = SystemRandom::new();
        loop {
            let mut bytes = [0; LENGTH];
            random.fill(&mut bytes).map_err(|_| Error::Random)?;
            bytes[0] &= 0x7f;
            // Zero is no serial number (RFC 5280, section 4.1.2.2).
            if let Ok(serial) = Self::from_bytes(&bytes) {
                return Ok(serial);
            }
        }
    }

    /// Reads a big-endian number, with or without leading zeros.
    ///
    /// # Errors
    /// [`Error::SerialInvalid`] if it is zero or longer than 20 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let start = bytes
            .iter()
            .position(|byte| *byte != 0)
            .ok_or(Error::SerialInvalid)?;
        let significant = &bytes[start..];
        let mut padded = [0; MAX_LENGTH];
        let offset = MAX_LENGTH
            .checked_sub(significant.len())
            .ok_or(Error::SerialInvalid)?;
        padded[offset..].copy_from_slice(significant);
        Ok(Self(padded))
    }

    /// The number, big-endian: always 16 bytes for a serial number of ours, 20 for a longer one.
    pub fn as_bytes(&self) -> &[u8] {
        let (head, tail) = self.0.split_at(MAX_LENGTH - LENGTH);
        if head.iter().all(|byte| *byte == 0) {
            tail
        } else {
            &self.0
        }
    }

    /// The contents of the INTEGER that it is in DER.
    pub(crate) fn to_integer(self) -> Vec<u8> {
        let significant = self.significant();
        let is_negative = significant.first().is_some_and(|first| first & 0x80 != 0);
        // A zero in front keeps it positive.
        let padding: &[u8] = if is_negative { &[0] } else { &[] };
        [padding, significant].concat()
    }

    fn significant(&self) -> &[u8] {
        let start = self
            .0
            .iter()
            .position(|byte| *byte != 0)
            .unwrap_or(MAX_LENGTH - 1);
        &self.0[start..]
    }
}

/// Upper-case hexadecimal, as `openssl x509 -serial` prints it.
impl fmt::Display for Serial {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&HEXUPPER.encode(self.significant()))
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Serial({self})")
    }
}

impl FromStr for Serial {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text.len() > 2 * MAX_LENGTH {
            return Err(Error::SerialInvalid);
        }
        let bytes = HEXLOWER
            .decode(text.to_ascii_lowercase().as_bytes())
            .map_err(|_| Error::SerialInvalid)?;
        Self::from_bytes(&bytes)
    }
}

impl TryFrom<String> for Serial {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Serial> for String {
    fn from(serial: Serial) -> Self {
        serial.to_string()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn random_has_127_bits_and_never_repeats() {
        let serials: HashSet<_> = (0..1000).map(|_| Serial::random().unwrap()).collect();
        assert_eq!(serials.len(), 1000);
        assert!(serials.iter().all(|serial| serial.as_bytes().len() == 16));
        assert!(serials.iter().all(|serial| serial.as_bytes()[0] < 0x80));
        assert!(serials.iter().any(|serial| serial.as_bytes()[0] >= 0x40));
    }

    #[test]
    fn refuses_zero_and_too_long() {
        for bytes in [&[][..], &[0], &[0; 16], &[1; 21]] {
            assert!(Serial::from_bytes(bytes).is_err());
        }
        for text in ["", "00", "xy", "1", &"1".repeat(42)] {
            assert!(text.parse::<Serial>().is_err(), "{text}");
        }
    }

    #[test]
    fn leading_zeros_do_not_matter() {
        assert_eq!(
            Serial::from_bytes(&[0, 0, 1]).unwrap(),
            Serial::from_bytes(&[1]).unwrap()
        );
        assert_eq!(
            Serial::from_bytes(&[0, 0x0a, 1]).unwrap().to_string(),
            "0A01"
        );
    }

    proptest! {
        #[test]
        fn text_round_trip(bytes in proptest::collection::vec(1_u8.., 1..=20)) {
            let serial = Serial::from_bytes(&bytes).unwrap();
            prop_assert_eq!(serial.to_string().parse::<Serial>().unwrap(), serial);
            prop_assert_eq!(Serial::from_bytes(serial.as_bytes()).unwrap(), serial);
        }
    }
}
