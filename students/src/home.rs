//! The student's home: where everything that is kept has its place.
//!
//! ```text
//! HOME/config.toml          servers used last
//! HOME/ca.pem               the root by which servers are recognised, or several
//! HOME/trust-bundle.json    what CUHK's root said last of the roots that count
//! HOME/students/SID/        key.pem (0600), chain.pem, token.jwt
//! HOME/students/.next-SID/  the same for a new key that is not certified yet
//! HOME/students/.renew-SID/ the same for the key that follows at the next renewal
//! HOME/pending/             hand-ins that were signed and not yet acknowledged
//! HOME/receipts/            S-000001.zip, …
//! HOME/log.json             CUHK's issuance log as it was seen last
//! HOME/shown.json           what was shown of proposals before anybody signed them
//! HOME/lock                 held while something is being changed; not while files are on their way
//! ```

mod lock;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use scb_certs::{Certificate, StudentId, all_from_pem};
use scb_cli::{
    Home, ROOTS, Role, bundle_age, bundle_sequence, create_private_dir, keep_bundle, load_config,
    read_limited, save_config, write_atomic,
};
use scb_protocol::{SignedBundle, VerifiedBundle};

use self::lock::Held;
pub use self::lock::HomeLock;
use crate::{Config, Error};

/// Largest root certificate file, in bytes.
const ROOT_LIMIT: u64 = 64 * 1024;
/// How old the trust bundle may be before CUHK is asked for it again: a day.
const BUNDLE_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// The directory with one person's or one group's keys and records.
#[derive(Clone, Debug)]
pub struct StudentHome {
    home: Home,
    /// Whether nothing is written down, because nothing can be.
    looks_only: bool,
    held: Held,
}

impl StudentHome {
    /// The roots that this home trusted once: receipts under them still count.
    pub(crate) fn former_roots(&self) -> Vec<scb_certs::Certificate> {
        scb_cli::former_roots(&self.home)
    }

    /// Opens the home, making it (mode 0700) when there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Cli`]: another role's home, a directory with other files in it.
    pub fn create(dir: &Path) -> Result<Self, Error> {
        let home = Home::create(dir, Role::Student)?;
        Ok(Self {
            home,
            looks_only: false,
            held: Held::default(),
        })
    }

    /// For a command that only looks at what is here: on a disk that takes nothing it goes on, and what it
    /// learns is remembered by nobody.
    pub(crate) fn look(&mut self) {
        self.looks_only = scb_cli::is_frozen(self.home.dir());
    }

    /// Whether nothing is written down.
    pub(crate) fn looks_only(&self) -> bool {
        self.looks_only
    }

    /// The directory itself.
    pub fn dir(&self) -> &Path {
        self.home.dir()
    }

    /// Where one student's key and certificate are.
    pub fn student_dir(&self, sid: &StudentId) -> PathBuf {
        self.home.path("students").join(sid.as_ref())
    }

    /// Where a student's next key waits to be certified. No student ID starts with a dot.
    pub fn next_dir(&self, sid: &StudentId) -> PathBuf {
        self.home.path("students").join(format!(".next-{sid}"))
    }

    /// Where a student's key for the next renewal waits to be certified.
    pub fn renewal_dir(&self, sid: &StudentId) -> PathBuf {
        self.home.path("students").join(format!(".renew-{sid}"))
    }

    /// Where a replaced key lies while the next one moves into its place.
    pub(crate) fn old_dir(&self, sid: &StudentId) -> PathBuf {
        self.home.path("students").join(format!(".old-{sid}"))
    }

    /// Where hand-ins wait that were not acknowledged yet.
    pub fn pending_dir(&self) -> PathBuf {
        self.home.path("pending")
    }

    /// Where receipts are kept, unless a sandbox has its own place.
    pub fn receipts_dir(&self) -> PathBuf {
        self.home.path("receipts")
    }

    /// What is remembered of CUHK's issuance log.
    pub(crate) fn log_file(&self) -> PathBuf {
        self.home.path("log.json")
    }

    /// What is remembered of the proposals that were shown.
    pub(crate) fn shown_file(&self) -> PathBuf {
        self.home.path("shown.json")
    }

    /// A checkpoint of it that contradicts what is remembered.
    pub(crate) fn log_evidence_file(&self) -> PathBuf {
        self.home.path("log-contradicted.txt")
    }

    /// Every student who has a directory here, in order.
    ///
    /// # Errors
    ///
    /// [`Error::Cli`].
    pub fn students(&self) -> Result<Vec<StudentId>, Error> {
        let dir = self.home.path("students");
        let names = entries(&dir)?;
        let ids = names.iter().filter_map(|name| name.to_str()?.parse().ok());
        let mut ids: Vec<StudentId> = ids.collect();
        ids.sort();
        Ok(ids)
    }

    /// Every student for whom a next key waits, certified or not.
    ///
    /// # Errors
    ///
    /// [`Error::Cli`].
    pub(crate) fn waiting(&self) -> Result<BTreeSet<StudentId>, Error> {
        let names = entries(&self.home.path("students"))?;
        let sid = |name: &std::ffi::OsString| {
            let name = name.to_str()?;
            let sid = name.strip_prefix(".next-");
            sid.or_else(|| name.strip_prefix(".renew-"))?.parse().ok()
        };
        Ok(names.iter().filter_map(sid).collect())
    }

    /// What is remembered.
    ///
    /// # Errors
    ///
    /// [`Error::Cli`] with the line of an unknown key.
    pub fn config(&self) -> Result<Config, Error> {
        Ok(load_config(&self.home)?)
    }

