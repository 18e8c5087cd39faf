//! Content files: what comes in, what goes out, what stays behind.

use std::{
    collections::HashSet,
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use ring::digest::{SHA256, digest};
use scb_storage::{ContentStore, Error};

use crate::support::{begun, mode};

fn fresh() -> (tempfile::TempDir, ContentStore) {
    let home = tempfile::tempdir().unwrap();
    let store = ContentStore::open(&home.path().join("content")).unwrap();
    (home, store)
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest(&SHA256, bytes).as_ref().try_into().unwrap()
}

async fn put(store: &ContentStore, bytes: &[u8]) -> Result<[u8; 32], Error> {
    let mut writer = store.begin(bytes.len() as u64).await?;
    for chunk in bytes.chunks(60_000) {
        writer.write(chunk).await?;
    }
    let hash = sha256(bytes);
    assert_eq!(writer.finish(hash).await?, bytes.len() as u64);
    Ok(hash)
}

/// Every file below the store but its lock.
fn files(home: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for dir in fs::read_dir(home.join("content")).unwrap() {
        let dir = dir.unwrap().path();
        if dir.is_dir() {
            found.extend(fs::read_dir(dir).unwrap().map(|file| file.unwrap().path()));
        }
    }
    found
}

#[tokio::test]
async fn gives_back_what_was_stored_of_any_size() {
    let (home, store) = fresh();
    for size in [0, 1, 60_000, 131_072, 131_073, 1_000_000] {
        let bytes = vec![size as u8; size];
        let hash = put(&store, &bytes).await.unwrap();
        assert_eq!(store.read(&hash).await.unwrap(), bytes);

        let dest = home.path().join("copy");
        assert_eq!(store.copy_to(&hash, &dest).await.unwrap(), size as u64);
        assert_eq!(fs::read(&dest).unwrap(), bytes);

        let mut read = Vec::new();
        let mut file = store.open_verified(&hash).await.unwrap();
        file.read_to_end(&mut read).unwrap();
        assert_eq!(read, bytes);
    }
    assert_eq!(files(home.path()).len(), 6);
}

#[tokio::test]
async fn names_the_file_by_its_hash_and_keeps_it_private() {
    let (home, store) = fresh();
    let hash = put(&store, b"abc").await.unwrap();
    let path = store.path_of(&hash);
    let name = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(path, home.path().join("content/ba").join(name));
    assert_eq!(files(home.path()), std::slice::from_ref(&path));
    assert_eq!(mode(&path), 0o600);
    for dir in ["content", "content/ba", "content/tmp"] {
        assert_eq!(mode(&home.path().join(dir)), 0o700, "{dir}");
    }
    assert_eq!(mode(&home.path().join("content/lock")), 0o600);
}

#[tokio::test]
async fn same_content_twice_is_one_file() {
    let (home, store) = fresh();
    let (one, two) = tokio::join!(put(&store, b"same"), put(&store, b"same"));
    assert_eq!(one.unwrap(), two.unwrap());
    assert_eq!(files(home.path()).len(), 1);
}

#[tokio::test]
async fn storing_again_mends_an_altered_file() {
    let (_home, store) = fresh();
    let hash = put(&store, b"report").await.unwrap();
    fs::write(store.path_of(&hash), b"repost").unwrap();
    put(&store, b"report").await.unwrap();
    assert_eq!(store.read(&hash).await.unwrap(), b"report");
}

#[tokio::test]
async fn refuses_an_altered_file() {
    let (home, store) = fresh();
    let bytes = vec![7; 300_000];
    let hash = put(&store, &bytes).await.unwrap();
    let path = store.path_of(&hash);
    for altered in [
        [&bytes[..299_999], &[6][..]].concat(),
        [&[6][..], &bytes[1..]].concat(),
        bytes[..299_999].to_vec(),
        [&bytes[..], &[7][..]].concat(),
        Vec::new(),
    ] {
        fs::write(&path, altered).unwrap();
        let dest = home.path().join("copy");
        for outcome in [
            store.read(&hash).await.map(|_| ()),
            store.open_verified(&hash).await.map(|_| ()),
            store.copy_to(&hash, &dest).await.map(|_| ()),
        ] {
            let error = outcome.unwrap_err();
            assert!(
                matches!(error, Error::Altered { .. }) && error.is_damaged(),
                "{error}"
            );
        }
        assert_eq!(
            fs::read_dir(home.path()).unwrap().count(),
            1,
            "no copy, nor part of one"
        );
    }
}

#[tokio::test]
async fn a_copy_may_have_a_name_as_long_as_names_can_be() {
    let (home, store) = fresh();
    let hash = put(&store, b"report").await.unwrap();
    let dest = home.path().join("é".repeat(127));
    store.copy_to(&hash, &dest).await.unwrap();
    assert_eq!(fs::read(&dest).unwrap(), b"report");
}

#[tokio::test]
async fn a_copy_that_cannot_be_written_is_the_targets_fault_and_leaves_nothing() {
    let (home, store) = fresh();
    let hash = put(&store, b"report").await.unwrap();
    let entries = || fs::read_dir(home.path()).unwrap().count();
    let before = entries();
    let too_long = home.path().join("é".repeat(128));
    let taken = home.path().join("taken");
    fs::create_dir(&taken).unwrap();
    for dest in [too_long, taken, home.path().join("none/copy")] {
        let error = store.copy_to(&hash, &dest).await.unwrap_err();
        assert!(
            matches!(&error, Error::Target { path, .. } if *path == dest),
            "{error}"
        );
        assert!(!error.is_damaged());
    }
    assert_eq!(entries(), before + 1);
}

#[tokio::test]
async fn refused_copy_leaves_what_was_there() {
    let (home, store) = fresh();
    let dest = home.path().join("copy");
    fs::write(&dest, b"older").unwrap();
    let hash = put(&store, b"report").await.unwrap();
    fs::write(store.path_of(&hash), b"repost").unwrap();
    store.copy_to(&hash, &dest).await.unwrap_err();
    assert_eq!(fs::read(&dest).unwrap(), b"older");
}

#[tokio::test]
async fn refuses_what_is_not_stored() {
    let (_home, store) = fresh();
    let error = store.read(&[1; 32]).await.unwrap_err();
    assert!(
        matches!(&error, Error::Missing { sha256 } if *sha256 == "01".repeat(32)),
        "{error}"
    );
}

#[tokio::test]
async fn refuses_another_hash_and_leaves_nothing() {
    let (home, store) = fresh();
    let mut writer = store.begin(100).await.unwrap();
    writer.write(b"report").await.unwrap();
    let expected = sha256(b"repost");
    let error = writer.finish(expected).await.unwrap_err();
    assert!(matches!(error, Error::HashMismatch { .. }), "{error}");
    assert_eq!(files(home.path()).len(), 0);
}

#[tokio::test]
async fn tells_the_hash_of_what_it_took_so_far() {
    let (_home, store) = fresh();
    let mut writer = store.begin(1 << 20).await.unwrap();
    assert_eq!(writer.sha256().await.unwrap(), sha256(b""));
    writer.write(b"rep").await.unwrap();
    assert_eq!(writer.sha256().await.unwrap(), sha256(b"rep"));
    writer.write(b"ort").await.unwrap();
    let hash = writer.sha256().await.unwrap();
    assert_eq!(hash, sha256(b"report"));
    writer.finish(hash).await.unwrap();
    assert_eq!(store.read(&hash).await.unwrap(), b"report");
}

#[tokio::test]
async fn tells_no_hash_after_an_error() {
    let (_home, store) = fresh();
    let mut writer = store.begin(3).await.unwrap();
    writer.write(b"report").await.unwrap_err();
    let error = writer.sha256().await.unwrap_err();
    assert!(matches!(error, Error::Closed), "{error}");
}

#[tokio::test]
async fn dropped_writer_leaves_nothing() {
    let (home, store) = fresh();
    let mut writer = store.begin(100).await.unwrap();
    writer.write(b"report").await.unwrap();
    assert_eq!(files(home.path()).len(), 1, "it is on its way");
    drop(writer);
    assert_eq!(files(home.path()).len(), 0);
}

#[test]
fn writer_dropped_while_it_writes_leaves_nothing() {
    let (home, store) = fresh();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut writer = store.begin(1 << 30).await.unwrap();
        writer.write(&vec![1; 8 << 20]).await.unwrap();
        writer.write(b"more").await.unwrap();
    });
    // Waits for what still runs.
    drop(runtime);
    assert_eq!(files(home.path()).len(), 0);
}

