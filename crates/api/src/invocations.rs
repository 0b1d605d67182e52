//! Invocations: propose a call, look at it, withdraw it, settle its doubt.
//!
//! ```text
//! POST /v1/invocations                     → 200 with the envelope, denials too
//! GET  /v1/invocations?status=needs_operator
//! GET  /v1/invocations/{id}?wait_ms=20000  → waits for an end, then the same envelope
//! POST /v1/invocations/{id}/cancel · POST …/reconcile · POST …/resolve · GET …/receipt
//! ```
//!
//! An agent sees its own, a person those of their tenant. A caller who goes away does not cancel
//! the call: it is carried to its end. Must not know: how a call is decided.

use axum::extract::State;
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use toolgate_driver::{Landed, Outcome, Watch};
use toolgate_execution::{Invocation, Status};
use toolgate_gate::Caller;
use toolgate_gate::port::{InvocationFilter, RecordFilter};
use toolgate_model::{
    AgentId, Duration, InvocationId, KeyId, Mode, RecordId, Risk, Timestamp, ToolId, Verdict,
};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::{AgentCaller, AnyCaller, PersonCaller};
use crate::body::{Asked, Given, Maybe, Nothing};
use crate::call::InvocationRequest;
use crate::doubt::DoubtView;
use crate::envelope::{self, Envelope};
use crate::named::Named;
use crate::problem::Problem;
use crate::reply::{Answer, Page, PageLimit, Reply, carried};
use crate::state::Api;

/// Records that are named in one envelope.
// LIMIT: two hundred; votes, attempts and requeues of one invocation stay far below.
const EVIDENCE_MAX: usize = 200;

/// The routes of this file.
pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(propose, list))
        .routes(routes!(show))
        .routes(routes!(cancel))
        .routes(routes!(reconcile))
        .routes(routes!(resolve))
}

/// What to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct InvocationsQuery {
    /// In these states, separated by commas.
    #[param(example = "pending_approval,needs_operator")]
    status: Option<String>,
    /// Of this agent.
    #[param(value_type = Option<String>)]
    agent: Option<AgentId>,
    /// Of this tool.
    #[param(value_type = Option<String>)]
    tool: Option<ToolId>,
    /// Of what belongs together.
    correlation_id: Option<String>,
    /// Older than this one: the `next` of the page before.
    #[param(value_type = Option<String>)]
    before: Option<InvocationId>,
    /// At most this many, up to 200.
    #[serde(default)]
    #[param(value_type = Option<usize>)]
    limit: PageLimit,
}

/// How long to wait.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct WaitQuery {
    /// Wait so many milliseconds for it to end or to need a person.
    wait_ms: Option<u32>,
}

/// One invocation of a list.
#[derive(Serialize, ToSchema)]
#[schema(as = InvocationSummary)]
struct InvocationItem {
    /// Its id.
    #[schema(value_type = String)]
    invocation_id: InvocationId,
    /// The tool.
    #[schema(value_type = String)]
    capability_id: ToolId,
    /// The agent.
    #[schema(value_type = String)]
    agent: AgentId,
    /// The environment in force.
    env: Option<String>,
    /// The workflow in force.
    workflow: Option<String>,
    /// What the call is about, `type:id`.
    resource: Option<String>,
    /// What it belongs to.
    correlation_id: Option<String>,
    /// As in the envelope.
    outcome: &'static str,
    /// The state of the invocation.
    #[schema(value_type = String)]
    status: Status,
    /// The stable code, where it did not run or did not succeed.
    code: Option<String>,
    /// How it was first decided.
    #[schema(value_type = String)]
    verdict: Verdict,
    /// The tool's risk.
    #[schema(value_type = Option<String>)]
    risk: Option<Risk>,
    /// The approval that it waits for.
    approval_id: Option<String>,
    /// When it was proposed.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// An invocation with everything that was said in its call.
#[derive(Serialize, ToSchema)]
struct InvocationDetail {
    #[serde(flatten)]
    envelope: Envelope,
    /// What was called, by whom.
    call: CallView,
    /// What is known of a lost answer, while the call is in doubt; for people.
    doubt: Option<DoubtView>,
}

/// What was called, by whom.
#[derive(Serialize, ToSchema)]
#[schema(as = Call)]
struct CallView {
    /// The agent.
    #[schema(value_type = String)]
    agent: AgentId,
    /// The person who owns it.
    #[schema(value_type = String)]
    owner: AgentId,
    /// The credential that authenticated it.
    #[schema(value_type = String)]
    key: KeyId,
    /// The arguments that would run.
    #[schema(value_type = Object)]
    arguments: Value,
    /// The environment in force.
    env: Option<String>,
    /// The workflow in force.
    workflow: Option<String>,
    /// What the call is about, `type:id`.
    resource: Option<String>,
    /// Whether the gate made the resource from the arguments, or the caller only claims it.
    resource_derived: bool,
    /// The caller's session.
    session_id: Option<String>,
    /// The agent's own words, which nobody checked.
    justification: Option<String>,
    /// What the caller wanted done.
    #[schema(value_type = String)]
    mode: Mode,
    /// When it was proposed.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// What a person says of a call in doubt.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Resolution {
    /// Whether the effect is there, or that it is to be sent again.
    finding: Finding,
    /// How you know.
    reason: String,
}

/// Whether an effect is there.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Finding {
    /// It is there.
    Landed,
    /// It is not, and will not come.
    NotLanded,
    /// It is not; send the same request once more, if the gate would still allow it.
    Retry,
}

