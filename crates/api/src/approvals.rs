//! Approvals: what waits for people, the snapshot they decide on, and their decisions.
//!
//! ```text
//! GET  /v1/approvals                 → what is pending
//! GET  /v1/approvals/{id}            → the snapshot itself, its digest, votes, terms, expiry
//! POST /v1/approvals/{id}/decision   {"digest": "sha256:…", "decision": "approve"}
//! ```
//!
//! A decision names the digest that its maker saw. The agent's own words stand apart and are
//! marked as such: they are written by whoever wants the approval. Must not know: who may decide,
//! which the machine and the driver say.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use toolgate_execution::{Choice, Drift, Escalation, Frozen, Invocation, Refusal, Status, Vote};
use toolgate_gate::Caller;
use toolgate_gate::port::InvocationFilter;
use toolgate_model::{AgentId, ApprovalId, Digest, InvocationId, Risk, Role, Timestamp, ToolId};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::AnyCaller;
use crate::body::{Asked, Given};
use crate::envelope::Envelope;
use crate::invocations::stored;
use crate::kinds::Kind;
use crate::named::Named;
use crate::problem::Problem;
use crate::reply::{Answer, Page, PageLimit, Reply, carried};
use crate::standing::Standing;
use crate::state::Api;

/// Hex digits of the shortest prefix that names a digest.
// LIMIT: eight, 32 bits: enough to tell the one snapshot that an approval has from a stale one.
const PREFIX_DIGITS_MIN: usize = 8;

/// States in which an approval can be listed, by the word of the query.
const LISTED: [(&str, Status); 5] = [
    ("pending", Status::PendingApproval),
    ("approved", Status::Approved),
    ("rejected", Status::Rejected),
    ("expired", Status::Expired),
    ("cancelled", Status::Cancelled),
];

/// The routes of this file.
pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(decide))
}

/// What to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ApprovalsQuery {
    /// `pending` (the default), `approved` (and not run yet), `rejected`, `expired`, `cancelled`.
    status: Option<String>,
    /// Older than this invocation: the `next` of the page before.
    #[param(value_type = Option<String>)]
    before: Option<InvocationId>,
    /// At most this many, up to 200.
    #[serde(default)]
    #[param(value_type = Option<usize>)]
    limit: PageLimit,
}

/// One approval.
#[derive(Serialize, ToSchema)]
#[schema(as = Approval)]
struct ApprovalView {
    /// Its id.
    #[schema(value_type = String)]
    approval_id: ApprovalId,
    /// The call that waits.
    #[schema(value_type = String)]
    invocation_id: InvocationId,
    /// `pending`, `approved`, `used`, `rejected`, `expired`, `cancelled` or `voided` (the call was
    /// denied, or frozen again, after it was approved).
    status: &'static str,
    /// What a decision must name.
    #[schema(value_type = Option<String>)]
    digest: Option<Digest>,
    /// Everything that will run and everything it was judged on, while it waits.
    #[schema(value_type = Option<Object>)]
    snapshot: Option<Value>,
    /// Who must decide and how many, while it waits.
    terms: Option<TermsView>,
    /// What was decided so far.
    votes: Vec<VoteView>,
    /// The tool.
    #[schema(value_type = String)]
    tool: ToolId,
    /// The agent that asks.
    #[schema(value_type = String)]
    agent: AgentId,
    /// The person who owns it, and who cannot decide.
    #[schema(value_type = String)]
    owner: AgentId,
    /// The tool's risk.
    #[schema(value_type = Option<String>)]
    risk: Option<Risk>,
    /// What the agent says about it, apart from what was checked.
    justification: Option<Claim>,
    /// When it was frozen.
    #[schema(value_type = Option<String>, format = DateTime)]
    frozen_at: Option<Timestamp>,
    /// When it lapses.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// How often a changed target has sent it back.
    requeues: u32,
    /// What changed since the snapshot that was approved before, field by field.
    drift: Vec<DriftView>,
    /// The pinned facts of what it is about, as read live when it was frozen.
    #[schema(value_type = Option<Object>)]
    entity: Option<Value>,
    /// Who else may decide once nobody has for a while.
    escalation: Option<EscalationView>,
}

/// One pinned field that changed.
#[derive(Serialize, ToSchema)]
#[schema(as = Drift)]
struct DriftView {
    /// Its name: `entity.customer`.
    field: String,
    /// What was approved.
    #[schema(value_type = Object)]
    before: Value,
    /// What is there now.
    #[schema(value_type = Object)]
    after: Value,
}

