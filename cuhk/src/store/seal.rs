//! A checksum in each row that matters: what was altered on disk is noticed before it is used.
//!
//! It is no signature. It notices a flipped bit and a careless `UPDATE`; whoever may write the
//! file can compute it anew. Codes, services and the epoch have none.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, ToSql, params};
use rusqlite_migration::{HookError, HookResult};
use scb_certs::Fingerprint;

use crate::Error;

/// A table with a column `checksum`, and what it covers.
pub(super) struct Sealed {
    table: &'static str,
    key: &'static str,
    columns: &'static str,
}

/// All of a student.
pub(super) const STUDENT: Sealed = Sealed {
    table: "student",
    key: "sid",
    columns: "sid, name, email, programme, active, added_at",
};

/// All of a certificate but its DER, which `sha256` covers.
pub(super) const CERTIFICATE: Sealed = Sealed {
    table: "certificate",
    key: "serial",
    columns: "serial, subject, profile, public_key, not_before, not_after, recorded_at, sha256, \
              revoked_at, reason, invalid_since",
};

impl Sealed {
    /// Stores the checksum of a row that was just written. Check it before it is changed:
    /// otherwise what was altered would be sealed with it.
    pub(super) fn seal(&self, connection: &Connection, key: &dyn ToSql) -> Result<(), Error> {
        Ok(self.store(connection, key)?)
    }

    /// The migration: what is there gets its checksums.
    pub(super) fn seal_all(&self, connection: &Connection) -> HookResult {
        let Self { table, key, .. } = self;
        let mut statement = connection.prepare(&format!("SELECT {key} FROM {table}"))?;
        let keys = statement.query_map([], |row| row.get::<_, rusqlite::types::Value>(0))?;
        let keys: Vec<_> = keys.collect::<Result<_, _>>()?;
        keys.iter()
            .try_for_each(|key| self.store(connection, key))
            .map_err(HookError::from)
    }

    /// Checks one row.
    ///
    /// # Errors
    ///
    /// [`Error::RecordInvalid`] if it is not what was stored.
    pub(super) fn check(&self, connection: &Connection, key: &dyn ToSql) -> Result<(), Error> {
        let intact = connection
            .prepare_cached(&self.select(&format!("WHERE {} = ?1", self.key)))?
            .query_one([key], is_intact)?;
        self.judge(intact)
    }

    /// Checks every row.
    ///
    /// # Errors
    ///
    /// [`Error::RecordInvalid`] if one is not what was stored.
    pub(super) fn check_all(&self, connection: &Connection) -> Result<(), Error> {
        let mut statement = connection.prepare_cached(&self.select(""))?;
        let mut rows = statement.query_map([], is_intact)?;
        rows.try_for_each(|intact| self.judge(intact?))
    }

    fn judge(&self, intact: bool) -> Result<(), Error> {
        match intact {
            true => Ok(()),
            false => Err(Error::RecordInvalid { what: self.table }),
        }
    }

    fn store(&self, connection: &Connection, key: &dyn ToSql) -> rusqlite::Result<()> {
        let Self {
            table, key: name, ..
        } = self;
        let checksum = connection
            .prepare_cached(&self.select(&format!("WHERE {name} = ?1")))?
            .query_one([key], checksum)?;
        connection
            .prepare_cached(&format!(
                "UPDATE {table} SET checksum = ?2 WHERE {name} = ?1"
            ))?
            .execute(params![key, checksum.as_bytes()])?;
        Ok(())
    }

    fn select(&self, filter: &str) -> String {
        let Self { table, columns, .. } = self;
        format!("SELECT checksum, {columns} FROM {table} {filter}")
    }
}

/// Whether the first column is the checksum of all others.
pub(super) fn is_intact(row: &Row<'_>) -> rusqlite::Result<bool> {
    let stored: Option<Vec<u8>> = row.get(0)?;
    let checksum = checksum(row)?;
    Ok(stored.is_some_and(|stored| stored == checksum.as_bytes()))
}

