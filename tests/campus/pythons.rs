//! Every Python on this machine: whoever checks years later has some version.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

const VERSION: &str =
    "import cryptography, sys; print(sys.version_info[:2], cryptography.__version__)";

/// Each `python3` of the search path and of `/usr/bin` that has the package `cryptography`, one of each version,
/// by what it says of itself.
pub fn pythons() -> BTreeMap<String, PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain([PathBuf::from("/usr/bin")]);
    let found = places.filter_map(|place| {
        let python = place.join("python3");
        Some((version(&python)?, python))
    });
    found.collect()
}

fn version(python: &Path) -> Option<String> {
    let said = Command::new(python).args(["-c", VERSION]).output().ok()?;
    let version = String::from_utf8_lossy(&said.stdout).trim().to_owned();
    said.status.success().then_some(version)
}
