//! A witness cosigns growth and nothing else.

use scb_tlog::{
    Algorithm, Checkpoint, Cosigner, Error, NoteKey, TreeHead, UnverifiedCheckpoint,
    VerifiedCheckpoint, consistency_proof, verify_growth,
};

use crate::{Definition, entries, log_key, name, witness_key};

fn checkpoint(tree: &Definition, size: u64) -> VerifiedCheckpoint {
    let root = tree.root(size);
    let origin = name("example.com/log");
    let head = TreeHead { size, root };
    Checkpoint { origin, head }.sign(&log_key()).unwrap()
}

#[test]
fn a_cosignature_is_verified_after_the_wire() {
    let tree = Definition::of(&entries(8));
    let cosigner = Cosigner::new(witness_key()).unwrap();
    let known = checkpoint(&tree, 5).head();
    let proof = consistency_proof(&tree, 5, 8).unwrap();
    let growth = verify_growth(&known, checkpoint(&tree, 8), &proof).unwrap();
    let line = cosigner.cosign(&growth, 1_679_315_147);
    let text = growth.checkpoint().clone().with(line).to_string();
    let read: UnverifiedCheckpoint = text.parse().unwrap();
    let read = read.verify(log_key().verifier()).unwrap();
    let cosignature = read.cosignature(cosigner.verifier()).unwrap();
    assert_eq!(cosignature.time(), 1_679_315_147);
    let stranger = NoteKey::generate(name("witness.example/w1"), Algorithm::CosignatureV1);
    assert!(matches!(
        read.cosignature(stranger.unwrap().verifier()),
        Err(Error::SignatureMissing { .. })
    ));
}

#[test]
fn a_cosignature_of_another_checkpoint_or_time_is_refused() {
    let tree = Definition::of(&entries(8));
    let cosigner = Cosigner::new(witness_key()).unwrap();
    let nothing = TreeHead::empty();
    let growth = |size| verify_growth(&nothing, checkpoint(&tree, size), &Default::default());
    let line = cosigner.cosign(&growth(8).unwrap(), 1000);
    let moved = checkpoint(&tree, 7).with(line.clone());
    assert!(matches!(
        moved.cosignature(cosigner.verifier()),
        Err(Error::SignatureInvalid { .. })
    ));
    let text = line.to_string();
    let (prefix, value) = text.rsplit_once(' ').unwrap();
    let mut value = data_encoding::BASE64.decode(value.as_bytes()).unwrap();
    value[11] ^= 1; // the lowest byte of the time
    let later = format!("{prefix} {}", data_encoding::BASE64.encode(&value));
    let later = checkpoint(&tree, 8).with(later.parse().unwrap());
    assert!(later.cosignature(cosigner.verifier()).is_err());
}

#[test]
fn a_fork_is_not_growth() {
    let tree = Definition::of(&entries(8));
    let mut rewritten = entries(8);
    rewritten[2] = b"rewritten".to_vec();
    let fork = Definition::of(&rewritten);
    let known = checkpoint(&tree, 5).head();
    for tree in [&fork, &tree] {
        let proof = consistency_proof(tree, 5, 8).unwrap();
        let forked = verify_growth(&known, checkpoint(&fork, 8), &proof);
        assert!(matches!(forked, Err(Error::GrowthUnproved { .. })));
    }
    let same_size = verify_growth(&known, checkpoint(&fork, 5), &Default::default());
    assert!(matches!(same_size, Err(Error::GrowthUnproved { .. })));
    let smaller = verify_growth(&known, checkpoint(&tree, 4), &Default::default());
    assert!(matches!(smaller, Err(Error::Shrunk { .. })));
}

#[test]
fn a_log_key_does_not_cosign() {
    assert!(matches!(Cosigner::new(log_key()), Err(Error::KeyMalformed)));
}
