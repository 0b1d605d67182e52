//! A whole gate in memory behind its MCP router, and a client that says exactly what it is told.
//!
//! `world.modern("tools/list", json!({})).await.show()` is stable: ids, digests and session ids are
//! numbered in the order they appear. The clock is tokio's paused one, so that waiting costs
//! nothing and nothing waits for real.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::Instant;
use toolgate_api::mcp::{McpOptions, router};
use toolgate_api::{Api, Limits};
use toolgate_driver::{AgentSpec, Driver, KeySpec, Ports};
use toolgate_execution::{Choice, LossCause};
use toolgate_gate::permit::Dispatch;
use toolgate_gate::port::{
    self, BoxFuture, Clock, Entropy, RecordFilter, Store, Tasks, Tools, Unavailable,
};
use toolgate_gate::{Caller, Settings};
use toolgate_model::{
    AgentId, ApprovalId, Catalogue, Code, Descriptor, Duration, Effect, Glob, Grant, KeyId,
    Lifecycle, Profile, Risk, RiskScore, Role, Scope, SourceStatus, TenantId, Timestamp, Verb,
};
use toolgate_policy::Document;
use toolgate_record::Signer;
use toolgate_store::MemoryStore;
use tower::ServiceExt as _;

/// What is in force when a world begins.
const POLICY: &str = r#"{
  "name": "refunds",
  "rules": [
    {"rule_id": "closed", "match": {"tools": ["desk.refund"]}, "when": "amount > 10000",
     "effect": "deny", "reason": "Refunds above 10000 are closed."},
    {"rule_id": "big", "match": {"tools": ["desk.refund"]}, "when": "amount > 500",
     "effect": "require_approval", "reason": "a refund above 500"}
  ]
}"#;

/// 2026-06-16T15:14:22Z.
const BEGIN: i64 = 1_781_622_862_000;

/// Tokio's clock, which is paused in these tests.
pub(crate) struct PausedClock {
    begin: Instant,
}

impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        let passed = i64::try_from(self.begin.elapsed().as_millis()).unwrap();
        Timestamp::from_millis(BEGIN + passed)
    }

    fn sleep_until(&self, until: Timestamp) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(until.since(self.now()).to_std()))
    }
}

/// Bytes that differ every time and are the same in every run.
#[derive(Default)]
struct Counter(AtomicU64);

impl Entropy for Counter {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), Unavailable> {
        let next = self.0.fetch_add(1, Ordering::SeqCst) + 1;
        for (place, byte) in buffer.iter_mut().enumerate() {
            *byte = next.to_le_bytes()[place % 8] ^ u8::try_from(place).unwrap();
        }
        Ok(())
    }
}

struct Runtime;

impl Tasks for Runtime {
    #[expect(clippy::disallowed_methods, reason = "the tests' own place for tasks")]
    fn spawn(&self, _name: &'static str, work: BoxFuture<'static, ()>) {
        tokio::spawn(work);
    }
}

/// A desk whose operations say by their name what becomes of a call.
pub(crate) struct Desk {
    catalogue: Mutex<Arc<Catalogue>>,
    /// Operations that were reached, with their arguments and what came along.
    pub(crate) reached: Mutex<Vec<(String, Value, Value)>>,
    /// What `desk.odd` answers, byte for byte.
    pub(crate) odd: Mutex<String>,
    /// Lets a call of `desk.slow` go on.
    pub(crate) release: Notify,
    /// Tells that a call of `desk.slow` is there.
    pub(crate) arrived: Notify,
}

impl Tools for Desk {
    fn catalogue(&self) -> Arc<Catalogue> {
        self.catalogue.lock().unwrap().clone()
    }

    fn sources(&self) -> Vec<SourceStatus> {
        Vec::new()
    }

