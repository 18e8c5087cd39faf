//! Which proposals name a student, and which are his own. Anybody may name anybody in one: nothing here
//! reads a statement that is not asked for.

use rusqlite::{Connection, params};
use rustls_pki_types::UnixTime;
use scb_certs::StudentId;
use scb_protocol::statement::{Statement, SubmissionId};

use super::rows::{UNANSWERED, WAITS_FOR_CUHK};
use crate::store::{Error, as_integer, as_list};

/// Most proposals that are told to one student.
const MOST: usize = 256;

/// Those that name all of these students and wait, or waited or ended since that moment; the latest
/// first. Of more than [`MOST`] those that wait, and of each proposer his latest ones: whoever proposes
/// much hides nothing that others have proposed.
pub(super) fn naming(
    connection: &Connection,
    sids: &[StudentId],
    since: UnixTime,
) -> Result<Vec<SubmissionId>, Error> {
    let Some((first, others)) = sids.split_first() else {
        return Ok(Vec::new());
    };
    let sql = format!(
        "WITH named AS (SELECT submission, proposed_at, \
             ended IS NOT NULL OR NOT {UNANSWERED} AS is_over, \
             (SELECT sid FROM cosigners AS own WHERE own.submission = proposals.submission \
              AND own.made_at IS NOT NULL ORDER BY nth LIMIT 1) AS proposer \
             FROM proposals WHERE submission IN (SELECT submission FROM cosigners WHERE sid = ?1) \
             AND (max(coalesce(ended_at, 0), waits_until) >= ?2 \
              OR (ended IS NULL AND {WAITS_FOR_CUHK} AND {UNANSWERED})) \
             AND NOT EXISTS (SELECT value FROM json_each(?3) EXCEPT \
              SELECT sid FROM cosigners AS own WHERE own.submission = proposals.submission)), \
         ranked AS (SELECT *, row_number() OVER (PARTITION BY is_over, proposer \
             ORDER BY proposed_at DESC, submission) AS rank FROM named), \
         told AS (SELECT * FROM ranked ORDER BY is_over, rank, proposed_at DESC, submission LIMIT {MOST}) \
         SELECT submission FROM told ORDER BY proposed_at DESC, submission"
    );
    let others = as_list(others.iter());
    let mut query = connection.prepare_cached(&sql)?;
    let key = params![first.as_str(), as_integer(since.as_secs()), others];
    let named = query.query_map(key, |row| row.get(0).map(SubmissionId::from_bytes))?;
    Ok(named.collect::<Result<_, _>>()?)
}

/// Those of the statement's assignment that name this student and were signed by all since that moment,
/// the latest first.
pub(in crate::store) fn signed_since(
    connection: &Connection,
    statement: &Statement,
    (sid, since): (&StudentId, UnixTime),
) -> Result<Vec<SubmissionId>, Error> {
    let sql = "SELECT submission FROM proposals \
               WHERE course = ? AND assignment = ? AND signed_at >= ? AND EXISTS \
               (SELECT 1 FROM cosigners WHERE cosigners.submission = proposals.submission AND sid = ?) \
               ORDER BY signed_at DESC, signed_index DESC";
    let (course, assignment) = (
        statement.course.to_string(),
        statement.assignment.to_string(),
    );
    let key = params![
        course,
        assignment,
        as_integer(since.as_secs()),
        sid.as_str()
    ];
    let mut query = connection.prepare_cached(sql)?;
    let signed = query.query_map(key, |row| row.get(0).map(SubmissionId::from_bytes))?;
    Ok(signed.collect::<Result<_, _>>()?)
}

