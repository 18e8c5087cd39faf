//! `docs/vectors.json`, which another implementation computed, against ours.

use data_encoding::HEXLOWER;
use serde_json::Value;

use super::share::{SessionSecret, info, open_share};
use super::{SessionKey, Share};
use crate::message::blackboard::SealedShare;
use crate::transcript::{Channel, Transcript1, Transcript2, TranscriptMember};
use crate::values::{Challenge, Ciphertext, Encapsulation, SessionPublicKey};

struct Vectors(Value);

impl Vectors {
    fn read() -> Self {
        let text = include_str!("../../../../docs/vectors.json");
        Self(serde_json::from_str(text).unwrap())
    }

    fn text(&self, pointer: &str) -> &str {
        self.0.pointer(pointer).unwrap().as_str().unwrap()
    }

    fn bytes<const N: usize>(&self, pointer: &str) -> [u8; N] {
        let bytes = HEXLOWER.decode(self.text(pointer).as_bytes()).unwrap();
        bytes.try_into().unwrap()
    }

    fn member(&self, index: usize) -> TranscriptMember {
        let at = format!("/given/members/{index}");
        let certificate = self.bytes(&format!("{at}/certificate"));
        TranscriptMember {
            sid: self.text(&format!("{at}/sid")).parse().unwrap(),
            certificate: scb_certs::Fingerprint::from_bytes(certificate),
            session_key: SessionPublicKey::from_bytes(
                self.bytes(&format!("/derived/session_keys/{index}")),
            ),
        }
    }

    fn t1(&self) -> Transcript1 {
        let channel = Channel {
            exporter: self.bytes("/given/exporter"),
            service: self.text("/given/service").parse().unwrap(),
            client_certificate: scb_certs::Fingerprint::from_bytes(
                self.bytes("/given/client_certificate"),
            ),
        };
        let challenge = Challenge::from_bytes(self.bytes("/given/challenge"));
        let members: Vec<_> = (0..3).map(|index| self.member(index)).collect();
        Transcript1::new(&channel, &challenge, &members)
    }

    fn t2(&self) -> Transcript2 {
        self.t2_with(Some(self.text("/given/verification")))
    }

    fn t2_with(&self, verification: Option<&str>) -> Transcript2 {
        let of = |name: &str| -> Vec<&str> {
            (0..3)
                .map(|index| self.text(&format!("/given/members/{index}/{name}")))
                .collect()
        };
        Transcript2::new(&self.t1(), of("proof"), of("token"), verification)
    }

    fn sealed(&self, index: usize) -> SealedShare {
        SealedShare {
            encapsulation: Encapsulation::from_bytes(
                self.bytes(&format!("/derived/encapsulations/{index}")),
            ),
            ciphertext: Ciphertext::from_bytes(
                self.bytes(&format!("/derived/ciphertexts/{index}")),
            ),
        }
    }
}

#[test]
fn transcripts_are_as_documented() {
    let vectors = Vectors::read();
    assert_eq!(*vectors.t1().as_bytes(), vectors.bytes("/derived/t1"));
    assert_eq!(*vectors.t2().as_bytes(), vectors.bytes("/derived/t2"));
    let tokens = vectors.t2_with(None);
    assert_eq!(*tokens.as_bytes(), vectors.bytes("/derived/t2_tokens"));
}

#[test]
fn shares_sealed_by_another_implementation_open() {
    let vectors = Vectors::read();
    let t2 = vectors.t2();
    for index in 0..3 {
        let member = vectors.member(index);
        let place = index as u32;
        let documented = vectors.text(&format!("/derived/infos/{index}"));
        assert_eq!(HEXLOWER.encode(&info(&t2, &member.sid, place)), documented);
        let private = vectors.bytes(&format!("/given/members/{index}/session_private_key"));
        let secret = SessionSecret::from_private_key(&private);
        assert_eq!(secret.public_key(), member.session_key);
        let share = open_share(&vectors.sealed(index), &secret, &t2, &member.sid, place).unwrap();
        assert_eq!(
            *share.0,
            vectors.bytes(&format!("/given/members/{index}/share"))
        );
        assert!(open_share(&vectors.sealed(index), &secret, &t2, &member.sid, place + 1).is_err());
    }
}

#[test]
fn session_keys_are_as_documented() {
    let vectors = Vectors::read();
    let sealed: Vec<_> = (0..3).map(|index| vectors.sealed(index)).collect();
    let share = |index| vectors.bytes(&format!("/given/members/{index}/share"));
    let shares: Vec<_> = (0..3).map(|index| Share(share(index).into())).collect();
    let key = SessionKey::derive(&vectors.t2(), &sealed, &shares).unwrap();
    let statement = vectors.text("/given/statement").as_bytes();
    assert_eq!(
        key.client_confirmation().to_string(),
        vectors.text("/derived/confirm_mac")
    );
    assert_eq!(
        key.server_confirmation().to_string(),
        vectors.text("/derived/confirmed_mac")
    );
    assert_eq!(
        key.statement_mac(statement).to_string(),
        vectors.text("/derived/statement_mac")
    );
}
