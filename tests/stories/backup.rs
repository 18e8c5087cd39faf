//! Backups: made while the server serves, refused when altered, restored to a new place.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread;

use crate::campus::{Campus, Ran, Server, copy, program, python, write_secret};

/// Backs up the campus's CUHK into a file beside the sandbox.
fn back_up(campus: &Campus, name: &str) -> PathBuf {
    let file = campus.outside().join(name);
    campus
        .administer_cuhk(&["backup", file.to_str().unwrap()])
        .succeeded();
    file
}

fn restore(file: &Path, home: &Path) -> Ran {
    let mut command = program("cuhk");
    Ran::of(command.arg("restore").arg(file).arg("--home").arg(home))
}

/// The serial numbers of all certificates in a home.
fn serials(home: &Path) -> BTreeSet<String> {
    let mut command = program("cuhk");
    command.arg("--home").arg(home);
    let listed = Ran::of(command.args(["certs", "list", "--json"])).succeeded();
    let listed = listed.json();
    let rows = listed.as_array().unwrap().iter();
    rows.map(|row| row["serial"].as_str().unwrap().to_owned())
        .collect()
}

/// What `doctor` finds in a home that was just restored, but for what every restoration asks for.
fn unexpected(home: &Path) -> Vec<String> {
    let mut command = program("cuhk");
    let looked = Ran::of(command.arg("--home").arg(home).args(["doctor", "--json"]));
    let findings = looked.json().as_array().unwrap().clone();
    assert!(findings.len() > 20, "{looked:#?}");
    let wrong = findings.iter().filter(|one| one["outcome"] != "ok");
    let to_be_signed = |one: &&serde_json::Value| {
        let mend = one["mend"].as_str().unwrap_or_default();
        one["check"] == "trust-bundle" && mend.contains("cuhk root sign-crl")
    };
    wrong
        .filter(|one| !to_be_signed(one))
        .map(ToString::to_string)
        .collect()
}

fn enrol(campus: &Campus, sid: &str) -> Ran {
    campus.student(&["enrol", "--ids", sid])
}

#[test]
fn a_backup_made_while_students_enrol_is_whole_and_holds_no_secret_in_the_clear() {
    let campus = Campus::sandbox();
    let files = thread::scope(|scope| {
        let enrolling = [1..=3, 4..=6, 7..=9].map(|numbers| {
            let campus = &campus;
            scope.spawn(move || {
                for number in numbers {
                    enrol(campus, &format!("115500000{number}")).succeeded();
                }
            })
        });
        let home = campus.path().join("cuhk");
        let files: Vec<(PathBuf, BTreeSet<String>)> = (0..6)
            .map(|round| {
                let certified = serials(&home);
                (back_up(&campus, &format!("{round}.zip")), certified)
            })
            .collect();
        for thread in enrolling {
            thread.join().unwrap();
        }
        files
    });
    let after = serials(&campus.path().join("cuhk"));
    for (file, certified) in &files {
        let mode = fs::metadata(file).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        let home = file.with_extension("home");
        restore(file, &home).succeeded();
        let restored = serials(&home);
        assert!(restored.is_superset(certified), "{restored:?}");
        assert!(restored.is_subset(&after), "{restored:?}");
        assert_eq!(unexpected(&home), [""; 0]);
        let bytes = fs::read(file).unwrap();
        for secret in ["BEGIN PRIVATE KEY", "BEGIN EC PRIVATE KEY", "PRIVATE+KEY"] {
            let mut windows = bytes.windows(secret.len());
            assert!(
                !windows.any(|window| window == secret.as_bytes()),
                "{secret}"
            );
        }
    }
    // An implementation of ZIP that is not ours finds it sound.
    if let Some(mut python) = python() {
        let script = "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); \
                      assert z.testzip() is None; print(z.namelist())";
        let listed = Ran::of(python.args(["-c", script]).arg(&files[0].0)).succeeded();
        for name in ["'cuhk.db'", "'issuers/students/key.pem'", "'manifest.json'"] {
            assert!(listed.stdout.contains(name), "{listed:#?}");
        }
        assert!(!listed.stdout.contains("tls/"), "{listed:#?}");
    }
    let left: Vec<_> = fs::read_dir(campus.outside()).unwrap().collect();
    assert_eq!(left.len(), 1 + 2 * files.len(), "{left:?}");
}

