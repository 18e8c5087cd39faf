//! What a passphrase chosen for a new CUHK must be.

use scb_certs::Passphrase;

use crate::Error;

/// Fewest characters of a passphrase that a person chooses (NIST SP 800-63B, section 5.1.1: 8,
/// and no rule about which characters).
pub(crate) const MIN_CHARACTERS: usize = 8;

/// # Errors
///
/// [`Error::PassphraseShort`], naming `flag`, the one that gives it.
pub(crate) fn check_length(passphrase: &Passphrase, flag: &'static str) -> Result<(), Error> {
    match passphrase.expose().chars().count() {
        MIN_CHARACTERS.. => Ok(()),
        _ => Err(Error::PassphraseShort { flag }),
    }
}

/// The root's passphrase is kept apart: whoever runs `serve` and knows the issuing authorities'
/// must not thereby hold the root's key.
///
/// # Errors
///
/// [`Error::PassphrasesSame`].
pub(crate) fn check_different(issuers: &Passphrase, root: &Passphrase) -> Result<(), Error> {
    match issuers.expose() == root.expose() {
        true => Err(Error::PassphrasesSame),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passphrase(text: &str) -> Passphrase {
        text.to_owned().into()
    }

    #[test]
    fn eight_characters_are_enough_and_seven_are_not() {
        for (text, enough) in [
            ("aaa", false),
            ("1234567", false),
            ("12345678", true),
            ("陳大文陳大文陳", false),
            ("陳大文陳大文陳大", true),
        ] {
            let checked = check_length(&passphrase(text), "--passphrase-file");
            assert_eq!(checked.is_ok(), enough, "{text}");
        }
    }

    #[test]
    fn the_root_has_one_of_its_own() {
        let (one, other) = (passphrase("correct horse"), passphrase("battery staple"));
        assert!(check_different(&one, &other).is_ok());
        let refused = check_different(&one, &one.clone());
        assert!(matches!(refused, Err(Error::PassphrasesSame)));
    }
}
