//! The `blackboard` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    scb_blackboard::main()
}
