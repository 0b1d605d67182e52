//! Clients that can be asked things, in a world whose `desk.plan` asks them.

use serde_json::{Value, json};

use crate::client::Sending;
use crate::desk::{Step, tools_and_plan};
use crate::world::World;

pub(crate) const TASKS: &str = "io.modelcontextprotocol/tasks";

/// A gate whose `desk.plan` does this.
pub(crate) async fn planned(plan: &[Step]) -> World {
    let world = World::new().await;
    world.set_tools(tools_and_plan());
    set_plan(&world, plan);
    world
}

pub(crate) fn set_plan(world: &World, plan: &[Step]) {
    *world.desk.plan.lock().unwrap() = plan.to_vec();
}

/// One question about a name, under this key.
pub(crate) fn form(key: &str) -> Value {
    let schema = json!({"type": "object", "properties": {"name": {"type": "string"}}});
    json!({key: {"method": "elicitation/create", "params": {"message": "Who?", "requestedSchema": schema}}})
}

/// The user's answer to it.
pub(crate) fn filled_in(name: &str) -> Value {
    json!({"action": "accept", "content": {"name": name}})
}

/// What `desk.plan` heard, each as it came.
pub(crate) fn heard(world: &World) -> Vec<String> {
    world.desk.heard.lock().unwrap().clone()
}

/// A client of the modern era.
pub(crate) struct Talker<'w> {
    pub(crate) world: &'w World,
    pub(crate) capabilities: Value,
    pub(crate) token: String,
}

impl<'w> Talker<'w> {
    pub(crate) fn new(world: &'w World, capabilities: Value) -> Self {
        Self {
            world,
            capabilities,
            token: world.agent.clone(),
        }
    }

    pub(crate) fn send(&self, method: &str, mut params: Value) -> Sending<'w> {
        let object = params.as_object_mut().unwrap();
        let meta = object.entry("_meta").or_insert_with(|| json!({}));
        meta["io.modelcontextprotocol/protocolVersion"] = "2026-07-28".into();
        meta["io.modelcontextprotocol/clientCapabilities"] = self.capabilities.clone();
        let name = params["name"].as_str().or(params["taskId"].as_str());
        let name = name.unwrap_or_default().to_owned();
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        self.world
            .send("POST")
            .token(&self.token)
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", method)
            .header("mcp-name", &name)
            .body(&body.to_string())
    }

    pub(crate) async fn ask(&self, method: &str, params: Value) -> Value {
        self.send(method, params).await_answer().await.json()
    }

    /// Calls `desk.plan`.
    pub(crate) async fn plan(&self, more: Value) -> Value {
        let mut params = json!({"name": "desk__plan", "arguments": {"amount": 1}});
        for (key, value) in more.as_object().unwrap() {
            params[key] = value.clone();
        }
        self.ask("tools/call", params).await
    }

    /// Calls it again with what it asked for.
    pub(crate) async fn answer(&self, asked: &Value, answers: Value) -> Value {
        let state = asked["result"]["requestState"].clone();
        self.plan(json!({"inputResponses": answers, "requestState": state}))
            .await
    }
}
