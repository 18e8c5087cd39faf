//! Step 5: the server confirms the session key; then the session is open.

use std::sync::Arc;

use rustls_pki_types::UnixTime;
use scb_certs::{SpiffeId, TrustStore, sign_detached};

use super::grades::ExpectGrades;
use super::proof::ReceivingProof;
use super::{ExpectCommitted, Member, named};
use crate::announcement::{SignedAnnouncement, check_listed};
use crate::assurance::Assurance;
use crate::log_leaf::LogName;
use crate::message::blackboard::{AlteredAssignment, ListedAssignment, Reply, Request};
use crate::message::{Reply as _, unexpected};
use crate::session::SessionKey;
use crate::statement::{Files, Label, Statement, SubmissionId};
use crate::transcript::Transcript2;
use crate::values::{Der, Mac};
use crate::{Code, Error, Refusal, Step, from_seconds};

/// Waits for `confirmed`.
#[derive(Debug)]
pub struct ExpectConfirmed {
    trust: Arc<TrustStore>,
    service: SpiffeId,
    assurance: Assurance,
    key: SessionKey,
}

impl ExpectConfirmed {
    pub(super) fn new(
        trust: Arc<TrustStore>,
        service: SpiffeId,
        assurance: Assurance,
        key: SessionKey,
    ) -> Self {
        Self {
            trust,
            service,
            assurance,
            key,
        }
    }

    /// What stands behind the members, verified.
    pub fn assurance(&self) -> &Assurance {
        &self.assurance
    }

    /// What the session key is bound to.
    pub fn transcript(&self) -> Transcript2 {
        self.key.transcript()
    }

    /// Checks that the server derived the same session key.
    ///
    /// # Errors
    ///
    /// The server's refusal, `unexpected_message` or `confirmation_failed`.
    pub fn handle(self, reply: Reply) -> Result<Session, Refusal> {
        let reply = reply.accepted()?;
        let Reply::Confirmed { mac } = reply else {
            return Err(unexpected("confirmed", &reply, Step::Five));
        };
        if !self.key.awaited_from_server().matches(&mac) {
            return Err(Refusal::new(Code::ConfirmationFailed, Step::Five));
        }
        Ok(Session {
            trust: self.trust,
            service: self.service,
            key: self.key,
        })
    }
}

/// An open session: the members are verified and the session key is confirmed.
#[derive(Debug)]
pub struct Session {
    pub(super) trust: Arc<TrustStore>,
    service: SpiffeId,
    pub(super) key: SessionKey,
}

impl Session {
    /// The service.
    pub fn service(&self) -> &SpiffeId {
        &self.service
    }

    /// The confirmations that were exchanged: the client's and the server's.
    pub fn confirmations(&self) -> (Mac, Mac) {
        let key = &self.key;
        (key.client_confirmation(), key.server_confirmation())
    }

    /// The MAC over these bytes, whether or not they are a statement: [`Session::submit`] sends none that a server
    /// would not understand.
    #[doc(hidden)]
    pub fn statement_mac(&self, statement: &[u8]) -> Mac {
        self.key.statement_mac(statement)
    }

    /// Asks what the members can hand in: in one course only, if one is named, and from the
    /// how-manyth on.
    pub fn ask_assignments(self, course: Option<Label>, from: u32) -> (ExpectAssignments, Request) {
        let next = ExpectAssignments {
            session: self,
            from,
        };
        (next, Request::Assignments { course, from })
    }

    /// Asks for the grades of these members: in one course only, if one is named, and from the
    /// how-manyth on.
    pub fn ask_grades(self, course: Option<Label>, from: u32) -> (ExpectGrades, Request) {
        (
            ExpectGrades::new(self, from),
            Request::Grades { course, from },
        )
    }

    /// What the service is judged by, and its name.
    pub(super) fn trust(&self) -> (&TrustStore, &SpiffeId) {
        (&self.trust, &self.service)
    }

    /// Asks for the proof that belongs into the receipt of a submission of these members.
    pub fn ask_proof(self, submission: SubmissionId) -> (ExpectProof, Request) {
        (ExpectProof { session: self }, Request::Proof { submission })
    }

    /// Asks for the proof of the entry that says that these members were refused.
    pub fn ask_refusal_proof(self, log: LogName, entry: u64) -> (ExpectProof, Request) {
        let next = ExpectProof { session: self };
        (next, Request::RefusalProof { log, entry })
    }

