//! Revocation lists as they come after `crls`: their sizes first, then their bytes in chunks.

use std::ops::RangeInclusive;

use scb_certs::{Crl, MAX_CRL_SIZE};

use crate::message::Message as _;
use crate::message::cuhk::Reply;
use crate::{Code, Refusal, Step};

/// Lists that CUHK hands out in the course of things: of roots and of issuing authorities, those that
/// retire among them. Only in the place of a stolen key another authority is put to use beyond that.
pub const MOST_LISTS: usize = 24;

/// Lists that are taken.
pub const MOST_LISTS_TAKEN: usize = 64;

pub(crate) const LISTS: RangeInclusive<usize> = 3..=MOST_LISTS_TAKEN;

/// Waits for the bytes of lists that were announced. Nothing is taken that was not.
#[derive(Debug)]
pub struct ExpectLists {
    epoch: u64,
    sizes: Vec<u64>,
    received: Vec<u8>,
    step: Step,
}

impl ExpectLists {
    /// Takes the answer to `crls`.
    ///
    /// # Errors
    ///
    /// `server_misbehaved` if it is another one, or announces too few lists, too many, or one that
    /// is too large.
    pub fn new(reply: Reply, step: Step) -> Result<Self, Refusal> {
        let misbehaved = Refusal::new(Code::ServerMisbehaved, step);
        let (epoch, sizes) = match reply {
            Reply::Crls { epoch, sizes } => (epoch, sizes),
            other => {
                return Err(misbehaved
                    .with("expected", "crls")
                    .with("got", other.name()));
            }
        };
        let too_large = sizes.iter().any(|size| *size > MAX_CRL_SIZE as u64);
        if !LISTS.contains(&sizes.len()) || too_large {
            return Err(misbehaved.with("lists", sizes.len()));
        }
        Ok(Self {
            epoch,
            sizes,
            received: Vec::new(),
            step,
        })
    }

    /// The epoch that the lists cover: CUHK's number of the last change of any status.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Whether more bytes are to come.
    pub fn is_waiting(&self) -> bool {
        (self.received.len() as u64) < self.total()
    }

    /// Takes a chunk.
    ///
    /// # Errors
    ///
    /// `server_misbehaved` for more bytes than were announced.
    pub fn chunk(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        self.received.extend_from_slice(bytes);
        match self.received.len() as u64 > self.total() {
            true => {
                Err(Refusal::new(Code::ServerMisbehaved, self.step)
                    .with("bytes", self.received.len()))
            }
            false => Ok(()),
        }
    }

    /// The lists, decoded and not yet judged.
    ///
    /// # Errors
    ///
    /// `server_misbehaved` if one is none, or bytes are missing.
    pub fn lists(self) -> Result<Vec<Crl>, Refusal> {
        let misbehaved = || Refusal::new(Code::ServerMisbehaved, self.step);
        let mut rest = self.received.as_slice();
        let mut lists = Vec::with_capacity(self.sizes.len());
        for size in &self.sizes {
            let size = usize::try_from(*size).map_err(|_| misbehaved())?;
            let (list, after) = rest.split_at_checked(size).ok_or_else(misbehaved)?;
            rest = after;
            let list = Crl::from_der(list);
            lists.push(list.map_err(|error| misbehaved().with("reason", error))?);
        }
        Ok(lists)
    }

    fn total(&self) -> u64 {
        self.sizes.iter().sum()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn announced(sizes: &[u64]) -> Result<ExpectLists, Refusal> {
        let sizes = sizes.to_vec();
        ExpectLists::new(Reply::Crls { epoch: 1, sizes }, Step::Zero)
    }

    #[test]
    fn refuses_what_is_too_few_too_many_or_too_large() {
        announced(&[1, 2, MAX_CRL_SIZE as u64]).unwrap();
        announced(&[1; MOST_LISTS_TAKEN]).unwrap();
        for sizes in [
            &[1, 2][..],
            &[1; MOST_LISTS_TAKEN + 1],
            &[1, 2, MAX_CRL_SIZE as u64 + 1],
        ] {
            let refused = announced(sizes).unwrap_err();
            assert_eq!(refused.code, Code::ServerMisbehaved, "{sizes:?}");
        }
        let other = ExpectLists::new(Reply::Cosigned {}, Step::Zero).unwrap_err();
        assert_eq!(other.params["got"], "cosigned");
    }

    #[test]
    fn refuses_more_bytes_than_announced_fewer_and_what_is_no_list() {
        let mut expect = announced(&[2, 2, 2]).unwrap();
        expect.chunk(&[0; 5]).unwrap();
        assert!(expect.is_waiting());
        assert_eq!(
            expect.chunk(&[0; 2]).unwrap_err().code,
            Code::ServerMisbehaved
        );
        for bytes in [5, 6] {
            let mut expect = announced(&[2, 2, 2]).unwrap();
            expect.chunk(&vec![0; bytes]).unwrap();
            assert_eq!(expect.lists().unwrap_err().code, Code::ServerMisbehaved);
        }
    }
}