/// Propose a call
///
/// The gate decides it and, where it is allowed and `mode` is `execute`, runs it once. With `host`
/// an allow comes with a lease, under which the caller runs it and reports. Everything the gate processed is answered with 200 and the outcome envelope, denials too. The same
/// `Idempotency-Key` with the same call is answered with the first outcome again.
#[utoipa::path(
    post, path = "/v1/invocations", tag = "invocations", operation_id = "propose_invocation",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes repeating safe.")),
    request_body = InvocationRequest,
    responses((status = 200, description = "What became of it.", body = Envelope)),
)]
async fn propose(
    State(api): State<Api>,
    AgentCaller(identity): AgentCaller,
    headers: HeaderMap,
    Given(mut request): Given<InvocationRequest>,
) -> Answer<Envelope> {
    let identity = request.maker(identity)?;
    let wait = request.wait(api.limits.wait_ms_max)?;
    let (call, recognition) = request.call(&headers, &api)?;
    if call.user_request.is_some() && !identity.agent.trusted_host {
        let detail = "only a trusted host says what its user said: leave it out, or register the \
                      agent with `trusted_host`";
        return Err(Problem::field("/user_request", detail));
    }
    let driver = api.driver.clone();
    let watch = Watch {
        wait,
        ..Watch::default()
    };
    let submit = async move { driver.submit(&identity, call, watch).await };
    let mut outcome = carried(&api, "http-invocation", submit).await?;
    let joined = outcome.replayed || outcome.duplicate_of.is_some();
    if joined || wait > Duration::default() {
        outcome.evidence = evidence(&api, &outcome.invocation).await?;
    }
    let envelope = Envelope::of(&outcome, &api.public_url);
    let reply = Reply::ok(match &recognition {
        Some(recognition) if !outcome.invocation.is_hosts() => {
            envelope.with_request(&outcome, recognition)
        }
        Some(_) | None => envelope,
    });
    Ok(if outcome.replayed {
        reply.with("idempotency-replayed", "true")
    } else {
        reply
    })
}

/// List invocations
///
/// Newest first. An agent sees its own, a person those of their tenant.
#[utoipa::path(
    get, path = "/v1/invocations", tag = "invocations", operation_id = "list_invocations",
    params(InvocationsQuery),
    responses((status = 200, description = "A page.", body = Page<InvocationItem>)),
)]
async fn list(
    State(api): State<Api>,
    caller: AnyCaller,
    Asked(query): Asked<InvocationsQuery>,
) -> Answer<Page<InvocationItem>> {
    let caller = caller.looking()?;
    let limit = query.limit.get()?;
    let (tenant, own) = caller.sight();
    if own.is_some() && query.agent.is_some() && own != query.agent {
        return Ok(Reply::ok(Page::whole(Vec::new())));
    }
    let filter = InvocationFilter {
        tenant: Some(tenant),
        agent: own.or(query.agent),
        statuses: statuses(query.status.as_deref())?,
        tool: query.tool,
        correlation: query.correlation_id,
        before: query.before,
        limit: limit + 1,
    };
    let found = api.driver.listed(&caller.0, filter).await?;
    let items = found
        .iter()
        .map(|invocation| item(invocation, &api.public_url))
        .collect();
    let cursor = |item: &InvocationItem| item.invocation_id.to_string();
    Ok(Reply::ok(Page::cut(items, limit, cursor)))
}

