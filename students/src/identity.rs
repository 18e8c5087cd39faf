//! One student's key, certificate and identity token, as they lie in the home.

mod renewal;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rustls_pki_types::UnixTime;
use scb_certs::{
    CertificateError, Chain, Error as CertsError, Fingerprint, Passphrase, SigningKey, StudentId,
    TrustStore, is_encrypted, read_private, write_private,
};
use scb_cli::{read_limited, write_atomic};
use scb_protocol::client::Member;
use scb_protocol::{Step, certificate_refusal, from_seconds, own_token_expiry};

use crate::engine::BELIEVED;
use crate::home::{StudentHome, ensure_dir, sync_dir};
use crate::{Error, Passphrases, Protection};
pub(crate) use renewal::rewrite_begun;

const KEY: &str = "key.pem";
const CHAIN: &str = "chain.pem";
const TOKEN: &str = "token.jwt";
/// Fingerprints of the certificates that were replaced, a line each, and so many at most.
const EARLIER: &str = "earlier";
const MOST: usize = 100;
/// Largest chain or token file, in bytes.
const LIMIT: u64 = 128 * 1024;
/// How often a passphrase is asked for on a terminal.
const ATTEMPTS: usize = 3;
/// A token is refreshed when it has less than this many seconds to live.
const TOKEN_MARGIN: u64 = 5 * 60;

/// Opens a student's key and certificate, with the token as it is kept here: it may have
/// expired.
///
/// # Errors
///
/// [`Error::NotEnrolled`], [`Error::WrongPassphrase`], [`Error::Certs`] (a key file that
/// others can read or that is damaged), `certificate_key_mismatch`: the servers would say the
/// same, and nobody need be asked.
pub fn open(
    home: &StudentHome,
    sid: &StudentId,
    passphrases: &mut Passphrases,
) -> Result<Member, Error> {
    let chain = chain(home, sid)?.ok_or_else(|| Error::NotEnrolled { sid: sid.clone() })?;
    let key = read_key(&home.student_dir(sid).join(KEY), sid, passphrases)?;
    if chain.leaf().public_key()? != *key.public_key() {
        let refusal = certificate_refusal(&CertificateError::KeyMismatch, Step::Three);
        return Err(refusal.about(sid).into());
    }
    Ok(Member {
        sid: sid.clone(),
        chain,
        key,
        token: token(home, sid)?.unwrap_or_default(),
    })
}

/// A student's certificate chain; none before enrolment.
///
/// # Errors
///
/// [`Error::Certs`] if it is damaged, [`Error::Cli`].
pub fn chain(home: &StudentHome, sid: &StudentId) -> Result<Option<Chain>, Error> {
    read_chain(&home.student_dir(sid).join(CHAIN))
}

/// A student's identity token; none before enrolment.
///
/// # Errors
///
/// [`Error::Cli`].
pub fn token(home: &StudentHome, sid: &StudentId) -> Result<Option<String>, Error> {
    let text = read_text(&home.student_dir(sid).join(TOKEN))?;
    Ok(text.map(|text| text.trim().to_owned()))
}

/// Keeps a refreshed token.
///
/// # Errors
///
/// [`Error::Cli`].
pub(crate) fn save_token(home: &StudentHome, sid: &StudentId, token: &str) -> Result<(), Error> {
    let path = home.student_dir(sid).join(TOKEN);
    match home.looks_only() {
        true => Ok(()),
        false => Ok(write_atomic(&path, token.as_bytes(), 0o600)?),
    }
}

/// Whether a token is missing, unreadable or about to expire.
pub(crate) fn needs_refresh(token: Option<&str>, now: UnixTime) -> bool {
    let expires = token.and_then(own_token_expiry);
    expires.is_none_or(|expires| expires.as_secs() <= now.as_secs() + TOKEN_MARGIN)
}

/// Whether a token that is here is still in force, if only for a moment.
pub(crate) fn is_unexpired(token: &str, now: UnixTime) -> bool {
    own_token_expiry(token).is_some_and(|expires| expires.as_secs() > now.as_secs())
}