/// SHA-256 over all columns after the first, each with its type and length before it.
pub(super) fn checksum(row: &Row<'_>) -> rusqlite::Result<Fingerprint> {
    let mut bytes = Vec::with_capacity(256);
    for column in 1..row.as_ref().column_count() {
        let number;
        let (kind, value): (u8, &[u8]) = match row.get_ref(column)? {
            ValueRef::Null => (0, &[]),
            ValueRef::Integer(integer) => {
                number = integer.to_be_bytes();
                (1, &number)
            }
            ValueRef::Real(real) => {
                number = real.to_be_bytes();
                (2, &number)
            }
            ValueRef::Text(text) => (3, text),
            ValueRef::Blob(blob) => (4, blob),
        };
        bytes.push(kind);
        bytes.extend_from_slice(&(value.len() as u64).to_be_bytes());
        bytes.extend_from_slice(value);
    }
    Ok(Fingerprint::of(&bytes))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_certs::{Serial, Validity};

    use super::*;
    use crate::store::{Intent, Profile, Records, Revocation, Student, convert, temporary};

    fn furnish(records: &Records<'_>) -> (Student, Serial) {
        let now = convert::time(1000).unwrap();
        let student = Student {
            sid: "1155000001".parse().unwrap(),
            name: "王小明".into(),
            email: "a@b".into(),
            programme: "CSCI".into(),
            active: true,
        };
        records.roster().import(&student, now).unwrap();
        let serial = Serial::random().unwrap();
        let intent = Intent {
            serial,
            subject: "1155000001".parse().unwrap(),
            profile: Profile::Student,
            public_key: Fingerprint::of(b"key"),
            validity: Validity {
                not_before: now,
                not_after: convert::time(2000).unwrap(),
            },
        };
        records.certificates().intend(&intent, now).unwrap();
        (student, serial)
    }

    /// What holds for an altered row must not hold for the row as it was.
    fn notices(change: &'static str, found: fn(&Records<'_>, &Student, &Serial) -> bool) {
        let (_dir, store) = temporary();
        store
            .write_blocking(move |records| {
                let (student, serial) = furnish(records);
                let revocation = Revocation {
                    at: convert::time(1500)?,
                    reason: scb_certs::RevocationReason::Superseded,
                    invalid_since: None,
                };
                records.certificates().revoke(&serial, &revocation)?;
                records.roster().suspend(&student.sid)?;
                assert!(found(records, &student, &serial), "{change}: as it was");
                records.connection.execute(change, [])?;
                assert!(!found(records, &student, &serial), "{change}");
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn an_altered_student_is_noticed() {
        for change in [
            "UPDATE student SET active = 1",
            "UPDATE student SET name = '王大明'",
            "UPDATE student SET email = 'a@c', programme = 'CSCI'",
            "UPDATE student SET added_at = added_at + 1",
            "UPDATE student SET checksum = NULL",
            "UPDATE student SET checksum = randomblob(32)",
        ] {
            notices(change, |records, student, _| {
                records.roster().find(&student.sid).is_ok()
            });
            notices(change, |records, _, _| records.roster().all().is_ok());
            // Nor is it sealed anew by a change.
            notices(change, |records, student, _| {
                records.roster().suspend(&student.sid).is_ok()
            });
        }
    }

    #[test]
    fn an_altered_certificate_is_noticed() {
        for change in [
            "UPDATE certificate SET revoked_at = NULL, reason = NULL",
            "UPDATE certificate SET reason = 'certificate_hold'",
            "UPDATE certificate SET revoked_at = revoked_at + 1",
            "UPDATE certificate SET invalid_since = 1",
            "UPDATE certificate SET not_after = not_after + 1",
            "UPDATE certificate SET profile = 'service'",
            "UPDATE certificate SET subject = '1155000002'",
        ] {
            notices(change, |records, _, serial| {
                records.certificates().find(serial).is_ok()
            });
            notices(change, |records, _, _| {
                records.certificates().check().is_ok()
            });
            notices(change, |records, _, serial| {
                let revocation = Revocation {
                    at: convert::time(1600).unwrap(),
                    reason: scb_certs::RevocationReason::KeyCompromise,
                    invalid_since: None,
                };
                records.certificates().revoke(serial, &revocation).is_ok()
            });
        }
    }

    #[test]
    fn rows_from_before_are_sealed_as_they_are() {
        let (_dir, store) = temporary();
        store
            .write_blocking(|records| {
                furnish(records);
                let connection = records.connection;
                for sealed in [STUDENT, CERTIFICATE] {
                    let table = sealed.table;
                    connection.execute(&format!("UPDATE {table} SET checksum = NULL"), [])?;
                    assert!(sealed.check_all(connection).is_err());
                    sealed.seal_all(connection).unwrap();
                    sealed.check_all(connection)?;
                }
                Ok(())
            })
            .unwrap();
    }
}
