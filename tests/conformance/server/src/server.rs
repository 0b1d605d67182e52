//! The server: one method a request of MCP, each played from its fixture.
//!
//! `tools/call test_sampling` of a legacy session sends `sampling/createMessage` back on its
//! stream; the same call of a modern client is answered `input_required`.
//! Must not know: over which transport a request came.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use rmcp::model::*;
use rmcp::service::{RequestContext, RoleServer, SubscriptionContext, SubscriptionSink};
use rmcp::task_manager::{TaskContext, TaskExit, TaskManager, TaskOptions};
use rmcp::{ErrorData, ServerHandler};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::fixtures::{Fixtures, List, Tell, ToolFixture, filled};
use crate::rounds::{Given, Next, requests};

/// LIMIT: between two things that a tool tells, so that they arrive as two.
const TELL_PAUSE: Duration = Duration::from_millis(50);
/// LIMIT: how long a client may keep a list or a resource: long enough to be told apart from 0.
const CACHE_TTL_MS: u64 = 60_000;
/// Seals the states of this test server; what it seals is worth nothing.
const SEAL: &[u8] = &[7; RequestStateCodec::MIN_KEY_LENGTH];

type Context = RequestContext<RoleServer>;

/// A server with every fixture; clones share what they remember.
#[derive(Clone)]
pub struct Server {
    fixtures: Arc<Fixtures>,
    legacy: bool,
    codec: RequestStateCodec,
    tasks: TaskManager,
    listeners: Arc<Mutex<HashMap<u64, SubscriptionSink>>>,
    listeners_so_far: Arc<AtomicU64>,
}

impl Server {
    /// A server of both eras, or of none newer than 2025-11-25.
    pub fn new(legacy: bool) -> Result<Self> {
        Ok(Self {
            fixtures: Arc::new(Fixtures::read()?),
            legacy,
            codec: RequestStateCodec::try_new(SEAL)?,
            tasks: TaskManager::new(),
            listeners: Arc::default(),
            listeners_so_far: Arc::default(),
        })
    }

    fn capabilities(&self) -> ServerCapabilities {
        // Completions are served and not declared, as the SDK's own conformance server does it.
        let mut capabilities = ServerCapabilities::builder()
            .enable_logging()
            .enable_prompts()
            .enable_prompts_list_changed()
            .enable_resources()
            .enable_resources_list_changed()
            .enable_resources_subscribe()
            .enable_tools()
            .enable_tool_list_changed()
            .enable_tasks()
            .build();
        if self.legacy {
            capabilities.extensions = None;
        }
        capabilities
    }

    /// One call: what it needs, its rounds, and then its run, as a task or at once.
    async fn play(
        &self,
        request: CallToolRequestParams,
        context: &Context,
    ) -> Result<CallToolResponse, ErrorData> {
        let unknown =
            || ErrorData::invalid_params(format!("there is no tool `{}`", request.name), None);
        let fixture = self.fixtures.tool(&request.name).ok_or_else(unknown)?;
        let declared = context.client_capabilities().unwrap_or_default();
        refuse_without(fixture, &declared)?;
        let arguments = json!(request.arguments.unwrap_or_default());
        let given = Given {
            responses: request.input_responses,
            state: request.request_state,
        };
        let answers = if is_modern(context) {
            match fixture
                .rounds
                .next(&self.codec, given, &declared, &arguments)?
            {
                Next::Ask(asked) => return Ok(asked.into()),
                Next::Go(answers) => answers,
            }
        } else {
            match fixture
                .rounds
                .through(&context.peer, &declared, &arguments)
                .await
            {
                Ok(answers) => answers,
                Err(error) => return Ok(failed(&error).into()),
            }
        };
        let facts = json!({ "arguments": arguments, "answers": answers });
        if fixture.task.is_some() && declared.supports_tasks() {
            let task = self.as_task(&request.name, facts, declared);
            return Ok(CreateTaskResult::new(task).into());
        }
        self.tell(fixture, context).await;
        tokio::time::sleep(Duration::from_secs_f64(fixture.seconds(&facts))).await;
        Ok(answer(fixture, &facts)?.into())
    }

    fn as_task(&self, name: &str, facts: Value, declared: ClientCapabilities) -> Task {
        let (fixtures, name) = (self.fixtures.clone(), name.to_owned());
        let run = |task: TaskContext| async move {
            let unknown = || ErrorData::internal_error("the fixture is gone", None);
            let fixture = fixtures.tool(&name).ok_or_else(unknown)?;
            run_in_task(fixture, facts, &declared, &task).await
        };
        self.tasks
            .spawn(TaskOptions::default(), |task| Box::pin(run(task)))
    }

    /// Logs, progress and announcements on the way.
    async fn tell(&self, fixture: &ToolFixture, context: &Context) {
        for tell in &fixture.tells {
            self.tell_one(tell, context).await;
            tokio::time::sleep(TELL_PAUSE).await;
        }
        if let Some(list) = fixture.announces {
            self.announce(list, context).await;
        }
    }

