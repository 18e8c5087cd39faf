//! The layout of a sandbox: one directory in which the three programs find each other.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::ready::read_address;
use crate::{Error, create_private_dir, write_atomic};

const MARKER: &str = "SANDBOX";
const NOTICE: &str = "\
A sandbox, made by `cuhk serve --sandbox`. The keys in it, those of the certification\n\
authority among them, are not protected by any passphrase. For trying out only: whoever\n\
can read this directory can issue certificates. Remove it when you are done.\n";

/// A sandbox directory that was made by this program.
#[derive(Clone, Debug)]
pub struct Sandbox {
    dir: PathBuf,
}

impl Sandbox {
    /// For `cuhk serve --sandbox DIR`: makes the directory (mode 0700) with its marker, or
    /// opens a sandbox that is there already.
    ///
    /// # Errors
    /// [`Error::NotEmpty`] when the directory holds other things, [`Error::File`].
    pub fn create(dir: &Path) -> Result<Self, Error> {
        if !dir.join(MARKER).is_file() {
            create_private_dir(dir)?;
            write_atomic(&dir.join(MARKER), NOTICE.as_bytes(), 0o600)?;
        }
        Self::open(dir)
    }

    /// For the other two: opens a sandbox that `cuhk` made.
    ///
    /// # Errors
    /// [`Error::NoSandbox`].
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let dir = dir.to_owned();
        if !dir.join(MARKER).is_file() {
            return Err(Error::NoSandbox { dir });
        }
        Ok(Self { dir })
    }

    /// The directory itself.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Home of `cuhk`.
    pub fn cuhk_home(&self) -> PathBuf {
        self.dir.join("cuhk")
    }

    /// Home of `blackboard`.
    pub fn blackboard_home(&self) -> PathBuf {
        self.dir.join("blackboard")
    }

    /// Home of `student`.
    pub fn student_home(&self) -> PathBuf {
        self.dir.join("student")
    }

    /// The root certificate, written by `cuhk`.
    pub fn ca_pem(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }

    /// The sample roster, written by `cuhk`.
    pub fn roster(&self) -> PathBuf {
        self.dir.join("roster.csv")
    }

    /// The sample students' enrolment codes, written by `cuhk`.
    pub fn codes(&self) -> PathBuf {
        self.dir.join("codes.csv")
    }

    /// Blackboard's enrolment code, written by `cuhk`.
    pub fn blackboard_code(&self) -> PathBuf {
        self.dir.join("blackboard.code")
    }

    /// The passphrase of its certification authority, in clear.
    pub fn passphrase(&self) -> PathBuf {
        self.dir.join("cuhk.passphrase")
    }

    /// Where the issuing authority `students` or `services` keeps `key.pem` and `cert.pem`.
    pub fn issuer(&self, kind: &str) -> PathBuf {
        self.cuhk_home().join("issuers").join(kind)
    }

    /// Where `cuhk` says that it listens.
    pub fn cuhk_address_file(&self) -> PathBuf {
        self.dir.join("cuhk.addr")
    }

    /// Where `cuhk` says where it publishes over HTTP.
    pub fn cuhk_http_address_file(&self) -> PathBuf {
        self.dir.join("cuhk.http.addr")
    }

    /// Where `blackboard` says that it listens.
    pub fn blackboard_address_file(&self) -> PathBuf {
        self.dir.join("blackboard.addr")
    }

    /// Where `student` leaves receipts.
    pub fn receipts(&self) -> PathBuf {
        self.dir.join("receipts")
    }

    /// Where `cuhk` listens.
    ///
    /// # Errors
    /// [`Error::NotReady`] with the command to start, [`Error::AddressMalformed`],
    /// [`Error::NotLoopback`].
    pub fn cuhk_address(&self) -> Result<SocketAddr, Error> {
        self.address(&self.cuhk_address_file(), "cuhk")
    }

    /// Where `blackboard` listens.
    ///
    /// # Errors
    /// As for [`Sandbox::cuhk_address`].
    pub fn blackboard_address(&self) -> Result<SocketAddr, Error> {
        self.address(&self.blackboard_address_file(), "blackboard")
    }

    /// What every program says before anything else when it works in a sandbox.
    pub fn banner(&self) -> String {
        format!(
            "SANDBOX {}: its keys are unprotected, for trying out only; reachable from this \
             machine only",
            crate::printable(&self.dir.to_string_lossy())
        )
    }

    fn address(&self, file: &Path, program: &str) -> Result<SocketAddr, Error> {
        let addr = read_address(file).map_err(|error| match error {
            Error::NotReady { path, .. } => Error::NotReady {
                path,
                start: Some(format!("{program} serve --sandbox {}", self.dir.display())),
            },
            other => other,
        })?;
        loopback_only(addr)?;
        Ok(addr)
    }
}

