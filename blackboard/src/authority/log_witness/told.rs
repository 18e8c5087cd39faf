//! What is told when a log, or a whole home, must not be gone on with.

use scb_cli::{Failure, counted};
use scb_protocol::Refusal;
use scb_protocol::log_leaf::LogName;
use scb_protocol::witness::Standing;

use super::super::is_away;

/// What is told of a home that was put back from a backup while CUHK cannot be asked.
pub(super) fn not_compared(refusal: &Refusal) -> Failure {
    let remedy = match is_away(refusal) {
        true => "start CUHK, or see that this machine reaches it, then start this again".to_owned(),
        false => refusal.remedy().to_string(),
    };
    Failure::retry(format!(
        "this home was put back from a backup, or its files were touched, and its logs could not be \
         compared with what CUHK has seen of them ({refusal}): an old backup would give the same \
         numbers twice, so that it does not go on without CUHK, also with outage = \"tokens\""
    ))
    .with_remedy(remedy)
    .with_code("put_back")
}

/// What is told when a log must not be gone on with.
pub(crate) fn failure(log: &LogName, astray: &Standing) -> Failure {
    match astray {
        Standing::Behind { has, seen } => Failure::refused(format!(
            "the log {log} has {} here, but CUHK has seen {seen} of it: this home is an old backup, \
             and to go on with it would give the same numbers twice",
            counted(has, "entry")
        ))
        .with_remedy(
            "put the newest backup of this home in its place; if there is none, `blackboard \
             recover` says what is lost and how to go on",
        )
        .with_code("log_behind"),
        Standing::Forked { has, seen } => Failure::refused(format!(
            "the log {log} has {} here, which are not those that CUHK has seen, {seen} of them: \
             something was entered into an old copy of it",
            counted(has, "entry")
        ))
        .with_remedy(
            "keep this home as evidence, and put the one in its place that CUHK has seen, or the \
             newest backup of that",
        )
        .with_code("log_forked"),
        Standing::Extends => Failure::fault(format!("the log {log} is in order")),
    }
}
