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
