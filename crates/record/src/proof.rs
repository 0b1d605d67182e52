//! Proofs about the tree: that a leaf is in it, and that a later tree only added to an earlier one.
//!
//! Made from the leaves ([`Leaves`]), verified from hashes alone, both as RFC 9162, 2.1.3 and
//! 2.1.4 write them down. A proof of leaf 5 of 8 is three hashes: its neighbour, and the two
//! subtrees beside its pair and beside its four.
//!
//! Must not know: records, checkpoints, keys.

use std::ops::Range;

use toolgate_model::Digest;

use crate::tree::{Leaves, empty_root, node_hash, split, subtree_hash};

/// That one leaf is in a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InclusionProof {
    /// The index of the leaf.
    pub index: u64,
    /// The size of the tree.
    pub size: u64,
    /// The hashes beside the way from the leaf to the root, nearest first.
    pub path: Vec<Digest>,
}

/// That the first `first` leaves of a tree of `second` are those of the tree of `first`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsistencyProof {
    /// The size of the earlier tree.
    pub first: u64,
    /// The size of the later tree.
    pub second: u64,
    /// The hashes that both roots are made of.
    pub path: Vec<Digest>,
}

/// Why a proof cannot be made, or does not prove anything.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ProofError {
    /// The leaf is not in a tree of that size.
    #[error("leaf {index} is not in a tree of {size} leaves")]
    OutOfRange {
        /// The index asked for.
        index: u64,
        /// The size of the tree.
        size: u64,
    },
    /// The earlier tree is larger than the later.
    #[error("a tree of {second} leaves cannot have grown from one of {first}")]
    Shrinking {
        /// The size of the earlier tree.
        first: u64,
        /// The size of the later tree.
        second: u64,
    },
    /// A leaf was not handed over.
    #[error("leaf {0} is missing, so nothing can be proved about its tree")]
    LeafMissing(u64),
    /// The path has more or fewer hashes than a proof of these sizes has.
    #[error("the proof has the wrong number of hashes")]
    Length,
    /// The path does not lead to the root.
    #[error("the proof does not lead to the root")]
    Root,
}

impl InclusionProof {
    /// The proof that leaf `index` is in the tree of the first `size` leaves.
    ///
    /// # Errors
    /// [`ProofError`] where it is not, or a leaf is missing.
    pub fn make<L: Leaves + ?Sized>(leaves: &L, index: u64, size: u64) -> Result<Self, ProofError> {
        if index >= size {
            return Err(ProofError::OutOfRange { index, size });
        }
        let mut path = Vec::new();
        let mut run = 0..size;
        while run.end - run.start > 1 {
            let (inside, beside) = halves(&run, index);
            path.push(subtree_hash(leaves, beside).map_err(ProofError::LeafMissing)?);
            run = inside;
        }
        path.reverse();
        Ok(Self { index, size, path })
    }

    /// Checks that `leaf` is in the tree with this `root` (RFC 9162, 2.1.3.2).
    ///
    /// # Errors
    /// [`ProofError`] where the proof does not show it.
    pub fn verify(&self, leaf: &Digest, root: &Digest) -> Result<(), ProofError> {
        let (index, size) = (self.index, self.size);
        if index >= size {
            return Err(ProofError::OutOfRange { index, size });
        }
        let (mut node, mut last) = (index, size - 1);
        let mut hash = *leaf;
        for beside in &self.path {
            if last == 0 {
                return Err(ProofError::Length);
            }
            if node & 1 == 1 || node == last {
                hash = node_hash(beside, &hash);
                // A node at the right edge has no neighbour until its way turns right.
                let skip = if node & 1 == 1 {
                    0
                } else {
                    node.trailing_zeros()
                };
                (node, last) = (shifted(node, skip), shifted(last, skip));
            } else {
                hash = node_hash(&hash, beside);
            }
            (node, last) = (node >> 1, last >> 1);
        }
        if last != 0 {
            return Err(ProofError::Length);
        }
        if hash == *root {
            Ok(())
        } else {
            Err(ProofError::Root)
        }
    }
}

