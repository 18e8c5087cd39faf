//! `cuhk root`

use std::path::PathBuf;

use scb_cli::{Failure, local_time, printable, say};

use super::keys::require_named_root_key;
use super::passphrases::{NewRootPassphrase, RootPassphrase};
use super::{Desk, now};
use crate::Error;
use crate::config::path;
use crate::passphrase_change::{change_roots, opens_issuers, root_directories};
use crate::passphrases::check_changed;
use crate::root::{open_roots, sign_root_list};
use crate::store::Store;
use crate::time::moment;
use crate::turn::{Turn, Work};

pub(super) const EXAMPLES: &str = "\
Examples:
  cuhk root sign-crl
  cuhk root passphrase

The first once a year. The root's passphrase is not that of `cuhk serve`.";

const SIGN_CRL_EXAMPLES: &str = "\
Example:
  cuhk root sign-crl --root-passphrase-file root.txt

The root's revocation list is good for 13 months; `serve` warns from 60 days before it ends on. A
running server hands out the new one within a second.

--beyond is for a Blackboard that says `went back` after a restoration: it has seen later lists than
the backup knows of, and names the whole command. From then on all numbers are beyond that one, and
beyond those that were given when the same number was named before.";

const PASSPHRASE_EXAMPLES: &str = "\
Examples:
  cuhk root passphrase                asks for the present passphrase, and twice for the new one
  cuhk root passphrase --root-dir /media/root           where the root's key is
  cuhk root passphrase --root-passphrase-file old.txt --new-root-passphrase-file new.txt

Of all roots whose keys are in this home, or in the directories that are named: they share one. Each
key is opened before the first is changed; if it is interrupted, the same command does the rest.
With --root-dir nothing else of CUHK is needed on this machine.

Earlier copies of the key, as in a backup, open with the old passphrase for ever. If somebody who
knows it may have one: cuhk keys rotate root (docs/OPERATIONS.md, \"Somebody leaves\").";

/// The highest number that somebody may know of: beyond the time in microseconds until 2223, and below
/// 2^53, which JSON carries.
const HIGHEST: u64 = 8_000_000_000_000_000;

#[derive(Debug, clap::Args)]
pub(super) struct Numbers {
    /// Go on beyond this number, which was given after the backup was made: Blackboard names it
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(..=HIGHEST))]
    pub(super) beyond: Option<u64>,
}

impl Numbers {
    /// Goes on beyond it, if one was named.
    pub(super) fn go_beyond(&self, store: &Store) -> Result<(), Error> {
        let Some(number) = self.beyond else {
            return Ok(());
        };
        store.write_blocking(move |records| {
            let epoch = records.status().go_beyond(number, moment(now()))?;
            // The trust bundle follows the epoch once more.
            records.bundles().restored()?;
            records.note(&"numbers", &format!("from {epoch} on"), now())
        })
    }
}

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Sign the root's revocation list for another 13 months
    #[command(after_help = SIGN_CRL_EXAMPLES)]
    SignCrl(SignCrl),
    /// Give the root's key another passphrase
    #[command(after_help = PASSPHRASE_EXAMPLES)]
    Passphrase(ChangePassphrase),
}

#[derive(Debug, clap::Args)]
pub(super) struct ChangePassphrase {
    /// Directory with the root's key.pem, instead of this home; once more for each root
    #[arg(long, value_name = "DIR")]
    root_dir: Vec<PathBuf>,
    #[command(flatten)]
    passphrase: RootPassphrase,
    #[command(flatten)]
    new: NewRootPassphrase,
}

#[derive(Debug, clap::Args)]
pub(super) struct SignCrl {
    #[command(flatten)]
    passphrase: RootPassphrase,
    #[command(flatten)]
    numbers: Numbers,
}

pub(super) fn run(desk: &Desk<'_>, command: &Command) -> Result<(), Failure> {
    match command {
        Command::SignCrl(arguments) => sign_crl(desk, arguments),
        Command::Passphrase(arguments) => passphrase(desk, arguments),
    }
}

/// With --root-dir on a machine that has no home.
fn passphrase(desk: &Desk<'_>, arguments: &ChangePassphrase) -> Result<(), Failure> {
    let here = match arguments.root_dir.is_empty() {
        true => Some(desk.open_to_write()?),
        false => None,
    };
    let dirs = match &here {
        Some((home, _)) => root_directories(home)?,
        None => arguments.root_dir.clone(),
    };
    dirs.iter()
        .try_for_each(|dir| require_named_root_key(dir))?;
    if let (Some((home, _)), true) = (&here, dirs.is_empty()) {
        let absent = Failure::from(Error::RootKeyAbsent {
            path: home.path(path::ROOT),
        });
        return Err(absent.with_remedy("where it is: cuhk root passphrase --root-dir DIR"));
    }
    let old = arguments.passphrase.read()?;
    let new = arguments.new.read(|typed| {
        check_changed(&old, typed)?;
        match &here {
            Some((home, _)) if opens_issuers(home, typed) => Err(Error::PassphrasesSame),
            _ => Ok(()),
        }
    })?;
    let store = here.map(|(_, store)| store);
    let turn = store
        .as_ref()
        .map(|store| Turn::take(store, Work::Ceremony));
    let _turn = turn.transpose()?;
    let note = || match &store {
        Some(store) => {
            store.write_blocking(|records| records.note(&"root", "another passphrase", now()))
        }
        None => Ok(()),
    };
    if change_roots(&dirs, &old, &new, note)? == 0 {
        return Ok(say(
            "the root's key has the new passphrase already; nothing changed",
        )?);
    }
    for dir in &dirs {
        let file = dir.join(path::KEY);
        say(&format!(
            "{}  has the new passphrase",
            printable(&file.to_string_lossy())
        ))?;
    }
    Ok(say(
        "earlier copies open with the old one: put the new one into the safe, and see what becomes of them",
    )?)
}

fn sign_crl(desk: &Desk<'_>, arguments: &SignCrl) -> Result<(), Failure> {
    let (home, store) = desk.open_to_write()?;
    // Nobody is held up by a terminal that was forgotten.
    let passphrase = arguments.passphrase.read()?;
    let _turn = Turn::take(&store, Work::Ceremony)?;
    if arguments.numbers.beyond.is_some() {
        // Nothing is changed for who has the wrong passphrase.
        open_roots(&home, &store, &passphrase, now())?;
        arguments.numbers.go_beyond(&store)?;
    }
    let crl = sign_root_list(&home, &store, &passphrase, now())?;
    let (number, until) = (crl.number(), local_time(crl.next_update()));
    say(&format!(
        "the root's revocation list is number {number}, good until {until}"
    ))?;
    Ok(())
}
