//! An archive of an assignment is judged by revocation lists of the time of CUHK's cosignature: by our
//! program and by the script in `docs/`.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::process::Command;

use scb_certs::{Crl, Fingerprint};
use scb_protocol::SignedLogKeys;
use scb_protocol::export::{
    ExportError, Head, INSTRUCTIONS, LogLine, Reading, SignedHead, Table, VerifiedExport, file,
};
use scb_protocol::log_leaf::{Closed, Entry, Leaf, leaf_commitment};
use scb_protocol::receipt::WitnessPolicy;
use scb_protocol::{from_seconds, witness::witness_name};
use scb_testkit::{TestCampus, TestIdentity, TestLog};
use scb_tlog::{ConsistencyProof, TreeHead, verify_growth};

use crate::support::{Judge, judge, pem, repack, witness};

const LOG: &str = "campus.test/blackboard/SANDBOX/lab";
const DAY: u64 = 24 * 3600;

/// An archive of an assignment for which nobody has handed in.
struct Archive {
    lists: Vec<Crl>,
    /// Who endorses the keys for CUHK.
    signer: TestIdentity,
    /// Seconds from now at which CUHK cosigned.
    cosigned: u64,
    /// Seconds from now at which it says that it was exported.
    exported: u64,
}

impl Archive {
    fn of(campus: &TestCampus) -> Self {
        Self {
            lists: campus.crls(1, &[]),
            signer: campus.token_signer(),
            cosigned: 2,
            exported: 10,
        }
    }

    fn zip(&self, campus: &TestCampus) -> Vec<u8> {
        let now = campus.now();
        let at = |seconds: u64| from_seconds(now.as_secs() + seconds);
        let entry = Entry::Closed(Closed { accepted: 0 });
        let leaf = Leaf::new(LOG.parse().unwrap(), 0, now, entry).unwrap();
        let leaf = leaf.to_bytes().unwrap();
        let commitment = leaf_commitment(&leaf);
        let mut log = TestLog::of(LOG, 0);
        log.push(commitment);
        let line = LogLine::new(&commitment, Some(leaf));
        let mut reading = Reading::of(LOG.parse().unwrap());
        reading.line(&line).unwrap();

        let own = witness(&witness_name(campus.trust().trust_domain()), 9);
        let checkpoint = log.checkpoint(1);
        let nothing = (TreeHead::empty(), ConsistencyProof::default());
        let growth = verify_growth(&nothing.0, checkpoint.clone(), &nothing.1).unwrap();
        let checkpoint = checkpoint.with(own.cosign(&growth, at(self.cosigned).as_secs()));

        let blackboard = campus.service("blackboard");
        let service = blackboard.leaf().spiffe_id().unwrap();
        let by = (&self.signer.key, &self.signer.chain);
        let keys = SignedLogKeys::sign(&service, log.key(), own.verifier(), by, now).unwrap();
        let root = campus.root().certificate().to_pem();
        let bound = [
            (file::CHECKPOINT, checkpoint.to_string().into_bytes()),
            (file::KEYS, keys.keys.into_bytes()),
            (file::KEYS_SIGNATURE, keys.signature),
            (file::ROOT, root.into_bytes()),
            (file::CRLS, pem(&self.lists).into_bytes()),
            (
                file::TABLE,
                Table::new(Vec::new()).unwrap().finish().unwrap(),
            ),
            (file::INSTRUCTIONS, INSTRUCTIONS.as_bytes().to_vec()),
        ];
        let hash = |(name, bytes): &(&str, Vec<u8>)| ((*name).to_owned(), Fingerprint::of(bytes));
        let hashes: BTreeMap<_, _> = bound.iter().map(hash).collect();
        let head = Head::new(service, LOG.parse().unwrap(), at(self.exported));
        let head = head.over(&reading, hashes);
        let signed = SignedHead::sign(&head, (&blackboard.key, &blackboard.chain)).unwrap();
        let own = [
            (file::LEAVES, [line.0.as_slice(), b"\n"].concat()),
            (file::HEAD, signed.head),
            (file::HEAD_SIGNATURE, signed.signature),
        ];
        let files = bound.into_iter().chain(own);
        repack(
            &files
                .map(|(name, bytes)| (name.to_owned(), bytes))
                .collect(),
        )
    }

    fn ours(&self, campus: &TestCampus) -> Result<VerifiedExport, ExportError> {
        let roots = [campus.root_fingerprint()];
        VerifiedExport::verify(
            Cursor::new(self.zip(campus)),
            &roots,
            &WitnessPolicy::default(),
        )
    }

    /// Whether the script confirms it, and what it says.
    fn theirs(&self, campus: &TestCampus) -> Option<(bool, String)> {
        if !judge(Judge::Cryptography) {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lab.zip");
        std::fs::write(&path, self.zip(campus)).unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/verify_export.py");
        let mut python = Command::new("python3");
        python.env("PYTHONDONTWRITEBYTECODE", "1");
        python
            .arg(script)
            .arg(path)
            .arg(campus.root_fingerprint().to_string());
        let output = python.output().unwrap();
        Some((
            output.status.success(),
            String::from_utf8(output.stdout).unwrap(),
        ))
    }
}

fn told(export: &VerifiedExport) -> String {
    let mut checks = export.checks().iter();
    let told = checks.find(|check| check.what == "lists");
    told.unwrap().found.to_string()
}

#[test]
fn both_judges_compare_its_lists_with_the_time_of_the_cosignature() {
    let campus = TestCampus::new();
    for (cosigned, covered) in [(2, true), (DAY - 1, true), (DAY, false), (2 * DAY, false)] {
        let archive = Archive {
            cosigned,
            ..Archive::of(&campus)
        };
        let export = archive.ours(&campus).unwrap();
        assert_eq!(export.witnessed().outlives_lists(), !covered);
        assert_eq!(
            told(&export).contains("ONLY"),
            !covered,
            "{}",
            told(&export)
        );
        let Some((confirmed, said)) = archive.theirs(&campus) else {
            continue;
        };
        assert!(confirmed, "{said}");
        assert_eq!(
            said.contains("\nlists      in force until 2026-03-03T04:00:00Z, past"),
            covered
        );
        let gap = "; its revocation lists ended BEFORE a witness saw it in the log\n";
        assert_eq!(said.ends_with(gap), !covered, "{said}");
    }
}

#[test]
fn both_judges_refuse_keys_that_were_not_endorsed_when_cuhk_cosigned() {
    let campus = TestCampus::new();
    let right = Archive::of(&campus);
    right.ours(&campus).unwrap();
    let revoked = Archive {
        lists: campus.crls(2, &[right.signer.chain.leaf()]),
        ..Archive::of(&campus)
    };
    let revoked = Archive {
        signer: right.signer.clone(),
        ..revoked
    };
    let ended = Archive {
        lists: campus.crls(2, &[]),
        exported: 2 * DAY,
        ..Archive::of(&campus)
    };
    for (what, archive) in [("revoked", revoked), ("exported after the lists", ended)] {
        assert!(archive.ours(&campus).is_err(), "{what}");
        if let Some((confirmed, said)) = archive.theirs(&campus) {
            assert!(!confirmed, "{what}: {said}");
        }
    }
}
