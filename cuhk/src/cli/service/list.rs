//! What `cuhk service list` shows.

use std::net::IpAddr;

use rustls_pki_types::UnixTime;
use scb_certs::TrustDomain;
use serde::Serialize;

use crate::addresses::names;
use crate::cli::listing::{MOMENT, Moment, Row};
use crate::standing::Standing;
use crate::store::{Records, Service};
use crate::{Error, Subject};

/// A service, whether it has a certificate, and until when.
#[derive(Debug, Serialize)]
pub(super) struct Listed {
    name: String,
    spiffe_id: String,
    dns_names: Vec<String>,
    ip_addresses: Vec<IpAddr>,
    enrolled: bool,
    /// Of its newest certificate that counts.
    serial: Option<String>,
    not_after: Option<Moment>,
    /// Since when none counts any more, if there was one.
    ended_at: Option<Moment>,
}

impl Listed {
    pub(super) fn of(
        records: &Records<'_>,
        service: Service,
        trust_domain: &TrustDomain,
        now: UnixTime,
    ) -> Result<Self, Error> {
        let subject = Subject::Service(service.name.clone());
        let (newest, ended_at) = match Standing::of(records, &service.name, now)? {
            Standing::Certified(newest) => (Some(newest), None),
            Standing::Ended { at, .. } => (None, Some(Moment(at))),
            Standing::Never => (None, None),
        };
        Ok(Self {
            name: service.name.to_string(),
            spiffe_id: subject.spiffe_id(trust_domain).to_string(),
            dns_names: service.dns_names,
            ip_addresses: service.ip_addresses,
            enrolled: newest.is_some(),
            serial: newest.as_ref().map(|intent| intent.serial.to_string()),
            not_after: newest.map(|intent| Moment(intent.validity.not_after)),
            ended_at,
        })
    }
}

impl Row for Listed {
    const COLUMNS: &'static [&'static str] = &[
        "name",
        "spiffe_id",
        "dns_names",
        "ip_addresses",
        "enrolled",
        "serial",
        "not_after",
        "ended_at",
    ];

    fn header() -> String {
        let until = "CERTIFICATE UNTIL";
        format!(
            "{:<16}  ENROLLED  {until:<MOMENT$}  {:<44}  NAMES",
            "NAME", "SPIFFE ID"
        )
    }

    fn line(&self) -> String {
        let until = self.not_after.or(self.ended_at);
        let until = until.map_or_else(|| "-".to_owned(), |until| until.to_string());
        let enrolled = match (self.enrolled, self.ended_at) {
            (true, _) => "yes",
            (false, Some(_)) => "ended",
            (false, None) => "no",
        };
        let names = names(&self.dns_names, &self.ip_addresses);
        format!(
            "{:<16}  {enrolled:<8}  {until:<MOMENT$}  {:<44}  {names}",
            self.name, self.spiffe_id
        )
    }
}
