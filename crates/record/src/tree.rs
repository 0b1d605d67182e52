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
