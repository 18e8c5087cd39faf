//! What waits for signatures, in a line each, and what somebody here has signed or declined and came to nothing:
//! `student cosign` shows the rest.

use scb_cli::{local_time, note, say};
use scb_explain::Language;
use scb_protocol::Refusal;
use scb_protocol::client::{LeftOut, ToldProposal};
use scb_protocol::message::proposal::{ProposalState, Said};
use scb_protocol::statement::Label;
use serde_json::{Value, json};

use super::Words;
use crate::commands::cosign::{ProposalWords, proposal_as_json};
use crate::{Engine, Error, Group, Observer};

/// What still waits and names one of these students, each once, then what one of them has signed and was not handed
/// in; and of what nothing is shown.
pub(super) fn ask(
    engine: &mut Engine,
    group: &Group,
    (course, assignment): &(Option<Label>, Option<Label>),
    observer: &mut Observer<'_>,
) -> Result<(Vec<ToldProposal>, Vec<LeftOut>), Error> {
    let (mut waiting, mut left_out) = (Vec::<ToldProposal>::new(), Vec::<LeftOut>::new());
    let is_meant = |one: &ToldProposal| {
        let statement = &one.statement;
        (is_open(one) || came_to_nothing(one, group))
            && course.as_ref().is_none_or(|it| *it == statement.course)
            && assignment
                .as_ref()
                .is_none_or(|it| *it == statement.assignment)
    };
    for sid in group.ids() {
        let answer = engine.proposals(sid, observer)?;
        let meant = |one: &LeftOut| may_be_of(&one.why, (course.as_ref(), assignment.as_ref()));
        for one in answer.left_out.into_iter().filter(meant) {
            let mut known = left_out.iter();
            if known.all(|known| known.submission != one.submission) {
                left_out.push(one);
            }
        }
        for one in answer.told {
            let id = one.statement.submission;
            let mut known = waiting.iter();
            if is_meant(&one) && known.all(|known| known.statement.submission != id) {
                waiting.push(one);
            }
        }
    }
    waiting.sort_by_key(|one| !is_open(one));
    Ok((waiting, left_out))
}

/// Whether what is held back for this is of the assignment that is asked about, unless another one is named.
fn may_be_of(why: &Refusal, (course, assignment): (Option<&Label>, Option<&Label>)) -> bool {
    let named = why.params.get("assignment");
    let Some((of, name)) = named.and_then(|named| named.split_once('/')) else {
        return true;
    };
    course.is_none_or(|it| it.to_string() == of)
        && assignment.is_none_or(|it| it.to_string() == name)
}

fn is_open(one: &ToldProposal) -> bool {
    one.listed.standing.state.is_open()
}

/// Whether somebody here signed or declined it. Anybody may name anybody in one, who has said nothing to it.
fn came_to_nothing(one: &ToldProposal, here: &Group) -> bool {
    let standing = &one.listed.standing;
    let mut said = here.ids().iter().map(|sid| standing.said_by(sid));
    !is_open(one)
        && standing.state != ProposalState::Accepted
        && said.any(|said| matches!(said, Some(Said::Signed | Said::Withdrawn | Said::Declined)))
}

/// Those of which Blackboard shows nothing.
pub(super) fn say_left_out(left_out: &[LeftOut], here: &Group, words: Words) -> Result<(), Error> {
    for one in left_out {
        note(&ProposalWords::of(words.0).left_out(one, here.ids()))?;
    }
    Ok(())
}

pub(super) fn say_one(one: &ToldProposal, words: Words) -> Result<(), Error> {
    let (statement, standing) = (&one.statement, &one.listed.standing);
    let members: Vec<_> = standing
        .members
        .iter()
        .map(|one| one.sid.as_str())
        .collect();
    say(&format!(
        "{}  {}  {}/{}  {}  {}",
        words.not_handed_in(),
        local_time(standing.proposed_at),
        statement.course,
        statement.assignment,
        members.join(","),
        words.waits(one),
    ))?;
    let ended = |said| matches!(said, Said::Declined | Said::Withdrawn);
    for member in standing.members.iter().filter(|member| ended(member.said)) {
        let said = ProposalWords::of(words.0).said(member);
        say(&format!("  {:<9} {said}", member.sid))?;
    }
    Ok(())
}

/// Those that wait, and those that came to nothing.
pub(super) fn all_as_json(proposals: &[ToldProposal]) -> (Vec<Value>, Vec<Value>) {
    let one = |one: &ToldProposal| {
        let mut value = proposal_as_json(&one.listed.standing);
        value["course"] = json!(one.statement.course);
        value["assignment"] = json!(one.statement.assignment);
        value
    };
    let (open, ended): (Vec<_>, Vec<_>) = proposals.iter().partition(|one| is_open(one));
    let all = |those: Vec<&ToldProposal>| those.into_iter().map(one).collect();
    (all(open), all(ended))
}

impl Words {
    /// For whom, until when, and where it is told in full.
    fn waits(self, one: &ToldProposal) -> String {
        let standing = &one.listed.standing;
        let (state, until) = (
            ProposalWords::of(self.0).state(standing),
            local_time(standing.until),
        );
        match self.0 {
            // Nobody has anything left to do.
            _ if !is_open(one) => state,
            _ if standing.state == ProposalState::Signed && standing.files_at.is_some() => state,
            Language::English => format!("{state}, until {until}: `student cosign`"),
            Language::Chinese => format!("{state}，至 {until} 止：`student cosign`"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scb_protocol::{Code, Step};

    use super::*;

    #[test]
    fn what_is_held_back_of_another_assignment_is_not_said_of_this_one() {
        let label = |text: &str| -> Label { text.parse().unwrap() };
        let (course, lab, quiz) = (label("CSCI3150"), label("lab-1"), label("quiz"));
        let refusal = |code| Refusal::new(code, Step::Six);
        let altered = refusal(Code::RulesAltered).with("assignment", "CSCI3150/lab-1");
        assert!(may_be_of(&altered, (None, None)));
        assert!(may_be_of(&altered, (Some(&course), Some(&lab))));
        assert!(!may_be_of(&altered, (Some(&course), Some(&quiz))));
        assert!(!may_be_of(&altered, (Some(&label("CSCI1000")), None)));
        // Of which assignment it is, is not told.
        let damaged = refusal(Code::StoredDamaged);
        assert!(may_be_of(&damaged, (Some(&course), Some(&quiz))));
    }
}
