//! Agents: who proposes calls, what they may reach, and what they could do right now.
//!
//! ```text
//! GET|POST /v1/agents · GET|PUT /v1/agents/{id} · POST …/suspend · …/resume · GET …/can
//! ```
//!
//! A change says what it changes (`If-Match`), is on the record, and binds on the next call.
//! Must not know: how reach is decided.

use axum::extract::State;
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use toolgate_driver::AgentSpec;
use toolgate_gate::{Possibility, ask, survey};
use toolgate_model::{
    Agent, AgentId, Call, Code, Permission, Role, TenantId, Timestamp, ToolId, json,
};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::{AnyCaller, PersonCaller};
use crate::body::{Asked, Given, Maybe, Nothing, bounded, json_text};
use crate::conditional::{Expected, Tag};
use crate::kinds::Kind;
use crate::named::Named;
use crate::problem::Problem;
use crate::reach::ProfileBody;
use crate::reply::{Answer, Page, Reply, carried};
use crate::state::Api;

/// Bytes of a runtime's or a project's name.
const NAME_BYTES_MAX: usize = 128;

/// The routes of this file.
pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(list, create))
        .routes(routes!(show, put))
        .routes(routes!(suspend))
        .routes(routes!(resume))
        .routes(routes!(can))
}

/// A new agent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewAgent {
    /// Its name.
    #[schema(value_type = String, examples("billing_agent"))]
    id: AgentId,
    /// The person who answers for it. None: whoever makes it.
    #[schema(value_type = Option<String>, examples("ana@acme.com"))]
    owner: Option<AgentId>,
    /// `reader`, `agent` (the default) or `service`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    role: Role,
    /// What it may reach. None: nothing.
    #[serde(default)]
    profile: ProfileBody,
    /// What runs it, such as `claude-code`.
    runtime: Option<String>,
    /// The project it belongs to.
    project: Option<String>,
    /// Whether it is a host application whose word is taken for what its user said and which
    /// session a call belongs to.
    #[serde(default)]
    trusted_host: bool,
}

/// An agent as it should be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AgentBody {
    /// The person who answers for it.
    #[schema(value_type = String, examples("ana@acme.com"))]
    owner: AgentId,
    /// `reader`, `agent` (the default) or `service`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    role: Role,
    /// What it may reach. None: nothing.
    #[serde(default)]
    profile: ProfileBody,
    /// What runs it, such as `claude-code`.
    runtime: Option<String>,
    /// The project it belongs to.
    project: Option<String>,
    /// Whether it is a host application whose word is taken for what its user said and which
    /// session a call belongs to.
    #[serde(default)]
    trusted_host: bool,
}

/// An agent.
#[derive(Serialize, ToSchema)]
#[schema(as = Agent)]
struct AgentView {
    /// Its name.
    #[schema(value_type = String)]
    id: AgentId,
    /// Its tenant.
    #[schema(value_type = String)]
    tenant: TenantId,
    /// The person who answers for it.
    #[schema(value_type = String)]
    owner: AgentId,
    /// What it may do at all.
    #[schema(value_type = String)]
    role: Role,
    /// What it may reach.
    profile: ProfileBody,
    /// What runs it.
    runtime: Option<String>,
    /// The project it belongs to.
    project: Option<String>,
    /// Whether its word is taken for what its user said and which session a call belongs to.
    trusted_host: bool,
    /// Whether its credentials authenticate nobody for now.
    suspended: bool,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// What is asked about; without a tool, all of them.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct CanQuery {
    /// The tool.
    #[param(value_type = Option<String>)]
    tool: Option<ToolId>,
    /// The arguments, as a JSON object. None: `{}`.
    arguments: Option<String>,
    /// The environment.
    env: Option<String>,
    /// The workflow.
    workflow: Option<String>,
    /// The resource.
    resource: Option<String>,
}

/// What an agent could do with a tool now.
#[derive(Serialize, ToSchema)]
#[schema(as = Possibility)]
struct PossibilityView {
    /// The tool.
    #[schema(value_type = String)]
    tool: ToolId,
    /// `yes`, `with_approval`, `depends` (on arguments that were not given) or `no`.
    answer: &'static str,
    /// Why not.
    #[schema(value_type = Option<String>)]
    code: Option<Code>,
    /// The same in words.
    reason: String,
}

