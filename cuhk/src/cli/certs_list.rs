//! What `cuhk certs list` prints, row by row.

use std::io::Write;

use rustls_pki_types::UnixTime;
use scb_certs::{Certificate, Fingerprint};
use scb_cli::rfc3339;
use serde::Serialize;
use serde::ser::{SerializeSeq, Serializer};

use crate::cli::certs_filter::{Filter, State};
use crate::store::{CertificateRecord, Profile, Records};
use crate::{Error, MAX_STUDENT_CERTIFICATES};

/// How it is written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Format {
    /// For people.
    Lines,
    /// CSV with a header.
    Csv,
    /// One JSON array.
    Json,
}

/// What is listed, and how.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) filter: Filter,
    pub(super) format: Format,
    pub(super) now: UnixTime,
}

impl Listing {
    /// Writes all of it.
    ///
    /// # Errors
    ///
    /// [`Error::Local`] if it cannot be written; [`Error::RecordInvalid`], [`Error::Storage`].
    pub(super) fn write(&self, records: &Records<'_>, out: &mut impl Write) -> Result<(), Error> {
        match self.format {
            Format::Lines => self.lines(records, out),
            Format::Csv => self.csv(records, out),
            Format::Json => self.json(records, out),
        }
    }

    fn lines(&self, records: &Records<'_>, out: &mut impl Write) -> Result<(), Error> {
        self.each(records, |row| {
            let Row {
                serial,
                subject,
                profile,
                state,
                not_after,
                ..
            } = row;
            let line =
                format!("{serial:<32}  {state:<9}  until {not_after}  {profile:<12}  {subject}");
            writeln!(out, "{line}").map_err(unwritten)
        })?;
        if self.filter.narrows() {
            return Ok(());
        }
        let subject = self.filter.subject.as_ref();
        records
            .renewals()
            .each_devices(subject, self.now, |student, devices| {
                writeln!(
                    out,
                    "{student}  {devices} of {MAX_STUDENT_CERTIFICATES} devices"
                )
                .map_err(unwritten)
            })
    }

    fn csv(&self, records: &Records<'_>, out: &mut impl Write) -> Result<(), Error> {
        let mut writer = csv::WriterBuilder::new()
            .has_headers(false)
            .from_writer(out);
        writer.write_record(Row::COLUMNS).map_err(unwritten)?;
        self.each(records, |row| writer.serialize(row).map_err(unwritten))?;
        writer.flush().map_err(unwritten)
    }

    fn json(&self, records: &Records<'_>, out: &mut impl Write) -> Result<(), Error> {
        let mut serializer = serde_json::Serializer::pretty(&mut *out);
        let mut rows = serializer.serialize_seq(None).map_err(unwritten)?;
        self.each(records, |row| {
            rows.serialize_element(&row).map_err(unwritten)
        })?;
        rows.end().map_err(unwritten)?;
        writeln!(out).map_err(unwritten)
    }

    /// Each row that is asked for, oldest first.
    fn each(
        &self,
        records: &Records<'_>,
        mut write: impl FnMut(Row) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let subject = self.filter.subject.as_ref();
        records.certificates().each(subject, |record| {
            let intent = &record.intent;
            let renewals = records.renewals();
            let state = match State::of(&record, self.now) {
                State::Live if renewals.is_replaced(&intent.serial, self.now)? => State::Replaced,
                state => state,
            };
            if !self.filter.wants(&record, state, self.now) {
                return Ok(());
            }
            let live_devices = match intent.profile {
                Profile::Student => Some(renewals.devices(&intent.subject, self.now)?),
                Profile::Service | Profile::TokenSigner => None,
            };
            write(Row::of(&record, state, live_devices))
        })
    }
}

fn unwritten(error: impl Into<std::io::Error>) -> Error {
    scb_cli::Error::Output(error.into()).into()
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
    /// Of a student's certificate: how many of that student's devices have a live one.
    live_devices: Option<u64>,
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

    fn of(record: &CertificateRecord, state: State, live_devices: Option<u64>) -> Self {
        let intent = &record.intent;
        let revocation = record.revocation.as_ref();
        Self {
            serial: intent.serial.to_string(),
            subject: intent.subject.to_string(),
            profile: intent.profile.as_str(),
            state: state.as_str(),
            not_before: rfc3339(intent.validity.not_before),
            not_after: rfc3339(intent.validity.not_after),
            sha256: record.certificate.as_ref().map(Certificate::fingerprint),
            revoked_at: revocation.map(|revocation| rfc3339(revocation.at)),
            reason: revocation.map(|revocation| revocation.reason.as_str()),
            live_devices,
        }
    }
}
