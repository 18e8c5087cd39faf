//! One server per home.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use scb_storage::{Error, HomeLock};

use crate::support::{child, home_from_parent, mode, say};

#[test]
fn refuses_a_second_lock_and_names_the_holder() {
    let home = tempfile::tempdir().unwrap();
    let _held = HomeLock::acquire(home.path(), "cuhk").unwrap();
    let refused = HomeLock::acquire(home.path(), "cuhk").unwrap_err();
    assert!(
        matches!(&refused, Error::HomeInUse { path, pid } if path == home.path() && *pid == Some(std::process::id())),
        "{refused}"
    );
    assert!(!refused.is_busy());
}

#[test]
fn takes_a_home_that_was_let_go() {
    let home = tempfile::tempdir().unwrap();
    drop(HomeLock::acquire(home.path(), "cuhk").unwrap());
    HomeLock::acquire(home.path(), "blackboard").unwrap();
    assert_eq!(mode(&home.path().join("lock")), 0o600);
    let note = std::fs::read_to_string(home.path().join("lock")).unwrap();
    assert_eq!(note, format!("{} blackboard\n", std::process::id()));
}

#[test]
fn tells_what_the_holder_has_noted_and_nothing_of_one_that_is_gone() {
    let home = tempfile::tempdir().unwrap();
    assert_eq!(HomeLock::noted(home.path()), None);
    let mut held = HomeLock::acquire(home.path(), "cuhk").unwrap();
    assert_eq!(HomeLock::noted(home.path()).as_deref(), Some(""));
    held.note(home.path(), "opened by the first key").unwrap();
    let noted = HomeLock::noted(home.path());
    assert_eq!(noted.as_deref(), Some("opened by the first key"));
    drop(held);
    assert_eq!(HomeLock::noted(home.path()), None);
    let _next = HomeLock::acquire(home.path(), "cuhk").unwrap();
    assert_eq!(HomeLock::noted(home.path()).as_deref(), Some(""));
}

#[test]
fn tells_whether_a_home_is_held_without_getting_in_the_way() {
    let home = tempfile::tempdir().unwrap();
    assert!(!HomeLock::is_held(home.path()), "nobody ever held it");
    let held = HomeLock::acquire(home.path(), "cuhk").unwrap();
    assert!(HomeLock::is_held(home.path()));
    drop(held);
    assert!(!HomeLock::is_held(home.path()));

    let path = home.path().to_owned();
    let looking = std::thread::spawn(move || {
        let times = (0..2000).filter(|_| HomeLock::is_held(&path));
        times.count()
    });
    for _ in 0..200 {
        drop(HomeLock::acquire(home.path(), "cuhk").unwrap());
    }
    looking.join().unwrap();
}

#[test]
fn refuses_a_home_that_is_not_there() {
    let home = tempfile::tempdir().unwrap();
    let refused = HomeLock::acquire(&home.path().join("none"), "cuhk").unwrap_err();
    assert!(matches!(refused, Error::Io { .. }), "{refused}");
}

#[test]
fn refuses_a_home_held_by_another_process_until_it_is_killed() {
    if let Some(home) = home_from_parent() {
        let _held = HomeLock::acquire(&home, "cuhk").unwrap();
        say("held");
        std::io::stdin().read_line(&mut String::new()).unwrap();
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let mut holder = child(
        "lock::refuses_a_home_held_by_another_process_until_it_is_killed",
        home.path(),
    )
    .stdin(Stdio::piped())
    .stdout(Stdio::piped())
    .spawn()
    .unwrap();
    let mut lines = BufReader::new(holder.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "held"));

    let refused = HomeLock::acquire(home.path(), "cuhk").unwrap_err();
    assert!(
        matches!(refused, Error::HomeInUse { pid, .. } if pid == Some(holder.id())),
        "{refused}"
    );

    holder.kill().unwrap();
    holder.wait().unwrap();
    HomeLock::acquire(home.path(), "cuhk").unwrap();
}