    #[expect(
        deprecated,
        reason = "logging is deprecated, and clients still ask for it"
    )]
    async fn tell_one(&self, tell: &Tell, context: &Context) {
        // Whoever listens may be gone by now; the call goes on regardless.
        let _ = match tell {
            Tell::Log(text) => {
                let Some(level) = log_level(context) else {
                    return;
                };
                let message = LoggingMessageNotificationParam::new(level, json!(text));
                context
                    .peer
                    .notify_logging_message(message.with_logger("fixtures"))
                    .await
            }
            Tell::Progress(progress) => {
                let Some(token) = context.meta.get_progress_token() else {
                    return;
                };
                let param = ProgressNotificationParam::new(token, *progress).with_total(100.0);
                context.peer.notify_progress(param).await
            }
        };
    }

    /// Tells modern listeners, and the legacy session in which it happened.
    async fn announce(&self, list: List, context: &Context) {
        let listeners: Vec<_> = self.listeners.lock().await.values().cloned().collect();
        for listener in listeners {
            let _ = match list {
                List::Tools => listener.notify_tool_list_changed().await,
                List::Prompts => listener.notify_prompt_list_changed().await,
            };
        }
        if !is_modern(context) {
            let _ = match list {
                List::Tools => context.peer.notify_tool_list_changed().await,
                List::Prompts => context.peer.notify_prompt_list_changed().await,
            };
        }
    }
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(self.capabilities())
            .with_server_info(Implementation::new(
                "toolgate-conformance-server",
                env!("CARGO_PKG_VERSION"),
            ))
            .with_instructions("Every tool here is a fixture of the conformance suites.")
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        Cow::Borrowed(match self.legacy {
            true => ProtocolVersion::known_up_to(&ProtocolVersion::V_2025_11_25),
            false => ProtocolVersion::KNOWN_VERSIONS,
        })
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.fixtures.tool(name).map(ToolFixture::tool)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: Context,
    ) -> Result<ListToolsResult, ErrorData> {
        let tools = self.fixtures.tools.iter().map(ToolFixture::tool).collect();
        let result = ListToolsResult {
            tools,
            ..Default::default()
        };
        Ok(result
            .with_ttl_ms(CACHE_TTL_MS)
            .with_cache_scope(CacheScope::Public))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: Context,
    ) -> Result<CallToolResponse, ErrorData> {
        self.play(request, &context).await
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: Context,
    ) -> Result<ListPromptsResult, ErrorData> {
        let prompts = self
            .fixtures
            .prompts
            .iter()
            .map(|one| one.prompt.clone())
            .collect();
        let result = ListPromptsResult {
            prompts,
            ..Default::default()
        };
        Ok(result
            .with_ttl_ms(CACHE_TTL_MS)
            .with_cache_scope(CacheScope::Public))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: Context,
    ) -> Result<GetPromptResponse, ErrorData> {
        let unknown =
            || ErrorData::invalid_params(format!("there is no prompt `{}`", request.name), None);
        let fixture = self.fixtures.prompt(&request.name).ok_or_else(unknown)?;
        let declared = context.client_capabilities().unwrap_or_default();
        let arguments = json!(request.arguments.unwrap_or_default());
        let given = Given {
            responses: request.input_responses,
            state: request.request_state,
        };
        let answers = if is_modern(&context) {
            match fixture
                .rounds
                .next(&self.codec, given, &declared, &arguments)?
            {
                Next::Ask(asked) => return Ok(asked.into()),
                Next::Go(answers) => answers,
            }
        } else {
            fixture
                .rounds
                .through(&context.peer, &declared, &arguments)
                .await?
        };
        let facts = json!({ "arguments": arguments, "answers": answers });
        let result: GetPromptResult = read(complete(filled(&fixture.answer, &facts)))?;
        Ok(result.into())
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: Context,
    ) -> Result<ListResourcesResult, ErrorData> {
        let resources = self
            .fixtures
            .resources
            .iter()
            .map(|one| one.resource.clone())
            .collect();
        let result = ListResourcesResult {
            resources,
            ..Default::default()
        };
        Ok(result
            .with_ttl_ms(CACHE_TTL_MS)
            .with_cache_scope(CacheScope::Public))
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: Context,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let resource_templates = self
            .fixtures
            .templates
            .iter()
            .map(|one| one.template.clone())
            .collect();
        let result = ListResourceTemplatesResult {
            resource_templates,
            ..Default::default()
        };
        Ok(result
            .with_ttl_ms(CACHE_TTL_MS)
            .with_cache_scope(CacheScope::Public))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: Context,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let missing = || {
            ErrorData::resource_not_found(
                format!("there is nothing at `{}`", request.uri),
                Some(json!({ "uri": request.uri })),
            )
        };
        let contents = self.fixtures.contents(&request.uri).ok_or_else(missing)?;
        let result = ReadResourceResult::new(vec![read(contents)?]);
        Ok(result
            .with_ttl_ms(CACHE_TTL_MS)
            .with_cache_scope(CacheScope::Public)
            .into())
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        _: Context,
    ) -> Result<CompleteResult, ErrorData> {
        let begun = &request.argument.value;
        let fitting = self
            .fixtures
            .completions
            .iter()
            .filter(|value| value.starts_with(begun));
        let completion = CompletionInfo::new(fitting.cloned().collect());
        Ok(CompleteResult::new(
            completion.map_err(|error| ErrorData::internal_error(error, None))?,
        ))
    }

    async fn set_level(&self, _: SetLevelRequestParams, _: Context) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn subscribe(&self, _: SubscribeRequestParams, _: Context) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn unsubscribe(&self, _: UnsubscribeRequestParams, _: Context) -> Result<(), ErrorData> {
        Ok(())
    }

    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        Some(requested.supported_by(&self.capabilities()))
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let key = self.listeners_so_far.fetch_add(1, Ordering::Relaxed);
        self.listeners
            .lock()
            .await
            .insert(key, context.sink().clone());
        context.cancelled().await;
        self.listeners.lock().await.remove(&key);
        Ok(())
    }

    async fn get_task(
        &self,
        request: GetTaskParams,
        _: Context,
    ) -> Result<GetTaskResult, ErrorData> {
        Ok(GetTaskResult::new(self.tasks.get_task(&request.task_id)?))
    }

    async fn update_task(&self, request: UpdateTaskParams, _: Context) -> Result<(), ErrorData> {
        self.tasks
            .update_task(&request.task_id, request.input_responses)
    }

    async fn cancel_task(&self, request: CancelTaskParams, _: Context) -> Result<(), ErrorData> {
        self.tasks.cancel_task(&request.task_id)
    }
}

