//! A call: one proposed use of a tool, before anything has happened.
//!
//! What the caller merely says is here; who the caller is, is not (see [`crate::Identity`]).

use serde::{Deserialize, Serialize};
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::{AgentId, Denial, Descriptor, Duration, Recognition, ToolId};

/// What the caller wants done with the decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The gate runs the tool.
    #[default]
    Execute,
    /// The caller runs it after an allow and reports the outcome.
    Host,
    /// A verdict only, recorded.
    Decide,
    /// A verdict only; nothing recorded, nothing consumed.
    Simulate,
}

/// The event that the agent says it acts on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// Which system says it happened.
    pub source: String,
    /// Its id there.
    pub id: String,
}

/// The user whom the agent acts for, verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// Their name.
    pub id: AgentId,
    /// Their groups.
    #[serde(default)]
    pub groups: Vec<String>,
}

/// What a normaliser made of a raw HTTP request: the tool that it is a use of, and the places that
/// it is about.
#[derive(Clone, Debug, PartialEq)]
pub struct Recognised {
    /// The tool. It is in no catalogue; the normaliser says all that is known of it.
    pub descriptor: Arc<Descriptor>,
    /// The well-known attributes by name: `org`, `repo`, `branch`, `channel`, `path`, `host`,
    /// `recipient`, `region`, `account`, `principal`, `url`, `tags`, `external`, `amount`, …
    /// A text, a number, a boolean, or a list of texts. They are read instead of arguments of the
    /// same name. `null`: the request has such a thing, and nobody can say which.
    pub places: Map<String, Value>,
    /// Why the request cannot be judged, where it can be read in two ways or not at all: step 3 of
    /// the gate denies with this.
    pub refusal: Option<Denial>,
}

/// One proposed use of a tool.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Which tool.
    pub tool: ToolId,
    /// Which version of it, if the caller cares.
    pub version: Option<String>,
    /// The arguments: an object, strictly parsed.
    pub arguments: Value,
    /// The environment the caller names; the credential's own wins where it fixes one.
    pub env: Option<String>,
    /// The workflow the caller names; likewise.
    pub workflow: Option<String>,
    /// The resource the caller claims.
    pub resource: Option<String>,
    /// The caller's name for its session.
    pub session: Option<String>,
    /// The caller's name for what belongs together.
    pub correlation: Option<String>,
    /// The event it acts on.
    pub trigger: Option<Trigger>,
    /// The agent's own words why.
    pub justification: Option<String>,
    /// How long the attempt may take, if shorter than the tool's own bound.
    pub timeout: Option<Duration>,
    /// What to do with the decision.
    pub mode: Mode,
    /// That a second identical call is meant.
    pub allow_duplicate: bool,
    /// The caller's idempotency key.
    pub idempotency_key: Option<String>,
    /// `_meta` entries and trace context that travel on to the tool.
    pub meta: Map<String, Value>,
    /// The user's own words, taken only from a trusted host.
    pub user_request: Option<String>,
    /// What a raw HTTP request was recognised as; none for a call that names its tool.
    pub recognised: Option<Arc<Recognised>>,
    /// The raw HTTP request itself as it was recognised, where the call is one.
    pub raw: Option<Arc<Recognition>>,
}

impl Call {
    /// A call of `tool` with `arguments` and nothing else said.
    pub fn new(tool: ToolId, arguments: Value) -> Self {
        Self {
            tool,
            version: None,
            arguments,
            env: None,
            workflow: None,
            resource: None,
            session: None,
            correlation: None,
            trigger: None,
            justification: None,
            timeout: None,
            mode: Mode::Execute,
            allow_duplicate: false,
            idempotency_key: None,
            meta: Map::new(),
            user_request: None,
            recognised: None,
            raw: None,
        }
    }
}
