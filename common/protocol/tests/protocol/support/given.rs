//! A receipt that was given, and receipts that Blackboard should not have given.

use scb_certs::Crl;
use scb_protocol::receipt::{Evidence, LogProof, SignedLeaf, VerifiedReceipt, build, file};
use scb_protocol::server::VerifiedSubmission;
use scb_protocol::statement::Statement;
use scb_protocol::{Code, Refusal};
use scb_testkit::TestIdentity;
use serde_json::Value;

use super::run::accepted_by;
use super::{Files, Group, Run, refused, repack, unpack};

/// A stored submission and the receipt for it.
pub(crate) struct Given<'a> {
    pub(crate) group: &'a Group<'a>,
    pub(crate) submission: VerifiedSubmission,
    pub(crate) zip: Vec<u8>,
}

impl<'a> Given<'a> {
    pub(crate) fn to(group: &'a Group<'a>) -> Self {
        Self::after(group.run(), group)
    }

    /// What this run of the group ended with.
    pub(crate) fn after(run: Run<'a>, group: &'a Group<'a>) -> Self {
        let stored = run.go().unwrap();
        Self {
            group,
            submission: stored.submission,
            zip: stored.zip,
        }
    }

    pub(crate) fn files(&self) -> Files {
        unpack(&self.zip)
    }

    pub(crate) fn evidence(&self) -> Evidence {
        let Group { blackboard, .. } = self.group;
        Evidence::collect(&self.submission, &blackboard.chain, &self.group.trust)
    }

    /// As an outsider does. Blackboard's own trust store, which has verified most of it before,
    /// must come to the same verdict.
    pub(crate) fn verify(&self, zip: &[u8]) -> Result<VerifiedReceipt, Refusal> {
        let verdict = VerifiedReceipt::verify(zip, &self.group.campus.root_fingerprint());
        let found = |verdict: &Result<VerifiedReceipt, Refusal>| match verdict {
            Ok(receipt) => Ok(receipt.checks().to_vec()),
            Err(refusal) => Err(refusal.clone()),
        };
        let by_store = VerifiedReceipt::verify_by(zip, &self.group.trust);
        assert_eq!(found(&by_store), found(&verdict));
        verdict
    }

    #[track_caller]
    pub(crate) fn refuses(&self, what: &str, zip: &[u8]) -> String {
        let refusal = refused(what, self.verify(zip), Code::ReceiptInvalid);
        refusal.params["reason"].clone()
    }

    /// The receipt that a careless Blackboard would give for this evidence.
    pub(crate) fn accepted(&self, evidence: &Evidence) -> Vec<u8> {
        self.accepted_by(evidence, &self.group.blackboard)
    }

    pub(crate) fn accepted_by(&self, evidence: &Evidence, service: &TestIdentity) -> Vec<u8> {
        let statement = Statement::parse(&evidence.statement);
        let statement = statement.unwrap_or_else(|_| self.submission.statement().clone());
        let leaf = accepted_by(evidence, &statement, service, self.group);
        build(evidence, &leaf, None).unwrap()
    }

    /// The receipt with a log entry that was altered before Blackboard signed it.
    pub(crate) fn with_leaf(&self, alter: impl FnOnce(&mut Value)) -> Vec<u8> {
        let leaf = part(&self.files(), file::LEAF);
        let mut leaf: Value = serde_json::from_slice(&leaf).unwrap();
        alter(&mut leaf);
        self.with_leaf_bytes(leaf.to_string().into_bytes())
    }

    /// What the receipt waits for stays as it was.
    pub(crate) fn with_leaf_bytes(&self, leaf: Vec<u8>) -> Vec<u8> {
        let TestIdentity { key, chain } = &self.group.blackboard;
        let signed = SignedLeaf::sign(leaf, (key, chain), self.group.campus.now()).unwrap();
        let files = with_part(&self.files(), file::LEAF, signed.leaf);
        with_part(&unpack(&files), file::LEAF_SIGNATURE, signed.signature)
    }
}

/// The file of this name.
pub(crate) fn part(files: &Files, name: &str) -> Vec<u8> {
    let found = files.iter().find(|(found, _)| found == name);
    found.unwrap().1.clone()
}

/// Revocation lists as a receipt holds them.
pub(crate) fn pem(crls: &[Crl]) -> String {
    crls.iter().map(Crl::to_pem).collect()
}

/// The receipt with another file of this name.
pub(crate) fn with_part(files: &Files, name: &str, bytes: Vec<u8>) -> Vec<u8> {
    let mut files = files.clone();
    let found = files.iter_mut().find(|(found, _)| found == name);
    found.unwrap().1 = bytes;
    repack(&files)
}

/// The files of a receipt whose proof was to come, with a proof and its lists.
pub(crate) fn completed(files: &Files, proof: &LogProof) -> Vec<u8> {
    let mut files = files.clone();
    let place = files.iter().position(|(name, _)| name == file::PENDING);
    let named = |(name, bytes): (&str, &[u8])| (name.to_owned(), bytes.to_vec());
    let mut parts = vec![
        (file::PROOF, proof.proof.as_bytes()),
        (file::LOG_KEY, proof.log_key.as_bytes()),
        (file::WITNESS_KEY, proof.witness_key.as_bytes()),
        (file::KEYS, proof.keys.keys.as_bytes()),
        (file::KEYS_SIGNATURE, proof.keys.signature.as_slice()),
    ];
    if let Some(committed) = &proof.committed {
        parts.push((file::COMMITTED, committed.leaf.as_bytes()));
        parts.push((file::COMMITTED_PROOF, committed.proof.as_bytes()));
        let said = committed.assurance.iter();
        parts.extend(said.map(|said| (file::COMMITTED_ASSURANCE, said.as_bytes())));
    }
    let judged = &proof.judged;
    let rules = judged.rules.iter().zip([file::RULES]);
    for (entry, names) in rules.chain(judged.extensions.iter().zip(file::EXTENSIONS)) {
        parts.push((names[0], entry.leaf.as_bytes()));
        parts.push((names[1], entry.proof.as_bytes()));
    }
    let place = place.unwrap();
    let lists = files.iter_mut().find(|(name, _)| name == file::CRLS);
    lists.unwrap().1.extend(proof.lists.as_bytes());
    files.splice(place..=place, parts.into_iter().map(named));
    repack(&files)
}
