//! Randomness of the operating system: the one place that asks for it.
//!
//! Must not know: what the bytes become.

use toolgate_gate::port::{Entropy, Unavailable};

/// The operating system's generator.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), Unavailable> {
        getrandom::fill(buffer).map_err(|error| Unavailable {
            part: "entropy",
            detail: error.to_string(),
        })
    }
}