/// Checks an address for a sandbox, which nobody else on the network may reach.
///
/// # Errors
/// [`Error::NotLoopback`].
pub fn loopback_only(addr: SocketAddr) -> Result<(), Error> {
    if addr.ip().to_canonical().is_loopback() {
        return Ok(());
    }
    Err(Error::NotLoopback { addr })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{Home, Role, exit, write_ready};

    #[test]
    fn one_makes_it_the_others_open_it() {
        let dir = tempfile::tempdir().unwrap();
        let made = Sandbox::create(dir.path()).unwrap();
        Home::create(&made.cuhk_home(), Role::Cuhk).unwrap();
        Sandbox::create(dir.path()).unwrap();
        let opened = Sandbox::open(dir.path()).unwrap();
        assert_eq!(opened.ca_pem(), dir.path().join("ca.pem"));
        let notice = std::fs::read_to_string(dir.path().join(MARKER)).unwrap();
        assert!(notice.contains("not protected"));
        assert!(opened.banner().contains("unprotected"));
    }

    #[test]
    fn the_others_do_not_make_it() {
        let dir = tempfile::tempdir().unwrap();
        let error = Sandbox::open(dir.path()).unwrap_err();
        let said = format!("{error}: {}", error.remedy().unwrap());
        let at = dir.path().display();
        assert_eq!(
            said,
            format!("no sandbox in {at}: start `cuhk serve --sandbox {at}` first")
        );
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn refuses_a_directory_with_other_things() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("thesis.tex"), b"x").unwrap();
        let error = Sandbox::create(dir.path()).unwrap_err();
        assert!(matches!(error, Error::NotEmpty { .. }));
    }

    #[test]
    fn finds_a_server_that_is_up() {
        let dir = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::create(dir.path()).unwrap();
        let addr = "127.0.0.1:4711".parse().unwrap();
        write_ready(&sandbox.blackboard_address_file(), addr).unwrap();
        assert_eq!(sandbox.blackboard_address().unwrap(), addr);
    }

    #[test]
    fn says_which_server_is_not_up() {
        let dir = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::create(dir.path()).unwrap();
        let error = sandbox.blackboard_address().unwrap_err();
        assert_eq!(error.exit_code(), exit::RETRY);
        assert!(error.remedy().unwrap().contains("`blackboard serve"));
        let error = sandbox.cuhk_address().unwrap_err();
        assert!(error.remedy().unwrap().contains("`cuhk serve"));
    }

    #[test]
    fn stays_on_this_machine() {
        for text in [
            "127.0.0.1:1",
            "127.8.8.8:1",
            "[::1]:1",
            "[::ffff:127.0.0.1]:1",
        ] {
            loopback_only(text.parse().unwrap()).unwrap();
        }
        for text in ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "[::ffff:10.0.0.1]:1"] {
            loopback_only(text.parse().unwrap()).unwrap_err();
        }
    }

    #[test]
    fn refuses_an_address_elsewhere() {
        let dir = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::create(dir.path()).unwrap();
        write_ready(
            &sandbox.cuhk_address_file(),
            "10.0.0.1:8011".parse().unwrap(),
        )
        .unwrap();
        let error = sandbox.cuhk_address().unwrap_err();
        assert!(matches!(error, Error::NotLoopback { .. }));
    }
}
