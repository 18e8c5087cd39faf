//! Members who no longer bind their group, where an assignment keeps groups: those who left the class list,
//! and those whom CUHK has suspended.
//!
//! They cannot hand in with the others, who would wait in vain. The revocation lists tell who is suspended,
//! as long as they name the certificate. CUHK itself is asked as well before anybody is refused because of
//! such a member.

use std::cell::OnceCell;

use rusqlite::{Connection, Transaction, params};
use rustls_pki_types::UnixTime;
use scb_certs::{Certificate, Crl, DetachedSignature, SpiffeId, StudentId};
use scb_protocol::message::cuhk::MemberQuestion;
use scb_protocol::rules::Work;
use scb_protocol::server::SUSPENDED_FOR;
use scb_protocol::statement::{Statement, SubmissionId};

use super::{Error, Store, as_integer, by_number, courses, groups, revocation};

/// Tells who is gone at this moment, of those with whom members of a statement have worked.
pub(super) struct Gone<'a> {
    connection: &'a Connection,
    statement: &'a Statement,
    now: UnixTime,
    /// The revocation lists, once they are needed.
    lists: OnceCell<Vec<Crl>>,
}

impl<'a> Gone<'a> {
    pub(super) fn new(connection: &'a Connection, statement: &'a Statement, now: UnixTime) -> Self {
        Self {
            connection,
            statement,
            now,
            lists: OnceCell::new(),
        }
    }

    /// Those who have a part in this work without those who are gone. Members of the statement are here,
    /// whatever became of them since.
    pub(super) fn without(
        &self,
        mut members: Vec<StudentId>,
        work: &Work,
    ) -> Result<Vec<StudentId>, Error> {
        let others = self.absent(&members);
        let gone = self.of(&others, work)?;
        members.retain(|sid| !others.contains(sid) || !gone.contains(sid));
        Ok(members)
    }

    /// Those who are no members of the statement.
    pub(super) fn absent(&self, sids: &[StudentId]) -> Vec<StudentId> {
        let here = &self.statement.members;
        let is_here = |sid: &&StudentId| here.iter().any(|member| member.sid == **sid);
        sids.iter().filter(|sid| !is_here(sid)).cloned().collect()
    }

    /// Who is gone of these, who are no members of the statement, and have a part in this work; and of the
    /// others who signed it perhaps some besides.
    pub(super) fn of(&self, others: &[StudentId], work: &Work) -> Result<Vec<StudentId>, Error> {
        if others.is_empty() {
            return Ok(Vec::new());
        }
        let mut gone = match courses::find(self.connection, &self.statement.course)? {
            Some(course) => courses::outsiders(self.connection, &course, others)?,
            None => Vec::new(),
        };
        for sid in others {
            if !gone.contains(sid) && self.was_called_suspended(sid)? {
                gone.push(sid.clone());
            }
        }
        if others.iter().any(|sid| !gone.contains(sid)) {
            gone.extend(self.suspended(work)?);
        }
        Ok(gone)
    }

    fn was_called_suspended(&self, sid: &StudentId) -> Result<bool, Error> {
        let since = self.now.as_secs().saturating_sub(SUSPENDED_FOR);
        let sql = "SELECT 1 FROM suspended WHERE sid = ? AND at BETWEEN ? AND ?";
        let mut query = self.connection.prepare_cached(sql)?;
        // CUHK may have said so while this waited, which is later than the moment that is judged.
        let until = as_integer(self.now.as_secs().saturating_add(SUSPENDED_FOR));
        Ok(query.exists(params![sid.as_str(), as_integer(since), until])?)
    }

    /// Who signed this work with a certificate that is on hold by the lists in force.
    fn suspended(&self, work: &Work) -> Result<Vec<StudentId>, Error> {
        let signers = self.signers(work)?;
        let lists = self.lists()?;
        let is_held = |one: &&Certificate| lists.iter().any(|list| list.holds(&one.serial()));
        let held = signers.iter().filter(is_held);
        Ok(held.filter_map(student).collect())
    }

