//! `blackboard grades` as it is typed.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};
use scb_cli::Input;
use scb_protocol::grade::Points;
use scb_protocol::rules::Title;

use super::Output;
use super::courses::Of;

pub(crate) const GRADES_EXAMPLES: &str = "\
Examples:
  blackboard grades import canvas.csv --course CSCI3150 --assignment lab-1 --dry-run
  blackboard grades import canvas.csv --course CSCI3150 --assignment lab-1 --grader 'Dr Chan'
  blackboard grades release --course CSCI3150 --assignment lab-1";

const IMPORT_EXAMPLES: &str = "\
Examples:
  blackboard grades import canvas.csv --course CSCI3150 --assignment lab-1 --dry-run
  blackboard grades import moodle.csv --course CSCI3150 --assignment lab-1 --grader 'Dr Chan'
  blackboard grades import marks.csv --course CSCI3150 --assignment lab-1 --groups --maximum 10
  ./marks.sh | blackboard grades import - --course CSCI3150 --assignment lab-1 --grader 'Dr Chan'

Read are the gradebooks that Canvas and Moodle export, Moodle's grading worksheet, and CSV files
with the columns `sid` and `grade`, or others named by --sid-column and --column; further
`group_grade`, `maximum` and `comment` if they are there. Cells may be separated by commas,
semicolons, tabs or vertical bars, in UTF-8 or in UTF-16 with a byte order mark; where
semicolons separate them `8,5` is eight and a half. An empty cell, and the `EX` of who is
excused in Canvas, change nothing. With --groups a grade is that of the whole group; a member's
own comes before it, as it does before `group_grade`. A member for whom another version counts,
or for whom it was closed when this one came, gets nothing from it and is named. If one row is
wrong nothing is imported, and every wrong row is named. An ID that is on no class list here and
has never handed in anything is taken for a mistake, unless --not-listed-yet says that it is
right. With --apply-lateness what the late rule says is taken off, for each student by his own
due time; the signed grade keeps what the work was worth, the rule and what is left. Of what
came when it was closed for a student, with others who had more time, nothing is left. Points
that lateness has left before, as an exported gradebook has them, are not reduced again. Each
grade that differs from what is here is signed and entered in the assignment's log; students see
it after `blackboard grades release`.";

const EXPORT_EXAMPLES: &str = "\
Examples:
  blackboard grades export --course CSCI3150 --assignment lab-1 \\
      --for canvas --template canvas.csv > new.csv
  blackboard grades export --course CSCI3150 --assignment lab-1 --for moodle --out moodle.csv

The template is what the platform exported: in it only the grades and comments of this
assignment are changed; all other cells, what separates them, the encoding, the byte order mark,
the ends of lines and the comma or point before decimals stay as they are. Who is excused in
Canvas (`EX`) stays so, unless --overwrite-excused is given. Without a template only students
with a grade are written: for Moodle a gradebook for Grades > Import > CSV file, where `ID number`
is to be mapped to ID number. Moodle takes grading worksheets only as it made them itself.";

const RELEASE_EXAMPLES: &str = "\
Examples:
  blackboard grades release --course CSCI3150 --assignment lab-1

Until then students are told nothing. A grade that is changed later is not shown until it is
released, too: until then the one before is, and from then on what it was, and until when. The
release is signed and entered in the assignment's log: since when a grade could be seen, nobody
can dispute.";

const LIST_EXAMPLES: &str = "\
Examples:
  blackboard grades list --course CSCI3150 --assignment lab-1
  blackboard grades list --course CSCI3150 --assignment lab-1 --history
  blackboard grades list --course CSCI3150 --assignment lab-1 --json

`no, still 9 of 10` says that this grade is not released yet, and what the student sees until
it is.";

/// `blackboard grades`.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum GradesCommand {
    /// Take grades from a gradebook: all of them, or none if a row is wrong
    #[command(after_help = IMPORT_EXAMPLES)]
    Import(Import),
    /// Write grades as a gradebook, or into one
    #[command(after_help = EXPORT_EXAMPLES)]
    Export(Export),
    /// Let students see their grades
    #[command(after_help = RELEASE_EXAMPLES)]
    Release {
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        output: Output,
    },
    /// List the grades of an assignment
    #[command(after_help = LIST_EXAMPLES)]
    List {
        #[command(flatten)]
        of: Of,
        /// Show, too, what students could see before, and from when until when
        #[arg(long)]
        history: bool,
        #[command(flatten)]
        output: Output,
    },
}

/// `blackboard grades import`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Import {
    /// The gradebook, a CSV file, or `-` for standard input
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: Input,
    #[command(flatten)]
    pub(crate) of: Of,
    /// Who graded
    #[arg(long, value_name = "NAME", env = "USER", value_parser = grader)]
    pub(crate) grader: Title,
    /// The points of a work without fault, where the file does not say
    #[arg(long, value_name = "POINTS")]
    pub(crate) maximum: Option<Points>,
    /// The column of the grades [default: the one that is called like the assignment]
    #[arg(long, value_name = "NAME")]
    pub(crate) column: Option<String>,
    /// The column of the student IDs, or of e-mail addresses that begin with them
    #[arg(long, value_name = "NAME")]
    pub(crate) sid_column: Option<String>,
    /// A grade is that of the student's whole group; a member's own comes before it
    #[arg(long)]
    pub(crate) groups: bool,
    /// The grades are for the work as such: take off what the assignment's late rule says
    #[arg(long)]
    pub(crate) apply_lateness: bool,
    /// Take grades of students, too, who are not on the class list yet, or whom this server has not
    /// met: on any class list, or handing in
    #[arg(long)]
    pub(crate) not_listed_yet: bool,
    /// Change nothing; show what would be changed
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// `blackboard grades export`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Export {
    #[command(flatten)]
    pub(crate) of: Of,
    /// Whose gradebook it is
    #[arg(long = "for", value_enum, value_name = "PLATFORM")]
    pub(crate) platform: PlatformName,
    /// The gradebook that the platform exported, into which the grades are written, or `-` for
    /// standard input
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) template: Option<Input>,
    /// The column of the grades [default: the one that is called like the assignment]
    #[arg(long, value_name = "NAME")]
    pub(crate) column: Option<String>,
    /// The column of the student IDs, or of e-mail addresses that begin with them
    #[arg(long, value_name = "NAME")]
    pub(crate) sid_column: Option<String>,
    /// Write grades, too, where Canvas has a student excused (`EX`)
    #[arg(long)]
    pub(crate) overwrite_excused: bool,
    /// File to write [default: standard output]; of what is there only an earlier gradebook of the
    /// same form is replaced
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// Who graded. It has the form of a title, and whoever gave a name is not told of a title.
fn grader(name: &str) -> Result<Title, &'static str> {
    let form =
        "who graded is 1 to 200 bytes, without line breaks, tabs or other control characters";
    name.parse::<Title>().map_err(|_| form)
}

/// Platforms with a gradebook of their own form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlatformName {
    /// Instructure's Canvas.
    Canvas,
    /// Moodle's grading worksheet, or its gradebook.
    Moodle,
}

impl GradesCommand {
    /// Whether the result, and an error, are wanted as JSON.
    pub(crate) fn json(&self) -> bool {
        match self {
            Self::Import(import) => import.output.json,
            Self::Export(_) => false,
            Self::Release { output, .. } | Self::List { output, .. } => output.json,
        }
    }
}
