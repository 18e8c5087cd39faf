//! `cuhk revoke`

use std::ffi::OsStr;
use std::time::Duration;

use clap::builder::{PossibleValue, TypedValueParser};
use rustls_pki_types::UnixTime;
use scb_certs::{RevocationReason, ServiceName};
use scb_cli::{Failure, counted, rfc3339, say};
use serde_json::json;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime};

use super::{Desk, consent, now};
use crate::revocation::{Grounds, NamedTarget, Target, revoke};
use crate::store::{CertificateRecord, Records};
use crate::{Error, Subject};

const EXAMPLES: &str = "\
Examples:
  cuhk revoke 1155000001                              all certificates of this student
  cuhk revoke 1155000001 --reason key_compromise      a lost laptop: its key is refused for ever
  cuhk revoke 1155000001 --reason key_compromise --compromised-since 2026-11-01
  cuhk revoke 5A3C0E…                                 one device; see `cuhk certs list`
  cuhk revoke service/blackboard                      asks; elsewhere than at a terminal: --yes

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
cuhk code issue SID

Of a service, the authority itself (service/cuhk) among them, it says who is without service then,
and asks at the terminal; it does nothing where nobody can answer and --yes is not given
(not_confirmed; exit code 2, or 3 for another answer).";

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
    /// Revoke a service's certificates without asking
    #[arg(long)]
    yes: bool,
    /// Answer as a JSON object
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn run(desk: &Desk<'_>, arguments: &Arguments) -> Result<(), Failure> {
    let (named, grounds) = (arguments.target.clone(), grounds(arguments)?);
    let store = desk.open_to_revoke()?;
    let asked = named.clone();
    let stake = store.read_blocking(move |records| AtStake::of(records, asked))?;
    if let Some(stake) = stake.as_ref().filter(|_| !arguments.yes) {
        stake.ask()?;
    }
    let next = stake.map(|stake| stake.next());
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
            "next": next,
        })
        .to_string(),
        false => {
            let done = format!("{target}  {revoked}");
            done + &next.map_or_else(String::new, |next| format!("\n{next}"))
        }
    };
    Ok(say(&text)?)
}

/// A service whose certificates are to be revoked.
#[derive(Debug)]
struct AtStake {
    service: ServiceName,
    /// How many of those that count.
    certificates: usize,
    /// How many more count.
    others: usize,
}

impl AtStake {
    /// None if it is about a student, or if nothing of it counts.
    fn of(records: &Records<'_>, named: NamedTarget) -> Result<Option<Self>, Error> {
        let (subject, serial) = match named.resolve(records)? {
            Target::Subject(subject) => (Some(subject), None),
            Target::Certificate(serial) => {
                let record = records.certificates().find(&serial)?;
                (record.map(|record| record.intent.subject), Some(serial))
            }
        };
        let Some(Subject::Service(service)) = subject else {
            return Ok(None);
        };
        let live = records
            .certificates()
            .live(&Subject::Service(service.clone()), now())?;
        let is_meant = |one: &&CertificateRecord| serial.is_none_or(|it| it == one.intent.serial);
        let certificates = live.iter().filter(is_meant).count();
        Ok((certificates > 0).then(|| Self {
            others: live.len() - certificates,
            service,
            certificates,
        }))
    }

    fn ask(&self) -> Result<(), Failure> {
        let name = &self.service;
        let certificates = counted(self.certificates, "certificate");
        let left = match self.others {
            0 => "it has no other".to_owned(),
            others => format!("it has {} beside", counted(others, "other")),
        };
        let question = format!(
            "{certificates} of service/{name} would be refused at once, and for good; {left}.\n{}\n\
             Type its name, {name}, to revoke, or anything else to leave it: ",
            self.without()
        );
        let only_if = format!("what certifies service/{name} is revoked");
        consent::require(&question, name.as_str(), &only_if)
    }

    fn is_own(&self) -> bool {
        self.service == ServiceName::cuhk()
    }

    /// Who is without service.
    fn without(&self) -> String {
        match self.is_own() {
            true => "Nobody is certified, and nobody can hand in, until this CUHK has new ones; no token \
                     that it signed with these counts then."
                .to_owned(),
            false => format!(
                "Nobody can work with {} until it has a new one, and no group can hand in there.",
                self.service
            ),
        }
    }

    /// What to do about it.
    fn next(&self) -> String {
        let name = &self.service;
        match self.is_own() {
            true => "CUHK makes new ones by itself, with new keys: within a second if `cuhk serve` runs, \
                     else when it starts; students' programs fetch new tokens by themselves"
                .to_owned(),
            false => format!(
                "service/{name}  needs a new certificate: `cuhk code issue service/{name} --replace --out \
                 FILE` here; then, where it runs (blackboard): `blackboard init --replace --code-file FILE`"
            ),
        }
    }
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
