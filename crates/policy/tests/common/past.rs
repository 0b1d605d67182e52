//! Earlier calls as a case writes them down, and the plainest history that answers about them.
//!
//! `{"tool": "crm.read", "at": "-10m", "read": ["PII"]}` is one. Each is judged in its turn on what came
//! before it, so that it counts for the limits that it matched. One agent is one session.
//!
//! Must not know: how the gate remembers.

use std::collections::BTreeSet;

use rust_decimal::Decimal;
use serde_json::Value;
use toolgate_model::{
    Authors, Catalogue, DataClass, DataClasses, Duration, Origin, RuleRef, Timestamp, ToolId,
};
use toolgate_policy::{Budget, Facts, History, HistoryScope, PolicySet, Session, Window};

use super::Call;

/// One earlier call.
#[derive(Debug)]
struct Past {
    at: Timestamp,
    agent: String,
    user: Option<String>,
    tool: ToolId,
    resource: Option<String>,
    denied: bool,
    read: DataClasses,
    result: Option<Value>,
    trusted: bool,
    limits: Vec<RuleRef>,
    measures: Vec<(String, Decimal)>,
}

/// What one call is told of the earlier ones.
#[derive(Debug)]
pub(crate) struct Memory {
    past: Vec<Past>,
    said: Option<String>,
    session: Session,
    agent: String,
    user: Option<String>,
    tool: ToolId,
    resource: Option<String>,
    now: Timestamp,
}

impl Memory {
    /// The history that a call's `spec` writes down; none where it says nothing of one.
    pub(crate) fn of(
        spec: &Value,
        call: &Call,
        (set, catalogue): (&PolicySet, &Catalogue),
    ) -> Option<Self> {
        let mut memory = Self::empty(spec, call);
        for written in spec.get("history")?.as_array().unwrap() {
            let mut earlier = spec.clone();
            let map = earlier.as_object_mut().unwrap();
            for key in ["result", "approval", "claims", "places", "entity"] {
                map.remove(key);
            }
            for (key, value) in written.as_object().unwrap() {
                let key = if key == "arguments" { "args" } else { key };
                map.insert(key.to_owned(), value.clone());
            }
            map.remove("result");
            let at = instant(written["at"].as_str().unwrap_or("-1s"), call.now);
            map.insert("now".to_owned(), at.to_string().into());
            let past = memory.judged(written, &Call::of(&earlier, catalogue), (set, catalogue));
            memory.past.push(past);
        }
        memory.session = memory.session_of(&call.agent);
        memory.asked_by(call);
        Some(memory)
    }

    fn empty(spec: &Value, call: &Call) -> Self {
        let said = spec.get("user_request").and_then(Value::as_str);
        Self {
            past: Vec::new(),
            said: said.map(str::to_owned),
            session: Session::default(),
            agent: call.agent.clone(),
            user: None,
            tool: call.tool.clone(),
            resource: None,
            now: call.now,
        }
    }

    fn asked_by(&mut self, call: &Call) {
        self.agent.clone_from(&call.agent);
        self.tool = call.tool.clone();
        self.user = call.user.as_ref().map(|user| user.id.to_string());
        let derived = call.resource.as_ref().filter(|known| known.derived);
        self.resource = derived.map(|known| known.name.clone());
        self.now = call.now;
    }

    fn judged(
        &mut self,
        written: &Value,
        call: &Call,
        (set, catalogue): (&PolicySet, &Catalogue),
    ) -> Past {
        self.session = self.session_of(&call.agent);
        self.asked_by(call);
        let facts = Facts {
            history: Some(self),
            ..call.facts(catalogue)
        };
        let ruling = set.decide(&facts, Budget::default()).unwrap();
        let limits = ruling.rules.iter();
        let limits = limits.filter(|rule| rule.effect == "limit" && !rule.monitor);
        let words = |key: &str| written.get(key).and_then(Value::as_array).cloned();
        let class = |word: &Value| DataClass::parse(word.as_str().unwrap()).unwrap();
        let tool = catalogue.get(&call.tool);
        Past {
            at: call.now,
            agent: call.agent.clone(),
            user: call.user.as_ref().map(|user| user.id.to_string()),
            tool: call.tool.clone(),
            resource: call.resource.as_ref().map(|known| known.name.clone()),
            denied: written.get("verdict") == Some(&"deny".into()),
            read: words("read")
                .unwrap_or_default()
                .iter()
                .map(class)
                .collect(),
            result: written.get("result").cloned(),
            trusted: tool.is_some_and(|tool| tool.authors == Authors::Trusted),
            limits: limits.map(|rule| rule.rule.clone()).collect(),
            measures: set.measures(&facts),
        }
    }

