//! `blackboard submissions` as it is typed.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use scb_certs::StudentId;
use scb_protocol::message::proposal::Reason;
use scb_protocol::statement::Label;

use super::Output;
use super::courses::Of;

pub(super) const SUBMISSIONS_EXAMPLES: &str = "\
Examples:
  blackboard submissions overview --course CSCI3150 --assignment lab-1
  blackboard submissions list
  blackboard submissions show S-000001 --json
  blackboard submissions export ./lab --json
  blackboard submissions archive lab-1.zip --course CSCI3150 --assignment lab-1";

const OVERVIEW_EXAMPLES: &str = "\
Examples:
  blackboard submissions overview --course CSCI3150 --assignment lab-1
  blackboard submissions overview --course CSCI3150 --assignment lab-1 --csv > lab-1.csv
  blackboard submissions overview --course CSCI3150 --assignment lab-1 --json

A line for each student of the class list, and for each who has handed in: the version that
counts, when its signed statement was recorded, by how much that is late by the student's own due
time, and what the rules say that it costs; else whose signatures are missing, or that files are.
Who has nothing is `missing` once it would be late. What was refused, declined or withdrawn since
is remarked. In a course without a class list only those are shown who have tried to hand in.";

const LIST_EXAMPLES: &str = "\
Examples:
  blackboard submissions list
  blackboard submissions list --course CSCI3150 --assignment lab-1
  blackboard submissions list --json
  blackboard submissions list --verify     (every signature; for thousands it takes a while)

Without --verify each line is compared with Blackboard's own log entry. With it a last line says how
many receipts were verified (`verified` in JSON). What was altered is named and left out, and the
exit code is 5.";

const SHOW_EXAMPLES: &str = "\
Examples:
  blackboard submissions show S-000001
  blackboard submissions show 1 --json

The receipt is verified, as a student or an outsider would verify it, by the root of this
home (HOME/ca.pem). Of each member it says when his signature was recorded and over which
connection it came: who opened that, with his certificate in TLS, and who was verified on it. A
connection is named by its T2, a hash that no other one has (docs/PROTOCOL.md, step 4), wherever
it came from: addresses are not recorded. What all have signed on one machine came at once, over
one connection that has no name in the log. What came back by its receipt after an old backup has
no more of this than that receipt; the rest is not known any more.";

const EXPORT_EXAMPLES: &str = "\
Examples:
  blackboard submissions export handed-in/
  blackboard submissions export lab-1/ --course CSCI3150 --assignment lab-1
  blackboard submissions export /media/usb/lab --json

Makes DIR/S-000001/ with the report under its name and receipt.zip, and so on. Reports and
receipts are verified while they are copied. Run again, it writes the same files again.";

const ARCHIVE_EXAMPLES: &str = "\
Examples:
  blackboard submissions archive lab-1.zip --course CSCI3150 --assignment lab-1
  student verify lab-1.zip                 (checks all of it, on any machine)
  unzip lab-1.zip && less VERIFY.md        (how to check it without our programs)

Every file and every receipt, and all entries of the assignment's log under a checkpoint that CUHK
has cosigned: whoever has the archive sees that none was left out. Once nothing can come any more,
by the rules, every extension and every upload that has begun, this is entered in the log and the
archive is final; before, it says that it is not. The server and CUHK must be running, so that CUHK
sees the last entries. A file that was altered on the disk ends it, and no archive is written.";

const UPLOADS_EXAMPLES: &str = "\
Examples:
  blackboard submissions uploads
  blackboard submissions uploads --json

RECORDED is what counts for the deadline. Until UNTIL the group's same command sends the rest. After
that what came of the files is removed, and the line stands below those of which files may still
come (`state` in JSON: `uploading`, then `never_came`).";

const DETACH_EXAMPLES: &str = "\
Examples:
  blackboard submissions detach S-000026 --student 1155000001 --reason 'named by mistake' --dry-run
  blackboard submissions detach S-000026 --student 1155000001 --reason 'named by mistake'
  blackboard submissions detach S-000026 --student 1155000001 --reason 'he was in it' --undo

