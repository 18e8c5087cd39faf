//! What can go wrong at CUHK, and what is said about it to peers and to people.

use std::error::Error as _;
use std::io;
use std::iter::successors;
use std::path::{Path, PathBuf};

use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, ServiceName, StudentId, TrustDomain};
use scb_cli::{Failure, counted, local_time};
use scb_protocol::{Code, Refusal, Step};

use crate::passphrases::MIN_CHARACTERS;
use crate::{CrlSigner, NamedKey, NothingLeft, RosterFault, Subject, Target};

/// Why CUHK did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A peer's request is refused; this is what it is told.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The database or the home's lock.
    #[error(transparent)]
    Storage(#[from] scb_storage::Error),
    /// A key, certificate or revocation list.
    #[error(transparent)]
    Certificates(#[from] scb_certs::Error),
    /// A token, a code or another value of the protocol.
    #[error(transparent)]
    Protocol(#[from] scb_protocol::Error),
    /// A socket, TLS or the log.
    #[error(transparent)]
    Transport(#[from] scb_transport::Error),
    /// A file, the terminal or the configuration.
    #[error(transparent)]
    Local(#[from] scb_cli::Error),
    /// The issuance log.
    #[error(transparent)]
    Log(#[from] scb_tlog::Error),
    /// The database and the tiles hold different entries of the log.
    #[error("the issuance log in {} is not the one of this database", path.display())]
    LogContradicted {
        /// The log's directory.
        path: PathBuf,
    },
    /// The thread that writes the log's files died.
    #[error("the issuance log has stopped")]
    LogStopped(#[from] scb_storage::LogStopped),
    /// The database holds something that this program did not write.
    #[error("the database holds an invalid {what}: restore it from a backup")]
    RecordInvalid {
        /// Which kind of value.
        what: &'static str,
    },
    /// The database lacks what the home's init has left in it: it is another one.
    #[error(
        "the database has no revocation list of `{0}`: it is not the one that `cuhk init` made"
    )]
    ListMissing(CrlSigner),
    /// There is no CA in this home yet.
    #[error("no CUHK has been set up in {}", path.display())]
    NotInitialised {
        /// The home.
        path: PathBuf,
    },
    /// A passphrase for a new CUHK is too easy to guess.
    #[error("the passphrase given by {flag} is shorter than {MIN_CHARACTERS} characters")]
    PassphraseShort {
        /// The flag that gives it.
        flag: &'static str,
    },
    /// The root and the issuing authorities would have the same passphrase.
    #[error("the root and the issuing authorities have the same passphrase")]
    PassphrasesSame,
    /// `init` was told something else than what the CUHK that is there was made with.
    #[error("{} is a CUHK already, with {is}, not with {wanted}; nothing was changed", path.display())]
    InitialisedOtherwise {
        /// The home.
        path: PathBuf,
        /// What it was made with, of what differs.
        is: String,
        /// What was asked for.
        wanted: String,
    },
    /// The student is not on the roster.
    #[error("{0} is not on the roster")]
    StudentUnknown(StudentId),
    /// The roster lists the student as no longer active.
    #[error("{0} is on the roster but not active")]
    StudentInactive(StudentId),
    /// There is no such service.
    #[error("there is no service {0}")]
    ServiceUnknown(ServiceName),
    /// The name is reserved.
    #[error("the service name {0} is reserved")]
    ServiceReserved(ServiceName),
    /// The name is taken.
    #[error("there is a service {0} already")]
    ServiceExists(ServiceName),
    /// Nothing to revoke.
    #[error("{target}: there is nothing that could be revoked: {why}")]
    NothingToRevoke {
        /// What was to be revoked.
        target: Target,
        /// Why there is nothing left of it.
        why: NothingLeft,
    },
    /// There are both a student and a certificate of this name.
    #[error("{0} is a student ID and a serial number as well")]
    TargetAmbiguous(Subject),
    /// There is no such term.
    #[error("there is no term {0}")]
    TermUnknown(String),
    /// No log of this name is witnessed, or it has that key already.
    #[error("no log {0} is witnessed under another key")]
    LogUnknown(String),
    /// No key of this name.
    #[error("{0} is no key with which CUHK signs tokens")]
    KeyUnknown(NamedKey),
    /// A key that was withdrawn before.
    #[error("{0} was withdrawn before")]
    KeyWithdrawn(NamedKey),
    /// The root's key is not where it is needed.
    #[error("the root's key is not in {}", path.display())]
    RootKeyAbsent {
        /// Where it would be.
        path: PathBuf,
    },
    /// A file of a key ceremony cannot be used; says why.
    #[error("this cannot be used: {0}")]
    CeremonyInvalid(&'static str),
    /// A signing request for another CUHK.
    #[error("the request is for {found}, but this is the root of {own}")]
    RequestNotOurs {
        /// The trust domain of the root.
        own: TrustDomain,
        /// The trust domain of the request.
        found: TrustDomain,
    },
    /// The root that is asked to sign, or has signed, is not the one that the request names.
    #[error("this is the root {found}, but the request is for the root {asked}")]
    WrongRoot {
        /// SHA-256 of the root's certificate that was asked.
        asked: Fingerprint,
        /// SHA-256 of the other one's.
        found: Fingerprint,
    },
    /// An answer that nobody has asked for.
    #[error("there is no request for {0} in this home")]
    NothingRequested(CrlSigner),
    /// The clock was set back, or the records were written by one that was ahead.
    #[error("this machine's clock says {}, but the records were last written at {}", local_time(*now), local_time(*last))]
    ClockSetBack {
        /// The latest time in the records.
        last: UnixTime,
        /// The time now.
        now: UnixTime,
    },
    /// Some students are not on the roster.
    #[error("not on the roster: {unknown} of {}; the others are done", counted(*total, "student"))]
    StudentsUnknown {
        /// Students not on the roster.
        unknown: usize,
        /// Students named.
        total: usize,
    },
    /// A file for codes exists already.
    #[error("{} exists already: codes are never overwritten", path.display())]
    SheetExists {
        /// The file.
        path: PathBuf,
    },
    /// A file for a backup exists already.
    #[error("{} exists already: a backup is never overwritten", path.display())]
    BackupExists {
        /// The file.
        path: PathBuf,
    },
    /// The file is not a backup, or no longer what was written.
    #[error("{} is not a whole backup: {reason}", path.display())]
    BackupInvalid {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The database is pruned, but there is no room to make its file smaller.
    #[error("there is no room to make the database smaller: that takes {kib} KiB for a moment")]
    NoRoomToCompact {
        /// Size of the database in KiB.
        kib: u64,
    },
    /// The certificate of the authority that issues has run out.
    #[error("the issuing authority `{signer}` ended at {}: it can certify nothing", local_time(*ended))]
    AuthorityEnded {
        /// Which one.
        signer: CrlSigner,
        /// When it ended.
        ended: UnixTime,
    },
    /// A passphrase does not open a key.
    #[error("the passphrase does not open {}", path.display())]
    WrongPassphrase {
        /// The key's file.
        path: PathBuf,
    },
    /// The key of an issuing authority that is in this home is not.
    #[error("the key of `{signer}` is gone: there is no {}", path.display())]
    AuthorityKeyGone {
        /// Whose it is.
        signer: CrlSigner,
        /// Where it was.
        path: PathBuf,
    },
    /// A key that must be encrypted is not.
    #[error("the key in {} is not encrypted, and a backup never holds such a key", path.display())]
    KeyInTheClear {
        /// The file.
        path: PathBuf,
    },
    /// A backup would be restored over something.
    #[error("{} exists already: a backup is restored to a new place only", path.display())]
    HomeExists {
        /// The directory.
        path: PathBuf,
    },
    /// The roster file as a whole cannot be read; says why.
    #[error("{} is not a roster: {reason}; nothing was imported", path.display())]
    RosterInvalid {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: RosterFault,
    },
    /// Some rows of the roster file were refused.
    #[error("refused: {refused} of {}; {others}", counted(*total, "row"))]
    RowsRefused {
        /// Rows refused.
        refused: usize,
        /// Rows read.
        total: usize,
        /// What became of the others, in words.
        others: &'static str,
    },
    /// Another import is under way.
    #[error("another roster is being imported at this moment; nothing was imported")]
    ImportRunning,
    /// The import counts, but not all of it is done.
    #[error("the import is not complete: {} left to be made", counted(*left, "change"))]
    ImportUnfinished {
        /// How many changes are left.
        left: u64,
        /// What is in the way.
        #[source]
        source: Box<Error>,
    },
    /// So many students would be suspended that it may be a mistake.
    #[error(
        "{missing} of {} are not in this file, more than a third: nothing was imported",
        counted(*active, "active student")
    )]
    ManyMissing {
        /// Active students not in the file.
        missing: usize,
        /// Active students.
        active: usize,
    },
}

impl Error {
    /// What is wrong with the roster in a file, or with the file.
    pub(crate) fn roster(path: &Path, reason: RosterFault) -> Self {
        let path = path.to_owned();
        match reason {
            RosterFault::Unreadable(source) => Self::Local(scb_cli::Error::File {
                action: "read",
                path,
                source,
            }),
            reason => Self::RosterInvalid { path, reason },
        }
    }

    /// What a peer is told: the refusal itself, `busy`, `storage_full`, or `internal`, without
    /// any detail of this machine.
    pub fn refusal(&self, step: Step) -> Refusal {
        match self {
            Self::Refused(refusal) => refusal.clone(),
            _ if self.disk() == Some(Disk::Full) => Refusal::new(Code::StorageFull, step),
            Self::Storage(error) if error.is_busy() => {
                Refusal::new(Code::Busy, step).retry_after(1)
            }
            Self::Certificates(
                scb_certs::Error::ProfileBroken(_) | scb_certs::Error::ValidityInvalid,
            ) => Refusal::new(Code::ProfileBroken, step),
            _ => Refusal::new(Code::Internal, step),
        }
    }

    /// Whether it concerns this machine and nobody else: whoever asked is told no detail, and
    /// the log tells it.
    pub(crate) fn is_own_fault(&self) -> bool {
        matches!(
            self.refusal(Step::Zero).code,
            Code::Internal | Code::ProfileBroken
        )
    }

    fn remedy(&self) -> Option<&'static str> {
        Some(match self {
            Self::NotInitialised { .. } => {
                "run `cuhk init` first, or name its directory with --home"
            }
            Self::PassphraseShort { .. } => "choose a longer one; several words are easy to keep",
            Self::PassphrasesSame => {
                "choose another one for the root and keep it apart: `serve` never needs it"
            }
            Self::InitialisedOtherwise { .. } => {
                "for another CUHK name a new directory with --home; names, addresses and the public \
                 URL of this one stand in its config.toml, its trust domain stays"
            }
            Self::StudentUnknown(_) | Self::StudentsUnknown { .. } => {
                "import a roster that lists the student: cuhk roster import"
            }
            Self::StudentInactive(_) => "to let the student in again: cuhk roster restore SID",
            Self::TargetAmbiguous(_) => "write student/SID or serial/SERIAL",
            Self::ServiceUnknown(_) => "add it first: cuhk service add NAME --dns NAME",
            Self::ServiceReserved(_) => "choose another name",
            Self::ServiceExists(_) => {
                "for a new code: cuhk code issue service/NAME --replace; else choose another name"
            }
            Self::NothingToRevoke { .. } => "see what there is: cuhk certs list",
            Self::TermUnknown(_) => "see which there are: cuhk term list",
            Self::LogUnknown(_) => "see which there are, with their keys: cuhk witness list",
            Self::KeyUnknown(_) => {
                "see which there are: cuhk keys list; any other certificate: cuhk revoke"
            }
            Self::RootKeyAbsent { .. } => {
                "if it is kept on another machine: `cuhk keys request WHICH --out FILE` here, `cuhk \
                 keys sign-request FILE` there, `cuhk keys import FILE` here"
            }
            Self::CeremonyInvalid(_) | Self::NothingRequested(_) => {
                "make a new request: cuhk keys request WHICH --out FILE"
            }
            Self::WrongRoot { .. } => {
                "name the directory of the newest root with --root-dir; `cuhk keys list` shows the \
                 SHA-256 of each"
            }
            Self::RequestNotOurs { .. } => "sign it with the root of that CUHK",
            Self::KeyWithdrawn(_) => "there is nothing left to do: cuhk keys list",
            Self::SheetExists { .. } => "name a file that does not exist yet",
            Self::BackupExists { .. } => "name a file that does not exist yet",
            Self::BackupInvalid { .. } => "use another backup; nothing was changed",
            Self::KeyInTheClear { .. } => {
                "put back the encrypted file that `cuhk init` wrote, then try again"
            }
            Self::HomeExists { .. } => "name a new directory: cuhk restore FILE --home NEW",
            Self::RosterInvalid { reason, .. } => reason.remedy(),
            Self::ManyMissing { .. } => {
                "look at them with --dry-run; if they have all left, say how many they are: \
                 --suspend-many NUMBER"
            }
            Self::RowsRefused { .. } => "correct those rows and import the file again",
            Self::ImportRunning => "wait until it has ended, then do the same again",
            Self::NoRoomToCompact { .. } => {
                "what is said above is removed, and its room will be used again; to have the file \
                 smaller make room on the disk, then do the same again"
            }
            Self::ImportUnfinished { .. } => {
                "mend that (a full disk: make room) and run the command again: it makes the changes \
                 that are left first. A code sheet that was written stays good"
            }
            Self::ClockSetBack { .. } => {
                "nothing was done; set the clock (`timedatectl` shows it) and do the same again; if \
                 it is right and was ahead before, add --clock-is-right"
            }
            Self::LogContradicted { .. } => {
                "put back the database and the directory `log` of the same time; never remove \
                 the log: whoever has seen a checkpoint would notice"
            }
            Self::Log(scb_tlog::Error::Damaged { .. })
            | Self::RecordInvalid { .. }
            | Self::ListMissing(_) => RESTORE,
            Self::Log(scb_tlog::Error::File { .. }) => {
                "see whether the directory is there and belongs to the user who runs this"
            }
            Self::Storage(error) => return storage_remedy(error),
            Self::Transport(scb_transport::Error::AddressInUse(_)) => {
                "stop what listens there, or choose another address with --listen or --http"
            }
            Self::WrongPassphrase { .. } => {
                "`cuhk init` was given two: that of --root-passphrase-file opens a root's key, that \
                 of --passphrase-file those of the issuing authorities and of the log"
            }
            Self::AuthorityEnded { .. } => {
                "put another one in its place: `cuhk keys rotate services` or `students`, then start \
                 the server again. `cuhk doctor` says so 60 days before"
            }
            Self::AuthorityKeyGone { .. } => {
                "put its directory back from the newest backup: cuhk restore FILE --home NEW, and \
                 copy it from there. Also one that issues no more signs its revocation list until \
                 the last certificate ends: never remove it"
            }
            Self::Certificates(scb_certs::Error::KeyFileReadable { .. }) => {
                "whoever could read it may have copied it: if others use this machine, set up a \
                 new CUHK instead"
            }
            _ => return None,
        })
    }

    fn full_remedy(&self) -> Option<String> {
        match (self, self.disk()) {
            (Self::Storage(error), Some(Disk::ReadOnly)) => error.remedy(),
            (Self::NoRoomToCompact { .. } | Self::ImportUnfinished { .. }, _) | (_, None) => {
                self.remedy().map(str::to_owned)
            }
            (_, Some(disk)) => Some(disk.remedy().to_owned()),
        }
    }

    /// What the disk is to blame for, however deep that is said.
    fn disk(&self) -> Option<Disk> {
        match self {
            Self::NoRoomToCompact { .. } => return Some(Disk::Full),
            Self::ImportUnfinished { source, .. } => return source.disk(),
            Self::Storage(error) if error.is_full() => return Some(Disk::Full),
            Self::Storage(error) if error.is_read_only() => return Some(Disk::ReadOnly),
            Self::Log(error) if error.is_full() => return Some(Disk::Full),
            _ => {}
        }
        let causes = successors(self.source(), source);
        let mut systems = causes.filter_map(|error| error.downcast_ref::<io::Error>());
        systems.find_map(|error| match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some(Disk::Full),
            io::ErrorKind::ReadOnlyFilesystem => Some(Disk::ReadOnly),
            _ => None,
        })
    }

    fn exit(&self) -> u8 {
        match self {
            Self::NotInitialised { .. }
            | Self::PassphraseShort { .. }
            | Self::PassphrasesSame
            | Self::WrongPassphrase { .. }
            | Self::InitialisedOtherwise { .. }
            | Self::RootKeyAbsent { .. }
            | Self::SheetExists { .. }
            | Self::BackupExists { .. }
            | Self::HomeExists { .. }
            | Self::RosterInvalid { .. }
            | Self::TargetAmbiguous(_) => scb_cli::exit::USAGE,
            Self::StudentUnknown(_)
            | Self::StudentsUnknown { .. }
            | Self::StudentInactive(_)
            | Self::ServiceUnknown(_)
            | Self::ServiceReserved(_)
            | Self::ServiceExists(_)
            | Self::NothingToRevoke { .. }
            | Self::TermUnknown(_)
            | Self::LogUnknown(_)
            | Self::KeyUnknown(_)
            | Self::KeyWithdrawn(_)
            | Self::BackupInvalid { .. }
            | Self::KeyInTheClear { .. }
            | Self::CeremonyInvalid(_)
            | Self::RequestNotOurs { .. }
            | Self::WrongRoot { .. }
            | Self::NothingRequested(_)
            | Self::ManyMissing { .. }
            | Self::RowsRefused { .. } => scb_cli::exit::REFUSED,
            Self::ImportRunning => scb_cli::exit::RETRY,
            Self::ImportUnfinished { source, .. } => source.exit(),
            Self::Storage(error) if error.is_busy() => scb_cli::exit::RETRY,
            Self::Transport(scb_transport::Error::LogLevel(_))
            | Self::Certificates(
                scb_certs::Error::PassphraseNeeded | scb_certs::Error::UrlInvalid,
            ) => scb_cli::exit::USAGE,
            _ => scb_cli::exit::FAULT,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            _ if self.disk() == Some(Disk::Full) => "disk_full",
            _ if self.disk() == Some(Disk::ReadOnly) => "read_only",
            Self::ImportUnfinished { source, .. } => source.code(),
            Self::NotInitialised { .. } => "not_initialised",
            Self::PassphraseShort { .. } => "passphrase_short",
            Self::PassphrasesSame => "passphrases_same",
            Self::InitialisedOtherwise { .. } => "initialised_otherwise",
            Self::StudentUnknown(_) | Self::StudentsUnknown { .. } => "student_unknown",
            Self::TargetAmbiguous(_) => "target_ambiguous",
            Self::StudentInactive(_) => "student_inactive",
            Self::ServiceUnknown(_) => "service_unknown",
            Self::ServiceReserved(_) => "service_reserved",
            Self::ServiceExists(_) => "service_exists",
            Self::NothingToRevoke { .. } => "nothing_to_revoke",
            Self::TermUnknown(_) => "term_unknown",
            Self::LogUnknown(_) => "log_unknown",
            Self::KeyUnknown(_) => "key_unknown",
            Self::KeyWithdrawn(_) => "key_withdrawn",
            Self::RootKeyAbsent { .. } => "root_key_absent",
            Self::CeremonyInvalid(_) => "ceremony_invalid",
            Self::RequestNotOurs { .. } => "request_not_ours",
            Self::WrongRoot { .. } => "wrong_root",
            Self::NothingRequested(_) => "nothing_requested",
            Self::ClockSetBack { .. } => "clock_set_back",
            Self::RecordInvalid { .. } | Self::ListMissing(_) | Self::LogContradicted { .. } => {
                "damaged"
            }
            Self::Log(scb_tlog::Error::Damaged { .. }) => "damaged",
            Self::SheetExists { .. } | Self::BackupExists { .. } => "file_exists",
            Self::BackupInvalid { .. } => "backup_invalid",
            Self::KeyInTheClear { .. } => "key_in_the_clear",
            Self::HomeExists { .. } => "home_exists",
            Self::RosterInvalid { .. } => "roster_invalid",
            Self::RowsRefused { .. } => "rows_refused",
            Self::ManyMissing { .. } => "many_missing",
            Self::ImportRunning => "import_running",
            Self::Storage(error) => error.code(),
            Self::Transport(scb_transport::Error::AddressInUse(_)) => "address_in_use",
            Self::Certificates(scb_certs::Error::KeyFileReadable { .. }) => "key_file_readable",
            Self::Certificates(scb_certs::Error::UrlInvalid) => "url_invalid",
            Self::Certificates(scb_certs::Error::ProfileBroken(_)) => Code::ProfileBroken.as_str(),
            Self::WrongPassphrase { .. } => "wrong_passphrase",
            Self::AuthorityKeyGone { .. } => "authority_key_gone",
            Self::AuthorityEnded { .. } => "authority_ended",
            _ => "fault",
        }
    }
}

fn source<'a>(
    error: &&'a (dyn std::error::Error + 'static),
) -> Option<&'a (dyn std::error::Error + 'static)> {
    (**error).source()
}

