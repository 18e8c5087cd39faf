//! `blackboard logs`: the logs of the assignments, as whoever witnesses them has to know them.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::path::Path;

use rustls_pki_types::UnixTime;
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

/// So many logs are named; of the others it is said how many they are.
const NAMED: usize = 5;

/// One log.
struct Listed {
    /// Its verifier key, which has its name.
    key: VerifierKey,
    /// Entries that it has.
    entries: u64,
    /// How many of them CUHK has cosigned, as far as is known here.
    cosigned: u64,
    /// Since when CUHK has not said that it has seen those.
    unseen_since: Option<UnixTime>,
    /// What came of asking the witnesses besides CUHK that `config.toml` names.
    asked: Vec<Asked>,
}

/// Prints them, in the order of their names.
pub(crate) fn list(home: &Path, command: &Logs) -> anyhow::Result<()> {
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
        let unseen_since = store.unseen_since(name)?;
        let mut asked = store.asked(name)?;
        asked.retain(is_named);
        Ok(Listed {
            key,
            entries,
            cosigned,
            unseen_since,
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
    let unseen = logs.iter().filter(|log| log.unseen_since.is_some());
    let unseen = unseen_by_cuhk(unseen.map(|log| log.key.name().clone()));
    unseen.map_or(Ok(()), |unseen| Ok(note(&unseen)?))
}

/// What is told of logs that CUHK may not know any more.
pub(crate) fn unseen_by_cuhk(logs: impl IntoIterator<Item: Display>) -> Option<String> {
    let mut names = logs.into_iter().map(|name| name.to_string());
    let first: Vec<String> = names.by_ref().take(NAMED).collect();
    let others = match names.count() {
        0 => String::new(),
        others => format!(" and {others} more"),
    };
    (!first.is_empty()).then(|| {
        format!(
            "CUHK has not said since it was last connected that it has seen what it has cosigned of {}{others}: \
             if it was put back from a backup, keep `blackboard serve` running until this is over, as an old \
             backup of this home would not be noticed before",
            first.join(", ")
        )
    })
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
            "unseen_since": self.unseen_since.map(rfc3339),
            "witnesses": self.asked.iter().map(as_json).collect::<Vec<_>>(),
        })
    }

    fn print(&self) -> anyhow::Result<()> {
        let (key, entries) = (&self.key, counted(self.entries, "entry"));
        let others: String = self.asked.iter().map(in_words).collect();
        let cosigned = self.cosigned;
        let unseen = self.unseen_since.map_or_else(String::new, |since| {
            format!(
                " (and not said since {} that it knows them)",
                local_time(since)
            )
        });
        Ok(say(&format!(
            "{key}  {entries}, CUHK has cosigned {cosigned}{unseen}{others}"
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_logs_are_named_and_the_others_counted() {
        assert_eq!(unseen_by_cuhk(Vec::<u8>::new()), None);
        let told = |logs: u8| unseen_by_cuhk(1..=logs).unwrap_or_default();
        assert!(told(2).contains("cosigned of 1, 2: "), "{}", told(2));
        assert!(told(5).contains("of 1, 2, 3, 4, 5: "), "{}", told(5));
        assert!(
            told(7).contains("of 1, 2, 3, 4, 5 and 2 more: "),
            "{}",
            told(7)
        );
    }
}
