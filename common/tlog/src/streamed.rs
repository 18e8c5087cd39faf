//! The root of a tree that is read once, front to back, and never kept.

use crate::frontier::Frontier;
use crate::{Hash, TreeHead};

/// A tree whose entries come one after the other: it holds no more than its right edge.
#[derive(Debug, Clone, Default)]
pub struct StreamedTree(Frontier);

impl StreamedTree {
    /// Appends an entry.
    pub fn push(&mut self, entry: &[u8]) {
        self.0.push(Hash::of_entry(entry), |_, _| {});
    }

    /// The tree of all entries so far.
    pub fn head(&self) -> TreeHead {
        self.0.head()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_tree_of_rfc_6962() {
        let mut tree = StreamedTree::default();
        assert_eq!(tree.head(), TreeHead::empty());
        let leaves: Vec<Hash> = (0_u32..600)
            .map(|number| Hash::of_entry(&number.to_be_bytes()))
            .collect();
        for (number, size) in (0_u32..600).zip(1..) {
            tree.push(&number.to_be_bytes());
            assert_eq!(tree.head().root, root(&leaves[..size]));
            assert_eq!(tree.head().size, size as u64);
        }
    }

    /// RFC 6962, section 2.1, word for word.
    fn root(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Hash::of_nothing(),
            [one] => *one,
            many => {
                let split = many.len().next_power_of_two() / 2;
                let (left, right) = many.split_at(split);
                Hash::of_node(&root(left), &root(right))
            }
        }
    }
}
