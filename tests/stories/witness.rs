//! CUHK as witness of Blackboard's logs: what people type and see when a log is behind, and when
//! CUHK is away.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::campus::{Campus, LONG, Ran, SAMPLE, copy, program, serve_at, version};
use crate::monitoring::{on, put_back as put_cuhk_back, serve_from};

/// How many entries CUHK has seen of the one log there is.
fn seen(campus: &Campus) -> u64 {
    let listed = campus.administer_cuhk(&["witness", "list", "--json"]);
    let listed = listed.succeeded().json();
    listed[0]["entries"].as_u64().unwrap_or(0)
}

/// How many entries the one log has.
fn entries(campus: &Campus) -> u64 {
    let database = rusqlite::Connection::open(home(campus).join("blackboard.db")).unwrap();
    let count = "SELECT count(*) FROM log_entries";
    let count: i64 = database.query_row(count, [], |row| row.get(0)).unwrap();
    count.unsigned_abs()
}

/// Waits until CUHK has seen all there are; how many.
pub(crate) fn until_seen(campus: &Campus) -> u64 {
    let (began, all) = (Instant::now(), entries(campus));
    while seen(campus) < all {
        assert!(began.elapsed() < LONG, "{}", campus.blackboard.log());
    }
    all
}

fn hand_in(campus: &Campus) -> u64 {
    campus
        .student(&["submit", "--ids", SAMPLE, &version(campus.outside())])
        .succeeded();
    until_seen(campus)
}

pub(crate) fn home(campus: &Campus) -> PathBuf {
    campus.path().join("blackboard")
}

/// Puts back the home as it was.
pub(crate) fn put_back(campus: &Campus, backup: &Path) {
    fs::remove_dir_all(home(campus)).unwrap();
    copy(backup, &home(campus));
}

/// `blackboard serve`, which is going to end by itself.
fn serve_in_vain(campus: &Campus) -> Ran {
    let arguments = serve_at(&campus.path(), &campus.blackboard.address());
    Ran::of(program("blackboard").args(arguments))
}

#[test]
fn an_old_backup_of_blackboard_is_refused_until_the_operator_says_what_is_lost() {
    let mut campus = Campus::sandbox();
    let kept = hand_in(&campus);
    campus.blackboard.stop();
    let backup = campus.outside().join("backup");
    copy(&home(&campus), &backup);
    let backed_up = Instant::now();
    campus.start_blackboard_again();
    hand_in(&campus);
    let had = hand_in(&campus);
    campus.blackboard.stop();
    // What is put back within two seconds of its last write is not told from what was never away.
    while backed_up.elapsed() < Duration::from_secs(3) {
        std::thread::yield_now();
    }
    put_back(&campus, &backup);

    let refused = serve_in_vain(&campus);
    assert_eq!(refused.exit, Some(3), "{refused:#?}");
    for told in [
        &*format!("here, but CUHK has seen {had} of it"),
        "blackboard recover",
    ] {
        assert!(refused.stderr.contains(told), "{told}: {refused:#?}");
    }
    let lose = (had - kept).to_string();
    let explained = campus.administer_blackboard(&["recover"]);
    assert_eq!(explained.exit, Some(3), "{explained:#?}");
    let numbers = format!("lost are numbers {kept} to {}", had - 1);
    assert!(explained.stdout.contains(&numbers), "{explained:#?}");
    let named = format!("blackboard recover --lose {lose}");
    assert!(explained.stderr.contains(&named), "{explained:#?}");
    let wrong = campus.administer_blackboard(&["recover", "--lose", "1"]);
    assert_eq!(wrong.exit, Some(3), "{wrong:#?}");

    let recovered = campus.administer_blackboard(&["recover", "--lose", &lose]);
    let goes_on = format!("goes on with number {}", had + 1);
    assert!(recovered.succeeded().stdout.contains(&goes_on));
    campus.start_blackboard_again();
    hand_in(&campus);
    let again = campus.administer_blackboard(&["submissions", "list", "--json"]);
    assert_eq!(again.succeeded().json().as_array().unwrap().len(), 2);
    // What was acknowledged meanwhile stays proved, and the students see what was lost.
    let lost = campus.path().join("receipts/S-000002.zip");
    let lost = lost.to_str().unwrap();
    campus.student(&["verify", lost]).succeeded();
    let told = campus.student(&["history", "--json"]).succeeded().json();
    let numbers = |list: &str| {
        let listed = told[list].as_array().unwrap().iter();
        let numbers = listed.map(|one| one["submission"].as_str().unwrap().to_owned());
        numbers.collect::<Vec<_>>()
    };
    assert_eq!(numbers("lost"), ["S-000002", "S-000003"], "{told}");
    assert_eq!(numbers("versions").len(), 2, "{told}");
    assert_eq!(told["lost"][0]["receipt"], lost);
    come_back(&campus, lost);
    let shown = campus.student(&["history"]).succeeded().stdout;
    assert!(
        shown.contains("  LOST      Blackboard does not have it any more"),
        "{shown}"
    );
}

