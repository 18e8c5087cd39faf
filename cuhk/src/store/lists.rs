//! Revocation lists.

use rusqlite::{Connection, OptionalExtension, Params, params};
use rusqlite_migration::HookResult;
use rustls_pki_types::UnixTime;
use scb_certs::Crl;

use super::{CrlSigner, Status, convert};
use crate::Error;

/// A list and what it covers.
#[derive(Debug, Clone)]
pub struct StoredList {
    /// The list.
    pub crl: Crl,
    /// The epoch that it covers.
    pub epoch: u64,
}

/// The current revocation list of each authority.
#[derive(Debug)]
pub struct RevocationLists<'a> {
    connection: &'a Connection,
}

impl<'a> RevocationLists<'a> {
    pub(super) fn on(connection: &'a Connection) -> Self {
        Self { connection }
    }

    /// The current list.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`]; [`Error::RecordInvalid`] if it is no longer what was stored.
    pub fn find(&self, signer: CrlSigner) -> Result<Option<StoredList>, Error> {
        self.one("authority = ?1", params![signer.to_string()])
    }

    /// The current list, if it covers this epoch.
    ///
    /// # Errors
    ///
    /// As for [`RevocationLists::find`].
    pub(crate) fn covering(
        &self,
        signer: CrlSigner,
        epoch: u64,
    ) -> Result<Option<StoredList>, Error> {
        let params = params![signer.to_string(), convert::integer(epoch)];
        self.one("authority = ?1 AND epoch = ?2", params)
    }

