//! Completion: of arguments of prompts and of expressions of templates, by the names clients know.

use expect_test::expect;
use serde_json::{Value, json};

use crate::shelf::{self, crm, wiki};
use crate::world::World;

async fn complete(world: &World, reference: Value) -> Value {
    let argument = json!({"name": "who", "value": "a"});
    let context: Value = serde_json::from_str(r#"{"arguments":{"x":1.50}}"#).unwrap();
    let params = json!({"ref": reference, "argument": argument, "context": context});
    let answer = world.modern("completion/complete", params);
    answer.await_answer().await.json()
}

#[tokio::test(start_paused = true)]
async fn references_are_exchanged_for_the_servers_own() {
    let world = shelf::world(vec![("crm", crm()), ("wiki", wiki())]).await;
    *world.desk.odd.lock().unwrap() = r#"{"completion":{"values":["ana"],"total":1E2}}"#.to_owned();
    for reference in [
        json!({"title": "x", "type": "ref/prompt", "name": "crm__greet"}),
        json!({"type": "ref/resource", "uri": "toolgate://crm/file:///{path}"}),
        json!({"type": "ref/resource", "uri": "wiki:///{page}"}),
    ] {
        let answer = complete(&world, reference).await;
        assert_eq!(
            answer["result"]["completion"]["values"],
            json!(["ana"]),
            "{answer}"
        );
    }
    let reached = world.desk.reached.lock().unwrap();
    let asked: Vec<String> = reached
        .iter()
        .map(|(_, arguments, _)| arguments.to_string())
        .collect();
    expect![[r#"
        {"ref":{"title":"x","type":"ref/prompt","name":"greet"},"argument":{"name":"who","value":"a"},"context":{"arguments":{"x":1.50}}}
        {"ref":{"type":"ref/resource","uri":"file:///{path}"},"argument":{"name":"who","value":"a"},"context":{"arguments":{"x":1.50}}}
        {"ref":{"type":"ref/resource","uri":"wiki:///{page}"},"argument":{"name":"who","value":"a"},"context":{"arguments":{"x":1.50}}}"#]].assert_eq(&asked.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_seen_cannot_be_completed() {
    let world = shelf::world(vec![("crm", crm())]).await;
    shelf::grant(&world, &["crm.completion/complete"], &[]).await;
    for reference in [
        json!({"type": "ref/prompt", "name": "crm__greet"}),
        json!({"type": "ref/prompt", "name": "crm__none"}),
    ] {
        let error = complete(&world, reference.clone()).await["error"].clone();
        assert_eq!(error["code"], -32_602);
        let name = reference["name"].as_str().unwrap();
        assert_eq!(error["message"], format!("Unknown prompt: {name}"));
    }
    for reference in [
        json!({}),
        json!("x"),
        json!({"type": "ref/other"}),
        json!({"type": "ref/prompt"}),
    ] {
        let error = complete(&world, reference).await["error"].clone();
        assert_eq!(error["code"], -32_602, "{error}");
    }
    assert!(world.desk.reached.lock().unwrap().is_empty());
}
