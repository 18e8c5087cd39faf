//! `cuhk doctor`: looks at a home without changing it, while a server may be running in it.
//!
//! Each check is one function that answers what was seen and, where something is wrong, how to
//! mend it. What cannot even be looked at is a finding, too, so that one broken thing never
//! hides another.

mod archive;
mod authorities;
mod certified;
mod expiry;
mod files;
mod log;
mod names;
mod operations;
mod reach;
mod records;
mod removal;
mod services;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;

use rustls_pki_types::UnixTime;
use scb_certs::{Passphrase, all_from_pem};
use scb_cli::{Home, counted, load_config, lost_config, read_limited};
use serde::Serialize;

use crate::config::{cut_config, path};
use crate::store::Store;
use crate::{Config, Error, issuers};

/// Largest file of certificates that is looked at, in bytes.
const MAX_PEM: u64 = 64 * 1024;

/// How a check went. The later ones are worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    /// As it should be.
    Ok,
    /// Works, and will not for ever.
    Warn,
    /// Does not work, or is not safe.
    Fail,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        })
    }
}

/// What one check saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// What was looked at: a word for scripts.
    pub(crate) check: &'static str,
    /// How it went.
    pub(crate) outcome: Outcome,
    /// What was seen.
    pub(crate) seen: String,
    /// What to do about it; with every outcome but `ok`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mend: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, seen: impl Into<String>) -> Self {
        Self {
            check,
            outcome: Outcome::Ok,
            seen: seen.into(),
            mend: None,
        }
    }

    fn warn(check: &'static str, seen: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::Warn,
            mend: Some(mend.into()),
            ..Self::ok(check, seen)
        }
    }

    fn fail(check: &'static str, seen: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::Fail,
            ..Self::warn(check, seen, mend)
        }
    }

    /// A check that could not be made.
    fn unseen(check: &'static str, error: Error) -> Self {
        let failure = scb_cli::Failure::from(error);
        let mend = failure.remedy.unwrap_or_else(|| {
            "see whether the file is there and belongs to the user who runs this; otherwise \
             restore it from a backup"
                .to_owned()
        });
        Self::fail(check, failure.message, mend)
    }
}

/// Passphrases to try, if there are any.
#[derive(Debug, Default)]
pub(crate) struct Passphrases {
    /// That of the issuing authorities.
    pub(crate) issuers: Option<Passphrase>,
    /// That of the root.
    pub(crate) root: Option<Passphrase>,
}

/// Looks at everything in `home`.
pub(crate) fn examine(home: &Home, passphrases: &Passphrases, now: UnixTime) -> Vec<Finding> {
    let mut findings = vec![version()];
    let config = match load_config::<Config>(home) {
        Ok(config) => {
            findings.push(config_file(home));
            config
        }
        Err(error) => {
            findings.push(Finding::unseen("config", error.into()));
            Config::default()
        }
    };
    let authorities = authorities::look(home, now);
    findings.extend(files::check(home, &authorities, passphrases));
    findings.extend(expiry::check(home, &authorities, now));
    findings.extend(records::check(home, now));
    findings.push(root_copy(home));
    findings.extend(names::check(home, &config));
    findings
}

/// `cuhk init` has written one: without it the names in the server's certificate are the defaults.
fn config_file(home: &Home) -> Finding {
    const CHECK: &str = "config";
    const MEND: &str = "put it back from a backup, or write it anew: `cuhk --print-config` shows how, and \
                        the names that clients know must be in it";
    if let Some(seen) = lost_config(home) {
        return Finding::fail(CHECK, seen, MEND);
    }
    match cut_config(home) {
        Some(seen) => Finding::warn(CHECK, seen, MEND),
        None => Finding::ok(CHECK, "every option is understood"),
    }
}

/// Whoever is given this file knows CUHK by it.
fn root_copy(home: &Home) -> Finding {
    const CHECK: &str = "ca-pem";
    let file = home.path(path::ROOT_CERTIFICATE_COPY);
    const MEND: &str = "`cuhk root sign-crl` writes it anew, with every root that counts";
    match read_roots(&file) {
        Ok(0) => Finding::fail(CHECK, format!("{}: no root in it", file.display()), MEND),
        Ok(count) => Finding::ok(CHECK, format!("{} in it", counted(count, "root"))),
        Err(error) => {
            let told = scb_cli::Failure::from(error).message;
            Finding::warn(CHECK, told, MEND)
        }
    }
}

fn read_roots(file: &Path) -> Result<usize, Error> {
    let pem = read_limited(file, MAX_PEM)?;
    let roots = all_from_pem(&String::from_utf8_lossy(&pem)).map_err(issuers::in_file(file))?;
    Ok(roots.len())
}

/// The records; none if they cannot be read or would have to be brought up to date.
fn open_current(home: &Home) -> Option<Store> {
    let file = home.path(path::DATABASE);
    let inspected = Store::inspect(&file).ok()?;
    match inspected.pending {
        0 => Store::open_to_read(&file).ok(),
        _ => None,
    }
}

fn version() -> Finding {
    Finding::ok("version", concat!("cuhk ", env!("CARGO_PKG_VERSION")))
}
