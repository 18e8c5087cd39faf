//! A CUHK that is put back from backups after a clock was ahead: no number is used a second time, and where
//! nobody here can know of one, whoever has seen it says which.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use scb_cuhk::{Store, issue_code};
use scb_testkit::FixedClock;
use scb_transport::{Clock, SystemClock};

use crate::campus::{Campus, LONG, copy, get, version, wait_for, write_secret};
use crate::monitoring::{Watched, on, put_back, serve_from, watched};

const TWO_YEARS: Duration = Duration::from_secs(2 * 365 * 24 * 60 * 60);

/// Something of this student is recorded by a clock that is two years ahead.
pub(crate) fn record_ahead(home: &Path, of: &str) {
    let clock = FixedClock::new(SystemClock.now());
    clock.advance(TWO_YEARS);
    let (then, subject) = (clock.now(), of.parse().unwrap());
    let store = Store::open(&home.join("cuhk.db")).unwrap();
    store
        .write_blocking(move |records| issue_code(records, &subject, true, then).map(drop))
        .unwrap();
    store.close_blocking();
}

/// Blackboard, which has seen all lists so far, takes the present ones.
#[track_caller]
fn hands_in(campus: &Campus) {
    let report = version(campus.outside());
    let submit = ["submit", "--ids", "1155000001", "--wait", "60", &report];
    campus.student(&submit).succeeded();
}

#[test]
fn no_number_is_given_twice_after_a_clock_was_ahead_and_what_nobody_could_know_is_told() {
    let Watched {
        mut campus,
        blackboard,
        dir,
        ..
    } = watched();
    let home = campus.path().join("cuhk");
    let passphrase = campus.path().join("cuhk.passphrase");
    let flag = ["--root-passphrase-file", passphrase.to_str().unwrap()];
    let sign = [&["root", "sign-crl"][..], &flag].concat();
    let enrolled = campus.student(&["enrol", "--ids", "1155000001"]);
    enrolled.succeeded();
    let [old, night] = ["old.zip", "night.zip"].map(|name| dir.path().join(name));
    on(&home, &["backup", old.to_str().unwrap()]).succeeded();
    campus.cuhk.stop();
    record_ahead(&home, "1155000002");
    on(&home, &["--clock-is-right", "prune"]).succeeded();
    serve_from(&mut campus, &home);
    hands_in(&campus);
    on(&home, &["backup", night.to_str().unwrap()]).succeeded();

    let mut present = home;
    for round in 0..3 {
        let next = dir.path().join(format!("again-{round}"));
        put_back(&mut campus, &night, &present, &next);
        on(&next, &sign).succeeded();
        hands_in(&campus);
        // As many as a busy term has.
        on(&next, &["keys", "rotate", "tokens"]).succeeded();
        present = next;
    }
    // A backup of the home that was put back, and then the older one again.
    let later = dir.path().join("later.zip");
    on(&present, &["backup", later.to_str().unwrap()]).succeeded();
    for (round, file) in [&later, &night].into_iter().enumerate() {
        let next = dir.path().join(format!("later-{round}"));
        put_back(&mut campus, file, &present, &next);
        on(&next, &sign).succeeded();
        hands_in(&campus);
        present = next;
    }

    // One of before the leap knows nothing of it. Blackboard says what is to be done.
    let next = dir.path().join("old");
    put_back(&mut campus, &old, &present, &next);
    on(&next, &sign).succeeded();
    let begun = Instant::now();
    let beyond = loop {
        let told = get(&blackboard, "/readyz").1;
        if let Some((_, told)) = told.split_once("went back from number ")
            && let Some((_, number)) = told.split_once("cuhk root sign-crl --beyond ")
        {
            let digits = number.split(|sign: char| !sign.is_ascii_digit()).next();
            break digits.unwrap().to_owned();
        }
        assert!(begun.elapsed() < LONG, "{told}");
        std::thread::yield_now();
    };
    let mut wrong = sign.clone();
    let pass = dir.path().join("wrong.pass");
    write_secret(&pass, "another one\n");
    wrong[3] = pass.to_str().unwrap();
    let more = ["--beyond", &beyond];
    let refused = on(&next, &[&wrong[..], &more].concat());
    assert!(
        refused.stderr.contains("[wrong_passphrase]"),
        "{refused:#?}"
    );
    let typo = on(
        &next,
        &[&sign[..], &["--beyond", "9000000000000000"]].concat(),
    );
    assert_eq!(typo.exit, Some(2), "{typo:#?}");
    assert!(get(&blackboard, "/readyz").1.contains("went back"));
    on(&next, &[&sign[..], &more].concat()).succeeded();
    wait_for(&blackboard, "/readyz", 200);
    hands_in(&campus);

    // Whoever knows the number beforehand says so when it is put back; it may be the same as the last time.
    let last = dir.path().join("last");
    campus.cuhk.stop();
    // It may be another one that comes back.
    until_unseen(&blackboard, 1);
    let unseen = || {
        let listed = campus.administer_blackboard(&["logs", "--json"]);
        listed.succeeded().json()[0]["unseen_since"].clone()
    };
    assert!(unseen().is_string(), "{}", unseen());
    let restore = ["restore", old.to_str().unwrap(), "--beyond"];
    on(&last, &[&restore[..], &[&beyond]].concat()).succeeded();
    fs::remove_dir_all(last.join("log")).unwrap();
    copy(&next.join("log"), &last.join("log"));
    on(&last, &sign).succeeded();
    serve_from(&mut campus, &last);
    hands_in(&campus);
    until_unseen(&blackboard, 0);
    let listed = campus.administer_blackboard(&["logs", "--json"]);
    assert!(listed.succeeded().json()[0]["unseen_since"].is_null());
}

