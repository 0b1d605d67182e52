//! What the tests of this crate share: tools, calls and documents written as plain JSON.
//!
//! `{"tool": "stripe.refund", "args": {"amount": 640}, "env": "prod"}` is a call; whatever it leaves
//! out has a plain default. The one place that makes [`Facts`] and [`Descriptor`]s for tests.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "every test binary uses its own part, and a spec that cannot be read is a failure"
)]

pub(crate) mod past;

use std::str::FromStr as _;

use serde_json::{Value, json};
use toolgate_model::{
    AgentId, ApprovalId, Authors, Catalogue, Checks, Descriptor, Effect, EntityCheck, Lifecycle,
    Probe, Resource, ResourceTemplate, Risk, RiskScore, Role, Template, Timestamp, ToolId, Trigger,
    User, Verb,
};
use toolgate_policy::{ApprovalFacts, Budget, Document, Facts, Loaded, PolicySet, Ruling, load};

/// A descriptor from `{"id", "route", "input_schema", "risk", "verb", "category", "method", "resource",
/// "attributes", "looks_up", "authors", "definition"}`; `looks_up` names the tool that its entity is
/// looked up with, `authors` (`anyone` or `trusted`) says who can write what it returns.
pub(crate) fn tool(spec: &Value) -> Descriptor {
    let text = |key: &str| spec.get(key).and_then(Value::as_str).map(str::to_owned);
    let id = ToolId::from_str(&text("id").unwrap()).unwrap();
    let risk = Risk::parse(&text("risk").unwrap_or("low".into())).unwrap();
    let attributes = spec.get("attributes").cloned().unwrap_or(json!({}));
    Descriptor {
        version: "1.0.0".into(),
        wire_name: id.as_str().replace('.', "__"),
        definition: json!({"name": id.as_str(), "description": text("definition")}),
        input_schema: spec.get("input_schema").cloned().unwrap_or(Value::Null),
        category: text("category"),
        method: text("method"),
        verb: Verb::parse(&text("verb").unwrap_or("WRITE".into())).unwrap(),
        risk,
        risk_score: RiskScore::of_band(risk),
        risk_reason: String::new(),
        resource: text("resource").map(|template| ResourceTemplate::parse(&template).unwrap()),
        effect: Effect::Some,
        timeout: "20s".parse().unwrap(),
        lifecycle: Lifecycle::Active,
        attributes: serde_json::from_value(attributes).unwrap(),
        checks: checks(text("looks_up")),
        authors: match text("authors").as_deref() {
            Some("trusted") => Authors::Trusted,
            _ => Authors::Anyone,
        },
        id,
        action: None,
        route: text("route").map(|route| route.parse().unwrap()),
        posture: None,
        runner: toolgate_model::Runner::Gate,
    }
}

fn checks(looks_up: Option<String>) -> Checks {
    let entity = |tool: String| EntityCheck {
        probe: Probe {
            tool: tool.parse().unwrap(),
            arguments: Template::parse(json!({})).unwrap(),
        },
        list: None,
        matches: Default::default(),
        pin: Vec::new(),
    };
    Checks {
        entity: looks_up.map(entity),
        ..Checks::default()
    }
}

pub(crate) fn catalogue(tools: &[Value]) -> Catalogue {
    Catalogue::new(tools.iter().map(tool))
}

pub(crate) fn document(name: &str, text: impl ToString) -> Document {
    Document {
        name: name.into(),
        text: text.to_string(),
    }
}

/// One call with everything that [`Facts`] borrows.
pub(crate) struct Call {
    pub(crate) tool: ToolId,
    pub(crate) args: Value,
    pub(crate) agent: String,
    pub(crate) role: Role,
    pub(crate) texts: Value,
    pub(crate) user: Option<User>,
    pub(crate) chain: Vec<AgentId>,
    pub(crate) resource: Option<Resource>,
    pub(crate) trigger: Option<Trigger>,
    pub(crate) entity: Option<Value>,
    pub(crate) trigger_confirmed: Option<bool>,
    pub(crate) places: Option<serde_json::Map<String, Value>>,
    pub(crate) approval: Option<ApprovalFacts>,
    pub(crate) result: Option<Value>,
    pub(crate) own_domains: Vec<String>,
    pub(crate) allow_duplicate: bool,
    pub(crate) now: Timestamp,
}

