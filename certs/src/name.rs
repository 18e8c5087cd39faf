//! Names that come from a peer or a file, parsed once: who holds one need not ask again whether it is valid.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Error;

/// A text newtype whose values always satisfy `$valid`.
macro_rules! validated_text {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $expected:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;

            fn try_from(text: String) -> Result<Self, Error> {
                if $valid(text.as_bytes()) {
                    Ok(Self(text))
                } else {
                    Err(Error::NameInvalid { kind: $kind, expected: $expected })
                }
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                Self::try_from(text.to_owned())
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, "{}({})", stringify!($name), self.0)
            }
        }
    };
}

validated_text!(
    /// A student ID (SID): 1 to 32 of `A-Z a-z 0-9 . _ -`, starting with a letter or a digit.
    ///
    /// Which IDs exist is for the roster to say.
    StudentId,
    "student ID",
    "1 to 32 of A-Z a-z 0-9 . _ -, starting with a letter or a digit",
    is_student_id
);

validated_text!(
    /// The name of a service: 1 to 32 of `a-z 0-9 -`, starting with a letter.
    ServiceName,
    "service name",
    "1 to 32 of a-z 0-9 -, starting with a letter",
    is_service_name
);

validated_text!(
    /// A SPIFFE trust domain: 1 to 255 of `a-z 0-9 . - _` (SPIFFE ID, section 2.1).
    TrustDomain,
    "trust domain",
    "1 to 255 of a-z 0-9 . - _",
    is_trust_domain
);

impl ServiceName {
    /// `cuhk`, the university's certificate service.
    pub fn cuhk() -> Self {
        Self("cuhk".to_owned())
    }

    /// `blackboard`, the learning platform.
    pub fn blackboard() -> Self {
        Self("blackboard".to_owned())
    }
}

fn is_student_id(text: &[u8]) -> bool {
    matches!(text, [first, ..] if first.is_ascii_alphanumeric())
        && text.len() <= 32
        && text
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(byte))
}

fn is_service_name(text: &[u8]) -> bool {
    matches!(text, [first, ..] if first.is_ascii_lowercase())
        && text.len() <= 32
        && text
            .iter()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-')
}

fn is_trust_domain(text: &[u8]) -> bool {
    (1..=255).contains(&text.len())
        && text
            .iter()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(byte))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn accepts_student_ids() {
        for text in ["1155000001", "a", "s.t_u-d", &"9".repeat(32)] {
            assert_eq!(text.parse::<StudentId>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn refuses_what_is_no_student_id() {
        let long = "9".repeat(33);
        for text in [
            "", ".a", "-a", "_a", "../x", "a/b", "a b", "a\n", "a\0", "é", "学", &long,
        ] {
            assert!(text.parse::<StudentId>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn accepts_service_names() {
        for text in ["cuhk", "blackboard", "a-1"] {
            assert_eq!(text.parse::<ServiceName>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn refuses_what_is_no_service_name() {
        let long = "a".repeat(33);
        for text in ["", "1a", "-a", "Cuhk", "a.b", "a_b", "a/b", "a\0", &long] {
            assert!(text.parse::<ServiceName>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn accepts_trust_domains() {
        for text in ["cuhk.example", "a", "a-b_c.1"] {
            assert_eq!(text.parse::<TrustDomain>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn refuses_what_is_no_trust_domain() {
        let long = "a".repeat(256);
        for text in ["", "A", "a/b", "a:1", "u@a", "a b", &long] {
            assert!(text.parse::<TrustDomain>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn json_is_validated() {
        let sid: StudentId = serde_json::from_str("\"1155000001\"").unwrap();
        assert_eq!(serde_json::to_string(&sid).unwrap(), "\"1155000001\"");
        assert!(serde_json::from_str::<StudentId>("\"../x\"").is_err());
    }

    #[test]
    fn error_does_not_repeat_the_text() {
        let error = "secret text".parse::<StudentId>().unwrap_err();
        assert!(!error.to_string().contains("secret"));
    }

    proptest! {
        #[test]
        fn student_id_round_trip(text in "[A-Za-z0-9][A-Za-z0-9._-]{0,31}") {
            prop_assert_eq!(text.parse::<StudentId>().unwrap().to_string(), text);
        }

        #[test]
        fn service_name_round_trip(text in "[a-z][a-z0-9-]{0,31}") {
            prop_assert_eq!(text.parse::<ServiceName>().unwrap().to_string(), text);
        }

        #[test]
        fn any_text_is_kept_or_refused(text in any::<String>()) {
            if let Ok(sid) = text.parse::<StudentId>() {
                prop_assert_eq!(sid.to_string(), text);
            }
        }
    }
}
