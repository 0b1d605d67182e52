//! What happened, as lines: hashed always, kept only where somebody wants to read them.
//!
//! Two runs of one seed must give the same hash; where they do not, something outside the seed
//! decides, and the simulator is worth nothing until that is found.
//!
//! Must not know: what the lines mean.

use std::fmt::{self, Write as _};
use std::sync::{Mutex, PoisonError};

/// The lines of one run.
pub(crate) struct Trace(Mutex<Inner>);

struct Inner {
    hash: u64,
    lines: Option<Vec<String>>,
}

struct Hashing<'h>(&'h mut u64);

impl fmt::Write for Hashing<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            *self.0 = (*self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Ok(())
    }
}

/// Whether lines are kept or only hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Only the hash.
    Hash,
    /// Every line.
    Lines,
}

impl Trace {
    pub(crate) fn new(keep: Keep) -> Self {
        Self(Mutex::new(Inner {
            hash: 0xcbf2_9ce4_8422_2325,
            lines: (keep == Keep::Lines).then(Vec::new),
        }))
    }

    /// One line, at so many milliseconds.
    pub(crate) fn note(&self, at: i64, line: fmt::Arguments<'_>) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Writing to a hash never fails.
        let _written = writeln!(Hashing(&mut inner.hash), "{at} {line}");
        if let Some(lines) = &mut inner.lines {
            lines.push(format!("{:>9.3} s  {line}", at as f64 / 1_000.0));
        }
    }

    /// A step of a task: hashed, and shown in no trace.
    pub(crate) fn step(&self, numbers: [u64; 3]) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for number in numbers {
            inner.hash = (inner.hash ^ number).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// The hash so far.
    pub(crate) fn hash(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).hash
    }

    /// The lines that were kept.
    pub(crate) fn take_lines(&self) -> Vec<String> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.lines.take().unwrap_or_default()
    }
}