    /// Remembers it.
    ///
    /// # Errors
    ///
    /// [`Error::Cli`].
    pub(crate) fn save_config(&self, config: &Config) -> Result<(), Error> {
        match self.looks_only {
            true => Ok(()),
            false => Ok(save_config(&self.home, config)?),
        }
    }

    /// The remembered root certificates, the oldest first; none in a new home.
    ///
    /// # Errors
    ///
    /// [`Error::RootFile`] if the file is damaged, [`Error::Cli`] if it cannot be read.
    pub fn roots(&self) -> Result<Vec<Certificate>, Error> {
        let path = self.home.path(ROOTS);
        if !path.exists() {
            return Ok(Vec::new());
        }
        read_roots(&path)
    }

    /// Whether CUHK should be asked for the trust bundle.
    pub(crate) fn is_bundle_due(&self) -> bool {
        !self.looks_only && bundle_age(&self.home).is_none_or(|age| age > BUNDLE_AGE)
    }

    /// The number of the trust bundle that was accepted last; 0 for none.
    ///
    /// # Errors
    ///
    /// [`Error::Cli`].
    pub(crate) fn bundle_sequence(&self) -> Result<u64, Error> {
        Ok(bundle_sequence(&self.home)?)
    }

    /// Remembers a trust bundle that was accepted, and its roots in the place of `present`.
    ///
    /// # Errors
    ///
    /// [`Error::Cli`].
    pub(crate) fn keep_bundle(
        &self,
        present: &[Certificate],
        signed: &SignedBundle,
        verified: &VerifiedBundle,
    ) -> Result<(), Error> {
        match self.looks_only {
            true => Ok(()),
            false => Ok(keep_bundle(&self.home, present, signed, verified)?),
        }
    }

    /// Remembers the roots that are trusted, the oldest first.
    ///
    /// # Errors
    ///
    /// [`Error::Cli`].
    pub(crate) fn save_roots(&self, roots: &[Certificate]) -> Result<(), Error> {
        if self.looks_only {
            return Ok(());
        }
        let pem: String = roots.iter().map(Certificate::to_pem).collect();
        Ok(write_atomic(&self.home.path(ROOTS), pem.as_bytes(), 0o644)?)
    }
}

/// Reads root certificates, at least one; that they can be roots is judged by the trust store.
///
/// # Errors
///
/// [`Error::RootFile`], [`Error::Cli`].
pub(crate) fn read_roots(path: &Path) -> Result<Vec<Certificate>, Error> {
    let bytes = read_limited(path, ROOT_LIMIT)?;
    let fault = |reason: String| Error::RootFile {
        path: path.to_owned(),
        reason,
    };
    let text = std::str::from_utf8(&bytes).map_err(|_| fault("it is not text".into()))?;
    let roots = all_from_pem(text).map_err(|error| fault(error.to_string()))?;
    match roots.is_empty() {
        true => Err(fault("there is no certificate in it".into())),
        false => Ok(roots),
    }
}

/// Makes a directory that only its owner can enter, if it is not there.
pub(crate) fn ensure_dir(dir: &Path) -> Result<(), Error> {
    if !dir.is_dir() {
        create_private_dir(dir)?;
    }
    Ok(())
}

/// The names in a directory; none if it does not exist.
pub(crate) fn entries(dir: &Path) -> Result<Vec<std::ffi::OsString>, Error> {
    let found = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        found => found,
    };
    let names = found.and_then(|found| found.map(|entry| Ok(entry?.file_name())).collect());
    names.map_err(Error::file("read", dir))
}

/// Makes renames in a directory durable.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), Error> {
    scb_cli::sync_dir(dir).map_err(Error::file("write", dir))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn home() -> (tempfile::TempDir, StudentHome) {
        let dir = tempfile::tempdir().unwrap();
        let home = StudentHome::create(&dir.path().join("home")).unwrap();
        (dir, home)
    }

    #[cfg(unix)]
    #[test]
    fn only_its_owner_can_enter() {
        use std::os::unix::fs::PermissionsExt;
        let (_dir, home) = home();
        ensure_dir(&home.pending_dir()).unwrap();
        let _lock = home.lock().unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        for dir in [home.dir(), &home.pending_dir()] {
            assert_eq!(mode(dir), 0o700, "{}", dir.display());
        }
        assert_eq!(mode(&home.dir().join("lock")), 0o600);
    }

    #[test]
    fn remembers_addresses() {
        let (_dir, home) = home();
        assert_eq!(home.config().unwrap(), Config::default());
        let config = Config {
            cuhk: Some("localhost:8011".into()),
            blackboard: None,
            max_members: Some(4),
            max_bytes: Some(5),
        };
        home.save_config(&config).unwrap();
        assert_eq!(home.config().unwrap(), config);
    }

    #[test]
    fn refuses_a_root_that_is_none() {
        let (_dir, home) = home();
        assert!(home.roots().unwrap().is_empty());
        for content in [&b"not PEM"[..], b"\xff"] {
            std::fs::write(home.dir().join("ca.pem"), content).unwrap();
            assert!(matches!(home.roots(), Err(Error::RootFile { .. })));
        }
    }

    #[test]
    fn lists_students_and_not_their_next_keys() {
        let (_dir, home) = home();
        assert!(home.students().unwrap().is_empty());
        let (b, a): (StudentId, StudentId) = ("B".parse().unwrap(), "A".parse().unwrap());
        ensure_dir(&home.student_dir(&b)).unwrap();
        ensure_dir(&home.student_dir(&a)).unwrap();
        ensure_dir(&home.next_dir(&a)).unwrap();
        assert_eq!(home.students().unwrap(), [a.clone(), b.clone()]);
        ensure_dir(&home.renewal_dir(&b)).unwrap();
        assert_eq!(home.waiting().unwrap(), BTreeSet::from([a, b]));
    }
}
