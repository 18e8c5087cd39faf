//! Opening a database: what is made, what is refused and left as it was.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Barrier},
    thread,
};

use rusqlite_migration::{M, Migrations};
use scb_storage::{Database, Error, Inspection, ReadOnly};

use crate::support::{NEW, OLD, fresh, insert, mode, notes, open};

/// A closed database of some pages, and its bytes.
fn stored() -> (tempfile::TempDir, PathBuf, Vec<u8>) {
    let (home, db) = fresh();
    for n in 1..=20 {
        db.write_blocking(move |tx| {
            tx.execute("INSERT INTO note VALUES (?1, randomblob(3000))", [n])?;
            Ok::<_, Error>(())
        })
        .unwrap();
    }
    db.close_blocking();
    let path = home.path().join("db");
    let bytes = fs::read(&path).unwrap();
    (home, path, bytes)
}

fn refused(path: &Path) -> Error {
    let before = fs::read(path).unwrap();
    let error = Database::open(path, &NEW).unwrap_err();
    assert_eq!(fs::read(path).unwrap(), before, "the file is as it was");
    error
}

fn assert_damaged(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    let error = refused(path);
    assert!(matches!(error, Error::Damaged { .. }), "{error:?}");
    assert!(error.is_damaged());
    let message = error.to_string();
    assert!(message.contains(path.to_str().unwrap()), "{message}");
    assert!(message.contains("is damaged"), "{message}");
}

#[test]
fn creates_private_files_and_nothing_else() {
    let (home, db) = fresh();
    db.write_blocking(|tx| insert(tx, 1)).unwrap();
    let mut names = Vec::new();
    for entry in fs::read_dir(home.path()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        names.push(path.file_name().unwrap().to_owned());
    }
    names.sort();
    assert_eq!(names, ["db", "db-shm", "db-wal"]);
}

#[test]
fn writes_with_the_settings_that_make_it_durable() {
    let (_home, db) = fresh();
    db.write_blocking(|tx| {
        for (pragma, expected) in [
            ("synchronous", "2"),
            ("foreign_keys", "1"),
            ("trusted_schema", "0"),
            ("busy_timeout", "5000"),
        ] {
            let found: i64 = tx.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0))?;
            assert_eq!(found.to_string(), expected, "{pragma}");
        }
        let journal: String = tx.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
        assert_eq!(journal, "wal");
        Ok::<_, Error>(())
    })
    .unwrap();
    let orphan = db.write_blocking(|tx| {
        tx.execute("INSERT INTO tag VALUES (77)", [])?;
        Ok::<_, Error>(())
    });
    assert!(matches!(orphan, Err(Error::Database(_))));
}

#[test]
fn migrates_an_older_schema_and_keeps_its_rows() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("db");
    let old = Database::open(&path, &OLD).unwrap();
    old.write_blocking(|tx| insert(tx, 1)).unwrap();
    old.close_blocking();
    let new = open(&path);
    assert_eq!(notes(&new), [1]);
    new.write_blocking(|tx| Ok::<_, Error>(tx.execute("INSERT INTO tag VALUES (1)", [])?))
        .unwrap();
}

