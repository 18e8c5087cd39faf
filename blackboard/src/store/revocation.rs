//! The tables of revocation lists.

use rusqlite::{Connection, Transaction, params};

use super::{Error, as_integer};
use crate::authority::Numbers;

/// The highest number seen of each issuer.
pub(super) fn numbers(connection: &Connection) -> Result<Numbers, Error> {
    let mut query = connection.prepare_cached("SELECT issuer, number FROM crl_numbers")?;
    let rows = query.query_map([], |row| {
        let number: i64 = row.get(1)?;
        Ok((row.get(0)?, number.unsigned_abs()))
    })?;
    rows.map(|row| row.map_err(Error::from)).collect()
}

/// The last lists, DER.
pub(super) fn lists(connection: &Connection) -> Result<Vec<Vec<u8>>, Error> {
    let mut query = connection.prepare_cached("SELECT der FROM crls ORDER BY issuer")?;
    let rows = query.query_map([], |row| row.get(0))?;
    rows.map(|row| row.map_err(Error::from)).collect()
}

/// These lists, by issuer, and no others; numbers only grow.
pub(super) fn remember(
    transaction: &Transaction<'_>,
    numbers: &Numbers,
    lists: &[(Vec<u8>, Vec<u8>)],
) -> Result<(), Error> {
    let sql = "INSERT INTO crl_numbers (issuer, number) VALUES (?, ?) \
               ON CONFLICT DO UPDATE SET number = max(number, excluded.number)";
    let mut insert = transaction.prepare_cached(sql)?;
    for (issuer, number) in numbers {
        insert.execute(params![issuer, as_integer(*number)])?;
    }
    transaction.execute("DELETE FROM crls", [])?;
    let mut insert = transaction.prepare_cached("INSERT INTO crls (issuer, der) VALUES (?, ?)")?;
    for (issuer, der) in lists {
        insert.execute(params![issuer, der])?;
    }
    Ok(())
}
