//! What the tests of whole sources share: ports that tests hold in their hands, and the one way
//! to a [`Dispatch`], which leads through the gate itself.
//!
//! Time moves only when a test moves it, so a timeout happens exactly when it is meant to.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Map, Value, json};
use tokio::sync::{mpsc, oneshot};
use toolgate_execution::{Input, Invocation, Proposal, State};
use toolgate_gate::permit::{Clearance, Dispatch, Travel};
use toolgate_gate::port::{
    Answer, BoxFuture, Clock, Committed, Entropy, PolicyDocument, Stored, Tasks, Tools, Unavailable,
};
use toolgate_gate::{Configuration, Judged, Posture, Settings, decide};
use toolgate_model::{
    Agent, Call, Catalogue, Credential, Decision, Digest, Duration, Effect, Epoch, InvocationId,
    KeyId, Mode, Profile, Role, SourceHealth, Stance, Timestamp, Token, TokenKind, ToolId,
};
use toolgate_tools::{Overrides, Ports, SourceConfig, SourceKind, SourceLimits, Sources};

/// A clock that stands still until it is moved.
#[derive(Default)]
pub(crate) struct TestClock {
    state: Mutex<(i64, Vec<Sleeper>)>,
}

/// Until when somebody sleeps, and how to wake them.
type Sleeper = (i64, oneshot::Sender<()>);

impl TestClock {
    /// Moves time and wakes whoever waited for it.
    pub(crate) fn advance(&self, span: Duration) {
        let mut state = self.state.lock().unwrap();
        state.0 += span.as_millis();
        let now = state.0;
        let (due, rest) = std::mem::take(&mut state.1)
            .into_iter()
            .partition(|(until, _)| *until <= now);
        state.1 = rest;
        for (_, sleeper) in due {
            let _ = sleeper.send(());
        }
    }
}

impl TestClock {
    /// Whether somebody waits for a moment that is at most `span` away.
    fn is_awaited_within(&self, span: Duration) -> bool {
        let state = self.state.lock().unwrap();
        let last = state.0 + span.as_millis();
        let mut sleepers = state.1.iter();
        sleepers.any(|(until, sleeper)| *until <= last && !sleeper.is_closed())
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.state.lock().unwrap().0)
    }

    fn sleep_until(&self, until: Timestamp) -> BoxFuture<'static, ()> {
        let mut state = self.state.lock().unwrap();
        if until.as_millis() <= state.0 {
            return Box::pin(std::future::ready(()));
        }
        let (sender, receiver) = oneshot::channel();
        state.1.push((until.as_millis(), sender));
        Box::pin(async move {
            let _ = receiver.await;
        })
    }
}

struct TestTasks;

impl Tasks for TestTasks {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place of these tests that spawns"
    )]
    fn spawn(&self, _name: &'static str, work: BoxFuture<'static, ()>) {
        tokio::spawn(work);
    }
}

struct TestEntropy;

impl Entropy for TestEntropy {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), Unavailable> {
        buffer.fill(7);
        Ok(())
    }
}

/// Sources under test, with time in the test's hands.
pub(crate) struct World {
    pub(crate) clock: Arc<TestClock>,
    pub(crate) sources: Arc<Sources>,
    /// The wire names of each new catalogue, in order.
    pub(crate) changes: mpsc::UnboundedReceiver<Vec<String>>,
}

impl World {
    pub(crate) fn start(configs: Vec<SourceConfig>) -> Self {
        Self::start_with(configs, Overrides::new())
    }

    pub(crate) fn start_with(configs: Vec<SourceConfig>, overrides: Overrides) -> Self {
        // The binary does this at its start; a second time changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let clock = Arc::new(TestClock::default());
        let ports = Ports {
            clock: clock.clone(),
            tasks: Arc::new(TestTasks),
            entropy: Arc::new(TestEntropy),
            environment: Arc::new(BTreeMap::from([
                ("PATH".to_owned(), "/usr/bin:/bin".to_owned()),
                ("GATE_SECRET".to_owned(), "not for children".to_owned()),
            ])),
        };
        let (sender, changes) = mpsc::unbounded_channel();
        let on_change = Arc::new(move |catalogue: Arc<Catalogue>| {
            let names = catalogue.iter().map(|tool| tool.wire_name.clone());
            let _ = sender.send(names.collect());
        });
        let sources = Sources::start(configs, &overrides, ports, on_change);
        Self {
            clock,
            sources,
            changes,
        }
    }

    /// Waits until all sources are up or known to be down.
    pub(crate) async fn settled(&self) {
        self.sources.settled(Duration::from_secs(3_600)).await;
    }