    fn call(&self, mut dispatch: Dispatch) -> BoxFuture<'_, port::Answer> {
        let operation = dispatch.tool().operation().to_owned();
        let (arguments, meta) = (dispatch.arguments().clone(), json!(dispatch.meta()));
        self.reached
            .lock()
            .unwrap()
            .push((operation.clone(), arguments.clone(), meta));
        Box::pin(async move {
            match operation.as_str() {
                "fail" => answered(r#"{"content":[{"type":"text","text":"no such customer"}],"isError":true}"#, true),
                "odd" => answered(&self.odd.lock().unwrap().clone(), false),
                "away" => port::Answer::Refused {
                    code: Code::UpstreamUnavailable,
                    message: "the server of `desk` is not running".to_owned(),
                },
                "lose" => lost(LossCause::Disconnected),
                "slow" => self.slow(&mut dispatch).await,
                _ => answered(&json!({"content": [{"type": "text", "text": "done"}], "structuredContent": arguments}).to_string(), false),
            }
        })
    }
}

impl Desk {
    async fn slow(&self, dispatch: &mut Dispatch) -> port::Answer {
        if let Some(progress) = dispatch.progress() {
            progress(json!({"progressToken": 1, "progress": 1, "total": 3, "message": "one"}));
            progress(
                json!({"progressToken": 1, "progress": 1, "total": 3, "message": "again one"}),
            );
            progress(json!({"progressToken": 1, "progress": 2, "total": 3, "message": "two"}));
        }
        let cancelled = dispatch.take_cancelled();
        self.arrived.notify_one();
        tokio::select! {
            () = cancelled => lost(LossCause::Cancelled),
            () = self.release.notified() => answered(r#"{"content":[{"type":"text","text":"late"}]}"#, false),
        }
    }
}

fn answered(text: &str, failed: bool) -> port::Answer {
    port::Answer::Answered {
        result: serde_json::from_str(text).unwrap(),
        failed,
    }
}

fn lost(cause: LossCause) -> port::Answer {
    port::Answer::Lost {
        cause,
        detail: "told to".to_owned(),
    }
}

/// A tool of the desk, with a definition as its server would write it.
pub(crate) fn tool(id: &str, verb: Verb, risk: Risk) -> Descriptor {
    let schema = json!({
        "type": "object",
        "properties": {"amount": {"type": "number"}, "customer": {"type": "string"}},
    });
    let name = id.split_once('.').unwrap().1;
    Descriptor {
        id: id.parse().unwrap(),
        version: "1.0.0".to_owned(),
        wire_name: id.replace('.', "__"),
        definition: json!({"name": name, "description": format!("Does {name}."), "inputSchema": schema}),
        input_schema: schema,
        category: None,
        method: None,
        verb,
        risk,
        risk_score: RiskScore::of_band(risk),
        risk_reason: "said by the operator".to_owned(),
        resource: None,
        effect: Effect::Some,
        timeout: Duration::from_secs(20),
        lifecycle: Lifecycle::Active,
        attributes: Default::default(),
    }
}

/// The desk's tools; `vault.open` is granted to nobody, `desk.off` is switched off.
pub(crate) fn tools() -> Vec<Descriptor> {
    let write = |id| tool(id, Verb::Write, Risk::Medium);
    vec![
        tool("desk.lookup", Verb::Read, Risk::Low),
        write("desk.refund"),
        write("desk.fail"),
        write("desk.away"),
        write("desk.lose"),
        write("desk.slow"),
        write("desk.odd"),
        Descriptor {
            lifecycle: Lifecycle::Disabled,
            ..write("desk.off")
        },
        tool("vault.open", Verb::Write, Risk::Critical),
        Descriptor {
            lifecycle: Lifecycle::Disabled,
            ..write("vault.off")
        },
    ]
}

/// A gate and everybody around it.
pub(crate) struct World {
    pub(crate) api: Api,
    pub(crate) router: Router,
    pub(crate) driver: Arc<Driver>,
    pub(crate) desk: Arc<Desk>,
    /// The token of `billing_agent`, which is granted `desk.*`.
    pub(crate) agent: String,
    /// Its credential.
    pub(crate) key: KeyId,
    /// The token of a person who may do everything that people may.
    pub(crate) person: String,
    owner: Caller,
    names: Arc<Mutex<Names>>,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(McpOptions::default()).await
    }