#[test]
fn refuses_a_newer_schema_and_leaves_file_and_log_alone() {
    let (home, db) = fresh();
    db.write_blocking(|tx| insert(tx, 1)).unwrap();
    // What a killed process leaves: a file and a log that still holds rows.
    let copy = tempfile::tempdir().unwrap();
    let path = copy.path().join("db");
    for name in ["db", "db-wal"] {
        fs::copy(home.path().join(name), copy.path().join(name)).unwrap();
    }
    let log = fs::read(copy.path().join("db-wal")).unwrap();
    let before = fs::read(&path).unwrap();
    assert!(!log.is_empty());

    let error = Database::open(&path, &OLD).unwrap_err();
    assert!(
        matches!(
            error,
            Error::NewerDatabase {
                found: 2,
                known: 1,
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(error.code(), "newer_database");
    assert!(error.remedy().unwrap().contains("newer version"));
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(fs::read(copy.path().join("db-wal")).unwrap(), log);

    assert_eq!(notes(&open(&path)), [1]);
}

#[test]
fn refuses_a_truncated_file() {
    let (_home, path, whole) = stored();
    for length in [
        0,
        1,
        99,
        100,
        4000,
        4096,
        whole.len() / 2,
        whole.len() - 4096,
        whole.len() - 1,
    ] {
        assert_damaged(&path, &whole[..length]);
    }
    fs::write(&path, &whole).unwrap();
    assert_eq!(notes(&open(&path)).len(), 20);
}

#[test]
fn refuses_a_damaged_file() {
    let (_home, path, whole) = stored();
    assert_damaged(&path, b"sid,name\n1155000001,Chan\n");
    assert_damaged(&path, &vec![0xa5; whole.len()]);
    for at in [0, 4096, 8192] {
        let mut bytes = whole.clone();
        bytes[at..at + 64].fill(0xff);
        assert_damaged(&path, &bytes);
    }
}

#[test]
fn one_in_use_is_opened_without_a_look_at_every_page() {
    let (_home, path, whole) = stored();
    let mut bytes = whole.clone();
    // A page of rows in the middle.
    let page = whole.len() / 8192 * 4096;
    bytes[page..page + 64].fill(0xff);
    fs::write(&path, &bytes).unwrap();
    assert!(Database::open(&path, &NEW).unwrap_err().is_damaged());
    let beside = Database::open_in_use(&path, &NEW).unwrap();
    let read = beside.read_blocking(|conn| {
        conn.query_row("SELECT count(length(body)) FROM note", [], |row| row.get(0))
            .map_err(Error::from)
    });
    let read: Result<i64, Error> = read;
    assert!(read.unwrap_err().is_damaged(), "whoever reads it notices");
    beside.close_blocking();

    for wrong in [
        &whole[..0],
        &whole[..whole.len() - 1],
        b"sid,name\n".as_slice(),
    ] {
        fs::write(&path, wrong).unwrap();
        assert!(Database::open_in_use(&path, &NEW).unwrap_err().is_damaged());
    }
    fs::write(&path, &whole).unwrap();
    let newer = Database::open_in_use(&path, &OLD).unwrap_err();
    assert!(matches!(newer, Error::NewerDatabase { .. }), "{newer}");
    assert_eq!(
        notes(&Database::open_in_use(&path, &NEW).unwrap()).len(),
        20
    );
}

#[test]
fn refuses_a_log_whose_database_is_gone() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("db");
    fs::write(home.path().join("db-wal"), b"rows that belong to something").unwrap();
    let error = Database::open(&path, &NEW).unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error:?}");
    assert!(!path.exists());

    fs::remove_file(home.path().join("db-wal")).unwrap();
    open(&path);
}

#[test]
fn what_a_crash_left_half_made_is_no_database() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join(".db.new"), b"half").unwrap();
    let db = open(&home.path().join("db"));
    assert_eq!(notes(&db), [0; 0]);
    assert!(!home.path().join(".db.new").exists());
}

#[test]
fn failed_migration_leaves_the_old_schema() {
    let (_home, path, _) = stored();
    let broken = Migrations::new(vec![
        M::up("SELECT 1"),
        M::up("SELECT 1"),
        M::up("CREATE TABLE extra (n INTEGER)"),
        M::up("CREATE TABLE note (n INTEGER)"),
    ]);
    let error = Database::open(&path, &broken).unwrap_err();
    assert!(matches!(error, Error::Migration { .. }), "{error:?}");

    let db = open(&path);
    let extra: i64 = db
        .read_blocking(|conn| {
            let query = "SELECT count(*) FROM sqlite_schema WHERE name = 'extra'";
            Ok::<_, Error>(conn.query_row(query, [], |row| row.get(0))?)
        })
        .unwrap();
    assert_eq!(extra, 0);
}

