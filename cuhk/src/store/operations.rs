//! What operators did by the command line, and who: added at the end, never changed.
//!
//! Each record has a hash over itself and the one before. That notices an altered or missing record; that
//! somebody computes all of them anew is noticed by the issuance log, which holds the last hash.

use std::fmt::Display;

use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};
use rustls_pki_types::UnixTime;
use scb_certs::Fingerprint;
use scb_cli::Operator;

use super::{Log, Records, convert, seal};
use crate::Error;

const WHAT: &str = "operation";

/// The columns that the chain covers, after the hash of the record before.
const COLUMNS: &str =
    "number, at, operation, subject, result, uid, user, login_uid, login, sudo_user";

/// What somebody does by the command line, and who it is.
#[derive(Debug, Clone)]
pub(crate) struct Act {
    /// The command, such as `roster suspend`.
    pub(crate) operation: String,
    /// Who.
    pub(crate) by: Operator,
}

#[cfg(test)]
impl Act {
    /// Done by the user of the process, of whom nothing else is known.
    pub(crate) fn of(operation: &str) -> Self {
        let by = Operator {
            uid: 998,
            user: None,
            login_uid: None,
            login: None,
            sudo_user: None,
        };
        let operation = operation.to_owned();
        Self { operation, by }
    }
}

/// One thing that was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Operation {
    /// Its place among all.
    pub(crate) number: u64,
    /// When.
    pub(crate) at: UnixTime,
    /// The command, such as `roster suspend`.
    pub(crate) operation: String,
    /// To whom or what: a student ID, `service/NAME`, an authority.
    pub(crate) subject: String,
    /// What came of it.
    pub(crate) result: String,
    /// Who.
    pub(crate) by: Operator,
    /// SHA-256 over the record before and this one.
    pub(crate) chain: Fingerprint,
}

/// The operations.
#[derive(Debug)]
pub(crate) struct Operations<'a> {
    connection: &'a Connection,
}

impl Records<'_> {
    /// Notes what somebody does by the command line, in the transaction that does it. What a server or a
    /// test does is nobody's.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn note(
        &self,
        subject: &impl Display,
        result: &str,
        now: UnixTime,
    ) -> Result<(), Error> {
        match self.act {
            None => Ok(()),
            Some(act) => self
                .operations()
                .add(act, (&subject.to_string(), result), now),
        }
    }
}

impl<'a> Operations<'a> {
    pub(super) fn on(connection: &'a Connection) -> Self {
        Self { connection }
    }

