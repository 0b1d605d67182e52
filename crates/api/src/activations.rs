//! Which versions of policies are in force: put there, taken back, taken out.
//!
//! ```text
//! POST /v1/policies/refunds/activate    {"number": 2}   → 200, or 202 where it takes a second person
//! POST /v1/policies/refunds/rollback · …/deactivate
//! ```
//!
//! Must not know: what stands between a version and its effect; the driver does.

use axum::extract::State;
use serde::Deserialize;
use toolgate_driver::{Activated, Activation, PolicyError};
use toolgate_model::Permission;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::PersonCaller;
use crate::body::{Maybe, Nothing};
use crate::named::{Named, PolicyName};
use crate::policies::{PolicyView, shown};
use crate::reply::{Answer, carried};
use crate::state::Api;

/// The routes of this file.
pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(activate))
        .routes(routes!(rollback))
        .routes(routes!(deactivate))
}

/// Which version is put in force.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Activation)]
struct ActivationBody {
    /// Its number. None: the newest.
    number: Option<u32>,
    /// Why it is put in force although its tests fail; that needs the permission to override
    /// tests, which owners have.
    force: Option<String>,
}

/// Put a version in force
///
/// Instead of the document's present one, from the next call on. The tests that the policies carry
/// are run on the whole set first; while one fails, the answer is 422 `tests_failed`. Where a
/// second person is wanted and the caller wrote the version, the answer is 202 and names who may
/// confirm by the same request.
#[utoipa::path(
    post, path = "/v1/policies/{name}/activate", tag = "policies",
    operation_id = "activate_policy",
    params(("name" = String, Path, description = "The document's name.")),
    request_body = Option<ActivationBody>,
    responses(
        (status = 200, description = "The version in force.", body = PolicyView),
        (status = 202, description = "It waits for a second person.", body = PolicyView),
    ),
)]
async fn activate(
    State(api): State<Api>,
    person: PersonCaller,
    Named(PolicyName(name)): Named<PolicyName>,
    Maybe(body): Maybe<ActivationBody>,
) -> Answer<PolicyView> {
    person.require_host(Permission::ActivatePolicy)?;
    let driver = api.driver.clone();
    let activation = Activation {
        number: body.number,
        force: body.force,
    };
    let work = async move {
        driver
            .activate_policy(&person.caller, &name, activation)
            .await
    };
    moved(&api, work).await
}

/// Put the version before the present one in force again
#[utoipa::path(
    post, path = "/v1/policies/{name}/rollback", tag = "policies",
    operation_id = "rollback_policy",
    params(("name" = String, Path, description = "The document's name.")),
    request_body = Option<Nothing>,
    responses((status = 200, description = "The version in force.", body = PolicyView)),
)]
async fn rollback(
    State(api): State<Api>,
    person: PersonCaller,
    Named(PolicyName(name)): Named<PolicyName>,
    Maybe(Nothing {}): Maybe<Nothing>,
) -> Answer<PolicyView> {
    person.require_host(Permission::ActivatePolicy)?;
    let driver = api.driver.clone();
    let work = async move { driver.rollback_policy(&person.caller, &name).await };
    moved(&api, work).await
}

/// Take a policy out of force
///
/// Its versions stay.
#[utoipa::path(
    post, path = "/v1/policies/{name}/deactivate", tag = "policies",
    operation_id = "deactivate_policy",
    params(("name" = String, Path, description = "The document's name.")),
    request_body = Option<Nothing>,
    responses((status = 200, description = "The version that was in force.", body = PolicyView)),
)]
async fn deactivate(
    State(api): State<Api>,
    person: PersonCaller,
    Named(PolicyName(name)): Named<PolicyName>,
    Maybe(Nothing {}): Maybe<Nothing>,
) -> Answer<PolicyView> {
    person.require_host(Permission::ActivatePolicy)?;
    let driver = api.driver.clone();
    let work = async move {
        let draft = driver.deactivate_policy(&person.caller, &name).await?;
        Ok(Activated {
            draft,
            awaits: None,
        })
    };
    moved(&api, work).await
}

/// Carries out a change of what is in force and shows the version it was about.
async fn moved<W>(api: &Api, work: W) -> Answer<PolicyView>
where
    W: Future<Output = Result<Activated, PolicyError>> + Send + 'static,
{
    let Activated { draft, awaits } = carried(api, "http-policy", work).await??;
    shown(api, &draft, (Vec::new(), awaits)).await
}
