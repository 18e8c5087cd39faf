//! Secrets that are typed and not shown, with every word in the language of who is asked.

use inquire::validator::Validation;
use inquire::{InquireError, Password, PasswordDisplayMode};
use zeroize::Zeroizing;

use crate::confirm::is_anybody_there;
use crate::{Error, say};

/// A question whose answer is not shown, and what is said around it.
#[derive(Clone, Copy, Debug)]
pub struct Hidden<'a> {
    /// The question.
    pub prompt: &'a str,
    /// The option that gives the answer where nobody can type.
    pub flag: &'a str,
    /// Asks for the same once more.
    pub again: &'a str,
    /// Said when the second answer is not the first.
    pub differ: &'a str,
    /// Said when nothing was typed where something is needed.
    pub empty: &'a str,
}

impl<'a> Hidden<'a> {
    /// In English.
    pub fn new(prompt: &'a str, flag: &'a str) -> Self {
        Self {
            prompt,
            flag,
            again: "the same again:",
            differ: "these two differ",
            empty: "type something, or Esc to stop",
        }
    }

    /// Asks once, until something is typed.
    ///
    /// # Errors
    /// [`Error::NoTerminal`] naming the option; [`Error::Cancelled`]; [`Error::Prompt`].
    pub fn once(&self) -> Result<Zeroizing<String>, Error> {
        self.ask(false)
    }

    /// Asks twice, until both answers are the same.
    ///
    /// # Errors
    /// As [`Hidden::once`].
    pub fn twice(&self) -> Result<Zeroizing<String>, Error> {
        self.ask(true)
    }

    /// Nothing typed is an answer, too; anything else is asked for twice.
    ///
    /// # Errors
    /// As [`Hidden::once`].
    pub fn twice_or_none(&self) -> Result<Option<Zeroizing<String>>, Error> {
        loop {
            let typed = self.answer(hidden(self.prompt))?;
            if typed.is_empty() {
                return Ok(None);
            }
            if *self.answer(hidden(self.again))? == *typed {
                return Ok(Some(typed));
            }
            say(self.differ)?;
        }
    }

    fn ask(&self, confirm: bool) -> Result<Zeroizing<String>, Error> {
        let empty = self.empty.to_owned();
        let not_empty = move |typed: &str| {
            Ok(match typed.is_empty() {
                true => Validation::Invalid(empty.as_str().into()),
                false => Validation::Valid,
            })
        };
        let mut question = hidden(self.prompt)
            .with_custom_confirmation_message(self.again)
            .with_custom_confirmation_error_message(self.differ)
            .with_validator(not_empty);
        question.enable_confirmation = confirm;
        self.answer(question)
    }

    fn answer(&self, question: Password<'_>) -> Result<Zeroizing<String>, Error> {
        if !is_anybody_there() {
            return Err(Error::NoTerminal {
                prompt: self.prompt.trim_end_matches([':', '：', ' ']).to_owned(),
                flag: self.flag.to_owned(),
            });
        }
        question
            .prompt()
            .map(Zeroizing::new)
            .map_err(|error| match error {
                InquireError::OperationCanceled | InquireError::OperationInterrupted => {
                    Error::Cancelled
                }
                other => Error::Prompt(other),
            })
    }
}

fn hidden<'a>(prompt: &'a str) -> Password<'a> {
    Password::new(prompt)
        .with_display_mode(PasswordDisplayMode::Hidden)
        .with_formatter(&|_| String::new())
        .without_confirmation()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;
    use crate::exit;

    /// Started by the test below in a process whose standard input is no terminal.
    #[test]
    fn asks_nobody_when_nobody_is_there() {
        if std::env::var_os("SCB_TEST_HIDDEN").is_none() {
            return;
        }
        let question = Hidden::new("Enrolment code:", "--codes");
        for error in [
            question.once().unwrap_err(),
            question.twice().unwrap_err(),
            question.twice_or_none().unwrap_err(),
        ] {
            assert_eq!(error.exit_code(), exit::USAGE);
            assert_eq!(error.to_string(), "no terminal to ask on: Enrolment code");
            assert_eq!(error.remedy().unwrap(), "give it with --codes FILE");
        }
    }

    #[test]
    fn without_a_terminal_it_names_the_flag() {
        let ran = Command::new(std::env::current_exe().unwrap())
            .args(["hidden::tests::asks_nobody_when_nobody_is_there", "--exact"])
            .env("SCB_TEST_HIDDEN", "1")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ran.stdout);
        assert!(ran.status.success() && said.contains("1 passed"), "{said}");
    }
}
