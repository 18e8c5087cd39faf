//! The service's key and certificate chain on disk: `HOME/tls/key.pem` and `chain.pem`.
//!
//! The next pair grows in `HOME/tls.new`: first the key, before anything is sent, then the
//! chain. With both there it is complete and takes the place of `tls`. A crash at any point
//! leaves something that the next start finishes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use rustls_pki_types::UnixTime;
use scb_certs::{Chain, SigningKey, read_private, write_private};
use scb_cli::{Home, create_private_dir, read_limited, sync_dir, write_atomic};

const KEY: &str = "key.pem";
const CHAIN: &str = "chain.pem";
/// Largest chain file, in bytes.
const CHAIN_LIMIT: u64 = 256 * 1024;

/// A certified key: what the service shows in TLS and signs receipts with.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    /// Leaf and issuer.
    pub(crate) chain: Chain,
    /// The leaf's key.
    pub(crate) key: SigningKey,
}

impl Identity {
    /// Whether the certificate's time is over.
    pub(crate) fn has_expired(&self, now: UnixTime) -> bool {
        now > self.chain.leaf().not_after()
    }
}

/// The directories in which the pair lives and grows.
#[derive(Debug, Clone)]
pub(crate) struct IdentityFiles {
    home: PathBuf,
}

impl IdentityFiles {
    /// Of a home; finishes a switch that was interrupted.
    pub(crate) fn open(home: &Home) -> anyhow::Result<Self> {
        let files = Self {
            home: home.dir().to_owned(),
        };
        if files.next().join(CHAIN).exists() {
            files.switch()?;
        }
        remove_dir(&files.old())?;
        Ok(files)
    }

    /// The pair in use, if there is one.
    pub(crate) fn current(&self) -> anyhow::Result<Option<Identity>> {
        let dir = self.tls();
        if !dir.join(CHAIN).exists() {
            return Ok(None);
        }
        let key = read_key(&dir.join(KEY))?;
        let path = dir.join(CHAIN);
        let pem = read_limited(&path, CHAIN_LIMIT)?;
        let chain = Chain::from_pem(&String::from_utf8_lossy(&pem))
            .map_err(scb_cli::Error::in_file::<anyhow::Error>(&path))?;
        if chain.leaf().public_key()? != *key.public_key() {
            bail!(
                "{} is not the certificate of the key beside it",
                path.display()
            );
        }
        Ok(Some(Identity { chain, key }))
    }

    /// The key of the next certificate: made and durable before it is used, and the same
    /// until [`IdentityFiles::install`].
    pub(crate) fn next_key(&self) -> anyhow::Result<SigningKey> {
        let dir = self.next();
        let path = dir.join(KEY);
        if path.exists() {
            return read_key(&path);
        }
        if !dir.exists() {
            create_private_dir(&dir)?;
        }
        let key = SigningKey::generate()?;
        write_private(&path, &key.to_pem(None)?)?;
        self.sync()?;
        Ok(key)
    }

    /// Whether [`IdentityFiles::next_key`] was made before and waits to be certified.
    pub(crate) fn has_next_key(&self) -> bool {
        self.next().join(KEY).exists()
    }

    /// Forgets the next key: it will never be certified.
    pub(crate) fn discard_next_key(&self) -> anyhow::Result<()> {
        remove_dir(&self.next())?;
        self.sync()
    }

    /// Puts the certificate for [`IdentityFiles::next_key`] to use, with its key.
    pub(crate) fn install(&self, chain: &Chain) -> anyhow::Result<()> {
        write_atomic(&self.next().join(CHAIN), chain.to_pem().as_bytes(), 0o644)?;
        self.switch()
    }

    /// `tls.new` becomes `tls`. A directory cannot replace another in one call: with `tls`
    /// out of the way and the process gone, [`IdentityFiles::open`] goes on from here.
    fn switch(&self) -> anyhow::Result<()> {
        remove_dir(&self.old())?;
        rename_if_there(&self.tls(), &self.old())?;
        rename_if_there(&self.next(), &self.tls())?;
        self.sync()?;
        remove_dir(&self.old())
    }

    fn sync(&self) -> anyhow::Result<()> {
        sync_dir(&self.home).with_context(|| format!("cannot sync {}", self.home.display()))
    }

    fn tls(&self) -> PathBuf {
        self.home.join("tls")
    }

    fn next(&self) -> PathBuf {
        self.home.join("tls.new")
    }

    fn old(&self) -> PathBuf {
        self.home.join("tls.old")
    }
}

fn read_key(path: &Path) -> anyhow::Result<SigningKey> {
    let pem = read_private(path);
    pem.and_then(|pem| SigningKey::from_pem(&pem, None))
        .map_err(scb_cli::Error::in_file(path))
}

fn rename_if_there(from: &Path, to: &Path) -> anyhow::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot rename {}", from.display()))
        }
        _ => Ok(()),
    }
}

fn remove_dir(dir: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", dir.display()))
        }
        _ => Ok(()),
    }
}
