//! `blackboard course`, `assignment` and `extension` as they are typed.

use clap::{Arg, Args, Subcommand, ValueHint};
use rustls_pki_types::UnixTime;
use scb_certs::StudentId;
use scb_cli::{Input, parse_duration, parse_moment};
use scb_protocol::rules::{Counts, FileKind, GroupSize, Groups, LateRule, Title};
use scb_protocol::statement::Label;

use super::Output;

pub(crate) const COURSE_EXAMPLES: &str = "\
Examples:
  blackboard course add CSCI3150 --title 'Operating Systems'
  blackboard course list
  blackboard course members CSCI3150 --list class.csv";

const COURSE_ADD_EXAMPLES: &str = "\
Examples:
  blackboard course add CSCI3150 --title 'Operating Systems'
  blackboard course add CSCI3150 --title 'Operating Systems' --list class.csv

Without a list every student on CUHK's roster may hand in. See `blackboard course members --help`
for what a class list looks like.";

const COURSE_LIST_EXAMPLES: &str = "\
Examples:
  blackboard course list
  blackboard course list --json";

const MEMBERS_EXAMPLES: &str = "\
Examples:
  blackboard course members CSCI3150
  blackboard course members CSCI3150 --list class.csv
  registry-export CSCI3150 | blackboard course members CSCI3150 --list -
  blackboard course members CSCI3150 --anybody

A class list is a CSV file with a header; the column of the student IDs is `sid`, `Student ID`,
`SIS User ID` (Canvas), `ID number` (Moodle) or `Username` (Blackboard Learn). Rows without an ID
are left out; an ID that looks unlike the others, as `abc` among numbers, is refused with its
line, and one that stands there twice is told. The list takes the place of the one before, and
counts from then on.";

const COURSE_WITHDRAW_EXAMPLES: &str = "\
Examples:
  blackboard course withdraw CSCI3510

For a course that was added by mistake. Its assignments are withdrawn with it, if nobody has
handed in for any of them; otherwise nothing is changed.";

/// `blackboard course`.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum CourseCommand {
    /// Add a course
    #[command(after_help = COURSE_ADD_EXAMPLES)]
    Add {
        /// Its short name, such as CSCI3150
        course: Label,
        /// What it is called
        #[arg(long)]
        title: Title,
        /// CSV file of those who are in it, or `-` for standard input; without it, every student
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        list: Option<Input>,
        /// Take IDs that look unlike the others in the file
        #[arg(long, requires = "list")]
        mixed_ids: bool,
        #[command(flatten)]
        output: Output,
    },
    /// List all courses
    #[command(after_help = COURSE_LIST_EXAMPLES)]
    List {
        #[command(flatten)]
        output: Output,
    },
    /// Show who is in a course, or put another class list in its place
    #[command(after_help = MEMBERS_EXAMPLES)]
    Members {
        /// The course
        course: Label,
        /// CSV file of those who are in it from now on, or `-` for standard input
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "anybody")]
        list: Option<Input>,
        /// Take IDs that look unlike the others in the file
        #[arg(long, requires = "list")]
        mixed_ids: bool,
        /// Every student from now on
        #[arg(long)]
        anybody: bool,
        #[command(flatten)]
        output: Output,
    },
    /// Take back a course that was added by mistake
    #[command(after_help = COURSE_WITHDRAW_EXAMPLES)]
    Withdraw {
        /// The course
        course: Label,
        #[command(flatten)]
        output: Output,
    },
}

pub(crate) const ASSIGNMENT_EXAMPLES: &str = "\
Examples:
  blackboard assignment add --course CSCI3150 --title 'Lab 1' --due '2026-12-01 23:59'
  blackboard assignment change lab-1 --course CSCI3150 --due '2026-12-02 23:59'
  blackboard assignment list";

const ADD_EXAMPLES: &str = "\
Examples:
  blackboard assignment add --course CSCI3150 --title 'Lab 1' --due '2026-12-01 23:59'
  blackboard assignment add --course CSCI3150 --title 'Project' --due '2026-12-01 23:59' \\
      --grace 10min --late-rule '10%/day to 50%' --cutoff '2026-12-06 23:59' \\
      --group-size 1..3 --max-bytes 20MiB --accept pdf,zip

