//! Which keys CUHK signs with, and how one takes the place of another.
//!
//! What is asked for here is written down; the server that runs, or the next one, does it: it
//! alone has the keys of the issuing authorities.

use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, RevocationReason, Serial};
use scb_protocol::TOKEN_LIFETIME;

use crate::Error;
use crate::ceremony::{Ending, room_at};
use crate::revocation::revoke_each;
use crate::store::{AuthorityState, CrlSigner, Records, TokenSigner};
use crate::time::later;

/// What a key is good for at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// It will sign as soon as everybody has seen its first revocation list.
    New,
    /// It signs.
    Active,
    /// It signs no more; what it signed still counts.
    Retiring,
    /// What it signed has run out.
    Retired,
    /// It was withdrawn: nothing that it signed counts.
    Withdrawn,
}

impl KeyState {
    /// The word in listings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Active => "active",
            Self::Retiring => "retiring",
            Self::Retired => "retired",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// Of a signer of tokens: the last token that it signed lives for 12 hours.
    pub fn of_signer(signer: &TokenSigner, now: UnixTime) -> Self {
        match signer.retired_at {
            _ if signer.record.revocation.is_some() => Self::Withdrawn,
            Some(at) if later(at, TOKEN_LIFETIME) < now => Self::Retired,
            _ if !signer.record.is_live(now) => Self::Retired,
            Some(_) => Self::Retiring,
            None => Self::Active,
        }
    }
}

impl From<AuthorityState> for KeyState {
    fn from(state: AuthorityState) -> Self {
        match state {
            AuthorityState::New => Self::New,
            AuthorityState::Active => Self::Active,
            AuthorityState::Retiring => Self::Retiring,
            AuthorityState::Retired => Self::Retired,
            AuthorityState::Withdrawn => Self::Withdrawn,
        }
    }
}

/// A key as somebody names it: an authority's name, the SHA-256 of the key's certificate, or the
/// certificate's serial number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamedKey {
    /// The name of an authority, such as `students-2`.
    Authority(CrlSigner),
    /// SHA-256 of the certificate.
    Fingerprint(Fingerprint),
    /// The certificate's serial number.
    Serial(Serial),
}

impl std::str::FromStr for NamedKey {
    type Err = scb_certs::Error;

    fn from_str(text: &str) -> Result<Self, scb_certs::Error> {
        if let Ok(authority) = text.parse() {
            return Ok(Self::Authority(authority));
        }
        match text.parse() {
            Ok(fingerprint) => Ok(Self::Fingerprint(fingerprint)),
            Err(_) => text.parse().map(Self::Serial),
        }
    }
}

impl std::fmt::Display for NamedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Authority(authority) => write!(f, "{authority}"),
            Self::Fingerprint(fingerprint) => write!(f, "{fingerprint}"),
            Self::Serial(serial) => write!(f, "{serial}"),
        }
    }
}

/// So many keys for tokens may count at once: all are published, and everybody fetches all of them.
pub(crate) const MOST_TOKEN_KEYS: usize = 24;

/// Until when the keys for tokens count that do so now; of the active one nobody can tell.
///
/// # Errors
///
/// [`Error::Storage`], [`Error::RecordInvalid`].
pub(crate) fn token_keys(records: &Records<'_>, now: UnixTime) -> Result<Vec<Ending>, Error> {
    let mut endings = Vec::new();
    for signer in records.signers().all()? {
        match KeyState::of_signer(&signer, now) {
            KeyState::Active => endings.push(None),
            KeyState::Retiring => endings.extend(signer.retired_at.map(|at| {
                let ended = signer.record.intent.validity.not_after;
                Some(later(at, TOKEN_LIFETIME).min(ended))
            })),
            _ => {}
        }
    }
    Ok(endings)
}

/// Has the server make a new key for tokens. The present one retires: it signs no more, and its
/// tokens count until they expire. Answers how many retired: none before the first start.
///
/// # Errors
///
/// [`Error::TooManyTokenKeys`] if as many count as may; then nothing is changed. [`Error::Storage`].
pub fn rotate_tokens(records: &Records<'_>, now: UnixTime) -> Result<usize, Error> {
    let counting = token_keys(records, now)?;
    if counting.len() >= MOST_TOKEN_KEYS {
        return Err(Error::TooManyTokenKeys {
            count: counting.len(),
            room_at: room_at(counting, MOST_TOKEN_KEYS),
        });
    }
    let retired = records.signers().retire(None, now)?;
    if retired > 0 {
        records.note(&"tokens", "the key retires", now)?;
        records.status().advance(now)?;
    }
    Ok(retired)
}

/// Withdraws a key for tokens: its certificate is revoked as compromised, so that nothing that it
/// signed counts any more. The server makes another if it was the active one.
///
/// # Errors
///
/// [`Error::KeyUnknown`] if it is no key for tokens, [`Error::KeyWithdrawn`] if it was withdrawn
/// before.
pub fn withdraw(records: &Records<'_>, key: &NamedKey, now: UnixTime) -> Result<(), Error> {
    let is_meant = |signer: &&TokenSigner| match key {
        NamedKey::Authority(_) => false,
        NamedKey::Serial(serial) => signer.record.intent.serial == *serial,
        NamedKey::Fingerprint(sha256) => {
            let certificate = signer.record.certificate.as_ref();
            certificate.is_some_and(|certificate| certificate.fingerprint() == *sha256)
        }
    };
    let signers = records.signers().all()?;
    let Some(signer) = signers.iter().find(is_meant) else {
        return Err(Error::KeyUnknown(key.clone()));
    };
    let serial = signer.record.intent.serial;
    match revoke_each(
        records,
        [serial],
        RevocationReason::KeyCompromise.into(),
        now,
    )? {
        0 => Err(Error::KeyWithdrawn(key.clone())),
        _ => records.note(&"tokens", &format!("withdrawn: certificate {serial}"), now),
    }
}

/// The signer that is active, once the server has made it.
///
/// # Errors
///
/// [`Error::Storage`].
pub fn active_signer(records: &Records<'_>, now: UnixTime) -> Result<Option<TokenSigner>, Error> {
    let signers = records.signers().all()?;
    let made = |signer: &TokenSigner| signer.record.certificate.is_some();
    Ok(signers
        .into_iter()
        .rev()
        .find(|signer| made(signer) && signer.is_active(now)))
}
