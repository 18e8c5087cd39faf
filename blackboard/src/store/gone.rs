//! Who binds nobody any more where an assignment keeps groups: whoever is not on the class list any more, and
//! whom CUHK has suspended. Neither can hand in with the others, who would wait for him in vain.

use std::cell::OnceCell;

use rusqlite::{Connection, params};
use scb_certs::{Certificate, Crl, DetachedSignature, SpiffeId, StudentId};
use scb_protocol::rules::Work;
use scb_protocol::statement::{Statement, SubmissionId};

use super::{Error, by_number, courses, revocation};

/// Tells who is gone at this moment, of those with whom members of a statement have worked.
pub(super) struct Gone<'a> {
    connection: &'a Connection,
    statement: &'a Statement,
    /// The revocation lists, once they are needed.
    lists: OnceCell<Vec<Crl>>,
}

impl<'a> Gone<'a> {
    pub(super) fn new(connection: &'a Connection, statement: &'a Statement) -> Self {
        Self {
            connection,
            statement,
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
        let here = &self.statement.members;
        let is_here = |sid: &StudentId| here.iter().any(|member| member.sid == *sid);
        let others: Vec<_> = members
            .iter()
            .filter(|sid| !is_here(sid))
            .cloned()
            .collect();
        if others.is_empty() {
            return Ok(members);
        }
        let mut gone = match courses::find(self.connection, &self.statement.course)? {
            Some(course) => courses::outsiders(self.connection, &course, &others)?,
            None => Vec::new(),
        };
        if others.iter().any(|sid| !gone.contains(sid)) {
            gone.extend(self.suspended(work)?);
        }
        members.retain(|sid| is_here(sid) || !gone.contains(sid));
        Ok(members)
    }

    /// Who signed this work with a certificate that is on hold by the lists in force.
    fn suspended(&self, work: &Work) -> Result<Vec<StudentId>, Error> {
        let signers = match work {
            Work::Version(number) => {
                let record = by_number(self.connection, *number)?;
                record.map_or_else(Vec::new, |record| {
                    signers(record.statement_bytes(), record.signatures())
                })
            }
            Work::Unfinished(submission) => self.signers_of(*submission)?,
        };
        let lists = self.lists()?;
        let is_held = |one: &&Certificate| lists.iter().any(|list| list.holds(&one.serial()));
        let held = signers.iter().filter(is_held);
        Ok(held.filter_map(student).collect())
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
