//! `cuhk term`

use std::path::Path;

use rustls_pki_types::UnixTime;
use scb_cli::{Failure, counted, load_config, rfc3339, say};
use serde::Serialize;

use super::{Desk, now, open};
use crate::store::Term;
use crate::{CampusOffset, Config, Error};

pub(super) const EXAMPLES: &str = "\
Examples:
  cuhk term set 2026-27-T1 --ends 2026-12-31
  cuhk term list
  cuhk term remove 2026-27-T1";

const SET_EXAMPLES: &str = "\
Examples:
  cuhk term set 2026-27-T1 --ends 2026-12-31
  cuhk term set 2026-27-T2 --ends 2027-05-31     ahead of time: it follows the one before
  cuhk term set 2026-27-T1 --ends 2026-12-24T18:00:00+08:00

No certificate of a student that is issued from then on ends later than the current term, the one
that ends next. When all terms are over, students get no certificates (`term_over`) until the next
one is set. Certificates that were issued before keep their end. A running server notices at once.

After its end a certificate is renewed by its own key for `renewal_grace_days` of config.toml, 30
unless set. A summer is longer: nearly everybody needs a new code in September then; with 120, set
before the summer, only those who are new.";

const LIST_EXAMPLES: &str = "\
Examples:
  cuhk term list
  cuhk term list --json";

const REMOVE_EXAMPLES: &str = "\
Example:
  cuhk term remove 2026-27-T1";

const MAX_NAME: usize = 32;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Say when a term ends; once more with another date moves its end
    #[command(after_help = SET_EXAMPLES)]
    Set {
        /// 1 to 32 of A-Z a-z 0-9 . _ -
        #[arg(value_name = "NAME", value_parser = name)]
        name: String,
        /// Its last day on campus (`utc_offset` in HOME/config.toml), or a moment such as
        /// 2026-12-24T18:00:00+08:00
        #[arg(long, value_name = "DATE")]
        ends: String,
        /// Answer as a JSON object
        #[arg(long)]
        json: bool,
    },
    /// List the terms in the order of their ends, and which is the current one
    #[command(after_help = LIST_EXAMPLES)]
    List {
        /// As a JSON array
        #[arg(long)]
        json: bool,
    },
    /// Forget a term that was set by mistake
    #[command(after_help = REMOVE_EXAMPLES)]
    Remove {
        /// The name given to `cuhk term set`
        #[arg(value_name = "NAME", value_parser = name)]
        name: String,
    },
}

impl Command {
    pub(super) fn is_json(&self) -> bool {
        matches!(
            self,
            Self::Set { json: true, .. } | Self::List { json: true }
        )
    }
}

pub(super) fn run(desk: &Desk<'_>, command: Command) -> Result<(), Failure> {
    match command {
        Command::Set { name, ends, json } => set(desk, name, &ends, json),
        Command::List { json } => list(desk.dir, json),
        Command::Remove { name } => remove(desk, name),
    }
}

fn set(desk: &Desk<'_>, name: String, ends: &str, json: bool) -> Result<(), Failure> {
    let (home, store) = desk.open_to_write()?;
    let offset = load_config::<Config>(&home)?.utc_offset;
    let term = Term {
        name,
        ends_at: end(ends, offset)?,
    };
    let (terms, beyond) = store.write_blocking(move |records| {
        records.terms().set(&term)?;
        let result = format!("ends {}", rfc3339(term.ends_at));
        records.note(&term.name, &result, now())?;
        let beyond = records.terms().certificates_beyond(term.ends_at)?;
        let rows = rows(&records.terms().all()?, offset);
        let own = rows.into_iter().filter(|row| row.name == term.name);
        Ok::<_, Error>((own.collect::<Vec<_>>(), beyond))
    })?;
    if json {
        return say_json(&terms.first());
    }
    for row in &terms {
        say(&row.line())?;
    }
    if beyond > 0 {
        let keep = if beyond == 1 {
            "it keeps its"
        } else {
            "they keep their"
        };
        let beyond = counted(beyond, "certificate");
        say(&format!(
            "{beyond} issued before and not revoked: longer than this term; {keep} end (cuhk certs \
             list)"
        ))?;
    }
    Ok(())
}

/// A term that is over from the beginning is a mistake.
fn end(text: &str, offset: CampusOffset) -> Result<UnixTime, Failure> {
    let ends_at = offset.end_of(text).map_err(|expected| {
        Failure::usage(format!("--ends {text:?}: no date")).with_remedy(expected)
    })?;
    if ends_at > now() {
        return Ok(ends_at);
    }
    let over = format!("{} is over", offset.shown(ends_at));
    Err(Failure::usage(over).with_remedy(
        "give the term's last day; a term that is not to count: cuhk term remove NAME",
    ))
}

fn list(dir: &Path, json: bool) -> Result<(), Failure> {
    let (home, store) = open(dir)?;
    let offset = load_config::<Config>(&home)?.utc_offset;
    let terms = store.read_blocking(|records| records.terms().all())?;
    let rows = rows(&terms, offset);
    if json {
        return say_json(&rows);
    }
    if rows.is_empty() {
        say("no term is set: students' certificates are good for 30 days")?;
    }
    rows.iter().try_for_each(|row| say(&row.line()))?;
    if !rows.is_empty() && rows.iter().all(|row| row.state == OVER) {
        say("every term is over: students get no certificates until the next one is set")?;
    }
    Ok(())
}

fn remove(desk: &Desk<'_>, name: String) -> Result<(), Failure> {
    let (_, store) = desk.open_to_write()?;
    let wanted = name.clone();
    let removed = store.write_blocking(move |records| {
        let removed = records.terms().remove(&wanted)?;
        if removed {
            records.note(&wanted, "removed", now())?;
        }
        Ok(removed)
    });
    match removed? {
        true => Ok(say(&format!("{name}  removed"))?),
        false => Err(Error::TermUnknown(name).into()),
    }
}

const OVER: &str = "over";

#[derive(Debug, Serialize)]
struct Row {
    name: String,
    /// In UTC.
    ends_at: String,
    /// The same on campus.
    ends_at_local: String,
    /// `over`, `current` or `later`.
    state: &'static str,
    /// On campus, for people.
    #[serde(skip)]
    shown: String,
}

impl Row {
    fn line(&self) -> String {
        let Self {
            name, state, shown, ..
        } = self;
        format!("{name:<12}  {state:<7}  ends {shown}")
    }
}

fn rows(terms: &[Term], offset: CampusOffset) -> Vec<Row> {
    let over = terms.iter().filter(|term| term.ends_at <= now()).count();
    let row = |(index, term): (usize, &Term)| Row {
        name: term.name.clone(),
        ends_at: rfc3339(term.ends_at),
        ends_at_local: offset.local(term.ends_at),
        shown: offset.shown(term.ends_at),
        state: match index {
            index if index < over => OVER,
            index if index == over => "current",
            _ => "later",
        },
    };
    terms.iter().enumerate().map(row).collect()
}

fn say_json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value);
    Ok(say(
        &text.map_err(|error| Failure::fault(error.to_string()))?
    )?)
}

fn name(text: &str) -> Result<String, String> {
    let usual = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    match (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(usual) {
        true => Ok(text.to_owned()),
        false => Err("1 to 32 of A-Z a-z 0-9 . _ -".to_owned()),
    }
}
