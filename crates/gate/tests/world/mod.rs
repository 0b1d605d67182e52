//! One agent, one credential, one tool and one policy, to be changed by each test.

#![allow(dead_code, reason = "each test uses its own part of the world")]

use std::sync::Arc;

use serde_json::json;
use toolgate_gate::port::{PolicyDocument, Stored};
use toolgate_gate::{Configuration, Settings};
use toolgate_model::{
    Agent, Catalogue, Credential, Descriptor, Duration, Effect, Epoch, Glob, Grant, KeyId,
    Lifecycle, Profile, ResourceTemplate, Risk, RiskScore, Role, Scope, TenantId, Timestamp, Token,
    TokenKind, Verb,
};

pub(crate) struct World {
    pub(crate) agent: Agent,
    pub(crate) credential: Credential,
    pub(crate) token: Token,
    pub(crate) tools: Vec<Descriptor>,
    pub(crate) policies: Vec<(String, String)>,
}

pub(crate) fn now() -> Timestamp {
    Timestamp::from_millis(1_781_622_862_104)
}

pub(crate) fn globs(texts: &[&str]) -> Vec<Glob> {
    texts.iter().map(|text| Glob::new(*text)).collect()
}

/// The first document of 2-decision, part 3, byte for byte.
pub(crate) fn spec_policy() -> &'static str {
    r#"{
  "agent_id": "billing_agent", "env": "prod", "workflow": "refund_review",
  "allowed_tools": ["stripe.refund", "crm.update_customer"],
  "resources": ["customer:cust_123"],
  "rules": [
    {"when": "tool == stripe.refund", "effect": "reconcile_before_retry"},
    {"when": "amount > 500 or env == prod", "effect": "require_approval"}
  ]
}
"#
}

pub(crate) fn tool(id: &str) -> Descriptor {
    Descriptor {
        id: id.parse().unwrap(),
        version: "1.0.0".to_owned(),
        wire_name: id.replace('.', "__"),
        definition: json!({"name": id}),
        input_schema: json!({
            "type": "object",
            "properties": {
                "amount": {"type": ["number", "string"]},
                "customer": {"type": "string"},
            },
        }),
        category: None,
        method: None,
        verb: Verb::Write,
        risk: Risk::Medium,
        risk_score: RiskScore::of_band(Risk::Medium),
        risk_reason: String::new(),
        resource: Some(ResourceTemplate::parse("customer:{args.customer}").unwrap()),
        effect: Effect::Some,
        timeout: Duration::from_secs(20),
        lifecycle: Lifecycle::Active,
        attributes: Default::default(),
        checks: Default::default(),
        authors: Default::default(),
        action: None,
        route: None,
        posture: None,
        runner: toolgate_model::Runner::Gate,
    }
}

impl Default for World {
    fn default() -> Self {
        Self::with_scope(Scope::default())
    }
}

impl World {
    pub(crate) fn with_scope(scope: Scope) -> Self {
        let id = KeyId::mint(Timestamp::from_millis(0), [1; 10]);
        let token = Token::mint(TokenKind::Agent, id.clone(), [5; 32]);
        let agent = Agent {
            id: "billing_agent".parse().unwrap(),
            tenant: TenantId::default(),
            owner: "ana@acme.com".parse().unwrap(),
            role: Role::Agent,
            profile: Profile::Scoped {
                grants: vec![Grant {
                    tools: globs(&["stripe.*"]),
                    resources: globs(&["customer:cust_123"]),
                    actions: Vec::new(),
                    envs: Vec::new(),
                    workflows: Vec::new(),
                    max_risk: None,
                }],
            },
            runtime: None,
            project: None,
            trusted_host: false,
            suspended: false,
            created_at: now(),
        };
        let credential = Credential {
            id,
            tenant: TenantId::default(),
            kind: TokenKind::Agent,
            subject: agent.id.clone(),
            secret_hash: token.secret_hash(),
            scope,
            created_at: now(),
            expires_at: None,
            revoked_at: None,
            rotated_from: None,
        };
        let quiet = r#"{"rules": [{"match": {"tools": ["crm.*"]}, "effect": "deny"}]}"#;
        Self {
            agent,
            credential,
            token,
            tools: vec![tool("stripe.refund")],
            policies: vec![("policy".to_owned(), quiet.to_owned())],
        }
    }

    pub(crate) fn grant(&mut self) -> &mut Grant {
        let Profile::Scoped { grants } = &mut self.agent.profile else {
            panic!("an admin")
        };
        &mut grants[0]
    }

    pub(crate) fn configuration(&self) -> Configuration {
        let stored = Stored {
            epoch: Epoch(1),
            agents: vec![self.agent.clone()],
            operators: Vec::new(),
            credentials: vec![self.credential.clone()],
            pins: Vec::new(),
            policies: self
                .policies
                .iter()
                .map(|(name, text)| PolicyDocument {
                    name: name.clone(),
                    text: text.clone(),
                })
                .collect(),
        };
        let catalogue = Arc::new(Catalogue::new(self.tools.clone()));
        Configuration::build(stored, catalogue, Settings::default(), None)
    }
}
