//! What must be refused, with nothing stored.

mod members;
mod submission;
mod wire;

use scb_protocol::message::blackboard::{Presented, Request};
use scb_protocol::{Code, Refusal};

use super::group::Group;

/// Hands in, which must be refused and leave nothing.
async fn refusal_of(mut group: Group<'_>) -> Refusal {
    let refusal = group.hand_in().await.expect_err("it was accepted");
    group.campus.assert_nothing_stored().await;
    refusal
}

async fn code_of(group: Group<'_>) -> Code {
    refusal_of(group).await.code
}

/// Changes what is presented.
fn presenting<'a>(
    group: Group<'a>,
    mut change: impl FnMut(&mut Vec<Presented>) + Send + 'a,
) -> Group<'a> {
    group.tampering(move |request| {
        if let Request::Present { members } = request {
            change(members);
        }
    })
}
