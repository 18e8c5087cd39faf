//! Limits in a server's `config.toml`.

use std::fs;
use std::path::Path;

/// Replaces values under `[limits]`; each key must be there already.
pub fn set_limits(home: &Path, values: &[(&str, f64)]) {
    let path = home.join("config.toml");
    let mut text = fs::read_to_string(&path).unwrap();
    for (key, value) in values {
        let start = format!("\n{key} = ");
        let at = text
            .find(&start)
            .unwrap_or_else(|| panic!("no {key}: {text}"))
            + start.len();
        let end = at + text[at..].find('\n').unwrap();
        text.replace_range(at..end, &value.to_string());
    }
    fs::write(path, text).unwrap();
}
