//! The server's own keys for TLS and for tokens, as they lie on disk.

use std::fs;
use std::path::PathBuf;

use scb_certs::{
    Certificate, Error, Issuer, IssuerKind, Passphrase, SigningKey, is_encrypted, read_private,
};
use scb_cli::write_atomic;

use crate::university::{PASSPHRASE, University};

const DIRECTORIES: [&str; 2] = ["tls", "tokens"];

impl University {
    /// The key files in these directories of the home.
    fn own_keys(&self) -> Vec<PathBuf> {
        let entries = DIRECTORIES.map(|dir| fs::read_dir(self.dir.path().join("cuhk").join(dir)));
        let paths = entries.into_iter().flatten().flatten();
        let mut paths: Vec<_> = paths.map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.file_name().unwrap() != "chain.pem");
        paths.sort();
        paths
    }

    /// What encrypts them, for whoever knows the passphrase.
    fn secret(&self) -> Passphrase {
        let dir = self.dir.path().join("cuhk/issuers/services");
        let certificate = fs::read_to_string(dir.join("cert.pem")).unwrap();
        let certificate = Certificate::from_pem(&certificate).unwrap();
        let pem = read_private(&dir.join("key.pem")).unwrap();
        let key = SigningKey::from_pem(&pem, Some(&PASSPHRASE.to_owned().into())).unwrap();
        let kind = IssuerKind::Services;
        let issuer = Issuer::from_parts(kind, certificate, key, self.root.clone()).unwrap();
        issuer.secret("own keys at rest").unwrap()
    }
}

#[tokio::test]
async fn own_keys_open_for_who_has_the_authoritys_key_and_for_nobody_else() {
    let university = University::open().await;
    let (files, secret) = (university.own_keys(), university.secret());
    assert_eq!(files.len(), 2);
    for file in &files {
        let pem = read_private(file).unwrap();
        assert!(is_encrypted(&pem), "{}", file.display());
        SigningKey::from_pem(&pem, Some(&secret)).unwrap();
        for wrong in ["", PASSPHRASE] {
            let refused = SigningKey::from_pem(&pem, Some(&wrong.to_owned().into()));
            assert!(matches!(refused, Err(Error::WrongPassphrase)));
        }
    }
    let university = university.restart().await;
    assert_eq!(university.own_keys(), files, "the same keys go on");
    university.student("1155000001").await;
}

#[tokio::test]
async fn own_keys_that_lie_open_are_used_and_encrypted_at_the_next_start() {
    let university = University::open().await;
    let (files, secret) = (university.own_keys(), university.secret());
    for file in &files {
        let key = SigningKey::from_pem(&read_private(file).unwrap(), Some(&secret)).unwrap();
        write_atomic(file, key.to_pem(None).unwrap().as_bytes(), 0o600).unwrap();
    }
    let university = university.restart().await;
    assert_eq!(university.own_keys(), files, "the same keys go on");
    for file in &files {
        assert!(is_encrypted(&read_private(file).unwrap()));
    }
}

#[tokio::test]
async fn own_keys_that_do_not_open_are_made_anew() {
    let university = University::open().await;
    let (files, secret) = (university.own_keys(), university.secret());
    let other = Passphrase::from("another".to_owned()).known_random();
    for file in &files {
        let key = SigningKey::from_pem(&read_private(file).unwrap(), Some(&secret)).unwrap();
        write_atomic(file, key.to_pem(Some(&other)).unwrap().as_bytes(), 0o600).unwrap();
    }
    let university = university.restart().await;
    let made = university.own_keys();
    assert_eq!(made.len(), 2);
    assert!(files.iter().all(|file| !made.contains(file)));
    university.student("1155000001").await;
}
