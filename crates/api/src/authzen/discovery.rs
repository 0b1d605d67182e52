//! Where the endpoints of this decision point are, and what it can do.
//!
//! ```json
//! {"policy_decision_point": "https://gate.acme.com", "access_evaluation_endpoint": "https://…"}
//! ```
//!
//! The identifier of a tenant's decision point has the tenant as its path, and its metadata has it as
//! a suffix. Whose questions are answered says the credential alone, so the endpoints are the same,
//! and nobody learns here which tenants there are. Must not know: tenants.

use axum::extract::State;
use serde::Serialize;
use toolgate_model::TenantId;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::decision::CUSTOM;
use super::requests::endpoint;
use crate::named::Named;
use crate::reply::{Answer, Reply};
use crate::state::Api;

/// That it takes access requests.
const ACCESS_REQUESTS: &str = "urn:openid:authzen:capability:access-request";

/// The routes of this file.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(metadata))
        .routes(routes!(metadata_of_tenant))
}

/// Metadata of a policy decision point.
#[derive(Serialize, ToSchema)]
struct DecisionPoint {
    /// Its identifier.
    policy_decision_point: String,
    /// One question.
    access_evaluation_endpoint: String,
    /// Several.
    access_evaluations_endpoint: String,
    /// Which subjects may.
    search_subject_endpoint: String,
    /// With which resources.
    search_resource_endpoint: String,
    /// Which actions.
    search_action_endpoint: String,
    /// Where people are asked for what was denied.
    access_request_endpoint: String,
    /// What it can do beside that.
    capabilities: [&'static str; 1],
    /// The obligation types that it issues.
    supported_obligations: [&'static str; 1],
}

/// Find the endpoints of the policy decision point
///
/// AuthZEN 1.0, metadata.
#[utoipa::path(
    get, path = "/.well-known/authzen-configuration", tag = "authzen",
    operation_id = "get_decision_point", security(()),
    responses((status = 200, description = "Its metadata.", body = DecisionPoint)),
)]
async fn metadata(State(api): State<Api>) -> Answer<DecisionPoint> {
    Ok(Reply::ok(DecisionPoint::at(&api, "")))
}

/// Find the endpoints of a tenant's policy decision point
///
/// The same endpoints: whose questions are answered says the credential.
#[utoipa::path(
    get, path = "/.well-known/authzen-configuration/{tenant}", tag = "authzen",
    operation_id = "get_decision_point_of_tenant", security(()),
    params(("tenant" = String, Path, description = "The path of the identifier.")),
    responses((status = 200, description = "Its metadata.", body = DecisionPoint)),
)]
async fn metadata_of_tenant(
    State(api): State<Api>,
    Named(tenant): Named<TenantId>,
) -> Answer<DecisionPoint> {
    let suffix = format!("/{tenant}");
    // The gate's own address may have a path too: then the suffix is that.
    let own = api.public_url.ends_with(&suffix);
    let suffix = if own { "" } else { suffix.as_str() };
    Ok(Reply::ok(DecisionPoint::at(&api, suffix)))
}

impl DecisionPoint {
    fn at(api: &Api, suffix: &str) -> Self {
        let at = |path: &str| format!("{}/access/v1/{path}", api.public_url);
        Self {
            policy_decision_point: format!("{}{suffix}", api.public_url),
            access_evaluation_endpoint: at("evaluation"),
            access_evaluations_endpoint: at("evaluations"),
            search_subject_endpoint: at("search/subject"),
            search_resource_endpoint: at("search/resource"),
            search_action_endpoint: at("search/action"),
            access_request_endpoint: endpoint(api),
            capabilities: [ACCESS_REQUESTS],
            supported_obligations: [CUSTOM],
        }
    }
}