/// Whether the student's key file is encrypted; none if there is no key.
///
/// # Errors
///
/// [`Error::Certs`].
pub fn has_passphrase(home: &StudentHome, sid: &StudentId) -> Result<Option<bool>, Error> {
    encrypted(&home.student_dir(sid).join(KEY))
}

/// The file may be moved at any moment by another program that is certified.
fn encrypted(path: &Path) -> Result<Option<bool>, Error> {
    match read_private(path) {
        Err(CertsError::KeyFile { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(None),
        read => Ok(Some(is_encrypted(&read?))),
    }
}

/// Opens a student's key, with or without a certificate.
///
/// # Errors
///
/// [`Error::NoKey`], [`Error::WrongPassphrase`], [`Error::Certs`].
pub(crate) fn open_key(
    home: &StudentHome,
    sid: &StudentId,
    passphrases: &mut Passphrases,
) -> Result<SigningKey, Error> {
    let path = home.student_dir(sid).join(KEY);
    if !path.exists() {
        return Err(Error::NoKey { sid: sid.clone() });
    }
    read_key(&path, sid, passphrases)
}

/// Writes the same key anew, with another passphrase or none, in one durable step. What is
/// written is read again first: nobody is locked out by a key that does not open.
///
/// # Errors
///
/// [`Error::Certs`], [`Error::Cli`].
pub(crate) fn rewrite_key(
    home: &StudentHome,
    sid: &StudentId,
    key: &SigningKey,
    passphrase: Option<&Passphrase>,
) -> Result<(), Error> {
    rewrite(&home.student_dir(sid).join(KEY), key, passphrase)
}

fn rewrite(path: &Path, key: &SigningKey, passphrase: Option<&Passphrase>) -> Result<(), Error> {
    let pem = key.to_pem(passphrase)?;
    let read = SigningKey::from_pem(&pem, passphrase)?;
    if read.public_key() != key.public_key() {
        return Err(CertsError::KeyMismatch.into());
    }
    Ok(write_atomic(path, pem.as_bytes(), 0o600)?)
}

/// What the certificate kept here is worth.
#[derive(Debug, PartialEq, Eq)]
pub enum Standing {
    /// There is none: a code is needed.
    Missing,
    /// It is good as far as can be known here.
    Good,
    /// It no longer works: a new one is needed, with a new code.
    Bad(CertificateError),
}

impl Standing {
    /// Whether only a new certificate helps. One that is not valid yet is a matter of clocks.
    pub(crate) fn needs_new(&self) -> bool {
        match self {
            Self::Good | Self::Bad(CertificateError::NotYetValid) => false,
            Self::Missing | Self::Bad(_) => true,
        }
    }
}

/// Judges the certificate kept here; without a trust store only whether there is one.
///
/// # Errors
///
/// [`Error::Certs`] if it is damaged, [`Error::Cli`].
pub fn standing(
    home: &StudentHome,
    sid: &StudentId,
    trust: Option<&TrustStore>,
    now: UnixTime,
) -> Result<Standing, Error> {
    let Some(chain) = chain(home, sid)? else {
        return Ok(Standing::Missing);
    };
    let Some(trust) = trust else {
        return Ok(Standing::Good);
    };
    // What CUHK has issued is in force, also where the clock here has not come so far.
    let judged = trust
        .verify_student(&chain, now)
        .or_else(|reason| match reason {
            CertificateError::NotYetValid => {
                let later = now.as_secs().saturating_add(BELIEVED);
                trust.verify_student(&chain, from_seconds(later))
            }
            reason => Err(reason),
        });
    Ok(match judged {
        Ok(_) => Standing::Good,
        Err(reason) => Standing::Bad(reason),
    })
}

/// A key that waits to be certified, saved before anything is sent, so that the same request
/// can be repeated after a lost answer.
#[derive(Debug)]
pub(crate) struct NextKey {
    /// The student.
    pub(crate) sid: StudentId,
    /// The private key.
    pub(crate) key: SigningKey,
    /// Made now, not found from an attempt before.
    pub(crate) fresh: bool,
    /// Where it waits.
    dir: PathBuf,
}

impl NextKey {
    /// Asks for the passphrase that [`NextKey::prepare`] will need, so that nobody is asked
    /// while the home is locked.
    ///
    /// # Errors
    ///
    /// [`Error::Certs`], [`Error::Cli`].
    pub(crate) fn ask(
        home: &StudentHome,
        sid: &StudentId,
        protection: Protection,
        passphrases: &mut Passphrases,
    ) -> Result<(), Error> {
        match encrypted(&home.next_dir(sid).join(KEY))? {
            Some(true) => drop(passphrases.existing(sid)?),
            Some(false) => {}
            None => drop(passphrases.for_new_key(sid, protection)?),
        }
        Ok(())
    }

    /// Finds or makes the key; a new one is encrypted if [`NextKey::ask`] came to a passphrase.
    ///
    /// # Errors
    ///
    /// [`Error::Certs`], [`Error::Cli`], [`Error::WrongPassphrase`].
    pub(crate) fn prepare(
        home: &StudentHome,
        sid: &StudentId,
        protection: Protection,
        passphrases: &mut Passphrases,
    ) -> Result<Self, Error> {
        let dir = home.next_dir(sid);
        let path = dir.join(KEY);
        let fresh = !path.exists();
        let key = if fresh {
            let passphrase = passphrases.for_new_key(sid, protection)?;
            let key = make_key(&path, passphrase.as_ref())?;
            passphrases.key_made(sid);
            key
        } else {
            read_key(&path, sid, passphrases)?
        };
        Ok(Self {
            sid: sid.clone(),
            key,
            fresh,
            dir,
        })
    }

    /// Puts the key, its verified chain and its token in the place of what was there, all
    /// three at once.
    ///
    /// # Errors
    ///
    /// [`Error::Cli`].
    pub(crate) fn install(
        &self,
        home: &StudentHome,
        chain: &Chain,
        token: &str,
    ) -> Result<(), Error> {
        let dir = &self.dir;
        write_atomic(&dir.join(TOKEN), token.as_bytes(), 0o600)?;
        write_atomic(&dir.join(CHAIN), chain.to_pem().as_bytes(), 0o644)?;
        activate(home, &self.sid, dir)
    }
}

/// Fingerprints of the certificates that this home had for a student before the present one, the
/// latest last.
///
/// # Errors
///
/// [`Error::Cli`].
pub fn earlier(home: &StudentHome, sid: &StudentId) -> Result<Vec<Fingerprint>, Error> {
    earlier_in(&home.student_dir(sid))
}

fn earlier_in(place: &Path) -> Result<Vec<Fingerprint>, Error> {
    let path = place.join(EARLIER);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let lines = read_limited(&path, LIMIT)?;
    let lines = String::from_utf8_lossy(&lines);
    Ok(lines.lines().filter_map(|line| line.parse().ok()).collect())
}

/// What is replaced is remembered beside what takes its place. What cannot be read is not known to
/// have been here.
fn keep_earlier(place: &Path, next: &Path) -> Result<(), Error> {
    let mut all = earlier_in(place)?;
    let pem = read_limited(&place.join(CHAIN), LIMIT).ok();
    let pem = pem.and_then(|pem| String::from_utf8(pem).ok());
    let chain = pem.and_then(|pem| Chain::from_pem(&pem).ok());
    all.extend(chain.map(|chain| chain.leaf().fingerprint()));
    let lines: String = all.iter().rev().take(MOST).rev().map(line).collect();
    match lines.is_empty() {
        true => Ok(()),
        false => Ok(write_atomic(&next.join(EARLIER), lines.as_bytes(), 0o644)?),
    }
}

fn line(fingerprint: &Fingerprint) -> String {
    format!("{fingerprint}\n")
}

/// Whether an installation has begun that is not finished: the certificate was saved and is not
/// at its place, or the key before is still there.
fn is_interrupted(home: &StudentHome, sid: &StudentId) -> bool {
    let saved = |dir: PathBuf| dir.join(CHAIN).exists();
    saved(home.renewal_dir(sid))
        || saved(home.next_dir(sid))
        || (home.old_dir(sid).exists() && saved(home.student_dir(sid)))
}

/// Locks the home and finishes an installation that was interrupted, if there is one.
///
/// # Errors
///
/// [`Error::Cli`].
pub fn settle(home: &StudentHome, sid: &StudentId) -> Result<(), Error> {
    if is_interrupted(home, sid) && !home.looks_only() {
        let _lock = home.lock()?;
        recover(home, sid)?;
    }
    Ok(())
}

/// [`settle`] for everybody whose next key waits here: half way, nothing but that key may be in its
/// place, and nobody would be found here.
///
/// # Errors
///
/// [`Error::Cli`].
pub(crate) fn settle_all(home: &StudentHome) -> Result<(), Error> {
    home.waiting()?.iter().try_for_each(|sid| settle(home, sid))
}

/// Finishes an installation that was interrupted after the certificate was saved, down to the
/// removal of the old key. The home must be locked: another program may be just about to finish
/// it.
///
/// # Errors
///
/// [`Error::Cli`].
pub fn recover(home: &StudentHome, sid: &StudentId) -> Result<(), Error> {
    for dir in [home.renewal_dir(sid), home.next_dir(sid)] {
        if dir.join(CHAIN).exists() {
            activate(home, sid, &dir)?;
        }
    }
    match home.student_dir(sid).join(CHAIN).exists() {
        true => remove_dir(&home.old_dir(sid)),
        false => Ok(()),
    }
}

/// The next directory takes the student's place; only then the old key goes. A crash in between
/// leaves the next one complete, and [`recover`] goes on from there. What was to be renewed before
/// is renewed no more.
fn activate(home: &StudentHome, sid: &StudentId, next: &Path) -> Result<(), Error> {
    let (place, old) = (home.student_dir(sid), home.old_dir(sid));
    if place.exists() {
        keep_earlier(&place, next)?;
        remove_dir(&old)?;
        fs::rename(&place, &old).map_err(Error::file("move", &place))?;
    }
    fs::rename(next, &place).map_err(Error::file("move", next))?;
    sync_dir(place.parent().unwrap_or(&place))?;
    remove_dir(&old)?;
    remove_dir(&home.renewal_dir(sid))
}

fn remove_dir(dir: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::file("remove", dir)(error)),
        _ => Ok(()),
    }
}

