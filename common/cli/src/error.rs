//! What can go wrong before and around the protocol, and how to mend it.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use scb_protocol::counted;

use crate::exit;
use crate::home::Role;

/// A command-line fault: nothing that a peer said, only this machine and its user.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or directory could not be used; `action` is a verb such as `read`.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is longer than its reader allows.
    #[error("{} is larger than {}", path.display(), counted(*limit, "byte"))]
    FileTooLarge {
        /// The file.
        path: PathBuf,
        /// The limit in bytes.
        limit: u64,
    },
    /// A key or certificate of one's own is not what was written into its file.
    #[error("{} is damaged", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with its contents.
        source: scb_certs::Error,
    },
    /// The home does not exist or was never set up.
    #[error("no home of `{role}` in {}", path.display())]
    NoHome {
        /// The directory looked at.
        path: PathBuf,
        /// The role that wants it.
        role: Role,
    },
    /// The directory is the home of another role.
    #[error("{} is the home of `{found}`, not of `{expected}`", path.display())]
    WrongRole {
        /// The directory.
        path: PathBuf,
        /// What its `role` file says.
        found: String,
        /// The role that wants it.
        expected: Role,
    },
    /// Root types what is to be typed by the user whose home it is.
    #[error(
        "{} belongs to another user, whose server could not read what this command would write",
        path.display()
    )]
    HomeOfAnother {
        /// The home.
        path: PathBuf,
        /// Whose program it is.
        role: Role,
    },
    /// A new home or sandbox would have been mixed with other files.
    #[error("{} is not empty and was not made by this program", path.display())]
    NotEmpty {
        /// The directory.
        path: PathBuf,
    },
    /// `config.toml` is malformed or has a key that nobody knows.
    #[error("{}, line {line}: {message}", path.display())]
    Config {
        /// The configuration file.
        path: PathBuf,
        /// Line number, counted from 1.
        line: usize,
        /// What the parser said.
        message: String,
    },
    /// The configuration cannot be expressed as TOML.
    #[error("cannot write the configuration")]
    ConfigUnwritable(#[source] toml::ser::Error),
    /// A secret is needed and there is no terminal to ask for it.
    #[error("no terminal to ask on: {prompt}")]
    NoTerminal {
        /// What would have been asked.
        prompt: String,
        /// The flag that gives it instead.
        flag: String,
    },
    /// The person at the prompt pressed Esc or Ctrl-C.
    #[error("cancelled")]
    Cancelled,
    /// The prompt itself failed.
    #[error("cannot ask on this terminal")]
    Prompt(#[source] inquire::InquireError),
    /// The first line of a passphrase file is empty or not UTF-8.
    #[error("no passphrase on the first line of {}", path.display())]
    NoPassphrase {
        /// The file.
        path: PathBuf,
    },
    /// A file with a secret that other users can read.
    #[error("{} can be read by other users (mode {mode:04o}): run chmod 600 {}", path.display(), path.display())]
    SecretReadable {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The directory is not a sandbox.
    #[error("no sandbox in {}", dir.display())]
    NoSandbox {
        /// The directory.
        dir: PathBuf,
    },
    /// A sandbox was told to listen where others can reach it.
    #[error("a sandbox listens on loopback only, not on {addr}")]
    NotLoopback {
        /// The address refused.
        addr: SocketAddr,
    },
    /// The server has not written its address yet.
    #[error("{} does not exist: the server is not up yet", path.display())]
    NotReady {
        /// The address file.
        path: PathBuf,
        /// The command that starts the server, where it is known.
        start: Option<String>,
    },
    /// The address file holds something else.
    #[error("{} holds no address such as 127.0.0.1:8011", path.display())]
    AddressMalformed {
        /// The address file.
        path: PathBuf,
    },
    /// Standard output could not be written.
    #[error("cannot write to standard output")]
    Output(#[source] io::Error),
}

impl Error {
    /// For `map_err`: what was tried on which path.
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File {
            action,
            path,
            source,
        }
    }

    /// For `map_err` where a key or certificate is read from a file: names the file if its contents
    /// are to blame. A wrong passphrase or other people's rights to it stay what they are.
    pub fn in_file<E>(path: &Path) -> impl FnOnce(scb_certs::Error) -> E
    where
        E: From<scb_certs::Error> + From<Self>,
    {
        let path = path.to_owned();
        move |source| match source.is_of_contents() {
            true => Self::Damaged { path, source }.into(),
            false => source.into(),
        }
    }

    /// The exit code of a program that ends with this error, one of [`exit`].
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NotReady { .. } => exit::RETRY,
            Self::NoHome { .. }
            | Self::WrongRole { .. }
            | Self::NotEmpty { .. }
            | Self::Config { .. }
            | Self::NoTerminal { .. }
            | Self::Cancelled
            | Self::NoPassphrase { .. }
            | Self::NoSandbox { .. }
            | Self::NotLoopback { .. } => exit::USAGE,
            _ => exit::FAULT,
        }
    }

    /// A stable word for scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::File { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "disk_full",
                io::ErrorKind::ReadOnlyFilesystem => "read_only",
                _ => "file",
            },
            Self::FileTooLarge { .. } => "file",
            Self::Damaged { .. } => "damaged",
            Self::NoHome { .. } => "no_home",
            Self::WrongRole { .. } => "wrong_home",
            Self::HomeOfAnother { .. } => "home_of_another",
            Self::NotEmpty { .. } => "not_empty",
            Self::Config { .. } | Self::ConfigUnwritable(_) => "config",
            Self::NoTerminal { .. } => "no_terminal",
            Self::Cancelled => "cancelled",
            Self::Prompt(_) => "prompt",
            Self::NoPassphrase { .. } => "no_passphrase",
            Self::SecretReadable { .. } => "secret_readable",
            Self::NoSandbox { .. } => "no_sandbox",
            Self::NotLoopback { .. } => "not_loopback",
            Self::NotReady { .. } | Self::AddressMalformed { .. } => "not_ready",
            Self::Output(_) => "output",
        }
    }

    /// What the person at the keyboard can do about it, where there is something.
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::NoHome { role, .. } => Some(no_home_remedy(*role)),
            Self::WrongRole { expected, .. } => Some(format!(
                "name another directory with --home; without it `{expected}` uses its own"
            )),
            Self::HomeOfAnother { role, .. } => Some(format!(
                "do the same as that user (`ls -ld` shows who it is): runuser -u {role} -- {role} …; nothing \
                 was changed"
            )),
            Self::NotEmpty { .. } => Some("name a new or an empty directory".into()),
            Self::Config { .. } => Some("correct or remove that line".into()),
            Self::NoTerminal { flag, .. } => Some(format!("give it with {flag} FILE")),
            Self::NoPassphrase { .. } => Some("write it on the file's first line".into()),
            Self::SecretReadable { .. } => Some(
                "if others use this machine, whoever could read it may know it: choose another"
                    .into(),
            ),
            Self::NoSandbox { dir } => Some(format!(
                "start `cuhk serve --sandbox {}` first",
                dir.display()
            )),
            Self::NotLoopback { .. } => Some("use 127.0.0.1 or [::1]".into()),
            Self::NotReady { start, .. } => Some(match start {
                Some(command) => format!("start `{command}` first"),
                None => "start the server first".into(),
            }),
            Self::AddressMalformed { .. } => Some("start the server again".into()),
            Self::File { source, .. } => file_remedy(source).map(str::to_owned),
            Self::Damaged { .. } => Some("restore this file from a backup".into()),
            Self::FileTooLarge { .. } => Some("check that it is the file that is meant".into()),
            _ => None,
        }
    }
}

