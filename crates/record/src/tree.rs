//! The Merkle tree over all records: RFC 6962 hashing, append-only.
//!
//! A [`Frontier`] is all that appending needs: one hash for each full subtree, at most 64 of them.
//! Appending leaf 7 to a tree of seven merges its subtrees of 1, 2 and 4 into one of 8. A [`Tree`]
//! keeps every full subtree in memory, where many proofs are wanted from one log.
//!
//! Must not know: what a leaf stands for, or where hashes are kept ([`Leaves`] hands them in).

use std::ops::Range;

use toolgate_model::Digest;

/// The hash of a leaf with these bytes.
pub fn leaf_hash(bytes: &[u8]) -> Digest {
    Digest::of_parts(&[&[0], bytes])
}

/// The hash of the node over these two.
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    Digest::of_parts(&[&[1], left.as_bytes(), right.as_bytes()])
}

/// The root of a tree without leaves: the SHA-256 of nothing.
pub fn empty_root() -> Digest {
    Digest::of(b"")
}

/// The root over these leaves.
pub fn root_of(leaves: impl IntoIterator<Item = Digest>) -> Digest {
    let mut frontier = Frontier::default();
    leaves.into_iter().for_each(|leaf| frontier.append(leaf));
    frontier.root()
}

/// The right edge of a tree: the roots of its full subtrees, largest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    // INVARIANT: one node for each one-bit of `size`; checked where a frontier is read back.
    nodes: Vec<Digest>,
}

/// The bytes are not a frontier.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "{0} bytes are not a frontier: version byte 1, eight bytes of size, and 32 bytes for each one-bit of it"
)]
pub struct FrontierError(usize);

/// Version of the stored form of a frontier.
const FRONTIER_VERSION: u8 = 1;

impl Frontier {
    /// Adds one leaf.
    pub fn append(&mut self, leaf: Digest) {
        // Each trailing one-bit of the size is a full subtree that the new leaf completes.
        let merges = self.size.trailing_ones();
        let node = (0..merges).fold(leaf, |right, _| match self.nodes.pop() {
            Some(left) => node_hash(&left, &right),
            None => right,
        });
        self.nodes.push(node);
        self.size += 1;
    }

    /// The root of the tree as it stands.
    pub fn root(&self) -> Digest {
        let mut nodes = self.nodes.iter().rev().copied();
        let Some(smallest) = nodes.next() else {
            return empty_root();
        };
        nodes.fold(smallest, |right, left| node_hash(&left, &right))
    }

    /// How many leaves there are.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The stored form.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![FRONTIER_VERSION];
        bytes.extend(self.size.to_be_bytes());
        bytes.extend(self.nodes.iter().flat_map(|node| *node.as_bytes()));
        bytes
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`FrontierError`] where the bytes are of another version or do not fit their own size.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FrontierError> {
        let bad = || FrontierError(bytes.len());
        let (head, tail) = bytes.split_first_chunk::<9>().ok_or_else(bad)?;
        let (version, size) = head.split_first_chunk::<1>().ok_or_else(bad)?;
        let size = u64::from_be_bytes(size.try_into().map_err(|_| bad())?);
        let (nodes, rest) = tail.as_chunks::<32>();
        let fits = u32::try_from(nodes.len()) == Ok(size.count_ones());
        if *version != [FRONTIER_VERSION] || !rest.is_empty() || !fits {
            return Err(bad());
        }
        let nodes = nodes.iter().copied().map(Digest::from_bytes).collect();
        Ok(Self { size, nodes })
    }
}

/// Where the leaves of a tree come from when a proof is made.
pub trait Leaves {
    /// The hash of the leaf at `index`.
    fn leaf(&self, index: u64) -> Option<Digest>;

    /// The root of the full subtree over the leaves from `place << level` on, `1 << level` of
    /// them, where it is at hand. Without it the leaves themselves are hashed.
    fn subtree(&self, _level: u32, _place: u64) -> Option<Digest> {
        None
    }
}

impl Leaves for [Digest] {
    fn leaf(&self, index: u64) -> Option<Digest> {
        self.get(usize::try_from(index).ok()?).copied()
    }
}

/// A tree with all its full subtrees in memory: 64 bytes a leaf, and proofs in microseconds.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    levels: Vec<Vec<Digest>>,
}

impl Tree {
    /// Adds one leaf.
    pub fn append(&mut self, leaf: Digest) {
        let mut node = leaf;
        let mut level = 0;
        loop {
            let Some(nodes) = self.levels.get_mut(level) else {
                self.levels.push(vec![node]);
                return;
            };
            nodes.push(node);
            // An even number of nodes is a full pair at the end, which makes one node above.
            match nodes.as_chunks::<2>() {
                (pairs, []) if let Some([left, right]) = pairs.last() => {
                    node = node_hash(left, right);
                }
                _ => return,
            }
            level += 1;
        }
    }

    /// How many leaves there are.
    pub fn size(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| leaves.len() as u64)
    }
}

impl Leaves for Tree {
    fn leaf(&self, index: u64) -> Option<Digest> {
        self.subtree(0, index)
    }

    fn subtree(&self, level: u32, place: u64) -> Option<Digest> {
        let nodes = self.levels.get(usize::try_from(level).ok()?)?;
        nodes.get(usize::try_from(place).ok()?).copied()
    }
}

