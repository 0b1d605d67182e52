//! Dice that fall the same for the same seed.
//!
//! Must not know: what is thrown for.

/// SplitMix64: one number a throw, every seed another run.
#[derive(Clone, Debug)]
pub(super) struct Dice {
    state: u64,
}

impl Dice {
    pub(super) const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % (bound.max(1) as u64)).unwrap_or_default()
    }

    /// Whether it falls so, `times` in a hundred.
    pub(super) fn falls(&mut self, times: usize) -> bool {
        self.below(100) < times
    }

    pub(super) fn one<T: Clone + Default>(&mut self, of: &[T]) -> T {
        of.get(self.below(of.len())).cloned().unwrap_or_default()
    }

    pub(super) fn word(&mut self, of: &[&str]) -> String {
        self.one(of).to_owned()
    }
}
