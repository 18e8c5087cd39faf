//! The fields of one event, as text and as JSON.

use std::fmt::{self, Write};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};

/// Before each line of an explanation: it stands under the event, after the time.
const INDENT: &str = "\n             ";

/// The fields of one event, in the order in which they were given.
#[derive(Debug, Default)]
pub(super) struct Record(Vec<(&'static str, Value)>);

impl Record {
    /// `step 3 conn=7 sid=1155000001 verified peer=127.0.0.1:40000 1.9ms`
    pub(super) fn to_text(&self) -> String {
        let mut text = String::new();
        let mut part = |part: String| {
            let space = if text.is_empty() { "" } else { " " };
            // Writing to a String cannot fail.
            let _ = write!(text, "{space}{part}");
        };
        for (name, value) in self.before_message() {
            part(match *name {
                "step" => format!("step {}", plain(value)),
                name => format!("{name}={}", plain(value)),
            });
        }
        if let Some(message) = self.get("message") {
            part(plain(message));
        }
        for (name, value) in self.after_message() {
            part(format!("{name}={}", plain(value)));
        }
        if let Some(elapsed) = self.get("elapsed_ms").and_then(Value::as_f64) {
            part(format!("{elapsed:.1}ms"));
        }
        for line in self.explanation() {
            text.push_str(INDENT);
            text.push_str(&escaped(line));
        }
        text
    }

    fn explanation(&self) -> impl Iterator<Item = &str> {
        let explanation = self.get("explanation").and_then(Value::as_str);
        explanation.into_iter().flat_map(str::lines)
    }

    /// Adds every field to a JSON object.
    pub(super) fn into_json(self, object: &mut Map<String, Value>) {
        for (name, value) in self.0 {
            object.insert(name.to_owned(), value);
        }
    }

    fn before_message(&self) -> impl Iterator<Item = &(&'static str, Value)> {
        self.0
            .iter()
            .filter(|(name, _)| matches!(*name, "step" | "conn" | "sid"))
    }

    /// `code` is in the message of a refusal already.
    fn after_message(&self) -> impl Iterator<Item = &(&'static str, Value)> {
        let elsewhere = [
            "step",
            "conn",
            "sid",
            "message",
            "elapsed_ms",
            "code",
            "explanation",
        ];
        self.0
            .iter()
            .filter(move |(name, _)| !elsewhere.contains(name))
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.0
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, value)| value)
    }

    fn push(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.push((field.name(), value.into()));
    }
}

impl Visit for Record {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.push(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.push(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.push(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.push(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.push(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.push(field, value);
    }
}

/// A value without JSON's quotes, and with nothing that a terminal would obey.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => escaped(text),
        other => escaped(&other.to_string()),
    }
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_control() || reorders(c) {
            true => safe.extend(c.escape_unicode()),
            false => safe.push(c),
        }
    }
    safe
}

/// Whether a terminal may show what follows in another order, or elsewhere.
pub(super) fn reorders(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
