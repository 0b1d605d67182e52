//! A whole gate in memory behind its HTTP router: the real driver and store, tools that do as they
//! are told, a clock that is moved by hand.
//!
//! `world.post("/v1/invocations").token(&world.agent).json(json!({…})).await` gives an answer whose
//! [`Answer::show`] is stable: ids, digests and tokens are numbered in the order they appear.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use serde_json::{Value, json};
use tokio::sync::Notify;
use toolgate_api::{Api, Limits, router};
use toolgate_driver::{AgentSpec, Driver, KeySpec, Ports};
use toolgate_execution::LossCause;
use toolgate_gate::permit::Dispatch;
use toolgate_gate::port::{self, BoxFuture, Clock, Entropy, Store, Tasks, Tools, Unavailable};
use toolgate_gate::{Caller, Settings};
use toolgate_model::{
    AgentId, Catalogue, Descriptor, Duration, Effect, Glob, Grant, Lifecycle, Profile,
    ResourceTemplate, Risk, RiskScore, Role, Scope, SourceHealth, SourceStatus, TenantId,
    Timestamp, Verb,
};
use toolgate_policy::Document;
use toolgate_record::Signer;
use toolgate_store::MemoryStore;
use tower::ServiceExt as _;

use crate::contract::Contract;

/// What is in force when a world begins.
pub(crate) const POLICY: &str = r#"{
  "name": "refunds",
  "rules": [
    {"rule_id": "big", "match": {"tools": ["desk.refund"]}, "when": "amount > 500",
     "effect": "require_approval"},
    {"rule_id": "closed", "match": {"tools": ["desk.refund"]}, "when": "amount > 10000",
     "effect": "deny", "reason": "Refunds above 10000 are closed."}
  ]
}"#;

/// A clock that stands still until it is moved.
#[derive(Default)]
pub(crate) struct HandClock {
    now: AtomicI64,
    sleepers: Mutex<Vec<(Timestamp, tokio::sync::oneshot::Sender<()>)>>,
}

impl HandClock {
    pub(crate) fn advance(&self, span: Duration) {
        self.now.fetch_add(span.as_millis(), Ordering::SeqCst);
        let now = self.now();
        let mut sleepers = self.sleepers.lock().unwrap();
        let due: Vec<_> = sleepers
            .extract_if(.., |(until, _)| *until <= now)
            .collect();
        drop(sleepers);
        for (_, wake) in due {
            let _ = wake.send(());
        }
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now.load(Ordering::SeqCst))
    }

    fn sleep_until(&self, until: Timestamp) -> BoxFuture<'static, ()> {
        if until <= self.now() {
            return Box::pin(std::future::ready(()));
        }
        let (wake, woken) = tokio::sync::oneshot::channel();
        self.sleepers.lock().unwrap().push((until, wake));
        Box::pin(async move {
            let _ = woken.await;
        })
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
#[derive(Default)]
pub(crate) struct Desk {
    /// Attempts that reached it: the operation and its arguments.
    pub(crate) reached: Mutex<Vec<(String, Value)>>,
    /// Wakes whoever waits for the first call of `desk.hold`.
    pub(crate) holding: Notify,
    /// Lets a call of `desk.hold` go on.
    pub(crate) release: Notify,
    /// Whether asking how its sources are breaks it.
    pub(crate) broken: AtomicBool,
}

impl Tools for Desk {
    fn catalogue(&self) -> Arc<Catalogue> {
        Arc::new(catalogue())
    }

    fn sources(&self) -> Vec<SourceStatus> {
        assert!(!self.broken.load(Ordering::SeqCst), "told to break");
        vec![SourceStatus {
            name: "desk".to_owned(),
            kind: "mcp-stdio".to_owned(),
            health: SourceHealth::Up,
            detail: None,
            tools: catalogue().len(),
        }]
    }

