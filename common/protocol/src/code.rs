//! The registry of refusal codes: exit code, HTTP status, sentence and remedy of each.

mod teller;

use serde::{Deserialize, Serialize};

pub use teller::Teller;

/// The command was carried out.
pub const EXIT_DONE: u8 = 0;
/// The command line was wrong.
pub const EXIT_USAGE: u8 = 2;
/// Refused; repeating the same thing will not help.
pub const EXIT_REFUSED: u8 = 3;
/// Not now; the same thing may succeed later.
pub const EXIT_RETRY: u8 = 4;
/// Something is wrong on this machine.
pub const EXIT_FAULT: u8 = 5;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $exit:ident, $http:literal, $sentence:literal, $remedy:literal;)*) => {
        /// A stable refusal code. Codes are never renamed or reused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Code {
            $(#[doc = $sentence] #[serde(rename = $name)] $variant,)*
        }

        impl Code {
            /// Every code, in the registry's order.
            pub const ALL: &'static [Code] = &[$(Code::$variant),*];

            /// The code as it stands on the wire and in logs.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $name),* }
            }

            /// The exit code of a program that stops because of it.
            pub fn exit_code(self) -> u8 {
                match self { $(Code::$variant => $exit),* }
            }

            /// The HTTP status under which it is reported (RFC 9110).
            pub fn http_status(self) -> u16 {
                match self { $(Code::$variant => $http),* }
            }

            /// What was wrong, in English, without student or details.
            pub fn sentence(self) -> &'static str {
                match self { $(Code::$variant => $sentence),* }
            }

            /// What to do about it, in English.
            pub fn remedy(self) -> &'static str {
                match self { $(Code::$variant => $remedy),* }
            }
        }
    };
}

