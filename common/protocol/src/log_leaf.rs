//! What Blackboard's logs hold: one log per assignment, one entry for each thing that happened
//! in it.
//!
//! A log shows nobody's name and no hash of a report: an entry in its tiles is SHA-256 of a *leaf*,
//! a JSON object with 16 random bytes of salt in it. The leaf goes to those whom it concerns,
//! in their receipt. Its exact bytes count; nobody writes them anew.

mod closing;
mod endings;
mod entry;
mod name;
mod restored;

use ring::digest;
use rustls_pki_types::UnixTime;
use serde::{Deserialize, Serialize};

pub use closing::Closing;
pub use endings::Endings;
pub use entry::{
    Accepted, Closed, Committed, Contents, Detached, Ended, Entry, Grades, Lapsed, Proposed,
    Recovered, Refused, Released, Removed, RulesEntry, Signed,
};
pub use name::LogName;
pub use restored::{Again, Restored};

use crate::error::Error;
use crate::log_entry::COMMITMENT_SIZE;
use crate::object::objects;
use crate::time::as_rfc3339;
use crate::values::LeafSalt;

/// A leaf's `type`.
const TYPE: &str = "scb-entry";
/// Largest leaf in bytes.
pub(crate) const MAX_LEAF: usize = 32 * 1024;

/// So many seconds an entry may be before an earlier one: clocks are set by a little.
pub const MAX_STEP_BACK: u64 = 5;

/// Whether this moment is before the last one by more than clocks are set: a clock was set back.
pub fn is_set_back(last: UnixTime, now: UnixTime) -> bool {
    last.as_secs() > now.as_secs().saturating_add(MAX_STEP_BACK)
}

/// One entry of an assignment's log, opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct Leaf {
    #[serde(rename = "type")]
    kind: String,
    v: u8,
    /// The log.
    pub log: LogName,
    /// Its number in the log, from 0.
    pub index: u64,
    /// When it was entered, by Blackboard's clock.
    #[serde(with = "as_rfc3339")]
    pub at: UnixTime,
    /// What keeps anybody from guessing the rest.
    pub salt: LeafSalt,
    /// What happened.
    pub entry: Entry,
}

objects!(Leaf);

impl Leaf {
    /// Entry number `index` of `log`, with a fresh salt.
    ///
    /// # Errors
    ///
    /// [`Error::Random`].
    pub fn new(log: LogName, index: u64, at: UnixTime, entry: Entry) -> Result<Self, Error> {
        Ok(Self {
            kind: TYPE.to_owned(),
            v: 1,
            log,
            index,
            at,
            salt: LeafSalt::random()?,
            entry,
        })
    }

    /// The bytes to commit to, sign and keep.
    ///
    /// # Errors
    ///
    /// [`Error::Encode`] if they are too many, or cannot be written.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        let bytes = serde_json::to_vec(self).map_err(|error| Error::Encode(error.to_string()))?;
        match bytes.len() {
            ..=MAX_LEAF => Ok(bytes),
            _ => Err(Error::Encode("a log entry over 32 KiB".to_owned())),
        }
    }

    /// Reads a leaf.
    ///
    /// # Errors
    ///
    /// [`Error::Leaf`]: over 32 KiB, not JSON, a field missing, unknown, repeated or of the wrong
    /// form, another type or version.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_LEAF {
            return Err(Error::Leaf("over 32 KiB".to_owned()));
        }
        let leaf: Self =
            serde_json::from_slice(bytes).map_err(|error| Error::Leaf(error.to_string()))?;
        if leaf.kind != TYPE || leaf.v != 1 {
            return Err(Error::Leaf("another type or version".to_owned()));
        }
        Ok(leaf)
    }
}