#[test]
fn of_backups_in_a_directory_the_newest_stay_and_what_others_made() {
    let campus = Campus::sandbox();
    let dir = campus.outside().join("backups");
    fs::create_dir(&dir).unwrap();
    let keep = |number: &str| {
        let to = dir.to_str().unwrap();
        campus.administer_cuhk(&["backup", to, "--keep", number])
    };
    let told = keep("9").succeeded().stdout;
    assert!(told.contains("no backup was older"), "{told}");
    let made = fs::read_dir(&dir).unwrap().next().unwrap().unwrap().path();
    // From another second than the next one, whose name says when it was made.
    let first = dir.join("cuhk-2026-01-09T031500Z.zip");
    fs::rename(made, &first).unwrap();
    // Older ones of this CUHK, and what has no business there.
    let older = |n: u32| dir.join(format!("cuhk-2026-01-0{n}T031500Z.zip"));
    for n in 1..=3 {
        fs::copy(&first, older(n)).unwrap();
    }
    let stranger = Campus::sandbox();
    let theirs = dir.join("cuhk-2026-01-04T031500Z.zip");
    fs::rename(back_up(&stranger, "theirs.zip"), &theirs).unwrap();
    let others = ["cuhk-2026-01-05T031500Z.zip", "cuhk-old.zip", "notes.txt"];
    for other in others {
        fs::write(dir.join(other), "not a backup").unwrap();
    }
    let mine = dir.join("cuhk-before-the-upgrade.zip");
    fs::copy(&first, &mine).unwrap();

    let told = keep("3").succeeded().stdout;
    assert!(told.contains("2 backups were older"), "{told}");
    assert!(!older(1).exists() && !older(2).exists(), "{told}");
    assert!(older(3).exists() && first.exists(), "{told}");
    assert!(theirs.exists() && mine.exists());
    assert!(others.iter().all(|other| dir.join(other).exists()));

    let file = campus.outside().join("one.zip");
    // Where no disk is mounted, no directory is made for the backup.
    let nowhere = campus.outside().join("usb");
    let file_there = nowhere.join("cuhk.zip");
    for there in [
        &["backup", file_there.to_str().unwrap()][..],
        &["backup", nowhere.to_str().unwrap(), "--keep", "3"],
    ] {
        let refused = campus.administer_cuhk(there);
        assert_eq!(refused.exit, Some(2), "{refused:#?}");
        for part in ["error[no_directory]", "usb", "mount the disk"] {
            assert!(refused.stderr.contains(part), "{part}: {refused:#?}");
        }
        assert!(!nowhere.exists());
    }
    let refused = campus.administer_cuhk(&["backup", "-"]);
    assert_eq!(refused.exit, Some(2), "{refused:?}");
    let refused = campus.administer_cuhk(&["backup", file.to_str().unwrap(), "--keep", "3"]);
    assert_eq!(refused.exit, Some(2), "{refused:#?}");
    assert!(!file.exists());
}

#[test]
fn an_empty_database_takes_no_good_backups_place() {
    let campus = Campus::sandbox();
    let dir = campus.outside().join("backups");
    fs::create_dir(&dir).unwrap();
    let home = campus.outside().join("home");
    restore(&back_up(&campus, "backup.zip"), &home).succeeded();
    let at_home = |arguments: &[&str]| {
        let mut command = program("cuhk");
        Ran::of(command.arg("--home").arg(&home).args(arguments))
    };
    let nightly = ["backup", dir.to_str().unwrap(), "--keep", "1"];
    at_home(&nightly).succeeded();
    let kept = || {
        let entries = fs::read_dir(&dir).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name());
        names.collect::<Vec<_>>()
    };
    // From another second than the next one, whose name says when it was made.
    let older = dir.join("cuhk-2026-01-09T031500Z.zip");
    fs::rename(dir.join(&kept()[0]), older).unwrap();
    let good = kept();
    assert_eq!(good.len(), 1);

    let database = home.join("cuhk.db");
    for log in ["cuhk.db-wal", "cuhk.db-shm"] {
        let _ = fs::remove_file(home.join(log));
    }
    fs::write(&database, b"").unwrap();
    let ran = at_home(&nightly);
    assert_eq!(ran.exit, Some(5), "{ran:#?}");
    assert!(ran.stderr.contains("[damaged]"), "{ran:#?}");
    assert_eq!(kept(), good);
    let ran = at_home(&["doctor"]);
    assert_eq!(ran.exit, Some(5), "{ran:#?}");
    assert!(ran.stdout.contains("the file is too short"), "{ran:#?}");
    assert_eq!(fs::read(&database).unwrap(), b"");
}

