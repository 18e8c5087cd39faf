//! One-time enrolment codes.

use std::fmt;
use std::str::FromStr;

use ring::digest;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::values::random;

/// Crockford's base32 alphabet: no I, L, O, U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Characters of a code: 125 bits.
const LENGTH: usize = 25;
/// Characters between two hyphens.
const GROUP: usize = 5;

/// A one-time secret that lets one student or service enrol once: 125 random bits.
///
/// Written in five groups of five characters of Crockford's base32. It is stored only as
/// [`EnrolmentCode::digest`] and its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EnrolmentCode(Zeroizing<String>);

impl EnrolmentCode {
    /// A fresh code.
    ///
    /// # Errors
    ///
    /// [`Error::Random`].
    pub fn generate() -> Result<Self, Error> {
        let bytes = Zeroizing::new(random::<LENGTH>()?);
        let text = bytes
            .iter()
            .map(|byte| char::from(ALPHABET[usize::from(byte & 31)]))
            .collect();
        Ok(Self(Zeroizing::new(text)))
    }

    /// The code in groups, for the code sheet or the wire: the only way to its text.
    pub fn reveal(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(LENGTH + LENGTH / GROUP));
        for (index, c) in self.0.chars().enumerate() {
            if index > 0 && index % GROUP == 0 {
                text.push('-');
            }
            text.push(c);
        }
        text
    }

    /// What is stored instead of the code: SHA-256 over a label, the subject (student ID or
    /// `service/<name>`) and the code. 125 random bits need no slow hash.
    pub fn digest(&self, subject: &str) -> [u8; 32] {
        let mut context = digest::Context::new(&digest::SHA256);
        for part in ["scb/1 enrolment code", subject, &self.0] {
            context.update(&(part.len() as u32).to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut bytes = [0; 32];
        bytes.copy_from_slice(context.finish().as_ref());
        bytes
    }
}

impl FromStr for EnrolmentCode {
    type Err = Error;

    /// Forgives case, spaces, hyphens and the look-alikes O, I and L.
    fn from_str(text: &str) -> Result<Self, Error> {
        let mut code = Zeroizing::new(String::with_capacity(LENGTH));
        for c in text.chars().filter(|c| !matches!(c, ' ' | '-')) {
            let c = match c.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                c => c,
            };
            if !c.is_ascii() || !ALPHABET.contains(&(c as u8)) || code.len() == LENGTH {
                return Err(Error::EnrolmentCode);
            }
            code.push(c);
        }
        if code.len() != LENGTH {
            return Err(Error::EnrolmentCode);
        }
        Ok(Self(code))
    }
}

impl TryFrom<String> for EnrolmentCode {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        Zeroizing::new(text).parse()
    }
}

impl From<EnrolmentCode> for String {
    fn from(code: EnrolmentCode) -> String {
        code.reveal().to_string()
    }
}

impl fmt::Debug for EnrolmentCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnrolmentCode(..)")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn forgives_how_people_copy_it() {
        let code: EnrolmentCode = "01234-56789-ABCDE-FGHJK-MNPQR".parse().unwrap();
        let copied: EnrolmentCode = " oL234 56789abcdeFGHJK-mnpqr".parse().unwrap();
        assert_eq!(code, copied);
        assert_eq!(*code.reveal(), "01234-56789-ABCDE-FGHJK-MNPQR");
    }

    #[test]
    fn refuses_other_lengths_and_letters() {
        for bad in [
            "",
            "01234",
            "01234-56789-ABCDE-FGHJK-MNPQRS",
            "U1234-56789-ABCDE-FGHJK-MNPQR",
            "é1234-56789-ABCDE-FGHJK-MNPQR",
        ] {
            assert!(bad.parse::<EnrolmentCode>().is_err(), "{bad}");
        }
    }

    #[test]
    fn digest_depends_on_the_subject() {
        let code = EnrolmentCode::generate().unwrap();
        assert_eq!(code.digest("1155000001"), code.digest("1155000001"));
        assert_ne!(code.digest("1155000001"), code.digest("1155000002"));
    }

    #[test]
    fn debug_shows_nothing() {
        let code = EnrolmentCode::generate().unwrap();
        assert_eq!(format!("{code:?}"), "EnrolmentCode(..)");
    }
}
