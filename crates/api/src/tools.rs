//! Tools and sources, as this caller may see them.
//!
//! An agent is shown exactly what it may reach, by the code that decides calls; a person with a
//! look at everything sees all tools and how their sources are doing. Must not know: how sources
//! are spoken to.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use toolgate_driver::{ReviewState, review_state};
use toolgate_gate::{Caller, visible};
use toolgate_model::{
    Checks, Descriptor, Digest, Duration, Effect, Lifecycle, Permission, Recovery, Risk, RiskScore,
    Runner, SourceFacts, SourceHealth, SourceStatus, Stance, Timestamp, ToolId, Verb,
};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::{AnyCaller, PersonCaller};
use crate::body::{Maybe, Nothing};
use crate::named::Named;
use crate::problem::Problem;
use crate::reply::{Answer, Page, Reply};
use crate::state::Api;

/// The routes of this file.
pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(list))
        .routes(routes!(sources))
        .routes(routes!(refresh))
}

/// A tool.
#[derive(Serialize, ToSchema)]
#[schema(as = Tool)]
struct ToolView {
    /// Its full name, `{source}.{operation}`.
    #[schema(value_type = String)]
    id: ToolId,
    /// The source that it comes from.
    source: String,
    /// The name that MCP clients see.
    wire_name: String,
    /// Its version.
    version: String,
    /// What its source says about it; nobody checked it.
    description: Option<String>,
    /// JSON Schema of the arguments.
    #[schema(value_type = Option<Object>)]
    input_schema: Value,
    /// A tag such as `issues`.
    category: Option<String>,
    /// The method of HTTP, where there is one.
    method: Option<String>,
    /// The other name that grants and rules know it by: `api.get.customers.id`.
    #[schema(value_type = Option<String>)]
    route: Option<ToolId>,
    /// The name that grants of actions know it by: `refunds:close`.
    action: Option<String>,
    /// What a granted call of it gets when no rule speaks, where that is not what its risk gets:
    /// `allow`, `require_approval` or `deny`.
    #[schema(value_type = Option<String>)]
    posture: Option<Stance>,
    /// What it does to its resource: `READ`, `WRITE`, `DELETE` or `ADMIN`.
    #[schema(value_type = String)]
    verb: Verb,
    /// How much harm one call can do.
    #[schema(value_type = String)]
    risk: Risk,
    /// The finer rating.
    #[schema(value_type = f64)]
    risk_score: RiskScore,
    /// Why it is rated so.
    risk_reason: String,
    /// How the resource is made from the arguments.
    resource: Option<String>,
    /// Whether a call may leave a trace: `some` or `none`.
    #[schema(value_type = String)]
    effect: Effect,
    /// What the loss of an answer can lead to: `read`, `idempotent`, `checkable` or
    /// `irreversible`.
    #[schema(value_type = String)]
    recovery: Recovery,
    /// How long one attempt may take.
    #[schema(value_type = String)]
    timeout: Duration,
    /// `declared`, `active`, `deprecated` or `disabled`.
    #[schema(value_type = String)]
    lifecycle: Lifecycle,
    /// Who runs it: the `gate`, its `host` (which proposes calls with the mode `host`), or `probe`:
    /// the gate for itself alone.
    #[schema(value_type = String)]
    runner: Runner,
    /// What an approval pins: the digest of all of it.
    #[schema(value_type = String)]
    digest: Digest,
    /// How its source is doing, for people: `starting`, `up` or `down`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    health: Option<SourceHealth>,
    /// What is verified before it runs and looked for after its answer was lost, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    checks: Option<Checks>,
    /// Why it cannot be called although it is there, for people.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    faults: Vec<String>,
    /// How it stands against the definition that was reviewed, for people: `accepted`, `changed`,
    /// `disabled` or `unpinned`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    review: Option<ReviewState>,
    /// Whether its calls are denied and models are not shown it until somebody reviews it, for
    /// people.
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<bool>,
}

/// A source of tools.
#[derive(Serialize, ToSchema)]
#[schema(as = Source)]
struct SourceView {
    /// Its name.
    name: String,
    /// `mcp-stdio`, `mcp-http`, …
    kind: String,
    /// `starting`, `up` or `down`.
    #[schema(value_type = String)]
    health: SourceHealth,
    /// What was last wrong.
    detail: Option<String>,
    /// How many tools it gave.
    tools: usize,
    /// Who answers for it, by the operator's word.
    owner: Option<String>,
    /// How the gate and it know each other: `none`, `process`, `bearer`, `headers`, `oauth`,
    /// `hmac`, …
    auth: Option<String>,
    /// When it was last heard of, where it is asked now and then.
    #[schema(value_type = Option<String>)]
    heard_at: Option<Timestamp>,
    /// What it says of itself; nobody checked any of it.
    claims: BTreeMap<String, String>,
}

