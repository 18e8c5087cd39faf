//! What clients were told has happened, compared with what the servers show.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use scb_certs::{Certificate, Fingerprint};
use scb_protocol::receipt::{ReceiptParts, VerifiedReceipt};
use serde_json::Value;

use crate::campus::{Campus, Ran};
use crate::class::Receipt;

/// Receipts by number, as the clients have them: complete, or pending while CUHK had not cosigned them.
#[derive(Default)]
pub struct Ledger {
    receipts: BTreeMap<String, Vec<u8>>,
}

impl Ledger {
    /// Notes what `student submit --json` has printed, and what it has kept.
    pub fn note(&mut self, ran: &Ran) {
        let told = ran.json();
        let number = told["submission"].as_str().unwrap();
        let receipt = fs::read(told["receipt"].as_str().unwrap()).unwrap();
        self.enter(number, receipt);
    }

    /// Notes a receipt that a client in this process has.
    pub fn enter_receipt(&mut self, receipt: Receipt) {
        self.enter(&receipt.number, receipt.bytes);
    }

    /// Notes a receipt. No number comes twice.
    fn enter(&mut self, number: &str, receipt: Vec<u8>) {
        let before = self.receipts.insert(number.to_owned(), receipt);
        assert!(before.is_none(), "{number} was given twice");
    }

    pub fn len(&self) -> usize {
        self.receipts.len()
    }

    /// Everything that was acknowledged is listed and exported byte for byte, or as what the client's pending
    /// receipt becomes with the proof alone, and verifies offline; whatever is listed is whole.
    pub fn is_kept_by(&self, campus: &Campus) -> usize {
        let listed = campus.submissions();
        let numbers: BTreeSet<&str> = listed.iter().map(|one| text(one, "number")).collect();
        assert_eq!(numbers.len(), listed.len(), "a number twice: {listed:#?}");
        let out = tempfile::tempdir().unwrap();
        let dir = out.path().join("export");
        campus
            .administer_blackboard(&["submissions", "export", dir.to_str().unwrap()])
            .succeeded();
        let root = fs::read_to_string(campus.path().join("ca.pem")).unwrap();
        let root = Certificate::from_pem(&root).unwrap().fingerprint();
        for (number, receipt) in &self.receipts {
            assert!(numbers.contains(number.as_str()), "{number} is missing");
            let exported = fs::read(dir.join(number).join("receipt.zip")).unwrap();
            let verified = VerifiedReceipt::verify(receipt, &root).unwrap();
            let is_completed =
                || verified.witnessed().is_none() && becomes(receipt, &exported, &root);
            assert!(
                exported == *receipt || is_completed(),
                "{number} has another receipt"
            );
            assert_eq!(verified.number().to_string(), *number);
        }
        for number in numbers {
            assert!(is_whole(&dir.join(number)), "{number} is half-done");
        }
        listed.len()
    }

    /// As [`Ledger::is_kept_by`], and nothing else is there.
    pub fn is_all_of(&self, campus: &Campus) {
        let listed = self.is_kept_by(campus);
        assert_eq!(listed, self.receipts.len(), "more than was acknowledged");
        let home = campus.blackboard.sees(&campus.path().join("blackboard"));
        let left = fs::read_dir(home.join("content/tmp")).unwrap();
        assert_eq!(left.count(), 0, "content on its way in is left");
    }
}

/// Whether the other one is complete, and byte for byte what this one becomes with the proof that is in it.
fn becomes(pending: &[u8], complete: &[u8], root: &Fingerprint) -> bool {
    let roots = [*root];
    let (verified, parts) = ReceiptParts::verified(complete, &roots).unwrap();
    let proof = parts.proof.filter(|_| verified.witnessed().is_some());
    proof.is_some_and(|proof| {
        let completed = VerifiedReceipt::complete(pending, &proof, &roots);
        completed.is_ok_and(|(completed, _)| completed == complete)
    })
}

/// A receipt and one report.
fn is_whole(folder: &Path) -> bool {
    let entries = fs::read_dir(folder).unwrap();
    folder.join("receipt.zip").is_file() && entries.count() == 2
}

/// No serial number twice; every student of `ids` has exactly one certificate, and it is live.
pub fn one_certificate_each(campus: &Campus, ids: &BTreeSet<String>) {
    let listed = campus.administer_cuhk(&["certs", "list", "--json"]);
    let listed = listed.succeeded().json();
    let all = listed.as_array().unwrap();
    let serials: BTreeSet<&str> = all.iter().map(|one| text(one, "serial")).collect();
    assert_eq!(serials.len(), all.len(), "a serial number twice");
    let mut found: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for one in all {
        let subject = text(one, "subject");
        found.entry(subject).or_default().push(text(one, "state"));
    }
    for sid in ids {
        assert_eq!(found.get(sid.as_str()), Some(&vec!["live"]), "{sid}");
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap()
}
