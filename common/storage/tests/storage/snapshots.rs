//! Copies of a database that is in use, and smaller files.

use std::fs;

use scb_storage::{Database, Error, compact, snapshot};

use crate::support::{NEW, fresh, insert, mode, notes};

#[test]
fn a_copy_made_amid_writes_is_a_whole_state_of_the_past() {
    let (home, db) = fresh();
    let writing = std::thread::spawn({
        let db = db.clone();
        move || {
            for n in 1..=300 {
                // Two rows or none: a copy in between would be odd.
                db.write_blocking(move |tx| {
                    insert(tx, 2 * n)?;
                    insert(tx, 2 * n + 1)
                })
                .unwrap();
            }
        }
    });
    for round in 0..10 {
        let copy = home.path().join(format!("copy-{round}"));
        snapshot(&home.path().join("db"), &copy).unwrap();
        assert_eq!(mode(&copy), 0o600);
        let copied = Database::open(&copy, &NEW).unwrap();
        assert_eq!(notes(&copied).len() % 2, 0);
        copied.close_blocking();
    }
    writing.join().unwrap();
    assert_eq!(notes(&db).len(), 600);
}

#[test]
fn nothing_is_copied_over_a_file_or_from_what_is_no_database() {
    let (home, db) = fresh();
    let (source, there) = (home.path().join("db"), home.path().join("there"));
    fs::write(&there, b"mine").unwrap();
    let refused = snapshot(&source, &there).unwrap_err();
    assert!(
        matches!(
            refused,
            Error::Io {
                action: "create",
                ..
            }
        ),
        "{refused}"
    );
    assert_eq!(fs::read(&there).unwrap(), b"mine");
    db.close_blocking();

    let copy = home.path().join("copy");
    let text = b"text, though long enough to be a page of a database".repeat(100);
    fs::write(&source, text).unwrap();
    assert!(snapshot(&source, &copy).unwrap_err().is_damaged());
    assert!(!copy.exists(), "half a copy");
}

#[test]
fn what_was_deleted_gives_its_room_back_while_others_read() {
    let (home, db) = fresh();
    let path = home.path().join("db");
    db.write_blocking(|tx| {
        for n in 1..=500 {
            tx.execute("INSERT INTO note VALUES (?1, randomblob(3000))", [n])?;
        }
        Ok::<_, Error>(())
    })
    .unwrap();
    compact(&path).unwrap();
    let full = fs::metadata(&path).unwrap().len();
    db.write_blocking(|tx| Ok::<_, Error>(tx.execute("DELETE FROM note WHERE n > 1", [])?))
        .unwrap();
    compact(&path).unwrap();
    assert!(fs::metadata(&path).unwrap().len() * 10 < full);
    assert_eq!(notes(&db), [1]);
}
