//! A proposal that is handed in, of which something was altered: its record and the log say what became of it, and
//! need no row of it.

use rusqlite::Connection;
use scb_certs::StudentId;
use scb_protocol::log_leaf::LogName;
use scb_protocol::message::proposal::{CosignerStanding, ProposalStanding, ProposalState, Said};
use scb_protocol::statement::{Statement, SubmissionId};

use super::logged::Entries;
use crate::store::{Error, Record, by_submission};

/// How it stands, with its record, for these students; nothing of what is not handed in under this ID, or not by all of
/// them.
pub(super) fn standing(
    connection: &Connection,
    submission: SubmissionId,
    asking: &[StudentId],
) -> Result<Option<(Record, ProposalStanding)>, Error> {
    let record = by_submission(connection, submission)?;
    let theirs = |record: &Record| asking.iter().all(|sid| record.names(sid));
    let Some(record) = record.filter(theirs) else {
        return Ok(None);
    };
    let members = signed(connection, record.statement())?;
    let came = members.iter().filter_map(|member| member.at).min();
    let accepted_at = record.accepted_at();
    let standing = ProposalStanding {
        submission,
        state: ProposalState::Accepted,
        proposed_at: came.unwrap_or(accepted_at),
        until: accepted_at,
        files_at: Some(accepted_at),
        number: Some(record.number()),
        members,
    };
    Ok(Some((record, standing)))
}

/// When each member has signed, and with whom, by the log.
pub(super) fn signed(
    connection: &Connection,
    statement: &Statement,
) -> Result<Vec<CosignerStanding>, Error> {
    let name = LogName::of(statement).map_err(Error::Leaf)?;
    let entries = Entries::of(connection, &name, statement.submission)?;
    let member = |sid: &StudentId| {
        let signed = entries.signed_by(sid);
        CosignerStanding {
            sid: sid.clone(),
            said: Said::Signed,
            at: signed.map(|(at, _)| at),
            with: signed.map_or_else(Vec::new, |(_, with)| with.to_vec()),
            reason: None,
            refused: None,
        }
    };
    let members = statement.members.iter();
    Ok(members.map(|one| member(&one.sid)).collect())
}
