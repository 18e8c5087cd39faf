//! Outside judges: programs that we did not write.

use std::process::Command;

/// `name`, if it is installed; otherwise says that the test is skipped, or fails with `CI=true`.
pub fn judge(name: &str) -> Option<Command> {
    if Command::new(name).arg(version(name)).output().is_ok() {
        return Some(Command::new(name));
    }
    skip(name)
}

/// `python3` with the package `cryptography`, likewise.
pub fn python() -> Option<Command> {
    python_with(&["cryptography"])
}

/// `python3` with these modules, likewise.
pub fn python_with(modules: &[&str]) -> Option<Command> {
    let modules = modules.join(", ");
    let import = Command::new("python3")
        .args(["-c", &format!("import {modules}")])
        .output();
    if import.is_ok_and(|output| output.status.success()) {
        return Some(Command::new("python3"));
    }
    skip(&format!("python3 with {modules}"))
}

/// How a program is asked which version it is.
fn version(name: &str) -> &'static str {
    match name {
        "openssl" => "version",
        _ => "--version",
    }
}

fn skip(name: &str) -> Option<Command> {
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "no {name}, but CI=true"
    );
    println!("skipped: no {name}");
    None
}
