//! Credentials: made, listed, rotated with an overlap, revoked. A token is shown once.
//!
//! ```text
//! POST /v1/keys {"agent": "billing_agent", "ttl": "30d"} → {"id": "key_…", "token": "tg_…", …}
//! POST /v1/keys/{id}/rotate {"overlap": "1h"} · POST /v1/keys/{id}/revoke
//! ```
//!
//! Only a hash is kept, and nothing of it is ever answered. Must not know: how tokens are checked.

use std::collections::HashMap;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use toolgate_driver::{Issued, KeySpec};
use toolgate_model::{
    AgentId, Credential, Duration, KeyId, Permission, TenantId, Timestamp, TokenKind,
};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::PersonCaller;
use crate::body::{Given, Maybe, Nothing};
use crate::named::Named;
use crate::problem::Problem;
use crate::reach::ScopeBody;
use crate::reply::{Answer, Page, Reply, carried};
use crate::state::Api;

/// How long a replaced credential works on where nobody says.
const OVERLAP_DEFAULT: Duration = Duration::from_secs(3_600);

/// The longest life of a credential, and the longest overlap.
// LIMIT: ten years; more is no expiry at all.
const TTL_MAX: Duration = Duration::from_secs(3_650 * 86_400);

/// The routes of this file.
pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(list, create))
        .routes(routes!(rotate))
        .routes(routes!(revoke))
}

/// A new credential.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewKey {
    /// The agent that it authenticates.
    #[schema(value_type = String, examples("billing_agent"))]
    agent: AgentId,
    /// How long it works, `30d`. None: ninety days.
    #[schema(value_type = Option<String>, examples("30d"))]
    ttl: Option<Duration>,
    /// What it narrows its agent's reach to. None: nothing.
    #[serde(default)]
    scope: ScopeBody,
}

/// How a credential is replaced.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Rotation {
    /// How long the old one works on, `1h`. None: one hour; `0s`: not at all.
    #[schema(value_type = Option<String>, examples("1h"))]
    overlap: Option<Duration>,
    /// How long the new one works, `30d`. None: ninety days.
    #[schema(value_type = Option<String>, examples("30d"))]
    ttl: Option<Duration>,
}

/// A credential, without anything of its secret.
#[derive(Serialize, ToSchema)]
#[schema(as = Key)]
pub(crate) struct KeyView {
    /// Its id, the public half of the token.
    #[schema(value_type = String)]
    id: KeyId,
    /// `agent` or `person`.
    #[schema(value_type = String)]
    kind: TokenKind,
    /// Whom it authenticates.
    #[schema(value_type = String)]
    subject: AgentId,
    /// Their tenant.
    #[schema(value_type = String)]
    tenant: TenantId,
    /// `active`, `expired` or `revoked`.
    state: &'static str,
    /// What it narrows its agent's reach to.
    scope: ScopeBody,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it stops working by itself.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// When it was ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    revoked_at: Option<Timestamp>,
    /// The one that it replaces.
    #[schema(value_type = Option<String>)]
    rotated_from: Option<KeyId>,
    /// When it was last used, to within a minute or so.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
}

/// A fresh credential with its token.
#[derive(Serialize, ToSchema)]
pub(crate) struct IssuedKey {
    /// What is kept.
    #[serde(flatten)]
    key: KeyView,
    /// The whole token. It is shown this once and kept nowhere.
    token: String,
}

/// List credentials
///
/// Those of the caller's tenant, revoked ones too, newest first.
#[utoipa::path(
    get, path = "/v1/keys", tag = "keys", operation_id = "list_keys",
    responses((status = 200, description = "All of them.", body = Page<KeyView>)),
)]
async fn list(State(api): State<Api>, person: PersonCaller) -> Answer<Page<KeyView>> {
    person.require(Permission::View)?;
    let used: HashMap<_, _> = api.driver.store().last_used().await?.into_iter().collect();
    let (configuration, now) = (api.driver.configuration(), api.driver.now());
    let mine = configuration
        .credentials()
        .filter(|key| key.tenant == person.tenant);
    let mut items: Vec<_> = mine
        .map(|key| KeyView {
            last_used_at: used.get(&key.id).copied(),
            ..KeyView::of(key.as_ref().clone(), now)
        })
        .collect();
    items.sort_by(|a, b| b.id.cmp(&a.id));
    Ok(Reply::ok(Page::whole(items)))
}

