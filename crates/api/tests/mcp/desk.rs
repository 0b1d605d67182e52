//! Tools that do as they are told: a desk whose operations say by their name what becomes of a call.
//!
//! `desk.slow` reports progress and waits until it is released or cancelled, `desk.odd` answers
//! whatever bytes it was given, `desk.lose` loses its answer.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::sync::Notify;
use toolgate_execution::LossCause;
use toolgate_gate::peer::{Ask, Peer, Reply, Round, Unanswered};
use toolgate_gate::permit::Dispatch;
use toolgate_gate::port::{self, BoxFuture, Following, ResourceSink, Tools};
use toolgate_model::{
    Catalogue, Code, Descriptor, Duration, Effect, Lifecycle, Risk, RiskScore, SourceStatus, Verb,
};

use crate::client::soon;

/// A desk whose operations say by their name what becomes of a call.
pub(crate) struct Desk {
    catalogue: Mutex<Arc<Catalogue>>,
    /// Operations that were reached, with their arguments and what came along.
    pub(crate) reached: Mutex<Vec<(String, Value, Value)>>,
    /// What `desk.odd` answers, byte for byte.
    pub(crate) odd: Mutex<String>,
    /// What a call of `desk.plan` does, step by step.
    pub(crate) plan: Mutex<Vec<Step>>,
    /// What it heard meanwhile.
    pub(crate) heard: Mutex<Vec<String>>,
    /// Who follows which resource of which source.
    pub(crate) followers: Arc<Mutex<Vec<(String, ResourceSink)>>>,
    /// Lets a call of `desk.slow` go on.
    pub(crate) release: Notify,
    /// Tells that a call of `desk.slow` is there.
    arrived: Notify,
}

/// Ends with its follower.
struct Left(Arc<Mutex<Vec<(String, ResourceSink)>>>, String);

impl Drop for Left {
    fn drop(&mut self) {
        let mut followers = self.0.lock().unwrap();
        let at = followers.iter().position(|(name, _)| *name == self.1);
        followers.remove(at.unwrap());
    }
}

/// One thing that `desk.plan` does before it answers.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Asks all of this at once: `{key: {method, params}}`.
    Ask(Value),
    /// Asks this and goes on without an answer once it is released.
    AskAside(Value),
    /// Asks this until all of it is answered, and takes what comes.
    AskBitByBit(Value),
    /// Says this of its task.
    Task(Value),
    /// Logs this.
    Log(Value),
    /// Notifies of this.
    Tell(&'static str, Value),
    /// Waits until it is released or cancelled.
    Wait,
    /// Answers with this error of the protocol.
    Fail(&'static str),
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
                    error: None,
                },
                "lose" => lost(LossCause::Disconnected),
                "slow" => self.slow(&mut dispatch).await,
                "plan" => self.carry_out(dispatch).await,
                method if method.contains('/') => self.method(dispatch).await,
                _ => answered(&json!({"content": [{"type": "text", "text": "done"}], "structuredContent": arguments}).to_string(), false),
            }
        })
    }

    fn follow(&self, source: &str, uri: &str, told: ResourceSink) -> Option<Following> {
        if source == "mute" {
            return None;
        }
        let followed = format!("{source} {uri}");
        let followers = self.followers.clone();
        followers.lock().unwrap().push((followed.clone(), told));
        Some(Box::new(Left(followers, followed)))
    }

    fn look(&self, _look: toolgate_gate::Look) -> BoxFuture<'_, port::Answer> {
        Box::pin(std::future::ready(port::Answer::Refused {
            code: Code::UpstreamUnavailable,
            message: "nothing to look at".to_owned(),
            error: None,
        }))
    }
}

impl Desk {
    pub(crate) fn new(tools: Vec<Descriptor>) -> Self {
        Self {
            catalogue: Mutex::new(Arc::new(Catalogue::new(tools))),
            reached: Mutex::default(),
            odd: Mutex::default(),
            plan: Mutex::default(),
            heard: Mutex::default(),
            followers: Arc::default(),
            release: Notify::new(),
            arrived: Notify::new(),
        }
    }

    /// Waits for a call of `desk.slow`.
    pub(crate) async fn arrival(&self) {
        soon(self.arrived.notified()).await;
    }

    pub(crate) fn set(&self, catalogue: Arc<Catalogue>) {
        *self.catalogue.lock().unwrap() = catalogue;
    }

