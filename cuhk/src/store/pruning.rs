//! What can go because nobody will ask for it again.

use rusqlite::{Connection, params};
use rustls_pki_types::UnixTime;

use super::{Revocations, convert, seal};
use crate::Error;

/// Codes that are past their end. The answer to somebody who tries one is then that it is not
/// accepted, without the reason.
const CODES: &str = "FROM enrolment_code WHERE max(expires_at, coalesce(withdrawn_at, 0)) < ?1";

/// Certificates that are past their end, except for compromised keys, which are never certified
/// again, those that a code still leads to, and the few that signed tokens.
const CERTIFICATES: &str = "FROM certificate WHERE not_after < ?1
     AND profile <> 'token_signer'
     AND coalesce(reason, '') <> 'key_compromise'
     AND NOT EXISTS (SELECT 1 FROM enrolment_code
         WHERE enrolment_code.serial = certificate.serial
         AND max(expires_at, coalesce(withdrawn_at, 0)) >= ?1)";

/// What the records say of students who left before `?1` and have no certificate that has not ended by `?2`. The ID
/// stays: certificates, log and lists name it, and nobody else must ever get it.
const NAMES: &str = "FROM student WHERE active = 0
     AND (name <> '' OR email <> '' OR programme <> '')
     AND EXISTS (SELECT 1 FROM left_student WHERE left_student.sid = student.sid AND since < ?1)
     AND NOT EXISTS (SELECT 1 FROM certificate WHERE subject = student.sid AND not_after >= ?2)";

/// Of so many students the name goes in one transaction, so that a server is not kept from its own for long.
const AT_ONCE: usize = 1000;

/// Removal of what has long ended.
#[derive(Debug)]
pub struct Pruning<'a> {
    connection: &'a Connection,
}

/// How much of it there was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Pruned {
    /// Enrolment codes.
    pub(crate) codes: usize,
    /// Certificates.
    pub(crate) certificates: usize,
}

/// What became of the names of some students who left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Forgotten {
    /// Of so many it went.
    pub(crate) names: u64,
    /// So many rows were altered, and stay for `cuhk doctor`.
    pub(crate) altered: u64,
    /// The last of them; none if there was nobody.
    pub(crate) last: Option<String>,
}

impl<'a> Pruning<'a> {
    pub(super) fn on(connection: &'a Connection) -> Self {
        Self { connection }
    }

