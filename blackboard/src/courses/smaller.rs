//! Assignments whose rules allow more than the server takes: nobody is to learn that by a refusal.

use rustls_pki_types::UnixTime;
use scb_cli::counted;
use scb_protocol::rules::Standing;

use crate::store::{Assignment, Error, Store};

/// What is said of an assignment; nothing where its rules allow no more than this server takes.
pub(super) fn remark(assignment: &Assignment, limit: u64) -> Option<String> {
    let allowed = assignment.rules().max_bytes;
    (limit < allowed).then(|| {
        format!(
            "this server takes {} at most (`max_bytes` in HOME/config.toml): more is refused, whatever the rules say",
            counted(limit, "byte")
        )
    })
}

/// What is said of all of them that are not closed when the server starts.
///
/// # Errors
///
/// [`Error::Storage`], [`Error::CoursesAltered`].
pub(crate) fn at_start(store: &Store, limit: u64, now: UnixTime) -> Result<Option<String>, Error> {
    let all = store.assignments(None)?;
    let is_closed =
        |one: &Assignment| matches!(one.rules().judge(now, None), Standing::Closed { .. });
    let smaller = all
        .iter()
        .filter(|one| limit < one.rules().max_bytes && !is_closed(one));
    let named: Vec<_> = smaller
        .map(|one| {
            let allowed = counted(one.rules().max_bytes, "byte");
            format!("{}/{} ({allowed})", one.course, one.assignment)
        })
        .collect();
    let told = || {
        format!(
            "max_bytes in config.toml is {limit}, less than the signed rules allow of {}: hand-ins between the two are \
             refused. Raise it, or change the rules (`blackboard assignment change --max-bytes`)",
            named.join(", ")
        )
    };
    Ok((!named.is_empty()).then(told))
}
