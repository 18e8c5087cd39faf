//! Log lines on stderr: `12:00:01.204 step 3 conn=7 sid=1155000001 verified 1.9ms`.
//!
//! One line per event, and where it was asked for the explanation below it; whatever a peer
//! could have chosen is escaped. Times are UTC.

mod format;
mod record;

use std::io;
use std::str::FromStr;
use std::sync::OnceLock;

use scb_protocol::{Fact, StepEvent};
use tracing::level_filters::LevelFilter;

use crate::Error;

/// The environment variable that sets the level where the command line does not.
const LEVEL: &str = "SCB_LOG";

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("use text or json".to_owned()),
        }
    }
}

/// What is made of the text of one event before it goes to stderr, given its priority as syslog has it:
/// `scb_cli::for_stderr`.
pub type ForStderr = fn(u8, String) -> String;

/// Sets up logging for this process: level from `level` (`--log-level`), else from `SCB_LOG`,
/// else `info`. A panic becomes one log line as well.
///
/// # Errors
///
/// [`Error::LogLevel`] or [`Error::LogAlreadySet`].
pub fn init(format: LogFormat, level: Option<&str>, for_stderr: ForStderr) -> Result<(), Error> {
    let from_environment = std::env::var(LEVEL).unwrap_or_default();
    tracing_subscriber::fmt()
        .event_format(format::Lines { format, for_stderr })
        .with_max_level(parse_level(level.unwrap_or(&from_environment))?)
        .with_writer(io::stderr)
        .try_init()
        .map_err(|_| Error::LogAlreadySet)?;
    std::panic::set_hook(Box::new(|panic| {
        tracing::error!("{}", panic.to_string().replace('\n', " "));
    }));
    Ok(())
}

fn parse_level(text: &str) -> Result<LevelFilter, Error> {
    match text {
        "" => Ok(LevelFilter::INFO),
        text => text.parse().map_err(|_| Error::LogLevel(text.to_owned())),
    }
}

/// What an event means, in lines for people.
type Explain = dyn Fn(&StepEvent) -> Vec<String> + Send + Sync;

static EXPLAIN: OnceLock<Box<Explain>> = OnceLock::new();

/// From now on every event of a step is explained: in text under its line, in JSON in the
/// field `explanation`. Only the first call in a process counts.
pub fn explain(explain: impl Fn(&StepEvent) -> Vec<String> + Send + Sync + 'static) {
    let _ = EXPLAIN.set(Box::new(explain));
}

/// Who counts events.
type Count = dyn Fn(&StepEvent) + Send + Sync;

static COUNT: OnceLock<Box<Count>> = OnceLock::new();

/// From now on every event of a step is counted by `count`, too. Only the first call in a
/// process counts.
pub fn count(count: impl Fn(&StepEvent) + Send + Sync + 'static) {
    let _ = COUNT.set(Box::new(count));
}

/// Logs one event of a step.
pub fn emit(event: &StepEvent) {
    tally(event);
    let explanation = EXPLAIN.get().map(|explain| explain(event).join("\n"));
    log(event, explanation.as_deref());
}

/// Counts an event that is logged in another way.
pub(crate) fn tally(event: &StepEvent) {
    if let Some(count) = COUNT.get() {
        count(event);
    }
}

fn log(event: &StepEvent, explanation: Option<&str>) {
    let step = u8::from(event.step);
    let conn = event.connection;
    let sid = event.sid.as_ref().map(tracing::field::display);
    let elapsed_ms = event.elapsed.map(|elapsed| elapsed.as_secs_f64() * 1000.0);
    let code = match &event.fact {
        Fact::Refused(refusal) => Some(refusal.code.as_str()),
        _ => None,
    };
    tracing::info!(
        step,
        conn,
        sid,
        code,
        elapsed_ms,
        explanation,
        "{}",
        event.fact
    );
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn knows_levels_and_formats() {
        assert_eq!(parse_level("").unwrap(), LevelFilter::INFO);
        assert_eq!(parse_level("debug").unwrap(), LevelFilter::DEBUG);
        assert_eq!("json".parse(), Ok(LogFormat::Json));
    }

    #[test]
    fn refuses_unknown_levels_and_formats() {
        let error = parse_level("loud").unwrap_err();
        assert!(error.to_string().contains("`loud`"), "{error}");
        assert!("xml".parse::<LogFormat>().is_err());
    }
}