/// What is wrong with the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Disk {
    Full,
    ReadOnly,
}

impl Disk {
    fn remedy(self) -> &'static str {
        match self {
            Self::Full => "make room on the disk, then do the same again",
            Self::ReadOnly => "name a path on another disk, or mount this one for writing",
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(refusal) => refusal.into(),
            Error::Local(error) => error.into(),
            error => Self {
                exit: error.exit(),
                message: with_causes(&error),
                remedy: error.full_remedy(),
                code: Some(error.code()),
                concern: Box::default(),
                others: Vec::new(),
            },
        }
    }
}

const RESTORE: &str =
    "stop the server and restore the newest backup to a new home: cuhk restore FILE --home NEW";

/// An old database would be put in place with one copied file, and its numbers used again.
const RESTORE_GONE: &str = "put the file back if it was moved; else restore the newest backup to a \
                            new home: cuhk restore FILE --home NEW. Nothing was made in its place: \
                            without it every revocation would be forgotten";

fn storage_remedy(error: &scb_storage::Error) -> Option<&'static str> {
    match error {
        scb_storage::Error::HomeInUse { .. } => {
            Some("stop that process first, or name another directory with --home")
        }
        scb_storage::Error::NewerDatabase { .. } => {
            Some("install the newer version again, or restore a backup from before it")
        }
        scb_storage::Error::Gone { .. } => Some(RESTORE_GONE),
        error if error.is_damaged() => Some(RESTORE),
        error if error.is_busy() => Some(
            "somebody else has been writing into the database for five seconds, such as `cuhk prune`: \
             do the same again in a moment",
        ),
        _ => None,
    }
}

/// An error with all its causes.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        message += &format!(": {error}");
        cause = error.source();
    }
    message
}
