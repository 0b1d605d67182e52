//! The methods of MCP, apart from any transport: one request in, its answer out.
//!
//! ```text
//! transport → Asked → Face::start → a task: answer → Outlet → transport
//! ```
//!
//! Both transports and both eras meet here. Authentication has happened; what may be called is for
//! the driver to decide.
//!
//! Must not know: HTTP, lines, sessions beyond holding them.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;
use toolgate_gate::Caller;
use toolgate_model::Identity;

use super::changes::Changes;
use super::client::Client;
use super::conversations::Conversations;
use super::era::{Era, MODERN, SERVER_KEY, negotiate};
use super::in_flight::Slot;
use super::load::Load;
use super::message::{Request, RpcError, failure, success};
use super::offers::{Kind, Offers};
use super::options::{McpOptions, Presence};
use super::paging::Page;
use super::session::Session;
use super::work::{Outgoing, Outlet, Progress};
use super::{attention, call, follow, list, listen, methods, tasks};
use crate::Api;

/// What a model is told of the gate before it calls anything.
const INSTRUCTIONS: &str = "These tools are reached through Toolgate, which decides each call. \
A result that begins with `Denied by` means that the call was not executed: do not repeat it unchanged. \
`Approval required` means that a person decides: call toolgate_await with the id it names. \
`Unknown effect` means that nobody can know yet whether the call took effect: never repeat it by yourself. \
toolgate_whoami says who you are here, and toolgate_simulate what a call would get.";

/// The face that all transports share.
pub(super) struct Face {
    pub(super) api: Api,
    pub(super) options: McpOptions,
    pub(super) changes: Changes,
    pub(super) load: Arc<Load>,
    pub(super) conversations: Arc<Conversations>,
}

/// One request of an authenticated agent.
pub(super) struct Asked {
    /// Who asks.
    pub(super) identity: Identity,
    /// How it is to be served.
    pub(super) era: Era,
    /// What is asked.
    pub(super) request: Request,
    /// The `Idempotency-Key` header.
    pub(super) idempotency_key: Option<String>,
    /// Whom the gate can ask something meanwhile; none in the modern era, where questions are
    /// answers, and none where nobody would hear them.
    pub(super) client: Option<Arc<Client>>,
    /// Resolves when the client gives the request up.
    pub(super) cancelled: CancellationToken,
    /// Resolves when the connection or the gate ends: nothing is waited for any more.
    pub(super) ends: CancellationToken,
    /// What is held until the answer is there.
    pub(super) held: Held,
}

/// What a request keeps in place while it is under way, only by being there.
#[derive(Default)]
pub(super) struct Held {
    /// Its place among the requests of its session.
    pub(super) _slot: Option<Slot>,
    /// The session itself, which is not forgotten meanwhile.
    pub(super) session: Option<Arc<Session>>,
}

impl Asked {
    /// The caller, as the driver knows it.
    pub(super) fn caller(&self) -> Caller {
        Caller::Agent(self.identity.clone())
    }
}

impl Face {
    /// The face of this gate. It takes the driver's hook for changes.
    pub(super) fn new(api: Api, options: McpOptions) -> Arc<Self> {
        let changes = Changes::of(&api.driver);
        Arc::new(Self {
            api,
            options,
            changes,
            load: Arc::default(),
            conversations: Arc::default(),
        })
    }

    /// Answers a request in a task of its own, through the outlet.
    pub(super) fn start(self: &Arc<Self>, asked: Asked, outlet: Outlet) {
        let face = self.clone();
        let work = async move {
            let id = asked.request.id.clone();
            let cancelled = asked.cancelled.clone();
            let answer = face.answer(&asked, &outlet).await;
            // The id is free again before the client can know the answer.
            drop(asked.held);
            if cancelled.is_cancelled() {
                return;
            }
            let answer = match answer {
                Ok(result) => Outgoing::Answer {
                    status: 200,
                    text: success(&id, &result),
                },
                Err(error) => Outgoing::Answer {
                    status: error.status,
                    text: failure(&id, &error),
                },
            };
            // A client that has left gets no answer; the record has it.
            let _left = outlet.say(answer).await;
        };
        self.api.tasks.spawn("mcp-request", Box::pin(work));
    }

