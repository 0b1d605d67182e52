//! The engine on a scene: its JSON made into descriptors, facts and a history.
//!
//! The history it is given is the reference's own list, so that only what is made of the answers is
//! compared; the gate's ledger is another matter.
//!
//! Must not know: what the reference says.

use std::collections::BTreeSet;

use rust_decimal::Decimal;
use serde_json::{Value, json};
use toolgate_model::{
    AgentId, Catalogue, Checks, DataClass, Descriptor, Effect, EntityCheck, Glob, Lifecycle,
    Origin, Probe, Resource, ResourceTemplate, Risk, RiskScore, Role, Template, Timestamp, ToolId,
    Trigger, User, Verb,
};
use toolgate_policy::{
    ApprovalFacts, Budget, Document, Facts, History, HistoryScope, Loaded, PolicySet, Ruling,
    Session, Window, load,
};

use super::scene::Scene;
use crate::reference::{Past, Span};

/// A loaded set with the call that it is asked about.
pub struct Engine<'s> {
    scene: &'s Scene,
    catalogue: Catalogue,
    set: PolicySet,
}

impl<'s> Engine<'s> {
    /// The set that the scene's documents make.
    ///
    /// # Errors
    /// The first diagnostic of a set that is refused.
    pub fn load(scene: &'s Scene) -> Result<Self, String> {
        let tools: Option<Vec<Descriptor>> = scene.tools.iter().map(descriptor).collect();
        let tools = tools.ok_or("a tool cannot be read")?;
        let catalogue = Catalogue::new(tools);
        let document = |(name, json): &(String, Value)| Document {
            name: name.clone(),
            text: json.to_string(),
        };
        let documents: Vec<Document> = scene.documents.iter().map(document).collect();
        let Loaded {
            set, diagnostics, ..
        } = load(&documents, &catalogue);
        let refused = || {
            let first = diagnostics
                .iter()
                .find(|one| one.severity == toolgate_model::Severity::Error);
            first.map_or_else(String::new, |one| format!("{} {}", one.code, one.message))
        };
        let set = set.ok_or_else(refused)?;
        Ok(Self {
            scene,
            catalogue,
            set,
        })
    }

    /// The set.
    pub const fn set(&self) -> &PolicySet {
        &self.set
    }

    /// What it says about the scene's call.
    ///
    /// # Errors
    /// Why it says nothing: the budget does not reach, or the scene has no call that can be read.
    pub fn decide(&self, budget: Budget) -> Result<Ruling, String> {
        let ruling = self.with_facts(|facts| self.set.decide(facts, budget));
        let ruling = ruling.ok_or("the scene has no call that can be read")?;
        ruling.map_err(|fault| fault.to_string())
    }

