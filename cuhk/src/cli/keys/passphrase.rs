//! `cuhk keys passphrase`

use scb_cli::{Failure, Home, say};

use super::now;
use crate::cli::passphrases::{IssuersPassphrase, NewIssuersPassphrase};
use crate::passphrase_change::{Change, tried};
use crate::passphrases::check_changed;
use crate::store::Store;
use crate::turn::{Turn, Work};

const EXAMPLES: &str = "\
Examples:
  cuhk keys passphrase                asks for the present passphrase, and twice for the new one
  cuhk keys passphrase --passphrase-file old.txt --new-passphrase-file new.txt

All keys of issuing authorities and the log's key, or none; the root's: cuhk root passphrase. If it
is interrupted, either passphrase opens all of them: the new one once `serve` or another of these
commands has finished it, which each does first. A running server goes on; before its next start
replace the file that gives it the passphrase. Until it was started again `keys rotate` refuses.

Earlier backups, and other copies of these keys, open with the old passphrase for ever. If somebody
who knows it may have one: cuhk keys rotate students, cuhk keys rotate services.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    passphrase: IssuersPassphrase,
    #[command(flatten)]
    new: NewIssuersPassphrase,
}

pub(super) fn run(home: &Home, store: &Store, arguments: &Arguments) -> Result<(), Failure> {
    let old = arguments.passphrase.read()?;
    let new = arguments.new.read(|typed| check_changed(&old, typed))?;
    // Nobody is held up by a terminal that was forgotten.
    let turn = Turn::take(store, Work::Ceremony);
    let _turn = turn.map_err(|error| tried(error, home, &[&old, &new]))?;
    let Some(change) = Change::prepare(home, &old, &new)? else {
        return Ok(say(
            "all keys have the new passphrase already; nothing changed",
        )?);
    };
    let names = change.names();
    let result = format!("another passphrase: {names}");
    store.write_blocking(move |records| records.note(&"keys", &result, now()))?;
    change.commit(home)?;
    say(&format!("{names}  have the new passphrase"))?;
    say(
        "a running server goes on with the keys that it has open; before its next start put the new passphrase \
         where it reads it: the file of --passphrase-file, or of LoadCredential=cuhk.passphrase",
    )?;
    Ok(say(
        "earlier backups open with the old one: against who knows that and may have one, start the server \
         again and put other keys in their place: cuhk keys rotate students, cuhk keys rotate services",
    )?)
}
