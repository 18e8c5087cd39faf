//! The home: made once, held by one server, unlocked by one passphrase.

use std::fs;
use std::path::Path;
use std::time::Duration;

use scb_certs::Passphrase;
use scb_cuhk::{Config, Error, Store, Unlocked, existing, init, open_home, sign_root_list};
use scb_protocol::message::cuhk::Request;
use scb_testkit::FixedClock;

use crate::university::{PASSPHRASE, ROOT_PASSPHRASE, University, ask, new_authority, status};

fn everything_below(dir: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(everything_below(&path)),
            false => found.push((path.clone(), fs::read(&path).unwrap())),
        }
    }
    found.sort();
    found
}

#[test]
fn init_twice_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("deep/cuhk");
    let now = FixedClock::default().now();
    assert!(existing(&home).unwrap().is_none());
    let first = init(&home, &new_authority(Config::default()), now).unwrap();
    let before = everything_below(dir.path());
    let second = init(&home, &new_authority(Config::default()), now).unwrap();
    assert_eq!(first.fingerprint(), second.fingerprint());
    assert_eq!(
        existing(&home).unwrap().unwrap().fingerprint(),
        first.fingerprint()
    );
    assert_eq!(everything_below(dir.path()), before);
    let names: Vec<_> = fs::read_dir(dir.path().join("deep")).unwrap().collect();
    assert_eq!(names.len(), 1, "no workshop is left");
}

#[test]
fn init_refuses_a_directory_in_use_and_leaves_it_alone() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("cuhk");
    fs::create_dir(&home).unwrap();
    fs::write(home.join("thesis.tex"), "x").unwrap();
    let before = everything_below(dir.path());
    let refused = init(
        &home,
        &new_authority(Config::default()),
        FixedClock::default().now(),
    );
    assert!(matches!(
        refused,
        Err(Error::Local(scb_cli::Error::NotEmpty { .. }))
    ));
    assert_eq!(everything_below(dir.path()), before);
}

#[test]
fn what_an_interrupted_init_left_is_no_home_and_no_hindrance() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("cuhk");
    let draft = dir.path().join("cuhk.init/home/root");
    fs::create_dir_all(&draft).unwrap();
    fs::write(draft.join("key.pem"), "half a ke").unwrap();
    assert!(existing(&home).unwrap().is_none());
    assert!(matches!(
        open_home(&home),
        Err(Error::NotInitialised { .. })
    ));
    init(
        &home,
        &new_authority(Config::default()),
        FixedClock::default().now(),
    )
    .unwrap();
    open_home(&home).unwrap();
    assert!(!dir.path().join("cuhk.init").exists());
}

#[cfg(unix)]
#[test]
fn authority_keys_are_encrypted_and_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("cuhk");
    init(
        &home,
        &new_authority(Config::default()),
        FixedClock::default().now(),
    )
    .unwrap();
    for key in ["root", "issuers/students", "issuers/services"] {
        let key = home.join(key).join("key.pem");
        assert!(scb_certs::is_encrypted(&fs::read_to_string(&key).unwrap()));
        assert_eq!(
            fs::metadata(&key).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
    let key = home.join("issuers/students/key.pem");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    let refused = Unlocked::open(open_home(&home).unwrap(), &passphrase(PASSPHRASE)).unwrap_err();
    assert!(refused.to_string().contains("chmod 600"), "{refused}");
}

#[test]
fn refuses_a_wrong_passphrase_and_a_second_server() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cuhk");
    init(
        &path,
        &new_authority(Config::default()),
        FixedClock::default().now(),
    )
    .unwrap();
    let home = open_home(&path).unwrap();
    let refused = Unlocked::open(home.clone(), &passphrase(ROOT_PASSPHRASE));
    assert!(matches!(refused, Err(Error::WrongPassphrase { .. })));
    let _first = Unlocked::open(home.clone(), &passphrase(PASSPHRASE)).unwrap();
    let refused = Unlocked::open(home, &passphrase(PASSPHRASE));
    assert!(matches!(
        refused,
        Err(Error::Storage(scb_storage::Error::HomeInUse { .. }))
    ));
}

#[test]
fn serving_needs_no_root_key() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cuhk");
    init(
        &path,
        &new_authority(Config::default()),
        FixedClock::default().now(),
    )
    .unwrap();
    fs::remove_file(path.join("root/key.pem")).unwrap();
    Unlocked::open(open_home(&path).unwrap(), &passphrase(PASSPHRASE)).unwrap();
}

#[tokio::test]
async fn own_certificates_are_kept_then_renewed_before_they_end() {
    let university = University::open().await;
    let first = university.connect().await.peer_chain().unwrap().clone();
    let university = university.restart().await;
    let kept = university.connect().await.peer_chain().unwrap().clone();
    assert_eq!(first, kept);
    university
        .clock
        .advance(Duration::from_secs(61 * 24 * 60 * 60));
    university.refresher.refresh().await.unwrap();
    let renewed = university.connect().await.peer_chain().unwrap().clone();
    assert_ne!(renewed.leaf().serial(), first.leaf().serial());
    assert_ne!(
        renewed.leaf().public_key().unwrap(),
        first.leaf().public_key().unwrap()
    );
    let keys = fs::read_dir(university.dir.path().join("cuhk/tls"))
        .unwrap()
        .count();
    assert_eq!(keys, 2, "one key and its chain");
}

#[tokio::test]
async fn a_revoked_own_certificate_is_replaced() {
    let university = University::open().await;
    let first = university.connect().await.peer_chain().unwrap().clone();
    university
        .revoke("service/cuhk", scb_certs::RevocationReason::KeyCompromise)
        .await;
    university.refresher.refresh().await.unwrap();
    let second = university.connect().await.peer_chain().unwrap().clone();
    assert_ne!(
        second.leaf().public_key().unwrap(),
        first.leaf().public_key().unwrap()
    );
}

#[tokio::test]
async fn the_roots_list_is_renewed_by_hand_and_handed_out() {
    let university = University::open().await;
    let blackboard = university.blackboard().await;
    let mut connection = university.connect_as(&blackboard).await;
    let before = status(ask(&mut connection, &Request::Status {}).await);
    let home = open_home(&university.dir.path().join("cuhk")).unwrap();
    let (store, now) = (university.store.clone(), university.clock.now());
    let signing = move || {
        let wrong = sign_root_list(&home, &store, &passphrase(PASSPHRASE), now);
        assert!(matches!(wrong, Err(Error::WrongPassphrase { .. })));
        sign_root_list(&home, &store, &passphrase(ROOT_PASSPHRASE), now).unwrap()
    };
    let crl = tokio::task::spawn_blocking(signing).await.unwrap();
    assert!(crl.number() > now.as_secs());
    assert!(status(ask(&mut connection, &Request::Status {}).await) > before);
}

#[test]
fn a_newer_database_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cuhk.db");
    Store::create(&path).unwrap().close_blocking();
    let database = rusqlite::Connection::open(&path).unwrap();
    database.pragma_update(None, "user_version", 1000).unwrap();
    drop(database);
    let refused = Store::open(&path).unwrap_err();
    assert!(matches!(
        refused,
        Error::Storage(scb_storage::Error::NewerDatabase { .. })
    ));
}

fn passphrase(text: &str) -> Passphrase {
    text.to_owned().into()
}
