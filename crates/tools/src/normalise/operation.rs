//! What a service's reader made of a request, and the descriptor that follows from it.
//!
//! `create_refund` of `stripe`, with the parameters that such a call has, becomes the tool
//! `stripe.create_refund`: rated by the same words as any other tool ([`crate::risk`]), never below
//! what its own line of the table says.
//!
//! Must not know: which services there are, how a request is written.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use toolgate_model::{
    Authors, Checks, Descriptor, Duration, Effect, Lifecycle, Risk, RiskScore, ToolId, Verb,
};

use super::refusal::Refusal;
use super::table::Row;
use crate::risk::{band, rate};

/// An operation of a service.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    pub(super) name: String,
    pub(super) category: Option<String>,
    /// What it does; by method and name where none is given.
    pub(super) verb: Option<Verb>,
    /// How much harm it can do; likewise.
    pub(super) risk: Option<Risk>,
    /// Names of its parameters; none where nobody has listed them.
    pub(super) parameters: Option<Vec<String>>,
    /// Where it is found, for people.
    pub(super) template: String,
}

/// A request that was understood.
#[derive(Clone, Debug)]
pub(super) struct Understood {
    pub(super) operation: Operation,
    pub(super) arguments: Map<String, Value>,
    pub(super) places: Places,
}

/// The well-known attributes of a request, by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Places(pub(super) Map<String, Value>);

impl Operation {
    /// The operation that a line of a table writes.
    pub(super) fn of(row: &Row) -> Self {
        let listed = row.parameters.as_ref();
        Self {
            name: row.name.to_owned(),
            category: (row.category != "-").then(|| row.category.to_owned()),
            verb: row.verb,
            risk: row.risk,
            parameters: listed.map(|names| names.iter().map(|name| (*name).to_owned()).collect()),
            template: row.path.to_owned(),
        }
    }

    /// An operation that no table lists.
    pub(super) fn named(name: impl Into<String>, category: &str) -> Self {
        Self {
            name: name.into(),
            category: Some(category.to_owned()),
            verb: None,
            risk: None,
            parameters: None,
            template: String::new(),
        }
    }

    /// The same with this verb and risk.
    #[must_use]
    pub(super) fn rated(self, verb: Verb, risk: Risk) -> Self {
        Self {
            verb: Some(verb),
            risk: Some(risk),
            ..self
        }
    }

    /// Its descriptor as a tool of `service`. What the request itself carries is always among the
    /// parameters.
    ///
    /// # Errors
    /// A [`Refusal`] where its name makes no tool.
    pub(super) fn descriptor(
        self,
        service: &str,
        method: &str,
        arguments: &Map<String, Value>,
    ) -> Result<Descriptor, Refusal> {
        let full = format!("{service}.{}", self.name);
        let id: ToolId = full
            .parse()
            .map_err(|_| Refusal::at("url", "names an operation that is no name"))?;
        let Rated {
            verb,
            score,
            reason,
        } = self.rated_as(method);
        let risk = self.risk.unwrap_or(band(score.hundredths()));
        let schema = self.parameters.as_ref().map(|names| {
            json!({"type": "object", "properties": properties(names.iter().chain(arguments.keys()))})
        });
        Ok(Descriptor {
            version: "1.0.0".to_owned(),
            wire_name: full.replace('.', "__"),
            definition: json!({"name": self.name, "path": self.template}),
            input_schema: schema.unwrap_or_default(),
            category: self.category,
            method: Some(method.to_owned()),
            verb,
            risk,
            risk_score: score,
            risk_reason: reason,
            resource: None,
            effect: match verb {
                Verb::Read => Effect::None,
                Verb::Write | Verb::Delete | Verb::Admin => Effect::Some,
            },
            timeout: TIMEOUT,
            lifecycle: Lifecycle::Active,
            attributes: BTreeMap::new(),
            checks: Checks::default(),
            authors: Authors::Anyone,
            id,
            action: None,
            route: None,
            posture: None,
            runner: toolgate_model::Runner::Gate,
        })
    }
}

/// What an operation does and how much harm it can do.
struct Rated {
    verb: Verb,
    score: RiskScore,
    reason: String,
}

impl Operation {
    /// By its table, else by method and name. What the service itself documents as a look is never
    /// more than `high`, whatever it looks at.
    fn rated_as(&self, method: &str) -> Rated {
        let reads = self.verb.map_or(is_read(method), |verb| verb == Verb::Read);
        let named = self.parameters.as_deref().unwrap_or_default();
        let rating = rate(&json!({
            "name": self.name,
            "annotations": {"readOnlyHint": reads, "destructiveHint": method == "DELETE"},
            "inputSchema": {"properties": properties(named.iter())},
        }));
        let verb = self.verb.unwrap_or(match (reads, method) {
            (true, _) => Verb::Read,
            (false, "DELETE") if rating.verb != Verb::Admin => Verb::Delete,
            (false, _) => rating.verb,
        });
        let most = if reads { Risk::High } else { Risk::Critical };
        let (score, reason) = match self.risk {
            Some(risk) => (RiskScore::of_band(risk), "as its table says".to_owned()),
            None if most < rating.risk() => (RiskScore::of_band(most), rating.reason),
            None => (rating.score, rating.reason),
        };
        Rated {
            verb,
            score,
            reason,
        }
    }
}

/// How long one attempt may take, as for any tool that says nothing of it.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Whether a method only looks.
pub(super) fn is_read(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS")
}

fn properties<'n>(names: impl Iterator<Item = &'n String>) -> Map<String, Value> {
    let names: BTreeSet<&String> = names.collect();
    names
        .into_iter()
        .map(|name| (name.clone(), json!({})))
        .collect()
}

impl Places {
    /// Says what a place is.
    pub(super) fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }

    /// Says that there is such a place and nobody can tell which.
    pub(super) fn open(&mut self, name: &str) {
        self.set(name, Value::Null);
    }

    /// The place is what one of these arguments says; open where none does, or none as a text.
    pub(super) fn from(&mut self, name: &str, arguments: &Map<String, Value>, keys: &[&str]) {
        let found = keys.iter().find_map(|key| arguments.get(*key));
        match found {
            Some(text @ (Value::String(_) | Value::Array(_))) => self.set(name, text.clone()),
            Some(Value::Number(number)) => self.set(name, number.to_string()),
            Some(Value::Null | Value::Bool(_) | Value::Object(_)) | None => self.open(name),
        }
    }

    /// The place is any of these; none where there are none.
    pub(super) fn any(&mut self, name: &str, mut texts: Vec<String>) {
        texts.dedup();
        match texts.as_slice() {
            [] => {}
            [only] => self.set(name, only.as_str()),
            _ => self.set(name, texts),
        }
    }
}
