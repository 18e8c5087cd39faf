//! Verifying a grade: Blackboard signed it, and the assignment's log holds it.

use scb_certs::{Fingerprint, SpiffeId, TrustStore};

use super::{Grade, Release, SignedGrade, VerifiedRelease};
use crate::log_leaf::{Entry, Leaf, LogName};
use crate::receipt::log_proof::{self, Entered};
use crate::receipt::{LogProof, WitnessPolicy, Witnessed};
use crate::sole_signer::signing_blackboard;

/// Why a grade does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct GradeError(String);

impl From<String> for GradeError {
    fn from(reason: String) -> Self {
        Self(reason)
    }
}

/// Evidence: Blackboard gave this grade, and entered it in the assignment's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedGrade {
    grade: Grade,
    leaf: Leaf,
    witnessed: Option<Witnessed>,
    released: VerifiedRelease,
}

impl VerifiedGrade {
    /// Verifies a grade of this service with its log entry and the one that released it, and the
    /// proofs that the log holds them, as far as these are there. The signer's chain is judged at the time of the entry.
    ///
    /// # Errors
    ///
    /// [`GradeError`].
    pub fn verify(
        signed: &SignedGrade,
        leaf: &[u8],
        proof: Option<&LogProof>,
        release: &Release,
        (trust, service): (&TrustStore, &SpiffeId),
    ) -> Result<Self, GradeError> {
        let grade = Grade::parse(&signed.grade).map_err(|error| error.to_string())?;
        let entry = Leaf::parse(leaf).map_err(|error| error.to_string())?;
        check_signer(signed, &entry, (trust, service))?;
        check_entry(&grade, signed, &entry, service)?;
        let entered = Entered {
            bytes: leaf,
            leaf: &entry,
            service,
            chains: "",
        };
        let policy = WitnessPolicy::default();
        let witnessed = proof
            .map(|proof| log_proof::verify(proof, &entered, trust, &policy))
            .transpose()?;
        let released = VerifiedRelease::verify(release, &entry, (trust, service))?;
        Ok(Self {
            grade,
            released,
            leaf: entry,
            witnessed,
        })
    }

    /// The grade.
    pub fn grade(&self) -> &Grade {
        &self.grade
    }

    /// The log in which it is entered, and its number there, from 0.
    pub fn entry(&self) -> (&LogName, u64) {
        (&self.leaf.log, self.leaf.index)
    }

    /// Since when it may be seen.
    pub fn released(&self) -> &VerifiedRelease {
        &self.released
    }

    /// Who has seen the entry; nobody yet if the proof is still to come.
    pub fn witnessed(&self) -> Option<&Witnessed> {
        self.witnessed.as_ref()
    }
}

fn check_signer(
    signed: &SignedGrade,
    leaf: &Leaf,
    (trust, service): (&TrustStore, &SpiffeId),
) -> Result<(), String> {
    let signer = signing_blackboard(&signed.grade, &signed.signature, trust, leaf.at)
        .map_err(|reason| format!("the grade's signature: {reason}"))?;
    match signer == *service {
        true => Ok(()),
        false => Err("another service signed the grade".to_owned()),
    }
}

/// The entry is about this grade, in the log of its assignment.
fn check_entry(
    grade: &Grade,
    signed: &SignedGrade,
    leaf: &Leaf,
    service: &SpiffeId,
) -> Result<(), String> {
    let log = LogName::new(service.trust_domain(), &grade.course, &grade.assignment);
    let log = log.map_err(|error| error.to_string())?;
    let sha256 = Fingerprint::of(&signed.grade);
    let is_meant = match &leaf.entry {
        Entry::Grades(entry) => entry.grade_sha256 == sha256 && entry.sid == grade.sid,
        _ => false,
    };
    match is_meant && leaf.log == log && grade.service == *service && grade.at == leaf.at {
        true => Ok(()),
        false => Err("the log entry is not about this grade".to_owned()),
    }
}
