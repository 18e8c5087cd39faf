//! `cuhk witness`

use std::path::Path;

use scb_cli::{Failure, counted, say};
use scb_tlog::{Algorithm, VerifierKey};
use serde::Serialize;

use super::listing::Moment;
use super::passphrases::IssuersPassphrase;
use super::{Desk, now, open};
use crate::Error;
use crate::config::path;
use crate::note_keys::{create_witness_key, unlock_log};
use crate::store::WitnessedLog;
use crate::turn::{Turn, Work};

pub(super) const EXAMPLES: &str = "\
Examples:
  cuhk witness list
  cuhk witness accept-key 'cuhk.example/blackboard/CSCI-3150/asg1+9be5d3c6+AQ…'
  cuhk witness new-key                        where keys/witness.pem is lost for good";

const LIST_EXAMPLES: &str = "\
Examples:
  cuhk witness list
  cuhk witness list --json";

const ACCEPT_KEY_EXAMPLES: &str = "\
Example:
  cuhk witness accept-key 'cuhk.example/blackboard/CSCI-3150/asg1+9be5d3c6+AQ…'

For a service that has lost the key of its log: the new key stands in the log of the service, and in
the refusal `log_key_changed`. Ask those who run the service whether it is theirs; whoever has the
key of a log can go on with it. What was seen of the log under the old key stays: only a log that
begins with all of that is cosigned under the new one.";

const NEW_KEY_EXAMPLES: &str = "\
Example:
  cuhk witness new-key --passphrase-file /run/credentials/cuhk

Only where keys/witness.pem is gone and no backup has it. What the lost key has cosigned stays good,
and so does what CUHK remembers of the logs. Start `cuhk serve` again afterwards: services learn of
the new key by themselves.";

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List the logs of services that CUHK witnesses, and how far it has seen each
    #[command(after_help = LIST_EXAMPLES)]
    List {
        /// As a JSON array
        #[arg(long)]
        json: bool,
    },
    /// Let a log go on under another key, because its service has lost the one that it had
    #[command(after_help = ACCEPT_KEY_EXAMPLES)]
    AcceptKey {
        /// The new key, as C2SP writes it: NAME+ID+KEY
        #[arg(value_name = "KEY", value_parser = log_key)]
        key: VerifierKey,
    },
    /// Make another key for cosignatures in the place of one that is lost
    #[command(after_help = NEW_KEY_EXAMPLES)]
    NewKey(IssuersPassphrase),
}

impl Command {
    pub(super) fn is_json(&self) -> bool {
        matches!(self, Self::List { json: true })
    }
}

pub(super) fn run(desk: &Desk<'_>, command: Command) -> Result<(), Failure> {
    match command {
        Command::List { json } => list(desk.dir, json),
        Command::AcceptKey { key } => accept_key(desk, &key),
        Command::NewKey(passphrase) => new_key(desk, &passphrase),
    }
}

fn list(dir: &Path, json: bool) -> Result<(), Failure> {
    let (_, store) = open(dir)?;
    let logs = store.read_blocking(|records| records.witnessed().all())?;
    let rows: Vec<Row> = logs.iter().map(Row::of).collect();
    if json {
        let json = serde_json::to_string_pretty(&rows);
        return Ok(say(
            &json.map_err(|error| Failure::fault(error.to_string()))?
        )?);
    }
    for row in &rows {
        let Row {
            log,
            entries,
            seen_at,
            key,
            ..
        } = row;
        say(&format!(
            "{log}  {}  seen {seen_at}\n  {key}",
            counted(entries, "entry")
        ))?;
    }
    if rows.is_empty() {
        say("none yet: a service asks for it when its first assignment is opened")?;
    }
    Ok(())
}

fn accept_key(desk: &Desk<'_>, key: &VerifierKey) -> Result<(), Failure> {
    let (_, store) = desk.open_to_write()?;
    let wanted = key.clone();
    let accepted = store.write_blocking(move |records| {
        let accepted = records.witnessed().accept_key(&wanted)?;
        if accepted {
            records.note(&wanted.name(), &format!("goes on under {wanted}"), now())?;
        }
        Ok(accepted)
    });
    match accepted? {
        true => Ok(say(&format!(
            "{}  goes on under the key {key}",
            key.name()
        ))?),
        false => Err(Error::LogUnknown(key.name().to_string()).into()),
    }
}

fn new_key(desk: &Desk<'_>, passphrase: &IssuersPassphrase) -> Result<(), Failure> {
    let (home, store) = desk.open_to_write()?;
    let file = home.path(path::WITNESS_KEY);
    if file.exists() {
        return Err(Error::KeyExists { path: file }.into());
    }
    let passphrase = passphrase.read()?;
    let _turn = Turn::take(&store, Work::Ceremony)?;
    create_witness_key(&home, &unlock_log(&home, &passphrase)?)?;
    store.write_blocking(|records| records.note(&"witness", "another key made", now()))?;
    Ok(say(&format!(
        "{}  made: `cuhk serve` cosigns with it from its next start on",
        file.display()
    ))?)
}

fn log_key(text: &str) -> Result<VerifierKey, String> {
    let key: VerifierKey = text
        .parse()
        .map_err(|error: scb_tlog::Error| error.to_string())?;
    match key.algorithm() {
        Algorithm::Ed25519 => Ok(key),
        Algorithm::CosignatureV1 => Err("a key for cosignatures, not one of a log".to_owned()),
    }
}

#[derive(Debug, Serialize)]
struct Row {
    log: String,
    service: String,
    entries: u64,
    seen_at: Moment,
    key: String,
}

impl Row {
    fn of(log: &WitnessedLog) -> Self {
        Self {
            log: log.name.to_string(),
            service: log.service.to_string(),
            entries: log.known.head.size,
            seen_at: Moment(log.seen_at),
            key: log.known.key.to_string(),
        }
    }
}
