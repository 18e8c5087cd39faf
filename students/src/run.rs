//! From the command line to the exit code.

use std::process::ExitCode;

use scb_cli::{Failure, Term, finish_in, finish_json, for_stderr};
use scb_explain::what_to_do;
use scb_protocol::install_crypto;
use scb_transport::telemetry::{self, LogFormat};

use crate::speech::failure;
use crate::{Cli, commands};

/// Runs the program with this process's arguments and terminal.
pub fn run() -> ExitCode {
    install_crypto();
    let cli = Cli::of_process();
    let language = cli.common.explain.language.language();
    let told = |error| failure(error, language);
    let result = start_log().and_then(|()| commands::execute(&cli, Term::detect()).map_err(told));
    if cli.common.json {
        finish_json(result)
    } else {
        finish_in(result, what_to_do(language))
    }
}

/// The steps are on standard output already: without `SCB_LOG` only warnings are logged.
fn start_log() -> Result<(), Failure> {
    let level = std::env::var_os("SCB_LOG").is_none().then_some("warn");
    telemetry::init(LogFormat::Text, level, for_stderr)
        .map_err(|error| Failure::usage(error.to_string()))
}
