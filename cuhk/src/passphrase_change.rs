//! Another passphrase for the keys of the issuing authorities and of the log, or for those of roots.
//!
//! `serve` opens several files with one passphrase: no crash may leave some under the old one and some
//! under the new. All keys are written under the new one into a single file first. Once that has its name
//! the change has happened, and whoever comes next copies the keys from there to their places.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use scb_certs::{Fingerprint, Passphrase, SigningKey, is_encrypted};
use scb_cli::{Home, Role, read_limited, write_atomic};
use scb_storage::HomeLock;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::config::path;
use crate::draft;
use crate::issuers::open_key;
use crate::note_keys::unlock_log;
use crate::store::{AuthorityKind, CrlSigner};
use crate::turn::{Turn, Work};

/// Holds the keys under the new passphrase until all are at their places.
const PENDING: &str = "passphrase-change.json";
const KIND: &str = "scb-passphrase-change";
/// Largest such file, in bytes: more keys than a home ever has.
const LIMIT: u64 = 4 * 1024 * 1024;
const MAX_KEY: u64 = 64 * 1024;
/// How long `serve` waits for whoever changes the passphrase at this moment.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Keys, encrypted with the new passphrase, by their names in the home.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    #[serde(rename = "type")]
    kind: String,
    v: u8,
    keys: BTreeMap<String, String>,
}

impl Change {
    /// Opens all keys of the issuing authorities, also of one that was only requested, and that of the log,
    /// and encrypts them anew. Nothing is written. None if all have the new passphrase already.
    ///
    /// # Errors
    ///
    /// [`Error::WrongPassphrase`] if one is opened by another passphrase, [`Error::PassphrasesSame`] if a
    /// root's key here has the new one; [`Error::Certificates`], [`Error::Local`].
    pub(crate) fn prepare(
        home: &Home,
        old: &Passphrase,
        new: &Passphrase,
    ) -> Result<Option<Self>, Error> {
        let mut keys = BTreeMap::new();
        for signer in with_keys(home)?.into_iter().filter(is_issuing) {
            let name = key_name(signer);
            let key = match open_key(&home.path(&name), old) {
                Err(Error::WrongPassphrase { .. }) if is_done(home, new) => return Ok(None),
                opened => opened?,
            };
            keys.insert(name, key.to_pem(Some(new))?.to_string());
        }
        let log = unlock_log(home, old)?;
        keys.insert(path::LOG_KEY.to_owned(), log.to_pem(Some(new))?.to_string());
        if with_keys(home)?.into_iter().any(|signer| {
            !is_issuing(&signer) && open_key(&home.path(&key_name(signer)), new).is_ok()
        }) {
            return Err(Error::PassphrasesSame);
        }
        Ok(Some(Self {
            kind: KIND.to_owned(),
            v: 1,
            keys,
        }))
    }

    /// Whose keys they are.
    pub(crate) fn names(&self) -> String {
        let short = |name: &String| {
            let name = name
                .trim_start_matches("issuers/")
                .trim_start_matches("keys/");
            let name = name.trim_end_matches(".pem").trim_end_matches("/key");
            name.to_owned()
        };
        self.keys.keys().map(short).collect::<Vec<_>>().join(", ")
    }

    /// Makes the change: from the first write on the new passphrase counts, whatever happens.
    ///
    /// # Errors
    ///
    /// [`Error::Local`] if nothing was changed, [`Error::PassphraseChangeUnfinished`] if it was.
    pub(crate) fn commit(&self, home: &Home) -> Result<(), Error> {
        // Names and texts: it can always be written.
        let json = serde_json::to_vec_pretty(self).unwrap_or_default();
        match write_atomic(&home.path(PENDING), &json, 0o600) {
            // It has its name, and nobody knows whether a power cut takes that away.
            Err(source) if is_pending(home.dir()) => Err(unfinished(source.into())),
            written => written.map_err(Error::from),
        }?;
        self.place(home.dir())
    }

