//! Contents that come in parts.

use std::fs;
use std::path::{Path, PathBuf};

use ring::digest::{SHA256, digest};
use scb_storage::{ContentStore, Error, Upload, UploadId};

const ID: UploadId = [7; 16];
const SIZE: u64 = 300_000;

fn fresh() -> (tempfile::TempDir, ContentStore) {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    (home, store)
}

fn open(home: &Path) -> ContentStore {
    ContentStore::open(&home.join("content")).unwrap()
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest(&SHA256, bytes).as_ref().try_into().unwrap()
}

fn content() -> Vec<u8> {
    (0..SIZE).map(|n| (n % 251) as u8).collect()
}

fn part(home: &Path, index: usize) -> PathBuf {
    let dir = home.join("content/uploads").join("07".repeat(16));
    dir.join(index.to_string())
}

/// Takes these bytes in, after those that are there.
async fn take(upload: &mut Upload, index: usize, bytes: &[u8], size: u64) {
    let nothing = upload.received().nth(index).unwrap().0 == 0;
    let mut writer = upload.writer(index, nothing, size).await.unwrap();
    for chunk in bytes.chunks(60_000) {
        writer.write(chunk).await.unwrap();
    }
    upload.keep(index, writer).await.unwrap();
}

/// What is there of the first content.
fn first(upload: &Upload) -> (u64, [u8; 32]) {
    upload.received().next().unwrap()
}

#[tokio::test]
async fn goes_on_where_it_was_interrupted_also_after_a_restart() {
    let (home, store) = fresh();
    let content = content();
    let mut upload = store.upload(&ID, vec![SIZE]).await.unwrap();
    assert_eq!(first(&upload), (0, sha256(b"")));
    take(&mut upload, 0, &content[..100_000], SIZE).await;
    drop((upload, store));

    let store = open(home.path());
    let mut upload = store.upload(&ID, vec![SIZE]).await.unwrap();
    assert_eq!(first(&upload), (100_000, sha256(&content[..100_000])));
    take(&mut upload, 0, &content[100_000..], SIZE).await;
    assert_eq!(first(&upload), (SIZE, sha256(&content)));
    upload.store(vec![sha256(&content)]).await.unwrap();
    assert_eq!(store.read(&sha256(&content)).await.unwrap(), content);
    assert_eq!(store.uploads_blocking().unwrap(), [ID]);
    upload.discard().await.unwrap();
    assert_eq!(store.uploads_blocking().unwrap(), [[0; 16]; 0]);
    assert_eq!(store.read(&sha256(&content)).await.unwrap(), content);
}

#[tokio::test]
async fn several_contents_some_of_them_empty_or_the_same() {
    let (_home, store) = fresh();
    let contents: [&[u8]; 4] = [b"one", b"", b"two", b"one"];
    let sizes = contents.iter().map(|content| content.len() as u64);
    let mut upload = store.upload(&ID, sizes.collect()).await.unwrap();
    for (index, content) in contents.iter().enumerate().filter(|(_, c)| !c.is_empty()) {
        take(&mut upload, index, content, content.len() as u64).await;
    }
    let hashes = contents.map(sha256);
    upload.store(hashes.to_vec()).await.unwrap();
    for (content, hash) in contents.iter().zip(&hashes) {
        assert_eq!(store.read(hash).await.unwrap(), *content);
    }
}

#[tokio::test]
async fn what_the_disk_gives_back_altered_is_not_stored() {
    let (home, store) = fresh();
    let content = content();
    let mut upload = store.upload(&ID, vec![SIZE]).await.unwrap();
    take(&mut upload, 0, &content, SIZE).await;
    let mut altered = content.clone();
    altered[200_000] ^= 1;
    fs::write(part(home.path(), 0), &altered).unwrap();
    let error = upload.store(vec![sha256(&content)]).await.unwrap_err();
    assert!(matches!(error, Error::HashMismatch { .. }), "{error}");
    assert!(!store.path_of(&sha256(&content)).exists());
    assert!(!part(home.path(), 0).exists(), "it is no beginning of it");
}

#[tokio::test]
async fn beginning_anew_does_not_touch_what_is_stored() {
    let (home, store) = fresh();
    let content = content();
    let mut upload = store.upload(&ID, vec![SIZE]).await.unwrap();
    take(&mut upload, 0, &content, SIZE).await;
    // Here the process dies, before anything names what is stored: the upload is still there, and
    // is stored again.
    for _ in 0..2 {
        upload.store(vec![sha256(&content)]).await.unwrap();
        let left = fs::read_dir(home.path().join("content/tmp")).unwrap();
        assert_eq!(left.count(), 0);
    }
    let mut upload = store.upload(&ID, vec![SIZE]).await.unwrap();
    assert_eq!(first(&upload).0, SIZE);
    let mut writer = upload.writer(0, true, SIZE).await.unwrap();
    writer.write(b"something else").await.unwrap();
    upload.keep(0, writer).await.unwrap();
    assert_eq!(first(&upload), (14, sha256(b"something else")));
    assert_eq!(fs::read(part(home.path(), 0)).unwrap(), b"something else");
    assert_eq!(store.read(&sha256(&content)).await.unwrap(), content);
}

#[tokio::test]
async fn more_than_there_can_be_is_no_beginning() {
    let (home, store) = fresh();
    let mut upload = store.upload(&ID, vec![10]).await.unwrap();
    take(&mut upload, 0, b"0123456789", 10).await;
    let upload = store.upload(&ID, vec![9]).await.unwrap();
    assert_eq!(first(&upload), (0, sha256(b"")));
    assert!(!part(home.path(), 0).exists());
}

#[tokio::test]
async fn keeps_to_the_size_and_keeps_what_came_before() {
    let (_home, store) = fresh();
    let mut upload = store.upload(&ID, vec![6]).await.unwrap();
    take(&mut upload, 0, b"rep", 6).await;
    let mut writer = upload.writer(0, false, 6).await.unwrap();
    let error = writer.write(b"orts").await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { limit: 6 }), "{error}");
    let error = upload.keep(0, writer).await.unwrap_err();
    assert!(matches!(error, Error::Closed), "{error}");
    let upload = store.upload(&ID, vec![6]).await.unwrap();
    assert_eq!(first(&upload), (3, sha256(b"rep")));
}

#[tokio::test]
async fn what_is_forgotten_is_gone_and_nothing_else() {
    let (home, store) = fresh();
    let mut upload = store.upload(&ID, vec![3, 3]).await.unwrap();
    take(&mut upload, 0, b"one", 3).await;
    take(&mut upload, 1, b"two", 3).await;
    upload.forget(0).await.unwrap();
    let sizes: Vec<u64> = upload.received().map(|(size, _)| size).collect();
    assert_eq!(sizes, [0, 3]);
    assert!(!part(home.path(), 0).exists() && part(home.path(), 1).exists());
    store.discard_upload_blocking(&ID).unwrap();
    store.discard_upload_blocking(&ID).unwrap();
    assert!(!part(home.path(), 1).exists());
}