    fn session_of(&self, agent: &str) -> Session {
        let mut session = Session::default();
        for past in self.past.iter().filter(|past| past.agent == agent) {
            session.calls += 1;
            if past.denied {
                session.denials += 1;
                continue;
            }
            session.tools.insert(past.tool.to_string());
            session.resources.extend(past.resource.clone());
            session.data_class.extend(&past.read);
            session.external_content |= past.result.is_some() && !past.trusted;
        }
        session
    }

    fn within<'m>(&'m self, of: &'m Window<'_>) -> impl Iterator<Item = &'m Past> {
        let since = self.now.as_millis() - of.span.as_millis();
        let whose = move |past: &&Past| match of.scope {
            HistoryScope::Agent | HistoryScope::Session => past.agent == self.agent,
            HistoryScope::Tool => past.tool == self.tool,
            HistoryScope::Resource => past.resource == self.resource,
            HistoryScope::Tenant => true,
            HistoryScope::User => past.user == self.user,
        };
        let rule = |past: &&Past| match of.rule {
            None => true,
            Some((policy, rule)) => {
                let mut limits = past.limits.iter();
                limits.any(|known| known.policy == policy && known.rule == rule)
            }
        };
        let tools = |past: &&Past| of.tools.is_none_or(|glob| glob.matches(past.tool.as_str()));
        let past = self.past.iter().filter(|past| !past.denied);
        past.filter(move |past| past.at.as_millis() > since)
            .filter(whose)
            .filter(rule)
            .filter(tools)
    }
}

impl History for Memory {
    fn rate(&self, of: &Window<'_>) -> Option<u64> {
        u64::try_from(self.within(of).count()).ok()
    }

    fn sum(&self, subject: &str, of: &Window<'_>) -> Option<Decimal> {
        let measures = self.within(of).flat_map(|past| &past.measures);
        Some(
            measures
                .filter(|(name, _)| name == subject)
                .map(|(_, number)| *number)
                .sum(),
        )
    }

    fn session(&self) -> Option<&Session> {
        Some(&self.session)
    }

    fn has_read(&self, class: DataClass, of: &Window<'_>) -> Option<bool> {
        Some(self.within(of).any(|past| past.read.contains(&class)))
    }

    fn is_new_resource(&self) -> Option<bool> {
        let own = |past: &&Past| past.agent == self.agent && !past.denied;
        let touched = self
            .past
            .iter()
            .filter(own)
            .any(|past| past.resource == self.resource);
        Some(!touched)
    }

    fn is_burst(&self) -> Option<bool> {
        None
    }

    fn origins(&self, value: &Value) -> Option<BTreeSet<Origin>> {
        let value = value.as_str().map_or(value.to_string(), str::to_owned);
        let mut origins = BTreeSet::new();
        if self.said.as_ref().is_some_and(|said| said.contains(&value)) {
            origins.insert(Origin::User);
        }
        for past in self.past.iter().filter(|past| past.agent == self.agent) {
            if past
                .result
                .as_ref()
                .is_some_and(|result| result.to_string().contains(&value))
            {
                origins.insert(match past.trusted {
                    true => Origin::Result,
                    false => Origin::External,
                });
            }
        }
        if origins.is_empty() {
            origins.insert(Origin::None);
        }
        Some(origins)
    }
}

/// `-10m` before now, or an instant.
fn instant(text: &str, now: Timestamp) -> Timestamp {
    match text.strip_prefix('-') {
        Some(span) => {
            let span: Duration = span.parse().unwrap();
            Timestamp::from_millis(now.as_millis() - span.as_millis())
        }
        None => text.parse().unwrap(),
    }
}
