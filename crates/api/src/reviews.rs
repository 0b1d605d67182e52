//! Tools as they were agreed to: what one is pinned to beside what it says now, and what a person
//! says of that.
//!
//! ```text
//! GET  /v1/tools/{id}/review   → pinned, present, where they differ, signs that it speaks to the model
//! POST /v1/tools/{id}/review   {"digest": "sha256:…", "decision": "accept", "reason": "read it"}
//! ```
//!
//! A decision is about the digest that was shown: whoever changes the tool meanwhile gains nothing
//! by it. Tools belong to all tenants, so people of the tenant that runs the gate decide.
//!
//! Must not know: how tools are compared.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use toolgate_driver::{Difference, Pinned, Present, Review, SeenAt, SignalFound, Verdict};
use toolgate_model::{Digest, Permission, ToolId};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::PersonCaller;
use crate::body::Given;
use crate::named::Named;
use crate::reply::{Answer, Reply, carried};
use crate::state::Api;

/// The routes of this file.
pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(show, decide))
}

/// A tool as it is pinned beside what it says now.
#[derive(Serialize, ToSchema)]
#[schema(as = ToolReview)]
struct ReviewView {
    /// The tool.
    #[schema(value_type = String)]
    tool: ToolId,
    /// `accepted`, `changed`, `disabled`, `unpinned`, or `absent` where no source offers it now.
    state: &'static str,
    /// Whether its calls are denied and models are not shown it.
    held: bool,
    /// What it was when it was first seen or last reviewed: its digest, who pinned it, when, and
    /// the definition.
    #[schema(value_type = Option<Object>)]
    pinned: Option<Pinned>,
    /// What its source says now: the digest, and the definition as it was written.
    #[schema(value_type = Option<Object>)]
    present: Option<Present>,
    /// Where the two differ: JSON pointer, before and after as JSON, with every character that
    /// nobody would see spelt out.
    #[schema(value_type = Vec<Object>)]
    differences: Vec<Difference>,
    /// Signs that the present definition speaks to the model: what kind, and where.
    #[schema(value_type = Vec<Object>)]
    signals: Vec<SignalFound>,
    /// Other definitions that were seen since it was pinned: digest and when.
    #[schema(value_type = Vec<Object>)]
    seen: Vec<SeenAt>,
}

/// What is to be of a tool.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReviewDecision {
    /// The digest of the present definition, as the review showed it.
    #[schema(value_type = String)]
    digest: Digest,
    /// `accept`: it may be called as it is now. `disable`: it may not be called any more.
    decision: Decided,
    /// Why; kept on the record.
    #[serde(default)]
    reason: String,
}

/// The two decisions.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Decided {
    /// It may be called as it is now.
    Accept,
    /// It may not be called any more.
    Disable,
}

/// Compare a tool with what it was
///
/// The definition that was first seen or last reviewed, the present one, and where they differ.
#[utoipa::path(
    get, path = "/v1/tools/{id}/review", tag = "tools", operation_id = "get_tool_review",
    params(("id" = String, Path, description = "The tool's id, `source.operation`.")),
    responses((status = 200, description = "Both sides.", body = ReviewView)),
)]
async fn show(
    State(api): State<Api>,
    person: PersonCaller,
    Named(id): Named<ToolId>,
) -> Answer<ReviewView> {
    person.require_host(Permission::View)?;
    Ok(Reply::ok(api.driver.review_tool(&id)?.into()))
}

/// Decide on a tool
///
/// On the present definition with this digest, and on no other: 409 `tool_changed` where it says
/// something else by now.
#[utoipa::path(
    post, path = "/v1/tools/{id}/review", tag = "tools", operation_id = "decide_tool_review",
    params(("id" = String, Path, description = "The tool's id, `source.operation`.")),
    request_body = ReviewDecision,
    responses((status = 200, description = "As it stands now.", body = ReviewView)),
)]
async fn decide(
    State(api): State<Api>,
    person: PersonCaller,
    Named(id): Named<ToolId>,
    Given(body): Given<ReviewDecision>,
) -> Answer<ReviewView> {
    person.require_host(Permission::ActivatePolicy)?;
    let driver = api.driver.clone();
    let verdict = match body.decision {
        Decided::Accept => Verdict::Accept,
        Decided::Disable => Verdict::Disable,
    };
    let decision = (body.digest, verdict, body.reason);
    let work = async move { driver.settle_review(&person.caller, &id, decision).await };
    let review = carried(&api, "http-review", work).await??;
    Ok(Reply::ok(review.into()))
}

impl From<Review> for ReviewView {
    fn from(review: Review) -> Self {
        Self {
            tool: review.tool,
            state: review.state.as_str(),
            held: review.held,
            pinned: review.pinned,
            present: review.present,
            differences: review.differences,
            signals: review.signals,
            seen: review.seen,
        }
    }
}
