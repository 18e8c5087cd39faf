//! The documents say what is true.

mod commands;
mod places;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use scb_protocol::Code;

use crate::campus::{Ran, python};

const DOCUMENTS: [&str; 11] = [
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "docs/BENCHMARKS.md",
    "docs/DEPENDENCIES.md",
    "docs/OPERATIONS.md",
    "docs/PROTOCOL.md",
    "docs/RECEIPTS.md",
    "docs/SECURITY.md",
    "docs/TEACHING.md",
    "docs/TESTING.md",
];

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

/// A row of `docs/SECURITY.md`: its number, and file and name of each test.
fn rows(document: &str) -> Vec<(u32, Vec<(&str, &str)>)> {
    let row = |line| {
        let cells: Vec<&str> = str::split(line, '|').map(str::trim).collect();
        let [_, number, _, tests, _] = cells[..] else {
            return None;
        };
        let tests = tests.split('`').filter_map(|code| code.split_once(" :: "));
        Some((number.parse().ok()?, tests.collect()))
    };
    document.lines().filter_map(row).collect()
}

/// Whether the file has a test of this name.
fn has_test(file: &str, name: &str) -> bool {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let source = fs::read_to_string(path).unwrap_or_default();
    let Some((before, _)) = source.split_once(&format!("fn {name}(")) else {
        return false;
    };
    let above: Vec<&str> = before.lines().rev().take(6).map(str::trim).collect();
    above
        .iter()
        .take_while(|line| !line.starts_with('}'))
        .any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
}

#[test]
fn every_claim_about_security_names_tests_that_exist() {
    let document = read("docs/SECURITY.md");
    let mut covered = BTreeSet::new();
    for (number, tests) in rows(&document) {
        assert!(covered.insert(number), "two rows {number}");
        assert!(!tests.is_empty(), "row {number} names no test");
        for (file, name) in tests {
            assert!(
                has_test(file, name),
                "row {number}: no test {name} in {file}"
            );
        }
    }
    let (_, left_out) = document.split_once("## Left out for now").unwrap();
    let left_out = left_out.lines().filter_map(|line| {
        let (number, _) = line.strip_prefix("- ")?.split_once(':')?;
        number.parse::<u32>().ok()
    });
    covered.extend(left_out);
    let missing: Vec<u32> = (1..=68)
        .filter(|number| !covered.contains(number))
        .collect();
    assert!(missing.is_empty(), "no row for {missing:?}");
}

#[test]
fn a_row_about_a_test_that_does_not_exist_is_noticed() {
    let rows = rows("| 7 | it holds | `tests/stories/documents.rs :: read`, `no.rs :: any` |");
    assert_eq!(
        rows,
        [(
            7,
            vec![("tests/stories/documents.rs", "read"), ("no.rs", "any")]
        )]
    );
    assert!(
        !has_test("tests/stories/documents.rs", "read"),
        "not a test"
    );
    assert!(!has_test("no.rs", "any"), "no such file");
    assert!(has_test(
        "tests/stories/documents.rs",
        "the_protocol_lists_every_code"
    ));
}
