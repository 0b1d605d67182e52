//! The record, read: single entries in their canonical text, signed checkpoints, the whole log.
//!
//! ```text
//! GET /v1/records?kind=key.&newest=true · GET /v1/records/{id}
//! GET /v1/checkpoints · POST /v1/checkpoints · GET /v1/export
//! ```
//!
//! The text of a record is what its leaf is the hash of, byte for byte, so that whoever keeps an
//! answer can check it. Must not know: what kinds of records there are.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use toolgate_gate::port::RecordFilter;
use toolgate_model::{Digest, InvocationId, Permission, RecordId, TenantId, Timestamp};
use toolgate_record::{Checkpoint, Record, Verifier};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::PersonCaller;
use crate::body::{Asked, Maybe, Nothing, bounded_parameter};
use crate::kinds::Kind;
use crate::named::Named;
use crate::problem::Problem;
use crate::reply::{Answer, Page, PageLimit, Reply};
use crate::state::Api;

/// Bytes of the start of a kind.
const KIND_BYTES_MAX: usize = 64;

/// The routes of this file.
pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(checkpoints, sign))
}

/// Which records.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct RecordsQuery {
    /// About this invocation.
    #[param(value_type = Option<String>)]
    invocation: Option<InvocationId>,
    /// Whose kind starts so: `invocation.`, `key.revoked`.
    kind: Option<String>,
    /// From this index on: the `next` of the page before.
    from: Option<u64>,
    /// The newest ones instead of the first ones, still oldest first.
    #[serde(default)]
    newest: bool,
    /// At most this many, up to 200.
    #[serde(default)]
    #[param(value_type = Option<usize>)]
    limit: PageLimit,
}

/// Which checkpoints.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct CheckpointsQuery {
    /// Of this many records or more: the `next` of the page before.
    from_size: Option<u64>,
    /// At most this many, up to 200.
    #[serde(default)]
    #[param(value_type = Option<usize>)]
    limit: PageLimit,
}

/// One record.
#[derive(Serialize, ToSchema)]
#[schema(as = Record)]
pub(crate) struct RecordView {
    /// Its place in the log, from 0.
    pub(crate) index: u64,
    /// Its id, the same wherever it is cited.
    #[schema(value_type = String)]
    id: RecordId,
    /// When it happened.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// What happened.
    pub(crate) kind: String,
    /// The invocation that it is about.
    #[schema(value_type = Option<String>)]
    invocation: Option<InvocationId>,
    /// SHA-256 of a zero byte and the text: its leaf in the tree.
    #[schema(value_type = String)]
    leaf: Digest,
    /// The record itself, as canonical JSON.
    text: String,
}

/// The signed head of the log at one size.
#[derive(Serialize, ToSchema)]
#[schema(as = Checkpoint)]
struct CheckpointView {
    /// Which log.
    origin: String,
    /// How many records it has.
    size: u64,
    /// The root over them.
    #[schema(value_type = String)]
    root: Digest,
    /// The signed note (C2SP tlog-checkpoint).
    note: String,
}

/// List records
///
/// Those of the caller's tenant, oldest first.
#[utoipa::path(
    get, path = "/v1/records", tag = "records", operation_id = "list_records",
    params(RecordsQuery),
    responses((status = 200, description = "A page.", body = Page<RecordView>)),
)]
async fn list(
    State(api): State<Api>,
    person: PersonCaller,
    Asked(query): Asked<RecordsQuery>,
) -> Answer<Page<RecordView>> {
    person.require(Permission::View)?;
    let limit = query.limit.get()?;
    bounded_parameter("kind", query.kind.as_deref(), KIND_BYTES_MAX)?;
    let filter = RecordFilter {
        tenant: Some(person.tenant),
        invocation: query.invocation,
        kind_prefix: query.kind,
        from: query.from.unwrap_or_default(),
        limit,
        newest: query.newest,
    };
    let records = api.driver.store().records(filter).await?;
    let full = records.len() == limit;
    let next = records
        .last()
        .filter(|_| full)
        .map(|last| (last.index + 1).to_string());
    let items = records
        .iter()
        .map(RecordView::of)
        .collect::<Result<_, _>>()?;
    Ok(Reply::ok(Page { items, next }))
}