#[test]
fn a_restored_cuhk_goes_on_and_never_uses_a_serial_again() {
    let mut campus = Campus::sandbox();
    enrol(&campus, "1155000001").succeeded();
    let file = back_up(&campus, "backup.zip");
    enrol(&campus, "1155000002").succeeded();
    let before = serials(&campus.path().join("cuhk"));
    campus.cuhk.stop();

    let home = campus.outside().join("restored");
    let told = restore(&file, &home).succeeded().stdout;
    for word in [
        "COUNT AGAIN",
        "`unknown`",
        "cuhk code issue SID --replace",
        "student enrol --ids SID --replace --codes FILE",
    ] {
        assert!(told.contains(word), "{told}");
    }
    assert!(serials(&home).is_subset(&before));
    serve_in_its_place(&mut campus, &home);

    // Who was known then is known, who came later is not; both are told so. Blackboard may not
    // have noticed yet that CUHK is back.
    campus
        .student(&["submit", "--ids", "1155000001", "--wait", "60"])
        .succeeded();
    campus
        .student(&["submit", "--ids", "1155000002", "--json"])
        .refused(3, "student_inactive");
    enrol(&campus, "1155000003").succeeded();
    let fresh: BTreeSet<String> = serials(&home)
        .difference(&serials_of(&file, &campus))
        .cloned()
        .collect();
    // TLS, tokens and one student.
    assert_eq!(fresh.len(), 3);
    assert!(fresh.is_disjoint(&before));
}

/// A restored CUHK serves where the stopped one did.
fn serve_in_its_place(campus: &mut Campus, home: &Path) {
    let mut serve = program("cuhk");
    serve.arg("--home").arg(home).arg("serve");
    serve.args(["--listen", &campus.cuhk.address(), "--passphrase-file"]);
    serve.arg(campus.path().join("cuhk.passphrase"));
    serve
        .arg("--ready-file")
        .arg(campus.path().join("cuhk.addr"));
    campus.cuhk = Server::start_command(&mut serve);
}

/// As in one that an earlier version made beside a server that was just appending: `head` was newer than the tiles.
#[test]
fn a_damaged_log_in_a_backup_is_put_aside_and_made_anew() {
    let mut campus = Campus::sandbox();
    enrol(&campus, "1155000001").succeeded();
    campus.cuhk.stop();
    fs::remove_dir_all(campus.path().join("cuhk/log/tile")).unwrap();
    let file = back_up(&campus, "backup.zip");
    let home = campus.outside().join("restored");
    let told = restore(&file, &home).succeeded().stdout;
    assert!(
        told.contains("issuance log   DAMAGED in this backup"),
        "{told}"
    );
    assert!(home.join("log.damaged/head").exists());
    assert!(!home.join("log").exists());

    serve_in_its_place(&mut campus, &home);
    campus
        .student(&["submit", "--ids", "1155000001", "--wait", "60"])
        .succeeded();
    let audited = campus.student(&["audit", "--ids", "1155000001", "--json"]);
    audited.succeeded();
}

/// The serial numbers that a backup holds.
fn serials_of(file: &Path, campus: &Campus) -> BTreeSet<String> {
    let home = campus.outside().join("looked-at");
    restore(file, &home).succeeded();
    serials(&home)
}