#[test]
fn where_only_the_database_is_old_recover_says_what_is_lost_and_goes_on() {
    let mut campus = Campus::sandbox();
    let kept = hand_in(&campus);
    campus.blackboard.stop();
    let (database, old) = (
        home(&campus).join("blackboard.db"),
        campus.outside().join("old.db"),
    );
    fs::copy(&database, &old).unwrap();
    campus.start_blackboard_again();
    let had = hand_in(&campus);
    campus.blackboard.stop();
    fs::copy(&old, &database).unwrap();

    let refused = serve_in_vain(&campus);
    assert_eq!(refused.exit, Some(5), "{refused:#?}");
    assert!(
        refused.stderr.contains("blackboard recover"),
        "{refused:#?}"
    );
    let explained = campus.administer_blackboard(&["recover"]);
    assert_eq!(explained.exit, Some(3), "{explained:#?}");
    let has = format!("{kept} entries in blackboard.db, {had} in HOME/logs: lost are numbers");
    assert!(explained.stdout.contains(&has), "{explained:#?}");
    let lose = (had - kept).to_string();
    let named = format!("blackboard recover --lose {lose}");
    assert!(explained.stderr.contains(&named), "{explained:#?}");
    campus
        .administer_blackboard(&["recover", "--lose", &lose])
        .succeeded();
    campus.start_blackboard_again();
    hand_in(&campus);
    // Its files are here still: the receipt is enough.
    let lost = campus.path().join("receipts/S-000002.zip");
    let receipt = ["recover", "--receipt", lost.to_str().unwrap()];
    let told = campus.administer_blackboard(&receipt).succeeded().stdout;
    assert!(told.contains("S-000002 is here again"), "{told}");
    let told = campus.student(&["history", "--json"]).succeeded().json();
    assert_eq!(told["lost"].as_array().unwrap().len(), 0, "{told}");
    assert_eq!(told["versions"].as_array().unwrap().len(), 3, "{told}");
    campus.administer_blackboard(&["fsck"]).succeeded();
}

/// With its receipt and its file the first of both comes back, as it was, while the server runs.
fn come_back(campus: &Campus, receipt: &str) {
    let of = ["recover", "--receipt", receipt];
    let without = campus.administer_blackboard(&of);
    assert_eq!(without.exit, Some(3), "{without:#?}");
    assert!(without.stderr.contains("are not here"), "{without:#?}");
    let before = campus.student(&["verify", receipt]).succeeded().stdout;
    // The folder has the files of all of them, and the backup.
    let files = campus.outside().to_str().unwrap();
    let ran = campus.administer_blackboard(&[&of[..], &[files]].concat());
    let told = ran.succeeded().stdout;
    for part in [
        "S-000002 is here again, of 1155000001",
        "which counts for lateness",
    ] {
        assert!(told.contains(part), "{told}");
    }
    let told = campus.student(&["history", "--json"]).succeeded().json();
    let lost = told["lost"].as_array().unwrap();
    assert_eq!(lost.len(), 1, "{told}");
    assert_eq!(lost[0]["submission"], "S-000003");
    assert_eq!(told["versions"].as_array().unwrap().len(), 3, "{told}");
    assert_eq!(
        campus.student(&["verify", receipt]).succeeded().stdout,
        before
    );
    campus.administer_blackboard(&["fsck"]).succeeded();
}

