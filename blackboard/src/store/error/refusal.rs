//! What a peer is told of what the store did not do.

use scb_protocol::{Code, Refusal, Step, rfc3339};

use super::Error;

/// After how many seconds a full queue is worth another try.
const RETRY_AFTER: u32 = 2;

/// What is wrong with what was asked for, if that is it.
pub(in crate::store) fn told(error: Error) -> Result<Refusal, Error> {
    let refuse = |code| Refusal::new(code, Step::Six);
    Ok(match error {
        Error::NotAdmitted(refusal) => *refusal,
        Error::Conflict { .. } => refuse(Code::SubmissionConflict),
        Error::UploadExpired { .. } => refuse(Code::UploadExpired),
        Error::LogClosed { .. } => {
            tracing::error!("{error}");
            refuse(Code::LogClosed)
        }
        Error::NoProposal { .. } => refuse(Code::SubmissionUnknown),
        Error::NotAllHere { sid } => refuse(Code::NotAllMembers).about(&sid),
        Error::ProposalEnded { state, .. } => refuse(Code::ProposalEnded).with("state", state),
        Error::TooManyGivenUp {
            sid,
            given_up,
            room_at,
        } => refuse(Code::TooManyUploads)
            .with("given_up", given_up)
            .with("room_at", rfc3339(room_at))
            .about(&sid),
        Error::TooManyGroups { sid, groups } => refuse(Code::TooManyUploads)
            .with("groups", groups)
            .about(&sid),
        Error::Superseded { by, .. } => refuse(Code::Superseded).with("by", by),
        Error::SameProposed { submission } => {
            refuse(Code::ProposalExists).with("submission", submission)
        }
        Error::TooManyProposals { limit } => refuse(Code::TooManyProposals).with("limit", limit),
        Error::TooManyVersions { limit } => refuse(Code::TooManyVersions).with("limit", limit),
        Error::ClockSetBack { last, now } => {
            let refusal = refuse(Code::ClockSetBack).with("now", rfc3339(now));
            refusal.with("last", rfc3339(last))
        }
        Error::RulesAltered { course, assignment } => {
            let place = format!("{course}/{assignment}");
            tracing::error!(
                "the rules or extensions of {place} here are not what its log says: nothing is judged by \
                 them; `blackboard fsck` names what differs"
            );
            refuse(Code::RulesAltered).with("assignment", place)
        }
        Error::TooManyUploads {
            sid,
            unfinished,
            bytes,
            in_all,
        } => {
            let refusal = refuse(Code::TooManyUploads)
                .with("unfinished", unfinished)
                .with("bytes", bytes)
                .about(&sid);
            match in_all {
                Some(all) => refusal.with("in_all", all),
                None => refusal,
            }
        }
        error => return Err(error),
    })
}

/// What a peer is told. What is wrong on this side is logged here, and only here.
impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let error = match told(error) {
            Ok(refusal) => return refusal,
            Err(error) => error,
        };
        let refusal = if error.is_full() {
            Refusal::new(Code::StorageFull, Step::Six)
        } else if error.is_busy() {
            Refusal::new(Code::Busy, Step::Six).retry_after(RETRY_AFTER)
        } else if let Error::ProposalAltered { submission } = &error {
            Refusal::new(Code::StoredDamaged, Step::Six).with("submission", submission)
        } else if let Error::GradeAltered { place, .. } = &error {
            Refusal::new(Code::StoredDamaged, Step::Six).with("assignment", place)
        } else {
            Refusal::new(Code::Internal, Step::Six)
        };
        tracing::error!("the store failed: {:#}", anyhow::Error::new(error));
        refusal
    }
}