impl ConsistencyProof {
    /// The proof that the tree of the first `second` leaves grew from that of the first `first`.
    ///
    /// # Errors
    /// [`ProofError`] where `first` is above `second`, or a leaf is missing.
    pub fn make<L: Leaves + ?Sized>(
        leaves: &L,
        first: u64,
        second: u64,
    ) -> Result<Self, ProofError> {
        if first > second {
            return Err(ProofError::Shrinking { first, second });
        }
        let mut path = Vec::new();
        if first == 0 || first == second {
            return Ok(Self {
                first,
                second,
                path,
            });
        }
        let mut run = 0..second;
        while run.end != first {
            let (inside, beside) = halves(&run, first - 1);
            path.push(subtree_hash(leaves, beside).map_err(ProofError::LeafMissing)?);
            run = inside;
        }
        // Where what is left is the whole earlier tree, its root is known already.
        if run.start > 0 {
            path.push(subtree_hash(leaves, run).map_err(ProofError::LeafMissing)?);
        }
        path.reverse();
        Ok(Self {
            first,
            second,
            path,
        })
    }

    /// Checks that the tree with root `later` grew from the one with root `earlier` (RFC 9162,
    /// 2.1.4.2). Every tree grew from the empty one.
    ///
    /// # Errors
    /// [`ProofError`] where the proof does not show it.
    pub fn verify(&self, earlier: &Digest, later: &Digest) -> Result<(), ProofError> {
        let (first, second) = (self.first, self.second);
        if first > second {
            return Err(ProofError::Shrinking { first, second });
        }
        if first == 0 || first == second {
            return self.verify_trivial(earlier, later);
        }
        let mut path = self.path.iter();
        // The RFC prepends the earlier root where the earlier tree is full.
        let start = if first.is_power_of_two() {
            Some(earlier)
        } else {
            path.next()
        };
        let start = start.ok_or(ProofError::Length)?;
        let odd = (first - 1).trailing_ones();
        let (mut node, mut last) = (shifted(first - 1, odd), shifted(second - 1, odd));
        let (mut old, mut new) = (*start, *start);
        for beside in path {
            if last == 0 {
                return Err(ProofError::Length);
            }
            if node & 1 == 1 || node == last {
                old = node_hash(beside, &old);
                new = node_hash(beside, &new);
                let skip = if node & 1 == 1 {
                    0
                } else {
                    node.trailing_zeros()
                };
                (node, last) = (shifted(node, skip), shifted(last, skip));
            } else {
                new = node_hash(&new, beside);
            }
            (node, last) = (node >> 1, last >> 1);
        }
        if last != 0 {
            return Err(ProofError::Length);
        }
        if old == *earlier && new == *later {
            Ok(())
        } else {
            Err(ProofError::Root)
        }
    }

    fn verify_trivial(&self, earlier: &Digest, later: &Digest) -> Result<(), ProofError> {
        if !self.path.is_empty() {
            return Err(ProofError::Length);
        }
        let empty = self.first > 0 || *earlier == empty_root();
        let same = self.first < self.second || earlier == later;
        if empty && same {
            Ok(())
        } else {
            Err(ProofError::Root)
        }
    }
}

/// The half of `run` that holds `index`, and the other one.
fn halves(run: &Range<u64>, index: u64) -> (Range<u64>, Range<u64>) {
    let middle = run.start + split(run.end - run.start);
    let (left, right) = (run.start..middle, middle..run.end);
    if index < middle {
        (left, right)
    } else {
        (right, left)
    }
}

