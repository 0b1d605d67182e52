//! `prompts/get`, `resources/read` and `completion/complete`: calls of the tools that stand for them.
//!
//! ```text
//! {"name": "crm__greet", "arguments": {…}}  → crm.prompts/get {"name": "greet", "arguments": {…}}
//! ```
//!
//! What a client names is exchanged for its server's own name; all else of the parameters goes on
//! as it is, through the gate like any call. What leads nowhere, and what is hidden, is submitted
//! too, so that the record knows of it; the client is told the same of both.
//!
//! Must not know: transports, how anything is decided or fetched.

use serde_json::{Map, Value};
use toolgate_driver::Outcome;
use toolgate_execution::State;
use toolgate_model::{Call, Code, InvocationId, Method};

use super::call::{Carried, carry, renderer, unknown_id};
use super::era::Era;
use super::face::{Asked, Face};
use super::message::{RpcError, shown};
use super::offers::{Kind, Lead, Offers, Place};
use super::paging::Page;
use super::render::{unknown_prompt, unknown_resource};
use super::work::Progress;

/// Members of the parameters that are between the client and the gate, and no arguments.
const BETWEEN_US: [&str; 3] = ["_meta", "inputResponses", "requestState"];

/// What the parameters name, and where in them.
struct Naming<'n> {
    name: &'n str,
    /// The object within the parameters that it stands in, where that is not they themselves.
    within: Option<&'static str>,
    key: &'static str,
    lead: Lead,
    /// What a client is told of what is not there.
    unknown: fn(&str, Option<&InvocationId>) -> RpcError,
}

/// Serves the lists of prompts, resources and templates.
pub(super) fn list(face: &Face, asked: &Asked, kind: Kind) -> Result<String, RpcError> {
    let (configuration, now) = (face.api.driver.configuration(), face.api.driver.now());
    let offers = Offers::new(&configuration, &asked.identity, now);
    if asked.era == Era::Modern && !offers.any(kind.method()) {
        // Nobody told this client that there is such a method; a session may have been told.
        let (method, status) = (&asked.request.method, asked.era.unknown_method_status());
        return Err(RpcError::unknown_method(method, status));
    }
    let page = Page::of(
        &asked.request.params,
        (kind.field(), face.options.page_size),
    )?;
    let entries = offers.entries(kind, page.start(offers.names(kind)));
    Ok(page.filled(entries, asked.era))
}

/// Serves `prompts/get`.
pub(super) async fn get_prompt(
    face: &Face,
    asked: &Asked,
    progress: &Progress,
) -> Result<String, RpcError> {
    let name = text(&asked.request.params, "name")?;
    let naming = Naming {
        name,
        within: None,
        key: "name",
        lead: lead(face, asked, |offers| offers.prompt(name)),
        unknown: unknown_prompt,
    };
    run(face, asked, (Method::GetPrompt, naming), progress).await
}

/// Serves `resources/read`.
pub(super) async fn read_resource(
    face: &Face,
    asked: &Asked,
    progress: &Progress,
) -> Result<String, RpcError> {
    let uri = text(&asked.request.params, "uri")?;
    let naming = Naming {
        name: uri,
        within: None,
        key: "uri",
        lead: lead(face, asked, |offers| offers.resource(uri)),
        unknown: unknown_resource,
    };
    run(face, asked, (Method::ReadResource, naming), progress).await
}

/// Serves `completion/complete`: of an argument of a prompt, or of an expression of a template.
pub(super) async fn complete(
    face: &Face,
    asked: &Asked,
    progress: &Progress,
) -> Result<String, RpcError> {
    let Some(Value::Object(reference)) = asked.request.params.get("ref") else {
        return Err(RpcError::invalid_params("`ref` must be an object"));
    };
    let naming = match reference.get("type").and_then(Value::as_str) {
        Some("ref/prompt") => {
            let name = text(reference, "name")?;
            Naming {
                name,
                within: Some("ref"),
                key: "name",
                lead: lead(face, asked, |offers| offers.prompt(name)),
                unknown: unknown_prompt,
            }
        }
        Some("ref/resource") => {
            let uri = text(reference, "uri")?;
            Naming {
                name: uri,
                within: Some("ref"),
                key: "uri",
                lead: lead(face, asked, |offers| offers.resource(uri)),
                unknown: unknown_resource,
            }
        }
        _ => {
            let message = "`ref.type` must be `ref/prompt` or `ref/resource`";
            return Err(RpcError::invalid_params(message));
        }
    };
    run(face, asked, (Method::Complete, naming), progress).await
}

