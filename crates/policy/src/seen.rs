//! `source(args.to)`: where a value was seen before in this session.
//!
//! `source(args.iban) contains external` holds where the account number stood in something that
//! outsiders can write. Over a list or an object it is the union over everything in it.
//!
//! Must not know: how values are remembered.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::Value;
use toolgate_model::Origin;

use crate::call::Call;
use crate::history::History;
use crate::limits;
use crate::ruling::Fault;
use crate::term::Term;
use crate::value::{Datum, Got};

/// Steps of one value. LIMIT: a thousand values a decision; each is looked for in all that was read.
const STEPS: usize = 1_000;

/// The question of one value.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// The argument, mapped name or element that is asked about.
    pub(crate) of: Term,
}

impl Seen {
    /// The set of origins.
    ///
    /// # Errors
    /// The budget.
    pub(crate) fn value<'c, 't: 'c>(&'t self, call: &mut Call<'_, 'c>) -> Result<Got<'c>, Fault> {
        let parts = match self.of.parts(call) {
            Ok(parts) => parts,
            Err(nothing) => return Ok(nothing),
        };
        let Some(leaves) = leaves(&parts) else {
            return Ok(Got::Unknown);
        };
        call.meter.spend(leaves.len().saturating_mul(STEPS))?;
        let history = call.facts.and_then(|facts| facts.history);
        let origins = history.and_then(|history| union(history, &leaves));
        Ok(origins.map_or(Got::Unknown, |origins| {
            Got::Value(Datum::words(origins.iter().map(|origin| origin.as_str())))
        }))
    }
}

/// Everything in the values that is no list and no object; none where it is too much.
fn leaves<'v>(values: &'v [Cow<'_, Value>]) -> Option<Vec<&'v Value>> {
    let mut leaves = Vec::new();
    let mut rest: Vec<&Value> = values.iter().map(AsRef::as_ref).collect();
    while let Some(value) = rest.pop() {
        match value {
            Value::Array(items) => rest.extend(items),
            Value::Object(members) => rest.extend(members.values()),
            Value::Null => {}
            Value::Bool(_) | Value::Number(_) | Value::String(_) => leaves.push(value),
        }
        if leaves.len() + rest.len() > limits::SOURCES_MAX {
            return None;
        }
    }
    Some(leaves)
}

fn union(history: &dyn History, leaves: &[&Value]) -> Option<BTreeSet<Origin>> {
    let mut origins = BTreeSet::new();
    for leaf in leaves {
        origins.extend(history.origins(leaf)?);
    }
    Some(origins)
}
