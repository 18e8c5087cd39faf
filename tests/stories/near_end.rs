//! What CUHK's keys and lists say of themselves when their end comes near, and that what `doctor` says
//! mends it.

use std::time::Duration;

use serde_json::Value;

use crate::years::Office;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const ISSUER: u32 = 1826;
const ROOT: u32 = 3653;
const ROOT_LIST: u32 = 400;

/// How it went, what was seen and how it is mended: the finding of `doctor` that tells of this.
fn found(office: &Office, check: &str, of: &str) -> [String; 3] {
    let all = office.types("doctor --json").json();
    let mut all = all.as_array().unwrap().iter();
    let tells = |one: &&Value| one["check"] == check && one["seen"].as_str().unwrap().contains(of);
    let one = all.find(tells).unwrap_or_else(|| panic!("{check}: {of}"));
    ["outcome", "seen", "mend"].map(|name| one[name].as_str().unwrap_or_default().to_owned())
}

/// The exit code of `doctor` and the line that a person reads.
fn shown(office: &Office, check: &str, of: &str) -> (Option<i32>, String) {
    let ran = office.types("doctor");
    let tells = |line: &&str| line.contains(&format!("  {check}  ")) && line.contains(of);
    let line = ran.stdout.lines().find(tells);
    (ran.exit, line.unwrap_or_default().to_owned())
}

/// What `doctor` tells to type, with what a terminal would be asked for.
fn typed(office: &Office, command: &str, files: &str) {
    let command = command.strip_prefix("cuhk ").unwrap();
    let line = format!("--clock-is-right {command} {files}");
    office.types(&line).succeeded();
}

const BOTH: &str = "--passphrase-file issuers.pass --root-passphrase-file root.pass";
const OF_ROOT: &str = "--root-passphrase-file root.pass";

#[test]
fn an_issuing_authority_near_its_end_is_told_and_rotated_as_told() {
    let office = Office::of((ISSUER - 30) * DAY);
    for which in ["students", "services"] {
        let of = format!("the issuing authority `{which}` ends at");
        let [outcome, seen, mend] = found(&office, "authority-expiry", &of);
        assert_eq!(outcome, "warn", "{seen}");
        assert!(
            seen.contains("in 29 days") || seen.contains("in 30 days"),
            "{seen}"
        );
        let command = format!("cuhk keys rotate {which}");
        assert!(mend.ends_with(&command), "{mend}");
        let (_, line) = shown(&office, "authority-expiry", &of);
        assert!(line.starts_with("warn"), "{line}");
        typed(&office, &command, BOTH);
        let [outcome, seen, _] = found(&office, "authority-expiry", &of);
        assert_eq!(outcome, "ok", "{seen}");
        assert!(seen.contains("another has taken its place"), "{seen}");
        let next = format!("`{which}-2`");
        let [outcome, seen, _] = found(&office, "authority-expiry", &next);
        assert_eq!(outcome, "ok", "{seen}");
    }

    // Over, it is no warning any more.
    let office = Office::of((ISSUER + 1) * DAY);
    let [outcome, seen, mend] = found(&office, "authority-expiry", "`students` ended at");
    assert_eq!(outcome, "fail", "{seen}");
    assert!(mend.ends_with("cuhk keys rotate students"), "{mend}");
    assert_eq!(office.types("doctor").exit, Some(5));
}

#[test]
fn a_root_near_its_end_is_told_and_another_announced_as_told() {
    let office = Office::of((ROOT - 30) * DAY);
    let of = "the root `root` ends at";
    let [outcome, seen, mend] = found(&office, "authority-expiry", of);
    assert_eq!(outcome, "warn", "{seen}");
    assert!(mend.ends_with("cuhk keys rotate root"), "{mend}");
    typed(&office, "cuhk keys rotate root", OF_ROOT);
    let [outcome, seen, _] = found(&office, "authority-expiry", of);
    assert_eq!(outcome, "ok", "{seen}");
    assert!(seen.contains("another has taken its place"), "{seen}");
}

#[test]
fn a_roots_list_near_its_end_is_told_and_signed_as_told() {
    for (age, wanted, exit, told) in [
        (ROOT_LIST - 30, "warn", 4, "is in force until"),
        (ROOT_LIST + 1, "FAIL", 5, "ended at"),
    ] {
        let office = Office::of(age * DAY);
        let [outcome, seen, mend] = found(&office, "revocation-list", "`root`");
        assert_eq!(outcome, wanted.to_lowercase(), "{seen}");
        assert!(seen.contains(told), "{seen}");
        let (command, elsewhere) = mend
            .split_once("; with the root on another machine: ")
            .unwrap();
        assert_eq!(command, "cuhk root sign-crl");
        assert_eq!(elsewhere, "cuhk keys request lists --out FILE");
        let (ended, line) = shown(&office, "revocation-list", "`root`");
        assert_eq!(ended, Some(exit), "{line}");
        assert!(line.starts_with(wanted), "{line}");
        typed(&office, command, OF_ROOT);
        let [outcome, seen, _] = found(&office, "revocation-list", "`root`");
        assert_eq!(outcome, "ok", "{seen}");
        let ran = office.types("doctor");
        assert_eq!(ran.exit, Some(0), "{ran:#?}");
    }
}
