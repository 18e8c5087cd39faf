//! Every proof of every tree up to 300 entries, and what was altered.

use proptest::prelude::*;
use scb_tlog::{
    ConsistencyProof, Error, Hash, InclusionProof, TreeHead, consistency_proof, inclusion_proof,
    root,
};

use crate::{Definition, entries};

const LARGEST: u64 = 300;

fn head(tree: &Definition, size: u64) -> TreeHead {
    let root = tree.root(size);
    TreeHead { size, root }
}

#[test]
fn every_entry_of_every_tree_is_proved() {
    let entries = entries(LARGEST as usize);
    let tree = Definition::of(&entries);
    for size in 1..=LARGEST {
        let head = head(&tree, size);
        assert_eq!(root(&tree, size).unwrap(), head.root);
        // All of the small ones; of the large ones the first, the last and some between.
        for index in (0..size).filter(|index| size <= 40 || index % 23 == 0 || index + 3 > size) {
            let proof = inclusion_proof(&tree, index, size).unwrap();
            head.check_inclusion(&entries[index as usize], index, &proof)
                .unwrap();
        }
    }
}

#[test]
fn every_growth_between_trees_is_proved() {
    let tree = Definition::of(&entries(LARGEST as usize));
    for new in 1..=LARGEST {
        let newer = head(&tree, new);
        for old in (0..=new).filter(|old| new <= 40 || old % 19 == 0 || old + 3 > new) {
            let proof = consistency_proof(&tree, old, new).unwrap();
            head(&tree, old).check_growth(&newer, &proof).unwrap();
        }
    }
}

#[test]
fn a_tree_never_shrinks() {
    let tree = Definition::of(&entries(9));
    let shrunk = head(&tree, 9).check_growth(&head(&tree, 8), &ConsistencyProof::default());
    assert!(matches!(shrunk, Err(Error::Shrunk { old: 9, new: 8 })));
    assert!(consistency_proof(&tree, 9, 8).is_err());
    assert!(consistency_proof(&tree, 1, 10).is_err(), "beyond the end");
    assert!(inclusion_proof(&tree, 8, 8).is_err(), "beyond the end");
    assert!(inclusion_proof(&tree, 0, 0).is_err(), "an empty tree");
}

#[test]
fn absurd_sizes_are_refused() {
    let tree = Definition::of(&entries(2));
    let known = head(&tree, 2);
    let proof = InclusionProof::new(vec![known.root]);
    for size in [0, u64::MAX / 2, u64::MAX - 1, u64::MAX] {
        let absurd = TreeHead { size, ..known };
        for index in [0, 1, u64::MAX / 2 + 1, u64::MAX] {
            assert!(absurd.check_inclusion(b"entry 0", index, &proof).is_err());
        }
        let proof = ConsistencyProof::new(vec![known.root]);
        assert!(known.check_growth(&absurd, &proof).is_err());
        assert!(absurd.check_growth(&known, &proof).is_err());
    }
}

/// Hashes with one altered, left out, doubled or exchanged.
fn altered(hashes: &[Hash], place: usize, bit: usize) -> Vec<Vec<Hash>> {
    let (mut longer, mut all) = (hashes.to_vec(), Vec::new());
    longer.insert(place % (hashes.len() + 1), Hash::of_entry(b"another"));
    all.push(longer);
    if hashes.is_empty() {
        return all;
    }
    let place = place % hashes.len();
    let mut flipped = hashes.to_vec();
    let mut bytes = *flipped[place].as_bytes();
    bytes[bit / 8] ^= 1 << (bit % 8);
    flipped[place] = bytes.into();
    let mut shorter = hashes.to_vec();
    shorter.remove(place);
    all.extend([flipped, shorter]);
    if hashes.len() > 1 {
        let mut exchanged = hashes.to_vec();
        exchanged.rotate_left(1);
        all.push(exchanged);
    }
    all
}

proptest! {
    #[test]
    fn an_altered_path_proves_nothing(
        size in 1..=LARGEST, index in 0..LARGEST, place: usize, bit in 0..256_usize,
    ) {
        let entries = entries(LARGEST as usize);
        let (tree, index) = (Definition::of(&entries), index % size);
        let (head, entry) = (head(&tree, size), &entries[index as usize]);
        let proof = inclusion_proof(&tree, index, size).unwrap();
        head.check_inclusion(entry, index, &proof).unwrap();
        for hashes in altered(proof.hashes(), place, bit) {
            let proof = InclusionProof::new(hashes);
            prop_assert!(head.check_inclusion(entry, index, &proof).is_err());
        }
        prop_assert!(head.check_inclusion(b"another", index, &proof).is_err());
        let another = (index + 1) % size;
        prop_assert!(another == index || head.check_inclusion(entry, another, &proof).is_err());
    }

    #[test]
    fn an_altered_growth_proves_nothing(
        new in 2..=LARGEST, old in 1..LARGEST, place: usize, bit in 0..256_usize,
    ) {
        let (tree, old) = (Definition::of(&entries(LARGEST as usize)), old % (new - 1) + 1);
        let (older, newer) = (head(&tree, old), head(&tree, new));
        let proof = consistency_proof(&tree, old, new).unwrap();
        older.check_growth(&newer, &proof).unwrap();
        for hashes in altered(proof.hashes(), place, bit) {
            let proof = ConsistencyProof::new(hashes);
            prop_assert!(older.check_growth(&newer, &proof).is_err());
        }
        // Another history of the same length.
        let mut rewritten = entries(old as usize);
        rewritten[place % old as usize] = b"rewritten".to_vec();
        let rewritten = head(&Definition::of(&rewritten), old);
        prop_assert!(rewritten.check_growth(&newer, &proof).is_err());
    }
}
