//! Taking back what was added by mistake: an assignment for which nobody has handed in, and a course
//! with no other ones. What was ever entered in a log stays there, and the removal is another entry.

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use rustls_pki_types::UnixTime;
use scb_certs::TrustDomain;
use scb_protocol::log_leaf::{Entry, LogName, Removed};
use scb_protocol::statement::Label;

use super::{Error, Place, Store, as_integer, assignments, courses, log};

impl Store {
    /// Takes an assignment back; students are shown it no longer.
    ///
    /// # Errors
    ///
    /// [`Error::NoAssignment`]; [`Error::InUse`] if somebody has handed in, or signed, or was graded;
    /// [`Error::Storage`].
    pub(crate) fn remove_assignment(&self, place: Place, now: UnixTime) -> Result<(), Error> {
        self.enter_blocking(move |transaction| {
            assignments::require(transaction, &place)?;
            remove(transaction, &place, now)
        })
    }

    /// Takes a course back, with its assignments; answers which these were. All of them or none.
    ///
    /// # Errors
    ///
    /// [`Error::NoCourse`]; [`Error::InUse`] as for an assignment; [`Error::Storage`].
    pub(crate) fn remove_course(
        &self,
        domain: TrustDomain,
        course: Label,
        now: UnixTime,
    ) -> Result<Vec<Label>, Error> {
        self.enter_blocking(move |transaction| {
            courses::require(transaction, &course)?;
            let mut removed = Vec::new();
            for one in assignments::all(transaction, Some(&course))? {
                let place = Place {
                    domain: domain.clone(),
                    course: course.clone(),
                    assignment: one.assignment.clone(),
                };
                remove(transaction, &place, now)?;
                removed.push(one.assignment);
            }
            courses::remove(transaction, &course, now)?;
            Ok(removed)
        })
    }
}

fn remove(transaction: &Transaction<'_>, place: &Place, now: UnixTime) -> Result<(), Error> {
    let name = LogName::new(&place.domain, &place.course, &place.assignment);
    let name = name.map_err(Error::Leaf)?;
    if is_used(transaction, &name)? {
        return Err(Error::InUse {
            course: place.course.clone(),
            assignment: place.assignment.clone(),
        });
    }
    let now = log::moment(transaction, &name, now)?;
    let key = [place.course.to_string(), place.assignment.to_string()];
    let sql = "INSERT INTO removals (course, assignment, nth, at) \
               SELECT course, assignment, max(nth), ? FROM rules \
               WHERE course = ? AND assignment = ? GROUP BY course, assignment";
    let row = params![as_integer(now.as_secs()), key[0], key[1]];
    transaction.prepare_cached(sql)?.execute(row)?;
    let sql = "DELETE FROM extensions WHERE course = ? AND assignment = ?";
    transaction.prepare_cached(sql)?.execute(key)?;
    log::append(transaction, &name, now, Entry::Removed(Removed {}))?;
    Ok(())
}

/// Whether the log has anything of a student's: then the assignment stays. What an entry said that was
/// lost nobody knows.
fn is_used(connection: &Connection, name: &LogName) -> Result<bool, Error> {
    let sql = "SELECT 1 FROM log_entries WHERE log = (SELECT id FROM logs WHERE origin = ?) \
               AND (kind IS NULL OR kind NOT IN ('rules', 'extension', 'refused', 'closed', \
               'removed', 'recovered')) LIMIT 1";
    let mut query = connection.prepare_cached(sql)?;
    let found = query.query_row([name.to_string()], |_| Ok(()));
    Ok(found.optional()?.is_some())
}
