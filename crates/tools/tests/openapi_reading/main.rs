//! Descriptions of HTTP APIs as tools: real ones, and such as attackers and careless people write.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on had better stop"
)]

mod arguments;
mod corpus;
mod texts;
mod tools;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use toolgate_model::Descriptor;
use toolgate_tools::ApiTools;

pub(crate) fn read(document: &Value) -> ApiTools {
    ApiTools::read("api", document.to_string().as_bytes(), &BTreeMap::new()).unwrap()
}

/// A description of these paths, with these components.
pub(crate) fn described(paths: Value, components: Value) -> ApiTools {
    read(
        &json!({"openapi": "3.0.3", "info": {"title": "x", "version": "1"},
        "paths": paths, "components": components}),
    )
}

pub(crate) fn paths(paths: Value) -> ApiTools {
    described(paths, json!({}))
}

/// The only tool of a description with one operation.
pub(crate) fn only(read: &ApiTools) -> &Descriptor {
    assert_eq!((read.tools.len(), &read.unavailable[..]), (1, &[][..]));
    &read.tools[0]
}

pub(crate) fn post(schema: Value) -> Value {
    json!({"post": {"operationId": "send", "requestBody": {"required": true, "content": {
        "application/json": {"schema": schema}}}}})
}

pub(crate) fn route(tool: &Descriptor) -> &str {
    tool.route.as_ref().unwrap().as_str()
}

/// What arguments the tool's schema admits, judged by a validator that is not ours.
pub(crate) fn admits(tool: &Descriptor, arguments: &Value) -> bool {
    jsonschema::draft202012::new(&tool.input_schema)
        .unwrap()
        .is_valid(arguments)
}

/// A generator of choices, the same on every machine.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, count: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % count.max(1)
    }
}