/// Make a credential
///
/// Its token is in the answer and nowhere else.
#[utoipa::path(
    post, path = "/v1/keys", tag = "keys", operation_id = "create_key",
    request_body = NewKey,
    responses((status = 201, description = "The credential with its token.", body = IssuedKey)),
)]
async fn create(
    State(api): State<Api>,
    person: PersonCaller,
    Given(body): Given<NewKey>,
) -> Answer<IssuedKey> {
    let ttl = lifetime("/ttl", body.ttl)?;
    let spec = KeySpec {
        agent: body.agent,
        ttl,
        scope: body.scope.into(),
    };
    let driver = api.driver.clone();
    let work = async move { driver.create_key(&person.caller, spec).await };
    let issued = carried(&api, "http-key", work).await??;
    Ok(Reply::created(IssuedKey::of(issued, api.driver.now())))
}

/// Replace a credential
///
/// The old one works on for the overlap, so that whoever uses it can change over.
#[utoipa::path(
    post, path = "/v1/keys/{id}/rotate", tag = "keys", operation_id = "rotate_key",
    params(("id" = String, Path, description = "`key_…`")),
    request_body = Option<Rotation>,
    responses((status = 201, description = "The new one with its token.", body = IssuedKey)),
)]
async fn rotate(
    State(api): State<Api>,
    person: PersonCaller,
    Named(id): Named<KeyId>,
    Maybe(body): Maybe<Rotation>,
) -> Answer<IssuedKey> {
    let overlap = body.overlap.unwrap_or(OVERLAP_DEFAULT);
    if overlap > TTL_MAX {
        return Err(Problem::field(
            "/overlap",
            format!("`{overlap}` is more than `{TTL_MAX}`"),
        ));
    }
    let ttl = lifetime("/ttl", body.ttl)?;
    let driver = api.driver.clone();
    let work = async move { driver.rotate_key(&person.caller, &id, (overlap, ttl)).await };
    let issued = carried(&api, "http-key", work).await??;
    Ok(Reply::created(IssuedKey::of(issued, api.driver.now())))
}

/// Revoke a credential
///
/// It authenticates nobody from the next call on.
#[utoipa::path(
    post, path = "/v1/keys/{id}/revoke", tag = "keys", operation_id = "revoke_key",
    params(("id" = String, Path, description = "`key_…`")),
    request_body = Option<Nothing>,
    responses((status = 200, description = "As it is now.", body = KeyView)),
)]
async fn revoke(
    State(api): State<Api>,
    person: PersonCaller,
    Named(id): Named<KeyId>,
    Maybe(Nothing {}): Maybe<Nothing>,
) -> Answer<KeyView> {
    let driver = api.driver.clone();
    let work = async move { driver.revoke_key(&person.caller, &id).await };
    let key = carried(&api, "http-key", work).await??;
    Ok(Reply::ok(KeyView::of(key, api.driver.now())))
}

fn lifetime(pointer: &str, ttl: Option<Duration>) -> Result<Option<Duration>, Problem> {
    match ttl {
        Some(span) if span == Duration::default() || span > TTL_MAX => {
            let detail = format!("`{span}` is not between `1ms` and `{TTL_MAX}`");
            Err(Problem::field(pointer, detail))
        }
        _ => Ok(ttl),
    }
}

impl KeyView {
    fn of(key: Credential, now: Timestamp) -> Self {
        let state = match key {
            _ if key.revoked_at.is_some() => "revoked",
            _ if key.expires_at.is_some_and(|expiry| now >= expiry) => "expired",
            _ => "active",
        };
        Self {
            id: key.id,
            kind: key.kind,
            subject: key.subject,
            tenant: key.tenant,
            state,
            scope: key.scope.into(),
            created_at: key.created_at,
            expires_at: key.expires_at,
            revoked_at: key.revoked_at,
            rotated_from: key.rotated_from,
            last_used_at: None,
        }
    }
}

impl IssuedKey {
    /// What is shown of a fresh credential.
    pub(crate) fn of(issued: Issued, now: Timestamp) -> Self {
        let token = issued.token.reveal();
        Self {
            key: KeyView::of(issued.credential, now),
            token,
        }
    }
}