Times are RFC 3339, or as in the examples: in the zone of this machine, that of the environment
variable TZ, or with an offset (`2026-12-01 23:59 +08:00`). Stored is UTC. Each moment still belongs
to what comes before it: at 23:59:00 it is on time. What counts is when the signed statement is
committed, by this server's clock; the files may follow.

Late rules: `none` refuses what comes after the grace; `mark` takes it until the cut-off and marks
it; `P%/day` and `P%/hour` take it and cost P percent of the full mark for each 24 hours or 60
minutes begun after the due time, with ` to M%` M percent at most. Everything is an entry of the
assignment's log, and students are shown it.";

const CHANGE_EXAMPLES: &str = "\
Examples:
  blackboard assignment change lab-1 --course CSCI3150 --due '2026-12-02 23:59'
  blackboard assignment change lab-1 --course CSCI3150 --late-rule none --no-cutoff

What is not given stays as it is. Each change is an entry of the assignment's log; students see what
was changed and when (`student assignments`). If it brings the due time or the cut-off forward, it
is told how many have handed in or begun; to less than a day from now it asks, or without a
terminal refuses (`short_notice`, exit code 3), unless --yes is given. So it does where less is
taken from now on of what is open: another --opens, --max-bytes, --accept, --group-size. To a time
that is over nothing is brought forward (`rules_backdated`, exit code 3).";

const CLOSE_EXAMPLES: &str = "\
Examples:
  blackboard assignment close lab --course SANDBOX

  blackboard assignment close lab-1 --course CSCI3150 --with-extensions

From now on nothing is taken, but of those who have an extension that lasts longer: they are named.
With --with-extensions these end as well. What was handed in stays, and on time if it was. It is
told how many have handed in or begun, and asked; where nobody can answer it takes --yes
(`not_confirmed`, exit code 2).";

const ASSIGNMENT_LIST_EXAMPLES: &str = "\
Examples:
  blackboard assignment list
  blackboard assignment list --course CSCI3150 --json";

const ASSIGNMENT_SHOW_EXAMPLES: &str = "\
Examples:
  blackboard assignment show lab-1 --course CSCI3150
  blackboard assignment show lab-1 --course CSCI3150 --json";

const WITHDRAW_EXAMPLES: &str = "\
Examples:
  blackboard assignment withdraw lab-11 --course CSCI3150

For an assignment that was added by mistake: students are shown it no longer, and an entry of its
log says so. If somebody has handed in, signed or was graded, nothing is changed: close it
instead, or change its rules. It may be added again under the same name.";

/// `blackboard assignment`.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum AssignmentCommand {
    /// Add an assignment to a course
    #[command(after_help = ADD_EXAMPLES)]
    Add(Box<AddAssignment>),
    /// Change the rules of an assignment
    #[command(after_help = CHANGE_EXAMPLES, mut_args(stays))]
    Change(Box<ChangeAssignment>),
    /// Take nothing any more
    #[command(after_help = CLOSE_EXAMPLES)]
    Close {
        #[command(flatten)]
        which: Which,
        /// End the extensions as well, at the end of their time of grace
        #[arg(long)]
        with_extensions: bool,
        /// Close it without being asked
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        output: Output,
    },
    /// Take back an assignment that was added by mistake
    #[command(after_help = WITHDRAW_EXAMPLES)]
    Withdraw {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        output: Output,
    },
    /// List the assignments
    #[command(after_help = ASSIGNMENT_LIST_EXAMPLES)]
    List {
        /// Of this course only
        #[arg(long)]
        course: Option<Label>,
        #[command(flatten)]
        output: Output,
    },
    /// Show the rules of an assignment, its extensions, and what was changed
    #[command(after_help = ASSIGNMENT_SHOW_EXAMPLES)]
    Show {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        output: Output,
    },
}

/// One assignment.
#[derive(Debug, Clone, Args)]
pub(crate) struct Which {
    /// The assignment
    pub(crate) assignment: Label,
    /// Its course
    #[arg(long)]
    pub(crate) course: Label,
}

/// One assignment, of a command that is about something else.
#[derive(Debug, Clone, Args)]
pub(crate) struct Of {
    /// The course
    #[arg(long)]
    pub(crate) course: Label,
    /// The assignment
    #[arg(long)]
    pub(crate) assignment: Label,
}

