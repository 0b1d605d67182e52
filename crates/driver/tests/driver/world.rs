//! A small world for the driver: a clock that is moved by hand, tools that do as they are told, a
//! store in memory, and tasks on the test's own runtime.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use toolgate_driver::{AgentSpec, Driver, KeySpec, Ports, Watch};
use toolgate_gate::permit::Dispatch;
use toolgate_gate::port::{Answer, BoxFuture, Clock, Entropy, Store, Tasks, Tools, Unavailable};
use toolgate_gate::{Caller, Look, Settings};
use toolgate_model::{
    AgentId, Call, Catalogue, Descriptor, Duration, Effect, Glob, Grant, Identity, Lifecycle,
    Profile, ResourceTemplate, Risk, RiskScore, Role, Scope, SourceStatus, Timestamp, Token, Verb,
    json::Raw,
};
use toolgate_policy::Document;
use toolgate_record::Signer;
use toolgate_store::MemoryStore;

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

impl HandClock {
    /// Time goes on while nobody looks: whoever sleeps is not woken.
    pub(crate) fn sleep_through(&self, span: Duration) {
        self.now.fetch_add(span.as_millis(), Ordering::SeqCst);
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
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// Another node's bytes.
    pub(crate) fn starting_at(start: u64) -> Self {
        Self(AtomicU64::new(start))
    }
}

impl Entropy for Counter {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), Unavailable> {
        let next = self.0.fetch_add(1, Ordering::SeqCst) + 1;
        for (place, byte) in buffer.iter_mut().enumerate() {
            *byte = next.to_le_bytes()[place % 8] ^ u8::try_from(place).unwrap();
        }
        Ok(())
    }
}

pub(crate) struct Runtime;

impl Tasks for Runtime {
    #[expect(clippy::disallowed_methods, reason = "the tests' own place for tasks")]
    fn spawn(&self, _name: &'static str, work: BoxFuture<'static, ()>) {
        tokio::spawn(work);
    }
}

/// What a tool does with its next attempt.
pub(crate) enum Act {
    Return(Value),
    Fail(Value),
    Refuse,
    /// Refuses with an error of the protocol, as written.
    Object(&'static str),
    Lose(toolgate_execution::LossCause),
    Hang,
    /// Answers once the tools are released.
    HangUntilReleased,
    /// Breaks the task that asked.
    Panic,
    /// Sends its first byte only when it is polled a second time, and says so there.
    SendLater(Arc<std::sync::atomic::AtomicBool>),
}

impl Act {
    async fn into_answer(self) -> Answer {
        let answered = |value: &Value, failed| {
            let result: Raw = serde_json::from_str(&value.to_string()).unwrap();
            Answer::Answered { result, failed }
        };
        match self {
            Act::Return(value) => answered(&value, false),
            Act::Fail(value) => answered(&value, true),
            Act::Refuse => Answer::Refused {
                code: toolgate_model::Code::UpstreamUnavailable,
                message: "not running".to_owned(),
                error: None,
            },
            Act::Object(error) => Answer::Refused {
                code: toolgate_model::Code::ToolError,
                message: "it objects".to_owned(),
                error: Some(serde_json::from_str(error).unwrap()),
            },
            Act::Lose(cause) => Answer::Lost {
                cause,
                detail: "told to".to_owned(),
            },
            Act::Hang | Act::HangUntilReleased => std::future::pending().await,
            Act::Panic => panic!("told to"),
            Act::SendLater(sent) => {
                let mut polled = false;
                std::future::poll_fn(move |_| {
                    if std::mem::replace(&mut polled, true) {
                        sent.store(true, Ordering::SeqCst);
                    }
                    std::task::Poll::Pending
                })
                .await
            }
        }
    }
}

/// Tools that do as they are told, and count what reached them.
#[derive(Default)]
pub(crate) struct Puppets {
    pub(crate) catalogue: Mutex<Arc<Catalogue>>,
    pub(crate) acts: Mutex<VecDeque<Act>>,
    pub(crate) reached: Mutex<Vec<(String, u32, Value)>>,
    /// What the next looks see; nothing where there is none left.
    pub(crate) sights: Mutex<VecDeque<Act>>,
    /// Who was asked, and with which arguments.
    pub(crate) looked: Mutex<Vec<(String, Value)>>,
    /// Whether looks, once no sight is left, find the invocation that they are about.
    pub(crate) finding: std::sync::atomic::AtomicBool,
    /// Lets what hangs go on.
    pub(crate) release: tokio::sync::Notify,
}

impl Tools for Puppets {
    fn catalogue(&self) -> Arc<Catalogue> {
        self.catalogue.lock().unwrap().clone()
    }

    fn sources(&self) -> Vec<SourceStatus> {
        Vec::new()
    }