/// List agents
///
/// Those of the caller's tenant, by name.
#[utoipa::path(
    get, path = "/v1/agents", tag = "agents", operation_id = "list_agents",
    responses((status = 200, description = "All of them.", body = Page<AgentView>)),
)]
async fn list(State(api): State<Api>, person: PersonCaller) -> Answer<Page<AgentView>> {
    person.require(Permission::View)?;
    let configuration = api.driver.configuration();
    let mine = configuration
        .agents()
        .filter(|agent| agent.tenant == person.tenant);
    let mut items: Vec<_> = mine
        .map(|agent| AgentView::from(agent.as_ref().clone()))
        .collect();
    items.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(Reply::ok(Page::whole(items)))
}

/// Add an agent
///
/// With a `scoped` profile it reaches nothing until something is listed.
#[utoipa::path(
    post, path = "/v1/agents", tag = "agents", operation_id = "create_agent",
    request_body = NewAgent,
    responses((status = 201, description = "It is there.", body = AgentView)),
)]
async fn create(
    State(api): State<Api>,
    person: PersonCaller,
    Given(body): Given<NewAgent>,
) -> Answer<AgentView> {
    person.require(Permission::ManageAgents)?;
    if api.driver.agent_for(&person.caller, &body.id).is_ok() {
        let detail = format!("there is an agent `{}` already", body.id);
        return Err(Problem::at(Kind::Exists, "/id", detail));
    }
    let owner = body.owner.unwrap_or_else(|| person.id.clone());
    let NewAgent {
        role,
        profile,
        runtime,
        project,
        trusted_host,
        ..
    } = body;
    let spec = AgentBody {
        owner,
        role,
        profile,
        runtime,
        project,
        trusted_host,
    }
    .spec(body.id)?;
    let agent = written(&api, person, spec).await?;
    let tag = tag(&agent);
    Ok(Reply::created(AgentView::from(agent)).tagged(&tag))
}

/// Look at an agent
#[utoipa::path(
    get, path = "/v1/agents/{id}", tag = "agents", operation_id = "get_agent",
    params(("id" = String, Path, description = "Its name.")),
    responses((status = 200, description = "The agent, with its `ETag`.", body = AgentView)),
)]
async fn show(
    State(api): State<Api>,
    person: PersonCaller,
    Named(id): Named<AgentId>,
) -> Answer<AgentView> {
    person.require(Permission::View)?;
    let agent = api.driver.agent_for(&person.caller, &id)?;
    let tag = tag(&agent);
    Ok(Reply::ok(AgentView::from(agent)).tagged(&tag))
}

/// Change an agent, or make one
///
/// `If-Match` with the `ETag` that was seen, or `If-None-Match: *` to make it. What the body does
/// not name is reset.
#[utoipa::path(
    put, path = "/v1/agents/{id}", tag = "agents", operation_id = "put_agent",
    params(
        ("id" = String, Path, description = "Its name."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that was seen."),
        ("If-None-Match" = Option<String>, Header, description = "`*` to make it."),
    ),
    request_body = AgentBody,
    responses((status = 200, description = "As it is now.", body = AgentView)),
)]
async fn put(
    State(api): State<Api>,
    person: PersonCaller,
    Named(id): Named<AgentId>,
    headers: HeaderMap,
    Given(body): Given<AgentBody>,
) -> Answer<AgentView> {
    person.require(Permission::ManageAgents)?;
    let expected = Expected::of(&headers)?;
    let spec = body.spec(id.clone())?;
    let present = api.driver.agent_for(&person.caller, &id).ok();
    expected.meets(present.as_ref().map(tag).as_ref())?;
    let agent = written(&api, person, spec).await?;
    let tag = tag(&agent);
    Ok(Reply::ok(AgentView::from(agent)).tagged(&tag))
}

/// Suspend an agent
///
/// From the next call on its credentials authenticate nobody.
#[utoipa::path(
    post, path = "/v1/agents/{id}/suspend", tag = "agents", operation_id = "suspend_agent",
    params(("id" = String, Path, description = "Its name.")),
    request_body = Option<Nothing>,
    responses((status = 200, description = "As it is now.", body = AgentView)),
)]
async fn suspend(
    State(api): State<Api>,
    person: PersonCaller,
    Named(id): Named<AgentId>,
    Maybe(Nothing {}): Maybe<Nothing>,
) -> Answer<AgentView> {
    let driver = api.driver.clone();
    let work = async move { driver.suspend_agent(&person.caller, &id).await };
    let agent = carried(&api, "http-agent", work).await??;
    let tag = tag(&agent);
    Ok(Reply::ok(AgentView::from(agent)).tagged(&tag))
}

