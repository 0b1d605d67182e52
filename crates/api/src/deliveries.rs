//! Notifications: who is told of what, and what was sent.
//!
//! ```text
//! GET  /v1/endpoints                       → how far each one has got
//! POST /v1/endpoints/{name}/test           → one test event, sent now
//! POST /v1/endpoints/{name}/redeliver      {"event": "evt_…"} · …/resume
//! GET  /v1/deliveries?endpoint=pager       → attempts, newest first
//! ```
//!
//! Endpoints themselves stand in the configuration file, because their secrets do. Must not know:
//! how anything is sent; neither a secret nor a body is here to be shown.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use toolgate_gate::outbox::{Delivery, DeliveryFilter, Ended, EndpointStatus, NoticeError};
use toolgate_model::{Permission, Timestamp};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::PersonCaller;
use crate::body::{Asked, Given, Maybe, Nothing};
use crate::kinds::Kind;
use crate::named::Named;
use crate::problem::Problem;
use crate::reply::{Answer, Page, PageLimit, Reply, carried};
use crate::state::Api;

/// The routes of this file.
pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(endpoints))
        .routes(routes!(test))
        .routes(routes!(redeliver))
        .routes(routes!(resume))
        .routes(routes!(deliveries))
}

/// Which attempts to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DeliveriesQuery {
    /// To this endpoint.
    endpoint: Option<String>,
    /// Older than this number: the `next` of the page before.
    before: Option<u64>,
    /// At most this many, up to 200.
    #[serde(default)]
    #[param(value_type = Option<usize>)]
    limit: PageLimit,
}

/// Which event is sent again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Redelivery {
    /// The id of the record, which is also the `webhook-id`.
    #[schema(examples("evt_019770cd8a48700080000000000000a1"))]
    event: String,
}

/// One endpoint and how far it has got.
#[derive(Serialize, ToSchema)]
#[schema(as = Endpoint)]
struct EndpointView {
    /// Its name in the configuration.
    name: String,
    /// Where it is, without the path: that may be a secret.
    url: String,
    /// Which events it is told of.
    events: Vec<String>,
    /// The index of the record that comes next for it.
    next_index: u64,
    /// How often the event at hand was tried in vain.
    attempts: u32,
    /// When that is tried again.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_attempt_at: Option<Timestamp>,
    /// Why it is told nothing more until a person resumes it.
    disabled: Option<String>,
}

/// One attempt.
#[derive(Serialize, ToSchema)]
#[schema(as = Delivery)]
struct DeliveryView {
    /// Its place in the delivery log.
    number: u64,
    /// The endpoint.
    endpoint: String,
    /// The record's id, which is also the `webhook-id`.
    event: String,
    /// What happened.
    #[schema(examples("approval.requested"))]
    kind: String,
    /// Which attempt at this event.
    attempt: u32,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// How long it took.
    duration_ms: i64,
    /// `delivered`, `refused`, `away` or `gone`.
    #[schema(value_type = String)]
    outcome: Ended,
    /// The HTTP status, where there was an answer.
    status: Option<u16>,
    /// What went wrong.
    error: Option<String>,
}

/// List endpoints
///
/// Who is told of the record of the caller's tenant, and how far each has got.
#[utoipa::path(
    get, path = "/v1/endpoints", tag = "notifications", operation_id = "list_endpoints",
    responses((status = 200, description = "All of them.", body = Page<EndpointView>)),
)]
async fn endpoints(State(api): State<Api>, person: PersonCaller) -> Answer<Page<EndpointView>> {
    person.require(Permission::View)?;
    let found = api.notices.endpoints(&person.tenant);
    let items = found.into_iter().map(EndpointView::from).collect();
    Ok(Reply::ok(Page::whole(items)))
}

/// Send a test event
///
/// Once, now, to see that it arrives. What comes of it is in the answer and in the log.
#[utoipa::path(
    post, path = "/v1/endpoints/{name}/test", tag = "notifications",
    operation_id = "test_endpoint",
    params(("name" = String, Path, description = "Its name.")),
    request_body = Option<Nothing>,
    responses((status = 200, description = "How it ended.", body = DeliveryView)),
)]
async fn test(
    State(api): State<Api>,
    person: PersonCaller,
    Named(name): Named<String>,
    Maybe(Nothing {}): Maybe<Nothing>,
) -> Answer<DeliveryView> {
    person.require(Permission::ManagePeople)?;
    let notices = api.notices.clone();
    let work = async move { notices.test(&person.tenant, &name).await };
    let sent = carried(&api, "http-notify", work).await??;
    Ok(Reply::ok(sent.into()))
}

