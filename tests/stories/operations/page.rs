//! The commands of `docs/OPERATIONS.md`: those in boxes, and those that are only indented.

use std::fs;
use std::path::Path;

pub(super) const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");

/// One box of commands, and under which heading it stands.
pub(crate) struct Commands {
    pub(super) heading: String,
    pub(crate) text: String,
}

fn page() -> String {
    fs::read_to_string(Path::new(REPOSITORY).join("docs/OPERATIONS.md")).unwrap()
}

/// The boxes, in order. All are marked `sh`: there is none that nobody types.
pub(crate) fn boxes() -> Vec<Commands> {
    boxes_of(&page())
}

fn boxes_of(page: &str) -> Vec<Commands> {
    let (mut boxes, mut heading, mut open) = (Vec::new(), String::new(), None);
    for line in page.lines() {
        match (&mut open, line) {
            (None, "```sh") => open = Some(String::new()),
            (Some(_), "```") => boxes.push(Commands {
                heading: heading.clone(),
                text: open.take().unwrap(),
            }),
            (Some(text), line) => *text += &format!("{line}\n"),
            (None, line) => {
                assert!(
                    !line.trim_start().starts_with("```"),
                    "not marked sh: {line}"
                );
                if let Some(title) = line.strip_prefix("## ") {
                    title.clone_into(&mut heading);
                }
            }
        }
    }
    boxes
}

/// The commands that are only indented, in order, each on one line.
pub(crate) fn indented() -> Vec<String> {
    indented_of(&page())
}

/// Those of any page.
pub(crate) fn indented_of(page: &str) -> Vec<String> {
    let outside: String = page.split("```").step_by(2).collect();
    let parts = outside.split("\\\n").enumerate();
    let joined: String = parts
        .map(|(nth, part)| match nth {
            0 => part,
            _ => part.trim_start_matches(' '),
        })
        .collect();
    let lines = joined.lines().filter_map(|line| line.strip_prefix("    "));
    lines.map(|line| line.trim().to_owned()).collect()
}

#[test]
fn a_command_that_is_added_to_the_page_is_seen() {
    let page = "## A day\n\nType\n\n    cuhk one --file FILE \\\n        --more\n    two && three\n\n```sh\n    \
                cuhk four\n```\n\nthen\n\n    five\n";
    assert_eq!(
        indented_of(page),
        ["cuhk one --file FILE --more", "two && three", "five"]
    );
    let boxed = boxes_of(page);
    assert_eq!((boxed.len(), boxed[0].heading.as_str()), (1, "A day"));
    assert_eq!(boxed[0].text, "    cuhk four\n");
}