    /// Sends a statement, with its MAC and the members' signatures.
    ///
    /// # Errors
    ///
    /// `statement_invalid` if it is not one or not UTF-8.
    pub fn submit(
        self,
        statement: &[u8],
        signatures: Vec<u8>,
    ) -> Result<(ExpectCommitted, Request), Refusal> {
        let parsed = Statement::parse(statement)?;
        let text = String::from_utf8(statement.to_vec())
            .map_err(|_| Refusal::new(Code::StatementInvalid, Step::Six))?;
        let request = Request::Submit {
            mac: self.key.statement_mac(statement),
            statement: text,
            signatures: Der::new(signatures.clone()),
        };
        let next = ExpectCommitted::new(self.trust, parsed, statement, signatures);
        Ok((next, request))
    }
}

/// Waits for `proof`.
#[derive(Debug)]
pub struct ExpectProof {
    session: Session,
}

impl ExpectProof {
    /// # Errors
    ///
    /// The server's refusal, `unexpected_message` or `server_misbehaved` (too large).
    pub fn handle(self, reply: Reply) -> Result<ReceivingProof, Refusal> {
        ReceivingProof::new(self.session, reply.accepted()?)
    }
}

/// Waits for `assignments`.
#[derive(Debug)]
pub struct ExpectAssignments {
    session: Session,
    from: u32,
}

/// Some of the assignments, as Blackboard tells of them.
#[derive(Debug, Clone)]
pub struct Assignments {
    /// The time by Blackboard's clock.
    pub time: UnixTime,
    /// From the one that was asked for on, without those that are not what was signed.
    pub listed: Vec<ListedAssignment>,
    /// Of each of these why: `rules_unsigned`.
    pub unsigned: Vec<Refusal>,
    /// What Blackboard has signed of them: the rules of each in their order, and extensions after them.
    pub announced: Vec<SignedAnnouncement>,
    /// With the first: those of which nothing is told, as what is stored of them was altered.
    pub altered: Vec<AlteredAssignment>,
    /// From which one to ask on, counted from 0; `None` if these were the last.
    pub next: Option<u32>,
}

impl ExpectAssignments {
    /// The session goes on.
    ///
    /// # Errors
    ///
    /// The server's refusal, `unexpected_message`, or `server_misbehaved`: there are more, but none was told. One
    /// that is not what was signed keeps nobody from the others.
    pub fn handle(self, reply: Reply, now: UnixTime) -> Result<(Session, Assignments), Refusal> {
        let reply = reply.accepted()?;
        let Reply::Assignments {
            time,
            count,
            assignments,
            altered,
        } = reply
        else {
            return Err(unexpected("assignments", &reply, Step::Six));
        };
        let told = u32::try_from(assignments.len()).unwrap_or(u32::MAX);
        let reached = self.from.saturating_add(told);
        if told == 0 && reached < count {
            return Err(Refusal::new(Code::ServerMisbehaved, Step::Six)
                .with("expected", "an assignment")
                .with("got", "none"));
        }
        let (mut listed, mut unsigned, mut announced) = (Vec::new(), Vec::new(), Vec::new());
        for one in assignments {
            match check_listed(&one, self.session.trust(), now) {
                Ok(signed) => {
                    announced.extend(signed);
                    listed.push(one);
                }
                Err(why) => unsigned.push(why),
            }
        }
        let answer = Assignments {
            time: from_seconds(time),
            announced,
            listed,
            unsigned,
            altered,
            next: (reached < count).then_some(reached),
        };
        Ok((self.session, answer))
    }
}

/// What the members sign about these files, as the exact bytes to keep and send.
///
/// # Errors
///
/// [`Error::Encode`].
pub fn state(
    members: &[Member],
    service: &SpiffeId,
    assignment: (Label, Label),
    files: impl Into<Files>,
    submission: SubmissionId,
) -> Result<Vec<u8>, Error> {
    let named = named(members);
    Statement::new(service.clone(), assignment, named, files, submission).to_bytes()
}

/// Signs a statement with every member's key: detached CMS, DER.
///
/// # Errors
///
/// [`Error::Sign`].
pub fn sign(statement: &[u8], members: &[Member], now: UnixTime) -> Result<Vec<u8>, Error> {
    let signers: Vec<_> = members
        .iter()
        .map(|member| (&member.key, &member.chain))
        .collect();
    sign_detached(statement, &signers, now).map_err(|_| Error::Sign)
}