    /// Waits until `done` says so, while time stands still.
    pub(crate) async fn until(&self, done: impl Fn() -> bool) {
        while !done() {
            tokio::task::yield_now().await;
        }
    }

    /// Lets `span` pass, once somebody waits for that.
    pub(crate) async fn pass(&self, span: Duration) {
        self.until(|| self.clock.is_awaited_within(span)).await;
        self.clock.advance(span);
    }

    /// Makes calls of this tool whose answers do not come in time, until this many were lost.
    pub(crate) async fn lose(&self, tool: &str, count: usize) {
        self.lose_of("tester", tool, count).await;
    }

    /// The same, of this agent's calls.
    pub(crate) async fn lose_of(&self, agent: &str, tool: &str, count: usize) {
        let mut lost = 0;
        while lost < count {
            let second = Duration::from_secs(1);
            let travel = Travel {
                timeout: second,
                ..travel()
            };
            let call = self.dispatch_of(agent, tool, json!({}), travel);
            let call = self.sources.call(call);
            let late = async {
                // What is to be written is written before its time is up, as a rule.
                for _ in 0..20 {
                    tokio::task::yield_now().await;
                }
                self.pass(second).await;
            };
            let (answer, ()) = tokio::join!(call, late);
            lost += usize::from(matches!(answer, Answer::Lost { .. }));
        }
    }

    pub(crate) fn health(&self, name: &str) -> SourceHealth {
        let all = self.sources.sources();
        all.iter().find(|one| one.name == name).unwrap().health
    }

    pub(crate) fn detail(&self, name: &str) -> String {
        let all = self.sources.sources();
        let one = all.iter().find(|one| one.name == name).unwrap();
        one.detail.clone().unwrap_or_default()
    }

    /// Calls a tool and says in one line what became of it.
    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> String {
        let dispatch = self.dispatch(tool, arguments, travel());
        shown(&self.sources.call(dispatch).await)
    }

    /// The dispatch of a call that the gate allowed.
    pub(crate) fn dispatch(&self, tool: &str, arguments: Value, travel: Travel) -> Dispatch {
        self.dispatch_of("tester", tool, arguments, travel)
    }

    /// The same, of this agent's call.
    pub(crate) fn dispatch_of(
        &self,
        agent: &str,
        tool: &str,
        arguments: Value,
        travel: Travel,
    ) -> Dispatch {
        dispatch_of(agent, (&self.sources.catalogue(), tool), arguments, travel)
    }
}

/// A call with nothing beside its arguments.
pub(crate) fn travel() -> Travel {
    Travel {
        timeout: Duration::from_secs(60),
        meta: Map::new(),
        progress: None,
        cancelled: Box::pin(std::future::pending()),
        peer: None,
    }
}

/// A call whose progress arrives at the other end of a channel.
pub(crate) fn travel_with_progress() -> (Travel, mpsc::UnboundedReceiver<Value>) {
    let (sender, progress) = mpsc::unbounded_channel();
    let sink = move |params: Value| {
        let _ = sender.send(params);
    };
    let travel = Travel {
        progress: Some(Arc::new(sink)),
        ..travel()
    };
    (travel, progress)
}

pub(crate) fn shown(answer: &Answer) -> String {
    match answer {
        Answer::Answered { result, failed } => format!("answered failed={failed} {result}"),
        Answer::Refused { code, message, .. } => format!("refused {code}: {message}"),
        Answer::Lost { cause, detail } => format!("lost {cause:?}: {detail}"),
    }
}

/// A stdio source that runs the fault server beside this file.
pub(crate) fn faulty(name: &str, arguments: &[&str]) -> SourceConfig {
    let mut command = vec![env!("CARGO_BIN_EXE_fault-server").to_owned()];
    command.extend(arguments.iter().map(|argument| (*argument).to_owned()));
    source(
        name,
        SourceKind::Stdio {
            command,
            env: BTreeMap::new(),
            cwd: None,
        },
    )
}

pub(crate) fn source(name: &str, kind: SourceKind) -> SourceConfig {
    SourceConfig {
        limits: SourceLimits {
            message_bytes_max: 256 << 10,
            ..SourceLimits::default()
        },
        ..SourceConfig::new(name, kind)
    }
}

/// The dispatch of a call that the gate allowed.
pub(crate) fn dispatch(
    catalogue: &Arc<Catalogue>,
    tool: &str,
    arguments: Value,
    travel: Travel,
) -> Dispatch {
    dispatch_of("tester", (catalogue, tool), arguments, travel)
}

