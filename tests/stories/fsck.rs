//! What was altered on Blackboard's disk is found, and is not given out.

use std::fs;
use std::path::PathBuf;

use crate::campus::{Campus, SAMPLE};

/// The one stored file of a campus.
fn stored(campus: &Campus) -> PathBuf {
    let content = campus.path().join("blackboard/content");
    let below = |path: PathBuf| {
        fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().path())
    };
    let folders = below(content).filter(|path| path.is_dir());
    let folders = folders.filter(|path| path.file_name().unwrap().len() == 2);
    let mut files = folders.flat_map(below);
    files.next().unwrap()
}

#[test]
fn an_altered_file_is_found_and_not_exported() {
    let campus = Campus::sandbox();
    let report = campus.outside().join("report.txt");
    fs::write(&report, "the report").unwrap();
    let submit = ["submit", "--ids", SAMPLE, report.to_str().unwrap()];
    campus.student(&submit).succeeded();
    let sound = campus.administer_blackboard(&["fsck"]).succeeded().stdout;
    assert!(sound.contains("looked at 1 submission, 1 file"), "{sound}");
    assert!(
        sound.ends_with("everything is as it was stored\n"),
        "{sound}"
    );

    fs::write(stored(&campus), "the rEport").unwrap();
    let found = campus.administer_blackboard(&["fsck"]);
    assert_eq!(found.exit, Some(5), "{found:#?}");
    let line = "content_altered  S-000001 report.txt";
    assert!(found.stdout.starts_with(line), "{found:#?}");
    assert!(
        found.stdout.contains("  do     put this file back"),
        "{found:#?}"
    );
    let json = campus.administer_blackboard(&["fsck", "--json"]);
    let findings = json.json()["findings"].clone();
    assert_eq!(findings[0]["code"], "content_altered");
    assert_eq!(findings[0]["weight"], "damage");
    json.refused(5, "damaged");

    let out = campus.outside().join("out");
    let export = ["submissions", "export", out.to_str().unwrap()];
    let refused = campus.administer_blackboard(&export);
    assert_eq!(refused.exit, Some(5), "{refused:#?}");
    assert!(refused.stderr.contains("[damaged]"), "{refused:#?}");
    assert!(!out.join("S-000001").exists());
}

#[test]
fn an_assignment_that_is_not_there_is_no_sound_one() {
    let campus = Campus::sandbox();
    let fsck = |one| campus.administer_blackboard(&["fsck", "--json", "--assignment", one]);
    fsck("SANDBOX/lab").succeeded();
    fsck("SANDBOX/other").refused(3, "assignment_unknown");
    assert_eq!(fsck("SANDBOX").exit, Some(2));
}
