//! Step 6: the statement is committed, and the content goes out, or what the server lacks of it.

use std::marker::PhantomData;
use std::sync::Arc;

use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, TrustStore};

use super::receipt::{ExpectReceipt, ReceivingReceipt, Sent, misbehaved};
use crate::commitment::{Stated, VerifiedCommitment, check_stored, is_of_stored};
use crate::message::blackboard::{Received, Reply, Request};
use crate::message::{Reply as _, unexpected};
use crate::receipt::SignedEntry;
use crate::statement::Statement;
use crate::time::from_seconds;
use crate::{Refusal, Step};

/// Waits for `committed`, or for the receipt of a submission that is stored already.
#[derive(Debug)]
pub struct ExpectCommitted {
    sent: Sent,
    statement: Vec<u8>,
    signatures: Vec<u8>,
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
    pub(super) fn new(
        trust: Arc<TrustStore>,
        parsed: Statement,
        statement: &[u8],
        signatures: Vec<u8>,
    ) -> Self {
        Self {
            sent: Sent {
                trust,
                statement: parsed,
                committed_at: None,
            },
            statement: statement.to_vec(),
            signatures,
        }
    }

    /// # Errors
    ///
    /// The server's refusal, `unexpected_message`, `commitment_invalid` if what it signed is not the
    /// word that it recorded this very statement, or `server_misbehaved` if the server says that it
    /// has what there is not.
    pub fn handle(self, reply: Reply, now: UnixTime) -> Result<Answer, Refusal> {
        match reply.accepted()? {
            Reply::Committed {
                committed_at,
                upload_until,
                entry,
                have,
            } => {
                check(&have, &self.sent.statement)?;
                let at = from_seconds(committed_at);
                let word = self.judge(&entry, at, now)?;
                Ok(Answer::Committed(Committed {
                    word,
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

    /// What the server has signed of it.
    fn judge(&self, entry: &SignedEntry, at: UnixTime, now: UnixTime) -> Result<Word, Refusal> {
        let trust = &self.sent.trust;
        if is_of_stored(entry) {
            let is_this = check_stored(entry, at, &self.statement, trust)?;
            return Ok(Word::Stored { is_this });
        }
        let sent = Stated {
            statement: &self.statement,
            signatures: &self.signatures,
        };
        let (zip, commitment) = VerifiedCommitment::of(entry, at, sent, (trust, now))?;
        Ok(Word::Recorded(Box::new(SignedCommitment {
            zip,
            commitment,
        })))
    }
}

/// What the server has signed before the files come.
#[derive(Debug)]
enum Word {
    /// That it recorded this statement.
    Recorded(Box<SignedCommitment>),
    /// That it has accepted this work before: by this statement, or by another one.
    Stored { is_this: bool },
}

/// Evidence that a statement is recorded, with the file to keep.
#[derive(Debug)]
pub struct SignedCommitment {
    /// A ZIP file.
    pub zip: Vec<u8>,
    /// What it proves.
    pub commitment: VerifiedCommitment,
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
    word: Word,
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

    /// What the server has signed of it; nothing if the work is stored already, of which there is a
    /// receipt.
    pub fn signed(&self) -> Option<&SignedCommitment> {
        match &self.word {
            Word::Recorded(signed) => Some(signed),
            Word::Stored { .. } => None,
        }
    }

    /// Whether it is this very statement that is recorded, by what the server has signed.
    pub fn is_of_this(&self) -> bool {
        !matches!(self.word, Word::Stored { is_this: false })
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
