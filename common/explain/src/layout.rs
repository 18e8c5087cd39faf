//! Explanations as lines of a terminal.

use scb_protocol::StepEvent;

use crate::{Language, explain};

/// Columns of a line of text: with its indentation it fits a terminal of 80. Values may be
/// longer, so that they can be copied whole.
const WIDTH: usize = 72;

/// The explanation of an event: its text, wrapped, and one line per value. What a peer chose
/// is not escaped yet.
pub fn lines(event: &StepEvent, language: Language) -> Vec<String> {
    let explanation = explain(event, language);
    let mut lines = wrapped(&explanation.text);
    let names = explanation.values.iter().map(|(name, _)| width(name));
    let column = names.max().unwrap_or(0);
    let mut last = "";
    for (name, value) in &explanation.values {
        let shown = if name == last { "" } else { name };
        let gap = " ".repeat(column - width(shown));
        lines.push(format!("  {shown}{gap}  {}", one_line(value)));
        last = name;
    }
    lines
}

/// A value that would forge a second line does not.
fn one_line(value: &str) -> String {
    value.replace(['\n', '\r'], " ")
}

fn wrapped(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in words(text) {
        let needed = width(&line) + width(word.trim_end());
        if needed > WIDTH && !line.is_empty() {
            lines.push(line.trim_end().to_owned());
            line.clear();
        }
        line.push_str(word);
    }
    lines.push(line.trim_end().to_owned());
    lines
}

/// Pieces between which a line may end: after spaces, and after a wide character unless a
/// closing mark follows.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut start = 0;
    let mut characters = text.char_indices().peekable();
    while let Some((index, c)) = characters.next() {
        let closing = characters.peek().is_some_and(|(_, next)| is_closing(*next));
        if c == ' ' || (is_wide(c) && c != '（' && !closing) {
            let end = index + c.len_utf8();
            words.push(&text[start..end]);
            start = end;
        }
    }
    words.push(&text[start..]);
    words
}

fn is_closing(c: char) -> bool {
    matches!(c, '，' | '。' | '；' | '：' | '、' | '）' | ' ' | ')')
}

/// Columns on a terminal: Chinese characters and marks take two.
pub fn width(text: &str) -> usize {
    text.chars().map(|c| if is_wide(c) { 2 } else { 1 }).sum()
}

/// East Asian wide characters, as far as these texts use them.
fn is_wide(c: char) -> bool {
    matches!(c, '\u{2e80}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ff60}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wraps_both_scripts_without_losing_anything() {
        let english = "a sentence of many words ".repeat(20);
        let chinese = "一句很長的話，沒有空格。".repeat(20);
        for text in [english, chinese] {
            let lines = wrapped(&text);
            assert!(lines.len() > 2);
            assert!(lines.iter().all(|line| width(line) <= WIDTH), "{lines:#?}");
            assert!(lines.iter().all(|line| !line.starts_with(is_closing)));
            let squeezed = |text: &str| text.replace(' ', "");
            assert_eq!(squeezed(&lines.concat()), squeezed(&text));
        }
    }
}