    fn call(&self, dispatch: Dispatch) -> BoxFuture<'_, Answer> {
        let seen = (
            dispatch.invocation().to_string(),
            dispatch.attempt(),
            dispatch.arguments().clone(),
        );
        self.reached.lock().unwrap().push(seen);
        let act = self.acts.lock().unwrap().pop_front();
        let act = act.unwrap_or(Act::Return(json!({"ok": true})));
        Box::pin(async move {
            if let Act::HangUntilReleased = act {
                self.release.notified().await;
                return Act::Return(json!({"ok": true})).into_answer().await;
            }
            act.into_answer().await
        })
    }

    fn look(&self, look: Look) -> BoxFuture<'_, Answer> {
        let seen = (look.tool().to_string(), look.arguments().clone());
        self.looked.lock().unwrap().push(seen);
        let act = self.sights.lock().unwrap().pop_front();
        let found = look
            .invocation()
            .filter(|_| self.finding.load(Ordering::SeqCst))
            .map(|id| Act::Return(json!({"data": [{"invocation": id}]})));
        Box::pin(act.or(found).unwrap_or(Act::Refuse).into_answer())
    }
}

/// A refund that may leave a trace, a lookup that may not, and one tool that nobody grants.
pub(crate) fn catalogue() -> Catalogue {
    let schema = json!({
        "type": "object",
        "properties": {
            "amount": {"type": ["number", "string"]},
            "charge": {"type": "string"},
            "customer": {"type": "string"},
        },
    });
    let tool = |id: &str, risk, verb, effect| Descriptor {
        id: id.parse().unwrap(),
        version: "1.0.0".to_owned(),
        wire_name: id.replace('.', "__"),
        definition: json!({"name": id}),
        input_schema: schema.clone(),
        category: None,
        method: None,
        verb,
        risk,
        risk_score: RiskScore::of_band(risk),
        risk_reason: String::new(),
        resource: Some(ResourceTemplate::parse("customer:{args.customer}").unwrap()),
        effect,
        timeout: Duration::from_secs(20),
        lifecycle: Lifecycle::Active,
        attributes: Default::default(),
        checks: Default::default(),
        authors: Default::default(),
        action: None,
        route: None,
        posture: None,
        runner: toolgate_model::Runner::Gate,
    };
    Catalogue::new([
        tool("stripe.refund", Risk::Medium, Verb::Write, Effect::Some),
        tool("stripe.lookup", Risk::Low, Verb::Read, Effect::None),
        tool("iam.grant", Risk::Critical, Verb::Admin, Effect::Some),
    ])
}

pub(crate) struct World {
    pub(crate) driver: Arc<Driver>,
    pub(crate) clock: Arc<HandClock>,
    pub(crate) tools: Arc<Puppets>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) owner: Caller,
    pub(crate) approver: Caller,
    pub(crate) agent: Identity,
}

pub(crate) const POLICY: &str = r#"{
  "name": "refunds",
  "rules": [{"rule_id": "big", "when": "amount > 500", "effect": "require_approval"}]
}"#;

