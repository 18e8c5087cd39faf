//! `HOME/config.toml`.

use std::fmt;
use std::fs;
use std::io;
use std::ops::RangeInclusive;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};

use crate::{Error, Home, read_limited, write_atomic};

const FILE: &str = "config.toml";
const LIMIT: u64 = 64 * 1024;

/// Reads `HOME/config.toml`; without the file, the default. `T` says
/// `#[serde(deny_unknown_fields)]`, so that a misspelt key is refused with its line.
///
/// # Errors
/// [`Error::Config`] with the line, [`Error::FileTooLarge`] over 64 KiB, [`Error::File`].
pub fn load_config<T: DeserializeOwned + Default>(home: &Home) -> Result<T, Error> {
    let path = home.path(FILE);
    let bytes = match read_limited(&path, LIMIT) {
        Ok(bytes) => bytes,
        Err(Error::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            return Ok(T::default());
        }
        Err(error) => return Err(error),
    };
    parse(&bytes).map_err(|(offset, message)| Error::Config {
        path,
        line: line_at(&bytes, offset),
        message,
    })
}

/// Replaces `HOME/config.toml` (mode 0600). Comments in the old file are lost.
///
/// # Errors
/// [`Error::ConfigUnwritable`], [`Error::File`].
pub fn save_config<T: Serialize>(home: &Home, config: &T) -> Result<(), Error> {
    let text = toml::to_string_pretty(config).map_err(Error::ConfigUnwritable)?;
    write_atomic(&home.path(FILE), text.as_bytes(), 0o600)
}

/// Reads a number of a configuration that has bounds, and says why it has them: `from 0 to 366 days: …`.
///
/// # Errors
/// It is beyond them, or no number.
pub fn bounded<'de, T, D>(from: D, bounds: RangeInclusive<T>, why: &str) -> Result<T, D::Error>
where
    T: Deserialize<'de> + PartialOrd + fmt::Display,
    D: Deserializer<'de>,
{
    let number = T::deserialize(from)?;
    match bounds.contains(&number) {
        true => Ok(number),
        false => Err(D::Error::custom(format!(
            "from {} to {} {why}",
            bounds.start(),
            bounds.end()
        ))),
    }
}

/// What to say of a configuration that is gone, or in which no option is set: `init` has written one
/// with all of them.
pub fn lost_config(home: &Home) -> Option<String> {
    let file = home.path(FILE);
    let is_set = |line: &str| !line.trim().is_empty() && !line.trim().starts_with('#');
    let what = match fs::read_to_string(&file) {
        Ok(text) if text.lines().any(is_set) => return None,
        Ok(_) => "sets nothing",
        Err(error) if error.kind() == io::ErrorKind::NotFound => "is gone",
        Err(_) => return None,
    };
    Some(format!(
        "{} {what}: every option has its default",
        file.display()
    ))
}

/// What to say of a configuration that begins as `whole`, what `init` writes, and does not come to its
/// end: what is missing has its default, such as where the server listens. What was written by hand
/// begins otherwise.
pub fn cut_config(home: &Home, whole: &str) -> Option<String> {
    let file = home.path(FILE);
    let text = fs::read_to_string(&file).ok()?;
    let begins = whole.lines().next()?;
    let option = |line: &str| {
        let (name, _) = line.trim_start_matches(['#', ' ']).split_once(" = ")?;
        Some(name.to_owned())
    };
    let last = whole.lines().rev().find_map(option)?;
    let has_last = text.lines().filter_map(option).any(|name| name == last);
    (text.starts_with(begins) && !has_last).then(|| {
        format!(
            "{} seems to be cut off: it does not come to `{last}`, the last option, and what is missing has \
             its default",
            file.display()
        )
    })
}

/// An error is the byte at which it was found, and what is wrong there.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, (usize, String)> {
    let text = std::str::from_utf8(bytes).map_err(|e| (e.valid_up_to(), "not UTF-8".into()))?;
    toml::from_str(text).map_err(|e| {
        let offset = e.span().map_or(0, |span| span.start);
        (offset, e.message().to_owned())
    })
}

fn line_at(bytes: &[u8], offset: usize) -> usize {
    let before = bytes.iter().take(offset);
    1 + before.filter(|&&byte| byte == b'\n').count()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::Role;

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Config {
        cuhk: Option<String>,
        port: u16,
    }

    fn home() -> (tempfile::TempDir, Home) {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::create(&dir.path().join("home"), Role::Student).unwrap();
        (dir, home)
    }

    fn refusal_of(text: &[u8]) -> String {
        let (_dir, home) = home();
        fs::write(home.path(FILE), text).unwrap();
        let error = load_config::<Config>(&home).unwrap_err();
        assert!(matches!(error, Error::Config { .. }));
        error.to_string()
    }

    #[test]
    fn reads_back_what_it_saved() {
        let (_dir, home) = home();
        let config = Config {
            cuhk: Some("127.0.0.1:8011".into()),
            port: 7,
        };
        save_config(&home, &config).unwrap();
        assert_eq!(load_config::<Config>(&home).unwrap(), config);
    }

    #[test]
    fn without_a_file_it_is_the_default() {
        let (_dir, home) = home();
        assert_eq!(load_config::<Config>(&home).unwrap(), Config::default());
    }

    #[test]
    fn refuses_an_unknown_key_and_names_its_line() {
        let said = refusal_of(b"# mine\nport = 7\nporte = 8\n");
        assert!(said.contains("config.toml, line 3: unknown field `porte`"));
    }

    #[test]
    fn refuses_a_wrong_value_and_names_its_line() {
        assert!(refusal_of(b"\nport = \"x\"\n").contains("line 2: "));
        assert!(refusal_of(b"port = 7\nport 8\n").contains("line 2: "));
        assert!(refusal_of(b"port = 7\n# \xff\n").contains("line 2: not UTF-8"));
    }

    #[test]
    fn refuses_an_endless_file() {
        let (_dir, home) = home();
        fs::write(home.path(FILE), vec![b'\n'; LIMIT as usize + 1]).unwrap();
        let error = load_config::<Config>(&home).unwrap_err();
        assert!(matches!(error, Error::FileTooLarge { .. }));
    }
}
