//! Somebody agrees to what ends a service, or nothing is done.

use scb_cli::confirm::{confirmed, is_anybody_there};
use scb_cli::{Failure, exit};

/// Asks at a terminal, where `expected` is to be typed; where nobody can answer, that is none.
///
/// # Errors
///
/// `not_confirmed`, which begins with `only_if`, such as `it is removed`.
pub(super) fn require(question: &str, expected: &str, only_if: &str) -> Result<(), Failure> {
    if confirmed(question, expected) {
        return Ok(());
    }
    let nobody = Failure::usage(format!(
        "{only_if} only if somebody agrees; nothing was done"
    ));
    Err(match is_anybody_there() {
        true => Failure {
            exit: exit::REFUSED,
            ..nobody
        },
        false => nobody.with_remedy("add --yes where nobody can answer"),
    }
    .with_code("not_confirmed"))
}
