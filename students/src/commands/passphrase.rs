//! `student passphrase`: the same keys, stored under another passphrase or none.

use scb_cli::say;
use serde_json::json;

use super::{passphrases, say_json};
use crate::cli::{Common, Passphrase};
use crate::{Error, Group, Passphrases, Setup, identity};

/// Everything is asked and opened before the first file is changed.
pub(super) fn run(common: &Common, arguments: &Passphrase) -> Result<(), Error> {
    let group = Group::new(arguments.ids.ids.clone())?;
    let setup = Setup::new(common, None)?;
    let mut present = passphrases(common);
    let mut keys = Vec::new();
    for sid in group.ids() {
        keys.push((sid, identity::open_key(&setup.home, sid, &mut present)?));
    }
    let language = common.explain.language.language();
    let mut next = Passphrases::new(arguments.new_passphrase_file.clone())
        .given_by("--new-passphrase-file")
        .in_language(language);
    let mut changes = Vec::new();
    for (sid, key) in keys {
        let passphrase = match arguments.remove {
            true => None,
            false => Some(next.new_one(sid)?),
        };
        changes.push((sid, key, passphrase));
    }
    let _lock = setup.home.lock()?;
    for (sid, key, passphrase) in &changes {
        // Another `student` may have replaced the key meanwhile: that one stays.
        let now = identity::open_key(&setup.home, sid, &mut present)?;
        if now.public_key() != key.public_key() {
            return Err(scb_certs::Error::KeyMismatch.into());
        }
        identity::rewrite_begun(&setup.home, sid, &mut present, passphrase.as_ref())?;
        identity::rewrite_key(&setup.home, sid, key, passphrase.as_ref())?;
        if !common.json {
            say(&told(sid.as_ref(), passphrase.is_some()))?;
        }
    }
    if common.json {
        let student = |protected: bool, sid| json!({ "sid": sid, "passphrase": protected });
        let students = changes
            .iter()
            .map(|(sid, _, new)| student(new.is_some(), sid));
        say_json(&json!({ "students": students.collect::<Vec<_>>() }))?;
    }
    Ok(())
}

fn told(sid: &str, protected: bool) -> String {
    match protected {
        true => format!("{sid}  the key has a new passphrase"),
        false => format!("{sid}  the key has NO passphrase: whoever gets at its file can sign"),
    }
}
