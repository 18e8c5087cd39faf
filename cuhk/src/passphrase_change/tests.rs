#![allow(clippy::unwrap_used)]

use scb_testkit::FixedClock;
use tempfile::TempDir;

use super::*;
use crate::{Config, Issuers, NewAuthority, init, open_home};

const ISSUING: [&str; 3] = [
    "issuers/students/key.pem",
    "issuers/services/key.pem",
    path::LOG_KEY,
];

/// Nobody guesses it, so that the keys are opened at once.
fn random(text: &str) -> Passphrase {
    Passphrase::from(text.to_owned()).known_random()
}

fn home() -> (TempDir, Home) {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("cuhk");
    let new = NewAuthority {
        trust_domain: "cuhk.example".parse().unwrap(),
        config: Config::default(),
        passphrase: random("correct horse"),
        root_passphrase: random("battery staple"),
    };
    init(&place, &new, FixedClock::default().now()).unwrap();
    let home = open_home(&place).unwrap();
    (dir, home)
}

fn contents(home: &Home) -> Vec<Vec<u8>> {
    let read = |name| fs::read(home.path(name)).unwrap();
    ISSUING.map(read).to_vec()
}

fn prepare(home: &Home, old: &str, new: &str) -> Result<Option<Change>, Error> {
    Change::prepare(home, &random(old), &random(new))
}

/// The moment of the crash: the change has happened, and so many files are at their places.
#[test]
fn wherever_it_is_killed_one_passphrase_opens_all_keys_at_the_next_start() {
    for placed in 0..=ISSUING.len() {
        let (_dir, home) = home();
        let (old, new) = ("correct horse", "another horse");
        let change = prepare(&home, old, new).unwrap().unwrap();
        assert_eq!(change.keys.len(), ISSUING.len());
        let json = serde_json::to_vec(&change).unwrap();
        write_atomic(&home.path(PENDING), &json, 0o600).unwrap();
        for (name, pem) in change.keys.iter().take(placed) {
            write_atomic(&home.path(name), pem.as_bytes(), 0o600).unwrap();
        }
        finish_begun(home.dir()).unwrap();
        assert!(!is_pending(home.dir()));
        Issuers::unlock(&home, &random(new)).unwrap();
        let refused = Issuers::unlock(&home, &random(old)).unwrap_err();
        assert!(matches!(refused, Error::WrongPassphrase { .. }));
        // Typed again it changes nothing.
        let before = contents(&home);
        assert!(prepare(&home, old, new).unwrap().is_none());
        assert_eq!(contents(&home), before);
    }
}

/// As if it was killed before the first file was at its place.
fn interrupt(home: &Home, (old, new): (&str, &str)) {
    let change = prepare(home, old, new).unwrap().unwrap();
    let json = serde_json::to_vec(&change).unwrap();
    write_atomic(&home.path(PENDING), &json, 0o600).unwrap();
}

#[test]
fn a_backup_holds_keys_under_one_passphrase_and_the_doctor_sees_what_is_not_finished() {
    let (dir, home) = home();
    let now = FixedClock::default().now();
    let found = |home: &Home| {
        let given = crate::doctor::Passphrases::default();
        let findings = crate::doctor::examine(home, &given, now);
        let mut findings = findings.into_iter();
        findings.find(|one| one.check == "passphrase").unwrap()
    };
    interrupt(&home, ("correct horse", "another horse"));
    let told = found(&home);
    assert!(told.mend.unwrap().contains("cuhk keys passphrase"));
    let file = dir.path().join("night.zip");
    crate::backup::back_up(&home, &file, now).unwrap();
    assert!(!is_pending(home.dir()));
    assert!(found(&home).mend.is_none());
    let mut archive = zip::ZipArchive::new(fs::File::open(&file).unwrap()).unwrap();
    for name in ISSUING {
        let mut kept = Vec::new();
        let mut entry = archive.by_name(name).unwrap();
        std::io::Read::read_to_end(&mut entry, &mut kept).unwrap();
        assert_eq!(kept, fs::read(home.path(name)).unwrap(), "{name}");
    }
    Issuers::unlock(&home, &random("another horse")).unwrap();

    // Changed while it was written: begun, and done.
    let before = fingerprints(&home).unwrap();
    require_unchanged(&home, &before).unwrap();
    interrupt(&home, ("another horse", "third horse"));
    let refused = require_unchanged(&home, &before);
    assert!(matches!(refused, Err(Error::KeysChanged)), "{refused:?}");
    finish(home.dir()).unwrap();
    let refused = require_unchanged(&home, &before);
    assert!(matches!(refused, Err(Error::KeysChanged)), "{refused:?}");
}

