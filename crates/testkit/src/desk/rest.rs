//! The desk as a plain HTTP API: `/v1/…`, described by `/openapi.json`.
//!
//! `POST /v1/charges/ch_1/refunds` is the same order as the tool `refund`, and the same faults
//! strike it; a key comes as the header `Idempotency-Key`. What the desk does not do is a 422 that
//! says why.
//!
//! Must not know: MCP.

use axum::body::Bytes;
use axum::extract::Path;
use axum::http::HeaderMap;
use serde_json::{Map, Value, json};

use super::mcp::strike;
use super::{Face, FaultKind, Moment, Reply, operations};

/// The description of all this.
pub(super) const DOCUMENT: &str = include_str!("openapi.json");

/// One request as an order of the desk: the tool, and what came with it.
pub(super) struct Order {
    tool: &'static str,
    args: Value,
    key: Option<String>,
}

impl Order {
    /// An order from a path, the headers and a body.
    ///
    /// # Errors
    /// The answer to what cannot be read.
    pub(super) fn read(
        tool: &'static str,
        path: Option<(&str, Path<String>)>,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<Self, Reply> {
        let mut args: Map<String, Value> = match body.is_empty() {
            true => Map::new(),
            false => serde_json::from_slice(body)
                .map_err(|error| Reply::said(400, &json!({"error": error.to_string()})))?,
        };
        if let Some((name, Path(value))) = path {
            args.insert(name.to_owned(), value.into());
        }
        let key = headers.get("idempotency-key");
        let key = key.and_then(|key| key.to_str().ok()).map(str::to_owned);
        Ok(Self {
            tool,
            args: Value::Object(args),
            key,
        })
    }
}

impl Face {
    /// Carries an order out, and says so in plain HTTP.
    pub(super) async fn order(&self, order: Order) -> Reply {
        let Order { tool, args, key } = order;
        let key = key.as_deref();
        if let Err(error) = self.desk().note_request(tool, key) {
            return Reply::said(500, &json!({"error": error.to_string()}));
        }
        let fault = self.switches().take(tool);
        if let Some(struck) = strike(fault.as_ref(), Moment::Before, &Value::Null).await {
            return damaged(struck, fault.map(|it| it.kind), None);
        }
        let due = match operations::run(self.desk(), tool, args, key) {
            Some(Ok(data)) => Reply::said(200, &data),
            Some(Err(why)) => Reply::said(422, &json!({"error": why})),
            None => Reply::said(404, &json!({"error": "there is nothing here"})),
        };
        match strike(fault.as_ref(), Moment::After, &Value::Null).await {
            None => due,
            Some(struck) => damaged(struck, fault.map(|it| it.kind), Some(due)),
        }
    }
}

/// A fault in the words of plain HTTP.
fn damaged(struck: Reply, kind: Option<FaultKind>, due: Option<Reply>) -> Reply {
    match kind {
        Some(FaultKind::Error) => Reply::said(500, &json!({"error": "the desk is out of order"})),
        // The damaged answer is the one that was due.
        Some(FaultKind::Cut) => Reply {
            body: due.and_then(|due| due.body).or(struck.body),
            ..struck
        },
        _ => struck,
    }
}
