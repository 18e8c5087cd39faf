//! The `student` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    scb_student::run()
}
