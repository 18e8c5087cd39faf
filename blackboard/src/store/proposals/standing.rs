//! How a proposal stands, for those who ask.

use rusqlite::Connection;
use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, StudentId};
use scb_protocol::log_leaf::LogName;
use scb_protocol::message::blackboard::that_fit;
use scb_protocol::message::proposal::{
    CosignerStanding, ListedProposal, ProposalStanding, ProposalState, Said,
};
use scb_protocol::rules::{Assigned, Extension, Found, Rules};
use scb_protocol::server::join_delivered;
use scb_protocol::statement::Statement;
use scb_protocol::values::Der;

use super::rows::Stored;
use super::{Proposal, name_of, signing};
use crate::store::listing::{AnnouncedRules, Sign, announced};
use crate::store::{Error, Record, assignments, refused, versions};

/// The proposal as it stands for those who ask: by the extensions of theirs and of those who have
/// signed. Others' are not told, not even by the time until which it waits.
pub(super) fn look(
    connection: &Connection,
    stored: Stored,
    asking: &[StudentId],
    now: UnixTime,
) -> Result<Proposal, Error> {
    let shown = shown_to(&stored, asking);
    let assigned = assigned_for(connection, &stored.statement, &shown, now)?;
    stand(connection, stored, assigned.as_ref(), now)
}

/// The same for who puts an end to it, which needs no rules: where those that are stored were altered it stands as if
/// there were none.
pub(super) fn look_to_end(
    connection: &Connection,
    stored: Stored,
    (asking, now): (&[StudentId], UnixTime),
) -> Result<Proposal, Error> {
    let shown = shown_to(&stored, asking);
    let assigned = match assigned_for(connection, &stored.statement, &shown, now) {
        Err(Error::RulesAltered { .. }) => None,
        assigned => assigned?,
    };
    stand(connection, stored, assigned.as_ref(), now)
}

fn stand(
    connection: &Connection,
    stored: Stored,
    assigned: Option<&Assigned>,
    now: UnixTime,
) -> Result<Proposal, Error> {
    let record = versions::answer(connection, stored.submission())?;
    let number = record.map(|record| record.number());
    let waits_until = stored.kept.waits_until;
    let until = match (stored.kept.signed, assigned) {
        (None, Some(assigned)) => {
            signable_until(&assigned.rules, &assigned.extensions, waits_until)
        }
        _ => waits_until,
    };
    let state = match (number, stored.kept.ended) {
        (Some(_), _) => ProposalState::Accepted,
        (None, Some((ended, _))) => ended,
        (None, None) if now > until && !stored.waits_for_cuhk() => ProposalState::Lapsed,
        (None, None) if stored.kept.signed.is_some() => ProposalState::Signed,
        (None, None) => ProposalState::Waiting,
    };
    let commitment = stored.commitment();
    let standing = ProposalStanding {
        submission: stored.submission(),
        state,
        proposed_at: stored.kept.proposed_at,
        until,
        files_at: stored.kept.files_at,
        number,
        members: with_refused(connection, &stored)?,
    };
    Ok(Proposal {
        delivered: stored.delivered(),
        statement: stored.statement,
        bytes: stored.bytes,
        standing,
        commitment,
    })
}

/// What each has said; of who has said nothing, as what his signature was refused, if it was.
fn with_refused(connection: &Connection, stored: &Stored) -> Result<Vec<CosignerStanding>, Error> {
    let mut standings = stored.standings();
    let silent = standings.iter().filter(|one| one.said == Said::Nothing);
    let silent: Vec<_> = silent.map(|one| one.sid.clone()).collect();
    if silent.is_empty() {
        return Ok(standings);
    }
    let (log, sha256) = (name_of(&stored.statement)?, Fingerprint::of(&stored.bytes));
    for tried in refused::tried(connection, &log, (&sha256, &silent))? {
        let member = standings.iter_mut().find(|one| one.sid == tried.sid);
        member
            .into_iter()
            .for_each(|one| one.refused = Some(tried.refused.clone()));
    }
    Ok(standings)
}

/// Until when signatures are taken of what waits until then: no longer than the rules take work of
/// anybody, or of somebody with one of these extensions.
pub(in crate::store) fn signable_until(
    rules: &Rules,
    extensions: &[Extension],
    waits_until: UnixTime,
) -> UnixTime {
    let closes = rules.closes_for_all(extensions);
    closes.map_or(waits_until, |closes| closes.min(waits_until))
}

