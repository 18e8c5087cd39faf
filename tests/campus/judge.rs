//! Outside judges: programs that we did not write.

use std::path::Path;
use std::process::Command;

use super::{Campus, Ran};

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

/// What the script in `docs/` says of what a student keeps; nothing where it cannot run.
pub fn script(campus: &Campus, file: &Path) -> Option<Ran> {
    let mut python = python()?;
    let root = campus.path().join("cuhk/ca.pem");
    let text = "from cryptography import x509; from hashlib import sha256; import sys; \
                from cryptography.hazmat.primitives.serialization import Encoding; \
                root = x509.load_pem_x509_certificate(open(sys.argv[1], 'rb').read()); \
                print(sha256(root.public_bytes(Encoding.DER)).hexdigest())";
    let mut reading = Command::new("python3");
    let root = reading.args(["-c", text]).arg(root).output().unwrap();
    let root = String::from_utf8(root.stdout).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/verify_receipt.py");
    Some(Ran::of(python.arg(script).arg(file).arg(root.trim())))
}

/// The script refuses what is kept once one byte in any of these parts is another.
pub fn refuses_altered(campus: &Campus, file: &Path, parts: &[&str]) {
    let bytes = std::fs::read(file).unwrap();
    let altered = campus.outside().join("altered.zip");
    for part in parts {
        let mut bytes = bytes.clone();
        let place = bytes
            .windows(part.len())
            .position(|at| at == part.as_bytes());
        bytes[place.unwrap() + 3] ^= 1;
        std::fs::write(&altered, &bytes).unwrap();
        let Some(refused) = script(campus, &altered) else {
            return;
        };
        assert_eq!(refused.exit, Some(1), "{part}: {refused:#?}");
        assert!(
            refused.stdout.contains("it does NOT verify"),
            "{refused:#?}"
        );
    }
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
