//! A receipt whose proof is still to come says so, in a file of its own.

use serde::Serialize;

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
}

/// The one text beside a leaf whose proof is still to come.
pub(crate) fn pending(leaf: &Leaf) -> Result<Vec<u8>, Error> {
    let pending = Pending {
        kind: "scb-pending",
        v: 1,
        log: &leaf.log,
        index: leaf.index,
    };
    serde_json::to_vec(&pending).map_err(|error| Error::Encode(error.to_string()))
}
