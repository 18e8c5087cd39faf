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
