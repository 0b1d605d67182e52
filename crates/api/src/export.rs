//! The whole log in one text: a bundle that verifies offline with nothing but the verifier key.
//!
//! Read and sent page by page, so that no log is too long. It holds every tenant's records, or it
//! would not verify; so only people of the tenant that runs the gate may take it. A log that
//! cannot be read to its end breaks the transfer off: half a bundle must not look whole.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use toolgate_gate::port::{RecordFilter, Unavailable};
use toolgate_model::Permission;
use toolgate_record::{Checkpoint, Verifier, checkpoint_line, header_line, record_line};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::PersonCaller;
use crate::kinds::Kind;
use crate::problem::Problem;
use crate::state::Api;

/// Records that are read and sent at once.
// LIMIT: five hundred, at most 32 MiB in memory for one reader.
const PAGE_RECORDS: usize = 500;

/// The routes of this file.
pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(export))
}

/// How far a transfer has come.
struct Transfer {
    api: Api,
    head: Option<String>,
    next: u64,
    size: u64,
}

/// Export the log
///
/// One JSON value a line: a header, all checkpoints, all records up to the newest checkpoint,
/// which is signed now. Check it with `toolgate audit verify BUNDLE`.
#[utoipa::path(
    get, path = "/v1/export", tag = "records", operation_id = "export_log",
    responses(
        (status = 200, description = "The bundle.", body = String,
         content_type = "application/x-ndjson"),
    ),
)]
async fn export(State(api): State<Api>, person: PersonCaller) -> Result<Response, Problem> {
    person.require_host(Permission::View)?;
    let store = api.driver.store();
    let note = store.checkpoint().await?;
    let notes = store.checkpoints(0).await?;
    let verifier = Verifier::parse(&store.verifier_key()).map_err(|error| unsound(&error))?;
    let size = Checkpoint::open(&note, &verifier)
        .map_err(|error| unsound(&error))?
        .size;
    let lines = std::iter::once(header_line(&verifier));
    let lines = lines.chain(notes.iter().map(|note| checkpoint_line(note)));
    let head: String = lines.flat_map(|line| [line, "\n".to_owned()]).collect();
    let transfer = Transfer {
        api: api.clone(),
        head: Some(head),
        next: 0,
        size,
    };
    let body = Body::from_stream(stream::try_unfold(transfer, Transfer::step));
    let headers = [
        (header::CONTENT_TYPE, "application/x-ndjson"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"toolgate-log.ndjson\"",
        ),
    ];
    Ok((headers, body).into_response())
}

impl Transfer {
    async fn step(mut self) -> Result<Option<(Bytes, Self)>, Unavailable> {
        if let Some(head) = self.head.take() {
            return Ok(Some((head.into(), self)));
        }
        if self.next >= self.size {
            return Ok(None);
        }
        let filter = RecordFilter {
            from: self.next,
            limit: PAGE_RECORDS,
            ..RecordFilter::default()
        };
        let records = self.api.driver.store().records(filter).await?;
        let mut text = String::new();
        for record in records.iter().filter(|record| record.index < self.size) {
            let line = record_line(record).map_err(|error| broken(&error))?;
            text.push_str(&line);
            text.push('\n');
            self.next = record.index + 1;
        }
        if text.is_empty() {
            return Err(broken(&format!("record {} is not there", self.next)));
        }
        Ok(Some((text.into(), self)))
    }
}

fn broken(error: &dyn std::fmt::Display) -> Unavailable {
    tracing::error!(%error, "an export broke off");
    Unavailable {
        part: "log",
        detail: error.to_string(),
    }
}

fn unsound(error: &dyn std::fmt::Display) -> Problem {
    tracing::error!(%error, "the log could not be exported");
    Problem::new(Kind::LogUnsound, "the newest checkpoint does not hold")
}