    /// Copies the keys to their places, and ends the change.
    fn place(&self, home: &Path) -> Result<(), Error> {
        for (name, pem) in &self.keys {
            let placed = write_atomic(&home.join(name), pem.as_bytes(), 0o600);
            placed.map_err(|source| unfinished(source.into()))?;
        }
        let file = home.join(PENDING);
        let removed = match fs::remove_file(&file) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(draft::file("remove", &file)(error))
            }
            _ => draft::sync_parent(&file),
        };
        removed.map_err(unfinished)
    }

    /// Names are taken from nobody else: a file here stays within the home.
    fn read(file: &Path) -> Result<Self, Error> {
        let damaged = || Error::PassphraseChangeDamaged {
            path: file.to_owned(),
            opened: None,
        };
        let bytes = read_limited(file, LIMIT)?;
        let change: Self = serde_json::from_slice(&bytes).map_err(|_| damaged())?;
        let is_known = |(name, pem): (&String, &String)| {
            let named = name.strip_prefix("issuers/");
            let named = named.and_then(|name| name.strip_suffix("/key.pem"));
            let signer = named.and_then(|name| name.parse().ok());
            (name == path::LOG_KEY || signer.is_some_and(|signer| is_issuing(&signer)))
                && is_encrypted(pem)
        };
        match change.kind == KIND && change.v == 1 && change.keys.iter().all(is_known) {
            true => Ok(change),
            false => Err(damaged()),
        }
    }
}

/// Copies the keys of a change that has happened to their places; answers whether there was one. To be
/// called by who has the turn for ceremonies: twice is as good as once.
///
/// # Errors
///
/// [`Error::PassphraseChangeUnfinished`]; [`Error::Local`] if the file cannot be read,
/// [`Error::PassphraseChangeDamaged`] if it is none of ours.
pub(crate) fn finish(home: &Path) -> Result<bool, Error> {
    let file = home.join(PENDING);
    if !file.exists() {
        return Ok(false);
    }
    Change::read(&file)?.place(home)?;
    Ok(true)
}

fn unfinished(source: Error) -> Error {
    Error::PassphraseChangeUnfinished {
        source: Box::new(source),
    }
}

/// What is wrong with the file of a change that has happened, if it is damaged.
pub(crate) fn damage(home: &Home, passphrase: Option<&Passphrase>) -> Option<Error> {
    match Change::read(&home.path(PENDING)) {
        Err(error @ Error::PassphraseChangeDamaged { .. }) => Some(match passphrase {
            Some(passphrase) => tried(error, home, &[passphrase]),
            None => error,
        }),
        _ => None,
    }
}

/// Of a damaged file it is said whether it is needed at all: not if one of these opens every key as it is.
pub(crate) fn tried(error: Error, home: &Home, passphrases: &[&Passphrase]) -> Error {
    match error {
        Error::PassphraseChangeDamaged { path, .. } => Error::PassphraseChangeDamaged {
            path,
            opened: Some(passphrases.iter().any(|one| is_done(home, one))),
        },
        other => other,
    }
}

/// What to do about a damaged file of a change; `opened` is whether a passphrase that was given opens all keys.
pub(crate) fn remedy(file: &Path, opened: Option<bool>) -> String {
    let file = file.display();
    match opened {
        Some(true) => format!(
            "the passphrase that was given opens every key as it is, so that nothing in this file is needed. Remove \
             it: rm {file}; then do the same again"
        ),
        Some(false) => format!(
            "the passphrase that was given does not open every key: try the other one, of before or after the \
             change (cuhk doctor --passphrase-file FILE). If neither does, some keys have the one and some the \
             other: restore the newest backup elsewhere (cuhk restore FILE --home NEW), copy NEW/issuers and \
             NEW/keys/log.pem over those here, remove {file}, and go on with the passphrase of that backup. A key in issuers \
             that the backup has not stays under the other passphrase: openssl pkcs8 -in KEY -topk8 -scrypt -out NEW writes it anew"
        ),
        None => format!(
            "look whether it is needed: cuhk doctor --passphrase-file FILE, with the present passphrase and, if that \
             does not open every key, with the one of before. Once one does: rm {file}. It says what to do if \
             neither does"
        ),
    }
}

