//! The gate's own tools: questions about the gate, never a way around it.
//!
//! `toolgate_await` tells what became of a call that waits, `toolgate_receipt` proves one,
//! `toolgate_request_approval` has people asked about one, `toolgate_simulate` says what one would
//! get, `toolgate_whoami` who the caller is here. None of them runs anything that people have not approved. A source's tool with such a
//! name is not listed.
//!
//! Must not know: transports.

mod meant;
mod receipt;
mod request_approval;
mod simulate;
mod wait;
mod whoami;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::face::{Asked, Face};
use super::message::RpcError;
use super::options::Presence;
use super::render::{Tone, words_result};
use super::work::Progress;

/// One own tool.
pub(super) struct OwnTool {
    /// Its name, which no source's tool can have.
    pub(super) name: &'static str,
    description: &'static str,
    input_schema: fn() -> Value,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    Await,
    Receipt,
    RequestApproval,
    Simulate,
    Whoami,
}

impl Kind {
    /// Whether nothing follows from calling it. An approved request runs what was asked for.
    const fn only_reads(self) -> bool {
        !matches!(self, Self::RequestApproval)
    }
}

/// All of them, ordered by name.
static OWN_TOOLS: [OwnTool; 5] = [
    OwnTool {
        name: "toolgate_await",
        description: wait::DESCRIPTION,
        input_schema: wait::input_schema,
        kind: Kind::Await,
    },
    OwnTool {
        name: "toolgate_receipt",
        description: receipt::DESCRIPTION,
        input_schema: receipt::input_schema,
        kind: Kind::Receipt,
    },
    OwnTool {
        name: "toolgate_request_approval",
        description: request_approval::DESCRIPTION,
        input_schema: meant::input_schema,
        kind: Kind::RequestApproval,
    },
    OwnTool {
        name: "toolgate_simulate",
        description: simulate::DESCRIPTION,
        input_schema: meant::input_schema,
        kind: Kind::Simulate,
    },
    OwnTool {
        name: "toolgate_whoami",
        description: whoami::DESCRIPTION,
        input_schema: whoami::input_schema,
        kind: Kind::Whoami,
    },
];

pub(super) use wait::find as find_call;

/// The own tools that are listed.
pub(super) fn offered(presence: Presence) -> impl Iterator<Item = &'static OwnTool> {
    OWN_TOOLS
        .iter()
        .filter(move |_| presence == Presence::Visible)
}

/// The own tool of this name, where it is listed.
pub(super) fn find(presence: Presence, name: &str) -> Option<&'static OwnTool> {
    offered(presence).find(|tool| tool.name == name)
}

impl OwnTool {
    /// Its entry in the list.
    pub(super) fn definition(&self) -> Value {
        json!({
            "name": self.name,
            "description": self.description,
            "inputSchema": (self.input_schema)(),
            "annotations": {"readOnlyHint": self.kind.only_reads(), "openWorldHint": false},
        })
    }

    /// Answers a call of it. Arguments that do not fit are told to the model.
    pub(super) async fn run(
        &self,
        face: &Face,
        asked: &Asked,
        arguments: Value,
        progress: &Progress,
    ) -> Result<String, RpcError> {
        let answer = match self.kind {
            Kind::Await => wait::run(face, asked, arguments, progress).await,
            Kind::Receipt => receipt::run(face, asked, arguments).await,
            Kind::RequestApproval => request_approval::run(face, asked, arguments).await,
            Kind::Simulate => simulate::run(face, asked, arguments).await,
            Kind::Whoami => whoami::run(face, asked, arguments),
        };
        Ok(answer
            .unwrap_or_else(|words| words_result((&words, Tone::Error), Map::new(), asked.era)))
    }
}

/// The arguments in their type, or words about what does not fit.
fn arguments<T: DeserializeOwned>(arguments: Value) -> Result<T, String> {
    serde_json::from_value(arguments).map_err(|error| format!("The arguments do not fit: {error}."))
}

/// An answer for models and machines alike.
fn structured(value: &Value, asked: &Asked) -> String {
    let mut result = json!({
        "content": [{"type": "text", "text": value.to_string()}],
        "structuredContent": value,
        "isError": false,
    });
    if let (super::era::Era::Modern, Some(result)) = (asked.era, result.as_object_mut()) {
        result.insert("resultType".to_owned(), "complete".into());
    }
    result.to_string()
}
