//! The session key and the three keys derived from it. It dies with the connection.

use ring::hkdf::{HKDF_SHA256, KeyType, Salt};
use ring::hmac;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::share::Share;
use crate::error::Error;
use crate::message::blackboard::SealedShare;
use crate::transcript::{Transcript2, TranscriptHash};
use crate::values::Mac;

/// HKDF `info` of the key with which the client confirms.
const CLIENT_CONFIRMATION: &[u8] = b"scb/1 client confirmation";
/// HKDF `info` of the key with which the server confirms.
const SERVER_CONFIRMATION: &[u8] = b"scb/1 server confirmation";
/// HKDF `info` of the key under which the statement is authenticated.
const STATEMENT_MAC: &[u8] = b"scb/1 statement mac";

/// A MAC that the other side must send; compared in constant time. Does not print.
pub(crate) struct AwaitedMac([u8; 32]);

impl AwaitedMac {
    /// Whether `mac` is the one awaited.
    pub(crate) fn matches(&self, mac: &Mac) -> bool {
        self.0.ct_eq(mac.as_bytes()).into()
    }
}

impl std::fmt::Debug for AwaitedMac {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AwaitedMac(..)")
    }
}

/// The keys of one session, derived from all members' shares (RFC 5869). Do not print.
pub struct SessionKey {
    t2: Transcript2,
    t3: [u8; 32],
    client_confirmation: hmac::Key,
    server_confirmation: hmac::Key,
    statement: hmac::Key,
}

impl SessionKey {
    /// Derives the keys: salt T3 = SHA-256 over T2 and all sealed shares, input the shares
    /// in member order.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] never happens with 32-byte outputs.
    pub fn derive(
        t2: &Transcript2,
        sealed: &[SealedShare],
        shares: &[Share],
    ) -> Result<Self, Error> {
        let t3 = transcript3(t2, sealed);
        let mut input = Zeroizing::new(Vec::with_capacity(32 * shares.len()));
        for share in shares {
            input.extend_from_slice(share.0.as_ref());
        }
        let secret = Salt::new(HKDF_SHA256, &t3).extract(&input);
        let expand = |label: &[u8]| -> Result<hmac::Key, Error> {
            let mut key = Zeroizing::new([0; 32]);
            let info = [label];
            secret
                .expand(&info, KeyLength)
                .and_then(|output| output.fill(key.as_mut()))
                .map_err(|_| Error::Length { expected: 32 })?;
            Ok(hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()))
        };
        Ok(Self {
            t2: *t2,
            t3,
            client_confirmation: expand(CLIENT_CONFIRMATION)?,
            server_confirmation: expand(SERVER_CONFIRMATION)?,
            statement: expand(STATEMENT_MAC)?,
        })
    }

    /// What the key is bound to.
    pub fn transcript(&self) -> Transcript2 {
        self.t2
    }

    /// The client's confirmation: HMAC over T3.
    pub fn client_confirmation(&self) -> Mac {
        Mac::from_bytes(authenticate(&self.client_confirmation, &[&self.t3]))
    }

    /// The server's confirmation: HMAC over T3, under another key.
    pub fn server_confirmation(&self) -> Mac {
        Mac::from_bytes(authenticate(&self.server_confirmation, &[&self.t3]))
    }

    /// The statement's MAC: HMAC over T3 and the statement, each length-prefixed.
    pub fn statement_mac(&self, statement: &[u8]) -> Mac {
        Mac::from_bytes(authenticate(&self.statement, &[&self.t3, statement]))
    }

    /// The confirmation that the client must send.
    pub(crate) fn awaited_from_client(&self) -> AwaitedMac {
        AwaitedMac(*self.client_confirmation().as_bytes())
    }

    /// The confirmation that the server must send.
    pub(crate) fn awaited_from_server(&self) -> AwaitedMac {
        AwaitedMac(*self.server_confirmation().as_bytes())
    }

    /// The MAC that must come with `statement`.
    pub(crate) fn awaited_for_statement(&self, statement: &[u8]) -> AwaitedMac {
        AwaitedMac(*self.statement_mac(statement).as_bytes())
    }
}

impl std::fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionKey(..)")
    }
}

/// T3: T2 and what was sent in step 4.
fn transcript3(t2: &Transcript2, sealed: &[SealedShare]) -> [u8; 32] {
    let mut hash = TranscriptHash::new().part(t2.as_bytes());
    for share in sealed {
        hash = hash.part(share.encapsulation.as_bytes());
    }
    for share in sealed {
        hash = hash.part(share.ciphertext.as_bytes());
    }
    hash.finish()
}

fn authenticate(key: &hmac::Key, parts: &[&[u8]]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(key);
    for part in parts {
        context.update(&(part.len() as u32).to_be_bytes());
        context.update(part);
    }
    let mut mac = [0; 32];
    mac.copy_from_slice(context.sign().as_ref());
    mac
}

struct KeyLength;

impl KeyType for KeyLength {
    fn len(&self) -> usize {
        32
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::values::{Challenge, Ciphertext, Encapsulation};
    use crate::{Channel, Transcript1};

    fn t2() -> Transcript2 {
        let channel = Channel {
            exporter: [1; 32],
            service: "spiffe://campus.test/service/blackboard".parse().unwrap(),
            client_certificate: scb_certs::Fingerprint::of(b""),
        };
        let t1 = Transcript1::new(&channel, &Challenge::from_bytes([2; 32]), &[]);
        Transcript2::new(&t1, ["proof"], ["token"], Some("verification"))
    }

    fn sealed(byte: u8) -> SealedShare {
        SealedShare {
            encapsulation: Encapsulation::from_bytes([byte; 32]),
            ciphertext: Ciphertext::from_bytes([byte; 48]),
        }
    }

    fn shares(bytes: &[u8]) -> Vec<Share> {
        let share = |byte: &u8| Share(Zeroizing::new([*byte; 32]));
        bytes.iter().map(share).collect()
    }

    fn derive(sealed: &[SealedShare], bytes: &[u8]) -> SessionKey {
        SessionKey::derive(&t2(), sealed, &shares(bytes)).unwrap()
    }

    #[test]
    fn depends_on_every_share_their_order_and_all_that_was_sent() {
        let right = derive(&[sealed(8), sealed(9)], &[5, 6]);
        let others = [
            derive(&[sealed(8), sealed(9)], &[6, 5]),
            derive(&[sealed(8), sealed(9)], &[5]),
            derive(&[sealed(8), sealed(9)], &[5, 7]),
            derive(&[sealed(9), sealed(8)], &[5, 6]),
            derive(&[sealed(8)], &[5, 6]),
        ];
        for other in &others {
            let awaited = other.awaited_from_client();
            assert!(!awaited.matches(&right.client_confirmation()));
        }
        let awaited = right.awaited_from_client();
        assert!(awaited.matches(&right.client_confirmation()));
        assert!(!awaited.matches(&right.server_confirmation()));
    }

    #[test]
    fn debug_shows_nothing() {
        let key = derive(&[sealed(8)], &[5]);
        assert_eq!(format!("{key:?}"), "SessionKey(..)");
        assert_eq!(format!("{:?}", key.awaited_from_server()), "AwaitedMac(..)");
        assert_eq!(format!("{:?}", shares(&[5])), "[Share(..)]");
    }
}