impl Call {
    /// The call that `spec` writes, of a tool of the catalogue or of none.
    pub(crate) fn of(spec: &Value, catalogue: &Catalogue) -> Self {
        let text = |key: &str| spec.get(key).and_then(Value::as_str);
        let part = |key: &str| spec.get(key).cloned().filter(|value| !value.is_null());
        let tool = ToolId::from_str(text("tool").unwrap()).unwrap();
        let args = spec.get("args").cloned().unwrap_or(json!({}));
        let template = catalogue.get(&tool).and_then(|tool| tool.resource.clone());
        let claimed = text("claims").map(|name| Resource {
            name: name.into(),
            derived: false,
        });
        Self {
            resource: template
                .and_then(|template| template.fill(&args))
                .or(claimed),
            agent: text("agent").unwrap_or("billing_agent").into(),
            role: Role::parse(text("role").unwrap_or("agent")).unwrap(),
            user: part("user").map(|user| serde_json::from_value(user).unwrap()),
            chain: part("chain").map_or(vec![], |chain| serde_json::from_value(chain).unwrap()),
            trigger: part("trigger").map(|trigger| serde_json::from_value(trigger).unwrap()),
            entity: part("entity"),
            trigger_confirmed: part("trigger_confirmed").and_then(|value| value.as_bool()),
            places: part("places").map(|places| places.as_object().unwrap().clone()),
            approval: part("approval").map(|spec| approval(&spec)),
            result: spec.get("result").cloned(),
            own_domains: part("own_domains")
                .map_or(vec![], |own| serde_json::from_value(own).unwrap()),
            allow_duplicate: spec.get("allow_duplicate") == Some(&json!(true)),
            now: text("now")
                .unwrap_or("2026-06-16T15:14:22.104Z")
                .parse()
                .unwrap(),
            texts: spec.clone(),
            tool,
            args,
        }
    }

    pub(crate) fn facts<'c>(&'c self, catalogue: &'c Catalogue) -> Facts<'c> {
        let text = |key: &str| self.texts.get(key).and_then(Value::as_str);
        Facts {
            tool: &self.tool,
            descriptor: catalogue.get(&self.tool).map(AsRef::as_ref),
            args: &self.args,
            agent: &self.agent,
            role: self.role,
            runtime: text("runtime"),
            tenant: text("tenant").unwrap_or("default"),
            project: text("project"),
            env: text("env"),
            workflow: text("workflow"),
            user: self.user.as_ref(),
            chain: &self.chain,
            resource: self.resource.as_ref(),
            trigger: self.trigger.as_ref(),
            entity: self.entity.as_ref(),
            trigger_confirmed: self.trigger_confirmed,
            allow_duplicate: self.allow_duplicate,
            places: self.places.as_ref(),
            own_domains: &self.own_domains,
            history: None,
            approval: self.approval.as_ref(),
            result: self.result.as_ref().map(Into::into),
            now: self.now,
        }
    }
}

fn approval(spec: &Value) -> ApprovalFacts {
    let state = spec["state"].as_str().unwrap();
    let states = ["pending", "approved", "denied", "expired"];
    ApprovalFacts {
        id: ApprovalId::from_str(spec["id"].as_str().unwrap()).unwrap(),
        state: states.into_iter().find(|known| *known == state).unwrap(),
        approvers: serde_json::from_value(spec["approvers"].clone()).unwrap(),
        expires_at: spec["expires_at"].as_str().unwrap().parse().unwrap(),
    }
}

/// The set that these documents make; panics with the diagnostics where they make none.
pub(crate) fn set(documents: &[Document], catalogue: &Catalogue) -> PolicySet {
    let Loaded {
        set, diagnostics, ..
    } = load(documents, catalogue);
    set.unwrap_or_else(|| panic!("{diagnostics:#?}"))
}

/// The set that these rules make, as the document `p`.
pub(crate) fn rules(rules: Value, catalogue: &Catalogue) -> PolicySet {
    set(&[document("p", json!({"rules": rules}))], catalogue)
}

pub(crate) fn decide(set: &PolicySet, call: &Value, catalogue: &Catalogue) -> Ruling {
    let call = Call::of(call, catalogue);
    set.decide(&call.facts(catalogue), Budget::default())
        .unwrap()
}
