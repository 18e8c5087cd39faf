//! What operators did, as the issuance log holds this home to it: how many operations there were, and the
//! hash over all of them. Who computes them anew has to make another log, which witnesses do not cosign.

use rusqlite::{OptionalExtension, params};
use rustls_pki_types::UnixTime;
use scb_certs::Fingerprint;
use scb_protocol::values::Salt;
use scb_protocol::{COMMITMENT_SIZE, commitment, from_seconds};
use serde::{Deserialize, Serialize};

use super::{Log, Raw, logged, raw};
use crate::Error;
use crate::store::{Records, convert};

/// In the place of whom an entry concerns: no student ID has a slash, and no service is called so.
pub(super) const SUBJECT: &str = "cuhk/operations";

/// An entry's content. Its exact bytes count.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    #[serde(rename = "type")]
    kind: String,
    v: u8,
    nth: u64,
    operations: u64,
    chain: Fingerprint,
    at: u64,
}

/// Up to where operations are entered in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pin {
    /// The entry's number in the log.
    pub(crate) entry: u64,
    /// The entry as the tiles have it.
    pub(crate) commitment: [u8; COMMITMENT_SIZE],
    /// The number of the last operation.
    pub(crate) operations: u64,
    /// The hash over that and all before it.
    pub(crate) chain: Fingerprint,
    /// When the last one was done.
    pub(crate) at: UnixTime,
    /// Which of these entries it is, from 1.
    pub(crate) nth: u64,
}

/// Whether there are operations that no entry tells of yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unpinned {
    /// There are none.
    Nothing,
    /// They go on after those of which the newest entry was made.
    Newer,
    /// They do not: whoever put them there is not to have them entered.
    Foreign,
}

impl Records<'_> {
    /// Which operations wait for being entered.
    ///
    /// # Errors
    ///
    /// [`Error::RecordInvalid`], [`Error::Storage`].
    pub(crate) fn unpinned(&self) -> Result<Unpinned, Error> {
        let Some((number, chain, _)) = self.operations().head()? else {
            return Ok(Unpinned::Nothing);
        };
        let Some(pin) = self.log().pin()? else {
            return Ok(Unpinned::Newer);
        };
        if (pin.operations, pin.chain) == (number, chain) {
            return Ok(Unpinned::Nothing);
        }
        match self.operations().follow(pin.operations, &pin.chain)? {
            true => Ok(Unpinned::Newer),
            false => Ok(Unpinned::Foreign),
        }
    }

    /// Enters in the log how many operations there are and the hash over all of them, if these are newer;
    /// answers whether they were.
    ///
    /// # Errors
    ///
    /// As for [`Records::unpinned`].
    pub(crate) fn pin_operations(&self) -> Result<Unpinned, Error> {
        let unpinned = self.unpinned()?;
        if unpinned == Unpinned::Newer
            && let Some((number, chain, at)) = self.operations().head()?
        {
            self.log().add_pin((number, chain), at)?;
        }
        Ok(unpinned)
    }
}

impl Log<'_> {
    /// The newest.
    ///
    /// # Errors
    ///
    /// [`Error::RecordInvalid`], [`Error::Storage`].
    pub(crate) fn pin(&self) -> Result<Option<Pin>, Error> {
        let row = self
            .connection
            .prepare_cached(
                "SELECT number, salt, content, commitment FROM log_entry
                 WHERE subject = ?1 ORDER BY nth DESC LIMIT 1",
            )?
            .query_row([SUBJECT], raw)
            .optional()?;
        row.map(read).transpose()
    }

    /// Visits each whose content is here, in their order.
    ///
    /// # Errors
    ///
    /// As for [`Log::pin`]; what `visit` returns.
    pub(crate) fn each_pin(
        &self,
        mut visit: impl FnMut(Pin) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT number, salt, content, commitment FROM log_entry
             WHERE subject = ?1 ORDER BY nth",
        )?;
        let mut rows = statement.query_map([SUBJECT], raw)?;
        rows.try_for_each(|row| visit(read(row?)?))
    }

    /// Enters that so many operations lead to this hash, the last of them done `at` some time.
    fn add_pin(&self, (operations, chain): (u64, Fingerprint), at: UnixTime) -> Result<(), Error> {
        let nth = self.pin()?.map_or(0, |last| last.nth) + 1;
        let content = Content {
            kind: "operations".to_owned(),
            v: 1,
            nth,
            operations,
            chain,
            at: at.as_secs(),
        };
        let content = serde_json::to_string(&content)
            .map_err(|_| Error::RecordInvalid { what: "log entry" })?;
        let salt = Salt::random()?;
        self.connection
            .prepare_cached("INSERT INTO log_entry VALUES (?1, ?2, ?3, ?4, ?5, ?6, NULL)")?
            .execute(params![
                convert::integer(self.size()?),
                commitment(&salt, &content),
                SUBJECT,
                convert::integer(nth),
                salt.as_bytes(),
                content,
            ])?;
        Ok(())
    }

    /// How many entries after this one, of so many that were `published`, have lost their contents, which
    /// is so after an old backup, or are not here although nobody has pruned as far.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::RecordInvalid`].
    pub(crate) fn unknown_after(&self, pin: Option<&Pin>, published: u64) -> Result<u64, Error> {
        let pruned = self.removed()?.map_or(0, |removed| removed.below);
        let from = pruned.max(pin.map_or(0, |pin| pin.entry + 1));
        let known = self
            .connection
            .prepare_cached(
                "SELECT count(*) FROM log_entry WHERE number >= ?1 AND content IS NOT NULL",
            )?
            .query_one([convert::integer(from)], |row| row.get(0))?;
        let all = self.size()?.max(published).saturating_sub(from);
        Ok(all.saturating_sub(convert::number(known)?))
    }
}

fn read(row: Raw) -> Result<Pin, Error> {
    let commitment = row.3;
    let entry = logged(row)?;
    let content: Content = serde_json::from_str(&entry.content)
        .map_err(|_| Error::RecordInvalid { what: "log entry" })?;
    Ok(Pin {
        entry: entry.number,
        commitment,
        operations: content.operations,
        chain: content.chain,
        at: from_seconds(content.at),
        nth: content.nth,
    })
}
