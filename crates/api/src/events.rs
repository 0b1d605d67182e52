//! Live: new records as server-sent events, for people who look on.
//!
//! ```text
//! id: 1042
//! event: invocation.frozen
//! data: {"index":1042,"id":"evt_…",…}
//! ```
//!
//! The log is the only source: the stream looks at it again and again, so it misses nothing and a
//! reader who comes back with `Last-Event-ID` goes on where it stopped. A credential that no
//! longer stands ends its streams. Must not know: who writes records.

use std::sync::Arc;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use toolgate_gate::authenticate;
use toolgate_gate::port::RecordFilter;
use toolgate_model::{Duration, Permission, TenantId};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::{PersonCaller, bearer};
use crate::body::Asked;
use crate::kinds::Kind;
use crate::problem::Problem;
use crate::records::RecordView;
use crate::state::Api;

/// Streams that may be open at once.
// LIMIT: 256, each at most one small read every half second.
const STREAMS_MAX: usize = 256;

/// How long the log is left alone after there was nothing new.
const PAUSE: Duration = Duration::from_millis(500);

/// Empty looks after which a comment keeps the connection open: fifteen seconds.
const QUIET_LOOKS_MAX: u32 = 30;

/// Records that are sent at once.
const PAGE_RECORDS: usize = 100;

/// The routes of this file.
pub(crate) fn routes() -> OpenApiRouter<Api> {
    let streams = Streams(Arc::new(Semaphore::new(STREAMS_MAX)));
    OpenApiRouter::default()
        .routes(routes!(events))
        .layer(Extension(streams))
}

/// Places for open streams.
#[derive(Clone)]
struct Streams(Arc<Semaphore>);

/// Where to begin.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct EventsQuery {
    /// From this index on. None: only what comes from now on. `Last-Event-ID` goes before it.
    from: Option<u64>,
}

/// One reader of the log.
struct Reader {
    api: Api,
    token: String,
    tenant: TenantId,
    next: u64,
    quiet: u32,
    _place: OwnedSemaphorePermit,
}

/// Follow the record
///
/// New records of the caller's tenant as server-sent events.
#[utoipa::path(
    get, path = "/v1/events", tag = "records", operation_id = "follow_records",
    params(
        EventsQuery,
        ("Last-Event-ID" = Option<String>, Header, description = "The last index that was seen."),
    ),
    responses(
        (status = 200, description = "Events without end.", body = String,
         content_type = "text/event-stream"),
    ),
)]
async fn events(
    State(api): State<Api>,
    person: PersonCaller,
    Extension(Streams(places)): Extension<Streams>,
    headers: HeaderMap,
    Asked(query): Asked<EventsQuery>,
) -> Result<Response, Problem> {
    person.require(Permission::View)?;
    let place = places.try_acquire_owned().map_err(|_| {
        Problem::new(
            Kind::TooManyStreams,
            format!("all {STREAMS_MAX} event streams are taken"),
        )
    })?;
    let next = match last_seen(&headers)? {
        Some(index) => index.saturating_add(1),
        None => match query.from {
            Some(index) => index,
            None => end(&api).await?,
        },
    };
    let token = bearer(&headers).unwrap_or_default().to_owned();
    let tenant = person.tenant;
    let reader = Reader {
        api,
        token,
        tenant,
        next,
        quiet: 0,
        _place: place,
    };
    let body = Body::from_stream(stream::unfold(reader, Reader::step));
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, body).into_response())
}

impl Reader {
    /// The next piece of the stream; none where the credential no longer stands or the store is
    /// away, and the reader may come back.
    async fn step(mut self) -> Option<(Result<Bytes, std::convert::Infallible>, Self)> {
        loop {
            let (configuration, now) = (self.api.driver.configuration(), self.api.driver.now());
            authenticate(&configuration, &self.token, now).ok()?;
            let text = self.look().await?;
            if !text.is_empty() {
                return Some((Ok(text.into()), self));
            }
            self.api.driver.clock().sleep_until(now.plus(PAUSE)).await;
            self.quiet += 1;
            if self.quiet >= QUIET_LOOKS_MAX {
                self.quiet = 0;
                return Some((Ok(Bytes::from_static(b": nothing new\n\n")), self));
            }
        }
    }

    async fn look(&mut self) -> Option<String> {
        let filter = RecordFilter {
            tenant: Some(self.tenant.clone()),
            from: self.next,
            limit: PAGE_RECORDS,
            ..RecordFilter::default()
        };
        let records = self.api.driver.store().records(filter).await.ok()?;
        let mut text = String::new();
        for record in &records {
            let view = RecordView::of(record).ok()?;
            let data = serde_json::to_string(&view).ok()?;
            text.push_str(&format!(
                "id: {}\nevent: {}\ndata: {data}\n\n",
                view.index, view.kind
            ));
            self.next = record.index + 1;
            self.quiet = 0;
        }
        Some(text)
    }
}

/// The index that the next record will have.
async fn end(api: &Api) -> Result<u64, Problem> {
    let filter = RecordFilter {
        newest: true,
        limit: 1,
        ..RecordFilter::default()
    };
    let newest = api.driver.store().records(filter).await?;
    Ok(newest.last().map_or(0, |record| record.index + 1))
}

fn last_seen(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    const NAME: &str = "Last-Event-ID";
    let Some(value) = headers.get(NAME) else {
        return Ok(None);
    };
    let index = value.to_str().ok().and_then(|text| text.parse().ok());
    index
        .map(Some)
        .ok_or_else(|| Problem::header(NAME, "not the index of a record"))
}
