//! `cuhk certs`

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rustls_pki_types::UnixTime;
use scb_certs::Fingerprint;
use scb_cli::{Failure, rfc3339, say};
use serde::Serialize;

use super::{now, open};
use crate::cli::certs_filter::{Filter, State};
use crate::store::{CertificateRecord, Profile};
use crate::{Error, MAX_STUDENT_CERTIFICATES, Subject};

pub(super) const EXAMPLES: &str = "\
Examples:
  cuhk certs list
  cuhk certs list 1155000001 --status live

Ending them: cuhk revoke SID|SERIAL";

const LIST_EXAMPLES: &str = "\
Examples:
  cuhk certs list
  cuhk certs list 1155000001
  cuhk certs list --status live --expires-within 7
  cuhk certs list --status revoked --csv > revoked.csv
  cuhk certs list --json | jq '.[] | select(.profile == \"service\")'";

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List every certificate there ever was, oldest first, or those that are asked for
    #[command(after_help = LIST_EXAMPLES)]
    List(List),
}

#[derive(Debug, clap::Args)]
pub(super) struct List {
    #[command(flatten)]
    filter: Filter,
    /// As CSV with a header
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// As a JSON array
    #[arg(long)]
    json: bool,
}

impl Command {
    pub(super) fn is_json(&self) -> bool {
        let Self::List(list) = self;
        list.json
    }
}

pub(super) fn run(dir: &Path, command: Command) -> Result<(), Failure> {
    let Command::List(List { filter, csv, json }) = command;
    let (_, store) = open(dir)?;
    let subject = filter.subject.clone();
    let (records, replaced) = store.read_blocking(move |records| {
        let certificates = match &subject {
            Some(subject) => records.certificates().of(subject)?,
            None => records.certificates().all()?,
        };
        Ok::<_, Error>((certificates, records.renewals().all_replaced(now())?))
    })?;
    let devices = devices(&records, &replaced, now());
    let rows: Vec<Row> = records
        .iter()
        .filter(|record| filter.wants(record, now()))
        .map(|record| Row::of(record, &devices, now()))
        .collect();
    match () {
        () if json => {
            let text = serde_json::to_string_pretty(&rows);
            Ok(say(
                &text.map_err(|error| Failure::fault(error.to_string()))?
            )?)
        }
        () if csv => table(&rows),
        () => lines(&rows, &devices, &filter),
    }
}

fn table(rows: &[Row]) -> Result<(), Failure> {
    let failed = |error: csv::Error| Failure::fault(error.to_string());
    let mut writer = csv::WriterBuilder::new()
        .has_headers(false)
        .from_writer(Vec::new());
    writer.write_record(Row::COLUMNS).map_err(failed)?;
    for row in rows {
        writer.serialize(row).map_err(failed)?;
    }
    let text = writer
        .into_inner()
        .map_err(|error| Failure::fault(error.to_string()))?;
    Ok(say(String::from_utf8_lossy(&text).trim_end())?)
}

fn lines(rows: &[Row], devices: &Devices<'_>, filter: &Filter) -> Result<(), Failure> {
    for row in rows {
        let Row {
            serial,
            subject,
            profile,
            state,
            not_after,
            ..
        } = row;
        say(&format!(
            "{serial:<32}  {state:<9}  until {not_after}  {profile:<12}  {subject}"
        ))?;
    }
    if filter.narrows() {
        return Ok(());
    }
    for (student, live) in devices {
        say(&format!(
            "{student}  {live} of {MAX_STUDENT_CERTIFICATES} devices"
        ))?;
    }
    Ok(())
}

/// How many live certificates each student has, without those that were renewed.
type Devices<'a> = BTreeMap<&'a Subject, usize>;

fn devices<'a>(
    records: &'a [CertificateRecord],
    replaced: &BTreeSet<Vec<u8>>,
    now: UnixTime,
) -> Devices<'a> {
    let mut devices = BTreeMap::new();
    for record in records {
        let intent = &record.intent;
        if intent.profile == Profile::Student {
            let counts = record.is_live(now) && !replaced.contains(intent.serial.as_bytes());
            *devices.entry(&intent.subject).or_default() += usize::from(counts);
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
    /// The fields in their order.
    const COLUMNS: [&'static str; 10] = [
        "serial",
        "subject",
        "profile",
        "state",
        "not_before",
        "not_after",
        "sha256",
        "revoked_at",
        "reason",
        "live_devices",
    ];

    fn of(record: &CertificateRecord, devices: &Devices<'_>, now: UnixTime) -> Self {
        let intent = &record.intent;
        let revocation = record.revocation.as_ref();
        Self {
            serial: intent.serial.to_string(),
            subject: intent.subject.to_string(),
            profile: intent.profile.as_str(),
            state: State::of(record, now).as_str(),
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
