//! Questions about earlier calls: `rate(agent, 1h)`, `sum(amount, tool, 24h)`,
//! `has_read(PII, session, 1h)`.
//!
//! `rate(agent, 1h, "stripe.*") >= 20` asks the history for the agent's calls of stripe's tools in the
//! last hour. The call at hand is never counted. Where nobody can say, the answer is unknown.
//!
//! Must not know: how calls are remembered.

use rust_decimal::Decimal;
use toolgate_model::{DataClass, Duration, Glob};

use crate::call::Call;
use crate::facts::{self, Type};
use crate::history::{History, Scope, Window};
use crate::ruling::Fault;
use crate::value::{Datum, Got};

/// Steps of one question. LIMIT: five thousand questions a decision; each may walk a window of calls.
pub(crate) const STEPS: usize = 200;

/// One question.
#[derive(Clone, Debug)]
pub(crate) struct Counted {
    pub(crate) question: Question,
    pub(crate) scope: Scope,
    pub(crate) span: Duration,
    pub(crate) tools: Option<Glob>,
    /// As it is written, which is what it is called where nobody can answer it.
    pub(crate) text: String,
}

#[derive(Clone, Debug)]
pub(crate) enum Question {
    /// How many calls.
    Rate,
    /// The sum of this in them.
    Sum(String),
    /// Whether data of this class was read in them.
    HasRead(DataClass),
}

/// The words for scopes.
pub(crate) const SCOPES: [(Scope, &str); 6] = [
    (Scope::Agent, "agent"),
    (Scope::Tool, "tool"),
    (Scope::Resource, "resource"),
    (Scope::Tenant, "tenant"),
    (Scope::Session, "session"),
    (Scope::User, "user"),
];

/// The word for a scope.
pub(crate) fn word(scope: Scope) -> &'static str {
    let known = SCOPES.iter().find(|(known, _)| *known == scope);
    known.map_or("", |(_, word)| word)
}

impl Counted {
    pub(crate) fn kind(&self) -> Type {
        match self.question {
            Question::Rate | Question::Sum(_) => Type::Number,
            Question::HasRead(_) => Type::Bool,
        }
    }

    /// The answer for this call.
    ///
    /// # Errors
    /// The budget.
    pub(crate) fn value<'c>(&self, call: &mut Call<'_, 'c>) -> Result<Got<'c>, Fault> {
        call.meter.spend(STEPS)?;
        if let Some(nothing) = outside(self.scope, call) {
            return Ok(nothing);
        }
        let history = call.facts.and_then(|facts| facts.history);
        let datum = history.and_then(|history| self.answer(history));
        Ok(datum.map_or(Got::Unknown, Got::Value))
    }

    fn answer<'c>(&self, history: &dyn History) -> Option<Datum<'c>> {
        let window = Window {
            scope: self.scope,
            span: self.span,
            tools: self.tools.as_ref(),
            rule: None,
        };
        Some(match &self.question {
            Question::Rate => Datum::Number(Decimal::from(history.rate(&window)?)),
            Question::Sum(subject) => Datum::Number(history.sum(subject, &window)?),
            Question::HasRead(class) => Datum::Bool(history.has_read(*class, &window)?),
        })
    }
}

/// What a scope gives that the call is not in: a tool without a resource is in no resource's
/// history; whose user nobody knows could be in anybody's.
pub(crate) fn outside<'c>(scope: Scope, call: &Call<'_, 'c>) -> Option<Got<'c>> {
    let facts = call.facts?;
    match scope {
        Scope::Resource => match facts::resource_name(facts) {
            Got::Value(_) => None,
            Got::Impossible => Some(Got::Impossible),
            Got::Missing | Got::Unknown => Some(Got::Unknown),
        },
        Scope::User if facts.user.is_none() => Some(Got::Unknown),
        Scope::User | Scope::Agent | Scope::Tool | Scope::Tenant | Scope::Session => None,
    }
}