#[tokio::test]
async fn keeps_to_the_limit() {
    let (home, store) = fresh();
    let mut writer = store.begin(6).await.unwrap();
    writer.write(b"repo").await.unwrap();
    let error = writer.write(b"rts").await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { limit: 6 }), "{error}");
    assert_eq!(files(home.path()).len(), 0);
    let error = writer.write(b"").await.unwrap_err();
    assert!(matches!(error, Error::Closed), "{error}");
    let error = writer.finish(sha256(b"repo")).await.unwrap_err();
    assert!(matches!(error, Error::Closed), "{error}");

    let mut writer = store.begin(6).await.unwrap();
    writer.write(b"repo").await.unwrap();
    writer.write(b"rt").await.unwrap();
    assert_eq!(writer.taken(), 6);
    writer.finish(sha256(b"report")).await.unwrap();
}

#[test]
fn dropped_write_took_all_of_its_bytes_or_none() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(1)
        .build()
        .unwrap();
    let (_home, store) = fresh();
    runtime.block_on(async {
        let mut writer = store.begin(1 << 20).await.unwrap();
        writer.write(&[1; 131_072]).await.unwrap();
        let (open, opened) = std::sync::mpsc::channel::<()>();
        let held = tokio::task::spawn_blocking(move || opened.recv().unwrap());
        writer.write(&[2; 131_072]).await.unwrap();
        {
            let mut dropped = Box::pin(writer.write(&[3; 131_072]));
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            assert!(dropped.as_mut().poll(&mut context).is_pending());
        }
        open.send(()).unwrap();
        held.await.unwrap();
        assert_eq!(writer.taken(), 262_144);
        writer.write(b"end").await.unwrap();
        let whole = [&[1; 131_072][..], &[2; 131_072], b"end"].concat();
        writer.finish(sha256(&whole)).await.unwrap();
        assert_eq!(store.read(&sha256(&whole)).await.unwrap(), whole);
    });
}

