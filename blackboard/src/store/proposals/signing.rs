//! What members say about a proposal: that they sign it, or that they do not.

use rusqlite::{Connection, Transaction};
use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, StudentId};
use scb_protocol::log_leaf::{Ended, Entry, Signed};
use scb_protocol::message::proposal::{ProposalStanding, ProposalState, Said};
use scb_protocol::rules::{Found, admit};
use scb_protocol::{Refusal, from_seconds};

use super::righting::put_right;
use super::rows::{self, Stored};
use super::standing::{look, look_to_end};
use super::{End, MAX_WAITING, Signing, enter, known, moment, name_of, named};
use crate::quota::Quota;
use crate::store::arrival::Dated;
use crate::store::error::told;
use crate::store::{Error, assignments, backlog, by_submission, commitment, log, versions};

/// Most proposals that a student may make within a day: each stays in the records and in the log,
/// whoever puts an end to it.
pub(crate) const MOST_IN_A_DAY: usize = 64;
const DAY: u64 = 24 * 60 * 60;

/// A statement under an ID that is used for nothing, of work that does not wait already, by
/// somebody for whom not too much waits.
pub(super) fn check_new(
    connection: &Connection,
    signing: &Dated<Signing>,
    quota: Quota,
) -> Result<(), Error> {
    let (submission, sids) = (signing.statement.submission, signing.sids());
    // What is refused for this is refused at little cost.
    let since = from_seconds(signing.at.as_secs().saturating_sub(DAY));
    for sid in &sids {
        if named::made_since(connection, sid, since)? >= MOST_IN_A_DAY {
            let limit = MOST_IN_A_DAY;
            return Err(Error::TooManyProposals { limit });
        }
    }
    if commitment::find(connection, submission)?.is_some()
        || by_submission(connection, submission)?.is_some()
    {
        return Err(Error::Conflict { submission });
    }
    let mut own = 0;
    for stored in rows::waiting(connection, &signing.statement, signing.at)? {
        if stored.statement.is_same_version(&signing.statement) {
            let submission = stored.submission();
            return Err(Error::SameProposed { submission });
        }
        own += usize::from(sids.iter().any(|sid| stored.has_signed(sid)));
    }
    if own >= MAX_WAITING {
        return Err(Error::TooManyProposals { limit: MAX_WAITING });
    }
    let bytes = signing.statement.files.size();
    for sid in &sids {
        backlog::check(connection, sid, (submission, bytes), (quota, signing.at))?;
    }
    Ok(())
}

/// Records those signatures that are new.
pub(super) fn sign(
    transaction: &Transaction<'_>,
    stored: Stored,
    signing: &Dated<Signing>,
) -> Result<ProposalStanding, Error> {
    let (submission, sids) = (stored.submission(), signing.sids());
    put_right(transaction, &stored)?;
    let standing = look(transaction, stored.clone(), &sids, signing.at)?.standing;
    match standing.state {
        ProposalState::Waiting | ProposalState::Signed => {}
        // It was completed a moment ago: nothing is left to sign, and there is a receipt.
        ProposalState::Accepted => return Ok(standing),
        state if state == ProposalState::Lapsed && stored.kept.ended.is_none() => {
            // The rules may say better why: it is closed.
            check_rules(transaction, &stored, (&sids, signing.at))?;
            return Err(Error::ProposalEnded { submission, state });
        }
        state => return Err(Error::ProposalEnded { submission, state }),
    }
    if sids.iter().all(|sid| stored.has_signed(sid)) {
        return Ok(standing);
    }
    check_rules(transaction, &stored, (&sids, signing.at))?;
    let (mode, assurance) = &signing.assurance;
    let entry = Entry::Signed(Signed {
        submission,
        members: sids.clone(),
        connection: signing.connection,
        p7s_sha256: Fingerprint::of(&signing.signatures),
        mode: *mode,
        verification_sha256: Fingerprint::of(assurance.as_bytes()),
    });
    let name = name_of(&stored.statement)?;
    let index = log::append_as_of(transaction, &name, signing.at, entry)?.index;
    rows::deliver(transaction, signing, index)?;
    Ok(look(
        transaction,
        known(transaction, submission)?,
        &sids,
        signing.at,
    )?
    .standing)
}

