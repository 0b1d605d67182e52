//! The seeded simulator: the real driver in a world where everything goes wrong.
//!
//! One thread, virtual time, one `u64`: the seed decides who calls what, which answers are lost,
//! when a process dies, who approves, and in which order tasks are polled. The same seed is the
//! same run, to the last byte of its trace. [`simulate`] runs one seed and says what the judge saw;
//! `cargo xtask sim --seeds 1000` runs many.
//!
//! Must not know: anything that the product could be told by it. The binary never links this.

mod bug;
mod dice;
mod executor;
mod faults;
mod time;
mod trace;

mod cast;
mod desk;
mod judge;
mod store;

mod director;
mod hosts;
mod people;
mod world;

mod run;

pub use bug::Bug;
pub use judge::Violation;
pub use run::{Run, simulate, simulate_with};
pub use trace::Keep;