For a group that went wrong. The version, its files and its receipts stay as they are; for the
student it does not count any more, he is bound to its other members no longer, and he may hand in
again, alone or with others, as far as the rules allow. For the other members nothing is changed.
It is an entry of the assignment's log; all of them see it, with the reason (`student history`).
Somebody must be left: what a student handed in alone, or a whole group, stays theirs. On a terminal
it asks; elsewhere it takes --yes (`not_confirmed`, exit code 2). A grade that is there stays until
the next import.";

/// `blackboard submissions`.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Submissions {
    /// Show who has handed in for an assignment, who is missing, and who is late by how much
    #[command(after_help = OVERVIEW_EXAMPLES)]
    Overview {
        #[command(flatten)]
        of: Of,
        /// Print CSV
        #[arg(long, conflicts_with = "json")]
        csv: bool,
        #[command(flatten)]
        output: Output,
    },
    /// List all submissions, or those of one course or assignment
    #[command(after_help = LIST_EXAMPLES)]
    List {
        #[command(flatten)]
        of: OfAny,
        /// Verify the receipt of each, as `show` does
        #[arg(long)]
        verify: bool,
        #[command(flatten)]
        output: Output,
    },
    /// Show one submission, its receipt verified
    #[command(after_help = SHOW_EXAMPLES)]
    Show {
        /// Its number, such as S-000001
        number: String,
        #[command(flatten)]
        output: Output,
    },
    /// List what was signed and recorded in time, but whose files have not all come
    #[command(after_help = UPLOADS_EXAMPLES)]
    Uploads {
        #[command(flatten)]
        output: Output,
    },
    /// Take a student out of what a group has handed in, where that went wrong
    Detach(Detach),
    /// Write everything of one assignment into one file that proves that nothing is missing
    #[command(after_help = ARCHIVE_EXAMPLES)]
    Archive(Archive),
    /// Write every submission into a folder of its own: its files and receipt.zip
    #[command(after_help = EXPORT_EXAMPLES)]
    Export {
        /// Directory to write into; it is made if it does not exist
        dir: PathBuf,
        #[command(flatten)]
        of: OfAny,
        #[command(flatten)]
        output: Output,
    },
}

/// Of which course, or of which of its assignments; of all where none is named.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct OfAny {
    /// Of this course only
    #[arg(long)]
    pub(crate) course: Option<Label>,
    /// Of this assignment of it only
    #[arg(long, requires = "course")]
    pub(crate) assignment: Option<Label>,
}

/// `blackboard submissions detach`.
#[derive(Debug, Clone, Args)]
#[command(after_help = DETACH_EXAMPLES)]
pub(crate) struct Detach {
    /// The version, such as S-000001
    pub(crate) number: String,
    /// For whom it is not to count: one member, or several with commas between them
    #[arg(long, value_name = "SID", value_delimiter = ',', required = true)]
    pub(crate) student: Vec<StudentId>,
    /// Why, on one line; all its members are told
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Reason,
    /// Let it count for them again
    #[arg(long)]
    pub(crate) undo: bool,
    /// Only say what would be changed
    #[arg(long, conflicts_with = "yes")]
    pub(crate) dry_run: bool,
    /// Do it without being asked
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// `blackboard submissions archive`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Archive {
    /// ZIP file to write; refused if something of that name is there
    pub(crate) file: PathBuf,
    /// Put it in the place of the file that is there
    #[arg(long)]
    pub(crate) replace: bool,
    #[command(flatten)]
    pub(crate) of: Of,
    /// For how long to wait until CUHK has seen the last entries: 0, 30s, 2min
    #[arg(long, value_name = "LENGTH", value_parser = scb_cli::parse_duration, default_value = "30s")]
    pub(crate) wait: u64,
    #[command(flatten)]
    pub(crate) output: Output,
}

impl Submissions {
    /// Whether the result, and an error, are wanted as JSON.
    pub(crate) fn json(&self) -> bool {
        match self {
            Self::Archive(archive) => archive.output.json,
            Self::Detach(detach) => detach.output.json,
            Self::Overview { output, .. }
            | Self::List { output, .. }
            | Self::Show { output, .. }
            | Self::Uploads { output }
            | Self::Export { output, .. } => output.json,
        }
    }
}