    fn call(&self, dispatch: Dispatch) -> BoxFuture<'_, port::Answer> {
        let operation = dispatch.tool().operation().to_owned();
        let arguments = dispatch.arguments().clone();
        self.reached
            .lock()
            .unwrap()
            .push((operation.clone(), arguments.clone()));
        Box::pin(async move {
            let answered = |value: Value, failed| port::Answer::Answered {
                result: serde_json::from_str(&value.to_string()).unwrap(),
                failed,
            };
            match operation.as_str() {
                "fail" => answered(json!({"message": "no such customer"}), true),
                "away" => port::Answer::Refused {
                    code: toolgate_model::Code::UpstreamUnavailable,
                    message: "`desk` does not answer".to_owned(),
                },
                "lose" => port::Answer::Lost {
                    cause: LossCause::Disconnected,
                    detail: "told to".to_owned(),
                },
                "hold" => {
                    self.holding.notify_one();
                    self.release.notified().await;
                    answered(json!({"held": true}), false)
                }
                _ => answered(json!({"echo": arguments}), false),
            }
        })
    }
}

/// The desk's tools, and one of another source that nobody is granted.
pub(crate) fn catalogue() -> Catalogue {
    let tool = |id: &str, verb, risk, effect| Descriptor {
        id: id.parse().unwrap(),
        version: "1.0.0".to_owned(),
        wire_name: id.replace('.', "__"),
        definition: json!({"name": id, "description": format!("What {id} does.")}),
        input_schema: json!({
            "type": "object",
            "properties": {
                "amount": {"type": "number"},
                "customer": {"type": "string"},
            },
            "additionalProperties": false,
        }),
        category: None,
        method: None,
        verb,
        risk,
        risk_score: RiskScore::of_band(risk),
        risk_reason: "said by the operator".to_owned(),
        resource: Some(ResourceTemplate::parse("customer:{args.customer}").unwrap()),
        effect,
        timeout: Duration::from_secs(20),
        lifecycle: Lifecycle::Active,
        attributes: Default::default(),
    };
    Catalogue::new([
        tool("desk.lookup", Verb::Read, Risk::Low, Effect::None),
        tool("desk.refund", Verb::Write, Risk::Medium, Effect::Some),
        tool("desk.fail", Verb::Write, Risk::Medium, Effect::Some),
        tool("desk.away", Verb::Write, Risk::Medium, Effect::Some),
        tool("desk.lose", Verb::Write, Risk::Medium, Effect::Some),
        tool("desk.hold", Verb::Write, Risk::Medium, Effect::Some),
        tool("vault.open", Verb::Write, Risk::Critical, Effect::Some),
    ])
}

