//! Transcripts: hashes over length-prefixed parts, so that no two inputs look the same.

use std::fmt;

use data_encoding::HEXLOWER;
use ring::digest;
use scb_certs::{Fingerprint, SpiffeId, StudentId};

use crate::assurance::Mode;
use crate::values::{Challenge, SessionPublicKey};

/// The protocol's name, also its ALPN identifier (RFC 7301).
pub const PROTOCOL: &str = "scb/1";

/// SHA-256 over parts, each preceded by its length in four bytes, big-endian.
pub(crate) struct TranscriptHash(digest::Context);

impl TranscriptHash {
    pub(crate) fn new() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }

    pub(crate) fn part(mut self, part: &[u8]) -> Self {
        self.0.update(&(part.len() as u32).to_be_bytes());
        self.0.update(part);
        self
    }

    pub(crate) fn finish(self) -> [u8; 32] {
        let mut hash = [0; 32];
        hash.copy_from_slice(self.0.finish().as_ref());
        hash
    }
}

/// What is fixed about a connection before anybody presents himself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// TLS exporter (RFC 9266): label `EXPORTER-Channel-Binding`, empty context, 32 bytes.
    pub exporter: [u8; 32],
    /// The service's name.
    pub service: SpiffeId,
    /// SHA-256 of the TLS client certificate; the exporter does not cover it.
    pub client_certificate: Fingerprint,
}

/// A member as T1 names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TranscriptMember {
    /// The student ID.
    pub sid: StudentId,
    /// SHA-256 of the member's certificate.
    pub certificate: Fingerprint,
    /// The member's X25519 key for this connection.
    pub session_key: SessionPublicKey,
}

/// T1: what each member's proof of possession signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transcript1([u8; 32]);

impl Transcript1 {
    /// Hashes the channel, the server's challenge and the members in order.
    pub fn new(channel: &Channel, challenge: &Challenge, members: &[TranscriptMember]) -> Self {
        let mut hash = TranscriptHash::new()
            .part(PROTOCOL.as_bytes())
            .part(&channel.exporter)
            .part(channel.service.to_string().as_bytes())
            .part(challenge.as_bytes())
            .part(channel.client_certificate.as_bytes());
        for member in members {
            hash = hash
                .part(member.sid.as_ref().as_bytes())
                .part(member.certificate.as_bytes())
                .part(member.session_key.as_bytes());
        }
        Self(hash.finish())
    }

    /// The hash.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// T2: everything that was shown in step 3, and CUHK's answer or that there was none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transcript2([u8; 32]);

impl Transcript2 {
    /// Hashes T1, the proofs in order, the tokens in order, the mode and CUHK's answer, which
    /// is empty in mode `tokens`.
    pub fn new<'a>(
        t1: &Transcript1,
        proofs: impl IntoIterator<Item = &'a str>,
        tokens: impl IntoIterator<Item = &'a str>,
        verification: Option<&str>,
    ) -> Self {
        let mut hash = TranscriptHash::new().part(t1.as_bytes());
        for part in proofs.into_iter().chain(tokens) {
            hash = hash.part(part.as_bytes());
        }
        let mode = match verification {
            Some(_) => Mode::Verified,
            None => Mode::Tokens,
        };
        let hash = hash
            .part(mode.as_str().as_bytes())
            .part(verification.unwrap_or_default().as_bytes());
        Self(hash.finish())
    }

    /// The hash.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Transcript1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Display for Transcript2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn member(sid: &str, certificate: &[u8], session_key: u8) -> TranscriptMember {
        TranscriptMember {
            sid: sid.parse().unwrap(),
            certificate: Fingerprint::of(certificate),
            session_key: SessionPublicKey::from_bytes([session_key; 32]),
        }
    }

    #[test]
    fn every_part_of_t1_counts() {
        let members = [member("1", b"a", 1), member("2", b"b", 2)];
        let of = |exporter, service: &str, client: &[u8], challenge, members: &[_]| {
            let channel = Channel {
                exporter: [exporter; 32],
                service: service.parse().unwrap(),
                client_certificate: Fingerprint::of(client),
            };
            *Transcript1::new(&channel, &Challenge::from_bytes([challenge; 32]), members).as_bytes()
        };
        let (service, other) = ("spiffe://a.test/service/b", "spiffe://a.test/service/c");
        let with = |members: &[_]| of(1, service, b"a", 1, members);
        let [first, second] = &members;
        let all = [
            with(&members),
            of(2, service, b"a", 1, &members),
            of(1, other, b"a", 1, &members),
            of(1, service, b"b", 1, &members),
            of(1, service, b"a", 2, &members),
            with(&[second.clone(), first.clone()]),
            with(&members[..1]),
            with(&[member("3", b"a", 1), second.clone()]),
            with(&[member("1", b"c", 1), second.clone()]),
            with(&[member("1", b"a", 3), second.clone()]),
        ];
        assert_eq!(HashSet::from(all).len(), all.len());
    }

    #[test]
    fn every_part_of_t2_counts() {
        let of = |t1, proofs: [&'static str; 2], tokens: [&'static str; 2], answer| {
            *Transcript2::new(&Transcript1([t1; 32]), proofs, tokens, answer).as_bytes()
        };
        let (proofs, tokens) = (["p", "q"], ["t", "u"]);
        let all = [
            of(1, proofs, tokens, Some("v")),
            of(2, proofs, tokens, Some("v")),
            of(1, ["q", "p"], tokens, Some("v")),
            of(1, ["pq", ""], tokens, Some("v")),
            of(1, proofs, ["u", "t"], Some("v")),
            of(1, proofs, ["tu", ""], Some("v")),
            of(1, proofs, tokens, Some("w")),
            of(1, proofs, tokens, Some("")),
            of(1, proofs, tokens, None),
        ];
        assert_eq!(HashSet::from(all).len(), all.len());
    }
}