impl Of {
    /// The same as it is named elsewhere.
    pub(crate) fn which(&self) -> Which {
        Which {
            assignment: self.assignment.clone(),
            course: self.course.clone(),
        }
    }
}

/// `blackboard assignment add`.
#[derive(Debug, Clone, Args)]
pub(crate) struct AddAssignment {
    /// The course
    #[arg(long)]
    pub(crate) course: Label,
    /// What the assignment is called
    #[arg(long)]
    pub(crate) title: Title,
    /// Its short name [default: made from the title]
    #[arg(long, value_name = "NAME")]
    pub(crate) id: Option<Label>,
    /// Until when work is on time
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    pub(crate) due: UnixTime,
    #[command(flatten)]
    pub(crate) rules: RuleOptions,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// `blackboard assignment change`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ChangeAssignment {
    #[command(flatten)]
    pub(crate) which: Which,
    /// What the assignment is called
    #[arg(long)]
    pub(crate) title: Option<Title>,
    /// Until when work is on time
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    pub(crate) due: Option<UnixTime>,
    /// Late work is always taken
    #[arg(long, conflicts_with = "cutoff")]
    pub(crate) no_cutoff: bool,
    /// Files of every kind
    #[arg(long, conflicts_with = "accept")]
    pub(crate) accept_all: bool,
    /// Bring a deadline forward to less than a day from now, without being asked
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) rules: RuleOptions,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Of what is changed, what is not given stays as it is, whatever it would be in something new.
fn stays(option: Arg) -> Arg {
    let help = option.get_help().map(ToString::to_string);
    let help = help.unwrap_or_default();
    match help.split_once(" [default: ") {
        Some((what, _)) => option.help(format!("{what} [default: unchanged]")),
        None => option,
    }
}

/// Rules that may be left out.
#[derive(Debug, Clone, Args)]
pub(crate) struct RuleOptions {
    /// From when on work is taken [default: at once]
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    pub(crate) opens: Option<UnixTime>,
    /// For so long after the due time nothing is late yet: 0, 90s, 10min, 2h, 1d [default: 0]
    #[arg(long, value_name = "LENGTH", value_parser = parse_duration)]
    pub(crate) grace: Option<u64>,
    /// Until when late work is taken [default: always, unless the late rule is `none`]
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    pub(crate) cutoff: Option<UnixTime>,
    /// What becomes of late work: none, mark, 10%/day, 2%/hour, '10%/day to 50%' [default: none]
    #[arg(long, value_name = "RULE")]
    pub(crate) late_rule: Option<LateRule>,
    /// Which version counts of several: latest or first [default: latest]
    #[arg(long, value_name = "WHICH")]
    pub(crate) counts: Option<Counts>,
    /// How many hand in together: 3, or 1..3; at most 8 [default: 1 up to `max_members` of
    /// config.toml]
    #[arg(long, value_name = "SIZE")]
    pub(crate) group_size: Option<GroupSize>,
    /// Whether students stay with those with whom they have handed in: kept (more may join,
    /// nobody is left behind) or free [default: kept]
    #[arg(long, value_name = "WHETHER")]
    pub(crate) groups: Option<Groups>,
    /// Most bytes of all files together: 20MiB, 500KiB, 1GiB or a number [default: `max_bytes` of
    /// config.toml, which is the most that can be given]
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    pub(crate) max_bytes: Option<u64>,
    /// What names of files may end with, such as pdf,zip [default: anything]
    #[arg(long, value_name = "KINDS", value_delimiter = ',')]
    pub(crate) accept: Vec<FileKind>,
}

pub(crate) const EXTENSION_EXAMPLES: &str = "\
Examples:
  blackboard extension add lab-1 --course CSCI3150 --student 1155000001 --due '2026-12-08 23:59'
  blackboard extension list lab-1 --course CSCI3150
  blackboard extension remove lab-1 --course CSCI3150 --student 1155000001";

const EXTENSION_ADD_EXAMPLES: &str = "\
Examples:
  blackboard extension add lab-1 --course CSCI3150 --student 1155000001 --due '2026-12-08 23:59'
  blackboard extension add lab-1 --course CSCI3150 --student 1155000001,1155000002 \\
      --due '2026-12-08 23:59' --cutoff '2026-12-10 23:59'