codes! {
    EnrolmentRefused = "enrolment_refused", EXIT_REFUSED, 403,
        "CUHK does not accept this student ID with this enrolment code",
        "check the ID and the code on your code sheet; a new code comes from your department";
    CodeExpired = "code_expired", EXIT_REFUSED, 403,
        "this enrolment code has expired",
        "ask your department for a new code";
    CodeWithdrawn = "code_withdrawn", EXIT_REFUSED, 403,
        "this enrolment code has been withdrawn",
        "use the newer code that came in its place; if you have none, ask your department";
    CodeUsed = "code_used", EXIT_REFUSED, 403,
        "this enrolment code has already been used, with another key",
        "if the certificate is on another machine, use that machine; otherwise ask your department for a new code";
    TooManyCodes = "too_many_codes", EXIT_REFUSED, 429,
        "five wrong enrolment codes on one connection; it is closed",
        "check the code sheet, then try again; nobody is locked out";
    TooManyDevices = "too_many_devices", EXIT_REFUSED, 409,
        "the holder already has as many live certificates as are allowed",
        "ask CUHK to revoke one that is no longer used";
    CertificateSuperseded = "certificate_superseded", EXIT_REFUSED, 409,
        "this certificate has already been renewed, with another key",
        "if the renewed certificate is on another machine, use that machine; otherwise ask your department for a new code";
    RenewalTooLate = "renewal_too_late", EXIT_REFUSED, 403,
        "this certificate expired too long ago to be renewed",
        "ask your department for a new code, then enrol again: student enrol";
    RenewalNotLonger = "renewal_not_longer", EXIT_REFUSED, 409,
        "this certificate already lasts as long as one that would be issued now",
        "go on using it; it can be renewed when CUHK has opened the next term";
    StudentUnlisted = "student_unlisted", EXIT_REFUSED, 403,
        "CUHK's roster does not list this student any more",
        "ask your department; once you are listed again, run the same command again";
    TermOver = "term_over", EXIT_REFUSED, 403,
        "the term for which CUHK issues certificates has ended",
        "ask your department when the next term is opened, then run the same command again";
    RequestInvalid = "request_invalid", EXIT_REFUSED, 400,
        "the certificate signing request is not valid or not signed by its own key with SHA-256",
        "run the command again; if it happens again, update this program";
    KeyUnsupported = "key_unsupported", EXIT_REFUSED, 400,
        "the key in the request is not an ECDSA key on the named curve P-256",
        "make a P-256 key and try again";
    KeyRefused = "key_refused", EXIT_REFUSED, 409,
        "this key belongs to another identity or was revoked",
        "make a new key and try again";
    MemberCount = "member_count", EXIT_REFUSED, 400,
        "the number of members is not allowed here",
        "give as many student IDs as the assignment allows";
    DuplicateMember = "duplicate_member", EXIT_REFUSED, 400,
        "the same student ID is listed twice",
        "give each student ID once";
    FirstMember = "first_member", EXIT_REFUSED, 400,
        "the first member is not the one whose certificate opened the connection",
        "connect with the first member's certificate";
    MemberMismatch = "member_mismatch", EXIT_REFUSED, 403,
        "these are not the members who were verified on this connection",
        "hand in again with the same members in the same order";
    CertificateMissing = "certificate_missing", EXIT_REFUSED, 401,
        "no client certificate was presented",
        "get a certificate from CUHK first: student enrol";
    CertificateExpired = "certificate_expired", EXIT_REFUSED, 401,
        "the certificate has expired",
        "enrol again with a new code from your department, and check this machine's clock";
    CertificateNotYetValid = "certificate_not_yet_valid", EXIT_REFUSED, 401,
        "the certificate is not valid yet",
        "check this machine's clock and the server's";
    CertificateRevoked = "certificate_revoked", EXIT_REFUSED, 403,
        "the certificate has been revoked",
        "ask your department for a new code, then enrol again";
    CertificateOnHold = "certificate_on_hold", EXIT_REFUSED, 403,
        "the certificate is on hold: its holder is suspended for the time being",
        "ask your department; nothing needs to be enrolled again once the suspension is lifted";
    CertificateUnknownIssuer = "certificate_unknown_issuer", EXIT_REFUSED, 401,
        "the certificate was not issued by this CUHK",
        "check that the address and the root certificate belong to the same CUHK; if so, enrol again";
    CertificateIssuerNamesake = "certificate_issuer_namesake", EXIT_REFUSED, 401,
        "the certificate is from another authority that has the name of this CUHK",
        "if CUHK was set up anew, enrol again with a new code; if not, somebody impersonates it";
    CertificateSelfSigned = "certificate_self_signed", EXIT_REFUSED, 401,
        "nobody but its own key signed the certificate",
        "enrol, so that CUHK issues one: student enrol";
    CertificateIssuerNotCa = "certificate_issuer_not_ca", EXIT_REFUSED, 401,
        "whoever signed the certificate is not a certificate authority",
        "only CUHK issues certificates; enrol with a code from your department";
    CertificateBadSignature = "certificate_bad_signature", EXIT_REFUSED, 401,
        "a signature in the certificate chain does not verify",
        "enrol again with a new code from your department";
    CertificateKeyMismatch = "certificate_key_mismatch", EXIT_REFUSED, 401,
        "the private key is not that of the certificate",
        "put back the key that belongs to the certificate, or enrol again with a new code";
    CertificateNoUsage = "certificate_no_usage", EXIT_REFUSED, 401,
        "the certificate does not say what its key may be used for (extended key usage)",
        "use a certificate that CUHK issued for this purpose";
    CertificateAnyUsage = "certificate_any_usage", EXIT_REFUSED, 401,
        "the certificate is for any use (anyExtendedKeyUsage), which CUHK never issues",
        "use a certificate that CUHK issued for this purpose";
    CertificateWrongUsage = "certificate_wrong_usage", EXIT_REFUSED, 401,
        "the certificate may not be used for this",
        "use a certificate that CUHK issued for this purpose";
    CertificateWrongRole = "certificate_wrong_role", EXIT_REFUSED, 403,
        "the certificate names another role or party than is expected here",
        "students connect with a student's certificate, services with their own";
    CertificateWrongIssuer = "certificate_wrong_issuer", EXIT_REFUSED, 403,
        "the certificate names a student but is from the issuer of services, or the other way round",
        "tell your IT service: CUHK never issues such a certificate";
    CertificateNameAmbiguous = "certificate_name_ambiguous", EXIT_REFUSED, 401,
        "the certificate has more than one name",
        "tell your IT service: CUHK never issues such a certificate";
    CertificateInvalid = "certificate_invalid", EXIT_REFUSED, 401,
        "the certificate is not well-formed, or has no name of this campus",
        "enrol again; if it happens again, tell your IT service";
    ServerIdentity = "server_identity", EXIT_REFUSED, 502,
        "the server could not prove that it is the one meant; nothing was sent to it",
        "check the address and the root fingerprint; never continue on a guess";
    ServerMisbehaved = "server_misbehaved", EXIT_REFUSED, 502,
        "the server's answer breaks the protocol",
        "try again; if it happens again, tell your IT service";
    TokenInvalid = "token_invalid", EXIT_REFUSED, 401,
        "the identity token is not one that CUHK signed in the required form",
        "get a fresh token: student enrol";
    TokenAudience = "token_audience", EXIT_REFUSED, 401,
        "the identity token was issued for another service",
        "get a token for this service: student enrol";
    TokenExpired = "token_expired", EXIT_REFUSED, 401,
        "the identity token has expired or is not valid yet",
        "get a fresh token: student enrol; check this machine's clock";
    TokenMismatch = "token_mismatch", EXIT_REFUSED, 401,
        "the identity token belongs to another certificate",
        "present each certificate with its own token";
    SignerWithdrawn = "signer_withdrawn", EXIT_RETRY, 401,
        "CUHK has withdrawn the key with which this token or answer was signed",
        "run the same command again; a fresh one is signed with another key";
    ProofInvalid = "proof_invalid", EXIT_REFUSED, 401,
        "the proof of possession does not verify for this member, connection and challenge",
        "run the same command again; a proof is good for one connection only";
    VerificationInvalid = "verification_invalid", EXIT_RETRY, 502,
        "CUHK's answer about the members does not verify",
        "try again; if it happens again, tell your IT service";
    StudentInactive = "student_inactive", EXIT_REFUSED, 403,
        "CUHK says that this student or certificate is not active",
        "ask your department why";
    ShareInvalid = "share_invalid", EXIT_REFUSED, 400,
        "a share of the session key cannot be opened",
        "hand in again";
    ConfirmationFailed = "confirmation_failed", EXIT_REFUSED, 400,
        "the two sides did not derive the same session key",
        "hand in again";
    StatementInvalid = "statement_invalid", EXIT_REFUSED, 400,
        "the statement is not in the required form",
        "hand in again; if it happens again, update this program";
    ReportEmpty = "report_empty", EXIT_REFUSED, 400,
        "the report is empty",
        "check that you named the right one, and that it was saved";
    CourseUnknown = "course_unknown", EXIT_REFUSED, 404,
        "there is no such course here",
        "check --course; `student assignments` lists what you can hand in";
    AssignmentUnknown = "assignment_unknown", EXIT_REFUSED, 404,
        "there is no such assignment in this course",
        "check --assignment; `student assignments` lists what you can hand in";
    NotCourseMember = "not_course_member", EXIT_REFUSED, 403,
        "this student is not in the course",
        "check --course and the student IDs; if they are right, ask your teacher to add the student to the class list";
    AssignmentNotOpen = "assignment_not_open", EXIT_REFUSED, 403,
        "nothing is taken for this assignment yet",
        "run the same command again when it has opened; `student assignments` says when";
    AssignmentClosed = "assignment_closed", EXIT_REFUSED, 403,
        "nothing is taken for this assignment any more",
        "ask your teacher for an extension; once you have it, run the same command again";
    GroupSize = "group_size", EXIT_REFUSED, 400,
        "the assignment is for groups of another size",
        "give as many student IDs as the assignment wants; `student assignments` says how many. If your partner has left before you handed in together, ask your teacher";
    OtherGroup = "other_group", EXIT_REFUSED, 409,
        "this student has handed in or signed with others, and the assignment keeps groups together",
        "hand in with everybody who has a part in that work; more may join. If it is `unfinished`: finish it by the same command, or take it back with `student withdraw`. If the group has changed, ask your teacher";
    FileType = "file_type", EXIT_REFUSED, 415,
        "the assignment does not take files whose names end so",
        "hand in a file of one of the kinds that it takes; `student assignments` lists them";
    SignatureInvalid = "signature_invalid", EXIT_REFUSED, 400,
        "a member's signature of the statement does not verify",
        "sign the statement again with every member's key";
    SignatureMissing = "signature_missing", EXIT_REFUSED, 400,
        "not every member has signed the statement",
        "let every member sign, then hand in again";
    MacInvalid = "mac_invalid", EXIT_REFUSED, 400,
        "the MAC under the session key does not match",
        "hand in again";
    ContentShort = "content_short", EXIT_REFUSED, 400,
        "fewer bytes arrived than the statement says",
        "hand in again";
    ContentLong = "content_long", EXIT_REFUSED, 400,
        "more bytes arrived than the statement says",
        "hand in again; do not change the file meanwhile";
    ContentAltered = "content_altered", EXIT_REFUSED, 400,
        "the bytes that arrived do not have the hash that was signed",
        "hand in again; do not change the file meanwhile";
    ContentTooLarge = "content_too_large", EXIT_REFUSED, 413,
        "the report is larger than is accepted here",
        "make it smaller";
    TooManyQuestions = "too_many_questions", EXIT_RETRY, 429,
        "too many questions on one connection; it is closed",
        "run the command again";
    UploadExpired = "upload_expired", EXIT_REFUSED, 410,
        "the time in which this submission's files might come is over",
        "hand in again, if the assignment still takes work (`student assignments`): it is a new submission, with the time of now";
    LogClosed = "log_closed", EXIT_REFUSED, 409,
        "the assignment was closed before what was signed in time had been stored",
        "ask your teacher for an extension, and show this; once there is one, run the same command again: it is a new submission, with the time of then; a group signs again";
    TooManyUploads = "too_many_uploads", EXIT_REFUSED, 429,
        "too much of what this student has signed has not come yet",
        "finish what was interrupted: run its command again; or give it up: `student history` shows its ID, `student withdraw ID` gives it up";
    TooManyVersions = "too_many_versions", EXIT_REFUSED, 429,
        "these members have handed in as many versions of this assignment as are taken",
        "what was handed in stands, and the version that counts still does: `student history`; if it must be another one, ask your teacher";
    SubmissionUnknown = "submission_unknown", EXIT_REFUSED, 404,
        "there is no such submission of these members",
        "check it: `student history` lists what you have handed in, `student cosign` what waits for you; what is others' is not told";
    NotAllMembers = "not_all_members", EXIT_REFUSED, 403,
        "others have signed this as well, and only all of them together give it up",
        "run it where all their keys are, for all of them: student withdraw ID --ids A,B,C; or wait until its files' time is over";
    ProposalExists = "proposal_exists", EXIT_REFUSED, 409,
        "the very same work already waits for signatures",
        "sign that one: `student cosign` shows it";
    ProposalEnded = "proposal_ended", EXIT_REFUSED, 410,
        "nobody can sign this proposal any more, or take it back",
        "`student cosign` shows what has become of it; to hand in again, run the same command again: it is a new one";
    Superseded = "superseded", EXIT_REFUSED, 409,
        "the same members signed another hand-in after this one: once its time is over, only the last one's files are taken",
        "bring the files of that one: run its command again; or hand these in anew, at the time of now";
    TooManyProposals = "too_many_proposals", EXIT_REFUSED, 429,
        "too many proposals of this student wait for signatures, or were made within a day",
        "have them signed, or take them back with `student withdraw`; after 64 in a day wait until tomorrow";
    SubmissionConflict = "submission_conflict", EXIT_REFUSED, 409,
        "this submission ID was already used for something else",
        "run the same command again: it takes a new submission ID, and the time is that of then";
    StoredDamaged = "stored_damaged", EXIT_FAULT, 500,
        "what Blackboard has stored of this is not what was handed in, and is not given out",
        "tell your teacher; if you have a receipt of it, that still proves what you handed in";
    RulesAltered = "rules_altered", EXIT_RETRY, 503,
        "the rules that Blackboard has stored of this assignment are not those of its log: it judges nothing by them",
        "tell your teacher at once; run the same command again when it is mended: what counts is in the log";
    ReceiptInvalid = "receipt_invalid", EXIT_REFUSED, 422,
        "the receipt does not verify",
        "keep it as evidence and ask for a new copy";
    RulesUnsigned = "rules_unsigned", EXIT_REFUSED, 502,
        "what Blackboard says of an assignment's rules is not what it has signed",
        "believe no deadline that is shown elsewhere meanwhile; run the same command again; if it happens again, tell your IT service";
    CommitmentInvalid = "commitment_invalid", EXIT_REFUSED, 502,
        "what Blackboard signed to say that it has recorded the statement is not right; no file was sent",
        "run the same command again; if it happens again, tell your IT service";
    CommitmentBroken = "commitment_broken", EXIT_REFUSED, 409,
        "Blackboard contradicts what it had signed when it recorded the statement",
        "keep both files: each is Blackboard's own signed word; show them to your teacher";
    LogForked = "log_forked", EXIT_REFUSED, 409,
        "CUHK's log contradicts what it showed before: its history was rewritten",
        "keep this home as evidence and tell your department; if CUHK was set up anew, use a new home";
    LogInvalid = "log_invalid", EXIT_REFUSED, 502,
        "what CUHK shows of its log does not verify",
        "try again; if it happens again, tell your IT service";
    LogIncomplete = "log_incomplete", EXIT_REFUSED, 502,
        "CUHK's log lacks something that must be in it",
        "keep the certificate as evidence and tell your department";
    LogInconsistent = "log_inconsistent", EXIT_REFUSED, 409,
        "this log does not extend what CUHK has seen of it",
        "stop the service; if it runs on an old backup: blackboard recover";
    LogKeyChanged = "log_key_changed", EXIT_REFUSED, 409,
        "CUHK knows this log under another key",
        "put the service's log key back; if it is lost, CUHK's operator says so: cuhk witness accept-key";
    CheckpointInvalid = "checkpoint_invalid", EXIT_REFUSED, 400,
        "the checkpoint of this log, its key or its proof is not valid",
        "see that the service runs with the log key that CUHK endorsed; if it does, update it";
    TooManyLogs = "too_many_logs", EXIT_REFUSED, 429,
        "CUHK witnesses as many logs of this service as it may",
        "raise `witnessed_logs` in CUHK's config.toml";
    LogNotKept = "log_not_kept", EXIT_REFUSED, 410,
        "CUHK no longer keeps the entries of this log that are asked for",
        "restore a newer backup of the service: those of a log that has not grown for long are removed";
    TooManySessions = "too_many_sessions", EXIT_RETRY, 429,
        "too many connections of this student were open without a word; the one that had waited longest was closed",
        "close programs of yours that are connected and not used, then run the command again; nobody is locked out";
    NotPermitted = "not_permitted", EXIT_REFUSED, 403,
        "this certificate may not ask for that",
        "use the certificate of the role that may";
    UnexpectedMessage = "unexpected_message", EXIT_REFUSED, 400,
        "a message came out of order",
        "update this program";
    UnknownMessage = "unknown_message", EXIT_REFUSED, 400,
        "a message of an unknown type came",
        "update this program";
    MalformedMessage = "malformed_message", EXIT_REFUSED, 400,
        "a message could not be understood",
        "update this program";
    FrameEmpty = "frame_empty", EXIT_REFUSED, 400,
        "an empty frame came",
        "update this program";
    FrameTooLarge = "frame_too_large", EXIT_REFUSED, 413,
        "a frame is larger than the protocol allows",
        "update this program";
    BodyTooLarge = "body_too_large", EXIT_REFUSED, 413,
        "the body of the request is larger than is accepted here",
        "send less; docs/PROTOCOL.md says how much may be sent";
    MediaTypeUnsupported = "media_type_unsupported", EXIT_REFUSED, 415,
        "the body of the request is of a type that is not taken here",
        "name the type that is expected in the header Content-Type";
    NotFound = "not_found", EXIT_REFUSED, 404,
        "there is nothing at this address",
        "check the address; docs/PROTOCOL.md lists what there is";
    MethodNotAllowed = "method_not_allowed", EXIT_REFUSED, 405,
        "what is at this address does not take this HTTP method",
        "use one of the methods that the answer's Allow field names";
    Timeout = "timeout", EXIT_RETRY, 408,
        "the other side took too long",
        "check the network, then try again";
    Busy = "busy", EXIT_RETRY, 503,
        "the server is full at the moment",
        "wait a little, then try again";
    ClockSetBack = "clock_set_back", EXIT_RETRY, 503,
        "the server's clock says less than what is in its log already",
        "wait until it has caught up, then run the same command again; tell whoever runs the server";
    PlatformClock = "platform_clock", EXIT_RETRY, 503,
        "the platform's clock is not CUHK's, so that nothing is taken that would be late or early by it",
        "you can do nothing, and nothing is wrong here: tell your teacher, then run the same command again";
    CuhkUnavailable = "cuhk_unavailable", EXIT_RETRY, 503,
        "CUHK cannot be asked about the members at the moment",
        "wait a little, then try again";
    StatusUnavailable = "status_unavailable", EXIT_RETRY, 503,
        "the server has no revocation list in force: it cannot tell of anybody whether a certificate counts",
        "no certificate is to blame, and none needs to be replaced: try again later; if it lasts, tell your IT service";
    ServiceUncertified = "service_uncertified", EXIT_RETRY, 503,
        "CUHK does not take this platform's own certificate, so that it can ask about nobody",
        "no member's certificate is to blame: tell your IT service that the platform must be certified again; then run the same command again";
    ConnectionFailed = "connection_failed", EXIT_RETRY, 503,
        "no connection could be made",
        "check the address and that the server is running, then try again";
    ConnectionLost = "connection_lost", EXIT_RETRY, 503,
        "the connection was lost",
        "run the same command again; nothing is stored twice";
    ShuttingDown = "shutting_down", EXIT_RETRY, 503,
        "the server is stopping",
        "wait a little, then try again";
    StorageFull = "storage_full", EXIT_RETRY, 507,
        "the server has no space left",
        "try again later; tell your IT service";
    StorageFaulty = "storage_faulty", EXIT_FAULT, 500,
        "the disk of Blackboard gave back other bytes than came",
        "no receipt was given: run the same `submit` again, for a proposal where it was proposed; whoever runs \
         Blackboard was told";
    ProfileBroken = "profile_broken", EXIT_FAULT, 500,
        "the certificate would have broken CUHK's own profile and was not issued",
        "tell your IT service: the log of `cuhk serve` says what was wrong with it";
    Internal = "internal", EXIT_FAULT, 500,
        "something is wrong on the server's side",
        "try again later; tell your IT service with the time and the step";
}

