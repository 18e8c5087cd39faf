//! What happened, with its values. All of them are public: whoever sees the wire or the
//! receipt sees them.

use std::net::SocketAddr;

use rustls_pki_types::UnixTime;
use scb_certs::{Certificate, Fingerprint, Serial, ServiceName, SpiffeId, StudentId};

use crate::log_leaf::LogName;
use crate::message::cuhk::MemberQuestion;
use crate::message::proposal::{ProposalStanding, ProposalState};
use crate::statement::{Files, Label, SubmissionId, SubmissionNumber};
use crate::values::{Challenge, Mac, Nonce, SessionPublicKey};
use crate::{Code, MemberAnswer, Refusal, Transcript1, Transcript2};

/// Whether the proof of a submission's entry is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proved {
    /// It is.
    Yes,
    /// It is still to come.
    NotYet,
}

/// What happened. Never a secret: no private key, code, token, share or session key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// Step 0: a server listens.
    Listening {
        /// The bound address.
        address: SocketAddr,
        /// SHA-256 of CUHK's root certificate.
        root: Fingerprint,
    },
    /// Step 1, student: nobody needs a certificate.
    AlreadyCertified {
        /// How many certificates are here.
        certificates: usize,
    },
    /// Step 2, student: the same key is not certified again in the first half of the certificate's
    /// life.
    NotRenewedYet {
        /// Until when the certificate is good.
        until: UnixTime,
    },
    /// Step 1, student: the certificate requests have left.
    RequestsSent {
        /// Who got them, proved by its certificate.
        to: SpiffeId,
        /// SHA-256 of the root under which it proved itself.
        root: Fingerprint,
        /// How many keys were made now.
        fresh: usize,
        /// The requests.
        requests: Vec<CertificateRequest>,
    },
    /// Step 1, CUHK: a request is signed by the key in it.
    RequestVerified {
        /// SHA-256 of the public key (SubjectPublicKeyInfo).
        key: Fingerprint,
    },
    /// Step 2, CUHK: a student has a certificate and a token.
    StudentCertified {
        /// The certificate.
        certificate: CertificateSummary,
        /// When the token expires.
        token_expires: UnixTime,
        /// An earlier request with this code and key had led to it.
        before: bool,
    },
    /// Step 2, CUHK: a student has the next certificate and a token for it.
    StudentRenewed {
        /// The certificate.
        certificate: CertificateSummary,
        /// When the token expires.
        token_expires: UnixTime,
        /// An earlier request with this key had led to it.
        before: bool,
    },
    /// Step 2, CUHK: a service has its first certificate.
    ServiceCertified {
        /// The service.
        name: ServiceName,
        /// The certificate.
        certificate: CertificateSummary,
        /// An earlier request with this code and key had led to it.
        before: bool,
    },
    /// Step 2, CUHK: a service has its next certificate.
    ServiceRenewed {
        /// The service.
        name: ServiceName,
        /// The certificate.
        certificate: CertificateSummary,
    },
    /// Step 2, CUHK: a student has a fresh token.
    TokenIssued {
        /// SHA-256 of the certificate to which it is bound.
        certificate: Fingerprint,
        /// When it expires.
        expires: UnixTime,
    },
    /// Step 2, student: certificate and token were verified and saved.
    CertificateKept {
        /// The certificate.
        certificate: CertificateSummary,
        /// When the token expires.
        token_expires: UnixTime,
    },
    /// Step 2, student: the next certificate and its token were verified and are in place.
    CertificateRenewed {
        /// The certificate.
        certificate: CertificateSummary,
        /// When the token expires.
        token_expires: UnixTime,
    },
    /// Step 2, student: a fresh token was verified and saved.
    TokenRefreshed {
        /// SHA-256 of the certificate to which it is bound.
        certificate: Fingerprint,
        /// When it expires.
        expires: UnixTime,
    },
    /// Step 3, student: the members have presented themselves.
    Presented {
        /// The server's challenge.
        challenge: Challenge,
        /// What the proofs of possession sign.
        t1: Transcript1,
        /// The members, in order.
        members: Vec<PresentedMember>,
    },
    /// Step 3, Blackboard: chains, tokens and proofs are in order and CUHK confirmed all.
    GroupVerified {
        /// What the proofs of possession sign.
        t1: Transcript1,
        /// The nonce of the question to CUHK.
        nonce: Nonce,
        /// The members, in order.
        members: Vec<MemberQuestion>,
    },
    /// Step 3, CUHK: a service's question was answered.
    MembersAnswered {
        /// Who asked.
        asker: ServiceName,
        /// The question's nonce, which the answer repeats.
        nonce: Nonce,
        /// The answers, in the order of the question.
        answers: Vec<MemberAnswer>,
    },
    /// Step 3, CUHK: a service asked about a token.
    TokenIntrospected {
        /// Who asked.
        asker: ServiceName,
        /// Why the token does not count for the asker, who is not told.
        inactive: Option<Code>,
    },
    /// Step 3, student: CUHK's signed answer was verified here as well.
    AnswerVerified {
        /// The nonce of Blackboard's question.
        nonce: Nonce,
        /// When CUHK signed.
        issued_at: UnixTime,
        /// The members, in order.
        members: Vec<MemberQuestion>,
    },
    /// Steps 3 and 6: CUHK is away, and the members' identity tokens count instead.
    TokensCount {
        /// How many.
        members: usize,
        /// When the first of them expires.
        until: UnixTime,
    },
    /// Step 4, Blackboard: each member has a sealed share.
    SharesSealed {
        /// How many.
        shares: usize,
        /// To what they are bound.
        t2: Transcript2,
    },
    /// Step 4, student: every share was opened.
    SharesOpened {
        /// How many.
        shares: usize,
        /// To what they are bound.
        t2: Transcript2,
    },
    /// Step 5, both: the same session key on both sides.
    KeyConfirmed {
        /// What the student's side sent.
        client: Mac,
        /// What Blackboard answered.
        server: Mac,
    },
    /// Step 6, Blackboard: the members were told what they can hand in.
    AssignmentsTold {
        /// How many assignments.
        assignments: usize,
    },
    /// Step 6, Blackboard: the members were told their grades that were released.
    GradesTold {
        /// How many grades.
        grades: usize,
    },
    /// Step 6, student: nothing else is open, so that it is handed in for this.
    AssignmentChosen {
        /// The course.
        course: Label,
        /// The assignment.
        assignment: Label,
        /// When it is due, if ever.
        due: Option<UnixTime>,
        /// Seconds until then by Blackboard's clock.
        left: Option<u64>,
    },
    /// Step 6, Blackboard: the members asked for the proof of a submission's entry.
    ProofTold {
        /// Which submission.
        submission: SubmissionId,
        /// Whether there was one.
        proved: Proved,
    },
    /// Step 6, Blackboard: the members were told which proposals name them.
    ProposalsTold {
        /// How many proposals.
        proposals: usize,
    },
    /// Step 6, both: what was said to a proposal is recorded.
    ProposalRecorded {
        /// The client's submission ID.
        submission: SubmissionId,
        /// What has become of it.
        state: ProposalState,
        /// How many have still to sign.
        missing: usize,
    },
    /// Step 6, Blackboard: a member was given the receipt of a submission.
    ReceiptTold {
        /// The submission's number.
        number: SubmissionNumber,
    },
    /// Step 6, Blackboard: the members asked for the proof that their refusal is in the log.
    RefusalProofTold {
        /// The log.
        log: LogName,
        /// The number of the entry.
        entry: u64,
        /// Whether it was there.
        proved: Proved,
    },
    /// Step 6, Blackboard: the members were told of their own versions.
    HistoryTold {
        /// How many versions.
        versions: usize,
    },
    /// Step 6, Blackboard: the members were sent something of a submission of theirs.
    Downloaded {
        /// Which submission.
        number: SubmissionNumber,
        /// How many bytes.
        bytes: u64,
    },
    /// Step 6, student: the statement was signed by all and sent.
    StatementSent(SignedStatement),
    /// Step 6, Blackboard: statement, MAC and every signature are in order.
    StatementAccepted(SignedStatement),
    /// Step 6, both: the statement is recorded; what is missing of its files may come.
    Committed {
        /// The client's submission ID.
        submission: SubmissionId,
        /// When it was recorded: what counts for the deadline.
        at: UnixTime,
        /// Until when the files may come.
        until: UnixTime,
        /// Bytes that are there already, of all files together.
        have: u64,
        /// Bytes of all files together.
        size: u64,
    },
    /// Step 6, Blackboard: the content is as stated, and CUHK confirmed all members again.
    VerifiedAgain {
        /// The nonce of the second question to CUHK.
        nonce: Nonce,
        /// What came.
        files: Files,
    },
    /// Step 6, Blackboard: stored durably, under a number.
    Stored {
        /// The number.
        number: SubmissionNumber,
        /// The client's submission ID.
        submission: SubmissionId,
        /// Size of the content in bytes.
        size: u64,
        /// SHA-256 of the receipt.
        receipt: Fingerprint,
    },
    /// Step 6, student: the receipt was verified and kept.
    ReceiptKept {
        /// The submission's number.
        number: SubmissionNumber,
        /// What was handed in.
        files: Files,
        /// SHA-256 of the receipt.
        receipt: Fingerprint,
        /// How many members signed.
        signatures: usize,
        /// An earlier attempt had stored it; this is the same receipt.
        before: bool,
    },
    /// The step was refused.
    Refused(Refusal),
}

