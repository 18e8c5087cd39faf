//! Enrolment codes, as digests only.

use rusqlite::{Connection, OptionalExtension, params};
use rustls_pki_types::UnixTime;
use scb_certs::Serial;
use subtle::ConstantTimeEq;

use super::convert;
use crate::{Error, Subject};

/// What is compared when there is no such code, so that the same work is done.
const NO_DIGEST: [u8; 32] = [0; 32];

/// A code that was presented by somebody who knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeRecord {
    /// When it ends.
    pub expires_at: UnixTime,
    /// When it was withdrawn, unused, if it was.
    pub withdrawn_at: Option<UnixTime>,
    /// The certificate that it was used for, once it is.
    pub serial: Option<Serial>,
}

/// A code that can still be used, as anybody may know it: nothing of the code itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OpenCode {
    /// Whom it is for.
    pub(crate) subject: Subject,
    /// When it was issued.
    pub(crate) issued_at: UnixTime,
    /// When it ends.
    pub(crate) expires_at: UnixTime,
}

/// Digest, end, withdrawal and serial number, as they are stored.
type Raw = (Vec<u8>, i64, Option<i64>, Option<Vec<u8>>);

/// The enrolment codes.
#[derive(Debug)]
pub struct Codes<'a> {
    connection: &'a Connection,
}

impl<'a> Codes<'a> {
    pub(super) fn on(connection: &'a Connection) -> Self {
        Self { connection }
    }