/// A gate and everybody around it.
pub(crate) struct World {
    pub(crate) api: Api,
    pub(crate) router: Router,
    pub(crate) clock: Arc<HandClock>,
    pub(crate) desk: Arc<Desk>,
    /// The token of `billing_agent`, owned by ana.
    pub(crate) agent: String,
    /// The token of `support_agent`, of the same tenant.
    pub(crate) other_agent: String,
    /// Tokens of people, by role; ana@acme.com is an approver too.
    pub(crate) people: HashMap<&'static str, String>,
    /// The token of an owner of another tenant.
    pub(crate) stranger: String,
    /// Numbers ids in the order they appear.
    names: Arc<Mutex<Names>>,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Limits::default()).await
    }

    pub(crate) async fn with(limits: Limits) -> Self {
        let clock = Arc::new(HandClock::default());
        clock.advance(Duration::from_secs(1_781_622_862));
        let desk = Arc::new(Desk::default());
        let signer = Signer::from_seed("toolgate.test/log", [7; 32]).unwrap();
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new(signer, clock.clone()));
        let ports = Ports {
            store,
            tools: desk.clone(),
            clock: clock.clone(),
            entropy: Arc::new(Counter::default()),
            tasks: Arc::new(Runtime),
        };
        let driver = Driver::open(ports, Settings::default()).await.unwrap();
        let api = Api {
            driver,
            tasks: Arc::new(Runtime),
            limits,
            public_url: "http://127.0.0.1:8787".into(),
            hosts: Arc::new(["gate.acme.com".to_owned()]),
            origins: Arc::new(["https://console.acme.com".to_owned()]),
        };
        let mut world = Self {
            router: router(api.clone()),
            api,
            clock,
            desk,
            agent: String::new(),
            other_agent: String::new(),
            people: HashMap::new(),
            stranger: String::new(),
            names: Arc::default(),
        };
        world.settle_people().await;
        world.settle_agents().await;
        world
    }

    async fn settle_people(&mut self) {
        let driver = self.api.driver.clone();
        let local = id("local@localhost");
        let first = driver
            .renew_local(local)
            .await
            .unwrap()
            .unwrap()
            .token
            .reveal();
        let owner = driver.authenticate(Some(&first)).await.unwrap();
        self.people.insert("owner", first);
        let people = [
            ("viewer", "vi@acme.com", Role::Viewer),
            ("approver", "bo@acme.com", Role::Approver),
            ("ana", "ana@acme.com", Role::Approver),
            ("author", "au@acme.com", Role::Author),
            ("activator", "ac@acme.com", Role::Activator),
            ("agent_admin", "ad@acme.com", Role::AgentAdmin),
        ];
        for (name, user, role) in people {
            let (_, issued) = driver
                .put_operator(&owner, (id(user), role), None)
                .await
                .unwrap();
            self.people.insert(name, issued.token.reveal());
        }
        let elsewhere: TenantId = "elsewhere".parse().unwrap();
        let stranger = (id("eve@elsewhere.com"), Role::Owner);
        let (_, issued) = driver
            .put_operator(&owner, stranger, Some(elsewhere))
            .await
            .unwrap();
        self.stranger = issued.token.reveal();
    }

    async fn settle_agents(&mut self) {
        let driver = self.api.driver.clone();
        let owner = self.caller("owner").await;
        for (name, tools) in [
            ("billing_agent", "desk.*"),
            ("support_agent", "desk.lookup"),
        ] {
            driver.put_agent(&owner, agent(name, tools)).await.unwrap();
        }
        let document = Document {
            name: "refunds".to_owned(),
            text: POLICY.to_owned(),
        };
        driver
            .publish_policies(&owner, vec![document], "the first")
            .await
            .unwrap();
        self.agent = self.key("billing_agent").await;
        self.other_agent = self.key("support_agent").await;
    }

    async fn caller(&self, person: &str) -> Caller {
        self.api
            .driver
            .authenticate(Some(&self.people[person]))
            .await
            .unwrap()
    }

    /// A fresh token of an agent.
    pub(crate) async fn key(&self, agent: &str) -> String {
        let spec = KeySpec {
            agent: id(agent),
            ttl: None,
            scope: Scope::default(),
        };
        let owner = self.caller("owner").await;
        self.api
            .driver
            .create_key(&owner, spec)
            .await
            .unwrap()
            .token
            .reveal()
    }

    pub(crate) fn get(&self, path: &str) -> Sending<'_> {
        self.request(Method::GET, path)
    }

    pub(crate) fn post(&self, path: &str) -> Sending<'_> {
        self.request(Method::POST, path)
    }

    pub(crate) fn put(&self, path: &str) -> Sending<'_> {
        self.request(Method::PUT, path)
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> Sending<'_> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .body(Body::empty())
            .unwrap();
        let sending = Sending {
            world: self,
            request,
            sent: Vec::new(),
        };
        sending
            .header("host", "127.0.0.1:8787")
            .header("x-request-id", "req_test")
    }

    /// Calls a tool as `billing_agent` and gives the envelope.
    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Value {
        let body = json!({"tool": tool, "arguments": arguments});
        let answer = self
            .post("/v1/invocations")
            .token(&self.agent)
            .json(body)
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.show());
        answer.value()
    }

    /// The token of a person.
    pub(crate) fn person(&self, name: &str) -> &str {
        &self.people[name]
    }
}

pub(crate) fn id(text: &str) -> AgentId {
    text.parse().unwrap()
}

