//! What can go wrong at CUHK, and what is said about it to peers and to people.

mod told;

use std::path::{Path, PathBuf};

use rustls_pki_types::UnixTime;
use scb_certs::{Fingerprint, ServiceName, StudentId, TrustDomain};
use scb_cli::{counted, local_time};
use scb_protocol::{Code, Refusal, Step};

use crate::ceremony::NotInForce;
use crate::log::Mending;
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
    /// Files of the issuance log are not what was written, or missing.
    #[error("the issuance log in {} cannot be used", path.display())]
    LogDamaged {
        /// The log's directory.
        path: PathBuf,
        /// What makes it whole again.
        mending: Mending,
        /// What was found, and in which file.
        source: scb_tlog::Error,
    },
    /// The database and the tiles hold different entries of the log.
    #[error("the issuance log in {} is not the one of this database", path.display())]
    LogContradicted {
        /// The log's directory.
        path: PathBuf,
    },
    /// The tiles lack entries of which the database has kept nothing.
    #[error(
        "the issuance log in {} holds {held} entries, and of the first {removed} the database keeps \
         no old questions: they are nowhere else", path.display()
    )]
    LogFilesBehind {
        /// The log's directory.
        path: PathBuf,
        /// Entries that are there.
        held: u64,
        /// Entries of which some were removed from the database.
        removed: u64,
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
    #[error("the passphrase given by {flag} is shorter than {MIN_CHARACTERS} characters, or blank")]
    PassphraseShort {
        /// The flag that gives it.
        flag: &'static str,
    },
    /// A passphrase is to be changed, and the new one is the old one.
    #[error("the new passphrase is the present one")]
    PassphraseUnchanged,
    /// The passphrase was changed, but not all keys are at their places.
    #[error("the new passphrase counts from now on, but not all keys are at their places yet")]
    PassphraseChangeUnfinished {
        /// What is in the way.
        #[source]
        source: Box<Error>,
    },
    /// The file is damaged by which a change of the passphrase would be finished.
    #[error("{} is damaged: it holds keys under a passphrase that was changed", path.display())]
    PassphraseChangeDamaged {
        /// The file.
        path: PathBuf,
        /// Whether a passphrase that was given opens every key as it is.
        opened: Option<bool>,
    },
    /// A key is to be made that the running server could not open.
    #[error(
        "the server that runs here was started before the passphrase was changed, or by an earlier build: it could \
         not open a new key"
    )]
    ServerOfEarlierPassphrase,
    /// The keys of a home got another passphrase while they were copied.
    #[error("the passphrase of the keys was changed while they were copied")]
    KeysChanged,
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
    #[error(
        "the service name {0} is reserved: keys, logs, identities or authorities of CUHK are called so"
    )]
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
    #[error("{0} is no issuing authority and no key with which CUHK signs tokens")]
    KeyUnknown(NamedKey),
    /// A root that is to be revoked.
    #[error(
        "{0} is a root, and no list can say of it that it counts no more: it would sign that itself"
    )]
    RootNotRevocable(CrlSigner),
    /// An issuing authority in whose place there is no other.
    #[error("no other issuing authority was put to use in the place of `{0}`")]
    AuthorityInUse(CrlSigner),
    /// As many authorities count as may at once.
    #[error(
        "{count} revocation lists are handed out, of authorities whose certificates may still count; this is \
         refused from {most} on{}",
        room_at.map_or_else(String::new, |at| format!(": there is room from {} on", local_time(at)))
    )]
    TooManyAuthorities {
        /// Lists now.
        count: usize,
        /// Lists beside which there is no room for another one.
        most: usize,
        /// From when on there is.
        room_at: Option<UnixTime>,
    },
    /// As many keys for tokens count as may.
    #[error(
        "{count} keys for tokens count, and everybody fetches all of them: there may be no more{}",
        room_at.map_or_else(String::new, |at| format!("; there is room from {} on", local_time(at)))
    )]
    TooManyTokenKeys {
        /// How many count.
        count: usize,
        /// From when on another one may be made.
        room_at: Option<UnixTime>,
    },
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
    /// What a root has signed begins only later, or has ended.
    #[error("{0}")]
    NotInForce(Box<NotInForce>),
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
    /// The clock says a time at which this CUHK did not exist yet.
    #[error("this machine's clock says {}, but this CUHK's root begins at {}", local_time(*now), local_time(*begins))]
    ClockBeforeRoot {
        /// When the first root's certificate begins.
        begins: UnixTime,
        /// The time now.
        now: UnixTime,
    },
    /// The clock is far ahead of all that was recorded, or was found so before.
    #[error(
        "this machine's clock says {}, but nothing that it can be held against is later than {}",
        local_time(*now),
        local_time(*last)
    )]
    ClockAhead {
        /// The latest time that is believed.
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
    /// A backup was to be written where no directory is.
    #[error("there is no directory {}", path.display())]
    NoDirectory {
        /// Where it would be.
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
    /// The newest root has run out.
    #[error("this machine's clock says {}, but the root ended at {}", local_time(*now), local_time(*ended))]
    RootEnded {
        /// When it ended.
        ended: UnixTime,
        /// The time now.
        now: UnixTime,
    },
    /// A passphrase does not open a key.
    #[error("the passphrase does not open {}", path.display())]
    WrongPassphrase {
        /// The key's file.
        path: PathBuf,
    },
    /// The certificate of an authority is not where it was.
    #[error("there is no {}", path.display())]
    CertificateGone {
        /// Where it was.
        path: PathBuf,
    },
    /// A key is there that would be replaced.
    #[error("{} is there: only a key that is lost gets another in its place", path.display())]
    KeyExists {
        /// Where it is.
        path: PathBuf,
    },
    /// A key that has signed what others keep is gone.
    #[error("{} is gone, and that key has signed what others keep", path.display())]
    SigningKeyGone {
        /// Where it was.
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
    /// This user may not look for a file.
    #[error("this user may not look for {}: it or its directory belongs to another", path.display())]
    NotAllowed {
        /// What was looked for.
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
    /// Another change of the authorities' keys is under way.
    #[error(
        "another ceremony for keys or lists is under way in this home{}; nothing was changed",
        by.map_or_else(String::new, |process| format!(", in the process {process}"))
    )]
    CeremonyRunning {
        /// The process, if it can be told.
        by: Option<u32>,
    },
    /// A home has more files than a backup can hold.
    #[error("this home has {files} files, more than the {most} that a backup can hold")]
    BackupTooLarge {
        /// Files to be taken.
        files: usize,
        /// Most files in a backup.
        most: usize,
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
            _ if self.is_disk_full() => Refusal::new(Code::StorageFull, step),
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
}
