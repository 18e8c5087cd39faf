//! Lists of files, hashes and assignments in a sentence: no more of them than one line takes.

use scb_certs::Fingerprint;
use scb_cli::printable;
use scb_protocol::Refusal;
use scb_protocol::export::ExportError;
use scb_protocol::statement::{FileEntry, Files, Label};

use super::other_root;
use crate::OpenAssignment;

/// `that of report.pdf is 3f…`: at most three files.
pub(super) fn proposed(files: &Files) -> String {
    const MOST: usize = 3;
    let told = |file: &FileEntry| {
        let name = printable(file.name.as_ref());
        format!("that of {name} is {}", file.sha256)
    };
    let shown: Vec<_> = files.iter().take(MOST).map(told).collect();
    match files.len().saturating_sub(MOST) {
        0 => shown.join(" and "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// As many as one line takes.
pub(super) fn some_of(differences: &[String]) -> String {
    const MOST: usize = 5;
    let shown = differences.iter().take(MOST).map(String::as_str);
    let shown = shown.collect::<Vec<_>>().join(", ");
    match differences.len().checked_sub(MOST) {
        None | Some(0) => shown,
        Some(more) => format!("{shown} and {more} more"),
    }
}

/// Of a file that is none of so many, of which these have its name.
pub(super) fn not_handed_in(files: usize, named: &[Fingerprint]) -> String {
    match (files, named.is_empty()) {
        (1, _) => "not the file that was handed in".to_owned(),
        (_, false) => "not what was handed in under that name".to_owned(),
        (more, true) => format!("none of the {more} files that were handed in"),
    }
}

/// At most three hashes.
pub(super) fn listed(hashes: &[Fingerprint]) -> String {
    let shown: Vec<_> = hashes.iter().take(3).map(Fingerprint::to_string).collect();
    match hashes.len().saturating_sub(shown.len()) {
        0 => shown.join(" or "),
        more => format!("{} or {more} more", shown.join(", ")),
    }
}

/// What a receipt is worth that does not verify. By another root than its own nothing is judged.
pub(super) fn as_it_is(refusal: &Refusal) -> &'static str {
    match other_root(refusal).is_some() {
        true => "by another root than its own it says nothing",
        false => "as it is, the receipt proves nothing",
    }
}

/// The same of an archive, with what is wrong.
pub(super) fn archive_refused(error: &ExportError) -> String {
    match error.other_root() {
        Some((_, expected)) => format!(
            "it is under another root: {expected}; by another root than its own it says nothing"
        ),
        None => format!("{error}; as it is, the archive proves nothing"),
    }
}

/// What is open, and why others that may be meant are not told.
pub(super) fn several_open(open: &[OpenAssignment], held_back: &[Refusal]) -> String {
    let others = held_back.iter().map(|why| why.sentence());
    let others: Vec<_> = others.collect();
    match (open.len(), &others[..]) {
        (_, []) => format!("several assignments are open: {}", places(open)),
        (_, others) => format!(
            "open: {}; but another one may be meant, which is held back: {}",
            places(open),
            others.join("; ")
        ),
    }
}

/// ` in CSCI3150`.
pub(super) fn in_course(course: &Option<Label>) -> String {
    let course = course.as_ref().map(|course| format!(" in {course}"));
    course.unwrap_or_default()
}

/// `CSCI3150/lab-1, CSCI3150/lab-2`.
pub(crate) fn places(open: &[OpenAssignment]) -> String {
    let name = |one: &OpenAssignment| format!("{}/{}", one.listed.course, one.listed.assignment);
    open.iter().map(name).collect::<Vec<_>>().join(", ")
}
