//! Calls that their caller runs: the lease for one that was approved, and the report at its end.
//!
//! ```text
//! POST /v1/invocations {"mode": "host", …}        → executing, with `lease` and `arguments`
//! POST /v1/invocations/{id}/lease                 → the same, once people have approved it
//! POST /v1/invocations/{id}/outcome {"attempt": 1, "status": "succeeded", "data": {…}}
//! ```
//! Only the answer with a `lease` lets a program run anything, and only once. What it reports comes
//! back as the rules about results left it: that, and nothing else, is for a model to read.
//!
//! Must not know: how a report settles anything.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Map, Value};
use toolgate_driver::{Report, Said};
use toolgate_execution::Failure;
use toolgate_model::{Body, Code, InvocationId};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::AgentCaller;
use crate::body::{Given, Maybe, Nothing};
use crate::envelope::Envelope;
use crate::named::Named;
use crate::problem::Problem;
use crate::reply::{Answer, Reply, carried};
use crate::state::Api;

/// Bytes of what a host says of a failure.
// LIMIT: 4 KiB, as for a person's reason: it stands in the record whole.
const MESSAGE_BYTES_MAX: usize = 4 << 10;

/// The routes of this file.
pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(lease))
        .routes(routes!(report))
}

/// What came of a call that its caller ran.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OutcomeReport {
    /// The attempt of the lease.
    attempt: u32,
    /// Whether the effect is there, is not, or nobody can say.
    status: ReportedStatus,
    /// What the function returned.
    #[serde(default)]
    #[schema(value_type = Option<Value>)]
    data: Option<Value>,
    /// Why it failed.
    #[serde(default)]
    error: Option<ReportedError>,
}

/// How a call ended that its caller ran.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum ReportedStatus {
    /// The function did what it was called for.
    Succeeded,
    /// It definitely did not.
    Failed,
    /// The host itself cannot say: the effect may be there.
    Unknown,
}

/// Why a call failed that its caller ran.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReportedError {
    /// `tool_error`, `upstream_unavailable` or `invalid_result`.
    #[serde(default = "ReportedError::usual")]
    #[schema(value_type = Option<String>)]
    code: Code,
    /// One sentence.
    message: String,
}

impl ReportedError {
    const fn usual() -> Code {
        Code::ToolError
    }
}

/// Take an approved call to run it
///
/// By the agent that proposed it with `mode` `host`. The call is decided again, whole; where it
/// still may run the answer has a `lease`, and its `arguments` are the ones to run with. A call that
/// still waits, or that went on already, is answered as it stands, without one.
#[utoipa::path(
    post, path = "/v1/invocations/{id}/lease", tag = "invocations",
    operation_id = "lease_invocation",
    params(("id" = String, Path, description = "`inv_…`")),
    request_body = Option<Nothing>,
    responses((status = 200, description = "How it stands.", body = Envelope)),
)]
async fn lease(
    State(api): State<Api>,
    AgentCaller(identity): AgentCaller,
    Named(id): Named<InvocationId>,
    Maybe(Nothing {}): Maybe<Nothing>,
) -> Answer<Envelope> {
    let driver = api.driver.clone();
    let work = async move { driver.claim(&identity, &id).await };
    let outcome = carried(&api, "http-lease", work).await??;
    Ok(Reply::ok(Envelope::of(&outcome, &api.public_url)))
}

/// Report what came of a call
///
/// By the agent that holds its lease. `data` of the answer is what the rules about results left of
/// it. The same report again is answered with the first one's outcome. One that comes after the
/// lease settles the call late, unless it has ended otherwise: 409 `wrong_state` then.
#[utoipa::path(
    post, path = "/v1/invocations/{id}/outcome", tag = "invocations",
    operation_id = "report_invocation",
    params(("id" = String, Path, description = "`inv_…`")),
    request_body = OutcomeReport,
    responses((status = 200, description = "How it stands.", body = Envelope)),
)]
async fn report(
    State(api): State<Api>,
    AgentCaller(identity): AgentCaller,
    Named(id): Named<InvocationId>,
    Given(body): Given<OutcomeReport>,
) -> Answer<Envelope> {
    let report = body.report()?;
    let driver = api.driver.clone();
    let work = async move { driver.report(&identity, &id, report).await };
    let outcome = carried(&api, "http-report", work).await??;
    let reply = Reply::ok(Envelope::of(&outcome, &api.public_url));
    Ok(if outcome.replayed {
        reply.with("idempotency-replayed", "true")
    } else {
        reply
    })
}

impl OutcomeReport {
    fn report(self) -> Result<Report, Problem> {
        let Self {
            attempt,
            status,
            data,
            error,
        } = self;
        let said = match status {
            ReportedStatus::Succeeded => {
                unsaid(error.is_some(), "/error", "succeeded")?;
                Said::Succeeded(kept(data.unwrap_or_default(), false))
            }
            ReportedStatus::Failed => {
                Said::Failed(failure(error)?, data.map(|data| kept(data, true)))
            }
            ReportedStatus::Unknown => {
                unsaid(data.is_some(), "/data", "unknown")?;
                unsaid(error.is_some(), "/error", "unknown")?;
                Said::Unknown
            }
        };
        Ok(Report { attempt, said })
    }
}

/// A field that means nothing with this status.
fn unsaid(given: bool, pointer: &str, status: &str) -> Result<(), Problem> {
    if given {
        let detail = format!("a call that is reported as `{status}` has none: leave it out");
        return Err(Problem::field(pointer, detail));
    }
    Ok(())
}

/// What a function returned, in the form in which results are kept.
fn kept(data: Value, failed: bool) -> toolgate_model::json::Raw {
    let about = Map::from_iter([("kind".to_owned(), "host".into())]);
    Body::Json(data).result(failed, about)
}

fn failure(error: Option<ReportedError>) -> Result<Failure, Problem> {
    let Some(ReportedError { code, message }) = error else {
        return Err(Problem::field("/error", "missing: say why it failed"));
    };
    if !matches!(
        code,
        Code::ToolError | Code::UpstreamUnavailable | Code::InvalidResult
    ) {
        let detail = format!(
            "`{code}` is not for a host to say: one of tool_error, upstream_unavailable, \
             invalid_result"
        );
        return Err(Problem::field("/error/code", detail));
    }
    if message.len() > MESSAGE_BYTES_MAX {
        let detail = format!("more than the {MESSAGE_BYTES_MAX} bytes allowed");
        return Err(Problem::field("/error/message", detail));
    }
    Ok(Failure {
        code,
        message,
        error: None,
    })
}
