//! Verified members who are refused find that in the log of their assignment, and
//! are given the signed entry.

use std::sync::Arc;

use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, StudentId};
use scb_protocol::log_leaf::LogName;
use scb_protocol::message::blackboard::Request;
use scb_protocol::receipt::SignedEntry;
use scb_protocol::server::ExpectRequest;
use scb_protocol::statement::Statement;
use scb_protocol::{Code, Refusal};

use super::Handler;
use super::desk::Statement as Signed;
use super::history::sids;
use crate::store::{Entered, Rejection, RejectionRecord};

/// The decisions that are entered: by the rules, about the members, about what they signed. What
/// went wrong on the way is none.
const DECISIONS: [Code; 23] = [
    Code::NotCourseMember,
    Code::AssignmentNotOpen,
    Code::AssignmentClosed,
    Code::GroupSize,
    Code::OtherGroup,
    Code::FileType,
    Code::ContentTooLarge,
    Code::ReportEmpty,
    Code::MemberMismatch,
    Code::SignatureInvalid,
    Code::SignatureMissing,
    Code::SubmissionConflict,
    Code::ProposalEnded,
    Code::Superseded,
    Code::TooManyProposals,
    Code::TooManyUploads,
    Code::TooManyVersions,
    Code::UploadExpired,
    Code::LogClosed,
    Code::StudentInactive,
    Code::CertificateExpired,
    Code::CertificateOnHold,
    Code::CertificateRevoked,
];

/// Why a decision is not entered, and not signed.
const FULL: &str = "too many refusals within an hour";

/// What would be entered if this request is refused; nothing for a question.
pub(super) fn of_request(request: &Request, state: &ExpectRequest) -> Option<Rejection> {
    let (Request::Submit { statement, .. }
    | Request::Propose { statement, .. }
    | Request::Sign { statement, .. }) = request
    else {
        return None;
    };
    let bytes = statement.as_bytes();
    of(&Statement::parse(bytes).ok()?, bytes, sids(state))
}

/// What would be entered if this is refused. Of those who sign for themselves, they alone.
pub(super) fn of_signed(signed: &Signed) -> Option<Rejection> {
    match signed {
        Signed::HandIn(accepted) => {
            let members = accepted.statement().members.iter();
            let sids = members.map(|member| member.sid.clone()).collect();
            of(accepted.statement(), accepted.bytes(), sids)
        }
        Signed::Propose(part) | Signed::Sign(part) => {
            of(part.statement(), part.bytes(), part.sids())
        }
    }
}

fn of(statement: &Statement, bytes: &[u8], members: Vec<StudentId>) -> Option<Rejection> {
    Some(Rejection {
        log: LogName::of(statement).ok()?,
        members,
        statement: Fingerprint::of(bytes),
    })
}

impl Handler {
    /// Enters it before the members are told, and tells them where. What cannot be entered is refused
    /// all the same.
    pub(super) async fn rejected(
        &mut self,
        rejection: Option<Rejection>,
        refusal: Refusal,
    ) -> Refusal {
        let Some(rejection) = rejection.filter(|_| DECISIONS.contains(&refusal.code)) else {
            return refusal;
        };
        let (store, now) = (self.shared.register.store(), self.shared.clock.now());
        let log = rejection.log.clone();
        match store.enter_rejection(rejection, refusal.code, now).await {
            Ok(RejectionRecord::Entered(entered)) => {
                let told = refusal.with("log", log).with("entry", entered.index);
                self.signed(told, entered, now)
            }
            Ok(RejectionRecord::NoLog) => refusal,
            Ok(RejectionRecord::Full) => refusal.with("unsigned", FULL),
            Err(error) => {
                let error = anyhow::Error::new(error);
                tracing::error!("a rejection is not in the log: {error:#}");
                refusal
            }
        }
    }

    /// The refusal with the signed entry. Without it if the certificate of now is younger than the
    /// entry, which was made within the last hour: nobody could verify that.
    fn signed(&self, refusal: Refusal, entered: Entered, now: UnixTime) -> Refusal {
        let identity = Arc::clone(&self.shared.identity.borrow());
        if identity.chain.leaf().not_before() > entered.at {
            return refusal;
        }
        match SignedEntry::sign(entered.leaf, (&identity.key, &identity.chain), now) {
            Ok(rejection) => refusal.signed(rejection),
            Err(error) => {
                tracing::error!("a rejection cannot be signed: {error}");
                refusal
            }
        }
    }
}
