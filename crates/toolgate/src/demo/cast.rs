//! Who acts in the demo: an agent with its key, its owner, and a second person who approves.
//!
//! Each speaks to the gate over the network with a token of their own, as strangers would.
//! Must not know: what they are going to do.

use serde_json::{Value, json};

use super::world::{AGENT, OWNER};
use crate::admin::{Admin, Ask};
use crate::fault::Fault;
use crate::sse::Events;

/// The revision of the protocol that the agent speaks.
const REVISION: &str = "2026-07-28";

/// The second person.
const APPROVER: &str = "bo@acme.com";

/// How often a call is looked at that must change by itself.
// LIMIT: half a minute in tenths of a second.
const LOOKS_MAX: usize = 300;

/// Everybody.
pub(super) struct Cast {
    /// The person with the data directory.
    pub(super) admin: Admin,
    /// The agent's owner, who may approve, but not this.
    pub(super) owner: Admin,
    /// The second person.
    pub(super) approver: Admin,
    /// The agent.
    pub(super) agent: Admin,
    /// The id of the agent's key.
    pub(super) key: String,
}

impl Cast {
    /// Makes people and a key, by the API.
    ///
    /// # Errors
    /// [`Fault`] where the gate does not let them in.
    pub(super) async fn gather(admin: Admin) -> Result<Self, Fault> {
        let url = admin.base().to_string();
        let owner = person(&admin, OWNER).await?;
        let approver = person(&admin, APPROVER).await?;
        let issued = admin
            .body(Ask::post("/v1/keys", json!({"agent": AGENT})))
            .await?;
        Ok(Self {
            owner: Admin::at(&url, Some(owner))?,
            approver: Admin::at(&url, Some(approver))?,
            agent: Admin::at(&url, Some(text(&issued, "/token")?))?,
            key: text(&issued, "/id")?,
            admin,
        })
    }

    /// The agent calls a tool over HTTP, with a key of its own if it has one.
    ///
    /// # Errors
    /// [`Fault`] where the gate answers with a problem.
    pub(super) async fn invoke(
        &self,
        tool: &str,
        arguments: Value,
        idempotency_key: Option<&str>,
    ) -> Result<Value, Fault> {
        let ask = Ask::post(
            "/v1/invocations",
            json!({"tool": tool, "arguments": arguments}),
        );
        let ask = match idempotency_key {
            Some(key) => ask.header("idempotency-key", key),
            None => ask,
        };
        self.agent.body(ask).await
    }

    /// The agent calls a method of MCP and gets its result.
    ///
    /// # Errors
    /// [`Fault`] where the answer is an error of the protocol.
    pub(super) async fn mcp(&self, method: &str, mut params: Value) -> Result<Value, Fault> {
        let name = params
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        if let Some(map) = params.as_object_mut() {
            map.insert(
                "_meta".to_owned(),
                json!({
                    "io.modelcontextprotocol/protocolVersion": REVISION,
                    "io.modelcontextprotocol/clientCapabilities": {},
                    "io.modelcontextprotocol/clientInfo": {"name": "toolgate-demo", "version": "1"},
                }),
            );
        }
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let mut ask = Ask::post("/mcp", message)
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", REVISION)
            .header("mcp-method", method);
        if !name.is_empty() {
            ask = ask.header("mcp-name", name);
        }
        let answer = answer(self.agent.send(ask).await?).await?;
        answer
            .get("result")
            .cloned()
            .ok_or_else(|| Fault::failed(format!("`{method}` over MCP was answered with {answer}")))
    }

    /// The second person decides on a frozen call.
    ///
    /// # Errors
    /// [`Fault`] where the gate does not take the decision.
    pub(super) async fn approve(&self, who: &Admin, frozen: &Value) -> Result<Value, Fault> {
        let approval = text(frozen, "/denial/details/approval_id")?;
        let digest = text(frozen, "/denial/details/digest")?;
        let body = json!({"digest": digest, "decision": "approve", "reason": "checked"});
        who.body(Ask::post(
            format!("/v1/approvals/{approval}/decision"),
            body,
        ))
        .await
    }

    /// How an invocation stands once it waits for people with another digest than this one.
    ///
    /// # Errors
    /// [`Fault`] where the gate does not say, or it never does.
    pub(super) async fn requeued(&self, frozen: &Value) -> Result<Value, Fault> {
        let (id, old) = (
            text(frozen, "/invocation_id")?,
            text(frozen, "/denial/details/digest")?,
        );
        for _ in 0..LOOKS_MAX {
            // The answer comes after that long, or as soon as the call has ended.
            let ask = Ask::get(format!("/v1/invocations/{id}")).with("wait_ms", Some(100));
            let envelope = self.approver.body(ask).await?;
            let digest = envelope.pointer("/denial/details/digest");
            let waits = envelope.get("status") == Some(&json!("pending_approval"));
            if waits && digest.is_some_and(|digest| *digest != old) {
                return Ok(envelope);
            }
        }
        Err(Fault::failed(format!("`{id}` was not sent back")))
    }

    /// How an invocation stands once it has come to rest.
    ///
    /// # Errors
    /// [`Fault`] where the gate does not say.
    pub(super) async fn settled(&self, envelope: &Value) -> Result<Value, Fault> {
        let id = text(envelope, "/invocation_id")?;
        let ask = Ask::get(format!("/v1/invocations/{id}")).with("wait_ms", Some(20_000));
        self.approver.body(ask).await
    }
}

/// A text at a pointer that must be there.
///
/// # Errors
/// [`Fault`] names the pointer.
pub(super) fn text(value: &Value, pointer: &str) -> Result<String, Fault> {
    let found = value
        .pointer(pointer)
        .and_then(Value::as_str)
        .map(str::to_owned);
    found.ok_or_else(|| Fault::failed(format!("an answer has no `{pointer}`: {value}")))
}

async fn person(admin: &Admin, id: &str) -> Result<String, Fault> {
    let body = json!({"id": id, "role": "approver"});
    text(
        &admin.body(Ask::post("/v1/users", body)).await?,
        "/key/token",
    )
}

/// The message that answers, whether it comes alone or at the end of a stream.
async fn answer(response: reqwest::Response) -> Result<Value, Fault> {
    let kind = response
        .headers()
        .get("content-type")
        .and_then(|kind| kind.to_str().ok());
    let unreadable = |why: String| Fault::failed(format!("an answer of `/mcp` is broken: {why}"));
    if !kind.unwrap_or_default().starts_with("text/event-stream") {
        let body = response
            .text()
            .await
            .map_err(|error| unreadable(error.to_string()))?;
        return serde_json::from_str(&body).map_err(|error| unreadable(error.to_string()));
    }
    let mut events = Events::of(response);
    while let Some(event) = events.next().await? {
        let message: Value =
            serde_json::from_str(&event).map_err(|error| unreadable(error.to_string()))?;
        if message.get("id").is_some() {
            return Ok(message);
        }
    }
    Err(unreadable("the stream ended without it".to_owned()))
}