fn make_key(path: &Path, passphrase: Option<&Passphrase>) -> Result<SigningKey, Error> {
    let key = SigningKey::generate()?;
    ensure_dir(path.parent().unwrap_or(path))?;
    write_private(path, &key.to_pem(passphrase)?)?;
    Ok(key)
}

fn read_key(
    path: &Path,
    sid: &StudentId,
    passphrases: &mut Passphrases,
) -> Result<SigningKey, Error> {
    let pem = read_private(path).map_err(in_file(path))?;
    if !is_encrypted(&pem) {
        return SigningKey::from_pem(&pem, None).map_err(in_file(path));
    }
    let mut passphrase = passphrases.existing(sid)?;
    for attempt in 1.. {
        match SigningKey::from_pem(&pem, Some(&passphrase)) {
            Err(CertsError::WrongPassphrase) if attempt < ATTEMPTS => {
                let Some(another) = passphrases.another(sid)? else {
                    break;
                };
                passphrase = another;
            }
            Err(CertsError::WrongPassphrase) => break,
            other => return other.map_err(in_file(path)),
        }
    }
    passphrases.forget(sid);
    Err(Error::WrongPassphrase { sid: sid.clone() })
}

fn in_file(path: &Path) -> impl FnOnce(CertsError) -> Error {
    scb_cli::Error::in_file(path)
}

fn read_chain(path: &Path) -> Result<Option<Chain>, Error> {
    let text = read_text(path)?;
    let chain = text.map(|text| Chain::from_pem(&text)).transpose();
    chain.map_err(in_file(path))
}

fn read_text(path: &Path) -> Result<Option<String>, Error> {
    if !path.exists() {
        return Ok(None);
    }
    let bytes = read_limited(path, LIMIT)?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}