    /// The answer to a request, as JSON text.
    async fn answer(&self, asked: &Asked, outlet: &Outlet) -> Result<String, RpcError> {
        let params = &asked.request.params;
        match (asked.era, asked.request.method.as_str()) {
            (_, "tools/list") => self.list(asked),
            (_, "prompts/list") => methods::list(self, asked, Kind::Prompts),
            (_, "resources/list") => methods::list(self, asked, Kind::Resources),
            (_, "resources/templates/list") => methods::list(self, asked, Kind::Templates),
            (_, "tools/call" | "prompts/get" | "resources/read" | "completion/complete") => {
                let progress = Progress::of(params, outlet, &asked.cancelled);
                let result = self.carried(asked, &progress).await;
                progress.end();
                result
            }
            (Era::Modern, "server/discover") => Ok(self.discover(&asked.identity)),
            (Era::Modern, "tasks/get") => tasks::get(self, asked).await,
            (Era::Modern, "tasks/update") => tasks::update(self, asked).await,
            (Era::Modern, "tasks/cancel") => tasks::cancel(self, asked).await,
            (Era::Modern, "subscriptions/listen") => listen::listen(self, asked, outlet).await,
            (Era::Legacy(_), "ping") => Ok("{}".to_owned()),
            (Era::Legacy(_), "resources/subscribe") => follow::subscribe(self, asked).await,
            (Era::Legacy(_), "resources/unsubscribe") => follow::unsubscribe(asked),
            (Era::Legacy(_), "logging/setLevel") => attention::set_level(asked, params),
            (era, method) => Err(RpcError::unknown_method(
                method,
                era.unknown_method_status(),
            )),
        }
    }

    /// The answer to a request that is a call.
    async fn carried(&self, asked: &Asked, progress: &Progress) -> Result<String, RpcError> {
        match asked.request.method.as_str() {
            "prompts/get" => methods::get_prompt(self, asked, progress).await,
            "resources/read" => methods::read_resource(self, asked, progress).await,
            "completion/complete" => methods::complete(self, asked, progress).await,
            _ => call::call(self, asked, progress).await,
        }
    }

    /// The answer to `initialize`, and the revision that was agreed on.
    pub(super) fn initialize(
        &self,
        identity: &Identity,
        params: &Map<String, Value>,
    ) -> Result<(&'static str, String), RpcError> {
        let version = negotiate(params)?;
        let (capabilities, instructions) = self.introduction(identity);
        let mut result = json!({
            "protocolVersion": version,
            "capabilities": capabilities,
            "serverInfo": server_info(),
        });
        instruct(&mut result, instructions);
        Ok((version, result.to_string()))
    }

    fn discover(&self, identity: &Identity) -> String {
        let (mut capabilities, instructions) = self.introduction(identity);
        capabilities.insert("extensions".to_owned(), json!({tasks::EXTENSION: {}}));
        let mut result = json!({
            "resultType": "complete",
            "supportedVersions": [MODERN],
            "capabilities": capabilities,
            "ttlMs": 0,
            "cacheScope": "private",
            "_meta": {SERVER_KEY: server_info()},
        });
        instruct(&mut result, instructions);
        result.to_string()
    }

    /// What this identity is told that can be done here, for clients and for models.
    fn introduction(&self, identity: &Identity) -> (Map<String, Value>, Option<String>) {
        let (configuration, now) = (self.api.driver.configuration(), self.api.driver.now());
        let offers = Offers::new(&configuration, identity, now);
        let mut capabilities = Map::new();
        capabilities.insert("tools".to_owned(), json!({"listChanged": true}));
        capabilities.extend(offers.capabilities());
        let own = (self.options.presence == Presence::Visible).then_some(INSTRUCTIONS);
        (capabilities, offers.instructions(own))
    }

    fn list(&self, asked: &Asked) -> Result<String, RpcError> {
        let (configuration, now) = (self.api.driver.configuration(), self.api.driver.now());
        let page = Page::of(&asked.request.params, ("tools", self.options.page_size))?;
        let (who, presence) = ((&asked.identity, now), self.options.presence);
        let entries = list::entries(&configuration, who, presence, &page);
        Ok(page.filled(entries, asked.era))
    }
}

fn instruct(result: &mut Value, instructions: Option<String>) {
    if let (Some(text), Some(result)) = (instructions, result.as_object_mut()) {
        result.insert("instructions".to_owned(), text.into());
    }
}

fn server_info() -> Value {
    json!({"name": "toolgate", "title": "Toolgate", "version": env!("CARGO_PKG_VERSION")})
}
