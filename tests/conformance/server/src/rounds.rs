//! What is asked of a caller before there is an answer, in the way of the caller's era.
//!
//! A modern caller gets `input_required` and calls again with its answers; a legacy one gets the
//! same requests while its call runs. Nothing is asked that the client did not declare.
//! Must not know: which fixture asks, or what becomes of the answers.

use rmcp::model::{
    ClientCapabilities, ErrorData, InputRequest, InputRequests, InputRequiredResult,
    InputResponses, RequestStateCodec,
};
use rmcp::service::{Peer, RoleServer};
use serde_json::{Map, Value, json};

use crate::fixtures::{Asks, Rounds, filled};

/// What a caller sent along for its rounds.
#[derive(Default)]
pub struct Given {
    pub responses: Option<InputResponses>,
    pub state: Option<String>,
}

/// Where a caller is in its rounds.
pub enum Next {
    Ask(InputRequiredResult),
    Go(Value),
}

impl Rounds {
    /// What a modern caller is asked next, or its answers where nothing is left to ask.
    pub fn next(
        &self,
        codec: &RequestStateCodec,
        given: Given,
        declared: &ClientCapabilities,
        arguments: &Value,
    ) -> Result<Next, ErrorData> {
        if self.by_request {
            return Err(ErrorData::internal_error(
                "this is asked in a session only",
                None,
            ));
        }
        let responses = given.responses.unwrap_or_default();
        let facts = json!({ "arguments": arguments });
        let asked = self
            .rounds
            .iter()
            .map(|asks| requests(asks, declared, &facts));
        let asked = asked.collect::<Result<Vec<_>, _>>()?;
        let answered = |round: &InputRequests| {
            round
                .keys()
                .all(|key| responses.get(key).is_some_and(Value::is_object))
        };
        let next = match (self.sealed, given.state) {
            (true, None) => 0,
            (true, Some(sealed)) => {
                let round = opened(codec, &sealed)?;
                round + usize::from(asked.get(round).is_none_or(answered))
            }
            (false, _) => asked.iter().take_while(|round| answered(round)).count(),
        };
        let Some(requests) = asked.into_iter().nth(next) else {
            return Ok(Next::Go(json!(responses)));
        };
        let state = self.sealed.then(|| codec.seal_json(&next)).transpose();
        let state = state.map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
        Ok(Next::Ask(InputRequiredResult::new(Some(requests), state)))
    }

    /// All rounds with a legacy caller, by requests while its call runs.
    pub async fn through(
        &self,
        peer: &Peer<RoleServer>,
        declared: &ClientCapabilities,
        arguments: &Value,
    ) -> Result<Value, ErrorData> {
        let facts = json!({ "arguments": arguments });
        let mut answers = Map::new();
        for asks in &self.rounds {
            for (key, request) in requests(asks, declared, &facts)? {
                answers.insert(key, asked(peer, request).await?);
            }
        }
        Ok(Value::Object(answers))
    }
}

/// The requests of one round, as far as the client declared that it answers such.
pub fn requests(
    asks: &Asks,
    declared: &ClientCapabilities,
    facts: &Value,
) -> Result<InputRequests, ErrorData> {
    let mut lacking = ClientCapabilities::default();
    let mut requests = InputRequests::new();
    for (key, ask) in asks {
        let ask = filled(ask, facts);
        let request = serde_json::from_value(ask).map_err(|error| {
            ErrorData::internal_error(format!("the fixture `{key}`: {error}"), None)
        })?;
        if declares(declared, &request, &mut lacking) {
            requests.insert(key.clone(), request);
        }
    }
    if requests.is_empty() && !asks.is_empty() {
        return Err(ErrorData::missing_required_client_capability(lacking));
    }
    Ok(requests)
}

/// Whether the client declared what a request needs; if not, it is added to what is lacking.
fn declares(
    declared: &ClientCapabilities,
    request: &InputRequest,
    lacking: &mut ClientCapabilities,
) -> bool {
    match request {
        InputRequest::CreateMessage(_) => {
            lacking.sampling = Some(Default::default());
            declared.sampling.is_some()
        }
        InputRequest::ListRoots(_) => {
            lacking.roots = Some(Default::default());
            declared.roots.is_some()
        }
        _ => {
            lacking.elicitation = Some(Default::default());
            declared.elicitation.is_some()
        }
    }
}

async fn asked(peer: &Peer<RoleServer>, request: InputRequest) -> Result<Value, ErrorData> {
    let answer = match request {
        InputRequest::CreateMessage(request) => peer
            .create_message(request.params)
            .await
            .map(|answer| json!(answer)),
        InputRequest::ListRoots(_) => peer.list_roots().await.map(|answer| json!(answer)),
        InputRequest::Elicitation(request) => peer
            .create_elicitation(request.params)
            .await
            .map(|answer| json!(answer)),
        _ => {
            return Err(ErrorData::internal_error(
                "a request of an unknown kind",
                None,
            ));
        }
    };
    answer.map_err(|error| ErrorData::internal_error(error.to_string(), None))
}

/// The round that a sealed state names. It comes from the client: what was not sealed here is refused.
fn opened(codec: &RequestStateCodec, sealed: &str) -> Result<usize, ErrorData> {
    let refused =
        |_| ErrorData::invalid_params("the request state was not sealed by this server", None);
    codec.open_json(sealed).map_err(refused)
}
