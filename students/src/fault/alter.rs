//! What a fault does to one message.

use bytes::{Bytes, BytesMut};
use rustls_pki_types::UnixTime;
use scb_protocol::client::{Member, sign};
use scb_protocol::message::blackboard::{Presented, Reply, Request};
use scb_protocol::statement::Statement;
use scb_protocol::values::{Challenge, Der, Mac};
use scb_protocol::{Frame, Step, encode};

use super::Fault;
use crate::Error;

/// How deep the lists of [`Fault::DeepJson`] lie in one another; they fit into one frame.
const DEPTH: usize = 30_000;
/// The length that [`Fault::HugeFrame`] announces, in bytes.
const HUGE: u32 = 1 << 31;

/// What an earlier connection left behind.
pub(crate) struct Earlier {
    /// Its challenge.
    pub(crate) challenge: Challenge,
    /// What the members presented there, or would have.
    pub(crate) presented: Vec<Presented>,
}

/// What goes out in the place of a message.
pub(crate) enum Outgoing {
    /// A message, the same or another.
    Message(Request),
    /// Bytes that are no message.
    Bytes(Vec<u8>),
    /// Nothing.
    Silence,
}

/// One fault at work on one connection.
pub(crate) struct Alteration {
    pub(crate) fault: Fault,
    pub(crate) members: Vec<Member>,
    /// For faults that [use it](Fault::uses_earlier).
    pub(crate) earlier: Option<Earlier>,
    /// For [`Fault::ExpiredToken`].
    pub(crate) expired_token: Option<String>,
    pub(crate) now: UnixTime,
}

impl Alteration {
    /// Alters what the student's program sends.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] if it cannot be encoded, [`Error::Protocol`] if it cannot be signed.
    pub(crate) fn outgoing(&self, mut request: Request) -> Result<Outgoing, Error> {
        match &mut request {
            Request::Present { members } => match self.fault {
                Fault::OutOfOrder => return Ok(Outgoing::Message(Request::End {})),
                Fault::UnknownField => return with_unknown_field(&request),
                Fault::HugeFrame => return Ok(Outgoing::Bytes(huge_frame())),
                Fault::DeepJson => return deep_json(),
                _ => self.presented(members),
            },
            Request::Confirm { mac } => match self.fault {
                Fault::Silent => return Ok(Outgoing::Silence),
                Fault::AlteredConfirmation => *mac = altered(mac),
                _ => {}
            },
            Request::Submit {
                statement,
                mac,
                signatures,
            } => match self.fault {
                Fault::AlteredMac => *mac = altered(mac),
                Fault::AlteredStatement => *statement = larger(statement)?,
                Fault::AlteredSignature => *signatures = last_bit_altered(signatures),
                Fault::TwoSignatures => *signatures = self.all_but_one(statement)?,
                _ => {}
            },
            Request::Assignments { .. }
            | Request::Grades { .. }
            | Request::Proof { .. }
            | Request::RefusalProof { .. }
            | Request::Proposals { .. }
            | Request::Fetch { .. }
            | Request::Propose { .. }
            | Request::Sign { .. }
            | Request::EndProposal { .. }
            | Request::Upload { .. }
            | Request::History { .. }
            | Request::Download { .. }
            | Request::End {} => {}
        }
        Ok(Outgoing::Message(request))
    }

    /// Alters what the student's program is given to read.
    pub(crate) fn incoming(&self, mut reply: Reply) -> Reply {
        match (&mut reply, self.fault, &self.earlier) {
            (Reply::Greeting { challenge, .. }, Fault::StaleChallenge, Some(earlier)) => {
                *challenge = earlier.challenge;
            }
            (Reply::Shares { shares, .. }, Fault::SwappedShares, _) if shares.len() > 1 => {
                shares.swap(0, 1);
            }
            _ => {}
        }
        reply
    }

    /// Alters a piece of the report; the first is enough.
    pub(crate) fn content(&self, piece: Bytes, first: bool) -> Bytes {
        let mut piece = BytesMut::from(&piece[..]);
        match self.fault {
            Fault::AlteredContent if first => piece.iter_mut().take(1).for_each(|b| *b ^= 1),
            Fault::ShortContent if first => piece.truncate(piece.len().saturating_sub(1)),
            Fault::LongContent if first => piece.extend_from_slice(b"!"),
            _ => {}
        }
        piece.freeze()
    }

    fn presented(&self, members: &mut Vec<Presented>) {
        match self.fault {
            Fault::ReplayedProof => {
                let earlier = self.earlier.iter().flat_map(|earlier| &earlier.presented);
                for (member, earlier) in members.iter_mut().zip(earlier) {
                    member.proof = earlier.proof.clone();
                }
            }
            Fault::ProofOfAnotherMember => {
                if let [first, second, ..] = &mut members[..] {
                    std::mem::swap(&mut first.proof, &mut second.proof);
                }
            }
            Fault::DuplicateMember => {
                if members.len() > 1 {
                    members.pop();
                }
                members.extend_from_within(..1);
            }
            Fault::ExpiredToken => {
                for (member, token) in members.iter_mut().zip(&self.expired_token) {
                    member.token = token.clone();
                }
            }
            _ => {}
        }
    }

    fn all_but_one(&self, statement: &str) -> Result<Der, Error> {
        let (_last, others) = self.members.split_last().ok_or(Error::NoIds)?;
        Ok(Der::new(sign(statement.as_bytes(), others, self.now)?))
    }
}

fn altered(mac: &Mac) -> Mac {
    let mut bytes = *mac.as_bytes();
    bytes[0] ^= 1;
    Mac::from_bytes(bytes)
}

/// The same statement about a report that is one byte larger.
fn larger(statement: &str) -> Result<String, Error> {
    let mut statement = Statement::parse(statement.as_bytes())?;
    let mut files = Vec::from(statement.files);
    files.iter_mut().take(1).for_each(|file| file.size += 1);
    statement.files = files.try_into().map_err(Error::ReportFiles)?;
    Ok(String::from_utf8_lossy(&statement.to_bytes()?).into_owned())
}

/// The last byte of the CMS belongs to the last signature.
fn last_bit_altered(signatures: &Der) -> Der {
    let mut bytes = signatures.as_bytes().to_vec();
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
    Der::new(bytes)
}

fn with_unknown_field(request: &Request) -> Result<Outgoing, Error> {
    let Frame::Message(json) = encode(request, Step::Three)? else {
        return Ok(Outgoing::Silence);
    };
    let mut altered = br#"{"admin":true,"#.to_vec();
    altered.extend_from_slice(json.get(1..).unwrap_or_default());
    message(altered)
}

fn huge_frame() -> Vec<u8> {
    let mut bytes = HUGE.to_be_bytes().to_vec();
    bytes.push(1);
    bytes
}

fn deep_json() -> Result<Outgoing, Error> {
    let (open, close) = ("[".repeat(DEPTH), "]".repeat(DEPTH));
    message(format!(r#"{{"type":"present","members":{open}{close}}}"#).into_bytes())
}

fn message(json: Vec<u8>) -> Result<Outgoing, Error> {
    let mut bytes = BytesMut::new();
    Frame::Message(json.into()).encode(&mut bytes, Step::Three)?;
    Ok(Outgoing::Bytes(bytes.to_vec()))
}
