//! An archive of an assignment: everything that was handed in, and that nothing is missing.

use std::fs::File;
use std::io::BufReader;

use scb_certs::Fingerprint;
use scb_cli::{counted, local_moments, local_time, rfc3339};
use scb_protocol::export::{Head, VerifiedExport};
use scb_protocol::receipt::WitnessPolicy;
use serde_json::json;

use super::{line, pending};
use crate::Error;
use crate::cli::{Common, Verify};
use crate::commands::say_json;

pub(super) fn run(
    common: &Common,
    arguments: &Verify,
    (roots, policy): (&[Fingerprint], &WitnessPolicy),
) -> Result<(), Error> {
    if arguments.file.is_some() || arguments.openssl {
        return Err(Error::ArchiveAlone);
    }
    let path = &arguments.receipt;
    let file = File::open(path).map_err(Error::file("read", path))?;
    let verified = VerifiedExport::verify(BufReader::new(file), roots, policy);
    let verified = verified.map_err(Error::ArchiveRefused);
    match (&verified, common.json) {
        (Ok(export), true) => return say_json(&as_json(export)),
        (Ok(export), false) => say(export)?,
        (Err(_), false) => line("verdict", "it does NOT verify")?,
        (Err(_), true) => {}
    }
    verified.map(drop)
}

fn say(export: &VerifiedExport) -> Result<(), Error> {
    for check in export.checks() {
        line(check.what, &local_moments(&check.found))?;
    }
    let (verdict, gap) = (verdict(export.head()), pending(Some(export.witnessed())));
    line("verdict", &format!("{verdict}{gap}"))
}

fn verdict(head: &Head) -> String {
    let all = counted(head.accepted, "submission");
    let until = local_time(head.exported_at);
    match head.closed {
        _ if head.lost > 0 => format!(
            "it verifies, and is NOT final, and never can be: {all} until {until}; what {} said \
             is LOST, and more may have been handed in",
            counted(head.lost, "further entry")
        ),
        Some(index) => {
            format!("it verifies, and is FINAL: {all}, and nothing came after entry {index}")
        }
        None => {
            format!("it verifies, and is NOT final: {all} until {until}; more may have come later")
        }
    }
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
        "final": head.is_final(),
        "closed": head.closed,
        "lost": head.lost,
    })
}
