//! `cuhk keys`

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustls_pki_types::UnixTime;
use scb_certs::{Certificate, Fingerprint};
use scb_cli::{Failure, Home, rfc3339, say};
use serde::Serialize;

use super::{now, open};
use crate::config::path;
use crate::issuers::read_certificate;
use crate::keys::{KeyState, NamedKey, active_signer, rotate_tokens, withdraw};
use crate::store::{Store, TokenSigner};

pub(super) const EXAMPLES: &str = "\
Examples:
  cuhk keys list
  cuhk keys rotate tokens
  cuhk keys withdraw 1f6e…            see `cuhk keys list`";

const LIST_EXAMPLES: &str = "\
Examples:
  cuhk keys list
  cuhk keys list --json | jq '.[] | select(.state == \"active\")'

States: an `active` key signs; of a `retiring` one what it signed still counts; of a `retired` one
that has run out; of one that was `withdrawn` nothing counts.";

const ROTATE_EXAMPLES: &str = "\
Example:
  cuhk keys rotate tokens

A running server has the new key within a second and signs with it from then on. Identity tokens
that the old key signed count until they expire, 12 hours at most. If somebody else may have the
old key: cuhk keys withdraw";

const WITHDRAW_EXAMPLES: &str = "\
Examples:
  cuhk keys withdraw 1f6e…            the SHA-256 or the serial number; see `cuhk keys list`

For a key that somebody else has, or may have. Within five seconds nothing counts that it signed,
on open connections as well; programs get fresh tokens by themselves. Receipts given before stay
good. It is for keys that sign tokens; all other certificates: cuhk revoke";

/// How long to wait for a server that may be running.
const SERVER_PATIENCE: Duration = Duration::from_secs(3);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List the keys that CUHK signs with: root, issuing authorities, signers of tokens
    #[command(after_help = LIST_EXAMPLES)]
    List {
        /// As a JSON array
        #[arg(long)]
        json: bool,
    },
    /// Put a new key in the place of the present one
    #[command(after_help = ROTATE_EXAMPLES)]
    Rotate {
        /// Which key
        which: Rotated,
    },
    /// Withdraw a key that signs tokens, at once
    #[command(after_help = WITHDRAW_EXAMPLES)]
    Withdraw {
        /// SHA-256 of the key's certificate, or its serial number
        #[arg(value_name = "FINGERPRINT|SERIAL")]
        key: NamedKey,
    },
}

/// What can be rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Rotated {
    /// The key that signs identity tokens and answers about members
    Tokens,
}

impl Command {
    pub(super) fn is_json(&self) -> bool {
        matches!(self, Self::List { json: true })
    }
}

pub(super) fn run(dir: &Path, command: Command) -> Result<(), Failure> {
    let (home, store) = open(dir)?;
    match command {
        Command::List { json } => list(&home, &store, json),
        Command::Rotate {
            which: Rotated::Tokens,
        } => rotate(&store),
        Command::Withdraw { key } => {
            let named = key.clone();
            store.write_blocking(move |records| withdraw(records, &named, now()))?;
            say(&format!(
                "{key}  withdrawn: nothing that it signed counts any more"
            ))?;
            tell_active(&store)
        }
    }
}

fn rotate(store: &Store) -> Result<(), Failure> {
    let retired = store.write_blocking(|records| rotate_tokens(records, now()))?;
    if retired > 0 {
        say("the key for tokens retires: what it signed counts until it expires")?;
    }
    tell_active(store)
}

/// Says with which key tokens are signed from now on, if a server is there to have made it.
fn tell_active(store: &Store) -> Result<(), Failure> {
    let deadline = Instant::now() + SERVER_PATIENCE;
    loop {
        let active = store.read_blocking(|records| active_signer(records, now()))?;
        match active.and_then(|signer| Row::of_signer(&signer, now())) {
            Some(row) => return Ok(say(&row.line())?),
            None if Instant::now() > deadline => {
                let text = "no server is running here: the next `cuhk serve` makes the new key";
                return Ok(say(text)?);
            }
            None => sleep(LOOK_AGAIN),
        }
    }
}

fn list(home: &Home, store: &Store, json: bool) -> Result<(), Failure> {
    let mut rows = Vec::new();
    for (kind, dir) in [
        ("root", path::ROOT),
        ("students", path::STUDENTS),
        ("services", path::SERVICES),
    ] {
        rows.push(Row::of_authority(
            kind,
            &read_certificate(home, dir)?,
            now(),
        ));
    }
    let signers = store.read_blocking(|records| records.signers().all())?;
    rows.extend(
        signers
            .iter()
            .filter_map(|signer| Row::of_signer(signer, now())),
    );
    if json {
        let text = serde_json::to_string_pretty(&rows)
            .map_err(|error| Failure::fault(error.to_string()))?;
        return Ok(say(&text)?);
    }
    rows.iter().try_for_each(|row| Ok(say(&row.line())?))
}

#[derive(Serialize)]
struct Row {
    kind: &'static str,
    state: &'static str,
    serial: String,
    sha256: Fingerprint,
    not_before: String,
    not_after: String,
    retired_at: Option<String>,
}

impl Row {
    fn of(kind: &'static str, state: KeyState, certificate: &Certificate) -> Self {
        Self {
            kind,
            state: state.as_str(),
            serial: certificate.serial().to_string(),
            sha256: certificate.fingerprint(),
            not_before: rfc3339(certificate.not_before()),
            not_after: rfc3339(certificate.not_after()),
            retired_at: None,
        }
    }

    fn of_authority(kind: &'static str, certificate: &Certificate, now: UnixTime) -> Self {
        let state = match now > certificate.not_after() {
            true => KeyState::Retired,
            false => KeyState::Active,
        };
        Self::of(kind, state, certificate)
    }

    /// None for one whose certificate was never signed.
    fn of_signer(signer: &TokenSigner, now: UnixTime) -> Option<Self> {
        let certificate = signer.record.certificate.as_ref()?;
        let row = Self::of("tokens", KeyState::of_signer(signer, now), certificate);
        Some(Self {
            retired_at: signer.retired_at.map(rfc3339),
            ..row
        })
    }

    fn line(&self) -> String {
        let Self {
            kind,
            state,
            sha256,
            not_after,
            ..
        } = self;
        format!("{kind:<8}  {state:<9}  until {not_after}  {sha256}")
    }
}
