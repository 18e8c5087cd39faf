//! Receipts: a ZIP file that proves a submission to anybody who knows the root's fingerprint.

pub(crate) mod archive;
pub(crate) mod committed;
mod compared;
mod dating;
mod found;
mod judged;
pub(crate) mod lists;
pub(crate) mod log_proof;
mod parts;
pub(crate) mod pending;
pub(crate) mod roots;
mod signed_entry;
mod signed_leaf;
pub(crate) mod verify;

use scb_certs::{Certificate, Chain, TrustStore};

pub use archive::{MAX_RECEIPT, build};
pub use committed::CommittedEntry;
pub use dating::{contradicted, earliest_entry};
pub use found::{Check, Found};
pub use judged::{JudgedBy, ProvedEntry};
pub use log_proof::{LogProof, WitnessPolicy, Witnessed};
pub use parts::ReceiptParts;
pub use signed_entry::SignedEntry;
pub use signed_leaf::{CommittedAt, SignedLeaf, accepted_entry};
pub use verify::{ReceiptMember, VerifiedReceipt};

use crate::assurance::Mode;
use crate::server::VerifiedSubmission;

/// Names of the files in a receipt.
pub mod file {
    /// The statement's exact bytes.
    pub const STATEMENT: &str = "statement.json";
    /// The members' detached CMS signatures of it, DER.
    pub const SIGNATURES: &str = "statement.p7s";
    /// In mode `verified` CUHK's signed answer about the members (JWT).
    pub const VERIFICATION: &str = "verification.jwt";
    /// In mode `tokens` the members' identity tokens (JWT), one per line, in member order.
    pub const TOKENS: &str = "tokens.jwt";
    /// All certificates but the root, PEM.
    pub const CHAINS: &str = "chains.pem";
    /// The revocation lists of the roots and of the issuers, PEM: those in force when it was accepted and,
    /// if they had ended by then, those in force when CUHK cosigned the log.
    pub const CRLS: &str = "crl.pem";
    /// The root certificate, PEM; two while one takes the place of another. The verifier brings
    /// their fingerprints.
    pub const ROOT: &str = "cuhk-ca.pem";
    /// The entry of the assignment's log that accepts the submission: number, times and the hash
    /// of each file above.
    pub const LEAF: &str = "leaf.json";
    /// Blackboard's detached CMS signature of it, DER.
    pub const LEAF_SIGNATURE: &str = "leaf.p7s";
    /// The proof that the log holds the entry (C2SP tlog-proof), with a checkpoint that was
    /// cosigned.
    pub const PROOF: &str = "receipt.tlog-proof";
    /// The key with which the log's checkpoints are verified (C2SP verifier key).
    pub const LOG_KEY: &str = "log.vkey";
    /// The key with which CUHK's cosignatures are verified (C2SP verifier key).
    pub const WITNESS_KEY: &str = "witness.vkey";
    /// CUHK's endorsement of both keys.
    pub const KEYS: &str = "keys.json";
    /// CUHK's detached CMS signature of it, DER.
    pub const KEYS_SIGNATURE: &str = "keys.p7s";
    /// With these, the entry that was made when the signed statement had come: what counts for lateness.
    pub const COMMITTED: &str = "committed.json";
    /// The proof that the log holds it (C2SP tlog-proof), with the same checkpoint.
    pub const COMMITTED_PROOF: &str = "committed.tlog-proof";
    /// What CUHK said when that entry was made, as the entry names it: its answer about the members (JWT)
    /// or, as it was away, their identity tokens (JWT), one per line.
    pub const COMMITTED_ASSURANCE: &str = "committed.jwt";
    /// With these, the rules in force when it was committed, as they were entered, and the proof that the
    /// log holds them, with the same checkpoint.
    pub const RULES: [&str; 2] = ["rules.json", "rules.tlog-proof"];
    /// The same of the members' extensions.
    pub const EXTENSIONS: [[&str; 2]; 8] = [
        ["extension-1.json", "extension-1.tlog-proof"],
        ["extension-2.json", "extension-2.tlog-proof"],
        ["extension-3.json", "extension-3.tlog-proof"],
        ["extension-4.json", "extension-4.tlog-proof"],
        ["extension-5.json", "extension-5.tlog-proof"],
        ["extension-6.json", "extension-6.tlog-proof"],
        ["extension-7.json", "extension-7.tlog-proof"],
        ["extension-8.json", "extension-8.tlog-proof"],
    ];
    /// In the place of all these: says that the proof that the log holds the entry is still to come.
    pub const PENDING: &str = "pending.json";
    /// How to check all this without our programs.
    pub const INSTRUCTIONS: &str = "VERIFY.md";
}

/// What is kept of a submission besides its content: all that a receipt needs and that does
/// not depend on its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The statement's exact bytes.
    pub statement: Vec<u8>,
    /// The members' detached CMS signatures, DER.
    pub signatures: Vec<u8>,
    /// What stood behind the members.
    pub mode: Mode,
    /// In mode `verified` CUHK's signed answer (JWT); in mode `tokens` the members' identity
    /// tokens (JWT), each followed by a line feed, in member order.
    pub assurance: String,
    /// The members' and the service's certificates, PEM.
    pub chains: String,
    /// The revocation lists, PEM.
    pub crls: String,
    /// The root certificates under which the others are, PEM, each once.
    pub root: String,
}

impl Evidence {
    /// Collects the evidence of a submission that `service_chain`'s owner is about to accept.
    pub fn collect(
        submission: &VerifiedSubmission,
        service_chain: &Chain,
        trust: &TrustStore,
    ) -> Self {
        let mut certificates: Vec<_> = Vec::new();
        for chain in submission.chains().chain([service_chain]) {
            for certificate in chain.certificates() {
                if !certificates.contains(certificate) {
                    certificates.push(certificate.clone());
                }
            }
        }
        let signers = submission.assurance().signers().into_iter();
        let signers = signers.flat_map(Chain::certificates);
        let judged: Vec<_> = certificates.iter().chain(signers).collect();
        Self {
            statement: submission.statement_bytes().to_vec(),
            signatures: submission.signatures().to_vec(),
            mode: submission.assurance().mode(),
            assurance: submission.assurance().to_text(),
            chains: certificates
                .iter()
                .map(|certificate| certificate.to_pem())
                .collect(),
            crls: trust.crls().iter().map(|crl| crl.to_pem()).collect(),
            root: roots(&judged, trust),
        }
    }

    /// Name and bytes of each file, in the order of the archive.
    fn files(&self) -> [(&'static str, &[u8]); 6] {
        [
            (file::STATEMENT, &self.statement),
            (file::SIGNATURES, &self.signatures),
            (assurance_file(self.mode), self.assurance.as_bytes()),
            (file::CHAINS, self.chains.as_bytes()),
            (file::CRLS, self.crls.as_bytes()),
            (file::ROOT, self.root.as_bytes()),
        ]
    }
}

/// The roots under which these certificates are: one, but for the time in which another takes its
/// place.
fn roots(certificates: &[&Certificate], trust: &TrustStore) -> String {
    let named = |root: &&Certificate| certificates.iter().any(|one| one.names_issuer(root));
    let roots = trust.roots().iter().filter(named);
    roots.map(Certificate::to_pem).collect()
}

/// The file in which what stood behind the members is kept.
fn assurance_file(mode: Mode) -> &'static str {
    match mode {
        Mode::Verified => file::VERIFICATION,
        Mode::Tokens => file::TOKENS,
    }
}