#[test]
fn an_altered_backup_is_refused_before_anything_is_written() {
    let campus = Campus::sandbox();
    let file = back_up(&campus, "backup.zip");
    let whole = fs::read(&file).unwrap();
    let home = campus.outside().join("restored");
    let altered = campus.outside().join("altered.zip");
    // Most of it is the database; the manifest is found by what it says.
    let database = (0..16).map(|part| 200 + whole.len() * part / 20);
    let hash = b"\"sha256\": \"";
    let hashes = whole.windows(hash.len()).enumerate();
    let hashes = hashes.filter(|(_, window)| window == hash);
    for place in database.chain(hashes.map(|(at, _)| at + hash.len() + 5)) {
        let mut bytes = whole.clone();
        bytes[place] ^= 1;
        fs::write(&altered, &bytes).unwrap();
        let ran = restore(&altered, &home);
        assert_eq!(ran.exit, Some(3), "byte {place}: {ran:#?}");
        assert!(ran.stderr.contains("backup_invalid"), "{ran:#?}");
        assert!(!home.exists());
    }
    for length in [0, 100, whole.len() / 2, whole.len() - 1] {
        fs::write(&altered, &whole[..length]).unwrap();
        assert_eq!(restore(&altered, &home).exit, Some(3), "{length} bytes");
        assert!(!home.exists());
    }
}

#[test]
fn nothing_is_overwritten_by_a_backup_or_by_a_restore() {
    let campus = Campus::sandbox();
    let file = back_up(&campus, "backup.zip");
    let whole = fs::read(&file).unwrap();
    let again = campus.administer_cuhk(&["backup", file.to_str().unwrap()]);
    assert_eq!(again.exit, Some(2), "{again:#?}");
    assert!(again.stderr.contains("never overwritten"), "{again:#?}");
    assert_eq!(fs::read(&file).unwrap(), whole);

    let ran = restore(&file, &campus.path().join("cuhk"));
    assert_eq!(ran.exit, Some(2), "{ran:#?}");
    assert!(ran.stderr.contains("home_exists"), "{ran:#?}");
    enrol(&campus, "1155000001").succeeded();
}

#[test]
fn an_authority_key_in_the_clear_is_not_backed_up() {
    let campus = Campus::sandbox();
    let clear = campus.path().join("blackboard/tls/key.pem");
    let key = campus.path().join("cuhk/issuers/students/key.pem");
    fs::copy(clear, key).unwrap();
    let file = campus.outside().join("backup.zip");
    let ran = campus.administer_cuhk(&["backup", file.to_str().unwrap()]);
    assert_eq!(ran.exit, Some(3), "{ran:#?}");
    assert!(ran.stderr.contains("key_in_the_clear"), "{ran:#?}");
    assert!(!file.exists());
}

#[test]
fn pruning_says_what_goes_and_keeps_what_counts() {
    let campus = Campus::sandbox();
    enrol(&campus, "1155000001").succeeded();
    let before = serials(&campus.path().join("cuhk"));
    let told = campus.administer_cuhk(&["prune", "--dry-run"]).succeeded();
    assert!(told.stdout.starts_with("would remove 0 codes"), "{told:#?}");
    let told = campus
        .administer_cuhk(&["prune", "--keep-days", "7"])
        .succeeded();
    assert!(told.stdout.contains("KiB now"), "{told:#?}");
    assert_eq!(serials(&campus.path().join("cuhk")), before);
    campus
        .student(&["submit", "--ids", "1155000001"])
        .succeeded();
    // A list still names what ended two days ago.
    let ran = campus.administer_cuhk(&["prune", "--keep-days", "6"]);
    assert_eq!(ran.exit, Some(2), "{ran:#?}");
}

