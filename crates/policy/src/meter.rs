//! Counts what a decision costs, and stops it at its budget.
//!
//! Steps are counted where work is done: one a part of an expression, one a list element, one for
//! every 64 bytes of text read. The count is a function of the inputs alone.
//!
//! Must not know: what is being done.

use crate::limits;
use crate::ruling::{Budget, Fault};

#[derive(Clone, Debug)]
pub(crate) struct Meter {
    steps: u32,
    budget: Budget,
}

impl Meter {
    pub(crate) const fn new(budget: Budget) -> Self {
        Self { steps: 0, budget }
    }

    pub(crate) const fn steps(&self) -> u32 {
        self.steps
    }

    pub(crate) fn spend(&mut self, steps: usize) -> Result<(), Fault> {
        let steps = u32::try_from(steps).unwrap_or(u32::MAX);
        self.steps = self.steps.saturating_add(steps);
        let steps_max = self.budget.steps_max;
        match self.steps > steps_max {
            true => Err(Fault::BudgetExhausted { steps_max }),
            false => Ok(()),
        }
    }

    pub(crate) fn spend_text(&mut self, bytes: usize) -> Result<(), Fault> {
        self.spend(bytes / limits::BYTES_PER_STEP)
    }
}
