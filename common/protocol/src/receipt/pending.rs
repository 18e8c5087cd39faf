//! A receipt whose proof is still to come says so, in a file of its own.

use scb_tlog::KeyName;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::log_leaf::{Leaf, LogName};

/// Which entry of which log is to be proved.
#[derive(Serialize)]
struct Pending<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    v: u8,
    log: &'a LogName,
    index: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing: Vec<&'a str>,
}

/// Whose cosignature is still to come, of those besides CUHK.
#[derive(Deserialize)]
struct Missing {
    #[serde(default)]
    missing: Vec<String>,
}

/// Who is missing by such a text, whatever else it says.
pub(crate) fn missing(text: &[u8]) -> Result<Vec<KeyName>, String> {
    let parsed: Missing = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let names = parsed.missing.iter().map(|name| name.parse());
    names
        .collect::<Result<_, _>>()
        .map_err(|error: scb_tlog::Error| error.to_string())
}

/// The one text beside a leaf whose proof is still to come; or beside a proof in which these are still
/// missing.
pub(crate) fn pending(leaf: &Leaf, missing: &[KeyName]) -> Result<Vec<u8>, Error> {
    let pending = Pending {
        kind: "scb-pending",
        v: 1,
        log: &leaf.log,
        index: leaf.index,
        missing: missing.iter().map(KeyName::as_str).collect(),
    };
    serde_json::to_vec(&pending).map_err(|error| Error::Encode(error.to_string()))
}
