//! What is not shown, as what Blackboard has stored of it, or tells of its rules, is not right. It keeps nobody from
//! the others; and whoever does not sign it needs no rules.

use scb_certs::StudentId;
use scb_explain::{Language, remedy, told};
use scb_protocol::Code;
use scb_protocol::client::LeftOut;
use scb_protocol::message::proposal::{ProposalStanding, ProposalState, Said};
use scb_protocol::statement::SubmissionId;
use serde_json::{Value, json};

use super::words::Words;
use super::{Desk, Waiting, unknown};
use crate::Error;

/// One that is not shown.
pub(super) struct NotShown {
    pub(super) left_out: LeftOut,
    /// Whose keys are here.
    here: Vec<StudentId>,
}

impl NotShown {
    /// Notes that this student is not shown it; answers whether it was not known before.
    pub(super) fn add(all: &mut Vec<Self>, one: &LeftOut, sid: &StudentId) -> bool {
        let is_it = |known: &&mut Self| known.left_out.submission == one.submission;
        match all.iter_mut().find(is_it) {
            Some(known) => {
                known.here.push(sid.clone());
                false
            }
            None => {
                all.push(Self {
                    left_out: one.clone(),
                    here: vec![sid.clone()],
                });
                true
            }
        }
    }

    /// The one of this ID.
    pub(super) fn of(all: &[Self], submission: SubmissionId) -> Option<&Self> {
        all.iter().find(|one| one.left_out.submission == submission)
    }
}

impl Desk<'_> {
    /// How the one of this ID stands, and whose keys here are among its members; why, if that is not told.
    pub(super) fn to_end(
        &self,
        listed: &[Waiting],
        submission: SubmissionId,
    ) -> Result<(ProposalStanding, Vec<StudentId>), Error> {
        let hidden = NotShown::of(&self.not_shown, submission);
        let is_it = |one: &&Waiting| one.submission() == submission;
        // Who is shown it comes before those who are not.
        if let Some(one) = listed.iter().find(is_it) {
            let hidden = hidden.into_iter().flat_map(|one| &one.here);
            let here = one.here.iter().chain(hidden).cloned().collect();
            return Ok((one.told.listed.standing.clone(), here));
        }
        match hidden.map(|one| (one.left_out.standing.clone(), one.here.clone())) {
            Some((Some(standing), here)) => Ok((standing, here)),
            _ => Err(self.named(listed, submission).err().unwrap_or_else(unknown)),
        }
    }
}

/// Adds to an object which are not shown, and why.
pub(in crate::commands) fn add_to<'a>(
    object: &mut Value,
    not_shown: impl Iterator<Item = &'a LeftOut>,
) {
    let one = |one: &LeftOut| {
        json!({
            "submission": one.submission,
            "code": one.why.code,
            "assignment": one.why.params.get("assignment"),
            "message": told(&one.why, Language::English),
            "state": one.standing.as_ref().map(|standing| standing.state),
        })
    };
    let not_shown: Vec<_> = not_shown.collect();
    let ids = not_shown.iter().map(|one| one.submission);
    object["left_out"] = ids
        .collect::<Vec<_>>()
        .into_iter()
        .map(|id| json!(id))
        .collect();
    object["held_back"] = not_shown.into_iter().map(one).collect();
}

impl Words {
    /// Nothing is shown of this one; the others are. And what is left to those whose keys are here.
    pub(in crate::commands) fn left_out(self, one: &LeftOut, here: &[StudentId]) -> String {
        let (id, language) = (one.submission, self.language());
        if one.why.code == Code::StoredDamaged {
            return self.damaged(id);
        }
        let (why, what) = (told(&one.why, language), remedy(one.why.code, language));
        if let Some(over) = one.standing.as_ref().filter(|it| !it.state.is_open()) {
            let (state, code) = (self.state(over), one.why.code);
            return match language {
                Language::English => format!("{id}: NOT SHOWN, {state}: {why} ({code}); {what}"),
                Language::Chinese => format!("{id}：不予顯示，{state}：{why}（{code}）；{what}"),
            };
        }
        let (code, left) = (one.why.code, self.left_to(one, here));
        match language {
            Language::English => {
                format!("{id}: NOT SHOWN, nobody can sign it now: {why} ({code}); {what}{left}")
            }
            Language::Chinese => {
                format!("{id}：不予顯示，現時無人可簽署：{why}（{code}）；{what}{left}")
            }
        }
    }

    /// How those here can end it: who has not spoken declines, who has signed takes it back; where all have signed,
    /// who proposed it does.
    fn left_to(self, one: &LeftOut, here: &[StudentId]) -> String {
        let (id, standing) = (one.submission, one.standing.as_ref());
        let has = |said: Said| {
            let is_so = |sid: &StudentId| {
                standing.is_some_and(|standing| match standing.state {
                    ProposalState::Waiting => standing.said_by(sid) == Some(said),
                    _ => said == Said::Signed && standing.proposers().contains(sid),
                })
            };
            here.iter().any(is_so)
        };
        let mut left = String::new();
        if has(Said::Nothing) {
            left += &match self.language() {
                Language::English => format!(
                    ". Whoever does not want to sign it can say so: `student cosign --refuse {id}`"
                ),
                Language::Chinese => format!("。不想簽署者可拒絕：`student cosign --refuse {id}`"),
            };
        }
        if has(Said::Signed) {
            left += &match self.language() {
                Language::English => {
                    format!(". Whoever has signed it can take it back: `student withdraw {id}`")
                }
                Language::Chinese => format!("。已簽署者可撤回：`student withdraw {id}`"),
            };
        }
        left
    }

    fn damaged(self, id: SubmissionId) -> String {
        match self.language() {
            Language::English => format!(
                "{id}: NOT SHOWN, what Blackboard has stored of it is not what was proposed; nobody can \
                 sign it or end it. Tell your teacher; whoever proposed it types the same `student submit` \
                 again, which proposes it anew"
            ),
            Language::Chinese => format!(
                "{id}：不予顯示，Blackboard 所儲存的與所提出的不符；無人可簽署或終止。請告知老師；提出者再執行同一 `student submit` 指令，即可重新提出"
            ),
        }
    }
}