fn dispatch_of(
    agent: &str,
    (catalogue, tool): (&Arc<Catalogue>, &str),
    arguments: Value,
    travel: Travel,
) -> Dispatch {
    let now = Timestamp::from_millis(0);
    let call = Call::new(tool.parse().unwrap(), arguments.clone());
    let (judged, clearance) = judged(catalogue, &call);
    let clearance = clearance.unwrap_or_else(|| panic!("denied: {:?}", judged.decision.denial));
    let admitted = admitted((agent, &call.tool), &arguments, judged.decision, now);
    let durable = Committed {
        epoch: Epoch(1),
        records: Vec::new(),
    };
    let permit = clearance.permit(&admitted, &durable).unwrap();
    permit.dispatch(now, arguments, travel).unwrap()
}

/// Why the gate denies this call, if it does.
pub(crate) fn denial(
    catalogue: &Arc<Catalogue>,
    tool: &str,
    arguments: Value,
) -> Option<toolgate_model::Denial> {
    let call = Call::new(tool.parse().unwrap(), arguments);
    judged(catalogue, &call).0.decision.denial
}

/// What a gate that allows everything says of a call.
fn judged(catalogue: &Arc<Catalogue>, call: &Call) -> (Judged, Option<Clearance>) {
    let (stored, identity) = everything_allowed();
    let allow = Stance::Allow;
    let posture = Posture {
        low: allow,
        medium: allow,
        high: allow,
        critical: allow,
    };
    let settings = Settings {
        posture,
        ..Settings::default()
    };
    let configuration = Configuration::build(stored, Arc::clone(catalogue), settings, None);
    let identity = identity(&configuration);
    let unread = toolgate_gate::Evidence::default();
    let now = Timestamp::from_millis(0);
    decide(&configuration, &identity, (call, &unread), now)
}

type IdentityOf = Box<dyn Fn(&Configuration) -> toolgate_model::Identity>;

fn everything_allowed() -> (Stored, IdentityOf) {
    let at = Timestamp::from_millis(0);
    let key = KeyId::mint(at, [1; 10]);
    let token = Token::mint(TokenKind::Agent, key.clone(), [2; 32]);
    let agent = Agent {
        id: "tester".parse().unwrap(),
        tenant: Default::default(),
        owner: "ana@acme.com".parse().unwrap(),
        role: Role::Service,
        profile: Profile::Admin,
        runtime: None,
        project: None,
        trusted_host: false,
        suspended: false,
        created_at: at,
    };
    let credential = Credential {
        id: key.clone(),
        tenant: Default::default(),
        kind: TokenKind::Agent,
        subject: agent.id.clone(),
        secret_hash: token.secret_hash(),
        scope: Default::default(),
        created_at: at,
        expires_at: None,
        revoked_at: None,
        rotated_from: None,
    };
    let policy = json!({"name": "all", "rules": [
        {"rule_id": "r", "match": {"tools": ["*"]}, "action": "allow"},
    ]});
    let stored = Stored {
        epoch: Epoch(1),
        agents: vec![agent],
        credentials: vec![credential],
        policies: vec![PolicyDocument {
            name: "all".to_owned(),
            text: policy.to_string(),
        }],
        ..Stored::default()
    };
    let identity = move |configuration: &Configuration| configuration.standing(&key, at).unwrap();
    (stored, Box::new(identity))
}

fn admitted(
    (agent, tool): (&str, &ToolId),
    arguments: &Value,
    decision: Decision,
    now: Timestamp,
) -> Invocation {
    let proposal = Proposal {
        allow_duplicate: false,
        entity: None,
        effect_check: None,
        user_request: None,
        session_trusted: false,
        request: None,
        tenant: Default::default(),
        agent: agent.parse().unwrap(),
        owner: "ana@acme.com".parse().unwrap(),
        key: KeyId::mint(now, [1; 10]),
        chain: Vec::new(),
        user: None,
        tool: tool.clone(),
        version: "1.0.0".to_owned(),
        descriptor: None,
        arguments: arguments.clone(),
        salt: String::new(),
        env: None,
        workflow: None,
        resource: None,
        session: None,
        correlation: None,
        trigger: None,
        justification: None,
        mode: Mode::Execute,
        effect: Effect::Some,
        timeout: Duration::from_secs(60),
        idempotency_key: None,
        fingerprint: Digest::of(b""),
        meta: Map::new(),
        decision,
    };
    let proposed = Invocation::propose(InvocationId::mint(now, [3; 10]), proposal, now);
    let lease_until = now.plus(Duration::from_secs(3_600));
    let next = proposed
        .step(now, Input::Admit { lease_until })
        .unwrap()
        .next;
    assert!(matches!(next.state, State::Executing { .. }));
    next
}
