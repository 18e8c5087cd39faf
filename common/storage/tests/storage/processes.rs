//! Several processes on one file, and processes that are killed.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use crate::support::{child, fresh, home_from_parent, insert, notes, open, say};

#[test]
fn command_line_and_server_write_beside_each_other() {
    if let Some(home) = home_from_parent() {
        let db = open(&home.join("db"));
        say("opened");
        for n in 101..=200 {
            db.write_blocking(move |tx| insert(tx, n)).unwrap();
        }
        assert!(notes(&db).len() >= 100);
        db.close_blocking();
        return;
    }
    let (home, db) = fresh();
    let mut beside = child(
        "processes::command_line_and_server_write_beside_each_other",
        home.path(),
    )
    .stdout(Stdio::piped())
    .spawn()
    .unwrap();
    let mut lines = BufReader::new(beside.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "opened"));
    for n in 1..=100 {
        db.write_blocking(move |tx| insert(tx, n)).unwrap();
    }
    for _ in lines {}
    assert!(beside.wait().unwrap().success());
    assert_eq!(notes(&db), Vec::from_iter(1..=200));
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    if let Some(home) = home_from_parent() {
        let db = open(&home.join("db"));
        for n in 1.. {
            db.write_blocking(move |tx| insert(tx, n)).unwrap();
            say(&format!("stored {n}"));
        }
    }
    let home = tempfile::tempdir().unwrap();
    for round in 1..=3 {
        let stored = kill_after(home.path(), 200 * round);
        let db = open(&home.path().join("db"));
        let found = notes(&db);
        let count = i64::try_from(found.len()).unwrap();
        assert_eq!(found, Vec::from_iter(1..=count));
        assert!(count >= stored, "{stored} acknowledged, {count} found");
        db.write_blocking(|tx| Ok::<_, scb_storage::Error>(tx.execute("DELETE FROM note", [])?))
            .unwrap();
    }
}

/// Runs the writing child, kills it some time after it acknowledged `n`, and says what
/// it acknowledged last.
fn kill_after(home: &std::path::Path, n: i64) -> i64 {
    let mut writing = child("processes::what_was_acknowledged_survives_a_kill", home)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(writing.stdout.take().unwrap()).lines();
    let mut last = 0;
    for line in lines {
        if let Some(number) = line.unwrap().strip_prefix("stored ") {
            // The kill may cut the last line short, which only makes it smaller.
            last = last.max(number.parse().unwrap_or(0));
        }
        if last == n {
            writing.kill().unwrap();
        }
    }
    writing.wait().unwrap();
    assert!(last >= n);
    last
}
