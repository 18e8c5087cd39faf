//! `cuhk revoke`

use std::path::Path;

use scb_certs::RevocationReason;
use scb_cli::{Failure, counted, say};
use serde_json::json;

use super::{now, open};
use crate::revocation::{NamedTarget, revoke};

const EXAMPLES: &str = "\
Examples:
  cuhk revoke 1155000001                              all certificates of this student
  cuhk revoke 1155000001 --reason key_compromise      a lost laptop: its key is refused for ever
  cuhk revoke 5A3C0E…                                 one device; see `cuhk certs list`
  cuhk revoke service/blackboard

Reasons (RFC 5280, section 5.3.1):
  unspecified             no reason given
  key_compromise          somebody else has, or may have, the key; it is refused for ever
  affiliation_changed     the holder's name or role has changed
  superseded              another certificate has taken its place
  cessation_of_operation  needed no more
  privilege_withdrawn     the right to the certificate was withdrawn

Revocation is for good. What is lifted later is a suspension: `cuhk roster suspend SID` lists the
certificates as on hold (certificateHold), `cuhk roster restore SID` takes them off the list.
A running server notices within a second. Afterwards: cuhk code issue SID";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// A student ID, service/NAME, or a serial number; student/SID and serial/SERIAL tell them
    /// apart
    #[arg(value_name = "SID|SERIAL")]
    target: NamedTarget,
    /// Why; see below
    #[arg(long, value_name = "REASON", default_value = "unspecified", value_parser = reason)]
    reason: RevocationReason,
    /// Answer as a JSON object
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn run(dir: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let (_, store) = open(dir)?;
    let (named, reason) = (arguments.target.clone(), arguments.reason);
    let (target, revoked) = store.write_blocking(move |records| {
        let target = named.resolve(records)?;
        let revoked = revoke(records, &target, reason, now())?;
        Ok((target, revoked))
    })?;
    let (certificates, codes) = (revoked.certificates, revoked.codes);
    let text = match arguments.json {
        true => json!({
            "target": target.to_string(),
            "reason": reason,
            "certificates": certificates,
            "codes": codes,
        })
        .to_string(),
        false => format!(
            "{target}  {} revoked, {} withdrawn",
            counted(certificates, "certificate"),
            counted(codes, "unused code")
        ),
    };
    Ok(say(&text)?)
}

fn reason(text: &str) -> Result<RevocationReason, String> {
    match text.parse() {
        Ok(RevocationReason::CertificateHold) => Err("a hold is set by `cuhk roster suspend SID` \
             and lifted by `cuhk roster restore SID`"
            .to_owned()),
        Ok(reason) => Ok(reason),
        Err(_) => Err("see --help for the reasons".to_owned()),
    }
}
