//! Services that may hold a certificate.

use std::net::IpAddr;

use rusqlite::{Connection, OptionalExtension, params};
use rustls_pki_types::UnixTime;
use scb_certs::ServiceName;

use super::convert;
use crate::Error;

/// A service and the addresses that its certificate names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// The service's name.
    pub name: ServiceName,
    /// DNS names.
    pub dns_names: Vec<String>,
    /// IP addresses.
    pub ip_addresses: Vec<IpAddr>,
}

/// The services.
#[derive(Debug)]
pub struct Services<'a> {
    connection: &'a Connection,
}

impl<'a> Services<'a> {
    pub(super) fn on(connection: &'a Connection) -> Self {
        Self { connection }
    }

    /// One service.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn find(&self, name: &ServiceName) -> Result<Option<Service>, Error> {
        let raw: Option<(String, String)> = self
            .connection
            .prepare_cached("SELECT dns_names, ip_addresses FROM service WHERE name = ?1")?
            .query_row([name.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        raw.map(|(dns_names, ip_addresses)| service(name.clone(), &dns_names, &ip_addresses))
            .transpose()
    }

    /// All of them, by name.
    ///
    /// # Errors
    ///
    /// [`Error::RecordInvalid`], [`Error::Storage`].
    pub fn all(&self) -> Result<Vec<Service>, Error> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT name, dns_names, ip_addresses FROM service ORDER BY name")?;
        let rows = statement.query_map([], |row| {
            Ok((
                row.get::<_, String>(0)?,
                row.get::<_, String>(1)?,
                row.get::<_, String>(2)?,
            ))
        })?;
        rows.map(|row| {
            let (name, dns_names, ip_addresses) = row?;
            let name = name.parse().map_err(|_| Error::RecordInvalid {
                what: "service name",
            })?;
            service(name, &dns_names, &ip_addresses)
        })
        .collect()
    }

    /// Adds a service.
    ///
    /// # Errors
    ///
    /// [`Error::ServiceExists`] if the name is taken.
    pub fn add(&self, service: &Service, now: UnixTime) -> Result<(), Error> {
        let added = self
            .connection
            .prepare_cached(
                "INSERT INTO service (name, dns_names, ip_addresses, added_at)
                 VALUES (?1, ?2, ?3, ?4) ON CONFLICT (name) DO NOTHING",
            )?
            .execute(params![
                service.name.as_str(),
                json(&service.dns_names)?,
                json(&service.ip_addresses)?,
                convert::seconds(now),
            ])?;
        match added {
            0 => Err(Error::ServiceExists(service.name.clone())),
            _ => Ok(()),
        }
    }

    /// Gives a service other names and addresses.
    ///
    /// # Errors
    ///
    /// [`Error::ServiceUnknown`].
    pub fn change(&self, service: &Service) -> Result<(), Error> {
        let changed = self
            .connection
            .prepare_cached("UPDATE service SET dns_names = ?2, ip_addresses = ?3 WHERE name = ?1")?
            .execute(params![
                service.name.as_str(),
                json(&service.dns_names)?,
                json(&service.ip_addresses)?,
            ])?;
        one(changed, &service.name)
    }

    /// Removes a service. Its certificates and codes are the caller's to end.
    ///
    /// # Errors
    ///
    /// [`Error::ServiceUnknown`].
    pub fn remove(&self, name: &ServiceName) -> Result<(), Error> {
        let removed = self
            .connection
            .prepare_cached("DELETE FROM service WHERE name = ?1")?
            .execute([name.as_str()])?;
        one(removed, name)
    }
}

fn one(changed: usize, name: &ServiceName) -> Result<(), Error> {
    match changed {
        0 => Err(Error::ServiceUnknown(name.clone())),
        _ => Ok(()),
    }
}

fn service(name: ServiceName, dns_names: &str, ip_addresses: &str) -> Result<Service, Error> {
    Ok(Service {
        name,
        dns_names: list(dns_names)?,
        ip_addresses: list(ip_addresses)?,
    })
}

fn list<T: serde::de::DeserializeOwned>(text: &str) -> Result<Vec<T>, Error> {
    serde_json::from_str(text).map_err(|_| Error::RecordInvalid {
        what: "service address",
    })
}

fn json<T: serde::Serialize>(values: &[T]) -> Result<String, Error> {
    serde_json::to_string(values).map_err(|_| Error::RecordInvalid {
        what: "service address",
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::store::temporary;

    fn blackboard() -> Service {
        Service {
            name: ServiceName::blackboard(),
            dns_names: vec!["localhost".into()],
            ip_addresses: vec!["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()],
        }
    }

    #[test]
    fn finds_what_was_added() {
        let (_dir, store) = temporary();
        let now = convert::time(1).unwrap();
        store
            .write_blocking(move |records| records.services().add(&blackboard(), now))
            .unwrap();
        let found = store
            .read_blocking(|records| records.services().find(&ServiceName::blackboard()))
            .unwrap();
        assert_eq!(found, Some(blackboard()));
    }

    #[test]
    fn changes_and_removes_what_is_there_and_nothing_else() {
        let (_dir, store) = temporary();
        let now = convert::time(1).unwrap();
        store
            .write_blocking(move |records| {
                let services = records.services();
                let moved = Service {
                    dns_names: vec!["bb.example".into()],
                    ip_addresses: Vec::new(),
                    ..blackboard()
                };
                let unknown = [services.change(&moved), services.remove(&moved.name)];
                for refused in unknown {
                    assert!(matches!(refused, Err(Error::ServiceUnknown(_))));
                }
                services.add(&blackboard(), now)?;
                services.change(&moved)?;
                assert_eq!(services.all()?, [moved]);
                services.remove(&ServiceName::blackboard())?;
                assert!(services.all()?.is_empty());
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn refuses_a_name_that_is_taken_and_keeps_the_first() {
        let (_dir, store) = temporary();
        let now = convert::time(1).unwrap();
        store
            .write_blocking(move |records| records.services().add(&blackboard(), now))
            .unwrap();
        let other = Service {
            dns_names: vec!["evil.example".into()],
            ..blackboard()
        };
        let refused = store.write_blocking(move |records| records.services().add(&other, now));
        assert!(matches!(refused, Err(Error::ServiceExists(_))));
        let found = store
            .read_blocking(|records| records.services().find(&ServiceName::blackboard()))
            .unwrap();
        assert_eq!(found, Some(blackboard()));
    }
}