    pub(crate) async fn with(options: McpOptions) -> Self {
        let clock = Arc::new(PausedClock {
            begin: Instant::now(),
        });
        let desk = Arc::new(Desk {
            catalogue: Mutex::new(Arc::new(Catalogue::new(tools()))),
            reached: Mutex::default(),
            odd: Mutex::default(),
            release: Notify::new(),
            arrived: Notify::new(),
        });
        let signer = Signer::from_seed("toolgate.test/log", [7; 32]).unwrap();
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new(signer, clock.clone()));
        let ports = Ports {
            store,
            tools: desk.clone(),
            clock,
            entropy: Arc::new(Counter::default()),
            tasks: Arc::new(Runtime),
        };
        let driver = Driver::open(ports, Settings::default()).await.unwrap();
        let api = Api {
            driver: driver.clone(),
            tasks: Arc::new(Runtime),
            limits: Limits::default(),
            public_url: "http://127.0.0.1:8787".into(),
            hosts: Arc::new(["gate.acme.com".to_owned()]),
            origins: Arc::new(["https://app.acme.com".to_owned()]),
        };
        let document = Document {
            name: "refunds".to_owned(),
            text: POLICY.to_owned(),
        };
        driver.declare_policies(vec![document]).await.unwrap();
        let person = driver
            .renew_local(id("ana@acme.com"))
            .await
            .unwrap()
            .unwrap()
            .token
            .reveal();
        let owner = driver.authenticate(Some(&person)).await.unwrap();
        declare(&driver, "billing_agent", &["desk.*"]).await;
        let spec = KeySpec {
            agent: id("billing_agent"),
            ttl: None,
            scope: Scope::default(),
        };
        let issued = driver.create_key(&owner, spec).await.unwrap();
        Self {
            router: router(api.clone(), options),
            api,
            driver,
            desk,
            agent: issued.token.reveal(),
            key: issued.credential.id,
            person,
            owner,
            names: Arc::default(),
        }
    }

    /// Makes another agent with a token of its own.
    pub(crate) async fn another_agent(&self, name: &str, grants: &[&str]) -> String {
        declare(&self.driver, name, grants).await;
        let spec = KeySpec {
            agent: id(name),
            ttl: None,
            scope: Scope::default(),
        };
        self.driver
            .create_key(&self.owner, spec)
            .await
            .unwrap()
            .token
            .reveal()
    }

    /// Grants the agent something else.
    pub(crate) async fn regrant(&self, grants: &[&str]) {
        declare(&self.driver, "billing_agent", grants).await;
    }

    /// Ends the agent's credential.
    pub(crate) async fn revoke(&self) {
        self.driver
            .revoke_key(&self.owner, &self.key)
            .await
            .unwrap();
    }

    /// Puts other tools in place.
    pub(crate) fn set_tools(&self, tools: Vec<Descriptor>) {
        let catalogue = Arc::new(Catalogue::new(tools));
        *self.desk.catalogue.lock().unwrap() = catalogue.clone();
        self.driver.set_catalogue(catalogue);
    }

    /// A second person decides on the approval.
    pub(crate) async fn decide(&self, approval: &str, choice: Choice) {
        let user = (id("bo@acme.com"), Role::Approver);
        let (_, issued) = self
            .driver
            .put_operator(&self.owner, user, None)
            .await
            .unwrap();
        let token = issued.token.reveal();
        let approver = self.driver.authenticate(Some(&token)).await.unwrap();
        let approval: ApprovalId = approval.parse().unwrap();
        let invocation = self.driver.approval(&approver, &approval).await.unwrap();
        let digest = invocation.state.frozen().unwrap().digest;
        let reason = Some("looked at it".to_owned());
        self.driver
            .decide_approval(&approver, &approval, (digest, choice, reason))
            .await
            .unwrap();
    }

    /// The kinds of the newest records and the code of each denial, oldest first.
    pub(crate) async fn records(&self, prefix: &str) -> Vec<String> {
        let filter = RecordFilter {
            limit: 100,
            kind_prefix: Some(prefix.to_owned()),
            ..RecordFilter::default()
        };
        let records = self.driver.store().records(filter).await.unwrap();
        records
            .iter()
            .map(|record| {
                let text: Value = serde_json::from_str(&record.text()).unwrap();
                let tool = text
                    .pointer("/data/call/tool")
                    .and_then(Value::as_str)
                    .unwrap_or("");
                let code = text
                    .pointer("/data/denial/code")
                    .and_then(Value::as_str)
                    .unwrap_or("");
                format!("{} {tool} {code}", text["kind"].as_str().unwrap())
            })
            .collect()
    }

    pub(crate) fn send(&self, method: &str) -> Sending<'_> {
        let request = Request::builder()
            .method(method)
            .uri("/mcp")
            .body(Body::empty())
            .unwrap();
        let sending = Sending {
            world: self,
            request,
        };
        sending
            .header("host", "127.0.0.1:8787")
            .header("authorization", &format!("Bearer {}", self.agent))
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
    }

    /// A request of the modern era with all that belongs to it.
    pub(crate) fn modern(&self, method: &str, params: Value) -> Sending<'_> {
        let params = with_meta(params);
        let name = params["name"].as_str().map(str::to_owned);
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let sending = self
            .send("POST")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", method)
            .body(&body.to_string());
        match name {
            Some(name) if name.bytes().all(|b| b.is_ascii_graphic()) => {
                sending.header("mcp-name", &name)
            }
            Some(name) => sending.header("mcp-name", &encoded(&name)),
            None => sending,
        }
    }

    /// A call in the modern era.
    pub(crate) fn call(&self, name: &str, arguments: Value) -> Sending<'_> {
        self.modern("tools/call", json!({"name": name, "arguments": arguments}))
    }

    /// Opens a session and says its id.
    pub(crate) async fn session(&self, version: &str) -> String {
        let params = json!({"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
        let body = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
        let answer = self
            .send("POST")
            .body(&body.to_string())
            .await_answer()
            .await;
        answer.headers["mcp-session-id"]
            .to_str()
            .unwrap()
            .to_owned()
    }

    /// A request within a session.
    pub(crate) fn legacy(&self, session: &str, method: &str, params: Value) -> Sending<'_> {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        self.send("POST")
            .header("mcp-session-id", session)
            .header("mcp-protocol-version", "2025-11-25")
            .body(&body.to_string())
    }

    /// The text with ids and digests numbered.
    pub(crate) fn redact(&self, text: &str) -> String {
        self.names.lock().unwrap().redact(text)
    }
}