    /// Hands out the facts of the scene's call; nothing where the scene has none that can be read.
    pub fn with_facts<T>(&self, ask: impl FnOnce(&Facts<'_>) -> T) -> Option<T> {
        let call = &self.scene.call;
        let text = |key: &str| call.get(key).and_then(Value::as_str);
        let tool: ToolId = text("tool")?.parse().ok()?;
        let nothing = json!({});
        let user: Option<User> = part(call, "user");
        let trigger: Option<Trigger> = part(call, "trigger");
        let chain: Vec<AgentId> = part(call, "chain").unwrap_or_default();
        let own_domains: Vec<String> = part(call, "own_domains").unwrap_or_default();
        let resource = resource(call);
        let approval = approval(call);
        let history = call
            .get("history")
            .filter(|known| known.is_object())
            .map(|_| Told::new(call));
        Some(ask(&Facts {
            descriptor: self.catalogue.get(&tool).map(AsRef::as_ref),
            tool: &tool,
            args: call.get("args").unwrap_or(&nothing),
            agent: text("agent").unwrap_or("bot"),
            role: text("role").and_then(Role::parse).unwrap_or(Role::Agent),
            runtime: text("runtime"),
            tenant: text("tenant").unwrap_or("default"),
            project: text("project"),
            env: text("env"),
            workflow: text("workflow"),
            user: user.as_ref(),
            chain: &chain,
            resource: resource.as_ref(),
            trigger: trigger.as_ref(),
            entity: call.get("entity"),
            trigger_confirmed: call.get("trigger_confirmed").and_then(Value::as_bool),
            allow_duplicate: call.get("allow_duplicate") == Some(&Value::Bool(true)),
            places: call.get("places").and_then(Value::as_object),
            own_domains: &own_domains,
            history: history.as_ref().map(|told| told as &dyn History),
            approval: approval.as_ref(),
            result: call.get("result").map(Into::into),
            now: text("now")?.parse::<Timestamp>().ok()?,
        }))
    }
}

fn part<T: serde::de::DeserializeOwned>(call: &Value, key: &str) -> Option<T> {
    serde_json::from_value(call.get(key)?.clone()).ok()
}

fn resource(call: &Value) -> Option<Resource> {
    let named = |key: &str, derived| {
        let name = call.get(key)?.as_str()?.to_owned();
        Some(Resource { name, derived })
    };
    named("resource", true).or_else(|| named("claims", false))
}

fn approval(call: &Value) -> Option<ApprovalFacts> {
    let approval = call.get("approval")?;
    let states = ["pending", "approved", "denied", "expired"];
    let state = approval.get("state")?.as_str()?;
    Some(ApprovalFacts {
        id: part(approval, "id")?,
        state: states.into_iter().find(|known| *known == state)?,
        approvers: part(approval, "approvers")?,
        expires_at: approval.get("expires_at")?.as_str()?.parse().ok()?,
    })
}

fn descriptor(spec: &Value) -> Option<Descriptor> {
    let text = |key: &str| spec.get(key).and_then(Value::as_str);
    let id: ToolId = text("id")?.parse().ok()?;
    let risk = Risk::parse(text("risk").unwrap_or("low"))?;
    let looks_up = text("looks_up").and_then(|tool| tool.parse().ok());
    Some(Descriptor {
        version: "1.0.0".into(),
        wire_name: id.as_str().replace('.', "__"),
        definition: json!({"name": id.as_str()}),
        input_schema: spec.get("input_schema").cloned().unwrap_or(Value::Null),
        category: text("category").map(str::to_owned),
        method: text("method").map(str::to_owned),
        verb: Verb::parse(text("verb").unwrap_or("WRITE"))?,
        risk,
        risk_score: RiskScore::of_band(risk),
        risk_reason: String::new(),
        resource: text("resource").and_then(|template| ResourceTemplate::parse(template).ok()),
        effect: Effect::Some,
        timeout: "20s".parse().ok()?,
        lifecycle: Lifecycle::Active,
        attributes: part(spec, "attributes").unwrap_or_default(),
        checks: Checks {
            entity: looks_up.and_then(entity),
            ..Checks::default()
        },
        authors: Default::default(),
        id,
        action: None,
        route: None,
        posture: None,
        runner: toolgate_model::Runner::Gate,
    })
}

fn entity(tool: ToolId) -> Option<EntityCheck> {
    Some(EntityCheck {
        probe: Probe {
            tool,
            arguments: Template::parse(json!({})).ok()?,
        },
        list: None,
        matches: Default::default(),
        pin: Vec::new(),
    })
}

/// The reference's list, asked in the engine's words.
#[derive(Debug)]
struct Told<'c> {
    past: Past<'c>,
    session: Session,
}

impl<'c> Told<'c> {
    fn new(call: &'c Value) -> Self {
        let past = Past::of(call);
        let classes = past.session_set("data_class");
        let session = Session {
            calls: past.session_calls() as u64,
            denials: past.session_denials() as u64,
            tools: past.session_set("tools"),
            resources: past.session_set("resources"),
            data_class: classes
                .iter()
                .filter_map(|class| DataClass::parse(class))
                .collect(),
            external_content: past.session_external(),
            signals: past.session_set("signals"),
        };
        Self { past, session }
    }

    fn ask<T>(of: &Window<'_>, ask: impl FnOnce(&Span<'_>) -> Option<T>) -> Option<T> {
        let rule = of.rule.map(|(document, rule)| format!("{document}/{rule}"));
        ask(&Span {
            scope: match of.scope {
                HistoryScope::Agent => "agent",
                HistoryScope::Tool => "tool",
                HistoryScope::Resource => "resource",
                HistoryScope::Tenant => "tenant",
                HistoryScope::Session => "session",
                HistoryScope::User => "user",
            },
            millis: of.span.as_millis(),
            tools: of.tools.map(Glob::as_str),
            rule: rule.as_deref(),
        })
    }
}

impl History for Told<'_> {
    fn rate(&self, of: &Window<'_>) -> Option<u64> {
        Self::ask(of, |span| self.past.rate(span))
    }

    fn sum(&self, subject: &str, of: &Window<'_>) -> Option<Decimal> {
        Self::ask(of, |span| self.past.sum(subject, span)).map(Decimal::from)
    }

    fn session(&self) -> Option<&Session> {
        Some(&self.session)
    }

    fn has_read(&self, class: DataClass, of: &Window<'_>) -> Option<bool> {
        Self::ask(of, |span| self.past.has_read(class.as_str(), span))
    }

    fn is_new_resource(&self) -> Option<bool> {
        self.past.is_new_resource()
    }

    fn is_burst(&self) -> Option<bool> {
        self.past.is_burst()
    }

    fn origins(&self, value: &Value) -> Option<BTreeSet<Origin>> {
        let origins = self.past.origins(value)?;
        Some(origins.into_iter().filter_map(Origin::parse).collect())
    }
}
