//! What was signed of files that are others by now: it is given up as soon as the next version of them
//! is recorded. It would keep the assignment open for nothing. Not so if the next version is late and
//! costs more: what was signed before may have been in time, and its files may come still.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustls_pki_types::UnixTime;
use scb_protocol::client::Member;
use scb_protocol::message::proposal::ProposalStanding;
use scb_protocol::rules::Counts;
use scb_protocol::statement::{FilePath, Statement, SubmissionId};
use scb_protocol::{Code, from_seconds};
use scb_transport::Clock;

use super::commitment;
use super::cosign::{self, HandedIn};
use super::hand_in::HandIn;
use super::reading;
use crate::{Error, Event, Observer, Setup, pending};

/// Gives up what this replaces. What cannot be given up now is tried again with the next version: it
/// is no reason to fail what has just succeeded.
pub(super) async fn give_up(
    setup: &mut Setup,
    clock: &Arc<dyn Clock>,
    members: &mut [Member],
    (handed_in, hand_in): (&HandedIn, &HandIn<'_>),
    observer: &mut Observer<'_>,
) {
    let Ok(Some(replaced)) = Replaced::by(setup, handed_in) else {
        return;
    };
    let standing = standing(setup, clock, members, &replaced.new, observer).await;
    let Ok(standing) = standing else { return };
    for submission in &replaced.old {
        match standing.get(submission) {
            Some(Before::WaitsForOthers) => continue,
            Some(Before::Recorded { at, until }) => {
                if let Some(counts) = replaced.dearer(handed_in, hand_in, *at) {
                    observer(&Event::StillStands {
                        submission: *submission,
                        at: *at,
                        until: *until,
                        counts,
                    });
                    continue;
                }
            }
            None => {}
        }
        let ending = (*submission, None);
        match cosign::end(setup, clock, members, ending, observer).await {
            Ok(_) => {
                observer(&Event::GivenUp {
                    submission: *submission,
                });
                // So does a file of it that stays.
                let _ = commitment::given_up(setup, *submission);
            }
            Err(Error::Refused(refusal)) if is_over(refusal.code) => {}
            Err(_) => continue,
        }
        // A file that stays is looked at again.
        let _ = pending::forget(&setup.home, |one| one.submission == *submission);
    }
}

/// What was signed before, and is not handed in.
enum Before {
    /// All have signed it: what counts is when that was recorded.
    Recorded { at: UnixTime, until: UnixTime },
    /// Its files are there: it is theirs as well who have still to sign it.
    WaitsForOthers,
}

impl Before {
    fn of_proposal(standing: &ProposalStanding) -> Option<Self> {
        match (
            standing.state.is_open(),
            standing.files_at,
            standing.signed_at(),
        ) {
            (true, Some(_), _) => Some(Self::WaitsForOthers),
            (true, None, Some(at)) => Some(Self::Recorded {
                at,
                until: standing.until,
            }),
            _ => None,
        }
    }
}

/// How what these members have signed stands at Blackboard, and may still come.
async fn standing(
    setup: &mut Setup,
    clock: &Arc<dyn Clock>,
    members: &mut [Member],
    new: &Statement,
    observer: &mut Observer<'_>,
) -> Result<BTreeMap<SubmissionId, Before>, Error> {
    let only = (Some(new.course.clone()), Some(new.assignment.clone()));
    let told = reading::history(setup, clock, members, only, observer).await?;
    let mut standing = BTreeMap::new();
    for one in &told.unfinished {
        let [at, until] = [one.committed_at, one.until].map(from_seconds);
        if until >= told.time {
            standing.insert(one.submission, Before::Recorded { at, until });
        }
    }
    let told = cosign::proposals(setup, clock, members, observer).await?;
    for one in &told.told {
        let proposed = &one.listed.standing;
        if let Some(before) = Before::of_proposal(proposed) {
            standing.insert(proposed.submission, before);
        }
    }
    Ok(standing)
}

/// A version, and what was signed here of other bytes under the same names, for the same place by the
/// same members.
struct Replaced {
    new: Statement,
    old: Vec<SubmissionId>,
}

impl Replaced {
    /// None if there is nothing that it replaces.
    fn by(setup: &Setup, handed_in: &HandedIn) -> Result<Option<Self>, Error> {
        let pending = pending::list(&setup.home)?;
        let new = match handed_in {
            HandedIn::Kept(kept) => Some(kept.receipt.statement()),
            HandedIn::Waits(standing) => pending
                .iter()
                .find(|one| one.submission == standing.submission),
        };
        let Some(new) = new.cloned() else {
            return Ok(None);
        };
        // What another program sends now is not forgotten, and nobody waits for it.
        let on_their_way = pending::on_their_way(&setup.home)?;
        let old = pending
            .iter()
            .filter(|old| is_replaced(old, &new) && !on_their_way.contains(old));
        let old: Vec<_> = old.map(|old| old.submission).collect();
        Ok((!old.is_empty()).then_some(Self { new, old }))
    }

    /// Which version counts, where the new one costs any of the members more than what was recorded
    /// then. One that waits for others is not recorded before now.
    fn dearer(&self, handed_in: &HandedIn, hand_in: &HandIn<'_>, then: UnixTime) -> Option<Counts> {
        let rules = hand_in.rules.as_ref()?;
        let now = match handed_in {
            HandedIn::Kept(kept) => kept.receipt.committed_at(),
            HandedIn::Waits(_) => rules.at,
        };
        let members = self.new.members.iter().map(|member| &member.sid);
        rules
            .is_better((then, now), members)
            .then_some(rules.counts())
    }
}

/// It was never recorded, or is nothing to wait for any more.
fn is_over(code: Code) -> bool {
    matches!(
        code,
        Code::SubmissionUnknown | Code::UploadExpired | Code::ProposalEnded
    )
}

fn is_replaced(old: &Statement, new: &Statement) -> bool {
    old.is_of_same_group(new) && names(old) == names(new) && !old.is_same_version(new)
}

fn names(statement: &Statement) -> BTreeSet<&FilePath> {
    statement.files.iter().map(|file| &file.name).collect()
}
