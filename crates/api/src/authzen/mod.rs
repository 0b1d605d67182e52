//! AuthZEN: the gate as a policy decision point of the OpenID Authorization API 1.0.
//!
//! ```text
//! POST /access/v1/evaluation · /access/v1/evaluations · /access/v1/search/{subject,resource,action}
//! POST /access/v1/requests · GET …/{id} · POST …/{id}/cancel
//! GET  /.well-known/authzen-configuration[/{tenant}]
//! ```
//!
//! An evaluation is a call that nobody runs: subject, action, resource and context become whom, which
//! tool, with which arguments ([`mapping`]), and the answer is a boolean with the reason beside it.
//! Only an allow is `true`; what has to be sanitized first is `true` to nobody who did not say that
//! they can. Unknown fields are ignored here, as that specification wants, and nowhere else
//! ([`tolerant`]). Must not know: how a call is decided.

mod access;
mod binding;
mod decision;
mod mapping;
mod page;
mod task;
mod tolerant;
mod whom;

mod again;
mod discovery;
mod evaluation;
mod requests;
mod search;

use axum::Extension;
use utoipa_axum::router::OpenApiRouter;

use crate::state::Api;

use binding::Binder;

/// The routes of this face.
pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .merge(evaluation::routes())
        .merge(search::routes())
        .merge(requests::routes())
        .merge(discovery::routes())
        .layer(Extension(Binder::default()))
}
