//! Step 6: the statement is committed, and the content goes out, or what the server lacks of it.

use std::marker::PhantomData;
use std::sync::Arc;

use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, TrustStore};

use super::receipt::{ExpectReceipt, ReceivingReceipt, Sent, misbehaved};
use crate::message::blackboard::{Received, Reply, Request};
use crate::message::{Reply as _, unexpected};
use crate::statement::Statement;
use crate::time::from_seconds;
use crate::{Refusal, Step};

/// Waits for `committed`, or for the receipt of a submission that is stored already.
#[derive(Debug)]
pub struct ExpectCommitted {
    sent: Sent,
}

/// What the server wants after the statement.
#[derive(Debug)]
pub enum Answer {
    /// It is recorded; the content may come.
    Committed(Committed),
    /// It is stored already; the receipt follows.
    AlreadyStored(ReceivingReceipt),
}

impl ExpectCommitted {
    pub(super) fn new(trust: Arc<TrustStore>, statement: Statement) -> Self {
        Self {
            sent: Sent {
                trust,
                statement,
                committed_at: None,
            },
        }
    }

    /// # Errors
    ///
    /// The server's refusal, `unexpected_message`, or `server_misbehaved` if the server says
    /// that it has what there is not.
    pub fn handle(self, reply: Reply) -> Result<Answer, Refusal> {
        match reply.accepted()? {
            Reply::Committed {
                committed_at,
                upload_until,
                have,
            } => {
                check(&have, &self.sent.statement)?;
                let at = from_seconds(committed_at);
                Ok(Answer::Committed(Committed {
                    sent: Sent {
                        committed_at: Some(at),
                        ..self.sent
                    },
                    at,
                    upload_until: from_seconds(upload_until),
                    have,
                }))
            }
            reply @ Reply::Receipt { .. } => {
                ReceivingReceipt::new(self.sent, reply).map(Answer::AlreadyStored)
            }
            reply => Err(unexpected("committed", &reply, Step::Six)),
        }
    }
}

pub(super) fn check(have: &[Received], statement: &Statement) -> Result<(), Refusal> {
    let fits = |(have, size): (&Received, u64)| have.received <= size;
    let sizes = statement.files.iter().map(|file| file.size);
    if have.len() == statement.files.len() && have.iter().zip(sizes).all(fits) {
        return Ok(());
    }
    Err(misbehaved("it has other files than those of the statement"))
}

/// The statement is recorded. What the server has of the files is to be compared with them.
#[derive(Debug)]
pub struct Committed {
    sent: Sent,
    at: UnixTime,
    upload_until: UnixTime,
    have: Vec<Received>,
}

impl Committed {
    /// The statement.
    pub fn statement(&self) -> &Statement {
        &self.sent.statement
    }

    /// When it was recorded: what counts for the deadline.
    pub fn at(&self) -> UnixTime {
        self.at
    }

    /// Until when the files may come.
    pub fn upload_until(&self) -> UnixTime {
        self.upload_until
    }

    /// What the server has of each file.
    pub fn have(&self) -> &[Received] {
        &self.have
    }

    /// `own` is SHA-256 of as many bytes of each file as the server has. Where it differs, the
    /// file is sent from its beginning.
    pub fn upload(self, own: &[Fingerprint]) -> (SendingContent, Request) {
        SendingContent::begin(self.sent, &self.have, own)
    }
}

/// The content goes out in chunk frames.
#[derive(Debug)]
pub struct SendingContent<Next = ExpectReceipt> {
    sent: Sent,
    from: Vec<u64>,
    next: PhantomData<Next>,
}

impl<Next: From<Sent>> SendingContent<Next> {
    /// From the end of what the server has of each file, where that is the same as here.
    pub(super) fn begin(sent: Sent, have: &[Received], own: &[Fingerprint]) -> (Self, Request) {
        let from = |(index, have): (usize, &Received)| match own.get(index) {
            Some(own) if *own == have.sha256 => have.received,
            _ => 0,
        };
        let from: Vec<u64> = have.iter().enumerate().map(from).collect();
        let request = Request::Upload { from: from.clone() };
        let next = PhantomData;
        (Self { sent, from, next }, request)
    }

    /// The statement about the content.
    pub fn statement(&self) -> &Statement {
        &self.sent.statement
    }

    /// From where each file is sent.
    pub fn from(&self) -> &[u64] {
        &self.from
    }

    /// All content has been sent.
    pub fn end(self) -> (Next, Request) {
        (self.sent.into(), Request::End {})
    }
}
