//! A tool as a person writes it down, for whatever decides calls without a running source.
//!
//! `{"id": "stripe.refund", "risk": "high", "input_schema": {…}}` is enough: what is not said is
//! taken as the strictest that is usual. What `toolgate tool ls --json` prints is read too.
//!
//! Must not know: how tools are rated, where the text comes from.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use toolgate_model::{
    Authors, Checks, Descriptor, Duration, Effect, Lifecycle, ResourceTemplate, Risk, RiskScore,
    ToolId, Verb,
};

/// A tool as it is written down. What else the API says of it is not needed here.
#[derive(Debug, Deserialize)]
pub struct WrittenTool {
    id: ToolId,
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    definition: Value,
    #[serde(default, alias = "inputSchema")]
    input_schema: Value,
    #[serde(default)]
    category: Option<String>,
    #[serde(default)]
    method: Option<String>,
    #[serde(default)]
    route: Option<ToolId>,
    #[serde(default)]
    action: Option<String>,
    #[serde(default)]
    verb: Option<Verb>,
    #[serde(default)]
    risk: Option<Risk>,
    #[serde(default)]
    risk_score: Option<RiskScore>,
    #[serde(default)]
    resource: Option<String>,
    #[serde(default)]
    effect: Option<Effect>,
    #[serde(default)]
    timeout: Option<Duration>,
    #[serde(default)]
    lifecycle: Option<Lifecycle>,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    #[serde(default)]
    checks: Checks,
    #[serde(default)]
    authors: Authors,
}

impl WrittenTool {
    /// The tool that it describes.
    ///
    /// # Errors
    /// One sentence about a resource template that is none.
    pub fn descriptor(self) -> Result<Descriptor, String> {
        let risk = self.risk.unwrap_or(Risk::High);
        let rest = assumed(self.id, risk);
        let resource = self.resource.as_deref().map(ResourceTemplate::parse);
        Ok(Descriptor {
            version: self.version.unwrap_or(rest.version),
            definition: self.definition,
            input_schema: self.input_schema,
            category: self.category,
            method: self.method,
            route: self.route,
            action: self.action,
            verb: self.verb.unwrap_or(rest.verb),
            risk_score: self.risk_score.unwrap_or(rest.risk_score),
            resource: resource.transpose()?,
            effect: self.effect.unwrap_or(rest.effect),
            timeout: self.timeout.unwrap_or(rest.timeout),
            lifecycle: self.lifecycle.unwrap_or(rest.lifecycle),
            attributes: self.attributes,
            checks: self.checks,
            authors: self.authors,
            risk_reason: "as written down".to_owned(),
            ..rest
        })
    }
}

/// A tool of which nothing is known but its name and its risk.
pub fn assumed(id: ToolId, risk: Risk) -> Descriptor {
    Descriptor {
        version: "1.0.0".to_owned(),
        wire_name: id.as_str().replace('.', "__"),
        definition: Value::Null,
        input_schema: Value::Null,
        category: None,
        method: None,
        verb: Verb::Write,
        risk,
        risk_score: RiskScore::of_band(risk),
        risk_reason: "assumed".to_owned(),
        resource: None,
        effect: Effect::Some,
        timeout: Duration::from_secs(60),
        lifecycle: Lifecycle::Active,
        attributes: BTreeMap::new(),
        checks: Checks::default(),
        authors: Authors::default(),
        id,
        action: None,
        route: None,
        posture: None,
        runner: toolgate_model::Runner::Gate,
    }
}
