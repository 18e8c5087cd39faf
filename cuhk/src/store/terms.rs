//! Terms, which end students' certificates.

use rusqlite::{Connection, OptionalExtension, Row, params};
use rustls_pki_types::UnixTime;

use super::convert;
use crate::Error;

/// A term of the academic year.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// What people call it.
    pub name: String,
    /// Its last second.
    pub ends_at: UnixTime,
}

/// The terms.
#[derive(Debug)]
pub struct Terms<'a> {
    connection: &'a Connection,
}

impl<'a> Terms<'a> {
    pub(super) fn on(connection: &'a Connection) -> Self {
        Self { connection }
    }

    /// Adds a term, or gives it another end.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn set(&self, term: &Term) -> Result<(), Error> {
        self.connection
            .prepare_cached(
                "INSERT INTO term (name, ends_at) VALUES (?1, ?2)
                 ON CONFLICT (name) DO UPDATE SET ends_at = excluded.ends_at",
            )?
            .execute(params![term.name, convert::seconds(term.ends_at)])?;
        Ok(())
    }

    /// Removes a term; answers whether there was one.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn remove(&self, name: &str) -> Result<bool, Error> {
        let removed = self
            .connection
            .prepare_cached("DELETE FROM term WHERE name = ?1")?
            .execute([name])?;
        Ok(removed > 0)
    }

    /// All terms, in the order of their ends.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn all(&self) -> Result<Vec<Term>, Error> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT name, ends_at FROM term ORDER BY ends_at, name")?;
        let rows = statement.query_map([], raw)?;
        rows.map(|row| term(row?)).collect()
    }

    /// The term that ends next.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn current(&self, now: UnixTime) -> Result<Option<Term>, Error> {
        let found = self
            .connection
            .prepare_cached(
                "SELECT name, ends_at FROM term WHERE ends_at > ?1 ORDER BY ends_at, name LIMIT 1",
            )?
            .query_row([convert::seconds(now)], raw)
            .optional()?;
        found.map(term).transpose()
    }

    /// The term that ends last of all.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn last(&self) -> Result<Option<Term>, Error> {
        Ok(self.all()?.pop())
    }

    /// How many students' certificates, not revoked, end after this moment.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn certificates_beyond(&self, moment: UnixTime) -> Result<usize, Error> {
        let count: i64 = self
            .connection
            .prepare_cached(
                "SELECT count(*) FROM certificate
                 WHERE profile = 'student' AND not_after > ?1 AND revoked_at IS NULL",
            )?
            .query_one([convert::seconds(moment)], |row| row.get(0))?;
        Ok(usize::try_from(count).unwrap_or_default())
    }
}

fn raw(row: &Row<'_>) -> rusqlite::Result<(String, i64)> {
    Ok((row.get(0)?, row.get(1)?))
}

fn term((name, ends_at): (String, i64)) -> Result<Term, Error> {
    Ok(Term {
        name,
        ends_at: convert::time(ends_at)?,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::store::temporary;

    fn named(name: &str, ends_at: i64) -> Term {
        term((name.to_owned(), ends_at)).unwrap()
    }

    #[test]
    fn the_current_term_is_the_one_that_ends_next() {
        let (_dir, store) = temporary();
        store
            .write_blocking(|records| {
                let terms = records.terms();
                let at = |seconds| convert::time(seconds).unwrap();
                assert_eq!((terms.current(at(1))?, terms.last()?), (None, None));
                let (first, second) = (named("T1", 100), named("T2", 200));
                terms.set(&second)?;
                terms.set(&first)?;
                assert_eq!(terms.all()?, [first.clone(), second.clone()]);
                assert_eq!(terms.current(at(99))?, Some(first));
                assert_eq!(terms.current(at(100))?, Some(second.clone()));
                assert_eq!(terms.current(at(200))?, None);
                assert_eq!(terms.last()?, Some(second));
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn another_end_takes_the_place_of_the_first() {
        let (_dir, store) = temporary();
        store
            .write_blocking(|records| {
                records.terms().set(&named("T1", 100))?;
                records.terms().set(&named("T1", 150))?;
                assert_eq!(records.terms().all()?, [named("T1", 150)]);
                assert!(records.terms().remove("T1")?);
                assert!(!records.terms().remove("T1")?);
                Ok(())
            })
            .unwrap();
    }
}