#[test]
fn failed_creation_leaves_nothing() {
    let home = tempfile::tempdir().unwrap();
    let broken = Migrations::new(vec![M::up("no SQL")]);
    let error = Database::open(&home.path().join("db"), &broken).unwrap_err();
    assert!(matches!(error, Error::Migration { .. }), "{error:?}");
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn many_that_open_at_once_migrate_once() {
    let home = tempfile::tempdir().unwrap();
    let path = Arc::new(home.path().join("db"));
    let start = Arc::new(Barrier::new(8));
    let openers: Vec<_> = (1..=8)
        .map(|n| {
            let (path, start) = (Arc::clone(&path), Arc::clone(&start));
            thread::spawn(move || {
                start.wait();
                let db = open(&path);
                db.write_blocking(move |tx| insert(tx, n)).unwrap();
            })
        })
        .collect();
    for opener in openers {
        opener.join().unwrap();
    }
    assert_eq!(notes(&open(&path)), [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn looking_at_a_database_tells_its_schema_and_changes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("db");
    Database::open(&path, &OLD).unwrap().close_blocking();
    let before = fs::read(&path).unwrap();
    let seen = Inspection::of(&path, &NEW).unwrap();
    assert_eq!((seen.schema, seen.pending), (1, 1));
    assert_eq!(seen.problems, [""; 0]);
    assert_eq!(fs::read(&path).unwrap(), before);

    open(&path).close_blocking();
    assert_eq!(Inspection::of(&path, &OLD).unwrap().pending, -1);
    assert!(Inspection::of(&home.path().join("none"), &NEW).is_err());
    fs::write(&path, b"not a database, though long enough".repeat(100)).unwrap();
    assert!(Inspection::of(&path, &NEW).is_err());
}

/// As a write that never came leaves it, and as SQLite makes one of that.
#[test]
fn an_empty_database_is_damaged_for_everybody() {
    let (home, path, _) = stored();
    let copy = home.path().join("copy");
    let blank = home.path().join("blank");
    let made = rusqlite::Connection::open(&blank).unwrap();
    made.execute_batch("CREATE TABLE t (n); DROP TABLE t")
        .unwrap();
    made.close().unwrap();
    for content in [Vec::new(), fs::read(&blank).unwrap()] {
        fs::write(&path, &content).unwrap();
        for refused in [
            Database::open(&path, &NEW).map(drop),
            Database::open_existing(&path, &NEW).map(drop),
            Inspection::of(&path, &NEW).map(drop),
            ReadOnly::open(&path, &NEW).map(drop),
            scb_storage::snapshot(&path, &copy),
        ] {
            let error = refused.unwrap_err();
            let named = matches!(&error, Error::Damaged { path: of, .. } if *of == path);
            assert!(named, "{} bytes: {error:?}", content.len());
        }
        assert!(!copy.exists(), "half a copy");
        assert_eq!(fs::read(&path).unwrap(), content);
    }
}

#[test]
fn what_is_only_read_is_read_as_it_is_or_not_at_all() {
    let (home, db) = fresh();
    let path = home.path().join("db");
    db.write_blocking(|tx| insert(tx, 7)).unwrap();
    let beside = ReadOnly::open(&path, &NEW).unwrap();
    let count = |conn: &rusqlite::Connection| {
        let sql = "SELECT count(*) FROM note WHERE n > 0";
        Ok::<i64, Error>(conn.query_row(sql, [], |row| row.get(0))?)
    };
    assert_eq!(beside.read(count).unwrap(), 1);
    db.write_blocking(|tx| insert(tx, 8)).unwrap();
    assert_eq!(beside.read(count).unwrap(), 2);
    let write = |conn: &rusqlite::Connection| Ok::<_, Error>(conn.execute("DELETE FROM note", [])?);
    assert!(beside.read(write).is_err());
    assert_eq!(
        ReadOnly::open(&path, &OLD).unwrap_err().code(),
        "newer_database"
    );
    let older = home.path().join("older");
    Database::open(&older, &OLD).unwrap().close_blocking();
    let before = fs::read(&older).unwrap();
    let refused = ReadOnly::open(&older, &NEW).unwrap_err();
    assert_eq!(refused.code(), "older_database");
    assert!(refused.remedy().unwrap().contains("start the server"));
    assert_eq!(fs::read(&older).unwrap(), before);
}

#[test]
fn what_was_there_before_is_never_made_anew() {
    let (home, path, bytes) = stored();
    Database::open_existing(&path, &NEW)
        .unwrap()
        .close_blocking();
    fs::remove_file(&path).unwrap();
    let copy = home.path().join("copy");
    for refused in [
        Database::open_existing(&path, &NEW).map(drop),
        Inspection::of(&path, &NEW).map(drop),
        scb_storage::snapshot(&path, &copy),
    ] {
        let error = refused.unwrap_err();
        assert_eq!(error.code(), "database_gone");
        assert!(
            error.to_string().contains(path.to_str().unwrap()),
            "{error}"
        );
        assert!(error.remedy().unwrap().contains("backup"), "{error}");
    }
    let left = fs::read_dir(home.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    assert!(
        left.map(|name| name.into_string().unwrap())
            .all(|name| !["db", "copy"].contains(&name.as_str()))
    );
    fs::write(&path, bytes).unwrap();
    let db = Database::open_existing(&path, &NEW).unwrap();
    assert_eq!(notes(&db).len(), 20);
}
