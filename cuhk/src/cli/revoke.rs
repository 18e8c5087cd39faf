//! `cuhk revoke`

use std::ffi::OsStr;
use std::time::Duration;

use clap::builder::{PossibleValue, TypedValueParser};
use rustls_pki_types::UnixTime;
use scb_certs::RevocationReason;
use scb_cli::{Failure, rfc3339, say};
use serde_json::json;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime};

use super::{Desk, now};
use crate::revocation::{Grounds, NamedTarget, revoke};

const EXAMPLES: &str = "\
Examples:
  cuhk revoke 1155000001                              all certificates of this student
  cuhk revoke 1155000001 --reason key_compromise      a lost laptop: its key is refused for ever
  cuhk revoke 1155000001 --reason key_compromise --compromised-since 2026-11-01
  cuhk revoke 5A3C0E…                                 one device; see `cuhk certs list`
  cuhk revoke service/blackboard

Reasons (RFC 5280, section 5.3.1):
  unspecified             no reason given
  key_compromise          somebody else has, or may have, the key; it is refused for ever
  affiliation_changed     the holder's name or role has changed
  superseded              another certificate has taken its place
  cessation_of_operation  needed no more
  privilege_withdrawn     the right to the certificate was withdrawn

A student's certificates that have ended are revoked, too, and counted: their keys could renew
them for `renewal_grace_days` otherwise. Revocation is for good. What is lifted later is a
suspension: `cuhk roster suspend SID` lists the certificates as on hold (certificateHold), `cuhk
roster restore SID` takes them off the list. A running server notices within a second. Afterwards:
cuhk code issue SID";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// A student ID, service/NAME, or a serial number; student/SID and serial/SERIAL tell them
    /// apart
    #[arg(value_name = "SID|SERIAL")]
    target: NamedTarget,
    /// Why; see below
    #[arg(long, value_name = "REASON", default_value = "unspecified", value_parser = Reasons,
        hide_possible_values = true)]
    reason: RevocationReason,
    /// Since when somebody else had, or may have had, the key: a date (UTC) or a time such as
    /// 2026-11-01T18:30:00+08:00; stands in the revocation list (invalidityDate)
    #[arg(long, value_name = "TIME", value_parser = past)]
    compromised_since: Option<UnixTime>,
    /// Answer as a JSON object
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn run(desk: &Desk<'_>, arguments: &Arguments) -> Result<(), Failure> {
    let (named, grounds) = (arguments.target.clone(), grounds(arguments)?);
    let store = desk.open_to_revoke()?;
    let (target, revoked) = store.write_blocking(move |records| {
        let target = named.resolve(records)?;
        let revoked = revoke(records, &target, grounds, now())?;
        Ok((target, revoked))
    })?;
    let (certificates, codes) = (revoked.certificates, revoked.codes);
    let text = match arguments.json {
        true => json!({
            "target": target.to_string(),
            "reason": grounds.reason,
            "compromised_since": grounds.invalid_since.map(rfc3339),
            "certificates": certificates,
            "codes": codes,
        })
        .to_string(),
        false => format!("{target}  {revoked}"),
    };
    Ok(say(&text)?)
}

fn grounds(arguments: &Arguments) -> Result<Grounds, Failure> {
    let (reason, invalid_since) = (arguments.reason, arguments.compromised_since);
    if invalid_since.is_some() && reason != RevocationReason::KeyCompromise {
        return Err(
            Failure::usage("--compromised-since is about a key that somebody else has")
                .with_remedy("add --reason key_compromise"),
        );
    }
    Ok(Grounds {
        reason,
        invalid_since,
    })
}

/// A time that is over: nobody knows yet when a key will be stolen.
pub(super) fn past(text: &str) -> Result<UnixTime, String> {
    let midnight = |date: Date| date.midnight().assume_utc();
    let date = Date::parse(text, format_description!("[year]-[month]-[day]")).map(midnight);
    let time = date.or_else(|_| OffsetDateTime::parse(text, &Rfc3339));
    let time = time.map_err(|_| "write 2026-11-01 or 2026-11-01T18:30:00+08:00")?;
    let seconds = u64::try_from(time.unix_timestamp()).map_err(|_| "too long ago")?;
    match UnixTime::since_unix_epoch(Duration::from_secs(seconds)) {
        time if time > now() => Err("this time has not come yet".to_owned()),
        time => Ok(time),
    }
}

/// The reasons that can be given: for completions, and for who mistypes one.
#[derive(Debug, Clone)]
struct Reasons;

impl TypedValueParser for Reasons {
    type Value = RevocationReason;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<RevocationReason, clap::Error> {
        reason.parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let of_others = [
            RevocationReason::CertificateHold,
            RevocationReason::CaCompromise,
        ];
        let given = RevocationReason::ALL
            .into_iter()
            .filter(move |reason| !of_others.contains(reason));
        Some(Box::new(
            given.map(|reason| PossibleValue::new(reason.as_str())),
        ))
    }
}

fn reason(text: &str) -> Result<RevocationReason, String> {
    match text.parse() {
        Ok(RevocationReason::CertificateHold) => Err("a hold is set by `cuhk roster suspend SID` \
             and lifted by `cuhk roster restore SID`"
            .to_owned()),
        Ok(RevocationReason::CaCompromise) => {
            Err("an issuing authority is withdrawn, with all that \
             it issued: cuhk keys withdraw"
                .to_owned())
        }
        Ok(reason) => Ok(reason),
        Err(_) => Err("see --help for the reasons".to_owned()),
    }
}
