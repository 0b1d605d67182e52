//! Tools that a program registers and runs itself.
//!
//! ```text
//! POST /v1/sources/app/tools {"tools": [{"name": "refund", "input_schema": {…}, "risk": "high"}]}
//! → {"source": "app", "tools": [{"id": "app.refund", "state": "active", "reason": null}]}
//! ```
//! By name and as often as wanted. A definition that is not the one that was agreed to is held until
//! a person has reviewed it. Must not know: who may register, how a tool is rated.

use std::collections::BTreeMap;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use toolgate_driver::Registration;
use toolgate_gate::port::Unregistered;
use toolgate_model::{
    Duration, Effect, HostStatement, HostTool, ResourceTemplate, Risk, ToolId, Verb,
};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::AgentCaller;
use crate::body::Given;
use crate::kinds::Kind;
use crate::named::Named;
use crate::problem::Problem;
use crate::reply::{Answer, Reply, carried};
use crate::state::Api;

/// Tools of one registration.
// LIMIT: 4-interfaces, 5: what a source may have at all.
const TOOLS_MAX: usize = 1_000;

/// The routes of this file.
pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(register))
}

/// Tools to register.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ToolsToRegister {
    /// Each is added, or replaces the one of its name.
    tools: Vec<ToolToRegister>,
}

/// A tool that its program runs itself. What is stated here is taken as it is from a trusted host;
/// from anybody else it may only make the tool look more dangerous.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = HostTool)]
struct ToolToRegister {
    /// Its name within the source.
    #[schema(examples("refund"))]
    name: String,
    /// What it says of itself.
    description: Option<String>,
    /// JSON Schema of its arguments.
    #[schema(value_type = Option<Object>)]
    input_schema: Option<Map<String, Value>>,
    /// `low`, `medium`, `high` or `critical`.
    #[schema(value_type = Option<String>)]
    risk: Option<Risk>,
    /// `READ`, `WRITE`, `DELETE` or `ADMIN`.
    #[schema(value_type = Option<String>)]
    verb: Option<Verb>,
    /// Whether a call may leave a trace: `some` or `none`.
    #[schema(value_type = Option<String>)]
    effect: Option<Effect>,
    /// How its resource is made from the arguments: `customer:{args.customer}`.
    resource: Option<String>,
    /// How long one run may take, in milliseconds.
    timeout_ms: Option<u32>,
    /// A tag such as `billing`.
    category: Option<String>,
    /// Its version.
    version: Option<String>,
    /// Well-known attributes made from arguments: `{"path": "args.file_path"}`.
    #[serde(default)]
    attributes: BTreeMap<String, String>,
}

/// What became of a registration.
#[derive(Serialize, ToSchema)]
struct RegisteredTools {
    /// The source.
    source: String,
    /// Each tool, in the order in which they were given.
    tools: Vec<RegisteredTool>,
}

/// One registered tool.
#[derive(Serialize, ToSchema)]
struct RegisteredTool {
    /// Its full name; none where there can be no such name.
    #[schema(value_type = Option<String>)]
    id: Option<ToolId>,
    /// Its name as given.
    name: String,
    /// `active`; `held` until a person has reviewed its definition; or `unavailable`.
    state: &'static str,
    /// Why it is not active.
    reason: Option<String>,
}

/// Register tools that the caller runs itself
///
/// With a source that has `host`, by an agent that the source names, or by a trusted host where it
/// names none. A gate that starts again still knows them.
#[utoipa::path(
    post, path = "/v1/sources/{name}/tools", tag = "tools", operation_id = "register_tools",
    params(("name" = String, Path, description = "The source's name.")),
    request_body = ToolsToRegister,
    responses((status = 200, description = "How each stands now.", body = RegisteredTools)),
)]
async fn register(
    State(api): State<Api>,
    AgentCaller(identity): AgentCaller,
    Named(source): Named<String>,
    Given(body): Given<ToolsToRegister>,
) -> Answer<RegisteredTools> {
    if body.tools.len() > TOOLS_MAX {
        let detail = format!("more than the {TOOLS_MAX} tools allowed at once");
        return Err(Problem::field("/tools", detail));
    }
    let tools = body.tools.into_iter().enumerate();
    let tools: Vec<_> = tools
        .map(|(position, tool)| tool.read(position))
        .collect::<Result<_, _>>()?;
    let (driver, name) = (api.driver.clone(), source.clone());
    let work = async move { driver.register_tools(&identity, &name, tools).await };
    let registered = carried(&api, "http-register", work).await??;
    Ok(Reply::ok(RegisteredTools {
        source,
        tools: registered.into_iter().map(RegisteredTool::from).collect(),
    }))
}

impl ToolToRegister {
    fn read(self, position: usize) -> Result<HostTool, Problem> {
        let template = self.resource.as_deref().map(ResourceTemplate::parse);
        let resource = template.transpose().map_err(|detail| {
            let pointer = format!("/tools/{position}/resource");
            Problem::field(&pointer, detail)
        })?;
        Ok(HostTool {
            name: self.name,
            description: self.description,
            input_schema: self.input_schema.map_or(Value::Null, Value::Object),
            stated: HostStatement {
                risk: self.risk,
                verb: self.verb,
                effect: self.effect,
                resource,
                timeout: self.timeout_ms.map(Duration::from_millis),
                category: self.category,
                version: self.version,
                attributes: self.attributes,
                // Whose word it is, is for the source to say.
                ..HostStatement::default()
            },
        })
    }
}

impl From<Registration> for RegisteredTool {
    fn from(registration: Registration) -> Self {
        let Registration { tool, held } = registration;
        let state = match (&tool.unavailable, &held) {
            (Some(_), _) => "unavailable",
            (None, Some(_)) => "held",
            (None, None) => "active",
        };
        Self {
            id: tool.id,
            name: tool.name,
            state,
            reason: tool.unavailable.or(held),
        }
    }
}

impl From<Unregistered> for Problem {
    fn from(why: Unregistered) -> Self {
        match why {
            Unregistered::NoSuchSource(source) => Self::not_found("source", source),
            Unregistered::NotHosts(_) => Self::new(Kind::InvalidRequest, why.to_string()),
            Unregistered::NotPermitted { .. } => Self::new(Kind::Forbidden, why.to_string()),
            Unregistered::Unavailable(unavailable) => unavailable.into(),
        }
    }
}
