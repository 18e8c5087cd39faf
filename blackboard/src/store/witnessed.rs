//! The tables with what CUHK said of these logs. It is verified whenever it is read: nothing here
//! is believed for having been stored.

use std::collections::BTreeSet;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use rustls_pki_types::UnixTime;
use scb_protocol::log_leaf::LogName;
use scb_protocol::witness::CosignedCheckpoint;
use scb_protocol::{SignedLogKeys, from_seconds};
use scb_tlog::{SignatureLine, SignedNote};

use super::{Error, Store, as_integer, blob, insert_blob};

/// What came last of asking a witness besides CUHK to cosign a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Its name.
    pub(crate) witness: String,
    /// `cosigned`, or a word for why not.
    pub(crate) outcome: String,
    /// How many entries it has cosigned, as far as is known, or says that it has.
    pub(crate) seen: u64,
    /// When it was so first.
    pub(crate) at: UnixTime,
}

impl Store {
    /// Keeps what came of asking a witness, in the place of what came before. How many entries it had cosigned stays
    /// known where it did not cosign now: whoever asks may have begun anew since.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) async fn keep_asked(&self, log: &LogName, asked: Asked) -> Result<(), Error> {
        let log = log.to_string();
        let keep = move |transaction: &Transaction<'_>| {
            // What it says to be ahead is its word alone, and is forgotten with the next answer.
            let sql = "INSERT INTO asked_witnesses (log, witness, outcome, seen, at) \
                       VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET seen = \
                       CASE WHEN 'ahead' IN (outcome, excluded.outcome) OR excluded.outcome = 'cosigned' \
                       THEN excluded.seen ELSE max(seen, excluded.seen) END, \
                       outcome = excluded.outcome, at = excluded.at";
            let (seen, at) = (as_integer(asked.seen), as_integer(asked.at.as_secs()));
            let row = params![log, asked.witness, asked.outcome, seen, at];
            transaction.prepare_cached(sql)?.execute(row)?;
            Ok(())
        };
        self.database.write(keep).await
    }

    /// What came last of asking each witness besides CUHK to cosign a log, by name.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn asked(&self, log: &LogName) -> Result<Vec<Asked>, Error> {
        let log = log.to_string();
        self.database.read_blocking(move |connection| {
            let sql = "SELECT witness, outcome, seen, at FROM asked_witnesses WHERE log = ? \
                       ORDER BY witness";
            let mut query = connection.prepare_cached(sql)?;
            let rows = query.query_map([log], |row| {
                let (seen, at): (i64, i64) = (row.get(2)?, row.get(3)?);
                Ok(Asked {
                    witness: row.get(0)?,
                    outcome: row.get(1)?,
                    seen: seen.unsigned_abs(),
                    at: from_seconds(at.unsigned_abs()),
                })
            })?;
            rows.map(|row| row.map_err(Error::from)).collect()
        })
    }

    /// Keeps which logs CUHK, as it is now, may not know to the end, in the place of those before.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) async fn keep_unseen(
        &self,
        logs: BTreeSet<LogName>,
        now: UnixTime,
    ) -> Result<(), Error> {
        let logs: BTreeSet<String> = logs.iter().map(LogName::to_string).collect();
        let keep = move |transaction: &Transaction<'_>| {
            let mut kept = transaction.prepare_cached("SELECT log FROM unseen_logs")?;
            let kept = kept.query_map([], |row| row.get(0))?;
            let kept = kept.collect::<Result<BTreeSet<String>, _>>()?;
            let mut remove = transaction.prepare_cached("DELETE FROM unseen_logs WHERE log = ?")?;
            for log in kept.difference(&logs) {
                remove.execute([log])?;
            }
            let add = "INSERT INTO unseen_logs (log, since) VALUES (?, ?)";
            let mut add = transaction.prepare_cached(add)?;
            for log in logs.difference(&kept) {
                add.execute(params![log, as_integer(now.as_secs())])?;
            }
            Ok(())
        };
        self.database.write(keep).await
    }

    /// Since when it is not known of a log that CUHK, as it is now, has seen what it has cosigned of it;
    /// nothing if it has.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn unseen_since(&self, log: &LogName) -> Result<Option<UnixTime>, Error> {
        let log = log.to_string();
        self.database.read_blocking(move |connection| {
            let sql = "SELECT since FROM unseen_logs WHERE log = ?";
            let since: Option<i64> = connection
                .prepare_cached(sql)?
                .query_row([log], |row| row.get(0))
                .optional()?;
            Ok(since.map(|since| from_seconds(since.unsigned_abs())))
        })
    }

    /// Keeps a checkpoint that CUHK cosigned in the place of the one before, and the revocation lists
    /// (PEM) that were in force then.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) async fn keep_cosigned(
        &self,
        log: &LogName,
        cosigned: &CosignedCheckpoint,
        lists: Arc<str>,
    ) -> Result<(), Error> {
        let (log, note) = (log.clone(), cosigned.note().to_string());
        self.database
            .write(move |transaction| keep_cosigned(transaction, &log, (&note, &lists)))
            .await
    }

    /// Adds what another witness said of a checkpoint of a log, which has this text; nothing if another
    /// one is kept by now.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) async fn add_cosignature(
        &self,
        log: &LogName,
        (text, line): (&str, SignatureLine),
    ) -> Result<(), Error> {
        let (log, text) = (log.clone(), text.to_owned());
        let add =
            move |transaction: &Transaction<'_>| add_cosignature(transaction, &log, (&text, line));
        self.database.write(add).await
    }

    /// The revocation lists (PEM) that were in force when CUHK cosigned the newest checkpoint of a log;
    /// nothing if they were not kept.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) async fn lists_of_cosigned(&self, log: &LogName) -> Result<Option<String>, Error> {
        let log = log.clone();
        self.database
            .read(move |connection| lists(connection, &log))
            .await
    }
}