#[test]
fn what_was_entered_while_cuhk_was_away_is_witnessed_when_it_is_back() {
    let mut campus = Campus::sandbox();
    let before = hand_in(&campus);
    campus.blackboard.stop();
    use_tokens(&campus);
    campus.start_blackboard_again();
    campus.cuhk.kill();
    campus.restart_blackboard();
    let log = campus.blackboard.log();
    assert!(
        log.contains("could not be compared with what CUHK"),
        "{log}"
    );
    let report = version(campus.outside());
    let submit = ["submit", "--ids", SAMPLE, &report];
    let told = campus.student(&submit).succeeded().stdout;
    let pending =
        "pending  accepted and signed by Blackboard; CUHK's cosignature has not come yet. Nothing";
    assert!(told.contains(pending), "{told}");
    let history = || campus.student(&["history", "--ids", SAMPLE]).succeeded();
    let pending = "receipt   pending: CUHK's cosignature has not come yet";
    assert!(history().stdout.contains(pending), "{}", history().stdout);
    let told = campus.student(&[&submit[..], &["--json"]].concat());
    assert_eq!(told.succeeded().json()["pending"], true);
    assert_eq!(seen(&campus), before);
    campus.start_cuhk_again();
    assert!(until_seen(&campus) > before);
    // As it was said: any later command completes it, and then nothing is pending.
    campus.student(&["receipts"]).succeeded();
    let told = campus.student(&[&submit[..], &["--json"]].concat());
    assert_eq!(told.succeeded().json()["pending"], false);
    let told = campus.student(&submit).succeeded().stdout;
    assert!(!told.contains("pending"), "{told}");
}

/// As if the copy that was put back were an hour old: a test does not wait so long.
fn age(home: &Path) {
    let file = home.join("numbers");
    let text = fs::read_to_string(&file).unwrap();
    let at = text.split(' ').nth(2).unwrap().to_owned();
    let before = at.parse::<u64>().unwrap() - 3600;
    fs::write(file, text.replace(&at, &format!("{before:020}"))).unwrap();
}

/// What only looks at the home says whether it may be of before: `fsck` by a finding, the rest beside what it shows.
fn looked_at(campus: &Campus, is_put_back: bool) {
    let fsck = campus.administer_blackboard(&["fsck", "--json"]);
    // Whoever looks at nothing but how it ended does not take it for whole.
    let exit = Some(if is_put_back { 4 } else { 0 });
    assert_eq!(fsck.exit, exit, "{fsck:#?}");
    let findings = fsck.json()["findings"].clone();
    let mut findings = findings.as_array().unwrap().iter();
    let found = findings.find(|finding| finding["code"] == "put_back");
    assert_eq!(found.is_some(), is_put_back, "{found:?}");
    if let Some(found) = found {
        assert_eq!(found["weight"], "unknown");
        assert!(
            found["remedy"]
                .as_str()
                .unwrap()
                .contains("`blackboard serve`")
        );
    }
    let text = campus.administer_blackboard(&["fsck"]);
    let told = "nobody knows whether what came later is missing";
    assert_eq!(
        (text.exit, text.stderr.contains(told)),
        (exit, is_put_back),
        "{text:#?}"
    );
    let of = ["--course", "SANDBOX", "--assignment", "lab"];
    for command in [
        &["submissions", "list", "--json"][..],
        &[&["submissions", "overview"][..], &of].concat(),
        &[&["grades", "list"][..], &of].concat(),
    ] {
        let ran = campus.administer_blackboard(command).succeeded();
        let told = ran.stderr.contains("may be OLD");
        assert_eq!(told, is_put_back, "{command:?}: {ran:#?}");
    }
}

