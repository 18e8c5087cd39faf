//! `blackboard submissions uploads`: what was signed and recorded, and has not all come.

use scb_cli::{local_time, printable, say};
use scb_protocol::rfc3339;
use serde_json::{Value, json};

use super::{listed, print_json, say_table, sids};
use crate::store::{Store, Unfinished};

pub(super) fn run(store: &Store, json: bool) -> anyhow::Result<()> {
    let unfinished = store.unfinished()?;
    if json {
        let list: Vec<Value> = unfinished.iter().map(as_json).collect();
        return print_json(&Value::Array(list));
    }
    if unfinished.is_empty() {
        return Ok(say("everything that was signed has come")?);
    }
    let title = ["RECORDED", "UNTIL", "MEMBERS", "BYTES", "FILES"];
    say_table(title, unfinished.iter().map(row))
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

fn as_json(one: &Unfinished) -> Value {
    let statement = &one.statement;
    json!({
        "submission": statement.submission,
        "committed_at": rfc3339(one.commitment.at),
        "upload_until": rfc3339(one.commitment.upload_until),
        "course": statement.course,
        "assignment": statement.assignment,
        "members": sids(statement).collect::<Vec<_>>(),
        "files": statement.files,
    })
}