impl World {
    /// A gate with `billing_agent`, owned by ana, who may call everything of `stripe`; bo may
    /// approve.
    pub(crate) async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    /// The same, where the operator set something else.
    pub(crate) async fn with(settings: Settings) -> Self {
        let clock = Arc::new(HandClock::default());
        clock.advance(Duration::from_secs(1_000_000));
        let signer = Signer::from_seed("toolgate.test/log", [7; 32]).unwrap();
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new(signer, clock.clone()));
        Self::on(store, clock, settings).await
    }

    /// The same on a store of the test's own.
    pub(crate) async fn on(
        store: Arc<dyn Store>,
        clock: Arc<HandClock>,
        settings: Settings,
    ) -> Self {
        let tools = Arc::new(Puppets::default());
        *tools.catalogue.lock().unwrap() = Arc::new(catalogue());
        let ports = Ports {
            store: store.clone(),
            tools: tools.clone(),
            clock: clock.clone(),
            entropy: Arc::new(Counter::default()),
            tasks: Arc::new(Runtime),
        };
        let driver = Driver::open(ports, settings).await.unwrap();
        let first = driver
            .renew_local(id("local@localhost"))
            .await
            .unwrap()
            .unwrap();
        let owner = caller(&driver, &first.token).await;
        let (_, bo) = driver
            .put_operator(&owner, (id("bo@acme.com"), Role::Approver), None)
            .await
            .unwrap();
        let approver = caller(&driver, &bo.token).await;
        driver.put_agent(&owner, billing_agent()).await.unwrap();
        publish(&driver, &owner, POLICY).await;
        let agent = key(&driver, &owner, Scope::default()).await.1;
        Self {
            driver,
            clock,
            tools,
            store,
            owner,
            approver,
            agent,
        }
    }

    /// A call of the tool by the agent, with nothing else said.
    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> toolgate_driver::Outcome {
        let call = Call::new(tool.parse().unwrap(), arguments);
        self.driver
            .submit(&self.agent, call, Watch::default())
            .await
    }

    /// The same, made in a task of its own.
    #[expect(clippy::disallowed_methods, reason = "the tests' own place for tasks")]
    pub(crate) fn start(&self, call: Call) -> tokio::task::JoinHandle<toolgate_driver::Outcome> {
        let (driver, agent) = (self.driver.clone(), self.agent.clone());
        tokio::spawn(async move { driver.submit(&agent, call, Watch::default()).await })
    }

    pub(crate) fn next(&self, act: Act) {
        self.tools.acts.lock().unwrap().push_back(act);
    }

    /// Another node on the same store and by the same clock, with tools of its own.
    pub(crate) async fn beside(first: &Self) -> Self {
        let tools = Arc::new(Puppets::default());
        *tools.catalogue.lock().unwrap() = first.tools.catalogue();
        let ports = Ports {
            store: first.store.clone(),
            tools: tools.clone(),
            clock: first.clock.clone(),
            entropy: Arc::new(Counter::starting_at(1 << 32)),
            tasks: Arc::new(Runtime),
        };
        let driver = Driver::open(ports, Settings::default()).await.unwrap();
        Self {
            driver,
            clock: first.clock.clone(),
            tools,
            store: first.store.clone(),
            owner: first.owner.clone(),
            approver: first.approver.clone(),
            agent: first.agent.clone(),
        }
    }

    /// From now on the tool's descriptor says this of its checks.
    pub(crate) fn describe(&self, tool: &str, checks: toolgate_model::Checks) {
        let catalogue = self.tools.catalogue();
        let changed = catalogue.iter().map(|known| {
            let mut described = known.as_ref().clone();
            if described.id.as_str() == tool {
                described.checks = checks.clone();
            }
            described
        });
        let changed = changed.collect();
        self.offer(changed);
    }

    /// From now on these are all tools.
    pub(crate) fn offer(&self, tools: Vec<Descriptor>) {
        let catalogue = Arc::new(Catalogue::new(tools));
        *self.tools.catalogue.lock().unwrap() = catalogue.clone();
        self.driver.set_catalogue(catalogue);
    }

    /// What the next look sees.
    pub(crate) fn sees(&self, act: Act) {
        self.tools.sights.lock().unwrap().push_back(act);
    }

    /// Looks that nobody told what to see find the invocation that they are about.
    pub(crate) fn looks_find_the_invocation(&self) {
        self.tools.finding.store(true, Ordering::SeqCst);
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Lets every task go as far as it can without time passing.
    pub(crate) async fn settle_tasks(&self) {
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
    }

    /// Lets time run, from one timer to the next, until nothing waits for it.
    pub(crate) async fn rest(&self) {
        for _ in 0..100 {
            self.settle_tasks().await;
            let Some(at) = self.driver.fire_timers().await else {
                break;
            };
            self.clock.advance(at.since(self.now()));
        }
        self.settle_tasks().await;
    }

    /// The one invocation that the store holds.
    pub(crate) async fn only_invocation(&self) -> toolgate_execution::Invocation {
        let filter = toolgate_gate::port::InvocationFilter {
            limit: 2,
            ..Default::default()
        };
        let mut all = self.store.invocations(filter).await.unwrap();
        assert_eq!(all.len(), 1);
        all.remove(0)
    }

    pub(crate) fn reached(&self) -> usize {
        self.tools.reached.lock().unwrap().len()
    }
}

pub(crate) fn id(text: &str) -> AgentId {
    text.parse().unwrap()
}

pub(crate) fn billing_agent() -> AgentSpec {
    let grant = Grant {
        tools: vec![Glob::new("stripe.*")],
        resources: Vec::new(),
        actions: Vec::new(),
        envs: Vec::new(),
        workflows: Vec::new(),
        max_risk: None,
    };
    AgentSpec {
        id: id("billing_agent"),
        owner: id("ana@acme.com"),
        role: Role::Agent,
        profile: Profile::Scoped {
            grants: vec![grant],
        },
        runtime: None,
        project: None,
        trusted_host: false,
    }
}

pub(crate) async fn publish(driver: &Arc<Driver>, owner: &Caller, text: &str) {
    let document = Document {
        name: "refunds".to_owned(),
        text: text.to_owned(),
    };
    driver
        .publish_policies(owner, vec![document], "test")
        .await
        .unwrap();
}

pub(crate) async fn key(driver: &Arc<Driver>, owner: &Caller, scope: Scope) -> (Token, Identity) {
    let spec = KeySpec {
        agent: id("billing_agent"),
        ttl: None,
        scope,
    };
    let issued = driver.create_key(owner, spec).await.unwrap();
    let Caller::Agent(identity) = caller(driver, &issued.token).await else {
        panic!("a person")
    };
    (issued.token, identity)
}

pub(crate) async fn caller(driver: &Arc<Driver>, token: &Token) -> Caller {
    driver.authenticate(Some(&token.reveal())).await.unwrap()
}
