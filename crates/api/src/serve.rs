//! The router of the HTTP API: every route behind the one front.

use axum::http::{Method, Uri};
use axum::middleware::from_fn_with_state;

use crate::front::{Front, pass};
use crate::kinds::Kind;
use crate::openapi::routes;
use crate::problem::Problem;
use crate::state::Api;

/// The HTTP API, ready to be served or merged with other faces. Everything it answers, also to
/// addresses that it does not have, has passed the checks of Host and Origin.
pub fn router(api: Api) -> axum::Router {
    let (routes, _) = routes().split_for_parts();
    routes
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(from_fn_with_state(Front::new(api.clone()), pass))
        .with_state(api)
}

async fn no_route(uri: Uri) -> Problem {
    Problem::not_found("address", uri.path())
}

async fn no_method(method: Method, uri: Uri) -> Problem {
    let detail = format!("`{}` has no method `{method}`", uri.path());
    Problem::new(Kind::MethodNotAllowed, detail)
}
