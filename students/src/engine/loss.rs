//! What a late version would cost those for whom a better one counts. It is found before anything is
//! signed, so that nobody loses by mistake what he has handed in in time.

use std::collections::BTreeSet;
use std::sync::Arc;

use scb_certs::{SpiffeId, StudentId};
use scb_protocol::client::Member;
use scb_protocol::message::blackboard::ListedVersion;
use scb_protocol::rules::{Counts, Standing};
use scb_protocol::statement::{Label, SubmissionId, SubmissionNumber};
use scb_transport::Clock;

use super::hand_in::{HandIn, Talk};
use super::lateness::ToldRules;
use super::reading;
use crate::pending::{self, Draft};
use crate::{Error, Setup};

/// Whether somebody has agreed that what counts now may be replaced by what costs more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Consent {
    /// Nobody has: the hand-in ends before anything is signed.
    #[default]
    Withheld,
    /// It is handed in all the same.
    Given,
}

/// What one member would lose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The member.
    pub sid: StudentId,
    /// The version that counts for him now.
    pub number: SubmissionNumber,
    /// How he stands with it.
    pub now: Standing,
    /// How he would stand with what would take its place.
    pub then: Standing,
}

impl Talk<'_, '_> {
    /// Leaves where the new version would cost a member here more than what counts for him now, by
    /// the rules that were told and Blackboard's clock. Not where nothing new would be recorded.
    pub(super) async fn check_loss(
        &mut self,
        service: &SpiffeId,
        place: &(Label, Label),
        hand_in: &HandIn<'_>,
    ) -> Result<(), Error> {
        let Some(rules) = at_risk(hand_in) else {
            return Ok(());
        };
        let here = self.members.iter().map(|member| &member.sid);
        let Some(standings) = rules.late_now(here) else {
            return Ok(());
        };
        let draft = hand_in.draft(service, place.clone(), self.members);
        let signed = pending::list(&self.setup.home)?;
        let signed = signed.iter().find(|one| draft.is_that_of(one));
        // What was proposed waits for others: the same again asks what has become of it.
        if signed.is_some() && !hand_in.elsewhere.is_empty() {
            return Ok(());
        }
        let signed = signed.map(|one| one.submission);
        let mut losses = Vec::new();
        for (member, then) in self.members.iter().zip(standings) {
            let counts = counts_now(self.setup, self.clock, member, (&draft, signed)).await?;
            losses.extend(counts.and_then(|version| loss(&version, member, then.standing)));
        }
        match losses.is_empty() {
            true => Ok(()),
            false => Err(Error::CostsMore { losses }),
        }
    }
}

/// The rules, where a new version takes the place of the one before and nobody has agreed to that.
fn at_risk<'a>(hand_in: &'a HandIn<'_>) -> Option<&'a ToldRules> {
    let rules = hand_in.rules.as_ref();
    rules.filter(|rules| rules.counts() == Counts::Latest && hand_in.consent == Consent::Withheld)
}

/// Nothing by what would not count for him: what he has goes on counting.
fn loss(version: &ListedVersion, member: &Member, then: Standing) -> Option<Loss> {
    if matches!(then, Standing::Closed { .. }) {
        return None;
    }
    let mut own = version.standings.iter();
    let now = own.find(|own| own.sid == member.sid)?.standing();
    (now.price() < then.price()).then(|| Loss {
        sid: member.sid.clone(),
        number: version.number,
        now,
        then,
    })
}

/// The version that counts for a member, asked in a session of his own; none where the draft is that
/// version, or is recorded already.
async fn counts_now(
    setup: &mut Setup,
    clock: &Arc<dyn Clock>,
    member: &Member,
    (draft, signed): (&Draft<'_>, Option<SubmissionId>),
) -> Result<Option<ListedVersion>, Error> {
    let (course, assignment) = draft.assignment.clone();
    let (mut alone, mut unseen) = ([member.clone()], |_: &crate::Event| {});
    let (mut talk, session) = reading::open(setup, clock, &mut alone, &mut unseen).await?;
    let only = (Some(course), Some(assignment));
    let (session, told) = talk.ask_history(session, only).await?;
    let mut unfinished = told.unfinished.iter();
    let is_recorded = unfinished.any(|one| Some(one.submission) == signed);
    let mut counts = told.versions.into_iter().find(|version| {
        let mut own = version.standings.iter();
        own.any(|own| own.sid == member.sid && own.counts)
    });
    if let Some(version) = counts.as_ref().filter(|version| is_alike(version, draft)) {
        // Only the receipt has the hashes. Without it nobody is spared the question.
        let receipt = talk.fetch_receipt(session, version.number).await;
        let same = |receipt: &scb_protocol::receipt::VerifiedReceipt| {
            draft.is_same_version(receipt.statement())
        };
        if receipt.is_ok_and(|(_, _, receipt)| same(&receipt)) {
            counts = None;
        }
    }
    talk.close().await;
    Ok(counts.filter(|_| !is_recorded))
}

/// Whether the list has nothing that tells them apart.
fn is_alike(version: &ListedVersion, draft: &Draft<'_>) -> bool {
    let here = draft.members.iter().map(|member| &member.sid);
    let all: BTreeSet<_> = here.chain(draft.elsewhere).collect();
    let files = (version.size, usize::try_from(version.file_count).ok());
    files == (draft.files.size(), Some(draft.files.len()))
        && all == version.members.iter().collect()
}
