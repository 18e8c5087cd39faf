//! Grades: what a student was given for an assignment, signed by Blackboard and entered in the
//! assignment's log. The log holds the hash of a grade, which has a salt: whoever sees the entry
//! does not learn the grade.

mod lateness;
mod points;
mod release;
mod verify;

use rustls_pki_types::UnixTime;
use scb_certs::{Chain, Fingerprint, SigningKey, SpiffeId, StudentId, sign_detached};
use serde::{Deserialize, Serialize};

pub use lateness::Lateness;
pub use points::Points;
pub use release::{Release, VerifiedRelease};
pub use verify::{GradeError, VerifiedGrade};

use crate::error::Error;
use crate::log_leaf::{Entry, Grades};
use crate::object::objects;
use crate::rules::Title;
use crate::statement::{Label, SubmissionNumber};
use crate::time::as_rfc3339;
use crate::values::LeafSalt;

/// A grade's `type`.
const TYPE: &str = "scb-grade";
/// Longest comment in bytes.
pub const MAX_COMMENT: usize = 4000;

/// What a student was given. As JSON, its exact bytes are signed, stored and hashed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self", expecting = "a JSON object")]
pub struct Grade {
    #[serde(rename = "type")]
    kind: String,
    v: u8,
    /// Who says so.
    pub service: SpiffeId,
    /// The course.
    pub course: Label,
    /// The assignment.
    pub assignment: Label,
    /// The student.
    pub sid: StudentId,
    /// The student's points: the group's, or, if he was given others, his own.
    pub points: Points,
    /// The points of a work without fault.
    pub maximum: Points,
    /// What his group was given as a whole, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Points>,
    /// What lateness cost: then the points are what is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lateness: Option<Lateness>,
    /// The submission that counted when it was graded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submission: Option<SubmissionNumber>,
    /// What the teacher says of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Who graded.
    pub grader: Title,
    /// When it was entered, by Blackboard's clock.
    #[serde(with = "as_rfc3339")]
    pub at: UnixTime,
    /// What keeps anybody from guessing the grade from its hash.
    pub salt: LeafSalt,
}

objects!(Grade);

/// What is given, by whom and to whom; [`Grade::new`] adds the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// The student.
    pub sid: StudentId,
    /// The student's points.
    pub points: Points,
    /// The points of a work without fault.
    pub maximum: Points,
    /// What his group was given as a whole.
    pub group: Option<Points>,
    /// What lateness costs; it is taken off the points already.
    pub lateness: Option<Lateness>,
    /// The submission that counts.
    pub submission: Option<SubmissionNumber>,
    /// What the teacher says of it.
    pub comment: Option<String>,
    /// Who graded.
    pub grader: Title,
}

impl Grade {
    /// A grade with a fresh salt.
    ///
    /// # Errors
    ///
    /// [`Error::Random`].
    pub fn new(
        service: SpiffeId,
        (course, assignment): (Label, Label),
        given: Given,
        at: UnixTime,
    ) -> Result<Self, Error> {
        Ok(Self {
            kind: TYPE.to_owned(),
            v: 1,
            service,
            course,
            assignment,
            sid: given.sid,
            points: given.points,
            maximum: given.maximum,
            group: given.group,
            lateness: given.lateness,
            submission: given.submission,
            comment: given.comment,
            grader: given.grader,
            at,
            salt: LeafSalt::random()?,
        })
    }

    /// Reads a grade.
    ///
    /// # Errors
    ///
    /// [`Error::Leaf`]: not JSON, a field missing, unknown or of the wrong form, another type or
    /// version.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let grade: Self =
            serde_json::from_slice(bytes).map_err(|error| Error::Leaf(error.to_string()))?;
        let comment = grade.comment.as_deref().unwrap_or_default();
        let sound = |lateness: Lateness| lateness.is_sound(grade.points, grade.maximum);
        if !grade.lateness.is_none_or(sound) {
            return Err(Error::Leaf(
                "the points are not what lateness leaves".to_owned(),
            ));
        }
        match grade.kind == TYPE && grade.v == 1 && comment.len() <= MAX_COMMENT {
            true => Ok(grade),
            false => Err(Error::Leaf("another type, version or size".to_owned())),
        }
    }

    /// Whether it says the same of the student, for the same version, as another one, whenever and by
    /// whomever it was entered.
    pub fn is_same_as(&self, given: &Given) -> bool {
        self.points == given.points
            && self.maximum == given.maximum
            && self.group == given.group
            && self.lateness == given.lateness
            && self.submission == given.submission
            && self.comment == given.comment
    }
}

/// A grade and Blackboard's signature of its exact bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedGrade {
    /// The exact bytes (JSON).
    pub grade: Vec<u8>,
    /// Detached CMS SignedData (RFC 5652), DER.
    pub signature: Vec<u8>,
}

impl SignedGrade {
    /// Signs a grade.
    ///
    /// # Errors
    ///
    /// [`Error::Encode`], [`Error::Sign`].
    pub fn sign(grade: &Grade, (key, chain): (&SigningKey, &Chain)) -> Result<Self, Error> {
        let bytes = serde_json::to_vec(grade).map_err(|error| Error::Encode(error.to_string()))?;
        let signature = sign_detached(&bytes, &[(key, chain)], grade.at);
        Ok(Self {
            signature: signature.map_err(|_| Error::Sign)?,
            grade: bytes,
        })
    }

    /// What the log says of it.
    pub fn entry(&self, sid: StudentId) -> Entry {
        Entry::Grades(Grades {
            sid,
            grade_sha256: Fingerprint::of(&self.grade),
        })
    }
}
