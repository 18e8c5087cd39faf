//! Rejections of verified members are entered in the log of the assignment, so that nobody can say
//! later that they were not, or that there were others. How many are entered is bounded: nobody fills
//! a log with them.

use rusqlite::{Connection, params};
use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, StudentId};
use scb_protocol::Code;
use scb_protocol::log_leaf::{Entry, Leaf, LogName, Refused};

use super::{Error, Store, as_integer, log};

/// Seconds within which the limits hold.
const HOUR: u64 = 60 * 60;
/// So many of each student are entered in an assignment's log within an hour.
pub(crate) const MOST_OF_ONE: usize = 10;
/// So many of all students are entered in an assignment's log within an hour.
pub(crate) const MOST_OF_ALL: usize = 1000;

/// Members who were verified, and whose statement was refused.
#[derive(Debug, Clone)]
pub(crate) struct Rejection {
    /// The log of the assignment that they named.
    pub(crate) log: LogName,
    /// Who they are, in order.
    pub(crate) members: Vec<StudentId>,
    /// SHA-256 of the statement's exact bytes.
    pub(crate) statement: Fingerprint,
}

impl Store {
    /// Enters a rejection; the same within an hour is entered once. Answers the number of the entry.
    /// `None` if there is no such assignment, or if too many were entered of late: then it is refused
    /// without an entry.
    ///
    /// # Errors
    ///
    /// [`Error::Leaf`], [`Error::Storage`].
    pub(crate) async fn enter_rejection(
        &self,
        rejection: Rejection,
        code: Code,
        at: UnixTime,
    ) -> Result<Option<u64>, Error> {
        self.database
            .write(move |transaction| {
                let Rejection { log, .. } = &rejection;
                if log::size(transaction, log)? == 0 {
                    return Ok(None);
                }
                match admitted(&of_late(transaction, log, at)?, &rejection, code) {
                    Room::Entered(index) => Ok(Some(index)),
                    Room::Full => Ok(None),
                    Room::ForThis => {
                        let entry = Entry::Refused(Refused {
                            code,
                            members: rejection.members,
                            statement_sha256: Some(rejection.statement),
                        });
                        let entered = log::append(transaction, &rejection.log, at, entry)?;
                        Ok(Some(entered.index))
                    }
                }
            })
            .await
    }
}

/// Whether there is room for another entry.
enum Room {
    /// This very one is there.
    Entered(u64),
    Full,
    ForThis,
}

fn admitted(of_late: &[(u64, Refused)], rejection: &Rejection, code: Code) -> Room {
    let is_it = |(_, one): &&(u64, Refused)| {
        one.code == code && one.statement_sha256 == Some(rejection.statement)
    };
    if let Some((index, _)) = of_late.iter().find(is_it) {
        return Room::Entered(*index);
    }
    let has_enough = |sid: &StudentId| {
        let own = of_late.iter().filter(|(_, one)| one.members.contains(sid));
        own.count() >= MOST_OF_ONE
    };
    match of_late.len() >= MOST_OF_ALL || rejection.members.iter().any(has_enough) {
        true => Room::Full,
        false => Room::ForThis,
    }
}

/// What was entered in the last hour, with its numbers.
fn of_late(
    connection: &Connection,
    log: &LogName,
    now: UnixTime,
) -> Result<Vec<(u64, Refused)>, Error> {
    let sql = "SELECT number, leaf FROM log_entries \
               WHERE log = (SELECT id FROM logs WHERE origin = ?) AND kind = 'refused' AND at > ?";
    let mut query = connection.prepare_cached(sql)?;
    let since = as_integer(now.as_secs().saturating_sub(HOUR));
    let rows = query.query_map(params![log.to_string(), since], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?))
    })?;
    let mut found = Vec::new();
    for row in rows {
        let (number, leaf) = row?;
        if let Ok(Entry::Refused(refused)) = Leaf::parse(&leaf).map(|leaf| leaf.entry) {
            found.push((number.unsigned_abs(), refused));
        }
    }
    Ok(found)
}