/// What happens when nobody decides.
#[derive(Serialize, ToSchema)]
#[schema(as = Escalation)]
struct EscalationView {
    /// From when on others may decide too.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Who: groups, roles or people.
    to: Vec<String>,
    /// Whether that time has come and they were told.
    told: bool,
}

/// Who must decide and how many.
#[derive(Serialize, ToSchema)]
struct TermsView {
    /// Groups, roles or people; empty: whoever may approve at all.
    approvers: Vec<String>,
    /// How many different people.
    quorum: u32,
}

/// One decision of one person.
#[derive(Serialize, ToSchema)]
#[schema(as = Vote)]
struct VoteView {
    /// Who.
    #[schema(value_type = String)]
    by: AgentId,
    /// Their role at that time.
    #[schema(value_type = String)]
    role: Role,
    /// `approve`, `deny` or `send_back`.
    #[schema(value_type = String)]
    decision: Choice,
    /// The digest they saw.
    #[schema(value_type = String)]
    digest: Digest,
    /// Why; the agent may read it.
    reason: Option<String>,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

/// Words that nobody checked.
#[derive(Serialize, ToSchema)]
struct Claim {
    /// Who says it.
    #[schema(value_type = String)]
    said_by: AgentId,
    /// Always false: nobody checked it.
    verified: bool,
    /// What they say.
    text: String,
}

/// A person's decision.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ApprovalDecision)]
struct DecisionBody {
    /// The digest of the snapshot that was looked at, or its first eight hex digits or more.
    digest: String,
    /// `approve`, `deny`, or `send_back` to ask for something else.
    #[schema(value_type = String, examples("approve", "deny", "send_back"))]
    decision: Choice,
    /// Why. Needed for anything but `approve`; the agent may read it.
    reason: Option<String>,
}

/// List approvals
///
/// Newest first, those that are pending unless asked otherwise.
#[utoipa::path(
    get, path = "/v1/approvals", tag = "approvals", operation_id = "list_approvals",
    params(ApprovalsQuery),
    responses((status = 200, description = "A page.", body = Page<ApprovalView>)),
)]
async fn list(
    State(api): State<Api>,
    caller: AnyCaller,
    Asked(query): Asked<ApprovalsQuery>,
) -> Answer<Page<ApprovalView>> {
    let caller = caller.looking()?;
    let limit = query.limit.get()?;
    let (tenant, agent) = caller.sight();
    let filter = InvocationFilter {
        tenant: Some(tenant),
        agent,
        statuses: vec![status(query.status.as_deref())?],
        before: query.before,
        limit: limit + 1,
        ..InvocationFilter::default()
    };
    let found = api.driver.listed(&caller.0, filter).await?;
    let page = Page::cut(found, limit, |invocation| invocation.id.to_string());
    let views = page
        .items
        .iter()
        .filter_map(|invocation| view(invocation, None))
        .collect();
    Ok(Reply::ok(Page {
        items: views,
        next: page.next,
    }))
}

/// Look at an approval
///
/// With the snapshot itself, never anybody's account of it.
#[utoipa::path(
    get, path = "/v1/approvals/{id}", tag = "approvals", operation_id = "get_approval",
    params(("id" = String, Path, description = "`apr_…`")),
    responses((status = 200, description = "The approval.", body = ApprovalView)),
)]
async fn show(
    State(api): State<Api>,
    AnyCaller(caller): AnyCaller,
    Named(id): Named<ApprovalId>,
) -> Answer<ApprovalView> {
    let invocation = api.driver.approval(&caller, &id).await?;
    let view = view(&invocation, Some(&id));
    view.map(Reply::ok)
        .ok_or_else(|| Problem::not_found("approval", &id))
}

/// Decide on a frozen call
///
/// By a person who may approve, on the digest that they saw. Once the quorum is met the call is
/// decided again and, if nothing changed, run; follow it with `GET /v1/invocations/{id}`.
#[utoipa::path(
    post, path = "/v1/approvals/{id}/decision", tag = "approvals",
    operation_id = "decide_approval",
    params(("id" = String, Path, description = "`apr_…`")),
    request_body = DecisionBody,
    responses((status = 200, description = "How the call stands.", body = Envelope)),
)]
async fn decide(
    State(api): State<Api>,
    AnyCaller(caller): AnyCaller,
    Named(id): Named<ApprovalId>,
    Given(body): Given<DecisionBody>,
) -> Answer<Envelope> {
    if let Caller::Agent(identity) = &caller {
        let detail = format!(
            "`{}` is an agent, and approvals are decided by people",
            identity.agent.id
        );
        return Err(Problem::new(Kind::AgentMayNotDecide, detail));
    }
    let invocation = api.driver.approval(&caller, &id).await?;
    let digest = named_digest(&body.digest, invocation.state.frozen())?;
    let reason = reason(body.decision, body.reason)?;
    let (driver, decision) = (api.driver.clone(), (digest, body.decision, reason));
    let work = async move { driver.decide_approval(&caller, &id, decision).await };
    let outcome = carried(&api, "http-decision", work).await??;
    Ok(Reply::ok(stored(&api, outcome.invocation).await?))
}

