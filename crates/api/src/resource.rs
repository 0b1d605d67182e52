//! What an OAuth client is told of this gate (RFC 9728): whose tokens it takes, and with which
//! scopes.
//!
//! ```text
//! GET /.well-known/oauth-protected-resource · GET /.well-known/oauth-protected-resource/mcp
//! ```
//! Where no issuer is configured there is no such document, so that no client goes looking for an
//! authorization server. Must not know: how tokens are verified.

use axum::extract::State;
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::admission::METADATA;
use crate::problem::Problem;
use crate::reply::{Answer, Reply};
use crate::state::Api;

/// The routes of this file.
pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(resource))
        .routes(routes!(mcp_resource))
}

/// Find out who issues tokens for the gate
#[utoipa::path(
    get, path = "/.well-known/oauth-protected-resource", tag = "server",
    operation_id = "get_protected_resource", security(()),
    responses((status = 200, description = "RFC 9728.", body = Object)),
)]
async fn resource(State(api): State<Api>) -> Answer<Value> {
    let issuers = api.admission.issuers.as_ref();
    let issuers = issuers.ok_or_else(|| Problem::not_found("address", METADATA))?;
    Ok(Reply::ok(issuers.metadata()))
}

/// Find out who issues tokens for its MCP endpoint
#[utoipa::path(
    get, path = "/.well-known/oauth-protected-resource/mcp", tag = "server",
    operation_id = "get_protected_mcp_resource", security(()),
    responses((status = 200, description = "RFC 9728.", body = Object)),
)]
async fn mcp_resource(state: State<Api>) -> Answer<Value> {
    resource(state).await
}
