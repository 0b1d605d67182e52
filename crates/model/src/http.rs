//! A raw HTTP request that an agent wants judged, and what a normaliser made of it.
//!
//! ```json
//! {"method": "POST", "url": "https://slack.com/api/chat.postMessage",
//!  "headers": {"content-type": "application/json"}, "body": {"channel": "C1", "text": "done"}}
//! ```
//!
//! is a use of `slack.post_message`. Must not know: which services there are, how a request is
//! read, how it is sent.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Call, Recognised};

/// An HTTP request as somebody wrote it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpRequest {
    /// `GET`, `POST`, …
    pub method: String,
    /// Absolute, `http` or `https`.
    pub url: String,
    /// By name, in any letter case.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body: a text is sent as it is, anything else as JSON; `null` is none.
    #[serde(default)]
    pub body: Value,
}

/// What a request was recognised as.
#[derive(Clone, Debug, PartialEq)]
pub struct Recognition {
    /// What it is a use of, and the places that it is about.
    pub recognised: Recognised,
    /// The parameters of the operation, from the path, the query and the body: an object.
    pub arguments: Value,
    /// The request rebuilt from what was judged: this is what may be sent, and nothing else. It
    /// carries no credentials. None where the request is refused.
    pub request: Option<HttpRequest>,
    /// What the given request had and the rebuilt one has not: `header authorization`,
    /// `query access_token`. Names alone, in order.
    pub withheld: Vec<String>,
}

impl Recognition {
    /// The call that the request is.
    pub fn call(self) -> Call {
        let tool = self.recognised.descriptor.id.clone();
        Call {
            recognised: Some(Arc::new(self.recognised)),
            ..Call::new(tool, self.arguments)
        }
    }
}
