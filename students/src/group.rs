//! The students of one group, in order, each once.

use scb_certs::StudentId;

use crate::Error;

/// Most students that any group may have; Blackboard's own limit may be lower.
pub const MAX_MEMBERS: usize = 8;
/// How many IDs are asked for on a terminal.
pub const ASKED_MEMBERS: usize = 3;

/// One to [`MAX_MEMBERS`] students, unique; the first is the one who connects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group(Vec<StudentId>);

impl Group {
    /// Checks the list.
    ///
    /// # Errors
    ///
    /// [`Error::NoIds`], [`Error::MemberCount`], [`Error::DuplicateId`].
    pub fn new(ids: Vec<StudentId>) -> Result<Self, Error> {
        if ids.is_empty() {
            return Err(Error::NoIds);
        }
        if ids.len() > MAX_MEMBERS {
            return Err(Error::MemberCount {
                got: ids.len(),
                max: MAX_MEMBERS,
            });
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
    }

    #[test]
    fn refuses_nobody_too_many_and_the_same_twice() {
        assert!(matches!(group(&[]), Err(Error::NoIds)));
        let nine = ["1", "2", "3", "4", "5", "6", "7", "8", "9"];
        assert!(matches!(
            group(&nine),
            Err(Error::MemberCount { got: 9, .. })
        ));
        assert!(matches!(
            group(&["A", "B", "A"]),
            Err(Error::DuplicateId(_))
        ));
    }
}
