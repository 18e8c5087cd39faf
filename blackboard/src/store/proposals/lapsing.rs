//! Proposals that end because nobody can sign them any more, or nothing comes of them.

use rusqlite::Transaction;
use rustls_pki_types::UnixTime;
use scb_protocol::log_leaf::{Entry, Lapsed};
use scb_protocol::message::proposal::ProposalState;
use scb_protocol::statement::SubmissionId;

use super::righting::righted;
use super::rows::{self, Stored};
use super::standing::look;
use super::{enter, known, moment};
use crate::store::arrival::settled;
use crate::store::{Error, Record, Register, by_submission, closing};

impl Register {
    /// Enters which proposals have waited long enough: nobody can sign them any more.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::ProposalAltered`].
    pub(crate) fn lapse_proposals(&self, now: UnixTime) -> Result<usize, Error> {
        let lapse = move |transaction: &Transaction<'_>| {
            let mut lapsed = 0;
            for stored in righted(transaction)? {
                // By everybody's extensions: until then somebody could still sign.
                let all: Vec<_> = stored.sids().cloned().collect();
                // Whoever signed in the last moment may be entered a little later, and so may files that came.
                let moment = match stored.commitment() {
                    None => settled(now),
                    Some(_) => closing::stored(now),
                };
                let state = match look(transaction, stored.clone(), &all, moment) {
                    Ok(proposal) => proposal.standing.state,
                    // Others do not wait for that.
                    Err(error) if error.is_of_one() => {
                        tracing::error!("{} does not lapse: {error}", stored.submission());
                        continue;
                    }
                    Err(error) => return Err(error),
                };
                if state == ProposalState::Lapsed {
                    lapsed += usize::from(self::lapse(transaction, &stored, now)?);
                }
            }
            Ok(lapsed)
        };
        self.store().database.write_blocking(lapse)
    }

    /// Enters that a proposal which everybody has signed has lapsed, if its time is over and waiting mends
    /// nothing: CUHK says no of a member, or the log was closed before it was stored. Whether what it was
    /// refused for may pass, is said. Answers whether it has lapsed.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`], [`Error::ProposalAltered`].
    pub(crate) async fn lapse_refused(
        &self,
        submission: SubmissionId,
        (may_pass, now): (bool, UnixTime),
    ) -> Result<bool, Error> {
        self.write(move |transaction| {
            let stored = known(transaction, submission)?;
            let is_over = now > stored.kept.waits_until && stored.kept.ended.is_none();
            if !is_over || by_submission(transaction, submission)?.is_some() {
                return Ok(false);
            }
            if may_pass {
                match closing::check_open(transaction, &stored.statement) {
                    Err(closed @ Error::LogClosed { .. }) => tracing::error!("{closed}"),
                    open => return open.map(|()| false),
                }
            }
            lapse(transaction, &stored, now)
        })
        .await
    }
}

/// Every row of a proposal that has not ended says again what the log says.
pub(in crate::store) fn put_right(transaction: &Transaction<'_>) -> Result<(), Error> {
    righted(transaction).map(drop)
}

/// Answers whether it lapses. What has ended by the log's word stays as it is: its record was altered,
/// and others do not wait for that.
fn lapse(transaction: &Transaction<'_>, stored: &Stored, now: UnixTime) -> Result<bool, Error> {
    let submission = stored.submission();
    let entry = Entry::Lapsed(Lapsed { submission });
    let now = match moment(transaction, &stored.statement, now) {
        // It has time.
        Err(Error::ClockSetBack { .. }) => return Ok(false),
        now => now?,
    };
    match enter(transaction, &stored.statement, now, entry) {
        Err(Error::ProposalEnded { state, .. }) => {
            tracing::error!("the log says that {submission} is {state}; its record was altered");
            return Ok(false);
        }
        entered => entered?,
    };
    rows::end(transaction, submission, ProposalState::Lapsed, now)?;
    Ok(true)
}

/// Ends what the very same members had proposed before they committed this version and have not all
/// signed: who signs it late would put an older report in the place of a newer one, without those
/// who had signed both.
pub(in crate::store) fn overtake(
    transaction: &Transaction<'_>,
    version: &Record,
) -> Result<(), Error> {
    let (statement, now) = (version.statement(), version.accepted_at());
    for stored in rows::waiting(transaction, statement, now)? {
        let is_older = version.committed_at() >= Some(stored.kept.proposed_at);
        let same = stored.statement.is_of_same_group(statement);
        // The very same is answered with this version's receipt.
        let is_it = stored.statement.is_same_version(statement);
        if stored.kept.signed.is_none() && is_older && same && !is_it {
            lapse(transaction, &stored, now)?;
        }
    }
    Ok(())
}