/// SHA-256 of a leaf's bytes: what is entered in the log.
pub fn leaf_commitment(leaf: &[u8]) -> [u8; COMMITMENT_SIZE] {
    let mut commitment = [0; COMMITMENT_SIZE];
    commitment.copy_from_slice(digest::digest(&digest::SHA256, leaf).as_ref());
    commitment
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_certs::Fingerprint;

    use super::*;
    use crate::time::from_seconds;
    use crate::{Code, Mode};

    const MOMENT: u64 = 1_795_262_401;

    fn leaf(entry: Entry) -> Leaf {
        let log = "cuhk.example/blackboard/CSCI-3150/asg1".parse().unwrap();
        let mut leaf = Leaf::new(log, 7, from_seconds(MOMENT), entry).unwrap();
        leaf.salt = LeafSalt::from_bytes([9; 16]);
        leaf
    }

    fn members() -> Vec<scb_certs::StudentId> {
        ["1155000001", "1155000002"]
            .map(|sid| sid.parse().unwrap())
            .into()
    }

    fn committed() -> Entry {
        Entry::Committed(Committed {
            submission: "0b".repeat(16).parse().unwrap(),
            statement_sha256: Fingerprint::from_bytes([1; 32]),
            p7s_sha256: Fingerprint::from_bytes([2; 32]),
            mode: Mode::Verified,
            verification_sha256: Fingerprint::from_bytes([3; 32]),
            members: members(),
        })
    }

    fn accepted() -> Entry {
        Entry::Accepted(Accepted {
            number: "S-000001".parse().unwrap(),
            submission: "0b".repeat(16).parse().unwrap(),
            committed_index: Some(6),
            committed_at: from_seconds(MOMENT - 60),
            rules: Some(RulesEntry {
                index: 0,
                leaf_sha256: Fingerprint::from_bytes([5; 32]),
            }),
            extensions: vec![RulesEntry {
                index: 3,
                leaf_sha256: Fingerprint::from_bytes([6; 32]),
            }],
            mode: Mode::Verified,
            files: [(
                "statement.json".to_owned(),
                Fingerprint::from_bytes([1; 32]),
            )]
            .into(),
        })
    }

    fn refused() -> Entry {
        Entry::Refused(Refused {
            code: Code::ContentTooLarge,
            members: members(),
            statement_sha256: None,
        })
    }

    fn rules() -> Entry {
        Entry::Rules(Contents::from_iter([(
            "due".to_owned(),
            "2026-11-30".into(),
        )]))
    }

    fn detached() -> Detached {
        Detached {
            number: "S-000001".parse().unwrap(),
            members: members()[1..].to_vec(),
            reason: "named by mistake".parse().unwrap(),
        }
    }

    fn about_a_proposal() -> [Entry; 5] {
        let submission = "0b".repeat(16).parse().unwrap();
        let connection = Fingerprint::from_bytes([4; 32]);
        let ended = Ended {
            submission,
            members: members()[1..].to_vec(),
            connection,
            reason: Some("page 3 is not mine".parse().unwrap()),
        };
        let taken_back = Ended {
            reason: None,
            ..ended.clone()
        };
        [
            Entry::Proposed(Proposed {
                submission,
                statement_sha256: Fingerprint::from_bytes([1; 32]),
                members: members(),
                waits_until: from_seconds(MOMENT + 60),
            }),
            Entry::Signed(Signed {
                submission,
                members: members()[..1].to_vec(),
                connection,
                p7s_sha256: Fingerprint::from_bytes([2; 32]),
                mode: Mode::Verified,
                verification_sha256: Fingerprint::from_bytes([3; 32]),
            }),
            Entry::Declined(ended),
            Entry::Withdrawn(taken_back),
            Entry::Lapsed(Lapsed { submission }),
        ]
    }

    #[test]
    fn leaves_are_as_documented() {
        let recovered = Entry::Recovered(Recovered { kept: 4, seen: 7 });
        let grades = Entry::Grades(Grades {
            sid: "1155000001".parse().unwrap(),
            grade_sha256: Fingerprint::from_bytes([4; 32]),
        });
        let released = Entry::Released(Released {
            entries: vec![5, 6],
        });
        let closed = Entry::Closed(Closed { accepted: 2 });
        let lost = leaf(accepted());
        let restored = Entry::Restored(Restored {
            number: "S-000001".parse().unwrap(),
            submission: "0b".repeat(16).parse().unwrap(),
            index: lost.index,
            leaf: String::from_utf8(lost.to_bytes().unwrap()).unwrap(),
            committed: None,
            receipt_sha256: Fingerprint::from_bytes([6; 32]),
        });
        let mut leaves = vec![
            rules(),
            committed(),
            accepted(),
            refused(),
            recovered,
            grades,
            released,
            Entry::Removed(Removed {}),
            closed,
            Entry::Detached(detached()),
            Entry::Attached(detached()),
        ];
        leaves.extend(about_a_proposal());
        leaves.push(restored);
        let leaves: Vec<_> = leaves.into_iter().map(leaf).collect();
        let bytes = leaves.iter().map(|leaf| leaf.to_bytes().unwrap());
        let bytes: Vec<_> = bytes.collect();
        let text = bytes.iter().map(|bytes| str::from_utf8(bytes).unwrap());
        let text: Vec<_> = text.collect();
        insta::assert_snapshot!(text.join("\n"));
        for (leaf, bytes) in leaves.iter().zip(&bytes) {
            assert_eq!(Leaf::parse(bytes).unwrap(), *leaf);
        }
    }

    #[test]
    fn other_leaves_are_refused() {
        let bytes = leaf(accepted()).to_bytes().unwrap();
        let good = String::from_utf8(bytes).unwrap();
        for (from, to) in [
            ("scb-entry", "scb-statement"),
            ("\"v\":1", "\"v\":2"),
            ("\"index\":7", "\"index\":-7"),
            ("\"index\":7", "\"index\":7,\"index\":8"),
            ("\"index\":7,", ""),
            ("\"index\":7", "\"index\":7,\"more\":1"),
            ("\"accepted\"", "\"excepted\""),
            (
                "\"number\":\"S-000001\"",
                "\"number\":\"S-000001\",\"more\":1",
            ),
            ("0909", "090"),
            ("12:00:01Z", "12:00:01+00:00"),
            ("cuhk.example/blackboard", "cuhk.example/whiteboard"),
        ] {
            let bad = good.replacen(from, to, 1);
            assert_ne!(bad, good, "{from}");
            assert!(Leaf::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        let padded = format!("{good}{}", " ".repeat(MAX_LEAF));
        assert!(Leaf::parse(padded.as_bytes()).is_err(), "too long");
    }

    #[test]
    fn an_entry_over_the_limit_is_not_written() {
        let long = Contents::from_iter([("title".to_owned(), "x".repeat(MAX_LEAF).into())]);
        assert!(leaf(Entry::Rules(long)).to_bytes().is_err());
    }

    #[test]
    fn two_leaves_of_the_same_content_are_not_the_same() {
        let fresh = || {
            let leaf = leaf(refused());
            let fresh = Leaf::new(leaf.log, leaf.index, leaf.at, leaf.entry).unwrap();
            leaf_commitment(&fresh.to_bytes().unwrap())
        };
        assert_ne!(fresh(), fresh());
    }
}
