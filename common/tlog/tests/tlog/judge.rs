//! Python, with Ed25519 from `cryptography`, as the judge of a whole log directory.

use std::fs;
use std::process::Command;

use scb_tlog::{
    Cosigner, TileLog, TlogProof, TreeHead, consistency_proof, inclusion_proof, verify_growth,
};

use crate::{entries, log_key, witness_key};

const SCRIPT: &str = include_str!("judge.py");

#[allow(clippy::print_stderr)]
fn is_present() -> bool {
    let probe = Command::new("python3")
        .args(["-c", "import cryptography"])
        .output();
    let present = probe.is_ok_and(|output| output.status.success());
    if !present {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "no judge");
        eprintln!("skipped: no python3 with cryptography");
    }
    present
}

#[test]
fn another_implementation_reads_the_log() {
    if !is_present() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut log = TileLog::open(directory.path()).unwrap();
    let all = entries(66_000);
    log.append(&all[..65_000]).unwrap();
    log.append(&all[65_000..]).unwrap();
    let checkpoint = log.sign(&log_key()).unwrap();
    let cosigner = Cosigner::new(witness_key()).unwrap();
    let growth =
        verify_growth(&TreeHead::empty(), checkpoint.clone(), &Default::default()).unwrap();
    let line = cosigner.cosign(&growth, 1_679_315_147);
    log.publish(&checkpoint.clone().with(line)).unwrap();
    let tiles = log.tiles();
    for index in [0, 1, 255, 256, 65_535, 65_536, 65_791, 65_999] {
        let proof = TlogProof {
            index,
            inclusion: inclusion_proof(&tiles, index, 66_000).unwrap(),
            checkpoint: checkpoint.to_string().parse().unwrap(),
            extra: None,
        };
        let path = directory.path().join(format!("proof-{index}.txt"));
        fs::write(path, proof.to_string()).unwrap();
    }
    for old in [1, 2, 255, 256, 257, 32_768, 65_000, 65_536, 65_537, 65_999] {
        let proof = consistency_proof(&tiles, old, 66_000).unwrap();
        let lines: String = proof
            .hashes()
            .iter()
            .map(|hash| format!("{hash}\n"))
            .collect();
        fs::write(directory.path().join(format!("growth-{old}.txt")), lines).unwrap();
    }
    let said = Command::new("python3")
        .args(["-c", SCRIPT])
        .arg(directory.path())
        .arg(log_key().verifier().to_string())
        .arg(cosigner.verifier().to_string())
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&said.stderr);
    assert_eq!(String::from_utf8_lossy(&said.stdout), "agreed\n", "{error}");
}
