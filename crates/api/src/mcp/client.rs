//! The client at the other end of a legacy session, as far as it can be asked things.
//!
//! What it can do it said once, in `initialize`. A request of the gate to it carries an id of the
//! session's own; whoever asked holds a [`Question`], and the answer that comes in the session under
//! that id is handed to it. An answer to nothing that was asked is ignored.
//!
//! Must not know: transports, what is asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value};
use tokio::sync::oneshot;
use toolgate_gate::peer::Reply;

use super::attention::Attention;
use super::limits::QUESTIONS_OPEN_MAX;
use super::message::Response;

/// One client.
#[derive(Debug, Default)]
pub(super) struct Client {
    capabilities: Map<String, Value>,
    asked: Mutex<Asked>,
    /// What it wants to hear of.
    pub(super) attention: Arc<Attention>,
}

#[derive(Debug, Default)]
struct Asked {
    last: u64,
    open: HashMap<u64, oneshot::Sender<Reply>>,
}

/// One thing that the client was asked; nobody waits for the answer once this is dropped.
#[derive(Debug)]
pub(super) struct Question {
    client: Arc<Client>,
    /// The id of the request.
    pub(super) id: u64,
    reply: oneshot::Receiver<Reply>,
}

impl Client {
    /// The client that began with these parameters of `initialize`.
    pub(super) fn of(params: &Map<String, Value>) -> Arc<Self> {
        let declared = params.get("capabilities").and_then(Value::as_object);
        Arc::new(Self {
            capabilities: declared.cloned().unwrap_or_default(),
            asked: Mutex::default(),
            attention: Arc::default(),
        })
    }

    /// What it declared.
    pub(super) const fn capabilities(&self) -> &Map<String, Value> {
        &self.capabilities
    }

    /// Takes an id for one more request; none where too many have not been answered.
    pub(super) fn question(self: &Arc<Self>) -> Option<Question> {
        let (sender, reply) = oneshot::channel();
        let mut asked = self.asked();
        if asked.open.len() >= QUESTIONS_OPEN_MAX {
            return None;
        }
        asked.last += 1;
        let id = asked.last;
        asked.open.insert(id, sender);
        Some(Question {
            client: self.clone(),
            id,
            reply,
        })
    }

    /// Hands an answer to whoever asked.
    pub(super) fn answer(&self, response: &Response) {
        let id = response.id.as_u64();
        let waiting = id.and_then(|id| self.asked().open.remove(&id));
        if let (Some(waiting), Some(reply)) = (waiting, response.reply()) {
            // Whoever asked may have stopped waiting just now.
            let _gone = waiting.send(reply);
        }
    }

    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Question {
    /// The answer; none where there will be none.
    pub(super) async fn reply(mut self) -> Option<Reply> {
        (&mut self.reply).await.ok()
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        self.client.asked().open.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::{Client, QUESTIONS_OPEN_MAX, Reply};
    use crate::mcp::message::{Incoming, incoming};
    use serde_json::{Map, Value, json};

    fn answer(client: &Client, message: Value) {
        let Ok(Incoming::Response(response)) = incoming(message) else {
            panic!("an answer")
        };
        client.answer(&response);
    }

    #[tokio::test]
    async fn an_answer_reaches_whoever_asked_it_and_nobody_else() {
        let client = Client::of(&Map::new());
        let (one, two) = (client.question().unwrap(), client.question().unwrap());
        assert_ne!(one.id, two.id);
        for id in [json!("1"), json!(77), json!(-1), json!(1.5)] {
            answer(
                &client,
                json!({"jsonrpc": "2.0", "id": id, "result": {"who": "nobody"}}),
            );
        }
        let second =
            json!({"jsonrpc": "2.0", "id": two.id, "error": {"code": -1, "message": "no"}});
        answer(&client, second.clone());
        let first = json!({"jsonrpc": "2.0", "id": one.id, "result": {"z": 1, "a": [2]}});
        answer(&client, first.clone());
        // A second answer to the same question is one to nothing.
        answer(&client, first);
        let Some(Reply::Result(result)) = one.reply().await else {
            panic!("a result")
        };
        assert_eq!(result.get(), r#"{"z":1,"a":[2]}"#);
        let Some(Reply::Error(error)) = two.reply().await else {
            panic!("an error")
        };
        assert_eq!(error.get(), r#"{"code":-1,"message":"no"}"#);
        assert!(client.asked().open.is_empty());
    }

    #[test]
    fn a_client_has_room_for_so_many_questions() {
        let client = Client::of(&Map::new());
        let open: Vec<_> = (0..QUESTIONS_OPEN_MAX)
            .map(|_| client.question().unwrap())
            .collect();
        assert!(client.question().is_none());
        drop(open);
        assert!(client.question().is_some());
    }
}
