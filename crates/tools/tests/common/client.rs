//! A client behind a call, whose every answer a test decides, and which notes what it was asked
//! and told, in order.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::sync::{Arc, Mutex};

use serde_json::value::RawValue;
use serde_json::{Map, Value};
use toolgate_gate::peer::{Ask, Peer, Reply, Round, Unanswered};
use toolgate_gate::permit::Travel;
use toolgate_gate::port::BoxFuture;
use toolgate_model::json::Raw;

use crate::common::travel;

/// What the client does with a question.
pub(crate) enum Said {
    /// It answers with this result, as written here.
    Result(&'static str),
    /// It answers with this error object.
    Error(&'static str),
    /// It will not.
    Fails(Unanswered),
    /// It never does.
    Never,
}

type Answers = Box<dyn Fn(&Ask) -> Said + Send + Sync>;

pub(crate) struct Client {
    capabilities: Map<String, Value>,
    level: Option<String>,
    given: Option<Map<String, Value>>,
    midway: bool,
    answers: Answers,
    noted: Mutex<Vec<String>>,
}

impl Client {
    /// A client that declared this much.
    pub(crate) fn new(
        capabilities: &Value,
        answers: impl Fn(&Ask) -> Said + Send + Sync + 'static,
    ) -> Self {
        Self {
            capabilities: capabilities.as_object().cloned().unwrap(),
            level: None,
            given: None,
            midway: false,
            answers: Box::new(answers),
            noted: Mutex::default(),
        }
    }

    pub(crate) fn hears(mut self, level: &str) -> Self {
        self.level = Some(level.to_owned());
        self
    }

    pub(crate) fn gives(mut self, answers: &Value) -> Self {
        self.given = answers.as_object().cloned();
        self
    }

    /// The same, as one that is asked in the middle of its requests.
    pub(crate) fn midway(mut self) -> Self {
        self.midway = true;
        self
    }

    /// What it was asked and told, in order.
    pub(crate) fn noted(&self) -> Vec<String> {
        self.noted.lock().unwrap().clone()
    }

    /// A call that this client is behind.
    pub(crate) fn travel(self: &Arc<Self>) -> Travel {
        Travel {
            peer: Some(Arc::clone(self) as Arc<dyn Peer>),
            ..travel()
        }
    }

    fn note(&self, text: String) {
        self.noted.lock().unwrap().push(text);
    }
}

fn raw(text: &str) -> Raw {
    RawValue::from_string(text.to_owned()).unwrap()
}

impl Peer for Client {
    fn capabilities(&self) -> &Map<String, Value> {
        &self.capabilities
    }

    fn log_level(&self) -> Option<toolgate_gate::ability::Severity> {
        self.level
            .as_deref()
            .and_then(toolgate_gate::ability::Severity::named)
    }

    fn given(&self) -> Option<&Map<String, Value>> {
        self.given.as_ref()
    }

    fn is_asked_midway(&self) -> bool {
        self.midway
    }

    fn tell(&self, method: &str, params: Raw) {
        self.note(format!("told {method} {params}"));
    }

    fn ask(&self, round: Round) -> BoxFuture<'_, Result<Vec<(String, Reply)>, Unanswered>> {
        let mut replies = Vec::new();
        for ask in &round.requests {
            let Ask {
                key,
                method,
                params,
            } = ask;
            self.note(format!("asked {key} {method} {params}"));
            match (self.answers)(ask) {
                Said::Result(text) => replies.push((key.clone(), Reply::Result(raw(text)))),
                Said::Error(text) => replies.push((key.clone(), Reply::Error(raw(text)))),
                Said::Fails(why) => return Box::pin(std::future::ready(Err(why))),
                Said::Never if round.piecemeal && !replies.is_empty() => {}
                Said::Never => return Box::pin(std::future::pending()),
            }
            if round.piecemeal {
                break;
            }
        }
        Box::pin(std::future::ready(Ok(replies)))
    }

    fn task(&self, task: Map<String, Value>) {
        self.note(format!("task {}", Value::Object(task)));
    }
}