async fn declare(driver: &Driver, name: &str, tools: &[&str]) {
    let grant = Grant {
        tools: tools.iter().map(|text| Glob::new(*text)).collect(),
        resources: Vec::new(),
        actions: Vec::new(),
        envs: Vec::new(),
        workflows: Vec::new(),
        max_risk: None,
    };
    let spec = AgentSpec {
        id: id(name),
        owner: id("ana@acme.com"),
        role: Role::Agent,
        profile: Profile::Scoped {
            grants: vec![grant],
        },
        runtime: None,
        project: None,
    };
    driver
        .declare_agent(spec, TenantId::default())
        .await
        .unwrap();
}

pub(crate) fn id(name: &str) -> AgentId {
    name.parse().unwrap()
}

/// The parameters with what every modern request says.
pub(crate) fn with_meta(mut params: Value) -> Value {
    let meta = params
        .as_object_mut()
        .unwrap()
        .entry("_meta")
        .or_insert_with(|| json!({}));
    meta["io.modelcontextprotocol/protocolVersion"] = "2026-07-28".into();
    meta["io.modelcontextprotocol/clientCapabilities"] = json!({});
    params
}

/// A header value that is not plain, as clients write it.
fn encoded(value: &str) -> String {
    use base64::Engine as _;
    format!(
        "=?base64?{}?=",
        base64::engine::general_purpose::STANDARD.encode(value)
    )
}

/// A request being put together.
pub(crate) struct Sending<'w> {
    world: &'w World,
    request: Request<Body>,
}

