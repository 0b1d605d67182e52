//! Webhooks against a real HTTP server in this process, on the real store in memory.
//!
//! Time is virtual and turns are taken by hand, so nothing waits. Signatures are checked with
//! another implementation of HMAC than the one that made them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on stops here and says where"
)]

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use toolgate_execution::{Input, Invocation};
use toolgate_gate::Capture;
use toolgate_gate::outbox::{
    Delivery, DeliveryFilter, Ended, NoticeError, Notices as _, Outbox as _,
};
use toolgate_gate::port::{BoxFuture, Clock, Entropy, Store as _, Unavailable};
use toolgate_model::{Glob, TenantId, Timestamp};
use toolgate_notify::{
    Address, Courier, EVENTS_DEFAULT, EndpointSpec, Facts, Notifier, Ports, SigningSecrets, Turn,
};
use toolgate_store::MemoryStore;
use toolgate_store::conformance::fixture::{
    START, appending, broken, entry, executing, insertion, invocation_id, proposed, record_id,
    signer,
};

const KEY: [u8; 32] = [7; 32];

/// What a receiver got.
struct Got {
    headers: HeaderMap,
    body: String,
}

/// A receiver that answers as it is told to, 204 where nothing is left to say.
#[derive(Clone, Default)]
struct Receiver {
    got: Arc<Mutex<Vec<Got>>>,
    answers: Arc<Mutex<VecDeque<u16>>>,
}

impl Receiver {
    /// Starts it; it ends with the test's runtime.
    async fn start(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new().fallback(take).with_state(self.clone());
        #[expect(clippy::disallowed_methods, reason = "the test's own server")]
        tokio::spawn(async move { axum::serve(listener, app).await });
        format!("http://{address}/hooks/secret")
    }

    fn will_answer(&self, answers: &[u16]) {
        self.answers.lock().unwrap().extend(answers);
    }

    fn types(&self) -> Vec<String> {
        let got = self.got.lock().unwrap();
        got.iter()
            .map(|got| json(&got.body)["type"].as_str().unwrap().to_owned())
            .collect()
    }
}

async fn take(State(receiver): State<Receiver>, headers: HeaderMap, body: String) -> Response {
    receiver.got.lock().unwrap().push(Got { headers, body });
    let status = receiver.answers.lock().unwrap().pop_front().unwrap_or(204);
    let status = StatusCode::from_u16(status).unwrap();
    (status, [("location", "http://127.0.0.1:1/elsewhere")]).into_response()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// A clock that jumps to whatever is waited for, and lets others go on meanwhile.
struct Hands(AtomicI64);

impl Hands {
    fn set(&self, now: Timestamp) {
        self.0.fetch_max(now.as_millis(), Ordering::SeqCst);
    }
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }

    fn sleep_until(&self, until: Timestamp) -> BoxFuture<'static, ()> {
        self.set(until);
        Box::pin(tokio::task::yield_now())
    }
}

/// The least jitter there is.
struct Least;

impl Entropy for Least {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), Unavailable> {
        buffer.fill(0);
        Ok(())
    }
}

/// A store with notifications on it.
struct World {
    store: Arc<MemoryStore>,
    clock: Arc<Hands>,
}

impl World {
    fn new() -> Self {
        let clock = Arc::new(Hands(AtomicI64::new(START.as_millis())));
        let store = Arc::new(MemoryStore::new(signer().unwrap(), clock.clone()));
        Self { store, clock }
    }

    fn spec(&self, name: &str, url: &str) -> EndpointSpec {
        let secret = format!("whsec_{}", STANDARD.encode(KEY));
        EndpointSpec {
            name: name.to_owned(),
            address: Address::parse(url).unwrap(),
            secrets: SigningSecrets::parse(&secret).unwrap(),
            events: EVENTS_DEFAULT.into_iter().map(Glob::new).collect(),
            tenant: TenantId::default(),
        }
    }

    async fn open(&self, specs: Vec<EndpointSpec>, capture: Capture) -> Arc<Notifier> {
        let ring = rustls::crypto::ring::default_provider();
        let _installed = ring.install_default();
        let ports = Ports {
            store: self.store.clone(),
            outbox: self.store.clone(),
            clock: self.clock.clone(),
            entropy: Arc::new(Least),
        };
        let facts = Facts {
            public_url: "https://gate.acme.com".to_owned(),
            capture,
        };
        Notifier::open(specs, (ports, facts)).await.unwrap()
    }