#[test]
fn a_change_that_has_happened_says_so_where_a_key_cannot_be_placed() {
    let (_dir, home) = home();
    let (old, new) = ("correct horse", "another horse");
    let change = prepare(&home, old, new).unwrap().unwrap();
    let (place, away) = (home.path("issuers/services"), home.path("away"));
    fs::rename(&place, &away).unwrap();
    let told = change.commit(&home).unwrap_err();
    assert!(
        matches!(told, Error::PassphraseChangeUnfinished { .. }),
        "{told:?}"
    );
    assert!(told.to_string().contains("new passphrase counts"), "{told}");
    assert!(is_pending(home.dir()));
    // As long as it cannot be finished every command about keys says the same.
    let told = finish(home.dir()).unwrap_err();
    assert!(matches!(told, Error::PassphraseChangeUnfinished { .. }));
    fs::rename(&away, &place).unwrap();
    finish_begun(home.dir()).unwrap();
    Issuers::unlock(&home, &random(new)).unwrap();

    // Where it cannot begin nothing was changed.
    let other = prepare(&home, new, "third horse").unwrap().unwrap();
    fs::remove_dir_all(home.dir()).unwrap();
    let told = other.commit(&home).unwrap_err();
    assert!(matches!(told, Error::Local(_)), "{told:?}");
}

/// By no clock: which file it was.
#[test]
fn a_server_knows_the_keys_that_it_has_opened_whatever_their_times_are() {
    let (_dir, home) = home();
    let key = home.path(&key_name(CrlSigner::STUDENTS));
    let touched = |seconds| {
        let file = fs::File::options().append(true).open(&key).unwrap();
        let time = std::time::SystemTime::now() + Duration::from_secs(seconds);
        file.set_modified(time).unwrap();
    };
    require_known_to_server(&home).unwrap();
    let mut lock = HomeLock::acquire(home.dir(), "cuhk").unwrap();
    let (old, new) = ("correct horse", "another horse");
    open_and_note(&home, &mut lock, || Issuers::unlock(&home, &random(old))).unwrap();
    touched(3600);
    require_known_to_server(&home).unwrap();
    let change = prepare(&home, old, new).unwrap().unwrap();
    change.commit(&home).unwrap();
    let file = fs::File::options().append(true).open(&key).unwrap();
    file.set_modified(std::time::UNIX_EPOCH).unwrap();
    let refused = require_known_to_server(&home).unwrap_err();
    assert!(matches!(refused, Error::ServerOfEarlierPassphrase));
    drop(lock);
    require_known_to_server(&home).unwrap();
}

/// Before it has its name nothing has happened: what is left is a temporary file that nobody reads.
#[test]
fn a_passphrase_that_does_not_open_all_keys_changes_none() {
    let (_dir, home) = home();
    let before = contents(&home);
    let refused = prepare(&home, "wrong horse", "another horse").unwrap_err();
    assert!(matches!(refused, Error::WrongPassphrase { .. }));
    let same = prepare(&home, "correct horse", "battery staple").unwrap_err();
    assert!(matches!(same, Error::PassphrasesSame), "{same:?}");
    // One key of another home among them.
    let (_other, other) = self::home();
    let others = prepare(&other, "correct horse", "another horse");
    others.unwrap().unwrap().commit(&other).unwrap();
    let name = "issuers/services/key.pem";
    fs::copy(other.path(name), home.path(name)).unwrap();
    let refused = prepare(&home, "correct horse", "third horse").unwrap_err();
    assert!(refused.to_string().contains(name), "{refused}");
    assert!(!is_pending(home.dir()));
    assert_eq!(contents(&home)[0], before[0]);
    assert_eq!(contents(&home)[2], before[2]);
}

#[test]
fn a_file_that_is_none_of_ours_is_put_nowhere() {
    let (dir, home) = home();
    let before = contents(&home);
    let change = prepare(&home, "correct horse", "another horse");
    let json = serde_json::to_string(&change.unwrap().unwrap()).unwrap();
    for (ours, altered) in [
        ("issuers/students/key.pem", "../outside.pem"),
        ("issuers/students/key.pem", "issuers/../../outside/key.pem"),
        ("issuers/students/key.pem", "root/key.pem"),
        ("ENCRYPTED PRIVATE KEY", "PRIVATE KEY"),
        (KIND, "scb-other"),
        ("{", "["),
    ] {
        fs::write(home.path(PENDING), json.replace(ours, altered)).unwrap();
        assert!(finish(home.dir()).is_err(), "{altered}");
        assert_eq!(contents(&home), before);
        assert!(!dir.path().join("outside.pem").exists());
    }
}

#[test]
fn roots_that_were_left_by_a_crash_get_the_new_one_by_the_same_command() {
    let ([(_a, one), (_b, two)], new) = ([home(), home()], random("another staple"));
    let old = random("battery staple");
    let dirs = [one.path(path::ROOT), two.path(path::ROOT)];
    let noted = || Ok(());
    let refused = change_roots(&dirs, &new, &random("third staple"), noted).unwrap_err();
    assert!(matches!(refused, Error::WrongPassphrase { .. }));
    assert_eq!(change_roots(&dirs[..1], &old, &new, noted).unwrap(), 1);
    assert_eq!(change_roots(&dirs, &old, &new, noted).unwrap(), 1);
    assert_eq!(change_roots(&dirs, &old, &new, noted).unwrap(), 0);
    for dir in &dirs {
        crate::open_root(dir, &new).unwrap();
    }
}
