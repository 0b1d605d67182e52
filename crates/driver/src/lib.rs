//! The loop that moves invocations: load, step, commit, perform.
//!
//! A [`Driver`] joins the pure gate and the pure machine with a world that is handed in through
//! ports. Every change goes the same way: the machine says what the next state is, one commit
//! makes it durable together with its records, and only then is anything done about it. What a
//! crash leaves half done is picked up by [`Driver::recover`].
//!
//! Must not know: which store, which tools, which face. It spawns nothing itself and has no clock
//! of its own.

mod activation;
mod agents;
mod backtest;
mod difference;
mod driver;
mod entries;
mod history;
mod hosted;
mod incidents;
mod integrity;
mod listing;
mod look;
mod operators;
mod outcome;
mod people;
mod policies;
mod proposal;
mod reconcile;
mod recover;
mod registry;
mod rejudge;
mod replay;
mod run;
mod settle;
mod stand_in;
mod submit;
mod vote;
mod wait;

pub use activation::{failing_tests, unknown_channels};
pub use agents::{AgentSpec, Issued, KeySpec};
pub use backtest::Period;
pub use difference::Difference;
pub use driver::{Driver, OpenError, Ports};
pub use hosted::{Report, Said};
pub use integrity::{
    Pinned, Present, Review, ReviewState, SeenAt, SignalFound, Verdict, review_state,
};
pub use operators::{OperatorChange, OperatorSpec};
pub use outcome::{Failed, Lease, Outcome};
pub use people::require;
pub use policies::{Activated, Activation, PolicyError, Published};
pub use recover::Recovered;
pub use registry::Registration;
pub use run::Watch;
pub use settle::Landed;
