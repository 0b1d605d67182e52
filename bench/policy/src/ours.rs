//! Ours: documents of a hundred rules, the facts of one call.

use serde_json::{Value, json};
use toolgate_model::{
    Catalogue, Descriptor, Effect, Lifecycle, Risk, RiskScore, Role, Timestamp, ToolId, Truth, Verb,
};
use toolgate_policy::{Budget, Document, Facts, PolicySet, load};

use crate::{Case, Engine, RULES_A_TOOL};

struct Ours {
    set: PolicySet,
    tool: ToolId,
    catalogue: Catalogue,
    args: Value,
}

pub fn engine(size: usize, case: Case) -> Option<Box<dyn Engine>> {
    let tool: ToolId = "pay0.refund".parse().unwrap();
    let catalogue = Catalogue::new([descriptor(tool.clone())]);
    let rules: Vec<Value> = (0..size).map(rule).collect();
    let document = |(at, rules): (usize, &[Value])| Document {
        name: format!("d{at:04}"),
        text: json!({"rules": rules}).to_string(),
    };
    let documents: Vec<Document> = rules.chunks(100).enumerate().map(document).collect();
    let set = load(&documents, &catalogue).set.unwrap();
    let args = json!({"amount": case.amount, "currency": "eur"});
    Some(Box::new(Ours {
        set,
        tool,
        catalogue,
        args,
    }))
}

fn rule(at: usize) -> Value {
    let tools = json!({"tools": [format!("pay{}.refund", at / RULES_A_TOOL)]});
    match at % RULES_A_TOOL {
        0 => {
            json!({"match": tools, "when": "env in [prod, staging] and risk <= high", "effect": "allow"})
        }
        k => json!({"match": tools, "effect": "deny",
            "when": format!("amount > {} and env == prod and currency != xxx", k * 1_000)}),
    }
}

fn descriptor(id: ToolId) -> Descriptor {
    Descriptor {
        version: "1.0.0".into(),
        wire_name: "pay0__refund".into(),
        definition: json!({}),
        input_schema: json!({"type": "object", "properties": {"amount": {"type": "number"}, "currency": {"type": "string"}}}),
        category: None,
        method: None,
        verb: Verb::Write,
        risk: Risk::High,
        risk_score: RiskScore::of_band(Risk::High),
        risk_reason: String::new(),
        resource: None,
        effect: Effect::Some,
        timeout: "20s".parse().unwrap(),
        lifecycle: Lifecycle::Active,
        attributes: Default::default(),
        checks: Default::default(),
        authors: Default::default(),
        id,
    }
}

impl Engine for Ours {
    fn decide(&mut self) -> (usize, usize) {
        let facts = Facts {
            tool: &self.tool,
            descriptor: self.catalogue.get(&self.tool).map(AsRef::as_ref),
            args: &self.args,
            agent: "billing_agent",
            role: Role::Agent,
            runtime: None,
            tenant: "default",
            project: None,
            env: Some("prod"),
            workflow: None,
            user: None,
            chain: &[],
            resource: None,
            trigger: None,
            entity: None,
            trigger_confirmed: None,
            allow_duplicate: false,
            places: None,
            own_domains: &[],
            history: None,
            approval: None,
            result: None,
            now: Timestamp::from_millis(1_781_622_862_104),
        };
        let ruling = self.set.decide(&facts, Budget::default()).unwrap();
        let held = |effect: &str| {
            let rules = ruling.rules.iter().filter(|rule| rule.truth == Truth::True);
            rules.filter(|rule| rule.effect == effect).count()
        };
        (held("allow"), held("deny"))
    }
}