#[test]
fn a_backup_put_back_while_cuhk_is_away_waits_for_it() {
    let mut campus = Campus::sandbox();
    let kept = hand_in(&campus);
    campus.blackboard.stop();
    use_tokens(&campus);
    let backup = campus.outside().join("backup");
    copy(&home(&campus), &backup);
    age(&backup);
    campus.cuhk.kill();
    looked_at(&campus, false);
    put_back(&campus, &backup);
    looked_at(&campus, true);
    let title = ["--title", "Lab 2", "--due", "2099-01-01 00:00"];
    let add = ["assignment", "add", "--course", "SANDBOX"];
    let entered = campus.administer_blackboard(&[&add[..], &title[..]].concat());
    assert_eq!(entered.exit, Some(3), "{entered:#?}");
    for _ in 0..2 {
        let refused = serve_in_vain(&campus);
        assert_eq!(refused.exit, Some(4), "{refused:#?}");
        for told in ["was put back from a backup", "start CUHK", "put_back"] {
            assert!(refused.stderr.contains(told), "{told}: {refused:#?}");
        }
    }
    assert_eq!(entries(&campus), kept);
    campus.start_cuhk_again();
    // It was the newest backup: nothing is lost, and numbers go on far away.
    campus.start_blackboard_again();
    looked_at(&campus, false);
    campus
        .administer_blackboard(&[&add[..], &title[..]].concat())
        .succeeded();
    let ids = ["submit", "--ids", SAMPLE, "--assignment", "lab", "--json"];
    let mut submit = ids.to_vec();
    let report = version(campus.outside());
    submit.push(&report);
    campus.student(&submit).succeeded();
    let listed = campus.administer_blackboard(&["submissions", "list", "--json"]);
    let listed = listed.succeeded().json();
    assert_eq!(listed[0]["number"], "S-000001");
    let next = listed[1]["number"].as_str().unwrap();
    assert_eq!(next.len(), "S-17952624001231".len(), "{next}");
}

/// While CUHK is away, tokens do.
pub(crate) fn use_tokens(campus: &Campus) {
    let file = home(campus).join("config.toml");
    let config = fs::read_to_string(&file).unwrap();
    let lenient = config.replace("outage = \"refuse\"", "outage = \"tokens\"");
    assert_ne!(lenient, config);
    fs::write(&file, lenient).unwrap();
}

#[test]
fn a_log_under_another_key_waits_for_cuhks_operator() {
    let mut campus = Campus::sandbox();
    let before = hand_in(&campus);
    campus.blackboard.stop();
    // Its key is lost, and with it the tiles: they are made anew from the database.
    fs::remove_dir_all(home(&campus).join("logs")).unwrap();
    campus.start_blackboard_again();
    let began = Instant::now();
    let key = loop {
        assert!(began.elapsed() < LONG, "{}", campus.blackboard.log());
        let log = campus.blackboard.log();
        if let Some((_, refused)) = log.split_once("log_key_changed") {
            let (_, key) = refused.split_once("got: ").unwrap();
            break key.split([',', ')']).next().unwrap().to_owned();
        }
    };
    let other = key.replacen('/', "//", 1);
    let unknown = campus.administer_cuhk(&["witness", "accept-key", &other]);
    assert_ne!(unknown.exit, Some(0), "{unknown:#?}");
    let accepted = campus.administer_cuhk(&["witness", "accept-key", &key]);
    assert!(
        accepted
            .succeeded()
            .stdout
            .contains("goes on under the key")
    );
    campus
        .student(&["submit", "--ids", SAMPLE, &version(campus.outside())])
        .succeeded();
    campus.restart_blackboard();
    assert!(until_seen(&campus) > before);
}