pub(super) fn endorsement(
    connection: &Connection,
    log: &LogName,
) -> Result<Option<SignedLogKeys>, Error> {
    let sql = "SELECT keys, signature FROM log_endorsements WHERE log = ?";
    let mut query = connection.prepare_cached(sql)?;
    let signed = query.query_row([log.to_string()], |row| {
        Ok(SignedLogKeys {
            keys: row.get(0)?,
            signature: row.get(1)?,
        })
    });
    Ok(signed.optional()?)
}

pub(super) fn keep_endorsement(
    transaction: &Transaction<'_>,
    log: &LogName,
    signed: &SignedLogKeys,
) -> Result<(), Error> {
    let sql = "INSERT INTO log_endorsements (log, keys, signature) VALUES (?, ?, ?) \
               ON CONFLICT DO UPDATE SET keys = excluded.keys, signature = excluded.signature";
    let row = params![log.to_string(), signed.keys, signed.signature];
    transaction.prepare_cached(sql)?.execute(row)?;
    Ok(())
}

pub(super) fn cosigned(connection: &Connection, log: &LogName) -> Result<Option<String>, Error> {
    let sql = "SELECT note FROM cosigned_checkpoints WHERE log = ?";
    let mut query = connection.prepare_cached(sql)?;
    Ok(query
        .query_row([log.to_string()], |row| row.get(0))
        .optional()?)
}

fn keep_cosigned(
    transaction: &Transaction<'_>,
    log: &LogName,
    (note, lists): (&str, &str),
) -> Result<(), Error> {
    let lists = insert_blob(transaction, lists.as_bytes())?;
    let sql = "INSERT INTO cosigned_checkpoints (log, note, lists) VALUES (?, ?, ?) \
               ON CONFLICT DO UPDATE SET note = excluded.note, lists = excluded.lists";
    let row = params![log.to_string(), note, lists];
    transaction.prepare_cached(sql)?.execute(row)?;
    Ok(())
}

/// Adds what another witness said of a checkpoint, if that is still the one which is kept.
fn add_cosignature(
    transaction: &Transaction<'_>,
    log: &LogName,
    (text, line): (&str, SignatureLine),
) -> Result<(), Error> {
    let kept = cosigned(transaction, log)?;
    let kept = kept.and_then(|note| note.parse::<SignedNote>().ok());
    let Some(mut note) = kept.filter(|note| note.text() == text) else {
        return Ok(());
    };
    note.add(line);
    let sql = "UPDATE cosigned_checkpoints SET note = ? WHERE log = ?";
    let row = params![note.to_string(), log.to_string()];
    transaction.prepare_cached(sql)?.execute(row)?;
    Ok(())
}

/// The revocation lists that were in force when it was cosigned; nothing if they were not kept, or were
/// altered: as for the checkpoint, whoever uses them verifies them.
fn lists(connection: &Connection, log: &LogName) -> Result<Option<String>, Error> {
    let sql = "SELECT lists FROM cosigned_checkpoints WHERE log = ?";
    let mut query = connection.prepare_cached(sql)?;
    let found = query.query_row([log.to_string()], |row| row.get(0));
    let sha256: Option<Option<Vec<u8>>> = found.optional()?;
    let Some(sha256) = sha256.flatten() else {
        return Ok(None);
    };
    let lists = blob(connection, &sha256)?;
    Ok(lists.and_then(|lists| String::from_utf8(lists).ok()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_cli::{Home, Role};

    use super::*;

    #[tokio::test]
    async fn what_a_witness_has_cosigned_stays_known_when_it_answers_wrongly_after_a_start() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::create(&dir.path().join("home"), Role::Blackboard).unwrap();
        let store = Store::open(&home).unwrap();
        let log: LogName = "campus.test/blackboard/SANDBOX/lab".parse().unwrap();
        // Each with how many it is known to have cosigned when it is asked, and then.
        for (at, (outcome, known, then)) in (1..).zip([
            ("answer", 0, 0),
            ("cosigned", 19, 19),
            ("answer", 0, 19),
            ("away", 0, 19),
            ("ahead", 1000, 1000),
            ("away", 0, 0),
            ("cosigned", 19, 19),
            // Of a home that was put back.
            ("cosigned", 7, 7),
        ]) {
            let asked = Asked {
                witness: "library.example/w".to_owned(),
                outcome: outcome.to_owned(),
                seen: known,
                at: from_seconds(at),
            };
            store.keep_asked(&log, asked.clone()).await.unwrap();
            let kept = Asked {
                seen: then,
                ..asked
            };
            assert_eq!(store.asked(&log).unwrap(), [kept], "{outcome}");
        }
    }
}