impl<'w> Sending<'w> {
    /// Sets a header, or takes it away where the value is empty.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        let name: axum::http::HeaderName = name.parse().unwrap();
        if value.is_empty() {
            self.request.headers_mut().remove(name);
        } else {
            self.request
                .headers_mut()
                .insert(name, value.parse().unwrap());
        }
        self
    }

    pub(crate) fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn body(mut self, text: &str) -> Self {
        *self.request.body_mut() = Body::from(text.to_owned());
        self
    }

    /// Sends it and reads the answer to its end.
    pub(crate) async fn await_answer(self) -> Answer {
        let (world, stream) = (self.world, self.await_stream().await);
        let bytes = stream.body.collect().await.unwrap().to_bytes();
        Answer {
            status: stream.status,
            headers: stream.headers,
            body: String::from_utf8(bytes.to_vec()).unwrap(),
            names: world.names.clone(),
        }
    }

    /// Sends it and reads the answer bit by bit.
    pub(crate) async fn await_stream(self) -> Stream {
        let response = self
            .world
            .router
            .clone()
            .oneshot(self.request)
            .await
            .unwrap();
        let (parts, body) = response.into_parts();
        Stream {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
            names: self.world.names.clone(),
        }
    }
}

/// An answer that comes bit by bit.
pub(crate) struct Stream {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    body: Body,
    names: Arc<Mutex<Names>>,
}

impl Stream {
    /// The next bit; empty at the end.
    pub(crate) async fn next(&mut self) -> String {
        let frame = self.body.frame().await;
        let data = frame
            .map(|frame| frame.unwrap().into_data().unwrap())
            .unwrap_or_default();
        self.names
            .lock()
            .unwrap()
            .redact(std::str::from_utf8(&data).unwrap())
    }
}

/// A whole answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    names: Arc<Mutex<Names>>,
}

impl Answer {
    /// Status and body, with ids numbered.
    pub(crate) fn show(&self) -> String {
        let mut names = self.names.lock().unwrap();
        format!("{} {}", self.status, names.redact(self.body.trim_end()))
    }

    /// The message; of a stream the last one.
    pub(crate) fn json(&self) -> Value {
        let last = self
            .body
            .lines()
            .rev()
            .find_map(|line| line.strip_prefix("data: "));
        serde_json::from_str(last.unwrap_or(&self.body)).unwrap_or_else(|_| panic!("{}", self.body))
    }

    /// The text that a model reads.
    pub(crate) fn text(&self) -> String {
        let text = self.json()["result"]["content"][0]["text"]
            .as_str()
            .unwrap()
            .to_owned();
        self.names.lock().unwrap().redact(&text)
    }

    /// The envelope in `_meta`.
    pub(crate) fn envelope(&self) -> Value {
        self.json()["result"]["_meta"]["dev.toolgate/outcome"].clone()
    }

    /// The message without its `_meta`, which says much and is shown where it matters.
    pub(crate) fn bare(&self) -> String {
        let mut message = self.json();
        if let Some(Value::Object(result)) = message.get_mut("result") {
            result.shift_remove("_meta");
        }
        let mut names = self.names.lock().unwrap();
        format!("{} {}", self.status, names.redact(&message.to_string()))
    }
}

/// Ids by the order in which they appeared.
#[derive(Default)]
pub(crate) struct Names {
    known: HashMap<String, String>,
    counts: HashMap<String, usize>,
}

impl Names {
    fn redact(&mut self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        const PREFIXES: [&str; 6] = ["inv_", "apr_", "evt_", "key_", "mcp_", "sha256:"];
        while !rest.is_empty() {
            let found = PREFIXES.iter().find(|prefix| rest.starts_with(**prefix));
            let hex = |tail: &str| tail.bytes().take_while(u8::is_ascii_hexdigit).count();
            match found.map(|prefix| (prefix, hex(&rest[prefix.len()..]))) {
                Some((prefix, digits)) if digits >= 32 => {
                    let (id, tail) = rest.split_at(prefix.len() + digits);
                    out.push_str(&self.name(prefix, id));
                    rest = tail;
                }
                _ => {
                    let next = rest.chars().next().unwrap();
                    out.push(next);
                    rest = &rest[next.len_utf8()..];
                }
            }
        }
        out
    }

    fn name(&mut self, prefix: &str, id: &str) -> String {
        let counts = &mut self.counts;
        let fresh = || {
            let count = counts.entry(prefix.to_owned()).or_default();
            *count += 1;
            format!("{prefix}{count}")
        };
        self.known
            .entry(id.to_owned())
            .or_insert_with(fresh)
            .clone()
    }
}
