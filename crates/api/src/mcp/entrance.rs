//! Who may come in at all: the right host, an origin that belongs here, an agent's token.
//!
//! `Host` and `Origin` keep a web page that the agent's owner has open from talking to the gate in
//! their name (DNS rebinding). 401 is about the token alone: what an agent may not do is answered
//! as data, never by a status, since clients take those for the end of their session.
//!
//! Must not know: messages, sessions.

use axum::http::{HeaderMap, header};
use axum::response::Response;
use serde_json::json;
use toolgate_driver::Driver;
use toolgate_gate::Caller;
use toolgate_model::{Code, Denial, Identity};

use super::limits::HEADER_BYTES_MAX;
use super::message::RpcError;
use super::reply::refusal;
use crate::admission::{Complaint, Refused};
use crate::auth::bearer;
use crate::{Api, host};

/// Where this face is, as the description of the resource names it.
const FACE: &str = "/mcp";

/// Checks everything about a request but its body.
pub(super) async fn admit(api: &Api, headers: &HeaderMap) -> Result<Identity, Box<Response>> {
    check_size(headers)
        .and_then(|()| check_place(api, headers))
        .map_err(|error| Box::new(refusal(&error.for_nobody())))?;
    let anonymous = api.admission.anonymous.as_ref();
    let caller = match anonymous {
        Some(key) if !headers.contains_key(header::AUTHORIZATION) => {
            let caller = api.driver.authenticate_as(key).await;
            caller.map_err(Refused::Token)
        }
        _ => api.authenticate(headers).await,
    };
    let identity = caller.and_then(|caller| as_agent(caller).map_err(Refused::Token));
    identity.map_err(|refused| Box::new(turned_away(api, headers, refused)))
}

/// The agent that a token authenticates. A person's token calls no tool.
pub(super) async fn identify(driver: &Driver, token: Option<&str>) -> Result<Identity, Denial> {
    driver.authenticate(token).await.and_then(as_agent)
}

fn as_agent(caller: Caller) -> Result<Identity, Denial> {
    match caller {
        Caller::Agent(identity) => Ok(identity),
        Caller::Person { operator, .. } => {
            let message = format!(
                "the token belongs to `{}`, a person, and people's tokens invoke no tool: use an agent's",
                operator.id
            );
            Err(Denial::new(Code::Unauthenticated, message))
        }
    }
}

/// The denial of step 1 as an error.
pub(super) fn unauthenticated(denial: &Denial) -> RpcError {
    RpcError::refused(401, denial.message.clone()).with(json!({"code": denial.code}))
}

/// The answer to whoever does not come in: 401 with a challenge for the token alone, and 403 where
/// the token is good and was issued for something else.
fn turned_away(api: &Api, headers: &HeaderMap, refused: Refused) -> Response {
    let (error, complaint) = match refused {
        Refused::Token(denial) if bearer(headers).is_some() => {
            (unauthenticated(&denial), Complaint::Invalid)
        }
        Refused::Token(denial) => (unauthenticated(&denial), Complaint::Missing),
        Refused::Scope(why) => (RpcError::refused(403, why), Complaint::Scope),
        Refused::Unavailable(why) => {
            return refusal(&RpcError::refused(503, why).for_nobody());
        }
    };
    let mut response = refusal(&error.for_nobody());
    let challenge = api.challenge(complaint, FACE);
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, challenge);
    response
}

fn check_size(headers: &HeaderMap) -> Result<(), RpcError> {
    let bytes: usize = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    if bytes <= HEADER_BYTES_MAX {
        return Ok(());
    }
    let message =
        format!("the headers have {bytes} bytes, more than the {HEADER_BYTES_MAX} allowed");
    Err(RpcError::refused(431, message))
}

/// The same checks as everywhere in the API; here they are answered as a message.
fn check_place(api: &Api, headers: &HeaderMap) -> Result<(), RpcError> {
    let named = host::check(headers, api);
    let placed = named.and_then(|named| host::check_origin(headers, named, api));
    placed
        .map(|_| ())
        .map_err(|problem| RpcError::refused(403, problem.detail))
}
