//! How an error is told at the keyboard: code, exit code and what to do about it.

use std::error::Error as _;
use std::io;
use std::iter::successors;

use scb_cli::{Failure, with_causes};
use scb_protocol::{Code, MOST_LISTS, MOST_LISTS_TAKEN};

use super::Error;
use crate::passphrase_change;
use crate::warnings::CLOCK_AHEAD;

impl Error {
    /// Whether a full disk is to blame.
    pub(super) fn is_disk_full(&self) -> bool {
        self.disk() == Some(Disk::Full)
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
            Self::PassphraseUnchanged => "nothing was changed; choose another one",
            Self::ServerOfEarlierPassphrase => {
                "nothing was changed; put the new passphrase where `serve` reads it (--passphrase-file, or the file of \
                 LoadCredential), start the server again, then do the same again"
            }
            Self::PassphraseChangeUnfinished { .. } => {
                "keep the new passphrase, and the old one until it is done; mend that (a full disk: make room), then \
                 type the same again or start `cuhk serve` with the new one: each finishes it first"
            }
            Self::KeysChanged => "no backup was written; do the same again",
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
            Self::NothingToRevoke { .. } => {
                "see what there is: cuhk certs list; an issuing authority, and a key that signs \
                 tokens: cuhk keys list, cuhk keys withdraw"
            }
            Self::TermUnknown(_) => "see which there are: cuhk term list",
            Self::LogUnknown(_) => "see which there are, with their keys: cuhk witness list",
            Self::KeyUnknown(_) => {
                "see which there are: cuhk keys list; the certificate of a student or service: cuhk \
                 revoke"
            }
            Self::RootNotRevocable(_) => {
                "if its key is safe: cuhk keys rotate root, and it retires with what is under it; if \
                 somebody else may have its key: docs/OPERATIONS.md, Disaster"
            }
            Self::AuthorityInUse(_) => {
                "put one there first: `cuhk keys rotate students` or `services`; or both at once: the \
                 same command with --replace"
            }
            Self::TooManyAuthorities {
                most: MOST_LISTS, ..
            } => {
                "nothing was changed; wait until then (`cuhk keys list` shows what is `retiring`), and \
                 rotate keys less often. In the place of a key that was stolen another can be put all the \
                 same: `cuhk keys withdraw NAME --replace`, or, with the root elsewhere, `cuhk keys request`"
            }
            Self::TooManyAuthorities {
                most: ..MOST_LISTS_TAKEN,
                ..
            } => {
                "nothing was changed; wait until then, and see what asks for keys so often (a script?). For the \
                 place of a stolen key there is room where the root's key is: `cuhk keys withdraw NAME \
                 --replace`; one that was withdrawn leaves its place as soon as its root's list names it: `cuhk \
                 root sign-crl`, or, with the root elsewhere, `cuhk keys request lists --out FILE`"
            }
            Self::TooManyAuthorities { .. } => {
                "nothing was changed. A withdrawn authority leaves its place as soon as its root's list names \
                 it: `cuhk root sign-crl`, or, with the root elsewhere, `cuhk keys request lists --out FILE`; \
                 then try again"
            }
            Self::TooManyTokenKeys { .. } => {
                "nothing was changed; wait until then, and see what rotates keys so often (a script?). A key \
                 that somebody else may have is withdrawn all the same: cuhk keys withdraw FINGERPRINT"
            }
            Self::RootKeyAbsent { .. } => {
                "if it is kept on another machine: `cuhk keys request WHICH --out FILE` here, `cuhk \
                 keys sign-request FILE` there, `cuhk keys import FILE` here"
            }
            Self::CeremonyInvalid(_) | Self::NothingRequested(_) => {
                "make a new request: cuhk keys request WHICH --out FILE"
            }
            Self::NotInForce(answer) => answer.remedy(),
            Self::WrongRoot { .. } => {
                "name the directory of the newest root with --root-dir; `cuhk keys list` shows the \
                 SHA-256 of each"
            }
            Self::RequestNotOurs { .. } => "sign it with the root of that CUHK",
            Self::KeyWithdrawn(_) => "there is nothing left to do: cuhk keys list",
            Self::SheetExists { .. } => "name a file that does not exist yet",
            Self::BackupExists { .. } => "name a file that does not exist yet",
            Self::NoDirectory { .. } => "make it (mkdir), or mount the disk that belongs there",
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
            Self::CeremonyRunning { .. } => {
                "wait until it has ended, or end it if it only waits for a passphrase in some terminal, and \
                 see what it has done (cuhk keys list) before you do the same again"
            }
            Self::BackupTooLarge { .. } => {
                "nothing was written, and the older backups stay; install a newer version of cuhk. Until \
                 then copy the whole home with the server stopped"
            }
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
                 it is right and was ahead before, say so once: add --clock-is-right"
            }
            Self::ClockBeforeRoot { .. } => {
                "nothing was done; set the clock (`timedatectl` shows it) and do the same again: \
                 --clock-is-right helps no clock from before the root. If it is right, it was ahead when \
                 that root was made; where `cuhk init` made it, nothing of that home counts yet: make a new one"
            }
            Self::ClockAhead { .. } => CLOCK_AHEAD,
            Self::LogContradicted { .. } => {
                "put back the database and the directory `log` of the same time; never remove \
                 the log: whoever has seen a checkpoint would notice"
            }
            Self::LogFilesBehind { .. } => {
                "put back the directory `log` of the newest backup: cuhk restore FILE --home NEW, and \
                 copy it from there; `cuhk serve` goes on after it. Leave the database as it is"
            }
            Self::Log(scb_tlog::Error::Damaged { .. }) => "see what `cuhk doctor` says of the log",
            Self::Log(scb_tlog::Error::SignatureMissing { .. }) => {
                "the checkpoint in HOME/log was signed with another key than keys/log.pem: put back \
                 the directories `keys` and `log` of one backup (cuhk restore FILE --home NEW)"
            }
            Self::RecordInvalid { .. } | Self::ListMissing(_) => RESTORE,
            Self::Log(scb_tlog::Error::File { .. }) => {
                "see whether the directory is there and belongs to the user who runs this"
            }
            Self::Storage(error) => return storage_remedy(error),
            Self::Transport(scb_transport::Error::AddressInUse(_)) => {
                "stop what listens there, or choose another address with --listen, --http or --metrics"
            }
            Self::CertificateGone { .. } => PUT_BACK,
            Self::Transport(scb_transport::Error::Bind { .. }) => {
                "name an address that this machine has (`ip addr` shows them), or 0.0.0.0 or [::] for \
                 all of them, in --listen, --http, --metrics or config.toml"
            }
            Self::WrongPassphrase { .. } => {
                "`cuhk init` was given two: that of --root-passphrase-file opens a root's key, that \
                 of --passphrase-file those of the issuing authorities and of the log"
            }
            Self::RootEnded { .. } => {
                "nothing was done. If this clock is wrong, set it (`timedatectl` shows it) and do the \
                 same again. If it is right, nobody believes what that root signs: make a new CUHK \
                 (`cuhk init` with another --home) and hand out its ca.pem and its fingerprint as the \
                 first time (docs/OPERATIONS.md, \"The root has ended\")"
            }
            Self::AuthorityEnded { .. } => {
                "put another one in its place: `cuhk keys rotate services` or `students`, then start \
                 the server again. `cuhk doctor` says so 60 days before"
            }
            Self::KeyExists { .. } => {
                "keep it. If it is damaged, put it back from a backup; if no backup has it, move it \
                 away first"
            }
            Self::SigningKeyGone { .. } => {
                "put it back from the newest backup: cuhk restore FILE --home NEW, and copy it from \
                 there. If no backup has the witness's key, `cuhk witness new-key` makes another; of \
                 the log's there is no other"
            }
            Self::NotAllowed { .. } => {
                "nothing is lost; a command that was typed as another user, such as root, made it. Give the whole \
                 home to the user who runs the server (chown -R cuhk: HOME), and type commands as that user: \
                 runuser -u cuhk -- cuhk …"
            }
            Self::AuthorityKeyGone { .. } => {
                "put its directory back from the newest backup: cuhk restore FILE --home NEW, and \
                 copy it from there. Also one that issues no more signs its revocation list until \
                 the last certificate ends: never remove it"
            }
            Self::Certificates(scb_certs::Error::KeyFileReadable { .. }) => {
                "whoever could read it may have copied it: chmod 600 FILE; if others use this machine, put \
                 another key in its place: of an issuing authority `cuhk keys withdraw NAME --replace`, of \
                 anything else by a new CUHK"
            }
            _ => return None,
        })
    }

    fn full_remedy(&self) -> Option<String> {
        match (self, self.disk()) {
            (Self::LogDamaged { path, mending, .. }, _) => Some(mending.remedy(path)),
            (Self::PassphraseChangeDamaged { path, opened }, _) => {
                Some(passphrase_change::remedy(path, *opened))
            }
            (Self::Storage(error), Some(Disk::ReadOnly)) => error.remedy(),
            (
                Self::NoRoomToCompact { .. }
                | Self::ImportUnfinished { .. }
                | Self::PassphraseChangeUnfinished { .. },
                _,
            )
            | (_, None) => self.remedy().map(str::to_owned),
            (_, Some(disk)) => Some(disk.remedy().to_owned()),
        }
    }

    /// What the disk is to blame for, however deep that is said.
    fn disk(&self) -> Option<Disk> {
        match self {
            Self::NoRoomToCompact { .. } => return Some(Disk::Full),
            Self::ImportUnfinished { source, .. } | Self::PassphraseChangeUnfinished { source } => {
                return source.disk();
            }
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
            | Self::PassphraseUnchanged
            | Self::WrongPassphrase { .. }
            | Self::InitialisedOtherwise { .. }
            | Self::RootKeyAbsent { .. }
            | Self::SheetExists { .. }
            | Self::BackupExists { .. }
            | Self::NoDirectory { .. }
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
            | Self::RootNotRevocable(_)
            | Self::AuthorityInUse(_)
            | Self::TooManyAuthorities { .. }
            | Self::TooManyTokenKeys { .. }
            | Self::KeyWithdrawn(_)
            | Self::BackupInvalid { .. }
            | Self::KeyInTheClear { .. }
            | Self::RootEnded { .. }
            | Self::KeyExists { .. }
            | Self::CeremonyInvalid(_)
            | Self::NotInForce(_)
            | Self::ServerOfEarlierPassphrase
            | Self::RequestNotOurs { .. }
            | Self::WrongRoot { .. }
            | Self::NothingRequested(_)
            | Self::ManyMissing { .. }
            | Self::RowsRefused { .. } => scb_cli::exit::REFUSED,
            Self::ImportRunning | Self::KeysChanged | Self::CeremonyRunning { .. } => {
                scb_cli::exit::RETRY
            }
            Self::ImportUnfinished { source, .. } | Self::PassphraseChangeUnfinished { source } => {
                source.exit()
            }
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
            Self::RootNotRevocable(_) => "root_not_revocable",
            Self::AuthorityInUse(_) => "authority_in_use",
            Self::TooManyAuthorities { .. } => "too_many_authorities",
            Self::TooManyTokenKeys { .. } => "too_many_token_keys",
            Self::KeyWithdrawn(_) => "key_withdrawn",
            Self::RootKeyAbsent { .. } => "root_key_absent",
            Self::CeremonyInvalid(_) => "ceremony_invalid",
            Self::NotInForce(_) => "not_in_force",
            Self::PassphraseUnchanged => "passphrase_unchanged",
            Self::ServerOfEarlierPassphrase => "server_of_earlier_passphrase",
            Self::PassphraseChangeUnfinished { .. } => "passphrase_change_unfinished",
            Self::PassphraseChangeDamaged { .. } => "passphrase_change_damaged",
            Self::KeysChanged => "keys_changed",
            Self::RequestNotOurs { .. } => "request_not_ours",
            Self::WrongRoot { .. } => "wrong_root",
            Self::NothingRequested(_) => "nothing_requested",
            Self::ClockSetBack { .. } | Self::ClockBeforeRoot { .. } => "clock_set_back",
            Self::ClockAhead { .. } => "clock_ahead",
            Self::RecordInvalid { .. }
            | Self::ListMissing(_)
            | Self::LogDamaged { .. }
            | Self::LogContradicted { .. }
            | Self::LogFilesBehind { .. } => "damaged",
            Self::Log(scb_tlog::Error::Damaged { .. }) => "damaged",
            Self::SheetExists { .. } | Self::BackupExists { .. } | Self::KeyExists { .. } => {
                "file_exists"
            }
            Self::NoDirectory { .. } => "no_directory",
            Self::BackupInvalid { .. } => "backup_invalid",
            Self::KeyInTheClear { .. } => "key_in_the_clear",
            Self::HomeExists { .. } => "home_exists",
            Self::RosterInvalid { .. } => "roster_invalid",
            Self::RowsRefused { .. } => "rows_refused",
            Self::ManyMissing { .. } => "many_missing",
            Self::ImportRunning => "import_running",
            Self::CeremonyRunning { .. } => "ceremony_running",
            Self::BackupTooLarge { .. } => "backup_too_large",
            Self::Storage(error) => error.code(),
            Self::Transport(scb_transport::Error::AddressInUse(_)) => "address_in_use",
            Self::Certificates(scb_certs::Error::KeyFileReadable { .. }) => "key_file_readable",
            Self::Certificates(scb_certs::Error::UrlInvalid) => "url_invalid",
            Self::Certificates(scb_certs::Error::ProfileBroken(_)) => Code::ProfileBroken.as_str(),
            Self::WrongPassphrase { .. } => "wrong_passphrase",
            Self::NotAllowed { .. } => "not_allowed",
            Self::AuthorityKeyGone { .. } => "authority_key_gone",
            Self::CertificateGone { .. } => "certificate_gone",
            Self::SigningKeyGone { .. } => "signing_key_gone",
            Self::AuthorityEnded { .. } => "authority_ended",
            Self::RootEnded { .. } => "root_ended",
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
            Error::Local(error) => told_of_file(error),
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

/// A backup of CUHK is one archive, so that it takes a command to get one file out of it.
fn told_of_file(error: scb_cli::Error) -> Failure {
    let is_damaged = matches!(error, scb_cli::Error::Damaged { .. });
    let failure = Failure::from(error);
    match is_damaged {
        true => failure.with_remedy(PUT_BACK),
        false => failure,
    }
}

const PUT_BACK: &str = "put this file back from a backup: cuhk restore FILE --home NEW makes a whole home \
                        beside this one; copy it from there";

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