    fn add(&self, act: &Act, (subject, result): (&str, &str), now: UnixTime) -> Result<(), Error> {
        let Act { operation, by } = act;
        let (before, number): (Vec<u8>, i64) = self
            .connection
            .prepare_cached(
                // The last by the index: ordered together, all of them would be sorted for each that is added.
                "SELECT chain, number + 1 FROM
                 (SELECT chain, number FROM
                      (SELECT chain, number FROM operation ORDER BY number DESC LIMIT 1)
                  UNION ALL SELECT chain, number FROM operation_removed)
                 ORDER BY number DESC LIMIT 1",
            )?
            .query_one([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let at = convert::seconds(now);
        let mut record: Vec<&dyn ToSql> = vec![
            &before,
            &number,
            &at,
            operation,
            &subject,
            &result,
            &by.uid,
            &by.user,
            &by.login_uid,
            &by.login,
            &by.sudo_user,
        ];
        let chain = self
            .connection
            .prepare_cached("SELECT NULL, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11")?
            .query_one(&*record, seal::checksum)?;
        record.push(chain.as_bytes());
        self.connection
            .prepare_cached(&format!(
                "INSERT INTO operation ({COLUMNS}, chain)
                 VALUES (?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"
            ))?
            .execute(&*record)?;
        Ok(())
    }

    /// Visits those from `since` on, of one subject or of all, in their order.
    ///
    /// # Errors
    ///
    /// [`Error::RecordInvalid`] if one was altered, or the one before it; [`Error::Storage`]; what `visit`
    /// returns.
    pub(crate) fn each(
        &self,
        since: Option<UnixTime>,
        subject: Option<&str>,
        mut visit: impl FnMut(Operation) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let since = since.map(convert::seconds);
        let mut statement = self.connection.prepare_cached(&chained(
            "WHERE (?1 IS NULL OR operation.at >= ?1)
             AND (?2 IS NULL OR operation.subject = ?2)",
        ))?;
        let mut rows = statement.query(params![since, subject])?;
        while let Some(row) = rows.next()? {
            visit(operation(row)?)?;
        }
        Ok(())
    }

    /// Looks at every one.
    ///
    /// # Errors
    ///
    /// [`Error::RecordInvalid`] if one was altered or is missing; [`Error::Storage`].
    pub(crate) fn check(&self) -> Result<u64, Error> {
        let (mut last, mut count) = (self.removed()?, 0);
        self.each(None, None, |operation| {
            if operation.number != last + 1 {
                return Err(Error::RecordInvalid { what: WHAT });
            }
            (last, count) = (operation.number, count + 1);
            Ok(())
        })?;
        Ok(count)
    }

    /// The number of the last one that was removed; 0 if none was.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::RecordInvalid`].
    pub(crate) fn removed(&self) -> Result<u64, Error> {
        let removed = self
            .connection
            .prepare_cached("SELECT number FROM operation_removed")?
            .query_one([], |row| row.get(0))?;
        convert::number(removed)
    }

    /// The last one's number, its hash and when it was done, if anything was ever done.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::RecordInvalid`].
    pub(crate) fn head(&self) -> Result<Option<(u64, Fingerprint, UnixTime)>, Error> {
        let last: Option<(i64, [u8; 32], i64)> = self
            .connection
            .prepare_cached(
                "SELECT number, chain, at FROM operation
                 WHERE number = (SELECT max(number) FROM operation)",
            )?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        last.map(|(number, chain, at)| {
            let chain = Fingerprint::from_bytes(chain);
            Ok((convert::number(number)?, chain, convert::time(at)?))
        })
        .transpose()
    }

    /// Whether these many lead to this hash; none if so many were removed that nobody can tell.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn leads_to(&self, number: u64, chain: &Fingerprint) -> Result<Option<bool>, Error> {
        let number = convert::integer(number);
        let here: Option<[u8; 32]> = self
            .connection
            .prepare_cached(
                "SELECT chain FROM operation WHERE number = ?1
                 UNION ALL SELECT chain FROM operation_removed WHERE number = ?1 LIMIT 1",
            )?
            .query_row([number], |row| row.get(0))
            .optional()?;
        let is_removed: bool = self
            .connection
            .prepare_cached("SELECT number > ?1 FROM operation_removed")?
            .query_one([number], |row| row.get(0))?;
        Ok(match here {
            Some(here) => Some(here == *chain.as_bytes()),
            None if is_removed => None,
            None => Some(false),
        })
    }

    /// Whether these many lead to this hash, and all after them follow.
    ///
    /// # Errors
    ///
    /// [`Error::RecordInvalid`] if one after them was altered; [`Error::Storage`].
    pub(crate) fn follow(&self, number: u64, chain: &Fingerprint) -> Result<bool, Error> {
        if self.leads_to(number, chain)? != Some(true) {
            return Ok(false);
        }
        let mut statement = self
            .connection
            .prepare_cached(&chained("WHERE operation.number > ?1"))?;
        let mut rows = statement.query([convert::integer(number)])?;
        while let Some(row) = rows.next()? {
            operation(row)?;
        }
        Ok(true)
    }

    /// How many [`Operations::remove_before`] would remove.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn count_before(&self, moment: UnixTime) -> Result<u64, Error> {
        let count: i64 = self
            .connection
            .prepare_cached("SELECT count(*) FROM operation WHERE number <= ?1")?
            .query_one([self.last_before(moment)?], |row| row.get(0))?;
        convert::number(count)
    }

    /// Removes those before the first that is not older than `moment`, up to one that the issuance log
    /// holds: `cuhk doctor` can tell then what was removed. Answers how many.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn remove_before(&self, moment: UnixTime) -> Result<u64, Error> {
        let last = self.last_before(moment)?;
        self.connection
            .prepare_cached(
                "UPDATE operation_removed SET (number, chain) =
                     (SELECT number, chain FROM operation WHERE number = ?1)
                 WHERE EXISTS (SELECT 1 FROM operation WHERE number = ?1)",
            )?
            .execute([last])?;
        let removed = self
            .connection
            .prepare_cached("DELETE FROM operation WHERE number <= ?1")?
            .execute([last])?;
        Ok(removed as u64)
    }

