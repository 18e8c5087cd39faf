//! What a receipt that is kept here proves, and Blackboard tells of no longer: it was lost there, as after
//! an old backup was put back.

use std::path::PathBuf;

use rustls_pki_types::UnixTime;
use scb_certs::{ServiceName, StudentId};
use scb_protocol::message::blackboard::ListedVersion;
use scb_protocol::receipt::VerifiedReceipt;
use scb_protocol::statement::{Label, SubmissionNumber};

use super::completion::good_receipts;
use super::reading::Only;
use crate::setup::service_id;
use crate::{Error, Group, Setup};

/// A submission that its receipt proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// The number that it had.
    pub number: SubmissionNumber,
    /// The course.
    pub course: Label,
    /// The assignment.
    pub assignment: Label,
    /// All who handed it in, in order.
    pub members: Vec<StudentId>,
    /// When the signed statement had come: what counts for lateness.
    pub committed_at: UnixTime,
    /// When Blackboard had accepted it.
    pub accepted_at: UnixTime,
    /// Where the receipt is kept.
    pub receipt: PathBuf,
}

/// Of the receipts kept here those of these students that are about none of these versions.
pub(super) fn of(
    setup: &Setup,
    group: &Group,
    (course, assignment): &Only,
    told: &[ListedVersion],
) -> Result<Vec<Lost>, Error> {
    let trust = setup.require_trust()?;
    let service = service_id(&trust, &ServiceName::blackboard());
    let wanted = |wanted: &Option<Label>, name: &Label| wanted.as_ref().is_none_or(|it| it == name);
    let good: Vec<_> = good_receipts(setup)?
        .filter(|(_, _, receipt)| *receipt.service() == service)
        .collect();
    // One that is kept beside another which has more in it is the same submission.
    let has_less = |one: &VerifiedReceipt| {
        let mut all = good.iter().map(|(_, _, other)| other);
        all.any(|other| other.shows_all_of(one) && !one.shows_all_of(other))
    };
    let kept = good.iter().filter(|(_, _, receipt)| !has_less(receipt));
    let kept = kept.map(|(path, _, receipt)| Lost::of(receipt, path.clone()));
    let lost = kept
        .filter(|one| wanted(course, &one.course) && wanted(assignment, &one.assignment))
        .filter(|one| one.members.iter().any(|sid| group.ids().contains(sid)))
        .filter(|one| !told.iter().any(|version| one.is(version)));
    Ok(lost.collect())
}

impl Lost {
    pub(super) fn of(receipt: &VerifiedReceipt, path: PathBuf) -> Self {
        let statement = receipt.statement();
        let members = statement.members.iter();
        Self {
            number: receipt.number(),
            course: statement.course.clone(),
            assignment: statement.assignment.clone(),
            members: members.map(|member| member.sid.clone()).collect(),
            committed_at: receipt.committed_at(),
            accepted_at: receipt.accepted_at(),
            receipt: path,
        }
    }

    /// After a loss a number may be given again.
    pub(super) fn is(&self, version: &ListedVersion) -> bool {
        self.number == version.number
            && self.accepted_at.as_secs() == version.accepted_at
            && self.members == version.members
    }
}
