//! People: who decides approvals, writes policies and manages agents.
//!
//! ```text
//! POST  /v1/users {"id": "ana@acme.com", "role": "approver"} → the person, and their token once
//! PATCH /v1/users/bo@acme.com {"groups": ["finance"]}        → as they are now
//! ```
//!
//! Must not know: how people sign in to the console.

use axum::extract::State;
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use toolgate_driver::{OperatorChange, OperatorSpec};
use toolgate_model::{AgentId, Operator, Permission, Role, TenantId, Timestamp, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::PersonCaller;
use crate::body::Given;
use crate::conditional::{Expected, Tag};
use crate::keys::IssuedKey;
use crate::kinds::Kind;
use crate::named::Named;
use crate::problem::Problem;
use crate::reply::{Answer, Page, Reply, carried};
use crate::state::Api;

/// The routes of this file.
pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(list, create))
        .routes(routes!(show, change))
}

/// A new person.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewUser {
    /// Their name, usually an address.
    #[schema(value_type = String, examples("ana@acme.com"))]
    id: AgentId,
    /// `viewer`, `approver`, `author`, `activator`, `agent_admin` or `owner`.
    #[schema(value_type = String, examples("approver"))]
    role: Role,
    /// The groups that a policy's `approvers` may name.
    #[serde(default)]
    groups: Vec<String>,
    /// Their tenant. None: the caller's own. Another one only by people of the tenant `default`.
    #[schema(value_type = Option<String>)]
    tenant: Option<TenantId>,
}

/// A person.
#[derive(Serialize, ToSchema)]
#[schema(as = User)]
struct UserView {
    /// Their name.
    #[schema(value_type = String)]
    id: AgentId,
    /// Their tenant.
    #[schema(value_type = String)]
    tenant: TenantId,
    /// What they may do.
    #[schema(value_type = String)]
    role: Role,
    /// Their groups, by name.
    groups: Vec<String>,
    /// Whether their tokens authenticate nobody.
    disabled: bool,
    /// When they were added.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// What changes about a person; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UserChange {
    /// `viewer`, `approver`, `author`, `activator`, `agent_admin` or `owner`.
    #[schema(value_type = Option<String>, examples("approver"))]
    role: Option<Role>,
    /// All the groups that they belong to.
    groups: Option<Vec<String>>,
    /// Whether their tokens authenticate nobody.
    disabled: Option<bool>,
}

/// A new person with their first token.
#[derive(Serialize, ToSchema)]
struct AddedUser {
    /// The person.
    user: UserView,
    /// Their credential, with the token that is shown this once.
    key: IssuedKey,
}

/// List people
///
/// Those of the caller's tenant, by name.
#[utoipa::path(
    get, path = "/v1/users", tag = "users", operation_id = "list_users",
    responses((status = 200, description = "All of them.", body = Page<UserView>)),
)]
async fn list(State(api): State<Api>, person: PersonCaller) -> Answer<Page<UserView>> {
    person.require(Permission::View)?;
    let configuration = api.driver.configuration();
    let mine = configuration
        .operators()
        .filter(|user| user.tenant == person.tenant);
    let mut items: Vec<_> = mine
        .map(|user| UserView::from(user.as_ref().clone()))
        .collect();
    items.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(Reply::ok(Page::whole(items)))
}

/// Add a person
///
/// With a personal token, which decides and administers but invokes no tool.
#[utoipa::path(
    post, path = "/v1/users", tag = "users", operation_id = "create_user",
    request_body = NewUser,
    responses((status = 201, description = "The person with their token.", body = AddedUser)),
)]
async fn create(
    State(api): State<Api>,
    person: PersonCaller,
    Given(body): Given<NewUser>,
) -> Answer<AddedUser> {
    person.require(Permission::ManagePeople)?;
    let NewUser {
        id,
        role,
        groups,
        tenant,
    } = body;
    if tenant
        .as_ref()
        .is_some_and(|tenant| *tenant != person.tenant)
    {
        person.require_host(Permission::ManagePeople)?;
    }
    if api.driver.configuration().operator(&id).is_some() {
        let detail = format!("the name `{id}` is taken");
        return Err(Problem::at(Kind::Exists, "/id", detail));
    }
    let groups = Some(groups);
    let spec = OperatorSpec { id, role, groups };
    let driver = api.driver.clone();
    let work = async move { driver.put_operator(&person.caller, spec, tenant).await };
    let (user, issued) = carried(&api, "http-user", work).await??;
    let key = IssuedKey::of(issued, api.driver.now());
    Ok(Reply::created(AddedUser {
        user: user.into(),
        key,
    }))
}

/// Look at a person
#[utoipa::path(
    get, path = "/v1/users/{id}", tag = "users", operation_id = "get_user",
    params(("id" = String, Path, description = "Their name.")),
    responses((status = 200, description = "The person, with their `ETag`.", body = UserView)),
)]
async fn show(
    State(api): State<Api>,
    person: PersonCaller,
    Named(id): Named<AgentId>,
) -> Answer<UserView> {
    person.require(Permission::View)?;
    let user = api.driver.operator_for(&person.caller, &id)?;
    let tag = tag(&user);
    Ok(Reply::ok(UserView::from(user)).tagged(&tag))
}

/// Change a person
///
/// With `If-Match` and the `ETag` that was seen. In force from the next request on: a person who
/// is disabled decides nothing more, and a group counts for whatever is decided from then on.
#[utoipa::path(
    patch, path = "/v1/users/{id}", tag = "users", operation_id = "change_user",
    params(
        ("id" = String, Path, description = "Their name."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that was seen."),
    ),
    request_body = UserChange,
    responses((status = 200, description = "As they are now.", body = UserView)),
)]
async fn change(
    State(api): State<Api>,
    person: PersonCaller,
    Named(id): Named<AgentId>,
    headers: HeaderMap,
    Given(body): Given<UserChange>,
) -> Answer<UserView> {
    person.require(Permission::ManagePeople)?;
    let expected = Expected::of(&headers)?;
    let present = api.driver.operator_for(&person.caller, &id)?;
    expected.meets(Some(&tag(&present)))?;
    let change = OperatorChange {
        role: body.role,
        groups: body.groups,
        disabled: body.disabled,
    };
    let driver = api.driver.clone();
    let work = async move { driver.change_operator(&person.caller, &id, change).await };
    let user = carried(&api, "http-user", work).await??;
    let tag = tag(&user);
    Ok(Reply::ok(UserView::from(user)).tagged(&tag))
}

/// The tag of a person: anything about them that changes, changes the tag.
fn tag(user: &Operator) -> Tag {
    let value = serde_json::to_value(user).unwrap_or_default();
    Tag::of(json::digest(&value).hex())
}

impl From<Operator> for UserView {
    fn from(user: Operator) -> Self {
        Self {
            id: user.id,
            tenant: user.tenant,
            role: user.role,
            groups: user.groups,
            disabled: user.disabled,
            created_at: user.created_at,
        }
    }
}
