//! The routes of all resources, and their description as OpenAPI 3.1, made from the same lines.
//!
//! A handler that is not in a `routes!` is not served and not described. What all operations share
//! (the bearer token, the problem that any of them may answer with) is added here once.

use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, ResponseBuilder};
use utoipa::{Modify, OpenApi as _};
use utoipa_axum::router::OpenApiRouter;

use crate::problem::ProblemView;
use crate::state::Api;
use crate::{
    activations, agents, approvals, authzen, deliveries, evaluate, events, export, health,
    host_tools, hosted, incidents, invocations, keys, policies, receipts, records, resource,
    reviews, tools, trials, users,
};

/// The name of the security scheme.
const BEARER: &str = "bearer";

/// What the description begins with.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Toolgate",
        description = "Decides whether an AI agent's tool call may run, runs it once, and proves \
            afterwards what happened. Everything the gate processed is answered with 200 and the \
            outcome envelope, denials too; only what is wrong with a request itself is a problem \
            (RFC 9457). Fields that are not known are refused.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    components(schemas(ProblemView)),
    modifiers(&Shared),
    tags(
        (name = "invocations", description = "Calls and what became of them."),
        (name = "approvals", description = "Calls that wait for people."),
        (name = "tools", description = "What can be called."),
        (name = "agents", description = "Who calls."),
        (name = "keys", description = "Credentials."),
        (name = "users", description = "People."),
        (name = "policies", description = "Rules."),
        (name = "authzen", description = "The gate as a policy decision point (AuthZEN 1.0)."),
        (name = "records", description = "The log and its proofs."),
        (name = "incidents", description = "What rules have opened for people to look into."),
        (name = "notifications", description = "Who is told of what, and what was sent."),
        (name = "server", description = "The gate itself; no token needed."),
    ),
)]
struct Description;

/// The parts that all operations share.
struct Shared;

impl Modify for Shared {
    fn modify(&self, document: &mut OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("tg_… for agents, tgp_… for people")
            .description(Some(
                "A token of this gate, in the `Authorization` header only.",
            ))
            .build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme(BEARER, SecurityScheme::Http(scheme));
    }
}

/// The routes, with their description.
pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::with_openapi(Description::openapi())
        .merge(invocations::routes())
        .merge(hosted::routes())
        .merge(receipts::routes())
        .merge(approvals::routes())
        .merge(tools::routes())
        .merge(host_tools::routes())
        .merge(reviews::routes())
        .merge(agents::routes())
        .merge(keys::routes())
        .merge(users::routes())
        .merge(policies::routes())
        .merge(activations::routes())
        .merge(trials::routes())
        .merge(evaluate::routes())
        .merge(authzen::routes())
        .merge(records::routes())
        .merge(export::routes())
        .merge(events::routes())
        .merge(incidents::routes())
        .merge(deliveries::routes())
        .merge(health::routes())
        .merge(resource::routes())
}

/// The description of the HTTP API, OpenAPI 3.1.
pub fn openapi() -> OpenApi {
    let mut document = routes().into_openapi();
    document
        .paths
        .paths
        .values_mut()
        .flat_map(operations)
        .for_each(complete);
    document
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        &mut item.get,
        &mut item.patch,
        &mut item.post,
        &mut item.put,
    ]
    .into_iter()
    .flatten()
}

/// An operation that says nothing about security needs a token; any may answer with a problem.
fn complete(operation: &mut Operation) {
    operation.security.get_or_insert_with(|| {
        let scopes: [&str; 0] = [];
        vec![SecurityRequirement::new(BEARER, scopes)]
    });
    let problem = ResponseBuilder::new()
        .description("A problem with the request.")
        .content(
            "application/problem+json",
            ContentBuilder::new()
                .schema(Some(Ref::from_schema_name("Problem")))
                .build(),
        )
        .build();
    operation
        .responses
        .responses
        .insert("default".to_owned(), problem.into());
}