    /// The number of the last one that the issuance log holds and before which all are older than `moment`,
    /// itself among them; below all others if there is none.
    fn last_before(&self, moment: UnixTime) -> Result<i64, Error> {
        let last: i64 = self
            .connection
            .prepare_cached(
                "SELECT coalesce(
                     (SELECT min(number) - 1 FROM operation WHERE at >= ?1),
                     (SELECT max(number) FROM operation), 0)",
            )?
            .query_one([convert::seconds(moment)], |row| row.get(0))?;
        let last = convert::number(last)?;
        let mut held = 0;
        Log::on(self.connection).each_pin(|pin| {
            if pin.operations <= last {
                held = pin.operations;
            }
            Ok(())
        })?;
        Ok(convert::integer(held))
    }
}

/// Each with what its chain covers: the chain of the one before, then all of its own.
fn chained(filter: &str) -> String {
    format!(
        "SELECT chain,
             coalesce(
                 (SELECT earlier.chain FROM operation AS earlier
                  WHERE earlier.number = operation.number - 1),
                 (SELECT removed.chain FROM operation_removed AS removed
                  WHERE removed.number = operation.number - 1)),
             {COLUMNS}
         FROM operation {filter} ORDER BY number"
    )
}

fn operation(row: &Row<'_>) -> Result<Operation, Error> {
    if !seal::is_intact(row)? {
        return Err(Error::RecordInvalid { what: WHAT });
    }
    Ok(Operation {
        number: convert::number(row.get(2)?)?,
        at: convert::time(row.get(3)?)?,
        operation: row.get(4)?,
        subject: row.get(5)?,
        result: row.get(6)?,
        by: Operator {
            uid: row.get(7)?,
            user: row.get(8)?,
            login_uid: row.get(9)?,
            login: row.get(10)?,
            sudo_user: row.get(11)?,
        },
        chain: Fingerprint::from_bytes(row.get(0)?),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::store::{Store, temporary};

    fn act() -> Act {
        Act {
            operation: "roster suspend".to_owned(),
            by: Operator {
                uid: 998,
                user: Some("cuhk".to_owned()),
                login_uid: None,
                login: None,
                sudo_user: Some("alice".to_owned()),
            },
        }
    }

    fn at(seconds: i64) -> UnixTime {
        convert::time(seconds).unwrap()
    }

    /// Three things done, at 100, 200 and 300.
    fn office() -> (tempfile::TempDir, Store) {
        let (dir, store) = temporary();
        let store = store.done_by(act());
        store
            .write_blocking(|records| {
                records.note(&"1155000001", "suspended", at(100))?;
                records.note(&"1155000002", "suspended", at(200))?;
                records.note(&"1155000001", "restored", at(300))
            })
            .unwrap();
        (dir, store)
    }

    fn listed(
        store: &Store,
        since: Option<i64>,
        subject: Option<&'static str>,
    ) -> Vec<(u64, String)> {
        let listed = store.read_blocking(move |records| {
            let mut listed = Vec::new();
            records
                .operations()
                .each(since.map(at), subject, |operation| {
                    assert_eq!(operation.by, act().by);
                    listed.push((operation.number, operation.result));
                    Ok(())
                })?;
            Ok(listed)
        });
        listed.unwrap()
    }

    #[test]
    fn each_is_found_by_its_time_and_its_subject() {
        let (_dir, store) = office();
        let numbers = |since, subject| {
            let listed = listed(&store, since, subject).into_iter();
            listed.map(|(number, _)| number).collect::<Vec<_>>()
        };
        assert_eq!(numbers(None, None), [1, 2, 3]);
        assert_eq!(numbers(Some(200), None), [2, 3]);
        assert_eq!(numbers(None, Some("1155000001")), [1, 3]);
        assert!(numbers(Some(301), None).is_empty());
    }

    #[test]
    fn what_a_server_does_is_no_operators() {
        let (_dir, store) = temporary();
        store
            .write_blocking(|records| records.note(&"1155000001", "suspended", at(100)))
            .unwrap();
        assert!(listed(&store, None, None).is_empty());
    }

    #[test]
    fn none_is_changed_removed_or_put_in_between() {
        let (_dir, store) = office();
        for statement in [
            "UPDATE operation SET subject = '1155000003' WHERE number = 1",
            "UPDATE operation SET at = 0",
            "DELETE FROM operation WHERE number = 3",
            "DELETE FROM operation",
            "DELETE FROM operation_removed",
            "UPDATE operation_removed SET number = -1",
            "INSERT OR REPLACE INTO operation SELECT * FROM operation WHERE number = 2",
        ] {
            let refused = store.write_blocking(move |records| {
                records.connection().execute(statement, [])?;
                Ok(())
            });
            assert!(refused.is_err(), "{statement}");
        }
        let checked = store.read_blocking(|records| records.operations().check());
        assert_eq!(checked.unwrap(), 3);
    }

    #[test]
    fn whoever_takes_the_triggers_away_first_is_noticed_all_the_same() {
        for statement in [
            "UPDATE operation SET subject = '1155000003' WHERE number = 1",
            "UPDATE operation SET sudo_user = NULL WHERE number = 3",
            "UPDATE operation SET chain = zeroblob(32) WHERE number = 2",
            "DELETE FROM operation WHERE number = 1",
            "DELETE FROM operation WHERE number = 2",
        ] {
            let (_dir, store) = office();
            let checked = store.write_blocking(move |records| {
                records.connection().execute_batch(
                    "DROP TRIGGER operation_stays; DROP TRIGGER operation_is_kept;",
                )?;
                records.connection().execute(statement, [])?;
                records.operations().check()
            });
            assert!(
                matches!(checked, Err(Error::RecordInvalid { what: WHAT })),
                "{statement}"
            );
        }
    }

    #[test]
    fn the_oldest_go_and_the_others_still_follow_them() {
        let (_dir, store) = office();
        store
            .write_blocking(|records| {
                let operations = records.operations();
                assert_eq!(operations.count_before(at(100))?, 0);
                assert_eq!(operations.remove_before(at(100))?, 0);
                assert_eq!(operations.remove_before(at(1000))?, 0, "none is held yet");
                records.pin_operations()?;
                assert_eq!(operations.remove_before(at(201))?, 0, "nor these");
                records.note(&"1155000002", "restored", at(400))?;
                assert_eq!(operations.count_before(at(1000))?, 3);
                assert_eq!(operations.remove_before(at(1000))?, 3);
                records.pin_operations()?;
                assert_eq!(operations.check()?, 1);
                assert_eq!(operations.remove_before(at(1000))?, 1);
                records.note(&"root", "signed", at(1100))?;
                assert_eq!(operations.check()?, 1);
                Ok(())
            })
            .unwrap();
        assert_eq!(listed(&store, None, None), [(5, "signed".to_owned())]);
    }
}
