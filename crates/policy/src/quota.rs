//! Limits: how many calls, or how large a sum, may match a rule in a window.
//!
//! `{"effect": "limit", "limit": 20, "per": "tool/1h"}` lets twenty calls of a tool through in an hour and
//! denies the twenty-first; `{"sum": "amount", "max": 5000}` lets amounts through up to 5000 together.
//! Counted are the calls that this very rule matched. What nobody can count is used up.
//!
//! Must not know: precedence, how calls are remembered.

use rust_decimal::Decimal;
use toolgate_model::{Duration, RuleRef};

use crate::call::Call;
use crate::counted::{STEPS, outside, word};
use crate::history::{History, Scope, Window};
use crate::needs::Measure;
use crate::number;
use crate::ruling::Fault;
use crate::value::{Datum, Got};

/// What a `limit` rule allows.
#[derive(Clone, Debug)]
pub(crate) struct Quota {
    pub(crate) max: Max,
    pub(crate) scope: Scope,
    pub(crate) span: Duration,
}

#[derive(Clone, Debug)]
pub(crate) enum Max {
    /// So many calls.
    Calls(u32),
    /// So much of this number of theirs.
    Sum(Measure, Decimal),
}

/// Where a call stands with a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Whether the call is one too many, or nobody can say that it is not.
    pub(crate) is_exceeded: bool,
    /// What was used before it; none where nobody can say, or nothing is counted.
    pub(crate) used: Option<Decimal>,
}

impl Quota {
    /// Where this call stands, which `rule` matched.
    ///
    /// # Errors
    /// The budget.
    pub(crate) fn standing<'c, 's: 'c>(
        &'s self,
        rule: &RuleRef,
        call: &mut Call<'_, 'c>,
    ) -> Result<Standing, Fault> {
        call.meter.spend(STEPS)?;
        let unknown = Standing {
            is_exceeded: true,
            used: None,
        };
        match outside(self.scope, call) {
            // A tool without resources has none that could be touched too often.
            Some(Got::Impossible) => return Ok(Standing::free()),
            Some(_) => return Ok(unknown),
            None => {}
        }
        let history = call.facts.and_then(|facts| facts.history);
        let Some(history) = history else {
            return Ok(unknown);
        };
        let window = Window {
            scope: self.scope,
            span: self.span,
            tools: None,
            rule: Some((&rule.policy, &rule.rule)),
        };
        let standing = match &self.max {
            Max::Calls(max) => counted(*max, history, &window),
            Max::Sum(measure, max) => match added(measure, call)? {
                Added::Nothing => return Ok(Standing::free()),
                Added::Unknown => None,
                Added::Number(own) => summed((&measure.name, own, *max), history, &window),
            },
        };
        Ok(standing.unwrap_or(unknown))
    }

    /// How it is shown: `20 per agent/1h`.
    pub(crate) fn show(&self) -> String {
        let (scope, span) = (word(self.scope), self.span);
        match &self.max {
            Max::Calls(max) => format!("{max} calls per {scope}/{span}"),
            Max::Sum(measure, max) => format!("{max} of {} per {scope}/{span}", measure.name),
        }
    }
}

impl Standing {
    const fn free() -> Self {
        Self {
            is_exceeded: false,
            used: None,
        }
    }
}

/// What one call adds to a sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Added {
    /// The tool has no such number.
    Nothing,
    Number(Decimal),
    Unknown,
}

/// What this call adds. A number below zero adds nothing: nobody buys room for a large payment with
/// a negative one.
pub(crate) fn added<'c, 's: 'c>(
    measure: &'s Measure,
    call: &mut Call<'_, 'c>,
) -> Result<Added, Fault> {
    Ok(match measure.term.value(call)? {
        Got::Value(Datum::Number(own)) => Added::Number(own.max(Decimal::ZERO)),
        Got::Impossible => Added::Nothing,
        Got::Value(_) | Got::Missing | Got::Unknown => Added::Unknown,
    })
}

fn counted(max: u32, history: &dyn History, window: &Window<'_>) -> Option<Standing> {
    let used = history.rate(window)?;
    Some(Standing {
        is_exceeded: used >= u64::from(max),
        used: Some(used.into()),
    })
}

fn summed(
    (subject, own, max): (&str, Decimal, Decimal),
    history: &dyn History,
    window: &Window<'_>,
) -> Option<Standing> {
    let used = history.sum(subject, window)?;
    Some(Standing {
        is_exceeded: number::add(used, own)? > max,
        used: Some(used),
    })
}
