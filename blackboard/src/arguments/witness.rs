//! `blackboard witness` as it is typed.

use clap::{Args, Subcommand};
use scb_tlog::Hash;

use super::Output;

pub(super) const WITNESS_EXAMPLES: &str = "\
Examples:
  blackboard witness show
  blackboard witness accept-log --instead-of 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

const SHOW_EXAMPLES: &str = "\
Examples:
  blackboard witness show
  blackboard witness show --json           (with the signed checkpoints, which are the evidence)

Asks CUHK for its log and compares. Changes nothing. Exit codes: 0 the log begins with all that was
seen here, 3 it does not (log_forked), 4 CUHK is away.";

const ACCEPT_EXAMPLES: &str = "\
Examples:
  blackboard witness accept-log            (changes nothing: says what was seen and what there is)
  blackboard witness accept-log --instead-of 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=

For a CUHK that was restored from a backup and has gone on without the newest entries of its
log: ask its operator whether it was so. The tree is that of what was seen here, as `blackboard
witness show` prints it. What was seen stays as evidence; from then on the log as it is now is
what CUHK is held to. A server that runs takes it up within half a minute.";

/// `blackboard witness`.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum WitnessCommand {
    /// Compare CUHK's issuance log with what was seen of it here
    #[command(after_help = SHOW_EXAMPLES)]
    Show(Output),
    /// Go on with CUHK's log as it is now, though it contradicts what was seen
    #[command(after_help = ACCEPT_EXAMPLES)]
    AcceptLog(AcceptLog),
}

/// `blackboard witness accept-log`.
#[derive(Debug, Clone, Args)]
pub(crate) struct AcceptLog {
    /// The tree that was seen here and that CUHK's log no longer begins with: your word that you know why
    #[arg(long, value_name = "TREE")]
    pub(crate) instead_of: Option<Hash>,
}

impl WitnessCommand {
    pub(crate) fn json(&self) -> bool {
        matches!(self, Self::Show(output) if output.json)
    }
}
