//! Which refusals each server can ever give.

use super::Code;

/// A server that refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Teller {
    /// The authority.
    Cuhk,
    /// The platform.
    Blackboard,
}

/// What a student's program, or a command line, finds about a server or a file.
const OF_NO_SERVER: [Code; 9] = [
    Code::ServerIdentity,
    Code::ServerMisbehaved,
    Code::ShareInvalid,
    Code::ReceiptInvalid,
    Code::CommitmentInvalid,
    Code::CommitmentBroken,
    Code::LogIncomplete,
    Code::RulesUnsigned,
    Code::ConnectionFailed,
];

/// About codes and requests for certificates, and what else only CUHK is asked.
const OF_CUHK: [Code; 27] = [
    Code::EnrolmentRefused,
    Code::CodeExpired,
    Code::CodeWithdrawn,
    Code::CodeUsed,
    Code::TooManyCodes,
    Code::TooManyDevices,
    Code::CertificateSuperseded,
    Code::RenewalTooLate,
    Code::RenewalNotLonger,
    Code::StudentUnlisted,
    Code::TermOver,
    Code::RequestInvalid,
    Code::KeyUnsupported,
    Code::KeyRefused,
    Code::NotPermitted,
    Code::LogForked,
    Code::LogInvalid,
    Code::LogInconsistent,
    Code::LogKeyChanged,
    Code::CheckpointInvalid,
    Code::TooManyLogs,
    Code::LogNotKept,
    Code::BodyTooLarge,
    Code::MediaTypeUnsupported,
    Code::NotFound,
    Code::MethodNotAllowed,
    Code::ProfileBroken,
];

/// About members, statements, files and receipts.
const OF_BLACKBOARD: [Code; 45] = [
    Code::FirstMember,
    Code::MemberMismatch,
    Code::TokenInvalid,
    Code::TokenAudience,
    Code::TokenExpired,
    Code::TokenMismatch,
    Code::SignerWithdrawn,
    Code::VerificationInvalid,
    Code::ConfirmationFailed,
    Code::StatementInvalid,
    Code::CourseUnknown,
    Code::AssignmentUnknown,
    Code::NotCourseMember,
    Code::AssignmentNotOpen,
    Code::AssignmentClosed,
    Code::GroupSize,
    Code::OtherGroup,
    Code::FileType,
    Code::ReportEmpty,
    Code::RulesAltered,
    Code::SignatureInvalid,
    Code::SignatureMissing,
    Code::MacInvalid,
    Code::ContentShort,
    Code::ContentLong,
    Code::ContentAltered,
    Code::ContentTooLarge,
    Code::TooManyQuestions,
    Code::UploadExpired,
    Code::LogClosed,
    Code::TooManyUploads,
    Code::TooManyVersions,
    Code::SubmissionUnknown,
    Code::NotAllMembers,
    Code::ProposalExists,
    Code::ProposalEnded,
    Code::Superseded,
    Code::TooManyProposals,
    Code::SubmissionConflict,
    Code::StoredDamaged,
    Code::StorageFaulty,
    Code::TooManySessions,
    Code::ConnectionLost,
    Code::CuhkUnavailable,
    Code::ServiceUncertified,
];

impl Code {
    /// Whether this server may give it. A code of which nobody has said whose it is may come from
    /// either.
    pub fn is_told_by(self, teller: Teller) -> bool {
        let of_the_other: &[Self] = match teller {
            Teller::Cuhk => &OF_BLACKBOARD,
            Teller::Blackboard => &OF_CUHK,
        };
        !OF_NO_SERVER.contains(&self) && !of_the_other.contains(&self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_server_tells_its_own_codes_and_those_of_both() {
        let cases = [
            (Code::EnrolmentRefused, true, false),
            (Code::MacInvalid, false, true),
            (Code::CertificateRevoked, true, true),
            (Code::Busy, true, true),
            (Code::Internal, true, true),
            (Code::ReceiptInvalid, false, false),
            (Code::ReportEmpty, false, true),
            (Code::RulesAltered, false, true),
            (Code::RulesUnsigned, false, false),
        ];
        for (code, cuhk, blackboard) in cases {
            assert_eq!(code.is_told_by(Teller::Cuhk), cuhk, "{code}");
            assert_eq!(code.is_told_by(Teller::Blackboard), blackboard, "{code}");
        }
    }

    #[test]
    fn no_code_stands_in_two_lists() {
        let all = [&OF_NO_SERVER[..], &OF_CUHK, &OF_BLACKBOARD].concat();
        for (at, code) in all.iter().enumerate() {
            assert!(!all[..at].contains(code), "{code}");
        }
    }
}
