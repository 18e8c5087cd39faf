//! `cuhk root`

use scb_cli::{Failure, local_time, say};

use super::passphrases::RootPassphrase;
use super::{Desk, now};
use crate::Error;
use crate::root::{open_roots, sign_root_list};
use crate::store::Store;
use crate::time::moment;
use crate::turn::{Turn, Work};

pub(super) const EXAMPLES: &str = "\
Examples:
  cuhk root sign-crl

Once a year. The root's passphrase is not that of `cuhk serve`.";

const SIGN_CRL_EXAMPLES: &str = "\
Example:
  cuhk root sign-crl --root-passphrase-file root.txt

The root's revocation list is good for 13 months; `serve` warns from 60 days before it ends on. A
running server hands out the new one within a second.

--beyond is for a Blackboard that says `went back` after a restoration: it has seen later lists than
the backup knows of, and names the whole command. From then on all numbers are beyond that one, and
beyond those that were given when the same number was named before.";

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
}

#[derive(Debug, clap::Args)]
pub(super) struct SignCrl {
    #[command(flatten)]
    passphrase: RootPassphrase,
    #[command(flatten)]
    numbers: Numbers,
}

pub(super) fn run(desk: &Desk<'_>, command: &Command) -> Result<(), Failure> {
    let Command::SignCrl(arguments) = command;
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
