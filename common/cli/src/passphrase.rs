//! Secrets from a file or from a hidden prompt, never from a flag or the environment.

use std::fs::File;
use std::io::{IsTerminal, Read};
use std::path::Path;

use inquire::validator::Validation;
use inquire::{InquireError, Password, PasswordDisplayMode};
use scb_certs::Passphrase;
use zeroize::Zeroizing;

use crate::Error;

/// Longest passphrase file that is read, in bytes.
const LIMIT: u64 = 4096;

/// The passphrase of `--passphrase-file`: the file's first line, else a hidden prompt,
/// asked twice if `confirm`.
///
/// # Errors
/// [`Error::NoTerminal`] without a file and without a terminal; [`Error::Cancelled`];
/// [`Error::NoPassphrase`] when the first line is empty or not UTF-8;
/// [`Error::FileTooLarge`] over 4 KiB; [`Error::File`].
pub fn passphrase_from(
    file: Option<&Path>,
    prompt: &str,
    confirm: bool,
) -> Result<Passphrase, Error> {
    passphrase_from_flag("--passphrase-file", file, prompt, confirm)
}

/// As [`passphrase_from`], for a flag of another name, such as `--root-passphrase-file`.
///
/// # Errors
/// As for [`passphrase_from`].
pub fn passphrase_from_flag(
    flag: &str,
    file: Option<&Path>,
    prompt: &str,
    confirm: bool,
) -> Result<Passphrase, Error> {
    match file {
        Some(path) => first_line(path),
        None => ask(prompt, flag, confirm, somebody_there()).map(Passphrase::from),
    }
}

/// A secret typed once without showing it, such as an enrolment code; `flag` is what gives
/// it where nobody can type.
///
/// # Errors
/// [`Error::NoTerminal`] naming `flag`; [`Error::Cancelled`]; [`Error::Prompt`].
pub fn hidden(prompt: &str, flag: &str) -> Result<Zeroizing<String>, Error> {
    ask(prompt, flag, false, somebody_there()).map(Zeroizing::new)
}

/// Prompts are written to standard error, so that standard output may be a file.
fn somebody_there() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

fn ask(prompt: &str, flag: &str, confirm: bool, somebody: bool) -> Result<String, Error> {
    if !somebody {
        return Err(Error::NoTerminal {
            prompt: prompt.trim_end_matches([':', ' ']).to_owned(),
            flag: flag.to_owned(),
        });
    }
    let mut question = Password::new(prompt)
        .with_display_mode(PasswordDisplayMode::Hidden)
        .with_formatter(&|_| String::new())
        .with_custom_confirmation_message("the same again:")
        .with_custom_confirmation_error_message("these two differ")
        .with_validator(not_empty);
    question.enable_confirmation = confirm;
    question.prompt().map_err(|error| match error {
        InquireError::OperationCanceled | InquireError::OperationInterrupted => Error::Cancelled,
        other => Error::Prompt(other),
    })
}

// The signature is inquire's.
#[allow(clippy::unnecessary_wraps)]
fn not_empty(typed: &str) -> Result<Validation, inquire::CustomUserError> {
    if typed.is_empty() {
        return Ok(Validation::Invalid("type something, or Esc to stop".into()));
    }
    Ok(Validation::Valid)
}

fn first_line(path: &Path) -> Result<Passphrase, Error> {
    // Room for all of it from the start: a buffer that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LIMIT as usize + 64));
    File::open(path)
        .and_then(|file| file.take(LIMIT + 1).read_to_end(&mut bytes))
        .map_err(Error::file("read", path))?;
    if bytes.len() as u64 > LIMIT {
        return Err(Error::FileTooLarge {
            path: path.to_owned(),
            limit: LIMIT,
        });
    }
    let text = std::str::from_utf8(&bytes).unwrap_or_default();
    match text.trim_start_matches('\u{feff}').lines().next() {
        Some(line) if !line.is_empty() => Ok(Passphrase::from(line.to_owned())),
        _ => Err(Error::NoPassphrase {
            path: path.to_owned(),
        }),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;
    use crate::exit;

    fn from_file(content: &[u8]) -> Result<Passphrase, Error> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("passphrase");
        std::fs::write(&path, content).unwrap();
        passphrase_from(Some(&path), "Passphrase:", true)
    }

    #[test]
    fn a_file_gives_its_first_line() {
        for content in ["open sesame ", "open sesame \n", "open sesame \r\nsecond\n"] {
            let passphrase = from_file(content.as_bytes()).unwrap();
            assert_eq!(passphrase.expose(), "open sesame ");
        }
    }

    #[test]
    fn refuses_a_file_without_a_first_line() {
        for content in [&b""[..], b"\nsecond\n", b"\r\n", b"\xff\xfe\n"] {
            let error = from_file(content).unwrap_err();
            assert!(matches!(error, Error::NoPassphrase { .. }));
        }
    }

    #[test]
    fn refuses_a_file_that_is_no_passphrase_at_all() {
        let error = from_file(&vec![b'x'; LIMIT as usize + 1]).unwrap_err();
        assert!(matches!(error, Error::FileTooLarge { .. }));
        assert!(passphrase_from(Some(Path::new("/none/such")), "Passphrase:", false).is_err());
    }

    #[test]
    fn nobody_there_is_a_usage_error_that_names_the_flag() {
        let error = ask("Passphrase:", "--root-passphrase-file", true, false).unwrap_err();
        assert_eq!(error.exit_code(), exit::USAGE);
        assert_eq!(error.to_string(), "no terminal to ask on: Passphrase");
        let remedy = error.remedy().unwrap();
        assert_eq!(remedy, "give it with --root-passphrase-file FILE");
    }

    /// Run by the next test in a process whose standard input is no terminal.
    #[test]
    fn child_without_a_terminal() {
        if std::env::var_os("SCB_TEST_NO_TERMINAL").is_some() {
            let refused = passphrase_from(None, "Passphrase:", true);
            assert!(matches!(refused, Err(Error::NoTerminal { .. })));
            let refused = hidden("Code:", "--codes");
            assert!(matches!(refused, Err(Error::NoTerminal { .. })));
        }
    }

    #[test]
    fn never_prompts_without_a_terminal() {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "passphrase::tests::child_without_a_terminal"])
            .env("SCB_TEST_NO_TERMINAL", "1")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&child.stdout);
        assert!(said.contains("1 passed"), "{said}");
    }

    #[test]
    fn an_empty_answer_is_asked_again() {
        assert!(matches!(not_empty("x").unwrap(), Validation::Valid));
        assert!(matches!(not_empty("").unwrap(), Validation::Invalid(_)));
    }
}
