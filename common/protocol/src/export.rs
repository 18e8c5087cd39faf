//! An assignment in one archive: every file and every receipt, and all entries of its log under a
//! checkpoint that was witnessed, so that whoever has it sees that none was left out.
//!
//! The archive is a ZIP file. `export.json` says what it is, signed by Blackboard; the entries are
//! in `leaves.jsonl`, one leaf a line in its exact bytes; each submission has a folder of its own.

mod head;
mod leaves;
mod moments;
mod paths;
mod table;
mod verify;

pub use head::{Head, SignedHead};
pub use leaves::{AcceptedAfter, LogLine, Reading, WentBack};
pub use paths::safe_paths;
pub use table::{Submission, Table};
pub use verify::{Check, ExportError, VerifiedExport, is_export};

/// Names of the files in an archive.
pub mod file {
    /// What the archive is: [`Head`](super::Head).
    pub const HEAD: &str = "export.json";
    /// Blackboard's detached CMS signature of it, DER.
    pub const HEAD_SIGNATURE: &str = "export.p7s";
    /// All entries of the log, one leaf a line, in order.
    pub const LEAVES: &str = "leaves.jsonl";
    /// The checkpoint of these entries, signed by the log and cosigned by its witness.
    pub const CHECKPOINT: &str = "checkpoint";
    /// CUHK's endorsement of the keys of log and witness.
    pub const KEYS: &str = "keys.json";
    /// CUHK's detached CMS signature of it, DER.
    pub const KEYS_SIGNATURE: &str = "keys.p7s";
    /// The root certificates, PEM. The verifier brings their fingerprints.
    pub const ROOT: &str = "cuhk-ca.pem";
    /// Revocation lists that were in force when it was exported, PEM.
    pub const CRLS: &str = "crl.pem";
    /// Every file of the submissions, for people and spreadsheets; it follows from the rest.
    pub const TABLE: &str = "submissions.csv";
    /// How to check all this without our programs.
    pub const INSTRUCTIONS: &str = "VERIFY.md";
    /// In front of the number of each submission: its folder.
    pub const SUBMISSIONS: &str = "submissions/";
    /// The receipt in the folder of a submission; all else there is what was handed in.
    pub const RECEIPT: &str = "receipt.zip";

    /// The files whose SHA-256 is in the head. The head itself is signed, and the entries are those
    /// of the checkpoint.
    pub(crate) const BOUND: [&str; 7] = [
        CHECKPOINT,
        KEYS,
        KEYS_SIGNATURE,
        ROOT,
        CRLS,
        TABLE,
        INSTRUCTIONS,
    ];

    /// Whether a file of this name belongs in an archive beside the submissions.
    pub(super) fn is_known(name: &str) -> bool {
        BOUND.contains(&name) || [HEAD, HEAD_SIGNATURE, LEAVES].contains(&name)
    }
}

/// What `VERIFY.md` says.
pub const INSTRUCTIONS: &str = include_str!("export/VERIFY.md");
