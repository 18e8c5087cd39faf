//! Asking the teacher before something is taken away from students.

use scb_cli::Failure;
use scb_cli::confirm::{confirmed, is_anybody_there};

/// Goes on if the teacher has agreed, or agrees now.
///
/// # Errors
///
/// `not_confirmed`.
pub(crate) fn agreed(told: String, yes: bool) -> Result<(), Failure> {
    if yes || confirmed(&format!("{told}. Type `yes` to do it: "), "yes") {
        return Ok(());
    }
    let refused = match is_anybody_there() {
        true => Failure::refused(told).with_remedy("nothing was changed"),
        false => Failure::usage(told)
            .with_remedy("nothing was changed; where nobody can answer --yes does it"),
    };
    Err(refused.with_code("not_confirmed"))
}