#[test]
fn who_was_enrolled_after_the_backup_enrols_again_with_a_new_code() {
    let mut campus = Campus::sandbox();
    enrol(&campus, "1155000002").succeeded();
    campus.cuhk.stop();
    let (home, old) = (campus.path().join("cuhk"), campus.outside().join("old"));
    copy(&home, &old);
    campus.start_cuhk_again();
    enrol(&campus, "1155000001").succeeded();
    let locked = Locked::new(&campus);
    locked.enrol(&campus, &locked.given()).succeeded();
    let audit = ["audit", "--ids", "1155000001", "--json"];
    campus.student(&audit).succeeded();
    campus.cuhk.stop();
    fs::remove_dir_all(&home).unwrap();
    copy(&old, &home);
    campus.start_cuhk_again();

    // Nobody is asked for a passphrase here, and none is given.
    let unasked = locked.enrol(&campus, &[]).succeeded().stdout;
    assert!(unasked.contains("1 certificate here already"), "{unasked}");
    let told = locked.enrol(&campus, &locked.given()).succeeded().stdout;
    assert!(told.contains("1155000003 CUHK has no record"), "{told}");
    let again = locked.enrol(&campus, &locked.given()).succeeded().stdout;
    assert!(again.contains("1 certificate here already"), "{again}");

    let refused = campus.student(&["renew", "--ids", "1155000001"]);
    assert_eq!(refused.exit, Some(3), "{refused:#?}");
    let told = "student enrol --ids 1155000001 --replace";
    assert!(refused.stderr.contains(told), "{refused:#?}");
    // The sandbox's sheet has a code for each, and in the old records it is unused.
    let again = campus.student(&["enrol", "--ids", "1155000001,1155000002"]);
    let again = again.succeeded().stdout;
    assert!(
        again.contains("1155000001 CUHK has no record of the certificate here"),
        "{again}"
    );
    assert!(!again.contains("1155000002 CUHK has no record"), "{again}");
    let ids = ["--ids", "1155000001,1155000002"];
    campus
        .student(&[&["submit"][..], &ids].concat())
        .succeeded();
    let nothing = campus.student(&[&["enrol"][..], &ids].concat()).succeeded();
    assert!(
        nothing.stdout.contains("2 certificates here already"),
        "{nothing:#?}"
    );
}

/// A student with a key under a passphrase, in a home of his own.
struct Locked {
    home: PathBuf,
    passphrase: String,
}

impl Locked {
    fn new(campus: &Campus) -> Self {
        let file = campus.outside().join("passphrase");
        write_secret(&file, "correct horse battery staple\n");
        Self {
            home: campus.outside().join("locked"),
            passphrase: file.to_str().unwrap().to_owned(),
        }
    }

    /// The options that give the passphrase.
    fn given(&self) -> [&str; 2] {
        ["--passphrase-file", &self.passphrase]
    }

    fn enrol(&self, campus: &Campus, more: &[&str]) -> Ran {
        let codes = campus.path().join("codes.csv");
        let enrol = [
            "enrol",
            "--ids",
            "1155000003",
            "--codes",
            codes.to_str().unwrap(),
        ];
        campus.student_elsewhere(&self.home, &[&enrol[..], more].concat())
    }
}

#[test]
fn who_looked_at_the_log_before_an_old_backup_was_put_back_is_told_what_may_be() {
    let mut campus = Campus::sandbox();
    campus.cuhk.stop();
    let (home, old) = (campus.path().join("cuhk"), campus.outside().join("old"));
    copy(&home, &old);
    campus.start_cuhk_again();
    enrol(&campus, "1155000001").succeeded();
    let audit = ["audit", "--ids", "1155000001"];
    campus.student(&audit).succeeded();
    campus.cuhk.stop();
    fs::remove_dir_all(&home).unwrap();
    copy(&old, &home);
    campus.start_cuhk_again();
    enrol(&campus, "1155000001").succeeded();

    let told = |language: &str, part: &str| {
        let audit = [&audit[..], &["--lang", language, "--json"]].concat();
        let refused = campus.student(&audit).refused(3, "log_forked");
        let remedy = refused["remedy"].as_str().unwrap();
        assert!(
            remedy.contains(part) && remedy.contains("log.json"),
            "{refused:#}"
        );
    };
    told("en", "put back from a backup");
    told("zh-Hant", "備份還原");
    // What it says to do helps.
    let memory = campus.path().join("student/log.json");
    fs::rename(&memory, campus.outside().join("log.json")).unwrap();
    campus.student(&audit).succeeded();
}
