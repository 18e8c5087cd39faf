//! What is not shown, as what Blackboard has stored of it, or tells of its rules, is not right. It keeps nobody from
//! the others; and whoever does not sign it needs no rules.

use scb_certs::StudentId;
use scb_explain::{Language, remedy, told};
use scb_protocol::Code;
use scb_protocol::client::LeftOut;
use scb_protocol::message::proposal::ProposalStanding;
use scb_protocol::statement::SubmissionId;
use serde_json::{Value, json};

use super::words::Words;
use super::{Desk, Waiting};
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
        match hidden.map(|one| (one.left_out.standing.clone(), one.here.clone())) {
            Some((Some(standing), here)) => Ok((standing, here)),
            _ => {
                let one = self.named(listed, submission)?;
                Ok((one.told.listed.standing.clone(), one.here.clone()))
            }
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
    /// Nothing is shown of this one; the others are.
    pub(in crate::commands) fn left_out(self, one: &LeftOut) -> String {
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
        match language {
            Language::English => format!(
                "{id}: NOT SHOWN, nobody can sign it now: {why} ({}); {what}. Whoever does not want to sign it can \
                 say so: `student cosign --refuse {id}`",
                one.why.code
            ),
            Language::Chinese => format!(
                "{id}：不予顯示，現時無人可簽署：{why}（{}）；{what}。不想簽署者可拒絕：`student cosign --refuse {id}`",
                one.why.code
            ),
        }
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
