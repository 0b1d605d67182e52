//! The state machine of one invocation, without I/O.
//!
//! One call's life is a value, [`Invocation`], and [`Invocation::step`] is the only way it
//! changes: (state, input, now) in, (next state, events, outputs) out. The driver stores the next
//! state and the events in one transaction and performs the outputs only afterwards, so a crash
//! anywhere leaves something that can be picked up (3-execution, 1 and 5).
//!
//! One transition verb a file. Each is an exhaustive match over the states, so a new state does
//! not compile until every verb has said what it does with it.
//!
//! Must not know: rules, stores, transports, clocks, randomness. Time and lengths are handed in.

mod input;
mod invariant;
mod refusal;
mod search;
mod state;
mod transition;

mod admit;
mod deny;
mod escalate;
mod expire;
mod freeze;
mod lose;
mod probe;
mod reconcile;
mod remind;
mod report;
mod resolve;
mod retry;
mod settle;
mod thaw;
mod vote;
mod withdraw;

pub use input::{
    Answer, Choice, Finding, Input, Loss, LossCause, Report, Resolution, Resolved, Retry, Thaw,
    Told, Vote, Voter,
};
pub use invariant::Broken;
pub use refusal::Refusal;
pub use search::{EFFECT_ATTEMPTS_MAX, NO_PROBE, Plan, RetryGround, Sighting};
pub use state::{
    Attempt, Drift, Escalation, Failure, Frozen, Grounds, Inspection, Invocation, Proposal,
    Reported, Sendable, Settlement, State, Status,
};
pub use transition::{Event, Output, Transition};

use toolgate_model::Timestamp;

/// Attempts that a tool without effects gets when its answers are lost.
// LIMIT: three, so that a flapping upstream costs a caller at most three timeouts.
pub const READ_ATTEMPTS_MAX: u32 = 3;

/// How often drift may send an approved call back to its approvers (3-execution, 3).
pub const REQUEUES_MAX: u32 = 3;

impl Invocation {
    /// Applies one input.
    ///
    /// # Errors
    /// [`Refusal`] where the input does not fit the state; the invocation is unchanged.
    pub fn step(&self, now: Timestamp, input: Input) -> Result<Transition, Refusal> {
        match input {
            Input::Deny(denial) => deny::step(self, now, denial),
            Input::Admit { lease_until } => admit::step(self, now, lease_until),
            Input::Freeze(frozen) => freeze::step(self, now, *frozen),
            Input::Vote(vote) => vote::step(self, now, vote),
            Input::Thaw(thaw) => thaw::step(self, now, thaw),
            Input::Withdraw { by } => withdraw::step(self, now, &by),
            Input::Expire => expire::step(self, now),
            Input::Answer { attempt, answer } => settle::step(self, now, attempt, answer),
            Input::Report(report) => report::step(self, now, report),
            Input::Lose(loss) => lose::step(self, now, loss),
            Input::Reconcile => reconcile::step(self, now),
            Input::Probe(finding) => probe::step(self, now, finding),
            Input::Retry(retry) => retry::step(self, now, retry),
            Input::Remind => remind::step(self, now),
            Input::Escalate { ground } => escalate::step(self, now, &ground),
            Input::Resolve(resolution) => resolve::step(self, now, resolution),
        }
    }
}
