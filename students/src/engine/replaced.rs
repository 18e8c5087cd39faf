//! What was signed of files that are others by now: it is given up as soon as the next version of them
//! is recorded. It would keep the assignment open for nothing. Not so if the next version is late:
//! what was signed before may have been in time, and its files may come still.

use std::collections::BTreeSet;
use std::sync::Arc;

use scb_certs::StudentId;
use scb_protocol::Code;
use scb_protocol::client::Member;
use scb_protocol::statement::{FilePath, Statement, SubmissionId};
use scb_transport::Clock;

use super::cosign::{self, HandedIn};
use super::reading;
use crate::{Error, Event, Observer, Setup, pending};

/// Gives up what this replaces. What cannot be given up now is tried again with the next version: it
/// is no reason to fail what has just succeeded.
pub(super) async fn give_up(
    setup: &mut Setup,
    clock: &Arc<dyn Clock>,
    members: &mut [Member],
    handed_in: &HandedIn,
    observer: &mut Observer<'_>,
) {
    let replaced = replaced_by(setup, handed_in).unwrap_or_default();
    if replaced.is_empty() {
        return;
    }
    match kept_for_time(setup, clock, members, handed_in, observer).await {
        Ok(None) => {}
        Ok(Some(waiting)) => {
            let stays = |one: &&SubmissionId| waiting.contains(*one);
            replaced.iter().filter(stays).for_each(|submission| {
                observer(&Event::StillStands {
                    submission: *submission,
                });
            });
            return;
        }
        Err(_) => return,
    }
    let Ok(proposed) = cosign::proposals(setup, clock, members, observer).await else {
        return;
    };
    let waits_for_others = |submission: &SubmissionId| {
        let mut standings = proposed.told.iter().map(|one| &one.listed.standing);
        standings.any(|one| {
            one.submission == *submission && one.state.is_open() && one.files_at.is_some()
        })
    };
    // What waits for others' signatures only, is theirs as well.
    for submission in replaced.into_iter().filter(|one| !waits_for_others(one)) {
        match cosign::end(setup, clock, members, (submission, None), observer).await {
            Ok(_) => observer(&Event::GivenUp { submission }),
            Err(Error::Refused(refusal)) if is_over(refusal.code) => {}
            Err(_) => continue,
        }
        // A file that stays is looked at again.
        let _ = pending::forget(&setup.home, |one| one.submission == submission);
    }
}

/// What still waits for its files, if the new version is late for anybody who asks.
async fn kept_for_time(
    setup: &mut Setup,
    clock: &Arc<dyn Clock>,
    members: &mut [Member],
    handed_in: &HandedIn,
    observer: &mut Observer<'_>,
) -> Result<Option<BTreeSet<SubmissionId>>, Error> {
    let HandedIn::Kept(kept) = handed_in else {
        return Ok(None);
    };
    let statement = kept.receipt.statement();
    let only = (
        Some(statement.course.clone()),
        Some(statement.assignment.clone()),
    );
    let told = reading::history(setup, clock, members, only, observer).await?;
    let number = kept.receipt.number();
    let mut versions = told.versions.iter().filter(|one| one.number == number);
    let is_late = versions.any(|one| one.standings.iter().any(|standing| standing.late > 0));
    let waiting = told.unfinished.iter().map(|one| one.submission);
    Ok(is_late.then(|| waiting.collect()))
}

/// It was never recorded, or is nothing to wait for any more.
fn is_over(code: Code) -> bool {
    matches!(
        code,
        Code::SubmissionUnknown | Code::UploadExpired | Code::ProposalEnded
    )
}

/// What was signed here of other bytes under the same names, for the same place by the same members.
fn replaced_by(setup: &Setup, handed_in: &HandedIn) -> Result<Vec<SubmissionId>, Error> {
    let pending = pending::list(&setup.home)?;
    let new = match handed_in {
        HandedIn::Kept(kept) => Some(kept.receipt.statement()),
        HandedIn::Waits(standing) => pending
            .iter()
            .find(|one| one.submission == standing.submission),
    };
    let Some(new) = new else {
        return Ok(Vec::new());
    };
    let replaced = pending.iter().filter(|old| is_replaced(old, new));
    Ok(replaced.map(|old| old.submission).collect())
}

fn is_replaced(old: &Statement, new: &Statement) -> bool {
    let place = |of: &Statement| (of.service.clone(), of.course.clone(), of.assignment.clone());
    place(old) == place(new)
        && sids(old) == sids(new)
        && names(old) == names(new)
        && !old.is_same_version(new)
}

fn sids(statement: &Statement) -> BTreeSet<&StudentId> {
    let members = statement.members.iter();
    members.map(|member| &member.sid).collect()
}

fn names(statement: &Statement) -> BTreeSet<&FilePath> {
    statement.files.iter().map(|file| &file.name).collect()
}