/// The number that the next list has.
fn epoch(home: &Path) -> u64 {
    let store = Store::open(&home.join("cuhk.db")).unwrap();
    let epoch = store
        .read_blocking(|records| records.status().epoch())
        .unwrap();
    store.close_blocking();
    epoch
}

#[test]
fn a_snapshot_from_before_a_thousand_suspensions_that_is_put_back_a_second_later_gives_no_number_twice()
 {
    let Watched {
        mut campus,
        blackboard,
        dir,
        ..
    } = watched();
    let home = campus.path().join("cuhk");
    campus
        .student(&["enrol", "--ids", "1155000001"])
        .succeeded();
    let listed = on(&home, &["roster", "list", "--csv"]).succeeded().stdout;
    let [few, many] = ["few.csv", "many.csv"].map(|name| dir.path().join(name));
    fs::write(&few, &listed).unwrap();
    let columns = listed.lines().next().unwrap().matches(',').count();
    let more = (0..1001).map(|n| format!("115800{n:04},N{}\n", ",".repeat(columns - 1)));
    fs::write(&many, listed + &more.collect::<String>()).unwrap();
    let import = |file: &Path, more: &[&str]| {
        let import = ["roster", "import", file.to_str().unwrap()];
        on(&home, &[&import[..], more].concat()).succeeded();
    };
    import(&many, &[]);

    campus.cuhk.stop();
    let snapshot = dir.path().join("snapshot");
    copy(&home, &snapshot);
    let copied = epoch(&home);
    serve_from(&mut campus, &home);
    let gone = ["--missing", "suspend", "--suspend-many", "1001"];
    import(&few, &gone);
    hands_in(&campus);
    let last = epoch(&home);
    assert!(last >= copied + 1001, "{copied} {last}");
    let seconds = || SystemClock.now().as_secs();
    let done = seconds();
    while seconds() == done {
        std::thread::yield_now();
    }

    campus.cuhk.stop();
    fs::remove_dir_all(snapshot.join("log")).unwrap();
    copy(&home.join("log"), &snapshot.join("log"));
    serve_from(&mut campus, &snapshot);
    for _ in 0..3 {
        on(&snapshot, &["roster", "suspend", "1155000002"]).succeeded();
        on(&snapshot, &["roster", "restore", "1155000002"]).succeeded();
        let next = epoch(&snapshot);
        assert!(next > last + 1, "{next} after {last}");
    }
    wait_for(&blackboard, "/readyz", 200);
    hands_in(&campus);
}

/// Waits until Blackboard says of so many logs that CUHK may not have seen all of them.
#[track_caller]
fn until_unseen(blackboard: &str, logs: u32) {
    let line = format!("\nblackboard_logs_unseen_by_cuhk {logs}\n");
    let begun = Instant::now();
    while !get(blackboard, "/metrics").1.contains(&line) {
        assert!(begun.elapsed() < LONG, "{logs}");
        std::thread::yield_now();
    }
}
