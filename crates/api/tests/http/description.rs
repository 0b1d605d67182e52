//! The OpenAPI description: complete, consistent in itself, and the same as the committed one.

use std::collections::BTreeSet;

use expect_test::expect_file;
use serde_json::Value;

use crate::world::World;

fn document() -> Value {
    serde_json::to_value(toolgate_api::openapi()).unwrap()
}

#[test]
fn the_committed_description_is_the_present_one() {
    let text = serde_json::to_string_pretty(&document()).unwrap() + "\n";
    expect_file!["../../../../docs/reference/openapi.json"].assert_eq(&text);
}

#[tokio::test]
async fn the_served_description_is_the_same() {
    let world = World::new().await;
    assert_eq!(world.get("/v1/openapi.json").await.value(), document());
}

#[test]
fn every_operation_says_what_it_is_takes_and_gives() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let at = format!("{method} {path}");
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "{at}: `{id}` stands twice");
            assert!(
                !operation["summary"].as_str().unwrap_or_default().is_empty(),
                "{at}"
            );
            assert!(operation["security"].is_array(), "{at}");
            assert_eq!(operation["tags"].as_array().map(Vec::len), Some(1), "{at}");
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.contains_key("default"), "{at}");
            for (status, response) in responses {
                let content = response["content"].as_object().unwrap();
                let schemas = content.values().filter(|media| media["schema"].is_object());
                assert_eq!(schemas.count(), content.len(), "{at} {status}");
                assert!(!content.is_empty(), "{at} {status}");
            }
            let changes = matches!(method.as_str(), "patch" | "post" | "put");
            assert_eq!(operation["requestBody"].is_object(), changes, "{at}");
            for name in path.split(['{', '}']).skip(1).step_by(2) {
                let parameters = operation["parameters"].as_array().unwrap();
                assert!(
                    parameters.iter().any(|parameter| parameter["name"] == name),
                    "{at}"
                );
            }
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let document = document();
    let mut seen = 0;
    visit(&document, &mut |reference| {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
        seen += 1;
    });
    assert!(seen > 50, "{seen} references");
}

fn visit(value: &Value, found: &mut impl FnMut(&str)) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                match inner.as_str().filter(|_| key == "$ref") {
                    Some(reference) => found(reference),
                    None => visit(inner, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| visit(item, found)),
        _ => {}
    }
}
