//! `cuhk certs`

use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::Path;

use scb_cli::Failure;

use super::{now, open};
use crate::Error;
use crate::cli::certs_filter::Filter;
use crate::cli::certs_list::{Format, Listing};

pub(super) const EXAMPLES: &str = "\
Examples:
  cuhk certs list
  cuhk certs list 1155000001 --status live

Ending them: cuhk revoke SID|SERIAL";

const LIST_EXAMPLES: &str = "\
Examples:
  cuhk certs list
  cuhk certs list 1155000001
  cuhk certs list --status live --expires-within 7
  cuhk certs list --status replaced                   renewed, and not ended yet
  cuhk certs list --status revoked --csv > revoked.csv
  cuhk certs list --json | jq '.[] | select(.profile == \"service\")'";

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List every certificate there ever was, oldest first, or those that are asked for
    #[command(after_help = LIST_EXAMPLES)]
    List(List),
}

#[derive(Debug, clap::Args)]
pub(super) struct List {
    #[command(flatten)]
    filter: Filter,
    /// As CSV with a header
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// As a JSON array
    #[arg(long)]
    json: bool,
}

impl Command {
    pub(super) fn is_json(&self) -> bool {
        let Self::List(list) = self;
        list.json
    }
}

pub(super) fn run(dir: &Path, command: Command) -> Result<(), Failure> {
    let Command::List(List { filter, csv, json }) = command;
    let (_, store) = open(dir)?;
    let format = match () {
        () if json => Format::Json,
        () if csv => Format::Csv,
        () => Format::Lines,
    };
    let listing = Listing {
        filter,
        format,
        now: now(),
    };
    // Row by row as it is read: as much memory for a million as for ten.
    let written = store.read_blocking(move |records| {
        let mut out = BufWriter::new(io::stdout());
        listing.write(records, &mut out)?;
        out.flush().map_err(scb_cli::Error::Output)?;
        Ok(())
    });
    match written {
        // `head` has seen enough.
        Err(Error::Local(scb_cli::Error::Output(error)))
            if error.kind() == ErrorKind::BrokenPipe =>
        {
            Ok(())
        }
        written => Ok(written?),
    }
}
