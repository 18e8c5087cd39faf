//! What `student verify` was asked and a file cannot show: that speaks against the question, not the file.

use std::fmt;

use scb_protocol::receipt::{WitnessPolicy, Witnessed};
use scb_tlog::KeyName;

/// What is verified here and is no receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kept {
    /// An archive of an assignment.
    Archive,
    /// Blackboard's word that it recorded a statement.
    Recorded,
    /// Blackboard's word that it refused one.
    Refused,
    /// Rules or extensions that it told.
    Rules,
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Archive => "an archive of an assignment",
            Self::Recorded => "Blackboard's word that it recorded a statement",
            Self::Refused => "Blackboard's word that it refused a statement",
            Self::Rules => "Blackboard's word which rules are in force",
        })
    }
}

/// What cannot be shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unshown {
    /// A report is compared with receipts, and other programs look at these only.
    #[error(
        "only a receipt is compared with FILE or asked about with --openssl; this is {0}, and was not judged"
    )]
    NoReceipt(Kept),
    /// No witness has a signature in it.
    #[error("this is {0}: no witness cosigns it, and it was not judged")]
    NoWitness(Kept),
    /// It verifies, and too few of those that are wanted have cosigned it.
    #[error(
        "it verifies by the cosignature of {}; {} has not cosigned it: {} of its witnesses cosigned, {quorum} must",
        Self::names(cosigned),
        Self::names(missing),
        cosigned.len()
    )]
    TooFew {
        /// Who has.
        cosigned: Vec<KeyName>,
        /// Who has not, of those whose keys were given; nobody if it is CUHK.
        missing: Vec<KeyName>,
        /// How many were wanted.
        quorum: usize,
    },
}

impl Unshown {
    /// By whom it was seen, of whom this verifier wanted.
    pub(crate) fn too_few(policy: &WitnessPolicy, witnessed: &Witnessed) -> Self {
        let cosigned: Vec<_> = witnessed.by.iter().map(|(name, _)| name.clone()).collect();
        let wanted = policy.outside().iter().map(|key| key.name().clone());
        Self::TooFew {
            missing: wanted.filter(|name| !cosigned.contains(name)).collect(),
            cosigned,
            quorum: policy.quorum(),
        }
    }

    /// Names in a sentence. CUHK's is not known where it did not cosign.
    pub(crate) fn names(names: &[KeyName]) -> String {
        match names {
            [] => "CUHK".to_owned(),
            names => {
                let names: Vec<_> = names.iter().map(KeyName::as_str).collect();
                names.join(", ")
            }
        }
    }

    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::NoReceipt(_) => "archive_alone",
            Self::NoWitness(_) => "no_witness",
            Self::TooFew { .. } => "too_few_witnesses",
        }
    }

    pub(super) fn remedy(&self) -> &'static str {
        match self {
            Self::NoReceipt(Kept::Archive) => {
                "leave them out, or name a receipt; an archive has a receipt.zip for each submission"
            }
            Self::NoReceipt(_) => {
                "leave them out; what was handed in, a receipt shows: name that with FILE"
            }
            Self::NoWitness(_) => "leave --witness and --quorum out",
            Self::TooFew { .. } => {
                "nothing is wrong with it: what was complete before a witness joined does not get its cosignature, \
                 and a new copy has no more; whether that witness has seen the entry since, an archive of the \
                 assignment shows: student verify ARCHIVE with the same --witness and --quorum"
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_too_few_names_who_has_and_who_has_not() {
        let name = |text: &str| -> KeyName { text.parse().unwrap() };
        let told = |cosigned: &[&str], missing: &[&str]| {
            let all = |names: &[&str]| names.iter().map(|one| name(one)).collect();
            Unshown::TooFew {
                cosigned: all(cosigned),
                missing: all(missing),
                quorum: 2,
            }
            .to_string()
        };
        assert_eq!(
            told(&["campus.test/witness/cuhk"], &["library.example/witness"]),
            "it verifies by the cosignature of campus.test/witness/cuhk; library.example/witness has not \
             cosigned it: 1 of its witnesses cosigned, 2 must"
        );
        let without = told(&["library.example/witness"], &[]);
        assert!(without.contains("; CUHK has not"), "{without}");
    }
}
