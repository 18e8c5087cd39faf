//! `blackboard submissions uploads`: what was signed and recorded, and has not all come.

use rustls_pki_types::UnixTime;
use scb_cli::{local_time, printable, say};
use scb_protocol::rfc3339;
use serde_json::{Value, json};

use super::overview::State;
use super::{listed, print_json, sids};
use crate::courses::text::table;
use crate::store::{Store, Unfinished};

pub(super) fn run(store: &Store, now: UnixTime, json: bool) -> anyhow::Result<()> {
    let unfinished = store.unfinished()?;
    if json {
        let list = unfinished.iter().map(|one| as_json(one, now));
        return print_json(&Value::Array(list.collect()));
    }
    for line in lines(&unfinished, now) {
        say(&line)?;
    }
    Ok(())
}

/// What may still come first; then what never came, and no longer can.
pub(crate) fn lines(unfinished: &[Unfinished], now: UnixTime) -> Vec<String> {
    let of = |state: State| -> Vec<&Unfinished> {
        let of_it = unfinished
            .iter()
            .filter(|one| self::state(one, now) == state);
        of_it.collect()
    };
    let (coming, never_came) = (of(State::Uploading), of(State::NeverCame));
    let mut lines = match (coming.is_empty(), never_came.is_empty()) {
        (true, true) => vec!["everything that was signed has come".to_owned()],
        (true, false) => vec!["no files are still to come".to_owned()],
        (false, _) => rows("UNTIL", &coming),
    };
    if !never_came.is_empty() {
        lines.push(String::new());
        lines.push("signed, and the files never came in time:".to_owned());
        lines.extend(rows("HAD TO COME BY", &never_came));
    }
    lines
}

fn rows(until: &str, unfinished: &[&Unfinished]) -> Vec<String> {
    let title = ["RECORDED", until, "MEMBERS", "BYTES", "FILES"].map(str::to_owned);
    let rows = unfinished.iter().map(|one| row(one));
    table(&std::iter::once(title).chain(rows).collect::<Vec<_>>())
}

fn row(one: &Unfinished) -> [String; 5] {
    let files = &one.statement.files;
    [
        local_time(one.commitment.at),
        local_time(one.commitment.upload_until),
        listed(&one.statement),
        files.size().to_string(),
        printable(&files.to_string()),
    ]
}

fn state(one: &Unfinished, now: UnixTime) -> State {
    match one.commitment.upload_until >= now {
        true => State::Uploading,
        false => State::NeverCame,
    }
}

pub(crate) fn as_json(one: &Unfinished, now: UnixTime) -> Value {
    let statement = &one.statement;
    json!({
        "submission": statement.submission,
        "state": state(one, now),
        "committed_at": rfc3339(one.commitment.at),
        "upload_until": rfc3339(one.commitment.upload_until),
        "course": statement.course,
        "assignment": statement.assignment,
        "members": sids(statement).collect::<Vec<_>>(),
        "files": statement.files,
    })
}
