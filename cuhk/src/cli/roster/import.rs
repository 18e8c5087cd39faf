//! `cuhk roster import`

mod report;

use std::io::Read;
use std::path::PathBuf;

use clap::{ValueEnum, ValueHint};
use indicatif::ProgressBar;
use scb_cli::{Failure, Input, counted};

use crate::cli::code::ValidDays;
use crate::cli::progress::bar;
use crate::cli::{Desk, now};
use crate::issuers::served_root;
use crate::roster_file::{NamedColumns, RosterReader};
use crate::roster_import::{
    Import, ImportOptions, Missing, import_roster_watched, rehearse_import,
};
use crate::store::Store;
use crate::{Error, open_home};
use scb_cli::confirm;

pub(super) const EXAMPLES: &str = "\
Examples:
  cuhk roster import roster.csv --dry-run               what would change; nothing does
  cuhk roster import roster.csv --codes-out codes.csv
  cuhk roster import roster.csv --codes-out again.csv --replace-codes
  cuhk roster import roster.csv --codes-out codes.csv --valid-days 60
  cuhk roster import roster.csv --missing suspend       those who are no longer listed
  cuhk roster import gc_course.xls --sid-column Username
  cuhk roster import studierende.csv --sid-column Matrikelnummer --name-column Name
  cuhk roster import f.csv --sid-column Matrikel --name-column Vorname --name-column Nachname
  registry-export | cuhk roster import -                from standard input

The file is CSV with a header: the columns sid,name,email,programme, in any order and any case,
or what Canvas (SIS export), Moodle (user list, course export) or Blackboard Learn (course export,
SIS feed) write, with headers in English or Chinese; UTF-8, or UTF-16 with a byte order mark.
Without a column for the address or the programme these stay as they are. Importing a file again
changes nothing. At most 1,000,000 rows.

A row is refused, with its line and the reason, if it has more or fewer fields than the header,
if its student is in the file already, in whatever case the ID is written, or if a text has marks
that control a screen or turn text round (U+202E); the other rows are imported. Texts such as =1+1
are kept as they are; on the code sheet they get an apostrophe in front, so that no spreadsheet
computes them.

A quotation mark that is opened and never closed makes the whole file useless: it is refused, with
the line on which it opens. One that is left open and closed by another one further down has its row
refused.

The file is compared first; if it is refused, nothing has changed. Then the changes are made, a
thousand at a time, so that other commands and a running server wait for half a second at most,
also for a million rows. If that is interrupted (a full disk, a power cut) the import counts all
the same: the next one makes the changes that are left first, and `cuhk doctor` says so until
then.

With --codes-out, students who have neither a certificate nor an open code get a code, good for 14
days or as many as --valid-days says; the file is for you to hand out and then to delete. With
--replace-codes as well those who have an open code get another, which ends that: where a sheet is
lost, or after `cuhk restore`, when codes that were used since the backup are open again. Who has a
certificate gets none, with one exception: after `cuhk restore` CUHK may have the certificate of
before a renewal, whose key nobody has any more. With --replace-codes who has shown a service one
that CUHK does not know gets a code; with --also-certified everybody whose certificate is from
before the restoration and about whom no service has asked since. The certificate of before counts
until it ends, as a machine too: for who has three, cuhk code issue SID --replace.

Who left so long ago that `cuhk prune` removed the name stays suspended, also if listed with one.

With --missing suspend, active students who are not listed, or are listed as deleted or suspended,
are suspended at once, unless a row is refused. If they are more than a third of all, the command
asks first, or wants their number: --suspend-many 4711. Who is listed again later is restored; who
was suspended by hand is not.

