//! What members have handed in before, told to themselves.

use scb_certs::StudentId;
use scb_protocol::message::blackboard::Reply;
use scb_protocol::server::ExpectRequest;
use scb_protocol::statement::{Label, SubmissionNumber};
use scb_protocol::{Fact, Refusal, Step};
use scb_transport::Turn;

use super::{Handler, Shared};
use crate::store::Own;

impl Handler {
    /// The versions in which every member of this session has a part, and what they have signed and
    /// has not all come.
    pub(super) async fn history(
        &mut self,
        (course, assignment): (Option<Label>, Option<Label>),
        after: Option<SubmissionNumber>,
        state: &ExpectRequest,
    ) -> Result<(Reply, Fact), Refusal> {
        let own = Own {
            sids: sids(state),
            course,
            assignment,
        };
        let found = self.shared.register.store().history(own, after);
        let found = found.await?;
        let fact = Fact::HistoryTold {
            versions: found.listed.len(),
        };
        let reply = Reply::History {
            time: self.shared.clock.now().as_secs(),
            more: found.more,
            versions: found.listed,
            unfinished: found.unfinished,
            more_unfinished: found.more_unfinished,
        };
        Ok((reply, fact))
    }
}

impl Shared {
    /// Waits until nothing else of the first of these members is read at length.
    pub(super) async fn turn(&self, sids: &[StudentId]) -> Result<Option<Turn>, Refusal> {
        match sids.iter().min() {
            Some(sid) => {
                let turn = self.turns.take(sid.clone(), self.limits.message, Step::Six);
                turn.await.map(Some)
            }
            None => Ok(None),
        }
    }
}

/// Who was verified on this connection.
pub(super) fn sids(state: &ExpectRequest) -> Vec<StudentId> {
    let members = state.members().iter();
    members.map(|member| member.sid().clone()).collect()
}
