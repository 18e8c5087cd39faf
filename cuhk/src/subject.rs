//! Whom a code or a certificate is for.

use std::fmt;
use std::str::FromStr;

use scb_certs::{ServiceName, SpiffeId, StudentId, TrustDomain};

/// A student or a service, written `1155000001` or `service/blackboard`: the two never meet,
/// since no student ID has a slash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A student.
    Student(StudentId),
    /// A service.
    Service(ServiceName),
}

impl Subject {
    /// The name in certificates and tokens.
    pub fn spiffe_id(&self, trust_domain: &TrustDomain) -> SpiffeId {
        match self {
            Self::Student(sid) => SpiffeId::new_student(trust_domain, sid),
            Self::Service(name) => SpiffeId::new_service(trust_domain, name),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Student(sid) => write!(f, "{sid}"),
            Self::Service(name) => write!(f, "service/{name}"),
        }
    }
}

impl FromStr for Subject {
    type Err = scb_certs::Error;

    fn from_str(text: &str) -> Result<Self, scb_certs::Error> {
        match text.strip_prefix("service/") {
            Some(name) => name.parse().map(Self::Service),
            None => text.parse().map(Self::Student),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for text in ["1155000001", "service/blackboard", "service"] {
            assert_eq!(text.parse::<Subject>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn refuses_other_forms() {
        for text in ["", "service/", "service/A", "student/1155000001", "a/b"] {
            assert!(text.parse::<Subject>().is_err(), "{text}");
        }
    }
}
