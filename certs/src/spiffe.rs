//! Who a certificate is about: the one URI in it, never its common name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, ServiceName, StudentId, TrustDomain};

const SCHEME: &str = "spiffe://";

/// Whom a SPIFFE ID names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Identity {
    /// A student: path `/student/<SID>`.
    Student(StudentId),
    /// A service: path `/service/<name>`.
    Service(ServiceName),
}

/// A SPIFFE ID: `spiffe://<trust domain>/student/<SID>` or `…/service/<name>`.
///
/// There is exactly one way to write each, so that equal IDs have equal text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SpiffeId {
    trust_domain: TrustDomain,
    identity: Identity,
}

impl SpiffeId {
    /// The ID of a student.
    pub fn new_student(trust_domain: &TrustDomain, sid: &StudentId) -> Self {
        Self {
            trust_domain: trust_domain.clone(),
            identity: Identity::Student(sid.clone()),
        }
    }

    /// The ID of a service.
    pub fn new_service(trust_domain: &TrustDomain, name: &ServiceName) -> Self {
        Self {
            trust_domain: trust_domain.clone(),
            identity: Identity::Service(name.clone()),
        }
    }

    /// The trust domain.
    pub fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }

    /// Whom it names.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The student ID, if it names a student.
    pub fn student(&self) -> Option<&StudentId> {
        match &self.identity {
            Identity::Student(sid) => Some(sid),
            Identity::Service(_) => None,
        }
    }

    /// The service name, if it names a service.
    pub fn service(&self) -> Option<&ServiceName> {
        match &self.identity {
            Identity::Service(name) => Some(name),
            Identity::Student(_) => None,
        }
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.identity {
            Identity::Student(sid) => {
                write!(formatter, "{SCHEME}{}/student/{sid}", self.trust_domain)
            }
            Identity::Service(name) => {
                write!(formatter, "{SCHEME}{}/service/{name}", self.trust_domain)
            }
        }
    }
}

impl fmt::Debug for SpiffeId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SpiffeId({self})")
    }
}

impl FromStr for SpiffeId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut parts = text.strip_prefix(SCHEME).ok_or_else(invalid)?.split('/');
        let trust_domain = parts.next().ok_or_else(invalid)?.parse()?;
        let identity = match (parts.next(), parts.next(), parts.next()) {
            (Some("student"), Some(sid), None) => Identity::Student(sid.parse()?),
            (Some("service"), Some(name), None) => Identity::Service(name.parse()?),
            _ => return Err(invalid()),
        };
        Ok(Self {
            trust_domain,
            identity,
        })
    }
}

impl TryFrom<String> for SpiffeId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<SpiffeId> for String {
    fn from(id: SpiffeId) -> Self {
        id.to_string()
    }
}

/// The URI that a certificate authority carries: its trust domain and no path (X509-SVID, 3.1).
pub(crate) fn authority_uri(trust_domain: &TrustDomain) -> String {
    format!("{SCHEME}{trust_domain}")
}

/// Reads what [`authority_uri`] writes.
pub(crate) fn parse_authority_uri(uri: &str) -> Result<TrustDomain, Error> {
    uri.strip_prefix(SCHEME).ok_or_else(invalid)?.parse()
}

fn invalid() -> Error {
    Error::NameInvalid {
        kind: "SPIFFE ID",
        expected: "spiffe://<trust domain>/student/<SID> or spiffe://<trust domain>/service/<name>",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_both_kinds() {
        let student: SpiffeId = "spiffe://cuhk.example/student/1155000001".parse().unwrap();
        assert_eq!(student.student().unwrap().as_str(), "1155000001");
        assert_eq!(student.service(), None);
        let service: SpiffeId = "spiffe://cuhk.example/service/cuhk".parse().unwrap();
        assert_eq!(service.service(), Some(&ServiceName::cuhk()));
        assert_eq!(service.trust_domain().as_str(), "cuhk.example");
    }

    #[test]
    fn refuses_every_other_form() {
        for text in [
            "",
            "spiffe://",
            "spiffe://a",
            "spiffe://a/",
            "spiffe://a/student",
            "spiffe://a/student/",
            "spiffe://a/student/1/",
            "spiffe://a/student/1/2",
            "spiffe://a//student/1",
            "spiffe://a/teacher/1",
            "spiffe://a/student/1?x=1",
            "spiffe://a/student/1#x",
            "spiffe://a/student/%31",
            "spiffe://A/student/1",
            "spiffe://a:1/student/1",
            "SPIFFE://a/student/1",
            "https://a/student/1",
            " spiffe://a/student/1",
            "spiffe://a/student/1\0",
        ] {
            assert!(text.parse::<SpiffeId>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn authority_uri_has_no_path() {
        let domain: TrustDomain = "cuhk.example".parse().unwrap();
        assert_eq!(
            parse_authority_uri(&authority_uri(&domain)).unwrap(),
            domain
        );
        assert!(parse_authority_uri("spiffe://cuhk.example/").is_err());
        assert!(parse_authority_uri("spiffe://cuhk.example/service/cuhk").is_err());
    }

    proptest! {
        #[test]
        fn text_round_trip(
            domain in "[a-z0-9._-]{1,40}",
            sid in "[A-Za-z0-9][A-Za-z0-9._-]{0,31}",
        ) {
            let id = SpiffeId::new_student(&domain.parse().unwrap(), &sid.parse().unwrap());
            prop_assert_eq!(id.to_string().parse::<SpiffeId>().unwrap(), id.clone());
            let json = serde_json::to_string(&id).unwrap();
            prop_assert_eq!(serde_json::from_str::<SpiffeId>(&json).unwrap(), id);
        }

        #[test]
        fn any_text_is_kept_or_refused(text in "(spiffe://)?[ -~]{0,60}") {
            if let Ok(id) = text.parse::<SpiffeId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}