/// How many a student has proposed himself since that moment, whatever became of them.
pub(super) fn made_since(
    connection: &Connection,
    sid: &StudentId,
    since: UnixTime,
) -> Result<usize, Error> {
    let sql = "SELECT count(*) FROM cosigners WHERE sid = ? AND made_at >= ?";
    let mut query = connection.prepare_cached(sql)?;
    let count: i64 = query
        .query_one(params![sid.as_str(), as_integer(since.as_secs())], |row| {
            row.get(0)
        })?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_cli::{Home, Role};
    use scb_protocol::from_seconds;
    use scb_storage::Database;

    use super::*;
    use crate::store::Store;

    const VICTIM: &str = "1155000001";
    const FRIEND: &str = "1155000002";
    const STRANGER: &str = "1155000003";

    fn database() -> (tempfile::TempDir, Database) {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::create(&dir.path().join("home"), Role::Blackboard).unwrap();
        let database = Store::open(&home).unwrap().database;
        (dir, database)
    }

    /// Rows as a proposal leaves them, of which nobody needs the statement here.
    fn propose(connection: &Connection, id: u16, by: &str, at: i64) {
        let mut submission = [0; 16];
        submission[..2].copy_from_slice(&id.to_be_bytes());
        let sql = "INSERT INTO proposals (submission, course, assignment, proposed_at, waits_until, statement) \
                   VALUES (?, 'c', 'a', ?, 9000, x'00')";
        connection.execute(sql, params![submission, at]).unwrap();
        let sql = "INSERT INTO cosigners (submission, nth, sid, said, made_at) VALUES (?, ?, ?, 'nothing', ?)";
        for (nth, sid, proposed) in [(1, by, Some(at)), (2, VICTIM, None)] {
            let row = params![submission, nth, sid, proposed];
            connection.execute(sql, row).unwrap();
        }
    }

    fn named(connection: &Connection, sids: &[&str]) -> Vec<u16> {
        let sids: Vec<StudentId> = sids.iter().map(|sid| sid.parse().unwrap()).collect();
        let named = naming(connection, &sids, from_seconds(8000)).unwrap();
        let number =
            |one: &SubmissionId| u16::from_be_bytes([one.as_bytes()[0], one.as_bytes()[1]]);
        named.iter().map(number).collect()
    }

    #[test]
    fn whoever_proposes_much_hides_nothing_of_others() {
        let (_dir, database) = database();
        let work = |transaction: &rusqlite::Transaction<'_>| {
            propose(transaction, 0, FRIEND, 1000);
            for nth in 1..=MOST as u16 {
                propose(transaction, nth, STRANGER, 2000 + i64::from(nth));
            }
            let told = named(transaction, &[VICTIM]);
            assert_eq!(told.len(), MOST);
            assert_eq!(
                (told[0], told[MOST - 1]),
                (MOST as u16, 0),
                "the latest first"
            );
            assert!(!told.contains(&1), "of much the oldest is left out");
            assert_eq!(named(transaction, &[VICTIM, FRIEND]), [0]);
            assert!(named(transaction, &[FRIEND, STRANGER]).is_empty());
            Ok::<_, Error>(())
        };
        database.write_blocking(work).unwrap();
    }

    #[test]
    fn what_waits_is_told_before_what_has_ended() {
        let (_dir, database) = database();
        let work = |transaction: &rusqlite::Transaction<'_>| {
            for nth in 0..=MOST as u16 {
                propose(transaction, nth, FRIEND, 1000 + i64::from(nth));
            }
            let sql = "UPDATE proposals SET ended = 'withdrawn', ended_at = 8500 WHERE proposed_at > 1000";
            transaction.execute(sql, [])?;
            assert_eq!(named(transaction, &[VICTIM])[MOST - 1], 0);
            transaction.execute(
                "UPDATE proposals SET waits_until = 7000, ended_at = 7000",
                [],
            )?;
            assert!(named(transaction, &[VICTIM]).is_empty(), "long over");
            Ok::<_, Error>(())
        };
        database.write_blocking(work).unwrap();
    }

    #[test]
    fn what_others_propose_does_not_count() {
        let (_dir, database) = database();
        let work = |transaction: &rusqlite::Transaction<'_>| {
            for nth in 0..3 {
                propose(transaction, nth, FRIEND, 1000 + i64::from(nth));
            }
            let made = |sid: &str, since| {
                made_since(transaction, &sid.parse().unwrap(), from_seconds(since)).unwrap()
            };
            assert_eq!(
                [made(FRIEND, 1001), made(FRIEND, 0), made(VICTIM, 0)],
                [2, 3, 0]
            );
            Ok::<_, Error>(())
        };
        database.write_blocking(work).unwrap();
    }
}