#[tokio::test]
async fn opening_removes_what_a_crash_left() {
    let (home, store) = fresh();
    let hash = put(&store, b"kept").await.unwrap();
    drop(store);
    fs::File::create(home.path().join("content/tmp/leftover"))
        .unwrap()
        .write_all(b"half")
        .unwrap();
    let store = ContentStore::open(&home.path().join("content")).unwrap();
    assert_eq!(files(home.path()), [store.path_of(&hash)]);
}

#[tokio::test]
async fn opening_beside_a_writer_leaves_it_alone() {
    let (home, store) = fresh();
    let mut writer = store.begin(100).await.unwrap();
    writer.write(b"report").await.unwrap();
    drop(store);
    let beside = ContentStore::open(&home.path().join("content")).unwrap();
    writer.finish(sha256(b"report")).await.unwrap();
    assert_eq!(beside.read(&sha256(b"report")).await.unwrap(), b"report");
}

#[test]
fn finish_goes_on_when_its_caller_goes_away() {
    let (home, store) = fresh();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut writer = store.begin(100).await.unwrap();
        writer.write(b"report").await.unwrap();
        drop(begun(async move { writer.finish(sha256(b"report")).await }));
    });
    drop(runtime);
    for file in files(home.path()) {
        assert_eq!(
            file,
            store.path_of(&sha256(b"report")),
            "whole or not at all"
        );
    }
}

/// As if the content had been stored two days ago.
fn age(store: &ContentStore, hash: &[u8; 32]) {
    let file = fs::File::options().append(true).open(store.path_of(hash));
    let two_days_ago = SystemTime::now() - Duration::from_secs(2 * 24 * 3600);
    file.unwrap().set_modified(two_days_ago).unwrap();
}

#[tokio::test]
async fn sweeps_what_is_old_and_not_named_and_nothing_else() {
    let (home, store) = fresh();
    let forgotten = put(&store, b"forgotten").await.unwrap();
    let named = put(&store, b"named").await.unwrap();
    let young = put(&store, b"young").await.unwrap();
    for hash in [&forgotten, &named] {
        age(&store, hash);
    }
    // What is not content stays, however old.
    let name = store.path_of(&forgotten);
    let strange = name.with_file_name("notes.txt");
    let misplaced = home
        .path()
        .join("content/00")
        .join(name.file_name().unwrap());
    for path in [&strange, &misplaced] {
        fs::write(path, b"?").unwrap();
        let file = fs::File::options().append(true).open(path).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    }
    let yesterday = SystemTime::now() - Duration::from_secs(24 * 3600);
    let keep = HashSet::from([named]);
    assert_eq!(store.sweep_blocking(yesterday, &keep).unwrap(), 1);
    assert!(matches!(
        store.read(&forgotten).await,
        Err(Error::Missing { .. })
    ));
    for hash in [&named, &young] {
        store.read(hash).await.unwrap();
    }
    assert!(strange.exists() && misplaced.exists());
    assert_eq!(store.sweep_blocking(yesterday, &keep).unwrap(), 0);
}
