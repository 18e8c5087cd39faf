//! Private keys at rest.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use scb_certs::{
    Ed25519Seed, Error, Passphrase, SigningKey, is_encrypted, read_private, write_private,
};

use crate::campus::{Campus, new_key};
use crate::judge::Judge;

fn passphrase(text: &str) -> Passphrase {
    Passphrase::from(text.to_owned())
}

#[test]
fn a_key_survives_its_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key.pem");
    let key = new_key();
    write_private(&path, &key.to_pem(None).unwrap()).unwrap();
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o7777,
        0o600
    );
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    let pem = read_private(&path).unwrap();
    assert!(!is_encrypted(&pem));
    let read = SigningKey::from_pem(&pem, None).unwrap();
    assert_eq!(read.public_key(), key.public_key());
    let signature = read.sign_raw(b"message").unwrap();
    assert_eq!(signature.len(), 64);
    assert!(key.public_key().verify_raw(b"message", &signature).is_ok());
    assert!(key.public_key().verify_raw(b"massage", &signature).is_err());
}

#[test]
fn never_overwrites() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key.pem");
    write_private(&path, "first").unwrap();
    let refusal = write_private(&path, "second").unwrap_err();
    assert!(matches!(refusal, Error::KeyFileExists { .. }));
    assert_eq!(*read_private(&path).unwrap(), "first");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn refuses_a_file_that_others_can_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key.pem");
    write_private(&path, "key").unwrap();
    for mode in [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o666] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let refusal = read_private(&path).unwrap_err();
        assert!(refusal.to_string().contains("run chmod 600"), "{refusal}");
        assert!(matches!(refusal, Error::KeyFileReadable { mode: found, .. } if found == mode));
    }
    for mode in [0o600, 0o400] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        assert!(read_private(&path).is_ok());
    }
}

#[test]
fn refuses_what_is_no_key_file() {
    let directory = tempfile::tempdir().unwrap();
    let missing = read_private(&directory.path().join("missing")).unwrap_err();
    assert!(matches!(missing, Error::KeyFile { action: "read", .. }));
    let large = directory.path().join("large");
    write_private(&large, &"x".repeat(20_000)).unwrap();
    assert!(matches!(
        read_private(&large),
        Err(Error::KeyFileTooLarge { .. })
    ));
    let nowhere = write_private(&directory.path().join("no/such/key"), "x").unwrap_err();
    assert!(matches!(nowhere, Error::KeyFile { .. }));
}

#[test]
fn an_encrypted_key_needs_its_passphrase() {
    let key = new_key();
    let pem = key.to_pem(Some(&passphrase("correct horse"))).unwrap();
    assert!(is_encrypted(&pem));
    let read = SigningKey::from_pem(&pem, Some(&passphrase("correct horse"))).unwrap();
    assert_eq!(read.public_key(), key.public_key());
    assert!(matches!(
        SigningKey::from_pem(&pem, None),
        Err(Error::PassphraseNeeded)
    ));
    let wrong = SigningKey::from_pem(&pem, Some(&passphrase("battery staple")));
    assert!(matches!(wrong, Err(Error::WrongPassphrase)));
}

#[test]
fn encryption_differs_each_time() {
    let (key, secret) = (new_key(), passphrase("secret"));
    let first = key.to_pem(Some(&secret)).unwrap();
    assert_ne!(*first, *key.to_pem(Some(&secret)).unwrap());
}

#[test]
fn refuses_other_keys() {
    for algorithm in [&rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ED25519] {
        let pem = rcgen::KeyPair::generate_for(algorithm)
            .unwrap()
            .serialize_pem();
        assert!(matches!(
            SigningKey::from_pem(&pem, None),
            Err(Error::KeyUnsupported)
        ));
    }
    for pem in [
        "",
        "key",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    ] {
        assert!(matches!(
            SigningKey::from_pem(pem, None),
            Err(Error::KeyMalformed)
        ));
    }
}

#[test]
fn nothing_secret_is_printed() {
    let key = new_key();
    let secret = data_encoding::HEXLOWER.encode(&key.to_pkcs8_der().secret_der()[36..68]);
    let printed = format!("{key:?} {:?}", key.public_key()).to_lowercase();
    assert!(printed.contains(&key.public_key().fingerprint().to_string()));
    assert!(!printed.contains(&secret));
}

#[test]
fn an_ed25519_key_is_read_as_it_was_written() {
    let seed = Ed25519Seed::generate().unwrap();
    let passphrase = Passphrase::from("correct horse".to_owned());
    for passphrase in [None, Some(&passphrase)] {
        let pem = seed.to_pem(passphrase).unwrap();
        assert_eq!(is_encrypted(&pem), passphrase.is_some());
        let read = Ed25519Seed::from_pem(&pem, passphrase).unwrap();
        assert_eq!(read.expose(), seed.expose());
    }
    let pem = seed.to_pem(Some(&passphrase)).unwrap();
    let wrong = Passphrase::from("battery staple".to_owned());
    assert!(matches!(
        Ed25519Seed::from_pem(&pem, Some(&wrong)),
        Err(Error::WrongPassphrase)
    ));
    assert!(matches!(
        Ed25519Seed::from_pem(&pem, None),
        Err(Error::PassphraseNeeded)
    ));
    assert_eq!(format!("{seed:?}"), "Ed25519Seed(..)");
}

#[test]
fn keys_of_the_two_kinds_are_never_mixed_up() {
    let p256 = SigningKey::generate().unwrap().to_pem(None).unwrap();
    assert!(matches!(
        Ed25519Seed::from_pem(&p256, None),
        Err(Error::KeyUnsupported)
    ));
    let ed25519 = Ed25519Seed::generate().unwrap().to_pem(None).unwrap();
    assert!(matches!(
        SigningKey::from_pem(&ed25519, None),
        Err(Error::KeyUnsupported)
    ));
}

#[test]
fn openssl_reads_an_ed25519_key() {
    let Some(judge) = Judge::openssl() else {
        return;
    };
    let seed = Ed25519Seed::generate().unwrap();
    let passphrase = Passphrase::from("secret".to_owned());
    judge.write(
        "key.pem",
        seed.to_pem(Some(&passphrase)).unwrap().as_bytes(),
    );
    let said = judge.accepts("pkey -in key.pem -passin pass:secret -noout -text");
    assert!(said.starts_with("ED25519 Private-Key:"), "{said}");
    judge.refuses("pkey -in key.pem -passin pass:other -noout -text");
}

#[test]
fn an_authoritys_secrets_differ_by_label_and_by_authority() {
    let campus = Campus::new();
    let secret = |issuer: &scb_certs::Issuer, label| issuer.secret(label).unwrap();
    let pem = new_key()
        .to_pem(Some(&secret(&campus.services, "one")))
        .unwrap();
    assert!(is_encrypted(&pem));
    SigningKey::from_pem(&pem, Some(&secret(&campus.services, "one"))).unwrap();
    for other in [
        secret(&campus.services, "two"),
        secret(&campus.students, "one"),
        secret(&Campus::new().services, "one"),
    ] {
        let refused = SigningKey::from_pem(&pem, Some(&other));
        assert!(matches!(refused, Err(Error::WrongPassphrase)));
    }
}