/// The run of a tool as a task: it asks all its questions at once and ends early when cancelled.
async fn run_in_task(
    fixture: &ToolFixture,
    mut facts: Value,
    declared: &ClientCapabilities,
    task: &TaskContext,
) -> Result<CallToolResult, TaskExit> {
    let asks = fixture.task.as_ref().map(|task| &task.asks);
    let mut asked = tokio::task::JoinSet::new();
    for (key, request) in requests(asks.unwrap_or(&Default::default()), declared, &facts)? {
        let task = task.clone();
        asked.spawn(async move { (key.clone(), task.request_input(key, request).await) });
    }
    while let Some(answered) = asked.join_next().await {
        let (key, answer) =
            answered.map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
        facts["answers"][key] = answer?;
    }
    tokio::select! {
        () = task.cancelled() => Err(TaskExit::Cancelled),
        () = tokio::time::sleep(Duration::from_secs_f64(fixture.seconds(&facts))) => Ok(answer(fixture, &facts)?),
    }
}

/// The answer of a tool: a result, or the protocol error that its fixture states.
fn answer(fixture: &ToolFixture, facts: &Value) -> Result<CallToolResult, ErrorData> {
    let answer = filled(&fixture.answer, facts);
    match answer.get("error") {
        Some(error) => Err(read(error.clone())?),
        None => read(complete(answer)),
    }
}

/// The same result with the word that modern callers need; the SDK takes it out for legacy ones.
fn complete(mut result: Value) -> Value {
    result["resultType"] = json!(ResultType::COMPLETE);
    result
}

/// What a legacy caller is told when it could not be asked.
fn failed(error: &ErrorData) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(format!(
        "the caller was not asked: {}",
        error.message
    ))])
}

fn refuse_without(fixture: &ToolFixture, declared: &ClientCapabilities) -> Result<(), ErrorData> {
    let mut needed = fixture.needs.clone();
    if fixture.task.as_ref().is_some_and(|task| task.required) {
        needed.insert("extensions".into(), json!({ TASKS_EXTENSION_ID: {} }));
    }
    let has = json!(declared);
    let lacks = |(key, value): (&String, &Value)| match value
        .as_object()
        .and_then(|inner| inner.keys().next())
    {
        Some(inner) => has
            .pointer(&format!("/{key}/{}", inner.replace('/', "~1")))
            .is_none(),
        None => has.get(key).is_none(),
    };
    if needed.iter().any(lacks) {
        return Err(ErrorData::missing_required_client_capability(read(json!(
            needed
        ))?));
    }
    Ok(())
}

fn is_modern(context: &Context) -> bool {
    context
        .meta
        .protocol_version()
        .is_some_and(|version| version.as_str() >= ProtocolVersion::V_2026_07_28.as_str())
}

/// A modern request says which level it wants, if any; a legacy session gets what there is.
fn log_level(context: &Context) -> Option<LoggingLevel> {
    if is_modern(context) {
        return context.meta.log_level();
    }
    Some(LoggingLevel::Info)
}

fn read<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, ErrorData> {
    serde_json::from_value(value)
        .map_err(|error| ErrorData::internal_error(format!("a fixture is broken: {error}"), None))
}
