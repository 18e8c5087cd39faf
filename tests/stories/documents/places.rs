//! Files, folders and headings that documents name: each is there.

use std::path::{Path, PathBuf};

use super::{DOCUMENTS, read};

/// The folders of this house whose files documents name from its root.
const ROOMS: [&str; 8] = [
    "certs",
    "common",
    "cuhk",
    "blackboard",
    "students",
    "tests",
    "benches",
    "packaging",
];

fn is_there(path: &Path) -> bool {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path).exists()
}

/// What a heading is called in a link.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept
        .chars()
        .filter(|sign| sign.is_alphanumeric() || " -_".contains(*sign));
    kept.collect::<String>().replace(' ', "-")
}

fn has_heading(document: &str, wanted: &str) -> bool {
    let headings = document.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| anchor(line.trim_start_matches('#')))
        .any(|it| it == wanted)
}

/// Where a link of this document leads to, if that is nowhere.
fn leads_nowhere(document: &str, link: &str) -> bool {
    let (file, heading) = link.split_once('#').unwrap_or((link, ""));
    let folder = Path::new(document).parent().unwrap().to_path_buf();
    let target = match file {
        "" => PathBuf::from(document),
        _ => folder.join(file),
    };
    !is_there(&target)
        || !heading.is_empty() && !has_heading(&read(target.to_str().unwrap()), heading)
}

fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1);
    targets.filter_map(|rest| rest.split(')').next())
}

/// Paths below [`ROOMS`] in code spans; a pattern or a placeholder is none.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    let spans = text
        .split("```")
        .step_by(2)
        .flat_map(|text| text.split('`').skip(1).step_by(2));
    let first = spans.filter_map(|span| span.split([' ', '\n']).next());
    first.filter(|path| {
        let room = path.split_once('/').map(|(room, _)| room);
        room.is_some_and(|room| ROOMS.contains(&room)) && !path.contains(['<', '*', '|', '='])
    })
}

#[test]
fn nothing_wanders_off_the_documents() {
    for document in DOCUMENTS {
        let text = read(document);
        for link in links(&text) {
            assert!(!leads_nowhere(document, link), "{document} links to {link}");
        }
    }
}

#[test]
fn documents_name_files_that_are_there() {
    let mut named = 0;
    for document in DOCUMENTS {
        for path in paths(&read(document)) {
            assert!(is_there(Path::new(path)), "{document} names {path}");
            named += 1;
        }
    }
    assert!(named > 100, "only {named} paths were found");
}

#[test]
fn a_file_and_a_heading_that_are_not_there_are_noticed() {
    let text = "see [this](docs/NONE.md), `cuhk/src/none.rs :: test` and `blackboard/src/<noun>/`";
    assert!(leads_nowhere("README.md", links(text).next().unwrap()));
    assert!(leads_nowhere("README.md", "#no-such-heading"));
    assert!(leads_nowhere("docs/TESTING.md", "README.md"));
    assert!(!leads_nowhere("docs/TESTING.md", "../README.md#for-real"));
    assert!(!leads_nowhere("README.md", "#the-platforms-operator"));
    let named: Vec<_> = paths(text).collect();
    assert_eq!(named, ["cuhk/src/none.rs"]);
    assert!(!is_there(Path::new(named[0])));
}
