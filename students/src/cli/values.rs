//! Values of the command line that are more than a word.

use scb_certs::StudentId;
use scb_protocol::statement::{SubmissionId, SubmissionNumber};

/// Digits of a submission ID.
const ID_LENGTH: usize = 32;

/// A student ID of a list, with the blanks that people type after commas.
pub(super) fn student_id(text: &str) -> Result<StudentId, String> {
    let text = text.trim();
    if text.contains(char::is_whitespace) {
        return Err("several student IDs are separated by commas, as in A,B,C".to_owned());
    }
    let sid = text.parse();
    sid.map_err(|error: scb_certs::Error| error.to_string())
}

/// `S-000001`, `S-1` or `1`.
pub(super) fn submission_number(text: &str) -> Result<SubmissionNumber, String> {
    let digits = text.strip_prefix("S-").unwrap_or(text);
    let number = digits.parse().ok().and_then(SubmissionNumber::new);
    number.ok_or_else(|| "expected a number such as S-000001".to_owned())
}

/// What somebody names who wants to take it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// What was signed, by the ID that its statement has.
    Signed(SubmissionId),
    /// What is handed in, by its number.
    HandedIn(SubmissionNumber),
}

/// A submission ID, or the number of what is handed in already.
pub(super) fn named(text: &str) -> Result<Named, String> {
    let has_letter = text.starts_with(['S', 's']);
    let number = text.trim_start_matches(['S', 's', '-']);
    match (text.parse(), submission_number(number)) {
        (Ok(signed), _) => Ok(Named::Signed(signed)),
        (Err(_), Ok(number)) if has_letter || text.len() < ID_LENGTH => Ok(Named::HandedIn(number)),
        _ => Err(
            "expected an ID of 32 hexadecimal digits, as `student cosign` and `student history` \
                  show it"
                .to_owned(),
        ),
    }
}

/// `host:port`; the host may be a name, an IPv4 address or an IPv6 address in brackets.
pub(crate) fn address(text: &str) -> Result<String, String> {
    const EXPECTED: &str = "expected HOST:PORT, such as 127.0.0.1:8011";
    let (host, port) = text.rsplit_once(':').ok_or(EXPECTED)?;
    let bracketed = host.starts_with('[') && host.ends_with(']');
    let acceptable = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let named = !host.is_empty() && host.chars().all(acceptable);
    let literal = bracketed && text.parse::<std::net::SocketAddr>().is_ok();
    match port.parse::<u16>() {
        Ok(1..) if named || literal => Ok(text.to_owned()),
        _ => Err(EXPECTED.to_owned()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_handed_in_is_known_by_its_number() {
        let number = SubmissionNumber::new(40).unwrap();
        for text in ["S-000040", "S-40", "s-40", "40"] {
            assert_eq!(named(text), Ok(Named::HandedIn(number)), "{text}");
        }
        let id = "5f2b6c0e9d8a4b7c8e1f0a2b3c4d5e6f";
        assert_eq!(named(id), Ok(Named::Signed(id.parse().unwrap())));
        let digits = "1".repeat(32);
        assert_eq!(named(&digits), Ok(Named::Signed(digits.parse().unwrap())));
        for bad in ["", "S-", "S-0", "5f2b", "receipt.zip", &"1".repeat(33)] {
            assert!(named(bad).unwrap_err().contains("32 hexadecimal"), "{bad}");
        }
    }

    #[test]
    fn addresses_need_a_host_and_a_port() {
        for good in [
            "127.0.0.1:8011",
            "localhost:1",
            "[::1]:8011",
            "a-b.example.edu:65535",
        ] {
            assert_eq!(address(good).unwrap(), good);
        }
        for bad in [
            "",
            "localhost",
            ":8011",
            "localhost:0",
            "localhost:x",
            "::1:80",
            "a b:1",
            "[x]:1",
            "h:99999",
        ] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }
}