/// The digest that is meant: written in full, or by a prefix of the one that is frozen now.
fn named_digest(text: &str, frozen: Option<&Frozen>) -> Result<Digest, Problem> {
    if let Ok(digest) = text.parse() {
        return Ok(digest);
    }
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    let hex = digits
        .bytes()
        .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if !hex || !(PREFIX_DIGITS_MIN..=64).contains(&digits.len()) {
        let detail = format!(
            "not a digest: `sha256:` and 64 hex digits, or the first {PREFIX_DIGITS_MIN} or more"
        );
        return Err(Problem::field("/digest", detail));
    }
    let present = frozen.map(|frozen| frozen.digest);
    match present.filter(|digest| digest.hex().starts_with(digits)) {
        Some(digest) => Ok(digest),
        None if present.is_some() => Err(Refusal::SnapshotChanged.into()),
        None => Err(Problem::new(
            Kind::WrongState,
            "the approval does not wait for anybody",
        )),
    }
}

fn reason(decision: Choice, reason: Option<String>) -> Result<Option<String>, Problem> {
    let reason = reason.filter(|reason| !reason.trim().is_empty());
    if decision != Choice::Approve && reason.is_none() {
        return Err(Problem::field(
            "/reason",
            "missing: say why, the agent may read it",
        ));
    }
    Ok(reason)
}

fn status(word: Option<&str>) -> Result<Status, Problem> {
    let word = word.unwrap_or("pending");
    let found = LISTED.iter().find(|(listed, _)| *listed == word);
    found.map(|(_, status)| *status).ok_or_else(|| {
        let known: Vec<_> = LISTED.iter().map(|(word, _)| *word).collect();
        let detail = format!("`{word}` is none of {}", known.join(", "));
        Problem::parameter("status", detail)
    })
}

/// An approval as it stands; none where the invocation has none. `asked` is the one that was
/// asked for, which a requeue may have replaced.
fn view(invocation: &Invocation, asked: Option<&ApprovalId>) -> Option<ApprovalView> {
    let standing = Standing::of(invocation, asked)?;
    let proposal = &invocation.proposal;
    let said = proposal.justification.clone();
    let frozen = standing.frozen;
    Some(ApprovalView {
        approval_id: standing.approval,
        invocation_id: invocation.id.clone(),
        status: standing.status,
        digest: standing.digest,
        snapshot: frozen.map(|frozen| frozen.snapshot.clone()),
        terms: frozen.map(|frozen| TermsView {
            approvers: frozen.terms.approvers.clone(),
            quorum: frozen.terms.quorum,
        }),
        votes: standing.votes.iter().map(VoteView::from).collect(),
        tool: proposal.tool.clone(),
        agent: proposal.agent.clone(),
        owner: proposal.owner.clone(),
        risk: proposal.decision.risk,
        justification: said.map(|text| Claim {
            said_by: proposal.agent.clone(),
            verified: false,
            text,
        }),
        frozen_at: frozen.map(|frozen| frozen.frozen_at),
        expires_at: frozen.map(|frozen| frozen.expires_at),
        requeues: frozen.map_or(0, |frozen| frozen.requeues),
        drift: frozen.map_or_else(Vec::new, |frozen| {
            frozen.drift.iter().map(DriftView::from).collect()
        }),
        entity: frozen
            .and_then(|frozen| frozen.snapshot.get("entity"))
            .filter(|entity| !entity.is_null())
            .cloned(),
        escalation: frozen
            .and_then(|frozen| frozen.escalation.as_ref())
            .map(EscalationView::from),
    })
}

impl From<&Vote> for VoteView {
    fn from(vote: &Vote) -> Self {
        Self {
            by: vote.voter.id.clone(),
            role: vote.voter.role,
            decision: vote.choice,
            digest: vote.digest,
            reason: vote.reason.clone(),
            at: vote.at,
        }
    }
}

impl From<&Drift> for DriftView {
    fn from(drift: &Drift) -> Self {
        Self {
            field: drift.field.clone(),
            before: drift.before.clone(),
            after: drift.after.clone(),
        }
    }
}

impl From<&Escalation> for EscalationView {
    fn from(escalation: &Escalation) -> Self {
        Self {
            at: escalation.at,
            to: escalation.to.clone(),
            told: escalation.told,
        }
    }
}