/// Send an event again
///
/// Once, now, and out of turn; whatever waits for its turn goes on waiting.
#[utoipa::path(
    post, path = "/v1/endpoints/{name}/redeliver", tag = "notifications",
    operation_id = "redeliver_event",
    params(("name" = String, Path, description = "Its name.")),
    request_body = Redelivery,
    responses((status = 200, description = "How it ended.", body = DeliveryView)),
)]
async fn redeliver(
    State(api): State<Api>,
    person: PersonCaller,
    Named(name): Named<String>,
    Given(Redelivery { event }): Given<Redelivery>,
) -> Answer<DeliveryView> {
    person.require(Permission::ManagePeople)?;
    let notices = api.notices.clone();
    let work = async move { notices.redeliver(&person.tenant, &name, &event).await };
    let sent = carried(&api, "http-notify", work).await??;
    Ok(Reply::ok(sent.into()))
}

/// Let an endpoint be told again
///
/// One that answered 410 and was disabled, or one that is waited for.
#[utoipa::path(
    post, path = "/v1/endpoints/{name}/resume", tag = "notifications",
    operation_id = "resume_endpoint",
    params(("name" = String, Path, description = "Its name.")),
    request_body = Option<Nothing>,
    responses((status = 200, description = "As it is now.", body = EndpointView)),
)]
async fn resume(
    State(api): State<Api>,
    person: PersonCaller,
    Named(name): Named<String>,
    Maybe(Nothing {}): Maybe<Nothing>,
) -> Answer<EndpointView> {
    person.require(Permission::ManagePeople)?;
    let resumed = api.notices.resume(&person.tenant, &name).await?;
    Ok(Reply::ok(resumed.into()))
}

/// List deliveries
///
/// Attempts, newest first. The oldest of more than ten thousand are forgotten; the record itself
/// is not.
#[utoipa::path(
    get, path = "/v1/deliveries", tag = "notifications", operation_id = "list_deliveries",
    params(DeliveriesQuery),
    responses((status = 200, description = "A page.", body = Page<DeliveryView>)),
)]
async fn deliveries(
    State(api): State<Api>,
    person: PersonCaller,
    Asked(query): Asked<DeliveriesQuery>,
) -> Answer<Page<DeliveryView>> {
    person.require(Permission::View)?;
    let limit = query.limit.get()?;
    let filter = DeliveryFilter {
        tenant: Some(person.tenant),
        endpoint: query.endpoint,
        before: query.before,
        limit: limit + 1,
    };
    let found = api.notices.deliveries(filter).await?;
    let page = Page::cut(found, limit, |delivery| delivery.number.to_string());
    Ok(Reply::ok(Page {
        items: page.items.into_iter().map(DeliveryView::from).collect(),
        next: page.next,
    }))
}

impl From<NoticeError> for Problem {
    fn from(error: NoticeError) -> Self {
        match error {
            NoticeError::NoEndpoint(_) | NoticeError::NoEvent(_) => {
                Self::new(Kind::NotFound, error.to_string())
            }
            NoticeError::Unavailable(unavailable) => unavailable.into(),
        }
    }
}

impl From<EndpointStatus> for EndpointView {
    fn from(endpoint: EndpointStatus) -> Self {
        let standing = endpoint.standing;
        Self {
            name: endpoint.name,
            url: endpoint.url,
            events: endpoint.events,
            next_index: standing.next,
            attempts: standing.attempts,
            next_attempt_at: standing.due_at,
            disabled: standing.disabled,
        }
    }
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        Self {
            number: delivery.number,
            endpoint: delivery.endpoint,
            event: delivery.event,
            kind: delivery.kind,
            attempt: delivery.attempt,
            at: delivery.at,
            duration_ms: delivery.took.as_millis(),
            outcome: delivery.ended,
            status: delivery.status,
            error: delivery.error,
        }
    }
}
