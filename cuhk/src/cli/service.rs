//! `cuhk service`

mod change;
mod list;

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use scb_certs::ServiceName;
use scb_cli::Failure;

use super::listing::{Form, Next};
use super::{Desk, code, now, open};
use crate::addresses::{dns_name, once};
use crate::admin::add_service;
use crate::code_sheet::{with_codes_at, write_code};
use crate::issuers::served_root;
use crate::store::{Records, Service};
use crate::{Error, Subject, open_home};

pub(super) const EXAMPLES: &str = "\
Examples:
  cuhk service add blackboard --dns bb.cuhk.edu.hk --code-out blackboard.code
  cuhk service list
  cuhk service set blackboard --dns lms.cuhk.edu.hk
  cuhk service remove library

A further code: cuhk code issue service/NAME. Its certificates: cuhk certs list service/NAME";

const ADD_EXAMPLES: &str = "\
Example:
  cuhk service add blackboard --dns bb.cuhk.edu.hk --ip 10.0.0.8 --code-out blackboard.code

The names go into the service's certificate; nothing is taken from its request but the key. Printed
are the code, or where it was written, and the root's fingerprint for `blackboard init`.";

const LIST_EXAMPLES: &str = "\
Examples:
  cuhk service list
  cuhk service list --json | jq -r '.[] | select(.enrolled | not) | .name'

A service is enrolled as long as it has a certificate that counts. CUHK itself is not among them:
its names stand in its config.toml.";

const SET_EXAMPLES: &str = "\
Examples:
  cuhk service set blackboard --dns lms.cuhk.edu.hk
  cuhk service set blackboard --dns lms.cuhk.edu.hk,bb.cuhk.edu.hk --ip 10.0.0.9 --json

What is given takes the place of all names and addresses that the service had. A certificate that is
there keeps the old ones until its end; the next renewal takes the new ones. If somebody else gets
an old name, do not wait for that: cuhk code issue service/NAME --replace revokes the old
certificate.";

const REMOVE_EXAMPLES: &str = "\
Examples:
  cuhk service remove library
  cuhk service remove library --yes --json

Its certificates are revoked at once (cessation_of_operation) and for good, its unused codes are
withdrawn. Without --yes it asks at the terminal, and does nothing where nobody can answer
(not_confirmed; exit code 2, or 3 for another answer).";

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Add a service and issue its first code
    #[command(after_help = ADD_EXAMPLES)]
    Add {
        /// 1 to 32 of a-z 0-9 -, starting with a letter
        name: ServiceName,
        #[command(flatten)]
        names: Names,
        /// Write the code to this new file (mode 0600) instead of showing it
        #[arg(long, value_name = "FILE")]
        code_out: Option<PathBuf>,
    },
    /// List the services, their names, and until when they have certificates
    #[command(after_help = LIST_EXAMPLES)]
    List {
        /// As a JSON array
        #[arg(long)]
        json: bool,
    },
    /// Give a service other DNS names and addresses
    #[command(after_help = SET_EXAMPLES)]
    Set {
        /// The service
        name: ServiceName,
        #[command(flatten)]
        names: Names,
        /// Answer as a JSON object
        #[arg(long)]
        json: bool,
    },
    /// Remove a service and revoke its certificates
    #[command(after_help = REMOVE_EXAMPLES)]
    Remove {
        /// The service
        name: ServiceName,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        /// Answer as a JSON object
        #[arg(long)]
        json: bool,
    },
}

/// What a service's certificate names.
#[derive(Debug, clap::Args)]
pub(super) struct Names {
    /// DNS name of the service, repeatable
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = dns_name)]
    dns: Vec<String>,
    /// IP address of the service, repeatable
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    ip: Vec<IpAddr>,
}

impl Names {
    fn of(self, name: ServiceName) -> Result<Service, Failure> {
        if self.dns.is_empty() && self.ip.is_empty() {
            return Err(
                Failure::usage("the service needs at least one name or address")
                    .with_remedy("give --dns NAME or --ip ADDRESS"),
            );
        }
        Ok(Service {
            name,
            dns_names: once(self.dns),
            ip_addresses: once(self.ip),
        })
    }
}

impl Command {
    pub(super) fn is_json(&self) -> bool {
        match self {
            Self::Add { .. } => false,
            Self::List { json } | Self::Set { json, .. } | Self::Remove { json, .. } => *json,
        }
    }
}

pub(super) fn run(desk: &Desk<'_>, command: Command) -> Result<(), Failure> {
    match command {
        Command::Add {
            name,
            names,
            code_out,
        } => add(desk, names.of(name)?, code_out),
        Command::List { json } => list(desk.dir, json),
        Command::Set { name, names, json } => change::set(desk, names.of(name)?, json),
        Command::Remove { name, yes, json } => change::remove(desk, name, yes, json),
    }
}

fn add(desk: &Desk<'_>, service: Service, code_out: Option<PathBuf>) -> Result<(), Failure> {
    let root = served_root(&open_home(desk.dir)?)?.fingerprint();
    let (_, store) = desk.open_to_write()?;
    let subject = Subject::Service(service.name.clone());
    let file = code_out.clone();
    let add = move |records: &Records<'_>| {
        let issued = add_service(records, &service, now())?;
        if let Some(file) = &file {
            write_code(file, &issued.code)?;
        }
        Ok(issued)
    };
    let issued = with_codes_at(code_out.as_deref(), || store.write_blocking(add))?;
    code::report(&subject, &issued, code_out.as_deref(), &root)
}

fn list(dir: &Path, json: bool) -> Result<(), Failure> {
    let (home, store) = open(dir)?;
    let root = served_root(&home)?;
    let trust_domain = root.authority_trust_domain().map_err(Error::from)?;
    let empty = "there is no service yet: cuhk service add NAME --dns NAME";
    let each = move |records: &Records<'_>, next: Next<'_, list::Listed>| {
        for service in records.services().all()? {
            next(list::Listed::of(records, service, &trust_domain, now())?)?;
        }
        Ok(())
    };
    Form::json_or_lines(json).print(&store, empty, each)
}
