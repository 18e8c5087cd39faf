//! What was altered on Blackboard's disk is found, and is not given out.

use std::fs;
use std::path::PathBuf;

use crate::campus::{ByHand, Campus, SAMPLE};
use crate::witness::until_seen;

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

/// A nightly check that was set up on the first day.
#[test]
fn before_the_first_start_nothing_is_damaged() {
    let campus = ByHand::new();
    campus.init().succeeded();
    let cuhk = campus.serve_cuhk();
    campus.certify_blackboard(&cuhk);
    let is_sound = || {
        let sound = campus.blackboard(&["fsck"]).succeeded().stdout;
        assert!(
            sound.ends_with("everything is as it was stored\n"),
            "{sound}"
        );
    };
    is_sound();
    campus.add_course();
    is_sound();
    drop(campus.start_blackboard());
    is_sound();
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
        found.stdout.contains("  do     put a copy of the file"),
        "{found:#?}"
    );
    let chinese = campus.administer_blackboard(&["fsck", "--lang", "zh-Hant"]);
    assert_eq!(chinese.exit, Some(5), "{chinese:#?}");
    let said = &chinese.stdout;
    assert!(said.starts_with(line), "{said}");
    assert!(
        said.contains("  發現  存檔的內容與其雜湊值不符（"),
        "{said}"
    );
    assert!(said.contains("  該做  把該檔案的副本"), "{said}");
    assert!(said.ends_with("1 項與儲存時不符\n"), "{said}");
    assert!(chinese.stderr.contains("再次執行"), "{chinese:#?}");
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

    // As it says: the very same files once more.
    let again = campus.student(&submit).succeeded();
    assert!(again.stdout.contains("S-000001.zip"), "{again:#?}");
    campus.administer_blackboard(&["fsck"]).succeeded();
    campus.administer_blackboard(&export).succeeded();
    let exported = fs::read_dir(out.join("S-000001")).unwrap();
    let mut exported = exported.map(|file| fs::read(file.unwrap().path()).unwrap());
    assert!(exported.any(|bytes| bytes == b"the report"));
}

/// The directory of the one log.
fn log(campus: &Campus) -> PathBuf {
    let logs = campus.path().join("blackboard/logs");
    let entries = fs::read_dir(logs).unwrap().map(|entry| entry.unwrap());
    let mut folders = entries
        .map(|entry| entry.path())
        .filter(|path| path.is_dir());
    folders.next().unwrap()
}

#[test]
fn a_torn_tile_and_a_lost_checkpoint_are_mended_as_fsck_says() {
    let mut campus = Campus::sandbox();
    let submit = ["submit", "--ids", SAMPLE];
    campus.student(&submit).succeeded();
    until_seen(&campus);
    campus.blackboard.stop();
    let log = log(&campus);
    let tile = log.join("tile/0/000.p");
    let tile = fs::read_dir(tile).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read(&tile).unwrap();
    fs::write(&tile, &whole[..whole.len() - 1]).unwrap();
    let found = campus.administer_blackboard(&["fsck"]);
    assert_eq!(found.exit, Some(5), "{found:#?}");
    let remedy = "move the log's directory out of HOME/logs";
    assert!(found.stdout.contains(remedy), "{found:#?}");
    assert!(!found.stdout.contains("log_cut"), "{found:#?}");
    fs::rename(&log, campus.outside().join("evidence")).unwrap();
    campus.start_blackboard_again();
    campus.administer_blackboard(&["fsck"]).succeeded();

    campus.blackboard.stop();
    fs::remove_file(log.join("checkpoint")).unwrap();
    let found = campus.administer_blackboard(&["fsck"]).stdout;
    assert!(!found.contains("log_cut"), "{found}");
    campus.start_blackboard_again();
    let sound = campus.administer_blackboard(&["fsck"]).succeeded().stdout;
    let ends = "everything is as it was stored\n";
    assert!(sound.ends_with(ends), "{sound}");
    assert!(log.join("checkpoint").exists());
}

#[test]
fn an_assignment_that_is_not_there_is_no_sound_one() {
    let campus = Campus::sandbox();
    let fsck = |one| campus.administer_blackboard(&["fsck", "--json", "--assignment", one]);
    fsck("SANDBOX/lab").succeeded();
    fsck("SANDBOX/other").refused(3, "assignment_unknown");
    assert_eq!(fsck("SANDBOX").exit, Some(2));
}
