use std::io;
use std::path::PathBuf;

use scb_certs::Fingerprint;
use scb_protocol::log_leaf::LogName;
use scb_protocol::statement::{SubmissionId, SubmissionNumber};
use scb_protocol::{Code, Refusal, Step};

/// After how many seconds a full queue is worth another try.
const RETRY_AFTER: u32 = 2;

/// Why the store did not do what it was asked; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The submission ID was already used for other bytes.
    #[error("submission {submission} was already used for another statement")]
    Conflict {
        /// The submission ID.
        submission: SubmissionId,
    },
    /// A record is not what was stored.
    #[error("the record of {number} was altered")]
    Altered {
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
    /// The acceptance could not be signed, or the receipt not be made.
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
    /// An entry of a log is missing, or not what was entered.
    #[error("entry {index} of the log {log} was altered")]
    EntryAltered {
        /// The log.
        log: LogName,
        /// The entry's number, from 0.
        index: u64,
    },
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

impl Error {
    /// A stable word for scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Storage(error) => error.code(),
            Self::Altered { .. } | Self::EntryAltered { .. } => "altered",
            Self::OtherRoot { .. } => "other_root",
            _ if self.is_full() => "disk_full",
            _ => "store",
        }
    }

    /// What the administrator can do about it, where there is something.
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::Storage(error) => error.remedy(),
            Self::Altered { .. } => Some(
                "stop the server and put a backup in the place of blackboard.db; \
                 `blackboard submissions list --verify` names every record that was altered"
                    .into(),
            ),
            Self::OtherRoot { .. } => Some(
                "if somebody replaced HOME/ca.pem, put the right one back; a receipt under a root \
                 that CUHK had before is verified with `student verify --ca-fingerprint`"
                    .into(),
            ),
            Self::Mark { .. } if self.is_full() => {
                Some("make room on the disk, then do the same again".into())
            }
            Self::Mark { .. } => Some("let this user read and write that file".into()),
            _ => None,
        }
    }

    fn is_full(&self) -> bool {
        match self {
            Self::Storage(error) => error.is_full(),
            Self::Mark { source, .. } => source.kind() == io::ErrorKind::StorageFull,
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

/// What a peer is told. What is wrong on this side is logged here, and only here.
impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        if let Error::Conflict { .. } = error {
            return Refusal::new(Code::SubmissionConflict, Step::Six);
        }
        let refusal = if error.is_full() {
            Refusal::new(Code::StorageFull, Step::Six)
        } else if error.is_busy() {
            Refusal::new(Code::Busy, Step::Six).retry_after(RETRY_AFTER)
        } else {
            Refusal::new(Code::Internal, Step::Six)
        };
        tracing::error!("the store failed: {:#}", anyhow::Error::new(error));
        refusal
    }
}
