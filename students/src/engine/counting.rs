//! Whether what has just been handed in is what counts, and how its members stand with it.

use std::sync::Arc;

use scb_certs::StudentId;
use scb_protocol::client::Member;
use scb_protocol::message::blackboard::ListedVersion;
use scb_protocol::rules::{Counts, MemberStanding};
use scb_protocol::statement::SubmissionNumber;
use scb_transport::Clock;

use super::hand_in::{HandIn, KeptReceipt};
use super::reading;
use crate::Setup;

/// A member for whom what has just been handed in does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uncounted {
    /// The member.
    pub sid: StudentId,
    /// The version that does; none if he has none that counts.
    pub number: Option<SubmissionNumber>,
}

/// Learns it. What is recorded now, and is the latest, counts where the latest does: else, and where rules
/// may have changed since a hand-in before, Blackboard is asked. Nothing fails for want of an answer.
pub(super) async fn learn(
    setup: &mut Setup,
    clock: &Arc<dyn Clock>,
    members: &mut [Member],
    (kept, hand_in): (&mut KeptReceipt, &HandIn<'_>),
) {
    let Some(rules) = &hand_in.rules else {
        return;
    };
    kept.standings = rules.judge_receipt(&kept.receipt);
    let is_new = !kept.before && kept.receipt.committed_at() >= rules.at;
    if is_new && rules.counts() == Counts::Latest {
        return;
    }
    let told = versions(setup, clock, members, kept).await;
    let number = kept.receipt.number();
    let version = told.iter().find(|one| one.number == number);
    if kept.before && !kept.standings.is_empty() {
        kept.standings = version.map(standings).unwrap_or_default();
    }
    let own = version.into_iter().flat_map(|version| &version.standings);
    for own in own.filter(|own| !own.counts && own.closed_since.is_none()) {
        let mut members = members.iter_mut();
        let Some(member) = members.find(|member| member.sid == own.sid) else {
            continue;
        };
        let alone = std::slice::from_mut(member);
        let told = versions(setup, clock, alone, kept).await;
        let counts = |version: &&ListedVersion| version.standings.iter().any(|own| own.counts);
        kept.uncounted.push(Uncounted {
            sid: own.sid.clone(),
            number: told.iter().find(counts).map(|version| version.number),
        });
    }
}

/// Those of the same assignment in which all of these have a part.
async fn versions(
    setup: &mut Setup,
    clock: &Arc<dyn Clock>,
    members: &mut [Member],
    kept: &KeptReceipt,
) -> Vec<ListedVersion> {
    let statement = kept.receipt.statement();
    let only = (statement.course.clone(), statement.assignment.clone());
    let only = (Some(only.0), Some(only.1));
    let told = reading::history(setup, clock, members, only, &mut |_| {}).await;
    told.map(|told| told.versions).unwrap_or_default()
}

/// As Blackboard judges a version that was handed in before, of those who asked.
fn standings(version: &ListedVersion) -> Vec<MemberStanding> {
    let own = version.standings.iter();
    own.map(|own| MemberStanding {
        sid: own.sid.clone(),
        standing: own.standing(),
    })
    .collect()
}