/// Look at an invocation
///
/// With `wait_ms` the answer comes once it has ended, needs a person, or the time is up.
#[utoipa::path(
    get, path = "/v1/invocations/{id}", tag = "invocations", operation_id = "get_invocation",
    params(("id" = String, Path, description = "`inv_…`"), WaitQuery),
    responses((status = 200, description = "How it stands.", body = InvocationDetail)),
)]
async fn show(
    State(api): State<Api>,
    AnyCaller(caller): AnyCaller,
    Named(id): Named<InvocationId>,
    Asked(query): Asked<WaitQuery>,
) -> Answer<InvocationDetail> {
    let mut invocation = api.driver.invocation(&caller, &id).await?;
    let wait = query.wait_ms.unwrap_or_default();
    if wait > api.limits.wait_ms_max {
        let detail = format!("{wait} is more than the {} allowed", api.limits.wait_ms_max);
        return Err(Problem::parameter("wait_ms", detail));
    }
    if wait > 0 {
        let until = api.driver.now().plus(Duration::from_millis(wait));
        invocation = api.driver.wait(&id, until).await?;
    }
    let call = CallView::from(&invocation);
    let doubt = match caller {
        Caller::Person { .. } => DoubtView::of(&api, &invocation).await?,
        // What to do about a doubt is nothing for whoever made the call.
        Caller::Agent(_) => None,
    };
    let envelope = stored(&api, invocation).await?;
    Ok(Reply::ok(InvocationDetail {
        envelope,
        call,
        doubt,
    }))
}

/// Withdraw a call that waits
///
/// By its own agent, or by a person who may approve. What is running already is not stopped.
#[utoipa::path(
    post, path = "/v1/invocations/{id}/cancel", tag = "invocations",
    operation_id = "cancel_invocation",
    params(("id" = String, Path, description = "`inv_…`")),
    request_body = Option<Nothing>,
    responses((status = 200, description = "How it stands.", body = Envelope)),
)]
async fn cancel(
    State(api): State<Api>,
    AnyCaller(caller): AnyCaller,
    Named(id): Named<InvocationId>,
    Maybe(Nothing {}): Maybe<Nothing>,
) -> Answer<Envelope> {
    let driver = api.driver.clone();
    let work = async move { driver.cancel(&caller, &id).await };
    let outcome = carried(&api, "http-cancel", work).await??;
    Ok(Reply::ok(Envelope::of(&outcome, &api.public_url)))
}

/// Look for the effect of a call in doubt now
///
/// By a person who may approve. Answers once that is durable; follow it with
/// `GET /v1/invocations/{id}?wait_ms=`. Refused where the tool's descriptor names no way to look.
#[utoipa::path(
    post, path = "/v1/invocations/{id}/reconcile", tag = "invocations",
    operation_id = "reconcile_invocation",
    params(("id" = String, Path, description = "`inv_…`")),
    request_body = Option<Nothing>,
    responses((status = 200, description = "How it stands.", body = Envelope)),
)]
async fn reconcile(
    State(api): State<Api>,
    person: PersonCaller,
    Named(id): Named<InvocationId>,
    Maybe(Nothing {}): Maybe<Nothing>,
) -> Answer<Envelope> {
    let driver = api.driver.clone();
    let work = async move { driver.reconcile(&person.caller, &id).await };
    let outcome = carried(&api, "http-reconcile", work).await??;
    Ok(Reply::ok(Envelope::of(&outcome, &api.public_url)))
}

