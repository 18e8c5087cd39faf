//! An archive of an assignment: everything that was handed in, and that nothing is missing.

use std::fs::File;
use std::io::BufReader;

use scb_certs::Fingerprint;
use scb_cli::rfc3339;
use scb_protocol::export::VerifiedExport;
use scb_protocol::receipt::WitnessPolicy;
use serde_json::json;

use super::words::VerdictWords;
use super::{line, require_alone, words_of};
use crate::cli::{Common, Verify};
use crate::commands::say_json;
use crate::{Error, Kept};

pub(super) fn run(
    common: &Common,
    arguments: &Verify,
    (roots, policy): (&[Fingerprint], &WitnessPolicy),
) -> Result<(), Error> {
    require_alone(arguments, Kept::Archive)?;
    let path = &arguments.receipt;
    let file = File::open(path).map_err(Error::file("read", path))?;
    let verified = VerifiedExport::verify(BufReader::new(file), roots, policy);
    let verified = verified.map_err(Error::ArchiveRefused);
    match (&verified, common.json) {
        (Ok(export), true) => return say_json(&as_json(export)),
        (Ok(export), false) => say(export, words_of(common))?,
        (Err(_), false) => {
            let words = words_of(common);
            line(words.label(), words.does_not_verify())?;
        }
        (Err(_), true) => {}
    }
    verified.map(drop)
}

fn say(export: &VerifiedExport, words: VerdictWords) -> Result<(), Error> {
    for check in export.checks() {
        let (what, found) = words.evidence(check);
        line(what, &found)?;
    }
    let gap = words.pending(Some(export.witnessed()));
    line(words.label(), &format!("{}{gap}", words.archive(export)))
}

fn as_json(export: &VerifiedExport) -> serde_json::Value {
    let head = export.head();
    json!({
        "verified": true,
        "log": head.log,
        "service": head.service,
        "exported_at": rfc3339(head.exported_at),
        "witnessed_at": rfc3339(export.witnessed().seen),
        "lists_ended_before_witness": export.witnessed().outlives_lists(),
        "entries": head.entries,
        "submissions": head.accepted,
        "final": export.is_final(),
        "closed": head.closed,
        "lost": head.lost,
        "unknown": export.unknown_entries(),
    })
}