/// What rules say if it were complete now, with the extensions and earlier versions of those who
/// have signed by then: nobody learns from a proposal what others have been given, or handed in.
fn check_rules(
    connection: &Connection,
    stored: &Stored,
    (signing, now): (&[StudentId], UnixTime),
) -> Result<(), Error> {
    let mut found = assignments::look_up(connection, &stored.statement, now)?;
    let signs = |sid: &StudentId| signing.contains(sid) || stored.has_signed(sid);
    if let Found::Assigned(assigned) = &mut found {
        assigned
            .extensions
            .retain(|extension| signs(&extension.sid));
        assigned.parts.retain(|part| signs(&part.sid));
        assigned.gone.retain(|gone| signs(&gone.sid));
    }
    admit(&stored.statement, &found, now)
        .map_err(|refusal| Error::NotAdmitted(Box::new(without_others(refusal, signing))))?;
    let mut members = stored.statement.members.iter();
    match members.all(|member| signs(&member.sid)) {
        true => versions::check_bound(connection, &stored.statement),
        false => Ok(()),
    }
}

/// As what the signatures of those who ask would be refused, if it waits for them: asked of the rules in
/// the very way in which they are when somebody signs.
pub(super) fn refused(
    connection: &Connection,
    stored: &Stored,
    (asking, now): (&[StudentId], UnixTime),
) -> Result<Option<Refusal>, Error> {
    if asking.iter().all(|sid| stored.has_signed(sid)) {
        return Ok(None);
    }
    match check_rules(connection, stored, (asking, now)) {
        Ok(()) => Ok(None),
        Err(error) => told(error).map(Some),
    }
}

/// With whom else somebody works is his to tell, and he may not be on this connection.
fn without_others(mut refusal: Refusal, here: &[StudentId]) -> Refusal {
    if refusal.sid.as_ref().is_some_and(|sid| !here.contains(sid)) {
        refusal.params.remove("with");
        refusal.params.remove("unfinished");
    }
    refusal
}

/// Whether nothing but files is missing, and who has them gives it up.
fn is_without_files(standing: &ProposalStanding, end: &End) -> bool {
    let mut proposers = standing.proposers().iter();
    standing.files_at.is_none() && proposers.any(|sid| end.members.contains(sid))
}

pub(super) fn end_one(transaction: &Transaction<'_>, end: &End) -> Result<ProposalStanding, Error> {
    let submission = end.submission;
    let stored = known(transaction, submission)?;
    let end = &End {
        at: moment(transaction, &stored.statement, end.at)?,
        ..end.clone()
    };
    if !end.members.iter().all(|sid| stored.names(sid)) {
        return Err(Error::NoProposal { submission });
    }
    let standing = look_to_end(transaction, stored.clone(), (&end.members, end.at))?.standing;
    match standing.state {
        ProposalState::Waiting => {}
        ProposalState::Signed if is_without_files(&standing, end) => {}
        ProposalState::Declined | ProposalState::Withdrawn => return Ok(standing),
        state => return Err(Error::ProposalEnded { submission, state }),
    }
    let declines = end.members.iter().any(|sid| !stored.has_signed(sid));
    let (state, said) = match declines {
        true => (ProposalState::Declined, Said::Declined),
        false => (ProposalState::Withdrawn, Said::Withdrawn),
    };
    let speaks = |sid: &&StudentId| !declines || !stored.has_signed(sid);
    let members: Vec<_> = end.members.iter().filter(speaks).cloned().collect();
    let ended = Ended {
        submission,
        members: members.clone(),
        connection: end.connection,
        reason: end.reason.clone(),
    };
    let entry = match declines {
        true => Entry::Declined(ended),
        false => Entry::Withdrawn(ended),
    };
    let index = enter(transaction, &stored.statement, end.at, entry)?;
    rows::say(transaction, end, (said, &members), index)?;
    rows::end(transaction, submission, state, end.at)?;
    let ended = known(transaction, submission)?;
    Ok(look_to_end(transaction, ended, (&end.members, end.at))?.standing)
}