/// [`finish`], for who has no turn: waits for whoever is at it.
///
/// # Errors
///
/// [`Error::CeremonyRunning`] after ten seconds; as for [`finish`].
pub(crate) fn finish_begun(home: &Path) -> Result<(), Error> {
    if is_pending(home) {
        // What root would write here the server could not read.
        scb_cli::require_own(home, Role::Cuhk, path::DATABASE)?;
    }
    let deadline = Instant::now() + PATIENCE;
    while is_pending(home) {
        match Turn::take_in(home, Work::Ceremony) {
            Err(Error::CeremonyRunning { .. }) if Instant::now() < deadline => sleep(LOOK_AGAIN),
            // It has finished what there was.
            turn => drop(turn?),
        }
    }
    Ok(())
}

/// Whether a change has happened that is not at all places yet.
pub(crate) fn is_pending(home: &Path) -> bool {
    home.join(PENDING).exists()
}

/// The keys that one passphrase opens, as they are now: whoever copies them one after the other sees whether it
/// was changed meanwhile.
///
/// # Errors
///
/// [`Error::Local`].
pub(crate) fn fingerprints(home: &Home) -> Result<BTreeMap<PathBuf, Fingerprint>, Error> {
    let issuing = with_keys(home)?.into_iter().filter(is_issuing);
    let names = issuing.map(key_name).chain([path::LOG_KEY.to_owned()]);
    let files = names.map(|name| home.path(&name));
    let there = files.filter(|file| file.exists());
    let read = |file: PathBuf| {
        let bytes = zeroize::Zeroizing::new(read_limited(&file, MAX_KEY)?);
        Ok((file, Fingerprint::of(&bytes)))
    };
    there.map(read).collect()
}

/// Refuses copies of keys of which some may be under one passphrase and some under another.
///
/// # Errors
///
/// [`Error::KeysChanged`] if they are not as they were `before`, or a change is under way; [`Error::Local`].
pub(crate) fn require_unchanged(
    home: &Home,
    before: &BTreeMap<PathBuf, Fingerprint>,
) -> Result<(), Error> {
    let now = fingerprints(home)?;
    let is_same = |(file, key): (&PathBuf, &Fingerprint)| now.get(file) == Some(key);
    match is_pending(home.dir()) || !before.iter().all(is_same) {
        true => Err(Error::KeysChanged),
        false => Ok(()),
    }
}

/// Opens the keys, and notes in the lock that this process has done so for whoever asks
/// [`require_known_to_server`].
///
/// # Errors
///
/// What `open` returns; [`Error::Local`], [`Error::Storage`].
pub(crate) fn open_and_note<T>(
    home: &Home,
    lock: &mut HomeLock,
    open: impl Fn() -> Result<T, Error>,
) -> Result<T, Error> {
    loop {
        let before = first_key(home);
        let opened = open()?;
        let after = first_key(home)?;
        // Else they got another passphrase while they were opened.
        if before.is_ok_and(|before| before == after) {
            lock.note(home.dir(), &after.to_string())?;
            return Ok(opened);
        }
    }
}

/// Refuses where a server runs that was started under an earlier passphrase: it could not open a key that is made
/// now, and whoever took its forerunner away would be left with none. No time is compared: it notes which
/// file it opened, and each change of the passphrase makes another. Waits for one that is just starting.
///
/// # Errors
///
/// [`Error::ServerOfEarlierPassphrase`]; [`Error::Local`].
pub(crate) fn require_known_to_server(home: &Home) -> Result<(), Error> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match HomeLock::noted(home.dir()) {
            Some(noted) if noted.is_empty() && Instant::now() < deadline => sleep(LOOK_AGAIN),
            Some(noted) if noted != first_key(home)?.to_string() => {
                return Err(Error::ServerOfEarlierPassphrase);
            }
            _ => return Ok(()),
        }
    }
}

