//! The ports of a world: a clock that is moved by hand, bytes that are the same in every run, and a
//! desk whose tools do as their names say.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::sync::Notify;
use toolgate_execution::LossCause;
use toolgate_gate::permit::Dispatch;
use toolgate_gate::port::{self, BoxFuture, Clock, Entropy, Tasks, Tools, Unavailable};
use toolgate_model::{
    Backoff, Catalogue, Denial, Descriptor, Duration, Effect, EffectCheck, EffectLook, HttpRequest,
    Lifecycle, Probe, Recognition, ResourceTemplate, Risk, RiskScore, SourceHealth, SourceStatus,
    Template, Timestamp, Verb,
};

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
pub(crate) struct Counter(AtomicU64);

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

/// A desk whose operations say by their name what becomes of a call.
#[derive(Default)]
pub(crate) struct Desk {
    /// Attempts that reached it: the operation and its arguments.
    pub(crate) reached: Mutex<Vec<(String, Value)>>,
    /// Wakes whoever waits for the first call of `desk.hold`.
    pub(crate) holding: Notify,
    /// Lets a call of `desk.hold` go on.
    pub(crate) release: Notify,
    /// What a look sees; none where the desk does not answer one.
    pub(crate) sight: Mutex<Option<bool>>,
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
            facts: toolgate_model::SourceFacts::default(),
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
                    error: None,
                },
                "lose" | "misplace" => port::Answer::Lost {
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

    fn recognise(
        &self,
        request: &HttpRequest,
        own_domains: &[String],
    ) -> Result<Recognition, Denial> {
        toolgate_tools::recognise(request, own_domains)
    }

    fn look(&self, look: toolgate_gate::Look) -> BoxFuture<'_, port::Answer> {
        let refund = look.arguments()["customer"].as_str().unwrap_or_default();
        let sight = *self.sight.lock().unwrap();
        let answer = match sight {
            Some(found) => port::Answer::Answered {
                result: serde_json::from_str(&json!({"of": refund, "found": found}).to_string())
                    .unwrap(),
                failed: false,
            },
            None => port::Answer::Refused {
                code: toolgate_model::Code::UpstreamUnavailable,
                message: "`desk` does not answer".to_owned(),
                error: None,
            },
        };
        Box::pin(std::future::ready(answer))
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
        checks: Default::default(),
        authors: Default::default(),
        action: None,
        route: None,
        posture: None,
        runner: toolgate_model::Runner::Gate,
    };
    let mut misplace = tool("desk.misplace", Verb::Write, Risk::Medium, Effect::Some);
    misplace.checks.effect = Some(EffectCheck {
        idempotency: None,
        look: Some(EffectLook {
            probe: Probe {
                tool: "desk.lookup".parse().unwrap(),
                arguments: Template::parse(json!({"customer": "{args.customer}"})).unwrap(),
            },
            landed: "result.found == true".to_owned(),
        }),
        lands_within: None,
        tries: 1,
        backoff: Backoff::default(),
    });
    Catalogue::new([
        misplace,
        tool("desk.lookup", Verb::Read, Risk::Low, Effect::None),
        tool("desk.refund", Verb::Write, Risk::Medium, Effect::Some),
        tool("desk.fail", Verb::Write, Risk::Medium, Effect::Some),
        tool("desk.away", Verb::Write, Risk::Medium, Effect::Some),
        tool("desk.lose", Verb::Write, Risk::Medium, Effect::Some),
        tool("desk.hold", Verb::Write, Risk::Medium, Effect::Some),
        tool("vault.open", Verb::Write, Risk::Critical, Effect::Some),
    ])
}