/// List tools
///
/// An agent sees what it may reach; a person who may look sees all, with the health of their
/// source.
#[utoipa::path(
    get, path = "/v1/tools", tag = "tools", operation_id = "list_tools",
    responses((status = 200, description = "All that this caller may see.", body = Page<ToolView>)),
)]
async fn list(State(api): State<Api>, caller: AnyCaller) -> Answer<Page<ToolView>> {
    let caller = caller.looking()?;
    let (configuration, now) = (api.driver.configuration(), api.driver.now());
    let tools = configuration.catalogue.iter();
    let items = match &caller.0 {
        Caller::Agent(identity) => tools
            .filter(|tool| tool.lifecycle.is_callable())
            .filter(|tool| visible(&configuration, identity, tool, now))
            .map(ToolView::of)
            .collect(),
        Caller::Person { .. } => {
            let sources = api.driver.tools().sources();
            let health: BTreeMap<_, _> = sources
                .iter()
                .map(|source| (source.name.as_str(), source.health))
                .collect();
            tools
                .filter(|tool| tool.runner != Runner::Probe)
                .map(|tool| ToolView {
                    health: health.get(tool.id.source()).copied(),
                    checks: Some(tool.checks.clone()),
                    faults: configuration.catalogue.faults(&tool.id).to_vec(),
                    review: Some(review_state(&configuration, tool)),
                    held: Some(configuration.held(&tool.id).is_some()),
                    ..ToolView::of(tool)
                })
                .collect()
        }
    };
    Ok(Reply::ok(Page::whole(items)))
}

/// List sources
///
/// How each of them is doing.
#[utoipa::path(
    get, path = "/v1/sources", tag = "tools", operation_id = "list_sources",
    responses((status = 200, description = "All of them, by name.", body = Page<SourceView>)),
)]
async fn sources(State(api): State<Api>, person: PersonCaller) -> Answer<Page<SourceView>> {
    person.require(Permission::View)?;
    let items = api
        .driver
        .tools()
        .sources()
        .into_iter()
        .map(SourceView::from)
        .collect();
    Ok(Reply::ok(Page::whole(items)))
}

/// Read a source again
///
/// Asks for what it offers and how it is, now. What comes of it shows in the list of sources.
#[utoipa::path(
    post, path = "/v1/sources/{name}/refresh", tag = "tools", operation_id = "refresh_source",
    params(("name" = String, Path, description = "Its name.")),
    request_body = Option<Nothing>,
    responses((status = 202, description = "It is being asked; this is how it was.", body = SourceView)),
)]
async fn refresh(
    State(api): State<Api>,
    person: PersonCaller,
    Named(name): Named<String>,
    Maybe(Nothing {}): Maybe<Nothing>,
) -> Answer<SourceView> {
    person.require(Permission::View)?;
    let tools = api.driver.tools();
    let known = tools.sources().into_iter().find(|it| it.name == name);
    let status = known.ok_or_else(|| Problem::not_found("source", &name))?;
    tools.refresh(&name);
    Ok(Reply::accepted(status.into()))
}

impl ToolView {
    /// What everybody may see of it.
    fn of(tool: &Arc<Descriptor>) -> Self {
        let description = tool.definition.get("description").and_then(Value::as_str);
        Self {
            id: tool.id.clone(),
            source: tool.id.source().to_owned(),
            wire_name: tool.wire_name.clone(),
            version: tool.version.clone(),
            description: description.map(str::to_owned),
            input_schema: tool.input_schema.clone(),
            category: tool.category.clone(),
            method: tool.method.clone(),
            route: tool.route.clone(),
            action: tool.action.clone(),
            posture: tool.posture,
            verb: tool.verb,
            risk: tool.risk,
            risk_score: tool.risk_score,
            risk_reason: tool.risk_reason.clone(),
            resource: tool
                .resource
                .as_ref()
                .map(|template| template.as_str().to_owned()),
            effect: tool.effect,
            recovery: tool.recovery(),
            timeout: tool.timeout,
            lifecycle: tool.lifecycle,
            runner: tool.runner,
            digest: tool.digest(),
            health: None,
            checks: None,
            faults: Vec::new(),
            review: None,
            held: None,
        }
    }
}

impl From<SourceStatus> for SourceView {
    fn from(status: SourceStatus) -> Self {
        let SourceStatus {
            name,
            kind,
            health,
            detail,
            tools,
            facts,
        } = status;
        let SourceFacts {
            owner,
            auth,
            heard_at,
            claims,
        } = facts;
        Self {
            owner,
            auth,
            heard_at,
            claims,
            name,
            kind,
            health,
            detail,
            tools,
        }
    }
}
