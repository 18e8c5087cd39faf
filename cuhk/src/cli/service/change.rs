//! `cuhk service set` and `cuhk service remove`

use std::net::IpAddr;

use scb_certs::{Certificate, ServiceName};
use scb_cli::{Failure, counted, say};
use serde_json::json;

use crate::addresses::names;
use crate::admin::{change_service, known_service, remove_service};
use crate::cli::listing::Moment;
use crate::cli::{Desk, consent, now};
use crate::revocation::Revoked;
use crate::store::{CertificateRecord, Records, Service};
use crate::{Error, Subject};

/// Gives a service other names, and says what its certificates name meanwhile.
pub(super) fn set(desk: &Desk<'_>, service: Service, json: bool) -> Result<(), Failure> {
    let (_, store) = desk.open_to_write()?;
    let wanted = service.clone();
    let change = move |records: &Records<'_>| change_service(records, &wanted, now());
    let (before, live) = store.write_blocking(change)?;
    let differing: Vec<_> = live
        .iter()
        .filter_map(|record| record.certificate.as_ref())
        .filter(|certificate| !names_exactly(certificate, &service))
        .collect();
    if json {
        return Ok(say(&as_json(&before, &service, &differing)?)?);
    }
    say(&told(&before, &service))?;
    say(&what_counts(&service, &live, &differing))?;
    Ok(())
}

fn told(before: &Service, service: &Service) -> String {
    let now = names(&service.dns_names, &service.ip_addresses);
    match before == service {
        true => format!("{}  unchanged: {now}", service.name),
        false => format!(
            "{}  {now} (before: {})",
            service.name,
            names(&before.dns_names, &before.ip_addresses)
        ),
    }
}

/// What the certificates name that are there already.
fn what_counts(
    service: &Service,
    live: &[CertificateRecord],
    differing: &[&Certificate],
) -> String {
    let name = &service.name;
    if live.is_empty() {
        return format!("{name} has no certificate: its next one takes these names");
    }
    if differing.is_empty() {
        return format!("{name} has a certificate with these names already");
    }
    let mut lines = String::new();
    for certificate in differing {
        lines += &format!(
            "its certificate {} stays, and names {} until {}\n",
            certificate.serial(),
            names(&certificate.dns_names(), &certificate.ip_addresses()),
            Moment(certificate.not_after()),
        );
    }
    lines
        + &format!(
            "the next renewal takes the new names: by itself when a third of the life is left; at \
             once, and with the old certificate revoked, by a new code: cuhk code issue \
             service/{name} --replace"
        )
}

fn names_exactly(certificate: &Certificate, service: &Service) -> bool {
    let set = |mut names: Vec<String>| {
        names.sort();
        names
    };
    let addresses = |addresses: &[IpAddr]| set(addresses.iter().map(IpAddr::to_string).collect());
    set(certificate.dns_names()) == set(service.dns_names.clone())
        && addresses(&certificate.ip_addresses()) == addresses(&service.ip_addresses)
}

fn as_json(
    before: &Service,
    service: &Service,
    differing: &[&Certificate],
) -> Result<String, Failure> {
    let certificates: Vec<_> = differing
        .iter()
        .map(|certificate| {
            json!({
                "serial": certificate.serial().to_string(),
                "dns_names": certificate.dns_names(),
                "ip_addresses": certificate.ip_addresses(),
                "not_after": Moment(certificate.not_after()),
            })
        })
        .collect();
    let named = |service: &Service| json!({ "dns_names": service.dns_names, "ip_addresses": service.ip_addresses });
    let answer = json!({
        "name": service.name.to_string(),
        "names": named(service),
        "before": named(before),
        "certificates_with_other_names": certificates,
    });
    serde_json::to_string_pretty(&answer).map_err(|error| Failure::fault(error.to_string()))
}

/// Asks, then removes a service and ends its certificates.
pub(super) fn remove(
    desk: &Desk<'_>,
    name: ServiceName,
    agreed: bool,
    json: bool,
) -> Result<(), Failure> {
    let (_, store) = desk.open_to_write()?;
    if !agreed {
        let asked = name.clone();
        let live = store.read_blocking(move |records| {
            known_service(records, &asked)?;
            let subject = Subject::Service(asked);
            Ok::<_, Error>(records.certificates().live(&subject, now())?.len())
        })?;
        ask(&name, live)?;
    }
    let wanted = name.clone();
    let remove = move |records: &Records<'_>| remove_service(records, &wanted, now());
    let Revoked {
        certificates,
        codes,
    } = store.write_blocking(remove)?;
    let text = match json {
        true => json!({
            "name": name.to_string(),
            "outcome": "removed",
            "certificates": certificates,
            "codes": codes,
        })
        .to_string(),
        false => format!(
            "{name}  removed: {} revoked (cessation_of_operation), {} withdrawn",
            counted(certificates, "certificate"),
            counted(codes, "unused code")
        ),
    };
    Ok(say(&text)?)
}

fn ask(name: &ServiceName, live: usize) -> Result<(), Failure> {
    let question = format!(
        "{name} and its {} would be refused at once, and for good.\n\
         Type its name to remove it, or anything else to leave it: ",
        counted(live, "certificate")
    );
    consent::require(&question, name.as_str(), &format!("{name} is removed"))
}
