//! `docs/OPERATIONS.md`, typed as it stands there, from the first command to the last: with the
//! real programs, in a directory that is thrown away, without a service manager. The boxes come in
//! their order; what is only indented, on a day that is made for it.

mod days;
pub(crate) mod machine;
mod page;
mod typist;

use std::fs;

use machine::Machine;
use page::Commands;
pub(crate) use page::{boxes, indented, indented_of};
pub(crate) use typist::Typist;

use crate::campus::judge;

/// Which file a box puts another passphrase into.
fn passphrase_of(text: &str) -> Option<&'static str> {
    match text {
        _ if text.contains("cuhk keys passphrase") => Some("etc/scb/cuhk.passphrase"),
        _ if text.contains("cuhk root passphrase") => Some("etc/scb/root.passphrase"),
        _ => None,
    }
}

/// Somebody else is at the keys at this moment, and the shell goes on after the refusal: with the same
/// passphrases as before.
fn is_refused_and_loses_nothing(machine: &Machine, text: &str, file: &str) {
    let before = fs::read(machine.path(file)).unwrap();
    let turn = fs::File::open(machine.path("var/lib/cuhk/home/ceremony.lock")).unwrap();
    turn.lock().unwrap();
    let ran = machine.runs_under("", text);
    assert!(ran.stderr.contains("[ceremony_running]"), "{ran:#?}");
    assert_ne!(ran.exit, Some(0), "a script must see it: {ran:#?}");
    drop(turn);
    assert_eq!(fs::read(machine.path(file)).unwrap(), before);
    machine.runs("systemctl restart cuhk.service").succeeded();
}

#[test]
fn the_commands_of_the_page_do_what_it_says() {
    if judge("curl").is_none() {
        return;
    }
    let machine = Machine::new();
    let mut headings = Vec::new();
    for Commands { heading, text } in boxes() {
        let passphrase = passphrase_of(&text);
        if let Some(file) = passphrase {
            is_refused_and_loses_nothing(&machine, &text, file);
        }
        let before = passphrase.map(|file| fs::read(machine.path(file)).unwrap());
        let ran = machine.runs(&text);
        assert_eq!(ran.exit, Some(0), "{heading}:\n{text}\n{ran:#?}");
        let after = passphrase.map(|file| fs::read(machine.path(file)).unwrap());
        assert!(passphrase.is_none() || before != after, "{ran:#?}");
        headings.push(heading);
    }
    let mut left = fs::read_dir(machine.path("etc/scb")).unwrap();
    let is_passphrase = |name: &str| !name.contains("new") && !name.contains("before");
    assert!(left.all(|entry| is_passphrase(&entry.unwrap().file_name().to_string_lossy())));
    for heading in [
        "Install",
        "First day of term",
        "The roster",
        "Terms and renewal",
        "Lost laptop",
        "Key rollover",
        "Somebody leaves",
        "An issuing authority's key was stolen",
        "Backup and restore",
        "Upgrade",
        "Disaster",
        "An outside witness joins",
        "Auditors",
    ] {
        assert!(headings.iter().any(|found| found == heading), "{heading}");
    }
    // Through all of this one hand-in was kept; one certificate was revoked with the lost laptop, and its
    // successor with the authority.
    let listed = machine.runs(
        "runuser -u blackboard -- blackboard --home /var/lib/blackboard/home submissions list --json",
    );
    assert_eq!(listed.succeeded().json().as_array().unwrap().len(), 1);
    let terms = machine.runs("cuhk term list --json").succeeded().json();
    assert_eq!(terms.as_array().unwrap().len(), 2, "{terms}");
    let noted = fs::read_to_string(machine.path("work/operations.csv")).unwrap();
    for operation in ["term set", "keys withdraw", "root passphrase", "restore"] {
        assert!(noted.contains(operation), "{operation}: {noted}");
    }
    let revoked = machine.runs("cuhk certs list 1155000001 --status revoked --json");
    assert_eq!(revoked.succeeded().json().as_array().unwrap().len(), 2);
}
