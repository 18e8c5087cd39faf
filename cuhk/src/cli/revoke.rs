//! `cuhk revoke`

use std::path::Path;

use scb_certs::{RevocationReason, Serial};
use scb_cli::{Failure, say};

use super::{now, open};
use crate::Subject;
use crate::admin;

const EXAMPLES: &str = "\
Examples:
  cuhk revoke 1155000001                              all certificates of this student
  cuhk revoke 1155000001 --reason key_compromise      a lost laptop: its key is refused for ever
  cuhk revoke 1155000001 --serial 5A3C…               one device; see `cuhk certs list`
  cuhk revoke service/blackboard

A running server notices within a second. Afterwards: cuhk code issue SID";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// A student ID, or service/NAME
    subject: Subject,
    /// Only the certificate with this serial number
    #[arg(long, value_name = "HEX")]
    serial: Option<Serial>,
    /// unspecified, key_compromise, affiliation_changed, superseded, cessation_of_operation,
    /// privilege_withdrawn
    #[arg(long, value_name = "REASON", default_value = "unspecified", value_parser = reason)]
    reason: RevocationReason,
}

pub(super) fn run(dir: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let (_, store) = open(dir)?;
    let Arguments {
        subject,
        serial,
        reason,
    } = arguments;
    let (wanted, serial, reason) = (subject.clone(), *serial, *reason);
    let revoked = store.write_blocking(move |records| {
        admin::revoke(records, &wanted, serial.as_ref(), reason, now())
    })?;
    let (certificates, codes) = (revoked.certificates, revoked.codes);
    say(&format!(
        "{subject}  {certificates} certificates revoked, {codes} unused codes withdrawn"
    ))?;
    Ok(())
}

/// A hold could be lifted again, which nothing here does.
fn reason(text: &str) -> Result<RevocationReason, String> {
    match text.parse() {
        Ok(RevocationReason::CertificateHold) | Err(_) => {
            Err("see --help for the reasons".to_owned())
        }
        Ok(reason) => Ok(reason),
    }
}
