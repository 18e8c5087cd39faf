//! What can go wrong in the student's program.

mod lists;
mod refused;
mod told;
mod unshown;

use std::io;
use std::path::{Path, PathBuf};

use scb_certs::{CertificateError, Fingerprint, StudentId};
use scb_cli::printable;
use scb_explain::Language;
use scb_protocol::rules::MemberStanding;
use scb_protocol::statement::{
    FilePath, Files, FilesError, Label, MAX_FILES, SubmissionId, SubmissionNumber,
};
use scb_protocol::{Refusal, counted};

pub(crate) use lists::places;
use lists::{
    archive_refused, as_it_is, in_course, listed, not_handed_in, proposed, several_open, some_of,
};
pub(crate) use refused::{
    blames_clock, is_about_log, is_certificate_dead, is_handed_in, is_recorded, moment_of,
    other_root, room_at,
};
pub(crate) use told::one_below_the_other;
pub use unshown::{Kept, Unshown};

use crate::words::Words;
use crate::{ClockOffset, Fault, Loss, OpenAssignment, Recorded};

/// A fault on this machine, a wrong command, or what a server refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A server, or this program in its place, refused a step.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It failed after what was signed had been recorded, and that stands.
    #[error("{cause}")]
    Unfinished {
        /// Why it is not handed in.
        #[source]
        cause: Box<Self>,
        /// What stands.
        recorded: Recorded,
    },
    /// Several students of one group were refused, each for a reason of his own.
    #[error("{} students were refused", .0.len())]
    SeveralRefused(Vec<Refusal>),
    /// A receipt does not verify.
    #[error("{}; {}", .0, as_it_is(.0))]
    ReceiptRefused(Refusal),
    /// An archive of an assignment does not verify.
    #[error("{}", archive_refused(.0))]
    ArchiveRefused(scb_protocol::export::ExportError),
    /// Something was asked of a file that it cannot show.
    #[error(transparent)]
    Unshown(#[from] Unshown),
    /// Of the receipts kept here, some do not verify.
    #[error("{} kept here, of which {bad} failed verification", counted(*all, "receipt"))]
    ReceiptsRefused {
        /// How many do not.
        bad: usize,
        /// How many are kept.
        all: usize,
    },
    /// More witnesses are wanted than there are, or none.
    #[error("{quorum} of {} cannot have cosigned", format_args!("{witnesses} witness{}", if *witnesses == 1 { "" } else { "es" }))]
    Quorum {
        /// How many are wanted.
        quorum: usize,
        /// How many there are.
        witnesses: usize,
    },
    /// A receipt verifies, but for another file than the one beside it.
    #[error(
        "{} is {}: SHA-256 {found}, not {}",
        printable(&path.to_string_lossy()),
        not_handed_in(expected.len(), named),
        listed(if named.is_empty() { expected } else { named })
    )]
    OtherFile {
        /// The file.
        path: PathBuf,
        /// SHA-256 in the receipt, of each file.
        expected: Vec<Fingerprint>,
        /// The same of those that have its name.
        named: Vec<Fingerprint>,
        /// SHA-256 of the file.
        found: Fingerprint,
    },
    /// What waits for a signature is about other files than the one that is here.
    #[error(
        "{} is not what you would sign: its SHA-256 is {found}, but {}; nothing was signed",
        printable(&path.to_string_lossy()),
        proposed(files)
    )]
    NotProposed {
        /// The file.
        path: PathBuf,
        /// SHA-256 of the file.
        found: Fingerprint,
        /// What is to be signed.
        files: Files,
    },
    /// A folder is not what a receipt names.
    #[error("{} is not what was handed in: {}", printable(&path.to_string_lossy()), some_of(differences))]
    OtherFolder {
        /// The folder.
        path: PathBuf,
        /// What is missing, another, or was not handed in; by name.
        differences: Vec<String>,
    },
    /// A file, the terminal or the configuration.
    #[error(transparent)]
    Cli(#[from] scb_cli::Error),
    /// A key or a certificate of one's own.
    #[error(transparent)]
    Certs(#[from] scb_certs::Error),
    /// Something of this student's own that the protocol cannot express or compute.
    #[error(transparent)]
    Protocol(#[from] scb_protocol::Error),
    /// The same ID twice in one group.
    #[error("{0} is named twice")]
    DuplicateId(StudentId),
    /// More students than Blackboard takes in one group: found before a code was used up.
    #[error(
        "a group of {got} is too large: Blackboard takes up to {limit}{}; nobody was enrolled",
        if *.said { ", as it said last" } else { " unless it has told this home otherwise" }
    )]
    GroupTooLarge {
        /// The students, as `--ids` takes them.
        ids: String,
        /// How many there are.
        got: usize,
        /// How many are possible.
        limit: u8,
        /// Whether Blackboard itself said so.
        said: bool,
    },
    /// There is no key whose passphrase could be changed.
    #[error("{sid}: no key here")]
    NoKey {
        /// The student.
        sid: StudentId,
    },
    /// A server's address is not known.
    #[error("the address of {service} is not known")]
    NoAddress {
        /// `CUHK` or `Blackboard`.
        service: &'static str,
        /// The option that gives it.
        flag: &'static str,
    },
    /// An environment variable has a value that it cannot have.
    #[error("the environment variable {variable}: {reason}")]
    Environment {
        /// Its name.
        variable: &'static str,
        /// What was expected.
        reason: String,
    },
    /// Nothing says by which root the servers are recognised.
    #[error("CUHK's root certificate is not known, so that no server can be recognised")]
    NoRoot,
    /// The root that was given is not the one that this home belongs to.
    #[error("this home belongs to the CUHK with root {remembered}, not {given}")]
    OtherRoot {
        /// Fingerprint of `ca.pem` in the home.
        remembered: Fingerprint,
        /// Fingerprint that a flag or the code sheet gave.
        given: Fingerprint,
    },
    /// Two sources name different roots, and nothing is remembered yet by which to tell.
    #[error("two roots are named: {first} and {second}; nothing was sent")]
    RootsDiffer {
        /// What was named first.
        first: Fingerprint,
        /// What a flag or the code sheet named besides.
        second: Fingerprint,
    },
    /// The root certificate file is no root certificate.
    #[error("{} is no CUHK root certificate: {reason}", path.display())]
    RootFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The code sheet cannot be understood. Never repeats what stands there.
    #[error("{}{}: {reason}", path.display(), line.map(|n| format!(", line {n}")).unwrap_or_default())]
    CodeSheet {
        /// The file.
        path: PathBuf,
        /// Line number, counted from 1.
        line: Option<u64>,
        /// What is wrong.
        reason: String,
    },
    /// An enrolment code is needed and the code sheet has none.
    #[error("{sid}: no enrolment code for this student")]
    NoCode {
        /// The student.
        sid: StudentId,
    },
    /// A certificate is needed and there is none.
    #[error("{sid}: no certificate here")]
    NotEnrolled {
        /// The student.
        sid: StudentId,
    },
    /// A stored certificate does not verify.
    #[error("{sid}: the certificate kept here is not good: {reason}")]
    OwnCertificate {
        /// The student.
        sid: StudentId,
        /// Why.
        reason: CertificateError,
    },
    /// A passphrase from a file or the prompt does not open a key.
    #[error("{sid}: the passphrase does not open this student's key")]
    WrongPassphrase {
        /// The student.
        sid: StudentId,
    },
    /// The clock here and a server's differ so much that nothing can succeed.
    #[error("{0}")]
    ClockOff(ClockOffset),
    /// A sandbox has a home of its own for its students.
    #[error("--home and --sandbox name two homes")]
    HomeInSandbox,
    /// Faults are for sandboxes.
    #[error("--fault is for a sandbox only")]
    FaultOutsideSandbox,
    /// A fault acts on a hand-in.
    #[error("--fault goes with `student` alone or with `student submit`")]
    FaultElsewhere,
    /// This fault needs another member.
    #[error("the fault {0} takes at least two students")]
    FaultTakesTwo(Fault),
    /// What must be refused was accepted.
    #[error("the fault {0} was not noticed")]
    FaultUnnoticed(Fault),
    /// The report cannot be read.
    #[error("cannot read the report {}", path.display())]
    Report {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A pipe, a device or the like.
    #[error("{} is neither a file nor a folder", printable(&path.to_string_lossy()))]
    ReportKind {
        /// What was named.
        path: PathBuf,
    },
    /// The report's name cannot stand in a statement.
    #[error("the report's name {} cannot be used: {reason}", printable(&path.to_string_lossy()))]
    ReportName {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Nothing was named that could be handed in.
    #[error("no file was named")]
    NothingNamed,
    /// A file without a byte, which is hardly what was meant.
    #[error("{} is empty", printable(&path.to_string_lossy()))]
    ReportEmpty {
        /// What was named.
        path: PathBuf,
    },
    /// A folder without a file.
    #[error("there is no file in {}", printable(&path.to_string_lossy()))]
    ReportNoFiles {
        /// The folder.
        path: PathBuf,
    },
    /// A symbolic link in a folder: it may lead anywhere.
    #[error("{} is a symbolic link", printable(&path.to_string_lossy()))]
    ReportLink {
        /// The link.
        path: PathBuf,
    },
    /// Keys, tokens and receipts of one of our programs, which go to nobody.
    #[error(
        "{} is in {}, where one of these programs keeps its private keys; nothing was sent",
        printable(&path.to_string_lossy()),
        printable(&home.to_string_lossy())
    )]
    ReportHome {
        /// What was named, or where it was noticed.
        path: PathBuf,
        /// The home.
        home: PathBuf,
    },
    /// The key with which the student signs, which is nobody else's.
    #[error(
        "{}: one's own, with which this home signs; nothing was sent",
        Words::of(Language::English).private_keys(files)
    )]
    OwnKeys {
        /// What they are called in the hand-in.
        files: Vec<FilePath>,
    },
    /// Private keys, which nobody has agreed to give away.
    #[error("{}; nothing was sent", Words::of(Language::English).private_keys(files))]
    PrivateKeys {
        /// What they are called in the hand-in.
        files: Vec<FilePath>,
    },
    /// More files than can be handed in.
    #[error(
        "these are more than {MAX_FILES} files (counted as far as {})",
        printable(&path.to_string_lossy())
    )]
    ReportTooMany {
        /// Where it was noticed.
        path: PathBuf,
    },
    /// The same file or folder was named twice.
    #[error("{} is named twice", printable(&path.to_string_lossy()))]
    ReportTwice {
        /// Where it is.
        path: PathBuf,
    },
    /// Files that cannot be handed in together.
    #[error("these files cannot be handed in together: {0}")]
    ReportFiles(FilesError),
    /// A file was changed while it was hashed, or between hashing and sending.
    #[error("{} was changed while it was being handed in", printable(file))]
    ReportChanged {
        /// What it is called in the hand-in.
        file: String,
    },
    /// There is nothing that these students can hand in now.
    #[error(
        "there is nothing that these students can hand in now{}",
        in_course(course)
    )]
    NothingOpen {
        /// The course that was given.
        course: Option<Label>,
    },
    /// Somebody declines what he has signed, or takes back what he has not.
    #[error(
        "{sid} has {} this",
        if *signed { "already signed" } else { "not signed" }
    )]
    OtherEnding {
        /// Who.
        sid: StudentId,
        /// Whether he has signed.
        signed: bool,
    },
    /// What is handed in is not taken back.
    #[error("{number} is handed in, and what is handed in cannot be taken back")]
    HandedIn {
        /// Its number.
        number: SubmissionNumber,
    },
    /// It was not said what is handed in, and several assignments are open, or may be.
    #[error("{}", several_open(open, held_back))]
    SeveralOpen {
        /// Those.
        open: Vec<OpenAssignment>,
        /// Why others are not told, which may be meant as well.
        held_back: Vec<Refusal>,
    },
    /// It would take the place of versions that cost less, and nobody has agreed to that.
    #[error("{}; nothing was sent", in_their_places(losses))]
    CostsMore {
        /// What each member would lose.
        losses: Vec<Loss>,
    },
    /// Blackboard has stored something else of what was proposed, proposing it anew makes it late, and nobody has agreed
    /// to that.
    #[error("{}; nothing was sent anew", Words::of(Language::English).anew_is_late(submission, standings))]
    AnewIsLate {
        /// The proposal.
        submission: SubmissionId,
        /// How each member would stand with a new one.
        standings: Vec<MemberStanding>,
    },
    /// A pending hand-in on disk is damaged.
    #[error("{} is damaged", path.display())]
    PendingDamaged {
        /// The file.
        path: PathBuf,
    },
    /// What waits under an ID is not what was shown under it before.
    #[error(
        "{submission} is not what was shown before: it was the statement with SHA-256 {shown}, and \
         Blackboard now has {now}; nothing was signed"
    )]
    ProposalChanged {
        /// The proposal.
        submission: SubmissionId,
        /// SHA-256 of the statement that was shown.
        shown: Fingerprint,
        /// SHA-256 of the one that is there now.
        now: Fingerprint,
    },
    /// What is remembered of the proposals that were shown is damaged.
    #[error("{} is damaged", path.display())]
    ShownDamaged {
        /// The file.
        path: PathBuf,
    },
    /// What is remembered of CUHK's issuance log is damaged.
    #[error("{} is damaged", path.display())]
    LogMemoryDamaged {
        /// The file.
        path: PathBuf,
    },
    /// Something else is where a file that comes back would be.
    #[error("{} is there already, and is something else", printable(&path.to_string_lossy()))]
    TargetTaken {
        /// Where.
        path: PathBuf,
    },
    /// A command that needs IDs got none.
    #[error("no student ID was given")]
    NoIds,
    /// A menu was wanted where nobody can answer.
    #[error("no command, and no terminal for the menu")]
    NoCommand,
    /// `openssl` was asked for and does not agree.
    #[error("openssl: {0}")]
    Openssl(String),
    /// `openssl` was asked for and cannot be started.
    #[error("there is no openssl here")]
    NoOpenssl,
    /// Another `student` is changing this home.
    #[error("another `student` is at work in {}", dir.display())]
    HomeBusy {
        /// The home.
        dir: PathBuf,
    },
    /// Another `student` sends the same hand-in.
    #[error("another `student` sends this very hand-in now")]
    OnItsWay {
        /// What was signed.
        pending: PathBuf,
    },
    /// The next certificate could not finish it.
    #[error("a hand-in that {0} has signed with this certificate is not finished yet")]
    HandInWaits(StudentId),
    /// What this program sends was taken back by another one of this home, or ended by a member.
    #[error("{submission} was given up meanwhile: nothing more of it is sent")]
    GivenUp {
        /// What was signed.
        submission: SubmissionId,
    },
    /// The runtime or another part of this machine failed.
    #[error("cannot {action}")]
    System {
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

/// What each would lose, one after the other.
fn in_their_places(losses: &[Loss]) -> String {
    let words = Words::of(Language::English);
    let each = losses.iter().map(|loss| words.loss(loss));
    each.collect::<Vec<_>>().join("; ")
}

impl Error {
    /// For `map_err` on a file of one's own.
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| {
            Self::Cli(scb_cli::Error::File {
                action,
                path,
                source,
            })
        }
    }

    /// The refusal in it, if one student or step was refused.
    pub fn refusals(&self) -> &[Refusal] {
        match self {
            Self::Refused(refusal) | Self::ReceiptRefused(refusal) => std::slice::from_ref(refusal),
            Self::SeveralRefused(refusals) => refusals,
            Self::Unfinished { cause, .. } => cause.refusals(),
            _ => &[],
        }
    }
}
