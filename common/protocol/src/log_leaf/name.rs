//! A log's name tells whose it is, so that an entry of one assignment never passes for another's.

use std::fmt;
use std::str::FromStr;

use scb_certs::{SpiffeId, TrustDomain};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::statement::{Label, Statement};

/// What stands between the trust domain and the course.
const SERVICE: &str = "blackboard";
/// Longest name in bytes (as for any key name of a signed note).
const MAX_NAME: usize = 256;

/// The name of an assignment's log, the origin of its checkpoints:
/// `<trust domain>/blackboard/<course>/<assignment>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LogName {
    trust_domain: TrustDomain,
    course: Label,
    assignment: Label,
}

impl LogName {
    /// The log of an assignment.
    ///
    /// # Errors
    ///
    /// [`Error::Form`] if the name is longer than 256 bytes.
    pub fn new(
        trust_domain: &TrustDomain,
        course: &Label,
        assignment: &Label,
    ) -> Result<Self, Error> {
        let name = Self {
            trust_domain: trust_domain.clone(),
            course: course.clone(),
            assignment: assignment.clone(),
        };
        match name.to_string().len() {
            ..=MAX_NAME => Ok(name),
            _ => Err(malformed("it is longer than 256 bytes")),
        }
    }

    /// The log to which what becomes of a statement belongs.
    ///
    /// # Errors
    ///
    /// As for [`LogName::new`].
    pub fn of(statement: &Statement) -> Result<Self, Error> {
        let domain = statement.service.trust_domain();
        Self::new(domain, &statement.course, &statement.assignment)
    }

    /// The course.
    pub fn course(&self) -> &Label {
        &self.course
    }

    /// The assignment.
    pub fn assignment(&self) -> &Label {
        &self.assignment
    }

    /// Whether this is a log of that service.
    pub fn is_of(&self, service: &SpiffeId) -> bool {
        let name = service.service().map(ToString::to_string);
        self.trust_domain == *service.trust_domain() && name.as_deref() == Some(SERVICE)
    }
}

impl fmt::Display for LogName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            trust_domain,
            course,
            assignment,
        } = self;
        write!(f, "{trust_domain}/{SERVICE}/{course}/{assignment}")
    }
}

impl FromStr for LogName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let form = "<trust domain>/blackboard/<course>/<assignment>";
        let mut parts = text.split('/');
        let parts = [(); 5].map(|()| parts.next());
        let [
            Some(domain),
            Some(SERVICE),
            Some(course),
            Some(assignment),
            None,
        ] = parts
        else {
            return Err(malformed(form));
        };
        let domain = domain.parse().map_err(|_| malformed(form))?;
        Self::new(&domain, &course.parse()?, &assignment.parse()?)
    }
}

impl TryFrom<String> for LogName {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<LogName> for String {
    fn from(name: LogName) -> String {
        name.to_string()
    }
}

fn malformed(reason: &'static str) -> Error {
    let what = "the name of a log";
    Error::Form { what, reason }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_four_parts() {
        let name: LogName = "cuhk.example/blackboard/CSCI-3150/asg1".parse().unwrap();
        assert_eq!(name.to_string(), "cuhk.example/blackboard/CSCI-3150/asg1");
        assert_eq!(name.course().as_ref(), "CSCI-3150");
        for bad in [
            "",
            "cuhk.example/issuance",
            "cuhk.example/cuhk/CSCI-3150/asg1",
            "cuhk.example/blackboard/CSCI-3150/asg1/",
            "cuhk.example/blackboard/CSCI 3150/asg1",
            "cuhk.example/blackboard//asg1",
            "CUHK/blackboard/CSCI-3150/asg1",
        ] {
            assert!(bad.parse::<LogName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_log_belongs_to_the_service_of_its_trust_domain() {
        let name: LogName = "cuhk.example/blackboard/c/a".parse().unwrap();
        let is_of = |id: &str| name.is_of(&id.parse().unwrap());
        assert!(is_of("spiffe://cuhk.example/service/blackboard"));
        assert!(!is_of("spiffe://other.example/service/blackboard"));
        assert!(!is_of("spiffe://cuhk.example/service/cuhk"));
        assert!(!is_of("spiffe://cuhk.example/student/blackboard"));
    }
}
