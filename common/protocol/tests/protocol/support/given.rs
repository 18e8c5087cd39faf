//! A receipt that was given, and receipts that Blackboard should not have given.

use scb_certs::{Crl, sign_detached};
use scb_protocol::receipt::{Evidence, SignedAcceptance, VerifiedReceipt, accept, build, file};
use scb_protocol::server::VerifiedSubmission;
use scb_protocol::statement::{Statement, SubmissionNumber};
use scb_protocol::{Code, Refusal};
use scb_testkit::TestIdentity;
use serde_json::Value;

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
        let number = SubmissionNumber::new(1).unwrap();
        let now = self.group.campus.now();
        let accepted = accept(
            evidence,
            &statement,
            number,
            now,
            &service.key,
            &service.chain,
        );
        build(evidence, &accepted.unwrap()).unwrap()
    }

    /// The receipt with an acceptance that was altered before Blackboard signed it.
    pub(crate) fn with_acceptance(&self, alter: impl FnOnce(&mut Value)) -> Vec<u8> {
        let acceptance = part(&self.files(), file::ACCEPTANCE);
        let mut acceptance: Value = serde_json::from_slice(&acceptance).unwrap();
        alter(&mut acceptance);
        self.with_acceptance_bytes(acceptance.to_string().into_bytes())
    }

    pub(crate) fn with_acceptance_bytes(&self, acceptance: Vec<u8>) -> Vec<u8> {
        let TestIdentity { key, chain } = &self.group.blackboard;
        let signature = sign_detached(&acceptance, &[(key, chain)], self.group.campus.now());
        let accepted = SignedAcceptance {
            acceptance,
            signature: signature.unwrap(),
        };
        build(&self.evidence(), &accepted).unwrap()
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
