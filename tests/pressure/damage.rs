//! A database that is truncated, damaged, or from a newer version of the program.

use std::fs;
use std::path::{Path, PathBuf};

use crate::campus::{Campus, Ran, Server, program, serve, serve_at};
use crate::ledger::Ledger;

/// What is wrong with a database file, and what the program must say of it.
type Wrong = (&'static str, fn(&[u8]) -> Vec<u8>, &'static str);

const WRONGS: [Wrong; 6] = [
    ("empty", |_| Vec::new(), "damaged"),
    (
        "truncated",
        |whole| whole[..whole.len() / 2].to_vec(),
        "damaged",
    ),
    (
        "cut in a page",
        |whole| whole[..whole.len() - 7].to_vec(),
        "damaged",
    ),
    (
        "another kind of file",
        |whole| overwritten(whole, 0, b"PK\x03\x04"),
        "damaged",
    ),
    (
        "overwritten",
        |whole| overwritten(whole, 4096, &[0xa5; 4096]),
        "damaged",
    ),
    // The schema's version: big-endian, at offset 60 of the header.
    (
        "newer",
        |whole| overwritten(whole, 60, &99u32.to_be_bytes()),
        "newer version",
    ),
];

fn overwritten(whole: &[u8], at: usize, with: &[u8]) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    bytes[at..at + with.len()].copy_from_slice(with);
    bytes
}

#[test]
fn a_wrong_database_is_named_and_left_as_it_is() {
    let mut campus = Campus::sandbox();
    let mut ledger = Ledger::default();
    ledger.note(&campus.student(&["submit", "--json"]).succeeded());
    campus.blackboard.stop();
    for (name, file) in [("blackboard", "blackboard.db"), ("cuhk", "cuhk.db")] {
        if name == "cuhk" {
            campus.cuhk.stop();
        }
        refuses_each_wrong(&campus, name, &campus.path().join(name).join(file));
    }
    campus.cuhk = start_again(&campus, "cuhk", &campus.cuhk);
    campus.blackboard = start_again(&campus, "blackboard", &campus.blackboard);
    ledger.is_all_of(&campus);
    campus.student(&["submit"]).succeeded();
}

fn start_again(campus: &Campus, name: &str, stopped: &Server) -> Server {
    Server::start(name, &serve_at(&campus.path(), &stopped.address()))
}

fn refuses_each_wrong(campus: &Campus, name: &str, database: &Path) {
    let whole = fs::read(database).unwrap();
    for (wrong, make, expected) in WRONGS {
        let bytes = make(&whole);
        fs::write(database, &bytes).unwrap();
        let ran = Ran::of(program(name).args(serve(&campus.path())));
        assert_eq!(ran.exit, Some(5), "{name}, {wrong}: {ran:#?}");
        let path = database.to_str().unwrap();
        assert!(ran.stderr.contains(path), "{name}, {wrong}: {ran:#?}");
        assert!(ran.stderr.contains(expected), "{name}, {wrong}: {ran:#?}");
        assert!(
            fs::read(database).unwrap() == bytes,
            "{name}, {wrong}: changed"
        );
        assert_eq!(logs(database), Vec::<PathBuf>::new(), "{name}, {wrong}");
    }
    fs::write(database, &whole).unwrap();
}

/// What SQLite would leave beside the file, had anything been written.
fn logs(database: &Path) -> Vec<PathBuf> {
    let beside = |suffix| PathBuf::from(format!("{}-{suffix}", database.display()));
    let filled = |path: &PathBuf| fs::metadata(path).is_ok_and(|found| found.len() > 0);
    ["wal", "journal"]
        .map(beside)
        .into_iter()
        .filter(filled)
        .collect()
}
