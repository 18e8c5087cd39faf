//! The arguments of each command.

use std::path::PathBuf;

use clap::Args;
use scb_certs::StudentId;
use scb_protocol::message::proposal::Reason;
use scb_protocol::statement::SubmissionId;
use scb_protocol::statement::SubmissionNumber;
use scb_tlog::VerifierKey;

use super::values::{Named, named, student_id, submission_number};
use crate::passphrases::PassphraseFile;

/// Arguments of `student enrol`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  student enrol --ids 1155000001 --codes codes.csv
  student enrol --ids 1155000001 --new-device   (with a code of its own: a further machine)
  student enrol --ids 1155000001 --replace      (with a new code: a lost key)
  student enrol --ids 1155000001 --protect      (asks for a passphrase for the new key)")]
pub struct Enrol {
    /// Who: student IDs, separated by commas
    #[command(flatten)]
    pub ids: Ids,
    /// Make a new key although there is a certificate, for instance a revoked one
    #[arg(long)]
    pub replace: bool,
    /// For a student who has a certificate on another machine, which stays good: takes a code
    /// of its own
    #[arg(long, conflicts_with = "replace")]
    pub new_device: bool,
    /// Encrypt new keys: asks for a passphrase, unless --passphrase-file gives it
    #[arg(long)]
    pub protect: bool,
}

