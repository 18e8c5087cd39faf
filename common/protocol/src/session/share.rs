//! Shares of the session key, sealed to the members' session public keys.
//!
//! RFC 9180 base mode: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20Poly1305.

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{
    Deserializable, Kem, OpModeR, OpModeS, Serializable, single_shot_open, single_shot_seal,
};
use scb_certs::StudentId;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::message::blackboard::SealedShare;
use crate::transcript::Transcript2;
use crate::values::{Ciphertext, Encapsulation, SessionPublicKey, random};
use crate::{Code, Refusal, Step};

type X25519 = X25519HkdfSha256;

/// Label at the front of the HPKE `info`.
const LABEL: &[u8] = b"scb/1 share";

/// One member's share: 32 random bytes. Does not print.
pub struct Share(pub(super) Zeroizing<[u8; 32]>);

impl Share {
    /// A fresh share.
    ///
    /// # Errors
    ///
    /// [`Error::Random`].
    pub fn random() -> Result<Self, Error> {
        Ok(Self(Zeroizing::new(random()?)))
    }
}

impl std::fmt::Debug for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Share(..)")
    }
}

/// A member's X25519 private key for one connection. Does not print.
pub struct SessionSecret {
    private: <X25519 as Kem>::PrivateKey,
    public: SessionPublicKey,
}

impl SessionSecret {
    /// A fresh key pair.
    ///
    /// # Errors
    ///
    /// [`Error::Random`].
    pub fn generate() -> Result<Self, Error> {
        let seed = Zeroizing::new(random::<32>()?);
        let (private, _) = X25519::derive_keypair(seed.as_ref());
        Ok(Self::new(private))
    }

    fn new(private: <X25519 as Kem>::PrivateKey) -> Self {
        let public = X25519::sk_to_pk(&private).to_bytes();
        Self {
            private,
            public: SessionPublicKey::from_bytes(public.into()),
        }
    }

    #[cfg(test)]
    pub(super) fn from_private_key(bytes: &[u8; 32]) -> Self {
        Self::new(<X25519 as Kem>::PrivateKey::from_bytes(bytes).expect("32 bytes"))
    }

    /// The public half, which the member's proof of possession endorses.
    pub fn public_key(&self) -> SessionPublicKey {
        self.public
    }
}

impl std::fmt::Debug for SessionSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SessionSecret({}..)", self.public)
    }
}

/// Seals the share of the member `sid`, the `index`-th of the group, to its session key.
///
/// # Errors
///
/// `share_invalid` if the public key is of low order (RFC 7748, section 6.1).
pub fn seal_share(
    share: &Share,
    to: &SessionPublicKey,
    t2: &Transcript2,
    sid: &StudentId,
    index: u32,
) -> Result<SealedShare, Refusal> {
    let refuse = |_| Refusal::new(Code::ShareInvalid, Step::Four).about(sid);
    let to = <X25519 as Kem>::PublicKey::from_bytes(to.as_bytes()).map_err(refuse)?;
    let (encapsulation, ciphertext) = single_shot_seal::<ChaCha20Poly1305, HkdfSha256, X25519>(
        &OpModeS::Base,
        &to,
        &info(t2, sid, index),
        share.0.as_ref(),
        &[],
    )
    .map_err(refuse)?;
    let ciphertext: [u8; 48] = ciphertext
        .try_into()
        .map_err(|_| Refusal::new(Code::Internal, Step::Four))?;
    Ok(SealedShare {
        encapsulation: Encapsulation::from_bytes(encapsulation.to_bytes().into()),
        ciphertext: Ciphertext::from_bytes(ciphertext),
    })
}

/// Opens the share of the member `sid`, the `index`-th of the group.
///
/// # Errors
///
/// `share_invalid` if it was sealed to another key, member, place or transcript.
pub fn open_share(
    sealed: &SealedShare,
    secret: &SessionSecret,
    t2: &Transcript2,
    sid: &StudentId,
    index: u32,
) -> Result<Share, Refusal> {
    let refuse = || Refusal::new(Code::ShareInvalid, Step::Four).about(sid);
    let encapsulation = <X25519 as Kem>::EncappedKey::from_bytes(sealed.encapsulation.as_bytes())
        .map_err(|_| refuse())?;
    let share = single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519>(
        &OpModeR::Base,
        &secret.private,
        &encapsulation,
        &info(t2, sid, index),
        sealed.ciphertext.as_bytes(),
        &[],
    )
    .map_err(|_| refuse())?;
    let share = Zeroizing::new(share);
    let share: [u8; 32] = share.as_slice().try_into().map_err(|_| refuse())?;
    Ok(Share(Zeroizing::new(share)))
}