impl FromIterator<Digest> for Tree {
    fn from_iter<I: IntoIterator<Item = Digest>>(leaves: I) -> Self {
        let mut tree = Self::default();
        leaves.into_iter().for_each(|leaf| tree.append(leaf));
        tree
    }
}

/// The hash of a run of leaves as RFC 9162, 2.1.1 defines it, or the index of a leaf that is not
/// there. The run starts at a multiple of the largest power of two below its length, as all runs
/// do that proofs are made of.
pub(crate) fn subtree_hash<L: Leaves + ?Sized>(leaves: &L, run: Range<u64>) -> Result<Digest, u64> {
    let length = run.end - run.start;
    match length {
        0 => return Ok(empty_root()),
        1 => return leaves.leaf(run.start).ok_or(run.start),
        _ => {}
    }
    if length.is_power_of_two() {
        let level = length.trailing_zeros();
        if let Some(known) = leaves.subtree(level, run.start >> level) {
            return Ok(known);
        }
    }
    let middle = run.start + split(length);
    let left = subtree_hash(leaves, run.start..middle)?;
    let right = subtree_hash(leaves, middle..run.end)?;
    Ok(node_hash(&left, &right))
}

/// The largest power of two below `length`, which is at least two.
pub(crate) const fn split(length: u64) -> u64 {
    1 << (63 - (length - 1).leading_zeros())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use toolgate_model::Digest;

    use super::{Frontier, Tree, empty_root, leaf_hash, node_hash, root_of, subtree_hash};

    /// The leaves that the tests of Certificate Transparency use.
    const CT_LEAVES: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];

    /// The published roots of the trees of the first 0 to 8 of them.
    const CT_ROOTS: [&str; 9] = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    fn numbered(size: u64) -> Vec<Digest> {
        (0..size)
            .map(|index| leaf_hash(&index.to_be_bytes()))
            .collect()
    }

    /// MTH of RFC 9162, 2.1.1, as it stands there.
    fn defined(leaves: &[Digest]) -> Digest {
        match leaves {
            [] => empty_root(),
            [leaf] => *leaf,
            _ => {
                let mut k = 1;
                while 2 * k < leaves.len() {
                    k *= 2;
                }
                node_hash(&defined(&leaves[..k]), &defined(&leaves[k..]))
            }
        }
    }

    #[test]
    fn the_published_roots_come_out() {
        for (size, root) in CT_ROOTS.into_iter().enumerate() {
            let leaves = CT_LEAVES[..size].iter().map(|leaf| leaf_hash(leaf));
            assert_eq!(root_of(leaves).hex(), root, "size {size}");
        }
    }

    #[test]
    fn every_way_to_a_root_is_the_defined_one() {
        let leaves = numbered(130);
        let (mut frontier, mut tree) = (Frontier::default(), Tree::default());
        for size in 0..=leaves.len() {
            let root = defined(&leaves[..size]);
            assert_eq!(frontier.root(), root, "frontier of {size}");
            let run = 0..size as u64;
            assert_eq!(subtree_hash(&tree, run.clone()), Ok(root), "tree of {size}");
            assert_eq!(
                subtree_hash(leaves.as_slice(), run),
                Ok(root),
                "leaves of {size}"
            );
            assert_eq!((frontier.size(), tree.size()), (size as u64, size as u64));
            if let Some(leaf) = leaves.get(size) {
                frontier.append(*leaf);
                tree.append(*leaf);
            }
        }
    }

    #[test]
    fn a_missing_leaf_is_named() {
        let leaves = numbered(5);
        assert_eq!(subtree_hash(leaves.as_slice(), 0..8), Err(5));
    }

    #[test]
    fn a_frontier_of_three_has_the_documented_bytes() {
        let leaves = numbered(3);
        let mut frontier = Frontier::default();
        leaves.iter().for_each(|leaf| frontier.append(*leaf));
        let mut bytes = vec![1, 0, 0, 0, 0, 0, 0, 0, 3];
        bytes.extend(node_hash(&leaves[0], &leaves[1]).as_bytes());
        bytes.extend(leaves[2].as_bytes());
        assert_eq!(frontier.to_bytes(), bytes);
        let mut other_version = bytes.clone();
        other_version[0] = 2;
        let mut other_size = bytes.clone();
        other_size[8] = 4;
        for bad in [
            &[][..],
            &bytes[..72],
            &[&bytes[..], &[0]].concat(),
            &other_version,
            &other_size,
        ] {
            assert!(Frontier::from_bytes(bad).is_err(), "{} bytes", bad.len());
        }
    }

    proptest! {
        #[test]
        fn a_frontier_goes_on_where_it_was_stored(size in 0_u64..300, more in 0_u64..40) {
            let leaves = numbered(size + more);
            let mut frontier = Frontier::default();
            let (before, after) = leaves.split_at(usize::try_from(size).unwrap());
            before.iter().for_each(|leaf| frontier.append(*leaf));
            let mut frontier = Frontier::from_bytes(&frontier.to_bytes()).unwrap();
            after.iter().for_each(|leaf| frontier.append(*leaf));
            prop_assert_eq!(frontier.root(), defined(&leaves));
        }
    }
}
