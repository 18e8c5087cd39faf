//! Text and JSON as HTML. Everything that did not come from this program passes `escaped`.

use serde_json::Value;

use super::json::{Hidden, Json};
use super::words::Words;

/// From so many characters without a space on, a text is folded.
const LONG: usize = 72;
/// What is seen of a folded text.
const SEEN: usize = 28;

/// Text that is text in HTML, in elements and in quoted attributes, and steers no display.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in scb_cli::printable(text).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

/// A JSON value, indented; without its tags and previews it is JSON again.
pub(super) fn json(value: &Json, words: &Words) -> String {
    let mut html = String::from("<div class=\"json\">");
    write(&mut html, value, 0, words);
    html.push_str("</div>");
    html
}

fn write(html: &mut String, value: &Json, depth: usize, words: &Words) {
    match value {
        Json::Null => html.push_str("<span class=\"n\">null</span>"),
        Json::Bool(value) => html.push_str(&format!("<span class=\"n\">{value}</span>")),
        Json::Number(value) => html.push_str(&format!("<span class=\"n\">{value}</span>")),
        Json::Text(text) => html.push_str(&string(text, words)),
        Json::Hidden(why) => {
            let text = escaped(&quoted(hidden(*why, words)));
            html.push_str(&format!("<span class=\"hidden\">{text}</span>"));
        }
        Json::List(list) => {
            let members = list.iter().map(|value| (None, value));
            brackets(html, ('[', ']'), members, depth, words);
        }
        Json::Object(members) => {
            let members = members.iter().map(|(key, value)| (Some(key), value));
            brackets(html, ('{', '}'), members, depth, words);
        }
        Json::Signed(members) => {
            html.push_str("<span class=\"signed\"></span>");
            let members = members.iter().map(|(key, value)| (Some(key), value));
            brackets(html, ('{', '}'), members, depth, words);
        }
    }
}

fn brackets<'a>(
    html: &mut String,
    (open, close): (char, char),
    members: impl ExactSizeIterator<Item = (Option<&'a String>, &'a Json)>,
    depth: usize,
    words: &Words,
) {
    html.push(open);
    let count = members.len();
    for (index, (key, value)) in members.enumerate() {
        html.push('\n');
        html.push_str(&"  ".repeat(depth + 1));
        if let Some(key) = key {
            let key = escaped(&quoted(key));
            html.push_str(&format!("<span class=\"k\">{key}</span>: "));
        }
        write(html, value, depth + 1, words);
        if index + 1 < count {
            html.push(',');
        }
    }
    if count > 0 {
        html.push('\n');
        html.push_str(&"  ".repeat(depth));
    }
    html.push(close);
}

fn string(text: &str, words: &Words) -> String {
    let whole = escaped(&quoted(text));
    let characters = text.chars().count();
    if characters <= LONG || text.contains(' ') {
        return format!("<span class=\"s\">{whole}</span>");
    }
    let seen: String = text.chars().take(SEEN).collect();
    let (seen, unit) = (escaped(&seen), words.characters);
    format!(
        "<details class=\"long\"><summary><span>{seen}… </span><i>{characters} {unit}</i></summary>\
         <span class=\"s\">{whole}</span></details>"
    )
}

fn hidden(why: Hidden, words: &Words) -> &'static str {
    match why {
        Hidden::EnrolmentCode => words.hidden_code,
        Hidden::TokenSignature => words.hidden_signature,
        Hidden::NotJson => words.hidden_not_json,
    }
}

/// As a JSON string.
fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}
