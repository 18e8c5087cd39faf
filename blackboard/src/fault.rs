//! Faults on purpose: what a Blackboard that was taken over, or somebody in its place, would
//! do, shown in a sandbox.
//!
//! [`Faults`] stands where something leaves Blackboard: an honest one passes everything
//! unaltered, a fault alters one thing. Never outside a sandbox.

mod forge;

use std::sync::{Arc, Mutex, PoisonError};

use rustls_pki_types::UnixTime;
use scb_cli::{Sandbox, faults};
use scb_protocol::Mode;
use scb_protocol::message::blackboard::Reply;
use scb_protocol::values::{Ciphertext, Mac};

use crate::identity::Identity;

/// A frame header that announces a message of 2 GiB.
const HUGE: [u8; 5] = [0x80, 0, 0, 0, 1];

faults! {
    /// Something that the student's program must refuse.
    pub(crate) enum Fault;
    ExpiredCertificate = "expired-certificate", "student", ServerIdentity,
        "presents a TLS certificate of its own that ended an hour ago (the sandbox's CA key lies open, so that it could be made)",
        "the client judges the server's whole chain by its own clock, before it sends anything";
    WrongService = "wrong-service", "student", ServerIdentity,
        "presents a certificate of the service library, for the same address (made with the sandbox's CA key)",
        "the client wants exactly /service/blackboard; an address and a good certificate are not enough";
    Silent = "silent", "student", Timeout,
        "says nothing where `shares` is expected",
        "every wait has a total deadline (30 seconds here)";
    HugeFrame = "huge-frame", "student", FrameTooLarge,
        "announces a message of 2 GiB where `shares` is expected",
        "a length is judged before memory is reserved for it";
    ReplayedVerification = "replayed-verification", "student", ShareInvalid,
        "shows CUHK's answer of the first hand-in again at every later one (so hand in twice)",
        "the shares are bound to T2, which holds the answer that Blackboard really got; after two minutes the answer has expired besides";
    ClaimedOutage = "claimed-outage", "student", ShareInvalid,
        "says that CUHK was away, although it was asked and answered",
        "T2 holds the mode: nobody can take CUHK's word out on the way";
    SwappedShares = "swapped-shares", "student", ShareInvalid,
        "exchanges the first two members' sealed shares (takes two members)",
        "each share is sealed to one member's key, name and place: nobody else opens it";
    AlteredShare = "altered-share", "student", ShareInvalid,
        "alters one bit of the first member's sealed share",
        "HPKE authenticates what it seals";
    WrongConfirmation = "wrong-confirmation", "student", ConfirmationFailed,
        "alters one bit of its confirmation of the session key",
        "only who knows every share can compute it";
    NeverProceeds = "never-proceeds", "student", Timeout,
        "says nothing where `committed` is expected",
        "every wait has a total deadline (30 seconds here); the hand-in stays pending";
    BackDated = "back-dated", "student", CommitmentInvalid,
        "tells, with `committed`, that it was a day before",
        "the client takes no other time than that of the log's entry, which Blackboard has signed; nothing is sent";
    AlteredReceipt = "altered-receipt", "student", ReceiptInvalid,
        "alters one bit of the statement in the receipt, and announces the receipt like that",
        "the student's program verifies the receipt as an outsider would before it reports success";
    WrongGradeProof = "wrong-grade-proof", "student", ServerMisbehaved,
        "shows, for the log entry of a grade, the proof of another entry of the same log",
        "the student's program recomputes the path from this very entry to the root that CUHK cosigned";
}

/// The argument of `--fault`.
pub(crate) type FaultChoice = scb_cli::fault::FaultChoice<Fault>;

/// What leaves Blackboard, and how it is altered, if it is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults {
    fault: Option<Fault>,
    presented: Option<Arc<Identity>>,
    first: Arc<Mutex<Option<String>>>,
}

