//! Which certificate took the place of which. A student's certificates are lines of renewals, one
//! line for each device.

use rusqlite::{Connection, OptionalExtension, params};
use rustls_pki_types::UnixTime;
use scb_certs::Serial;

use super::convert;
use crate::{Error, Subject};

/// Renewals whose successor is at the time `?1` neither revoked nor past its end.
const SUCCEEDED: &str = "SELECT 1 FROM renewal
     JOIN certificate AS successor ON successor.serial = renewal.successor
     WHERE successor.not_after >= ?1 AND successor.revoked_at IS NULL";

/// Certificates that stand for a device each at the time `?1`.
fn devices() -> String {
    format!(
        "certificate.not_after >= ?1 AND certificate.revoked_at IS NULL
         AND certificate.profile = 'student'
         AND NOT EXISTS ({SUCCEEDED} AND renewal.serial = certificate.serial)"
    )
}

/// The renewals.
#[derive(Debug)]
pub struct Renewals<'a> {
    connection: &'a Connection,
}

impl<'a> Renewals<'a> {
    pub(super) fn on(connection: &'a Connection) -> Self {
        Self { connection }
    }

    /// What took the place of this certificate.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn successor(&self, serial: &Serial) -> Result<Option<Serial>, Error> {
        self.one("SELECT successor FROM renewal WHERE serial = ?1", serial)
    }

    /// Records what takes the place of a certificate, instead of what took it before.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], also if either is no certificate of ours.
    pub(crate) fn succeed(&self, serial: &Serial, successor: &Serial) -> Result<(), Error> {
        self.connection
            .prepare_cached(
                "INSERT INTO renewal (serial, successor) VALUES (?1, ?2)
                 ON CONFLICT (serial) DO UPDATE SET successor = excluded.successor",
            )?
            .execute(params![serial.as_bytes(), successor.as_bytes()])?;
        Ok(())
    }

    /// The certificates of one subject in whose place there is another one that is neither
    /// revoked nor past its end.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn replaced(&self, subject: &Subject, now: UnixTime) -> Result<Vec<Serial>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT renewal.serial FROM renewal
             JOIN certificate ON certificate.serial = renewal.successor
             WHERE certificate.subject = ?1 AND certificate.not_after >= ?2
             AND certificate.revoked_at IS NULL",
        )?;
        let parameters = params![subject.to_string(), convert::seconds(now)];
        let rows = statement.query_map(parameters, |row| row.get::<_, Vec<u8>>(0))?;
        rows.map(|row| convert::serial(&row?)).collect()
    }

    /// Whether there is another one in the place of this certificate that is neither revoked nor
    /// past its end.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn is_replaced(&self, serial: &Serial, now: UnixTime) -> Result<bool, Error> {
        let sql = format!("SELECT EXISTS ({SUCCEEDED} AND renewal.serial = ?2)");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let parameters = params![convert::seconds(now), serial.as_bytes()];
        Ok(statement.query_one(parameters, |row| row.get(0))?)
    }

    /// How many devices of a student have a certificate that is neither revoked nor past its end:
    /// what was renewed counts together with what took its place.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn devices(&self, subject: &Subject, now: UnixTime) -> Result<u64, Error> {
        let devices = devices();
        let sql = format!("SELECT count(*) FROM certificate WHERE subject = ?2 AND {devices}");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let parameters = params![convert::seconds(now), subject.to_string()];
        convert::number(statement.query_one(parameters, |row| row.get(0))?)
    }

    /// The whole line that a certificate is in: those before it, itself, those after it.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn line(&self, serial: &Serial) -> Result<Vec<Serial>, Error> {
        // Nothing takes its own place; a damaged table must not keep anybody busy for ever.
        let mut first = *serial;
        while let Some(before) = self.predecessor(&first)?.filter(|before| before != serial) {
            first = before;
        }
        let mut line = vec![first];
        let mut last = first;
        while let Some(after) = self.successor(&last)?.filter(|after| *after != first) {
            line.push(after);
            last = after;
        }
        Ok(line)
    }

    fn predecessor(&self, serial: &Serial) -> Result<Option<Serial>, Error> {
        self.one("SELECT serial FROM renewal WHERE successor = ?1", serial)
    }

    fn one(&self, sql: &str, serial: &Serial) -> Result<Option<Serial>, Error> {
        let found: Option<Vec<u8>> = self
            .connection
            .prepare_cached(sql)?
            .query_row([serial.as_bytes()], |row| row.get(0))
            .optional()?;
        found.map(|serial| convert::serial(&serial)).transpose()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_certs::{Fingerprint, RevocationReason, Validity};

    use super::*;
    use crate::store::{Intent, Profile, Records, Revocation, temporary};

    fn at(seconds: i64) -> UnixTime {
        convert::time(seconds).unwrap()
    }

    fn sid() -> Subject {
        "1155000001".parse().unwrap()
    }

    fn certificate(records: &Records<'_>, end: i64) -> Result<Serial, Error> {
        let serial = Serial::random().unwrap();
        let intent = Intent {
            serial,
            subject: sid(),
            profile: Profile::Student,
            public_key: Fingerprint::of(serial.as_bytes()),
            validity: Validity {
                not_before: at(1),
                not_after: at(end),
            },
        };
        records.certificates().intend(&intent, at(1))?;
        Ok(serial)
    }

    #[test]
    fn a_line_is_found_from_each_of_its_certificates() {
        let (_dir, store) = temporary();
        store
            .write_blocking(|records| {
                let renewals = records.renewals();
                let line = [
                    certificate(records, 100)?,
                    certificate(records, 200)?,
                    certificate(records, 300)?,
                ];
                let other = certificate(records, 300)?;
                renewals.succeed(&line[0], &line[1])?;
                renewals.succeed(&line[1], &line[2])?;
                for serial in &line {
                    assert_eq!(renewals.line(serial)?, line);
                }
                assert_eq!(renewals.line(&other)?, [other]);
                assert_eq!(renewals.successor(&line[0])?, Some(line[1]));
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn is_replaced_only_as_long_as_what_took_its_place_counts() {
        let (_dir, store) = temporary();
        store
            .write_blocking(|records| {
                let (old, new) = (certificate(records, 100)?, certificate(records, 200)?);
                let renewals = records.renewals();
                // Which are replaced, and how many devices there are.
                let seen = |now| -> Result<(Vec<Serial>, u64), Error> {
                    let (replaced, now) = (renewals.replaced(&sid(), at(now))?, at(now));
                    for serial in [old, new] {
                        let told = renewals.is_replaced(&serial, now)?;
                        assert_eq!(told, replaced.contains(&serial));
                    }
                    let devices = renewals.devices(&sid(), now)?;
                    Ok((replaced, devices))
                };
                assert_eq!(seen(50)?, (vec![], 2));
                renewals.succeed(&old, &new)?;
                assert_eq!(seen(50)?, (vec![old], 1));
                assert_eq!(seen(150)?, (vec![old], 1));
                assert_eq!(seen(201)?, (vec![], 0));
                let revocation = Revocation {
                    at: at(60),
                    reason: RevocationReason::Superseded,
                    invalid_since: None,
                };
                records.certificates().revoke(&new, &revocation)?;
                assert_eq!(seen(70)?, (vec![], 1));
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn refuses_what_is_no_certificate_and_two_in_one_place() {
        let (_dir, store) = temporary();
        store
            .write_blocking(|records| {
                let (a, b) = (certificate(records, 100)?, certificate(records, 100)?);
                let (c, none) = (certificate(records, 100)?, Serial::random().unwrap());
                assert!(records.renewals().succeed(&a, &none).is_err());
                records.renewals().succeed(&a, &c)?;
                assert!(records.renewals().succeed(&b, &c).is_err());
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn pruning_takes_renewals_along() {
        let (_dir, store) = temporary();
        store
            .write_blocking(|records| {
                let (old, new) = (certificate(records, 100)?, certificate(records, 900)?);
                records.renewals().succeed(&old, &new)?;
                records.pruning().remove_ended(at(500))?;
                assert_eq!(records.renewals().line(&new)?, [new]);
                Ok(())
            })
            .unwrap();
    }
}
