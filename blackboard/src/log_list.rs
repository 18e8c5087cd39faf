//! `blackboard logs`: the logs of the assignments, as whoever witnesses them has to know them.

use std::path::Path;

use scb_cli::{Failure, Home, Role, counted, say};
use scb_protocol::log_leaf::LogName;
use scb_tlog::{UnverifiedCheckpoint, VerifierKey};
use serde_json::{Value, json};

use crate::arguments::Logs;
use crate::note_keys::LogKey;
use crate::store::{Error, Store};
use crate::submissions::print_json;

/// One log.
struct Listed {
    /// Its verifier key, which has its name.
    key: VerifierKey,
    /// Entries that it has.
    entries: u64,
    /// How many of them CUHK has cosigned, as far as is known here.
    cosigned: u64,
}

/// Prints them, in the order of their names.
pub(crate) fn logs(home: &Path, command: &Logs) -> anyhow::Result<()> {
    let home = Home::open(home, Role::Blackboard)?;
    let key = LogKey::existing(&home)?.ok_or_else(no_logs)?;
    let store = Store::open(&home)?;
    let listed = |name: &LogName| {
        let key = key.of(name)?.verifier().clone();
        let (entries, cosigned) = (store.log_size_blocking(name)?, cosigned(&store, name)?);
        Ok(Listed {
            key,
            entries,
            cosigned,
        })
    };
    let names = store.log_names()?;
    let logs: Vec<Listed> = names.iter().map(listed).collect::<anyhow::Result<_>>()?;
    match command.output.json {
        true => print_json(&Value::Array(logs.iter().map(Listed::as_json).collect())),
        false => logs.iter().try_for_each(Listed::print),
    }
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
        })
    }

    fn print(&self) -> anyhow::Result<()> {
        let (key, entries) = (&self.key, counted(self.entries, "entry"));
        let cosigned = self.cosigned;
        Ok(say(&format!(
            "{key}  {entries}, CUHK has cosigned {cosigned}"
        ))?)
    }
}