fn agent(name: &str, tools: &str) -> AgentSpec {
    let grant = Grant {
        tools: vec![Glob::new(tools)],
        resources: Vec::new(),
        actions: Vec::new(),
        envs: Vec::new(),
        workflows: Vec::new(),
        max_risk: None,
    };
    AgentSpec {
        id: id(name),
        owner: id("ana@acme.com"),
        role: Role::Agent,
        profile: Profile::Scoped {
            grants: vec![grant],
        },
        runtime: None,
        project: None,
    }
}

/// A request on its way.
pub(crate) struct Sending<'w> {
    world: &'w World,
    request: Request<Body>,
    sent: Vec<u8>,
}

impl Sending<'_> {
    pub(crate) fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.request
            .headers_mut()
            .insert(name, value.parse().unwrap());
        self
    }

    pub(crate) fn without(mut self, name: &'static str) -> Self {
        self.request.headers_mut().remove(name);
        self
    }

    /// One more header of this name.
    pub(crate) fn also(mut self, name: &'static str, value: &str) -> Self {
        self.request
            .headers_mut()
            .append(name, value.parse().unwrap());
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Body>) -> Self {
        *self.request.body_mut() = body.into();
        self.header("content-type", "application/json")
    }

    /// Sends a JSON body, and holds it against the description where it was taken.
    pub(crate) async fn json(mut self, body: Value) -> Answer {
        self.sent = body.to_string().into_bytes();
        self.body(body.to_string()).await
    }

    /// The answer with its body still to be read.
    pub(crate) async fn open(self) -> axum::response::Response {
        self.world
            .router
            .clone()
            .oneshot(self.request)
            .await
            .unwrap()
    }
}

impl<'w> IntoFuture for Sending<'w> {
    type Output = Answer;
    type IntoFuture = std::pin::Pin<Box<dyn Future<Output = Answer> + Send + 'w>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let names = self.world.names.clone();
            let (method, path) = (self.request.method().clone(), self.request.uri().clone());
            let operation = (method.as_str(), path.path());
            let sent = self.sent.clone();
            let (parts, body) = self.open().await.into_parts();
            let body = to_bytes(body, 64 << 20).await.unwrap().to_vec();
            if parts.status.is_success() {
                Contract::shared().taken(operation, &sent);
            }
            Contract::shared().answered(operation, parts.status.as_u16(), &body);
            Answer {
                status: parts.status,
                headers: parts.headers,
                body,
                names,
            }
        })
    }
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    names: Arc<Mutex<Names>>,
}

impl Answer {
    pub(crate) fn value(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The code of a problem, with its status.
    pub(crate) fn problem(&self) -> (u16, String) {
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json")
        );
        let code = self.value()["code"].as_str().unwrap().to_owned();
        (self.status.as_u16(), code)
    }

    /// Status and body, with everything that differs between runs numbered.
    pub(crate) fn show(&self) -> String {
        let body = serde_json::to_string_pretty(&self.value()).unwrap();
        let text = format!("{}\n{body}\n", self.status.as_u16());
        self.names.lock().unwrap().tidy(&text)
    }
}

/// Numbers ids, digests, tokens and keys in the order they appear.
#[derive(Default)]
struct Names(HashMap<String, String>, HashMap<String, usize>);

impl Names {
    fn tidy(&mut self, text: &str) -> String {
        let pattern = regex::Regex::new(
            r"(?P<kind>tgp?|inv|apr|evt|key)_[0-9a-f]{32}(_[0-9a-f]{64})?|(?P<digest>sha256):[0-9a-f]{64}",
        );
        let number = |found: &regex::Captures<'_>| {
            let kind = found.name("kind").or_else(|| found.name("digest")).unwrap();
            let count = &mut self.1;
            let named = self.0.entry(found[0].to_owned()).or_insert_with(|| {
                let next = count.entry(kind.as_str().to_owned()).or_default();
                *next += 1;
                format!("{}_{next}", kind.as_str())
            });
            named.clone()
        };
        pattern.unwrap().replace_all(text, number).into_owned()
    }
}
