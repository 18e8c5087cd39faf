//! The documents say what is true.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use scb_protocol::Code;

use crate::campus::{Ran, python};

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

#[test]
fn the_protocol_lists_every_code() {
    let expected: String = Code::ALL
        .iter()
        .map(|code| {
            let (exit, http) = (code.exit_code(), code.http_status());
            format!("| `{code}` | {exit} | {http} | {} |\n", code.sentence())
        })
        .collect();
    let document = read("docs/PROTOCOL.md");
    assert!(
        document.contains(&expected),
        "docs/PROTOCOL.md needs this table:\n{expected}"
    );
}

#[test]
fn every_dependency_is_justified() {
    let workspace = read("Cargo.toml");
    let (_, dependencies) = workspace.split_once("[workspace.dependencies]").unwrap();
    let (dependencies, _) = dependencies.split_once("\n[package]").unwrap();
    let needed: BTreeSet<&str> = dependencies
        .lines()
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name)
        .filter(|name| !name.starts_with("scb-"))
        .collect();
    let document = read("docs/DEPENDENCIES.md");
    let justified: BTreeSet<&str> = document
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    assert_eq!(needed, justified);
}

#[test]
fn another_implementation_computes_the_vectors() {
    let Some(mut python) = python() else { return };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/check_vectors.py");
    let said = Ran::of(python.arg(script)).succeeded().stdout;
    assert!(said.contains("derived values agree"), "{said}");
}

#[test]
fn nothing_wanders_off_the_readme() {
    for document in ["README.md", "ARCHITECTURE.md", "docs/PROTOCOL.md"] {
        let folder = Path::new(document).parent().unwrap().to_path_buf();
        let text = read(document);
        for link in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let target = folder.join(link);
            let exists = Path::new(env!("CARGO_MANIFEST_DIR")).join(&target).exists();
            assert!(exists, "{document} links to {link}");
        }
    }
}
