//! `cuhk keys`

mod carried;
mod ceremony;
mod passphrase;
mod withdraw;

use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustls_pki_types::UnixTime;
use scb_certs::{Certificate, Fingerprint, IssuerKind};
use scb_cli::{Failure, Home, say};
use serde::Serialize;
use serde_json::json;

use self::carried::Carried;
pub(super) use self::ceremony::require_named_root_key;
use self::ceremony::{rotate_issuer, rotate_root};
use super::listing::{Moment, say_json};
use super::passphrases::{IssuersPassphrase, Passphrases, RootPassphrase};
use super::root::Numbers;
use super::{Desk, now, open};
use crate::config::path;
use crate::issuers::{counting_roots, read_certificate};
use crate::keys::{KeyState, active_signer, rotate_tokens};
use crate::store::{AuthorityKind, Revocation, Store, TokenSigner};
use crate::turn::{Turn, Work};

pub(super) const EXAMPLES: &str = "\
Examples:
  cuhk keys list
  cuhk keys rotate tokens
  cuhk keys passphrase                somebody who knows it leaves
  cuhk keys withdraw 1f6e…            see `cuhk keys list`
  cuhk keys withdraw students         an issuing authority whose key was stolen";

const LIST_EXAMPLES: &str = "\
Examples:
  cuhk keys list
  cuhk keys list --json | jq '.[] | select(.state == \"active\")'

States: a `new` key waits until everybody knows of it; an `active` key signs; of a `retiring` one
what it signed still counts; of a `retired` one that has run out; of one that was `withdrawn`
nothing counts.";

const ROTATE_EXAMPLES: &str = "\
Examples:
  cuhk keys rotate tokens
  cuhk keys rotate students           asks for both passphrases: the root certifies the new key
  cuhk keys rotate services --passphrase-file issuers.txt --root-passphrase-file root.txt
  cuhk keys rotate root               asks for the root's passphrase, which the new root shares

The root: the present one says so in the trust bundle, which `student` and `blackboard` fetch by
themselves. Issuing authorities that are rotated later are under the new root.

An issuing authority: a running server publishes the new one's revocation list within a second and
lets it issue 10 s later. What the old one issued counts until it ends; until then the old one goes
on signing its revocation list. Where the root's key is on another machine: cuhk keys request

The key for tokens: a running server has the new key within a second and signs with it from then
on. Identity tokens that the old key signed count until they expire, 12 hours at most; as long no
more than 24 keys are made. If somebody else may have the old key: cuhk keys withdraw";

const REQUEST_EXAMPLES: &str = "\
Examples:
  cuhk keys request students --out students.request.json                    here
  cuhk keys sign-request students.request.json --root-dir DIR --out answer.json   where the root is
  cuhk keys import answer.json                                              here
  cuhk keys request root --out root.json      the same for another root
  cuhk keys request lists --out lists.json    once a year: the root's revocation list

Neither file holds a secret. The root's key (root/key.pem) need not be in this home.";

const SIGN_EXAMPLES: &str = "\
Example:
  cuhk keys sign-request students.request.json --root-dir /media/root --out answer.json

DIR holds cert.pem and key.pem, as they are in the directory `root` of CUHK's home. Nothing else
of CUHK is needed on this machine. If another root is asked for, its key is made in
--new-root-dir. See what is signed before you type the passphrase: it is told, first of all the
request's SHA-256, which must be the one that `cuhk keys request` told, and every root that will be
trusted: one that is none of yours would be trusted by everybody. Where an older root
still counts, its list is signed as well if its directory is named, too (--root-dir NEW --root-dir
OLD); all have one passphrase.";

const IMPORT_EXAMPLES: &str = "\
Examples:
  cuhk keys import answer.json
  cuhk keys import answer.json --passphrase-file issuers.txt

No passphrase is needed. One that is given is tried on the new key of an issuing authority, before
that is put to use.";

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
        #[command(flatten)]
        passphrases: Passphrases,
        /// Answer as a JSON object
        #[arg(long)]
        json: bool,
    },
    /// Make a new key, and a request that is signed where the root's key is
    #[command(after_help = REQUEST_EXAMPLES)]
    Request {
        /// Which key
        which: Requested,
        /// Where to write the request; of what is there only an earlier request is replaced
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        #[command(flatten)]
        passphrase: IssuersPassphrase,
        #[command(flatten)]
        numbers: Numbers,
    },
    /// Sign a request with the root's key, on the machine that has it
    #[command(after_help = SIGN_EXAMPLES)]
    SignRequest(SignRequest),
    /// Take in the answer to a request: the new key is put to use
    #[command(after_help = IMPORT_EXAMPLES)]
    Import {
        /// The answer
        file: PathBuf,
        #[command(flatten)]
        passphrase: IssuersPassphrase,
    },
    /// Give the issuing authorities' keys and the log's another passphrase
    Passphrase(passphrase::Arguments),
    /// Withdraw a key that signs tokens, or an issuing authority, at once
    Withdraw(withdraw::Arguments),
}

/// What can be rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Rotated {
    /// The key that signs identity tokens and answers about members
    Tokens,
    /// The issuing authority of students' certificates
    Students,
    /// The issuing authority of services' certificates
    Services,
    /// The root: another one, trusted beside the present one
    Root,
}

/// What is asked of the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Requested {
    /// A certificate for a new issuing authority of students' certificates
    Students,
    /// A certificate for a new issuing authority of services' certificates
    Services,
    /// Another root, trusted beside the present one
    Root,
    /// The root's revocation list and the trust bundle for another 13 months
    Lists,
}

