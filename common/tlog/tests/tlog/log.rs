//! The log on disk: growth, restarts, torn files and forks.

use std::fs;
use std::path::Path;

use scb_tlog::{
    Checkpoint, Error, Hash, HashReader, MAX_ENTRY, TileLog, Tiles, TreeHead, consistency_proof,
    inclusion_proof, inspect, root,
};
use tempfile::TempDir;

use crate::{Definition, entries, log_key, name};

fn log(count: usize, batch: usize) -> (TempDir, TileLog) {
    let directory = tempfile::tempdir().unwrap();
    let mut log = TileLog::open(directory.path()).unwrap();
    for entries in entries(count).chunks(batch) {
        log.append(entries).unwrap();
    }
    (directory, log)
}

fn files(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path.to_str().unwrap().to_owned());
        }
    }
    found.sort();
    found
}

/// Names of files below `tile/`.
fn tiles(directory: &Path) -> Vec<String> {
    let prefix = format!("{}/", directory.to_str().unwrap());
    let all = files(&directory.join("tile"));
    all.iter()
        .map(|path| path.strip_prefix(&prefix).unwrap().to_owned())
        .collect()
}

#[test]
fn the_files_are_those_of_the_specification() {
    let (directory, log) = log(513, 513);
    assert_eq!(
        tiles(directory.path()),
        [
            "tile/0/000",
            "tile/0/001",
            "tile/0/002.p/1",
            "tile/1/000.p/2",
            "tile/entries/000",
            "tile/entries/001",
            "tile/entries/002.p/1",
        ]
    );
    let tree = Definition::of(&entries(513));
    assert_eq!(log.head().root, tree.root(513));
    let level = fs::read(directory.path().join("tile/1/000.p/2")).unwrap();
    let second = tree.hashes(1, 1, 1).unwrap();
    assert_eq!(level[32..], *second[0].as_bytes());
    let bundle = fs::read(directory.path().join("tile/entries/002.p/1")).unwrap();
    assert_eq!(bundle, b"\x00\x09entry 512");
    assert_eq!(log.tiles().entry(512).unwrap(), b"entry 512");
}

#[test]
fn however_it_is_cut_into_batches_it_is_the_same_log() {
    let tree = Definition::of(&entries(700));
    for batch in [37, 256, 699, 700] {
        let (_directory, log) = log(700, batch);
        assert_eq!(log.head().root, tree.root(700), "{batch}");
        for size in [1, 255, 256, 257, 512, 699] {
            let root = root(&log.tiles(), size).unwrap();
            assert_eq!(root, tree.root(size), "{batch}, {size}");
        }
        for index in [0, 254, 255, 256, 511, 512, 699] {
            let proof = inclusion_proof(&log.tiles(), index, 700).unwrap();
            let entry = log.tiles().entry(index).unwrap();
            log.head().check_inclusion(&entry, index, &proof).unwrap();
        }
    }
}

#[test]
fn partial_tiles_stay_until_the_next_is_full() {
    let (directory, mut log) = log(5, 1);
    log.append(&entries(10)[5..]).unwrap();
    let early = log.tiles();
    assert!(directory.path().join("tile/0/000.p/5").exists());
    assert!(directory.path().join("tile/0/000.p/10").exists());
    log.append(&entries(300)[10..]).unwrap();
    assert!(directory.path().join("tile/0/000.p/10").exists());
    log.append(&entries(513)[300..]).unwrap();
    assert!(!directory.path().join("tile/0/000.p").exists());
    assert!(!directory.path().join("tile/entries/000.p").exists());
    // Somebody who still reads the smaller tree reads it from the full tile.
    let tree = Definition::of(&entries(10));
    assert_eq!(root(&early, 10).unwrap(), tree.root(10));
    assert_eq!(early.entry(9).unwrap(), b"entry 9");
    assert!(early.entry(10).is_err());
}