/// `number >> bits`, and zero where that shifts everything out.
fn shifted(number: u64, bits: u32) -> u64 {
    number.checked_shr(bits).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use toolgate_model::Digest;

    use super::{ConsistencyProof, InclusionProof, ProofError};
    use crate::tree::{Tree, empty_root, leaf_hash, root_of};

    const SIZE_MAX: u64 = 130;

    fn numbered(size: u64) -> Vec<Digest> {
        (0..size)
            .map(|index| leaf_hash(&index.to_be_bytes()))
            .collect()
    }

    fn roots(leaves: &[Digest]) -> Vec<Digest> {
        (0..=leaves.len())
            .map(|size| root_of(leaves[..size].iter().copied()))
            .collect()
    }

    fn hex(path: &[Digest]) -> Vec<String> {
        path.iter().map(|node| node.hex()[..8].to_owned()).collect()
    }

    fn flipped(digest: &Digest) -> Digest {
        let mut bytes = *digest.as_bytes();
        bytes[31] ^= 1;
        Digest::from_bytes(bytes)
    }

    /// Every path that is one hash changed, dropped, doubled or swapped away from `path`.
    fn mutations(path: &[Digest]) -> Vec<Vec<Digest>> {
        let mut all = vec![
            [path, &[empty_root()]].concat(),
            [&[empty_root()], path].concat(),
        ];
        for place in 0..path.len() {
            let mut changed = path.to_vec();
            changed[place] = flipped(&changed[place]);
            let mut dropped = path.to_vec();
            dropped.remove(place);
            let mut doubled = path.to_vec();
            doubled.insert(place, path[place]);
            all.extend([changed, dropped, doubled]);
            if place > 0 {
                let mut swapped = path.to_vec();
                swapped.swap(place - 1, place);
                all.push(swapped);
            }
        }
        all
    }

    #[test]
    fn the_published_proofs_come_out() {
        // The eight leaves and the proofs of the tests of Certificate Transparency.
        let leaves: Vec<Digest> = [
            &b""[..],
            b"\x00",
            b"\x10",
            b"\x20\x21",
            b"\x30\x31",
            b"\x40\x41\x42\x43",
            b"\x50\x51\x52\x53\x54\x55\x56\x57",
            b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
        ]
        .into_iter()
        .map(leaf_hash)
        .collect();
        let inclusion = |index, size| {
            hex(&InclusionProof::make(leaves.as_slice(), index, size)
                .unwrap()
                .path)
        };
        assert_eq!(inclusion(0, 8), ["96a296d2", "5f083f0a", "6b47aaf2"]);
        assert_eq!(inclusion(5, 8), ["bc1a0643", "ca854ea1", "d37ee418"]);
        assert_eq!(inclusion(2, 3), ["fac54203"]);
        let consistency = |first, second| {
            hex(&ConsistencyProof::make(leaves.as_slice(), first, second)
                .unwrap()
                .path)
        };
        assert_eq!(consistency(1, 8), ["96a296d2", "5f083f0a", "6b47aaf2"]);
        assert_eq!(consistency(6, 8), ["0ebc5d34", "ca854ea1", "d37ee418"]);
        assert_eq!(consistency(2, 5), ["5f083f0a", "bc1a0643"]);
    }

    #[test]
    fn every_leaf_of_every_tree_is_proved_and_no_other() {
        let leaves = numbered(SIZE_MAX);
        let roots = roots(&leaves);
        let tree: Tree = leaves.iter().copied().collect();
        for size in 1..=SIZE_MAX {
            let root = &roots[size as usize];
            for index in 0..size {
                let leaf = &leaves[index as usize];
                let proof = InclusionProof::make(&tree, index, size).unwrap();
                assert_eq!(proof.verify(leaf, root), Ok(()), "{index} of {size}");
                assert_eq!(proof.verify(&flipped(leaf), root), Err(ProofError::Root));
                assert_eq!(proof.verify(leaf, &flipped(root)), Err(ProofError::Root));
                let next = InclusionProof {
                    index: index + 1,
                    ..proof.clone()
                };
                assert!(
                    next.verify(leaf, root).is_err(),
                    "{index} of {size} proves the next"
                );
            }
        }
    }

    #[test]
    fn no_mutation_of_an_inclusion_proof_holds() {
        let leaves = numbered(SIZE_MAX);
        let roots = roots(&leaves);
        let tree: Tree = leaves.iter().copied().collect();
        for size in [1, 2, 3, 7, 8, 9, 63, 64, 65, 127, 128, 129, 130] {
            for index in 0..size {
                let proof = InclusionProof::make(leaves.as_slice(), index, size).unwrap();
                assert_eq!(
                    InclusionProof::make(&tree, index, size).as_ref(),
                    Ok(&proof)
                );
                for path in mutations(&proof.path) {
                    let mutated = InclusionProof { path, ..proof };
                    let (leaf, root) = (&leaves[index as usize], &roots[size as usize]);
                    assert!(mutated.verify(leaf, root).is_err(), "{mutated:?}");
                }
            }
        }
    }

    #[test]
    fn every_tree_grew_from_every_earlier_one_and_no_other() {
        let leaves = numbered(SIZE_MAX);
        let roots = roots(&leaves);
        let tree: Tree = leaves.iter().copied().collect();
        for second in 0..=SIZE_MAX {
            for first in 0..=second {
                let (old, new) = (&roots[first as usize], &roots[second as usize]);
                let proof = ConsistencyProof::make(&tree, first, second).unwrap();
                assert_eq!(proof.verify(old, new), Ok(()), "{first} to {second}");
                let wrong = proof.verify(&flipped(old), new);
                assert_eq!(wrong, Err(ProofError::Root), "{first} to {second}");
                if first > 0 {
                    let wrong = proof.verify(old, &flipped(new));
                    assert_eq!(wrong, Err(ProofError::Root), "{first} to {second}");
                }
            }
        }
    }

    #[test]
    fn no_mutation_of_a_consistency_proof_holds() {
        let leaves = numbered(SIZE_MAX);
        let roots = roots(&leaves);
        let tree: Tree = leaves.iter().copied().collect();
        for second in [1, 2, 3, 7, 8, 9, 63, 64, 65, 130] {
            for first in 0..=second {
                let proof = ConsistencyProof::make(leaves.as_slice(), first, second).unwrap();
                assert_eq!(
                    ConsistencyProof::make(&tree, first, second).as_ref(),
                    Ok(&proof)
                );
                for path in mutations(&proof.path) {
                    let mutated = ConsistencyProof { path, ..proof };
                    let (old, new) = (&roots[first as usize], &roots[second as usize]);
                    assert!(mutated.verify(old, new).is_err(), "{mutated:?}");
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_proved_is_refused() {
        let leaves = numbered(4);
        let leaves = leaves.as_slice();
        let out = ProofError::OutOfRange { index: 4, size: 4 };
        assert_eq!(InclusionProof::make(leaves, 4, 4), Err(out));
        assert_eq!(
            InclusionProof::make(leaves, 1, 5),
            Err(ProofError::LeafMissing(4))
        );
        let shrinking = ProofError::Shrinking {
            first: 4,
            second: 3,
        };
        assert_eq!(ConsistencyProof::make(leaves, 4, 3), Err(shrinking));
        assert_eq!(
            ConsistencyProof::make(leaves, 2, 6),
            Err(ProofError::LeafMissing(4))
        );
        let claim = InclusionProof {
            index: u64::MAX,
            size: u64::MAX,
            path: Vec::new(),
        };
        assert!(claim.verify(&leaves[0], &leaves[0]).is_err());
        let claim = ConsistencyProof {
            first: 0,
            second: 4,
            path: Vec::new(),
        };
        assert_eq!(claim.verify(&leaves[0], &leaves[1]), Err(ProofError::Root));
    }

    #[test]
    fn claims_about_the_largest_trees_end() {
        let hash = leaf_hash(b"");
        for (low, high) in [(1, u64::MAX), (u64::MAX - 1, u64::MAX), (1 << 63, u64::MAX)] {
            for length in 0..70 {
                let path = vec![hash; length];
                let proof = InclusionProof {
                    index: low,
                    size: high,
                    path: path.clone(),
                };
                assert!(proof.verify(&hash, &hash).is_err());
                let proof = ConsistencyProof {
                    first: low,
                    second: high,
                    path,
                };
                assert!(proof.verify(&hash, &hash).is_err());
            }
        }
    }
}