/// What is signed where the root's key is.
#[derive(Debug, clap::Args)]
pub(super) struct SignRequest {
    /// The request
    file: PathBuf,
    /// Directory with the root's cert.pem and key.pem; once more for each older root that still counts
    #[arg(long, value_name = "DIR", required = true)]
    root_dir: Vec<PathBuf>,
    /// Where the key of another root is made, if one is asked for; kept like the first
    #[arg(long, value_name = "DIR")]
    new_root_dir: Option<PathBuf>,
    /// Where to write the answer; of what is there only an earlier answer is replaced
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    passphrase: RootPassphrase,
}

impl Command {
    pub(super) fn is_json(&self) -> bool {
        match self {
            Self::List { json } | Self::Rotate { json, .. } => *json,
            Self::Withdraw(arguments) => arguments.json,
            _ => false,
        }
    }
}

pub(super) fn run(desk: &Desk<'_>, command: Command) -> Result<(), Failure> {
    // The one command for a machine that has no home.
    if let Command::SignRequest(signing) = &command {
        return ceremony::sign_request(signing);
    }
    let (home, store) = match &command {
        Command::List { .. } => open(desk.dir)?,
        _ => desk.open_to_write()?,
    };
    match command {
        Command::List { json } => list(&home, &store, json),
        Command::Rotate {
            which,
            passphrases,
            json,
        } => {
            let kind = match which {
                Rotated::Tokens => return rotate(&store, json),
                Rotated::Root => return rotate_root(&home, &store, &passphrases.root, json),
                Rotated::Students => IssuerKind::Students,
                Rotated::Services => IssuerKind::Services,
            };
            rotate_issuer(&home, &store, kind, (&passphrases, json))
        }
        Command::Request {
            which,
            out,
            passphrase,
            numbers,
        } => {
            Carried::Request.require_place(&out)?;
            numbers.go_beyond(&store)?;
            ceremony::write_request(&home, &store, which, &out, &passphrase)
        }
        Command::Import { file, passphrase } => {
            ceremony::take_in(&home, &store, &file, &passphrase)
        }
        Command::Passphrase(arguments) => passphrase::run(&home, &store, &arguments),
        Command::Withdraw(arguments) => withdraw::run(&home, &store, arguments),
        Command::SignRequest(_) => Ok(()),
    }
}

fn rotate(store: &Store, json: bool) -> Result<(), Failure> {
    let _turn = Turn::take(store, Work::Ceremony)?;
    let retired = store.write_blocking(|records| rotate_tokens(records, now()))?;
    if json {
        return say_json(&json!({
            "key": "tokens",
            "retired": retired,
            "active": await_active(store)?,
        }));
    }
    if retired > 0 {
        say("the key for tokens retires: what it signed counts until it expires")?;
    }
    tell_active(store)
}

/// Says with which key tokens are signed from now on, if a server is there to have made it.
fn tell_active(store: &Store) -> Result<(), Failure> {
    let told = match await_active(store)? {
        Some(row) => row.line(),
        None => "no server is running here: the next `cuhk serve` makes the new key".to_owned(),
    };
    Ok(say(&told)?)
}

/// The key with which tokens are signed from now on; none if no server is there to have made it.
fn await_active(store: &Store) -> Result<Option<Row>, Failure> {
    let deadline = Instant::now() + SERVER_PATIENCE;
    loop {
        let active = store.read_blocking(|records| active_signer(records, now()))?;
        match active.and_then(|signer| Row::of_signer(&signer, now())) {
            None if Instant::now() <= deadline => sleep(LOOK_AGAIN),
            found => return Ok(found),
        }
    }
}

fn list(home: &Home, store: &Store, json: bool) -> Result<(), Failure> {
    let authorities = store.read_blocking(|records| records.authorities().all())?;
    let roots = counting_roots(home, &authorities, now())?;
    let mut rows = Vec::new();
    for authority in &authorities {
        let certificate = read_certificate(home, &path::authority(authority.signer))?;
        let is_root = authority.signer.kind() == AuthorityKind::Root;
        let counts = !is_root || roots.contains(&authority.signer);
        let state = match counts && now() <= certificate.not_after() {
            _ if authority.withdrawn.is_some() => KeyState::Withdrawn,
            true => authority.state(&authorities, now()).into(),
            false => KeyState::Retired,
        };
        let row = Row::of(authority.signer.to_string(), state, &certificate);
        rows.push(row.withdrawn(authority.withdrawn));
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
    kind: String,
    state: &'static str,
    serial: String,
    sha256: Fingerprint,
    not_before: Moment,
    not_after: Moment,
    retired_at: Option<Moment>,
    withdrawn_at: Option<Moment>,
    /// Why it was withdrawn.
    reason: Option<&'static str>,
}

impl Row {
    fn of(kind: String, state: KeyState, certificate: &Certificate) -> Self {
        Self {
            kind,
            state: state.as_str(),
            serial: certificate.serial().to_string(),
            sha256: certificate.fingerprint(),
            not_before: Moment(certificate.not_before()),
            not_after: Moment(certificate.not_after()),
            retired_at: None,
            withdrawn_at: None,
            reason: None,
        }
    }

    fn withdrawn(self, revocation: Option<Revocation>) -> Self {
        Self {
            withdrawn_at: revocation.map(|revocation| Moment(revocation.at)),
            reason: revocation.map(|revocation| revocation.reason.as_str()),
            ..self
        }
    }

    /// None for one whose certificate was never signed.
    fn of_signer(signer: &TokenSigner, now: UnixTime) -> Option<Self> {
        let certificate = signer.record.certificate.as_ref()?;
        let row = Self::of(
            "tokens".to_owned(),
            KeyState::of_signer(signer, now),
            certificate,
        );
        Some(Self {
            retired_at: signer.retired_at.map(Moment),
            ..row.withdrawn(signer.record.revocation)
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
        format!("{kind:<10}  {state:<9}  until {not_after}  {sha256}")
    }
}
