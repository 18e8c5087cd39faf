//! Where the servers are. What is typed counts only once a server has proved itself there.

use scb_certs::Fingerprint;
use scb_cli::say;

use super::prompt::ask_or_quit;
use crate::cli::address;
use crate::commands::say_failure;
use crate::words::Words;
use crate::{Engine, Error};

const CUHK_DEFAULT: &str = "127.0.0.1:8011";
const BLACKBOARD_DEFAULT: &str = "127.0.0.1:8002";

/// Asks where CUHK is and how it is recognised, as far as that is not known, until CUHK proved
/// itself; false if input ended.
pub(super) fn ask_cuhk(engine: &mut Engine, words: Words) -> Result<bool, Error> {
    let (mut address, mut root): (Option<String>, Option<Fingerprint>) = (None, None);
    let ask_address = engine.setup.cuhk().is_err();
    let ask_root = engine.setup.fingerprint().is_none();
    if !ask_address && !ask_root {
        return Ok(true);
    }
    let mut again = false;
    loop {
        // An address that an option gave may be the wrong one as well.
        if ask_address || again {
            let known = address.clone().or_else(|| engine.setup.cuhk().ok());
            let default = known.as_deref().unwrap_or(CUHK_DEFAULT);
            address = self::ask_address(words.cuhk_address(), default, words)?;
            if address.is_none() {
                return Ok(false);
            }
        }
        if ask_root {
            root = ask_fingerprint(root, words)?;
            if root.is_none() {
                return Ok(false);
            }
        }
        match engine.meet_cuhk(address.clone(), root) {
            Ok(()) => return told(words.cuhk_proved()),
            Err(error) => say_why(error, words)?,
        }
        say(words.ask_again())?;
        again = true;
    }
}

/// Asks for another address of CUHK; Enter, or the end of input, keeps the present one.
pub(super) fn change_cuhk(engine: &mut Engine, words: Words) -> Result<bool, Error> {
    let present = engine.setup.cuhk()?;
    loop {
        let typed = ask_address(words.cuhk_address(), &present, words)?;
        let Some(typed) = typed.filter(|typed| *typed != present) else {
            return Ok(false);
        };
        match engine.meet_cuhk(Some(typed), None) {
            Ok(()) => return told(words.cuhk_proved()),
            Err(error) => say_why(error, words)?,
        }
        say(words.ask_again())?;
    }
}

/// Asks where Blackboard is until it proved itself there. Enter keeps an address that is known;
/// false if input ended.
pub(super) fn ask_blackboard(engine: &mut Engine, words: Words) -> Result<bool, Error> {
    let present = engine.setup.blackboard().ok();
    let mut default = present.clone();
    loop {
        let shown = default.as_deref().unwrap_or(BLACKBOARD_DEFAULT);
        let Some(typed) = ask_address(words.blackboard_address(), shown, words)? else {
            return Ok(false);
        };
        if Some(&typed) == present.as_ref() {
            return Ok(true);
        }
        match engine.meet_blackboard(typed.clone()) {
            Ok(()) => return told(words.blackboard_proved()),
            Err(error) => say_why(error, words)?,
        }
        say(words.ask_again())?;
        default = present.clone().or(Some(typed));
    }
}

fn told(line: &str) -> Result<bool, Error> {
    say(line)?;
    Ok(true)
}

/// Another answer may help against a refusal; nothing typed here helps against a clock that is
/// off or a disk that is full.
fn say_why(error: Error, words: Words) -> Result<(), Error> {
    match error.refusals() {
        [] => Err(error),
        _ => say_failure(error, words.language()),
    }
}

fn ask_address(what: &str, default: &str, words: Words) -> Result<Option<String>, Error> {
    ask_or_quit(&words.with_default(what, default), |typed| {
        let typed = if typed.is_empty() { default } else { typed };
        address(typed).map_err(|_| words.no_address().to_owned())
    })
}

fn ask_fingerprint(
    before: Option<Fingerprint>,
    words: Words,
) -> Result<Option<Fingerprint>, Error> {
    ask_or_quit(words.fingerprint(before.is_some()), |typed| match before {
        Some(before) if typed.is_empty() => Ok(before),
        _ => typed.parse().map_err(|_| words.no_fingerprint().to_owned()),
    })
}
