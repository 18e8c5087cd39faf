//! Reading JSON messages: what was wrong, in which field, at which place. Never a value: it may
//! be an enrolment code.

use serde::Deserialize;
use serde_json::error::Category;
use serde_path_to_error::{Deserializer as Tracked, Path, Segment, Track};

use super::Message;
use crate::object::ObjectOnly;
use crate::{Code, Refusal, Step};

/// Reads a message of the direction `M`.
///
/// # Errors
///
/// `unknown_message` if the type is none of this direction's; `malformed_message` for
/// anything else that is not understood: not JSON, over 128 levels deep, a field missing,
/// unknown, repeated or of the wrong form. As far as they are known, `message`, `field`,
/// `reason` and `at` say which, where and why.
pub fn decode<M: Message>(payload: &[u8], step: Step) -> Result<M, Refusal> {
    let refuse = |malformed: Malformed| malformed.refusal(step);
    let name = name_of(payload).map_err(refuse)?;
    let Some(&name) = M::NAMES.iter().find(|known| **known == name) else {
        return Err(Refusal::new(Code::UnknownMessage, step).with("got", &name));
    };
    read(payload, name).map_err(|malformed| refuse(malformed).with("message", name))
}

/// The `type`, of whatever message it is.
fn name_of(payload: &[u8]) -> Result<String, Malformed> {
    let mut json = serde_json::Deserializer::from_slice(payload);
    let mut track = Track::new();
    let typed = Typed::deserialize(ObjectOnly(Tracked::new(&mut json, &mut track)));
    match typed.and_then(|typed| json.end().map(|()| typed)) {
        Ok(typed) => Ok(typed.name),
        Err(error) => Err(Malformed::new(&error, &track.path())),
    }
}

/// The message of this name. That nothing comes after it was found by [`name_of`].
fn read<M: Message>(payload: &[u8], name: &str) -> Result<M, Malformed> {
    let mut json = serde_json::Deserializer::from_slice(payload);
    let mut track = Track::new();
    let message = M::read(name, Tracked::new(&mut json, &mut track));
    message.map_err(|error| Malformed::new(&error, &track.path()))
}

#[derive(Deserialize)]
#[serde(expecting = "a message, which is one JSON object")]
struct Typed {
    #[serde(rename = "type")]
    name: String,
}

/// What was wrong, in words without any value.
struct Malformed {
    field: String,
    reason: String,
    at: String,
}

impl Malformed {
    fn new(error: &serde_json::Error, path: &Path) -> Self {
        let at = format!("line {}, column {}", error.line(), error.column());
        let (text, mut names) = (without_place(error), names(path));
        let reason = match error.classify() {
            Category::Eof => cut_off(&text),
            Category::Data => reason(&text, &mut names),
            _ => format!("not JSON: {text}"),
        };
        let field = names.concat();
        let field = field.trim_start_matches('.').to_owned();
        Self { field, reason, at }
    }

    fn refusal(self, step: Step) -> Refusal {
        let refusal = Refusal::new(Code::MalformedMessage, step)
            .with("reason", self.reason)
            .with("at", self.at);
        match self.field.is_empty() {
            true => refusal,
            false => refusal.with("field", self.field),
        }
    }
}

/// Inside of what the message ends, and what would have ended that.
fn cut_off(text: &str) -> String {
    let missing = match text.strip_prefix("EOF while parsing ") {
        Some("an object") => "inside an object: its } is missing",
        Some("a list") => "inside a list: its ] is missing",
        Some("a string") => "inside a string: its \" is missing",
        _ => "where a value should stand",
    };
    format!("cut off {missing}")
}

/// serde's sentence about a field, without the value that it repeats; completes the field's
/// names where the sentence knows more of them.
fn reason(text: &str, names: &mut Vec<String>) -> String {
    // What was expected comes last, and is ours. What comes before may be the peer's.
    let expected = text
        .rsplit_once(", expected ")
        .map(|(_, expected)| expected);
    let ours = |start: &str| {
        let rest = text.strip_prefix(start)?;
        rest.strip_suffix('`').map(|name| format!(".{name}"))
    };
    if let Some(name) = ours("missing field `") {
        names.push(name);
        "missing".to_owned()
    } else if let Some(name) = ours("duplicate field `") {
        names.push(name);
        "repeated".to_owned()
    } else if text.starts_with("unknown field `") {
        names.pop();
        match expected {
            Some(known) => format!("an unknown field, known: {known}"),
            None => "an unknown field, there should be none".to_owned(),
        }
    } else if ECHOES.iter().any(|start| text.starts_with(start)) {
        format!("expected {}", expected.unwrap_or("another form"))
    } else {
        text.to_owned()
    }
}

/// How serde's sentences begin that repeat a value.
const ECHOES: [&str; 4] = [
    "invalid type: ",
    "invalid value: ",
    "invalid length ",
    "unknown variant `",
];

fn without_place(error: &serde_json::Error) -> String {
    let place = format!(" at line {} column {}", error.line(), error.column());
    let text = error.to_string();
    text.strip_suffix(&place).unwrap_or(&text).to_owned()
}

/// The path's parts, as in `.members`, `[0]`, `.chain`. What has no name yet is left out.
fn names(path: &Path) -> Vec<String> {
    let part = |segment: &Segment| match segment {
        Segment::Seq { index } => Some(format!("[{index}]")),
        Segment::Map { key } => Some(format!(".{key}")),
        Segment::Enum { variant } => Some(format!(".{variant}")),
        Segment::Unknown => None,
    };
    path.iter().filter_map(part).collect()
}
