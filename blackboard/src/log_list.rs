//! `blackboard logs`: the logs of the assignments, as whoever witnesses them has to know them.

use std::collections::BTreeSet;
use std::path::Path;

use scb_cli::{Failure, Home, Role, counted, load_config, local_time, note, rfc3339, say};
use scb_protocol::log_leaf::LogName;
use scb_tlog::{UnverifiedCheckpoint, VerifierKey};
use serde_json::{Value, json};

use crate::arguments::Logs;
use crate::config::Config;
use crate::note_keys::LogKey;
use crate::outside_witness::remedy;
use crate::store::{Asked, Error, Store};
use crate::submissions::print_json;
use crate::witnessed::tally::COSIGNED;

/// One log.
struct Listed {
    /// Its verifier key, which has its name.
    key: VerifierKey,
    /// Entries that it has.
    entries: u64,
    /// How many of them CUHK has cosigned, as far as is known here.
    cosigned: u64,
    /// What came of asking the witnesses besides CUHK that `config.toml` names.
    asked: Vec<Asked>,
}

/// Prints them, in the order of their names.
pub(crate) fn logs(home: &Path, command: &Logs) -> anyhow::Result<()> {
    let home = Home::open(home, Role::Blackboard)?;
    let key = LogKey::existing(&home)?.ok_or_else(no_logs)?;
    let store = Store::open_to_read(&home)?;
    let witnesses = load_config::<Config>(&home)?.witnesses;
    let is_named = |asked: &Asked| {
        let mut keys = witnesses.iter().map(|witness| witness.key.name());
        keys.any(|name| name.as_str() == asked.witness)
    };
    let listed = |name: &LogName| {
        let key = key.of(name)?.verifier().clone();
        let (entries, cosigned) = (store.log_size_blocking(name)?, cosigned(&store, name)?);
        let mut asked = store.asked(name)?;
        asked.retain(is_named);
        Ok(Listed {
            key,
            entries,
            cosigned,
            asked,
        })
    };
    let names = store.log_names()?;
    let logs: Vec<Listed> = names.iter().map(listed).collect::<anyhow::Result<_>>()?;
    match command.output.json {
        true => print_json(&Value::Array(logs.iter().map(Listed::as_json).collect())),
        false => {
            logs.iter().try_for_each(Listed::print)?;
            remarks(&logs)
        }
    }
}

/// What to do about witnesses that do not cosign, each said once.
fn remarks(logs: &[Listed]) -> anyhow::Result<()> {
    let asked = logs.iter().flat_map(|log| &log.asked);
    let troubles: BTreeSet<_> = asked
        .filter(|asked| asked.outcome != COSIGNED)
        .map(|asked| (&asked.witness, &asked.outcome))
        .collect();
    for (witness, outcome) in troubles {
        note(&format!("{witness} {outcome}: {}", remedy(outcome)))?;
    }
    Ok(())
}

/// As it was stored: what is said here proves nothing to anybody.
fn cosigned(store: &Store, name: &LogName) -> Result<u64, Error> {
    let (_, note) = store.said_by_cuhk(name)?;
    let checkpoint = note.and_then(|note| note.parse::<UnverifiedCheckpoint>().ok());
    Ok(checkpoint.map_or(0, |checkpoint| checkpoint.head().size))
}

fn no_logs() -> Failure {
    Failure::usage("this platform has no logs yet")
        .with_remedy("run `blackboard serve` once: its key for them is made then")
        .with_code("no_logs")
}

impl Listed {
    fn as_json(&self) -> Value {
        json!({
            "key": self.key.to_string(),
            "entries": self.entries,
            "cosigned": self.cosigned,
            "witnesses": self.asked.iter().map(as_json).collect::<Vec<_>>(),
        })
    }

    fn print(&self) -> anyhow::Result<()> {
        let (key, entries) = (&self.key, counted(self.entries, "entry"));
        let others: String = self.asked.iter().map(in_words).collect();
        let cosigned = self.cosigned;
        Ok(say(&format!(
            "{key}  {entries}, CUHK has cosigned {cosigned}{others}"
        ))?)
    }
}

/// `, library.example/w 7`, and since when it is not as it should be.
fn in_words(asked: &Asked) -> String {
    let (witness, seen) = (&asked.witness, asked.seen);
    let state = match asked.outcome.as_str() {
        COSIGNED => String::new(),
        outcome => format!(" ({outcome} since {})", local_time(asked.at)),
    };
    format!(", {witness} {seen}{state}")
}

fn as_json(asked: &Asked) -> Value {
    json!({
        "name": asked.witness,
        "state": asked.outcome,
        "cosigned": asked.seen,
        "since": rfc3339(asked.at),
        "remedy": match asked.outcome.as_str() {
            COSIGNED => None,
            outcome => Some(remedy(outcome)),
        },
    })
}
