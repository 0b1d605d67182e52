//! What a rule asks of the gate beside the call itself: earlier calls, sums to keep, how far back.
//!
//! `sum(args.amount, agent, 24h) > 5000` needs a history, which has to know what `args.amount` was in
//! each call, and reaches a day back. Collected while a rule is checked.
//!
//! Must not know: who answers.

use toolgate_model::Duration;

use crate::term::Term;

/// What one rule needs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Needs {
    /// Whether it asks about earlier calls.
    pub(crate) history: bool,
    /// The longest window that it asks about.
    pub(crate) window_max: Duration,
    /// What has to be summed.
    pub(crate) measures: Vec<Measure>,
    /// Whether it reads what the definitions of tools carry.
    pub(crate) tool_signals: bool,
    /// Whether it reads what the detector finds in the arguments or the result.
    pub(crate) data: bool,
}

/// A number of each call that is summed over calls.
#[derive(Clone, Debug)]
pub(crate) struct Measure {
    /// `args.amount`, or a mapped attribute such as `amount`.
    pub(crate) name: String,
    /// How it is read from a call.
    pub(crate) term: Term,
}

impl Needs {
    /// Notes a window over earlier calls.
    pub(crate) fn reach_back(&mut self, span: Duration) {
        self.history = true;
        self.window_max = self.window_max.max(span);
    }

    /// Notes a sum.
    pub(crate) fn measure(&mut self, measure: &Measure) {
        if !self.measures.iter().any(|known| known.name == measure.name) {
            self.measures.push(measure.clone());
        }
    }

    /// What either needs.
    pub(crate) fn join(&mut self, other: &Self) {
        self.history |= other.history;
        self.tool_signals |= other.tool_signals;
        self.data |= other.data;
        self.window_max = self.window_max.max(other.window_max);
        for measure in &other.measures {
            self.measure(measure);
        }
    }
}
