//! What can go wrong, how often in this world, and how often it did.
//!
//! Each seed draws its own rates: one world has a store that refuses every tenth write and nothing
//! else, another loses answers only, a third has a little of all. Worlds that differ find more
//! than worlds that are all equally bad.
//!
//! Must not know: what follows from a fault.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::dice::Dice;

macro_rules! faults {
    ($($name:ident = $word:literal / $most:literal: $doc:literal),+ $(,)?) => {
        /// One kind of fault.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Fault { $(#[doc = $doc] $name),+ }

        impl Fault {
            /// Every fault, with its name and how often in a thousand it may strike at most.
            const ALL: &'static [(Self, &'static str, u64)] = &[$((Self::$name, $word, $most)),+];
        }
    };
}

faults! {
    StoreRefused = "store refused a write" / 60: "A commit is refused and was not made.",
    StoreDenied = "store made a write and denied it" / 40: "A commit is made and answered as failed.",
    StoreUnread = "store refused a read" / 30: "A read is refused.",
    StoreSlow = "store was slow" / 100: "An operation takes seconds.",
    CrashBefore = "process died before a write" / 25: "The process dies as it commits.",
    CrashAfter = "process died after a write" / 25: "The process dies once it has committed.",
    EntropyOut = "no entropy" / 5: "The system gives no random bytes.",
    LostBefore = "answer lost, nothing landed" / 250: "The request never arrives.",
    LostAfter = "answer lost after landing" / 250: "The effect is there, the answer is not.",
    LandedLate = "effect landed after the loss was seen" / 250: "The caller saw the loss first.",
    Ambiguous = "ambiguous error" / 150: "An answer that proves neither.",
    Refused = "refused before the first byte" / 100: "Nothing was sent.",
    Failed = "definite error" / 100: "The tool says that it failed, and did.",
    Hung = "no answer at all" / 100: "The lost answer is not even a broken connection.",
    Slow = "slow answer" / 150: "The answer takes about as long as may be waited for.",
    Queued = "request waited before it was sent" / 120: "The first byte leaves late, or not at all.",
    LookFailed = "look failed" / 300: "A look is refused.",
    LookLost = "look lost its answer" / 200: "A look hears nothing.",
    HostDied = "host died" / 200: "A host falls silent for good.",
    HostLate = "host reported late" / 250: "A host is slow to say what came of it.",
}

/// The rates of one world.
pub(crate) struct Faults {
    dice: Dice,
    on: AtomicBool,
    rates: BTreeMap<Fault, u64>,
    struck: Mutex<BTreeMap<&'static str, u64>>,
}

impl Faults {
    /// The rates that this seed draws: about half of all kinds, each from rare to its most.
    pub(crate) fn drawn(seed: u64) -> Self {
        let (rates, dice) = (Dice::named(seed, "rates"), Dice::named(seed, "faults"));
        let rate = |most: u64| {
            if rates.below(2) == 0 {
                0
            } else {
                1 + rates.below(most)
            }
        };
        Self {
            dice,
            on: AtomicBool::new(false),
            rates: Fault::ALL
                .iter()
                .map(|(fault, _, most)| (*fault, rate(*most)))
                .collect(),
            struck: Mutex::default(),
        }
    }

    /// From now on faults strike, or none does.
    pub(crate) fn set(&self, on: bool) {
        self.on.store(on, Ordering::SeqCst);
    }

    /// Whether faults strike at all.
    pub(crate) fn are_on(&self) -> bool {
        self.on.load(Ordering::SeqCst)
    }

    /// Whether this one strikes here and now.
    pub(crate) fn strikes(&self, fault: Fault) -> bool {
        let rate = self.rates.get(&fault).copied().unwrap_or_default();
        let struck = self.are_on() && self.dice.thousandth(rate);
        if struck {
            let name = Fault::ALL.iter().find(|(known, ..)| *known == fault);
            self.count(name.map_or("", |(_, name, _)| name));
        }
        struck
    }

    /// The dice that say how a fault turns out.
    pub(crate) const fn dice(&self) -> &Dice {
        &self.dice
    }

    /// Counts one fault that was brought about elsewhere.
    pub(crate) fn count(&self, name: &'static str) {
        let mut struck = self.struck.lock().unwrap_or_else(PoisonError::into_inner);
        *struck.entry(name).or_default() += 1;
    }

    /// How often each struck.
    pub(crate) fn tally(&self) -> BTreeMap<&'static str, u64> {
        self.struck
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