    /// Stores a code by its digest.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn add(
        &self,
        digest: &[u8; 32],
        subject: &Subject,
        now: UnixTime,
        expires_at: UnixTime,
    ) -> Result<(), Error> {
        self.connection
            .prepare_cached(
                "INSERT INTO enrolment_code (digest, subject, issued_at, expires_at)
                 VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![
                digest,
                subject.to_string(),
                convert::seconds(now),
                convert::seconds(expires_at),
            ])?;
        Ok(())
    }

    /// The code with this digest, if it is one of this subject.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn find(&self, digest: &[u8; 32], subject: &Subject) -> Result<Option<CodeRecord>, Error> {
        let row: Option<Raw> = self
            .connection
            .prepare_cached(
                "SELECT digest, expires_at, withdrawn_at, serial FROM enrolment_code
                 WHERE subject = ?1 AND digest = ?2",
            )?
            .query_row(params![subject.to_string(), digest], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })
            .optional()?;
        let known = row.is_some();
        let (stored, expires_at, withdrawn_at, serial) =
            row.unwrap_or_else(|| (NO_DIGEST.to_vec(), 0, None, None));
        let matches = bool::from(stored.as_slice().ct_eq(digest));
        if !(matches & known) {
            return Ok(None);
        }
        Ok(Some(CodeRecord {
            expires_at: convert::time(expires_at)?,
            withdrawn_at: withdrawn_at.map(convert::time).transpose()?,
            serial: serial.as_deref().map(convert::serial).transpose()?,
        }))
    }

    /// Ties an unused code to the one certificate it is good for.
    ///
    /// # Errors
    ///
    /// [`Error::RecordInvalid`] if it is used already: the caller has looked in the same job.
    pub fn spend(&self, digest: &[u8; 32], serial: &Serial) -> Result<(), Error> {
        let spent = self
            .connection
            .prepare_cached(
                "UPDATE enrolment_code SET serial = ?2 WHERE digest = ?1 AND serial IS NULL",
            )?
            .execute(params![digest, serial.as_bytes()])?;
        match spent {
            1 => Ok(()),
            _ => Err(Error::RecordInvalid {
                what: "enrolment code",
            }),
        }
    }

    /// Whether the subject holds a code that can still be used.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn has_open(&self, subject: &Subject, now: UnixTime) -> Result<bool, Error> {
        let open = self
            .connection
            .prepare_cached(
                // Left to itself SQLite goes through all codes that are not used.
                "SELECT EXISTS (SELECT 1 FROM enrolment_code INDEXED BY enrolment_code_by_subject
                 WHERE subject = ?1 AND serial IS NULL AND withdrawn_at IS NULL
                 AND expires_at > ?2)",
            )?
            .query_one(params![subject.to_string(), convert::seconds(now)], |row| {
                row.get(0)
            })?;
        Ok(open)
    }

    /// Each code that can still be used, or each of one subject, the one that ends first before the
    /// others.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], and what `visit` returns.
    pub(crate) fn each_open(
        &self,
        subject: Option<&Subject>,
        now: UnixTime,
        mut visit: impl FnMut(OpenCode) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT subject, issued_at, expires_at FROM enrolment_code
             WHERE serial IS NULL AND withdrawn_at IS NULL AND expires_at > ?1
             AND (?2 IS NULL OR subject = ?2) ORDER BY expires_at, subject",
        )?;
        let subject = subject.map(ToString::to_string);
        let mut rows = statement.query(params![convert::seconds(now), subject])?;
        while let Some(row) = rows.next()? {
            let of: String = row.get(0)?;
            visit(OpenCode {
                subject: convert::subject(&of)?,
                issued_at: convert::time(row.get(1)?)?,
                expires_at: convert::time(row.get(2)?)?,
            })?;
        }
        Ok(())
    }

    /// Withdraws the unused codes of the subject that were issued until then, for good.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn withdraw_until(
        &self,
        subject: &Subject,
        until: UnixTime,
        now: UnixTime,
    ) -> Result<(), Error> {
        self.connection
            .prepare_cached(
                "UPDATE enrolment_code INDEXED BY enrolment_code_by_subject SET withdrawn_at = ?2
                 WHERE subject = ?1 AND serial IS NULL AND withdrawn_at IS NULL AND issued_at <= ?3",
            )?
            .execute(params![
                subject.to_string(),
                convert::seconds(now),
                convert::seconds(until)
            ])?;
        Ok(())
    }

    /// Withdraws all unused codes of the subject, for good; answers how many.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub fn withdraw(&self, subject: &Subject, now: UnixTime) -> Result<usize, Error> {
        let withdrawn = self
            .connection
            .prepare_cached(
                "UPDATE enrolment_code INDEXED BY enrolment_code_by_subject SET withdrawn_at = ?2
                 WHERE subject = ?1 AND serial IS NULL AND withdrawn_at IS NULL",
            )?
            .execute(params![subject.to_string(), convert::seconds(now)])?;
        Ok(withdrawn)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_certs::{Fingerprint, Validity};

    use super::*;
    use crate::store::{Intent, Profile, Records, temporary};

    const DIGEST: [u8; 32] = [7; 32];

    fn at(seconds: i64) -> UnixTime {
        convert::time(seconds).unwrap()
    }

    fn student() -> Subject {
        "1155000001".parse().unwrap()
    }

    fn certificate(records: &Records<'_>, key: u8) -> Serial {
        let serial = Serial::random().unwrap();
        let intent = Intent {
            serial,
            subject: student(),
            profile: Profile::Student,
            public_key: Fingerprint::from_bytes([key; 32]),
            validity: Validity {
                not_before: at(1),
                not_after: at(100),
            },
        };
        records.certificates().intend(&intent, at(1)).unwrap();
        serial
    }

    #[test]
    fn finds_a_code_for_its_own_subject_only() {
        let (_dir, store) = temporary();
        store
            .write_blocking(|records| {
                let codes = records.codes();
                codes.add(&DIGEST, &student(), at(10), at(20))?;
                let found = codes.find(&DIGEST, &student())?;
                assert_eq!(
                    found,
                    Some(CodeRecord {
                        expires_at: at(20),
                        withdrawn_at: None,
                        serial: None
                    })
                );
                for (digest, subject) in [
                    (DIGEST, "1155000002"),
                    ([8; 32], "1155000001"),
                    (NO_DIGEST, "1155000001"),
                    (DIGEST, "service/blackboard"),
                ] {
                    let found = codes.find(&digest, &subject.parse().unwrap())?;
                    assert_eq!(found, None, "{subject}");
                }
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn a_code_is_spent_once() {
        let (_dir, store) = temporary();
        store
            .write_blocking(|records| {
                let codes = records.codes();
                codes.add(&DIGEST, &student(), at(10), at(20))?;
                let (first, second) = (certificate(records, 1), certificate(records, 2));
                codes.spend(&DIGEST, &first)?;
                assert!(codes.spend(&DIGEST, &second).is_err());
                assert_eq!(
                    codes.find(&DIGEST, &student())?.unwrap().serial,
                    Some(first)
                );
                assert!(!codes.has_open(&student(), at(10))?);
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn lists_what_can_still_be_used_the_next_to_end_first() {
        let (_dir, store) = temporary();
        store
            .write_blocking(|records| {
                let codes = records.codes();
                let blackboard: Subject = "service/blackboard".parse().unwrap();
                codes.add(&[1; 32], &student(), at(10), at(40))?;
                codes.add(&[2; 32], &blackboard, at(10), at(30))?;
                codes.add(&[3; 32], &student(), at(10), at(20))?;
                codes.add(&[4; 32], &student(), at(10), at(50))?;
                codes.spend(&[4; 32], &certificate(records, 1))?;
                let open = |subject: Option<&Subject>| {
                    let mut ends = Vec::new();
                    codes
                        .each_open(subject, at(20), |code| {
                            ends.push((code.subject.to_string(), code.expires_at.as_secs()));
                            Ok(())
                        })
                        .unwrap();
                    ends
                };
                let (students, services) =
                    (("1155000001".to_owned(), 40), (blackboard.to_string(), 30));
                assert_eq!(open(None), [services.clone(), students.clone()]);
                assert_eq!(open(Some(&blackboard)), std::slice::from_ref(&services));
                codes.withdraw(&student(), at(20))?;
                assert_eq!(open(None), [services]);
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn a_withdrawn_code_stays_withdrawn_when_the_clock_goes_back() {
        let (_dir, store) = temporary();
        store
            .write_blocking(|records| {
                let codes = records.codes();
                codes.add(&DIGEST, &student(), at(10), at(20))?;
                assert!(codes.has_open(&student(), at(19))?);
                assert!(!codes.has_open(&student(), at(20))?);
                assert_eq!(codes.withdraw(&student(), at(15))?, 1);
                assert_eq!(codes.withdraw(&student(), at(16))?, 0);
                assert!(!codes.has_open(&student(), at(10))?);
                let found = codes.find(&DIGEST, &student())?.unwrap();
                assert_eq!(
                    (found.withdrawn_at, found.expires_at),
                    (Some(at(15)), at(20))
                );
                Ok(())
            })
            .unwrap();
    }
}
