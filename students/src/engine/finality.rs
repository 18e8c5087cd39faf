//! After which error what was signed is not sent again.

use scb_protocol::Code;

use crate::Error;

/// The same statement can never succeed: its ID is taken, its time is over, its receipt is here,
/// or it was refused for certain before it was committed. Whatever is uncertain stays pending.
pub(super) fn is_final(error: &Error, certain: bool) -> bool {
    match error {
        // What was recorded stands: the next version of the same files gives it up.
        Error::ReportChanged { .. } => certain,
        Error::GivenUp { .. } => true,
        Error::Refused(refusal) => match refusal.code {
            Code::SubmissionConflict
            | Code::UploadExpired
            | Code::LogClosed
            | Code::ProposalEnded
            | Code::CommitmentBroken
            | Code::Superseded
            | Code::ProposalExists
            | Code::TooManyProposals
            | Code::TooManyUploads
            | Code::TooManyVersions => true,
            Code::CourseUnknown
            | Code::AssignmentUnknown
            | Code::NotCourseMember
            | Code::AssignmentNotOpen
            | Code::AssignmentClosed
            | Code::GroupSize
            | Code::OtherGroup
            | Code::FileType
            | Code::StatementInvalid
            | Code::MemberMismatch
            | Code::SignatureInvalid
            | Code::SignatureMissing
            | Code::MacInvalid
            | Code::ContentTooLarge
            | Code::StudentInactive => certain,
            _ => false,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use scb_protocol::{Refusal, Step};

    use super::*;

    fn refused(code: Code) -> Error {
        Refusal::new(code, Step::Six).into()
    }

    #[test]
    fn what_was_closed_over_is_never_sent_again_and_what_broke_off_is() {
        assert!(is_final(&refused(Code::LogClosed), false));
        assert!(!is_final(&refused(Code::ConnectionLost), true));
        assert!(!is_final(&refused(Code::AssignmentClosed), false));
    }

    #[test]
    fn what_is_damaged_stays_until_it_is_proposed_anew() {
        for certain in [false, true] {
            assert!(!is_final(&refused(Code::StoredDamaged), certain));
        }
    }
}
