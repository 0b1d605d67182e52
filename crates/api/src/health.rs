//! What needs no token: whether the gate lives and can serve, what it is, and what problems mean.
//!
//! ```text
//! GET /healthz · GET /readyz · GET /.well-known/toolgate · GET /v1/openapi.json
//! GET /problems/{code}
//! ```
//!
//! Nothing here tells a stranger about agents, tools or policies.

use std::sync::LazyLock;

use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use toolgate_gate::port::RecordFilter;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::kinds::Kind;
use crate::named::Named;
use crate::problem::Problem;
use crate::reply::{Answer, Reply};
use crate::state::Api;

/// The routes of this file.
pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(healthz))
        .routes(routes!(readyz))
        .routes(routes!(wellknown))
        .routes(routes!(openapi))
        .routes(routes!(problem))
}

/// How the gate is.
#[derive(Serialize, ToSchema)]
struct Health {
    /// Always `ok`; whatever is not is a problem.
    status: &'static str,
}

/// What this server is and where its parts are.
#[derive(Serialize, ToSchema)]
struct WellKnown {
    /// `toolgate`.
    name: &'static str,
    /// Its version.
    version: &'static str,
    /// Where its faces are.
    endpoints: Endpoints,
    /// The key that verifies its checkpoints and receipts. Trust it only as far as the way on which
    /// it came.
    verifier_key: String,
}

/// Where the faces are.
#[derive(Serialize, ToSchema)]
struct Endpoints {
    /// The HTTP API.
    api: String,
    /// Its description.
    openapi: String,
    /// MCP over streamable HTTP.
    mcp: String,
}

/// What a kind of problem means.
#[derive(Serialize, ToSchema)]
struct ProblemKind {
    /// The stable code.
    code: &'static str,
    /// The HTTP status that it comes with.
    status: u16,
    /// What it is.
    title: &'static str,
    /// What to do about it.
    help: &'static str,
}

/// Ask whether the gate lives
#[utoipa::path(
    get, path = "/healthz", tag = "server", operation_id = "healthz", security(()),
    responses((status = 200, description = "It does.", body = Health)),
)]
async fn healthz() -> Reply<Health> {
    Reply::ok(Health { status: "ok" })
}

/// Ask whether the gate can serve calls
///
/// It can where the policy set loads and the store can be read.
#[utoipa::path(
    get, path = "/readyz", tag = "server", operation_id = "readyz", security(()),
    responses((status = 200, description = "It can.", body = Health)),
)]
async fn readyz(State(api): State<Api>) -> Answer<Health> {
    if api.driver.configuration().policies.is_none() {
        return Err(Problem::new(
            Kind::NotReady,
            "the policy set in force does not load",
        ));
    }
    let any = RecordFilter {
        limit: 1,
        ..RecordFilter::default()
    };
    if let Err(unavailable) = api.driver.store().records(any).await {
        tracing::error!(%unavailable, "the gate is not ready");
        return Err(Problem::new(Kind::NotReady, "the store does not answer"));
    }
    Ok(Reply::ok(Health { status: "ok" }))
}

/// Discover the gate
#[utoipa::path(
    get, path = "/.well-known/toolgate", tag = "server", operation_id = "discover", security(()),
    responses((status = 200, description = "What and where it is.", body = WellKnown)),
)]
async fn wellknown(State(api): State<Api>) -> Reply<WellKnown> {
    let at = |path: &str| format!("{}{path}", api.public_url);
    Reply::ok(WellKnown {
        name: "toolgate",
        version: env!("CARGO_PKG_VERSION"),
        endpoints: Endpoints {
            api: at("/v1"),
            openapi: at("/v1/openapi.json"),
            mcp: at("/mcp"),
        },
        verifier_key: api.driver.store().verifier_key(),
    })
}

/// Read this description
#[utoipa::path(
    get, path = "/v1/openapi.json", tag = "server", operation_id = "get_openapi", security(()),
    responses((status = 200, description = "OpenAPI 3.1.", body = Object)),
)]
async fn openapi() -> Reply<&'static Value> {
    /// Made once: nobody without a token shall make the gate work.
    static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
        // The document is plain data, and a test reads it; so it can always be written.
        serde_json::to_value(crate::openapi::openapi()).unwrap_or_default()
    });
    Reply::ok(&DOCUMENT)
}

/// Look up a kind of problem
#[utoipa::path(
    get, path = "/problems/{code}", tag = "server", operation_id = "get_problem_kind",
    security(()),
    params(("code" = String, Path, description = "The code of a problem.")),
    responses((status = 200, description = "What it means.", body = ProblemKind)),
)]
async fn problem(Named(code): Named<String>) -> Answer<ProblemKind> {
    let kind = Kind::parse(&code).ok_or_else(|| Problem::not_found("kind of problem", &code))?;
    Ok(Reply::ok(ProblemKind {
        code: kind.word(),
        status: StatusCode::as_u16(&kind.status()),
        title: kind.title(),
        help: kind.help(),
    }))
}
