//! After step 5: the members ask what concerns them, as often as they like, and hand in.

use std::sync::Arc;

use scb_certs::Fingerprint;

use super::proposal::accept_part;
use super::submission::accept_statement;
use super::{AcceptedStatement, PartlySigned, Policy, VerifiedMember};
use crate::assurance::Assurance;
use crate::log_leaf::LogName;
use crate::message::blackboard::Request;
use crate::message::proposal::Reason;
use crate::message::unexpected;
use crate::session::SessionKey;
use crate::statement::{Label, SubmissionId, SubmissionNumber};
use crate::values::{Der, Mac};
use crate::{Code, Refusal, Step};

/// How many questions are answered on one connection. A statement after them is still taken.
pub const MAX_QUESTIONS: u32 = 256;

/// Waits for a question or for `submit`.
#[derive(Debug)]
pub struct ExpectRequest {
    policy: Arc<Policy>,
    members: Vec<VerifiedMember>,
    assurance: Assurance,
    key: SessionKey,
    questions: u32,
}

/// What the members want, who were verified on this connection.
#[derive(Debug)]
pub enum Wanted {
    /// To hand in what they have signed. Nothing else is taken on this connection.
    HandIn(Box<AcceptedStatement>),
    /// To propose what others have to sign as well. Nothing else is taken on this connection.
    Propose(Box<PartlySigned>),
    /// To sign what was proposed. Nothing else is taken on this connection.
    Sign(Box<PartlySigned>),
    /// To have the receipt of a submission of theirs; then comes the next request.
    Fetch(SubmissionId, Box<ExpectRequest>),
    /// To put an end to a proposal; then comes the next request.
    End(Ending, Box<ExpectRequest>),
    /// To know something about themselves; then comes the next request.
    Know(Inquiry, Box<ExpectRequest>),
}

/// A proposal to which members put an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// The submission.
    pub submission: SubmissionId,
    /// What the others are told why.
    pub reason: Option<Reason>,
}

/// What members may ask. It is answered about them and nobody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inquiry {
    /// What can be handed in.
    Assignments {
        /// In this course only.
        course: Option<Label>,
        /// From the how-manyth on, counted from 0.
        from: u32,
    },
    /// The grades that they may see.
    Grades {
        /// In this course only.
        course: Option<Label>,
        /// From the how-manyth on, counted from 0.
        from: u32,
    },
    /// The proof that belongs into the receipt of a submission.
    Proof {
        /// The submission.
        submission: SubmissionId,
    },
    /// The proof of the entry that says that they were refused.
    RefusalProof {
        /// The log.
        log: LogName,
        /// The number of the entry.
        entry: u64,
    },
    /// What waits for their signatures, or did lately.
    Proposals {
        /// From the how-manyth on, counted from 0.
        from: u32,
    },
    /// Their own versions.
    History {
        /// Of this course only.
        course: Option<Label>,
        /// Of this assignment only.
        assignment: Option<Label>,
        /// Those after this one only.
        after: Option<SubmissionNumber>,
    },
    /// The receipt of a submission of theirs, or one of its files.
    Download {
        /// Its number.
        number: SubmissionNumber,
        /// Which file, from 0; none for the receipt.
        file: Option<u32>,
        /// How many of its first bytes are not to be sent.
        from: u64,
    },
}

impl ExpectRequest {
    pub(super) fn new(
        policy: Arc<Policy>,
        members: Vec<VerifiedMember>,
        assurance: Assurance,
        key: SessionKey,
    ) -> Self {
        Self {
            policy,
            members,
            assurance,
            key,
            questions: 0,
        }
    }

    /// The members who were verified on this connection, in order.
    pub fn members(&self) -> &[VerifiedMember] {
        &self.members
    }

    /// What tells this connection from every other: its T2.
    pub fn connection(&self) -> Fingerprint {
        Fingerprint::from_bytes(*self.key.transcript().as_bytes())
    }