#[test]
fn a_log_goes_on_after_a_restart() {
    for count in [0, 1, 255, 256, 257, 513] {
        let (directory, log) = log(count, 100);
        let before = log.head();
        drop(log);
        let mut log = TileLog::open(directory.path()).unwrap();
        assert_eq!(log.head(), before);
        log.append(&entries(count + 300)[count..]).unwrap();
        let tree = Definition::of(&entries(count + 300));
        assert_eq!(log.head().root, tree.root(count as u64 + 300));
        let proof = consistency_proof(&log.tiles(), before.size, log.head().size).unwrap();
        before.check_growth(&log.head(), &proof).unwrap();
    }
}

#[test]
fn a_torn_tile_is_made_anew() {
    for count in [5, 300, 520] {
        let (directory, log) = log(count, count);
        let before = log.head();
        drop(log);
        for path in tiles(directory.path())
            .iter()
            .filter(|path| path.contains(".p/"))
        {
            if path.starts_with("tile/entries") {
                continue;
            }
            let whole = fs::read(directory.path().join(path)).unwrap();
            let mut altered = whole.clone();
            altered[3] ^= 1;
            let longer = [whole.as_slice(), b"x"].concat();
            for torn in [&whole[..whole.len() - 7], &[], &altered, &longer] {
                fs::write(directory.path().join(path), torn).unwrap();
                let log = TileLog::open(directory.path()).unwrap();
                assert_eq!(log.head(), before, "{path}");
                assert_eq!(fs::read(directory.path().join(path)).unwrap(), whole);
            }
            fs::remove_file(directory.path().join(path)).unwrap();
            assert_eq!(TileLog::open(directory.path()).unwrap().head(), before);
        }
    }
}

#[test]
fn what_a_crash_left_beyond_the_record_is_written_again() {
    let (directory, log) = log(300, 300);
    let head = fs::read(directory.path().join("head")).unwrap();
    let mut log = log;
    let recorded = log.head();
    log.append(&[b"lost by the crash"]).unwrap();
    drop(log);
    fs::write(directory.path().join("head"), head).unwrap();
    let mut log = TileLog::open(directory.path()).unwrap();
    assert_eq!(log.head(), recorded);
    log.append(&[b"another entry"]).unwrap();
    assert_eq!(log.tiles().entry(300).unwrap(), b"another entry");
    let proof = inclusion_proof(&log.tiles(), 300, 301).unwrap();
    log.head()
        .check_inclusion(b"another entry", 300, &proof)
        .unwrap();
}

#[test]
fn damage_to_what_was_signed_is_noticed() {
    let published = || {
        let (directory, mut log) = log(300, 300);
        let checkpoint = log.sign(&log_key()).unwrap();
        log.publish(&checkpoint).unwrap();
        directory
    };
    let damaged = |change: fn(&Path)| {
        let directory = published();
        TileLog::open(directory.path()).unwrap();
        change(directory.path());
        TileLog::open(directory.path())
    };
    let changes: [fn(&Path); 5] = [
        |log| fs::remove_file(log.join("head")).unwrap(),
        |log| fs::write(log.join("head"), "scb-tlog-head/1\n300\n").unwrap(),
        |log| {
            let root = Hash::of_nothing();
            fs::write(log.join("head"), format!("scb-tlog-head/1\n299\n{root}\n")).unwrap();
        },
        |log| fs::write(log.join("tile/entries/001.p/44"), "torn").unwrap(),
        |log| {
            let tiles = Tiles::new(log, 300);
            let root = root(&tiles, 299).unwrap();
            fs::write(log.join("head"), format!("scb-tlog-head/1\n299\n{root}\n")).unwrap();
        },
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let opened = damaged(change);
        assert!(opened.is_err(), "{number}");
    }
}

