//! What a tool answered that speaks no MCP, in the one form in which results are kept.
//!
//! An HTTP API answers a body, a plugin an object, a host whatever its function returned. All of it
//! is kept as a result of `tools/call`, so that rules, probes, detectors and MCP clients read one
//! form, and is marked, so that callers of the HTTP API get the body itself as `data`:
//!
//! ```json
//! {"content": [{"type": "text", "text": "{\"id\":\"re_1\"}"}], "structuredContent": {"id": "re_1"},
//!  "isError": false, "_meta": {"dev.toolgate/body": {"kind": "http", "status": 200}}}
//! ```
//! Must not know: how it was asked for, what a result means.

use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};

use crate::json::Raw;

/// The entry of `_meta` that marks such a result.
pub const BODY_KEY: &str = "dev.toolgate/body";

/// The content of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// JSON.
    Json(Value),
    /// Text of another kind.
    Text(String),
    /// Bytes, in base64, with their media type.
    Blob {
        /// The bytes in base64.
        base64: String,
        /// `application/pdf`, …
        media_type: String,
    },
    /// None.
    Empty,
}

impl Body {
    /// The result that says this. `about` describes where it comes from: `kind` (`http`, `plugin`,
    /// `host`) and what else is known (`status`, `headers`); it never holds a secret.
    pub fn result(self, failed: bool, mut about: Map<String, Value>) -> Raw {
        let mut result = Map::new();
        let form = match &self {
            Self::Json(_) => "json",
            Self::Text(_) => "text",
            Self::Blob { .. } => "blob",
            Self::Empty => "empty",
        };
        about.insert("form".to_owned(), form.into());
        let content = match self {
            Self::Json(value) => {
                let text = json!({"type": "text", "text": value.to_string()});
                if value.is_object() {
                    result.insert("structuredContent".to_owned(), value);
                }
                vec![text]
            }
            Self::Text(text) => vec![json!({"type": "text", "text": text})],
            Self::Blob { base64, media_type } => {
                let uri = "toolgate://body";
                let resource = json!({"uri": uri, "mimeType": media_type, "blob": base64});
                vec![json!({"type": "resource", "resource": resource})]
            }
            Self::Empty => Vec::new(),
        };
        result.insert("content".to_owned(), content.into());
        result.insert("isError".to_owned(), failed.into());
        result.insert("_meta".to_owned(), json!({BODY_KEY: about}));
        // A value can always be written.
        to_raw_value(&Value::Object(result)).unwrap_or_else(|_| RawValue::NULL.to_owned())
    }
}

/// The body in a result that is marked as one; none in any other.
pub fn body_in(result: &Value) -> Option<Value> {
    let about = result.get("_meta")?.get(BODY_KEY)?;
    let text = || result.pointer("/content/0/text").and_then(Value::as_str);
    match about.get("form")?.as_str()? {
        "json" => match result.get("structuredContent") {
            Some(object) => Some(object.clone()),
            None => serde_json::from_str(text()?).ok(),
        },
        "text" => text().map(Value::from),
        "blob" => result.pointer("/content/0/resource").cloned(),
        "empty" => Some(Value::Null),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{BODY_KEY, Body, body_in};
    use serde_json::{Map, Value, json};

    fn kept(body: Body) -> Value {
        let about = Map::from_iter([("kind".to_owned(), json!("http"))]);
        serde_json::from_str(body.result(false, about).get()).unwrap()
    }

    #[test]
    fn what_was_answered_comes_back() {
        for value in [
            json!({"id": "re_1"}),
            json!([1, {"a": null}]),
            json!(7),
            Value::Null,
        ] {
            assert_eq!(body_in(&kept(Body::Json(value.clone()))), Some(value));
        }
        assert_eq!(
            body_in(&kept(Body::Text("{}".to_owned()))),
            Some(json!("{}"))
        );
        assert_eq!(body_in(&kept(Body::Empty)), Some(Value::Null));
        let blob = Body::Blob {
            base64: "AAE=".to_owned(),
            media_type: "image/png".to_owned(),
        };
        assert_eq!(body_in(&kept(blob)).unwrap()["blob"], "AAE=");
    }

    #[test]
    fn an_mcp_result_is_not_taken_for_a_body() {
        assert_eq!(
            body_in(&json!({"content": [], "structuredContent": {"a": 1}})),
            None
        );
        let forged = json!({"_meta": {BODY_KEY: {"form": "other"}}});
        assert_eq!(body_in(&forged), None);
    }

    #[test]
    fn only_an_object_is_structured_content() {
        assert!(
            kept(Body::Json(json!([1])))
                .get("structuredContent")
                .is_none()
        );
        assert_eq!(
            kept(Body::Json(json!({"a": 1})))["structuredContent"],
            json!({"a": 1})
        );
    }
}
