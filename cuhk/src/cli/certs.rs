//! `cuhk certs`

use std::collections::BTreeMap;
use std::path::Path;

use rustls_pki_types::UnixTime;
use scb_certs::Fingerprint;
use scb_cli::{Failure, rfc3339, say};
use serde::Serialize;

use super::{now, open};
use crate::store::{CertificateRecord, Profile};
use crate::{MAX_STUDENT_CERTIFICATES, Subject};

const LIST_EXAMPLES: &str = "\
Examples:
  cuhk certs list
  cuhk certs list --json | jq '.[] | select(.state == \"live\")'";

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List every certificate there ever was, oldest first
    #[command(after_help = LIST_EXAMPLES)]
    List {
        /// As a JSON array
        #[arg(long)]
        json: bool,
    },
}

impl Command {
    pub(super) fn is_json(&self) -> bool {
        let Self::List { json } = self;
        *json
    }
}

pub(super) fn run(dir: &Path, command: Command) -> Result<(), Failure> {
    let Command::List { json } = command;
    let (_, store) = open(dir)?;
    let records = store.read_blocking(|records| records.certificates().all())?;
    let devices = devices(&records, now());
    let rows: Vec<Row> = records
        .iter()
        .map(|record| Row::of(record, &devices, now()))
        .collect();
    if json {
        let text = serde_json::to_string_pretty(&rows)
            .map_err(|error| Failure::fault(error.to_string()))?;
        return Ok(say(&text)?);
    }
    for row in &rows {
        let Row {
            serial,
            subject,
            profile,
            state,
            not_after,
            ..
        } = row;
        say(&format!(
            "{serial:<32}  {state:<8}  until {not_after}  {profile:<12}  {subject}"
        ))?;
    }
    for (student, live) in devices {
        say(&format!(
            "{student}  {live} of {MAX_STUDENT_CERTIFICATES} devices"
        ))?;
    }
    Ok(())
}

/// How many live certificates each student has.
type Devices<'a> = BTreeMap<&'a Subject, usize>;

fn devices(records: &[CertificateRecord], now: UnixTime) -> Devices<'_> {
    let mut devices = BTreeMap::new();
    for record in records {
        if record.intent.profile == Profile::Student {
            *devices.entry(&record.intent.subject).or_default() += usize::from(record.is_live(now));
        }
    }
    devices
}

#[derive(Serialize)]
struct Row {
    serial: String,
    subject: String,
    profile: &'static str,
    state: &'static str,
    not_before: String,
    not_after: String,
    sha256: Option<Fingerprint>,
    revoked_at: Option<String>,
    reason: Option<&'static str>,
    /// Of a student's certificate: how many of that student's are live.
    live_devices: Option<usize>,
}

impl Row {
    fn of(record: &CertificateRecord, devices: &Devices<'_>, now: UnixTime) -> Self {
        let intent = &record.intent;
        let revocation = record.revocation.as_ref();
        Self {
            serial: intent.serial.to_string(),
            subject: intent.subject.to_string(),
            profile: intent.profile.as_str(),
            state: state(record, now),
            not_before: rfc3339(intent.validity.not_before),
            not_after: rfc3339(intent.validity.not_after),
            sha256: record
                .certificate
                .as_ref()
                .map(scb_certs::Certificate::fingerprint),
            revoked_at: revocation.map(|revocation| rfc3339(revocation.at)),
            reason: revocation.map(|revocation| revocation.reason.as_str()),
            live_devices: devices.get(&intent.subject).copied(),
        }
    }
}

fn state(record: &CertificateRecord, now: UnixTime) -> &'static str {
    match (&record.revocation, &record.certificate) {
        _ if record.is_on_hold() => "held",
        (Some(_), _) => "revoked",
        _ if !record.is_live(now) => "expired",
        (None, None) => "intended",
        (None, Some(_)) => "live",
    }
}
