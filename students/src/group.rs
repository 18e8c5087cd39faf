//! The students of one group, in order, each once.

use scb_certs::StudentId;

use crate::Error;

/// Most students of a group as far as Blackboard has not said otherwise: its own default.
pub(crate) const USUAL_MEMBERS: u8 = 3;

/// One student or more, unique; the first is the one who connects. How many may hand in
/// together is Blackboard's to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group(Vec<StudentId>);

impl Group {
    /// Checks the list.
    ///
    /// # Errors
    ///
    /// [`Error::NoIds`], [`Error::DuplicateId`].
    pub fn new(ids: Vec<StudentId>) -> Result<Self, Error> {
        if ids.is_empty() {
            return Err(Error::NoIds);
        }
        for (index, sid) in ids.iter().enumerate() {
            if ids[..index].contains(sid) {
                return Err(Error::DuplicateId(sid.clone()));
            }
        }
        Ok(Self(ids))
    }

    /// The students in order.
    pub fn ids(&self) -> &[StudentId] {
        &self.0
    }

    /// The student whose certificate opens the connection.
    pub fn first(&self) -> &StudentId {
        // `new` refuses an empty list.
        &self.0[0]
    }

    /// The students as they are typed: `A, B, C`.
    pub fn listed(&self) -> String {
        let ids: Vec<_> = self.0.iter().map(StudentId::as_str).collect();
        ids.join(", ")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn group(ids: &[&str]) -> Result<Group, Error> {
        Group::new(ids.iter().map(|id| id.parse().unwrap()).collect())
    }

    #[test]
    fn keeps_the_order() {
        let group = group(&["C", "A", "B"]).unwrap();
        assert_eq!(group.first().to_string(), "C");
        assert_eq!(group.ids().len(), 3);
        assert_eq!(group.listed(), "C, A, B");
    }

    #[test]
    fn refuses_nobody_and_the_same_twice() {
        assert!(matches!(group(&[]), Err(Error::NoIds)));
        assert!(matches!(
            group(&["A", "B", "A"]),
            Err(Error::DuplicateId(_))
        ));
    }
}