    /// Records of these kinds, numbered from `first`.
    async fn record(&self, first: u32, kinds: &[&str]) {
        let numbered = (first..).zip(kinds);
        let entries = numbered.map(|(number, kind)| entry(number, kind)).collect();
        self.store.commit(appending(entries)).await.unwrap();
    }

    /// A call that waits for approval, asked for on the record.
    async fn ask(&self) {
        self.ask_about(&refused()).await;
    }

    async fn ask_about(&self, waiting: &Invocation) {
        let asked = toolgate_record::Entry {
            invocation: Some(invocation_id(1)),
            data: serde_json::json!({
                "approval": "apr_1", "digest": "sha256:ab", "quorum": 1,
                "expires_at": "2026-06-17T15:14:22.000Z", "approvers": ["finance"],
            })
            .as_object()
            .unwrap()
            .clone(),
            ..entry(1, "approval.requested")
        };
        let mut commit = insertion(waiting);
        commit.entries = vec![asked];
        self.store.commit(commit).await.unwrap();
    }

    async fn attempts(&self) -> Vec<Delivery> {
        let filter = DeliveryFilter {
            limit: 1_000,
            ..DeliveryFilter::default()
        };
        let mut found = self.store.deliveries(filter).await.unwrap();
        found.reverse();
        found
    }
}

/// A call as it stands after all: what is told of it does not depend on that.
fn refused() -> Invocation {
    let words = |proposal: &mut toolgate_execution::Proposal| {
        proposal.justification = Some("the agent says that this is fine".to_owned());
    };
    let denial = toolgate_model::Denial::new(toolgate_model::Code::NotGranted, "not granted");
    let proposed = proposed(1, words).unwrap();
    proposed.step(START, Input::Deny(denial)).unwrap().next
}

/// Turns until there is nothing to do right now; when there will be.
async fn settle(courier: &Courier) -> Timestamp {
    for _ in 0..1_000 {
        if let Turn::At(until) = courier.turn().await.unwrap() {
            return until;
        }
    }
    panic!("the courier never rests");
}

fn only(notifier: &Notifier) -> Arc<Courier> {
    notifier.couriers().next().unwrap().clone()
}

#[tokio::test]
async fn an_event_arrives_once_signed_and_without_arguments() {
    let (world, receiver) = (World::new(), Receiver::default());
    let url = receiver.start().await;
    let notifier = world
        .open(vec![world.spec("pager", &url)], Capture::Digest)
        .await;
    world.ask().await;
    settle(&only(&notifier)).await;
    let got = receiver.got.lock().unwrap();
    assert_eq!(got.len(), 1);
    let header = |name: &str| got[0].headers[name].to_str().unwrap();
    let (id, timestamp) = (header("webhook-id"), header("webhook-timestamp"));
    assert_eq!(id, record_id(1).as_str());
    assert_eq!(timestamp, (START.as_millis() / 1_000).to_string());
    assert_eq!(header("content-type"), "application/json");
    let signature = header("webhook-signature").strip_prefix("v1,").unwrap();
    let signature = STANDARD.decode(signature).unwrap();
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &KEY);
    let content = format!("{id}.{timestamp}.{}", got[0].body);
    ring::hmac::verify(&key, content.as_bytes(), &signature).unwrap();
    let body = json(&got[0].body);
    assert_eq!(body["type"], "approval.requested");
    assert_eq!(body["timestamp"], entry(1, "").at.to_string());
    let data = &body["data"];
    for (name, expected) in [
        ("approval_id", "apr_1"),
        ("digest", "sha256:ab"),
        ("agent", "billing_agent"),
        ("url", "https://gate.acme.com/approvals/apr_1"),
        ("expires_at", "2026-06-17T15:14:22.000Z"),
        ("invocation_id", invocation_id(1).as_str()),
    ] {
        assert_eq!(data[name], expected, "{name}");
    }
    assert_eq!(data["approvers"], serde_json::json!(["finance"]));
    assert_eq!(data.get("arguments"), None);
    assert!(!got[0].body.contains("the agent says"), "{}", got[0].body);
}