/// `info` of HPKE: label, T2, student ID and place, each length-prefixed.
pub(super) fn info(t2: &Transcript2, sid: &StudentId, index: u32) -> Vec<u8> {
    let mut info = Vec::with_capacity(128);
    let index = index.to_be_bytes();
    for part in [LABEL, t2.as_bytes(), sid.as_ref().as_bytes(), &index] {
        info.extend_from_slice(&(part.len() as u32).to_be_bytes());
        info.extend_from_slice(part);
    }
    info
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeSet;
    use std::convert::Infallible;

    use data_encoding::HEXLOWER;
    use hpke::rand_core::{TryCryptoRng, TryRng};
    use hpke::single_shot_seal_with_rng;

    use super::*;
    use crate::session::SessionKey;

    /// RFC 9180, appendix A.2.1 (base mode) and A.2.1.1 (sequence number 0).
    mod vector {
        pub(super) const INFO: &str = "4f6465206f6e2061204772656369616e2055726e";
        pub(super) const IKM_E: &str =
            "909a9b35d3dc4713a5e72a4da274b55d3d3821a37e5d099e74a647db583a904b";
        pub(super) const ENC: &str =
            "1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a";
        pub(super) const IKM_R: &str =
            "1ac01f181fdf9f352797655161c58b75c656a6cc2716dcb66372da835542e1df";
        pub(super) const PK_R: &str =
            "4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a";
        pub(super) const SK_R: &str =
            "8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb";
        pub(super) const PT: &str = "4265617574792069732074727574682c20747275746820626561757479";
        pub(super) const AAD: &str = "436f756e742d30";
        pub(super) const CT: &str = "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28";
    }

    /// Gives the same bytes whenever it is asked.
    struct Fixed(Vec<u8>);

    impl TryRng for Fixed {
        type Error = Infallible;

        fn try_next_u32(&mut self) -> Result<u32, Infallible> {
            unimplemented!("only whole buffers are filled")
        }

        fn try_next_u64(&mut self) -> Result<u64, Infallible> {
            unimplemented!("only whole buffers are filled")
        }

        fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), Infallible> {
            to.copy_from_slice(&self.0);
            Ok(())
        }
    }

    impl TryCryptoRng for Fixed {}

    fn bytes(hex: &str) -> Vec<u8> {
        HEXLOWER.decode(hex.as_bytes()).unwrap()
    }

    fn t2(byte: u8) -> Transcript2 {
        let challenge = crate::values::Challenge::from_bytes([byte; 32]);
        let channel = crate::Channel {
            exporter: [0; 32],
            service: "spiffe://campus.test/service/blackboard".parse().unwrap(),
            client_certificate: scb_certs::Fingerprint::of(b""),
        };
        let t1 = crate::Transcript1::new(&channel, &challenge, &[]);
        Transcript2::new(&t1, [], [], None)
    }

    fn sid(text: &str) -> StudentId {
        text.parse().unwrap()
    }

    #[test]
    fn derives_the_key_pair_of_rfc_9180() {
        let (private, public) = X25519::derive_keypair(&bytes(vector::IKM_R));
        assert_eq!(public.to_bytes().to_vec(), bytes(vector::PK_R));
        // The vector's private key is printed before clamping.
        let printed = <X25519 as Kem>::PrivateKey::from_bytes(&bytes(vector::SK_R)).unwrap();
        assert_eq!(private.to_bytes(), printed.to_bytes());
    }

    #[test]
    fn seals_as_rfc_9180_does() {
        let to = <X25519 as Kem>::PublicKey::from_bytes(&bytes(vector::PK_R)).unwrap();
        let (encapsulation, ciphertext) =
            single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519>(
                &OpModeS::Base,
                &to,
                &bytes(vector::INFO),
                &bytes(vector::PT),
                &bytes(vector::AAD),
                &mut Fixed(bytes(vector::IKM_E)),
            )
            .unwrap();
        assert_eq!(encapsulation.to_bytes().to_vec(), bytes(vector::ENC));
        assert_eq!(ciphertext, bytes(vector::CT));
    }

    #[test]
    fn opens_as_rfc_9180_does() {
        let open = |ciphertext: &[u8]| {
            single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519>(
                &OpModeR::Base,
                &<X25519 as Kem>::PrivateKey::from_bytes(&bytes(vector::SK_R)).unwrap(),
                &<X25519 as Kem>::EncappedKey::from_bytes(&bytes(vector::ENC)).unwrap(),
                &bytes(vector::INFO),
                ciphertext,
                &bytes(vector::AAD),
            )
        };
        let mut ciphertext = bytes(vector::CT);
        assert_eq!(open(&ciphertext).unwrap(), bytes(vector::PT));
        ciphertext[0] ^= 1;
        assert!(open(&ciphertext).is_err());
    }

    #[test]
    fn opens_only_for_its_member_place_and_transcript() {
        let (mine, other) = (
            SessionSecret::generate().unwrap(),
            SessionSecret::generate().unwrap(),
        );
        let share = Share::random().unwrap();
        let (me, transcript) = (sid("1155000001"), t2(1));
        let sealed = seal_share(&share, &mine.public_key(), &transcript, &me, 0).unwrap();
        let opened = open_share(&sealed, &mine, &transcript, &me, 0).unwrap();
        assert_eq!(opened.0, share.0);
        let refused = [
            open_share(&sealed, &other, &transcript, &me, 0),
            open_share(&sealed, &mine, &t2(2), &me, 0),
            open_share(&sealed, &mine, &transcript, &sid("1155000002"), 0),
            open_share(&sealed, &mine, &transcript, &me, 1),
        ];
        for verdict in refused {
            assert_eq!(verdict.unwrap_err().code, Code::ShareInvalid);
        }
    }

    #[test]
    fn opens_under_no_other_label_or_info() {
        let right = info(&t2(1), &sid("1155000001"), 0);
        let secret = SessionSecret::generate().unwrap();
        let share = Share::random().unwrap();
        let to = secret.public_key();
        let sealed = seal_share(&share, &to, &t2(1), &sid("1155000001"), 0).unwrap();
        let encapsulation =
            <X25519 as Kem>::EncappedKey::from_bytes(sealed.encapsulation.as_bytes()).unwrap();
        for index in 0..=right.len() {
            let mut info = right.clone();
            if let Some(byte) = info.get_mut(index) {
                *byte ^= 1;
            }
            let opened = single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519>(
                &OpModeR::Base,
                &secret.private,
                &encapsulation,
                &info,
                sealed.ciphertext.as_bytes(),
                &[],
            );
            assert_eq!(opened.is_ok(), index == right.len(), "byte {index}");
        }
    }

    /// Shares, encapsulations and confirmations of so many seals over one transcript, so that
    /// only the shares tell the session keys apart.
    fn seal_often(times: usize) -> Vec<[[u8; 32]; 3]> {
        let to = SessionSecret::generate().unwrap().public_key();
        let (transcript, me) = (t2(1), sid("1155000001"));
        let seal = |_| {
            let share = Share::random().unwrap();
            let bytes = *share.0;
            let sealed = seal_share(&share, &to, &transcript, &me, 0).unwrap();
            let key = SessionKey::derive(&transcript, &[], &[share]).unwrap();
            let confirmation = *key.client_confirmation().as_bytes();
            [bytes, *sealed.encapsulation.as_bytes(), confirmation]
        };
        (0..times).map(seal).collect()
    }

    #[test]
    fn no_share_encapsulation_or_session_key_comes_twice() {
        const THREADS: usize = 4;
        const TIMES: usize = 10_000;
        let seals: Vec<_> = std::thread::scope(|scope| {
            let spawn = |_| scope.spawn(|| seal_often(TIMES / THREADS));
            let threads: Vec<_> = (0..THREADS).map(spawn).collect();
            let join = |thread: std::thread::ScopedJoinHandle<'_, _>| thread.join().unwrap();
            threads.into_iter().flat_map(join).collect()
        });
        for part in 0..3 {
            let distinct: BTreeSet<_> = seals
                .iter()
                .map(|seal: &[[u8; 32]; 3]| seal[part])
                .collect();
            assert_eq!(distinct.len(), TIMES);
        }
    }
}
