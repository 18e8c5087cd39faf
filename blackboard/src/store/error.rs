//! Why the store did not do what it was asked.

mod refusal;
mod remedy;

use std::io;
use std::path::PathBuf;

use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, StudentId};
use scb_cli::local_time;
use scb_protocol::Refusal;
use scb_protocol::log_leaf::LogName;
use scb_protocol::message::proposal::ProposalState;
use scb_protocol::rules::{AmendError, RulesError};
use scb_protocol::statement::{Label, SubmissionId, SubmissionNumber};

pub(super) use self::refusal::told;

/// Why the store did not do what it was asked; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The submission ID was already used for other bytes.
    #[error("submission {submission} was already used for another statement")]
    Conflict {
        /// The submission ID.
        submission: SubmissionId,
    },
    /// The time in which the files of a commitment might come is over.
    #[error("the files of submission {submission} might come no longer")]
    UploadExpired {
        /// The submission ID.
        submission: SubmissionId,
    },
    /// The log of its assignment was closed before its files were stored, and not opened again.
    #[error(
        "the files of submission {submission} are here, and entry {index} of {log} says that nothing comes any more: \
         nothing is accepted after it, and once `blackboard assignment change` or `extension add` has opened it \
         again the group hands in again"
    )]
    LogClosed {
        /// The submission ID.
        submission: SubmissionId,
        /// The log.
        log: LogName,
        /// The entry.
        index: u64,
    },
    /// There is no such proposal of these students.
    #[error("there is no proposal {submission} of these students")]
    NoProposal {
        /// The submission ID.
        submission: SubmissionId,
    },
    /// Others have signed what is to be given up, and are not here.
    #[error("{sid} has signed it as well, and does not give it up on this connection")]
    NotAllHere {
        /// The first of them.
        sid: StudentId,
    },
    /// Nobody can sign the proposal any more, or end it.
    #[error("the proposal {submission} is {state}")]
    ProposalEnded {
        /// The submission ID.
        submission: SubmissionId,
        /// What has become of it.
        state: ProposalState,
    },
    /// A student has given up so much of late that no more is begun.
    #[error("{sid} has given up {given_up} hand-ins of late")]
    TooManyGivenUp {
        /// Who.
        sid: StudentId,
        /// How many of them might still have come.
        given_up: u32,
        /// From when on there is room for another one.
        room_at: UnixTime,
    },
    /// A student has work of one assignment unfinished with as many other groups as may be.
    #[error("{sid} has work of this assignment unfinished with {groups} other groups")]
    TooManyGroups {
        /// Who.
        sid: StudentId,
        /// With how many others.
        groups: u32,
    },
    /// The very same members have committed another statement since, and it is too late to choose.
    #[error("{by} has taken the place of {submission}")]
    Superseded {
        /// The submission ID whose files were to come.
        submission: SubmissionId,
        /// That of the later statement.
        by: SubmissionId,
    },
    /// The very same work waits already.
    #[error("the same work waits as {submission}")]
    SameProposed {
        /// The submission ID of the proposal that waits.
        submission: SubmissionId,
    },
    /// As much waits as may.
    #[error("{limit} proposals of this student wait already")]
    TooManyProposals {
        /// How many may.
        limit: usize,
    },
    /// As much is unfinished as may be.
    #[error("{unfinished} hand-ins of {sid} with {bytes} bytes have not come whole")]
    TooManyUploads {
        /// The student.
        sid: StudentId,
        /// How many are unfinished.
        unfinished: u32,
        /// Bytes of these together.
        bytes: u64,
        /// How many of all students are unfinished, if that is too much.
        in_all: Option<u32>,
    },
    /// The same members have handed in as many versions as are taken.
    #[error("there are {limit} versions by the same members already")]
    TooManyVersions {
        /// How many may be.
        limit: usize,
    },
    /// A proposal, or what was committed at once, is not what was stored.
    #[error("what was recorded of {submission} was altered")]
    ProposalAltered {
        /// The submission ID.
        submission: SubmissionId,
    },
    /// The rules of the assignment do not take it.
    #[error(transparent)]
    NotAdmitted(Box<Refusal>),
    /// A record is not what was stored.
    #[error("the record of {number} was altered")]
    Altered {
        /// The record's number.
        number: SubmissionNumber,
    },
    /// The log has accepted a submission of which there is no record.
    #[error("the log has accepted {number}, and its record is not here")]
    RecordMissing {
        /// The record's number.
        number: SubmissionNumber,
    },
    /// A record is under another root than this home's.
    #[error(
        "the record of {number} is under the root {found}, and not under {} of this home",
        listed(trusted)
    )]
    OtherRoot {
        /// The record's number.
        number: SubmissionNumber,
        /// SHA-256 of the root in the record.
        found: Fingerprint,
        /// SHA-256 of the roots that this home trusts.
        trusted: Vec<Fingerprint>,
    },
    /// There is such a course already.
    #[error("there is a course {course} already")]
    CourseExists {
        /// Its name.
        course: Label,
    },
    /// There is no such course.
    #[error("there is no course {course}")]
    NoCourse {
        /// Its name.
        course: Label,
    },
    /// There is such an assignment already.
    #[error("there is an assignment {assignment} in {course} already")]
    AssignmentExists {
        /// The course.
        course: Label,
        /// The assignment's name.
        assignment: Label,
    },
    /// It is not to be taken back: there is something of students' in it.
    #[error("students have a part in {course}/{assignment} already")]
    InUse {
        /// The course.
        course: Label,
        /// The assignment's name.
        assignment: Label,
    },
    /// There is no such assignment.
    #[error("there is no assignment {assignment} in {course}")]
    NoAssignment {
        /// The course.
        course: Label,
        /// The assignment's name.
        assignment: Label,
    },
    /// The student is not in the course.
    #[error("{sid} is not in the course {course}")]
    NotInCourse {
        /// The course.
        course: Label,
        /// The student.
        sid: StudentId,
    },
    /// The rules contradict themselves.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// The rules would take back what was promised.
    #[error(transparent)]
    Amend(AmendError),
    /// A student's time would end before now.
    // Told as one sentence: it is not a cause of its own.
    #[error("{sid}: {why}")]
    Backdated {
        /// The student.
        sid: StudentId,
        /// Which moment.
        why: AmendError,
    },
    /// A course or an assignment is not what was stored.
    #[error("what is stored of {name} was altered")]
    CoursesAltered {
        /// The course or the assignment, as it is there.
        name: String,
    },
    /// A grade is not what was stored, or its entry or release is not there.
    #[error("the grade of {sid} in {place} was altered")]
    GradeAltered {
        /// The student, as it is there.
        sid: String,
        /// The course and the assignment, as they are there.
        place: String,
    },
    /// The rules or extensions of an assignment are not what was entered in its log.
    #[error(
        "the rules or extensions of {course}/{assignment} here are not what its log says: nothing is judged \
         by them"
    )]
    RulesAltered {
        /// The course.
        course: Label,
        /// The assignment's name.
        assignment: Label,
    },
    /// The log entry could not be signed, or the receipt not be made.
    #[error("cannot make the receipt")]
    Receipt(#[source] scb_protocol::Error),
    /// What was remembered of CUHK's issuance log was altered.
    #[error("what is known of CUHK's issuance log was altered")]
    KnownLog(#[source] scb_tlog::Error),
    /// CUHK's issuance log would be remembered smaller than it was, or under another key.
    #[error("CUHK's issuance log is known to be larger, or under another key")]
    LogRolledBack,
    /// An entry of a log is too large, or a log's name is none.
    #[error("cannot make the log entry")]
    Leaf(#[source] scb_protocol::Error),
    /// The tiles have entries of a log that the database lacks.
    #[error(
        "the database has {database} entries of the log {log}, but {tiles} were published: it is \
         an old backup, or its last entries were cut off"
    )]
    LogBehind {
        /// The log.
        log: LogName,
        /// Entries in the database.
        database: u64,
        /// Entries in the tiles.
        tiles: u64,
    },
    /// There are tiles of a log of which the database knows nothing.
    #[error(
        "the database knows nothing of the log in {}: it is an old backup, or not this home's",
        path.display()
    )]
    LogUnknown {
        /// The log's directory.
        path: PathBuf,
    },
    /// A log has grown meanwhile.
    #[error("the log {log} has grown meanwhile")]
    LogGrown {
        /// The log.
        log: LogName,
    },
    /// Database and tiles hold different entries of a log.
    #[error("entry {index} of the log {log} is another one in the database than was published")]
    LogContradicted {
        /// The log.
        log: LogName,
        /// The number of the first entry that differs, from 0.
        index: u64,
    },
    /// The directory of the logs cannot be read.
    #[error("cannot read {}", path.display())]
    LogDirectory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The files of a log failed, or contradict each other.
    #[error("the files of the log {log} cannot be used")]
    LogFiles {
        /// The log.
        log: Box<LogName>,
        /// What is wrong.
        source: scb_tlog::Error,
    },
    /// The files of some log failed.
    #[error(transparent)]
    Log(#[from] scb_tlog::Error),
    /// A thread that writes the files of a log has died.
    #[error(transparent)]
    LogStopped(#[from] scb_storage::LogStopped),
    /// The clock was set back since something was recorded, or was ahead then.
    #[error(
        "this machine's clock says {}, but what was recorded last is of {}",
        local_time(*now),
        local_time(*last)
    )]
    ClockSetBack {
        /// The time of what was recorded last.
        last: UnixTime,
        /// The time now.
        now: UnixTime,
    },
    /// The home was put back from a backup, which may be an old one.
    #[error(
        "this home was put back from a backup, or its files were touched, and nobody has compared \
         its logs with what CUHK has seen of them since"
    )]
    PutBack,
    /// All numbers have been given.
    #[error("there are no numbers left")]
    NumbersExhausted,
    /// The file that notes the highest number could not be used.
    #[error("cannot use {}", path.display())]
    Mark {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] scb_storage::Error),
}