fn file_remedy(error: &io::Error) -> Option<&'static str> {
    Some(match error.kind() {
        io::ErrorKind::NotFound => "check the path",
        io::ErrorKind::PermissionDenied => "let this user use it, or name another path",
        io::ErrorKind::ReadOnlyFilesystem => {
            "name a path on another disk, or mount this one for writing"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "make room on the disk, then do the same again"
        }
        io::ErrorKind::IsADirectory => "name a file, not a directory",
        io::ErrorKind::NotADirectory => "a part of the path is a file: name a directory there",
        _ => return None,
    })
}

fn no_home_remedy(role: Role) -> String {
    match role {
        Role::Student => "run `student` once, or name its directory with --home".into(),
        _ => format!("run `{role} init` first, or name its directory with --home"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_damaged_is_named_and_what_is_not_stays_what_it_is() {
        #[derive(Debug, thiserror::Error)]
        enum Either {
            #[error(transparent)]
            Certs(#[from] scb_certs::Error),
            #[error(transparent)]
            Local(#[from] Error),
        }
        let told = |error| Error::in_file::<Either>(Path::new("/x/key.pem"))(error);
        let Either::Local(damaged) = told(scb_certs::Error::KeyMalformed) else {
            panic!("not damaged");
        };
        assert_eq!(damaged.to_string(), "/x/key.pem is damaged");
        assert_eq!(damaged.code(), "damaged");
        assert!(damaged.remedy().unwrap().contains("backup"));
        let wrong = told(scb_certs::Error::WrongPassphrase);
        assert!(matches!(wrong, Either::Certs(_)), "{wrong}");
    }

    #[test]
    fn a_file_that_cannot_be_used_says_what_to_do() {
        for (kind, code, word) in [
            (io::ErrorKind::NotFound, "file", "path"),
            (io::ErrorKind::PermissionDenied, "file", "this user"),
            (io::ErrorKind::StorageFull, "disk_full", "room"),
            (io::ErrorKind::QuotaExceeded, "disk_full", "room"),
            (io::ErrorKind::ReadOnlyFilesystem, "read_only", "mount"),
            (io::ErrorKind::IsADirectory, "file", "file"),
        ] {
            let error = Error::file("read", Path::new("/x"))(kind.into());
            assert_eq!((error.exit_code(), error.code()), (exit::FAULT, code));
            assert!(error.remedy().unwrap().contains(word), "{kind}");
        }
    }
}