An extension is the student's alone. The group may hand in as long as any of its members may, and
each member is judged by his own due time: name all of a group to extend it for the whole group. His
grace and his penalty are counted from his due time. It takes the place of an earlier one, is an
entry of the assignment's log, and he sees it (`student assignments`). If the common deadline is
moved beyond it later, that counts; moved back, the extension does again.";

const EXTENSION_LIST_EXAMPLES: &str = "\
Examples:
  blackboard extension list lab-1 --course CSCI3150
  blackboard extension list lab-1 --course CSCI3150 --json";

const EXTENSION_REMOVE_EXAMPLES: &str = "\
Examples:
  blackboard extension remove lab-1 --course CSCI3150 --student 1155000001
  blackboard extension remove lab-1 --course CSCI3150 --student 1155000001 --yes

Whoever loses time by it is named, and it asks; where nobody can answer it takes --yes
(`not_confirmed`, exit code 2). `extension add` with less time than before does the same.
The student is told what was changed, with the entry of the log (`student assignments`).";

/// `blackboard extension`.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ExtensionCommand {
    /// Give a student, or all of a group, more time
    #[command(after_help = EXTENSION_ADD_EXAMPLES)]
    Add {
        #[command(flatten)]
        which: Which,
        /// Who gets it: one student, or several with commas between them
        #[arg(long, value_name = "SID", value_delimiter = ',', required = true)]
        student: Vec<StudentId>,
        /// Until when their work is on time
        #[arg(long, value_name = "TIME", value_parser = parse_moment)]
        due: UnixTime,
        /// Also for who is not on the class list yet
        #[arg(long)]
        not_listed_yet: bool,
        /// Until when their late work is taken [default: the common cut-off, or, if that is
        /// earlier, the end of their grace]
        #[arg(long, value_name = "TIME", value_parser = parse_moment)]
        cutoff: Option<UnixTime>,
        /// Also where it is less time than they have, without being asked
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        output: Output,
    },
    /// Take extensions back
    #[command(after_help = EXTENSION_REMOVE_EXAMPLES)]
    Remove {
        #[command(flatten)]
        which: Which,
        /// Whose: one student, or several with commas between them
        #[arg(long, value_name = "SID", value_delimiter = ',', required = true)]
        student: Vec<StudentId>,
        /// Take time away without being asked
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        output: Output,
    },
    /// List the extensions of an assignment
    #[command(after_help = EXTENSION_LIST_EXAMPLES)]
    List {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        output: Output,
    },
}

impl CourseCommand {
    /// Whether the result, and an error, are wanted as JSON.
    pub(crate) fn json(&self) -> bool {
        match self {
            Self::Add { output, .. }
            | Self::List { output }
            | Self::Members { output, .. }
            | Self::Withdraw { output, .. } => output.json,
        }
    }
}

impl AssignmentCommand {
    /// Whether the result, and an error, are wanted as JSON.
    pub(crate) fn json(&self) -> bool {
        match self {
            Self::Add(add) => add.output.json,
            Self::Change(change) => change.output.json,
            Self::Close { output, .. }
            | Self::Withdraw { output, .. }
            | Self::List { output, .. }
            | Self::Show { output, .. } => output.json,
        }
    }
}

impl ExtensionCommand {
    /// Whether the result, and an error, are wanted as JSON.
    pub(crate) fn json(&self) -> bool {
        match self {
            Self::Add { output, .. } | Self::Remove { output, .. } | Self::List { output, .. } => {
                output.json
            }
        }
    }
}

/// `20MiB`, `500KiB`, `1GiB`, or a number of bytes.
fn parse_bytes(text: &str) -> Result<u64, String> {
    let units = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("", 1),
    ];
    let parsed = units.into_iter().find_map(|(unit, size): (_, u64)| {
        let number: u64 = text.strip_suffix(unit)?.trim_end().parse().ok()?;
        number.checked_mul(size).filter(|bytes| *bytes > 0)
    });
    parsed.ok_or_else(|| "not a size such as 20MiB, 500KiB, 1GiB or 1048576".to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_size_with_or_without_its_unit() {
        for (text, bytes) in [
            ("1", 1),
            ("500KiB", 512_000),
            ("20 MiB", 20 << 20),
            ("1GiB", 1 << 30),
        ] {
            assert_eq!(parse_bytes(text), Ok(bytes));
        }
        for text in ["", "0", "MiB", "-1", "1MB", "1.5GiB", "99999999999GiB"] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }
}
