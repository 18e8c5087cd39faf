//! A proposal of which Blackboard has stored something else by now: nobody can sign it or end it, and the same files
//! are proposed under another ID. That makes it later: it is said, and not done by itself where that costs something.

use scb_protocol::Code;
use scb_protocol::Refusal;
use scb_protocol::client::Member;
use scb_protocol::statement::Statement;

use super::hand_in::HandIn;
use super::loss::Consent;
use crate::pending;
use crate::{Error, Event, Observer, Setup};

/// Whether what Blackboard has stored of a proposal was altered: nobody can sign it or end it.
pub(super) fn is_damaged(refusal: &Refusal) -> bool {
    refusal.code == Code::StoredDamaged && refusal.params.contains_key("submission")
}

fn is_about(refusal: &Refusal, own: &Statement) -> bool {
    let about = refusal.params.get("submission");
    is_damaged(refusal) && about == Some(&own.submission.to_string())
}

/// Forgets the one that was refused so, so that the same command signs another. Where that would be late for any of
/// the group somebody has to agree first; what would be refused stays as it is.
///
/// # Errors
///
/// That refusal, or [`Error::AnewIsLate`]; then nothing is forgotten.
pub(super) fn make_way(
    setup: &Setup,
    (members, hand_in): (&[Member], &mut HandIn<'_>),
    refusal: Refusal,
    observer: &mut Observer<'_>,
) -> Result<(), Error> {
    let mut pending = pending::list(&setup.home)?.into_iter();
    let Some(own) = pending.find(|own| is_about(&refusal, own)) else {
        return Err(refusal.into());
    };
    let submission = own.submission;
    // Without rules nobody knows what a new one would cost, and the old one is all there is of the old time.
    let Some(rules) = hand_in.rules.as_ref().filter(|rules| rules.is_taken()) else {
        return Err(refusal.into());
    };
    let here = members.iter().map(|member| &member.sid);
    let late = rules.late_now(here.chain(hand_in.elsewhere));
    if let (Some(standings), Consent::Withheld) = (late, hand_in.consent) {
        return Err(Error::AnewIsLate {
            submission,
            standings,
        });
    }
    observer(&Event::ProposedAnew { submission });
    // What was recorded of it is of no use: another one takes its place.
    hand_in.recorded = None;
    pending::forget(&setup.home, |one| one.submission == submission)
}
