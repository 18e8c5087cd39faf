//! The two Ed25519 keys of this server, each made once and for one use: it cosigns CUHK's log with
//! the one and signs its own logs with the other.

use std::path::Path;
use std::{fs, io};

use anyhow::Context;
use scb_certs::{Ed25519Seed, ServiceName, TrustDomain, read_private, write_private};
use scb_cli::{Failure, Home, create_private_dir, sync_dir};
use scb_protocol::log_leaf::LogName;
use scb_tlog::{Algorithm, Cosigner, NoteKey};

/// Where its own logs are, with their key.
pub(crate) const LOGS: &str = "logs";
const WITNESS: &str = "witness";
const KEY: &str = "key.pem";

/// The key with which this server cosigns checkpoints of CUHK's log: `HOME/witness/key.pem`.
pub(crate) fn witness_key(home: &Home, trust_domain: &TrustDomain) -> anyhow::Result<Cosigner> {
    let seed = made_once(home, WITNESS)?;
    let name = format!("{trust_domain}/witness/{}", ServiceName::blackboard());
    let key = NoteKey::from_seed(name.parse()?, Algorithm::CosignatureV1, seed.expose())?;
    Ok(Cosigner::new(key)?)
}

/// The key with which this server signs checkpoints of its own logs: `HOME/logs/key.pem`.
#[derive(Debug)]
pub(crate) struct LogKey(Ed25519Seed);

impl LogKey {
    /// The stored key, or a new one.
    pub(crate) fn open(home: &Home) -> anyhow::Result<Self> {
        made_once(home, LOGS).map(Self)
    }

    /// The stored key; `None` if there is none, and none is made.
    pub(crate) fn existing(home: &Home) -> anyhow::Result<Option<Self>> {
        let path = home.path(LOGS).join(KEY);
        match path.exists() {
            true => read(&path).map(Self).map(Some),
            false => Ok(None),
        }
    }

    /// The key under the name of a log.
    pub(crate) fn of(&self, log: &LogName) -> Result<NoteKey, scb_tlog::Error> {
        let name = log.to_string().parse()?;
        NoteKey::from_seed(name, Algorithm::Ed25519, self.0.expose())
    }
}

/// The secret in `HOME/<directory>/key.pem`, or a new one.
fn made_once(home: &Home, directory: &str) -> anyhow::Result<Ed25519Seed> {
    let directory = home.path(directory);
    let path = directory.join(KEY);
    if !path.exists() {
        check_unused(&directory, &path)?;
        make(home, &directory, &path)?;
    }
    read(&path)
}

/// Others hold this server to what it signed before: no new key takes the place of one that is gone.
fn check_unused(directory: &Path, key: &Path) -> anyhow::Result<()> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.with_context(|| format!("cannot read {}", directory.display()))?,
    };
    // What a start that was interrupted may have left is a file.
    let mut entries = entries.filter_map(Result::ok);
    match entries.any(|entry| entry.path().is_dir()) {
        true => Err(Failure::refused(format!(
            "{} is gone, and what was signed with it is here",
            key.display()
        ))
        .with_remedy(
            "put it back from the copy of this home; without any copy see \"The key of the logs is \
             lost\" in docs/OPERATIONS.md",
        )
        .with_code("log_key")
        .into()),
        false => Ok(()),
    }
}

fn read(path: &Path) -> anyhow::Result<Ed25519Seed> {
    let pem = read_private(path);
    pem.and_then(|pem| Ed25519Seed::from_pem(&pem, None))
        .map_err(scb_cli::Error::in_file(path))
}

fn make(home: &Home, directory: &Path, path: &Path) -> anyhow::Result<()> {
    if !directory.exists() {
        create_private_dir(directory)?;
    }
    write_private(path, &Ed25519Seed::generate()?.to_pem(None)?)?;
    sync_dir(home.dir()).with_context(|| format!("cannot sync {}", home.dir().display()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_cli::Role;

    use super::*;

    fn home() -> (tempfile::TempDir, Home) {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::create(&dir.path().join("home"), Role::Blackboard).unwrap();
        (dir, home)
    }

    /// The public halves of both keys.
    fn keys(home: &Home) -> anyhow::Result<[String; 2]> {
        let witness = witness_key(home, &"cuhk.example".parse().unwrap())?;
        let log = LogKey::open(home)?.of(&"cuhk.example/blackboard/c/a".parse().unwrap())?;
        Ok([witness.verifier().to_string(), log.verifier().to_string()])
    }

    #[test]
    fn are_made_once_each_for_its_own_use() {
        let (_dir, home) = home();
        let made = keys(&home).unwrap();
        assert_eq!(keys(&home).unwrap(), made);
        let name = |key: &str| key.split('+').next().unwrap().to_owned();
        let names = made.each_ref().map(|key| name(key));
        assert_eq!(
            names,
            [
                "cuhk.example/witness/blackboard",
                "cuhk.example/blackboard/c/a"
            ]
        );
        let public = |key: &str| key.splitn(3, '+').last().unwrap()[4..].to_owned();
        assert_ne!(public(&made[0]), public(&made[1]));
    }

    #[test]
    fn are_not_made_anew_where_something_was_signed() {
        let (_dir, home) = home();
        let made = keys(&home).unwrap();
        let (key, aside) = (home.path("logs/key.pem"), home.path("aside.pem"));
        fs::create_dir(home.path("logs/SANDBOX")).unwrap();
        fs::rename(&key, &aside).unwrap();
        let refused = keys(&home).unwrap_err().downcast::<Failure>().unwrap();
        assert_eq!(refused.code, Some("log_key"));
        assert!(!key.exists());
        fs::rename(&aside, &key).unwrap();
        assert_eq!(keys(&home).unwrap(), made);
    }

    #[cfg(unix)]
    #[test]
    fn are_not_used_if_others_can_read_them() {
        use std::os::unix::fs::PermissionsExt;
        for file in ["witness/key.pem", "logs/key.pem"] {
            let (_dir, home) = home();
            keys(&home).unwrap();
            let path = home.path(file);
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
            assert!(keys(&home).is_err(), "{file}");
        }
    }
}