#[tokio::test]
async fn arguments_are_told_only_where_they_are_captured_in_full() {
    let (world, receiver) = (World::new(), Receiver::default());
    let url = receiver.start().await;
    let notifier = world
        .open(vec![world.spec("pager", &url)], Capture::Full)
        .await;
    world.ask().await;
    settle(&only(&notifier)).await;
    let got = receiver.got.lock().unwrap();
    let expected = &refused().proposal.arguments;
    assert_eq!(&json(&got[0].body)["data"]["arguments"], expected);
}

#[tokio::test]
async fn a_call_that_does_not_read_any_more_silences_nobody() {
    let (world, receiver) = (World::new(), Receiver::default());
    let url = receiver.start().await;
    let notifier = world
        .open(vec![world.spec("pager", &url)], Capture::Full)
        .await;
    world.ask_about(&broken(&executing(1).unwrap())).await;
    world.record(2, &["approval.expired"]).await;
    settle(&only(&notifier)).await;
    assert_eq!(receiver.types(), ["approval.requested", "approval.expired"]);
    let got = receiver.got.lock().unwrap();
    let data = &json(&got[0].body)["data"];
    assert_eq!(data["approval_id"], "apr_1");
    assert_eq!((data.get("tool"), data.get("arguments")), (None, None));
}

#[tokio::test]
async fn events_arrive_in_the_order_of_the_log_whatever_is_refused_meanwhile() {
    let (world, receiver) = (World::new(), Receiver::default());
    let url = receiver.start().await;
    let notifier = world
        .open(vec![world.spec("pager", &url)], Capture::Digest)
        .await;
    let kinds = [
        "approval.requested",
        "key.created",
        "approval.approved",
        "approval.expired",
    ];
    world.record(1, &kinds).await;
    receiver.will_answer(&[500, 503, 204, 302]);
    let courier = only(&notifier);
    for _ in 0..4 {
        let until = settle(&courier).await;
        world.clock.set(until);
    }
    let expected = [
        "approval.requested",
        "approval.requested",
        "approval.requested",
        "approval.approved",
        "approval.approved",
        "approval.expired",
    ];
    assert_eq!(receiver.types(), expected);
    let attempts = world.attempts().await;
    let seen: Vec<_> = attempts
        .iter()
        .map(|delivery| (delivery.attempt, delivery.ended, delivery.status))
        .collect();
    assert_eq!(
        seen,
        [
            (1, Ended::Refused, Some(500)),
            (2, Ended::Away, Some(503)),
            (3, Ended::Delivered, Some(204)),
            (1, Ended::Refused, Some(302)),
            (2, Ended::Delivered, Some(204)),
            (1, Ended::Delivered, Some(204)),
        ]
    );
    let waits: Vec<_> = attempts
        .windows(2)
        .map(|pair| pair[1].at.since(pair[0].at).as_millis())
        .collect();
    assert_eq!(waits, [4_000, 24_000, 0, 4_000, 0]);
    let shown = format!("{attempts:?}");
    assert!(
        !shown.contains("whsec") && !shown.contains("hooks/secret"),
        "{shown}"
    );
}

#[tokio::test]
async fn a_restart_goes_on_where_the_endpoint_stood() {
    let (world, receiver) = (World::new(), Receiver::default());
    let url = receiver.start().await;
    world.record(1, &["approval.requested"]).await;
    let specs = || vec![world.spec("pager", &url)];
    let notifier = world.open(specs(), Capture::Digest).await;
    // What was there before the endpoint is not told.
    settle(&only(&notifier)).await;
    assert_eq!(receiver.types().len(), 0);
    receiver.will_answer(&[204, 500]);
    world
        .record(
            2,
            &["approval.approved", "approval.rejected", "approval.expired"],
        )
        .await;
    settle(&only(&notifier)).await;
    drop(notifier);
    // A restart forgets no wait either: the receiver is not hammered.
    let notifier = world.open(specs(), Capture::Digest).await;
    let due = settle(&only(&notifier)).await;
    assert_eq!(receiver.types().len(), 2);
    world.clock.set(due);
    settle(&only(&notifier)).await;
    let expected = [
        "approval.approved",
        "approval.rejected",
        "approval.rejected",
        "approval.expired",
    ];
    assert_eq!(receiver.types(), expected);
    let got = receiver.got.lock().unwrap();
    let id = |place: usize| got[place].headers["webhook-id"].clone();
    assert!(
        id(1) == id(2) && id(0) != id(1),
        "a receiver knows a repetition by its id"
    );
}