    /// With what this work was signed.
    fn signers(&self, work: &Work) -> Result<Vec<Certificate>, Error> {
        match work {
            Work::Version(number) => {
                let record = by_number(self.connection, *number)?;
                Ok(record.map_or_else(Vec::new, |record| {
                    signers(record.statement_bytes(), record.signatures())
                }))
            }
            Work::Unfinished(submission) => self.signers_of(*submission),
        }
    }

    /// As CUHK is asked about these, who have a part in this work, unless they are here.
    pub(super) fn questions(
        &self,
        sids: &[StudentId],
        work: &Work,
    ) -> Result<Vec<MemberQuestion>, Error> {
        let others = self.absent(sids);
        if others.is_empty() {
            return Ok(Vec::new());
        }
        let signers = self.signers(work)?.into_iter();
        let questions = signers.filter_map(|one| {
            let sid = student(&one).filter(|sid| others.contains(sid))?;
            let cert_sha256 = one.fingerprint();
            Some(MemberQuestion { sid, cert_sha256 })
        });
        Ok(questions.collect())
    }

    fn lists(&self) -> Result<&[Crl], Error> {
        if let Some(lists) = self.lists.get() {
            return Ok(lists);
        }
        let lists = revocation::lists(self.connection)?;
        let lists = lists.iter().filter_map(|der| Crl::from_der(der).ok());
        Ok(self.lists.get_or_init(|| lists.collect()))
    }

    /// Of what has not come: of a commitment, or of all that came of a proposal.
    fn signers_of(&self, submission: SubmissionId) -> Result<Vec<Certificate>, Error> {
        let sql = "SELECT statement, signatures FROM commitments WHERE submission = ?1 \
                   UNION ALL SELECT proposals.statement, deliveries.signatures \
                   FROM deliveries JOIN proposals USING (submission) \
                   WHERE submission = ?1 AND deliveries.signatures IS NOT NULL";
        let mut query = self.connection.prepare_cached(sql)?;
        let rows = query.query_map(params![submission.as_bytes()], |row| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?))
        })?;
        let mut found = Vec::new();
        for row in rows {
            let (statement, signatures) = row?;
            found.extend(signers(&statement, &signatures));
        }
        Ok(found)
    }
}

impl Store {
    /// For whose sake members of these statements may be refused who are not here themselves, as CUHK is
    /// asked about a few of them, beside those about whom it was.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::CoursesAltered`].
    pub(crate) async fn waited_for(
        &self,
        statements: Vec<Statement>,
        asked: Vec<StudentId>,
        now: UnixTime,
    ) -> Result<Vec<MemberQuestion>, Error> {
        self.database
            .read(move |connection| groups::waited_for(connection, (&statements, &asked), now))
            .await
    }

    /// CUHK has called them suspended just now.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(crate) async fn called_suspended(
        &self,
        sids: Vec<StudentId>,
        now: UnixTime,
    ) -> Result<(), Error> {
        let now = as_integer(now.as_secs());
        let note = move |transaction: &Transaction<'_>| {
            let sql = "INSERT INTO suspended (sid, at) VALUES (?, ?) \
                       ON CONFLICT DO UPDATE SET at = excluded.at";
            let mut insert = transaction.prepare_cached(sql)?;
            for sid in &sids {
                insert.execute(params![sid.as_str(), now])?;
            }
            Ok(())
        };
        self.database.write(note).await
    }
}

/// The certificates with which these bytes were signed; none if something is not as it was stored.
fn signers(statement: &[u8], signatures: &[u8]) -> Vec<Certificate> {
    let signed = DetachedSignature::parse(signatures).and_then(|found| found.verify(statement));
    let signers = signed.unwrap_or_default().into_iter();
    signers.map(|signer| signer.certificate).collect()
}

fn student(certificate: &Certificate) -> Option<StudentId> {
    let id: SpiffeId = certificate.spiffe_id().ok()?;
    id.student().cloned()
}
