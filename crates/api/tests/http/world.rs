//! A whole gate in memory behind its HTTP router: the real driver and store, and everybody around.
//!
//! `world.post("/v1/invocations").token(&world.agent).json(json!({…})).await` gives an answer whose
//! `show` is stable: ids, digests and tokens are numbered in the order they appear.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use toolgate_api::{Admission, Api, Limits, LogLeaves, router};
use toolgate_driver::{AgentSpec, Driver, KeySpec, Ports};
use toolgate_gate::outbox::{Outbox as _, Standing};
use toolgate_gate::port::Store;
use toolgate_gate::{Caller, Capture, Settings};
use toolgate_model::{AgentId, Duration, Glob, Grant, Profile, Role, Scope, TenantId};
use toolgate_notify::{Address, EndpointSpec, Facts, Notifier, SigningSecrets};
use toolgate_policy::Document;
use toolgate_record::Signer;
use toolgate_store::MemoryStore;
use toolgate_store::faulty::{Fault, FaultyStore};

use crate::desk::{Counter, Desk, HandClock, Runtime};
use crate::sending::{Names, Sending};

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
        Self::faulty(Fault::None).await.0
    }

    /// A world whose store has this fault, counted from its very first operation.
    pub(crate) async fn faulty(fault: Fault) -> (Self, Arc<FaultyStore>) {
        let clock = Arc::new(HandClock::default());
        clock.advance(Duration::from_secs(1_781_622_862));
        let signer = Signer::from_seed("toolgate.test/log", [7; 32]).unwrap();
        let store = Arc::new(MemoryStore::new(signer, clock.clone()));
        let store = Arc::new(FaultyStore::new(store, fault));
        (Self::on(store.clone(), clock).await, store)
    }

    async fn on(store: Arc<dyn Store>, clock: Arc<HandClock>) -> Self {
        let desk = Arc::new(Desk::default());
        let notices = pager(&store, &clock).await;
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
            notices,
            tasks: Arc::new(Runtime),
            limits: Limits::default(),
            public_url: "http://127.0.0.1:8787".into(),
            hosts: Arc::new(["gate.acme.com".to_owned()]),
            origins: Arc::new(["https://console.acme.com".to_owned()]),
            admission: Admission::default(),
            leaves: LogLeaves::default(),
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

    /// One more agent, which reaches these tools, and its token.
    pub(crate) async fn hire(&self, name: &str, tools: &str) -> String {
        let owner = self.caller("owner").await;
        let spec = agent(name, tools);
        self.api.driver.put_agent(&owner, spec).await.unwrap();
        self.key(name).await
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
        Sending::new((&self.router, &self.names), method, path)
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

/// Notifications with one endpoint, where nobody listens. It stands somewhere already, so that
/// opening it costs no operation of a store whose operations are counted.
async fn pager(store: &Arc<dyn Store>, clock: &Arc<HandClock>) -> Arc<Notifier> {
    let ring = rustls::crypto::ring::default_provider();
    let _installed = ring.install_default();
    let signer = Signer::from_seed("toolgate.test/outbox", [7; 32]).unwrap();
    let outbox = Arc::new(MemoryStore::new(signer, clock.clone()));
    let standing = Standing {
        endpoint: "pager".to_owned(),
        next: 0,
        attempts: 0,
        refusals: 0,
        due_at: None,
        disabled: None,
    };
    outbox.note(Some(standing), None).await.unwrap();
    let spec = EndpointSpec {
        name: "pager".to_owned(),
        address: Address::parse("http://127.0.0.1:9/hush").unwrap(),
        secrets: SigningSecrets::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap(),
        events: vec![Glob::new("approval.*")],
        tenant: TenantId::default(),
    };
    let ports = toolgate_notify::Ports {
        store: store.clone(),
        outbox,
        clock: clock.clone(),
        entropy: Arc::new(Counter::default()),
    };
    let facts = Facts {
        public_url: "http://127.0.0.1:8787".to_owned(),
        capture: Capture::Digest,
    };
    Notifier::open(vec![spec], (ports, facts)).await.unwrap()
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
        trusted_host: false,
    }
}