/// Look at a record
#[utoipa::path(
    get, path = "/v1/records/{id}", tag = "records", operation_id = "get_record",
    params(("id" = String, Path, description = "`evt_…`")),
    responses((status = 200, description = "The record.", body = RecordView)),
)]
async fn show(
    State(api): State<Api>,
    person: PersonCaller,
    Named(id): Named<RecordId>,
) -> Answer<RecordView> {
    person.require(Permission::View)?;
    let found = api.driver.store().record(&id).await?;
    let record = found.ok_or_else(|| Problem::not_found("record", &id))?;
    if tenant(&record)? != person.tenant {
        return Err(Problem::not_found("record", &id));
    }
    Ok(Reply::ok(RecordView::of(&record)?))
}

/// List checkpoints
///
/// Oldest first.
#[utoipa::path(
    get, path = "/v1/checkpoints", tag = "records", operation_id = "list_checkpoints",
    params(CheckpointsQuery),
    responses((status = 200, description = "A page.", body = Page<CheckpointView>)),
)]
async fn checkpoints(
    State(api): State<Api>,
    person: PersonCaller,
    Asked(query): Asked<CheckpointsQuery>,
) -> Answer<Page<CheckpointView>> {
    person.require(Permission::View)?;
    let limit = query.limit.get()?;
    let from = query.from_size.unwrap_or_default();
    let mut notes = api.driver.store().checkpoints(from).await?;
    notes.truncate(limit + 1);
    let views = notes.into_iter().map(|note| CheckpointView::of(&api, note));
    let items = views.collect::<Result<Vec<_>, _>>()?;
    let next = |last: &CheckpointView| (last.size + 1).to_string();
    Ok(Reply::ok(Page::cut(items, limit, next)))
}

/// Sign the log as it stands
///
/// The newest checkpoint where nothing new was appended since.
#[utoipa::path(
    post, path = "/v1/checkpoints", tag = "records", operation_id = "sign_checkpoint",
    request_body = Option<Nothing>,
    responses((status = 200, description = "The checkpoint.", body = CheckpointView)),
)]
async fn sign(
    State(api): State<Api>,
    person: PersonCaller,
    Maybe(Nothing {}): Maybe<Nothing>,
) -> Answer<CheckpointView> {
    person.require(Permission::View)?;
    let note = api.driver.store().checkpoint().await?;
    Ok(Reply::ok(CheckpointView::of(&api, note)?))
}

/// Whose a record is.
pub(crate) fn tenant(record: &Record) -> Result<TenantId, Problem> {
    Ok(record
        .entry()
        .map_err(|error| unreadable(record.index, &error))?
        .tenant)
}

impl RecordView {
    /// A record as it is shown.
    pub(crate) fn of(record: &Record) -> Result<Self, Problem> {
        let entry = record
            .entry()
            .map_err(|error| unreadable(record.index, &error))?;
        let text = std::str::from_utf8(&record.bytes);
        Ok(Self {
            index: record.index,
            id: entry.id,
            at: entry.at,
            kind: entry.kind,
            invocation: entry.invocation,
            leaf: record.leaf,
            text: text
                .map_err(|error| unreadable(record.index, &error))?
                .to_owned(),
        })
    }
}

impl CheckpointView {
    fn of(api: &Api, note: String) -> Result<Self, Problem> {
        let verifier = Verifier::parse(&api.driver.store().verifier_key());
        let verifier = verifier.map_err(|error| forged(&error))?;
        let Checkpoint { origin, size, root } =
            Checkpoint::open(&note, &verifier).map_err(|error| forged(&error))?;
        Ok(Self {
            origin,
            size,
            root,
            note,
        })
    }
}

fn unreadable(index: u64, error: &dyn std::fmt::Display) -> Problem {
    tracing::error!(index, %error, "a record does not read");
    Problem::new(
        Kind::LogUnsound,
        format!("record {index} of the log does not read"),
    )
}

fn forged(error: &dyn std::fmt::Display) -> Problem {
    tracing::error!(%error, "a checkpoint of the store does not hold");
    Problem::new(Kind::LogUnsound, "a checkpoint in the store does not hold")
}