/// Say what happened to a call in doubt
///
/// Only a person who may approve can, and their reason stays on the record. `retry` is decided
/// again under what is in force now, and goes out under the same downstream key.
#[utoipa::path(
    post, path = "/v1/invocations/{id}/resolve", tag = "invocations",
    operation_id = "resolve_invocation",
    params(("id" = String, Path, description = "`inv_…`")),
    request_body = Resolution,
    responses((status = 200, description = "How it stands.", body = Envelope)),
)]
async fn resolve(
    State(api): State<Api>,
    person: PersonCaller,
    Named(id): Named<InvocationId>,
    Given(Resolution { finding, reason }): Given<Resolution>,
) -> Answer<Envelope> {
    let landed = match finding {
        Finding::Landed => Landed::Yes,
        Finding::NotLanded => Landed::No,
        Finding::Retry => Landed::Retry,
    };
    let driver = api.driver.clone();
    let work = async move { driver.resolve(&person.caller, &id, (landed, reason)).await };
    let outcome = carried(&api, "http-resolve", work).await??;
    Ok(Reply::ok(Envelope::of(&outcome, &api.public_url)))
}

/// The envelope of an invocation as it is stored, with all its records.
pub(crate) async fn stored(api: &Api, invocation: Invocation) -> Result<Envelope, Problem> {
    let evidence = evidence(api, &invocation).await?;
    let outcome = Outcome {
        invocation,
        evidence,
        replayed: false,
        duplicate_of: None,
        lease: None,
    };
    Ok(Envelope::of(&outcome, &api.public_url))
}

/// The records of an invocation, oldest first.
async fn evidence(api: &Api, invocation: &Invocation) -> Result<Vec<RecordId>, Problem> {
    let filter = RecordFilter {
        tenant: Some(invocation.proposal.tenant.clone()),
        invocation: Some(invocation.id.clone()),
        limit: EVIDENCE_MAX,
        ..RecordFilter::default()
    };
    let records = api.driver.store().records(filter).await?;
    // A record that does not read any more is for the verifier to find, not for this answer.
    Ok(records
        .iter()
        .filter_map(|record| record.entry().ok())
        .map(|entry| entry.id)
        .collect())
}

fn statuses(text: Option<&str>) -> Result<Vec<Status>, Problem> {
    let words = text.into_iter().flat_map(|text| text.split(','));
    words
        .map(|word| {
            Status::parse(word).ok_or_else(|| {
                let known: Vec<_> = Status::ALL.iter().map(|(_, word)| *word).collect();
                let detail = format!("`{word}` is no status: one of {}", known.join(", "));
                Problem::parameter("status", detail)
            })
        })
        .collect()
}

fn item(invocation: &Invocation, public_url: &str) -> InvocationItem {
    let proposal = &invocation.proposal;
    let denial = envelope::denial(invocation, public_url);
    let outcome = envelope::word(invocation, denial.as_ref());
    let error = envelope::error(invocation).map(|error| error.code);
    let code = denial.map(|denial| denial.code).or(error);
    InvocationItem {
        invocation_id: invocation.id.clone(),
        capability_id: proposal.tool.clone(),
        agent: proposal.agent.clone(),
        env: proposal.env.clone(),
        workflow: proposal.workflow.clone(),
        resource: proposal
            .resource
            .as_ref()
            .map(|resource| resource.name.clone()),
        correlation_id: proposal.correlation.clone(),
        outcome,
        status: invocation.status(),
        code: code.map(|code| code.to_string()),
        verdict: proposal.decision.verdict,
        risk: proposal.decision.risk,
        approval_id: invocation
            .state
            .frozen()
            .map(|frozen| frozen.approval.to_string()),
        created_at: invocation.created_at,
        updated_at: invocation.updated_at,
    }
}

impl From<&Invocation> for CallView {
    fn from(invocation: &Invocation) -> Self {
        let proposal = &invocation.proposal;
        let resource = proposal.resource.as_ref();
        Self {
            agent: proposal.agent.clone(),
            owner: proposal.owner.clone(),
            key: proposal.key.clone(),
            arguments: proposal.arguments.clone(),
            env: proposal.env.clone(),
            workflow: proposal.workflow.clone(),
            resource: resource.map(|resource| resource.name.clone()),
            resource_derived: resource.is_some_and(|resource| resource.derived),
            session_id: proposal.session.clone(),
            justification: proposal.justification.clone(),
            mode: proposal.mode,
            created_at: invocation.created_at,
        }
    }
}
