//! Rows of proposals that say again what the log says of them: what was altered in them is evidence for `blackboard
//! fsck` until then, and nothing is refused, closed or removed by it.

use rusqlite::{Connection, Transaction, params};
use rustls_pki_types::UnixTime;

use super::rows::{self, Stored};
use crate::store::{Error, Register, as_integer};

/// So many are put right in one transaction: others wait for it.
const AT_ONCE: usize = 64;

impl Register {
    /// Every row of a proposal that is handed in, or has ended, says again what the log says. Those that cannot be put
    /// right are left as they are: nobody waits for them.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn put_right_what_is_over(&self) -> Result<(), Error> {
        let database = &self.store().database;
        let over = database.read_blocking(rows::over)?;
        for some in over.chunks(AT_ONCE) {
            let some = some.to_vec();
            database.write_blocking(move |transaction| {
                for submission in some {
                    match rows::find(transaction, submission) {
                        Ok(Some(stored)) => put_right(transaction, &stored)?,
                        Ok(None) | Err(Error::ProposalAltered { .. }) => {}
                        Err(error) => return Err(error),
                    }
                }
                Ok(())
            })?;
        }
        Ok(())
    }
}

/// Every row of a proposal that is not handed in says again what the log says; those that have not ended.
pub(super) fn righted(transaction: &Transaction<'_>) -> Result<Vec<Stored>, Error> {
    let all = rows::in_doubt(transaction)?;
    for stored in &all {
        put_right(transaction, stored)?;
    }
    Ok(not_ended(all))
}

/// What has not ended and is no submission.
pub(super) fn unended(connection: &Connection) -> Result<Vec<Stored>, Error> {
    Ok(not_ended(rows::in_doubt(connection)?))
}

fn not_ended(mut all: Vec<Stored>) -> Vec<Stored> {
    all.retain(|stored| stored.kept.ended.is_none());
    all
}

/// Its rows say again what the log says, if they say something else of what it was about, since when and until when
/// it waited, when it was complete, and how it ended.
pub(super) fn put_right(transaction: &Transaction<'_>, stored: &Stored) -> Result<(), Error> {
    let (submission, kept) = (stored.submission(), stored.kept);
    let seconds = |at: UnixTime| as_integer(at.as_secs());
    let sql = "UPDATE proposals SET (course, assignment, proposed_at, waits_until, files_at, signed_at, \
               signed_index, ended, ended_at) = (?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) WHERE submission = ?1 \
               AND (course, assignment, proposed_at, waits_until, files_at, signed_at, signed_index, ended, ended_at) \
               IS NOT (?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    let mut put_right = transaction.prepare_cached(sql)?.execute(params![
        submission.as_bytes(),
        stored.statement.course.to_string(),
        stored.statement.assignment.to_string(),
        seconds(kept.proposed_at),
        seconds(kept.waits_until),
        kept.files_at.map(seconds),
        kept.signed.map(|(at, _)| seconds(at)),
        kept.signed.map(|(_, index)| as_integer(index)),
        kept.ended.map(|(state, _)| state.as_str()),
        kept.ended.map(|(_, at)| seconds(at)),
    ])?;
    let sql = "INSERT INTO kept_windows (submission, upload_until, files_at) VALUES (?1, ?2, ?3) \
               ON CONFLICT DO UPDATE SET (upload_until, files_at) = (?2, ?3) \
               WHERE (upload_until, files_at) IS NOT (?2, ?3)";
    let until = kept.upload_until.map(seconds);
    put_right += transaction.prepare_cached(sql)?.execute(params![
        submission.as_bytes(),
        until,
        kept.files_at.map(seconds),
    ])?;
    if let Some((_, index)) = kept.signed {
        let sql = "UPDATE deliveries SET upload_until = ?3 \
                   WHERE submission = ?1 AND log_index = ?2 AND upload_until IS NOT ?3";
        let key = params![submission.as_bytes(), as_integer(index), until];
        put_right += transaction.prepare_cached(sql)?.execute(key)?;
    }
    if put_right > 0 {
        tracing::error!(
            "what was recorded of the proposal {submission} was altered, and is put right by what the log says of it"
        );
    }
    Ok(())
}
