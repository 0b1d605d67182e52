//! Tools from a file, for commands that need no server.
//!
//! `toolgate tool ls --json > tools.json` writes it; `check --tools` and `eval --tools` read it. By
//! hand, `{"tools": [{"id": "stripe.refund", "risk": "high", "input_schema": {…}}]}` is enough:
//! what is not said is taken as the strictest that is usual.
//!
//! Must not know: how tools are rated.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;
use toolgate_model::{
    Catalogue, Checks, Descriptor, Duration, Effect, Lifecycle, ResourceTemplate, Risk, RiskScore,
    ToolId, Verb,
};

use crate::fault::Fault;
use crate::shell::read_text;

/// LIMIT: a thousand tools of 16 KiB.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// A tool as it is written down. What else the API says of it is not needed here.
#[derive(Deserialize)]
struct Written {
    id: ToolId,
    #[serde(default)]
    version: Option<String>,
    #[serde(default, alias = "inputSchema")]
    input_schema: Value,
    #[serde(default)]
    category: Option<String>,
    #[serde(default)]
    method: Option<String>,
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
}

/// The catalogue in this file; an empty one where none is named.
///
/// # Errors
/// [`Fault`] where the file is not a list of tools.
pub(crate) fn read(path: Option<&Path>) -> Result<Catalogue, Fault> {
    let Some(path) = path else {
        return Ok(Catalogue::default());
    };
    let shown = path.display();
    let text = read_text(path, FILE_BYTES_MAX)?;
    let value: Value = serde_json::from_str(&text)
        .map_err(|error| Fault::usage(format!("`{shown}` is not JSON: {error}")))?;
    let tools = crate::table::rows(&value);
    let described = tools.into_iter().enumerate().map(|(place, tool)| {
        serde_path_to_error::deserialize::<_, Written>(tool)
            .map_err(|error| error.to_string())
            .and_then(described)
            .map_err(|why| {
                Fault::usage(format!("tool {place} in `{shown}` cannot be read: {why}"))
                    .help("write a list of tools as `toolgate tool ls --json` prints it")
            })
    });
    Ok(Catalogue::new(described.collect::<Result<Vec<_>, _>>()?))
}

/// A tool of which nothing is known but its name and its risk.
pub(crate) fn assumed(id: ToolId, risk: Risk) -> Descriptor {
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
        authors: Default::default(),
        id,
    }
}

fn described(written: Written) -> Result<Descriptor, String> {
    let risk = written.risk.unwrap_or(Risk::High);
    let rest = assumed(written.id, risk);
    let resource = written
        .resource
        .as_deref()
        .map(ResourceTemplate::parse)
        .transpose()?;
    Ok(Descriptor {
        version: written.version.unwrap_or(rest.version),
        input_schema: written.input_schema,
        category: written.category,
        method: written.method,
        verb: written.verb.unwrap_or(rest.verb),
        risk_score: written.risk_score.unwrap_or(rest.risk_score),
        resource,
        effect: written.effect.unwrap_or(rest.effect),
        timeout: written.timeout.unwrap_or(rest.timeout),
        lifecycle: written.lifecycle.unwrap_or(rest.lifecycle),
        attributes: written.attributes,
        checks: written.checks,
        risk_reason: "from the file".to_owned(),
        ..rest
    })
}