/// Let a suspended agent go on
#[utoipa::path(
    post, path = "/v1/agents/{id}/resume", tag = "agents", operation_id = "resume_agent",
    params(("id" = String, Path, description = "Its name.")),
    request_body = Option<Nothing>,
    responses((status = 200, description = "As it is now.", body = AgentView)),
)]
async fn resume(
    State(api): State<Api>,
    person: PersonCaller,
    Named(id): Named<AgentId>,
    Maybe(Nothing {}): Maybe<Nothing>,
) -> Answer<AgentView> {
    let driver = api.driver.clone();
    let work = async move { driver.resume_agent(&person.caller, &id).await };
    let agent = carried(&api, "http-agent", work).await??;
    let tag = tag(&agent);
    Ok(Reply::ok(AgentView::from(agent)).tagged(&tag))
}

/// Ask what an agent could do now
///
/// Decided by the code that decides calls, with a credential that narrows nothing. Without `tool`
/// all tools are surveyed. An agent may ask about itself.
#[utoipa::path(
    get, path = "/v1/agents/{id}/can", tag = "agents", operation_id = "survey_agent",
    params(("id" = String, Path, description = "Its name."), CanQuery),
    responses((status = 200, description = "One line a tool.", body = Page<PossibilityView>)),
)]
async fn can(
    State(api): State<Api>,
    caller: AnyCaller,
    Named(id): Named<AgentId>,
    Asked(query): Asked<CanQuery>,
) -> Answer<Page<PossibilityView>> {
    let caller = caller.looking()?;
    if caller.sight().1.is_some_and(|own| own != id) {
        return Err(Problem::not_found("agent", &id));
    }
    let agent = std::sync::Arc::new(api.driver.agent_for(&caller.0, &id)?);
    let (configuration, now) = (api.driver.configuration(), api.driver.now());
    let asked = query.call(&api)?;
    let found = api.driver.with_history(|history| match asked {
        Some(call) => vec![ask((&configuration, history), &agent, &call, now)],
        None => survey((&configuration, history), &agent, now),
    });
    let items = found.into_iter().map(PossibilityView::from).collect();
    Ok(Reply::ok(Page::whole(items)))
}

async fn written(api: &Api, person: PersonCaller, spec: AgentSpec) -> Result<Agent, Problem> {
    let driver = api.driver.clone();
    let work = async move { driver.put_agent(&person.caller, spec).await };
    Ok(carried(api, "http-agent", work).await??)
}

/// The tag of an agent: anything about it that changes, changes the tag.
fn tag(agent: &Agent) -> Tag {
    let value = serde_json::to_value(agent).unwrap_or_default();
    Tag::of(json::digest(&value).hex())
}

impl AgentBody {
    fn spec(self, id: AgentId) -> Result<AgentSpec, Problem> {
        bounded("/runtime", self.runtime.as_deref(), NAME_BYTES_MAX)?;
        bounded("/project", self.project.as_deref(), NAME_BYTES_MAX)?;
        Ok(AgentSpec {
            id,
            owner: self.owner,
            role: self.role,
            profile: self.profile.profile()?,
            runtime: self.runtime,
            project: self.project,
            trusted_host: self.trusted_host,
        })
    }
}

impl CanQuery {
    /// The call that is asked about; none where all tools are.
    fn call(self, api: &Api) -> Result<Option<Call>, Problem> {
        let Some(tool) = self.tool else {
            let rest = [self.arguments, self.env, self.workflow, self.resource];
            if rest.iter().any(Option::is_some) {
                return Err(Problem::parameter(
                    "tool",
                    "missing: which tool the rest is about",
                ));
            }
            return Ok(None);
        };
        let text = self.arguments.as_deref().unwrap_or("{}");
        let arguments = json_text("arguments", text, api)?;
        if !arguments.is_object() {
            return Err(Problem::parameter("arguments", "not a JSON object"));
        }
        let (env, workflow, resource) = (self.env, self.workflow, self.resource);
        Ok(Some(Call {
            env,
            workflow,
            resource,
            ..Call::new(tool, arguments)
        }))
    }
}

impl From<Agent> for AgentView {
    fn from(agent: Agent) -> Self {
        Self {
            id: agent.id,
            tenant: agent.tenant,
            owner: agent.owner,
            role: agent.role,
            profile: agent.profile.into(),
            runtime: agent.runtime,
            project: agent.project,
            trusted_host: agent.trusted_host,
            suspended: agent.suspended,
            created_at: agent.created_at,
        }
    }
}

impl From<Possibility> for PossibilityView {
    fn from(possibility: Possibility) -> Self {
        let Possibility {
            tool,
            answer,
            code,
            reason,
        } = possibility;
        Self {
            tool,
            answer,
            code,
            reason,
        }
    }
}