    /// The confirmations that were exchanged: the client's and the server's.
    pub fn confirmations(&self) -> (Mac, Mac) {
        let key = &self.key;
        (key.client_confirmation(), key.server_confirmation())
    }

    /// Takes a question, or checks MAC, statement and every member's signature. The session key
    /// ends with a statement.
    ///
    /// # Errors
    ///
    /// `unexpected_message`, `too_many_questions`, `mac_invalid`, `statement_invalid`,
    /// `member_count`, `member_mismatch`, `content_too_large`, `signature_invalid` or `signature_missing`.
    pub fn handle(self, request: Request) -> Result<Wanted, Refusal> {
        match request {
            Request::Submit {
                statement,
                mac,
                signatures,
            } => self.whole(statement, mac, &signatures),
            Request::Propose {
                statement,
                mac,
                signatures,
            } => {
                let part = self.part(statement, &mac, &signatures)?;
                Ok(Wanted::Propose(Box::new(part)))
            }
            Request::Sign {
                statement,
                mac,
                signatures,
            } => {
                let part = self.part(statement, &mac, &signatures)?;
                Ok(Wanted::Sign(Box::new(part)))
            }
            Request::EndProposal { submission, reason } => {
                self.counted(|next| Wanted::End(Ending { submission, reason }, next))
            }
            Request::Proposals { from } => self.question(Inquiry::Proposals { from }),
            Request::Fetch { submission } => self.counted(|next| Wanted::Fetch(submission, next)),
            Request::Assignments { course, from } => {
                self.question(Inquiry::Assignments { course, from })
            }
            Request::Grades { course, from } => self.question(Inquiry::Grades { course, from }),
            Request::Proof { submission } => self.question(Inquiry::Proof { submission }),
            Request::RefusalProof { log, entry } => {
                self.question(Inquiry::RefusalProof { log, entry })
            }
            Request::History {
                course,
                assignment,
                after,
            } => self.question(Inquiry::History {
                course,
                assignment,
                after,
            }),
            Request::Download { number, file, from } => {
                self.question(Inquiry::Download { number, file, from })
            }
            request => Err(unexpected("submit", &request, Step::Six)),
        }
    }

    /// A statement that names those who are here, signed by all of them.
    fn whole(self, statement: String, mac: Mac, signatures: &Der) -> Result<Wanted, Refusal> {
        let bytes = self.under(&mac, statement)?;
        let signatures = signatures.as_bytes().to_vec();
        let members = (self.members, self.assurance);
        let accepted = accept_statement(self.policy, members, bytes, mac, signatures)?;
        Ok(Wanted::HandIn(Box::new(accepted)))
    }

    /// A statement that names others as well, signed by those who are here.
    fn part(self, statement: String, mac: &Mac, signatures: &Der) -> Result<PartlySigned, Refusal> {
        let bytes = self.under(mac, statement)?;
        let (members, connection) = ((self.members, self.assurance), self.key.transcript());
        let signatures = signatures.as_bytes().to_vec();
        accept_part(self.policy, members, connection, bytes, signatures)
    }

    /// The exact bytes of a statement that came with this MAC of the session.
    fn under(&self, mac: &Mac, statement: String) -> Result<Vec<u8>, Refusal> {
        let bytes = statement.into_bytes();
        match self.key.awaited_for_statement(&bytes).matches(mac) {
            true => Ok(bytes),
            false => Err(Refusal::new(Code::MacInvalid, Step::Six)),
        }
    }

    fn question(self, question: Inquiry) -> Result<Wanted, Refusal> {
        self.counted(|next| Wanted::Know(question, next))
    }

    fn counted(mut self, wanted: impl FnOnce(Box<Self>) -> Wanted) -> Result<Wanted, Refusal> {
        if self.questions >= MAX_QUESTIONS {
            let refusal = Refusal::new(Code::TooManyQuestions, Step::Six);
            return Err(refusal.with("limit", MAX_QUESTIONS));
        }
        self.questions += 1;
        Ok(wanted(Box::new(self)))
    }
}
