//! What is lost of each log: of the database, what this server has published, and beyond that what CUHK has seen.

use std::collections::BTreeMap;

use scb_cli::counted;
use scb_protocol::log_leaf::LogName;

use crate::authority::Lost;
use crate::logs::{Ahead, Logs};
use crate::store::Error;

/// A log of which the newest entries are lost.
pub(super) struct Gap {
    pub(super) name: LogName,
    /// How many entries the database has.
    pub(super) has: u64,
    /// How many there were.
    pub(super) end: u64,
    /// What of it this server has published itself.
    pub(super) published: Option<Ahead>,
    /// What of it only CUHK has seen.
    pub(super) seen: Option<Lost>,
}

impl Gap {
    /// Of every log of which anything is lost.
    ///
    /// # Errors
    ///
    /// [`Error::Storage`].
    pub(super) fn all(logs: &Logs, lost: Vec<Lost>) -> Result<Vec<Self>, Error> {
        let ahead = logs.ahead()?.into_iter();
        let mut ahead: BTreeMap<_, _> = ahead.map(|log| (log.name.clone(), log)).collect();
        let mut gaps = Vec::new();
        for seen in lost {
            let published = ahead.remove(&seen.name);
            gaps.push(Self {
                name: seen.name.clone(),
                has: published.as_ref().map_or(seen.has, |log| log.has),
                end: seen.seen(),
                published,
                seen: Some(seen),
            });
        }
        gaps.extend(ahead.into_values().map(|log| Self {
            name: log.name.clone(),
            has: log.has,
            end: log.published(),
            published: Some(log),
            seen: None,
        }));
        Ok(gaps)
    }

    /// How many entries are lost.
    pub(super) fn count(&self) -> u64 {
        self.end.saturating_sub(self.has)
    }

    /// What is here, and what there was.
    pub(super) fn told(&self) -> String {
        let numbers = match (self.has, self.end.saturating_sub(1)) {
            (first, last) if first == last => format!("lost is number {first}"),
            (first, last) => format!("lost are numbers {first} to {last}"),
        };
        let here = counted(self.has, "entry");
        let here = match &self.published {
            Some(log) => format!("{here} in blackboard.db, {} in HOME/logs", log.published()),
            None => format!("{here} here"),
        };
        match &self.seen {
            Some(seen) => format!(
                "{}  {here}, CUHK has seen {}: {numbers}",
                self.name,
                seen.seen()
            ),
            None => format!("{}  {here}: {numbers}", self.name),
        }
    }
}
