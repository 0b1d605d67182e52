//! Access requests: people are asked whether what was denied may be done after all.
//!
//! ```text
//! evaluation → no, context.access_request → POST /access/v1/requests → task, pending
//!   → people decide → GET the task → approved → evaluation with context.approval → yes, once
//! ```
//!
//! The Access Request and Approval profile of AuthZEN (draft 1) on the approvals that the gate has
//! anyway: a request is a call that its caller will run itself, frozen; the task is its invocation.
//! Asking for it is decided again, so only what needs approval *now* gets one. Must not know: who may
//! approve, which the machine and the driver say.

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use serde::Deserialize;
use serde_json::Value;
use toolgate_driver::{Failed, Outcome};
use toolgate_execution::{Invocation, State as Stage};
use toolgate_gate::Caller;
use toolgate_model::{Call, Code, Identity, InvocationId, Mode, Timestamp, Verdict};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::{Access, Action, Context, Entity, Wanted};
use super::binding::{Binder, Bound, Unbound, digest};
use super::evaluation::Asker;
use super::task::{Task, TaskView};
use super::tolerant::{Tolerant, Tolerates};
use super::whom::{Whom, speaks_under, whom};
use crate::auth::AgentCaller;
use crate::call::idempotency_key;
use crate::kinds::Kind;
use crate::problem::Problem;
use crate::reply::{Answer, Reply, carried};
use crate::state::Api;

/// Where access requests go.
pub(super) const PATH: &str = "/access/v1/requests";

/// The routes of this file.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(request))
        .routes(routes!(show))
        .routes(routes!(cancel))
}

/// What was denied, and is asked for.
#[derive(Deserialize, ToSchema)]
struct AccessRequest {
    /// The subject of the denied evaluation.
    subject: Option<Entity>,
    /// Its action.
    action: Option<Action>,
    /// Its resource.
    resource: Option<Entity>,
    /// Its context; `justification` or `business_justification` says why it is wanted.
    context: Option<Context>,
    /// What ties the request to the denial. Required.
    denial: Option<DenialEcho>,
    /// Several things at once: not available, ask for each.
    #[schema(value_type = Option<Vec<Object>>)]
    items: Option<Value>,
    /// Who is to be told: not available, poll the task or have a webhook of the gate tell you.
    #[schema(value_type = Option<Object>)]
    callback: Option<Value>,
}

/// What came with the denial.
#[derive(Deserialize, ToSchema)]
struct DenialEcho {
    /// `context.evaluation_id`.
    evaluation_id: Option<String>,
    /// `context.access_request.expires_at`.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// `context.access_request.binding_token`. Required.
    binding_token: Option<String>,
}

impl Tolerates for AccessRequest {}

/// Ask people for what was denied
///
/// AuthZEN Access Request and Approval profile. The denial must have had `context.access_request`. The
/// same request again joins the first; so does the same `Idempotency-Key`.
#[utoipa::path(
    post, path = "/access/v1/requests", tag = "authzen", operation_id = "request_access",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes repeating safe.")),
    request_body = AccessRequest,
    responses(
        (status = 202, description = "People are asked.", body = TaskView),
        (status = 201, description = "It is decided already.", body = TaskView),
    ),
)]
async fn request(
    State(api): State<Api>,
    Extension(binder): Extension<Binder>,
    AgentCaller(me): AgentCaller,
    headers: HeaderMap,
    Tolerant(request): Tolerant<AccessRequest>,
) -> Answer<TaskView> {
    let key = idempotency_key(&headers)?;
    let asker = Asker::new(&api, Caller::Agent(me), binder);
    let work = async move { asker.request(request, key).await };
    let task = carried(&api, "authzen-request", work).await??;
    let pending = task.is_pending();
    let reply = if pending {
        Reply::accepted(task.view(&api))
    } else {
        Reply::created(task.view(&api))
    };
    Ok(polled(reply, pending))
}

/// Look at an access request
///
/// By whoever asked, or a host that may speak for them.
#[utoipa::path(
    get, path = "/access/v1/requests/{id}", tag = "authzen", operation_id = "get_access_request",
    params(("id" = String, Path, description = "`task.id`.")),
    responses((status = 200, description = "How it stands.", body = TaskView)),
)]
async fn show(
    State(api): State<Api>,
    AgentCaller(me): AgentCaller,
    Path(id): Path<String>,
) -> Answer<TaskView> {
    let (_, invocation) = mine(&api, &me, &id).await?;
    let task = Task(invocation);
    let pending = task.is_pending();
    Ok(polled(Reply::ok(task.view(&api)), pending))
}

/// Withdraw an access request
///
/// Only while it is pending. A body is not read: who withdrew it stands on the record.
#[utoipa::path(
    post, path = "/access/v1/requests/{id}/cancel", tag = "authzen",
    operation_id = "cancel_access_request",
    params(("id" = String, Path, description = "`task.id`.")),
    request_body = Option<Object>,
    responses((status = 200, description = "How it stands.", body = TaskView)),
)]
async fn cancel(
    State(api): State<Api>,
    AgentCaller(me): AgentCaller,
    Path(id): Path<String>,
) -> Answer<TaskView> {
    let (identity, invocation) = mine(&api, &me, &id).await?;
    if !Task(invocation.clone()).is_pending() {
        let detail = format!("the request is `{}` already", Task(invocation).word());
        return Err(Problem::new(Kind::InvalidTaskState, detail));
    }
    let driver = api.driver.clone();
    let work = async move {
        driver
            .cancel(&Caller::Agent(identity), &invocation.id)
            .await
    };
    match carried(&api, "authzen-cancel", work).await? {
        Ok(outcome) => Ok(Reply::ok(Task(outcome.invocation).view(&api))),
        // It was decided in the meantime.
        Err(Failed::Refused(refusal)) => {
            Err(Problem::new(Kind::InvalidTaskState, refusal.to_string()))
        }
        Err(failed) => Err(failed.into()),
    }
}