/// What goes out instead of a reply.
pub(crate) enum Outgoing {
    /// A message.
    Message(Box<Reply>),
    /// Bytes that are not a message.
    Bytes(&'static [u8]),
    /// Nothing, ever.
    Silence,
}

impl Faults {
    /// Commits this fault from now on, in this sandbox.
    pub(crate) fn of(
        fault: Fault,
        sandbox: &Sandbox,
        honest: &Identity,
        now: UnixTime,
    ) -> anyhow::Result<Self> {
        let presented = match fault {
            Fault::ExpiredCertificate => Some(forge::ended(sandbox, honest, now)?),
            Fault::WrongService => Some(forge::another_service(sandbox, honest, now)?),
            _ => None,
        };
        Ok(Self {
            fault: Some(fault),
            presented: presented.map(Arc::new),
            first: Arc::default(),
        })
    }

    /// What is presented in TLS.
    pub(crate) fn identity(&self, honest: Arc<Identity>) -> Arc<Identity> {
        self.presented.clone().unwrap_or(honest)
    }

    /// A reply on its way out.
    pub(crate) fn outgoing(&self, mut reply: Reply) -> Outgoing {
        match (self.fault, &mut reply) {
            (Some(Fault::Silent), Reply::Shares { .. })
            | (Some(Fault::NeverProceeds), Reply::Committed { .. }) => return Outgoing::Silence,
            (Some(Fault::HugeFrame), Reply::Shares { .. }) => return Outgoing::Bytes(&HUGE),
            (
                Some(Fault::ReplayedVerification),
                Reply::Shares {
                    verification: Some(verification),
                    ..
                },
            ) => *verification = self.first(verification),
            (
                Some(Fault::ClaimedOutage),
                Reply::Shares {
                    mode, verification, ..
                },
            ) => (*mode, *verification) = (Mode::Tokens, None),
            (Some(Fault::SwappedShares), Reply::Shares { shares, .. }) if shares.len() > 1 => {
                shares.swap(0, 1);
            }
            (Some(Fault::AlteredShare), Reply::Shares { shares, .. }) => {
                for share in shares.iter_mut().take(1) {
                    let mut bytes = *share.ciphertext.as_bytes();
                    bytes[0] ^= 1;
                    share.ciphertext = Ciphertext::from_bytes(bytes);
                }
            }
            (Some(Fault::WrongConfirmation), Reply::Confirmed { mac }) => {
                let mut bytes = *mac.as_bytes();
                bytes[0] ^= 1;
                *mac = Mac::from_bytes(bytes);
            }
            (Some(Fault::BackDated), Reply::Committed { committed_at, .. }) => {
                *committed_at = committed_at.saturating_sub(24 * 60 * 60);
            }
            (Some(Fault::WrongGradeProof), Reply::Grades { grades, .. }) => {
                for grade in grades {
                    std::mem::swap(&mut grade.proof, &mut grade.released.proof);
                }
            }
            _ => {}
        }
        Outgoing::Message(Box::new(reply))
    }

    /// A receipt on its way out, before it is announced.
    pub(crate) fn receipt(&self, mut receipt: Vec<u8>, statement: &[u8]) -> Vec<u8> {
        if self.fault == Some(Fault::AlteredReceipt) {
            let place = receipt
                .windows(statement.len().max(1))
                .position(|window| window == statement);
            if let Some(byte) = place.and_then(|place| receipt.get_mut(place + statement.len() / 2))
            {
                *byte ^= 1;
            }
        }
        receipt
    }

    /// The first verification that was ever shown.
    fn first(&self, verification: &str) -> String {
        // What a panic may have left behind is still a verification.
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert_with(|| verification.to_owned()).clone()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_protocol::receipt::SignedLeaf;

    use super::*;

    #[test]
    fn an_honest_one_alters_nothing() {
        let honest = Faults::default();
        let mac = Mac::from_bytes([7; 32]);
        let committed = Reply::Committed {
            committed_at: 1,
            upload_until: 2,
            entry: SignedLeaf {
                leaf: b"{}".to_vec(),
                signature: b"signature".to_vec(),
            }
            .try_into()
            .unwrap(),
            have: Vec::new(),
        };
        for reply in [committed, Reply::Confirmed { mac }] {
            let Outgoing::Message(out) = honest.outgoing(reply.clone()) else {
                panic!("not a message");
            };
            assert_eq!(*out, reply);
        }
        assert_eq!(honest.receipt(b"abc".to_vec(), b"b"), b"abc");
    }
}
