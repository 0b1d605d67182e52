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
    /// The fields of its body, where that is a form: what stands in it, decoded, in its order.
    pub form: Vec<(String, String)>,
    /// What the given request had and the rebuilt one has not: `header authorization`,
    /// `query access_token`. Names alone, in order.
    pub withheld: Vec<String>,
}

impl Recognition {
    /// The request as it may be sent once its arguments were sanitized to `arguments`; none where
    /// it is refused, or where what was replaced stands in another place than a member of a JSON
    /// body or a field of a form, and so cannot be replaced there.
    pub fn request_with(&self, arguments: &Value) -> Option<HttpRequest> {
        let mut request = self.request.clone()?;
        let mut form = self.form.clone();
        let (Value::Object(before), Value::Object(after)) = (&self.arguments, arguments) else {
            return None;
        };
        for (name, value) in after {
            let given = before.get(name)?;
            if given == value {
                continue;
            }
            match &mut request.body {
                // Of an operation that nobody listed the body is one argument, whole.
                body if name == "body" && body == given => *body = value.clone(),
                Value::Object(members) => {
                    let place = members.get_mut(name).filter(|place| *place == given)?;
                    *place = value.clone();
                }
                _ => {
                    let named = |field: &&mut (String, String)| field.0 == *name;
                    let field = form.iter_mut().find(named)?;
                    let same = given.as_str() == Some(field.1.as_str());
                    field.1 = value.as_str().filter(|_| same)?.to_owned();
                }
            }
        }
        if form != self.form {
            request.body = Value::from(form_text(&form));
        }
        (after.len() == before.len()).then_some(request)
    }

    /// The call that the request is.
    pub fn call(self) -> Call {
        let tool = self.recognised.descriptor.id.clone();
        let arguments = self.arguments.clone();
        Call {
            recognised: Some(Arc::new(self.recognised.clone())),
            raw: Some(Arc::new(self)),
            ..Call::new(tool, arguments)
        }
    }
}

/// A form, with every byte escaped that is no letter, digit, `-`, `.`, `_` or `~`.
fn form_text(fields: &[(String, String)]) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let escaped = |text: &str| -> String {
        let each = text.bytes().map(|byte| match plain(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        });
        each.collect()
    };
    let pairs = fields
        .iter()
        .map(|(name, value)| format!("{}={}", escaped(name), escaped(value)));
    pairs.collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::{HttpRequest, Recognition};
    use crate::{
        Descriptor, Duration, Effect, Lifecycle, Recognised, Risk, RiskScore, ToolId, Verb,
    };
    use serde_json::{Value, json};

    fn descriptor(id: ToolId) -> Descriptor {
        Descriptor {
            version: "1.0.0".to_owned(),
            wire_name: id.as_str().replace('.', "__"),
            id,
            definition: Value::Null,
            input_schema: Value::Null,
            category: None,
            method: None,
            verb: Verb::Write,
            risk: Risk::Medium,
            risk_score: RiskScore::of_band(Risk::Medium),
            risk_reason: String::new(),
            resource: None,
            effect: Effect::Some,
            timeout: Duration::default(),
            lifecycle: Lifecycle::Active,
            attributes: Default::default(),
            checks: Default::default(),
            authors: Default::default(),
            action: None,
            route: None,
            posture: None,
            runner: crate::Runner::Gate,
        }
    }

    fn recognition(body: Value, arguments: Value) -> Recognition {
        let descriptor = descriptor("slack.post_message".parse().unwrap());
        Recognition {
            recognised: Recognised {
                descriptor: std::sync::Arc::new(descriptor),
                places: serde_json::Map::new(),
                refusal: None,
            },
            arguments,
            request: Some(HttpRequest {
                method: "POST".to_owned(),
                url: "https://slack.com/api/chat.postMessage".to_owned(),
                headers: Default::default(),
                body,
            }),
            form: Vec::new(),
            withheld: Vec::new(),
        }
    }

    #[test]
    fn what_was_sanitized_is_sent_sanitized_or_not_at_all() {
        let arguments = json!({"channel": "C1", "text": "card 4242"});
        let clean = json!({"channel": "C1", "text": "card [CREDIT_CARD_1]"});
        let found = recognition(arguments.clone(), arguments.clone());
        assert_eq!(found.request_with(&arguments), found.request);
        assert_eq!(found.request_with(&clean).unwrap().body, clean);
        let form = Recognition {
            form: vec![
                ("channel".to_owned(), "C1".to_owned()),
                ("text".to_owned(), "card 4242".to_owned()),
            ],
            ..recognition(json!("channel=C1&text=card%204242"), arguments.clone())
        };
        let sent = form.request_with(&clean).unwrap().body;
        assert_eq!(sent, "channel=C1&text=card%20%5BCREDIT_CARD_1%5D");
        assert_eq!(form.request_with(&arguments), form.request);
        // A request that nobody listed has its whole body as one argument.
        let whole = |text: &str| json!({"method": "POST", "body": {"note": {"text": text}}});
        let other = recognition(whole("card 4242")["body"].clone(), whole("card 4242"));
        let sent = other.request_with(&whole("card [CREDIT_CARD_1]")).unwrap();
        assert_eq!(sent.body, whole("card [CREDIT_CARD_1]")["body"]);
        assert_eq!(
            other.request_with(&json!({"method": "GET", "body": {}})),
            None
        );
        // In the path, or undone from another writing: there is no place to replace it.
        for body in [
            json!("channel=C1&text=card+4242"),
            json!({"channel": "C1"}),
            Value::Null,
        ] {
            assert_eq!(
                recognition(body, arguments.clone()).request_with(&clean),
                None
            );
        }
        for other in [
            json!({"channel": "C1"}),
            json!({"channel": "C1", "x": 1}),
            json!("x"),
        ] {
            assert_eq!(found.request_with(&other), None, "{other}");
        }
    }
}
