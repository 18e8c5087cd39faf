//! `blackboard submissions archive`: everything of one assignment in one file, with the proof that
//! nothing is missing.

mod proof;
mod write;

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use scb_cli::{Failure, Home, Role, counted, local_time, say, write_atomic_with};
use scb_protocol::export::Head;
use scb_storage::ContentStore;
use serde_json::json;

use self::proof::Proof;
use self::write::{Packing, Written};
use super::print_json;
use crate::arguments::Archive;
use crate::courses::Desk;
use crate::enrol::receipt_roots;
use crate::identity::IdentityFiles;
use crate::serve::not_certified;
use crate::store::closing::Closing;

/// Who may read the archive: whoever may read the home.
const MODE: u32 = 0o600;

pub(super) fn run(home: &Path, command: &Archive) -> anyhow::Result<()> {
    let desk = Desk::open(home)?;
    let home = Home::open(home, Role::Blackboard)?;
    let place = desk.place(&command.of.which());
    let closing = desk.store.close_assignment(&place, desk.now)?;
    let proof = Proof::obtain(&desk, &home, &place, command.wait)?;
    let identity = IdentityFiles::open(&home)?.current()?;
    let packing = Packing {
        store: &desk.store,
        content: ContentStore::open(&home.path("content"))?,
        roots: receipt_roots(&home)?,
        identity: identity.ok_or_else(not_certified)?,
        proof,
    };
    let written = write_atomic_with(&command.file, MODE, |file: &mut File| {
        packing.write(BufWriter::new(file), &command.file)
    })?;
    tell(command, &written, closing)
}

fn tell(command: &Archive, written: &Written, closing: Closing) -> anyhow::Result<()> {
    let Written { head, files } = written;
    if command.output.json {
        return print_json(&json!({
            "file": command.file,
            "log": head.log,
            "entries": head.entries,
            "submissions": head.accepted,
            "files": files,
            "final": head.is_final(),
            "closed": head.closed,
            "lost": head.lost,
        }));
    }
    say(&format!(
        "{}  {} with {}, under {} of {}",
        command.file.display(),
        counted(head.accepted, "submission"),
        counted(*files, "file"),
        counted(head.entries, "entry"),
        head.log
    ))?;
    Ok(say(&ending(head, closing))?)
}

/// Whether more may come, and until when.
fn ending(head: &Head, closing: Closing) -> String {
    if head.lost > 0 {
        let lost = counted(head.lost, "entry");
        return format!(
            "NOT final, and never will be: {lost} of the log lost before an old backup"
        );
    }
    match (head.closed, closing) {
        (Some(index), _) => format!("final: entry {index} closed the assignment"),
        (None, Closing::TakenUntil(Some(until))) => {
            format!("NOT final: work is taken until {}", local_time(until))
        }
        (None, Closing::UploadUntil(until)) => format!(
            "NOT final: files of signed statements may come until {}",
            local_time(until)
        ),
        (None, Closing::Completing) => {
            "NOT final: what everybody has signed is completed as soon as CUHK answers".to_owned()
        }
        (None, _) => {
            "NOT final: the assignment has no end; `blackboard assignment close` gives it \
                      one"
            .to_owned()
        }
    }
}

/// CUHK has not said what is needed.
fn not_yet(what: &str) -> Failure {
    Failure {
        exit: scb_cli::exit::RETRY,
        ..Failure::refused(what)
            .with_remedy(
                "let `blackboard serve` and CUHK run, and do it again; --wait 5min waits longer",
            )
            .with_code("not_witnessed")
    }
}
