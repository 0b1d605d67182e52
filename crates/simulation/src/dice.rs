//! The one source of chance: everything that is not decided by code is drawn from a seed.
//!
//! Each part of the world has dice of its own, forked from the same seed by a name, so that one
//! more draw in the workload does not reshuffle the schedule. The generator is SplitMix64, small
//! enough to be read here and the same on every machine.
//!
//! Must not know: what is decided by it.

use std::sync::{Mutex, PoisonError};

/// A stream of numbers that follows from a seed.
#[derive(Debug)]
pub(crate) struct Dice(Mutex<u64>);

impl Dice {
    /// The stream of this seed.
    pub(crate) const fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }

    /// A stream that follows from the seed and the name alone.
    pub(crate) fn named(seed: u64, name: &str) -> Self {
        let mixed = name
            .bytes()
            .fold(seed ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        let dice = Self::new(mixed);
        dice.next();
        dice
    }

    /// The next number.
    pub(crate) fn next(&self) -> u64 {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = *state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 where `end` is 0.
    pub(crate) fn below(&self, end: u64) -> u64 {
        let drawn = self.next();
        if end == 0 { 0 } else { drawn % end }
    }

    /// A number from `low` to `high`, both possible.
    pub(crate) fn between(&self, low: i64, high: i64) -> i64 {
        let span = u64::try_from(high - low).unwrap_or(0);
        low + i64::try_from(self.below(span + 1)).unwrap_or(0)
    }

    /// True this many times in a thousand.
    pub(crate) fn thousandth(&self, chance: u64) -> bool {
        self.below(1_000) < chance
    }

    /// One of them; none where there is none.
    pub(crate) fn pick<'i, T>(&self, items: &'i [T]) -> Option<&'i T> {
        let place = usize::try_from(self.below(items.len() as u64)).ok()?;
        items.get(place)
    }

    /// The place of one of these weights, each as likely as it is heavy.
    pub(crate) fn weighted(&self, weights: &[u64]) -> usize {
        let mut left = self.below(weights.iter().sum());
        for (place, weight) in weights.iter().enumerate() {
            if left < *weight {
                return place;
            }
            left -= weight;
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::Dice;

    #[test]
    fn the_same_seed_and_name_draw_the_same() {
        let draw = |seed, name| {
            let dice = Dice::named(seed, name);
            (0..50).map(|_| dice.next()).collect::<Vec<_>>()
        };
        assert_eq!(draw(7, "schedule"), draw(7, "schedule"));
        assert_ne!(draw(7, "schedule"), draw(7, "faults"));
        assert_ne!(draw(7, "schedule"), draw(8, "schedule"));
    }

    #[test]
    fn every_face_comes_up_and_none_beside() {
        let dice = Dice::new(1);
        let mut seen = [0; 3];
        for _ in 0..3_000 {
            seen[dice.weighted(&[1, 0, 2])] += 1;
            assert!((-2..=2).contains(&dice.between(-2, 2)));
        }
        assert_eq!(seen[1], 0);
        assert!((800..1_200).contains(&seen[0]), "{seen:?}");
        assert_eq!(dice.below(0), 0);
    }
}