#[test]
fn a_checkpoint_is_never_contradicted() {
    let (_directory, mut log) = log(10, 10);
    let key = log_key();
    let first = log.sign(&key).unwrap();
    log.publish(&first).unwrap();
    log.append(&[b"one more"]).unwrap();
    let second = log.sign(&key).unwrap();
    log.publish(&second).unwrap();
    assert!(log.publish(&first).is_err(), "behind the published one");
    let origin = name("example.com/log");
    let head = TreeHead {
        size: 11,
        root: Hash::of_entry(b"another history"),
    };
    let forked = Checkpoint { origin, head }.sign(&key).unwrap();
    assert!(matches!(
        log.publish(&forked),
        Err(Error::GrowthUnproved { .. })
    ));
    let published = log.published().unwrap().unwrap().verify(key.verifier());
    assert_eq!(published.unwrap().head(), log.head());
}

#[test]
fn an_entry_that_is_too_long_changes_nothing() {
    let (directory, mut log) = log(3, 3);
    let before = log.head();
    let refused = log.append(&[vec![], vec![0; MAX_ENTRY + 1]]);
    assert!(matches!(refused, Err(Error::EntryTooLong(_))));
    assert_eq!(log.head(), before);
    log.append(&[vec![], vec![0; MAX_ENTRY]]).unwrap();
    assert_eq!(log.head().size, 5);
    drop(log);
    let log = TileLog::open(directory.path()).unwrap();
    assert_eq!(log.tiles().entry(4).unwrap().len(), MAX_ENTRY);
}

#[test]
fn a_failed_append_changes_nothing() {
    let (directory, mut log) = log(3, 3);
    let before = log.head();
    let tiles = directory.path().join("tile/0");
    let aside = directory.path().join("aside");
    fs::rename(&tiles, &aside).unwrap();
    fs::write(&tiles, "in the way").unwrap();
    assert!(log.append(&[b"entry 3"]).is_err());
    assert_eq!(log.head(), before);
    fs::remove_file(&tiles).unwrap();
    fs::rename(&aside, &tiles).unwrap();
    log.append(&[b"entry 3"]).unwrap();
    let tree = Definition::of(&entries(4));
    assert_eq!(log.head().root, tree.root(4));
}

/// What appending costs does not grow with the log: it reads nothing and writes its own tiles.
#[test]
fn appending_writes_no_more_to_a_large_log_than_to_a_small_one() {
    let written = |before: usize| {
        let directory = tempfile::tempdir().unwrap();
        let mut log = TileLog::open(directory.path()).unwrap();
        log.append(&vec![[0; 32]; before]).unwrap();
        let known = files(directory.path());
        log.append(&[b"one more"]).unwrap();
        let after = files(directory.path());
        let new = after.iter().filter(|path| !known.contains(path));
        new.map(|path| fs::metadata(path).unwrap().len())
            .sum::<u64>()
    };
    let (small, large) = (written(300), written(65_536 + 300));
    assert_eq!(small, large);
}

#[test]
fn a_look_changes_nothing_and_sees_every_flipped_byte() {
    let (directory, mut log) = log(600, 100);
    assert!(
        inspect(directory.path()).unwrap().is_none(),
        "not published"
    );
    let checkpoint = log.sign(&log_key()).unwrap();
    log.publish(&checkpoint).unwrap();
    // What came after the checkpoint is not looked at yet.
    log.append(&entries(601)[600..]).unwrap();
    let seen = inspect(directory.path()).unwrap().unwrap();
    assert_eq!(seen.head(), checkpoint.head());
    let covered = |path: &String| !path.contains(".p/") || path.ends_with(".p/88");
    for path in tiles(directory.path()).iter().filter(|path| covered(path)) {
        let path = directory.path().join(path);
        let good = fs::read(&path).unwrap();
        let mut bad = good.clone();
        let middle = bad.len() / 2;
        bad[middle] ^= 1;
        fs::write(&path, bad).unwrap();
        assert!(inspect(directory.path()).is_err(), "{}", path.display());
        fs::write(&path, good).unwrap();
    }
    inspect(directory.path()).unwrap();
}