/// What was begun after the backup of last night is not in it.
#[test]
fn a_cuhk_that_was_put_back_witnesses_at_once_what_was_added_since() {
    let mut campus = Campus::sandbox();
    hand_in(&campus);
    let [night, restored] = ["night.zip", "restored"].map(|name| campus.outside().join(name));
    campus
        .administer_cuhk(&["backup", night.to_str().unwrap()])
        .succeeded();
    let lab = [
        "assignment",
        "add",
        "--course",
        "SANDBOX",
        "--title",
        "Lab 2",
    ];
    let due = ["--due", "2099-01-01 00:00"];
    campus
        .administer_blackboard(&[&lab[..], &due].concat())
        .succeeded();
    let submit = |campus: &Campus| {
        let (to, report) = (["--assignment", "lab-2"], version(campus.outside()));
        let line = [
            &["submit", "--ids", SAMPLE, "--wait", "60"][..],
            &to,
            &[&*report],
        ];
        campus.student(&line.concat()).succeeded();
        report
    };
    submit(&campus);
    let cuhk = campus.path().join("cuhk");
    let entries_of = |home: &Path| {
        let listed = on(home, &["witness", "list", "--json"]).succeeded().json();
        let logs = listed.as_array().unwrap().iter();
        logs.map(|log| log["entries"].as_u64().unwrap())
            .sum::<u64>()
    };
    let seen_by = |campus: &Campus, home: &Path| {
        let (began, all): (_, u64) = (Instant::now(), entries(campus));
        // Long before the endorsement at hand is too old, and before the log is looked at again.
        while entries_of(home) < all {
            let waited = began.elapsed();
            assert!(
                waited < Duration::from_secs(25),
                "{}",
                campus.blackboard.log()
            );
        }
    };
    seen_by(&campus, &cuhk);
    put_cuhk_back(&mut campus, &night, &cuhk, &restored);
    let passphrase = campus.path().join("cuhk.passphrase");
    let flag = ["--root-passphrase-file", passphrase.to_str().unwrap()];
    on(&restored, &[&["root", "sign-crl"][..], &flag].concat()).succeeded();

    // Also of what nobody hands in to any more.
    seen_by(&campus, &restored);
    let report = submit(&campus);
    seen_by(&campus, &restored);
    let log = campus.blackboard.log();
    assert!(
        log.contains("/lab-2 any more: it is told of it again"),
        "{log}"
    );
    assert!(!log.contains("a log is not witnessed [not_found]"), "{log}");
    campus.student(&["receipts"]).succeeded();
    let again = ["--assignment", "lab-2", &report, "--json"];
    let told = campus.student(&[&["submit", "--ids", SAMPLE][..], &again].concat());
    assert_eq!(told.succeeded().json()["pending"], false);
}

/// The one that has everything goes on, and a copy of before is started elsewhere just when CUHK, put back as
/// well, is there again: whoever is first, the copy does not go on.
#[test]
fn an_old_blackboard_that_is_started_as_cuhk_is_put_back_does_not_go_on() {
    let mut campus = Campus::sandbox();
    hand_in(&campus);
    let [night, restored, monday] =
        ["night.zip", "restored", "monday"].map(|name| campus.outside().join(name));
    campus
        .administer_cuhk(&["backup", night.to_str().unwrap()])
        .succeeded();
    campus.blackboard.stop();
    copy(&campus.path(), &monday);
    campus.start_blackboard_again();
    hand_in(&campus);

    campus.cuhk.stop();
    on(&restored, &["restore", night.to_str().unwrap()]).succeeded();
    fs::remove_dir_all(restored.join("log")).unwrap();
    copy(&campus.path().join("cuhk/log"), &restored.join("log"));
    let passphrase = campus.path().join("cuhk.passphrase");
    let flag = ["--root-passphrase-file", passphrase.to_str().unwrap()];
    on(&restored, &[&["root", "sign-crl"][..], &flag].concat()).succeeded();
    serve_from(&mut campus, &restored);
    let old = Ran::of(program("blackboard").args(serve_at(&monday, "127.0.0.1:0")));
    assert_eq!(old.exit, Some(3), "{old:#?}");
    assert!(old.stderr.contains("log_behind"), "{old:#?}");
    let report = version(campus.outside());
    let submit = ["submit", "--ids", SAMPLE, "--wait", "60", &report];
    campus.student(&submit).succeeded();
}
