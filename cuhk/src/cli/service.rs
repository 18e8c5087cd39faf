//! `cuhk service`

use std::net::IpAddr;
use std::path::PathBuf;

use scb_certs::ServiceName;
use scb_cli::Failure;

use super::{Desk, code, now};
use crate::addresses::dns_name;
use crate::admin::add_service;
use crate::code_sheet::{with_codes_at, write_code};
use crate::issuers::served_root;
use crate::store::{Records, Service};
use crate::{Subject, open_home};

pub(super) const EXAMPLES: &str = "\
Examples:
  cuhk service add blackboard --dns bb.cuhk.edu.hk --code-out blackboard.code

A further code: cuhk code issue service/NAME. Its certificates: cuhk certs list service/NAME";

const ADD_EXAMPLES: &str = "\
Example:
  cuhk service add blackboard --dns bb.cuhk.edu.hk --ip 10.0.0.8 --code-out blackboard.code

The names go into the service's certificate; nothing is taken from its request but the key.";

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Add a service and issue its first code
    #[command(after_help = ADD_EXAMPLES)]
    Add {
        /// 1 to 32 of a-z 0-9 -, starting with a letter
        name: ServiceName,
        /// DNS name of the service, repeatable
        #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = dns_name)]
        dns: Vec<String>,
        /// IP address of the service, repeatable
        #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
        ip: Vec<IpAddr>,
        /// Write the code to this new file (mode 0600) instead of showing it
        #[arg(long, value_name = "FILE")]
        code_out: Option<PathBuf>,
    },
}

pub(super) fn run(desk: &Desk<'_>, command: Command) -> Result<(), Failure> {
    let Command::Add {
        name,
        dns,
        ip,
        code_out,
    } = command;
    if dns.is_empty() && ip.is_empty() {
        return Err(
            Failure::usage("the service needs at least one name or address")
                .with_remedy("give --dns NAME or --ip ADDRESS"),
        );
    }
    let root = served_root(&open_home(desk.dir)?)?.fingerprint();
    let (_, store) = desk.open_to_write()?;
    let subject = Subject::Service(name.clone());
    let service = Service {
        name,
        dns_names: dns,
        ip_addresses: ip,
    };
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
