//! What students have signed and whose files have not all come, told to themselves.

use rusqlite::{Connection, OptionalExtension, params};
use scb_certs::StudentId;
use scb_protocol::log_leaf::LogName;
use scb_protocol::message::blackboard::{ListedFile, ListedUnfinished};
use scb_protocol::message::proposal::ProposalState;
use scb_protocol::statement::{Statement, SubmissionId};

use super::{Error, Own, as_committed, commitment, log};

/// Most of them that are told.
const MOST: usize = 16;

/// What all of these students have signed together and what is not handed in: what may still come,
/// and what did not come in time since they last signed something; and how many more of it there are
/// than are told. What was altered is left out.
pub(super) fn of(
    connection: &Connection,
    own: &Own,
) -> Result<(Vec<ListedUnfinished>, u32), Error> {
    let Some((first, others)) = own.sids.split_first() else {
        return Ok((Vec::new(), 0));
    };
    let mut found = Vec::new();
    for submission in signed_by(connection, first)? {
        if !all_signed(connection, others, submission)? {
            continue;
        }
        found.extend(listed(connection, submission)?.filter(|one| is_wanted(one, own)));
    }
    found.sort_by_key(|one| std::cmp::Reverse(one.committed_at));
    let more = found.len().saturating_sub(MOST);
    found.truncate(MOST);
    Ok((found, u32::try_from(more).unwrap_or(u32::MAX)))
}

fn signed_by(connection: &Connection, sid: &StudentId) -> Result<Vec<SubmissionId>, Error> {
    let sql = "SELECT submission FROM backlog WHERE sid = ? \
               AND NOT EXISTS (SELECT 1 FROM settled WHERE settled.submission = backlog.submission)";
    let mut query = connection.prepare_cached(sql)?;
    let rows = query.query_map([sid.as_str()], |row| row.get::<_, [u8; 16]>(0))?;
    rows.map(|row| Ok(SubmissionId::from_bytes(row?))).collect()
}

fn all_signed(
    connection: &Connection,
    sids: &[StudentId],
    submission: SubmissionId,
) -> Result<bool, Error> {
    let sql = "SELECT 1 FROM backlog WHERE sid = ? AND submission = ?";
    let mut query = connection.prepare_cached(sql)?;
    for sid in sids {
        let key = params![sid.as_str(), submission.as_bytes()];
        if query.query_row(key, |_| Ok(())).optional()?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

fn listed(
    connection: &Connection,
    submission: SubmissionId,
) -> Result<Option<ListedUnfinished>, Error> {
    let Some((found, bytes)) = commitment::find(connection, submission)? else {
        return Ok(None);
    };
    let checked = as_committed::check(connection, submission, (found, &bytes));
    let damaged = matches!(checked, Err(Error::ProposalAltered { .. }));
    let (statement, commitment) = match (checked, Statement::parse(&bytes)) {
        (Ok(sound), _) => sound,
        (Err(Error::ProposalAltered { .. }), Ok(statement)) => (statement, found),
        (Err(Error::ProposalAltered { .. }), Err(_)) => {
            tracing::error!("left out of a history: the statement of {submission} was altered");
            return Ok(None);
        }
        (Err(error), _) => return Err(error),
    };
    // Its files have all come, by the word of the log, and its record is gone.
    let log = LogName::of(&statement).map_err(Error::Leaf)?;
    let is_gone = log::ending(connection, &log, submission)? == Some(ProposalState::Accepted);
    let members = statement.members.iter();
    Ok(Some(ListedUnfinished {
        submission,
        members: members.map(|member| member.sid.clone()).collect(),
        committed_at: commitment.at.as_secs(),
        until: commitment.upload_until.as_secs(),
        damaged: damaged || is_gone,
        file_count: u32::try_from(statement.files.len()).unwrap_or(u32::MAX),
        size: statement.files.size(),
        files: ListedFile::few_of(&statement.files),
        course: statement.course,
        assignment: statement.assignment,
    }))
}

fn is_wanted(one: &ListedUnfinished, own: &Own) -> bool {
    let course = own.course.as_ref().is_none_or(|it| *it == one.course);
    let assignment = own.assignment.as_ref();
    course && assignment.is_none_or(|it| *it == one.assignment)
}
