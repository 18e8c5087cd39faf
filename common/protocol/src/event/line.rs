//! What happened, in a log line.

use std::fmt;

use scb_certs::ServiceName;

use super::{Fact, Proved};
use crate::MemberAnswer;
use crate::message::cuhk::MemberQuestion;

/// Most members that one log line names.
const NAMED: usize = 10;

/// The outcome in a log line: short, without the values that explanations give.
impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listening { address, .. } => write!(f, "listening on {address}"),
            Self::AlreadyCertified { certificates } => {
                write!(f, "already certified {certificates}")
            }
            Self::NotRenewedYet { .. } => f.write_str("not renewed: the same key, too early"),
            Self::RequestsSent { requests, .. } => write!(f, "requests sent {}", requests.len()),
            Self::RequestVerified { .. } => f.write_str("request verified"),
            Self::StudentCertified {
                certificate,
                before,
                ..
            } => {
                let done = match before {
                    true => "certificate given again, token issued",
                    false => "certificate and token issued",
                };
                write!(f, "{done} {}", certificate.serial)
            }
            Self::StudentRenewed {
                certificate,
                before,
                ..
            } => {
                let done = if *before { "given again" } else { "renewed" };
                write!(f, "certificate {done} {}", certificate.serial)
            }
            Self::ServiceCertified { name, before, .. } => {
                let done = if *before { "given again" } else { "issued" };
                write!(f, "service certificate {done} {name}")
            }
            Self::ServiceRenewed { name, .. } => write!(f, "service certificate renewed {name}"),
            Self::TokenIssued { .. } => f.write_str("token issued"),
            Self::CertificateKept { .. } => f.write_str("certified"),
            Self::CertificateRenewed { .. } => f.write_str("certificate renewed"),
            Self::TokenRefreshed { .. } => f.write_str("token refreshed"),
            Self::Presented { members, .. } => write!(f, "presented {}", members.len()),
            Self::GroupVerified { members, .. } => verified(f, members),
            Self::MembersAnswered { asker, answers, .. } => answered(f, asker, answers),
            Self::TokenIntrospected { asker, inactive } => match inactive {
                None => write!(f, "token confirmed to {asker}"),
                Some(code) => write!(f, "token not confirmed to {asker}: {code}"),
            },
            Self::AnswerVerified { members, .. } => write!(f, "members verified {}", members.len()),
            Self::TokensCount { members, .. } => {
                write!(f, "CUHK is away, tokens count {members}")
            }
            Self::SharesSealed { shares, .. } => write!(f, "shares sealed: {shares}"),
            Self::SharesOpened { shares, .. } => write!(f, "shares opened {shares}"),
            Self::KeyConfirmed { .. } => f.write_str("session key confirmed"),
            Self::AssignmentsTold { assignments } => write!(f, "assignments told {assignments}"),
            Self::GradesTold { grades } => write!(f, "grades told {grades}"),
            Self::AssignmentChosen {
                course, assignment, ..
            } => write!(f, "assignment chosen {course}/{assignment}"),
            Self::ProposalsTold { proposals } => write!(f, "proposals told {proposals}"),
            Self::ProposalRecorded {
                submission,
                state,
                missing,
            } => write!(f, "proposal {submission} {state}, {missing} to sign"),
            Self::ReceiptTold { number } => write!(f, "receipt told {number}"),
            Self::ProofTold { submission, proved } => match proved {
                Proved::Yes => write!(f, "proof told {submission}"),
                Proved::NotYet => write!(f, "no proof yet {submission}"),
            },
            Self::RefusalProofTold { log, entry, proved } => match proved {
                Proved::Yes => write!(f, "proof told {log} entry {entry}"),
                Proved::NotYet => write!(f, "no proof yet {log} entry {entry}"),
            },
            Self::HistoryTold { versions } => write!(f, "versions told {versions}"),
            Self::Downloaded { number, bytes } => write!(f, "sent {bytes} bytes of {number}"),
            Self::StatementSent(statement) => write!(f, "statement sent {}", statement.submission),
            Self::StatementAccepted(statement) => {
                write!(f, "statement accepted {}", statement.submission)
            }
            Self::Committed {
                submission,
                have,
                size,
                ..
            } => write!(f, "committed {submission}, has {have} of {size} bytes"),
            Self::VerifiedAgain { .. } => f.write_str("verified again"),
            Self::Stored { number, .. } => write!(f, "stored {number}"),
            Self::ReceiptKept { number, .. } => write!(f, "receipt kept {number}"),
            Self::Refused(refusal) => {
                write!(f, "refused {}: {}", refusal.code, refusal.sentence())
            }
        }
    }
}

/// The first member is the connection's and stands in front of the outcome.
fn verified(f: &mut fmt::Formatter<'_>, members: &[MemberQuestion]) -> fmt::Result {
    f.write_str("verified")?;
    if members.len() > 1 {
        f.write_str(" with")?;
    }
    members
        .iter()
        .skip(1)
        .try_for_each(|member| write!(f, " {}", member.sid))
}

fn answered(
    f: &mut fmt::Formatter<'_>,
    asker: &ServiceName,
    answers: &[MemberAnswer],
) -> fmt::Result {
    let active = answers.iter().filter(|answer| answer.inactive.is_none());
    let (active, asked) = (active.count(), answers.len());
    write!(f, "confirmed {active} of {asked} to {asker}:")?;
    for MemberAnswer { sid, inactive, .. } in answers.iter().take(NAMED) {
        match inactive {
            None => write!(f, " {sid}")?,
            Some(reason) => write!(f, " {sid} ({reason})")?,
        }
    }
    match asked.saturating_sub(NAMED) {
        0 => Ok(()),
        more => write!(f, " and {more} more"),
    }
}
