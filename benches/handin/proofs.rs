//! Inclusion proofs: their size, and how long they take to make from the tiles on disk and to
//! verify.

use std::time::Instant;

use scb_tlog::{
    Algorithm, KeyName, NoteKey, TileLog, TlogProof, UnverifiedCheckpoint, inclusion_proof,
};

use crate::Scale;
use crate::measure::{Spread, micros};

/// Entries appended at once.
const BATCH: u64 = 10_000;

/// Measures and prints.
pub fn measure(scale: &Scale) {
    println!(
        "\nproofs: {} entries chosen at random, each proof made from the tiles on disk and \
         verified, signature of the checkpoint included; median (quartiles)\n",
        scale.proofs
    );
    println!("    entries  hashes     bytes  made in µs             verified in µs");
    let dir = tempfile::tempdir().unwrap();
    let name: KeyName = "campus.test/blackboard/COURSE/assignment".parse().unwrap();
    let key = NoteKey::generate(name, Algorithm::Ed25519).unwrap();
    let mut log = TileLog::open(&dir.path().join("log")).unwrap();
    for size in scale.entries {
        grow(&mut log, *size);
        prove(&log, &key, *size, scale.proofs);
    }
}

fn entry(index: u64) -> Vec<u8> {
    format!("an entry of about as many bytes as there are in one, number {index:>20}").into_bytes()
}

fn grow(log: &mut TileLog, size: u64) {
    let mut next = log.head().size;
    while next < size {
        let end = size.min(next + BATCH);
        let entries: Vec<_> = (next..end).map(entry).collect();
        log.append(&entries).unwrap();
        next = end;
    }
}

fn prove(log: &TileLog, key: &NoteKey, size: u64, proofs: usize) {
    let checkpoint = log.sign(key).unwrap().note().to_string();
    let tiles = log.tiles();
    let (mut made, mut verified) = (Vec::new(), Vec::new());
    let (mut hashes, mut bytes) = (0, 0);
    let mut index = 0;
    for _ in 0..proofs {
        // A linear congruential generator (Knuth's MMIX), as good as any to choose by.
        index = u64::wrapping_mul(index, 6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let index = (index >> 20) % size;
        let begun = Instant::now();
        let proof = TlogProof {
            index,
            inclusion: inclusion_proof(&tiles, index, size).unwrap(),
            checkpoint: checkpoint.parse::<UnverifiedCheckpoint>().unwrap(),
            extra: None,
        };
        let text = proof.to_string();
        made.push(micros(begun.elapsed()));
        hashes = hashes.max(proof.inclusion.hashes().len());
        bytes = bytes.max(text.len());
        let begun = Instant::now();
        let proof: TlogProof = text.parse().unwrap();
        proof.verify(&entry(index), key.verifier()).unwrap();
        verified.push(micros(begun.elapsed()));
    }
    let [made, verified] = [made, verified].map(|times| {
        let spread = Spread::of(times);
        let (low, high) = spread.quartiles;
        format!("{:.0} ({low:.0} – {high:.0})", spread.median)
    });
    println!("  {size:>9}  {hashes:>6}  {bytes:>8}  {made:<21}  {verified}");
}
