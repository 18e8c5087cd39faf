//! Passphrases, so that none is printed and none outlives its use in memory.

use std::fmt;

use zeroize::Zeroizing;

/// A passphrase; wiped from memory when dropped, and never printed.
#[derive(Clone)]
pub struct Passphrase {
    text: Zeroizing<String>,
    random: bool,
}

impl Passphrase {
    /// A passphrase of at least 100 random bits. Nobody guesses it, so that a key encrypted
    /// with it is not made slow to try (RFC 7914 is for passphrases that people choose).
    #[must_use]
    pub fn known_random(self) -> Self {
        Self {
            random: true,
            ..self
        }
    }

    /// Whether trying out passphrases must be made slow.
    pub(crate) fn needs_stretching(&self) -> bool {
        !self.random
    }

    /// The text itself. Keep it out of everything that is stored or logged.
    pub fn expose(&self) -> &str {
        &self.text
    }
}

impl From<String> for Passphrase {
    fn from(text: String) -> Self {
        Self {
            text: Zeroizing::new(text),
            random: false,
        }
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Passphrase(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_the_text() {
        let passphrase = Passphrase::from("canary".to_owned());
        assert_eq!(format!("{passphrase:?}"), "Passphrase(..)");
        assert_eq!(passphrase.expose(), "canary");
    }
}
