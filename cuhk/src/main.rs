//! `cuhk`: see the library `scb_cuhk`.

use std::process::ExitCode;

fn main() -> ExitCode {
    scb_cuhk::main()
}