#[tokio::test]
async fn an_endpoint_that_is_down_delays_nobody_else() {
    let (world, receiver) = (World::new(), Receiver::default());
    let url = receiver.start().await;
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = format!("http://{}/", nobody.local_addr().unwrap());
    drop(nobody);
    let specs = vec![world.spec("down", &closed), world.spec("up", &url)];
    let notifier = world.open(specs, Capture::Digest).await;
    world
        .record(1, &["approval.requested", "approval.expired"])
        .await;
    let couriers: Vec<_> = notifier.couriers().cloned().collect();
    for courier in &couriers {
        settle(courier).await;
    }
    assert_eq!(receiver.types(), ["approval.requested", "approval.expired"]);
    let attempts = world.attempts().await;
    let down: Vec<_> = attempts
        .iter()
        .filter(|delivery| delivery.endpoint == "down")
        .collect();
    assert_eq!(down.len(), 1);
    assert_eq!((down[0].ended, down[0].status), (Ended::Away, None));
    assert!(down[0].error.is_some());
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_told_nothing_until_a_person_says_so() {
    let (world, receiver) = (World::new(), Receiver::default());
    let url = receiver.start().await;
    let notifier = world
        .open(vec![world.spec("pager", &url)], Capture::Digest)
        .await;
    receiver.will_answer(&[410]);
    world
        .record(1, &["approval.requested", "approval.expired"])
        .await;
    let courier = only(&notifier);
    for _ in 0..3 {
        let until = settle(&courier).await;
        world.clock.set(until);
    }
    assert_eq!(receiver.types().len(), 1);
    let tenant = TenantId::default();
    let [seen] = &notifier.endpoints(&tenant)[..] else {
        panic!("one endpoint")
    };
    assert!(seen.standing.disabled.is_some());
    assert!(seen.url.ends_with("/…"), "{}", seen.url);
    notifier.resume(&tenant, "pager").await.unwrap();
    settle(&courier).await;
    let expected = [
        "approval.requested",
        "approval.requested",
        "approval.expired",
    ];
    assert_eq!(receiver.types(), expected);
}

#[tokio::test]
async fn an_event_that_is_refused_again_and_again_is_given_up_and_the_next_one_told() {
    let (world, receiver) = (World::new(), Receiver::default());
    let url = receiver.start().await;
    let notifier = world
        .open(vec![world.spec("pager", &url)], Capture::Digest)
        .await;
    receiver.will_answer(&[400; 6]);
    world
        .record(1, &["approval.requested", "approval.expired"])
        .await;
    let courier = only(&notifier);
    for _ in 0..6 {
        let until = settle(&courier).await;
        world.clock.set(until);
    }
    let types = receiver.types();
    assert_eq!(types.len(), 7);
    assert_eq!(types.last().unwrap(), "approval.expired");
    // Nothing is lost for good: a person may have it sent again.
    let (tenant, id) = (TenantId::default(), record_id(1));
    let again = notifier
        .redeliver(&tenant, "pager", id.as_str())
        .await
        .unwrap();
    assert_eq!(again.ended, Ended::Delivered);
    assert_eq!(receiver.types().last().unwrap(), "approval.requested");
}

#[tokio::test]
async fn another_tenant_has_neither_the_events_nor_the_endpoint() {
    let (world, receiver) = (World::new(), Receiver::default());
    let url = receiver.start().await;
    let elsewhere: TenantId = "elsewhere".parse().unwrap();
    let theirs = EndpointSpec {
        tenant: elsewhere.clone(),
        ..world.spec("theirs", &url)
    };
    let notifier = world.open(vec![theirs], Capture::Digest).await;
    world.record(1, &["approval.requested"]).await;
    settle(&only(&notifier)).await;
    assert_eq!(receiver.types().len(), 0);
    assert!(notifier.endpoints(&TenantId::default()).is_empty());
    let missing = notifier.test(&TenantId::default(), "theirs").await;
    assert_eq!(
        missing.unwrap_err(),
        NoticeError::NoEndpoint("theirs".to_owned())
    );
    let id = record_id(1);
    let foreign = notifier.redeliver(&elsewhere, "theirs", id.as_str()).await;
    assert_eq!(foreign.unwrap_err(), NoticeError::NoEvent(id.to_string()));
    let test = notifier.test(&elsewhere, "theirs").await.unwrap();
    assert_eq!(
        (test.ended, test.kind.as_str()),
        (Ended::Delivered, "notify.test")
    );
    assert_eq!(receiver.types(), ["notify.test"]);
}

#[tokio::test]
async fn the_loop_delivers_by_itself() {
    let (world, receiver) = (World::new(), Receiver::default());
    let url = receiver.start().await;
    let notifier = world
        .open(vec![world.spec("pager", &url)], Capture::Digest)
        .await;
    world.record(1, &["approval.requested"]).await;
    let courier = only(&notifier);
    let run = courier.clone().run();
    let told = async {
        while receiver.types().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    futures_util::future::select(Box::pin(told), Box::pin(run)).await;
    assert_eq!(receiver.types(), ["approval.requested"]);
    assert!(world.clock.now() >= START);
}

/// Record `number`: a call that was denied, whose rule wants this channel told.
fn noticed(number: u32, channel: &str) -> toolgate_record::Entry {
    let notices = serde_json::json!([{"policy": "refunds", "rule": "r1", "channel": channel}]);
    let call = serde_json::json!({"decision": {
        "verdict": "deny", "denial": {"code": "policy_denied"}, "notices": notices,
    }});
    let mut entry = entry(number, "invocation.denied");
    entry.data.insert("call".to_owned(), call);
    entry
}

#[tokio::test]
async fn a_rule_tells_the_endpoint_that_it_names_and_no_other() {
    let (world, named, other) = (World::new(), Receiver::default(), Receiver::default());
    let (to_named, to_other) = (named.start().await, other.start().await);
    let elsewhere = Receiver::default();
    let theirs = EndpointSpec {
        tenant: "elsewhere".parse().unwrap(),
        ..world.spec("finance", &elsewhere.start().await)
    };
    let specs = vec![
        world.spec("pager", &to_named),
        world.spec("desk", &to_other),
    ];
    let notifier = world.open(specs, Capture::Digest).await;
    let stranger = world.open(vec![theirs], Capture::Digest).await;
    let entries = vec![
        noticed(1, "pager"),
        noticed(2, "nobody"),
        noticed(3, "finance"),
        entry(4, "invocation.denied"),
    ];
    world.store.commit(appending(entries)).await.unwrap();
    for courier in notifier.couriers().chain(stranger.couriers()) {
        settle(courier).await;
    }
    assert_eq!(named.types(), ["invocation.denied"]);
    assert_eq!((other.types().len(), elsewhere.types().len()), (0, 0));
    let got = named.got.lock().unwrap();
    let data = &json(&got[0].body)["data"];
    assert_eq!(data["event_id"], record_id(1).as_str());
    assert_eq!(data["rules"], serde_json::json!(["refunds/r1"]));
    let said = (&data["verdict"], &data["code"]);
    assert_eq!(said, (&"deny".into(), &"policy_denied".into()));
}

#[tokio::test]
async fn incidents_and_changed_tools_are_told_of_by_default() {
    let (world, receiver) = (World::new(), Receiver::default());
    let url = receiver.start().await;
    let notifier = world
        .open(vec![world.spec("pager", &url)], Capture::Digest)
        .await;
    let with = |number, kind, key: &str, value: &str| {
        let mut entry = entry(number, kind);
        entry.data.insert(key.to_owned(), value.into());
        entry
    };
    let entries = vec![
        with(1, "incident.opened", "incident", "inc_1"),
        with(2, "tool.pinned", "tool", "a.b"),
        with(3, "tool.changed", "tool", "a.b"),
        with(4, "incident.closed", "incident", "inc_1"),
    ];
    world.store.commit(appending(entries)).await.unwrap();
    settle(&only(&notifier)).await;
    assert_eq!(receiver.types(), ["incident.opened", "tool.changed"]);
    let got = receiver.got.lock().unwrap();
    let (opened, changed) = (json(&got[0].body), json(&got[1].body));
    assert_eq!(opened["data"]["incident"], "inc_1");
    assert_eq!(
        opened["data"]["url"],
        "https://gate.acme.com/incidents/inc_1"
    );
    assert_eq!(changed["data"]["tool"], "a.b");
}