Rows without a student ID (a teacher's, or the last line of a feed) are counted, and are in nobody's
way. Such a row is refused if it has the name, the address or another ID of an active student who is
on no other row; and all of them are if no row has an ID.";

/// From this size on, in bytes, a terminal shows a progress bar.
const LARGE: u64 = 1024 * 1024;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// CSV file with a header, or `-` for standard input
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: Input,
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// What becomes of active students who are not in the file
    #[arg(long, value_enum, default_value_t = Fate::Keep)]
    missing: Fate,
    /// Suspend them even if they are more than a third of all: exactly this many
    #[arg(long, value_name = "NUMBER")]
    suspend_many: Option<usize>,
    /// The column that has the student ID, by its header
    #[arg(long, value_name = "NAME")]
    sid_column: Option<String>,
    /// The column that has the student's name, by its header; twice: given name and family name
    #[arg(long, value_name = "NAME")]
    name_column: Vec<String>,
    /// Take a Blackboard feed also if its last line is missing, or counts other rows
    #[arg(long)]
    any_footer: bool,
    /// Write codes for those who need one to this new file (mode 0600)
    #[arg(long, value_name = "FILE")]
    codes_out: Option<PathBuf>,
    /// New codes also for those who have one that was not used: those end (a lost sheet, a restoration)
    #[arg(long, requires = "codes_out")]
    replace_codes: bool,
    /// Codes also for those whose certificate may have been renewed between a backup and its restoration
    #[arg(long, requires = "codes_out")]
    also_certified: bool,
    #[command(flatten)]
    valid: ValidDays,
    /// Name every student; otherwise at most 20 of each kind of difference
    #[arg(long)]
    all: bool,
    /// Answer as a JSON object, with all of them
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Fate {
    /// Nothing
    Keep,
    /// They are suspended
    Suspend,
}

pub(super) fn run(desk: &Desk<'_>, arguments: &Arguments) -> Result<(), Failure> {
    if arguments.suspend_many.is_some() && arguments.missing == Fate::Keep {
        return Err(Failure::usage("--suspend-many goes with --missing suspend"));
    }
    if arguments.name_column.len() > 2 {
        return Err(Failure::usage(
            "--name-column goes once, or twice: for the given and for the family name",
        ));
    }
    let root = served_root(&open_home(desk.dir)?)?.fingerprint();
    let (_, store) = desk.open_to_write()?;
    let mut options = ImportOptions {
        sheet: arguments.codes_out.clone().map(|path| (path, root)),
        replace_codes: arguments.replace_codes,
        also_certified: arguments.also_certified,
        code_lifetime: arguments.valid.lifetime(),
        missing: match arguments.missing {
            Fate::Keep => Missing::Keep,
            Fate::Suspend => Missing::Suspend {
                expected: arguments.suspend_many,
            },
        },
        now: now(),
    };
    let import = match import(&store, arguments, options.clone()) {
        Err(Error::ManyMissing { missing, active })
            if !arguments.file.is_standard() && confirmed(missing, active) =>
        {
            let expected = Some(missing);
            options.missing = Missing::Suspend { expected };
            import(&store, arguments, options)
        }
        done => done,
    }?;
    match arguments.json {
        true => report::json(arguments, &import)?,
        false => report::text(arguments, &import)?,
    }
    refused(arguments, &import)
}

fn import(store: &Store, arguments: &Arguments, options: ImportOptions) -> Result<Import, Error> {
    let path = arguments.file.name().to_owned();
    let (source, reading) = source(&arguments.file)?;
    let changing = large(reading.length().unwrap_or_default(), CHANGING);
    let name: Vec<_> = arguments.name_column.iter().map(String::as_str).collect();
    let named = NamedColumns {
        sid: arguments.sid_column.as_deref(),
        name: &name,
    };
    let reader = RosterReader::new(source, named);
    let reader = reader.map(|reader| reader.with_any_footer(arguments.any_footer));
    let reader = reader.map_err(|reason| Error::roster(&path, reason));
    let done = reader.and_then(|reader| match arguments.dry_run {
        true => rehearse_import(store, path, reader, options),
        false => import_roster_watched(store, path, reader, options, &mut |done, all| {
            reading.finish_and_clear();
            changing.set_length(all);
            changing.set_position(done);
        }),
    });
    reading.finish_and_clear();
    changing.finish_and_clear();
    done
}

/// The file, and how much of it was read, for a terminal.
fn source(file: &Input) -> Result<(impl Read + Send + 'static, ProgressBar), Error> {
    let opened = file.open()?;
    let bar = large(opened.size, READING);
    Ok((bar.wrap_read(opened.bytes), bar))
}

fn large(size: u64, template: &str) -> ProgressBar {
    bar(size, size >= LARGE, template)
}

const READING: &str = "compared {bar:40} {bytes} of {total_bytes}, {eta} left";
const CHANGING: &str = "changes made {bar:40} {pos} of {len}, {eta} left";

/// Asks somebody at the keyboard; nobody there has not agreed.
fn confirmed(missing: usize, active: usize) -> bool {
    let question = format!(
        "{missing} of {} are not in this file and would be suspended.\n\
         Type their number to do that, or anything else to leave it: ",
        counted(active, "active student")
    );
    confirm::confirmed(&question, &missing.to_string())
}

/// Rows that were refused are an error, after all else is said.
fn refused(arguments: &Arguments, import: &Import) -> Result<(), Failure> {
    let counts = import.counts;
    let withheld = arguments.missing == Fate::Suspend && counts.missing > 0;
    match counts.refused {
        0 => Ok(()),
        refused => Err(Error::RowsRefused {
            refused,
            total: counts.rows,
            others: match (arguments.dry_run, withheld) {
                (true, false) => "the others would be imported",
                (true, true) => "the others would be imported, and nobody suspended",
                (false, false) => "the others are imported",
                (false, true) => "the others are imported, and nobody was suspended",
            },
        }
        .into()),
    }
}
