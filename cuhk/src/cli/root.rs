//! `cuhk root`

use scb_cli::{Failure, local_time, say};

use super::passphrases::RootPassphrase;
use super::{Desk, now};
use crate::root::sign_root_list;
use crate::turn::{Turn, Work};

pub(super) const EXAMPLES: &str = "\
Examples:
  cuhk root sign-crl

Once a year. The root's passphrase is not that of `cuhk serve`.";

const SIGN_CRL_EXAMPLES: &str = "\
Example:
  cuhk root sign-crl --root-passphrase-file root.txt

The root's revocation list is good for 13 months; `serve` warns from 60 days before it ends on. A
running server hands out the new one within a second.";

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Sign the root's revocation list for another 13 months
    #[command(after_help = SIGN_CRL_EXAMPLES)]
    SignCrl(RootPassphrase),
}

pub(super) fn run(desk: &Desk<'_>, command: &Command) -> Result<(), Failure> {
    let Command::SignCrl(passphrase) = command;
    let (home, store) = desk.open_to_write()?;
    // Nobody is held up by a terminal that was forgotten.
    let passphrase = passphrase.read()?;
    let _turn = Turn::take(&store, Work::Ceremony)?;
    let crl = sign_root_list(&home, &store, &passphrase, now())?;
    let (number, until) = (crl.number(), local_time(crl.next_update()));
    say(&format!(
        "the root's revocation list is number {number}, good until {until}"
    ))?;
    Ok(())
}
