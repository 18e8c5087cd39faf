//! `blackboard submissions archive`: everything of one assignment in one file, with the proof that
//! nothing is missing.

mod proof;
mod write;

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use scb_cli::{Failure, Home, Role, counted, local_time, note, printable, say, write_atomic_with};
use scb_protocol::export::Head;
use scb_protocol::statement::SubmissionId;
use scb_storage::ContentStore;
use scb_transport::{Clock, SystemClock};
use serde_json::json;

use self::proof::Proof;
use self::write::{Packing, Written};
use super::print_json;
use crate::arguments::Archive;
use crate::courses::Desk;
use crate::enrol::receipt_roots;
use crate::identity::IdentityFiles;
use crate::serve::not_certified;
use crate::store::Place;
use crate::store::closing::Closing;

/// Who may read the archive: whoever may read the home.
const MODE: u32 = 0o600;

pub(super) fn run(home: &Path, command: &Archive) -> anyhow::Result<()> {
    check_target(command)?;
    let mut desk = Desk::open(home)?;
    let home = Home::open(home, Role::Blackboard)?;
    let place = desk.place(&command.of.which());
    let closing = close(&mut desk, &place, command)?;
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
    tell(command, &written, closing)?;
    let waits = matches!(closing, Closing::UploadUntil(_) | Closing::Completing);
    let damaged = match waits && !command.output.json {
        true => desk.store.damaged_uploads(&place)?,
        false => Vec::new(),
    };
    Ok(damaged.iter().try_for_each(|one| say(&kept_open_by(one)))?)
}

/// What keeps it from being final though nothing may come of it.
fn kept_open_by(submission: &SubmissionId) -> String {
    format!(
        "{submission} keeps it open: what is stored of it is not what the log says (`blackboard fsck`); put a backup of \
         blackboard.db in which it is whole in its place"
    )
}

/// Closes the log if nothing can come any more. What came in the last second may be a few seconds on its way
/// into the log: it is waited for.
fn close(desk: &mut Desk, place: &Place, command: &Archive) -> anyhow::Result<Closing> {
    loop {
        match desk.store.close_assignment(place, desk.now)? {
            Closing::Settling(until) => {
                let left = until.as_secs().saturating_sub(desk.now.as_secs()) + 1;
                // For a program there is nothing beside the error, if there is one.
                if !command.output.json {
                    note(&format!(
                        "what came in the last moment may still be entered: {} more",
                        counted(left, "second")
                    ))?;
                }
                sleep(Duration::from_secs(left));
                desk.now = SystemClock.now();
            }
            closing => return Ok(closing),
        }
    }
}

/// What is there may be the only evidence of another assignment.
fn check_target(command: &Archive) -> Result<(), Failure> {
    let path = printable(&command.file.to_string_lossy());
    match fs::symlink_metadata(&command.file) {
        Err(_) => Ok(()),
        Ok(found) if found.is_dir() => Err(Failure::usage(format!("{path} is a directory"))
            .with_remedy("name a file, such as lab-1.zip in it")
            .with_code("target_directory")),
        // A link is replaced, and what it leads to stays; a device or a pipe is no archive of anybody's.
        Ok(found) if !found.is_file() && !found.is_symlink() => Err(Failure::usage(format!(
            "{path} is no file: nothing is put in its place"
        ))
        .with_remedy("name a file, such as lab-1.zip; nothing was changed")
        .with_code("target_special")),
        Ok(_) if command.replace => Ok(()),
        Ok(_) => Err(Failure::refused(format!("{path} is there already"))
            .with_remedy("name another file, or give --replace; nothing was changed")
            .with_code("file_exists")),
    }
}

fn tell(command: &Archive, written: &Written, closing: Closing) -> anyhow::Result<()> {
    let Written {
        head,
        files,
        unknown,
    } = written;
    if command.output.json {
        return print_json(&json!({
            "file": command.file,
            "log": head.log,
            "entries": head.entries,
            "submissions": head.accepted,
            "files": files,
            "final": head.is_final(*unknown),
            "closed": head.closed,
            "lost": head.lost,
            "unknown": unknown,
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
    Ok(say(&ending(head, *unknown, closing))?)
}

/// Whether more may come, and until when.
fn ending(head: &Head, unknown: u64, closing: Closing) -> String {
    if unknown > 0 {
        let lost = counted(unknown, "entry");
        return format!(
            "NOT final, and never can be unless receipts bring it back: {lost} of the log lost before an old \
             backup"
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
        (None, Closing::Storing(until)) => format!(
            "NOT final: files that came in time may still be stored until {}",
            local_time(until)
        ),
        (None, Closing::Closed(index)) => format!(
            "NOT final, whatever entry {index} says: something was accepted after the log had been closed before, \
             and nothing had opened it again; `student verify` names it"
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