    /// Other methods than `tools/call`: carried out where there is a plan, else what is odd.
    async fn method(&self, dispatch: Dispatch) -> port::Answer {
        if !self.plan.lock().unwrap().is_empty() {
            return self.carry_out(dispatch).await;
        }
        let said = self.odd.lock().unwrap().clone();
        match said.strip_prefix("error ") {
            Some(error) => port::Answer::Refused {
                code: Code::ToolError,
                message: "the server answered with an error".to_owned(),
                error: Some(serde_json::from_str(error).unwrap()),
            },
            None if said == "away" => port::Answer::Refused {
                code: Code::UpstreamUnavailable,
                message: "the server is not running".to_owned(),
                error: None,
            },
            None => answered(&said, false),
        }
    }

    /// A server says that a resource was updated.
    pub(crate) fn update(&self, followed: &str, params: &str) {
        let followers = self.followers.lock().unwrap().clone();
        for (_, told) in followers.iter().filter(|(name, _)| name == followed) {
            told(serde_json::from_str(params).unwrap());
        }
    }

    async fn carry_out(&self, mut dispatch: Dispatch) -> port::Answer {
        let Some(peer) = dispatch.peer().cloned() else {
            return answered(
                r#"{"content":[{"type":"text","text":"nobody is there"}]}"#,
                false,
            );
        };
        let said = json!({"capabilities": peer.capabilities(), "level": peer.log_level().map(|level| level.name()), "given": peer.given()});
        self.heard.lock().unwrap().push(said.to_string());
        let mut cancelled = dispatch.take_cancelled();
        let plan = self.plan.lock().unwrap().clone();
        for step in plan {
            let asked = match step {
                Step::Log(params) => {
                    peer.tell(
                        "notifications/message",
                        serde_json::value::to_raw_value(&params).unwrap(),
                    );
                    continue;
                }
                Step::Tell(method, params) => {
                    peer.tell(method, serde_json::value::to_raw_value(&params).unwrap());
                    continue;
                }
                Step::Task(task) => {
                    peer.task(task.as_object().cloned().unwrap());
                    continue;
                }
                Step::Wait => {
                    self.arrived.notify_one();
                    tokio::select! {
                        () = &mut cancelled => return lost(LossCause::Cancelled),
                        () = self.release.notified() => continue,
                    }
                }
                Step::Fail(error) => {
                    return port::Answer::Refused {
                        code: Code::ToolError,
                        message: "the server answered with an error".to_owned(),
                        error: Some(serde_json::from_str(error).unwrap()),
                    };
                }
                Step::AskAside(requests) => tokio::select! {
                    asked = self.ask(peer.as_ref(), requests, false) => asked,
                    () = self.release.notified() => Ok(()),
                },
                Step::Ask(requests) => self.ask(peer.as_ref(), requests, false).await,
                Step::AskBitByBit(requests) => self.ask(peer.as_ref(), requests, true).await,
            };
            if let Err(why) = asked {
                self.heard
                    .lock()
                    .unwrap()
                    .push(format!("unanswered: {why}"));
                return port::Answer::Refused {
                    code: Code::ToolError,
                    message: format!(
                        "the tool asked for input that its caller did not give: {why}"
                    ),
                    error: None,
                };
            }
        }
        answered(r#"{"content":[{"type":"text","text":"all done"}]}"#, false)
    }

    async fn ask(
        &self,
        peer: &dyn Peer,
        requests: Value,
        piecemeal: bool,
    ) -> Result<(), Unanswered> {
        let mut open = asks(&requests);
        while !open.is_empty() {
            let round = Round {
                requests: open.clone(),
                piecemeal,
            };
            let replies = peer.ask(round).await?;
            for (key, reply) in replies {
                open.retain(|ask| ask.key != key);
                let (Reply::Result(text) | Reply::Error(text)) = &reply;
                let kind = if matches!(reply, Reply::Result(_)) {
                    ""
                } else {
                    "error "
                };
                self.heard
                    .lock()
                    .unwrap()
                    .push(format!("{key}: {kind}{}", text.get()));
            }
            if !piecemeal {
                break;
            }
            // A task is looked at from time to time only.
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        Ok(())
    }

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

fn asks(requests: &Value) -> Vec<Ask> {
    let each = requests.as_object().unwrap().iter();
    each.map(|(key, request)| Ask {
        key: key.clone(),
        method: request["method"].as_str().unwrap().to_owned(),
        params: serde_json::value::to_raw_value(&request["params"]).unwrap(),
    })
    .collect()
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
        checks: Default::default(),
        authors: Default::default(),
        action: None,
        route: None,
        posture: None,
        runner: toolgate_model::Runner::Gate,
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

/// The desk's tools, and `desk.plan` among them.
pub(crate) fn tools_and_plan() -> Vec<Descriptor> {
    let mut tools = tools();
    tools.push(tool("desk.plan", Verb::Write, Risk::Medium));
    tools
}