    /// From when on the current list counts, a little before it was signed, without decoding it.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn signed_at(&self, signer: CrlSigner) -> Result<Option<UnixTime>, Error> {
        let signed: Option<i64> = self
            .connection
            .prepare_cached("SELECT this_update FROM revocation_list WHERE authority = ?1")?
            .query_row([signer.to_string()], |row| row.get(0))
            .optional()?;
        signed.map(convert::time).transpose()
    }

    /// From when on the newest list of all counts, without decoding any.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn last_signed(&self) -> Result<Option<UnixTime>, Error> {
        let signed: Option<i64> = self
            .connection
            .prepare_cached("SELECT max(this_update) FROM revocation_list")?
            .query_one([], |row| row.get(0))?;
        signed.map(convert::time).transpose()
    }

    /// Writes down of each list, once, when it was signed. One that cannot be decoded says nothing.
    pub(super) fn date_all(connection: &Connection) -> HookResult {
        let mut lists = connection.prepare("SELECT authority, der FROM revocation_list")?;
        let rows = lists.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let rows: Vec<(String, Vec<u8>)> = rows.collect::<Result<_, _>>()?;
        for (authority, der) in rows {
            let Ok(crl) = Crl::from_der(&der) else {
                continue;
            };
            connection.execute(
                "UPDATE revocation_list SET this_update = ?2 WHERE authority = ?1",
                params![authority, convert::seconds(crl.this_update())],
            )?;
        }
        Ok(())
    }

    fn one(&self, filter: &str, params: impl Params) -> Result<Option<StoredList>, Error> {
        let sql = format!("SELECT der, number, epoch FROM revocation_list WHERE {filter}");
        let row: Option<(Vec<u8>, i64, i64)> = self
            .connection
            .prepare_cached(&sql)?
            .query_row(params, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        row.map(|(der, number, epoch)| {
            let invalid = || Error::RecordInvalid {
                what: "revocation list",
            };
            let crl = Crl::from_der(&der).map_err(|_| invalid())?;
            if crl.number() != convert::number(number)? {
                return Err(invalid());
            }
            Ok(StoredList {
                crl,
                epoch: convert::number(epoch)?,
            })
        })
        .transpose()
    }

    /// The number of the next list: one more, or what [`Status::by_time`] says or the epoch if that is later, so
    /// that an old copy of the database does not use a number again.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn next_number(&self, signer: CrlSigner, now: UnixTime) -> Result<u64, Error> {
        let last: Option<i64> = self
            .connection
            .prepare_cached("SELECT number FROM revocation_list WHERE authority = ?1")?
            .query_row([signer.to_string()], |row| row.get(0))
            .optional()?;
        let last = convert::number(last.unwrap_or(0))?;
        let epoch = Status::on(self.connection).epoch()?;
        Ok(last.saturating_add(1).max(Status::by_time(now)).max(epoch))
    }

    /// Replaces the list. Numbers only grow.
    ///
    /// # Errors
    ///
    /// [`Error::RecordInvalid`] if the number does not grow; then nothing is changed.
    pub fn replace(&self, signer: CrlSigner, list: &StoredList) -> Result<(), Error> {
        let replaced = self
            .connection
            .prepare_cached(
                "INSERT INTO revocation_list
                     (authority, number, epoch, this_update, next_update, der)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (authority) DO UPDATE SET
                     number = excluded.number, epoch = excluded.epoch,
                     this_update = excluded.this_update,
                     next_update = excluded.next_update, der = excluded.der
                 WHERE excluded.number > revocation_list.number",
            )?
            .execute(params![
                signer.to_string(),
                convert::integer(list.crl.number()),
                convert::integer(list.epoch),
                convert::seconds(list.crl.this_update()),
                convert::seconds(list.crl.next_update()),
                list.crl.der(),
            ])?;
        match replaced {
            1 => Ok(()),
            _ => Err(Error::RecordInvalid {
                what: "revocation list number",
            }),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use scb_certs::{Root, SigningKey};

    use super::*;
    use crate::store::temporary;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(1_772_424_000 + seconds))
    }

    fn list(number: u64, epoch: u64) -> StoredList {
        let key = SigningKey::generate().unwrap();
        let root = Root::create(&"cuhk.example".parse().unwrap(), key, at(0)).unwrap();
        let crl = root.sign_crl(number, at(0), at(100), &[]).unwrap();
        StoredList { crl, epoch }
    }

    #[test]
    fn the_last_list_of_each_signer_is_kept() {
        let (_dir, store) = temporary();
        store
            .write_blocking(|records| {
                let lists = records.lists();
                lists.replace(CrlSigner::STUDENTS, &list(5, 1))?;
                lists.replace(CrlSigner::SERVICES, &list(3, 1))?;
                lists.replace(CrlSigner::STUDENTS, &list(6, 2))?;
                let students = lists.find(CrlSigner::STUDENTS)?.unwrap();
                assert_eq!((students.crl.number(), students.epoch), (6, 2));
                assert_eq!(lists.find(CrlSigner::SERVICES)?.unwrap().crl.number(), 3);
                assert!(lists.find(CrlSigner::ROOT)?.is_none());
                assert!(lists.covering(CrlSigner::STUDENTS, 1)?.is_none());
                let covering = lists.covering(CrlSigner::STUDENTS, 2)?;
                assert_eq!(covering.unwrap().crl.number(), 6);
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn refuses_a_number_that_does_not_grow() {
        let (_dir, store) = temporary();
        store
            .write_blocking(|records| {
                let lists = records.lists();
                lists.replace(CrlSigner::STUDENTS, &list(5, 1))?;
                for number in [5, 4] {
                    assert!(
                        lists
                            .replace(CrlSigner::STUDENTS, &list(number, 2))
                            .is_err()
                    );
                }
                assert_eq!(lists.find(CrlSigner::STUDENTS)?.unwrap().epoch, 1);
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn the_next_number_grows_with_the_clock_and_without_it() {
        let (_dir, store) = temporary();
        store
            .write_blocking(|records| {
                let lists = records.lists();
                let (now, later) = (Status::by_time(at(0)), Status::by_time(at(60)));
                assert!(later >= now + 60_000_000);
                assert_eq!(lists.next_number(CrlSigner::STUDENTS, at(0))?, now);
                lists.replace(CrlSigner::STUDENTS, &list(now, 1))?;
                assert_eq!(lists.next_number(CrlSigner::STUDENTS, at(0))?, now + 1);
                assert_eq!(lists.next_number(CrlSigner::STUDENTS, at(60))?, later);
                let far = records.status().jump(
                    Duration::from_secs(at(60).as_secs()),
                    None,
                    Duration::ZERO,
                )?;
                assert!(far >= later);
                assert_eq!(lists.next_number(CrlSigner::STUDENTS, at(60))?, far);
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn a_list_that_was_stored_before_says_when_it_was_signed() {
        let (_dir, store) = temporary();
        store
            .write_blocking(|records| {
                let lists = records.lists();
                lists.replace(CrlSigner::ROOT, &list(5, 1))?;
                lists.replace(CrlSigner::STUDENTS, &list(6, 1))?;
                let connection = records.connection;
                connection.execute("UPDATE revocation_list SET this_update = 0", [])?;
                let damage = "UPDATE revocation_list SET der = x'30' WHERE authority = 'students'";
                connection.execute(damage, [])?;
                RevocationLists::date_all(connection).unwrap();
                assert_eq!(lists.signed_at(CrlSigner::ROOT)?, Some(at(0)));
                assert_eq!(lists.last_signed()?, Some(at(0)));
                assert_eq!(lists.signed_at(CrlSigner::STUDENTS)?.unwrap().as_secs(), 0);
                assert_eq!(lists.signed_at(CrlSigner::SERVICES)?, None);
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn an_altered_list_is_not_handed_out() {
        let (_dir, store) = temporary();
        store
            .write_blocking(|records| {
                records.lists().replace(CrlSigner::ROOT, &list(5, 1))?;
                records
                    .connection
                    .execute("UPDATE revocation_list SET der = x'30'", [])?;
                let found = records.lists().find(CrlSigner::ROOT);
                assert!(matches!(found, Err(Error::RecordInvalid { .. })));
                Ok(())
            })
            .unwrap();
    }
}