fn polled(reply: Reply<TaskView>, pending: bool) -> Reply<TaskView> {
    if pending {
        reply.with("retry-after", "5")
    } else {
        reply
    }
}

impl Asker {
    /// Has people asked.
    async fn request(&self, request: AccessRequest, key: Option<String>) -> Result<Task, Problem> {
        let (access, denial) = request.parts()?;
        let evaluation = self.bound(&access, &denial)?;
        let Whom::Known(asked) = whom(&self.api, &self.caller, access.about())? else {
            return Err(unbound("the subject is nobody here"));
        };
        let Some(call) = self.call(&access, &asked)? else {
            return Err(unbound("there is no such tool"));
        };
        let identity = match asked.recorded(&self.api).await? {
            Some(Ok(identity)) => identity,
            Some(Err(denial)) => return Err(not_requestable(&denial.message)),
            None => return Err(not_requestable("a person asks for nothing")),
        };
        let call = Call {
            mode: Mode::Host,
            idempotency_key: key,
            // What was denied, what is asked for and what is done then belong together.
            correlation: call.correlation.or(Some(evaluation.to_string())),
            ..call
        };
        let outcome = self.api.driver.ask(&identity, call).await;
        taken(outcome)
    }

    /// The evaluation that a request is tied to.
    fn bound(&self, access: &Access, denial: &DenialEcho) -> Result<InvocationId, Problem> {
        let token = denial.binding_token.as_deref();
        let token = token.ok_or_else(|| unbound("`denial.binding_token` is missing"))?;
        let audience = endpoint(&self.api);
        let bound = Bound {
            audience: &audience,
            requester: self.name(),
            digest: digest(access),
        };
        let (evaluation, expires_at) = match self.binder.open(token, &bound, self.api.driver.now())
        {
            Ok(opened) => opened,
            Err(Unbound::Expired) => {
                let detail = "too much time has passed since the denial: evaluate again";
                return Err(Problem::new(Kind::ExpiredDenial, detail));
            }
            Err(Unbound::Foreign) => {
                let said = "the token is not of this denial, caller, subject, action, resource and \
                            context: evaluate again, and repeat them as they were";
                return Err(unbound(said));
            }
        };
        let echoed = denial
            .evaluation_id
            .as_deref()
            .is_none_or(|id| id == evaluation.as_str());
        let until = denial.expires_at.is_none_or(|until| until == expires_at);
        if !echoed || !until {
            return Err(unbound(
                "`evaluation_id` or `expires_at` is not that of the token",
            ));
        }
        Ok(evaluation)
    }
}

/// Where access requests go, whole.
pub(super) fn endpoint(api: &Api) -> String {
    format!("{}{PATH}", api.public_url)
}

/// What became of asking.
fn taken(outcome: Outcome) -> Result<Task, Problem> {
    let invocation = outcome.invocation;
    match &invocation.state {
        Stage::Proposed => Err(not_requestable(
            "it needs no approval any more: evaluate again",
        )),
        Stage::Denied { denial } if denial.code == Code::IdempotencyConflict => {
            Err(Problem::new(Kind::DuplicateRequest, denial.message.clone()))
        }
        Stage::Denied { denial } if invocation.proposal.decision.verdict == Verdict::Deny => {
            Err(not_requestable(&denial.message))
        }
        _ => Ok(Task(invocation)),
    }
}

fn unbound(detail: &str) -> Problem {
    Problem::new(Kind::InvalidDenialBinding, detail)
}

fn not_requestable(detail: &str) -> Problem {
    Problem::new(Kind::NotRequestable, detail)
}

/// The request of this id, where this agent asked for it or may speak for whoever did, and the
/// identity that it was asked with.
async fn mine(api: &Api, me: &Identity, id: &str) -> Result<(Identity, Invocation), Problem> {
    let unknown = || Problem::new(Kind::UnknownTask, "there is no such access request");
    let id: InvocationId = id.parse().map_err(|_| unknown())?;
    let found = api
        .driver
        .store()
        .invocation(&id)
        .await?
        .ok_or_else(unknown)?;
    let proposal = &found.proposal;
    let asked_so =
        proposal.mode == Mode::Host && proposal.decision.verdict == Verdict::RequireApproval;
    let own = proposal.agent == me.agent.id && proposal.tenant == me.agent.tenant;
    let acts_for_them = me.agent.trusted_host
        || me.user.as_ref().map(|user| &user.id) == proposal.user.as_ref().map(|user| &user.id);
    if !asked_so || !(own && acts_for_them || speaks_under(api, me, proposal).await) {
        return Err(unknown());
    }
    let standing = api
        .driver
        .configuration()
        .standing(&proposal.key, api.driver.now());
    let user = proposal.user.clone().map(std::sync::Arc::new);
    Ok((standing?.acting_for(user), found))
}

impl AccessRequest {
    fn parts(self) -> Result<(Access, DenialEcho), Problem> {
        let absent = [
            ("/items", self.items.is_some(), "send one request for each"),
            (
                "/callback",
                self.callback.is_some(),
                "poll the task, or have a webhook of the gate tell you",
            ),
        ];
        if let Some((pointer, _, fix)) = absent.iter().find(|(_, given, _)| *given) {
            return Err(Problem::field(pointer, format!("not available: {fix}")));
        }
        let wanted = Wanted {
            subject: self.subject,
            action: self.action,
            resource: self.resource,
            context: self.context,
        };
        let denial = self.denial.ok_or_else(|| unbound("`denial` is missing"))?;
        Ok((wanted.whole()?, denial))
    }
}
