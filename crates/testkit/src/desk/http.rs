//! The desk on streamable HTTP: `POST /mcp`, and `POST /switch` where the switches are open; and the
//! same orders as a plain HTTP API, `/v1/…` ([`super::rest`]).
//!
//! Answers are single JSON bodies; there is no stream to open and no session to keep, so `GET`
//! and `DELETE` say 405, as the protocol allows. Only loopback names get in: a page in somebody's
//! browser must not reach the desk by rebinding a name.
//!
//! Must not know: what a message means.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use futures_util::stream::{self, StreamExt as _};
use tokio::net::TcpListener;

use super::mcp::Control;
use super::rest::{DOCUMENT, Order};
use super::{Face, FaultKind, HttpHeads, Reply};

/// LIMIT: bodies, as the gate's own.
const BODY_BYTES_MAX: usize = 1 << 20;

/// Serves until the process ends.
pub(super) async fn serve(listener: TcpListener, face: Arc<Face>) -> io::Result<()> {
    let mcp = post(call);
    let mut app = Router::new()
        .route("/mcp", mcp)
        .route("/healthz", get(|| async { "ok" }))
        .merge(plain());
    if face.control() == Control::Open {
        app = app.route("/switch", post(switch));
    }
    let app = app
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn(loopback_only))
        .with_state(face);
    axum::serve(listener, app).await
}

async fn call(State(face): State<Arc<Face>>, headers: HeaderMap, body: Bytes) -> Response {
    let kind = text(&headers, header::CONTENT_TYPE.as_str()).unwrap_or_default();
    if !kind.to_ascii_lowercase().starts_with("application/json") {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
    }
    let heads = HttpHeads {
        version: text(&headers, "mcp-protocol-version"),
        method: text(&headers, "mcp-method"),
        name: text(&headers, "mcp-name"),
    };
    written(face.answer(&body, Some(&heads)).await)
}

/// The orders as a plain HTTP API.
fn plain() -> Router<Arc<Face>> {
    let of = |tool, name| {
        move |State(face): State<Arc<Face>>, path: Path<String>, headers: HeaderMap, body: Bytes| {
            ordered(face, Order::read(tool, Some((name, path)), &headers, &body))
        }
    };
    let message = |State(face): State<Arc<Face>>, headers: HeaderMap, body: Bytes| {
        ordered(face, Order::read("send_message", None, &headers, &body))
    };
    let customer = get(of("get_customer", "customer")).delete(of("close_account", "customer"));
    let refunds = get(of("list_refunds", "charge")).post(of("refund", "charge"));
    Router::new()
        .route(
            "/openapi.json",
            get(|| async { json(StatusCode::OK, Body::from(DOCUMENT)) }),
        )
        .route("/v1/customers/{customer}", customer)
        .route("/v1/charges/{charge}", get(of("get_charge", "charge")))
        .route("/v1/charges/{charge}/refunds", refunds)
        .route("/v1/messages", post(message))
}

async fn ordered(face: Arc<Face>, order: Result<Order, Reply>) -> Response {
    written(match order {
        Ok(order) => face.order(order).await,
        Err(reply) => reply,
    })
}

async fn switch(State(face): State<Arc<Face>>, body: Bytes) -> Response {
    let read = serde_json::from_slice(&body).map_err(|error| error.to_string());
    match read.and_then(|args| face.throw(args)) {
        Ok(done) => json(StatusCode::OK, Body::from(done.to_string())),
        Err(why) => (StatusCode::BAD_REQUEST, why).into_response(),
    }
}

/// The reply with the damage that is due.
fn written(reply: Reply) -> Response {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let Some(body) = reply.body else {
        return status.into_response();
    };
    let half = body.get(..body.len() / 2).unwrap_or_default().to_owned();
    match reply.damage {
        None => json(status, Body::from(body)),
        Some(FaultKind::Garbage) => json(status, Body::from("this is not JSON\n")),
        Some(FaultKind::Exit) => std::process::exit(super::args::EXIT_BY_SWITCH),
        Some(FaultKind::Cut) => json(status, broken(half)),
        Some(_) => json(status, broken(String::new())),
    }
}

/// A body that breaks off: the server closes the connection in the middle of it.
fn broken(start: String) -> Body {
    let end = async {
        // The first half goes out while the stream has nothing more to give.
        tokio::task::yield_now().await;
        Err(io::Error::other("the switch says so"))
    };
    Body::from_stream(stream::iter([Ok(start)]).chain(stream::once(end)))
}

fn json(status: StatusCode, body: Body) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

async fn loopback_only(request: Request, next: Next) -> Result<Response, Infallible> {
    let headers = request.headers();
    let host = text(headers, header::HOST.as_str()).unwrap_or_default();
    let origin = text(headers, header::ORIGIN.as_str());
    let origin_host = origin.as_deref().map(|origin| {
        let (_, host) = origin.split_once("://").unwrap_or(("", origin));
        host
    });
    if !is_loopback(&host) || origin_host.is_some_and(|host| !is_loopback(host)) {
        return Ok(StatusCode::FORBIDDEN.into_response());
    }
    Ok(next.run(request).await)
}

fn is_loopback(authority: &str) -> bool {
    let bracketed = authority.strip_prefix("[::1]");
    let host = bracketed.map_or_else(
        || authority.split(':').next().unwrap_or_default(),
        |_| "[::1]",
    );
    matches!(host, "127.0.0.1" | "localhost" | "[::1]")
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn only_loopback_names_get_in() {
        for host in ["127.0.0.1:80", "localhost", "localhost:9", "[::1]:80"] {
            assert!(is_loopback(host), "{host} was refused");
        }
        for host in [
            "",
            "evil.example",
            "127.0.0.1.evil.example",
            "0.0.0.0",
            "[::2]:80",
        ] {
            assert!(!is_loopback(host), "{host} got in");
        }
    }
}