/// Arguments of `student renew`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  student renew                                   (everybody whose key is here)
  student renew --ids 1155000001 --json
  student renew --ids 1155000001 --same-key       (the same key for another 30 days,
                                                   in the second half of its certificate's life)

Every command that talks to CUHK does this by itself when two thirds of a certificate's life are
over, so that it is seldom needed. A certificate that has ended can be renewed by its key for some
time (30 days, unless CUHK says otherwise); later it takes a code: student enrol. The passphrase
of a key stays. The old key is removed when the new certificate is stored; the same command after
an interruption goes on where it was.")]
pub struct Renew {
    /// Who: student IDs, separated by commas; without it, everybody who has a certificate here
    #[arg(long, value_name = "A,B,C", value_delimiter = ',', value_parser = student_id)]
    pub ids: Vec<StudentId>,
    /// Have the present key certified again instead of a new one
    #[arg(long)]
    pub same_key: bool,
}

/// Arguments of `student submit`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  student submit --ids 1155000001,1155000002,1155000003 report.pdf
  student submit --ids 1155000001 report.pdf src           (files and folders, up to 100 files)
  student submit --ids 1155000001 --with 1155000002 report.pdf    (who signs on another machine)
  student submit --ids 1155000001 --course CSCI3310 --assignment lab --json report.pdf
  student --sandbox /tmp/scb submit --explain --trace run.html      (for a class)

The same command after an interruption goes on where it stopped: what is there already is compared
and not sent again, and nothing is stored twice. What counts for the deadline is when the signed
statement was recorded, not when the last byte came; with --with, when the last member signed. The
same command then gets the receipt.")]
pub struct Submit {
    /// What is handed in: files, or a folder of files; in a sandbox, without any, submission.txt
    /// made from the IDs
    #[arg(value_name = "FILE|FOLDER", conflicts_with = "report")]
    pub files: Vec<PathBuf>,
    /// Who, in the order of the group: student IDs, separated by commas
    #[command(flatten)]
    pub ids: Ids,
    /// Members of the group whose keys are on other machines: they sign there, by `student cosign`
    #[arg(long, value_name = "B,C", value_delimiter = ',', value_parser = student_id)]
    pub with: Vec<StudentId>,
    /// Hand in although it is late and takes the place of what costs less, or was signed; without it
    /// that is asked on a terminal, and else refused (costs_more, exit code 3)
    #[arg(long)]
    pub even_if_late: bool,
    /// Hand in although a file holds a private key, made for this exercise; without it that is
    /// asked on a terminal, and else refused (private_keys, exit code 3)
    #[arg(long)]
    pub with_private_keys: bool,
    /// Write a page (HTML) that shows every message of this run; without secrets
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
}

/// Arguments of `student cosign`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  student cosign                                  (shows what waits; on a terminal: asks)
  student cosign --file report.pdf                (and whether it is this very file)
  student cosign --yes 5f2b6c0e9d8a4b7c8e1f0a2b3c4d5e6f
  student cosign --refuse 5f2b6c0e9d8a4b7c8e1f0a2b3c4d5e6f --reason 'page 3 is not mine'
  student cosign --json

Without --yes and without a terminal nothing is signed. --yes shows it first, unless it was shown
before; what is another statement than was shown is not signed (proposal_changed). Shown are the
files with their SHA-256, the members and what each has said, the rules, and what lateness would
cost whom if the last signature came now: that moment counts. Others' signatures are checked here.
Whose signature the rules would refuse now is told why, and is not asked; --yes sends it all the
same, and ends with exit code 3. What is open comes first. Receipts of what is complete are
fetched.")]
pub struct Cosign {
    /// Who: student IDs, separated by commas; everybody with a certificate here when left out
    #[arg(long, value_name = "A,B,C", value_delimiter = ',', value_parser = student_id)]
    pub ids: Vec<StudentId>,
    /// Compare this file with those that are to be signed
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Show what has ended without anybody here having signed it as well
    #[arg(long)]
    pub all: bool,
    /// Sign this one, for all students here who are to sign it, without asking
    #[arg(long, value_name = "SUBMISSION-ID", conflicts_with = "refuse")]
    pub yes: Option<SubmissionId>,
    /// Do not sign this one: nobody can then, and the others are told
    #[arg(long, value_name = "SUBMISSION-ID")]
    pub refuse: Option<SubmissionId>,
    /// What the others are told why, on one line
    #[arg(long, value_name = "TEXT", requires = "refuse")]
    pub reason: Option<Reason>,
}

/// Arguments of `student withdraw`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  student withdraw 5f2b6c0e9d8a4b7c8e1f0a2b3c4d5e6f
  student withdraw 5f2b6c0e9d8a4b7c8e1f0a2b3c4d5e6f --reason 'a page is missing'

Everybody who has signed may; the others are told. What was signed by all together and whose
files have not come (`student history` shows it) is given up by all of them, from where their
keys are. What is handed in, and has a number such as S-000001, cannot be taken back: hand in
another version. `student cosign` shows the IDs.")]
pub struct Withdraw {
    /// The submission ID of what waits
    #[arg(value_name = "SUBMISSION-ID", value_parser = named)]
    pub submission: Named,
    /// Who: student IDs, separated by commas; everybody with a certificate here when left out
    #[arg(long, value_name = "A,B,C", value_delimiter = ',', value_parser = student_id)]
    pub ids: Vec<StudentId>,
    /// What the others are told why, on one line
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<Reason>,
}

/// `--ids A,B,C`.
#[derive(Debug, Args)]
pub struct Ids {
    /// Student IDs, separated by commas; in a sandbox the sample IDs when left out
    #[arg(long, value_name = "A,B,C", value_delimiter = ',', value_parser = student_id)]
    pub ids: Vec<StudentId>,
}

/// Arguments of `student verify`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  student verify receipts/S-000001.zip
  student verify S-000001.zip my-project/
  student verify S-000001.zip main.c real.txt src/
  student verify S-000001.zip report.pdf --ca-fingerprint 3f…
  student verify lab-1.zip --ca-fingerprint 3f…

The last one is an archive of a whole assignment (`blackboard submissions archive`): everything in
it is checked, and that nothing is missing.

Exit code 0 when everything verifies, 3 when it does not.")]
pub struct Verify {
    /// The receipt, or the archive of an assignment: a ZIP file
    #[arg(value_name = "RECEIPT")]
    pub receipt: PathBuf,
    /// What was handed in: the file, some of the files, or the folder
    #[arg(value_name = "FILE|FOLDER")]
    pub files: Vec<PathBuf>,
    /// Have `openssl` check the signatures too, and check that an altered copy is refused
    #[arg(long)]
    pub openssl: bool,
    /// A witness besides CUHK (C2SP verifier key) whose cosignature counts; repeat it for more
    #[arg(long, value_name = "KEY")]
    pub witness: Vec<VerifierKey>,
    /// How many witnesses must have cosigned, CUHK among them
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub quorum: usize,
}

/// Arguments of `student assignments`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  student assignments
  student assignments --course CSCI3310 --all
  student assignments --ids 1155000001,1155000002 --json
  student --sandbox /tmp/scb assignments

Shown is what all of these students can hand in together, by Blackboard's clock, and what lateness
would cost each. Times are those of this machine's zone, with its offset from UTC.")]
pub struct Assignments {
    /// Who: student IDs, separated by commas; everybody with a certificate here when left out
    #[arg(long, value_name = "A,B,C", value_delimiter = ',', value_parser = student_id)]
    pub ids: Vec<StudentId>,
    /// Show what has closed as well
    #[arg(long)]
    pub all: bool,
}

/// Arguments of `student grades`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  student grades
  student grades --course CSCI3150 --assignment lab-1 --json
  student grades --ids 1155000001
  student --sandbox /tmp/scb grades

Shown are the grades that the teacher has released, of these students and nobody else. Each is
signed by Blackboard and entered in the assignment's log; both are checked here.")]
pub struct Grades {
    /// Who: student IDs, separated by commas; everybody with a certificate here when left out
    #[arg(long, value_name = "A,B,C", value_delimiter = ',', value_parser = student_id)]
    pub ids: Vec<StudentId>,
}

/// Arguments of `student audit`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  student audit
  student audit --ids 1155000001 --json
  student --sandbox /tmp/scb audit

`here` is the certificate of this home, `an earlier one of this home` one that it has replaced
itself, `not here` one of another machine, or somebody's. What
was seen of the log is remembered; a log that contradicts it later is refused (log_forked), one
whose proofs are wrong too (log_invalid), and one that lacks a certificate (log_incomplete). A
certificate that was revoked shows nothing, as whoever else has its key must be shown nothing:
look from another machine of yours, or enrol again with a new code. Everything in the name is
shown then, the revoked certificate and who asked about it too.

CUHK keeps who asked for about a year (never less than 90 days), and every certificate for ever:
what is no longer kept is counted. Look at least every 90 days, and nothing escapes you.")]
pub struct Audit {
    /// Who: student IDs, separated by commas; everybody with a certificate here when left out
    #[arg(long, value_name = "A,B,C", value_delimiter = ',', value_parser = student_id)]
    pub ids: Vec<StudentId>,
}

/// Arguments of `student passphrase`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  student passphrase --ids 1155000001             (asks for the old one, if any, and the new one)
  student passphrase --ids 1155000001 --remove
  student passphrase --ids A,B --passphrase-file A=a.old --passphrase-file B=b.old \\
      --new-passphrase-file A=a.new --new-passphrase-file B=b.new

The keys themselves stay, and so do their certificates. No key file is changed unless every
passphrase is right. An earlier copy of a key file, as in a backup, keeps its earlier passphrase.")]
pub struct Passphrase {
    /// Whose keys: student IDs, separated by commas
    #[command(flatten)]
    pub ids: Ids,
    /// File whose first line is the new passphrase of the keys, or of one ID's key; `-` for the next
    /// line of standard input; repeatable
    #[arg(long, value_name = "[SID=]FILE", conflicts_with = "remove")]
    pub new_passphrase_file: Vec<PassphraseFile>,
    /// Store the keys without a passphrase: whoever gets at a key file can sign in that name
    #[arg(long)]
    pub remove: bool,
}

/// Arguments of `student receipts`.
#[derive(Debug, Args)]
pub struct Receipts {
    /// Ask Blackboard for receipts of one's own that are not kept here, as on another machine
    #[arg(long)]
    pub fetch: bool,
    /// With --fetch, whose: student IDs, separated by commas; everybody with a certificate here
    /// when left out
    #[arg(long, value_name = "A,B,C", value_delimiter = ',', value_parser = student_id)]
    pub ids: Vec<StudentId>,
}

/// Arguments of `student history`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  student history
  student history --course CSCI3310 --assignment lab --json
  student history --ids 1155000001

Each student is told of his own submissions alone, with all who handed in with him; how others
stand is told to them. What waits for signatures has a line each; `student cosign` shows the rest.
Times are those of this machine's zone, with its offset from UTC.")]
pub struct Own {
    /// Who: student IDs, separated by commas; everybody with a certificate here when left out
    #[arg(long, value_name = "A,B,C", value_delimiter = ',', value_parser = student_id)]
    pub ids: Vec<StudentId>,
}

/// Arguments of `student download`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  student download S-000001
  student download S-000001 --to lab-1/
  student download S-000001 --ids 1155000001 --json

The receipt is verified first and kept with the others; each file is compared with the hash that
was signed. Nothing that is there is overwritten. The same command after an interruption goes on
where it stopped. A submission of others is answered as one that does not exist.")]
pub struct Download {
    /// The submission's number; `student history` lists them
    #[arg(value_name = "NUMBER", value_parser = submission_number)]
    pub number: SubmissionNumber,
    /// Folder for the files; it is made if it does not exist [default: NUMBER]
    #[arg(long, value_name = "DIR")]
    pub to: Option<PathBuf>,
    /// Who asks: student IDs, separated by commas; everybody with a certificate here when left out
    #[arg(long, value_name = "A,B,C", value_delimiter = ',', value_parser = student_id)]
    pub ids: Vec<StudentId>,
}