fn listed(roots: &[Fingerprint]) -> String {
    let roots: Vec<_> = roots.iter().map(Fingerprint::to_string).collect();
    roots.join(" or ")
}

fn code_of_log(error: &scb_tlog::Error) -> &'static str {
    use scb_tlog::Error::{Damaged, Malformed, SignatureInvalid, SignatureMissing};
    match error {
        error if error.is_full() => "disk_full",
        SignatureInvalid { .. } | SignatureMissing { .. } => "log_key",
        Damaged { .. } | Malformed { .. } => "damaged",
        _ => "store",
    }
}

impl Error {
    /// Says in which log it happened.
    pub(crate) fn in_log(self, log: &LogName) -> Self {
        match self {
            Self::Log(source) => Self::LogFiles {
                log: Box::new(log.clone()),
                source,
            },
            other => other,
        }
    }

    /// A stable word for scripts.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Storage(error) => error.code(),
            Self::Altered { .. } | Self::ProposalAltered { .. } => "altered",
            Self::RecordMissing { .. } => "record_missing",
            Self::LogBehind { .. } | Self::LogUnknown { .. } => "log_behind",
            Self::LogContradicted { .. } => "log_contradicted",
            Self::LogFiles { source, .. } | Self::Log(source) => code_of_log(source),
            Self::OtherRoot { .. } => "other_root",
            Self::CourseExists { .. } => "course_exists",
            Self::NoCourse { .. } => "course_unknown",
            Self::AssignmentExists { .. } => "assignment_exists",
            Self::NoAssignment { .. } => "assignment_unknown",
            Self::InUse { .. } => "assignment_in_use",
            Self::NotInCourse { .. } => "not_course_member",
            Self::Rules(_) => "rules_invalid",
            Self::Amend(AmendError::Backdated { .. }) | Self::Backdated { .. } => "rules_backdated",
            Self::Amend(AmendError::CountsSettled { .. }) => "counts_settled",
            Self::CoursesAltered { .. } | Self::GradeAltered { .. } => "altered",
            Self::RulesAltered { .. } => "rules_altered",
            Self::ClockSetBack { .. } => "clock_set_back",
            Self::PutBack => "put_back",
            _ if self.is_full() => "disk_full",
            _ => "store",
        }
    }

    /// Whether nothing is wrong here: what was asked for is not there, or is there already, or
    /// makes no sense, now at least.
    pub(crate) fn is_asked_wrongly(&self) -> bool {
        matches!(
            self,
            Self::CourseExists { .. }
                | Self::NoCourse { .. }
                | Self::AssignmentExists { .. }
                | Self::NoAssignment { .. }
                | Self::InUse { .. }
                | Self::NotInCourse { .. }
                | Self::PutBack
                | Self::Rules(_)
                | Self::Amend(_)
                | Self::Backdated { .. }
        )
    }

    /// Whether something stored of one thing was altered: everything else is as good as before.
    pub(crate) fn is_of_one(&self) -> bool {
        matches!(
            self,
            Self::ProposalAltered { .. }
                | Self::Altered { .. }
                | Self::CoursesAltered { .. }
                | Self::GradeAltered { .. }
                | Self::RulesAltered { .. }
        )
    }

    fn is_full(&self) -> bool {
        match self {
            Self::Storage(error) => error.is_full(),
            Self::Mark { source, .. } | Self::LogDirectory { source, .. } => {
                source.kind() == io::ErrorKind::StorageFull
            }
            Self::Log(source) | Self::LogFiles { source, .. } => source.is_full(),
            _ => false,
        }
    }

    fn is_busy(&self) -> bool {
        matches!(self, Self::Storage(error) if error.is_busy())
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Storage(error.into())
    }
}
