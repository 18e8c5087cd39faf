//! `cuhk certs`

use std::path::Path;

use scb_cli::Failure;

use super::certs_filter::Filter;
use super::certs_list::{Issuers, Listed, rows};
use super::listing::{Form, Next};
use super::{now, open};
use crate::Error;
use crate::keys::NamedKey;
use crate::store::Records;

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
  cuhk certs list --issuer students-2 --csv           what this authority issued
  cuhk certs list --json | jq '.[] | select(.profile == \"service\")'

DEVICES says on how many machines the student has a certificate that counts. Exit codes: 0, also for
an empty list (which is said on standard error), 3 for a student or a service that is not known.";

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
    #[command(flatten)]
    form: Form,
}

impl Command {
    pub(super) fn is_json(&self) -> bool {
        let Self::List(list) = self;
        list.form.json
    }
}

pub(super) fn run(dir: &Path, command: Command) -> Result<(), Failure> {
    let Command::List(List { filter, form }) = command;
    let (home, store) = open(dir)?;
    let issuers = Issuers::of(&home)?;
    if let Some(unknown) = filter.issuer.filter(|issuer| !issuers.have(*issuer)) {
        return Err(Error::KeyUnknown(NamedKey::Authority(unknown)).into());
    }
    let empty = match (&filter.subject, filter.narrows()) {
        (_, true) => "no certificate is like that".to_owned(),
        (Some(subject), false) => format!("{subject} has no certificate"),
        (None, false) => "there is no certificate yet".to_owned(),
    };
    let each = move |records: &Records<'_>, next: Next<'_, Listed>| {
        rows(records, (&filter, &issuers), now(), next)
    };
    form.print(&store, &empty, each)
}
