//! A witness cosigns growth and nothing else.

use scb_tlog::{
    AddCheckpoint, Algorithm, Checkpoint, Cosigner, Error, NoteKey, TreeHead, UnverifiedCheckpoint,
    VerifiedCheckpoint, consistency_proof, read_tree_size, verify_growth,
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

fn offered(tree: &Definition, old: u64, size: u64) -> AddCheckpoint {
    let growth = consistency_proof(tree, old, size).unwrap();
    AddCheckpoint::new(checkpoint(tree, size), old, growth)
}

/// What a witness answers that cosigns the first `size` entries.
fn answered(tree: &Definition, size: u64, cosigner: &Cosigner) -> String {
    let nothing = TreeHead::empty();
    let growth = verify_growth(&nothing, checkpoint(tree, size), &Default::default());
    format!("{}\n", cosigner.cosign(&growth.unwrap(), 1000))
}

#[test]
fn a_request_has_the_old_size_the_proof_and_the_checkpoint() {
    let tree = Definition::of(&entries(8));
    let proof = consistency_proof(&tree, 5, 8).unwrap();
    let lines: String = proof
        .hashes()
        .iter()
        .map(|hash| format!("{hash}\n"))
        .collect();
    let expected = format!("old 5\n{lines}\n{}", checkpoint(&tree, 8));
    assert_eq!(offered(&tree, 5, 8).body(), expected);
    let first = format!("old 0\n\n{}", checkpoint(&tree, 8));
    assert_eq!(offered(&tree, 0, 8).body(), first);
}

#[test]
fn the_cosignature_is_found_among_those_of_others_and_verified() {
    let tree = Definition::of(&entries(8));
    let cosigner = Cosigner::new(witness_key()).unwrap();
    let other = NoteKey::generate(name("other.example/w"), Algorithm::CosignatureV1);
    let other = Cosigner::new(other.unwrap()).unwrap();
    let request = offered(&tree, 5, 8);
    let (own, others) = (answered(&tree, 8, &cosigner), answered(&tree, 8, &other));
    let both = format!("{others}{own}");
    let (line, cosignature) = request.cosignature(&both, cosigner.verifier()).unwrap();
    assert_eq!(format!("{line}\n"), own);
    assert_eq!(cosignature.time(), 1000);
    let of = |answer: &str| {
        request
            .cosignature(answer, cosigner.verifier())
            .unwrap_err()
    };
    assert!(matches!(of(&others), Error::SignatureMissing { .. }));
    let smaller = answered(&tree, 7, &cosigner);
    assert!(matches!(of(&smaller), Error::SignatureInvalid { .. }));
    for garbage in [
        "",
        "\n",
        "ok\n",
        own.trim_end(),
        &format!("{own}\n"),
        "— x AAAA\n",
    ] {
        assert!(
            matches!(of(garbage), Error::Malformed { .. }),
            "{garbage:?}"
        );
    }
}

#[test]
fn a_tree_size_is_a_number_and_a_newline() {
    assert_eq!(read_tree_size("20852014\n").unwrap(), 20_852_014);
    assert_eq!(read_tree_size("0\n").unwrap(), 0);
    for wrong in [
        "",
        "\n",
        "5",
        "05\n",
        "+5\n",
        "-5\n",
        "5\n5\n",
        "18446744073709551616\n",
    ] {
        assert!(read_tree_size(wrong).is_err(), "{wrong:?}");
    }
}