pub(super) fn list_one(
    connection: &Connection,
    stored: Stored,
    asking: &[StudentId],
    (now, sign): (UnixTime, &Sign),
) -> Result<ListedProposal, Error> {
    let submission = stored.submission();
    // An assignment of which anybody has signed something is not removed.
    let shown = shown_to(&stored, asking);
    let assigned = assigned_for(connection, &stored.statement, &shown, now)?;
    let assigned = assigned.ok_or(Error::ProposalAltered { submission })?;
    let course_title = assignments::course_title(connection, &stored.statement.course)?;
    let proposal = look(connection, stored.clone(), asking, now)?;
    let waits = proposal.standing.state == ProposalState::Waiting;
    let refused = match waits {
        true => signing::refused(connection, &stored, (asking, now))?,
        false => None,
    };
    let altered = || Error::ProposalAltered { submission };
    let announced = match waits {
        true => Some(announced_for(connection, &stored, asking, sign)?.ok_or_else(altered)?),
        false => None,
    };
    let (rules, entry, extensions, extended) = match announced {
        Some(of) => (of.rules, Some(of.entry), of.extensions, of.extended),
        None => (assigned.rules, None, assigned.extensions, Vec::new()),
    };
    let signatures = join_delivered(&proposal.delivered).map_err(|_| altered())?;
    let statement = String::from_utf8(proposal.bytes);
    Ok(fitted(ListedProposal {
        statement: statement.map_err(|_| altered())?,
        standing: proposal.standing,
        course_title,
        rules,
        entry,
        extensions,
        extended,
        refused: refused.map(Box::new),
        signatures: signatures.map(Der::new),
    }))
}

/// What is handed in, by its record alone: all of its members have signed.
pub(super) fn list_accepted(
    connection: &Connection,
    (record, standing): (Record, ProposalStanding),
    now: UnixTime,
) -> Result<ListedProposal, Error> {
    let (statement, submission) = (record.statement(), standing.submission);
    let altered = || Error::ProposalAltered { submission };
    let members: Vec<_> = statement
        .members
        .iter()
        .map(|one| one.sid.clone())
        .collect();
    let assigned = assigned_for(connection, statement, &members, now)?.ok_or_else(altered)?;
    let bytes = record.statement_bytes().to_vec();
    Ok(fitted(ListedProposal {
        statement: String::from_utf8(bytes).map_err(|_| altered())?,
        course_title: assignments::course_title(connection, &statement.course)?,
        rules: assigned.rules,
        entry: None,
        extensions: assigned.extensions,
        extended: Vec::new(),
        refused: None,
        signatures: Some(Der::new(record.signatures().to_vec())),
        standing,
    }))
}

/// What would not fit into a message is told unsigned, extensions first: nobody is kept from what he is to sign
/// by how large it is.
fn fitted(mut listed: ListedProposal) -> ListedProposal {
    let is_too_large = |listed: &ListedProposal| that_fit([listed]).is_empty();
    while is_too_large(&listed) && listed.extended.pop().is_some() {}
    if is_too_large(&listed) {
        listed.entry = None;
    }
    listed
}

/// The assignment, with the extensions of those to whom they are shown.
fn assigned_for(
    connection: &Connection,
    statement: &Statement,
    shown: &[StudentId],
    now: UnixTime,
) -> Result<Option<Assigned>, Error> {
    let found = assignments::look_up(connection, statement, now)?;
    let Found::Assigned(mut assigned) = found else {
        return Ok(None);
    };
    assigned
        .extensions
        .retain(|extension| shown.contains(&extension.sid));
    Ok(Some(*assigned))
}

/// The rules and these extensions of this moment, with their entries.
fn announced_for(
    connection: &Connection,
    stored: &Stored,
    asking: &[StudentId],
    sign: &Sign,
) -> Result<Option<AnnouncedRules>, Error> {
    let log = LogName::of(&stored.statement).map_err(Error::Leaf)?;
    let shown = shown_to(stored, asking);
    let found = announced(connection, &log, &shown, sign)?;
    Ok(found.map(|(_, announced)| announced))
}

/// Whose extensions are shown to those who ask, in the order of the members.
fn shown_to(stored: &Stored, asking: &[StudentId]) -> Vec<StudentId> {
    let members = stored.statement.members.iter().map(|member| &member.sid);
    let shown = members.filter(|sid| asking.contains(sid) || stored.has_signed(sid));
    shown.cloned().collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    /// A proposal that says so much, with what is signed of its rules and of eight extensions.
    fn listed(bytes: usize) -> ListedProposal {
        let entry = json!({"leaf": "x".repeat(1000), "signature": "MAAA".repeat(600)});
        let id = "0b".repeat(16);
        let standing = json!({
            "submission": id, "state": "waiting", "proposed_at": "2026-03-02T04:00:00Z",
            "until": "2026-03-09T04:00:00Z", "members": [],
        });
        let terms = scb_protocol::rules::Terms::always_open(
            "Lab".parse().unwrap(),
            scb_protocol::rules::GroupSize::new(1, 8).unwrap(),
            1 << 20,
        );
        let listed = json!({
            "statement": "x".repeat(bytes), "standing": standing, "course_title": "Course",
            "rules": terms.check().unwrap(), "entry": entry, "extensions": [],
            "extended": vec![entry.clone(); 8],
        });
        from_value(listed).unwrap()
    }

    #[test]
    fn what_is_large_is_told_with_less_that_is_signed_and_is_told() {
        for (bytes, entry, extended) in [
            (20_000, true, 8..=8),
            (50_000, true, 1..=3),
            (57_500, true, 0..=0),
            (60_500, false, 0..=0),
        ] {
            let told = fitted(listed(bytes));
            assert_eq!(that_fit([&told]).len(), 1, "{bytes}");
            assert_eq!(told.entry.is_some(), entry, "{bytes}");
            let count = told.extended.len();
            assert!(extended.contains(&count), "{bytes}: {count}");
        }
    }
}
