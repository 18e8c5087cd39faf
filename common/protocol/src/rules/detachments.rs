//! Whom the teacher took out of what a group had handed in: for him that version does not count, whatever
//! else the rules say. For its other members it does.

use std::collections::BTreeMap;

use rustls_pki_types::UnixTime;
use scb_certs::StudentId;

use crate::log_leaf::Entry;
use crate::message::proposal::Reason;
use crate::statement::SubmissionNumber;

/// Since when a version does not count for a student, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detachment {
    /// Since when.
    pub at: UnixTime,
    /// Why, in the teacher's words.
    pub reason: Reason,
}

/// What the entries of a log say of it so far, of each version.
#[derive(Debug, Clone, Default)]
pub struct Detachments(BTreeMap<SubmissionNumber, BTreeMap<StudentId, Detachment>>);

impl Detachments {
    /// Reads an entry of this time; entries come in order. Others than `detached` and `attached` say
    /// nothing of it.
    pub fn read(&mut self, at: UnixTime, entry: &Entry) {
        match entry {
            Entry::Detached(one) => {
                let of_version = self.0.entry(one.number).or_default();
                for sid in &one.members {
                    let reason = one.reason.clone();
                    of_version.insert(sid.clone(), Detachment { at, reason });
                }
            }
            Entry::Attached(one) => {
                if let Some(of_version) = self.0.get_mut(&one.number) {
                    of_version.retain(|sid, _| !one.members.contains(sid));
                }
            }
            _ => {}
        }
    }

    /// Why a version does not count for a student; nothing if nobody took him out of it.
    pub fn of(&self, number: SubmissionNumber, sid: &StudentId) -> Option<&Detachment> {
        self.0.get(&number)?.get(sid)
    }

    /// Who was taken out of a version, in the order of their IDs.
    pub fn of_version(
        &self,
        number: SubmissionNumber,
    ) -> impl Iterator<Item = (&StudentId, &Detachment)> {
        self.0.get(&number).into_iter().flatten()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::log_leaf::Detached;
    use crate::time::from_seconds;

    fn about(members: &[&str], reason: &str) -> Detached {
        Detached {
            number: "S-000007".parse().unwrap(),
            members: members.iter().map(|sid| sid.parse().unwrap()).collect(),
            reason: reason.parse().unwrap(),
        }
    }

    #[test]
    fn the_last_word_about_a_member_counts_and_is_about_nobody_else() {
        let mut found = Detachments::default();
        let number = about(&[], "-").number;
        let [one, other] = ["1155000001", "1155000002"].map(|sid| sid.parse().unwrap());
        let both = Entry::Detached(about(&["1155000001", "1155000002"], "mixed up"));
        found.read(from_seconds(10), &both);
        found.read(
            from_seconds(20),
            &Entry::Attached(about(&["1155000002"], "not him")),
        );
        assert_eq!(found.of(number, &other), None);
        assert_eq!(found.of(number, &one).unwrap().at, from_seconds(10));
        assert_eq!(found.of("S-000008".parse().unwrap(), &one), None);
        let again = Entry::Detached(about(&["1155000001"], "as he said"));
        found.read(from_seconds(30), &again);
        let all: Vec<_> = found.of_version(number).collect();
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].0, &one);
        assert_eq!(all[0].1.reason.to_string(), "as he said");
        let nobody = Entry::Attached(about(&["1155000001"], "never mind"));
        Detachments::default().read(from_seconds(1), &nobody);
        found.read(from_seconds(40), &nobody);
        assert_eq!(found.of_version(number).count(), 0);
    }
}