    /// Of how many students [`Pruning::forget_names`] would remove the name.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn count_names(&self, left: UnixTime, now: UnixTime) -> Result<u64, Error> {
        let count = self.connection.query_row(
            &format!("SELECT count(*) {NAMES}"),
            params![convert::seconds(left), convert::seconds(now)],
            |row| row.get(0),
        )?;
        convert::number(count)
    }

    /// Removes name, address and programme of students who left before `left` and have no certificate that may
    /// still count: of the first [`AT_ONCE`] whose ID is after this one. Whose row was altered stays as it is.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn forget_names(
        &self,
        after: &str,
        (left, now): (UnixTime, UnixTime),
    ) -> Result<Forgotten, Error> {
        let sql = format!("SELECT sid {NAMES} AND sid > ?3 ORDER BY sid LIMIT {AT_ONCE}");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let limits = params![convert::seconds(left), convert::seconds(now), after];
        let gone = statement.query_map(limits, |row| row.get::<_, String>(0))?;
        let gone: Vec<_> = gone.collect::<Result<_, _>>()?;
        let mut forgotten = Forgotten::default();
        for sid in &gone {
            match seal::STUDENT.check(self.connection, sid) {
                Err(Error::RecordInvalid { .. }) => {
                    forgotten.altered += 1;
                    continue;
                }
                checked => checked?,
            }
            self.connection
                .prepare_cached(
                    "UPDATE student SET name = '', email = '', programme = '' WHERE sid = ?1",
                )?
                .execute([sid])?;
            seal::STUDENT.seal(self.connection, sid)?;
            forgotten.names += 1;
        }
        forgotten.last = gone.into_iter().next_back();
        Ok(forgotten)
    }

    /// What [`Pruning::remove_ended`] would remove.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn count_ended(&self, moment: UnixTime) -> Result<Pruned, Error> {
        let before = convert::seconds(moment);
        let count = |what: &str| -> Result<usize, Error> {
            let count: i64 = self.connection.query_row(
                &format!("SELECT count(*) {what}"),
                params![before],
                |row| row.get(0),
            )?;
            Ok(usize::try_from(count).unwrap_or_default())
        };
        Ok(Pruned {
            codes: count(CODES)?,
            certificates: count(CERTIFICATES)?,
        })
    }

    /// Removes codes and certificates that ended before `moment`. The caller keeps `moment` so
    /// far in the past that no revocation list names them any more.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) fn remove_ended(&self, moment: UnixTime) -> Result<Pruned, Error> {
        let before = convert::seconds(moment);
        let remove = |what: &str| -> Result<usize, Error> {
            let sql = format!("DELETE {what}");
            Ok(self.connection.execute(&sql, params![before])?)
        };
        let certificates = || remove(CERTIFICATES);
        Ok(Pruned {
            codes: remove(CODES)?,
            certificates: Revocations::on(self.connection).without(certificates)?,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_certs::{Fingerprint, RevocationReason, Serial, Validity};

    use super::*;
    use crate::store::{Intent, Profile, Records, Revocation, Student, temporary};

    fn at(seconds: i64) -> UnixTime {
        convert::time(seconds).unwrap()
    }

    fn certificate(records: &Records<'_>, end: i64) -> Result<Serial, Error> {
        let serial = Serial::random().unwrap();
        let validity = Validity {
            not_before: at(1),
            not_after: at(end),
        };
        let intent = Intent {
            serial,
            subject: "1155000001".parse().unwrap(),
            profile: Profile::Student,
            public_key: Fingerprint::of(serial.as_bytes()),
            validity,
        };
        records.certificates().intend(&intent, at(1))?;
        Ok(serial)
    }

    fn code(records: &Records<'_>, number: u8, end: i64) -> Result<[u8; 32], Error> {
        let subject = "1155000001".parse().unwrap();
        records
            .codes()
            .add(&[number; 32], &subject, at(1), at(end))?;
        Ok([number; 32])
    }

    #[test]
    fn what_has_ended_goes_and_what_counts_stays() {
        let (_dir, store) = temporary();
        store
            .write_blocking(|records| {
                let (old, live) = (certificate(records, 100)?, certificate(records, 1000)?);
                let old_code = code(records, 1, 50)?;
                records.codes().spend(&old_code, &old)?;
                code(records, 2, 1000)?;
                let pruned = Pruned {
                    codes: 1,
                    certificates: 1,
                };
                assert_eq!(records.pruning().count_ended(at(500))?, pruned);
                assert!(records.certificates().find(&old)?.is_some(), "only counted");
                assert_eq!(records.pruning().remove_ended(at(500))?, pruned);
                assert!(records.certificates().find(&old)?.is_none());
                assert!(records.certificates().find(&live)?.is_some());
                let subject = "1155000001".parse().unwrap();
                assert!(records.codes().has_open(&subject, at(500))?);
                records.certificates().check()
            })
            .unwrap();
    }

    #[test]
    fn of_who_left_long_ago_the_name_goes_and_the_id_stays() {
        let (_dir, store) = temporary();
        store
            .write_blocking(|records| {
                let roster = records.roster();
                let sid = |n: u32| format!("115500000{n}").parse().unwrap();
                for n in 1..=5 {
                    let student = Student {
                        sid: sid(n),
                        name: format!("Name {n}"),
                        email: format!("{n}@example.edu"),
                        programme: "CSCI".into(),
                        active: true,
                    };
                    roster.import(&student, at(1))?;
                }
                // 1 has a certificate, 2 has none, 3 left later, 4 came back, 5 never left.
                certificate(records, 900)?;
                for (n, left) in [(1, 100), (2, 100), (3, 600), (4, 100)] {
                    crate::revocation::suspend(records, &sid(n), at(left))?;
                }
                crate::revocation::restore(records, &sid(4), at(200))?;
                // Suspended again it is no other day.
                crate::revocation::suspend(records, &sid(2), at(700))?;
                let names = || -> Result<String, Error> {
                    let all = records.roster().all()?.into_iter();
                    Ok(all
                        .map(|student| student.name.replace("Name ", ""))
                        .collect())
                };
                let pruning = records.pruning();
                let forget = |now: i64| -> Result<(u64, u64), Error> {
                    let forgotten = pruning.forget_names("", (at(500), at(now)))?;
                    Ok((forgotten.names, forgotten.altered))
                };
                assert_eq!(pruning.count_names(at(500), at(800))?, 1);
                assert_eq!(names()?, "12345");
                assert_eq!(forget(800)?, (1, 0));
                assert_eq!(names()?, "1345");
                assert_eq!(forget(800)?, (0, 0));
                let gone = roster.find(&sid(2))?.unwrap();
                assert_eq!((gone.email.as_str(), gone.programme.as_str()), ("", ""));
                assert!(!gone.active);
                // Once the certificate has ended.
                let alter = |name: &str| {
                    let sql = "UPDATE student SET name = ?1 WHERE sid = '1155000001'";
                    records.connection.execute(sql, [name])
                };
                alter("Name 1 altered")?;
                assert_eq!(forget(901)?, (0, 1), "and nothing else waits for it");
                alter("Name 1")?;
                assert_eq!(forget(901)?, (1, 0));
                assert_eq!(names()?, "345");
                // Listed again, by name: from then on it counts anew.
                let back = Student {
                    name: "Name 2".into(),
                    ..gone
                };
                roster.import(&back, at(1000))?;
                assert_eq!(pruning.count_names(at(500), at(1001))?, 0);
                assert_eq!(pruning.count_names(at(1001), at(1001))?, 2, "and 3");
                records.roster().check()
            })
            .unwrap();
    }

    #[test]
    fn a_compromised_key_and_a_certificate_with_an_open_code_stay() {
        let (_dir, store) = temporary();
        store
            .write_blocking(|records| {
                let (stolen, coded) = (certificate(records, 100)?, certificate(records, 100)?);
                let revocation = Revocation {
                    at: at(50),
                    reason: RevocationReason::KeyCompromise,
                    invalid_since: None,
                };
                records.certificates().revoke(&stolen, &revocation)?;
                let open = code(records, 1, 1000)?;
                records.codes().spend(&open, &coded)?;
                let pruned = Pruned {
                    codes: 0,
                    certificates: 0,
                };
                assert_eq!(records.pruning().count_ended(at(500))?, pruned);
                assert_eq!(records.pruning().remove_ended(at(500))?, pruned);
                assert!(records.certificates().find(&stolen)?.is_some());
                assert!(records.certificates().find(&coded)?.is_some());
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn a_pruned_database_is_as_small_as_it_was_years_ago() {
        let (dir, store) = temporary();
        let database = dir.path().join("cuhk.db");
        let size = || std::fs::metadata(&database).unwrap().len();
        let year = |end| {
            store
                .write_blocking(move |records| {
                    (0..2000).try_for_each(|_| certificate(records, end).map(drop))
                })
                .unwrap();
        };
        let prune = |moment| {
            store
                .write_blocking(move |records| records.pruning().remove_ended(at(moment)))
                .unwrap();
            scb_storage::compact(&database).unwrap();
            size()
        };
        year(100);
        let first = prune(50);
        for round in 2..5 {
            year(round * 100);
            assert!(prune(round * 100 - 50) <= first + first / 4, "year {round}");
        }
        assert!(prune(100_000) < first / 2);
    }
}
