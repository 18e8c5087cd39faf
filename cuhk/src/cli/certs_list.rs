//! What `cuhk certs list` prints, row by row.

use rustls_pki_types::UnixTime;
use scb_certs::{Certificate, Fingerprint};
use scb_cli::Home;
use serde::Serialize;

use crate::admin::check_known;
use crate::cli::certs_filter::{Filter, State};
use crate::cli::listing::{MOMENT, Moment, Next, Row};
use crate::config::path;
use crate::issuers::{read_certificate, stored};
use crate::store::{AuthorityKind, CertificateRecord, CrlSigner, Profile, Records};
use crate::{Error, MAX_STUDENT_CERTIFICATES};

/// Each certificate that is asked for, oldest first.
///
/// # Errors
///
/// [`Error::StudentUnknown`], [`Error::ServiceUnknown`] for a subject that has none and is not known
/// otherwise; [`Error::RecordInvalid`], [`Error::Storage`], and what `next` returns.
pub(super) fn rows(
    records: &Records<'_>,
    (filter, issuers): (&Filter, &Issuers),
    now: UnixTime,
    next: Next<'_, Listed>,
) -> Result<(), Error> {
    let mut any = false;
    let subject = filter.subject.as_ref();
    records.certificates().each(subject, |record| {
        any = true;
        let state = state(records, &record, now)?;
        let issuer = issuers.of_record(&record);
        let is_other = filter.issuer.is_some_and(|wanted| issuer != Some(wanted));
        if is_other || !filter.wants(&record, state, now) {
            return Ok(());
        }
        let live_devices = match record.intent.profile {
            Profile::Student => Some(records.renewals().devices(&record.intent.subject, now)?),
            Profile::Service | Profile::TokenSigner => None,
        };
        next(Listed::of(&record, (state, live_devices, issuer)))
    })?;
    match subject {
        Some(subject) if !any => check_known(records, subject),
        _ => Ok(()),
    }
}

/// The issuing authorities whose certificates are in the home.
#[derive(Debug)]
pub(super) struct Issuers(Vec<(CrlSigner, Certificate)>);

impl Issuers {
    /// One that cannot be read names nothing; `cuhk doctor` says so.
    pub(super) fn of(home: &Home) -> Result<Self, Error> {
        let mut all = stored(home, AuthorityKind::Students)?;
        all.extend(stored(home, AuthorityKind::Services)?);
        let read = |signer| {
            Some((
                signer,
                read_certificate(home, &path::authority(signer)).ok()?,
            ))
        };
        Ok(Self(all.into_iter().filter_map(read).collect()))
    }

    pub(super) fn have(&self, signer: CrlSigner) -> bool {
        self.0.iter().any(|(known, _)| *known == signer)
    }

    fn of_record(&self, record: &CertificateRecord) -> Option<CrlSigner> {
        let certificate = record.certificate.as_ref()?;
        let mut known = self.0.iter();
        let found = known.find(|(_, issuer)| certificate.names_issuer(issuer));
        found.map(|(signer, _)| *signer)
    }
}

fn state(records: &Records<'_>, record: &CertificateRecord, now: UnixTime) -> Result<State, Error> {
    let serial = &record.intent.serial;
    Ok(match State::of(record, now) {
        State::Live if records.renewals().is_replaced(serial, now)? => State::Replaced,
        state => state,
    })
}

/// One certificate.
#[derive(Debug, Serialize)]
pub(super) struct Listed {
    serial: String,
    subject: String,
    profile: &'static str,
    state: &'static str,
    not_before: Moment,
    not_after: Moment,
    sha256: Option<Fingerprint>,
    revoked_at: Option<Moment>,
    reason: Option<&'static str>,
    /// Of a student's certificate: how many of that student's devices have a live one.
    live_devices: Option<u64>,
    /// Who issued it: the name of an authority.
    issuer: Option<CrlSigner>,
}

impl Listed {
    fn of(
        record: &CertificateRecord,
        (state, live_devices, issuer): (State, Option<u64>, Option<CrlSigner>),
    ) -> Self {
        let intent = &record.intent;
        let revocation = record.revocation.as_ref();
        Self {
            serial: intent.serial.to_string(),
            subject: intent.subject.to_string(),
            profile: intent.profile.as_str(),
            state: state.as_str(),
            not_before: Moment(intent.validity.not_before),
            not_after: Moment(intent.validity.not_after),
            sha256: record.certificate.as_ref().map(Certificate::fingerprint),
            revoked_at: revocation.map(|revocation| Moment(revocation.at)),
            reason: revocation.map(|revocation| revocation.reason.as_str()),
            live_devices,
            issuer,
        }
    }
}

impl Row for Listed {
    const COLUMNS: &'static [&'static str] = &[
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
        "issuer",
    ];

    fn header() -> String {
        format!(
            "{:<32}  {:<9}  {:<MOMENT$}  {:<12}  {:<7}  SUBJECT",
            "SERIAL", "STATUS", "UNTIL", "PROFILE", "DEVICES"
        )
    }

    fn line(&self) -> String {
        let Self {
            serial,
            subject,
            profile,
            state,
            not_after,
            live_devices,
            ..
        } = self;
        let devices = match live_devices {
            Some(devices) => format!("{devices} of {MAX_STUDENT_CERTIFICATES}"),
            None => String::new(),
        };
        format!("{serial:<32}  {state:<9}  {not_after}  {profile:<12}  {devices:<7}  {subject}")
    }
}