/// Where a name leads for the one who asks.
fn lead(face: &Face, asked: &Asked, find: impl FnOnce(Offers<'_>) -> Lead) -> Lead {
    let (configuration, now) = (face.api.driver.configuration(), face.api.driver.now());
    find(Offers::new(&configuration, &asked.identity, now))
}

async fn run(
    face: &Face,
    asked: &Asked,
    (method, naming): (Method, Naming<'_>),
    progress: &Progress,
) -> Result<String, RpcError> {
    let (is_known, call) = call(face, asked, method, &naming)?;
    match carry(face, asked, call, progress).await? {
        Carried::Said(result) => Ok(result),
        Carried::Ended(outcome) if !is_known || is_missing(&outcome) => {
            Err((naming.unknown)(naming.name, Some(&outcome.invocation.id)))
        }
        Carried::Ended(outcome) => renderer(face, asked).answer(&outcome, method),
    }
}

/// The call, and whether its caller may know what it is of.
fn call(
    face: &Face,
    asked: &Asked,
    method: Method,
    naming: &Naming<'_>,
) -> Result<(bool, Call), RpcError> {
    let place = match &naming.lead {
        Lead::Known(place) => Some(place),
        // The gate itself denies it, with the reason; but not what is only about it.
        Lead::Hidden(place) if method != Method::Complete => Some(place),
        Lead::Hidden(_) | Lead::Nowhere => None,
        Lead::Several(ways) => return Err(several(naming.name, ways)),
    };
    let is_known = matches!(naming.lead, Lead::Known(_));
    let configuration = face.api.driver.configuration();
    let nowhere = || {
        unknown_id(
            &configuration,
            &format!("{} {}", method.as_str(), naming.name),
        )
    };
    let tool = place.map_or_else(nowhere, |place| place.tool(method));
    let tool = tool.ok_or_else(RpcError::defect)?;
    let arguments = arguments(&asked.request.params, naming, place);
    Ok((is_known, Call::new(tool, Value::Object(arguments))))
}

/// The parameters in the server's own names.
fn arguments(
    params: &Map<String, Value>,
    naming: &Naming<'_>,
    place: Option<&Place>,
) -> Map<String, Value> {
    let kept = params
        .iter()
        .filter(|(key, _)| !BETWEEN_US.contains(&key.as_str()));
    let mut arguments: Map<String, Value> = kept
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let holder = match naming.within {
        None => Some(&mut arguments),
        Some(member) => arguments.get_mut(member).and_then(Value::as_object_mut),
    };
    if let (Some(holder), Some(place)) = (holder, place) {
        holder.insert(naming.key.to_owned(), place.name.clone().into());
    }
    arguments
}

/// What is told of a URI that could be of several sources.
pub(super) fn several(uri: &str, ways: &[String]) -> RpcError {
    let ways: Vec<String> = ways.iter().map(|way| format!("`{}`", shown(way))).collect();
    RpcError::invalid_params(format!(
        "`{}` does not say which source it is of: name {}",
        shown(uri),
        ways.join(" or ")
    ))
}

/// Whether what the call is of went away before it was made.
fn is_missing(outcome: &Outcome) -> bool {
    match &outcome.invocation.state {
        State::Denied { denial } => denial.code == Code::ToolNotFound,
        _ => false,
    }
}

/// A member of the parameters that must be a text.
pub(super) fn text<'p>(params: &'p Map<String, Value>, key: &str) -> Result<&'p str, RpcError> {
    params
        .get(key)
        .and_then(Value::as_str)
        .ok_or_else(|| RpcError::invalid_params(format!("`{key}` must be a text")))
}
