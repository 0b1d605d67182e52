//! Incidents: what rules with `open_incident` have opened for people to look into.
//!
//! ```text
//! GET   /v1/incidents?state=open
//! PATCH /v1/incidents/{id}   If-Match: "0"   {"state": "closed", "note": "a test account"}
//! ```
//!
//! The tag changes with what people write and not with what is counted: an agent that runs into
//! the rule again and again must not keep anybody from closing it. Must not know: rules.

use axum::extract::State;
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use toolgate_gate::incident::{Incident, IncidentEdit, IncidentFilter, IncidentState, Sighting};
use toolgate_model::{AgentId, IncidentId, InvocationId, Permission, Risk, Timestamp, ToolId};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::PersonCaller;
use crate::body::{Asked, Given};
use crate::conditional::{Expected, Tag};
use crate::named::Named;
use crate::problem::Problem;
use crate::reply::{Answer, Page, PageLimit, Reply, carried};
use crate::state::Api;

/// The routes of this file.
pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(list))
        .routes(routes!(show, change))
}

/// Which incidents to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct IncidentsQuery {
    /// In these states, separated by commas; none: any.
    #[param(example = "open,investigating")]
    state: Option<String>,
    /// Older than this one: the `next` of the page before.
    #[param(value_type = Option<String>)]
    before: Option<IncidentId>,
    /// At most this many, up to 200.
    #[serde(default)]
    #[param(value_type = Option<usize>)]
    limit: PageLimit,
}

/// An incident.
#[derive(Serialize, ToSchema)]
#[schema(as = Incident)]
struct IncidentView {
    /// Its id.
    #[schema(value_type = String)]
    id: IncidentId,
    /// `open`, `investigating` or `closed`.
    #[schema(value_type = String)]
    state: IncidentState,
    /// How bad it is: at first the risk of the tool, then what people say.
    #[schema(value_type = String)]
    severity: Risk,
    /// The document of the rule that opened it.
    policy: String,
    /// The rule.
    rule: String,
    /// The agent whose calls matched.
    #[schema(value_type = String)]
    agent: AgentId,
    /// The tool of the first call.
    #[schema(value_type = String)]
    tool: ToolId,
    /// The first call that matched.
    first: SightingView,
    /// The latest.
    last: SightingView,
    /// How many matched.
    count: u64,
    /// What people wrote down about it.
    note: Option<String>,
    /// Who last changed it.
    #[schema(value_type = Option<String>)]
    changed_by: Option<AgentId>,
    /// When.
    #[schema(value_type = Option<String>, format = DateTime)]
    changed_at: Option<Timestamp>,
}

/// One call that matched.
#[derive(Serialize, ToSchema)]
#[schema(as = IncidentMatch)]
struct SightingView {
    /// The call.
    #[schema(value_type = String)]
    invocation_id: InvocationId,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

/// What changes about an incident; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct IncidentChange {
    /// `open`, `investigating` or `closed`; what is closed stays so.
    #[schema(value_type = Option<String>, examples("closed"))]
    state: Option<IncidentState>,
    /// `low`, `medium`, `high` or `critical`.
    #[schema(value_type = Option<String>)]
    severity: Option<Risk>,
    /// What is to be written down about it.
    note: Option<String>,
}

/// List incidents
///
/// Those of the caller's tenant, newest first.
#[utoipa::path(
    get, path = "/v1/incidents", tag = "incidents", operation_id = "list_incidents",
    params(IncidentsQuery),
    responses((status = 200, description = "One page of them.", body = Page<IncidentView>)),
)]
async fn list(
    State(api): State<Api>,
    person: PersonCaller,
    Asked(query): Asked<IncidentsQuery>,
) -> Answer<Page<IncidentView>> {
    person.require(Permission::View)?;
    let limit = query.limit.get()?;
    let filter = IncidentFilter {
        states: states(query.state.as_deref())?,
        before: query.before,
        limit: limit + 1,
        ..IncidentFilter::default()
    };
    let found = api.driver.incidents(&person.caller, filter).await?;
    let items = found.into_iter().map(IncidentView::from).collect();
    Ok(Reply::ok(Page::cut(items, limit, |last: &IncidentView| {
        last.id.to_string()
    })))
}

/// Look at an incident
#[utoipa::path(
    get, path = "/v1/incidents/{id}", tag = "incidents", operation_id = "get_incident",
    params(("id" = String, Path, description = "Its id, `inc_…`.")),
    responses((status = 200, description = "The incident, with its `ETag`.", body = IncidentView)),
)]
async fn show(
    State(api): State<Api>,
    person: PersonCaller,
    Named(id): Named<IncidentId>,
) -> Answer<IncidentView> {
    person.require(Permission::View)?;
    let incident = api.driver.incident(&person.caller, &id).await?;
    Ok(shown(incident))
}

/// Change an incident
///
/// With `If-Match` and the `ETag` that was seen. What is closed stays closed: the next match opens
/// another.
#[utoipa::path(
    patch, path = "/v1/incidents/{id}", tag = "incidents", operation_id = "change_incident",
    params(
        ("id" = String, Path, description = "Its id, `inc_…`."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that was seen."),
    ),
    request_body = IncidentChange,
    responses((status = 200, description = "As it is now.", body = IncidentView)),
)]
async fn change(
    State(api): State<Api>,
    person: PersonCaller,
    Named(id): Named<IncidentId>,
    headers: HeaderMap,
    Given(body): Given<IncidentChange>,
) -> Answer<IncidentView> {
    person.require(Permission::Approve)?;
    let expected = Expected::of(&headers)?;
    let present = api.driver.incident(&person.caller, &id).await?;
    expected.meets(Some(&tag(&present)))?;
    let edit = IncidentEdit {
        state: body.state,
        severity: body.severity,
        note: body.note,
    };
    let (driver, seen) = (api.driver.clone(), present.revision);
    let work = async move {
        driver
            .edit_incident(&person.caller, &id, (seen, edit))
            .await
    };
    let incident = carried(&api, "http-incident", work).await??;
    Ok(shown(incident))
}

fn shown(incident: Incident) -> Reply<IncidentView> {
    let tag = tag(&incident);
    Reply::ok(IncidentView::from(incident)).tagged(&tag)
}

fn tag(incident: &Incident) -> Tag {
    Tag::of(incident.revision)
}

fn states(text: Option<&str>) -> Result<Vec<IncidentState>, Problem> {
    let words = text.into_iter().flat_map(|text| text.split(','));
    let state = |word: &str| {
        IncidentState::parse(word.trim()).ok_or_else(|| {
            let detail = format!("`{word}` is none of `open`, `investigating`, `closed`");
            Problem::parameter("state", detail)
        })
    };
    words.map(state).collect()
}

impl From<Incident> for IncidentView {
    fn from(incident: Incident) -> Self {
        Self {
            id: incident.id,
            state: incident.state,
            severity: incident.severity,
            policy: incident.rule.policy,
            rule: incident.rule.rule,
            agent: incident.agent,
            tool: incident.tool,
            first: incident.first.into(),
            last: incident.last.into(),
            count: incident.count,
            note: incident.note,
            changed_by: incident.changed_by,
            changed_at: incident.changed_at,
        }
    }
}

impl From<Sighting> for SightingView {
    fn from(sighting: Sighting) -> Self {
        Self {
            invocation_id: sighting.invocation,
            at: sighting.at,
        }
    }
}