impl Code {
    /// Whether it is CUHK's answer to a code or to a request for a certificate: then none was
    /// issued. Everything else says nothing about that.
    pub fn refuses_enrolment(self) -> bool {
        matches!(
            self,
            Self::EnrolmentRefused
                | Self::CodeExpired
                | Self::CodeWithdrawn
                | Self::CodeUsed
                | Self::TooManyCodes
                | Self::TooManyDevices
                | Self::RequestInvalid
                | Self::KeyUnsupported
                | Self::KeyRefused
        )
    }

    /// Whether nobody at all can be verified at the moment: for whoever asks, the answer is the same.
    pub fn is_for_everybody(self) -> bool {
        matches!(
            self,
            Self::CuhkUnavailable | Self::StatusUnavailable | Self::ServiceUncertified
        )
    }

    /// Whether it says something of one student, and of what several sign not of which of them.
    pub fn is_of_somebody(self) -> bool {
        let of_person = [
            Self::StudentInactive,
            Self::NotCourseMember,
            Self::OtherGroup,
        ];
        self.is_about_certificate() || of_person.contains(&self)
    }

    /// Whether it says that a certificate is not, or no longer, taken.
    pub fn is_about_certificate(self) -> bool {
        self.as_str().starts_with("certificate_")
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn wire_name_is_the_registry_name() {
        for code in Code::ALL {
            let json = serde_json::to_string(code).unwrap();
            assert_eq!(json, format!("\"{code}\""));
        }
    }

    #[test]
    fn every_code_is_told_apart_by_its_sentence() {
        let sentences: std::collections::BTreeSet<_> =
            Code::ALL.iter().map(|code| code.sentence()).collect();
        assert_eq!(sentences.len(), Code::ALL.len());
    }

    #[test]
    fn refuses_an_unknown_code() {
        assert!(serde_json::from_str::<Code>("\"no_such_code\"").is_err());
    }
}
