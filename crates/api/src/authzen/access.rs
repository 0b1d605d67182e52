//! Who wants to do what with which thing: the information model of AuthZEN, as it is written.
//!
//! ```json
//! {"subject": {"type": "user", "id": "alice"}, "action": {"name": "read"},
//!  "resource": {"type": "record", "id": "record-1"}, "context": {"env": "prod"}}
//! ```
//! Fields that are not known are kept as they came, because what was denied is compared with what is
//! asked for later as a whole. Must not know: agents, tools.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::tolerant::Tolerates;
use crate::problem::Problem;

/// A subject or a resource.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = AuthzenEntity)]
pub(crate) struct Entity {
    /// Its type. Of subjects `agent`, `user` and `identity` are known.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// Its id within that type.
    pub(crate) id: String,
    /// What else is known of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub(crate) properties: Option<Map<String, Value>>,
    #[serde(flatten)]
    #[schema(ignore)]
    rest: Map<String, Value>,
}

/// What is to be done.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = AuthzenAction)]
pub(crate) struct Action {
    /// A tool (`stripe.refund`), or the operation of the source that the resource's type names.
    pub(crate) name: String,
    /// What else is known of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub(crate) properties: Option<Map<String, Value>>,
    #[serde(flatten)]
    #[schema(ignore)]
    rest: Map<String, Value>,
}

/// What surrounds it. Only these fields are read; all others are free.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
#[schema(as = AuthzenContext)]
pub(crate) struct Context {
    /// Which agent acts for the subject, where the subject is a person. None: whoever asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) agent: Option<String>,
    /// The arguments of the call. None: they are made of the properties of resource and action.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub(crate) arguments: Option<Map<String, Value>>,
    /// The environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) env: Option<String>,
    /// The workflow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) workflow: Option<String>,
    /// The caller's name for its session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) session_id: Option<String>,
    /// The caller's name for what belongs together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) correlation_id: Option<String>,
    /// Why, in the agent's own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) justification: Option<String>,
    /// The same, as the Access Request and Approval profile names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) business_justification: Option<String>,
    /// The approval that a task ended with, as it was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) approval: Option<ApprovalReference>,
    /// The obligation types that the caller can carry out; `custom` for sanitizing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) supported_obligations: Option<Vec<String>>,
    #[serde(flatten)]
    #[schema(ignore)]
    rest: Map<String, Value>,
}

/// An approval that is referred to.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ApprovalReference {
    /// Its id.
    pub(crate) id: String,
    #[serde(flatten)]
    #[schema(ignore)]
    rest: Map<String, Value>,
}

/// A question of which parts may still be missing: a request, or the defaults of several.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[schema(as = AccessEvaluationRequest)]
pub(crate) struct Wanted {
    /// Who. Required.
    pub(super) subject: Option<Entity>,
    /// What. Required.
    pub(super) action: Option<Action>,
    /// With which thing. Required.
    pub(super) resource: Option<Entity>,
    /// What surrounds it.
    pub(super) context: Option<Context>,
}

/// A whole question.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Access {
    pub(crate) subject: Entity,
    pub(crate) action: Action,
    pub(crate) resource: Entity,
    pub(crate) context: Context,
}

impl Tolerates for Wanted {}

impl Entity {
    /// One with nothing but its name.
    pub(crate) fn named(kind: &str, id: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            id: id.to_owned(),
            properties: None,
            rest: Map::new(),
        }
    }
}

impl Action {
    /// One with nothing but its name.
    pub(crate) fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            properties: None,
            rest: Map::new(),
        }
    }
}

impl Context {
    /// Why it is wanted.
    pub(crate) fn reason(&self) -> Option<String> {
        let said = self.justification.as_ref();
        said.or(self.business_justification.as_ref()).cloned()
    }
}

impl Wanted {
    /// The same with what it leaves open taken from `defaults`. Each part is taken whole: nothing is
    /// merged below it.
    pub(crate) fn or(self, defaults: &Self) -> Self {
        Self {
            subject: self.subject.or_else(|| defaults.subject.clone()),
            action: self.action.or_else(|| defaults.action.clone()),
            resource: self.resource.or_else(|| defaults.resource.clone()),
            context: self.context.or_else(|| defaults.context.clone()),
        }
    }

    /// The whole question.
    ///
    /// # Errors
    /// A problem that names the part which is missing.
    pub(crate) fn whole(self) -> Result<Access, Problem> {
        Ok(Access {
            subject: given(self.subject, "/subject", "who wants it")?,
            action: given(self.action, "/action", "what is to be done")?,
            resource: given(self.resource, "/resource", "with which thing")?,
            context: self.context.unwrap_or_default(),
        })
    }
}

impl Access {
    /// Whom it is about: the subject, and the agent that is said to act for it.
    pub(crate) fn about(&self) -> (&Entity, Option<&str>) {
        (&self.subject, self.context.agent.as_deref())
    }
}

/// A part that must be there.
pub(super) fn given<T>(part: Option<T>, pointer: &str, what: &str) -> Result<T, Problem> {
    part.ok_or_else(|| Problem::field(pointer, format!("missing: {what}")))
}