/// The encrypted key of the first issuing authority, as it is now.
fn first_key(home: &Home) -> Result<Fingerprint, Error> {
    let bytes = zeroize::Zeroizing::new(read_limited(
        &home.path(&key_name(CrlSigner::STUDENTS)),
        MAX_KEY,
    )?);
    Ok(Fingerprint::of(&bytes))
}

/// Where the keys of the roots of a home are, if any are here: the oldest first.
///
/// # Errors
///
/// [`Error::Local`].
pub(crate) fn root_directories(home: &Home) -> Result<Vec<PathBuf>, Error> {
    let roots = with_keys(home)?.into_iter();
    let roots = roots.filter(|signer| !is_issuing(signer));
    Ok(roots
        .map(|root| home.path(&path::authority(root)))
        .collect())
}

/// Gives roots' keys another passphrase; answers how many. All are opened, and it is noted, before the first
/// is written, and one that has the new passphrase is left as it is: after a crash the same command does
/// what is left.
///
/// # Errors
///
/// [`Error::WrongPassphrase`]; [`Error::Certificates`], [`Error::Local`].
pub(crate) fn change_roots(
    dirs: &[PathBuf],
    old: &Passphrase,
    new: &Passphrase,
    note: impl FnOnce() -> Result<(), Error>,
) -> Result<usize, Error> {
    let mut opened: Vec<(PathBuf, SigningKey)> = Vec::new();
    for dir in dirs {
        let file = dir.join(path::KEY);
        match open_key(&file, old) {
            Err(Error::WrongPassphrase { .. }) if open_key(&file, new).is_ok() => {}
            key => opened.push((file, key?)),
        }
    }
    let count = opened.len();
    if count > 0 {
        note()?;
    }
    for (file, key) in opened {
        write_atomic(&file, key.to_pem(Some(new))?.as_bytes(), 0o600)?;
    }
    Ok(count)
}

/// Whether the key of the first issuing authority has this passphrase: a root must not share it.
pub(crate) fn opens_issuers(home: &Home, passphrase: &Passphrase) -> bool {
    open_key(&home.path(&key_name(CrlSigner::STUDENTS)), passphrase).is_ok()
}

/// Whether each key has this passphrase.
fn is_done(home: &Home, passphrase: &Passphrase) -> bool {
    let issuing = with_keys(home).unwrap_or_default().into_iter();
    let mut issuing = issuing.filter(is_issuing);
    unlock_log(home, passphrase).is_ok()
        && issuing.all(|signer| open_key(&home.path(&key_name(signer)), passphrase).is_ok())
}

fn is_issuing(signer: &CrlSigner) -> bool {
    signer.kind() != AuthorityKind::Root
}

/// The authorities whose keys are in this home, each kind in its order, whether certified or not.
fn with_keys(home: &Home) -> Result<Vec<CrlSigner>, Error> {
    let mut found = Vec::new();
    for dir in [home.dir().to_owned(), home.path("issuers")] {
        for entry in fs::read_dir(&dir).map_err(draft::file("read", &dir))? {
            let name = entry.map_err(draft::file("read", &dir))?.file_name();
            let signer: Option<CrlSigner> = name.to_str().and_then(|name| name.parse().ok());
            let is_its = |signer: &CrlSigner| home.path(&key_name(*signer)).is_file();
            found.extend(signer.filter(is_its));
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn key_name(signer: CrlSigner) -> String {
    format!("{}/{}", path::authority(signer), path::KEY)
}

#[cfg(test)]
mod tests;
