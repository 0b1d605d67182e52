//! What the description promises, held against everything that these tests send and get.
//!
//! Every answer must have the shape that its operation and status describe, and every body that
//! was taken must have the shape that its operation asks for. So the description cannot drift from
//! what is really served.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use jsonschema::Validator;
use serde_json::{Value, json};

/// The description with a validator for each part of it that was needed so far.
pub(crate) struct Contract {
    document: Value,
    validators: Mutex<HashMap<String, Option<std::sync::Arc<Validator>>>>,
}

impl Contract {
    /// The one of this process: compiling its schemas takes a while.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Contract> = OnceLock::new();
        SHARED.get_or_init(|| Self {
            document: serde_json::to_value(toolgate_api::openapi()).unwrap(),
            validators: Mutex::default(),
        })
    }

    /// Holds an answer against what its operation says of this status.
    pub(crate) fn answered(&self, (method, path): (&str, &str), status: u16, body: &[u8]) {
        let Some(operation) = self.operation(method, path) else {
            return;
        };
        let responses = format!("{operation}/responses");
        let exact = format!("{responses}/{status}");
        let known = self.document.pointer(&exact).is_some();
        assert!(
            known || status >= 300,
            "{method} {path}: {status} is not described"
        );
        let response = if known {
            exact
        } else {
            format!("{responses}/default")
        };
        for media in ["application~1json", "application~1problem+json"] {
            let schema = format!("{response}/content/{media}/schema");
            self.hold(&schema, body, &format!("{method} {path} answered {status}"));
        }
    }

    /// Holds a body that was taken against what its operation asks for.
    pub(crate) fn taken(&self, (method, path): (&str, &str), body: &[u8]) {
        let Some(operation) = self.operation(method, path) else {
            return;
        };
        let schema = format!("{operation}/requestBody/content/application~1json/schema");
        if !body.is_empty() {
            self.hold(&schema, body, &format!("{method} {path} took"));
        }
    }

    /// The pointer to the operation that serves this path.
    fn operation(&self, method: &str, path: &str) -> Option<String> {
        let fits = |template: &str| {
            let (mut steps, mut names) = (path.split('/'), template.split('/'));
            loop {
                match (steps.next(), names.next()) {
                    (None, None) => return true,
                    (Some(_), Some(name)) if name.starts_with('{') => {}
                    (Some(step), Some(name)) if step == name => {}
                    _ => return false,
                }
            }
        };
        let paths = self.document["paths"].as_object().unwrap();
        let exact = paths.contains_key(path).then_some(path);
        let template =
            exact.or_else(|| paths.keys().map(String::as_str).find(|path| fits(path)))?;
        let escaped = template.replace('~', "~0").replace('/', "~1");
        let pointer = format!("/paths/{escaped}/{}", method.to_lowercase());
        self.document.pointer(&pointer).map(|_| pointer)
    }

    fn hold(&self, schema: &str, body: &[u8], what: &str) {
        let Some(validator) = self.validator(schema) else {
            return;
        };
        let value: Value = serde_json::from_slice(body).unwrap();
        let errors: Vec<_> = validator
            .iter_errors(&value)
            .map(|error| format!("{} at `{}`", error, error.instance_path()))
            .collect();
        assert!(
            errors.is_empty(),
            "{what} {value}, against its description: {errors:#?}"
        );
    }

    fn validator(&self, pointer: &str) -> Option<std::sync::Arc<Validator>> {
        let mut all = self
            .validators
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let made = all.entry(pointer.to_owned()).or_insert_with(|| {
            let mut schema = self.document.pointer(pointer)?.clone();
            schema["components"] = self.document["components"].clone();
            schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
            Some(std::sync::Arc::new(
                jsonschema::validator_for(&schema).unwrap(),
            ))
        });
        made.clone()
    }
}

#[test]
#[should_panic(expected = "against its description")]
fn an_answer_of_another_shape_is_found() {
    Contract::shared().answered(("GET", "/healthz"), 200, br#"{"status": 1}"#);
}

#[test]
#[should_panic(expected = "is not described")]
fn a_status_that_nobody_described_is_found() {
    Contract::shared().answered(("GET", "/healthz"), 204, b"");
}

#[test]
#[should_panic(expected = "against its description")]
fn a_body_with_a_field_too_many_is_found() {
    let body = br#"{"agent": "a", "tool": "a.b", "toool": 1}"#;
    Contract::shared().taken(("POST", "/v1/evaluate"), body);
}