impl From<&ProposalStanding> for Fact {
    fn from(standing: &ProposalStanding) -> Self {
        Self::ProposalRecorded {
            submission: standing.submission,
            state: standing.state,
            missing: standing.missing().count(),
        }
    }
}

/// A certificate request that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateRequest {
    /// For whom.
    pub sid: StudentId,
    /// SHA-256 of the public key (SubjectPublicKeyInfo).
    pub key: Fingerprint,
    /// Size of the PKCS#10 request in bytes.
    pub size: usize,
}

/// What identifies a certificate, and how long it is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateSummary {
    /// The serial number.
    pub serial: Serial,
    /// SHA-256 of the DER.
    pub sha256: Fingerprint,
    /// The last second in which it is good.
    pub not_after: UnixTime,
}

impl From<&Certificate> for CertificateSummary {
    fn from(certificate: &Certificate) -> Self {
        Self {
            serial: certificate.serial(),
            sha256: certificate.fingerprint(),
            not_after: certificate.not_after(),
        }
    }
}

/// A member who was presented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresentedMember {
    /// The student ID.
    pub sid: StudentId,
    /// SHA-256 of the certificate.
    pub certificate: Fingerprint,
    /// The key to which the member's share is to be sealed.
    pub session_key: SessionPublicKey,
}

/// A statement with all signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedStatement {
    /// The client's submission ID.
    pub submission: SubmissionId,
    /// The course.
    pub course: Label,
    /// The assignment.
    pub assignment: Label,
    /// The files that are stated.
    pub files: Files,
    /// How many members signed.
    pub signatures: usize,
    /// The MAC under the session key.
    pub mac: Mac,
}
